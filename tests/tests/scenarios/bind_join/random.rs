//! Random people, visits and hosts: every query must give the same rows with pushdown on, where joins
//! are bound, and off, where everything is read whole.

use proptest::prelude::*;
use proptest::test_runner::{Config as TestConfig, TestRunner};
use serde_json::{Value, json};
use sessionql_core::KeyLimits;
use sessionql_core::completeness::Off;

use super::{World, sorted};

/// What must be so of a query, beside its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Its visits are asked by key, never whole.
    Keyed,
    /// Some visits have to be read whole, if anybody wants them.
    Free,
}

/// How rows are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// In any order.
    Any,
    /// As they come.
    Same,
    /// A part of the rows of the query without its last line, so many of them.
    Part { skip: usize, take: usize },
}

const QUERIES: &[(Due, Order, &str)] = &[
    // inner joins, either side first
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id, u.lvl, s.n FROM c.people u JOIN c.visits s ON u.id = s.user",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id, u.lvl, s.n FROM c.visits s JOIN c.people u ON u.id = s.user",
    ),
    (Due::Keyed, Order::Any, "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.dept = s.ip"),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user AND u.dept = s.ip",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id, s.ip FROM c.people u JOIN c.visits s ON u.id = s.user AND u.lvl + s.n > 4 WHERE u.dept <> 'h1'",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u, c.visits s WHERE s.user = u.id AND s.n > (SELECT min(lvl) FROM c.people)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user WHERE s.n >= 2 AND s.user LIKE '%1%'",
    ),
    // outer joins
    (Due::Keyed, Order::Any, "SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user"),
    (Due::Keyed, Order::Any, "SELECT * FROM c.visits s RIGHT JOIN c.people u ON u.id = s.user"),
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user AND u.lvl < s.n",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user WHERE s.n IS NULL OR s.n > 2",
    ),
    // semi, anti and mark joins
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.people u WHERE EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.people u WHERE EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id AND s.n > u.lvl)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id AND s.n > u.lvl)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.people u WHERE u.id IN (SELECT user FROM c.visits WHERE n > 3)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id, u.lvl FROM c.people u WHERE u.lvl = 1 OR EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id, u.lvl FROM c.people u WHERE u.lvl = 1 OR u.id IN (SELECT user FROM c.visits WHERE n > 2)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq FROM c.people u WHERE u.dept NOT IN (SELECT boss FROM c.visits WHERE n > 1)",
    ),
    // the visits of some people
    (
        Due::Keyed,
        Order::Any,
        "SELECT * FROM c.visits s WHERE s.user IN (SELECT id FROM c.people WHERE lvl < 3)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT s.n, s.ip FROM c.visits s WHERE EXISTS (SELECT 1 FROM c.people u WHERE u.id = s.user AND u.lvl < s.n)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT s.n FROM c.visits s WHERE EXISTS (SELECT 1 FROM c.people u WHERE u.id = s.user AND u.dept = s.ip)",
    ),
    // through projections, filters and aggregates
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, x.m, x.h FROM c.people u JOIN (SELECT n * 2 AS m, upper(boss) AS h, user AS k FROM c.visits WHERE n % 2 = 0) x ON x.k = u.id",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, x.c FROM c.people u LEFT JOIN (SELECT user, count(*) AS c FROM c.visits GROUP BY user) x ON x.user = u.id",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, (SELECT max(n) FROM c.visits s WHERE s.user = u.id) AS m FROM c.people u",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, (SELECT count(*) FROM c.visits s WHERE s.user = u.id AND s.n > 1) AS m FROM c.people u",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT DISTINCT u.id FROM c.people u JOIN (SELECT DISTINCT user, ip FROM c.visits) s ON u.id = s.user",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, x.user FROM c.people u JOIN (SELECT ip, user, max(n) AS m FROM c.visits GROUP BY ip, user) x ON x.user = u.id AND x.m > u.lvl",
    ),
    // several joins
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, a.n, b.n FROM c.people u JOIN c.visits a ON u.id = a.user JOIN c.visits b ON a.user = b.user AND a.n < b.n",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, a.n, b.n FROM c.visits a JOIN c.visits b ON a.user = b.user JOIN c.people u ON u.id = b.user",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, a.n, h.n FROM c.visits a JOIN d.visits h ON a.ip = h.ip JOIN c.people u ON u.id = a.user",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, a.n, h.n FROM c.people u LEFT JOIN c.visits a ON a.user = u.id LEFT JOIN d.visits h ON h.user = a.boss",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT a.n, b.n FROM c.visits a JOIN c.visits b ON a.boss = b.user WHERE a.user IN ('u1', 'u2', 'U3')",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT v.seq, u.seq, s.n FROM c.people v JOIN (SELECT u.seq, u.lvl, u.id, s.n FROM c.people u JOIN c.visits s ON u.id = s.user) u ON v.lvl = u.lvl AND v.id = u.id JOIN c.visits s ON s.user = v.id",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id FROM c.people u JOIN c.visits s ON u.id = s.user UNION ALL SELECT u.dept FROM c.people u JOIN c.visits s ON s.ip = u.dept",
    ),
    (
        Due::Keyed,
        Order::Any,
        "WITH w AS (SELECT u.id, s.n FROM c.people u JOIN c.visits s ON u.id = s.user) SELECT a.id, a.n, b.n FROM w a JOIN w b ON a.id = b.id AND a.n > b.n",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq FROM c.people u WHERE u.lvl >= (SELECT min(s.n) FROM c.people v JOIN c.visits s ON v.id = s.user)",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.c, s.n FROM (SELECT id, count(*) AS c FROM c.people GROUP BY id) u JOIN c.visits s ON s.user = u.id",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, row_number() OVER (PARTITION BY u.id ORDER BY u.seq, s.n, s.ip, s.boss) FROM c.people u JOIN c.visits s ON u.id = s.user",
    ),
    // aggregates, order and limits above
    (Due::Keyed, Order::Any, "SELECT count(*) FROM c.people u JOIN c.visits s ON u.id = s.user"),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.dept, count(*), sum(s.n) FROM c.people u JOIN c.visits s ON u.id = s.user GROUP BY u.dept HAVING count(*) > 1",
    ),
    (
        Due::Keyed,
        Order::Part { skip: 0, take: 2 },
        "SELECT u.id, u.lvl, s.n FROM c.people u JOIN c.visits s ON u.id = s.user\nLIMIT 2",
    ),
    (
        Due::Keyed,
        Order::Part { skip: 1, take: 3 },
        "SELECT u.id, u.lvl, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user\nLIMIT 3 OFFSET 1",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT u.seq, s.n, s.ip, s.boss FROM c.people u JOIN c.visits s ON u.id = s.user ORDER BY 1, 2, 3, 4 LIMIT 5",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT u.seq, count(s.n) FROM c.people u LEFT JOIN c.visits s ON u.id = s.user GROUP BY u.seq ORDER BY u.seq",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT u.seq FROM c.people u WHERE EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY u.seq LIMIT 3",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT u.seq FROM (SELECT * FROM c.people ORDER BY seq LIMIT 9) u LEFT JOIN c.visits s ON s.user = u.id ORDER BY u.seq",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.id, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user WHERE u.dept = 'nobody'",
    ),
    (
        Due::Keyed,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user WHERE u.id IS NULL",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM c.people u WHERE EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY seq",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM c.people u WHERE EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY seq LIMIT 4 OFFSET 2",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY seq",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY seq OFFSET 3",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM c.people WHERE id IN (SELECT user FROM c.visits WHERE n > 1) ORDER BY seq",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM c.people u WHERE u.lvl = 1 OR EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY seq OFFSET 1",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT id, seq FROM (SELECT * FROM c.people ORDER BY seq LIMIT 20) u WHERE EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id) ORDER BY seq LIMIT 3",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT u.seq, s.user, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user ORDER BY seq, n, ip, boss OFFSET 2",
    ),
    (
        Due::Keyed,
        Order::Same,
        "SELECT user, n, ip, boss FROM c.visits s WHERE s.user IN (SELECT id FROM c.people) ORDER BY n, user, ip, boss LIMIT 6",
    ),
    // what cannot be bound
    (Due::Free, Order::Any, "SELECT * FROM c.people u FULL JOIN c.visits s ON u.id = s.user"),
    (Due::Free, Order::Any, "SELECT * FROM c.visits s LEFT JOIN c.people u ON u.id = s.user"),
    (
        Due::Free,
        Order::Any,
        "SELECT s.n FROM c.visits s WHERE NOT EXISTS (SELECT 1 FROM c.people u WHERE u.id = s.user)",
    ),
    (
        Due::Free,
        Order::Any,
        "SELECT * FROM c.people u WHERE u.id NOT IN (SELECT user FROM c.visits)",
    ),
    (
        Due::Free,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id IS NOT DISTINCT FROM s.user",
    ),
    (Due::Free, Order::Any, "SELECT u.seq FROM c.people u JOIN c.visits s ON u.id = lower(s.user)"),
    (
        Due::Free,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN (SELECT * FROM c.visits ORDER BY n, user, ip, boss LIMIT 3) s ON u.id = s.user",
    ),
    (
        Due::Free,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN (SELECT max(user) AS m, ip FROM c.visits GROUP BY ip) x ON x.m = u.id",
    ),
    (
        Due::Free,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN c.visits s ON u.id = s.user OR u.dept = s.ip",
    ),
    (Due::Free, Order::Any, "SELECT count(*) FROM c.visits"),
    (Due::Free, Order::Any, "SELECT a.n, b.n FROM c.visits a JOIN c.visits b ON a.user = b.ip"),
];

/// Tells whether `part` is in `all`, each row as often.
fn is_part(part: &[Vec<String>], mut all: Vec<Vec<String>>) -> bool {
    part.iter().all(|row| {
        let place = all.iter().position(|known| known == row);
        place.is_some_and(|place| {
            all.swap_remove(place);
            true
        })
    })
}

fn check(world: &World, keys: KeyLimits, threads: usize, queries: &[(Due, Order, &str)]) {
    let (bound, whole) = (world.ask(keys, threads), world.ask(keys, threads));
    whole.run("SET pushdown = off");
    for (due, order, sql) in queries {
        let (found, asked) = (bound.rows(sql), bound.asked());
        let all = sql.split('\n').next().unwrap_or(sql);
        let expected = whole.rows(if matches!(order, Order::Part { .. }) { all } else { sql });
        match order {
            Order::Same => assert_eq!(found, expected, "{sql}"),
            Order::Any => assert_eq!(sorted(found), sorted(expected), "{sql}"),
            Order::Part { skip, take } => {
                let n_rows = expected.len().saturating_sub(*skip).min(*take);
                assert_eq!(found.len(), n_rows, "{sql}");
                assert!(is_part(&found, expected), "{sql}: {found:?}");
            }
        }
        let is_whole = asked.iter().any(|line| line == "*");
        assert!(*due == Due::Free || !is_whole, "{sql}: {asked:?}");
    }
}

fn key(prefix: &'static str, n_keys: u8) -> impl Strategy<Value = Value> {
    (0..n_keys, 0..10_u8, 0..8_u8).prop_map(move |(key, case, null)| match (case, null) {
        (_, 0) => Value::Null,
        (0, _) => format!("{}{key}", prefix.to_uppercase()).into(),
        _ => format!("{prefix}{key}").into(),
    })
}

fn number(n_numbers: i64) -> impl Strategy<Value = Value> {
    prop_oneof![5 => (0..n_numbers).prop_map(Value::from), 1 => Just(Value::Null)]
}

fn visits(n_rows: usize) -> impl Strategy<Value = Vec<Value>> {
    let visit = (key("u", 14), key("h", 4), number(6), 0..14_u8);
    let visit = visit.prop_map(|(user, ip, n, boss)| json!([user, ip, n, format!("u{boss}")]));
    prop::collection::vec(visit, 0..n_rows)
}

fn world() -> impl Strategy<Value = World> {
    let person = (key("u", 14), 0..4_u8, number(5));
    let people = prop::collection::vec(person, 0..40).prop_map(|people| {
        let row = |(seq, (id, dept, lvl))| json!([id, format!("h{dept}"), lvl, seq]);
        people.into_iter().enumerate().map(row).collect::<Vec<_>>()
    });
    (people, visits(50), visits(30), any::<bool>(), 1..9_usize).prop_map(
        |(people, visits, hosts, ignores_case, n_batch_rows)| World {
            people,
            visits,
            hosts,
            ignores_case,
            cap: None,
            n_batch_rows,
        },
    )
}

fn limits() -> impl Strategy<Value = KeyLimits> {
    (1..4_usize, prop_oneof![1..8_usize, Just(64)], 1..5_usize)
        .prop_map(|(first_chunk, max_chunk, n_scans)| KeyLimits { first_chunk, max_chunk, n_scans })
}

/// Whatever is capped, an answer is the truth, or says that it is not.
fn check_capped(world: &World, keys: KeyLimits, queries: &[(Due, Order, &str)]) {
    let truth = World { cap: None, ..world.clone() }.ask(keys, 2);
    truth.run("SET pushdown = off");
    let capped = world.ask(keys, 2);
    for (_, order, sql) in queries {
        let answer = capped.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let all = sql.split('\n').next().unwrap_or(sql);
        let truth = truth.rows(if matches!(order, Order::Part { .. }) { all } else { sql });
        match (answer.completeness.off, order) {
            (None, Order::Part { skip, take }) => {
                let n_rows = truth.len().saturating_sub(*skip).min(*take);
                assert_eq!(answer.rows.len(), n_rows, "{sql}");
                assert!(is_part(&answer.rows, truth), "{sql}");
            }
            (None, _) => assert_eq!(sorted(answer.rows), sorted(truth), "{sql}"),
            (Some(Off::Missing), _) => assert!(is_part(&answer.rows, truth), "{sql}"),
            (Some(Off::Wrong), _) => {}
        }
    }
}

/// Returns how many worlds are made. Each is asked all queries; PROPTEST_CASES asks for more worlds.
fn config(n_usual: u32) -> TestConfig {
    let config = TestConfig::default();
    let cases = if config.cases == 256 { n_usual } else { config.cases };
    TestConfig { cases, ..config }
}

#[test]
fn asking_by_key_changes_no_answer() {
    let threads = prop_oneof![Just(1), Just(4)];
    TestRunner::new(config(6))
        .run(&(world(), limits(), threads), |(world, limits, threads)| {
            check(&world, limits, threads, QUERIES);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_capped_answer_is_the_truth_or_says_so() {
    TestRunner::new(config(3))
        .run(&(world(), limits(), 1..4_usize), |(world, limits, cap)| {
            check_capped(&World { cap: Some(cap), ..world }, limits, QUERIES);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

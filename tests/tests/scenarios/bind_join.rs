//! Joins that ask a capped table by the keys of their other side.
//! A case is random people, visits and hosts; every query must give the same rows with pushdown on,
//! where joins are bound, and off, where everything is read whole. What the provider was asked for
//! is in a file.

use proptest::prelude::*;
use proptest::test_runner::{Config as TestConfig, TestRunner};
use serde_json::{Value, json};
use sessionql_core::completeness::Off;
use sessionql_core::config::{Config, Secrets};
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions, ExecuteOptions, KeyLimits};
use sessionql_tests::{Answer, BEGIN, instant, plugin_directory, run};

/// What must be so of a query, beside its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Its visits are asked by key, never whole.
    Keyed,
    /// Some visits have to be read whole.
    Whole,
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
    // what cannot be bound
    (Due::Whole, Order::Any, "SELECT * FROM c.people u FULL JOIN c.visits s ON u.id = s.user"),
    (Due::Whole, Order::Any, "SELECT * FROM c.visits s LEFT JOIN c.people u ON u.id = s.user"),
    (
        Due::Whole,
        Order::Any,
        "SELECT s.n FROM c.visits s WHERE NOT EXISTS (SELECT 1 FROM c.people u WHERE u.id = s.user)",
    ),
    (
        Due::Whole,
        Order::Any,
        "SELECT * FROM c.people u WHERE u.id NOT IN (SELECT user FROM c.visits)",
    ),
    (
        Due::Whole,
        Order::Any,
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id IS NOT DISTINCT FROM s.user",
    ),
    (
        Due::Whole,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN c.visits s ON u.id = lower(s.user)",
    ),
    (
        Due::Whole,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN (SELECT * FROM c.visits ORDER BY n, user, ip, boss LIMIT 3) s ON u.id = s.user",
    ),
    (
        Due::Whole,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN (SELECT max(user) AS m, ip FROM c.visits GROUP BY ip) x ON x.m = u.id",
    ),
    (
        Due::Whole,
        Order::Any,
        "SELECT u.seq FROM c.people u JOIN c.visits s ON u.id = s.user OR u.dept = s.ip",
    ),
    (Due::Whole, Order::Any, "SELECT count(*) FROM c.visits"),
    (Due::Whole, Order::Any, "SELECT a.n, b.n FROM c.visits a JOIN c.visits b ON a.user = b.ip"),
];

/// The rows of both connections, and how their provider behaves.
#[derive(Debug, Clone, Default)]
struct World {
    people: Vec<Value>,
    visits: Vec<Value>,
    hosts: Vec<Value>,
    ignores_case: bool,
    cap: Option<usize>,
    n_batch_rows: usize,
}

/// A world with an engine of its own.
struct Ask {
    engine: Engine,
    asked: tempfile::NamedTempFile,
}

impl World {
    fn ask(&self, keys: KeyLimits, threads: usize) -> Ask {
        self.ask_with("", keys, threads)
    }

    fn ask_with(&self, settings: &str, keys: KeyLimits, threads: usize) -> Ask {
        let asked = tempfile::NamedTempFile::new().expect("a file is made");
        let connection = |name: &str, people: &[Value], visits: &[Value]| {
            format!(
                "[connections.{name}]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n\
                 people = '{}'\nvisits = '{}'\nbatch = {}\nignores_case = {}\ncap = {}\nasked = '{}'\n",
                Value::from(people),
                Value::from(visits),
                self.n_batch_rows.max(1),
                self.ignores_case,
                self.cap.unwrap_or(1_000_000),
                asked.path().display(),
            )
        };
        let config = settings.to_owned()
            + &connection("c", &self.people, &self.visits)
            + &connection("d", &[], &self.hosts);
        let options = EngineOptions {
            plugin_path: PluginPath { directories: vec![plugin_directory()] },
            secrets: Secrets::default(),
            clock: std::sync::Arc::new(|| instant(BEGIN)),
            keys,
            threads: Some(threads),
        };
        let config = Config::parse(&config).expect("the configuration is right");
        let engine = Engine::new(config, options).expect("an engine starts");
        Ask { engine, asked }
    }
}

impl Ask {
    fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    /// Returns the rows of a query that must succeed.
    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows
    }

    /// Returns what the provider was asked for since the last call.
    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.asked.path()).expect("the file is there");
        std::fs::write(self.asked.path(), "").expect("the file can be emptied");
        text.lines().map(str::to_owned).collect()
    }
}

fn sorted<T: Ord>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort();
    rows
}

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
        match due {
            Due::Keyed => {
                assert!(!is_whole, "{sql}: {asked:?}");
            }
            Due::Whole => assert!(is_whole, "{sql}: {asked:?}"),
        }
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

#[test]
fn asking_by_key_changes_no_answer() {
    // Each case runs all queries; PROPTEST_CASES asks for more.
    let n_cases = TestConfig::default().cases;
    let cases = if n_cases == 256 { 8 } else { n_cases };
    let mut runner = TestRunner::new(TestConfig { cases, ..TestConfig::default() });
    let threads = prop_oneof![Just(1), Just(4)];
    runner
        .run(&(world(), limits(), threads), |(world, limits, threads)| {
            check(&world, limits, threads, QUERIES);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Returns people with these ids, each alone in their department.
fn people(ids: &[Option<&str>]) -> Vec<Value> {
    ids.iter().enumerate().map(|(seq, id)| json!([id, "h0", 1, seq])).collect()
}

/// Returns one visit of each of these users.
fn visits_of(users: &[&str]) -> Vec<Value> {
    users.iter().enumerate().map(|(n, user)| json!([user, "h0", n, "u0"])).collect()
}

/// Returns ids `k0`, `k1` and so on.
fn ids(n_ids: usize) -> Vec<String> {
    (0..n_ids).map(|id| format!("k{id}")).collect()
}

fn ask(world: World) -> Ask {
    world.ask(KeyLimits::default(), 2)
}

/// 300 people twice over, and a visit of each.
fn crowd() -> World {
    let ids = ids(300);
    let once: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let users: Vec<&str> = ids.iter().map(String::as_str).collect();
    let twice = [once.clone(), once].concat();
    World {
        people: people(&twice),
        visits: visits_of(&users),
        n_batch_rows: 50,
        ..World::default()
    }
}

#[test]
fn each_key_is_asked_for_once() {
    let ask = ask(crowd());
    let expected = sorted(ids(300).iter().map(|id| format!("user={id}")).collect());
    for (sql, n_rows) in [
        ("SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user", 600),
        ("SELECT u.seq, s.n FROM c.visits s JOIN c.people u ON u.id = s.user", 600),
        ("SELECT u.seq, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user", 600),
        ("SELECT s.n FROM c.visits s WHERE s.user IN (SELECT id FROM c.people)", 300),
        ("SELECT u.seq FROM c.people u WHERE u.id IN (SELECT user FROM c.visits)", 600),
        // Scans of the same rows share their answers, whatever columns they want.
        (
            "SELECT a.n, b.ip FROM c.people u JOIN c.visits a ON u.id = a.user JOIN c.visits b ON a.user = b.user",
            600,
        ),
        (
            "WITH w AS (SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user) \
             SELECT a.n FROM w a JOIN w b ON a.seq = b.seq",
            600,
        ),
    ] {
        let rows = ask.rows(sql);
        assert_eq!(rows.len(), n_rows, "{sql}");
        assert_eq!(sorted(ask.asked()), expected, "{sql}");
    }
}

#[test]
fn other_filters_keep_scans_apart() {
    let ask = ask(World {
        people: people(&[Some("a")]),
        visits: vec![json!(["a", "h0", 1, "b"]), json!(["a", "h1", 2, "b"])],
        ..World::default()
    });
    let sql = "SELECT x.n, y.n FROM c.people u JOIN c.visits x ON u.id = x.user AND x.n = 1 \
               JOIN c.visits y ON u.id = y.user AND y.n = 2";
    assert_eq!(ask.rows(sql), [["1", "2"]]);
    assert_eq!(ask.asked(), ["user=a", "user=a"]);
}

#[test]
fn a_limit_ends_the_requests() {
    let ask = ask(crowd());
    for sql in [
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user LIMIT 3",
        "SELECT u.seq, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user LIMIT 3",
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user ORDER BY u.seq LIMIT 3",
        "SELECT s.n FROM c.visits s WHERE s.user IN (SELECT id FROM c.people) LIMIT 3",
    ] {
        assert_eq!(ask.rows(sql).len(), 3, "{sql}");
        let n_keys = ask.asked().len();
        assert!((1..=4).contains(&n_keys), "{sql}: {n_keys}");
    }
}

#[test]
fn nobody_asks_for_null_or_for_nobody() {
    let mut world = crowd();
    world.people = people(&[None, None]);
    let ask = ask(world);
    for (sql, n_rows) in [
        ("SELECT * FROM c.people u JOIN c.visits s ON u.id = s.user", 0),
        ("SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user", 2),
        ("SELECT * FROM c.people u JOIN c.visits s ON u.id = s.user WHERE u.dept = 'nobody'", 0),
        (
            "SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user WHERE u.dept = 'nobody'",
            0,
        ),
        ("SELECT * FROM c.visits s WHERE s.user IN (SELECT id FROM c.people)", 0),
        (
            "SELECT * FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id)",
            2,
        ),
    ] {
        assert_eq!(ask.rows(sql).len(), n_rows, "{sql}");
        assert_eq!(ask.asked(), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn a_filter_on_the_key_is_not_bound_over() {
    let ask = ask(World {
        people: people(&[Some("a"), Some("b"), Some("c")]),
        visits: visits_of(&["a", "b"]),
        ..World::default()
    });
    let join = "FROM c.people u JOIN c.visits s ON u.id = s.user";
    assert_eq!(ask.rows(&format!("SELECT u.id {join} WHERE s.user = 'a'")), [["a"]]);
    assert_eq!(ask.asked(), ["user=a"]);
    assert_eq!(ask.rows(&format!("SELECT u.id {join} WHERE s.boss = 'u0'")).len(), 2);
    assert_eq!(ask.asked(), ["boss=u0"]);
}

#[test]
fn a_key_that_cannot_be_asked_for_is_read_for() {
    let ids = [Some("a"), Some("b*"), Some("c"), Some("*d"), Some("nobody*")];
    let ask = ask(World {
        people: people(&ids),
        visits: visits_of(&["a", "b*", "c", "*d", "e"]),
        ..World::default()
    });
    let sql = "SELECT u.id FROM c.people u JOIN c.visits s ON u.id = s.user";
    assert_eq!(sorted(ask.rows(sql)), [["*d"], ["a"], ["b*"], ["c"]]);
    assert_eq!(sorted(ask.asked()), ["*", "user=a", "user=c"]);
}

#[test]
fn the_gap_of_a_key_is_a_gap_of_the_answer() {
    let visits = visits_of(&["a", "a", "a", "b"]);
    let people = people(&[Some("a"), Some("b")]);
    let ask = ask(World { people, visits, cap: Some(2), ..World::default() });
    for (sql, n_rows, off) in [
        ("SELECT s.n FROM c.people u JOIN c.visits s ON u.id = s.user", 3, Some(Off::Missing)),
        (
            "SELECT s.n FROM c.visits s WHERE s.user IN (SELECT id FROM c.people)",
            3,
            Some(Off::Missing),
        ),
        ("SELECT s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user", 3, Some(Off::Wrong)),
        (
            "SELECT u.seq FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id AND s.n > 2)",
            1,
            Some(Off::Wrong),
        ),
        // One scan of two is below an outer join, and both have the gap.
        (
            "SELECT a.n FROM c.people u JOIN c.visits a ON u.id = a.user LEFT JOIN c.visits b ON a.user = b.user",
            5,
            Some(Off::Wrong),
        ),
        ("SELECT s.n FROM c.people u JOIN c.visits s ON u.id = s.user WHERE u.id = 'b'", 1, None),
    ] {
        let answer = ask.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert_eq!(answer.rows.len(), n_rows, "{sql}");
        assert_eq!(answer.completeness.off, off, "{sql}");
        let gaps = answer.completeness.connections.iter().flat_map(|report| &report.gaps);
        let gaps: Vec<&str> = gaps.map(|gap| gap.gap.message.as_str()).collect();
        let expected: &[&str] = if off.is_some() { &["2 of 3 visits of `a`"] } else { &[] };
        assert_eq!(gaps, expected, "{sql}");
    }
}

#[test]
fn what_cannot_be_bound_has_the_gap_of_a_whole_read() {
    let mut world = crowd();
    world.cap = Some(28);
    let answer = ask(world).run("SELECT * FROM c.people u FULL JOIN c.visits s ON u.id = s.user");
    assert_eq!(answer.completeness.off, Some(Off::Wrong));
    let gaps: Vec<_> = answer.completeness.connections.iter().flat_map(|it| &it.gaps).collect();
    assert_eq!(gaps[0].gap.message, "28 of 300 all visits");
}

#[test]
fn the_memory_limit_holds_for_answers() {
    let long = "x".repeat(2000);
    let ids = ids(1000);
    let once: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let visits = ids.iter().map(|id| json!([id, long, 1, "u0"])).collect();
    let world = World { people: people(&once), visits, n_batch_rows: 100, ..World::default() };
    let ask = world.ask_with("[settings]\nmemory_limit = \"1MB\"\n", KeyLimits::default(), 2);
    let answer = ask.run("SELECT u.seq, s.ip FROM c.people u JOIN c.visits s ON u.id = s.user");
    let error = answer.error.expect("2 MB do not fit in 1 MB");
    assert!(matches!(error, sessionql_core::Error::Memory { .. }), "{error}");
}

//! Rows of one table that a query needs in several places are read once.
//! What is shared costs the requests of one scan; what the provider would answer otherwise is not
//! shared; and the rows are always those of scans that each read for themselves, as they do without
//! pushdown.

use chrono::TimeDelta;
use proptest::prelude::*;
use sessionql_core::completeness::Off;
use sessionql_core::{Error, ExecuteOptions, Reason};
use sessionql_sandbox::openvpn::{Options, SessionRecord};
use sessionql_sandbox::{Clock, Fault, On, ekran, oam, openvpn_toml};
use sessionql_tests::ekran::EkranWorld;
use sessionql_tests::model::{
    Asked, Condition, Owes, Window, check_pair, complete, condition, config, now, sorted, window,
};
use sessionql_tests::oam::OamWorld;
use sessionql_tests::{Answer, BEGIN, PATIENCE, World, engine, instant, run};

use super::openvpn_model::{self, shown_as};

/// The sessions of a world and how many of them a page has.
const N_SESSIONS: i64 = 12;
const PAGE: usize = 3;

/// How many requests one read of all sessions is.
const N_PAGES: usize = 4;

/// Twelve sessions on four pages, of three users; every fourth one failed.
fn world() -> World {
    let now = instant(BEGIN);
    let sessions = (0..N_SESSIONS)
        .map(|n| {
            let (id, user) = (format!("s{n:02}"), ["ann", "bob", "cy"][n as usize % 3]);
            let start = now - TimeDelta::hours(n + 1);
            match n % 4 {
                3 => SessionRecord::failed(&id, user, start),
                _ => SessionRecord::active(&id, user, start),
            }
        })
        .collect();
    let world = World::of(sessions);
    world.emulator.set_switches(|switches| switches.page_cap = Some(PAGE));
    world
}

fn ask(world: &World, sql: &str) -> Answer {
    // A reader that waits for another one would wait for ever.
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    run(&world.engine, sql, &options)
}

/// Returns the rows of a query, which must be those of scans that read for themselves, and how many
/// requests it sent.
fn rows_and_cost(world: &World, sql: &str) -> (Vec<Vec<String>>, usize) {
    world.requests();
    let rows = sorted(complete(ask(world, sql), sql));
    let n_requests = world.requests().len();
    world.run("SET pushdown = off");
    assert_eq!(rows, sorted(complete(ask(world, sql), sql)), "{sql}");
    world.run("SET pushdown = on");
    world.requests();
    (rows, n_requests)
}

fn cost(world: &World, sql: &str) -> usize {
    rows_and_cost(world, sql).1
}

// What is shared

#[test]
fn a_cte_that_is_used_twice_is_read_once() {
    let world = world();
    let sql = "WITH s AS (SELECT id, user, start FROM openvpn SINCE 3d) \
               SELECT a.id, b.id FROM s a JOIN s b ON a.user = b.user AND a.start < b.start";
    let (rows, n_requests) = rows_and_cost(&world, sql);
    assert_eq!(rows.len(), 3 * 6);
    assert_eq!(n_requests, cost(&world, "SELECT id, user, start FROM openvpn SINCE 3d"));
}

#[test]
fn a_self_join_with_equal_filters_reads_once() {
    let world = world();
    let sql = "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user \
               WHERE a.status = 'FAILED' AND b.status = 'FAILED'";
    assert_eq!(rows_and_cost(&world, sql), (same_pairs(&["s03", "s07", "s11"]), 1));
}

fn same_pairs(ids: &[&str]) -> Vec<Vec<String>> {
    ids.iter().map(|id| vec![(*id).to_owned(); 2]).collect()
}

#[test]
fn columns_are_united() {
    let world = world();
    let sql = "SELECT id FROM openvpn UNION ALL SELECT raw FROM openvpn \
               UNION ALL SELECT CAST(duration > 1s AS TEXT) FROM openvpn";
    let (rows, n_requests) = rows_and_cost(&world, sql);
    assert_eq!((rows.len(), n_requests), (36, N_PAGES));
}

/// What the provider does not know is checked for each place by itself.
#[test]
fn filters_that_are_not_sent_may_differ() {
    let world = world();
    let sql = "SELECT id FROM openvpn WHERE user = 'ann' AND duration > 2h \
               UNION ALL SELECT id FROM openvpn WHERE user LIKE 'b%' \
               UNION ALL SELECT user FROM openvpn WHERE id IN ('s00', 's05')";
    let (rows, n_requests) = rows_and_cost(&world, sql);
    assert_eq!(n_requests, N_PAGES);
    assert_eq!(rows.concat(), ["ann", "cy", "s01", "s04", "s06", "s07", "s09", "s10"]);
}

#[test]
fn ten_uses_read_once() {
    let world = world();
    let one = "SELECT id, user FROM openvpn WHERE status = 'ACTIVE'";
    let many = (0..10).map(|n| format!("SELECT id, {n} FROM s WHERE user <> 'u{n}'"));
    let sql = format!("WITH s AS ({one}) {}", many.collect::<Vec<_>>().join(" UNION ALL "));
    let (rows, n_requests) = rows_and_cost(&world, &sql);
    assert_eq!((rows.len(), n_requests), (90, cost(&world, one)));
}

#[test]
fn a_capped_table_is_read_once() {
    let sessions = oam::Options::seeded(1, Clock::fixed(now())).sessions;
    let world = OamWorld::of(sessions.into_iter().take(20).collect());
    let read = |sql: &str| {
        world.emulator.clear();
        (world.run(sql).rows.len(), world.emulator.data_requests().len())
    };
    read("SELECT id FROM oam");
    let (n_rows, n_requests) = read("SELECT id FROM oam");
    let twice = read("SELECT id FROM oam UNION ALL SELECT user FROM oam WHERE duration > 0s");
    assert_eq!((n_rows, twice.1), (20, n_requests));
    assert!(twice.0 > n_rows);
}

/// One reads all before the other begins, both at once, one after another, or one never: whoever
/// wants rows reads on.
#[test]
fn no_reader_waits_for_another() {
    let world = world();
    for sql in [
        "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user",
        "SELECT a.id, b.id FROM openvpn a FULL JOIN openvpn b ON a.id = b.user",
        "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.start < b.start",
        "SELECT a.id, b.id FROM openvpn a CROSS JOIN openvpn b",
        "SELECT id FROM openvpn UNION ALL SELECT user FROM openvpn",
        "SELECT id FROM openvpn UNION SELECT user FROM openvpn",
        "SELECT id FROM openvpn INTERSECT SELECT id FROM openvpn WHERE user = 'ann'",
        "SELECT id FROM openvpn EXCEPT SELECT id FROM openvpn WHERE user = 'ann'",
        "SELECT id FROM openvpn WHERE start > (SELECT min(start) FROM openvpn)",
        "SELECT id FROM openvpn WHERE user NOT IN (SELECT user FROM openvpn WHERE id = 's01')",
        "SELECT a.id FROM openvpn a WHERE NOT EXISTS \
         (SELECT 1 FROM openvpn b WHERE b.user = a.user AND b.start > a.start)",
        "SELECT a.id, (SELECT count(*) FROM openvpn b WHERE b.user = a.user) FROM openvpn a",
        "SELECT a.id, b.n FROM openvpn a JOIN (SELECT user, count(*) AS n FROM openvpn GROUP BY user) b \
         ON a.user = b.user ORDER BY a.start",
        "SELECT a.id, b.id FROM (SELECT * FROM openvpn ORDER BY start, id LIMIT 5) a \
         JOIN (SELECT * FROM openvpn ORDER BY start DESC, id LIMIT 9) b ON a.user = b.user",
    ] {
        assert_eq!(cost(&world, sql), N_PAGES, "{sql}");
    }
}

#[test]
fn a_recursive_query_reads_what_it_needs() {
    let world = world();
    let sql = "WITH RECURSIVE chain AS ( \
                   SELECT id, user, start FROM openvpn WHERE id = 's09' \
                   UNION ALL SELECT o.id, o.user, o.start FROM openvpn o \
                   JOIN chain c ON o.user = c.user AND o.start > c.start AND o.start < c.start + 4h) \
               SELECT id FROM chain";
    let (rows, _) = rows_and_cost(&world, sql);
    assert_eq!(rows.concat(), ["s00", "s03", "s06", "s09"]);
}

// What is not shared

#[test]
fn other_filters_are_other_scans() {
    let world = world();
    let sql = "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user \
               WHERE a.status = 'FAILED' AND b.status = 'ACTIVE'";
    assert_eq!(cost(&world, sql), 1 + 3);
}

#[test]
fn without_pushdown_each_reads_for_itself() {
    let world = world();
    world.run("SET pushdown = off");
    let once = complete(world.run("SELECT id FROM openvpn"), "once").len();
    let n_once = world.requests().len();
    let twice = complete(world.run("SELECT id FROM openvpn UNION ALL SELECT id FROM openvpn"), "");
    assert_eq!((twice.len(), world.requests().len()), (2 * once, 2 * n_once));
}

/// Ekran may be sent the begin of a window only where nothing that depends on the login is used: read
/// together, the users of a day would cost all sessions that there are.
#[test]
fn columns_that_change_the_requests_are_not_united() {
    let mut world = EkranWorld::with(ekran::Options::seeded(1, Clock::fixed(now())));
    world.configure("selection = \"overlap\"");
    let (users, starts) =
        ("SELECT user FROM ekran SINCE 1d", "SELECT id, start FROM ekran SINCE 1d");
    let requests = |sql: &str| {
        world.requests();
        world.rows(sql);
        let mut requests = world.requests();
        requests.sort();
        requests
    };
    let bounded = requests(users);
    assert!(bounded.len() == 1 && bounded[0].contains("start="), "{bounded:?}");
    let whole = requests(starts);
    assert!(whole.iter().any(String::is_empty), "{whole:?}");
    let both =
        format!("SELECT user FROM ({users}) UNION ALL SELECT CAST(start AS TEXT) FROM ({starts})");
    assert_eq!(requests(&both), [whole, bounded.clone()].concat());
    let twice = format!("SELECT a.user FROM ({users}) a JOIN ({users}) b ON a.user = b.user");
    assert_eq!(requests(&twice), bounded);
}

// Limits

#[test]
fn a_limit_that_the_provider_is_told_is_another_scan() {
    let world = world();
    let sql = "(SELECT id FROM openvpn LIMIT 2) UNION ALL SELECT id FROM openvpn";
    let lines = |sql: &str| {
        let answer = ask(&world, sql);
        assert!(answer.error.is_none(), "{:?}", answer.error);
        (answer.rows.len(), world.requests())
    };
    let (n_rows, requests) = lines(sql);
    assert_eq!((n_rows, requests.len()), (14, 1 + N_PAGES));
    let n_small = requests.iter().filter(|line| line.contains("size=2&")).count();
    assert_eq!(n_small, 1, "{requests:?}");
}

/// A limit of one place does not end the reading for the others.
#[test]
fn a_limit_on_one_side_is_its_own() {
    let world = world();
    let sql = "SELECT n, count(*) FROM ( \
                   SELECT 1 AS n FROM (SELECT id FROM openvpn WHERE user = 'ann' LIMIT 2) \
                   UNION ALL SELECT 2 FROM openvpn WHERE user <> 'cy') GROUP BY n";
    let (rows, n_requests) = rows_and_cost(&world, sql);
    assert_eq!(rows, [["1", "2"], ["2", "8"]]);
    assert_eq!(n_requests, N_PAGES);
}

/// The reading ends where the last of all limits is reached.
#[test]
fn limits_on_all_sides_end_the_reading() {
    let world = world();
    let limited = |user: &str, n: usize| {
        format!("SELECT user FROM (SELECT user FROM openvpn WHERE user = '{user}' LIMIT {n})")
    };
    for (sides, n_requests) in [
        ([("ann", 1), ("bob", 1)], 1),
        ([("ann", 1), ("bob", 2)], 2),
        ([("ann", 3), ("ann", 1)], 3),
        ([("cy", 4), ("nobody", 1)], N_PAGES),
    ] {
        let sql = sides.map(|(user, n)| limited(user, n)).join(" UNION ALL ");
        assert_eq!(cost(&world, &sql), n_requests, "{sql}");
    }
}

/// As long as nobody asks for more rows, no request is sent for those who might: here one place has
/// its one row from the first page, and the other one is never asked, as `branch` has no row.
#[test]
fn nothing_is_read_for_a_place_that_does_not_ask() {
    let world = world();
    let toml = openvpn_toml(&world.emulator);
    let branch = toml.replace("[connections.openvpn]", "[connections.branch]");
    let engine = engine(&format!("{toml}\n{branch}"), &world.clock);
    let ask = |sql: &str| complete(run(&engine, sql, &ExecuteOptions::default()), sql);
    let sql = "SELECT b.id FROM (SELECT a.user \
                   FROM (SELECT user FROM openvpn WHERE user = 'ann' LIMIT 1) a \
                   CROSS JOIN (SELECT id FROM branch WHERE user = 'nobody') n) x \
               JOIN openvpn b ON b.user = x.user";
    assert_eq!(ask(sql), Vec::<Vec<String>>::new());
    assert_eq!(world.requests().len(), 1 + N_PAGES);
    let sql = sql.replace("'nobody'", "'bob'");
    assert_eq!(ask(&sql).len(), 4 * 4);
    assert_eq!(world.requests().len(), 2 * N_PAGES);
}

#[test]
fn an_empty_build_side_sends_what_it_takes_to_know() {
    let world = world();
    let sql = "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user \
               WHERE upper(a.client_ip) = 'NOWHERE'";
    assert_eq!(rows_and_cost(&world, sql), (Vec::new(), N_PAGES));
    let sql = "WITH s AS (SELECT id FROM openvpn) SELECT n FROM generate_series(1, 0) g(n) \
               JOIN (SELECT * FROM s UNION ALL SELECT * FROM s) u ON u.id = CAST(g.n AS TEXT)";
    assert_eq!(rows_and_cost(&world, sql), (Vec::new(), 0));
}

// What goes wrong

#[test]
fn a_page_that_fails_ends_the_query_once() {
    let world = world();
    for sql in [
        "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user",
        "SELECT id FROM openvpn UNION ALL SELECT user FROM openvpn",
    ] {
        for page in 1..=N_PAGES {
            world.emulator.clear();
            world.emulator.faults().plan(On::DataFrom(page), Fault::status(403));
            let answer = ask(&world, sql);
            let Some(Error::Scan { error, .. }) = &answer.error else {
                panic!("{sql}: the error of page {page} was due: {:?}", answer.error);
            };
            assert_eq!(error.code, Reason::Auth);
            assert_eq!(world.requests().len(), page, "{sql}");
            world.emulator.faults().clear();
        }
    }
}

#[test]
fn a_passing_fault_is_not_seen_by_anybody() {
    let world = world();
    for page in 1..=N_PAGES {
        world.emulator.clear();
        world.emulator.faults().plan(On::Data(page), Fault::status(503));
        let sql = "SELECT a.id FROM openvpn a JOIN openvpn b ON a.id = b.id";
        assert_eq!(complete(ask(&world, sql), sql).len() as i64, N_SESSIONS);
        assert_eq!(world.requests().len(), N_PAGES + 1);
        world.emulator.faults().clear();
    }
}

/// A gap is one gap, and it counts as the place does for which it is worst.
#[test]
fn a_gap_is_told_once_and_judged_by_its_worst_place() {
    let world = world();
    let old = "(SELECT id, user FROM openvpn SINCE 30d)";
    for (sql, off) in [
        (format!("SELECT a.id FROM {old} a JOIN {old} b ON a.user = b.user"), Off::Missing),
        (format!("SELECT id FROM {old} UNION ALL SELECT max(id) FROM {old}"), Off::Wrong),
        (format!("SELECT max(id) FROM {old} UNION ALL SELECT id FROM {old}"), Off::Wrong),
        (format!("SELECT a.id FROM {old} a LEFT JOIN {old} b ON a.user = b.id"), Off::Wrong),
    ] {
        let once = world.run(&format!("SELECT id FROM {old}")).completeness;
        let twice = ask(&world, &sql).completeness;
        assert_eq!(twice.off, Some(off), "{sql}");
        assert_eq!(twice.connections, once.connections, "{sql}");
        assert_eq!(once.connections[0].gaps.len(), 1);
    }
}

/// Rows that one place has read and another one has not are kept, as far as the memory limit allows.
#[test]
fn rows_that_are_kept_count_against_the_memory_limit() {
    let now = instant(BEGIN);
    let sessions = (0..3_000)
        .map(|n| SessionRecord::active(&format!("s{n}"), "ann", now - TimeDelta::seconds(n + 1)));
    let options = Options { sessions: sessions.collect(), ..Options::empty(Clock::fixed(now)) };
    let world = World::with(options);
    let sql = "SELECT count(raw) FROM openvpn WHERE (SELECT count(raw) FROM openvpn) > 0";
    assert_eq!(complete(world.run(sql), sql), [["3000"]]);
    let toml = openvpn_toml(&world.emulator);
    let small = engine(&format!("{toml}\n[settings]\nmemory_limit = \"400KB\"\n"), &world.clock);
    let answer = run(&small, sql, &ExecuteOptions::default());
    assert!(matches!(answer.error, Some(Error::Memory { .. })), "{:?}", answer.error);
    // Places that read side by side keep next to nothing.
    let sql = "SELECT count(raw) FROM openvpn UNION ALL SELECT count(id) FROM openvpn";
    assert_eq!(run(&small, sql, &ExecuteOptions::default()).rows, [["3000"], ["3000"]]);
}

/// What fails in one place is no concern of the others, unless that place comes to it.
#[test]
fn a_condition_that_fails_fails_where_it_stands() {
    let world = world();
    let sql = "SELECT a.id FROM (SELECT id FROM openvpn WHERE user = 'nobody') a \
               JOIN (SELECT id FROM openvpn WHERE 1 / (length(user) - 3) > 0) b ON a.id = b.id";
    assert_eq!(complete(ask(&world, sql), sql), Vec::<Vec<String>>::new());
    let sql = sql.replace("'nobody'", "'ann'");
    assert!(matches!(ask(&world, &sql).error, Some(Error::Run { .. })));
}

// What is told

const EXPLAINED: &str = "\
openvpn.sessions #1
  requests: 1, and one more for each further page
    GET /api/beta/sessions?startDate=2026-03-08T12:15:00.000Z&size=100&status=FAILED
        &returnOnlyNew=false
  filters:
    status = 'FAILED'
      exact: sent as `status`

openvpn.sessions #2
  requests: none; its rows are those that are read for `openvpn.sessions #1`
  filters:
    status = 'FAILED'
      exact: sent as `status`
    user = 'ann'
      not sent, checked here: the provider has no filter on this column

plan
  inner join on id = id
    read openvpn.sessions #1
    read openvpn.sessions #2, from the rows of #1";

#[test]
fn explain_tells_which_rows_are_shared() {
    let world = world();
    let sql = "WITH s AS (SELECT * FROM openvpn WHERE status = 'FAILED') \
               SELECT a.id FROM s a JOIN s b ON a.id = b.id WHERE b.user = 'ann'";
    let answer = world.run(&format!("EXPLAIN {sql}"));
    let Some(explanation) = answer.explanation else { panic!("nothing was explained") };
    let n_requests: usize = explanation.scans.iter().map(|scan| scan.requests.len()).sum();
    assert_eq!(n_requests, 1);
    assert_eq!(explanation.lines(100).join("\n"), EXPLAINED);
    world.requests();
    let answer = world.run(&format!("EXPLAIN ANALYZE {sql}"));
    assert_eq!(world.requests().len(), 1);
    let Some(analysis) = answer.explanation.and_then(|explanation| explanation.analysis) else {
        panic!("nothing was analyzed")
    };
    let cost = &analysis.connections[0];
    assert_eq!(cost.usage.requests, 1);
    assert_eq!((cost.n_rows_in, cost.n_rows_out, analysis.n_rows), (3, 3, 1));
}

// Random queries

fn query() -> impl Strategy<Value = (Window, Condition)> {
    (window(), condition())
}

proptest! {
    #![proptest_config(config(60))]

    /// A table with itself, asked the same or something else: the rows are those of the model, with
    /// pushdown and without, and what is asked twice costs no more than once.
    #[test]
    fn a_table_with_itself_is_held_to_the_model(
        sessions in openvpn_model::sessions(),
        switches in openvpn_model::switches(),
        one in query(),
        other in query(),
        is_same in any::<bool>(),
    ) {
        let rows: Vec<_> = sessions.iter().map(|record| shown_as(record, &switches)).collect();
        let world = World::of(sessions);
        world.emulator.set_switches(|own| *own = switches.clone());
        let other = if is_same { one.clone() } else { other };
        let asked = |query: &'_ (Window, Condition)| (query.0, query.1.clone());
        let ((window, condition), (other_window, other_condition)) = (asked(&one), asked(&other));
        let asked_one =
            Asked { table: "openvpn", rows: &rows, window: &window, condition: &condition };
        let asked_other = Asked {
            table: "openvpn",
            rows: &rows,
            window: &other_window,
            condition: &other_condition,
        };
        for pushdown in ["on", "off"] {
            world.run(&format!("SET pushdown = {pushdown}"));
            check_pair(&|sql| ask(&world, sql), &asked_one, &asked_other, Owes::RowsOrAWord);
        }
        world.run("SET pushdown = on");
        let from = format!("FROM openvpn{} WHERE {}", window.sql(), condition.sql());
        let n_requests = |sql: &str| {
            world.requests();
            (ask(&world, sql).error.is_none(), world.requests().len())
        };
        let once = n_requests(&format!("SELECT id {from}"));
        let twice = n_requests(&format!("SELECT id {from} UNION ALL SELECT id {from}"));
        prop_assert_eq!(once, twice);
    }
}

//! EXPLAIN tells what a query would send and sends nothing; EXPLAIN ANALYZE tells what it sent.
//! What is printed is in `explain.txt`; a test that finds it changed says where the new text is.

use std::time::Duration;

use chrono::TimeDelta;
use sessionql_core::explain::{Step, Verdict};
use sessionql_core::{Engine, Error, ExecuteOptions, Explanation};
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_sandbox::{oam, oam_toml, openvpn_toml};
use sessionql_tests::oam::OamWorld;
use sessionql_tests::{Answer, BEGIN, World, engine, instant, run};

/// What is explained in the golden text, each for one thing that it shows.
const EXPLAINED: [&str; 24] = [
    "SELECT user, start FROM openvpn WHERE status = 'ACTIVE'",
    "SELECT id FROM openvpn WHERE status IN ('ACTIVE', 'FAILED') AND start >= now() - 24h",
    "SELECT id FROM openvpn WHERE user = 'ann' AND duration > 1h30m AND provider = 'openvpn'",
    "SELECT id FROM openvpn WHERE end BETWEEN '2026-03-14' AND '2026-03-15' AND client_ip IS NOT NULL",
    "SELECT id FROM openvpn WHERE user LIKE 'a%' AND upper(user) <> 'ANN' AND status <> 'FAILED'",
    "SELECT id FROM openvpn WHERE user = 'ann' OR status = 'FAILED'",
    "SELECT id FROM openvpn WHERE user IN ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j')",
    "SELECT id FROM openvpn WHERE start >= now() - 24h OR start < now() - 48h",
    "SELECT user FROM openvpn SINCE '2026-03-14 12:00' UNTIL '2026-03-15 12:00'",
    "SELECT user FROM openvpn AT now",
    "SELECT id FROM openvpn SINCE 30d",
    "SELECT id FROM openvpn WHERE status = 'ACTIVE' LIMIT 10",
    "SELECT id FROM openvpn WHERE user = 'ann' LIMIT 10 OFFSET 5",
    "SELECT id, user FROM openvpn WHERE status = 'ACTIVE' ORDER BY start DESC, id LIMIT 10",
    "SELECT user, count(*) AS n, count(DISTINCT client_ip) FROM openvpn SINCE 24h GROUP BY user HAVING count(*) > 2",
    "SELECT a.user, b.id FROM openvpn a JOIN branch b ON a.user = b.user AND a.start < b.start WHERE b.status = 'ACTIVE'",
    "SELECT a.id FROM openvpn a LEFT JOIN openvpn b ON a.client_ip = b.client_ip AND a.user <> b.user WHERE a.status = 'FAILED'",
    "WITH active AS (SELECT * FROM openvpn WHERE status = 'ACTIVE') SELECT user FROM active UNION SELECT user FROM branch WHERE user IN (SELECT user FROM active)",
    "SELECT a.user, overlap(a, b) FROM openvpn a JOIN branch b ON a.user = b.user AND a OVERLAPS b WHERE a CONTAINS '2026-03-15 11:00' AND NOT b CONTAINS now()",
    "SELECT f.id, v.id FROM openvpn f ASOF LEFT JOIN branch v ON v.user = f.user AND v.start < f.start WHERE f.status = 'FAILED'",
    "SELECT id FROM openvpn WHERE false",
    "SELECT id FROM openvpn WHERE status = 'ACTIVE' AND status = 'FAILED'",
    "SELECT id FROM openvpn LIMIT 0",
    "SELECT 1",
];

/// What is analyzed in the golden text.
const ANALYZED: [&str; 3] = [
    "SELECT user, start FROM openvpn WHERE status = 'ACTIVE' AND duration > 1h",
    "SELECT a.user, count(*) FROM openvpn a JOIN branch b ON a.user = b.user WHERE b.status = 'FAILED' GROUP BY a.user",
    "SELECT id FROM openvpn SINCE 30d",
];

/// A world with two connections to the same 240 sessions of the last hours.
fn world() -> World {
    let now = instant(BEGIN);
    let sessions = (0..240)
        .map(|idx| {
            let start = now - TimeDelta::minutes(idx * 3 + 1);
            let user = ["ann", "bob", "cy"][idx as usize % 3];
            match idx % 4 {
                0 => SessionRecord::active(&format!("a{idx:03}"), user, start),
                1 => SessionRecord::failed(&format!("f{idx:03}"), user, start),
                _ => SessionRecord::completed(
                    &format!("c{idx:03}"),
                    user,
                    start,
                    start + TimeDelta::minutes(2),
                ),
            }
        })
        .collect();
    let mut world = World::of(sessions);
    let first = openvpn_toml(&world.emulator);
    let second = first.replace("[connections.openvpn]", "[connections.branch]");
    world.engine = engine(&format!("{first}\n{second}"), &world.clock);
    world
}

fn explanation(world: &World, sql: &str) -> Explanation {
    let answer = world.run(sql);
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    answer.explanation.unwrap_or_else(|| panic!("{sql} is not explained"))
}

/// Takes times out of an explanation.
fn without_times(mut explanation: Explanation) -> Explanation {
    fn stop(step: &mut Step) {
        step.elapsed = step.elapsed.map(|_| Duration::ZERO);
        step.inputs.iter_mut().for_each(stop);
    }
    stop(&mut explanation.plan);
    if let Some(analysis) = &mut explanation.analysis {
        analysis.elapsed = Duration::ZERO;
        for cost in &mut analysis.connections {
            cost.usage.waited = Duration::ZERO;
            cost.sent.iter_mut().for_each(|request| request.elapsed = Duration::ZERO);
        }
    }
    explanation
}

#[test]
fn what_is_printed() {
    let world = world();
    let explained = EXPLAINED.iter().map(|sql| format!("EXPLAIN {sql}"));
    let analyzed = ANALYZED.iter().map(|sql| format!("EXPLAIN ANALYZE {sql}"));
    let mut text = String::new();
    for sql in explained.chain(analyzed) {
        let explanation = without_times(explanation(&world, &sql));
        text.push_str(&format!("> {sql}\n\n{}\n\n\n", explanation.lines(100).join("\n")));
    }
    if text != include_str!("explain.txt") {
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/explain.txt");
        std::fs::write(file, text).expect("the new text is written");
        panic!("explain.txt is not what is printed: compare it with {file}");
    }
}

#[test]
fn nothing_is_sent() {
    let world = world();
    for sql in EXPLAINED {
        explanation(&world, &format!("EXPLAIN {sql}"));
    }
    assert_eq!(world.requests(), Vec::<String>::new());
    assert!(world.emulator.token_requests().is_empty());
}

#[test]
fn what_is_promised_is_what_is_sent() {
    let world = world();
    for sql in EXPLAINED {
        let promised: Vec<String> = explanation(&world, &format!("EXPLAIN {sql}"))
            .scans
            .iter()
            .flat_map(|scan| scan.requests.iter().map(|request| request.line()))
            .collect();
        let answer = world.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let sent = world.requests();
        assert_eq!(sent.is_empty(), promised.is_empty(), "{sql}: {sent:?}");
        // Pages follow what was promised, and a LIMIT may end the reading before the last chain.
        let is_promised = |line: &&String| !line.contains("cursor=");
        for line in sent.iter().filter(is_promised) {
            assert!(promised.contains(line), "{sql}: {line} was not promised: {promised:?}");
        }
        if !sql.contains("LIMIT") {
            for line in &promised {
                assert!(sent.contains(line), "{sql}: {line} was not sent: {sent:?}");
            }
        }
    }
}

#[test]
fn each_conjunct_is_listed_once() {
    let world = world();
    let sql = "EXPLAIN SELECT id FROM openvpn WHERE status = 'ACTIVE' AND start >= now() - 24h \
               AND start < now() AND user = 'ann' AND duration > 1h";
    let explanation = explanation(&world, sql);
    let filters: Vec<_> = explanation.scans[0]
        .filters
        .iter()
        .map(|filter| (filter.sql.as_str(), filter.verdict))
        .collect();
    let expected = [
        ("status = 'ACTIVE'", Some(Verdict::Exact)),
        ("start >= '2026-03-14 12:00'", Some(Verdict::Inexact)),
        ("start < '2026-03-15 12:00'", Some(Verdict::Inexact)),
        ("user = 'ann'", Some(Verdict::Unsupported)),
        ("duration > 1h", Some(Verdict::Unsupported)),
    ];
    assert_eq!(filters, expected);
}

#[test]
fn without_pushdown_nothing_is_sent_along() {
    let world = world();
    assert!(world.run("SET pushdown = off").error.is_none());
    let explanation = explanation(&world, "EXPLAIN SELECT id FROM openvpn WHERE status = 'ACTIVE'");
    let filter = &explanation.scans[0].filters[0];
    assert_eq!(filter.verdict, Some(Verdict::Unsupported));
    assert_eq!(filter.reason, "pushdown is off");
    assert!(!explanation.scans[0].requests[0].query.contains("ACTIVE"));
}

#[test]
fn times_are_in_the_querys_zone() {
    let world = world();
    assert!(world.run("SET time_zone = 'Europe/Berlin'").error.is_none());
    let sql = "EXPLAIN SELECT id FROM openvpn WHERE start >= '2026-03-14 13:00'";
    let explanation = explanation(&world, sql);
    assert_eq!(explanation.scans[0].filters[0].sql, "start >= '2026-03-14 13:00'");
    assert!(explanation.scans[0].requests[0].query.contains("2026-03-14T11:50:00.000Z"));
}

#[test]
fn a_secret_that_cannot_be_had_is_a_note() {
    let mut world = world();
    let secret = format!("\"{}\"", world.emulator.client_secret());
    let config = openvpn_toml(&world.emulator).replace(&secret, "{ env = \"NO_SUCH_VARIABLE\" }");
    assert!(config.contains("NO_SUCH_VARIABLE"), "{config}");
    world.engine = engine(&config, &world.clock);
    let sql = "SELECT id FROM openvpn WHERE status = 'ACTIVE'";
    let scan = explanation(&world, &format!("EXPLAIN {sql}")).scans.remove(0);
    assert_eq!(scan.requests.len(), 1);
    let says_so = |note: &String| note.starts_with("the query itself would fail: ");
    assert!(scan.notes.iter().any(says_so), "{:?}", scan.notes);
    let error = world.run(&format!("EXPLAIN ANALYZE {sql}")).error;
    assert!(matches!(error, Some(Error::Config(_))), "{error:?}");
}

#[test]
fn rows_and_requests_are_counted() {
    let world = world();
    let sql = "SELECT user FROM openvpn WHERE user = 'ann' AND status = 'FAILED'";
    let rows = world.run(sql).rows.len() as u64;
    let sent = world.requests().len() as u64;
    let explanation = explanation(&world, &format!("EXPLAIN ANALYZE {sql}"));
    let analysis = explanation.analysis.expect("it ran");
    let cost = &analysis.connections[0];
    assert_eq!((analysis.n_rows, cost.n_rows_out), (rows, rows));
    assert_eq!(cost.n_rows_in, 60, "all that failed");
    assert_eq!((cost.usage.requests, cost.usage.answers), (sent, sent));
    let lines: Vec<&str> = cost.sent.iter().map(|request| request.line.as_str()).collect();
    assert_eq!(lines, world.requests());
    assert_eq!(explanation.plan.n_rows, Some(rows));
}

#[test]
fn duplicates_are_counted() {
    let world = world();
    world.emulator.set_switches(|switches| switches.repeated_rows = 1);
    let explanation = explanation(&world, "EXPLAIN ANALYZE SELECT user FROM openvpn SINCE 24h");
    let analysis = explanation.analysis.expect("it ran");
    let cost = &analysis.connections[0];
    assert!(cost.n_duplicates > 0, "{cost:?}");
    assert_eq!(cost.n_rows_in, cost.n_duplicates + 240);
}

#[test]
fn an_analysis_is_as_incomplete_as_its_query() {
    let world = world();
    let answer = world.run("EXPLAIN ANALYZE SELECT id FROM openvpn SINCE 30d");
    assert!(!answer.completeness.is_complete());
    let once = ExecuteOptions { max_requests: Some(1), ..ExecuteOptions::default() };
    let answer = run(&world.engine, "EXPLAIN ANALYZE SELECT id FROM openvpn", &once);
    assert!(!answer.completeness.is_complete(), "{:?}", answer.completeness);
    let plain = run(&world.engine, "EXPLAIN SELECT id FROM openvpn SINCE 30d", &once);
    assert!(plain.completeness.is_complete(), "what did not run misses nothing");
}

#[test]
fn a_failure_is_told_with_what_happened_so_far() {
    let mut world = world();
    let secret = world.emulator.client_secret().to_owned();
    let config = openvpn_toml(&world.emulator).replace(&secret, "no-such-secret");
    world.engine = engine(&config, &world.clock);
    let answer: Answer = world.run("EXPLAIN ANALYZE SELECT id FROM openvpn");
    assert!(matches!(answer.error, Some(Error::Scan { .. })), "{:?}", answer.error);
    let analysis = answer.explanation.and_then(|told| told.analysis).expect("it ran");
    assert!(analysis.connections[0].usage.token_requests > 0);
}

/// A world whose provider is asked by key, and a list of users.
fn watched() -> (OamWorld, Engine, tempfile::NamedTempFile) {
    let start = instant(BEGIN) - TimeDelta::hours(1);
    let world = OamWorld::of(vec![oam::SessionRecord::new("a1", "ann", start)]);
    let list = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file is made");
    std::fs::write(list.path(), "user,note\nann,x\n").expect("the file is written");
    let toml = format!("[tables.watchlist]\npath = {:?}\n", list.path());
    let engine = engine(&(oam_toml(&world.emulator) + &toml), &world.clock);
    (world, engine, list)
}

#[test]
fn a_table_that_a_join_asks_has_the_requests_of_the_keys() {
    let (world, engine, list) = watched();
    let path = list.path().display().to_string();
    let explained = |sql: &str| {
        let answer = run(&engine, &format!("EXPLAIN {sql}"), &ExecuteOptions::default());
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let explanation = answer.explanation.expect("it is explained");
        (explanation.lines(100).join("\n").replace(&path, "list.csv"), explanation.scans)
    };
    let (text, scans) =
        explained("SELECT w.note, o.client_ip FROM watchlist w JOIN oam o ON o.user = w.user");
    let expected = r#"oam.sessions
  requests: as many as the keys of the join need
  note: one request for each key of `user`, which the join brings, or for up to 16 keys where it
      takes lists; more for further pages

plan
  project note, client_ip
    inner join, by key, on user = user
      read oam.sessions
      LocalScanExec: watchlist (csv `list.csv`) columns=["user", "note"]"#;
    assert_eq!(text, expected);
    assert!(scans[0].requests.is_empty());
    assert_eq!((scans[0].n_requests, scans[0].n_rows), (None, None));
    let (text, _) =
        explained("SELECT w.note, o.client_ip FROM watchlist w FULL JOIN oam o ON o.user = w.user");
    let why = "note: `oam` is read without keys: this full join wants every row of `oam`";
    assert!(text.contains(why), "{text}");
    assert!(world.searches().is_empty());
}

#[test]
fn the_filter_of_a_join_shows_no_sensitive_value() {
    let (_world, engine, _list) = watched();
    let sql = "EXPLAIN SELECT w.note FROM watchlist w LEFT JOIN oam o \
               ON o.user = w.user AND (o.id = 'hush-hush' OR w.note = 'x')";
    let answer = run(&engine, sql, &ExecuteOptions::default());
    assert!(answer.error.is_none(), "{:?}", answer.error);
    let text = answer.explanation.expect("it is explained").lines(100).join("\n");
    assert!(!text.contains("hush"), "{text}");
    assert!(text.contains("on user = user AND (id = *** OR note = 'x')"), "{text}");
}

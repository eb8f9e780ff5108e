//! Which requests a query costs. Requests are what these APIs are short of.

use chrono::TimeDelta;
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_tests::{BEGIN, World, instant};

/// A world with `n` sessions of the last hours: every second one active, the others completed.
fn world_of(n: i64) -> World {
    let now = instant(BEGIN);
    let sessions = (0..n)
        .map(|idx| {
            let start = now - TimeDelta::minutes(idx * 5 + 1);
            match idx % 2 {
                0 => SessionRecord::active(&format!("a{idx:03}"), "ann", start),
                _ => SessionRecord::completed(
                    &format!("c{idx:03}"),
                    "bob",
                    start,
                    start + TimeDelta::minutes(1),
                ),
            }
        })
        .collect();
    World::of(sessions)
}

/// Returns the requests of a query, without what all of them share.
fn requests(world: &World, sql: &str) -> Vec<String> {
    world.emulator.clear();
    let answer = world.run(sql);
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    world.requests().iter().map(|line| line.replace("GET /api/beta/sessions?", "")).collect()
}

#[test]
fn filters_reach_the_provider() {
    let world = world_of(20);
    assert_eq!(
        requests(&world, "SELECT user, start FROM openvpn WHERE status = 'ACTIVE'").len(),
        1
    );
    let lines =
        requests(&world, "SELECT id FROM openvpn WHERE status = 'ACTIVE' AND start >= now() - 24h");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in
        ["status=ACTIVE", "returnOnlyNew=true", "startDate=2026-03-14T11:50:00.000Z", "size=100"]
    {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    assert!(!lines[0].contains("endDate"), "{}", lines[0]);
    let lines = requests(&world, "SELECT id FROM openvpn SINCE 24h UNTIL 12h");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("status=ACTIVE") && !lines[1].contains("status="), "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("returnOnlyNew=false")), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains("endDate")), "{lines:?}");
}

#[test]
fn as_many_requests_as_pages() {
    for (n_sessions, n_pages) in [(1, 1), (199, 1), (200, 1), (201, 2), (400, 2)] {
        let world = world_of(n_sessions);
        let sql = "SELECT id FROM openvpn WHERE status = 'ACTIVE' AND start >= now() - 48h";
        assert_eq!(
            requests(&world, sql).len(),
            n_pages,
            "{n_sessions} sessions, half of them active"
        );
    }
}

#[test]
fn a_limit_ends_the_reading() {
    let world = world_of(500);
    let one_page = |sql: &str| assert_eq!(requests(&world, sql).len(), 1, "{sql}");
    one_page("SELECT id FROM openvpn WHERE status = 'ACTIVE' LIMIT 10");
    one_page("SELECT id FROM openvpn LIMIT 10");
    one_page("SELECT id FROM openvpn WHERE user = 'ann' LIMIT 10");
    one_page("SELECT upper(user) FROM openvpn WHERE duration > 1s LIMIT 5 OFFSET 5");
    one_page("SELECT * FROM (SELECT id FROM openvpn WHERE start >= now() - 48h) LIMIT 3");
    let lines = requests(&world, "SELECT id FROM openvpn WHERE status = 'ACTIVE' LIMIT 10");
    assert!(lines[0].contains("size=10&") || lines[0].ends_with("size=10"), "{lines:?}");
    assert_eq!(requests(&world, "SELECT id FROM openvpn ORDER BY start LIMIT 10").len(), 5);
}

#[test]
fn what_cannot_have_rows_costs_nothing() {
    let world = world_of(10);
    for sql in [
        "SELECT id FROM openvpn WHERE false",
        "SELECT id FROM openvpn WHERE NULL",
        "SELECT id FROM openvpn LIMIT 0",
        "SELECT id FROM openvpn WHERE status = 'ACTIVE' AND status = 'FAILED'",
        "SELECT id FROM openvpn WHERE start > now() AND start < now() - 1h",
        "SELECT id FROM openvpn WHERE user = NULL",
        "SELECT id FROM openvpn WHERE provider = 'oam'",
        "SELECT 1",
        "DESCRIBE openvpn",
        "SHOW TABLES",
    ] {
        assert_eq!(requests(&world, sql), Vec::<String>::new(), "{sql}");
        assert!(world.emulator.token_requests().is_empty(), "{sql}");
    }
}

#[test]
fn one_token_serves_many_queries() {
    let world = world_of(3);
    for _ in 0..3 {
        assert!(world.run("SELECT id FROM openvpn").error.is_none());
    }
    assert_eq!(world.emulator.token_requests().len(), 1);
}

#[test]
fn counting_needs_no_columns_but_the_key() {
    let world = world_of(7);
    let answer = world.run("SELECT count(*) FROM openvpn");
    assert_eq!(answer.rows, [["7"]]);
}

#[test]
fn a_filter_never_adds_pages() {
    let world = world_of(350);
    let all = requests(&world, "SELECT id FROM openvpn").len();
    for filter in ["status = 'ACTIVE'", "user = 'ann'", "start >= now() - 24h", "duration > 5m"] {
        let n = requests(&world, &format!("SELECT id FROM openvpn WHERE {filter}")).len();
        assert!(n <= all, "{filter}: {n} requests, {all} without it");
    }
}

//! OVERLAPS, CONTAINS, `overlap` and ASOF JOIN.

use super::*;

#[test]
fn operands_become_starts_and_ends() {
    check(
        "SELECT 1 FROM vpn a JOIN vpn.sessions ON a OVERLAPS vpn.sessions",
        "SELECT 1 FROM (VPN) AS a INNER JOIN (VPN) AS sessions ON \
         lifetimes_overlap(a.\"start\", a.\"end\", sessions.\"start\", sessions.\"end\")",
    );
    check(
        "SELECT a CONTAINS '14:05' AS x FROM vpn a WHERE NOT (x, y + 1h) OVERLAPS (a)",
        "SELECT lifetime_contains(a.\"start\", a.\"end\", '14:05') AS x FROM (VPN) AS a \
         WHERE NOT lifetimes_overlap(x, y + #3600000000, a.\"start\", a.\"end\")",
    );
    check(
        "SELECT overlap(a, ('2026-01-01', b.t)) AS x, Overlap_End(a, a) AS y FROM vpn a",
        "SELECT overlap(a.\"start\", a.\"end\", '2026-01-01', b.t, @2026-01-31T13:30:00Z) AS x, \
         overlap_end(a.\"start\", a.\"end\", a.\"start\", a.\"end\") AS y FROM (VPN) AS a",
    );
}

#[test]
fn declared_time_columns_are_start_and_end_under_whatever_name() {
    let visits = "SELECT \"began\", \"ended\" FROM \"local\".\"visits\"";
    check(
        "SELECT 1 FROM visits WHERE visits CONTAINS now()",
        &format!(
            "SELECT 1 FROM ({visits}) AS visits WHERE \
             lifetime_contains(visits.\"began\", visits.\"ended\", @2026-01-31T13:30:00Z)"
        ),
    );
    check(
        "SELECT 1 FROM visits v (x) WHERE v OVERLAPS v",
        &format!(
            "SELECT 1 FROM ({visits}) AS v (x, \"ended\") WHERE \
             lifetimes_overlap(v.\"x\", v.\"ended\", v.\"x\", v.\"ended\")"
        ),
    );
}

#[test]
fn queries_around_are_in_sight() {
    check(
        "SELECT 1 FROM vpn a WHERE EXISTS (SELECT 1 FROM vpn b WHERE a OVERLAPS b)",
        "SELECT 1 FROM (VPN) AS a WHERE EXISTS (SELECT 1 FROM (VPN) AS b WHERE \
         lifetimes_overlap(a.\"start\", a.\"end\", b.\"start\", b.\"end\"))",
    );
    // NOT IN with a query that depends on the outer one is answered wrongly by the engine.
    check_error(
        "SELECT 1 FROM vpn a WHERE user NOT IN (SELECT user FROM vpn b WHERE a OVERLAPS b)",
        "NOT IN with a query that depends on columns around it is not supported yet",
        "user NOT IN (SELECT user FROM vpn b WHERE a OVERLAPS b)",
    );
}

#[test]
fn what_is_no_session_is_an_error() {
    let error = check_error(
        "SELECT 1 FROM vpn WHERE vnp OVERLAPS vpn",
        "OVERLAPS needs a session: `vnp` is no table in FROM",
        "vnp",
    );
    assert_eq!(error.hint().as_deref(), Some("did you mean `vpn`?"));
    let error = check_error(
        "SELECT 1 FROM vpn WHERE vpn CONTAINS start",
        "CONTAINS needs a session: `start` is no table in FROM",
        "start",
    );
    assert_eq!(error.hint().as_deref(), Some("the column is written with its table, or `(start)`"));
    check_error(
        "SELECT 1 FROM users u, vpn WHERE u OVERLAPS vpn",
        "OVERLAPS needs a session: `u` has no column `start`",
        "u",
    );
    check_error(
        "SELECT 1 FROM vpn WHERE vpn OVERLAPS now()",
        "OVERLAPS needs a table of FROM, or a start and an end in parentheses",
        "now()",
    );
    check_error(
        "SELECT 1 FROM vpn WHERE (start, 5) OVERLAPS vpn",
        "OVERLAPS needs an instant here",
        "5",
    );
    check_error("SELECT overlap(vpn) FROM vpn", "`overlap` takes two sessions", "overlap");
}

#[test]
fn conditions_of_asof_joins_carry_their_place() {
    check(
        "SELECT 1 FROM vpn a ASOF LEFT JOIN vpn b ON (a.user = b.user AND a.start >= b.start)",
        "SELECT 1 FROM (VPN) AS a LEFT JOIN (VPN) AS b ON \
         asof_condition(a.user, b.user, '=', 45, 60) AND asof_condition(a.start, b.start, '>=', 65, 83)",
    );
    let ask = |condition: &str, message: &str, place: &str| {
        let text = format!("SELECT 1 FROM vpn a ASOF JOIN vpn b ON {condition}");
        check_error(&text, message, place).hint().unwrap_or_default()
    };
    let one_time = "ASOF JOIN needs just one comparison of times";
    ask("a.user = b.user", one_time, "ASOF JOIN");
    ask("a.start > b.start AND a.end > b.end", one_time, "a.end > b.end");
    let nothing_else = "ASOF JOIN takes equalities and one comparison of times, and nothing else";
    ask("a.start > b.start AND b.id LIKE 'x'", nothing_else, "b.id LIKE 'x'");
    ask("a.start > b.start OR a.id = b.id", nothing_else, "a.start > b.start OR a.id = b.id");
    assert_eq!(
        ask("a OVERLAPS b", nothing_else, "a OVERLAPS b"),
        "filter a side in a query of its own: ASOF JOIN (SELECT … WHERE …) AS b"
    );
}

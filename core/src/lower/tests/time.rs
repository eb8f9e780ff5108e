//! Time windows, the clock and constants of time.

use super::*;

#[test]
fn windows_filter_each_session_table_before_joins() {
    check(
        "SELECT * FROM vpn SINCE 24h",
        "SELECT * FROM (VPN WHERE open_during(\"start\", \"end\", @2026-01-30T13:30:00Z, @NULL)) AS vpn",
    );
    check(
        "SELECT * FROM users u LEFT JOIN vpn v ON u.user = v.user WHERE age > 1 UNTIL today",
        "SELECT * FROM (USERS) AS u LEFT JOIN (VPN WHERE open_during(\"start\", \"end\", @NULL, @2026-01-30T23:00:00Z)) AS v \
         ON u.user = v.user WHERE age > 1",
    );
    check(
        "SELECT * FROM visits AT '14:05'",
        "SELECT * FROM (SELECT \"began\", \"ended\" FROM \"local\".\"visits\" WHERE \
         open_during(\"began\", \"ended\", @2026-01-31T13:05:00Z, @2026-01-31T13:05:00Z)) AS visits",
    );
}

#[test]
fn windows_filter_queries_that_pass_sessions_through() {
    let window = "open_during(\"start\", \"end\", @2026-01-31T12:30:00Z, @NULL)";
    check(
        "WITH a AS (SELECT user, start, end FROM vpn) SELECT * FROM a SINCE 1h",
        &format!(
            "WITH a AS (SELECT user, start, end FROM (VPN) AS vpn) SELECT * FROM (SELECT * FROM a WHERE {window}) AS a"
        ),
    );
    check(
        "SELECT * FROM (SELECT * FROM vpn) x SINCE 1h",
        &format!(
            "SELECT * FROM (SELECT * FROM (SELECT * FROM (VPN) AS vpn) AS x WHERE {window}) AS x"
        ),
    );
    let message = "SINCE needs a table of sessions in FROM";
    check_error("SELECT * FROM (SELECT user, start FROM vpn) x SINCE 1h", message, "SINCE 1h");
    check_error("SELECT * FROM users SINCE 1h", message, "SINCE 1h");
    check_error("SELECT 1 AT now", "AT needs a table of sessions in FROM", "AT now");
}

#[test]
fn bounds_are_constants() {
    let since = |bound: &str, expected: &str| {
        check(
            &format!("SELECT * FROM vpn SINCE {bound}"),
            &format!(
                "SELECT * FROM (VPN WHERE open_during(\"start\", \"end\", @{expected}, @NULL)) AS vpn"
            ),
        );
    };
    since("now - 1h30m", "2026-01-31T12:00:00Z");
    since("now()", "2026-01-31T13:30:00Z");
    since("yesterday + 12h", "2026-01-30T11:00:00Z");
    since("'2026-01-01'", "2025-12-31T23:00:00Z");
    since("'2026-01-01 10:00'", "2026-01-01T09:00:00Z");
    since("'2026-01-01T10:00:00Z'", "2026-01-01T10:00:00Z");
    since("TIMESTAMP '2026-01-01 10:00' - INTERVAL '1 day'", "2025-12-31T09:00:00Z");
    since("ago(2h)", "2026-01-31T11:30:00Z");
    since("$span", "2026-01-31T11:30:00Z");
    let message = "SINCE takes a constant instant or duration";
    check_error("SELECT * FROM vpn SINCE start", message, "start");
    check_error("SELECT * FROM vpn SINCE now - INTERVAL '1 month'", message, "INTERVAL '1 month'");
    check_error("SELECT * FROM vpn SINCE 5", message, "5");
    check_error("SELECT * FROM vpn SINCE 'soon'", "`soon` is not a date or time", "'soon'");
    check_error(
        "SELECT * FROM vpn SINCE now - 9999w - 999999w",
        "this time is outside of the years 0 to 9999",
        "now - 9999w - 999999w",
    );
    check_error(
        "SELECT * FROM vpn AT now + 1s",
        "AT asks for 2026-01-31T13:30:01Z, which is in the future",
        "now + 1s",
    );
    check_error(
        "SELECT * FROM vpn SINCE 1h UNTIL 1h",
        "the window is empty: SINCE 2026-01-31T12:30:00Z is not before UNTIL 2026-01-31T12:30:00Z",
        "SINCE 1h UNTIL 1h",
    );
}

#[test]
fn the_default_window_is_for_selects_without_one() {
    let text =
        "SELECT 1 FROM vpn, users UNION SELECT 1 FROM vpn SINCE 1h UNION SELECT 1 FROM users";
    let context = Context { since: Some(instant("2026-01-01T00:00:00Z")), ..context(text) };
    let lowered = lower(&query(text), &context).unwrap();
    assert_eq!(
        written_shortly(&lowered.statement),
        "SELECT 1 FROM (VPN WHERE open_during(\"start\", \"end\", @2026-01-01T00:00:00Z, @NULL)) AS vpn, (USERS) AS users UNION \
         SELECT 1 FROM (VPN WHERE open_during(\"start\", \"end\", @2026-01-31T12:30:00Z, @NULL)) AS vpn UNION \
         SELECT 1 FROM (USERS) AS users"
    );
}

#[test]
fn times_are_pinned_and_in_the_zone() {
    check(
        "SELECT now(), current_timestamp AS n FROM vpn WHERE start > now() - 24h AND end < ago(1h)",
        "SELECT @2026-01-31T13:30:00Z AS \"now()\", @2026-01-31T13:30:00Z AS n FROM (VPN) AS vpn \
         WHERE start > @2026-01-31T13:30:00Z - #86400000000 AND end < (@2026-01-31T13:30:00Z - (#3600000000))",
    );
    check(
        "SELECT 1 WHERE a = TIMESTAMP '2026-07-01 02:00' AND b = DATE '2026-07-01' AND c = '2026-07-01 02:00'::timestamp",
        "SELECT 1 WHERE a = @2026-07-01T00:00:00Z AND b = DATE '2026-07-01' AND c = @2026-07-01T00:00:00Z",
    );
    check(
        "SELECT 1 WHERE a > INTERVAL '1 day' AND b > INTERVAL '1 month' AND c = current_date",
        "SELECT 1 WHERE a > #86400000000 AND b > INTERVAL '1 month' AND c = DATE '2026-01-31'",
    );
    check_error(
        "SELECT DATE '2026-02-30'",
        "`2026-02-30` is not a date or time",
        "DATE '2026-02-30'",
    );
    check_error("SELECT INTERVAL '1 moon'", "`1 moon` is not an interval", "INTERVAL '1 moon'");
}

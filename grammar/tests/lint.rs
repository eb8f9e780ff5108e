//! What is legal and probably not meant.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use sessionql_grammar::{Finding, LINTS, Span, Surroundings, lint};

fn findings(text: &str) -> Vec<Finding> {
    let has_history = |name: &[String]| name == ["openvpn"] || name == ["oam", "sessions"];
    let surroundings = Surroundings { has_history: &has_history, parameters: &[] };
    lint(text, &surroundings).unwrap()
}

/// Returns the names of the findings, each with the text that it points at.
fn found(text: &str) -> Vec<(&str, String)> {
    findings(text).into_iter().map(|it| (it.name, it.span.of(text).to_owned())).collect()
}

fn nothing(text: &str) {
    assert_eq!(found(text), [], "{text}");
}

fn one(text: &str, name: &str, place: &str) {
    assert_eq!(found(text), [(name, place.to_owned())], "{text}");
}

#[test]
fn a_named_query_that_nothing_names() {
    one("WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a", "unused-cte", "b");
    one("WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT n FROM a) SELECT 1", "unused-cte", "a");
    nothing("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM B");
    nothing("WITH a AS (SELECT 1) SELECT 1 WHERE EXISTS (SELECT * FROM a)");
    one("SELECT (WITH a AS (SELECT 1) SELECT 2)", "unused-cte", "a");
}

#[test]
fn a_parameter_that_nothing_names() {
    let text = "-- param: who text\n-- param: since text\nSELECT $who";
    let parameters =
        [("who".to_owned(), Span::new(10, 13)), ("since".to_owned(), Span::new(29, 34))];
    let surroundings = Surroundings { has_history: &|_| false, parameters: &parameters };
    let found = lint(text, &surroundings).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name, found[0].span.of(text)), ("unused-parameter", "since"));
}

#[test]
fn nothing_bounds_the_time() {
    one("SELECT user FROM openvpn", "no-time-bound", "openvpn");
    one("SELECT 1 FROM t JOIN oam.sessions o ON true", "no-time-bound", "oam.sessions");
    one("SELECT user FROM openvpn WHERE user = 'ann'", "no-time-bound", "openvpn");
    nothing("SELECT user FROM openvpn SINCE 24h");
    nothing("SELECT user FROM openvpn WHERE start >= now() - 24h");
    nothing("SELECT user FROM openvpn v WHERE v.end IS NULL");
    nothing("SELECT user FROM openvpn WHERE id = 'x'");
    nothing("SELECT user FROM people");
    nothing("WITH openvpn AS (SELECT 1) SELECT * FROM openvpn");
}

#[test]
fn what_bounds_a_table_may_stand_around_it_or_in_a_join() {
    nothing("SELECT user FROM (SELECT user, start, end FROM openvpn) t SINCE 1d");
    nothing("SELECT user FROM (SELECT * FROM openvpn) t WHERE start > now() - 1d");
    nothing("SELECT 1 FROM t JOIN openvpn o ON o.user = t.user AND o.start > t.start");
    one("SELECT 1 FROM t JOIN openvpn o ON o.user = t.user", "no-time-bound", "openvpn");
    one(
        "SELECT 1 FROM t JOIN openvpn o ON o.user = t.user AND t.start > 1d",
        "no-time-bound",
        "openvpn",
    );
    one(
        "SELECT user FROM (SELECT user FROM openvpn) t WHERE user = 'a'",
        "no-time-bound",
        "openvpn",
    );
}

#[test]
fn ranges_that_nothing_is_in() {
    let place = "duration < 1h";
    one("SELECT 1 FROM t WHERE duration > 5h AND duration < 1h", "never-true", place);
    one("SELECT 1 FROM t WHERE 9 <= n AND a = 1 AND 3 > n", "never-true", "3 > n");
    let place = "start BETWEEN '2026-02-01' AND '2026-01-01'";
    one(&format!("SELECT 1 FROM t WHERE {place}"), "never-true", place);
    nothing("SELECT 1 FROM t WHERE duration > 1h AND duration < 5h");
    nothing("SELECT 1 FROM t WHERE a.n > 5 AND b.n < 1");
    nothing("SELECT 1 FROM t WHERE n > 5 OR n < 1");
    nothing("SELECT 1 FROM t WHERE n > 5 AND n > 7");
    nothing("SELECT 1 FROM t WHERE start BETWEEN '9:00' AND '10:00'");
}

#[test]
fn a_query_that_yields_no_null_is_fine_in_not_in() {
    for query in [
        "SELECT coalesce(login, '') FROM people",
        "SELECT count(*) FROM people",
        "SELECT 'a'",
        "SELECT user FROM u WHERE n = 1 AND user = 'x'",
        "SELECT user FROM u WHERE u.user LIKE 'x%'",
    ] {
        nothing(&format!("SELECT 1 FROM t WHERE user NOT IN ({query})"));
    }
    let not_in = "user NOT IN (SELECT user FROM u WHERE n = 1)";
    one(&format!("SELECT 1 FROM t WHERE {not_in}"), "not-in-null", not_in);
    let not_in = "user NOT IN (SELECT coalesce(a, b) FROM u)";
    one(&format!("SELECT 1 FROM t WHERE {not_in}"), "not-in-null", not_in);
    let not_in = "NOT user IN (SELECT user FROM u)";
    one(&format!("SELECT 1 FROM t WHERE {not_in}"), "not-in-null", not_in);
}

#[test]
fn a_condition_on_the_time_is_a_window_of_its_branch() {
    nothing("SELECT user FROM t SINCE 1d UNION SELECT user FROM u WHERE start > now() - 1d");
    nothing("SELECT user FROM t SINCE 1d UNION SELECT 'x'");
    let branch = "SELECT user FROM u WHERE n = 1";
    one(&format!("SELECT user FROM t SINCE 1d UNION {branch}"), "window-in-one-branch", branch);
}

#[test]
fn what_is_never_true() {
    one("SELECT 1 WHERE end = NULL", "never-true", "end = NULL");
    one("SELECT 1 WHERE (NULL) <> a", "never-true", "(NULL) <> a");
    one("SELECT a BETWEEN 5 AND 1", "never-true", "a BETWEEN 5 AND 1");
    one("SELECT a BETWEEN 1h AND 5m", "never-true", "a BETWEEN 1h AND 5m");
    one("SELECT 1 WHERE a = 'x' AND b AND 'y' = a", "never-true", "'y' = a");
    nothing("SELECT 1 WHERE a = 'x' AND b = 'y' AND a = 'x'");
    nothing(
        "SELECT a BETWEEN SYMMETRIC 5 AND 1, a NOT BETWEEN 5 AND 1, a IS NULL, a BETWEEN -5 AND 1",
    );
}

#[test]
fn a_window_in_one_branch() {
    one(
        "SELECT 1 FROM a SINCE 1d UNION ALL SELECT 2 FROM b",
        "window-in-one-branch",
        "SELECT 2 FROM b",
    );
    nothing("SELECT 1 FROM a SINCE 1d UNION ALL SELECT 2 FROM b AT now");
    nothing("SELECT 1 FROM a SINCE 1d UNION ALL SELECT 2");
    nothing("SELECT 1 FROM a UNION ALL SELECT 2 FROM b");
}

#[test]
fn not_in_with_nulls() {
    one("SELECT a NOT IN (1, NULL)", "not-in-null", "a NOT IN (1, NULL)");
    one("SELECT 1 WHERE a NOT IN (SELECT b FROM t)", "not-in-null", "a NOT IN (SELECT b FROM t)");
    nothing("SELECT 1 WHERE a NOT IN (SELECT b FROM t WHERE b IS NOT NULL)");
    nothing("SELECT a IN (1, NULL), a NOT IN (1, 2), a IN (SELECT 1)");
}

#[test]
fn buckets_that_stand_for_overlaps() {
    let counted = "SELECT time_bucket(1h, start) AS hour, count(DISTINCT user) FROM t GROUP BY";
    for item in ["time_bucket(1h, start)", "hour", "1"] {
        one(&format!("{counted} {item}"), "time-buckets", "time_bucket(1h, start)");
    }
    one(
        "SELECT 1 FROM a JOIN b ON a.user = b.user AND date_trunc('hour', a.start) = date_trunc('hour', b.start)",
        "time-buckets",
        "date_trunc('hour', a.start) = date_trunc('hour', b.start)",
    );
    nothing("SELECT date_trunc('day', start), count(*) FROM t GROUP BY 1");
    nothing("SELECT date_trunc('day', made), count(DISTINCT user) FROM t GROUP BY 1");
    nothing("SELECT 1 FROM a JOIN b ON a OVERLAPS b");
}

#[test]
fn a_comment_allows() {
    nothing("-- sessionql: allow no-time-bound\nSELECT user FROM openvpn");
    nothing("SELECT user FROM openvpn -- sessionql: allow no-time-bound");
    nothing("SELECT user FROM openvpn; -- sessionql: allow no-time-bound");
    nothing("/* sessionql: allow never-true, no-time-bound */ SELECT a = NULL FROM openvpn");
    one(
        "-- sessionql: allow no-time-bound\nSELECT 1 FROM openvpn;\nSELECT 2 FROM openvpn",
        "no-time-bound",
        "openvpn",
    );
    one(
        "SELECT 1 FROM openvpn; -- sessionql: allow no-time-bound\nSELECT 2 FROM openvpn",
        "no-time-bound",
        "openvpn",
    );
    one("SELECT 1 -- sessionql: allow all", "unknown-lint", "-- sessionql: allow all");
}

#[test]
fn findings_come_in_the_order_of_the_text_and_name_lints() {
    let findings = findings("SELECT a = NULL FROM openvpn;\nSELECT 1 NOT IN (NULL)");
    let names: Vec<_> = findings.iter().map(|finding| finding.name).collect();
    assert_eq!(names, ["never-true", "no-time-bound", "not-in-null"]);
    assert!(names.iter().all(|name| LINTS.contains(name)));
    assert!(lint("SELEC 1", &Surroundings { has_history: &|_| false, parameters: &[] }).is_err());
}

/// The deepest trees are looked through, too.
#[test]
fn depth_is_no_problem() {
    let text = format!("SELECT {}1{}", "(SELECT ".repeat(128), ")".repeat(128));
    nothing(&text);
    nothing(&format!("SELECT 1{}", " UNION SELECT 1".repeat(500)));
}

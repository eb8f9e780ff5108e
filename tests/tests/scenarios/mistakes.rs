//! Queries that are legal text and nevertheless a mistake: constants that cannot be evaluated,
//! comparisons that are never true, sessions that end before they start.

use std::fs;

use sessionql_core::error::Class;
use sessionql_core::{Engine, Error, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::program::{Program, command};
use sessionql_tests::{Answer, BEGIN, engine, instant, run};

/// Three sessions, the second of which ends before it starts.
const VISITS: &str = "\
name,n,start,end
ann,0,2026-03-01T10:00:00Z,2026-03-01T12:00:00Z
bob,1,2026-03-01T11:00:00Z,2026-03-01T09:00:00Z
cid,2,2026-03-01T11:00:00Z,
";

/// The configuration of a local table of these sessions, and where it is.
struct Visits {
    directory: tempfile::TempDir,
}

impl Visits {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        fs::write(directory.path().join("visits.csv"), VISITS).expect("the file is written");
        let visits = Self { directory };
        fs::write(visits.config(), visits.toml()).expect("the configuration is written");
        visits
    }

    fn config(&self) -> std::path::PathBuf {
        self.directory.path().join("config.toml")
    }

    fn toml(&self) -> String {
        let path = self.directory.path().join("visits.csv");
        format!(
            "[tables.visits]\npath = {:?}\ntime = {{ start = \"start\", end = \"end\" }}\n",
            path.display().to_string()
        )
    }

    fn engine(&self) -> Engine {
        engine(&self.toml(), &Clock::fixed(instant(BEGIN)))
    }

    fn ask(&self, sql: &str) -> Answer {
        run(&self.engine(), sql, &ExecuteOptions::default())
    }
}

#[test]
fn a_constant_that_fails_is_a_mistake_of_the_query() {
    let visits = Visits::new();
    for (sql, message, place) in [
        ("SELECT 1/0", "division by zero", "1/0"),
        ("SELECT 1::int / 0", "division by zero", "1::int / 0"),
        ("SELECT name FROM visits WHERE n = 1 AND 1 % 0 = 1", "division by zero", "1 % 0 = 1"),
        ("SELECT name FROM visits WHERE n = 1 OR 1/0 = 1", "division by zero", "1/0 = 1"),
        ("SELECT n, (SELECT 1/0) FROM visits", "division by zero", "1/0"),
        ("SELECT sum(1/0) FROM visits", "division by zero", "1/0"),
        ("SELECT n, 1/0 FROM visits SINCE '2026-01-01'", "division by zero", "1/0"),
        ("SELECT n FROM visits GROUP BY n HAVING sum(n) > 1/0", "division by zero", "sum(n) > 1/0"),
        ("SELECT name FROM visits WHERE n IN (1, 1/0)", "division by zero", "n IN (1, 1/0)"),
        (
            "SELECT name FROM visits WHERE start > to_timestamp('noon')",
            "`noon` is not a date or time",
            "start > to_timestamp('noon')",
        ),
        ("SELECT chr(-1)", "invalid Unicode scalar value: -1", "-1"),
        (
            "SELECT name FROM visits WHERE name ~ '('",
            "the pattern is no regular expression: unclosed group",
            "name ~ '('",
        ),
        (
            "SELECT date_trunc('hourz', start) FROM visits",
            "`date_trunc` does not take the part `hourz`",
            "'hourz'",
        ),
        ("SELECT date_part('hourz', now())", "a time has no part `hourz`", "'hourz'"),
    ] {
        let error = visits.ask(sql).error.unwrap_or_else(|| panic!("{sql} is a mistake"));
        assert_eq!((error.class(), error.to_string().as_str()), (Class::Input, message), "{sql}");
        let span = error.span().unwrap_or_else(|| panic!("{sql}: no place"));
        assert_eq!(span.of(sql), place, "{sql}");
    }
}

#[test]
fn what_is_never_evaluated_is_no_mistake() {
    let visits = Visits::new();
    for (sql, rows) in [
        ("SELECT CASE WHEN false THEN 1/0 END", [["NULL"]].as_slice()),
        ("SELECT coalesce(1, 1/0)", &[["1"]]),
        ("SELECT nvl(1, 1/0)", &[["1"]]),
        ("SELECT coalesce(n, 1/0) FROM visits WHERE n = 2", &[["2"]]),
        ("SELECT CASE WHEN n > 5 THEN 1/0 ELSE n END FROM visits WHERE n = 2", &[["2"]]),
        (
            "SELECT CASE n WHEN 7 THEN 1/0 WHEN 8 THEN 2/0 ELSE n END FROM visits WHERE n = 2",
            &[["2"]],
        ),
        (
            "SELECT CASE WHEN n < 5 THEN false ELSE 1/0 > n END FROM visits WHERE n = 2",
            &[["false"]],
        ),
        ("SELECT n FROM visits WHERE n = 2 AND (1 = 1 OR 1/0 = 1)", &[["2"]]),
        ("SELECT sum(1/0) FILTER (WHERE n > 5) FROM visits WHERE n > 7", &[["NULL"]]),
        ("SELECT date_part('qtr', start) FROM visits WHERE n = 2", &[["1"]]),
    ] {
        let answer = visits.ask(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert_eq!(answer.rows, rows, "{sql}");
    }
}

#[test]
fn what_a_row_breaks_is_named() {
    let visits = Visits::new();
    for (sql, message) in [
        ("SELECT 1/n FROM visits", "division by zero in `1/n`"),
        ("SELECT n % (n - n) FROM visits", "division by zero in `n % (n - n)`"),
        (
            "SELECT CAST(name AS int) FROM visits",
            "the text `ann` is no int32 in `CAST(name AS int)`",
        ),
    ] {
        let error = visits.ask(sql).error.unwrap_or_else(|| panic!("{sql} fails"));
        assert!(matches!(error, Error::Run { .. }), "{sql}: {error:?}");
        assert_eq!((error.class(), error.to_string().as_str()), (Class::Failed, message), "{sql}");
    }
}

#[test]
fn a_status_that_there_is_not_is_told_before_the_rows() {
    let program = Program::new();
    let output = program.run(&["-c", "SELECT id FROM openvpn SINCE 1h WHERE status = 'active'"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let expected = "\
warning: `status` is never 'active': the comparison is never true
  |
1 | SELECT id FROM openvpn SINCE 1h WHERE status = 'active'
  |                                                ^^^^^^^^
hint: did you mean 'ACTIVE'?
";
    assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
}

#[test]
fn sessions_that_end_before_they_start_are_counted() {
    let visits = Visits::new();
    let told = "1 session of `visits` ends before it starts: no instant lies in it";
    for sql in [
        "SELECT name FROM visits SINCE '2026-01-01'",
        "SELECT name FROM visits AT '2026-03-01T11:30:00Z'",
        "SELECT a.name FROM visits a JOIN visits b ON a OVERLAPS b",
        "SELECT name FROM visits v WHERE v CONTAINS '2026-03-01T11:30:00Z'",
        "SELECT overlap(v, (now() - 1h, now())) FROM visits v",
    ] {
        let answer = visits.ask(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert_eq!(answer.completeness.warnings, [told], "{sql}");
        assert!(answer.completeness.is_complete(), "{sql}");
    }
    for sql in ["SELECT name FROM visits", "SELECT end - start FROM visits WHERE n = 1"] {
        assert_eq!(visits.ask(sql).completeness.warnings, [""; 0], "{sql}");
    }
}

#[test]
fn the_count_is_in_the_envelope_and_on_stderr() {
    let visits = Visits::new();
    let sql = "SELECT count(*) AS n FROM visits AT '2026-03-01T11:30:00Z'";
    let mut command = command(&visits.config(), &["--format", "json", "-c", sql]);
    let output = command.output().expect("the program starts");
    let stdout: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let told = "1 session of `visits` ends before it starts: no instant lies in it";
    assert_eq!(stdout["meta"]["warnings"], serde_json::json!([told]));
    assert_eq!(stdout["meta"]["complete"], true);
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("warning: {told}\n"));
}

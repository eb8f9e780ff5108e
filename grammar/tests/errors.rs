//! What a mistake looks like: message, place and hint of each, as one snapshot per group.

#![expect(clippy::panic, reason = "a failed step fails the test")]

use sessionql_grammar::{line_col, parse};

/// Compares the errors of some texts with the snapshot of that name.
fn check(name: &str, texts: &[&str]) {
    let mut seen = String::new();
    for text in texts {
        let error = match parse(text) {
            Ok(statements) => panic!("{text}\nparsed as {statements:?}"),
            Err(error) => error,
        };
        let (line, column) = line_col(text, error.span.start);
        let width = error.span.of(text).chars().count().max(1);
        let shown = text.lines().nth(line - 1).unwrap_or_default();
        seen.push_str(&format!("error: {error}\n{line} | {shown}\n"));
        seen.push_str(&format!("{}{}\n", " ".repeat(column + 3), "^".repeat(width)));
        if let Some(hint) = error.hint() {
            seen.push_str(&format!("hint: {hint}\n"));
        }
        seen.push('\n');
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, seen);
    });
}

#[test]
fn errors_in_tokens() {
    check(
        "errors_in_tokens",
        &[
            "SELECT 'it",
            "SELECT \"it",
            "SELECT $$it",
            "SELECT 1 /* comment",
            "SELECT \"\" FROM t",
            "SELECT ‘bob’",
            "SELECT `user` FROM t",
            "SELECT a == b",
            "SELECT a && b",
            "SELECT 1.5h",
            "SELECT 30m1h",
            "SELECT 1h1h",
            "SELECT 24H",
            "SELECT 1.2.3",
            "SELECT 5min",
            "SELECT 99999999999w",
            "SELECT E'a\\qb'",
            "SELECT #",
            "SELECT {a}",
        ],
    );
}

#[test]
fn errors_in_brackets() {
    check(
        "errors_in_brackets",
        &[
            "SELECT (1 + 2",
            "SELECT count(* FROM t",
            "SELECT 1)",
            "SELECT (1]",
            "SELECT a[1",
            "SELECT (1 FROM t)",
            "SELECT CASE WHEN a THEN b",
            "SELECT CASE WHEN a b END",
            "SELECT (SELECT 1; SELECT 2)",
            "SELECT ()",
        ],
    );
}

#[test]
fn errors_in_statements() {
    check(
        "errors_in_statements",
        &[
            "INSERT INTO t VALUES (1)",
            "update t set a = 1",
            "DELETE FROM t",
            "CREATE TABLE t (a int)",
            "DROP TABLE t",
            "COPY t TO 'x.csv'",
            "SELCT 1",
            "hello",
            "FROM t SELECT a",
            "1",
            "EXPLAIN",
            "SHOW",
            "SET time_zone",
            "SELECT 1 SELECT 2",
        ],
    );
}

#[test]
fn errors_in_queries() {
    check(
        "errors_in_queries",
        &[
            "SELECT FROM t",
            "SELECT user status start FROM openvpn",
            "SELECT user, start end FROM openvpn",
            "SELECT f(a b) FROM t",
            "SELECT a IN (1 2)",
            "SELECT a FORM t",
            "SELECT a FROM t WHERE",
            "SELECT a FROM t WHERE a = ",
            "SELECT a FROM t GROUP a",
            "SELECT a FROM t ORDER BY",
            "SELECT a FROM t LIMIT 5, 10",
            "SELECT a FROM t LIMIT 1 LIMIT 2",
            "SELECT a FROM",
            "SELECT a FROM t JOIN",
            "SELECT a FROM t JOIN u",
            "SELECT a FROM t CROSS JOIN u ON true",
            "SELECT a FROM t NATURAL JOIN u USING (a)",
            "SELECT a FROM t ASOF JOIN u USING (a)",
            "SELECT a FROM t LEFT u",
            "SELECT a INTO x FROM t",
            "SELECT a FROM t UNION",
            "SELECT (a UNION SELECT 1)",
            "SELECT (1 LIMIT 1)",
            "SELECT ((1) UNION SELECT 2)",
            "SELECT (((SELECT 1), 2) UNION SELECT 2)",
            "SELECT (((SELECT 1) + 1) LIMIT 1)",
            "SELECT (((SELECT 1)) x)",
            "SELECT 1 FROM ((t) UNION SELECT 2)",
            "SELECT a FROM t FETCH FIRST 3",
            "SELECT a AS FROM t",
            "SELECT a FROM t since",
            "SELECT a FROM t SINCE 1h SINCE 2h",
            "SELECT a FROM t SINCE 1h WHERE b AT now",
            "SELECT a FROM t AT now AT now",
            "WITH a (SELECT 1) SELECT 2",
            "SELECT a\nFROM t\nWHERE user = 'bob' AN status = 'x'",
        ],
    );
}

#[test]
fn errors_in_expressions() {
    check(
        "errors_in_expressions",
        &[
            "SELECT 1 +",
            "SELECT * 2",
            "SELECT a < b < c",
            "SELECT a = b = c",
            "SELECT a IS 5",
            "SELECT a BETWEEN 1 OR 2",
            "SELECT a NOT b",
            "SELECT a IN 5",
            "SELECT CAST(a, int)",
            "SELECT extract(epoch, duration)",
            "SELECT sum(a FROM b)",
            "SELECT trim(both 'x', a)",
            "SELECT sum(x) OVER (ROWS 1)",
            "SELECT a ? b",
            "SELECT a -> b",
            "SELECT $1",
            "SELECT a FROM t WHERE NULL = ",
        ],
    );
}

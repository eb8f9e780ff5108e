//! Every query of the tests, the documentation and the examples.

use std::path::{Path, PathBuf};

use sessionql_grammar::{format, parse};

use super::check;

/// Words and signs to be strewn at random, those in front more likely to make sense together.
pub(super) const WORDS: [&str; 67] = [
    "limit",
    "since",
    "a, offset,",
    "a",
    "b",
    "1",
    "'x'",
    ",",
    "(",
    ")",
    "*",
    "=",
    "AND",
    "OR",
    "NOT",
    "AS",
    "FROM",
    "t",
    "WHERE",
    "a.b",
    "-",
    "+",
    "SELECT",
    "distinct",
    "ALL",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "FETCH FIRST ROW ONLY",
    "SINCE",
    "UNTIL",
    "AT",
    "1h",
    "now",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "INNER JOIN",
    "LEFT OUTER JOIN",
    "ON",
    "USING",
    "NATURAL",
    "x",
    "END",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "IS NULL",
    "BETWEEN",
    "IN",
    "LIKE",
    "::",
    "int",
    "[",
    "]",
    ":",
    ".5",
    "-- c\n",
    "/* c */",
    "\n",
    ";",
    "$p",
    "VALUES",
    "trim",
    "INTERVAL '1' DAY",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

fn files(directory: &str, extension: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root().join(directory)).expect("the directory is there") {
        let path = entry.expect("the entry can be read").path();
        if path.extension().is_some_and(|found| found == extension) {
            let text = std::fs::read_to_string(&path).expect("the file is text");
            files.push((path.display().to_string(), text));
        }
    }
    assert!(!files.is_empty(), "{directory} has no .{extension}");
    files
}

/// Returns the queries of a script of the logic tests.
fn queries_of(script: &str) -> Vec<String> {
    let mut queries = Vec::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("query ") || line.starts_with("statement ") {
            let query: Vec<_> =
                lines.by_ref().take_while(|line| !line.is_empty() && *line != "----").collect();
            queries.push(query.join("\n"));
        }
    }
    queries
}

#[test]
fn logic_tests() {
    let mut n_queries = 0;
    for (_, script) in files("tests/logic", "slt") {
        for query in queries_of(&script) {
            // Their tables come from statements that the language does not have, and some of the
            // queries are wrong on purpose.
            if parse(&query).is_ok() {
                check(&query);
                n_queries += 1;
            }
        }
    }
    assert!(n_queries > 400, "{n_queries} queries were found");
}

#[test]
fn documentation() {
    let mut n_queries = 0;
    let mut documents = files("docs", "md");
    documents.push((
        "README.md".to_owned(),
        std::fs::read_to_string(root().join("README.md")).expect("it is there"),
    ));
    for (name, document) in documents {
        for block in document.split("```sql\n").skip(1) {
            let query = block.split("```").next().unwrap_or_default();
            assert!(parse(query).is_ok(), "{name}: {query}");
            check(query);
            n_queries += 1;
        }
    }
    assert!(n_queries > 10, "{n_queries} queries were found");
}

/// The examples are in the style that they advertise.
#[test]
fn examples() {
    for (name, text) in files("examples/queries", "sql") {
        check(&text);
        assert_eq!(format(&text).expect("it parses"), text, "{name}");
    }
}

/// The texts of the tests for trees, one a line and behind a `>`.
#[test]
fn snapshots() {
    let mut n_queries = 0;
    for (_, snapshot) in files("grammar/tests/snapshots", "snap") {
        for query in snapshot.lines().filter_map(|line| line.strip_prefix("> ")) {
            if parse(query).is_ok() {
                check(query);
                n_queries += 1;
            }
        }
    }
    assert!(n_queries > 100, "{n_queries} queries were found");
}

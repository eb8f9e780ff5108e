//! SQL logic tests: the scripts in `tests/logic` run through the engine.
//! Every table of a script becomes a connection of the fixture plugin, and every query runs in
//! several ways: filters pushed exactly, inexactly or not at all, pages small and large. The rows
//! must be those of the script each time.
//! `tables` stores what scripts create, `database` runs queries, `render` writes values as scripts
//! do, `runner` takes a script through all ways.

#![expect(clippy::panic, reason = "the helpers of tests fail as tests do")]

mod database;
mod render;
mod runner;
mod tables;

use std::path::{Path, PathBuf};

use runner::{Summary, run_script};

/// Makes a test of each script.
macro_rules! scripts {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                run_file(stringify!($name));
            }
        )*

        /// The scripts that are tests.
        const SCRIPTS: &[&str] = &[$(stringify!($name)),*];
    };
}

scripts![
    aggregates,
    analysis,
    durations,
    expressions,
    filters,
    grouping,
    inner_queries,
    joins,
    nulls,
    ordering,
    select,
    sessions,
    sets,
    strings,
    subqueries,
    times,
    using,
    windows,
    with,
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("logic")
}

fn run_file(name: &str) {
    let path = directory().join(format!("{name}.slt"));
    let script = std::fs::read_to_string(&path).expect("the script is there");
    let summary = run_script(&format!("tests/logic/{name}.slt"), &script);
    assert!(summary.failures.is_empty(), "\n{}", summary.failures.join("\n"));
    assert!(summary.n_queries > 0, "{name} asks nothing");
}

#[test]
fn every_script_is_a_test() {
    let entries = std::fs::read_dir(directory()).expect("the scripts are there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "slt"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    assert_eq!(names, SCRIPTS);
}

/// Runs a script on the table `t(n, s)` with three rows.
fn try_script(script: &str) -> Summary {
    let tables = "statement ok\nCREATE TABLE t (n INTEGER, s TEXT)\n\n\
                  statement ok\nINSERT INTO t VALUES (1, 'a'), (2, NULL), (NULL, '')\n\n";
    run_script("try.slt", &format!("{tables}{script}\n"))
}

fn failures(script: &str) -> String {
    try_script(script).failures.join("\n")
}

#[test]
fn right_answers_pass_in_every_way() {
    let summary =
        try_script("query IT rowsort\nSELECT n, s FROM t\n----\n1 a\n2 NULL\nNULL (empty)\n");
    assert_eq!(summary.failures, [""; 0]);
    assert_eq!((summary.n_queries, summary.n_runs), (1, 6));
}

#[test]
fn a_wrong_row_fails_with_place_query_way_and_both_answers() {
    let text = failures("query I\nSELECT n FROM t WHERE n = 1\n----\n2\n");
    for part in ["try.slt:7", "SELECT n FROM t WHERE n = 1", "-   2", "+   1", "every way"] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn missing_rows_and_surplus_rows_fail() {
    assert!(failures("query I\nSELECT n FROM t WHERE n = 1\n----\n1\n2\n").contains("mismatch"));
    assert!(failures("query I rowsort\nSELECT n FROM t\n----\n1\n").contains("mismatch"));
}

#[test]
fn wrong_columns_fail() {
    let text = failures("query T\nSELECT n FROM t WHERE n = 1\n----\n1\n");
    assert!(text.contains("columns mismatch"), "{text}");
    let text = failures("query II\nSELECT n FROM t WHERE n = 1\n----\n1\n");
    assert!(text.contains("columns mismatch"), "{text}");
}

#[test]
fn errors_are_compared_too() {
    let ask = |expected: &str, sql: &str| failures(&format!("query error {expected}\n{sql}\n"));
    assert_eq!(ask("no column `m`", "SELECT m FROM t"), "");
    assert!(ask("no table `t`", "SELECT m FROM t").contains("expected to fail with error"));
    assert!(ask("no column", "SELECT n FROM t").contains("expected to fail, but"));
    assert!(failures("query I\nSELECT m FROM t\n----\n1\n").contains("query failed"));
}

#[test]
fn a_failure_names_the_ways_in_which_it_came() {
    let script = "query T\nSHOW pushdown\n----\non\n";
    let text = failures(script);
    assert!(text.contains("nothing pushed, pages of 3 rows"), "{text}");
    assert!(!text.contains("exact filters, pages of 3 rows"), "{text}");
}

#[test]
fn what_cannot_be_stored_is_an_error_that_says_so() {
    for (sql, expected) in [
        ("CREATE TABLE u (d DATE)", "type `date` of column `d` cannot be stored"),
        ("CREATE TABLE u (d DECIMAL(10, 2))", "type `decimal` of column `d` cannot be stored"),
        ("CREATE TABLE t (n INTEGER)", "table `t` is there already"),
        ("CREATE TABLE u AS SELECT 1", "`(` is due, not `as`"),
        ("INSERT INTO u VALUES (1, 'a')", "there is no table `u`"),
        ("INSERT INTO t VALUES (1)", "2 values are due, not 1"),
        ("INSERT INTO t VALUES ('a', 'a')", "`'a'` is no value of type `int64`"),
        ("INSERT INTO t SELECT 1, 'a'", "`values` is due, not `select`"),
        ("INSERT INTO t (m) VALUES (1)", "table `t` has no column `m`"),
        ("DROP TABLE u", "there is no table `u`"),
        ("UPDATE t SET n = 1", "`UPDATE` is not a statement"),
    ] {
        let text = failures(&format!("statement error {}\n{sql}\n", escape(expected)));
        assert_eq!(text, "", "{sql}");
    }
}

/// Returns a text as a regular expression that matches it.
fn escape(text: &str) -> String {
    text.chars().flat_map(|c| ["()`.".contains(c).then_some('\\'), Some(c)]).flatten().collect()
}

/// The hash is that of `printf '1\n2\nNULL\n' | md5sum`.
#[test]
fn long_answers_can_be_given_as_a_hash() {
    let script = |hash: &str| {
        let query = "hash-threshold 2\n\nquery I rowsort\nSELECT n FROM t\n----\n";
        failures(&format!("{query}3 values hashing to {hash}\n"))
    };
    assert_eq!(script("947ac7611a144a747fd1ba4cb9205642"), "");
    assert!(script("00000000000000000000000000000000").contains("mismatch"));
}

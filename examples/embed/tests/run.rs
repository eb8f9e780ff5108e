//! What the program prints and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output};

// Its library is built because of this.
use sessionql_fixture as _;

/// Returns the directory with the plugins that were built with this test.
fn plugin_directory() -> PathBuf {
    let program = std::env::current_exe().expect("the test knows its own file");
    program.parent().expect("a file has a directory").to_owned()
}

/// Runs the example on a table `t` with the rows of a file.
fn embed(rows: Option<&str>, sql: &str) -> Output {
    let directory = tempfile::tempdir().expect("a directory is made");
    let file = directory.path().join("t.jsonl");
    if let Some(rows) = rows {
        std::fs::write(&file, rows).expect("the file is written");
    }
    let config = directory.path().join("config.toml");
    let columns = r#"["name text", "n int64"]"#;
    let text =
        format!("[connections.t]\nplugin = \"fixture\"\npath = {file:?}\ncolumns = {columns}\n");
    std::fs::write(&config, text).expect("the file is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
    command.arg(config).arg(plugin_directory()).arg(sql).output().expect("the program starts")
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is text");
    (text(&output.stdout), text(&output.stderr))
}

const ROWS: &str = "{\"name\":\"ann\",\"n\":1}\n{\"name\":\"bob\"}\n{\"name\":\"cyd\",\"n\":3}\n";

#[test]
fn it_prints_rows_and_what_they_cover() {
    let output = embed(Some(ROWS), "SELECT name, n FROM t WHERE name < 'c' ORDER BY name");
    let (rows, report) = texts(&output);
    assert_eq!(rows, "name\tn\nann\t1\nbob\tNULL\n");
    assert_eq!(report, "complete\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn without_its_arguments_it_says_what_they_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_embed")).output().expect("the program starts");
    let (rows, report) = texts(&output);
    assert_eq!((rows.as_str(), output.status.code()), ("", Some(2)));
    assert_eq!(report, "usage: embed CONFIG PLUGIN-DIRECTORY QUERY\n");
}

#[test]
fn an_error_is_an_exit_code() {
    let output = embed(Some(ROWS), "SELECT m FROM t");
    let (rows, report) = texts(&output);
    assert_eq!((rows.as_str(), output.status.code()), ("", Some(1)));
    assert!(report.contains("no column `m`"), "{report}");

    let output = embed(None, "SELECT name FROM t");
    let (rows, report) = texts(&output);
    assert_eq!((rows.as_str(), output.status.code()), ("name\n", Some(1)));
    assert!(report.contains("cannot be read"), "{report}");
}

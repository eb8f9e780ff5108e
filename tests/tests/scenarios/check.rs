//! `sessionql check`: what is wrong or probably not meant, without a request.

use std::process::Command;

use serde_json::json;
use sessionql_tests::program;
use sessionql_tests::program::{Program, command};

/// Checks a file of this text.
fn check(world: &Program, text: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    std::fs::write(world.directory.path().join("q.sql"), text).expect("the file is written");
    let mut command = command(&world.config(), &["check", "q.sql"]);
    let output = command.args(arguments).current_dir(world.directory.path()).output();
    let output = output.expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn nothing_is_found_and_nothing_is_sent() {
    let world = Program::new();
    let found = check(&world, "SELECT user FROM openvpn SINCE 24h;\nSHOW TABLES;\n", &[]);
    assert_eq!(found, (Some(0), String::new(), String::new()));
    assert_eq!(world.sandbox.openvpn.data_requests().len(), 0);
}

#[test]
fn a_finding_has_a_place_a_name_and_a_hint() {
    let world = Program::new();
    let expected = "\
warning: nothing bounds the time of `openvpn`: all its history is read (no-time-bound)
 --> q.sql:2:6
  |
2 | FROM openvpn
  |      ^^^^^^^
hint: add SINCE, UNTIL or AT
";
    let found = check(&world, "SELECT user\nFROM openvpn\n", &[]);
    assert_eq!(found, (Some(1), String::new(), expected.to_owned()));
    let allowed = "SELECT user\nFROM openvpn -- sessionql: allow no-time-bound\n";
    assert_eq!(check(&world, allowed, &[]).0, Some(0));
}

#[test]
fn a_warning_of_the_engine_is_a_finding() {
    let world = Program::new();
    let (code, _, stderr) = check(&world, "SELECT user FROM openvpn WHERE id = 124", &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("warning: `id` is text"), "{stderr}");
}

#[test]
fn a_value_that_a_column_never_has_is_a_comparison_that_is_never_true() {
    let world = Program::new();
    let text = "SELECT user FROM openvpn SINCE 1d WHERE status = 'active'\n";
    let expected = "\
warning: `status` is never 'active': the comparison is never true (never-true)
 --> q.sql:1:50
  |
1 | SELECT user FROM openvpn SINCE 1d WHERE status = 'active'
  |                                                  ^^^^^^^^
hint: did you mean 'ACTIVE'?
";
    assert_eq!(check(&world, text, &[]), (Some(1), String::new(), expected.to_owned()));
    let allowed = format!("-- sessionql: allow never-true\n{text}");
    assert_eq!(check(&world, &allowed, &[]).0, Some(0));
    // A text stands in for the parameter, and nothing is said of that.
    let open = "SELECT user FROM openvpn SINCE 1d WHERE status = {status:text}\n";
    assert_eq!(check(&world, open, &[]), (Some(0), String::new(), String::new()));
}

#[test]
fn what_is_wrong_ends_with_2() {
    let world = Program::new();
    for (text, message) in [
        ("SELECT usr FROM openvpn SINCE 1d", "error: no column `usr`"),
        ("SELECT user FROM openvpm", "error: no table `openvpm`"),
        ("SELECT (1", "error: `(` is never closed"),
    ] {
        let (code, stdout, stderr) = check(&world, text, &[]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{text}");
        assert!(stderr.starts_with(message), "{stderr}");
    }
}

#[test]
fn json_is_for_editors() {
    let world = Program::new();
    let (code, stdout, stderr) =
        check(&world, "SELECT usr\nFROM openvpn WHERE end = NULL", &["--format", "json"]);
    assert_eq!((code, stderr.as_str()), (Some(2), ""));
    let found: serde_json::Value = serde_json::from_str(&stdout).expect("it is JSON");
    assert_eq!(found[0]["severity"], "error");
    assert_eq!(
        found[1],
        json!({
            "file": "q.sql", "line": 2, "column": 20, "end_line": 2, "end_column": 30,
            "severity": "warning", "name": "never-true",
            "message": "a comparison with NULL is never true",
            "hint": "write IS NULL or IS NOT NULL",
        })
    );
    let (code, stdout, _) = check(&world, "SELECT 1", &["--format", "json"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "[]\n"));
}

#[test]
fn without_a_configuration_the_text_alone_is_checked() {
    let home = tempfile::tempdir().expect("a directory is made");
    let file = home.path().join("q.sql");
    std::fs::write(&file, "SELECT user FROM openvpn").expect("the file is written");
    let output = Command::new(program())
        .arg("check")
        .arg(&file)
        .env_clear()
        .env("HOME", home.path())
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

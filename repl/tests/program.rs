//! The program as scripts see it: exit codes, and what is on which stream.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Returns the program in an empty world: no configuration, no plugins, no terminal.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sessionql"));
    command.env_clear().env("HOME", home).env("PATH", "/nowhere").current_dir(home);
    command.stdin(Stdio::null());
    command
}

/// What a run left: exit code, stdout, stderr.
type Left = (i32, String, String);

fn left(output: Output) -> Left {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn run_in(home: &Path, arguments: &[&str]) -> Left {
    left(program(home).args(arguments).output().unwrap())
}

fn run(arguments: &[&str]) -> Left {
    run_in(tempfile::tempdir().unwrap().path(), arguments)
}

fn fails(code: i32, stderr: &str) -> Left {
    (code, String::new(), stderr.to_owned())
}

#[test]
fn a_syntax_error() {
    let expected = "\
error: `SELEC` begins no statement
  |
1 | SELEC 1
  | ^^^^^
hint: did you mean SELECT?
";
    assert_eq!(run(&["-c", "SELEC 1"]), fails(2, expected));
}

#[test]
fn all_texts_are_parsed_before_the_first_runs() {
    let (code, stdout, stderr) = run(&["-c", "SHOW CONNECTIONS", "-c", "SHOW TABLES; SELEC 1"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("1 | SHOW TABLES; SELEC 1\n  |              ^^^^^\n"), "{stderr}");
}

#[test]
fn an_unknown_table() {
    let expected = "\
error: no table `openvpn`: no connection is configured
  |
1 | DESCRIBE openvpn
  |          ^^^^^^^
";
    assert_eq!(run(&["-c", "DESCRIBE openvpn"]), fails(2, expected));
}

#[test]
fn an_error_in_a_file_names_it() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.sql"), "-- who\nDESCRIBE\n  openvpn;\n").unwrap();
    let (code, stdout, stderr) = run_in(home.path(), &["-f", "a.sql"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("\n --> a.sql:3:3\n  |\n3 |   openvpn;\n  |   ^^^^^^^\n"), "{stderr}");
}

#[test]
fn a_wrong_command_line() {
    let expected = "error: no option `--formt`\nhint: did you mean `--format`?\n";
    assert_eq!(run(&["--formt", "csv"]), fails(2, expected));
    let (code, stdout, stderr) = run(&["-c", "SHOW TABLES", "--since", "soon"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.starts_with("error: `--since`: `soon` is not a time\nhint: "), "{stderr}");
    let (code, _, stderr) = run(&["-f", "nowhere.sql"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: `nowhere.sql` cannot be read: "), "{stderr}");
}

#[test]
fn help_and_version() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.contains("--require-complete") && stdout.contains("Exit codes:"));
    assert_eq!(run(&["--version"]), (0, "sessionql 0.1.0\n".to_owned(), String::new()));
}

#[test]
fn a_named_configuration_must_be_there() {
    let (code, stdout, stderr) = run(&["--config", "nowhere.toml", "-c", "SHOW TABLES"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with("error: nowhere.toml: the configuration cannot be read"),
        "{stderr}"
    );
    let home = tempfile::tempdir().unwrap();
    let output =
        program(home.path()).env("SESSIONQL_CONFIG", "x.toml").args(["-c", "SHOW TABLES"]).output();
    assert_eq!(left(output.unwrap()).0, 2);
    std::fs::write(home.path().join("bad.toml"), "[connections.a]\nplugn = \"openvpn\"\n").unwrap();
    let (code, _, stderr) = run_in(home.path(), &["--config", "bad.toml", "-c", "SHOW TABLES"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: bad.toml:1: "), "{stderr}");
}

#[test]
fn a_missing_plugin() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.toml"), "[connections.a]\nplugin = \"nosuch\"\n").unwrap();
    let (code, stdout, stderr) = run_in(home.path(), &["--config", "a.toml", "-c", "DESCRIBE a"]);
    assert_eq!((code, stdout.as_str()), (5, ""));
    assert!(stderr.starts_with("error: plugin `nosuch` is not found\nhint: "), "{stderr}");
}

#[test]
fn formats() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.toml"), "[connections.vpn]\nplugin = \"openvpn\"\n")
        .unwrap();
    let run = |format: &[&str], query| {
        let line = [&["--config", "a.toml", "-c", query], format].concat();
        let (code, stdout, stderr) = run_in(home.path(), &line);
        assert_eq!((code, stderr.as_str()), (0, ""));
        stdout
    };
    let query = "SHOW CONNECTIONS; SET time_zone = 'Europe/Berlin'; SHOW time_zone";
    assert_eq!(
        run(&[], query),
        "connection,plugin,base_url,open,auth,state,rate_left,last_error\n\
         vpn,openvpn,,false,,not used yet,,\n\ntime_zone\nEurope/Berlin\n"
    );
    assert_eq!(
        run(&["--format", "jsonl"], query),
        "{\"connection\":\"vpn\",\"plugin\":\"openvpn\",\"base_url\":null,\"open\":false,\
         \"auth\":null,\"state\":\"not used yet\",\"rate_left\":null,\"last_error\":null}\n\
         {\"time_zone\":\"Europe/Berlin\"}\n"
    );
    assert_eq!(
        run(&["--format", "table"], query),
        "\
connection  plugin   base_url  open   auth  state         rate_left  last_error
──────────  ───────  ────────  ─────  ────  ────────────  ─────────  ──────────
vpn         openvpn  NULL      false  NULL  not used yet  NULL       NULL
(1 row)

time_zone
─────────────
Europe/Berlin
(1 row)
"
    );
    let json = run(&["--format", "json"], "SHOW CONNECTIONS");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rows"][0]["connection"], "vpn");
    assert_eq!(json["meta"]["complete"], true);
}

#[test]
fn queries_from_standard_input() {
    let home = tempfile::tempdir().unwrap();
    let mut child = program(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"\xef\xbb\xbfSHOW time_zone;\n").unwrap();
    let expected = (0, "time_zone\nUTC\n".to_owned(), String::new());
    assert_eq!(left(child.wait_with_output().unwrap()), expected);
    assert_eq!(run(&[]), (0, String::new(), String::new()), "no statement is no failure");
}

#[test]
fn expectations() {
    let show = |claim| run(&["-c", "SHOW CONNECTIONS", "--format", "jsonl", "--expect", claim]);
    assert_eq!(show("empty"), (0, String::new(), String::new()));
    assert_eq!(show("rows >= 1"), fails(1, "unexpected: expected `rows >= 1`, found 0 rows\n"));
    assert_eq!(show("few").0, 2);
    let (code, ..) = run(&["-c", "SHOW CONNECTIONS; DESCRIBE a", "--expect", "nonempty"]);
    assert_eq!(code, 2, "the worst counts");
}

#[test]
fn an_output_file_is_replaced_as_a_whole() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("rows.csv");
    std::fs::write(&file, "old").unwrap();
    let line = |query| ["--output", "rows.csv", "-c", query];
    assert_eq!(run_in(home.path(), &line("SHOW time_zone; DESCRIBE a")).0, 2);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(run_in(home.path(), &line("SHOW time_zone")), (0, String::new(), String::new()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "time_zone\nUTC\n");
    let n_files = std::fs::read_dir(home.path()).unwrap().count();
    assert_eq!(n_files, 1, "nothing else stays behind");
    let (code, stdout, _) =
        run_in(home.path(), &["--output", "no/where.csv", "-c", "SHOW time_zone"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let home = tempfile::tempdir().unwrap();
    let mut child = program(home.path())
        .args(["-c", "SHOW FUNCTIONS; SHOW FUNCTIONS"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(left(child.wait_with_output().unwrap()), (0, String::new(), String::new()));
}

//! Saved queries: what their headers say and do, several files in one run, and `--summary`.

use std::path::Path;
use std::process::Command;

use sessionql_tests::program;
use sessionql_tests::program::{Program, command};

/// Exit code, stdout, stderr.
type Left = (i32, String, String);

struct Directory(tempfile::TempDir);

impl Directory {
    fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).expect("the file is written");
        }
        Self(directory)
    }

    fn run(&self, arguments: &[&str]) -> Left {
        let mut command = Command::new(program());
        command.env_clear().env("HOME", self.0.path());
        run(command.args(arguments), self.0.path())
    }
}

fn run(command: &mut Command, directory: &Path) -> Left {
    let output = command.current_dir(directory).output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let code = output.status.code().expect("the program ended by itself");
    (code, text(output.stdout), text(output.stderr))
}

/// Replaces the time that something took, which no test can know.
fn timeless(lines: &str) -> String {
    let (mut text, mut rest) = (String::new(), lines);
    while let Some((before, after)) = rest.split_once("\"elapsed_ms\":") {
        text.push_str(before);
        text.push_str("\"elapsed_ms\":0");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    text + rest
}

const QUIET: &str = "\
-- sessionql: 1
-- name: nothing
-- severity: low    tags: [a, b]
-- expect: empty
SELECT 1 AS n WHERE false
";

const FINDS: &str = "-- sessionql: 1\n-- expect: empty\nSELECT 1 AS n\n";

#[test]
fn a_header_expects_and_the_command_line_counts_more() {
    let directory = Directory::with(&[("finds.sql", FINDS), ("quiet.sql", QUIET)]);
    let found = (1, "n\n1\n".to_owned(), "unexpected: expected `empty`, found 1 row\n".to_owned());
    assert_eq!(directory.run(&["-f", "finds.sql"]), found);
    assert_eq!(directory.run(&["-f", "quiet.sql"]), (0, "n\n".to_owned(), String::new()));
    let more = directory.run(&["-f", "finds.sql", "--expect", "nonempty"]);
    assert_eq!((more.0, more.2), (0, String::new()));
    let each = directory.run(&["-f", "quiet.sql", "-f", "finds.sql"]);
    assert_eq!(each.0, 1, "each file has its own expectation");
    assert_eq!(each.1, "n\n\nn\n1\n");
}

#[test]
fn a_bad_header_ends_with_2_and_all_of_it_is_told() {
    let text =
        "-- sessionql: 1\n-- nme: x\n-- severity: bad\n-- tags: [a]\n-- tags: [b]\nSELECT 1\n";
    let directory = Directory::with(&[("bad.sql", text), ("quiet.sql", QUIET)]);
    let expected = "\
error: a saved query has no key `nme`
 --> bad.sql:2:4
  |
2 | -- nme: x
  |    ^^^
hint: did you mean `name`?
error: `bad` is no severity
 --> bad.sql:3:14
  |
3 | -- severity: bad
  |              ^^^
hint: one of `info`, `low`, `medium`, `high`, `critical`
error: `tags` comes twice
 --> bad.sql:5:10
  |
5 | -- tags: [b]
  |          ^^^
";
    let left = directory.run(&["-f", "quiet.sql", "-f", "bad.sql"]);
    assert_eq!(left, (2, String::new(), expected.to_owned()), "nothing of the first file runs");
    let checked = directory.run(&["check", "bad.sql"]);
    assert_eq!(checked, (2, String::new(), expected.to_owned()));
}

#[test]
fn another_version_is_refused() {
    let directory = Directory::with(&[("new.sql", "-- sessionql: 2\n-- odd: x\nSELECT 1\n")]);
    let (code, stdout, stderr) = directory.run(&["-f", "new.sql"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("--> new.sql:1:15"), "{stderr}");
    assert!(stderr.ends_with("hint: write `-- sessionql: 1`\n"), "{stderr}");
}

#[test]
fn a_file_without_a_header_is_a_plain_query() {
    let text = "-- severity: whatever the author thinks\n-- TODO: more\nSELECT 1 AS n\n";
    let directory = Directory::with(&[("plain.sql", text)]);
    assert_eq!(directory.run(&["-f", "plain.sql"]), (0, "n\n1\n".to_owned(), String::new()));
    let gate = Directory::with(&[("gate.sql", "-- expect: empty\nSELECT 1 AS n\n")]);
    let (code, stdout, stderr) = gate.run(&["-f", "gate.sql"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "a gate that does not close is told");
    assert!(stderr.contains("hint: begin the file with the line `-- sessionql: 1`"), "{stderr}");
}

#[test]
fn a_summary_is_one_line_for_each_file() {
    let files = [("finds.sql", FINDS), ("quiet.sql", QUIET), ("wrong.sql", "SELECT nothing")];
    let directory = Directory::with(&files);
    let arguments =
        ["-f", "quiet.sql", "-f", "finds.sql", "-f", "wrong.sql", "-f", "quiet.sql", "--summary"];
    let (code, stdout, stderr) = directory.run(&arguments);
    assert_eq!((code, stdout.as_str()), (2, "n\n\nn\n1\n"));
    let lines: Vec<&str> = stderr.lines().filter(|line| line.starts_with('{')).collect();
    let expected = r#"{"schema_version":1,"file":"quiet.sql","name":"nothing","severity":"low","tags":["a","b"],"exit":0,"rows":0,"complete":true,"off":null,"expectation":{"text":"empty","met":true},"requests":0,"retries":0,"elapsed_ms":0,"error":null}
{"schema_version":1,"file":"finds.sql","name":null,"severity":null,"tags":[],"exit":1,"rows":1,"complete":true,"off":null,"expectation":{"text":"empty","met":false},"requests":0,"retries":0,"elapsed_ms":0,"error":null}
{"schema_version":1,"file":"wrong.sql","name":null,"severity":null,"tags":[],"exit":2,"rows":null,"complete":null,"off":null,"expectation":null,"requests":0,"retries":0,"elapsed_ms":0,"error":{"message":"no column `nothing`"}}
{"schema_version":1,"file":"quiet.sql","name":"nothing","severity":"low","tags":["a","b"],"exit":null,"rows":null,"complete":null,"off":null,"expectation":null,"requests":0,"retries":0,"elapsed_ms":0,"error":{"message":"not run, because of what went wrong before"}}"#;
    assert_eq!(timeless(&lines.join("\n")), expected);
    let (_, _, quiet) = directory.run(&["-f", "quiet.sql", "--summary", "--quiet"]);
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
}

#[test]
fn a_summary_tells_of_files_that_did_not_run() {
    let directory = Directory::with(&[("quiet.sql", QUIET), ("bad.sql", "SELEC 1")]);
    let exits = |arguments: &[&str]| -> Vec<String> {
        let (_, _, stderr) = directory.run(arguments);
        let lines = stderr.lines().filter(|line| line.starts_with('{'));
        let lines = lines.map(|line| serde_json::from_str(line).expect("a line is JSON"));
        lines.map(|line: serde_json::Value| line["exit"].to_string()).collect()
    };
    let parse = ["-f", "quiet.sql", "-f", "bad.sql", "-f", "quiet.sql", "--summary"];
    assert_eq!(exits(&parse), ["null", "2", "null"], "one does not parse");
    let unread = ["-f", "quiet.sql", "-f", "none.sql", "--summary"];
    assert_eq!(exits(&unread), ["null", "2"], "one is not there");
    let unknown = ["-f", "quiet.sql", "-f", "quiet.sql", "--summary", "--param", "x=1"];
    assert_eq!(exits(&unknown), ["2", "2"], "a parameter of none");
    let config = ["-f", "quiet.sql", "--config", "none.toml", "--summary"];
    assert_eq!(exits(&config), ["2"], "no configuration");
}

#[test]
fn a_summary_tells_what_requests_cost_and_what_is_missing() {
    let program = Program::new();
    let directory = program.directory.path();
    let old = "-- sessionql: 1\n-- expect: empty\nSELECT id FROM openvpn SINCE 30d\n";
    std::fs::write(directory.join("old.sql"), old).expect("the file is written");
    let arguments = ["-f", "old.sql", "--summary", "--format", "jsonl"];
    let (code, stdout, stderr) = run(&mut command(&program.config(), &arguments), directory);
    let line = stderr.lines().find(|line| line.starts_with('{')).expect("there is a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
    assert_eq!((code, &line["exit"]), (4, &4.into()), "{stderr}");
    assert_eq!((&line["complete"], &line["off"]), (&false.into(), &"missing".into()));
    assert_eq!(line["expectation"]["met"], serde_json::Value::Null, "it is not judged");
    assert_eq!(line["rows"], stdout.lines().count());
    let sent = program.sandbox.openvpn.data_requests().len();
    assert_eq!((&line["requests"], &line["retries"]), (&sent.into(), &0.into()));
}

#[test]
fn a_failed_file_tells_its_requests_too() {
    use sessionql_sandbox::{Fault, On};
    let program = Program::new();
    program.sandbox.openvpn.faults().plan(On::DataFrom(2), Fault::status(400));
    let arguments = ["-c", "SELECT id FROM openvpn", "--summary"];
    let output = command(&program.config(), &arguments).output().expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
    let line = stderr.lines().find(|line| line.starts_with('{')).expect("there is a line");
    let line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
    assert_eq!((&line["exit"], &line["complete"]), (&3.into(), &false.into()), "{stderr}");
    let sent = program.sandbox.openvpn.data_requests().len();
    assert_eq!(line["requests"], sent, "{stderr}");
    assert!(line["error"]["message"].as_str().is_some_and(|error| error.contains("400")));
}

#[test]
fn a_parameter_that_looks_like_sql_stays_a_value() {
    let query = "-- sessionql: 1\n-- param: who text\nSELECT $who AS who\n";
    let directory = Directory::with(&[("q.sql", query)]);
    let hostile = "x'; SELECT * FROM openvpn; -- $who";
    let left = directory.run(&["-f", "q.sql", "--param", &format!("who={hostile}")]);
    assert_eq!(left, (0, format!("who\n{hostile}\n"), String::new()));
}

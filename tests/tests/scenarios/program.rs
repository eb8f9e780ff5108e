//! The binary: what it prints where, and how it ends.

use std::process::Command;

use sessionql_tests::program::{Program, code, command, stderr, stdout};

/// Returns a configuration whose first connection, `openvpn`, has one more key at its end.
fn with_key(text: &str, key: &str) -> String {
    let (first, rest) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    assert!(first.starts_with("[connections.openvpn]"), "{text}");
    format!("{first}\n{key}\n\n{rest}")
}

#[test]
fn a_query_prints_rows_and_nothing_else() {
    let program = Program::new();
    let output = program.run(&["-c", "SELECT user, start FROM openvpn WHERE status = 'ACTIVE'"]);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    let text = stdout(&output);
    assert_eq!(text.lines().next(), Some("user,start"));
    assert!(text.lines().count() > 3, "{text}");
    assert_eq!(program.sandbox.openvpn.data_requests().len(), 1);
}

#[test]
fn every_format() {
    let program = Program::new();
    let sql = "SELECT 'ann' AS user, 65m AS lasted, NULL AS nothing, '' AS empty, TIMESTAMP '2026-01-02 03:04:05.5' AS at";
    let of = |format: &str| stdout(&program.run(&["-c", sql, "--format", format]));
    assert_eq!(
        of("csv"),
        "user,lasted,nothing,empty,at\nann,PT1H5M,,\"\",2026-01-02T03:04:05.500Z\n"
    );
    assert_eq!(
        of("jsonl"),
        "{\"user\":\"ann\",\"lasted\":\"PT1H5M\",\"nothing\":null,\"empty\":\"\",\"at\":\"2026-01-02T03:04:05.500Z\"}\n"
    );
    let json: serde_json::Value = serde_json::from_str(&of("json")).expect("json is JSON");
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["rows"][0]["lasted"], "PT1H5M");
    assert_eq!(json["meta"]["complete"], true);
    assert!(of("table").contains("1h05m"), "{}", of("table"));
}

#[test]
fn what_goes_into_a_pipe_is_whole() {
    let program = Program::new();
    let long = "x".repeat(300);
    let sql = format!("SELECT '{long}' AS text, 'a|b' AS other, 65m AS lasted");
    for format in ["table", "vertical", "markdown"] {
        let mut command = command(&program.config(), &["-c", &sql, "--format", format]);
        let output = command.env("COLUMNS", "20").output().expect("the program starts");
        let text = stdout(&output);
        assert!(text.contains(&long) && text.contains("1h05m"), "{format}: {text}");
        assert_eq!((code(&output), stderr(&output)), (0, String::new()));
    }
}

#[test]
fn exit_codes() {
    let program = Program::new();
    let of = |arguments: &[&str]| code(&program.run(arguments));
    assert_eq!(of(&["-c", "SELECT 1"]), 0);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn LIMIT 1", "--expect", "empty"]), 1);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn LIMIT 1", "--expect", "nonempty"]), 0);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn LIMIT 3", "--expect", "rows <= 2"]), 1);
    assert_eq!(of(&["-c", "SELEC 1"]), 2);
    assert_eq!(of(&["--no-such-flag"]), 2);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn SINCE 30d"]), 4);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn SINCE 30d", "--allow-partial"]), 0);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn SINCE 30d", "--expect", "empty"]), 4);
    assert_eq!(of(&["-c", "SELECT id FROM openvpn SINCE 30d LIMIT 1"]), 0, "enough rows");
    assert_eq!(of(&["-c", "SELECT id FROM openvpn", "--max-requests", "1"]), 4);
    program.rewrite_config(|text| with_key(&text, "accept = [\"history\"]"));
    assert_eq!(of(&["-c", "SELECT id FROM openvpn SINCE 30d"]), 0, "an accepted gap");
}

#[test]
fn at_now_asks_for_now() {
    let program = Program::new();
    let sql = "SELECT user FROM oam AT now WHERE user = 'nobody'";
    let output = program.run(&["-c", sql]);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
}

#[test]
fn an_incomplete_result_says_so_once() {
    let program = Program::new();
    let output = program.run(&["-c", "SELECT id FROM openvpn SINCE 30d", "--format", "json"]);
    assert_eq!(code(&output), 4);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("json is JSON");
    assert_eq!(json["meta"]["complete"], false);
    assert_eq!(json["meta"]["off"], "missing");
    assert_eq!(json["meta"]["connections"][0]["gaps"][0]["reason"], "history");
    assert!(stderr(&output).contains("history"), "{}", stderr(&output));
    let output = program.run(&["-c", "SELECT count(*) FROM openvpn SINCE 30d", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("json is JSON");
    assert_eq!(json["meta"]["off"], "wrong", "an aggregate over missing rows");
    let output = program.run(&["-c", "SELECT id FROM openvpn SINCE 30d", "--require-complete"]);
    assert_eq!((code(&output), stdout(&output)), (4, String::new()));
}

/// Runs something wrong; returns the code and standard error, after checking that nothing was printed.
fn wrong(program: &Program, arguments: &[&str]) -> (i32, String) {
    let output = program.run(arguments);
    assert_eq!(stdout(&output), "", "{arguments:?}");
    (code(&output), stderr(&output))
}

#[test]
fn a_wrong_name_has_a_caret_and_a_hint() {
    let program = Program::new();
    let (code, text) = wrong(&program, &["-c", "SELECT usr FROM openvpn"]);
    assert_eq!(code, 2);
    assert_eq!(
        text,
        "error: no column `usr`\n  |\n1 | SELECT usr FROM openvpn\n  |        ^^^\nhint: did you mean `user`?\n"
    );
    let (code, text) = wrong(&program, &["-c", "SELECT user FROM openvpm"]);
    assert_eq!(code, 2);
    assert_eq!(
        text,
        "error: no table `openvpm`\n  |\n1 | SELECT user FROM openvpm\n  |                  ^^^^^^^\nhint: did you mean `openvpn`?\n"
    );
}

#[test]
fn a_bad_time_has_a_caret() {
    let program = Program::new();
    let (code, text) = wrong(&program, &["-c", "SELECT id FROM openvpn WHERE start > 'soon'"]);
    assert_eq!(code, 2);
    assert!(text.starts_with("error: `soon` is not a date or time\n"), "{text}");
    assert!(text.contains("|                                      ^^^^^^\n"), "{text}");
}

#[test]
fn wrong_credentials_end_with_3() {
    let program = Program::new();
    let secret = program.sandbox.openvpn.client_secret().to_owned();
    program.rewrite_config(|text| text.replace(&secret, "no-such-secret"));
    let (code, text) = wrong(&program, &["-c", "SELECT id FROM openvpn"]);
    assert_eq!(code, 3);
    assert!(text.contains("connection `openvpn`") && text.contains("hint:"), "{text}");
    assert!(!text.contains("no-such-secret"), "{text}");
}

#[test]
fn an_unreachable_host_ends_with_3() {
    let program = Program::new();
    let base_url = program.sandbox.openvpn.base_url().to_owned();
    program.rewrite_config(|text| text.replace(&base_url, "http://127.0.0.1:9"));
    let (code, text) = wrong(&program, &["-c", "SELECT id FROM openvpn"]);
    assert_eq!(code, 3);
    assert!(text.contains("127.0.0.1:9"), "{text}");
}

#[test]
fn a_bad_configuration_ends_with_2() {
    let program = Program::new();
    program.rewrite_config(|text| with_key(&text, "client_idd = \"x\""));
    let (code, text) = wrong(&program, &["-c", "SELECT id FROM openvpn"]);
    assert_eq!(code, 2);
    assert!(text.contains("config.toml:6") && text.contains("`client_idd`"), "{text}");
    assert!(text.contains("hint: did you mean `client_id`"), "{text}");
    program.rewrite_config(|_| "[settings]\ntimezone = \"UTC\"\n".to_owned());
    let (code, text) = wrong(&program, &["-c", "SELECT 1"]);
    assert_eq!(code, 2);
    assert!(text.contains("config.toml:2") && text.contains("`timezone`"), "{text}");
}

#[test]
fn a_missing_plugin_ends_with_5() {
    let program = Program::new();
    program.rewrite_config(|text| text.replace("plugin = \"openvpn\"", "plugin = \"opnvpn\""));
    let (code, text) = wrong(&program, &["-c", "SELECT id FROM openvpn"]);
    assert_eq!(code, 5);
    assert!(text.contains("plugin `opnvpn` is not found"), "{text}");
    assert!(text.contains("hint: did you mean `openvpn`?"), "{text}");
    assert_eq!(code_of_unused(&program), 0, "a connection that is not named needs no plugin");
}

fn code_of_unused(program: &Program) -> i32 {
    code(&program.run(&["-c", "SELECT 1"]))
}

#[test]
fn a_plugin_of_another_abi_ends_with_5() {
    let program = Program::new();
    program.rewrite_config(|_| {
        "[connections.bad]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n".to_owned()
    });
    let output = command(&program.config(), &["-c", "SELECT * FROM bad"])
        .env("SESSIONQL_FAULTY_ABI", "2")
        .output()
        .expect("the program starts");
    assert_eq!((code(&output), stdout(&output)), (5, String::new()));
    let text = stderr(&output);
    assert!(text.contains("speaks ABI 2, this build speaks ABI 1"), "{text}");
}

#[test]
fn a_plugin_that_panics_when_it_is_described_ends_with_5() {
    let program = Program::new();
    program.rewrite_config(|config| {
        format!(
            "{config}\n[connections.bad]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n"
        )
    });
    let run = |sql: &str| {
        command(&program.config(), &["-c", sql])
            .env("SESSIONQL_FAULTY_CRIME", "panic_in_describe")
            .output()
            .expect("the program starts")
    };
    let output = run("SELECT * FROM bad");
    assert_eq!((code(&output), stdout(&output)), (5, String::new()));
    let text = stderr(&output);
    assert!(text.contains("plugin `faulty`"), "{text}");
    assert!(text.contains("a panic in describe, as asked"), "{text}");
    let others = run("SELECT count(*) FROM openvpn");
    assert_eq!(code(&others), 0, "{}", stderr(&others));
}

#[test]
fn a_secret_in_a_public_file_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    std::fs::set_permissions(program.config(), std::fs::Permissions::from_mode(0o644))
        .expect("the mode is changed");
    let (code, text) = wrong(&program, &["-c", "SELECT id FROM openvpn"]);
    assert_eq!(code, 2);
    assert!(text.contains("`client_secret` is a secret in a file that others can read"), "{text}");
    assert!(!text.contains(program.sandbox.openvpn.client_secret()), "{text}");
}

#[test]
fn a_timeout_ends_with_124() {
    use sessionql_sandbox::{Fault, On};
    let program = Program::new();
    program.sandbox.openvpn.faults().plan(On::DataFrom(1), Fault::Hang);
    let output = program.run(&["-c", "SELECT id FROM openvpn", "--timeout", "300ms"]);
    assert_eq!(code(&output), 124, "{}", stderr(&output));
}

#[test]
fn an_interrupt_ends_with_130_and_a_termination_with_143() {
    use sessionql_sandbox::{Fault, On};
    for (signal, expected) in [("INT", 130), ("TERM", 143)] {
        let program = Program::new();
        program.sandbox.openvpn.faults().plan(On::DataFrom(1), Fault::Hang);
        let child = command(&program.config(), &["-c", "SELECT id FROM openvpn"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the program starts");
        while program.sandbox.openvpn.requests().len() < 2 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let pid = child.id().to_string();
        let killed = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(killed.expect("kill runs").success());
        let output = child.wait_with_output().expect("the program ends");
        assert_eq!(code(&output), expected, "{}", stderr(&output));
    }
}

#[test]
fn a_closed_pipe_is_a_quiet_success() {
    let program = Program::new();
    let mut child = command(&program.config(), &["-c", "SELECT * FROM openvpn"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));
}

#[test]
fn statements_come_from_files_and_standard_input() {
    use std::io::Write as _;
    let program = Program::new();
    let file = program.directory.path().join("two.sql");
    std::fs::write(&file, "-- two\nSELECT 1 AS a;\nSELECT 2 AS b;\n").expect("the file is written");
    let output = program.run(&["-f", file.to_str().expect("the path is UTF-8")]);
    assert_eq!((code(&output), stdout(&output)), (0, "a\n1\n\nb\n2\n".to_owned()));
    let mut child = command(&program.config(), &[])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    stdin.write_all(b"SELECT 3 AS c").expect("the program reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((code(&output), stdout(&output)), (0, "c\n3\n".to_owned()));
}

#[test]
fn now_is_what_the_command_line_says() {
    let program = Program::new();
    let output = program.run(&[
        "-c",
        "SELECT now() AS t, now() - 24h AS y",
        "--now",
        "2026-01-02T03:04:05Z",
    ]);
    assert_eq!(stdout(&output), "t,y\n2026-01-02T03:04:05Z,2026-01-01T03:04:05Z\n");
}

#[test]
fn explain_as_text_and_as_json() {
    let program = Program::new();
    let sql = "EXPLAIN SELECT user FROM openvpn WHERE status = 'ACTIVE' AND duration > 1h LIMIT 5";
    let of = |format: &str| {
        let output = program.run(&["-c", sql, "--format", format, "--now", "2026-03-15T12:00:00Z"]);
        assert_eq!((code(&output), stderr(&output)), (0, String::new()));
        stdout(&output)
    };
    let text = of("csv");
    assert!(text.starts_with("openvpn.sessions\n  requests: 1, "), "{text}");
    assert!(text.contains("\n    status = 'ACTIVE'\n      exact: sent as `status`\n"), "{text}");
    assert!(text.ends_with("\nplan\n  read openvpn.sessions, the first 5\n"), "{text}");
    assert!(of("table").lines().all(|line| line.chars().count() <= 80), "{}", of("table"));
    let (json, jsonl) = (of("json"), of("jsonl"));
    assert_eq!((json.lines().count(), jsonl.lines().count()), (1, 1));
    let json: serde_json::Value = serde_json::from_str(&json).expect("json is JSON");
    let keys: Vec<&String> = json.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["scans", "plan"]);
    let scan = &json["scans"][0];
    assert_eq!(scan["requests"][0]["method"], "GET");
    assert_eq!(scan["requests"][0]["path"], "/api/beta/sessions");
    assert_eq!(scan["requests"][0]["body"], serde_json::Value::Null);
    let query = scan["requests"][0]["query"].as_str().expect("a text");
    assert!(query.contains("size=100&status=ACTIVE&returnOnlyNew=false"), "{query}");
    let filters = serde_json::json!([
        { "sql": "status = 'ACTIVE'", "verdict": "exact", "reason": "sent as `status`" },
        {
            "sql": "duration > 1h",
            "verdict": "unsupported",
            "reason": "the engine computes this column",
        },
    ]);
    assert_eq!(scan["filters"], filters);
    assert_eq!((&scan["limit"], &scan["limit_sent"]), (&5.into(), &false.into()));
    let plan = serde_json::json!({ "step": "read openvpn.sessions, the first 5", "inputs": [] });
    assert_eq!(json["plan"], plan);
    assert!(program.sandbox.openvpn.data_requests().is_empty());
}

#[test]
fn explain_analyze_ends_as_its_query() {
    let program = Program::new();
    let of = |sql: &str, more: &[&str]| {
        let arguments = [&["-c", sql, "--format", "json"], more].concat();
        let output = program.run(&arguments);
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        (code(&output), json["analyze"].clone())
    };
    let (code, run) = of("EXPLAIN ANALYZE SELECT id FROM openvpn WHERE status = 'ACTIVE'", &[]);
    assert_eq!((code, &run["complete"]), (0, &true.into()));
    let cost = &run["connections"][0];
    assert_eq!((&cost["requests"], &cost["pages"]), (&1.into(), &1.into()));
    assert_eq!((&cost["rows_in"], &cost["rows_out"]), (&run["rows"], &run["rows"]));
    assert_eq!(cost["sent"].as_array().map(Vec::len), Some(2), "the token and the page");
    let (code, run) = of("EXPLAIN ANALYZE SELECT id FROM openvpn SINCE 30d", &[]);
    assert_eq!((code, &run["off"]), (4, &"missing".into()));
    let (code, _) = of("EXPLAIN SELECT id FROM openvpn SINCE 30d", &["--expect", "empty"]);
    assert_eq!(code, 0, "what does not run has no result to judge");
    let (code, _) = of("EXPLAIN ANALYZE SELECT id FROM openvpn LIMIT 1", &["--expect", "empty"]);
    assert_eq!(code, 1);
    let (code, run) = of("EXPLAIN ANALYZE SELECT id FROM openvpn", &["--max-requests", "1"]);
    assert_eq!((code, &run["connections"][0]["gaps"][0]["reason"]), (4, &"budget".into()));
    let secret = program.sandbox.openvpn.client_secret().to_owned();
    program.rewrite_config(|text| text.replace(&secret, "no-such-secret"));
    let (code, run) = of("EXPLAIN ANALYZE SELECT id FROM openvpn", &[]);
    assert_eq!((code, &run["complete"]), (3, &false.into()));
    assert!(run["error"].as_str().is_some_and(|error| error.contains("`openvpn`")), "{run}");
}

//! What scripts may rely on, where no other file holds it: windows of the command line, branches of
//! `sessions`, files that are replaced or kept, and the machine formats byte for byte.

use sessionql_tests::program::{Program, code, stdout};

/// Replaces the time that something took, which no test can know.
fn timeless(line: &str) -> String {
    let (before, after) = line.split_once("\"elapsed_ms\":").expect("there is a time");
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}\"elapsed_ms\":0{after}")
}

#[test]
fn machine_formats_byte_for_byte() {
    let program = Program::new();
    let sql = "SELECT 'a,\"b\"' AS t, '' AS empty, NULL AS nothing, 7 AS n, 1.5 AS f, true AS b, \
               TIMESTAMP '2026-01-02 03:04:05' AS at, TIMESTAMP '2026-01-02 03:04:05.000001' AS at, \
               INTERVAL '25h 0.5s' AS d, ['x', NULL] AS l";
    let of = |format: &str, sql: &str| {
        let output = program.run(&["-c", sql, "--format", format]);
        assert_eq!((code(&output), output.stderr.len()), (0, 0), "{format}");
        stdout(&output)
    };
    assert_eq!(
        of("csv", sql),
        "t,empty,nothing,n,f,b,at,at_2,d,l\n\"a,\"\"b\"\"\",\"\",,7,1.5,true,2026-01-02T03:04:05Z,\
         2026-01-02T03:04:05.000001Z,PT25H0.5S,\"[\"\"x\"\",null]\"\n"
    );
    let row = r#"{"t":"a,\"b\"","empty":"","nothing":null,"n":7,"f":1.5,"b":true,"at":"2026-01-02T03:04:05Z","at_2":"2026-01-02T03:04:05.000001Z","d":"PT25H0.5S","l":["x",null]}"#;
    assert_eq!(of("jsonl", sql), format!("{row}\n"));
    let columns = r#"[{"name":"t","type":"text"},{"name":"empty","type":"text"},{"name":"nothing","type":"null"},{"name":"n","type":"int64"},{"name":"f","type":"float64"},{"name":"b","type":"bool"},{"name":"at","type":"timestamp"},{"name":"at_2","type":"timestamp"},{"name":"d","type":"duration"},{"name":"l","type":"list<text>"}]"#;
    let meta = r#"{"complete":true,"off":null,"connections":[],"elapsed_ms":0}"#;
    let envelope = format!(
        "{{\"schema_version\":1,\"columns\":{columns},\"rows\":[{row}],\"meta\":{meta}}}\n"
    );
    assert_eq!(timeless(&of("json", sql)), envelope);
    let two = "SELECT 1 AS a; SELECT 2 AS b";
    assert_eq!(of("jsonl", two), "{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(of("json", two).lines().count(), 2);
    let none = "SELECT 1 AS a WHERE false";
    assert_eq!((of("csv", none), of("jsonl", none)), ("a\n".to_owned(), String::new()));
    let envelope =
        "{\"schema_version\":1,\"columns\":[{\"name\":\"a\",\"type\":\"int64\"}],\"rows\":[],";
    assert!(of("json", none).starts_with(envelope));
}

#[test]
fn a_window_of_the_command_line_is_that_of_queries_without_one() {
    let program = Program::new();
    let output = program.run(&["-c", "SELECT n FROM (VALUES (1)) t(n)", "--since", "1h"]);
    assert_eq!(stdout(&output), "n\n1\n", "a query of no session has no window");
    let ids = |more: &[&str]| {
        let output = program.run(&[&["-c", "SELECT id FROM openvpn"], more].concat());
        assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
        let mut ids: Vec<String> = stdout(&output).lines().skip(1).map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let output = program.run(&["-c", "SELECT id FROM openvpn SINCE 3d UNTIL 2d"]);
    let mut own: Vec<String> = stdout(&output).lines().skip(1).map(str::to_owned).collect();
    own.sort();
    assert_eq!(ids(&["--since", "3d", "--until", "2d"]), own);
    assert!(!own.is_empty() && own.len() < ids(&["--since", "6d"]).len());
    let output = program.run(&["-c", "SELECT id FROM openvpn SINCE 3d UNTIL 2d", "--since", "6d"]);
    assert_eq!(stdout(&output).lines().count(), own.len() + 1, "its own window counts");
}

#[test]
fn a_branch_of_sessions_that_fails_is_a_gap_and_all_are_a_failure() {
    let program = Program::new();
    let query = ["-c", "SELECT connection FROM sessions AT now", "--format", "jsonl"];
    program.rewrite_config(|text| text.replace("plugin = \"oam\"", "plugin = \"oan\""));
    let output = program.run(&query);
    assert_eq!(code(&output), 4, "a plugin that is not there, here");
    assert!(stdout(&output).contains("openvpn") && !stdout(&output).contains("oam"));
    let partial = program.run(&[&query[..], &["--allow-partial"]].concat());
    assert_eq!(code(&partial), 0);
    program.rewrite_config(|text| {
        let lines = text.lines().map(|line| match line.starts_with("base_url") {
            true => "base_url = \"http://127.0.0.1:9\"",
            false => line,
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
    let output = program.run(&query);
    assert_eq!((code(&output), stdout(&output)), (3, String::new()));
}

#[test]
fn a_file_is_replaced_by_a_result_and_kept_otherwise() {
    let program = Program::new();
    let file = program.directory.path().join("rows.csv");
    let name = file.to_str().expect("the path is UTF-8");
    let run = |arguments: &[&str]| {
        std::fs::write(&file, "old").expect("the file is written");
        let output = program.run(&[arguments, &["--output", name]].concat());
        assert_eq!(stdout(&output), "");
        (code(&output), std::fs::read_to_string(&file).expect("the file is there"))
    };
    assert_eq!(run(&["-c", "SELECT 1 AS n"]), (0, "n\n1\n".to_owned()));
    assert_eq!(run(&["-c", "SELECT 1 AS n", "--expect", "empty"]), (1, "n\n1\n".to_owned()));
    let (exit, text) = run(&["-c", "SELECT id FROM openvpn SINCE 30d"]);
    assert_eq!((exit, text.lines().next()), (4, Some("id")));
    assert_eq!(run(&["-c", "SELECT nothing"]), (2, "old".to_owned()));
    let secret = program.sandbox.openvpn.client_secret().to_owned();
    program.rewrite_config(|text| text.replace(&secret, "no-such-secret"));
    assert_eq!(run(&["-c", "SELECT id FROM openvpn"]), (3, "old".to_owned()));
}

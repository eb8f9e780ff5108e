//! `sessionql test`: queries on rows that are given, without a provider.

use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use sessionql_core::config::Config;
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions};
use sessionql_tests::{plugin_directory, program};

/// Exit code, stdout, stderr.
type Left = (i32, String, String);

/// A directory with a query and its test.
struct Directory(tempfile::TempDir);

const QUERY: &str = "\
-- sessionql: 1
-- param: longer interval = 1h
SELECT user, start, duration FROM openvpn SINCE 24h WHERE duration > $longer
";

/// The begin of a test file.
const NOW: &str = "now = \"2026-03-15T12:00:00Z\"\n";

const ANN: &str =
    r#"{"id": "1", "user": "ann", "start": "2026-03-15T08:00:00Z", "end": "2026-03-15T10:00:00Z"}"#;

impl Directory {
    fn new(query: &str, test: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).expect("the file is written");
        };
        write("q.sql", query);
        write("q.test.toml", test);
        Self(directory)
    }

    fn run(&self, arguments: &[&str]) -> Left {
        let mut command = Command::new(program());
        command.env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        command.arg("--plugin-dir").arg(plugin_directory()).arg("test").args(arguments);
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let code = output.status.code().expect("the program ended by itself");
        (code, text(output.stdout), text(output.stderr))
    }
}

/// Tests the query with one case, of which this is everything but the name.
fn case(query: &str, case: &str) -> Left {
    let test = format!("{NOW}[[case]]\nname = \"a\"\n{case}\n");
    Directory::new(query, &test).run(&["q.test.toml"])
}

fn passes(query: &str, rest: &str) {
    let left = case(query, rest);
    assert_eq!(left, (0, "ok     q.test.toml: a\n1 passed, 0 failed\n".to_owned(), String::new()));
}

/// Runs a case that is wrong, and returns what is said of it.
fn wrong(query: &str, rest: &str) -> String {
    let (code, stdout, stderr) = case(query, rest);
    assert_eq!((code, stdout.lines().last()), (2, Some("0 passed, 0 failed, 1 wrong")), "{stderr}");
    stderr
}

#[test]
fn rows_are_given_and_compared() {
    let expected = r#"{"user": "ann", "start": "2026-03-15T08:00:00Z", "duration": "PT2H"}"#;
    passes(QUERY, &format!("rows.openvpn = '{ANN}'\nexpected = '{expected}'"));
}

#[test]
fn times_and_durations_are_equal_however_they_are_written() {
    let expected = r#"{"start": "2026-03-15 09:00:00+01:00", "duration": "2h"}"#;
    passes(QUERY, &format!("rows.openvpn = '{ANN}'\nexpected = '{expected}'"));
}

#[test]
fn a_difference_is_told_row_by_row() {
    let rest = format!(
        "rows.openvpn = '''\n{ANN}\n{}\n'''\nexpected = '''\n{{\"user\": \"ann\"}}\n{{\"user\": \"cat\"}}\n'''",
        ANN.replace("\"1\"", "\"2\"").replace("ann", "bob")
    );
    let expected = "\
FAILED q.test.toml: a
  missing     {\"user\":\"cat\"}
  unexpected  {\"user\":\"bob\",\"start\":\"2026-03-15T08:00:00Z\",\"duration\":\"PT2H\"}
0 passed, 1 failed
";
    assert_eq!(case(QUERY, &rest), (1, expected.to_owned(), String::new()));
}

#[test]
fn rows_are_a_bag_unless_the_query_orders_them() {
    let rows = format!("rows.openvpn = '''\n{ANN}\n{}\n'''", ANN.replace("\"1\"", "\"2\""));
    let twice = "expected = '''\n{\"user\": \"ann\"}\n{\"user\": \"ann\"}\n'''";
    passes(QUERY, &format!("{rows}\n{twice}"));
    let (code, stdout, _) = case(QUERY, &format!("{rows}\nexpected = '{{\"user\": \"ann\"}}'"));
    assert_eq!(code, 1, "two are not one: {stdout}");
    let rows = format!(
        "rows.openvpn = '''\n{ANN}\n{}\n'''",
        ANN.replace("\"1\"", "\"2\"").replace("ann", "bob")
    );
    let exchanged = "expected = '''\n{\"user\": \"bob\"}\n{\"user\": \"ann\"}\n'''";
    passes(QUERY, &format!("{rows}\n{exchanged}"));
    let ordered = QUERY.replace("> $longer", "> $longer ORDER BY user");
    let (code, stdout, _) = case(&ordered, &format!("{rows}\n{exchanged}"));
    assert_eq!(code, 1);
    assert!(stdout.contains("\n  the rows are as expected, but in another order\n"), "{stdout}");
}

#[test]
fn the_clock_stands_where_the_case_says() {
    let query = "SELECT user, duration, now() AS t FROM openvpn AT now";
    let open = r#"{"id": "1", "user": "ann", "start": "2026-03-15T08:00:00Z"}"#;
    let expected = r#"{"user": "ann", "duration": "PT4H", "t": "2026-03-15T12:00:00Z"}"#;
    passes(query, &format!("rows.openvpn = '{open}'\nexpected = '{expected}'"));
    let earlier = "now = \"2026-03-15T07:59:59Z\"";
    passes(query, &format!("{earlier}\nrows.openvpn = '{open}'\nexpected = ''"));
}

#[test]
fn windows_and_parameters_are_the_cases() {
    passes(
        QUERY,
        &format!("parameters = {{ longer = \"2h\" }}\nrows.openvpn = '{ANN}'\nexpected = ''"),
    );
    let query = "SELECT user FROM openvpn";
    let rows = format!("rows.openvpn = '{ANN}'");
    passes(query, &format!("since = \"2h\"\n{rows}\nexpected = ''"));
    passes(query, &format!("since = \"3h\"\n{rows}\nexpected = '{{\"user\": \"ann\"}}'"));
    let said = wrong(QUERY, &format!("parameters = {{ longr = \"2h\" }}\n{rows}\nexpected = ''"));
    assert!(said.contains("the query has no parameter `longr`"), "{said}");
    let said = wrong(QUERY, &format!("parameters = {{ longer = 3 }}\n{rows}\nexpected = ''"));
    assert!(said.contains("parameter `longer`"), "{said}");
}

#[test]
fn sessions_are_the_union_of_what_is_given() {
    let query = "SELECT connection, provider, user FROM sessions SINCE 24h WHERE user <> 'bob'";
    let rest = format!(
        "rows.openvpn = '{ANN}'\nrows.oam = '''\n{{\"id\": \"x\", \"user\": \"cat\", \"start\": \"2026-03-15T08:00:00Z\"}}\n'''\n\
         expected = '''\n{{\"connection\": \"oam\", \"provider\": \"oam\", \"user\": \"cat\"}}\n\
         {{\"connection\": \"openvpn\", \"provider\": \"openvpn\", \"user\": \"ann\"}}\n'''"
    );
    passes(query, &rest);
}

#[test]
fn a_connection_may_have_another_name_and_options_than_its_plugin() {
    let test = format!(
        "{NOW}[connections.vpn_eu]\nplugin = \"openvpn\"\napi_version = \"v1\"\n\
         [[case]]\nname = \"a\"\nrows.\"vpn_eu.sessions\" = '{}'\nexpected = '{{\"g\": \"staff\"}}'\n",
        ANN.replace("\"user\"", "\"primary_group_name\": \"staff\", \"user\"")
    );
    let query = "SELECT primary_group_name AS g FROM vpn_eu SINCE 24h";
    let (code, stdout, stderr) = Directory::new(query, &test).run(&["."]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
}

#[test]
fn local_tables_stand_beside_the_test() {
    let test = format!(
        "{NOW}[tables.watchlist]\npath = \"watchlist.csv\"\n\
         [[case]]\nname = \"a\"\nrows.openvpn = '{ANN}'\nexpected = '{{\"why\": \"leaver\"}}'\n"
    );
    let query = "SELECT w.why FROM openvpn o JOIN watchlist w ON w.login = o.user SINCE 24h";
    let directory = Directory::new(query, &test);
    std::fs::write(directory.0.path().join("watchlist.csv"), "login,why\nann,leaver\n")
        .expect("the file is written");
    let (code, stdout, stderr) = directory.run(&["q.test.toml"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
}

#[test]
fn a_wrong_row_has_its_place_in_the_file() {
    let rest = "rows.openvpn = '''\n{\"id\": \"1\", \"usr\": \"ann\"}\n'''\nexpected = ''";
    let expected = "\
error: table `sessions` has no column `usr`
 --> q.test.toml:5:13
  |
5 | {\"id\": \"1\", \"usr\": \"ann\"}
  |             ^^^^^
hint: did you mean `user`?
";
    assert_eq!(wrong(QUERY, rest), expected);
    let rest =
        "rows.openvpn = \"{\\\"id\\\": \\\"1\\\", \\\"start\\\": \\\"soon\\\"}\"\nexpected = ''";
    let said = wrong(QUERY, rest);
    assert!(
        said.contains("column `start`: `soon` is no date or time\n --> q.test.toml:4:"),
        "{said}"
    );
    let rest = "rows.openvpn = '{\"id\": \"1\", \"status\": \"active\"}'\nexpected = ''";
    let said = wrong(QUERY, rest);
    assert!(said.contains("--> q.test.toml:4:39"), "{said}");
    assert!(said.contains("hint: its values are `ACTIVE`, `COMPLETED`, `FAILED`"), "{said}");
}

#[test]
fn a_wrong_row_of_a_file_has_its_place_there() {
    let rest = "rows.openvpn = { file = \"rows.jsonl\" }\nexpected = ''";
    let directory = Directory::new(QUERY, &format!("{NOW}[[case]]\nname = \"a\"\n{rest}\n"));
    std::fs::write(
        directory.0.path().join("rows.jsonl"),
        format!("{ANN}\n{{\"user\": \"bob\"}}\n"),
    )
    .expect("the file is written");
    let (code, _, stderr) = directory.run(&["q.test.toml"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: the row has no `id`\n --> rows.jsonl:2:1\n"), "{stderr}");
}

#[test]
fn what_is_wrong_with_expected_rows_is_told() {
    let rows = format!("rows.openvpn = '{ANN}'");
    for (expected, message) in [
        ("'{\"usr\": 1}'", "error: the result has no column `usr`\n --> q.test.toml:5:13"),
        ("'{\"user\": 1}'", "error: column `user`: 1 is no text"),
        ("'{\"start\": \"soon\"}'", "error: column `start`: \"soon\" is no date or time"),
        ("'{}'", "error: an expected row names no column"),
        ("'[1]'", "error: not a JSON object"),
        ("3", "error: rows are a text with an object of JSON on each line"),
        (
            "'''\n{\"user\": \"ann\"}\n{\"start\": null}\n'''",
            "error: this row names other columns than the first one\n --> q.test.toml:7:1",
        ),
    ] {
        let said = wrong(QUERY, &format!("{rows}\nexpected = {expected}"));
        assert!(said.starts_with(message), "{said}");
    }
}

#[test]
fn wrong_files_end_with_2_and_the_others_run() {
    let good = format!("{NOW}[[case]]\nname = \"a\"\nrows.openvpn = ''\nexpected = ''\n");
    for (test, message) in [
        (NOW, "q.test.toml` has no case"),
        ("x = [", "q.test.toml:1:"),
        ("[[case]]\nname = \"a\"\nexpected = ''\n", "the case does not say when it is"),
        ("[[case]]\nnam = \"a\"\n", "unknown field `nam`"),
        ("now = \"soon\"\n[[case]]\nname = \"a\"\nexpected = ''\n", "`now`: `soon` is not a time"),
        (
            "query = \"none.sql\"\n[[case]]\nname = \"a\"\nexpected = ''\n",
            "hint: it is the query that `./q.test.toml` tests",
        ),
        ("[settings]\ntimezone = \"UTC\"\n[[case]]\nname = \"a\"\nexpected = ''\n", "`timezone`"),
    ] {
        let directory = Directory::new(QUERY, test);
        let write = |name: &str, text: &str| {
            std::fs::write(directory.0.path().join(name), text).expect("the file is written");
        };
        write("z.sql", QUERY);
        write("z.test.toml", &good);
        let (code, stdout, stderr) = directory.run(&["."]);
        assert_eq!(code, 2, "{test}: {stdout}{stderr}");
        assert!(stderr.contains(message), "{test}: {stderr}");
        assert!(
            stdout.contains("ok     ./z.test.toml: a\n1 passed, 0 failed, 1 wrong"),
            "{stdout}"
        );
    }
    for query in [
        "SELEC 1",
        "SELECT usr FROM openvpn",
        "SELECT 1; SELECT 2",
        "-- sessionql: 1\n-- a: b\nSELECT 1",
    ] {
        let said = wrong(query, "rows.openvpn = ''\nexpected = ''");
        assert!(said.starts_with("error: "), "{query}: {said}");
    }
}

#[test]
fn a_plugin_that_is_not_there_ends_with_5() {
    let (code, stdout, stderr) = case(QUERY, "rows.opnvpn = ''\nexpected = ''");
    assert_eq!(code, 5, "{stdout}");
    assert!(stderr.contains("plugin `opnvpn` is not found"), "{stderr}");
}

#[test]
fn a_query_that_fails_on_its_rows_has_failed() {
    let query = "SELECT 1 / (extract(hour FROM start) - 8)::int AS n FROM openvpn SINCE 24h";
    let (code, stdout, _) = case(query, &format!("rows.openvpn = '{ANN}'\nexpected = ''"));
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("  the query failed: "), "{stdout}");
}

#[test]
fn nothing_tested_is_an_error() {
    let test = format!("{NOW}[[case]]\nname = \"a\"\nrows.openvpn = ''\nexpected = ''\n");
    let directory = Directory::new(QUERY, &test);
    let (code, stdout, stderr) = directory.run(&["--filter", "other", "."]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(stderr, "error: no test has `other` in its file or name\n");
    let empty = tempfile::tempdir().expect("a directory is made");
    let (code, _, stderr) = directory.run(&[empty.path().to_str().expect("the path is UTF-8")]);
    assert_eq!((code, stderr.lines().next()), (2, Some("error: no test is found")));
    assert_eq!(directory.run(&["none"]).0, 2);
    assert_eq!(directory.run(&["--filter", "toml: a", "."]).0, 0);
}

#[test]
fn outcomes_as_json() {
    let test = format!(
        "{NOW}[[case]]\nname = \"a\"\nrows.openvpn = '{ANN}'\nexpected = '{{\"user\": \"bob\"}}'\n\
         [[case]]\nname = \"b\"\nexpected = ''\n"
    );
    let (code, stdout, stderr) = Directory::new(QUERY, &test).run(&["--format", "json", "."]);
    assert_eq!(code, 2, "what is wrong is worse than what failed: {stderr}");
    let expected = r#"{"schema_version":1,"passed":0,"failed":1,"wrong":1,"cases":[{"file":"./q.test.toml","query":"./q.sql","name":"a","outcome":"failed","missing":[{"user":"bob"}],"unexpected":[{"user":"ann","start":"2026-03-15T08:00:00Z","duration":"PT2H"}],"out_of_order":false,"error":null},{"file":"./q.test.toml","query":"./q.sql","name":"b","outcome":"wrong","missing":[],"unexpected":[],"out_of_order":false,"error":{"message":"no table `openvpn`: no connection is configured"}}]}
"#;
    assert_eq!(stdout, expected);
}

#[test]
fn any_text_is_rows_or_a_fault_with_a_place() {
    let plugin_path = PluginPath { directories: vec![plugin_directory()] };
    let options = EngineOptions { plugin_path, reads_fixtures: true, ..EngineOptions::default() };
    let config = Config::parse("[connections.openvpn]\nplugin = \"openvpn\"\n");
    let engine = Engine::new(config.expect("it is right"), options).expect("an engine starts");
    let connection = engine.connections().open("openvpn").expect("it opens").expect("it is there");
    let pieces = [
        "{",
        "}",
        "\"id\"",
        ":",
        ",",
        "\"ä\"",
        "null",
        "1",
        "\"start\"",
        "\"2026-01-01\"",
        "[",
        "]",
        "\n",
        " ",
        "\"bytes_in\"",
        "-0.5e9",
        "\"\\u00e4\"",
        "é",
        "\u{feff}",
        "true",
        "\"raw\"",
        "{}",
        "{\"id\":\"a\"}\n",
    ];
    let zone = engine.settings().time_zone;
    let text = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24);
    let mut runner = TestRunner::new(Runs { failure_persistence: None, ..Runs::default() });
    let result = runner.run(&text.prop_map(|pieces| pieces.concat()), |text| {
        if let Err(fault) = connection.give_rows(None, &text, zone) {
            let span = fault.span.expect("what is wrong with rows has a place");
            prop_assert!(text.get(span.start..span.end).is_some(), "{text:?}: {span:?}");
        }
        Ok(())
    });
    result.expect("it holds");
}

#[test]
fn places_are_given_in_place_of_a_database() {
    let query = "SELECT (p).country AS country, (p).city AS city, (p).latitude AS latitude, \
                 (p).asn AS asn FROM (SELECT geoip(client_ip) AS p FROM openvpn SINCE 24h) v";
    let places = "[[geoip]]\nnetwork = \"192.0.2.0/24\"\ncountry = \"XA\"\nlatitude = 1.5\n\
                  [[geoip]]\nnetwork = \"192.0.2.8/32\"\ncity = \"Middleton\"\nasn = 64496\n";
    let row = |id: u8, address: &str| {
        format!(r#"{{"id": "{id}", "start": "2026-03-15T08:00:00Z", "client_ip": "{address}"}}"#)
    };
    let rows = [row(1, "192.0.2.7"), row(2, "192.0.2.8"), row(3, "192.0.3.1")].join("\n");
    let expected = "{\"country\": \"XA\", \"city\": null, \"latitude\": 1.5, \"asn\": null}\n\
                    {\"country\": null, \"city\": \"Middleton\", \"latitude\": null, \"asn\": 64496}\n\
                    {\"country\": null, \"city\": null, \"latitude\": null, \"asn\": null}";
    let test = |places: &str| {
        let case = format!(
            "[[case]]\nname = \"a\"\nrows.openvpn = '''\n{rows}\n'''\nexpected = '''\n{expected}\n'''\n"
        );
        Directory::new(query, &format!("{NOW}{places}{case}")).run(&["q.test.toml"])
    };
    let (code, stdout, stderr) = test(places);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let (code, _, stderr) = test("");
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: `geoip` has no database of places\n"), "{stderr}");
    let (code, _, stderr) = test(&places.replace("192.0.2.8/32", "192.0.2.8/33"));
    assert_eq!(code, 2);
    assert!(
        stderr.starts_with("error: `192.0.2.8/33` is not a network\n --> q.test.toml:7:11\n"),
        "{stderr}"
    );
    let (code, _, stderr) = test(&places.replace("asn", "as_number"));
    assert_eq!(code, 2);
    assert!(stderr.contains("unknown field `as_number`"), "{stderr}");
}

//! Parameters: what is given on the command line, in files and by SET, and what becomes of it.

use std::path::Path;
use std::process::Command;

use sessionql_core::explain::Verdict;
use sessionql_core::{Error, ExecuteOptions, Parameters};
use sessionql_tests::{Answer, World, program, run};

/// A query file with all that a header may have.
const LATE: &str = "\
-- sessionql: 1
-- name: late
-- severity: high      owner: secops
-- expect: nonempty
-- param: who text -- whose sessions
-- param: n int = 3
-- param: min interval = 8h
SELECT $who AS who, $n + 1 AS n, $min > 1h AS is_long
";

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

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Left {
        let mut command = Command::new(program());
        command.env_clear().env("HOME", self.path()).current_dir(self.path());
        command.args(["--now", "2026-03-15T12:00:00Z"]).args(arguments);
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let code = output.status.code().expect("the program ended by itself");
        (code, text(output.stdout), text(output.stderr))
    }
}

fn printed(rows: &str) -> Left {
    (0, rows.to_owned(), String::new())
}

fn refused(stderr: &str) -> Left {
    (2, String::new(), stderr.to_owned())
}

/// Runs one query without files.
fn ask(arguments: &[&str]) -> Left {
    Directory::with(&[]).run(arguments)
}

#[test]
fn a_file_declares_and_the_command_line_gives() {
    let directory = Directory::with(&[("late.sql", LATE)]);
    let given = directory.run(&["-f", "late.sql", "--param", "who=ann", "--param", "min=30m"]);
    assert_eq!(given, printed("who,n,is_long\nann,4,false\n"));
    let given = directory.run(&["-f", "late.sql", "--param", "who=ann", "--param", "who=bob"]);
    assert_eq!(given, printed("who,n,is_long\nbob,4,true\n"), "the later one counts");
}

#[test]
fn a_value_is_never_part_of_the_text() {
    let hostile = "x' OR '1' = '1'; -- $who {n:int} $$";
    let query = "SELECT $who AS who, length($who) AS n WHERE 'x' <> $who";
    let given = ask(&["-c", query, "--param", &format!("who={hostile}")]);
    assert_eq!(given, printed(&format!("who,n\n{hostile},{}\n", hostile.len())));
    assert_eq!(ask(&["-c", "SELECT '$who' AS t", "--format", "csv"]), printed("t\n$who\n"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let directory = Directory::with(&[("late.sql", LATE)]);
    let expected = "\
error: no value for parameter `$who`, which is text
 --> late.sql:5:11
  |
5 | -- param: who text -- whose sessions
  |           ^^^
hint: give it with `--param who=…`
error: parameter `n`: `ten` is not an int
error: the query has no parameter `mn`
hint: did you mean `min` or `n`?
";
    let (code, stdout, stderr) =
        directory.run(&["-f", "late.sql", "--param", "n=ten", "--param", "mn=1h"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(
        stderr.replace("did you mean `n` or `min`?", "did you mean `min` or `n`?"),
        expected
    );
}

#[test]
fn nothing_runs_unless_all_texts_have_their_parameters() {
    let (code, stdout, stderr) = ask(&["-c", "SELECT 1", "-c", "SELECT {n:int}"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("no value for parameter `$n`, which is int"), "{stderr}");
}

#[test]
fn an_unknown_parameter_is_refused() {
    let expected = "error: the query has no parameter `woh`\nhint: did you mean `who`?\n";
    let query = ["-c", "SELECT {who:text = 'x'}", "--param", "woh=ann"];
    assert_eq!(ask(&query), refused(expected));
    let expected = "error: parameter `now` is built in\nhint: use `--now`\n";
    assert_eq!(ask(&["-c", "SELECT $now", "--param", "now=2026-01-01"]), refused(expected));
}

#[test]
fn a_declaration_that_is_none_has_a_place() {
    let directory = Directory::with(&[("a.sql", "-- param: n integer\nSELECT $n\n")]);
    let expected = "\
error: no parameter type `integer`
 --> a.sql:1:13
  |
1 | -- param: n integer
  |             ^^^^^^^
hint: types are text, int, float, bool, timestamp, interval and cidr, and lists such as text[]
";
    assert_eq!(directory.run(&["-f", "a.sql"]), refused(expected));
}

#[test]
fn a_file_of_values_counts_less_than_the_command_line() {
    let values = "who = \"ann\"\nn = 40\nmin = \"2h\"\n";
    let directory = Directory::with(&[("late.sql", LATE), ("values.toml", values)]);
    let given =
        directory.run(&["-f", "late.sql", "--params-file", "values.toml", "--param", "n=7"]);
    assert_eq!(given, printed("who,n,is_long\nann,8,true\n"));
    let (code, _, stderr) = directory.run(&["-c", "SELECT 1", "--params-file", "values.toml"]);
    assert_eq!((code, stderr.matches("has no parameter").count()), (2, 3), "{stderr}");
    let missing = directory.run(&["-c", "SELECT 1", "--params-file", "none.toml"]);
    assert_eq!(missing.0, 2);
}

#[test]
fn types_and_lists() {
    let query = "SELECT {f:float} + 1 AS f, {b:bool} AS b, {t:timestamp} AS t, {d:interval} * 2 AS d, \
                 {i:cidr} AS i, 2 IN {l:int[]} AS l, 2 NOT IN ({e:int[]}) AS e";
    let given = ask(&[
        "-c",
        query,
        "--time-zone",
        "Europe/Berlin",
        "--param",
        "f=3",
        "--param",
        "b=true",
        "--param",
        "t=2026-03-01 10:00",
        "--param",
        "d=90m",
        "--param",
        "i=10.0.0.0/8",
        "--param",
        "l=1,2",
        "--param",
        "e=[]",
    ]);
    let row = "4.0,true,2026-03-01T09:00:00Z,PT3H,10.0.0.0/8,true,true";
    assert_eq!(given, printed(&format!("f,b,t,d,i,l,e\n{row}\n")));
}

#[test]
fn null_is_a_default_and_nothing_else() {
    let query = "SELECT {who:text = NULL} IS NULL OR 'ann' = $who AS is_shown";
    assert_eq!(ask(&["-c", query]), printed("is_shown\ntrue\n"));
    assert_eq!(ask(&["-c", query, "--param", "who=bob"]), printed("is_shown\nfalse\n"));
    assert_eq!(ask(&["-c", query, "--param", "who="]), printed("is_shown\nfalse\n"), "empty text");
    let empty = ask(&["-c", "SELECT {n:int}", "--param", "n="]);
    assert_eq!(empty, refused("error: parameter `n`: an empty text is not an int\n"));
}

#[test]
fn parameters_in_limit_window_and_in_the_place_of_lists() {
    let rows = "FROM (VALUES (1), (2), (3)) t(n)";
    let limited = format!("SELECT n {rows} ORDER BY n LIMIT {{n:int}} OFFSET $skip");
    let (code, _, stderr) = ask(&["-c", &limited, "--param", "n=1", "--param", "skip=1"]);
    assert_eq!(code, 2, "text is no number of rows: {stderr}");
    let limited = format!("SELECT n {rows} ORDER BY n LIMIT {{n:int}} OFFSET {{skip:int}}");
    let given = ask(&["-c", &limited, "--param", "n=1", "--param", "skip=1"]);
    assert_eq!(given, printed("n\n2\n"));
    for condition in ["n IN $l", "n IN ($l)", "n = ANY($l)", "NOT n <> ALL($l)", "n IN (9, $l)"] {
        let query =
            format!("SELECT n {rows} WHERE {condition} AND {{l:int[]}} IS NOT NULL ORDER BY n");
        let given = ask(&["-c", &query, "--param", "l=1,3"]);
        assert_eq!(given, printed("n\n1\n3\n"), "{condition}");
        if condition != "n IN (9, $l)" {
            let none = ask(&["-c", &query, "--param", "l=[]"]);
            assert_eq!(none, printed("n\n"), "{condition}");
        }
    }
}

#[test]
fn set_gives_a_value_to_what_follows() {
    let script = "SET $n = 2; SELECT $n * 2 AS n; SET $n = 'x'; SELECT $n AS n";
    assert_eq!(ask(&["-c", script]), printed("n\n4\n\nn\nx\n"));
    let (code, _, stderr) = ask(&["-c", "SET $now = '2026-01-01'"]);
    assert_eq!((code, stderr.lines().next()), (2, Some("error: parameter `now` is built in")));
    let (code, _, stderr) = ask(&["-c", "SET $n = 'x'; SELECT {n:int}"]);
    assert_eq!(
        (code, stderr.lines().next()),
        (2, Some("error: parameter `n`: this is not an int"))
    );
}

#[test]
fn built_in_parameters() {
    let given = ask(&[
        "-c",
        "SELECT $now = now() AS is_now, $until - $since AS d",
        "--since",
        "24h",
        "--until",
        "1h",
    ]);
    assert_eq!(given, printed("is_now,d\ntrue,PT23H\n"));
    let expected = "\
error: no value for parameter `$since`
  |
1 | SELECT $since
  |        ^^^^^^
hint: give it with `--since`
";
    assert_eq!(ask(&["-c", "SELECT $since"]), refused(expected));
}

#[test]
fn what_a_query_takes_is_described() {
    let directory = Directory::with(&[("late.sql", LATE)]);
    let described = directory.run(&["-f", "late.sql", "-c", "SELECT $a", "--describe-params"]);
    let expected = r#"{"schema_version":1,"file":"late.sql","name":"late","description":null,"severity":"high","tags":[],"owner":"secops","source":null,"references":[],"expect":"nonempty","parameters":[{"name":"who","type":"text","required":true,"default":null,"doc":"whose sessions"},{"name":"n","type":"int","required":false,"default":"3","doc":null},{"name":"min","type":"interval","required":false,"default":"8h","doc":null}]}
{"schema_version":1,"file":null,"name":null,"description":null,"severity":null,"tags":[],"owner":null,"source":null,"references":[],"expect":null,"parameters":[{"name":"a","type":"text","required":true,"default":null,"doc":null}]}
"#;
    assert_eq!(described, printed(expected));
}

#[test]
fn parameters_are_shown() {
    let script = "-- param: n int = 3 -- how many\nSHOW PARAMETERS";
    let expected = "\
parameter,type,value,doc
now,timestamp,2026-03-15T12:00:00Z,The instant of the statement.
since,timestamp,,The time of `--since`.
until,timestamp,,The time of `--until`.
n,int,5,how many
";
    assert_eq!(ask(&["-c", script, "--param", "n=5"]), printed(expected));
}

/// Runs a query with parameters given as text.
fn with(world: &World, sql: &str, pairs: &[(&str, &str)]) -> Answer {
    let mut parameters = Parameters::default();
    for (name, value) in pairs {
        parameters.give(name, *value);
    }
    run(&world.engine, sql, &ExecuteOptions { parameters, ..ExecuteOptions::default() })
}

#[test]
fn a_parameter_is_pushed_like_the_constant_that_it_stands_for() {
    let world = World::seeded();
    let statuses: &[(&str, &str)] = &[("s", "ACTIVE,FAILED"), ("from", "24h")];
    for (sql, literal) in [
        (
            "SELECT id FROM openvpn WHERE status IN {s:text[]} AND start >= {from:timestamp}",
            "SELECT id FROM openvpn WHERE status IN ('ACTIVE', 'FAILED') AND start >= now() - 24h",
        ),
        (
            "SELECT id FROM openvpn WHERE status = ANY({s:text[]}) SINCE {from:timestamp}",
            "SELECT id FROM openvpn WHERE status IN ('ACTIVE', 'FAILED') SINCE 24h",
        ),
    ] {
        let expected = world.ids(literal);
        let requests = world.requests();
        let answer = with(&world, sql, statuses);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let mut ids: Vec<_> = answer.rows.iter().map(|row| row[0].clone()).collect();
        ids.sort();
        assert_eq!((ids, world.requests()), (expected, requests), "{sql}");
        assert!(!answer.rows.is_empty());
    }
}

#[test]
fn parameters_stand_as_deep_as_anything() {
    let nested = format!("{}$n{}", "(".repeat(120), ")".repeat(120));
    let sum = " + {n:int}".repeat(480);
    let world = World::of(Vec::new());
    let answer = with(&world, &format!("SELECT {nested}{sum} AS n"), &[("n", "1")]);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows, [["481"]]);
}

#[test]
fn a_list_without_items_asks_nothing() {
    let world = World::seeded();
    let answer = with(&world, "SELECT id FROM openvpn WHERE user IN {u:text[]}", &[("u", "[]")]);
    assert!(answer.error.is_none() && answer.rows.is_empty());
    assert_eq!(world.requests(), [""; 0]);
}

#[test]
fn nothing_is_asked_while_a_parameter_or_a_network_is_wrong() {
    let world = World::seeded();
    for (sql, message) in [
        ("SELECT id FROM openvpn WHERE user = $who", "no value for parameter `$who`"),
        (
            "SELECT id FROM openvpn WHERE ip_in(client_ip, '10.0.0/8')",
            "`10.0.0/8` is not a network",
        ),
        ("SELECT id FROM openvpn SINCE $since", "no value for parameter `$since`"),
    ] {
        match with(&world, sql, &[]).error {
            Some(error @ (Error::Parameters { .. } | Error::Lower(_))) => {
                assert_eq!(error.to_string(), message);
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(world.requests(), [""; 0]);
}

#[test]
fn networks_are_checked_here_and_explain_says_so() {
    let world = World::seeded();
    let all = world.ids("SELECT id FROM openvpn WHERE is_private(client_ip) IS NOT NULL");
    let nets: &[(&str, &str)] = &[("nets", "0.0.0.0/1,128.0.0.0/1")];
    let sql = "SELECT id FROM openvpn WHERE ip_in(client_ip, {nets:cidr[]})";
    let answer = with(&world, sql, nets);
    assert_eq!(answer.rows.len(), all.len(), "two halves of all addresses: {:?}", answer.error);
    let explained = with(&world, &format!("EXPLAIN {sql}"), nets);
    let explanation = explained.explanation.expect("there is an explanation");
    let told: Vec<_> = explanation.scans[0]
        .filters
        .iter()
        .map(|filter| (filter.verdict, filter.reason.as_str()))
        .collect();
    let reason = "no test of one column that could be sent (=, IN, a range, LIKE, IS NULL)";
    assert_eq!(told, [(Some(Verdict::Unsupported), reason)]);
}

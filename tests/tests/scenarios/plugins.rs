//! The wall: a small plugin works, a misbehaving one gives an error that names it.
//! `list`, `docs`, `new` and `check` are what `sessionql plugin` does.

#[cfg(unix)]
mod check;
mod docs;
#[cfg(unix)]
mod list;
#[cfg(unix)]
mod new;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use sessionql_core::{Error, Reason};
use sessionql_sandbox::Clock;
use sessionql_tests::{Answer, BEGIN, engine, engine_with_plugins, instant, plugin_directory, run};

fn ask(config: &str, sql: &str) -> Answer {
    let clock = Clock::fixed(instant(BEGIN));
    run(&engine(config, &clock), sql, &Default::default())
}

/// Serves the pages of the API that the minimal plugin reads; returns its base URL.
fn serve_pages() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback socket is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().take(20) {
            let Ok(mut stream) = stream else { return };
            let mut request = [0_u8; 4096];
            let n = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..n]).into_owned();
            let body = if request.contains("cursor=two") {
                r#"{"sessions":[{"id":"3","user":"bob","start":"2026-03-15T09:00:00Z","end":null}]}"#
            } else {
                r#"{"sessions":[{"id":"1","user":"ann","start":"2026-03-15T10:00:00Z","end":"2026-03-15T11:00:00Z"},{"id":"2","user":"bob","start":"2026-03-15T10:00:00+02:00"}],"next":"two"}"#
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

#[test]
fn the_minimal_plugin_answers_every_query() {
    let config =
        format!("[connections.acme]\nplugin = \"minimal\"\nbase_url = \"{}\"\n", serve_pages());
    let answer = ask(
        &config,
        "SELECT id, user, duration, connection FROM acme SINCE 24h WHERE user IN ('ann', 'bob') ORDER BY id",
    );
    assert!(answer.error.is_none(), "{:?}", answer.error);
    let ids: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert!(answer.completeness.is_complete());
    assert_eq!(answer.rows[0][3], "acme");
}

fn crime(name: &str) -> Answer {
    let config = format!(
        "[connections.bad]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\ncrime = \"{name}\"\n"
    );
    ask(&config, "SELECT * FROM bad")
}

#[test]
fn a_plugin_without_a_crime_is_fine() {
    let answer = crime("none");
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert!(!answer.rows.is_empty());
}

#[test]
fn every_crime_is_an_error_that_names_the_connection() {
    for name in [
        "wrong_schema",
        "wrong_column_count",
        "error_after_two_batches",
        "no_report",
        "bad_json_reply",
        "lies_null",
        "undeclared_request",
    ] {
        let answer = crime(name);
        let Some(Error::Scan { connection, error, .. }) = &answer.error else {
            panic!("{name}: a scan's error was due, not {:?}", answer.error);
        };
        assert_eq!(connection, "bad", "{name}");
        assert!(
            !error.message.contains("Some(") && !error.message.contains("Err("),
            "{name}: {error}"
        );
        if name != "error_after_two_batches" {
            assert_eq!(error.code, Reason::PluginError, "{name}: {error}");
        }
    }
}

/// What is compared with a sensitive column is not shown by a plugin that cannot plan, in whatever form
/// the query has it, and whether its failure is the query's or, in `sessions`, a gap.
#[test]
fn a_plugin_that_repeats_the_request_shows_no_sensitive_value() {
    let connection = |name: &str, crime: &str| {
        format!(
            "[connections.{name}]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n\
             crime = \"{crime}\"\n"
        )
    };
    let config = connection("bad", "echo_in_plan") + &connection("good", "none");
    for condition in [
        "pin = 'canary-7'",
        "pin IN ('canary-7', 'other')",
        "upper(pin) = 'canary-7'",
        "pin = 'canary-7' OR n = 1",
    ] {
        for sql in ["SELECT n FROM bad WHERE", "EXPLAIN SELECT n FROM bad WHERE"] {
            let answer = ask(&config, &format!("{sql} {condition}"));
            let Some(error) = &answer.error else { panic!("{condition}: an error was due") };
            assert!(error.to_string().contains("no plan for"), "{condition}: {error}");
            assert!(!format!("{error:?}").contains("canary-7"), "{condition}: {error:?}");
        }
    }
    let answer = ask(&config, "SELECT id FROM sessions WHERE id = 'shown'");
    let told = format!("{:?}", answer.completeness);
    assert!(told.contains("no plan for"), "{told}");
}

/// A panic poisons a library for the whole process; a copy of the file is another library.
#[test]
fn a_plugin_that_panicked_is_not_called_again() {
    for crime in ["panic_in_plan", "panic_in_scan"] {
        let directory = tempfile::tempdir().expect("a directory is made");
        let file = format!(
            "{}sessionql_faulty{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        );
        std::fs::copy(plugin_directory().join(&file), directory.path().join(&file))
            .expect("the library is copied");
        let config = format!(
            "[connections.bad]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\ncrime = \"{crime}\"\n\
             [connections.good]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n"
        );
        let clock = Clock::fixed(instant(BEGIN));
        let engine = engine_with_plugins(&config, &clock, directory.path());
        let ask = |sql: &str| run(&engine, sql, &Default::default()).error;
        let message_of = |sql: &str| ask(sql).map(|error| error.to_string()).unwrap_or_default();
        assert!(ask("SELECT * FROM good").is_none(), "{crime}");
        assert!(message_of("SELECT * FROM bad").contains("panic"), "{crime}");
        let message = message_of("SELECT * FROM good");
        assert!(message.contains("panicked earlier"), "{crime}: {message}");
        assert!(ask("SELECT 1").is_none(), "{crime}: the engine goes on");
    }
}

/// A table that is not declared as the main one has no common columns, but it needs no second name
/// if it is the only one.
#[test]
fn the_only_table_of_a_connection_has_its_name() {
    let directory = tempfile::tempdir().expect("a directory is made");
    for file in ["one.jsonl", "two.jsonl"] {
        std::fs::write(directory.path().join(file), "{\"n\": 7}\n").expect("it is written");
    }
    let config = format!(
        "[connections.solo]\nplugin = \"fixture\"\npath = {:?}\ncolumns = [\"n int64\"]\n\
         [connections.pair]\nplugin = \"fixture\"\npath = {:?}\ncolumns = [\"one.n int64\", \"two.n int64\"]\n",
        directory.path().join("one.jsonl"),
        directory.path(),
    );
    for sql in ["SELECT * FROM solo", "SELECT solo.n FROM solo", "SELECT * FROM solo.one"] {
        let answer = ask(&config, sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert_eq!(
            (answer.columns, answer.rows),
            (vec!["n".to_owned()], vec![vec!["7".to_owned()]])
        );
    }
    assert_eq!(ask(&config, "SELECT n FROM pair.two").rows, [["7"]]);
    let error = ask(&config, "SELECT n FROM pair").error.expect("it is one of two");
    assert_eq!(error.to_string(), "no table `pair`");
    let tables = ask(&config, "SHOW TABLES").rows;
    let names: Vec<&str> = tables.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["sessions", "pair.one", "pair.two", "solo"]);
}

/// The host removes what comes twice by the primary key, which it asks for even if nobody else does.
#[test]
fn rows_that_come_twice_count_once() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let file = directory.path().join("t.jsonl");
    let rows: String = (0..7).map(|k| format!("{{\"k\": {k}, \"n\": {}}}\n", k % 2)).collect();
    std::fs::write(&file, rows).expect("it is written");
    for slices in [1, 2, 5] {
        let config = format!(
            "[connections.t]\nplugin = \"fixture\"\npath = {file:?}\nslices = {slices}\nduplicates = true\n\
             columns = [\"k int64 not null\", \"n int64\"]\nprimary_key = [\"k\"]\npage_rows = 2\n"
        );
        for (sql, expected) in [
            ("SELECT count(*) FROM t", "7"),
            ("SELECT sum(n) FROM t", "3"),
            ("SELECT count(*) FROM t WHERE n = 0", "4"),
            ("SELECT count(*) FROM (SELECT n FROM t LIMIT 6)", "6"),
        ] {
            let answer = ask(&config, sql);
            assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
            assert_eq!(answer.rows, [[expected]], "{sql}, {slices} slices");
        }
    }
}

//! What holds of every query, whatever it reads: memory, depth, time, text.

use sessionql_core::{Error, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::{Answer, BEGIN, PATIENCE, engine, instant, run};

fn ask_with(config: &str, sql: &str) -> Answer {
    let clock = Clock::fixed(instant(BEGIN));
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    run(&engine(config, &clock), sql, &options)
}

fn ask(sql: &str) -> Answer {
    ask_with("", sql)
}

fn rows(sql: &str) -> Vec<Vec<String>> {
    let answer = ask(sql);
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    answer.rows
}

fn message(sql: &str) -> String {
    let error = ask(sql).error.unwrap_or_else(|| panic!("an error was due: {sql}"));
    match error.hint() {
        Some(hint) => format!("{error} ({hint})"),
        None => error.to_string(),
    }
}

#[test]
fn a_sort_larger_than_the_memory_limit_spills() {
    let config = "[settings]\nmemory_limit = \"30MB\"\n";
    let sql = "SELECT count(*), max(n) FROM (SELECT value AS n, row_number() OVER (ORDER BY value DESC) AS r \
               FROM generate_series(1, 1000000)) WHERE r > 0";
    let answer = ask_with(config, sql);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows, [["1000000", "1000000"]]);
}

#[test]
fn a_join_larger_than_the_memory_limit_says_so() {
    let config = "[settings]\nmemory_limit = \"2MB\"\n";
    let sql = "SELECT count(*) FROM generate_series(1, 3000000) a(x) JOIN generate_series(1, 3000000) b(y) ON x = y";
    let answer = ask_with(config, sql);
    let Some(error) = answer.error else { panic!("the limit was kept by nobody") };
    assert!(matches!(error, Error::Memory { .. }), "{error}");
    assert!(error.to_string().contains("limit of 2 MB"), "{error}");
}

#[test]
fn durations_are_exact_time() {
    for (sql, expected) in [
        ("SELECT 8 * 24h > INTERVAL '1 day'", "true"),
        ("SELECT 25h > INTERVAL '1 day'", "true"),
        ("SELECT 23h > INTERVAL '1 day'", "false"),
        ("SELECT 1w = 7d AND 1h30m = 90m AND 1500ms > 1s", "true"),
        ("SELECT 90m / 1h", "1.5"),
        ("SELECT extract(epoch FROM 1500ms) = 1.5 AND date_part('EPOCH', 1500ms) = 1.5", "true"),
        ("SELECT 90m * 2 = 3h AND 2 * 90m = 3h AND 3h / 2 = 90m", "true"),
        ("SELECT now() - 24h < now()", "true"),
        ("SELECT now() - (now() - 8d) = 192h", "true"),
    ] {
        assert_eq!(rows(sql), [[expected]], "{sql}");
    }
    let text = message("SELECT 24h > INTERVAL '1 month'");
    assert!(text.contains("months differ in length"), "{text}");
}

#[test]
fn now_is_one_instant() {
    assert_eq!(
        rows("SELECT now() = current_timestamp, now() = '2026-03-15T12:00:00Z'"),
        [["true", "true"]]
    );
}

#[test]
fn now_has_microseconds() {
    let clock = Clock::fixed(instant("2026-03-15T12:00:00.123456789Z"));
    let answer = run(&engine("", &clock), "SELECT now()", &ExecuteOptions::default());
    assert_eq!(answer.rows, [["2026-03-15T12:00:00.123456Z"]]);
}

#[test]
fn times_without_offset_are_in_the_querys_zone() {
    let config = "[settings]\ntime_zone = \"Europe/Berlin\"\n";
    let sql = "SELECT now() = '2026-03-15 13:00', now() = TIMESTAMP '2026-03-15 13:00:00', \
               now() >= DATE '2026-03-15', now() BETWEEN '2026-03-15 12:59' AND '2026-03-15 13:01', \
               now() IN ('2026-03-15 13:00')";
    let answer = ask_with(config, sql);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows, [["true"; 5]]);
}

#[test]
fn the_deepest_accepted_queries_run() {
    let nested = format!("SELECT {}1{}", "(".repeat(120), ")".repeat(120));
    assert_eq!(rows(&nested), [["1"]]);
    let list: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
    let long_list = format!("SELECT 49999 IN ({})", list.join(", "));
    assert_eq!(rows(&long_list), [["true"]]);
    let chain: Vec<String> = (0..2_000).map(|n| format!("x > {n} AND x < {}", n + 9_000)).collect();
    let long_chain =
        format!("SELECT count(*) FROM generate_series(1, 10) t(x) WHERE {}", chain.join(" OR "));
    assert_eq!(rows(&long_chain), [["10"]]);
    let unequal: Vec<String> = (0..20_000).map(|n| format!("x <> {}", n + 3)).collect();
    let list = format!("SELECT x FROM generate_series(1, 10) t(x) WHERE {}", unequal.join(" AND "));
    assert_eq!(rows(&list), [["1"], ["2"]]);
    // All of these conditions meet at the table.
    let mut levels = "SELECT x FROM generate_series(1, 10) t(x)".to_owned();
    for level in 0..2 {
        let conditions: Vec<String> = (0..200).map(|n| format!("x + {n} <> {level}.5")).collect();
        let conditions = conditions.join(" AND ");
        levels = format!("SELECT x FROM ({levels}) t{level} WHERE {conditions}");
    }
    assert_eq!(rows(&levels).len(), 10);
    let between: Vec<String> = (0..200).map(|n| format!("x + {n} BETWEEN 0.5 AND 999.5")).collect();
    let between = format!(
        "SELECT count(*) FROM (SELECT x FROM generate_series(1, 10) t(x) LIMIT 9) WHERE {}",
        between.join(" AND ")
    );
    assert_eq!(rows(&between), [["9"]]);
    let sum = format!("SELECT {}", vec!["1"; 400].join(" + "));
    assert_eq!(rows(&sum), [["400"]]);
}

#[test]
fn past_a_limit_there_is_an_error_that_names_it() {
    assert!(message(&format!("SELECT {}1{}", "(".repeat(200), ")".repeat(200))).contains("128"));
    assert!(message(&format!("SELECT {}", vec!["1"; 700].join(" + "))).contains("500"));
    assert!(message(&"x".repeat(2 << 20)).contains("MiB"));
    for (of, word) in [("", " AND "), ("NOT ", " OR ")] {
        let conditions: Vec<String> = (0..1_001).map(|n| format!("x + {n} > 0.5")).collect();
        let conditions = conditions.join(word);
        let query = format!("SELECT x FROM generate_series(1, 9) t(x) WHERE {of}({conditions})");
        assert!(message(&query).contains("1,000 conditions"));
    }
}

#[test]
fn errors_of_names_and_types() {
    for (sql, expected) in [
        ("SELECT foo(1)", "no function `foo`"),
        ("SELECT lowr('A')", "no function `lowr` (did you mean `lower`?)"),
        ("SELECT * FROM nowhere", "no table `nowhere`: no connection is configured"),
        ("SET timezone = 'UTC'", "no setting `timezone` (did you mean `time_zone`?)"),
        (
            "SHOW nothing",
            "no setting `nothing` (settings are `time_zone`, `pushdown`, `memory_limit`)",
        ),
        (
            "SELECT now() > 'soon'",
            "`soon` is not a date or time (times are written '2026-01-31', '2026-01-31 14:05' or '2026-01-31T14:05:00Z')",
        ),
        (
            "SELECT 1 EXCEPT ALL SELECT 1, 2",
            "the two queries of EXCEPT have different numbers of columns: 1 and 2",
        ),
    ] {
        assert_eq!(message(sql), expected, "{sql}");
    }
}

#[test]
fn nothing_writes_and_nothing_reads_files() {
    for sql in [
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "COPY (SELECT 1) TO 'x.csv'",
        "SELECT * FROM 'Cargo.toml'",
        "SELECT * FROM \"/etc/passwd\"",
    ] {
        let answer = ask(sql);
        assert!(answer.error.is_some(), "{sql}");
    }
}

/// Returns the names that a document calls as functions: those before a parenthesis within backticks.
fn called_in(document: &str) -> Vec<&str> {
    let code = document.split('`').skip(1).step_by(2);
    code.filter_map(|code| {
        let (name, _) = code.split_once('(')?;
        let is_name =
            |character: char| character.is_ascii_lowercase() || "_0123456789".contains(character);
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    })
    .collect()
}

#[test]
fn every_function_tells_of_itself() {
    let functions = engine("", &Clock::fixed(instant(BEGIN))).functions();
    for function in &functions {
        assert!(!function.doc.is_empty(), "{}", function.name);
        assert!(!function.doc.contains('\n'), "{}", function.name);
        assert!(!function.signature.contains('…'), "{}", function.name);
    }
    let language = include_str!("../../../docs/language.md");
    let types = ["varchar", "char", "numeric"];
    for name in called_in(language).into_iter().filter(|name| !types.contains(name)) {
        assert!(functions.iter().any(|function| function.name == name), "{name}");
    }
}

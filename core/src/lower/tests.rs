//! One test per rule: the text and the engine's statement it becomes, written as SQL.

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use sessionql_grammar::ast::{Expr, Query, StatementKind};
use sessionql_grammar::parse;

use super::*;

mod conditions;
mod known;
mod lifetime;
mod time;

struct Fake;

impl Tables for Fake {
    fn table(&self, name: &[String]) -> Option<TableShape> {
        let column = |name: &str, data_type: &DataType| ColumnShape {
            name: name.to_owned(),
            is_hidden: name == "raw",
            data_type: data_type.clone(),
            values: match name {
                "status" => vec!["ACTIVE".to_owned(), "COMPLETED".to_owned()],
                _ => Vec::new(),
            },
        };
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let parts: Vec<_> = name.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["vpn"] | ["vpn", "sessions"] => Some(TableShape {
                reference: vec!["vpn".to_owned(), "sessions".to_owned()],
                columns: vec![
                    column("id", &DataType::Utf8),
                    column("user", &DataType::Utf8),
                    column("start", &time),
                    column("end", &time),
                    column("raw", &DataType::Utf8),
                ],
                time: Some(("start".to_owned(), "end".to_owned())),
                ..TableShape::default()
            }),
            ["users"] => Some(TableShape {
                reference: vec!["local".to_owned(), "users".to_owned()],
                columns: vec![
                    column("user", &DataType::Utf8),
                    column("age", &DataType::Int64),
                    column("raw", &DataType::Utf8),
                ],
                time: None,
                ..TableShape::default()
            }),
            ["states"] => Some(TableShape {
                reference: vec!["local".to_owned(), "states".to_owned()],
                columns: vec![column("id", &DataType::Utf8), column("status", &DataType::Utf8)],
                time: None,
                ..TableShape::default()
            }),
            ["visits"] => Some(TableShape {
                reference: vec!["local".to_owned(), "visits".to_owned()],
                columns: vec![column("began", &time), column("ended", &time)],
                time: Some(("began".to_owned(), "ended".to_owned())),
                ..TableShape::default()
            }),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        ["vpn", "vpn.sessions", "users", "states", "visits"].map(str::to_owned).to_vec()
    }
}

/// Functions: all that are asked for but `nope`.
struct AnyFunction;

impl Functions for AnyFunction {
    fn has(&self, name: &str) -> bool {
        name != "nope"
    }

    fn is_aggregate(&self, name: &str) -> bool {
        name == "count"
    }

    fn lack(&self, name: &str) -> Option<Lack> {
        let message = "`geoip` has no database of places".to_owned();
        (name == "geoip").then_some(Lack { message, hint: None })
    }

    fn names(&self) -> Vec<String> {
        vec!["nop".to_owned(), "upper".to_owned()]
    }
}

fn query(text: &str) -> Query {
    match parse(text).unwrap().remove(0).kind {
        StatementKind::Query(query) => *query,
        kind => panic!("{kind:?}"),
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn value(text: &str) -> Expr {
    match parse(&format!("SET x = {text}")).unwrap().remove(0).kind {
        StatementKind::Set { value, .. } => value,
        kind => panic!("{kind:?}"),
    }
}

/// It is 14:30 in Berlin.
fn context(text: &str) -> Context<'_> {
    Context {
        text,
        tables: &Fake,
        now: instant("2026-01-31T13:30:00Z"),
        time_zone: chrono_tz::Europe::Berlin,
        since: None,
        until: None,
        functions: &AnyFunction,
        with_all_columns: true,
        parameters: HashMap::from([
            ("who".to_owned(), value("'bob'")),
            ("span".to_owned(), value("2h")),
            ("list".to_owned(), value("['a', 'b']")),
        ]),
    }
}

/// Shortens the constants of time and the columns of a table, and drops the names of plain constants.
fn written_shortly(statement: &sql::Statement) -> String {
    let mut text = statement.to_string();
    for (ending, mark) in
        [(", 'Timestamp(Microsecond, Some(\"UTC\"))')", "@"), (", 'Duration(Microsecond)')", "#")]
    {
        while let Some(end) = text.find(ending) {
            let start = text[..end].rfind("arrow_cast(").unwrap();
            let value = text[start + "arrow_cast(".len()..end].trim_matches('\'').to_owned();
            text.replace_range(start..end + ending.len(), &format!("{mark}{value}"));
        }
    }
    text.replace("SELECT \"id\", \"user\", \"start\", \"end\" FROM \"vpn\".\"sessions\"", "VPN")
        .replace("SELECT \"user\", \"age\" FROM \"local\".\"users\"", "USERS")
        .replace(" AS \"1\"", "")
        .replace(" AS \"'raw'\"", "")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let lowered = lower(&query(text), &context(text)).unwrap();
    assert_eq!(written_shortly(&lowered.statement), expected, "\n{text}");
}

/// Checks message and place of an error.
#[track_caller]
fn check_error(text: &str, message: &str, place: &str) -> LowerError {
    let error = lower(&query(text), &context(text)).unwrap_err();
    assert_eq!(error.to_string(), message, "\n{text}");
    assert_eq!(error.span.of(text), place, "\n{text}");
    error
}

#[test]
fn tables_become_queries_of_their_visible_columns() {
    check("SELECT * FROM vpn", "SELECT * FROM (VPN) AS vpn");
    check("SELECT s.user FROM VPN.sessions s", "SELECT s.user FROM (VPN) AS s");
    check(
        "SELECT vpn.sessions.user FROM vpn.sessions",
        "SELECT sessions.user FROM (VPN) AS sessions",
    );
    check("SELECT vpn.sessions.* FROM vpn.sessions", "SELECT sessions.* FROM (VPN) AS sessions");
    check("SELECT 1 FROM vpn AS v (a, b)", "SELECT 1 FROM (VPN) AS v (a, b, \"start\", \"end\")");
    check("SELECT 1 FROM vpn, users", "SELECT 1 FROM (VPN) AS vpn, (USERS) AS users");
}

#[test]
fn hidden_columns_are_there_only_if_named_and_never_in_a_star() {
    let with_raw = "SELECT \"id\", \"user\", \"start\", \"end\", \"raw\" FROM \"vpn\".\"sessions\"";
    check("SELECT Raw FROM vpn", &format!("SELECT Raw FROM ({with_raw}) AS vpn"));
    check(
        "SELECT *, raw FROM vpn v",
        &format!(
            "SELECT \"v\".\"id\", \"v\".\"user\", \"v\".\"start\", \"v\".\"end\", raw FROM ({with_raw}) AS v"
        ),
    );
    check(
        "SELECT v.* EXCEPT (id, start) FROM vpn v WHERE v.raw LIKE 'x%'",
        &format!(
            "SELECT \"v\".\"user\", \"v\".\"end\" FROM ({with_raw}) AS v WHERE v.raw LIKE 'x%'"
        ),
    );
    check(
        "SELECT *, v.raw FROM vpn v NATURAL JOIN users u",
        &format!(
            "SELECT \"v\".\"user\" AS \"user\", \"v\".\"id\", \"v\".\"start\", \"v\".\"end\", \"u\".\"age\", v.raw FROM ({with_raw}) AS v \
             INNER JOIN (SELECT \"user\", \"age\", \"raw\" FROM \"local\".\"users\") AS u ON \"v\".\"user\" = \"u\".\"user\""
        ),
    );
    check(
        "SELECT 'raw' FROM vpn NATURAL JOIN users",
        "SELECT 'raw' FROM (VPN) AS vpn INNER JOIN (USERS) AS users ON \"vpn\".\"user\" = \"users\".\"user\"",
    );
}

#[test]
fn named_queries_shadow_tables() {
    check(
        "WITH vpn AS (SELECT 1 AS a) SELECT * FROM vpn",
        "WITH vpn AS (SELECT 1 AS a) SELECT * FROM vpn",
    );
    check(
        "SELECT 1 FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, vpn",
        "SELECT 1 FROM (WITH a AS (SELECT 1) SELECT * FROM a) AS x, (VPN) AS vpn",
    );
    check_error("SELECT 1 FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a", "no table `a`", "a");
}

#[test]
fn unknown_tables_have_candidates() {
    let error = check_error("SELECT 1 FROM vnp", "no table `vnp`", "vnp");
    assert_eq!(error.candidates(), ["vpn"]);
    assert_eq!(error.hint().as_deref(), Some("did you mean `vpn`?"));
    let error = check_error("SELECT 1 FROM vpn.session", "no table `vpn.session`", "vpn.session");
    assert_eq!(error.candidates(), ["vpn.sessions"]);
    check_error("SELECT 1 FROM vpn JOIN vpn ON true", "FROM has two tables named `vpn`", "vpn");
}

#[test]
fn tables_have_the_columns_that_are_needed() {
    let check = |text: &str, expected: &str| {
        let context = Context { with_all_columns: false, ..context(text) };
        let lowered = lower(&query(text), &context).unwrap();
        assert_eq!(written_shortly(&lowered.statement), expected, "\n{text}");
    };
    let vpn = r#"(SELECT "start", "end" FROM "vpn"."sessions") AS vpn"#;
    check("SELECT count(*) FROM vpn", &format!(r#"SELECT count(*) AS "count(*)" FROM {vpn}"#));
    check(
        "SELECT count(*) FROM users",
        r#"SELECT count(*) AS "count(*)" FROM (SELECT "user" FROM "local"."users") AS users"#,
    );
    check(
        "SELECT v.user FROM vpn v JOIN states s USING (id) WHERE status = 'x'",
        r#"SELECT v.user FROM (VPN) AS v INNER JOIN (SELECT "id", "status" FROM "local"."states") AS s ON "v"."id" = "s"."id" WHERE status = 'x'"#,
    );
    // A name in any part of the query counts for all of its tables.
    check(
        "SELECT 1 FROM vpn WHERE EXISTS (SELECT 1 FROM users u WHERE age > 1)",
        &format!(
            r#"SELECT 1 FROM {vpn} WHERE EXISTS (SELECT 1 FROM (SELECT "age" FROM "local"."users") AS u WHERE age > 1)"#
        ),
    );
    // What stands for columns without naming them, and what needs them to tell rows apart.
    check(
        "SELECT u.age FROM vpn v ASOF JOIN users u ON u.age <= v.id",
        "SELECT u.age FROM (VPN) AS v INNER JOIN (USERS) AS u ON asof_condition(u.age, v.id, '<=', 45, 58)",
    );
    check("SELECT u.* FROM users u", "SELECT u.* FROM (USERS) AS u");
    check("SELECT a FROM users AS u (a)", r#"SELECT a FROM (USERS) AS u (a, "age")"#);
    check(
        "SELECT 1 FROM users NATURAL JOIN vpn",
        "SELECT 1 FROM (USERS) AS users INNER JOIN (VPN) AS vpn ON \"users\".\"user\" = \"vpn\".\"user\"",
    );
}

#[test]
fn texts_are_remembered_with_their_places() {
    let text = "SELECT 'a', 'b' WHERE x = 'a'";
    let lowered = lower(&query(text), &context(text)).unwrap();
    let places: Vec<_> = lowered.strings["a"].iter().map(|span| span.start).collect();
    assert_eq!(places, [7, 26]);
}

#[test]
fn names_carry_their_position() {
    let text = "SELECT\n  user FROM vpn";
    let sql::Statement::Query(query) = lower(&query(text), &context(text)).unwrap().statement
    else {
        panic!()
    };
    let sql::SetExpr::Select(select) = *query.body else { panic!() };
    let sql::SelectItem::UnnamedExpr(sql::Expr::Identifier(name)) = &select.projection[0] else {
        panic!()
    };
    assert_eq!((name.span.start.line, name.span.start.column, name.span.end.column), (2, 3, 7));
}

#[test]
fn queries_within_expressions_nest_to_a_limit() {
    let nested =
        |depth: usize| format!("SELECT {}1{}", "(SELECT ".repeat(depth), ")".repeat(depth));
    let text = nested(12);
    assert!(lower(&query(&text), &context(&text)).is_ok());
    let message = "queries nested within expressions exceed the limit of 12 levels";
    check_error(&nested(13), message, "SELECT 1");
}

#[test]
fn not_in_a_query_takes_no_outer_columns() {
    check(
        "SELECT 1 FROM vpn WHERE a AND user NOT IN (SELECT user FROM users)",
        "SELECT 1 FROM (VPN) AS vpn WHERE a AND user NOT IN (SELECT user FROM (USERS) AS users)",
    );
    check(
        "SELECT 1 FROM vpn WHERE NOT user IN (SELECT user FROM users) AND id IN (SELECT 1)",
        "SELECT 1 FROM (VPN) AS vpn WHERE user NOT IN (SELECT user FROM (USERS) AS users) AND id IN (SELECT 1)",
    );
    let message = "NOT IN with a query that depends on columns around it is not supported yet";
    for (text, place) in [
        (
            "SELECT 1 FROM vpn WHERE user NOT IN (SELECT user FROM users WHERE age = id)",
            "user NOT IN (SELECT user FROM users WHERE age = id)",
        ),
        (
            "SELECT 1 FROM vpn v WHERE user NOT IN (SELECT user FROM users u WHERE u.user = v.user)",
            "user NOT IN (SELECT user FROM users u WHERE u.user = v.user)",
        ),
    ] {
        assert_eq!(check_error(text, message, place).hint().as_deref(), Some("use NOT EXISTS"));
    }
}

#[test]
fn columns_are_named_by_their_words_and_repeated_names_are_numbered() {
    check(
        "SELECT count( * ), user || 'x' FROM users",
        "SELECT count(*) AS \"count( * )\", user || 'x' AS \"user || 'x'\" FROM (USERS) AS users",
    );
    check(
        "SELECT user, users.user, age AS user FROM users",
        "SELECT user, users.user AS \"user_2\", age AS \"user_3\" FROM (USERS) AS users",
    );
    check("SELECT *, age FROM users", "SELECT *, age AS \"age_2\" FROM (USERS) AS users");
    check(
        "SELECT a.user, b.user FROM users a, users b",
        "SELECT a.user, b.user FROM (USERS) AS a, (USERS) AS b",
    );
    check(
        "SELECT DISTINCT upper(user) FROM users ORDER BY upper(user)",
        "SELECT DISTINCT upper(user) AS \"upper(user)\" FROM (USERS) AS users ORDER BY \"upper(user)\"",
    );
}

#[test]
fn parameters_are_values() {
    check(
        "SELECT $who AS w WHERE a = $who AND b = ANY ($list)",
        "SELECT 'bob' AS w WHERE a = 'bob' AND b IN ('a', 'b')",
    );
    check("SELECT $WHO || {who:text}", "SELECT 'bob' || 'bob' AS \"$WHO || {who:text}\"");
    check(
        "SELECT 1 FROM users WHERE user IN $list AND user NOT IN ('x', $list)",
        "SELECT 1 FROM (USERS) AS users WHERE user IN ('a', 'b') AND user NOT IN ('x', 'a', 'b')",
    );
    check(
        "SELECT 1 FROM users WHERE age <> ALL($list)",
        "SELECT 1 FROM (USERS) AS users WHERE age NOT IN ('a', 'b')",
    );
    check("SELECT $list AS l", "SELECT ARRAY['a', 'b'] AS l");
    let error = check_error("SELECT $wo", "no value for parameter `$wo`", "$wo");
    assert_eq!(error.candidates(), ["who"]);
}

#[test]
fn parameters_are_constants_to_every_rule() {
    let text = "SELECT 1 FROM users WHERE user = $n OR user = $who OR user = 'x' LIMIT $n";
    let context = Context {
        parameters: HashMap::from([
            ("n".to_owned(), value("3")),
            ("who".to_owned(), value("'bob'")),
        ]),
        ..context(text)
    };
    let lowered = lower(&query(text), &context).unwrap();
    assert_eq!(
        written_shortly(&lowered.statement),
        "SELECT 1 FROM (USERS) AS users WHERE user = '3' OR user IN ('bob', 'x') LIMIT 3"
    );
    assert_eq!(lowered.warnings[0].message, "`user` is text, so that it is compared with '3'");
    assert_eq!(lowered.warnings[0].span.of(text), "$n");
}

#[test]
fn own_functions_are_checked_and_completed() {
    check(
        "SELECT covered(start, end) AS c, max_concurrent(start, end) AS m FROM vpn",
        "SELECT covered(start, coalesce(end, @2026-01-31T13:30:00Z)) AS c, max_concurrent(start, end) AS m FROM (VPN) AS vpn",
    );
    check(
        "SELECT time_bucket(1d, start) AS a, time_bucket(1h, '2026-07-01', '2026-07-01 00:30') AS b FROM vpn",
        "SELECT time_bucket(#86400000000, start, @2000-01-02T23:00:00Z) AS a, \
         time_bucket(#3600000000, @2026-06-30T22:00:00Z, @2026-06-30T22:30:00Z) AS b FROM (VPN) AS vpn",
    );
    let message = "time_bucket takes a duration above 0";
    check_error("SELECT time_bucket(0s, now())", message, "0s");
    check_error("SELECT time_bucket(-1h, now())", message, "-1h");
    let error =
        check_error("SELECT time_bucket(INTERVAL '1 month', now())", message, "INTERVAL '1 month'");
    assert_eq!(error.hint().as_deref(), Some("date_trunc('month', …) counts in the calendar"));
    check_error(
        "SELECT ip_in(a, '10.0.0.0/33')",
        "`10.0.0.0/33` is not a network",
        "'10.0.0.0/33'",
    );
    check_error("SELECT ip_in(a, ['::/0', 'x'])", "`x` is not a network", "'x'");
}

#[test]
fn joins_limits_and_order() {
    check(
        "SELECT user FROM vpn SEMI JOIN users USING (user) ORDER BY 1 DESC NULLS LAST LIMIT 3 OFFSET 1",
        "SELECT user FROM (VPN) AS vpn LEFT SEMI JOIN (USERS) AS users ON \"vpn\".\"user\" = \"users\".\"user\" ORDER BY 1 DESC NULLS LAST LIMIT 3 OFFSET 1",
    );
    check(
        "SELECT 1 FROM vpn CROSS JOIN users FETCH FIRST 2 ROWS ONLY",
        "SELECT 1 FROM (VPN) AS vpn CROSS JOIN (USERS) AS users LIMIT 2",
    );
    check("VALUES (1, 'a') ORDER BY 1", "VALUES (1, 'a') ORDER BY 1");
}

#[test]
fn forms_that_do_not_run_yet_say_so() {
    check_error(
        "SELECT id IN (SELECT user FROM users u WHERE u.user = v.user) FROM vpn v",
        "IN with a query that depends on columns around it, as a value or under NOT, is not supported yet",
        "id IN (SELECT user FROM users u WHERE u.user = v.user)",
    );
    check_error(
        "SELECT EXISTS (SELECT 1 FROM users u WHERE u.user = v.user GROUP BY age) FROM vpn v",
        "EXISTS with a query that depends on columns around it and groups or limits its rows, as a value or under NOT, is not supported yet",
        "EXISTS (SELECT 1 FROM users u WHERE u.user = v.user GROUP BY age)",
    );
    check_error(
        "SELECT ANY (SELECT 1)",
        "ANY and ALL stand on the right of a comparison only",
        "ANY (SELECT 1)",
    );
    let error = check_error("SELECT a::integr", "no type `integr`", "integr");
    assert_eq!(error.candidates(), ["integer"]);
}

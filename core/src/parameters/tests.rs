//! What values become, and what is wrong with them.

use super::*;

fn moment() -> Moment {
    let now = "2026-03-15T12:00:00Z".parse().unwrap();
    Moment { now, time_zone: chrono_tz::Europe::Berlin, since: None, until: Some(now) }
}

fn given(pairs: &[(&str, &str)]) -> Parameters {
    let mut given = Parameters::default();
    for (name, text) in pairs {
        given.give(name, *text);
    }
    given
}

/// Returns the constant of `$x`, or everything that is wrong, when `text` is bound.
fn bound(text: &str, given: &Parameters) -> Result<String, Vec<String>> {
    let statements = sessionql_grammar::parse(text).unwrap();
    match bind(text, &statements[0], given, moment()) {
        Ok(constants) => Ok(format!("{:?}", constants["x"].kind)),
        Err(Error::Parameters { problems }) => {
            Err(problems.iter().map(ToString::to_string).collect())
        }
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn check_read(of: &str, text: &str, expected: &str) {
    let found = bound(&format!("SELECT {{x:{of}}}"), &given(&[("x", text)]));
    assert_eq!(found.unwrap_or_else(|problems| problems.join("; ")), expected, "{of} {text}");
}

#[test]
fn text_is_read_as_the_declared_type() {
    check_read("text", "it's 5; DROP", "Literal(\"it's 5; DROP\")");
    check_read("text", "", "Literal(\"\")");
    check_read("int", "42", "Literal(42)");
    check_read("float", "3", "Literal(3.0)");
    check_read("float", "1e300", "Literal(1e300)");
    check_read("bool", "TRUE", "Literal(true)");
    check_read("timestamp", "2026-03-01 10:00", "Literal(timestamp \"2026-03-01T09:00:00Z\")");
    check_read("timestamp", "2026-03-01T10:00:00Z", "Literal(timestamp \"2026-03-01T10:00:00Z\")");
    check_read("timestamp", "24h", "Literal(timestamp \"2026-03-14T12:00:00Z\")");
    check_read("timestamp", "today - 1d", "Literal(timestamp \"2026-03-13T23:00:00Z\")");
    check_read("interval", "1h30m", "Literal(5400000000us)");
    check_read("interval", "5 minutes", "Literal(300000000us)");
    check_read("interval", "-90s", "Literal(-90000000us)");
    check_read("interval", "1 month", "Literal(interval \"1 month\")");
    check_read("cidr", "10.0.0.0/8", "Literal(\"10.0.0.0/8\")");
    check_read("text[]", "a, b", "Array([\"a\", \"b\"])");
    check_read("int[]", "[1, 2]", "Array([1, 2])");
    check_read("text[]", "[]", "Array([])");
    check_read("text[]", "[\"a,b\", \"\"]", "Array([\"a,b\", \"\"])");
}

#[test]
fn text_of_another_type_is_an_error() {
    check_read("int", "ten", "parameter `x`: `ten` is not an int");
    check_read("int", "1.5", "parameter `x`: `1.5` is not an int");
    check_read("int", "", "parameter `x`: an empty text is not an int");
    check_read(
        "int",
        "99999999999999999999",
        "parameter `x`: `99999999999999999999` is not an int",
    );
    check_read("float", "NaN", "parameter `x`: `NaN` is not a float");
    check_read("bool", "yes", "parameter `x`: `yes` is not a bool");
    check_read("timestamp", "soon", "parameter `x`: `soon` is not a timestamp");
    check_read("timestamp", "now; SELECT 1", "parameter `x`: `now; SELECT 1` is not a timestamp");
    check_read("interval", "1.5h1", "parameter `x`: `1.5h1` is not an interval");
    check_read("cidr", "10.0.0.0/99", "parameter `x`: `10.0.0.0/99` is not a cidr");
    check_read("int[]", "1,x", "parameter `x`: `x` is not an int");
    let empty = "parameter `x`: an item of the list is empty; write `[]` for a list without items, \
                 and [\"\"] for one with an empty text";
    check_read("text[]", "", empty);
}

#[test]
fn a_file_has_types_of_its_own() {
    let read = |of: &str, value: &str| {
        let mut given = Parameters::default();
        given.read_toml(&format!("x = {value}")).unwrap();
        bound(&format!("SELECT {{x:{of}}}"), &given).unwrap_or_else(|problems| problems.join("; "))
    };
    assert_eq!(read("text", "'5'"), "Literal(\"5\")");
    assert_eq!(read("float", "5"), "Literal(5.0)");
    assert_eq!(read("bool", "false"), "Literal(false)");
    assert_eq!(read("timestamp", "2026-03-01"), "Literal(timestamp \"2026-02-28T23:00:00Z\")");
    assert_eq!(read("text[]", "['a', 'b']"), "Array([\"a\", \"b\"])");
    assert_eq!(read("interval", "'8h'"), "Literal(28800000000us)");
    assert_eq!(read("text", "5"), "parameter `x`: `5` is not text");
    assert_eq!(read("int", "'5'"), "parameter `x`: the text `5` is not an int");
    assert_eq!(read("int", "[5]"), "parameter `x`: a list is not an int");
    assert_eq!(read("int[]", "5"), "parameter `x`: `5` is not a list of int");
    let mut given = Parameters::default();
    assert_eq!(
        given.read_toml("[x]\ny = 1").unwrap_err(),
        "`x`: a table is no value of a parameter"
    );
    assert!(given.read_toml("x = ").is_err());
}

#[test]
fn defaults_are_constants_of_the_type() {
    let none = Parameters::default();
    let value = |declaration: &str| {
        bound(&format!("SELECT {{x:{declaration}}}"), &none)
            .unwrap_or_else(|problems| problems.join("; "))
    };
    assert_eq!(value("int = 3"), "Literal(3)");
    assert_eq!(value("float = -3"), "Sign { is_minus: true, operand: 3.0 }");
    assert_eq!(value("timestamp = now - 24h"), "Literal(timestamp \"2026-03-14T12:00:00Z\")");
    assert_eq!(value("interval = '5 minutes'"), "Literal(300000000us)");
    assert_eq!(value("interval = 8h"), "Literal(28800000000us)");
    assert_eq!(value("cidr[] = ['10.0.0.0/8']"), "Array([\"10.0.0.0/8\"])");
    assert_eq!(value("text = NULL"), "Cast { operand: NULL, data_type: text, is_try: false }");
    assert_eq!(value("int = '3'"), "this is not an int");
    assert_eq!(value("text = 3"), "this is not text");
    assert_eq!(value("timestamp = start"), "this is not a timestamp");
    assert_eq!(value("text[] = 'a'"), "a list of text is a list such as ['a', 'b']");
    assert_eq!(value("cidr = 'x'"), "`x` is not a cidr");
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = "-- param: who text\n-- param: x int = 1\n-- param: y int\n\
                SELECT $who, $x, $y, $z, $since, $now, $until";
    let statements = sessionql_grammar::parse(text).unwrap();
    let error = check(text, &statements, &given(&[("y", "many")]), moment()).unwrap_err();
    let Error::Parameters { problems } = error else { panic!("{error}") };
    let told: Vec<_> = problems
        .iter()
        .map(|problem| (problem.message.as_str(), problem.span.map_or("", |span| span.of(text))))
        .collect();
    let expected = [
        ("no parameter `$z` is declared", "$z"),
        ("no value for parameter `$who`, which is text", "who"),
        ("parameter `y`: `many` is not an int", ""),
        ("no value for parameter `$since`", "$since"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn declarations_may_not_contradict_each_other() {
    let none = Parameters::default();
    let told = |text: &str| bound(text, &none).unwrap_err().join("; ");
    assert_eq!(told("SELECT {x:int = 1}, {x:text = 'a'}"), "parameter `x` is int and text");
    assert_eq!(told("SELECT {x:int = 1}, {x:int = 2}"), "parameter `x` has two defaults");
    assert_eq!(told("-- param: x int = 1\nSELECT {x:float}"), "parameter `x` is int and float");
    assert_eq!(told("-- param: now timestamp\nSELECT $now"), "parameter `now` is built in");
    assert!(bound("-- param: x int = 1\nSELECT {x:int}, $x, $X", &none).is_ok());
    assert!(bound("SELECT $x + {x:int = 1}", &none).is_ok(), "the type counts everywhere");
}

#[test]
fn what_no_query_knows_is_told() {
    let text = "SELECT $who";
    let statements = sessionql_grammar::parse(text).unwrap();
    let given = given(&[("who", "ann"), ("woh", "x"), ("now", "x")]);
    let known = check(text, &statements, &given, moment()).unwrap();
    let told: Vec<_> = unknown(&given, &known)
        .into_iter()
        .map(|problem| (problem.message, problem.hint))
        .collect();
    let expected = [
        ("parameter `now` is built in".to_owned(), Some("use `--now`".to_owned())),
        ("the query has no parameter `woh`".to_owned(), Some("did you mean `who`?".to_owned())),
    ];
    assert_eq!(told, expected);
}

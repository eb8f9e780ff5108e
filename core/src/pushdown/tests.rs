//! What the optimizer may leave of a filter, and what is sent of it.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, ScalarUDF, col, lit};
use sessionql_plugin_abi::message::{Column, ColumnType, FilterOp};

use super::*;
use crate::functions;

fn columns() -> Vec<TableColumn> {
    let all = vec![FilterOp::Eq, FilterOp::In, FilterOp::Range, FilterOp::IsNull, FilterOp::Like];
    let column = |name: &str, column_type, filters: Vec<FilterOp>| TableColumn {
        column: Column { name: name.to_owned(), column_type, filters, ..Column::default() },
        source: ColumnSource::Plugin,
    };
    let constant = |name: &str, value: &str| TableColumn {
        column: Column { name: name.to_owned(), ..Column::default() },
        source: ColumnSource::Constant(value.to_owned()),
    };
    vec![
        column("user", ColumnType::Text, all.clone()),
        column("start", ColumnType::Timestamp, vec![FilterOp::Range]),
        column("status", ColumnType::Text, vec![FilterOp::Eq]),
        column("bytes", ColumnType::Int64, all.clone()),
        column("impersonating", ColumnType::Bool, all),
        column("silent", ColumnType::Text, Vec::new()),
        constant("connection", "vpn"),
    ]
}

fn at(second: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(second * 1_000_000), Some("+00:00".into())))
}

fn life() -> TimeColumns {
    TimeColumns { start: "start".to_owned(), end: "end".to_owned() }
}

/// Returns what is sent, one filter a line, with the conjuncts it stands for.
fn sent(conjuncts: &[Expr]) -> String {
    let conjuncts: Vec<&Expr> = conjuncts.iter().collect();
    let pushable = push(&conjuncts, &columns(), Some(&life()));
    if pushable.is_contradiction {
        return "nothing can pass".to_owned();
    }
    let lines: Vec<String> = pushable
        .filters
        .iter()
        .map(|filter| {
            let json = serde_json::to_string(&filter.filter).unwrap();
            let superset = if filter.is_superset { " superset" } else { "" };
            format!("{json} {:?}{superset}", filter.conjuncts)
        })
        .collect();
    lines.join("\n")
}

#[test]
fn equality_on_either_side() {
    let expected = r#"{"op":"eq","column":"user","value":"ann"} [0]"#;
    assert_eq!(sent(&[col("user").eq(lit("ann"))]), expected);
    assert_eq!(sent(&[lit("ann").eq(col("user"))]), expected);
    let view = lit(ScalarValue::Utf8View(Some("ann".into())));
    assert_eq!(sent(&[col("user").eq(view)]), expected);
}

#[test]
fn two_bounds_are_one_range() {
    assert_eq!(
        sent(&[col("start").gt_eq(at(10)), col("start").lt(at(20))]),
        r#"{"op":"range","column":"start","lower":{"value":"1970-01-01T00:00:10Z","inclusive":true},"upper":{"value":"1970-01-01T00:00:20Z","inclusive":false}} [0, 1]"#
    );
    assert_eq!(sent(&[col("start").gt(at(20)), col("start").lt(at(10))]), "nothing can pass");
    assert_eq!(sent(&[col("start").gt(at(20)), col("start").lt_eq(at(20))]), "nothing can pass");
}

#[test]
fn an_in_list_arrives_as_or() {
    let expected = r#"{"op":"in","column":"user","values":["ann","bob"]} [0]"#;
    let chain = col("user").eq(lit("ann")).or(col("user").eq(lit("bob")));
    assert_eq!(sent(&[chain]), expected);
    let list = vec![lit("ann"), lit("bob"), lit("ann"), lit(ScalarValue::Utf8(None))];
    assert_eq!(
        sent(&[col("user").in_list(list, false)]),
        expected,
        "NULL in the list passes nothing"
    );
    assert_eq!(
        sent(&[col("user").in_list(vec![lit(ScalarValue::Utf8(None))], false)]),
        "nothing can pass"
    );
    assert_eq!(sent(&[col("user").in_list(vec![lit("ann")], true)]), "", "NOT IN is not pushed");
}

#[test]
fn conjuncts_on_one_column_meet() {
    let list = col("user").in_list(vec![lit("ann"), lit("bob")], false);
    assert_eq!(
        sent(&[list.clone(), col("user").eq(lit("bob"))]),
        r#"{"op":"eq","column":"user","value":"bob"} [0, 1]"#
    );
    assert_eq!(sent(&[list.clone(), col("user").eq(lit("eve"))]), "nothing can pass");
    assert_eq!(
        sent(&[list, col("user").gt(lit("ann"))]),
        r#"{"op":"eq","column":"user","value":"bob"} [0, 1]"#
    );
    assert_eq!(sent(&[col("user").is_null(), col("user").eq(lit("ann"))]), "nothing can pass");
    assert_eq!(
        sent(&[col("user").is_not_null(), col("user").eq(lit("ann"))]),
        r#"{"op":"eq","column":"user","value":"ann"} [0, 1]"#
    );
}

#[test]
fn an_or_of_ranges_is_a_superset_or_nothing() {
    let early = col("start").lt(at(10));
    let late = col("start").gt(at(20));
    assert_eq!(sent(&[early.clone().or(late)]), "", "the hull is everything");
    let middle = col("start").gt(at(5)).and(col("start").lt(at(7)));
    let other = col("start").eq(at(9));
    assert_eq!(
        sent(&[middle.or(other)]),
        r#"{"op":"range","column":"start","lower":{"value":"1970-01-01T00:00:05Z","inclusive":false},"upper":{"value":"1970-01-01T00:00:09Z","inclusive":true}} [0] superset"#
    );
    assert_eq!(sent(&[early.or(col("user").eq(lit("ann")))]), "", "across columns");
}

#[test]
fn only_what_the_column_takes() {
    assert_eq!(sent(&[col("silent").eq(lit("x"))]), "");
    assert_eq!(sent(&[col("status").in_list(vec![lit("A"), lit("B")], false)]), "");
    assert_eq!(
        sent(&[col("start").eq(at(10))]),
        r#"{"op":"range","column":"start","lower":{"value":"1970-01-01T00:00:10Z","inclusive":true},"upper":{"value":"1970-01-01T00:00:10Z","inclusive":true}} [0]"#
    );
    assert_eq!(sent(&[col("bytes").eq(lit(1.5))]), "", "another type");
}

#[test]
fn booleans_and_nulls() {
    let flag = r#"{"op":"eq","column":"impersonating","value":true} [0]"#;
    assert_eq!(sent(&[col("impersonating")]), flag);
    assert_eq!(sent(&[col("impersonating").is_true()]), flag);
    assert_eq!(sent(&[!col("impersonating")]), flag.replace("true", "false"));
    assert_eq!(
        sent(&[col("user").is_null()]),
        r#"{"op":"is_null","column":"user","negated":false} [0]"#
    );
    assert_eq!(sent(&[col("user").eq(lit(ScalarValue::Utf8(None)))]), "nothing can pass");
}

#[test]
fn a_constant_that_is_not_true_passes_nothing() {
    let null = lit(ScalarValue::Boolean(None));
    assert_eq!(sent(&[col("user").is_null(), null]), "nothing can pass");
    assert_eq!(sent(&[lit(false)]), "nothing can pass");
    assert_eq!(sent(&[lit(true)]), "");
    let null = lit(ScalarValue::Boolean(None));
    assert_eq!(
        sent(&[col("user").eq(lit("ann")).or(null)]),
        r#"{"op":"eq","column":"user","value":"ann"} [0]"#
    );
}

#[test]
fn a_pattern_stands_alone() {
    let pattern = col("user").like(lit("a%"));
    let expected = r#"{"op":"like","column":"user","pattern":"a%","ignore_case":false} [0]"#;
    assert_eq!(sent(std::slice::from_ref(&pattern)), expected);
    assert_eq!(
        sent(&[pattern.clone(), col("user").eq(lit("ann"))]),
        expected,
        "the other stays here"
    );
    assert_eq!(sent(&[pattern.and(col("user").eq(lit("ann")))]), "", "nothing that loses a part");
}

#[test]
fn a_window_is_recognised() {
    let window = functions::scalar_functions()
        .into_iter()
        .find(|function| function.name() == functions::OPEN_DURING)
        .unwrap();
    let call =
        |since, until| ScalarUDF::call(&window, vec![col("start"), col("end"), since, until]);
    let none = || lit(ScalarValue::TimestampMicrosecond(None, Some("UTC".into())));
    assert_eq!(
        sent(&[call(at(10), none())]),
        r#"{"op":"open_during","since":"1970-01-01T00:00:10Z"} [0]"#
    );
    let conjunct = call(at(10), at(20));
    let pushable = push(&[&conjunct], &columns(), None);
    assert_eq!(pushable, Pushable::default(), "a table that takes no windows");
    // A derived table may have named them so.
    let other = ScalarUDF::call(&window, vec![col("end"), col("end"), at(10), none()]);
    assert_eq!(sent(&[other]), "", "a window on other columns");
}

#[test]
fn operators_of_sessions_with_constants_are_windows() {
    let call = |name: &str, args: Vec<Expr>| {
        let functions = functions::scalar_functions();
        functions.into_iter().find(|function| function.name() == name).unwrap().call(args)
    };
    let none = || lit(ScalarValue::TimestampMicrosecond(None, Some("UTC".into())));
    let own = || vec![col("start"), col("end")];
    let after = |others: Vec<Expr>| [own(), others].concat();
    let before = |others: Vec<Expr>| [others, own()].concat();
    let at_ten =
        r#"{"op":"open_during","since":"1970-01-01T00:00:10Z","until":"1970-01-01T00:00:10Z"} [0]"#;
    let to_twenty = r#"{"op":"open_during","since":"1970-01-01T00:00:10Z","until":"1970-01-01T00:00:20Z"} [0] superset"#;
    let since_ten = r#"{"op":"open_during","since":"1970-01-01T00:00:10Z"} [0] superset"#;
    assert_eq!(sent(&[call("lifetime_contains", after(vec![at(10)]))]), at_ten);
    for name in ["lifetimes_overlap", "lifetime_contains"] {
        assert_eq!(sent(&[call(name, before(vec![at(10), at(20)]))]), to_twenty);
        assert_eq!(sent(&[call(name, before(vec![at(10), none()]))]), since_ten);
        assert_eq!(sent(&[call(name, before(vec![at(20), at(10)]))]), "", "nothing is in it");
        assert_eq!(sent(&[call(name, after(vec![none(), at(10)]))]), "");
        assert_eq!(sent(&[call(name, after(vec![at(10), col("end")]))]), "");
    }
    assert_eq!(sent(&[call("lifetimes_overlap", after(vec![at(10), at(20)]))]), to_twenty);
    // Who is there all the time is there at its begin.
    assert_eq!(
        sent(&[call("lifetime_contains", after(vec![at(10), at(20)]))]),
        format!("{at_ten} superset")
    );
}

#[test]
fn a_constant_column_is_not_sent() {
    assert_eq!(sent(&[col("connection").eq(lit("vpn"))]), "");
}

#[test]
fn the_texts_of_an_expression_are_found_wherever_they_are() {
    let list = functions::is_one_of(col("user"), vec!["ann".into(), "bob".into()]);
    let expr =
        col("user").eq(lit("carl")).or(Expr::Not(Box::new(list))).and(col("bytes").eq(lit(5)));
    assert_eq!(value::texts(&expr), ["carl", "ann", "bob"]);
}

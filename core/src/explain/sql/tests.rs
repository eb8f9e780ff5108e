//! How filters read.

use datafusion::logical_expr::{Expr, col, lit};

use super::*;
use crate::functions::is_one_of;

fn at(micros: i64) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(micros), Some("UTC".into())))
}

/// 2026-03-14 12:00 UTC.
const NOON: i64 = 1_773_489_600_000_000;

fn sql(expr: &Expr) -> String {
    Writer::default().filter(expr)
}

#[test]
fn comparisons_read_as_they_are_written() {
    assert_eq!(sql(&col("user").eq(lit("O'Brien"))), "user = 'O''Brien'");
    assert_eq!(sql(&col("bytes").not_eq(lit(5_i64))), "bytes <> 5");
    assert_eq!(sql(&col("user").like(lit("a%"))), "user LIKE 'a%'");
    assert_eq!(sql(&col("user").not_ilike(lit("a%"))), "user NOT ILIKE 'a%'");
    assert_eq!(sql(&col("end").is_null()), "end IS NULL");
    assert_eq!(sql(&!col("end").is_null()), "NOT end IS NULL");
}

#[test]
fn times_are_in_the_querys_zone() {
    let filter = col("start").gt_eq(at(NOON));
    assert_eq!(sql(&filter), "start >= '2026-03-14 12:00'");
    let berlin = Writer::new(Tz::Europe__Berlin, BTreeSet::new());
    assert_eq!(berlin.filter(&filter), "start >= '2026-03-14 13:00'");
    assert_eq!(sql(&col("start").gt(at(NOON + 1_500_000))), "start > '2026-03-14 12:00:01.500'");
}

#[test]
fn durations_are_whole() {
    let long = |micros| lit(ScalarValue::DurationMicrosecond(Some(micros)));
    assert_eq!(sql(&col("duration").gt(long(5_400_000_000))), "duration > 1h30m");
    assert_eq!(sql(&col("duration").gt(long(90_061_001_000))), "duration > 1d1h1m1s1ms");
    assert_eq!(sql(&col("duration").gt(long(0))), "duration > 0s");
    assert_eq!(sql(&col("duration").gt(long(1))), "duration > INTERVAL '1 microseconds'");
}

#[test]
fn parentheses_stand_where_they_are_needed() {
    let (a, b, c) = (col("a").eq(lit(1)), col("b").eq(lit(2)), col("c").eq(lit(3)));
    assert_eq!(sql(&a.clone().and(b.clone()).or(c.clone())), "a = 1 AND b = 2 OR c = 3");
    assert_eq!(sql(&a.clone().and(b.clone().or(c.clone()))), "a = 1 AND (b = 2 OR c = 3)");
    assert_eq!(sql(&!a.and(b)), "NOT (a = 1 AND b = 2)");
    assert_eq!(sql(&((col("a") - (col("b") - col("c"))).gt(lit(1)))), "a - (b - c) > 1");
    assert_eq!(sql(&(((col("a") + col("b")) * col("c")).gt(lit(1)))), "(a + b) * c > 1");
}

#[test]
fn lists_are_lists_again_and_short() {
    let chain = col("user").eq(lit("a")).or(col("user").eq(lit("b")));
    assert_eq!(sql(&chain), "user IN ('a', 'b')");
    let many: Vec<Expr> = (0..42).map(|n| lit(i64::from(n))).collect();
    assert_eq!(sql(&col("n").in_list(many, true)), "n NOT IN (0, 1, 2, 3, 4, … 37 more)");
    let values = (0..3).map(|n| ScalarValue::from(i64::from(n))).collect();
    let opaque = is_one_of(col("n"), values);
    assert_eq!(sql(&opaque), "n IN (0, 1, 2)");
    assert_eq!(sql(&!opaque), "n NOT IN (0, 1, 2)");
}

#[test]
fn values_of_sensitive_columns_are_masked() {
    let writer = Writer::new(Tz::UTC, BTreeSet::from(["id".to_owned()]));
    let filter = col("id").eq(lit("s1")).and(col("user").eq(lit("ann")));
    assert_eq!(writer.filter(&filter), "id = *** AND user = 'ann'");
    let chain = col("id").eq(lit("s1")).or(col("id").eq(lit("s2")));
    assert_eq!(writer.filter(&chain), "id IN (***, ***)");
    assert_eq!(writer.filter(&(col("id") + lit("x")).eq(lit("s1"))), "id + *** = ***");
}

#[test]
fn names_of_the_engine_read_as_sql() {
    let plain = Writer::default();
    assert_eq!(plain.name("count(Int64(1))"), "count(*)");
    assert_eq!(plain.name("count(DISTINCT openvpn.client_ip)"), "count(DISTINCT client_ip)");
    assert_eq!(plain.name("sum(a.x + Float64(1.5))"), "sum(x + 1.5)");
    assert_eq!(plain.name("upper(Utf8(\"a.b\"))"), "upper('a.b')");
    assert_eq!(plain.name("naïve 'a.b' 1.5"), "naïve 'a.b' 1.5");
    let careful = Writer::new(Tz::UTC, BTreeSet::from(["id".to_owned()]));
    assert_eq!(careful.name("t.id = Utf8(\"s1\")"), "id = ***");
}

#[test]
fn operators_of_sessions_read_as_they_are_written() {
    let function = |name: &str| {
        let functions = crate::functions::scalar_functions();
        functions.into_iter().find(|function| function.name() == name).unwrap()
    };
    let own = || vec![col("start"), col("end")];
    let with = |others: Vec<Expr>| [own(), others].concat();
    let overlaps = function("lifetimes_overlap");
    assert_eq!(
        sql(&!overlaps.call(with(vec![at(NOON), lit(ScalarValue::Null)]))),
        "NOT (start, end) OVERLAPS ('2026-03-14 12:00', NULL)"
    );
    let contains = function("lifetime_contains");
    assert_eq!(sql(&contains.call(with(own()))), "(start, end) CONTAINS (start, end)");
    assert_eq!(
        sql(&contains.call(with(vec![at(NOON)])).is_null()),
        "((start, end) CONTAINS '2026-03-14 12:00') IS NULL"
    );
    assert_eq!(
        sql(&function("overlap").call([with(own()), vec![at(NOON)]].concat()).gt(lit(1))),
        "overlap((start, end), (start, end)) > 1"
    );
}

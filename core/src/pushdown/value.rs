//! Literals of the engine as they cross the wall.

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::Expr;
use sessionql_plugin_abi::message::{ColumnType, Filter, TimeColumns, Value};

use crate::functions::{IsOneOf, LIFETIME_CONTAINS, LIFETIMES_OVERLAP, OPEN_DURING};

/// Returns a literal for a column of this type, or `None` if it is of another type.
pub(super) fn to_wire(scalar: &ScalarValue, column_type: ColumnType) -> Option<Value> {
    match (column_type, scalar) {
        (ColumnType::Text, text) => Some(text.try_as_str()??.into()),
        (ColumnType::Timestamp, scalar) => Some(instant(scalar)?.into()),
        (ColumnType::Duration, ScalarValue::DurationMicrosecond(Some(micros))) => {
            Some((*micros).into())
        }
        (ColumnType::Int64, ScalarValue::Int64(Some(number))) => Some((*number).into()),
        (ColumnType::Float64, ScalarValue::Float64(Some(number))) if *number != 0.0 => {
            // Zero has two signs, which the engine tells apart and JSON may not.
            serde_json::Number::from_f64(*number).map(Value::Number)
        }
        (ColumnType::Bool, ScalarValue::Boolean(Some(flag))) => Some((*flag).into()),
        _ => None,
    }
}

/// Returns every text that an expression names.
pub(crate) fn texts(expr: &Expr) -> Vec<String> {
    let mut texts = Vec::new();
    let mut add = |scalar: &ScalarValue| {
        texts.extend(scalar.try_as_str().flatten().map(str::to_owned));
    };
    // The visitor cannot fail.
    expr.apply(|part| {
        match part {
            Expr::Literal(scalar, _) => add(scalar),
            Expr::ScalarFunction(call) => {
                if let Some(one_of) = call.func.inner().downcast_ref::<IsOneOf>() {
                    one_of.values.iter().for_each(&mut add);
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .ok();
    texts
}

/// Tells whether a condition is a window, on whatever columns.
pub(super) fn is_window(expr: &Expr) -> bool {
    Window::of(expr).is_some()
}

/// Returns the window that a condition on these columns asks for, and whether it lets more pass
/// than the condition. A derived table may have given the names to other columns.
pub(super) fn window(expr: &Expr, time: &TimeColumns) -> Option<(Filter, bool)> {
    let window = Window::of(expr)?;
    let is = |expr: &Expr, name: &str| matches!(expr, Expr::Column(column) if column.name == name);
    if !is(window.start, &time.start) || !is(window.end, &time.end) {
        return None;
    }
    let Window { since, until, is_superset, .. } = window;
    let text = |micros: Option<i64>| match micros {
        None => Some(None),
        Some(micros) => Some(Some(format_instant(DateTime::from_timestamp_micros(micros)?))),
    };
    let (since, until) = (text(since)?, text(until)?);
    (since.is_some() || until.is_some())
        .then_some((Filter::OpenDuring { since, until }, is_superset))
}

/// A condition that sessions are open at some time that is known beforehand.
struct Window<'e> {
    start: &'e Expr,
    end: &'e Expr,
    /// In microseconds; the same as `until` if an instant is meant.
    since: Option<i64>,
    until: Option<i64>,
    /// Whether the condition asks for more than that.
    is_superset: bool,
}

impl<'e> Window<'e> {
    /// Reads `SINCE`, `UNTIL`, `AT`, and OVERLAPS and CONTAINS with constants on one side.
    fn of(expr: &'e Expr) -> Option<Self> {
        let Expr::ScalarFunction(call) = expr else { return None };
        let window = |start, end, since, until, is_superset| {
            Some(Self { start, end, since, until, is_superset })
        };
        match (call.func.name(), call.args.as_slice()) {
            (OPEN_DURING, [start, end, since, until]) => {
                window(start, end, micros(since)?, micros(until)?, false)
            }
            (LIFETIME_CONTAINS, [start, end, instant]) => {
                let instant = Some(micros(instant)??);
                window(start, end, instant, instant, false)
            }
            // Who is there all the time is there at its begin; who shares an instant with it, or
            // lies within, is there at some time. Sessions that end before they begin are empty.
            (LIFETIMES_OVERLAP | LIFETIME_CONTAINS, [start, end, since, until]) => {
                let is_first_known = micros(since).is_none();
                let (session, known) = if is_first_known {
                    ([since, until], [start, end])
                } else {
                    ([start, end], [since, until])
                };
                let (since, until) = (Some(micros(known[0])??), micros(known[1])?);
                if until.is_some_and(|until| Some(until) < since) {
                    return None;
                }
                let is_covered = call.func.name() == LIFETIME_CONTAINS && !is_first_known;
                let until = if is_covered { since } else { until };
                window(session[0], session[1], since, until, true)
            }
            _ => None,
        }
    }
}

/// Returns the microseconds of a constant instant, or of NULL.
fn micros(expr: &Expr) -> Option<Option<i64>> {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(micros, Some(_)), _) => Some(*micros),
        Expr::Literal(scalar, _) if scalar.is_null() => Some(None),
        _ => None,
    }
}

/// Returns an instant in RFC 3339, UTC, with as many fraction digits as it needs.
fn instant(scalar: &ScalarValue) -> Option<String> {
    let ScalarValue::TimestampMicrosecond(Some(micros), Some(_)) = scalar else { return None };
    Some(format_instant(DateTime::from_timestamp_micros(*micros)?))
}

/// Returns an instant as it crosses the wall.
pub(crate) fn format_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

//! Literals of the engine as they cross the wall.

use chrono::{DateTime, SecondsFormat, Utc};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::Expr;
use sessionql_plugin_abi::message::{ColumnType, Filter, TimeColumns, Value};

use crate::functions::IsOneOf;

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
    matches!(expr, Expr::ScalarFunction(call) if call.func.name() == crate::functions::OPEN_DURING)
}

/// Returns the window that a call of `open_during` on these columns asks for. A derived table may
/// have given the names to other columns.
pub(super) fn window(expr: &Expr, time: &TimeColumns) -> Option<Filter> {
    let Expr::ScalarFunction(call) = expr else { return None };
    if call.func.name() != crate::functions::OPEN_DURING {
        return None;
    }
    let [start, end, since, until] = call.args.as_slice() else { return None };
    let is = |expr: &Expr, name: &str| matches!(expr, Expr::Column(column) if column.name == name);
    if !is(start, &time.start) || !is(end, &time.end) {
        return None;
    }
    let bound = |expr: &Expr| match expr {
        Expr::Literal(scalar, _) if scalar.is_null() => Some(None),
        Expr::Literal(scalar, _) => instant(scalar).map(Some),
        _ => None,
    };
    let (since, until) = (bound(since)?, bound(until)?);
    (since.is_some() || until.is_some()).then_some(Filter::OpenDuring { since, until })
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

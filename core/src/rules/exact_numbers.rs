//! Makes numbers behave as SQL says: integers that do not fit are an error and do not wrap, and what
//! becomes an integer is rounded, not cut. Refuses casts that would only write a value out as text.
//! Runs after type coercion, so that both sides of an operator have one type.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite_expressions;
use crate::functions::{checked, negated, rounded};

/// The rule.
#[derive(Debug)]
pub(crate) struct ExactNumbers;

impl AnalyzerRule for ExactNumbers {
    fn name(&self) -> &str {
        "exact_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, rewrite)
    }
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let type_of = |expr: &Expr| expr.get_type(schema).ok();
    let is_integer = |expr: &Expr| type_of(expr).is_some_and(|of| of.is_integer());
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply)
                && is_integer(&left)
                && type_of(&left) == type_of(&right) =>
        {
            Ok(match checked(op, (*left).clone(), (*right).clone()) {
                Some(checked) => Transformed::yes(checked),
                None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            })
        }
        Expr::Negative(inner) if is_integer(&inner) => Ok(match inner.as_ref() {
            Expr::Literal(..) => Transformed::no(Expr::Negative(inner)),
            _ => Transformed::yes(negated(*inner)),
        }),
        Expr::Cast(mut turn) => {
            let from = type_of(&turn.expr);
            let whole = whole(&turn.expr, from.as_ref(), turn.field.data_type())?;
            let is_changed = whole.is_some();
            turn.expr = whole.map_or(turn.expr, Box::new);
            Ok(transformed(Expr::Cast(turn), is_changed))
        }
        Expr::TryCast(mut turn) => {
            let from = type_of(&turn.expr);
            let whole = whole(&turn.expr, from.as_ref(), turn.field.data_type())?;
            let is_changed = whole.is_some();
            turn.expr = whole.map_or(turn.expr, Box::new);
            Ok(transformed(Expr::TryCast(turn), is_changed))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn transformed(expr: Expr, is_changed: bool) -> Transformed<Expr> {
    if is_changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// Returns the whole number that a number is to be before it becomes an integer; `None` for other
/// casts. Halves of constants and decimals go away from zero, those of floats to the even number.
fn whole(expr: &Expr, from: Option<&DataType>, to: &DataType) -> Result<Option<Expr>> {
    Ok(match (from, to) {
        (Some(from), to) if from.is_floating() && to.is_integer() => Some(match expr {
            Expr::Literal(ScalarValue::Float64(Some(value)), _) => {
                Expr::Literal(ScalarValue::Float64(Some(value.round())), None)
            }
            _ => rounded(expr.clone()),
        }),
        (Some(DataType::Decimal128(..)), to) if to.is_integer() => {
            Some(cast(expr.clone(), DataType::Decimal128(38, 0)))
        }
        (Some(from), to) if from.is_string() && item(to).is_some() => {
            return plan_err!("text cannot be cast to a list");
        }
        (Some(from), to) if item(from).is_some() && to.is_string() => {
            return plan_err!("a list is no text; array_to_string makes one of it");
        }
        (Some(from), to)
            if item(from).is_some_and(|of| item(of).is_some())
                && item(to).is_some_and(|of| item(of).is_none()) =>
        {
            return plan_err!("a list of lists cannot be cast to a list");
        }
        _ => None,
    })
}

/// Returns the type of a list's items.
fn item(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type())
        }
        _ => None,
    }
}

//! Reads text that is compared with an instant as a time in the query's zone.
//! Runs before the engine's type coercion, which would read it in the column's zone and would find
//! out about a bad one only in the optimizer.

use arrow::datatypes::DataType;
use chrono_tz::Tz;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, Operator,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite_expressions;
use crate::columns::timestamp_type;
use crate::functions::{is_of_lifetimes, read_instant};

/// Functions whose arguments are all of one type, so that text beside an instant is a time.
const ONE_TYPE: [&str; 4] = ["coalesce", "greatest", "least", "nullif"];

/// The rule, for one time zone.
#[derive(Debug)]
pub(crate) struct TimeLiterals {
    /// The zone of times without offset.
    pub time_zone: Tz,
}

/// A text that is compared with an instant but is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a date or time")]
pub(crate) struct NotATime {
    /// The text.
    pub text: String,
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

impl AnalyzerRule for TimeLiterals {
    fn name(&self) -> &str {
        "time_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, |expr, schema| self.rewrite(expr, schema))
    }
}

impl TimeLiterals {
    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let is_instant =
            |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Timestamp(_, Some(_))));
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                let (left, right) = match (is_instant(&left), is_instant(&right)) {
                    (true, false) => (left, Box::new(self.instant(*right, schema)?)),
                    (false, true) => (Box::new(self.instant(*left, schema)?), right),
                    _ => (left, right),
                };
                Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right })))
            }
            Expr::Between(between) if is_instant(&between.expr) => {
                let (low, high) =
                    (self.instant(*between.low, schema)?, self.instant(*between.high, schema)?);
                let (low, high) = (Box::new(low), Box::new(high));
                Ok(Transformed::yes(Expr::Between(Between { low, high, ..between })))
            }
            Expr::InList(mut in_list) if is_instant(&in_list.expr) => {
                in_list.list = in_list
                    .list
                    .into_iter()
                    .map(|item| self.instant(item, schema))
                    .collect::<Result<_>>()?;
                Ok(Transformed::yes(Expr::InList(in_list)))
            }
            Expr::Case(mut case) if case.expr.as_deref().is_some_and(is_instant) => {
                for (when, _) in &mut case.when_then_expr {
                    let text = std::mem::take(when.as_mut());
                    **when = self.instant(text, schema)?;
                }
                Ok(Transformed::yes(Expr::Case(case)))
            }
            Expr::Case(mut case) => {
                let results = case.when_then_expr.iter().map(|(_, then)| then);
                if !results.chain(&case.else_expr).any(|result| is_instant(result)) {
                    return Ok(Transformed::no(Expr::Case(case)));
                }
                let results = case.when_then_expr.iter_mut().map(|(_, then)| then);
                for result in results.chain(&mut case.else_expr) {
                    let text = std::mem::take(result.as_mut());
                    **result = self.instant(text, schema)?;
                }
                Ok(Transformed::yes(Expr::Case(case)))
            }
            Expr::ScalarFunction(mut call)
                if is_of_lifetimes(call.func.name())
                    || (ONE_TYPE.contains(&call.func.name())
                        && call.args.iter().any(is_instant)) =>
            {
                call.args = call
                    .args
                    .into_iter()
                    .map(|argument| self.instant(argument, schema))
                    .collect::<Result<_>>()?;
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Returns a text, a date or a time without zone as an instant; anything else as it is. A literal is
    /// read here, so that a bad one is found before anything is asked; the rest when it is there.
    fn instant(&self, expr: Expr, schema: &DFSchema) -> Result<Expr> {
        let text = match &expr {
            Expr::Literal(scalar, _) => scalar.try_as_str().flatten(),
            Expr::Cast(cast) if cast.field.data_type() == &DataType::Date32 => {
                match cast.expr.as_ref() {
                    Expr::Literal(scalar, _) => scalar.try_as_str().flatten(),
                    _ => None,
                }
            }
            _ => None,
        };
        let Some(text) = text else {
            let has_no_zone = expr.get_type(schema).is_ok_and(|data_type| {
                data_type.is_string()
                    || matches!(data_type, DataType::Date32 | DataType::Timestamp(_, None))
            });
            return Ok(if has_no_zone { read_instant(expr, self.time_zone) } else { expr });
        };
        let instant = crate::instant::parse(text, self.time_zone).ok_or_else(|| {
            DataFusionError::External(Box::new(NotATime { text: text.to_owned() }))
        })?;
        let DataType::Timestamp(_, zone) = timestamp_type() else { return Ok(expr) };
        let literal = ScalarValue::TimestampMicrosecond(Some(instant.timestamp_micros()), zone);
        Ok(Expr::Literal(literal, None))
    }
}

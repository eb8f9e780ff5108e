//! Refuses a duration beside an interval of months or years: how long a month is nobody can say.
//! Runs before the engine's type coercion, which would compare the two field by field, so that
//! eight days are less than `INTERVAL '1 month'` and four hundred days are too.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite_expressions;
use crate::functions::MonthsWithDuration;

/// Functions whose arguments are all of one type.
const ONE_TYPE: [&str; 5] = ["coalesce", "greatest", "least", "nullif", "make_array"];

/// The rule.
#[derive(Debug)]
pub(crate) struct CalendarIntervals;

impl AnalyzerRule for CalendarIntervals {
    fn name(&self) -> &str {
        "calendar_intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, |expr, schema| {
            check(&expr, schema)?;
            Ok(Transformed::no(expr))
        })
    }
}

fn check(expr: &Expr, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::BinaryExpr(binary) if !binary.op.is_logic_operator() => {
            together([&*binary.left, &*binary.right], schema)
        }
        Expr::Between(between) => together([&*between.expr, &*between.low, &*between.high], schema),
        Expr::InList(list) => together(std::iter::once(&*list.expr).chain(&list.list), schema),
        Expr::Case(case) => {
            let whens = case.when_then_expr.iter().map(|(when, _)| &**when);
            if let Some(operand) = &case.expr {
                together(std::iter::once(&**operand).chain(whens), schema)?;
            }
            let thens = case.when_then_expr.iter().map(|(_, then)| &**then);
            together(thens.chain(case.else_expr.as_deref()), schema)
        }
        Expr::ScalarFunction(call) if ONE_TYPE.contains(&call.func.name()) => {
            together(&call.args, schema)
        }
        _ => Ok(()),
    }
}

/// Refuses expressions of which one is a duration and another an interval.
fn together<'e>(exprs: impl IntoIterator<Item = &'e Expr>, schema: &DFSchema) -> Result<()> {
    let (mut has_duration, mut has_interval) = (false, false);
    for expr in exprs {
        match expr.get_type(schema) {
            Ok(DataType::Duration(_)) => has_duration = true,
            Ok(DataType::Interval(_)) => has_interval = true,
            _ => {}
        }
    }
    if has_duration && has_interval {
        return Err(DataFusionError::External(Box::new(MonthsWithDuration)));
    }
    Ok(())
}

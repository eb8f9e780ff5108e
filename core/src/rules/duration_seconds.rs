//! Counts the seconds of a duration with their fraction: `extract(epoch FROM duration)`.
//! The engine by itself gives whole seconds.

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite_expressions;
use crate::functions::seconds;

/// The rule.
#[derive(Debug)]
pub(crate) struct DurationSeconds;

impl AnalyzerRule for DurationSeconds {
    fn name(&self) -> &str {
        "duration_seconds"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, rewrite)
    }
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expr else { return Ok(Transformed::no(expr)) };
    let [Expr::Literal(part, _), value] = call.args.as_slice() else {
        return Ok(Transformed::no(expr));
    };
    let is_epoch = call.func.name() == "date_part"
        && part.try_as_str().flatten().is_some_and(|part| part.eq_ignore_ascii_case("epoch"));
    if is_epoch && matches!(value.get_type(schema), Ok(DataType::Duration(_))) {
        return Ok(Transformed::yes(seconds(value.clone())));
    }
    Ok(Transformed::no(expr))
}

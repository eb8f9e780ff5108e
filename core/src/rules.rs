//! Our own rules for the engine's planner.
//! `asof` makes ASOF JOINs of what lowering wrote, and moves filters below them.
//! `time_literals`, `query_zone`, `duration_seconds`, `exact_numbers` and `value_lists` change
//! expressions before the optimizer sees them, and `calendar_intervals` refuses some; `correlated`
//! and `missing_rows` do the same for queries within queries; `bind_join` and
//! `interval_joins` change joins of the physical plan, `share_scans` its scans; `monotone` reads the finished plan.

mod asof;
mod bind_join;
mod calendar_intervals;
mod correlated;
mod duration_seconds;
mod exact_numbers;
mod interval_joins;
mod missing_rows;
mod monotone;
mod query_zone;
mod share_scans;
mod time_literals;
mod value_lists;

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

pub(crate) use asof::{AsofFilters, AsofJoins, AsofProblem};
pub(crate) use bind_join::BindJoins;
pub(crate) use calendar_intervals::CalendarIntervals;
pub(crate) use correlated::CorrelatedQueries;
pub(crate) use duration_seconds::DurationSeconds;
pub(crate) use exact_numbers::ExactNumbers;
pub(crate) use interval_joins::IntervalJoins;
pub(crate) use missing_rows::MissingRows;
pub(crate) use monotone::scans_that_may_turn_wrong;
pub(crate) use query_zone::QueryZone;
pub(crate) use share_scans::ShareScans;
pub(crate) use time_literals::{NotATime, TimeLiterals};
pub(crate) use value_lists::ValueLists;

/// Rewrites all expressions of a plan and of its subqueries, inner ones first. `rewrite` gets the
/// columns that the expression may name. Columns keep their names.
fn rewrite_expressions(
    plan: LogicalPlan,
    mut rewrite: impl FnMut(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    let rewritten = plan.transform_up_with_subqueries(|plan| {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| rewrite(expr, &schema))?;
            Ok(rewritten.update_data(|expr| name.restore(expr)))
        })
    })?;
    Ok(rewritten.data)
}

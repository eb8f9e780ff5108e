//! A query that stands for a value is NULL if it has no row.
//! The engine concludes from the column alone whether that can be, and would drop `IS NULL` where a
//! count or a constant is missing with its row.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use datafusion::optimizer::AnalyzerRule;

use crate::functions::maybe_missing;

/// The rule.
#[derive(Debug)]
pub(crate) struct MissingRows;

impl AnalyzerRule for MissingRows {
    fn name(&self) -> &str {
        "missing_rows"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let mut is_changed = false;
            let names = datafusion::logical_expr::expr_rewriter::NamePreserver::new(&plan);
            let rewritten = plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = expr.transform_up(|expr| match expr {
                    Expr::ScalarSubquery(query) => {
                        Ok(nullable(query)?.update_data(Expr::ScalarSubquery))
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                is_changed |= rewritten.transformed;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })?;
            if !is_changed {
                return Ok(rewritten);
            }
            rewritten.map_data(LogicalPlan::recompute_schema)
        })?;
        // What has become nullable further down is so further up.
        let rewritten =
            rewritten.data.transform_up(|plan| Ok(Transformed::yes(plan.recompute_schema()?)))?;
        Ok(rewritten.data)
    }
}

fn nullable(query: Subquery) -> Result<Transformed<Subquery>> {
    let schema = query.subquery.schema();
    if has_row(&query.subquery) || schema.fields().iter().all(|field| field.is_nullable()) {
        return Ok(Transformed::no(query));
    }
    // Of these the engine makes joins, for which it has to know what they are of no rows.
    let is_correlated = !query.outer_ref_columns.is_empty();
    let columns = schema.columns().into_iter().map(|column| {
        let name = column.name.clone();
        maybe_missing(Expr::Column(column), is_correlated).alias(name)
    });
    let columns: Vec<_> = columns.collect();
    let plan = LogicalPlanBuilder::from(Arc::clone(&query.subquery)).project(columns)?.build()?;
    Ok(Transformed::yes(Subquery { subquery: Arc::new(plan), ..query }))
}

/// Returns whether a plan always yields a row.
fn has_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_) => {
            plan.inputs().iter().all(|input| has_row(input))
        }
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        LogicalPlan::Values(_) => true,
        _ => false,
    }
}

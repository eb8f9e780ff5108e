//! What EXPLAIN is told of a table while it is planned.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use sessionql_plugin_abi::message::{Plan, Verdict};

use super::{PlanError, ProviderTable};
use crate::pushdown::{self, Pushable};
use crate::scan::FilterPlan;
use crate::statement::UnreadTable;

impl ProviderTable {
    /// Returns the plan of a table that needs no request, and keeps why for EXPLAIN.
    pub(super) fn no_rows(
        &self,
        filters: &[Expr],
        projection: &[usize],
        reason: &'static str,
    ) -> Result<Arc<dyn ExecutionPlan>, PlanError> {
        self.leave_unread(filters, reason);
        let schema = Arc::new(self.schema.project(projection).map_err(DataFusionError::from)?);
        Ok(Arc::new(EmptyExec::new(schema)))
    }

    /// Notes for EXPLAIN that no scan stands for this table.
    fn leave_unread(&self, filters: &[Expr], reason: &'static str) {
        let unread = UnreadTable {
            connection: Arc::clone(&self.connection),
            table: self.table.name.clone(),
            filters: filters.to_vec(),
            reason,
        };
        if let Ok(mut tables) = self.context.unread.lock() {
            tables.push(unread);
        }
    }

    /// Returns what becomes of each filter, and why.
    pub(super) fn filter_plans(
        &self,
        filters: &[Expr],
        pushable: &Pushable,
        plan: &Plan,
    ) -> Vec<FilterPlan> {
        let told = |(idx, expr): (usize, &Expr)| {
            let sent = pushable.filters.iter().position(|filter| filter.conjuncts.contains(&idx));
            let (verdict, reason) = match sent {
                Some(sent) => {
                    let verdict = plan.verdicts.get(sent).copied().unwrap_or_default();
                    let reason = plan.reasons.get(sent).cloned().unwrap_or_default();
                    match (verdict, pushable.filters[sent].is_superset) {
                        (Verdict::Exact, true) => {
                            (Verdict::Inexact, format!("{reason}, in a form that lets more pass"))
                        }
                        _ => (verdict, reason),
                    }
                }
                None if !self.context.pushes_filters => {
                    (Verdict::Unsupported, "pushdown is off".to_owned())
                }
                None => {
                    let reason = pushdown::why_not_sent(expr, &self.columns);
                    (Verdict::Unsupported, reason.to_owned())
                }
            };
            FilterPlan { expr: expr.clone(), verdict, reason }
        };
        filters.iter().enumerate().map(told).collect()
    }
}

/// Returns what becomes of a filter that holds for every row of the connection.
pub(super) fn decided(filter: Expr) -> FilterPlan {
    let reason = "the same in every row".to_owned();
    FilterPlan { expr: filter, verdict: Verdict::Unsupported, reason }
}

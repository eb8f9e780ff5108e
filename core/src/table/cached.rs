//! Tables of which an earlier scan read every row that is asked for.

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::physical_plan::ExecutionPlan;
use sessionql_plugin_abi::message::{Plan, Verdict};

use super::{Negotiated, PlanError, ProviderTable};
use crate::cache::Entry;
use crate::pushdown::Pushable;
use crate::scan::{FilterPlan, ScanExec, ScanPlan};

impl ProviderTable {
    /// Returns what the cache has of the rows, if that is all of them. Where the provider itself could
    /// not tell all of them, the cache cannot.
    pub(super) fn cached(
        &self,
        filters: &[Expr],
        pushable: &Pushable,
        projection: &[usize],
        negotiated: &Negotiated,
    ) -> Option<Arc<Entry>> {
        let cache = self.context.cache.as_ref().filter(|_| negotiated.plan.gaps.is_empty())?;
        let all: Vec<usize> = (0..filters.len()).collect();
        let request = self.request(&self.used_columns(projection, filters, &all), pushable, None);
        cache.find(&self.connection.config.name, &self.table, &request, self.context.clock)
    }

    /// Plans a scan of rows that are in the cache: every filter is checked again.
    pub(super) fn plan_cached(
        &self,
        entry: Arc<Entry>,
        (filters, pushable, projection): (&[Expr], &Pushable, &[usize]),
        negotiated: Negotiated,
        limit: Option<usize>,
        props: &ExecutionProps,
    ) -> Result<Arc<dyn ExecutionPlan>, PlanError> {
        let all: Vec<usize> = (0..filters.len()).collect();
        let used = self.used_columns(projection, filters, &all);
        let request = self.request(&used, pushable, None);
        // What the plugin has to say of the request holds for its rows from wherever they come.
        let plan = Plan { notes: negotiated.plan.notes, ..Plan::default() };
        let told = filters.iter().map(|expr| FilterPlan {
            expr: expr.clone(),
            verdict: Verdict::Unsupported,
            reason: "the rows come from the cache".to_owned(),
        });
        let told = told.collect();
        let negotiated = Negotiated { request, plan, residual: all, used };
        let id = self.context.next_scan_id();
        let plan = self.scan_plan(id, props, told, projection, negotiated)?;
        let plan = ScanPlan { cached: Some(entry), ..plan };
        Ok(Arc::new(ScanExec::try_new(Arc::new(plan), limit)?))
    }
}

//! Makes interval joins of joins whose condition is that intervals meet. In: the physical plan, after join
//! selection and after bind joins, which save requests. Out: the same plan with an interval join for
//! each such hash join or nested-loop join.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{NullEquality, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::NestedLoopJoinExec;

use super::bind_join::as_hash_join;
use crate::interval_join::{IntervalJoinExec, Join};

/// The rule.
#[derive(Debug)]
pub(crate) struct IntervalJoins;

impl PhysicalOptimizerRule for IntervalJoins {
    fn name(&self) -> &str {
        "interval_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(join) = as_join(&node)? else { return Ok(Transformed::no(node)) };
            Ok(match IntervalJoinExec::try_new(join)? {
                Some(join) => Transformed::yes(Arc::new(join)),
                None => Transformed::no(node),
            })
        })
        .data()
    }
}

/// Returns the parts of a join that has a filter.
fn as_join(node: &Arc<dyn ExecutionPlan>) -> Result<Option<Join>> {
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        return Ok(join.filter().map(|filter| Join {
            left: Arc::clone(join.left()),
            right: Arc::clone(join.right()),
            on: Vec::new(),
            null_equality: NullEquality::NullEqualsNothing,
            filter: filter.clone(),
            join_type: *join.join_type(),
            projection: join.projection().as_ref().map(|columns| columns.to_vec()),
        }));
    }
    // NOT IN asks more of NULL than any other join.
    let join = as_hash_join(node)?.filter(|join| !join.null_aware && join.fetch().is_none());
    Ok(join.and_then(|join| {
        Some(Join {
            left: Arc::clone(&join.left),
            right: Arc::clone(&join.right),
            on: join.on.clone(),
            null_equality: join.null_equality,
            filter: join.filter.clone()?,
            join_type: join.join_type,
            projection: join.projection.as_ref().map(|columns| columns.to_vec()),
        })
    }))
}

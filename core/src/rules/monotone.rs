//! Which scans stand below a step that may turn missing rows into wrong ones.
//! A step is monotone if less input gives less output and nothing else: filters, projections,
//! inner joins, unions. Aggregates, windows, outer and anti joins, EXCEPT, ORDER BY with LIMIT are
//! not. Without an order any rows are the first ones, so a LIMIT alone is.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::unnest::UnnestExec;

use crate::asof::AsofJoinExec;
use crate::bind_join::BindJoinExec;
use crate::interval_join::IntervalJoinExec;
use crate::last::LastExec;
use crate::scan::ScanExec;
use crate::sessions::UnreadExec;

/// Returns the ids of the scans below a step that is not monotone.
pub(crate) fn scans_that_may_turn_wrong(plan: &Arc<dyn ExecutionPlan>) -> HashSet<usize> {
    let mut scans = HashSet::new();
    collect(plan, false, &mut scans);
    scans
}

fn collect(plan: &Arc<dyn ExecutionPlan>, is_wrong: bool, scans: &mut HashSet<usize>) {
    let scan = plan.downcast_ref::<ScanExec>().map(ScanExec::id);
    let scan = scan.or_else(|| plan.downcast_ref::<UnreadExec>().map(UnreadExec::id));
    if let Some(scan) = scan.or_else(|| plan.downcast_ref::<LastExec>().map(LastExec::id)) {
        if is_wrong {
            scans.insert(scan);
        }
        return;
    }
    if let Some(join) = plan.downcast_ref::<AsofJoinExec>() {
        // Where the latest row is missing, an earlier one takes its place.
        collect(join.left(), is_wrong, scans);
        collect(join.right(), true, scans);
        return;
    }
    let is_wrong = is_wrong || !is_monotone(plan.as_ref());
    for child in plan.children() {
        collect(child, is_wrong, scans);
    }
}

/// Tells whether a node keeps the first of rows that have an order: where one is missing, another takes
/// its place. The rule of the optimizer that moves limits leaves them on all kinds of nodes, some of
/// which drop the column of the order.
fn keeps_first_in_order(plan: &dyn ExecutionPlan) -> bool {
    let has_order = |plan: &dyn ExecutionPlan| plan.properties().output_ordering().is_some();
    plan.fetch().is_some()
        && (has_order(plan) || plan.children().into_iter().any(|child| has_order(child.as_ref())))
}

fn is_monotone(plan: &dyn ExecutionPlan) -> bool {
    if keeps_first_in_order(plan) {
        return false;
    }
    let join_type = plan
        .downcast_ref::<HashJoinExec>()
        .map(HashJoinExec::join_type)
        .or_else(|| plan.downcast_ref::<NestedLoopJoinExec>().map(NestedLoopJoinExec::join_type))
        .copied()
        .or_else(|| plan.downcast_ref::<BindJoinExec>().map(BindJoinExec::join_type))
        .or_else(|| plan.downcast_ref::<IntervalJoinExec>().map(|node| node.join().join_type));
    if let Some(join_type) = join_type {
        return matches!(join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        // DISTINCT is an aggregate without functions.
        return aggregate.aggr_expr().is_empty() && !aggregate.group_expr().is_empty();
    }
    if let Some(limit) = plan.downcast_ref::<GlobalLimitExec>() {
        return limit.skip() == 0;
    }
    plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<CrossJoinExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.is::<UnionExec>()
        || plan.is::<UnnestExec>()
}

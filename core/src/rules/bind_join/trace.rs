//! Follows the key of a join down to the scan that it comes from.
//! Every step on the way must commute with a filter on that column: reading only the rows that have
//! one of some keys, below the step, gives the rows that have one of them above it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{JoinSide, JoinType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::build_join_schema;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use super::as_hash_join;
use crate::bind_join::BindJoinExec;
use crate::scan::{Keys, ScanExec};
use crate::table::Askable;

/// A scan that a key comes from.
pub(super) struct Found {
    /// The scan's number.
    pub(super) scan: usize,
    /// What can be asked.
    pub(super) askable: Arc<Askable>,
    /// The column of the key, by index in the table.
    pub(super) column: usize,
}

/// Returns the scan that a key of `plan` comes from, if it can be asked by it and is not yet.
pub(super) fn trace(plan: &Arc<dyn ExecutionPlan>, key: &Arc<dyn PhysicalExpr>) -> Option<Found> {
    if let Some(cast) = key.downcast_ref::<CastExpr>() {
        // Between texts a cast changes no value.
        let from = cast.expr().data_type(&plan.schema()).ok()?;
        return (is_text(cast.cast_type()) && is_text(&from)).then(|| trace(plan, cast.expr()))?;
    }
    trace_column(plan, key.downcast_ref::<Column>()?.index())
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

fn trace_column(plan: &Arc<dyn ExecutionPlan>, column_idx: usize) -> Option<Found> {
    // Which rows a limit lets pass depends on all of them.
    if plan.fetch().is_some() {
        return None;
    }
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let Keys::Open { askable, .. } = scan.keys() else { return None };
        let column = askable.key_column(column_idx)?;
        return Some(Found { scan: scan.number(), askable: Arc::clone(askable), column });
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return trace(projection.input(), &projection.expr().get(column_idx)?.expr);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let columns = filter.projection().as_ref();
        let column_idx =
            columns.map_or(Some(column_idx), |columns| columns.get(column_idx).copied());
        return trace_column(filter.input(), column_idx?);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let groups = aggregate.group_expr();
        if groups.has_grouping_set() || aggregate.limit_options().is_some() {
            return None;
        }
        return trace(aggregate.input(), &groups.expr().get(column_idx)?.0);
    }
    if let Some(join) = plan.downcast_ref::<BindJoinExec>() {
        return trace_bind_join(join, column_idx);
    }
    if let Some(join) = as_hash_join(plan).ok()? {
        return trace_join(&join, column_idx);
    }
    let keeps_rows = plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>();
    keeps_rows.then(|| trace_column(plan.children().first()?, column_idx))?
}

/// Goes on to the outer side of a join that asks its lookup side already.
fn trace_bind_join(join: &BindJoinExec, column_idx: usize) -> Option<Found> {
    if let Some(outer_idx) = join.outer_column(column_idx) {
        return trace_column(join.outer(), outer_idx);
    }
    // The keys of the lookup side are those of the outer side.
    let template = join.template();
    let columns = template.projection.as_ref();
    let column_idx =
        columns.map_or(Some(column_idx), |columns| columns.get(column_idx).copied())?;
    if template.join_type != JoinType::Inner {
        return None;
    }
    let is_key = |key: &Arc<dyn PhysicalExpr>| {
        key.downcast_ref::<Column>().is_some_and(|column| column.index() == column_idx)
    };
    let (_, outer_key) = template.on.iter().find(|(lookup_key, _)| is_key(lookup_key))?;
    trace(join.outer(), outer_key)
}

/// Goes on to a side of a join from which a filter above may take rows.
fn trace_join(join: &HashJoinExec, column_idx: usize) -> Option<Found> {
    use JoinType::{
        Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi,
    };
    if join.null_aware {
        return None;
    }
    let (_, columns) =
        build_join_schema(&join.left.schema(), &join.right.schema(), &join.join_type);
    let projected = join.projection.as_ref();
    let column_idx = projected.map_or(Some(column_idx), |columns| columns.get(column_idx).copied());
    let column = columns.get(column_idx?)?;
    let is_key = |key: &Arc<dyn PhysicalExpr>| {
        key.downcast_ref::<Column>().is_some_and(|key| key.index() == column.index)
    };
    let is_inner = join.join_type == Inner;
    match column.side {
        JoinSide::Left
            if matches!(join.join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark) =>
        {
            trace_column(&join.left, column.index).or_else(|| {
                let (_, other) = join.on.iter().find(|(key, _)| is_inner && is_key(key))?;
                trace(&join.right, other)
            })
        }
        JoinSide::Right
            if matches!(join.join_type, Inner | Right | RightSemi | RightAnti | RightMark) =>
        {
            trace_column(&join.right, column.index).or_else(|| {
                let (other, _) = join.on.iter().find(|(_, key)| is_inner && is_key(key))?;
                trace(&join.left, other)
            })
        }
        _ => None,
    }
}

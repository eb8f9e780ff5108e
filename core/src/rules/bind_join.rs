//! Makes joins ask tables by key that are too large to be read whole.
//! In: the physical plan, after join selection, so that no later rule swaps the sides of a join. Out:
//! the same plan with a bind join for each join that can ask one of its sides, and with the reason
//! on each scan that stays without keys.

mod reason;
mod share;
mod trace;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DataFusionError, JoinSide, JoinType, NullEquality, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::joins::{
    HashJoinExec, HashJoinExecBuilder, PartitionMode, SortMergeJoinExec,
};
use datafusion::physical_plan::{
    ExecutionPlan, StatisticsArgs, StatisticsContext, replace_children_if_necessary,
};

use super::IntervalJoins;
use crate::bind_join::{BindJoinExec, Binding, Emits};
use crate::lookup::{KeyLimits, Lookup};
use crate::scan::{Keys, ScanExec};
use trace::{Found, trace};

/// The rule.
#[derive(Debug)]
pub(crate) struct BindJoins {
    limits: KeyLimits,
}

/// Whether the outer side of a join may have scans that have no keys themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OuterSide {
    HasKeys,
    IsAny,
}

/// A side of a join that can be asked by key.
struct Candidate {
    /// The side that is asked.
    side: JoinSide,
    key_idx: usize,
    found: Found,
    /// Rows on the other side, as far as anybody can tell.
    n_outer_rows: usize,
}

impl BindJoins {
    /// Returns the engine's rules with this one in its place, and with the one for the joins that it leaves.
    pub(crate) fn among_rules(
        limits: KeyLimits,
    ) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
        let mut rules = PhysicalOptimizer::new().rules;
        let after = rules.iter().position(|rule| rule.name() == "join_selection");
        let after = after.map_or(0, |place| place + 1);
        rules.insert(after, Arc::new(Self { limits }));
        rules.insert(after + 1, Arc::new(IntervalJoins));
        rules
    }

    /// Binds joins until nothing is left to bind. Once is not enough: in `(a JOIN b) JOIN c` the
    /// upper join may give `a` its keys, and only then can the lower join give `b` those of `a`.
    fn bind_all(
        &self,
        mut plan: Arc<dyn ExecutionPlan>,
        outer: OuterSide,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        loop {
            let bound = plan.transform_up(|node| {
                let Some(join) = as_hash_join(&node)? else { return Ok(Transformed::no(node)) };
                Ok(match self.bind(&join, outer)? {
                    Some(bound) => Transformed::yes(bound),
                    None => Transformed::no(node),
                })
            })?;
            plan = bound.data;
            if !bound.transformed {
                return Ok(plan);
            }
        }
    }

    /// Returns the bind join that does what a join does, if one of its sides can be asked.
    fn bind(
        &self,
        join: &HashJoinExec,
        outer: OuterSide,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let candidates = candidates(join, outer);
        let Some(candidate) = candidates.into_iter().min_by_key(|candidate| candidate.n_outer_rows)
        else {
            return Ok(None);
        };
        let is_left = candidate.side == JoinSide::Left;
        let emits = match (join.join_type, is_left) {
            (JoinType::LeftSemi, true) | (JoinType::RightSemi, false) => Emits::Lookup,
            _ => Emits::Outer,
        };
        if is_left == (emits == Emits::Outer) {
            return self.bind_as_it_lies(join, &candidate, emits).map(Some);
        }
        // A projection on top may put the columns back in order.
        let swapped = join.swap_inputs(PartitionMode::CollectLeft)?;
        if let Some(join) = swapped.downcast_ref::<HashJoinExec>() {
            return self.bind_as_it_lies(join, &candidate, emits).map(Some);
        }
        let below = swapped.children().first().and_then(|child| child.downcast_ref());
        let join: &HashJoinExec = below.ok_or_else(|| {
            DataFusionError::Internal("a join whose sides were swapped is gone".to_owned())
        })?;
        let bound = self.bind_as_it_lies(join, &candidate, emits)?;
        replace_children_if_necessary(swapped, vec![bound]).map(Some)
    }

    /// Makes the bind join of a join whose sides lie as the bind join needs them.
    fn bind_as_it_lies(
        &self,
        join: &HashJoinExec,
        candidate: &Candidate,
        emits: Emits,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Found { scan, askable, column } = &candidate.found;
        let lookup = Lookup::new(askable.as_ref().clone(), *column, *scan, self.limits);
        let lookup = Arc::new(lookup);
        let mark = |side: &Arc<dyn ExecutionPlan>| {
            with_keys(side, &|found| {
                (found.number() == *scan)
                    .then(|| Keys::Bound { lookup: Arc::clone(&lookup), keys: None })
            })
        };
        let template = join
            .builder()
            .with_new_children(vec![mark(&join.left)?, mark(&join.right)?])?
            .with_partition_mode(PartitionMode::CollectLeft)
            .recompute_properties()
            .build()?;
        let (key_idx, scan, limits) = (candidate.key_idx, *scan, self.limits);
        let binding = Binding { emits, key_idx, scan, limits };
        Ok(Arc::new(BindJoinExec::new(template, binding)))
    }
}

impl PhysicalOptimizerRule for BindJoins {
    fn name(&self) -> &str {
        "bind_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !has_open_scan(&plan) {
            return Ok(plan);
        }
        let plan = self.bind_all(plan, OuterSide::HasKeys)?;
        // What still has no keys is read whole; its rows can be keys for others all the same.
        let plan = self.bind_all(plan, OuterSide::IsAny)?;
        reason::explain(share::share(plan)?)
    }
}

/// Returns the sides of a join that can be asked.
fn candidates(join: &HashJoinExec, outer: OuterSide) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    // NOT IN needs to know whether the other side has a NULL, or any row at all.
    if join.null_aware {
        return candidates;
    }
    for side in [JoinSide::Left, JoinSide::Right] {
        let (asked, other) = match side {
            JoinSide::Left => (&join.left, &join.right),
            _ => (&join.right, &join.left),
        };
        if !can_ask(join.join_type, side) || (outer == OuterSide::HasKeys && has_open_scan(other)) {
            continue;
        }
        for (key_idx, (left, right)) in join.on.iter().enumerate() {
            let key = if side == JoinSide::Left { left } else { right };
            let Some(found) = trace(asked, key) else { continue };
            // A plugin cannot be asked for NULL.
            let matches_null = join.null_equality == NullEquality::NullEqualsNull;
            if matches_null && found.askable.is_nullable(found.column) {
                continue;
            }
            let n_outer_rows = estimated_rows(other).unwrap_or(usize::MAX);
            candidates.push(Candidate { side, key_idx, found, n_outer_rows });
        }
    }
    candidates
}

/// Tells whether a join may read only the rows of a side that match.
fn can_ask(join_type: JoinType, side: JoinSide) -> bool {
    use JoinType::{
        Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi,
    };
    match side {
        JoinSide::Left => {
            matches!(join_type, Inner | Right | RightSemi | RightAnti | RightMark | LeftSemi)
        }
        _ => matches!(join_type, Inner | Left | LeftSemi | LeftAnti | LeftMark | RightSemi),
    }
}

fn estimated_rows(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let statistics =
        StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    statistics.num_rows.get_value().copied()
}

/// Returns an equal join as a hash join: a sort-merge join has the same parts.
pub(super) fn as_hash_join(node: &Arc<dyn ExecutionPlan>) -> Result<Option<HashJoinExec>> {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return join.builder().build().map(Some);
    }
    let Some(join) = node.downcast_ref::<SortMergeJoinExec>() else { return Ok(None) };
    let (left, right) = (Arc::clone(&join.left), Arc::clone(&join.right));
    HashJoinExecBuilder::new(left, right, join.on.clone(), join.join_type)
        .with_filter(join.filter.clone())
        .with_null_equality(join.null_equality)
        .with_partition_mode(PartitionMode::CollectLeft)
        .build()
        .map(Some)
}

/// Changes the scans of a plan for which `keys` returns something.
fn with_keys(
    plan: &Arc<dyn ExecutionPlan>,
    keys: &dyn Fn(&ScanExec) -> Option<Keys>,
) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|node| {
            let changed = node.downcast_ref::<ScanExec>().and_then(|scan| {
                let keys = keys(scan)?;
                Some(Arc::new(scan.with_keys(keys)) as Arc<dyn ExecutionPlan>)
            });
            Ok(changed.map_or_else(|| Transformed::no(node), Transformed::yes))
        })
        .data()
}

/// Returns the scans of a plan.
fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<ScanExec> {
    let mut scans = Vec::new();
    let visited = plan.apply(|node| {
        scans.extend(node.downcast_ref::<ScanExec>().cloned());
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "nothing in it can fail");
    scans
}

/// Tells whether a plan has a scan that could be asked by key and is not.
fn has_open_scan(plan: &Arc<dyn ExecutionPlan>) -> bool {
    scans(plan).iter().any(|scan| matches!(scan.keys(), Keys::Open { .. }))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::arrow::compute::SortOptions;
    use datafusion::physical_expr::expressions::Column;
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;

    #[test]
    fn a_sort_merge_join_is_read_as_the_hash_join_that_it_could_be() {
        let schema = Arc::new(Schema::new(vec![Field::new("user", DataType::Utf8, true)]));
        let side = || -> Arc<dyn ExecutionPlan> { Arc::new(EmptyExec::new(Arc::clone(&schema))) };
        let key = || -> Arc<dyn datafusion::physical_plan::PhysicalExpr> {
            Arc::new(Column::new("user", 0))
        };
        let join = SortMergeJoinExec::try_new(
            side(),
            side(),
            vec![(key(), key())],
            None,
            JoinType::LeftAnti,
            vec![SortOptions::default()],
            NullEquality::NullEqualsNull,
        );
        let join: Arc<dyn ExecutionPlan> = Arc::new(join.unwrap());
        let hash = as_hash_join(&join).unwrap().unwrap();
        assert_eq!(hash.join_type, JoinType::LeftAnti);
        assert_eq!(hash.null_equality, NullEquality::NullEqualsNull);
        assert_eq!(hash.on.len(), 1);
        assert_eq!(hash.schema(), join.schema());
        assert!(as_hash_join(&side()).unwrap().is_none());
    }

    #[test]
    fn the_rule_comes_after_the_last_one_that_swaps_joins() {
        let rules = BindJoins::among_rules(KeyLimits::default());
        let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        let place = names.iter().position(|name| *name == "bind_joins").unwrap();
        assert_eq!(names[place - 1], "join_selection");
        assert_eq!(names.len(), PhysicalOptimizer::new().rules.len() + 2);
    }
}

//! A join of rows whose intervals meet, such as sessions that overlap: `a OVERLAPS b`, `a CONTAINS b`, or
//! two inequalities like `a.start < b.end AND b.start < a.end`, with or without keys that must be equal.
//! In: the left side whole, the right side in chunks. Both are sorted by key and start, and swept over
//! together, so the work is that of sorting and of the pairs that there are, where a hash join would
//! look at all pairs of a key. Made by `rules/interval_joins.rs`.

mod condition;
mod layout;
mod run;
mod sweep;
#[cfg(test)]
mod tests;
mod work;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, JoinType, NullEquality, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter, build_join_schema};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::{
    EmbeddedProjection, ProjectionExec, try_embed_projection,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, Partitioning,
    PlanProperties, SendableRecordBatchStream,
};
use futures::stream;

use condition::{Bounds, Condition};
use layout::Layout;
use run::{Run, Stage};
use work::{Sizes, Work};

use crate::keyed::{KeyReader, Reading, can_be_key};

/// A join of the engine's plan, in parts.
#[derive(Debug, Clone)]
pub(crate) struct Join {
    /// The side that is read whole.
    pub(crate) left: Arc<dyn ExecutionPlan>,
    pub(crate) right: Arc<dyn ExecutionPlan>,
    /// What must be equal, of the left and of the right side.
    pub(crate) on: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)>,
    pub(crate) null_equality: NullEquality,
    /// What a pair must fulfil.
    pub(crate) filter: JoinFilter,
    pub(crate) join_type: JoinType,
    /// The columns that go out, of those that the join has; all of them without.
    pub(crate) projection: Option<Vec<usize>>,
}

/// The physical node.
#[derive(Debug)]
pub(crate) struct IntervalJoinExec {
    join: Join,
    condition: Condition,
    layout: Layout,
    sizes: Sizes,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl IntervalJoinExec {
    /// Returns the node that does what a join does, `None` if the join is none of intervals.
    ///
    /// # Errors
    /// If the columns of the join's filter are not those of its sides.
    pub(crate) fn try_new(join: Join) -> Result<Option<Self>> {
        let is_mark = matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark);
        let Some((condition, residual)) = Condition::find(&join.filter) else { return Ok(None) };
        for (left, right) in &join.on {
            let left = left.data_type(&join.left.schema())?;
            if left != right.data_type(&join.right.schema())? || !can_be_key(&left) {
                return Ok(None);
            }
        }
        if is_mark {
            return Ok(None);
        }
        let (schema, columns) =
            build_join_schema(&join.left.schema(), &join.right.schema(), &join.join_type);
        let (schema, columns) = match &join.projection {
            Some(projection) => {
                let columns: Vec<ColumnIndex> =
                    projection.iter().map(|idx| columns[*idx].clone()).collect();
                (schema.project(projection)?, columns)
            }
            None => (schema, columns),
        };
        let schema = Arc::new(schema);
        let layout = Layout::new(&columns, Arc::clone(&schema), residual.as_ref(), &join.filter)?;
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        let sizes = Sizes::default();
        Ok(Some(Self { join, condition, layout, sizes, properties, metrics }))
    }

    /// Returns the join that this node does.
    pub(crate) fn join(&self) -> &Join {
        &self.join
    }

    fn with_join(&self, join: Join) -> Result<Self> {
        match Self::try_new(join)? {
            Some(node) => Ok(Self { sizes: self.sizes, metrics: self.metrics.clone(), ..node }),
            None => internal_err!("an interval join has lost its condition"),
        }
    }
}

impl EmbeddedProjection for IntervalJoinExec {
    fn with_projection(&self, projection: Option<Vec<usize>>) -> Result<Self> {
        let projection = match (&self.join.projection, projection) {
            (Some(own), Some(of_own)) => Some(of_own.into_iter().map(|idx| own[idx]).collect()),
            (own, projection) => projection.or_else(|| own.clone()),
        };
        self.with_join(Join { projection, ..self.join.clone() })
    }
}

impl DisplayAs for IntervalJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IntervalJoinExec: {}", self.join.join_type)?;
        for (left, right) in &self.join.on {
            write!(formatter, " {left}={right}")?;
        }
        if self.layout.has_residual() {
            // What it compares with may be sensitive.
            write!(formatter, " filtered")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for IntervalJoinExec {
    fn name(&self) -> &str {
        "IntervalJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.join.left, &self.join.right]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [left, right] = children.as_slice() else {
            return internal_err!("an interval join has two sides");
        };
        let (left, right) = (Arc::clone(left), Arc::clone(right));
        Ok(Arc::new(self.with_join(Join { left, right, ..self.join.clone() })?))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let keys = self.join.on.iter().flat_map(|(left, right)| [left, right]);
        let exprs = keys.chain([self.join.filter.expression()]);
        datafusion::physical_plan::apply_expression_roots(exprs, visit)
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        try_embed_projection(projection, self)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Join { left, right, on, null_equality, join_type, .. } = &self.join;
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let (left_keys, right_keys): (Vec<_>, Vec<_>) = on.iter().cloned().unzip();
        let config = task.session_config();
        let n_threads = config.target_partitions();
        let work = Work {
            join_type: *join_type,
            layout: self.layout.clone(),
            sizes: self.sizes,
            batch_rows: config.batch_size(),
            n_threads,
            elapsed: metrics.elapsed_compute().clone(),
        };
        let reading = |keys, bounds: &Bounds, columns: &[usize], schema: SchemaRef| {
            let bounds = bounds.clone();
            Ok::<_, DataFusionError>(Arc::new(Reading {
                keys: KeyReader::try_new(keys, &schema, *null_equality)?,
                intervals: Box::new(move |rows| bounds.intervals(rows)),
                columns: columns.to_vec(),
                schema,
                elapsed: metrics.elapsed_compute().clone(),
            }))
        };
        let Condition { left: left_bounds, right: right_bounds } = &self.condition;
        let run = Run {
            work: Arc::new(work),
            left: reading(left_keys, left_bounds, &self.layout.left, left.schema())?,
            right: reading(right_keys, right_bounds, &self.layout.right, right.schema())?,
            right_plan: Arc::clone(right),
            metrics,
            stage: Stage::Left(left.execute(0, Arc::clone(&task))?),
            output: None,
            task,
        };
        let rows = stream::try_unfold(run, |mut run| async move {
            let batch = run.next().await?;
            Ok::<_, DataFusionError>(batch.map(|batch| (batch, run)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

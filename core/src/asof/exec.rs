//! The operator: reads the right side whole, then hands on the left side's rows as they come, each
//! with its match. The right side is not asked if the left one has no row.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{filter, filter_record_batch, is_not_null, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, NullEquality, Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, Partitioning,
    PlanProperties, SendableRecordBatchStream,
};
use futures::{TryStreamExt as _, stream};

use super::latest::Latest;
use crate::keyed::KeyReader;

/// What decides which row of the right side goes with a row of the left one.
#[derive(Debug, Clone)]
pub(crate) struct Matching {
    /// What must be equal, of the left and of the right side; NULL is equal to nothing.
    pub(crate) on: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)>,
    /// The time of a left row.
    pub(crate) left_time: Arc<dyn PhysicalExpr>,
    /// The time of a right row.
    pub(crate) right_time: Arc<dyn PhysicalExpr>,
    /// Whether a right row of the very same time is too late.
    pub(crate) is_strict: bool,
    /// What decides between right rows of one time; the greatest wins.
    pub(crate) tie: Option<Arc<dyn PhysicalExpr>>,
    /// Whether left rows without a match are kept.
    pub(crate) is_left: bool,
}

/// The physical node.
#[derive(Debug)]
pub(crate) struct AsofJoinExec {
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    matching: Matching,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl AsofJoinExec {
    /// Returns the node; `schema` is the columns of both sides.
    ///
    /// # Errors
    /// If the two sides of an equality are not of one type.
    pub(super) fn try_new(
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        matching: Matching,
        schema: SchemaRef,
    ) -> Result<Self> {
        let times = (matching.left_time.clone(), matching.right_time.clone());
        for (one, other) in matching.on.iter().chain([&times]) {
            let types = (one.data_type(&left.schema())?, other.data_type(&right.schema())?);
            if types.0 != types.1 {
                return internal_err!("{} is compared with {}", types.0, types.1);
            }
        }
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Ok(Self { left, right, matching, properties, metrics })
    }

    /// Returns the side whose rows are kept.
    pub(crate) fn left(&self) -> &Arc<dyn ExecutionPlan> {
        &self.left
    }

    /// Returns the side of which the latest rows are looked for.
    pub(crate) fn right(&self) -> &Arc<dyn ExecutionPlan> {
        &self.right
    }

    /// Returns what decides which rows find each other.
    pub(crate) fn matching(&self) -> &Matching {
        &self.matching
    }
}

impl DisplayAs for AsofJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Matching { left_time, right_time, is_strict, is_left, .. } = &self.matching;
        let op = if *is_strict { "<" } else { "<=" };
        write!(formatter, "AsofJoinExec: {right_time} {op} {left_time} left={is_left}")
    }
}

impl ExecutionPlan for AsofJoinExec {
    fn name(&self) -> &str {
        "AsofJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [left, right] = children.as_slice() else {
            return internal_err!("an ASOF JOIN has two sides");
        };
        let (left, right) = (Arc::clone(left), Arc::clone(right));
        Ok(Arc::new(Self::try_new(left, right, self.matching.clone(), self.schema())?))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let Matching { on, left_time, right_time, tie, .. } = &self.matching;
        let keys = on.iter().flat_map(|(left, right)| [left, right]);
        let exprs = keys.chain([left_time, right_time]).chain(tie);
        datafusion::physical_plan::apply_expression_roots(exprs, visit)
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(
        &self,
        partition: usize,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let left_keys = self.matching.on.iter().map(|(left, _)| Arc::clone(left)).collect();
        let schema = self.left.schema();
        let run = Run {
            left_keys: KeyReader::try_new(left_keys, &schema, NullEquality::NullEqualsNothing)?,
            left: self.left.execute(0, Arc::clone(&task))?,
            right: Arc::clone(&self.right),
            matching: self.matching.clone(),
            schema: self.schema(),
            latest: None,
            metrics: BaselineMetrics::new(&self.metrics, partition),
            task,
        };
        let rows = stream::try_unfold(run, |mut run| async move {
            let batch = run.next().await?;
            Ok::<_, DataFusionError>(batch.map(|batch| (batch, run)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// The operator while it runs.
struct Run {
    left: SendableRecordBatchStream,
    right: Arc<dyn ExecutionPlan>,
    left_keys: KeyReader,
    matching: Matching,
    schema: SchemaRef,
    /// The rows of the right side, once they are there.
    latest: Option<Latest>,
    metrics: BaselineMetrics,
    task: Arc<TaskContext>,
}

impl Run {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(rows) = self.left.try_next().await? {
            if rows.num_rows() == 0 {
                continue;
            }
            if self.latest.is_none() {
                let right = self.right.execute(0, Arc::clone(&self.task))?;
                let latest = Latest::read(right, &self.matching, &self.task, &self.metrics);
                self.latest = Some(latest.await?);
            }
            let Some(latest) = &self.latest else { continue };
            let _timer = self.metrics.elapsed_compute().timer();
            let joined = join(&rows, latest, &self.left_keys, &self.matching, &self.schema)?;
            if joined.num_rows() > 0 {
                self.metrics.record_output(joined.num_rows());
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }
}

/// Returns left rows with their matches.
fn join(
    rows: &RecordBatch,
    latest: &Latest,
    keys: &KeyReader,
    matching: &Matching,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let time = matching.left_time.evaluate(rows)?.into_array(rows.num_rows())?;
    let matches: UInt32Array = latest.find(&keys.keys(rows)?, &time, matching.is_strict)?;
    let (rows, matches): (RecordBatch, ArrayRef) = if matching.is_left {
        (rows.clone(), Arc::new(matches))
    } else {
        let has_match = is_not_null(&matches)?;
        (filter_record_batch(rows, &has_match)?, filter(&matches, &has_match)?)
    };
    let mut columns = rows.columns().to_vec();
    for column in latest.rows().columns() {
        columns.push(take(column, &matches, None)?);
    }
    debug_assert_eq!(matches.len(), rows.num_rows());
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

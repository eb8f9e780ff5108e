//! A join that asks one of its sides, the lookup side, by the keys of the other, the outer side.
//! In: the outer side's rows, in chunks. For each chunk the scan below the lookup side is bound to
//! the chunk's keys, and a hash join of the engine joins both; so what a join means is decided there.
//! Made by `rules/bind_join.rs`. Rows come chunk by chunk, so a LIMIT above ends the requests; an inner
//! or outer join keeps the order of its outer side, so one of ORDER BY … LIMIT does too.

mod chunks;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DataFusionError, JoinSide, JoinType, Result};
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{Distribution, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::joins::utils::build_join_schema;
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet,
};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties as _,
    InputDistributionRequirements, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use futures::{TryStreamExt as _, stream};

use crate::lookup::KeyLimits;
use crate::scan::{Keys, ScanExec};
use chunks::{Chunk, Chunks};

/// Which rows of a bind join go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emits {
    /// Those of the outer side, with or without what was found. The lookup side is the template's
    /// left, and its join type is Inner or one of the right ones: they keep the order of the right.
    Outer,
    /// Those of the lookup side that have a match: `lookup WHERE key IN (SELECT … FROM outer)`. The
    /// lookup side is the template's right, and its join type is RightSemi.
    Lookup,
}

/// What a bind join does, apart from its inputs.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    /// Which rows go out.
    pub(crate) emits: Emits,
    /// Which of the template's equal keys is asked by.
    pub(crate) key_idx: usize,
    /// The number of the scan that is asked.
    pub(crate) scan: usize,
    /// How many keys are asked for at a time.
    pub(crate) limits: KeyLimits,
}

/// The physical node.
#[derive(Debug)]
pub(crate) struct BindJoinExec {
    /// The join that runs for each chunk.
    template: HashJoinExec,
    binding: Binding,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl BindJoinExec {
    /// Returns the node for a template, whose sides lie as the binding says.
    pub(crate) fn new(template: HashJoinExec, binding: Binding) -> Self {
        let mut equivalences = template.properties().eq_properties.clone();
        if !keeps_order(&template, binding.emits) {
            equivalences.clear_orderings();
        }
        let properties = Arc::new(PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let fetch = template.fetch();
        Self { template, binding, fetch, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// Returns the join's type, as it is for the template.
    pub(crate) fn join_type(&self) -> JoinType {
        self.template.join_type
    }

    /// Returns the side whose keys are asked for.
    pub(crate) fn outer(&self) -> &Arc<dyn ExecutionPlan> {
        match self.binding.emits {
            Emits::Outer => &self.template.right,
            Emits::Lookup => &self.template.left,
        }
    }

    /// Returns the side that is asked.
    pub(crate) fn lookup(&self) -> &Arc<dyn ExecutionPlan> {
        match self.binding.emits {
            Emits::Outer => &self.template.left,
            Emits::Lookup => &self.template.right,
        }
    }

    /// Returns the join that runs for each chunk.
    pub(crate) fn template(&self) -> &HashJoinExec {
        &self.template
    }

    /// Returns the column of the outer side that goes out at `output_idx`.
    pub(crate) fn outer_column(&self, output_idx: usize) -> Option<usize> {
        if self.binding.emits == Emits::Lookup {
            return None;
        }
        let template = &self.template;
        let (left, right) = (template.left.schema(), template.right.schema());
        let (_, columns) = build_join_schema(&left, &right, &template.join_type);
        let column_idx =
            template.projection.as_ref().map_or(output_idx, |columns| columns[output_idx]);
        let column = columns.get(column_idx)?;
        (column.side == JoinSide::Right).then_some(column.index)
    }

    fn outer_key(&self) -> &Arc<dyn PhysicalExpr> {
        let (left, right) = &self.template.on[self.binding.key_idx];
        match self.binding.emits {
            Emits::Outer => right,
            Emits::Lookup => left,
        }
    }

    /// Tells whether the lookup side has a join of its own: its other side would be read for each
    /// chunk.
    fn looks_up_through_a_join(&self) -> Result<bool> {
        self.lookup().exists(|node| Ok(node.children().len() > 1 && !node.is::<Self>()))
    }

    /// Returns the template with other inputs and without any state.
    fn copy_of_template(&self, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<HashJoinExec> {
        let template = self.template.builder().reset_state().recompute_properties();
        template.with_new_children(children)?.build()
    }

    fn with_template(&self, template: HashJoinExec) -> Self {
        let (metrics, fetch) = (self.metrics.clone(), self.fetch);
        Self { metrics, fetch, ..Self::new(template, self.binding.clone()) }
    }
}

/// Tells whether rows go out in the outer side's order, as far as the engine may know. It takes the
/// columns of a node that keeps an order for those of its children, one after the other: where they
/// are not, it would sort by another column. Lookup rows come in the order of the keys.
fn keeps_order(template: &HashJoinExec, emits: Emits) -> bool {
    emits == Emits::Outer
        && matches!(template.join_type, JoinType::Inner | JoinType::Right)
        && template.projection.is_none()
}

impl DisplayAs for BindJoinExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BindJoinExec: {} keys={}", self.template.join_type, self.outer_key())?;
        if self.binding.emits == Emits::Lookup {
            write!(formatter, " emits=lookup")?;
        }
        if self.template.filter.is_some() {
            // What it compares with may be sensitive.
            write!(formatter, " filtered")?;
        }
        if let Some(fetch) = self.fetch {
            write!(formatter, " fetch={fetch}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for BindJoinExec {
    fn name(&self) -> &str {
        "BindJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.template.left, &self.template.right]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(self.with_template(self.copy_of_template(children)?)))
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.template.apply_expressions(visit)
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; 2])
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![false, keeps_order(&self.template, self.binding.emits)]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false, false]
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let template = self.template.builder().build().ok()?;
        Some(Arc::new(Self { fetch: limit, ..self.with_template(template) }))
    }

    fn execute(
        &self,
        partition: usize,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let template = self.template.builder().build()?;
        let through_join = self.looks_up_through_a_join()?;
        let by_key_alone = self.template.on.len() == 1 && self.template.filter.is_none();
        let emits_lookup = self.binding.emits == Emits::Lookup;
        // A lookup row goes out if any outer row matches it; which one it is shows only in all of
        // them together, unless the key alone decides.
        let is_whole = through_join || (emits_lookup && !by_key_alone);
        let chunks = Chunks::new(
            self.outer().execute(0, Arc::clone(&task))?,
            Arc::clone(self.outer_key()),
            chunks::Size {
                limits: self.binding.limits,
                is_whole,
                takes_firsts: emits_lookup && !is_whole,
            },
            &task,
        );
        let run = Run {
            join: self.with_template(template),
            chunks,
            joined: None,
            n_wanted: self.fetch,
            through_join,
            task,
            n_chunks: MetricBuilder::new(&self.metrics).counter("chunks", partition),
            n_keys: MetricBuilder::new(&self.metrics).counter("keys", partition),
        };
        let rows = stream::try_unfold(run, |mut run| async move {
            let batch = run.next().await?;
            Ok::<_, DataFusionError>(batch.map(|batch| (batch, run)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// A bind join while it runs.
struct Run {
    join: BindJoinExec,
    chunks: Chunks,
    /// The rows of the chunk at hand.
    joined: Option<SendableRecordBatchStream>,
    /// How many more rows are wanted.
    n_wanted: Option<usize>,
    through_join: bool,
    task: Arc<TaskContext>,
    n_chunks: Count,
    n_keys: Count,
}

impl Run {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.n_wanted == Some(0) {
                return Ok(None);
            }
            if let Some(joined) = &mut self.joined {
                let Some(mut batch) = joined.try_next().await? else {
                    self.joined = None;
                    continue;
                };
                if let Some(n_wanted) = &mut self.n_wanted {
                    batch = batch.slice(0, batch.num_rows().min(*n_wanted));
                    *n_wanted -= batch.num_rows();
                }
                if batch.num_rows() > 0 {
                    return Ok(Some(batch));
                }
                continue;
            }
            let Some(chunk) = self.chunks.next().await? else { return Ok(None) };
            self.n_chunks.add(1);
            self.n_keys.add(chunk.n_new_keys);
            self.joined = Some(self.join_chunk(chunk)?);
        }
    }

    fn join_chunk(&self, chunk: Chunk) -> Result<SendableRecordBatchStream> {
        let join = &self.join;
        let lookup =
            bind(join.lookup(), join.binding.scan, &chunk.keys.into(), !self.through_join)?;
        // Rows without a match keep their place only if the chunk says that it has an order.
        let order = join.outer().output_ordering().cloned().into_iter().collect();
        let source = MemorySourceConfig::try_new(&[chunk.rows], join.outer().schema(), None)?;
        let source = DataSourceExec::from_data_source(source.try_with_sort_information(order)?);
        let children: Vec<Arc<dyn ExecutionPlan>> = match join.binding.emits {
            Emits::Outer => vec![lookup, source],
            Emits::Lookup => vec![source, lookup],
        };
        join.copy_of_template(children)?.execute(0, Arc::clone(&self.task))
    }
}

/// Gives the scan of this number its keys. Every node above it is made anew, so that none has a
/// state of the chunk before.
fn bind(
    plan: &Arc<dyn ExecutionPlan>,
    scan: usize,
    keys: &Arc<[String]>,
    is_one_partition: bool,
) -> Result<Arc<dyn ExecutionPlan>> {
    Arc::clone(plan)
        .transform_up(|node| {
            if let Some(found) = node.downcast_ref::<ScanExec>()
                && found.number() == scan
                && let Keys::Bound { lookup, .. } = found.keys()
            {
                let keys = Some(Arc::clone(keys));
                let bound = found.with_keys(Keys::Bound { lookup: Arc::clone(lookup), keys });
                return Ok(Transformed::yes(Arc::new(bound)));
            }
            if is_one_partition && node.is::<RepartitionExec>() {
                return Ok(Transformed::yes(Arc::clone(node.children()[0])));
            }
            Ok(Transformed::no(node))
        })
        .data()
}

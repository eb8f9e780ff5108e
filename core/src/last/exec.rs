//! The physical node that stands for the rows of the last result.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    SendableRecordBatchStream,
};
use futures::stream;

use super::LastResult;
use crate::display::count;
use crate::statement::StatementContext;

/// The physical node.
#[derive(Debug, Clone)]
pub(crate) struct LastExec {
    result: Arc<LastResult>,
    /// The columns that go out, as indexes.
    projection: Vec<usize>,
    fetch: Option<usize>,
    /// A number that no other scan of the statement has.
    id: usize,
    context: Arc<StatementContext>,
    properties: Arc<PlanProperties>,
}

impl LastExec {
    /// Returns the node that yields some columns of a result; `fetch` is how many rows are wanted.
    pub(super) fn try_new(
        result: Arc<LastResult>,
        projection: Vec<usize>,
        fetch: Option<usize>,
        context: Arc<StatementContext>,
    ) -> Result<Self> {
        let schema = Arc::new(result.named.project(&projection)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let id = context.next_scan_id();
        Ok(Self { result, projection, fetch, id, context, properties })
    }

    /// Returns the scan's number within its statement.
    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// Returns the columns that go out, of the first `n_wanted` rows of a batch.
    fn output(&self, batch: &RecordBatch, n_wanted: usize) -> Result<RecordBatch> {
        let rows = batch.slice(0, batch.num_rows().min(n_wanted));
        let columns = self.projection.iter().map(|idx| Arc::clone(rows.column(*idx))).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(self.schema(), columns, &options)
            .map_err(DataFusionError::from)
    }
}

impl DisplayAs for LastExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = count(self.result.n_rows, "row");
        write!(formatter, "read `_`, the last result ({rows})")?;
        match self.fetch {
            Some(fetch) => write!(formatter, ", the first {fetch}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for LastExec {
    fn name(&self) -> &str {
        "LastExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let fetch = self.fetch.into_iter().chain(limit).min();
        Some(Arc::new(Self { fetch, ..self.clone() }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn execute(
        &self,
        _partition: usize,
        _task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        // What is missing of the result is missing here, wherever the reading ends.
        self.context.ledger.inherit(self.id, &self.result.completeness);
        let mut n_wanted = self.fetch.unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        for batch in &self.result.batches {
            if n_wanted == 0 {
                break;
            }
            let batch = self.output(batch, n_wanted)?;
            n_wanted -= batch.num_rows();
            rows.push(Ok(batch));
        }
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::iter(rows))))
    }
}

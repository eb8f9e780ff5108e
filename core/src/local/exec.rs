//! The physical node that stands for reading a local table's file.
//! It starts when its first row is asked for, reads on a thread that may block, is a few batches
//! ahead, and ends with whoever reads it. Its channel closes without an end only if the thread died.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
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
use sessionql_plugin_abi::message::TimeColumns;
use tokio::sync::mpsc;

use super::rows::{self, Wanted};
use super::{Fault, LocalFile};
use crate::columns::{ColumnSource, TableColumn, schema_of};
use crate::scan::durations;
use crate::statement::StatementContext;

/// How many batches may wait for whoever reads them.
const AHEAD: usize = 4;

/// The physical node.
#[derive(Debug)]
pub(super) struct LocalScanExec {
    scan: Arc<LocalScan>,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
}

/// What is read.
#[derive(Debug)]
struct LocalScan {
    file: Arc<LocalFile>,
    /// The columns of the file that are read, as indexes.
    wanted: Vec<usize>,
    /// The columns that go out, of those that are read.
    sources: Vec<Source>,
    schema: SchemaRef,
    /// A number that no other scan of the statement has.
    id: usize,
    context: Arc<StatementContext>,
}

/// Where the values of a column come from, as indexes into the columns that are read.
#[derive(Debug, Clone, Copy)]
enum Source {
    Column(usize),
    Duration { start: usize, end: usize },
}

impl LocalScanExec {
    /// Returns the node that reads some columns of a file; `fetch` is how many rows are wanted.
    pub(super) fn try_new(
        file: Arc<LocalFile>,
        columns: &[TableColumn],
        fetch: Option<usize>,
        context: Arc<StatementContext>,
    ) -> Result<Self> {
        let mut wanted = Vec::new();
        let mut read = |name: &str| {
            let idx = file.columns.iter().position(|column| column.name == name);
            let idx =
                idx.ok_or_else(|| DataFusionError::Internal(format!("no column `{name}`")))?;
            Ok::<_, DataFusionError>(wanted.iter().position(|known| *known == idx).unwrap_or_else(
                || {
                    wanted.push(idx);
                    wanted.len() - 1
                },
            ))
        };
        let sources = columns
            .iter()
            .map(|column| {
                Ok(match &column.source {
                    ColumnSource::Duration(time) => {
                        Source::Duration { start: read(&time.start)?, end: read(&time.end)? }
                    }
                    _ => Source::Column(read(&column.column.name)?),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let schema = schema_of(columns.iter().map(|column| &column.column));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let id = context.next_scan_id();
        let scan = Arc::new(LocalScan { file, wanted, sources, schema, id, context });
        Ok(Self { scan, fetch, properties })
    }
}

impl LocalScan {
    /// Reads the file and sends its rows, then the end.
    fn run(
        &self,
        fetch: Option<usize>,
        batch_rows: usize,
        n_threads: usize,
        sender: &mpsc::Sender<Option<Result<RecordBatch>>>,
    ) {
        let mut n_wanted = fetch.unwrap_or(usize::MAX);
        let batch_rows = batch_rows.min(n_wanted).max(1);
        let mut emit = |read: RecordBatch| {
            if self.context.is_over() {
                return Err(Fault::cancelled());
            }
            if self.context.counts_reversed.load(Ordering::Relaxed) {
                self.count_reversed(&read);
            }
            let rows = self.output(&read)?;
            let rows = rows.slice(0, rows.num_rows().min(n_wanted));
            n_wanted -= rows.num_rows();
            let is_gone = sender.blocking_send(Some(Ok(rows))).is_err();
            Ok(if is_gone || n_wanted == 0 { Wanted::Enough } else { Wanted::More })
        };
        let (file, context, wanted) = (&self.file, &self.context, &self.wanted);
        let read = rows::read(file, context, wanted, batch_rows, n_threads, &mut emit);
        let last = match read {
            Ok(()) => None,
            Err(fault) => {
                let error = fault.of(&self.file.config);
                Some(Err(DataFusionError::Execution(error.to_string())))
            }
        };
        // The receiver is gone if the statement ended meanwhile.
        let _ended = sender.blocking_send(last);
    }

    fn count_reversed(&self, read: &RecordBatch) {
        let config = &self.file.config;
        if let Some(time) = &config.time {
            let time = TimeColumns { start: time.start.clone(), end: time.end.clone() };
            self.context.ledger.count_reversed(&config.name, self.id, read, &time);
        }
    }

    /// Returns the columns that go out, of those that were read.
    fn output(&self, read: &RecordBatch) -> Result<RecordBatch, Fault> {
        let now_micros = self.context.now.timestamp_micros();
        let column = |source: &Source| -> ArrayRef {
            match source {
                Source::Column(idx) => Arc::clone(read.column(*idx)),
                Source::Duration { start, end } => {
                    durations(read.column(*start), read.column(*end), now_micros)
                }
            }
        };
        let columns = self.sources.iter().map(column).collect();
        rows::batch(&self.schema, columns, read.num_rows())
    }
}

impl DisplayAs for LocalScanExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.scan.file.config;
        let columns: Vec<_> = self.scan.schema.fields().iter().map(|field| field.name()).collect();
        let (name, format, path) = (&config.name, config.format.word(), config.path.display());
        write!(formatter, "LocalScanExec: {name} ({format} `{path}`) columns={columns:?}")?;
        if let Some(fetch) = self.fetch {
            write!(formatter, " fetch={fetch}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for LocalScanExec {
    fn name(&self) -> &str {
        "LocalScanExec"
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
        let (scan, properties) = (Arc::clone(&self.scan), Arc::clone(&self.properties));
        Some(Arc::new(Self { scan, fetch, properties }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn execute(
        &self,
        _partition: usize,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (scan, fetch) = (Arc::clone(&self.scan), self.fetch);
        let config = task.session_config();
        let (batch_rows, n_threads) = (config.batch_size(), config.target_partitions());
        if fetch == Some(0) {
            let none = RecordBatchStreamAdapter::new(self.schema(), stream::empty());
            return Ok(Box::pin(none));
        }
        let rows = stream::unfold(None, move |receiver| {
            let scan = Arc::clone(&scan);
            async move {
                let mut receiver = receiver.unwrap_or_else(|| {
                    let (sender, receiver) = mpsc::channel(AHEAD);
                    let runtime = scan.context.runtime.clone();
                    runtime.spawn_blocking(move || scan.run(fetch, batch_rows, n_threads, &sender));
                    receiver
                });
                match receiver.recv().await {
                    Some(rows) => Some((rows?, Some(receiver))),
                    None => {
                        let message = "reading a local table ended without a word".to_owned();
                        Some((Err(DataFusionError::Internal(message)), Some(receiver)))
                    }
                }
            }
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

//! Reads one table of one connection: the physical node that stands for a plugin's scan.
//! In: what was planned. Out: record batches, duplicates removed, residual filters applied, counted
//! and cancellable. A scan runs on a blocking thread and calls the plugin once for each slice; it
//! tells the plugin to stop as soon as enough rows have passed, before the next request is sent.

mod cached;
mod deduplicate;
mod run;
mod shared;
mod wanted;

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, DurationMicrosecondArray, RecordBatch, RecordBatchOptions,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties,
    SendableRecordBatchStream,
};
use futures::stream;
use sessionql_plugin_abi::message::{Estimate, Gap, HttpRequest, Request, TimeColumns, Verdict};

use crate::cache::Entry;
use crate::connection::Connection;
use crate::http::{Client, Sensitive};
use crate::lookup::Lookup;
use crate::sessions::Branches;
use crate::statement::StatementContext;
use crate::table::Askable;
pub(crate) use shared::{Reader, Share, SharedScan};
use wanted::Wanted;

/// What a scan does: everything that was decided when it was planned.
#[derive(Debug, Clone)]
pub(crate) struct ScanPlan {
    /// A number that no other scan of the statement has.
    pub id: usize,
    /// The connection.
    pub connection: Arc<Connection>,
    /// What sends the requests; `None` if the plugin does its own I/O.
    pub client: Option<Client>,
    /// The request that the plugin planned.
    pub request: Request,
    /// One per filter of the request.
    pub verdicts: Vec<Verdict>,
    /// The parts of the scan, in order.
    pub slices: Vec<serde_json::Value>,
    /// What will be missing whatever the answers are.
    pub gaps: Vec<Gap>,
    /// What the user should know of the answer.
    pub notes: Vec<String>,
    /// What the user should know if something is missing.
    pub gap_note: Option<String>,
    /// The columns that the plugin emits.
    pub wire_schema: SchemaRef,
    /// The columns that name a row, as indexes into `wire_schema`; empty if no row comes twice.
    pub key: Vec<usize>,
    /// The columns that bound a session's life, if rows are sessions.
    pub time: Option<TimeColumns>,
    /// The columns that the residual filter sees.
    pub sources: Vec<OutputSource>,
    /// Their schema.
    pub full_schema: SchemaRef,
    /// What the plugin does not decide exactly.
    pub residual: Option<Arc<dyn PhysicalExpr>>,
    /// The columns that go out, as indexes into `sources`.
    pub projection: Vec<usize>,
    /// The `FROM sessions` that this is a part of, if it is: it then judges a failure.
    pub branches: Option<Arc<Branches>>,
    /// What becomes of each filter, for EXPLAIN.
    pub filters: Vec<FilterPlan>,
    /// The first requests as the plugin announces them, for EXPLAIN.
    pub previews: Vec<HttpRequest>,
    /// What the plugin expects the scan to cost, for EXPLAIN.
    pub estimate: Estimate,
    /// Where the rows are that an earlier scan read, if they need not be read again.
    pub cached: Option<Arc<Entry>>,
    /// Whether the rows may answer later scans.
    pub is_recorded: bool,
    /// What is compared with sensitive columns: nothing that is said of the scan shows it.
    pub sensitive: Sensitive,
    /// The statement.
    pub context: Arc<StatementContext>,
}

/// What becomes of one conjunct on a table.
#[derive(Debug, Clone)]
pub(crate) struct FilterPlan {
    /// The conjunct.
    pub expr: Expr,
    /// How well the provider answers it; unless exactly, the scan checks it.
    pub verdict: Verdict,
    /// Why, in the words of the plugin or, if it was not asked, in ours.
    pub reason: String,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OutputSource {
    /// A column that the plugin emits.
    Wire(usize),
    /// `coalesce(end, now) - start`, by wire columns.
    Duration {
        /// The column of the begin.
        start: usize,
        /// The column of the end.
        end: usize,
    },
    /// The same value in every row.
    Constant(ScalarValue),
}

/// Whether a scan is asked by the keys of a join.
#[derive(Debug, Clone)]
pub(crate) enum Keys {
    /// It is read as it was planned.
    NotNeeded,
    /// A join may ask it by key; until one does it is read whole.
    Open {
        /// What can be asked.
        askable: Arc<Askable>,
        /// Why no join asks it, if there is a join.
        reason: Option<String>,
    },
    /// A join asks it by key.
    Bound {
        /// What is asked.
        lookup: Arc<Lookup>,
        /// The keys; none as long as the join has not given them.
        keys: Option<Arc<[String]>>,
    },
}

/// The physical node.
#[derive(Debug, Clone)]
pub(crate) struct ScanExec {
    plan: Arc<ScanPlan>,
    fetch: Option<usize>,
    keys: Keys,
    share: Option<Share>,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    /// Returns the node for a plan; `fetch` is how many rows are wanted at most.
    ///
    /// # Errors
    /// If the projection names a column that is not there.
    pub(crate) fn try_new(plan: Arc<ScanPlan>, fetch: Option<usize>) -> Result<Self> {
        let schema = Arc::new(plan.full_schema.project(&plan.projection)?);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { plan, fetch, keys: Keys::NotNeeded, share: None, properties })
    }

    /// Returns what the scan does.
    pub(crate) fn plan(&self) -> &ScanPlan {
        &self.plan
    }

    /// Returns the scan's number in the ledger. Scans that share their answers or their rows share
    /// it.
    pub(crate) fn id(&self) -> usize {
        match (&self.keys, &self.share) {
            (Keys::Bound { lookup, .. }, _) => lookup.scan_id(),
            (_, Some(share)) => share.scan_id(),
            (Keys::NotNeeded | Keys::Open { .. }, None) => self.plan.id,
        }
    }

    /// Returns a number that no other scan of the plan has; joins find their scan by it.
    pub(crate) fn number(&self) -> usize {
        self.plan.id
    }

    /// Returns whether it is asked by key.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Returns the same scan, asked by key or not.
    pub(crate) fn with_keys(&self, keys: Keys) -> Self {
        Self { keys, ..self.clone() }
    }

    /// Returns the share of rows that are read for others too, if they are.
    pub(crate) fn share(&self) -> Option<&Share> {
        self.share.as_ref()
    }

    /// Returns the same scan as one of several readers of the same rows.
    pub(crate) fn with_share(&self, share: Share) -> Self {
        Self { share: Some(share), ..self.clone() }
    }

    /// Returns what the user should know if something is missing.
    pub(crate) fn gap_note(&self) -> Option<String> {
        match &self.keys {
            Keys::Open { askable, reason: Some(reason) } => {
                Some(format!("`{}` was read without keys: {reason}", askable.name()))
            }
            _ => self.plan.gap_note.clone(),
        }
    }

    /// Returns the rows that have one of `keys`.
    fn rows_of_keys(
        &self,
        lookup: &Arc<Lookup>,
        keys: &Arc<[String]>,
        task: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        // Its columns are among those of the answers.
        let schema = self.schema();
        let answers = lookup.schema()?;
        let columns = schema.fields().iter().map(|field| Ok(answers.index_of(field.name())?));
        let columns = columns.collect::<Result<Vec<usize>>>()?;
        let rows = Arc::clone(lookup).rows_of(Arc::clone(keys), task);
        let rows = stream::once(async move { Ok(rows.await?.project(&columns)?) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// Runs a scan that was planned, to its last row.
///
/// # Errors
/// If the projection names a column that is not there.
pub(crate) fn read(plan: Arc<ScanPlan>, task: &TaskContext) -> Result<SendableRecordBatchStream> {
    let schema = Arc::new(plan.full_schema.project(&plan.projection)?);
    Ok(run::stream(plan, Wanted::ByOne(None), schema, task))
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.plan.request;
        let connection = &self.plan.connection.config.name;
        write!(
            formatter,
            "ScanExec: {connection}.{} columns={:?}",
            request.table, request.columns
        )?;
        if let Some(residual) = &self.plan.residual {
            let residual = self.plan.sensitive.mask(&residual.to_string());
            write!(formatter, " residual={residual}")?;
        }
        if let Some(fetch) = self.fetch {
            write!(formatter, " fetch={fetch}")?;
        }
        if let Some(entry) = &self.plan.cached {
            write!(formatter, " cached={}", entry.read_at)?;
        }
        match &self.keys {
            Keys::NotNeeded | Keys::Open { reason: None, .. } => {}
            Keys::Open { reason: Some(reason), .. } => write!(formatter, " no keys: {reason}")?,
            Keys::Bound { lookup, .. } => write!(formatter, " keys={}", lookup.column_name())?,
        }
        match &self.share {
            Some(share) => write!(formatter, " shared={}", share.scan_id()),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "ScanExec"
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
        // One limit for the answers of all keys is not what a limit of this node means, and those who
        // share rows have agreed on how many.
        let is_fixed = matches!(self.keys, Keys::Bound { .. }) || self.share.is_some();
        (!is_fixed).then(|| Arc::new(Self { fetch, ..self.clone() }) as Arc<dyn ExecutionPlan>)
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn execute(
        &self,
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if let Some(rows) =
            self.share.as_ref().and_then(|share| share.rows(self.schema(), &context))
        {
            return Ok(rows);
        }
        match &self.keys {
            Keys::NotNeeded | Keys::Open { .. } => {
                // A second run has no part in the shared rows, but in what is said of them.
                let (id, gap_note) = (self.id(), self.gap_note());
                let plan = Arc::new(ScanPlan { id, gap_note, ..self.plan.as_ref().clone() });
                if let Some(entry) = &plan.cached {
                    return cached::stream(&plan, entry, self.fetch, self.schema());
                }
                Ok(run::stream(plan, Wanted::ByOne(self.fetch), self.schema(), &context))
            }
            Keys::Bound { lookup, keys: Some(keys) } => self.rows_of_keys(lookup, keys, context),
            Keys::Bound { lookup, keys: None } => {
                let table = lookup.table_name();
                let message = format!("the scan of `{table}` was to get its keys from a join");
                Err(DataFusionError::Internal(message))
            }
        }
    }
}

impl ScanPlan {
    /// Returns the columns that the residual filter sees, of rows that the plugin emitted.
    fn full_batch(&self, wire: &RecordBatch) -> Result<RecordBatch> {
        let columns = self
            .sources
            .iter()
            .map(|source| match source {
                OutputSource::Wire(idx) => Ok(Arc::clone(wire.column(*idx))),
                OutputSource::Duration { start, end } => {
                    Ok(durations(wire.column(*start), wire.column(*end), self.now_micros()))
                }
                OutputSource::Constant(value) => value.to_array_of_size(wire.num_rows()),
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(wire.num_rows()));
        let schema = Arc::clone(&self.full_schema);
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }

    /// Tells which rows pass the residual filter; all if there is none.
    fn passing(&self, rows: &RecordBatch) -> Result<Option<BooleanArray>> {
        let Some(residual) = &self.residual else { return Ok(None) };
        let passing = residual.evaluate(rows)?.into_array(rows.num_rows())?;
        Ok(Some(passing.as_boolean().clone()))
    }

    /// Returns the rows that pass and the columns that go out, of rows that the plugin emitted.
    fn output(&self, wire: &RecordBatch) -> Result<RecordBatch> {
        let mut rows = self.full_batch(wire)?;
        if let Some(passing) = self.passing(&rows)? {
            rows = filter_record_batch(&rows, &passing)?;
        }
        Ok(rows.project(&self.projection)?)
    }

    fn now_micros(&self) -> i64 {
        self.context.now.timestamp_micros()
    }
}

/// Returns how long sessions lasted, in microseconds: to their end, or to `now_micros` if open.
pub(crate) fn durations(start: &ArrayRef, end: &ArrayRef, now_micros: i64) -> ArrayRef {
    let starts = start.as_primitive::<TimestampMicrosecondType>();
    let ends = end.as_primitive::<TimestampMicrosecondType>();
    let durations: DurationMicrosecondArray = starts
        .iter()
        .zip(ends)
        .map(|(start, end)| start.map(|start| end.unwrap_or(now_micros).saturating_sub(start)))
        .collect();
    Arc::new(durations)
}

//! What comes of a statement: columns, rows as they arrive, and then what they cover. A query is not
//! started before its first row is asked for, so that what it may cost can be looked at.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, mem};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use chrono_tz::Tz;
use datafusion::common::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt as _;
use sessionql_grammar::ast::Span;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::culprit::Culprits;
use super::explained::Explained;
use super::phrases::rephrase;
use super::plan::Prepared;
use super::words::sentence;
use crate::completeness::{Completeness, Progress};
use crate::error::Error;
use crate::explain::{Estimate, Explanation, ScanCost, estimate, scan_costs};
use crate::plugin::SilentPlugin;
use crate::statement::StatementContext;

/// How long a plugin that computes is waited for before it is told of.
const SILENCE: Duration = Duration::from_millis(500);

/// Something about a query that is probably not what its author meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// One sentence.
    pub message: String,
    /// Where.
    pub span: Option<Span>,
    /// What to do, where that is sure to help.
    pub hint: Option<String>,
    /// The lint of `sessionql check` that looks for the same.
    pub lint: Option<&'static str>,
}

impl Warning {
    /// Returns a warning of one sentence.
    pub(super) fn new(message: String) -> Self {
        Self { message, span: None, hint: None, lint: None }
    }
}

/// A statement that runs. Dropping it ends it, down to the sockets.
#[derive(Debug)]
pub struct Outcome {
    schema: SchemaRef,
    warnings: Vec<Warning>,
    rows: Rows,
    context: Option<Arc<StatementContext>>,
    not_monotone: HashSet<usize>,
    explained: Option<Explained>,
    /// What is read, if the statement is a query.
    reads: Option<Reads>,
}

/// The plan of a query, for what there is to tell of its scans.
#[derive(Debug)]
struct Reads {
    plan: Arc<dyn ExecutionPlan>,
    time_zone: Tz,
}

enum Rows {
    /// A query that waits for somebody to ask for its rows.
    Planned(Box<Planned>),
    /// Rows of a running query; `None` is its end. A channel that closes without one lost rows, and
    /// the task knows why.
    Running(mpsc::Receiver<Option<Result<RecordBatch, Error>>>, JoinHandle<()>),
    /// All is said.
    Ended,
    /// Rows that were there from the start.
    Ready(std::vec::IntoIter<RecordBatch>),
}

impl fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Rows")
    }
}

/// What is needed to run a query.
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    state: SessionState,
    culprits: Culprits,
    timeout: Option<Duration>,
    memory_limit_bytes: usize,
}

impl Outcome {
    /// Returns the outcome of a statement without columns.
    pub(super) fn empty() -> Self {
        Self::ready(Arc::new(Schema::empty()), Vec::new())
    }

    /// Returns the outcome of a statement whose rows are there.
    pub(super) fn ready(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        let rows = Rows::Ready(batches.into_iter());
        Self {
            schema,
            warnings: Vec::new(),
            rows,
            context: None,
            not_monotone: HashSet::new(),
            explained: None,
            reads: None,
        }
    }

    /// Returns the outcome of a statement that tells of a query: in place of the rows of `self`, if
    /// it has some, come the lines of the explanation.
    pub(super) fn explaining(mut self, explained: Explained, warnings: Vec<Warning>) -> Self {
        self.schema = Explained::schema();
        self.warnings = warnings;
        self.explained = Some(explained);
        self
    }

    /// Returns the columns; none if the statement yields no rows by its nature.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns what the user should know of the query itself.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns the next rows; `None` at the end. Nothing is lost if the future is dropped.
    ///
    /// # Errors
    /// The first failure of a scan, of an expression, or of the deadline; rows end with it.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Error>> {
        if self.explained.is_none() {
            return self.next_rows().await;
        }
        while let Some(rows) = self.next_rows().await {
            match rows {
                Ok(rows) => self.explained.iter_mut().for_each(|told| told.count(&rows)),
                Err(error) => return Some(Err(error)),
            }
        }
        let explanation = self.explanation()?;
        self.explained.as_mut()?.tell_once(&explanation)
    }

    async fn next_rows(&mut self) -> Option<Result<RecordBatch, Error>> {
        if let Rows::Planned(_) = self.rows
            && let Some(context) = &self.context
            && let Rows::Planned(planned) = mem::replace(&mut self.rows, Rows::Ended)
        {
            self.rows = planned.start(context);
        }
        match &mut self.rows {
            Rows::Running(receiver, task) => {
                let next = match receiver.recv().await {
                    Some(next) => next,
                    None if task.await.is_err_and(|error| error.is_panic()) => {
                        Some(Err(Error::internal("an operator of the query broke down")))
                    }
                    None => Some(Err(Error::Cancelled)),
                };
                if !matches!(next, Some(Ok(_))) {
                    self.rows = Rows::Ended;
                }
                next
            }
            Rows::Ready(batches) => batches.next().map(Ok),
            Rows::Ended | Rows::Planned(_) => None,
        }
    }

    /// Returns what the query is expected to cost. Nothing is sent before its first row is asked for.
    pub fn estimate(&self) -> Estimate {
        self.reads.as_ref().map(|reads| estimate(&reads.plan)).unwrap_or_default()
    }

    /// Returns what each scan has cost so far, in the order of the plan.
    pub fn scan_costs(&self) -> Vec<ScanCost> {
        match (&self.reads, &self.context) {
            (Some(reads), Some(context)) => scan_costs(&reads.plan, context, reads.time_zone),
            _ => Vec::new(),
        }
    }

    /// Tells whether the rows are those of EXPLAIN, and [`Outcome::explanation`] has more to say.
    pub fn is_explanation(&self) -> bool {
        self.explained.is_some()
    }

    /// Returns what EXPLAIN has to say; of EXPLAIN ANALYZE, what has happened so far.
    pub fn explanation(&self) -> Option<Explanation> {
        let (explained, context) = (self.explained.as_ref()?, self.context.as_ref());
        Some(explained.explanation(context.map(|context| &context.ledger), self.completeness()))
    }

    /// Returns a plugin that does not come back to the statement, if there is one.
    pub fn silent_plugin(&self) -> Option<SilentPlugin> {
        self.context.as_ref()?.silent_plugin(SILENCE)
    }

    /// Returns how far the scans have come.
    pub fn progress(&self) -> Progress {
        self.context.as_ref().map(|context| context.ledger.progress()).unwrap_or_default()
    }

    /// Returns what the rows cover. Whole only after the last row.
    pub fn completeness(&self) -> Completeness {
        match &self.context {
            Some(context) => context.ledger.report(&self.not_monotone),
            None => Completeness::default(),
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if let Some(context) = &self.context {
            context.cancel.cancel();
        }
    }
}

/// Returns the outcome of a prepared query; it runs when its first row is asked for.
pub(super) fn of_query(
    prepared: Prepared,
    context: &Arc<StatementContext>,
    timeout: Option<Duration>,
    memory_limit_bytes: usize,
) -> Outcome {
    let Prepared { plan, state, warnings, not_monotone, culprits, time_zone, .. } = prepared;
    let reads = Some(Reads { plan: Arc::clone(&plan), time_zone });
    let schema = plan.schema();
    let planned = Planned { plan, state, culprits, timeout, memory_limit_bytes };
    let (rows, context) = (Rows::Planned(Box::new(planned)), Some(Arc::clone(context)));
    Outcome { schema, warnings, rows, context, not_monotone, explained: None, reads }
}

impl Planned {
    /// Starts the query on the engine's runtime, whose threads have the stack for it.
    fn start(self, context: &Arc<StatementContext>) -> Rows {
        let (sender, receiver) = mpsc::channel(1);
        // The task ends with the query: at its last row, its failure, its deadline or its
        // cancellation.
        let task = context.runtime.spawn(self.run(Arc::clone(context), sender));
        Rows::Running(receiver, task)
    }

    async fn run(
        self,
        running: Arc<StatementContext>,
        sender: mpsc::Sender<Option<Result<RecordBatch, Error>>>,
    ) {
        let Self { plan, state, culprits, timeout, memory_limit_bytes } = self;
        let failure = |error| run_error(&running, memory_limit_bytes, &culprits, &error);
        let mut stream = match execute_stream(plan, state.task_ctx()) {
            Ok(stream) => stream,
            Err(error) => {
                let _ended = sender.send(Some(Err(failure(error)))).await;
                return;
            }
        };
        loop {
            let deadline = running.until_deadline();
            let next = tokio::select! {
                biased;
                () = running.cancel.cancelled() => return,
                () = deadline => {
                    running.cancel.cancel();
                    Some(Err(running.timed_out(timeout.unwrap_or_default())))
                }
                next = stream.next() => next.map(|rows| rows.map_err(failure)),
            };
            let is_last = !matches!(next, Some(Ok(_)));
            if next.is_none() {
                // Scans whose rows nobody wants any more end with the plan.
                drop(stream);
                running.ledger.settle().await;
                let _ended = sender.send(None).await;
                return;
            }
            if sender.send(next).await.is_err() || is_last {
                return;
            }
        }
    }
}

/// Returns what stopped a running query: a scan's own words if a scan failed.
fn run_error(
    context: &StatementContext,
    memory_limit_bytes: usize,
    culprits: &Culprits,
    error: &DataFusionError,
) -> Error {
    if let Some(failure) = context.ledger.take_failure() {
        return failure;
    }
    let root = error.find_root();
    match root {
        DataFusionError::ResourcesExhausted(_) => {
            Error::Memory { limit_bytes: memory_limit_bytes, message: sentence(root) }
        }
        DataFusionError::Internal(_) => Error::internal(sentence(root)),
        _ => culprits.name(rephrase(&sentence(root)).message),
    }
}

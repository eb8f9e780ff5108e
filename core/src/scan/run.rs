//! Runs a scan on a blocking thread, one plugin call for each slice, and streams its rows.

use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use sessionql_plugin_abi::message::{Gap, HttpRequest, ResponseHead, ScanRequest};
use sessionql_plugin_abi::{Reason, WireError};
use tokio::sync::mpsc;

use super::ScanPlan;
use super::deduplicate::Seen;
use crate::completeness::EntryId;
use crate::error::Error;
use crate::http::{Account, Scope};
use crate::plugin::{BodySource, Callbacks, Flow, ManagedConnection, ScanEnd};

/// Starts a scan. Dropping the stream ends it, down to the socket.
pub(super) fn start(
    plan: Arc<ScanPlan>,
    fetch: Option<usize>,
    schema: SchemaRef,
    task: &TaskContext,
) -> SendableRecordBatchStream {
    let (sender, receiver) = mpsc::channel(1);
    let cancel = plan.context.cancel.child_token();
    let on_drop = cancel.clone().drop_guard();
    let account = Arc::new(Account::default());
    let entry = plan.context.ledger.open(
        plan.id,
        &plan.connection.config.name,
        &plan.connection.config.accept,
        Arc::clone(&account),
    );
    let consumer = format!("duplicates of {}", plan.connection.config.name);
    let reservation = MemoryConsumer::new(consumer).register(task.memory_pool());
    let seen = Seen::new(plan.key.clone(), reservation);
    let runtime = plan.context.runtime.clone();
    runtime.spawn_blocking(move || {
        let context = &plan.context;
        let (deadline, budget) = (context.deadline, context.budget.clone());
        let scope = Scope { cancel, account, deadline, budget };
        let mut run = Run {
            plan: &plan,
            scope,
            sender: &sender,
            seen,
            entry,
            n_wanted: fetch,
            failed: None,
            failed_request: None,
        };
        if let Err(error) = run.slices() {
            // The receiver is gone if the statement ended meanwhile.
            let _ended = sender.blocking_send(Err(error));
        }
    });
    let rows = stream::unfold((receiver, on_drop), |(mut receiver, on_drop)| async move {
        receiver.recv().await.map(|rows| (rows, (receiver, on_drop)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// A scan while it runs.
struct Run<'a> {
    plan: &'a ScanPlan,
    scope: Scope,
    sender: &'a mpsc::Sender<Result<RecordBatch>>,
    seen: Seen,
    entry: EntryId,
    /// How many more rows are wanted.
    n_wanted: Option<usize>,
    /// What went wrong on the host's side while rows were taken.
    failed: Option<DataFusionError>,
    /// The last request that failed for good. A plugin may read something else instead, but then
    /// it must say what is missing.
    failed_request: Option<WireError>,
}

impl Run<'_> {
    /// Runs all slices and writes into the ledger what they covered.
    fn slices(&mut self) -> Result<()> {
        let plan = self.plan;
        let ledger = &plan.context.ledger;
        let mut gaps = plan.gaps.clone();
        let mut notes = plan.notes.clone();
        for slice in &plan.slices {
            let mut request = plan.request.clone();
            request.learned = plan.connection.learned();
            let slice = ScanRequest { request, slice: slice.clone() };
            let end = plan.connection.managed.scan(&slice, self);
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            match end.and_then(|end| self.accept(end)) {
                Ok(None) => return Ok(()),
                Ok(Some(report)) => {
                    gaps.extend(report.gaps);
                    notes.extend(report.notes);
                }
                Err(error) if error.code.is_gap() => {
                    gaps.push(Gap { reason: error.code, message: error.message });
                    break;
                }
                Err(error)
                    if error.code == Reason::Cancelled && self.scope.cancel.is_cancelled() =>
                {
                    return Ok(());
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
        ledger.close(self.entry, gaps, notes);
        Ok(())
    }

    /// Takes the end of a slice: `None` if the consumer had enough.
    fn accept(
        &mut self,
        end: ScanEnd,
    ) -> Result<Option<sessionql_plugin_abi::message::Report>, WireError> {
        let ScanEnd::Reported(mut report) = end else { return Ok(None) };
        if let Some(failure) = report.gaps.iter().find(|gap| !gap.reason.is_gap()) {
            return Err(WireError::new(failure.reason, failure.message.clone()));
        }
        if let Some(error) = self.failed_request.take()
            && report.gaps.is_empty()
        {
            return Err(error);
        }
        if let Some(learned) = report.learned.take() {
            self.plan.connection.learn(learned)?;
        }
        Ok(Some(report))
    }

    fn fail(&self, error: WireError) -> DataFusionError {
        let gap = Gap { reason: error.code, message: error.message.clone() };
        let error = Error::Scan {
            connection: self.plan.connection.config.name.clone(),
            table: self.plan.request.table.clone(),
            error,
        };
        let message = error.to_string();
        self.plan.context.ledger.fail(self.entry, gap, error);
        DataFusionError::Execution(message)
    }

    /// Turns rows that the plugin emitted into rows that go out, and tells whether more are wanted.
    fn take_rows(&mut self, wire: RecordBatch) -> Result<Flow> {
        let plan = self.plan;
        let new = self.seen.retain_new(wire)?;
        plan.context.ledger.add_rows(self.entry, new.num_rows());
        let mut rows = plan.full_batch(&new)?;
        if let Some(residual) = &plan.residual {
            let passes = residual.evaluate(&rows)?.into_array(rows.num_rows())?;
            rows = filter_record_batch(&rows, passes.as_boolean())?;
        }
        rows = rows.project(&plan.projection)?;
        if let Some(n_wanted) = &mut self.n_wanted {
            rows = rows.slice(0, rows.num_rows().min(*n_wanted));
            *n_wanted -= rows.num_rows();
        }
        if rows.num_rows() > 0 && self.sender.blocking_send(Ok(rows)).is_err() {
            return Ok(Flow::Stop);
        }
        Ok(if self.n_wanted == Some(0) { Flow::Stop } else { Flow::GoOn })
    }
}

impl Callbacks for Run<'_> {
    fn http(&mut self, request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError> {
        let Some(client) = &self.plan.client else {
            return Err(WireError::new(
                Reason::PluginError,
                "the plugin does its own I/O, so the host sends nothing for it",
            ));
        };
        let answer = self.plan.context.runtime.block_on(client.send(request, &self.scope));
        match answer {
            Ok(answer) => {
                let mut body = answer.body;
                Ok((answer.head, Box::new(move || body.next_piece())))
            }
            Err(error) => {
                self.failed_request = Some(error.clone());
                Err(error)
            }
        }
    }

    fn emit(&mut self, schema: FFI_ArrowSchema, array: FFI_ArrowArray) -> Result<Flow, WireError> {
        let wire = ManagedConnection::import(&schema, array, &self.plan.wire_schema)?;
        if self.scope.cancel.is_cancelled() {
            return Ok(Flow::Cancelled);
        }
        match self.take_rows(wire) {
            Ok(flow) => Ok(flow),
            Err(error) => {
                self.failed = Some(error);
                Ok(Flow::Stop)
            }
        }
    }

    fn log(&mut self, level: i32, line: &str) -> Flow {
        crate::plugin::log_line(level, line);
        if self.scope.cancel.is_cancelled() { Flow::Cancelled } else { Flow::GoOn }
    }
}

//! Runs a scan on a blocking thread, one plugin call for each slice, and streams its rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;
use sessionql_plugin_abi::message::{Gap, HttpRequest, Report, ResponseHead, ScanRequest};
use sessionql_plugin_abi::{Reason, WireError};
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::ScanPlan;
use super::deduplicate::Seen;
use super::wanted::Wanted;
use crate::cache::Recording;
use crate::completeness::{EntryId, RowCounts};
use crate::error::Error;
use crate::http::{Account, Scope};
use crate::plugin::{BodySource, Callbacks, Flow, ScanEnd};

/// What a running scan sends. Without an end, the thread died and rows are missing.
enum Message {
    /// Rows, or what went wrong; nothing follows a failure.
    Rows(Result<RecordBatch>),
    /// There are no more rows.
    End,
}

/// A scan's stream, from before its first poll to after its last row.
enum Progress {
    /// Nobody has asked for rows yet, so nothing was sent.
    NotStarted(Box<Start>),
    /// The thread runs. Dropping the guard ends it, down to the socket.
    Running(mpsc::Receiver<Message>, DropGuard),
    /// All is said.
    Ended,
}

/// What a scan needs to start.
struct Start {
    plan: Arc<ScanPlan>,
    wanted: Wanted,
    memory: MemoryReservation,
}

/// Returns a scan's rows. It starts when the first row is asked for: the other side of a join may
/// turn out to be empty.
pub(super) fn stream(
    plan: Arc<ScanPlan>,
    wanted: Wanted,
    schema: SchemaRef,
    task: &TaskContext,
) -> SendableRecordBatchStream {
    let consumer = format!("duplicates of {}", plan.connection.config.name);
    let memory = MemoryConsumer::new(consumer).register(task.memory_pool());
    let start = Progress::NotStarted(Box::new(Start { plan, wanted, memory }));
    let rows = stream::unfold(start, |progress| async {
        let (mut receiver, guard) = match progress {
            Progress::NotStarted(start) => start.thread(),
            Progress::Running(receiver, guard) => (receiver, guard),
            Progress::Ended => return None,
        };
        match receiver.recv().await {
            Some(Message::Rows(Ok(rows))) => Some((Ok(rows), Progress::Running(receiver, guard))),
            Some(Message::Rows(Err(error))) => Some((Err(error), Progress::Ended)),
            Some(Message::End) => None,
            None => {
                let error = DataFusionError::Internal("a scan ended without a word".to_owned());
                Some((Err(error), Progress::Ended))
            }
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

impl Start {
    /// Starts the thread.
    fn thread(self) -> (mpsc::Receiver<Message>, DropGuard) {
        let Self { plan, wanted, memory } = self;
        let (sender, receiver) = mpsc::channel(1);
        let cancel = plan.context.cancel.child_token();
        let guard = cancel.clone().drop_guard();
        let account = Arc::new(Account::default());
        let config = &plan.connection.config;
        let entry =
            plan.context.ledger.open(plan.id, &config.name, &config.accept, Arc::clone(&account));
        let runtime = plan.context.runtime.clone();
        runtime.spawn_blocking(move || {
            let context = &plan.context;
            // Everything that is logged until the scan ends carries these.
            let _scan = tracing::error_span!(
                "scan",
                run = context.run,
                connection = plan.connection.config.name,
                table = plan.request.table,
            )
            .entered();
            let (deadline, budget) = (context.deadline, context.budget.clone());
            let sensitive = plan.sensitive.clone();
            let mut run = Run {
                plan: &plan,
                scope: Scope { cancel, account, deadline, budget, sensitive },
                sender: &sender,
                seen: Seen::new(plan.key.clone(), memory),
                held: None,
                recording: plan.is_recorded.then(Recording::default),
                entry,
                wanted,
                failed: None,
                failed_request: None,
            };
            let last = match run.slices() {
                Ok(()) => Message::End,
                Err(error) => Message::Rows(Err(error)),
            };
            context.ledger.end(entry);
            run.tell_end(&last);
            run.pass_on();
            // The receiver is gone if the statement ended meanwhile.
            let _ended = sender.blocking_send(last);
        });
        (receiver, guard)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn cancelled() -> DataFusionError {
    DataFusionError::Execution("the scan was cancelled".to_owned())
}

/// Returns the gaps that say of rows that are there that their values may be wrong.
fn about_values(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.retain(|gap| gap.reason == Reason::Clamped);
    gaps
}

/// A scan while it runs.
struct Run<'a> {
    plan: &'a ScanPlan,
    scope: Scope,
    sender: &'a mpsc::Sender<Message>,
    seen: Seen,
    /// Rows that go out when the plugin sends a request, emits more, or ends: a consumer that
    /// has enough of them may not wait for what the report says of them.
    held: Option<RecordBatch>,
    /// The rows for the cache, as long as nothing speaks against keeping them.
    recording: Option<Recording>,
    entry: EntryId,
    wanted: Wanted,
    /// What went wrong on the host's side while rows were taken.
    failed: Option<DataFusionError>,
    /// The last request that failed for good. A plugin may read something else instead, but then
    /// it must say what is missing.
    failed_request: Option<WireError>,
}

impl Run<'_> {
    /// Logs how the scan ended and what it cost.
    fn tell_end(&self, last: &Message) {
        let usage = self.scope.account.usage();
        let (rows, elapsed) = self.plan.context.ledger.sums(self.entry);
        tracing::info!(
            rows = rows.n_new,
            requests = usage.requests,
            retries = usage.retries,
            waited_ms = millis(usage.waited),
            elapsed_ms = millis(elapsed),
            is_failure = matches!(last, Message::Rows(Err(_))),
            "scan ended"
        );
    }

    /// Runs all slices and writes into the ledger what they covered.
    fn slices(&mut self) -> Result<()> {
        let plan = self.plan;
        let mut gaps = plan.gaps.clone();
        let mut notes = plan.notes.clone();
        for slice in &plan.slices {
            // A consumer that has enough may go without a word as soon as there are rows.
            self.write(about_values(gaps.clone()), notes.clone());
            let mut request = plan.request.clone();
            request.learned = plan.connection.learned();
            let slice = ScanRequest { request, slice: slice.clone() };
            let end = match plan.connection.given_rows(&slice.request) {
                None => plan.connection.managed.scan(&slice, self),
                Some(rows) => rows.and_then(|rows| self.take_given(rows)),
            };
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            match end.and_then(|end| self.accept(end)) {
                // Nobody waits for a cancelled scan; if somebody did, they must not take it for whole.
                Ok((_, Flow::Stop | Flow::Cancelled)) if plan.context.cancel.is_cancelled() => {
                    return Err(cancelled());
                }
                Ok((report, flow)) => {
                    gaps.extend(report.gaps);
                    notes.extend(report.notes);
                    if flow != Flow::GoOn {
                        self.recording = None;
                        gaps = about_values(gaps);
                        break;
                    }
                }
                Err(error) if error.code.is_gap() => {
                    gaps.push(Gap { reason: error.code, message: error.message });
                    break;
                }
                Err(error)
                    if error.code == Reason::Cancelled && self.scope.cancel.is_cancelled() =>
                {
                    return Err(cancelled());
                }
                Err(error) => return self.fail(error),
            }
        }
        self.keep(&gaps, &notes);
        self.write(gaps, notes);
        Ok(())
    }

    /// Keeps the rows for later scans, if all of them came and nothing is missing.
    fn keep(&mut self, gaps: &[Gap], notes: &[String]) {
        let (plan, recording) = (self.plan, self.recording.take());
        let (Some(cache), Some(recording)) = (&plan.context.cache, recording) else { return };
        if !gaps.is_empty() {
            return;
        }
        let mut notes = notes.to_vec();
        notes.iter_mut().for_each(|note| self.redact(note));
        let read = (Arc::clone(&plan.wire_schema), notes, plan.context.clock);
        let connection = &plan.connection.config.name;
        cache.keep(connection, &plan.request, &plan.verdicts, recording, read);
    }

    /// Takes the end of a slice, and tells whether the consumer wants the next one. If it had enough,
    /// nobody misses the rows that were not read, but what is wrong with those that were still counts.
    fn accept(&mut self, end: ScanEnd) -> Result<(Report, Flow), WireError> {
        let mut report = match end {
            ScanEnd::Reported(report) => report,
            ScanEnd::Stopped(report) => {
                let gaps = about_values(report.gaps);
                return Ok((Report { gaps, ..report }, Flow::Stop));
            }
        };
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
        Ok((report, Flow::GoOn))
    }

    /// Writes into the ledger what is known so far.
    fn write(&self, mut gaps: Vec<Gap>, mut notes: Vec<String>) {
        if !gaps.is_empty() {
            notes.extend(self.plan.gap_note.clone());
        }
        gaps.iter_mut().for_each(|gap| self.redact(&mut gap.message));
        notes.iter_mut().for_each(|note| self.redact(note));
        self.plan.context.ledger.close(self.entry, gaps, notes);
    }

    /// Takes secrets and sensitive values out of what a plugin says: a provider may have echoed one.
    fn redact(&self, text: &mut String) {
        *text = self.scope.sensitive.mask(text);
        if let Some(client) = &self.plan.client {
            *text = client.redact(text);
        }
    }

    /// Writes why the scan failed. In `FROM sessions` the rows of the others stand, as long as there
    /// are others.
    fn fail(&self, mut error: WireError) -> Result<()> {
        self.redact(&mut error.message);
        if let Some(hint) = &mut error.hint {
            self.redact(hint);
        }
        let gap = Gap { reason: error.code, message: error.message.clone() };
        let error = Error::Scan {
            connection: self.plan.connection.config.name.clone(),
            table: self.plan.request.table.clone(),
            error,
        };
        let ledger = &self.plan.context.ledger;
        let error = match &self.plan.branches {
            None => error,
            Some(branches) => match branches.fail(&self.plan.connection.config.name, error) {
                Some(all_failed) => all_failed,
                None => {
                    ledger.close(self.entry, vec![gap], Vec::new());
                    return Ok(());
                }
            },
        };
        let message = error.to_string();
        ledger.fail(self.entry, gap, error);
        Err(DataFusionError::Execution(message))
    }

    /// Turns rows that the plugin emitted into rows that go out, and tells whether more are wanted.
    fn take_rows(&mut self, wire: RecordBatch) -> Result<Flow> {
        let plan = self.plan;
        let n_emitted = wire.num_rows() as u64;
        let new = self.seen.retain_new(wire)?;
        let n_new = new.num_rows() as u64;
        self.recording.iter_mut().for_each(|recording| recording.add(&new));
        if let Some(time) = &plan.time
            && plan.context.counts_reversed.load(Ordering::Relaxed)
        {
            let table = format!("{}.{}", plan.connection.config.name, plan.request.table);
            plan.context.ledger.count_reversed(&table, plan.id, &new, time);
        }
        let rows = self.wanted.take(plan, new)?;
        let n_out = rows.num_rows() as u64;
        plan.context.ledger.add_rows(self.entry, RowCounts { n_emitted, n_new, n_out });
        let mut is_wanted = self.pass_on();
        if rows.num_rows() > 0 {
            self.held = Some(rows);
            // What a plugin that does its own I/O waits for, and how long, is not known.
            is_wanted &= plan.client.is_some() || self.pass_on();
        }
        if is_wanted && !self.wanted.is_nothing() {
            return Ok(Flow::GoOn);
        }
        // A plugin may end as if it had not been told to stop.
        self.recording = None;
        Ok(Flow::Stop)
    }

    /// Takes rows that are given in place of the plugin's.
    fn take_given(&mut self, rows: RecordBatch) -> Result<ScanEnd, WireError> {
        match self.take_rows(rows) {
            Ok(Flow::GoOn) => return Ok(ScanEnd::Reported(Report::default())),
            Ok(_) => {}
            Err(error) => self.failed = Some(error),
        }
        Ok(ScanEnd::Stopped(Report::default()))
    }

    /// Lets rows that were held go out, and tells whether there is still a consumer.
    fn pass_on(&mut self) -> bool {
        let Some(rows) = self.held.take() else { return true };
        self.wanted.count_sent();
        self.sender.blocking_send(Message::Rows(Ok(rows))).is_ok()
    }
}

impl Callbacks for Run<'_> {
    fn schema(&self) -> Option<SchemaRef> {
        Some(Arc::clone(&self.plan.wire_schema))
    }

    fn http(&mut self, request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError> {
        let Some(client) = &self.plan.client else {
            return Err(WireError::new(
                Reason::PluginError,
                "the plugin does its own I/O, so the host sends nothing for it",
            ));
        };
        self.pass_on();
        let (scope, wanted) = (&self.scope, &mut self.wanted);
        let answer = self.plan.context.runtime.block_on(async {
            tokio::select! {
                biased;
                () = scope.cancel.cancelled() => {}
                () = wanted.be_asked() => {}
            }
            client.send(request, scope).await
        });
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

    fn emit(&mut self, wire: RecordBatch) -> Result<Flow, WireError> {
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
        let mut line = line.to_owned();
        self.redact(&mut line);
        crate::plugin::log_line(level, &line);
        if self.scope.cancel.is_cancelled() { Flow::Cancelled } else { Flow::GoOn }
    }
}

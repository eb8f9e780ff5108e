//! One scan, with all that is seen of it: what was sent and emitted, how it ended, how long it took.
//! In: how the host is to act. Out: [`Ran`], which also knows what of it breaks the contract.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, TimeUnit};
use serde_json::json;
use sessionql_plugin_abi::ffi;
use sessionql_plugin_abi::message::{ColumnType, HttpRequest, Pattern, Report, Request, Table};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use super::subject::{Told, head};
use crate::export::loopback::{Connection, Ended, Releases, Services};
use crate::testing;

/// Bytes of what a plugin may learn.
const MOST_LEARNED_BYTES: usize = 4096;

/// Runs one scan of a connection.
pub(super) fn scan(
    connection: &Connection,
    patterns: &[Pattern],
    document: &[u8],
    acts: Acts<'_>,
) -> Ran {
    let began = Instant::now();
    let mut run = Run { patterns, acts, ran: Ran::default(), ended_at: None };
    let ended = connection.scan(document, &mut run);
    let elapsed = run.ended_at.unwrap_or(began).elapsed();
    Ran { ended, elapsed, was_ended: run.ended_at.is_some(), ..run.ran }
}

/// Answers a request; gets how many were sent before.
type Answer<'a> = dyn FnMut(usize, &HttpRequest) -> Told + 'a;

/// How the host acts in a scan.
pub(super) struct Acts<'a> {
    /// Answers a request; gets how many were sent before.
    pub(super) http: Box<Answer<'a>>,
    /// Answers rows; gets how many there are.
    pub(super) rows: Box<dyn FnMut(usize) -> i32 + 'a>,
    /// Answers a line of the log.
    pub(super) log: i32,
    pub(super) releases: Option<Arc<Releases>>,
}

impl<'a> Acts<'a> {
    /// Answers requests, and welcomes all rows.
    pub(super) fn answering(http: impl FnMut(usize, &HttpRequest) -> Told + 'a) -> Self {
        let rows = Box::new(|_: usize| ffi::GO_ON);
        Self { http: Box::new(http), rows, log: ffi::OK, releases: None }
    }
}

/// What was seen of one scan.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) ended: Ended,
    pub(super) batches: Vec<RecordBatch>,
    pub(super) requests: Vec<HttpRequest>,
    /// Batches that are none.
    broken_batches: Vec<String>,
    /// Requests that are not declared, or none.
    refused: Vec<String>,
    /// Requests and batches after the host asked to end the call.
    pub(super) n_acts_after_end: usize,
    /// Whether the host said stop or cancelled.
    pub(super) was_ended: bool,
    /// How long the call took; from the host's word on, if it ended the call.
    pub(super) elapsed: Duration,
}

impl Default for Ran {
    fn default() -> Self {
        Self {
            ended: Ended { code: ffi::OK, replies: Vec::new() },
            batches: Vec::new(),
            requests: Vec::new(),
            broken_batches: Vec::new(),
            refused: Vec::new(),
            n_acts_after_end: 0,
            was_ended: false,
            elapsed: Duration::ZERO,
        }
    }
}

impl Ran {
    /// Returns what the plugin said of the scan.
    pub(super) fn report(&self) -> Result<Report, ErrorDocument> {
        if self.was_ended && self.ended.replies.is_empty() {
            return Ok(Report::default());
        }
        testing::read(&self.ended)
    }

    /// Returns how the call itself broke the contract; how the batches did is another matter.
    pub(super) fn breaches(&self) -> Vec<String> {
        let mut breaches = self.refused.clone();
        let (code, n_replies) = (self.ended.code, self.ended.replies.len());
        match code {
            ffi::OK | ffi::ERROR if n_replies == 1 || (n_replies == 0 && self.was_ended) => {}
            ffi::CANCELLED if self.was_ended && n_replies <= 1 => {}
            ffi::CANCELLED => breaches.push("cancelled though nobody asked for it".to_owned()),
            ffi::OK | ffi::ERROR => breaches.push(format!("code {code} with {n_replies} replies")),
            _ => breaches.push(format!("the unknown code {code}")),
        }
        for reply in &self.ended.replies {
            match code {
                ffi::OK => match serde_json::from_slice::<Report>(reply) {
                    Err(error) => breaches.push(format!("a report that cannot be read: {error}")),
                    Ok(report) => {
                        let n = report.learned.map_or(0, |learned| learned.to_string().len());
                        if n > MOST_LEARNED_BYTES {
                            let most = MOST_LEARNED_BYTES;
                            breaches.push(format!("{n} bytes learned, at most {most} are kept"));
                        }
                    }
                },
                _ => breaches.extend(error_fault(reply)),
            }
        }
        breaches
    }

    /// Returns what is wrong with the batches of a request.
    pub(super) fn batch_faults(&self, request: &Request, table: &Table) -> Vec<String> {
        let mut faults = self.broken_batches.clone();
        let declared = |name: &str| table.columns.iter().find(|column| column.name == name);
        for batch in &self.batches {
            let schema = batch.schema();
            let found: Vec<&str> =
                schema.fields().iter().map(|field| field.name().as_str()).collect();
            if found != request.columns {
                let (found, asked) = (found.join(", "), request.columns.join(", "));
                faults.push(format!("columns `{found}` came, `{asked}` were asked for"));
                continue;
            }
            for field in schema.fields() {
                let Some(column) = declared(field.name()) else { continue };
                if !is_type(field.data_type(), column.column_type) {
                    let (name, found) = (field.name(), field.data_type());
                    let declared = json!(column.column_type);
                    faults
                        .push(format!("column `{name}` has type {found}, declared is {declared}"));
                }
            }
        }
        faults
    }
}

/// Returns what is wrong with an error document.
pub(super) fn error_fault(reply: &[u8]) -> Option<String> {
    let document: ErrorDocument = match serde_json::from_slice(reply) {
        Ok(document) => document,
        Err(error) => return Some(format!("an error that cannot be read: {error}")),
    };
    if document.errors.is_empty() {
        return Some("an error document without an error".to_owned());
    }
    let wordless = document.errors.iter().any(|error| error.message.trim().is_empty());
    wordless.then(|| "an error without a message".to_owned())
}

fn is_type(found: &DataType, declared: ColumnType) -> bool {
    match (declared, found) {
        (ColumnType::Text | ColumnType::Json, DataType::Utf8)
        | (ColumnType::Duration, DataType::Duration(TimeUnit::Microsecond))
        | (ColumnType::Int64, DataType::Int64)
        | (ColumnType::Float64, DataType::Float64)
        | (ColumnType::Bool, DataType::Boolean) => true,
        (ColumnType::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, Some(zone))) => {
            zone.as_ref() == "UTC"
        }
        (ColumnType::TextList, DataType::List(item)) => *item.data_type() == DataType::Utf8,
        _ => false,
    }
}

struct Run<'a> {
    patterns: &'a [Pattern],
    acts: Acts<'a>,
    ran: Ran,
    /// When the host asked to end the call.
    ended_at: Option<Instant>,
}

impl Run<'_> {
    fn end(&mut self) {
        self.ended_at.get_or_insert_with(Instant::now);
    }

    fn count_after_end(&mut self) {
        self.ran.n_acts_after_end += usize::from(self.ended_at.is_some());
    }
}

impl Services for Run<'_> {
    fn http(&mut self, request: &[u8]) -> (i32, Vec<u8>, Vec<u8>) {
        self.count_after_end();
        let fails = |error: WireError| {
            (ffi::ERROR, json!(ErrorDocument::from(error)).to_string().into_bytes(), Vec::new())
        };
        let refusal = match serde_json::from_slice::<HttpRequest>(request) {
            Err(error) => Some(format!("a request that cannot be read: {error}")),
            Ok(request) => {
                let line = testing::request_line(&request);
                let is_declared =
                    self.patterns.iter().any(|pattern| testing::matches(pattern, &request));
                self.ran.requests.push(request);
                (!is_declared).then(|| format!("the request `{line}`, which no pattern declares"))
            }
        };
        if let Some(refusal) = refusal {
            self.ran.refused.push(refusal.clone());
            return fails(WireError::new(Reason::PluginError, refusal));
        }
        let n_before = self.ran.requests.len() - 1;
        match (self.acts.http)(n_before, &self.ran.requests[n_before]) {
            Told::Reply(reply) => (ffi::OK, head(&reply), reply.body),
            Told::Failure(error) => fails(error),
            Told::Cancelled => {
                self.end();
                (ffi::CANCELLED, Vec::new(), Vec::new())
            }
        }
    }

    fn emit(&mut self, batch: Result<RecordBatch, String>) -> i32 {
        self.count_after_end();
        match batch {
            Ok(batch) => self.ran.batches.push(batch),
            Err(fault) => {
                self.ran.broken_batches.push(format!("a batch cannot be taken: {fault}"));
                return ffi::ERROR;
            }
        }
        let n_rows = self.ran.batches.iter().map(RecordBatch::num_rows).sum();
        let answer = (self.acts.rows)(n_rows);
        if answer != ffi::GO_ON {
            self.end();
        }
        answer
    }

    fn log(&mut self, _: i32, _: &str) -> i32 {
        if self.acts.log == ffi::CANCELLED {
            self.end();
        }
        self.acts.log
    }

    fn releases(&self) -> Option<Arc<Releases>> {
        self.acts.releases.clone()
    }
}

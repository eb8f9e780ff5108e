//! Calls of a plugin, with everything that is seen while they run.
//! In: documents and a host that answers as a rule wants. Out: what the plugin said, sent and
//! emitted, and what of it breaks the contract. Rules judge; nothing is judged here.

use std::sync::{Mutex, PoisonError};

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use sessionql_plugin_abi::ffi;
use sessionql_plugin_abi::message::{
    Connected, Gap, HttpRequest, Manifest, OptionType, Pattern, Plan, Request, ScanRequest, Table,
    Verdict,
};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use super::ran::{self, Acts, Ran};
use super::subject::{Answers, Told};
use super::{Subject, Unkept};
use crate::export::loopback::{Connection, Loaded, Services};
use crate::testing;

/// Requests that one scan may send before it counts as endless.
pub(super) const MOST_REQUESTS: usize = 1000;

/// The same of a running API, which others use too.
const MOST_LIVE_REQUESTS: usize = 10;

/// What a rule skips for if nobody plays the API.
pub(super) const NEEDS_API: &str = "an API that answers";

/// The services of a call that may do nothing.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// Requests and batches that came all the same.
    pub(super) n_acts: usize,
}

impl Services for Quiet {
    fn http(&mut self, _: &[u8]) -> (i32, Vec<u8>, Vec<u8>) {
        self.n_acts += 1;
        let error = WireError::new(Reason::PluginError, "only a scan may send requests");
        (ffi::ERROR, json!(ErrorDocument::from(error)).to_string().into_bytes(), Vec::new())
    }

    fn emit(&mut self, _: Result<RecordBatch, String>) -> i32 {
        self.n_acts += 1;
        ffi::ERROR
    }

    fn log(&mut self, _: i32, _: &str) -> i32 {
        ffi::OK
    }
}

/// Returns the plugin's functions.
pub(super) fn loaded(subject: &Subject) -> Result<Loaded, Unkept> {
    let needs = || Unkept::needs("a plugin with a whole table (see `lifecycle/table`)");
    subject
        .table
        .filter(|table| table.abi_version == sessionql_plugin_abi::ABI_VERSION)
        .and_then(Loaded::of)
        .ok_or_else(needs)
}

/// Returns what the plugin says of itself.
pub(super) fn describe(subject: &Subject) -> Result<Manifest, Unkept> {
    testing::read(&loaded(subject)?.describe(&mut Quiet::default())).map_err(|errors| {
        Unkept::needs(format!("a manifest, not `{}` (see `lifecycle/describe`)", said(&errors)))
    })
}

/// Returns the messages of errors.
pub(super) fn said(errors: &ErrorDocument) -> String {
    let messages: Vec<&str> = errors.errors.iter().map(|error| error.message.as_str()).collect();
    messages.join("; ")
}

/// Tells whether errors speak of a panic.
pub(super) fn is_panic(errors: &ErrorDocument) -> bool {
    errors.errors.iter().any(|error| error.panicked)
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) manifest: Manifest,
    pub(super) connected: Connected,
    pub(super) connection: Connection,
    has_api: bool,
    most_requests: usize,
    clock: String,
    learned: Mutex<Value>,
}

/// Returns the options that a connection is opened with: those that are given, else what is
/// required, made up.
pub(super) fn options(subject: &Subject, manifest: &Manifest) -> Value {
    let given = subject.options.clone().unwrap_or_else(|| {
        let required = manifest.options.iter().filter(|option| option.required);
        let made_up = required.map(|option| {
            let value = match (option.option_type, option.values.first()) {
                (OptionType::Text, value) => json!(value.map_or("example", String::as_str)),
                (OptionType::Int, _) => json!(1),
                (OptionType::Bool, _) => json!(true),
                (OptionType::Duration, _) => json!(3_600_000_000_i64),
                (OptionType::TextList, value) => json!([value.map_or("example", String::as_str)]),
            };
            (option.name.clone(), value)
        });
        Value::Object(made_up.collect())
    });
    testing::filled_options(manifest, &given)
}

/// Opens a connection.
pub(super) fn open(subject: &Subject) -> Result<Opened, Unkept> {
    let (loaded, manifest) = (loaded(subject)?, describe(subject)?);
    let options = options(subject, &manifest);
    let (ended, connection) = loaded.connect(options.to_string().as_bytes(), &mut Quiet::default());
    let connected = testing::read(&ended).map_err(|errors: ErrorDocument| {
        Unkept::needs(format!("options that it connects with: {}", said(&errors)))
    })?;
    let most_requests = if subject.is_live() { MOST_LIVE_REQUESTS } else { MOST_REQUESTS };
    let (has_api, clock, learned) = (subject.has_api(), subject.clock.clone(), Mutex::default());
    Ok(Opened { manifest, connected, connection, has_api, most_requests, clock, learned })
}

impl Opened {
    pub(super) fn tables(&self) -> &[Table] {
        self.connected.tables.as_deref().unwrap_or(&self.manifest.tables)
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        self.connected.patterns.as_deref().unwrap_or(&self.manifest.patterns)
    }

    /// Asks a table for columns.
    pub(super) fn request<'a>(
        &self,
        table: &Table,
        columns: impl IntoIterator<Item = &'a str>,
    ) -> Request {
        Request {
            table: table.name.clone(),
            columns: columns.into_iter().map(str::to_owned).collect(),
            now: self.clock.clone(),
            clock: self.clock.clone(),
            learned: self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..Request::default()
        }
    }

    /// Asks a table for all it has.
    pub(super) fn whole(&self, table: &Table) -> Request {
        self.request(table, table.columns.iter().map(|column| column.name.as_str()))
    }

    /// Plans a request.
    pub(super) fn ask(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        let document = json!(request).to_string();
        testing::read(&self.connection.plan(document.as_bytes(), &mut Quiet::default()))
    }

    /// Plans a request, for a rule that relies on it.
    pub(super) fn plan(&self, request: &Request) -> Result<Plan, Unkept> {
        self.ask(request).map_err(|errors| {
            let rule = if is_panic(&errors) { "plan/no-panic" } else { "plan/answers" };
            Unkept::needs(format!("a plan, not `{}` (see `{rule}`)", said(&errors)))
        })
    }

    /// Scans one slice, with a host that does as `acts` does.
    pub(super) fn scan(&self, request: &Request, slice: &Value, acts: Acts<'_>) -> Ran {
        let document = ScanRequest { request: request.clone(), slice: slice.clone() };
        self.scan_document(json!(document).to_string().as_bytes(), acts)
    }

    pub(super) fn scan_document(&self, document: &[u8], acts: Acts<'_>) -> Ran {
        ran::scan(&self.connection, self.patterns(), document, acts)
    }

    /// Plans a request and scans all slices, for a rule that relies on all of it.
    pub(super) fn read(&self, request: &Request, answers: &Answers) -> Result<Read, Unkept> {
        let plan = self.plan(request)?;
        let mut read = Read { gaps: plan.gaps, verdicts: plan.verdicts, ..Read::default() };
        read.verdicts.resize(request.filters.len(), Verdict::Unsupported);
        let table = self.tables().iter().find(|table| table.name == request.table);
        for slice in &plan.slices {
            let request = Request { learned: self.request_learned(), ..request.clone() };
            let n_before = read.requests.len();
            let acts = Acts::answering(|n_sent, sent| {
                if n_before + n_sent >= self.most_requests {
                    Told::Cancelled
                } else {
                    answers(sent)
                }
            });
            let ran = self.scan(&request, slice, acts);
            if !self.has_api && !ran.requests.is_empty() {
                return Err(Unkept::needs(NEEDS_API));
            }
            if let Some(breach) = ran.breaches().first() {
                return Err(Unkept::needs(format!(
                    "a scan that is not `{breach}` (see `scan/contract`)"
                )));
            }
            if let Some(fault) = table.and_then(|table| ran.batch_faults(&request, table).pop()) {
                return Err(Unkept::needs(format!(
                    "batches as declared: {fault} (see `schema/batches`)"
                )));
            }
            read.is_partial |= ran.was_ended;
            read.rows.extend(ran.batches.iter().flat_map(testing::rows));
            read.requests.extend(ran.requests.iter().cloned());
            match ran.report() {
                Ok(report) => {
                    read.gaps.extend(report.gaps);
                    if let Some(learned) = report.learned {
                        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = learned;
                    }
                }
                Err(errors) => {
                    read.failure = Some(errors);
                    break;
                }
            }
        }
        Ok(read)
    }

    /// Does the same for a rule that needs all rows.
    pub(super) fn read_well(&self, request: &Request, answers: &Answers) -> Result<Read, Unkept> {
        let read = self.read(request, answers)?;
        match &read.failure {
            None => Ok(read),
            Some(errors) => {
                let why = said(errors);
                Err(Unkept::needs(format!("a scan that does not fail: {why} (see `scan/whole`)")))
            }
        }
    }

    fn request_learned(&self) -> Value {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The rows of a whole request.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) rows: Vec<Vec<Value>>,
    /// One for each filter.
    pub(super) verdicts: Vec<Verdict>,
    pub(super) gaps: Vec<Gap>,
    pub(super) requests: Vec<HttpRequest>,
    /// Whether it was ended by us, because there was too much.
    pub(super) is_partial: bool,
    pub(super) failure: Option<ErrorDocument>,
}

//! Runs a plugin without a host, through the functions that it exports.
//! A test gives options, requests and a closure that plays the provider's API, and looks at plans,
//! at the HTTP requests that were made, and at the rows.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    DurationMicrosecondType, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_schema::DataType;
use serde_json::{Value, json};
use sessionql_plugin_abi::ffi::{self, EntryFunction};
use sessionql_plugin_abi::message::{
    Connected, ConnectionOption, HttpRequest, Io, Manifest, Pattern, Plan, Report, Request,
    ResponseHead, ScanRequest, Table,
};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use crate::export::loopback::{Connection, Ended, Loaded, Services};
use crate::time::Timestamp;

/// The base URL of the API that a test plays; links may lead to below it.
pub const BASE_URL: &str = "https://api.test/base";

/// A host for tests with one open connection.
///
/// It checks what the real host checks first: requests must match the connection's patterns, a
/// failed call must say why, a finished one must give one reply.
#[derive(Debug)]
pub struct FakeHost {
    manifest: Manifest,
    connected: Connected,
    connection: Connection,
}

impl FakeHost {
    /// Loads a plugin by its `sessionql_plugin_v1` and connects with the given options; the
    /// manifest's defaults are filled in and secret options are held back, as the host does.
    ///
    /// # Errors
    /// What `describe` or `connect` answers, or `plugin_error` if they answer wrongly.
    pub fn connect(entry: EntryFunction, options: Value) -> Result<Self, ErrorDocument> {
        let plugin = Loaded::new(entry).ok_or_else(|| broken("the plugin has no table"))?;
        let manifest: Manifest = read(&plugin.describe(&mut Silent))?;
        let document = filled_options(&manifest, &options).to_string();
        let (ended, connection) = plugin.connect(document.as_bytes(), &mut Silent);
        Ok(Self { manifest, connected: read(&ended)?, connection })
    }

    /// Returns what the plugin says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns what the plugin says about this connection.
    pub fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Returns the tables of this connection.
    pub fn tables(&self) -> &[Table] {
        self.connected.tables.as_deref().unwrap_or(&self.manifest.tables)
    }

    /// Returns the patterns of this connection.
    pub fn patterns(&self) -> &[Pattern] {
        self.connected.patterns.as_deref().unwrap_or(&self.manifest.patterns)
    }

    /// Returns the plan for a request.
    ///
    /// # Errors
    /// What the plugin answers.
    pub fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        read(&self.connection.plan(json!(request).to_string().as_bytes(), &mut Silent))
    }

    /// Scans one slice against a closure that plays the provider's API.
    pub fn scan(
        &self,
        request: &Request,
        slice: &Value,
        server: impl FnMut(&HttpRequest) -> Reply,
    ) -> Scan {
        self.scan_until(usize::MAX, request, slice, server)
    }

    /// Scans one slice and says stop as soon as there are `enough` rows.
    pub fn scan_until(
        &self,
        enough: usize,
        request: &Request,
        slice: &Value,
        server: impl FnMut(&HttpRequest) -> Reply,
    ) -> Scan {
        let document = ScanRequest { request: request.clone(), slice: slice.clone() };
        let mut run = Run { server, patterns: self.patterns(), enough, scan: Scan::default() };
        let ended = self.connection.scan(json!(document).to_string().as_bytes(), &mut run);
        let mut scan = run.scan;
        scan.code = ended.code;
        scan.outcome = if ended.code == ffi::OK && ended.replies.is_empty() && scan.was_stopped {
            Ok(Report::default())
        } else {
            read(&ended)
        };
        scan
    }

    /// Plans a request and scans all slices of the plan, one after another.
    ///
    /// # Errors
    /// What `plan` answers.
    pub fn run(
        &self,
        request: &Request,
        mut server: impl FnMut(&HttpRequest) -> Reply,
    ) -> Result<(Plan, Vec<Scan>), ErrorDocument> {
        let plan = self.plan(request)?;
        let scans =
            plan.slices.iter().map(|slice| self.scan(request, slice, &mut server)).collect();
        Ok((plan, scans))
    }
}

/// What the API played by a test answers to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Returns a 200 with a JSON document.
    pub fn json(document: &Value) -> Self {
        Self::status(200, document.to_string())
    }

    /// Returns an answer with any status and body.
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }
}

/// What came of one scan.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The code that the plugin returned.
    pub code: i32,
    /// Its report or its errors.
    pub outcome: Result<Report, ErrorDocument>,
    /// Whether it was told to stop.
    pub was_stopped: bool,
    /// The rows, as they came.
    pub batches: Vec<RecordBatch>,
    /// The requests, as they were made.
    pub requests: Vec<HttpRequest>,
    /// The lines of the log.
    pub lines: Vec<String>,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            code: ffi::OK,
            outcome: Ok(Report::default()),
            was_stopped: false,
            batches: Vec::new(),
            requests: Vec::new(),
            lines: Vec::new(),
        }
    }
}

impl Scan {
    /// Returns all rows as JSON: text and json as text, timestamps in RFC 3339, durations in
    /// microseconds.
    pub fn rows(&self) -> Vec<Vec<Value>> {
        self.batches.iter().flat_map(rows).collect()
    }

    /// Returns each request as `GET /path?name=value&…`, not encoded.
    pub fn request_lines(&self) -> Vec<String> {
        self.requests.iter().map(request_line).collect()
    }

    /// Returns the messages of the errors; empty if the scan went well.
    pub fn error_messages(&self) -> Vec<String> {
        let errors = self.outcome.as_ref().err().map_or(&[][..], |document| &document.errors);
        errors.iter().map(|error| error.message.clone()).collect()
    }
}

/// Returns a request as `GET /path?name=value&…`, not encoded.
pub fn request_line(request: &HttpRequest) -> String {
    let query: Vec<_> =
        request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{} {}{mark}{}", request.method, request.path, query.join("&"))
}

/// Returns the rows of a batch as JSON.
pub fn rows(batch: &RecordBatch) -> Vec<Vec<Value>> {
    let row = |i| batch.columns().iter().map(|column| cell(column.as_ref(), i)).collect();
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &dyn arrow_array::Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => json!(column.as_string::<i32>().value(row)),
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        DataType::Duration(_) => json!(column.as_primitive::<DurationMicrosecondType>().value(row)),
        DataType::Timestamp(..) => {
            json!(
                Timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row))
                    .to_rfc3339()
            )
        }
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            (0..items.len()).map(|i| cell(items.as_ref(), i)).collect()
        }
        other => json!(format!("a value of type {other}")),
    }
}

/// The services of one scan.
struct Run<'a, S> {
    server: S,
    patterns: &'a [Pattern],
    enough: usize,
    scan: Scan,
}

impl<S: FnMut(&HttpRequest) -> Reply> Services for Run<'_, S> {
    fn http(&mut self, request: &[u8]) -> (i32, Vec<u8>, Vec<u8>) {
        let request = match serde_json::from_slice::<HttpRequest>(request) {
            Ok(request) if self.patterns.iter().any(|pattern| matches(pattern, &request)) => {
                request
            }
            Ok(request) => return refuse(&format!("no pattern for `{}`", request_line(&request))),
            Err(error) => return refuse(&format!("a request cannot be read: {error}")),
        };
        self.scan.requests.push(request.clone());
        let Reply { status, headers, body } = (self.server)(&request);
        let (body_len, base_url) = (body.len() as u64, BASE_URL.to_owned());
        let head = ResponseHead { status, headers, body_len, base_url };
        (ffi::OK, json!(head).to_string().into_bytes(), body)
    }

    fn emit(&mut self, batch: Result<RecordBatch, String>) -> i32 {
        let Ok(batch) = batch else { return ffi::ERROR };
        self.scan.batches.push(batch);
        let n_rows: usize = self.scan.batches.iter().map(RecordBatch::num_rows).sum();
        self.scan.was_stopped = n_rows >= self.enough;
        if self.scan.was_stopped { ffi::STOP } else { ffi::GO_ON }
    }

    fn log(&mut self, _: i32, line: &str) -> i32 {
        self.scan.lines.push(line.to_owned());
        ffi::OK
    }
}

/// The services of a call that may do nothing.
struct Silent;

impl Services for Silent {
    fn http(&mut self, _: &[u8]) -> (i32, Vec<u8>, Vec<u8>) {
        refuse("only a scan may send requests")
    }

    fn emit(&mut self, _: Result<RecordBatch, String>) -> i32 {
        ffi::ERROR
    }

    fn log(&mut self, _: i32, _: &str) -> i32 {
        ffi::OK
    }
}

/// Returns options as the host hands them over: with defaults, and without secrets unless the
/// plugin does its own I/O.
pub(crate) fn filled_options(manifest: &Manifest, given: &Value) -> Value {
    let mut filled = serde_json::Map::new();
    let is_seen = |option: &&ConnectionOption| !option.secret || manifest.io == Io::Own;
    for option in manifest.options.iter().filter(is_seen) {
        let value = given.get(&option.name).cloned().or_else(|| option.default.clone());
        filled.extend(value.map(|value| (option.name.clone(), value)));
    }
    Value::Object(filled)
}

fn refuse(message: &str) -> (i32, Vec<u8>, Vec<u8>) {
    (ffi::ERROR, json!(broken(message)).to_string().into_bytes(), Vec::new())
}

fn broken(message: &str) -> ErrorDocument {
    WireError::new(Reason::PluginError, message).into()
}

/// Reads the one reply of a call.
pub(crate) fn read<T: serde::de::DeserializeOwned>(ended: &Ended) -> Result<T, ErrorDocument> {
    let [reply] = ended.replies.as_slice() else {
        return Err(broken(&format!("a call ended with {} replies", ended.replies.len())));
    };
    match ended.code {
        ffi::OK => serde_json::from_slice(reply)
            .map_err(|error| broken(&format!("a reply cannot be read: {error}"))),
        _ => Err(serde_json::from_slice(reply)
            .unwrap_or_else(|error| broken(&format!("an error cannot be read: {error}")))),
    }
}

/// Tells whether a request is one that a pattern allows.
pub(crate) fn matches(pattern: &Pattern, request: &HttpRequest) -> bool {
    let segments = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (allowed, asked) = (segments(&pattern.path), segments(&request.path));
    let fits = |(a, b): (&String, &String)| a == b || (a.starts_with('{') && !b.is_empty());
    pattern.method == request.method
        && allowed.len() == asked.len()
        && allowed.iter().zip(&asked).all(fits)
}

//! What the two sides say to each other during one call of a plugin's function.
//! In: the plugin's requests, rows and lines, from a library in this process or from one in a child.
//! Out: the host's answers, and at the end what the call came to. Everything that decides the
//! outcome is kept here, on the host's side: a plugin cannot claim that it was told to stop.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use sessionql_plugin_abi::ffi;
use sessionql_plugin_abi::message::{HttpRequest, ResponseHead};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use super::underway::Watch;

/// What a scan's consumer says to the next rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// More, please.
    GoOn,
    /// Enough.
    Stop,
    /// The statement was cancelled.
    Cancelled,
}

/// What the host does for one call.
pub trait Callbacks {
    /// Returns the columns that rows must have; `None` if the call may not emit rows.
    fn schema(&self) -> Option<SchemaRef>;

    /// Sends a request. Returns its head and a source of its body.
    ///
    /// # Errors
    /// What the plugin should be told.
    fn http(&mut self, request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError>;

    /// Takes rows, which have the columns of [`Callbacks::schema`].
    ///
    /// # Errors
    /// What is wrong with them; the plugin's call fails with it.
    fn emit(&mut self, rows: RecordBatch) -> Result<Flow, WireError>;

    /// Takes a line for the log.
    fn log(&mut self, level: i32, line: &str) -> Flow;
}

/// Yields a body's pieces; `None` at its end.
pub type BodySource = Box<dyn FnMut() -> std::io::Result<Option<Bytes>>>;

/// The services of a call that may not do I/O.
pub(super) struct NoServices;

impl Callbacks for NoServices {
    fn schema(&self) -> Option<SchemaRef> {
        None
    }

    fn http(&mut self, _request: &HttpRequest) -> Result<(ResponseHead, BodySource), WireError> {
        Err(WireError::new(Reason::PluginError, "only a scan may send requests"))
    }

    fn emit(&mut self, _: RecordBatch) -> Result<Flow, WireError> {
        Err(WireError::new(Reason::PluginError, "only a scan may emit rows"))
    }

    fn log(&mut self, level: i32, line: &str) -> Flow {
        log_line(level, line);
        Flow::GoOn
    }
}

/// Writes a plugin's line to the log.
pub(crate) fn log_line(level: i32, line: &str) {
    const ERROR: i32 = ffi::Level::Error as i32;
    const WARN: i32 = ffi::Level::Warn as i32;
    const INFO: i32 = ffi::Level::Info as i32;
    let line = crate::display::escape_controls(line);
    match level {
        ERROR => tracing::error!(target: "plugin", "{line}"),
        WARN => tracing::warn!(target: "plugin", "{line}"),
        INFO => tracing::info!(target: "plugin", "{line}"),
        _ => tracing::debug!(target: "plugin", "{line}"),
    };
}

/// The host's answer to a request.
#[derive(Debug)]
pub(super) struct Answered {
    /// 0, or what the plugin gets in its place.
    pub(super) code: i32,
    /// The document: a head on 0, else an error document.
    pub(super) head: Vec<u8>,
    /// The handle of the body; 0 if there is none.
    pub(super) body: u64,
    /// The length of the body in bytes.
    pub(super) body_len: u64,
}

/// What a call ended with.
#[derive(Debug)]
pub(super) struct Reply {
    /// The document, if one was given. Of a call that was stopped, only if it ended well.
    pub(super) document: Option<Vec<u8>>,
    /// Whether the plugin was told to stop, or that the statement was cancelled.
    pub(super) was_stopped: bool,
}

/// The state of one call.
pub(super) struct Exchange<'a> {
    callbacks: &'a mut dyn Callbacks,
    document: Option<Vec<u8>>,
    n_replies: usize,
    was_stopped: bool,
    /// The first thing that the host itself refused in this call; it decides the call's outcome.
    refused: Option<WireError>,
    bodies: HashMap<u64, BodySource>,
    n_bodies: u64,
    /// What the last callback handed out; valid until the next one.
    lent: Bytes,
    /// Told whenever the host works, so that its time is not taken for the plugin's.
    watch: Option<Watch>,
}

impl<'a> Exchange<'a> {
    /// Returns the state of a call that begins.
    pub(super) fn new(callbacks: &'a mut dyn Callbacks) -> Self {
        Self {
            callbacks,
            document: None,
            n_replies: 0,
            was_stopped: false,
            refused: None,
            bodies: HashMap::new(),
            n_bodies: 0,
            lent: Bytes::new(),
            watch: None,
        }
    }

    /// Returns the state of a call whose time in the plugin is watched.
    pub(super) fn watched(callbacks: &'a mut dyn Callbacks, watch: Watch) -> Self {
        Self { watch: Some(watch), ..Self::new(callbacks) }
    }

    /// Returns the columns that emitted rows must have, if the call may emit any.
    pub(super) fn schema(&self) -> Option<SchemaRef> {
        self.callbacks.schema()
    }

    /// Returns the document of the call so far.
    pub(super) fn document(&self) -> Option<&[u8]> {
        self.document.as_deref()
    }

    /// Returns how often the plugin replied.
    pub(super) fn n_replies(&self) -> usize {
        self.n_replies
    }

    /// Returns what was refused, if anything was.
    pub(super) fn take_refusal(&mut self) -> Option<WireError> {
        self.refused.take()
    }

    /// Lets the call fail with this error, whatever the plugin makes of it.
    pub(super) fn refuse(&mut self, error: WireError) {
        self.refused.get_or_insert(error);
    }

    /// Takes the call's document.
    pub(super) fn reply(&mut self, document: Vec<u8>) {
        self.n_replies += 1;
        self.document = Some(document);
    }

    /// Takes what a child tells of the replies that its plugin gave.
    pub(super) fn replied(&mut self, document: Option<Vec<u8>>, n_replies: usize) {
        (self.document, self.n_replies) = (document, n_replies);
    }

    /// Sends a request.
    pub(super) fn http(&mut self, request: &[u8]) -> Answered {
        let _host = self.watch.as_ref().map(Watch::host);
        let request: Result<HttpRequest, _> = serde_json::from_slice(request);
        let answer = match request {
            Ok(request) => self.callbacks.http(&request),
            Err(error) => Err(broken(format!("the plugin's request cannot be read: {error}"))),
        };
        let (code, head, body, body_len) = match answer {
            Ok((head, source)) => {
                self.n_bodies += 1;
                self.bodies.insert(self.n_bodies, source);
                (ffi::OK, serde_json::to_vec(&head), self.n_bodies, head.body_len)
            }
            Err(error) => {
                let is_cancelled = error.code == Reason::Cancelled;
                self.was_stopped |= is_cancelled;
                let code = if is_cancelled { ffi::CANCELLED } else { ffi::ERROR };
                (code, serde_json::to_vec(&ErrorDocument::from(error)), 0, 0)
            }
        };
        Answered { code, head: head.unwrap_or_default(), body, body_len }
    }

    /// Returns the next piece of a body, empty at its end; `None` if it cannot be read.
    pub(super) fn read(&mut self, body: u64) -> Option<Bytes> {
        let _host = self.watch.as_ref().map(Watch::host);
        let Some(source) = self.bodies.get_mut(&body) else { return Some(Bytes::new()) };
        match source() {
            Ok(Some(piece)) => Some(piece),
            Ok(None) => {
                self.bodies.remove(&body);
                Some(Bytes::new())
            }
            Err(error) => {
                let message = format!("a body that was put aside cannot be read: {error}");
                self.refuse(WireError::new(Reason::Other, message));
                None
            }
        }
    }

    /// Forgets a body that nobody reads any more.
    pub(super) fn close(&mut self, body: u64) {
        self.bodies.remove(&body);
    }

    /// Takes rows, or what is wrong with them.
    pub(super) fn emit(&mut self, rows: Result<RecordBatch, WireError>) -> i32 {
        let _host = self.watch.as_ref().map(Watch::host);
        let flow = rows.and_then(|rows| self.callbacks.emit(rows));
        match flow {
            Ok(Flow::GoOn) => ffi::GO_ON,
            Ok(Flow::Stop) => {
                self.was_stopped = true;
                ffi::STOP
            }
            Ok(Flow::Cancelled) => {
                self.was_stopped = true;
                ffi::CANCELLED
            }
            Err(error) => {
                self.refuse(error);
                ffi::ERROR
            }
        }
    }

    /// Takes a line for the log.
    pub(super) fn log(&mut self, level: i32, line: &str) -> i32 {
        let _host = self.watch.as_ref().map(Watch::host);
        match self.callbacks.log(level, line) {
            Flow::GoOn => ffi::OK,
            Flow::Stop | Flow::Cancelled => {
                self.was_stopped = true;
                ffi::CANCELLED
            }
        }
    }

    /// Keeps what is handed to the plugin until the next time.
    pub(super) fn lend(&mut self, bytes: Bytes) -> &[u8] {
        self.lent = bytes;
        &self.lent
    }

    /// Runs a callback's body; a panic becomes a refusal.
    pub(super) fn guarded(&mut self, body: impl FnOnce(&mut Self) -> i32) -> i32 {
        catch_unwind(AssertUnwindSafe(|| body(self))).unwrap_or_else(|_| {
            let message = "internal error: a callback of the host failed";
            self.refuse(WireError::new(Reason::Other, message));
            ffi::ERROR
        })
    }

    /// Returns what the call came to, now that the function has returned a code.
    ///
    /// # Errors
    /// What the plugin's error document or a refused callback says, or what was wrong with its
    /// answer.
    pub(super) fn finish(self, code: i32) -> Result<Reply, WireError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        if self.n_replies > 1 {
            return Err(broken(format!("the plugin replied {} times to one call", self.n_replies)));
        }
        let reply = Reply { document: self.document, was_stopped: self.was_stopped };
        match code {
            ffi::OK => Ok(reply),
            ffi::CANCELLED if !reply.was_stopped => {
                Err(broken("the plugin ended a call that nobody cancelled".to_owned()))
            }
            _ if reply.was_stopped => Ok(Reply { document: None, ..reply }),
            ffi::ERROR => Err(read_error(&reply)),
            other => Err(broken(format!("the plugin returned the unknown code {other}"))),
        }
    }
}

/// Reads the document of a reply.
///
/// # Errors
/// `plugin_error` if there is none or it is not what the call replies with.
pub(super) fn document<T: serde::de::DeserializeOwned>(
    function: &str,
    reply: &Reply,
) -> Result<T, WireError> {
    let Some(bytes) = &reply.document else {
        return Err(broken(format!("`{function}` gave no reply")));
    };
    serde_json::from_slice(bytes)
        .map_err(|error| broken(format!("the reply of `{function}` cannot be read: {error}")))
}

fn read_error(reply: &Reply) -> WireError {
    let document: Result<ErrorDocument, WireError> = document("the failed call", reply);
    match document {
        Err(error) => error,
        Ok(document) => {
            let mut errors = document.errors.into_iter();
            let Some(mut first) = errors.next() else {
                return broken("the plugin failed without saying why".to_owned());
            };
            for error in errors {
                first.message = format!("{}; {}", first.message, error.message);
                first.panicked |= error.panicked;
            }
            first.message = crate::display::escape_controls(&first.message);
            first
        }
    }
}

/// Returns the error of a plugin that broke the contract.
pub(super) fn broken(message: String) -> WireError {
    WireError::new(Reason::PluginError, message)
}

//! What is checked: a plugin, the options of a connection, and who plays its API.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use sessionql_plugin_abi::ffi::{EntryFunction, FFI_Plugin};
use sessionql_plugin_abi::message::HttpRequest;
use sessionql_plugin_abi::{Reason, WireError};

use crate::export::loopback::table_of;
use crate::testing::{Reply, request_line};

/// The instant that requests name as `now` and as the host's clock, unless the API is a running one.
pub const CLOCK: &str = "2026-03-10T12:00:00Z";

/// What the API holds that a test plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data {
    /// How many records each of its lists has.
    pub n_records: usize,
    /// How many records an answer has at most, also if the plugin asks for more. An API that
    /// answers with everything at once ignores it.
    pub page_rows: usize,
}

type Played = dyn Fn(&Data, &HttpRequest) -> Reply + Send + Sync;
type Live = dyn Fn(&HttpRequest) -> Result<Reply, WireError> + Send + Sync;

/// Who answers the plugin's requests.
#[derive(Clone)]
enum Source {
    /// Nobody.
    Nobody,
    /// A test.
    Played(Arc<Played>),
    /// A running API; what it answered once it answers again.
    Live(Arc<Live>, Arc<Mutex<HashMap<String, Reply>>>),
}

/// A plugin to be checked.
#[derive(Clone)]
pub struct Subject {
    pub(super) table: Option<&'static FFI_Plugin>,
    /// Absent if nobody gave any.
    pub(super) options: Option<Value>,
    pub(super) clock: String,
    source: Source,
}

/// How the host answers one request.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// With what the API said.
    Reply(Reply),
    /// That there is no answer, and why.
    Failure(WireError),
    /// That the call should end.
    Cancelled,
}

/// Answers a plugin's requests, those of several scans at once.
pub(super) type Answers = Arc<dyn Fn(&HttpRequest) -> Told + Send + Sync>;

impl Subject {
    /// Returns a plugin by its `sessionql_plugin_v1`.
    pub fn new(entry: EntryFunction) -> Self {
        Self::of_table(table_of(entry))
    }

    /// Returns a plugin by its table, as a library that was loaded gives it.
    pub fn of_table(table: Option<&'static FFI_Plugin>) -> Self {
        Self { table, options: None, clock: CLOCK.to_owned(), source: Source::Nobody }
    }

    /// Connects with these options; the manifest's defaults are filled in.
    #[must_use]
    pub fn options(self, options: Value) -> Self {
        Self { options: Some(options), ..self }
    }

    /// Has the requests answered by a function that plays the API: for the records that [`Data`]
    /// asks for, always the same ones, those of fewer records among those of more. Let them differ
    /// in every column that takes a filter, with NULL where there may be one, with text in upper
    /// and lower case, and let the function filter as the API does.
    #[must_use]
    pub fn api(self, api: impl Fn(&Data, &HttpRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self { source: Source::Played(Arc::new(api)), ..self }
    }

    /// Has the requests sent by a function to a running API, at this instant.
    #[must_use]
    pub fn live(
        self,
        clock: String,
        send: impl Fn(&HttpRequest) -> Result<Reply, WireError> + Send + Sync + 'static,
    ) -> Self {
        Self { source: Source::Live(Arc::new(send), Arc::default()), clock, ..self }
    }

    /// Tells whether requests are answered at all.
    pub(super) fn has_api(&self) -> bool {
        !matches!(self.source, Source::Nobody)
    }

    /// Tells whether requests go to a running API, which is to be asked for little.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.source, Source::Live(..))
    }

    /// Tells whether the API holds whatever it is told to.
    pub(super) fn is_played(&self) -> bool {
        matches!(self.source, Source::Played(_))
    }

    /// Returns who answers the requests of a scan. Of what holds the API, a running one knows
    /// better.
    pub(super) fn answers(&self, data: Data) -> Answers {
        match self.source.clone() {
            Source::Nobody => Arc::new(|_| Told::Failure(unreachable())),
            Source::Played(api) => Arc::new(move |request| of_host(request, api(&data, request))),
            Source::Live(send, known) => Arc::new(move |request| {
                let key = format!("{} {:?}", request_line(request), request.body);
                let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(reply) = lock().get(&key) {
                    return Told::Reply(reply.clone());
                }
                match send(request) {
                    Ok(reply) => {
                        lock().insert(key, reply.clone());
                        Told::Reply(reply)
                    }
                    Err(error) => Told::Failure(error),
                }
            }),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may hold secrets.
        formatter.debug_struct("Subject").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Keeps back what the host keeps back: answers that it retries or fails with.
pub(super) fn of_host(request: &HttpRequest, reply: Reply) -> Told {
    let code = match reply.status {
        401 => Reason::Auth,
        408 | 425 | 429 | 500..=599 => Reason::ProviderError,
        _ => return Told::Reply(reply),
    };
    let message = format!("`{}` answered {}", request_line(request), reply.status);
    Told::Failure(WireError::new(code, message))
}

/// Returns what the host says if there is no server.
pub(super) fn unreachable() -> WireError {
    let error = WireError::new(Reason::Unreachable, "no connection could be made");
    WireError { retryable: true, ..error }
}

/// Returns the head of an answer as it crosses the wall.
pub(super) fn head(reply: &Reply) -> Vec<u8> {
    let (status, headers, body_len) = (reply.status, &reply.headers, reply.body.len());
    json!({"status": status, "headers": headers, "body_len": body_len}).to_string().into_bytes()
}

//! What the host does for a scan: it sends requests, takes rows and writes the log.
//! Every answer of the host that asks to end the call is an [`Error`], so that `?` obeys it.

use std::cell::RefCell;
use std::io::{self, Read};

use arrow_array::RecordBatch;
use sessionql_plugin_abi::ffi::{self, Level};
use sessionql_plugin_abi::message::{Gap, HttpRequest, Report, ResponseHead};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use crate::error::{Error, Result};
use crate::export::Callbacks;

/// How much of an unexpected body is shown in an error, in characters.
const EXCERPT_CHARS: usize = 200;

/// The host, for the time of one scan and on its thread.
#[derive(Debug)]
pub struct Host<'call> {
    callbacks: &'call Callbacks<'call>,
    /// What there is to say of the rows that were emitted, if the scan ends before its report.
    told: RefCell<Report>,
}

impl<'call> Host<'call> {
    pub(crate) fn new(callbacks: &'call Callbacks<'call>) -> Self {
        Self { callbacks, told: RefCell::default() }
    }

    /// Keeps what there is to say of rows that were emitted.
    pub(crate) fn tell(&self, notes: Vec<String>, gaps: Vec<Gap>) {
        let mut told = self.told.borrow_mut();
        told.notes.extend(notes);
        told.gaps.extend(gaps);
    }

    /// Returns the report of a scan that the host ended early, if there is anything to say.
    pub(crate) fn told(&self) -> Option<Report> {
        let told = self.told.take();
        (told != Report::default()).then_some(told)
    }

    /// Sends one request and waits for the whole answer.
    ///
    /// The host retries and authenticates; statuses 401, 408, 429 and 5xx never come here.
    ///
    /// # Errors
    /// What the host says: unreachable, refused credentials, a deadline, no pattern for it.
    pub fn http(&self, request: &HttpRequest) -> Result<Response<'_>> {
        let label = format!("{} {}", request.method, request.path);
        let document = serde_json::to_vec(request)
            .map_err(|error| Error::plugin(format!("`{label}` cannot be written: {error}")))?;
        let (code, head, body) = self.callbacks.http(&document);
        match code {
            ffi::OK => {
                let head = serde_json::from_slice(&head).map_err(|error| {
                    Error::plugin(format!("the host's answer to `{label}` cannot be read: {error}"))
                })?;
                Ok(Response { host: self, label, head, body, refused_first: None })
            }
            ffi::CANCELLED => Err(Error::Cancelled),
            _ => Err(serde_json::from_slice::<ErrorDocument>(&head).map_or_else(
                |_| Error::plugin(format!("the host could not send `{label}`")),
                Error::Failed,
            )),
        }
    }

    /// Hands over rows. [`Rows`](crate::Rows) does this by itself.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the consumer has enough, [`Error::Cancelled`], or a refused batch.
    pub fn emit(&self, batch: RecordBatch) -> Result<()> {
        match self.callbacks.emit(batch) {
            ffi::GO_ON => Ok(()),
            ffi::STOP => Err(Error::Stopped),
            ffi::CANCELLED => Err(Error::Cancelled),
            _ => Err(Error::plugin("the host refused a batch")),
        }
    }

    /// Writes one line to the host's log.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the call should end; a plugin that does its own I/O asks this way.
    pub fn log(&self, level: Level, line: &str) -> Result<()> {
        match self.callbacks.log(level, line) {
            ffi::CANCELLED => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }
}

/// The answer to one request.
#[derive(Debug)]
pub struct Response<'host> {
    host: &'host Host<'host>,
    label: String,
    pub(crate) head: ResponseHead,
    body: u64,
    /// What its first record must not be; see [`Pages`](crate::Pages).
    pub(crate) refused_first: Option<u64>,
}

impl<'host> Response<'host> {
    /// Returns the method and path of the request, for messages: `GET /sessions`.
    pub fn request(&self) -> &str {
        &self.label
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// Returns a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the length of the body in bytes.
    pub fn body_len(&self) -> u64 {
        self.head.body_len
    }

    /// Tells answers with a status of 2xx from refusals, whose body is read.
    ///
    /// # Errors
    /// When the host cannot hand out the body of a refusal.
    pub fn accepted(self) -> Result<Result<Self, Refusal>> {
        if (200..300).contains(&self.status()) {
            return Ok(Ok(self));
        }
        let (request, status) = (self.label.clone(), self.status());
        let body = String::from_utf8_lossy(&self.bytes()?).into_owned();
        Ok(Err(Refusal { request, status, body }))
    }

    /// Passes an answer with a status of 2xx on and turns any other into an error.
    ///
    /// # Errors
    /// `auth` for a 403, else `provider_error`, with the beginning of the body.
    pub fn success(self) -> Result<Self> {
        self.accepted()?.map_err(Error::from)
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// When the host cannot hand it out.
    pub fn bytes(self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.read_piece(&mut bytes)? {}
        Ok(bytes)
    }

    /// Reads the whole body as text.
    ///
    /// # Errors
    /// `bad_answer` if it is no UTF-8.
    pub fn text(self) -> Result<String> {
        let label = self.label.clone();
        String::from_utf8(self.bytes()?).map_err(|_| {
            Error::bad_answer(format!("`{label}` answered with text that is no UTF-8"))
        })
    }

    /// Reads the whole body of a successful answer as JSON. For rows use
    /// [`Rows::decode`](crate::Rows::decode), which needs neither a copy nor a type.
    ///
    /// # Errors
    /// A status other than 2xx, or `bad_answer`.
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T> {
        let response = self.success()?;
        let label = response.label.clone();
        serde_json::from_slice(&response.bytes()?).map_err(|error| {
            Error::bad_answer(format!("the answer to `{label}` cannot be read: {error}"))
        })
    }

    /// Returns a reader of the body that holds one piece of it at a time.
    pub fn reader(self) -> BodyReader<'host> {
        BodyReader { response: self, piece: Vec::new(), n_read: 0, failure: None }
    }

    /// Appends the next piece of the body; false at its end.
    fn read_piece(&self, bytes: &mut Vec<u8>) -> Result<bool> {
        if self.body == 0 {
            return Ok(false);
        }
        match self.host.callbacks.read(self.body, bytes) {
            (ffi::OK, n_bytes) => Ok(n_bytes > 0),
            (ffi::CANCELLED, _) => Err(Error::Cancelled),
            _ => Err(Error::plugin(format!("the body of `{}` cannot be read", self.label))),
        }
    }
}

/// An answer with a status other than 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The method and path of the request.
    pub request: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Refusal {
    /// Returns the body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl From<Refusal> for WireError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { request, status, body } = refusal;
        let code = if status == 403 { Reason::Auth } else { Reason::ProviderError };
        let excerpt: String = body.trim().chars().take(EXCERPT_CHARS).collect();
        let said = if excerpt.is_empty() { "without a word".to_owned() } else { excerpt };
        Self::new(code, format!("`{request}` answered {status}: {said}"))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        WireError::from(refusal).into()
    }
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct BodyReader<'host> {
    response: Response<'host>,
    piece: Vec<u8>,
    n_read: usize,
    failure: Option<Error>,
}

impl BodyReader<'_> {
    /// Returns why reading failed, if it was the host that ended it.
    pub fn failure(self) -> Option<Error> {
        self.failure
    }
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.n_read == self.piece.len() {
            self.piece.clear();
            self.n_read = 0;
            if let Err(error) = self.response.read_piece(&mut self.piece) {
                let shown = error.to_string();
                self.failure = Some(error);
                return Err(io::Error::other(shown));
            }
        }
        let mut rest = &self.piece[self.n_read..];
        let n_bytes = rest.read(buffer)?;
        self.n_read += n_bytes;
        Ok(n_bytes)
    }
}

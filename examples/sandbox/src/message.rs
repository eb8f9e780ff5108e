//! What comes into an emulator and what leaves it.
//! In: the parts of an HTTP request. Out: `Request`, decoded once, and `Answer`, built in memory.
//! Used by `server.rs` and by each emulator. Knows nothing of sockets and of any provider.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use hyper::header::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// What a request is for, as the emulator's `Api::kind` sorts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads sessions.
    Data,
    /// It asks for an access token.
    Token,
    /// Anything else: an unknown path, or a method that could change something.
    Violation,
}

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is for.
    pub kind: Kind,
    /// Its number among the requests of its kind, from 1.
    pub number: usize,
    /// The method, in upper case.
    pub method: String,
    /// The path without the query, as it was sent.
    pub path: String,
    /// The query's parameters, decoded, in the order in which they were sent.
    pub query: Vec<(String, String)>,
    /// All headers.
    pub headers: HeaderMap,
    /// The body, possibly empty.
    pub body: Bytes,
    /// When it arrived, by the emulator's clock.
    pub at: DateTime<Utc>,
}

impl Request {
    /// Returns the first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns whether the client accepts a gzip body.
    pub fn accepts_gzip(&self) -> bool {
        let accepted = self.header("accept-encoding").unwrap_or_default();
        accepted.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && parts.all(|part| part != "q=0")
        })
    }
}

impl fmt::Display for Request {
    /// Writes the method, the path and the decoded query on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (position, (name, value)) in self.query.iter().enumerate() {
            write!(f, "{}{name}={value}", if position == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// Decodes a query string or a form into pairs, in order; `+` is a space.
pub fn decode_query(query: &str) -> Vec<(String, String)> {
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

/// One answer, complete in memory.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers other than the length and the date, which the server adds.
    pub headers: Vec<(String, String)>,
    /// The body before any compression.
    pub body: Bytes,
}

impl Answer {
    /// Returns an answer with an empty body and no headers.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// Returns an answer whose body is `json`, which is not checked.
    pub fn json_text(status: u16, json: impl Into<Bytes>) -> Self {
        let answer = Self { status, headers: Vec::new(), body: json.into() };
        answer.with_header("content-type", "application/json")
    }

    /// Returns an answer whose body is a JSON value.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::json_text(status, value.to_string())
    }

    /// Returns an answer whose body is an HTML page, such as a proxy's.
    pub fn html(status: u16, title: &str) -> Self {
        let body = format!("<!doctype html>\n<html><title>{title}</title><p>{title}</p></html>\n");
        let answer = Self { status, headers: Vec::new(), body: body.into() };
        answer.with_header("content-type", "text/html; charset=utf-8")
    }

    /// Adds a header; one that HTTP does not allow is left out of the answer when it is sent.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns whether a header of this name is set.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// Adds a header whose name is known to be valid.
    pub(crate) fn push(&mut self, name: &HeaderName, value: impl Into<String>) {
        self.headers.push((name.as_str().to_owned(), value.into()));
    }
}

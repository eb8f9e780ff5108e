//! What a plugin asks the host to send, and the head of the answer.

use serde::{Deserialize, Serialize};

/// One request for the host to send. It must match a pattern of the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path below the base URL, begins with `/`; percent-encoded where it must be.
    pub path: String,
    /// Names and values in order, not encoded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// More headers; `authorization`, `cookie`, `host` and the like are refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl HttpRequest {
    /// Returns a GET request of a path below the base URL.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), path: path.into(), ..Self::default() }
    }

    /// Returns the request with one more query parameter.
    #[must_use]
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }
}

/// The head of an answer. Its body is read by handle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseHead {
    /// The status. 401, 408, 429 and 5xx never get here: the host retries or fails.
    pub status: u16,
    /// `content-type`, `date`, `link`, `retry-after` and `x-*`, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Length of the body in bytes, after decompression.
    pub body_len: u64,
    /// The connection's base URL without a slash at its end, so that absolute links in an answer
    /// can be told from links to elsewhere; empty if the host does not say.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_url: String,
}

//! Turns what a plugin asks for into a request that can be sent any number of times.
//! In: an `HttpRequest`. Out: a `Prepared` without credentials, whose path is declared and whose
//! headers may pass. What cannot be prepared is the plugin's mistake.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sessionql_plugin_abi::message::{HttpRequest, Pattern, Rate};
use sessionql_plugin_abi::{Reason, WireError};
use url::Url;

use super::body::Expected;
use super::header;
use super::origin::Origin;
use super::redact::{Redactor, encode_query};

/// Largest body of an answer, if the pattern names none.
const MAX_BODY_BYTES: u64 = 256 << 20;

/// A request that is ready but for its credentials.
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    /// Method, path and query, redacted.
    pub(super) line: String,
    /// Whether it may be sent again after a fault.
    pub(super) is_repeatable: bool,
    pub(super) is_token_request: bool,
    /// Largest body of the answer after decompression.
    pub(super) max_bytes: u64,
    /// What the body of a good answer has to be.
    pub(super) expected: Expected,
    /// The rate that the manifest publishes.
    pub(super) published: Option<Rate>,
}

impl Prepared {
    /// Prepares a plugin's request; `own` is the header that carries credentials. A body without
    /// `content-type` is sent as JSON.
    ///
    /// # Errors
    /// `PluginError` if the request is not declared or contains what only the host may send.
    pub(super) fn data(
        request: &HttpRequest,
        connection: &str,
        origin: &Origin,
        own: Option<&HeaderName>,
        redactor: &Redactor,
    ) -> Result<Self, WireError> {
        let (mut url, pattern) = origin.admit(&request.method, &request.path)?;
        if !request.query.is_empty() {
            url.set_query(Some(&encode_query(&request.query)));
        }
        let line = redactor.line(&request.method, &request.path, &request.query);
        let refuse = |what: String| {
            let message = format!("connection `{connection}`: request `{line}` {what}");
            WireError::new(Reason::PluginError, message)
        };
        let mut headers = header::admit(&request.headers, own).map_err(&refuse)?;
        let method = if request.method == "POST" { Method::POST } else { Method::GET };
        if method == Method::GET && request.body.is_some() {
            return Err(refuse("has a body, which a GET may not have".to_owned()));
        }
        if request.body.is_some() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if !headers.contains_key(ACCEPT)
            && let Ok(wanted) = HeaderValue::from_str(&pattern.content_type)
            && !wanted.is_empty()
        {
            headers.insert(ACCEPT, wanted);
        }
        let body = request.body.as_ref().map(|body| Bytes::from(body.clone()));
        let mut prepared = Self {
            method,
            url,
            headers,
            body,
            line,
            is_repeatable: false,
            is_token_request: false,
            max_bytes: 0,
            expected: Expected::Any,
            published: None,
        };
        prepared.obey(pattern);
        Ok(prepared)
    }

    /// Points the request to another URL of the same origin.
    pub(super) fn redirect(&mut self, url: Url, pattern: &Pattern, redactor: &Redactor) {
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        self.line = redactor.line(self.method.as_str(), url.path(), &query);
        self.url = url;
        self.obey(pattern);
    }

    fn obey(&mut self, pattern: &Pattern) {
        self.is_repeatable = self.method == Method::GET || pattern.safe;
        self.max_bytes = pattern.max_body.unwrap_or(MAX_BODY_BYTES);
        self.expected = Expected::content_type(&pattern.content_type);
        self.published = pattern.rate;
    }
}

//! Decides which headers a plugin may send and which it gets to see.
//! In: names and values from a request or an answer. Out: those that may pass.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers that decide who asks, where a message ends or goes, or that ask for a part of an answer.
const REFUSED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Beginnings of further refused names.
const REFUSED_PREFIXES: &[&str] = &["if-", "proxy-", "sec-", "x-forwarded-"];

/// Returns the headers of a plugin's request; `own` is the header that carries credentials.
///
/// # Errors
/// Text that says which header is refused and why.
pub(super) fn admit(
    headers: &[(String, String)],
    own: Option<&HeaderName>,
) -> Result<HeaderMap, String> {
    let mut admitted = HeaderMap::new();
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        let refused = REFUSED.contains(&lower.as_str())
            || REFUSED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
            || own.is_some_and(|own| own.as_str() == lower);
        if refused {
            return Err(format!("sets header `{lower}`, which only the host may set"));
        }
        let name = HeaderName::from_bytes(lower.as_bytes())
            .map_err(|_| "sets a header whose name is not a header name".to_owned())?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("sets header `{lower}` to a value that no header can have"))?;
        admitted.append(name, value);
    }
    Ok(admitted)
}

/// Returns the headers of an answer that a plugin gets to see.
pub(super) fn pass_on(headers: &HeaderMap) -> Vec<(String, String)> {
    let passes = |name: &str| {
        matches!(name, "content-type" | "date" | "link" | "retry-after") || name.starts_with("x-")
    };
    headers
        .iter()
        .filter(|(name, _)| passes(name.as_str()))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

/// Returns the text of a header, if it is there and is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

//! What EXPLAIN shows of a request that is not sent: what a log would show, and the body.
//! In: a request as a plugin announces it, and values that nobody should see. Out: the same
//! request with these, known secrets and secret-looking parameters masked.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sessionql_plugin_abi::message::HttpRequest;

use super::Client;
use super::redact::{MASK, encode_query, is_secret_name};

/// Values shorter than this are masked only where they stand alone.
const SHORTEST_WITHIN_BYTES: usize = 4;

/// A request as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// The path below the base URL, as it is sent.
    pub path: String,
    /// The query as it is sent, without `?`; empty if there is none.
    pub query: String,
    /// The body, if there is one.
    pub body: Option<String>,
}

impl Preview {
    /// Returns a request as it may be shown. `masked` are values to hide; `client` knows the
    /// connection's secrets.
    pub(crate) fn new(request: &HttpRequest, masked: &[String], client: Option<&Client>) -> Self {
        let redact = |text: String| match client {
            Some(client) => client.redact(&text),
            None => text,
        };
        let shown = |(name, value): &(String, String)| {
            let value = if is_secret_name(name) { MASK.to_owned() } else { mask(value, masked) };
            (name.clone(), value)
        };
        let query: Vec<_> = request.query.iter().map(shown).collect();
        Self {
            method: request.method.clone(),
            path: redact(mask_path(&request.path, masked)),
            query: redact(encode_query(&query)),
            body: request.body.as_deref().map(|body| redact(mask_body(body, masked))),
        }
    }

    /// Returns method, path and query on one line.
    pub fn line(&self) -> String {
        let separator = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{separator}{}", self.method, self.path, self.query)
    }
}

/// Returns a text in which none of the values stands, in the forms in which they are sent.
pub(crate) fn mask(text: &str, masked: &[String]) -> String {
    if masked.iter().any(|value| value == text) {
        return MASK.to_owned();
    }
    let mut text = text.to_owned();
    for value in masked.iter().filter(|value| value.len() >= SHORTEST_WITHIN_BYTES) {
        let forms = [
            value.clone(),
            encode_query(&[(String::new(), value.clone())]).split_off(1),
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        ];
        for form in forms {
            text = text.replace(&form, MASK);
        }
    }
    text
}

fn mask_path(path: &str, masked: &[String]) -> String {
    let shown = |segment: &str| match percent_decode_str(segment).decode_utf8() {
        Ok(plain) if masked.iter().any(|value| *value == plain) => MASK.to_owned(),
        _ => mask(segment, masked),
    };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

/// Masks values in JSON wherever they stand, and in anything else as in plain text.
fn mask_body(body: &str, masked: &[String]) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(body) else {
        return mask(body, masked);
    };
    mask_json(&mut json, masked);
    json.to_string()
}

fn mask_json(json: &mut serde_json::Value, masked: &[String]) {
    match json {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret_name(name) && !value.is_object() {
                    *value = MASK.into();
                }
                mask_json(value, masked);
            }
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| mask_json(item, masked));
        }
        serde_json::Value::String(text) => *text = mask(text, masked),
        serde_json::Value::Number(number) if masked.contains(&number.to_string()) => {
            *json = MASK.into();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(request: &HttpRequest, masked: &[&str]) -> Preview {
        let masked: Vec<String> = masked.iter().map(|value| (*value).to_owned()).collect();
        Preview::new(request, &masked, None)
    }

    #[test]
    fn a_request_is_shown_as_it_is_sent() {
        let request = HttpRequest::get("/a/b").with_query("q", "x y").with_query("api_key", "k");
        assert_eq!(preview(&request, &[]).line(), "GET /a/b?q=x%20y&api_key=***");
    }

    #[test]
    fn values_are_masked_wherever_they_stand() {
        let request = HttpRequest::get("/sessions/se%20cret/7").with_query("filter", "id:se cret");
        let body = r#"{"id":"se cret","n":7,"m":70,"list":["7","x"],"password":"p"}"#;
        let request = HttpRequest { body: Some(body.to_owned()), ..request };
        let shown = preview(&request, &["se cret", "7"]);
        assert_eq!(shown.line(), "GET /sessions/***/***?filter=id:***");
        let masked = r#"{"id":"***","n":"***","m":70,"list":["***","x"],"password":"***"}"#;
        assert_eq!(shown.body.as_deref(), Some(masked));
    }

    #[test]
    fn a_body_that_is_no_json_is_text() {
        let request =
            HttpRequest { body: Some("<id>secret</id>".to_owned()), ..HttpRequest::get("/") };
        assert_eq!(preview(&request, &["secret"]).body.as_deref(), Some("<id>***</id>"));
    }
}

//! What EXPLAIN shows of a request that is not sent: what a log would show, and the body.
//! In: a request as a plugin announces it, and values that nobody should see. Out: the same
//! request with these, known secrets and secret-looking parameters masked.

use percent_encoding::percent_decode_str;
use sessionql_plugin_abi::message::HttpRequest;

use super::Client;
use super::redact::{MASK, encode_query, is_secret_name};
use super::sensitive::Sensitive;

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
    /// Returns a request as it may be shown; `client` knows the connection's secrets.
    pub(crate) fn new(
        request: &HttpRequest,
        sensitive: &Sensitive,
        client: Option<&Client>,
    ) -> Self {
        let redact = |text: String| match client {
            Some(client) => client.redact(&text),
            None => text,
        };
        let shown = |(name, value): &(String, String)| {
            let value = match is_secret_name(name) {
                true => MASK.to_owned(),
                false => sensitive.mask(value),
            };
            (name.clone(), value)
        };
        let query: Vec<_> = request.query.iter().map(shown).collect();
        Self {
            method: request.method.clone(),
            path: redact(mask_path(&request.path, sensitive)),
            query: redact(encode_query(&query)),
            body: request.body.as_deref().map(|body| redact(mask_body(body, sensitive))),
        }
    }

    /// Returns method, path and query on one line.
    pub fn line(&self) -> String {
        let separator = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{separator}{}", self.method, self.path, self.query)
    }
}

fn mask_path(path: &str, sensitive: &Sensitive) -> String {
    let shown = |segment: &str| match percent_decode_str(segment).decode_utf8() {
        Ok(plain) if sensitive.is_value(&plain) => MASK.to_owned(),
        _ => sensitive.mask(segment),
    };
    path.split('/').map(shown).collect::<Vec<_>>().join("/")
}

/// Masks values in JSON wherever they stand, and in anything else as in plain text.
fn mask_body(body: &str, sensitive: &Sensitive) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(body) else {
        return sensitive.mask(body);
    };
    mask_json(&mut json, sensitive);
    json.to_string()
}

fn mask_json(json: &mut serde_json::Value, sensitive: &Sensitive) {
    match json {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret_name(name) && !value.is_object() {
                    *value = MASK.into();
                }
                mask_json(value, sensitive);
            }
        }
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| mask_json(item, sensitive));
        }
        serde_json::Value::String(text) => *text = sensitive.mask(text),
        serde_json::Value::Number(number) if sensitive.is_value(&number.to_string()) => {
            *json = MASK.into();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use sessionql_plugin_abi::message::Table;

    use super::*;

    fn preview(request: &HttpRequest, values: &[&str]) -> Preview {
        let values = values.iter().map(|value| (*value).to_owned());
        Preview::new(request, &Sensitive::new(&Table::default(), [], values), None)
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

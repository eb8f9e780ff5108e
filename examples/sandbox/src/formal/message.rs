//! The messages that the service is sent, as a Connect server reads them from JSON.
//! In: a body. Out: `Listing` or an id, or a `Refusal` in the server's words.
//! As the real one does, it ignores members that it does not know, so a misspelt filter filters nothing.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::switches::Switches;

/// The most rows of a page.
const MOST_ROWS: i64 = 100_000;

/// A request for a page.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) limit: usize,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
    pub(super) cursor: Option<String>,
}

/// An error of the service.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The Connect code.
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Returns the refusal of a message that is wrong.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal { code: "invalid_argument", message: message.into() }
}

/// Reads the body as an object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Err(invalid("zero-length payload is not a valid JSON object"));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(invalid("unmarshal message: proto: syntax error: unexpected token")),
        Err(error) => Err(invalid(format!("unmarshal message: proto: syntax error: {error}"))),
    }
}

/// Returns a text member by its JSON name or its name in the schema; absent, null and empty are one.
pub(super) fn text(
    message: &Map<String, Value>,
    name: &str,
    original: &str,
) -> Result<Option<String>, Refusal> {
    match message.get(name).or_else(|| message.get(original)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => Err(invalid(format!(
            "unmarshal message: proto: invalid value for string field {name}: {other}"
        ))),
    }
}

impl Listing {
    /// Reads a message.
    pub(super) fn read(message: &Map<String, Value>, switches: &Switches) -> Result<Self, Refusal> {
        let limit = match message.get("limit") {
            None | Some(Value::Null) => 0,
            Some(limit) => {
                limit.as_i64().or_else(|| limit.as_str()?.parse().ok()).ok_or_else(|| {
                    invalid(format!(
                        "unmarshal message: proto: invalid value for int32 field limit: {limit}"
                    ))
                })?
            }
        };
        if !(1..=MOST_ROWS).contains(&limit) {
            return Err(invalid(match switches.old_validation_text {
                true => {
                    "validation error:\n - limit: value must be greater than 0 and less than or equal to 100000 [int32.gt_lte]"
                }
                false => {
                    "validation error: limit: must be greater than 0 and less than or equal to 100000"
                }
            }));
        }
        // Their grammar is documented nowhere; whoever sends them relies on a guess.
        for (name, original) in [("query", "query"), ("sortBy", "sort_by")] {
            if text(message, name, original)?.is_some() {
                return Err(invalid(format!("`{name}` is not emulated")));
            }
        }
        let instant = |name, original| {
            let Some(text) = text(message, name, original)? else { return Ok(None) };
            match DateTime::parse_from_rfc3339(&text) {
                Ok(instant) => Ok(Some(instant.to_utc())),
                Err(_) => Err(invalid(format!("{name}: `{text}` is no RFC 3339 instant"))),
            }
        };
        Ok(Self {
            limit: usize::try_from(limit).unwrap_or(1),
            start: instant("startTimestamp", "start_timestamp")?,
            end: instant("endTimestamp", "end_timestamp")?,
            cursor: text(message, "cursor", "cursor")?,
        })
    }

    /// Returns the filters, to which a cursor is bound.
    pub(super) fn binding(&self) -> String {
        format!("{:?} {:?}", self.start, self.end)
    }
}

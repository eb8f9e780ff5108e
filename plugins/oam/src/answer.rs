//! Reads the answer to one search, in whatever form it comes.
//! In: JSON or XML. Out: the sessions, each with its record as JSON, and how many the server counts.
//!
//! The reference promises JSON and shows XML. Mappers between the two print numbers as text, make a
//! list of one element that element, and nothing of an empty list; all of these are read.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use sessionql_plugin_sdk::{Error, Response, Result, Timestamp, xml};

use crate::search::Field;

/// The answer to one search.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What the search was, for messages.
    pub(crate) request: String,
    /// How many sessions the server counts, if it says so.
    pub(crate) total: Option<u64>,
    /// When the server answered, by its header `Date`; whole seconds.
    pub(crate) date: Option<Timestamp>,
    pub(crate) records: Vec<Record>,
}

/// One session and its record.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) session: Session,
    pub(crate) json: String,
}

/// What must be known of a session to tell what it answers.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) created: Option<Timestamp>,
    values: BTreeMap<Field, String>,
}

impl Session {
    /// Returns the text of a field.
    pub(crate) fn get(&self, field: Field) -> Option<&str> {
        self.values.get(&field).map(String::as_str)
    }
}

impl Answer {
    /// Reads the body of a good answer.
    ///
    /// # Errors
    /// `bad_answer` if it is no list of sessions.
    pub(crate) fn read(response: Response<'_>) -> Result<Self> {
        let request = response.request().to_owned();
        let date = response.header("date").and_then(Timestamp::parse_http_date);
        let body = response.text()?;
        let text = body.trim_start_matches('\u{feff}').trim_start();
        // JSON cannot begin like XML, so the first byte tells more than the content type.
        let is_xml = text.starts_with('<');
        let document = if is_xml { of_xml(&request, text)? } else { text.to_owned() };
        let refuse = |what: &str| bad(&request, what);
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(&document)
            .map_err(|error| refuse(&format!("is no JSON object of sessions: {error}")))?;
        if let Some(inner) = fields.get("SessionResults").filter(|_| fields.len() == 1) {
            fields = serde_json::from_str(inner.get())
                .map_err(|_| refuse("has no object `SessionResults`"))?;
        }
        let (total, sessions) = (fields.get("totalRecords"), fields.get("sessions"));
        // XML without sessions may hold nothing at all.
        let is_empty_xml = is_xml && fields.is_empty();
        if total.is_none() && sessions.is_none() && !is_empty_xml {
            return Err(refuse("has neither `totalRecords` nor `sessions`"));
        }
        let total = match total {
            None => None,
            Some(total) => {
                count(total).ok_or_else(|| refuse("has no whole number in `totalRecords`"))?
            }
        };
        let records = sessions.map_or(Some(Vec::new()), |sessions| list(sessions));
        let records = records.ok_or_else(|| refuse("has no list of sessions in `sessions`"))?;
        let records = records.into_iter().enumerate();
        let records = records
            .map(|(position, json)| record(json).map_err(|what| refuse(&what.at(position))))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { request, total, date, records })
    }
}

fn bad(request: &str, what: &str) -> Error {
    Error::bad_answer(format!("the answer to `{request}` {what}"))
}

/// Returns the JSON that an XML document would have been.
fn of_xml(request: &str, text: &str) -> Result<String> {
    let root = xml::read(text).map_err(|error| bad(request, &format!("has {error}")))?;
    if !root.name.eq_ignore_ascii_case("SessionResults") {
        return Err(bad(request, "is XML without `SessionResults`"));
    }
    match root.value {
        Value::Null => Ok("{}".to_owned()),
        Value::String(blank) if blank.trim().is_empty() => Ok("{}".to_owned()),
        value => Ok(value.to_string()),
    }
}

/// Returns a number that may be written as text; `None` inside if it is left empty.
fn count(json: &RawValue) -> Option<Option<u64>> {
    match serde_json::from_str(json.get()).ok()? {
        Value::Null => Some(None),
        Value::Number(number) => Some(Some(number.as_u64()?)),
        Value::String(text) if text.trim().is_empty() => Some(None),
        Value::String(text) => text.trim().parse().ok().map(Some),
        _ => None,
    }
}

/// Returns the records under `sessions`: a list, or what a mapper made of `{"sessionData": […]}`.
fn list(json: &RawValue) -> Option<Vec<&RawValue>> {
    let text = json.get();
    match text.as_bytes().first()? {
        b'[' => serde_json::from_str(text).ok(),
        b'{' => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            match fields.get("sessionData") {
                Some(inner) if inner.get().starts_with('[') => {
                    serde_json::from_str(inner.get()).ok()
                }
                Some(inner) if is_nothing(inner.get()) => Some(Vec::new()),
                Some(inner) => Some(vec![*inner]),
                None if fields.is_empty() => Some(Vec::new()),
                None => fields.contains_key(Field::SessionId.name()).then(|| vec![json]),
            }
        }
        _ => is_nothing(text).then(Vec::new),
    }
}

/// Tells whether an empty list was written as null or as text of nothing but blanks.
fn is_nothing(json: &str) -> bool {
    match serde_json::from_str(json) {
        Ok(Value::Null) => true,
        Ok(Value::String(text)) => text.trim().is_empty(),
        _ => false,
    }
}

/// What is wrong in a record, and in which field.
struct Wrong {
    found: &'static str,
    field: &'static str,
    due: &'static str,
}

impl Wrong {
    fn at(&self, position: usize) -> String {
        let Self { found, field, due } = self;
        let dot = if field.is_empty() { "" } else { "." };
        format!("has {found} at `sessions[{position}]{dot}{field}`, where {due} is due")
    }
}

fn record(json: &RawValue) -> Result<Record, Wrong> {
    let fields: BTreeMap<String, Value> = serde_json::from_str(json.get()).map_err(|_| Wrong {
        found: "something else",
        field: "",
        due: "an object",
    })?;
    let mut values = BTreeMap::new();
    for field in Field::ALL {
        let found = fields.get(field.name()).unwrap_or(&Value::Null);
        if let Some(text) = text(field, found)? {
            values.insert(field, text);
        }
    }
    let required = |field: Field| {
        let due = "text";
        values.get(&field).cloned().ok_or(Wrong { found: "nothing", field: field.name(), due })
    };
    let (id, _) = (required(Field::SessionId)?, required(Field::UserId)?);
    let created = fields.get("createTime").and_then(Value::as_str).and_then(Timestamp::parse);
    Ok(Record { session: Session { id, created, values }, json: json.get().to_owned() })
}

/// Returns the text of a field, as its column shows it.
fn text(field: Field, found: &Value) -> Result<Option<String>, Wrong> {
    let is_flag = field == Field::IsImpersonating;
    let wrong = |found| {
        let due = if is_flag { "true or false" } else { "text" };
        Err(Wrong { found, field: field.name(), due })
    };
    match found {
        Value::Null => Ok(None),
        Value::Bool(flag) if is_flag => Ok(Some(flag.to_string())),
        Value::String(text) if is_flag => match text.trim() {
            flag @ ("true" | "false") => Ok(Some(flag.to_owned())),
            _ => wrong("text"),
        },
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) if !is_flag => Ok(Some(number.to_string())),
        Value::Number(_) => wrong("a number"),
        Value::Bool(_) => wrong("true or false"),
        Value::Array(_) => wrong("a list"),
        Value::Object(_) => wrong("an object"),
    }
}

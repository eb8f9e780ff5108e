//! What a page says beside its records: cursors, totals, links.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What a page says beside its records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// How many records it held.
    pub n_records: usize,
    /// Whether the list of records was there at all; see
    /// [`Rows::decode_sparse`](crate::Rows::decode_sparse).
    pub has_list: bool,
    /// Its other fields, where they are in the answer.
    pub fields: Map<String, Value>,
    pub(crate) request: String,
    /// What tells the first record from others, however few of its values are columns.
    pub(crate) first_record: Option<u64>,
}

impl Page {
    /// Returns the text of a field, such as a cursor, by its keys joined by dots; `None` if it, or
    /// an object on the way to it, is missing, null or empty.
    ///
    /// # Errors
    /// `bad_answer` if it is something else.
    pub fn text(&self, path: &str) -> Result<Option<&str>> {
        match self.value(path, "text")? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            _ => Err(self.lacks("text", path)),
        }
    }

    /// Returns the whole number of a field, such as a total, which may be written as text; `None` if
    /// it is missing or null.
    ///
    /// # Errors
    /// `bad_answer` if it is something else, or negative.
    pub fn count(&self, path: &str) -> Result<Option<u64>> {
        let what = "whole number";
        let count = match self.value(path, what)? {
            Value::Null => return Ok(None),
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        count.map(Some).ok_or_else(|| self.lacks(what, path))
    }

    /// Returns whether a field says `true`; `None` if it is missing or null.
    ///
    /// # Errors
    /// `bad_answer` if it is something else.
    pub fn flag(&self, path: &str) -> Result<Option<bool>> {
        match self.value(path, "true or false")? {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(*flag)),
            _ => Err(self.lacks("true or false", path)),
        }
    }

    /// Returns the value of a field; null if it is missing.
    pub(crate) fn value(&self, path: &str, what: &str) -> Result<&Value> {
        let (outer, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut members = &self.fields;
        for key in outer.split('.').filter(|key| !key.is_empty()) {
            members = match members.get(key) {
                None | Some(Value::Null) => return Ok(&Value::Null),
                Some(Value::Object(members)) => members,
                Some(_) => return Err(self.lacks(what, path)),
            };
        }
        Ok(members.get(name).unwrap_or(&Value::Null))
    }

    /// Returns the page if it had a list of records.
    pub(super) fn with_list(self, records: &str) -> Result<Self> {
        if self.has_list { Ok(self) } else { Err(no_list(&self.request, records)) }
    }

    /// Returns the error that a field is not what it should be.
    pub(crate) fn lacks(&self, what: &str, path: &str) -> Error {
        self.error(&format!("has no {what} in `{path}`"))
    }

    /// Returns an error about this page.
    pub(crate) fn error(&self, what: &str) -> Error {
        Error::bad_answer(format!("the answer to `{}` {what}", self.request))
    }
}

pub(super) fn no_list(request: &str, records: &str) -> Error {
    Error::bad_answer(format!("the answer to `{request}` has no list `{records}`"))
}

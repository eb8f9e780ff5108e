//! Compares rows with those that were expected.
//! In: a result as it is printed in JSON, and lines of JSON. Out: what is missing and what is there
//! that should not be. Columns that the expected rows do not name are not compared; times and
//! durations are equal however they are written.

use std::collections::HashMap;

use chrono_tz::Tz;
use serde_json::{Map, Value};
use sessionql_core::error::{did_you_mean, nearest};
use sessionql_core::{duration, instant};
use sessionql_grammar::Span;

/// A result.
#[derive(Debug)]
pub(super) struct Found {
    columns: Vec<Column>,
    rows: Vec<Value>,
    /// Whether the query says in which order they come.
    is_ordered: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    type_word: String,
}

/// What is not as it should be.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Rows that were expected and are not there, as they were written.
    pub(super) missing: Vec<Value>,
    /// Rows that are there and were not expected.
    pub(super) unexpected: Vec<Value>,
    /// Whether the rows are right, but in another order.
    pub(super) is_out_of_order: bool,
    /// The rows in the order in which they came, if that is what is wrong.
    pub(super) found: Vec<Value>,
}

/// What is wrong with the expected rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExpectedFault {
    /// What is wrong.
    pub(super) message: String,
    /// Where in their text.
    pub(super) span: Option<Span>,
    /// What to do.
    pub(super) hint: Option<String>,
}

/// An expected row, and where it stands.
type ExpectedRow = (Span, Map<String, Value>);

impl Found {
    /// Takes the columns and rows of an envelope.
    pub(super) fn read(envelope: &Value, is_ordered: bool) -> Self {
        let items = |key: &str| envelope[key].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let columns = items("columns")
            .into_iter()
            .map(|column| Column { name: text(&column["name"]), type_word: text(&column["type"]) });
        Self { columns: columns.collect(), rows: items("rows"), is_ordered }
    }
}

/// Returns how a result differs from the expected rows, if it does.
///
/// # Errors
/// What is wrong with the expected rows.
pub(super) fn compare(
    found: &Found,
    expected: &str,
    zone: Tz,
) -> Result<Option<Difference>, ExpectedFault> {
    let expected = read_expected(found, expected)?;
    // All of them name the same columns.
    let named: Vec<&Column> = match expected.first() {
        None => Vec::new(),
        Some((_, first)) => {
            found.columns.iter().filter(|column| first.contains_key(&column.name)).collect()
        }
    };
    let mut wanted = Vec::new();
    for (span, row) in &expected {
        let key = key(&named, row, zone).map_err(|message| ExpectedFault {
            message,
            span: Some(*span),
            hint: None,
        })?;
        wanted.push(key);
    }
    let empty = Map::new();
    let keys: Vec<String> = found
        .rows
        .iter()
        // What the program printed itself is of its type.
        .map(|row| key(&named, row.as_object().unwrap_or(&empty), zone).unwrap_or_default())
        .collect();
    if wanted == keys {
        return Ok(None);
    }
    let mut difference = Difference::default();
    let mut left: HashMap<&str, usize> = HashMap::new();
    keys.iter().for_each(|key| *left.entry(key).or_default() += 1);
    for (key, (_, row)) in wanted.iter().zip(&expected) {
        match left.get_mut(key.as_str()) {
            Some(n) if *n > 0 => *n -= 1,
            _ => difference.missing.push(Value::Object(row.clone())),
        }
    }
    // Of rows that are alike the last ones are too many.
    for (key, row) in keys.iter().zip(&found.rows).rev() {
        if let Some(n) = left.get_mut(key.as_str())
            && *n > 0
        {
            *n -= 1;
            difference.unexpected.push(row.clone());
        }
    }
    difference.unexpected.reverse();
    if difference.missing.is_empty() && difference.unexpected.is_empty() {
        if !found.is_ordered {
            return Ok(None);
        }
        difference.is_out_of_order = true;
        difference.found.clone_from(&found.rows);
    }
    Ok(Some(difference))
}

/// Reads the expected rows, each with its place.
fn read_expected(found: &Found, text: &str) -> Result<Vec<ExpectedRow>, ExpectedFault> {
    let mut rows: Vec<ExpectedRow> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let span = Span::new(start, start + line.len());
        let fault = |message: String| ExpectedFault { message, span: Some(span), hint: None };
        let row: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            fault(format!("not a JSON object: {message}"))
        })?;
        if row.is_empty() {
            return Err(fault("an expected row names no column".to_owned()));
        }
        let is_column = |name: &&String| found.columns.iter().any(|column| column.name == **name);
        if let Some(unknown) = row.keys().find(|name| !is_column(name)) {
            let names = found.columns.iter().map(|column| column.name.as_str());
            let hint = did_you_mean(&nearest(unknown, names));
            return Err(ExpectedFault {
                hint,
                ..fault(format!("the result has no column `{unknown}`"))
            });
        }
        if let Some((_, first)) = rows.first()
            && (first.len() != row.len() || row.keys().any(|name| !first.contains_key(name)))
        {
            return Err(fault("this row names other columns than the first one".to_owned()));
        }
        rows.push((span, row));
    }
    Ok(rows)
}

/// Returns a text that is the same for rows that are equal in the named columns.
fn key(named: &[&Column], row: &Map<String, Value>, zone: Tz) -> Result<String, String> {
    let mut key = String::new();
    for column in named {
        let value = row.get(&column.name).unwrap_or(&Value::Null);
        key.push_str(&canonical(column, value, zone)?);
        key.push('\n');
    }
    Ok(key)
}

/// Returns a value in the one way in which its type is written here.
fn canonical(column: &Column, value: &Value, zone: Tz) -> Result<String, String> {
    let no = |what: &str| Err(format!("column `{}`: {value} is no {what}", column.name));
    match (column.type_word.as_str(), value) {
        (_, Value::Null) => Ok("null".to_owned()),
        ("timestamp", Value::String(text)) => match instant::parse(text, zone) {
            Some(instant) => Ok(instant.timestamp_micros().to_string()),
            None => no("date or time"),
        },
        ("duration", Value::String(text)) => {
            let plain = || duration::parse(text).and_then(|d| i64::try_from(d.as_micros()).ok());
            match duration::parse_iso8601(text).or_else(plain) {
                Some(micros) => Ok(micros.to_string()),
                None => no("duration"),
            }
        }
        ("timestamp", _) => no("date or time"),
        ("duration", _) => no("duration"),
        ("float64", Value::Number(number)) => Ok(format!("{:?}", number.as_f64())),
        ("int64", Value::Number(number)) if number.is_f64() => no("whole number"),
        ("int64", Value::Number(_)) | ("bool", Value::Bool(_)) => Ok(value.to_string()),
        ("float64" | "int64", _) => no("number"),
        ("bool", _) => no("`true` or `false`"),
        ("text", Value::String(_)) => Ok(value.to_string()),
        ("text", _) => no("text"),
        _ => Ok(value.to_string()),
    }
}

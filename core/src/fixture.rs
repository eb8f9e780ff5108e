//! Rows in place of a provider's answers, so that a query can be tested without the provider.
//! In: JSON objects, one a line, and the columns that a plugin declares. Out: the columns of one
//! table, or what is wrong with the rows and where. Everything above the scan is as it is elsewhere:
//! windows, filters, joins, `sessions`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use chrono_tz::Tz;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sessionql_grammar::Span;
use sessionql_plugin_abi::message::{Column, ColumnType, Request, Table};
use sessionql_plugin_abi::{Reason, WireError};

use crate::columns::{COMMON_COLUMNS, schema_of};
use crate::error::{did_you_mean, nearest};
use crate::local::cell::{Cell, Value};
use crate::local::jsonl::read_cell;
use crate::local::rows::Builder;

/// The rows of one connection, by table.
#[derive(Debug, Default)]
pub(crate) struct Fixture {
    tables: Mutex<BTreeMap<String, GivenRows>>,
}

/// What is wrong with rows that are given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RowFault {
    /// What is wrong.
    pub message: String,
    /// Where in the rows; nothing if it is not in them.
    pub span: Option<Span>,
    /// What to do.
    pub hint: Option<String>,
}

impl RowFault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, hint: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn at(self, span: Span) -> Self {
        Self { span: Some(span), ..self }
    }
}

/// The rows of one table. A column that is never NULL and that a row leaves out is not there.
#[derive(Debug, Default)]
struct GivenRows {
    n_rows: usize,
    columns: HashMap<String, ArrayRef>,
}

impl Fixture {
    /// Replaces the rows of a table.
    pub(crate) fn give(&self, table: &Table, rows: &str, zone: Tz) -> Result<(), RowFault> {
        let rows = read(table, rows, zone)?;
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert(table.name.clone(), rows);
        Ok(())
    }

    /// Returns the columns that a request asks for; a table that got no rows has none.
    pub(crate) fn rows(
        &self,
        request: &Request,
        tables: &[Table],
    ) -> Result<RecordBatch, WireError> {
        let table = tables.iter().find(|table| table.name == request.table);
        let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
        let find = |name: &String| columns.iter().find(|column| column.name == *name);
        let wanted: Vec<&Column> = request.columns.iter().filter_map(find).collect();
        let given = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let (n_rows, arrays) = match given.get(&request.table) {
            None => {
                let empty = wanted.iter().map(|column| Builder::new(column.column_type).finish());
                (0, empty.collect())
            }
            Some(rows) => {
                let array = |column: &&Column| rows.columns.get(&column.name).cloned();
                let arrays: Option<Vec<ArrayRef>> = wanted.iter().map(array).collect();
                let lacking =
                    || wanted.iter().find(|column| !rows.columns.contains_key(&column.name));
                let arrays = arrays.ok_or_else(|| {
                    let column = lacking().map_or("", |column| column.name.as_str());
                    let message = format!(
                        "the query reads column `{column}`, which is never NULL, and a row that \
                         is given leaves it out"
                    );
                    WireError::new(Reason::Config, message)
                })?;
                (rows.n_rows, arrays)
            }
        };
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        RecordBatch::try_new_with_options(schema_of(wanted), arrays, &options)
            .map_err(|error| WireError::new(Reason::Other, format!("internal error: {error}")))
    }
}

/// Reads the rows of a table.
fn read(table: &Table, text: &str, zone: Tz) -> Result<GivenRows, RowFault> {
    let mut builders: Vec<Builder> =
        table.columns.iter().map(|column| Builder::new(column.column_type)).collect();
    let mut is_lacking = vec![false; table.columns.len()];
    let mut keys: HashMap<String, usize> = HashMap::new();
    let mut n_rows = 0;
    let mut at = 0;
    for (line_idx, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let row = Row::read(table, line, start)?;
        row.check_key(table, line_idx + 1, &mut keys)?;
        for (column_idx, (column, builder)) in table.columns.iter().zip(&mut builders).enumerate() {
            let value = row.value(column, zone)?;
            is_lacking[column_idx] |= !column.nullable && value == Value::Null;
            builder.push(value);
        }
        n_rows += 1;
    }
    let columns = table.columns.iter().zip(builders).zip(is_lacking);
    let columns = columns
        .filter(|(_, is_lacking)| !is_lacking)
        .map(|((column, builder), _)| (column.name.clone(), builder.finish()))
        .collect();
    Ok(GivenRows { n_rows, columns })
}

/// One row as it is written.
struct Row {
    span: Span,
    cells: Vec<(String, Cell, Span)>,
}

impl Row {
    /// Reads the line that begins at `start`.
    fn read(table: &Table, line: &str, start: usize) -> Result<Self, RowFault> {
        let trimmed = line.trim();
        let text_start = start + (line.len() - line.trim_start().len());
        let span = Span::new(text_start, text_start + trimmed.len());
        let not_json = |error: &serde_json::Error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let column = trimmed.floor_char_boundary(error.column().saturating_sub(1));
            let offset = text_start + column;
            RowFault::new(format!("not a JSON object: {message}")).at(Span::new(offset, offset))
        };
        let Entries(entries) = serde_json::from_str(trimmed).map_err(|error| not_json(&error))?;
        let mut cells: Vec<(String, Cell, Span)> = Vec::new();
        for (name, raw) in entries {
            // The value is a part of the line, so where it stands can be told from its address.
            let offset = raw.get().as_ptr().addr() - trimmed.as_ptr().addr();
            let value_span = Span::new(text_start + offset, text_start + offset + raw.get().len());
            let at_key = |fault: RowFault| fault.at(key_span(trimmed, offset, text_start));
            if !table.columns.iter().any(|column| column.name == name) {
                return Err(at_key(no_column(table, &name)));
            }
            if cells.iter().any(|(known, ..)| *known == name) {
                return Err(at_key(RowFault::new(format!("the column `{name}` comes twice"))));
            }
            let cell = read_cell(raw.get()).map_err(|error| not_json(&error))?;
            cells.push((name.into_owned(), cell, value_span));
        }
        Ok(Self { span, cells })
    }

    /// Refuses a second row of one key: no provider has two, so one would be lost.
    fn check_key(
        &self,
        table: &Table,
        line: usize,
        known: &mut HashMap<String, usize>,
    ) -> Result<(), RowFault> {
        if table.primary_key.is_empty() {
            return Ok(());
        }
        let mut key = Vec::new();
        for name in &table.primary_key {
            let cell = self.cells.iter().find(|(column, ..)| column == name);
            let must_be =
                table.columns.iter().any(|column| column.name == *name && !column.nullable);
            if must_be && cell.is_none() {
                return Err(RowFault::new(format!("the row has no `{name}`")).at(self.span));
            }
            key.push(format!("{:?}", cell.map(|(_, cell, _)| cell)));
        }
        if let Some(first) = known.insert(key.join(","), line) {
            let names = table.primary_key.join("`, `");
            let message = format!("row {first} has the same `{names}`");
            return Err(RowFault::new(message).at(self.span));
        }
        Ok(())
    }

    /// Returns the row's value of a column.
    fn value(&self, column: &Column, zone: Tz) -> Result<Value<'_>, RowFault> {
        let Some((name, cell, span)) = self.cells.iter().find(|(name, ..)| *name == column.name)
        else {
            return Ok(Value::Null);
        };
        let fault =
            |message: String| RowFault::new(format!("column `{name}`: {message}")).at(*span);
        let is_fit = match (cell, column.column_type) {
            (Cell::Null, _) if !column.nullable => {
                return Err(fault("it is never NULL".to_owned()));
            }
            (Cell::Null, _) | (_, ColumnType::Json) => true,
            (Cell::Text(_), kind) => {
                matches!(kind, ColumnType::Text | ColumnType::Timestamp | ColumnType::Duration)
            }
            (Cell::Number(_), kind) => matches!(kind, ColumnType::Int64 | ColumnType::Float64),
            (Cell::Bool(_), kind) => kind == ColumnType::Bool,
            (Cell::List(_), kind) => kind == ColumnType::TextList,
            (Cell::Field(_) | Cell::Json(_), _) => false,
        };
        if !is_fit {
            return Err(fault(format!("this is no {}", word(column.column_type))));
        }
        let value = cell.value(column.column_type, zone).map_err(fault)?;
        if let Value::Text(text) = &value
            && !column.values.is_empty()
            && !column.values.iter().any(|known| known == text)
        {
            let known = column.values.join("`, `");
            return Err(fault(format!("`{text}` is no value of it"))
                .with_hint(format!("its values are `{known}`")));
        }
        Ok(value)
    }
}

/// Returns the fault of a name that is no column whose values come from the provider.
fn no_column(table: &Table, name: &str) -> RowFault {
    let is_common = COMMON_COLUMNS.iter().any(|(common, _)| *common == name);
    if table.is_main && is_common && matches!(name, "duration" | "provider" | "connection") {
        return RowFault::new(format!("column `{name}` is made by the engine, and not given"));
    }
    let names = table.columns.iter().map(|column| column.name.as_str());
    let fault = RowFault::new(format!("table `{}` has no column `{name}`", table.name));
    RowFault { hint: did_you_mean(&nearest(name, names)), ..fault }
}

/// Returns where the key of the value at `value_at` of a line stands.
fn key_span(line: &str, value_at: usize, text_start: usize) -> Span {
    let before = line.get(..value_at).unwrap_or_default().trim_end();
    let before = before.strip_suffix(':').unwrap_or(before).trim_end();
    let inner = before.strip_suffix('"').unwrap_or(before);
    let begin = inner.rfind('"').unwrap_or_default();
    Span::new(text_start + begin, text_start + before.len())
}

/// Returns the type's name as results have it.
fn word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Text => "text",
        ColumnType::Timestamp => "date or time",
        ColumnType::Duration => "duration",
        ColumnType::Int64 => "whole number",
        ColumnType::Float64 => "number",
        ColumnType::Bool => "`true` or `false`",
        ColumnType::TextList => "list of text",
        ColumnType::Json => "JSON",
    }
}

/// The entries of an object in their order, repeated ones too.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;

        impl<'de> Visitor<'de> for OfObject {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(OfObject).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let column = |name: &str, column_type, nullable| Column {
            name: name.to_owned(),
            column_type,
            nullable,
            ..Column::default()
        };
        let mut status = column("status", ColumnType::Text, true);
        status.values = vec!["ACTIVE".to_owned(), "FAILED".to_owned()];
        Table {
            name: "sessions".to_owned(),
            is_main: true,
            columns: vec![
                column("id", ColumnType::Text, false),
                column("start", ColumnType::Timestamp, true),
                column("bytes", ColumnType::Int64, true),
                status,
            ],
            primary_key: vec!["id".to_owned()],
            ..Table::default()
        }
    }

    fn rows(text: &str) -> Result<RecordBatch, RowFault> {
        let (fixture, table) = (Fixture::default(), table());
        fixture.give(&table, text, chrono_tz::UTC)?;
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        let request = Request { table: "sessions".to_owned(), columns, ..Request::default() };
        Ok(fixture.rows(&request, &[table]).unwrap())
    }

    #[test]
    fn rows_have_the_types_of_their_columns() {
        let rows = rows(
            "\n{\"id\": \"a\", \"start\": \"2026-03-01 10:00\"}\n\n{\"bytes\": 7, \"id\": \"b\"}\n",
        )
        .unwrap();
        assert_eq!(rows.num_rows(), 2);
        assert_eq!(rows.schema().field(1).data_type(), &crate::columns::timestamp_type());
        assert_eq!(rows.column(2).null_count(), 1);
    }

    #[test]
    fn what_is_wrong_with_rows_has_its_place() {
        for (text, message, place) in [
            ("{\"id\":\"a\"} x", "not a JSON object: trailing characters", ""),
            ("[1]", "not a JSON object: invalid type: sequence, expected an object", ""),
            ("{\"id\":\"a\",\"usr\":1}", "table `sessions` has no column `usr`", "\"usr\""),
            (
                "{\"id\":\"a\",\"duration\":\"1h\"}",
                "column `duration` is made by the engine, and not given",
                "\"duration\"",
            ),
            ("{\"id\":1}", "column `id`: this is no text", "1"),
            ("{\"id\": null}", "column `id`: it is never NULL", "null"),
            ("  {\"bytes\": 1}", "the row has no `id`", "{\"bytes\": 1}"),
            (
                "{\"id\":\"a\",\"start\":\"soon\"}",
                "column `start`: `soon` is no date or time",
                "\"soon\"",
            ),
            ("{\"id\":\"a\",\"bytes\":1.5}", "column `bytes`: `1.5` is no int64", "1.5"),
            (
                "{\"id\":\"a\",\"status\":\"active\"}",
                "column `status`: `active` is no value of it",
                "\"active\"",
            ),
            ("{\"id\":\"a\",\"id\":\"b\"}", "the column `id` comes twice", "\"id\""),
            ("{\"id\":\"a\"}\n{\"id\":\"a\"}", "row 1 has the same `id`", "{\"id\":\"a\"}"),
        ] {
            let fault = rows(text).unwrap_err();
            let span = fault.span.unwrap();
            assert_eq!((fault.message.as_str(), span.of(text)), (message, place), "{text}");
        }
    }

    #[test]
    fn a_table_without_rows_is_empty() {
        let request = Request {
            table: "sessions".to_owned(),
            columns: vec!["id".into()],
            ..Request::default()
        };
        let rows = Fixture::default().rows(&request, &[table()]).unwrap();
        assert_eq!((rows.num_rows(), rows.num_columns()), (0, 1));
    }
}

//! Reads JSON records into rows: straight from the bytes of an answer into Arrow arrays.
//! In: answers and where in them the records are. Out: batches, emitted at the end of every page.
//!
//! Only requested fields are looked at. Unknown fields are ignored and counted. A missing or null
//! field is NULL, or an error if the column is required. A wrong type is an error that names the
//! request, the record and the JSON path; numbers written as text and ids written as numbers are
//! taken. All but the record that is being read is either in a batch or not in memory.

mod cell;
mod closed_end;
mod shape;
mod sink;
mod visit;

use std::io::BufReader;

use serde::de::DeserializeSeed as _;
use serde_json::{Map, Value};
use sessionql_plugin_abi::ffi::Level;
use sessionql_plugin_abi::message::Report;
use sessionql_plugin_abi::{Reason, WireError};

use self::cell::Cell;
use self::closed_end::EndRule;
use self::shape::Node;
use self::sink::Sink;
use self::visit::Envelope;
use crate::error::{Error, Result};
use crate::host::{Host, Response};
use crate::table::{Column, Table};

/// Bodies up to this size are parsed from one piece of memory, larger ones as a stream.
const WHOLE_BODY_BYTES: u64 = 8 << 20;

/// The rows of one scan.
#[derive(Debug)]
pub struct Rows<'host> {
    host: &'host Host<'host>,
    node: Node,
    sink: Sink<'host>,
}

/// What a page says beside its records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// How many records it held.
    pub n_records: usize,
    /// Whether the list of records was there at all; see [`Rows::decode_sparse`].
    pub has_list: bool,
    /// Its other fields.
    pub fields: Map<String, Value>,
    request: String,
}

impl Page {
    /// Returns the text of a field, such as a cursor, by its keys joined by dots; `None` if it, or
    /// an object on the way to it, is missing, null or empty.
    ///
    /// # Errors
    /// `bad_answer` if it is something else.
    pub fn text(&self, path: &str) -> Result<Option<&str>> {
        let (outer, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut members = &self.fields;
        for key in outer.split('.').filter(|key| !key.is_empty()) {
            members = match members.get(key) {
                None | Some(Value::Null) => return Ok(None),
                Some(Value::Object(members)) => members,
                Some(_) => return Err(self.no_text(path)),
            };
        }
        match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.no_text(path)),
        }
    }

    /// Returns the page if it had a list of records.
    fn with_list(self, records: &str) -> Result<Self> {
        if self.has_list { Ok(self) } else { Err(no_list(&self.request, records)) }
    }

    fn no_text(&self, path: &str) -> Error {
        Error::bad_answer(format!("the answer to `{}` has no text in `{path}`", self.request))
    }
}

impl<'host> Rows<'host> {
    pub(crate) fn new(table: &Table, host: &'host Host<'host>, columns: &[String]) -> Result<Self> {
        let mut used = Vec::with_capacity(columns.len());
        for name in columns {
            used.push(column(table, name)?);
        }
        let rule = match &table.closed_end {
            Some(rule) if columns.iter().any(|name| name == rule.end) => {
                Some(EndRule::new(rule, |name| position(table, &mut used, name))?)
            }
            _ => None,
        };
        let mut node = Node::default();
        let is_read = |column: &&Column| column.constant.is_none() && !column.is_absent;
        for declared in table.columns.iter().filter(is_read) {
            node.declare(&declared.path);
        }
        for (cell, column) in used.iter().enumerate().filter(|(_, column)| is_read(column)) {
            node.feed(&column.path, cell);
        }
        let cells = used.into_iter().map(Cell::new).collect();
        Ok(Self { host, node, sink: Sink::new(host, cells, columns.len(), rule) })
    }

    /// Reads the records of an answer and emits them.
    ///
    /// `records` is the path of their list, keys joined by dots; empty if the answer is the list.
    ///
    /// # Errors
    /// A status other than 2xx; `bad_answer`; that the host wants no more rows.
    pub fn decode(&mut self, response: Response<'_>, records: &str) -> Result<Page> {
        self.decode_sparse(response, records)?.with_list(records)
    }

    /// Reads the records of an answer that may lack their list, as protobuf's JSON leaves out what
    /// is empty. [`Page::has_list`] tells; a plugin then has to make sure that the answer is what
    /// it should be, for any other JSON object has no such list either.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), but for a list that is missing.
    pub fn decode_sparse(&mut self, response: Response<'_>, records: &str) -> Result<Page> {
        let response = response.success()?;
        let request = response.request().to_owned();
        if response.body_len() <= WHOLE_BODY_BYTES {
            return self.decode_sparse_text(&request, &response.text()?, records);
        }
        let mut reader = response.reader();
        let mut json = serde_json::Deserializer::from_reader(BufReader::new(&mut reader));
        let parsed = self.walk(&mut json, records).and_then(|page| json.end().map(|()| page));
        match reader.failure() {
            Some(failure) => Err(failure),
            None => self.finish_page(&request, records, parsed),
        }
    }

    /// Reads the records of a JSON text and emits them; `request` is how errors name its source.
    ///
    /// # Errors
    /// `bad_answer`; that the host wants no more rows.
    pub fn decode_text(&mut self, request: &str, text: &str, records: &str) -> Result<Page> {
        self.decode_sparse_text(request, text, records)?.with_list(records)
    }

    /// Reads the records of a JSON text that may lack their list; see
    /// [`decode_sparse`](Self::decode_sparse).
    ///
    /// # Errors
    /// `bad_answer`; that the host wants no more rows.
    pub fn decode_sparse_text(&mut self, request: &str, text: &str, records: &str) -> Result<Page> {
        let mut json = serde_json::Deserializer::from_str(text);
        let parsed = self.walk(&mut json, records).and_then(|page| json.end().map(|()| page));
        self.finish_page(request, records, parsed)
    }

    /// Reads the records of a document that was already parsed, maybe from another format.
    ///
    /// # Errors
    /// `bad_answer`; that the host wants no more rows.
    pub fn decode_value(&mut self, request: &str, document: Value, records: &str) -> Result<Page> {
        let parsed = self.walk(document, records);
        self.finish_page(request, records, parsed)?.with_list(records)
    }

    /// Returns the report of a scan that went well, with notes on what was read differently and the
    /// gap of what could not be read right.
    ///
    /// # Errors
    /// [`Error::Cancelled`], which the host may say at any time.
    pub fn report(self) -> Result<Report> {
        if let Some(line) = self.sink.unknown_fields() {
            self.host.log(Level::Debug, &line)?;
        }
        let (notes, gaps) = (self.sink.notes(), self.sink.gaps());
        Ok(Report { notes, gaps, ..Report::default() })
    }

    fn walk<'de, D>(&mut self, json: D, records: &str) -> serde_json::Result<Page>
    where
        D: serde::Deserializer<'de, Error = serde_json::Error>,
    {
        self.sink.begin_page();
        let keys: Vec<&str> = records.split('.').filter(|key| !key.is_empty()).collect();
        let mut page = Page::default();
        let envelope = Envelope {
            keys: &keys,
            node: &self.node,
            sink: &mut self.sink,
            fields: &mut page.fields,
        };
        envelope.deserialize(json)?;
        Ok(page)
    }

    /// Emits what is left of a page, or says what was wrong with it.
    fn finish_page(
        &mut self,
        request: &str,
        records: &str,
        parsed: serde_json::Result<Page>,
    ) -> Result<Page> {
        match parsed {
            Ok(page) => {
                self.sink.flush()?;
                let (n_records, has_list) = (self.sink.n_records(), self.sink.has_list());
                Ok(Page { n_records, has_list, request: request.to_owned(), ..page })
            }
            Err(error) => Err(self.failure(request, records, &error)),
        }
    }

    fn failure(&mut self, request: &str, records: &str, error: &serde_json::Error) -> Error {
        if let Some(interrupt) = self.sink.interrupt.take() {
            return interrupt;
        }
        let Some(problem) = self.sink.problem.take() else {
            return match error.is_data() {
                true => no_list(request, records),
                false => {
                    Error::bad_answer(format!("the answer to `{request}` is no JSON: {error}"))
                }
            };
        };
        let dot = if problem.path.is_empty() { "" } else { "." };
        let path = format!("{records}[{}]{dot}{}", self.sink.n_records(), problem.path);
        let message = format!(
            "the answer to `{request}` has {} at `{path}`, where {} is due",
            problem.found, problem.expected
        );
        WireError { column: problem.column, ..WireError::new(Reason::BadAnswer, message) }.into()
    }
}

fn no_list(request: &str, records: &str) -> Error {
    Error::bad_answer(format!("the answer to `{request}` has no list `{records}`"))
}

/// Returns a column by its name.
fn column<'a>(table: &'a Table, name: &str) -> Result<&'a Column> {
    table
        .columns
        .iter()
        .find(|column| column.wire.name == name)
        .ok_or_else(|| Error::plugin(format!("table `{}` has no column `{name}`", table.wire.name)))
}

/// Returns where a column is among the used ones, which it is added to if need be.
fn position<'a>(table: &'a Table, used: &mut Vec<&'a Column>, name: &str) -> Result<usize> {
    if let Some(position) = used.iter().position(|column| column.wire.name == name) {
        return Ok(position);
    }
    used.push(column(table, name)?);
    Ok(used.len() - 1)
}

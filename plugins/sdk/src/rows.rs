//! Reads JSON records into rows: straight from the bytes of an answer into Arrow arrays.
//! In: answers and where in them the records are. Out: batches, emitted at the end of every page.
//!
//! Only requested fields are looked at. Unknown fields are ignored and counted. A missing or null
//! field is NULL, or an error if the column is required. A wrong type is an error that names the
//! request, the record and the JSON path; numbers written as text and ids written as numbers are
//! taken. All but the record that is being read is either in a batch or not in memory.

mod cell;
mod closed_end;
mod page;
mod shape;
mod sink;
mod visit;

use std::io::BufReader;

use serde::de::DeserializeSeed as _;
use serde_json::Value;
use sessionql_plugin_abi::ffi::Level;
use sessionql_plugin_abi::message::{Gap, HttpRequest, Report};
use sessionql_plugin_abi::{Reason, WireError};

use self::cell::Cell;
use self::closed_end::EndRule;
pub use self::page::Page;
use self::page::no_list;
use self::shape::Node;
use self::sink::Sink;
use self::visit::Envelope;
use crate::error::{Error, Result};
use crate::host::{Host, Response};
use crate::pages::{Pages, Paging};
use crate::table::{Column, Table};

/// Bodies up to this size are parsed from one piece of memory, larger ones as a stream.
const WHOLE_BODY_BYTES: u64 = 8 << 20;

/// The rows of one scan.
#[derive(Debug)]
pub struct Rows<'host> {
    host: &'host Host<'host>,
    node: Node,
    sink: Sink<'host>,
    /// What the pages that were read do not hold.
    gaps: Vec<Gap>,
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
        let sink = Sink::new(host, cells, columns.len(), rule);
        Ok(Self { host, node, sink, gaps: Vec::new() })
    }

    /// Reads all pages of a listing and emits their records.
    ///
    /// `first` is the request of the first page without the parameters of `paging`, which says how
    /// each page leads to the next; `records` is where the list is, as for
    /// [`decode`](Self::decode). What may be missing because the listing shrank meanwhile is a gap
    /// of the report. For pages that need more than that, take [`Pages`] itself.
    ///
    /// # Errors
    /// As [`decode`](Self::decode) and [`Pages::follow`].
    pub fn read_pages(
        &mut self,
        first: &HttpRequest,
        paging: &Paging,
        records: &str,
    ) -> Result<()> {
        let mut pages = Pages::new(first, paging)?;
        while let Some(response) = pages.send(self.host)? {
            let page = self.decode(response, records)?;
            pages.follow(&page)?;
        }
        self.gaps.extend(pages.gap());
        Ok(())
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
        self.sink.refuse_first(response.refused_first);
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
        let (notes, mut gaps) = (self.sink.notes(), self.sink.gaps());
        gaps.extend(self.gaps);
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
                Ok(Page {
                    n_records: self.sink.n_records(),
                    has_list: self.sink.has_list(),
                    request: request.to_owned(),
                    first_record: self.sink.first_record(),
                    ..page
                })
            }
            Err(error) => Err(self.failure(request, records, &error)),
        }
    }

    fn failure(&mut self, request: &str, records: &str, error: &serde_json::Error) -> Error {
        if let Some(interrupt) = self.sink.interrupt.take() {
            return interrupt;
        }
        if self.sink.is_repeated() {
            return crate::pages::repeated(request);
        }
        let Some(problem) = self.sink.problem.take() else {
            let no_json = match (self.sink.no_json.take(), error.is_data()) {
                (Some(no_json), _) => no_json,
                (None, true) => return no_list(request, records),
                (None, false) => error.to_string(),
            };
            return Error::bad_answer(format!("the answer to `{request}` is no JSON: {no_json}"));
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

//! Takes values in any order within a record, closes records, and emits full batches.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use sessionql_plugin_abi::message::Gap;

use super::cell::{Cell, Found, Mismatch};
use super::closed_end::EndRule;
use crate::error::{Error, Result};
use crate::host::Host;

/// Rows of one batch at most.
const BATCH_ROWS: usize = 8192;

/// Names of unknown fields that are remembered.
const UNKNOWN_NAMES: usize = 8;

/// What is wrong in the current record.
#[derive(Debug)]
pub(super) struct Problem {
    /// The JSON path within the record.
    pub(super) path: String,
    pub(super) found: Mismatch,
    pub(super) expected: &'static str,
    pub(super) column: Option<String>,
}

/// The columns under construction.
#[derive(Debug)]
pub(super) struct Sink<'host> {
    host: &'host Host<'host>,
    schema: SchemaRef,
    /// The requested columns, then those that only the end rule looks at.
    cells: Vec<Cell>,
    end_rule: Option<EndRule>,
    /// Rows in the current batch.
    n_rows: usize,
    /// Records of the current page.
    n_records: usize,
    has_list: bool,
    /// The hash of the page's first record, as it was written.
    first: Option<u64>,
    /// The hash that the first record must not have.
    refused_first: Option<u64>,
    n_unknown: u64,
    unknown: Vec<String>,
    pub(super) problem: Option<Problem>,
    /// Why a record is no JSON, if that was found out beside the document's own reader.
    pub(super) no_json: Option<String>,
    /// What the host said when it ended the scan.
    pub(super) interrupt: Option<Error>,
}

impl<'host> Sink<'host> {
    pub(super) fn new(
        host: &'host Host<'host>,
        cells: Vec<Cell>,
        n_columns: usize,
        end_rule: Option<EndRule>,
    ) -> Self {
        let fields: Vec<_> = cells[..n_columns].iter().map(Cell::field).collect();
        Self {
            host,
            schema: Arc::new(Schema::new(fields)),
            cells,
            end_rule,
            n_rows: 0,
            n_records: 0,
            has_list: false,
            first: None,
            refused_first: None,
            n_unknown: 0,
            unknown: Vec::new(),
            problem: None,
            no_json: None,
            interrupt: None,
        }
    }

    pub(super) fn begin_page(&mut self) {
        self.n_records = 0;
        self.has_list = false;
        self.first = None;
    }

    /// Says which first record the next page must not have.
    pub(super) fn refuse_first(&mut self, hash: Option<u64>) {
        self.refused_first = hash;
    }

    /// Takes the first record of a page as it is written. False: the page was seen before.
    pub(super) fn see_first(&mut self, text: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.first = Some(hasher.finish());
        !self.is_repeated()
    }

    /// Returns the hash of the page's first record.
    pub(super) fn first_record(&self) -> Option<u64> {
        self.first
    }

    /// Tells whether the page begins with the record that it must not begin with.
    pub(super) fn is_repeated(&self) -> bool {
        self.first.is_some() && self.first == self.refused_first
    }

    pub(super) fn begin_list(&mut self) {
        self.has_list = true;
    }

    /// Tells whether the page had a list of records at all.
    pub(super) fn has_list(&self) -> bool {
        self.has_list
    }

    pub(super) fn n_records(&self) -> usize {
        self.n_records
    }

    pub(super) fn is_json(&self, cell: usize) -> bool {
        self.cells[cell].column_type == sessionql_plugin_abi::message::ColumnType::Json
    }

    /// Takes a value. Of a field that comes twice the first value counts. False: see `problem`.
    pub(super) fn take(&mut self, index: usize, found: Found<'_>) -> bool {
        let cell = &mut self.cells[index];
        if cell.len() > self.n_rows {
            return true;
        }
        let upper;
        let found = match found {
            Found::Text(text) if cell.is_upper_case() => {
                upper = text.to_uppercase();
                Found::Text(&upper)
            }
            found => found,
        };
        if let (Some(rule), Found::Text(text)) = (&mut self.end_rule, &found) {
            rule.see_text(index, text);
        }
        let taken = match cell.int(&found) {
            Some(Ok(value)) => {
                let waits = self.end_rule.as_mut().is_some_and(|rule| rule.see_us(index, value));
                if !waits {
                    cell.append_int(value);
                }
                Ok(())
            }
            Some(Err(mismatch)) => Err(mismatch),
            None => cell.append(found),
        };
        match taken {
            Ok(()) => true,
            Err(mismatch) => {
                self.refuse(index, mismatch);
                false
            }
        }
    }

    fn refuse(&mut self, index: usize, found: Mismatch) {
        let cell = &self.cells[index];
        self.problem = Some(Problem {
            path: cell.path.clone(),
            found,
            expected: cell.expected(),
            column: Some(cell.name.clone()),
        });
    }

    pub(super) fn see_unknown(&mut self, key: &str) {
        self.n_unknown += 1;
        if self.unknown.len() < UNKNOWN_NAMES && !self.unknown.iter().any(|name| name == key) {
            self.unknown.push(key.to_owned());
        }
    }

    /// Closes a record. False: see `problem` or `interrupt`.
    pub(super) fn end_record(&mut self) -> bool {
        if let Some(rule) = &mut self.end_rule
            && let Some(end_us) = rule.resolve()
        {
            self.cells[rule.end].append_int(end_us);
        }
        for index in 0..self.cells.len() {
            let cell = &mut self.cells[index];
            if cell.len() > self.n_rows {
                continue;
            }
            if !cell.append_missing() {
                self.refuse(index, "nothing");
                return false;
            }
        }
        self.n_rows += 1;
        self.n_records += 1;
        if self.n_rows < BATCH_ROWS {
            return true;
        }
        self.flush().map_err(|error| self.interrupt = Some(error)).is_ok()
    }

    /// Emits the rows so far.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.n_rows == 0 {
            return Ok(());
        }
        let mut columns: Vec<_> = self.cells.iter_mut().map(Cell::finish).collect();
        columns.truncate(self.schema.fields().len());
        let options = RecordBatchOptions::new().with_row_count(Some(self.n_rows));
        self.n_rows = 0;
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::plugin(format!("rows do not fit together: {error}")))?;
        self.host.emit(batch)
    }

    /// Returns a line on the unknown fields, if there were any.
    pub(super) fn unknown_fields(&self) -> Option<String> {
        let names = self.unknown.join(", ");
        (self.n_unknown > 0).then(|| format!("{} unknown fields: {names}", self.n_unknown))
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.end_rule.as_ref().map(EndRule::notes).unwrap_or_default()
    }

    pub(super) fn gaps(&self) -> Vec<Gap> {
        self.end_rule.as_ref().and_then(EndRule::gap).into_iter().collect()
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        self.host.tell(self.notes(), self.gaps());
    }
}

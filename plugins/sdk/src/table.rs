//! Declares tables: what the manifest says of them, and where in a JSON record each value is.
//! One declaration serves both, so that they cannot disagree.

use sessionql_plugin_abi::message::{self, ColumnType, FilterOp, History, Request, TimeColumns};

use crate::error::Result;
use crate::host::Host;
use crate::rows::Rows;

/// A table and how its rows are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(crate) wire: message::Table,
    pub(crate) columns: Vec<Column>,
    pub(crate) closed_end: Option<ClosedEnd>,
}

impl Table {
    /// Declares a table without columns. `doc` says in one sentence what a row is.
    pub fn new(name: &str, doc: &str) -> Self {
        let wire =
            message::Table { name: name.to_owned(), doc: doc.to_owned(), ..Default::default() };
        Self { wire, columns: Vec::new(), closed_end: None }
    }

    /// Makes it the table that the bare connection name means.
    #[must_use]
    pub fn main(mut self) -> Self {
        self.wire.is_main = true;
        self
    }

    /// Adds columns after those that are there.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.columns.extend(columns);
        self
    }

    /// Names the columns that name a row.
    #[must_use]
    pub fn primary_key<const N: usize>(mut self, columns: [&str; N]) -> Self {
        self.wire.primary_key = columns.map(str::to_owned).into();
        self
    }

    /// Says that one scan may emit a row more than once; the host then keeps the first copy.
    #[must_use]
    pub fn has_duplicates(mut self) -> Self {
        self.wire.has_duplicates = true;
        self
    }

    /// Names the columns that bound a session's life.
    #[must_use]
    pub fn time(mut self, start: &str, end: &str) -> Self {
        self.wire.time = Some(TimeColumns { start: start.to_owned(), end: end.to_owned() });
        self
    }

    /// Says that `plan` takes `open_during` filters.
    #[must_use]
    pub fn takes_open_during(mut self) -> Self {
        self.wire.takes_open_during = true;
        self
    }

    /// Says how many rows a page holds at most.
    #[must_use]
    pub fn page_size(mut self, n_rows: u64) -> Self {
        self.wire.limits.page_size = Some(n_rows);
        self
    }

    /// Says how many rows an answer holds at most, if the rest cannot be had by a next page.
    #[must_use]
    pub fn cap(mut self, n_rows: u64) -> Self {
        self.wire.limits.cap = Some(n_rows);
        self
    }

    /// Says how far back rows exist.
    #[must_use]
    pub fn history(mut self, history: History) -> Self {
        self.wire.limits.history = Some(history);
        self
    }

    /// Makes the end of a session agree with its status.
    #[must_use]
    pub fn closed_end(mut self, rule: ClosedEnd) -> Self {
        self.closed_end = Some(rule);
        self
    }

    /// Returns what the manifest says of the table.
    pub fn manifest(&self) -> message::Table {
        let columns = self.columns.iter().map(|column| column.wire.clone()).collect();
        message::Table { columns, ..self.wire.clone() }
    }

    /// Begins to read rows with the columns of a request.
    ///
    /// # Errors
    /// `plugin_error` if the request names a column that the table does not have.
    pub fn rows<'host>(&self, host: &'host Host<'host>, request: &Request) -> Result<Rows<'host>> {
        Rows::new(self, host, &request.columns)
    }
}

/// How the end of a session follows from its status, for `end` is NULL if it is open and only then.
///
/// A record whose status is one of `closed` but that has no end gets `start + duration`, or `start`
/// if it has no duration either; the report counts such rows in a note (`end_inferred`), and those
/// without a duration in a gap (`clamped`) besides, for they may have lasted. A record whose status
/// is one of `open` has no end, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedEnd {
    /// Name of the timestamp column that is corrected.
    pub end: &'static str,
    /// Name of the timestamp column with the begin.
    pub start: &'static str,
    /// Name of the duration column, if the provider reports one.
    pub duration: Option<&'static str>,
    /// Name of the text column with the status.
    pub status: &'static str,
    /// The states that say open.
    pub open: &'static [&'static str],
    /// The states that say closed.
    pub closed: &'static [&'static str],
}

/// A column and where its value is in a record.
///
/// Paths are keys joined by dots, `user.name`; the empty path is the record itself. A column may be
/// NULL unless it is [`required`](Self::required).
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub(crate) wire: message::Column,
    pub(crate) path: String,
    pub(crate) us_per_unit: i64,
    pub(crate) reading: Reading,
    /// The text of every row, if it is the same in all; nothing is read then.
    pub(crate) constant: Option<&'static str>,
    /// Whether the records have no such value, whatever they hold.
    pub(crate) is_absent: bool,
}

/// How a value is read, where its type does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As its type says.
    #[default]
    Plain,
    /// Text, in upper case.
    UpperCase,
    /// A duration as protobuf writes it.
    ProtoDuration,
}

impl Column {
    fn new(name: &str, path: &str, column_type: ColumnType) -> Self {
        let wire = message::Column {
            name: name.to_owned(),
            column_type,
            nullable: true,
            ..Default::default()
        };
        Self {
            wire,
            path: path.to_owned(),
            us_per_unit: 1,
            reading: Reading::Plain,
            constant: None,
            is_absent: false,
        }
    }

    /// Declares text; a JSON number is taken as its digits.
    pub fn text(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::Text)
    }

    /// Declares an instant, in RFC 3339 with any offset.
    pub fn timestamp(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::Timestamp)
    }

    /// Declares a duration that the provider gives in seconds, whole or not.
    pub fn seconds(name: &str, path: &str) -> Self {
        let column = Self::new(name, path, ColumnType::Duration);
        Self { us_per_unit: 1_000_000, ..column }
    }

    /// Declares a duration that the provider gives in milliseconds.
    pub fn millis(name: &str, path: &str) -> Self {
        Self { us_per_unit: 1000, ..Self::new(name, path, ColumnType::Duration) }
    }

    /// Declares a duration that the provider gives as protobuf does in JSON, such as `3.500s`.
    pub fn proto_duration(name: &str, path: &str) -> Self {
        let column = Self::new(name, path, ColumnType::Duration);
        Self { reading: Reading::ProtoDuration, ..column }
    }

    /// Declares a whole number; one written as text is taken too.
    pub fn int64(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::Int64)
    }

    /// Declares a number; one written as text is taken too.
    pub fn float64(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::Float64)
    }

    /// Declares `true` or `false`.
    pub fn bool(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::Bool)
    }

    /// Declares a list of text.
    pub fn text_list(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::TextList)
    }

    /// Declares JSON as text, byte for byte as the provider sent it.
    pub fn json(name: &str, path: &str) -> Self {
        Self::new(name, path, ColumnType::Json)
    }

    /// Declares text that is the same in every row and in no record.
    pub fn constant(name: &str, text: &'static str) -> Self {
        let mut column = Self::text(name, "").required();
        column.constant = Some(text);
        column
    }

    /// Says that it is NULL in every row and in no record.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.is_absent = true;
        self
    }

    /// Says what it means, in one sentence.
    #[must_use]
    pub fn doc(mut self, doc: &str) -> Self {
        self.wire.doc = doc.to_owned();
        self
    }

    /// Says that it is never NULL; a record without it is then an error.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.wire.nullable = false;
        self
    }

    /// Lists the values that it may have, if the provider documents them all.
    #[must_use]
    pub fn values<const N: usize>(mut self, values: [&str; N]) -> Self {
        self.wire.values = values.map(str::to_owned).into();
        self
    }

    /// Lists the filters that `plan` wants to see.
    #[must_use]
    pub fn filters<const N: usize>(mut self, filters: [FilterOp; N]) -> Self {
        self.wire.filters = filters.into();
        self
    }

    /// Says that each value of an `in` filter on it costs a few requests, and no full read; a join on
    /// a table that has a [`cap`](Table::cap) then asks by its keys.
    #[must_use]
    pub fn lookup(mut self) -> Self {
        self.wire.lookup = true;
        self
    }

    /// Says that its text is turned to upper case, whatever the provider's case.
    #[must_use]
    pub fn upper_case(mut self) -> Self {
        self.reading = Reading::UpperCase;
        self
    }

    /// Masks its values in logs, errors and EXPLAIN.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.wire.sensitive = true;
        self
    }

    /// Keeps it out of `*`.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.wire.hidden = true;
        self
    }
}

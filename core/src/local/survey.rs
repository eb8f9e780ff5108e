//! Looks a file through from begin to end: which columns there are, of which types, and that every
//! value has the type of its column.

use std::collections::HashSet;
use std::io::BufReader;

use sessionql_plugin_abi::message::ColumnType;

use super::cell::Guess;
use super::csv::CsvReader;
use super::jsonl::JsonlReader;
use super::{Fault, FileColumn, Row, Stamp, parquet};
use crate::config::{FileFormat, LocalTableConfig};
use crate::statement::StatementContext;

/// How many rows are read between two looks at whether anybody still waits.
pub(super) const ROWS_PER_LOOK: usize = 64;

/// A text file of which rows are read.
pub(super) enum TextReader {
    Csv(CsvReader<BufReader<std::fs::File>>),
    Jsonl(JsonlReader<BufReader<std::fs::File>>),
}

impl TextReader {
    /// Opens a file that is not Parquet.
    pub(super) fn open(format: FileFormat, file: std::fs::File) -> Result<Self, Fault> {
        let input = BufReader::with_capacity(1 << 16, file);
        match format {
            FileFormat::Csv { delimiter } => CsvReader::open(input, delimiter).map(Self::Csv),
            FileFormat::Jsonl | FileFormat::Parquet => JsonlReader::open(input).map(Self::Jsonl),
        }
    }

    /// Returns the names of the columns that were seen so far.
    pub(super) fn names(&self) -> &[String] {
        match self {
            Self::Csv(reader) => &reader.names,
            Self::Jsonl(reader) => &reader.names,
        }
    }

    /// Returns the next row; it may be shorter than there are names.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, Fault> {
        match self {
            Self::Csv(reader) => reader.next_row(),
            Self::Jsonl(reader) => reader.next_row(),
        }
    }
}

/// Returns the columns of a table's file.
///
/// # Errors
/// What is not as it should be, with its line where the format has lines.
pub(super) fn columns(
    config: &LocalTableConfig,
    context: &StatementContext,
) -> Result<Vec<FileColumn>, Fault> {
    let (_, file) = Stamp::open(config)?;
    if config.format == FileFormat::Parquet {
        return parquet::survey(config, file, context);
    }
    let mut reader = TextReader::open(config.format, file)?;
    let mut columns: Vec<(Option<ColumnType>, Guess)> = Vec::new();
    for n_rows in 0_usize.. {
        if n_rows.is_multiple_of(ROWS_PER_LOOK) && context.is_over() {
            return Err(Fault::cancelled());
        }
        let row = reader.next_row()?;
        let new = reader.names()[columns.len()..].iter();
        columns.extend(new.map(|name| (declared_type(config, name), Guess::default())));
        let Some(row) = row else { break };
        for (column_idx, cell) in row.cells.iter().enumerate() {
            let (declared, guess) = &mut columns[column_idx];
            match declared {
                None => guess.see(cell, config.time_zone),
                Some(column_type) => {
                    cell.value(*column_type, config.time_zone).map_err(|what| {
                        let name = &reader.names()[column_idx];
                        Fault::new(format!("column `{name}`: {what}")).at(row.line)
                    })?;
                }
            }
        }
    }
    let named = reader.names().iter().zip(columns);
    let mut columns: Vec<FileColumn> = named
        .map(|(name, (declared, guess))| FileColumn {
            name: name.clone(),
            column_type: declared.unwrap_or_else(|| guess.column_type()),
            is_declared: declared.is_some(),
        })
        .collect();
    if config.format == FileFormat::Jsonl {
        add_absent(config, &mut columns);
    }
    match columns.is_empty() {
        true => Err(Fault::new("the file has no rows, and so no columns")
            .with_hint("declare them, such as `columns = { id = \"text\" }`")),
        false => Ok(columns),
    }
}

/// Returns the type that the configuration gives a column.
pub(super) fn declared_type(config: &LocalTableConfig, name: &str) -> Option<ColumnType> {
    let is_time = config.time.as_ref().is_some_and(|time| time.start == name || time.end == name);
    let declared = config.columns.get(name).map(|column| column.column_type);
    declared.or(is_time.then_some(ColumnType::Timestamp))
}

/// Adds the declared columns that no object has: a key may be left out where it is NULL.
fn add_absent(config: &LocalTableConfig, columns: &mut Vec<FileColumn>) {
    let present: HashSet<String> = columns.iter().map(|column| column.name.clone()).collect();
    let absent = config.columns.iter().filter(|(name, _)| !present.contains(*name));
    columns.extend(absent.map(|(name, declared)| FileColumn {
        name: name.clone(),
        column_type: declared.column_type,
        is_declared: true,
    }));
}

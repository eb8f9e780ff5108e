//! Rows to text: one renderer for each `--format`.
//! In: record batches as they come, and at the end what they cover. Out: bytes for stdout or a
//! file. What a single value looks like is decided in `value.rs` alone.

mod csv;
mod explanation;
mod json;
mod table;
mod value;

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use chrono_tz::Tz;
use sessionql_core::completeness::Completeness;

use crate::cli::Format;
pub(crate) use explanation::print as print_explanation;

/// How a statement ended.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// How many rows it yielded, or would have yielded.
    pub(crate) n_rows: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// What the rows cover.
    pub(crate) completeness: Completeness,
    /// Why there are no more rows, if they did not come to their end.
    pub(crate) failure: Option<String>,
    /// What was printed in place of rows, if it was an explanation.
    pub(crate) told: Option<Told>,
}

/// What EXPLAIN told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Of a query that did not run, so there is no result to judge.
    Plan,
    /// Of a query that ran.
    Run,
}

/// Prints the rows of one statement.
pub(crate) trait Renderer {
    /// Prints some rows; may keep them until it has seen more.
    ///
    /// # Errors
    /// Those of `out`.
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()>;

    /// Prints what was kept and what stands below the rows. Prints nothing at all if there was
    /// no row and the statement failed.
    ///
    /// # Errors
    /// Those of `out`.
    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()>;
}

/// What the output looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The format.
    pub(crate) format: Format,
    /// The zone of timestamps in tables.
    pub(crate) time_zone: Tz,
    /// How many columns a table may have.
    pub(crate) width: usize,
    /// Whether tables are coloured.
    pub(crate) is_coloured: bool,
    /// What stands below a table.
    pub(crate) footer: Footer,
    /// Whether csv quotes text that a spreadsheet would run as a formula.
    pub(crate) guards_formulas: bool,
    /// Whether the output has something already, from which this result is set apart.
    pub(crate) follows_output: bool,
}

/// What stands below a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Footer {
    /// Nothing, but what is hidden.
    None,
    /// The number of rows.
    Rows,
    /// The number of rows and the time that it took.
    RowsAndTime,
}

/// Returns the renderer for a statement with these columns.
pub(crate) fn renderer(schema: &Schema, layout: &Layout) -> Box<dyn Renderer + Send> {
    match layout.format {
        Format::Table => Box::new(table::Table::new(schema, *layout)),
        Format::Csv => {
            Box::new(csv::Csv::new(schema, layout.follows_output, layout.guards_formulas))
        }
        Format::Json => Box::new(json::Envelope::new(schema)),
        Format::Jsonl => Box::new(json::Lines::new(schema)),
    }
}

/// Returns the names of the columns, of which a repeated one gets a number: `a`, `a_2`, `a_3`.
fn unique_names(schema: &Schema) -> Vec<String> {
    let given: HashSet<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut used: HashSet<String> = HashSet::new();
    let mut names = Vec::new();
    for field in schema.fields() {
        let mut name = field.name().clone();
        for number in 2.. {
            if used.insert(name.clone()) {
                break;
            }
            name = format!("{}_{number}", field.name());
            while given.contains(name.as_str()) && !used.contains(&name) {
                name.push('_');
            }
        }
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests;

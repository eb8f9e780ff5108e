//! Rows to text: one renderer for each `--format`.
//! In: record batches as they come, and at the end what they cover. Out: bytes for stdout or a
//! file. What a single value looks like is decided in `value.rs` alone.

mod changes;
mod csv;
mod explanation;
mod footer;
mod json;
mod markdown;
mod table;
mod timeline;
mod value;
mod vertical;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sessionql_core::completeness::Completeness;
use sessionql_core::display::unique_names;
use sessionql_core::explain::ScanCost;

use crate::cli::Format;
use crate::diff::Changes;
use crate::usage::Refusal;
pub(crate) use changes::{
    for_people as changes_for_people, for_programs as changes_for_programs, named_values,
};
pub(crate) use explanation::print as print_explanation;
pub(crate) use footer::{broken, elapsed};

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
    /// What each scan cost, if that is told.
    pub(crate) scans: Vec<ScanCost>,
    /// What was printed in place of rows, if it was an explanation.
    pub(crate) told: Option<Told>,
    /// What has changed since the last run, if that was asked; the rows are then those that did.
    pub(crate) difference: Option<Difference>,
}

/// How the rows of a run differ from those of the run before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Counts the queries that were compared with this file.
    pub(crate) epoch: u64,
    /// Counts the runs of this query.
    pub(crate) run: u64,
    /// Whether there was something to compare with.
    pub(crate) is_compared: bool,
    /// What has changed.
    pub(crate) changes: Changes,
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
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The format.
    pub(crate) format: Format,
    /// The zone of timestamps in tables.
    pub(crate) time_zone: Tz,
    /// How many columns of the screen rows may take; where there is no screen, any number.
    pub(crate) width: usize,
    /// How many lines the screen has, if there is one.
    pub(crate) height: Option<usize>,
    /// How wide the text of an explanation may be.
    pub(crate) text_width: usize,
    /// Whether a table is printed as a list of its columns.
    pub(crate) expanded: Expanded,
    /// How many rows are shown to people, if not all.
    pub(crate) max_rows: Option<u64>,
    /// What stands for NULL in what people read.
    pub(crate) null: Arc<str>,
    /// Whether there is a prompt, whose commands show what is hidden.
    pub(crate) is_interactive: bool,
    /// Whether tables are coloured.
    pub(crate) is_coloured: bool,
    /// Whether the first column marks what became of each row, which tables show by colours too.
    pub(crate) is_marked: bool,
    /// What stands below a table.
    pub(crate) footer: Footer,
    /// Whether csv quotes text that a spreadsheet would run as a formula.
    pub(crate) guards_formulas: bool,
    /// Whether the output has something already, from which this result is set apart.
    pub(crate) follows_output: bool,
    /// What a picture of the rows shows.
    pub(crate) picture: Picture,
}

/// A begin and an end, each if it is known.
pub(crate) type Window = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// What a picture of rows over time shows beside them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Picture {
    /// How many columns it may take.
    pub(crate) width: usize,
    /// Whether it is drawn with ASCII characters alone.
    pub(crate) is_ascii: bool,
    /// The range that the query is about.
    pub(crate) window: Window,
    /// The instant up to which open sessions are known to be open.
    pub(crate) now: DateTime<Utc>,
    /// The text of the query, if it is known.
    pub(crate) query: Option<Arc<str>>,
}

impl Layout {
    /// Returns the layout of rows that no person looks at.
    pub(crate) fn for_machines(format: Format, time_zone: Tz) -> Self {
        Self {
            format,
            time_zone,
            width: usize::MAX,
            height: None,
            text_width: usize::MAX,
            expanded: Expanded::Off,
            max_rows: None,
            null: Arc::from(""),
            is_interactive: false,
            is_coloured: false,
            is_marked: false,
            footer: Footer::None,
            guards_formulas: false,
            follows_output: false,
            picture: Picture::default(),
        }
    }
}

/// When a table is printed as a list of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expanded {
    /// Never.
    Off,
    /// Always.
    On,
    /// Where the screen has no room for all columns.
    Auto,
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
///
/// # Errors
/// If the format cannot show them.
pub(crate) fn renderer(
    schema: &Schema,
    layout: &Layout,
) -> Result<Box<dyn Renderer + Send>, Refusal> {
    Ok(match layout.format {
        Format::Table if layout.expanded == Expanded::On => {
            Box::new(vertical::Vertical::new(schema, layout.clone()))
        }
        Format::Table => Box::new(table::Table::new(schema, layout.clone())),
        Format::Vertical => Box::new(vertical::Vertical::new(schema, layout.clone())),
        Format::Markdown => Box::new(markdown::Markdown::new(schema, layout.clone())),
        Format::Csv => {
            Box::new(csv::Csv::new(schema, layout.follows_output, layout.guards_formulas))
        }
        Format::Json => Box::new(json::Envelope::new(schema)),
        Format::Jsonl => Box::new(json::Lines::new(schema)),
        Format::Timeline | Format::Svg | Format::Html => {
            Box::new(timeline::Timeline::new(schema, layout.clone())?)
        }
    })
}

#[cfg(test)]
mod tests;

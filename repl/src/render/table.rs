//! Rows in columns, for people.
//! The first rows decide how wide the columns are; later ones are printed as they come, and may stand
//! out where the screen has room. A table
//! that is too wide first loses the ends of its long texts, marked `…`, and then its last columns,
//! named below it. Numbers and times are never cut.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sessionql_core::completeness::Off;
use sessionql_core::display::escape_controls;
use sessionql_core::duration;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::value::{Value, is_right_aligned, is_whole_only, read};
use super::{Footer, Layout, Renderer, Summary};
use crate::report::Paint;

/// How many rows decide the widths.
const N_SAMPLE_ROWS: usize = 1_000;

/// How narrow a text may become.
const MIN_TEXT_WIDTH: usize = 8;

/// What stands between columns.
const GAP: &str = "  ";

/// Prints rows as a table.
pub(super) struct Table {
    layout: Layout,
    paint: Paint,
    columns: Vec<Column>,
    /// How many columns, from the first on, are shown.
    n_shown: usize,
    /// How much wider a row may be than those that decided the widths.
    slack: usize,
    kept: Vec<RecordBatch>,
    n_kept_rows: usize,
    is_open: bool,
}

struct Column {
    name: String,
    is_right_aligned: bool,
    is_whole_only: bool,
    width: usize,
}

impl Table {
    /// Returns a renderer.
    pub(super) fn new(schema: &Schema, layout: Layout) -> Self {
        let column = |field: &arrow::datatypes::FieldRef| {
            let name = escape_controls(field.name());
            Column {
                width: name.width(),
                name,
                is_right_aligned: is_right_aligned(field.data_type()),
                is_whole_only: is_whole_only(field.data_type()),
            }
        };
        Self {
            layout,
            paint: Paint::new(layout.is_coloured),
            columns: schema.fields().iter().map(column).collect(),
            n_shown: schema.fields().len(),
            slack: 0,
            kept: Vec::new(),
            n_kept_rows: 0,
            is_open: false,
        }
    }

    /// Sizes the columns after the rows so far, and prints the header and them.
    fn open(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_open {
            return Ok(());
        }
        self.is_open = true;
        let kept = std::mem::take(&mut self.kept);
        for batch in &kept {
            for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
                for row in 0..batch.num_rows() {
                    let cell = read(array, row).human_text(self.layout.time_zone);
                    column.width = column.width.max(cell.width());
                }
            }
        }
        self.n_shown = fit(&mut self.columns, self.layout.width);
        let shown = &self.columns[..self.n_shown];
        let total: usize = shown.iter().map(|column| column.width + GAP.len()).sum();
        self.slack = self.layout.width.saturating_add(GAP.len()).saturating_sub(total);
        if self.layout.follows_output {
            out.write_all(b"\n")?;
        }
        self.write_header(out)?;
        kept.iter().try_for_each(|batch| self.write_rows(batch, out))
    }

    fn write_header(&self, out: &mut dyn Write) -> io::Result<()> {
        let shown = &self.columns[..self.n_shown];
        let names: Vec<String> = shown
            .iter()
            .map(|column| aligned(&cut(&column.name, column.width), "1", column, self.paint))
            .collect();
        let rules: Vec<String> = shown.iter().map(|column| "─".repeat(column.width)).collect();
        writeln!(out, "{}", names.join(GAP).trim_end())?;
        writeln!(out, "{}", self.paint.paint("2", &rules.join(GAP)))
    }

    fn write_rows(&self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            let mut slack = self.slack;
            let shown = self.columns.iter().zip(batch.columns()).take(self.n_shown);
            for (idx, (column, array)) in shown.enumerate() {
                if idx > 0 {
                    line.push_str(GAP);
                }
                let value = read(array, row);
                let style = if value == Value::Null { "2" } else { "" };
                let mut text = value.human_text(self.layout.time_zone);
                if !column.is_whole_only {
                    text = cut(&text, column.width.saturating_add(slack));
                }
                slack = slack.saturating_sub(text.width().saturating_sub(column.width));
                line.push_str(&aligned(&text, style, column, self.paint));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Returns what stands below the rows, if anything does.
    fn footer(&self, summary: &Summary) -> Option<String> {
        let mut parts = Vec::new();
        if self.layout.footer != Footer::None {
            let plural = if summary.n_rows == 1 { "" } else { "s" };
            parts.push(format!("{} row{plural}", summary.n_rows));
        }
        if self.layout.footer == Footer::RowsAndTime {
            parts.push(elapsed(summary.elapsed));
        }
        let hidden: Vec<&str> =
            self.columns[self.n_shown..].iter().map(|column| column.name.as_str()).collect();
        if !hidden.is_empty() {
            parts.push(format!("hidden for lack of width: {}", hidden.join(", ")));
        }
        match summary.completeness.off {
            Some(Off::Missing) => parts.push("incomplete: rows may be missing".to_owned()),
            Some(Off::Wrong) => parts.push("incomplete: rows may be wrong".to_owned()),
            None if summary.failure.is_some() => parts.push("incomplete".to_owned()),
            None => {}
        }
        (!parts.is_empty()).then(|| format!("({})", parts.join(", ")))
    }
}

impl Renderer for Table {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        if self.is_open {
            return self.write_rows(batch, out);
        }
        self.kept.push(batch.clone());
        self.n_kept_rows += batch.num_rows();
        if self.n_kept_rows >= N_SAMPLE_ROWS { self.open(out) } else { Ok(()) }
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        if summary.failure.is_some() && summary.n_rows == 0 {
            return Ok(());
        }
        self.open(out)?;
        match self.footer(summary) {
            Some(footer) => writeln!(out, "{footer}"),
            None => Ok(()),
        }
    }
}

/// Returns a duration for the footer.
fn elapsed(elapsed: std::time::Duration) -> String {
    if elapsed.as_secs() < 60 {
        format!("{:.2} s", elapsed.as_secs_f64())
    } else {
        duration::human(std::time::Duration::from_secs(elapsed.as_secs()))
    }
}

/// Makes columns narrower until they fit `width`. Returns how many of them are shown.
fn fit(columns: &mut [Column], width: usize) -> usize {
    let least = |column: &Column| {
        if column.is_whole_only { column.width } else { column.width.min(MIN_TEXT_WIDTH) }
    };
    let gaps = |n_columns: usize| n_columns.saturating_sub(1) * GAP.len();
    let mut n_shown = columns.len();
    while n_shown > 1 && columns[..n_shown].iter().map(least).sum::<usize>() + gaps(n_shown) > width
    {
        n_shown -= 1;
    }
    let room = width.saturating_sub(gaps(n_shown));
    let shown = &mut columns[..n_shown];
    let total = |shown: &[Column], cap: usize| -> usize {
        shown
            .iter()
            .map(|column| if column.is_whole_only { column.width } else { column.width.min(cap) })
            .sum()
    };
    let widest = shown.iter().map(|column| column.width).max().unwrap_or_default();
    // The widest texts shrink first: the greatest width is looked for to which all can be cut.
    let (mut fits, mut too_wide) = (1, widest + 1);
    while too_wide - fits > 1 {
        let middle = fits.midpoint(too_wide);
        if total(shown, middle) <= room { fits = middle } else { too_wide = middle }
    }
    let mut rest = room.saturating_sub(total(shown, fits));
    for column in shown.iter_mut().filter(|column| !column.is_whole_only && column.width > fits) {
        column.width = fits + usize::from(rest > 0);
        rest = rest.saturating_sub(1);
    }
    n_shown
}

/// Returns `text` in the width of its column, in a style if there is one.
fn aligned(text: &str, style: &str, column: &Column, paint: Paint) -> String {
    let padding = " ".repeat(column.width.saturating_sub(text.width()));
    let text = if style.is_empty() { text.to_owned() } else { paint.paint(style, text) };
    if column.is_right_aligned { padding + &text } else { text + &padding }
}

/// Returns `text`, or as much of it as fits with a mark that there is more.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut columns = 0;
    let fitting = text.chars().take_while(|character| {
        columns += character.width().unwrap_or_default();
        columns < width
    });
    let mut short: String = fitting.collect();
    short.push('…');
    short
}

//! Rows in columns, for people.
//! The first rows decide how wide the columns are; later ones are printed as they come, and may stand
//! out where the screen has room. A table that is too wide first makes its widest texts narrower:
//! they go on in further lines if all of them then fit the screen, and else lose their ends, marked
//! `…`. If that is not enough its last columns are hidden, or the table is printed as a list. What
//! is hidden is told below. Numbers and times are never cut.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use sessionql_core::display::escape_controls;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::footer::{self, Hidden};
use super::value::{Value, is_right_aligned, is_whole_only, read};
use super::vertical::Vertical;
use super::{Expanded, Layout, Renderer, Summary};
use crate::report::Paint;

/// How many rows decide the widths.
const N_SAMPLE_ROWS: usize = 1_000;

/// How narrow a text may become.
const MIN_TEXT_WIDTH: usize = 8;

/// How many lines the header and what stands below the rows take.
const N_OTHER_LINES: usize = 4;

/// What stands between columns.
const GAP: &str = "  ";

/// Prints rows as a table.
pub(super) struct Table {
    schema: SchemaRef,
    layout: Layout,
    paint: Paint,
    columns: Vec<Column>,
    /// How many columns, from the first on, are shown.
    n_shown: usize,
    /// How much wider a row may be than those that decided the widths.
    slack: usize,
    /// Whether texts go on in further lines.
    wraps: bool,
    kept: Vec<RecordBatch>,
    n_kept_rows: usize,
    is_open: bool,
    n_rows: u64,
    n_hidden_rows: u64,
    n_cut: u64,
    /// What prints the rows in its place, if it does not fit.
    list: Option<Vertical>,
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
            schema: schema.clone().into(),
            paint: Paint::new(layout.is_coloured),
            columns: schema.fields().iter().map(column).collect(),
            n_shown: schema.fields().len(),
            slack: 0,
            wraps: false,
            kept: Vec::new(),
            n_kept_rows: 0,
            is_open: false,
            n_rows: 0,
            n_hidden_rows: 0,
            n_cut: 0,
            list: None,
            layout,
        }
    }

    /// Sizes the columns after the rows so far, and prints the header and them.
    fn open(&mut self, is_all: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.is_open {
            return Ok(());
        }
        self.is_open = true;
        let kept = std::mem::take(&mut self.kept);
        for batch in &kept {
            for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
                for row in 0..batch.num_rows() {
                    let cell = read(array, row).shown(&self.layout);
                    column.width = column.width.max(cell.width());
                }
            }
        }
        let natural: Vec<usize> = self.columns.iter().map(|column| column.width).collect();
        self.n_shown = fit(&mut self.columns, self.layout.width);
        if self.n_shown < self.columns.len() && self.layout.expanded == Expanded::Auto {
            let mut list = Vertical::new(&self.schema, self.layout.clone());
            kept.iter().try_for_each(|batch| list.rows(batch, out))?;
            self.list = Some(list);
            return Ok(());
        }
        let shown = &self.columns[..self.n_shown];
        let total: usize = shown.iter().map(|column| column.width + GAP.len()).sum();
        self.slack = self.layout.width.saturating_add(GAP.len()).saturating_sub(total);
        let is_narrower = shown.iter().zip(&natural).any(|(column, width)| column.width < *width);
        self.wraps = is_all && is_narrower && self.fits_wrapped(&kept);
        if self.layout.follows_output {
            out.write_all(b"\n")?;
        }
        self.write_header(out)?;
        kept.iter().try_for_each(|batch| self.write_rows(batch, out))
    }

    /// Tells whether the rows fit the screen if their texts go on in further lines.
    fn fits_wrapped(&self, kept: &[RecordBatch]) -> bool {
        let Some(height) = self.layout.height else { return false };
        let mut n_lines = N_OTHER_LINES;
        for batch in kept {
            for row in 0..batch.num_rows() {
                n_lines += self.cells(batch, row).iter().map(Vec::len).max().unwrap_or(1);
                if n_lines > height {
                    return false;
                }
            }
        }
        true
    }

    /// Returns the lines of each cell of a row.
    fn cells(&self, batch: &RecordBatch, row: usize) -> Vec<Vec<String>> {
        let shown = self.columns.iter().zip(batch.columns()).take(self.n_shown);
        shown
            .map(|(column, array)| {
                let text = read(array, row).shown(&self.layout);
                if column.is_whole_only { vec![text] } else { wrapped(&text, column.width) }
            })
            .collect()
    }

    fn write_header(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let shown = &self.columns[..self.n_shown];
        let names: Vec<String> = shown
            .iter()
            .map(|column| aligned(&cut(&column.name, column.width), "1", column, self.paint))
            .collect();
        let rules: Vec<String> = shown.iter().map(|column| "─".repeat(column.width)).collect();
        writeln!(out, "{}", names.join(GAP).trim_end())?;
        writeln!(out, "{}", self.paint.paint("2", &rules.join(GAP)))
    }

    fn write_rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let n_wanted = self.layout.max_rows.unwrap_or(u64::MAX).saturating_sub(self.n_rows);
        let n_shown = batch.num_rows().min(usize::try_from(n_wanted).unwrap_or(usize::MAX));
        self.n_rows += n_shown as u64;
        self.n_hidden_rows += (batch.num_rows() - n_shown) as u64;
        for row in 0..n_shown {
            if self.wraps {
                self.write_wrapped(batch, row, out)?;
            } else {
                self.write_row(batch, row, out)?;
            }
        }
        Ok(())
    }

    fn write_row(
        &mut self,
        batch: &RecordBatch,
        row: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut line = String::new();
        let mut slack = self.slack;
        let shown = self.columns.iter().zip(batch.columns()).take(self.n_shown);
        for (idx, (column, array)) in shown.enumerate() {
            if idx > 0 {
                line.push_str(GAP);
            }
            let value = read(array, row);
            let whole = value.shown(&self.layout);
            let mut text = whole.clone();
            if !column.is_whole_only {
                text = cut(&whole, column.width.saturating_add(slack));
                self.n_cut += u64::from(text != whole);
            }
            slack = slack.saturating_sub(text.width().saturating_sub(column.width));
            let style = self.style(batch, row, &value);
            line.push_str(&aligned(&text, style, column, self.paint));
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// Returns the style of a value: NULL stands apart from a text that reads the same, and what is
    /// new, changed or gone from what was there.
    fn style(&self, batch: &RecordBatch, row: usize, value: &Value<'_>) -> &'static str {
        if *value == Value::Null {
            return "2";
        }
        match self.layout.is_marked.then(|| read(batch.column(0), row)) {
            Some(Value::Text(mark)) if mark == "+" => "32",
            Some(Value::Text(mark)) if mark == "~" => "33",
            Some(Value::Text(mark)) if mark == "-" => "31",
            _ => "",
        }
    }

    /// Writes a row whose texts go on in further lines.
    fn write_wrapped(
        &self,
        batch: &RecordBatch,
        row: usize,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let cells = self.cells(batch, row);
        let n_lines = cells.iter().map(Vec::len).max().unwrap_or(1);
        for line_idx in 0..n_lines {
            let mut line = String::new();
            for (idx, (column, cell)) in self.columns.iter().zip(&cells).enumerate() {
                if idx > 0 {
                    line.push_str(GAP);
                }
                let text = cell.get(line_idx).map(String::as_str).unwrap_or_default();
                let style = self.style(batch, row, &read(batch.column(idx), row));
                line.push_str(&aligned(text, style, column, self.paint));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Renderer for Table {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        if let Some(list) = &mut self.list {
            return list.rows(batch, out);
        }
        if self.is_open {
            return self.write_rows(batch, out);
        }
        self.kept.push(batch.clone());
        self.n_kept_rows += batch.num_rows();
        if self.n_kept_rows >= N_SAMPLE_ROWS { self.open(false, out) } else { Ok(()) }
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        if summary.failure.is_some() && summary.n_rows == 0 {
            return Ok(());
        }
        self.open(true, out)?;
        if let Some(list) = &mut self.list {
            return list.finish(summary, out);
        }
        let hidden = Hidden {
            columns: self.columns[self.n_shown..].iter().map(|column| &*column.name).collect(),
            n_cut: self.n_cut,
            n_rows: self.n_hidden_rows,
        };
        let lines = footer::lines(&self.layout, summary, &hidden);
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
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
pub(super) fn cut(text: &str, width: usize) -> String {
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

/// Returns `text` in lines of at most `width`, broken at spaces where there are some; the space of a
/// break is not shown.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    if text.width() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut columns = 0;
    for character in text.chars() {
        let character_width = character.width().unwrap_or_default();
        if columns + character_width > width && !line.is_empty() {
            if character == ' ' {
                lines.push(std::mem::take(&mut line));
                columns = 0;
                continue;
            }
            // A break within a word only where the line has no other.
            let rest = match line.rfind(' ').filter(|at| *at > 0) {
                Some(at) => {
                    let rest = line.split_off(at + 1);
                    line.truncate(at);
                    rest
                }
                None => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
            columns = line.width();
        }
        line.push(character);
        columns += character_width;
    }
    lines.push(line);
    lines
}

//! Rows as a Markdown table, to be pasted into a ticket or a report. Values are those of the table for
//! people, whole; nothing stands below it.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sessionql_core::display::escape_controls;

use super::value::{is_right_aligned, read};
use super::{Layout, Renderer, Summary};

/// Prints rows as a Markdown table.
pub(super) struct Markdown {
    layout: Layout,
    names: Vec<String>,
    rule: String,
    has_header: bool,
}

impl Markdown {
    /// Returns a renderer.
    pub(super) fn new(schema: &Schema, layout: Layout) -> Self {
        let fields = schema.fields().iter();
        let names = fields.clone().map(|field| cell(&escape_controls(field.name()))).collect();
        let rules = fields.map(|field| match is_right_aligned(field.data_type()) {
            true => "---:",
            false => "---",
        });
        let rule = row_of(rules);
        Self { layout, names, rule, has_header: false }
    }

    fn write_header(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if std::mem::replace(&mut self.has_header, true) {
            return Ok(());
        }
        if self.layout.follows_output {
            writeln!(out)?;
        }
        writeln!(out, "{}\n{}", row_of(self.names.iter().map(String::as_str)), self.rule)
    }
}

impl Renderer for Markdown {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        self.write_header(out)?;
        for row in 0..batch.num_rows() {
            let value = |column| read(column, row).shown(&self.layout);
            let cells: Vec<String> =
                batch.columns().iter().map(|column| cell(&value(column))).collect();
            writeln!(out, "{}", row_of(cells.iter().map(String::as_str)))?;
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        match summary.failure.is_some() && summary.n_rows == 0 {
            true => Ok(()),
            false => self.write_header(out),
        }
    }
}

fn row_of<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut row = String::from("|");
    for cell in cells {
        row.push(' ');
        row.push_str(cell);
        row.push_str(" |");
    }
    row
}

/// Returns a text as a cell takes it: what Markdown or HTML would read otherwise is escaped.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => cell.push_str("&lt;"),
            '&' => cell.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '~' => cell.extend(['\\', character]),
            other => cell.push(other),
        }
    }
    cell
}

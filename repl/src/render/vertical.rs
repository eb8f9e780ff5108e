//! Rows as lists of their columns, for people: one line a value, and nothing is hidden.
//! Values that are wider than the screen go on in the next line.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sessionql_core::display::escape_controls;
use unicode_width::UnicodeWidthStr as _;

use super::footer::{self, Hidden};
use super::table::{cut, wrapped};
use super::value::{Value, read};
use super::{Layout, Renderer, Summary};
use crate::report::Paint;

/// What stands between a name and its value.
const GAP: &str = "  ";

/// How narrow values may become before names give way.
const MIN_VALUE_WIDTH: usize = 8;

/// How long the line above a row is.
const RULE_WIDTH: usize = 40;

/// Prints rows one below the other.
pub(super) struct Vertical {
    layout: Layout,
    paint: Paint,
    names: Vec<String>,
    name_width: usize,
    n_rows: u64,
    n_hidden: u64,
}

impl Vertical {
    /// Returns a renderer.
    pub(super) fn new(schema: &Schema, layout: Layout) -> Self {
        let names: Vec<String> =
            schema.fields().iter().map(|field| escape_controls(field.name())).collect();
        let widest = names.iter().map(|name| name.width()).max().unwrap_or_default();
        let room = layout.width.saturating_sub(GAP.len() + MIN_VALUE_WIDTH).max(1);
        let paint = Paint::new(layout.is_coloured);
        Self { layout, paint, names, name_width: widest.min(room), n_rows: 0, n_hidden: 0 }
    }

    fn write_row(&self, batch: &RecordBatch, row: usize, out: &mut dyn Write) -> io::Result<()> {
        let title = format!("─ row {} ", self.n_rows);
        let rule = RULE_WIDTH.min(self.layout.width).saturating_sub(title.width());
        writeln!(out, "{}", self.paint.paint("2", &format!("{title}{}", "─".repeat(rule))))?;
        let room = self.layout.width.saturating_sub(self.name_width + GAP.len()).max(1);
        let indent = " ".repeat(self.name_width + GAP.len());
        for (name, column) in self.names.iter().zip(batch.columns()) {
            let lines = match read(column, row) {
                Value::Null => vec![self.paint.paint("2", &self.layout.null)],
                value => wrapped(&value.shown(&self.layout), room),
            };
            let name = cut(name, self.name_width);
            let padding = " ".repeat(self.name_width.saturating_sub(name.width()));
            let name = self.paint.paint("1", &name);
            for (idx, line) in lines.iter().enumerate() {
                match idx {
                    0 => writeln!(out, "{}", format!("{name}{padding}{GAP}{line}").trim_end())?,
                    _ => writeln!(out, "{indent}{line}")?,
                }
            }
        }
        Ok(())
    }
}

impl Renderer for Vertical {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        for row in 0..batch.num_rows() {
            if self.layout.max_rows.is_some_and(|max_rows| self.n_rows >= max_rows) {
                self.n_hidden += (batch.num_rows() - row) as u64;
                break;
            }
            if self.n_rows == 0 && self.layout.follows_output {
                out.write_all(b"\n")?;
            }
            self.n_rows += 1;
            self.write_row(batch, row, out)?;
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        if summary.failure.is_some() && summary.n_rows == 0 {
            return Ok(());
        }
        let hidden = Hidden { n_rows: self.n_hidden, ..Hidden::default() };
        footer::lines(&self.layout, summary, &hidden)
            .iter()
            .try_for_each(|line| writeln!(out, "{line}"))
    }
}

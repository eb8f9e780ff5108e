//! Comma-separated values: a header, then one line per row, each ended by `\n`.
//! NULL is an empty field and the empty text is `""`.
//! For a spreadsheet, which runs text that looks like a formula, such text can be quoted by `'`.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::value::{Value, read};
use super::{Renderer, Summary, unique_names};

/// With what text begins that spreadsheets take for a formula. Source: OWASP, "CSV Injection".
const FORMULA_STARTS: [char; 10] =
    ['=', '+', '-', '@', '\t', '\r', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Prints rows as csv.
pub(super) struct Csv {
    names: Vec<String>,
    follows_output: bool,
    guards_formulas: bool,
    has_header: bool,
}

impl Csv {
    /// Returns a renderer; `follows_output` sets the header apart from what stands above it, and
    /// `guards_formulas` puts a `'` before text that a spreadsheet would run.
    pub(super) fn new(schema: &Schema, follows_output: bool, guards_formulas: bool) -> Self {
        Self { names: unique_names(schema), follows_output, guards_formulas, has_header: false }
    }

    fn push_text(&self, line: &mut String, idx: usize, text: &str) {
        if self.guards_formulas && text.starts_with(FORMULA_STARTS) {
            push_field(line, idx, Some(&format!("'{text}")));
        } else {
            push_field(line, idx, Some(text));
        }
    }

    fn write_header(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.has_header {
            return Ok(());
        }
        self.has_header = true;
        let mut line = String::new();
        if self.follows_output {
            line.push('\n');
        }
        for (idx, name) in self.names.iter().enumerate() {
            self.push_text(&mut line, idx, name);
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    }
}

impl Renderer for Csv {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        self.write_header(out)?;
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            for (idx, column) in batch.columns().iter().enumerate() {
                match read(column, row) {
                    Value::Text(text) => self.push_text(&mut line, idx, &text),
                    other => push_field(&mut line, idx, other.machine_text().as_deref()),
                }
            }
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        if summary.failure.is_none() { self.write_header(out) } else { Ok(()) }
    }
}

fn push_field(line: &mut String, idx: usize, text: Option<&str>) {
    if idx > 0 {
        line.push(',');
    }
    let Some(text) = text else { return };
    if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}

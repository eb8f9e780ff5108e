//! JSON: one envelope per statement on one line, or one object per row.
//! Rows are printed as they come; an envelope says at its end whether it is complete.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use serde_json::json;
use sessionql_core::completeness::{Completeness, ConnectionReport, KnownGap, Off};

use super::value::{read, type_word, write_json_text};
use super::{Difference, Renderer, Summary, unique_names};

/// Prints one object per row.
pub(super) struct Lines {
    /// The columns' names as JSON with their colons.
    keys: Vec<String>,
}

impl Lines {
    /// Returns a renderer.
    pub(super) fn new(schema: &Schema) -> Self {
        let key = |name: &String| {
            let mut key = String::new();
            write_json_text(name, &mut key);
            key.push(':');
            key
        };
        Self { keys: unique_names(schema).iter().map(key).collect() }
    }

    /// Appends a row as an object, its columns in their order.
    fn push_row(&self, batch: &RecordBatch, row: usize, out: &mut String) {
        out.push('{');
        for (idx, (key, column)) in self.keys.iter().zip(batch.columns()).enumerate() {
            if idx > 0 {
                out.push(',');
            }
            out.push_str(key);
            read(column, row).write_json(out);
        }
        out.push('}');
    }
}

impl Renderer for Lines {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            self.push_row(batch, row, &mut line);
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// Prints one object per statement.
pub(super) struct Envelope {
    lines: Lines,
    columns: serde_json::Value,
    n_rows: u64,
    is_open: bool,
}

impl Envelope {
    /// Returns a renderer.
    pub(super) fn new(schema: &Schema) -> Self {
        let columns = unique_names(schema)
            .into_iter()
            .zip(schema.fields())
            .map(|(name, field)| json!({ "name": name, "type": type_word(field) }))
            .collect();
        Self { lines: Lines::new(schema), columns, n_rows: 0, is_open: false }
    }

    fn open(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_open {
            return Ok(());
        }
        self.is_open = true;
        write!(out, "{{\"schema_version\":1,\"columns\":{},\"rows\":[", self.columns)
    }
}

impl Renderer for Envelope {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> io::Result<()> {
        self.open(out)?;
        let mut object = String::new();
        for row in 0..batch.num_rows() {
            object.clear();
            if self.n_rows > 0 {
                object.push(',');
            }
            self.lines.push_row(batch, row, &mut object);
            out.write_all(object.as_bytes())?;
            self.n_rows += 1;
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        if summary.failure.is_some() && !self.is_open {
            return Ok(());
        }
        self.open(out)?;
        writeln!(out, "],\"meta\":{}}}", meta(summary))
    }
}

/// Returns what an envelope says of its rows. Rows before a failure are right, but not all.
fn meta(summary: &Summary) -> serde_json::Value {
    let completeness = &summary.completeness;
    let off = off(completeness, summary.failure.is_some());
    let mut meta = json!({
        "complete": off.is_none(),
        "off": off,
        "connections": completeness.connections.iter().map(connection).collect::<Vec<_>>(),
        "elapsed_ms": u64::try_from(summary.elapsed.as_millis()).unwrap_or(u64::MAX),
    });
    if !completeness.warnings.is_empty() {
        meta["warnings"] = json!(completeness.warnings);
    }
    if let Some(difference) = &summary.difference {
        meta["diff"] = diff(difference);
    }
    if let Some(failure) = &summary.failure {
        meta["error"] = json!(failure);
    }
    meta
}

/// Returns what was compared, and with what outcome.
fn diff(difference: &Difference) -> serde_json::Value {
    let changes = &difference.changes;
    json!({
        "compared": difference.is_compared,
        "epoch": difference.epoch,
        "run": difference.run,
        "added": changes.added.len(),
        "changed": changes.changed.len(),
        "removed": changes.removed.len(),
        "unchanged": changes.n_unchanged,
        "not_seen": changes.not_seen.len(),
    })
}

/// Returns the word for the way in which a result is off, if it is.
pub(super) fn off(completeness: &Completeness, has_failed: bool) -> Option<&'static str> {
    match completeness.off {
        Some(Off::Wrong) => Some("wrong"),
        Some(Off::Missing) => Some("missing"),
        None if has_failed => Some("missing"),
        None => None,
    }
}

/// Returns the gaps of a connection.
pub(super) fn gaps(report: &ConnectionReport) -> Vec<serde_json::Value> {
    let gap = |known: &KnownGap| {
        let (reason, message) = (known.gap.reason.as_str(), known.gap.message.as_str());
        json!({ "reason": reason, "message": message, "accepted": known.is_accepted })
    };
    report.gaps.iter().map(gap).collect()
}

fn connection(report: &ConnectionReport) -> serde_json::Value {
    json!({
        "connection": report.connection,
        "complete": report.is_complete(),
        "gaps": gaps(report),
        "notes": report.notes,
        "rows": report.n_rows,
        "requests": report.n_requests,
        "retries": report.n_retries,
        "waited_ms": report.waited_ms,
        "from_cache": report.from_cache.is_some(),
    })
}

//! Sessions over time, as a picture: in characters, as SVG, or as a page.
//! In: rows with a start and an end; which columns those are, `columns.rs` decides. Out: nothing
//! before the last row, and then the picture, for its edges depend on all of them.

mod axis;
mod columns;
mod html;
mod lanes;
mod svg;
mod terminal;
mod xml;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use sessionql_core::completeness::Off;
use sessionql_core::display::{escape_controls, grouped};

use super::footer::{self, Hidden};
use super::value::{Value, read};
use super::{Layout, Renderer, Summary, unique_names};
use crate::cli::Format;
use crate::report::Paint;
use crate::usage::Refusal;
use columns::Columns;
use lanes::{Collected, Range};

/// How many sessions are drawn in characters.
const MAX_SESSIONS: u64 = 100_000;

/// How many are drawn as shapes, each of which has its own text.
const MAX_SHAPES: u64 = 20_000;

/// How much a session tells of itself: columns, and characters of each.
const MAX_DETAILS: usize = 16;
const MAX_DETAIL: usize = 200;

/// Draws rows as a picture.
pub(super) struct Timeline {
    layout: Layout,
    names: Vec<String>,
    columns: Columns,
    owner: &'static str,
    collected: Collected,
}

impl Timeline {
    /// Returns a renderer.
    ///
    /// # Errors
    /// If the result has no start and end, or a file would have two pictures.
    pub(super) fn new(schema: &Schema, layout: Layout) -> Result<Self, Refusal> {
        if layout.follows_output && layout.format != Format::Timeline {
            return Err(Refusal::new("a file holds one picture")
                .with_hint("run one query for each, or `--format timeline`"));
        }
        let columns = Columns::find(schema)?;
        let is_user = columns.user.is_some_and(|user| schema.field(user).name().as_str() == "user");
        Ok(Self {
            names: unique_names(schema),
            columns,
            owner: if is_user { "user" } else { "lane" },
            collected: Collected::default(),
            layout,
        })
    }

    /// Returns the session of a row in words.
    fn detail(&self, batch: &RecordBatch, row: usize) -> String {
        let columns = self.names.iter().zip(batch.columns()).take(MAX_DETAILS);
        let lines = columns.filter_map(|(name, array)| {
            let value = read(array, row);
            (value != Value::Null).then(|| {
                let text = super::table::cut(&value.human_text(self.layout.time_zone), MAX_DETAIL);
                format!("{}: {text}", escape_controls(name))
            })
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn lane(&self, batch: &RecordBatch, row: usize, column: Option<usize>) -> String {
        let Some(column) = column else { return String::new() };
        match read(batch.column(column), row) {
            Value::Null if self.layout.null.is_empty() => "NULL".to_owned(),
            value => value.shown(&self.layout),
        }
    }

    /// Returns what is missing, in a sentence each, for a picture that has nothing below it.
    fn notes(&self, summary: &Summary) -> Vec<String> {
        let mut notes = Vec::new();
        match summary.completeness.off {
            Some(Off::Missing) => notes.push("incomplete: rows may be missing".to_owned()),
            Some(Off::Wrong) => notes.push("incomplete: rows may be wrong".to_owned()),
            None => {}
        }
        for report in &summary.completeness.connections {
            for known in report.gaps.iter().filter(|known| !known.is_accepted) {
                let (connection, gap) = (&report.connection, &known.gap);
                notes.push(format!("{connection}: {} ({})", gap.message, gap.reason));
            }
        }
        notes.extend(summary.failure.as_ref().map(|failure| format!("incomplete: {failure}")));
        notes
    }
}

impl Renderer for Timeline {
    fn rows(&mut self, batch: &RecordBatch, _out: &mut dyn Write) -> io::Result<()> {
        let is_text = self.layout.format == Format::Timeline;
        let most = if is_text { MAX_SESSIONS } else { MAX_SHAPES };
        for row in 0..batch.num_rows() {
            let lane = (
                self.lane(batch, row, self.columns.user),
                self.lane(batch, row, self.columns.connection),
            );
            let instant = |column: usize| match read(batch.column(column), row) {
                Value::Timestamp(micros) => Some(micros),
                _ => None,
            };
            let (start, end) = (instant(self.columns.start), instant(self.columns.end));
            let detail = if is_text { String::new() } else { self.detail(batch, row) };
            self.collected.add(lane, start, end, || detail);
        }
        if self.collected.n_sessions > most {
            // To leave some out would be a wrong picture of the rest.
            let most = grouped(most);
            return Err(io::Error::other(format!("a picture holds at most {most} sessions")));
        }
        Ok(())
    }

    fn finish(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        if summary.failure.is_some() && summary.n_rows == 0 {
            return Ok(());
        }
        let layout = &self.layout;
        let (zone, asked) = (layout.time_zone, &layout.picture);
        let range = Range {
            since: asked.window.0.map(|since| since.timestamp_micros()),
            until: asked.window.1.map(|until| until.timestamp_micros()),
            now: asked.now.timestamp_micros(),
        };
        let picture = std::mem::take(&mut self.collected).into_picture(self.owner, range);
        match layout.format {
            Format::Svg => {
                out.write_all(svg::draw(&picture, &self.notes(summary), zone).as_bytes())
            }
            Format::Html => {
                let svg = svg::draw(&picture, &self.notes(summary), zone);
                let facts = html::Facts {
                    asked: format!("{} {}", axis::moment(range.now, zone), zone.name()),
                    query: asked.query.as_deref(),
                    completeness: &summary.completeness,
                    failure: summary.failure.as_deref(),
                };
                out.write_all(html::page(&picture, &svg, &facts).as_bytes())
            }
            _ => {
                if layout.follows_output {
                    writeln!(out)?;
                }
                let style = terminal::Style {
                    width: asked.width,
                    is_ascii: asked.is_ascii,
                    paint: Paint::new(layout.is_coloured),
                    zone,
                };
                let below = Layout { width: asked.width.max(20), ..layout.clone() };
                let mut lines = terminal::draw(&picture, style);
                lines.extend(footer::lines(&below, summary, &Hidden::default()));
                lines.iter().try_for_each(|line| writeln!(out, "{line}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;

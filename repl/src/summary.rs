//! How each file of a run ended, a JSON line each on standard error: what `--summary` asks for.
//! In: what became of the file's statements. Out: one line, also for a file that did not run, so that
//! whoever reads them can tell that all is well from that nothing was looked at.

use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value, json};
use sessionql_core::completeness::Off;

use crate::exit::Exit;
use crate::render::Summary;
use crate::run::Usage;
use crate::saved::SavedQuery;
use crate::script::Source;

/// Why a file did not run because of another one.
const NOT_RUN: &str = "not run, because of what went wrong before";

/// What became of one file.
#[derive(Debug, Default)]
pub(crate) struct FileSummary {
    file: Option<String>,
    saved: SavedQuery,
    exit: Option<Exit>,
    n_rows: u64,
    off: Option<Off>,
    /// What was expected, and whether it holds as far as it was judged.
    expectation: Option<(String, Option<bool>)>,
    usage: Usage,
    began: Option<Instant>,
    n_results: usize,
    error: Option<String>,
}

impl FileSummary {
    /// Returns the summary of a file of which nothing has run yet.
    pub(crate) fn new(file: Option<String>, saved: &SavedQuery) -> Self {
        let error = Some(NOT_RUN.to_owned());
        Self { file, saved: saved.clone(), error, ..Self::default() }
    }

    /// Notes that the file runs.
    pub(crate) fn begin(&mut self) {
        (self.exit, self.error) = (Some(Exit::Success), None);
        self.began = Some(Instant::now());
    }

    /// Notes how a statement ended that came to its end.
    pub(crate) fn add(&mut self, summary: &Summary, exit: Exit) {
        self.exit = self.exit.max(Some(exit));
        self.n_results += 1;
        self.n_rows += summary.n_rows;
        // That rows may be wrong is worse than that some may be missing.
        if self.off != Some(Off::Wrong) {
            self.off = summary.completeness.off.or(self.off);
        }
    }

    /// Notes whether a result is as expected; nothing if it cannot be judged. All results must be.
    pub(crate) fn judge(&mut self, expected: &str, is_met: Option<bool>) {
        let is_met = match &self.expectation {
            Some((_, before)) => before.zip(is_met).map(|(before, now)| before && now),
            None => is_met,
        };
        self.expectation = Some((expected.to_owned(), is_met));
    }

    /// Notes what ended the file before its end.
    pub(crate) fn fail(&mut self, exit: Exit, error: String) {
        self.exit = self.exit.max(Some(exit));
        self.error = Some(error);
    }

    /// Notes what its requests were.
    pub(crate) fn cost(&mut self, usage: Usage) {
        self.usage = usage;
    }

    /// Writes the line. That standard error may be closed is nothing to fail for.
    pub(crate) fn tell(&self) {
        let _written = writeln!(std::io::stderr(), "{}", self.json());
    }

    fn json(&self) -> Value {
        let has_failed = self.error.is_some();
        // What is wrong before the first request has no rows; what fails later may have some.
        let is_refused = matches!(self.exit, Some(Exit::Input | Exit::Plugin));
        let has_run = self.began.is_some() && (self.n_results > 0 || !is_refused);
        let complete = has_run.then_some(!has_failed && self.off.is_none());
        let off = match self.off {
            Some(Off::Wrong) => Some("wrong"),
            Some(Off::Missing) => Some("missing"),
            // What did not come to its end has some of its rows at most.
            None => (has_run && has_failed).then_some("missing"),
        };
        let elapsed = self.began.map(|began| began.elapsed()).unwrap_or_default();
        json!({
            "schema_version": 1,
            "file": self.file,
            "name": self.saved.name,
            "severity": self.saved.severity,
            "tags": self.saved.tags,
            "exit": self.exit.map(Exit::code),
            "rows": has_run.then_some(self.n_rows),
            "complete": complete,
            "off": off,
            "expectation": self.expectation.as_ref().map(|(text, is_met)| {
                json!({ "text": text, "met": is_met })
            }),
            "requests": self.usage.n_requests,
            "retries": self.usage.n_retries,
            "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "error": self.error.as_ref().map(|message| json!({ "message": message })),
        })
    }
}

/// Tells of files of which none runs: because of one of them, or of what concerns all.
pub(crate) fn tell_refused(sources: &[Source], at_fault: Option<usize>, exit: Exit, error: &str) {
    let standard_input = [Source::File("-".into())];
    let sources = if sources.is_empty() { &standard_input } else { sources };
    for (source_idx, source) in sources.iter().enumerate() {
        let mut summary = FileSummary::new(source.name(), &SavedQuery::default());
        if at_fault.is_none_or(|at_fault| at_fault == source_idx) {
            summary.fail(exit, error.to_owned());
        }
        summary.tell();
    }
}

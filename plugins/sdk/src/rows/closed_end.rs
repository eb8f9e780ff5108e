//! Makes the end of each session agree with its status, record by record.

use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::Gap;

use crate::error::Result;
use crate::table::ClosedEnd;

/// A [`ClosedEnd`] with its columns found, and what the current record said so far.
#[derive(Debug)]
pub(super) struct EndRule {
    pub(super) end: usize,
    start: usize,
    duration: Option<usize>,
    status: usize,
    open: &'static [&'static str],
    closed: &'static [&'static str],
    seen: Seen,
    n_inferred: u64,
    /// Closed sessions of which nothing tells when they ended.
    n_unproven: u64,
    n_ignored: u64,
}

#[derive(Debug, Default)]
struct Seen {
    start_us: Option<i64>,
    end_us: Option<i64>,
    duration_us: Option<i64>,
    is_open: bool,
    is_closed: bool,
}

impl EndRule {
    pub(super) fn new(
        rule: &ClosedEnd,
        mut cell: impl FnMut(&'static str) -> Result<usize>,
    ) -> Result<Self> {
        Ok(Self {
            end: cell(rule.end)?,
            start: cell(rule.start)?,
            duration: rule.duration.map(&mut cell).transpose()?,
            status: cell(rule.status)?,
            open: rule.open,
            closed: rule.closed,
            seen: Seen::default(),
            n_inferred: 0,
            n_unproven: 0,
            n_ignored: 0,
        })
    }

    /// Looks at a text of the record.
    pub(super) fn see_text(&mut self, cell: usize, text: &str) {
        if cell == self.status {
            self.seen.is_open = self.open.contains(&text);
            self.seen.is_closed = self.closed.contains(&text);
        }
    }

    /// Looks at a time or duration of the record. Returns whether it is the end, which waits for
    /// the rest of the record.
    pub(super) fn see_us(&mut self, cell: usize, us: i64) -> bool {
        if cell == self.start {
            self.seen.start_us = Some(us);
        } else if Some(cell) == self.duration {
            self.seen.duration_us = Some(us);
        } else if cell == self.end {
            self.seen.end_us = Some(us);
        }
        cell == self.end
    }

    /// Returns the record's end and forgets the record.
    pub(super) fn resolve(&mut self) -> Option<i64> {
        let Seen { start_us, end_us, duration_us, is_open, is_closed } =
            std::mem::take(&mut self.seen);
        match end_us {
            Some(_) if is_open => {
                self.n_ignored += 1;
                None
            }
            None if is_closed => {
                self.n_unproven += u64::from(start_us.is_none() || duration_us.is_none());
                let start_us = start_us?;
                self.n_inferred += 1;
                Some(start_us.saturating_add(duration_us.unwrap_or(0).max(0)))
            }
            end_us => end_us,
        }
    }

    /// Returns what the user should know of the rows.
    pub(super) fn notes(&self) -> Vec<String> {
        let inferred = (self.n_inferred > 0).then(|| {
            let what = "came closed but without an end and got one from start and duration";
            format!("end_inferred: {} {what}", sessions(self.n_inferred))
        });
        let ignored = (self.n_ignored > 0).then(|| {
            let what = "came open but with an end, which is left out";
            format!("end_ignored: {} {what}", sessions(self.n_ignored))
        });
        inferred.into_iter().chain(ignored).collect()
    }

    /// Returns what makes an answer wrong: an end that is nothing but the start, or missing, cuts a
    /// session that lasted, and a window passes it by.
    pub(super) fn gap(&self) -> Option<Gap> {
        let what = "came closed without an end and without what proves one: the end that is shown is too early, or missing";
        let message = format!("{} {what}", sessions(self.n_unproven));
        (self.n_unproven > 0).then_some(Gap { reason: Reason::Clamped, message })
    }
}

fn sessions(n: u64) -> String {
    format!("{n} session{}", if n == 1 { "" } else { "s" })
}

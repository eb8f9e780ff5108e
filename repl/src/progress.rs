//! Tells on a terminal how far a slow query has come: one line on stderr, drawn over and over, and
//! gone before anything else is printed.
//! In: what the engine says of its scans. Out: nothing for a query of less than a second, for one
//! whose stderr is no terminal, or with `--quiet`.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sessionql_core::completeness::Progress;
use sessionql_core::display::{count, escape_controls};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::environment;

/// How long a query may take before it is told of.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(200);
/// Goes to the begin of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// The line of one statement.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    /// When to draw it next; nothing if it is never drawn.
    ticks: Option<Interval>,
    is_drawn: bool,
}

impl ProgressLine {
    /// Returns the line of a statement that begins now.
    pub(crate) fn new(is_quiet: bool) -> Self {
        let is_on = !is_quiet && std::io::stderr().is_terminal() && environment::moves_cursor();
        let ticks = is_on.then(|| {
            let mut ticks = tokio::time::interval_at(Instant::now() + PATIENCE, EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self { ticks, is_drawn: false }
    }

    /// Waits until the line is to be drawn.
    pub(crate) async fn due(&mut self) {
        match &mut self.ticks {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Draws the line.
    pub(crate) fn draw(&mut self, progress: &Progress, zone: Tz) {
        let width = environment::progress_width().saturating_sub(1);
        let line: String = line(progress, Utc::now(), zone).chars().take(width).collect();
        write(&format!("{CLEAR}{line}"));
        self.is_drawn = true;
    }

    /// Takes the line away, so that something else may be printed.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            write(CLEAR);
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.clear();
    }
}

/// That stderr may be closed is nothing to fail for.
fn write(text: &str) {
    let _written = std::io::stderr().write_all(text.as_bytes());
}

/// Returns how far a statement has come, in words.
fn line(progress: &Progress, now: DateTime<Utc>, zone: Tz) -> String {
    let Progress { n_requests, n_pages, n_rows, waiting, waits_until } = progress;
    let mut line = format!(
        "reading: {}, {}, {}",
        count(*n_rows, "row"),
        count(*n_pages, "page"),
        count(*n_requests, "request")
    );
    if let (Some(connection), Some(until)) = (waiting, waits_until) {
        let until = now + until.saturating_duration_since(Instant::now());
        // Writing to a text cannot fail.
        let _written = write!(
            line,
            "; `{}` waits until {}",
            escape_controls(connection),
            until.with_timezone(&zone).format("%H:%M:%S")
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_tells_rows_pages_requests_and_waits() {
        let now = DateTime::UNIX_EPOCH;
        let mut progress = Progress { n_requests: 1, ..Progress::default() };
        assert_eq!(line(&progress, now, Tz::UTC), "reading: 0 rows, 0 pages, 1 request");
        progress = Progress {
            n_requests: 14,
            n_pages: 12,
            n_rows: 1_204,
            waiting: Some("vpn".to_owned()),
            waits_until: Some(Instant::now() + Duration::from_secs(75)),
        };
        assert_eq!(
            line(&progress, now, Tz::UTC),
            "reading: 1,204 rows, 12 pages, 14 requests; `vpn` waits until 00:01:15"
        );
    }

    #[tokio::test]
    async fn no_line_is_due_where_it_is_not_wanted() {
        let mut line = ProgressLine::new(true);
        let due = tokio::time::timeout(Duration::from_millis(10), line.due()).await;
        assert!(due.is_err());
    }
}

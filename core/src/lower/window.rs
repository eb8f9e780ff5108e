//! SINCE, UNTIL and AT: their bounds, and the predicate they stand for.

use chrono::{DateTime, Utc};
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::TimeWindow;

use super::literal::{timestamp, written};
use super::{Constants, LowerError, LowerErrorKind, Lowering, Result, blank};

/// The time window of a SELECT.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// The beginning, included.
    since: Option<DateTime<Utc>>,
    /// The end, not included unless it is the beginning, which then is the instant meant.
    until: Option<DateTime<Utc>>,
    is_default: bool,
}

impl Bounds {
    /// Returns whether the SELECT has no window of its own and this one is that of the run.
    pub(super) fn is_default(&self) -> bool {
        self.is_default
    }

    /// Returns the predicate on the columns of a session's start and end.
    pub(super) fn predicate(&self, start: &str, end: &str) -> sql::Expr {
        let column = |name| sql::Expr::Identifier(blank::quoted(name));
        blank::call(
            "open_during",
            [column(start), column(end), timestamp(self.since), timestamp(self.until)],
        )
    }
}

impl Lowering<'_> {
    pub(super) fn constants(&self) -> Constants {
        Constants { now: self.context.now, time_zone: self.context.time_zone }
    }

    /// Evaluates the window of a SELECT, or the default one.
    pub(super) fn window(&self, window: Option<&TimeWindow>) -> Result<Option<Bounds>> {
        let (since, until, span) = match window {
            None => {
                let (since, until) = (self.context.since, self.context.until);
                let bounds = Bounds { since, until, is_default: true };
                return Ok((since.is_some() || until.is_some()).then_some(bounds));
            }
            Some(TimeWindow::At { instant, .. }) => {
                let at = self.constants().bound(instant, "AT")?;
                if at > self.context.now {
                    let kind = LowerErrorKind::InFuture { instant: written(at) };
                    return Err(LowerError::new(kind, instant.span));
                }
                return Ok(Some(Bounds { since: Some(at), until: Some(at), is_default: false }));
            }
            Some(TimeWindow::Between { since, until, span }) => (since, until, *span),
        };
        let since =
            since.as_ref().map(|since| self.constants().bound(since, "SINCE")).transpose()?;
        let until =
            until.as_ref().map(|until| self.constants().bound(until, "UNTIL")).transpose()?;
        match (since, until) {
            (Some(since), Some(until)) if since >= until => {
                let kind =
                    LowerErrorKind::EmptyWindow { since: written(since), until: written(until) };
                Err(LowerError::new(kind, span))
            }
            _ => Ok(Some(Bounds { since, until, is_default: false })),
        }
    }

    /// Refuses a window that met no table of sessions.
    pub(super) fn check_windowed(&self, window: Option<&TimeWindow>) -> Result<()> {
        let (clause, span) = match window {
            Some(TimeWindow::At { span, .. }) => ("AT", *span),
            Some(TimeWindow::Between { since: Some(_), span, .. }) => ("SINCE", *span),
            Some(TimeWindow::Between { span, .. }) => ("UNTIL", *span),
            None => return Ok(()),
        };
        if self.n_windowed > 0 {
            return Ok(());
        }
        Err(LowerError::new(LowerErrorKind::NoSessionTable { clause }, span))
    }
}

//! SINCE, UNTIL and AT: constants evaluated to instants, and the predicate they stand for.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, BinaryOp, ExprKind, Literal, Span, TimeWindow};

use super::literal::{bad_time, in_range, timestamp, written};
use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank, interval};
use crate::instant;

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

/// What a constant expression of time is.
enum Constant {
    Instant(DateTime<Utc>),
    Duration(TimeDelta),
}

impl Lowering<'_> {
    /// Evaluates the window of a SELECT, or the default one.
    pub(super) fn window(&self, window: Option<&TimeWindow>) -> Result<Option<Bounds>> {
        let (since, until, span) = match window {
            None => {
                let (since, until) = (self.context.since, self.context.until);
                let bounds = Bounds { since, until, is_default: true };
                return Ok((since.is_some() || until.is_some()).then_some(bounds));
            }
            Some(TimeWindow::At { instant, .. }) => {
                let at = self.bound(instant, "AT")?;
                if at > self.context.now {
                    let kind = LowerErrorKind::InFuture { instant: written(at) };
                    return Err(LowerError::new(kind, instant.span));
                }
                return Ok(Some(Bounds { since: Some(at), until: Some(at), is_default: false }));
            }
            Some(TimeWindow::Between { since, until, span }) => (since, until, *span),
        };
        let since = since.as_ref().map(|since| self.bound(since, "SINCE")).transpose()?;
        let until = until.as_ref().map(|until| self.bound(until, "UNTIL")).transpose()?;
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

    /// Evaluates one bound; a duration means that long ago.
    fn bound(&self, expr: &ast::Expr, clause: &'static str) -> Result<DateTime<Utc>> {
        let instant = match self.constant(expr, clause)? {
            Constant::Instant(instant) => instant,
            Constant::Duration(duration) => self.moved(self.context.now, -duration, expr.span)?,
        };
        in_range(instant, expr.span)
    }

    fn constant(&self, expr: &ast::Expr, clause: &'static str) -> Result<Constant> {
        let not_constant = || LowerError::new(LowerErrorKind::NotConstant { clause }, expr.span);
        match &expr.kind {
            ExprKind::Nested(inner) => self.constant(inner, clause),
            ExprKind::Literal(literal) => {
                self.constant_literal(literal, expr.span).unwrap_or_else(|| Err(not_constant()))
            }
            ExprKind::Column(name) => match name.parts.as_slice() {
                [word] if !word.is_quoted => {
                    self.clock_word(&word.normalized()).ok_or_else(not_constant)
                }
                _ => Err(not_constant()),
            },
            ExprKind::Parameter(name) => self.constant(&self.parameter_value(name)?, clause),
            ExprKind::Function(function) => {
                match (function.name.parts.as_slice(), &function.arguments) {
                    ([name], Arguments::List { items, .. }) if items.is_empty() => {
                        self.clock_word(&name.normalized()).ok_or_else(not_constant)
                    }
                    ([name], Arguments::List { items, .. })
                        if name.matches("ago") && items.len() == 1 =>
                    {
                        let duration = items.first().map(|item| self.constant(&item.value, clause));
                        match duration.transpose()? {
                            Some(Constant::Duration(duration)) => self
                                .moved(self.context.now, -duration, expr.span)
                                .map(Constant::Instant),
                            _ => Err(not_constant()),
                        }
                    }
                    _ => Err(not_constant()),
                }
            }
            ExprKind::Cast { operand, .. } => match &innermost(operand).kind {
                ExprKind::Literal(Literal::Text(text)) => {
                    self.instant(text, expr.span).map(Constant::Instant)
                }
                _ => Err(not_constant()),
            },
            ExprKind::Sign { is_minus, operand } => match self.constant(operand, clause)? {
                Constant::Duration(duration) => {
                    Ok(Constant::Duration(if *is_minus { -duration } else { duration }))
                }
                Constant::Instant(_) => Err(not_constant()),
            },
            ExprKind::Binary { op, left, right, .. } => {
                let sign = match op {
                    BinaryOp::Add => 1,
                    BinaryOp::Subtract => -1,
                    _ => return Err(not_constant()),
                };
                match (self.constant(left, clause)?, self.constant(right, clause)?, sign) {
                    (Constant::Instant(instant), Constant::Duration(duration), sign) => {
                        self.moved(instant, duration * sign, expr.span).map(Constant::Instant)
                    }
                    (Constant::Duration(duration), Constant::Instant(instant), 1) => {
                        self.moved(instant, duration, expr.span).map(Constant::Instant)
                    }
                    (Constant::Duration(left), Constant::Duration(right), sign) => left
                        .checked_add(&(right * sign))
                        .map(Constant::Duration)
                        .ok_or_else(|| LowerError::new(LowerErrorKind::TimeOutOfRange, expr.span)),
                    (Constant::Instant(left), Constant::Instant(right), -1) => {
                        Ok(Constant::Duration(left - right))
                    }
                    _ => Err(not_constant()),
                }
            }
            _ => Err(not_constant()),
        }
    }

    fn constant_literal(&self, literal: &Literal, span: Span) -> Option<Result<Constant>> {
        Some(match literal {
            Literal::Duration(micros) => Ok(Constant::Duration(TimeDelta::microseconds(*micros))),
            Literal::Text(text) | Literal::Timestamp(text) | Literal::Date(text) => {
                self.text_instant(text, span).map(Constant::Instant)
            }
            Literal::Interval(text) => match interval::parse(text)? {
                interval::Interval::Exact(micros) => {
                    Ok(Constant::Duration(TimeDelta::microseconds(micros)))
                }
                interval::Interval::Calendar => return None,
            },
            _ => return None,
        })
    }

    /// Reads a date, a time, or a time of today such as `14:05`.
    fn text_instant(&self, text: &str, span: Span) -> Result<DateTime<Utc>> {
        let time = ["%H:%M", "%H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveTime::parse_from_str(text.trim(), format).ok());
        match time {
            Some(time) => {
                let today = self.context.now.with_timezone(&self.context.time_zone).date_naive();
                instant::in_zone(today.and_time(time), self.context.time_zone)
                    .ok_or_else(|| bad_time(text, span))
            }
            None => self.instant(text, span),
        }
    }

    /// Returns the instant of `now`, `today` and `yesterday`: days begin in the query's zone.
    fn clock_word(&self, word: &str) -> Option<Constant> {
        let today = self.context.now.with_timezone(&self.context.time_zone).date_naive();
        let midnight = |date: chrono::NaiveDate| {
            instant::in_zone(date.and_time(NaiveTime::MIN), self.context.time_zone)
        };
        let instant = match word {
            "now" | "current_timestamp" | "localtimestamp" => Some(self.context.now),
            "today" | "current_date" => midnight(today),
            "yesterday" => midnight(today.checked_sub_days(Days::new(1))?),
            _ => None,
        };
        instant.map(Constant::Instant)
    }

    fn moved(&self, instant: DateTime<Utc>, by: TimeDelta, span: Span) -> Result<DateTime<Utc>> {
        instant
            .checked_add_signed(by)
            .ok_or_else(|| LowerError::new(LowerErrorKind::TimeOutOfRange, span))
    }
}

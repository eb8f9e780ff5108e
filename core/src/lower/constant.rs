//! Constant expressions of time: `24h`, `now - 1h`, `'14:05'`, `ago(2h)`.
//! In: an expression, or a text. Out: the instant, or that it is none.
//! Used for the bounds of time windows and for the values of parameters.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sessionql_grammar::ast::{self, Arguments, BinaryOp, ExprKind, Literal, Span, StatementKind};

use super::literal::{bad_time, in_range};
use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Result, interval};
use crate::instant;

/// What constants of time depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    /// The instant of `now()`.
    pub(crate) now: DateTime<Utc>,
    /// The zone of times without offset.
    pub(crate) time_zone: Tz,
}

/// What a constant expression of time is.
enum Constant {
    Instant(DateTime<Utc>),
    Duration(TimeDelta),
}

impl Constants {
    /// Evaluates an instant; a duration means that long ago.
    ///
    /// # Errors
    /// What is neither, or depends on rows.
    pub(crate) fn bound(&self, expr: &ast::Expr, clause: &'static str) -> Result<DateTime<Utc>> {
        let instant = match self.constant(expr, clause)? {
            Constant::Instant(instant) => instant,
            Constant::Duration(duration) => self.moved(self.now, -duration, expr.span)?,
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
                            Some(Constant::Duration(duration)) => {
                                self.moved(self.now, -duration, expr.span).map(Constant::Instant)
                            }
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

    /// Reads an instant that people write outside of queries: a time, a duration, which means that
    /// long ago, or `now`, `today` and `yesterday` with what is added or taken away.
    pub(crate) fn read(&self, text: &str) -> Option<DateTime<Utc>> {
        if let Ok(instant) = self.text_instant(text, Span::default()) {
            return in_range(instant, Span::default()).ok();
        }
        let mut statements = sessionql_grammar::parse(&format!("SET x = {text}")).ok()?;
        match (statements.pop()?.kind, statements.is_empty()) {
            (StatementKind::Set { value, .. }, true) => self.bound(&value, "a timestamp").ok(),
            _ => None,
        }
    }

    /// Reads a date or time, without offset in the zone.
    pub(super) fn instant(&self, text: &str, span: Span) -> Result<DateTime<Utc>> {
        let instant = instant::parse(text, self.time_zone).ok_or_else(|| bad_time(text, span))?;
        in_range(instant, span)
    }

    /// Reads a date, a time, or a time of today such as `14:05`.
    fn text_instant(&self, text: &str, span: Span) -> Result<DateTime<Utc>> {
        let time = ["%H:%M", "%H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveTime::parse_from_str(text.trim(), format).ok());
        match time {
            Some(time) => {
                let today = self.now.with_timezone(&self.time_zone).date_naive();
                instant::in_zone(today.and_time(time), self.time_zone)
                    .ok_or_else(|| bad_time(text, span))
            }
            None => self.instant(text, span),
        }
    }

    /// Returns the instant of `now`, `today` and `yesterday`: days begin in the query's zone.
    fn clock_word(&self, word: &str) -> Option<Constant> {
        let today = self.now.with_timezone(&self.time_zone).date_naive();
        let midnight = |date: chrono::NaiveDate| {
            instant::in_zone(date.and_time(NaiveTime::MIN), self.time_zone)
        };
        let instant = match word {
            "now" | "current_timestamp" | "localtimestamp" => Some(self.now),
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

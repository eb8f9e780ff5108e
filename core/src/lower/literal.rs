//! Constants: times in the query's zone, durations as exact time, the pinned clock.

use chrono::{DateTime, Datelike as _, NaiveDate, SecondsFormat, Utc};
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{Literal, Span};

use super::{LowerError, LowerErrorKind, Lowering, Result, blank, interval};

/// The type of instants, as the engine's `arrow_cast` names it.
const TIMESTAMP: &str = r#"Timestamp(Microsecond, Some("UTC"))"#;
/// The type of durations, as the engine's `arrow_cast` names it.
const DURATION: &str = "Duration(Microsecond)";

/// Returns the constant for an instant, or for NULL of that type.
pub(super) fn timestamp(instant: Option<DateTime<Utc>>) -> sql::Expr {
    let value = match instant {
        Some(instant) => blank::text(written(instant)),
        None => sql::Expr::value(sql::Value::Null),
    };
    blank::call("arrow_cast", [value, blank::text(TIMESTAMP)])
}

/// Returns an instant as text.
pub(super) fn written(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl Lowering<'_> {
    pub(super) fn literal(&mut self, literal: &Literal, span: Span) -> Result<sql::Expr> {
        Ok(match literal {
            Literal::Null => sql::Expr::value(sql::Value::Null),
            Literal::Bool(value) => sql::Expr::value(sql::Value::Boolean(*value)),
            Literal::Number(digits) => blank::number(digits),
            Literal::Text(text) => {
                self.strings.entry(text.clone()).or_default().push(span);
                let value = sql::Value::SingleQuotedString(text.clone());
                sql::Expr::Value(sql::ValueWithSpan { value, span: self.positions.span(span) })
            }
            Literal::Duration(micros) => self.duration(*micros),
            Literal::Date(text) => match NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d") {
                Ok(date) if has_whole_year(text) => self.date(date),
                _ => return Err(bad_time(text, span)),
            },
            Literal::Timestamp(text) => {
                let instant = self.instant(text, span)?;
                self.instant_literal(instant)
            }
            Literal::Time(text) => {
                typed(sql::DataType::Time(None, sql::TimezoneInfo::None), text.clone())
            }
            Literal::Interval(text) => self.interval(text, span)?,
        })
    }

    /// Reads a date or time, without offset in the query's zone.
    pub(super) fn instant(&self, text: &str, span: Span) -> Result<DateTime<Utc>> {
        if !has_whole_year(text) {
            return Err(bad_time(text, span));
        }
        self.constants().instant(text, span)
    }

    pub(super) fn instant_literal(&mut self, instant: DateTime<Utc>) -> sql::Expr {
        timestamp(Some(instant))
    }

    pub(super) fn duration(&mut self, micros: i64) -> sql::Expr {
        blank::call("arrow_cast", [blank::number(micros.to_string()), blank::text(DURATION)])
    }

    fn date(&mut self, date: NaiveDate) -> sql::Expr {
        typed(sql::DataType::Date, date.to_string())
    }

    /// Lowers an interval: one of days and shorter units is exact time like a duration, one with
    /// months or years counts in the calendar.
    pub(super) fn interval(&mut self, text: &str, span: Span) -> Result<sql::Expr> {
        match interval::parse(text) {
            Some(interval::Interval::Exact(micros)) => Ok(self.duration(micros)),
            Some(interval::Interval::Calendar) => {
                self.months.push(span);
                Ok(blank::interval(text))
            }
            None => {
                Err(LowerError::new(LowerErrorKind::BadInterval { text: text.to_owned() }, span))
            }
        }
    }

    /// Returns the constant for a function of the clock: all of them mean the pinned instant.
    pub(super) fn clock(&mut self, name: &str, span: Span) -> Result<Option<sql::Expr>> {
        Ok(match name {
            "current_timestamp" | "localtimestamp" => Some(self.instant_literal(self.context.now)),
            "current_date" => {
                let today = self.context.now.with_timezone(&self.context.time_zone).date_naive();
                Some(self.date(today))
            }
            "current_time" | "localtime" => return Err(LowerError::unsupported(name, span)),
            _ => None,
        })
    }

    pub(super) fn now(&mut self) -> sql::Expr {
        self.instant_literal(self.context.now)
    }
}

/// Returns whether a date begins with all digits of its year: with two, nobody knows the century.
fn has_whole_year(text: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    let text = text.trim();
    let n_digits = text.find(|c| !is_digit(c)).unwrap_or(text.len());
    n_digits >= 4 || !text[n_digits..].starts_with('-')
}

/// Refuses instants that cannot be written with four digits of the year.
pub(super) fn in_range(instant: DateTime<Utc>, span: Span) -> Result<DateTime<Utc>> {
    if (0..=9999).contains(&instant.year()) {
        Ok(instant)
    } else {
        Err(LowerError::new(LowerErrorKind::TimeOutOfRange, span))
    }
}

pub(super) fn bad_time(text: &str, span: Span) -> LowerError {
    LowerError::new(LowerErrorKind::BadTime { text: text.to_owned() }, span)
}

fn typed(data_type: sql::DataType, text: String) -> sql::Expr {
    let value = sql::Value::SingleQuotedString(text).with_empty_span();
    sql::Expr::TypedString(sql::TypedString { data_type, value, uses_odbc_syntax: false })
}

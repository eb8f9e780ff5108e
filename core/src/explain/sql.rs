//! Expressions of the engine as SQL that a person can read.
//! In: an expression in whatever shape the optimizer left it. Out: text close to what the user
//! wrote, one line, long lists shortened, values of sensitive columns masked. For reading, not for
//! parsing. `logical` and `physical` walk the two kinds of expressions, `names` cleans
//! the engine's names; this file knows the words.

mod logical;
mod names;
mod physical;

use std::collections::BTreeSet;

use chrono::{DateTime, Timelike as _};
use chrono_tz::Tz;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;

use crate::engine::words;
use crate::functions::{LIFETIME_CONTAINS, LIFETIMES_OVERLAP, OVERLAP, OVERLAP_END, OVERLAP_START};

/// How many items of a list are shown if there are more than a few.
const SHOWN_ITEMS: usize = 5;

/// The longest list that is shown whole.
const WHOLE_ITEMS: usize = 8;

/// The longest text literal that is shown whole, in characters.
const WHOLE_CHARS: usize = 60;

/// What stands in place of a value of a sensitive column.
pub(super) const MASK: &str = "***";

/// How tightly a text without operators binds.
const ATOM: u8 = 100;

/// How tightly `=`, IN, LIKE, IS and the like bind.
const COMPARISON: u8 = 20;

const NOT: u8 = 12;

/// Writes expressions.
#[derive(Debug, Clone, Default)]
pub(super) struct Writer {
    /// The zone in which instants are shown.
    pub(super) time_zone: Tz,
    /// The columns whose values are masked where they are compared.
    pub(super) sensitive: BTreeSet<String>,
    /// Whether all values are masked.
    hides_values: bool,
}

/// A text, and how tightly its outermost operator binds.
struct Text {
    sql: String,
    binding: u8,
}

impl Text {
    fn atom(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), binding: ATOM }
    }

    fn comparison(sql: String) -> Self {
        Self { sql, binding: COMPARISON }
    }

    /// Returns the text, in parentheses if it binds less tightly than `binding`.
    fn within(self, binding: u8) -> String {
        if self.binding < binding { format!("({})", self.sql) } else { self.sql }
    }
}

impl Writer {
    /// Returns a writer that shows instants in a zone and masks what is compared with these columns.
    pub(super) fn new(time_zone: Tz, sensitive: BTreeSet<String>) -> Self {
        Self { time_zone, sensitive, hides_values: false }
    }

    /// Returns the writer for an expression that names these columns.
    fn over<'a>(&self, mut columns: impl Iterator<Item = &'a str>) -> Self {
        let hides_values = self.hides_values || columns.any(|name| self.sensitive.contains(name));
        Self { hides_values, ..self.clone() }
    }

    fn literal(&self, value: &ScalarValue) -> Text {
        match value {
            value if value.is_null() => Text::atom("NULL"),
            ScalarValue::Boolean(Some(flag)) => Text::atom(if *flag { "TRUE" } else { "FALSE" }),
            _ if self.hides_values => Text::atom(MASK),
            ScalarValue::TimestampMicrosecond(Some(micros), Some(_)) => {
                Text::atom(quoted(&self.instant(*micros)))
            }
            ScalarValue::DurationMicrosecond(Some(micros)) => Text::atom(duration(*micros)),
            value => match value.try_as_str() {
                Some(Some(text)) => Text::atom(quoted(&shorten(text, WHOLE_CHARS))),
                _ => Text::atom(value.to_string()),
            },
        }
    }

    /// Returns an instant in the query's zone, with as many digits as it needs.
    fn instant(&self, micros: i64) -> String {
        let Some(instant) = DateTime::from_timestamp_micros(micros) else {
            return micros.to_string();
        };
        let local = instant.with_timezone(&self.time_zone);
        let format = match (local.second(), local.nanosecond()) {
            (0, 0) => "%Y-%m-%d %H:%M",
            (_, 0) => "%Y-%m-%d %H:%M:%S",
            (_, nanos) if nanos % 1_000_000 == 0 => "%Y-%m-%d %H:%M:%S%.3f",
            _ => "%Y-%m-%d %H:%M:%S%.6f",
        };
        local.format(format).to_string()
    }

    /// Returns the condition that a window is: `[since, until)`, either of which may be missing.
    fn window(&self, since: &ScalarValue, until: &ScalarValue) -> Text {
        let at = |bound: &ScalarValue| match bound {
            ScalarValue::TimestampMicrosecond(Some(micros), _) => Some(self.instant(*micros)),
            _ => None,
        };
        Text::comparison(match (at(since), at(until)) {
            (Some(since), Some(until)) if since == until => format!("open at {since}"),
            (Some(since), Some(until)) => format!("open during [{since}, {until})"),
            (Some(since), None) => format!("open at or after {since}"),
            (None, Some(until)) => format!("open before {until}"),
            (None, None) => "open at any time".to_owned(),
        })
    }
}

fn binary(op: Operator, left: Text, right: Text) -> Text {
    let binding = match op {
        Operator::Or | Operator::And => op.precedence(),
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom => COMPARISON,
        _ => op.precedence().max(COMPARISON + 1),
    };
    let word = match op {
        Operator::NotEq => "<>".to_owned(),
        op => op.to_string(),
    };
    let is_chain = matches!(op, Operator::Or | Operator::And);
    let right = right.within(if is_chain { binding } else { binding + 1 });
    Text { sql: format!("{} {word} {right}", left.within(binding)), binding }
}

/// Returns the text of operators that only functions stand for.
fn operator_of_function(name: &str) -> Option<Operator> {
    match name {
        "duration_multiply" | "integer_multiply" => Some(Operator::Multiply),
        "integer_add" => Some(Operator::Plus),
        "integer_subtract" => Some(Operator::Minus),
        "duration_divide" | "duration_ratio" => Some(Operator::Divide),
        _ => None,
    }
}

/// Returns what a function of lifetimes stands for; `None` if it is another function.
fn of_lifetimes(name: &str, args: impl Iterator<Item = Text>) -> Option<Text> {
    let args: Vec<String> = args.map(|arg| arg.sql).collect();
    let pair = |start: usize| Some(format!("({}, {})", args.get(start)?, args.get(start + 1)?));
    Some(match (name, args.len()) {
        (LIFETIMES_OVERLAP, 4) => Text::comparison(format!("{} OVERLAPS {}", pair(0)?, pair(2)?)),
        (LIFETIME_CONTAINS, 4) => Text::comparison(format!("{} CONTAINS {}", pair(0)?, pair(2)?)),
        (LIFETIME_CONTAINS, 3) => Text::comparison(format!("{} CONTAINS {}", pair(0)?, args[2])),
        // `now` is the last argument of `overlap`.
        (OVERLAP | OVERLAP_START | OVERLAP_END, 4 | 5) => {
            Text::atom(format!("{name}({}, {})", pair(0)?, pair(2)?))
        }
        _ => return None,
    })
}

fn call(name: &str, args: impl Iterator<Item = Text>) -> Text {
    let args: Vec<String> = args.map(|arg| arg.sql).collect();
    Text::atom(format!("{name}({})", args.join(", ")))
}

fn not(inner: Text) -> Text {
    Text { sql: format!("NOT {}", inner.within(NOT)), binding: NOT }
}

/// Returns `subject` with a test after it, such as `IS NULL`.
fn tested(subject: Text, test: &str) -> Text {
    Text::comparison(format!("{} {test}", subject.within(COMPARISON + 1)))
}

fn like(subject: Text, pattern: Text, negated: bool, ignores_case: bool) -> Text {
    let not = if negated { "NOT " } else { "" };
    let word = if ignores_case { "ILIKE" } else { "LIKE" };
    tested(subject, &format!("{not}{word} {}", pattern.within(COMPARISON + 1)))
}

fn in_list(subject: Text, items: impl ExactSizeIterator<Item = Text>, negated: bool) -> Text {
    let word = if negated { "NOT IN" } else { "IN" };
    let list = shorten_list(items.map(|item| item.sql));
    tested(subject, &format!("{word} ({list})"))
}

fn case(operand: Option<Text>, branches: Vec<(Text, Text)>, otherwise: Option<Text>) -> Text {
    let mut sql = "CASE".to_owned();
    if let Some(operand) = operand {
        sql.push_str(&format!(" {}", operand.sql));
    }
    for (when, then) in branches {
        sql.push_str(&format!(" WHEN {} THEN {}", when.sql, then.sql));
    }
    if let Some(otherwise) = otherwise {
        sql.push_str(&format!(" ELSE {}", otherwise.sql));
    }
    sql.push_str(" END");
    Text::atom(sql)
}

fn cast(inner: Text, data_type: &arrow::datatypes::DataType) -> Text {
    let name = words::ours(&data_type.to_string());
    Text::atom(format!("{}::{name}", inner.within(ATOM)))
}

/// Returns items with commas; of many only the first, and how many there are more.
pub(super) fn shorten_list(items: impl ExactSizeIterator<Item = String>) -> String {
    let n_items = items.len();
    let n_shown = if n_items > WHOLE_ITEMS { SHOWN_ITEMS } else { n_items };
    let mut shown: Vec<String> = items.take(n_shown).collect();
    if n_items > n_shown {
        shown.push(format!("… {} more", n_items - n_shown));
    }
    shown.join(", ")
}

/// Returns the beginning of a text that is longer than so many characters.
pub(super) fn shorten(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns a duration as the language writes it, whole: `1h30m`.
fn duration(micros: i64) -> String {
    let units = [
        ("d", 86_400_000_000),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
    ];
    let mut rest_us = micros.unsigned_abs();
    let mut text = String::new();
    for (unit, factor) in units {
        if rest_us >= factor {
            text.push_str(&format!("{}{unit}", rest_us / factor));
            rest_us %= factor;
        }
    }
    if rest_us > 0 {
        // The language has no unit for these; an interval says them.
        return format!("INTERVAL '{micros} microseconds'");
    }
    let sign = if micros < 0 { "-" } else { "" };
    if text.is_empty() { "0s".to_owned() } else { format!("{sign}{text}") }
}

#[cfg(test)]
mod tests;

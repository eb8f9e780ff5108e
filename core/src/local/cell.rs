//! One value of a text file, what type a column of such values has, and the value in that type.
//! A type is guessed only if no value loses a digit by it: `007`, `1.10` and numbers too long for
//! their type stay text. A declared type takes every spelling of its values, or says which it is not.

use chrono::SubsecRound as _;
use chrono_tz::Tz;
use serde::de::IgnoredAny;
use sessionql_plugin_abi::message::ColumnType;

use crate::{duration, instant};

/// The largest whole number up to which each one is a float.
const MOST_EXACT_INT: u64 = 1 << 53;

/// One value as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// There is none.
    Null,
    /// A field of CSV: it may mean anything.
    Field(String),
    /// A JSON string.
    Text(String),
    /// A JSON number, as written.
    Number(String),
    /// A JSON truth value.
    Bool(bool),
    /// A JSON list of strings and nulls, as written.
    List(String),
    /// Any other JSON list, or an object, as written.
    Json(String),
}

/// One value in its column's type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Text(std::borrow::Cow<'a, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// Microseconds: since 1970 in UTC, or of a duration.
    Micros(i64),
    List(Vec<Option<String>>),
}

/// What the values of a column were so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Guess {
    has_int: bool,
    /// A whole number that is no float.
    has_long_int: bool,
    has_float: bool,
    has_bool: bool,
    has_time: bool,
    has_text: bool,
    has_list: bool,
    has_json: bool,
}

impl Guess {
    /// Takes one more value into account.
    pub(super) fn see(&mut self, cell: &Cell, zone: Tz) {
        match cell {
            Cell::Null => {}
            Cell::Bool(_) => self.has_bool = true,
            Cell::List(_) => self.has_list = true,
            Cell::Json(_) => self.has_json = true,
            Cell::Number(text) => match (plain_int(text), exact_float(text)) {
                (Some(int), _) => self.see_int(int),
                (None, Some(_)) => self.has_float = true,
                (None, None) => self.has_text = true,
            },
            Cell::Text(text) if plain_time(text, zone) => self.has_time = true,
            Cell::Text(_) => self.has_text = true,
            Cell::Field(text) => match plain_int(text) {
                Some(int) => self.see_int(int),
                None if is_plain_fraction(text) && exact_float(text).is_some() => {
                    self.has_float = true;
                }
                None if bool_of(text).is_some() => self.has_bool = true,
                None if plain_time(text, zone) => self.has_time = true,
                None => self.has_text = true,
            },
        }
    }

    fn see_int(&mut self, int: i64) {
        self.has_int = true;
        self.has_long_int |= int.unsigned_abs() > MOST_EXACT_INT;
    }

    /// Returns the type that all values have.
    pub(super) fn column_type(self) -> ColumnType {
        let has_number = self.has_int || self.has_float;
        let kinds = [has_number, self.has_bool, self.has_time, self.has_text];
        let n_scalar_kinds = kinds.iter().filter(|has| **has).count();
        if self.has_json || (self.has_list && n_scalar_kinds > 0) {
            ColumnType::Json
        } else if self.has_list {
            ColumnType::TextList
        } else if n_scalar_kinds != 1 || self.has_text {
            ColumnType::Text
        } else if self.has_bool {
            ColumnType::Bool
        } else if self.has_time {
            ColumnType::Timestamp
        } else if !self.has_float {
            ColumnType::Int64
        } else if self.has_long_int {
            ColumnType::Text
        } else {
            ColumnType::Float64
        }
    }
}

impl Cell {
    /// Returns the value in a type; times without offset are in `zone`.
    ///
    /// # Errors
    /// What the value is not, for the end of a sentence.
    pub(crate) fn value(&self, column_type: ColumnType, zone: Tz) -> Result<Value<'_>, String> {
        if *self == Self::Null {
            return Ok(Value::Null);
        }
        let text = self.text();
        let no = |what: &str| Err(format!("`{}` is no {what}", shorten(&text)));
        match column_type {
            ColumnType::Text => Ok(Value::Text(text)),
            ColumnType::Json => {
                self.json().map_or_else(|| no("JSON"), |json| Ok(Value::Text(json)))
            }
            ColumnType::Int64 => {
                text.parse().map_or_else(|_| no("int64"), |int| Ok(Value::Int(int)))
            }
            ColumnType::Float64 => match text.parse::<f64>() {
                Ok(float) if float.is_finite() && !self.is_json_other() => Ok(Value::Float(float)),
                _ => no("float64"),
            },
            ColumnType::Bool => {
                bool_of(&text).map_or_else(|| no("bool"), |flag| Ok(Value::Bool(flag)))
            }
            ColumnType::Timestamp => match instant::parse(&text, zone) {
                Some(instant) => Ok(Value::Micros(instant.timestamp_micros())),
                None => no("date or time"),
            },
            ColumnType::Duration => match duration_us(&text) {
                Some(micros) => Ok(Value::Micros(micros)),
                None => no("duration"),
            },
            ColumnType::TextList => serde_json::from_str(&text)
                .map_or_else(|_| no("list of text"), |list| Ok(Value::List(list))),
        }
    }

    fn is_json_other(&self) -> bool {
        matches!(self, Self::List(_) | Self::Json(_) | Self::Bool(_))
    }

    /// Returns the value as text, numbers as they are written.
    fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Null => "".into(),
            Self::Bool(true) => "true".into(),
            Self::Bool(false) => "false".into(),
            Self::Field(text)
            | Self::Text(text)
            | Self::Number(text)
            | Self::List(text)
            | Self::Json(text) => text.into(),
        }
    }

    /// Returns the value as JSON: a field of CSV must be some, a JSON string becomes some.
    fn json(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(serde_json::Value::from(text.as_str()).to_string().into()),
            Self::Field(text) => serde_json::from_str::<IgnoredAny>(text).ok().map(|_| text.into()),
            other => Some(other.text()),
        }
    }
}

/// Returns a whole number that is written as one: no sign but `-`, no leading zero.
fn plain_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !digits.starts_with('0'));
    is_plain.then(|| text.parse().ok()).flatten()
}

/// Tells whether a text is `12.5`, as a float is written: no zero at its begin or end that could
/// mean something, no exponent.
fn is_plain_fraction(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once('.') else { return false };
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole)
        && is_digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && (fraction == "0" || !fraction.ends_with('0'))
}

/// Returns the float that a number is, if the float's own digits are those of the number. Where two
/// numbers are as near to a float, those who write it do not agree on its digits.
pub(super) fn exact_float(text: &str) -> Option<f64> {
    let float: f64 = text.parse().ok()?;
    let written = serde_json::Number::from_f64(float)?.to_string();
    let number = decimal_of(text)?;
    let same = number == decimal_of(&format!("{float:e}"))? && number == decimal_of(&written)?;
    same.then_some(float)
}

/// Returns sign, digits and the power of ten of the digit after the last, without zeros around.
fn decimal_of(text: &str) -> Option<(bool, String, i64)> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let digits = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_end_matches('0');
    if kept.is_empty() {
        return Some((number.starts_with('-'), String::new(), 0));
    }
    let n_dropped = i64::try_from(all.len() - kept.len()).ok()?;
    let power = exponent.checked_add(n_dropped - i64::try_from(fraction.len()).ok()?)?;
    Some((number.starts_with('-'), kept.trim_start_matches('0').to_owned(), power))
}

fn bool_of(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

/// Tells whether a text is a date or a time as they are written in full, no finer than microseconds.
fn plain_time(text: &str, zone: Tz) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let has_date = [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit)
        && bytes.get(4) == Some(&b'-')
        && bytes.get(7) == Some(&b'-');
    let has_time = match bytes.get(10) {
        None => true,
        Some(b' ' | b'T') => is_digit(11) && is_digit(12) && bytes.get(13) == Some(&b':'),
        Some(_) => false,
    };
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let n_digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let finer = fraction.get(6..n_digits).unwrap_or_default();
    has_date
        && has_time
        && text.trim_end() == text
        && finer.bytes().all(|digit| digit == b'0')
        && instant::parse(text, zone).is_some_and(|instant| instant.trunc_subsecs(6) == instant)
}

/// Reads `1h30m`, or ISO 8601 as our own output writes it.
fn duration_us(text: &str) -> Option<i64> {
    let micros = |duration: std::time::Duration| i64::try_from(duration.as_micros()).ok();
    if let Some(duration) = duration::parse(text) {
        return micros(duration);
    }
    duration::parse_iso8601(text)
}

/// Returns the begin of a long text.
fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(fields: &[&str]) -> ColumnType {
        let mut guess = Guess::default();
        for field in fields {
            guess.see(&Cell::Field((*field).to_owned()), Tz::UTC);
        }
        guess.column_type()
    }

    #[test]
    fn numbers_are_numbers_only_if_no_digit_is_lost() {
        assert_eq!(guess(&["1", "-20", "0"]), ColumnType::Int64);
        assert_eq!(guess(&["1", "2.5", "3.0", "-0.125"]), ColumnType::Float64);
        for text in [
            "007",
            "+1",
            "-0",
            "00",
            "1.10",
            "01.5",
            "1e5",
            "1E400",
            ".5",
            "5.",
            " 1",
            "0x10",
            "9223372036854775808",
            "0.12345678901234567891",
            "NaN",
            "inf",
            "1_000",
            "1,5",
        ] {
            assert_eq!(guess(&["1", text]), ColumnType::Text, "{text}");
        }
        assert_eq!(guess(&["9007199254740993", "0.5"]), ColumnType::Text);
        assert_eq!(guess(&["9007199254740993"]), ColumnType::Int64);
    }

    #[test]
    fn times_are_times_only_if_written_in_full() {
        assert_eq!(
            guess(&["2026-03-01", "2026-03-01 08:00", "2026-03-01T08:00:00.123456+02:00"]),
            ColumnType::Timestamp
        );
        for text in [
            "1-2-3",
            "2026-3-1",
            "12:00",
            "20260301",
            "2026-02-30",
            "2026-03-01 ",
            "2026-03-01T08:00:00.1234567Z",
            "2026-03-01x",
        ] {
            assert_eq!(guess(&["2026-03-01", text]), ColumnType::Text, "{text}");
        }
        assert_eq!(guess(&["2026-03-01T08:00:00.123456000Z"]), ColumnType::Timestamp);
    }

    #[test]
    fn mixed_columns_are_text_and_empty_ones_too() {
        assert_eq!(guess(&["true", "FALSE"]), ColumnType::Bool);
        assert_eq!(guess(&["true", "1"]), ColumnType::Text);
        assert_eq!(guess(&["2026-03-01", "1"]), ColumnType::Text);
        assert_eq!(guess(&[]), ColumnType::Text);
    }

    #[test]
    fn a_float_between_two_numbers_is_none_of_them() {
        assert_eq!(exact_float("600000000000000.2"), None);
        assert_eq!(exact_float("600000000000000.3"), None);
    }

    #[test]
    fn floats_that_keep_their_digits() {
        for text in ["0.1", "1e3", "1000", "123456789.125", "-0.0", "1.7976931348623157e308"] {
            assert!(exact_float(text).is_some(), "{text}");
        }
        for text in ["0.10000000000000000001", "9007199254740993", "1e400", "1e-400"] {
            assert!(exact_float(text).is_none(), "{text}");
        }
    }
}

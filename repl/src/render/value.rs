//! What one value looks like, for people and for machines: the only place that knows.
//! Timestamps are instants, in UTC for machines and in the chosen zone for people. Rarer types of
//! the engine (dates, times, intervals, binary) are text everywhere; decimals are JSON numbers.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::{Array, AsArray as _, StructArray};
use arrow::datatypes::*;
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use sessionql_core::display::escape_controls;
use sessionql_core::duration;

use super::Layout;

/// One value of a result.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// Digits, exactly.
    Decimal(String),
    Text(Cow<'a, str>),
    /// Microseconds since 1970 in UTC.
    Timestamp(i64),
    /// Microseconds.
    Duration(i64),
    List(Vec<Self>),
    Record(Vec<(&'a str, Self)>),
}

/// Returns the word for a column's type. All widths of integers are `int64`, of floats `float64`.
pub(super) fn type_word(field: &Field) -> String {
    let is_json = field.extension_type_name() == Some("arrow.json");
    if is_json { "json".to_owned() } else { data_type_word(field.data_type()) }
}

fn data_type_word(data_type: &DataType) -> String {
    let word = match data_type {
        DataType::Null => "null",
        DataType::Boolean => "bool",
        integer if integer.is_integer() => "int64",
        float if float.is_floating() => "float64",
        decimal if decimal.is_decimal() => "decimal",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Map(..) => "text",
        DataType::Timestamp(..) => "timestamp",
        DataType::Duration(_) => "duration",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Interval(_) => "interval",
        DataType::Struct(_) => "json",
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return format!("list<{}>", data_type_word(item.data_type()));
        }
        DataType::Dictionary(_, value) => return data_type_word(value),
        _ => "binary",
    };
    word.to_owned()
}

/// Tells whether values of a type are wrong when cut: `1,234…` is another number.
pub(super) fn is_whole_only(data_type: &DataType) -> bool {
    data_type.is_numeric()
        || matches!(data_type, DataType::Boolean | DataType::Timestamp(..) | DataType::Duration(_))
        || matches!(data_type, DataType::Date32 | DataType::Date64)
}

/// Tells whether values of a type stand at the right of their column.
pub(super) fn is_right_aligned(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Duration(_))
}

/// Returns the value in a row of a column.
pub(super) fn read(array: &dyn Array, row: usize) -> Value<'_> {
    if array.is_null(row) {
        return Value::Null;
    }
    let int = |value: i64| Value::Int(i128::from(value));
    match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => int(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => int(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => int(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => int(array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => int(array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => int(array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => Value::Int(array.as_primitive::<UInt64Type>().value(row).into()),
        DataType::Float16 => Value::Float(array.as_primitive::<Float16Type>().value(row).into()),
        DataType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).into()),
        DataType::LargeUtf8 => Value::Text(array.as_string::<i64>().value(row).into()),
        DataType::Utf8View => Value::Text(array.as_string_view().value(row).into()),
        DataType::Timestamp(unit, _) => Value::Timestamp(micros(array, *unit, row)),
        DataType::Duration(unit) => Value::Duration(micros(array, *unit, row)),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let interval = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            let (months, days) = (interval.months, interval.days);
            Value::Text(interval_text(months, days, interval.nanoseconds / 1_000).into())
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offset =
                |idx: usize| usize::try_from(list.value_offsets()[idx]).unwrap_or_default();
            items(list.values(), offset(row)..offset(row + 1))
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            let offset =
                |idx: usize| usize::try_from(list.value_offsets()[idx]).unwrap_or_default();
            items(list.values(), offset(row)..offset(row + 1))
        }
        DataType::FixedSizeList(_, length) => {
            let length = usize::try_from(*length).unwrap_or_default();
            items(array.as_fixed_size_list().values(), row * length..(row + 1) * length)
        }
        DataType::Struct(_) => record(array.as_struct(), row),
        decimal if decimal.is_decimal() => Value::Decimal(formatted(array, row)),
        _ => Value::Text(formatted(array, row).into()),
    }
}

fn items(values: &dyn Array, range: Range<usize>) -> Value<'_> {
    Value::List(range.map(|idx| read(values, idx)).collect())
}

fn record(array: &StructArray, row: usize) -> Value<'_> {
    let names = array.fields().iter().map(|field| field.name().as_str());
    Value::Record(names.zip(array.columns().iter().map(|column| read(column, row))).collect())
}

/// Returns what the column library makes of a value of a rarer type.
fn formatted(array: &dyn Array, row: usize) -> String {
    array_value_to_string(array, row).unwrap_or_else(|error| error.to_string())
}

/// Returns a timestamp or a duration in microseconds; what is finer is cut off.
fn micros(array: &dyn Array, unit: TimeUnit, row: usize) -> i64 {
    let is_duration = matches!(array.data_type(), DataType::Duration(_));
    match unit {
        TimeUnit::Second if is_duration => {
            array.as_primitive::<DurationSecondType>().value(row).saturating_mul(1_000_000)
        }
        TimeUnit::Second => {
            array.as_primitive::<TimestampSecondType>().value(row).saturating_mul(1_000_000)
        }
        TimeUnit::Millisecond if is_duration => {
            array.as_primitive::<DurationMillisecondType>().value(row).saturating_mul(1_000)
        }
        TimeUnit::Millisecond => {
            array.as_primitive::<TimestampMillisecondType>().value(row).saturating_mul(1_000)
        }
        TimeUnit::Microsecond if is_duration => {
            array.as_primitive::<DurationMicrosecondType>().value(row)
        }
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        TimeUnit::Nanosecond if is_duration => {
            array.as_primitive::<DurationNanosecondType>().value(row) / 1_000
        }
        TimeUnit::Nanosecond => {
            array.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000)
        }
    }
}

impl Value<'_> {
    /// Returns the value as a text for machines; `None` for NULL. Lists and records are JSON.
    pub(super) fn machine_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Text(text) => Cow::Borrowed(text),
            Self::Decimal(digits) => Cow::Borrowed(digits),
            Self::Float(float) => Cow::Owned(float_text(*float)),
            Self::Timestamp(micros) => Cow::Owned(instant_text(*micros)),
            Self::Duration(micros) => Cow::Owned(duration::iso8601(*micros)),
            Self::Bool(_) | Self::Int(_) | Self::List(_) | Self::Record(_) => {
                let mut json = String::new();
                self.write_json(&mut json);
                Cow::Owned(json)
            }
        })
    }

    /// Appends the value as JSON.
    pub(super) fn write_json(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Int(int) => out.push_str(&int.to_string()),
            Self::Float(float) if !float.is_finite() => out.push_str("null"),
            Self::Float(float) => out.push_str(&float_text(*float)),
            Self::Decimal(digits) => out.push_str(digits),
            Self::Text(text) => write_json_text(text, out),
            Self::Timestamp(micros) => write_json_text(&instant_text(*micros), out),
            Self::Duration(micros) => write_json_text(&duration::iso8601(*micros), out),
            Self::List(items) => {
                out.push('[');
                for (idx, item) in items.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Record(fields) => {
                out.push('{');
                for (idx, (name, value)) in fields.iter().enumerate() {
                    if idx > 0 {
                        out.push(',');
                    }
                    write_json_text(name, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }

    /// Returns the value as people read it in a layout, which says what stands for NULL.
    pub(super) fn shown(&self, layout: &Layout) -> String {
        match self {
            Self::Null => layout.null.to_string(),
            value => value.human_text(layout.time_zone),
        }
    }

    /// Returns the value as people read it, without what could move the cursor.
    pub(super) fn human_text(&self, zone: Tz) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Text(text) => escape_controls(text),
            Self::Timestamp(micros) => local_text(*micros, zone),
            Self::Duration(micros) => duration::human_us(*micros),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| item.human_text(zone)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Record(fields) => {
                let field = |(name, value): &(&str, Value<'_>)| {
                    format!("{}: {}", escape_controls(name), value.human_text(zone))
                };
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("{{{}}}", fields.join(", "))
            }
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Decimal(_) => {
                self.machine_text().unwrap_or_default().into_owned()
            }
        }
    }
}

/// Appends a text as JSON.
pub(super) fn write_json_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Returns the shortest digits that mean this number.
fn float_text(float: f64) -> String {
    match serde_json::Number::from_f64(float) {
        Some(number) => number.to_string(),
        None if float.is_nan() => "NaN".to_owned(),
        None if float > 0.0 => "Infinity".to_owned(),
        None => "-Infinity".to_owned(),
    }
}

/// Returns an instant with 0, 3 or 6 digits of its second.
fn instant_text(micros: i64) -> String {
    match DateTime::<Utc>::from_timestamp_micros(micros) {
        Some(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => out_of_calendar(micros),
    }
}

fn local_text(micros: i64, zone: Tz) -> String {
    match DateTime::<Utc>::from_timestamp_micros(micros) {
        Some(instant) => instant.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S%.f").to_string(),
        None => out_of_calendar(micros),
    }
}

/// Returns what stands for an instant that no calendar has.
fn out_of_calendar(micros: i64) -> String {
    format!("{micros}us")
}

/// Returns an interval in ISO 8601.
fn interval_text(months: i32, days: i32, micros: i64) -> String {
    let time = if micros == 0 { String::new() } else { duration::iso8601(micros) };
    let (sign, time) = match time.strip_prefix('-') {
        Some(time) => ("-", time),
        None => ("", time.as_str()),
    };
    let mut date = String::new();
    if months != 0 {
        date.push_str(&format!("{months}M"));
    }
    if days != 0 {
        date.push_str(&format!("{days}D"));
    }
    match (date.is_empty(), time.is_empty()) {
        (true, true) => "PT0S".to_owned(),
        (true, false) => format!("{sign}{time}"),
        (false, true) => format!("P{date}"),
        // A sign in front would be one of the date too.
        (false, false) => format!("P{date}T{}", signed_parts(time.trim_start_matches("PT"), sign)),
    }
}

/// Returns `1H30M` with a sign before each number.
fn signed_parts(time: &str, sign: &str) -> String {
    let mut parts = String::new();
    let mut is_start = true;
    for character in time.chars() {
        if is_start {
            parts.push_str(sign);
        }
        is_start = character.is_ascii_alphabetic();
        parts.push(character);
    }
    parts
}

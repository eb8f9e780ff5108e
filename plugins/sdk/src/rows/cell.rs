//! One column while its values come in, and how found values become its type.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder as _, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::types::{DurationMicrosecondType, TimestampMicrosecondType};
use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::{DataType, Field, TimeUnit};
use serde_json::Value;
use sessionql_plugin_abi::message::ColumnType;

use crate::proto;
use crate::table::{Column, Reading};
use crate::time::Timestamp;

/// A value in a record.
#[derive(Debug)]
pub(super) enum Found<'a> {
    Bool(bool),
    Int(i64),
    /// A number beyond `i64`.
    Big(u64),
    Float(f64),
    Text(&'a str),
    List(Vec<Value>),
    Object,
}

/// What is wrong with a value, as a noun: `a list`.
pub(super) type Mismatch = &'static str;

/// A column under construction.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) column_type: ColumnType,
    pub(super) is_nullable: bool,
    us_per_unit: i64,
    reading: Reading,
    constant: Option<&'static str>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Text(StringBuilder),
    /// Timestamps and durations too, in microseconds.
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    List(ListBuilder<StringBuilder>),
}

impl Cell {
    pub(super) fn new(column: &Column) -> Self {
        let values = match column.wire.column_type {
            ColumnType::Text | ColumnType::Json => Values::Text(StringBuilder::new()),
            ColumnType::Timestamp | ColumnType::Duration | ColumnType::Int64 => {
                Values::Int(Int64Builder::new())
            }
            ColumnType::Float64 => Values::Float(Float64Builder::new()),
            ColumnType::Bool => Values::Bool(BooleanBuilder::new()),
            ColumnType::TextList => Values::List(ListBuilder::new(StringBuilder::new())),
        };
        Self {
            name: column.wire.name.clone(),
            path: column.path.clone(),
            column_type: column.wire.column_type,
            is_nullable: column.wire.nullable,
            us_per_unit: column.us_per_unit,
            reading: column.reading,
            constant: column.constant,
            values,
        }
    }

    /// Returns the field of the batch's schema.
    pub(super) fn field(&self) -> Field {
        let data_type = match self.column_type {
            ColumnType::Text | ColumnType::Json => DataType::Utf8,
            ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ColumnType::Duration => DataType::Duration(TimeUnit::Microsecond),
            ColumnType::Int64 => DataType::Int64,
            ColumnType::Float64 => DataType::Float64,
            ColumnType::Bool => DataType::Boolean,
            ColumnType::TextList => DataType::new_list(DataType::Utf8, true),
        };
        Field::new(&self.name, data_type, self.is_nullable)
    }

    /// Says what the column takes, as a noun.
    pub(super) fn expected(&self) -> &'static str {
        match self.column_type {
            ColumnType::Duration if self.reading == Reading::ProtoDuration => {
                "a duration such as `3.5s`"
            }
            ColumnType::Text => "text",
            ColumnType::Json => "JSON",
            ColumnType::Timestamp => "an RFC 3339 instant",
            ColumnType::Duration => "a number of seconds or the like",
            ColumnType::Int64 => "a whole number",
            ColumnType::Float64 => "a number",
            ColumnType::Bool => "true or false",
            ColumnType::TextList => "a list of text",
        }
    }

    /// Tells whether text is turned to upper case before it is looked at.
    pub(super) fn is_upper_case(&self) -> bool {
        self.reading == Reading::UpperCase
    }

    /// Returns the number of values.
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Text(values) => values.len(),
            Values::Int(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::List(values) => values.len(),
        }
    }

    /// Appends a value that is no number of microseconds.
    pub(super) fn append(&mut self, found: Found<'_>) -> Result<(), Mismatch> {
        match (&mut self.values, found) {
            (Values::Text(values), Found::Text(text)) => values.append_value(text),
            (Values::Text(values), Found::Int(number)) => values.append_value(number.to_string()),
            (Values::Text(values), Found::Big(number)) => values.append_value(number.to_string()),
            (Values::Text(values), Found::Float(number)) => values.append_value(number.to_string()),
            (Values::Float(values), found) => values.append_value(float(found)?),
            (Values::Bool(values), found) => values.append_value(bool(&found)?),
            (Values::List(values), Found::List(items)) => append_list(values, &items)?,
            (_, found) => return Err(found.noun()),
        }
        Ok(())
    }

    /// Appends what a record without the value has; false if it must have one.
    pub(super) fn append_missing(&mut self) -> bool {
        match (&mut self.values, self.constant) {
            (Values::Text(values), Some(text)) => values.append_value(text),
            _ if self.is_nullable => self.append_null(),
            _ => return false,
        }
        true
    }

    /// Appends a whole number or microseconds.
    pub(super) fn append_int(&mut self, value: i64) {
        if let Values::Int(values) = &mut self.values {
            values.append_value(value);
        }
    }

    fn append_null(&mut self) {
        match &mut self.values {
            Values::Text(values) => values.append_null(),
            Values::Int(values) => values.append_null(),
            Values::Float(values) => values.append_null(),
            Values::Bool(values) => values.append_null(),
            Values::List(values) => values.append_null(),
        }
    }

    /// Returns a value as this column's whole number or microseconds; `None` if it has none such.
    pub(super) fn int(&self, found: &Found<'_>) -> Option<Result<i64, Mismatch>> {
        match self.column_type {
            ColumnType::Timestamp => Some(instant(found)),
            ColumnType::Duration if self.reading == Reading::ProtoDuration => {
                Some(proto_duration(found))
            }
            ColumnType::Duration | ColumnType::Int64 => Some(self.scaled(found)),
            _ => None,
        }
    }

    fn scaled(&self, found: &Found<'_>) -> Result<i64, Mismatch> {
        const TOO_LARGE: Mismatch = "a number out of range";
        let whole = |number: i64| number.checked_mul(self.us_per_unit).ok_or(TOO_LARGE);
        match found {
            Found::Int(number) => whole(*number),
            Found::Big(_) => Err(TOO_LARGE),
            Found::Float(number) => self.rounded(*number),
            Found::Text(text) => match text.trim().parse::<i64>() {
                Ok(number) => whole(number),
                Err(_) => {
                    let number = text.trim().parse().map_err(|_| "text that is no number")?;
                    self.rounded(number)
                }
            },
            found => Err(found.noun()),
        }
    }

    /// Fractions of a second are rounded to microseconds; a whole number must be whole.
    fn rounded(&self, number: f64) -> Result<i64, Mismatch> {
        let scaled = number * self.us_per_unit as f64;
        let is_whole = self.column_type == ColumnType::Duration || scaled.fract() == 0.0;
        if is_whole && scaled.abs() < i64::MAX as f64 {
            Ok(scaled.round() as i64)
        } else {
            Err("a number that is not whole or out of range")
        }
    }

    /// Returns the values so far and begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Text(values) => Arc::new(values.finish()),
            Values::Int(values) => int_array(self.column_type, values.finish()),
            Values::Float(values) => Arc::new(values.finish()),
            Values::Bool(values) => Arc::new(values.finish()),
            Values::List(values) => Arc::new(values.finish()),
        }
    }
}

fn int_array(column_type: ColumnType, array: Int64Array) -> ArrayRef {
    match column_type {
        ColumnType::Timestamp => {
            Arc::new(array.reinterpret_cast::<TimestampMicrosecondType>().with_timezone("UTC"))
        }
        ColumnType::Duration => Arc::new(array.reinterpret_cast::<DurationMicrosecondType>()),
        _ => Arc::new(array),
    }
}

fn instant(found: &Found<'_>) -> Result<i64, Mismatch> {
    let Found::Text(text) = found else { return Err(found.noun()) };
    Timestamp::parse(text).map(|instant| instant.0).ok_or("text that is no instant")
}

fn proto_duration(found: &Found<'_>) -> Result<i64, Mismatch> {
    let Found::Text(text) = found else { return Err(found.noun()) };
    proto::parse_duration(text).ok_or("text that is no duration")
}

fn bool(found: &Found<'_>) -> Result<bool, Mismatch> {
    match found {
        Found::Bool(value) => Ok(*value),
        Found::Text(text) => match text.trim() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("text that is no truth value"),
        },
        found => Err(found.noun()),
    }
}

fn float(found: Found<'_>) -> Result<f64, Mismatch> {
    match found {
        Found::Int(number) => Ok(number as f64),
        Found::Big(number) => Ok(number as f64),
        Found::Float(number) => Ok(number),
        Found::Text(text) => text.trim().parse().map_err(|_| "text that is no number"),
        found => Err(found.noun()),
    }
}

fn append_list(values: &mut ListBuilder<StringBuilder>, items: &[Value]) -> Result<(), Mismatch> {
    for item in items {
        match item {
            Value::Null => values.values().append_null(),
            Value::String(text) => values.values().append_value(text),
            Value::Number(number) => values.values().append_value(number.to_string()),
            _ => return Err("a list with an item that is no text"),
        }
    }
    values.append(true);
    Ok(())
}

impl Found<'_> {
    /// Returns what it is, without its value, which may be a secret.
    pub(super) fn noun(&self) -> Mismatch {
        match self {
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Big(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object => "an object",
        }
    }
}

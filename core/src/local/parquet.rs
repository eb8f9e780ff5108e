//! Reads Parquet. Its types become those of the language only where no value loses anything; a
//! column for which that has to be seen value by value is looked through before the first row.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options, max, min};
use arrow::datatypes::{DataType, Date64Type, Field, Int64Type, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, NaiveDateTime, Utc};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use sessionql_plugin_abi::message::ColumnType;

use super::cell::{Cell, Value, exact_float};
use super::rows::{Builder, Wanted, batch, schema_of};
use super::survey::declared_type;
use super::{Fault, FileColumn, LocalFile, changed};
use crate::columns::data_type;
use crate::config::LocalTableConfig;
use crate::instant;
use crate::statement::StatementContext;
use decoder::Decoder;

mod decoder;

/// How many rows are checked at once.
const CHECK_ROWS: usize = 8192;

/// Whole numbers with so many digits are int64.
const INT64_DIGITS: u8 = 18;

/// How the values of a column become ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// By the engine's cast, which loses nothing.
    Cast,
    /// By the engine's cast, which refuses what does not fit.
    CheckedCast,
    /// Value by value, from what is written in the file as text.
    Parse,
    /// Decimals, which are floats only if no digit is lost; unless somebody said `float64`.
    Decimal { is_declared: bool },
    /// Instants and dates, in the table's zone if they have none.
    Instant { is_declared: bool },
    /// A record or a list as JSON.
    Encode,
}

impl Reading {
    /// Tells whether a value may be refused.
    fn is_checked(self) -> bool {
        !matches!(self, Self::Cast | Self::Encode)
    }
}

/// Returns the columns of a file, of which every value can be read.
pub(super) fn survey(
    config: &LocalTableConfig,
    file: File,
    context: &StatementContext,
) -> Result<Vec<FileColumn>, Fault> {
    let decoder = Decoder::open(file, 1)?;
    let mut columns = Vec::new();
    let mut checked = Vec::new();
    for (column_idx, field) in decoder.fields().iter().enumerate() {
        let declared = declared_type(config, field.name());
        let (column_type, reading) = reading(field.data_type(), declared).map_err(|what| {
            Fault::new(format!("column `{}` {}", field.name(), what.0)).hinted(what.1)
        })?;
        let (name, is_declared) = (field.name().clone(), declared.is_some());
        if columns.iter().any(|column: &FileColumn| column.name == name) {
            return Err(Fault::new(format!("two columns are called `{name}`")));
        }
        columns.push(FileColumn { name, column_type, is_declared });
        if reading.is_checked() && !is_known_to_fit(decoder.metadata(), field) {
            checked.push(column_idx);
        }
    }
    if !checked.is_empty() {
        let mut look = |_, _| match context.is_over() {
            true => Err(Fault::cancelled()),
            false => Ok(Wanted::More),
        };
        each_batch(config, &decoder, &columns, &checked, CHECK_ROWS, &mut look)?;
    }
    Ok(columns)
}

/// Reads the columns `wanted` of a file that was looked through, on up to `n_threads` threads.
pub(super) fn read(
    file: &LocalFile,
    opened: File,
    wanted: &[usize],
    batch_rows: usize,
    n_threads: usize,
    emit: &mut dyn FnMut(RecordBatch) -> Result<Wanted, Fault>,
) -> Result<(), Fault> {
    let schema = schema_of(file, wanted);
    let decoder = Decoder::open(opened, n_threads)?;
    let mut emit = |columns, n_rows| emit(batch(&schema, columns, n_rows)?);
    each_batch(&file.config, &decoder, &file.columns, wanted, batch_rows, &mut emit)?;
    file.reopen().map(|_| ())
}

/// Hands over the columns `wanted` batch by batch, in their types.
fn each_batch(
    config: &LocalTableConfig,
    decoder: &Decoder,
    columns: &[FileColumn],
    wanted: &[usize],
    batch_rows: usize,
    emit: &mut dyn FnMut(Vec<ArrayRef>, usize) -> Result<Wanted, Fault>,
) -> Result<(), Fault> {
    let fields = decoder.fields();
    if fields.len() != columns.len() {
        return Err(changed());
    }
    let converted = |idx: usize, array: &ArrayRef| {
        let (field, column) = (&fields[idx], &columns[idx]);
        let declared = column.is_declared.then_some(column.column_type);
        let (_, reading) = reading(field.data_type(), declared).map_err(|_| changed())?;
        convert(config, field, array, column.column_type, reading).map_err(|what| {
            Fault::new(format!("column `{}`: {}", column.name, what.0)).hinted(what.1)
        })
    };
    decoder.each_batch(wanted, batch_rows, &converted, emit)
}

/// Tells whether the file says of all instants of a column that they are within what can be told.
fn is_known_to_fit(metadata: &ParquetMetaData, field: &Field) -> bool {
    let DataType::Timestamp(unit, Some(_)) = field.data_type() else { return false };
    let per_second = per_second(*unit);
    if per_second > 1_000_000 {
        return false;
    }
    let is_told = |number: Option<&i64>| {
        number.is_some_and(|number| instant_of(*number, per_second, None).is_some())
    };
    metadata.row_groups().iter().all(|rows| {
        let chunk = rows
            .columns()
            .iter()
            .find(|column| column.column_path().parts() == std::slice::from_ref(field.name()));
        match chunk.and_then(|chunk| chunk.statistics()) {
            Some(Statistics::Int64(told)) => is_told(told.min_opt()) && is_told(told.max_opt()),
            _ => false,
        }
    })
}

fn not_parquet(error: &str) -> Fault {
    let error = error.strip_prefix("Parquet error: ").unwrap_or(error);
    Fault::new(format!("cannot be read as Parquet: {}", error.lines().next().unwrap_or_default()))
}

impl Fault {
    fn hinted(self, hint: Option<&str>) -> Self {
        Self { hint: hint.map(str::to_owned), ..self }
    }
}

/// What is wrong with a column, and what to do.
type Refusal = (String, Option<&'static str>);

/// Returns the type of a column, and how its values are read.
fn reading(
    found: &DataType,
    declared: Option<ColumnType>,
) -> Result<(ColumnType, Reading), Refusal> {
    let found = match found {
        DataType::Dictionary(_, value) => value.as_ref(),
        other => other,
    };
    let natural = natural(found, declared.is_some());
    let Some(declared) = declared else {
        return natural.ok_or_else(|| {
            let hint = match found.is_nested() {
                true => "declare it as `json`",
                false => "declare it as `text`",
            };
            (format!("has the type `{found}`, which the language lacks"), Some(hint))
        });
    };
    match natural {
        Some((column_type, reading)) if column_type == declared => return Ok((declared, reading)),
        Some((ColumnType::Text, _)) => return Ok((declared, Reading::Parse)),
        _ => {}
    }
    let reading = match (declared, found) {
        (ColumnType::Json, found) if found.is_nested() => Some(Reading::Encode),
        (ColumnType::Text, found) if !found.is_nested() => Some(Reading::CheckedCast),
        (ColumnType::Float64, found) if found.is_integer() => Some(Reading::Parse),
        (ColumnType::Float64, found) if found.is_decimal() => {
            Some(Reading::Decimal { is_declared: true })
        }
        (ColumnType::Int64, found) if found.is_decimal() => Some(Reading::Parse),
        _ => None,
    };
    let of = || format!("has the type `{found}`, which cannot be read as declared");
    reading.map(|reading| (declared, reading)).ok_or_else(|| (of(), None))
}

/// Returns our type for one of the file's.
fn natural(found: &DataType, is_declared: bool) -> Option<(ColumnType, Reading)> {
    let is_text =
        |of: &DataType| matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    Some(match found {
        text if is_text(text) => (ColumnType::Text, Reading::Cast),
        DataType::Null => (ColumnType::Text, Reading::Cast),
        DataType::Boolean => (ColumnType::Bool, Reading::Cast),
        DataType::UInt64 => (ColumnType::Int64, Reading::CheckedCast),
        int if int.is_integer() => (ColumnType::Int64, Reading::Cast),
        float if float.is_floating() => (ColumnType::Float64, Reading::Cast),
        DataType::Decimal32(digits, 0)
        | DataType::Decimal64(digits, 0)
        | DataType::Decimal128(digits, 0)
        | DataType::Decimal256(digits, 0)
            if *digits <= INT64_DIGITS =>
        {
            (ColumnType::Int64, Reading::CheckedCast)
        }
        decimal if decimal.is_decimal() => (ColumnType::Float64, Reading::Decimal { is_declared }),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            (ColumnType::Timestamp, Reading::Instant { is_declared })
        }
        DataType::Duration(TimeUnit::Nanosecond) if !is_declared => return None,
        DataType::Duration(_) => (ColumnType::Duration, Reading::CheckedCast),
        DataType::List(item) | DataType::LargeList(item) if is_text(item.data_type()) => {
            (ColumnType::TextList, Reading::CheckedCast)
        }
        _ => return None,
    })
}

/// Returns the values of a column in its type.
fn convert(
    config: &LocalTableConfig,
    field: &Field,
    array: &ArrayRef,
    column_type: ColumnType,
    reading: Reading,
) -> Result<ArrayRef, Refusal> {
    let refused = |error: arrow::error::ArrowError| {
        let hint = (column_type != ColumnType::Text).then_some("declare it as `text`");
        let error = error.to_string();
        (error.split_once(": ").map_or(error.as_str(), |(_, what)| what).to_owned(), hint)
    };
    let zone = config.time_zone;
    match reading {
        Reading::Cast | Reading::CheckedCast => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, &data_type(column_type), &options).map_err(refused)
        }
        Reading::Parse => values(array, column_type, |text, push| {
            match Cell::Field(text.to_owned()).value(column_type, zone) {
                Ok(value) => push(value),
                Err(what) => return Err((what, Some("declare it as `text`"))),
            }
            Ok(())
        }),
        Reading::Decimal { is_declared } => values(array, column_type, |text, push| {
            let float = match is_declared {
                true => text.parse().ok(),
                false => exact_float(text),
            };
            let Some(float) = float else {
                let what = format!("`{text}` has more digits than a float64 keeps");
                return Err((what, Some("declare it as `text`, or as `float64` to round it")));
            };
            push(Value::Float(float));
            Ok(())
        }),
        Reading::Instant { is_declared } => instants(array, is_declared, zone),
        Reading::Encode => encoded(field, array).map_err(refused),
    }
}

/// Builds a column from the text of each value.
fn values(
    array: &ArrayRef,
    column_type: ColumnType,
    mut read: impl FnMut(&str, &mut dyn FnMut(Value<'_>)) -> Result<(), Refusal>,
) -> Result<ArrayRef, Refusal> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)
        .map_err(|error| (error.to_string(), None))?;
    let mut builder = Builder::new(column_type);
    let mut push = |value: Value<'_>| {
        let _n_bytes = builder.push(value);
    };
    for row in 0..array.len() {
        match array.is_null(row) {
            true => push(Value::Null),
            false => read(&formatter.value(row).to_string(), &mut push)?,
        }
    }
    Ok(builder.finish())
}

/// Returns instants in microseconds; those without a zone are in `zone`.
fn instants(array: &ArrayRef, is_declared: bool, zone: chrono_tz::Tz) -> Result<ArrayRef, Refusal> {
    let cast = |to: &DataType| {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(array, to, &options).map_err(|error| (error.to_string(), None))
    };
    // Units of each second, and whether the values are clock times.
    let (numbers, per_second, is_local): (ArrayRef, i64, bool) = match array.data_type() {
        DataType::Timestamp(unit, of_zone) => {
            (cast(&DataType::Int64)?, per_second(*unit), of_zone.is_none())
        }
        _ => {
            let days = cast(&DataType::Date64)?;
            let millis = days.as_primitive::<Date64Type>();
            (Arc::new(millis.reinterpret_cast::<Int64Type>()), 1_000, true)
        }
    };
    if !is_local && per_second <= 1_000_000 {
        // Instants as they are: if the first and the last of them can be told, so can all.
        let numbers: &Int64Array = numbers.as_primitive();
        let is_known = |number: Option<i64>| {
            number.is_none_or(|number| instant_of(number, per_second, None).is_some())
        };
        if is_known(min(numbers)) && is_known(max(numbers)) {
            return cast(&data_type(ColumnType::Timestamp));
        }
    }
    let mut builder = Builder::new(ColumnType::Timestamp);
    for number in numbers.as_primitive::<Int64Type>() {
        let micros = match number {
            None => None,
            Some(number) => {
                let instant = instant_of(number, per_second, is_local.then_some(zone));
                let Some(instant) = instant else {
                    return Err((
                        "an instant is out of range".to_owned(),
                        Some("declare it as `text`"),
                    ));
                };
                if !is_declared && instant.timestamp_subsec_nanos() % 1_000 != 0 {
                    let what = format!("`{}` is finer than microseconds", instant.to_rfc3339());
                    return Err((what, Some("declare it as `timestamp` to cut it, or as `text`")));
                }
                Some(instant.timestamp_micros())
            }
        };
        let _n_bytes = builder.push(micros.map_or(Value::Null, Value::Micros));
    }
    Ok(builder.finish())
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Returns the instant that is so many units after 1970, by the clock of `zone` if there is one.
fn instant_of(number: i64, per_second: i64, zone: Option<chrono_tz::Tz>) -> Option<DateTime<Utc>> {
    let nanos = number.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let utc = DateTime::from_timestamp(number.div_euclid(per_second), u32::try_from(nanos).ok()?)?;
    let local: NaiveDateTime = utc.naive_utc();
    match zone {
        None => Some(utc),
        Some(zone) => instant::in_zone(local, zone),
    }
}

/// Returns records or lists as JSON.
fn encoded(field: &Field, array: &ArrayRef) -> Result<ArrayRef, arrow::error::ArrowError> {
    let options = arrow::json::writer::EncoderOptions::default();
    let field = Arc::new(field.clone());
    let mut encoder = arrow::json::writer::make_encoder(&field, array.as_ref(), &options)?;
    let mut builder = Builder::new(ColumnType::Json);
    for row in 0..array.len() {
        if array.is_null(row) {
            let _n_bytes = builder.push(Value::Null);
            continue;
        }
        let mut bytes = Vec::new();
        encoder.encode(row, &mut bytes);
        let _n_bytes = builder.push(Value::Text(String::from_utf8_lossy(&bytes)));
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests;

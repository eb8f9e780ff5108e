//! Writes values as scripts do.
//! Whole numbers as they are, other numbers with three digits after the point, NULL as `NULL`, an
//! empty text as `(empty)`, instants in RFC 3339, durations in ISO 8601, control characters as `@`.

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use sqllogictest::DefaultColumnType;

/// Returns the letter that scripts have for a type of column.
pub(crate) fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Null => DefaultColumnType::Any,
        _ if data_type.is_integer() => DefaultColumnType::Integer,
        _ if data_type.is_numeric() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

/// Tells whether columns have the types that a script gives; `?` is any.
#[expect(clippy::ptr_arg, reason = "the driver asks for it")]
pub(crate) fn are_expected(
    actual: &Vec<DefaultColumnType>,
    expected: &Vec<DefaultColumnType>,
) -> bool {
    let any = DefaultColumnType::Any;
    let fits = |(a, b): (&DefaultColumnType, &DefaultColumnType)| a == b || *a == any || *b == any;
    actual.len() == expected.len() && actual.iter().zip(expected).all(fits)
}

/// Returns the rows of a batch.
pub(crate) fn rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cells = |row| batch.columns().iter().map(|column| cell(column, row)).collect();
    (0..batch.num_rows()).map(cells).collect()
}

fn cell(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return "NULL".to_owned();
    }
    let options = FormatOptions::default();
    let formatter =
        ArrayFormatter::try_new(column.as_ref(), &options).expect("every type can be shown");
    let text = formatter.value(row).to_string();
    match column_type(column.data_type()) {
        DefaultColumnType::FloatingPoint => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => three_digits(number),
            Ok(number) if number.is_nan() => "NaN".to_owned(),
            Ok(number) => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            Err(error) => panic!("`{text}` is no number: {error}"),
        },
        DefaultColumnType::Text if text.is_empty() => "(empty)".to_owned(),
        _ => text.chars().map(|c| if c.is_control() { '@' } else { c }).collect(),
    }
}

fn three_digits(number: f64) -> String {
    let text = format!("{number:.3}");
    if text == "-0.000" { "0.000".to_owned() } else { text }
}

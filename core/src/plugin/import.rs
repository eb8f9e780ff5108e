//! Checks rows that crossed the wall against what was asked for: columns, types, NULLs, offsets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use sessionql_plugin_abi::{Reason, WireError};

use super::call::import_struct;

/// The longest column: offsets into text are of 32 bits.
const MAX_LENGTH: usize = i32::MAX as usize;

/// Rows after the wall, with the schema that was asked for.
pub(super) type Imported = Result<RecordBatch, WireError>;

/// Returns the batch, with `expected` as its schema.
///
/// # Errors
/// `plugin_error` that says which column is not as asked.
pub(super) fn import(
    schema: &FFI_ArrowSchema,
    array: FFI_ArrowArray,
    expected: &SchemaRef,
) -> Imported {
    let wrong = |message: String| {
        WireError::new(Reason::PluginError, format!("the plugin emitted a wrong batch: {message}"))
    };
    let found_type = catch_unwind(AssertUnwindSafe(|| DataType::try_from(schema)))
        .map_err(|_| wrong("its schema does not follow the Arrow C data interface".to_owned()))?
        .map_err(|error| wrong(format!("its schema: {error}")))?;
    let DataType::Struct(found_fields) = &found_type else {
        return Err(wrong(format!("it is {found_type}, not a struct")));
    };
    if found_fields.len() != expected.fields().len() {
        return Err(wrong(format!(
            "it has {} columns, asked for {}",
            found_fields.len(),
            expected.fields().len()
        )));
    }
    for (found, wanted) in found_fields.iter().zip(expected.fields()) {
        if !same_type(found.data_type(), wanted.data_type()) {
            return Err(wrong(format!(
                "column `{}` has type {}, declared is {}",
                wanted.name(),
                found.data_type(),
                wanted.data_type()
            )));
        }
        if found.name() != wanted.name() {
            let (found, wanted) = (found.name(), wanted.name());
            return Err(wrong(format!("column `{found}` stands where `{wanted}` was asked for")));
        }
    }
    catch_unwind(AssertUnwindSafe(|| check_shape(&array, expected)))
        .unwrap_or_else(|_| Err("it does not follow the Arrow C data interface".to_owned()))
        .map_err(wrong)?;
    let data = import_struct(array, schema).map_err(wrong)?;
    data.validate_full().map_err(|error| wrong(error.to_string()))?;
    let n_rows = data.len();
    if data.null_count() > 0 {
        return Err(wrong("it has rows that are NULL as a whole".to_owned()));
    }
    let rows = StructArray::from(data);
    for (column, wanted) in rows.columns().iter().zip(expected.fields()) {
        if !wanted.is_nullable() && column.null_count() > 0 {
            let (name, n_nulls) = (wanted.name(), column.null_count());
            return Err(wrong(format!("column `{name}` has {n_nulls} NULLs, declared is none")));
        }
    }
    let columns = rows
        .columns()
        .iter()
        .zip(expected.fields())
        .map(|(column, wanted)| arrow::compute::cast(column, wanted.data_type()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(Arc::clone(expected), columns, &options)
        .map_err(|error| wrong(error.to_string()))
}

/// Checks what an array says of its parts, by which they are read. Whether there is as much memory
/// as it says, nobody can see.
fn check_shape(array: &FFI_ArrowArray, expected: &SchemaRef) -> Result<(), String> {
    if array.is_released() {
        return Err("its memory was released before".to_owned());
    }
    if array.num_children() != expected.fields().len() {
        return Err("its array has another number of columns than its schema".to_owned());
    }
    for (idx, field) in expected.fields().iter().enumerate() {
        check_lengths(array, array.child(idx), field.data_type())
            .map_err(|what| format!("column `{}` has {what}", field.name()))?;
    }
    Ok(())
}

fn check_lengths(
    rows: &FFI_ArrowArray,
    column: &FFI_ArrowArray,
    data_type: &DataType,
) -> Result<(), &'static str> {
    let end = |array: &FFI_ArrowArray| array.len().checked_add(array.offset());
    let is_possible = |array| end(array).is_some_and(|end| end <= MAX_LENGTH);
    if !is_possible(rows) || !is_possible(column) {
        return Err("an impossible length");
    }
    if end(rows) > Some(column.len()) {
        return Err("fewer values than there are rows");
    }
    let (n_buffers, n_children) = match data_type {
        DataType::Utf8 => (3, 0),
        DataType::List(_) => (2, 1),
        _ => (2, 0),
    };
    if (column.num_buffers(), column.num_children()) != (n_buffers, n_children) {
        return Err("another number of buffers than its type");
    }
    match data_type {
        DataType::List(element) => {
            let none = FFI_ArrowArray::empty();
            check_lengths(&none, column.child(0), element.data_type())
        }
        _ => Ok(()),
    }
}

/// Tells whether two types are the same but for the name of a list's element.
fn same_type(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::List(found), DataType::List(wanted)) => {
            same_type(found.data_type(), wanted.data_type())
        }
        _ => found == wanted,
    }
}

//! Checks rows that crossed the wall against what was asked for: columns, types, NULLs, offsets.

use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use sessionql_plugin_abi::{Reason, WireError};

use super::call::{Imported, import_struct};

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
    let found_type =
        DataType::try_from(schema).map_err(|error| wrong(format!("its schema: {error}")))?;
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

/// Tells whether two types are the same but for the name of a list's element.
fn same_type(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::List(found), DataType::List(wanted)) => {
            same_type(found.data_type(), wanted.data_type())
        }
        _ => found == wanted,
    }
}

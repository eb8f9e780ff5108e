//! Reads a file a second time, in batches of the columns that are wanted.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, DurationMicrosecondBuilder, Float64Builder, Int64Builder,
    ListBuilder, RecordBatch, RecordBatchOptions, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use sessionql_plugin_abi::message::ColumnType;

use super::cell::{Cell, Value};
use super::survey::{ROWS_PER_LOOK, TextReader};
use super::{Fault, LocalFile, changed, parquet};
use crate::columns::data_type;
use crate::config::FileFormat;
use crate::statement::StatementContext;

/// How many bytes a batch of text is made of, about.
const BATCH_BYTES: usize = 4 << 20;

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    More,
    Enough,
}

/// Reads the columns `wanted`, as indexes into those of the file, in batches of at most
/// `batch_rows` rows, and hands each to `emit`. Parquet is decoded on up to `n_threads` threads.
/// Ends when nobody waits for `context` any more.
///
/// # Errors
/// If the file is not the one that was looked through, and what `emit` says.
pub(super) fn read(
    file: &LocalFile,
    context: &StatementContext,
    wanted: &[usize],
    batch_rows: usize,
    n_threads: usize,
    emit: &mut dyn FnMut(RecordBatch) -> Result<Wanted, Fault>,
) -> Result<(), Fault> {
    let opened = file.reopen()?;
    if file.config.format == FileFormat::Parquet {
        return parquet::read(file, opened, wanted, batch_rows, n_threads, emit);
    }
    let mut reader = TextReader::open(file.config.format, opened)?;
    let schema = schema_of(file, wanted);
    let zone = file.config.time_zone;
    let mut is_last = false;
    while !is_last {
        let mut builders: Vec<Builder> =
            wanted.iter().map(|idx| Builder::new(file.columns[*idx].column_type)).collect();
        let (mut n_rows, mut n_bytes) = (0, 0);
        while n_rows < batch_rows && n_bytes < BATCH_BYTES {
            // A batch may be a long way: columns that are not wanted take time too.
            if n_rows.is_multiple_of(ROWS_PER_LOOK) && context.is_over() {
                return Err(Fault::cancelled());
            }
            let Some(row) = reader.next_row()? else {
                is_last = true;
                break;
            };
            for (builder, column_idx) in builders.iter_mut().zip(wanted) {
                let cell = row.cells.get(*column_idx).unwrap_or(&Cell::Null);
                let column = &file.columns[*column_idx];
                let value = cell.value(column.column_type, zone).map_err(|_| changed())?;
                n_bytes += builder.push(value);
            }
            n_rows += 1;
        }
        let known = file.columns.iter().map(|column| &column.name);
        if reader.names().iter().zip(known).any(|(name, known)| name != known)
            || reader.names().len() > file.columns.len()
        {
            return Err(changed());
        }
        let columns = builders.into_iter().map(Builder::finish).collect();
        if n_rows > 0 && emit(batch(&schema, columns, n_rows)?)? == Wanted::Enough {
            return Ok(());
        }
    }
    // A file that was written to in the meantime may have ended early.
    file.reopen().map(|_| ())
}

/// Returns the schema of some columns of a file.
pub(super) fn schema_of(file: &LocalFile, wanted: &[usize]) -> SchemaRef {
    let field = |idx: &usize| {
        let column = &file.columns[*idx];
        Field::new(&column.name, data_type(column.column_type), true)
    };
    Arc::new(Schema::new(wanted.iter().map(field).collect::<Vec<_>>()))
}

/// Returns a batch; without columns it still has rows.
pub(super) fn batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    n_rows: usize,
) -> Result<RecordBatch, Fault> {
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Fault::new(error.to_string()))
}

/// Builds one column.
pub(crate) enum Builder {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Bool(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Duration(DurationMicrosecondBuilder),
    List(ListBuilder<StringBuilder>),
}

impl Builder {
    pub(crate) fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text | ColumnType::Json => Self::Text(StringBuilder::new()),
            ColumnType::Int64 => Self::Int(Int64Builder::new()),
            ColumnType::Float64 => Self::Float(Float64Builder::new()),
            ColumnType::Bool => Self::Bool(BooleanBuilder::new()),
            ColumnType::Timestamp => {
                Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            ColumnType::Duration => Self::Duration(DurationMicrosecondBuilder::new()),
            ColumnType::TextList => Self::List(ListBuilder::new(StringBuilder::new())),
        }
    }

    /// Adds a value; one of another type than the column's, which there is none of, is NULL.
    /// Returns how many bytes it took, about.
    pub(crate) fn push(&mut self, value: Value<'_>) -> usize {
        const NUMBER_BYTES: usize = 8;
        match (self, value) {
            (Self::Text(builder), Value::Text(text)) => {
                builder.append_value(&text);
                return text.len();
            }
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Int(builder), Value::Int(int)) => builder.append_value(int),
            (Self::Int(builder), _) => builder.append_null(),
            (Self::Float(builder), Value::Float(float)) => builder.append_value(float),
            (Self::Float(builder), _) => builder.append_null(),
            (Self::Bool(builder), Value::Bool(flag)) => builder.append_value(flag),
            (Self::Bool(builder), _) => builder.append_null(),
            (Self::Timestamp(builder), Value::Micros(micros)) => builder.append_value(micros),
            (Self::Timestamp(builder), _) => builder.append_null(),
            (Self::Duration(builder), Value::Micros(micros)) => builder.append_value(micros),
            (Self::Duration(builder), _) => builder.append_null(),
            (Self::List(builder), Value::List(items)) => {
                let n_bytes = items.iter().flatten().map(String::len).sum();
                builder.append_value(items);
                return n_bytes;
            }
            (Self::List(builder), _) => builder.append_null(),
        }
        NUMBER_BYTES
    }

    pub(crate) fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Float(mut builder) => Arc::new(builder.finish()),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
            Self::Duration(mut builder) => Arc::new(builder.finish()),
            Self::List(mut builder) => Arc::new(builder.finish()),
        }
    }
}

//! The keys of rows as bytes, equal ones the same whatever their types, with their hashes.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Schema};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{NullEquality, Result};
use datafusion::physical_expr::PhysicalExpr;

/// Tells whether keys of a type find each other here as they do in the engine's joins.
pub(crate) fn can_be_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float64 => true,
        DataType::List(item) => !item.data_type().is_nested() && !item.data_type().is_floating(),
        other => !other.is_nested() && !other.is_floating(),
    }
}

/// Among how many parts rows are shared out if they have keys.
const N_PARTS: usize = 128;

/// How rows of a side get their keys.
pub(crate) struct KeyReader {
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    null_equality: NullEquality,
    form: Form,
}

/// How keys become bytes.
enum Form {
    /// All keys are equal.
    None,
    /// The bytes of one text, which is not NULL.
    Text,
    /// The engine's bytes for rows of any types.
    Encoded(RowConverter),
}

/// The keys of some rows.
pub(crate) struct Keys {
    bytes: Bytes,
    /// The rows that find nothing, because a part of their key is NULL.
    nulls: Option<NullBuffer>,
    /// The hash of each row's key; empty if there are no keys.
    hashes: Vec<u64>,
}

enum Bytes {
    None,
    Text(StringArray),
    Encoded(Rows),
}

impl KeyReader {
    /// Returns how rows of a schema get the keys that `exprs` say.
    ///
    /// # Errors
    /// If a type cannot be a key.
    pub(crate) fn try_new(
        exprs: Vec<Arc<dyn PhysicalExpr>>,
        schema: &Schema,
        null_equality: NullEquality,
    ) -> Result<Self> {
        let types: Vec<DataType> =
            exprs.iter().map(|expr| expr.data_type(schema)).collect::<Result<_>>()?;
        let form = match (types.as_slice(), null_equality) {
            ([], _) => Form::None,
            ([DataType::Utf8], NullEquality::NullEqualsNothing) => Form::Text,
            _ => Form::Encoded(RowConverter::new(types.into_iter().map(SortField::new).collect())?),
        };
        Ok(Self { exprs, null_equality, form })
    }

    /// Returns among how many parts the rows are shared out.
    pub(crate) fn n_parts(&self) -> usize {
        match self.form {
            Form::None => 1,
            _ => N_PARTS,
        }
    }

    /// Evaluates the keys of rows.
    ///
    /// # Errors
    /// If an expression fails.
    pub(crate) fn keys(&self, rows: &RecordBatch) -> Result<Keys> {
        let n_rows = rows.num_rows();
        let columns = self
            .exprs
            .iter()
            .map(|expr| Ok(with_one_zero(expr.evaluate(rows)?.into_array(n_rows)?)))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let nulls = match self.null_equality {
            NullEquality::NullEqualsNull => None,
            NullEquality::NullEqualsNothing => columns.iter().fold(None, |nulls, column| {
                NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
            }),
        };
        let mut hashes = Vec::new();
        if !columns.is_empty() {
            hashes.resize(n_rows, 0);
            create_hashes(&columns, &RandomState::with_seed(0), &mut hashes)?;
        }
        let bytes = match (&self.form, columns.first()) {
            (Form::Text, Some(column)) => Bytes::Text(column.as_string().clone()),
            (Form::Encoded(converter), _) => Bytes::Encoded(converter.convert_columns(&columns)?),
            _ => Bytes::None,
        };
        Ok(Keys { bytes, nulls, hashes })
    }
}

/// Returns a column in which zeros of either sign are the same, as they are for `=`.
fn with_one_zero(column: ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<Float64Type>() {
        Some(floats) => Arc::new(floats.unary::<_, Float64Type>(|float| float + 0.0)),
        None => column,
    }
}

impl Keys {
    /// Returns the hash of a row's key; `None` if it finds nothing.
    pub(crate) fn hash(&self, row: usize) -> Option<u64> {
        let is_null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        (!is_null).then(|| self.hashes.get(row).copied().unwrap_or_default())
    }

    pub(crate) fn bytes(&self, row: usize) -> &[u8] {
        match &self.bytes {
            Bytes::None => &[],
            Bytes::Text(texts) => texts.value(row).as_bytes(),
            Bytes::Encoded(rows) => rows.row(row).data(),
        }
    }
}

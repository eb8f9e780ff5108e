//! Numbers for the keys of an interval join, the same one for equal keys of both sides. Rows are shared out
//! among parts by their keys, and each part numbers its own.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{NullEquality, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

/// Tells whether keys of a type find each other here as they do in the engine's joins. It takes two zeros
/// of floats for one when it groups and not when it joins.
pub(super) fn can_group(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_string()
        || data_type.is_temporal()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
        || matches!(data_type, DataType::Decimal128(..) | DataType::Null)
}

/// The keys of some rows.
#[derive(Debug)]
pub(super) struct Keys {
    columns: Vec<ArrayRef>,
    /// The rows that find nothing, because a part of their key is NULL.
    nulls: Option<NullBuffer>,
    /// The part of the join that a row belongs to; empty if there is one alone.
    parts: Vec<u8>,
    n_rows: usize,
}

/// How many parts a join may have: keys are shared out among them.
pub(super) const MOST_PARTS: usize = 64;

impl Keys {
    /// Evaluates the keys of rows.
    ///
    /// # Errors
    /// If an expression fails.
    pub(super) fn of(
        exprs: &[Arc<dyn PhysicalExpr>],
        rows: &RecordBatch,
        null_equality: NullEquality,
        n_parts: usize,
    ) -> Result<Self> {
        let n_rows = rows.num_rows();
        let columns = exprs
            .iter()
            .map(|expr| expr.evaluate(rows)?.into_array(n_rows))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let nulls = match null_equality {
            NullEquality::NullEqualsNull => None,
            NullEquality::NullEqualsNothing => columns.iter().fold(None, |nulls, column| {
                NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
            }),
        };
        let mut parts = Vec::new();
        if n_parts > 1 {
            let mut hashes = vec![0; n_rows];
            create_hashes(&columns, &RandomState::with_seed(PARTS_SEED), &mut hashes)?;
            // The high bits tell, as the tables of a part go by the others.
            let part = |hash: &u64| ((u128::from(*hash) * n_parts as u128) >> 64) as u8;
            parts = hashes.iter().map(part).collect();
        }
        Ok(Self { columns, nulls, parts, n_rows })
    }

    /// Returns how much memory they take, in bytes.
    pub(super) fn size(&self) -> usize {
        self.columns.iter().map(|column| column.get_array_memory_size()).sum()
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Tells whether a row belongs to a part.
    pub(super) fn is_of(&self, part: usize, row: usize) -> bool {
        self.parts.get(row).is_none_or(|of_row| usize::from(*of_row) == part)
            && self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }
}

/// Other than that of the tables that number the keys of a part.
const PARTS_SEED: u64 = 0x5e55_1041;

/// Numbers for the keys of a part.
pub(super) struct Groups {
    /// `None` if there are no keys: all rows are of one group.
    values: Option<Box<dyn GroupValues>>,
    /// The groups of the left side, once it was read; the right one brings no others.
    n_of_left: Option<usize>,
    ids: Vec<usize>,
    memory: MemoryReservation,
}

/// How many keys that only the right side has are kept.
const MOST_OF_RIGHT: usize = 100_000;

impl Groups {
    pub(super) fn new(types: &[DataType], memory: MemoryReservation) -> Result<Self> {
        let fields: Vec<Field> = types
            .iter()
            .enumerate()
            .map(|(idx, data_type)| Field::new(idx.to_string(), data_type.clone(), true))
            .collect();
        let values = if fields.is_empty() {
            None
        } else {
            Some(new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None)?)
        };
        Ok(Self { values, n_of_left: None, ids: Vec::new(), memory })
    }

    /// Returns how many groups the left side has.
    pub(super) fn len(&self) -> usize {
        self.n_of_left.unwrap_or_else(|| self.values.as_ref().map_or(1, |values| values.len()))
    }

    /// Says that the left side was read.
    pub(super) fn end_left(&mut self) {
        self.n_of_left = Some(self.len());
    }

    /// Returns the groups of some rows of a batch; from `len()` on they are none of the left side.
    ///
    /// # Errors
    /// If there is not memory enough for the keys.
    pub(super) fn of(&mut self, keys: &Keys, rows: &UInt32Array) -> Result<&[usize]> {
        let Some(values) = &mut self.values else {
            self.ids.clear();
            self.ids.resize(rows.len(), 0);
            return Ok(&self.ids);
        };
        let columns = if rows.len() == keys.n_rows {
            keys.columns.clone()
        } else {
            let taken = keys.columns.iter().map(|column| Ok(take(column, rows, None)?));
            taken.collect::<Result<Vec<ArrayRef>>>()?
        };
        values.intern(&columns, &mut self.ids)?;
        self.memory.try_resize(values.size())?;
        Ok(&self.ids)
    }

    /// Drops the keys that only the right side has, if they are many.
    ///
    /// # Errors
    /// Of the engine.
    pub(super) fn forget_right(&mut self) -> Result<()> {
        let (Some(values), Some(n_of_left)) = (&mut self.values, self.n_of_left) else {
            return Ok(());
        };
        if values.len() <= 2 * n_of_left + MOST_OF_RIGHT {
            return Ok(());
        }
        let keys = values.emit(EmitTo::All)?;
        let of_left: Vec<ArrayRef> = keys.iter().map(|key| key.slice(0, n_of_left)).collect();
        values.clear_shrink(0);
        // They get the numbers that they had, because these are given in order.
        values.intern(&of_left, &mut self.ids)?;
        self.memory.try_resize(values.size())
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Groups").field("n_groups", &self.len()).finish_non_exhaustive()
    }
}

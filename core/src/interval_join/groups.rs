//! Numbers for the keys of an interval join, the same one for equal keys of both sides.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{NullEquality, Result, exec_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;

use super::side::NO_GROUP;

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

/// The numbers that were given.
pub(super) struct Groups {
    /// `None` if there are no keys: all rows are of one group.
    values: Option<Box<dyn GroupValues>>,
    /// Whether NULL is equal to NULL.
    joins_null: bool,
    /// The groups of the left side, once it was read; the right one brings no others.
    n_of_left: Option<usize>,
    ids: Vec<usize>,
    memory: MemoryReservation,
}

/// How many keys that only the right side has are kept.
const MOST_OF_RIGHT: usize = 100_000;

impl Groups {
    pub(super) fn new(
        types: Vec<DataType>,
        null_equality: NullEquality,
        memory: MemoryReservation,
    ) -> Result<Self> {
        let fields: Vec<Field> = types
            .into_iter()
            .enumerate()
            .map(|(idx, data_type)| Field::new(idx.to_string(), data_type, true))
            .collect();
        let values = if fields.is_empty() {
            None
        } else {
            Some(new_group_values(Arc::new(Schema::new(fields)), &GroupOrdering::None)?)
        };
        let joins_null = null_equality == NullEquality::NullEqualsNull;
        Ok(Self { values, joins_null, n_of_left: None, ids: Vec::new(), memory })
    }

    /// Returns how many groups the left side has.
    pub(super) fn len(&self) -> usize {
        self.n_of_left.unwrap_or_else(|| self.values.as_ref().map_or(1, |values| values.len()))
    }

    /// Says that the left side was read.
    pub(super) fn end_left(&mut self) {
        self.n_of_left = Some(self.len());
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

    /// Adds the group of each row.
    ///
    /// # Errors
    /// If there is not memory enough for the keys.
    pub(super) fn add(
        &mut self,
        keys: &[Arc<dyn PhysicalExpr>],
        rows: &RecordBatch,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        let n_groups = self.n_of_left.unwrap_or(NO_GROUP as usize);
        let Some(values) = &mut self.values else {
            groups.resize(groups.len() + rows.num_rows(), 0);
            return Ok(());
        };
        let keys = keys
            .iter()
            .map(|key| key.evaluate(rows)?.into_array(rows.num_rows()))
            .collect::<Result<Vec<ArrayRef>>>()?;
        values.intern(&keys, &mut self.ids)?;
        self.memory.try_resize(values.size())?;
        if values.len() >= NO_GROUP as usize {
            return exec_err!("a join has more than four billion keys");
        }
        let nulls: Vec<_> = keys
            .iter()
            .filter(|_| !self.joins_null)
            .filter_map(|key| key.logical_nulls())
            .collect();
        groups.extend(self.ids.iter().enumerate().map(|(row, id)| {
            let is_null = nulls.iter().any(|nulls| nulls.is_null(row));
            if is_null || *id >= n_groups { NO_GROUP } else { *id as u32 }
        }));
        Ok(())
    }
}

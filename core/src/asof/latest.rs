//! The rows of the right side of an ASOF JOIN, found by key and time.
//! Rows of one key lie in the order of their times, and those of one time in the order of what
//! decides between them, so that a binary search finds the latest.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, DynComparator, PrimitiveArray, RecordBatch, UInt64Array,
    make_comparator,
};
use arrow::compute::{SortOptions, concat_batches};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt as _;

use super::exec::Matching;

/// What a row costs beside its values, if its key is its own.
const BYTES_PER_ROW: usize = 128;

/// The rows.
pub(super) struct Latest {
    rows: RecordBatch,
    times: PrimitiveArray<TimestampMicrosecondType>,
    /// How keys become bytes; none if nothing must be equal.
    converter: Option<RowConverter>,
    /// The rows of each key, the earliest first.
    by_key: HashMap<Box<[u8]>, Vec<usize>>,
    _memory: MemoryReservation,
}

impl Latest {
    /// Reads all rows of a side.
    pub(super) async fn read(
        mut right: SendableRecordBatchStream,
        matching: &Matching,
        task: &TaskContext,
    ) -> Result<Self> {
        let memory = MemoryConsumer::new("ASOF JOIN").register(task.memory_pool());
        let mut batches = Vec::new();
        let mut n_rows = 0;
        while let Some(batch) = right.try_next().await? {
            n_rows += batch.num_rows();
            // Once as it came, and once beside the others.
            memory.try_grow(2 * batch.get_array_memory_size())?;
            batches.push(batch);
        }
        memory.try_grow(n_rows * BYTES_PER_ROW)?;
        let rows = concat_batches(&right.schema(), &batches)?;
        drop(batches);
        memory.try_resize(rows.get_array_memory_size() + n_rows * BYTES_PER_ROW)?;

        let value =
            |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(&rows)?.into_array(rows.num_rows());
        let keys: Vec<ArrayRef> =
            matching.on.iter().map(|(_, key)| value(key)).collect::<Result<_>>()?;
        let times = value(&matching.right_time)?.as_primitive().clone();
        let fields: Vec<SortField> =
            keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
        let converter = if fields.is_empty() { None } else { Some(RowConverter::new(fields)?) };
        let tie = matching.tie.as_ref().map(value).transpose()?;
        let mut latest = Self { rows, times, converter, by_key: HashMap::new(), _memory: memory };
        latest.index(&keys, tie)?;
        Ok(latest)
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    fn index(&mut self, keys: &[ArrayRef], tie: Option<ArrayRef>) -> Result<()> {
        let keys = Keys::new(keys, self.converter.as_ref())?;
        for row in 0..self.rows.num_rows() {
            let Some(key) = keys.key(row).filter(|_| self.times.is_valid(row)) else { continue };
            match self.by_key.get_mut(key) {
                Some(rows) => rows.push(row),
                None => drop(self.by_key.insert(key.into(), vec![row])),
            }
        }
        // What has one time and one id, in whatever order it came, comes to the same.
        let ordered = tie.iter().chain(self.rows.columns());
        let comparators: Vec<DynComparator> = ordered
            .filter_map(|column| make_comparator(column, column, SortOptions::default()).ok())
            .collect();
        let times = &self.times;
        for rows in self.by_key.values_mut() {
            rows.sort_unstable_by(|a, b| {
                let by_time = times.value(*a).cmp(&times.value(*b));
                comparators.iter().fold(by_time, |order, compare| match order {
                    Ordering::Equal => compare(*a, *b),
                    order => order,
                })
            });
        }
        Ok(())
    }

    /// Returns for each key and time the row of that key that is the latest by then.
    pub(super) fn find(
        &self,
        keys: &[ArrayRef],
        times: &ArrayRef,
        is_strict: bool,
    ) -> Result<UInt64Array> {
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let keys = Keys::new(keys, self.converter.as_ref())?;
        let find = |row: usize| {
            let rows = self.by_key.get(keys.key(row).filter(|_| times.is_valid(row))?)?;
            let time = times.value(row);
            let n_in_time = rows.partition_point(|row| match self.times.value(*row).cmp(&time) {
                Ordering::Less => true,
                Ordering::Equal => !is_strict,
                Ordering::Greater => false,
            });
            Some(rows[n_in_time.checked_sub(1)?] as u64)
        };
        Ok((0..times.len()).map(find).collect())
    }
}

/// The keys of some rows.
struct Keys<'a> {
    arrays: &'a [ArrayRef],
    bytes: Option<Rows>,
}

impl<'a> Keys<'a> {
    fn new(arrays: &'a [ArrayRef], converter: Option<&RowConverter>) -> Result<Self> {
        let bytes = converter.map(|converter| converter.convert_columns(arrays)).transpose()?;
        Ok(Self { arrays, bytes })
    }

    /// Returns the key of a row, unless a part of it is NULL.
    fn key(&self, row: usize) -> Option<&[u8]> {
        let Some(bytes) = &self.bytes else { return Some(&[]) };
        self.arrays.iter().all(|array| array.is_valid(row)).then(|| bytes.row(row).data())
    }
}

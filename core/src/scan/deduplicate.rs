//! Removes rows that a scan has seen before, by fingerprints of their key. The first copy stays.

use std::collections::HashSet;
use std::hash::Hasher as _;

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// What one remembered row costs: 16 bytes of fingerprint, with a hash set's spare room.
const BYTES_PER_ROW: usize = 32;

/// The rows that a scan has seen.
pub(super) struct Seen {
    key: Vec<usize>,
    fingerprints: HashSet<u128>,
    reservation: MemoryReservation,
}

impl Seen {
    /// Returns a memory of rows that are named by these columns.
    pub(super) fn new(key: Vec<usize>, reservation: MemoryReservation) -> Self {
        Self { key, fingerprints: HashSet::new(), reservation }
    }

    /// Returns the rows that were not seen before.
    ///
    /// # Errors
    /// If the memory limit does not allow to remember them.
    pub(super) fn retain_new(&mut self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.key.is_empty() || batch.num_rows() == 0 {
            return Ok(batch);
        }
        self.reservation.try_grow(batch.num_rows() * BYTES_PER_ROW)?;
        let options = FormatOptions::default();
        let columns = self
            .key
            .iter()
            .map(|idx| {
                let column = batch.column(*idx);
                Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut text = String::new();
        let mut is_new = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let mut hasher = SipHasher13::new();
            for (column, formatter) in &columns {
                if column.is_null(row) {
                    hasher.write_u8(0);
                    continue;
                }
                text.clear();
                formatter.value(row).write(&mut text)?;
                hasher.write_u8(1);
                hasher.write_usize(text.len());
                hasher.write(text.as_bytes());
            }
            is_new.push(self.fingerprints.insert(hasher.finish128().as_u128()));
        }
        drop(columns);
        if is_new.iter().all(|is_new| *is_new) {
            return Ok(batch);
        }
        Ok(arrow::compute::filter_record_batch(&batch, &BooleanArray::from(is_new))?)
    }
}

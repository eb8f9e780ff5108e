//! Numbers for the keys of an interval join, the same one for equal keys of both sides. The left side's rows
//! are shared out among parts by the hashes of their keys, and each part numbers its own; the right
//! side's keys are only looked up.

use std::cmp::Ordering;
use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, DynComparator, RecordBatch, make_comparator};
use arrow::buffer::NullBuffer;
use arrow::compute::{SortOptions, concat};
use arrow::datatypes::DataType;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::{NullEquality, Result};
use datafusion::physical_expr::PhysicalExpr;

/// Tells whether keys of a type find each other here as they do in the engine's joins. Floats have
/// two zeros, which hash alike and differ.
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
    pub(super) columns: Vec<ArrayRef>,
    /// The rows that find nothing, because a part of their key is NULL.
    nulls: Option<NullBuffer>,
    /// The hash of each row's key; empty if there are no keys.
    hashes: Vec<u64>,
    n_rows: usize,
}

/// How many keys are looked up together.
pub(super) const AT_ONCE: usize = 64;

/// How many parts a join may have.
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
        let mut hashes = Vec::new();
        if !columns.is_empty() {
            hashes.resize(n_rows, 0);
            create_hashes(&columns, &RandomState::with_seed(0), &mut hashes)?;
        }
        Ok(Self { columns, nulls, hashes, n_rows })
    }

    /// Returns how much memory they take, in bytes.
    pub(super) fn size(&self) -> usize {
        let columns = self.columns.iter().map(|column| column.get_array_memory_size());
        columns.sum::<usize>() + size_of_val(self.hashes.as_slice())
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Tells whether a row belongs to a part.
    pub(super) fn is_of(&self, part: usize, n_parts: usize, row: usize) -> bool {
        // The high bits tell, as the tables of a part go by the low ones.
        let of_row = |hash: &u64| ((u128::from(*hash) * n_parts as u128) >> 64) as usize;
        self.hashes.get(row).is_none_or(|hash| of_row(hash) == part)
            && self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    fn hash(&self, row: usize) -> u64 {
        self.hashes.get(row).copied().unwrap_or_default()
    }
}

/// Returns the columns of all keys in one piece each.
///
/// # Errors
/// If a column grows too large.
pub(super) fn in_one_piece(keys: &[Keys]) -> Result<Vec<ArrayRef>> {
    let n_columns = keys.first().map_or(0, |keys| keys.columns.len());
    let column = |idx: usize| {
        let pieces: Vec<_> = keys.iter().map(|keys| keys.columns[idx].as_ref()).collect();
        Ok(concat(&pieces)?)
    };
    (0..n_columns).map(column).collect()
}

/// Compares keys of the left side with others.
pub(super) struct Comparison(Vec<DynComparator>);

impl Comparison {
    /// Returns the comparison of the left side's keys with those of other rows.
    ///
    /// # Errors
    /// If a type cannot be compared.
    pub(super) fn new(left: &[ArrayRef], others: &[ArrayRef]) -> Result<Self> {
        let columns = left.iter().zip(others);
        let comparators =
            columns.map(|(left, other)| Ok(make_comparator(left, other, SortOptions::default())?));
        comparators.collect::<Result<_>>().map(Self)
    }

    fn is_equal(&self, left: u32, other: usize) -> bool {
        self.0.iter().all(|compare| compare(left as usize, other) == Ordering::Equal)
    }
}

/// Numbers for the keys of a part of the left side.
#[derive(Debug)]
pub(super) struct Groups {
    /// By hash, from where it points to on: the upper half of a key's hash, and one more than its number;
    /// 0 is free. At most half of them are taken.
    slots: Vec<u64>,
    /// The hash of each key, and the first row that has it.
    hashes: Vec<u64>,
    firsts: Vec<u32>,
}

const FIRST_SLOTS: usize = 1024;

impl Groups {
    pub(super) fn new() -> Self {
        Self { slots: vec![0; FIRST_SLOTS], hashes: Vec::new(), firsts: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns how much memory they take, in bytes.
    pub(super) fn size(&self) -> usize {
        let Self { slots, hashes, firsts } = self;
        8 * (slots.capacity() + hashes.capacity()) + 4 * firsts.capacity()
    }

    /// Reads where the keys of some rows will be looked up. Memory answers them together, and not one
    /// after the other as when each is compared at once.
    pub(super) fn look_ahead(&self, keys: &Keys, rows: &[usize]) {
        let mask = self.slots.len() - 1;
        let first = |row: &usize| {
            let hash = keys.hash(*row);
            let taken = self.slots[hash as usize & mask];
            let is_hash = taken != 0 && taken >> 32 == hash >> 32;
            if is_hash { self.firsts[(taken as u32 - 1) as usize] } else { 0 }
        };
        black_box(rows.iter().map(first).fold(0, u32::wrapping_add));
    }

    /// Returns the number of a row's key, if the left side has it.
    pub(super) fn find(&self, keys: &Keys, row: usize, comparison: &Comparison) -> Option<u32> {
        self.slot(keys.hash(row), row, comparison).ok()
    }

    /// Returns the number of a left row's key, a new one if need be. `base` is the number of the keys'
    /// first row; the comparison is of the left side with itself.
    pub(super) fn add(
        &mut self,
        keys: &Keys,
        base: usize,
        row: usize,
        comparison: &Comparison,
    ) -> u32 {
        let hash = keys.hash(row);
        match self.slot(hash, base + row, comparison) {
            Ok(group) => group,
            Err(slot) => {
                let group = self.hashes.len() as u32;
                self.slots[slot] = entry(hash, group);
                self.hashes.push(hash);
                self.firsts.push((base + row) as u32);
                if 2 * self.hashes.len() > self.slots.len() {
                    self.grow();
                }
                group
            }
        }
    }

    /// Returns the number of a key, or the free slot where it would be.
    fn slot(
        &self,
        hash: u64,
        row: usize,
        comparison: &Comparison,
    ) -> std::result::Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let taken = self.slots[place];
            if taken == 0 {
                return Err(place);
            }
            let group = taken as u32 - 1;
            let is_hash = taken >> 32 == hash >> 32;
            if is_hash && comparison.is_equal(self.firsts[group as usize], row) {
                return Ok(group);
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let n_slots = 4 * self.slots.len();
        self.slots.clear();
        self.slots.resize(n_slots, 0);
        for (hash, group) in self.hashes.iter().zip(0_u32..) {
            let mut place = *hash as usize & (n_slots - 1);
            while self.slots[place] != 0 {
                place = (place + 1) & (n_slots - 1);
            }
            self.slots[place] = entry(*hash, group);
        }
    }
}

fn entry(hash: u64, group: u32) -> u64 {
    (hash >> 32 << 32) | u64::from(group + 1)
}

//! The rows of a batch, shared out among parts by the hashes of their keys. Equal keys are in the same part
//! of both sides, and a part is small: what is looked up in it is found in the processor's cache.

use super::keys::Keys;
use super::{Interval, NEVER};

/// The rows of a batch that may have a partner, part after part.
#[derive(Debug)]
pub(crate) struct Parts {
    rows: Vec<Row>,
    /// The bytes of their keys, one after the other.
    keys: Vec<u8>,
    /// Where each part begins, and where the last one ends.
    begins: Vec<Place>,
}

/// A row of a side.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Row {
    pub(crate) interval: Interval,
    /// Its number in the batch.
    pub(crate) number: u32,
    /// The lower half of its key's hash; the upper one tells the part.
    pub(crate) hash: u32,
    n_key_bytes: usize,
}

/// A place among the rows, and among the bytes of their keys.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    row: usize,
    key: usize,
}

/// Returns the part of a key with a hash.
pub(crate) fn part_of(hash: u64, n_parts: usize) -> usize {
    ((u128::from(hash) * n_parts as u128) >> 64) as usize
}

impl Parts {
    /// Shares out the rows of a batch.
    pub(crate) fn new(n_parts: usize, keys: &Keys, intervals: &[Interval]) -> Self {
        let part_of = |hash| part_of(hash, n_parts);
        let wanted = || {
            intervals.iter().enumerate().filter_map(|(row, interval)| {
                let hash = keys.hash(row).filter(|_| *interval != NEVER)?;
                Some((row, hash))
            })
        };
        let mut begins = vec![Place::default(); n_parts + 1];
        for (row, hash) in wanted() {
            let after = &mut begins[part_of(hash) + 1];
            after.row += 1;
            after.key += keys.bytes(row).len();
        }
        for part in 1..=n_parts {
            begins[part].row += begins[part - 1].row;
            begins[part].key += begins[part - 1].key;
        }
        let mut in_order = vec![(0, 0); begins[n_parts].row];
        let mut next: Vec<usize> = begins.iter().map(|begin| begin.row).collect();
        for (row, hash) in wanted() {
            let next = &mut next[part_of(hash)];
            in_order[*next] = (row, hash as u32);
            *next += 1;
        }
        let mut bytes = Vec::with_capacity(begins[n_parts].key);
        let of_row = |(row, hash): (usize, u32)| {
            let key = keys.bytes(row);
            bytes.extend_from_slice(key);
            let number = row as u32;
            Row { interval: intervals[row], number, hash, n_key_bytes: key.len() }
        };
        let rows = in_order.into_iter().map(of_row).collect();
        Self { rows, keys: bytes, begins }
    }

    /// Returns how much memory they take, in bytes.
    pub(crate) fn size(&self) -> usize {
        size_of_val(self.rows.as_slice()) + self.keys.len() + size_of_val(self.begins.as_slice())
    }

    /// Returns how many rows a part has.
    pub(crate) fn n_rows(&self, part: usize) -> usize {
        self.begins[part + 1].row - self.begins[part].row
    }

    /// Returns the rows of a part, with their keys.
    pub(crate) fn part(&self, part: usize) -> impl Iterator<Item = (&Row, &[u8])> {
        let (begin, end) = (self.begins[part], self.begins[part + 1]);
        let mut keys = &self.keys[begin.key..end.key];
        self.rows[begin.row..end.row].iter().map(move |row| {
            let (key, rest) = keys.split_at(row.n_key_bytes);
            keys = rest;
            (row, key)
        })
    }
}

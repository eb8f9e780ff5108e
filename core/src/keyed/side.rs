//! The rows of a part of a side, grouped by key and sorted by start and end within each group.

use std::cmp::Ordering;
use std::ops::Range;
use std::thread;

use super::Interval;

/// What a row costs while a side is sorted, in bytes: with its group, in its group, and in the side.
pub(crate) const BYTES_PER_ROW: usize = size_of::<(u32, Placed)>() + size_of::<Placed>() + 20;

/// The rows of a part of a side that may have a partner.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) starts: Vec<i64>,
    pub(crate) ends: Vec<i64>,
    /// The number of each row in the side's batch.
    pub(crate) rows: Vec<u32>,
    /// Where each group begins, and where the last one ends.
    offsets: Vec<u32>,
    has_reversed: bool,
}

/// The earliest start and the latest end of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    first_start: i64,
    last_end: i64,
}

impl Extent {
    /// Returns the extent of these rows and of others.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            first_start: self.first_start.min(other.first_start),
            last_end: self.last_end.max(other.last_end),
        }
    }

    /// Tells whether a row may meet one of these.
    pub(crate) fn reaches(&self, (start, end): Interval) -> bool {
        start < self.last_end && self.first_start < end
    }
}

/// A row's start, end and number.
pub(crate) type Placed = (i64, i64, u32);

impl Side {
    /// Sorts rows, each with its group, on up to `n_threads` threads.
    pub(crate) fn new(n_groups: usize, rows: &[(u32, Placed)], n_threads: usize) -> Self {
        let mut offsets = vec![0_u32; n_groups + 2];
        for (group, _) in rows {
            offsets[*group as usize + 2] += 1;
        }
        for place in 2..offsets.len() {
            offsets[place] += offsets[place - 1];
        }
        let mut sorted = vec![(0, 0, 0); rows.len()];
        // Entry `group + 1` runs from the group's begin to its end, where the next one begins.
        for (group, row) in rows {
            let place = &mut offsets[*group as usize + 1];
            sorted[*place as usize] = *row;
            *place += 1;
        }
        offsets.pop();
        sort_groups(&mut sorted, &offsets, n_threads);
        Self {
            starts: sorted.iter().map(|row| row.0).collect(),
            ends: sorted.iter().map(|row| row.1).collect(),
            rows: sorted.iter().map(|row| row.2).collect(),
            offsets,
            has_reversed: sorted.iter().any(|(start, end, _)| end < start),
        }
    }

    pub(crate) fn n_groups(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Returns how much memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        let per_row = 2 * size_of::<i64>() + size_of::<u32>();
        self.rows.len() * per_row + size_of_val(self.offsets.as_slice())
    }

    /// Returns the places of a group's rows.
    pub(crate) fn group(&self, group: usize) -> Range<usize> {
        self.offsets[group] as usize..self.offsets[group + 1] as usize
    }

    /// Tells whether a row ends before it starts.
    pub(crate) fn has_reversed(&self) -> bool {
        self.has_reversed
    }

    /// Returns from when to when the rows reach; `None` without rows.
    pub(crate) fn extent(&self) -> Option<Extent> {
        Some(Extent { first_start: *self.starts.iter().min()?, last_end: *self.ends.iter().max()? })
    }

    /// Orders rows of one start and end in a group; `compare` is given their numbers.
    pub(crate) fn break_ties(&mut self, compare: impl Fn(u32, u32) -> Ordering) {
        for group in 0..self.n_groups() {
            let mut first = self.group(group).start;
            let end = self.group(group).end;
            while first < end {
                let is_tied = |place: &usize| {
                    (self.starts[*place], self.ends[*place])
                        == (self.starts[first], self.ends[first])
                };
                let n_tied = (first..end).take_while(is_tied).count();
                if n_tied > 1 {
                    let rows = &mut self.rows[first..first + n_tied];
                    rows.sort_unstable_by(|one, other| compare(*one, *other));
                }
                first += n_tied;
            }
        }
    }

    /// Returns for each place the latest end of its group up to there.
    pub(crate) fn latest_ends(&self) -> Vec<i64> {
        let mut latest = self.ends.clone();
        for group in 0..self.n_groups() {
            let places = self.group(group);
            for place in places.start + 1..places.end {
                latest[place] = latest[place].max(latest[place - 1]);
            }
        }
        latest
    }
}

/// How many rows of a group are worth a thread.
const ROWS_PER_THREAD: usize = 16_384;

/// Sorts each group, a large one on several threads.
fn sort_groups(rows: &mut [Placed], offsets: &[u32], n_threads: usize) {
    // One number, by which two rows are compared without a branch: the start, then the end from 0 on.
    let by_time =
        |(start, end, _): &Placed| i128::from(*start) << 64 | i128::from(*end as u64 ^ 1 << 63);
    for group in offsets.windows(2) {
        let rows = &mut rows[group[0] as usize..group[1] as usize];
        let n_threads = n_threads.min(rows.len() / ROWS_PER_THREAD);
        if n_threads > 1 {
            thread::scope(|scope| {
                for piece in rows.chunks_mut(rows.len().div_ceil(n_threads)) {
                    scope.spawn(move || piece.sort_unstable_by_key(by_time));
                }
            });
            // The stable sort finds the pieces sorted, and merges them.
            rows.sort_by_key(by_time);
        } else {
            rows.sort_unstable_by_key(by_time);
        }
    }
}

//! One side of an interval join, grouped by key and sorted by start and end within each group.

use std::ops::Range;

use super::condition::Intervals;

/// A row that is in no group: a part of its key is NULL, the other side has no such key, or it meets
/// nothing.
pub(super) const NO_GROUP: u32 = u32::MAX;

/// What a row costs while a side is sorted, in bytes: its interval and its number, and both once more.
pub(super) const BYTES_PER_ROW: usize = 48;

/// The rows of a side that may have a partner.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) starts: Vec<i64>,
    pub(super) ends: Vec<i64>,
    /// The number of each row in the side's batch.
    pub(super) rows: Vec<u32>,
    /// Where each group begins, and where the last one ends.
    offsets: Vec<usize>,
    has_reversed: bool,
}

/// The earliest start and the latest end of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    first_start: i64,
    last_end: i64,
}

impl Extent {
    /// Tells whether a row may meet one of these.
    pub(super) fn reaches(&self, (start, end): (i64, i64)) -> bool {
        start < self.last_end && self.first_start < end
    }
}

/// A row in the order of its group.
type Placed = (i64, i64, u32);

impl Side {
    /// Sorts rows, each with its interval and its group, on up to `n_threads` threads.
    pub(super) fn new(
        n_groups: usize,
        groups: &[u32],
        intervals: &Intervals,
        n_threads: usize,
    ) -> Self {
        let mut offsets = vec![0; n_groups + 2];
        let placed = || {
            let rows = groups.iter().zip(intervals).zip(0_u32..);
            rows.filter_map(|((group, interval), row)| {
                let (start, end) = (*interval)?;
                (*group != NO_GROUP).then_some((*group as usize, (start, end, row)))
            })
        };
        for (group, _) in placed() {
            offsets[group + 2] += 1;
        }
        for place in 2..offsets.len() {
            offsets[place] += offsets[place - 1];
        }
        let n_rows = offsets[n_groups + 1];
        let mut sorted = vec![(0, 0, 0); n_rows];
        // Entry `group + 1` runs from the group's begin to its end, where the next one begins.
        for (group, row) in placed() {
            sorted[offsets[group + 1]] = row;
            offsets[group + 1] += 1;
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

    pub(super) fn n_groups(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Returns how much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let per_row = 2 * size_of::<i64>() + size_of::<u32>();
        self.rows.len() * per_row + size_of_val(self.offsets.as_slice())
    }

    /// Returns the places of a group's rows.
    pub(super) fn group(&self, group: usize) -> Range<usize> {
        self.offsets[group]..self.offsets[group + 1]
    }

    /// Tells whether a row ends before it starts.
    pub(super) fn has_reversed(&self) -> bool {
        self.has_reversed
    }

    /// Returns from when to when the rows reach; `None` without rows.
    pub(super) fn extent(&self) -> Option<Extent> {
        Some(Extent {
            first_start: *self.starts.iter().min()?,
            last_end: *self.ends.iter().max()?,
        })
    }

    /// Returns for each place the latest end of its group up to there.
    pub(super) fn latest_ends(&self) -> Vec<i64> {
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

/// Sorts each group; the groups are shared out among the threads.
fn sort_groups(rows: &mut [Placed], offsets: &[usize], n_threads: usize) {
    let sort = |rows: &mut [Placed], offsets: &[usize]| {
        let base = offsets[0];
        for group in offsets.windows(2) {
            let rows = &mut rows[group[0] - base..group[1] - base];
            rows.sort_unstable_by_key(|(start, end, _)| (*start, *end));
        }
    };
    const WORTH_A_THREAD: usize = 50_000;
    let n_threads = n_threads.min(rows.len() / WORTH_A_THREAD).max(1);
    std::thread::scope(|scope| {
        let (mut rest, mut first) = (rows, 0);
        for thread in 1..n_threads {
            let n_wanted = rest.len() / (n_threads - thread + 1);
            let base = offsets[first];
            let end = first + offsets[first..].partition_point(|place| place - base < n_wanted);
            let end = end.min(offsets.len() - 1);
            let (own, others) = rest.split_at_mut(offsets[end] - base);
            let own_offsets = &offsets[first..=end];
            scope.spawn(move || sort(own, own_offsets));
            (rest, first) = (others, end);
        }
        sort(rest, &offsets[first..]);
    });
}

//! One side of an interval join, grouped by key and sorted by start and end within each group.

use std::ops::Range;

use super::condition::Interval;

/// What a row costs while a side is sorted, in bytes: with its group, in its group, and in the side.
pub(super) const BYTES_PER_ROW: usize = size_of::<(u32, Placed)>() + size_of::<Placed>() + 20;

/// The rows of a part of a side that may have a partner.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) starts: Vec<i64>,
    pub(super) ends: Vec<i64>,
    /// The number of each row in the side's batch.
    pub(super) rows: Vec<u32>,
    /// Where each group begins, and where the last one ends.
    offsets: Vec<u32>,
    has_reversed: bool,
}

/// The earliest start and the latest end of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    first_start: i64,
    last_end: i64,
}

impl Extent {
    /// Returns the extent of these rows and of others.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            first_start: self.first_start.min(other.first_start),
            last_end: self.last_end.max(other.last_end),
        }
    }

    /// Tells whether a row may meet one of these.
    pub(super) fn reaches(&self, (start, end): Interval) -> bool {
        start < self.last_end && self.first_start < end
    }
}

/// A row's start, end and number.
pub(super) type Placed = (i64, i64, u32);

impl Side {
    /// Sorts rows, each with its group, on up to `n_threads` threads.
    pub(super) fn new(n_groups: usize, rows: &[(u32, Placed)], n_threads: usize) -> Self {
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
        self.offsets[group] as usize..self.offsets[group + 1] as usize
    }

    /// Tells whether a row ends before it starts.
    pub(super) fn has_reversed(&self) -> bool {
        self.has_reversed
    }

    /// Returns from when to when the rows reach; `None` without rows.
    pub(super) fn extent(&self) -> Option<Extent> {
        Some(Extent { first_start: *self.starts.iter().min()?, last_end: *self.ends.iter().max()? })
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
fn sort_groups(rows: &mut [Placed], offsets: &[u32], n_threads: usize) {
    let sort = |rows: &mut [Placed], offsets: &[u32]| {
        let base = offsets[0];
        for group in offsets.windows(2) {
            let rows = &mut rows[(group[0] - base) as usize..(group[1] - base) as usize];
            rows.sort_unstable_by_key(|(start, end, _)| (*start, *end));
        }
    };
    const WORTH_A_THREAD: usize = 50_000;
    let n_threads = n_threads.min(rows.len() / WORTH_A_THREAD).max(1);
    std::thread::scope(|scope| {
        let (mut rest, mut first) = (rows, 0);
        for thread in 1..n_threads {
            let n_wanted = (rest.len() / (n_threads - thread + 1)) as u32;
            let base = offsets[first];
            let end = first + offsets[first..].partition_point(|place| place - base < n_wanted);
            let end = end.min(offsets.len() - 1);
            let (own, others) = rest.split_at_mut((offsets[end] - base) as usize);
            let own_offsets = &offsets[first..=end];
            scope.spawn(move || sort(own, own_offsets));
            (rest, first) = (others, end);
        }
        sort(rest, &offsets[first..]);
    });
}

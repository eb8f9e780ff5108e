//! The pairs of two sorted sides, found by sweeping over both.
//! In: intervals grouped by key, in the order of their starts. Out: runs of pairs: one row of a side with
//! neighbours of the other.
//!
//! A pair `left.start < right.end AND right.start < left.end` is found once: from the left row if the
//! right one does not start earlier, else from the right row. The rows that a row finds are neighbours,
//! so the work is that of the rows and of the pairs. Only if a row ends before it starts, which inequalities
//! may ask for, each row of a run is looked at.

use crate::keyed::Side;

/// A piece of work, small enough that several threads share a join evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// All rows of some groups.
    Groups { first: usize, end: usize },
    /// Some rows of one side of a large group.
    Slice { group: usize, from: From, first: usize, end: usize },
}

/// The side from whose rows pairs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// Finds what does not start earlier.
    Left,
    /// Finds what starts later.
    Right,
}

/// Cuts the work into pieces of about `n_rows` rows.
pub(super) fn tasks(left: &Side, right: &Side, n_rows: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    let (mut first, mut n_waiting) = (0, 0);
    for group in 0..left.n_groups() {
        let (of_left, of_right) = (left.group(group), right.group(group));
        let n_of_group = of_left.len() + of_right.len();
        if n_of_group > n_rows {
            if group > first {
                tasks.push(Task::Groups { first, end: group });
            }
            if !of_left.is_empty() && !of_right.is_empty() {
                for (from, rows) in [(From::Left, of_left), (From::Right, of_right)] {
                    tasks.extend(rows.clone().step_by(n_rows).map(|first| {
                        let end = rows.end.min(first + n_rows);
                        Task::Slice { group, from, first, end }
                    }));
                }
            }
            (first, n_waiting) = (group + 1, 0);
        } else {
            n_waiting += n_of_group;
            if n_waiting >= n_rows {
                tasks.push(Task::Groups { first, end: group + 1 });
                (first, n_waiting) = (group + 1, 0);
            }
        }
    }
    if left.n_groups() > first {
        tasks.push(Task::Groups { first, end: left.n_groups() });
    }
    tasks
}

/// Walks through the pairs of a task.
#[derive(Clone)]
pub(super) struct Sweep<'a> {
    left: &'a Side,
    right: &'a Side,
    /// The groups that are left.
    group: usize,
    end_group: usize,
    from: From,
    /// Whether only one side's rows look for others.
    is_one_sided: bool,
    /// The rows that look for others.
    outer: usize,
    outer_end: usize,
    /// Where the next row finds its first one at the earliest, and where its group ends.
    inner: usize,
    inner_end: usize,
    /// Whether each row of a run is looked at.
    looks_at_each: bool,
    run: Run,
}

/// A row and its neighbours of the other side, as places in the order of the sides.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    outer: usize,
    first: usize,
    end: usize,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(left: &'a Side, right: &'a Side, task: Task) -> Self {
        let mut sweep = Self {
            left,
            right,
            group: 0,
            end_group: 0,
            from: From::Left,
            is_one_sided: false,
            outer: 0,
            outer_end: 0,
            inner: 0,
            inner_end: 0,
            looks_at_each: left.has_reversed() || right.has_reversed(),
            run: Run::default(),
        };
        match task {
            Task::Groups { first, end } => {
                (sweep.group, sweep.end_group) = (first, end);
                if first < end {
                    sweep.enter();
                }
            }
            Task::Slice { group, from, first, end } => {
                (sweep.group, sweep.end_group) = (group, group + 1);
                (sweep.from, sweep.is_one_sided) = (from, true);
                sweep.enter();
                (sweep.outer, sweep.outer_end) = (first, end);
            }
        }
        sweep
    }

    /// Adds pairs of a left and a right row until there are `max`. Returns whether there may be more.
    pub(super) fn fill(&mut self, left: &mut Vec<u32>, right: &mut Vec<u32>, max: usize) -> bool {
        loop {
            while self.run.first < self.run.end {
                let n_rows = (max - left.len()).min(self.run.end - self.run.first);
                if n_rows == 0 {
                    return true;
                }
                let Run { outer, first, .. } = self.run;
                let (outer_side, inner_side) = self.sides();
                let row = outer_side.rows[outer];
                let neighbours = first..first + n_rows;
                let (of_row, of_neighbours) = match self.from {
                    From::Left => (&mut *left, &mut *right),
                    From::Right => (&mut *right, &mut *left),
                };
                if self.looks_at_each {
                    for place in neighbours {
                        if outer_side.starts[outer] < inner_side.ends[place] {
                            of_row.push(row);
                            of_neighbours.push(inner_side.rows[place]);
                        }
                    }
                } else {
                    of_row.resize(of_row.len() + n_rows, row);
                    of_neighbours.extend_from_slice(&inner_side.rows[neighbours]);
                }
                self.run.first += n_rows;
            }
            if !self.advance() {
                return false;
            }
        }
    }

    /// Returns how many pairs there are, without making them.
    pub(super) fn count(&mut self) -> usize {
        let mut n_pairs = 0;
        while self.advance() {
            let Run { outer, first, end } = self.run;
            n_pairs += if self.looks_at_each {
                let (outer_side, inner_side) = self.sides();
                let start = outer_side.starts[outer];
                inner_side.ends[first..end].iter().filter(|inner_end| start < **inner_end).count()
            } else {
                end - first
            };
        }
        n_pairs
    }

    /// Returns the side that looks, and the one that is found.
    fn sides(&self) -> (&'a Side, &'a Side) {
        match self.from {
            From::Left => (self.left, self.right),
            From::Right => (self.right, self.left),
        }
    }

    /// Begins with the group at hand.
    fn enter(&mut self) {
        let (outer_side, inner_side) = self.sides();
        let (outer, inner) = (outer_side.group(self.group), inner_side.group(self.group));
        (self.outer, self.outer_end) = (outer.start, outer.end);
        (self.inner, self.inner_end) = (inner.start, inner.end);
        if inner.is_empty() {
            self.outer = self.outer_end;
        }
    }

    /// Goes on to the next run that is not empty.
    fn advance(&mut self) -> bool {
        loop {
            let (outer_side, inner_side) = self.sides();
            while self.outer < self.outer_end {
                let outer = self.outer;
                self.outer += 1;
                let (start, end) = (outer_side.starts[outer], outer_side.ends[outer]);
                let (starts, ends) = (&inner_side.starts, &inner_side.ends);
                let first = match self.from {
                    // What ends where it starts, at the very start of this row, meets it in no case;
                    // such rows are the first of their start.
                    From::Left => gallop(self.inner, self.inner_end, |place| {
                        starts[place] < start || (starts[place] == start && ends[place] <= start)
                    }),
                    From::Right => {
                        gallop(self.inner, self.inner_end, |place| starts[place] <= start)
                    }
                };
                self.inner = first;
                if first == self.inner_end {
                    self.outer = self.outer_end;
                    break;
                }
                let end = gallop(first, self.inner_end, |place| starts[place] < end);
                if end > first {
                    self.run = Run { outer, first, end };
                    return true;
                }
            }
            if self.is_one_sided {
                return false;
            }
            match self.from {
                From::Left => self.from = From::Right,
                From::Right => {
                    self.from = From::Left;
                    self.group += 1;
                }
            }
            if self.group >= self.end_group {
                return false;
            }
            self.enter();
        }
    }
}

/// Returns the first place of `first..end` for which `precedes` is false, having been true before; quick
/// if it is near.
fn gallop(mut first: usize, end: usize, precedes: impl Fn(usize) -> bool) -> usize {
    for _ in 0..4 {
        if first >= end || !precedes(first) {
            return first;
        }
        first += 1;
    }
    let mut step = 4;
    while first + step < end && precedes(first + step) {
        first += step;
        step *= 2;
    }
    let mut end = end.min(first + step);
    while first < end {
        let middle = usize::midpoint(first, end);
        if precedes(middle) { first = middle + 1 } else { end = middle }
    }
    first
}

//! The work of an interval join on threads: sorting a chunk, finding pairs, making rows of them.
//! In: the left side, whole and sorted, and a chunk of the right one. Out: batches, as they are made.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arrow::array::{RecordBatch, UInt32Array};
use datafusion::common::{JoinType, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::Time;
use tokio::sync::mpsc;

use super::layout::Layout;
use super::sweep::{Sweep, tasks};
use crate::keyed::{Extent, Gathered, Groups, Side, on_threads, share_out};

/// How many rows are taken at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// By a chunk of the right side that is joined with a small left one; others have as many as it.
    pub(super) least_of_chunk: usize,
    /// By any chunk.
    pub(super) most_of_chunk: usize,
    /// By a thread.
    pub(super) task: usize,
    /// By a batch without columns.
    pub(super) counted: usize,
    /// By a batch of pairs, in the engine's batches.
    pub(super) batches: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            least_of_chunk: 65_536,
            most_of_chunk: 1 << 20,
            task: 16_384,
            counted: 16_384,
            batches: 4,
        }
    }
}

/// How many batches without columns are made at a time.
const AT_ONCE: usize = 64;

/// What all parts of a join need to know.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) join_type: JoinType,
    pub(super) layout: Layout,
    pub(super) sizes: Sizes,
    pub(super) batch_rows: usize,
    pub(super) n_threads: usize,
    pub(super) elapsed: Time,
}

/// The left side.
#[derive(Debug)]
pub(super) struct Left {
    rows: RecordBatch,
    parts: Vec<LeftPart>,
    extent: Option<Extent>,
    /// Which rows had a partner so far, where that is asked for.
    matched: Vec<AtomicBool>,
    _memory: MemoryReservation,
}

/// The rows of the left side that have some of the keys.
#[derive(Debug)]
struct LeftPart {
    groups: Groups,
    side: Side,
    /// The latest end of each group up to a place, where it is asked whether there is a partner at all.
    latest_ends: Vec<i64>,
}

/// A chunk of the right side.
struct Chunk {
    rows: RecordBatch,
    parts: Vec<Side>,
    matched: Vec<AtomicBool>,
    _memory: MemoryReservation,
}

/// Nobody wants more rows.
struct Enough;

type Sender = mpsc::Sender<Result<RecordBatch>>;

fn unmatched(n_rows: usize, is_wanted: bool) -> Vec<AtomicBool> {
    let n_rows = if is_wanted { n_rows } else { 0 };
    (0..n_rows).map(|_| AtomicBool::new(false)).collect()
}

impl Left {
    /// Tells whether more of the right side cannot change which left rows go out.
    pub(super) fn is_settled(&self, join_type: JoinType) -> bool {
        matches!(join_type, JoinType::LeftSemi | JoinType::LeftAnti)
            && self.matched.iter().all(|matched| matched.load(Ordering::Relaxed))
    }
}

impl Work {
    /// Sorts the left side; each part has numbers for its keys.
    ///
    /// # Errors
    /// If it does not fit into memory.
    pub(super) fn left(&self, input: Gathered) -> Result<Left> {
        let _timer = self.elapsed.timer();
        let wants_latest = self.only_tests() && self.marks_right();
        let parts = share_out(self.n_threads, input.n_parts, |part| {
            let (groups, side) = input.sorted(part, self.n_threads);
            let latest_ends = if wants_latest { side.latest_ends() } else { Vec::new() };
            Ok(LeftPart { groups, side, latest_ends })
        })?;
        let rows = input.rows()?;
        let memory = input.memory;
        let matched = unmatched(rows.num_rows(), self.marks_left());
        let of_parts = parts.iter().map(|part| {
            part.side.size() + part.groups.size() + size_of_val(part.latest_ends.as_slice())
        });
        let size = rows.get_array_memory_size() + matched.len() + of_parts.sum::<usize>();
        memory.try_resize(size)?;
        let extent = parts.iter().filter_map(|part| part.side.extent()).reduce(Extent::and);
        Ok(Left { rows, parts, extent, matched, _memory: memory })
    }

    /// Joins a chunk of the right side, and sends what comes of it.
    ///
    /// # Errors
    /// If a residual predicate fails, or a column grows too large.
    pub(super) fn join(&self, left: &Left, input: Gathered, sender: &Sender) -> Result<()> {
        let timer = self.elapsed.timer();
        let parts = match left.extent {
            None => left.parts.iter().map(|_| Side::default()).collect(),
            Some(extent) => share_out(self.n_threads, input.n_parts, |part| {
                let groups = &left.parts[part].groups;
                let mut rows = Vec::with_capacity(input.n_rows(part));
                if 2 * input.n_rows(part) > groups.len() {
                    groups.warm_up();
                }
                for (placed, row, key) in input.part(part) {
                    if extent.reaches(row.interval)
                        && let Some(group) = groups.find(row.hash, key)
                    {
                        rows.push((group, placed));
                    }
                }
                Ok(Side::new(groups.len(), &rows, self.n_threads))
            })?,
        };
        let rows = input.rows()?;
        let matched = unmatched(rows.num_rows(), self.marks_right());
        let chunk = Chunk { rows, parts, matched, _memory: input.memory };
        timer.done();
        let ended = if left.extent.is_none() {
            Ok(Ok(()))
        } else if self.only_tests() {
            self.test(left, &chunk).map(Ok)
        } else {
            self.pair(left, &chunk, sender)
        };
        match ended? {
            Ok(()) => self.rest_of_right(left, &chunk, sender),
            Err(Enough) => Ok(()),
        }
    }

    /// Sends the left rows that go out because of what was found of all of the right side.
    ///
    /// # Errors
    /// If a column grows too large.
    pub(super) fn rest_of_left(&self, left: &Left, sender: &Sender) -> Result<()> {
        let wanted = match self.join_type {
            JoinType::Left | JoinType::Full | JoinType::LeftAnti => false,
            JoinType::LeftSemi => true,
            _ => return Ok(()),
        };
        let none = left.rows.slice(0, 0);
        self.rest(&left.matched, wanted, sender, |rows| {
            self.layout.rows((&left.rows, &none), (Some(rows), None))
        })
    }

    fn rest_of_right(&self, left: &Left, chunk: &Chunk, sender: &Sender) -> Result<()> {
        let wanted = match self.join_type {
            JoinType::Right | JoinType::Full | JoinType::RightAnti => false,
            JoinType::RightSemi => true,
            _ => return Ok(()),
        };
        self.rest(&chunk.matched, wanted, sender, |rows| {
            self.layout.rows((&left.rows, &chunk.rows), (None, Some(rows)))
        })
    }

    fn rest(
        &self,
        matched: &[AtomicBool],
        wanted: bool,
        sender: &Sender,
        rows: impl Fn(&UInt32Array) -> Result<RecordBatch>,
    ) -> Result<()> {
        let of_rows = matched.iter().zip(0_u32..);
        let mut wanted = of_rows
            .filter(|(matched, _)| matched.load(Ordering::Relaxed) == wanted)
            .map(|(_, row)| row)
            .peekable();
        while wanted.peek().is_some() {
            let taken: UInt32Array = wanted.by_ref().take(self.batch_rows).map(Some).collect();
            if sender.blocking_send(Ok(rows(&taken)?)).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Marks the rows that have a partner, without looking for all of them.
    fn test(&self, left: &Left, chunk: &Chunk) -> Result<()> {
        let _timer = self.elapsed.timer();
        share_out(self.n_threads, chunk.parts.len(), |part| {
            let (of_left, of_right) = (&left.parts[part], &chunk.parts[part]);
            if self.marks_left() {
                mark(&of_left.side, of_right, &of_right.latest_ends(), &left.matched);
            } else {
                mark(of_right, &of_left.side, &of_left.latest_ends, &chunk.matched);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Finds all pairs.
    fn pair(
        &self,
        left: &Left,
        chunk: &Chunk,
        sender: &Sender,
    ) -> Result<std::result::Result<(), Enough>> {
        let sides = left.parts.iter().zip(&chunk.parts).map(|(left, right)| (&left.side, right));
        let tasks: Vec<_> = sides
            .flat_map(|(left, right)| {
                let tasks = tasks(left, right, self.sizes.task);
                tasks.into_iter().map(move |task| Sweep::new(left, right, task))
            })
            .collect();
        let next = AtomicUsize::new(0);
        let next = || tasks.get(next.fetch_add(1, Ordering::Relaxed)).cloned();
        let marks = self.marks_left() || self.marks_right();
        let ended = on_threads(self.n_threads, tasks.len(), || {
            if self.layout.only_counts() && !self.layout.has_residual() && !marks {
                self.count(next, sender)
            } else {
                self.pairs(next, left, chunk, sender)
            }
        })?;
        Ok(ended.into_iter().collect())
    }

    /// Sends how many pairs there are, as rows without columns, which take no memory.
    fn count<'a>(
        &self,
        next: impl Fn() -> Option<Sweep<'a>>,
        sender: &Sender,
    ) -> Result<std::result::Result<(), Enough>> {
        let mut n_pairs = 0;
        loop {
            let timer = self.elapsed.timer();
            let sweep = next();
            let is_last = sweep.is_none();
            n_pairs += sweep.map_or(0, |mut sweep| sweep.count());
            timer.done();
            if n_pairs > AT_ONCE * self.sizes.counted || is_last && n_pairs > 0 {
                let rows = self.layout.counted(mem::take(&mut n_pairs))?;
                if sender.blocking_send(Ok(rows)).is_err() {
                    return Ok(Err(Enough));
                }
            }
            if is_last {
                return Ok(Ok(()));
            }
        }
    }

    /// Sends the pairs, or marks their rows.
    fn pairs<'a>(
        &self,
        next: impl Fn() -> Option<Sweep<'a>>,
        left: &Left,
        chunk: &Chunk,
        sender: &Sender,
    ) -> Result<std::result::Result<(), Enough>> {
        let n_rows = self.sizes.batches * self.batch_rows;
        let mut sweep = next();
        while sweep.is_some() {
            let timer = self.elapsed.timer();
            let mut pairs = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
            while let Some(of_task) = &mut sweep
                && !of_task.fill(&mut pairs.0, &mut pairs.1, n_rows)
            {
                sweep = next();
            }
            let sides = (&left.rows, &chunk.rows);
            let pairs = (UInt32Array::from(pairs.0), UInt32Array::from(pairs.1));
            let pairs = self.layout.matching(sides, pairs)?;
            if self.marks_left() {
                mark_all(&left.matched, &pairs.0);
            }
            if self.marks_right() {
                mark_all(&chunk.matched, &pairs.1);
            }
            if pairs.0.is_empty() || !self.emits_pairs() {
                if sender.is_closed() {
                    return Ok(Err(Enough));
                }
                continue;
            }
            let rows = self.layout.rows(sides, (Some(&pairs.0), Some(&pairs.1)))?;
            timer.done();
            if sender.blocking_send(Ok(rows)).is_err() {
                return Ok(Err(Enough));
            }
        }
        Ok(Ok(()))
    }

    fn emits_pairs(&self) -> bool {
        use JoinType::{Full, Inner, Left, Right};
        matches!(self.join_type, Inner | Left | Right | Full)
    }

    fn marks_left(&self) -> bool {
        use JoinType::{Full, Left, LeftAnti, LeftSemi};
        matches!(self.join_type, Left | Full | LeftSemi | LeftAnti)
    }

    fn marks_right(&self) -> bool {
        use JoinType::{Full, Right, RightAnti, RightSemi};
        matches!(self.join_type, Right | Full | RightSemi | RightAnti)
    }

    /// Tells whether it is enough to know if a row has a partner.
    fn only_tests(&self) -> bool {
        !self.emits_pairs() && !self.layout.has_residual()
    }
}

/// Marks the rows of one side that have a partner on the other. Those of its group that start in time are
/// the first ones, and one of them ends late enough if the latest end does.
fn mark(side: &Side, other: &Side, latest_ends: &[i64], matched: &[AtomicBool]) {
    for group in 0..side.n_groups() {
        let others = other.group(group);
        if others.is_empty() {
            continue;
        }
        for place in side.group(group) {
            let n_in_time = other.starts[others.clone()].partition_point(|s| *s < side.ends[place]);
            let has_partner =
                n_in_time > 0 && latest_ends[others.start + n_in_time - 1] > side.starts[place];
            if has_partner {
                matched[side.rows[place] as usize].store(true, Ordering::Relaxed);
            }
        }
    }
}

fn mark_all(matched: &[AtomicBool], rows: &UInt32Array) {
    for row in rows.values() {
        matched[*row as usize].store(true, Ordering::Relaxed);
    }
}

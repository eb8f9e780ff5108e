//! The work of an interval join on threads: sorting a chunk, finding pairs, making rows of them.
//! In: the left side, whole and sorted, and a chunk of the right one. Out: batches, as they are made.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use datafusion::common::{DataFusionError, JoinType, Result};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::metrics::Time;
use tokio::sync::mpsc;

use super::condition::{Intervals, NEVER};
use super::groups::{AT_ONCE, Comparison, Groups, Keys, in_one_piece};
use super::layout::Layout;
use super::side::{Extent, Side};
use super::sweep::{Sweep, tasks};

/// How many rows are taken at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// By the first chunk of the right side; each next one may have twice as many.
    pub(super) first_chunk: usize,
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
            first_chunk: 65_536,
            most_of_chunk: 1 << 20,
            task: 16_384,
            counted: 65_536,
            batches: 4,
        }
    }
}

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

/// Rows of a side as they were read.
#[derive(Debug)]
pub(super) struct Input {
    /// The columns that are kept.
    pub(super) rows: RecordBatch,
    /// The keys of the rows, batch by batch.
    pub(super) keys: Vec<Keys>,
    pub(super) intervals: Intervals,
    pub(super) memory: MemoryReservation,
}

/// The left side.
#[derive(Debug)]
pub(super) struct Left {
    rows: RecordBatch,
    /// The keys of all rows, in which those of the right side are looked up.
    keys: Vec<ArrayRef>,
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
    pub(super) fn left(&self, input: Input, n_parts: usize) -> Result<Left> {
        let _timer = self.elapsed.timer();
        let wants_latest = self.only_tests() && self.marks_right();
        let n_threads = if n_parts == 1 { self.n_threads } else { 1 };
        let keys = in_one_piece(&input.keys)?;
        let parts = in_parallel(0..n_parts, |part| {
            let mut groups = Groups::new();
            let comparison = Comparison::new(&keys, &keys)?;
            let (mut rows, mut base) = (Vec::new(), 0);
            for of_batch in &input.keys {
                let is_wanted = |row: &usize| {
                    input.intervals[base + row] != NEVER && of_batch.is_of(part, n_parts, *row)
                };
                let wanted: Vec<usize> = (0..of_batch.n_rows()).filter(is_wanted).collect();
                for wanted in wanted.chunks(AT_ONCE) {
                    groups.look_ahead(of_batch, wanted);
                    for row in wanted {
                        let group = groups.add(of_batch, base, *row, &comparison);
                        rows.push(((base + row) as u32, group));
                    }
                }
                base += of_batch.n_rows();
            }
            let side = Side::new(groups.len(), &rows, &input.intervals, n_threads);
            let latest_ends = if wants_latest { side.latest_ends() } else { Vec::new() };
            Ok(LeftPart { groups, side, latest_ends })
        })?;
        let Input { rows, memory, .. } = input;
        let matched = unmatched(rows.num_rows(), self.marks_left());
        let of_parts = parts.iter().map(|part| {
            part.side.size() + part.groups.size() + size_of_val(part.latest_ends.as_slice())
        });
        let of_keys = keys.iter().map(|column| column.get_array_memory_size());
        let size = rows.get_array_memory_size()
            + matched.len()
            + of_parts.sum::<usize>()
            + of_keys.sum::<usize>();
        memory.try_resize(size)?;
        let extent = parts.iter().filter_map(|part| part.side.extent()).reduce(Extent::and);
        Ok(Left { rows, keys, parts, extent, matched, _memory: memory })
    }

    /// Joins a chunk of the right side, and sends what comes of it.
    ///
    /// # Errors
    /// If a residual predicate fails, or a column grows too large.
    pub(super) fn join(&self, left: &Left, input: Input, sender: &Sender) -> Result<()> {
        let timer = self.elapsed.timer();
        let n_threads = if left.parts.len() == 1 { self.n_threads } else { 1 };
        let parts = match left.extent {
            None => left.parts.iter().map(|_| Side::default()).collect(),
            Some(extent) => in_parallel(0..left.parts.len(), |part| {
                let groups = &left.parts[part].groups;
                let rows = rows_of(part, &input, left, extent)?;
                Ok(Side::new(groups.len(), &rows, &input.intervals, n_threads))
            })?,
        };
        let Input { rows, memory, .. } = input;
        let matched = unmatched(rows.num_rows(), self.marks_right());
        let chunk = Chunk { rows, parts, matched, _memory: memory };
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
        in_parallel(left.parts.iter().zip(&chunk.parts), |(of_left, of_right)| {
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
        let sides = || left.parts.iter().zip(&chunk.parts).map(|(left, right)| (&left.side, right));
        let tasks: Vec<_> = sides()
            .flat_map(|(left, right)| {
                let tasks = tasks(left, right, self.sizes.task);
                tasks.into_iter().map(move |task| Sweep::new(left, right, task))
            })
            .collect();
        let next = AtomicUsize::new(0);
        let work = || loop {
            let Some(sweep) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return Ok(Ok(()));
            };
            if let Err(Enough) = self.pairs_of(sweep.clone(), left, chunk, sender)? {
                return Ok(Err(Enough));
            }
        };
        thread::scope(|scope| {
            let n_others = self.n_threads.min(tasks.len()).saturating_sub(1);
            let others: Vec<_> = (0..n_others).map(|_| scope.spawn(work)).collect();
            let mut ended = work();
            for other in others {
                let other = other.join().unwrap_or_else(|_| Err(broken()));
                ended = match (ended, other) {
                    (Err(error), _) | (_, Err(error)) => Err(error),
                    (Ok(Err(Enough)), _) | (_, Ok(Err(Enough))) => Ok(Err(Enough)),
                    (ended, _) => ended,
                };
            }
            ended
        })
    }

    fn pairs_of(
        &self,
        mut sweep: Sweep<'_>,
        left: &Left,
        chunk: &Chunk,
        sender: &Sender,
    ) -> Result<std::result::Result<(), Enough>> {
        let is_sent = |rows| sender.blocking_send(Ok(rows)).is_ok();
        let marks = self.marks_left() || self.marks_right();
        if self.layout.only_counts() && !self.layout.has_residual() && !marks {
            let timer = self.elapsed.timer();
            let mut n_pairs = sweep.count();
            timer.done();
            while n_pairs > 0 {
                let n_rows = n_pairs.min(self.sizes.counted);
                n_pairs -= n_rows;
                if !is_sent(self.layout.counted(n_rows)?) {
                    return Ok(Err(Enough));
                }
            }
            return Ok(Ok(()));
        }
        let mut has_more = true;
        while has_more {
            let timer = self.elapsed.timer();
            let n_rows = self.sizes.batches * self.batch_rows;
            let mut pairs = (Vec::with_capacity(n_rows), Vec::with_capacity(n_rows));
            has_more = sweep.fill(&mut pairs.0, &mut pairs.1, n_rows);
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
            if !is_sent(rows) {
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

/// Returns the rows of a part of a chunk that may have a partner, with their groups.
fn rows_of(part: usize, input: &Input, left: &Left, extent: Extent) -> Result<Vec<(u32, u32)>> {
    let (groups, n_parts) = (&left.parts[part].groups, left.parts.len());
    let (mut rows, mut base) = (Vec::new(), 0);
    for keys in &input.keys {
        let comparison = Comparison::new(&left.keys, &keys.columns)?;
        let is_wanted = |row: &usize| {
            extent.reaches(input.intervals[base + row]) && keys.is_of(part, n_parts, *row)
        };
        let wanted: Vec<usize> = (0..keys.n_rows()).filter(is_wanted).collect();
        for wanted in wanted.chunks(AT_ONCE) {
            groups.look_ahead(keys, wanted);
            let found = wanted.iter().filter_map(|row| {
                let group = groups.find(keys, *row, &comparison)?;
                Some(((base + row) as u32, group))
            });
            rows.extend(found);
        }
        base += keys.n_rows();
    }
    Ok(rows)
}

/// Does something with each item, on a thread of its own if there are several.
fn in_parallel<I: Send, T: Send>(
    items: impl ExactSizeIterator<Item = I>,
    work: impl Fn(I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    if items.len() == 1 {
        return items.map(work).collect();
    }
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items.map(|item| scope.spawn(move || work(item))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(broken()))).collect()
    })
}

fn broken() -> DataFusionError {
    DataFusionError::Internal("a thread of a join broke down".to_owned())
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

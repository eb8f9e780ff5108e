//! The batches of a side while they are read.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{Result, exec_err};
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::Time;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::groups::Groups;
use super::keys::KeyReader;
use super::parts::{Parts, Row};
use super::side::{BYTES_PER_ROW, Placed, Side};
use super::{Intervals, joined};

/// Tells the intervals of rows.
pub(crate) type IntervalsOf = Box<dyn Fn(&RecordBatch) -> Result<Intervals> + Send + Sync>;

/// How a side is read.
pub(crate) struct Reading {
    pub(crate) keys: KeyReader,
    /// The interval of each row of a batch.
    pub(crate) intervals: IntervalsOf,
    /// The columns that are kept.
    pub(crate) columns: Vec<usize>,
    pub(crate) schema: SchemaRef,
    pub(crate) elapsed: Time,
}

/// Rows as they were read.
#[derive(Debug)]
pub(crate) struct Batch {
    parts: Parts,
    /// The columns that are kept.
    kept: RecordBatch,
}

impl Reading {
    /// Shares out the batches of a stream, on up to `n_threads` threads; they come in its order.
    pub(crate) fn batches(
        self: &Arc<Self>,
        stream: SendableRecordBatchStream,
        n_threads: usize,
    ) -> BoxStream<'static, Result<Batch>> {
        let reading = Arc::clone(self);
        let batch = move |rows: Result<RecordBatch>| {
            let reading = Arc::clone(&reading);
            async move {
                let rows = rows?;
                joined(SpawnedTask::spawn_blocking(move || reading.batch(&rows))).await
            }
        };
        stream.map(batch).buffered(n_threads).boxed()
    }

    fn batch(&self, rows: &RecordBatch) -> Result<Batch> {
        let _timer = self.elapsed.timer();
        let (keys, intervals) = (self.keys.keys(rows)?, (self.intervals)(rows)?);
        let parts = Parts::new(self.keys.n_parts(), &keys, &intervals);
        Ok(Batch { parts, kept: rows.project(&self.columns)? })
    }
}

impl Batch {
    /// Returns how much memory it takes until its side is sorted, in bytes.
    fn n_bytes(&self) -> usize {
        // The columns are once as they came and once in one piece, the keys once more when they are numbered.
        let twice = self.kept.get_array_memory_size() + self.parts.size();
        2 * twice + self.kept.num_rows() * BYTES_PER_ROW
    }
}

/// Rows of a side while they are read.
pub(crate) struct Gathering {
    batches: Vec<Batch>,
    n_rows: usize,
    memory: MemoryReservation,
}

impl Gathering {
    pub(crate) fn new(memory: MemoryReservation) -> Self {
        Self { batches: Vec::new(), n_rows: 0, memory }
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Tells whether there is memory for one more batch.
    pub(crate) fn has_room(&self, batch: &Batch) -> bool {
        self.memory.new_empty().try_grow(batch.n_bytes()).is_ok()
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// If there is no memory for it, or there are too many rows.
    pub(crate) fn add(&mut self, batch: Batch) -> Result<()> {
        self.memory.try_grow(batch.n_bytes())?;
        self.n_rows += batch.kept.num_rows();
        if self.n_rows > u32::MAX as usize {
            return exec_err!("a join has more than four billion rows on one side");
        }
        self.batches.push(batch);
        Ok(())
    }

    /// Returns what was read.
    ///
    /// # Errors
    /// If the reading names columns that are not there.
    pub(crate) fn end(self, reading: &Reading) -> Result<Gathered> {
        let schema = Arc::new(reading.schema.project(&reading.columns)?);
        let (batches, parts) =
            self.batches.into_iter().map(|batch| (batch.kept, batch.parts)).unzip();
        Ok(Gathered {
            batches,
            schema,
            parts,
            n_parts: reading.keys.n_parts(),
            memory: self.memory,
        })
    }
}

/// Rows of a side as they were read, batch by batch.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The columns that are kept.
    batches: Vec<RecordBatch>,
    schema: SchemaRef,
    parts: Vec<Parts>,
    pub(crate) n_parts: usize,
    pub(crate) memory: MemoryReservation,
}

impl Gathered {
    /// Returns the columns that are kept, in one piece.
    ///
    /// # Errors
    /// If a column grows too large.
    pub(crate) fn rows(&self) -> Result<RecordBatch> {
        Ok(concat_batches(&self.schema, &self.batches)?)
    }

    /// Returns how many rows a part has.
    pub(crate) fn n_rows(&self, part: usize) -> usize {
        self.parts.iter().map(|of_batch| of_batch.n_rows(part)).sum()
    }

    /// Returns the rows of a part, each with its number in the side, and their keys.
    pub(crate) fn part(&self, part: usize) -> impl Iterator<Item = (Placed, &Row, &[u8])> {
        let mut n_before = 0;
        self.parts.iter().zip(&self.batches).flat_map(move |(parts, batch)| {
            let first = n_before;
            n_before += batch.num_rows() as u32;
            parts.part(part).map(move |(row, key)| {
                let (start, end) = row.interval;
                ((start, end, first + row.number), row, key)
            })
        })
    }

    /// Numbers the keys of a part and sorts the rows of each, on up to `n_threads` threads.
    pub(crate) fn sorted(&self, part: usize, n_threads: usize) -> (Groups, Side) {
        let (mut groups, mut rows) = (Groups::new(), Vec::with_capacity(self.n_rows(part)));
        for (placed, row, key) in self.part(part) {
            rows.push((groups.add(row.hash, key), placed));
        }
        let side = Side::new(groups.len(), &rows, n_threads);
        (groups, side)
    }
}

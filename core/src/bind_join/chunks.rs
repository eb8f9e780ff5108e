//! Cuts the outer side of a bind join into chunks: rows, and the distinct keys in them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::TryStreamExt as _;

use crate::lookup::KeyLimits;

/// Rows in a chunk at most.
const MAX_ROWS: usize = 65_536;
/// What a remembered key costs beside its text.
const BYTES_PER_KEY: usize = 64;

/// Rows of the outer side that are joined together.
pub(super) struct Chunk {
    pub(super) rows: Vec<RecordBatch>,
    /// The keys of the rows, each once.
    pub(super) keys: Vec<String>,
    /// How many of them no chunk before had.
    pub(super) n_new_keys: usize,
}

/// How large chunks are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) limits: KeyLimits,
    /// Whether all rows are one chunk.
    pub(super) is_whole: bool,
    /// Whether only the first row of each key matters, in all chunks together.
    pub(super) takes_firsts: bool,
}

/// The chunks of an outer side.
pub(super) struct Chunks {
    outer: SendableRecordBatchStream,
    key: Arc<dyn PhysicalExpr>,
    size: Size,
    /// New keys in the next chunk at most.
    n_next: usize,
    /// Rows that the chunk before had no room for.
    rest: Option<RecordBatch>,
    is_done: bool,
    seen: HashSet<String>,
    seen_memory: MemoryReservation,
    chunk_memory: MemoryReservation,
}

impl Chunks {
    /// Returns the chunks of `outer`, whose rows have their key where `key` says.
    pub(super) fn new(
        outer: SendableRecordBatchStream,
        key: Arc<dyn PhysicalExpr>,
        size: Size,
        task: &TaskContext,
    ) -> Self {
        let memory = |what: &str| MemoryConsumer::new(what).register(task.memory_pool());
        Self {
            outer,
            key,
            size,
            n_next: size.limits.first_chunk.clamp(1, size.limits.max_chunk.max(1)),
            rest: None,
            is_done: false,
            seen: HashSet::new(),
            seen_memory: memory("keys of a join"),
            chunk_memory: memory("a chunk of a join"),
        }
    }

    /// Returns the next rows; `None` at the end.
    ///
    /// # Errors
    /// If the outer side fails, or the memory limit does not allow to hold a chunk.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>> {
        self.chunk_memory.free();
        let mut rows: Vec<RecordBatch> = Vec::new();
        let mut keys: HashSet<String> = HashSet::new();
        let (mut n_rows, mut n_new_keys) = (0, 0);
        while !self.is_done {
            let batch = match self.rest.take() {
                Some(batch) => Some(batch),
                None => self.outer.try_next().await?,
            };
            let Some(batch) = batch else {
                self.is_done = true;
                break;
            };
            let (taken, n_taken) = self.take(&batch, &mut keys, &mut n_new_keys)?;
            if taken.num_rows() > 0 {
                self.chunk_memory.try_grow(taken.get_array_memory_size())?;
                n_rows += taken.num_rows();
                rows.push(taken);
            }
            if n_taken < batch.num_rows() {
                self.rest = Some(batch.slice(n_taken, batch.num_rows() - n_taken));
                break;
            }
            if !self.size.is_whole && (n_new_keys >= self.n_next || n_rows >= MAX_ROWS) {
                break;
            }
        }
        self.n_next = self.n_next.saturating_mul(2).min(self.size.limits.max_chunk.max(1));
        if rows.is_empty() {
            // All is read: a chunk ends before that only if it has a new key, and so a row.
            return Ok(None);
        }
        Ok(Some(Chunk { rows, keys: keys.into_iter().collect(), n_new_keys }))
    }

    /// Returns the rows of a batch that belong to the chunk, and how many rows were looked at: up to
    /// the one whose new key is too many. A NULL is no key, but its row stays: outer joins want it.
    fn take(
        &mut self,
        batch: &RecordBatch,
        keys: &mut HashSet<String>,
        n_new_keys: &mut usize,
    ) -> Result<(RecordBatch, usize)> {
        let values = self.key.evaluate(batch)?.into_array(batch.num_rows())?;
        let values = cast(&values, &DataType::Utf8)?;
        let mut firsts: Vec<u32> = Vec::new();
        let mut n_taken = 0;
        for (row_idx, key) in (0_u32..).zip(values.as_string::<i32>()) {
            if let Some(key) = key
                && !keys.contains(key)
            {
                let is_new = !self.seen.contains(key);
                if is_new && *n_new_keys >= self.n_next && !self.size.is_whole {
                    break;
                }
                if is_new {
                    self.seen_memory.try_grow(key.len() + BYTES_PER_KEY)?;
                    self.seen.insert(key.to_owned());
                    *n_new_keys += 1;
                    firsts.push(row_idx);
                }
                if is_new || !self.size.takes_firsts {
                    keys.insert(key.to_owned());
                }
            }
            n_taken += 1;
        }
        let taken = match self.size.takes_firsts {
            true => take_record_batch(batch, &UInt32Array::from(firsts))?,
            false => batch.slice(0, n_taken),
        };
        Ok((taken, n_taken))
    }
}

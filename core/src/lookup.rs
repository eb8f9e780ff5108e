//! The answers of one table that joins ask by the keys of one column.
//! In: keys. Out: the rows that have one of them. Every key is asked for once in a statement, however
//! many joins and chunks want it; keys are asked for in parts, several at a time.
//! Keys that the plugin cannot ask for are answered from a read without keys, with its gaps.
//! The memory limit holds for the rows from the batch on in which they come.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;

use crate::scan::{ScanPlan, read};
use crate::table::Askable;

/// How many keys are asked for at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// New keys in the first chunk of a join's outer side; each chunk after it has twice as many.
    pub first_chunk: usize,
    /// New keys in a chunk at most.
    pub max_chunk: usize,
    /// Scans that run at the same time for one chunk.
    pub n_scans: usize,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self { first_chunk: 4, max_chunk: 64, n_scans: 4 }
    }
}

/// One table that is asked by the keys of one column.
#[derive(Debug)]
pub(crate) struct Lookup {
    askable: Askable,
    /// The column of the keys, by index in the table.
    column: usize,
    /// The number of the scan in the ledger.
    scan_id: usize,
    limits: KeyLimits,
    answers: Mutex<Answers>,
}

/// What is known so far.
#[derive(Debug, Default)]
struct Answers {
    by_key: HashMap<String, RecordBatch>,
    /// What a read without keys brought, once there was a key that the plugin cannot ask for.
    whole: Option<HashMap<String, RecordBatch>>,
    memory: Option<MemoryReservation>,
}

/// What keys that are asked for together brought.
#[derive(Default)]
struct Part {
    answers: Vec<(Vec<String>, Rows)>,
    /// The keys that the plugin cannot ask for.
    not_askable: Vec<String>,
}

/// The rows of one scan.
struct Rows {
    batches: Vec<RecordBatch>,
    /// What they take, until they are kept by their keys.
    _memory: MemoryReservation,
}

impl Lookup {
    /// Returns a table that nobody has asked yet.
    pub(crate) fn new(askable: Askable, column: usize, scan_id: usize, limits: KeyLimits) -> Self {
        Self { askable, column, scan_id, limits, answers: Mutex::default() }
    }

    /// Returns the number of the scan in the ledger.
    pub(crate) fn scan_id(&self) -> usize {
        self.scan_id
    }

    /// Returns the name of the keys' column.
    pub(crate) fn column_name(&self) -> &str {
        self.askable.column_name(self.column)
    }

    /// Returns how a query names the table.
    pub(crate) fn table_name(&self) -> String {
        self.askable.name()
    }

    /// Returns the columns of an answer.
    ///
    /// # Errors
    /// If the table lacks one.
    pub(crate) fn schema(&self) -> Result<SchemaRef> {
        self.askable.schema()
    }

    /// Returns the columns of an answer, by index in the table.
    pub(crate) fn columns(&self) -> &[usize] {
        self.askable.columns()
    }

    /// Tells whether both ask for the same rows by the same keys.
    pub(crate) fn can_share(&self, other: &Self) -> bool {
        self.column == other.column && self.askable.asks_same_rows(&other.askable)
    }

    /// Returns one that answers both.
    pub(crate) fn united(&self, other: &Self) -> Self {
        let mut columns = [self.columns(), other.columns()].concat();
        columns.sort_unstable();
        columns.dedup();
        let scan_id = self.scan_id.min(other.scan_id);
        Self::new(self.askable.with_columns(columns), self.column, scan_id, self.limits)
    }

    /// Returns the rows that have one of `keys`, which are distinct.
    ///
    /// # Errors
    /// If a scan fails or the memory limit does not allow to keep the answers.
    pub(crate) async fn rows_of(
        self: Arc<Self>,
        keys: Arc<[String]>,
        task: Arc<TaskContext>,
    ) -> Result<RecordBatch> {
        // A task of its own: another join may wait for these answers while this one is not polled.
        let asking = SpawnedTask::spawn(async move {
            let mut answers = self.answers.lock().await;
            self.complete(&mut answers, &keys, &task).await?;
            answers.rows_of(&keys, &self.schema()?)
        });
        match asking.join().await {
            Ok(rows) => rows,
            Err(error) => Err(DataFusionError::Internal(format!("a lookup broke down: {error}"))),
        }
    }

    /// Asks for the keys that were not asked for before.
    async fn complete(
        self: &Arc<Self>,
        answers: &mut Answers,
        keys: &[String],
        task: &Arc<TaskContext>,
    ) -> Result<()> {
        let is_missing = |key: &&String| !answers.by_key.contains_key(*key);
        let missing: Vec<String> = keys.iter().filter(is_missing).cloned().collect();
        let mut not_askable = Vec::new();
        // The first keys go alone: what the plugin learns from them saves the others a request.
        let n_first = match answers.by_key.is_empty() {
            true => missing.len().min(self.limits.first_chunk.min(self.most_keys())),
            false => 0,
        };
        let (first, rest) = missing.split_at(n_first);
        let first = if first.is_empty() { Vec::new() } else { vec![first.to_vec()] };
        for parts in [first, self.parts(rest)] {
            // A part is planned when it is its turn: what comes before may fail, or fill the memory.
            let parts = parts.into_iter().map(|keys| self.ask(keys, task));
            let mut parts = stream::iter(parts).buffer_unordered(self.limits.n_scans.max(1));
            while let Some(part) = parts.try_next().await? {
                not_askable.extend(part.not_askable);
                for (keys, rows) in part.answers {
                    let mut rows = self.by_key(rows)?;
                    for key in keys {
                        // Rows of other keys are not taken: a provider that ignores case brings those
                        // of `alice` for `Alice` too, and both may be asked for.
                        let rows = rows.remove(&key).map_or_else(|| self.no_rows(), Ok)?;
                        answers.keep(&self.askable.name(), task, key, rows)?;
                    }
                }
            }
        }
        if !not_askable.is_empty() && answers.whole.is_none() {
            let mut plan = self.askable.plan_whole(self.scan_id)?;
            plan.gap_note = Some(format!(
                "`{}` was read without keys: `{}` cannot be asked for some of them",
                self.table_name(),
                self.column_name()
            ));
            let rows = self.by_key(self.read(plan, task).await?)?;
            let size_bytes = rows.values().map(RecordBatch::get_array_memory_size).sum();
            answers.memory(&self.askable.name(), task).try_grow(size_bytes)?;
            answers.whole = Some(rows);
        }
        for key in not_askable {
            let whole = answers.whole.as_mut().and_then(|whole| whole.remove(&key));
            let rows = whole.map_or_else(|| self.no_rows(), Ok)?;
            answers.keep(&self.askable.name(), task, key, rows)?;
        }
        Ok(())
    }

    /// Divides keys into parts that run at the same time.
    fn parts(&self, keys: &[String]) -> Vec<Vec<String>> {
        let n_scans = self.limits.n_scans.max(1);
        let n_keys = match self.askable.takes_lists(self.column) {
            true => keys.len().div_ceil(n_scans).clamp(1, self.most_keys()),
            false => 1,
        };
        keys.chunks(n_keys).map(<[String]>::to_vec).collect()
    }

    /// Returns how many keys are asked for together at most.
    pub(crate) fn most_keys(&self) -> usize {
        match self.askable.takes_lists(self.column) {
            true => self.limits.max_chunk.div_ceil(self.limits.n_scans.max(1)).max(1),
            false => 1,
        }
    }

    /// Asks for one part, in halves as long as the plugin cannot ask for all of it.
    async fn ask(&self, keys: Vec<String>, task: &TaskContext) -> Result<Part> {
        let mut part = Part::default();
        let mut rest = vec![keys];
        while let Some(mut keys) = rest.pop() {
            match self.askable.plan_keys(self.scan_id, self.column, &keys)? {
                Some(plan) => part.answers.push((keys, self.read(plan, task).await?)),
                None if keys.len() < 2 => part.not_askable.append(&mut keys),
                None => {
                    let second = keys.split_off(keys.len() / 2);
                    rest.extend([second, keys]);
                }
            }
        }
        Ok(part)
    }

    /// Reads a scan to its end.
    async fn read(&self, plan: ScanPlan, task: &TaskContext) -> Result<Rows> {
        let memory = memory(&self.askable.name(), task);
        let mut batches = Vec::new();
        let mut scan = read(Arc::new(plan), task)?;
        while let Some(batch) = scan.try_next().await? {
            memory.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(Rows { batches, _memory: memory })
    }

    fn no_rows(&self) -> Result<RecordBatch> {
        Ok(RecordBatch::new_empty(self.schema()?))
    }

    /// Returns rows by their key, compared as SQL does.
    fn by_key(&self, rows: Rows) -> Result<HashMap<String, RecordBatch>> {
        let rows = concat_batches(&self.schema()?, &rows.batches)?;
        let column = self.columns().iter().position(|column| *column == self.column);
        let column = column.ok_or_else(|| {
            DataFusionError::Internal("a lookup does not read its key".to_owned())
        })?;
        let keys = arrow::compute::cast(rows.column(column), &DataType::Utf8)?;
        let mut found: HashMap<&str, Vec<u32>> = HashMap::new();
        for (row_idx, key) in (0_u32..).zip(keys.as_string::<i32>()) {
            if let Some(key) = key {
                found.entry(key).or_default().push(row_idx);
            }
        }
        found
            .into_iter()
            .map(|(key, idx)| {
                Ok((key.to_owned(), take_record_batch(&rows, &UInt32Array::from(idx))?))
            })
            .collect()
    }
}

impl Answers {
    /// Keeps the rows of one key.
    fn keep(
        &mut self,
        table: &str,
        task: &TaskContext,
        key: String,
        rows: RecordBatch,
    ) -> Result<()> {
        self.memory(table, task).try_grow(key.len() + rows.get_array_memory_size())?;
        self.by_key.insert(key, rows);
        Ok(())
    }

    /// Returns the memory that the answers take.
    fn memory(&mut self, table: &str, task: &TaskContext) -> &MemoryReservation {
        self.memory.get_or_insert_with(|| memory(table, task))
    }

    /// Returns the rows of these keys, which were all asked for.
    fn rows_of(&self, keys: &[String], schema: &SchemaRef) -> Result<RecordBatch> {
        let found: Option<Vec<&RecordBatch>> =
            keys.iter().map(|key| self.by_key.get(key)).collect();
        let found = found.ok_or_else(|| {
            DataFusionError::Internal("a key of a join was not asked for".to_owned())
        })?;
        Ok(concat_batches(schema, found)?)
    }
}

/// Returns the memory for answers of a table.
fn memory(table: &str, task: &TaskContext) -> MemoryReservation {
    MemoryConsumer::new(format!("answers of {table}")).register(task.memory_pool())
}

//! The result cache of the prompt: what scans read lately, in memory only, to be given again without a
//! request.
//! In: the rows of scans that were complete. Out: an entry that has every row of a new request. An
//! entry answers a request if each of its filters follows from one of the request's, so that it
//! lacks no row, if it has the columns, and if it is younger than was asked for; whoever takes its
//! rows checks all filters again. Off unless a time to live is set.

mod implies;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, TimeDelta, Utc};
use sessionql_plugin_abi::message::{ColumnType, Filter, Request, Table, Verdict};

use implies::implies;

/// How much memory all entries may take.
const MAX_BYTES: usize = 64 << 20;

/// How much memory one entry may take.
const MAX_ENTRY_BYTES: usize = 16 << 20;

/// The entries, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: Mutex<VecDeque<Arc<Entry>>>,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSize {
    /// How many scans.
    pub n_scans: u64,
    /// How much memory they take.
    pub bytes: usize,
}

/// The cache as one statement uses it.
#[derive(Debug, Clone)]
pub(crate) struct CacheUse {
    cache: Arc<Cache>,
    ttl: TimeDelta,
}

/// What one scan read.
#[derive(Debug)]
pub(crate) struct Entry {
    connection: String,
    table: String,
    /// The filters without which there would have been more rows.
    filters: Vec<Filter>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    size_bytes: usize,
    /// What the user should know of the rows.
    pub(crate) notes: Vec<String>,
    /// What the clock showed when the statement began that read them.
    pub(crate) read_at: DateTime<Utc>,
}

/// Takes in the rows of a scan that runs.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    batches: Vec<RecordBatch>,
    size_bytes: usize,
    is_too_large: bool,
}

impl Cache {
    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.entries().clear();
    }

    /// Returns what it holds.
    pub(crate) fn size(&self) -> CacheSize {
        let entries = self.entries();
        let bytes = entries.iter().map(|entry| entry.size_bytes).sum();
        CacheSize { n_scans: entries.len() as u64, bytes }
    }

    fn entries(&self) -> MutexGuard<'_, VecDeque<Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheUse {
    /// Returns the cache for a statement that takes no rows older than `ttl`.
    pub(crate) fn new(cache: &Arc<Cache>, ttl: std::time::Duration) -> Self {
        let ttl = TimeDelta::from_std(ttl).unwrap_or(TimeDelta::MAX);
        Self { cache: Arc::clone(cache), ttl }
    }

    /// Returns an entry with every row of a request that begins at `clock`, in all of its columns.
    pub(crate) fn find(
        &self,
        connection: &str,
        table: &Table,
        request: &Request,
        clock: DateTime<Utc>,
    ) -> Option<Arc<Entry>> {
        let is_instant = |name: &str| {
            let mut columns = table.columns.iter();
            let column = columns.find(|column| column.name == name);
            column.is_some_and(|column| column.column_type == ColumnType::Timestamp)
        };
        let has_all_rows = |entry: &Entry| {
            let is_implied = |theirs: &Filter| {
                request.filters.iter().any(|ours| implies(ours, theirs, &is_instant))
            };
            entry.filters.iter().all(is_implied)
        };
        let answers = |entry: &&Arc<Entry>| {
            let age = clock - entry.read_at;
            entry.connection == connection
                && entry.table == table.name
                && age >= TimeDelta::zero()
                && age < self.ttl
                && request.columns.iter().all(|name| entry.schema.index_of(name).is_ok())
                && has_all_rows(entry)
        };
        // The newest first.
        self.cache.entries().iter().rev().find(answers).cloned()
    }

    /// Keeps what a scan has read to its end.
    pub(crate) fn keep(
        &self,
        connection: &str,
        request: &Request,
        verdicts: &[Verdict],
        recording: Recording,
        read: (SchemaRef, Vec<String>, DateTime<Utc>),
    ) {
        let Recording { batches, size_bytes, is_too_large } = recording;
        if is_too_large {
            return;
        }
        let used = |(idx, filter): (usize, &Filter)| {
            let verdict = verdicts.get(idx).copied().unwrap_or_default();
            (verdict != Verdict::Unsupported).then(|| filter.clone())
        };
        let (schema, notes, read_at) = read;
        let entry = Entry {
            connection: connection.to_owned(),
            table: request.table.clone(),
            filters: request.filters.iter().enumerate().filter_map(used).collect(),
            schema,
            batches,
            size_bytes,
            notes,
            read_at,
        };
        let mut entries = self.cache.entries();
        // One that was asked the same is of no use any more.
        entries.retain(|other| {
            let is_same = other.connection == entry.connection
                && other.table == entry.table
                && other.filters == entry.filters
                && other.schema == entry.schema;
            !is_same && read_at - other.read_at < self.ttl
        });
        entries.push_back(Arc::new(entry));
        let mut bytes: usize = entries.iter().map(|entry| entry.size_bytes).sum();
        while bytes > MAX_BYTES
            && let Some(oldest) = entries.pop_front()
        {
            bytes -= oldest.size_bytes;
        }
    }
}

impl Recording {
    /// Takes some rows in, unless they are too many by now.
    pub(crate) fn add(&mut self, rows: &RecordBatch) {
        self.size_bytes += rows.get_array_memory_size();
        self.is_too_large |= self.size_bytes > MAX_ENTRY_BYTES;
        match self.is_too_large {
            true => self.batches.clear(),
            false => self.batches.push(rows.clone()),
        }
    }
}

impl Entry {
    /// Returns the rows, in the columns of `schema`.
    ///
    /// # Errors
    /// If it lacks one.
    pub(crate) fn rows(
        &self,
        schema: &SchemaRef,
    ) -> Result<Vec<RecordBatch>, arrow::error::ArrowError> {
        let names = schema.fields().iter().map(|field| self.schema.index_of(field.name()));
        let columns = names.collect::<Result<Vec<usize>, _>>()?;
        self.batches.iter().map(|batch| batch.project(&columns)).collect()
    }
}

//! The rows of the right side of an ASOF JOIN, found by key and time.
//! Rows of one key lie in the order of their times, and those of one time in the order of what
//! decides between them, so that a binary search finds the latest.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, DynComparator, RecordBatch, UInt32Array, make_comparator,
};
use arrow::compute::SortOptions;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{NullEquality, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::StreamExt as _;

use super::exec::Matching;
use crate::keyed::{
    Gathered, Gathering, Groups, Intervals, KeyReader, Keys, NEVER, Reading, Side, joined, part_of,
    share_out,
};

/// How many rows are worth a thread that finds their matches.
const ROWS_PER_THREAD: usize = 2048;

/// The rows.
pub(super) struct Latest {
    rows: RecordBatch,
    parts: Vec<(Groups, Side)>,
    n_threads: usize,
    _memory: MemoryReservation,
}

impl Latest {
    /// Reads all rows of a side.
    ///
    /// # Errors
    /// If it cannot be read, or there is not memory enough.
    pub(super) async fn read(
        right: SendableRecordBatchStream,
        matching: &Matching,
        task: &TaskContext,
        metrics: &BaselineMetrics,
    ) -> Result<Self> {
        let n_threads = task.session_config().target_partitions();
        let schema = right.schema();
        let keys = matching.on.iter().map(|(_, right)| Arc::clone(right)).collect();
        let time = Arc::clone(&matching.right_time);
        let reading = Arc::new(Reading {
            keys: KeyReader::try_new(keys, &schema, NullEquality::NullEqualsNothing)?,
            intervals: Box::new(move |rows| instants(&time, rows)),
            columns: (0..schema.fields().len()).collect(),
            schema,
            elapsed: metrics.elapsed_compute().clone(),
        });
        let memory = MemoryConsumer::new("ASOF JOIN").register(task.memory_pool());
        let mut gathering = Gathering::new(memory);
        let mut batches = reading.batches(right, n_threads);
        while let Some(batch) = batches.next().await.transpose()? {
            gathering.add(batch)?;
        }
        let (gathered, tie) = (gathering.end(&reading)?, matching.tie.clone());
        let elapsed = reading.elapsed.clone();
        let sorting = SpawnedTask::spawn_blocking(move || {
            let _timer = elapsed.timer();
            Self::sorted(gathered, tie.as_ref(), n_threads)
        });
        joined(sorting).await
    }

    fn sorted(
        gathered: Gathered,
        tie: Option<&Arc<dyn PhysicalExpr>>,
        n_threads: usize,
    ) -> Result<Self> {
        let rows = gathered.rows()?;
        let tie = tie.map(|tie| tie.evaluate(&rows)?.into_array(rows.num_rows())).transpose()?;
        // What has one time and one id, in whatever order it came, comes to the same.
        let ordered = tie.iter().chain(rows.columns());
        let comparators: Vec<DynComparator> = ordered
            .filter_map(|column| make_comparator(column, column, SortOptions::default()).ok())
            .collect();
        let compare = |one: u32, other: u32| {
            let mut orders =
                comparators.iter().map(|compare| compare(one as usize, other as usize));
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let parts = share_out(n_threads, gathered.n_parts, |part| {
            let (groups, mut side) = gathered.sorted(part, n_threads);
            side.break_ties(compare);
            Ok((groups, side))
        })?;
        let memory = gathered.memory;
        let of_parts = parts.iter().map(|(groups, side)| groups.size() + side.size());
        memory.try_resize(rows.get_array_memory_size() + of_parts.sum::<usize>())?;
        Ok(Self { rows, parts, n_threads, _memory: memory })
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &RecordBatch {
        &self.rows
    }

    /// Returns for each key and time the row of that key that is the latest by then.
    ///
    /// # Errors
    /// If a thread breaks down.
    pub(super) fn find(
        &self,
        keys: &Keys,
        times: &ArrayRef,
        is_strict: bool,
    ) -> Result<UInt32Array> {
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let find = |row: usize| {
            let hash = keys.hash(row).filter(|_| times.is_valid(row))?;
            let (groups, side) = &self.parts[part_of(hash, self.parts.len())];
            let places = side.group(groups.find(hash as u32, keys.bytes(row))? as usize);
            let time = times.value(row);
            let n_in_time = side.starts[places.clone()]
                .partition_point(|start| if is_strict { *start < time } else { *start <= time });
            Some(side.rows[places.start + n_in_time.checked_sub(1)?])
        };
        let n_rows = times.len();
        let found = share_out(self.n_threads, n_rows.div_ceil(ROWS_PER_THREAD), |piece| {
            let first = piece * ROWS_PER_THREAD;
            let rows = first..n_rows.min(first + ROWS_PER_THREAD);
            Ok(rows.map(find).collect::<Vec<Option<u32>>>())
        })?;
        Ok(found.into_iter().flatten().collect())
    }
}

/// Returns the time of each row as an interval.
fn instants(time: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Result<Intervals> {
    let times = time.evaluate(rows)?.into_array(rows.num_rows())?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    Ok(times.iter().map(|time| time.map_or(NEVER, |time| (time, time))).collect())
}

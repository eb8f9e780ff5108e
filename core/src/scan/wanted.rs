//! Which rows of a running scan go out, and when no more are wanted.
//! A scan has one consumer, or several readers that share its rows: then those rows go out that any
//! reader wants, and the next request waits until a reader has asked for rows that are not there.

use std::sync::Arc;

use arrow::array::{Array as _, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use datafusion::common::Result;
use tokio::sync::watch;

use super::ScanPlan;

/// Who wants rows.
pub(super) enum Wanted {
    /// One consumer; so many rows more, if not all.
    ByOne(Option<usize>),
    /// Readers of the rows as the plugin emits them.
    ByReaders(Readers),
}

/// Readers that share rows.
pub(super) struct Readers {
    /// Each with what it does to the rows and how many it still wants, if not all.
    readers: Vec<(Arc<ScanPlan>, Option<usize>)>,
    /// How many batches were asked for.
    n_asked: watch::Receiver<u64>,
    n_sent: u64,
}

impl Wanted {
    /// Returns the rows that go out, of those that the plugin emitted.
    ///
    /// # Errors
    /// If a filter or a computed column fails for the one consumer.
    pub(super) fn take(&mut self, plan: &ScanPlan, wire: RecordBatch) -> Result<RecordBatch> {
        match self {
            Self::ByOne(n_wanted) => Ok(first_rows(plan.output(&wire)?, n_wanted)),
            Self::ByReaders(readers) => readers.take(wire),
        }
    }

    /// Tells whether nobody wants more rows.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::ByOne(n_wanted) => *n_wanted == Some(0),
            Self::ByReaders(readers) => {
                readers.readers.iter().all(|(_, n_wanted)| *n_wanted == Some(0))
            }
        }
    }

    /// Counts a batch that went out.
    pub(super) fn count_sent(&mut self) {
        if let Self::ByReaders(readers) = self {
            readers.n_sent += 1;
        }
    }

    /// Waits until more rows are asked for than went out.
    pub(super) async fn be_asked(&mut self) {
        if let Self::ByReaders(readers) = self {
            let n_sent = readers.n_sent;
            // Without a reader the scan is cancelled, and the request is not sent.
            let _gone = readers.n_asked.wait_for(|n_asked| *n_asked > n_sent).await;
        }
    }
}

impl Readers {
    /// Returns readers with what each does to the rows and how many it wants at most.
    pub(super) fn new(
        readers: Vec<(Arc<ScanPlan>, Option<usize>)>,
        n_asked: watch::Receiver<u64>,
    ) -> Self {
        Self { readers, n_asked, n_sent: 0 }
    }

    fn take(&mut self, wire: RecordBatch) -> Result<RecordBatch> {
        let n_rows = wire.num_rows();
        let mut wanted = BooleanBuffer::new_unset(n_rows);
        for (plan, n_wanted) in &mut self.readers {
            if *n_wanted == Some(0) {
                continue;
            }
            // What fails for one reader is for that reader to say, if it comes to these rows.
            let Ok(passing) = plan.full_batch(&wire).and_then(|rows| plan.passing(&rows)) else {
                return Ok(wire);
            };
            let mut passing = match passing {
                Some(passing) => trues(&passing),
                None => BooleanBuffer::new_set(n_rows),
            };
            if let Some(n_wanted) = n_wanted {
                if let Some(end) = passing.set_indices().nth(*n_wanted) {
                    passing = BooleanBuffer::collect_bool(n_rows, |row_idx| {
                        row_idx < end && passing.value(row_idx)
                    });
                }
                *n_wanted -= passing.count_set_bits();
            }
            wanted = &wanted | &passing;
        }
        if wanted.count_set_bits() == n_rows {
            return Ok(wire);
        }
        Ok(filter_record_batch(&wire, &BooleanArray::new(wanted, None))?)
    }
}

/// Returns the places that are true and not NULL.
fn trues(passing: &BooleanArray) -> BooleanBuffer {
    match passing.nulls() {
        Some(valid) => passing.values() & valid.inner(),
        None => passing.values().clone(),
    }
}

/// Returns as many of the rows as are wanted, and counts them.
pub(super) fn first_rows(rows: RecordBatch, n_wanted: &mut Option<usize>) -> RecordBatch {
    let Some(n_wanted) = n_wanted else { return rows };
    let rows = rows.slice(0, rows.num_rows().min(*n_wanted));
    *n_wanted -= rows.num_rows();
    rows
}

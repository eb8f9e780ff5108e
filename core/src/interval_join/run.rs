//! An interval join while it runs.
//! The left side is read whole. The right side comes in chunks: while it is quick they grow, but a row that
//! waits for a slow provider does not keep others waiting. Nothing is read before somebody asks for
//! rows, and nothing of the right side if no row of the left one can have a partner.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{JoinType, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::physical_plan::metrics::BaselineMetrics;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::work::{Left, Sizes, Work};
use crate::keyed::{Batch, Gathered, Gathering, Reading, joined};

/// How long rows at hand wait for more of them, if they need not wait for the left side.
const PATIENCE: Duration = Duration::from_millis(10);

/// How many batches of pairs may wait for whoever takes them.
const AHEAD: usize = 8;

/// The join.
pub(super) struct Run {
    pub(super) work: Arc<Work>,
    pub(super) left: Arc<Reading>,
    pub(super) right: Arc<Reading>,
    pub(super) right_plan: Arc<dyn ExecutionPlan>,
    pub(super) task: Arc<TaskContext>,
    pub(super) metrics: BaselineMetrics,
    pub(super) stage: Stage,
    /// What is being made.
    pub(super) output: Option<Output>,
}

/// What comes next.
pub(super) enum Stage {
    Left(SendableRecordBatchStream),
    Right(Arc<Left>, Box<RightSide>),
    Rest(Arc<Left>),
    Done,
}

/// The right side while it is read.
pub(super) struct RightSide {
    batches: BoxStream<'static, Result<Batch>>,
    /// For which there was no memory left in the chunk before.
    waiting: Option<Batch>,
    chunk: Option<Gathered>,
    chunk_rows: usize,
    /// Until it is, the first chunk grows.
    is_left_sorted: Arc<AtomicBool>,
}

/// Batches that threads make.
pub(super) struct Output {
    /// Rows without columns that have been made and not been taken yet.
    counted: Option<RecordBatch>,
    /// How many of them are taken at a time.
    most_counted: usize,
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    task: Option<SpawnedTask<Result<()>>>,
}

impl Output {
    fn of(
        sizes: Sizes,
        work: impl FnOnce(&mpsc::Sender<Result<RecordBatch>>) -> Result<()> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let task = Some(SpawnedTask::spawn_blocking(move || work(&sender)));
        Self { counted: None, most_counted: sizes.counted, receiver, task }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let rows = match self.counted.take() {
            Some(rows) => Some(rows),
            None => self.receiver.recv().await.transpose()?,
        };
        if let Some(rows) = rows {
            if rows.num_columns() > 0 || rows.num_rows() <= self.most_counted {
                return Ok(Some(rows));
            }
            let n_left = rows.num_rows() - self.most_counted;
            self.counted = Some(rows.slice(self.most_counted, n_left));
            return Ok(Some(rows.slice(0, self.most_counted)));
        }
        match self.task.take() {
            Some(task) => joined(task).await.map(|()| None),
            None => Ok(None),
        }
    }
}

impl Run {
    /// Returns the next rows.
    ///
    /// # Errors
    /// If a side cannot be read, there is not memory enough, or an expression fails.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(output) = &mut self.output {
                match output.next().await? {
                    Some(rows) => {
                        self.metrics.record_output(rows.num_rows());
                        return Ok(Some(rows));
                    }
                    None => self.output = None,
                }
            }
            self.stage = match mem::replace(&mut self.stage, Stage::Done) {
                Stage::Left(stream) => self.read_left(stream).await?,
                Stage::Right(left, right) => self.join_chunk(left, right).await?,
                Stage::Rest(left) => {
                    let work = Arc::clone(&self.work);
                    let rest = move |sender: &_| work.rest_of_left(&left, sender);
                    self.output = Some(Output::of(self.work.sizes, rest));
                    Stage::Done
                }
                Stage::Done => return Ok(None),
            };
        }
    }

    async fn read_left(&mut self, stream: SendableRecordBatchStream) -> Result<Stage> {
        let memory = MemoryConsumer::new("interval join").register(self.task.memory_pool());
        let mut read = Gathering::new(memory);
        let mut batches = self.left.batches(stream, self.work.n_threads);
        while let Some(batch) = batches.next().await.transpose()? {
            read.add(batch)?;
        }
        drop(batches);
        let n_rows = read.n_rows();
        let input = read.end(&self.left)?;
        let needs_left =
            !matches!(self.work.join_type, JoinType::Right | JoinType::Full | JoinType::RightAnti);
        if needs_left && n_rows == 0 {
            return Ok(Stage::Done);
        }
        // The left side is sorted while the right one is read.
        let work = Arc::clone(&self.work);
        let is_left_sorted = Arc::new(AtomicBool::new(false));
        let is_sorted = Arc::clone(&is_left_sorted);
        let sorting = SpawnedTask::spawn_blocking(move || {
            let left = work.left(input);
            is_sorted.store(true, Ordering::Release);
            left
        });
        let stream = self.right_plan.execute(0, Arc::clone(&self.task))?;
        let sizes = self.work.sizes;
        let chunk_rows = n_rows.clamp(sizes.least_of_chunk, sizes.most_of_chunk);
        let batches = self.right.batches(stream, self.work.n_threads);
        let right = RightSide { batches, waiting: None, chunk: None, chunk_rows, is_left_sorted };
        let mut right = Box::new(right);
        right.chunk = self.read_chunk(&mut right).await?;
        let left = Arc::new(joined(sorting).await?);
        Ok(Stage::Right(left, right))
    }

    async fn join_chunk(&mut self, left: Arc<Left>, mut right: Box<RightSide>) -> Result<Stage> {
        if left.is_settled(self.work.join_type) {
            return Ok(Stage::Rest(left));
        }
        let chunk = match right.chunk.take() {
            Some(chunk) => Some(chunk),
            None => self.read_chunk(&mut right).await?,
        };
        let Some(chunk) = chunk else { return Ok(Stage::Rest(left)) };
        let (work, of_left) = (Arc::clone(&self.work), Arc::clone(&left));
        let pairs = move |sender: &_| work.join(&of_left, chunk, sender);
        self.output = Some(Output::of(self.work.sizes, pairs));
        Ok(Stage::Right(left, right))
    }

    /// Reads rows of the right side; `None` after the last one.
    async fn read_chunk(&mut self, right: &mut RightSide) -> Result<Option<Gathered>> {
        let memory = MemoryConsumer::new("interval join").register(self.task.memory_pool());
        let mut read = Gathering::new(memory);
        let most_rows = |right: &RightSide| match right.is_left_sorted.load(Ordering::Acquire) {
            true => right.chunk_rows,
            false => self.work.sizes.most_of_chunk,
        };
        while read.n_rows() < most_rows(right) {
            let batch = match right.waiting.take() {
                Some(batch) => batch,
                None => {
                    let next = right.batches.next();
                    let next = if read.n_rows() == 0 {
                        next.await
                    } else {
                        match timeout(PATIENCE, next).await {
                            Ok(next) => next,
                            Err(_) if right.is_left_sorted.load(Ordering::Acquire) => break,
                            Err(_) => continue,
                        }
                    };
                    let Some(batch) = next.transpose()? else { break };
                    batch
                }
            };
            if read.n_rows() > 0 && !read.has_room(&batch) {
                right.waiting = Some(batch);
                break;
            }
            read.add(batch)?;
        }
        if read.n_rows() == 0 {
            return Ok(None);
        }
        read.end(&self.right).map(Some)
    }
}

//! An interval join while it runs.
//! The left side is read whole. The right side comes in chunks: while it is quick they grow, but a row that
//! waits for a slow provider does not keep others waiting. Nothing is read before somebody asks for
//! rows, and nothing of the right side if no row of the left one can have a partner.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, JoinType, Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::metrics::BaselineMetrics;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::condition::Bounds;
use super::keys::KeyReader;
use super::parts::Parts;
use super::side::BYTES_PER_ROW;
use super::work::{Input, Left, Work};

/// How long rows at hand wait for more of them.
const PATIENCE: Duration = Duration::from_millis(10);

/// How a side is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) keys: KeyReader,
    pub(super) bounds: Bounds,
    /// The columns that are kept.
    pub(super) columns: Vec<usize>,
    pub(super) schema: SchemaRef,
}

/// The join.
pub(super) struct Run {
    pub(super) work: Arc<Work>,
    pub(super) left: Reading,
    pub(super) right: Reading,
    pub(super) right_plan: Arc<dyn ExecutionPlan>,
    /// Among how many parts the rows are shared out.
    pub(super) n_parts: usize,
    pub(super) task: Arc<TaskContext>,
    pub(super) metrics: BaselineMetrics,
    pub(super) stage: Stage,
    /// What is being made.
    pub(super) output: Option<Output>,
}

/// What comes next.
pub(super) enum Stage {
    Left(SendableRecordBatchStream),
    Right(Arc<Left>, RightSide),
    Rest(Arc<Left>),
    Done,
}

/// The right side while it is read.
pub(super) struct RightSide {
    stream: SendableRecordBatchStream,
    /// A batch for which there was no memory left in the chunk before.
    waiting: Option<RecordBatch>,
    chunk: Option<Input>,
    chunk_rows: usize,
    /// Until it is, the first chunk grows.
    is_left_sorted: Arc<AtomicBool>,
}

/// Batches that threads make.
pub(super) struct Output {
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    task: Option<SpawnedTask<Result<()>>>,
}

impl Output {
    fn of(
        work: impl FnOnce(&mpsc::Sender<Result<RecordBatch>>) -> Result<()> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(2);
        let task = Some(SpawnedTask::spawn_blocking(move || work(&sender)));
        Self { receiver, task }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(rows) = self.receiver.recv().await {
            return rows.map(Some);
        }
        match self.task.take() {
            Some(task) => joined(task).await.map(|()| None),
            None => Ok(None),
        }
    }
}

async fn joined<T: Send + 'static>(task: SpawnedTask<Result<T>>) -> Result<T> {
    match task.join().await {
        Ok(done) => done,
        Err(error) => Err(DataFusionError::Internal(format!("a join broke down: {error}"))),
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
                    self.output = Some(Output::of(move |sender| work.rest_of_left(&left, sender)));
                    Stage::Done
                }
                Stage::Done => return Ok(None),
            };
        }
    }

    async fn read_left(&mut self, mut stream: SendableRecordBatchStream) -> Result<Stage> {
        let memory = MemoryConsumer::new("interval join").register(self.task.memory_pool());
        let mut read = Read::new(memory);
        while let Some(rows) = stream.next().await.transpose()? {
            let _timer = self.metrics.elapsed_compute().timer();
            let parts = read.parts(&self.left, self.n_parts, &rows)?;
            read.add(&self.left, parts, &rows)?;
        }
        drop(stream);
        let n_rows = read.n_rows;
        let input = read.end(&self.left, self.n_parts)?;
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
        let chunk_rows = (n_rows / 2).clamp(sizes.least_of_chunk, sizes.most_of_chunk);
        let mut right =
            RightSide { stream, waiting: None, chunk: None, chunk_rows, is_left_sorted };
        right.chunk = self.read_chunk(&mut right).await?;
        let left = Arc::new(joined(sorting).await?);
        Ok(Stage::Right(left, right))
    }

    async fn join_chunk(&mut self, left: Arc<Left>, mut right: RightSide) -> Result<Stage> {
        if left.is_settled(self.work.join_type) {
            return Ok(Stage::Rest(left));
        }
        let chunk = match right.chunk.take() {
            Some(chunk) => Some(chunk),
            None => self.read_chunk(&mut right).await?,
        };
        let Some(chunk) = chunk else { return Ok(Stage::Rest(left)) };
        let (work, of_left) = (Arc::clone(&self.work), Arc::clone(&left));
        self.output = Some(Output::of(move |sender| work.join(&of_left, chunk, sender)));
        Ok(Stage::Right(left, right))
    }

    /// Reads rows of the right side; `None` after the last one.
    async fn read_chunk(&mut self, right: &mut RightSide) -> Result<Option<Input>> {
        let memory = MemoryConsumer::new("interval join").register(self.task.memory_pool());
        let mut read = Read::new(memory);
        let most_rows = |right: &RightSide| match right.is_left_sorted.load(Ordering::Acquire) {
            true => right.chunk_rows,
            false => self.work.sizes.most_of_chunk,
        };
        while read.n_rows < most_rows(right) {
            let rows = match right.waiting.take() {
                Some(rows) => rows,
                None => {
                    let next = right.stream.next();
                    let next = if read.n_rows == 0 {
                        next.await
                    } else {
                        match timeout(PATIENCE, next).await {
                            Ok(next) => next,
                            Err(_) => break,
                        }
                    };
                    let Some(rows) = next.transpose()? else { break };
                    rows
                }
            };
            let _timer = self.metrics.elapsed_compute().timer();
            let parts = read.parts(&self.right, self.n_parts, &rows)?;
            if read.n_rows > 0 && !read.has_room(&self.right, &parts, &rows)? {
                right.waiting = Some(rows);
                break;
            }
            read.add(&self.right, parts, &rows)?;
        }
        if read.n_rows == 0 {
            return Ok(None);
        }
        read.end(&self.right, self.n_parts).map(Some)
    }
}

/// Rows of a side while they are read.
struct Read {
    batches: Vec<RecordBatch>,
    parts: Vec<Parts>,
    n_rows: usize,
    memory: MemoryReservation,
}

impl Read {
    fn new(memory: MemoryReservation) -> Self {
        Self { batches: Vec::new(), parts: Vec::new(), n_rows: 0, memory }
    }

    /// Shares out rows that will be the next ones.
    fn parts(&self, reading: &Reading, n_parts: usize, rows: &RecordBatch) -> Result<Parts> {
        let end = u32::try_from(self.n_rows + rows.num_rows());
        let Ok(first) = end.map(|end| end - rows.num_rows() as u32) else {
            return exec_err!("a join has more than four billion rows on one side");
        };
        let intervals = reading.bounds.intervals(rows)?;
        Ok(Parts::new(n_parts, first, &reading.keys.keys(rows)?, &intervals))
    }

    /// Returns how much memory rows take until they are sorted.
    fn n_bytes(reading: &Reading, parts: &Parts, rows: &RecordBatch) -> Result<usize> {
        // The columns are once as they came and once in one piece.
        let kept = 2 * rows.project(&reading.columns)?.get_array_memory_size();
        Ok(kept + parts.size() + rows.num_rows() * BYTES_PER_ROW)
    }

    fn has_room(&self, reading: &Reading, parts: &Parts, rows: &RecordBatch) -> Result<bool> {
        let probe = self.memory.new_empty();
        Ok(probe.try_grow(Self::n_bytes(reading, parts, rows)?).is_ok())
    }

    fn add(&mut self, reading: &Reading, parts: Parts, rows: &RecordBatch) -> Result<()> {
        self.memory.try_grow(Self::n_bytes(reading, &parts, rows)?)?;
        self.parts.push(parts);
        self.n_rows += rows.num_rows();
        self.batches.push(rows.project(&reading.columns)?);
        Ok(())
    }

    fn end(self, reading: &Reading, n_parts: usize) -> Result<Input> {
        let Self { batches, parts, memory, .. } = self;
        let schema = Arc::new(reading.schema.project(&reading.columns)?);
        Ok(Input { batches, schema, parts, n_parts, memory })
    }
}

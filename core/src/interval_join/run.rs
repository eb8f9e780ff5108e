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
use datafusion::physical_plan::metrics::{BaselineMetrics, Time};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt as _;
use futures::stream::BoxStream;
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
    /// Among how many parts the rows are shared out.
    pub(super) n_parts: usize,
    pub(super) elapsed: Time,
}

/// Rows as they were read.
#[derive(Debug)]
struct Batch {
    parts: Parts,
    /// The columns that are kept.
    kept: RecordBatch,
}

type Batches = BoxStream<'static, Result<Batch>>;

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
    batches: Batches,
    /// For which there was no memory left in the chunk before.
    waiting: Option<Batch>,
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
        let (sender, receiver) = mpsc::channel(8);
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

    fn batches(&self, reading: &Arc<Reading>, stream: SendableRecordBatchStream) -> Batches {
        let reading = Arc::clone(reading);
        let batch = move |rows: Result<RecordBatch>| {
            let reading = Arc::clone(&reading);
            async move {
                let rows = rows?;
                joined(SpawnedTask::spawn_blocking(move || reading.batch(&rows))).await
            }
        };
        stream.map(batch).buffered(self.work.n_threads).boxed()
    }

    async fn read_left(&mut self, stream: SendableRecordBatchStream) -> Result<Stage> {
        let memory = MemoryConsumer::new("interval join").register(self.task.memory_pool());
        let mut read = Read::new(memory);
        let mut batches = self.batches(&self.left, stream);
        while let Some(batch) = batches.next().await.transpose()? {
            read.add(batch)?;
        }
        drop(batches);
        let n_rows = read.n_rows;
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
        let batches = self.batches(&self.right, stream);
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
            let batch = match right.waiting.take() {
                Some(batch) => batch,
                None => {
                    let next = right.batches.next();
                    let next = if read.n_rows == 0 {
                        next.await
                    } else {
                        match timeout(PATIENCE, next).await {
                            Ok(next) => next,
                            Err(_) => break,
                        }
                    };
                    let Some(batch) = next.transpose()? else { break };
                    batch
                }
            };
            if read.n_rows > 0 && !read.has_room(&batch) {
                right.waiting = Some(batch);
                break;
            }
            read.add(batch)?;
        }
        if read.n_rows == 0 {
            return Ok(None);
        }
        read.end(&self.right).map(Some)
    }
}

impl Reading {
    fn batch(&self, rows: &RecordBatch) -> Result<Batch> {
        let _timer = self.elapsed.timer();
        let (keys, intervals) = (self.keys.keys(rows)?, self.bounds.intervals(rows)?);
        let parts = Parts::new(self.n_parts, &keys, &intervals);
        Ok(Batch { parts, kept: rows.project(&self.columns)? })
    }
}

impl Batch {
    /// Returns how much memory it takes until its side is sorted, in bytes.
    fn n_bytes(&self) -> usize {
        // The columns are once as they came and once in one piece.
        let kept = 2 * self.kept.get_array_memory_size();
        kept + self.parts.size() + self.kept.num_rows() * BYTES_PER_ROW
    }
}

/// Rows of a side while they are read.
struct Read {
    batches: Vec<Batch>,
    n_rows: usize,
    memory: MemoryReservation,
}

impl Read {
    fn new(memory: MemoryReservation) -> Self {
        Self { batches: Vec::new(), n_rows: 0, memory }
    }

    fn has_room(&self, batch: &Batch) -> bool {
        self.memory.new_empty().try_grow(batch.n_bytes()).is_ok()
    }

    fn add(&mut self, batch: Batch) -> Result<()> {
        self.memory.try_grow(batch.n_bytes())?;
        self.n_rows += batch.kept.num_rows();
        if self.n_rows > u32::MAX as usize {
            return exec_err!("a join has more than four billion rows on one side");
        }
        self.batches.push(batch);
        Ok(())
    }

    fn end(self, reading: &Reading) -> Result<Input> {
        let schema = Arc::new(reading.schema.project(&reading.columns)?);
        let (batches, parts) =
            self.batches.into_iter().map(|batch| (batch.kept, batch.parts)).unzip();
        Ok(Input { batches, schema, parts, n_parts: reading.n_parts, memory: self.memory })
    }
}

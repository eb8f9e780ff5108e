//! Rows that are read once for several places of one plan.
//! In: what each reader does to the rows. Out: a stream for each reader. Whoever asks for a row that
//! is not there drives the reading, so no reader waits for another one. Rows are kept, and counted
//! against the memory limit, until every reader has passed them; the reading ends when all readers
//! have left. Made by `rules/share_scans.rs`.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt as _, stream};
use tokio::sync::watch;

use super::wanted::{Readers, Wanted, first_rows};
use super::{ScanPlan, run};

/// A scan whose rows several readers share.
pub(crate) struct SharedScan {
    /// What is read: the columns of all readers, as the plugin emits them.
    plan: Arc<ScanPlan>,
    readers: Vec<Reader>,
    state: Mutex<State>,
    wakers: Arc<Wakers>,
}

/// One place of the plan that reads.
pub(crate) struct Reader {
    /// What it does to the rows.
    plan: Arc<ScanPlan>,
    fetch: Option<usize>,
    n_rows: AtomicU64,
}

/// One of the readers of a shared scan.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    scan: Arc<SharedScan>,
    reader_idx: usize,
}

struct State {
    source: Source,
    /// The batches that not every reader has passed, each with the memory that it counts for.
    kept: VecDeque<(RecordBatch, usize)>,
    /// How many batches came before those that are kept.
    n_passed: u64,
    places: Vec<Place>,
    memory: Option<MemoryReservation>,
}

/// Where rows come from.
enum Source {
    /// No reader has begun.
    NotStarted,
    /// The scan, and what tells it how many batches were asked for.
    Reading(SendableRecordBatchStream, watch::Sender<u64>),
    /// All rows came, or what went wrong.
    Ended(Option<Arc<DataFusionError>>),
}

/// How far a reader has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    NotBegun,
    /// Before the batch of this number.
    Before(u64),
    Left,
}

/// The readers that wait for rows; the scan wakes them all, for each of them can go on reading.
#[derive(Default)]
struct Wakers(Mutex<Vec<(usize, Waker)>>);

/// The right of a reader to rows; it has left when this is dropped.
struct Seat {
    share: Share,
}

impl Reader {
    /// Returns a reader. `plan` reads from the columns of the shared scan.
    pub(crate) fn new(plan: ScanPlan, fetch: Option<usize>) -> Self {
        Self { plan: Arc::new(plan), fetch, n_rows: AtomicU64::new(0) }
    }
}

impl SharedScan {
    /// Returns the shares of the readers, in their order.
    pub(crate) fn shares(plan: ScanPlan, readers: Vec<Reader>) -> Vec<Share> {
        let n_readers = readers.len();
        let state = State {
            source: Source::NotStarted,
            kept: VecDeque::new(),
            n_passed: 0,
            places: vec![Place::NotBegun; n_readers],
            memory: None,
        };
        let (state, wakers) = (Mutex::new(state), Arc::default());
        let scan = Arc::new(Self { plan: Arc::new(plan), readers, state, wakers });
        (0..n_readers).map(|reader_idx| Share { scan: Arc::clone(&scan), reader_idx }).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the scan ready to run.
    fn source(&self, task: &TaskContext) -> Source {
        let readers = self.readers.iter().map(|reader| (Arc::clone(&reader.plan), reader.fetch));
        let (asked, n_asked) = watch::channel(0);
        let wanted = Wanted::ByReaders(Readers::new(readers.collect(), n_asked));
        let schema = Arc::clone(&self.plan.wire_schema);
        Source::Reading(run::stream(Arc::clone(&self.plan), wanted, schema, task), asked)
    }
}

impl Share {
    /// Returns the scan's number in the ledger.
    pub(crate) fn scan_id(&self) -> usize {
        self.scan.plan.id
    }

    /// Returns how many rows this reader has read.
    pub(crate) fn n_rows(&self) -> u64 {
        self.reader().n_rows.load(Ordering::Relaxed)
    }

    fn reader(&self) -> &Reader {
        &self.scan.readers[self.reader_idx]
    }

    /// Returns the rows of this reader; `None` if it has read already and its rows may be gone.
    pub(super) fn rows(
        &self,
        schema: SchemaRef,
        task: &TaskContext,
    ) -> Option<SendableRecordBatchStream> {
        let seat = self.sit(task)?;
        let start = (Some(seat), self.reader().fetch);
        let rows = stream::try_unfold(start, |(mut seat, mut n_wanted)| async move {
            loop {
                let Some(sitting) = &seat else { return Ok(None) };
                let Some(wire) = poll_fn(|context| sitting.poll(context)).await.transpose()? else {
                    return Ok(None);
                };
                let reader = sitting.share.reader();
                let rows = first_rows(reader.plan.output(&wire)?, &mut n_wanted);
                if rows.num_rows() == 0 {
                    continue;
                }
                reader.n_rows.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
                if n_wanted == Some(0) {
                    // Whether the consumer comes again is not known.
                    seat = None;
                }
                return Ok(Some((rows, (seat, n_wanted))));
            }
        });
        Some(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn sit(&self, task: &TaskContext) -> Option<Seat> {
        let mut state = self.scan.state();
        if state.places[self.reader_idx] != Place::NotBegun {
            return None;
        }
        if matches!(state.source, Source::NotStarted) {
            let consumer = format!("shared rows of {}", self.scan.plan.connection.config.name);
            state.memory = Some(MemoryConsumer::new(consumer).register(task.memory_pool()));
            state.source = self.scan.source(task);
        }
        state.places[self.reader_idx] = Place::Before(0);
        Some(Seat { share: self.clone() })
    }
}

impl Seat {
    /// Returns the next batch of the scan, and reads it if it is not there.
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        let Share { scan, reader_idx } = &self.share;
        let mut state = scan.state();
        let Place::Before(place) = state.places[*reader_idx] else { return Poll::Ready(None) };
        if let Some(batch) = state.batch(place) {
            state.pass(*reader_idx, place);
            return Poll::Ready(Some(Ok(batch)));
        }
        let Source::Reading(rows, asked) = &mut state.source else {
            return Poll::Ready(state.source.failure().map(Err));
        };
        scan.wakers.add(*reader_idx, context.waker());
        asked.send_if_modified(|n_asked| {
            let is_more = *n_asked <= place;
            *n_asked = (*n_asked).max(place + 1);
            is_more
        });
        let waker = Waker::from(Arc::clone(&scan.wakers));
        let polled = rows.poll_next_unpin(&mut Context::from_waker(&waker));
        let Poll::Ready(next) = polled else { return Poll::Pending };
        scan.wakers.remove(*reader_idx);
        let kept = match next {
            Some(Ok(batch)) => state.keep(&batch, *reader_idx).map(|()| Some(batch)),
            Some(Err(error)) => Err(error),
            None => Ok(None),
        };
        let result = match kept {
            Ok(Some(batch)) => {
                state.pass(*reader_idx, place);
                Some(Ok(batch))
            }
            ended => {
                let failure = ended.err().map(Arc::new);
                state.source = Source::Ended(failure);
                state.source.failure().map(Err)
            }
        };
        drop(state);
        scan.wakers.wake_all();
        Poll::Ready(result)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Share { scan, reader_idx } = &self.share;
        scan.wakers.remove(*reader_idx);
        let mut state = scan.state();
        state.places[*reader_idx] = Place::Left;
        state.forget();
        if state.places.iter().all(|place| *place == Place::Left) {
            // Dropping the stream ends the scan, down to the socket.
            let source = std::mem::replace(&mut state.source, Source::Ended(None));
            drop(state);
            drop(source);
        }
    }
}

impl State {
    fn batch(&self, place: u64) -> Option<RecordBatch> {
        let idx = usize::try_from(place.checked_sub(self.n_passed)?).ok()?;
        self.kept.get(idx).map(|(batch, _)| batch.clone())
    }

    /// Keeps a batch that was just read, for the readers besides the one that read it.
    fn keep(&mut self, batch: &RecordBatch, reader_idx: usize) -> Result<()> {
        let mut places = self.places.iter().enumerate();
        let is_wanted = places.any(|(idx, place)| idx != reader_idx && *place != Place::Left);
        let size_bytes = if is_wanted { batch.get_array_memory_size() } else { 0 };
        if let Some(memory) = &self.memory {
            memory.try_grow(size_bytes)?;
        }
        self.kept.push_back((batch.clone(), size_bytes));
        Ok(())
    }

    /// Lets a reader go past the batch of this number.
    fn pass(&mut self, reader_idx: usize, place: u64) {
        self.places[reader_idx] = Place::Before(place + 1);
        self.forget();
    }

    /// Drops the batches that every reader has passed.
    fn forget(&mut self) {
        let place = |place: &Place| match place {
            Place::NotBegun => Some(0),
            Place::Before(place) => Some(*place),
            Place::Left => None,
        };
        let slowest = self.places.iter().filter_map(place).min().unwrap_or(u64::MAX);
        while self.n_passed < slowest
            && let Some((_, size_bytes)) = self.kept.pop_front()
        {
            self.n_passed += 1;
            if let Some(memory) = &self.memory {
                memory.shrink(size_bytes);
            }
        }
    }
}

impl Source {
    fn failure(&self) -> Option<DataFusionError> {
        match self {
            Self::Ended(Some(error)) => Some(DataFusionError::Shared(Arc::clone(error))),
            Self::Ended(None) | Self::NotStarted | Self::Reading(..) => None,
        }
    }
}

impl Wakers {
    fn wakers(&self) -> MutexGuard<'_, Vec<(usize, Waker)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, reader_idx: usize, waker: &Waker) {
        let mut wakers = self.wakers();
        wakers.retain(|(idx, _)| *idx != reader_idx);
        wakers.push((reader_idx, waker.clone()));
    }

    fn remove(&self, reader_idx: usize) {
        self.wakers().retain(|(idx, _)| *idx != reader_idx);
    }

    fn wake_all(&self) {
        let wakers = std::mem::take(&mut *self.wakers());
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

impl fmt::Debug for SharedScan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SharedScan({} for {})", self.plan.id, self.readers.len())
    }
}

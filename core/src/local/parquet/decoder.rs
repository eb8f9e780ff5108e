//! Decodes columns of a Parquet file, some on each thread, and puts the rows together again in the order
//! of the file.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow::array::ArrayRef;
use arrow::datatypes::Fields;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::super::rows::Wanted;
use super::super::{Fault, changed};
use super::not_parquet;

/// A file whose metadata have been read.
pub(super) struct Decoder {
    file: SharedFile,
    metadata: ArrowReaderMetadata,
    n_threads: usize,
}

/// Makes a column of the language of one of the file; by its index in the file.
pub(super) type Convert<'a> = &'a (dyn Fn(usize, &ArrayRef) -> Result<ArrayRef, Fault> + Sync);

/// Some columns of the rows of a batch, and how many rows it has. What is wrong goes with the place of
/// its column among those that are wanted.
type Decoded = Result<(Vec<ArrayRef>, usize), (usize, Fault)>;

/// How many batches a thread may be ahead of the others.
const AHEAD: usize = 4;

/// How many bytes of values are worth a thread.
const BYTES_PER_THREAD: i64 = 1 << 20;

impl Decoder {
    /// Reads the metadata of a file, which up to `n_threads` threads will decode.
    ///
    /// # Errors
    /// If it is not Parquet.
    pub(super) fn open(file: File, n_threads: usize) -> Result<Self, Fault> {
        let n_bytes = file.metadata().map_err(Fault::io)?.len();
        let file = SharedFile { file: Arc::new(Mutex::new(file)), n_bytes };
        let metadata = ArrowReaderMetadata::load(&file, Default::default());
        let metadata = metadata.map_err(|error| not_parquet(&error.to_string()))?;
        Ok(Self { file, metadata, n_threads })
    }

    /// Returns the columns of the file.
    pub(super) fn fields(&self) -> &Fields {
        self.metadata.schema().fields()
    }

    /// Returns what the file says of its row groups.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// Hands over the columns `wanted` batch by batch, as `convert` makes them.
    ///
    /// # Errors
    /// If the file is damaged, and what `convert` and `emit` say.
    pub(super) fn each_batch(
        &self,
        wanted: &[usize],
        batch_rows: usize,
        convert: Convert<'_>,
        emit: &mut dyn FnMut(Vec<ArrayRef>, usize) -> Result<Wanted, Fault>,
    ) -> Result<(), Fault> {
        let shares = self.shares(wanted);
        let decode = |share: &[usize]| self.decode(wanted, share.to_vec(), batch_rows, convert);
        let Some((own, others)) = shares.split_first() else { return Ok(()) };
        thread::scope(|scope| {
            let others: Vec<Receiver<Decoded>> = others
                .iter()
                .map(|share| {
                    let (sender, receiver) = sync_channel(AHEAD);
                    let of_thread = || decode(share);
                    scope.spawn(move || of_thread().try_for_each(|rows| sender.send(rows)));
                    receiver
                })
                .collect();
            for rows in decode(own) {
                // A thread that is gone without an error has found less rows than this one.
                let of_others = others
                    .iter()
                    .map(|other| other.recv().unwrap_or_else(|_| Err((usize::MAX, changed()))));
                let parts: Vec<Decoded> = [rows].into_iter().chain(of_others).collect();
                let (columns, n_rows) = put_together(&shares, parts)?;
                if emit(columns, n_rows)? == Wanted::Enough {
                    return Ok(());
                }
            }
            match others.iter().any(|other| other.recv().is_ok()) {
                true => Err(changed()),
                false => Ok(()),
            }
        })
    }

    /// Shares columns out among threads, so that each has about as many bytes to decode. In: columns by
    /// their indexes in the file. Out: their places among those that are wanted, in ascending order.
    fn shares(&self, wanted: &[usize]) -> Vec<Vec<usize>> {
        let n_bytes = |idx: usize| -> i64 {
            let name = self.fields()[idx].name();
            let chunks = self.metadata().row_groups().iter().flat_map(|rows| rows.columns());
            let of_column =
                chunks.filter(|chunk| chunk.column_path().parts().first() == Some(name));
            of_column.map(|chunk| chunk.uncompressed_size()).sum()
        };
        let mut columns: Vec<(i64, usize)> =
            wanted.iter().zip(0..).map(|(idx, place)| (n_bytes(*idx), place)).collect();
        let total: i64 = columns.iter().map(|column| column.0).sum();
        let n_threads = usize::try_from(total / BYTES_PER_THREAD).unwrap_or(1);
        let n_threads = n_threads.min(self.n_threads).min(columns.len()).max(1);
        columns.sort_unstable_by_key(|(n_bytes, place)| (-n_bytes, *place));
        let mut shares: Vec<(i64, Vec<usize>)> = vec![(0, Vec::new()); n_threads];
        for (n_bytes, place) in columns {
            if let Some(least) = shares.iter_mut().min_by_key(|share| share.0) {
                least.0 += n_bytes;
                least.1.push(place);
            }
        }
        let ordered = |(_, mut share): (i64, Vec<usize>)| {
            share.sort_unstable();
            share
        };
        shares.into_iter().map(ordered).collect()
    }

    /// Decodes a share of the columns, batch by batch; ends after the first error.
    fn decode<'a>(
        &'a self,
        wanted: &'a [usize],
        share: Vec<usize>,
        batch_rows: usize,
        convert: Convert<'a>,
    ) -> impl Iterator<Item = Decoded> + use<'a> {
        let first = share.first().copied().unwrap_or_default();
        let damaged = move |error: String| (first, not_parquet(&error));
        let (file, metadata) = (self.file.clone(), self.metadata.clone());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let roots = share.iter().map(|place| wanted[*place]);
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let mut reader = Some(builder.with_projection(mask).with_batch_size(batch_rows).build());
        std::iter::from_fn(move || {
            let rows = match reader.take()? {
                Err(error) => return Some(Err(damaged(error.to_string()))),
                Ok(mut rows) => {
                    let next = rows.next()?;
                    reader = Some(Ok(rows));
                    next
                }
            };
            let decoded = rows.map_err(|error| damaged(error.to_string())).and_then(|rows| {
                let columns = share.iter().map(|place| {
                    let idx = wanted[*place];
                    let column = rows.column_by_name(self.fields()[idx].name());
                    let column = column.ok_or_else(changed);
                    column.and_then(|column| convert(idx, column)).map_err(|fault| (*place, fault))
                });
                Ok((columns.collect::<Result<_, _>>()?, rows.num_rows()))
            });
            if decoded.is_err() {
                reader = None;
            }
            Some(decoded)
        })
    }
}

/// Returns the columns of all threads in the order in which they are wanted; or what is wrong with the
/// first of them.
fn put_together(
    shares: &[Vec<usize>],
    parts: Vec<Decoded>,
) -> Result<(Vec<ArrayRef>, usize), Fault> {
    let (mut columns, mut faults, mut n_rows) = (Vec::new(), Vec::new(), Vec::new());
    for (share, part) in shares.iter().zip(parts) {
        match part {
            Ok((decoded, of_part)) => {
                columns.extend(share.iter().zip(decoded));
                n_rows.push(of_part);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if let Some((_, fault)) = faults.into_iter().min_by_key(|(place, _)| *place) {
        return Err(fault);
    }
    columns.sort_unstable_by_key(|(place, _)| **place);
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    match n_rows.as_slice() {
        [n_rows, others @ ..] if others.iter().all(|other| other == n_rows) => {
            Ok((columns, *n_rows))
        }
        _ => Err(changed()),
    }
}

/// A file that several threads read.
#[derive(Clone)]
struct SharedFile {
    file: Arc<Mutex<File>>,
    n_bytes: u64,
}

/// The rest of it from a place on.
struct Section {
    file: SharedFile,
    at: u64,
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.n_bytes
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<Section>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        // Headers of pages are read so, which are short.
        Ok(BufReader::with_capacity(1024, Section { file: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let mut bytes = Vec::with_capacity(length);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        let n_read = (&*file).take(length as u64).read_to_end(&mut bytes)?;
        if n_read < length {
            let message = format!("expected {length} bytes at {start}, found {n_read}");
            return Err(ParquetError::EOF(message));
        }
        Ok(bytes.into())
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut file = self.file.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let n_read = file.read(buffer)?;
        self.at += n_read as u64;
        Ok(n_read)
    }
}

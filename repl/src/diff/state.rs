//! The rows of the last run of a query, in the file of `--state`.
//! In: rows with their types. Out: the same rows at the next run, exactly. A line of JSON that says
//! what follows, then the rows as an Arrow IPC stream, whose digest the line has.
//!
//! The file is replaced as a whole and can be read by its owner alone. A lock beside it is held from
//! before the query to the end of the run, so that two runs do not overwrite each other's.

use std::fs::{File, TryLockError};
use std::io::{self, Cursor, Write as _};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::usage::Refusal;

/// The version of the file.
const VERSION: u32 = 1;

/// The state of one query, locked for this run.
#[derive(Debug)]
pub(crate) struct StateFile {
    /// As it was named.
    name: PathBuf,
    path: PathBuf,
    /// The rows of the last run, if there was one.
    pub(crate) last: Option<State>,
    /// Holds the lock as long as it is open.
    _lock: File,
}

/// The rows of a run, and of which query they are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// Tells queries apart.
    pub(crate) query: String,
    /// Counts the queries that the file has been of.
    pub(crate) epoch: u64,
    /// Counts the runs of this query.
    pub(crate) run: u64,
    pub(crate) rows: RecordBatch,
}

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    sessionql_state: u32,
    query: String,
    epoch: u64,
    run: u64,
    rows: u64,
    sha256: String,
}

/// What alone is read of a file of another version.
#[derive(Deserialize)]
struct Version {
    sessionql_state: u32,
}

impl StateFile {
    /// Locks the file and reads what is there.
    ///
    /// # Errors
    /// If another run has it, it cannot be read, or it is not what a run has written.
    pub(crate) fn open(name: &Path) -> Result<Self, Refusal> {
        // A link stays one: what it points at is replaced.
        let path = name.canonicalize().unwrap_or_else(|_| name.to_owned());
        let shown = name.display();
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let lock = private().write(true).create(true).truncate(false).open(&lock_path);
        let lock =
            lock.map_err(|error| Refusal::new(format!("`{shown}` cannot be locked: {error}")))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Refusal::new(format!("`{shown}` is in use by another run")));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Refusal::new(format!("`{shown}` cannot be locked: {error}")));
            }
        }
        let last = match std::fs::read(&path) {
            Ok(bytes) => Some(read(&bytes).map_err(|why| {
                Refusal::new(format!("`{shown}` {why}"))
                    .with_hint("it stays as it is; without it the next run is a first one")
            })?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Refusal::new(format!("`{shown}` cannot be read: {error}")));
            }
        };
        Ok(Self { name: name.to_owned(), path, last, _lock: lock })
    }

    /// Returns the name of the file, for messages.
    pub(crate) fn name(&self) -> String {
        self.name.display().to_string()
    }

    /// Writes the rows that the next run compares with.
    ///
    /// # Errors
    /// If they cannot be written; the file is then as it was.
    pub(crate) fn save(&self, state: &State) -> io::Result<()> {
        let bytes = written(state).map_err(io::Error::other)?;
        let directory = match self.path.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        };
        // Such a file is its owner's alone from its first byte on.
        let mut file = tempfile::Builder::new().prefix(".sessionql-").tempfile_in(directory)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        #[cfg(unix)]
        File::open(directory)?.sync_all()?;
        Ok(())
    }
}

/// Returns how a file is opened that others may not look into.
fn private() -> std::fs::OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// Returns the bytes of a file.
fn written(state: &State) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut rows = Vec::new();
    let mut writer = StreamWriter::try_new(&mut rows, &state.rows.schema())?;
    writer.write(&state.rows)?;
    writer.finish()?;
    drop(writer);
    let header = Header {
        sessionql_state: VERSION,
        query: state.query.clone(),
        epoch: state.epoch,
        run: state.run,
        rows: state.rows.num_rows() as u64,
        sha256: sha256(&rows),
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.append(&mut rows);
    Ok(bytes)
}

/// Reads the bytes of a file.
///
/// # Errors
/// What is wrong with them, behind the name of the file.
fn read(bytes: &[u8]) -> Result<State, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let Ok(version) = serde_json::from_slice::<Version>(line) else {
        return Err("is not a file that `--state` wrote".to_owned());
    };
    if version.sessionql_state != VERSION {
        let found = version.sessionql_state;
        return Err(format!("is of version {found}, this build reads {VERSION}"));
    }
    let damaged = || "is damaged".to_owned();
    let header: Header = serde_json::from_slice(line).map_err(|_| damaged())?;
    if sha256(rest) != header.sha256 {
        return Err(damaged());
    }
    let reader = StreamReader::try_new(Cursor::new(rest), None).map_err(|_| damaged())?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<_>, _>>().map_err(|_| damaged())?;
    let rows = concat_batches(&schema, &batches).map_err(|_| damaged())?;
    if rows.num_rows() as u64 != header.rows {
        return Err(damaged());
    }
    Ok(State { query: header.query, epoch: header.epoch, run: header.run, rows })
}

/// Returns a digest of several texts that are not taken for others when they are divided otherwise.
pub(crate) fn fingerprint(parts: &[String]) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    sha256(&bytes)
}

fn sha256(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Where rows go: stdout, or a file that is replaced as a whole.
//! Every write can fail, and a closed pipe is no failure; that is for the caller to tell.

use std::fs::File;
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::Exit;
use crate::usage::Refusal;

/// How much is written at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Where the rows of a statement go.
pub(crate) trait Destination: Write {
    /// Ends the rows of one statement; returns when whoever shows them has done with it.
    ///
    /// # Errors
    /// Those of the system.
    fn end(&mut self) -> io::Result<()> {
        self.flush()
    }

    /// Tells whether another program shows the rows, so that nothing else may be written to the
    /// terminal.
    fn owns_terminal(&self) -> bool {
        false
    }
}

impl Destination for Output {}

impl Destination for tempfile::SpooledTempFile {}

/// Takes the rows of a run.
pub(crate) struct Output {
    writer: BufWriter<Sink>,
}

enum Sink {
    Stdout(Stdout),
    /// A device or a pipe, which cannot be replaced.
    Device(File),
    /// The file that takes the place of another one.
    Replacement {
        file: NamedTempFile,
        target: PathBuf,
    },
}

impl Output {
    /// Returns the standard output.
    pub(crate) fn stdout() -> Self {
        Self::new(Sink::Stdout(io::stdout()))
    }

    /// Opens a file beside `target` that [`Output::finish`] renames to it.
    ///
    /// # Errors
    /// If there is no place for it.
    pub(crate) fn file(target: &Path) -> Result<Self, Refusal> {
        let refused = |error: io::Error| {
            Refusal::new(format!("`{}` cannot be written: {error}", target.display()))
        };
        // A link stays one: what it points at is replaced.
        let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        let old = std::fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            let device = File::options().write(true).open(&target).map_err(refused)?;
            return Ok(Self::new(Sink::Device(device)));
        }
        let directory = match target.parent() {
            Some(directory) if !directory.as_os_str().is_empty() => directory,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".sessionql-");
        let permissions = old.map(|old| old.permissions()).or_else(usual_permissions);
        if let Some(permissions) = permissions {
            builder.permissions(permissions);
        }
        let file = builder.tempfile_in(directory).map_err(refused)?;
        Ok(Self::new(Sink::Replacement { file, target }))
    }

    fn new(sink: Sink) -> Self {
        Self { writer: BufWriter::with_capacity(BUFFER_BYTES, sink) }
    }

    /// Ends the output. A file takes its place if there is a result, and is gone otherwise.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn finish(mut self, exit: Exit) -> io::Result<()> {
        if exit.has_result() {
            self.writer.flush()?;
        }
        // Rows are flushed as they come; what could not be written is not tried again.
        let (sink, _) = self.writer.into_parts();
        match sink {
            Sink::Replacement { file, target } if exit.has_result() => {
                file.as_file().sync_all()?;
                file.persist(target).map(drop).map_err(|error| error.error)
            }
            _ => Ok(()),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Device(file) => file.write(bytes),
            Self::Replacement { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Device(file) => file.flush(),
            Self::Replacement { file, .. } => file.flush(),
        }
    }
}

/// What a new file may usually be used for; the system takes off what the user's mask forbids.
#[cfg(unix)]
fn usual_permissions() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(std::fs::Permissions::from_mode(0o666))
}

/// What a new file may usually be used for: what the system says.
#[cfg(not(unix))]
fn usual_permissions() -> Option<std::fs::Permissions> {
    None
}

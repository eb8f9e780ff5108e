//! How a plugin is run apart from this process: in what, and within which limits.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The program that isolated plugins are run in. Its standard input is the channel that
/// `plugin::serve` is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCommand {
    /// The program, by its whole path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// How a plugin is isolated.
#[derive(Debug, Clone)]
pub(crate) struct Isolation {
    /// What it is run in.
    pub(crate) host: HostCommand,
    /// How much memory its process may take, in bytes.
    pub(crate) memory_limit_bytes: u64,
    /// How long it may neither return from a function nor ask for anything.
    pub(crate) time_limit: Duration,
}

//! What `sessionql plugin-host` does: runs one plugin for the `sessionql` that has started it. Its
//! standard input is a channel to that process; nobody else has a use for it, and no help names it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::resource::{Resource, setrlimit};
use sessionql_core::plugin;

use crate::environment::PLUGIN_HOST;
use crate::exit::Exit;
use crate::report::Reporter;
use crate::usage::Refusal;

/// Runs a plugin until the channel is closed.
pub(crate) fn run(reporter: Reporter) -> Exit {
    let Ok(channel) = channel() else {
        let refusal = Refusal::new(format!("`{PLUGIN_HOST}` is not for people"));
        reporter.show(&refusal.with_hint("set `isolation = \"process\"` on a connection").into());
        return Exit::Input;
    };
    match plugin::serve(channel, limit) {
        Ok(()) => Exit::Success,
        Err(error) => {
            reporter.show(&Refusal::new(format!("the channel of a plugin broke: {error}")).into());
            Exit::Failed
        }
    }
}

/// Returns the channel, and lets the plugin find nothing where it was.
fn channel() -> io::Result<UnixStream> {
    let channel: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let channel = UnixStream::from(channel);
    // An error if it is no socket.
    channel.peer_addr()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(channel)
}

/// Holds the process to so much memory, and keeps what it holds out of files after a crash.
fn limit(memory_limit_bytes: u64) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    // What is mapped and can be written. Address space that is only set aside costs nothing.
    Ok(setrlimit(Resource::RLIMIT_DATA, memory_limit_bytes, memory_limit_bytes)?)
}

//! A plugin's library in a process of its own, so that whatever it does there, this process goes on.
//! In: the calls of one connection. Out: what a library in this process would answer, or how the
//! child ended. A child is started when it is needed, and anew by the first call after it has ended;
//! the connection is opened again in it before anything else is asked.
//!
//! `process` is a child seen from the host, `answers` what the host does for it, `child` the other
//! side; `wire` and `rows` are what goes between.

mod answers;
mod child;
mod process;
mod rows;
mod signal;
#[cfg(test)]
mod tests;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sessionql_plugin_abi::{Reason, WireError, ffi};

use super::call::Function;
use super::exchange::{Exchange, NoServices};
use super::isolation::Isolation;
use super::load::LoadFault;
use super::locate::{OWNER_HINT, check_owner};
pub use child::serve;
use process::Process;

/// One connection's library in a child.
#[derive(Debug)]
pub(super) struct Isolated {
    plugin: String,
    file: PathBuf,
    isolation: Isolation,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    process: Option<Arc<Process>>,
    /// The manifest, as the first child gave it.
    manifest: Option<Vec<u8>>,
    /// The options and the reply of `connect`, as the first child gave it.
    connected: Option<(Vec<u8>, Vec<u8>)>,
    /// The values of secret options.
    secrets: Vec<String>,
}

impl Isolated {
    /// Returns a library for which no child was started yet.
    pub(super) fn new(plugin: &str, file: PathBuf, isolation: Isolation) -> Self {
        Self { plugin: plugin.to_owned(), file, isolation, state: Mutex::default() }
    }

    /// Starts the first child.
    ///
    /// # Errors
    /// What is wrong with the library.
    pub(super) fn start(&self) -> Result<(), LoadFault> {
        let mut state = self.lock();
        state.process = Some(Arc::new(self.spawn(&state)?));
        Ok(())
    }

    /// Takes these values out of what the child prints.
    pub(super) fn keep_secret(&self, secrets: Vec<String>) {
        let mut state = self.lock();
        if let Some(process) = &state.process {
            process.keep_secret(secrets.clone());
        }
        state.secrets = secrets;
    }

    /// Ends a child whose plugin panicked; the next call starts another.
    pub(super) fn end_after_panic(&self) {
        if let Some(process) = self.lock().process.take() {
            process.end_after_panic();
        }
    }

    /// Calls a function.
    ///
    /// # Errors
    /// How the child ended, if it did, or why there is none.
    pub(super) fn call(
        &self,
        function: Function,
        document: &[u8],
        exchange: &mut Exchange<'_>,
    ) -> Result<i32, WireError> {
        if function == Function::Disconnect {
            // Where there is no child there is nothing to close.
            let Some(process) = self.lock().process.clone().filter(|it| it.is_alive()) else {
                return Ok(ffi::OK);
            };
            return process.call(function, document, exchange);
        }
        let process = self.running()?;
        let code = process.call(function, document, exchange)?;
        match (function, code, exchange.document()) {
            (Function::Describe, ffi::OK, Some(reply)) => {
                self.lock().manifest = Some(reply.to_vec());
            }
            (Function::Connect, ffi::OK, Some(reply)) => {
                self.lock().connected = Some((document.to_vec(), reply.to_vec()));
            }
            _ => {}
        }
        Ok(code)
    }

    /// Returns a child that runs, with the connection open if it was; starts one if there is none.
    fn running(&self) -> Result<Arc<Process>, WireError> {
        let mut state = self.lock();
        if let Some(process) = state.process.as_ref().filter(|process| process.is_alive()) {
            return Ok(Arc::clone(process));
        }
        state.process = None;
        let process = self.spawn(&state).map_err(|fault| {
            let message = format!("plugin `{}` {}", self.plugin, fault.message);
            WireError { hint: fault.hint, ..WireError::new(Reason::PluginError, message) }
        })?;
        let again = |function: Function, document: &[u8], before: &[u8]| {
            let mut services = NoServices;
            let mut exchange = Exchange::new(&mut services);
            let code = process.call(function, document, &mut exchange)?;
            let reply = exchange.finish(code)?;
            if reply.document.is_some_and(|document| is_same(&document, before)) {
                return Ok(());
            }
            let (plugin, function) = (&self.plugin, function.name());
            let message = format!(
                "plugin `{plugin}` was started anew and answers `{function}` otherwise than before"
            );
            Err(WireError::new(Reason::PluginError, message).with_hint("start the program anew"))
        };
        if let Some(manifest) = &state.manifest {
            again(Function::Describe, &[], manifest)?;
        }
        if let Some((options, reply)) = &state.connected {
            again(Function::Connect, options, reply)?;
        }
        tracing::info!(target: "plugin", plugin = %self.plugin, "started anew");
        let process = Arc::new(process);
        state.process = Some(Arc::clone(&process));
        Ok(process)
    }

    /// Starts a child, if the file is still one to be trusted.
    fn spawn(&self, state: &State) -> Result<Process, LoadFault> {
        check_owner(&self.file)
            .map_err(|why| LoadFault::new(format!("is refused: {why}")).with_hint(OWNER_HINT))?;
        Process::start(&self.plugin, &self.file, &self.isolation, state.secrets.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether two documents say the same; the order of keys says nothing.
fn is_same(document: &[u8], other: &[u8]) -> bool {
    let read = |bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok();
    read(document).is_some_and(|value| Some(value) == read(other))
}

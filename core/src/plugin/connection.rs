//! One opened connection of a plugin: `plan` and `scan` with typed documents.

#![expect(unsafe_code, reason = "the plugin handle is one of the four places")]

use std::ptr::null_mut;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use sessionql_plugin_abi::message::{Connected, Plan, Report, Request, ScanRequest};
use sessionql_plugin_abi::{Reason, WireError};

use super::call::{self, Callbacks, Imported, NoServices};
use super::load::{ManagedPlugin, RawConnection};
use super::{import, manifest};

/// A connection that a plugin opened. Closed when dropped.
#[derive(Debug)]
pub struct ManagedConnection {
    plugin: Arc<ManagedPlugin>,
    raw: RawConnection,
}

/// What became of one `scan` call.
#[derive(Debug)]
pub enum ScanEnd {
    /// The plugin said what it covered.
    Reported(Report),
    /// The host told it to stop. What it said all the same, which may be nothing.
    Stopped(Report),
}

impl ManagedConnection {
    /// Opens a connection with the options that a plugin may see.
    ///
    /// # Errors
    /// What the plugin says of the options, or that it broke the contract.
    pub fn open(
        plugin: Arc<ManagedPlugin>,
        options: &serde_json::Value,
    ) -> Result<(Self, Connected), WireError> {
        let connect = plugin.table()?.connect.ok_or_else(missing)?;
        let options = options.to_string();
        let mut raw = null_mut();
        let reply = call::run(&mut NoServices, |host| {
            // SAFETY: all pointers are valid for the call, as the header asks.
            unsafe { connect(host, options.as_ptr(), options.len(), &raw mut raw) }
        });
        let reply = plugin.note_panic(reply)?;
        // From here on the plugin's connection is closed whatever comes.
        let connection = Self { plugin, raw: RawConnection(raw) };
        let mut connected: Connected = call::document("connect", &reply)?;
        if let Some(tables) = connected.tables.take() {
            connected.tables = Some(manifest::check_tables(tables)?);
        }
        Ok((connection, connected))
    }

    /// Returns the plugin.
    pub fn plugin(&self) -> &Arc<ManagedPlugin> {
        &self.plugin
    }

    /// Asks how a request would be answered.
    ///
    /// # Errors
    /// What the plugin says, or that it broke the contract.
    pub fn plan(&self, request: &Request) -> Result<Plan, WireError> {
        let plan = self.plugin.table()?.plan.ok_or_else(missing)?;
        let request_text = to_json(request)?;
        let (raw, bytes) = (self.raw, request_text.as_bytes());
        let reply = call::run(&mut NoServices, |host| {
            // SAFETY: the connection is open and all pointers are valid for the call.
            unsafe { plan(raw.0, host, bytes.as_ptr(), bytes.len()) }
        });
        let plan: Plan = call::document("plan", &self.plugin.note_panic(reply)?)?;
        if plan.verdicts.len() > request.filters.len() {
            let (given, asked) = (plan.verdicts.len(), request.filters.len());
            let message = format!("`plan` gave {given} verdicts on {asked} filters");
            return Err(WireError::new(Reason::PluginError, message));
        }
        Ok(plan)
    }

    /// Runs one slice. Blocks until its end.
    ///
    /// # Errors
    /// What the plugin or a callback says, or that the plugin broke the contract: a scan that ends
    /// without a report and was not stopped is a failure.
    pub fn scan(
        &self,
        slice: &ScanRequest,
        callbacks: &mut dyn Callbacks,
    ) -> Result<ScanEnd, WireError> {
        let scan = self.plugin.table()?.scan.ok_or_else(missing)?;
        let slice = to_json(slice)?;
        let raw = self.raw;
        let reply = call::run(callbacks, |host| {
            // SAFETY: the connection is open and all pointers are valid for the call.
            unsafe { scan(raw.0, host, slice.as_ptr(), slice.len()) }
        });
        let reply = self.plugin.note_panic(reply)?;
        if !reply.was_stopped {
            return call::document("scan", &reply).map(ScanEnd::Reported);
        }
        if reply.document.is_none() {
            return Ok(ScanEnd::Stopped(Report::default()));
        }
        call::document("scan", &reply).map(ScanEnd::Stopped)
    }

    /// Checks and takes one emitted batch.
    ///
    /// # Errors
    /// `plugin_error` that says what is not as asked.
    pub fn import(
        schema: &FFI_ArrowSchema,
        array: FFI_ArrowArray,
        expected: &SchemaRef,
    ) -> Imported {
        import::import(schema, array, expected)
    }
}

impl Drop for ManagedConnection {
    fn drop(&mut self) {
        // A plugin that panicked keeps its connections: it is not called again.
        let Ok(table) = self.plugin.table() else { return };
        let Some(disconnect) = table.disconnect else { return };
        let raw = self.raw;
        let end = call::run(&mut NoServices, |host| {
            // SAFETY: no other call can run on a connection that is being dropped.
            unsafe { disconnect(raw.0, host) };
            sessionql_plugin_abi::ffi::OK
        });
        if let Err(error) = end {
            tracing::warn!(plugin = %self.plugin.name, "disconnect: {error}");
        }
    }
}

fn to_json(document: &impl serde::Serialize) -> Result<String, WireError> {
    serde_json::to_string(document)
        .map_err(|error| WireError::new(Reason::Other, format!("internal error: {error}")))
}

fn missing() -> WireError {
    WireError::new(Reason::PluginError, "the plugin lacks one of its functions")
}

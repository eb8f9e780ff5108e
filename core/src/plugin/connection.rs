//! One opened connection of a plugin: `plan` and `scan` with typed documents.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use sessionql_plugin_abi::message::{Connected, Plan, Report, Request, ScanRequest};
use sessionql_plugin_abi::{Reason, WireError};

use super::call::{Function, RawConnection};
use super::exchange::{self, Callbacks, NoServices};
use super::load::ManagedPlugin;
use super::manifest;

/// How long closing a connection may take before it is left to itself.
const GRACE: Duration = Duration::from_secs(2);

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
        let secrets = plugin.manifest.options.iter().filter(|option| option.secret);
        let secrets = secrets.filter_map(|option| options.get(&option.name)?.as_str());
        plugin.keep_secret(secrets.filter(|text| !text.is_empty()).map(str::to_owned).collect());
        let mut raw = RawConnection::none();
        let document = options.to_string();
        let reply =
            plugin.call(Function::Connect, &mut raw, document.as_bytes(), &mut NoServices)?;
        // From here on the plugin's connection is closed whatever comes.
        let connection = Self { plugin, raw };
        let mut connected: Connected = exchange::document("connect", &reply)?;
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
        let document = to_json(request)?;
        let mut raw = self.raw;
        let reply = self.plugin.call(Function::Plan, &mut raw, &document, &mut NoServices)?;
        let plan: Plan = exchange::document("plan", &reply)?;
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
        let document = to_json(slice)?;
        let mut raw = self.raw;
        let reply = self.plugin.call(Function::Scan, &mut raw, &document, callbacks)?;
        if !reply.was_stopped {
            return exchange::document("scan", &reply).map(ScanEnd::Reported);
        }
        if reply.document.is_none() {
            return Ok(ScanEnd::Stopped(Report::default()));
        }
        exchange::document("scan", &reply).map(ScanEnd::Stopped)
    }
}

impl Drop for ManagedConnection {
    fn drop(&mut self) {
        let (plugin, raw) = (Arc::clone(&self.plugin), self.raw);
        let close = move || {
            let mut raw = raw;
            // A plugin that panicked keeps its connections: it is not called again.
            if let Err(error) = plugin.call(Function::Disconnect, &mut raw, &[], &mut NoServices) {
                tracing::debug!(plugin = %plugin.name, "disconnect: {error}");
            }
        };
        if !self.plugin.is_here() {
            return close();
        }
        // A plugin in this process that does not return must not keep the program from ending.
        let (done, is_done) = sync_channel(1);
        let closing = std::thread::Builder::new().name("disconnect".to_owned()).spawn(move || {
            close();
            let _nobody_waits = done.send(());
        });
        if closing.is_ok() && is_done.recv_timeout(GRACE).is_err() {
            tracing::warn!(plugin = %self.plugin.name, "disconnect: the plugin does not return");
        }
    }
}

fn to_json(document: &impl serde::Serialize) -> Result<Vec<u8>, WireError> {
    serde_json::to_vec(document)
        .map_err(|error| WireError::new(Reason::Other, format!("internal error: {error}")))
}

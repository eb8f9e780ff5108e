//! The trait that a plugin implements, and the options that it is connected with.

use sessionql_plugin_abi::message::{Connected, Manifest, Plan, Report, Request, ScanRequest};
use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

use crate::error::Result;
use crate::host::Host;

/// One connection to a provider.
///
/// The caller guarantees: options of the types that the manifest gives, with its defaults; requests
/// that name columns of the manifest and filters that it allows; each slice of a plan scanned
/// with the request that was planned.
///
/// The implementation must keep no state between calls, for `plan` and `scan` run concurrently, in
/// any order, and maybe in another process: what a scan finds out goes into [`Report::learned`].
/// A panic is caught and reported; after that the host does not call the plugin again.
pub trait Provider: Send + Sync + Sized + 'static {
    /// Returns what the plugin is and offers.
    fn manifest() -> Manifest;

    /// Opens a connection. Does no I/O.
    ///
    /// # Errors
    /// All bad options at once, with the reason `config`.
    fn connect(options: &Options) -> Result<Self, ErrorDocument>;

    /// Returns what differs from the manifest for this connection; by default nothing.
    fn connected(&self) -> Connected {
        Connected::default()
    }

    /// Decides which requests answer a question. Pure: the same answer to the same request.
    ///
    /// By default no filter is used and one slice reads everything: slow but right.
    ///
    /// # Errors
    /// What makes the request impossible to answer.
    fn plan(&self, _request: &Request) -> Result<Plan, ErrorDocument> {
        Ok(Plan { slices: vec![serde_json::Value::Null], ..Plan::default() })
    }

    /// Reads the rows of one slice of a plan and emits them.
    ///
    /// Shape: the columns of `scan.request.columns` in that order, any number of batches.
    /// [`Table::rows`](crate::Table::rows) takes care of it. A report without gaps claims that
    /// every row of the slice was emitted.
    ///
    /// # Errors
    /// Whatever ends the scan early, also that the host wants no more; pass it on with `?`.
    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report>;
}

/// The options of a connection, without the secret ones unless the manifest says `io: own`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options(serde_json::Map<String, serde_json::Value>);

impl Options {
    /// Reads options from the document that `connect` gets.
    ///
    /// # Errors
    /// `config` if it is no JSON object.
    pub fn parse(document: &[u8]) -> Result<Self, WireError> {
        serde_json::from_slice(document).map(Self).map_err(|error| {
            WireError::new(Reason::Config, format!("the options are no JSON object: {error}"))
        })
    }

    /// Returns the value of an option as it came.
    pub fn get(&self, name: &str) -> Option<&serde_json::Value> {
        self.0.get(name)
    }

    /// Returns a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Returns a whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    /// Returns `true` or `false`.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// Returns a duration in microseconds.
    pub fn duration_us(&self, name: &str) -> Option<i64> {
        self.int(name)
    }

    /// Returns a list of text.
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        self.get(name)?.as_array()?.iter().map(serde_json::Value::as_str).collect()
    }
}

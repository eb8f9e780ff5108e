//! What all scans of one statement share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::Expr;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::cache::CacheUse;
use crate::completeness::Ledger;
use crate::connection::Connection;
use crate::error::Error;
use crate::http::RequestBudget;
use crate::last::LastResult;
use crate::plugin::{SilentPlugin, Underway};

/// A statement while it is planned and run.
#[derive(Debug)]
pub(crate) struct StatementContext {
    /// What the log calls this run: eight hexadecimal digits, drawn anew for each statement.
    pub run: String,
    /// The instant that `now()` means.
    pub now: DateTime<Utc>,
    /// What the host's clock showed at the statement's begin.
    pub clock: DateTime<Utc>,
    /// Whether filters are sent to providers at all; off for the test of truth.
    pub pushes_filters: bool,
    /// Where scans write what became of them.
    pub ledger: Ledger,
    /// Ends every scan.
    pub cancel: CancellationToken,
    /// When the statement must have ended.
    pub deadline: Option<tokio::time::Instant>,
    /// How many data requests may be sent.
    pub budget: Option<Arc<RequestBudget>>,
    /// The cache, if answers may come from it.
    pub cache: Option<CacheUse>,
    /// The result that the table `_` means.
    pub last: Option<Arc<LastResult>>,
    /// The calls of plugins that are under way, also those of other statements.
    pub underway: Underway,
    /// The engine's runtime.
    pub runtime: Handle,
    /// What went wrong while planning a scan; planning itself can only say that something did.
    pub planning_failure: Mutex<Option<Error>>,
    /// Whether the statement is planned to be explained and will not run; then a connection whose
    /// secrets cannot be had is no obstacle.
    pub is_only_explained: bool,
    /// The tables of which no row can be wanted, so that no scan stands for them.
    pub unread: Mutex<Vec<UnreadTable>>,
    /// Whether sessions that end before they start are counted: whether the statement asks which
    /// sessions share an instant.
    pub counts_reversed: AtomicBool,
    begun: Instant,
    n_scans: AtomicUsize,
}

/// A table that is named and not read.
#[derive(Debug)]
pub(crate) struct UnreadTable {
    /// The connection.
    pub connection: Arc<Connection>,
    /// The table.
    pub table: String,
    /// The filters that it would have to pass.
    pub filters: Vec<Expr>,
    /// Why it is not read.
    pub reason: &'static str,
}

impl StatementContext {
    /// Returns the context of a statement that begins.
    pub(crate) fn new(now: DateTime<Utc>, clock: DateTime<Utc>, runtime: Handle) -> Self {
        Self {
            run: format!("{:08x}", fastrand::u32(..)),
            now,
            clock,
            pushes_filters: true,
            ledger: Ledger::default(),
            cancel: CancellationToken::new(),
            deadline: None,
            budget: None,
            cache: None,
            last: None,
            underway: Underway::default(),
            runtime,
            planning_failure: Mutex::new(None),
            is_only_explained: false,
            unread: Mutex::default(),
            counts_reversed: AtomicBool::new(false),
            begun: Instant::now(),
            n_scans: AtomicUsize::new(0),
        }
    }

    /// Keeps why planning failed, the first reason if there are several, and returns what planning
    /// itself can say.
    pub(crate) fn fail_planning(&self, error: Error) -> DataFusionError {
        let message = error.to_string();
        if let Ok(mut slot) = self.planning_failure.lock() {
            slot.get_or_insert(error);
        }
        DataFusionError::Plan(message)
    }

    /// Tells whether nobody waits for the statement any more.
    pub(crate) fn is_over(&self) -> bool {
        self.cancel.is_cancelled()
            || self.deadline.is_some_and(|deadline| tokio::time::Instant::now() >= deadline)
    }

    /// Returns the error of a statement that took longer than `after`: if a plugin was silent for
    /// half of that time, it names it.
    pub(crate) fn timed_out(&self, after: Duration) -> Error {
        Error::Timeout { after, silent: self.silent_plugin(after / 2) }
    }

    /// Returns a plugin that this statement waits for and that has been silent for so long.
    pub(crate) fn silent_plugin(&self, for_at_least: Duration) -> Option<SilentPlugin> {
        self.underway.silent(self.begun, for_at_least)
    }

    /// Waits until the deadline; for ever if there is none.
    pub(crate) async fn until_deadline(&self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the deadline has passed, `after` so long, and a plugin is what is waited for. It
    /// may never return, unlike planning itself.
    pub(crate) async fn plugin_hangs(&self, after: Duration) {
        self.until_deadline().await;
        while self.silent_plugin(after / 2).is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns a number for a scan that no other scan of the statement has.
    pub(crate) fn next_scan_id(&self) -> usize {
        self.n_scans.fetch_add(1, Ordering::Relaxed)
    }
}

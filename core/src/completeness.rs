//! What a statement's scans covered: the ledger that scans write, and the report made of it.
//! Every scan that ran is in the ledger; one that never ran had nothing to miss.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Utc};
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::{Gap, TimeColumns};
use tokio::sync::Notify;

use crate::error::Error;
use crate::http::{Account, FinishedRequest, Usage};

/// How long a scan may take to end once nobody wants its rows.
const SETTLE: Duration = Duration::from_secs(1);

/// Which way an incomplete result may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// Rows may be missing; those that are there are right.
    Missing,
    /// Rows may be missing, too many, or have wrong values.
    Wrong,
}

/// What a statement covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completeness {
    /// The connections that were read, sorted by name.
    pub connections: Vec<ConnectionReport>,
    /// Which way the result may be off; `None` if every gap is accepted or there is none.
    pub off: Option<Off>,
    /// What was seen in the rows, of providers and local tables, that is probably a mistake in them.
    pub warnings: Vec<String>,
}

/// What was covered of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionReport {
    /// The connection.
    pub connection: String,
    /// What is missing, without repetition.
    pub gaps: Vec<KnownGap>,
    /// What the user should know, without repetition.
    pub notes: Vec<String>,
    /// Rows that the plugin emitted, duplicates taken out.
    pub n_rows: u64,
    /// Data requests, retries included.
    pub n_requests: u64,
    /// Requests that had to be sent again.
    pub n_retries: u64,
    /// Milliseconds spent waiting for a rate limit or before a retry.
    pub waited_ms: u64,
    /// When the rows were read, if some of them come from the cache; the oldest of them.
    pub from_cache: Option<DateTime<Utc>>,
}

/// A gap, and whether the configuration accepts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGap {
    /// What is missing and why.
    pub gap: Gap,
    /// Whether the connection's `accept` names its reason.
    pub is_accepted: bool,
}

impl Completeness {
    /// Tells whether nothing is missing but what the configuration accepts.
    pub fn is_complete(&self) -> bool {
        self.off.is_none()
    }
}

impl ConnectionReport {
    /// Tells whether nothing of this connection is missing but what the configuration accepts.
    pub fn is_complete(&self) -> bool {
        self.gaps.iter().all(|gap| gap.is_accepted)
    }
}

/// How far the scans of a running statement have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Requests sent, those for tokens included.
    pub n_requests: u64,
    /// Answers that have come; for a paged scan, its pages.
    pub n_pages: u64,
    /// Rows that have come, each counted once.
    pub n_rows: u64,
    /// The connection whose next request waits longest for its turn.
    pub waiting: Option<String>,
    /// Until when it waits.
    pub waits_until: Option<tokio::time::Instant>,
}

/// Where the scans of one statement write what became of them.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Mutex<Vec<Entry>>,
    failure: Mutex<Option<Error>>,
    /// Sessions that end before they start, by table and by who read it.
    reversed: Mutex<BTreeMap<(String, usize), u64>>,
    /// Tells that a run has ended.
    ended: Notify,
}

/// One run of a scan.
#[derive(Debug)]
struct Entry {
    scan_id: usize,
    connection: String,
    accept: Vec<Reason>,
    account: Arc<Account>,
    gaps: Vec<Gap>,
    notes: Vec<String>,
    rows: RowCounts,
    began: Instant,
    elapsed: Option<Duration>,
    /// Whether its rows are wrong already, whatever stands above it.
    is_wrong: bool,
    /// When its rows were read, if an earlier statement read them.
    as_of: Option<DateTime<Utc>>,
}

/// Rows of a scan on their way from the plugin to the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    /// Rows that the plugin emitted.
    pub n_emitted: u64,
    /// Those that were not there before.
    pub n_new: u64,
    /// Those that passed the filters and were wanted.
    pub n_out: u64,
}

/// What one run of a scan did, for EXPLAIN ANALYZE.
#[derive(Debug)]
pub(crate) struct ScanRun {
    /// The scan.
    pub scan_id: usize,
    /// The connection.
    pub connection: String,
    /// What its requests cost.
    pub usage: Usage,
    /// Its requests that have ended, the first 1,000 of them.
    pub finished: Vec<FinishedRequest>,
    /// Its rows.
    pub rows: RowCounts,
    /// From its first request to its end, or until now.
    pub elapsed: Duration,
}

/// One run of a scan in the ledger.
#[derive(Debug, Clone, Copy)]
pub struct EntryId(usize);

impl Ledger {
    /// Opens an entry for a scan that begins to run. As long as it is not closed the scan counts as
    /// stopped by its consumer, which had enough.
    pub fn open(
        &self,
        scan_id: usize,
        connection: &str,
        accept: &[Reason],
        account: Arc<Account>,
    ) -> EntryId {
        let mut entries = lock(&self.entries);
        entries.push(Entry {
            scan_id,
            connection: connection.to_owned(),
            accept: accept.to_vec(),
            account,
            gaps: Vec::new(),
            notes: Vec::new(),
            rows: RowCounts::default(),
            began: Instant::now(),
            elapsed: None,
            is_wrong: false,
            as_of: None,
        });
        EntryId(entries.len() - 1)
    }

    /// Writes what is missing of rows that were read by an earlier statement and are read again.
    pub(crate) fn inherit(&self, scan_id: usize, of: &Completeness) {
        let said = |report: &&ConnectionReport| {
            !report.gaps.is_empty() || !report.notes.is_empty() || report.from_cache.is_some()
        };
        for report in of.connections.iter().filter(said) {
            let gaps = report.gaps.iter();
            let accept: Vec<Reason> =
                gaps.clone().filter(|gap| gap.is_accepted).map(|gap| gap.gap.reason).collect();
            let id = self.open(scan_id, &report.connection, &accept, Arc::default());
            self.close(id, gaps.map(|gap| gap.gap.clone()).collect(), report.notes.clone());
            self.end(id);
            if let Some(entry) = lock(&self.entries).get_mut(id.0) {
                entry.is_wrong = of.off == Some(Off::Wrong);
                entry.as_of = report.from_cache;
            }
        }
    }

    /// Writes that the rows of a run were read by an earlier statement.
    pub(crate) fn set_as_of(&self, id: EntryId, as_of: DateTime<Utc>) {
        if let Some(entry) = lock(&self.entries).get_mut(id.0) {
            entry.as_of = Some(as_of);
        }
    }

    /// Counts rows.
    pub(crate) fn add_rows(&self, id: EntryId, rows: RowCounts) {
        if let Some(entry) = lock(&self.entries).get_mut(id.0) {
            entry.rows.n_emitted += rows.n_emitted;
            entry.rows.n_new += rows.n_new;
            entry.rows.n_out += rows.n_out;
        }
    }

    /// Counts the sessions that end before they start, of rows that `reader` read. One reader sees a
    /// row once; several readers of a table may see the same rows.
    pub(crate) fn count_reversed(
        &self,
        table: &str,
        reader: usize,
        rows: &RecordBatch,
        time: &TimeColumns,
    ) {
        let column = |name| rows.column_by_name(name).and_then(AsArray::as_primitive_opt);
        let (Some(starts), Some(ends)) = (column(&time.start), column(&time.end)) else { return };
        let n = reversed(starts, ends);
        if n > 0 {
            *lock(&self.reversed).entry((table.to_owned(), reader)).or_default() += n;
        }
    }

    /// Writes that a run has ended, however it did.
    pub(crate) fn end(&self, id: EntryId) {
        if let Some(entry) = lock(&self.entries).get_mut(id.0) {
            entry.elapsed = Some(entry.began.elapsed());
        }
        self.ended.notify_waiters();
    }

    /// Returns the rows of a run so far, and how long it has taken.
    pub(crate) fn sums(&self, id: EntryId) -> (RowCounts, Duration) {
        let entries = lock(&self.entries);
        let sums = |entry: &Entry| (entry.rows, entry.elapsed.unwrap_or(entry.began.elapsed()));
        entries.get(id.0).map(sums).unwrap_or_default()
    }

    /// Waits until no scan runs any more. One whose consumer had enough may still have to say what
    /// its rows are worth; one that takes too long is told of in a note.
    pub(crate) async fn settle(&self) {
        let all_ended = async {
            loop {
                let ended = self.ended.notified();
                if lock(&self.entries).iter().all(|entry| entry.elapsed.is_some()) {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(SETTLE, all_ended).await.is_err() {
            let running = |entry: &&mut Entry| entry.elapsed.is_none();
            for entry in lock(&self.entries).iter_mut().filter(running) {
                let note = "the plugin did not end when it was told to, so what it had to say of its rows is missing";
                entry.notes.push(note.to_owned());
            }
        }
    }

    /// Returns how far the scans have come.
    pub(crate) fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for entry in lock(&self.entries).iter() {
            let usage = entry.account.usage();
            progress.n_requests += usage.requests + usage.token_requests;
            progress.n_pages += usage.answers;
            progress.n_rows += entry.rows.n_new;
            let waits_until = entry.account.waits_until();
            if entry.elapsed.is_none() && waits_until > progress.waits_until {
                progress.waits_until = waits_until;
                progress.waiting = Some(entry.connection.clone());
            }
        }
        progress
    }

    /// Returns what the scans did so far, in the order in which they began.
    pub(crate) fn runs(&self) -> Vec<ScanRun> {
        let run = |entry: &Entry| ScanRun {
            scan_id: entry.scan_id,
            connection: entry.connection.clone(),
            usage: entry.account.usage(),
            finished: entry.account.finished(),
            rows: entry.rows,
            elapsed: entry.elapsed.unwrap_or_else(|| entry.began.elapsed()),
        };
        lock(&self.entries).iter().map(run).collect()
    }

    /// Writes what a scan that came to its end did not cover, and what it has to say.
    pub fn close(&self, id: EntryId, gaps: Vec<Gap>, notes: Vec<String>) {
        if let Some(entry) = lock(&self.entries).get_mut(id.0) {
            entry.gaps = gaps;
            entry.notes = notes;
        }
    }

    /// Writes why a scan failed; the first failure decides the statement.
    pub fn fail(&self, id: EntryId, gap: Gap, error: Error) {
        if let Some(entry) = lock(&self.entries).get_mut(id.0) {
            entry.gaps = vec![gap];
        }
        lock(&self.failure).get_or_insert(error);
    }

    /// Takes the failure, if a scan failed.
    pub fn take_failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    /// Returns what was covered. `not_monotone` are the scans above which the plan may turn missing
    /// rows into wrong ones.
    pub fn report(&self, not_monotone: &HashSet<usize>) -> Completeness {
        let mut connections: Vec<ConnectionReport> = Vec::new();
        let mut off = None;
        for entry in lock(&self.entries).iter() {
            let idx = connections
                .iter()
                .position(|report| report.connection == entry.connection)
                .unwrap_or_else(|| {
                    let connection = entry.connection.clone();
                    connections
                        .push(ConnectionReport { connection, ..ConnectionReport::default() });
                    connections.len() - 1
                });
            let report = &mut connections[idx];
            report.n_rows += entry.rows.n_new;
            let usage = entry.account.usage();
            report.n_requests += usage.requests;
            report.n_retries += usage.retries;
            report.waited_ms += u64::try_from(usage.waited.as_millis()).unwrap_or(u64::MAX);
            report.from_cache = match (report.from_cache, entry.as_of) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            for gap in &entry.gaps {
                let is_accepted = entry.accept.contains(&gap.reason);
                if !is_accepted {
                    // A value that is cut may be shown, not only a row be missing.
                    let is_wrong = not_monotone.contains(&entry.scan_id)
                        || gap.reason == Reason::Clamped
                        || entry.is_wrong
                        || off == Some(Off::Wrong);
                    off = Some(if is_wrong { Off::Wrong } else { Off::Missing });
                }
                let known = KnownGap { gap: gap.clone(), is_accepted };
                if !report.gaps.contains(&known) {
                    report.gaps.push(known);
                }
            }
            for note in &entry.notes {
                if !report.notes.contains(note) {
                    report.notes.push(note.clone());
                }
            }
        }
        connections.sort_by(|a, b| a.connection.cmp(&b.connection));
        Completeness { connections, off, warnings: self.warnings() }
    }

    fn warnings(&self) -> Vec<String> {
        let mut most: BTreeMap<String, u64> = BTreeMap::new();
        for ((table, _), n) in lock(&self.reversed).iter() {
            let most = most.entry(table.clone()).or_default();
            *most = (*most).max(*n);
        }
        let warning = |(table, n)| match n {
            1 => format!("1 session of `{table}` ends before it starts: no instant lies in it"),
            n => {
                format!("{n} sessions of `{table}` end before they start: no instant lies in them")
            }
        };
        most.into_iter().map(warning).collect()
    }
}

/// Returns how many sessions end before they start.
fn reversed(
    starts: &PrimitiveArray<TimestampMicrosecondType>,
    ends: &PrimitiveArray<TimestampMicrosecondType>,
) -> u64 {
    let pairs = starts.iter().zip(ends);
    pairs
        .filter(|(start, end)| end.is_some_and(|end| start.is_some_and(|start| end < start)))
        .count() as u64
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

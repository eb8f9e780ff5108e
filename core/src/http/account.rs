//! Counts what a scan sends and carries what bounds it.
//! In: one `Scope` per scan, with cancellation, deadline and budget. Out: numbers and a list of
//! finished requests for EXPLAIN ANALYZE. Lines are redacted before they get here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::sensitive::Sensitive;

/// How many finished requests an account lists; the others are only counted.
const LISTED_REQUESTS: usize = 1000;

/// What one scan brings to each of its requests.
#[derive(Clone, Default)]
pub struct Scope {
    /// Stops new requests and aborts those in flight.
    pub cancel: CancellationToken,
    /// Where requests are counted.
    pub account: Arc<Account>,
    /// When the statement has to be done.
    pub deadline: Option<Instant>,
    /// How many requests the statement may send; shared by all its scans.
    pub budget: Option<Arc<RequestBudget>>,
    /// What the statement compares with sensitive columns; never shown.
    pub sensitive: Sensitive,
}

/// The data requests that a statement may send, retries included, token requests not.
#[derive(Debug)]
pub struct RequestBudget {
    limit: u64,
    spent: AtomicU64,
}

impl RequestBudget {
    /// Returns a budget of `limit` requests.
    pub fn new(limit: u64) -> Self {
        Self { limit, spent: AtomicU64::new(0) }
    }

    /// Returns the number of requests allowed.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns the number of requests sent so far.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Takes one request out of the budget; false if none is left.
    pub fn take(&self) -> bool {
        self.spent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |spent| {
                (spent < self.limit).then_some(spent + 1)
            })
            .is_ok()
    }
}

/// What the requests of one scan cost.
#[derive(Debug, Default)]
pub struct Account {
    requests: AtomicU64,
    token_requests: AtomicU64,
    retries: AtomicU64,
    answers: AtomicU64,
    waited_us: AtomicU64,
    /// Until when no request is sent, if one waits for its turn.
    waits_until: Mutex<Option<Instant>>,
    bytes: AtomicU64,
    finished: Mutex<Vec<FinishedRequest>>,
}

/// The numbers of an account at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Data requests sent, retries and followed redirects included.
    pub requests: u64,
    /// Token requests sent.
    pub token_requests: u64,
    /// Requests of both kinds that repeated a failed, throttled or unauthorized one.
    pub retries: u64,
    /// Answers handed to the plugin; for a paged scan, its pages.
    pub answers: u64,
    /// Time spent waiting for the limiter and between attempts, summed over parallel requests.
    pub waited: Duration,
    /// Bytes of data answers handed to the plugin, after decompression.
    pub bytes: u64,
}

impl Usage {
    /// Adds what other requests cost.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.token_requests += other.token_requests;
        self.retries += other.retries;
        self.answers += other.answers;
        self.waited += other.waited;
        self.bytes += other.bytes;
    }
}

/// One request that was sent and has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedRequest {
    /// Method, path and query, redacted.
    pub line: String,
    /// Whether it asked for a token.
    pub is_token_request: bool,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The status, if a head arrived.
    pub status: Option<u16>,
    /// Length of the body in bytes after decompression, if it was read to its end.
    pub body_bytes: Option<u64>,
    /// From sending to the body's end.
    pub elapsed: Duration,
}

impl Account {
    /// Returns the numbers so far.
    pub fn usage(&self) -> Usage {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Usage {
            requests: read(&self.requests),
            token_requests: read(&self.token_requests),
            retries: read(&self.retries),
            answers: read(&self.answers),
            waited: Duration::from_micros(read(&self.waited_us)),
            bytes: read(&self.bytes),
        }
    }

    /// Returns the finished requests in the order in which they ended, the first 1,000 of them.
    pub fn finished(&self) -> Vec<FinishedRequest> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts an answer handed to the plugin.
    pub(super) fn answered(&self, body_bytes: u64) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(body_bytes, Ordering::Relaxed);
    }

    /// Returns until when the scan waits for its next request, if it does.
    pub fn waits_until(&self) -> Option<Instant> {
        let until = *self.waits_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }

    /// Waits, and tells whoever looks on until when.
    pub(super) async fn sleep(&self, wait: Duration) {
        let until = Instant::now().checked_add(wait);
        *self.waits_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        tokio::time::sleep(wait).await;
    }

    /// Counts time spent waiting.
    pub(super) fn waited(&self, wait: Duration) {
        let wait_us = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        self.waited_us.fetch_add(wait_us, Ordering::Relaxed);
    }

    /// Counts a request that is about to be sent. It is listed when the flight is dropped, so one
    /// that is cancelled is listed too.
    pub(super) fn depart(
        &self,
        line: &str,
        is_token_request: bool,
        attempt: u32,
        is_retry: bool,
    ) -> Flight<'_> {
        let counter = if is_token_request { &self.token_requests } else { &self.requests };
        counter.fetch_add(1, Ordering::Relaxed);
        if is_retry {
            self.retries.fetch_add(1, Ordering::Relaxed);
        }
        let request = FinishedRequest {
            line: line.to_owned(),
            is_token_request,
            attempt,
            status: None,
            body_bytes: None,
            elapsed: Duration::ZERO,
        };
        Flight { account: self, request, departed: Instant::now() }
    }
}

/// One request in flight.
pub(super) struct Flight<'a> {
    account: &'a Account,
    request: FinishedRequest,
    departed: Instant,
}

impl Flight<'_> {
    /// Returns when the request was sent.
    pub(super) fn departed(&self) -> Instant {
        self.departed
    }

    /// Notes the status.
    pub(super) fn head_arrived(&mut self, status: u16) {
        self.request.status = Some(status);
    }

    /// Notes the length of the whole body.
    pub(super) fn body_arrived(&mut self, body_bytes: u64) {
        self.request.body_bytes = Some(body_bytes);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.request.elapsed = self.departed.elapsed();
        let mut finished = self.account.finished.lock().unwrap_or_else(PoisonError::into_inner);
        if finished.len() < LISTED_REQUESTS {
            finished.push(self.request.clone());
        }
    }
}

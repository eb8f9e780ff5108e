//! Keeps the requests of one connection within the provider's rate.
//! In: headers and throttled answers. Out: the moment at which a request may be sent.
//! It waits for nothing until a header or a 429 says that there is a limit, or the configuration
//! does. Shared by all scans of a connection, whose requests pass in the order of asking.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessionql_plugin_abi::message::Rate;
use tokio::time::Instant;

use super::account::Account;
use super::quota::Quota;

/// Longest wait for a reset that was only announced; then a request asks again.
const LONGEST_RESET: Duration = Duration::from_secs(60);
/// What each second of accepted requests adds to the pace after it was halved.
const PACE_PER_SECOND: f64 = 0.05;
const LEAST_PACE: f64 = 1.0 / 64.0;
const SLOWEST_PER_SECOND: f64 = 1.0 / 60.0;
/// Over which time the own rate is measured when a provider throttles without saying its limit.
const MEASURED: Duration = Duration::from_secs(10);
/// Nothing is measured over less than this.
const LEAST_MEASURED: Duration = Duration::from_secs(1);
const MEASURED_REQUESTS: usize = 256;

/// Spaces out the requests of one connection.
pub(super) struct Limiter {
    state: Mutex<State>,
    /// Held while waiting, so that requests pass in the order in which they came.
    turn: tokio::sync::Mutex<()>,
}

struct State {
    bucket: Option<Bucket>,
    source: Source,
    /// Requests left until a moment, from headers without a bucket.
    window: Option<(u64, Instant)>,
    /// No request before this, because the provider said so.
    closed_until: Option<Instant>,
    /// The part of the bucket's rate that is used, in (0, 1].
    pace: f64,
    pace_changed: Option<Instant>,
    in_flight: u64,
    sent: VecDeque<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Nothing is known; with a bucket, it was measured.
    None,
    Configured,
    Header,
    Published,
}

struct Bucket {
    burst: f64,
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

/// A wait that is not worth waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong {
    /// How long it would be.
    pub(super) wait: Duration,
    /// Whether the provider asked for it, rather than a rate.
    pub(super) is_asked: bool,
}

impl Limiter {
    /// Returns a limiter that keeps the configured rate, or waits to be told.
    pub(super) fn new(configured: Option<Rate>) -> Self {
        let bucket = configured.map(|rate| Bucket::new(rate, f64::from(rate.burst)));
        let source = if bucket.is_some() { Source::Configured } else { Source::None };
        let state = State {
            bucket,
            source,
            window: None,
            closed_until: None,
            pace: 1.0,
            pace_changed: None,
            in_flight: 0,
            sent: VecDeque::new(),
        };
        Self { state: Mutex::new(state), turn: tokio::sync::Mutex::new(()) }
    }

    /// Waits until a request may be sent; `account` is told until when.
    ///
    /// # Errors
    /// The wait, at once, if it reaches the deadline, or if the provider asked for more than
    /// `patience`.
    pub(super) async fn pass(
        &self,
        deadline: Option<Instant>,
        patience: Duration,
        account: &Account,
    ) -> Result<Pass<'_>, TooLong> {
        let _turn = self.turn.lock().await;
        loop {
            let now = Instant::now();
            let due = self.state().take(now);
            let Some(TooLong { wait, is_asked }) = due else {
                return Ok(Pass { limiter: self });
            };
            let is_late = deadline.is_some_and(|deadline| wait >= deadline - now);
            if is_late || (is_asked && wait > patience) {
                return Err(TooLong { wait, is_asked });
            }
            account.sleep(wait).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request in flight.
pub(super) struct Pass<'a> {
    limiter: &'a Limiter,
}

impl Pass<'_> {
    /// Learns from the head of an answer that was not throttled.
    pub(super) fn accepted(&self, quota: &Quota) {
        let mut state = self.limiter.state();
        state.learn(quota, Instant::now());
        state.recover(Instant::now());
    }

    /// Learns from a throttled answer to a request sent at `departed`; `published` is the rate of
    /// the manifest.
    pub(super) fn throttled(
        &self,
        quota: &Quota,
        asked: Option<Duration>,
        published: Option<Rate>,
        departed: Instant,
    ) {
        let now = Instant::now();
        let mut state = self.limiter.state();
        if let Some(until) = asked.and_then(|asked| now.checked_add(asked)) {
            state.closed_until = Some(state.closed_until.map_or(until, |known| known.max(until)));
        }
        if state.source == Source::Configured {
            return;
        }
        state.learn(quota, now);
        state.slow_down(published.filter(|rate| is_rate(*rate)), departed, now);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.in_flight = state.in_flight.saturating_sub(1);
    }
}

impl State {
    /// Takes the right to send a request, or returns how long to wait before asking again.
    fn take(&mut self, now: Instant) -> Option<TooLong> {
        if let Some(until) = self.closed_until {
            if until > now {
                return Some(TooLong { wait: until - now, is_asked: true });
            }
            self.closed_until = None;
        }
        if let Some((left, until)) = &mut self.window {
            if *until <= now {
                self.window = None;
            } else if *left == 0 {
                return Some(TooLong { wait: *until - now, is_asked: false });
            } else {
                *left -= 1;
            }
        }
        if let Some(bucket) = &mut self.bucket {
            bucket.fill(now, self.pace);
            if let Some(wait) = bucket.missing(self.pace) {
                return Some(TooLong { wait, is_asked: false });
            }
            bucket.tokens -= 1.0;
        }
        self.in_flight += 1;
        self.sent.push_back(now);
        if self.sent.len() > MEASURED_REQUESTS {
            self.sent.pop_front();
        }
        None
    }

    fn learn(&mut self, quota: &Quota, now: Instant) {
        if self.source == Source::Configured {
            return;
        }
        // What is in flight beside this request may have been counted by the server or not.
        let others = self.in_flight.saturating_sub(1);
        let free = quota.remaining.map(|remaining| remaining.saturating_sub(others));
        if let Some(rate) = quota.rate {
            let fresh = Bucket::new(rate, f64::from(rate.burst));
            let tokens = self.bucket.as_ref().map(|bucket| bucket.tokens.min(fresh.burst));
            self.bucket = Some(Bucket { tokens: tokens.unwrap_or(fresh.tokens), ..fresh });
            self.source = Source::Header;
            self.window = None;
        }
        match (&mut self.bucket, free) {
            (Some(bucket), Some(free)) if self.source == Source::Header => {
                // Keep the own fraction of a token if the whole number agrees.
                let free = f64_of(free).min(bucket.burst);
                if !(free..free + 1.0).contains(&bucket.tokens) {
                    bucket.tokens = free;
                }
            }
            (_, Some(free)) => {
                if let Some(reset) = quota.reset {
                    self.window = now.checked_add(reset.min(LONGEST_RESET)).map(|at| (free, at));
                }
            }
            _ => {}
        }
    }

    fn slow_down(&mut self, published: Option<Rate>, departed: Instant, now: Instant) {
        // Requests sent before the last slowing down say nothing about the pace since then.
        if self.pace_changed.is_some_and(|changed| changed > departed && self.pace < 1.0) {
            return;
        }
        let halve = self.bucket.is_some();
        if self.bucket.is_none() {
            self.bucket = Some(match published {
                Some(rate) => {
                    self.source = Source::Published;
                    Bucket::new(rate, 0.0)
                }
                None => Bucket::measured(&self.sent, now),
            });
        }
        if halve || self.source == Source::None {
            self.pace = (self.pace / 2.0).max(LEAST_PACE);
        }
        self.pace_changed = Some(now);
        if let Some(bucket) = &mut self.bucket {
            bucket.fill(now, self.pace);
            bucket.tokens = bucket.tokens.min(0.0);
        }
    }

    fn recover(&mut self, now: Instant) {
        let Some(changed) = self.pace_changed else { return };
        let elapsed = (now - changed).as_secs_f64();
        self.pace = (self.pace + PACE_PER_SECOND * elapsed.min(1.0)).min(1.0);
        self.pace_changed = Some(now);
        if self.pace >= 1.0 {
            self.pace_changed = None;
            if self.source == Source::None {
                // The rate was only measured; there may be no limit any more.
                self.bucket = None;
            }
        }
    }
}

impl Bucket {
    fn new(rate: Rate, tokens: f64) -> Self {
        let per_second = f64::from(rate.refill) * 1000.0 / f64_of(rate.per_ms);
        Self { burst: f64::from(rate.burst), per_second, tokens, filled: Instant::now() }
    }

    /// Returns a bucket with the rate of what was sent lately: over the time since the first of it,
    /// so that a single request does not look like a slow stream.
    fn measured(sent: &VecDeque<Instant>, now: Instant) -> Self {
        let ages = sent.iter().map(|at| now.duration_since(*at)).filter(|age| *age < MEASURED);
        let n_sent = ages.clone().count();
        let since = ages.max().unwrap_or_default().max(LEAST_MEASURED);
        let per_second = f64_of(n_sent.max(1) as u64) / since.as_secs_f64();
        Self { burst: 1.0, per_second, tokens: 0.0, filled: now }
    }

    fn fill(&mut self, now: Instant, pace: f64) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.used_rate(pace)).min(self.burst);
        self.filled = now;
    }

    /// Returns the tokens gained in a second. Slowing down never makes a request wait longer than
    /// a minute, if the full rate would not.
    fn used_rate(&self, pace: f64) -> f64 {
        (self.per_second * pace).max(self.per_second.min(SLOWEST_PER_SECOND))
    }

    /// Returns the wait for one token; none if it is there.
    fn missing(&self, pace: f64) -> Option<Duration> {
        /// Sums of fractions miss a whole token by this much.
        const ROUNDING: f64 = 1e-6;
        let missing = 1.0 - ROUNDING - self.tokens;
        (missing > 0.0).then(|| {
            let wait_s = (missing + ROUNDING) / self.used_rate(pace);
            Duration::try_from_secs_f64(wait_s)
                .unwrap_or(Duration::MAX)
                .max(Duration::from_millis(1))
        })
    }
}

/// Tells whether a rate lets requests pass at all.
pub(super) fn is_rate(rate: Rate) -> bool {
    rate.burst > 0 && rate.refill > 0 && rate.per_ms > 0
}

#[expect(clippy::cast_precision_loss, reason = "limits are far below 2^52")]
fn f64_of(number: u64) -> f64 {
    number as f64
}

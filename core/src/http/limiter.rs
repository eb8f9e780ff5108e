//! Keeps the requests of one connection within the provider's rate.
//! In: headers and throttled answers. Out: the moment at which a request may be sent.
//! It waits for nothing until a header or a 429 says that there is a limit, or the configuration
//! does. Shared by all scans of a connection, whose requests pass in the order of asking.

mod bucket;
mod pace;
mod window;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessionql_plugin_abi::message::Rate;
use tokio::time::Instant;

use self::bucket::{Bucket, per_second};
use self::pace::Pace;
use self::window::Window;
use super::account::Account;
use super::quota::Quota;
use super::state::RateLeft;

/// Over which time at least, and which at most, the rate of accepted requests is measured when a
/// provider throttles without saying its limit.
const LEAST_MEASURED: Duration = Duration::from_secs(1);
const MOST_MEASURED: Duration = Duration::from_secs(60);
/// Of more than this many requests only those of the last seconds count.
const MEASURED_REQUESTS: usize = 16;
const MEASURED: Duration = Duration::from_secs(3);
/// No more requests than this are remembered; so many in those seconds are as good as no limit.
const MOST_REQUESTS: usize = 1_500;

/// Spaces out the requests of one connection.
pub(super) struct Limiter {
    state: Mutex<State>,
    /// Held while waiting, so that requests pass in the order in which they came.
    turn: tokio::sync::Mutex<()>,
}

struct State {
    source: Source,
    /// There if a rate is known, felt for, or configured.
    rate: Option<(Bucket, Pace)>,
    /// What headers without a rate told.
    window: Option<Window>,
    /// No request before this, because the provider said so.
    closed_until: Option<Instant>,
    in_flight: u64,
    n_ended: u64,
    /// When requests were accepted lately.
    accepted: VecDeque<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Nobody told a rate.
    None,
    Configured,
    Header,
    Published,
}

/// The requests that a server may have counted before or after the one whose answer is read.
#[derive(Debug, Clone, Copy)]
struct Overlap {
    n_requests: u64,
    /// For how long the request was under way.
    elapsed: Duration,
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
        let now = Instant::now();
        let state = State {
            source: configured.map_or(Source::None, |_| Source::Configured),
            rate: configured.map(|rate| {
                let bucket = Bucket::new(rate.burst, f64::from(rate.burst), now);
                (bucket, Pace::told(per_second(rate), now))
            }),
            window: None,
            closed_until: None,
            in_flight: 0,
            n_ended: 0,
            accepted: VecDeque::new(),
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
            let TooLong { wait, is_asked } = {
                let mut state = self.state();
                match state.take(now) {
                    Ok(()) => {
                        let n_ended = state.n_ended;
                        return Ok(Pass { limiter: self, departed: now, n_ended });
                    }
                    Err(wait) => wait,
                }
            };
            let is_late = deadline.is_some_and(|deadline| wait >= deadline - now);
            if is_late || (is_asked && wait > patience) {
                return Err(TooLong { wait, is_asked });
            }
            account.sleep(wait).await;
        }
    }

    /// Returns what the rate allows now, if anything is known of one.
    pub(super) fn left(&self, now: Instant) -> Option<RateLeft> {
        let mut state = self.state();
        if let Some(until) = state.closed_until.filter(|until| *until > now) {
            return Some(RateLeft { requests: 0, more_in: Some(until - now) });
        }
        if let Some(left) = state.window.as_ref().and_then(|window| window.left(now)) {
            return Some(left);
        }
        let (bucket, pace) = state.rate.as_mut()?;
        bucket.fill(now, pace.per_second());
        let more_in = bucket.wait(pace.per_second());
        Some(RateLeft { requests: bucket.whole_tokens(), more_in })
    }

    /// Returns how long so many requests take at the rate that is known, or else at the published one.
    pub(super) fn time_for(&self, n: u64, published: Option<Rate>, now: Instant) -> Duration {
        let mut state = self.state();
        let closed = state.closed_until.map_or(Duration::ZERO, |until| until.duration_since(now));
        let waiting = match (&mut state.rate, published.filter(|rate| is_rate(*rate))) {
            (Some((bucket, pace)), _) => {
                bucket.fill(now, pace.per_second());
                bucket.time_for(n, pace.per_second())
            }
            (None, Some(rate)) => {
                let bucket = Bucket::new(rate.burst, f64::from(rate.burst), now);
                bucket.time_for(n, per_second(rate))
            }
            (None, None) => Duration::ZERO,
        };
        closed.saturating_add(waiting)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one request in flight.
pub(super) struct Pass<'a> {
    limiter: &'a Limiter,
    departed: Instant,
    /// How many requests had ended by then.
    n_ended: u64,
}

impl Pass<'_> {
    /// Learns from the head of an answer that was not throttled.
    pub(super) fn accepted(&self, quota: &Quota) {
        let now = Instant::now();
        let mut state = self.limiter.state();
        let overlap = self.overlap(&state, now);
        state.learn(quota, overlap, now);
        state.accept(now);
    }

    /// Learns from a throttled answer; `published` is the rate of the manifest.
    pub(super) fn throttled(
        &self,
        quota: &Quota,
        asked: Option<Duration>,
        published: Option<Rate>,
    ) {
        let now = Instant::now();
        let mut state = self.limiter.state();
        if let Some(until) = asked.and_then(|asked| now.checked_add(asked)) {
            state.closed_until = Some(state.closed_until.map_or(until, |known| known.max(until)));
        }
        let overlap = self.overlap(&state, now);
        state.learn(quota, overlap, now);
        state.slow_down(published.filter(|rate| is_rate(*rate)), self.departed, now);
    }

    fn overlap(&self, state: &State, now: Instant) -> Overlap {
        let n_others = state.in_flight.saturating_sub(1);
        let n_ended_since = state.n_ended - self.n_ended;
        Overlap { n_requests: n_others + n_ended_since, elapsed: now - self.departed }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.n_ended += 1;
    }
}

impl State {
    /// Takes the right to send a request, or returns how long to wait before asking again.
    fn take(&mut self, now: Instant) -> Result<(), TooLong> {
        let by_rate = |wait| TooLong { wait, is_asked: false };
        if let Some(until) = self.closed_until {
            if until > now {
                return Err(TooLong { wait: until - now, is_asked: true });
            }
            self.closed_until = None;
        }
        if let Some((bucket, pace)) = &mut self.rate {
            bucket.fill(now, pace.per_second());
            if let Some(wait) = bucket.wait(pace.per_second()) {
                return Err(by_rate(wait));
            }
        }
        if let Some(window) = &mut self.window {
            window.take(now, self.in_flight).map_err(by_rate)?;
        }
        if let Some((bucket, _)) = &mut self.rate {
            bucket.take();
        }
        self.in_flight += 1;
        Ok(())
    }

    /// Follows the headers of an answer.
    fn learn(&mut self, quota: &Quota, overlap: Overlap, now: Instant) {
        if self.source == Source::Configured {
            return;
        }
        let Some(told) = quota.rate else {
            if self.source != Source::Header {
                self.window = Window::learn(self.window.take(), quota, overlap, now);
            }
            return;
        };
        self.window = None;
        match &mut self.rate {
            Some((bucket, pace)) if self.source == Source::Header => {
                bucket.fill(now, pace.per_second());
                bucket.resize(told.burst);
                pace.tell(per_second(told), now);
                if let Some(remaining) = quota.remaining {
                    bucket.agree(remaining, overlap, told);
                }
            }
            rate => {
                let remaining = quota.remaining.unwrap_or(u64::from(told.burst));
                let tokens = f64_of(remaining.min(u64::from(told.burst)));
                let bucket = Bucket::new(told.burst, tokens - f64_of(overlap.n_requests), now);
                *rate = Some((bucket, Pace::told(per_second(told), now)));
            }
        }
        self.source = Source::Header;
    }

    fn slow_down(&mut self, published: Option<Rate>, departed: Instant, now: Instant) {
        if self.source == Source::Configured {
            return;
        }
        let accepted = self.accepted_per_second(now);
        match (&mut self.rate, published) {
            (Some((_, pace)), _) => pace.slow_down(departed, accepted, now),
            (rate, Some(published)) => {
                self.source = Source::Published;
                let pace = Pace::told(per_second(published), now);
                *rate = Some((Bucket::new(published.burst, 0.0, now), pace));
            }
            (rate, None) => {
                *rate = Some((Bucket::new(1, 0.0, now), Pace::guessed(accepted, now)));
            }
        }
        if let Some((bucket, pace)) = &mut self.rate {
            bucket.fill(now, pace.per_second());
            bucket.refuse();
        }
    }

    /// Counts an accepted request, and recovers from having been slowed down.
    fn accept(&mut self, now: Instant) {
        self.accepted.push_back(now);
        let is_old = |accepted: &VecDeque<Instant>| {
            accepted.front().is_some_and(|first| {
                let age = now - *first;
                age > MOST_MEASURED || (age > MEASURED && accepted.len() > MEASURED_REQUESTS)
            })
        };
        while is_old(&self.accepted) || self.accepted.len() > MOST_REQUESTS {
            self.accepted.pop_front();
        }
        if let Some((_, pace)) = &mut self.rate
            && self.source != Source::Configured
            && !pace.speed_up(now)
        {
            self.rate = None;
        }
    }

    /// Returns how many requests were accepted in a second, lately; at least one a minute.
    fn accepted_per_second(&self, now: Instant) -> f64 {
        let lately = self.accepted.iter().filter(|at| now - **at <= MOST_MEASURED);
        let since = lately.clone().next().map_or(LEAST_MEASURED, |first| now - *first);
        f64_of(lately.count().max(1) as u64) / since.max(LEAST_MEASURED).as_secs_f64()
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

//! The provider's token bucket as this side sees it: every request sent has taken a token.

use std::time::Duration;

use sessionql_plugin_abi::message::Rate;
use tokio::time::Instant;

use super::{Overlap, f64_of};

/// How many requests may be sent at once, and how soon the next.
pub(super) struct Bucket {
    burst: f64,
    /// Below zero if more was sent than the provider has tokens for.
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// Returns a bucket of a size with some tokens in it.
    pub(super) fn new(burst: u32, tokens: f64, now: Instant) -> Self {
        Self { burst: f64::from(burst), tokens, filled: now }
    }

    /// Adds what has come in since the last time, at `per_second`.
    pub(super) fn fill(&mut self, now: Instant, per_second: f64) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * per_second).min(self.burst);
        self.filled = now;
    }

    /// Returns how long until a filled bucket has a token, if it has none.
    pub(super) fn wait(&self, per_second: f64) -> Option<Duration> {
        /// Sums of fractions miss a whole token by this much.
        const ROUNDING: f64 = 1e-6;
        let missing = 1.0 - ROUNDING - self.tokens;
        (missing > 0.0).then(|| {
            let wait = Duration::try_from_secs_f64((missing + ROUNDING) / per_second);
            wait.unwrap_or(Duration::MAX).max(Duration::from_millis(1))
        })
    }

    /// Returns how many requests may be sent at once.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "tokens are between 0 and the burst"
    )]
    pub(super) fn whole_tokens(&self) -> u64 {
        self.tokens.max(0.0) as u64
    }

    /// Returns how long a filled bucket takes to let so many requests pass.
    pub(super) fn time_for(&self, n: u64, per_second: f64) -> Duration {
        let waiting = (f64_of(n) - self.tokens.max(0.0)).max(0.0) / per_second;
        Duration::try_from_secs_f64(waiting).unwrap_or(Duration::MAX)
    }

    /// Takes a token.
    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// Agrees with the number of tokens that an answer told, which was true at some time while its
    /// request was under way. The own number stays if both can be right; so neither the order in
    /// which answers come nor the time that they take makes it drift.
    pub(super) fn agree(&mut self, remaining: u64, overlap: Overlap, rate: Rate) {
        let told = f64_of(remaining).min(self.burst);
        let least = told - f64_of(overlap.n_requests);
        // A number told is a whole one, and grew since.
        let most = told + 1.0 + overlap.elapsed.as_secs_f64() * per_second(rate);
        self.tokens = self.tokens.clamp(least, most).min(self.burst);
    }

    /// Gives back the token of a request that was throttled, and takes what there seemed to be.
    pub(super) fn refuse(&mut self) {
        self.tokens = (self.tokens + 1.0).min(0.0);
    }

    /// Follows a provider that told another size.
    pub(super) fn resize(&mut self, burst: u32) {
        self.burst = f64::from(burst);
        self.tokens = self.tokens.min(self.burst);
    }
}

/// Returns the tokens that come in each second.
pub(super) fn per_second(rate: Rate) -> f64 {
    f64::from(rate.refill) * 1000.0 / f64_of(rate.per_ms)
}

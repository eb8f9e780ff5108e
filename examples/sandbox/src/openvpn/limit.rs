//! The token bucket that limits the requests of one API key.
//! In: the limit in force and the time of a request. Out: whether it is let through, and the headers that tell of it.
//! Called by `serve.rs` after authentication. It reads no clock of its own.

use chrono::{DateTime, TimeDelta, Utc};

use super::switches::RateLimit;
use crate::message::Answer;

/// How full the bucket is.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// What is left, and when it was last refilled; nothing before the first request.
    level: Option<(u32, DateTime<Utc>)>,
}

impl Bucket {
    /// Takes one request out of the bucket. Returns how many are left, or nothing if it was empty.
    pub(super) fn take(&mut self, limit: &RateLimit, now: DateTime<Utc>) -> Option<u32> {
        let (left, filled_at) = self.level.unwrap_or((limit.burst, now));
        let every_ms = limit.every.num_milliseconds().max(1);
        let n_refills = ((now - filled_at).num_milliseconds() / every_ms).max(0);
        let refilled = n_refills.saturating_mul(limit.replenish.into());
        let available = u32::try_from(refilled).unwrap_or(u32::MAX).saturating_add(left);
        let available = available.min(limit.burst);
        // A full bucket does not save up time for later.
        let filled_at = if available == limit.burst {
            now
        } else {
            filled_at + TimeDelta::milliseconds(n_refills * every_ms)
        };
        self.level = Some((available.saturating_sub(1), filled_at));
        available.checked_sub(1)
    }

    /// Fills the bucket.
    pub(super) fn refill(&mut self) {
        self.level = None;
    }
}

/// Adds the headers that tell of a limit, if it has any.
pub(super) fn add_headers(answer: Answer, limit: &RateLimit, n_left: u32) -> Answer {
    if !limit.with_headers {
        return answer;
    }
    answer
        .with_header("x-ratelimit-burst-capacity", &limit.burst.to_string())
        .with_header("x-ratelimit-replenish-rate", &limit.replenish.to_string())
        .with_header("x-ratelimit-replenish-time", &limit.every.num_seconds().to_string())
        .with_header("X-RateLimit-Remaining", &n_left.to_string())
}

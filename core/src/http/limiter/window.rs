//! A provider's window: so many requests until a moment, then as many again.

use std::time::Duration;

use tokio::time::Instant;

use super::Overlap;
use crate::http::quota::Quota;
use crate::http::state::RateLeft;

/// Longest wait for a reset that was only announced; then a request asks again.
const LONGEST_RESET: Duration = Duration::from_secs(60);
/// Resets are told in whole seconds: within this they are the same one.
const SAME_RESET: Duration = Duration::from_millis(1500);
/// How soon to ask again whether an answer told of the new window.
const UNTOLD: Duration = Duration::from_millis(50);

/// What is left of a window.
pub(super) struct Window {
    left: u64,
    /// Not known between the end of one window and the first answer of the next.
    until: Option<Instant>,
    /// Requests of a whole window, as far as it showed.
    capacity: u64,
}

impl Window {
    /// Takes the right to one request, or returns how long to wait before asking again.
    pub(super) fn take(&mut self, now: Instant, in_flight: u64) -> Result<(), Duration> {
        if self.until.is_some_and(|until| until <= now) {
            (self.left, self.until) = (self.capacity, None);
        }
        if self.left == 0 {
            match self.until {
                Some(until) => return Err(until - now),
                None if in_flight > 0 => return Err(UNTOLD),
                // Nobody will tell.
                None => self.left = 1,
            }
        }
        self.left -= 1;
        Ok(())
    }

    /// Returns what is left, if it is known until when.
    pub(super) fn left(&self, now: Instant) -> Option<RateLeft> {
        let until = self.until.filter(|until| *until > now)?;
        Some(RateLeft { requests: self.left, more_in: Some(until - now) })
    }

    /// Learns from an answer what is left, and until when.
    pub(super) fn learn(
        known: Option<Self>,
        quota: &Quota,
        overlap: Overlap,
        now: Instant,
    ) -> Option<Self> {
        let Some((remaining, reset)) = quota.remaining.zip(quota.reset) else { return known };
        let Some(until) = now.checked_add(reset.min(LONGEST_RESET)) else { return known };
        let least = remaining.saturating_sub(overlap.n_requests);
        let Some(known) = known else {
            let capacity = quota.limit.unwrap_or(remaining + 1);
            return Some(Self { left: least, until: Some(until), capacity });
        };
        let capacity = quota.limit.unwrap_or(known.capacity.max(remaining + 1));
        let (left, until) = match known.until {
            // An answer that was long under way tells of a window that is over.
            Some(later) if later > until + SAME_RESET => return Some(known),
            Some(earlier) if earlier + SAME_RESET < until => (least, until),
            Some(same) => (known.left.clamp(least, remaining), same.max(until)),
            None => (known.left.clamp(least, remaining), until),
        };
        Some(Self { left, until: Some(until), capacity })
    }
}

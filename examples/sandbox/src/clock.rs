//! The emulators' idea of "now".
//! In: an instant to stand at, or the system's clock, and how far to advance it. Out: instants in UTC.
//! Every horizon, default date, token lifetime and rate limit asks a `Clock`; clones share one time.
//! It must be the only place of this crate that reads the system's clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// A clock that stands still until it is advanced, or runs with the system's.
#[derive(Clone, Debug)]
pub struct Clock {
    stands_at: Option<DateTime<Utc>>,
    ahead_us: Arc<AtomicI64>,
}

impl Clock {
    /// Returns a clock that shows `instant` until it is advanced.
    pub fn fixed(instant: DateTime<Utc>) -> Self {
        Self { stands_at: Some(instant), ahead_us: Arc::default() }
    }

    /// Returns a clock that runs with the system's.
    pub fn system() -> Self {
        Self { stands_at: None, ahead_us: Arc::default() }
    }

    /// Returns the instant that this clock and all its clones show.
    pub fn now(&self) -> DateTime<Utc> {
        let ahead = TimeDelta::microseconds(self.ahead_us.load(Ordering::SeqCst));
        self.stands_at.unwrap_or_else(Utc::now) + ahead
    }

    /// Moves this clock and all its clones by `duration`; a negative one moves them back.
    pub fn advance(&self, duration: TimeDelta) {
        let by_us = duration.num_microseconds().unwrap_or(0);
        self.ahead_us.fetch_add(by_us, Ordering::SeqCst);
    }
}

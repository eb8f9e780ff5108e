//! How far a server's clock is from this machine's.
//! In: the headers of answers. Out: seconds. What queries mean does not depend on it: a clock that is
//! wrong is told to people.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use reqwest::header::HeaderMap;

use super::header;

/// What the last answer with a date told.
#[derive(Debug)]
pub(super) struct ServerClock {
    ahead_s: AtomicI64,
}

/// No answer told anything.
const UNKNOWN: i64 = i64::MIN;

impl Default for ServerClock {
    fn default() -> Self {
        Self { ahead_s: AtomicI64::new(UNKNOWN) }
    }
}

impl ServerClock {
    /// Takes the date of an answer that has just come.
    pub(super) fn note(&self, headers: &HeaderMap) {
        let date = header::text(headers, "date");
        if let Some(theirs) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            self.ahead_s.store(ahead_s(theirs, SystemTime::now()), Ordering::Relaxed);
        }
    }

    /// Returns by how many seconds the server is ahead.
    pub(super) fn ahead_s(&self) -> Option<i64> {
        Some(self.ahead_s.load(Ordering::Relaxed)).filter(|ahead_s| *ahead_s != UNKNOWN)
    }
}

/// Returns by how many whole seconds one time is ahead of another.
fn ahead_s(theirs: SystemTime, ours: SystemTime) -> i64 {
    let whole =
        |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match theirs.duration_since(ours) {
        Ok(ahead) => whole(ahead),
        Err(behind) => -whole(behind.duration()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_date_counts() {
        let clock = ServerClock::default();
        assert_eq!(clock.ahead_s(), None);
        let mut headers = HeaderMap::new();
        clock.note(&headers);
        assert_eq!(clock.ahead_s(), None, "an answer without a date");
        headers.insert("date", "Tue, 15 Nov 1994 08:12:31 GMT".parse().unwrap());
        clock.note(&headers);
        assert!(clock.ahead_s().is_some_and(|ahead_s| ahead_s < -900_000_000));
    }

    #[test]
    fn ahead_and_behind() {
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        assert_eq!(ahead_s(ours + Duration::from_secs(90), ours), 90);
        assert_eq!(ahead_s(ours - Duration::from_millis(1_900), ours), -1);
    }
}

//! Local times without an offset, for providers that write or take them.
//! In: the name of a time zone. Out: instants for local times, and local times for instants.
//! A local time that the clocks showed twice, or skipped, names no one instant; both ways say so.

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::time::{DAY_US, SECOND_US, Timestamp};

/// How far around an instant a local time is looked for that the clocks showed once: no zone ever
/// turned its clocks back by more.
const LONGEST_FOLD_US: i64 = 2 * DAY_US;

/// A time zone by its name in the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// An instant that was read from a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalInstant {
    /// The instant; of two the earlier one, of none the one that a clock not yet turned would show.
    pub instant: Timestamp,
    /// Whether the clocks showed the local time just once.
    pub is_certain: bool,
}

/// A whole second that local time names without doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSecond {
    /// Its begin.
    pub instant: Timestamp,
    /// Its local time: `2021-04-01T12:00:00`.
    pub text: String,
}

impl Zone {
    /// Returns the zone of a name.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok().map(Self)
    }

    /// Reads a local time without offset: `2021-04-01T12:00:00`, with or without a fraction.
    pub fn read(self, text: &str) -> Option<LocalInstant> {
        let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
        let instant = |at: DateTime<Tz>| Timestamp(at.timestamp_micros());
        Some(match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) => LocalInstant { instant: instant(at), is_certain: true },
            MappedLocalTime::Ambiguous(at, _) => {
                LocalInstant { instant: instant(at), is_certain: false }
            }
            MappedLocalTime::None => {
                // No clocks were ever put forward by more than a day.
                let day = TimeDelta::days(1);
                let before =
                    self.0.from_local_datetime(&local.checked_sub_signed(day)?).earliest()?;
                LocalInstant { instant: instant(before) + DAY_US, is_certain: false }
            }
        })
    }

    /// Returns the latest whole second at or before an instant such that it and the next one have
    /// local times that the clocks showed once. `None` if it cannot be written with four-digit years.
    pub fn second_before(self, instant: Timestamp) -> Option<LocalSecond> {
        let first = instant.0.div_euclid(SECOND_US);
        (0..LONGEST_FOLD_US / SECOND_US).find_map(|n| self.certain(first.checked_sub(n)?))
    }

    /// Returns the earliest such second at or after an instant.
    pub fn second_after(self, instant: Timestamp) -> Option<LocalSecond> {
        let first = (instant + (SECOND_US - 1)).0.div_euclid(SECOND_US);
        (0..LONGEST_FOLD_US / SECOND_US).find_map(|n| self.certain(first.checked_add(n)?))
    }

    /// Returns the second after one that this zone gave.
    pub fn next(self, second: &LocalSecond) -> Option<LocalSecond> {
        self.local((second.instant + SECOND_US).0.div_euclid(SECOND_US))
    }

    fn certain(self, second: i64) -> Option<LocalSecond> {
        self.local(second.checked_add(1)?)?;
        self.local(second)
    }

    /// Returns a second, by its number since 1970, if its local time was shown once.
    fn local(self, second: i64) -> Option<LocalSecond> {
        let instant = Timestamp(second.checked_mul(SECOND_US)?);
        if !(Timestamp::MIN + DAY_US..=Timestamp::MAX - DAY_US).contains(&instant) {
            return None;
        }
        let utc: DateTime<Utc> = DateTime::from_timestamp(second, 0)?;
        let local = utc.with_timezone(&self.0).naive_local();
        let is_once = matches!(self.0.from_local_datetime(&local), MappedLocalTime::Single(_));
        is_once
            .then(|| LocalSecond { instant, text: local.format("%Y-%m-%dT%H:%M:%S").to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Zone {
        Zone::named("Europe/Berlin").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn local_times_are_read_in_their_zone() {
        let read = |text| berlin().read(text);
        let certain = |text| Some(LocalInstant { instant: at(text), is_certain: true });
        assert_eq!(read("2026-01-15T12:00:00"), certain("2026-01-15T11:00:00Z"));
        assert_eq!(read("2026-07-15T12:00:00.25"), certain("2026-07-15T10:00:00.250Z"));
        for text in ["2026-07-15", "2026-07-15T12:00:00Z", "2026-02-30T12:00:00", ""] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(Zone::named("Europe/Atlantis"), None);
    }

    #[test]
    fn local_times_shown_twice_or_never_are_uncertain() {
        let twice = berlin().read("2026-10-25T02:30:00").unwrap();
        assert_eq!((twice.instant, twice.is_certain), (at("2026-10-25T00:30:00Z"), false));
        let never = berlin().read("2026-03-29T02:30:00").unwrap();
        assert_eq!((never.instant, never.is_certain), (at("2026-03-29T01:30:00Z"), false));
    }

    #[test]
    fn seconds_are_rounded_outward() {
        let before = berlin().second_before(at("2026-07-15T10:00:00.999999Z")).unwrap();
        assert_eq!(before.text, "2026-07-15T12:00:00");
        let after = berlin().second_after(at("2026-07-15T10:00:00.000001Z")).unwrap();
        assert_eq!(after.text, "2026-07-15T12:00:01");
        assert_eq!(berlin().next(&after).unwrap().text, "2026-07-15T12:00:02");
    }

    #[test]
    fn seconds_that_were_shown_twice_are_avoided() {
        for text in ["2026-10-25T00:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:59:59Z"] {
            let before = berlin().second_before(at(text)).unwrap();
            assert_eq!(before.instant, at("2026-10-24T23:59:58Z"), "{text}");
            assert_eq!(before.text, "2026-10-25T01:59:58");
            let after = berlin().second_after(at(text)).unwrap();
            assert_eq!(after.text, "2026-10-25T03:00:00", "{text}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_no_second() {
        assert_eq!(berlin().second_before(Timestamp(i64::MIN)), None);
        assert_eq!(berlin().second_after(Timestamp(i64::MAX)), None);
    }
}

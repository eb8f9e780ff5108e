//! Instants as they cross the wall, and their arithmetic.
//! Durations are microseconds in an `i64`, instants are [`Timestamp`]s.

use std::ops::{Add, Sub};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds in a day.
pub const DAY_US: i64 = 24 * 60 * MINUTE_US;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The last instant whose year has four digits; RFC 3339 ends there.
    pub const MAX: Self = Self(253_402_300_799_999_999);
    /// The first instant whose year has four digits.
    pub const MIN: Self = Self(-62_167_219_200_000_000);

    /// Reads an RFC 3339 instant with any offset. Digits below microseconds are cut off.
    /// Source: RFC 3339, section 5.6.
    pub fn parse(text: &str) -> Option<Self> {
        parse_utc(text.as_bytes()).or_else(|| {
            let instant = DateTime::parse_from_rfc3339(text).ok()?;
            Some(Self(instant.timestamp_micros()))
        })
    }

    /// Reads the date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`.
    /// Source: RFC 9110, section 5.6.7; the obsolete forms are not read.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc2822(text.trim()).ok()?;
        Some(Self(instant.timestamp_micros()))
    }

    /// Returns the instant rounded down to whole milliseconds.
    #[must_use]
    pub fn floor_ms(self) -> Self {
        Self(self.0.div_euclid(1000).saturating_mul(1000))
    }

    /// Returns the instant rounded up to whole milliseconds.
    #[must_use]
    pub fn ceil_ms(self) -> Self {
        Self((self + 999).0.div_euclid(1000).saturating_mul(1000))
    }

    /// Returns RFC 3339 in UTC with as many of six fraction digits as are needed.
    pub fn to_rfc3339(self) -> String {
        let instant = self.to_chrono();
        let nanos = instant.timestamp_subsec_nanos();
        let format = match (nanos, nanos % 1_000_000) {
            (0, _) => SecondsFormat::Secs,
            (_, 0) => SecondsFormat::Millis,
            _ => SecondsFormat::Micros,
        };
        instant.to_rfc3339_opts(format, true)
    }

    /// Returns RFC 3339 in UTC in whole seconds, rounded up: `2022-10-25T00:00:00Z`. For people.
    pub fn to_rfc3339_s(self) -> String {
        let second = (self + (SECOND_US - 1)).0.div_euclid(SECOND_US);
        Self(second.saturating_mul(SECOND_US)).to_rfc3339()
    }

    /// Returns RFC 3339 in UTC with three fraction digits, rest cut off: `2022-10-25T00:00:00.000Z`.
    pub fn to_rfc3339_ms(self) -> String {
        self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Instants beyond four-digit years become the nearest that can be written.
    fn to_chrono(self) -> DateTime<Utc> {
        let us = self.clamp(Self::MIN, Self::MAX).0;
        DateTime::from_timestamp_micros(us).unwrap_or_default()
    }
}

/// Adds microseconds; stops at the ends of what can be counted.
impl Add<i64> for Timestamp {
    type Output = Self;

    fn add(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }
}

/// Subtracts microseconds; stops at the ends of what can be counted.
impl Sub<i64> for Timestamp {
    type Output = Self;

    fn sub(self, us: i64) -> Self {
        Self(self.0.saturating_sub(us))
    }
}

/// Reads the common form `YYYY-MM-DDTHH:MM:SS[.f…]Z` quickly; any other is left to chrono.
fn parse_utc(text: &[u8]) -> Option<Timestamp> {
    let (
        &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2],
        rest,
    ) = text.split_first_chunk::<19>()?
    else {
        return None;
    };
    let year = digits(&[y1, y2, y3, y4])?;
    let date = NaiveDate::from_ymd_opt(year.cast_signed(), digits(&[m1, m2])?, digits(&[d1, d2])?)?;
    let time = date.and_hms_opt(digits(&[h1, h2])?, digits(&[n1, n2])?, digits(&[s1, s2])?)?;
    let fraction = match rest.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', fraction @ ..] if !fraction.is_empty() => {
            let us = &fraction[..fraction.len().min(6)];
            digits(&fraction[us.len()..])?;
            digits(us)? * 10_u32.pow(6 - u32::try_from(us.len()).ok()?)
        }
        _ => return None,
    };
    Some(Timestamp(time.and_utc().timestamp() * SECOND_US + i64::from(fraction)))
}

/// Returns the number that up to nine digits write.
fn digits(text: &[u8]) -> Option<u32> {
    if text.len() > 9 {
        return None;
    }
    text.iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_any_offset_and_fraction() {
        let noon = Timestamp(1_689_940_800_000_000);
        for (text, expected) in [
            ("2023-07-21T12:00:00Z", Some(noon)),
            ("2023-07-21T14:00:00+02:00", Some(noon)),
            ("2023-07-21t12:00:00z", Some(noon)),
            ("2023-07-21T12:00:00.94Z", Some(noon + 940_000)),
            ("2023-07-21T12:00:00.123456789Z", Some(noon + 123_456)),
            ("2023-07-21T11:59:59.9-00:01", Some(noon + 59_900_000)),
            ("2023-07-21T12:00:00", None),
            ("2023-07-21T12:00:00.Z", None),
            ("2023-02-30T12:00:00Z", None),
            ("2023-07-21 noon", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_of_headers_are_read() {
        let date = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date, Timestamp::parse("1994-11-06T08:49:37Z"));
        assert_eq!(Timestamp::parse_http_date("1994-11-06T08:49:37Z"), None);
        assert_eq!(Timestamp::parse_http_date("Sunday"), None);
    }

    #[test]
    fn instants_are_written_with_the_digits_they_need() {
        for text in
            ["2023-07-21T12:00:00Z", "2023-07-21T12:00:00.940Z", "1969-12-31T23:59:59.000001Z"]
        {
            assert_eq!(Timestamp::parse(text).unwrap().to_rfc3339(), text);
        }
        assert_eq!(Timestamp(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(i64::MIN).to_rfc3339_ms(), "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn milliseconds_are_rounded_outward() {
        assert_eq!(Timestamp(-1).floor_ms(), Timestamp(-1000));
        assert_eq!(Timestamp(1).ceil_ms(), Timestamp(1000));
        assert_eq!(Timestamp(1000).ceil_ms(), Timestamp(1000));
        assert_eq!(Timestamp(1999).floor_ms(), Timestamp(1000));
        assert_eq!(Timestamp(1).to_rfc3339_s(), "1970-01-01T00:00:01Z");
        assert_eq!(Timestamp(-1).to_rfc3339_s(), "1970-01-01T00:00:00Z");
    }
}

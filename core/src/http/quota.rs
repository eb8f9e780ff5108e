//! Reads what an answer says about the provider's rate limit and about waiting.
//! In: headers. Out: a `Quota` for the limiter, a duration for the retry. Never fails: what cannot
//! be read was not said.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use sessionql_plugin_abi::message::Rate;

use super::header;

/// What one answer says about the provider's limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Quota {
    /// The provider's token bucket, if it tells all of it.
    pub(super) rate: Option<Rate>,
    /// Requests that may be sent between two resets.
    pub(super) limit: Option<u64>,
    /// Requests that may be sent now.
    pub(super) remaining: Option<u64>,
    /// When `remaining` is filled up again, from now.
    pub(super) reset: Option<Duration>,
}

impl Quota {
    /// Reads `X-RateLimit-*` (with the burst and replenish form of token buckets),
    /// `RateLimit-*` and `RateLimit`.
    /// Source: draft-ietf-httpapi-ratelimit-headers, versions 3 (separate headers) to 9.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        let number = |name: &str| header::text(headers, name).and_then(leading_number);
        let burst = number("x-ratelimit-burst-capacity");
        let refill = number("x-ratelimit-replenish-rate");
        let per_s = number("x-ratelimit-replenish-time").unwrap_or(1);
        let rate = burst.zip(refill).and_then(|(burst, refill)| {
            let rate = Rate {
                burst: u32::try_from(burst).ok()?,
                refill: u32::try_from(refill).ok()?,
                per_ms: per_s.checked_mul(1000)?,
            };
            (rate.burst > 0 && rate.refill > 0 && rate.per_ms > 0).then_some(rate)
        });
        let joint = header::text(headers, "ratelimit").unwrap_or("");
        let parameter = |names: &[&str]| {
            joint.split([',', ';']).find_map(|part| {
                let (name, value) = part.split_once('=')?;
                names.contains(&name.trim()).then(|| leading_number(value)).flatten()
            })
        };
        let remaining = number("x-ratelimit-remaining")
            .or_else(|| number("ratelimit-remaining"))
            .or_else(|| parameter(&["remaining", "r"]));
        let limit = number("x-ratelimit-limit")
            .or_else(|| number("ratelimit-limit"))
            .or_else(|| parameter(&["limit"]));
        let reset = header::text(headers, "x-ratelimit-reset")
            .or_else(|| header::text(headers, "ratelimit-reset"))
            .and_then(|text| reset(text, headers))
            .or_else(|| parameter(&["reset", "t"]).map(Duration::from_secs));
        Self { rate, limit, remaining, reset }
    }
}

/// Returns how long `Retry-After` asks to wait, from now: seconds or an HTTP date, never shortened.
/// A date is compared with the server's own `Date`, if it sent one.
/// Source: RFC 9110, section 10.2.3.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = header::text(headers, "retry-after")?;
    if let Some(seconds) = seconds(text) {
        return Some(seconds);
    }
    let until = httpdate::parse_http_date(text).ok()?;
    Some(until.duration_since(server_time(headers)).unwrap_or(Duration::ZERO))
}

/// Reads whole or fractional seconds, rounded up; too many are as many as can be told.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.parse::<u64>().unwrap_or(u64::MAX);
    let is_fractional = fraction.bytes().any(|byte| byte != b'0');
    Some(Duration::from_secs(whole.saturating_add(u64::from(is_fractional))))
}

/// Reads a reset: seconds from now, seconds or milliseconds since 1970, or an HTTP date.
fn reset(text: &str, headers: &HeaderMap) -> Option<Duration> {
    /// No one announces a reset 30 years ahead; a larger number is a time of day.
    const LARGEST_DELTA_S: u64 = 1_000_000_000;
    const SMALLEST_MILLIS: u64 = 1_000_000_000_000;
    let until = match seconds(text) {
        Some(delta) if delta.as_secs() < LARGEST_DELTA_S => return Some(delta),
        Some(stamp) if stamp.as_secs() < SMALLEST_MILLIS => UNIX_EPOCH.checked_add(stamp)?,
        Some(stamp) => UNIX_EPOCH.checked_add(Duration::from_millis(stamp.as_secs()))?,
        None => httpdate::parse_http_date(text).ok()?,
    };
    Some(until.duration_since(server_time(headers)).unwrap_or(Duration::ZERO))
}

fn server_time(headers: &HeaderMap) -> SystemTime {
    header::text(headers, "date")
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(SystemTime::now)
}

/// Reads the number that a value begins with: `100, 100;w=60` is 100.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair =
            |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_never_shortened() {
        let date = ("date", "Tue, 15 Nov 1994 08:12:31 GMT");
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            ("1.2", Some(2)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Tue, 15 Nov 1994 08:13:01 GMT", Some(30)),
            ("Tue, 15 Nov 1994 08:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            let found = retry_after(&headers(&[date, ("retry-after", text)]));
            assert_eq!(found, wanted.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn quotas_are_read_in_every_form() {
        let date = ("date", "Tue, 15 Nov 1994 08:12:31 GMT");
        let bucket = Quota::read(&headers(&[
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-burst-capacity", "20"),
            ("x-ratelimit-replenish-rate", "1"),
            ("x-ratelimit-replenish-time", "15"),
        ]));
        assert_eq!(bucket.rate, Some(Rate { burst: 20, refill: 1, per_ms: 15_000 }));
        assert_eq!(bucket.remaining, Some(7));
        let forms: &[&[(&str, &str)]] = &[
            &[
                ("x-ratelimit-limit", "100, 100;w=60"),
                ("x-ratelimit-remaining", "3"),
                ("x-ratelimit-reset", "9"),
            ],
            &[
                date,
                ("ratelimit-limit", "100"),
                ("ratelimit-remaining", "3"),
                ("ratelimit-reset", "9"),
            ],
            &[("ratelimit", "limit=100, remaining=3, reset=9")],
            &[("ratelimit", "\"default\";r=3;t=9")],
        ];
        for (n, form) in forms.iter().enumerate() {
            let form: HeaderMap = form
                .iter()
                .map(|(name, value)| {
                    (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
                })
                .collect();
            let quota = Quota::read(&form);
            assert_eq!(quota.limit, (n < 3).then_some(100), "form {n}");
            assert_eq!(quota.remaining, Some(3), "form {n}");
            assert_eq!(quota.reset, Some(Duration::from_secs(9)), "form {n}");
        }
    }

    #[test]
    fn a_reset_may_be_a_time() {
        let date = ("date", "Sun, 09 Sep 2001 01:46:40 GMT");
        for text in ["1000000009", "1000000009000", "9", "Sun, 09 Sep 2001 01:46:49 GMT"] {
            let quota = Quota::read(&headers(&[date, ("x-ratelimit-reset", text)]));
            assert_eq!(quota.reset, Some(Duration::from_secs(9)), "{text}");
        }
    }
}

//! Reads what protobuf writes in JSON and nobody else does.
//! Source: ProtoJSON format, <https://protobuf.dev/programming-guides/json/>.

use crate::time::SECOND_US;

/// Reads a duration such as `3s`, `3.500s` or `-0.000001s` into microseconds. Digits below
/// microseconds are cut off, as they are from instants.
pub fn parse_duration(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (is_negative, number) = match number.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let (seconds, fraction) = match number.split_once('.') {
        Some((seconds, fraction)) if (1..=9).contains(&fraction.len()) => (seconds, fraction),
        Some(_) => return None,
        None => (number, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_digits(seconds) || !is_digits(fraction) {
        return None;
    }
    let us: i64 = format!("{fraction:0<6}")[..6].parse().ok()?;
    let us = seconds.parse::<i64>().ok()?.checked_mul(SECOND_US)?.checked_add(us)?;
    Some(if is_negative { -us } else { us })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_up_to_nine_digits_of_fraction() {
        for (text, us) in [
            ("0s", Some(0)),
            ("3s", Some(3_000_000)),
            ("3.5s", Some(3_500_000)),
            ("3.500s", Some(3_500_000)),
            ("3.000000001s", Some(3_000_000)),
            ("-0.500s", Some(-500_000)),
            ("315576000000s", Some(315_576_000_000_000_000)),
            ("3.0000000001s", None),
            ("3.s", None),
            (".5s", None),
            ("-s", None),
            ("+3s", None),
            ("3", None),
            ("3ms", None),
            ("1e3s", None),
            ("99999999999999999999s", None),
            ("", None),
        ] {
            assert_eq!(parse_duration(text), us, "{text}");
        }
    }
}

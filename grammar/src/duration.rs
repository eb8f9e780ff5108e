//! Durations as the language writes them: `90s`, `1h30m`, `2w`.
//! In: the characters of one token. Out: microseconds. Used by the scan, the parser and whoever
//! takes durations from elsewhere, such as a command line.

use crate::error::ParseErrorKind;

/// The units from the longest to the shortest, with their microseconds.
const UNITS: [(&str, i64); 6] = [
    ("w", 7 * 24 * 3_600_000_000),
    ("d", 24 * 3_600_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
];

/// Returns the microseconds of a duration such as `1h30m`; a day has 24 hours.
///
/// # Errors
///
/// `FractionalDuration`, `UnorderedDuration`, `DurationTooLong`, else `MalformedNumber`.
pub fn parse_duration(text: &str) -> Result<i64, ParseErrorKind> {
    let found = || shortened(text);
    let mut rest = text;
    let mut next_unit = 0;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) = split(after, |c| c.is_alphabetic());
        let unit_idx = UNITS.iter().position(|(name, _)| *name == unit);
        let (Some(unit_idx), false) = (unit_idx, digits.is_empty()) else {
            let is_fraction =
                text.contains('.') && UNITS.iter().any(|(name, _)| ends_with_unit(text, name));
            return Err(if is_fraction {
                ParseErrorKind::FractionalDuration { found: found() }
            } else {
                ParseErrorKind::MalformedNumber { found: found() }
            });
        };
        if unit_idx < next_unit {
            return Err(ParseErrorKind::UnorderedDuration { found: found() });
        }
        let micros = digits.parse().ok().and_then(|n: i64| n.checked_mul(UNITS[unit_idx].1));
        total = micros
            .and_then(|micros| total.checked_add(micros))
            .ok_or_else(|| ParseErrorKind::DurationTooLong { found: found() })?;
        next_unit = unit_idx + 1;
        rest = after;
    }
    if text.is_empty() {
        Err(ParseErrorKind::MalformedNumber { found: found() })
    } else {
        Ok(total)
    }
}

/// Returns whether `text` is digits, dots and one unit.
fn ends_with_unit(text: &str, unit: &str) -> bool {
    text.strip_suffix(unit).is_some_and(|n| n.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// Shortens what goes into a message.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_add_up() {
        assert_eq!(parse_duration("90s"), Ok(90_000_000));
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000_000));
        assert_eq!(parse_duration("2w3d4h5m6s7ms"), Ok(1_483_506_007_000));
        assert_eq!(parse_duration("250ms"), Ok(250_000));
        assert_eq!(parse_duration("0s"), Ok(0));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["1.5h", "1h.5m", "30m1h", "1h1h", "1min", "24H", "5", "", "h", "99999999999999w", "1y"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(matches!(parse_duration("1.5h"), Err(ParseErrorKind::FractionalDuration { .. })));
        assert!(matches!(parse_duration("30m1h"), Err(ParseErrorKind::UnorderedDuration { .. })));
    }
}

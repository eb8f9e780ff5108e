//! The text of `INTERVAL '…'`.
//! In: `1 day 02:30:00`, `90 minutes`, `1 month`. Out: exact microseconds, or that it counts in the
//! calendar, or nothing if it is no interval.

/// What an interval means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interval {
    /// Days of 24 hours and shorter units, in microseconds.
    Exact(i64),
    /// Months or longer units, maybe with others.
    Calendar,
}

/// Reads an interval.
pub(crate) fn parse(text: &str) -> Option<Interval> {
    let mut words = text.split_whitespace().peekable();
    words.peek()?;
    let mut micros = 0_i64;
    let mut is_calendar = false;
    while let Some(word) = words.next() {
        if word.contains(':') {
            micros = micros.checked_add(clock(word)?)?;
            continue;
        }
        let digits_end = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (number, unit) = word.split_at(digits_end);
        let number: f64 = number.parse().ok()?;
        // A number alone counts seconds.
        let unit = if unit.is_empty() { words.next().unwrap_or("s") } else { unit };
        match unit_micros(&unit.to_lowercase())? {
            Some(unit) => micros = micros.checked_add(scaled(number, unit)?)?,
            None => is_calendar = true,
        }
    }
    Some(if is_calendar { Interval::Calendar } else { Interval::Exact(micros) })
}

/// Returns the microseconds of a unit, none if it belongs to the calendar.
fn unit_micros(unit: &str) -> Option<Option<i64>> {
    const SECOND: i64 = 1_000_000;
    Some(Some(match unit {
        "us" | "microsecond" | "microseconds" => 1,
        "ms" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" => 60 * SECOND,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600 * SECOND,
        "d" | "day" | "days" => 86_400 * SECOND,
        "w" | "week" | "weeks" => 7 * 86_400 * SECOND,
        "mon" | "mons" | "month" | "months" | "quarter" | "quarters" | "y" | "yr" | "yrs"
        | "year" | "years" | "decade" | "decades" | "century" | "centuries" => return Some(None),
        _ => return None,
    }))
}

/// Reads `hours:minutes[:seconds]`.
fn clock(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok().filter(|minutes| (0..60).contains(minutes))?;
    let seconds: f64 = parts.next().map_or(Some(0.0), |seconds| seconds.parse().ok())?;
    if parts.next().is_some() || hours < 0 || !(0.0..60.0).contains(&seconds) {
        return None;
    }
    let whole = hours.checked_mul(3_600_000_000)?.checked_add(minutes * 60_000_000)?;
    whole.checked_add(scaled(seconds, 1_000_000)?)?.checked_mul(sign)
}

fn scaled(number: f64, unit: i64) -> Option<i64> {
    let micros = number * unit as f64;
    (micros.abs() < 9e18).then(|| micros.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_and_calendar_intervals() {
        let hours = |hours: i64| Some(Interval::Exact(hours * 3_600_000_000));
        assert_eq!(parse("1 day"), hours(24));
        assert_eq!(parse("1 day 02:00:00"), hours(26));
        assert_eq!(parse("90 minutes"), Some(Interval::Exact(5_400_000_000)));
        assert_eq!(parse("1.5 hours"), Some(Interval::Exact(5_400_000_000)));
        assert_eq!(parse("-2h 1 HOUR"), hours(-1));
        assert_eq!(parse("10"), Some(Interval::Exact(10_000_000)));
        assert_eq!(parse("1 month 2 days"), Some(Interval::Calendar));
        for bad in ["", "day", "1 fortnight", "1:99", "a:b", "99999999999999999999 weeks"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}

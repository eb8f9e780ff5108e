//! Durations as people write them in queries, options and on the command line: `1h30m`.
//! Units descend, have no blanks between them, and `m` is minutes; a day is 24 hours.

use std::time::Duration;

/// Returns the duration that `text` says, or `None` if it says none.
pub fn parse(text: &str) -> Option<Duration> {
    let micros = sessionql_grammar::parse_duration(text).ok()?;
    u64::try_from(micros).ok().map(Duration::from_micros)
}

/// Returns the duration as `1h05m`: the two largest units that matter.
pub fn human(duration: Duration) -> String {
    human_us(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

/// Returns microseconds as `1h05m`; below a second as `250ms`, below a millisecond as `40us`.
pub fn human_us(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let us = micros.unsigned_abs();
    let (seconds, rest_us) = (us / 1_000_000, us % 1_000_000);
    let (days, hours, minutes, secs) =
        (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    if days > 0 {
        format!("{sign}{days}d{hours:02}h")
    } else if hours > 0 {
        format!("{sign}{hours}h{minutes:02}m")
    } else if minutes > 0 {
        format!("{sign}{minutes}m{secs:02}s")
    } else if seconds > 0 {
        let millis = rest_us / 1_000;
        if millis == 0 { format!("{sign}{secs}s") } else { format!("{sign}{secs}.{millis:03}s") }
    } else if us == 0 {
        "0s".to_owned()
    } else if us.is_multiple_of(1_000) {
        format!("{sign}{}ms", us / 1_000)
    } else {
        format!("{sign}{us}us")
    }
}

/// Returns microseconds in ISO 8601, such as `PT1H5M0.25S`; the machine formats use it.
pub fn iso8601(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let us = micros.unsigned_abs();
    let (seconds, rest_us) = (us / 1_000_000, us % 1_000_000);
    let (hours, minutes, secs) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{sign}PT");
    if hours > 0 {
        text.push_str(&format!("{hours}H"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}M"));
    }
    if rest_us > 0 {
        let fraction = format!("{rest_us:06}");
        text.push_str(&format!("{secs}.{}S", fraction.trim_end_matches('0')));
    } else if secs > 0 || (hours == 0 && minutes == 0) {
        text.push_str(&format!("{secs}S"));
    }
    text
}

/// Returns the microseconds of a duration as [`iso8601`] writes it; days and weeks are exact too.
pub fn parse_iso8601(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let rest = rest.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let units = [('W', 604_800), ('D', 86_400), ('H', 3_600), ('M', 60), ('S', 1)];
    let (of_date, of_time) = units.split_at(2);
    let mut micros: i64 = 0;
    for (mut part, mut units) in [(date, of_date), (time, of_time)] {
        while !part.is_empty() {
            let at = part.find(|character: char| character.is_ascii_alphabetic())?;
            let (number, unit) = part.split_at(at);
            let idx = units.iter().position(|(letter, _)| unit.starts_with(*letter))?;
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            let has_fraction = number.contains('.');
            if has_fraction && (!unit.starts_with('S') || fraction.is_empty() || fraction.len() > 6)
                || !is_digits(whole)
                || !is_digits(fraction)
            {
                return None;
            }
            let fraction_us = format!("{fraction:0<6}").parse::<i64>().ok()?;
            let whole_us = whole.parse::<i64>().ok()?.checked_mul(units[idx].1 * 1_000_000)?;
            micros = micros.checked_add(whole_us)?.checked_add(fraction_us)?;
            (part, units) = (&unit[1..], &units[idx + 1..]);
        }
    }
    (!rest.is_empty()).then_some(sign * micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse("2w"), Some(Duration::from_secs(1_209_600)));
        for bad in ["", "1", "h", "1.5h", "30m1h", "1h1h", "1 h", "1y"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn prints_for_people_and_machines() {
        assert_eq!(human_us(3_900_000_000), "1h05m");
        assert_eq!(human_us(-90_000_000), "-1m30s");
        assert_eq!(human_us(8 * 86_400_000_000), "8d00h");
        assert_eq!(human_us(1_250_000), "1.250s");
        assert_eq!(iso8601(3_900_000_000), "PT1H5M");
        assert_eq!(iso8601(250_000), "PT0.25S");
        assert_eq!(iso8601(0), "PT0S");
        assert_eq!(iso8601(-1_000_000), "-PT1S");
    }

    #[test]
    fn reads_what_it_prints_for_machines() {
        for micros in [0, 1, 250_000, 3_900_000_000, -1_000_000, 90_061_000_001, -86_400_000_000] {
            assert_eq!(parse_iso8601(&iso8601(micros)), Some(micros), "{}", iso8601(micros));
        }
        assert_eq!(parse_iso8601("P1DT1H"), Some(90_000_000_000));
        for bad in ["", "P", "PT", "P1", "PT1", "PT1H1H", "PT1M1H", "PT.5S", "PT1.5H", "P1Y", "1h"]
        {
            assert_eq!(parse_iso8601(bad), None, "{bad}");
        }
    }
}

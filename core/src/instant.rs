//! Dates and times as people write them, read in the query's time zone.

use chrono::{
    DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::Tz;

/// Returns the instant that `text` names: a date, a date and time, either with or without an
/// offset. Without one it is meant in `zone`. A time that a change of clocks skips is moved past
/// the gap; one that comes twice is the first.
pub fn parse(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Some(instant) = parse_with_offset(text) {
        return Some(instant);
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return in_zone(date.and_time(NaiveTime::MIN), zone);
    }
    in_zone(parse_local(text)?, zone)
}

fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let text = text.replacen(['T', 't'], " ", 1);
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
}

fn parse_with_offset(text: &str) -> Option<DateTime<Utc>> {
    let text = text.replacen(['T', 't'], " ", 1);
    if let Some(local) = text.strip_suffix(['Z', 'z']) {
        return parse_local(local.trim_end()).map(|local| local.and_utc());
    }
    let sign = text.rfind(['+', '-']).filter(|at| *at > "2026-01-01 ".len())?;
    let (local, offset) = text.split_at(sign);
    let digits: String = offset[1..].chars().filter(|character| *character != ':').collect();
    if !(digits.len() == 2 || digits.len() == 4)
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let (hours, minutes) = digits.split_at(2);
    let minutes = if minutes.is_empty() { "0" } else { minutes };
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset_minutes = hours * 60 + minutes;
    let offset_minutes = if offset.starts_with('-') { -offset_minutes } else { offset_minutes };
    let local = parse_local(local.trim_end())?;
    Some(local.checked_sub_signed(TimeDelta::minutes(offset_minutes))?.and_utc())
}

/// Returns the instant of a wall-clock time in a zone.
pub fn in_zone(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => {
            Some(instant.with_timezone(&Utc))
        }
        LocalResult::None => {
            let before = zone.from_local_datetime(&local.checked_sub_signed(TimeDelta::hours(3))?);
            before.latest()?.with_timezone(&Utc).checked_add_signed(TimeDelta::hours(3))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str, zone: Tz) -> Option<String> {
        parse(text, zone)
            .map(|instant| instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    #[test]
    fn reads_dates_and_times_in_the_zone() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(utc("2026-01-02", Tz::UTC).as_deref(), Some("2026-01-02T00:00:00Z"));
        assert_eq!(utc("2026-01-02", berlin).as_deref(), Some("2026-01-01T23:00:00Z"));
        assert_eq!(utc("2026-07-02 14:05", berlin).as_deref(), Some("2026-07-02T12:05:00Z"));
        assert_eq!(
            utc("2026-07-02T14:05:06.5", berlin).as_deref(),
            Some("2026-07-02T12:05:06.500Z")
        );
        assert_eq!(utc("2026-07-02T14:05:06Z", berlin).as_deref(), Some("2026-07-02T14:05:06Z"));
        assert_eq!(utc("2026-07-02 14:05+02", Tz::UTC).as_deref(), Some("2026-07-02T12:05:00Z"));
        assert_eq!(
            utc("2026-07-02 14:05:00-05:30", Tz::UTC).as_deref(),
            Some("2026-07-02T19:35:00Z")
        );
        for bad in ["", "soon", "2026-13-01", "2026-01-02 25:00", "14:05", "2026-01-02 10:00+99"] {
            assert_eq!(utc(bad, Tz::UTC), None, "{bad}");
        }
    }

    #[test]
    fn instants_at_the_ends_of_time_are_none() {
        let (first, last) = ("-262143-01-01", "+262142-12-31");
        for zone in [Tz::UTC, chrono_tz::Asia::Tokyo, chrono_tz::America::New_York] {
            for day in [first, last] {
                // Whichever of them the zone pushes out of range.
                let _instant = (utc(day, zone), utc(&format!("{day} 23:59:59"), zone));
            }
        }
        assert_eq!(utc(&format!("{last} 23:30:00-05:00"), Tz::UTC), None);
        assert_eq!(utc(&format!("{first} 00:30:00+05:00"), Tz::UTC), None);
        assert_eq!(
            utc(&format!("{last} 23:30:00+05:00"), Tz::UTC).as_deref(),
            Some("+262142-12-31T18:30:00Z")
        );
    }

    #[test]
    fn changes_of_clocks() {
        let berlin = chrono_tz::Europe::Berlin;
        assert_eq!(utc("2026-03-29 02:30", berlin).as_deref(), Some("2026-03-29T01:30:00Z"));
        assert_eq!(utc("2026-10-25 02:30", berlin).as_deref(), Some("2026-10-25T00:30:00Z"));
    }
}

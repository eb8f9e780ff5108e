//! The axis of time: where its ticks stand and what is written at them.
//! In: a range of instants, a zone, and how many characters there is room for. Out: ticks at full
//! hours, days or months of the zone's own calendar, so that a day of 23 hours is one.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use sessionql_core::instant;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// More than any zone ever moved its clocks.
const MAX_SHIFT: TimeDelta = TimeDelta::hours(25);

/// Between two labels.
const GAP: usize = 2;

/// A mark on the axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    /// Where, in microseconds since 1970.
    pub(super) at: i64,
    /// What is written there.
    pub(super) label: String,
}

/// The distance between ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Seconds that divide a day.
    Seconds(u32),
    /// Days; weeks begin on Monday.
    Days(i32),
    Months(u32),
    Years(i32),
}

const STEPS: [Step; 35] = [
    Step::Seconds(1),
    Step::Seconds(5),
    Step::Seconds(15),
    Step::Seconds(30),
    Step::Seconds(60),
    Step::Seconds(300),
    Step::Seconds(600),
    Step::Seconds(900),
    Step::Seconds(1_800),
    Step::Seconds(3_600),
    Step::Seconds(7_200),
    Step::Seconds(10_800),
    Step::Seconds(14_400),
    Step::Seconds(21_600),
    Step::Seconds(28_800),
    Step::Seconds(43_200),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(20),
    Step::Years(50),
    Step::Years(100),
    Step::Years(200),
    Step::Years(500),
    Step::Years(1_000),
    Step::Years(2_000),
];

impl Step {
    /// Returns about how long it is, at least.
    fn micros(self) -> i64 {
        match self {
            Self::Seconds(seconds) => i64::from(seconds) * SECOND,
            Self::Days(days) => i64::from(days) * DAY,
            Self::Months(months) => i64::from(months) * 28 * DAY,
            Self::Years(years) => i64::from(years) * 365 * DAY,
        }
    }

    /// Returns how many characters its labels have.
    fn label_width(self) -> usize {
        match self {
            Self::Seconds(seconds) if seconds < 60 => "23:59:59".len(),
            Self::Seconds(_) | Self::Days(_) => "23:59".len(),
            Self::Months(_) => "2026-12".len(),
            Self::Years(_) => "2026".len(),
        }
    }

    fn label(self, local: NaiveDateTime) -> String {
        let is_midnight = local.num_seconds_from_midnight() == 0;
        let format = match self {
            Self::Seconds(_) if is_midnight => "%m-%d",
            Self::Seconds(seconds) if seconds < 60 => "%H:%M:%S",
            Self::Seconds(_) => "%H:%M",
            Self::Days(_) => "%m-%d",
            Self::Months(_) => "%Y-%m",
            Self::Years(_) => "%Y",
        };
        local.format(format).to_string()
    }

    /// Returns the wall-clock times at which it stands, from the day of `first` to that of `last`.
    fn times(self, first: NaiveDateTime, last: NaiveDateTime) -> Vec<NaiveDateTime> {
        match self {
            Self::Seconds(seconds) => {
                let mut times = Vec::new();
                let mut time = first.date().and_time(chrono::NaiveTime::MIN);
                // Straight to the step before the begin.
                let steps = (first - time).num_seconds() / i64::from(seconds);
                let length = TimeDelta::seconds(i64::from(seconds));
                time += TimeDelta::seconds(steps * i64::from(seconds));
                while time <= last {
                    times.push(time);
                    time += length;
                }
                times
            }
            Self::Days(days) => {
                let wanted = |date: &NaiveDate| match days {
                    // 0001-01-01 was a Monday, and day 1.
                    7 | 14 => (date.num_days_from_ce() - 1).rem_euclid(days) == 0,
                    _ => date.num_days_from_ce().rem_euclid(days) == 0,
                };
                midnights(first.date().iter_days().take_while(|date| *date <= last.date()), wanted)
            }
            Self::Months(months) => {
                let firsts = (first.year()..=last.year()).flat_map(|year| {
                    (1..=12_u32).filter_map(move |month| NaiveDate::from_ymd_opt(year, month, 1))
                });
                midnights(firsts, |date| date.month0() % months == 0)
            }
            Self::Years(years) => {
                let firsts = (first.year()..=last.year())
                    .filter(|year| year.rem_euclid(years) == 0)
                    .filter_map(|year| NaiveDate::from_ymd_opt(year, 1, 1));
                midnights(firsts, |_| true)
            }
        }
    }
}

fn midnights(
    dates: impl Iterator<Item = NaiveDate>,
    wanted: impl Fn(&NaiveDate) -> bool,
) -> Vec<NaiveDateTime> {
    dates.filter(wanted).map(|date| date.and_time(chrono::NaiveTime::MIN)).collect()
}

/// Returns the ticks between two instants, as many as `width` characters have room for.
pub(super) fn ticks(from: i64, until: i64, zone: Tz, width: usize) -> Vec<Tick> {
    let fits = |step: &&Step| {
        let n_ticks = usize::try_from((until - from) / step.micros() + 1).unwrap_or(usize::MAX);
        n_ticks.saturating_mul(step.label_width() + GAP) <= width
    };
    let Some(step) = STEPS.iter().find(fits) else { return Vec::new() };
    let (Some(first), Some(last)) = (local(from, zone), local(until, zone)) else {
        return Vec::new();
    };
    let (Some(first), Some(last)) =
        (first.checked_sub_signed(MAX_SHIFT), last.checked_add_signed(MAX_SHIFT))
    else {
        return Vec::new();
    };
    let mut ticks: Vec<Tick> = Vec::new();
    for time in step.times(first, last) {
        let Some(at) = instant::in_zone(time, zone).map(|at| at.timestamp_micros()) else {
            continue;
        };
        // A time that the clocks skip becomes the one behind the gap, which may be a tick itself.
        let is_new = ticks.last().is_none_or(|tick| tick.at < at);
        if at >= from && at < until && is_new {
            let label = step.label(local(at, zone).unwrap_or(time));
            ticks.push(Tick { at, label });
        }
    }
    ticks
}

fn local(micros: i64, zone: Tz) -> Option<NaiveDateTime> {
    Some(DateTime::<Utc>::from_timestamp_micros(micros)?.with_timezone(&zone).naive_local())
}

/// Returns an instant to the minute, or to the second if it is none.
pub(super) fn moment(micros: i64, zone: Tz) -> String {
    let Some(local) = local(micros, zone) else { return format!("{micros}us") };
    let format = if local.second() == 0 && local.nanosecond() == 0 {
        "%Y-%m-%d %H:%M"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    local.format(format).to_string()
}

/// Returns the first instant and the last that are drawn: those of the years 2 to 9998, which every
/// zone can tell.
pub(super) fn calendar() -> (i64, i64) {
    let at = |year| {
        let date = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|date| date.and_hms_opt(0, 0, 0));
        date.map(|date| date.and_utc().timestamp_micros())
    };
    (at(2).unwrap_or(0), at(9_999).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, until: &str, zone: Tz, width: usize) -> String {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let ticks = ticks(at(from), at(until), zone, width);
        ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_stand_at_round_times_of_the_zone() {
        let of = |until, width| labels("2026-03-01T06:10:00Z", until, Tz::UTC, width);
        assert_eq!(of("2026-03-01T06:10:40Z", 60), "06:10:00 06:10:15 06:10:30");
        assert_eq!(of("2026-03-01T07:10:00Z", 40), "06:15 06:30 06:45 07:00");
        assert_eq!(of("2026-03-02T06:00:00Z", 60), "09:00 12:00 15:00 18:00 21:00 03-02 03:00");
        assert_eq!(of("2026-03-22T06:00:00Z", 40), "03-02 03-09 03-16");
        assert_eq!(of("2027-03-22T06:00:00Z", 60), "2026-04 2026-07 2026-10 2027-01");
        assert_eq!(of("2826-03-22T06:00:00Z", 60), "2100 2200 2300 2400 2500 2600 2700 2800");
        let half = labels("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", Tz::Asia__Kolkata, 40);
        assert_eq!(half, "06:00 12:00 18:00 03-02");
    }

    #[test]
    fn a_day_on_which_clocks_change_is_one_day() {
        // Of 23 hours: 02:00 does not exist, and is not told twice as 03:00.
        let spring = labels(
            "2026-03-29T00:00:00+01:00",
            "2026-03-29T06:00:00+02:00",
            Tz::Europe__Berlin,
            60,
        );
        assert_eq!(spring, "03-29 01:00 03:00 04:00 05:00");
        // Of 25 hours: 02:00 comes twice, and the first is told.
        let autumn = labels(
            "2026-10-25T00:00:00+02:00",
            "2026-10-25T05:00:00+01:00",
            Tz::Europe__Berlin,
            60,
        );
        assert_eq!(autumn, "10-25 01:00 02:00 03:00 04:00");
        let days = labels(
            "2026-03-28T00:00:00+01:00",
            "2026-03-31T00:00:00+02:00",
            Tz::Europe__Berlin,
            30,
        );
        assert_eq!(days, "03-28 03-29 03-30");
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for() {
        let (from, last) = calendar();
        for until in [from + 1, from + 40 * DAY, from + 4_000 * DAY, last] {
            for width in [0, 3, 11, 30, 80, 1_000] {
                let ticks = ticks(from, until, Tz::America__New_York, width);
                let taken: usize = ticks.iter().map(|tick| tick.label.len()).sum();
                assert!(taken <= width + 2 * GAP + 4, "{until} {width}: {ticks:?}");
            }
        }
    }
}

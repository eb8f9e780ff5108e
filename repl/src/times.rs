//! The default window and the instant of `now()`: of the command line, or of the prompt.
//! In: texts. Out: instants, or durations that count back from each statement's `now()`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sessionql_core::{Engine, ExecuteOptions, duration, instant};

use crate::cli::Arguments;
use crate::usage::Refusal;

/// The times of the command line, or of the prompt.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimeOptions {
    /// The instant that `now()` means, if it is not that of the clock.
    pub(crate) now: Option<DateTime<Utc>>,
    /// The begin of the default window.
    pub(crate) since: Option<Bound>,
    /// Its end.
    pub(crate) until: Option<Bound>,
}

/// An end of the window, with the text that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    text: String,
    place: Place,
}

/// Where an end of the window lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    At(DateTime<Utc>),
    /// So long before the statement's `now()`.
    Ago(Duration),
}

impl TimeOptions {
    /// Reads the times, in `zone` where they have no offset.
    ///
    /// # Errors
    /// The first that is no time.
    pub(crate) fn read(arguments: &Arguments, zone: Tz) -> Result<Self, Refusal> {
        let of = |name, text: &Option<String>| (name, text.clone());
        let now = of("--now", &arguments.now);
        Self::of(now, of("--since", &arguments.since), of("--until", &arguments.until), zone)
    }

    /// Reads times, each with the name that an error gives it.
    ///
    /// # Errors
    /// As [`TimeOptions::read`].
    pub(crate) fn of(
        (now_name, now): (&str, Option<String>),
        since: (&str, Option<String>),
        until: (&str, Option<String>),
        zone: Tz,
    ) -> Result<Self, Refusal> {
        let bound = |(name, text): (&str, Option<String>)| {
            let read = text.map(|text| Bound::read(&text, zone)).transpose();
            read.map_err(|refusal| refusal.of_option(name))
        };
        let now = now.map(|text| read_instant(&text, zone)).transpose();
        Ok(Self {
            now: now.map_err(|refusal| refusal.of_option(now_name))?,
            since: bound(since)?,
            until: bound(until)?,
        })
    }

    /// Sets the window of an engine's run, and returns what holds for a statement that begins now.
    pub(crate) fn apply(&self, engine: &Engine) -> ExecuteOptions {
        // One look at the clock: `AT now` asks for now, not for a moment ago.
        let clock = engine.clock();
        let now = self.now.unwrap_or(clock);
        let mut settings = engine.settings();
        settings.since = self.since.as_ref().map(|bound| bound.before(now));
        settings.until = self.until.as_ref().map(|bound| bound.before(now));
        ExecuteOptions { now: Some(now), clock: Some(clock), ..ExecuteOptions::default() }
    }

    /// Returns the window in a word, if there is one.
    pub(crate) fn window(&self) -> Option<String> {
        match (&self.since, &self.until) {
            (None, None) => None,
            (Some(since), None) => Some(since.text.clone()),
            (since, Some(until)) => {
                let since = since.as_ref().map_or("", |since| &since.text);
                Some(format!("{since}..{}", until.text))
            }
        }
    }
}

fn read_instant(text: &str, zone: Tz) -> Result<DateTime<Utc>, Refusal> {
    instant::parse(text, zone).ok_or_else(|| {
        Refusal::new(format!("`{text}` is not a time"))
            .with_hint("times are written 2026-01-02, '2026-01-02 14:05' or 2026-01-02T14:05:06Z")
    })
}

impl Bound {
    /// Reads a time, or a duration, which means that long ago.
    ///
    /// # Errors
    /// If the text is neither.
    pub(crate) fn read(text: &str, zone: Tz) -> Result<Self, Refusal> {
        let place = match duration::parse(text) {
            _ if text == "now" => Place::Ago(Duration::ZERO),
            Some(ago) => Place::Ago(ago),
            None => Place::At(read_instant(text, zone)?),
        };
        Ok(Self { text: text.to_owned(), place })
    }

    /// Returns the text that it was read from.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the instant, seen from `now`.
    pub(crate) fn before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.place {
            Place::At(instant) => instant,
            Place::Ago(duration) => TimeDelta::from_std(duration)
                .ok()
                .and_then(|duration| now.checked_sub_signed(duration))
                .unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Invocation};

    fn times(line: &[&str]) -> Result<TimeOptions, Refusal> {
        let line = std::iter::once(&"sessionql").chain(line).map(Into::into);
        match cli::parse(line).unwrap() {
            Invocation::Run(arguments) => TimeOptions::read(&arguments, chrono_tz::Europe::Berlin),
            Invocation::Print(text) => panic!("{text}"),
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn times_are_instants_or_so_long_ago() {
        let read =
            times(&["--since", "24h", "--until", "2026-01-02", "--now", "2026-01-02T12:00:00Z"])
                .unwrap();
        let now = read.now.unwrap();
        assert_eq!(now, utc("2026-01-02T12:00:00Z"));
        assert_eq!(read.since.unwrap().before(now), utc("2026-01-01T12:00:00Z"));
        assert_eq!(read.until.unwrap().before(now), utc("2026-01-01T23:00:00Z"));
        assert_eq!(times(&["--until", "now"]).unwrap().until.unwrap().before(now), now);
        let long_ago = times(&["--since", "100000000d"]).unwrap().since.unwrap().before(now);
        assert!(long_ago < now, "{long_ago}");
    }

    #[test]
    fn other_times_are_refused() {
        let refusal = times(&["--since", "yesterday"]).unwrap_err();
        assert_eq!(refusal.message, "`--since`: `yesterday` is not a time");
        assert_eq!(times(&["--now", "1h"]).unwrap_err().message, "`--now`: `1h` is not a time");
    }

    #[test]
    fn a_window_has_a_short_name() {
        let window = |line: &[&str]| times(line).unwrap().window();
        assert_eq!(window(&[]), None);
        assert_eq!(window(&["--since", "24h"]).unwrap(), "24h");
        assert_eq!(window(&["--until", "2026-01-02"]).unwrap(), "..2026-01-02");
        assert_eq!(window(&["--since", "2d", "--until", "1h"]).unwrap(), "2d..1h");
    }
}

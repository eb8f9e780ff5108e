//! A model of what queries mean: rows, conditions and windows with their truth, and random ones.
//! Whatever a provider means by its words, an answer is held against the rows of the model.

mod check;
mod condition;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::{BEGIN, instant};
pub use check::{Asked, Owes, check_alone, check_pair, complete, sorted};
pub use condition::{Condition, Op, condition};

/// A session as queries see it: the common columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The id.
    pub id: String,
    /// The login.
    pub user: Option<String>,
    /// The status, in upper case.
    pub status: Option<String>,
    /// When it began.
    pub start: Option<DateTime<Utc>>,
    /// When it ended.
    pub end: Option<DateTime<Utc>>,
    /// Where the user came from.
    pub client_ip: Option<String>,
    /// The plugin.
    pub provider: String,
    /// The connection.
    pub connection: String,
}

impl Row {
    /// Returns how long it has lasted.
    pub fn duration(&self) -> Option<TimeDelta> {
        Some(self.end.unwrap_or(now()) - self.start?)
    }
}

/// Chooses the cases of every day.
const SEED: u64 = 20_260_315;

/// Returns the instant at which all models live.
pub fn now() -> DateTime<Utc> {
    instant(BEGIN)
}

/// Returns the instant so many milliseconds before now.
pub fn ago(ms: i64) -> DateTime<Utc> {
    now() - TimeDelta::milliseconds(ms)
}

/// Returns an instant as queries write it.
pub fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A time window, in milliseconds before now.
#[derive(Clone, Copy, Debug)]
pub enum Window {
    /// No window.
    None,
    /// SINCE.
    Since(i64),
    /// UNTIL.
    Until(i64),
    /// SINCE and UNTIL.
    Between(i64, i64),
    /// AT.
    At(i64),
}

impl Window {
    /// Returns the clause, with a blank before it.
    pub fn sql(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Since(ms) => format!(" SINCE now - {ms}ms"),
            Self::Until(ms) => format!(" UNTIL now - {ms}ms"),
            Self::Between(since, until) => {
                format!(" SINCE now - {since}ms UNTIL now - {until}ms")
            }
            Self::At(ms) => format!(" AT now - {ms}ms"),
        }
    }

    /// Tells whether a session was open then.
    pub fn holds(self, row: &Row) -> bool {
        let (since, until) = match self {
            Self::None => return true,
            Self::At(ms) => {
                let at = ago(ms);
                return row.start.is_some_and(|start| {
                    start <= at
                        && row.end.is_none_or(|end| end > at || (end == start && start == at))
                });
            }
            Self::Since(since) => (Some(ago(since)), None),
            Self::Until(until) => (None, Some(ago(until))),
            Self::Between(since, until) => (Some(ago(since)), Some(ago(until))),
        };
        row.start.is_some_and(|start| {
            until.is_none_or(|until| start < until)
                && since.is_none_or(|since| {
                    row.end.is_none_or(|end| end > since || (end == start && start >= since))
                })
        })
    }
}
/// Milliseconds before now: near one of a few edges, so that they meet.
pub fn moment() -> impl Strategy<Value = i64> {
    (0..9_i64, prop::sample::select(vec![0, 0, 0, 1, -1, 600_000, -600_000, 600_001, -599_999]))
        .prop_map(|(hours, off)| (hours * 6 * 3_600_000 + off).max(0))
}
/// Returns windows, none as often as all others.
pub fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        4 => Just(Window::None),
        1 => moment().prop_map(Window::Since),
        1 => moment().prop_map(Window::Until),
        2 => (moment(), moment()).prop_map(|(a, b)| match a == b {
            true => Window::At(a),
            false => Window::Between(a.max(b), a.min(b)),
        }),
        1 => moment().prop_map(Window::At),
    ]
}

/// Returns the settings of a property: as many cases as `PROPTEST_CASES` says, other ones each time;
/// else `cases`, the same each time, so that a change is judged by itself.
pub fn config(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let config = ProptestConfig { failure_persistence: None, ..config };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases, rng_seed: RngSeed::Fixed(SEED), ..config },
    }
}

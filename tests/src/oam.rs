//! What scenarios with oam share: an emulator with an engine, and random pieces for model tests.

#![expect(clippy::panic, reason = "the helpers of tests fail as tests do")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::oam::{
    Combination, Emulator, Form, Matching, Nothing, Options, SessionRecord, Switches, Total,
};
use sessionql_sandbox::{Clock, oam_toml};

use crate::{Answer, BEGIN, engine, instant, run};

/// An emulator and an engine connected to it.
pub struct OamWorld {
    /// The provider.
    pub emulator: Emulator,
    /// The engine.
    pub engine: Engine,
    /// The time that both live in.
    pub clock: Clock,
}

impl OamWorld {
    /// Returns a world with the seeded sessions of a small company.
    pub fn seeded() -> Self {
        Self::with(Options::seeded(1, Clock::fixed(instant(BEGIN))))
    }

    /// Returns a world with just these sessions.
    pub fn of(sessions: Vec<SessionRecord>) -> Self {
        let clock = Clock::fixed(instant(BEGIN));
        Self::with(Options { sessions, ..Options::empty(clock) })
    }

    /// Returns a world with an emulator of these options.
    pub fn with(options: Options) -> Self {
        let clock = options.clock.clone();
        let emulator = Emulator::start(options).expect("a loopback socket is free");
        let engine = engine(&oam_toml(&emulator), &clock);
        Self { emulator, engine, clock }
    }

    /// Replaces the engine by one whose connection has more keys, one a line; it has learned nothing.
    pub fn configure(&mut self, more: &str) {
        let config = format!("{}{more}\n", oam_toml(&self.emulator));
        self.engine = engine(&config, &self.clock);
    }

    /// Runs one statement.
    pub fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    /// Runs a query and returns its first column, sorted, and its gaps.
    ///
    /// # Panics
    /// If the query fails.
    pub fn ids(&self, sql: &str) -> (Vec<String>, Vec<String>) {
        let answer = self.run(sql);
        if let Some(error) = answer.error {
            panic!("{sql}: {error}");
        }
        let mut ids: Vec<String> = answer.rows.iter().map(|row| row[0].clone()).collect();
        ids.sort();
        let reports = answer.completeness.connections;
        let gaps = reports.iter().flat_map(|report| &report.gaps);
        (ids, gaps.map(|gap| format!("{}: {}", gap.gap.reason, gap.gap.message)).collect())
    }

    /// Returns the ids of the emulator's sessions that pass, sorted.
    pub fn truth(&self, passes: impl Fn(&SessionRecord) -> bool) -> Vec<String> {
        let sessions = self.emulator.sessions();
        let passing = sessions.iter().filter(|session| passes(session));
        let mut ids: Vec<String> = passing.map(|session| session.id.clone()).collect();
        ids.sort();
        ids
    }

    /// Returns the bodies of the searches since the last call.
    ///
    /// # Panics
    /// If something else was asked for than searches.
    pub fn searches(&self) -> Vec<String> {
        assert!(self.emulator.violations().is_empty(), "{:?}", self.emulator.violations());
        let requests = self.emulator.data_requests();
        self.emulator.clear();
        let body = |request: &[u8]| String::from_utf8_lossy(request).into_owned();
        requests.iter().map(|request| body(&request.body)).collect()
    }
}

/// Returns an instant so many minutes before the beginning.
pub fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    instant(BEGIN) - TimeDelta::minutes(minutes)
}

/// Random sessions: few users, some alike but for case, addresses and stores that repeat, fields
/// that are missing. `most` bounds their number.
pub fn sessions(most: usize) -> impl Strategy<Value = Vec<SessionRecord>> {
    (0..=most).prop_flat_map(|n| (0..n).map(session).collect::<Vec<_>>())
}

fn session(n: usize) -> impl Strategy<Value = SessionRecord> {
    let user =
        prop::sample::select(vec!["ann", "ann", "ann", "Ann", "bob", "joanna", "a*", "ann\\x"]);
    let ip = prop::sample::select(vec![
        Some("192.0.2.1"),
        Some("192.0.2.2"),
        Some("198.51.100.7"),
        None,
    ]);
    let store =
        prop::sample::select(vec![Some("main"), Some("main"), Some("Main"), Some("other"), None]);
    let flag = prop::sample::select(vec![Some(false), Some(false), Some(true), None]);
    // At the edges that the queries ask for, and just now.
    let minutes = prop::sample::select(vec![0, 1, 59, 60, 61, 120, 600, 1440]);
    (user, ip, store, flag, minutes, 0..3_i64).prop_map(
        move |(user, ip, store, flag, minutes, ms)| {
            let created_at = minutes_ago(minutes) - TimeDelta::milliseconds(ms);
            SessionRecord {
                client_ip: ip.map(str::to_owned),
                id_store: store.map(str::to_owned),
                is_impersonating: flag,
                expires_at: None,
                ..SessionRecord::new(&format!("id-{n:03}|x+/="), user, created_at)
            }
        },
    )
}

/// Random switches, all of them.
pub fn switches() -> impl Strategy<Value = Switches> {
    let form = prop::sample::select(vec![Form::ByAccept, Form::Json, Form::Xml]);
    let total =
        prop::sample::select(vec![Total::True, Total::True, Total::StopsAtCap, Total::Missing]);
    let nothing = prop::sample::select(vec![Nothing::List, Nothing::Null, Nothing::Absent]);
    let matching =
        prop::sample::select(vec![Matching::Exact, Matching::IgnoresCase, Matching::Wildcards]);
    let combination = prop::sample::select(vec![
        Combination::All,
        Combination::All,
        Combination::Any,
        Combination::First,
    ]);
    let words = (form, total, nothing, matching, combination);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let more = (any::<bool>(), any::<bool>(), any::<u64>(), -720..=840_i32, -30..=30_i64);
    (words, flags, more).prop_map(|(words, flags, more)| {
        let (form, total, nothing, matching, combination) = words;
        let (bare_list, collapses_one, values_as_text, shows_nulls, no_match_is_404) = flags;
        let (answers_unkeyed, repeats_one, order_seed, offset_minutes, ahead_seconds) = more;
        Switches {
            form,
            total,
            nothing,
            matching,
            combination,
            bare_list,
            repeats_one,
            collapses_one,
            values_as_text,
            shows_nulls,
            no_match_is_404,
            answers_unkeyed,
            order_seed,
            offset_minutes,
            date_ahead: TimeDelta::seconds(ahead_seconds),
            ..Switches::default()
        }
    })
}

/// A simple query: conditions, a window, a limit.
#[derive(Clone, Debug)]
pub struct Query {
    /// What a row must pass, all of it.
    pub conditions: Vec<Condition>,
    /// The window.
    pub window: Window,
    /// How many rows are wanted.
    pub limit: Option<usize>,
}

/// One condition on a row.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A text column is one of these.
    OneOf(&'static str, Vec<&'static str>),
    /// The id is that of the sessions with these numbers.
    Ids(Vec<usize>),
    /// `is_impersonating` is this.
    IsImpersonating(bool),
    /// `status` is this.
    Status(&'static str),
    /// `end IS NULL`, or not.
    EndIsNull(bool),
    /// `start` lies before so many minutes ago, or from then on.
    Start {
        /// Before then, else from then on.
        is_before: bool,
        /// Minutes before now.
        minutes: i64,
    },
}

/// A time window, in minutes before now.
#[derive(Clone, Copy, Debug)]
pub enum Window {
    /// No time is asked for.
    None,
    /// `AT now`.
    Now,
    /// `SINCE`.
    Since(i64),
    /// `UNTIL`.
    Until(i64),
    /// `AT` a time in the past.
    At(i64),
}

impl Query {
    /// Returns the query that selects ids.
    pub fn sql(&self) -> String {
        let window = match self.window {
            Window::None => String::new(),
            Window::Now => " AT now".to_owned(),
            Window::Since(minutes) => format!(" SINCE {minutes}m"),
            Window::Until(minutes) => format!(" UNTIL {minutes}m"),
            Window::At(minutes) => format!(" AT {minutes}m"),
        };
        let conditions: Vec<_> = self.conditions.iter().map(Condition::sql).collect();
        let condition = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let limit = self.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        format!("SELECT id FROM oam{window}{condition}{limit}")
    }

    /// Tells whether a session is a row, but for the limit.
    pub fn passes(&self, session: &SessionRecord) -> bool {
        let is_in_window = match self.window {
            Window::None | Window::Since(_) => true,
            Window::Now => session.created_at <= minutes_ago(0),
            Window::Until(minutes) => session.created_at < minutes_ago(minutes),
            Window::At(minutes) => session.created_at <= minutes_ago(minutes),
        };
        is_in_window && self.conditions.iter().all(|condition| condition.passes(session))
    }

    /// Tells whether the question is about the past, so that closed sessions would be rows too.
    pub fn is_about_the_past(&self) -> bool {
        let is_open_only = self.conditions.iter().any(|condition| {
            matches!(condition, Condition::Status("ACTIVE") | Condition::EndIsNull(true))
        });
        let names_time = matches!(self.window, Window::Since(_) | Window::Until(_) | Window::At(_))
            || self.conditions.iter().any(|condition| matches!(condition, Condition::Start { .. }));
        names_time && !is_open_only
    }
}

impl Condition {
    fn sql(&self) -> String {
        let list = |values: Vec<String>| match values.as_slice() {
            [value] => format!("= '{value}'"),
            values => format!("IN ('{}')", values.join("', '")),
        };
        match self {
            Self::OneOf(column, values) => {
                format!("{column} {}", list(values.iter().map(|&value| value.to_owned()).collect()))
            }
            Self::Ids(numbers) => {
                format!("id {}", list(numbers.iter().map(|n| format!("id-{n:03}|x+/=")).collect()))
            }
            Self::IsImpersonating(true) => "is_impersonating".to_owned(),
            Self::IsImpersonating(false) => "is_impersonating = false".to_owned(),
            Self::Status(status) => format!("status = '{status}'"),
            Self::EndIsNull(true) => "end IS NULL".to_owned(),
            Self::EndIsNull(false) => "end IS NOT NULL".to_owned(),
            Self::Start { is_before, minutes } => {
                format!("start {} now() - {minutes}m", if *is_before { "<" } else { ">=" })
            }
        }
    }

    fn passes(&self, session: &SessionRecord) -> bool {
        match self {
            Self::OneOf(column, values) => {
                let found = match *column {
                    "user" => Some(session.user.as_str()),
                    "client_ip" => session.client_ip.as_deref(),
                    _ => session.id_store.as_deref(),
                };
                found.is_some_and(|found| values.contains(&found))
            }
            Self::Ids(numbers) => numbers.iter().any(|n| session.id == format!("id-{n:03}|x+/=")),
            Self::IsImpersonating(flag) => session.is_impersonating == Some(*flag),
            Self::Status(status) => *status == "ACTIVE",
            Self::EndIsNull(is_null) => *is_null,
            Self::Start { is_before, minutes } => {
                (session.created_at < minutes_ago(*minutes)) == *is_before
            }
        }
    }
}

/// Random queries. At least every second one names a key.
pub fn query() -> impl Strategy<Value = Query> {
    let window = prop_oneof![
        6 => Just(Window::None),
        2 => Just(Window::Now),
        1 => prop::sample::select(vec![60, 120]).prop_map(Window::Since),
        1 => prop::sample::select(vec![60, 120]).prop_map(Window::Until),
        1 => prop::sample::select(vec![60, 120]).prop_map(Window::At),
    ];
    let limit = prop_oneof![3 => Just(None), 1 => (1..30_usize).prop_map(Some)];
    (prop::collection::vec(condition(), 0..3), window, limit)
        .prop_map(|(conditions, window, limit)| Query { conditions, window, limit })
}

fn condition() -> impl Strategy<Value = Condition> {
    let some = |values: Vec<&'static str>| {
        prop::sample::subsequence(values.clone(), 1..=values.len().min(3))
    };
    prop_oneof![
        6 => some(vec!["ann", "Ann", "bob", "nobody", "a*", "ann\\x", ""])
            .prop_map(|values| Condition::OneOf("user", values)),
        3 => some(vec!["192.0.2.1", "192.0.2.2", "198.51.100.7", "203.0.113.99"])
            .prop_map(|values| Condition::OneOf("client_ip", values)),
        2 => some(vec!["main", "Main", "other"])
            .prop_map(|values| Condition::OneOf("id_store_name", values)),
        2 => prop::collection::vec(0..12_usize, 1..3).prop_map(Condition::Ids),
        2 => any::<bool>().prop_map(Condition::IsImpersonating),
        1 => prop::sample::select(vec!["ACTIVE", "COMPLETED"]).prop_map(Condition::Status),
        1 => any::<bool>().prop_map(Condition::EndIsNull),
        1 => (any::<bool>(), prop::sample::select(vec![60, 120]))
            .prop_map(|(is_before, minutes)| Condition::Start { is_before, minutes }),
    ]
}

//! What the scenarios of the provider `formal` share: a world, and the pieces of random tests.
//! `World` is one emulator with one engine. `sessions`, `switches`, `settings` and `question` draw
//! data, what the provider means by its words, options that fit, and queries; `Shown` is the model's
//! row, and `Question::passes` the model's answer.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::formal::{
    CursorStyle, Emulator, Options, Proxy, SessionRecord, Status, Switches, Timestamp,
};
use sessionql_sandbox::{Clock, formal_toml};

use crate::{Answer, BEGIN, engine, instant, run};

// The plugin's library is built because this crate depends on it.
use sessionql_formal as _;

/// An emulator and an engine connected to it.
pub struct World {
    /// The provider.
    pub emulator: Emulator,
    /// The engine.
    pub engine: Engine,
    /// The time that both live in.
    pub clock: Clock,
}

impl World {
    /// Returns a world with the seeded sessions of a small company.
    pub fn seeded() -> Self {
        Self::with(Options::seeded(1, Clock::fixed(instant(BEGIN))))
    }

    /// Returns a world with just these sessions.
    pub fn of(sessions: Vec<SessionRecord>) -> Self {
        Self::with(Options { sessions, ..Options::empty(Clock::fixed(instant(BEGIN))) })
    }

    /// Returns a world with an emulator of these options.
    ///
    /// # Panics
    /// If no loopback socket is free.
    pub fn with(options: Options) -> Self {
        let clock = options.clock.clone();
        let emulator = Emulator::start(options).expect("a loopback socket is free");
        let engine = engine(&formal_toml(&emulator), &clock);
        Self { emulator, engine, clock }
    }

    /// Replaces the engine by one whose connection has more keys, one a line.
    pub fn configure(&mut self, more: &str) {
        let config = format!("{}{more}\n", formal_toml(&self.emulator));
        self.engine = engine(&config, &self.clock);
    }

    /// Runs one statement.
    pub fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    /// Runs a query and returns its first column, sorted.
    ///
    /// # Panics
    /// If the query fails or lacks something.
    pub fn ids(&self, sql: &str) -> Vec<String> {
        let answer = self.run(sql);
        if let Some(error) = answer.error {
            panic!("{sql}: {error}");
        }
        assert!(answer.completeness.is_complete(), "{sql}: {:?}", answer.completeness);
        let mut ids: Vec<String> = answer.rows.into_iter().map(|row| row[0].clone()).collect();
        ids.sort();
        ids
    }

    /// Returns the model's rows: the records as the switches in force show them.
    pub fn shown(&self) -> Vec<Shown> {
        let switches = self.emulator.switches();
        self.emulator.sessions().iter().map(|record| Shown::of(record, &switches)).collect()
    }

    /// Returns the data requests since the last call: each the name of its call and its message.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.emulator.data_requests();
        self.emulator.clear();
        let line = |path: &str, body: &[u8]| {
            format!("{} {}", path.rsplit('/').next().unwrap_or(path), String::from_utf8_lossy(body))
        };
        requests.iter().map(|request| line(&request.path, &request.body)).collect()
    }
}

/// A session as it is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `id`.
    pub id: String,
    /// `user`.
    pub user: Option<String>,
    /// `status`.
    pub status: String,
    /// `client_ip`.
    pub client_ip: Option<String>,
    /// `start`.
    pub start: Option<DateTime<Utc>>,
    /// `end`.
    pub end: Option<DateTime<Utc>>,
}

impl Shown {
    /// Returns a session as it was; only its state is as the provider knows it. An end that is not
    /// shown is owed all the same, or a word that it is not known.
    pub fn of(record: &SessionRecord, switches: &Switches) -> Self {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let end = record.end.filter(|_| record.status == Status::Completed);
        Self {
            id: record.id.clone(),
            user: some(&record.username),
            status: record.shown_status(switches).as_str().to_uppercase(),
            client_ip: some(&record.client_ip),
            start: record.start,
            end,
        }
    }
}

fn ago(ms: i64) -> DateTime<Utc> {
    instant(BEGIN) - TimeDelta::milliseconds(ms)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Draws milliseconds before the world's begin: near one of a few edges, so that they meet.
pub fn moment() -> impl Strategy<Value = i64> {
    let off = prop::sample::select(vec![0, 0, 0, 1, -1, 999, 1000, 60_000, -60_001]);
    (0..9_i64, off).prop_map(|(hours, off)| (hours * 6 * 3_600_000 + off).max(0))
}

/// The longest session that `sessions` draws, as the option `max_session` has it.
pub const LONGEST: &str = "49h";

fn session(n: usize) -> impl Strategy<Value = SessionRecord> {
    let user = prop::sample::select(vec!["ann", "Ann", "bob", ""]);
    let address = prop::sample::select(vec!["192.0.2.1", "192.0.2.2", ""]);
    (moment(), moment(), moment(), 0..10_u8, user, address).prop_map(
        move |(one, other, event, kind, user, address)| {
            let (start, end) = (ago(one.max(other)), ago(one.min(other)));
            // Ids that differ in nothing but case.
            let id = format!("{}{}", if n.is_multiple_of(2) { "s" } else { "S" }, n / 2);
            let mut record = match kind {
                0..=2 => SessionRecord::active(&id, user, start),
                3 => SessionRecord::idle(&id, user, start),
                4 => SessionRecord::completed(&id, user, start, start),
                _ => SessionRecord::completed(&id, user, start, end),
            };
            record.client_ip = address.to_owned();
            let latest = record.end.unwrap_or(ago(0));
            record.last_event = ago(event).clamp(start, latest);
            if kind == 9 && n.is_multiple_of(5) {
                record.start = None;
            }
            record
        },
    )
}

/// Draws the data of a provider.
pub fn sessions() -> impl Strategy<Value = Vec<SessionRecord>> {
    (1..16_usize).prop_flat_map(|n| (0..n).map(session).collect::<Vec<_>>())
}

/// Draws what the provider means by its words.
pub fn switches() -> impl Strategy<Value = Switches> {
    let select = |values: &[Option<usize>]| prop::sample::select(values.to_vec());
    let time = (
        prop::sample::select(vec![Timestamp::Start, Timestamp::LastEvent, Timestamp::End]),
        any::<[bool; 3]>(),
        prop::sample::select(vec![0_i64, 0, 60_000, -60_000, 1, -1]),
        prop::sample::select(vec![None, Some(1_i64), Some(90)]),
    );
    let pages = (
        any::<[bool; 5]>(),
        select(&[None, Some(1), Some(2), Some(3), Some(7)]),
        prop::option::of(1..4_usize),
        0..3_usize,
    );
    let shown = (
        any::<[bool; 6]>(),
        prop::option::of(1..4_u64),
        prop::sample::select(vec![Proxy::AsRecorded, Proxy::Sidecar, Proxy::Connector]),
        prop::sample::select(vec![None, Some(404_u16), Some(400), Some(412)]),
    );
    (time, pages, shown).prop_map(|(time, pages, shown)| {
        let (timestamp, [start_is_exclusive, end_is_inclusive, whole_seconds], skew, days) = time;
        let (
            [oldest_first, is_opaque, is_bound, full_cursor, fills_cursor],
            page_cap,
            empty,
            repeated,
        ) = pages;
        let ([duration, idle, unknown, space, any_case, parents], hidden, proxy, status) = shown;
        Switches {
            timestamp,
            start_is_exclusive,
            end_is_inclusive,
            whole_seconds,
            skew: TimeDelta::milliseconds(skew),
            oldest_first,
            page_cap,
            cursor: if is_opaque { CursorStyle::Opaque } else { CursorStyle::LastId },
            cursor_is_bound: is_bound,
            fills_cursor,
            cursor_after_full_page: full_cursor,
            empty_page_every: empty,
            repeated_rows: repeated,
            history: days.map(TimeDelta::days),
            completed_without_end: hidden,
            shows_duration: duration,
            knows_idle: idle,
            knows_parents: parents,
            proxy,
            unknown_fields: unknown,
            white_space: space,
            id_ignores_case: any_case,
            error_status: status,
            ..Switches::default()
        }
    })
}

/// Draws options of a connection that are true of a provider with these switches and of `sessions`.
pub fn settings(switches: &Switches) -> impl Strategy<Value = String> + use<> {
    let is_start = switches.timestamp == Timestamp::Start;
    let history =
        switches.history.map(|history| format!("history = \"{}d\"\n", history.num_days()));
    let page = prop::sample::select(vec![1, 2, 5, 1000]);
    (page, 0..4_u8, any::<bool>(), any::<bool>()).prop_map(
        move |(page_size, max_lookups, says_start, says_longest)| {
            let mut lines = format!("page_size = {page_size}\nmax_lookups = {max_lookups}\n");
            lines.push_str(history.as_deref().unwrap_or_default());
            if is_start && says_start {
                lines.push_str("timestamp_is = \"start\"\n");
            }
            if says_longest {
                lines.push_str(&format!("max_session = \"{LONGEST}\"\n"));
            }
            lines
        },
    )
}

/// One condition of a query.
#[derive(Clone, Debug)]
pub enum Condition {
    /// `start`, or `end`, compared with an instant so many milliseconds ago.
    Time {
        /// Whether it is `end`.
        is_end: bool,
        /// One of `<`, `<=`, `>`, `>=`, `=`.
        op: &'static str,
        /// The instant.
        ms: i64,
    },
    /// A column of text in a list, or not.
    Text {
        /// `id`, `user`, `status` or `client_ip`.
        column: &'static str,
        /// The list.
        values: Vec<&'static str>,
        /// Whether it is `NOT IN`.
        is_negated: bool,
    },
    /// `end IS NULL`.
    Open,
}

impl Condition {
    fn sql(&self) -> String {
        match self {
            Self::Time { is_end, op, ms } => {
                let column = if *is_end { "\"end\"" } else { "start" };
                format!("{column} {op} '{}'", text(ago(*ms)))
            }
            Self::Text { column, values, is_negated } => {
                let not = if *is_negated { "NOT " } else { "" };
                format!("{column} {not}IN ('{}')", values.join("', '"))
            }
            Self::Open => "\"end\" IS NULL".to_owned(),
        }
    }

    /// Tells whether it is true; what is unknown is not.
    fn holds(&self, row: &Shown) -> bool {
        match self {
            Self::Time { is_end, op, ms } => {
                let at = ago(*ms);
                let time = if *is_end { row.end } else { row.start };
                time.is_some_and(|time| match *op {
                    "<" => time < at,
                    "<=" => time <= at,
                    ">" => time > at,
                    ">=" => time >= at,
                    _ => time == at,
                })
            }
            Self::Text { column, values, is_negated } => {
                let text = match *column {
                    "id" => Some(&row.id),
                    "user" => row.user.as_ref(),
                    "status" => Some(&row.status),
                    _ => row.client_ip.as_ref(),
                };
                text.is_some_and(|text| values.contains(&text.as_str()) != *is_negated)
            }
            Self::Open => row.end.is_none(),
        }
    }
}

/// A query: a window in milliseconds before now, conditions that all hold, and a limit.
#[derive(Clone, Debug)]
pub struct Question {
    /// `SINCE` and `UNTIL`; equal ones are `AT`.
    pub window: (Option<i64>, Option<i64>),
    /// What must hold.
    pub conditions: Vec<Condition>,
    /// `LIMIT`.
    pub limit: Option<usize>,
}

impl Question {
    /// Returns the query over a table.
    pub fn sql(&self, table: &str) -> String {
        let window = match self.window {
            (None, None) => String::new(),
            (Some(since), None) => format!(" SINCE now - {since}ms"),
            (None, Some(until)) => format!(" UNTIL now - {until}ms"),
            (Some(since), Some(until)) if since == until => format!(" AT now - {since}ms"),
            (Some(since), Some(until)) => format!(" SINCE now - {since}ms UNTIL now - {until}ms"),
        };
        let conditions: Vec<_> = self.conditions.iter().map(Condition::sql).collect();
        let word = if conditions.is_empty() { "" } else { " WHERE " };
        let limit = self.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        format!("SELECT id FROM {table}{window}{word}{}{limit}", conditions.join(" AND "))
    }

    /// Tells whether a row is part of the answer, but for the limit.
    pub fn passes(&self, row: &Shown) -> bool {
        self.is_open(row) && self.conditions.iter().all(|condition| condition.holds(row))
    }

    fn is_open(&self, row: &Shown) -> bool {
        let (since, until) = (self.window.0.map(ago), self.window.1.map(ago));
        if since.is_none() && until.is_none() {
            return true;
        }
        let Some(start) = row.start else { return false };
        let is_instant = since == until;
        let begins = until.is_none_or(|at| if is_instant { start <= at } else { start < at });
        let lasts = since
            .is_none_or(|at| row.end.is_none_or(|end| end > at || (end == start && start >= at)));
        begins && lasts
    }

    /// Tells whether rows from before `horizon` may be missing although no gap says so: the question
    /// asks for no time back there.
    pub fn may_lack(&self, horizon: DateTime<Utc>) -> bool {
        let bounds = |of_end: bool, ops: [&'static str; 3]| {
            self.conditions.iter().filter_map(move |condition| match condition {
                Condition::Time { is_end, op, ms } if *is_end == of_end && ops.contains(op) => {
                    Some(ago(*ms))
                }
                _ => None,
            })
        };
        let (lower, upper) = ([">", ">=", "="], ["<", "<=", "="]);
        let has_start = bounds(false, lower).next().is_some();
        let open_since = bounds(true, lower).chain(self.window.0.map(ago)).max();
        let until =
            bounds(false, upper).chain(bounds(true, upper)).chain(self.window.1.map(ago)).min();
        let is_asked_back = match open_since {
            Some(since) => since < horizon,
            None => until.is_some_and(|until| until < horizon),
        };
        !has_start && !is_asked_back
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let list =
        |column: &'static str, values: &[&'static str]| {
            let values = prop::sample::subsequence(values.to_vec(), 1..=values.len());
            (values, prop::bool::weighted(0.2)).prop_map(move |(values, is_negated)| {
                Condition::Text { column, values, is_negated }
            })
        };
    prop_oneof![
        4 => (any::<bool>(), prop::sample::select(vec!["<", "<=", ">", ">=", "="]), moment())
            .prop_map(|(is_end, op, ms)| Condition::Time { is_end, op, ms }),
        2 => list("id", &["s0", "S0", "s1", "nobody", "s2\""]),
        1 => list("user", &["ann", "Ann", "carl"]),
        1 => list("status", &["ACTIVE", "IDLE", "COMPLETED", "active"]),
        1 => list("client_ip", &["192.0.2.1", "192.0.2.9"]),
        1 => Just(Condition::Open),
    ]
}

/// Draws a query.
pub fn question() -> impl Strategy<Value = Question> {
    let window = prop_oneof![
        3 => Just((None, None)),
        1 => moment().prop_map(|since| (Some(since), None)),
        1 => moment().prop_map(|until| (None, Some(until))),
        2 => (moment(), moment()).prop_map(|(a, b)| (Some(a.max(b)), Some(a.min(b)))),
        1 => moment().prop_map(|at| (Some(at), Some(at))),
    ];
    let conditions = prop::collection::vec(condition(), 0..4);
    let limit = prop::option::weighted(0.3, 1..6_usize);
    (window, conditions, limit).prop_map(|(window, conditions, limit)| Question {
        window,
        conditions,
        limit,
    })
}

//! What the scenarios of ekran share: a world with its emulator, a model of its rows, and random
//! sessions, switches and queries.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_ekran as _; // builds the plugin's library
use sessionql_sandbox::ekran::{
    Emulator, Idle, Offset, Options, Order, Selection, SessionRecord, Switches, Unfinished,
};
use sessionql_sandbox::{Clock, ekran_toml};

use crate::{Answer, engine, run};

/// An emulator and an engine connected to it.
pub struct EkranWorld {
    /// The provider.
    pub emulator: Emulator,
    /// The engine.
    pub engine: Engine,
    /// The time that both live in.
    pub clock: Clock,
}

impl EkranWorld {
    /// Returns a world with just these sessions, at an instant.
    ///
    /// # Panics
    /// If there is no socket left.
    pub fn of(sessions: Vec<SessionRecord>, now: DateTime<Utc>) -> Self {
        Self::with(Options { sessions, ..Options::empty(Clock::fixed(now)) })
    }

    /// Returns a world with an emulator of these options.
    ///
    /// # Panics
    /// If there is no socket left.
    pub fn with(options: Options) -> Self {
        let clock = options.clock.clone();
        let emulator = Emulator::start(options).expect("a loopback socket is free");
        let engine = engine(&ekran_toml(&emulator), &clock);
        Self { emulator, engine, clock }
    }

    /// Replaces the engine by one whose connection has more keys, one a line. It knows nothing yet.
    pub fn configure(&mut self, more: &str) {
        let config = format!("{}{more}\n", ekran_toml(&self.emulator));
        self.engine = engine(&config, &self.clock);
    }

    /// Replaces the engine by one whose connection has no time zone.
    pub fn forget_zone(&mut self) {
        let config = ekran_toml(&self.emulator);
        let lines = config.lines().filter(|line| !line.starts_with("time_zone"));
        self.engine = engine(&lines.collect::<Vec<_>>().join("\n"), &self.clock);
    }

    /// Runs one statement.
    pub fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    /// Runs a query that must be answered in full and returns its rows, sorted.
    ///
    /// # Panics
    /// If the query fails or its answer is not complete.
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert!(answer.completeness.is_complete(), "{sql}: {:?}", answer.completeness);
        sorted(answer.rows)
    }

    /// Returns the data requests since the last call, one line each, without the path.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.emulator.data_requests();
        let line = |line: String| line.replace("GET /ekranapi/sessions", "");
        let lines = requests.iter().map(|request| line(request.to_string())).collect();
        self.emulator.clear();
        lines
    }
}

/// Returns rows in one order.
pub fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

/// Three sessions by which a server shows how it selects an hour and a quarter before `now`: one
/// that is not finished, one that ends just after, one that begins just before. In none of them
/// anything happens.
pub fn crowd(now: DateTime<Utc>) -> Vec<SessionRecord> {
    let ago = |minutes| now - TimeDelta::minutes(minutes);
    vec![
        SessionRecord::unfinished(9001, 91, ago(30 * 60)),
        SessionRecord::finished(9002, 92, ago(5 * 60), ago(70)),
        SessionRecord::finished(9003, 93, ago(80), ago(20)),
    ]
}

/// The columns that queries of the model ask for.
pub const COLUMNS: [&str; 8] =
    ["id", "user", "start", "end", "status", "session_id", "user_id", "client_guid"];

/// Returns the value of a column as text.
///
/// # Panics
/// If the model has no such column.
pub fn value(session: &SessionRecord, column: &str) -> String {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    match column {
        "id" | "session_id" => session.session_id.to_string(),
        "user" | "user_id" => session.user_id.to_string(),
        "start" => time(session.login),
        "end" => session.logout.map_or_else(|| "NULL".to_owned(), time),
        "status" => status(session).to_owned(),
        "client_guid" => session.client_guid.clone(),
        other => unreachable!("no column {other}"),
    }
}

fn status(session: &SessionRecord) -> &'static str {
    if session.logout.is_none() { "ACTIVE" } else { "COMPLETED" }
}

/// A comparison.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
}

impl Op {
    const ALL: [Self; 5] = [Self::Less, Self::AtMost, Self::Greater, Self::AtLeast, Self::Equal];

    fn sql(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
        }
    }

    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
        }
    }
}

/// One conjunct. Times are milliseconds before now.
#[derive(Clone, Debug)]
pub enum Condition {
    /// On `start`.
    Start(Op, i64),
    /// On `end`.
    End(Op, i64),
    /// Whether there is an end.
    EndIsNull(bool),
    /// On `duration`.
    Lasted(Op, i64),
    /// On `user`.
    User(i64),
    /// On `id`.
    Id(i64),
    /// On `status`.
    Status(&'static str),
    /// On `client_ip`, which this provider lacks.
    HasAddress(bool),
}

impl Condition {
    fn sql(&self) -> String {
        match self {
            Self::Start(op, ms) => format!("start {} now() - {ms}ms", op.sql()),
            Self::End(op, ms) => format!("\"end\" {} now() - {ms}ms", op.sql()),
            Self::EndIsNull(is_null) => format!("\"end\" IS {}NULL", not_unless(*is_null)),
            Self::Lasted(op, ms) => format!("duration {} {ms}ms", op.sql()),
            Self::User(user) => format!("user = '{user}'"),
            Self::Id(id) => format!("id = '{id}'"),
            Self::Status(status) => format!("status = '{status}'"),
            Self::HasAddress(has) => format!("client_ip IS {}NULL", not_unless(!*has)),
        }
    }

    fn holds(&self, session: &SessionRecord, now: DateTime<Utc>) -> bool {
        let ago = |ms: &i64| now - TimeDelta::milliseconds(*ms);
        match self {
            Self::Start(op, ms) => op.holds(&session.login, &ago(ms)),
            Self::End(op, ms) => session.logout.is_some_and(|end| op.holds(&end, &ago(ms))),
            Self::EndIsNull(is_null) => session.logout.is_none() == *is_null,
            Self::Lasted(op, ms) => {
                let lasted = session.logout.unwrap_or(now) - session.login;
                op.holds(&lasted, &TimeDelta::milliseconds(*ms))
            }
            Self::User(user) => session.user_id == *user,
            Self::Id(id) => session.session_id == *id,
            Self::Status(asked) => status(session) == *asked,
            Self::HasAddress(has) => !has,
        }
    }
}

fn not_unless(holds: bool) -> &'static str {
    if holds { "" } else { "NOT " }
}

/// A time window, in milliseconds before now.
#[derive(Clone, Copy, Debug)]
pub enum Window {
    /// None.
    None,
    /// `SINCE`
    Since(i64),
    /// `UNTIL`
    Until(i64),
    /// `SINCE … UNTIL`
    Between(i64, i64),
    /// `AT`
    At(i64),
}

impl Window {
    fn sql(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Since(ms) => format!(" SINCE now - {ms}ms"),
            Self::Until(ms) => format!(" UNTIL now - {ms}ms"),
            Self::Between(since, until) => format!(" SINCE now - {since}ms UNTIL now - {until}ms"),
            Self::At(ms) => format!(" AT now - {ms}ms"),
        }
    }

    /// Whether a session is open at some time of the window; the formula of the language page.
    pub fn holds(self, session: &SessionRecord, now: DateTime<Utc>) -> bool {
        let ago = |ms: i64| now - TimeDelta::milliseconds(ms);
        let (start, end) = (session.login, session.logout);
        let (since, until) = match self {
            Self::None => return true,
            Self::At(ms) => {
                let at = ago(ms);
                let is_there = end.is_none_or(|end| end > at || (end == start && start == at));
                return start <= at && is_there;
            }
            Self::Since(since) => (Some(ago(since)), None),
            Self::Until(until) => (None, Some(ago(until))),
            Self::Between(since, until) => (Some(ago(since)), Some(ago(until))),
        };
        until.is_none_or(|until| start < until)
            && since.is_none_or(|since| {
                end.is_none_or(|end| end > since || (end == start && start >= since))
            })
    }
}

/// A query.
#[derive(Clone, Debug)]
pub struct Query {
    /// What is asked for.
    pub columns: Vec<&'static str>,
    /// When.
    pub window: Window,
    /// Who.
    pub conditions: Vec<Condition>,
    /// How many.
    pub limit: Option<usize>,
}

impl Query {
    /// Returns the query's text.
    pub fn sql(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| format!("\"{name}\"")).collect();
        let conditions: Vec<String> = self.conditions.iter().map(Condition::sql).collect();
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let limit = self.limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        format!("SELECT {} FROM ekran{}{filter}{limit}", columns.join(", "), self.window.sql())
    }

    /// Returns the rows that answer the query, sorted, without regard to its limit.
    pub fn rows(&self, sessions: &[SessionRecord], now: DateTime<Utc>) -> Vec<Vec<String>> {
        let passes = |session: &&SessionRecord| {
            self.window.holds(session, now)
                && self.conditions.iter().all(|condition| condition.holds(session, now))
        };
        let row = |session: &SessionRecord| {
            self.columns.iter().map(|column| value(session, column)).collect()
        };
        sorted(sessions.iter().filter(passes).map(row).collect())
    }
}

/// Milliseconds before now: near one of a few edges, so that they meet.
pub fn moment() -> impl Strategy<Value = i64> {
    let off = prop::sample::select(vec![
        0, 0, 0, 1, -1, 999, 1000, 1001, -1000, 2000, -2000, 1_800_000, 3_600_000, -3_600_000,
    ]);
    (0..9_i64, off).prop_map(|(edge, off)| (edge * 6 * 3_600_000 + off).max(0))
}

/// A session of one of a few users.
pub fn session(id: i64, now: DateTime<Utc>) -> impl Strategy<Value = SessionRecord> {
    let activities = prop::collection::vec(moment(), 0..4);
    (moment(), moment(), 0..6_u8, 1..5_i64, activities, 0..9_u8).prop_map(
        move |(one, other, kind, user, activities, twin)| {
            let ago = |ms| now - TimeDelta::milliseconds(ms);
            let (login, logout) = (ago(one.max(other)), ago(one.min(other)));
            let record = match kind {
                0 | 1 => SessionRecord::unfinished(id, user, login),
                2 => SessionRecord::finished(id, user, login, login),
                _ => SessionRecord::finished(id, user, login, logout),
            };
            let until = record.logout.unwrap_or(now);
            let within = activities.into_iter().map(ago).filter(|at| *at >= login && *at <= until);
            let mut record = record.with_activities(within.collect::<Vec<_>>());
            if twin == 0 {
                // Another client's session of the same number.
                record.session_id = id - 1;
                record.client_guid = format!("twin-{id}");
            }
            record
        },
    )
}

/// Some sessions, most times with those by which a server can show how it selects.
pub fn sessions(now: DateTime<Utc>) -> impl Strategy<Value = Vec<SessionRecord>> {
    let some =
        (1..14_i64).prop_flat_map(move |n| (0..n).map(|id| session(id, now)).collect::<Vec<_>>());
    (some, 0..4_u8).prop_map(move |(mut sessions, n)| {
        if n > 0 {
            sessions.extend(crowd(now));
        }
        sessions
    })
}

/// Any reading of the documents.
pub fn switches() -> impl Strategy<Value = Switches> {
    use prop::sample::select;
    let zones = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"];
    let zones = zones.map(|zone| zone.parse().expect("it is a zone")).to_vec();
    let offset = select(vec![
        Offset::Utc,
        Offset::Server,
        Offset::Fixed(19_800),
        Offset::Mixed,
        Offset::Absent,
    ]);
    let selection = select(vec![
        Selection::Overlap,
        Selection::Overlap,
        Selection::Overlap,
        Selection::Activity,
        Selection::StartedOrFinished,
    ]);
    let unfinished = select(vec![
        Unfinished::Null,
        Unfinished::Absent,
        Unfinished::Null,
        Unfinished::LastActivity,
    ]);
    let order = select(vec![Order::Oldest, Order::Newest, Order::ByUser]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let more = (any::<bool>(), any::<bool>(), any::<bool>());
    // Rare, so that most servers can be sent bounds.
    let odd = (prop::bool::weighted(0.15), prop::bool::weighted(0.15));
    (select(zones), offset, selection, unfinished, order, flags, (more, odd)).prop_map(
        |(time_zone, offset, selection, unfinished, order, flags, (more, odd))| {
            let (fold_is_later, start_is_inclusive, end_is_inclusive, ends, cuts_unfinished) =
                flags;
            let (numbers_as_text, gzip, is_elsewhere) = more;
            Switches {
                time_zone,
                fold_is_later,
                ignores_summer: odd.0,
                offset,
                start_is_inclusive,
                end_is_inclusive,
                selection,
                open_need_end: odd.1,
                idle: if is_elsewhere { Idle::Elsewhere } else { Idle::Bound },
                ends_are_activities: ends,
                unfinished,
                cuts_unfinished,
                order,
                numbers_as_text,
                gzip,
            }
        },
    )
}

/// Any window.
pub fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        2 => Just(Window::None),
        3 => moment().prop_map(Window::Since),
        1 => moment().prop_map(Window::Until),
        3 => (moment(), moment()).prop_map(|(a, b)| match a == b {
            true => Window::At(a),
            false => Window::Between(a.max(b), a.min(b)),
        }),
        2 => moment().prop_map(Window::At),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = || prop::sample::select(Op::ALL.to_vec());
    let status = prop::sample::select(vec!["ACTIVE", "COMPLETED", "active"]);
    prop_oneof![
        5 => (op(), moment()).prop_map(|(op, ms)| Condition::Start(op, ms)),
        3 => (op(), moment()).prop_map(|(op, ms)| Condition::End(op, ms)),
        1 => any::<bool>().prop_map(Condition::EndIsNull),
        1 => (op(), moment()).prop_map(|(op, ms)| Condition::Lasted(op, ms)),
        2 => (1..6_i64).prop_map(Condition::User),
        1 => (0..14_i64).prop_map(Condition::Id),
        2 => status.prop_map(Condition::Status),
        1 => any::<bool>().prop_map(Condition::HasAddress),
    ]
}

/// Any query, of few columns more often than of all.
pub fn query() -> impl Strategy<Value = Query> {
    let columns = prop_oneof![
        4 => prop::sample::select(vec![vec!["user"], vec!["id"], vec!["client_guid", "user_id"]]),
        2 => prop::sample::subsequence(COLUMNS.to_vec(), 1..=4),
        1 => Just(COLUMNS.to_vec()),
        1 => Just(vec!["user", "start"]),
        1 => Just(vec!["id", "end"]),
    ];
    let conditions = prop::collection::vec(condition(), 0..3);
    let limit = prop::option::weighted(0.15, 1..4_usize);
    (columns, window(), conditions, limit).prop_map(|(columns, window, conditions, limit)| Query {
        columns,
        window,
        conditions,
        limit,
    })
}

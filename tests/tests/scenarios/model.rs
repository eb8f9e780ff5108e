//! Random queries over random sessions, held against a model of SQL's three-valued logic.
//! The provider means its words in every way it may, and records are made and updated off their
//! sessions by as much as the connection's `slack` allows.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_core::ExecuteOptions;
use sessionql_sandbox::openvpn::{
    EndDefault, Missing, PageOrder, SessionRecord, Status, Switches, UnknownStatus, Updated,
};
use sessionql_sandbox::{Fault, On, openvpn_toml};
use sessionql_tests::{Answer, BEGIN, World, engine, instant, run};

/// The `slack` of a connection that sets none.
const SLACK_MS: i64 = 600_000;

/// A record as the provider shows it.
#[derive(Clone, Debug)]
struct Shown {
    id: String,
    user: Option<String>,
    status: Status,
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

impl Shown {
    /// Returns how a record is read: a closed session without end lasted as long as it says.
    fn of(record: &SessionRecord, hides_end: bool) -> Self {
        let inferred = || {
            let lasted = TimeDelta::seconds(record.duration_seconds.unwrap_or(0));
            (record.status != Status::Active).then(|| record.start.map(|start| start + lasted))?
        };
        Self {
            id: record.id.clone(),
            user: record.user_name.clone(),
            status: record.status,
            start: record.start,
            end: if hides_end { inferred() } else { record.end.or_else(inferred) },
        }
    }

    fn duration(&self) -> Option<TimeDelta> {
        Some(self.end.unwrap_or(now()) - self.start?)
    }
}

fn now() -> DateTime<Utc> {
    instant(BEGIN)
}

fn ago(ms: i64) -> DateTime<Utc> {
    now() - TimeDelta::milliseconds(ms)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Differs,
}

impl Op {
    const ALL: [Self; 6] =
        [Self::Less, Self::AtMost, Self::Greater, Self::AtLeast, Self::Equal, Self::Differs];

    fn sql(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
            Self::Differs => "<>",
        }
    }

    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Differs => left != right,
        }
    }
}

/// A condition: its text and its truth, `None` for unknown.
#[derive(Clone, Debug)]
enum Condition {
    /// `start` or `end` against an instant; `true` if the instant stands on the left.
    Time {
        is_end: bool,
        op: Op,
        ms: i64,
        is_swapped: bool,
    },
    Between {
        is_end: bool,
        from_ms: i64,
        to_ms: i64,
        is_negated: bool,
    },
    TimeIn {
        is_end: bool,
        values: Vec<i64>,
        has_null: bool,
        is_negated: bool,
    },
    Text {
        is_status: bool,
        op: Op,
        value: &'static str,
    },
    TextIn {
        is_status: bool,
        values: Vec<&'static str>,
        has_null: bool,
        is_negated: bool,
    },
    Like {
        pattern: &'static str,
    },
    IsNull {
        column: &'static str,
        is_negated: bool,
    },
    Lasted {
        op: Op,
        ms: i64,
    },
    Columns {
        op: Op,
    },
    NotDistinct {
        value: Option<&'static str>,
    },
    Null,
    Elsewhere,
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Is {
        truth: bool,
        inner: Box<Self>,
    },
    Case(Box<Self>, Box<Self>, Box<Self>),
}

fn not_if(is_negated: bool) -> &'static str {
    if is_negated { "NOT " } else { "" }
}

fn is_in<T: PartialEq>(value: Option<T>, list: &[T], has_null: bool) -> Option<bool> {
    let value = value?;
    if list.contains(&value) {
        return Some(true);
    }
    (!has_null).then_some(false)
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

impl Condition {
    fn sql(&self) -> String {
        let time = |is_end: &bool| if *is_end { "\"end\"" } else { "start" };
        let word = |is_status: &bool| if *is_status { "status" } else { "user" };
        let list = |mut items: Vec<String>, has_null: bool| {
            if has_null {
                items.insert(items.len() / 2, "NULL".to_owned());
            }
            items.join(", ")
        };
        match self {
            Self::Time { is_end, op, ms, is_swapped: false } => {
                format!("{} {} '{}'", time(is_end), op.sql(), text(ago(*ms)))
            }
            Self::Time { is_end, op, ms, is_swapped: true } => {
                format!("'{}' {} {}", text(ago(*ms)), op.sql(), time(is_end))
            }
            Self::Between { is_end, from_ms, to_ms, is_negated } => format!(
                "{} {}BETWEEN now() - {from_ms}ms AND now() - {to_ms}ms",
                time(is_end),
                not_if(*is_negated)
            ),
            Self::TimeIn { is_end, values, has_null, is_negated } => {
                let items = values.iter().map(|ms| format!("'{}'", text(ago(*ms)))).collect();
                let (column, not) = (time(is_end), not_if(*is_negated));
                format!("{column} {not}IN ({})", list(items, *has_null))
            }
            Self::Text { is_status, op, value } => {
                format!("{} {} '{value}'", word(is_status), op.sql())
            }
            Self::TextIn { is_status, values, has_null, is_negated } => {
                let items = values.iter().map(|value| format!("'{value}'")).collect();
                let (column, not) = (word(is_status), not_if(*is_negated));
                format!("{column} {not}IN ({})", list(items, *has_null))
            }
            Self::Like { pattern } => format!("user LIKE '{pattern}'"),
            Self::IsNull { column, is_negated } => {
                format!("\"{column}\" IS {}NULL", not_if(*is_negated))
            }
            Self::Lasted { op, ms } => format!("duration {} {ms}ms", op.sql()),
            Self::Columns { op } => format!("start {} \"end\"", op.sql()),
            Self::NotDistinct { value: Some(value) } => {
                format!("status IS NOT DISTINCT FROM '{value}'")
            }
            Self::NotDistinct { value: None } => "user IS NOT DISTINCT FROM NULL".to_owned(),
            Self::Null => "user = NULL".to_owned(),
            Self::Elsewhere => "connection = 'elsewhere'".to_owned(),
            Self::And(left, right) => format!("({} AND {})", left.sql(), right.sql()),
            Self::Or(left, right) => format!("({} OR {})", left.sql(), right.sql()),
            Self::Not(inner) => format!("(NOT {})", inner.sql()),
            Self::Is { truth, inner } => format!("(({}) IS {truth})", inner.sql()),
            Self::Case(when, then, otherwise) => format!(
                "(CASE WHEN {} THEN {} ELSE {} END)",
                when.sql(),
                then.sql(),
                otherwise.sql()
            ),
        }
    }

    fn truth(&self, row: &Shown) -> Option<bool> {
        let time = |is_end: &bool| if *is_end { row.end } else { row.start };
        let word = |is_status: &bool| match is_status {
            true => Some(row.status.as_str()),
            false => row.user.as_deref(),
        };
        match self {
            Self::Time { is_end, op, ms, is_swapped } => {
                let (column, at) = (time(is_end)?, ago(*ms));
                Some(if *is_swapped { op.holds(&at, &column) } else { op.holds(&column, &at) })
            }
            Self::Between { is_end, from_ms, to_ms, is_negated } => {
                let column = time(is_end)?;
                Some((column >= ago(*from_ms) && column <= ago(*to_ms)) != *is_negated)
            }
            Self::TimeIn { is_end, values, has_null, is_negated } => {
                let values: Vec<_> = values.iter().map(|ms| ago(*ms)).collect();
                is_in(time(is_end), &values, *has_null).map(|found| found != *is_negated)
            }
            Self::Text { is_status, op, value } => Some(op.holds(&word(is_status)?, value)),
            Self::TextIn { is_status, values, has_null, is_negated } => {
                is_in(word(is_status), values, *has_null).map(|found| found != *is_negated)
            }
            Self::Like { pattern } => {
                let user = row.user.as_deref()?;
                Some(match pattern.strip_suffix('%') {
                    Some(prefix) => user.starts_with(prefix),
                    None => user == *pattern,
                })
            }
            Self::IsNull { column, is_negated } => {
                let is_null = match *column {
                    "user" => row.user.is_none(),
                    "start" => row.start.is_none(),
                    _ => row.end.is_none(),
                };
                Some(is_null != *is_negated)
            }
            Self::Lasted { op, ms } => {
                Some(op.holds(&row.duration()?, &TimeDelta::milliseconds(*ms)))
            }
            Self::Columns { op } => Some(op.holds(&row.start?, &row.end?)),
            Self::NotDistinct { value: Some(value) } => Some(row.status.as_str() == *value),
            Self::NotDistinct { value: None } => Some(row.user.is_none()),
            Self::Null => None,
            Self::Elsewhere => Some(false),
            Self::And(left, right) => and(left.truth(row), right.truth(row)),
            Self::Or(left, right) => {
                let not = |truth: Option<bool>| truth.map(|truth| !truth);
                not(and(not(left.truth(row)), not(right.truth(row))))
            }
            Self::Not(inner) => inner.truth(row).map(|truth| !truth),
            Self::Is { truth, inner } => Some(inner.truth(row) == Some(*truth)),
            Self::Case(when, then, otherwise) => match when.truth(row) {
                Some(true) => then.truth(row),
                _ => otherwise.truth(row),
            },
        }
    }
}

/// A time window, in milliseconds before now.
#[derive(Clone, Copy, Debug)]
enum Window {
    None,
    Since(i64),
    Until(i64),
    Between(i64, i64),
    At(i64),
}

impl Window {
    fn sql(self) -> String {
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

    fn holds(self, row: &Shown) -> bool {
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
fn moment() -> impl Strategy<Value = i64> {
    (0..9_i64, prop::sample::select(vec![0, 0, 0, 1, -1, 600_000, -600_000, 600_001, -599_999]))
        .prop_map(|(hours, off)| (hours * 6 * 3_600_000 + off).max(0))
}

/// By how much a record may be off its session.
fn slack() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 0, 1, -1, SLACK_MS - 1, 1 - SLACK_MS, SLACK_MS, -SLACK_MS])
}

fn session(n: usize) -> impl Strategy<Value = SessionRecord> {
    let user = prop::sample::select(vec![Some("ann"), Some("Ann"), Some("bob"), None]);
    let kind = 0..10_u8;
    (moment(), moment(), kind, user, slack(), slack(), prop::option::of(moment())).prop_map(
        move |(one, other, kind, user, created_off, updated_off, touched)| {
            let (began, ended) = (one.max(other), one.min(other));
            let (start, id) = (ago(began), format!("s{n:02}"));
            let mut record = match kind {
                0..=3 => SessionRecord::active(&id, "", start),
                4 => SessionRecord::failed(&id, "", start),
                5 => SessionRecord::completed(&id, "", start, start),
                _ => SessionRecord::completed(&id, "", start, ago(ended)),
            };
            record.user_name = user.map(str::to_owned);
            // What is in the provider's books was written before now.
            let latest = ago(1);
            let off = |at: DateTime<Utc>, ms| (at + TimeDelta::milliseconds(ms)).min(latest);
            let updated_at = off(record.end.unwrap_or(start), updated_off);
            record.created_at = off(start, created_off);
            record.updated_at = updated_at.max(record.created_at);
            if record.status == Status::Active {
                record.updated_at = record.created_at;
                if let Some(touched) = touched.map(ago).filter(|at| *at > record.created_at) {
                    record.touch(touched.min(latest));
                }
            }
            if kind == 9 && n.is_multiple_of(5) {
                record.start = None;
            }
            record
        },
    )
}

fn sessions() -> impl Strategy<Value = Vec<SessionRecord>> {
    (1..16_usize).prop_flat_map(|n| (0..n).map(session).collect::<Vec<_>>())
}

fn condition() -> impl Strategy<Value = Condition> {
    let op = || prop::sample::select(Op::ALL.to_vec());
    let status = || prop::sample::select(vec!["ACTIVE", "COMPLETED", "FAILED", "active"]);
    let user = || prop::sample::select(vec!["ann", "Ann", "carl"]);
    let leaf = prop_oneof![
        6 => (any::<bool>(), op(), moment(), any::<bool>()).prop_map(
            |(is_end, op, ms, is_swapped)| Condition::Time { is_end, op, ms, is_swapped }
        ),
        2 => (any::<bool>(), moment(), moment(), any::<bool>()).prop_map(
            |(is_end, from_ms, to_ms, is_negated)| Condition::Between { is_end, from_ms, to_ms, is_negated }
        ),
        1 => (any::<bool>(), prop::collection::vec(moment(), 1..5), any::<bool>(), any::<bool>())
            .prop_map(|(is_end, values, has_null, is_negated)| Condition::TimeIn { is_end, values, has_null, is_negated }),
        3 => (op(), status()).prop_map(|(op, value)| Condition::Text { is_status: true, op, value }),
        2 => (op(), user()).prop_map(|(op, value)| Condition::Text { is_status: false, op, value }),
        2 => (prop::collection::vec(status(), 1..5), any::<bool>(), any::<bool>()).prop_map(
            |(values, has_null, is_negated)| Condition::TextIn { is_status: true, values, has_null, is_negated }
        ),
        1 => (prop::collection::vec(user(), 1..3), any::<bool>(), any::<bool>()).prop_map(
            |(values, has_null, is_negated)| Condition::TextIn { is_status: false, values, has_null, is_negated }
        ),
        1 => prop::sample::select(vec!["a%", "ann", "%"]).prop_map(|pattern| Condition::Like { pattern }),
        2 => (prop::sample::select(vec!["user", "start", "end"]), any::<bool>())
            .prop_map(|(column, is_negated)| Condition::IsNull { column, is_negated }),
        2 => (op(), moment()).prop_map(|(op, ms)| Condition::Lasted { op, ms }),
        1 => op().prop_map(|op| Condition::Columns { op }),
        1 => prop::option::of(status()).prop_map(|value| Condition::NotDistinct { value }),
        1 => Just(Condition::Null),
        1 => Just(Condition::Elsewhere),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            3 => (boxed(), boxed()).prop_map(|(a, b)| Condition::And(a, b)),
            3 => (boxed(), boxed()).prop_map(|(a, b)| Condition::Or(a, b)),
            2 => boxed().prop_map(Condition::Not),
            1 => (any::<bool>(), boxed()).prop_map(|(truth, inner)| Condition::Is { truth, inner }),
            1 => (boxed(), boxed(), boxed()).prop_map(|(a, b, c)| Condition::Case(a, b, c)),
        ]
    })
}

fn window() -> impl Strategy<Value = Window> {
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

fn switches() -> impl Strategy<Value = Switches> {
    let order = prop::sample::select(vec![
        PageOrder::CreatedAscending,
        PageOrder::CreatedDescending,
        PageOrder::UpdatedAscending,
    ]);
    let updated =
        prop::sample::select(vec![Updated::Any, Updated::LastOnly, Updated::CreatedOrLast]);
    let unknown = prop::sample::select(vec![
        UnknownStatus::Refused,
        UnknownStatus::Ignored,
        UnknownStatus::MatchesNothing,
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let more_flags = (any::<bool>(), any::<bool>());
    let page_cap = prop::sample::select(vec![None, Some(1), Some(2), Some(3), Some(7)]);
    let empty = prop::option::of(1..4_usize);
    let without_end = prop::option::of(1..4_u64);
    (order, updated, unknown, flags, more_flags, page_cap, empty, 0..3_usize, without_end).prop_map(
        |(order, updated, unknown, flags, more_flags, page_cap, empty, repeated, without_end)| {
            let (touched, open_end, null, as_text, full_cursor) = flags;
            let (bound, any_case) = more_flags;
            Switches {
                page_order: order,
                updated,
                active_counts_as_updated: touched,
                end_default: if open_end { EndDefault::Open } else { EndDefault::Now },
                missing: if null { Missing::Null } else { Missing::Absent },
                numbers_as_text: as_text,
                page_cap,
                empty_page_every: empty,
                cursor_after_full_page: full_cursor,
                cursor_is_bound: bound,
                unknown_status: unknown,
                status_ignores_case: any_case,
                repeated_rows: repeated,
                closed_without_end: without_end,
                ..Switches::default()
            }
        },
    )
}

/// Tells as the emulator does whether a record is shown without its end.
fn hides_end(id: &str, switches: &Switches) -> bool {
    let sum = id.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    switches.closed_without_end.is_some_and(|every| sum.is_multiple_of(every.max(1)))
}

fn shown(world: &World, switches: &Switches) -> Vec<Shown> {
    let records = world.emulator.sessions();
    records.iter().map(|record| Shown::of(record, hides_end(&record.id, switches))).collect()
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

fn complete(answer: Answer, sql: &str) -> Vec<Vec<String>> {
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    assert!(answer.completeness.is_complete(), "{sql}: {:?}", answer.completeness);
    answer.rows
}

fn null_or(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "NULL".to_owned())
}

/// Asks in every form in which a condition and a window can be asked.
fn check(world: &World, switches: &Switches, queries: &[(Window, Condition)]) {
    let rows = shown(world, switches);
    let passing = |(window, condition): &(Window, Condition)| -> Vec<&Shown> {
        let passes = |row: &&Shown| window.holds(row) && condition.truth(row) == Some(true);
        rows.iter().filter(passes).collect()
    };
    let table = |(window, condition): &(Window, Condition)| {
        format!("openvpn{} WHERE {}", window.sql(), condition.sql())
    };
    let ids = |found: &[&Shown]| -> Vec<Vec<String>> {
        sorted(found.iter().map(|row| vec![row.id.clone()]).collect())
    };
    for pushdown in ["on", "off"] {
        world.run(&format!("SET pushdown = {pushdown}"));
        let ask = |sql: &str| complete(world.run(sql), &format!("pushdown {pushdown}: {sql}"));
        // Unpushed, the rows alone are asked for: all else is the engine's and the same both ways.
        let is_pushed = pushdown == "on";
        for query in queries {
            let (from, found) = (table(query), passing(query));
            let sql = format!("SELECT id FROM {from}");
            assert_eq!(sorted(ask(&sql)), ids(&found), "pushdown {pushdown}: {sql}");

            if !is_pushed {
                continue;
            }
            let sql = format!("SELECT count(*) FROM {from}");
            assert_eq!(ask(&sql), [[found.len().to_string()]], "pushdown {pushdown}: {sql}");

            let sql = format!("SELECT DISTINCT user FROM {from}");
            let mut users: Vec<_> =
                found.iter().map(|row| vec![null_or(row.user.as_ref())]).collect();
            users.sort();
            users.dedup();
            assert_eq!(sorted(ask(&sql)), users, "pushdown {pushdown}: {sql}");

            let limit = 2;
            {
                let sql = format!("SELECT id FROM {from} LIMIT {limit}");
                let some = ask(&sql);
                assert_eq!(some.len(), found.len().min(limit), "pushdown {pushdown}: {sql}");
                let all = ids(&found);
                assert!(some.iter().all(|id| all.contains(id)), "pushdown {pushdown}: {sql}");

                let sql = format!("SELECT id FROM {from} ORDER BY id DESC LIMIT {limit} OFFSET 1");
                let last: Vec<_> = all.into_iter().rev().skip(1).take(limit).collect();
                assert_eq!(ask(&sql), last, "pushdown {pushdown}: {sql}");
            }
        }
        let [one, other, ..] = queries else { continue };
        if !is_pushed {
            continue;
        }
        let (left, right) = (passing(one), passing(other));
        let same_user = |a: &Shown, b: &Shown| a.user.is_some() && a.user == b.user;

        let sql = format!(
            "SELECT a.id, b.id FROM (SELECT * FROM {}) a JOIN (SELECT * FROM {}) b ON a.user = b.user",
            table(one),
            table(other)
        );
        let pairs = left.iter().flat_map(|a| {
            let partners = right.iter().filter(|b| same_user(a, b));
            partners.map(|b| vec![a.id.clone(), b.id.clone()])
        });
        assert_eq!(sorted(ask(&sql)), sorted(pairs.collect()), "pushdown {pushdown}: {sql}");

        let sql = format!(
            "SELECT a.id, count(b.id) FROM (SELECT * FROM {}) a \
             LEFT JOIN (SELECT * FROM {}) b ON a.user = b.user GROUP BY a.id",
            table(one),
            table(other)
        );
        let counts = left.iter().map(|a| {
            let n = right.iter().filter(|b| same_user(a, b)).count();
            vec![a.id.clone(), n.to_string()]
        });
        assert_eq!(sorted(ask(&sql)), sorted(counts.collect()), "pushdown {pushdown}: {sql}");

        for (word, wants) in [("", true), ("NOT ", false)] {
            let sql = format!(
                "WITH b AS (SELECT * FROM {}) SELECT id FROM (SELECT * FROM {}) a \
                 WHERE {word}EXISTS (SELECT 1 FROM b WHERE b.user = a.user)",
                table(other),
                table(one)
            );
            let kept: Vec<&Shown> = left
                .iter()
                .copied()
                .filter(|a| right.iter().any(|b| same_user(a, b)) == wants)
                .collect();
            assert_eq!(sorted(ask(&sql)), ids(&kept), "pushdown {pushdown}: {sql}");
        }

        let sql =
            format!("SELECT id FROM {} UNION ALL SELECT id FROM {}", table(one), table(other));
        let both: Vec<&Shown> = left.iter().chain(&right).copied().collect();
        assert_eq!(sorted(ask(&sql)), ids(&both), "pushdown {pushdown}: {sql}");

        let sql = format!(
            "WITH b AS (SELECT id FROM {}) SELECT id FROM {} INTERSECT SELECT id FROM b",
            table(other),
            table(one)
        );
        let both: Vec<&Shown> =
            left.iter().copied().filter(|a| right.iter().any(|b| a.id == b.id)).collect();
        assert_eq!(sorted(ask(&sql)), ids(&both), "pushdown {pushdown}: {sql}");
    }
    assert!(world.emulator.violations().is_empty());
}

/// As many cases as `PROPTEST_CASES` says, else few enough for every day.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    match config.cases {
        256 => ProptestConfig { cases: 150, failure_persistence: None, ..config },
        _ => ProptestConfig { failure_persistence: None, ..config },
    }
}

/// What happens to a session in the middle of a scan.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It closes, if it is open.
    Closes,
    /// Its record is touched.
    Touched,
    /// Another one begins.
    Begins,
}

impl Event {
    fn happen(self, records: &mut Vec<SessionRecord>, which: usize) -> Option<SessionRecord> {
        let just_now = ago(1);
        let n_records = records.len();
        let record = match self {
            Self::Begins => {
                let id = format!("new{n_records}");
                let mut record = SessionRecord::active(&id, "ann", just_now);
                record.created_at = just_now;
                records.push(record);
                return records.last().cloned();
            }
            Self::Closes | Self::Touched => records.get_mut(which % n_records)?,
        };
        match self {
            Self::Closes if record.status == Status::Active && record.start.is_some() => {
                record.close(just_now);
            }
            _ => record.touch(just_now),
        }
        Some(record.clone())
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn rows_are_those_of_the_model(
        sessions in sessions(),
        queries in prop::collection::vec((window(), condition()), 2),
        switches in switches(),
    ) {
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        check(&world, &switches, &queries);
    }

    /// A session that would be an answer before a change and after it is one; one that never would
    /// be is none.
    #[test]
    fn sessions_that_change_while_they_are_read(
        sessions in sessions(),
        query in (window(), condition()),
        switches in switches(),
        events in prop::collection::vec(
            (1..6_usize, 0..20_usize, prop::sample::select(vec![Event::Closes, Event::Closes, Event::Touched, Event::Begins])),
            1..5,
        ),
        limits_pages in any::<bool>(),
    ) {
        let mut switches = switches;
        if limits_pages {
            switches.page_cap = Some(2);
        }
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let (window, condition) = &query;
        let sql = format!("SELECT id FROM openvpn{} WHERE {}", window.sql(), condition.sql());
        let mut records = world.emulator.sessions();
        let mut states: Vec<Vec<Shown>> = vec![shown(&world, &switches)];
        let mut events = events;
        events.sort_by_key(|(number, ..)| *number);
        for (number, which, event) in events {
            if let Some(changed) = event.happen(&mut records, which) {
                world.emulator.on_request(number, move |api| api.upsert(changed));
            }
            let is_hidden = |record: &SessionRecord| hides_end(&record.id, &switches);
            states.push(records.iter().map(|record| Shown::of(record, is_hidden(record))).collect());
        }
        let found: Vec<String> =
            complete(world.run(&sql), &sql).into_iter().map(|row| row[0].clone()).collect();
        let passes = |row: &Shown| window.holds(row) && condition.truth(row) == Some(true);
        let state_of = |id: &str, state: &[Shown]| state.iter().find(|row| row.id == id).cloned();
        for record in &records {
            let seen: Vec<Option<Shown>> =
                states.iter().map(|state| state_of(&record.id, state)).collect();
            let n_found = found.iter().filter(|id| **id == record.id).count();
            let always = seen.iter().all(|row| row.as_ref().is_some_and(passes));
            let never = !seen.iter().any(|row| row.as_ref().is_some_and(passes));
            prop_assert!(n_found <= 1, "{}: {} twice", sql, record.id);
            prop_assert!(!always || n_found == 1, "{}: {} is missing", sql, record.id);
            prop_assert!(!never || n_found == 0, "{}: {} is there", sql, record.id);
        }
    }

    /// Sessions from before the history: an answer that says nothing of a gap lacks none but what
    /// the provider never shows, an open session whose record is older than the history.
    #[test]
    fn what_the_history_lacks_is_a_gap(
        sessions in prop::collection::vec((0..300_i64, 0..300_i64, 0..3_u8, slack()), 1..16),
        bound in 0..260_i64,
        shape in 0..8_u8,
        status in prop::sample::select(vec!["", " AND status = 'ACTIVE'", " AND status <> 'ACTIVE'", " AND status IN ('ACTIVE', 'COMPLETED')", " AND status IN ('COMPLETED', 'FAILED')"]),
        switches in switches(),
        real_days in prop::sample::select(vec![7_i64, 30]),
        is_v1 in any::<bool>(),
    ) {
        let hour = 3_600_000;
        let records: Vec<SessionRecord> = sessions.iter().enumerate().map(|(n, (one, other, kind, off))| {
            let (began, ended) = (ago(one.max(other) * hour), ago(one.min(other) * hour));
            let id = format!("s{n:02}");
            let mut record = match kind {
                0 => SessionRecord::active(&id, "ann", began),
                1 => SessionRecord::failed(&id, "ann", began),
                _ => SessionRecord::completed(&id, "ann", began, ended),
            };
            let off = |at: DateTime<Utc>| (at + TimeDelta::milliseconds(*off)).min(ago(1));
            record.created_at = off(record.created_at);
            record.updated_at = off(record.updated_at);
            record
        }).collect();
        let mut world = World::of(records);
        if is_v1 {
            world.configure("api_version = \"v1\"");
        }
        let switches = Switches {
            closed_without_end: None,
            history: Some(TimeDelta::days(if is_v1 { real_days } else { 7 })),
            ..switches
        };
        let kept = ago(switches.history.map_or(0, |history| history.num_milliseconds()) - 900_000);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let (at, later) = (bound * hour, (bound - 24).max(0) * hour);
        let time = |is_end, op, ms| Condition::Time { is_end, op, ms, is_swapped: false };
        let both = |a, b| Condition::And(Box::new(a), Box::new(b));
        let any = Condition::IsNull { column: "id", is_negated: true };
        let (window, condition) = match shape {
            0 => (Window::None, time(false, Op::AtLeast, at)),
            1 => (Window::None, both(time(false, Op::Greater, at), time(false, Op::Less, later))),
            2 => (Window::None, time(true, Op::AtLeast, at)),
            3 => (Window::None, both(time(true, Op::Greater, at), time(true, Op::AtMost, later))),
            4 => (Window::Since(at), any),
            5 if later < at => (Window::Between(at, later), any),
            6 => (Window::At(at), any),
            _ => (Window::Since(at), time(false, Op::AtLeast, later)),
        };
        let any_sql = condition.sql();
        let sql = format!("SELECT id FROM openvpn{} WHERE {any_sql}{status}", window.sql());
        for run in 0..2 {
            let answer = world.run(&sql);
            prop_assert!(answer.error.is_none(), "{}: {:?}", sql, answer.error);
            let has_gap = !answer.completeness.is_complete();
            let found: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str()).collect();
            for record in world.emulator.sessions() {
                let row = Shown::of(&record, false);
                let is_time = matches!(condition, Condition::IsNull { .. }) || condition.truth(&row) == Some(true);
                let is_status = match status {
                    "" => true,
                    " AND status = 'ACTIVE'" => row.status == Status::Active,
                    " AND status <> 'ACTIVE'" => row.status != Status::Active,
                    " AND status IN ('ACTIVE', 'COMPLETED')" => row.status != Status::Failed,
                    _ => row.status != Status::Active,
                };
                let passes = window.holds(&row) && is_time && is_status;
                let is_found = found.contains(&&*row.id);
                prop_assert!(passes || !is_found, "{}: {} is there", sql, row.id);
                let is_unseen = row.status == Status::Active && record.updated_at < kept;
                prop_assert!(
                    !passes || is_found || has_gap || is_unseen,
                    "run {}, {}: {} is missing", run, sql, row.id
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: config().cases / 5, ..config() })]

    /// Whatever goes wrong with one answer, for once or for good: the rows of the model or an error.
    #[test]
    fn a_fault_never_takes_rows_away(
        sessions in sessions(),
        query in (window(), condition()),
        switches in switches(),
        fault in 0..14_usize,
        number in 1..5_usize,
        stays in any::<bool>(),
    ) {
        let drip = Fault::Drip { piece_bytes: 300, every: std::time::Duration::from_millis(1) };
        let (name, fault) = [
            ("reset", Fault::Reset),
            ("reset in body", Fault::ResetInBody),
            ("truncated", Fault::Truncated { drop_bytes: 5 }),
            ("truncated chunks", Fault::TruncatedChunks),
            ("cut to fit", Fault::WrongLength { off_by: -9 }),
            ("truncated gzip", Fault::TruncatedGzip { drop_bytes: 3 }),
            ("corrupt gzip", Fault::CorruptGzip),
            ("html", Fault::html()),
            ("slow", drip),
            ("cut JSON", Fault::invalid_json()),
            ("no list", Fault::drop_field("/sessions")),
            ("no id", Fault::drop_field("/sessions/0/id")),
            ("twice", Fault::duplicate_rows("/sessions")),
            ("cursor that is a number", Fault::set_field("/nextCursor", serde_json::json!(5))),
        ][fault].clone();
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let on = if stays { On::DataFrom(number) } else { On::Data(number) };
        world.emulator.faults().plan(on, fault);
        let (window, condition) = &query;
        let sql = format!("SELECT id FROM openvpn{} WHERE {}", window.sql(), condition.sql());
        let answer = world.run(&sql);
        if answer.error.is_none() && answer.completeness.is_complete() {
            let mut truth: Vec<Vec<String>> = shown(&world, &switches)
                .iter()
                .filter(|row| window.holds(row) && condition.truth(row) == Some(true))
                .map(|row| vec![row.id.clone()])
                .collect();
            truth.sort();
            prop_assert_eq!(sorted(answer.rows), truth, "{} at {}: {}", name, number, sql);
        }
    }
}

/// With little memory a query takes longer or fails; it does not answer less.
#[test]
fn little_memory_takes_no_rows_away() {
    let world = World::seeded();
    let queries = [
        "SELECT id, user, start FROM openvpn ORDER BY user, start, id",
        "SELECT user, count(*), min(id) FROM openvpn GROUP BY user ORDER BY 1, 2",
        "SELECT id, count(*) FROM openvpn GROUP BY id ORDER BY id",
        "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user AND a.id < b.id ORDER BY 1, 2",
        "SELECT DISTINCT id, raw FROM openvpn ORDER BY id",
        "SELECT count(*) FROM openvpn",
    ];
    for sql in queries {
        let whole = complete(world.run(sql), sql);
        for limit in ["64KB", "300KB", "1MB", "4MB"] {
            let config = format!(
                "{}\n[settings]\nmemory_limit = \"{limit}\"\n",
                openvpn_toml(&world.emulator)
            );
            let small = engine(&config, &world.clock);
            let answer = run(&small, sql, &ExecuteOptions::default());
            if answer.error.is_none() {
                assert!(answer.completeness.is_complete());
                assert_eq!(answer.rows, whole, "{limit}: {sql}");
            }
        }
    }
}

/// Statements that run at once on one engine do not see each other.
#[test]
fn statements_at_once_do_not_meet() {
    let world = World::seeded();
    let queries = [
        "SELECT id FROM openvpn WHERE start >= now() - 48h ORDER BY id",
        "SELECT id FROM openvpn SINCE 24h ORDER BY id",
        "SELECT id FROM openvpn WHERE status = 'ACTIVE' ORDER BY id",
        "SELECT user, count(*) FROM openvpn GROUP BY user ORDER BY user",
        "SELECT count(*) FROM openvpn a JOIN openvpn b ON a.id = b.id AND b.start >= now() - 24h",
        "SELECT id FROM openvpn LIMIT 0",
    ];
    let alone: Vec<_> = queries.iter().map(|sql| complete(world.run(sql), sql)).collect();
    std::thread::scope(|scope| {
        for turn in 0..12 {
            let (world, alone, queries) = (&world, &alone, &queries);
            scope.spawn(move || {
                for step in 0..6 {
                    let n = (turn + step) % queries.len();
                    if turn == 0 {
                        world.run(["SET pushdown = off", "SET pushdown = on"][step % 2]);
                    }
                    let sql = queries[n];
                    assert_eq!(complete(world.run(sql), sql), alone[n], "{sql}");
                }
            });
        }
    });
}

/// `NOT IN` with a NULL in its list is never true, and NULL is in no list and in none that is
/// negated, whatever stands beside it.
#[test]
fn null_in_a_list_is_unknown() {
    let start = ago(3_600_000);
    let mut nobody = SessionRecord::active("nobody", "", start);
    nobody.user_name = None;
    let world = World::of(vec![
        SessionRecord::active("active", "ann", start),
        SessionRecord::completed("completed", "bob", start, start),
        SessionRecord::failed("failed", "carl", start),
        nobody,
    ]);
    let (some, others) = ("'ann', 'dan', 'eve', 'fay'", "'bob', 'gus', 'hal', 'ida'");
    let cases: [(String, &[&str]); 12] = [
        ("status NOT IN ('FAILED', NULL) AND status IN ('COMPLETED')".into(), &[]),
        ("status IN ('COMPLETED', 'FAILED') AND status NOT IN ('FAILED', NULL)".into(), &[]),
        ("user NOT IN ('ann', NULL) AND user IN ('bob', 'carl')".into(), &[]),
        ("user NOT IN ('ann', NULL) OR user NOT IN ('ann', 'bob')".into(), &["failed"]),
        ("NOT (user IN ('ann', NULL) AND user IN ('ann', 'bob'))".into(), &["failed"]),
        ("user NOT IN ('ann', NULL) AND user NOT IN ('bob')".into(), &[]),
        ("(user IN ('ann', NULL)) IS NULL".into(), &["completed", "failed", "nobody"]),
        (
            format!("user NOT IN ({some}) OR user NOT IN ({others})"),
            &["active", "completed", "failed"],
        ),
        (
            format!("NOT (user IN ({some}) AND user NOT IN ({some}))"),
            &["active", "completed", "failed"],
        ),
        (
            format!("NOT (user IN ({some}) AND user IN ({others}))"),
            &["active", "completed", "failed"],
        ),
        (format!("(user IN ({some}) AND user IN ({others})) IS NULL"), &["nobody"]),
        (format!("user IN ({some}) OR user IN ({others})"), &["active", "completed"]),
    ];
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(condition, expected)| {
            let ids = world.ids(&format!("SELECT id FROM openvpn WHERE {condition}"));
            (ids != expected).then(|| format!("{condition}: {ids:?}, not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Bounds without offset are meant in the query's zone, however the text comes to be compared.
#[test]
fn texts_are_times_of_the_zone_in_every_place() {
    let world = World::of(vec![
        SessionRecord::active("before", "ann", instant("2026-03-13T14:59:59Z")),
        SessionRecord::active("after", "ann", instant("2026-03-13T15:00:00Z")),
        SessionRecord::active("utc", "ann", instant("2026-03-14T00:00:00Z")),
    ]);
    world.run("SET time_zone = 'Asia/Tokyo'");
    let mut wrong = Vec::new();
    for condition in [
        "start >= '2026-03-14'",
        "start >= DATE '2026-03-14'",
        "start >= '2026-03-14'::timestamp",
        "start >= (SELECT '2026-03-14')",
        "start >= ANY(ARRAY['2026-03-14'])",
        "start >= CAST('2026-03-14' AS TEXT)",
        "start >= '2026-03-' || '14'",
        "start = greatest(start, '2026-03-14')",
        "'2026-03-14' BETWEEN '2026-03-14' AND start",
        "start >= DATE '2026-03-13' + 1",
        "start >= current_date - 1",
        "date_trunc('day', start) >= '2026-03-14'",
        "start >= (CASE WHEN user = 'ann' THEN '2026-03-14' ELSE '2026-03-15' END)",
        "start >= to_timestamp('2026-03-14')",
        "EXISTS (SELECT 1 FROM (VALUES ('2026-03-14')) v(t) WHERE start >= v.t)",
        "start::date >= '2026-03-14'",
    ] {
        let sql = format!("SELECT id FROM openvpn WHERE {condition}");
        let answer = world.run(&sql);
        let mut ids: Vec<_> = answer.rows.iter().map(|row| row[0].as_str()).collect();
        ids.sort_unstable();
        // An error is as good: what must not happen is another zone.
        if answer.error.is_none() && ids != ["after", "utc"] {
            wrong.push(format!("{condition}: {ids:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rows that end because the engine ended are not the rows of the query.
#[test]
fn an_engine_that_ends_takes_no_rows_away() {
    let World { emulator, engine, clock: _clock } = World::seeded();
    let n_all = emulator.sessions().len();
    emulator.set_switches(|switches| switches.page_cap = Some(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let sql = "SELECT id FROM openvpn";
        let statements = engine.parse(sql).expect("the query is right");
        let mut outcome = engine
            .execute(sql, &statements[0], &Default::default())
            .await
            .expect("the query is right");
        let mut n_rows = 0;
        let first = outcome.next().await.expect("there are rows").expect("the provider answers");
        n_rows += first.num_rows();
        drop(engine);
        let mut error = None;
        while let Some(batch) = outcome.next().await {
            match batch {
                Ok(batch) => n_rows += batch.num_rows(),
                Err(failure) => error = Some(failure),
            }
        }
        let is_whole = outcome.completeness().is_complete() && error.is_none();
        assert!(!is_whole || n_rows >= n_all, "{n_rows} of {n_all} rows, said to be all");
    });
}

/// Who joins nothing asks nothing of the other side.
#[test]
fn an_empty_side_of_a_join_asks_nothing_of_the_other() {
    let world = World::seeded();
    let answer = world.run(
        "SELECT a.id FROM openvpn a JOIN openvpn b ON a.user = b.user \
         WHERE a.start >= now() - 1h AND a.user = 'nobody' AND b.start >= now() - 48h",
    );
    assert!(answer.error.is_none() && answer.rows.is_empty(), "{answer:?}");
    let requests = world.requests();
    assert!(requests.len() <= 1, "{requests:#?}");
}

/// A provider that repeats what it was sent does not bring a secret to light.
#[test]
fn an_echoed_secret_is_not_shown() {
    let echo = "no sandbox-secret and no Bearer sandbox-token-000001 here";
    let basic = "no c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ= here";
    for text in [echo, basic] {
        for status in [400, 401, 403, 404, 422, 500] {
            for is_token in [true, false] {
                let mut world = World::of(vec![SessionRecord::active("a", "ann", ago(3_600_000))]);
                if text == basic {
                    world.configure("credentials_in = \"basic\"");
                }
                let on = if is_token { On::TokenFrom(1) } else { On::DataFrom(1) };
                let body = serde_json::json!({ "message": text }).to_string();
                world
                    .emulator
                    .faults()
                    .plan(on, Fault::Answer(sessionql_sandbox::Answer::json_text(status, body)));
                let options = ExecuteOptions {
                    timeout: Some(std::time::Duration::from_secs(2)),
                    ..ExecuteOptions::default()
                };
                let answer = run(&world.engine, "SELECT id FROM openvpn", &options);
                let told = format!("{:?} {:?}", answer.error, answer.completeness);
                // A token that was never given out is no secret.
                let token = if is_token { "sandbox-secret" } else { "sandbox-token-000001" };
                for secret in ["sandbox-secret", token, "c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ="]
                {
                    assert!(!told.contains(secret), "{status}, token {is_token}: {told}");
                }
            }
        }
    }
}

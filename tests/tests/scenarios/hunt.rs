//! Random queries over random sessions, held against a model of SQL's three-valued logic.
//! The provider means its words in every way it may, and records are made and updated off their
//! sessions by as much as the connection's `slack` allows.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_sandbox::openvpn::{
    EndDefault, Missing, PageOrder, SessionRecord, Status, Switches, UnknownStatus, Updated,
};
use sessionql_tests::{Answer, BEGIN, World, instant};

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
    Time { is_end: bool, op: Op, ms: i64, is_swapped: bool },
    Between { is_end: bool, from_ms: i64, to_ms: i64, is_negated: bool },
    TimeIn { is_end: bool, values: Vec<i64>, has_null: bool, is_negated: bool },
    Text { is_status: bool, op: Op, value: &'static str },
    TextIn { is_status: bool, values: Vec<&'static str>, has_null: bool, is_negated: bool },
    Like { pattern: &'static str },
    IsNull { column: &'static str, is_negated: bool },
    Lasted { op: Op, ms: i64 },
    Columns { op: Op },
    NotDistinct { value: Option<&'static str> },
    Null,
    Elsewhere,
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Is { truth: bool, inner: Box<Self> },
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
            if kind == 9 && n % 5 == 0 {
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
        for query in queries {
            let (from, found) = (table(query), passing(query));
            let sql = format!("SELECT id FROM {from}");
            assert_eq!(sorted(ask(&sql)), ids(&found), "pushdown {pushdown}: {sql}");

            let sql = format!("SELECT count(*) FROM {from}");
            assert_eq!(ask(&sql), [[found.len().to_string()]], "pushdown {pushdown}: {sql}");

            let sql = format!("SELECT DISTINCT user FROM {from}");
            let mut users: Vec<_> =
                found.iter().map(|row| vec![null_or(row.user.as_ref())]).collect();
            users.sort();
            users.dedup();
            assert_eq!(sorted(ask(&sql)), users, "pushdown {pushdown}: {sql}");

            for limit in [1, 3] {
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

        let sql = format!(
            "SELECT id FROM {} UNION ALL SELECT id FROM {}",
            table(one),
            table(other)
        );
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_those_of_the_model(
        sessions in sessions(),
        queries in prop::collection::vec((window(), condition()), 3),
        switches in switches(),
    ) {
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        check(&world, &switches, &queries);
    }
}

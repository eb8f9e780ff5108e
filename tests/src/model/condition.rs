//! Conditions of SQL: their text, and their truth of a row by three-valued logic.

#![expect(missing_docs, reason = "the words are those of SQL")]

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{Row, ago, moment, text};

/// The names of connections that conditions compare with.
const CONNECTIONS: [&str; 5] = ["openvpn", "formal", "oam", "ekran", "elsewhere"];

/// A comparison.
#[derive(Clone, Copy, Debug)]
pub enum Op {
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

    pub fn sql(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
            Self::Differs => "<>",
        }
    }

    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
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
pub enum Condition {
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
    Connection {
        op: Op,
        value: &'static str,
    },
    Provider {
        value: &'static str,
    },
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Is {
        truth: bool,
        inner: Box<Self>,
    },
    Case(Box<Self>, Box<Self>, Box<Self>),
}

/// Tells whether a text matches a pattern whose only special characters are leading and trailing `%`.
fn like(text: &str, pattern: &str) -> bool {
    let inner = pattern.trim_matches('%');
    match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => text.contains(inner),
        (true, false) => text.ends_with(inner),
        (false, true) => text.starts_with(inner),
        (false, false) => text == inner,
    }
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
    pub fn sql(&self) -> String {
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
            Self::Connection { op, value } => format!("connection {} '{value}'", op.sql()),
            Self::Provider { value } => format!("provider LIKE '{value}'"),
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

    pub fn truth(&self, row: &Row) -> Option<bool> {
        let time = |is_end: &bool| if *is_end { row.end } else { row.start };
        let word = |is_status: &bool| match is_status {
            true => row.status.as_deref(),
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
            Self::Like { pattern } => Some(like(row.user.as_deref()?, pattern)),
            Self::IsNull { column, is_negated } => {
                let is_null = match *column {
                    "user" => row.user.is_none(),
                    "client_ip" => row.client_ip.is_none(),
                    "id" => false,
                    "start" => row.start.is_none(),
                    _ => row.end.is_none(),
                };
                Some(is_null != *is_negated)
            }
            Self::Lasted { op, ms } => {
                Some(op.holds(&row.duration()?, &TimeDelta::milliseconds(*ms)))
            }
            Self::Columns { op } => Some(op.holds(&row.start?, &row.end?)),
            Self::NotDistinct { value: Some(value) } => Some(row.status.as_deref() == Some(*value)),
            Self::NotDistinct { value: None } => Some(row.user.is_none()),
            Self::Null => None,
            Self::Connection { op, value } => Some(op.holds(&row.connection.as_str(), value)),
            Self::Provider { value } => Some(like(&row.provider, value)),
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
/// Returns conditions of any shape, up to a dozen leaves.
pub fn condition() -> impl Strategy<Value = Condition> {
    let op = || prop::sample::select(Op::ALL.to_vec());
    let status = || prop::sample::select(vec!["ACTIVE", "COMPLETED", "FAILED", "active"]);
    let user = || prop::sample::select(vec!["ann", "Ann", "carl", "7"]);
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
        2 => (prop::sample::select(vec!["user", "start", "end", "client_ip"]), any::<bool>())
            .prop_map(|(column, is_negated)| Condition::IsNull { column, is_negated }),
        2 => (op(), moment()).prop_map(|(op, ms)| Condition::Lasted { op, ms }),
        1 => op().prop_map(|op| Condition::Columns { op }),
        1 => prop::option::of(status()).prop_map(|value| Condition::NotDistinct { value }),
        1 => Just(Condition::Null),
        1 => (op(), prop::sample::select(CONNECTIONS.to_vec()))
            .prop_map(|(op, value)| Condition::Connection { op, value }),
        1 => prop::sample::select(vec!["openvpn", "o%", "%a%", "elsewhere"])
            .prop_map(|value| Condition::Provider { value }),
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

//! Reads the filters of a request into bounds and values that a plan can use.
//! A filter that cannot be read gives `None`: not using it is always right.

use sessionql_plugin_abi::message::{Bound, Filter};

use crate::time::Timestamp;

/// A half-open stretch of time: from `since` until before `until`; `None` means without end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first instant in it.
    pub since: Option<Timestamp>,
    /// The first instant after it.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Returns what lies in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self { since: self.since.max(other.since), until: earlier(self.until, other.until) }
    }

    /// Tells whether no instant lies in it.
    pub fn is_empty(self) -> bool {
        matches!((self.since, self.until), (Some(since), Some(until)) if since >= until)
    }
}

/// Returns the earlier of two ends, where `None` is the latest of all.
pub fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Returns the instants that pass an `eq` or `range` filter on a timestamp column.
pub fn span(filter: &Filter, name: &str) -> Option<Span> {
    match filter {
        Filter::Eq { column, value } if column == name => {
            let instant = Timestamp::parse(value.as_str()?)?;
            Some(Span { since: Some(instant), until: Some(instant + 1) })
        }
        Filter::Range { column, lower, upper } if column == name => {
            let first = |bound: &Bound| Some(instant_of(bound)? + i64::from(!bound.inclusive));
            let after = |bound: &Bound| Some(instant_of(bound)? + i64::from(bound.inclusive));
            Some(Span { since: read(lower.as_ref(), first)?, until: read(upper.as_ref(), after)? })
        }
        _ => None,
    }
}

fn instant_of(bound: &Bound) -> Option<Timestamp> {
    Timestamp::parse(bound.value.as_str()?)
}

/// Returns `Some(None)` for what is absent and `None` for what cannot be read.
fn read<T, U>(value: Option<T>, how: impl Fn(T) -> Option<U>) -> Option<Option<U>> {
    value.map_or(Some(None), |value| how(value).map(Some))
}

/// Returns the values that pass an `eq` or `in` filter on a text column.
pub fn texts<'a>(filter: &'a Filter, name: &str) -> Option<Vec<&'a str>> {
    match filter {
        Filter::Eq { column, value } if column == name => Some(vec![value.as_str()?]),
        Filter::In { column, values } if column == name => {
            values.iter().map(serde_json::Value::as_str).collect()
        }
        _ => None,
    }
}

/// Returns the window of an `open_during` filter as the span that a session must touch.
/// `AT t` gives the one microsecond that holds `t`, the finest that a timestamp can tell.
///
/// Sound bounds on a session `[start, end)` that passes: `start < until`, and it is open or
/// `end >= since`. Two windows may both be touched by one session though they do not meet.
pub fn window(filter: &Filter) -> Option<Span> {
    let Filter::OpenDuring { since, until } = filter else { return None };
    let since = read(since.as_deref(), Timestamp::parse)?;
    let until = read(until.as_deref(), Timestamp::parse)?;
    let is_instant = since.is_some() && since == until;
    Some(Span { since, until: until.map(|until| until + i64::from(is_instant)) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(document: serde_json::Value) -> Filter {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn bounds_become_half_open() {
        let second = |text: &str, inclusive| json!({"value": format!("1970-01-01T00:00:0{text}Z"), "inclusive": inclusive});
        let range = |lower, upper| {
            filter(json!({"op": "range", "column": "t", "lower": lower, "upper": upper}))
        };
        let at = |us| Some(Timestamp(us));
        let spans = [
            (range(second("1", true), second("2", false)), at(1_000_000), at(2_000_000)),
            (range(second("1", false), second("2", true)), at(1_000_001), at(2_000_001)),
            (range(json!(null), second("2", true)), None, at(2_000_001)),
        ];
        for (filter, since, until) in spans {
            assert_eq!(span(&filter, "t"), Some(Span { since, until }));
            assert_eq!(span(&filter, "u"), None);
        }
        let unreadable = range(json!({"value": 5, "inclusive": true}), second("2", true));
        assert_eq!(span(&unreadable, "t"), None);
    }

    #[test]
    fn an_instant_is_the_microsecond_that_holds_it() {
        let at = filter(
            json!({"op": "open_during", "since": "1970-01-01T00:00:01Z", "until": "1970-01-01T00:00:01Z"}),
        );
        let span = window(&at).unwrap();
        assert_eq!(
            (span.since, span.until),
            (Some(Timestamp(1_000_000)), Some(Timestamp(1_000_001)))
        );
        assert!(!span.is_empty());
    }

    #[test]
    fn values_are_all_text_or_none() {
        assert_eq!(
            texts(&filter(json!({"op": "in", "column": "s", "values": ["a", "b"]})), "s"),
            Some(vec!["a", "b"])
        );
        assert_eq!(
            texts(&filter(json!({"op": "in", "column": "s", "values": ["a", 1]})), "s"),
            None
        );
        assert_eq!(
            texts(&filter(json!({"op": "eq", "column": "s", "value": "a"})), "s"),
            Some(vec!["a"])
        );
    }
}

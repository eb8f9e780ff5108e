//! Whether one filter follows from another: whatever passes the first passes the second.
//! Where that is not sure, it does not.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use sessionql_plugin_abi::message::{Bound, Filter, Value};

/// Tells whether whatever passes `ours` passes `theirs`. `is_instant` tells the columns of times.
pub(super) fn implies(ours: &Filter, theirs: &Filter, is_instant: &dyn Fn(&str) -> bool) -> bool {
    match (ours, theirs) {
        (ours, theirs) if ours == theirs => true,
        (Filter::Eq { column, value }, Filter::In { column: other, values }) => {
            column == other && values.contains(value)
        }
        (Filter::In { column, values: few }, Filter::In { column: other, values: many }) => {
            column == other && few.iter().all(|value| many.contains(value))
        }
        (
            Filter::Range { column, lower, upper },
            Filter::Range { column: other, lower: low, upper: high },
        ) => {
            let is_instant = is_instant(column);
            column == other
                && lies_within(lower.as_ref(), low.as_ref(), Ordering::Greater, is_instant)
                && lies_within(upper.as_ref(), high.as_ref(), Ordering::Less, is_instant)
        }
        (Filter::Eq { column, value }, Filter::Range { column: other, lower, upper }) => {
            let own = Bound { value: value.clone(), inclusive: true };
            let is_instant = is_instant(column);
            column == other
                && lies_within(Some(&own), lower.as_ref(), Ordering::Greater, is_instant)
                && lies_within(Some(&own), upper.as_ref(), Ordering::Less, is_instant)
        }
        (Filter::OpenDuring { since, until }, Filter::OpenDuring { since: from, until: to }) => {
            is_window_within((since, until), (from, to))
        }
        _ => false,
    }
}

/// Tells whether the bound `ours` lets nothing pass that `theirs` does not; `inside` is the side on
/// which the rows are that pass.
fn lies_within(
    ours: Option<&Bound>,
    theirs: Option<&Bound>,
    inside: Ordering,
    is_instant: bool,
) -> bool {
    let Some(theirs) = theirs else { return true };
    let Some(ours) = ours else { return false };
    match compare(&ours.value, &theirs.value, is_instant) {
        Some(Ordering::Equal) => theirs.inclusive || !ours.inclusive,
        other => other == Some(inside),
    }
}

/// Compares two values of a column, where their order is sure: integers and times.
fn compare(ours: &Value, theirs: &Value, is_instant: bool) -> Option<Ordering> {
    if ours == theirs {
        return Some(Ordering::Equal);
    }
    if is_instant {
        return Some(instant(ours.as_str()?)?.cmp(&instant(theirs.as_str()?)?));
    }
    Some(ours.as_i64()?.cmp(&theirs.as_i64()?))
}

fn instant(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

type Ends<'a> = (&'a Option<String>, &'a Option<String>);

/// Tells whether whatever is open during the first window is open during the second.
fn is_window_within(ours: Ends<'_>, theirs: Ends<'_>) -> bool {
    let read = |end: &Option<String>| match end {
        None => Some(None),
        Some(text) => instant(text).map(Some),
    };
    let (Some(since), Some(until)) = (read(ours.0), read(ours.1)) else { return false };
    let (Some(from), Some(to)) = (read(theirs.0), read(theirs.1)) else { return false };
    let is_later = from.is_none_or(|from| since.is_some_and(|since| since >= from));
    // An instant lies in a window only before its end, which does not belong to it.
    let is_instant = since.is_some() && since == until;
    let is_earlier = to.is_none_or(|to| {
        until.is_some_and(|until| if is_instant { until < to } else { until <= to })
    });
    // A window that is an instant holds nothing but itself.
    let holds_windows = from.is_none() || from != to;
    is_later && is_earlier && holds_windows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filter(json: Value) -> Filter {
        serde_json::from_value(json).unwrap()
    }

    /// Tells whether a session, or a number in column `n`, passes a filter. Times are minutes.
    fn passes(filter: &Filter, n: i64, (start, end): (i64, Option<i64>)) -> bool {
        let minute = |text: &String| instant(text).unwrap().timestamp() / 60;
        match filter {
            Filter::Eq { value, .. } => *value == json!(n),
            Filter::In { values, .. } => values.contains(&json!(n)),
            Filter::Range { lower, upper, .. } => {
                let is_above = lower.as_ref().is_none_or(|bound| {
                    let value = bound.value.as_i64().unwrap();
                    n > value || (bound.inclusive && n == value)
                });
                is_above
                    && upper.as_ref().is_none_or(|bound| {
                        let value = bound.value.as_i64().unwrap();
                        n < value || (bound.inclusive && n == value)
                    })
            }
            Filter::OpenDuring { since, until } => {
                let (since, until) = (since.as_ref().map(minute), until.as_ref().map(minute));
                let is_before = match (since, until) {
                    (Some(since), Some(until)) if since == until => start <= since,
                    (_, Some(until)) => start < until,
                    _ => true,
                };
                let is_behind = since.is_none_or(|since| {
                    end.is_none_or(|end| end > since || (start == end && end >= since))
                });
                is_before && is_behind
            }
            _ => false,
        }
    }

    fn time(minute: i64) -> String {
        DateTime::<Utc>::from_timestamp(minute * 60, 0).unwrap().to_rfc3339()
    }

    fn filters() -> impl Strategy<Value = Filter> {
        let n = || 0..6_i64;
        let bound = || {
            prop::option::of((n(), any::<bool>()))
                .prop_map(|bound| bound.map(|(n, inclusive)| Bound { value: json!(n), inclusive }))
        };
        let column = || "n".to_owned();
        prop_oneof![
            n().prop_map(move |n| Filter::Eq { column: column(), value: json!(n) }),
            prop::collection::btree_set(n(), 2..4).prop_map(move |set| Filter::In {
                column: column(),
                values: set.into_iter().map(|n| json!(n)).collect(),
            }),
            (bound(), bound()).prop_map(move |(lower, upper)| Filter::Range {
                column: column(),
                lower,
                upper
            }),
            (prop::option::of(n()), prop::option::of(0..4_i64)).prop_map(|(since, length)| {
                let until = length.map(|length| since.unwrap_or(2) + length);
                Filter::OpenDuring { since: since.map(time), until: until.map(time) }
            }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn what_follows_lets_everything_pass(ours in filters(), theirs in filters()) {
            if implies(&ours, &theirs, &|_| false) {
                for n in -1..8 {
                    for start in -1..8 {
                        for end in (start..10).map(Some).chain([None]) {
                            let session = (start, end);
                            prop_assert!(
                                !passes(&ours, n, session) || passes(&theirs, n, session),
                                "{ours:?} {theirs:?} {n} {session:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_asked_more_narrowly_follows() {
        let yes = |ours: Value, theirs: Value| {
            assert!(implies(&filter(ours), &filter(theirs), &|name| name == "start"));
        };
        yes(
            json!({"op": "eq", "column": "user", "value": "ann"}),
            json!({"op": "in", "column": "user", "values": ["ann", "bob"]}),
        );
        yes(
            json!({"op": "open_during", "since": "2026-01-02T00:00:00Z"}),
            json!({"op": "open_during", "since": "2026-01-01T00:00:00Z"}),
        );
        yes(
            json!({"op": "open_during", "since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}),
            json!({"op": "open_during", "since": "2026-01-01T00:00:00Z"}),
        );
        yes(
            json!({"op": "range", "column": "start", "lower": {"value": "2026-01-01T00:00:00.5Z", "inclusive": true}}),
            json!({"op": "range", "column": "start", "lower": {"value": "2026-01-01T00:00:00Z", "inclusive": false}}),
        );
    }

    #[test]
    fn what_is_not_sure_does_not_follow() {
        let no = |ours: Value, theirs: Value| {
            assert!(!implies(&filter(ours), &filter(theirs), &|_| false));
        };
        // The order of texts is that of the provider.
        no(
            json!({"op": "range", "column": "user", "lower": {"value": "b", "inclusive": true}}),
            json!({"op": "range", "column": "user", "lower": {"value": "a", "inclusive": true}}),
        );
        no(
            json!({"op": "eq", "column": "user", "value": "ann"}),
            json!({"op": "eq", "column": "user", "value": "Ann"}),
        );
        no(
            json!({"op": "eq", "column": "user", "value": "ann"}),
            json!({"op": "in", "column": "login", "values": ["ann", "bob"]}),
        );
        no(
            json!({"op": "open_during", "since": "2026-01-01T00:00:00Z"}),
            json!({"op": "open_during", "since": "2026-01-02T00:00:00Z"}),
        );
        no(
            json!({"op": "is_null", "column": "end"}),
            json!({"op": "is_null", "column": "end", "negated": true}),
        );
    }
}

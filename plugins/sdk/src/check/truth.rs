//! What a filter means, decided here and not by the plugin.
//! In: a filter and the cells of a row as JSON. Out: whether the row passes, as SQL has it.

use std::cmp::Ordering;

use serde_json::Value;
use sessionql_plugin_abi::message::{ColumnType, Filter, Table};

use crate::time::Timestamp;

/// Tells whether a row, with a cell for each column of the table, passes a filter.
pub(super) fn passes(filter: &Filter, table: &Table, row: &[Value]) -> bool {
    let cell = |name: &str| {
        let idx = table.columns.iter().position(|column| column.name == name);
        let idx = idx.filter(|idx| *idx < row.len());
        idx.map_or((ColumnType::Text, &Value::Null), |idx| {
            (table.columns[idx].column_type, &row[idx])
        })
    };
    let compared = |name: &str, value: &Value| {
        let (column_type, found) = cell(name);
        compare(column_type, found, value)
    };
    match filter {
        Filter::Eq { column, value } => compared(column, value) == Some(Ordering::Equal),
        Filter::In { column, values } => {
            values.iter().any(|value| compared(column, value) == Some(Ordering::Equal))
        }
        Filter::Range { column, lower, upper } => {
            let above = lower.as_ref().is_none_or(|bound| match compared(column, &bound.value) {
                Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => bound.inclusive,
                _ => false,
            });
            above
                && upper.as_ref().is_none_or(|bound| match compared(column, &bound.value) {
                    Some(Ordering::Less) => true,
                    Some(Ordering::Equal) => bound.inclusive,
                    _ => false,
                })
        }
        Filter::IsNull { column, negated } => cell(column).1.is_null() != *negated,
        Filter::Like { column, pattern, ignore_case } => {
            cell(column).1.as_str().is_some_and(|text| like(text, pattern, *ignore_case))
        }
        Filter::OpenDuring { since, until } => table.time.as_ref().is_some_and(|time| {
            let (start, end) = (instant(cell(&time.start).1), instant(cell(&time.end).1));
            let bound = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
            touches(start, end, bound(since), bound(until))
        }),
    }
}

/// Source: the documentation of `Filter::OpenDuring`.
fn touches(
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> bool {
    let Some(start) = start else { return false };
    let is_instant = since.is_some() && since == until;
    let begins = until.is_none_or(|until| if is_instant { start <= until } else { start < until });
    let ends = since
        .is_none_or(|since| end.is_none_or(|end| end > since || (start == end && end >= since)));
    begins && ends
}

fn instant(cell: &Value) -> Option<Timestamp> {
    cell.as_str().and_then(Timestamp::parse)
}

/// Compares a cell with a value; `None` if one of them is NULL or the type has no order.
pub(super) fn compare(column_type: ColumnType, cell: &Value, value: &Value) -> Option<Ordering> {
    match column_type {
        ColumnType::Text | ColumnType::Json => Some(cell.as_str()?.cmp(value.as_str()?)),
        ColumnType::Timestamp => Some(instant(cell)?.cmp(&instant(value)?)),
        ColumnType::Int64 | ColumnType::Duration => Some(cell.as_i64()?.cmp(&value.as_i64()?)),
        ColumnType::Float64 => cell.as_f64()?.partial_cmp(&value.as_f64()?),
        ColumnType::Bool => Some(cell.as_bool()?.cmp(&value.as_bool()?)),
        ColumnType::TextList => None,
    }
}

/// Tells whether a text is like a pattern with `%`, `_` and the escape `\`.
fn like(text: &str, pattern: &str, ignore_case: bool) -> bool {
    if ignore_case {
        return like(&text.to_lowercase(), &pattern.to_lowercase(), false);
    }
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = rest.as_str();
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|at| like(&text[at..], rest, false))
        }
        Some(wanted) => {
            let wanted = match wanted {
                '_' => None,
                '\\' => Some(rest.next().unwrap_or('\\')),
                other => Some(other),
            };
            let mut chars = text.chars();
            let found = chars.next();
            found.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
                && like(chars.as_str(), rest.as_str(), false)
        }
    }
}

/// Returns a filter as one would write it in a query.
pub(super) fn shown(filter: &Filter) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    };
    match filter {
        Filter::Eq { column, value } => format!("{column} = {}", text(value)),
        Filter::In { column, values } => {
            format!("{column} IN ({})", values.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        Filter::Range { column, lower, upper } => {
            let bound = |side: char, bound: &sessionql_plugin_abi::message::Bound| {
                let equal = if bound.inclusive { "=" } else { "" };
                format!("{column} {side}{equal} {}", text(&bound.value))
            };
            let lower = lower.as_ref().map(|lower| bound('>', lower));
            let upper = upper.as_ref().map(|upper| bound('<', upper));
            lower.into_iter().chain(upper).collect::<Vec<_>>().join(" AND ")
        }
        Filter::OpenDuring { since, until } if since == until => {
            format!("AT '{}'", since.as_deref().unwrap_or_default())
        }
        Filter::OpenDuring { since, until } => {
            let since = since.iter().map(|since| format!("SINCE '{since}'"));
            let until = until.iter().map(|until| format!("UNTIL '{until}'"));
            since.chain(until).collect::<Vec<_>>().join(" ")
        }
        Filter::IsNull { column, negated } => {
            format!("{column} IS {}NULL", if *negated { "NOT " } else { "" })
        }
        Filter::Like { column, pattern, ignore_case } => {
            format!("{column} {}LIKE '{pattern}'", if *ignore_case { "I" } else { "" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_sql() {
        for (text, pattern, is_like) in [
            ("ann", "ann", true),
            ("ann", "a%", true),
            ("ann", "%n", true),
            ("ann", "a_n", true),
            ("ann", "a_", false),
            ("", "%", true),
            ("a%", "a\\%", true),
            ("ab", "a\\%", false),
            ("Ann", "a%", false),
            ("é", "_", true),
        ] {
            assert_eq!(like(text, pattern, false), is_like, "{text} {pattern}");
        }
        assert!(like("Ann", "aN%", true));
    }

    #[test]
    fn a_lifetime_touches_a_window_that_begins_before_its_end() {
        let at = |hour: i64| Some(Timestamp(hour));
        for (start, end, since, until, is_open) in [
            (1, Some(3), Some(3), Some(5), false),
            (1, Some(4), Some(3), Some(5), true),
            (5, None, Some(3), Some(5), false),
            (4, None, Some(3), Some(5), true),
            (3, Some(3), Some(3), Some(5), true),
            (3, None, Some(3), Some(3), true),
            (1, Some(3), Some(3), Some(3), false),
            (4, None, None, Some(4), false),
            (1, Some(2), Some(2), None, false),
        ] {
            let found =
                touches(at(start), end.and_then(at), since.and_then(at), until.and_then(at));
            assert_eq!(found, is_open, "{start} {end:?} {since:?} {until:?}");
        }
        assert!(!touches(None, None, None, at(4)));
    }
}

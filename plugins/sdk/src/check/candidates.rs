//! Filters to try on a table: for each that its manifest declares, values that its rows have, that
//! they have not, and that lie just beside those that they have.

use serde_json::{Value, json};
use sessionql_plugin_abi::message::{Bound, Column, ColumnType, Filter, FilterOp, Table};

use super::truth::compare;
use crate::time::Timestamp;

/// Values of a column that are tried in each kind of filter.
#[derive(Debug, Clone, Default)]
struct Values {
    /// Some that rows have, in order.
    present: Vec<Value>,
    /// Some that no row has, as far as is known.
    absent: Vec<Value>,
}

/// Returns the filters to try, given rows with a cell for each column of the table; without rows
/// the values are made up. Those of one kind on one column are a group.
pub(super) fn filters(table: &Table, rows: &[Vec<Value>]) -> Vec<Vec<Filter>> {
    let mut groups = Vec::new();
    for (idx, column) in table.columns.iter().enumerate() {
        let cells: Vec<&Value> = rows.iter().filter_map(|row| row.get(idx)).collect();
        let values = values(column, &cells);
        groups.extend(column.filters.iter().map(|op| of_column(column, *op, &values)));
    }
    if table.takes_open_during {
        groups.push(windows(table, rows));
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn values(column: &Column, cells: &[&Value]) -> Values {
    let of_type = column.column_type;
    let mut sorted: Vec<&Value> = cells.iter().copied().filter(|cell| !cell.is_null()).collect();
    sorted.sort_by(|a, b| compare(of_type, a, b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.dedup();
    let picks = [0, sorted.len() / 2, sorted.len().saturating_sub(1)];
    let mut present: Vec<Value> =
        picks.iter().filter_map(|idx| sorted.get(*idx).map(|value| (*value).clone())).collect();
    present.dedup();
    let mut absent: Vec<Value> = match of_type {
        ColumnType::Text | ColumnType::Json => column
            .values
            .iter()
            .map(|value| json!(value))
            .chain([json!("no such value"), json!("")])
            .collect(),
        ColumnType::Bool => vec![json!(true), json!(false)],
        ColumnType::Int64 | ColumnType::Duration => vec![json!(-1), json!(i64::from(i32::MAX))],
        ColumnType::Float64 => vec![json!(-0.5), json!(1e300)],
        ColumnType::Timestamp => {
            ["2026-03-09T00:00:00Z", "2026-03-10T11:00:00.5Z"].map(|at| json!(at)).into()
        }
        ColumnType::TextList => Vec::new(),
    };
    absent.extend(present.iter().flat_map(|value| beside(of_type, value)));
    absent.retain(|value| !sorted.contains(&value));
    absent.dedup();
    Values { present, absent }
}

/// Returns values that an API may take for a given one: in another case, padded, as a pattern; or a
/// little less or more.
fn beside(of_type: ColumnType, value: &Value) -> Vec<Value> {
    match (of_type, value) {
        (ColumnType::Text, Value::String(text)) => {
            let mut texts = vec![text.to_uppercase(), text.to_lowercase(), format!("{text} ")];
            let begin: String = text.chars().take(text.chars().count() / 2).collect();
            texts.extend([begin.clone(), format!("{begin}*"), format!("{begin}%")]);
            texts.into_iter().map(Value::from).collect()
        }
        (ColumnType::Timestamp, Value::String(text)) => {
            let offsets = [-1_000_000, -1, 1, 500_000, 1_000_000];
            let at = Timestamp::parse(text);
            let beside = offsets.iter().filter_map(|offset| at.map(|at| at + *offset));
            beside.map(|at| json!(at.to_rfc3339())).collect()
        }
        (ColumnType::Int64 | ColumnType::Duration, Value::Number(_)) => {
            let around = value.as_i64().map(|n| [n.saturating_sub(1), n.saturating_add(1)]);
            around.into_iter().flatten().map(|n| json!(n)).collect()
        }
        _ => Vec::new(),
    }
}

fn of_column(column: &Column, op: FilterOp, values: &Values) -> Vec<Filter> {
    let name = || column.name.clone();
    let all = || values.present.iter().chain(&values.absent).cloned();
    match op {
        FilterOp::Eq => all().map(|value| Filter::Eq { column: name(), value }).collect(),
        FilterOp::In => {
            let some: Vec<Value> =
                values.present.iter().chain(values.absent.first()).cloned().collect();
            let strange: Vec<Value> = values.absent.iter().take(4).cloned().collect();
            let several = [some, strange].into_iter().filter(|values| values.len() > 1);
            several.map(|values| Filter::In { column: name(), values }).collect()
        }
        FilterOp::Range => ranges(column, values),
        FilterOp::IsNull => {
            [false, true].map(|negated| Filter::IsNull { column: name(), negated }).into()
        }
        FilterOp::Like => likes(column, values),
        FilterOp::OpenDuring => Vec::new(),
    }
}

fn ranges(column: &Column, values: &Values) -> Vec<Filter> {
    let mut ranges = Vec::new();
    let mut add = |lower: Option<Bound>, upper: Option<Bound>| {
        ranges.push(Filter::Range { column: column.name.clone(), lower, upper });
    };
    let bound = |value: &Value, inclusive| Some(Bound { value: value.clone(), inclusive });
    for value in values.present.iter().chain(&values.absent) {
        for inclusive in [true, false] {
            add(bound(value, inclusive), None);
            add(None, bound(value, inclusive));
        }
    }
    if let [first, .., last] = values.present.as_slice() {
        for (lower, upper) in [(true, false), (false, true)] {
            add(bound(first, lower), bound(last, upper));
        }
    }
    if let Some(value) = values.present.first() {
        add(bound(value, true), bound(value, true));
    }
    ranges
}

fn likes(column: &Column, values: &Values) -> Vec<Filter> {
    let texts = values.present.iter().chain(&values.absent).filter_map(Value::as_str).take(4);
    let escape = |text: &str| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let mut likes = Vec::new();
    for text in texts {
        let begin: String = text.chars().take(2).collect();
        let rest: String = text.chars().skip(1).collect();
        let patterns = [
            escape(text),
            format!("{}%", escape(&begin)),
            format!("%{}", escape(&rest)),
            format!("_{}", escape(&rest)),
        ];
        for pattern in patterns {
            for ignore_case in [false, true] {
                let (column, pattern) = (column.name.clone(), pattern.clone());
                likes.push(Filter::Like { column, pattern, ignore_case });
            }
        }
    }
    likes
}

/// Returns windows that begin and end at, just before and just after begins and ends of rows.
fn windows(table: &Table, rows: &[Vec<Value>]) -> Vec<Filter> {
    let Some(time) = &table.time else { return Vec::new() };
    let column = |name: &str| table.columns.iter().position(|column| column.name == name);
    let (Some(start), Some(end)) = (column(&time.start), column(&time.end)) else {
        return Vec::new();
    };
    let mut instants: Vec<Timestamp> = rows
        .iter()
        .flat_map(|row| [row.get(start), row.get(end)])
        .filter_map(|cell| cell?.as_str().and_then(Timestamp::parse))
        .collect();
    instants.sort();
    instants.dedup();
    let picks = [0, instants.len() / 3, instants.len() * 2 / 3, instants.len().saturating_sub(1)];
    let mut picked: Vec<Timestamp> =
        picks.iter().filter_map(|idx| instants.get(*idx).copied()).collect();
    picked.dedup();
    if picked.is_empty() {
        picked = ["2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z"]
            .iter()
            .filter_map(|at| Timestamp::parse(at))
            .collect();
    }
    let mut windows = Vec::new();
    let mut add = |since: Option<Timestamp>, until: Option<Timestamp>| {
        let text = |at: Timestamp| at.to_rfc3339();
        windows.push(Filter::OpenDuring { since: since.map(text), until: until.map(text) });
    };
    for at in &picked {
        for offset in [0, -1, 1, 500_000] {
            let at = *at + offset;
            add(Some(at), None);
            add(None, Some(at));
            add(Some(at), Some(at));
        }
    }
    for pair in picked.windows(2) {
        add(Some(pair[0]), Some(pair[1]));
    }
    windows
}

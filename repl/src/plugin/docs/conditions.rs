//! The conditions that a table's provider may be asked for, each in a query, and how the plugin
//! means to answer it. In: a table of a manifest. Out: a [`Condition`] for each.

use sessionql_core::explain::{ScanExplanation, Verdict};
use sessionql_core::plugin::message::{Column, ColumnType, FilterOp, Manifest, Table};
use sessionql_core::{Engine, Error, ExecuteOptions, instant};

/// The instant of all explanations.
pub(super) const NOW: &str = "2026-01-15T12:00:00Z";

/// One condition, and what became of it.
#[derive(Debug)]
pub(super) struct Condition {
    /// The condition as a query has it: a window, or what stands behind WHERE.
    pub(super) text: String,
    /// The whole query.
    pub(super) query: String,
    /// What the plugin means to do, or why it cannot tell.
    pub(super) answer: Result<Answer, String>,
}

/// How a plugin means to answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// A verdict on each part, and why; the same is told once.
    pub(super) verdicts: Vec<(&'static str, String)>,
    /// The first request on one line, with its body; absent if none is known in advance.
    pub(super) request: Option<String>,
    /// Whether nothing is sent at all.
    pub(super) sends_nothing: bool,
}

/// Returns the conditions on the columns of a table, explained.
///
/// # Errors
/// [`Error::Internal`] if the system gives no threads.
pub(super) fn explain(
    engine: &Engine,
    manifest: &Manifest,
    table: &Table,
) -> Result<Vec<Condition>, Error> {
    let runtime = crate::runtime()?;
    let (name, columns) = (name_in_query(manifest, table), shown_columns(table).join(", "));
    let windows = windows(table).into_iter().map(|window| (window.to_owned(), window.to_owned()));
    let filters =
        table.columns.iter().flat_map(filters).map(|filter| (format!("WHERE {filter}"), filter));
    let mut conditions = Vec::new();
    for (clause, text) in windows.chain(filters) {
        let query = format!("SELECT {columns} FROM {name} {clause}");
        let answer = runtime.block_on(ask(engine, &query)).map_err(|error| error.to_string());
        conditions.push(Condition { text, query, answer });
    }
    Ok(conditions)
}

/// Returns how a query names a table.
pub(super) fn name_in_query(manifest: &Manifest, table: &Table) -> String {
    if table.is_main || manifest.tables.len() == 1 {
        return manifest.name.clone();
    }
    format!("{}.{}", manifest.name, quoted(&table.name))
}

/// Returns the columns that examples show: of sessions those that all have, else the first few.
fn shown_columns(table: &Table) -> Vec<String> {
    let named = |name: &&str| table.columns.iter().any(|column| column.name == **name);
    let common: Vec<&str> = ["id", "user", "start", "end"].into_iter().filter(named).collect();
    if table.is_main && common.len() > 1 {
        return common.into_iter().map(quoted).collect();
    }
    let shown = table.columns.iter().filter(|column| !column.hidden).take(4);
    shown.map(|column| quoted(&column.name)).collect()
}

fn windows(table: &Table) -> Vec<&'static str> {
    match (&table.time, table.takes_open_during) {
        (Some(_), true) => vec!["AT now", "SINCE 24h", "SINCE 48h UNTIL 24h", "UNTIL 24h"],
        _ => Vec::new(),
    }
}

/// Returns a condition for each way in which the provider may be asked for a column.
fn filters(column: &Column) -> Vec<String> {
    let Some((low, high)) = examples(column) else { return Vec::new() };
    let name = quoted(&column.name);
    let of_kind = |kind: &FilterOp| match kind {
        FilterOp::Eq => vec![format!("{name} = {low}")],
        FilterOp::In => vec![format!("{name} IN ({low}, {high})")],
        FilterOp::Range => vec![
            format!("{name} >= {low}"),
            format!("{name} < {high}"),
            format!("{name} >= {low} AND {name} < {high}"),
        ],
        FilterOp::IsNull => vec![format!("{name} IS NULL"), format!("{name} IS NOT NULL")],
        FilterOp::Like => vec![format!("{name} LIKE 'a%'")],
        // It belongs to the table: see `windows`.
        FilterOp::OpenDuring => Vec::new(),
    };
    column.filters.iter().flat_map(of_kind).collect()
}

/// Returns two values that a column might have, the lesser one first; nothing is compared with a
/// list.
fn examples(column: &Column) -> Option<(String, String)> {
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (low, high) = match column.column_type {
        ColumnType::Text | ColumnType::Json => match column.values.as_slice() {
            [] if column.name == "client_ip" => (text("192.0.2.1"), text("192.0.2.2")),
            [] => (text("ann"), text("bob")),
            [only] => (text(only), text("another")),
            [first, second, ..] => (text(first), text(second)),
        },
        ColumnType::Timestamp => ("now() - 48h".to_owned(), "now() - 24h".to_owned()),
        ColumnType::Duration => ("1h".to_owned(), "8h".to_owned()),
        ColumnType::Int64 => ("1".to_owned(), "100".to_owned()),
        ColumnType::Float64 => ("0.5".to_owned(), "1.5".to_owned()),
        ColumnType::Bool => ("false".to_owned(), "true".to_owned()),
        ColumnType::TextList => return None,
    };
    Some((low, high))
}

/// Returns a name as a query must write it: in quotes if it is a word of the language.
fn quoted(name: &str) -> String {
    let bare = format!("SELECT {name}, {name} FROM {name} WHERE {name} IS NULL");
    match sessionql_grammar::parse(&bare) {
        Ok(_) => name.to_owned(),
        Err(_) => format!("\"{name}\""),
    }
}

/// Asks how a query would be answered.
async fn ask(engine: &Engine, query: &str) -> Result<Answer, Error> {
    let text = format!("EXPLAIN {query}");
    let now = instant::parse(NOW, engine.settings().time_zone);
    let options = ExecuteOptions { now, clock: now, ..ExecuteOptions::default() };
    let mut answer = Answer { verdicts: Vec::new(), request: None, sends_nothing: false };
    for statement in engine.parse(&text)? {
        let outcome = engine.execute(&text, &statement, &options).await?;
        for scan in outcome.explanation().unwrap_or_default().scans {
            add(&mut answer, &scan);
        }
    }
    Ok(answer)
}

fn add(answer: &mut Answer, scan: &ScanExplanation) {
    for filter in &scan.filters {
        let verdict = match filter.verdict {
            Some(Verdict::Exact) => "exact",
            Some(Verdict::Inexact) => "inexact",
            Some(Verdict::Unsupported) => "unsupported",
            None => "not asked",
        };
        let told = (verdict, filter.reason.clone());
        if !answer.verdicts.contains(&told) {
            answer.verdicts.push(told);
        }
    }
    answer.sends_nothing |= scan.no_requests.is_some();
    if answer.request.is_none() {
        answer.request = scan.requests.first().map(|preview| match &preview.body {
            Some(body) => format!("{} {body}", preview.line()),
            None => preview.line(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_filter_has_a_condition() {
        let column = Column {
            name: "end".to_owned(),
            column_type: ColumnType::Timestamp,
            filters: vec![FilterOp::Eq, FilterOp::Range, FilterOp::IsNull],
            ..Column::default()
        };
        assert_eq!(
            filters(&column),
            [
                "end = now() - 48h",
                "end >= now() - 48h",
                "end < now() - 24h",
                "end >= now() - 48h AND end < now() - 24h",
                "end IS NULL",
                "end IS NOT NULL",
            ]
        );
        let column = Column {
            name: "select".to_owned(),
            values: vec!["it's".to_owned()],
            filters: vec![FilterOp::In, FilterOp::Like],
            ..Column::default()
        };
        let expected = ["\"select\" IN ('it''s', 'another')", "\"select\" LIKE 'a%'"];
        assert_eq!(filters(&column), expected);
    }
}

//! One page of Markdown for one table of a plugin. In: the manifest, and what became of each
//! condition. Out: the text. Texts of the plugin are escaped where they would break a table.

use std::time::Duration;

use sessionql_core::plugin::message::{
    Auth, Column, ConnectionOption, CredentialPlacement, FilterOp, History, Io, Manifest,
    OptionType, Pattern, Rate, Table,
};
use sessionql_core::{duration, type_word};

use super::EXAMPLE_URL;
use super::conditions::{Condition, NOW, name_in_query};

/// Returns the name of a table's page: the table's as queries have it.
pub(super) fn file_name(manifest: &Manifest, table: &Table) -> String {
    if table.is_main || manifest.tables.len() == 1 {
        return format!("{}.md", manifest.name);
    }
    format!("{}.{}.md", manifest.name, table.name)
}

/// Writes the page.
pub(super) fn write(manifest: &Manifest, table: &Table, conditions: &[Condition]) -> String {
    let (plugin, name) = (&manifest.name, name_in_query(manifest, table));
    let sections = [
        format!("<!-- Written by `sessionql plugin docs {plugin}`; change the plugin instead. -->"),
        format!("# {name}\n\n{}\n{}", manifest.doc, table.doc),
        connection(manifest),
        columns(table),
        sent(conditions),
        limits(manifest, table),
        examples(conditions),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n\n")
        + "\n"
}

fn connection(manifest: &Manifest) -> String {
    let name = &manifest.name;
    let mut lines = vec![
        "## Connection\n\n```toml".to_owned(),
        format!("[connections.{name}]\nplugin = \"{name}\""),
    ];
    if manifest.io == Io::Host && manifest.base_url.default.is_none() {
        lines.push(format!("base_url = \"{EXAMPLE_URL}\""));
    }
    for option in manifest.options.iter().filter(|option| option.required) {
        let key = &option.name;
        lines.push(if option.secret {
            let variable = format!("{name}_{key}").to_uppercase();
            format!("{key} = {{ env = \"{variable}\" }}")
        } else {
            format!("{key} = {}", super::example_value(option))
        });
    }
    lines.push("```\n".to_owned());
    if let Some(default) = &manifest.base_url.default {
        lines.push(format!("`base_url` is `{default}` unless it is set."));
    }
    lines.push(authentication(manifest));
    if !manifest.options.is_empty() {
        lines.push("\n| option | type | default | meaning |\n|---|---|---|---|".to_owned());
        lines.extend(manifest.options.iter().map(option));
    }
    lines.join("\n")
}

fn authentication(manifest: &Manifest) -> String {
    if manifest.io == Io::Own {
        return "The plugin does its own input and output, and gets its secrets for it.".to_owned();
    }
    match &manifest.auth {
        Auth::None => "Requests carry no credentials, unless an option says otherwise.".to_owned(),
        Auth::Basic { username, password } => {
            format!("Requests are authenticated by HTTP Basic, with `{username}` and `{password}`.")
        }
        Auth::Bearer { token } => format!("Requests carry `Authorization: Bearer` with `{token}`."),
        Auth::Header { header, value } => format!("Requests carry `{header}` with `{value}`."),
        Auth::OAuth2ClientCredentials {
            token_path, client_id, client_secret, placement, ..
        } => {
            let place = match placement {
                CredentialPlacement::Query => "the query",
                CredentialPlacement::Form => "a form",
                CredentialPlacement::Basic => "an HTTP Basic header",
                CredentialPlacement::Json => "a JSON body",
            };
            format!(
                "Requests carry a token of OAuth 2.0 client credentials: \
                 `POST {token_path}` with `{client_id}` and `{client_secret}` in {place}."
            )
        }
    }
}

fn option(option: &ConnectionOption) -> String {
    let type_word = match option.option_type {
        OptionType::Text => "text",
        OptionType::Int => "whole number",
        OptionType::Bool => "true or false",
        OptionType::Duration => "duration",
        OptionType::TextList => "list of text",
    };
    let default = match &option.default {
        _ if option.required => "required".to_owned(),
        Some(default) => format!("`{}`", default_text(option.option_type, default)),
        None => String::new(),
    };
    let secret = if option.secret { ", secret" } else { "" };
    let doc = with_values(&option.doc, &option.values);
    format!("| `{}` | {type_word}{secret} | {} | {} |", option.name, cell(&default), cell(&doc))
}

/// Returns a default as a configuration would have it.
fn default_text(option_type: OptionType, default: &serde_json::Value) -> String {
    match (option_type, default.as_u64(), default.as_str()) {
        (OptionType::Duration, Some(us), _) => length(Duration::from_micros(us)),
        (_, _, Some(text)) => text.to_owned(),
        _ => default.to_string(),
    }
}

fn columns(table: &Table) -> String {
    let mut lines = vec![
        "## Columns\n\n| column | type | NULL | meaning | may be sent |\n|---|---|---|---|---|"
            .to_owned(),
    ];
    lines.extend(table.columns.iter().map(column));
    if table.is_main {
        lines.push(
            "\n`duration`, `provider` and `connection` are made here, and of the columns that all \
             sessions have those that are missing above are NULL."
                .to_owned(),
        );
    }
    match table.primary_key.as_slice() {
        [] => {}
        key => lines.push(format!("A row is named by `{}`.", key.join("`, `"))),
    }
    lines.push("The options of a connection may change this: `DESCRIBE` tells.".to_owned());
    lines.join("\n")
}

fn column(column: &Column) -> String {
    let null = if column.nullable { "yes" } else { "never" };
    let kinds: Vec<&str> = column.filters.iter().map(kind).collect();
    let mut doc = with_values(&column.doc, &column.values);
    if column.hidden {
        doc.push_str(" Hidden: there only if it is named.");
    }
    if column.sensitive {
        doc.push_str(" Sensitive: masked in logs, errors and EXPLAIN.");
    }
    let kinds = match column.lookup {
        true => format!("{}; asked by the keys of a join", kinds.join(", ")),
        false => kinds.join(", "),
    };
    let (name, of_type) = (&column.name, type_word(column.column_type).replace('<', "\\<"));
    format!("| `{name}` | {of_type} | {null} | {} | {} |", cell(&doc), cell(&kinds))
}

fn kind(kind: &FilterOp) -> &'static str {
    match kind {
        FilterOp::Eq => "`=`",
        FilterOp::In => "`IN`",
        FilterOp::Range => "`<`, `>=`",
        FilterOp::OpenDuring => "windows",
        FilterOp::IsNull => "`IS NULL`",
        FilterOp::Like => "`LIKE`",
    }
}

fn sent(conditions: &[Condition]) -> String {
    if conditions.is_empty() {
        return "## What is sent\n\nNo condition is sent: every query reads all rows, and they are \
                filtered here."
            .to_owned();
    }
    let mut lines = vec![format!(
        "## What is sent\n\n\
         *Exact* is what the provider decides alone.\n\
         *Inexact* is sent so that no row is lost, and the rows are checked here.\n\
         *Unsupported* is not sent, and decided here.\n\
         Requests are the first ones of a connection that has only what it must have, at {NOW}.\n\n\
         | condition | verdict | why | first request |\n|---|---|---|---|"
    )];
    for Condition { text, answer, .. } in conditions {
        let line = match answer {
            Ok(answer) => {
                let verdicts: Vec<&str> = answer.verdicts.iter().map(|(word, _)| *word).collect();
                let reasons: Vec<&str> =
                    answer.verdicts.iter().map(|(_, reason)| reason.as_str()).collect();
                let request = match &answer.request {
                    Some(line) => code(line),
                    None if answer.sends_nothing => "none".to_owned(),
                    None => String::new(),
                };
                let (verdicts, reasons) = (verdicts.join(", "), cell(&reasons.join("; ")));
                format!("| {} | {verdicts} | {reasons} | {request} |", code(text))
            }
            Err(error) => format!("| {} | not planned | {} | |", code(text), cell(error)),
        };
        lines.push(line);
    }
    lines.join("\n")
}

fn limits(manifest: &Manifest, table: &Table) -> String {
    let mut lines = Vec::new();
    match table.limits.history {
        Some(History::Live) => lines.push("- History: only what is open now.".to_owned()),
        Some(History::LastUs(us)) => {
            let reach = Duration::from_micros(us.unsigned_abs());
            lines.push(format!("- History: the last {}.", length(reach)));
        }
        None => {}
    }
    if let Some(n_rows) = table.limits.page_size {
        lines.push(format!("- Pages: {n_rows} rows at most."));
    }
    if let Some(n_rows) = table.limits.cap {
        lines.push(format!("- Answers: {n_rows} rows at most, without a next page."));
    }
    lines.extend(manifest.patterns.iter().map(request));
    if lines.is_empty() {
        return String::new();
    }
    format!("## Limits\n\n{}", lines.join("\n"))
}

/// Returns what is to be said of a declared request.
fn request(pattern: &Pattern) -> String {
    let rate = match pattern.rate {
        Some(Rate { burst, refill, per_ms }) => {
            let per = length(Duration::from_millis(per_ms));
            format!("{burst} at once, then {refill} every {per}")
        }
        None => "no published rate".to_owned(),
    };
    format!("- Requests: `{} {}`, {rate}.", pattern.method, pattern.path)
}

fn examples(conditions: &[Condition]) -> String {
    let queries: Vec<String> = conditions
        .iter()
        .filter(|condition| condition.answer.is_ok())
        .map(|condition| format!("{};", condition.query))
        .collect();
    if queries.is_empty() {
        return String::new();
    }
    format!("## Examples\n\n```sql\n{}\n```", queries.join("\n"))
}

fn with_values(doc: &str, values: &[String]) -> String {
    match values {
        [] => doc.to_owned(),
        values => format!("{doc} One of `{}`.", values.join("`, `")),
    }
}

/// Returns a duration as a configuration would have it, without parts that are zero.
fn length(duration: Duration) -> String {
    let told = duration::human(duration);
    ["00s", "00m", "00h"].iter().fold(told, |told, zero| match told.strip_suffix(zero) {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => told,
    })
}

/// Returns text as it may stand in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Returns text as code that may stand in a cell of a table.
fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{}{fence}", cell(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors() -> Manifest {
        let visits = Table { name: "visits".to_owned(), is_main: true, ..Table::default() };
        let badges = Table { name: "badges".to_owned(), ..Table::default() };
        Manifest { name: "doors".to_owned(), tables: vec![visits, badges], ..Manifest::default() }
    }

    #[test]
    fn a_page_is_named_as_its_table_is_in_queries() {
        let manifest = doors();
        let files: Vec<String> =
            manifest.tables.iter().map(|table| file_name(&manifest, table)).collect();
        assert_eq!(files, ["doors.md", "doors.badges.md"]);
        assert!(write(&manifest, &manifest.tables[1], &[]).contains("\n# doors.badges\n"));
    }

    #[test]
    fn texts_of_the_plugin_do_not_break_a_table() {
        let broken = Column { doc: "One | two\nthree.".to_owned(), ..Column::default() };
        assert_eq!(column(&broken), "| `` | text | never | One \\| two three. |  |");
    }

    #[test]
    fn lengths_have_no_parts_that_are_zero() {
        for (seconds, expected) in [(15, "15s"), (600, "10m"), (604_800, "7d"), (5_400, "1h30m")] {
            assert_eq!(length(Duration::from_secs(seconds)), expected);
        }
    }
}

//! Rules on what a plugin says of itself. The host refuses a plugin that breaks most of them.

use std::collections::HashSet;

use serde_json::Value;
use sessionql_plugin_abi::message::{
    Auth, Column, ColumnType, ConnectionOption, DECLARED_COLUMNS, FilterOp, HOST_COLUMNS, Manifest,
    OptionType, Pattern, Table,
};

use super::{Rule, Seen, Subject, Sum, call};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "manifest/names",
        text: "plugin, options, tables and columns have names of queries, each once",
        look: names,
    },
    Rule {
        id: "manifest/tables",
        text: "keys, time columns and common columns of the tables are columns of the right types",
        look: tables,
    },
    Rule {
        id: "manifest/filters",
        text: "columns declare filters that their types have, and lookups with `in`",
        look: filters,
    },
    Rule {
        id: "manifest/options",
        text: "defaults have the types of their options, and no secret has one",
        look: options,
    },
    Rule {
        id: "manifest/requests",
        text: "credentials are options, and patterns are methods with paths",
        look: requests,
    },
];

/// Returns the manifest and the tables: those of a connection if one opens.
fn described(subject: &Subject) -> Result<(Manifest, Vec<Table>), super::Unkept> {
    let manifest = call::describe(subject)?;
    let tables = match call::open(subject) {
        Ok(opened) => opened.tables().to_vec(),
        Err(_) => manifest.tables.clone(),
    };
    Ok((manifest, tables))
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    let is_first = |c: char| c.is_ascii_lowercase() || c == '_';
    chars.next().is_some_and(is_first) && chars.all(|c| is_first(c) || c.is_ascii_digit())
}

/// Returns names that are none, or that come twice.
fn unfit<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut known = HashSet::new();
    names
        .into_iter()
        .map(String::as_str)
        .filter(|name| !is_name(name) || !known.insert(*name))
        .collect()
}

fn names(subject: &Subject) -> Seen {
    let (manifest, tables) = described(subject)?;
    let mut sum = Sum::default();
    if !is_name(&manifest.name) {
        sum.see(format!("the plugin cannot be named `{}`", manifest.name));
    }
    for name in unfit(manifest.options.iter().map(|option| &option.name)) {
        sum.see(format!("an option cannot be named `{name}`, or another is"));
    }
    for name in unfit(tables.iter().map(|table| &table.name)) {
        sum.see(format!("a table cannot be named `{name}`, or another is"));
    }
    for table in &tables {
        for name in unfit(table.columns.iter().map(|column| &column.name)) {
            let table = &table.name;
            sum.see(format!("a column of table `{table}` cannot be named `{name}`, or another is"));
        }
    }
    sum.end()
}

fn tables(subject: &Subject) -> Seen {
    let (_, tables) = described(subject)?;
    let mut sum = Sum::default();
    if tables.is_empty() {
        sum.see("there is no table");
    }
    if tables.iter().filter(|table| table.is_main).count() > 1 {
        sum.see("more than one table says that it is the main one");
    }
    for table in &tables {
        for fault in table_faults(table) {
            sum.see(format!("table `{}`: {fault}", table.name));
        }
    }
    sum.end()
}

fn table_faults(table: &Table) -> Vec<String> {
    let find = |name: &str| table.columns.iter().find(|column| column.name == name);
    let mut faults = Vec::new();
    for key in table.primary_key.iter().filter(|key| find(key).is_none()) {
        faults.push(format!("the key `{key}` is no column"));
    }
    if table.has_duplicates && table.primary_key.is_empty() {
        faults.push("it has duplicates but no primary key to tell them by".to_owned());
    }
    if table.takes_open_during && table.time.is_none() {
        faults.push("it takes `open_during` but has no time columns".to_owned());
    }
    for name in table.time.iter().flat_map(|time| [&time.start, &time.end]) {
        let is_time = |column: &Column| column.column_type == ColumnType::Timestamp;
        if !find(name).is_some_and(is_time) {
            faults.push(format!("the time column `{name}` is no timestamp column"));
        }
    }
    if !table.is_main {
        return faults;
    }
    for (name, column_type) in DECLARED_COLUMNS {
        if find(name).is_some_and(|column| column.column_type != column_type) {
            faults.push(format!("the common column `{name}` has another type"));
        }
    }
    for name in HOST_COLUMNS.iter().filter(|name| find(name).is_some()) {
        faults.push(format!("column `{name}` is made by the host"));
    }
    if find("id").is_none_or(|id| id.nullable) {
        faults.push("the main table needs a column `id` that is never NULL".to_owned());
    }
    faults
}

fn filters(subject: &Subject) -> Seen {
    let (_, tables) = described(subject)?;
    let mut sum = Sum::default();
    for table in &tables {
        for column in &table.columns {
            let name = format!("column `{}` of table `{}`", column.name, table.name);
            if column.filters.contains(&FilterOp::OpenDuring) {
                sum.see(format!("{name}: `open_during` belongs to the table"));
            }
            let is_text = matches!(column.column_type, ColumnType::Text | ColumnType::Json);
            if column.filters.contains(&FilterOp::Like) && !is_text {
                sum.see(format!("{name} takes `like` and is no text"));
            }
            if column.lookup && !column.filters.contains(&FilterOp::In) {
                sum.see(format!("{name} is a lookup and takes no `in`"));
            }
        }
    }
    sum.end()
}

fn is_of_type(value: &Value, option_type: OptionType) -> bool {
    match option_type {
        OptionType::Text => value.is_string(),
        OptionType::Int => value.is_i64(),
        OptionType::Bool => value.is_boolean(),
        OptionType::Duration => value.as_i64().is_some_and(|us| us >= 0),
        OptionType::TextList => {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        }
    }
}

fn options(subject: &Subject) -> Seen {
    let manifest = call::describe(subject)?;
    let mut sum = Sum::default();
    for ConnectionOption { name, option_type, secret, default, values, .. } in &manifest.options {
        let Some(default) = default else { continue };
        if *secret {
            sum.see(format!("the secret option `{name}` has a default"));
        }
        if !is_of_type(default, *option_type) {
            sum.see(format!("the default of option `{name}` has another type: {default}"));
        }
        let is_known = default.as_str().is_none_or(|text| values.iter().any(|value| value == text));
        if !values.is_empty() && !is_known {
            sum.see(format!("the default of option `{name}` is none of its values: {default}"));
        }
    }
    sum.end()
}

fn requests(subject: &Subject) -> Seen {
    let manifest = call::describe(subject)?;
    let opened = call::open(subject).ok();
    let connected = opened.as_ref().map(|opened| &opened.connected);
    let auth = connected.and_then(|connected| connected.auth.as_ref()).unwrap_or(&manifest.auth);
    let mut sum = Sum::default();
    let (open, secret) = credentials(auth);
    for name in open.into_iter().chain(secret) {
        let option = manifest.options.iter().find(|option| option.name == *name);
        match option {
            None => sum.see(format!("the credential `{name}` is no option")),
            Some(option) if secret == Some(name) && !option.secret => {
                sum.see(format!("the credential `{name}` is an option that is not secret"));
            }
            Some(_) => {}
        }
    }
    let patterns = connected.and_then(|connected| connected.patterns.as_deref());
    let patterns = patterns.unwrap_or(&manifest.patterns);
    for Pattern { method, path, .. } in patterns {
        if method != "GET" && method != "POST" {
            sum.see(format!("the method `{method}` of a pattern is neither GET nor POST"));
        }
        if !path.starts_with('/') || path.contains(['?', '#']) {
            sum.see(format!("`{path}` of a pattern is no path below the base URL"));
        }
    }
    sum.end()
}

/// Returns the names of options that authentication needs: one that may be read, one that is secret.
fn credentials(auth: &Auth) -> (Option<&String>, Option<&String>) {
    match auth {
        Auth::None => (None, None),
        Auth::Basic { username, password } => (Some(username), Some(password)),
        Auth::Bearer { token } => (None, Some(token)),
        Auth::Header { value, .. } => (None, Some(value)),
        Auth::OAuth2ClientCredentials { client_id, client_secret, .. } => {
            (Some(client_id), Some(client_secret))
        }
    }
}

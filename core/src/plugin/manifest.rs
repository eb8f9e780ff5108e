//! Checks what a plugin says of itself, so that the rest of the host can rely on it.
//! All faults are reported at once.

use std::collections::HashSet;

use sessionql_plugin_abi::message::{
    Column, ColumnType, DECLARED_COLUMNS, FilterOp, HOST_COLUMNS, Manifest, Table,
};
use sessionql_plugin_abi::{Reason, WireError};

use crate::config::{HOST_KEYS, is_name};

/// Returns the manifest, if it is sound.
///
/// # Errors
/// `plugin_error` that lists what is wrong.
pub(super) fn check(name: &str, manifest: Manifest) -> Result<Manifest, WireError> {
    let mut faults = Vec::new();
    if manifest.name != name {
        faults.push(format!("its manifest is of plugin `{}`", manifest.name));
    }
    for option in &manifest.options {
        if !is_name(&option.name) || HOST_KEYS.contains(&option.name.as_str()) {
            faults.push(format!("option `{}` cannot have this name", option.name));
        }
    }
    faults.extend(table_faults(&manifest.tables));
    result(manifest, &faults)
}

/// Returns the tables, if they are sound.
///
/// # Errors
/// As [`check`].
pub(super) fn check_tables(tables: Vec<Table>) -> Result<Vec<Table>, WireError> {
    let faults = table_faults(&tables);
    result(tables, &faults)
}

fn result<T>(value: T, faults: &[String]) -> Result<T, WireError> {
    if faults.is_empty() {
        return Ok(value);
    }
    Err(WireError::new(Reason::PluginError, faults.join("; ")))
}

fn table_faults(tables: &[Table]) -> Vec<String> {
    let mut faults = Vec::new();
    if tables.is_empty() {
        faults.push("it has no table".to_owned());
    }
    let n_main = tables.iter().filter(|table| table.is_main).count();
    if n_main > 1 {
        faults.push(format!("{n_main} tables say that they are the main table"));
    }
    let mut names = HashSet::new();
    for table in tables {
        if !is_name(&table.name) || !names.insert(&table.name) {
            faults.push(format!("table `{}` cannot have this name", table.name));
        }
        faults.extend(
            column_faults(table)
                .into_iter()
                .map(|fault| format!("table `{}`: {fault}", table.name)),
        );
    }
    faults
}

fn column_faults(table: &Table) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = HashSet::new();
    for column in &table.columns {
        if !is_name(&column.name) || !names.insert(column.name.as_str()) {
            faults.push(format!("column `{}` cannot have this name", column.name));
        }
        if table.is_main && HOST_COLUMNS.contains(&column.name.as_str()) {
            faults.push(format!("column `{}` is made by the host", column.name));
        }
        if column.filters.contains(&FilterOp::OpenDuring) {
            faults.push(format!("column `{}`: `open_during` belongs to the table", column.name));
        }
    }
    let find = |name: &str| table.columns.iter().find(|column| column.name == name);
    for key in &table.primary_key {
        if find(key).is_none() {
            faults.push(format!("the key `{key}` is no column"));
        }
    }
    if table.has_duplicates && table.primary_key.is_empty() {
        faults.push("it has duplicates but no primary key".to_owned());
    }
    if let Some(time) = &table.time {
        for name in [&time.start, &time.end] {
            let is_time = |column: &Column| column.column_type == ColumnType::Timestamp;
            if !find(name).is_some_and(is_time) {
                faults.push(format!("the time column `{name}` is no timestamp column"));
            }
        }
    } else if table.takes_open_during {
        faults.push("it takes `open_during` but has no time columns".to_owned());
    }
    if table.is_main {
        for (name, column_type) in DECLARED_COLUMNS {
            if find(name).is_some_and(|column| column.column_type != column_type) {
                faults.push(format!("the common column `{name}` has another type"));
            }
        }
        if find("id").is_none_or(|id| id.nullable) {
            faults.push("the main table needs a column `id` that is never NULL".to_owned());
        }
    }
    faults
}

//! Resolves the names of tables for one statement: a connection is its main table, and
//! `connection.table` is any of its tables. Opens a connection, and so loads its plugin, when it is
//! first named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::{CatalogProvider as _, MemoryCatalogProvider, MemorySchemaProvider};

use crate::columns::data_type;
use crate::engine::Connections;
use crate::error::Error;
use crate::lower::{ColumnShape, TableShape, Tables};
use crate::statement::StatementContext;
use crate::table::ProviderTable;

/// The tables that a statement names.
pub(crate) struct StatementTables<'a> {
    connections: &'a Connections,
    context: Arc<StatementContext>,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    tables: BTreeMap<(String, String), Arc<ProviderTable>>,
    failure: Option<Error>,
}

impl<'a> StatementTables<'a> {
    /// Returns a resolver that has found nothing yet.
    pub(crate) fn new(connections: &'a Connections, context: Arc<StatementContext>) -> Self {
        Self { connections, context, found: Mutex::default() }
    }

    /// Returns a table by name: a connection, or a connection and a table.
    ///
    /// # Errors
    /// What kept the connection from being opened. `Ok(None)` if there is no such table.
    pub(crate) fn resolve(&self, name: &[String]) -> Result<Option<Arc<ProviderTable>>, Error> {
        let (connection, table) = match name {
            [connection] => (connection, None),
            [connection, table] => (connection, Some(table)),
            _ => return Ok(None),
        };
        let Some(connection) = self.connections.open(connection)? else { return Ok(None) };
        let table = match table {
            None => connection.main_table(),
            Some(name) => connection.tables.iter().find(|table| table.name == *name),
        };
        let Some(table) = table else { return Ok(None) };
        let key = (connection.config.name.clone(), table.name.clone());
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let table = found.tables.entry(key).or_insert_with(|| {
            let context = Arc::clone(&self.context);
            Arc::new(ProviderTable::new(Arc::clone(&connection), table.clone(), context))
        });
        Ok(Some(Arc::clone(table)))
    }

    /// Returns what kept a connection from being opened, if one did not open.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }

    /// Returns the tables found so far as a catalog of the engine.
    ///
    /// # Errors
    /// If the engine refuses one.
    pub(crate) fn catalog(&self) -> datafusion::common::Result<MemoryCatalogProvider> {
        let catalog = MemoryCatalogProvider::new();
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for ((connection, name), table) in &found.tables {
            let schema = match catalog.schema(connection) {
                Some(schema) => schema,
                None => {
                    let schema = Arc::new(MemorySchemaProvider::new());
                    catalog.register_schema(connection, Arc::clone(&schema) as _)?;
                    schema
                }
            };
            schema.register_table(name.clone(), Arc::clone(table) as _)?;
        }
        Ok(catalog)
    }
}

impl Tables for StatementTables<'_> {
    fn table(&self, name: &[String]) -> Option<TableShape> {
        let table = match self.resolve(name) {
            Ok(table) => table?,
            Err(error) => {
                let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.failure.get_or_insert(error);
                return None;
            }
        };
        let description = table.description();
        let columns = table
            .columns()
            .iter()
            .map(|column| ColumnShape {
                name: column.column.name.clone(),
                is_hidden: column.column.hidden,
                data_type: data_type(column.column.column_type),
            })
            .collect();
        let reference = vec![name[0].clone(), description.name.clone()];
        let time = description.time.clone().map(|time| (time.start, time.end));
        Some(TableShape { reference, columns, time })
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.connections.names();
        for connection in self.connections.opened() {
            let name = &connection.config.name;
            names.extend(connection.tables.iter().map(|table| format!("{name}.{}", table.name)));
        }
        names
    }
}

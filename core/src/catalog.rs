//! Resolves the names of tables for one statement: a connection is its main table or its only one,
//! `connection.table` is any of its tables, and a local table has one name. Opens a connection, and so loads its plugin, when it is
//! first named.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::{
    CatalogProvider as _, MemoryCatalogProvider, MemorySchemaProvider, TableProvider,
};
use sessionql_plugin_abi::message::TimeColumns;

use crate::columns::{TableColumn, data_type};
use crate::connection::Connection;
use crate::engine::Connections;
use crate::error::Error;
use crate::last::{self, LastResult, LastTable};
use crate::local::LocalTable;
use crate::lower::{ColumnShape, TableShape, Tables};
use crate::sessions::{self, SessionsTable};
use crate::statement::StatementContext;
use crate::table::ProviderTable;

/// The tables that a statement names.
pub(crate) struct StatementTables<'a> {
    connections: &'a Arc<Connections>,
    context: Arc<StatementContext>,
    found: Mutex<Found>,
}

/// One table that a statement names.
#[derive(Clone)]
pub(crate) enum StatementTable {
    /// A table of a connection.
    Provider(Arc<ProviderTable>),
    /// `sessions`.
    Sessions(Arc<SessionsTable>),
}

impl StatementTable {
    /// Returns the columns, in the order of `*`, hidden ones last.
    pub(crate) fn columns(&self) -> &[TableColumn] {
        match self {
            Self::Provider(table) => table.columns(),
            Self::Sessions(table) => table.columns(),
        }
    }

    /// Returns the columns that bound a session's life, if rows are sessions.
    pub(crate) fn time(&self) -> Option<TimeColumns> {
        match self {
            Self::Provider(table) => table.description().time.clone(),
            Self::Sessions(_) => {
                Some(TimeColumns { start: "start".to_owned(), end: "end".to_owned() })
            }
        }
    }

    /// Tells whether the window on the table's time columns is pushed.
    pub(crate) fn takes_window(&self) -> bool {
        match self {
            Self::Provider(table) => table.description().takes_open_during,
            Self::Sessions(_) => false,
        }
    }

    fn as_provider(&self) -> Arc<dyn TableProvider> {
        match self {
            Self::Provider(table) => Arc::clone(table) as _,
            Self::Sessions(table) => Arc::clone(table) as _,
        }
    }
}

#[derive(Default)]
struct Found {
    tables: BTreeMap<(String, String), StatementTable>,
    local: BTreeMap<String, Arc<LocalTable>>,
    last: Option<Arc<LastResult>>,
    failure: Option<Error>,
}

impl<'a> StatementTables<'a> {
    /// Returns a resolver that has found nothing yet.
    pub(crate) fn new(connections: &'a Arc<Connections>, context: Arc<StatementContext>) -> Self {
        Self { connections, context, found: Mutex::default() }
    }

    /// Returns a table by name: a connection, or a connection and a table.
    ///
    /// # Errors
    /// What kept the connection from being opened. `Ok(None)` if there is no such table.
    pub(crate) fn resolve(&self, name: &[String]) -> Result<Option<StatementTable>, Error> {
        let (connection, table) = match name {
            [connection] => (connection, None),
            [connection, table] => (connection, Some(table)),
            _ => return Ok(None),
        };
        if connection == sessions::NAME && table.is_none() {
            return Ok(self.sessions());
        }
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
            let table = ProviderTable::new(Arc::clone(&connection), table.clone(), context);
            StatementTable::Provider(Arc::new(table))
        });
        Ok(Some(table.clone()))
    }

    /// Returns `sessions`; there is no such table without a connection.
    fn sessions(&self) -> Option<StatementTable> {
        self.connections.configs().next()?;
        let key = (sessions::NAME.to_owned(), sessions::NAME.to_owned());
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let table = found.tables.entry(key).or_insert_with(|| {
            let connections = Arc::clone(self.connections);
            let table = SessionsTable::new(connections, Arc::clone(&self.context));
            StatementTable::Sessions(Arc::new(table))
        });
        Some(table.clone())
    }

    /// Returns the tables that were found, by connection and table.
    pub(crate) fn resolved(&self) -> Vec<(String, String)> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).tables.keys().cloned().collect()
    }

    /// Returns a local table by name. Its file is looked through once for a statement.
    ///
    /// # Errors
    /// What is wrong with its file. `Ok(None)` if there is no such table.
    pub(crate) fn resolve_local(&self, name: &[String]) -> Result<Option<Arc<LocalTable>>, Error> {
        let [name] = name else { return Ok(None) };
        let Some(config) = self.connections.local_table(name) else { return Ok(None) };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = found.local.get(name) {
            return Ok(Some(Arc::clone(table)));
        }
        let table = LocalTable::open(config, Arc::clone(&self.context))
            .map_err(|error| self.connections.with_file(error))?;
        let table = Arc::new(table);
        found.local.insert(name.clone(), Arc::clone(&table));
        Ok(Some(table))
    }

    /// Returns the last result, if that is what the name means.
    ///
    /// # Errors
    /// If not all of it was kept. `Ok(None)` if the name is another one, or no query has run.
    pub(crate) fn resolve_last(&self, name: &[String]) -> Result<Option<Arc<LastResult>>, Error> {
        let last =
            self.context.last.as_ref().filter(|_| matches!(name, [name] if name == last::NAME));
        let Some(last) = last else { return Ok(None) };
        last.check_whole()?;
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.last = Some(Arc::clone(last));
        Ok(Some(Arc::clone(last)))
    }

    /// Tells whether the last result is the only table that was found.
    pub(crate) fn is_last_alone(&self) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.last.is_some() && found.tables.is_empty() && found.local.is_empty()
    }

    /// Returns what kept a connection from being opened, if one did not open.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).failure.take()
    }

    /// Returns what the user should be warned of before the tables found so far are read.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.connections.opened();
        let is_read = |connection: &&Arc<Connection>| {
            found.tables.iter().any(|((name, _), table)| match table {
                StatementTable::Provider(_) => *name == connection.config.name,
                StatementTable::Sessions(_) => connection.config.in_sessions,
            })
        };
        opened.iter().filter(is_read).filter_map(|connection| connection.take_warning()).collect()
    }

    /// Returns the tables found so far as a catalog of the engine.
    ///
    /// # Errors
    /// If the engine refuses one.
    pub(crate) fn catalog(&self) -> datafusion::common::Result<MemoryCatalogProvider> {
        let catalog = MemoryCatalogProvider::new();
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let register = |schema: &str, name: &str, table: Arc<dyn TableProvider>| {
            let schema = match catalog.schema(schema) {
                Some(schema) => schema,
                None => {
                    let new = Arc::new(MemorySchemaProvider::new());
                    catalog.register_schema(schema, Arc::clone(&new) as _)?;
                    new
                }
            };
            schema.register_table(name.to_owned(), table)
        };
        for ((connection, name), table) in &found.tables {
            register(connection, name, table.as_provider())?;
        }
        for table in found.local.values() {
            let (schema, name) = table.reference();
            register(&schema, &name, Arc::clone(table) as _)?;
        }
        if let Some(last) = &found.last {
            let [schema, name] = LastResult::reference();
            let table = LastTable::new(Arc::clone(last), Arc::clone(&self.context));
            register(schema, name, Arc::new(table))?;
        }
        Ok(catalog)
    }
}

impl Tables for StatementTables<'_> {
    fn table(&self, name: &[String]) -> Option<TableShape> {
        let fail = |error: Error| {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.failure.get_or_insert(error);
            None
        };
        match self.resolve_last(name) {
            Ok(Some(last)) => return Some(last.shape()),
            Ok(None) => {}
            Err(error) => return fail(error),
        }
        match self.resolve_local(name) {
            Ok(Some(table)) => return Some(table.shape()),
            Ok(None) => {}
            Err(error) => return fail(error),
        }
        let table = match self.resolve(name) {
            Ok(table) => table?,
            Err(error) => return fail(error),
        };
        let columns = table
            .columns()
            .iter()
            .map(|column| ColumnShape {
                name: column.column.name.clone(),
                is_hidden: column.column.hidden,
                data_type: data_type(column.column.column_type),
                values: column.column.values.clone(),
            })
            .collect();
        let table_name = match &table {
            StatementTable::Provider(table) => table.description().name.clone(),
            StatementTable::Sessions(_) => sessions::NAME.to_owned(),
        };
        let reference = vec![name[0].clone(), table_name];
        let time = table.time().map(|time| (time.start, time.end));
        Some(TableShape { reference, columns, time, ..TableShape::default() })
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.connections.names();
        if !names.is_empty() {
            names.push(sessions::NAME.to_owned());
        }
        names.extend(self.connections.local_tables().map(|table| table.name.clone()));
        for connection in self.connections.opened() {
            let name = &connection.config.name;
            names.extend(connection.tables.iter().map(|table| format!("{name}.{}", table.name)));
        }
        names
    }
}

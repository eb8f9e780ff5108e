//! What the engine knows that completion asks for: tables, columns, functions, settings, parameters.
//! Opening a connection loads its plugin and sends nothing.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Engine, Shared, listing, settings};
use crate::columns::{ColumnSource, TableColumn, session_columns, table_columns};
use crate::complete::{Completion, Known, KnownColumn, KnownTable, complete};
use crate::connection::Connection;
use crate::error::Error;
use crate::functions::{self, Function};
use crate::parameters::{BUILT_IN, Parameters};
use crate::sessions;
use crate::statement::StatementContext;

/// Tells what may stand at a place of a text, for as long as the engine is there.
#[derive(Clone)]
pub struct Completer {
    shared: Arc<Shared>,
    runtime: Handle,
}

impl Engine {
    /// Returns what completes texts with the engine's tables.
    ///
    /// # Errors
    /// [`Error::Internal`] if the engine has ended.
    pub fn completer(&self) -> Result<Completer, Error> {
        let runtime = self.runtime()?.handle().clone();
        Ok(Completer { shared: Arc::clone(&self.shared), runtime })
    }
}

impl Completer {
    /// Returns what may stand at a place of a text that is being typed; the place is given in bytes.
    /// Asks no provider. The columns of a local table are known a moment later if its file is large.
    pub fn complete(&self, text: &str, at: usize, parameters: &Parameters) -> Completion {
        complete(text, at, &Asked { completer: self, parameters })
    }

    fn open(&self, name: &str) -> Option<Arc<Connection>> {
        self.shared.connections.open(name).ok().flatten()
    }
}

impl std::fmt::Debug for Completer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Completer")
    }
}

/// An engine that is asked about names.
struct Asked<'a> {
    completer: &'a Completer,
    parameters: &'a Parameters,
}

impl Asked<'_> {
    fn local_columns(&self, name: &str) -> Option<Vec<KnownColumn>> {
        let Completer { shared, runtime } = self.completer;
        let config = shared.connections.local_table(name)?;
        let clock = (shared.options.clock)();
        let context = StatementContext::new(clock, clock, runtime.clone());
        Some(shared.local_columns.of(config, context))
    }

    /// Returns the columns of `sessions`, with the values that the connections' columns have.
    fn session_columns(&self) -> Vec<KnownColumn> {
        let mut columns: Vec<_> = session_columns().iter().map(known).collect();
        let configs = || {
            let configs = self.completer.shared.connections.configs();
            configs.filter(|config| config.in_sessions)
        };
        for column in &mut columns {
            match column.name.as_str() {
                "connection" => {
                    column.values = configs().map(|config| config.name.clone()).collect();
                }
                "provider" => {
                    column.values = configs().map(|config| config.plugin.clone()).collect();
                    column.values.sort_unstable();
                    column.values.dedup();
                }
                _ => {}
            }
        }
        columns
    }
}

impl Known for Asked<'_> {
    fn tables(&self) -> Vec<KnownTable> {
        let connections = &self.completer.shared.connections;
        let mut tables = Vec::new();
        let mut others = Vec::new();
        for name in connections.names() {
            let connection = self.completer.open(&name);
            let main = connection.as_ref().and_then(|connection| connection.main_table());
            tables.push(KnownTable {
                path: vec![name.clone()],
                doc: main.map(|main| main.doc.clone()),
            });
            for table in connection.iter().flat_map(|connection| &connection.tables) {
                if main.is_none_or(|main| main.name != table.name) {
                    let path = vec![name.clone(), table.name.clone()];
                    others.push(KnownTable { path, doc: Some(table.doc.clone()) });
                }
            }
        }
        for table in connections.local_tables() {
            let file = table.path.file_name().map(|name| name.to_string_lossy().into_owned());
            let doc = file.map(|file| format!("{} {file}", table.format.word()));
            tables.push(KnownTable { path: vec![table.name.clone()], doc });
        }
        if connections.configs().any(|config| config.in_sessions) {
            let doc = Some("The sessions of all connections.".to_owned());
            tables.push(KnownTable { path: vec![sessions::NAME.to_owned()], doc });
        }
        tables.extend(others);
        tables
    }

    fn tables_of(&self, connection: &str) -> Vec<KnownTable> {
        let connection = self.completer.open(connection);
        let tables = connection.iter().flat_map(|connection| &connection.tables);
        let known = |table: &sessionql_plugin_abi::message::Table| KnownTable {
            path: vec![table.name.clone()],
            doc: Some(table.doc.clone()),
        };
        tables.map(known).collect()
    }

    fn columns(&self, path: &[String]) -> Option<Vec<KnownColumn>> {
        let (name, table) = match path {
            [name] if name == sessions::NAME => return Some(self.session_columns()),
            [name] => (name, None),
            [name, table] => (name, Some(table)),
            _ => return None,
        };
        if let (None, Some(columns)) = (table, self.local_columns(name)) {
            return Some(columns);
        }
        let connection = self.completer.open(name)?;
        let table = match table {
            None => connection.main_table(),
            Some(name) => connection.tables.iter().find(|table| table.name == *name),
        };
        let columns = table_columns(table?, &connection.config.plugin, name);
        Some(columns.iter().map(known).collect())
    }

    fn functions(&self) -> Vec<Function> {
        functions::listed(&self.completer.shared.state)
    }

    fn settings(&self) -> Vec<String> {
        settings::NAMES.map(str::to_owned).to_vec()
    }

    fn parameters(&self) -> Vec<String> {
        let settings = self.completer.shared.settings.lock();
        let set = settings.map(|settings| settings.parameters.clone()).unwrap_or_default();
        let names = self.parameters.names().chain(set.names()).chain(BUILT_IN);
        names.map(str::to_owned).collect()
    }
}

/// Returns what completion tells of a column.
fn known(column: &TableColumn) -> KnownColumn {
    let own = &column.column;
    let values = match &column.source {
        ColumnSource::Constant(value) => vec![value.clone()],
        _ => own.values.clone(),
    };
    KnownColumn {
        name: own.name.clone(),
        type_word: Some(listing::type_word(own.column_type)),
        doc: Some(own.doc.clone()).filter(|doc| !doc.is_empty()),
        values,
        is_hidden: own.hidden,
    }
}

/// The same for the columns of a local table.
pub(crate) fn known_columns(columns: &[TableColumn]) -> Vec<KnownColumn> {
    columns.iter().map(known).collect()
}

//! The connections of a configuration: each opened when it is first named, each plugin loaded once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sessionql_plugin_abi::message::History;

use super::EngineOptions;
use crate::config::{Config, ConnectionConfig, IsolationConfig, LocalTableConfig, Secrets};
use crate::connection::Connection;
use crate::error::{ConfigError, Error};
use crate::fixture::Fixture;
use crate::plugin::{HostCommand, Isolation, ManagedPlugin, PluginPath, Underway};

/// The connections.
#[derive(Debug)]
pub struct Connections {
    config: Config,
    plugin_path: PluginPath,
    secrets: Secrets,
    reads_fixtures: bool,
    plugin_host: Option<HostCommand>,
    underway: Underway,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    plugins: BTreeMap<String, Arc<ManagedPlugin>>,
    connections: BTreeMap<String, Arc<Connection>>,
}

impl Connections {
    pub(super) fn new(config: Config, options: &EngineOptions) -> Self {
        let (plugin_path, secrets) = (options.plugin_path.clone(), options.secrets.clone());
        let reads_fixtures = options.reads_fixtures;
        let plugin_host = options.plugin_host.clone();
        let (underway, open) = (Underway::default(), Mutex::default());
        Self { config, plugin_path, secrets, reads_fixtures, plugin_host, underway, open }
    }

    /// Returns the names of all connections, sorted.
    pub fn names(&self) -> Vec<String> {
        self.config.connections.keys().cloned().collect()
    }

    /// Returns what the configuration says of the connections, by name.
    pub fn configs(&self) -> impl Iterator<Item = &ConnectionConfig> {
        self.config.connections.values()
    }

    /// Returns what the configuration says of the local tables, by name.
    pub fn local_tables(&self) -> impl Iterator<Item = &LocalTableConfig> {
        self.config.tables.values()
    }

    /// Returns what the configuration says of a local table.
    pub fn local_table(&self, name: &str) -> Option<&LocalTableConfig> {
        self.config.tables.get(name)
    }

    /// Returns the connections that are open.
    pub fn opened(&self) -> Vec<Arc<Connection>> {
        self.lock().connections.values().cloned().collect()
    }

    /// Tells whether a table, given by its parts as in a query, is read from a provider that keeps
    /// sessions of the past. What cannot be opened may.
    pub fn keeps_history(&self, table: &[String]) -> bool {
        let (name, table) = match table {
            [name] if name == crate::sessions::NAME => {
                return !self.config.connections.is_empty();
            }
            [name] => (name, None),
            [name, table] => (name, Some(table)),
            _ => return false,
        };
        let connection = match self.open(name) {
            Ok(Some(connection)) => connection,
            Ok(None) => return false,
            Err(_) => return true,
        };
        let table = match table {
            Some(name) => connection.tables.iter().find(|table| table.name == *name),
            None => connection.main_table(),
        };
        table.is_some_and(|table| table.limits.history != Some(History::Live))
    }

    /// Returns where plugins are looked for.
    pub fn plugin_path(&self) -> &PluginPath {
        &self.plugin_path
    }

    /// Returns a connection, opened if it was not; `None` if the configuration has none such.
    ///
    /// # Errors
    /// [`Error::Plugin`] if its plugin cannot be used, [`Error::Config`] for wrong options.
    pub fn open(&self, name: &str) -> Result<Option<Arc<Connection>>, Error> {
        let Some(config) = self.config.connections.get(name) else { return Ok(None) };
        let mut open = self.lock();
        if let Some(connection) = open.connections.get(name) {
            return Ok(Some(Arc::clone(connection)));
        }
        let plugin = match config.isolation {
            None => self.load(&mut open, &config.plugin)?,
            Some(isolation) => self.load_apart(config, isolation)?,
        };
        let allows_inline_secrets = self.config.file.is_none() || self.config.is_private;
        let fixture = self.reads_fixtures.then(Fixture::default);
        let secrets = &self.secrets;
        let connection = Connection::open(config, plugin, secrets, allows_inline_secrets, fixture)
            .map_err(|error| self.with_file(error))?;
        let connection = Arc::new(connection);
        open.connections.insert(name.to_owned(), Arc::clone(&connection));
        Ok(Some(connection))
    }

    /// Returns a plugin, loaded if it was not. One that connections use in isolation alone is not
    /// loaded into this process, but as it is for the first of them.
    ///
    /// # Errors
    /// [`Error::Plugin`] if it is not found or refused.
    pub fn plugin(&self, name: &str) -> Result<Arc<ManagedPlugin>, Error> {
        let users: Vec<_> = self.configs().filter(|config| config.plugin == name).collect();
        let is_apart = users.iter().all(|config| config.isolation.is_some());
        let mut open = self.lock();
        if let (true, Some(first)) = (is_apart, users.first()) {
            if let Some(connection) = open.connections.get(&first.name) {
                return Ok(Arc::clone(connection.managed.plugin()));
            }
            return self.load_apart(first, first.isolation.unwrap_or_default());
        }
        self.load(&mut open, name)
    }

    fn load(&self, open: &mut Open, name: &str) -> Result<Arc<ManagedPlugin>, Error> {
        if let Some(plugin) = open.plugins.get(name) {
            return Ok(Arc::clone(plugin));
        }
        let file = self.plugin_path.find(name)?;
        let plugin = ManagedPlugin::load(name, &file, &self.underway)?;
        open.plugins.insert(name.to_owned(), Arc::clone(&plugin));
        Ok(plugin)
    }

    /// Loads the plugin of a connection in a child of its own.
    fn load_apart(
        &self,
        config: &ConnectionConfig,
        isolation: IsolationConfig,
    ) -> Result<Arc<ManagedPlugin>, Error> {
        let Some(host) = self.plugin_host.clone() else {
            let name = &config.name;
            let message = format!("connection `{name}`: this program cannot isolate plugins");
            let error = ConfigError::new(message).with_hint("take `isolation` out of it");
            let line = config.lines.get("isolation").copied();
            return Err(self.with_file(Error::Config(ConfigError { line, ..error })));
        };
        let isolation = Isolation {
            host,
            memory_limit_bytes: isolation.memory_limit_bytes as u64,
            time_limit: isolation.time_limit,
        };
        let file = self.plugin_path.find(&config.plugin)?;
        ManagedPlugin::load_apart(&config.plugin, &file, isolation, &self.underway)
    }

    /// Returns the calls of plugins that are under way.
    pub(super) fn underway(&self) -> &Underway {
        &self.underway
    }

    /// Names the configuration's file in an error about it.
    pub(crate) fn with_file(&self, error: Error) -> Error {
        match error {
            Error::Config(error) => {
                Error::Config(ConfigError { file: self.config.file.clone(), ..error })
            }
            other => other,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

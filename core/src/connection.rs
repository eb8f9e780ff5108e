//! One connection of the configuration, opened: its plugin's handle, its tables, its HTTP client.
//! Opening loads the plugin and checks the options; it needs no secret and sends nothing. Secrets
//! are resolved and the client is built when the first scan is planned.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arrow::array::RecordBatch;
use secrecy::{ExposeSecret as _, SecretString};
use sessionql_plugin_abi::message::{
    Auth, ConnectionOption, Io, Manifest, OptionType, Pattern, Plan, Rate, Request, Table,
};
use sessionql_plugin_abi::{Reason, WireError};

use crate::config::{ConnectionConfig, OptionSource, OptionValue, Secrets};
use crate::error::{ConfigError, Error, did_you_mean, nearest};
use crate::fixture::{Fixture, RowFault};
use crate::http::{Client, ClientState, Credentials, HttpOptions};
use crate::plugin::{ManagedConnection, ManagedPlugin};

/// What a plugin may learn of a connection, at most.
const MAX_LEARNED_BYTES: usize = 4096;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    /// What the configuration says.
    pub config: ConnectionConfig,
    /// The plugin's side.
    pub managed: ManagedConnection,
    /// The tables.
    pub tables: Vec<Table>,
    notes: Vec<String>,
    auth: Auth,
    patterns: Vec<Pattern>,
    secrets: Secrets,
    allows_inline_secrets: bool,
    /// The client, with notes on what it corrected.
    client: OnceLock<(Client, Vec<String>)>,
    /// Whether it was told that certificates are not checked.
    has_warned: AtomicBool,
    learned: Mutex<serde_json::Value>,
    /// The rows of tests, which the plugin is then never asked for.
    fixture: Option<Fixture>,
}

impl Connection {
    /// Opens a connection: checks its options and lets the plugin see those that are not secret.
    ///
    /// # Errors
    /// [`Error::Config`] for wrong options, [`Error::Plugin`] if the plugin broke the contract.
    pub(crate) fn open(
        config: &ConnectionConfig,
        plugin: Arc<ManagedPlugin>,
        secrets: &Secrets,
        allows_inline_secrets: bool,
        fixture: Option<Fixture>,
    ) -> Result<Self, Error> {
        let mut manifest = plugin.manifest.clone();
        if fixture.is_some() {
            // Where no request is sent, nothing must say where to and with which credentials.
            manifest.options.iter_mut().for_each(|option| option.required = false);
        }
        let options = options_for_plugin(config, &manifest, secrets, allows_inline_secrets)?;
        let (managed, connected) =
            ManagedConnection::open(plugin, &options).map_err(|error| match error.code {
                Reason::Config => Error::Config(config_error(config, error.message, error.hint)),
                _ => Error::Plugin {
                    plugin: config.plugin.clone(),
                    message: format!("connection `{}`: {}", config.name, error.message),
                    hint: error.hint,
                },
            })?;
        Ok(Self {
            config: config.clone(),
            managed,
            tables: connected.tables.unwrap_or(manifest.tables),
            notes: connected.notes,
            auth: connected.auth.unwrap_or(manifest.auth),
            patterns: connected.patterns.unwrap_or(manifest.patterns),
            secrets: secrets.clone(),
            allows_inline_secrets,
            client: OnceLock::new(),
            has_warned: AtomicBool::new(false),
            learned: Mutex::new(serde_json::Value::Null),
            fixture,
        })
    }

    /// Returns the options as the plugin got them.
    ///
    /// # Errors
    /// [`Error::Config`] if one of them has changed since, such as a file with a secret.
    pub fn options(&self) -> Result<serde_json::Value, Error> {
        let manifest = &self.managed.plugin().manifest;
        options_for_plugin(&self.config, manifest, &self.secrets, self.allows_inline_secrets)
            .map_err(Error::Config)
    }

    /// Returns who does the input and output: nobody is asked for rows that are given.
    pub(crate) fn io(&self) -> Io {
        if self.fixture.is_some() { Io::Own } else { self.managed.plugin().manifest.io }
    }

    /// Tells whether this connection's requests are sent by [`Connection::client`].
    pub fn has_client(&self) -> bool {
        self.io() == Io::Host
    }

    /// Asks how a request would be answered. Given rows are all filtered here.
    ///
    /// # Errors
    /// What the plugin says, or that it broke the contract.
    pub fn plan(&self, request: &Request) -> Result<Plan, WireError> {
        match self.fixture {
            Some(_) => Ok(Plan { slices: vec![serde_json::Value::Null], ..Plan::default() }),
            None => self.managed.plan(request),
        }
    }

    /// Gives the rows of a table, the main one if none is named: objects of JSON, one a line. Times
    /// without offset are in `zone`.
    ///
    /// # Errors
    /// What is wrong with the rows, or that the connection asks its provider.
    pub fn give_rows(
        &self,
        table: Option<&str>,
        rows: &str,
        zone: chrono_tz::Tz,
    ) -> Result<(), RowFault> {
        let name = &self.config.name;
        let Some(fixture) = &self.fixture else {
            return Err(RowFault::new(format!("connection `{name}` asks its provider")));
        };
        let found = match table {
            None => self.main_table(),
            Some(table) => self.tables.iter().find(|known| known.name == table),
        };
        let found = found.ok_or_else(|| {
            let names: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
            let hint = format!("its tables are `{}`", names.join("`, `"));
            let what = table.map_or("main table".to_owned(), |table| format!("table `{table}`"));
            RowFault::new(format!("connection `{name}` has no {what}")).with_hint(hint)
        })?;
        fixture.give(found, rows, zone)
    }

    /// Returns the rows that are given in place of the plugin's, if this connection has such.
    pub(crate) fn given_rows(&self, request: &Request) -> Option<Result<RecordBatch, WireError>> {
        self.fixture.as_ref().map(|fixture| fixture.rows(request, &self.tables))
    }

    /// Returns the table that the connection's bare name means: the main one, or the only one.
    pub fn main_table(&self) -> Option<&Table> {
        match self.tables.as_slice() {
            [only] => Some(only),
            tables => tables.iter().find(|table| table.is_main),
        }
    }

    /// Returns the client that sends this connection's requests.
    ///
    /// # Errors
    /// [`Error::Config`] if a secret cannot be resolved or the base URL cannot be used.
    pub fn client(&self) -> Result<&Client, Error> {
        if let Some((client, _)) = self.client.get() {
            return Ok(client);
        }
        let manifest = &self.managed.plugin().manifest;
        let config = &self.config;
        let base_url = config.base_url.clone().or_else(|| manifest.base_url.default.clone());
        let base_url = base_url.ok_or_else(|| {
            Error::Config(config_error(config, "no `base_url` is set".to_owned(), None))
        })?;
        let options = HttpOptions {
            known_suffixes: manifest.base_url.known_suffixes.clone(),
            patterns: self.patterns.clone(),
            auth: self.credentials()?,
            token_url: config.token_url.clone(),
            allow_http: config.allow_http,
            insecure_tls: config.insecure_tls,
            ca_file: config.ca_file.clone(),
            client_cert: config.client_cert.clone(),
            client_key: config.client_key.clone(),
            proxy: config.proxy.clone(),
            timeout: config.timeout,
            max_concurrency: config.max_concurrency,
            rate_limit: config.rate_limit,
            ..HttpOptions::new(&config.name, base_url)
        };
        let (client, notes) = Client::new(options).map_err(|error| {
            // The client names the option; the configuration knows where it stands.
            let is_about = |key: &&String| error.message.contains(&format!("option `{key}`"));
            let key = config.lines.keys().find(is_about);
            let line = key.and_then(|key| config.lines.get(key)).copied();
            let fault = config_error(config, error.message, error.hint);
            Error::Config(ConfigError { line: line.or(fault.line), ..fault })
        })?;
        let (client, _) = self.client.get_or_init(|| (client, notes));
        Ok(client)
    }

    /// Returns what the user should know of the connection, as far as it is used.
    pub fn notes(&self) -> Vec<String> {
        let of_client = self.client.get().map(|(_, notes)| notes.as_slice()).unwrap_or_default();
        self.notes.iter().chain(of_client).cloned().collect()
    }

    /// Returns how requests are authenticated, in a word.
    pub fn auth_word(&self) -> &'static str {
        match self.auth {
            Auth::None => "none",
            Auth::Basic { .. } => "basic",
            Auth::Bearer { .. } => "bearer",
            Auth::Header { .. } => "header",
            Auth::OAuth2ClientCredentials { .. } => "oauth2",
        }
    }

    /// Returns what the client knows, if a scan was planned yet. Sends nothing.
    pub fn client_state(&self) -> Option<ClientState> {
        self.client.get().map(|(client, _)| client.state())
    }

    /// Returns the lowest rate that the plugin's requests are published with.
    pub(crate) fn published_rate(&self) -> Option<Rate> {
        let per_ms =
            |rate: &Rate| u128::from(rate.refill) * 1_000_000 / u128::from(rate.per_ms.max(1));
        self.patterns.iter().filter_map(|pattern| pattern.rate).min_by_key(per_ms)
    }

    /// Returns the warning that certificates are not checked, the first time that it is asked for.
    pub(crate) fn take_warning(&self) -> Option<String> {
        let is_new = self.config.insecure_tls && !self.has_warned.swap(true, Ordering::Relaxed);
        is_new.then(|| {
            let name = &self.config.name;
            format!("connection `{name}`: certificates are not checked (`insecure_tls`)")
        })
    }

    /// Returns what earlier scans found out.
    pub fn learned(&self) -> serde_json::Value {
        self.learned.lock().map(|learned| learned.clone()).unwrap_or_default()
    }

    /// Keeps what a scan found out.
    ///
    /// # Errors
    /// `plugin_error` if it is too much.
    pub fn learn(&self, learned: serde_json::Value) -> Result<(), WireError> {
        let size_bytes = learned.to_string().len();
        if size_bytes > MAX_LEARNED_BYTES {
            let message = format!(
                "the plugin learned {size_bytes} bytes, at most {MAX_LEARNED_BYTES} are kept"
            );
            return Err(WireError::new(Reason::PluginError, message));
        }
        if let Ok(mut slot) = self.learned.lock() {
            *slot = learned;
        }
        Ok(())
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        Ok(match &self.auth {
            Auth::None => Credentials::None,
            Auth::Basic { username, password } => Credentials::Basic {
                username: self.text(username)?,
                password: self.secret(password)?,
            },
            Auth::Bearer { token } => Credentials::Bearer { token: self.secret(token)? },
            Auth::Header { header, value } => {
                Credentials::Header { header: header.clone(), value: self.secret(value)? }
            }
            Auth::OAuth2ClientCredentials {
                token_path,
                client_id,
                client_secret,
                placement,
                scope,
            } => Credentials::OAuth2ClientCredentials {
                token_path: token_path.clone(),
                client_id: self.text(client_id)?,
                client_secret: self.secret(client_secret)?,
                placement: *placement,
                scope: scope.clone(),
            },
        })
    }

    fn text(&self, option: &str) -> Result<String, Error> {
        self.secret(option).map(|text| text.expose_secret().to_owned())
    }

    fn secret(&self, option: &str) -> Result<SecretString, Error> {
        let is_secret = self
            .managed
            .plugin()
            .manifest
            .options
            .iter()
            .any(|known| known.name == option && known.secret);
        let Some(value) = self.config.options.get(option) else {
            let message = format!("option `{option}` is needed and not set");
            return Err(Error::Config(config_error(&self.config, message, None)));
        };
        let allows_inline = !is_secret || self.allows_inline_secrets;
        resolve_text(&self.config, option, value, &self.secrets, allows_inline)
            .map_err(Error::Config)
    }
}

/// Returns the options as the plugin gets them: checked, with defaults, without secrets.
fn options_for_plugin(
    config: &ConnectionConfig,
    manifest: &Manifest,
    secrets: &Secrets,
    allows_inline_secrets: bool,
) -> Result<serde_json::Value, ConfigError> {
    let mut options = serde_json::Map::new();
    let mut faults: Vec<ConfigError> = Vec::new();
    for (key, value) in &config.options {
        let Some(option) = manifest.options.iter().find(|option| option.name == *key) else {
            let message = format!("plugin `{}` has no option `{key}`", config.plugin);
            let known: Vec<&str> = manifest
                .options
                .iter()
                .map(|option| option.name.as_str())
                .chain(crate::config::HOST_KEYS)
                .collect();
            let hint = did_you_mean(&nearest(key, known));
            faults.push(ConfigError {
                line: Some(value.line),
                ..config_error(config, message, hint)
            });
            continue;
        };
        if option.secret && manifest.io == Io::Host {
            continue;
        }
        let allows_inline = !option.secret || allows_inline_secrets;
        match option_value(config, option, value, secrets, allows_inline) {
            Ok(json) => {
                options.insert(key.clone(), json);
            }
            Err(fault) => faults.push(fault),
        }
    }
    for option in &manifest.options {
        if config.options.contains_key(&option.name) {
            continue;
        }
        if let Some(default) = &option.default {
            options.insert(option.name.clone(), default.clone());
        } else if option.required {
            let message = format!("option `{}` is needed and not set", option.name);
            let hint =
                (!option.doc.is_empty()).then(|| format!("`{}`: {}", option.name, option.doc));
            faults.push(config_error(config, message, hint));
        }
    }
    let mut faults = faults.into_iter();
    let Some(mut first) = faults.next() else { return Ok(options.into()) };
    for fault in faults {
        let prefix = format!("connection `{}`: ", config.name);
        let message = fault.message.strip_prefix(&prefix).unwrap_or(&fault.message);
        first.message = format!("{}; {message}", first.message);
        first.hint = first.hint.or(fault.hint);
    }
    Err(first)
}

fn option_value(
    config: &ConnectionConfig,
    option: &ConnectionOption,
    value: &OptionValue,
    secrets: &Secrets,
    allows_inline: bool,
) -> Result<serde_json::Value, ConfigError> {
    let wrong = |what: &str| {
        let message = format!("option `{}` must be {what}", option.name);
        ConfigError { line: Some(value.line), ..config_error(config, message, None) }
    };
    let json = match &value.value {
        OptionSource::Inline(json) if allows_inline && option.option_type != OptionType::Text => {
            json.clone()
        }
        _ => {
            let text = resolve_text(config, &option.name, value, secrets, allows_inline)?;
            serde_json::Value::String(text.expose_secret().to_owned())
        }
    };
    let json = match option.option_type {
        OptionType::Text => json,
        OptionType::Int if json.is_i64() => json,
        OptionType::Int => return Err(wrong("a whole number")),
        OptionType::Bool if json.is_boolean() => json,
        OptionType::Bool => return Err(wrong("`true` or `false`")),
        OptionType::Duration => {
            let duration = json.as_str().and_then(crate::duration::parse);
            let duration = duration.ok_or_else(|| wrong("a duration such as `\"10m\"`"))?;
            u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).into()
        }
        OptionType::TextList => {
            let is_texts =
                json.as_array().is_some_and(|items| items.iter().all(serde_json::Value::is_string));
            if !is_texts {
                return Err(wrong("a list of text"));
            }
            json
        }
    };
    if !option.values.is_empty()
        && let Some(text) = json.as_str()
        && !option.values.iter().any(|allowed| allowed == text)
    {
        return Err(wrong(&format!("one of `{}`", option.values.join("`, `"))));
    }
    Ok(json)
}

/// Returns the text of an option, from wherever it is kept.
fn resolve_text(
    config: &ConnectionConfig,
    name: &str,
    value: &OptionValue,
    secrets: &Secrets,
    allows_inline: bool,
) -> Result<SecretString, ConfigError> {
    let at_line = |message: String, hint: Option<String>| ConfigError {
        line: Some(value.line),
        ..config_error(config, message, hint)
    };
    match &value.value {
        OptionSource::Reference(reference) => secrets
            .resolve(reference)
            .map_err(|error| at_line(format!("option `{name}`: {}", error.message), error.hint)),
        OptionSource::Inline(_) if !allows_inline => Err(at_line(
            format!("option `{name}` is a secret in a file that others can read"),
            Some(format!(
                "write `{name} = {{ env = \"…\" }}` or `{{ file = \"…\" }}`, or give the file mode 0600"
            )),
        )),
        OptionSource::Inline(serde_json::Value::String(text)) => Ok(text.clone().into()),
        OptionSource::Inline(_) => Err(at_line(format!("option `{name}` must be text"), None)),
    }
}

fn config_error(config: &ConnectionConfig, message: String, hint: Option<String>) -> ConfigError {
    let prefix = format!("connection `{}`: ", config.name);
    let message = message.strip_prefix(&prefix).unwrap_or(&message);
    ConfigError { file: None, line: Some(config.line), message: format!("{prefix}{message}"), hint }
}

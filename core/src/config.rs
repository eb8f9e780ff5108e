//! The configuration: text of a TOML file to connections and settings.
//! Every key is known or an error with its line; what belongs to a plugin is kept as options and
//! checked against its manifest when the connection opens. Resolves no secret, loads no plugin.

mod geoip;
mod isolation;
mod local;
mod read;
mod secret;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::Rate;

use crate::error::ConfigError;
use crate::error::nearest;
use crate::geo::PlaceSources;
pub use isolation::IsolationConfig;
pub use local::{DeclaredColumn, FileFormat, LocalTableConfig, TimeConfig};
use read::Reader;
pub use secret::{SecretRef, Secrets};

/// Names that no connection or table may have.
pub const RESERVED_NAMES: [&str; 3] = ["sessions", "information_schema", "_"];

/// What a configuration file says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file it was read from.
    pub file: Option<PathBuf>,
    /// Whether only its owner can read the file, so that it may hold secrets.
    pub is_private: bool,
    /// The connections, by name.
    pub connections: BTreeMap<String, ConnectionConfig>,
    /// The local tables, by name.
    pub tables: BTreeMap<String, LocalTableConfig>,
    /// Where the places of addresses are found.
    pub geoip: PlaceSources,
    /// What holds for every query.
    pub settings: Settings,
}

/// One `[connections.NAME]`.
#[derive(Debug, Clone, Default)]
pub struct ConnectionConfig {
    /// Its name.
    pub name: String,
    /// The line of its header, counted from 1.
    pub line: usize,
    /// The lines of its keys, counted from 1.
    pub lines: BTreeMap<String, usize>,
    /// The plugin's name.
    pub plugin: String,
    /// Where requests go; the plugin may have a default.
    pub base_url: Option<String>,
    /// Replaces the token request's URL, if the plugin authenticates by OAuth.
    pub token_url: Option<String>,
    /// The gaps that are known and no longer an exit code.
    pub accept: Vec<Reason>,
    /// Whether `FROM sessions` reads it.
    pub in_sessions: bool,
    /// How long the server may be silent, before the head of an answer and within its body.
    pub timeout: Option<Duration>,
    /// How many requests may be under way at once.
    pub max_concurrency: Option<usize>,
    /// A rate to keep from the first request on.
    pub rate_limit: Option<Rate>,
    /// The certificate authorities to trust in place of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub client_cert: Option<PathBuf>,
    /// The client's key, PEM.
    pub client_key: Option<PathBuf>,
    /// Whether certificates are not checked.
    pub insecure_tls: bool,
    /// A proxy's URL.
    pub proxy: Option<String>,
    /// Whether plain http is allowed to another machine.
    pub allow_http: bool,
    /// Whether the plugin runs in a process of its own, and within which limits.
    pub isolation: Option<IsolationConfig>,
    /// All other keys: the plugin's options.
    pub options: BTreeMap<String, OptionValue>,
}

/// The value of a plugin's option, with the line it stands on.
#[derive(Debug, Clone)]
pub struct OptionValue {
    /// The line, counted from 1.
    pub line: usize,
    /// What it says.
    pub value: OptionSource,
}

/// Where an option's value comes from.
#[derive(Debug, Clone)]
pub enum OptionSource {
    /// Written out.
    Inline(serde_json::Value),
    /// `{ env = "…" }` or `{ file = "…" }`.
    Reference(SecretRef),
}

/// `[settings]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The zone in which dates and times without offset are meant.
    pub time_zone: chrono_tz::Tz,
    /// How much memory a statement may use, in bytes.
    pub memory_limit_bytes: usize,
    /// How long the REPL may answer from its cache.
    pub cache_ttl: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_zone: chrono_tz::UTC,
            memory_limit_bytes: 1_000_000_000,
            cache_ttl: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read, is no TOML, or says what is not known; it names
    /// the line.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let in_file = |message: String| ConfigError {
            file: Some(file.to_owned()),
            ..ConfigError::new(message)
        };
        let text = std::fs::read_to_string(file)
            .map_err(|error| in_file(format!("the configuration cannot be read: {error}")))?;
        let mut config = Self::parse(&text).map_err(|mut error| {
            error.file = Some(file.to_owned());
            error
        })?;
        config.resolve_paths(file.parent().unwrap_or(Path::new("")));
        config.file = Some(file.to_owned());
        config.is_private = secret::is_private(file);
        Ok(config)
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_beside(text, &[])
    }

    /// Parses a configuration in a document that has other keys too, which are not looked at.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse_beside(text: &str, other_keys: &[&str]) -> Result<Self, ConfigError> {
        let mut reader = Reader::parse(text)?;
        reader.leave_out(other_keys);
        let mut config = Self::default();
        if let Some(mut settings) = reader.take_table("settings")? {
            config.settings = Settings::read(&mut settings)?;
        }
        if let Some(mut geoip) = reader.take_table("geoip")? {
            config.geoip = geoip::read(&mut geoip)?;
        }
        for (name, mut table) in reader.take_tables("connections")? {
            check_name(&name, "a connection", table.line())?;
            let connection = ConnectionConfig::read(&name, &mut table)?;
            config.connections.insert(name, connection);
        }
        for (name, mut table) in reader.take_tables("tables")? {
            check_name(&name, "a table", table.line())?;
            let table = LocalTableConfig::read(&name, &mut table, config.settings.time_zone)?;
            if let Some(connection) = config.connections.get(&name) {
                let (first, second) =
                    (connection.line.min(table.line), connection.line.max(table.line));
                let message = format!(
                    "`{name}` names a connection and a table: the other is on line {first}"
                );
                return Err(ConfigError { line: Some(second), ..ConfigError::new(message) });
            }
            config.tables.insert(name, table);
        }
        let own = ["connections", "tables", "settings", "geoip"];
        reader.finish("the configuration", &[own.as_slice(), other_keys].concat())?;
        Ok(config)
    }

    /// Makes relative paths those of a directory.
    pub fn resolve_paths(&mut self, directory: &Path) {
        for table in self.tables.values_mut() {
            table.path = directory.join(&table.path);
        }
        for file in &mut self.geoip.files {
            *file = directory.join(&file);
        }
        for connection in self.connections.values_mut() {
            let files =
                [&mut connection.ca_file, &mut connection.client_cert, &mut connection.client_key];
            for file in files.into_iter().flatten() {
                *file = directory.join(&file);
            }
            for option in connection.options.values_mut() {
                if let OptionSource::Reference(SecretRef::File(file)) = &mut option.value {
                    *file = directory.join(&file);
                }
            }
        }
    }
}

impl ConnectionConfig {
    fn read(name: &str, table: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let what = format!("connection `{name}`");
        let plugin = table.take_text("plugin")?.ok_or_else(|| {
            table
                .error(format!("{what} has no `plugin`"))
                .with_hint("name the provider, such as `plugin = \"openvpn\"`")
        })?;
        if !is_name(&plugin) {
            let message = format!("{what}: `{plugin}` is not a plugin's name");
            return Err(table.error_at_key("plugin", message));
        }
        let accept = table.take_texts("accept")?.unwrap_or_default();
        let mut connection = Self {
            name: name.to_owned(),
            line: table.line(),
            lines: table.lines.clone(),
            plugin,
            base_url: table.take_text("base_url")?,
            token_url: table.take_text("token_url")?,
            in_sessions: table.take_bool("in_sessions")?.unwrap_or(true),
            timeout: table.take_positive_duration("timeout")?,
            max_concurrency: table.take_count("max_concurrency")?,
            rate_limit: match table.take_table("rate_limit")? {
                Some(mut rate) => Some(read_rate(&mut rate)?),
                None => None,
            },
            ca_file: table.take_text("ca_file")?.map(PathBuf::from),
            client_cert: table.take_text("client_cert")?.map(PathBuf::from),
            client_key: table.take_text("client_key")?.map(PathBuf::from),
            insecure_tls: table.take_bool("insecure_tls")?.unwrap_or(false),
            proxy: table.take_text("proxy")?,
            allow_http: table.take_bool("allow_http")?.unwrap_or(false),
            isolation: IsolationConfig::read(&what, table)?,
            ..Self::default()
        };
        for word in accept {
            connection.accept.push(read_gap(&word).ok_or_else(|| {
                let known = ["capped", "history", "clamped", "budget"];
                let message = format!("{what}: `accept` names `{word}`, which is no gap");
                let error = table.error_at_key("accept", message);
                error.with_hint(format!("gaps are `{}`", known.join("`, `")))
            })?);
        }
        connection.options = table.take_options()?;
        Ok(connection)
    }
}

/// The keys of a connection that the host reads; a plugin's options have other names.
pub const HOST_KEYS: [&str; 18] = [
    "plugin",
    "base_url",
    "token_url",
    "accept",
    "in_sessions",
    "timeout",
    "max_concurrency",
    "rate_limit",
    "ca_file",
    "client_cert",
    "client_key",
    "insecure_tls",
    "proxy",
    "allow_http",
    "isolation",
    "memory_limit",
    "time_limit",
    "user_case",
];

impl Settings {
    fn read(table: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let time_zone = match table.take_text("time_zone")? {
            None => default.time_zone,
            Some(zone) => read_zone(table, &zone)?,
        };
        let memory_limit_bytes = match table.take_text("memory_limit")? {
            None => default.memory_limit_bytes,
            Some(size) => read_size(table, "memory_limit", &size)?,
        };
        let cache_ttl = table.take_duration("cache_ttl")?.unwrap_or(default.cache_ttl);
        table.finish("`[settings]`", &["time_zone", "memory_limit", "cache_ttl"])?;
        Ok(Self { time_zone, memory_limit_bytes, cache_ttl })
    }
}

/// Returns the bytes that the value of a key means.
fn read_size(table: &Reader<'_>, key: &str, size: &str) -> Result<usize, ConfigError> {
    parse_size(size).ok_or_else(|| {
        table
            .error_at_key(key, format!("`{key}`: `{size}` is not a size"))
            .with_hint("write a number with KB, MB or GB, such as `512MB`")
    })
}

/// Returns the zone that the key `time_zone` of a table names.
fn read_zone(table: &Reader<'_>, name: &str) -> Result<chrono_tz::Tz, ConfigError> {
    parse_time_zone(name).ok_or_else(|| {
        let error = table.error_at_key("time_zone", format!("`time_zone`: no time zone `{name}`"));
        let known: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
        let hint = did_you_mean_one_of(name, &known)
            .unwrap_or_else(|| "zones are named like `UTC` or `Europe/Berlin`".to_owned());
        error.with_hint(hint)
    })
}

fn read_rate(table: &mut Reader<'_>) -> Result<Rate, ConfigError> {
    let (burst, refill) = (table.take_count("burst")?, table.take_count("refill")?);
    let per = table.take_positive_duration("per")?;
    table.finish("`rate_limit`", &["burst", "refill", "per"])?;
    let rate = match (burst, refill, per) {
        (Some(burst), Some(refill), Some(per)) => Rate {
            burst: u32::try_from(burst).unwrap_or(u32::MAX),
            refill: u32::try_from(refill).unwrap_or(u32::MAX),
            per_ms: u64::try_from(per.as_millis()).unwrap_or(u64::MAX).max(1),
        },
        _ => {
            return Err(table
                .error("`rate_limit` needs `burst`, `refill` and `per`".to_owned())
                .with_hint("such as `{ burst = 20, refill = 1, per = \"15s\" }`"));
        }
    };
    Ok(rate)
}

fn read_gap(word: &str) -> Option<Reason> {
    let known = [Reason::Capped, Reason::History, Reason::Clamped, Reason::Budget];
    known.into_iter().find(|reason| reason.as_str() == word)
}

/// Tells whether `name` may name a connection, a table or a plugin: `[a-z_][a-z0-9_]*`.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Checks the name of a connection or of a table.
fn check_name(name: &str, what: &str, line: usize) -> Result<(), ConfigError> {
    let mut error = if !is_name(name) {
        ConfigError::new(format!("`{name}` cannot name {what}"))
            .with_hint("names are lower-case letters, digits and `_`, and begin with no digit")
    } else if RESERVED_NAMES.contains(&name) {
        ConfigError::new(format!("`{name}` is reserved and cannot name {what}"))
    } else {
        return Ok(());
    };
    error.line = Some(line);
    Err(error)
}

/// Returns the zone with this IANA name, in any case.
pub fn parse_time_zone(name: &str) -> Option<chrono_tz::Tz> {
    chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).copied()
}

/// Returns the bytes that a size such as `512MB` means; `KB`, `MB`, `GB` are powers of 1,000 and
/// `KiB`, `MiB`, `GiB` of 1,024.
pub fn parse_size(text: &str) -> Option<usize> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor).filter(|bytes| *bytes > 0)
}

/// Returns an error for a key that is not known, with the nearest ones, else with all.
fn unknown_key(key: &str, what: &str, known: &[&str]) -> ConfigError {
    let hint = did_you_mean_one_of(key, known)
        .unwrap_or_else(|| format!("its keys are `{}`", known.join("`, `")));
    ConfigError::new(format!("{what} has no key `{key}`")).with_hint(hint)
}

fn did_you_mean_one_of(word: &str, known: &[&str]) -> Option<String> {
    crate::error::did_you_mean(&nearest(word, known.iter().copied()))
}

#[cfg(test)]
mod tests;

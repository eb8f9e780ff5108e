//! What a plugin says about itself (`describe`) and about a connection (`connect`).

use serde::{Deserialize, Serialize};

/// What a plugin is and offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The plugin's name: `[a-z_][a-z0-9_]*`, the `<name>` in `libsessionql_<name>.so`.
    pub name: String,
    /// The plugin's own version.
    pub version: String,
    /// One sentence on what it reads.
    pub doc: String,
    /// Optional parts of the interface that the plugin uses; unknown ones are ignored.
    pub features: Vec<String>,
    /// Who does the input and output.
    pub io: Io,
    /// Where requests go; for `io: "host"` only.
    pub base_url: BaseUrl,
    /// The options of a connection.
    pub options: Vec<ConnectionOption>,
    /// How requests are authenticated.
    pub auth: Auth,
    /// The tables of a connection.
    pub tables: Vec<Table>,
    /// The requests that the plugin may ask the host to send; nothing else is sent.
    pub patterns: Vec<Pattern>,
}

/// Who does the input and output of a plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Io {
    /// The host sends every request (the default).
    #[default]
    Host,
    /// The plugin does its own; it then gets its secret options too.
    Own,
}

/// What the host must know of a connection's `base_url`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BaseUrl {
    /// Used when the connection sets none; without it `base_url` is required.
    pub default: Option<String>,
    /// Path suffixes that users append by mistake; taken off with a note.
    pub known_suffixes: Vec<String>,
}

/// One option of a connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionOption {
    /// The key in the configuration file.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub option_type: OptionType,
    /// Whether a connection must set it.
    pub required: bool,
    /// Whether it is resolved by the host and never handed to the plugin.
    pub secret: bool,
    /// Used when the connection sets none; as the plugin gets it, so durations are microseconds.
    pub default: Option<serde_json::Value>,
    /// The allowed values, if they are few; empty means any.
    pub values: Vec<String>,
    /// What it does, in one sentence.
    pub doc: String,
}

/// The type of an option's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionType {
    /// Text.
    #[default]
    Text,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// A duration as the language writes it, such as `10m`; the plugin gets microseconds.
    Duration,
    /// A list of text.
    TextList,
}

/// How the host authenticates the requests of a connection. Names are names of options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Auth {
    /// Not at all.
    #[default]
    None,
    /// HTTP Basic.
    Basic {
        /// Option with the user name.
        username: String,
        /// Secret option with the password.
        password: String,
    },
    /// `Authorization: Bearer …` with a fixed token.
    Bearer {
        /// Secret option with the token.
        token: String,
    },
    /// A header of the provider's own.
    Header {
        /// The header's name, such as `X-API-KEY`.
        header: String,
        /// Secret option with its value.
        value: String,
    },
    /// OAuth 2.0 client credentials (RFC 6749, section 4.4); the host fetches and renews the token.
    #[serde(rename = "oauth2_client_credentials")]
    OAuth2ClientCredentials {
        /// Path of the token request, a POST, below the base URL. The connection option
        /// `token_url` replaces it with a full URL, which may have another origin.
        token_path: String,
        /// Option with the client id.
        client_id: String,
        /// Secret option with the client secret.
        client_secret: String,
        /// Where id and secret go.
        placement: CredentialPlacement,
        /// The scope to ask for, if any.
        #[serde(default)]
        scope: Option<String>,
    },
}

/// Where id and secret go in a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialPlacement {
    /// Into the query string.
    Query,
    /// Into a form body.
    Form,
    /// Into an HTTP Basic header.
    Basic,
    /// Into a JSON body.
    Json,
}

/// One table of a connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Table {
    /// Its name within the connection.
    pub name: String,
    /// Whether the bare connection name means this table; its first columns are then the common ones.
    pub is_main: bool,
    /// What a row is, in one sentence.
    pub doc: String,
    /// The columns that the plugin can emit.
    pub columns: Vec<Column>,
    /// The columns that name a row; the host removes duplicates by them.
    pub primary_key: Vec<String>,
    /// Whether one scan may emit a row more than once.
    pub has_duplicates: bool,
    /// The columns that bound a session's life, if rows are sessions.
    pub time: Option<TimeColumns>,
    /// Whether the plugin takes `open_during` filters on `time`.
    pub takes_open_during: bool,
    /// What the provider limits.
    pub limits: Limits,
}

/// The columns that bound a session's life. Both are timestamps; a NULL end means open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeColumns {
    /// When it began.
    pub start: String,
    /// When it ended.
    pub end: String,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    /// Its name, in snake case.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// What it means, in one sentence.
    pub doc: String,
    /// The values it may have, if the provider documents them all.
    pub values: Vec<String>,
    /// Whether its values are masked in logs, errors and EXPLAIN.
    pub sensitive: bool,
    /// Whether it is produced only when named, and never part of `*`.
    pub hidden: bool,
    /// The filters that the host may send on it.
    pub filters: Vec<FilterOp>,
    /// Whether an `in` filter on it is answered by a few requests for each value. Where the table is
    /// too large to be read whole (`limits.cap`), a join on the column then asks by its keys.
    pub lookup: bool,
}

/// The common columns of a main table that the host makes itself; a plugin must not declare them.
pub const HOST_COLUMNS: [&str; 3] = ["duration", "provider", "connection"];

/// The common columns of a main table that a plugin declares, with their types.
pub const DECLARED_COLUMNS: [(&str, ColumnType); 6] = [
    ("id", ColumnType::Text),
    ("user", ColumnType::Text),
    ("start", ColumnType::Timestamp),
    ("end", ColumnType::Timestamp),
    ("status", ColumnType::Text),
    ("client_ip", ColumnType::Text),
];

/// Column types of version 1, with their Arrow C format strings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// `u`: UTF-8 text.
    #[default]
    Text,
    /// `tsu:UTC`: microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// `tDu`: microseconds.
    Duration,
    /// `l`: a signed 64-bit integer.
    Int64,
    /// `g`: a 64-bit float.
    Float64,
    /// `b`: a boolean.
    Bool,
    /// `+l` of `u`: a list of text.
    TextList,
    /// `u`: JSON as text.
    Json,
}

/// The kinds of filters that can cross the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterOp {
    /// Equal to one value.
    Eq,
    /// Equal to one of several values.
    In,
    /// Between bounds.
    Range,
    /// A lifetime that touches a window.
    OpenDuring,
    /// NULL or not.
    IsNull,
    /// A LIKE pattern.
    Like,
}

/// What a provider limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Rows in one page at most.
    pub page_size: Option<u64>,
    /// Rows in one answer at most, without a next page.
    pub cap: Option<u64>,
    /// How far back rows exist.
    pub history: Option<History>,
}

/// How far back a provider's rows reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// Only sessions that are open now.
    Live,
    /// So many microseconds before now.
    LastUs(i64),
}

/// One request that a plugin may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pattern {
    /// `GET` or `POST`.
    pub method: String,
    /// Path below the base URL; a segment `{name}` stands for any one segment.
    pub path: String,
    /// Whether it only reads, so that it may be sent again. A GET always is.
    pub safe: bool,
    /// Largest body in bytes after decompression; default 256 MiB.
    pub max_body: Option<u64>,
    /// The content type of a good answer, such as `application/json`; several are separated by
    /// commas, as in `Accept`; empty means any.
    pub content_type: String,
    /// The rate that the provider publishes, if it does.
    pub rate: Option<Rate>,
}

impl Pattern {
    /// Returns the pattern of a GET request that answers with JSON.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.into(),
            safe: true,
            content_type: "application/json".to_owned(),
            ..Self::default()
        }
    }
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Requests that may be sent at once.
    pub burst: u32,
    /// Requests gained every `per_ms`.
    pub refill: u32,
    /// Milliseconds between two refills.
    pub per_ms: u64,
}

/// The reply of `connect`: what differs from the manifest for this connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Connected {
    /// Replaces the manifest's tables.
    pub tables: Option<Vec<Table>>,
    /// Replaces the manifest's auth.
    pub auth: Option<Auth>,
    /// Replaces the manifest's patterns.
    pub patterns: Option<Vec<Pattern>>,
    /// Said to the user once, such as a base URL that was corrected.
    pub notes: Vec<String>,
}

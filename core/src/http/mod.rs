//! Sends the HTTP requests that plugins ask for, and nothing else.
//! In: a declared request of one connection. Out: a verified answer, or an error that says why not.
//! `client` tells the story of one request; the other files know one rule each: `origin` where a
//! request may go, `auth` and `token` who asks, `retry` and `limiter` when, `body` whether the
//! answer is whole, `redact`, `preview`, `sensitive`, `account` and `state` what may be said about it.
//! Called by the plugin handle from blocking threads through the runtime. Prints nothing, reads no
//! environment variable, never hands a secret to a plugin.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use sessionql_plugin_abi::message::{CredentialPlacement, Pattern, Rate, ResponseHead};

mod account;
mod attempt;
mod auth;
mod body;
mod client;
mod clock;
mod fault;
mod header;
mod limiter;
mod origin;
mod prepare;
mod preview;
mod quota;
mod redact;
mod retry;
mod sensitive;
mod state;
mod tls;
mod token;

pub use account::{Account, FinishedRequest, RequestBudget, Scope, Usage};
pub use body::Body;
pub use client::Client;
pub use preview::Preview;
pub use redact::request_line;
pub use retry::RetryOptions;
pub use sensitive::Sensitive;
pub use state::{ClientState, RateLeft, TokenHeld};

/// Everything about one connection that HTTP needs; built from configuration and manifest.
/// Start from [`HttpOptions::new`], which fills in the defaults.
pub struct HttpOptions {
    /// The connection's name, for messages.
    pub connection: String,
    /// Where requests go. A missing scheme, a trailing slash and known suffixes are corrected.
    pub base_url: String,
    /// Path suffixes that users append to `base_url` by mistake.
    pub known_suffixes: Vec<String>,
    /// The requests that may be sent.
    pub patterns: Vec<Pattern>,
    /// How requests are authenticated.
    pub auth: Credentials,
    /// A full URL for token requests in place of `token_path`; may have an origin of its own.
    pub token_url: Option<String>,
    /// Whether plain http may leave this machine.
    pub allow_http: bool,
    /// Whether certificates are left unchecked.
    pub insecure_tls: bool,
    /// PEM file with the certificate authorities to trust, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client's certificate chain.
    pub client_cert: Option<PathBuf>,
    /// PEM file with the client's private key; without it the key is looked for in `client_cert`.
    pub client_key: Option<PathBuf>,
    /// URL of an HTTP proxy. Proxies of the environment are never used.
    pub proxy: Option<String>,
    /// How long the server may be silent, before the head of an answer and within its body.
    /// It replaces both `header_timeout` and `body_timeout` and holds for each attempt anew; what
    /// bounds a request with all its retries is [`Scope::deadline`].
    pub timeout: Option<Duration>,
    /// Requests in flight at most, over all scans of the connection.
    pub max_concurrency: Option<usize>,
    /// A rate to keep from the first request on; nothing that the server says changes it.
    pub rate_limit: Option<Rate>,
    /// How long to wait for a connection and the head of an answer: 10 s.
    pub header_timeout: Duration,
    /// How long to wait for the next piece of a body: 30 s.
    pub body_timeout: Duration,
    /// Largest body that is kept in memory, in bytes; larger ones go to a file: 8 MiB.
    pub memory_bytes: usize,
    /// Where that file is made, unlinked at once; the system's temporary directory by default.
    pub spool_dir: Option<PathBuf>,
    /// When and how often a request is sent again.
    pub retry: RetryOptions,
}

impl HttpOptions {
    /// Returns the defaults for a connection: no credentials, no patterns, system trust.
    pub fn new(connection: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            connection: connection.into(),
            base_url: base_url.into(),
            known_suffixes: Vec::new(),
            patterns: Vec::new(),
            auth: Credentials::None,
            token_url: None,
            allow_http: false,
            insecure_tls: false,
            ca_file: None,
            client_cert: None,
            client_key: None,
            proxy: None,
            timeout: None,
            max_concurrency: None,
            rate_limit: None,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            memory_bytes: 8 << 20,
            spool_dir: None,
            retry: RetryOptions::default(),
        }
    }
}

/// How a connection authenticates: the manifest's declaration with the options' values.
/// `Debug` does not show secrets.
#[derive(Debug, Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// HTTP Basic.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// `Authorization: Bearer …` with a fixed token.
    Bearer {
        /// The token.
        token: SecretString,
    },
    /// A header of the provider's own.
    Header {
        /// The header's name.
        header: String,
        /// Its value.
        value: SecretString,
    },
    /// OAuth 2.0 client credentials; the host fetches and renews the token.
    /// Source: RFC 6749, section 4.4.
    OAuth2ClientCredentials {
        /// Path of the token request below the base URL.
        token_path: String,
        /// The client id.
        client_id: String,
        /// The client secret.
        client_secret: SecretString,
        /// Where id and secret go.
        placement: CredentialPlacement,
        /// The scope to ask for, if any.
        scope: Option<String>,
    },
}

/// The answer to one request: complete, verified, and never a 401, 408, 429 or 5xx.
#[derive(Debug)]
pub struct Answer {
    /// Status, some headers, and the length of the body.
    pub head: ResponseHead,
    /// The body, decompressed.
    pub body: Body,
}

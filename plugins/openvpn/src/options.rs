//! The options of a connection.

use sessionql_plugin_sdk::message::{ConnectionOption, CredentialPlacement};
use sessionql_plugin_sdk::time::{DAY_US, MINUTE_US};
use sessionql_plugin_sdk::{ErrorDocument, Options, Reason, WireError, options};

/// A version of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiVersion {
    /// Version 0.16, which the vendor means to switch off some day.
    Beta,
    /// Versions 1.0 to 1.2.
    V1,
}

impl ApiVersion {
    /// Returns the path that all requests begin with.
    pub(crate) fn root(self) -> &'static str {
        match self {
            Self::Beta => "/api/beta",
            Self::V1 => "/api/v1",
        }
    }

    /// Returns how far back sessions are kept. Source: `startDate` in the API's reference.
    fn history_us(self) -> i64 {
        match self {
            Self::Beta => 7 * DAY_US,
            Self::V1 => 30 * DAY_US,
        }
    }
}

/// What a connection is set to. Durations are in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) version: ApiVersion,
    pub(crate) placement: CredentialPlacement,
    /// How far a record's creation or update may lie from the begin or end of its session.
    pub(crate) slack_us: i64,
    /// How much of the history is not asked for, since it may be gone before the last page.
    pub(crate) margin_us: i64,
    pub(crate) history_us: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: ApiVersion::Beta,
            placement: CredentialPlacement::Query,
            slack_us: 10 * MINUTE_US,
            margin_us: 15 * MINUTE_US,
            history_us: ApiVersion::Beta.history_us(),
        }
    }
}

impl Settings {
    /// Reads the options, whose types and values the host has checked.
    ///
    /// # Errors
    /// `config` if no history is left after the margin.
    pub(crate) fn read(options: &Options) -> Result<Self, ErrorDocument> {
        let defaults = Self::default();
        let version = match options.text("api_version") {
            Some("v1") => ApiVersion::V1,
            _ => ApiVersion::Beta,
        };
        let placement = match options.text("credentials_in") {
            Some("basic") => CredentialPlacement::Basic,
            Some("form") => CredentialPlacement::Form,
            Some("json") => CredentialPlacement::Json,
            _ => CredentialPlacement::Query,
        };
        let duration = |name, default| options.duration_us(name).unwrap_or(default);
        let settings = Self {
            version,
            placement,
            slack_us: duration("slack", defaults.slack_us),
            margin_us: duration("history_margin", defaults.margin_us),
            history_us: duration("history", version.history_us()),
        };
        if settings.history_us <= settings.margin_us {
            let message = "option `history` is not longer than option `history_margin`";
            return Err(WireError::new(Reason::Config, message).into());
        }
        Ok(settings)
    }
}

/// Declares the options for the manifest.
pub(crate) fn declare() -> Vec<ConnectionOption> {
    let defaults = Settings::default();
    vec![
        options::required("client_id", "Id of the API credentials."),
        options::secret("client_secret", "Secret of the API credentials."),
        options::choice(
            "api_version",
            ["beta", "v1"],
            "Version of the API; beta keeps 7 days of sessions, v1 keeps 30.",
        ),
        options::choice(
            "credentials_in",
            ["query", "basic", "form", "json"],
            "Where a token request carries id and secret.",
        ),
        options::duration(
            "slack",
            Some(defaults.slack_us),
            "How far the API's record of a session may lie from its begin or end in time.",
        ),
        options::duration(
            "history_margin",
            Some(defaults.margin_us),
            "How much of the oldest history is left out, for it may vanish while it is read.",
        ),
        options::duration(
            "history",
            None,
            "How far back sessions are kept, if not as `api_version` says.",
        ),
    ]
}

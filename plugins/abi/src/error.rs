//! Why something went wrong or is missing: the words that gaps and errors share.
//! A gap makes an answer incomplete, an error ends a scan; both name one of these reasons.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why rows are missing or a call failed. The list is closed; an unknown word reads as `Other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The provider answers with at most so many rows and has more.
    Capped,
    /// The asked time lies before what the provider keeps.
    History,
    /// The provider changed values of the answer to fit the asked window.
    Clamped,
    /// A limit on requests, set by the user, was reached.
    Budget,
    /// A deadline passed.
    Timeout,
    /// No connection could be made, or it broke and retries did not help.
    Unreachable,
    /// The provider refused the credentials.
    Auth,
    /// The provider's answer cannot be read as what it should be.
    BadAnswer,
    /// The provider answered with an error of its own.
    ProviderError,
    /// The plugin broke the contract, panicked or failed inside.
    PluginError,
    /// An option is missing, unknown or wrong.
    Config,
    /// The host asked to stop.
    Cancelled,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}

impl Reason {
    /// Returns the word used on the wire, in messages and in JSON output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capped => "capped",
            Self::History => "history",
            Self::Clamped => "clamped",
            Self::Budget => "budget",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Auth => "auth",
            Self::BadAnswer => "bad_answer",
            Self::ProviderError => "provider_error",
            Self::PluginError => "plugin_error",
            Self::Config => "config",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// Tells whether the answer of a scan with this gap is still an answer, if not a whole one.
    /// The other reasons are failures.
    pub fn is_gap(self) -> bool {
        matches!(self, Self::Capped | Self::History | Self::Clamped | Self::Budget)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One failure, as it crosses the wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// What kind of failure it is.
    pub code: Reason,
    /// One lower-case sentence without a full stop; names in backticks.
    pub message: String,
    /// What to do about it, if that is certain to help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The column that the failure is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Whether the same call may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// Whether the plugin panicked; the host does not call such a plugin again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub panicked: bool,
}

impl WireError {
    /// Returns an error without hint or column.
    pub fn new(code: Reason, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, hint: None, column: None, retryable: false, panicked: false }
    }

    /// Returns the error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for WireError {}

/// The reply of a call that failed: all failures at once, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// The failures, most important first.
    pub errors: Vec<WireError>,
}

impl From<WireError> for ErrorDocument {
    fn from(error: WireError) -> Self {
        Self { errors: vec![error] }
    }
}

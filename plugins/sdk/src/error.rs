//! How a call of a plugin ends early: it was stopped, or cancelled, or failed.
//! All three travel through `?`; the exporter turns each into the return code that is due.

use std::fmt;

use sessionql_plugin_abi::{ErrorDocument, Reason, WireError};

/// The result of what a plugin does during a scan.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The consumer has enough rows; the scan ends well.
    Stopped,
    /// The host asked to end the call.
    Cancelled,
    /// The call failed.
    Failed(ErrorDocument),
}

impl Error {
    /// Returns a failure because an answer cannot be read as what it should be.
    pub fn bad_answer(message: impl Into<String>) -> Self {
        WireError::new(Reason::BadAnswer, message).into()
    }

    /// Returns a failure because the plugin was called or wrote itself against the contract.
    pub fn plugin(message: impl Into<String>) -> Self {
        WireError::new(Reason::PluginError, message).into()
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ErrorDocument> for Error {
    fn from(document: ErrorDocument) -> Self {
        Self::Failed(document)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => formatter.write_str("the consumer has enough rows"),
            Self::Cancelled => formatter.write_str("the call was cancelled"),
            Self::Failed(document) => {
                let messages: Vec<_> = document.errors.iter().map(|e| e.message.as_str()).collect();
                formatter.write_str(&messages.join("; "))
            }
        }
    }
}

impl std::error::Error for Error {}

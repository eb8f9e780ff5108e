//! Reads the errors of a Connect service.
//! In: an answer with a status other than 2xx. Out: what its `code` says, for the status depends on
//! the server's version and on what stands before it.
//! Source: the Connect protocol, "Error end-stream" and "Error codes".

use serde::Deserialize;
use sessionql_plugin_sdk::{Reason, Refusal, WireError};

/// How much of a message is shown, in characters.
const SHOWN_CHARS: usize = 300;

/// The body of a refusal.
#[derive(Debug, Deserialize)]
struct ConnectError {
    code: String,
    #[serde(default)]
    message: String,
}

fn read(refusal: &Refusal) -> Option<ConnectError> {
    serde_json::from_str(&refusal.body).ok()
}

/// Tells whether the service itself says that there is no such thing. A 404 of anybody else, such
/// as of a proxy before it, says nothing about sessions.
pub(crate) fn is_not_found(refusal: &Refusal) -> bool {
    read(refusal).is_some_and(|error| error.code == "not_found")
}

/// Tells whether the service itself says that the message is wrong.
pub(crate) fn is_invalid(refusal: &Refusal) -> bool {
    read(refusal).is_some_and(|error| error.code == "invalid_argument")
}

/// Returns a refusal as an error.
pub(crate) fn error(refusal: Refusal) -> WireError {
    let Some(ConnectError { code, message }) = read(&refusal) else {
        let is_elsewhere = refusal.status == 404;
        let error = WireError::from(refusal);
        return match is_elsewhere {
            true => error.with_hint("check `base_url`: this is no answer of Formal's API"),
            false => error,
        };
    };
    let reason = match code.as_str() {
        "unauthenticated" | "permission_denied" | "unauthorized" | "forbidden" => Reason::Auth,
        _ => Reason::ProviderError,
    };
    let said: String = message.trim().chars().take(SHOWN_CHARS).collect();
    let colon = if said.is_empty() { "" } else { ": " };
    WireError::new(reason, format!("`{}` answered `{code}`{colon}{said}", refusal.request))
}

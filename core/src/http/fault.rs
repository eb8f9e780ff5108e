//! Names what went wrong with one attempt and whether another one may help.
//! In: an error of the transport, a status, a body that is not what it should be. Out: a `Fault`,
//! whose text continues "`GET /path` …".

use std::error::Error;
use std::io;
use std::time::Duration;

use sessionql_plugin_abi::Reason;

/// What another attempt can do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It may pass by itself soon.
    Retry,
    /// The provider wants fewer requests.
    SlowDown,
    /// New credentials may help.
    Renew,
    /// Nothing helps.
    None,
}

/// One attempt that failed.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// What may help.
    pub(super) remedy: Remedy,
    /// What to call it when nothing helped.
    pub(super) code: Reason,
    /// What was seen, without secrets.
    pub(super) what: String,
    /// What the user can do, if that is sure.
    pub(super) hint: Option<String>,
    /// How long the provider asked to wait.
    pub(super) floor: Option<Duration>,
}

impl Fault {
    /// Returns a fault that may pass by itself.
    pub(super) fn transient(code: Reason, what: impl Into<String>) -> Self {
        Self { remedy: Remedy::Retry, code, what: what.into(), hint: None, floor: None }
    }

    /// Returns a fault that stays.
    pub(super) fn lasting(code: Reason, what: impl Into<String>) -> Self {
        Self { remedy: Remedy::None, ..Self::transient(code, what) }
    }

    /// Returns the fault of a status that is no answer.
    pub(super) fn status(status: u16, excerpt: &str, floor: Option<Duration>) -> Self {
        let (remedy, code) = match status {
            401 => (Remedy::Renew, Reason::Auth),
            429 => (Remedy::SlowDown, Reason::ProviderError),
            // Not implemented, version not supported, negotiation or loop of the server's own,
            // not extended, network login required: the same request gets the same answer.
            501 | 505 | 506 | 508 | 510 | 511 => (Remedy::None, Reason::ProviderError),
            408 | 425 | 500..=599 => (Remedy::Retry, Reason::ProviderError),
            _ => (Remedy::None, Reason::ProviderError),
        };
        let mut what = format!("answered {status}");
        if !excerpt.is_empty() {
            what.push_str(&format!(": `{excerpt}`"));
        }
        Self { remedy, code, what, hint: None, floor }
    }

    /// Returns the fault behind an error of the transport.
    pub(super) fn transport(error: &reqwest::Error) -> Self {
        if let Some(tls) = find_tls_error(error) {
            let fault =
                Self::lasting(Reason::Unreachable, format!("found no server to trust: {tls}"));
            return match tls {
                rustls::Error::InvalidCertificate(_) => fault.with_hint(
                    "set `ca_file` to the certificate authority of the server, if it has its own",
                ),
                // A handshake that was cut is a broken connection like any other.
                rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => fault,
                _ => Self { remedy: Remedy::Retry, ..fault },
            };
        }
        let cause = root_cause(error);
        let origin = error.url().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let what = if error.is_timeout() && error.is_connect() {
            format!("got no connection to `{origin}` in time")
        } else if error.is_connect() {
            format!("got no connection to `{origin}`: {cause}")
        } else {
            format!("lost the connection: {cause}")
        };
        Self::transient(Reason::Unreachable, what)
    }

    /// Returns the fault with a hint.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Returns the innermost cause's text; the outer ones repeat the URL.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = cause.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

fn find_tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(found) = cause {
        if let Some(tls) = found.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // The source of an `io::Error` is the source of what it wraps, not what it wraps.
        cause = match found.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => found.source(),
        };
    }
    None
}

/// Writes a duration for a message, in one unit, rounded up.
pub(super) fn spell(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..120_000 => format!("{} s", millis.div_ceil(1_000)),
        120_000..7_200_000 => format!("{} min", millis.div_ceil(60_000)),
        7_200_000..172_800_000 => format!("{} h", millis.div_ceil(3_600_000)),
        _ => format!("{} days", millis.div_ceil(86_400_000)),
    }
}

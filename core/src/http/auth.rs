//! Puts credentials on requests: a fixed header, or a token that is fetched and renewed.
//! In: the credentials of a connection. Out: one header per request. Every secret is made known
//! to the redactor before it is used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use sessionql_plugin_abi::WireError;

use super::origin::{Origin, config};
use super::redact::Redactor;
use super::token::TokenSource;
use super::{Credentials, HttpOptions};

/// How a connection's requests are authenticated.
pub(super) enum Authenticator {
    /// Not at all.
    None,
    /// By the same header on each request.
    Fixed {
        /// The header's name.
        name: HeaderName,
        /// Its value, marked sensitive.
        value: HeaderValue,
        /// What the user can check when it is refused.
        hint: String,
    },
    /// By a token.
    Token(Box<TokenSource>),
}

impl Authenticator {
    /// Prepares the credentials.
    ///
    /// # Errors
    /// `Config` if a value cannot be sent in a header or the token URL is wrong.
    pub(super) fn new(
        options: &HttpOptions,
        origin: &Origin,
        redactor: &Redactor,
    ) -> Result<Self, WireError> {
        let fixed = |name: HeaderName, value: SecretString, hint: &str| {
            redactor.add(&value);
            let value = sensitive(value.expose_secret()).ok_or_else(|| {
                config(options, "auth", "has a secret with characters that no header can have")
            })?;
            Ok(Self::Fixed { name, value, hint: hint.to_owned() })
        };
        match &options.auth {
            Credentials::None => Ok(Self::None),
            Credentials::Basic { username, password } => {
                redactor.add(password);
                if username.contains(':') {
                    let what = "contains `:`, which a user name for HTTP Basic may not";
                    return Err(config(options, "username", what));
                }
                let pair = format!("{username}:{}", password.expose_secret());
                let encoded = BASE64.encode(pair);
                redactor.add(&encoded.clone().into());
                fixed(
                    AUTHORIZATION,
                    format!("Basic {encoded}").into(),
                    "check user name and password of the connection",
                )
            }
            Credentials::Bearer { token } => {
                redactor.add(token);
                let value = format!("Bearer {}", token.expose_secret().trim());
                fixed(AUTHORIZATION, value.into(), "check the token of the connection")
            }
            Credentials::Header { header, value } => {
                let name = HeaderName::from_bytes(header.as_bytes())
                    .map_err(|_| config(options, "header", "is not the name of a header"))?;
                let hint = format!("check the value for header `{header}` of the connection");
                redactor.add(value);
                fixed(name, value.expose_secret().trim().to_owned().into(), &hint)
            }
            Credentials::OAuth2ClientCredentials { .. } => {
                TokenSource::new(options, origin, redactor)
                    .map(|source| Self::Token(Box::new(source)))
            }
        }
    }

    /// Returns the header that carries the credentials.
    pub(super) fn header(&self) -> Option<&HeaderName> {
        match self {
            Self::None => None,
            Self::Fixed { name, .. } => Some(name),
            Self::Token(_) => Some(&AUTHORIZATION),
        }
    }
}

/// Returns a header value that no log shows.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

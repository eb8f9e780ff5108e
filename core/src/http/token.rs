//! Fetches and keeps the token of a connection with OAuth 2.0 client credentials.
//! In: id, secret, and where to send them. Out: a token with the time to renew it; in memory only.
//! Renewal is single-flight: who comes while it is under way gets its result.
//! Source: RFC 6749, sections 2.3.1, 4.4 and 5.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use sessionql_plugin_abi::message::CredentialPlacement;
use sessionql_plugin_abi::{Reason, WireError};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::auth::sensitive;
use super::body::Expected;
use super::origin::{Origin, config, parse_url};
use super::prepare::Prepared;
use super::redact::Redactor;
use super::state::TokenHeld;
use super::{Credentials, HttpOptions};

/// How long before its end a token is renewed, or half its life if that is less.
const RENEWED_BEFORE: Duration = Duration::from_secs(60);
/// Largest answer of a token request.
const MAX_BODY_BYTES: u64 = 1 << 20;

/// What is needed to ask for tokens, and the last one.
pub(super) struct TokenSource {
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    line: String,
    state: Mutex<TokenState>,
}

/// The last token, and how the last renewal failed.
#[derive(Default)]
pub(super) struct TokenState {
    token: Option<Token>,
    failure: Option<(Instant, WireError)>,
    n_renewed: u64,
}

/// A token in use.
#[derive(Clone)]
pub(super) struct Token {
    /// The value of the `authorization` header.
    pub(super) header: HeaderValue,
    /// Counts the tokens of this connection.
    pub(super) generation: u64,
    /// None if the provider does not say how long it lives.
    renew_at: Option<Instant>,
}

impl TokenSource {
    /// Prepares the token request of a connection.
    ///
    /// # Errors
    /// `Config` if `token_url` is wrong, `PluginError` if the manifest's path is.
    pub(super) fn new(
        options: &HttpOptions,
        origin: &Origin,
        redactor: &Redactor,
    ) -> Result<Self, WireError> {
        let Credentials::OAuth2ClientCredentials {
            token_path,
            client_id,
            client_secret,
            placement,
            scope,
        } = &options.auth
        else {
            return Err(config(options, "auth", "has no token"));
        };
        redactor.add(client_secret);
        let mut url = match &options.token_url {
            Some(token_url) => parse_url(options, "token_url", token_url)?,
            None => {
                let base = origin.base().as_str().trim_end_matches('/');
                let path = token_path.trim_start_matches('/');
                parse_url(options, "base_url", &format!("{base}/{path}"))?
            }
        };
        url.set_fragment(None);
        let secret = client_secret.expose_secret();
        let mut fields = vec![("grant_type", "client_credentials")];
        if *placement != CredentialPlacement::Basic {
            fields.extend([("client_id", client_id.as_str()), ("client_secret", secret)]);
        }
        fields.extend(scope.as_ref().map(|scope| ("scope", scope.as_str())));

        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut body = None;
        match placement {
            CredentialPlacement::Query => {
                url.query_pairs_mut().extend_pairs(&fields);
            }
            CredentialPlacement::Json => {
                let pairs =
                    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into()));
                let document = serde_json::Value::Object(pairs.collect());
                body = Some(Bytes::from(document.to_string()));
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            CredentialPlacement::Form | CredentialPlacement::Basic => {
                let form = Serializer::new(String::new()).extend_pairs(&fields).finish();
                body = Some(Bytes::from(form));
                let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
                headers.insert(CONTENT_TYPE, form_type);
            }
        }
        if *placement == CredentialPlacement::Basic {
            let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = BASE64.encode(format!("{}:{}", encode(client_id), encode(secret)));
            redactor.add(&pair.clone().into());
            let value = sensitive(&format!("Basic {pair}"))
                .ok_or_else(|| config(options, "client_id", "cannot be sent in a header"))?;
            headers.insert(AUTHORIZATION, value);
        }
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let line = redactor.line("POST", url.path(), &query);
        Ok(Self { url, headers, body, line, state: Mutex::new(TokenState::default()) })
    }

    /// Returns where tokens come from.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the token request.
    pub(super) fn prepare(&self) -> Prepared {
        Prepared {
            method: Method::POST,
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            line: self.line.clone(),
            is_repeatable: true,
            is_token_request: true,
            max_bytes: MAX_BODY_BYTES,
            expected: Expected::Json,
            published: None,
        }
    }

    /// Returns what is known of the token, without waiting for one that is being fetched.
    pub(super) fn held(&self) -> TokenHeld {
        let Ok(state) = self.state.try_lock() else { return TokenHeld::Fetching };
        match &state.token {
            None => TokenHeld::None,
            Some(Token { renew_at: None, .. }) => TokenHeld::Held(None),
            Some(Token { renew_at: Some(renew_at), .. }) => {
                let left = renew_at.checked_duration_since(Instant::now());
                left.map_or(TokenHeld::None, |left| TokenHeld::Held(Some(left)))
            }
        }
    }

    /// Locks the state. The lock is held while a token is fetched, which makes it single-flight;
    /// if the holder is cancelled, the next one fetches.
    pub(super) async fn lock(&self) -> MutexGuard<'_, TokenState> {
        self.state.lock().await
    }
}

impl TokenState {
    /// Returns what is known to a request that came at `asked` and whose token of generation
    /// `rejected` was refused: a good token, or the failure of a renewal that ended since then.
    pub(super) fn known(
        &self,
        asked: Instant,
        rejected: Option<u64>,
    ) -> Option<Result<Token, WireError>> {
        let is_good = |token: &&Token| {
            rejected.is_none_or(|rejected| token.generation > rejected)
                && token.renew_at.is_none_or(|renew_at| Instant::now() < renew_at)
        };
        if let Some(token) = self.token.as_ref().filter(is_good) {
            return Some(Ok(token.clone()));
        }
        let (failed, error) = self.failure.as_ref()?;
        (*failed >= asked).then(|| Err(error.clone()))
    }

    /// Keeps a new token.
    pub(super) fn renewed(&mut self, fresh: Fresh) -> Token {
        self.n_renewed += 1;
        self.failure = None;
        let renew_at = fresh.lifetime.and_then(|lifetime| {
            let margin = RENEWED_BEFORE.min(lifetime / 2);
            fresh.asked.checked_add(lifetime - margin)
        });
        let token = Token { header: fresh.header, generation: self.n_renewed, renew_at };
        self.token = Some(token.clone());
        token
    }

    /// Keeps a failure for those who wait for the same renewal.
    pub(super) fn failed(&mut self, error: &WireError) {
        self.failure = Some((Instant::now(), error.clone()));
    }
}

/// A token as it was answered.
#[derive(Debug)]
pub(super) struct Fresh {
    header: HeaderValue,
    lifetime: Option<Duration>,
    asked: Instant,
}

/// Reads the good answer to a token request that was sent at `asked`.
///
/// # Errors
/// What the answer lacks, as text that continues "`POST /token` …".
pub(super) fn read_token(
    body: &[u8],
    asked: Instant,
    redactor: &Redactor,
) -> Result<Fresh, String> {
    let answer: serde_json::Value =
        serde_json::from_slice(body).map_err(|_| "answered with no JSON".to_owned())?;
    let token = answer
        .get("access_token")
        .and_then(serde_json::Value::as_str)
        .filter(|token| !token.trim().is_empty())
        .ok_or("answered without `access_token`")?;
    redactor.add(&SecretString::from(token));
    let token_type = answer.get("token_type").and_then(serde_json::Value::as_str);
    if let Some(other) = token_type.filter(|kind| !kind.trim().eq_ignore_ascii_case("bearer")) {
        return Err(format!(
            "answered with a token of type `{}`",
            redactor.excerpt(other.as_bytes())
        ));
    }
    let header = sensitive(&format!("Bearer {}", token.trim()))
        .ok_or("answered with a token that no header can carry")?;
    let seconds = match answer.get("expires_in") {
        Some(serde_json::Value::Number(number)) => number.as_f64(),
        Some(serde_json::Value::String(text)) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    // A life that is not positive says nothing; a 401 will.
    let lifetime = seconds
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(Fresh { header, lifetime, asked })
}

/// Returns the error that a token endpoint names, with its description.
pub(super) fn read_refusal(body: &[u8], redactor: &Redactor) -> String {
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(body) else {
        return redactor.excerpt(body);
    };
    let fields = ["error", "error_description", "message"];
    let texts: Vec<&str> = fields.iter().filter_map(|name| answer.get(name)?.as_str()).collect();
    match texts.is_empty() {
        true => redactor.excerpt(body),
        false => redactor.excerpt(texts.join(": ").as_bytes()),
    }
}

/// Returns the error of a token request.
pub(super) fn token_error(code: Reason, connection: &str, line: &str, what: &str) -> WireError {
    let message = format!("connection `{connection}`: token request `{line}` {what}");
    WireError::new(code, message)
}

//! Access tokens: who gets one, and for how long it is good.
//! In: a token request, or the `Authorization` header of a data request. Out: an answer, or yes or no.
//! Called by `serve.rs`. Bad credentials get a status and an empty body, as the real service was seen to answer.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::switches::{Switches, TokenStyle};
use crate::message::{Answer, Request};

/// The one API key that the emulator knows, and the tokens that were given out for it.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    /// Each valid token and when it ends.
    given: HashMap<String, DateTime<Utc>>,
    n_given: u64,
}

impl Tokens {
    pub(super) fn new(client_id: String, client_secret: String) -> Self {
        Self { client_id, client_secret, given: HashMap::new(), n_given: 0 }
    }

    /// Answers a request for a token.
    pub(super) fn grant(
        &mut self,
        request: &Request,
        switches: &Switches,
        now: DateTime<Utc>,
    ) -> Answer {
        let Some(credentials) = Credentials::read(request) else { return Answer::empty(401) };
        let is_known = credentials.client_id == self.client_id
            && credentials.client_secret == self.client_secret;
        if !is_known || !switches.token_styles.contains(&credentials.style) {
            return Answer::empty(401);
        }
        if credentials.grant_type.is_some_and(|grant_type| grant_type != "client_credentials") {
            return Answer::empty(400);
        }
        self.n_given += 1;
        let token = format!("sandbox-token-{:06}", self.n_given);
        self.given.insert(token.clone(), now + switches.token_lifetime);
        Answer::json(
            200,
            &json!({
                "access_token": token,
                "token_type": "bearer",
                "expires_in": switches.token_lifetime.num_seconds(),
                "scope": "read write",
            }),
        )
    }

    /// Returns whether a data request carries a token that is good now.
    pub(super) fn admit(&self, request: &Request, now: DateTime<Utc>) -> bool {
        let token = request.header("authorization").and_then(|value| bare(value, "bearer"));
        token.and_then(|token| self.given.get(token)).is_some_and(|end| now < *end)
    }

    /// Makes all tokens invalid at once.
    pub(super) fn expire(&mut self) {
        self.given.clear();
    }
}

/// What a token request says.
struct Credentials {
    style: TokenStyle,
    client_id: String,
    client_secret: String,
    /// `None` only where it may be left out.
    grant_type: Option<String>,
}

impl Credentials {
    /// Reads whichever of the three documented styles a request uses.
    fn read(request: &Request) -> Option<Self> {
        let in_query = |name: &str| request.parameter(name).map(str::to_owned);
        let Some(authorization) = request.header("authorization") else {
            return Some(Self {
                style: TokenStyle::Query,
                client_id: in_query("client_id")?,
                client_secret: in_query("client_secret")?,
                grant_type: Some(in_query("grant_type").unwrap_or_default()),
            });
        };
        let decoded = STANDARD.decode(bare(authorization, "basic")?).ok()?;
        let decoded = String::from_utf8(decoded).ok()?;
        let (client_id, client_secret) = decoded.split_once(':')?;
        let (style, grant_type) = if request.body.is_empty() {
            (TokenStyle::Basic, in_query("grant_type"))
        } else {
            let body: Value = serde_json::from_slice(&request.body).ok()?;
            let grant_type = body.get("grant_type").and_then(Value::as_str).unwrap_or_default();
            (TokenStyle::BasicJson, Some(grant_type.to_owned()))
        };
        Some(Self {
            style,
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            grant_type,
        })
    }
}

/// Returns what follows the scheme of an `Authorization` header, if it is this scheme.
fn bare<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = authorization.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

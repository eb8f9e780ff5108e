//! Sends a request once and judges what comes back.
//! In: a prepared request. Out: a reply that is whole, or a fault that says what may help.
//! Here the limiter, the budget and the account see each request.

use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderValue};
use sessionql_plugin_abi::message::ResponseHead;
use sessionql_plugin_abi::{Reason, WireError};
use tokio::time::Instant;

use super::auth::Authenticator;
use super::body::{self, BodyLimits};
use super::client::{Inner, Reply};
use super::fault::{Fault, Remedy, spell};
use super::limiter::{Pass, TooLong};
use super::prepare::Prepared;
use super::quota::{Quota, retry_after};
use super::retry::GiveUp;
use super::{Answer, Scope, header};

impl Inner {
    /// Sends a request once.
    pub(super) async fn attempt(
        &self,
        prepared: &Prepared,
        n: u32,
        is_retry: bool,
        scope: &Scope,
    ) -> Result<Reply, Fault> {
        let is_token_request = prepared.is_token_request;
        let _permit = match &self.permits {
            Some(permits) if !is_token_request => permits.acquire().await.ok(),
            _ => None,
        };
        let pass = match is_token_request {
            true => None,
            false => Some(self.pass(scope).await?),
        };
        if let Some(budget) = scope.budget.as_ref().filter(|_| !is_token_request)
            && !budget.take()
        {
            let what = format!("was not sent: the budget of {} requests is spent", budget.limit());
            return Err(Fault::lasting(Reason::Budget, what));
        }
        let mut request = reqwest::Request::new(prepared.method.clone(), prepared.url.clone());
        *request.headers_mut() = prepared.headers.clone();
        match prepared.body.clone().filter(|body| !body.is_empty()) {
            Some(body) => *request.body_mut() = Some(body.into()),
            // Some servers refuse a POST that does not tell its length.
            None if prepared.method == Method::POST => {
                request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            None => {}
        }

        let mut flight = scope.account.depart(&prepared.line, is_token_request, n, is_retry);
        let head = tokio::time::timeout(self.header_timeout, self.http.execute(request)).await;
        let response = match head {
            Err(_) => {
                let what = format!("got no answer within {}", spell(self.header_timeout));
                return Err(Fault::transient(Reason::Unreachable, what));
            }
            Ok(Err(error)) => return Err(self.clean(Fault::transport(&error))),
            Ok(Ok(response)) => response,
        };
        let status = response.status().as_u16();
        self.clock.note(response.headers());
        flight.head_arrived(status);
        let departed = flight.departed();
        let result = self.judge(prepared, response, pass.as_ref()).await;
        if let Ok(Reply::Answer(answer)) = &result {
            flight.body_arrived(answer.body.len_bytes());
        }
        tracing::debug!(
            connection = self.connection,
            request = prepared.line,
            attempt = n,
            status,
            bytes = result.as_ref().ok().map_or(0, Reply::len_bytes),
            elapsed_ms = u64::try_from(departed.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request answered"
        );
        result
    }

    /// Waits until the limiter lets a request pass.
    async fn pass(&self, scope: &Scope) -> Result<Pass<'_>, Fault> {
        let began = Instant::now();
        let pass = self.limiter.pass(scope.deadline, self.retry.patience, &scope.account).await;
        scope.account.waited(began.elapsed());
        pass.map_err(|TooLong { wait, is_asked }| {
            let left = scope.deadline.map(|deadline| deadline.duration_since(Instant::now()));
            let late = left.filter(|left| wait >= *left);
            let code = if late.is_some() { Reason::Timeout } else { Reason::ProviderError };
            let why = match late {
                Some(left) => GiveUp::Deadline { wait, left, is_asked }.explain(),
                None => {
                    let patience = self.retry.patience;
                    GiveUp::Patience { wait, is_asked, patience }.explain()
                }
            };
            Fault::lasting(code, format!("was not sent: the rate limit is reached{why}"))
        })
    }

    /// Tells an answer from a fault, reading the body of an answer to its end.
    async fn judge(
        &self,
        prepared: &Prepared,
        response: reqwest::Response,
        pass: Option<&Pass<'_>>,
    ) -> Result<Reply, Fault> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let quota = Quota::read(&headers);
        let floor = retry_after(&headers);
        let slow_down = |excerpt: &str| {
            if let Some(pass) = pass {
                pass.throttled(&quota, floor, prepared.published);
            }
            Fault { remedy: Remedy::SlowDown, ..Fault::status(status, excerpt, floor) }
        };
        match status {
            401 | 407 | 408 | 425 | 429 | 500.. => {
                let head = body::read_head(response, self.limits.idle).await;
                let excerpt = self.redactor.excerpt(&head);
                if status == 429 || is_resource_exhausted(&head) {
                    return Err(slow_down(&excerpt));
                }
                return Err(Fault::status(status, &excerpt, floor));
            }
            206 => {
                let what = "answered 206, with a part of what was asked";
                return Err(Fault::transient(Reason::BadAnswer, what));
            }
            301 | 302 | 303 | 307 | 308 => {
                return match header::text(&headers, "location") {
                    Some(location) => {
                        if let Some(pass) = pass {
                            pass.accepted(&quota);
                        }
                        Ok(Reply::Redirect { status, location: location.to_owned() })
                    }
                    None => Err(Fault::status(status, "a redirect to nowhere", None)),
                };
            }
            300..=399 => return Err(Fault::status(status, "", None)),
            _ => {}
        }
        let limits = BodyLimits { max_bytes: prepared.max_bytes, ..self.limits.clone() };
        let mut body = body::read(response, &limits).await.map_err(|fault| self.clean(fault))?;
        if status >= 400 && body.in_memory().is_some_and(is_resource_exhausted) {
            let excerpt = self.redactor.excerpt(body.in_memory().unwrap_or_default());
            return Err(slow_down(&excerpt));
        }
        if (200..=299).contains(&status) && status != 204 {
            let checked = prepared.expected.check(&headers, body).await;
            body = match checked.map_err(body::spool_fault)? {
                Ok(body) => body,
                Err((what, found)) => {
                    let excerpt = self.redactor.excerpt(&found);
                    let what = match excerpt.is_empty() {
                        true => what,
                        false => format!("{what}: `{excerpt}`"),
                    };
                    return Err(self.clean(Fault::transient(Reason::BadAnswer, what)));
                }
            };
        }
        if let Some(pass) = pass {
            pass.accepted(&quota);
        }
        let head = ResponseHead {
            status,
            headers: header::pass_on(&headers),
            body_len: body.len_bytes(),
            base_url: self.origin.base().as_str().trim_end_matches('/').to_owned(),
        };
        Ok(Reply::Answer(Box::new(Answer { head, body })))
    }

    /// Takes secrets out of a fault's text.
    fn clean(&self, fault: Fault) -> Fault {
        Fault { what: self.redactor.text(&fault.what), ..fault }
    }

    /// Returns an error about one request.
    pub(super) fn error(&self, line: &str, code: Reason, what: &str) -> WireError {
        WireError::new(code, format!("connection `{}`: `{line}` {what}", self.connection))
    }

    /// Returns the error of a request whose last fault nothing helped against.
    pub(super) fn give_up(&self, prepared: &Prepared, fault: Fault, why: &str) -> WireError {
        let kind = if prepared.is_token_request { "token request " } else { "" };
        let message = format!(
            "connection `{}`: {kind}`{}` {}{why}",
            self.connection, prepared.line, fault.what
        );
        let mut error = WireError::new(fault.code, message);
        error.hint = fault.hint;
        error.retryable = matches!(fault.remedy, Remedy::Retry | Remedy::SlowDown);
        error
    }

    /// Returns the error of a data request whose credentials were refused for good.
    pub(super) fn refused(&self, line: &str, fault: &Fault) -> WireError {
        match &self.auth {
            Authenticator::None => {
                let what = format!("{}; the connection sends no credentials", fault.what);
                self.error(line, Reason::Auth, &what)
            }
            Authenticator::Fixed { hint, .. } => {
                self.error(line, Reason::Auth, &fault.what).with_hint(hint)
            }
            Authenticator::Token(_) => {
                let what = format!("{}, also with a new token", fault.what);
                self.error(line, Reason::Auth, &what)
            }
        }
    }
}

/// Tells whether a body is the error of a Connect server for too many requests, whatever its
/// status. Source: the Connect protocol, "Error codes".
fn is_resource_exhausted(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct ConnectError {
        code: String,
    }
    const MOST_BYTES: usize = 64 << 10;
    body.len() <= MOST_BYTES
        && serde_json::from_slice::<ConnectError>(body)
            .is_ok_and(|error| error.code == "resource_exhausted")
}

//! Sends one request until there is an answer or a reason to give up.
//! In: a plugin's request and the scope of its scan. Out: an answer or a `WireError`.
//! `send` tells the story: prepare, authorize, persevere, follow. What `persevere` repeats is in
//! `attempt.rs`. Cancelling drops the future of the whole story, and with
//! it the socket.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use sessionql_plugin_abi::message::HttpRequest;
use sessionql_plugin_abi::{Reason, WireError};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use super::auth::Authenticator;
use super::body::BodyLimits;
use super::clock::ServerClock;
use super::fault::{Fault, Remedy};
use super::limiter::{Limiter, is_rate};
use super::origin::{Origin, config};
use super::prepare::Prepared;
use super::redact::Redactor;
use super::retry::{Attempts, GiveUp, RetryBudget};
use super::token::{Fresh, Token, TokenSource, read_refusal, read_token, token_error};
use super::{Answer, HttpOptions, RetryOptions, Scope, tls};

/// Redirects that one request follows.
const MOST_REDIRECTS: u32 = 3;

/// The HTTP client of one connection; cheap to clone, shared by all its scans.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
}

/// What all clones share.
pub(super) struct Inner {
    pub(super) connection: String,
    pub(super) origin: Origin,
    pub(super) auth: Authenticator,
    pub(super) http: reqwest::Client,
    pub(super) limiter: Limiter,
    pub(super) permits: Option<Semaphore>,
    pub(super) retry: RetryOptions,
    pub(super) budget: RetryBudget,
    pub(super) redactor: Redactor,
    pub(super) header_timeout: Duration,
    pub(super) limits: BodyLimits,
    pub(super) clock: ServerClock,
    /// How the last request went.
    pub(super) last: Mutex<Option<Result<(), String>>>,
}

/// What an attempt that did not fail brings.
pub(super) enum Reply {
    Answer(Box<Answer>),
    Redirect { status: u16, location: String },
}

impl Reply {
    /// Returns the length of the body that came, in bytes.
    pub(super) fn len_bytes(&self) -> u64 {
        match self {
            Self::Answer(answer) => answer.body.len_bytes(),
            Self::Redirect { .. } => 0,
        }
    }
}

/// Why a request ended without a reply.
enum Ended {
    /// Refused for its credentials; new ones may help.
    Unauthorized(Fault),
    Failed(WireError),
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("connection", &self.inner.connection).finish()
    }
}

impl Client {
    /// Opens a client; sends nothing. Returns it with notes on what was corrected.
    ///
    /// # Errors
    /// `Config` for an option that is wrong, `PluginError` for a pattern that is.
    pub fn new(options: HttpOptions) -> Result<(Self, Vec<String>), WireError> {
        let (origin, notes) = Origin::new(&options)?;
        if options.rate_limit.is_some_and(|rate| !is_rate(rate)) {
            return Err(config(&options, "rate_limit", "lets no request pass"));
        }
        if options.max_concurrency == Some(0) {
            return Err(config(&options, "max_concurrency", "lets no request pass"));
        }
        let redactor = Redactor::default();
        if let Some(proxy) = options.proxy.as_ref().and_then(|proxy| Url::parse(proxy).ok()) {
            redactor.add(&proxy.password().unwrap_or_default().into());
        }
        let auth = Authenticator::new(&options, &origin, &redactor)?;
        let header_timeout = options.timeout.unwrap_or(options.header_timeout);
        let mut urls = vec![origin.base()];
        if let Authenticator::Token(source) = &auth {
            urls.push(source.url());
        }
        let http = tls::build(&options, &urls, header_timeout)?;
        let limits = BodyLimits {
            max_bytes: 0,
            memory_bytes: options.memory_bytes,
            idle: options.timeout.unwrap_or(options.body_timeout),
            spool_dir: options.spool_dir,
        };
        let permits =
            options.max_concurrency.map(|n| Semaphore::new(n.min(Semaphore::MAX_PERMITS)));
        let inner = Inner {
            connection: options.connection,
            origin,
            auth,
            http,
            limiter: Limiter::new(options.rate_limit),
            permits,
            budget: RetryBudget::new(&options.retry),
            retry: options.retry,
            redactor,
            header_timeout,
            limits,
            clock: ServerClock::default(),
            last: Mutex::default(),
        };
        Ok((Self { inner: Arc::new(inner) }, notes))
    }

    /// Returns a text as one line without the connection's secrets, wherever it came from.
    pub fn redact(&self, text: &str) -> String {
        self.inner.redactor.text(text)
    }

    /// Returns by how many seconds the server's clock is ahead of this machine's, as far as its last
    /// answer tells.
    pub fn clock_ahead_s(&self) -> Option<i64> {
        self.inner.clock.ahead_s()
    }

    /// Sends one request; returns when its whole answer has arrived and was verified.
    ///
    /// # Errors
    /// - `PluginError`: the request is not declared, or contains what only the host may send
    /// - `Cancelled`, `Timeout`, `Budget`: what the scope says
    /// - `Unreachable`, `Auth`, `BadAnswer`, `ProviderError`: what retries did not help against
    pub async fn send(&self, request: &HttpRequest, scope: &Scope) -> Result<Answer, WireError> {
        let sent = self
            .send_unmasked(request, scope)
            .await
            .map_err(|error| WireError { message: scope.sensitive.mask(&error.message), ..error });
        let is_ours = |error: &WireError| {
            matches!(error.code, Reason::Cancelled | Reason::Timeout | Reason::Budget)
        };
        if !sent.as_ref().is_err_and(is_ours)
            && let Ok(mut last) = self.inner.last.lock()
        {
            *last = Some(sent.as_ref().map(drop).map_err(|error| error.message.clone()));
        }
        sent
    }

    async fn send_unmasked(
        &self,
        request: &HttpRequest,
        scope: &Scope,
    ) -> Result<Answer, WireError> {
        let inner = &*self.inner;
        let own = inner.auth.header();
        let mut prepared =
            Prepared::data(request, &inner.connection, &inner.origin, own, &inner.redactor)?;
        prepared.line = scope.sensitive.mask(&prepared.line);
        let line = prepared.line.clone();
        let past_deadline = async {
            match scope.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = scope.cancel.cancelled() => {
                Err(inner.error(&line, Reason::Cancelled, "was cancelled"))
            }
            () = past_deadline => {
                Err(inner.error(&line, Reason::Timeout, "was not answered before the deadline"))
            }
            result = Box::pin(inner.exchange(prepared, scope)) => result,
        }
    }
}

impl Inner {
    /// Sends a data request, renews its token once, follows its redirects.
    async fn exchange(&self, mut prepared: Prepared, scope: &Scope) -> Result<Answer, WireError> {
        let mut attempts = Attempts::new(&self.retry, &self.budget, scope.deadline);
        let mut rejected = None;
        let mut n_redirects = 0;
        let mut is_retry = false;
        loop {
            let generation = self.authorize(&mut prepared, rejected, scope).await?;
            match self.persevere(&prepared, &mut attempts, is_retry, scope).await {
                Ok(Reply::Answer(answer)) => {
                    scope.account.answered(answer.body.len_bytes());
                    return Ok(*answer);
                }
                Ok(Reply::Redirect { status, location }) => {
                    n_redirects += 1;
                    is_retry = false;
                    self.follow(&mut prepared, status, &location, n_redirects)?;
                    prepared.line = scope.sensitive.mask(&prepared.line);
                }
                Err(Ended::Unauthorized(_)) if generation.is_some() && rejected.is_none() => {
                    rejected = generation;
                    is_retry = true;
                }
                Err(Ended::Unauthorized(fault)) => return Err(self.refused(&prepared.line, &fault)),
                Err(Ended::Failed(error)) => return Err(error),
            }
        }
    }

    /// Puts the credentials on a request; returns the token's generation, if it is a token.
    async fn authorize(
        &self,
        prepared: &mut Prepared,
        rejected: Option<u64>,
        scope: &Scope,
    ) -> Result<Option<u64>, WireError> {
        match &self.auth {
            Authenticator::None => Ok(None),
            Authenticator::Fixed { name, value, .. } => {
                prepared.headers.insert(name, value.clone());
                Ok(None)
            }
            Authenticator::Token(source) => {
                let token = self.token(source, rejected, scope).await?;
                prepared.headers.insert(AUTHORIZATION, token.header);
                Ok(Some(token.generation))
            }
        }
    }

    /// Returns a token newer than the rejected one, fetching it if no one else has.
    async fn token(
        &self,
        source: &TokenSource,
        rejected: Option<u64>,
        scope: &Scope,
    ) -> Result<Token, WireError> {
        let asked = Instant::now();
        let mut state = source.lock().await;
        if let Some(known) = state.known(asked, rejected) {
            return known;
        }
        let prepared = source.prepare();
        let mut attempts = Attempts::new(&self.retry, &self.budget, scope.deadline);
        let sent = Instant::now();
        let reply = self.persevere(&prepared, &mut attempts, false, scope).await;
        let result = self.read_token_reply(&prepared.line, reply, sent);
        match result {
            Ok(fresh) => Ok(state.renewed(fresh)),
            Err(error) => {
                // A deadline is one's own affair; any other failure is everyone's.
                if error.code != Reason::Timeout {
                    state.failed(&error);
                }
                Err(error)
            }
        }
    }

    fn read_token_reply(
        &self,
        line: &str,
        reply: Result<Reply, Ended>,
        sent: Instant,
    ) -> Result<Fresh, WireError> {
        let fail = |code, what: &str| token_error(code, &self.connection, line, what);
        let refused = |what: &str| {
            fail(Reason::Auth, what)
                .with_hint("check `client_id` and `client_secret` of the connection")
        };
        match reply {
            Ok(Reply::Answer(answer)) => {
                let body = answer.body.in_memory().unwrap_or_default();
                match answer.head.status {
                    200..=299 => read_token(body, sent, &self.redactor)
                        .map_err(|what| fail(Reason::BadAnswer, &what)),
                    status => {
                        let said = read_refusal(body, &self.redactor);
                        let what = match said.is_empty() {
                            true => format!("answered {status}"),
                            false => format!("answered {status}: `{said}`"),
                        };
                        match status {
                            400 | 403 => Err(refused(&what)),
                            _ => Err(fail(Reason::ProviderError, &what)),
                        }
                    }
                }
            }
            Ok(Reply::Redirect { status, .. }) => {
                let what =
                    format!("answered {status}, a redirect, which credentials do not follow");
                Err(fail(Reason::ProviderError, &what))
            }
            Err(Ended::Unauthorized(fault)) => Err(refused(&fault.what)),
            Err(Ended::Failed(error)) => Err(error),
        }
    }

    /// Points a request to where it was redirected.
    fn follow(
        &self,
        prepared: &mut Prepared,
        status: u16,
        location: &str,
        n_redirects: u32,
    ) -> Result<(), WireError> {
        let refuse = |what: &str| {
            let what = format!("answered {status} and {}", self.redactor.text(what));
            self.error(&prepared.line, Reason::ProviderError, &what)
        };
        if n_redirects > MOST_REDIRECTS {
            return Err(refuse(&format!("redirects more than {MOST_REDIRECTS} times")));
        }
        if prepared.method != reqwest::Method::GET && !matches!(status, 307 | 308) {
            return Err(refuse("redirects a POST to a GET"));
        }
        let method = prepared.method.clone();
        let (url, pattern) = self
            .origin
            .follow(&prepared.url, location, method.as_str())
            .map_err(|what| refuse(&what))?;
        prepared.redirect(url, pattern, &self.redactor);
        Ok(())
    }

    /// Repeats a request until it is answered or nothing helps.
    async fn persevere(
        &self,
        prepared: &Prepared,
        attempts: &mut Attempts<'_>,
        mut is_retry: bool,
        scope: &Scope,
    ) -> Result<Reply, Ended> {
        loop {
            let n = attempts.next();
            let fault = match self.attempt(prepared, n, is_retry, scope).await {
                Ok(reply) => {
                    attempts.succeeded();
                    return Ok(reply);
                }
                Err(fault) => Fault { what: scope.sensitive.mask(&fault.what), ..fault },
            };
            tracing::debug!(
                connection = self.connection,
                request = prepared.line,
                attempt = n,
                fault = fault.what,
                "attempt failed"
            );
            let wait = match fault.remedy {
                Remedy::Renew => return Err(Ended::Unauthorized(fault)),
                Remedy::None => return Err(Ended::Failed(self.give_up(prepared, fault, ""))),
                Remedy::Retry | Remedy::SlowDown if !prepared.is_repeatable => {
                    let why = " (not sent again: it is not declared `safe`)";
                    return Err(Ended::Failed(self.give_up(prepared, fault, why)));
                }
                Remedy::Retry => attempts.after_fault(fault.floor),
                Remedy::SlowDown => attempts.after_throttle(fault.floor),
            };
            match wait {
                Ok(wait) => {
                    let began = Instant::now();
                    scope.account.sleep(wait).await;
                    scope.account.waited(began.elapsed());
                }
                Err(give_up) => {
                    let is_late = matches!(give_up, GiveUp::Deadline { .. });
                    let code = if is_late { Reason::Timeout } else { fault.code };
                    let fault = Fault { code, ..fault };
                    let error = self.give_up(prepared, fault, &give_up.explain());
                    return Err(Ended::Failed(error));
                }
            }
            is_retry = true;
        }
    }
}

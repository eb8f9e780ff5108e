//! What is known of a connection without asking the provider: how it authenticates, until when its
//! token is good, how many requests the rate allows, how the last request went.

use std::time::Duration;

use sessionql_plugin_abi::message::Rate;
use tokio::time::Instant;

use super::Client;
use super::auth::Authenticator;

/// What a client knows of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientState {
    /// The token, where there is one to fetch.
    pub token: TokenHeld,
    /// What the rate allows; `None` if nothing is known of a limit.
    pub left: Option<RateLeft>,
    /// Why the last request failed, if it did. Secrets are masked.
    pub last_error: Option<String>,
    /// Whether a request was answered.
    pub has_answered: bool,
}

/// What is known of a connection's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenHeld {
    /// Its credentials need none.
    NotNeeded,
    /// None was fetched, or the last one is to be renewed.
    None,
    /// One is being fetched.
    Fetching,
    /// One is held and renewed after this time; without one, the provider does not say how long it
    /// lives.
    Held(Option<Duration>),
}

/// How many requests may be sent now, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLeft {
    /// So many at once.
    pub requests: u64,
    /// How long until there is one more, or until all are there again.
    pub more_in: Option<Duration>,
}

impl Client {
    /// Returns what is known of the connection. Sends nothing and waits for nothing.
    pub fn state(&self) -> ClientState {
        let inner = &self.inner;
        let token = match &inner.auth {
            Authenticator::Token(source) => source.held(),
            Authenticator::None | Authenticator::Fixed { .. } => TokenHeld::NotNeeded,
        };
        let last = inner.last.lock().map(|last| last.clone()).unwrap_or_default();
        ClientState {
            token,
            left: inner.limiter.left(Instant::now()),
            last_error: last.as_ref().and_then(|last| last.as_ref().err().cloned()),
            has_answered: matches!(last, Some(Ok(()))),
        }
    }

    /// Returns how long the rate makes so many requests take; `published` is the rate of the manifest,
    /// for as long as nothing better is known.
    pub fn time_for(&self, n_requests: u64, published: Option<Rate>) -> Duration {
        self.inner.limiter.time_for(n_requests, published, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::super::limiter::Limiter;
    use super::*;

    /// Two at once, one more each ten seconds.
    const RATE: Rate = Rate { burst: 2, refill: 1, per_ms: 10_000 };

    #[tokio::test(start_paused = true)]
    async fn a_rate_tells_how_long_requests_take() {
        let configured = Limiter::new(Some(RATE));
        let time = |limiter: &Limiter, n, published| {
            limiter.time_for(n, published, Instant::now()).as_secs_f64().round()
        };
        assert_eq!(time(&configured, 2, None), 0.0);
        assert_eq!(time(&configured, 12, None), 100.0);
        let unknown = Limiter::new(None);
        assert_eq!(time(&unknown, 12, None), 0.0);
        assert_eq!(time(&unknown, 12, Some(RATE)), 100.0, "what is published counts");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_told_with_the_time_until_there_is_more() {
        let limiter = Limiter::new(Some(RATE));
        let left = |limiter: &Limiter| limiter.left(Instant::now()).unwrap();
        assert_eq!(left(&limiter), RateLeft { requests: 2, more_in: None });
        let account = super::super::Account::default();
        for _ in 0..2 {
            let passed = limiter.pass(None, Duration::MAX, &account).await;
            assert!(passed.is_ok());
        }
        let now = left(&limiter);
        assert_eq!(now.requests, 0);
        assert_eq!(now.more_in.unwrap().as_secs_f64().round(), 10.0);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(left(&limiter).requests, 1);
        assert_eq!(Limiter::new(None).left(Instant::now()), None);
    }
}

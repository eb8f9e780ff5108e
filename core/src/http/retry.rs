//! Decides whether and when a request is sent again.
//! In: the faults of one request, in order. Out: a wait, or the reason to give up.
//! A fault that may pass by itself costs attempts and tokens of a budget shared by the connection;
//! throttling costs only time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fault::spell;

/// When and how often a request is sent again.
#[derive(Debug, Clone)]
pub struct RetryOptions {
    /// Attempts of one request at most, throttled ones not counted: 8.
    pub max_attempts: u32,
    /// Longest wait after the first failed attempt; doubles with each further one: 50 ms.
    /// The wait is random between zero and that.
    pub fault_base: Duration,
    /// Where the doubling ends: 5 s.
    pub fault_cap: Duration,
    /// Wait after the first throttled attempt; doubles with each further one: 1 s.
    pub throttle_base: Duration,
    /// Where that doubling ends: 60 s.
    pub throttle_cap: Duration,
    /// How long a throttled request waits while the connection gets no request accepted: 15 min.
    pub patience: Duration,
    /// Tokens of the retry budget: 500.
    pub budget: u32,
    /// Tokens that a retry costs: 14. They come back when it succeeds, and each success adds one.
    pub retry_cost: u32,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            fault_base: Duration::from_millis(50),
            fault_cap: Duration::from_secs(5),
            throttle_base: Duration::from_secs(1),
            throttle_cap: Duration::from_secs(60),
            patience: Duration::from_secs(15 * 60),
            budget: 500,
            retry_cost: 14,
        }
    }
}

/// What all requests of a connection share: the tokens, and when one was last accepted.
#[derive(Debug)]
pub(super) struct RetryBudget {
    state: Mutex<BudgetState>,
}

#[derive(Debug)]
struct BudgetState {
    tokens: u32,
    last_accepted: Option<Instant>,
}

impl RetryBudget {
    pub(super) fn new(options: &RetryOptions) -> Self {
        let state = BudgetState { tokens: options.budget, last_accepted: None };
        Self { state: Mutex::new(state) }
    }

    fn take(&self, cost: u32) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left = state.tokens.checked_sub(cost);
        state.tokens = left.unwrap_or(state.tokens);
        left.is_some()
    }

    fn accepted(&self, given_back: u32, limit: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tokens = state.tokens.saturating_add(given_back).saturating_add(1).min(limit);
        state.last_accepted = Some(Instant::now());
    }

    fn last_accepted(&self) -> Option<Instant> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).last_accepted
    }
}

/// Why a request is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GiveUp {
    /// All attempts are used.
    Attempts(u32),
    /// Too many requests of the connection fail.
    Budget,
    /// The next attempt would come after the deadline.
    Deadline {
        /// The wait that is due.
        wait: Duration,
        /// The time that is left.
        left: Duration,
        /// Whether the provider asked for it.
        is_asked: bool,
    },
    /// The provider would not accept anything for too long.
    Patience {
        /// The wait that is due.
        wait: Duration,
        /// Whether the provider asked for it.
        is_asked: bool,
        /// How long the connection is willing to wait.
        patience: Duration,
    },
}

impl GiveUp {
    /// Returns what is added to the text of the fault.
    pub(super) fn explain(&self) -> String {
        match self {
            Self::Attempts(1) => String::new(),
            Self::Attempts(n_attempts) => format!(" (attempt {n_attempts} of {n_attempts})"),
            Self::Budget => {
                " (not sent again: too many requests of this connection fail)".to_owned()
            }
            Self::Deadline { wait, left, is_asked: true } => format!(
                " (the provider asks to wait {}, the deadline is in {})",
                spell(*wait),
                spell(*left)
            ),
            Self::Deadline { wait, left, is_asked: false } => format!(
                " (the next attempt is due in {}, the deadline is in {})",
                spell(*wait),
                spell(*left)
            ),
            Self::Patience { wait, is_asked: true, patience } => format!(
                " (the provider asks to wait {}, this connection waits {} at most)",
                spell(*wait),
                spell(*patience)
            ),
            Self::Patience { is_asked: false, patience, .. } => {
                format!(" (no request was accepted for {})", spell(*patience))
            }
        }
    }
}

/// The attempts of one request.
#[derive(Debug)]
pub(super) struct Attempts<'a> {
    options: &'a RetryOptions,
    budget: &'a RetryBudget,
    deadline: Option<Instant>,
    n_faults: u32,
    n_throttled: u32,
    throttled_since: Option<Instant>,
    /// Tokens taken for the attempt that is under way.
    lent: u32,
    n_sent: u32,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        options: &'a RetryOptions,
        budget: &'a RetryBudget,
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            options,
            budget,
            deadline,
            n_faults: 0,
            n_throttled: 0,
            throttled_since: None,
            lent: 0,
            n_sent: 0,
        }
    }

    /// Counts an attempt that is about to be sent; returns its number, from 1.
    pub(super) fn next(&mut self) -> u32 {
        self.n_sent += 1;
        self.n_sent
    }

    /// Returns the wait after a fault that may pass by itself: full jitter, not less than `floor`.
    pub(super) fn after_fault(&mut self, floor: Option<Duration>) -> Result<Duration, GiveUp> {
        self.n_faults += 1;
        if self.n_faults >= self.options.max_attempts {
            return Err(GiveUp::Attempts(self.n_faults));
        }
        let longest = double(self.options.fault_base, self.n_faults - 1, self.options.fault_cap);
        let wait = longest.mul_f64(fastrand::f64()).max(floor.unwrap_or_default());
        self.check_deadline(wait, floor)?;
        if let Some(asked) = floor
            && asked > self.options.patience
        {
            let patience = self.options.patience;
            return Err(GiveUp::Patience { wait: asked, is_asked: true, patience });
        }
        if !self.budget.take(self.options.retry_cost) {
            return Err(GiveUp::Budget);
        }
        self.lent = self.options.retry_cost;
        Ok(wait)
    }

    /// Returns the wait after a throttled attempt: doubling, a little jitter on top, not less than
    /// `floor`.
    pub(super) fn after_throttle(&mut self, floor: Option<Duration>) -> Result<Duration, GiveUp> {
        let now = Instant::now();
        let since = *self.throttled_since.get_or_insert(now);
        let base = double(self.options.throttle_base, self.n_throttled, self.options.throttle_cap);
        self.n_throttled = self.n_throttled.saturating_add(1);
        let jitter = base.mul_f64(fastrand::f64() / 4.0);
        let wait = floor.unwrap_or_default().max(base).saturating_add(jitter);
        self.check_deadline(wait, floor)?;
        let quiet_since = self.budget.last_accepted().map_or(since, |accepted| accepted.max(since));
        let patience = self.options.patience;
        if (now - quiet_since).saturating_add(floor.unwrap_or_default()) > patience {
            let is_asked = floor.is_some_and(|asked| asked > patience);
            return Err(GiveUp::Patience { wait: floor.unwrap_or(wait), is_asked, patience });
        }
        Ok(wait)
    }

    /// Notes that the provider answered as it should.
    pub(super) fn succeeded(&mut self) {
        self.budget.accepted(std::mem::take(&mut self.lent), self.options.budget);
    }

    fn check_deadline(&self, wait: Duration, floor: Option<Duration>) -> Result<(), GiveUp> {
        let Some(deadline) = self.deadline else { return Ok(()) };
        let left = deadline.saturating_duration_since(Instant::now());
        if wait < left {
            return Ok(());
        }
        let is_asked = floor.is_some_and(|asked| asked >= left);
        let wait = if is_asked { floor.unwrap_or(wait) } else { wait };
        Err(GiveUp::Deadline { wait, left, is_asked })
    }
}

/// Returns `base` doubled `n` times, at most `cap`.
fn double(base: Duration, n: u32, cap: Duration) -> Duration {
    base.saturating_mul(2_u32.saturating_pow(n.min(31))).min(cap)
}

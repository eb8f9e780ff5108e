//! How fast a connection that was throttled sends: half as fast at once, and slowly faster again.
//! A rate that the provider or its manifest told is where that ends. A rate that nobody told is felt
//! for: twice as fast every two seconds up to the next refusal, then a little faster each second, and
//! when two refusals in a row found about the same rate, just below it for a while.

use std::time::Duration;

use tokio::time::Instant;

/// What each second of accepted requests adds, as a part of the rate that it returns to.
const RECOVERED_PER_SECOND: f64 = 0.05;
/// How much slower than the rate that it returns to it ever gets.
const LEAST_PART: f64 = 1.0 / 64.0;
/// Nobody waits longer than a minute for one request, if not told to.
const SLOWEST_PER_SECOND: f64 = 1.0 / 60.0;
/// The part of a measured rate that is used.
const USED_PART: f64 = 0.97;
/// How near, as a part, two measured rates are to be to confirm each other.
const NEAR: f64 = 0.2;
/// For how long a confirmed rate is kept to before a higher one is tried.
const KEPT: Duration = Duration::from_secs(300);
/// How fast a rate that nobody confirmed grows: twice in so many seconds.
const DOUBLES_IN_S: f64 = 2.0;
/// A rate that nobody told is none if it reaches this.
const AS_GOOD_AS_UNLIMITED: f64 = 500.0;

/// The rate at which requests are sent.
pub(super) struct Pace {
    per_second: f64,
    /// The rate that it returns to.
    goal: f64,
    goal_is: Goal,
    changed: Instant,
    /// When it was last slowed down.
    slowed: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The provider's rate.
    Told,
    /// What was accepted while requests came at a pace, and about the same before.
    Confirmed,
    /// What was accepted while requests came at a pace.
    Measured,
    /// What was accepted before there was a pace.
    Guessed,
}

impl Pace {
    /// Returns the pace of a rate that is known.
    pub(super) fn told(per_second: f64, now: Instant) -> Self {
        Self { per_second, goal: per_second, goal_is: Goal::Told, changed: now, slowed: None }
    }

    /// Returns half the rate that was accepted until the first refusal.
    pub(super) fn guessed(accepted: f64, now: Instant) -> Self {
        let per_second = accepted / 2.0;
        Self { per_second, goal: accepted, goal_is: Goal::Guessed, changed: now, slowed: Some(now) }
    }

    /// Follows a provider that told its rate.
    pub(super) fn tell(&mut self, per_second: f64, now: Instant) {
        if self.goal_is != Goal::Told || self.goal.total_cmp(&per_second).is_ne() {
            *self = Self::told(per_second, now);
        }
    }

    /// Returns the requests of a second.
    pub(super) fn per_second(&self) -> f64 {
        let slowest = match self.goal_is {
            Goal::Told => self.goal.min(SLOWEST_PER_SECOND),
            _ => SLOWEST_PER_SECOND,
        };
        self.per_second.max(slowest)
    }

    /// Halves the pace, unless the refused request was sent before it was last halved: then it says
    /// nothing new. `accepted` is the rate of accepted requests just before.
    pub(super) fn slow_down(&mut self, departed: Instant, accepted: f64, now: Instant) {
        if self.slowed.is_some_and(|slowed| departed <= slowed) {
            return;
        }
        // If little of what was sent was accepted, the provider is closed rather than slow.
        if self.goal_is != Goal::Told && accepted >= self.per_second / 2.0 {
            let is_near = (accepted - self.goal).abs() <= self.goal * NEAR;
            self.goal_is = match self.goal_is {
                Goal::Guessed => Goal::Measured,
                _ if is_near => Goal::Confirmed,
                _ => Goal::Measured,
            };
            (self.goal, self.per_second) = (accepted, accepted);
        }
        self.per_second = (self.per_second / 2.0).max(self.goal * LEAST_PART);
        (self.changed, self.slowed) = (now, Some(now));
    }

    /// Recovers a little, as a request was accepted. Returns whether there still is a limit.
    pub(super) fn speed_up(&mut self, now: Instant) -> bool {
        let elapsed = (now - self.changed).as_secs_f64().min(1.0);
        self.changed = now;
        let is_kept = self.slowed.is_some_and(|slowed| now - slowed < KEPT);
        let end = match self.goal_is {
            Goal::Told => self.goal,
            Goal::Confirmed if is_kept => self.goal * USED_PART,
            Goal::Confirmed | Goal::Measured => f64::INFINITY,
            Goal::Guessed => {
                self.per_second *= (elapsed / DOUBLES_IN_S).exp2();
                return self.per_second < AS_GOOD_AS_UNLIMITED;
            }
        };
        if self.per_second < end {
            let gained = self.goal * RECOVERED_PER_SECOND * elapsed;
            self.per_second = (self.per_second + gained).min(end);
        }
        self.goal_is == Goal::Told || self.per_second < AS_GOOD_AS_UNLIMITED
    }
}

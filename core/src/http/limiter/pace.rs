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
    /// Since when requests are sent at it or below.
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
    /// Returns the pace of a rate that is known from now on: what was sent before says nothing of it.
    pub(super) fn told(per_second: f64, now: Instant) -> Self {
        Self { per_second, goal: per_second, goal_is: Goal::Told, changed: now, slowed: Some(now) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn requests_from_before_a_rate_was_told_do_not_slow_it_down() {
        let begin = Instant::now();
        let told = begin + second(1);
        let mut pace = Pace::told(10.0, told);
        pace.slow_down(begin, 3.0, told + second(1));
        pace.slow_down(told, 3.0, told + second(1));
        assert_eq!(pace.per_second().to_string(), "10");
        pace.slow_down(told + second(1), 3.0, told + second(2));
        assert_eq!(pace.per_second().to_string(), "5");
        // So does one refusal of many only once.
        pace.slow_down(told + second(2), 3.0, told + second(3));
        assert_eq!(pace.per_second().to_string(), "5");
        for n in 3..100 {
            assert!(pace.speed_up(told + second(n)));
        }
        assert_eq!(pace.per_second().to_string(), "10");
    }

    #[test]
    fn a_guess_is_doubled_until_a_refusal_and_kept_when_a_second_confirms_it() {
        let begin = Instant::now();
        let mut pace = Pace::guessed(20.0, begin);
        assert_eq!(pace.per_second().to_string(), "10");
        assert!(pace.speed_up(begin + second(1)) && pace.speed_up(begin + second(2)));
        assert!((pace.per_second() - 20.0).abs() < 0.01);
        pace.slow_down(begin + second(2), 19.0, begin + second(3));
        pace.slow_down(begin + second(4), 18.0, begin + second(5));
        for n in 6..100 {
            assert!(pace.speed_up(begin + second(n)));
        }
        assert!((pace.per_second() - 18.0 * USED_PART).abs() < 0.01);
    }
}

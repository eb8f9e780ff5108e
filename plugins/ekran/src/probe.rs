//! Finds out whether the server selects sessions that overlap its bounds, and no others.
//! In: all sessions, as they are read without bounds. Out: a second of the past whose sessions are
//! known, and whether the server, asked for just that second, answers with them; and, asked for
//! that second and all that follow, with them too.
//!
//! The first answer shows three things at once: that a session is selected though nothing happened
//! in it at that time, for then it is shown to fill the second or to begin after it; that an open
//! one is; and that the server reads bounds in the zone of the connection: had it looked at another
//! second, a quarter of an hour off or more, someone would be missing. The second answer shows that
//! a bound alone selects no fewer than two.

use std::collections::HashSet;

use sessionql_plugin_sdk::time::{MINUTE_US, SECOND_US};
use sessionql_plugin_sdk::{Timestamp, Zone};

use crate::plan::{Moment, offset_us};
use crate::record::{Key, Session};

/// Seconds that are looked at, an hour from each other.
const N_CANDIDATES: i64 = 24;

/// Sessions that are remembered of one second at most.
const MAX_SESSIONS: usize = 20_000;

/// Sessions that must be open in the second.
const MIN_SPANNING: usize = 3;

/// What the offsets of time zones differ by at least.
const ZONE_STEP_US: i64 = 15 * MINUTE_US;

/// Seconds of the past and who was there.
#[derive(Debug)]
pub(crate) struct Candidates(Vec<Candidate>);

/// One second and who was there.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) moment: Moment,
    /// By how much local time is ahead in it.
    pub(crate) offset_us: i64,
    begin: Timestamp,
    /// Open for a second before and after, too.
    spanning: HashSet<Key>,
    /// Those of them that are not found yet in an answer.
    missing: HashSet<Key>,
    /// May be there or not: began or ended within a second.
    near: HashSet<Key>,
    has_open: bool,
    /// Whether someone is not there any more a quarter of an hour later.
    has_leaver: bool,
    /// Whether someone was not there yet a quarter of an hour before.
    has_comer: bool,
    is_crowded: bool,
    /// Whether the answer has a session in which nothing happened in that second.
    has_silent: bool,
    /// Whether the answer has a session that it must not have.
    has_other: bool,
}

impl Candidates {
    /// Returns the seconds to look at, the latest an hour before an instant.
    pub(crate) fn before(zone: Zone, latest: Timestamp) -> Self {
        let candidate = |n: i64| {
            let second = zone.second_before(latest - n * 60 * MINUTE_US)?;
            let (begin, offset_us) = (second.instant, offset_us(&second)?);
            Some(Candidate::new(Moment::new(zone, second)?, offset_us, begin))
        };
        Self((1..=N_CANDIDATES).filter_map(candidate).collect())
    }

    /// Looks at a session with true values.
    pub(crate) fn see(&mut self, session: &Session) {
        self.0.iter_mut().for_each(|candidate| candidate.see(session));
    }

    /// Returns the latest second that would show everything.
    pub(crate) fn best(self) -> Option<Candidate> {
        self.0.into_iter().find(Candidate::shows_everything)
    }
}

impl Candidate {
    fn new(moment: Moment, offset_us: i64, begin: Timestamp) -> Self {
        Self {
            moment,
            offset_us,
            begin,
            spanning: HashSet::new(),
            missing: HashSet::new(),
            near: HashSet::new(),
            has_open: false,
            has_leaver: false,
            has_comer: false,
            is_crowded: false,
            has_silent: false,
            has_other: false,
        }
    }

    fn see(&mut self, session: &Session) {
        let Some(login) = session.login else { return };
        // The second itself, and the one after it if its end is inclusive.
        let (first, last) = (self.begin, self.begin + 2 * SECOND_US);
        let ends_after = |at: Timestamp| session.logout.is_none_or(|logout| logout >= at);
        if login > last || !ends_after(first - SECOND_US) || self.is_crowded {
            return;
        }
        if self.spanning.len() + self.near.len() >= MAX_SESSIONS {
            self.is_crowded = true;
            (self.spanning, self.near) = (HashSet::new(), HashSet::new());
            return;
        }
        if login > first - SECOND_US || !ends_after(last) {
            self.near.insert(session.key());
            return;
        }
        self.has_open |= session.logout.is_none();
        self.has_leaver |= !ends_after(first + ZONE_STEP_US);
        self.has_comer |= login > first - ZONE_STEP_US + SECOND_US;
        self.spanning.insert(session.key());
    }

    fn shows_everything(&self) -> bool {
        self.spanning.len() >= MIN_SPANNING
            && self.has_open
            && self.has_leaver
            && self.has_comer
            && !self.is_crowded
    }

    /// Begins with an answer.
    pub(crate) fn expect_all(&mut self) {
        self.missing = self.spanning.clone();
    }

    /// Looks at a session of the answer for the second.
    pub(crate) fn find(&mut self, session: &Session) {
        let key = session.key();
        if self.missing.remove(&key) {
            // One activity may lie on a bound, and is then the begin and the end that are shown.
            let (begin, end) = (self.begin, self.begin + SECOND_US);
            let fills = session.login == Some(begin) && session.logout == Some(end);
            self.has_silent |= fills || session.login.is_some_and(|login| login > end);
        } else if !self.spanning.contains(&key) && !self.near.contains(&key) {
            self.has_other = true;
        }
    }

    /// Looks at a session of the answer for the second and all that follow.
    pub(crate) fn find_since(&mut self, session: &Session) {
        self.missing.remove(&session.key());
    }

    /// Tells whether the answer for the second has those that it must have, and no others; `None`
    /// if all that were found were busy.
    pub(crate) fn verdict(&self) -> Option<bool> {
        let has_all = self.has_all() && !self.has_other;
        (!has_all || self.has_silent).then_some(has_all)
    }

    /// Tells whether the answer has all that it must have.
    pub(crate) fn has_all(&self) -> bool {
        self.missing.is_empty()
    }
}

//! One session as Ekran System records it, what a pair of bounds makes of it, and its JSON.
//! In: fields set by a test or by `data.rs`. Out: `SessionRecord`, the truth; what a client sees.
//! Called by `serve.rs`. Fields are those of the published example, by their published names.

use chrono::{DateTime, FixedOffset, Offset as _, TimeZone as _, Utc};
use serde_json::{Map, Value, json};

use super::switches::{Idle, Offset, Selection, Switches, Unfinished};

/// A session, with the times at which something happened in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// `sessionId`.
    pub session_id: i64,
    /// `clientGuid`: the computer.
    pub client_guid: String,
    /// `userId`.
    pub user_id: i64,
    /// `loginDate`.
    pub login: DateTime<Utc>,
    /// `logoutDate`; none while it is not finished.
    pub logout: Option<DateTime<Utc>>,
    /// When something happened, between login and logout, in order.
    pub activities: Vec<DateTime<Utc>>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
}

impl SessionRecord {
    /// Returns a session that is finished, in which nothing happened.
    pub fn finished(id: i64, user_id: i64, login: DateTime<Utc>, logout: DateTime<Utc>) -> Self {
        Self { logout: Some(logout), ..Self::unfinished(id, user_id, login) }
    }

    /// Returns a session that is not finished, in which nothing happened yet.
    pub fn unfinished(id: i64, user_id: i64, login: DateTime<Utc>) -> Self {
        Self {
            session_id: id,
            client_guid: format!("client-{user_id}"),
            user_id,
            login,
            logout: None,
            activities: Vec::new(),
        }
    }

    /// Returns the session with activities.
    #[must_use]
    pub fn with_activities(mut self, activities: impl IntoIterator<Item = DateTime<Utc>>) -> Self {
        self.activities.extend(activities);
        self.activities.sort();
        self
    }

    /// Returns the logout as a client sees it that sends no bounds.
    pub fn shown_logout(&self, unfinished: Unfinished) -> Option<DateTime<Utc>> {
        let last = || self.activities.last().copied().unwrap_or(self.login);
        self.logout.or_else(|| (unfinished == Unfinished::LastActivity).then(last))
    }

    fn happenings(&self, switches: &Switches) -> Vec<DateTime<Utc>> {
        let ends = [Some(self.login), self.logout].into_iter().flatten();
        let mut all: Vec<_> = ends.filter(|_| switches.ends_are_activities).collect();
        all.extend(&self.activities);
        all.sort();
        all
    }

    /// Returns the session as the bounds show it, if they select it: its login and its logout.
    pub(super) fn between(
        &self,
        bounds: Bounds,
        switches: &Switches,
    ) -> Option<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let Bounds { start, end } = bounds;
        let is_after_start = start.is_none_or(|start| {
            let is_finished_after = match self.logout {
                Some(logout) if switches.start_is_inclusive => logout >= start,
                Some(logout) => logout > start,
                None if switches.open_need_end && end.is_none() => false,
                None => switches.selection != Selection::StartedOrFinished,
            };
            self.login >= start || is_finished_after
        });
        let is_before_end = end
            .is_none_or(|end| self.login < end || (switches.end_is_inclusive && self.login == end));
        let within = |at: &DateTime<Utc>| {
            start.is_none_or(|start| *at >= start) && end.is_none_or(|end| *at <= end)
        };
        let happenings = self.happenings(switches);
        // What began after `start` has its begin between the bounds.
        let is_quiet = switches.selection == Selection::Activity
            && start.is_some_and(|start| self.login < start)
            && !happenings.iter().any(within);
        if !is_after_start || !is_before_end || is_quiet {
            return None;
        }
        let counts = |at: &&DateTime<Utc>| switches.idle == Idle::Elsewhere || within(at);
        let mut login = self.login;
        if let Some(start) = start.filter(|start| login < *start) {
            let first = happenings.iter().filter(counts).find(|at| **at >= start);
            login = first.copied().unwrap_or(start);
        }
        let mut logout = self.shown_logout(switches.unfinished);
        if let Some(end) = end {
            let goes_on = match logout {
                Some(logout) => logout > end,
                None => switches.cuts_unfinished,
            };
            if goes_on {
                let last = happenings.iter().rev().filter(counts).find(|at| **at <= end);
                logout = Some(last.copied().unwrap_or(end));
            }
        }
        Some((login, logout))
    }

    /// Writes the session with the times that are shown.
    pub(super) fn json(
        &self,
        (login, logout): (DateTime<Utc>, Option<DateTime<Utc>>),
        switches: &Switches,
    ) -> Value {
        let time = |at| written(at, self.session_id, switches);
        let number = |number: i64| match switches.numbers_as_text {
            true => json!(number.to_string()),
            false => json!(number),
        };
        let mut record = Map::new();
        record.insert("clientGuid".to_owned(), json!(self.client_guid));
        if logout.is_some() || switches.unfinished == Unfinished::Null {
            record.insert("logoutDate".to_owned(), json!(logout.map(time)));
        }
        record.insert("loginDate".to_owned(), json!(time(login)));
        record.insert("sessionId".to_owned(), number(self.session_id));
        record.insert("userId".to_owned(), number(self.user_id));
        Value::Object(record)
    }
}

/// Writes an instant as in the published example, with milliseconds.
fn written(at: DateTime<Utc>, session_id: i64, switches: &Switches) -> String {
    let fixed = |seconds: i32| {
        let offset = FixedOffset::east_opt(seconds).unwrap_or_else(|| at.offset().fix());
        offset.from_utc_datetime(&at.naive_utc()).format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
    };
    let local = at.with_timezone(&switches.time_zone);
    let server = || local.format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
    match (switches.offset, session_id.rem_euclid(3)) {
        (Offset::Utc, _) | (Offset::Mixed, 0) => fixed(0),
        (Offset::Server, _) | (Offset::Mixed, 1) => server(),
        (Offset::Fixed(seconds), _) => fixed(seconds),
        (Offset::Mixed, _) => fixed(5 * 3600),
        (Offset::Absent, _) => local.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
    }
}

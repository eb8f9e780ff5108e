//! From a request to an answer, as Ekran System gives it.
//! In: a request. Out: a list of sessions, or an error without a body that means anything.
//! Called by `server.rs` through `Api`. The order of the checks is: path, method, credentials, parameters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{
    DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc,
};
use chrono_tz::OffsetComponents as _;
use serde_json::{Value, json};

use super::Auth;
use super::session::{Bounds, SessionRecord};
use super::switches::{Order, Switches};
use crate::message::{Answer, Kind, Request};

/// The path of the sessions; the service does not mind case.
const SESSIONS: &str = "/ekranapi/sessions";

/// Sessions on a page of the POST endpoint at most.
const PAGE_ROWS: u64 = 1000;

/// Everything that changes while the emulator runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) sessions: Vec<SessionRecord>,
    pub(super) switches: Switches,
}

/// Sorts a request: what is not a GET of sessions is a violation. The POST for pages of them is one
/// too: it only reads, but nobody has any business sending it.
pub(super) fn kind(method: &str, path: &str) -> Kind {
    match method {
        "GET" if path.eq_ignore_ascii_case(SESSIONS) => Kind::Data,
        _ => Kind::Violation,
    }
}

impl State {
    /// Answers any request.
    pub(super) fn answer(&self, request: &Request, auth: &Auth) -> Answer {
        if !request.path.eq_ignore_ascii_case(SESSIONS) {
            return Answer::html(404, "Not Found");
        }
        if !matches!(request.method.as_str(), "GET" | "POST") {
            return Answer::html(405, "Method Not Allowed");
        }
        if !auth.admits(request) {
            return Answer::html(401, "Unauthorized");
        }
        match request.method.as_str() {
            "GET" => self.list(|name| request.parameter(name).map(str::to_owned)),
            _ => self.page(&request.body),
        }
    }

    /// Answers with all sessions between the bounds.
    fn list(&self, parameter: impl Fn(&str) -> Option<String>) -> Answer {
        match self.bounds(parameter) {
            Ok(bounds) => Answer::json(200, &json!(self.between(bounds))),
            Err(answer) => answer,
        }
    }

    /// Answers with a page of the sessions between the bounds, which are in a JSON body.
    fn page(&self, body: &[u8]) -> Answer {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return bad("body") };
        let bounds = match self.bounds(|name| body[name].as_str().map(str::to_owned)) {
            Ok(bounds) => bounds,
            Err(answer) => return answer,
        };
        let count = body["sessionCount"].as_u64().unwrap_or(PAGE_ROWS);
        if count > PAGE_ROWS {
            return bad("sessionCount");
        }
        let at = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let n_before = at(body["pageIndex"].as_u64().unwrap_or(0).saturating_mul(count));
        let rows = self.between(bounds);
        let rows: Vec<_> = rows.into_iter().skip(n_before).take(at(count)).collect();
        Answer::json(200, &json!({ "sessions": rows }))
    }

    fn bounds(&self, parameter: impl Fn(&str) -> Option<String>) -> Result<Bounds, Answer> {
        let read = |name: &str| match parameter(name) {
            None => Ok(None),
            Some(text) => {
                local(&text).map(|local| Some(self.instant(local))).ok_or_else(|| bad(name))
            }
        };
        Ok(Bounds { start: read("start")?, end: read("end")? })
    }

    /// Returns the instant that the server takes a local time for.
    fn instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let zone = self.switches.time_zone;
        if self.switches.ignores_summer {
            let offset = zone.offset_from_utc_datetime(&local).base_utc_offset();
            return (local - offset).and_utc();
        }
        match zone.from_local_datetime(&local) {
            MappedLocalTime::Single(at) => at.to_utc(),
            MappedLocalTime::Ambiguous(_, later) if self.switches.fold_is_later => later.to_utc(),
            MappedLocalTime::Ambiguous(earlier, _) => earlier.to_utc(),
            // A time that the clocks skipped is as far after the time before.
            MappedLocalTime::None => {
                let hours = TimeDelta::hours(3);
                let before = zone.from_local_datetime(&(local - hours)).earliest();
                before.map_or_else(|| local.and_utc(), |before| before.to_utc() + hours)
            }
        }
    }

    fn between(&self, bounds: Bounds) -> Vec<Value> {
        if matches!((bounds.start, bounds.end), (Some(start), Some(end)) if start > end) {
            return Vec::new();
        }
        let mut sessions: Vec<&SessionRecord> = self.sessions.iter().collect();
        match self.switches.order {
            Order::Oldest => sessions.sort_by_key(|session| session.login),
            Order::Newest => sessions.sort_by_key(|session| std::cmp::Reverse(session.login)),
            Order::ByUser => sessions.sort_by_key(|session| session.user_id),
        }
        let shown = |session: &&SessionRecord| {
            let times = session.between(bounds, &self.switches)?;
            Some(session.json(times, &self.switches))
        };
        sessions.iter().filter_map(shown).collect()
    }
}

impl Auth {
    /// Returns whether a request carries the credentials.
    fn admits(&self, request: &Request) -> bool {
        let has = |name: &str, value: &str| request.header(name) == Some(value);
        match self {
            Self::None => true,
            Self::Basic { username, password } => {
                let pair = STANDARD.encode(format!("{username}:{password}"));
                has("authorization", &format!("Basic {pair}"))
            }
            Self::Bearer { token } => has("authorization", &format!("Bearer {token}")),
            Self::Header { name, value } => has(name, value),
        }
    }
}

/// Reads a bound in one of the three documented forms.
fn local(text: &str) -> Option<NaiveDateTime> {
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let time = |format| NaiveDateTime::parse_from_str(text, format).ok();
    date()
        .map(|date| date.and_time(NaiveTime::MIN))
        .or_else(|| time("%Y-%m-%dT%H:%M"))
        .or_else(|| time("%Y-%m-%dT%H:%M:%S"))
}

/// Refuses a parameter.
fn bad(name: &str) -> Answer {
    Answer::json(400, &json!({ "message": format!("The value of {name} is not valid.") }))
}

//! From a request to an answer, as Oracle Access Manager gives it.
//! In: a request. Out: up to 28 sessions, or an error.
//! Called by `server.rs` through `Api`. The order of the checks is: path, method, credentials, permission, body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::session::SessionRecord;
use super::switches::{Combination, Form, Matching, Nothing, Switches, Total};
use crate::company::uuid;
use crate::faults::http_date;
use crate::message::{Answer, Kind, Request};

const ROOT: &str = "/oam/services/rest/access/api/v1";

/// The text fields of a search in the order of the reference. Fields by time are accepted and not used.
const TEXTS: [&str; 4] = ["userId", "clientIp", "sessionId", "idStoreName"];

/// Sorts a request: what is not a search is a violation, its neighbours that create and delete above all.
pub(super) fn kind(method: &str, path: &str) -> Kind {
    match (method, path.strip_prefix(ROOT)) {
        ("POST", Some("/sessions")) => Kind::Data,
        _ => Kind::Violation,
    }
}

/// Everything that changes while the emulator runs.
#[derive(Debug)]
pub(super) struct State {
    /// Sorted by creation, then by id.
    pub(super) sessions: Vec<SessionRecord>,
    pub(super) switches: Switches,
    pub(super) username: String,
    pub(super) password: String,
}

impl State {
    /// Answers any request.
    pub(super) fn answer(&mut self, request: &Request, now: DateTime<Utc>) -> Answer {
        let answer = self.dispatch(request, now);
        answer.with_header("date", &http_date(now + self.switches.date_ahead))
    }

    fn dispatch(&mut self, request: &Request, now: DateTime<Utc>) -> Answer {
        let Some(path) = request.path.strip_prefix(ROOT) else {
            return Answer::html(404, "Error 404--Not Found");
        };
        if !self.admits(request) {
            return Answer::html(401, "Error 401--Unauthorized")
                .with_header("www-authenticate", "Basic realm=\"weblogic\"");
        }
        if self.switches.forbidden {
            return Answer::html(403, "Error 403--Forbidden");
        }
        match (request.method.as_str(), path) {
            ("POST", "/sessions") => self.search(request),
            ("POST", "/session") => self.create(request, now),
            ("DELETE", "/session") => self.delete(request),
            (_, "/sessions" | "/session") => Answer::html(405, "Error 405--Method Not Allowed"),
            _ => Answer::html(404, "Error 404--Not Found"),
        }
    }

    fn admits(&self, request: &Request) -> bool {
        let expected = STANDARD.encode(format!("{}:{}", self.username, self.password));
        request.header("authorization").and_then(|value| value.strip_prefix("Basic "))
            == Some(expected.as_str())
    }

    fn search(&self, request: &Request) -> Answer {
        let Ok(Value::Object(query)) = serde_json::from_slice(&request.body) else {
            return failure(500, "the body is no JSON object");
        };
        let is_keyed =
            ["userId", "clientIp", "sessionId"].iter().any(|key| query.contains_key(*key));
        if !is_keyed && !self.switches.answers_unkeyed {
            return failure(404, "Requested Data Not found");
        }
        let matches = |session: &&SessionRecord| self.matches(session, &query);
        let mut found: Vec<&SessionRecord> = self.sessions.iter().filter(matches).collect();
        if found.is_empty() && self.switches.no_match_is_404 {
            return failure(404, "Requested Data Not found");
        }
        let n_found = found.len();
        Rng::with_seed(self.switches.order_seed ^ request.number as u64).shuffle(&mut found);
        found.truncate(self.switches.cap);
        if self.switches.repeats_one && found.len() == self.switches.cap {
            found.pop();
            found.extend(found.first().copied());
        }
        let total = match self.switches.total {
            Total::True => Some(n_found),
            Total::StopsAtCap => Some(found.len()),
            Total::Missing => None,
        };
        let wants_json = request.header("accept").is_some_and(|accept| accept.contains("json"));
        match self.switches.form {
            Form::Json => self.json(&found, total),
            Form::ByAccept if wants_json => self.json(&found, total),
            Form::ByAccept | Form::Xml => self.xml(&found, total),
        }
    }

    fn matches(&self, session: &SessionRecord, query: &Map<String, Value>) -> bool {
        let shown = [
            Some(session.user.as_str()),
            session.client_ip.as_deref(),
            Some(session.id.as_str()),
            session.id_store.as_deref(),
        ];
        let texts = TEXTS.iter().zip(shown).filter_map(|(name, shown)| {
            let asked = query.get(*name)?.as_str().filter(|asked| !asked.is_empty())?;
            Some(shown.is_some_and(|shown| self.is_match(asked, shown)))
        });
        let flag = query.get("isImpersonating").and_then(Value::as_bool);
        let flag = flag.map(|asked| session.is_impersonating == Some(asked));
        let mut verdicts = texts.chain(flag).peekable();
        if verdicts.peek().is_none() {
            return true;
        }
        match self.switches.combination {
            Combination::All => verdicts.all(|verdict| verdict),
            Combination::Any => verdicts.any(|verdict| verdict),
            Combination::First => verdicts.next().unwrap_or(true),
        }
    }

    fn is_match(&self, asked: &str, shown: &str) -> bool {
        match self.switches.matching {
            Matching::Exact => asked == shown,
            Matching::IgnoresCase => asked.to_lowercase() == shown.to_lowercase(),
            Matching::Wildcards => fits(asked, shown),
        }
    }

    fn json(&self, found: &[&SessionRecord], total: Option<usize>) -> Answer {
        let switches = &self.switches;
        let mut results = Map::new();
        if let Some(total) = total {
            let total =
                if switches.values_as_text { total.to_string().into() } else { json!(total) };
            results.insert("totalRecords".to_owned(), total);
        }
        let mut list: Vec<Value> = found.iter().map(|session| session.json(switches)).collect();
        let sessions = match (list.len(), switches.nothing) {
            (0, Nothing::Absent) => None,
            (0, Nothing::Null) => Some(Value::Null),
            (1, _) if switches.collapses_one => list.pop(),
            _ => Some(list.into()),
        };
        let sessions = match sessions {
            Some(sessions) if !switches.bare_list && !sessions.is_null() => {
                Some(json!({ "sessionData": sessions }))
            }
            sessions => sessions,
        };
        results.extend(sessions.map(|sessions| ("sessions".to_owned(), sessions)));
        Answer::json(200, &results.into())
    }

    fn xml(&self, found: &[&SessionRecord], total: Option<usize>) -> Answer {
        let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SessionResults>\n".to_owned();
        if let Some(total) = total {
            xml.push_str(&format!("<totalRecords>{total}</totalRecords>\n"));
        }
        match (found.is_empty(), self.switches.nothing) {
            (true, Nothing::Absent) => {}
            (true, Nothing::Null) => xml.push_str("<sessions/>\n"),
            _ => {
                let sessions: String = found.iter().map(|s| s.xml(&self.switches)).collect();
                xml.push_str(&format!("<sessions>\n{sessions}</sessions>\n"));
            }
        }
        xml.push_str("</SessionResults>\n");
        let answer = Answer { status: 200, headers: Vec::new(), body: xml.into() };
        answer.with_header("content-type", "application/xml")
    }

    /// Creates a session, as the real neighbour does. The request is a violation all the same.
    fn create(&mut self, request: &Request, now: DateTime<Utc>) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some(user) = body["userId"].as_str() else {
            return failure(404, "userId was not provided");
        };
        let id = uuid(&mut Rng::with_seed(self.sessions.len() as u64));
        let session = SessionRecord::new(&id, user, now);
        let answer = Answer::json(200, &session.json(&self.switches));
        self.sessions.push(session);
        answer
    }

    /// Deletes up to 28 sessions, as the real neighbour does. The request is a violation all the same.
    fn delete(&mut self, request: &Request) -> Answer {
        let (id, user) = (request.parameter("sessionId"), request.parameter("userId"));
        if id.is_none() && user.is_none() {
            return failure(404, "sessionId or userId was not provided");
        }
        let mut n_left = self.switches.cap;
        self.sessions.retain(|session| {
            let is_named = match id {
                Some(id) => session.id == id,
                None => user == Some(session.user.as_str()),
            };
            let goes = is_named && n_left > 0;
            n_left -= usize::from(goes);
            !goes
        });
        Answer::empty(200)
    }
}

/// Writes an error. The documents name its schema and do not show it.
fn failure(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "code": format!("OAM-{status}"), "message": message }))
}

/// Tells whether a text fits a pattern. `*` and `%` stand for any text, `[…]` for one of these characters, and what
/// follows a backslash for itself.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    let after_first = |text: &str, is_fit: &dyn Fn(char) -> bool, rest: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(is_fit) && fits(rest, chars.as_str())
    };
    match rest.next() {
        None => text.is_empty(),
        Some('*' | '%') => {
            let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.any(|at| fits(rest.as_str(), &text[at..]))
        }
        Some('[') if rest.as_str().contains(']') => {
            let (class, rest) = rest.as_str().split_once(']').unwrap_or_default();
            after_first(text, &|found| class.contains(found), rest)
        }
        Some('\\') => {
            let escaped = rest.next().unwrap_or('\\');
            after_first(text, &|found| found == escaped, rest.as_str())
        }
        Some(plain) => after_first(text, &|found| found == plain, rest.as_str()),
    }
}

//! From a request to an answer, as Formal's service gives it.
//! In: a request. Out: a page, a session, or an error in the shape of the Connect protocol.
//! Called by `server.rs` through `Api`. The order of the checks is: path, method, content type, key, permission, rate, message.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::message::{self, Listing, Refusal, invalid};
use super::session::SessionRecord;
use super::store::{Place, Store};
use super::switches::{CursorStyle, Switches};
use crate::message::{Answer, Kind, Request};

/// The calls of the service that the emulator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Reads pages.
    List,
    /// Reads one session.
    Get,
    /// Ends a session of somebody who is at work. No reader has any business there.
    Terminate,
}

impl Call {
    /// Returns what a path leads to.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix("/core.v1.SessionsService/")? {
            "ListSessionsV2" => Some(Self::List),
            "GetSession" => Some(Self::Get),
            "CreateSessionTermination" | "CancelSession" => Some(Self::Terminate),
            _ => None,
        }
    }

    /// Sorts a request: what is not a POST to one of the two reading calls is a violation.
    pub(super) fn kind(method: &str, path: &str) -> Kind {
        match (method, Self::of(path)) {
            ("POST", Some(Self::List | Self::Get)) => Kind::Data,
            _ => Kind::Violation,
        }
    }
}

/// Everything that changes while the emulator runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) switches: Switches,
    api_key: String,
    /// Where each cursor that was given out goes on, and with which filters.
    cursors: HashMap<String, Vec<Bookmark>>,
    /// When the current period of the rate limit ends, and how many requests it has seen.
    period: Option<(DateTime<Utc>, u32)>,
}

/// Where a cursor goes on.
#[derive(Clone, Debug, Default)]
struct Bookmark {
    /// Behind this row; from the beginning if there is none yet.
    after: Option<Place>,
    /// How many pages of the scan came before.
    n_pages: usize,
    /// Whether the page before was empty on purpose.
    follows_empty: bool,
    /// The filters that it belongs to.
    binding: String,
}

impl State {
    pub(super) fn new(switches: Switches, api_key: String) -> Self {
        let (store, cursors) = (Store::default(), HashMap::new());
        Self { store, switches, api_key, cursors, period: None }
    }

    /// Begins a new period of the rate limit with the next request.
    pub(super) fn refill(&mut self) {
        self.period = None;
    }

    /// Answers any request.
    pub(super) fn answer(&mut self, request: &Request, now: DateTime<Utc>) -> Answer {
        let Some(call) = Call::of(&request.path) else {
            // Not the service's: the router before it answers in plain text.
            let answer = Answer { body: "404 page not found\n".into(), ..Answer::empty(404) };
            return answer.with_header("content-type", "text/plain; charset=utf-8");
        };
        if request.method != "POST" {
            return Answer::empty(405).with_header("allow", "POST");
        }
        let content_type = request.header("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Answer::empty(415).with_header("accept-post", "application/json");
        }
        if !self.admits(request) {
            let message = "invalid or missing API key".to_owned();
            return self.refused(&Refusal { code: "unauthenticated", message });
        }
        if self.switches.forbidden {
            let message = "the key lacks the permission".to_owned();
            return self.refused(&Refusal { code: "permission_denied", message });
        }
        let is_let_through = self.count(now);
        let answered = match (is_let_through, call) {
            (false, _) => {
                let message = "rate limit exceeded".to_owned();
                Err(Refusal { code: "resource_exhausted", message })
            }
            (true, Call::List) => self.list(&request.body, now),
            (true, Call::Get) => self.get(&request.body, now),
            (true, Call::Terminate) => self.terminate(&request.body, now),
        };
        let answer = match answered {
            Ok(body) => self.write(200, &body),
            Err(refusal) => self.refused(&refusal),
        };
        self.with_limit(answer)
    }

    fn admits(&self, request: &Request) -> bool {
        let bearer = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        request.header("x-api-key") == Some(&self.api_key)
            || (self.switches.takes_bearer && bearer == Some(&self.api_key))
    }

    /// Counts a request against the limit. Returns whether it is let through.
    fn count(&mut self, now: DateTime<Utc>) -> bool {
        let Some(limit) = self.switches.rate_limit else { return true };
        let (until, n_seen) = match self.period {
            Some((until, n_seen)) if now < until => (until, n_seen),
            _ => (now + limit.period, 0),
        };
        self.period = Some((until, n_seen.saturating_add(1)));
        n_seen < limit.limit
    }

    /// Adds the headers that tell of the limit.
    fn with_limit(&self, answer: Answer) -> Answer {
        let (Some(limit), Some((until, n_seen))) = (self.switches.rate_limit, self.period) else {
            return answer;
        };
        answer
            .with_header("X-Ratelimit-Limit", &limit.limit.to_string())
            .with_header("X-Ratelimit-Remaining", &limit.limit.saturating_sub(n_seen).to_string())
            .with_header("X-Ratelimit-Reset", &until.timestamp().to_string())
    }

    /// Answers a request for a page.
    fn list(&mut self, body: &[u8], now: DateTime<Utc>) -> Result<Value, Refusal> {
        let listing = Listing::read(&message::object(body)?, &self.switches)?;
        let bookmark = self.bookmark_of(&listing, now)?;
        let switches = &self.switches;
        let n_rows = listing.limit.min(switches.page_cap.unwrap_or(listing.limit)).max(1);
        // The first page is never an empty one, and no two follow each other.
        let is_empty = switches.cursor == CursorStyle::Opaque
            && switches.fills_cursor
            && !bookmark.follows_empty
            && bookmark.n_pages > 0
            && switches
                .empty_page_every
                .is_some_and(|every| bookmark.n_pages.is_multiple_of(every.max(1)));
        if is_empty {
            let next = Bookmark { follows_empty: true, n_pages: bookmark.n_pages + 1, ..bookmark };
            let cursor = self.give(next);
            return Ok(self.page(Vec::new(), Some(cursor)));
        }
        let n_repeated = match &bookmark.after {
            Some(_) => switches.repeated_rows.min(n_rows - 1),
            None => 0,
        };
        let sizes = (n_rows - n_repeated, n_repeated);
        let page = self.store.page(&listing, switches, now, bookmark.after.as_ref(), sizes);
        let rows: Vec<Value> = page.rows.iter().map(|record| record.to_json(switches)).collect();
        let is_full = page.last.is_some() && rows.len() == n_rows;
        let fills_cursor = switches.fills_cursor;
        let goes_on = page.has_more || (switches.cursor_after_full_page && is_full);
        let (after, n_pages) = (page.last.or(bookmark.after), bookmark.n_pages + 1);
        let cursor = (goes_on && fills_cursor).then(|| {
            self.give(Bookmark { after, n_pages, follows_empty: false, binding: bookmark.binding })
        });
        Ok(self.page(rows, cursor))
    }

    /// Writes a page; what is empty is left out.
    fn page(&self, rows: Vec<Value>, cursor: Option<String>) -> Value {
        let mut metadata = Map::new();
        if !rows.is_empty() {
            metadata.insert("count".to_owned(), rows.len().into());
        }
        metadata.extend(cursor.map(|cursor| ("nextCursor".to_owned(), cursor.into())));
        let mut page = Map::new();
        if !rows.is_empty() {
            page.insert("sessions".to_owned(), rows.into());
        }
        if !metadata.is_empty() || self.switches.unknown_fields {
            page.insert("listMetadata".to_owned(), metadata.into());
        }
        if self.switches.unknown_fields {
            page.insert("took".to_owned(), "3 ms".into());
        }
        page.into()
    }

    /// Returns where a request goes on.
    fn bookmark_of(&self, listing: &Listing, now: DateTime<Utc>) -> Result<Bookmark, Refusal> {
        let binding = listing.binding();
        let Some(cursor) = &listing.cursor else {
            return Ok(Bookmark { binding, ..Bookmark::default() });
        };
        match (self.cursors.get(cursor), self.switches.cursor) {
            (Some(given), _) => {
                let fits = given.iter().find(|bookmark| bookmark.binding == binding);
                match (fits, given.last()) {
                    (Some(bookmark), _) => Ok(bookmark.clone()),
                    (None, Some(bookmark)) if !self.switches.cursor_is_bound => {
                        Ok(Bookmark { binding, ..bookmark.clone() })
                    }
                    _ => Err(invalid("cursor: belongs to other filters")),
                }
            }
            (None, style) if style == CursorStyle::LastId || !self.switches.fills_cursor => {
                let after = self.store.place(cursor, &self.switches, now);
                let after = after.ok_or_else(|| invalid("cursor: no such object"))?;
                Ok(Bookmark { after: Some(after), n_pages: 1, follows_empty: false, binding })
            }
            (None, _) => Err(invalid("cursor: cannot be read")),
        }
    }

    /// Returns the cursor of a bookmark, the same for the same place.
    fn give(&mut self, bookmark: Bookmark) -> String {
        let cursor = match (self.switches.cursor, &bookmark.after) {
            (CursorStyle::LastId, Some((_, id))) => id.clone(),
            _ => {
                let mut hasher = DefaultHasher::new();
                (&bookmark.after, bookmark.n_pages, &bookmark.binding).hash(&mut hasher);
                format!("c{:016x}==", hasher.finish())
            }
        };
        let given = self.cursors.entry(cursor.clone()).or_default();
        given.retain(|known| known.binding != bookmark.binding);
        given.push(bookmark);
        cursor
    }

    /// Returns the session that a message names; one that is no longer kept is not known.
    fn find(&self, body: &[u8], now: DateTime<Utc>) -> Result<&SessionRecord, Refusal> {
        let message = message::object(body)?;
        let id = message::text(&message, "sessionId", "session_id")?.ok_or_else(|| {
            invalid("validation error: session_id: value length must be at least 1 characters")
        })?;
        let oldest = self.switches.history.map(|history| now - history);
        let is_meant = |record: &&SessionRecord| {
            record.id == id
                || (self.switches.id_ignores_case && record.id.eq_ignore_ascii_case(&id))
        };
        self.store
            .records()
            .iter()
            .filter(|record| oldest.is_none_or(|oldest| record.start.is_none_or(|at| at >= oldest)))
            .find(is_meant)
            .ok_or(Refusal { code: "not_found", message: "session not found".to_owned() })
    }

    /// Answers a request for one session.
    fn get(&self, body: &[u8], now: DateTime<Utc>) -> Result<Value, Refusal> {
        let session = self.find(body, now)?.to_json(&self.switches);
        Ok(json!({ "session": session }))
    }

    /// Ends a session, as the real call does: what a reader must never be able to do.
    fn terminate(&mut self, body: &[u8], now: DateTime<Utc>) -> Result<Value, Refusal> {
        let mut session = self.find(body, now)?.clone();
        session.close(now);
        self.store.upsert(session);
        Ok(json!({}))
    }

    /// Writes an error of the service.
    fn refused(&self, refusal: &Refusal) -> Answer {
        let status = match (refusal.code, self.switches.error_status) {
            ("unauthenticated", _) => 401,
            ("permission_denied", _) => 403,
            (_, Some(status)) => status,
            ("not_found", None) => 404,
            ("resource_exhausted", None) => 429,
            (_, None) => 400,
        };
        self.write(status, &json!({ "code": refusal.code, "message": refusal.message }))
    }

    fn write(&self, status: u16, body: &Value) -> Answer {
        match self.switches.white_space {
            true => Answer::json_text(status, format!("{body:#}")),
            false => Answer::json(status, body),
        }
    }
}

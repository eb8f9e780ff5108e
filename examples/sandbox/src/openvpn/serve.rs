//! From a request to an answer, as CloudConnexa gives it.
//! In: a request. Out: a page of sessions, a token, or an error in the service's own shape.
//! Called by `server.rs` through `Api`. The order of the checks is: path, method, token, permission, rate, format, parameters.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::ApiVersion;
use super::limit::{Bucket, add_headers};
use super::query::{Query, Refusal};
use super::store::{Place, Reading, Store};
use super::switches::Switches;
use super::token::Tokens;
use crate::message::{Answer, Kind, Request};

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The token endpoint of a version.
    Token,
    /// The sessions of a version.
    Sessions(ApiVersion),
}

impl Target {
    /// Returns what a path leads to.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/api/beta/oauth/token" | "/api/v1/oauth/token" => Some(Self::Token),
            "/api/beta/sessions" => Some(Self::Sessions(ApiVersion::Beta)),
            "/api/v1/sessions" => Some(Self::Sessions(ApiVersion::V1)),
            _ => None,
        }
    }

    /// Sorts a request: what is not a POST for a token or a GET of sessions is a violation.
    pub(super) fn kind(method: &str, path: &str) -> Kind {
        match (method, Self::of(path)) {
            ("POST", Some(Self::Token)) => Kind::Token,
            ("GET", Some(Self::Sessions(_))) => Kind::Data,
            _ => Kind::Violation,
        }
    }
}

/// Everything that changes while the emulator runs.
#[derive(Debug)]
pub(super) struct State {
    pub(super) store: Store,
    pub(super) switches: Switches,
    pub(super) tokens: Tokens,
    pub(super) bucket: Bucket,
    /// Where each cursor that was given out goes on.
    cursors: HashMap<String, Bookmark>,
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
    /// The parameters that it belongs to.
    binding: String,
}

impl State {
    pub(super) fn new(switches: Switches, tokens: Tokens) -> Self {
        let (store, bucket) = (Store::default(), Bucket::default());
        Self { store, switches, tokens, bucket, cursors: HashMap::new() }
    }

    /// Answers any request.
    pub(super) fn answer(&mut self, request: &Request, now: DateTime<Utc>) -> Answer {
        match (request.kind, Target::of(&request.path)) {
            (Kind::Token, _) => self.tokens.grant(request, &self.switches, now),
            (Kind::Data, Some(Target::Sessions(version))) => self.guard(request, version, now),
            (_, Some(_)) => failure(request, 405, "Method Not Allowed"),
            (_, None) => failure(request, 404, "Not Found"),
        }
    }

    /// Answers a request for sessions if its key may ask.
    fn guard(&mut self, request: &Request, version: ApiVersion, now: DateTime<Utc>) -> Answer {
        if !self.tokens.admit(request, now) {
            return failure(request, 401, "Unauthorized");
        }
        if self.switches.forbidden {
            return failure(request, 403, "Forbidden");
        }
        let Some(limit) = self.switches.rate_limit else {
            return self.read(request, version, now);
        };
        match self.bucket.take(&limit, now) {
            Some(n_left) => add_headers(self.read(request, version, now), &limit, n_left),
            None => add_headers(Answer::empty(429), &limit, 0),
        }
    }

    /// Answers a request for sessions with a page of them.
    fn read(&mut self, request: &Request, version: ApiVersion, now: DateTime<Utc>) -> Answer {
        if !accepts_json(request.header("accept")) {
            return failure(request, 406, "Not Acceptable");
        }
        let query = match Query::read(request, version, &self.switches, now) {
            Ok(query) => query,
            Err(refusal) => return refused(&refusal),
        };
        let bookmark = match &query.cursor {
            None => Bookmark { binding: query.binding.clone(), ..Bookmark::default() },
            Some(cursor) => match self.cursors.get(cursor) {
                Some(bookmark)
                    if bookmark.binding == query.binding || !self.switches.cursor_is_bound =>
                {
                    bookmark.clone()
                }
                Some(_) => {
                    return refused(&Refusal {
                        field: "cursor",
                        message: "Belongs to other parameters".to_owned(),
                    });
                }
                None => {
                    let message = "Unknown cursor".to_owned();
                    return refused(&Refusal { field: "cursor", message });
                }
            },
        };
        self.page(&query, bookmark, version, now)
    }

    fn page(
        &mut self,
        query: &Query,
        bookmark: Bookmark,
        version: ApiVersion,
        now: DateTime<Utc>,
    ) -> Answer {
        let switches = &self.switches;
        let n_rows = query.size.min(switches.page_cap.unwrap_or(query.size)).max(1);
        // The first page is never an empty one, and no two follow each other.
        let is_empty = !bookmark.follows_empty
            && bookmark.n_pages > 0
            && switches
                .empty_page_every
                .is_some_and(|every| bookmark.n_pages.is_multiple_of(every.max(1)));
        if is_empty {
            let next = Bookmark { follows_empty: true, n_pages: bookmark.n_pages + 1, ..bookmark };
            return sessions(&[], Some(self.bookmark(next)));
        }
        let n_repeated = match &bookmark.after {
            Some(_) if !query.filter.only_new => switches.repeated_rows.min(n_rows - 1),
            _ => 0,
        };
        let reading = Reading { filter: &query.filter, switches, version, now };
        let after = bookmark.after.as_ref();
        let page = self.store.page(&reading, after, n_rows - n_repeated, n_repeated);
        let is_full = page.last.is_some() && page.rows.len() == n_rows;
        let goes_on = page.has_more || (switches.cursor_after_full_page && is_full);
        let cursor = goes_on.then(|| {
            self.bookmark(Bookmark {
                after: page.last.or(bookmark.after),
                n_pages: bookmark.n_pages + 1,
                follows_empty: false,
                binding: bookmark.binding,
            })
        });
        sessions(&page.rows, cursor)
    }

    /// Returns the cursor of a bookmark: in form an object id of a document store, the same for the same place.
    fn bookmark(&mut self, bookmark: Bookmark) -> String {
        let mut hasher = DefaultHasher::new();
        (&bookmark.after, bookmark.n_pages, &bookmark.binding).hash(&mut hasher);
        let seconds = bookmark.after.as_ref().map_or(0, |(time, _)| time.timestamp());
        let cursor = format!("{:08x}{:016x}", seconds & 0xffff_ffff, hasher.finish());
        self.cursors.insert(cursor.clone(), bookmark);
        cursor
    }
}

/// Writes a page.
fn sessions(rows: &[String], cursor: Option<String>) -> Answer {
    let next = cursor.map(|cursor| format!(",\"nextCursor\":\"{cursor}\"")).unwrap_or_default();
    Answer::json_text(200, format!("{{\"sessions\":[{}]{next}}}", rows.join(",")))
}

/// Writes an error of the gateway.
fn failure(request: &Request, status: u16, name: &str) -> Answer {
    let request_id = format!("{:016x}", request.number);
    let body = json!({
        "path": request.path,
        "requestId": request_id,
        "status": status,
        "statusError": name,
        "timestamp": request.at.timestamp_millis(),
    });
    Answer::json(status, &body)
}

/// Writes an error of the validation.
fn refused(refusal: &Refusal) -> Answer {
    let body = json!({
        "errorDetails": {
            refusal.field: [{ "errorCode": "0-10-25", "message": refusal.message, "params": {} }],
        },
        "errorMessage": "Validation failed",
        "statusError": "Bad Request",
    });
    Answer::json(400, &body)
}

/// Returns whether an `Accept` header admits JSON; a missing one does.
fn accepts_json(accept: Option<&str>) -> bool {
    let Some(accept) = accept else { return true };
    accept.split(',').any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(media_type.as_str(), "*/*" | "application/*" | "application/json")
    })
}

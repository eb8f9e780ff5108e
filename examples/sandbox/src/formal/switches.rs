//! What nobody states about Formal's session API, each as a switch.
//! In: what a test sets. Out: `Switches`, read anew for every request.
//! The defaults are the reading that the documents suggest; where they suggest none, the one that is harder on a client.
//! A client is right only if its answers hold with every switch in every position.

use chrono::TimeDelta;

/// All assumptions about the API and what it does about them.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Assumption: the time that bounds are compared with is the session's start.
    pub timestamp: Timestamp,
    /// Assumption: `timestamp >= startTimestamp`. If true, a session at the bound itself is left out.
    pub start_is_exclusive: bool,
    /// Assumption: `timestamp < endTimestamp`. If true, a session at the bound itself is let in.
    pub end_is_inclusive: bool,
    /// Assumption: times are compared in whole seconds, digits below cut off, as the search engine behind it does.
    pub whole_seconds: bool,
    /// Assumption: what the time is compared with lies so much after (or before, if negative) what is shown.
    pub skew: TimeDelta,
    /// Assumption: newest first. If true, oldest first.
    pub oldest_first: bool,
    /// Assumption: a page holds as many rows as asked for. If set, never more than this, with a cursor as usual.
    pub page_cap: Option<usize>,
    /// Assumption: `nextCursor` is the id of the last row.
    pub cursor: CursorStyle,
    /// Assumption: a cursor is good only with the filters of the request that got it.
    pub cursor_is_bound: bool,
    /// Assumption: a page that is not the last has a `nextCursor`. If false, none has one, and whoever wants the next page
    /// sends the last row's id, whatever `cursor` says.
    pub fills_cursor: bool,
    /// Assumption: the last page has no cursor. If true, a full last page has one, which leads to an empty page without one.
    pub cursor_after_full_page: bool,
    /// Assumption: no page is empty and has a cursor. If set, every n-th page of a scan is; only with opaque cursors.
    pub empty_page_every: Option<usize>,
    /// Assumption: no row comes twice. If set, each later page begins with so many rows of the page before; at least one
    /// row of a page is new.
    pub repeated_rows: usize,
    /// Documented for logs: 90 days in hot storage. Sessions that began before are not shown; `None` shows all.
    pub history: Option<TimeDelta>,
    /// Assumption: a completed session has an end. If set, about one in so many is shown without its end.
    pub completed_without_end: Option<u64>,
    /// Assumption: a session shows its duration.
    pub shows_duration: bool,
    /// Since 2026-07: a session may be `idle`. If false, it is shown as `active`.
    pub knows_idle: bool,
    /// Since 2026-07: a session may have a `parentSessionId`. If false, it is left out.
    pub knows_parents: bool,
    /// Assumption: a session has either a sidecar or a connector, as its record says.
    pub proxy: Proxy,
    /// Assumption: nothing is in an answer but what is documented. If true, fields that nobody knows are there too.
    pub unknown_fields: bool,
    /// Documented for Go's encoder: there may be white space anywhere. If true, there is a lot.
    pub white_space: bool,
    /// Assumption: ids are compared byte by byte. If true, `GetSession` ignores case.
    pub id_ignores_case: bool,
    /// Assumption: the status of an error is the one that the Connect protocol has for its code. If set, this one for all
    /// errors but those of the key, as a gateway may have it.
    pub error_status: Option<u16>,
    /// Assumption: validation errors are worded as in 2026. If true, as before.
    pub old_validation_text: bool,
    /// Assumption: the key goes into `X-API-KEY`. If true, `Authorization: Bearer` is taken too.
    pub takes_bearer: bool,
    /// Assumption: a key without the permission gets `permission_denied`. If true, all do.
    pub forbidden: bool,
    /// Documented: answers carry the headers of a limit; its numbers are not. Off by default, to keep tests fast.
    pub rate_limit: Option<RateLimit>,
    /// Assumption: answers are compressed for clients that accept it, if they are not short.
    pub gzip: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            timestamp: Timestamp::Start,
            start_is_exclusive: false,
            end_is_inclusive: false,
            whole_seconds: false,
            skew: TimeDelta::zero(),
            oldest_first: false,
            page_cap: None,
            cursor: CursorStyle::LastId,
            cursor_is_bound: true,
            fills_cursor: true,
            cursor_after_full_page: false,
            empty_page_every: None,
            repeated_rows: 0,
            history: Some(TimeDelta::days(90)),
            completed_without_end: None,
            shows_duration: true,
            knows_idle: true,
            knows_parents: true,
            proxy: Proxy::AsRecorded,
            unknown_fields: false,
            white_space: false,
            id_ignores_case: false,
            error_status: None,
            old_validation_text: false,
            takes_bearer: false,
            forbidden: false,
            rate_limit: None,
            gzip: true,
        }
    }
}

/// Which time of a session its bounds are compared with, and pages are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamp {
    /// Its start.
    Start,
    /// The last thing that happened in it.
    LastEvent,
    /// Its end; the time of the request while it is open.
    End,
}

/// What a cursor looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorStyle {
    /// The id of the last row; any other id that exists is taken too.
    LastId,
    /// Letters without a meaning.
    Opaque,
}

/// What a session is shown to have gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// What its record says.
    AsRecorded,
    /// A sidecar, in any case.
    Sidecar,
    /// A connector, in any case.
    Connector,
}

/// A limit on the requests of the one key that the emulator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that are let through in each period.
    pub limit: u32,
    /// How long a period is.
    pub period: TimeDelta,
}

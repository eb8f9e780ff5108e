//! What nobody states about the CloudConnexa API, each as a switch.
//! In: what a test or the command line sets. Out: `Switches`, read anew for every request.
//! The defaults are the reading that the documents suggest; where they suggest none, the one that is harder on a client.
//! A client is right only if its answers hold with every switch in every position.

use chrono::TimeDelta;

/// All assumptions about the API and what it does about them.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Assumption: pages come in the order in which records were created, oldest first.
    pub page_order: PageOrder,
    /// Assumption: with `returnOnlyNew=false` a record is in the window if it was created or last updated in it.
    pub updated: Updated,
    /// Assumption: an active session's record is not touched while it stays active. If true, it counts as updated just now.
    pub active_counts_as_updated: bool,
    /// Assumption: without `endDate` the window ends at the time of the request.
    pub end_default: EndDefault,
    /// Assumption: a field without a value is left out.
    pub missing: Missing,
    /// Assumption: counters and durations are JSON numbers, although version 1 calls `size` a string.
    pub numbers_as_text: bool,
    /// Assumption: a page holds as many rows as asked for. If set, never more than this, with a cursor as usual.
    pub page_cap: Option<usize>,
    /// Assumption: no page is empty and has a cursor. If set, every n-th page of a scan is; 1 makes every other page so.
    pub empty_page_every: Option<usize>,
    /// Assumption: the last page has no cursor. If true, a full last page has one, which leads to an empty page without one.
    pub cursor_after_full_page: bool,
    /// Assumption: a cursor is good only with the parameters of the request that got it. If false, any parameters will do.
    pub cursor_is_bound: bool,
    /// Assumption: an unknown status is refused with 400.
    pub unknown_status: UnknownStatus,
    /// Assumption: the status must be in upper case. If true, case does not matter.
    pub status_ignores_case: bool,
    /// Documented: "duplicates may be returned" with `returnOnlyNew=false`. Each later page begins with so many rows
    /// of the page before; at least one row of a page is new, so a page of one row repeats nothing.
    pub repeated_rows: usize,
    /// Documented: 7 days of history at beta, 30 at version 1. If set, this for both.
    pub history: Option<TimeDelta>,
    /// Assumption: a record is created when its session starts. If not zero, all records are created and updated so much
    /// later (or earlier, if negative) than the data says.
    pub record_skew: TimeDelta,
    /// Assumption: a closed session has an end. If set, about one in so many is shown without its end.
    pub closed_without_end: Option<u64>,
    /// Assumption: answers are compressed for clients that accept it, if they are not short.
    pub gzip: bool,
    /// Documented by the vendor's support: 20 requests at once, then one each 15 s. Off by default, to keep tests fast.
    pub rate_limit: Option<RateLimit>,
    /// Documented: three ways to ask for a token; which of them a server accepts is not.
    pub token_styles: Vec<TokenStyle>,
    /// Documented: 43,199 s. How long a token is good for, by the emulator's clock.
    pub token_lifetime: TimeDelta,
    /// Assumption: credentials without the permission, or from a wrong address, get 403. If true, all do.
    pub forbidden: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            page_order: PageOrder::CreatedAscending,
            updated: Updated::CreatedOrLast,
            active_counts_as_updated: false,
            end_default: EndDefault::Now,
            missing: Missing::Absent,
            numbers_as_text: false,
            page_cap: None,
            empty_page_every: None,
            cursor_after_full_page: false,
            cursor_is_bound: true,
            unknown_status: UnknownStatus::Refused,
            status_ignores_case: false,
            repeated_rows: 0,
            history: None,
            record_skew: TimeDelta::zero(),
            closed_without_end: None,
            gzip: true,
            rate_limit: None,
            token_styles: vec![TokenStyle::Query, TokenStyle::Basic, TokenStyle::BasicJson],
            token_lifetime: TimeDelta::seconds(43_199),
            forbidden: false,
        }
    }
}

/// The order of rows over all pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOrder {
    /// By creation, oldest first. A record created during a scan is at its end.
    CreatedAscending,
    /// By creation, newest first. A record created during a scan is not seen by it.
    CreatedDescending,
    /// By last update, oldest first. A record touched during a scan is seen (again) at its end.
    UpdatedAscending,
}

/// What "updated between the dates" means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// Created in the window, or last updated in it.
    CreatedOrLast,
    /// Last updated in the window; a creation counts only if nothing came later.
    LastOnly,
    /// Created in the window, or updated in it at any time.
    Any,
}

/// Where a window without `endDate` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndDefault {
    /// At the time of the request.
    Now,
    /// Nowhere. Records dated in the future are seen too.
    Open,
}

/// How a field without a value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Not at all.
    Absent,
    /// As `null`.
    Null,
}

/// What becomes of a status that is none of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownStatus {
    /// The answer is 400.
    Refused,
    /// It is as if no status had been given.
    Ignored,
    /// It matches nothing.
    MatchesNothing,
}

/// A way to hand over the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStyle {
    /// `client_id`, `client_secret` and `grant_type` in the query.
    Query,
    /// Basic authentication and an empty body.
    Basic,
    /// Basic authentication and a JSON body with `grant_type`.
    BasicJson,
}

/// A token bucket for the one key that the emulator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests that are let through at once.
    pub burst: u32,
    /// Requests that come back each time.
    pub replenish: u32,
    /// How often they come back.
    pub every: TimeDelta,
    /// Whether answers carry the headers that tell all this.
    pub with_headers: bool,
}

impl RateLimit {
    /// Returns the limit that the vendor's support calls the default.
    pub fn vendor() -> Self {
        Self { burst: 20, replenish: 1, every: TimeDelta::seconds(15), with_headers: true }
    }
}

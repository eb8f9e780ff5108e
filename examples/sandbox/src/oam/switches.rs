//! What nobody states about the sessions search of Oracle Access Manager, each as a switch.
//! In: what a test or the command line sets. Out: `Switches`, read anew for every request.
//! The defaults are the reading that the documents suggest; where they suggest none, the one that is harder on a client.
//! A client is right only if its answers hold with every switch in every position, or say that they are not whole.

use chrono::TimeDelta;

/// All assumptions about the API and what it does about them.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Assumption: `Accept` chooses between JSON and XML; without it the answer is XML, as the samples are.
    pub form: Form,
    /// Documented: 28 sessions at most. If another number, this many.
    pub cap: usize,
    /// Assumption: `totalRecords` counts all sessions that match.
    pub total: Total,
    /// Assumption: in JSON the list is `sessions.sessionData`. If true, `sessions` itself is the list.
    pub bare_list: bool,
    /// Assumption: an answer has no session twice. If true, a full one ends with its first session once more.
    pub repeats_one: bool,
    /// Assumption: a list of one session is a list. If true, it is that session, as some mappers write it.
    pub collapses_one: bool,
    /// Assumption: numbers and booleans of JSON are such. If true, they are text.
    pub values_as_text: bool,
    /// Assumption: a field without a value is left out of JSON. If true, it is null; in XML an empty element.
    pub shows_nulls: bool,
    /// Assumption: an empty list is an empty list.
    pub nothing: Nothing,
    /// Assumption: a search without a match is answered with 200. If true, with 404.
    pub no_match_is_404: bool,
    /// Assumption: a search without a user, an address or a session is answered. If false, with 404.
    pub answers_unkeyed: bool,
    /// Assumption: text matches if it is equal.
    pub matching: Matching,
    /// Assumption: a session must match all fields of a search.
    pub combination: Combination,
    /// Documented: `fromIndex` and `pageSize` are not used. They are read in no position of any switch.
    /// Assumption: answers are in no order. Each answer's order is drawn anew from this seed.
    pub order_seed: u64,
    /// Assumption: instants carry the server's own offset, in minutes east of UTC.
    pub offset_minutes: i32,
    /// Assumption: sessions and answers are dated by one clock. If not zero, the header `Date` is so far ahead.
    pub date_ahead: TimeDelta,
    /// Assumption: answers are compressed for clients that accept it, if they are not short.
    pub gzip: bool,
    /// Assumption: credentials without the permission get 403. If true, all do.
    pub forbidden: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            form: Form::ByAccept,
            cap: 28,
            total: Total::True,
            bare_list: false,
            repeats_one: false,
            collapses_one: false,
            values_as_text: false,
            shows_nulls: false,
            nothing: Nothing::List,
            no_match_is_404: true,
            answers_unkeyed: true,
            matching: Matching::Exact,
            combination: Combination::All,
            order_seed: 1,
            offset_minutes: -7 * 60,
            date_ahead: TimeDelta::zero(),
            gzip: true,
            forbidden: false,
        }
    }
}

/// What an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON if `Accept` names it, else XML.
    ByAccept,
    /// Always JSON.
    Json,
    /// Always XML.
    Xml,
}

/// What `totalRecords` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// All sessions that match.
    True,
    /// The sessions in the answer.
    StopsAtCap,
    /// Nothing: it is missing.
    Missing,
}

/// How an empty list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// As a list.
    List,
    /// `sessions` is null; in XML an empty element.
    Null,
    /// There is no `sessions`.
    Absent,
}

/// When a text of a search matches a session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// If they are equal.
    Exact,
    /// If they are equal but for case.
    IgnoresCase,
    /// If the session's fits the search's as a pattern, where `*` and `%` stand for any text, `[ab]` for one of these
    /// letters, and a backslash takes the next one as it is.
    Wildcards,
}

/// What a search with several fields means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// All must match.
    All,
    /// One must match.
    Any,
    /// Of those that are given, the first in the order of the reference must match.
    First,
}

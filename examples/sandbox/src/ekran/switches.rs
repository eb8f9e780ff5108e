//! What nobody states about the API of Ekran System, each as a switch.
//! In: what a test sets. Out: `Switches`, read anew for every request.
//! The defaults are the reading that the documents suggest.
//! A client is right only if its answers hold with every switch in every position.

use chrono_tz::Tz;

/// All assumptions about the API and what it does about them.
#[derive(Clone, Debug)]
pub struct Switches {
    /// Assumption: the server reads bounds in its own time zone, which is this one.
    pub time_zone: Tz,
    /// Assumption: a bound that the clocks showed twice means the first time. If true, the second.
    pub fold_is_later: bool,
    /// Assumption: the server puts its clocks forward in summer as its time zone does. If true, it
    /// reads bounds as if it never did.
    pub ignores_summer: bool,
    /// Documented in two forms: the offset that times are written with.
    pub offset: Offset,
    /// Assumption: a session that ended at `start` is selected.
    pub start_is_inclusive: bool,
    /// Assumption: a session that began at `end` is not selected.
    pub end_is_inclusive: bool,
    /// Assumption: sessions are selected that overlap the bounds.
    pub selection: Selection,
    /// Assumption: `start` alone selects no fewer than `start` with an `end`. If true, a session that
    /// is not finished and began before `start` is left out when there is no `end`.
    pub open_need_end: bool,
    /// Assumption: a session in which nothing happened between the bounds is cut to the bounds.
    pub idle: Idle,
    /// Assumption: login and logout count as activities.
    pub ends_are_activities: bool,
    /// Assumption: a session that is not finished has the logout `null`.
    pub unfinished: Unfinished,
    /// Assumption: a session that is not finished is not finished after `end` either. If true, it is
    /// shown as if it were, with its last activity before `end`.
    pub cuts_unfinished: bool,
    /// Assumption: the order of sessions means nothing.
    pub order: Order,
    /// Documented: ids are numbers. If true, they are written as text.
    pub numbers_as_text: bool,
    /// Assumption: answers are compressed for clients that accept it, if they are not short.
    pub gzip: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            time_zone: Tz::Europe__Berlin,
            fold_is_later: false,
            ignores_summer: false,
            offset: Offset::Server,
            start_is_inclusive: true,
            end_is_inclusive: false,
            selection: Selection::Overlap,
            open_need_end: false,
            idle: Idle::Bound,
            ends_are_activities: true,
            unfinished: Unfinished::Null,
            cuts_unfinished: false,
            order: Order::Oldest,
            numbers_as_text: false,
            gzip: true,
        }
    }
}

/// The offset that times are written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// `+00:00`.
    Utc,
    /// That of the server's zone at that time.
    Server,
    /// One that has nothing to do with the server, in seconds east.
    Fixed(i32),
    /// One of the three above, by session.
    Mixed,
    /// None: local time of the server.
    Absent,
}

/// Which sessions lie between the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Those that overlap; one that is not finished goes on.
    Overlap,
    /// Those that overlap, but of those that began before `start` only the ones in which something
    /// happened between the bounds.
    Activity,
    /// By the letter, "started or finished after": one that is not finished only if it started then.
    StartedOrFinished,
}

/// How a session is shown in which nothing happened between the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Cut to the bounds themselves.
    Bound,
    /// By the letter: its start is the first activity after `start`, be it after `end`; its end is
    /// the last activity before `end`, be it before `start`.
    Elsewhere,
}

/// How the logout of a session is shown that is not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// As `null`.
    Null,
    /// Not at all.
    Absent,
    /// As its last activity.
    LastActivity,
}

/// The order of sessions in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By login, oldest first.
    Oldest,
    /// By login, newest first.
    Newest,
    /// By id of the user.
    ByUser,
}

//! Sessions in lanes: what every picture draws, whatever it draws it with.
//! In: sessions with their users and connections, in any order. Out: a [`Picture`]: the range of
//! time, a lane for each user and connection in their order, and in each lane rows in which no
//! session covers another. Every session is counted, drawn or not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use sessionql_core::display::{count, grouped};

use super::axis;

/// How many users have lanes; all others are counted.
const MAX_USERS: usize = 200;

/// How wide a picture of a single instant is.
const LEAST_RANGE: i64 = 60_000_000;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// When it began, in microseconds since 1970.
    pub(super) start: i64,
    /// When it ended; nothing if it is open. Never before its start.
    pub(super) end: Option<i64>,
    /// The session in words, a line for each value.
    pub(super) detail: Box<str>,
}

impl Mark {
    fn is_instant(&self) -> bool {
        self.end == Some(self.start)
    }
}

/// The sessions of one user on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) user: String,
    pub(super) connection: String,
    /// Whether it is the user's first.
    pub(super) is_first: bool,
    /// The sessions in rows; those of a row come one after the other.
    pub(super) rows: Vec<Vec<Mark>>,
}

/// The rows that cannot be drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) n_without_start: u64,
    pub(super) n_reversed: u64,
    pub(super) n_out_of_calendar: u64,
}

/// What is seen of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// Whose the lanes are, in a word.
    pub(super) owner: &'static str,
    /// Its left edge, in microseconds since 1970.
    pub(super) from: i64,
    /// Its right edge, behind `from`.
    pub(super) until: i64,
    pub(super) lanes: Vec<Lane>,
    /// The connections, each of which has its colour by its place.
    pub(super) connections: Vec<Connection>,
    pub(super) n_sessions: u64,
    pub(super) n_users: u64,
    pub(super) n_open: u64,
    /// How many sessions are open at once at most, and since when.
    pub(super) peak: Option<(u64, i64)>,
    pub(super) left_out: LeftOut,
    /// How many users have no lane, and how many sessions they have.
    pub(super) hidden: (u64, u64),
}

/// What is counted of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) name: String,
    pub(super) n_sessions: u64,
    pub(super) n_open: u64,
}

/// The range that was asked about, and the time of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) now: i64,
}

/// Takes sessions in.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// By user and connection.
    lanes: BTreeMap<(String, String), Vec<Mark>>,
    pub(super) n_sessions: u64,
    pub(super) left_out: LeftOut,
}

impl Collected {
    /// Takes a session in, if it can be drawn.
    pub(super) fn add(
        &mut self,
        lane: (String, String),
        start: Option<i64>,
        end: Option<i64>,
        detail: impl FnOnce() -> String,
    ) {
        let (first, last) = axis::calendar();
        let is_in = |at: &i64| (first..last).contains(at);
        match start {
            None => self.left_out.n_without_start += 1,
            Some(start) if end.is_some_and(|end| end < start) => self.left_out.n_reversed += 1,
            Some(start) if !is_in(&start) || !end.as_ref().is_none_or(is_in) => {
                self.left_out.n_out_of_calendar += 1;
            }
            Some(start) => {
                self.n_sessions += 1;
                let mark = Mark { start, end, detail: detail().into() };
                self.lanes.entry(lane).or_default().push(mark);
            }
        }
    }

    /// Returns the picture of all sessions.
    pub(super) fn into_picture(self, owner: &'static str, range: Range) -> Picture {
        let (from, until) = edges(self.lanes.values().flatten(), range);
        let mut connections: BTreeMap<String, Connection> = BTreeMap::new();
        for ((_, name), marks) in &self.lanes {
            let new = || Connection { name: name.clone(), n_sessions: 0, n_open: 0 };
            let connection = connections.entry(name.clone()).or_insert_with(new);
            connection.n_sessions += marks.len() as u64;
            connection.n_open += marks.iter().filter(|mark| mark.end.is_none()).count() as u64;
        }
        let connections: Vec<Connection> = connections.into_values().collect();
        let peak = peak(&steps(self.lanes.values().flatten(), from));
        let (mut lanes, mut hidden): (Vec<Lane>, _) = (Vec::new(), (0, 0));
        let (mut n_users, mut last): (u64, Option<String>) = (0, None);
        for ((user, connection), marks) in self.lanes {
            let is_first = last.as_ref() != Some(&user);
            n_users += u64::from(is_first);
            if n_users > MAX_USERS as u64 {
                hidden.0 += u64::from(is_first);
                hidden.1 += marks.len() as u64;
            } else {
                let rows = stacked(marks);
                lanes.push(Lane { user: user.clone(), connection, is_first, rows });
            }
            last = Some(user);
        }
        Picture {
            owner,
            from,
            until,
            lanes,
            n_open: connections.iter().map(|connection| connection.n_open).sum(),
            connections,
            n_sessions: self.n_sessions,
            n_users,
            peak,
            left_out: self.left_out,
            hidden,
        }
    }
}

/// Returns the edges of a picture: of the range that was asked about, or else of the sessions; wide
/// enough that a part of each session is in it.
fn edges<'m>(marks: impl Iterator<Item = &'m Mark> + Clone, range: Range) -> (i64, i64) {
    let (first, last) = axis::calendar();
    let now = range.now.clamp(first, last);
    let first_start = marks.clone().map(|mark| mark.start).min();
    let last_seen = marks.clone().map(|mark| mark.end.unwrap_or(now).max(mark.start)).max();
    let mut from = range.since.map(|since| since.clamp(first, last));
    let mut until = range.until.map(|until| until.clamp(first, last));
    if from.is_some() && until.is_none() {
        until = Some(now);
    }
    // Sessions that lie beside the range are those of a table that it was not for.
    if let Some(from) = &mut from {
        let beside = |mark: &&Mark| mark.end.is_some_and(|end| end < *from);
        let first = marks.clone().filter(beside).map(|mark| mark.start).min();
        *from = first.map_or(*from, |first| first.min(*from));
    }
    if let Some(until) = &mut until {
        let beside = marks.filter(|mark| mark.start >= *until);
        let last = beside.map(|mark| mark.end.unwrap_or(now).max(mark.start + 1)).max();
        *until = last.map_or(*until, |last| last.max(*until));
    }
    let from = from.or(first_start).unwrap_or(now);
    let until = until.or(last_seen).unwrap_or(now);
    if until - from >= 1_000 {
        return (from, until);
    }
    let middle = from.midpoint(until.max(from));
    (middle - LEAST_RANGE / 2, middle + LEAST_RANGE / 2)
}

/// Puts sessions into as few rows as can be, in each of which none begins before the one before it
/// has ended. An end is not part of its session, but two that share an instant are beside each other.
fn stacked(mut marks: Vec<Mark>) -> Vec<Vec<Mark>> {
    marks.sort_by_key(|mark| (mark.start, mark.end.unwrap_or(i64::MAX)));
    let mut rows: Vec<Vec<Mark>> = Vec::new();
    let mut ends: BinaryHeap<Reverse<(i64, bool, usize)>> = BinaryHeap::new();
    for mark in marks {
        let is_free =
            |end: i64, is_instant: bool| end < mark.start || (end == mark.start && !is_instant);
        let row = match ends.peek() {
            Some(Reverse((end, is_instant, row))) if is_free(*end, *is_instant) => {
                let row = *row;
                ends.pop();
                row
            }
            _ => {
                rows.push(Vec::new());
                rows.len() - 1
            }
        };
        ends.push(Reverse((mark.end.unwrap_or(i64::MAX), mark.is_instant(), row)));
        rows[row].push(mark);
    }
    rows
}

/// Returns how many sessions are open from each instant on at which that changes, from `from` on.
/// What is open for an instant alone counts at this instant.
pub(super) fn steps<'m>(marks: impl Iterator<Item = &'m Mark>, from: i64) -> Vec<(i64, u64)> {
    // An end comes before a begin at the same instant, and that of a single instant behind it.
    let mut events: Vec<(i64, u8)> = Vec::new();
    for mark in marks {
        let is_instant = mark.is_instant();
        if mark.end.is_some_and(|end| end < from || (end == from && !is_instant)) {
            continue;
        }
        events.push((mark.start.max(from), 1));
        events.extend(mark.end.map(|end| (end, if is_instant { 2 } else { 0 })));
    }
    events.sort_unstable();
    let mut steps: Vec<(i64, u64)> = Vec::new();
    let mut n_open: u64 = 0;
    for (at, kind) in events {
        n_open = if kind == 1 { n_open + 1 } else { n_open.saturating_sub(1) };
        steps.push((at, n_open));
    }
    steps
}

fn peak(steps: &[(i64, u64)]) -> Option<(u64, i64)> {
    let (at, n_open) = steps.iter().copied().max_by_key(|(at, n_open)| (*n_open, Reverse(*at)))?;
    (n_open > 0).then_some((n_open, at))
}

impl Picture {
    /// Returns what is to be said of the picture, a sentence each.
    pub(super) fn sentences(&self, zone: chrono_tz::Tz) -> Vec<String> {
        let mut facts = format!(
            "{} of {}, {} open",
            count(self.n_sessions, "session"),
            count(self.n_users, self.owner),
            grouped(self.n_open)
        );
        if let Some((n_open, at)) = self.peak {
            let at = axis::moment(at, zone);
            facts.push_str(&format!("; at most {} at once, first at {at}", grouped(n_open)));
        }
        let mut sentences = vec![facts];
        if self.hidden.0 > 0 {
            let (n_users, n_sessions) = self.hidden;
            sentences.push(format!(
                "… and {} more {}s with {}, which are not drawn but counted",
                grouped(n_users),
                self.owner,
                count(n_sessions, "session")
            ));
        }
        let LeftOut { n_without_start, n_reversed, n_out_of_calendar } = self.left_out;
        let left_out: Vec<String> = [
            (n_without_start, "without a start"),
            (n_reversed, "that end before they start"),
            (n_out_of_calendar, "outside of the years 2 to 9998"),
        ]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", grouped(n)))
        .collect();
        if !left_out.is_empty() {
            sentences.push(format!("not drawn: rows {}", left_out.join(", ")));
        }
        sentences
    }

    /// Returns the place of a connection among all of them.
    pub(super) fn connection_idx(&self, name: &str) -> usize {
        self.connections.iter().position(|connection| connection.name == name).unwrap_or_default()
    }
}

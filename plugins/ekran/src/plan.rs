//! Decides which bounds are sent for a question.
//! In: filters, and which columns are used. Out: a plan of at most one slice.
//! A bound cuts the values on its side, so it is sent only if they are not used or can be told from
//! true ones; and only if the server is known to select the sessions that overlap its bounds.

use serde::{Deserialize, Serialize};
use sessionql_plugin_sdk::filters::{Span, earlier, span, window};
use sessionql_plugin_sdk::message::{Estimate, Filter, HttpRequest, Plan, Request, Verdict};
use sessionql_plugin_sdk::time::{MINUTE_US, SECOND_US};
use sessionql_plugin_sdk::zone::LocalSecond;
use sessionql_plugin_sdk::{Result, Timestamp, WireError, Zone, plans};

use crate::options::{Selection, Settings};
use crate::sessions_request;
use crate::table::{OF_LOGIN, OF_LOGOUT};

/// What one scan reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) start: Option<Moment>,
    pub(crate) end: Option<Moment>,
    /// Whether sessions that began before `start` are left out, so that all logins are true.
    pub(crate) only_started: bool,
    /// Whether to find out, after the sessions, how the server selects.
    pub(crate) proves: bool,
}

/// A whole second as the server reads it, and the one after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) at: String,
    pub(crate) next: String,
}

impl Moment {
    /// Returns a moment of a zone, unless the clocks are turned in it.
    pub(crate) fn new(zone: Zone, second: LocalSecond) -> Option<Self> {
        let next = zone.next(&second)?;
        let is_steady = offset_us(&next) == offset_us(&second);
        is_steady.then_some(Self { at: second.text, next: next.text })
    }

    /// Returns the request for the sessions that are open in this second.
    pub(crate) fn request(&self) -> HttpRequest {
        sessions_request(Some(&self.at), Some(&self.next))
    }

    /// Returns the request for the sessions that are open in this second or later.
    pub(crate) fn request_since(&self) -> HttpRequest {
        sessions_request(Some(&self.at), None)
    }
}

/// Returns by how much local time is ahead in a second.
pub(crate) fn offset_us(second: &LocalSecond) -> Option<i64> {
    let local = Zone::named("UTC")?.read(&second.text)?;
    Some(local.instant.0 - second.instant.0)
}

impl Slice {
    /// Returns the request for the sessions.
    pub(crate) fn request(&self) -> HttpRequest {
        let text = |moment: &Option<Moment>| moment.as_ref().map(|moment| moment.at.clone());
        sessions_request(text(&self.start).as_deref(), text(&self.end).as_deref())
    }

    /// Tells whether it must be known before the sessions are read who of them began before
    /// `start`: their logins would say that they began too late for a window, or pass for true.
    pub(crate) fn needs_straddlers(&self, windows: &[Span]) -> bool {
        let has_until = windows.iter().any(|window| window.until.is_some());
        self.start.is_some() && (self.only_started || (has_until && self.end.is_none()))
    }
}

/// What scans of this connection found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Learned {
    /// Whether bounds select just the sessions that overlap them.
    pub(crate) selects_by_overlap: Option<bool>,
    /// The offsets of local time, in microseconds, with which they were seen to.
    pub(crate) offsets_us: Vec<i64>,
    /// Whether a session came without a logout.
    pub(crate) has_open: bool,
}

/// What the filters ask for, all together, and which values are used.
#[derive(Debug, Default)]
struct Asked {
    start: Span,
    end: Span,
    windows: Vec<Span>,
    uses_login: bool,
    uses_logout: bool,
}

/// Whether bounds may be sent, or why not.
#[derive(Debug, Clone, Copy)]
enum May {
    Send(Zone),
    /// Where local time has an offset with which the server was seen to read bounds.
    SendProven(Zone),
    /// Not yet, but the sessions that are read may prove it.
    Prove,
    No(&'static str),
}

/// Plans a request.
///
/// # Errors
/// `plugin_error` if the host's clock cannot be read.
pub(crate) fn plan(settings: &Settings, request: &Request) -> Result<Plan, WireError> {
    let latest = plans::clock(request)? - settings.clock_skew_us;
    let asked = Asked::read(request);
    if asked.is_contradictory() {
        return Ok(plans::no_rows(request, "the filters contradict each other"));
    }
    let learned: Learned = plans::learned(request);
    let may = may_send(settings, &learned);
    let zone = match may {
        May::Send(zone) | May::SendProven(zone) => Some(zone),
        May::Prove => settings.zone,
        // As if it could, to say what it costs that it cannot.
        May::No(_) => Zone::named("UTC"),
    };
    let wanted = zone.and_then(|zone| asked.bounded(zone, latest, None));
    let (slice, why_not) = match (may, wanted) {
        (May::Send(_), Some(slice)) => (slice, None),
        (May::SendProven(zone), Some(_)) => {
            let proves = proves_offset(zone, latest, &learned);
            match asked.bounded(zone, latest, Some(&learned.offsets_us)) {
                Some(slice) => (slice, None),
                None => (
                    Slice { proves, ..Slice::default() },
                    Some("the server has not shown how it reads times on the clocks of then"),
                ),
            }
        }
        (May::Prove, Some(_)) => {
            let slice = Slice { proves: true, ..Slice::default() };
            (slice, Some("bounds wait until the server has shown how it selects"))
        }
        (May::No(why), Some(_)) => (Slice::default(), Some(why)),
        (_, None) => (Slice::default(), None),
    };
    let answers = request.filters.iter().map(|filter| asked.verdict(filter, &slice, why_not));
    let (verdicts, reasons) = plans::judged(answers);
    let needs_straddlers = slice.needs_straddlers(&asked.windows);
    let before = slice.start.as_ref().filter(|_| needs_straddlers).map(Moment::request);
    let is_open_ended = slice.start.is_some() && slice.end.is_some() && !slice.only_started;
    let n_requests = 1 + u64::from(needs_straddlers);
    Ok(Plan {
        verdicts,
        reasons,
        previews: before.into_iter().chain([slice.request()]).collect(),
        estimate: Estimate {
            requests: (!is_open_ended && !slice.proves).then_some(n_requests),
            rows: None,
        },
        notes: why_not.map(|why| format!("all sessions are read: {why}")).into_iter().collect(),
        slices: vec![serde_json::json!(slice)],
        ..Plan::default()
    })
}

/// Tells whether the server could show now how it reads local times of another offset than before.
fn proves_offset(zone: Zone, latest: Timestamp, learned: &Learned) -> bool {
    let second = zone.second_before(latest - 60 * MINUTE_US);
    let offset_us = second.and_then(|second| offset_us(&second));
    offset_us.is_some_and(|offset_us| !learned.offsets_us.contains(&offset_us))
}

fn may_send(settings: &Settings, learned: &Learned) -> May {
    match (settings.zone, settings.selection, learned.selects_by_overlap) {
        (None, ..) => May::No("option `time_zone` is not set"),
        (_, Selection::Other, _) => May::No("option `selection` says that bounds do not fit"),
        (Some(zone), Selection::Overlap, _) => May::Send(zone),
        (Some(zone), _, Some(true)) => May::SendProven(zone),
        (_, _, Some(false)) => May::No("the server does not select as bounds would need it"),
        (_, _, None) => May::Prove,
    }
}

impl Asked {
    fn read(request: &Request) -> Self {
        let uses = |names: &[&str]| request.columns.iter().any(|name| names.contains(&&**name));
        let (uses_login, uses_logout) = (uses(&OF_LOGIN), uses(&OF_LOGOUT));
        let asked = Self { uses_login, uses_logout, ..Self::default() };
        request.filters.iter().fold(asked, |mut asked, filter| {
            // The host checks filters on columns again, so it uses these columns.
            if let Some(span) = span(filter, "start") {
                asked.start = asked.start.intersect(span);
                asked.uses_login = true;
            }
            if let Some(span) = span(filter, "end") {
                asked.end = asked.end.intersect(span);
                asked.uses_logout = true;
            }
            asked.windows.extend(window(filter));
            asked
        })
    }

    /// The latest begin of all windows.
    fn since(&self) -> Option<Timestamp> {
        self.windows.iter().filter_map(|window| window.since).max()
    }

    /// Before when sessions must have begun. Windows ask for that too.
    fn until(&self) -> Option<Timestamp> {
        self.windows.iter().fold(self.start.until, |until, window| earlier(until, window.until))
    }

    fn is_contradictory(&self) -> bool {
        let start = Span { since: self.start.since, until: self.until() };
        start.is_empty() || self.end.is_empty()
    }

    /// Returns the slice that sends what can be sent, if that is anything. No bound is later than
    /// `latest`: what a server says of its future is not known. If there are `offsets_us`, local
    /// time has one of them at each bound.
    fn bounded(&self, zone: Zone, latest: Timestamp, offsets_us: Option<&[i64]>) -> Option<Slice> {
        let moment = |second: LocalSecond| {
            let is_known = offsets_us.is_none_or(|known| {
                offset_us(&second).is_some_and(|offset_us| known.contains(&offset_us))
            });
            is_known.then_some(second).and_then(|second| Moment::new(zone, second))
        };
        // Server and host may mean by "inclusive" what they like: a second lies between a bound
        // and what is asked, and so does the one-second window that begins at `start`.
        let lower =
            |asked: Timestamp| moment(zone.second_before(asked.min(latest) - 2 * SECOND_US)?);
        let upper = || {
            let second = zone.second_after(self.until()? + SECOND_US)?;
            (second.instant <= latest).then_some(second).and_then(moment)
        };
        let slice = match (self.start.since, self.since().max(self.end.since)) {
            (Some(asked), _) => Slice {
                start: Some(lower(asked)?),
                // A cut logout cannot tell whether a session was still open in a window.
                end: if self.uses_logout || self.since().is_some() { None } else { upper() },
                only_started: true,
                proves: false,
            },
            (None, Some(asked)) => {
                let is_later = |window: &Span| window.until.is_none_or(|until| until > asked);
                if self.uses_login || !self.windows.iter().all(is_later) {
                    return None;
                }
                let end = if self.uses_logout { None } else { upper() };
                Slice { start: Some(lower(asked)?), end, ..Slice::default() }
            }
            (None, None) if self.uses_logout => return None,
            (None, None) => Slice { end: Some(upper()?), ..Slice::default() },
        };
        Some(slice)
    }

    fn verdict(
        &self,
        filter: &Filter,
        slice: &Slice,
        why_not: Option<&'static str>,
    ) -> (Verdict, &'static str) {
        use Verdict::{Exact, Inexact, Unsupported};
        let is_sent = |what: Span| {
            let lower = slice.start.is_some() && what.since.is_some();
            (lower, slice.end.is_some() && what.until.is_some())
        };
        if let Some(window) = window(filter) {
            let reason = match is_sent(window) {
                (true, true) => "sent as `start` and `end`, and decided by the plugin",
                (true, false) => "sent as `start`, and decided by the plugin",
                (false, true) => "sent as `end`, and decided by the plugin",
                (false, false) => {
                    why_not.unwrap_or("a bound would cut what is asked for; decided by the plugin")
                }
            };
            return (Exact, reason);
        }
        let start = span(filter, "start");
        let asked = start.or_else(|| span(filter, "end")).unwrap_or_default();
        let (lower, upper) = is_sent(asked);
        match (lower, upper && start.is_some()) {
            (true, true) => (Inexact, "sent as `start` and `end`"),
            (true, false) => (Inexact, "sent as `start`"),
            (false, true) => (Inexact, "sent as `end`"),
            (false, false) => {
                (Unsupported, why_not.unwrap_or("a bound would cut what is asked for"))
            }
        }
    }
}

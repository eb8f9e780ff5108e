//! Decides which chains of pages answer a question.
//! In: filters. Out: a plan of at most one slice, whose chains are read one after another.
//! Every way of reading gives a superset of what was asked; `status` alone is exact.

use std::cmp::max;

use serde::{Deserialize, Serialize};
use sessionql_plugin_sdk::filters::{Span, earlier, span, texts, window};
use sessionql_plugin_sdk::message::{Estimate, Filter, Gap, HttpRequest, Plan, Request, Verdict};
use sessionql_plugin_sdk::{Result, Timestamp, WireError, plans};

use crate::options::Settings;
use crate::table::{OPEN, PAGE_ROWS, STATES};

/// The part of a plan that one scan reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slice {
    /// Rows of a page.
    pub(crate) size: u64,
    /// Read in this order: a session that closes between two chains must show up in the later one.
    pub(crate) chains: Vec<Chain>,
}

/// Pages that one set of parameters leads to. The same strings go with every page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chain {
    pub(crate) status: Option<String>,
    /// Sessions created in the window, not also those updated in it.
    pub(crate) only_new: bool,
    pub(crate) start_date: String,
    pub(crate) end_date: Option<String>,
}

impl Chain {
    /// Adds the chain's parameters to a request, in the order of the vendor's example.
    pub(crate) fn add_to(&self, request: HttpRequest, size: u64) -> HttpRequest {
        let mut request = request.with_query("startDate", &self.start_date);
        if let Some(end_date) = &self.end_date {
            request = request.with_query("endDate", end_date);
        }
        request = request.with_query("size", size.to_string());
        if let Some(status) = &self.status {
            request = request.with_query("status", status);
        }
        request.with_query("returnOnlyNew", self.only_new.to_string())
    }
}

/// What the filters ask for, all together.
#[derive(Debug, Default)]
struct Asked {
    start: Span,
    end: Span,
    /// The latest begin and the earliest end of all windows, which need not meet.
    window: Span,
    /// The states that pass, in the order of [`STATES`]; `None` if any may.
    states: Option<Vec<&'static str>>,
}

/// How sessions are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By when they began: records created from then on.
    Created(Timestamp),
    /// By when they were open or ended: the open ones, then records updated from then on.
    Updated(Timestamp),
    /// All that are open.
    Open,
    /// Whatever the history holds.
    All,
}

/// Plans a request.
///
/// # Errors
/// `plugin_error` if the host's clock cannot be read.
pub(crate) fn plan(settings: &Settings, request: &Request) -> Result<Plan, WireError> {
    let horizon = horizon(settings, request, settings.history_us)?;
    let asked = Asked::read(&request.filters);
    if asked.is_contradictory() {
        return Ok(plans::no_rows(request, "the filters contradict each other"));
    }
    let covered = horizon + settings.slack_us;
    let way = asked.way(covered);
    let stretch = asked.stretch(way);
    let answers = request.filters.iter().map(|filter| asked.verdict(filter, way));
    let (verdicts, reasons) = plans::judged(answers);
    let mut plan = Plan {
        verdicts,
        reasons,
        notes: asked.notes(way, horizon),
        gaps: gap(stretch, covered).into_iter().collect(),
        ..Plan::default()
    };
    // Open sessions of before the history are shown if they were touched since.
    let is_over =
        way != Way::Open && stretch.until.is_some_and(|until| until + settings.slack_us <= horizon);
    if is_over && !plan.gaps.is_empty() {
        plan.estimate = Estimate { requests: Some(0), rows: Some(0) };
        return Ok(plan);
    }
    let chains = asked.chains(way, horizon, settings.slack_us);
    let size = plans::page_rows(request, &plan.verdicts, PAGE_ROWS);
    let begin = |chain: &Chain| chain.add_to(crate::sessions_request(settings.version), size);
    plan.previews = chains.iter().map(begin).collect();
    plan.slices = vec![serde_json::json!(Slice { size, chains })];
    Ok(plan)
}

/// Returns the earliest `startDate` that will do until the end of a scan: what is older is no
/// longer kept, or may be gone before the last page.
///
/// # Errors
/// `plugin_error` if the host's clock cannot be read.
pub(crate) fn horizon(
    settings: &Settings,
    request: &Request,
    history_us: i64,
) -> Result<Timestamp, WireError> {
    let clock = plans::clock(request)?;
    let learned_us = request.learned.get("history_us").and_then(serde_json::Value::as_i64);
    let history_us = learned_us.map_or(history_us, |learned_us| learned_us.min(history_us));
    Ok((clock - history_us + settings.margin_us).ceil_ms())
}

impl Asked {
    fn read(filters: &[Filter]) -> Self {
        filters.iter().fold(Self::default(), |mut asked, filter| {
            if let Some(span) = span(filter, "start") {
                asked.start = asked.start.intersect(span);
            }
            if let Some(span) = span(filter, "end") {
                asked.end = asked.end.intersect(span);
            }
            if let Some(span) = window(filter) {
                asked.window = asked.window.intersect(span);
            }
            if let Some(states) = known_states(filter) {
                let passes = |state: &&str| asked.states.as_ref().is_none_or(|s| s.contains(state));
                asked.states = Some(states.into_iter().filter(passes).collect());
            }
            asked
        })
    }

    /// Before when sessions must have begun. A window asks for that too.
    fn start_until(&self) -> Option<Timestamp> {
        earlier(self.start.until, self.window.until)
    }

    /// An open session has no end, and nothing that is asked of an end is true of NULL.
    fn asks_for_end(&self) -> bool {
        self.end != Span::default()
    }

    fn excludes_open(&self) -> bool {
        self.asks_for_end() || self.states.as_ref().is_some_and(|states| !states.contains(&OPEN))
    }

    fn is_open_only(&self) -> bool {
        self.states.as_ref().is_some_and(|states| *states == [OPEN])
    }

    fn is_contradictory(&self) -> bool {
        let start = Span { since: self.start.since, until: self.start_until() };
        let no_state = self.states.as_ref().is_some_and(Vec::is_empty);
        let open_with_end = self.is_open_only() && self.asks_for_end();
        no_state || open_with_end || start.is_empty() || self.end.is_empty()
    }

    /// Chooses the way with the later lower bound, which reads less. `covered` is from when on the
    /// history is whole: what is open is found without it, hence not bounded by it.
    fn way(&self, covered: Timestamp) -> Way {
        let created = self.start.since;
        let updated = max(self.window.since, self.end.since);
        match (created, updated) {
            (Some(created), _) if self.is_open_only() && created >= covered => {
                Way::Created(created)
            }
            _ if self.is_open_only() => Way::Open,
            (Some(created), updated) if Some(created) >= updated => Way::Created(created),
            (_, Some(updated)) => Way::Updated(updated),
            _ => Way::All,
        }
    }

    /// Returns the stretch of history that a way reads. What is open is not bounded by it.
    fn stretch(&self, way: Way) -> Span {
        match way {
            Way::Created(from) => Span { since: Some(from), until: self.start_until() },
            // A session that was open before the window's end may well have ended later.
            Way::Updated(from) if self.end.since.is_some() => {
                Span { since: Some(from), until: self.end.until }
            }
            Way::Updated(from) => {
                Span { since: Some(from), until: earlier(self.end.until, self.window.until) }
            }
            // Open sessions are found whenever they began, but for those that began before the
            // history and were not touched since; a question for just these is not answered.
            Way::Open => match self.start_until() {
                Some(until) => Span { since: None, until: Some(until) },
                None => Span::default(),
            },
            Way::All => Span { since: None, until: earlier(self.start_until(), self.end.until) },
        }
    }

    fn chains(&self, way: Way, horizon: Timestamp, slack_us: i64) -> Vec<Chain> {
        let clamped = |from: Timestamp| max((from - slack_us).floor_ms(), horizon);
        let chain = |status: Option<&str>, from: Timestamp| Chain {
            status: status.map(str::to_owned),
            only_new: false,
            start_date: from.to_rfc3339_ms(),
            end_date: None,
        };
        let states: Vec<_> = match &self.states {
            Some(states) => {
                let wanted =
                    states.iter().filter(|state| !(self.excludes_open() && **state == OPEN));
                wanted.map(|state| Some(*state)).collect()
            }
            None => vec![None],
        };
        match way {
            Way::Created(from) => {
                let until = self.start_until().map(|until| (until + slack_us).ceil_ms());
                let end_date = until.filter(|until| *until < Timestamp::MAX);
                let new = |status| Chain {
                    only_new: true,
                    end_date: end_date.map(Timestamp::to_rfc3339_ms),
                    ..chain(status, clamped(from))
                };
                states.into_iter().map(new).collect()
            }
            Way::Updated(from) => {
                let from = clamped(from);
                // What was updated since the horizon is all that there is, open or not.
                let asks_open_first =
                    self.states.is_none() && !self.excludes_open() && from > horizon;
                let open = asks_open_first.then(|| chain(Some(OPEN), horizon));
                let rest = states.into_iter().map(|state| match state {
                    Some(OPEN) => chain(state, horizon),
                    state => chain(state, from),
                });
                open.into_iter().chain(rest).collect()
            }
            Way::Open | Way::All => states.into_iter().map(|state| chain(state, horizon)).collect(),
        }
    }

    fn verdict(&self, filter: &Filter, way: Way) -> (Verdict, &'static str) {
        use Verdict::{Exact, Inexact, Unsupported};
        let is_start = span(filter, "start").is_some();
        let is_end = span(filter, "end").is_some();
        let is_window = window(filter).is_some();
        match way {
            _ if known_states(filter).is_some() => (Exact, "sent as `status`"),
            Way::Created(_) if is_start => {
                (Inexact, "sent with slack, as when records were created")
            }
            Way::Created(_) if is_window && self.window.until.is_some() => {
                (Inexact, "its end is sent with slack")
            }
            Way::Updated(_) if is_window || (is_end && self.end.since.is_some()) => {
                (Inexact, "its begin is sent with slack, as when records were updated")
            }
            Way::Open if is_start || is_window => (Unsupported, "all open sessions are read"),
            _ if is_start || is_end || is_window => (Unsupported, "the API has no such bound"),
            _ => (Unsupported, "the API has no such filter"),
        }
    }

    fn notes(&self, way: Way, horizon: Timestamp) -> Vec<String> {
        let horizon = horizon.to_rfc3339_s();
        let names_open = self.states.as_ref().is_some_and(|states| states.contains(&OPEN));
        let asks_for_open = match way {
            Way::Open | Way::Updated(_) => true,
            Way::All => names_open || self.window != Span::default(),
            Way::Created(_) => false,
        };
        let mut notes = Vec::new();
        if asks_for_open && !self.excludes_open() {
            let what = "and was not updated since cannot be seen by this API";
            notes.push(format!("a tunnel that began before {horizon} {what}"));
        }
        if way == Way::All && self.stretch(way).until.is_some() {
            notes.push(format!("covered from {horizon}, where the provider's history begins"));
        }
        notes
    }
}

/// Returns what is missing if a stretch begins before the history, or lies before it.
fn gap(stretch: Span, covered: Timestamp) -> Option<Gap> {
    let asked = match stretch {
        Span { since: Some(since), .. } if since < covered => {
            format!("from {}", since.to_rfc3339())
        }
        Span { since: None, until: Some(until) } if until <= covered => {
            format!("until {}", until.to_rfc3339())
        }
        _ => return None,
    };
    Some(plans::history_gap(&asked, covered))
}

/// Returns the states that pass a filter, if it is on `status` and names only known ones; the API
/// refuses others. A filter that lets all known ones pass asks for nothing that can be sent.
fn known_states(filter: &Filter) -> Option<Vec<&'static str>> {
    let asked = texts(filter, "status")?;
    let is_known = asked.iter().all(|state| STATES.contains(state));
    let states: Vec<_> = STATES.into_iter().filter(|state| asked.contains(state)).collect();
    (is_known && states.len() < STATES.len()).then_some(states)
}

//! Decides which requests answer a question.
//! In: filters. Out: a plan of at most one slice: ids to look up, or one listing.
//! All of it gives a superset of what was asked, and the host checks: a look-up may have to become a
//! listing after all, when the API does not compare ids as SQL does.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sessionql_plugin_sdk::filters::{Span, earlier, span, texts, window};
use sessionql_plugin_sdk::message::{Estimate, Filter, Gap, HttpRequest, Plan, Request, Verdict};
use sessionql_plugin_sdk::time::SECOND_US;
use sessionql_plugin_sdk::{Timestamp, WireError, plans};

use crate::options::Settings;

/// The part of a plan that one scan reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Slice {
    /// Pages that one set of filters leads to.
    Listing(Listing),
    /// Sessions by id, one request each.
    Lookup {
        /// Without repetition, none empty.
        ids: Vec<String>,
    },
}

/// The filters of a listing. The same go with every page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) limit: u64,
    pub(crate) start: Option<String>,
    pub(crate) end: Option<String>,
}

impl Listing {
    /// Returns the listing of everything.
    pub(crate) fn all(settings: &Settings) -> Self {
        Self { limit: settings.page_rows, start: None, end: None }
    }

    /// Returns the request of a page; the first has no cursor.
    pub(crate) fn request(&self, cursor: Option<&str>) -> HttpRequest {
        let mut message = json!({ "limit": self.limit });
        let members = [
            ("startTimestamp", self.start.as_deref()),
            ("endTimestamp", self.end.as_deref()),
            ("cursor", cursor),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                message[name] = value.into();
            }
        }
        crate::call(crate::LIST, &message)
    }
}

/// What the filters ask for, all together.
#[derive(Debug, Default)]
struct Asked<'a> {
    start: Span,
    end: Span,
    /// The latest begin and the earliest end of all windows, which need not meet.
    window: Span,
    /// The ids that pass; `None` if any may.
    ids: Option<Vec<&'a str>>,
}

/// The bounds of a listing on the start of sessions.
#[derive(Debug, Clone, Copy, Default)]
struct Bounds {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// Plans a request.
///
/// # Errors
/// `plugin_error` if the host's clock cannot be read.
pub(crate) fn plan(settings: &Settings, request: &Request) -> Result<Plan, WireError> {
    let clock = plans::clock(request)?;
    let asked = Asked::read(&request.filters);
    if asked.is_contradictory() {
        return Ok(plans::no_rows(request, "the filters contradict each other"));
    }
    let lookup = asked.ids.as_ref().filter(|ids| ids.len() <= settings.max_lookups);
    let bounds = asked.bounds(settings);
    let judge = |filter| match lookup {
        Some(_) => verdict_of_lookup(filter),
        None => verdict_of_listing(settings, filter, bounds),
    };
    let (verdicts, reasons) = plans::judged(request.filters.iter().map(judge));
    let horizon = clock - settings.history_us;
    let mut plan = Plan {
        verdicts,
        reasons,
        gaps: asked.gap(horizon).into_iter().collect(),
        notes: asked.notes(settings, horizon, lookup.is_some()),
        ..Plan::default()
    };
    match lookup {
        Some(ids) => {
            let n_ids = Some(ids.len() as u64);
            plan.estimate = Estimate { requests: n_ids, rows: n_ids };
            plan.previews =
                ids.iter().map(|id| crate::call(crate::GET, &json!({ "sessionId": id }))).collect();
            let ids = ids.iter().map(|&id| id.to_owned()).collect();
            plan.slices = vec![json!(Slice::Lookup { ids })];
        }
        None => {
            let limit = plans::page_rows(request, &plan.verdicts, settings.page_rows);
            let listing = Listing {
                limit,
                start: bounds.since.and_then(|since| sent_since(since - settings.slack_us)),
                end: bounds.until.and_then(|until| sent_until(until + settings.slack_us)),
            };
            plan.previews = vec![listing.request(None)];
            plan.slices = vec![json!(Slice::Listing(listing))];
        }
    }
    Ok(plan)
}

/// Returns a lower bound as it is sent: whole seconds, for the API may know no finer ones, and one
/// of them earlier, for it may leave out the bound itself. Nothing began before 1970.
fn sent_since(since: Timestamp) -> Option<String> {
    let sent = Timestamp((since - SECOND_US).0.div_euclid(SECOND_US).saturating_mul(SECOND_US));
    (sent > Timestamp(0)).then(|| sent.to_rfc3339())
}

/// Returns an upper bound as it is sent, likewise.
fn sent_until(until: Timestamp) -> Option<String> {
    let next = (until + (2 * SECOND_US - 1)).0.div_euclid(SECOND_US).saturating_mul(SECOND_US);
    (next < Timestamp::MAX.0).then(|| Timestamp(next.max(0)).to_rfc3339())
}

impl<'a> Asked<'a> {
    fn read(filters: &'a [Filter]) -> Self {
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
            if let Some(mut ids) = texts(filter, "id") {
                // No session has an empty id, and the API refuses to look for one.
                ids.retain(|id| {
                    !id.is_empty() && asked.ids.as_ref().is_none_or(|others| others.contains(id))
                });
                asked.ids = Some(ids);
            }
            asked
        })
    }

    /// Before when sessions must have begun. A window asks for that too.
    fn start_until(&self) -> Option<Timestamp> {
        earlier(self.start.until, self.window.until)
    }

    /// From when on sessions must have been open.
    fn open_since(&self) -> Option<Timestamp> {
        self.window.since.max(self.end.since)
    }

    fn is_contradictory(&self) -> bool {
        let start = Span { since: self.start.since, until: self.start_until() };
        let no_id = self.ids.as_ref().is_some_and(Vec::is_empty);
        no_id || start.is_empty() || self.end.is_empty()
    }

    /// Returns between what the start of every session that passes lies, as far as it can be sent.
    ///
    /// Whichever of its times the API filters on, none is before the start, so a lower bound on the
    /// start is one on that time too. An upper bound is not, unless that time is the start.
    fn bounds(&self, settings: &Settings) -> Bounds {
        let began = settings
            .max_session_us
            .and_then(|max_session_us| Some(self.open_since()? - max_session_us));
        Bounds {
            since: self.start.since.max(began),
            until: self.start_until().filter(|_| settings.filters_on_start),
        }
    }

    /// Returns what may be missing because it lies before what the API is sure to have. What is sent
    /// stays as it is asked, for it may have more.
    fn gap(&self, horizon: Timestamp) -> Option<Gap> {
        let asked = match self.start.since.or(self.open_since()) {
            Some(since) if since < horizon => format!("from {}", since.to_rfc3339()),
            Some(_) => return None,
            None => {
                let until = self.until().filter(|until| *until <= horizon)?;
                format!("until {}", until.to_rfc3339())
            }
        };
        Some(plans::history_gap(&asked, horizon))
    }

    /// Before when sessions must have begun or ended.
    fn until(&self) -> Option<Timestamp> {
        earlier(self.start_until(), self.end.until)
    }

    fn notes(&self, settings: &Settings, horizon: Timestamp, is_lookup: bool) -> Vec<String> {
        let horizon = horizon.to_rfc3339_s();
        let mut notes = Vec::new();
        if self.start.since.is_none() && self.open_since().is_some() {
            let what = "may be missing, for the API may no longer show it";
            notes.push(format!("a session that began before {horizon} {what}"));
        } else if self.start.since.is_none() && self.until().is_some() {
            notes.push(format!("covered from {horizon}, where the provider's history may begin"));
        }
        if let Some(max_session_us) = settings.max_session_us.filter(|_| !is_lookup)
            && let Some(since) = self.open_since().map(|since| since - max_session_us)
            && self.start.since.is_none_or(|start| start < since)
        {
            let what = "are not looked for, as option `max_session` says";
            notes.push(format!("sessions that began before {} {what}", since.to_rfc3339_s()));
        }
        notes
    }
}

fn verdict_of_lookup(filter: &Filter) -> (Verdict, &'static str) {
    match texts(filter, "id") {
        Some(_) => (Verdict::Inexact, "asked for one by one"),
        None => (Verdict::Unsupported, "sessions are asked for by id"),
    }
}

fn verdict_of_listing(
    settings: &Settings,
    filter: &Filter,
    bounds: Bounds,
) -> (Verdict, &'static str) {
    use Verdict::{Inexact, Unsupported};
    if texts(filter, "id").is_some() {
        return (Unsupported, "more ids than option `max_lookups` allows");
    }
    let open = window(filter);
    let Some(Span { since, until }) = open.or(span(filter, "end")).or(span(filter, "start")) else {
        return (Unsupported, "the API has no such filter");
    };
    let is_start = span(filter, "start").is_some();
    let sends_since = since.is_some() && (is_start || settings.max_session_us.is_some());
    let sends_until = until.is_some() && bounds.until.is_some() && (is_start || open.is_some());
    match (sends_since, sends_until) {
        (true, true) if is_start => (Inexact, "both bounds are sent"),
        (true, true) => (Inexact, "its end is sent, and its begin less `max_session`"),
        (true, false) if is_start => (Inexact, "its lower bound is sent"),
        (true, false) => (Inexact, "its begin is sent, less `max_session`"),
        (false, true) => (Inexact, "its upper bound is sent"),
        (false, false) if is_start => (Unsupported, "the API may mean another time than the start"),
        (false, false) if open.is_some() => {
            (Unsupported, "sessions that began before it are outside of the API's own window")
        }
        (false, false) => (Unsupported, "the API has no such bound"),
    }
}

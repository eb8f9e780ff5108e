//! Decides which searches answer a question.
//! In: filters. Out: a plan of at most one slice, whose searches are sent one after another, so
//! that a scan can end after any of them and all share what is found out about the server.
//!
//! What a search is told is checked again in its answer, so every filter that it takes is exact
//! however the server compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sessionql_plugin_sdk::filters::{Span, earlier, span, texts, window};
use sessionql_plugin_sdk::message::{Estimate, Filter, Gap, Plan, Request, Verdict};
use sessionql_plugin_sdk::{Reason, Timestamp, WireError, plans};

use crate::answer::Session;
use crate::search::{Criteria, Field, is_plain};
use crate::table::{CAP, OPEN};

/// First requests that EXPLAIN is told of.
const N_PREVIEWS: usize = 100;

/// What one scan reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Slice {
    pub(crate) searches: Vec<Search>,
    /// The values that pass, of fields that the searches are not all told.
    checked: BTreeMap<Field, Vec<String>>,
}

/// One search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) criteria: Criteria,
    /// The values that pass here, of the field that other searches are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only: Option<(Field, Vec<String>)>,
}

impl Slice {
    /// Tells whether a session that a search showed is one of its rows. No session is a row of two
    /// searches, for they differ in the value of one field.
    pub(crate) fn passes(&self, search: &Search, session: &Session) -> bool {
        let is_one_of = |(field, values): (&Field, &Vec<String>)| {
            session.get(*field).is_some_and(|found| values.iter().any(|value| value == found))
        };
        search.criteria.hold(session, false)
            && search.only.iter().all(|(field, values)| is_one_of((field, values)))
            && self.checked.iter().all(is_one_of)
    }
}

/// What the filters ask for, all together.
#[derive(Debug, Default)]
struct Asked {
    /// The values that pass, by field.
    values: BTreeMap<Field, Vec<String>>,
    start: Span,
    end: Span,
    /// The latest begin and the earliest end of all windows.
    window: Span,
    /// Whether only open sessions can pass.
    is_open_only: bool,
    /// Whether no open session can pass.
    excludes_open: bool,
}

/// How a field's filter is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Each search is told the one value.
    Told,
    /// Each search is told another value.
    FannedOut,
    /// The answers are checked.
    Checked,
}

/// Plans a request.
///
/// # Errors
/// `plugin_error` if the host's clock cannot be read.
pub(crate) fn plan(request: &Request) -> Result<Plan, WireError> {
    let clock = plans::clock(request)?;
    let asked = Asked::read(&request.filters);
    if asked.is_contradictory() {
        return Ok(plans::no_rows(request, "the filters contradict each other"));
    }
    let gaps: Vec<Gap> = asked.gap(clock).into_iter().collect();
    if asked.excludes_open {
        let notes = vec!["the provider shows open sessions only".to_owned()];
        return Ok(Plan { gaps, notes, ..plans::no_rows(request, "no open session passes") });
    }
    let (slice, how) = asked.slice();
    let answers = request.filters.iter().map(|filter| verdict(filter, &how));
    let (verdicts, reasons) = plans::judged(answers);
    let searches = &slice.searches;
    let is_keyed = searches.iter().all(|search| search.criteria.is_keyed());
    let previews = searches.iter().take(N_PREVIEWS).map(|search| search.criteria.request());
    Ok(Plan {
        verdicts,
        reasons,
        // What is not shown costs more searches, but how many is not known before.
        estimate: Estimate { requests: u64::try_from(searches.len()).ok(), rows: None },
        notes: if is_keyed { Vec::new() } else { vec![unkeyed()] },
        gaps,
        previews: previews.collect(),
        slices: vec![serde_json::json!(slice)],
    })
}

fn unkeyed() -> String {
    format!(
        "the provider shows {CAP} sessions of a search: name `user`, `client_ip` or `id` to see all of theirs"
    )
}

impl Asked {
    fn read(filters: &[Filter]) -> Self {
        filters.iter().fold(Self::default(), |mut asked, filter| {
            if let Some((field, values)) = Field::asked(filter) {
                match asked.values.get_mut(&field) {
                    Some(known) => known.retain(|value| values.contains(value)),
                    None => drop(asked.values.insert(field, values)),
                }
            }
            if let Some(states) = texts(filter, "status") {
                asked.is_open_only |= states == [OPEN];
                asked.excludes_open |= !states.contains(&OPEN);
            }
            if let Some(asks_for_null) = null_of_end(filter) {
                asked.is_open_only |= asks_for_null;
                asked.excludes_open |= !asks_for_null;
            }
            if let Some(span) = hull(filter, "end") {
                asked.end = asked.end.intersect(span);
                asked.excludes_open = true;
            }
            if let Some(span) = hull(filter, "start") {
                asked.start = asked.start.intersect(span);
            }
            if let Some(span) = window(filter) {
                asked.window = asked.window.intersect(span);
            }
            asked
        })
    }

    fn is_contradictory(&self) -> bool {
        let until = earlier(self.start.until, self.window.until);
        let start = Span { since: self.start.since, until };
        let has_no_value = self.values.values().any(Vec::is_empty);
        let is_open_and_not = self.is_open_only && self.excludes_open;
        has_no_value || is_open_and_not || start.is_empty() || self.end.is_empty()
    }

    /// Returns the gap of a question about the past. Of what was open then, only what is still open
    /// is known; nothing is missing if nothing else can pass, or if no time is asked for.
    fn gap(&self, clock: Timestamp) -> Option<Gap> {
        let stretches = [self.window, self.start, self.end];
        let since = stretches.iter().filter_map(|span| span.since).filter(|since| *since < clock);
        let until = stretches.iter().filter(|span| span.since.is_none());
        let until = until.filter_map(|span| span.until).filter(|until| *until <= clock);
        let asked = match (since.min(), until.min()) {
            _ if self.is_open_only => return None,
            (Some(since), _) => format!("from {}", since.to_rfc3339()),
            (None, Some(until)) => format!("until {}", until.to_rfc3339()),
            (None, None) => return None,
        };
        let message =
            format!("asked {asked}, covered is what is open now; `end IS NULL` asks for just that");
        Some(Gap { reason: Reason::History, message })
    }

    /// Returns the fewest searches that see all that passes, and how each field is used.
    fn slice(self) -> (Slice, BTreeMap<Field, How>) {
        let mut how: BTreeMap<Field, How> =
            self.values.keys().map(|field| (*field, How::Checked)).collect();
        let mut checked = self.values;
        let mut told = Criteria::default();
        for (field, values) in &checked {
            if let [value] = values.as_slice()
                && is_plain(value)
            {
                told = told.with(*field, value);
                how.insert(*field, How::Told);
            }
        }
        checked.retain(|field, _| !told.has(*field));
        let fan = if told.is_keyed() { None } else { fan_out(&checked, &told) };
        let Some(field) = fan else {
            return (Slice { searches: vec![Search { criteria: told, only: None }], checked }, how);
        };
        how.insert(field, How::FannedOut);
        let values = checked.remove(&field).unwrap_or_default();
        let (plain, other): (Vec<_>, Vec<_>) =
            values.into_iter().partition(|value| is_plain(value));
        let mut searches: Vec<_> = plain
            .iter()
            .map(|value| Search { criteria: told.with(field, value), only: None })
            .collect();
        if !other.is_empty() {
            searches.push(Search { criteria: told, only: Some((field, other)) });
        }
        (Slice { searches, checked }, how)
    }
}

/// Chooses the field that each search is told another value of: the key with the fewest values,
/// else the identity store, unless a filter on it is told already.
fn fan_out(checked: &BTreeMap<Field, Vec<String>>, told: &Criteria) -> Option<Field> {
    let n_plain = |field: &Field| {
        checked.get(field).map_or(0, |values| values.iter().filter(|v| is_plain(v)).count())
    };
    let keys = Field::ALL.into_iter().filter(|field| field.is_key() && n_plain(field) > 0);
    let store = Some(Field::IdStoreName).filter(|field| n_plain(field) > 0 && told.0.is_empty());
    keys.min_by_key(n_plain).or(store)
}

fn verdict(filter: &Filter, how: &BTreeMap<Field, How>) -> (Verdict, &'static str) {
    use Verdict::{Exact, Unsupported};
    if let Some((field, _)) = Field::asked(filter) {
        return match how.get(&field) {
            Some(How::Told) => (Exact, "sent, and checked in the answer"),
            Some(How::FannedOut) => (Exact, "one search for each value, checked in the answer"),
            _ => (Exact, "not sent, checked in the answer"),
        };
    }
    if texts(filter, "status").is_some() || null_of_end(filter).is_some() {
        return (Exact, "every session that is shown is open");
    }
    (Unsupported, "the API has no such filter")
}

/// Returns whether a filter asks for `end IS NULL` or for `end IS NOT NULL`.
fn null_of_end(filter: &Filter) -> Option<bool> {
    match filter {
        Filter::IsNull { column, negated } if column == "end" => Some(!negated),
        _ => None,
    }
}

/// Returns the narrowest span that holds all instants that pass a filter on a column.
fn hull(filter: &Filter, name: &str) -> Option<Span> {
    let Filter::In { column, values } = filter else { return span(filter, name) };
    if column != name {
        return None;
    }
    let instants = values.iter().map(|value| Timestamp::parse(value.as_str()?));
    let instants: Vec<_> = instants.collect::<Option<_>>()?;
    let (first, last) = (instants.iter().min()?, instants.iter().max()?);
    Some(Span { since: Some(*first), until: Some(*last + 1) })
}

//! Reads a slice: one search after another, each with those that split it.
//! What is found out about the server on the way is kept for later scans.

use serde::{Deserialize, Serialize};
use sessionql_plugin_sdk::message::{Gap, HttpRequest, Report, ScanRequest};
use sessionql_plugin_sdk::{Host, Reason, Refusal, Result, WireError, plans};

use crate::answer::Answer;
use crate::options::Settings;
use crate::plan::Slice;
use crate::search::Criteria;
use crate::split::{Hidden, Hunt};
use crate::table::{CAP, sessions};

/// Searches with hidden sessions that a message names; more are counted.
const NAMED_SEARCHES: usize = 3;

/// What is known of a server, from one scan to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// A total above 28 was given, so totals are true.
    pub(crate) total: bool,
    /// What the clock showed at the begin of a statement that had a search answered: the path is
    /// right. That does not last, for what stands before the server may change; so it is good for
    /// the scans of one statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_at: Option<String>,
    /// The same for a search that names no user, address or session: such searches are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    unkeyed_at: Option<String>,
}

/// Sends searches.
#[derive(Debug)]
pub(crate) struct Searcher<'a> {
    pub(crate) settings: &'a Settings,
    host: &'a Host<'a>,
    pub(crate) known: Known,
    /// What the clock showed at the begin of the statement.
    clock: &'a str,
    /// Further searches that may be sent to split others.
    pub(crate) n_splits_left: u64,
}

/// Reads a slice.
///
/// # Errors
/// What the host says, a refused search, an answer that cannot be read, a 404 that may mean
/// anything.
pub(crate) fn scan(settings: &Settings, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
    let slice: Slice = plans::slice(scan)?;
    let known: Known = plans::learned(&scan.request);
    let n_splits_left = settings.max_split_requests;
    let clock = &scan.request.clock;
    let before = known.clone();
    let mut searcher = Searcher { settings, host, known, clock, n_splits_left };
    let mut rows = sessions().rows(host, &scan.request)?;
    let mut hidden = Vec::new();
    for search in &slice.searches {
        hidden.extend(Hunt::new(&mut searcher, &slice, search, &mut rows).run()?);
    }
    // A later answer may have shown that totals are true.
    hidden.retain(|search| !(searcher.known.total && search.is_all_if_total_is_true));
    let learned = (searcher.known != before).then(|| serde_json::json!(searcher.known));
    Ok(Report { gaps: gap(&hidden).into_iter().collect(), learned, ..rows.report()? })
}

/// Returns the gap of searches whose sessions were not all shown.
fn gap(hidden: &[Hidden]) -> Option<Gap> {
    let named: Vec<_> = hidden.iter().take(NAMED_SEARCHES).map(Hidden::shown).collect();
    let n_more = hidden.len().saturating_sub(NAMED_SEARCHES);
    let more = if n_more > 0 { format!("; and {n_more} more searches") } else { String::new() };
    let message =
        format!("{}{more}: the provider shows {CAP} sessions of a search", named.join("; "));
    (!hidden.is_empty()).then_some(Gap { reason: Reason::Capped, message })
}

impl Searcher<'_> {
    /// Sends one search.
    ///
    /// # Errors
    /// See [`scan`].
    pub(crate) fn ask(&mut self, criteria: &Criteria) -> Result<Answer> {
        match self.send(&criteria.request())? {
            Ok(answer) => {
                self.prove(!criteria.is_keyed());
                self.known.total |= answer.total.is_some_and(|total| total > CAP as u64);
                Ok(answer)
            }
            Err(refusal) if refusal.status == 404 => self.not_found(criteria, refusal),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Keeps that a search was answered.
    fn prove(&mut self, is_unkeyed: bool) {
        self.known.path_at = Some(self.clock.to_owned());
        if is_unkeyed {
            self.known.unkeyed_at = Some(self.clock.to_owned());
        }
    }

    fn is_fresh(&self, proven_at: &Option<String>) -> bool {
        proven_at.as_deref() == Some(self.clock)
    }

    fn send(&self, request: &HttpRequest) -> Result<Result<Answer, Refusal>> {
        match self.host.http(request)?.accepted()? {
            Ok(response) => Answer::read(response).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// A 404 may say that there is no such session, that the path is wrong, or that the search
    /// wants more criteria. Only the first is an empty answer, so the others must be excluded. A page
    /// for people is not the API's, and one without a word may be anyone's.
    fn not_found(&mut self, criteria: &Criteria, refusal: Refusal) -> Result<Answer> {
        if is_html(&refusal.body) {
            let hint = "check `base_url`: this is no answer of the API";
            return Err(WireError::from(refusal).with_hint(hint).into());
        }
        let is_keyed = criteria.is_keyed();
        let has_word = !refusal.body.trim().is_empty();
        let is_empty = match is_keyed {
            true => {
                self.settings.not_found_is_empty || (has_word && self.is_fresh(&self.known.path_at))
            }
            false => has_word && self.is_fresh(&self.known.unkeyed_at),
        };
        if is_empty || (has_word && !criteria.0.is_empty() && self.probe()?) {
            return Ok(Answer { total: Some(0), ..Answer::default() });
        }
        let hint = match is_keyed {
            true => "check `base_url`; if it is right, set option `not_found_is_empty = true`",
            false => "filter on `user`, `client_ip` or `id`: the server may want one of them",
        };
        Err(WireError::from(refusal).with_hint(hint).into())
    }

    /// Asks for anything, to see that the path is right. Tells whether it was answered.
    fn probe(&mut self) -> Result<bool> {
        match self.send(&Criteria::default().request())? {
            Ok(_) => {
                self.prove(true);
                Ok(true)
            }
            Err(refusal) if refusal.status == 404 => Ok(false),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// Tells whether a body is a page of HTML.
fn is_html(body: &str) -> bool {
    let text = body.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    text.starts_with("<!doctype html") || text.contains("<html")
}

//! Reads what a slice selects, and makes sure of every session whose values were cut.

use std::collections::HashSet;

use sessionql_plugin_sdk::filters::{Span, span, window};
use sessionql_plugin_sdk::message::{Gap, HttpRequest, Report, Request, ScanRequest};
use sessionql_plugin_sdk::{Error, Host, Level, Reason, Result};

use crate::options::Settings;
use crate::plan::{Learned, Moment, Slice, clock};
use crate::probe::Candidates;
use crate::record::{Key, Reading, Session};
use crate::table::{OF_LOGIN, OF_LOGOUT, Rows};
use crate::window::{Cut, Shown, touches_all};

/// Reads a slice.
///
/// # Errors
/// What the host says, a refused request, an answer that cannot be read.
pub(crate) fn scan(settings: &Settings, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
    let slice: Slice = serde_json::from_value(scan.slice.clone())
        .map_err(|error| Error::plugin(format!("the slice cannot be read: {error}")))?;
    let request = &scan.request;
    let keeps_raw = request.columns.iter().any(|name| name == "raw");
    let run = Run {
        settings,
        host,
        request,
        windows: request.filters.iter().filter_map(window).collect(),
        reading: Reading::new(settings.zone, keeps_raw),
        rows: Rows::new(host, &request.columns)?,
        learned: Learned::of(request),
    };
    run.read(&slice)
}

/// A scan while it runs.
struct Run<'a> {
    settings: &'a Settings,
    host: &'a Host<'a>,
    request: &'a Request,
    windows: Vec<Span>,
    reading: Reading,
    rows: Rows<'a>,
    learned: Learned,
}

impl Run<'_> {
    fn read(mut self, slice: &Slice) -> Result<Report> {
        let before = self.learned;
        let mut candidates = self.candidates(slice)?;
        let mut straddlers = match &slice.start {
            Some(start) if slice.needs_straddlers(&self.windows) => Some(self.open_at(start)?),
            _ => None,
        };
        // Sessions of which it cannot be told yet whether they touch the windows.
        let mut pending = Vec::new();
        let mut n_sessions = 0_u64;
        let Self { host, reading, rows, windows, learned, .. } = &mut self;
        let at_end = slice.end.is_none().then_some(false);
        reading.read(host.http(&slice.request())?, &mut |session| {
            n_sessions += 1;
            learned.has_open |= session.logout.is_none() && slice.end.is_none();
            if let Some(candidates) = &mut candidates {
                candidates.see(&session);
            }
            let at_start = match (&slice.start, &straddlers) {
                (None, _) => Some(false),
                (Some(_), straddlers) => {
                    straddlers.as_ref().map(|straddlers| straddlers.contains(&session.key()))
                }
            };
            if slice.only_started && at_start == Some(true) {
                return Ok(());
            }
            match touches_all(windows, &shown(&session, Cut { at_start, at_end })) {
                Some(true) => rows.push(&session),
                Some(false) => Ok(()),
                None => {
                    pending.push(session);
                    Ok(())
                }
            }
        })?;
        self.rows.flush()?;
        if !pending.is_empty() {
            self.settle(slice, pending, straddlers.take())?;
        }
        if let Some(candidates) = candidates {
            self.prove(candidates)?;
        }
        self.report(slice, before, n_sessions)
    }

    /// Asks who was open where the bounds are, and decides the sessions that were left.
    fn settle(
        &mut self,
        slice: &Slice,
        pending: Vec<Session>,
        straddlers: Option<HashSet<Key>>,
    ) -> Result<()> {
        let straddlers = match (straddlers, &slice.start) {
            (Some(straddlers), _) => straddlers,
            (None, Some(start)) => self.open_at(start)?,
            (None, None) => HashSet::new(),
        };
        let stayers = slice.end.as_ref().map(|end| self.open_at(end)).transpose()?;
        for session in pending {
            let key = session.key();
            let cut = Cut {
                at_start: Some(straddlers.contains(&key)),
                at_end: Some(stayers.as_ref().is_some_and(|stayers| stayers.contains(&key))),
            };
            if touches_all(&self.windows, &shown(&session, cut)) == Some(true) {
                self.rows.push(&session)?;
            }
        }
        self.rows.flush()
    }

    /// Returns the sessions that are open in a second.
    fn open_at(&mut self, moment: &Moment) -> Result<HashSet<Key>> {
        let mut open = HashSet::new();
        self.each(&moment.request(), &mut |session| {
            open.insert(session.key());
        })?;
        Ok(open)
    }

    fn each(&self, request: &HttpRequest, take: &mut dyn FnMut(Session)) -> Result<()> {
        let mut reading = Reading::new(self.settings.zone, false);
        reading.read(self.host.http(request)?, &mut |session| {
            take(session);
            Ok(())
        })
    }

    /// Returns the seconds that may show how the server selects, if that is to be found out.
    fn candidates(&self, slice: &Slice) -> Result<Option<Candidates>> {
        let Some(zone) = self.settings.zone.filter(|_| slice.proves) else { return Ok(None) };
        // Another scan of this connection may have been faster.
        if self.learned.selects_by_overlap.is_some() {
            return Ok(None);
        }
        let latest = clock(self.request)? - self.settings.clock_skew_us;
        Ok(Some(Candidates::before(zone, latest)))
    }

    /// Asks for one second of which all sessions are known.
    fn prove(&mut self, candidates: Candidates) -> Result<()> {
        let Some(mut candidate) = candidates.best() else { return Ok(()) };
        let second = candidate.moment.request();
        self.each(&second, &mut |session| candidate.find(&session))?;
        self.learned.selects_by_overlap = candidate.verdict();
        Ok(())
    }

    fn report(self, slice: &Slice, before: Learned, n_sessions: u64) -> Result<Report> {
        let Self { settings, host, request, windows, reading, learned, .. } = self;
        if reading.n_unknown > 0 {
            host.log(Level::Debug, &format!("{} unknown fields", reading.n_unknown))?;
        }
        let uses = |names: &[&str]| request.columns.iter().any(|name| names.contains(&&**name));
        let asks_for = |name| request.filters.iter().any(|filter| span(filter, name).is_some());
        let mut gaps = Vec::new();
        let rests_on_ends = uses(&["end", "status"])
            || asks_for("end")
            || windows.iter().any(|window| window.since.is_some());
        let has_sessions = n_sessions > 0 || *slice != Slice::default();
        if rests_on_ends && has_sessions && !settings.knows_unfinished && !learned.has_open {
            gaps.push(gap(
                "no session came without `logoutDate`, so unfinished ones may look ended; \
                 set option `unfinished = \"no_logout\"` if they cannot",
            ));
        }
        let uses_times = uses(&OF_LOGIN) || uses(&OF_LOGOUT) || !request.filters.is_empty();
        if uses_times && reading.n_uncertain > 0 {
            gaps.push(gap(&format!(
                "{} times without offset fall where the clocks were turned and may be off",
                reading.n_uncertain
            )));
        }
        let learned = (learned != before).then(|| serde_json::json!(learned));
        Ok(Report { gaps, learned, ..Report::default() })
    }
}

fn shown(session: &Session, cut: Cut) -> Shown {
    Shown { login: session.login, logout: session.logout, cut }
}

fn gap(message: &str) -> Gap {
    Gap { reason: Reason::Clamped, message: message.to_owned() }
}

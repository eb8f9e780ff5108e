//! Reads what a slice selects, and makes sure of every session whose values were cut.

use std::collections::HashSet;

use sessionql_plugin_sdk::filters::{Span, span, window};
use sessionql_plugin_sdk::message::{Gap, HttpRequest, Report, Request, ScanRequest};
use sessionql_plugin_sdk::{Error, Host, Level, Reason, Result, plans};

use crate::options::Settings;
use crate::plan::{Learned, Moment, Slice};
use crate::probe::Candidates;
use crate::record::{Key, Reading, Session};
use crate::table::{OF_LOGIN, OF_LOGOUT, Rows};
use crate::window::{Cut, Shown, touches_all};

/// Reads a slice.
///
/// # Errors
/// What the host says, a refused request, an answer that cannot be read.
pub(crate) fn scan(settings: &Settings, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
    let slice: Slice = plans::slice(scan)?;
    let request = &scan.request;
    let keeps_raw = request.columns.iter().any(|name| name == "raw");
    let run = Run {
        settings,
        host,
        request,
        windows: request.filters.iter().filter_map(window).collect(),
        reading: Reading::new(settings.zone, keeps_raw),
        rows: Rows::new(host, &request.columns)?,
        learned: plans::learned(request),
        n_sessions: 0,
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
    /// Records that were read for rows.
    n_sessions: u64,
}

impl Run<'_> {
    fn read(mut self, slice: &Slice) -> Result<Report> {
        let before = self.learned.clone();
        match self.emit(slice) {
            // What is doubtful about rows that were shown is said even if they were enough.
            Ok(()) | Err(Error::Stopped | Error::Cancelled) => self.report(slice, &before),
            Err(error) => Err(error),
        }
    }

    fn emit(&mut self, slice: &Slice) -> Result<()> {
        let mut candidates = self.candidates(slice)?;
        let mut straddlers = match &slice.start {
            Some(start) if slice.needs_straddlers(&self.windows) => Some(self.open_at(start)?),
            _ => None,
        };
        // Those of them that the answer must have, but has not yet.
        let mut missing = straddlers.clone().unwrap_or_default();
        // Sessions of which it cannot be told yet whether they touch the windows.
        let mut pending = Vec::new();
        let doubts_ends = self.rests_on_ends() && slice.end.is_none();
        let doubts_ends = doubts_ends && !self.settings.knows_unfinished;
        let mut is_stopped = false;
        let Self { host, reading, rows, windows, learned, n_sessions, .. } = self;
        let at_end = slice.end.is_none().then_some(false);
        reading.read(host.http(&slice.request())?, &mut |session| {
            *n_sessions += 1;
            learned.has_open |= session.logout.is_none() && slice.end.is_none();
            if is_stopped {
                // The answer is there, so it may as well say how open sessions look.
                let is_settled = !doubts_ends || learned.has_open;
                return if is_settled { Err(Error::Stopped) } else { Ok(()) };
            }
            if let Some(candidates) = &mut candidates {
                candidates.see(&session);
            }
            let key = straddlers.is_some().then(|| session.key());
            if let Some(key) = &key {
                missing.remove(key);
            }
            let at_start = match (&slice.start, &straddlers, &key) {
                (None, ..) => Some(false),
                (Some(_), Some(straddlers), Some(key)) => Some(straddlers.contains(key)),
                _ => None,
            };
            if slice.only_started && at_start == Some(true) {
                return Ok(());
            }
            match touches_all(windows, &shown(&session, Cut { at_start, at_end })) {
                Some(true) => match rows.push(&session) {
                    Err(Error::Stopped) => is_stopped = true,
                    pushed => return pushed,
                },
                Some(false) => {}
                None => pending.push(session),
            }
            Ok(())
        })?;
        if is_stopped {
            return Err(Error::Stopped);
        }
        self.rows.flush()?;
        if !missing.is_empty() {
            return self.read_all();
        }
        if !pending.is_empty() {
            self.settle(slice, pending, straddlers.take())?;
        }
        candidates.map_or(Ok(()), |candidates| self.prove(candidates))
    }

    /// Reads all sessions, because the server left out some that the bounds should have selected.
    /// Rows that come a second time are taken out by the host.
    fn read_all(&mut self) -> Result<()> {
        self.learned.selects_by_overlap = Some(false);
        let Self { host, reading, rows, windows, learned, n_sessions, .. } = self;
        let cut = Cut { at_start: Some(false), at_end: Some(false) };
        reading.read(host.http(&Slice::default().request())?, &mut |session| {
            *n_sessions += 1;
            learned.has_open |= session.logout.is_none();
            match touches_all(windows, &shown(&session, cut)) {
                Some(true) => rows.push(&session),
                _ => Ok(()),
            }
        })?;
        self.rows.flush()
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
        if self.learned.selects_by_overlap == Some(false) {
            return Ok(None);
        }
        let latest = plans::clock(self.request)? - self.settings.clock_skew_us;
        Ok(Some(Candidates::before(zone, latest)))
    }

    /// Asks for one second of which all sessions are known, with both bounds and with the first.
    fn prove(&mut self, candidates: Candidates) -> Result<()> {
        let Some(mut candidate) = candidates.best() else { return Ok(()) };
        let offset_us = candidate.offset_us;
        if self.learned.offsets_us.contains(&offset_us) {
            return Ok(());
        }
        candidate.expect_all();
        let second = candidate.moment.request();
        self.each(&second, &mut |session| candidate.find(&session))?;
        let mut verdict = candidate.verdict();
        if verdict == Some(true) {
            candidate.expect_all();
            let since = candidate.moment.request_since();
            self.each(&since, &mut |session| candidate.find_since(&session))?;
            verdict = Some(candidate.has_all());
        }
        match verdict {
            Some(true) => {
                self.learned.selects_by_overlap = verdict;
                self.learned.offsets_us.push(offset_us);
            }
            Some(false) => self.learned.selects_by_overlap = verdict,
            None => {}
        }
        Ok(())
    }

    /// Tells whether the rows would be others if an unfinished session looked ended.
    fn rests_on_ends(&self) -> bool {
        let Self { request, windows, .. } = self;
        request.columns.iter().any(|name| name == "end" || name == "status")
            || request.filters.iter().any(|filter| span(filter, "end").is_some())
            || windows.iter().any(|window| window.since.is_some())
    }

    fn report(self, slice: &Slice, before: &Learned) -> Result<Report> {
        let rests_on_ends = self.rests_on_ends();
        let Self { settings, host, request, reading, learned, n_sessions, .. } = self;
        if reading.n_unknown > 0 {
            host.log(Level::Debug, &format!("{} unknown fields", reading.n_unknown))?;
        }
        let uses = |names: &[&str]| request.columns.iter().any(|name| names.contains(&&**name));
        let mut gaps = Vec::new();
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
        let learned = (learned != *before).then(|| serde_json::json!(learned));
        Ok(Report { gaps, learned, ..Report::default() })
    }
}

fn shown(session: &Session, cut: Cut) -> Shown {
    Shown { login: session.login, logout: session.logout, cut }
}

fn gap(message: &str) -> Gap {
    Gap { reason: Reason::Clamped, message: message.to_owned() }
}

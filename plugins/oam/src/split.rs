//! Looks for the sessions that did not fit into the answer to a search.
//! In: a search. Out: its rows, each as soon as it is seen, and what may be missing.
//!
//! A search that shows 28 sessions of more is split by a further field: one search for each value
//! that was seen. Values that were never seen are never asked for, so what proves that all is found
//! is a count alone: of the sessions that were there when the server counted them.

use std::collections::HashSet;

use sessionql_plugin_sdk::time::SECOND_US;
use sessionql_plugin_sdk::{Error, Result, Rows, Timestamp};

use crate::answer::{Answer, Session};
use crate::plan::{Search, Slice};
use crate::scan::Searcher;
use crate::search::{Criteria, Field, is_plain};
use crate::table::CAP;

/// The fields to split by. The first has two values that need not be seen before they are asked
/// for; the more values one has, the later it is used.
const SPLITS: [Field; 4] =
    [Field::IsImpersonating, Field::IdStoreName, Field::ClientIp, Field::UserId];

/// A search and how far it was answered.
struct Asked {
    criteria: Criteria,
    total: Option<u64>,
    /// The ids in its answer: these the server counted for certain.
    shown: HashSet<String>,
    /// The records in its answer, of which one id may have several.
    n_records: usize,
    /// What was created before this was there when the server counted.
    counted_before: Option<Timestamp>,
}

/// A search of which not all sessions were shown, or not provably.
#[derive(Debug)]
pub(crate) struct Hidden {
    criteria: Criteria,
    n_found: usize,
    total: Option<u64>,
    /// Nothing is missing if the server's totals count beyond 28.
    pub(crate) is_all_if_total_is_true: bool,
}

impl Hidden {
    /// Says what is missing, and what would show it.
    pub(crate) fn shown(&self) -> String {
        let Self { criteria, n_found, total, .. } = self;
        let of = match total {
            Some(total) => format!("{n_found} of {total} sessions"),
            None => format!("{n_found} sessions of an unknown number"),
        };
        let condition = match criteria.0.is_empty() {
            true => String::new(),
            false => format!(" where {}", criteria.shown()),
        };
        let helps = [Field::UserId, Field::ClientIp, Field::IdStoreName, Field::IsImpersonating];
        let missing = helps.into_iter().find(|field| !criteria.has(*field));
        let hint =
            missing.map(|field| format!(", a filter on `{}` shows more", field.columns()[0]));
        format!("{of}{condition}{}", hint.unwrap_or_default())
    }
}

/// One search of a slice with those that split it.
pub(crate) struct Hunt<'a, 'searcher, 'rows> {
    searcher: &'a mut Searcher<'searcher>,
    slice: &'a Slice,
    search: &'a Search,
    rows: &'a mut Rows<'rows>,
    /// All that was seen, whether it is asked for or not.
    seen: Vec<Session>,
    ids: HashSet<String>,
}

impl<'a, 'searcher, 'rows> Hunt<'a, 'searcher, 'rows> {
    pub(crate) fn new(
        searcher: &'a mut Searcher<'searcher>,
        slice: &'a Slice,
        search: &'a Search,
        rows: &'a mut Rows<'rows>,
    ) -> Self {
        let (seen, ids) = (Vec::new(), HashSet::new());
        Self { searcher, slice, search, rows, seen, ids }
    }

    /// Emits the sessions of the search. Returns what may be missing.
    pub(crate) fn run(mut self) -> Result<Option<Hidden>> {
        let root = self.ask(self.search.criteria.clone())?;
        self.split(&root, &root)?;
        if self.is_whole(&root) {
            return Ok(None);
        }
        let n_found = self.n_counted(&root);
        let is_all = root.total == u64::try_from(n_found).ok();
        let total = root.total.filter(|_| self.is_true(&root));
        Ok(Some(Hidden {
            criteria: root.criteria,
            n_found,
            total,
            is_all_if_total_is_true: is_all,
        }))
    }

    /// Sends a search and emits what was not seen before.
    fn ask(&mut self, criteria: Criteria) -> Result<Asked> {
        let Answer { request, total, date, records } = self.searcher.ask(&criteria)?;
        let n_records = records.len();
        let mut shown = HashSet::with_capacity(n_records);
        let mut new = Vec::new();
        for record in records {
            let id = &record.session.id;
            shown.insert(id.clone());
            if self.ids.insert(id.clone()) {
                if self.slice.passes(self.search, &record.session) {
                    new.push(record.json);
                }
                self.seen.push(record.session);
            }
        }
        if total.is_some_and(|total| total < shown.len() as u64) {
            let message = format!("the answer to `{request}` counts fewer sessions than it shows");
            return Err(Error::bad_answer(message));
        }
        if !new.is_empty() {
            let list = format!("{{\"sessions\":[{}]}}", new.join(","));
            self.rows.decode_text(&request, &list, "sessions")?;
        }
        let slack_us = self.searcher.settings.clock_slack_us;
        let counted_before = date.map(|date| Timestamp(date.0 - date.0 % SECOND_US) - slack_us);
        Ok(Asked { criteria, total, shown, n_records, counted_before })
    }

    /// Splits a search until it is whole, nothing is left to split by, or no more may be sent.
    fn split(&mut self, root: &Asked, asked: &Asked) -> Result<()> {
        for field in SPLITS {
            if asked.criteria.has(field) {
                continue;
            }
            let mut tried = HashSet::new();
            while !self.is_whole(asked)
                && !self.is_whole(root)
                && let Some(value) = self.next_value(asked, field, &tried)
            {
                let Some(n_left) = self.searcher.n_splits_left.checked_sub(1) else {
                    return Ok(());
                };
                self.searcher.n_splits_left = n_left;
                let part = self.ask(asked.criteria.with(field, &value))?;
                tried.insert(value);
                self.split(root, &part)?;
            }
        }
        Ok(())
    }

    /// Returns a value of a field that a search was not yet split by.
    fn next_value(&self, asked: &Asked, field: Field, tried: &HashSet<String>) -> Option<String> {
        let is_new = |value: &&str| is_plain(value) && !tried.contains(*value);
        if field == Field::IsImpersonating {
            return ["true", "false"].into_iter().find(is_new).map(str::to_owned);
        }
        // What a server that ignores case shows may lead to more of it.
        let inside = self.seen.iter().filter(|session| asked.criteria.hold(session, true));
        inside.filter_map(|session| session.get(field)).find(is_new).map(str::to_owned)
    }

    /// Tells whether all sessions of a search were seen.
    fn is_whole(&self, asked: &Asked) -> bool {
        match asked.total {
            None => asked.n_records < CAP,
            Some(total) if self.is_true(asked) => {
                total == asked.shown.len() as u64 || total == self.n_counted(asked) as u64
            }
            Some(_) => false,
        }
    }

    /// Tells whether a total is what it says: one of 28 may mean more.
    fn is_true(&self, asked: &Asked) -> bool {
        let is_proven = self.searcher.settings.total_is_true || self.searcher.known.total;
        is_proven || asked.total.is_some_and(|total| total != CAP as u64)
    }

    /// Returns how many of the sessions that the server counted were seen: those that it showed, and
    /// of all others those that match to the letter and were there. What it matches and we do not is
    /// left out, so that this is never too many.
    fn n_counted(&self, asked: &Asked) -> usize {
        let was_there = |session: &&Session| {
            let created_before = asked.counted_before.zip(session.created);
            created_before.is_some_and(|(before, created)| created < before)
        };
        let others = self.seen.iter().filter(|session| !asked.shown.contains(&session.id));
        let inside = others.filter(|session| asked.criteria.hold(session, false));
        asked.shown.len() + inside.filter(was_there).count()
    }
}

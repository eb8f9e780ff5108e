//! Tells whether a session can have moved to another page while pages were read.
//! In: records, in the order of their pages. Out: whether every session that may have was seen.
//!
//! How pages are sorted is not documented. If it is by activity, the latest first, then a session in
//! which something happens moves to the first page, which was read already. So the first page is
//! read once more at the end. It has all that moved if it reaches down to a session that cannot have
//! moved, for it had ended before the scan began.

use serde::Deserialize;
use serde_json::Value;
use sessionql_plugin_sdk::message::Request;
use sessionql_plugin_sdk::{Timestamp, WireError, plans};

use crate::options::Settings;

/// What must be known of a record to tell where its page ends and what may move.
#[derive(Debug, Deserialize)]
pub(crate) struct Brief {
    #[serde(default)]
    pub(crate) id: Value,
    #[serde(default, rename = "sessionStatus")]
    status: Value,
    #[serde(default, rename = "startTime")]
    start: Value,
    #[serde(default, rename = "endTime")]
    end: Value,
}

/// What the records so far tell of their order.
#[derive(Debug)]
pub(crate) struct Order {
    /// Whether the user says that it is that of starts, which never change.
    is_stable: bool,
    /// What ended before then had ended when the scan began.
    settled_before: Timestamp,
    /// How far apart two sessions must lie to be sorted as their times say.
    margin_us: i64,
    latest_start: Option<Timestamp>,
    earliest_end: Option<Timestamp>,
    is_newest_first: bool,
    is_oldest_first: bool,
}

impl Order {
    /// Begins a scan. Of two times, each may lie `slack` outside of its session.
    pub(crate) fn new(settings: &Settings, request: &Request) -> Result<Self, WireError> {
        let clock = plans::clock(request)?;
        let margin_us = settings.slack_us.saturating_mul(2);
        Ok(Self {
            is_stable: settings.filters_on_start,
            settled_before: clock - margin_us,
            margin_us,
            latest_start: None,
            earliest_end: None,
            is_newest_first: false,
            is_oldest_first: false,
        })
    }

    /// Takes the next record that no page had before. Whichever of its times it is sorted by, that
    /// lies between its start and its end; those of a session that has settled never change.
    pub(crate) fn take(&mut self, record: &Brief) {
        let ended = self.settled(record);
        let start = instant(&record.start);
        self.is_newest_first |= self.lies_before(ended, self.latest_start);
        self.is_oldest_first |= self.lies_before(self.earliest_end, start);
        self.latest_start = self.latest_start.max(start);
        self.earliest_end = self.earliest_end.into_iter().chain(ended).min();
    }

    fn lies_before(&self, one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
        one.zip(other).is_some_and(|(one, other)| one < other - self.margin_us)
    }

    /// Returns when a session ended, if it had before the scan began.
    fn settled(&self, record: &Brief) -> Option<Timestamp> {
        let is_completed =
            record.status.as_str().is_some_and(|status| status.eq_ignore_ascii_case("completed"));
        instant(&record.end).filter(|end| is_completed && *end < self.settled_before)
    }

    /// Tells whether sessions stay where they are.
    pub(crate) fn is_stable(&self) -> bool {
        self.is_stable
    }

    /// Tells whether what moves moves to the first page.
    pub(crate) fn is_newest_first(&self) -> bool {
        self.is_newest_first && !self.is_oldest_first
    }

    /// Tells whether a first page that was read at the end has all that moved meanwhile.
    pub(crate) fn has_all_moved(&self, first_page: &[Brief]) -> bool {
        first_page.iter().any(|record| self.settled(record).is_some())
    }
}

fn instant(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(Timestamp::parse)
}

//! The sessions that the emulator holds, and the order that pages show them in.
//! In: records, and for a page its bounds and a place to go on from. Out: records and whether more follow.
//! Nothing is remembered about scans: a page shows the records as they are when it is asked for.

use chrono::{DateTime, SubsecRound as _, Utc};

use super::message::Listing;
use super::session::SessionRecord;
use super::switches::{Switches, Timestamp};

/// The place of a row in the order: its time there, then its id.
pub(super) type Place = (DateTime<Utc>, String);

/// The rows of one page.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) rows: Vec<&'a SessionRecord>,
    /// The last row's place, if there is a row.
    pub(super) last: Option<Place>,
    /// Whether rows follow.
    pub(super) has_more: bool,
}

/// The records, by no order.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: Vec<SessionRecord>,
}

impl Store {
    /// Replaces all records; of several with one id, the last counts.
    pub(super) fn replace(&mut self, records: Vec<SessionRecord>) {
        self.records.clear();
        let mut at = std::collections::HashMap::new();
        for record in records {
            match at.get(&record.id) {
                Some(&position) => self.records[position] = record,
                None => {
                    at.insert(record.id.clone(), self.records.len());
                    self.records.push(record);
                }
            }
        }
    }

    /// Returns all records.
    pub(super) fn records(&self) -> &[SessionRecord] {
        &self.records
    }

    /// Returns the record with an id.
    pub(super) fn get(&self, id: &str) -> Option<&SessionRecord> {
        self.records.iter().find(|record| record.id == id)
    }

    /// Adds a record, or replaces the one with its id.
    pub(super) fn upsert(&mut self, record: SessionRecord) {
        match self.records.iter_mut().find(|known| known.id == record.id) {
            Some(known) => *known = record,
            None => self.records.push(record),
        }
    }

    /// Returns the place of the record with an id.
    pub(super) fn place(&self, id: &str, switches: &Switches, now: DateTime<Utc>) -> Option<Place> {
        self.get(id).map(|record| place(record, switches, now))
    }

    /// Returns a page: `n_repeated` rows up to `after`, then up to `n_new` rows behind it.
    pub(super) fn page(
        &self,
        listing: &Listing,
        switches: &Switches,
        now: DateTime<Utc>,
        after: Option<&Place>,
        (n_new, n_repeated): (usize, usize),
    ) -> Page<'_> {
        let oldest = switches.history.map(|history| now - history);
        let mut rows: Vec<(Place, &SessionRecord)> = self
            .records
            .iter()
            .filter(|record| oldest.is_none_or(|oldest| record.start.is_none_or(|at| at >= oldest)))
            .map(|record| (place(record, switches, now), record))
            .filter(|((time, _), _)| is_inside(*time, listing, switches))
            .collect();
        rows.sort_by(|(one, _), (other, _)| match switches.oldest_first {
            true => one.cmp(other),
            false => other.cmp(one),
        });
        let is_behind = |place: &Place| {
            after.is_none_or(|after| match switches.oldest_first {
                true => place > after,
                false => place < after,
            })
        };
        let begin = rows.partition_point(|(place, _)| !is_behind(place));
        let end = rows.len().min(begin + n_new);
        let shown = &rows[begin.saturating_sub(n_repeated)..end];
        Page {
            rows: shown.iter().map(|(_, record)| *record).collect(),
            last: rows[begin..end].last().map(|(place, _)| place.clone()),
            has_more: end < rows.len(),
        }
    }
}

fn place(record: &SessionRecord, switches: &Switches, now: DateTime<Utc>) -> Place {
    let start = record.start.unwrap_or(record.last_event);
    let time = match switches.timestamp {
        Timestamp::Start => start,
        Timestamp::LastEvent => record.last_event,
        Timestamp::End => record.end.unwrap_or(now),
    };
    (time + switches.skew, record.id.clone())
}

fn is_inside(time: DateTime<Utc>, listing: &Listing, switches: &Switches) -> bool {
    let cut =
        |time: DateTime<Utc>| if switches.whole_seconds { time.trunc_subsecs(0) } else { time };
    let time = cut(time);
    let is_after = |start| if switches.start_is_exclusive { time > start } else { time >= start };
    let is_before = |end| if switches.end_is_inclusive { time <= end } else { time < end };
    listing.start.map(cut).is_none_or(is_after) && listing.end.map(cut).is_none_or(is_before)
}

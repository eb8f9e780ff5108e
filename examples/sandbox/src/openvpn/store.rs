//! The records that the emulator holds, in the order of their creation.
//! In: records, and for a page a `Filter`, an order and a place to go on from. Out: rows as JSON and whether more follow.
//! Called by `mod.rs` to change the truth and by `serve.rs` to read pages of it.
//! Nothing is remembered about scans: a page shows the records as they are when it is asked for.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::ApiVersion;
use super::session::{SessionRecord, Status};
use super::switches::{PageOrder, Switches, Updated};

/// The place of a row in an order: its time there, then its id.
pub(super) type Place = (DateTime<Utc>, String);

/// What a request asks for, with all defaults filled in.
#[derive(Clone, Debug, Hash)]
pub(super) struct Filter {
    /// The window's inclusive start.
    pub(super) start: DateTime<Utc>,
    /// The window's exclusive end.
    pub(super) end: Option<DateTime<Utc>>,
    /// Whether only creation counts.
    pub(super) only_new: bool,
    /// Which states are wanted.
    pub(super) status: StatusFilter,
}

/// Which states are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum StatusFilter {
    /// All.
    Any,
    /// One.
    Only(Status),
    /// None of those that exist.
    Nothing,
}

/// The rows of one page.
#[derive(Debug)]
pub(super) struct Page {
    /// Each row's JSON.
    pub(super) rows: Vec<String>,
    /// The last row's place, if there is a row.
    pub(super) last: Option<Place>,
    /// Whether rows follow.
    pub(super) has_more: bool,
}

#[derive(Debug)]
struct Row {
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    record: Box<SessionRecord>,
    /// The JSON of the beta and of version 1, once it has been asked for.
    json: [Option<Box<str>>; 2],
}

impl Row {
    fn new(record: SessionRecord) -> Self {
        let (created_at, updated_at) = (record.created_at, record.updated_at);
        Self { created_at, updated_at, record: Box::new(record), json: [None, None] }
    }

    fn key(&self) -> (DateTime<Utc>, &str) {
        (self.created_at, &self.record.id)
    }
}

/// The records.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// Sorted by `Row::key`.
    rows: Vec<Row>,
    /// Of each id, when its record was created.
    created: HashMap<String, DateTime<Utc>>,
    /// Positions in `rows`, sorted by update; made when an order needs it.
    by_update: Option<Vec<usize>>,
}

impl Store {
    /// Replaces all records; of several with one id, the last counts.
    pub(super) fn replace(&mut self, records: Vec<SessionRecord>) {
        let mut latest: HashMap<String, SessionRecord> = HashMap::with_capacity(records.len());
        for record in records {
            latest.insert(record.id.clone(), record);
        }
        self.rows = latest.into_values().map(Row::new).collect();
        self.rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
        self.created =
            self.rows.iter().map(|row| (row.record.id.clone(), row.created_at)).collect();
        self.by_update = None;
    }

    /// Adds a record, or replaces the one with its id.
    pub(super) fn upsert(&mut self, record: SessionRecord) {
        self.remove(&record.id);
        let key = (record.created_at, record.id.as_str());
        let position = self.rows.partition_point(|row| row.key() < key);
        self.created.insert(record.id.clone(), record.created_at);
        self.rows.insert(position, Row::new(record));
    }

    /// Removes a record and returns it, if there is one with this id.
    pub(super) fn remove(&mut self, id: &str) -> Option<SessionRecord> {
        self.by_update = None;
        let created_at = self.created.remove(id)?;
        let position = self.rows.binary_search_by(|row| row.key().cmp(&(created_at, id))).ok()?;
        Some(*self.rows.remove(position).record)
    }

    /// Returns the record with an id.
    pub(super) fn get(&self, id: &str) -> Option<&SessionRecord> {
        let key = (*self.created.get(id)?, id);
        let position = self.rows.binary_search_by(|row| row.key().cmp(&key)).ok()?;
        Some(&self.rows[position].record)
    }

    /// Returns all records in the order of their creation.
    pub(super) fn records(&self) -> Vec<SessionRecord> {
        self.rows.iter().map(|row| (*row.record).clone()).collect()
    }

    /// Forgets the JSON of all records, because a switch changed it.
    pub(super) fn forget_json(&mut self) {
        for row in &mut self.rows {
            row.json = [None, None];
        }
    }

    /// Returns the next `n_rows` rows after a place, preceded by up to `n_repeated` rows before it.
    pub(super) fn page(
        &mut self,
        reading: &Reading<'_>,
        after: Option<&Place>,
        n_rows: usize,
        n_repeated: usize,
    ) -> Page {
        let order = reading.switches.page_order;
        let (mut positions, has_more) = self.find(reading, after, n_rows, false);
        let last = positions.last().map(|position| self.place(order, *position));
        if let Some(place) = after.filter(|_| n_repeated > 0) {
            let (mut before, _) = self.find(reading, Some(place), n_repeated, true);
            before.reverse();
            before.append(&mut positions);
            positions = before;
        }
        let rows = positions.into_iter().map(|position| self.json(position, reading)).collect();
        Page { rows, last, has_more }
    }

    /// Finds up to `n_rows` matching positions after a place, or from it on backwards, and whether more follow.
    fn find(
        &mut self,
        reading: &Reading<'_>,
        from: Option<&Place>,
        n_rows: usize,
        is_backwards: bool,
    ) -> (Vec<usize>, bool) {
        let order = reading.switches.page_order;
        self.sort_for(order);
        let is_descending = order == PageOrder::CreatedDescending;
        // In ascending order the place itself lies below the border, in descending order above it: behind the reader.
        let border = from.map(|(time, id)| {
            let key = (*time, id.as_str());
            self.sorted_partition(order, |row_key| {
                row_key < key || (!is_descending && row_key == key)
            })
        });
        let (mut low, mut high) = (0, self.rows.len());
        if is_descending == is_backwards {
            low = border.unwrap_or(low);
        } else {
            high = border.unwrap_or(high);
        }
        if reading.filter.only_new && order != PageOrder::UpdatedAscending {
            let skew = reading.switches.record_skew;
            let since = reading.filter.start - skew;
            low = low.max(self.rows.partition_point(|row| row.created_at < since));
            if let Some(end) = reading.filter.end {
                high = high.min(self.rows.partition_point(|row| row.created_at < end - skew));
            }
        }
        let sorted = low..high.max(low);
        let matching = |sorted: usize| {
            let position = self.position(order, sorted);
            reading.matches(&self.rows[position]).then_some(position)
        };
        let mut found: Vec<usize> = if is_descending == is_backwards {
            sorted.filter_map(matching).take(n_rows + 1).collect()
        } else {
            sorted.rev().filter_map(matching).take(n_rows + 1).collect()
        };
        let has_more = found.len() > n_rows;
        found.truncate(n_rows);
        (found, has_more)
    }

    fn sort_for(&mut self, order: PageOrder) {
        if order == PageOrder::UpdatedAscending && self.by_update.is_none() {
            let mut positions: Vec<usize> = (0..self.rows.len()).collect();
            positions.sort_unstable_by(|a, b| self.key(order, *a).cmp(&self.key(order, *b)));
            self.by_update = Some(positions);
        }
    }

    /// Returns how many rows at the beginning of the sorted order satisfy `is_before`.
    fn sorted_partition(
        &self,
        order: PageOrder,
        is_before: impl Fn((DateTime<Utc>, &str)) -> bool,
    ) -> usize {
        match (&self.by_update, order) {
            (Some(positions), PageOrder::UpdatedAscending) => {
                positions.partition_point(|position| is_before(self.key(order, *position)))
            }
            _ => self.rows.partition_point(|row| is_before(row.key())),
        }
    }

    /// Returns the position in `rows` of the row that is so far on in the sorted order.
    fn position(&self, order: PageOrder, sorted: usize) -> usize {
        match (&self.by_update, order) {
            (Some(positions), PageOrder::UpdatedAscending) => positions[sorted],
            _ => sorted,
        }
    }

    fn key(&self, order: PageOrder, position: usize) -> (DateTime<Utc>, &str) {
        let row = &self.rows[position];
        match order {
            PageOrder::UpdatedAscending => (row.updated_at, &row.record.id),
            PageOrder::CreatedAscending | PageOrder::CreatedDescending => row.key(),
        }
    }

    fn place(&self, order: PageOrder, position: usize) -> Place {
        let (time, id) = self.key(order, position);
        (time, id.to_owned())
    }

    fn json(&mut self, position: usize, reading: &Reading<'_>) -> String {
        let Row { record, json, .. } = &mut self.rows[position];
        let kept = &mut json[reading.version as usize];
        let text =
            kept.get_or_insert_with(|| record.write_json(reading.version, reading.switches).into());
        text.to_string()
    }
}

/// How one request reads the records.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// What it asks for.
    pub(super) filter: &'a Filter,
    /// What nobody states.
    pub(super) switches: &'a Switches,
    /// Which fields it gets to see.
    pub(super) version: ApiVersion,
    /// The time of the request.
    pub(super) now: DateTime<Utc>,
}

impl Reading<'_> {
    fn matches(&self, row: &Row) -> bool {
        let (filter, skew) = (self.filter, self.switches.record_skew);
        let status = row.record.status;
        let is_wanted = match filter.status {
            StatusFilter::Any => true,
            StatusFilter::Only(only) => status == only,
            StatusFilter::Nothing => false,
        };
        if !is_wanted {
            return false;
        }
        let created_at = row.created_at + skew;
        if filter.only_new {
            return self.covers(created_at);
        }
        let is_touched_now = self.switches.active_counts_as_updated && status == Status::Active;
        let just_now = self.now - TimeDelta::milliseconds(1);
        let updated_at = if is_touched_now { just_now } else { row.updated_at + skew };
        let is_last_inside = self.covers(updated_at);
        match self.switches.updated {
            Updated::LastOnly => is_last_inside,
            Updated::CreatedOrLast => is_last_inside || self.covers(created_at),
            Updated::Any => {
                let runs_through = is_touched_now
                    && updated_at >= filter.start
                    && filter.end.is_none_or(|end| created_at < end);
                is_last_inside
                    || runs_through
                    || self.covers(created_at)
                    || self.any_earlier(row, skew)
            }
        }
    }

    fn any_earlier(&self, row: &Row, skew: TimeDelta) -> bool {
        row.record.earlier_updates.iter().any(|earlier| self.covers(*earlier + skew))
    }

    fn covers(&self, instant: DateTime<Utc>) -> bool {
        instant >= self.filter.start && self.filter.end.is_none_or(|end| instant < end)
    }
}

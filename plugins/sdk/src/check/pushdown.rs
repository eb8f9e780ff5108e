//! Rules on the truth of verdicts: rows that a filter lets through come, whoever decides it.
//! In: the rows of an unfiltered scan, and filters made from their values. Each filter is sent with
//! all columns and with the key alone, because a plugin may answer the two differently; the rows
//! that come are held against those of the unfiltered scan that pass the filter here.

use std::collections::HashSet;

use serde_json::Value;
use sessionql_plugin_abi::message::{Filter, Request, Table, Verdict};

use super::call::{Opened, Read};
use super::schema::{each_table, key_of};
use super::subject::{Answers, Data};
use super::truth::{passes, shown};
use super::{Rule, Seen, Subject, Sum, Unkept, candidates};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "pushdown/one-filter",
        text: "with a filter come all rows that pass it, and with the verdict `exact` no others",
        look: one_filter,
    },
    Rule {
        id: "pushdown/two-filters",
        text: "the same holds for two filters at once",
        look: two_filters,
    },
    Rule {
        id: "pushdown/limit",
        text: "a limit is a hint for the size of pages; only the host ends a scan",
        look: limit,
    },
];

/// The records that filters are tried on.
const MANY: Data = Data { n_records: 24, page_rows: 7 };

/// Pairs of filters that are tried.
const MOST_PAIRS: usize = 60;

/// Filters of one kind on one column that are tried on a running API.
const MOST_LIVE: usize = 2;

/// A table's rows without a filter.
struct Base<'a> {
    subject: &'a Subject,
    opened: &'a Opened,
    table: &'a Table,
    answers: Answers,
    all: Read,
    /// Whether no row but these can come.
    is_closed: bool,
}

impl<'a> Base<'a> {
    fn read(subject: &'a Subject, opened: &'a Opened, table: &'a Table) -> Result<Self, Unkept> {
        let answers = subject.answers(MANY);
        let mut all = opened.read_well(&opened.whole(table), &answers)?;
        if all.rows.is_empty() {
            return Err(Unkept::needs(format!("rows in table `{}`", table.name)));
        }
        let is_closed = !subject.is_live() && !all.is_partial && all.gaps.is_empty();
        // As the host does: the first copy is the row.
        let mut known = HashSet::new();
        all.rows.retain(|row| known.insert(key_of(table, row)));
        Ok(Self { subject, opened, table, answers, all, is_closed })
    }

    /// Returns the groups of filters to try.
    fn filters(&self) -> Vec<Vec<Filter>> {
        let mut groups = candidates::filters(self.table, &self.all.rows);
        if self.subject.is_live() {
            groups.iter_mut().for_each(|group| group.truncate(MOST_LIVE));
        }
        groups
    }

    /// Tries filters: with all columns, and with the key alone.
    fn try_out(&self, filters: &[Filter]) -> Seen {
        let text = filters.iter().map(shown).collect::<Vec<_>>().join(" AND ");
        let about = |fault: String| {
            Unkept::broken(format!("table `{}`: with `{text}` {fault}", self.table.name))
        };
        let mut request = self.opened.whole(self.table);
        request.filters = filters.to_vec();
        let read = self.opened.read_well(&request, &self.answers)?;
        if let Some(fault) = self.fault(filters, &read) {
            return Err(about(fault));
        }
        if self.table.primary_key.is_empty() {
            return Ok(());
        }
        let key = self.table.primary_key.clone();
        let request = Request { columns: key, ..request };
        let read = self.opened.read_well(&request, &self.answers)?;
        match self.key_fault(filters, &read) {
            None => Ok(()),
            Some(fault) => Err(about(format!("and the key alone {fault}"))),
        }
    }

    /// Returns what is wrong with the rows that came with all columns.
    fn fault(&self, filters: &[Filter], read: &Read) -> Option<String> {
        for (filter, verdict) in filters.iter().zip(&read.verdicts) {
            let fails = |row: &&Vec<Value>| !passes(filter, self.table, row);
            if *verdict == Verdict::Exact
                && let Some(row) = read.rows.iter().find(fails)
            {
                let (filter, key) = (shown(filter), key_of(self.table, row));
                return Some(format!(
                    "the verdict on `{filter}` is exact, and the row {key} came, which does not pass"
                ));
            }
        }
        let came: HashSet<String> = read.rows.iter().map(|row| key_of(self.table, row)).collect();
        if let Some(fault) =
            self.missing(filters, read, |row| came.contains(&key_of(self.table, row)))
        {
            return Some(fault);
        }
        for row in read.rows.iter().filter(|_| self.is_closed) {
            let key = key_of(self.table, row);
            let Some(base) = self.all.rows.iter().find(|base| key_of(self.table, base) == key)
            else {
                return Some(format!("the row {key} came, which an unfiltered scan does not have"));
            };
            let differs = |(a, b): &(&Value, &Value)| a != b;
            if let Some(idx) = base.iter().zip(row).position(|pair| differs(&pair)) {
                let (name, was, is) = (&self.table.columns[idx].name, &base[idx], &row[idx]);
                return Some(format!("`{name}` of the row {key} is {is}, without a filter {was}"));
            }
        }
        None
    }

    /// Returns what is wrong with the keys that came.
    fn key_fault(&self, filters: &[Filter], read: &Read) -> Option<String> {
        let came: HashSet<String> =
            read.rows.iter().map(|row| Value::from(row.clone()).to_string()).collect();
        let key = |row: &Vec<Value>| {
            let place =
                |name: &String| self.table.columns.iter().position(|column| column.name == *name);
            let cells = self.table.primary_key.iter().filter_map(place).map(|idx| row[idx].clone());
            Value::from(cells.collect::<Vec<_>>()).to_string()
        };
        for (filter, verdict) in filters.iter().zip(&read.verdicts) {
            let is_wrong =
                |row: &&Vec<Value>| !passes(filter, self.table, row) && came.contains(&key(row));
            if *verdict == Verdict::Exact
                && !self.subject.is_live()
                && let Some(row) = self.all.rows.iter().find(is_wrong)
            {
                let (filter, key) = (shown(filter), key(row));
                return Some(format!(
                    "the verdict on `{filter}` is exact, and the row {key} came, which does not pass"
                ));
            }
        }
        self.missing(filters, read, |row| came.contains(&key(row)))
    }

    /// Returns which row did not come that passes, unless the plugin says that some are missing.
    fn missing(
        &self,
        filters: &[Filter],
        read: &Read,
        came: impl Fn(&Vec<Value>) -> bool,
    ) -> Option<String> {
        if read.is_partial || !read.gaps.is_empty() {
            return None;
        }
        let passes =
            |row: &&Vec<Value>| filters.iter().all(|filter| passes(filter, self.table, row));
        let row = self.all.rows.iter().filter(passes).find(|row| !came(row))?;
        Some(format!("the row {} did not come, which passes", key_of(self.table, row)))
    }
}

fn one_filter(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        if candidates::filters(table, &[]).is_empty() {
            return Ok(());
        }
        let base = Base::read(subject, opened, table)?;
        let mut sum = Sum::default();
        for filter in base.filters().into_iter().flatten() {
            sum.add(base.try_out(&[filter]));
        }
        sum.end()
    })
}

fn two_filters(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        if candidates::filters(table, &[]).len() < 2 {
            return Ok(());
        }
        let base = Base::read(subject, opened, table)?;
        let is_kept = |filter: &Filter| base.try_out(std::slice::from_ref(filter)).is_ok();
        let mut groups = base.filters();
        // One that is answered wrongly by itself is told of by the rule above.
        groups.iter_mut().for_each(|group| {
            group.truncate(3);
            group.retain(is_kept);
        });
        let mut sum = Sum::default();
        let mut n_pairs = 0;
        for (idx, group) in groups.iter().enumerate() {
            for other in &groups[idx + 1..] {
                for (one, other) in group.iter().zip(other) {
                    let is_too_much =
                        n_pairs >= if subject.is_live() { MOST_LIVE } else { MOST_PAIRS };
                    if !is_too_much {
                        n_pairs += 1;
                        sum.add(base.try_out(&[one.clone(), other.clone()]));
                    }
                }
            }
        }
        sum.end()
    })
}

fn limit(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let base = Base::read(subject, opened, table)?;
        let request = Request { limit: Some(1), ..opened.whole(table) };
        let read = opened.read_well(&request, &base.answers)?;
        let came: HashSet<String> = read.rows.iter().map(|row| key_of(table, row)).collect();
        let (n_came, n_all) = (came.len(), base.all.rows.len());
        if n_came < n_all && !read.is_partial && read.gaps.is_empty() {
            let table = &table.name;
            let seen = format!(
                "table `{table}`: with a limit of 1 the scan ended after {n_came} of {n_all} rows though nobody stopped it"
            );
            return Err(Unkept::broken(seen));
        }
        Ok(())
    })
}

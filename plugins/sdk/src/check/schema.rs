//! Rules on scans and rows: a call ends as the contract says, and batches are as declared.

use std::collections::HashSet;

use arrow_array::Array as _;
use serde_json::{Value, json};
use sessionql_plugin_abi::message::{Request, Table};

use super::call::{self, NEEDS_API, Opened};
use super::ran::{Acts, Ran};
use super::subject::{Data, Told};
use super::{Rule, Seen, Subject, Sum, Unkept};
use crate::time::Timestamp;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "scan/contract",
        text: "a scan sends declared requests only, ends with a known code, and replies once",
        look: contract,
    },
    Rule {
        id: "schema/batches",
        text: "batches have the columns that were asked for, in order, of the declared types",
        look: batches,
    },
    Rule {
        id: "scan/whole",
        text: "an unfiltered scan of an API that answers ends with a report",
        look: whole,
    },
    Rule {
        id: "schema/projection",
        text: "a value is the same whichever other columns are asked for, and no column counts rows",
        look: projection,
    },
    Rule { id: "schema/nulls", text: "a column that is declared never NULL never is", look: nulls },
    Rule {
        id: "schema/key",
        text: "no primary key comes twice in a scan unless the manifest says so",
        look: key,
    },
    Rule {
        id: "schema/open-sessions",
        text: "a session without an end is not over, and one that is `ACTIVE` has no end",
        look: open_sessions,
    },
    Rule {
        id: "schema/lifetimes",
        text: "a session does not end before it begins",
        look: lifetimes,
    },
];

/// Records that most rules read.
pub(super) const SOME: Data = Data { n_records: 12, page_rows: 5 };

/// Looks at each table of a connection.
pub(super) fn each_table(subject: &Subject, mut look: impl FnMut(&Opened, &Table) -> Seen) -> Seen {
    let opened = call::open(subject)?;
    let mut sum = Sum::default();
    for table in opened.tables() {
        sum.add(look(&opened, table));
    }
    sum.end()
}

/// Scans all slices of a request, and hands each to a judge.
fn scans(
    subject: &Subject,
    opened: &Opened,
    request: &Request,
    mut judge: impl FnMut(&Ran),
) -> Seen {
    let answers = subject.answers(SOME);
    let mut needs_api = false;
    for slice in &opened.plan(request)?.slices {
        let acts = Acts::answering(|n_sent, sent| match subject.is_live() && n_sent >= 3 {
            true => Told::Cancelled,
            false => answers(sent),
        });
        let ran = opened.scan(request, slice, acts);
        needs_api |= !subject.has_api() && !ran.requests.is_empty();
        judge(&ran);
    }
    if needs_api { Err(Unkept::needs(NEEDS_API)) } else { Ok(()) }
}

fn contract(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let mut sum = Sum::default();
        // Without an API there is still the end of a scan whose first request fails.
        let _needs_no_rows = scans(subject, opened, &opened.whole(table), |ran| {
            for breach in ran.breaches() {
                sum.see(format!("a scan of table `{}`: {breach}", table.name));
            }
        });
        sum.end()
    })
}

fn batches(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let mut sum = Sum::default();
        let names = || table.columns.iter().map(|column| column.name.as_str());
        for columns in [names().collect::<Vec<_>>(), names().rev().collect(), Vec::new()] {
            let request = opened.request(table, columns);
            let mut faults = Vec::new();
            sum.add(scans(subject, opened, &request, |ran| {
                faults.extend(ran.batch_faults(&request, table));
            }));
            for fault in faults {
                sum.see(format!("table `{}`: {fault}", table.name));
            }
        }
        sum.end()
    })
}

fn whole(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let read = opened.read(&opened.whole(table), &subject.answers(SOME))?;
        match read.failure {
            None => Ok(()),
            Some(errors) => {
                let (table, said) = (&table.name, call::said(&errors));
                Err(Unkept::broken(format!("a scan of table `{table}` fails: {said}")))
            }
        }
    })
}

/// Rows for comparison, whatever their order.
pub(super) fn sorted(rows: &[Vec<Value>]) -> Vec<String> {
    let mut rows: Vec<String> = rows.iter().map(|row| json!(row).to_string()).collect();
    rows.sort();
    rows
}

fn projection(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let answers = subject.answers(SOME);
        let all = opened.read_well(&opened.whole(table), &answers)?;
        let mut sum = Sum::default();
        for (idx, column) in table.columns.iter().enumerate() {
            let name = column.name.as_str();
            let one = opened.read_well(&opened.request(table, [name]), &answers)?;
            let expected: Vec<Vec<Value>> =
                all.rows.iter().map(|row| row.get(idx).cloned().into_iter().collect()).collect();
            if sorted(&one.rows) != sorted(&expected) {
                let (n_one, n_all) = (one.rows.len(), all.rows.len());
                let table = &table.name;
                sum.see(format!(
                    "table `{table}`: `{name}` asked for alone has other values ({n_one} rows) than beside all columns ({n_all} rows)"
                ));
            }
        }
        let request = opened.request(table, []);
        let mut n_counted = 0;
        sum.add(scans(subject, opened, &request, |ran| {
            n_counted += ran.batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>();
        }));
        if !all.is_partial && !subject.is_live() && n_counted != all.rows.len() {
            let (table, n_all) = (&table.name, all.rows.len());
            sum.see(format!(
                "table `{table}`: without columns {n_counted} rows are counted, with all {n_all}"
            ));
        }
        sum.end()
    })
}

fn nulls(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let request = opened.whole(table);
        opened.read_well(&request, &subject.answers(SOME))?;
        let mut sum = Sum::default();
        let mut faults = Vec::new();
        sum.add(scans(subject, opened, &request, |ran| {
            for batch in &ran.batches {
                for (column, array) in table.columns.iter().zip(batch.columns()) {
                    if !column.nullable && array.null_count() > 0 {
                        let (name, n_nulls) = (&column.name, array.null_count());
                        faults.push(format!(
                            "column `{name}` of table `{}` has {n_nulls} NULLs, declared is none",
                            table.name
                        ));
                    }
                }
            }
        }));
        faults.into_iter().for_each(|fault| sum.see(fault));
        sum.end()
    })
}

/// Returns the key of a row: its primary key's values, or all if there is none.
pub(super) fn key_of(table: &Table, row: &[Value]) -> String {
    let is_in = |name: &str| {
        table.primary_key.is_empty() || table.primary_key.iter().any(|key| key == name)
    };
    let cells = table.columns.iter().zip(row).filter(|(column, _)| is_in(&column.name));
    json!(cells.map(|(_, cell)| cell).collect::<Vec<_>>()).to_string()
}

fn key(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        if table.primary_key.is_empty() || table.has_duplicates {
            return Ok(());
        }
        let read = opened.read_well(&opened.whole(table), &subject.answers(SOME))?;
        let mut known = HashSet::new();
        let twice =
            read.rows.iter().map(|row| key_of(table, row)).find(|key| !known.insert(key.clone()));
        match twice {
            None => Ok(()),
            Some(key) => {
                let table = &table.name;
                Err(Unkept::broken(format!("table `{table}`: the key {key} came more than once")))
            }
        }
    })
}

/// The cells of a session that tell whether it is over.
struct Life<'a> {
    key: String,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    status: Option<&'a str>,
}

/// Looks at each row that is a session.
fn each_life(subject: &Subject, mut fault: impl FnMut(&Life<'_>) -> Option<String>) -> Seen {
    each_table(subject, |opened, table| {
        let Some(time) = &table.time else { return Ok(()) };
        let read = opened.read_well(&opened.whole(table), &subject.answers(SOME))?;
        let place = |name: &str| table.columns.iter().position(|column| column.name == name);
        let (start, end, status) = (place(&time.start), place(&time.end), place("status"));
        let mut sum = Sum::default();
        for row in &read.rows {
            let text =
                |idx: Option<usize>| idx.and_then(|idx| row.get(idx)).and_then(Value::as_str);
            let life = Life {
                key: key_of(table, row),
                start: text(start).and_then(Timestamp::parse),
                end: text(end).and_then(Timestamp::parse),
                status: text(status),
            };
            if let Some(fault) = fault(&life) {
                sum.see(format!("table `{}`: the session {} {fault}", table.name, life.key));
            }
        }
        sum.end()
    })
}

fn open_sessions(subject: &Subject) -> Seen {
    each_life(subject, |life| match (life.end, life.status) {
        (None, Some(status @ ("COMPLETED" | "FAILED"))) => {
            Some(format!("has the status `{status}` and no end, which means that it is open"))
        }
        (Some(_), Some("ACTIVE")) => Some("has the status `ACTIVE` and an end".to_owned()),
        _ => None,
    })
}

fn lifetimes(subject: &Subject) -> Seen {
    each_life(subject, |life| match (life.start, life.end) {
        (Some(start), Some(end)) if end < start => {
            let (start, end) = (start.to_rfc3339(), end.to_rfc3339());
            Some(format!("begins at {start} and ends at {end}"))
        }
        _ => None,
    })
}

//! Rules on scans that the host ends: because the consumer has enough, or because it is gone.

use sessionql_plugin_abi::ffi;
use sessionql_plugin_abi::message::Table;

use super::call::{NEEDS_API, Opened};
use super::concurrency::within_a_second;
use super::ran::{Acts, Ran};
use super::schema::each_table;
use super::subject::{Data, Told};
use super::{Rule, Seen, Subject, Sum, Unkept};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "ends/stop",
        text: "after `stop` a scan ends within a second, well, and sends and emits nothing more",
        look: stop,
    },
    Rule {
        id: "ends/cancel-request",
        text: "a scan whose request is answered `cancelled` ends within a second, not as a failure",
        look: cancel_request,
    },
    Rule {
        id: "ends/cancel-rows",
        text: "a scan whose rows are answered `cancelled` ends within a second, not as a failure",
        look: cancel_rows,
    },
];

/// The API of these rules: more pages than are read.
const DATA: Data = Data { n_records: 20, page_rows: 4 };

/// Where the host ends a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// At a request, counted from 0.
    Request(usize),
    /// At the first rows, with this answer.
    Rows(i32),
}

fn stop(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| end(subject, opened, table, At::Rows(ffi::STOP)))
}

fn cancel_rows(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| end(subject, opened, table, At::Rows(ffi::CANCELLED)))
}

fn cancel_request(subject: &Subject) -> Seen {
    each_table(subject, |opened, table| {
        let mut sum = Sum::default();
        sum.add(end(subject, opened, table, At::Request(0)));
        if subject.has_api() {
            // An API without pages has no second request; that is no reason to skip the first.
            match end(subject, opened, table, At::Request(1)) {
                Err(Unkept::Needs(_)) => {}
                seen => sum.add(seen),
            }
        }
        sum.end()
    })
}

/// Ends the first slice in which there is a place for it.
fn end(subject: &Subject, opened: &Opened, table: &Table, at: At) -> Seen {
    let request = opened.whole(table);
    let answers = subject.answers(DATA);
    let mut is_asked = false;
    for slice in &opened.plan(&request)?.slices {
        let scan = || {
            let http = |n_sent, sent: &_| match at {
                At::Request(place) if n_sent >= place => Told::Cancelled,
                _ => answers(sent),
            };
            let rows = |n_rows| match at {
                At::Rows(answer) if n_rows > 0 => answer,
                _ => ffi::GO_ON,
            };
            opened.scan(&request, slice, Acts { rows: Box::new(rows), ..Acts::answering(http) })
        };
        let (ran, is_late) = within_a_second(scan);
        is_asked |= !ran.requests.is_empty();
        if ran.was_ended {
            let seen = judge(&ran, at, is_late);
            return seen.map_err(|seen| Unkept::broken(format!("table `{}`: {seen}", table.name)));
        }
    }
    Err(Unkept::needs(match at {
        At::Rows(_) if is_asked && !subject.has_api() => NEEDS_API,
        At::Rows(_) => "a scan that emits rows",
        At::Request(_) => "a scan that sends requests",
    }))
}

fn judge(ran: &Ran, at: At, is_late: bool) -> Result<(), String> {
    let word = if at == At::Rows(ffi::STOP) { "stop" } else { "cancelled" };
    if is_late {
        return Err(format!("the scan went on for more than a second after `{word}`"));
    }
    if ran.n_acts_after_end > 0 {
        let n_acts = ran.n_acts_after_end;
        return Err(format!("after `{word}` the scan sent or emitted {n_acts} times more"));
    }
    match ran.ended.code {
        ffi::OK => Ok(()),
        ffi::CANCELLED if word == "cancelled" => Ok(()),
        code => {
            let said =
                ran.report().err().map(|errors| super::call::said(&errors)).unwrap_or_default();
            Err(format!("after `{word}` the scan ended with code {code}: {said}"))
        }
    }
}

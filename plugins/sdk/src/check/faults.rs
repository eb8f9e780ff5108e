//! Rules on what goes wrong at the provider: it ends a scan with an error or a gap, never with
//! fewer rows and no word. Each fault comes instead of the first answer, of the second and of the
//! last, and stays.

use sessionql_plugin_abi::message::Table;
use sessionql_plugin_abi::{Reason, WireError};

use super::call::{self, NEEDS_API, Opened};
use super::concurrency::within_a_second;
use super::ran::{Acts, Ran};
use super::schema::each_table;
use super::subject::{Data, Told};
use super::{Rule, Seen, Subject, Sum, Unkept};
use crate::testing::Reply;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "faults/failed-request",
        text: "a request that fails ends the scan with the host's code, or is a gap",
        look: failed_request,
    },
    Rule {
        id: "faults/refusal",
        text: "an answer that refuses (400, 403, 404, …) ends the scan with an error, or is a gap",
        look: refusal,
    },
    Rule {
        id: "faults/bad-body",
        text: "an answer that is none (empty, HTML, `null`, too deep, no UTF-8) is an error",
        look: bad_body,
    },
    Rule {
        id: "faults/truncated",
        text: "an answer that ends in the middle is an error",
        look: truncated,
    },
];

/// The API of these rules: more than two pages.
const DATA: Data = Data { n_records: 9, page_rows: 4 };

/// How deep the deepest answer goes.
const DEPTH: usize = 100_000;

/// What the host is told instead of an answer, if anything; gets the answer if there is an API.
type Spoil = dyn Fn(Option<&Reply>) -> Option<Told>;

/// One thing that goes wrong.
struct Fault {
    what: String,
    told: Box<Spoil>,
    /// The code that is due, if only one is.
    code: Option<Reason>,
    /// Whether it may mean something else after an answer that was good.
    is_first_only: bool,
}

impl Fault {
    fn new(what: impl Into<String>, told: Told) -> Self {
        let told = Box::new(move |_: Option<&Reply>| Some(told.clone()));
        Self { what: what.into(), told, code: None, is_first_only: false }
    }
}

fn failed_request(subject: &Subject) -> Seen {
    let codes = [
        Reason::Unreachable,
        Reason::Auth,
        Reason::Timeout,
        Reason::ProviderError,
        Reason::BadAnswer,
        Reason::Budget,
    ];
    let faults = codes.map(|code| {
        let error = WireError::new(code, format!("the request failed: {code}"));
        let fault = Fault::new(format!("a request fails with `{code}`"), Told::Failure(error));
        Fault { code: Some(code), ..fault }
    });
    try_faults(subject, &faults)
}

fn refusal(subject: &Subject) -> Seen {
    let faults = [400, 403, 404, 405, 409, 410, 422].map(|status| {
        let body = "{\"error\": \"no\", \"message\": \"no\", \"code\": \"no\"}";
        let fault =
            Fault::new(format!("an answer is {status}"), Told::Reply(Reply::status(status, body)));
        // Some APIs say so that there are no more.
        Fault { is_first_only: status == 404, ..fault }
    });
    try_faults(subject, &faults)
}

fn bad_body(subject: &Subject) -> Seen {
    let html =
        "<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>";
    let bodies: [(&str, Vec<u8>); 8] = [
        ("empty", Vec::new()),
        ("blank", b" \n".to_vec()),
        ("HTML", html.as_bytes().to_vec()),
        ("`null`", b"null".to_vec()),
        ("a number", b"7".to_vec()),
        ("a text", b"\"sessions\"".to_vec()),
        ("nested too deep", "[".repeat(DEPTH).into_bytes()),
        ("no UTF-8", b"{\"\xff\xfe\": [\"\xc3\x28\"]}".to_vec()),
    ];
    let faults = bodies.map(|(what, body)| {
        Fault::new(format!("an answer is {what}"), Told::Reply(Reply::status(200, body)))
    });
    try_faults(subject, &faults)
}

fn truncated(subject: &Subject) -> Seen {
    if !subject.has_api() {
        return Err(Unkept::needs(NEEDS_API));
    }
    let faults = [1, 2, 3, 4].map(|quarter| {
        let told = move |reply: Option<&Reply>| {
            let body = &reply?.body;
            let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
                || body.starts_with(b"<");
            let cut = &body[..(body.len() * quarter / 4).min(body.len().saturating_sub(1))];
            let is_cut = serde_json::from_slice::<serde::de::IgnoredAny>(cut).is_err();
            (is_whole && is_cut && !cut.is_empty()).then(|| {
                Told::Reply(Reply {
                    body: cut.to_vec(),
                    ..reply.cloned().unwrap_or_else(|| Reply::status(200, ""))
                })
            })
        };
        let what = if quarter == 4 {
            "its last byte".to_owned()
        } else {
            format!("{quarter} of its 4 quarters")
        };
        let what = if quarter == 4 {
            format!("an answer lacks {what}")
        } else {
            format!("an answer ends after {what}")
        };
        Fault { what, told: Box::new(told), code: None, is_first_only: false }
    });
    try_faults(subject, &faults)
}

fn try_faults(subject: &Subject, faults: &[Fault]) -> Seen {
    each_table(subject, |opened, table| {
        let n_requests = match subject.has_api() {
            false => 1,
            true => opened.read_well(&opened.whole(table), &subject.answers(DATA))?.requests.len(),
        };
        let mut sum = Sum::default();
        let mut n_tried = 0;
        let mut places = vec![0, 1, n_requests.saturating_sub(1)];
        places.retain(|place| *place < n_requests);
        places.dedup();
        for fault in faults {
            for &place in places.iter().filter(|place| **place == 0 || !fault.is_first_only) {
                // What was learned from good answers does not count.
                let opened = call::open(subject)?;
                let Some(seen) = try_fault(subject, &opened, table, fault, place)? else {
                    continue;
                };
                n_tried += 1;
                sum.add(seen);
            }
        }
        if n_tried == 0 {
            return Err(Unkept::needs("a scan that sends requests"));
        }
        sum.end()
    })
}

/// Lets the answer at one place and all after it be faulty. `None` if no fault came of it.
fn try_fault(
    subject: &Subject,
    opened: &Opened,
    table: &Table,
    fault: &Fault,
    place: usize,
) -> Result<Option<Seen>, Unkept> {
    let request = opened.whole(table);
    let answers = subject.answers(DATA);
    let mut n_before = 0;
    for slice in &opened.plan(&request)?.slices {
        let mut is_faulty = false;
        let scan = || {
            is_faulty = false;
            let acts = Acts::answering(|n_sent, sent| {
                if n_before + n_sent > call::MOST_REQUESTS {
                    return Told::Cancelled;
                }
                let good = subject.has_api().then(|| answers(sent));
                if n_before + n_sent < place {
                    return good.unwrap_or(Told::Cancelled);
                }
                let reply = match &good {
                    Some(Told::Reply(reply)) => Some(reply),
                    _ => None,
                };
                match (fault.told)(reply) {
                    Some(told) => {
                        is_faulty = true;
                        told
                    }
                    None => good.unwrap_or(Told::Cancelled),
                }
            });
            opened.scan(&request, slice, acts)
        };
        let (ran, is_late) = within_a_second(scan);
        n_before += ran.requests.len();
        if !is_faulty {
            continue;
        }
        let about = format!("table `{}`: {} (request {})", table.name, fault.what, place + 1);
        if is_late {
            return Ok(Some(Err(Unkept::broken(format!(
                "{about}, and the scan takes more than a second"
            )))));
        }
        return Ok(Some(
            judge(&ran, fault).map_err(|seen| Unkept::broken(format!("{about}, and {seen}"))),
        ));
    }
    Ok(None)
}

fn judge(ran: &Ran, fault: &Fault) -> Result<(), String> {
    if let Some(breach) = ran.breaches().first() {
        return Err(format!("the scan ends with {breach}"));
    }
    if ran.was_ended {
        return Err(format!("the scan still asks after {} requests", call::MOST_REQUESTS));
    }
    match ran.report() {
        Ok(report) if report.gaps.is_empty() => {
            Err("the scan ends as if nothing were missing".to_owned())
        }
        Ok(_) => Ok(()),
        Err(errors) if call::is_panic(&errors) => Err(call::said(&errors)),
        Err(errors) => {
            let code = errors.errors.first().map_or(Reason::Other, |error| error.code);
            match fault.code {
                Some(due) if code != due => {
                    Err(format!("the scan fails with `{code}` instead: {}", call::said(&errors)))
                }
                None if code == Reason::Other => {
                    Err(format!("the scan fails without a known code: {}", call::said(&errors)))
                }
                _ => Ok(()),
            }
        }
    }
}

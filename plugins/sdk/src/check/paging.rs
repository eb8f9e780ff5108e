//! Rules on paging: every record once, wherever the last page ends, and an end to every loop.
//! The suite knows neither cursors nor pages of an API. It asks whoever plays it for more records
//! or smaller pages, and answers later requests with answers to earlier ones.

use std::collections::HashSet;

use sessionql_plugin_abi::message::{HttpRequest, Table};

use super::call::{MOST_REQUESTS, NEEDS_API, Opened};
use super::ran::Acts;
use super::schema::{SOME, each_table, key_of};
use super::subject::{Answers, Data, Told};
use super::{Rule, Seen, Subject, Sum, Unkept, call};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "paging/sizes",
        text: "no record, one, a page less one, a page, one more, two pages: every record comes once",
        look: sizes,
    },
    Rule {
        id: "paging/short-page",
        text: "a page with fewer records than were asked for is not taken for the last one",
        look: short_page,
    },
    Rule {
        id: "paging/empty-last-page",
        text: "an empty last page ends a scan well",
        look: empty_last_page,
    },
    Rule {
        id: "paging/cursor-loop",
        text: "pages that come again and again end a scan with an error",
        look: cursor_loop,
    },
];

/// Records of a page if the manifest gives no size, and of the largest that is tried.
const USUAL_PAGE: usize = 4;
const LARGEST_PAGE: usize = 200;

const NEEDS_PLAYED: &str = "an API of known size, as a test plays it";
const NEEDS_PAGES: &str = "an API that answers in pages";

/// Returns the size of a table's pages.
fn page_rows(table: &Table) -> usize {
    let declared = table.limits.page_size.and_then(|rows| usize::try_from(rows).ok());
    declared.filter(|rows| (1..=LARGEST_PAGE).contains(rows)).unwrap_or(USUAL_PAGE)
}

/// Reads a table and holds the number of its records against the number that there are.
fn count(subject: &Subject, opened: &Opened, table: &Table, data: Data) -> Seen {
    count_from(
        &subject.answers(data),
        opened,
        table,
        data.n_records,
        &format!("{} records, {} on a page", data.n_records, data.page_rows),
    )
}

fn count_from(
    answers: &Answers,
    opened: &Opened,
    table: &Table,
    n_records: usize,
    about: &str,
) -> Seen {
    let about = format!("table `{}`, {about}", table.name);
    let read = opened.read(&opened.whole(table), answers)?;
    if let Some(errors) = &read.failure {
        return Err(Unkept::broken(format!("{about}: {}", call::said(errors))));
    }
    if read.is_partial {
        return Err(Unkept::broken(format!(
            "{about}: still reading after {MOST_REQUESTS} requests"
        )));
    }
    let keys: Vec<String> = read.rows.iter().map(|row| key_of(table, row)).collect();
    let n_different = keys.iter().collect::<HashSet<_>>().len();
    if n_different < keys.len() && !table.has_duplicates {
        let n_twice = keys.len() - n_different;
        return Err(Unkept::broken(format!("{about}: {n_twice} rows came twice")));
    }
    if n_different == n_records {
        return Ok(());
    }
    match read.gaps.first() {
        Some(gap) => {
            Err(Unkept::needs(format!("an API that the plugin reads whole, not `{}`", gap.message)))
        }
        None => Err(Unkept::broken(format!(
            "{about}: {n_different} rows came, and no gap was reported"
        ))),
    }
}

/// Leaves plugins alone that cannot read a few pages at all, or read rows twice.
fn needs_reading(subject: &Subject, opened: &Opened, table: &Table) -> Seen {
    let read = opened.read_well(&opened.whole(table), &subject.answers(SOME))?;
    let n_different = read.rows.iter().map(|row| key_of(table, row)).collect::<HashSet<_>>().len();
    if n_different < read.rows.len() && !table.has_duplicates {
        return Err(Unkept::needs("rows that do not come twice (see `schema/key`)"));
    }
    Ok(())
}

/// Tells whether the records of an API come in several answers.
fn has_pages(
    subject: &Subject,
    opened: &Opened,
    table: &Table,
    data: Data,
) -> Result<bool, Unkept> {
    let one = Data { n_records: 1, ..data };
    let n_requests = |data| {
        let read = opened.read_well(&opened.whole(table), &subject.answers(data));
        read.map(|read| read.requests.len())
    };
    Ok(n_requests(data)? > n_requests(one)?)
}

fn sizes(subject: &Subject) -> Seen {
    if !subject.is_played() {
        return Err(Unkept::needs(NEEDS_PLAYED));
    }
    each_table(subject, |opened, table| {
        needs_reading(subject, opened, table)?;
        let page_rows = page_rows(table);
        let mut sum = Sum::default();
        let sizes =
            [0, 1, page_rows - 1, page_rows, page_rows + 1, 2 * page_rows, 2 * page_rows + 1];
        let mut known = HashSet::new();
        for n_records in sizes.into_iter().filter(|size| known.insert(*size)) {
            sum.add(count(subject, opened, table, Data { n_records, page_rows }));
        }
        sum.end()
    })
}

fn short_page(subject: &Subject) -> Seen {
    if !subject.is_played() {
        return Err(Unkept::needs(NEEDS_PLAYED));
    }
    each_table(subject, |opened, table| {
        needs_reading(subject, opened, table)?;
        let page_rows = (page_rows(table) / 2).max(1);
        let data = Data { n_records: 2 * page_rows + 1, page_rows };
        count(subject, opened, table, data)?;
        let whole = Data { n_records: data.n_records, page_rows: data.n_records };
        let n_requests = |data| {
            let read = opened.read_well(&opened.whole(table), &subject.answers(data));
            read.map(|read| read.requests.len())
        };
        if n_requests(data)? > n_requests(whole)? {
            Ok(())
        } else {
            Err(Unkept::needs(NEEDS_PAGES))
        }
    })
}

/// Lets two full pages be announced and the second be empty: the second request is answered by an
/// API that has no more records than one page.
fn empty_last_page(subject: &Subject) -> Seen {
    if !subject.is_played() {
        return Err(Unkept::needs(NEEDS_PLAYED));
    }
    each_table(subject, |opened, table| {
        needs_reading(subject, opened, table)?;
        let page_rows = USUAL_PAGE;
        let data = Data { n_records: page_rows + 1, page_rows };
        if !has_pages(subject, opened, table, data)? {
            return Err(Unkept::needs(NEEDS_PAGES));
        }
        let whole = opened.read_well(&opened.whole(table), &subject.answers(data))?;
        let (more, fewer) =
            (subject.answers(data), subject.answers(Data { n_records: page_rows, page_rows }));
        // What asks for no page but the first is answered with the first, as often as it is asked.
        let firsts: Vec<HttpRequest> = {
            let one = subject.answers(Data { n_records: 1, page_rows });
            opened.read_well(&opened.whole(table), &one)?.requests
        };
        let laters: Vec<&HttpRequest> =
            whole.requests.iter().filter(|sent| !firsts.contains(sent)).collect();
        let is_told = |sent: &&HttpRequest| matches!(fewer(sent), Told::Reply(reply) if (200..300).contains(&reply.status));
        if laters.is_empty() || !laters.iter().all(is_told) {
            return Err(Unkept::needs(
                "an API that answers beyond its last record with an empty page",
            ));
        }
        let answers: Answers =
            std::sync::Arc::new(
                move |sent: &HttpRequest| {
                    if firsts.contains(sent) { more(sent) } else { fewer(sent) }
                },
            );
        count_from(&answers, opened, table, page_rows, "a full page and an empty last one")
    })
}

/// Answers with the first pages again and again, once with the first alone and once with two.
fn cursor_loop(subject: &Subject) -> Seen {
    if !subject.has_api() {
        return Err(Unkept::needs(NEEDS_API));
    }
    each_table(subject, |opened, table| {
        let request = opened.whole(table);
        let data = Data { n_records: 5 * USUAL_PAGE, page_rows: USUAL_PAGE };
        if !subject.is_live() && !has_pages(subject, opened, table, data)? {
            return Err(Unkept::needs(NEEDS_PAGES));
        }
        let answers = subject.answers(data);
        let mut sum = Sum::default();
        for slice in &opened.plan(&request)?.slices {
            for n_pages in [1, 2] {
                let mut pages: Vec<Told> = Vec::new();
                let acts = Acts::answering(|n_sent, sent| {
                    if n_sent >= MOST_REQUESTS {
                        return Told::Cancelled;
                    }
                    if pages.len() < n_pages {
                        pages.push(answers(sent));
                    }
                    pages[n_sent % pages.len()].clone()
                });
                let ran = opened.scan(&request, slice, acts);
                let table = &table.name;
                if ran.was_ended {
                    let seen = format!(
                        "table `{table}` was still reading after {MOST_REQUESTS} requests of the same {n_pages} page(s)"
                    );
                    sum.see(seen);
                } else if ran.requests.len() <= n_pages {
                    sum.add(Err(Unkept::needs(NEEDS_PAGES)));
                } else if let Ok(report) = ran.report()
                    && report.gaps.is_empty()
                {
                    let n_sent = ran.requests.len();
                    sum.see(format!("table `{table}` took {n_sent} answers that were the same {n_pages} page(s) for a whole one"));
                }
            }
        }
        sum.end()
    })
}

//! Reads the pages of a listing and finds out where they end.
//! In: a listing. Out: its rows, emitted page by page, and what may be missing of them.
//!
//! That the last page has no cursor is not documented either, so it is believed of a server that was
//! seen to give cursors. Others are asked for what follows the last id, which the API takes as one.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sessionql_plugin_sdk::message::{Gap, HttpRequest, Request};
use sessionql_plugin_sdk::{Cursors, Error, Host, Page, Reason, Refusal, Result, Rows};

use crate::options::Settings;
use crate::order::{Brief, Order};
use crate::plan::Listing;
use crate::refusal;

/// What is known of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// A page had a cursor, so one without is the last.
    cursors: bool,
}

/// Reads listings.
pub(crate) struct Reader<'a> {
    host: &'a Host<'a>,
    pub(crate) known: Known,
    order: Order,
    /// The ids of all records so far.
    seen: HashSet<String>,
}

/// What became of a listing.
pub(crate) struct Listed {
    pub(crate) n_pages: usize,
    /// What may be missing.
    pub(crate) gap: Option<Gap>,
}

/// A page whose records were emitted.
struct Read {
    /// The cursor that it gave.
    next: Option<String>,
    /// The id of its last record.
    last_id: Option<String>,
    /// Whether it has a record that no page before had.
    has_new: bool,
    briefs: Vec<Brief>,
}

/// The records of a page.
#[derive(Deserialize)]
struct Briefs {
    #[serde(default)]
    sessions: Vec<Brief>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        settings: &Settings,
        host: &'a Host<'a>,
        request: &Request,
        known: Known,
    ) -> Result<Self> {
        let order = Order::new(settings, request)?;
        Ok(Self { host, known, order, seen: HashSet::new() })
    }

    /// Emits all pages of a listing, with the same filters on each.
    ///
    /// # Errors
    /// What the host says, a refused request, an answer that cannot be read, cursors in a circle.
    pub(crate) fn read(&mut self, listing: &Listing, rows: &mut Rows<'_>) -> Result<Listed> {
        let mut cursors = Cursors::default();
        let mut cursor = None;
        let mut n_pages = 0;
        // Whether the next page is asked for by an id, and whether one was found so.
        let (mut is_by_id, mut goes_by_id) = (false, false);
        loop {
            let request = listing.request(cursor.as_deref());
            let read = match self.page(&request, rows)? {
                Ok(read) => read,
                // Nothing but the cursor differs from the request before, so ids are none; and as
                // the server gave no other, there are no more pages.
                Err(refusal) if is_by_id && !goes_by_id && refusal::is_invalid(&refusal) => break,
                Err(refusal) => return Err(refusal::error(refusal).into()),
            };
            if is_by_id && !read.has_new && read.next.is_none() {
                break;
            }
            n_pages += 1;
            goes_by_id |= is_by_id;
            // A page may be short or empty and still not be the last.
            self.known.cursors |= read.next.is_some();
            is_by_id = read.next.is_none() && !self.known.cursors;
            let last_id = read.last_id.filter(|_| is_by_id);
            cursor = cursors.follow(read.next.or(last_id).as_deref())?;
            if cursor.is_none() {
                break;
            }
        }
        let has_all = n_pages < 2 || self.order.is_stable() || self.has_moved(listing, rows)?;
        let gap = (!has_all).then(|| moving(n_pages));
        Ok(Listed { n_pages, gap })
    }

    /// Emits the first page once more, with the sessions that moved to it while others were read.
    /// Tells whether these are all that can have moved.
    fn has_moved(&mut self, listing: &Listing, rows: &mut Rows<'_>) -> Result<bool> {
        if !self.order.is_newest_first() {
            return Ok(false);
        }
        let read = self.page(&listing.request(None), rows)?.map_err(refusal::error)?;
        Ok(self.order.has_all_moved(&read.briefs))
    }

    /// Emits the records of one page.
    fn page(
        &mut self,
        request: &HttpRequest,
        rows: &mut Rows<'_>,
    ) -> Result<Result<Read, Refusal>> {
        let response = match self.host.http(request)?.accepted()? {
            Ok(response) => response,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let label = response.request().to_owned();
        let text = response.text()?;
        let page = rows.decode_sparse_text(&label, &text, "sessions")?;
        check(&label, &page)?;
        let briefs: Briefs = serde_json::from_str(&text).map_err(|error| {
            Error::bad_answer(format!("the answer to `{label}` cannot be read: {error}"))
        })?;
        let mut has_new = false;
        let mut last_id = None;
        for record in &briefs.sessions {
            let id = record.id.as_str().map_or_else(|| record.id.to_string(), str::to_owned);
            if self.seen.insert(id.clone()) {
                has_new = true;
                self.order.take(record);
            }
            last_id = Some(id);
        }
        let next = page.text("listMetadata.nextCursor")?.map(str::to_owned);
        Ok(Ok(Read { next, last_id, has_new, briefs: briefs.sessions }))
    }
}

/// Says what nobody can see from outside: the order of pages may be one in which sessions move.
fn moving(n_pages: usize) -> Gap {
    let message = format!(
        "{n_pages} pages were read, and a session that moved from one to another meanwhile may be missing; \
         a greater `page_size` makes fewer pages, and `timestamp_is = \"start\"` says that none moves"
    );
    Gap { reason: Reason::Capped, message }
}

/// Tells an empty page, which lacks what is empty, from a document of something else.
fn check(label: &str, page: &Page) -> Result<()> {
    let is_page = page.has_list
        || page.fields.is_empty()
        || matches!(page.fields.get("listMetadata"), Some(Value::Object(_)));
    match is_page {
        true => Ok(()),
        false => {
            let what = "has neither `sessions` nor `listMetadata`";
            Err(Error::bad_answer(format!("the answer to `{label}` {what}")))
        }
    }
}

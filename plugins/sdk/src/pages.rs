//! Follows the pages of a listing.
//! In: the request of the first page, how pages hang together, and what each page said. Out: one
//! request after another, and never an end that the API did not tell.
//!
//! Most plugins need [`Rows::read_pages`](crate::Rows::read_pages) only. [`Pages`] is for those that
//! look at answers themselves:
//!
//! ```
//! # use sessionql_plugin_sdk::message::HttpRequest;
//! # use sessionql_plugin_sdk::{Host, Pages, Paging, Result, Rows};
//! # fn read(host: &Host<'_>, rows: &mut Rows<'_>) -> Result<()> {
//! let first = HttpRequest::get("/visits");
//! let mut pages = Pages::new(&first, &Paging::cursor("next", "cursor"))?;
//! while let Some(response) = pages.send(host)? {
//!     let response = match response.accepted()? {
//!         Ok(response) => response,
//!         Err(refusal) if refusal.status == 404 => return Ok(()), // says that nobody ever came
//!         Err(refusal) => return Err(refusal.into()),
//!     };
//!     let page = rows.decode(response, "visits")?;
//!     pages.follow(&page)?;
//! }
//! # Ok(())
//! # }
//! ```

mod link;
mod paging;
mod target;

use std::collections::HashSet;

use serde_json::{Map, Value};
use sessionql_plugin_abi::message::{Gap, HttpRequest, ResponseHead};
use sessionql_plugin_abi::{Reason, WireError};

pub use self::paging::Paging;
use self::paging::{Place, Style};
use crate::cursors::Cursors;
use crate::error::{Error, Result};
use crate::host::{Host, Response};
use crate::rows::Page;

/// The pages of one listing, while they are read.
#[derive(Debug)]
pub struct Pages {
    paging: Paging,
    /// The request of the first page.
    first: HttpRequest,
    next: Option<HttpRequest>,
    /// The head of the answer that was not followed yet.
    head: Option<ResponseHead>,
    n_pages: u64,
    n_records: u64,
    /// The most records that a page had.
    fullest: usize,
    /// How many records are in all pages, as it was told last.
    total: Option<u64>,
    has_shrunk: bool,
    applied_size: Option<u64>,
    /// What the page before began with, if pages are counted; others tell by themselves when they
    /// come again.
    first_record: Option<u64>,
    cursors: Cursors,
    /// Where links led.
    targets: HashSet<String>,
}

impl Pages {
    /// Begins with the request of the first page, without the parameters of `paging`.
    ///
    /// # Errors
    /// `plugin_error` if a parameter would go into a body that is no JSON object.
    pub fn new(first: &HttpRequest, paging: &Paging) -> Result<Self> {
        let first = match &paging.size {
            Some((parameter, n_records)) => with(first, parameter, (*n_records).into())?,
            None => first.clone(),
        };
        let next = match &paging.style {
            Style::PageNumber { parameter, first: number } => {
                with(&first, parameter, (*number).into())?
            }
            Style::Offset { parameter } => with(&first, parameter, 0.into())?,
            Style::Single | Style::Cursor { .. } | Style::Link(_) => first.clone(),
        };
        Ok(Self {
            paging: paging.clone(),
            targets: HashSet::from([target_key(&next)]),
            first,
            next: Some(next),
            head: None,
            n_pages: 0,
            n_records: 0,
            fullest: 0,
            total: None,
            has_shrunk: false,
            applied_size: None,
            first_record: None,
            cursors: Cursors::default(),
        })
    }

    /// Sends the request of the next page; `None` after the last.
    ///
    /// # Errors
    /// As [`Host::http`]; `bad_answer` after [`most_pages`](Paging::most_pages); `plugin_error` if
    /// the page before was not [followed](Self::follow).
    pub fn send<'host>(&mut self, host: &'host Host<'host>) -> Result<Option<Response<'host>>> {
        if self.head.is_some() {
            let message = format!("page {} was read but not followed", self.n_pages + 1);
            return Err(Error::plugin(message));
        }
        let Some(request) = self.next.take() else { return Ok(None) };
        if self.n_pages >= self.paging.most_pages {
            let (path, n_pages) = (&request.path, self.n_pages);
            return Err(Error::bad_answer(format!("`{path}` has more than {n_pages} pages")));
        }
        let mut response = host.http(&request).map_err(|error| self.blame_link(error))?;
        self.head = Some(response.head.clone());
        response.refused_first = self.first_record;
        Ok(Some(response))
    }

    /// Takes what a page said, and finds the next one.
    ///
    /// # Errors
    /// `bad_answer` if pages repeat each other, if they end although the answer says that there are
    /// more records, or if it does not say what it should; `plugin_error` if no page was sent for.
    pub fn follow(&mut self, page: &Page) -> Result<()> {
        let Some(head) = self.head.take() else {
            return Err(Error::plugin("a page was followed that was not sent for"));
        };
        self.n_pages += 1;
        self.n_records += page.n_records as u64;
        self.see_total(page, &head)?;
        let has_more = match &self.paging.has_more {
            Some(path) => {
                let told = page.flag(path)?;
                Some(told.ok_or_else(|| page.lacks("true or false", path))?)
            }
            None => None,
        };
        let next = match self.paging.style.clone() {
            Style::Single => None,
            _ if has_more == Some(false) => None,
            Style::Cursor { place, parameter } => {
                self.by_cursor(page, &head, &place, &parameter)?
            }
            Style::Link(place) => self.by_link(page, &head, &place)?,
            Style::PageNumber { parameter, first } => {
                self.keep_size(page)?;
                let number = first.saturating_add(self.n_pages);
                let goes_on = self.goes_on(page, has_more)?;
                goes_on.then(|| with(&self.first, &parameter, number.into())).transpose()?
            }
            Style::Offset { parameter } => {
                let goes_on = self.goes_on(page, has_more)?;
                if goes_on && page.n_records == 0 {
                    return Err(page.error("has no records, but says that there are more"));
                }
                goes_on.then(|| with(&self.first, &parameter, self.n_records.into())).transpose()?
            }
        };
        if next.is_none() {
            self.check_end(page, has_more)?;
        }
        self.fullest = self.fullest.max(page.n_records);
        self.first_record = page.first_record.filter(|_| self.paging.counts());
        self.next = next;
        Ok(())
    }

    /// Returns what may be missing of numbered pages and offsets: records of a listing that shrank
    /// while it was read moved to pages that were read before.
    pub fn gap(&self) -> Option<Gap> {
        let n_pages = self.n_pages;
        let message = format!(
            "the listing shrank while its {n_pages} pages were read, so records may have moved past"
        );
        self.has_shrunk.then_some(Gap { reason: Reason::Capped, message })
    }

    fn see_total(&mut self, page: &Page, head: &ResponseHead) -> Result<()> {
        let (told, place) = match &self.paging.total {
            None => return Ok(()),
            Some(Place::Field(path)) => (page.count(path)?, path),
            Some(Place::Header(name)) => {
                let read =
                    |text: &str| text.trim().parse().map_err(|_| page.lacks("whole number", name));
                (header(head, name).map(read).transpose()?, name)
            }
        };
        let total = told.or(self.total).ok_or_else(|| page.lacks("whole number", place))?;
        self.has_shrunk |= self.paging.counts() && self.total.is_some_and(|before| total < before);
        self.total = Some(total);
        Ok(())
    }

    fn by_cursor(
        &mut self,
        page: &Page,
        head: &ResponseHead,
        place: &Place,
        parameter: &str,
    ) -> Result<Option<HttpRequest>> {
        let value = match place {
            Place::Field(path) => page.value(path, "cursor")?.clone(),
            Place::Header(name) => header(head, name).unwrap_or_default().trim().into(),
        };
        let cursor = match &value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) if number.is_u64() => Some(number.to_string()),
            _ => return Err(page.error("has a cursor that is neither text nor a whole number")),
        };
        match self.cursors.follow(cursor.as_deref())? {
            Some(_) => with(&self.first, parameter, value).map(Some),
            None => Ok(None),
        }
    }

    fn by_link(
        &mut self,
        page: &Page,
        head: &ResponseHead,
        place: &Place,
    ) -> Result<Option<HttpRequest>> {
        let link = match place {
            Place::Field(path) => page.text(path)?.map(str::to_owned),
            Place::Header(name) => {
                let values = head.headers.iter().filter(|(key, _)| key == name);
                link::next(values.map(|(_, value)| value.as_str()))
                    .map_err(|what| page.error(&format!("has a header `Link` {what}")))?
            }
        };
        let Some(link) = link else { return Ok(None) };
        let (path, query) = target::resolve(&head.base_url, &self.first.path, &link)
            .map_err(|what| page.error(&format!("links to a next page {what}")))?;
        let request = HttpRequest { path, query, ..self.first.clone() };
        if !self.targets.insert(target_key(&request)) {
            return Err(repeated(&page.request));
        }
        Ok(Some(request))
    }

    /// Tells whether there is a page after this one, of pages that are counted.
    fn goes_on(&self, page: &Page, has_more: Option<bool>) -> Result<bool> {
        if page.first_record.is_some() && page.first_record == self.first_record {
            return Err(repeated(&page.request));
        }
        match (has_more, self.total) {
            (Some(has_more), _) => Ok(has_more),
            (None, Some(total)) if self.n_records >= total => Ok(false),
            (None, Some(_)) if page.n_records == 0 => Err(self.too_few(page)),
            (None, Some(_)) => Ok(true),
            (None, None) => Ok(page.n_records > 0 && !self.ends_short(page)?),
        }
    }

    fn ends_short(&self, page: &Page) -> Result<bool> {
        if !self.paging.short_page_ends {
            return Ok(false);
        }
        let full = match &self.paging.applied_size {
            Some(path) => page.count(path)?.ok_or_else(|| page.lacks("whole number", path))?,
            None => self.fullest as u64,
        };
        Ok((page.n_records as u64) < full)
    }

    /// Refuses numbered pages of different sizes, between which records are missing.
    fn keep_size(&mut self, page: &Page) -> Result<()> {
        let Some(path) = &self.paging.applied_size else { return Ok(()) };
        let size = page.count(path)?;
        if let (Some(before), Some(size)) = (self.applied_size, size)
            && before != size
        {
            return Err(
                page.error(&format!("has pages of {size} records, the one before of {before}"))
            );
        }
        self.applied_size = size.or(self.applied_size);
        Ok(())
    }

    /// Refuses an end that the last page contradicts.
    fn check_end(&self, page: &Page, has_more: Option<bool>) -> Result<()> {
        if has_more == Some(true) {
            return Err(page.error("says that there is another page, but does not lead to it"));
        }
        match self.total {
            Some(total) if self.n_records < total => Err(self.too_few(page)),
            _ => Ok(()),
        }
    }

    fn too_few(&self, page: &Page) -> Error {
        let (n_records, total) = (self.n_records, self.total.unwrap_or_default());
        page.error(&format!("ends the pages after {n_records} of {total} records"))
    }

    /// Says of a request that the host refuses that a link led to it.
    fn blame_link(&self, error: Error) -> Error {
        match error {
            Error::Failed(mut document)
                if self.n_pages > 0 && matches!(self.paging.style, Style::Link(_)) =>
            {
                let is_refused = |error: &&mut WireError| {
                    error.code == Reason::PluginError && error.hint.is_none()
                };
                for error in document.errors.iter_mut().filter(is_refused) {
                    let n_pages = self.n_pages;
                    error.hint =
                        Some(format!("the link to the next page led there from page {n_pages}"));
                }
                Error::Failed(document)
            }
            error => error,
        }
    }
}

/// Returns the error of a page that was read before.
pub(crate) fn repeated(request: &str) -> Error {
    let what =
        "repeats an earlier page; does the API take the parameter that pages are asked for by?";
    Error::bad_answer(format!("the answer to `{request}` {what}"))
}

/// Returns a header of an answer.
fn header<'a>(head: &'a ResponseHead, name: &str) -> Option<&'a str> {
    head.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Returns what tells the target of a request from others.
fn target_key(request: &HttpRequest) -> String {
    format!("{} {:?}", request.path, request.query)
}

/// Returns a request with a parameter, in its body if it has one, else in its query.
fn with(request: &HttpRequest, parameter: &str, value: Value) -> Result<HttpRequest> {
    let mut request = request.clone();
    let Some(body) = &request.body else {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        request.query.retain(|(name, _)| name != parameter);
        return Ok(request.with_query(parameter, text));
    };
    let mut members: Map<String, Value> = serde_json::from_str(body).map_err(|_| {
        let path = &request.path;
        Error::plugin(format!("`{parameter}` cannot go into the body of `{path}`: no JSON object"))
    })?;
    members.insert(parameter.to_owned(), value);
    request.body = Some(Value::Object(members).to_string());
    Ok(request)
}

//! Declares how the pages of a listing hang together.

/// How each page of a listing leads to the next, and what ends it.
///
/// Take the constructor of the API's style, then say what else its answers tell:
///
/// ```
/// use sessionql_plugin_sdk::Paging;
///
/// // {"visits": […], "next": "b7"}, then ?cursor=b7 until there is no `next`
/// Paging::cursor("next", "cursor");
/// // Link: <https://…/visits?after=b7>; rel="next"
/// Paging::link_header();
/// // ?page=1&per_page=100, {"visits": […], "total": 250}
/// Paging::page_number("page", 1).size("per_page", 100).total("total");
/// // ?offset=0&limit=100, {"visits": […], "has_more": true}
/// Paging::offset("offset").size("limit", 100).has_more("has_more");
/// // all in one answer
/// Paging::single();
/// ```
///
/// Places in an answer are paths of keys joined by dots. What an answer tells is checked in every
/// style: pages that end before the [`total`](Self::total), or while the answer
/// [has more](Self::has_more), are an error. Parameters go into the query, or into the JSON object
/// that is the body if the request has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging {
    pub(super) style: Style,
    /// Parameter and number of records.
    pub(super) size: Option<(String, u64)>,
    pub(super) total: Option<Place>,
    pub(super) has_more: Option<String>,
    pub(super) applied_size: Option<String>,
    pub(super) short_page_ends: bool,
    pub(super) most_pages: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    Single,
    Cursor { place: Place, parameter: String },
    Link(Place),
    PageNumber { parameter: String, first: u64 },
    Offset { parameter: String },
}

/// Where in an answer something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Field(String),
    Header(String),
}

/// Pages of a scan, if the author does not say; far more than anybody waits for.
const MOST_PAGES: u64 = 1_000_000;

impl Paging {
    fn new(style: Style) -> Self {
        Self {
            style,
            size: None,
            total: None,
            has_more: None,
            applied_size: None,
            short_page_ends: false,
            most_pages: MOST_PAGES,
        }
    }

    /// Tells whether requests count pages or records.
    pub(super) fn counts(&self) -> bool {
        matches!(self.style, Style::PageNumber { .. } | Style::Offset { .. })
    }

    /// Says that one request reads everything.
    pub fn single() -> Self {
        Self::new(Style::Single)
    }

    /// Says that an answer has a cursor, text or a whole number, that is the next request's
    /// `parameter`. The page whose cursor is missing, null or empty is the last; a page may be short
    /// or empty and not be the last. A cursor that comes again is an error.
    pub fn cursor(field: &str, parameter: &str) -> Self {
        let place = Place::Field(field.to_owned());
        Self::new(Style::Cursor { place, parameter: parameter.to_owned() })
    }

    /// Says the same of a cursor in a header. The host hands out headers that begin with `x-`.
    pub fn header_cursor(header: &str, parameter: &str) -> Self {
        let place = Place::Header(header.to_ascii_lowercase());
        Self::new(Style::Cursor { place, parameter: parameter.to_owned() })
    }

    /// Says that the header `Link` of an answer leads to the next page, `rel="next"`. The page
    /// without such a link is the last. A link may be relative; it must lead to below the base URL,
    /// to a path that the manifest declares. A link to an earlier page is an error.
    /// Source: RFC 8288.
    pub fn link_header() -> Self {
        Self::new(Style::Link(Place::Header("link".to_owned())))
    }

    /// Says the same of a link in the answer, which is missing, null or empty on the last page.
    pub fn link(field: &str) -> Self {
        Self::new(Style::Link(Place::Field(field.to_owned())))
    }

    /// Says that pages are numbered, the first one being `first`, usually 0 or 1.
    ///
    /// Without another end an empty page is the last. Name [`total`](Self::total) or
    /// [`has_more`](Self::has_more) if answers tell either, for some servers leave pages empty whose
    /// records one may not see. A page that begins as the one before is an error: the server does
    /// not know the parameter.
    ///
    /// Records that are added or deleted while pages are read move from page to page. Ask for an
    /// order in which they do not, or report a gap; of a total that shrinks there is one already.
    pub fn page_number(parameter: &str, first: u64) -> Self {
        Self::new(Style::PageNumber { parameter: parameter.to_owned(), first })
    }

    /// Says that requests tell how many records to skip. What was received is skipped, not what was
    /// asked for, so the server may send smaller pages. All else is as with
    /// [`page_number`](Self::page_number), but an empty page cannot be skipped: that there is more
    /// after it is an error.
    pub fn offset(parameter: &str) -> Self {
        Self::new(Style::Offset { parameter: parameter.to_owned() })
    }

    /// Asks for so many records in a page. A server may send fewer.
    #[must_use]
    pub fn size(mut self, parameter: &str, n_records: u64) -> Self {
        self.size = Some((parameter.to_owned(), n_records));
        self
    }

    /// Says where an answer tells how many records all pages have together. The last answer that
    /// tells it counts. It must be exact: name no total that stops at some number such as 10,000.
    #[must_use]
    pub fn total(mut self, field: &str) -> Self {
        self.total = Some(Place::Field(field.to_owned()));
        self
    }

    /// Says the same of a header, such as `x-total-count`.
    #[must_use]
    pub fn total_header(mut self, header: &str) -> Self {
        self.total = Some(Place::Header(header.to_ascii_lowercase()));
        self
    }

    /// Says which field tells with `true` or `false` whether there is another page. It must be in
    /// each answer, and ends the scan with whatever style.
    #[must_use]
    pub fn has_more(mut self, field: &str) -> Self {
        self.has_more = Some(field.to_owned());
        self
    }

    /// Says which field tells how many records a page has that is full, which may be fewer than were
    /// asked for. For page numbers and offsets.
    #[must_use]
    pub fn applied_size(mut self, field: &str) -> Self {
        self.applied_size = Some(field.to_owned());
        self
    }

    /// Says that the server fills every page but the last, so that a page that is not full ends the
    /// scan. For page numbers and offsets whose answers tell nothing better.
    ///
    /// Full is what the server calls so ([`applied_size`](Self::applied_size)), else as many records
    /// as an earlier page had; never what was asked for, since the server may send less.
    #[must_use]
    pub fn short_page_ends(mut self) -> Self {
        self.short_page_ends = true;
        self
    }

    /// Ends a scan with an error that would read more pages; a million if nothing is said.
    #[must_use]
    pub fn most_pages(mut self, n_pages: u64) -> Self {
        self.most_pages = n_pages;
        self
    }
}

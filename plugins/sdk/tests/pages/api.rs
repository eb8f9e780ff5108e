//! A plugin that reads one listing in any style, and an API that answers in that style.

use std::ops::Range;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{HttpRequest, Manifest, Pattern, Report, Request, ScanRequest};
use sessionql_plugin_sdk::testing::{BASE_URL, FakeHost, Reply, Scan};
use sessionql_plugin_sdk::{
    Column, ErrorDocument, Host, Options, Pages, Paging, Provider, Result, Table, export_provider,
};

/// All styles, each with every way to end that it has.
pub(crate) const STYLES: [&str; 21] = [
    "single",
    "cursor",
    "number cursor",
    "nested cursor",
    "header cursor",
    "cursor, total",
    "cursor, has_more",
    "cursor in body",
    "link header",
    "link",
    "page",
    "page from 0",
    "page, total",
    "page, total header",
    "page, has_more",
    "page, short page",
    "page, applied size",
    "offset",
    "offset, total",
    "offset, has_more",
    "offset in body",
];

/// Reads `/items` in the style that the slice names and with the size that the limit names.
struct Listing;

fn items() -> Table {
    Table::new("items", "One item.").main().columns([Column::text("id", "id").required()])
}

fn paging(style: &str, size: u64) -> Paging {
    let page = || Paging::page_number("page", 1).size("size", size);
    let offset = || Paging::offset("offset").size("size", size);
    let cursor = || Paging::cursor("next", "cursor");
    match style {
        "single" => Paging::single(),
        "single, total" => Paging::single().total("total"),
        "cursor" | "number cursor" | "cursor in body" | "not followed" => cursor(),
        "nested cursor" => Paging::cursor("data.page.next", "cursor"),
        "header cursor" => Paging::header_cursor("X-Next", "cursor"),
        "cursor, total" => cursor().total("total"),
        "cursor, has_more" => cursor().has_more("more"),
        "cursor, few pages" => cursor().most_pages(5),
        "link header" => Paging::link_header(),
        "link" => Paging::link("next"),
        "page" => page(),
        "page from 0" => Paging::page_number("page", 0).size("size", size),
        "page, total" => page().total("total"),
        "page, total header" => page().total_header("X-Total-Count"),
        "page, has_more" => page().has_more("more"),
        "page, short page" => page().short_page_ends(),
        "page, applied size" => page().applied_size("size").short_page_ends(),
        "offset" => offset(),
        "offset, total" => offset().total("total"),
        "offset, has_more" => offset().has_more("more"),
        "offset in body" => offset().total("total"),
        other => panic!("no style `{other}`"),
    }
}

impl Provider for Listing {
    fn manifest() -> Manifest {
        let search = Pattern { method: "POST".to_owned(), ..Pattern::get("/items") };
        Manifest {
            name: "listing".to_owned(),
            tables: vec![items().manifest()],
            patterns: vec![Pattern::get("/items"), search],
            ..Manifest::default()
        }
    }

    fn connect(_: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        let style = scan.slice.as_str().unwrap();
        let first = match style.ends_with("in body") {
            false => HttpRequest::get("/items").with_query("of", "a b"),
            true => HttpRequest {
                method: "POST".to_owned(),
                body: Some(r#"{"of":"all"}"#.to_owned()),
                ..HttpRequest::get("/items")
            },
        };
        let records = if style == "nested cursor" { "data.items" } else { "items" };
        let paging = paging(style, scan.request.limit.unwrap_or(3));
        let table = items();
        let mut rows = table.rows(host, &scan.request)?;
        if style == "not followed" {
            let mut pages = Pages::new(&first, &paging)?;
            while let Some(response) = pages.send(host)? {
                rows.decode(response, records)?;
            }
        }
        rows.read_pages(&first, &paging, records)?;
        rows.report()
    }
}

export_provider!(Listing);

/// An API with numbered records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(crate) n_records: u64,
    /// Records that the server puts into a page at most.
    pub(crate) most: u64,
    /// Records that the plugin asks for.
    pub(crate) asked: u64,
}

impl Api {
    pub(crate) fn of_size(size: u64) -> Self {
        Self { n_records: 0, most: size, asked: size }
    }
}

/// Returns the records with these numbers.
pub(crate) fn page_of(records: Range<u64>) -> Vec<Value> {
    records.map(|id| json!({ "id": id.to_string() })).collect()
}

/// Answers as the API does.
pub(crate) fn reply(style: &str, api: &Api, request: &HttpRequest) -> Reply {
    let body: Value =
        request.body.as_ref().map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
    let number = |name: &str| -> Option<u64> {
        let in_body = match &body[name] {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let query = request.query.iter().find(|(key, _)| key == name);
        in_body.or_else(|| query?.1.parse().ok())
    };
    let size = number("size").unwrap_or(api.most).min(api.most);
    let size = if style.starts_with("single") { api.n_records } else { size };
    let first_page = u64::from(style != "page from 0");
    let skipped = number("page").map(|page| (page - first_page) * size);
    let from = skipped.or(number("offset")).or(number("cursor")).unwrap_or(0).min(api.n_records);
    let until = (from + size).min(api.n_records);
    let next = (until < api.n_records).then_some(until);
    let link = next.map(|next| format!("{BASE_URL}/items?of=a%20b&cursor={next}"));
    let in_body = match style {
        "number cursor" => json!(next),
        "cursor, has_more" => json!(until.to_string()),
        "link" => json!(link),
        _ => json!(next.map(|next| next.to_string())),
    };
    let records = page_of(from..until);
    let document = match style {
        "nested cursor" => json!({"data": {"page": {"next": in_body}, "items": records}}),
        "header cursor" | "link header" => json!({ "items": records }),
        _ => json!({
            "items": records, "next": in_body, "total": api.n_records, "more": next.is_some(),
            "size": size,
        }),
    };
    let mut reply = Reply::json(&document);
    let mut tell = |name: &str, value: Option<String>| {
        reply.headers.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell("x-total-count", Some(api.n_records.to_string()));
    tell("x-next", next.map(|next| next.to_string()));
    tell("link", link.map(|link| format!("<{link}>; rel=\"next\"")));
    reply
}

/// Reads the listing from an API.
pub(crate) fn read(style: &str, api: &Api) -> Scan {
    scan_sized(style, usize::MAX, api.asked, |request| reply(style, api, request))
}

/// Reads the listing until there are enough rows.
pub(crate) fn scan(style: &str, enough: usize, server: impl FnMut(&HttpRequest) -> Reply) -> Scan {
    scan_sized(style, enough, 3, server)
}

fn scan_sized(
    style: &str,
    enough: usize,
    size: u64,
    server: impl FnMut(&HttpRequest) -> Reply,
) -> Scan {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    let request = Request {
        table: "items".to_owned(),
        columns: vec!["id".to_owned()],
        limit: Some(size),
        ..Request::default()
    };
    host.scan_until(enough, &request, &json!(style), server)
}

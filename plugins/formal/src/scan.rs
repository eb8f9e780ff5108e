//! Reads the sessions of a slice: page by page, or one by one.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{Report, ScanRequest};
use sessionql_plugin_sdk::{Cursors, Error, Host, Page, Result, Rows};

use crate::options::Settings;
use crate::plan::{Listing, Slice};
use crate::{refusal, table};

/// Reads a slice.
///
/// # Errors
/// What the host says, a refused request, an answer that cannot be read, cursors in a circle.
pub(crate) fn scan(settings: &Settings, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
    let slice: Slice = serde_json::from_value(scan.slice.clone())
        .map_err(|error| Error::plugin(format!("the slice cannot be read: {error}")))?;
    let table = table::sessions(settings);
    let mut rows = table.rows(host, &scan.request)?;
    let mut note = None;
    match slice {
        Slice::Listing(listing) => {
            let n_pages = list(host, &listing, &mut rows)?;
            note = (n_pages > 1 && !settings.filters_on_start).then(|| moving(n_pages));
        }
        Slice::Lookup { ids } => {
            for id in &ids {
                if let Looked::Another = look_up(host, id, &mut rows)? {
                    let n_pages = list(host, &Listing::all(settings), &mut rows)?;
                    note = Some(format!(
                        "the API answered with another session than the one that was asked for, so all were read ({n_pages} pages)"
                    ));
                    break;
                }
            }
        }
    }
    let mut report = rows.report()?;
    report.notes.extend(note);
    Ok(report)
}

/// Says what nobody can see from outside: the order of pages may not be that of starts.
fn moving(n_pages: usize) -> String {
    format!(
        "{n_pages} pages were read; if the API sorts by activity, a session that moved meanwhile may be missing"
    )
}

/// Reads all pages of a listing, with the same filters on each. Returns how many there were.
fn list(host: &Host<'_>, listing: &Listing, rows: &mut Rows<'_>) -> Result<usize> {
    let mut cursors = Cursors::default();
    let mut request = listing.request(None);
    let mut n_pages = 0;
    loop {
        let response = host.http(&request)?.accepted()?.map_err(refusal::error)?;
        let page = rows.decode_sparse(response, "sessions")?;
        check(&request.path, &page)?;
        n_pages += 1;
        // A page may be short or empty and still not be the last.
        let cursor = cursors.follow(page.text("listMetadata.nextCursor")?)?;
        let Some(cursor) = cursor else { return Ok(n_pages) };
        request = listing.request(Some(&cursor));
    }
}

/// Tells an empty page, which lacks what is empty, from a document of something else.
fn check(path: &str, page: &Page) -> Result<()> {
    let is_page = page.has_list
        || page.fields.is_empty()
        || matches!(page.fields.get("listMetadata"), Some(Value::Object(_)));
    match is_page {
        true => Ok(()),
        false => {
            let what = "has neither `sessions` nor `listMetadata`";
            Err(Error::bad_answer(format!("the answer to `POST {path}` {what}")))
        }
    }
}

/// The answer to a look-up, its record untouched.
#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    session: Option<&'a RawValue>,
}

/// What a look-up tells of the session that was asked for.
enum Looked {
    /// There it is, or there is none.
    Up,
    /// Nothing, for the API answered with another one: it compares ids in its own way, and there may
    /// well be one with the very id besides.
    Another,
}

/// Reads the session with an id, if there is one.
fn look_up(host: &Host<'_>, id: &str, rows: &mut Rows<'_>) -> Result<Looked> {
    let request = crate::call(crate::GET, &json!({ "sessionId": id }));
    let response = match host.http(&request)?.accepted()? {
        Ok(response) => response,
        Err(refusal) if refusal::is_not_found(&refusal) => return Ok(Looked::Up),
        Err(refusal) => return Err(refusal::error(refusal).into()),
    };
    let request = response.request().to_owned();
    let text = response.text()?;
    let found = serde_json::from_str::<Found<'_>>(&text).ok().and_then(|found| found.session);
    let Some(session) = found else {
        return Err(Error::bad_answer(format!("the answer to `{request}` has no `session`")));
    };
    let found_id = serde_json::from_str::<Value>(session.get())
        .ok()
        .and_then(|session| session.get("id")?.as_str().map(str::to_owned));
    if found_id.is_some_and(|found_id| found_id != id) {
        return Ok(Looked::Another);
    }
    let list = format!("{{\"session\":[{session}]}}");
    rows.decode_text(&request, &list, "session")?;
    Ok(Looked::Up)
}

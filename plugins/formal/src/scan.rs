//! Reads the sessions of a slice: page by page, or one by one.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{Report, ScanRequest};
use sessionql_plugin_sdk::{Error, Host, Result, Rows, plans};

use crate::options::Settings;
use crate::pages::{Known, Reader};
use crate::plan::{Listing, Slice};
use crate::{refusal, table};

/// Reads a slice.
///
/// # Errors
/// What the host says, a refused request, an answer that cannot be read, cursors in a circle.
pub(crate) fn scan(settings: &Settings, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
    let slice: Slice = plans::slice(scan)?;
    let table = table::sessions(settings);
    let mut rows = table.rows(host, &scan.request)?;
    let known: Known = plans::learned(&scan.request);
    let mut reader = Reader::new(settings, host, &scan.request, known)?;
    let (mut note, mut gap) = (None, None);
    match slice {
        Slice::Listing(listing) => gap = reader.read(&listing, &mut rows)?.gap,
        Slice::Lookup { ids } => {
            for id in &ids {
                if let Looked::Another = look_up(host, id, &mut rows)? {
                    let listed = reader.read(&Listing::all(settings), &mut rows)?;
                    gap = listed.gap;
                    note = Some(format!(
                        "the API answered with another session than the one that was asked for, so all were read ({} pages)",
                        listed.n_pages
                    ));
                    break;
                }
            }
        }
    }
    let learned = (reader.known != known).then(|| json!(reader.known));
    let mut report = rows.report()?;
    report.notes.extend(note);
    report.gaps.extend(gap);
    Ok(Report { learned, ..report })
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

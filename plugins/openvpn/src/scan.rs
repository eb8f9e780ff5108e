//! Reads the chains of a slice, page by page.
//! If the provider keeps less than it should, the chain is read once more from where history begins.

use sessionql_plugin_sdk::message::{Report, ScanRequest};
use sessionql_plugin_sdk::time::DAY_US;
use sessionql_plugin_sdk::{
    Host, Pages, Paging, Refusal, Result, Rows, Timestamp, WireError, plans,
};

use crate::options::Settings;
use crate::plan::{Chain, Slice, horizon};
use crate::table::sessions;

/// The history that every version of the API keeps.
const SHORT_HISTORY_US: i64 = 7 * DAY_US;

/// How a chain ended.
enum End {
    /// With its last page.
    Read,
    /// The API will not go back to its `startDate`.
    TooOld(Refusal),
}

/// Reads a slice.
///
/// # Errors
/// What the host says, a refused request, an answer that cannot be read, cursors in a circle.
pub(crate) fn scan(settings: &Settings, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
    let slice: Slice = plans::slice(scan)?;
    let short_horizon = horizon(settings, &scan.request, SHORT_HISTORY_US)?;
    let table = sessions(settings);
    let mut rows = table.rows(host, &scan.request)?;
    let mut is_short = false;
    let mut gap = None;
    for mut chain in slice.chains {
        if is_short {
            chain = shortened(&chain, short_horizon).unwrap_or(chain);
        }
        let End::TooOld(refusal) = read(settings, host, &chain, slice.size, &mut rows)? else {
            continue;
        };
        let Some(short) = shortened(&chain, short_horizon).filter(|_| !is_short) else {
            return Err(too_old(refusal).into());
        };
        is_short = true;
        let asked = format!("from {}", chain.start_date);
        gap = Some(plans::history_gap(&asked, short_horizon + settings.slack_us));
        if let End::TooOld(refusal) = read(settings, host, &short, slice.size, &mut rows)? {
            return Err(too_old(refusal).into());
        }
    }
    let learned = is_short.then(|| serde_json::json!({ "history_us": SHORT_HISTORY_US }));
    let mut report = rows.report()?;
    report.gaps.extend(gap);
    Ok(Report { learned, ..report })
}

/// Reads all pages of a chain, with the same parameters on each.
fn read(
    settings: &Settings,
    host: &Host<'_>,
    chain: &Chain,
    size: u64,
    rows: &mut Rows<'_>,
) -> Result<End> {
    let first = chain.add_to(crate::sessions_request(settings.version), size);
    let mut pages = Pages::new(&first, &Paging::cursor("nextCursor", "cursor"))?;
    while let Some(response) = pages.send(host)? {
        let response = match response.accepted()? {
            Ok(response) => response,
            Err(refusal) if refuses_start(&refusal) => return Ok(End::TooOld(refusal)),
            Err(refusal) => return Err(refusal.into()),
        };
        let page = rows.decode(response, "sessions")?;
        pages.follow(&page)?;
    }
    Ok(End::Read)
}

/// Tells whether a request was refused for its `startDate`.
/// Source: the schema `errorresponse` of API v1, which lists faults by field.
fn refuses_start(refusal: &Refusal) -> bool {
    refusal.status == 400 && refusal.json().pointer("/errorDetails/startDate").is_some()
}

/// Returns the chain from a later begin on; `None` if it begins no earlier anyway.
fn shortened(chain: &Chain, horizon: Timestamp) -> Option<Chain> {
    let start = Timestamp::parse(&chain.start_date)?;
    (start < horizon).then(|| Chain { start_date: horizon.to_rfc3339_ms(), ..chain.clone() })
}

fn too_old(refusal: Refusal) -> WireError {
    WireError::from(refusal).with_hint(
        "the history may have moved on while it was read: set option `history_margin` to more than a scan takes",
    )
}

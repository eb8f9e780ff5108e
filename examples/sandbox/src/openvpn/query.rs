//! The parameters of a request for sessions.
//! In: decoded pairs, the API's version, the switches and the time. Out: `Query` with all defaults filled in, or a `Refusal`.
//! Called by `serve.rs`. It is strict: whatever the documents do not allow is refused, so that tests notice it.

use chrono::{DateTime, TimeDelta, Utc};

use super::ApiVersion;
use super::session::Status;
use super::store::{Filter, StatusFilter};
use super::switches::{EndDefault, Switches, UnknownStatus};
use crate::message::Request;

/// The parameters that mean something; others are ignored.
const KNOWN: [&str; 6] = ["cursor", "endDate", "returnOnlyNew", "size", "startDate", "status"];

/// A valid request for a page.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) size: usize,
    pub(super) filter: Filter,
    pub(super) cursor: Option<String>,
    /// The parameters other than size and cursor as they were sent, to which a cursor is bound.
    pub(super) binding: String,
}

/// Why a request is answered with 400.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The parameter at fault.
    pub(super) field: &'static str,
    /// What is wrong with it.
    pub(super) message: String,
}

fn refuse<T>(field: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { field, message: message.into() })
}

impl Query {
    /// Reads the parameters.
    ///
    /// # Errors
    /// The first parameter that the documents do not allow.
    pub(super) fn read(
        request: &Request,
        version: ApiVersion,
        switches: &Switches,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        for name in KNOWN {
            if request.query.iter().filter(|(key, _)| key == name).count() > 1 {
                return refuse(name, "Must not be given more than once");
            }
        }
        let size = match request.parameter("size").map(str::parse::<usize>) {
            Some(Ok(size @ 1..=100)) => size,
            Some(_) => return refuse("size", "Must be between 1 and 100"),
            None => return refuse("size", "Must not be null"),
        };
        let history = switches.history.unwrap_or(version.history());
        let start = instant(request, "startDate")?.unwrap_or(now - TimeDelta::days(1));
        if start < now - history {
            let days = history.num_days();
            return refuse("startDate", format!("Max {days} days of history available"));
        }
        let end = instant(request, "endDate")?.or(match switches.end_default {
            EndDefault::Now => Some(now),
            EndDefault::Open => None,
        });
        let only_new = match request.parameter("returnOnlyNew") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return refuse("returnOnlyNew", "Must be true or false"),
        };
        let status = status(request, switches)?;
        let mut bound: Vec<_> = request
            .query
            .iter()
            .filter(|(name, _)| {
                KNOWN.contains(&name.as_str()) && name != "size" && name != "cursor"
            })
            .collect();
        bound.sort();
        Ok(Self {
            size,
            filter: Filter { start, end, only_new, status },
            cursor: request.parameter("cursor").filter(|text| !text.is_empty()).map(str::to_owned),
            binding: format!("{version:?}{bound:?}"),
        })
    }
}

fn status(request: &Request, switches: &Switches) -> Result<StatusFilter, Refusal> {
    let Some(text) = request.parameter("status") else { return Ok(StatusFilter::Any) };
    let is_same = |status: &Status| {
        let name = status.as_str();
        name == text || (switches.status_ignores_case && name.eq_ignore_ascii_case(text))
    };
    match (Status::ALL.into_iter().find(is_same), switches.unknown_status) {
        (Some(status), _) => Ok(StatusFilter::Only(status)),
        (None, UnknownStatus::Ignored) => Ok(StatusFilter::Any),
        (None, UnknownStatus::MatchesNothing) => Ok(StatusFilter::Nothing),
        (None, UnknownStatus::Refused) => {
            refuse("status", "Must be one of ACTIVE, COMPLETED, FAILED")
        }
    }
}

/// Reads a date in ISO_INSTANT form: date, time to the second or finer, and `Z`, nothing else.
fn instant(request: &Request, name: &'static str) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let has_form = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    match DateTime::parse_from_rfc3339(text) {
        Ok(instant) if has_form => Ok(Some(instant.to_utc())),
        _ => refuse(name, "Must be an ISO_INSTANT such as 2022-11-08T14:53:43Z"),
    }
}

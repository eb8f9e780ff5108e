//! What the tests share: a connection, requests at a fixed clock, filters, the requests as text.

#![allow(dead_code, reason = "not every test uses all of it")]
#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_formal::sessionql_plugin_v1;
use sessionql_plugin_sdk::message::{HttpRequest, Plan, Request};
use sessionql_plugin_sdk::testing::FakeHost;

/// The host's clock in all tests. History is sure from 2025-12-10T12:00:00Z on.
pub(crate) const CLOCK: &str = "2026-03-10T12:00:00Z";

/// Opens a connection with the given options.
pub(crate) fn connect(options: Value) -> FakeHost {
    FakeHost::connect(sessionql_plugin_v1, options).unwrap()
}

/// Asks for ids, with filters as they cross the wall.
pub(crate) fn request(filters: Value) -> Request {
    Request {
        table: "sessions".to_owned(),
        columns: vec!["id".to_owned()],
        filters: serde_json::from_value(filters).unwrap(),
        now: CLOCK.to_owned(),
        clock: CLOCK.to_owned(),
        ..Request::default()
    }
}

/// Returns a filter on a range that includes its begin but not its end. Times lack date and zone:
/// `10 11:30:00` is 2026-03-10T11:30:00Z.
pub(crate) fn range(column: &str, since: Option<&str>, until: Option<&str>) -> Value {
    let bound = |text: Option<&str>, inclusive: bool| {
        text.map(|text| json!({"value": at(text), "inclusive": inclusive}))
    };
    json!({"op": "range", "column": column, "lower": bound(since, true), "upper": bound(until, false)})
}

/// Returns the filter of `SINCE … UNTIL …`.
pub(crate) fn window(since: Option<&str>, until: Option<&str>) -> Value {
    json!({"op": "open_during", "since": since.map(at), "until": until.map(at)})
}

/// Returns a filter on `id`.
pub(crate) fn id(values: &[&str]) -> Value {
    match values {
        [value] => json!({"op": "eq", "column": "id", "value": value}),
        values => json!({"op": "in", "column": "id", "values": values}),
    }
}

/// Returns an instant in March 2026, or the text itself if it is one already.
pub(crate) fn at(text: &str) -> String {
    match text.split_once(' ') {
        Some((day, time)) => format!("2026-03-{day}T{time}Z"),
        None => text.to_owned(),
    }
}

/// Returns a request as the name of its call and its message.
pub(crate) fn line(request: &HttpRequest) -> String {
    assert_eq!(request.method, "POST");
    assert_eq!(request.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    let call = request.path.strip_prefix("/core.v1.SessionsService/").unwrap();
    format!("{call} {}", request.body.as_deref().unwrap())
}

/// Returns a plan as lines: verdicts with reasons, first requests, gaps, notes.
pub(crate) fn shown(plan: &Plan) -> Vec<String> {
    let verdict = |(verdict, reason)| format!("{}: {reason}", json!(verdict).as_str().unwrap());
    let mut lines: Vec<_> = plan.verdicts.iter().zip(&plan.reasons).map(verdict).collect();
    lines.extend(plan.previews.iter().map(line));
    lines.extend(plan.gaps.iter().map(|gap| format!("{}: {}", gap.reason, gap.message)));
    lines.extend(plan.notes.iter().map(|note| format!("note: {note}")));
    lines
}

//! What the tests share: a connection, requests at a fixed clock, filters, records.

#![allow(dead_code, reason = "not every test uses all of it")]
#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_ekran::sessionql_plugin_v1;
use sessionql_plugin_sdk::message::{Plan, Request};
use sessionql_plugin_sdk::testing::{FakeHost, request_line};

/// The host's clock in all tests: 13:00 in Berlin.
pub(crate) const CLOCK: &str = "2026-03-10T12:00:00Z";

/// Opens a connection with the given options.
pub(crate) fn connect(options: Value) -> FakeHost {
    FakeHost::connect(sessionql_plugin_v1, options).unwrap()
}

/// Opens a connection that sends bounds from the first question on.
pub(crate) fn trusting() -> FakeHost {
    let options =
        json!({"time_zone": "Europe/Berlin", "selection": "overlap", "unfinished": "no_logout"});
    connect(options)
}

/// Asks for columns, with filters as they cross the wall.
pub(crate) fn request(columns: &[&str], filters: &[Value]) -> Request {
    Request {
        table: "sessions".to_owned(),
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        filters: serde_json::from_value(json!(filters)).unwrap(),
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

/// Returns an instant in March 2026.
pub(crate) fn at(text: &str) -> String {
    let (day, time) = text.split_once(' ').unwrap();
    format!("2026-03-{day}T{time}Z")
}

/// Returns a record of an answer.
pub(crate) fn record(id: i64, login: &str, logout: Option<&str>) -> Value {
    json!({"clientGuid": "c", "loginDate": at(login), "logoutDate": logout.map(at), "sessionId": id, "userId": id + 100})
}

/// Returns a plan as lines: verdicts, first requests without the path, notes.
pub(crate) fn shown(plan: &Plan) -> Vec<String> {
    let verdicts: Vec<_> = plan.verdicts.iter().map(|verdict| json!(verdict)).collect();
    let mut lines = vec![Value::Array(verdicts).to_string()];
    let line = |preview| request_line(preview).replace("GET /ekranapi/sessions", "all");
    lines.extend(plan.previews.iter().map(line));
    lines.extend(plan.notes.iter().map(|note| format!("note: {note}")));
    lines
}

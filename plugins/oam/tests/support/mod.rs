//! What the tests share: a connection, requests at a fixed clock, filters.

#![allow(dead_code, reason = "not every test uses all of it")]
#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_oam::sessionql_plugin_v1;
use sessionql_plugin_sdk::message::{HttpRequest, Plan, Request};
use sessionql_plugin_sdk::testing::{FakeHost, Reply};

/// The host's clock in all tests, and the date of all answers.
pub(crate) const CLOCK: &str = "2026-03-10T12:00:00Z";
const DATE: &str = "Tue, 10 Mar 2026 12:00:00 GMT";

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

/// Returns a filter on values of a column.
pub(crate) fn is(column: &str, values: &[&str]) -> Value {
    match values {
        [value] => json!({"op": "eq", "column": column, "value": value}),
        values => json!({"op": "in", "column": column, "values": values}),
    }
}

/// Returns the body of a search.
pub(crate) fn body(request: &HttpRequest) -> &str {
    request.body.as_deref().unwrap()
}

/// Returns a plan as lines: verdicts, first searches, gaps, notes.
pub(crate) fn shown(plan: &Plan) -> Vec<String> {
    let verdicts: Vec<_> = plan.verdicts.iter().map(|verdict| json!(verdict)).collect();
    let mut lines = vec![Value::Array(verdicts).to_string()];
    lines.extend(plan.previews.iter().map(|preview| body(preview).to_owned()));
    lines.extend(plan.gaps.iter().map(|gap| format!("{}: {}", gap.reason, gap.message)));
    lines.extend(plan.notes.iter().map(|note| format!("note: {note}")));
    lines
}

/// Returns a session of an hour ago; `rest` is more of its record.
pub(crate) fn session(id: &str, user: &str, rest: Value) -> Value {
    let mut record =
        json!({"sessionId": id, "userId": user, "createTime": "2026-03-10T04:00:00.000-07:00"});
    record.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap_or_default());
    record
}

/// Returns an answer with a date.
pub(crate) fn answer(total: Value, sessions: &[Value]) -> Reply {
    let body = json!({"totalRecords": total, "sessions": {"sessionData": sessions}});
    Reply { headers: vec![("date".to_owned(), DATE.to_owned())], ..Reply::json(&body) }
}

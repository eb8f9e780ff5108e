//! Holds the plugin against the rules that every plugin must keep, on an API played here.

use serde_json::{Value, json};
use sessionql_minimal::sessionql_plugin_v1;
use sessionql_plugin_sdk::check::{Data, Subject, check_provider};
use sessionql_plugin_sdk::message::HttpRequest;
use sessionql_plugin_sdk::testing::Reply;

fn session(n: usize) -> Value {
    let (start, end) =
        (format!("2026-01-05T08:{:02}:00Z", n % 60), format!("2026-01-05T09:{:02}:00Z", n % 60));
    json!({ "id": n, "user": "ada", "start": start, "end": (!n.is_multiple_of(3)).then_some(end) })
}

/// Answers with a page of the records; the cursor is the number of the first of the next page.
fn api(data: &Data, request: &HttpRequest) -> Reply {
    let cursor = request.query.first().and_then(|(_, cursor)| cursor.parse().ok());
    let begin = data.n_records.min(cursor.unwrap_or(0));
    let end = data.n_records.min(begin + data.page_rows);
    let sessions: Vec<Value> = (begin..end).map(session).collect();
    let next = (end < data.n_records).then(|| end.to_string());
    Reply::json(&json!({ "sessions": sessions, "next": next }))
}

#[test]
fn all_rules_are_kept() {
    check_provider(Subject::new(sessionql_plugin_v1).api(api));
}

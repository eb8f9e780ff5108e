//! Reads a two-page API through the functions that the plugin exports.

use serde_json::{Value, json};
use sessionql_minimal::sessionql_plugin_v1;
use sessionql_plugin_sdk::message::{HttpRequest, Request};
use sessionql_plugin_sdk::testing::{FakeHost, Reply};

fn api(request: &HttpRequest) -> Reply {
    let first = json!({"id": "1", "user": "ada", "start": "2026-01-05T08:00:00Z", "end": "2026-01-05T09:30:00Z"});
    let second = json!({"id": 2, "user": "bob", "start": "2026-01-05T10:00:00+01:00"});
    match request.query.first() {
        None => Reply::json(&json!({"sessions": [first], "next": "p2"})),
        Some(_) => Reply::json(&json!({"sessions": [second]})),
    }
}

#[test]
fn all_pages_are_read_and_nothing_is_pushed() {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    let columns = ["id", "user", "start", "end"].map(str::to_owned).into();
    let request = Request { table: "sessions".to_owned(), columns, ..Request::default() };
    let plan = host.plan(&request).unwrap();
    assert_eq!((plan.slices, plan.verdicts.len()), (vec![Value::Null], 0));

    let scan = host.scan(&request, &Value::Null, api);
    assert_eq!(scan.request_lines(), ["GET /sessions", "GET /sessions?cursor=p2"]);
    assert_eq!(
        json!(scan.rows()),
        json!([
            ["1", "ada", "2026-01-05T08:00:00Z", "2026-01-05T09:30:00Z"],
            ["2", "bob", "2026-01-05T09:00:00Z", null],
        ])
    );
    assert!(scan.outcome.unwrap().gaps.is_empty());
}

//! Holds the table and the options: the columns, and the vendor's example read into them.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{Auth, Report};
use sessionql_plugin_sdk::testing::{FakeHost, Reply};

use support::{connect, request};

/// Reads one record into the named columns.
fn read(names: &[&str], record: &Value) -> (Vec<Value>, Vec<String>) {
    let (row, report) = report(names, record);
    assert_eq!(report.gaps, []);
    (row, report.notes)
}

fn report(names: &[&str], record: &Value) -> (Vec<Value>, Report) {
    let mut request = request(json!([]));
    request.columns = names.iter().map(|&name| name.to_owned()).collect();
    request.learned = json!({"cursors": true});
    let body = json!({ "sessions": [record] });
    let (_, scans) = connect(json!({})).run(&request, |_| Reply::json(&body)).unwrap();
    assert_eq!(scans[0].error_messages(), [""; 0]);
    (scans[0].rows().remove(0), scans[0].outcome.clone().unwrap())
}

const COLUMNS: [&str; 33] = [
    "id text",
    "user text",
    "start timestamp",
    "end timestamp",
    "status text",
    "client_ip text",
    "network_server_ip_address text",
    "sidecar_id text",
    "sidecar_name text",
    "sidecar_technology text",
    "resource_type text",
    "resource_id text",
    "resource_name text",
    "resource_technology text",
    "connector_id text",
    "connector_name text",
    "user_type text",
    "formal_user_id text",
    "formal_user_name text",
    "formal_user_email text",
    "formal_user_type text",
    "formal_user_groups text_list",
    "formal_user_external_ids text_list",
    "end_user_id text",
    "end_user_name text",
    "end_user_email text",
    "end_user_type text",
    "end_user_groups text_list",
    "end_user_external_ids text_list",
    "native_username text",
    "parent_session_id text",
    "reported_duration duration",
    "raw json",
];

fn names() -> Vec<&'static str> {
    COLUMNS.iter().map(|column| column.split_once(' ').unwrap().0).collect()
}

#[test]
fn the_documented_fields_are_columns() {
    let host = connect(json!({}));
    let columns = &host.tables()[0].columns;
    let shown: Vec<_> = columns
        .iter()
        .map(|column| format!("{} {}", column.name, json!(column.column_type).as_str().unwrap()))
        .collect();
    assert_eq!(shown, COLUMNS);
    assert!(columns.iter().all(|column| column.nullable == (column.name != "id")));
    assert!(columns.iter().all(|column| column.hidden == (column.name == "raw")));
    assert!(columns.iter().all(|column| column.doc.ends_with('.')));
}

#[test]
fn the_vendors_example_is_read() {
    let identity = |who: &str| {
        json!({"id": format!("{who} id"), "name": who, "email": format!("{who}@acme.example"),
            "type": "human", "groups": ["g1", "g2"], "externalIds": ["okta 1"]})
    };
    let record = json!({
        "id": "s1", "startTime": "2023-11-07T05:31:56.123456789Z", "endTime": "2023-11-07T05:32:00Z",
        "duration": "3.876543211s", "sessionStatus": "completed",
        "network": {"clientIpAddress": "192.0.2.1", "serverIpAddress": "10.0.0.1"},
        "sidecar": {"id": "sc", "name": "old", "technology": "postgres"},
        "user": {"type": "formal", "username": "ada",
            "formal": {"user": identity("ada"), "endUser": identity("bob")},
            "native": {"username": "root"}},
        "resource": {"type": "datastore", "id": "r", "name": "orders", "technology": "postgres"},
        "connector": {"id": "c", "name": "new"},
        "parentSessionId": "s0", "riskLevel": 7,
    });
    let (row, notes) = read(&names(), &record);
    let expected = json!([
        "s1",
        "ada",
        "2023-11-07T05:31:56.123456Z",
        "2023-11-07T05:32:00Z",
        "COMPLETED",
        "192.0.2.1",
        "10.0.0.1",
        "sc",
        "old",
        "postgres",
        "datastore",
        "r",
        "orders",
        "postgres",
        "c",
        "new",
        "formal",
        "ada id",
        "ada",
        "ada@acme.example",
        "human",
        ["g1", "g2"],
        ["okta 1"],
        "bob id",
        "bob",
        "bob@acme.example",
        "human",
        ["g1", "g2"],
        ["okta 1"],
        "root",
        "s0",
        3_876_543,
        record.to_string(),
    ]);
    assert_eq!((json!(row), notes), (expected, Vec::new()));
}

#[test]
fn what_is_left_out_is_null() {
    let (row, _) = read(&names()[..32], &json!({"id": "a", "network": {}, "user": {"formal": {}}}));
    assert_eq!(row[0], "a");
    assert!(row[1..].iter().all(Value::is_null), "{row:?}");
}

#[test]
fn states_are_in_upper_case_known_or_not() {
    for (state, shown) in [("active", "ACTIVE"), ("idle", "IDLE"), ("Cut off", "CUT OFF")] {
        let (row, _) = read(&["status"], &json!({"id": "a", "sessionStatus": state}));
        assert_eq!(row, [shown]);
    }
}

#[test]
fn a_completed_session_without_end_gets_the_one_it_proves() {
    let start = "2026-03-10T10:00:00Z";
    let (row, notes) = read(
        &["end"],
        &json!({"id": "a", "sessionStatus": "completed", "duration": "3.500s", "startTime": start}),
    );
    assert_eq!(row, ["2026-03-10T10:00:03.500Z"]);
    assert!(notes[0].starts_with("end_inferred: 1 session"));
    // Without a duration nothing proves it.
    let (row, report) =
        report(&["end"], &json!({"id": "a", "sessionStatus": "completed", "startTime": start}));
    assert_eq!(row, [start]);
    assert!(report.notes[0].starts_with("end_inferred: 1 session"));
    assert_eq!(report.gaps[0].reason.as_str(), "clamped");
    assert!(report.gaps[0].message.starts_with("1 session came closed without an end"));
    for state in ["active", "idle"] {
        let (row, notes) = read(
            &["end"],
            &json!({"id": "a", "sessionStatus": state, "startTime": start, "endTime": start}),
        );
        assert_eq!(row, [Value::Null]);
        assert!(notes[0].starts_with("end_ignored: 1 session"));
    }
}

#[test]
fn the_key_goes_where_the_options_say() {
    let auth = |options: Value| connect(options).connected().auth.clone().unwrap();
    let header = Auth::Header { header: "X-API-KEY".to_owned(), value: "api_key".to_owned() };
    assert_eq!(auth(json!({})), header);
    let bearer = Auth::Bearer { token: "api_key".to_owned() };
    assert_eq!(auth(json!({"api_key_in": "bearer"})), bearer);
}

#[test]
fn only_the_two_reading_calls_can_be_sent() {
    let host = connect(json!({}));
    let patterns: Vec<_> = host
        .patterns()
        .iter()
        .map(|pattern| (pattern.method.as_str(), pattern.path.as_str(), pattern.safe))
        .collect();
    let expected = [
        ("POST", "/core.v1.SessionsService/ListSessionsV2", true),
        ("POST", "/core.v1.SessionsService/GetSession", true),
    ];
    assert_eq!(patterns, expected);
}

#[test]
fn options_are_checked_together() {
    let connected =
        |options: Value| FakeHost::connect(sessionql_formal::sessionql_plugin_v1, options);
    let options = json!({"page_size": 0, "max_lookups": 1001, "history": -1, "slack": -1});
    let messages: Vec<_> =
        connected(options).unwrap_err().errors.into_iter().map(|error| error.message).collect();
    let expected = [
        "option `page_size` is 0, not 1 to 100000",
        "option `max_lookups` is 1001, not 0 to 1000",
        "option `slack` is shorter than nothing",
        "option `history` is shorter than nothing",
    ];
    assert_eq!(messages, expected);
    assert!(connected(json!({"page_size": 100_000, "max_lookups": 0})).is_ok());
}

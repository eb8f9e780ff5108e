//! Holds the table: its columns, and the vendor's example read into them.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{Auth, Column};
use sessionql_plugin_sdk::testing::Reply;

use support::{connect, request};

fn columns(options: Value) -> Vec<Column> {
    connect(options).tables()[0].columns.clone()
}

/// Reads one record into the named columns.
fn read(names: &[&str], options: Value, record: &Value) -> (Vec<Value>, Vec<String>) {
    let mut request = request(json!([]));
    request.columns = names.iter().map(|&name| name.to_owned()).collect();
    let body = json!({ "sessions": [record] });
    let (_, scans) = connect(options).run(&request, |_| Reply::json(&body)).unwrap();
    assert_eq!(scans[0].error_messages(), [""; 0]);
    (scans[0].rows().remove(0), scans[0].outcome.clone().unwrap().notes)
}

#[test]
fn beta_has_the_documented_fields() {
    let columns = columns(json!({}));
    let shown: Vec<_> = columns
        .iter()
        .map(|column| format!("{} {}", column.name, json!(column.column_type).as_str().unwrap()))
        .collect();
    let expected = [
        "id text",
        "user text",
        "start timestamp",
        "end timestamp",
        "status text",
        "client_ip text",
        "user_id text",
        "user_group text",
        "first_name text",
        "last_name text",
        "email text",
        "client_uuid text",
        "device_id text",
        "device_name text",
        "os_type text",
        "os_version text",
        "connector_id text",
        "connector_name text",
        "host_id text",
        "host_name text",
        "network_id text",
        "network_name text",
        "region text",
        "protocol text",
        "tunnel_ip_v4 text",
        "tunnel_ip_v6 text",
        "disconnect_reason text",
        "bytes_in int64",
        "bytes_out int64",
        "reported_duration duration",
        "raw json",
    ];
    assert_eq!(shown, expected);
    assert!(columns.iter().all(|column| column.nullable == (column.name != "id")));
    assert!(columns.iter().all(|column| column.hidden == (column.name == "raw")));
    assert!(columns.iter().all(|column| column.doc.ends_with('.')));
}

#[test]
fn v1_has_three_fields_more() {
    let names: Vec<_> = columns(json!({"api_version": "v1"})).into_iter().map(|c| c.name).collect();
    let expected =
        ["disconnect_reason_description", "primary_group_name", "secondary_group_names", "raw"];
    assert_eq!(names[30..], expected);
}

#[test]
fn a_version_decides_paths_and_token_request() {
    for (version, root) in [("beta", "/api/beta"), ("v1", "/api/v1")] {
        let host = connect(json!({"api_version": version, "credentials_in": "basic"}));
        let paths: Vec<_> = host.patterns().iter().map(|pattern| pattern.path.clone()).collect();
        assert_eq!(paths, [format!("{root}/sessions")]);
        let Some(Auth::OAuth2ClientCredentials { token_path, placement, .. }) =
            &host.connected().auth
        else {
            panic!("no token request");
        };
        assert_eq!(*token_path, format!("{root}/oauth/token"));
        assert_eq!(json!(placement), json!("basic"));
    }
    assert_eq!(connect(json!({})).manifest().patterns.len(), 2);
}

#[test]
fn the_vendors_example_is_read() {
    let record = json!({
        "bytesIn": 0, "bytesOut": "17", "clientUUID": "string", "connectorId": null,
        "deviceName": "laptop", "id": "63527ce1", "publicIp": "192.0.2.1", "status": "COMPLETED",
        "sessionDurationSeconds": 5, "sessionStartTime": "2023-07-21T14:49:53.940Z",
        "sessionEndTime": "2023-07-21T14:49:58.940Z", "tunnelIpV4": "100.96.0.2", "userName": "ada",
        "secondaryGroupNames": ["a", "b"],
    });
    let names = [
        "id",
        "user",
        "start",
        "end",
        "status",
        "client_ip",
        "bytes_in",
        "bytes_out",
        "reported_duration",
        "tunnel_ip_v4",
        "connector_id",
        "email",
        "secondary_group_names",
    ];
    let (row, notes) = read(&names, json!({"api_version": "v1"}), &record);
    assert_eq!(
        json!(row),
        json!([
            "63527ce1",
            "ada",
            "2023-07-21T14:49:53.940Z",
            "2023-07-21T14:49:58.940Z",
            "COMPLETED",
            "192.0.2.1",
            0,
            17,
            5_000_000,
            "100.96.0.2",
            null,
            null,
            ["a", "b"],
        ])
    );
    assert_eq!(notes, [""; 0]);
    let (raw, _) = read(&["raw"], json!({}), &record);
    assert_eq!(raw[0].as_str().unwrap(), record.to_string());
}

#[test]
fn a_closed_session_without_end_gets_the_one_it_proves() {
    let record = json!({"id": "a", "status": "COMPLETED", "sessionDurationSeconds": 90,
        "sessionStartTime": "2026-03-10T10:00:00Z"});
    let (row, notes) = read(&["end"], json!({}), &record);
    assert_eq!(row, [json!("2026-03-10T10:01:30Z")]);
    assert!(notes[0].starts_with("end_inferred: 1 session"));
}

#[test]
fn options_are_checked_together() {
    let options = json!({"history": 60, "history_margin": 60});
    let error = sessionql_plugin_sdk::testing::FakeHost::connect(
        sessionql_openvpn::sessionql_plugin_v1,
        options,
    );
    let message = "option `history` is not longer than option `history_margin`";
    assert_eq!(error.unwrap_err().errors[0].message, message);
}

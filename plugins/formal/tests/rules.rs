//! Holds the plugin against the rules that every plugin must keep, on an API played here.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_formal::sessionql_plugin_v1;
use sessionql_plugin_sdk::Timestamp;
use sessionql_plugin_sdk::check::{CLOCK, Data, Standing, Subject, check_provider};
use sessionql_plugin_sdk::message::HttpRequest;
use sessionql_plugin_sdk::testing::Reply;

const MINUTE_US: i64 = 60_000_000;

fn start(n: usize) -> Timestamp {
    Timestamp::parse(CLOCK).unwrap() - (30 + 37 * n as i64) * MINUTE_US
}

fn record(n: usize) -> Value {
    let is_open = n.is_multiple_of(3);
    let user = ["ann", "Bob", "bob"][n % 3];
    let mut record = json!({
        "id": format!("s{n}"), "user": {"username": user},
        "startTime": start(n).to_rfc3339(),
        "sessionStatus": if is_open { "active" } else { "completed" },
        "network": {"clientIpAddress": "192.0.2.7"},
    });
    if !is_open {
        record["endTime"] = json!((start(n) + 20 * MINUTE_US).to_rfc3339());
    }
    record
}

fn error(status: u16, code: &str) -> Reply {
    Reply::status(status, json!({ "code": code, "message": "so it is" }).to_string())
}

/// Lists by start, newest first, with the last id of a page as its cursor; or looks one up.
fn api(data: &Data, request: &HttpRequest) -> Reply {
    let message: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
    if let Some(id) = message["sessionId"].as_str() {
        let found = (0..data.n_records).map(record).find(|record| record["id"] == id);
        return match found {
            Some(record) => Reply::json(&json!({ "session": record })),
            None => error(404, "not_found"),
        };
    }
    let bound = |name: &str| message[name].as_str().map(|text| Timestamp::parse(text).unwrap());
    let (since, until) = (bound("startTimestamp"), bound("endTimestamp"));
    let is_asked = |n: &usize| {
        since.is_none_or(|since| start(*n) >= since) && until.is_none_or(|until| start(*n) <= until)
    };
    let listed: Vec<Value> = (0..data.n_records).filter(is_asked).map(record).collect();
    let begin = match message["cursor"].as_str() {
        None => 0,
        Some(cursor) => match listed.iter().position(|record| record["id"] == cursor) {
            Some(place) => place + 1,
            None => return error(400, "invalid_argument"),
        },
    };
    let limit = usize::try_from(message["limit"].as_u64().unwrap()).unwrap();
    let end = (begin + limit.min(data.page_rows)).min(listed.len());
    let mut page = json!({ "listMetadata": {} });
    if begin < end {
        page["sessions"] = json!(listed[begin..end]);
    }
    if end < listed.len() {
        page["listMetadata"]["nextCursor"] = listed[end - 1]["id"].clone();
    }
    Reply::json(&page)
}

#[test]
fn all_rules_are_kept() {
    for options in [json!({}), json!({ "timestamp_is": "start" })] {
        let subject = Subject::new(sessionql_plugin_v1).options(options).api(api);
        let checked = check_provider(subject);
        let skipped = checked.iter().filter(|checked| checked.standing == Standing::Skipped);
        assert_eq!(skipped.map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    }
}

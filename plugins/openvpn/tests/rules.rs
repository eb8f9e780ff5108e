//! Holds the plugin against the rules that every plugin must keep, on an API played here.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_openvpn::sessionql_plugin_v1;
use sessionql_plugin_sdk::Timestamp;
use sessionql_plugin_sdk::check::{CLOCK, Data, Standing, Subject, check_provider};
use sessionql_plugin_sdk::message::HttpRequest;
use sessionql_plugin_sdk::testing::Reply;

const MINUTE_US: i64 = 60_000_000;

/// A record, when it was created, and when it was last updated.
struct Kept {
    record: Value,
    created: Timestamp,
    updated: Timestamp,
}

fn kept(n: usize) -> Kept {
    let clock = Timestamp::parse(CLOCK).unwrap();
    let created = clock - (30 + 37 * n as i64) * MINUTE_US;
    let end = created + 20 * MINUTE_US;
    let status = ["ACTIVE", "COMPLETED", "FAILED"][n % 3];
    let is_open = status == "ACTIVE";
    let user = ["ann", "Bob", "bob"][n % 3];
    let record = json!({
        "id": format!("s{n}"), "userName": (!n.is_multiple_of(7)).then_some(user), "status": status,
        "sessionStartTime": created.to_rfc3339(),
        "sessionEndTime": (!is_open).then(|| end.to_rfc3339()),
        "publicIp": "192.0.2.7", "bytesIn": n, "secondaryGroupNames": ["all", "staff"],
    });
    Kept { record, created, updated: if is_open { clock } else { end } }
}

/// Answers with new or updated records, oldest bound first, in pages.
fn api(data: &Data, request: &HttpRequest) -> Reply {
    let get = |wanted: &str| {
        request.query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    let at = |name: &str| get(name).map(|text| Timestamp::parse(text).unwrap());
    let (since, until) = (at("startDate").unwrap(), at("endDate"));
    let is_new = get("returnOnlyNew") == Some("true");
    let is_asked = |kept: &Kept| {
        let at = if is_new { kept.created } else { kept.updated };
        let is_status = get("status").is_none_or(|status| kept.record["status"] == status);
        is_status && at >= since && until.is_none_or(|until| at <= until)
    };
    let kept: Vec<Kept> = (0..data.n_records).map(kept).filter(is_asked).collect();
    let size: usize = get("size").unwrap().parse().unwrap();
    let begin: usize = get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let begin = begin.min(kept.len());
    let end = (begin + size.min(data.page_rows)).min(kept.len());
    let sessions: Vec<&Value> = kept[begin..end].iter().map(|kept| &kept.record).collect();
    let next = (end < kept.len()).then(|| end.to_string());
    Reply::json(&json!({ "sessions": sessions, "nextCursor": next }))
}

#[test]
fn all_rules_are_kept() {
    let checked = check_provider(Subject::new(sessionql_plugin_v1).options(json!({})).api(api));
    let skipped = checked.iter().filter(|checked| checked.standing == Standing::Skipped);
    assert_eq!(skipped.map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
}

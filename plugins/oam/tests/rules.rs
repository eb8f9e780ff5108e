//! Holds the plugin against the rules that every plugin must keep, on an API played here.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_oam::sessionql_plugin_v1;
use sessionql_plugin_sdk::check::{Data, Standing, Subject, check_provider};
use sessionql_plugin_sdk::message::HttpRequest;
use sessionql_plugin_sdk::testing::Reply;

use support::{answer, session};

fn record(n: usize) -> Value {
    let store = ["main", "Main", "old"][n % 3];
    let rest = json!({
        "createTime": format!("2026-03-10T{:02}:{:02}:07Z", 8 + n / 60, n % 60),
        "clientIp": format!("192.0.2.{}", n % 4),
        "idStoreName": store,
        "isImpersonating": n.is_multiple_of(5),
    });
    session(&format!("s{n}"), ["ann", "Bob", "bob", "carl"][n % 4], rest)
}

/// Searches by the fields of a record, and answers with 28 records at most.
fn api(data: &Data, request: &HttpRequest) -> Reply {
    let search: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
    let is_asked = |record: &Value| {
        search.as_object().unwrap().iter().all(|(name, value)| record[name] == *value)
    };
    let found: Vec<Value> = (0..data.n_records).map(record).filter(is_asked).collect();
    answer(json!(found.len()), &found[..found.len().min(28)])
}

#[test]
fn all_rules_are_kept_but_those_on_pages() {
    let options = json!({ "username": "reader" });
    let checked = check_provider(Subject::new(sessionql_plugin_v1).options(options).api(api));
    let skipped = checked.iter().filter(|checked| checked.standing == Standing::Skipped);
    assert_eq!(
        skipped.map(ToString::to_string).collect::<Vec<_>>(),
        [
            "skipped: options/all-at-once: needs two options with values that the plugin refuses",
            "skipped: paging/short-page: needs an API that answers in pages",
            "skipped: paging/empty-last-page: needs an API that answers in pages",
            "skipped: paging/cursor-loop: needs an API that answers in pages",
        ]
    );
}

//! Holds the table and the forms of answers: the vendor's sample, and what mappers make of it.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::testing::{Reply, Scan};

use support::{connect, is, request};

/// The first session of the vendor's first sample, in its form.
const SAMPLE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<SessionResults>
<totalRecords>1</totalRecords>
<sessions>
<sessionData>
<sessionId>53f96ca1-e65a-47ee-a758-a1cebb63f4b3|L+h1SktCgMtjnOnmIWL+gnpIstrT9hGuPD0beqGK5Cc=</sessionId>
<createTime>2017-05-31T13:56:19.000-07:00</createTime>
<updateTime>2017-05-31T13:56:19.000-07:00</updateTime>
<lastAccessTime>2017-05-31T13:56:19.000-07:00</lastAccessTime>
<userId>user2</userId>
<clientIp>5.6.7.8</clientIp>
<idStoreName>UserIdentityStore1</idStoreName>
<isImpersonating>false</isImpersonating>
</sessionData>
</sessions>
</SessionResults>
"#;

fn scan(columns: &[&str], body: &str) -> Scan {
    let mut request = request(json!([is("user", &["user2"])]));
    request.columns = columns.iter().map(|&name| name.to_owned()).collect();
    let (_, mut scans) = connect(json!({})).run(&request, |_| Reply::status(200, body)).unwrap();
    scans.remove(0)
}

fn rows(columns: &[&str], body: &str) -> Value {
    let scan = scan(columns, body);
    assert_eq!(scan.error_messages(), [""; 0], "{body}");
    assert!(scan.outcome.clone().unwrap().gaps.is_empty(), "{body}");
    json!(scan.rows())
}

#[test]
fn the_vendors_sample_is_read() {
    let columns = [
        "id",
        "user",
        "start",
        "end",
        "status",
        "client_ip",
        "update_time",
        "id_store_name",
        "is_impersonating",
        "expiry_time",
        "user_attributes",
    ];
    let expected = json!([[
        "53f96ca1-e65a-47ee-a758-a1cebb63f4b3|L+h1SktCgMtjnOnmIWL+gnpIstrT9hGuPD0beqGK5Cc=",
        "user2",
        "2017-05-31T20:56:19Z",
        null,
        "ACTIVE",
        "5.6.7.8",
        "2017-05-31T20:56:19Z",
        "UserIdentityStore1",
        false,
        null,
        null,
    ]]);
    assert_eq!(rows(&columns, SAMPLE), expected);
}

#[test]
fn a_list_has_many_forms() {
    let one = json!({"sessionId": "a", "userId": "user2"});
    for sessions in
        [json!({"sessionData": [one]}), json!({"sessionData": one}), json!([one]), one.clone()]
    {
        let results = json!({"totalRecords": "1", "sessions": sessions});
        assert_eq!(rows(&["id"], &results.to_string()), json!([["a"]]), "{results}");
        let wrapped = json!({"SessionResults": results});
        assert_eq!(rows(&["id"], &wrapped.to_string()), json!([["a"]]), "{wrapped}");
    }
    for nothing in [
        r#"{"totalRecords":0}"#,
        r#"{"totalRecords":0,"sessions":null}"#,
        r#"{"totalRecords":0,"sessions":""}"#,
        r#"{"totalRecords":0,"sessions":{}}"#,
        r#"{"sessions":{"sessionData":null}}"#,
        "<SessionResults/>",
        "<SessionResults>\n</SessionResults>",
        "<SessionResults><totalRecords>0</totalRecords><sessions>\n</sessions></SessionResults>",
    ] {
        assert_eq!(rows(&["id"], nothing), json!([]), "{nothing}");
    }
}

#[test]
fn rows_of_others_are_cut_and_do_not_count_twice() {
    let row = |id: &str, user: &str| json!({"sessionId": id, "userId": user});
    let all = [row("a", "user2"), row("b", "USER2"), row("c", "user20"), row("a", "user2")];
    let results = json!({"totalRecords": 3, "sessions": all});
    assert_eq!(rows(&["user", "id"], &results.to_string()), json!([["user2", "a"]]));
}

#[test]
fn raw_is_the_record() {
    let record = r#"{ "userId":"user2", "sessionId":"a", "unknown":[1.50] }"#;
    let results = format!(r#"{{"totalRecords":1,"sessions":[{record}]}}"#);
    assert_eq!(rows(&["raw"], &results), json!([[record]]));
    let raw = rows(&["raw"], SAMPLE);
    let raw: Value = serde_json::from_str(raw[0][0].as_str().unwrap()).unwrap();
    assert_eq!(raw["isImpersonating"], "false");
}

#[test]
fn answers_of_another_shape_are_errors() {
    for (body, expected) in [
        ("", "is no JSON object of sessions"),
        ("[1]", "is no JSON object of sessions"),
        ("<a", "has no well-formed XML"),
        ("<Error><code>5</code></Error>", "is XML without `SessionResults`"),
        (
            "<SessionResults><code>5</code></SessionResults>",
            "has neither `totalRecords` nor `sessions`",
        ),
        ("<SessionResults>none</SessionResults>", "is no JSON object of sessions"),
        (
            "<SessionResults><sessions><code>5</code></sessions></SessionResults>",
            "has no list of sessions in `sessions`",
        ),
        (r#"{"code": 5}"#, "has neither `totalRecords` nor `sessions`"),
        (r#"{"sessions": [5]}"#, "has something else at `sessions[0]`, where an object is due"),
        (
            r#"{"sessions": [{"sessionId": "a", "userId": "user2", "isImpersonating": "maybe"}]}"#,
            "has text at `sessions[0].isImpersonating`, where true or false is due",
        ),
    ] {
        let messages = scan(&["id"], body).error_messages();
        assert!(messages[0].contains(expected), "{body}: {messages:?}");
    }
}

#[test]
fn the_columns_are_declared() {
    let host = connect(json!({}));
    let table = &host.tables()[0];
    let having = |what: fn(&sessionql_plugin_sdk::message::Column) -> bool| -> Vec<&str> {
        table.columns.iter().filter(|column| what(column)).map(|column| &*column.name).collect()
    };
    assert_eq!(having(|column| column.sensitive), ["id", "session_id", "raw"]);
    assert_eq!(
        having(|column| column.lookup),
        ["id", "user", "client_ip", "session_id", "user_id"]
    );
    assert_eq!(having(|column| column.hidden), ["raw"]);
    assert_eq!(
        having(|column| !column.nullable),
        ["id", "user", "status", "session_id", "user_id"]
    );
    assert!(table.columns.iter().all(|column| column.doc.ends_with('.')));
    assert_eq!(table.limits.cap, Some(28));
}

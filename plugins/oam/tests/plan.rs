//! Holds what is sent for each shape of question, with verdicts, gaps and notes.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::Plan;

use support::{connect, is, request, shown};

const UNKEYED: &str = "note: the provider shows 28 sessions of a search: name `user`, `client_ip` or `id` to see all of theirs";

fn plan(filters: &[Value]) -> Plan {
    connect(json!({})).plan(&request(json!(filters))).unwrap()
}

#[track_caller]
fn check(filters: &[Value], expected: &[&str]) {
    let plan = plan(filters);
    assert_eq!(shown(&plan), expected);
    assert_eq!(plan.reasons.len(), filters.len());
    let n_searches = plan.previews.len() as u64;
    assert_eq!(plan.estimate.requests, Some(n_searches));
    assert_eq!(plan.slices.len(), usize::from(n_searches > 0));
}

#[test]
fn no_filter_searches_for_anything() {
    check(&[], &["[]", "{}", UNKEYED]);
}

#[test]
fn one_value_of_each_field_is_sent_together() {
    check(&[is("user", &["ann"])], &[r#"["exact"]"#, r#"{"userId":"ann"}"#]);
    check(
        &[
            is("id_store_name", &["main"]),
            is("client_ip", &["192.0.2.1"]),
            json!({"op": "eq", "column": "is_impersonating", "value": true}),
            is("session_id", &["a|b+/="]),
        ],
        &[
            r#"["exact","exact","exact","exact"]"#,
            r#"{"clientIp":"192.0.2.1","sessionId":"a|b+/=","idStoreName":"main","isImpersonating":true}"#,
        ],
    );
    check(
        &[is("id_store_name", &["main"])],
        &[r#"["exact"]"#, r#"{"idStoreName":"main"}"#, UNKEYED],
    );
}

#[test]
fn the_shortest_list_of_keys_fans_out() {
    check(
        &[
            is("user", &["ann", "bob", "carl"]),
            is("client_ip", &["192.0.2.1", "192.0.2.2"]),
            is("id_store_name", &["main"]),
        ],
        &[
            r#"["exact","exact","exact"]"#,
            r#"{"clientIp":"192.0.2.1","idStoreName":"main"}"#,
            r#"{"clientIp":"192.0.2.2","idStoreName":"main"}"#,
        ],
    );
    let expected = [r#"["exact","exact"]"#, r#"{"sessionId":"x"}"#];
    check(&[is("user", &["ann", "bob"]), is("id", &["x"])], &expected);
    check(
        &[is("id_store_name", &["a", "b"])],
        &[r#"["exact"]"#, r#"{"idStoreName":"a"}"#, r#"{"idStoreName":"b"}"#, UNKEYED],
    );
}

#[test]
fn two_names_of_a_field_are_asked_together() {
    let both = [is("user", &["ann", "bob"]), is("user_id", &["bob", "carl"])];
    check(&both, &[r#"["exact","exact"]"#, r#"{"userId":"bob"}"#]);
    check(&[is("user", &["ann"]), is("user_id", &["bob"])], &[r#"["exact","exact"]"#]);
}

#[test]
fn patterns_and_nothing_are_not_sent() {
    for value in ["a*", "%", "", " ", "corp\\ann", "[ann]"] {
        check(&[is("user", &[value])], &[r#"["exact"]"#, "{}", UNKEYED]);
    }
    check(&[is("user", &["ann", "a*"])], &[r#"["exact"]"#, r#"{"userId":"ann"}"#, "{}", UNKEYED]);
    check(
        &[is("user", &["a*"]), is("client_ip", &["192.0.2.1"])],
        &[r#"["exact","exact"]"#, r#"{"clientIp":"192.0.2.1"}"#],
    );
}

#[test]
fn both_truth_values_are_not_sent() {
    let both = json!({"op": "in", "column": "is_impersonating", "values": [true, false]});
    check(&[both], &[r#"["exact"]"#, "{}", UNKEYED]);
}

#[test]
fn only_open_sessions_have_rows() {
    let open_only = "note: the provider shows open sessions only";
    check(&[is("status", &["ACTIVE", "FAILED"])], &[r#"["exact"]"#, "{}", UNKEYED]);
    check(&[is("status", &["COMPLETED"])], &[r#"["exact"]"#, open_only]);
    let null = |negated| json!({"op": "is_null", "column": "end", "negated": negated});
    check(&[null(false), is("user", &["a"])], &[r#"["exact","exact"]"#, r#"{"userId":"a"}"#]);
    check(&[null(true)], &[r#"["exact"]"#, open_only]);
    check(&[null(false), is("status", &["FAILED"])], &[r#"["exact","exact"]"#]);
}

fn gaps(filters: &[Value]) -> Vec<String> {
    plan(filters).gaps.into_iter().map(|gap| format!("{}: {}", gap.reason, gap.message)).collect()
}

#[test]
fn a_question_about_the_past_has_a_gap() {
    let window = |since: Option<&str>, until: Option<&str>| json!({"op": "open_during", "since": since, "until": until});
    let range = |column: &str, at: &str| {
        let bound = json!({"value": at, "inclusive": true});
        json!({"op": "range", "column": column, "lower": bound})
    };
    let (before, clock) = ("2026-03-10T11:59:59.999999Z", support::CLOCK);
    let covered = "covered is what is open now; `end IS NULL` asks for just that";
    let from = format!("history: asked from {before}, {covered}");
    let until = format!("history: asked until {clock}, {covered}");
    assert_eq!(gaps(&[window(Some(clock), Some(clock))]), [""; 0]);
    assert_eq!(gaps(&[window(Some(clock), None)]), [""; 0]);
    assert_eq!(gaps(&[window(None, Some("2026-03-10T12:00:01Z"))]), [""; 0]);
    assert_eq!(gaps(&[window(Some(before), None)]), [from.as_str()]);
    assert_eq!(gaps(&[window(Some(before), Some(before))]), [from.as_str()]);
    assert_eq!(gaps(&[window(None, Some(clock))]), [until.as_str()]);
    assert_eq!(gaps(&[range("start", before)]), [from.as_str()]);
    assert_eq!(gaps(&[range("end", before)]), [from.as_str()]);
    assert_eq!(gaps(&[is("start", &[before, clock])]), [from.as_str()]);
    assert_eq!(gaps(&[range("start", before), is("status", &["ACTIVE"])]), [""; 0]);
    let open = json!({"op": "is_null", "column": "end"});
    assert_eq!(gaps(&[window(Some(before), None), open]), [""; 0]);
    assert_eq!(
        plan(&[window(Some(before), None)]).verdicts,
        plan(&[range("start", before)]).verdicts
    );
}

#[test]
fn an_unreadable_clock_is_an_error() {
    let mut request = request(json!([]));
    request.clock = "noon".to_owned();
    let error = connect(json!({})).plan(&request).unwrap_err();
    assert_eq!(error.errors[0].message, "the host's clock `noon` cannot be read");
}

#[test]
fn the_path_that_creates_and_deletes_is_not_declared() {
    let host = connect(json!({}));
    let patterns: Vec<_> = host.patterns().iter().map(|p| (&*p.method, &*p.path)).collect();
    assert_eq!(patterns, [("POST", "/oam/services/rest/access/api/v1/sessions")]);
    assert!(host.patterns()[0].safe);
}

#[test]
fn options_are_checked() {
    let error = sessionql_plugin_sdk::testing::FakeHost::connect(
        sessionql_oam::sessionql_plugin_v1,
        json!({"max_split_requests": -1}),
    );
    let message = "option `max_split_requests` must not be negative";
    assert_eq!(error.unwrap_err().errors[0].message, message);
}

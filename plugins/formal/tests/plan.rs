//! Holds what is sent for each shape of question, with verdicts, reasons, gaps and notes.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};

use support::{connect, id, range, request, shown, window};

const ALL: &str = r#"ListSessionsV2 {"limit":1000}"#;
const NO_START: &str = "unsupported: the API may mean another time than the start";
const NO_WINDOW: &str =
    "unsupported: sessions that began before it are outside of the API's own window";
const NO_BOUND: &str = "unsupported: the API has no such bound";
const OLD: &str = "note: a session that began before 2025-12-10T12:00:00Z may be missing, for the API may no longer show it";
const COVERED: &str =
    "note: covered from 2025-12-10T12:00:00Z, where the provider's history may begin";

#[track_caller]
fn check_with(options: Value, filters: &[Value], expected: &[&str]) {
    let plan = connect(options).plan(&request(json!(filters))).unwrap();
    assert_eq!(shown(&plan), expected);
    assert_eq!(plan.slices.len(), usize::from(!plan.previews.is_empty()));
    assert_eq!((plan.reasons.len(), plan.verdicts.len()), (filters.len(), filters.len()));
}

#[track_caller]
fn check(filters: &[Value], expected: &[&str]) {
    check_with(json!({}), filters, expected);
}

#[test]
fn no_filter_lists_everything() {
    check(&[], &[ALL]);
}

#[test]
fn of_a_range_of_starts_the_lower_bound_is_sent() {
    let sent = r#"ListSessionsV2 {"limit":1000,"startTimestamp":"2026-03-09T09:58:59Z"}"#;
    for until in [None, Some("09 11:00:00")] {
        check(
            &[range("start", Some("09 10:00:00"), until)],
            &["inexact: its lower bound is sent", sent],
        );
    }
    check(&[range("start", None, Some("09 11:00:00"))], &[NO_START, ALL, COVERED]);
}

#[test]
fn an_upper_bound_is_sent_if_the_api_is_known_to_mean_the_start() {
    let options = || json!({"timestamp_is": "start"});
    check_with(
        options(),
        &[range("start", Some("09 10:00:00"), Some("09 11:00:00"))],
        &[
            "inexact: both bounds are sent",
            r#"ListSessionsV2 {"limit":1000,"startTimestamp":"2026-03-09T09:58:59Z","endTimestamp":"2026-03-09T11:01:01Z"}"#,
        ],
    );
    let until = r#"ListSessionsV2 {"limit":1000,"endTimestamp":"2026-03-09T11:01:01Z"}"#;
    let upper = "inexact: its upper bound is sent";
    check_with(options(), &[range("start", None, Some("09 11:00:00"))], &[upper, until, COVERED]);
    check_with(
        options(),
        &[window(Some("09 10:00:00"), Some("09 11:00:00"))],
        &[upper, until, OLD],
    );
    check_with(
        options(),
        &[range("end", Some("09 10:00:00"), Some("09 11:00:00"))],
        &[NO_BOUND, ALL, OLD],
    );
}

#[test]
fn bounds_are_whole_seconds_outward() {
    let start = |us: &str| json!({"op": "eq", "column": "start", "value": format!("2026-03-09T10:00:00{us}Z")});
    let options = json!({"timestamp_is": "start", "slack": 0});
    for (us, since, until) in [
        ("", "2026-03-09T09:59:59Z", "2026-03-09T10:00:02Z"),
        (".000001", "2026-03-09T09:59:59Z", "2026-03-09T10:00:02Z"),
        (".999999", "2026-03-09T09:59:59Z", "2026-03-09T10:00:02Z"),
    ] {
        let plan = connect(options.clone()).plan(&request(json!([start(us)]))).unwrap();
        let sent = format!(
            r#"ListSessionsV2 {{"limit":1000,"startTimestamp":"{since}","endTimestamp":"{until}"}}"#
        );
        assert_eq!(shown(&plan)[1], sent);
    }
}

#[test]
fn windows_and_ends_send_nothing_by_default() {
    check(&[window(Some("09 10:00:00"), Some("09 11:00:00"))], &[NO_WINDOW, ALL, OLD]);
    check(&[window(Some("09 10:00:00"), Some("09 10:00:00"))], &[NO_WINDOW, ALL, OLD]);
    check(&[window(None, Some("09 10:00:00"))], &[NO_WINDOW, ALL, COVERED]);
    check(&[range("end", Some("09 10:00:00"), None)], &[NO_BOUND, ALL, OLD]);
    check(&[range("end", None, Some("09 10:00:00"))], &[NO_BOUND, ALL, COVERED]);
}

#[test]
fn with_a_longest_session_windows_and_ends_have_a_lower_bound() {
    let day = || json!({"max_session": 86_400_000_000_i64});
    let sent = r#"ListSessionsV2 {"limit":1000,"startTimestamp":"2026-03-08T09:58:59Z"}"#;
    let less = "inexact: its begin is sent, less `max_session`";
    let left_out = "note: sessions that began before 2026-03-08T10:00:00Z are not looked for, as option `max_session` says";
    check_with(day(), &[window(Some("09 10:00:00"), None)], &[less, sent, OLD, left_out]);
    check_with(
        day(),
        &[range("end", Some("09 10:00:00"), Some("09 11:00:00"))],
        &[less, sent, OLD, left_out],
    );
    // Of two lower bounds the later one is sent.
    check_with(
        day(),
        &[window(Some("09 10:00:00"), None), range("start", Some("09 09:00:00"), None)],
        &[
            less,
            "inexact: its lower bound is sent",
            r#"ListSessionsV2 {"limit":1000,"startTimestamp":"2026-03-09T08:58:59Z"}"#,
        ],
    );
}

#[test]
fn ids_are_looked_up_one_by_one() {
    let asked = "inexact: asked for one by one";
    check(&[id(&["x"])], &[asked, r#"GetSession {"sessionId":"x"}"#]);
    check(
        &[id(&["x", "y\"", "", "z"]), range("start", Some("09 10:00:00"), None)],
        &[
            asked,
            "unsupported: sessions are asked for by id",
            r#"GetSession {"sessionId":"x"}"#,
            r#"GetSession {"sessionId":"y\""}"#,
            r#"GetSession {"sessionId":"z"}"#,
        ],
    );
    let plan = connect(json!({})).plan(&request(json!([id(&["x", "y"])]))).unwrap();
    assert_eq!((plan.estimate.requests, plan.estimate.rows), (Some(2), Some(2)));
}

#[test]
fn too_many_ids_are_a_listing() {
    let all = |max: u64| {
        let names: Vec<_> = (0..4).map(|n| format!("s{n}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let host = connect(json!({ "max_lookups": max }));
        shown(&host.plan(&request(json!([id(&names)]))).unwrap())
    };
    assert_eq!(all(4).len(), 5);
    let listed = ["unsupported: more ids than option `max_lookups` allows", ALL];
    assert_eq!(all(3), listed);
    assert_eq!(all(0), listed);
}

#[test]
fn contradictions_send_nothing() {
    let contradictions = [
        vec![id(&["x"]), id(&["y"])],
        vec![id(&[""])],
        vec![range("start", Some("09 11:00:00"), Some("09 11:00:00"))],
        vec![range("end", Some("09 11:00:00"), Some("09 10:00:00"))],
        vec![range("start", Some("09 11:00:00"), None), window(None, Some("09 11:00:00"))],
    ];
    for filters in contradictions {
        let plan = connect(json!({})).plan(&request(json!(filters))).unwrap();
        assert_eq!(
            (plan.slices.len(), plan.gaps.len(), plan.notes.len()),
            (0, 0, 0),
            "{filters:?}"
        );
        assert_eq!(plan.estimate.requests, Some(0));
        assert!(plan.verdicts.iter().all(|verdict| json!(verdict) == "exact"));
    }
}

#[test]
fn what_lies_before_the_history_is_a_gap_but_is_asked_for() {
    let old = "2025-11-01T00:00:00Z";
    let asked =
        |what: &str| format!("history: asked {what} {old}, covered from 2025-12-10T12:00:00Z");
    let sent = r#"ListSessionsV2 {"limit":1000,"startTimestamp":"2025-10-31T23:58:59Z"}"#;
    let lower = "inexact: its lower bound is sent";
    check(&[range("start", Some(old), None)], &[lower, sent, &asked("from")]);
    check(&[range("start", None, Some(old))], &[NO_START, ALL, &asked("until"), COVERED]);
    check(&[window(Some(old), None)], &[NO_WINDOW, ALL, &asked("from"), OLD]);
    check(&[range("end", None, Some(old))], &[NO_BOUND, ALL, &asked("until"), COVERED]);
    check_with(
        json!({"history": 31_536_000_000_000_i64}),
        &[range("start", Some(old), None)],
        &[lower, sent],
    );
}

#[test]
fn a_limit_makes_a_page_smaller_if_every_row_counts() {
    let limit = |filters: Value, limit: u64, page_size: u64| {
        let mut request = request(filters);
        request.limit = Some(limit);
        let plan = connect(json!({ "page_size": page_size })).plan(&request).unwrap();
        let body: Value = serde_json::from_str(plan.previews[0].body.as_ref().unwrap()).unwrap();
        body["limit"].as_u64().unwrap()
    };
    assert_eq!(limit(json!([]), 10, 1000), 10);
    assert_eq!(limit(json!([]), 5000, 1000), 1000);
    assert_eq!(limit(json!([]), 0, 1000), 1);
    assert_eq!(limit(json!([range("start", Some("09 11:00:00"), None)]), 10, 500), 500);
}

#[test]
fn far_bounds_stay_within_what_can_be_written() {
    let options = || json!({"timestamp_is": "start", "max_session": i64::MAX});
    let far = || range("start", Some("1969-01-01T00:00:00Z"), Some("9999-12-31T23:59:59.999999Z"));
    let plan = connect(options()).plan(&request(json!([far()]))).unwrap();
    assert_eq!(shown(&plan)[1], ALL);
    let plan =
        connect(options()).plan(&request(json!([window(Some("09 10:00:00"), None)]))).unwrap();
    assert_eq!(shown(&plan)[1], ALL);
}

#[test]
fn filters_that_cannot_be_read_are_left_to_the_host() {
    let odd = json!({"op": "eq", "column": "start", "value": "yesterday"});
    let other = json!({"op": "eq", "column": "status", "value": "ACTIVE"});
    let nothing = "unsupported: the API has no such filter";
    check(&[odd, other], &[nothing, nothing, ALL]);
}

#[test]
fn a_clock_that_cannot_be_read_is_an_error() {
    let mut request = request(json!([]));
    request.clock = "noon".to_owned();
    let error = connect(json!({})).plan(&request).unwrap_err();
    assert_eq!(error.errors[0].message, "the host's clock `noon` cannot be read");
}

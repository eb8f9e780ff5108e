//! Holds what is sent for each shape of question, with verdicts, gaps and notes.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::Plan;

use support::{connect, range, request, shown, status, window};

/// The earliest `startDate` at beta.
const OLDEST: &str = "startDate=2026-03-03T12:15:00.000Z";
const TUNNELS: &str = "note: a tunnel that began before 2026-03-03T12:15:00Z and was not updated since cannot be seen by this API";
const COVERED: &str =
    "note: covered from 2026-03-03T12:15:00Z, where the provider's history begins";

fn plan(filters: &[Value]) -> Plan {
    connect(json!({})).plan(&request(json!(filters))).unwrap()
}

#[track_caller]
fn check(filters: &[Value], expected: &[&str]) {
    let plan = plan(filters);
    let expected: Vec<_> = expected.iter().map(|line| line.replace("{OLDEST}", OLDEST)).collect();
    assert_eq!(shown(&plan), expected);
    assert_eq!(plan.slices.len(), usize::from(!plan.previews.is_empty()));
    assert_eq!(plan.reasons.len(), filters.len());
}

#[test]
fn no_filter_reads_the_history() {
    check(&[], &["[]", "{OLDEST}&returnOnlyNew=false"]);
}

#[test]
fn a_start_range_reads_new_records_with_slack_on_both_sides() {
    check(
        &[range("start", Some("09 10:00:00"), Some("09 11:00:00"))],
        &[
            r#"["inexact"]"#,
            "startDate=2026-03-09T09:50:00.000Z&endDate=2026-03-09T11:10:00.000Z&returnOnlyNew=true",
        ],
    );
    check(
        &[range("start", Some("09 10:00:00"), None)],
        &[r#"["inexact"]"#, "startDate=2026-03-09T09:50:00.000Z&returnOnlyNew=true"],
    );
}

#[test]
fn bounds_are_rounded_outward_to_milliseconds() {
    let exact = json!({"op": "eq", "column": "start", "value": "2026-03-09T10:00:00.0005Z"});
    let up_to = json!({"op": "range", "column": "start",
        "lower": {"value": "2026-03-09T09:00:00.0019Z", "inclusive": false},
        "upper": {"value": "2026-03-09T10:00:00.001Z", "inclusive": true}});
    check(
        &[exact],
        &[
            r#"["inexact"]"#,
            "startDate=2026-03-09T09:50:00.000Z&endDate=2026-03-09T10:10:00.001Z&returnOnlyNew=true",
        ],
    );
    check(
        &[up_to],
        &[
            r#"["inexact"]"#,
            "startDate=2026-03-09T08:50:00.001Z&endDate=2026-03-09T10:10:00.002Z&returnOnlyNew=true",
        ],
    );
}

#[test]
fn only_an_upper_bound_on_start_reads_the_history_and_says_so() {
    check(
        &[range("start", None, Some("09 10:00:00"))],
        &[r#"["unsupported"]"#, "{OLDEST}&returnOnlyNew=false", COVERED],
    );
}

#[test]
fn a_window_reads_open_sessions_and_then_updates() {
    let chains = [
        "{OLDEST}&status=ACTIVE&returnOnlyNew=false",
        "startDate=2026-03-10T10:50:00.000Z&returnOnlyNew=false",
    ];
    let expected = [r#"["inexact"]"#, chains[0], chains[1], TUNNELS];
    check(&[window(Some("10 11:00:00"), None)], &expected);
    check(&[window(Some("10 11:00:00"), Some("10 11:30:00"))], &expected);
    check(&[window(Some("10 11:00:00"), Some("10 11:00:00"))], &expected);
}

#[test]
fn a_window_without_begin_reads_the_history() {
    check(
        &[window(None, Some("10 11:00:00"))],
        &[r#"["unsupported"]"#, "{OLDEST}&returnOnlyNew=false", TUNNELS, COVERED],
    );
}

#[test]
fn two_windows_need_not_meet() {
    check(
        &[
            window(Some("10 08:00:00"), Some("10 09:00:00")),
            window(Some("10 10:00:00"), Some("10 11:00:00")),
        ],
        &[
            r#"["inexact","inexact"]"#,
            "{OLDEST}&status=ACTIVE&returnOnlyNew=false",
            "startDate=2026-03-10T09:50:00.000Z&returnOnlyNew=false",
            TUNNELS,
        ],
    );
}

#[test]
fn a_bound_on_end_excludes_open_sessions() {
    let updates = "startDate=2026-03-10T10:50:00.000Z&returnOnlyNew=false";
    check(&[range("end", Some("10 11:00:00"), None)], &[r#"["inexact"]"#, updates]);
    check(&[range("end", Some("10 11:00:00"), Some("10 11:30:00"))], &[r#"["inexact"]"#, updates]);
    check(
        &[range("end", None, Some("10 11:00:00"))],
        &[r#"["unsupported"]"#, "{OLDEST}&returnOnlyNew=false", COVERED],
    );
}

#[test]
fn status_is_exact() {
    check(
        &[status(&["COMPLETED"])],
        &[r#"["exact"]"#, "{OLDEST}&status=COMPLETED&returnOnlyNew=false"],
    );
    check(
        &[status(&["ACTIVE"])],
        &[r#"["exact"]"#, "{OLDEST}&status=ACTIVE&returnOnlyNew=false", TUNNELS],
    );
    check(
        &[status(&["FAILED", "ACTIVE"])],
        &[
            r#"["exact"]"#,
            "{OLDEST}&status=ACTIVE&returnOnlyNew=false",
            "{OLDEST}&status=FAILED&returnOnlyNew=false",
            TUNNELS,
        ],
    );
}

#[test]
fn states_that_the_api_does_not_know_are_not_sent() {
    let all = "{OLDEST}&returnOnlyNew=false";
    check(&[status(&["active"])], &[r#"["unsupported"]"#, all]);
    check(&[status(&["ACTIVE", "LOST"])], &[r#"["unsupported"]"#, all]);
    check(&[status(&["ACTIVE", "COMPLETED", "FAILED"])], &[r#"["unsupported"]"#, all]);
}

#[test]
fn status_and_time_go_together() {
    let hour = || window(Some("10 11:00:00"), None);
    let start = || range("start", Some("09 10:00:00"), Some("09 11:00:00"));
    let new = "startDate=2026-03-09T09:50:00.000Z&endDate=2026-03-09T11:10:00.000Z";
    let updates = "startDate=2026-03-10T10:50:00.000Z";
    check(
        &[status(&["COMPLETED"]), start()],
        &[r#"["exact","inexact"]"#, &format!("{new}&status=COMPLETED&returnOnlyNew=true")],
    );
    check(
        &[start(), status(&["ACTIVE"])],
        &[r#"["inexact","exact"]"#, &format!("{new}&status=ACTIVE&returnOnlyNew=true")],
    );
    check(
        &[hour(), status(&["COMPLETED"])],
        &[r#"["inexact","exact"]"#, &format!("{updates}&status=COMPLETED&returnOnlyNew=false")],
    );
    check(
        &[hour(), status(&["ACTIVE"])],
        &[r#"["unsupported","exact"]"#, "{OLDEST}&status=ACTIVE&returnOnlyNew=false", TUNNELS],
    );
    check(
        &[hour(), status(&["COMPLETED", "ACTIVE"])],
        &[
            r#"["inexact","exact"]"#,
            "{OLDEST}&status=ACTIVE&returnOnlyNew=false",
            &format!("{updates}&status=COMPLETED&returnOnlyNew=false"),
            TUNNELS,
        ],
    );
    check(
        &[range("end", Some("10 11:00:00"), None), status(&["COMPLETED", "ACTIVE"])],
        &[r#"["inexact","exact"]"#, &format!("{updates}&status=COMPLETED&returnOnlyNew=false")],
    );
}

#[test]
fn of_two_lower_bounds_the_later_one_is_sent() {
    check(
        &[
            range("start", Some("10 11:30:00"), None),
            window(Some("10 11:00:00"), Some("10 11:45:00")),
        ],
        &[
            r#"["inexact","inexact"]"#,
            "startDate=2026-03-10T11:20:00.000Z&endDate=2026-03-10T11:55:00.000Z&returnOnlyNew=true",
        ],
    );
    check(
        &[range("start", Some("08 00:00:00"), None), window(Some("10 11:00:00"), None)],
        &[
            r#"["unsupported","inexact"]"#,
            "{OLDEST}&status=ACTIVE&returnOnlyNew=false",
            "startDate=2026-03-10T10:50:00.000Z&returnOnlyNew=false",
            TUNNELS,
        ],
    );
}

#[test]
fn what_begins_before_the_history_is_cut_and_has_a_gap() {
    check(
        &[range("start", Some("01 00:00:00"), Some("04 00:00:00"))],
        &[
            r#"["inexact"]"#,
            "{OLDEST}&endDate=2026-03-04T00:10:00.000Z&returnOnlyNew=true",
            "history: asked from 2026-03-01T00:00:00Z, covered from 2026-03-03T12:25:00Z",
        ],
    );
    // Records updated since the horizon are all that there are: one chain is enough.
    check(
        &[window(Some("01 00:00:00"), None)],
        &[
            r#"["inexact"]"#,
            "{OLDEST}&returnOnlyNew=false",
            "history: asked from 2026-03-01T00:00:00Z, covered from 2026-03-03T12:25:00Z",
            TUNNELS,
        ],
    );
    // The slack reaches before the horizon, so a record may be missing.
    check(
        &[range("start", Some("03 12:20:00"), None)],
        &[
            r#"["inexact"]"#,
            "{OLDEST}&returnOnlyNew=true",
            "history: asked from 2026-03-03T12:20:00Z, covered from 2026-03-03T12:25:00Z",
        ],
    );
}

#[test]
fn what_lies_before_the_history_sends_nothing_and_has_a_gap() {
    let gap = "history: asked from 2026-03-01T00:00:00Z, covered from 2026-03-03T12:25:00Z";
    let (since, until) = (Some("01 00:00:00"), Some("02 00:00:00"));
    check(&[range("start", since, until)], &[r#"["inexact"]"#, gap]);
    check(&[range("end", since, until)], &[r#"["inexact"]"#, gap]);
    check(&[window(since, until)], &[r#"["inexact"]"#, gap, TUNNELS]);
    check(
        &[range("start", None, until)],
        &[
            r#"["unsupported"]"#,
            "history: asked until 2026-03-02T00:00:00Z, covered from 2026-03-03T12:25:00Z",
            COVERED,
        ],
    );
}

#[test]
fn old_sessions_that_ended_within_the_history_are_not_given_up() {
    let old = range("start", None, Some("01 00:00:00"));
    let recent = "startDate=2026-03-10T10:50:00.000Z&returnOnlyNew=false";
    check(
        &[old, range("end", Some("10 11:00:00"), None)],
        &[r#"["unsupported","inexact"]"#, recent],
    );
    check(
        &[
            window(Some("01 00:00:00"), Some("02 00:00:00")),
            range("end", Some("10 11:00:00"), None),
        ],
        &[r#"["inexact","inexact"]"#, recent],
    );
}

#[test]
fn open_sessions_are_not_bounded_by_the_history() {
    let open = ["{OLDEST}&status=ACTIVE&returnOnlyNew=false", TUNNELS];
    let since = range("start", Some("01 00:00:00"), None);
    check(&[since, status(&["ACTIVE"])], &[r#"["unsupported","exact"]"#, open[0], open[1]]);
    // Only those that began before the history: some of them may be missing, so there is a gap.
    for (time, until) in [
        (range("start", None, Some("01 00:00:00")), "01"),
        (window(Some("01 00:00:00"), Some("02 00:00:00")), "02"),
    ] {
        let gap = format!(
            "history: asked until 2026-03-{until}T00:00:00Z, covered from 2026-03-03T12:25:00Z"
        );
        check(
            &[time, status(&["ACTIVE"])],
            &[r#"["unsupported","exact"]"#, open[0], gap.as_str(), open[1]],
        );
    }
}

#[test]
fn contradictions_send_nothing_and_are_complete() {
    let contradictions = [
        vec![range("start", Some("10 11:00:00"), Some("10 10:00:00"))],
        vec![range("start", Some("10 11:00:00"), None), range("start", None, Some("10 11:00:00"))],
        vec![range("end", Some("10 11:00:00"), Some("10 11:00:00"))],
        vec![range("start", Some("10 11:00:00"), None), window(None, Some("10 11:00:00"))],
        vec![status(&["ACTIVE"]), status(&["FAILED", "COMPLETED"])],
        vec![status(&["ACTIVE"]), range("end", None, Some("10 11:00:00"))],
    ];
    for filters in contradictions {
        let plan = plan(&filters);
        assert_eq!((plan.slices.len(), plan.gaps.len()), (0, 0), "{filters:?}");
        assert_eq!(plan.estimate.requests, Some(0));
    }
}

#[test]
fn filters_that_cannot_be_read_are_left_to_the_host() {
    let odd = json!({"op": "eq", "column": "start", "value": "yesterday"});
    let other = json!({"op": "eq", "column": "user", "value": "ada"});
    check(&[odd, other], &[r#"["unsupported","unsupported"]"#, "{OLDEST}&returnOnlyNew=false"]);
}

#[test]
fn a_limit_makes_pages_smaller_if_every_row_counts() {
    let host = connect(json!({}));
    let size = |filters: Value, limit: u64| {
        let mut request = request(filters);
        request.limit = Some(limit);
        let preview = host.plan(&request).unwrap().previews.remove(0);
        preview.query.into_iter().find(|(name, _)| name == "size").unwrap().1
    };
    assert_eq!(size(json!([]), 10), "10");
    assert_eq!(size(json!([status(&["FAILED"])]), 10), "10");
    assert_eq!(size(json!([status(&["FAILED"])]), 1000), "100");
    assert_eq!(size(json!([range("start", Some("10 11:00:00"), None)]), 10), "100");
}

#[test]
fn far_bounds_stay_within_what_can_be_written() {
    let host = connect(json!({}));
    let far = json!([{"op": "range", "column": "start",
        "lower": {"value": "2026-03-10T00:00:00Z", "inclusive": true},
        "upper": {"value": "9999-12-31T23:59:59.999999Z", "inclusive": true}}]);
    let plan = host.plan(&request(far)).unwrap();
    assert_eq!(shown(&plan)[1], "startDate=2026-03-09T23:50:00.000Z&returnOnlyNew=true");
}

#[test]
fn options_and_what_was_learned_move_the_horizon() {
    let oldest = |options: Value, learned: Value| {
        let mut request = request(json!([]));
        request.learned = learned;
        let plan = connect(options).plan(&request).unwrap();
        plan.previews[0].query[0].1.clone()
    };
    let v1 = json!({"api_version": "v1"});
    assert_eq!(oldest(v1.clone(), json!(null)), "2026-02-08T12:15:00.000Z");
    assert_eq!(oldest(v1, json!({"history_us": 604_800_000_000_i64})), "2026-03-03T12:15:00.000Z");
    assert_eq!(
        oldest(json!({"history": 86_400_000_000_i64}), json!(null)),
        "2026-03-09T12:15:00.000Z"
    );
    assert_eq!(oldest(json!({"history_margin": 0}), json!(null)), "2026-03-03T12:00:00.000Z");
}

#[test]
fn a_clock_that_cannot_be_read_is_an_error() {
    let mut request = request(json!([]));
    request.clock = "noon".to_owned();
    let error = connect(json!({})).plan(&request).unwrap_err();
    assert_eq!(error.errors[0].message, "the host's clock `noon` cannot be read");
}

//! Holds what is sent for each shape of question and for each set of columns that are used.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::testing::FakeHost;

use support::{connect, range, request, shown, trusting, window};

const EXACT: &str = r#"["exact"]"#;
const INEXACT: &str = r#"["inexact"]"#;
const UNSUPPORTED: &str = r#"["unsupported"]"#;

#[track_caller]
fn check(columns: &[&str], filters: &[Value], expected: &[&str]) {
    check_on(&trusting(), columns, filters, expected);
}

#[track_caller]
fn check_on(host: &FakeHost, columns: &[&str], filters: &[Value], expected: &[&str]) {
    let plan = host.plan(&request(columns, filters)).unwrap();
    assert_eq!(shown(&plan), expected);
    assert_eq!(plan.reasons.len(), filters.len());
    assert_eq!(plan.slices.len(), usize::from(!plan.previews.is_empty()));
}

#[test]
fn no_filter_reads_all() {
    check(&["id"], &[], &["[]", "all"]);
}

#[test]
fn a_window_without_end_sends_start_if_no_login_is_used() {
    let since = [window(Some("09 10:00:00"), None)];
    let sent = "all?start=2026-03-09T10:59:58";
    for columns in [&["user"][..], &[], &["id", "end", "status", "client_guid"]] {
        check(columns, &since, &[EXACT, sent]);
    }
    for columns in [&["start"][..], &["raw"]] {
        check(columns, &since, &[EXACT, "all"]);
    }
}

#[test]
fn a_window_sends_end_too_if_no_logout_is_used() {
    let both = [window(Some("08 10:00:00"), Some("09 10:00:00"))];
    check(&["user"], &both, &[EXACT, "all?start=2026-03-08T10:59:58&end=2026-03-09T11:00:01"]);
    let open_then = "all?start=2026-03-08T10:59:58&end=2026-03-08T10:59:59";
    check(&["end"], &both, &[EXACT, open_then, "all?start=2026-03-08T10:59:58"]);
    check(&["start"], &both, &[EXACT, "all"]);
    let until = [window(None, Some("09 10:00:00"))];
    check(&["start"], &until, &[EXACT, "all?end=2026-03-09T11:00:01"]);
    check(&["status"], &until, &[EXACT, "all"]);
}

#[test]
fn an_instant_is_a_short_window() {
    let at = [window(Some("09 10:00:00"), Some("09 10:00:00"))];
    check(&["user"], &at, &[EXACT, "all?start=2026-03-09T10:59:58&end=2026-03-09T11:00:02"]);
}

#[test]
fn bounds_are_rounded_outward_to_seconds() {
    let both = [window(Some("08 10:00:00.000001"), Some("09 10:00:00.000001"))];
    check(&["user"], &both, &[EXACT, "all?start=2026-03-08T10:59:58&end=2026-03-09T11:00:02"]);
}

#[test]
fn a_start_leaves_out_what_began_before() {
    let open_then = "all?start=2026-03-09T10:59:58&end=2026-03-09T10:59:59";
    let from = [range("start", Some("09 10:00:00"), None)];
    for columns in [&["start"][..], &["start", "end", "raw"]] {
        check(columns, &from, &[INEXACT, open_then, "all?start=2026-03-09T10:59:58"]);
    }
    let both = [range("start", Some("09 10:00:00"), Some("09 11:00:00"))];
    let two = "all?start=2026-03-09T10:59:58&end=2026-03-09T12:00:01";
    check(&["start"], &both, &[INEXACT, open_then, two]);
    check(&["start", "end"], &both, &[INEXACT, open_then, "all?start=2026-03-09T10:59:58"]);
    let until = [range("start", None, Some("09 11:00:00"))];
    check(&["start"], &until, &[INEXACT, "all?end=2026-03-09T12:00:01"]);
    check(&["start", "end"], &until, &[UNSUPPORTED, "all"]);
}

#[test]
fn an_end_sends_only_its_lower_bound() {
    let from = [range("end", Some("09 10:00:00"), Some("09 11:00:00"))];
    check(&["end"], &from, &[INEXACT, "all?start=2026-03-09T10:59:58"]);
    check(&["end", "start"], &from, &[UNSUPPORTED, "all"]);
    check(&["end"], &[range("end", None, Some("09 11:00:00"))], &[UNSUPPORTED, "all"]);
}

#[test]
fn windows_together_with_bounds() {
    let both = r#"["exact","inexact"]"#;
    let since = window(Some("08 10:00:00"), None);
    // The later bound is sent; a start needs to know who began before it.
    let end = [since.clone(), range("end", Some("09 10:00:00"), None)];
    check(&["end"], &end, &[both, "all?start=2026-03-09T10:59:58"]);
    let start = [since, range("start", Some("09 10:00:00"), None)];
    let open_then = "all?start=2026-03-09T10:59:58&end=2026-03-09T10:59:59";
    check(&["start"], &start, &[both, open_then, "all?start=2026-03-09T10:59:58"]);
    // A bound after a window's end would cut the logins that decide the window.
    let apart =
        [window(Some("07 10:00:00"), Some("08 10:00:00")), range("end", Some("09 10:00:00"), None)];
    check(&["end"], &apart, &[r#"["exact","unsupported"]"#, "all"]);
}

#[test]
fn no_bound_lies_in_the_servers_future() {
    let now = [window(Some("10 12:00:00"), Some("10 12:00:00"))];
    let open_then = "all?start=2026-03-10T12:44:58&end=2026-03-10T12:44:59";
    check(&["user"], &now, &[EXACT, open_then, "all?start=2026-03-10T12:44:58"]);
    check(&["user"], &[window(None, Some("10 11:50:00"))], &[EXACT, "all"]);
    let options = json!({"time_zone": "UTC", "selection": "overlap", "clock_skew": 0});
    let late = [window(Some("10 12:30:00"), None)];
    check_on(&connect(options), &["user"], &late, &[EXACT, "all?start=2026-03-10T11:59:58"]);
}

#[test]
fn contradictions_send_nothing() {
    let before = range("start", None, Some("08 10:00:00"));
    let after = range("start", Some("09 10:00:00"), None);
    let never = window(None, Some("09 10:00:00"));
    check(&["start"], &[before, after.clone()], &[r#"["exact","exact"]"#]);
    check(&["start"], &[never, after], &[r#"["exact","exact"]"#]);
}

#[test]
fn bounds_wait_for_what_is_not_known() {
    let since = [window(Some("09 10:00:00"), None)];
    let note = |why: &str| format!("note: all sessions are read: {why}");
    let no_zone = note("option `time_zone` is not set");
    check_on(&connect(json!({})), &["user"], &since, &[EXACT, "all", &no_zone]);
    let berlin = json!({"time_zone": "Europe/Berlin"});
    let waits = note("bounds wait until the server has shown how it selects");
    check_on(&connect(berlin.clone()), &["user"], &since, &[EXACT, "all", &waits]);
    let other = json!({"time_zone": "Europe/Berlin", "selection": "other"});
    let told = note("option `selection` says that bounds do not fit");
    check_on(&connect(other), &["user"], &since, &[EXACT, "all", &told]);
    // Where no bound would be sent in any case, there is nothing to say.
    check_on(&connect(json!({})), &["start"], &since, &[EXACT, "all"]);

    let learned = |selects: bool| {
        let mut request = request(&["user"], &since);
        request.learned = json!({
            "selects_by_overlap": selects, "offsets_us": [3_600_000_000_i64], "has_open": true
        });
        shown(&connect(berlin.clone()).plan(&request).unwrap())
    };
    assert_eq!(learned(true), [EXACT, "all?start=2026-03-09T10:59:58"]);
    let failed = note("the server does not select as bounds would need it");
    assert_eq!(learned(false), [EXACT, "all", &failed]);
}

#[test]
fn bounds_are_sent_where_the_clocks_are_as_they_were_when_it_was_shown() {
    let host = connect(json!({"time_zone": "Europe/Berlin"}));
    let plan = |columns: &[&str], filter: Value| {
        let mut request = request(columns, &[filter]);
        request.clock = "2026-04-02T12:00:00Z".to_owned();
        let winter_us = 3_600_000_000_i64;
        request.learned = json!({"selects_by_overlap": true, "offsets_us": [winter_us]});
        let plan = host.plan(&request).unwrap();
        (shown(&plan), plan.slices[0]["proves"] == true)
    };
    let note = "note: all sessions are read: \
                the server has not shown how it reads times on the clocks of then";
    let winter = plan(&["user"], window(Some("28 10:00:00"), None));
    assert_eq!(winter, (vec![EXACT.to_owned(), "all?start=2026-03-28T10:59:58".to_owned()], false));
    let summer = plan(&["user"], window(Some("30 10:00:00"), None));
    assert_eq!(summer, ([EXACT, "all", note].map(str::to_owned).to_vec(), true));
    // A window over the change has only the first of its bounds.
    let over = plan(&["user"], window(Some("28 10:00:00"), Some("30 10:00:00")));
    assert!(over.0.iter().all(|line| !line.contains("2026-03-30")), "{over:?}");
    // No second is sent in which the clocks are turned.
    let turning = json!({"op": "open_during", "since": "2025-03-30T01:00:01Z", "until": null});
    check(&["user"], &[turning], &[EXACT, "all"]);
}

#[test]
fn reasons_say_what_became_of_each_filter() {
    let reasons = |host: &FakeHost, columns: &[&str], filters: &[Value]| {
        host.plan(&request(columns, filters)).unwrap().reasons
    };
    let since = [window(Some("09 10:00:00"), None)];
    let host = trusting();
    assert_eq!(reasons(&host, &["user"], &since), ["sent as `start`, and decided by the plugin"]);
    let cut = "a bound would cut what is asked for; decided by the plugin";
    assert_eq!(reasons(&host, &["start"], &since), [cut]);
    let end = [range("end", None, Some("09 11:00:00"))];
    assert_eq!(reasons(&host, &["end"], &end), ["a bound would cut what is asked for"]);
    assert_eq!(reasons(&connect(json!({})), &["user"], &since), ["option `time_zone` is not set"]);
}

#[test]
fn estimates_are_what_is_sent() {
    let n_requests = |columns: &[&str], filter: Value| {
        trusting().plan(&request(columns, &[filter])).unwrap().estimate.requests
    };
    assert_eq!(n_requests(&["user"], window(Some("09 10:00:00"), None)), Some(1));
    assert_eq!(n_requests(&["start"], range("start", Some("09 10:00:00"), None)), Some(2));
    assert_eq!(n_requests(&["user"], window(Some("08 10:00:00"), Some("09 10:00:00"))), None);
}

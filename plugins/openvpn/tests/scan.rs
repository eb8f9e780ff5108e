//! Holds what a scan sends page by page, what it reports, and when it gives up.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{HttpRequest, Request};
use sessionql_plugin_sdk::testing::{FakeHost, Reply, Scan};

use support::{connect, request, status, window};

/// Scans the one slice of a plan.
fn scan(host: &FakeHost, request: &Request, server: impl FnMut(&HttpRequest) -> Reply) -> Scan {
    let (_, mut scans) = host.run(request, server).unwrap();
    assert_eq!(scans.len(), 1);
    scans.remove(0)
}

fn page(ids: &[&str], next: Value) -> Reply {
    let sessions: Vec<_> = ids.iter().map(|id| json!({"id": id, "status": "ACTIVE"})).collect();
    Reply::json(&json!({"sessions": sessions, "nextCursor": next}))
}

fn parameter<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn too_old(_: &HttpRequest) -> Reply {
    let body =
        json!({"errorDetails": {"startDate": [{"errorCode": "x"}]}, "statusError": "Bad Request"});
    Reply::status(400, body.to_string())
}

#[test]
fn pages_repeat_all_parameters_and_end_without_a_cursor() {
    for end in [json!(null), json!("")] {
        let scan = scan(&connect(json!({})), &request(json!([])), |request| {
            match parameter(request, "cursor") {
                None => page(&["a", "b"], json!("p2")),
                Some("p2") => page(&[], json!("p3")),
                _ => page(&["c"], end.clone()),
            }
        });
        let first = "GET /api/beta/sessions?startDate=2026-03-03T12:15:00.000Z&size=100&returnOnlyNew=false";
        let expected =
            [first.to_owned(), format!("{first}&cursor=p2"), format!("{first}&cursor=p3")];
        assert_eq!(scan.request_lines(), expected);
        assert_eq!(json!(scan.rows()), json!([["a"], ["b"], ["c"]]));
        assert_eq!(scan.outcome, Ok(Default::default()));
    }
}

#[test]
fn cursors_in_a_circle_are_an_error() {
    for circle in [vec!["a"], vec!["a", "b"]] {
        let mut cursors = circle.iter().cycle();
        let scan =
            scan(&connect(json!({})), &request(json!([])), |_| page(&["x"], json!(cursors.next())));
        assert_eq!(scan.requests.len(), circle.len() + 1);
        let error = scan.outcome.unwrap_err().errors.remove(0);
        assert_eq!(error.code.as_str(), "bad_answer");
        assert!(error.message.ends_with("repeats the cursor of an earlier page"));
    }
}

#[test]
fn the_next_chain_begins_when_the_first_is_through() {
    let request = request(json!([window(Some("10 11:00:00"), None)]));
    let scan = scan(&connect(json!({})), &request, |request| {
        match (parameter(request, "status"), parameter(request, "cursor")) {
            (Some("ACTIVE"), None) => page(&["open 1"], json!("x")),
            (Some("ACTIVE"), Some("x")) => page(&["open 2"], json!(null)),
            // The same cursor in another chain is no circle.
            (None, None) => page(&["closed 1"], json!("x")),
            _ => page(&["open 2"], json!(null)),
        }
    });
    assert_eq!(json!(scan.rows()), json!([["open 1"], ["open 2"], ["closed 1"], ["open 2"]]));
    assert!(scan.outcome.is_ok());
}

#[test]
fn stop_sends_nothing_more() {
    let (host, request) = (connect(json!({})), request(json!([])));
    let slice = host.plan(&request).unwrap().slices.remove(0);
    let scan = host.scan_until(1, &request, &slice, |_| page(&["a"], json!("next")));
    assert_eq!((scan.requests.len(), scan.rows().len(), scan.code), (1, 1, 0));
}

#[test]
fn a_shorter_history_is_noticed_learned_and_reported() {
    let host = connect(json!({"api_version": "v1"}));
    let request = request(json!([status(&["COMPLETED", "FAILED"])]));
    let scan = scan(&host, &request, |request| {
        match parameter(request, "startDate").unwrap() < "2026-03-03T12:00:00.000Z" {
            true => too_old(request),
            false => page(&["a"], json!(null)),
        }
    });
    let sent: Vec<_> = scan.requests.iter().map(|r| parameter(r, "startDate").unwrap()).collect();
    let short = "2026-03-03T12:15:00.000Z";
    assert_eq!(sent, ["2026-02-08T12:15:00.000Z", short, short]);
    let report = scan.outcome.unwrap();
    assert_eq!(report.learned, Some(json!({"history_us": 604_800_000_000_i64})));
    assert_eq!(
        report.gaps[0].message,
        "asked from 2026-02-08T12:15:00.000Z, covered from 2026-03-03T12:25:00Z"
    );
    assert_eq!((report.gaps.len(), report.gaps[0].reason.as_str()), (1, "history"));
}

#[test]
fn a_history_that_moved_on_in_mid_scan_starts_the_chain_again() {
    let host = connect(json!({"api_version": "v1"}));
    let scan = scan(&host, &request(json!([])), |request| {
        match (parameter(request, "startDate"), parameter(request, "cursor")) {
            (Some("2026-03-03T12:15:00.000Z"), None) => page(&["a", "b"], json!(null)),
            (_, None) => page(&["a"], json!("p2")),
            _ => too_old(request),
        }
    });
    assert_eq!(json!(scan.rows()), json!([["a"], ["a"], ["b"]]));
    assert_eq!(scan.outcome.unwrap().gaps.len(), 1);
}

#[test]
fn a_history_shorter_than_any_is_an_error() {
    for version in ["beta", "v1"] {
        let host = connect(json!({"api_version": version}));
        let scan = scan(&host, &request(json!([])), too_old);
        assert_eq!(scan.requests.len(), if version == "beta" { 1 } else { 2 });
        let error = scan.outcome.unwrap_err().errors.remove(0);
        assert_eq!(error.code.as_str(), "provider_error");
        assert!(error.hint.unwrap().contains("history_margin"));
    }
}

#[test]
fn other_refusals_are_errors() {
    for (status, code) in [(400, "provider_error"), (403, "auth"), (404, "provider_error")] {
        let scan = scan(&connect(json!({})), &request(json!([])), |_| Reply::status(status, "{}"));
        let error = scan.outcome.unwrap_err().errors.remove(0);
        assert_eq!(error.message, format!("`GET /api/beta/sessions` answered {status}: {{}}"));
        assert_eq!(error.code.as_str(), code);
    }
}

#[test]
fn answers_of_another_shape_are_errors() {
    let answer = |body: Value| {
        let scan = scan(&connect(json!({})), &request(json!([])), |_| Reply::json(&body));
        scan.error_messages().remove(0)
    };
    let about = "the answer to `GET /api/beta/sessions` has";
    assert_eq!(answer(json!({})), format!("{about} no list `sessions`"));
    assert_eq!(
        answer(json!({"sessions": [], "nextCursor": true})),
        format!("{about} a cursor that is neither text nor a whole number")
    );
    assert_eq!(
        answer(json!({"sessions": [{"id": "a"}, {}]})),
        format!("{about} nothing at `sessions[1].id`, where text is due")
    );
}

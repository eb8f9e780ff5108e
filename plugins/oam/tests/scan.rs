//! Holds what a scan sends and when it believes that it has seen all.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{HttpRequest, Request};
use sessionql_plugin_sdk::testing::{FakeHost, Reply, Scan};

use support::{answer, body, connect, is, request, session};

/// Scans the one slice of a plan.
fn scan(host: &FakeHost, request: &Request, server: impl FnMut(&HttpRequest) -> Reply) -> Scan {
    let (_, mut scans) = host.run(request, server).unwrap();
    assert_eq!(scans.len(), 1);
    scans.remove(0)
}

fn bodies(scan: &Scan) -> Vec<&str> {
    scan.requests.iter().map(body).collect()
}

fn gaps(scan: &Scan) -> Vec<String> {
    let report = scan.outcome.as_ref().unwrap();
    report.gaps.iter().map(|gap| gap.message.clone()).collect()
}

/// Returns sessions of a user with these numbers, the even ones of one address, the odd of another.
fn numbered(user: &str, numbers: impl IntoIterator<Item = u32>) -> Vec<Value> {
    let record = |n: u32| {
        let rest = json!({"clientIp": (n % 2).to_string(), "isImpersonating": false});
        session(&format!("{user}{n}"), user, rest)
    };
    numbers.into_iter().map(record).collect()
}

fn not_found() -> Reply {
    Reply::status(404, "Requested Data Not found")
}

#[test]
fn fewer_than_28_are_all() {
    for total in [json!(2), json!("2"), json!(null), json!("")] {
        let sessions = numbered("ann", 0..2);
        let scan = scan(&connect(json!({})), &request(json!([is("user", &["ann"])])), |_| {
            answer(total.clone(), &sessions)
        });
        assert_eq!(json!(scan.rows()), json!([["ann0"], ["ann1"]]));
        assert_eq!((bodies(&scan), gaps(&scan)), (vec![r#"{"userId":"ann"}"#], vec![]), "{total}");
    }
}

#[test]
fn what_does_not_fit_is_split_until_the_count_is_reached() {
    let scan = scan(&connect(json!({})), &request(json!([is("user", &["hot"])])), |request| {
        match body(request) {
            r#"{"userId":"hot"}"# => answer(json!(40), &numbered("hot", 0..28)),
            r#"{"userId":"hot","isImpersonating":true}"# => answer(json!(0), &[]),
            r#"{"userId":"hot","isImpersonating":false}"# => {
                answer(json!(40), &numbered("hot", 4..32))
            }
            r#"{"userId":"hot","clientIp":"0","isImpersonating":false}"# => {
                answer(json!(20), &numbered("hot", (0..40).step_by(2)))
            }
            r#"{"userId":"hot","clientIp":"1","isImpersonating":false}"# => {
                answer(json!(20), &numbered("hot", (1..40).step_by(2)))
            }
            other => panic!("{other}"),
        }
    });
    assert_eq!((scan.rows().len(), scan.requests.len(), gaps(&scan)), (40, 5, vec![]));
    let learned = scan.outcome.unwrap().learned.unwrap();
    assert_eq!(learned["total"], true);
}

#[test]
fn sessions_of_after_the_count_do_not_count() {
    let host = connect(json!({}));
    for (created, n_gaps) in [("11:58:59", 0), ("11:59:00", 1), ("12:00:00", 1)] {
        let new = session("new", "hot", json!({"createTime": format!("2026-03-10T{created}Z")}));
        let scan =
            scan(&host, &request(json!([is("user", &["hot"])])), |request| match body(request) {
                r#"{"userId":"hot"}"# => answer(json!(29), &numbered("hot", 0..28)),
                _ => answer(json!(1), std::slice::from_ref(&new)),
            });
        assert_eq!((scan.rows().len(), gaps(&scan).len()), (29, n_gaps), "{created}");
    }
}

#[test]
fn a_server_that_ignores_further_fields_proves_nothing() {
    // It counts 30 of `hot` and answers all splits with sessions of somebody else.
    let scan = scan(&connect(json!({})), &request(json!([is("user", &["hot"])])), |request| {
        match body(request) {
            r#"{"userId":"hot"}"# => answer(json!(30), &numbered("hot", 0..28)),
            _ => answer(json!(90), &numbered("ann", 0..28)),
        }
    });
    assert_eq!(scan.rows().len(), 28);
    assert!(gaps(&scan)[0].starts_with("28 of 30 sessions where `user` is `hot`"));
    assert!(scan.requests.len() <= 33);
}

/// A server that ignores case counts what differs in it. How it compares other fields is not known,
/// so of that no more counts than the counted answer shows.
#[test]
fn case_that_the_server_ignores_counts_where_it_is_shown() {
    let both = |hot, other| [numbered("hot", hot), numbered("HOT", other)].concat();
    for (split, n_rows, n_gaps) in
        [(both(14..16, 0..0), 16, 0), (both(14..15, 14..15), 15, 1), (both(0..0, 14..16), 14, 1)]
    {
        let scan =
            scan(
                &connect(json!({})),
                &request(json!([is("user", &["hot"])])),
                |request| match body(request) {
                    r#"{"userId":"hot"}"# => answer(json!(30), &both(0..14, 0..14)),
                    _ => answer(json!(2), &split),
                },
            );
        assert_eq!((scan.rows().len(), gaps(&scan).len()), (n_rows, n_gaps));
    }
}

#[test]
fn a_full_answer_without_a_total_is_not_all_however_few_ids_it_has() {
    let mut sessions = numbered("hot", 0..27);
    let scan_of = |sessions: &[Value]| {
        scan(&connect(json!({})), &request(json!([is("user", &["hot"])])), |_| {
            answer(json!(null), sessions)
        })
    };
    assert_eq!(gaps(&scan_of(&sessions)), [""; 0]);
    sessions.push(sessions[0].clone());
    assert!(gaps(&scan_of(&sessions))[0].starts_with("27 sessions of an unknown number"));
}

#[test]
fn many_searches_share_the_splits_and_the_message() {
    let users = ["a", "b", "c", "d", "e"];
    let host = connect(json!({"max_split_requests": 1}));
    let scan = scan(&host, &request(json!([is("user", &users)])), |request| {
        let criteria: Value = serde_json::from_str(body(request)).unwrap();
        answer(json!(50), &numbered(criteria["userId"].as_str().unwrap(), 0..28))
    });
    assert_eq!((scan.requests.len(), scan.rows().len()), (6, 5 * 28));
    let gap = gaps(&scan).remove(0);
    assert!(gap.contains("`user` is `c`") && !gap.contains("`d`"), "{gap}");
    assert!(gap.ends_with("; and 2 more searches: the provider shows 28 sessions of a search"));
}

#[test]
fn stop_sends_nothing_more() {
    let (host, request) = (connect(json!({})), request(json!([is("user", &["a", "b"])])));
    let slice = host.plan(&request).unwrap().slices.remove(0);
    let scan = host.scan_until(1, &request, &slice, |_| answer(json!(40), &numbered("a", 0..28)));
    assert_eq!((scan.requests.len(), scan.rows().len(), scan.code), (1, 28, 0));
}

#[test]
fn a_404_needs_a_proof_that_the_path_is_right() {
    let host = connect(json!({}));
    let nobody = request(json!([is("user", &["nobody"])]));
    let probed = scan(&host, &nobody, |request| match body(request) {
        "{}" => answer(json!(99), &numbered("ann", 0..28)),
        _ => not_found(),
    });
    assert_eq!(bodies(&probed), [r#"{"userId":"nobody"}"#, "{}"]);
    assert_eq!((probed.rows().len(), gaps(&probed)), (0, vec![]));
    // The probe proves it for one statement, whatever was seen in those before.
    let learned = json!({"path_at": "2026-03-10T11:59:59Z", "total": true});
    let known = Request { learned, ..nobody.clone() };
    let failed = scan(&host, &known, |_| not_found());
    assert_eq!((failed.requests.len(), failed.outcome.is_err()), (2, true));
    // So does a search before.
    let some = request(json!([is("user", &["ann", "nobody", "none"])]));
    for (found, n_requests) in [("ann", 3), ("none", 4)] {
        let scan = scan(&host, &some, |request| match body(request) {
            "{}" => answer(json!(99), &numbered("ann", 0..28)),
            named if named.contains(found) => answer(json!(1), &numbered(found, 0..1)),
            _ => not_found(),
        });
        assert_eq!((scan.requests.len(), scan.rows().len()), (n_requests, 1), "{found}");
    }

    let failed = scan(&host, &nobody, |_| not_found());
    let error = failed.outcome.unwrap_err().errors.remove(0);
    assert!(error.message.ends_with("answered 404: Requested Data Not found"));
    assert!(error.hint.unwrap().contains("`not_found_is_empty = true`"));
    let trusting = connect(json!({"not_found_is_empty": true}));
    assert_eq!(scan(&trusting, &nobody, |_| not_found()).requests.len(), 1);
}

#[test]
fn a_404_that_is_a_page_for_people_is_never_empty() {
    let pages = ["<html>gone</html>", " <!DOCTYPE HTML><p>", "<?xml version=\"1.0\"?><html/>"];
    for page in pages {
        let some = request(json!([is("user", &["ann", "nobody"])]));
        let scan =
            scan(&connect(json!({"not_found_is_empty": true})), &some, |request| {
                match body(request).contains("ann") {
                    true => answer(json!(1), &numbered("ann", 0..1)),
                    false => Reply::status(404, page),
                }
            });
        let error = scan.outcome.unwrap_err().errors.remove(0);
        assert!(error.hint.unwrap().starts_with("check `base_url`"), "{page}");
    }
}

#[test]
fn a_404_to_a_search_without_a_key_is_no_proof_of_nothing() {
    let host = connect(json!({"not_found_is_empty": true}));
    let known = json!({"path_at": support::CLOCK});
    for (filters, n_requests) in [(json!([]), 1), (json!([is("id_store_name", &["main"])]), 2)] {
        let request = Request { learned: known.clone(), ..request(filters) };
        let scan = scan(&host, &request, |_| not_found());
        assert_eq!(scan.requests.len(), n_requests);
        let error = scan.outcome.unwrap_err().errors.remove(0);
        assert!(error.hint.unwrap().starts_with("filter on `user`"));
    }
    // What was allowed in another statement proves nothing in this one; the probe does.
    let learned = json!({"unkeyed_at": "2026-03-10T11:59:59Z"});
    let open = Request { learned, ..request(json!([])) };
    assert!(scan(&host, &open, |_| not_found()).outcome.is_err());
    let scan =
        scan(&host, &request(json!([is("id_store_name", &["main"])])), |request| {
            match body(request) {
                "{}" => answer(json!(1), &numbered("ann", 0..1)),
                _ => not_found(),
            }
        });
    assert_eq!((scan.rows().len(), gaps(&scan)), (0, vec![]));
}

#[test]
fn what_cannot_be_understood_of_the_learned_is_forgotten() {
    let request = Request { learned: json!([1, 2]), ..request(json!([is("user", &["ann"])])) };
    let scan = scan(&connect(json!({})), &request, |_| answer(json!(29), &numbered("ann", 0..28)));
    assert_eq!(
        scan.outcome.unwrap().learned,
        Some(json!({"total": true, "path_at": support::CLOCK}))
    );
}

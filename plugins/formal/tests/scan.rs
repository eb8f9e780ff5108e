//! Holds what a scan sends page by page and id by id, and when it gives up.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{HttpRequest, Request};
use sessionql_plugin_sdk::testing::{FakeHost, Reply, Scan};

use support::{connect, id, line, range, request};

/// Scans the one slice of a plan.
fn scan(host: &FakeHost, request: &Request, server: impl FnMut(&HttpRequest) -> Reply) -> Scan {
    let (_, mut scans) = host.run(request, server).unwrap();
    assert_eq!(scans.len(), 1);
    scans.remove(0)
}

fn list(server: impl FnMut(&HttpRequest) -> Reply) -> Scan {
    scan(&connect(json!({})), &request(json!([])), server)
}

fn look_up(ids: &[&str], server: impl FnMut(&HttpRequest) -> Reply) -> Scan {
    scan(&connect(json!({})), &request(json!([id(ids)])), server)
}

fn page(ids: &[&str], next: Value) -> Reply {
    let sessions: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
    Reply::json(&json!({"sessions": sessions, "listMetadata": {"count": 2, "nextCursor": next}}))
}

fn message(request: &HttpRequest) -> Value {
    serde_json::from_str(request.body.as_ref().unwrap()).unwrap()
}

fn error(status: u16, code: &str) -> Reply {
    Reply::status(status, json!({"code": code, "message": "so it is"}).to_string())
}

#[test]
fn pages_repeat_all_filters_and_end_without_a_cursor() {
    for end in [json!(null), json!("")] {
        let request = request(json!([range("start", Some("09 10:00:00"), None)]));
        let scan = scan(&connect(json!({})), &request, |request| {
            match message(request)["cursor"].as_str() {
                None => page(&["a", "b"], json!("b")),
                // Protobuf's JSON leaves out a list that is empty.
                Some("b") => Reply::json(&json!({"listMetadata": {"nextCursor": "c"}})),
                _ => page(&["d"], end.clone()),
            }
        });
        let first = r#"ListSessionsV2 {"limit":1000,"startTimestamp":"2026-03-09T09:58:59Z""#;
        let sent: Vec<_> = scan.requests.iter().map(line).collect();
        let expected = [
            format!("{first}}}"),
            format!(r#"{first},"cursor":"b"}}"#),
            format!(r#"{first},"cursor":"c"}}"#),
        ];
        assert_eq!(sent, expected);
        assert_eq!(json!(scan.rows()), json!([["a"], ["b"], ["d"]]));
        let report = scan.outcome.unwrap();
        assert_eq!(report.learned, Some(json!({"cursors": true})));
        assert_eq!(report.gaps[0].reason.as_str(), "capped");
        assert!(report.gaps[0].message.starts_with("3 pages were read, and a session that moved"));
    }
}

/// The server's pages by the cursor that leads to each.
fn paged(pages: &[(&str, &[&str], Value)], request: &HttpRequest) -> Reply {
    let message = message(request);
    let cursor = message["cursor"].as_str().unwrap_or_default();
    match pages.iter().find(|(of, ..)| *of == cursor) {
        Some((_, ids, next)) => page(ids, next.clone()),
        None => error(400, "invalid_argument"),
    }
}

fn cursors(scan: &Scan) -> Vec<String> {
    let cursor = |request| message(request)["cursor"].as_str().unwrap_or_default().to_owned();
    scan.requests.iter().map(cursor).collect()
}

#[test]
fn a_page_without_a_cursor_is_the_last_only_of_a_server_that_gives_some() {
    let asks = |learned: Value, pages: &[(&str, &[&str], Value)]| {
        let request = Request { learned, ..request(json!([])) };
        scan(&connect(json!({})), &request, |request| paged(pages, request))
    };
    // Nothing follows the last id: an empty page, one with nothing new, or no such cursor.
    let one: &[&str] = &["a", "b"];
    for after in [
        &[("", one, json!(null)), ("b", &[], json!(null))][..],
        &[("", one, json!(null)), ("b", &["b"], json!(null))],
        &[("", one, json!(null))],
    ] {
        let scan = asks(json!(null), after);
        assert_eq!(cursors(&scan), ["", "b"]);
        assert_eq!(scan.outcome, Ok(Default::default()), "{after:?}");
    }
    // It is not asked for where cursors were seen, nor after an empty page.
    let scan = asks(json!({"cursors": true}), &[("", one, json!(null))]);
    assert_eq!((cursors(&scan), scan.outcome), (vec![String::new()], Ok(Default::default())));
    assert_eq!(cursors(&asks(json!(null), &[("", &[], json!(null))])), [""]);
}

#[test]
fn pages_without_cursors_go_on_by_id() {
    let pages: &[(&str, &[&str], Value)] = &[
        ("", &["a", "b"], json!(null)),
        ("b", &["b", "c"], json!(null)),
        ("c", &["d"], json!(null)),
        ("d", &[], json!(null)),
    ];
    let request = request(json!([]));
    let stable = connect(json!({"timestamp_is": "start"}));
    let whole = scan(&stable, &request, |request| paged(pages, request));
    assert_eq!(cursors(&whole), ["", "b", "c", "d"]);
    assert_eq!(json!(whole.rows()), json!([["a"], ["b"], ["b"], ["c"], ["d"]]));
    assert_eq!(whole.outcome, Ok(Default::default()));
    // Once it went on by id, a refused one is no end.
    let cut = scan(&stable, &request, |request| paged(&pages[..2], request));
    assert_eq!((cursors(&cut).len(), cut.outcome.is_err()), (3, true));
}

#[test]
fn another_refusal_of_an_id_is_no_end() {
    for code in ["internal", "not_found", "permission_denied"] {
        let scan = list(|request| match message(request)["cursor"].as_str() {
            None => page(&["a"], json!(null)),
            Some(_) => error(400, code),
        });
        assert!(scan.outcome.is_err(), "{code}");
    }
}

/// Returns a record, completed if it has an end. Times are of 2026-03-10, whose noon is now.
fn record(id: &str, start: &str, end: &str) -> Value {
    let at = |time: &str| format!("2026-03-10T{time}Z");
    match end {
        "" => json!({"id": id, "sessionStatus": "active", "startTime": at(start)}),
        end => {
            json!({"id": id, "sessionStatus": "completed", "startTime": at(start), "endTime": at(end)})
        }
    }
}

/// What moves while pages are read, by activity, moves to the first one, which is read again.
#[test]
fn several_pages_are_whole_if_the_first_one_read_again_has_all_that_moved() {
    let open = || record("open", "11:30:00", "");
    let new = || record("new", "11:00:00", "11:57:59");
    let old = || record("old", "09:00:00", "10:00:00");
    let fresh = || record("fresh", "11:00:00", "11:58:00");
    let among = || record("among", "09:30:00", "11:29:00");
    let cases = [
        ("it ends with one that had ended", json!({}), vec![open(), new()], vec![old()], 3, true),
        ("all on it may move", json!({}), vec![open()], vec![new(), old()], 3, false),
        ("it may have ended just now", json!({}), vec![open(), fresh()], vec![old()], 3, false),
        ("oldest first", json!({}), vec![old()], vec![new(), open()], 2, false),
        ("in no order", json!({}), vec![new(), old()], vec![open()], 2, false),
        ("no order is to be seen", json!({}), vec![among()], vec![new()], 2, false),
        (
            "no two are apart",
            json!({"slack": 3_600_000_000_i64}),
            vec![open(), new()],
            vec![old()],
            2,
            false,
        ),
        ("it says so", json!({"timestamp_is": "start"}), vec![open()], vec![old()], 2, true),
    ];
    for (name, options, first, second, n_requests, is_whole) in cases {
        let scan = scan(&connect(options), &request(json!([])), |request| {
            let (sessions, next) = match message(request)["cursor"].as_str() {
                None => (&first, json!("x")),
                Some(_) => (&second, json!(null)),
            };
            Reply::json(&json!({"sessions": sessions, "listMetadata": {"nextCursor": next}}))
        });
        assert_eq!(scan.requests.len(), n_requests, "{name}");
        assert_eq!(scan.outcome.unwrap().gaps.is_empty(), is_whole, "{name}");
    }
}

/// An open session that had long been quiet stands among those that ended, and moves as well.
#[test]
fn what_the_first_page_read_again_has_anew_is_a_row() {
    let pages = [
        (vec![record("a", "11:30:00", ""), record("b", "11:00:00", "11:20:00")], json!("x")),
        (vec![record("c", "09:00:00", "10:00:00")], json!(null)),
        (vec![record("moved", "08:00:00", ""), record("b", "11:00:00", "11:20:00")], json!("y")),
    ];
    let mut pages = pages.iter();
    let scan = list(|_| {
        let (sessions, next) = pages.next().unwrap();
        Reply::json(&json!({"sessions": sessions, "listMetadata": {"nextCursor": next}}))
    });
    assert_eq!(cursors(&scan), ["", "x", ""]);
    assert_eq!(json!(scan.rows()), json!([["a"], ["b"], ["c"], ["moved"], ["b"]]));
    assert_eq!(scan.outcome.unwrap().gaps, []);
}

#[test]
fn an_answer_without_sessions_is_an_empty_page_only_if_it_looks_like_one() {
    for body in [json!({}), json!({"listMetadata": {}}), json!({"listMetadata": {}, "took": 3})] {
        let scan = list(|_| Reply::json(&body));
        assert_eq!((scan.rows().len(), scan.outcome), (0, Ok(Default::default())), "{body}");
    }
    let about = "the answer to `POST /core.v1.SessionsService/ListSessionsV2` has";
    for (body, what) in [
        (json!({"error": "no such page"}), "neither `sessions` nor `listMetadata`"),
        (json!({"listMetadata": null, "x": 1}), "neither `sessions` nor `listMetadata`"),
        (json!({"sessions": null}), "no list `sessions`"),
        (json!({"sessions": {"id": "a"}}), "no list `sessions`"),
        (json!([]), "no list `sessions`"),
        (
            json!({"sessions": [], "listMetadata": {"nextCursor": 5}}),
            "no text in `listMetadata.nextCursor`",
        ),
        (json!({"sessions": [{"id": "a"}, {}]}), "nothing at `sessions[1].id`, where text is due"),
    ] {
        let scan = list(|_| Reply::json(&body));
        assert_eq!(scan.error_messages(), [format!("{about} {what}")]);
        assert_eq!(scan.outcome.unwrap_err().errors[0].code.as_str(), "bad_answer");
    }
}

#[test]
fn cursors_in_a_circle_are_an_error() {
    for circle in [vec!["a"], vec!["a", "b"]] {
        let mut cursors = circle.iter().cycle();
        let scan = list(|_| page(&["x"], json!(cursors.next())));
        assert_eq!(scan.requests.len(), circle.len() + 1);
        let error = scan.outcome.unwrap_err().errors.remove(0);
        assert_eq!(error.code.as_str(), "bad_answer");
        assert!(error.message.ends_with("repeats the cursor of an earlier page"));
    }
}

#[test]
fn stop_sends_nothing_more() {
    let (host, request) = (connect(json!({})), request(json!([])));
    let slice = host.plan(&request).unwrap().slices.remove(0);
    let scan = host.scan_until(1, &request, &slice, |_| page(&["a"], json!("next")));
    assert_eq!((scan.requests.len(), scan.rows().len(), scan.code), (1, 1, 0));
}

/// An API that ignores case may know `a` and `A`, and answer with `a` for both.
#[test]
fn another_session_than_the_one_asked_for_leads_to_a_listing() {
    let scan = look_up(&["a", "A", "b"], |request| match message(request)["sessionId"].as_str() {
        Some(_) => Reply::json(&json!({"session": {"sessionStatus": "x", "id": "a"}})),
        None if message(request)["cursor"].is_string() => Reply::json(&json!({})),
        None => page(&["a", "A", "c"], json!(null)),
    });
    let calls: Vec<_> = scan.requests.iter().map(line).collect();
    assert_eq!(
        calls,
        [
            r#"GetSession {"sessionId":"a"}"#,
            r#"GetSession {"sessionId":"A"}"#,
            r#"ListSessionsV2 {"limit":1000}"#,
            r#"ListSessionsV2 {"limit":1000,"cursor":"c"}"#,
        ]
    );
    // The host drops what was not asked for, and what comes twice.
    assert_eq!(json!(scan.rows()), json!([["a"], ["a"], ["A"], ["c"]]));
    assert_eq!(
        scan.outcome.unwrap().notes,
        [
            "the API answered with another session than the one that was asked for, so all were read (1 pages)"
        ]
    );
}

#[test]
fn the_record_of_a_look_up_is_read_as_it_came() {
    let record = r#"{ "id":"a",  "sessionStatus":"active","x":1.50 }"#;
    let mut request = request(json!([id(&["a"])]));
    request.columns = vec!["status".to_owned(), "raw".to_owned()];
    let body = format!(r#"{{"session": {record}}}"#);
    let scan = scan(&connect(json!({})), &request, |_| Reply::status(200, body.clone()));
    assert_eq!(json!(scan.rows()), json!([["ACTIVE", record]]));
}

#[test]
fn what_the_service_does_not_find_is_no_row_whatever_the_status() {
    for status in [404, 400, 412] {
        let scan = look_up(&["a", "b"], |request| match message(request)["sessionId"].as_str() {
            Some("a") => error(status, "not_found"),
            _ => Reply::json(&json!({"session": {"id": "b"}})),
        });
        assert_eq!(json!(scan.rows()), json!([["b"]]));
        assert_eq!(scan.outcome, Ok(Default::default()));
    }
}

#[test]
fn a_404_that_is_not_the_services_is_an_error() {
    for body in ["404 page not found", "", "{}", r#"{"message": "not_found"}"#, r#"{"code": 404}"#]
    {
        let error = look_up(&["a"], |_| Reply::status(404, body)).outcome.unwrap_err();
        assert_eq!(error.errors[0].code.as_str(), "provider_error", "{body}");
        assert!(error.errors[0].hint.as_ref().unwrap().contains("base_url"), "{body}");
    }
    // Nor is a listing that is not found an empty one.
    assert!(list(|_| error(404, "not_found")).outcome.is_err());
}

#[test]
fn answers_to_a_look_up_of_another_shape_are_errors() {
    let about = "the answer to `POST /core.v1.SessionsService/GetSession` has";
    for (body, what) in [
        ("{}", "no `session`"),
        (r#"{"session": null}"#, "no `session`"),
        ("[]", "no `session`"),
        (r#"{"session": {}}"#, "nothing at `session[0].id`, where text is due"),
        (
            r#"{"session": {"id": "a", "startTime": 5}}"#,
            "a number at `session[0].startTime`, where an RFC 3339 instant is due",
        ),
    ] {
        let mut request = request(json!([id(&["a"])]));
        request.columns.push("start".to_owned());
        let scan = scan(&connect(json!({})), &request, |_| Reply::status(200, body));
        assert_eq!(scan.error_messages(), [format!("{about} {what}")]);
    }
}

#[test]
fn errors_are_told_by_their_code() {
    let list = "`POST /core.v1.SessionsService/ListSessionsV2` answered";
    for (status, body, code, message) in [
        (
            400,
            r#"{"code":"invalid_argument","message":"limit: must be"}"#,
            "provider_error",
            "`invalid_argument`: limit: must be",
        ),
        (403, r#"{"code":"permission_denied"}"#, "auth", "`permission_denied`"),
        (400, r#"{"code":"unauthenticated","message":"who?"}"#, "auth", "`unauthenticated`: who?"),
        (403, r#"{"code":"failed_precondition"}"#, "provider_error", "`failed_precondition`"),
        (403, "<p>", "auth", "403: <p>"),
        (418, "", "provider_error", "418: without a word"),
    ] {
        let error = self::list(|_| Reply::status(status, body)).outcome.unwrap_err();
        assert_eq!(error.errors[0].message, format!("{list} {message}"));
        assert_eq!(error.errors[0].code.as_str(), code, "{body}");
    }
}

//! Holds how answers become rows, which sessions are looked up, and what a scan finds out.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod support;

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{Auth, HttpRequest, Request};
use sessionql_plugin_sdk::testing::{FakeHost, Reply, Scan, request_line};

use support::{at, connect, range, record, request, trusting, window};

/// Scans the one slice of a plan against a server that knows these answers, by query.
fn scan_on(host: &FakeHost, request: &Request, answers: &[(&str, Value)]) -> Scan {
    let server = |request: &HttpRequest| {
        let line = request_line(request).replace("GET /ekranapi/sessions", "");
        let answer = answers.iter().find(|(query, _)| *query == line);
        answer.map_or_else(|| Reply::status(404, line), |(_, answer)| Reply::json(answer))
    };
    let (_, mut scans) = host.run(request, server).unwrap();
    assert_eq!(scans.len(), 1);
    scans.remove(0)
}

/// Reads one answer without bounds.
fn read(options: Value, columns: &[&str], answer: Value) -> Scan {
    scan_on(&connect(options), &request(columns, &[]), &[("", answer)])
}

fn error(record: Value) -> String {
    read(json!({}), &["id"], json!([record])).error_messages().remove(0)
}

// Rows

#[test]
fn the_vendors_example() {
    let answer = json!([
        {"clientGuid": "1d4fegdr-g3ff-4114-a814-f3aeee14dgdg", "logoutDate": "2000-01-23T04:56:07.000+00:00",
         "loginDate": "2000-01-23T04:56:07.000+00:00", "sessionId": 124, "userId": 61},
        {"clientGuid": "dd4lwdr-xxff-4ss4-a814-f3aeee14dgdsg", "logoutDate": null,
         "loginDate": "2000-01-23T04:56:07.000+05:00", "sessionId": 142, "userId": 16},
    ]);
    let columns = ["id", "user", "start", "end", "status", "session_id", "user_id", "client_guid"];
    let scan = read(json!({}), &columns, answer);
    let (first, second) = ("2000-01-23T04:56:07Z", "2000-01-22T23:56:07Z");
    let expected = json!([
        ["124", "61", first, first, "COMPLETED", 124, 61, "1d4fegdr-g3ff-4114-a814-f3aeee14dgdg"],
        ["142", "16", second, null, "ACTIVE", 142, 16, "dd4lwdr-xxff-4ss4-a814-f3aeee14dgdsg"],
    ]);
    assert_eq!(json!(scan.rows()), expected);
    assert!(scan.outcome.unwrap().gaps.is_empty());
}

#[test]
fn raw_is_what_was_sent() {
    let body = r#"[ {"sessionId" : 1,  "more": [1.50]}]"#;
    let (_, scans) =
        connect(json!({})).run(&request(&["raw"], &[]), |_| Reply::status(200, body)).unwrap();
    assert_eq!(json!(scans[0].rows()), json!([[r#"{"sessionId" : 1,  "more": [1.50]}"#]]));
}

#[test]
fn all_but_the_id_may_be_missing() {
    let columns = ["id", "user", "start", "end", "client_guid"];
    let scan = read(json!({}), &columns, json!([{"sessionId": "7"}]));
    assert_eq!(json!(scan.rows()), json!([["7", null, null, null, null]]));
}

#[test]
fn what_is_wrong_with_a_record_is_named() {
    let about = "the answer to `GET /ekranapi/sessions` has";
    for (record, what) in [
        (json!({"userId": 1}), "nothing at `[0].sessionId`, where a whole number is due"),
        (
            json!({"sessionId": 1.5}),
            "a number that is not whole at `[0].sessionId`, where a whole number is due",
        ),
        (
            json!({"sessionId": 1, "userId": "ann"}),
            "text that is no number at `[0].userId`, where a whole number is due",
        ),
        (
            json!({"sessionId": 1, "clientGuid": {}}),
            "an object at `[0].clientGuid`, where text is due",
        ),
        (
            json!({"sessionId": 1, "loginDate": "noon"}),
            "text that is no instant at `[0].loginDate`, where an RFC 3339 instant is due",
        ),
        (
            json!({"sessionId": 1, "logoutDate": 5}),
            "a number at `[0].logoutDate`, where an RFC 3339 instant is due",
        ),
        (json!("x"), "text at `[0]`, where an object is due"),
        (json!(null), "null at `[0]`, where an object is due"),
    ] {
        assert_eq!(error(record), format!("{about} {what}"));
    }
    let scan = read(json!({}), &["id"], json!({"sessions": []}));
    assert_eq!(scan.error_messages(), ["the answer to `GET /ekranapi/sessions` is no list"]);
}

#[test]
fn a_time_without_offset_needs_the_zone() {
    let answer = json!([{"sessionId": 1, "loginDate": "2026-03-09T11:00:00.000"}]);
    let berlin = json!({"time_zone": "Europe/Berlin"});
    let scan = read(berlin.clone(), &["start"], answer.clone());
    assert_eq!(json!(scan.rows()), json!([[at("09 10:00:00")]]));
    let error = read(json!({}), &["start"], answer).outcome.unwrap_err().errors.remove(0);
    assert!(
        error.message.contains("a time without offset at `[0].loginDate`"),
        "{}",
        error.message
    );
    assert!(error.hint.unwrap().contains("`time_zone`"));

    let twice = json!([{"sessionId": 1, "loginDate": "2026-10-25T02:30:00"}]);
    let gaps = read(berlin, &["start"], twice).outcome.unwrap().gaps;
    assert_eq!((gaps.len(), gaps[0].reason.as_str()), (1, "clamped"));
}

#[test]
fn auth_is_what_the_options_say() {
    let auth = |options| connect(options).connected().auth.clone().unwrap();
    assert_eq!(auth(json!({})), Auth::None);
    assert_eq!(auth(json!({"auth": "bearer"})), Auth::Bearer { token: "token".to_owned() });
    let (header, value) = ("x-token".to_owned(), "value".to_owned());
    assert_eq!(
        auth(json!({"auth": "header", "header": "x-token"})),
        Auth::Header { header, value }
    );
}

#[test]
fn only_one_path_is_allowed() {
    let patterns = connect(json!({})).patterns().to_vec();
    assert_eq!(patterns.len(), 1);
    assert_eq!((&*patterns[0].method, &*patterns[0].path), ("GET", "/ekranapi/sessions"));
}

// Sessions that were cut

#[test]
fn what_began_before_a_start_is_left_out() {
    let request = request(&["id", "start"], &[range("start", Some("09 10:00:00"), None)]);
    let scan = scan_on(
        &trusting(),
        &request,
        &[
            (
                "?start=2026-03-09T10:59:58&end=2026-03-09T10:59:59",
                json!([record(1, "09 09:59:58", Some("09 09:59:59"))]),
            ),
            (
                "?start=2026-03-09T10:59:58",
                json!([record(1, "09 10:30:00", None), record(2, "09 10:20:00", None)]),
            ),
        ],
    );
    assert_eq!(json!(scan.rows()), json!([["2", at("09 10:20:00")]]));
}

#[test]
fn one_that_was_open_and_is_not_among_the_rest_has_all_read() {
    let request = request(&["id", "start"], &[range("start", Some("09 10:00:00"), None)]);
    let at = "?start=2026-03-09T10:59:58";
    let two = record(2, "09 10:20:00", None);
    let scan = scan_on(
        &trusting(),
        &request,
        &[
            (
                &format!("{at}&end=2026-03-09T10:59:59"),
                json!([record(1, "09 09:59:58", Some("09 09:59:59"))]),
            ),
            (at, json!([])),
            ("", json!([record(1, "09 08:00:00", None), two])),
        ],
    );
    assert_eq!(scan.request_lines().len(), 3);
    assert_eq!(json!(scan.rows())[1][0], "2");
    assert_eq!(scan.outcome.unwrap().learned.unwrap()["selects_by_overlap"], false);
}

#[test]
fn sessions_that_are_shown_too_late_or_too_early_are_looked_up() {
    let request = request(&["id"], &[window(Some("08 10:00:00"), Some("09 10:00:00"))]);
    let between = json!([
        record(1, "08 12:00:00", Some("08 13:00:00")),
        record(2, "09 10:00:00.5", Some("09 10:00:00.5")),
        record(3, "09 10:00:00.5", Some("09 10:00:00.5")),
        record(4, "08 09:59:59", Some("08 09:59:59.5")),
        record(5, "08 09:59:59", Some("08 09:59:59.5")),
    ]);
    let scan = scan_on(
        &trusting(),
        &request,
        &[
            ("?start=2026-03-08T10:59:58&end=2026-03-09T11:00:01", between),
            (
                "?start=2026-03-08T10:59:58&end=2026-03-08T10:59:59",
                json!([record(2, "08 09:59:58", None)]),
            ),
            (
                "?start=2026-03-09T11:00:01&end=2026-03-09T11:00:02",
                json!([record(4, "09 10:00:01", None)]),
            ),
        ],
    );
    assert_eq!(json!(scan.rows()), json!([["1"], ["2"], ["4"]]));
}

#[test]
fn sessions_of_two_clients_with_one_number_are_two() {
    let mut other = record(1, "09 09:59:58", None);
    other["clientGuid"] = json!("other");
    let request = request(&["start"], &[range("start", Some("09 10:00:00"), None)]);
    let scan = scan_on(
        &trusting(),
        &request,
        &[
            ("?start=2026-03-09T10:59:58&end=2026-03-09T10:59:59", json!([other.clone()])),
            ("?start=2026-03-09T10:59:58", json!([other, record(1, "09 10:20:00", None)])),
        ],
    );
    assert_eq!(json!(scan.rows()), json!([[at("09 10:20:00")]]));
}

// What a scan finds out

/// Sessions by which the second at 10:45 shows everything.
fn crowd() -> Vec<Value> {
    vec![
        record(1, "08 10:00:00", None),
        record(2, "10 08:00:00", Some("10 10:50:00")),
        record(3, "10 10:40:00", Some("10 11:30:00")),
    ]
}

/// The same as they are shown in that second, in which nothing happens.
fn cut() -> Vec<Value> {
    let cut = |mut record: Value| {
        record["loginDate"] = json!("2026-03-10T11:45:00.000+01:00");
        if !record["logoutDate"].is_null() {
            record["logoutDate"] = json!("2026-03-10T11:45:01.000+01:00");
        }
        record
    };
    crowd().into_iter().map(cut).collect()
}

/// Scans all sessions, and returns what was learned of the answer to the one second, if the one to
/// what follows has everybody.
fn learn(all: Vec<Value>, second: Vec<Value>) -> (Vec<String>, Option<Value>) {
    learn_since(all, second, crowd())
}

fn learn_since(
    all: Vec<Value>,
    second: Vec<Value>,
    since: Vec<Value>,
) -> (Vec<String>, Option<Value>) {
    let host = connect(json!({"time_zone": "Europe/Berlin"}));
    let request = request(&["user"], &[window(Some("09 10:00:00"), None)]);
    let one = "?start=2026-03-10T11:45:00&end=2026-03-10T11:45:01";
    let answers =
        [("", json!(all)), (one, json!(second)), ("?start=2026-03-10T11:45:00", json!(since))];
    let scan = scan_on(&host, &request, &answers);
    (scan.request_lines(), scan.outcome.unwrap().learned)
}

#[test]
fn a_second_with_just_the_right_sessions_shows_all() {
    let (lines, learned) = learn(crowd(), cut());
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(learned, found(json!(true), &[3_600_000_000]));
}

/// What is learned of a crowd.
fn found(selects: Value, offsets_us: &[i64]) -> Option<Value> {
    Some(json!({"selects_by_overlap": selects, "offsets_us": offsets_us, "has_open": true}))
}

#[test]
fn a_bound_alone_must_select_no_fewer() {
    let (lines, learned) = learn_since(crowd(), cut(), crowd()[1..].to_vec());
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(learned, found(json!(false), &[]));
}

/// An activity on a bound looks like a silence that was cut there.
#[test]
fn a_session_that_is_shown_as_an_instant_shows_no_silence() {
    let mut busy = cut();
    for record in &mut busy {
        if !record["logoutDate"].is_null() {
            record["logoutDate"] = record["loginDate"].clone();
        }
    }
    let (lines, learned) = learn(crowd(), busy);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(learned, found(json!(null), &[]));
}

#[test]
fn sessions_that_come_twice_show_as_much() {
    let twice = |records: Vec<Value>| [records.clone(), records].concat();
    let (_, learned) = learn_since(twice(crowd()), twice(cut()), twice(crowd()));
    assert_eq!(learned, found(json!(true), &[3_600_000_000]));
}

#[test]
fn a_second_with_other_sessions_shows_that_bounds_do_not_fit() {
    let mut more = cut();
    more.push(record(4, "10 11:00:00", None));
    let refuted = found(json!(false), &[]);
    assert_eq!(learn(crowd(), cut()[1..].to_vec()).1, refuted, "one is missing");
    assert_eq!(learn(crowd(), more).1, refuted, "one is too much");
}

#[test]
fn a_second_in_which_all_were_busy_shows_nothing() {
    let mut busy = cut();
    for record in &mut busy {
        record["loginDate"] = json!("2026-03-10T11:45:00.500+01:00");
    }
    assert_eq!(learn(crowd(), busy).1, found(json!(null), &[]));
}

#[test]
fn a_second_that_could_not_show_it_is_not_asked_for() {
    let mut nobody_leaves = crowd();
    nobody_leaves[1] = record(2, "10 08:00:00", Some("10 11:30:00"));
    let mut nobody_comes = crowd();
    nobody_comes[2] = record(3, "10 08:40:00", Some("10 11:30:00"));
    let mut nobody_stays = crowd();
    nobody_stays[0] = record(1, "08 10:00:00", Some("10 11:30:00"));
    for all in [crowd()[..2].to_vec(), nobody_leaves, nobody_comes, nobody_stays] {
        let (lines, _) = learn(all, Vec::new());
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[test]
fn ends_are_doubtful_until_a_session_came_without_one() {
    let gaps = |options: Value, records: Vec<Value>, columns: &[&str]| {
        read(options, columns, json!(records)).outcome.unwrap().gaps.len()
    };
    let ended = || record(1, "09 10:00:00", Some("09 11:00:00"));
    let open = || record(2, "09 10:00:00", None);
    assert_eq!(gaps(json!({}), vec![ended()], &["end"]), 1);
    assert_eq!(gaps(json!({}), vec![ended()], &["status"]), 1);
    assert_eq!(gaps(json!({}), vec![ended(), open()], &["end"]), 0);
    assert_eq!(gaps(json!({}), vec![ended()], &["start"]), 0);
    assert_eq!(gaps(json!({}), vec![], &["end"]), 0);
    assert_eq!(gaps(json!({"unfinished": "no_logout"}), vec![ended()], &["end"]), 0);
    let mut request = request(&["end"], &[]);
    request.learned = json!({"has_open": true});
    let scan = scan_on(&connect(json!({})), &request, &[("", json!([ended()]))]);
    assert!(scan.outcome.unwrap().gaps.is_empty());
}

#[test]
fn stop_sends_nothing_more() {
    let host = connect(json!({"time_zone": "Europe/Berlin"}));
    let request = request(&["user"], &[window(Some("09 10:00:00"), None)]);
    let slice = host.plan(&request).unwrap().slices.remove(0);
    let scan = host.scan_until(1, &request, &slice, |_| Reply::json(&json!(crowd())));
    assert_eq!((scan.requests.len(), scan.code), (1, 0));
}

#[test]
fn doubts_outlive_a_stop() {
    let host = connect(json!({}));
    let request = request(&["end"], &[]);
    let slice = host.plan(&request).unwrap().slices.remove(0);
    let gaps = |records: Vec<Value>| {
        let scan = host.scan_until(1, &request, &slice, |_| Reply::json(&json!(records)));
        scan.outcome.unwrap().gaps.len()
    };
    assert_eq!(gaps(crowd()[1..].to_vec()), 1);
    assert_eq!(gaps(crowd()), 0);
}

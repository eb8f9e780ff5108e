//! The rules of the Formal emulator, one test each, over a bare socket.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sessionql_sandbox::Clock;
use sessionql_sandbox::formal::{
    CursorStyle, Emulator, Options, RateLimit, SessionRecord, Status, Timestamp,
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Starts an emulator with sessions `s0`, `s1`, … one an hour from midnight, each of ten minutes.
fn hourly(n_sessions: i64) -> Emulator {
    let clock = Clock::fixed(at("2025-03-01T12:00:00Z"));
    let emulator = Emulator::start(Options::empty(clock)).unwrap();
    let session = |hour| {
        let start = at("2025-03-01T00:00:00Z") + TimeDelta::hours(hour);
        let end = start + TimeDelta::minutes(10);
        SessionRecord::completed(&format!("s{hour}"), "alice", start, end)
    };
    emulator.set_sessions((0..n_sessions).map(session).collect());
    emulator
}

/// Sends a request with these headers and reads until the connection ends.
fn send(emulator: &Emulator, line: &str, headers: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(emulator.address()).unwrap();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut all = String::new();
    stream.read_to_string(&mut all).unwrap();
    let (head, body) = all.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
}

const HEADERS: &str = "x-api-key: sandbox-formal-key\r\ncontent-type: application/json\r\n";

fn call(emulator: &Emulator, name: &str, body: &str) -> (u16, Value) {
    let line = format!("POST /core.v1.SessionsService/{name}");
    let (status, _, body) = send(emulator, &line, HEADERS, body);
    (status, serde_json::from_str(&body).unwrap())
}

fn list(emulator: &Emulator, message: &Value) -> Value {
    let (status, page) = call(emulator, "ListSessionsV2", &message.to_string());
    assert_eq!(status, 200, "{page}");
    page
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["sessions"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

fn refused(emulator: &Emulator, name: &str, body: &str) -> (u16, String) {
    let (status, error) = call(emulator, name, body);
    (status, format!("{}: {}", error["code"].as_str().unwrap(), error["message"].as_str().unwrap()))
}

#[test]
fn what_is_empty_is_left_out() {
    let emulator = hourly(0);
    assert_eq!(list(&emulator, &json!({"limit": 5})), json!({}));
    emulator.upsert(SessionRecord::active("a", "", at("2025-03-01T11:00:00Z")));
    assert_eq!(
        list(&emulator, &json!({"limit": 5})),
        json!({
            "sessions": [{"id": "a", "startTime": "2025-03-01T11:00:00Z", "sessionStatus": "active"}],
            "listMetadata": {"count": 1},
        })
    );
}

#[test]
fn a_limit_is_required_and_in_its_range() {
    let emulator = hourly(1);
    let due = "limit: must be greater than 0 and less than or equal to 100000";
    for body in ["{}", r#"{"limit": 0}"#, r#"{"limit": 100001}"#, r#"{"limit": -1}"#] {
        let error = refused(&emulator, "ListSessionsV2", body);
        assert_eq!(error, (400, format!("invalid_argument: validation error: {due}")), "{body}");
    }
    emulator.set_switches(|switches| switches.old_validation_text = true);
    assert!(refused(&emulator, "ListSessionsV2", "{}").1.ends_with("[int32.gt_lte]"));
    for limit in [json!(1), json!(100_000), json!("7")] {
        assert_eq!(ids(&list(&emulator, &json!({ "limit": limit }))), ["s0"]);
    }
}

#[test]
fn bodies_are_objects_and_unknown_members_are_ignored() {
    let emulator = hourly(1);
    let zero = "invalid_argument: zero-length payload is not a valid JSON object";
    assert_eq!(refused(&emulator, "ListSessionsV2", ""), (400, zero.to_owned()));
    assert_eq!(refused(&emulator, "ListSessionsV2", "[]").0, 400);
    assert_eq!(
        refused(&emulator, "ListSessionsV2", r#"{"limit": 1, "startTimestamp": "x"}"#).0,
        400
    );
    let misspelt = json!({"limit": 5, "startTimestmap": "2026-01-01T00:00:00Z"});
    assert_eq!(ids(&list(&emulator, &misspelt)), ["s0"]);
}

#[test]
fn pages_are_newest_first_and_go_on_behind_the_last_id() {
    let emulator = hourly(5);
    let first = list(&emulator, &json!({"limit": 2}));
    assert_eq!(ids(&first), ["s4", "s3"]);
    assert_eq!(first["listMetadata"], json!({"count": 2, "nextCursor": "s3"}));
    // Any id will do, as for the vendor's own connector.
    for cursor in ["s3", "s1"] {
        let next = list(&emulator, &json!({"limit": 2, "cursor": cursor}));
        assert_eq!(ids(&next)[0], if cursor == "s3" { "s2" } else { "s0" });
    }
    let last = list(&emulator, &json!({"limit": 2, "cursor": "s1"}));
    assert_eq!(last["listMetadata"], json!({"count": 1}));
    let unknown = r#"{"limit": 2, "cursor": "s9"}"#;
    assert_eq!(refused(&emulator, "ListSessionsV2", unknown).0, 400);
}

#[test]
fn a_cursor_is_bound_to_its_filters_unless_switched() {
    let emulator = hourly(5);
    emulator.set_switches(|switches| switches.cursor = CursorStyle::Opaque);
    let filter = json!({"limit": 2, "startTimestamp": "2025-03-01T01:00:00Z"});
    let cursor = list(&emulator, &filter)["listMetadata"]["nextCursor"].clone();
    let without = json!({"limit": 2, "cursor": cursor});
    assert_eq!(refused(&emulator, "ListSessionsV2", &without.to_string()).0, 400);
    emulator.set_switches(|switches| switches.cursor_is_bound = false);
    assert_eq!(ids(&list(&emulator, &without)), ["s2", "s1"]);
}

#[test]
fn the_server_may_cap_a_page_and_repeat_rows() {
    let emulator = hourly(5);
    emulator.set_switches(|switches| {
        switches.page_cap = Some(2);
        switches.repeated_rows = 1;
    });
    assert_eq!(ids(&list(&emulator, &json!({"limit": 5}))), ["s4", "s3"]);
    assert_eq!(ids(&list(&emulator, &json!({"limit": 5, "cursor": "s3"}))), ["s3", "s2"]);
}

#[test]
fn bounds_are_on_the_time_that_the_switch_says() {
    let emulator = hourly(4);
    let window = json!({"limit": 9, "startTimestamp": "2025-03-01T01:05:00Z", "endTimestamp": "2025-03-01T02:05:00Z"});
    assert_eq!(ids(&list(&emulator, &window)), ["s2"]);
    emulator.set_switches(|switches| switches.timestamp = Timestamp::End);
    assert_eq!(ids(&list(&emulator, &window)), ["s1"]);
    emulator.set_switches(|switches| switches.timestamp = Timestamp::Start);
    let edges = json!({"limit": 9, "startTimestamp": "2025-03-01T01:00:00Z", "endTimestamp": "2025-03-01T03:00:00Z"});
    assert_eq!(ids(&list(&emulator, &edges)), ["s2", "s1"]);
    emulator.set_switches(|switches| {
        switches.start_is_exclusive = true;
        switches.end_is_inclusive = true;
    });
    assert_eq!(ids(&list(&emulator, &edges)), ["s3", "s2"]);
}

#[test]
fn a_session_is_had_by_its_id() {
    let emulator = hourly(1);
    let (status, found) = call(&emulator, "GetSession", r#"{"sessionId": "s0"}"#);
    assert_eq!((status, &found["session"]["duration"]), (200, &json!("600s")));
    let other = refused(&emulator, "GetSession", r#"{"sessionId": "S0"}"#);
    assert_eq!(other, (404, "not_found: session not found".to_owned()));
    assert_eq!(refused(&emulator, "GetSession", "{}").0, 400);
    emulator.set_switches(|switches| switches.error_status = Some(412));
    assert_eq!(refused(&emulator, "GetSession", r#"{"sessionId": "S0"}"#).0, 412);
    emulator.set_switches(|switches| switches.id_ignores_case = true);
    assert_eq!(call(&emulator, "GetSession", r#"{"sessionId": "S0"}"#).1["session"]["id"], "s0");
}

#[test]
fn keys_methods_and_types_are_checked() {
    let emulator = hourly(1);
    let line = "POST /core.v1.SessionsService/ListSessionsV2";
    let status = |line: &str, headers: &str| send(&emulator, line, headers, r#"{"limit":1}"#).0;
    let json = "content-type: application/json; charset=utf-8\r\n";
    assert_eq!(status(line, json), 401);
    assert_eq!(status(line, &format!("x-api-key: guess\r\n{json}")), 401);
    let bearer = format!("authorization: Bearer sandbox-formal-key\r\n{json}");
    assert_eq!(status(line, &bearer), 401);
    emulator.set_switches(|switches| switches.takes_bearer = true);
    assert_eq!(status(line, &bearer), 200);
    assert_eq!(status(line, "x-api-key: sandbox-formal-key\r\n"), 415);
    assert_eq!(status(&line.replace("POST", "GET"), HEADERS), 405);
    emulator.set_switches(|switches| switches.forbidden = true);
    assert_eq!(status(line, HEADERS), 403);
}

#[test]
fn a_limit_of_requests_is_told_and_kept() {
    let emulator = hourly(1);
    emulator.set_switches(|switches| {
        switches.rate_limit = Some(RateLimit { limit: 1, period: TimeDelta::seconds(60) });
    });
    let ask = || {
        send(&emulator, "POST /core.v1.SessionsService/ListSessionsV2", HEADERS, r#"{"limit":1}"#)
    };
    let (status, head, _) = ask();
    let headers =
        ["x-ratelimit-limit: 1", "x-ratelimit-remaining: 0", "x-ratelimit-reset: 1740830460"];
    assert!(status == 200 && headers.iter().all(|header| head.contains(header)), "{head}");
    let (status, _, body) = ask();
    assert!(status == 429 && body.contains("resource_exhausted"), "{body}");
    emulator.clock().advance(TimeDelta::seconds(60));
    assert_eq!(ask().0, 200);
}

#[test]
fn what_is_no_reading_is_a_violation_and_ending_a_session_ends_it() {
    let emulator = hourly(0);
    emulator.upsert(SessionRecord::active("a", "alice", at("2025-03-01T11:00:00Z")));
    call(&emulator, "CreateSessionTermination", r#"{"sessionId": "a"}"#);
    assert_eq!(emulator.session("a").unwrap().status, Status::Completed);
    call(&emulator, "CancelSession", r#"{"sessionId": "a"}"#);
    let line = "POST /core.v1.SessionsService/ListSessionAggregations";
    assert_eq!(send(&emulator, line, HEADERS, "{}").0, 404);
    assert_eq!((emulator.violations().len(), emulator.data_requests().len()), (3, 0));
}

#[test]
fn sample_data_is_that_of_the_seed() {
    let clock = || Clock::fixed(at("2025-03-03T15:00:00Z"));
    let of = |seed| Emulator::start(Options::seeded(seed, clock())).unwrap().sessions();
    let sessions = of(1);
    assert_eq!(sessions, of(1));
    assert_ne!(sessions, of(2));
    let is_whole = |session: &SessionRecord| {
        let start = session.start.unwrap();
        let last = session.end.unwrap_or(at("2025-03-03T15:00:00Z"));
        start <= session.last_event && session.last_event <= last && !session.username.is_empty()
    };
    assert!(sessions.iter().all(is_whole));
    let has = |what: fn(&SessionRecord) -> bool| sessions.iter().any(what);
    assert!(has(|s| matches!(s.status, Status::Active | Status::Idle)));
    assert!(has(|s| !s.parent_session_id.is_empty()) && has(|s| !s.end_user.id.is_empty()));
    assert!(has(|s| !s.sidecar.id.is_empty()) && has(|s| !s.connector.id.is_empty()));
}

#[test]
fn without_cursors_the_last_id_is_one() {
    for cursor in [CursorStyle::LastId, CursorStyle::Opaque] {
        let emulator = hourly(5);
        emulator.set_switches(|switches| {
            switches.fills_cursor = false;
            switches.cursor = cursor;
            switches.empty_page_every = Some(1);
            switches.cursor_after_full_page = true;
        });
        let mut message = json!({"limit": 2});
        for expected in [&["s4", "s3"][..], &["s2", "s1"], &["s0"], &[]] {
            let page = list(&emulator, &message);
            assert_eq!(
                (ids(&page), &page["listMetadata"]["nextCursor"]),
                (expected.to_vec(), &Value::Null)
            );
            if let Some(last) = expected.last() {
                message["cursor"] = json!(last);
            }
        }
    }
}

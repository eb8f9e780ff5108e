//! What every emulator shares: faults, hooks, the recorder, compression and configuration files.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod raw;

use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use flate2::read::GzDecoder;
use raw::{Reply, at, clock, get, pages, send, token, try_get};
use serde_json::json;
use sessionql_sandbox::openvpn::{Emulator, Options, SessionRecord};
use sessionql_sandbox::{Fault, On, Sandbox, SandboxOptions};

const PATH: &str = "/api/beta/sessions?size=2&startDate=2025-03-01T00:00:00Z";

/// Starts an emulator with `n_sessions` open sessions `s0`, `s1`, …
fn emulator(n_sessions: i64) -> Emulator {
    let session = |hour| {
        let start = at("2025-03-01T00:00:00Z") + TimeDelta::minutes(hour);
        SessionRecord::active(&format!("s{hour}"), "alice", start)
    };
    let sessions = (0..n_sessions).map(session).collect();
    Emulator::start(Options { sessions, ..Options::empty(clock()) }).unwrap()
}

/// Asks once with a fault and once more without.
fn with_fault(fault: Fault) -> std::io::Result<Reply> {
    let emulator = emulator(5);
    emulator.faults().plan(On::Data(1), fault);
    let reply = try_get(&emulator, PATH);
    assert_eq!(get(&emulator, PATH).ids(), ["s0", "s1"]);
    reply
}

fn get_gzip(emulator: &Emulator) -> Reply {
    let token = token(emulator);
    let headers = [("authorization", token.as_str()), ("accept-encoding", "gzip, br")];
    send(emulator, "GET /api/beta/sessions?size=100", &headers, "")
}

fn gunzip(reply: &Reply) -> std::io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(reply.body.as_slice()).read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn a_status_replaces_the_answer() {
    for status in [401, 408, 429, 500, 503] {
        let reply = with_fault(Fault::status(status)).unwrap();
        assert_eq!((reply.status, reply.body.len()), (status, 0));
    }
    let seconds = with_fault(Fault::throttled_for(7)).unwrap();
    assert_eq!(seconds.header("retry-after"), Some("7"));
    let date = with_fault(Fault::throttled_until(at("2025-03-01T12:01:00Z"))).unwrap();
    assert_eq!(date.header("retry-after"), Some("Sat, 01 Mar 2025 12:01:00 GMT"));
    let elsewhere = with_fault(Fault::redirect("http://127.0.0.2/")).unwrap();
    assert_eq!((elsewhere.status, elsewhere.header("location")), (302, Some("http://127.0.0.2/")));
}

#[test]
fn a_connection_is_reset_closed_or_left_hanging() {
    assert_eq!(with_fault(Fault::Reset).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(with_fault(Fault::ResetInBody).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(with_fault(Fault::Close).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    for fault in [Fault::Hang, Fault::HangInBody] {
        let error = with_fault(fault).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    }
}

#[test]
fn a_body_is_cut_or_its_length_is_wrong() {
    let cut = with_fault(Fault::Truncated { drop_bytes: 3 }).unwrap();
    assert_eq!(cut.length(), cut.body.len() + 3);
    let too_long = with_fault(Fault::WrongLength { off_by: 10 }).unwrap();
    assert_eq!(too_long.length(), too_long.body.len() + 10);
    let too_short = with_fault(Fault::WrongLength { off_by: -10 }).unwrap();
    assert_eq!(too_short.length(), too_short.body.len() - 10);
    let chunked = with_fault(Fault::TruncatedChunks).unwrap();
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert!(!chunked.body.ends_with(b"0\r\n\r\n"));
}

#[test]
fn a_body_is_not_the_json_that_is_due() {
    let html = with_fault(Fault::html()).unwrap();
    assert_eq!((html.status, html.body.starts_with(b"<!doctype html>")), (200, true));
    let invalid = with_fault(Fault::invalid_json()).unwrap();
    assert_eq!(invalid.length(), invalid.body.len());
    assert!(serde_json::from_slice::<serde_json::Value>(&invalid.body).is_err());
    let dropped = with_fault(Fault::drop_field("/sessions/0/id")).unwrap().json();
    assert!(dropped["sessions"][0].get("id").is_none() && dropped["sessions"][1]["id"] == "s1");
    let changed = with_fault(Fault::set_field("/sessions/1/status", json!([1]))).unwrap().json();
    assert_eq!(changed["sessions"][1]["status"], json!([1]));
    let twice = with_fault(Fault::duplicate_rows("/sessions")).unwrap();
    assert_eq!(twice.ids(), ["s0", "s0", "s1", "s1"]);
    let large = with_fault(Fault::Padded { to_bytes: 3_000_000 }).unwrap();
    assert_eq!((large.body.len(), large.ids().len()), (3_000_000, 2));
}

#[test]
fn cursors_loop() {
    let cursors = |period| {
        let emulator = emulator(12);
        emulator.faults().plan(On::DataFrom(1), Fault::cursor_loop("/nextCursor", period));
        let mut cursors = Vec::new();
        let mut url = PATH.to_owned();
        for _ in 0..5 {
            let cursor = get(&emulator, &url).cursor().unwrap();
            url = format!("{PATH}&cursor={cursor}");
            cursors.push(cursor);
        }
        cursors
    };
    let one = cursors(1);
    assert!(one.iter().all(|cursor| *cursor == one[0]));
    let two = cursors(2);
    assert_ne!(two[0], two[1]);
    assert_eq!((&two[0], &two[1]), (&two[2], &two[3]));
    assert_eq!(two[0], two[4]);
}

#[test]
fn gzip_is_sent_on_request_and_can_be_spoilt() {
    let emulator = emulator(40);
    emulator.faults().plan(On::Data(2), Fault::TruncatedGzip { drop_bytes: 8 });
    emulator.faults().plan(On::Data(3), Fault::CorruptGzip);
    let good = get_gzip(&emulator);
    assert_eq!(good.header("content-encoding"), Some("gzip"));
    assert!(gunzip(&good).unwrap().contains("\"s39\""));
    for _ in 0..2 {
        let bad = get_gzip(&emulator);
        assert_eq!(bad.length(), bad.body.len());
        assert!(gunzip(&bad).is_err());
    }
    emulator.set_switches(|switches| switches.gzip = false);
    assert!(get_gzip(&emulator).header("content-encoding").is_none());
}

#[test]
fn an_answer_drips() {
    let started = Instant::now();
    let every = Duration::from_millis(5);
    let reply = with_fault(Fault::Drip { piece_bytes: 40, every }).unwrap();
    assert_eq!(reply.ids(), ["s0", "s1"]);
    assert!(started.elapsed() > every * 5);
}

#[test]
fn a_fault_can_be_planned_for_some_requests_of_a_kind() {
    let emulator = emulator(5);
    emulator.faults().plan_times(On::Path("/api/beta/s".to_owned()), 2, Fault::status(500));
    emulator.faults().plan(On::Token(4), Fault::status(503));
    let statuses: Vec<u16> = (0..3).map(|_| get(&emulator, PATH).status).collect();
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(send(&emulator, "POST /api/beta/oauth/token", &[], "").status, 503);
    emulator.faults().plan(On::DataFrom(4), Fault::status(500));
    assert_eq!(get(&emulator, PATH).status, 500);
    emulator.clear();
    assert_eq!(get(&emulator, PATH).status, 200);
}

#[test]
fn a_hook_changes_the_truth_in_mid_scan() {
    let emulator = emulator(4);
    emulator.on_request(2, |api| {
        api.clock().advance(TimeDelta::seconds(30));
        let now = api.clock().now();
        api.update("s0", |session| session.close(now));
        api.upsert(SessionRecord::active("new", "bob", at("2025-03-01T11:59:00Z")));
    });
    let path = format!("{PATH}&returnOnlyNew=true");
    assert_eq!(pages(&emulator, &path).concat(), ["s0", "s1", "s2", "s3", "new"]);
    assert_eq!(emulator.session("s0").unwrap().end, Some(at("2025-03-01T12:00:30Z")));
    let times: Vec<_> = emulator.data_requests().iter().map(|recorded| recorded.at).collect();
    assert_eq!(times[1] - times[0], TimeDelta::seconds(30));
}

#[test]
fn requests_are_recorded_decoded_and_with_their_status() {
    let emulator = emulator(1);
    emulator.faults().plan(On::Data(2), Fault::Reset);
    get(&emulator, "/api/beta/sessions?size=1&user=Zo%C3%AB+O%27Sample");
    try_get(&emulator, PATH).unwrap_err();
    let data = emulator.data_requests();
    assert_eq!(data[0].to_string(), "GET /api/beta/sessions?size=1&user=Zoë O'Sample");
    assert_eq!(data[0].parameter("user"), Some("Zoë O'Sample"));
    assert!(data[0].header("authorization").unwrap().starts_with("Bearer "));
    assert_eq!([data[0].status, data[1].status], [Some(200), None]);
    assert_eq!([emulator.requests().len(), emulator.token_requests().len()], [4, 2]);
    assert!(emulator.violations().is_empty());
    emulator.clear();
    assert!(emulator.requests().is_empty());
}

#[test]
fn a_sandbox_writes_a_configuration_for_its_owner_alone() {
    let sandbox = Sandbox::start(SandboxOptions::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = sandbox.write_config(dir.path()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let url = sandbox.openvpn.base_url();
    assert!(text.starts_with("[connections.openvpn]\nplugin = \"openvpn\"\n"));
    assert!(text.contains(&format!("base_url = \"{url}\"")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_server_stops_when_dropped() {
    let emulator = emulator(1);
    let address = emulator.address();
    drop(emulator);
    assert!(std::net::TcpStream::connect(address).is_err());
}

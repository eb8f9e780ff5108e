//! The emulator of Ekran System does what the documents say, and what its switches say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sessionql_sandbox::ekran::{
    Auth, Emulator, Idle, Offset, Options, Selection, SessionRecord, Switches, Unfinished, user_id,
};
use sessionql_sandbox::{Clock, Company, SandboxOptions};

fn at(text: &str) -> DateTime<Utc> {
    format!("2025-03-01T{text}Z").parse().unwrap()
}

/// Sends a request and returns status and body.
fn send(emulator: &Emulator, line: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(emulator.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

const TOKEN: &str = "authorization: Bearer sandbox-ekran-token\r\n";

fn get(emulator: &Emulator, query: &str) -> (u16, Value) {
    let (status, body) = send(emulator, &format!("GET /ekranapi/sessions{query}"), TOKEN, "");
    (status, serde_json::from_str(&body).unwrap_or_default())
}

/// Returns each session between bounds: id, login and logout, without what all of them share.
fn between(emulator: &Emulator, query: &str) -> Vec<String> {
    let (status, list) = get(emulator, query);
    assert_eq!(status, 200, "{query}");
    let time = |value: &Value| {
        let text = value.as_str().map(|text| text.replace("2025-03-01T", ""));
        text.map_or_else(|| "open".to_owned(), |text| text.replace(".000+00:00", ""))
    };
    let row = |row: &Value| {
        format!("{} {} {}", row["sessionId"], time(&row["loginDate"]), time(&row["logoutDate"]))
    };
    list.as_array().unwrap().iter().map(row).collect()
}

/// Starts an emulator in UTC with sessions from eight to twelve: 1 is busy each half hour, 2 is
/// silent, 3 is open, 4 is over at nine.
fn emulator() -> Emulator {
    let emulator = Emulator::start(Options::empty(Clock::fixed(at("12:30:00")))).unwrap();
    let (eight, twelve) = (at("08:00:00"), at("12:00:00"));
    let busy = (1..8).map(|n| eight + TimeDelta::minutes(30 * n));
    emulator.set_sessions(vec![
        SessionRecord::finished(1, 11, eight, twelve).with_activities(busy),
        SessionRecord::finished(2, 12, eight, twelve),
        SessionRecord::unfinished(3, 13, eight),
        SessionRecord::finished(4, 14, eight, at("09:00:00")),
    ]);
    emulator.set_switches(|switches| {
        *switches = Switches { time_zone: chrono_tz::UTC, ..Switches::default() };
    });
    emulator
}

#[test]
fn without_bounds_all_sessions_come_as_they_are() {
    let emulator = emulator();
    let all =
        ["1 08:00:00 12:00:00", "2 08:00:00 12:00:00", "3 08:00:00 open", "4 08:00:00 09:00:00"];
    assert_eq!(between(&emulator, ""), all);
    let expected = json!({"clientGuid": "client-14", "logoutDate": "2025-03-01T09:00:00.000+00:00",
        "loginDate": "2025-03-01T08:00:00.000+00:00", "sessionId": 4, "userId": 14});
    assert_eq!(get(&emulator, "").1[3], expected);
}

#[test]
fn bounds_cut_sessions_to_what_happened_between_them() {
    let emulator = emulator();
    let query = "?start=2025-03-01T09:15:00&end=2025-03-01T10:15:00";
    let cut = ["1 09:30:00 10:00:00", "2 09:15:00 10:15:00", "3 09:15:00 open"];
    assert_eq!(between(&emulator, query), cut);
    emulator.set_switches(|switches| {
        switches.idle = Idle::Elsewhere;
        switches.cuts_unfinished = true;
    });
    let cut = ["1 09:30:00 10:00:00", "2 12:00:00 08:00:00", "3 09:15:00 08:00:00"];
    assert_eq!(between(&emulator, query), cut);
    let start = ["1 09:30:00 12:00:00", "2 12:00:00 12:00:00", "3 09:15:00 open"];
    assert_eq!(between(&emulator, "?start=2025-03-01T09:15"), start);
    assert_eq!(between(&emulator, "?end=2025-03-01T08:45").len(), 4);
}

#[test]
fn a_date_is_its_midnight() {
    let emulator = emulator();
    assert_eq!(between(&emulator, "?start=2025-03-01").len(), 4);
    assert_eq!(between(&emulator, "?start=2025-03-02"), ["3 2025-03-02T00:00:00 open"]);
    assert!(between(&emulator, "?end=2025-03-01").is_empty());
}

#[test]
fn whether_bounds_are_inclusive_is_a_switch() {
    let emulator = emulator();
    let n = |query| between(&emulator, query).len();
    assert_eq!([n("?start=2025-03-01T09:00"), n("?end=2025-03-01T08:00")], [4, 0]);
    emulator.set_switches(|switches| {
        switches.start_is_inclusive = false;
        switches.end_is_inclusive = true;
    });
    assert_eq!([n("?start=2025-03-01T09:00"), n("?end=2025-03-01T08:00")], [3, 4]);
}

#[test]
fn what_is_selected_is_a_switch() {
    let emulator = emulator();
    let ids = || {
        let rows = between(&emulator, "?start=2025-03-01T09:15&end=2025-03-01T10:15");
        rows.iter().map(|row| row[..1].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(), ["1", "2", "3"]);
    let since = || between(&emulator, "?start=2025-03-01T09:15").len();
    assert_eq!(since(), 3);
    emulator.set_switches(|switches| switches.open_need_end = true);
    assert_eq!((ids().len(), since()), (3, 2));
    emulator.set_switches(|switches| switches.selection = Selection::Activity);
    assert_eq!(ids(), ["1"]);
    emulator.set_switches(|switches| switches.selection = Selection::StartedOrFinished);
    assert_eq!(ids(), ["1", "2"]);
}

#[test]
fn how_an_unfinished_session_is_shown_is_a_switch() {
    let emulator = emulator();
    let logout = |unfinished| {
        emulator.set_switches(|switches| switches.unfinished = unfinished);
        get(&emulator, "").1[2].get("logoutDate").cloned()
    };
    assert_eq!(logout(Unfinished::Null), Some(Value::Null));
    assert_eq!(logout(Unfinished::Absent), None);
    assert_eq!(logout(Unfinished::LastActivity), Some(json!("2025-03-01T08:00:00.000+00:00")));
}

#[test]
fn times_are_written_with_any_offset_or_none() {
    let emulator = emulator();
    let zone = "Europe/Berlin".parse().unwrap();
    emulator.set_switches(|switches| switches.time_zone = zone);
    let login = |offset| {
        emulator.set_switches(|switches| switches.offset = offset);
        get(&emulator, "").1[0]["loginDate"].as_str().unwrap().to_owned()
    };
    assert_eq!(login(Offset::Utc), "2025-03-01T08:00:00.000+00:00");
    assert_eq!(login(Offset::Server), "2025-03-01T09:00:00.000+01:00");
    assert_eq!(login(Offset::Fixed(18_000)), "2025-03-01T13:00:00.000+05:00");
    assert_eq!(login(Offset::Absent), "2025-03-01T09:00:00.000");
    emulator.set_switches(|switches| switches.offset = Offset::Mixed);
    let list = get(&emulator, "").1;
    assert_eq!(list[1]["loginDate"], "2025-03-01T13:00:00.000+05:00");
    assert_eq!(list[2]["loginDate"], "2025-03-01T08:00:00.000+00:00");
}

#[test]
fn bounds_are_times_of_the_server() {
    let emulator = emulator();
    emulator.set_switches(|switches| switches.time_zone = "Asia/Tokyo".parse().unwrap());
    assert_eq!(between(&emulator, "?end=2025-03-01T17:00:00").len(), 0);
    assert_eq!(between(&emulator, "?end=2025-03-01T17:00:01").len(), 4);
}

#[test]
fn whether_clocks_are_put_forward_is_a_switch() {
    let emulator = emulator();
    let login = "2025-07-01T08:00:00Z".parse().unwrap();
    emulator.set_sessions(vec![SessionRecord::unfinished(1, 11, login)]);
    emulator.set_switches(|switches| switches.time_zone = "Europe/Berlin".parse().unwrap());
    let n = || between(&emulator, "?end=2025-07-01T09:30:00").len();
    assert_eq!(n(), 0);
    emulator.set_switches(|switches| switches.ignores_summer = true);
    assert_eq!(n(), 1);
}

#[test]
fn a_bound_that_was_shown_twice_is_the_earlier_unless_switched() {
    let emulator = emulator();
    let begin: DateTime<Utc> = "2025-10-26T00:45:00Z".parse().unwrap();
    emulator.set_sessions(vec![SessionRecord::unfinished(1, 11, begin)]);
    emulator.set_switches(|switches| switches.time_zone = "Europe/Berlin".parse().unwrap());
    let n = || between(&emulator, "?end=2025-10-26T02:30:00").len();
    assert_eq!(n(), 0);
    emulator.set_switches(|switches| switches.fold_is_later = true);
    assert_eq!(n(), 1);
}

#[test]
fn bounds_in_the_wrong_order_select_nothing_and_odd_ones_are_refused() {
    let emulator = emulator();
    assert!(between(&emulator, "?start=2025-03-01T10:00&end=2025-03-01T09:00").is_empty());
    for text in ["", "now", "2025-03-01T10:00:00Z", "2025-02-30", "2025-03-01T10:00:00.5"] {
        assert_eq!(get(&emulator, &format!("?start={text}")).0, 400, "{text}");
    }
}

#[test]
fn credentials_are_checked_in_each_of_their_forms() {
    let text = str::to_owned;
    for (auth, header) in [
        (Auth::None, ""),
        (
            Auth::Basic { username: text("ann"), password: text("x") },
            "authorization: Basic YW5uOng=\r\n",
        ),
        (Auth::Bearer { token: text("t") }, "authorization: Bearer t\r\n"),
        (Auth::Header { name: text("x-token"), value: text("v") }, "x-token: v\r\n"),
    ] {
        let options = Options { auth: auth.clone(), ..Options::empty(Clock::system()) };
        let emulator = Emulator::start(options).unwrap();
        let ask = |headers| send(&emulator, "GET /ekranapi/sessions", headers, "").0;
        assert_eq!(ask(header), 200, "{auth:?}");
        let expected = if auth == Auth::None { 200 } else { 401 };
        assert_eq!(ask("x-other: v\r\n"), expected, "{auth:?}");
    }
}

#[test]
fn all_but_the_get_of_sessions_is_a_violation() {
    let emulator = emulator();
    let ask = |line: &str, body: &str| send(&emulator, line, TOKEN, body);
    assert_eq!(ask("GET /EkranAPI/Sessions", "").0, 200);
    let (status, page) = ask("POST /ekranapi/sessions", r#"{"sessionCount": 3, "pageIndex": 1}"#);
    let page: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((status, page["sessions"].as_array().unwrap().len()), (200, 1));
    assert_eq!(ask("POST /ekranapi/sessions", r#"{"sessionCount": 1001}"#).0, 400);
    assert_eq!(ask("DELETE /ekranapi/sessions", "").0, 405);
    assert_eq!(ask("GET /ekranapi/alerts", "").0, 404);
    assert_eq!((emulator.data_requests().len(), emulator.violations().len()), (1, 4));
}

#[test]
fn the_sample_data_is_the_same_for_the_same_seed() {
    let clock = Clock::fixed(at("12:00:00"));
    let start = |seed| Emulator::start(Options::seeded(seed, clock.clone())).unwrap().sessions();
    let (one, again, other) = (start(1), start(1), start(2));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!(one.iter().all(|session| session.login <= at("12:00:00")));
    let n_open = one.iter().filter(|session| session.logout.is_none()).count();
    assert!((5..100).contains(&n_open), "{n_open} sessions are open");
    let company = Company::seeded(1);
    assert_eq!(user_id(&company, "alice"), Some(101));
    assert_eq!(user_id(&company, "nobody"), None);
}

#[test]
fn the_sandbox_serves_it_too() {
    let options = SandboxOptions { seed: 1, clock: Clock::fixed(at("12:00:00")) };
    let sandbox = sessionql_sandbox::Sandbox::start(options).unwrap();
    let config = sandbox.config_toml();
    assert!(config.contains("[connections.ekran]\nplugin = \"ekran\"\n"), "{config}");
    assert!(config.contains("[connections.openvpn]\n"), "{config}");
}

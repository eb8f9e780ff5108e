//! What goes wrong on the way: the answer is right, or it is an error; it never has fewer rows.

use std::time::Duration;

use chrono::TimeDelta;
use sessionql_core::{Error, ExecuteOptions, Reason};
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_sandbox::{Answer as HttpAnswer, Fault, On};
use sessionql_tests::{Answer, BEGIN, PATIENCE, World, instant};

const N_SESSIONS: i64 = 7;
const PAGE: usize = 3;

/// Seven sessions on three pages.
fn world() -> World {
    let now = instant(BEGIN);
    let sessions = (0..N_SESSIONS)
        .map(|n| SessionRecord::active(&format!("s{n}"), "ann", now - TimeDelta::hours(n + 1)))
        .collect();
    let world = World::of(sessions);
    world.emulator.set_switches(|switches| switches.page_cap = Some(PAGE));
    world
}

fn all(world: &World) -> Answer {
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    sessionql_tests::run(&world.engine, "SELECT id FROM openvpn", &options)
}

fn reason(answer: &Answer) -> Option<Reason> {
    match &answer.error {
        Some(Error::Scan { error, .. }) => Some(error.code),
        Some(other) => panic!("a scan's error was due, not {other}"),
        None => None,
    }
}

/// Runs a check for each fault on each of the three pages. Most of the time is spent waiting before
/// retries, so all of them run at once.
fn on_every_page<T: Clone + Send>(
    faults: Vec<(&'static str, T)>,
    check: impl Fn(&str, T, usize) + Sync,
) {
    std::thread::scope(|scope| {
        for (name, fault) in faults {
            for page in 1..=3 {
                let (check, fault) = (&check, fault.clone());
                scope.spawn(move || check(name, fault, page));
            }
        }
    });
}

/// Faults that stay: each from every page on; the query fails and says why.
#[test]
fn a_lasting_fault_is_an_error() {
    let faults: Vec<(&str, (Fault, Reason))> = [
        ("500", Fault::status(500), Reason::ProviderError),
        ("401", Fault::status(401), Reason::Auth),
        ("403", Fault::status(403), Reason::Auth),
        ("404", Fault::status(404), Reason::ProviderError),
        ("truncated", Fault::Truncated { drop_bytes: 5 }, Reason::BadAnswer),
        ("html", Fault::html(), Reason::BadAnswer),
        (
            "no JSON",
            Fault::Answer(HttpAnswer::json_text(200, "{\"sessions\": [")),
            Reason::BadAnswer,
        ),
        (
            "redirect away",
            Fault::redirect("http://127.0.0.2:9/api/beta/sessions"),
            Reason::ProviderError,
        ),
    ]
    .map(|(name, fault, reason)| (name, (fault, reason)))
    .into();
    on_every_page(faults, |name, (fault, expected), page| {
        let world = world();
        world.emulator.faults().plan(On::DataFrom(page), fault);
        let answer = all(&world);
        let found = reason(&answer);
        assert_eq!(found, Some(expected), "{name} from page {page}: {:?}", answer.error);
    });
}

#[test]
fn a_token_that_expires_in_mid_scan_is_renewed() {
    let world = world();
    world.emulator.on_request(2, |api| api.expire_tokens());
    let answer = all(&world);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len() as i64, N_SESSIONS);
    assert_eq!(world.emulator.token_requests().len(), 2);
}

#[test]
fn wrong_credentials_are_named() {
    let mut world = world();
    let toml = sessionql_sandbox::openvpn_toml(&world.emulator);
    let wrong = toml.replace(world.emulator.client_secret(), "not-the-secret");
    world.engine = sessionql_tests::engine(&wrong, &world.clock);
    let answer = all(&world);
    assert_eq!(reason(&answer), Some(Reason::Auth));
    let message = answer.error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("`openvpn`"), "{message}");
    assert!(!message.contains("not-the-secret"), "{message}");
}

#[test]
fn a_cursor_that_comes_again_is_an_error() {
    for loops in [["one", "one", "one"], ["one", "two", "one"]] {
        let world = world();
        for (page, cursor) in loops.into_iter().enumerate() {
            let body = format!(r#"{{"sessions": [], "nextCursor": "{cursor}"}}"#);
            let answer = HttpAnswer::json_text(200, body);
            world.emulator.faults().plan(On::Data(page + 1), Fault::Answer(answer));
        }
        assert_eq!(reason(&all(&world)), Some(Reason::BadAnswer), "{loops:?}");
    }
}

#[test]
fn a_field_of_another_type_names_its_place() {
    let world = world();
    let body = r#"{"sessions": [{"id": "x", "bytesIn": {"much": true}}]}"#;
    world.emulator.faults().plan(On::DataFrom(1), Fault::Answer(HttpAnswer::json_text(200, body)));
    let answer = world.run("SELECT id, bytes_in FROM openvpn");
    assert_eq!(reason(&answer), Some(Reason::BadAnswer));
    let message = answer.error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("bytesIn"), "{message}");
}

#[test]
fn a_shorter_history_is_found_out_and_remembered() {
    let mut world = world();
    world.configure("api_version = \"v1\"");
    world.emulator.set_switches(|switches| {
        switches.history = Some(TimeDelta::days(7));
        switches.page_cap = None;
    });
    let ask = |world: &World| world.run("SELECT id FROM openvpn SINCE 20d");
    for round in ["first", "second"] {
        let answer = ask(&world);
        assert!(answer.error.is_none(), "{round}: {:?}", answer.error);
        assert_eq!(answer.rows.len() as i64, N_SESSIONS, "{round}");
        let gaps = &answer.completeness.connections[0].gaps;
        assert!(gaps.iter().any(|gap| gap.gap.reason == Reason::History), "{round}: {gaps:?}");
    }
    let refused: Vec<_> = world
        .emulator
        .data_requests()
        .into_iter()
        .filter(|request| request.status == Some(400))
        .collect();
    assert_eq!(refused.len(), 1, "the second query knows: {refused:?}");
}

#[test]
fn a_deadline_ends_a_hanging_query_at_once() {
    let world = world();
    world.emulator.faults().plan(On::DataFrom(2), Fault::Hang);
    let begin = std::time::Instant::now();
    let options =
        ExecuteOptions { timeout: Some(Duration::from_millis(400)), ..ExecuteOptions::default() };
    let answer = sessionql_tests::run(&world.engine, "SELECT id FROM openvpn", &options);
    assert!(matches!(answer.error, Some(Error::Timeout { .. })), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), PAGE, "rows that came before stay");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_budget_is_a_gap() {
    let world = world();
    let options = ExecuteOptions { max_requests: Some(2), ..ExecuteOptions::default() };
    let answer = sessionql_tests::run(&world.engine, "SELECT id FROM openvpn", &options);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), 2 * PAGE);
    let gaps = &answer.completeness.connections[0].gaps;
    assert_eq!(gaps[0].gap.reason, Reason::Budget);
    assert!(!answer.completeness.is_complete());
}

#[test]
fn an_unreachable_host_is_named() {
    let mut world = world();
    let toml = sessionql_sandbox::openvpn_toml(&world.emulator);
    let base_url = world.emulator.base_url().to_owned();
    let wrong = toml.replace(&base_url, "http://127.0.0.1:9");
    world.engine = sessionql_tests::engine(&wrong, &world.clock);
    let answer = all(&world);
    assert_eq!(reason(&answer), Some(Reason::Unreachable), "{:?}", answer.error);
    let message = answer.error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("127.0.0.1:9"), "{message}");
}

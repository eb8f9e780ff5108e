//! The rules of the emulator of Oracle Access Manager, one test each, over a bare socket.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

mod raw;

use raw::{Reply, at, basic, clock, send};
use serde_json::{Value, json};
use sessionql_sandbox::oam::{
    Combination, Emulator, Form, HOT_LOGIN, Matching, Nothing, Options, SessionRecord, Total,
};

const PATH: &str = "/oam/services/rest/access/api/v1";

/// Starts an emulator with so many sessions of ann and one of Bob.
fn emulator(n_sessions: u32) -> Emulator {
    let emulator = Emulator::start(Options::empty(clock())).unwrap();
    let created_at = at("2025-03-01T09:00:00Z");
    let ann = (0..n_sessions).map(|n| SessionRecord::new(&format!("s{n}"), "ann", created_at));
    let bob = SessionRecord::new("b|+/=", "Bob", created_at);
    emulator.set_sessions(ann.chain([bob]).collect());
    emulator
}

fn post(emulator: &Emulator, accept: &str, body: &str) -> Reply {
    let basic = basic(emulator.username(), emulator.password());
    let headers = [("authorization", basic.as_str()), ("accept", accept)];
    send(emulator, &format!("POST {PATH}/sessions"), &headers, body)
}

fn search(emulator: &Emulator, body: &Value) -> Value {
    let reply = post(emulator, "application/json", &body.to_string());
    assert_eq!(reply.status, 200, "{body}");
    reply.json()
}

fn n_found(emulator: &Emulator, body: Value) -> usize {
    search(emulator, &body)["sessions"]["sessionData"].as_array().unwrap().len()
}

#[test]
fn without_credentials_the_answer_is_a_page() {
    let emulator = emulator(1);
    let reply = send(&emulator, &format!("POST {PATH}/sessions"), &[], "{}");
    assert_eq!(reply.status, 401);
    assert!(reply.header("content-type").unwrap().starts_with("text/html"));
    emulator.set_switches(|switches| switches.forbidden = true);
    assert_eq!(post(&emulator, "*/*", "{}").status, 403);
}

#[test]
fn at_most_28_are_shown_and_all_are_counted() {
    let emulator = emulator(40);
    let found = search(&emulator, &json!({"userId": "ann", "fromIndex": 28, "pageSize": 100}));
    assert_eq!(found["totalRecords"], 40);
    assert_eq!(found["sessions"]["sessionData"].as_array().unwrap().len(), 28);
    emulator.set_switches(|switches| switches.total = Total::StopsAtCap);
    assert_eq!(search(&emulator, &json!({}))["totalRecords"], 28);
    emulator.set_switches(|switches| switches.total = Total::Missing);
    assert!(search(&emulator, &json!({})).get("totalRecords").is_none());
}

#[test]
fn each_answer_has_an_order_of_its_own() {
    let emulator = emulator(28);
    let ids = || -> Vec<String> {
        let found = search(&emulator, &json!({"userId": "ann"}));
        let rows = found["sessions"]["sessionData"].as_array().unwrap().clone();
        rows.iter().map(|row| row["sessionId"].as_str().unwrap().to_owned()).collect()
    };
    let (mut one, mut other) = (ids(), ids());
    assert_ne!(one, other);
    one.sort();
    other.sort();
    assert_eq!(one, other);
}

#[test]
fn xml_is_as_the_vendor_shows_it() {
    let emulator = emulator(0);
    let reply = post(&emulator, "*/*", r#"{"userId":"Bob"}"#);
    assert_eq!(reply.header("content-type"), Some("application/xml"));
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SessionResults>\n\
        <totalRecords>1</totalRecords>\n<sessions>\n<sessionData>\n<sessionId>b|+/=</sessionId>\n\
        <createTime>2025-03-01T02:00:00.000-07:00</createTime>\n\
        <updateTime>2025-03-01T02:00:00.000-07:00</updateTime>\n\
        <lastAccessTime>2025-03-01T02:00:00.000-07:00</lastAccessTime>\n\
        <expiryTime>2025-03-01T10:00:00.000-07:00</expiryTime>\n<userId>Bob</userId>\n\
        <clientIp>192.0.2.200</clientIp>\n<idStoreName>UserIdentityStore1</idStoreName>\n\
        <isImpersonating>false</isImpersonating>\n</sessionData>\n</sessions>\n</SessionResults>\n";
    assert_eq!(String::from_utf8_lossy(&reply.body), expected);
}

#[test]
fn json_has_the_forms_that_mappers_give_it() {
    let emulator = emulator(0);
    let bob = json!({"userId": "Bob"});
    assert_eq!(search(&emulator, &bob)["sessions"]["sessionData"][0]["isImpersonating"], false);
    emulator.set_switches(|switches| {
        (switches.collapses_one, switches.values_as_text) = (true, true);
    });
    let found = search(&emulator, &bob);
    assert_eq!(found["totalRecords"], "1");
    assert_eq!(found["sessions"]["sessionData"]["isImpersonating"], "false");
    emulator.set_switches(|switches| switches.bare_list = true);
    assert_eq!(search(&emulator, &bob)["sessions"]["userId"], "Bob");
    emulator.set_switches(|switches| {
        (switches.form, switches.shows_nulls) = (Form::Json, true);
    });
    let reply = post(&emulator, "*/*", &bob.to_string());
    assert_eq!(reply.json()["sessions"]["sessionIndex"], Value::Null);
}

#[test]
fn a_full_answer_may_have_a_session_twice() {
    let emulator = emulator(5);
    emulator.set_switches(|switches| (switches.cap, switches.repeats_one) = (3, true));
    let found = search(&emulator, &json!({"userId": "ann"}));
    assert_eq!(found["totalRecords"], 5);
    let sessions = found["sessions"]["sessionData"].as_array().unwrap();
    assert_eq!((sessions.len(), &sessions[0]), (3, &sessions[2]));
}

#[test]
fn no_match_is_404_or_an_empty_list() {
    let emulator = emulator(1);
    let nobody = json!({"userId": "nobody"});
    assert_eq!(post(&emulator, "application/json", &nobody.to_string()).status, 404);
    emulator.set_switches(|switches| switches.no_match_is_404 = false);
    assert_eq!(search(&emulator, &nobody)["sessions"], json!({"sessionData": []}));
    emulator.set_switches(|switches| switches.nothing = Nothing::Null);
    assert_eq!(search(&emulator, &nobody)["sessions"], Value::Null);
    emulator.set_switches(|switches| switches.nothing = Nothing::Absent);
    assert_eq!(search(&emulator, &nobody), json!({"totalRecords": 0}));
    emulator.set_switches(|switches| switches.answers_unkeyed = false);
    assert_eq!(post(&emulator, "application/json", "{}").status, 404);
}

#[test]
fn text_matches_as_the_switch_says() {
    let emulator = emulator(3);
    let bobs = |matching, user: &str| {
        emulator.set_switches(|switches| {
            (switches.matching, switches.no_match_is_404) = (matching, false);
        });
        n_found(&emulator, json!({"userId": user}))
    };
    assert_eq!(bobs(Matching::Exact, "bob"), 0);
    assert_eq!(bobs(Matching::IgnoresCase, "bob"), 1);
    assert_eq!(bobs(Matching::Wildcards, "*n*"), 3);
    assert_eq!(bobs(Matching::Wildcards, "B%b"), 1);
    assert_eq!(bobs(Matching::Wildcards, "n"), 0);
    assert_eq!(bobs(Matching::Wildcards, "B[aeo]b"), 1);
    assert_eq!(bobs(Matching::Wildcards, "B[ae]b"), 0);
    assert_eq!(bobs(Matching::Wildcards, "\\Bob"), 1);
    assert_eq!(bobs(Matching::Wildcards, "\\\\Bob"), 0);
}

#[test]
fn several_fields_combine_as_the_switch_says() {
    let emulator = emulator(3);
    let both = json!({"userId": "ann", "sessionId": "b|+/=", "isImpersonating": false});
    for (combination, n) in [(Combination::All, 0), (Combination::Any, 4), (Combination::First, 3)]
    {
        emulator.set_switches(|switches| {
            (switches.combination, switches.no_match_is_404) = (combination, false);
        });
        assert_eq!(n_found(&emulator, both.clone()), n, "{combination:?}");
    }
}

#[test]
fn the_neighbours_that_create_and_delete_are_violations() {
    let emulator = emulator(2);
    let basic = basic(emulator.username(), emulator.password());
    let headers = [("authorization", basic.as_str())];
    let reply = send(&emulator, &format!("POST {PATH}/session"), &headers, r#"{"userId":"eve"}"#);
    assert_eq!((reply.status, emulator.sessions().len()), (200, 4));
    send(&emulator, &format!("DELETE {PATH}/session?userId=ann"), &headers, "");
    assert_eq!(emulator.sessions().len(), 2);
    send(&emulator, &format!("GET {PATH}/sessions"), &headers, "");
    let violations: Vec<_> = emulator.violations().iter().map(ToString::to_string).collect();
    let expected = [
        format!("POST {PATH}/session"),
        format!("DELETE {PATH}/session?userId=ann"),
        format!("GET {PATH}/sessions"),
    ];
    assert_eq!(violations, expected);
    assert!(emulator.data_requests().is_empty());
}

#[test]
fn dates_can_be_ahead() {
    let emulator = emulator(1);
    assert_eq!(post(&emulator, "*/*", "{}").header("date"), Some("Sat, 01 Mar 2025 12:00:00 GMT"));
    emulator.set_switches(|switches| switches.date_ahead = chrono::TimeDelta::seconds(90));
    assert_eq!(post(&emulator, "*/*", "{}").header("date"), Some("Sat, 01 Mar 2025 12:01:30 GMT"));
}

#[test]
fn sessions_are_replaced_added_and_removed_by_id() {
    let emulator = emulator(0);
    let created_at = at("2025-03-01T08:00:00Z");
    emulator.upsert(SessionRecord::new("b|+/=", "carl", created_at));
    emulator.upsert(SessionRecord::new("c", "carl", created_at));
    let users: Vec<_> = emulator.sessions().into_iter().map(|session| session.user).collect();
    assert_eq!(users, ["carl", "carl"]);
    assert!(emulator.remove("c").is_some() && emulator.remove("c").is_none());
    assert_eq!(emulator.session("b|+/=").unwrap().user, "carl");
}

#[test]
fn the_sample_data_has_one_user_with_more_than_an_answer_holds() {
    let sessions = Emulator::start(Options::seeded(7, clock())).unwrap().sessions();
    let count = |user: &str| sessions.iter().filter(|session| session.user == user).count();
    assert_eq!(count(HOT_LOGIN), 40);
    assert!(sessions.iter().all(|session| session.user == HOT_LOGIN || count(&session.user) < 28));
    assert!(sessions.len() > 60);
    let again = Emulator::start(Options::seeded(7, clock())).unwrap().sessions();
    assert_eq!(sessions, again);
}

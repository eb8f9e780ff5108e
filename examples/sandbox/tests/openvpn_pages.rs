//! The rules of the CloudConnexa emulator for windows, pages and rows, one test each, over a bare socket.

mod raw;

use std::collections::HashSet;

use chrono::TimeDelta;
use raw::{ALL, at, clock, get, hourly, pages, refused_field, touched};
use sessionql_sandbox::openvpn::{
    Emulator, EndDefault, Missing, Options, PageOrder, SessionRecord, Status, Updated,
};

fn on_day(emulator: &Emulator, day: u32, more: &str) -> Vec<String> {
    let range = format!("startDate=2025-02-{day}T00:00:00Z&endDate=2025-02-{day}T23:00:00Z");
    get(emulator, &format!("/api/beta/sessions?size=10&{range}{more}")).ids()
}

// Created and updated

#[test]
fn only_new_looks_at_creation_alone() {
    let emulator = touched();
    assert_eq!(on_day(&emulator, 25, "&returnOnlyNew=true"), ["t"]);
    assert!(on_day(&emulator, 28, "&returnOnlyNew=true").is_empty());
}

#[test]
fn updated_has_three_readings() {
    let emulator = touched();
    let days = |updated| {
        emulator.set_switches(|switches| switches.updated = updated);
        [25, 26, 27, 28].map(|day| on_day(&emulator, day, "").len())
    };
    assert_eq!(days(Updated::CreatedOrLast), [1, 0, 0, 1]);
    assert_eq!(days(Updated::LastOnly), [0, 0, 0, 1]);
    assert_eq!(days(Updated::Any), [1, 1, 0, 1]);
}

#[test]
fn active_sessions_may_count_as_updated_now() {
    let emulator = hourly(0);
    emulator.upsert(SessionRecord::active("long", "ivan", at("2025-01-05T00:00:00Z")));
    assert!(get(&emulator, ALL).ids().is_empty());
    emulator.set_switches(|switches| {
        switches.active_counts_as_updated = true;
        switches.end_default = EndDefault::Open;
    });
    assert_eq!(get(&emulator, ALL).ids(), ["long"]);
    assert!(get(&emulator, &format!("{ALL}&returnOnlyNew=true")).ids().is_empty());
}

#[test]
fn a_skew_moves_all_records_but_not_what_they_show() {
    let emulator = hourly(1);
    emulator.set_switches(|switches| switches.record_skew = TimeDelta::minutes(-3));
    let path = "/api/beta/sessions?size=1&returnOnlyNew=true&startDate=";
    assert!(get(&emulator, &format!("{path}2025-03-01T00:00:00Z")).ids().is_empty());
    let reply = get(&emulator, &format!("{path}2025-02-28T23:57:00Z"));
    assert_eq!(reply.json()["sessions"][0]["sessionStartTime"], "2025-03-01T00:00:00Z");
}

// Pages

#[test]
fn pages_end_without_a_cursor_even_if_the_last_is_full() {
    let emulator = hourly(6);
    let path = "/api/beta/sessions?size=3&startDate=2025-03-01T00:00:00Z";
    assert_eq!(pages(&emulator, path), [["s0", "s1", "s2"], ["s3", "s4", "s5"]]);
    emulator.set_switches(|switches| switches.cursor_after_full_page = true);
    let lengths: Vec<usize> = pages(&emulator, path).iter().map(Vec::len).collect();
    assert_eq!(lengths, [3, 3, 0]);
}

#[test]
fn a_cursor_is_24_hex_digits_and_bound_to_its_parameters() {
    let emulator = hourly(6);
    let path = "/api/beta/sessions?size=3&startDate=2025-03-01T00:00:00Z";
    let cursor = get(&emulator, path).cursor().unwrap();
    assert!(cursor.len() == 24 && cursor.chars().all(|digit| digit.is_ascii_hexdigit()));
    let elsewhere = format!("/api/beta/sessions?size=3&cursor={cursor}");
    assert_eq!(refused_field(&get(&emulator, &elsewhere)), "cursor");
    let unknown = format!("{path}&cursor=63527ce1d8e5811243db4902");
    assert_eq!(refused_field(&get(&emulator, &unknown)), "cursor");
    emulator.set_switches(|switches| switches.cursor_is_bound = false);
    assert_eq!(get(&emulator, &elsewhere).ids(), ["s3", "s4", "s5"]);
}

#[test]
fn pages_come_in_any_of_three_orders() {
    let emulator = hourly(4);
    emulator.update("s1", |session| session.touch(at("2025-03-01T11:00:00Z")));
    let path = "/api/beta/sessions?size=3&startDate=2025-03-01T00:00:00Z";
    let in_order = |order| {
        emulator.set_switches(|switches| switches.page_order = order);
        pages(&emulator, path).concat()
    };
    assert_eq!(in_order(PageOrder::CreatedAscending), ["s0", "s1", "s2", "s3"]);
    assert_eq!(in_order(PageOrder::CreatedDescending), ["s3", "s2", "s1", "s0"]);
    assert_eq!(in_order(PageOrder::UpdatedAscending), ["s0", "s2", "s3", "s1"]);
}

#[test]
fn pages_may_be_short_or_empty_and_still_go_on() {
    let emulator = hourly(6);
    emulator.set_switches(|switches| {
        switches.page_cap = Some(2);
        switches.empty_page_every = Some(1);
    });
    let pages = pages(&emulator, "/api/beta/sessions?size=3&startDate=2025-03-01T00:00:00Z");
    let lengths: Vec<usize> = pages.iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 0, 2, 0, 2]);
}

#[test]
fn later_pages_may_repeat_rows_unless_only_new() {
    let emulator = hourly(5);
    let path = "/api/beta/sessions?size=3&startDate=2025-03-01T00:00:00Z";
    for order in [PageOrder::CreatedAscending, PageOrder::CreatedDescending] {
        emulator.set_switches(|switches| {
            switches.repeated_rows = 1;
            switches.page_order = order;
        });
        let pages_of_ids = pages(&emulator, path);
        assert_eq!(pages_of_ids.len(), 2);
        assert_eq!(pages_of_ids[0][2], pages_of_ids[1][0]);
        let only_new = pages(&emulator, &format!("{path}&returnOnlyNew=true")).concat();
        assert_eq!(only_new.len(), 5);
    }
}

#[test]
fn a_row_that_is_touched_in_mid_scan_may_be_lost_or_repeated() {
    let scan = |order, updated, more: &str| {
        let emulator = hourly(4);
        emulator.set_switches(|switches| {
            switches.page_order = order;
            switches.updated = updated;
        });
        emulator.on_request(2, |api| {
            api.clock().advance(TimeDelta::minutes(1));
            let now = api.clock().now();
            api.update("s0", |session| session.touch(now - TimeDelta::seconds(1)));
            api.update("s3", |session| session.touch(now - TimeDelta::seconds(1)));
        });
        let path = "/api/beta/sessions?size=2&startDate=2025-03-01T00:00:00Z";
        pages(&emulator, &format!("{path}{more}")).concat()
    };
    let fixed_end = "&endDate=2025-03-01T12:00:00Z";
    let lost = scan(PageOrder::CreatedAscending, Updated::LastOnly, fixed_end);
    assert_eq!(lost, ["s0", "s1", "s2"]);
    let repeated = scan(PageOrder::UpdatedAscending, Updated::LastOnly, "");
    assert_eq!(repeated, ["s0", "s1", "s2", "s0", "s3"]);
}

// What a row shows

#[test]
fn an_active_row_has_no_end_and_a_connector_no_user() {
    let emulator = Emulator::start(Options::seeded(1, clock())).unwrap();
    let reply = get(&emulator, &format!("{ALL}&status=ACTIVE"));
    let json = reply.json();
    let rows = json["sessions"].as_array().unwrap();
    assert!(rows.len() > 5);
    for row in rows {
        assert!(row.get("sessionEndTime").is_none() && row.get("disconnectReason").is_none());
    }
    let connector = rows.iter().find(|row| row.get("connectorId").is_some()).unwrap();
    for name in ["userId", "userName", "email", "deviceId", "osType", "clientUUID"] {
        assert!(connector.get(name).is_none(), "{name}");
    }
}

#[test]
fn missing_fields_may_be_null_and_numbers_text() {
    let emulator = touched();
    emulator.update("t", |session| session.bytes_in = Some(7));
    emulator.set_switches(|switches| {
        switches.missing = Missing::Null;
        switches.numbers_as_text = true;
    });
    for (version, n_fields) in [("beta", 30), ("v1", 33)] {
        let path = format!("/api/{version}/sessions?size=1&startDate=2025-02-24T00:00:00Z");
        let row = get(&emulator, &path).json()["sessions"][0].clone();
        assert_eq!(row.as_object().unwrap().len(), n_fields);
        assert!(row["sessionEndTime"].is_null());
        assert_eq!(row["bytesIn"], "7");
    }
}

#[test]
fn a_closed_session_may_be_shown_without_its_end() {
    let emulator = hourly(1);
    emulator.set_switches(|switches| switches.closed_without_end = Some(1));
    let row = get(&emulator, ALL).json()["sessions"][0].clone();
    assert_eq!(row["status"], "COMPLETED");
    assert_eq!(row["sessionDurationSeconds"], 600);
    assert!(row.get("sessionEndTime").is_none());
    assert!(emulator.session("s0").unwrap().end.is_some());
}

// The sample data

#[test]
fn the_sample_data_is_the_same_for_a_seed_and_has_every_kind() {
    let seeded = |seed| Options::seeded(seed, clock()).sessions;
    let sessions = seeded(1);
    assert_eq!(sessions, seeded(1));
    assert_ne!(sessions, seeded(2));
    assert!((2_000..9_000).contains(&sessions.len()), "{} sessions", sessions.len());
    let ids: HashSet<&str> = sessions.iter().map(|session| session.id.as_str()).collect();
    assert_eq!(ids.len(), sessions.len());
    let any = |is_such: &dyn Fn(&SessionRecord) -> bool| assert!(sessions.iter().any(is_such));
    let now = clock().now();
    for status in Status::ALL {
        any(&|session| session.status == status);
    }
    any(&|session| session.status == Status::Completed && session.start == session.end);
    any(&|session| {
        session.start.map(|start| start.date_naive()) < session.end.map(|end| end.date_naive())
            && session.end.is_some()
            && session.user_name.is_some()
    });
    any(&|session| {
        session.status == Status::Active && session.start < Some(now - TimeDelta::days(30))
    });
    any(&|session| session.status == Status::Active && session.connector_id.is_some());
    any(&|session| session.user_name.as_deref() == Some("brian.o'sample"));
    any(&|session| session.first_name.as_deref() == Some("Дарья"));
    for session in &sessions {
        assert_eq!(session.end.is_none(), session.status == Status::Active);
        assert!(session.start <= session.end.or(Some(now)) && session.updated_at <= now);
        assert!(session.created_at <= session.updated_at);
    }
}

#[test]
fn all_pages_of_the_sample_data_are_the_truth() {
    let emulator = Emulator::start(Options::seeded(3, clock())).unwrap();
    let start = at("2025-02-23T00:00:00Z");
    let truth: Vec<String> = emulator
        .sessions()
        .into_iter()
        .filter(|session| session.updated_at >= start && session.updated_at < clock().now())
        .map(|session| session.id)
        .collect();
    assert!(truth.len() > 300);
    assert_eq!(pages(&emulator, ALL).concat(), truth);
    let by_seven = pages(&emulator, &ALL.replace("100", "7"));
    assert_eq!(by_seven.concat(), truth);
}

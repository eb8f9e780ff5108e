//! Formal: rows, requests, faults and random questions, against the emulator's truth.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use sessionql_core::{Error, ExecuteOptions, Reason};
use sessionql_sandbox::formal::{
    CursorStyle, Emulator, Options, SessionRecord, Status, Switches, Timestamp,
};
use sessionql_sandbox::{Answer as HttpAnswer, Clock, Fault, On, formal_toml, openvpn_toml};
use sessionql_tests::formal::{Question, Shown, World, question, sessions, settings, switches};
use sessionql_tests::{Answer, BEGIN, PATIENCE, engine, instant, run};

/// Sessions whose ends touch the edges that the queries below ask for: 24 and 48 hours ago.
fn edge_sessions() -> Vec<SessionRecord> {
    let (ms, hour) = (TimeDelta::milliseconds(1), TimeDelta::hours(1));
    let mut sessions = Vec::new();
    for (name, hours) in [("day", 24), ("two_days", 48)] {
        let edge = instant(BEGIN) - TimeDelta::hours(hours);
        let completed = [
            ("starts_at", edge, edge + hour),
            ("starts_before", edge - ms, edge + hour),
            ("starts_after", edge + ms, edge + hour),
            ("ends_at", edge - hour, edge),
            ("ends_before", edge - hour, edge - ms),
            ("ends_after", edge - hour, edge + ms),
            ("instant_at", edge, edge),
            ("instant_before", edge - ms, edge - ms),
            ("instant_after", edge + ms, edge + ms),
        ];
        for (what, start, end) in completed {
            sessions.push(SessionRecord::completed(&format!("{name}_{what}"), "ann", start, end));
        }
        for (what, start) in [("at", edge), ("before", edge - ms), ("after", edge + ms)] {
            sessions.push(SessionRecord::active(&format!("{name}_open_{what}"), "Ann", start));
            sessions.push(SessionRecord::idle(&format!("{name}_idle_{what}"), "bob", start));
        }
    }
    sessions
}

/// `n` sessions of the last hours, all open.
fn open_sessions(n: i64) -> Vec<SessionRecord> {
    let start = |idx| instant(BEGIN) - TimeDelta::minutes(idx + 1);
    (0..n).map(|idx| SessionRecord::active(&format!("s{idx:04}"), "ann", start(idx))).collect()
}

/// The options of a connection that knows how pages are sorted.
const STABLE: &str = "timestamp_is = \"start\"";

type Passes = fn(&Shown) -> bool;

fn hours_ago(hours: i64) -> chrono::DateTime<chrono::Utc> {
    instant(BEGIN) - TimeDelta::hours(hours)
}

/// Each query, and which rows are its answer.
fn cases() -> Vec<(&'static str, Passes)> {
    vec![
        ("SELECT id FROM formal", |_| true),
        ("SELECT id FROM formal WHERE status = 'ACTIVE'", |s| s.status == "ACTIVE"),
        ("SELECT id FROM formal WHERE status = 'active'", |_| false),
        ("SELECT id FROM formal WHERE status <> 'COMPLETED'", |s| s.status != "COMPLETED"),
        ("SELECT id FROM formal WHERE user = 'ann'", |s| s.user.as_deref() == Some("ann")),
        ("SELECT id FROM formal WHERE start >= now() - 24h", |s| s.start >= Some(hours_ago(24))),
        ("SELECT id FROM formal WHERE start > now() - 24h", |s| s.start > Some(hours_ago(24))),
        ("SELECT id FROM formal WHERE start <= now() - 48h", |s| s.start <= Some(hours_ago(48))),
        ("SELECT id FROM formal WHERE start = '2026-03-14T12:00:00Z'", |s| {
            s.start == Some(hours_ago(24))
        }),
        ("SELECT id FROM formal WHERE start BETWEEN now() - 48h AND now() - 24h", |s| {
            s.start >= Some(hours_ago(48)) && s.start <= Some(hours_ago(24))
        }),
        ("SELECT id FROM formal WHERE end >= now() - 24h", |s| s.end >= Some(hours_ago(24))),
        ("SELECT id FROM formal WHERE end IS NULL", |s| s.end.is_none()),
        ("SELECT id FROM formal SINCE 24h", |s| {
            s.end.is_none_or(|end| end > hours_ago(24)) || s.id == "day_instant_at"
        }),
        ("SELECT id FROM formal AT 24h", |s| {
            s.start <= Some(hours_ago(24))
                && (s.end.is_none_or(|end| end > hours_ago(24)) || s.id == "day_instant_at")
        }),
        ("SELECT id FROM formal WHERE id = 'day_starts_at'", |s| s.id == "day_starts_at"),
        ("SELECT id FROM formal WHERE id = 'DAY_starts_at'", |_| false),
        ("SELECT id FROM formal WHERE id IN ('day_open_at', 'nobody', 'day_ends_at')", |s| {
            s.id == "day_open_at" || s.id == "day_ends_at"
        }),
        ("SELECT id FROM formal WHERE id = 'day_open_at' AND status = 'IDLE'", |_| false),
        ("SELECT id FROM formal SINCE 1h WHERE id IN ('day_open_at', 'day_ends_at')", |s| {
            s.id == "day_open_at"
        }),
        ("SELECT id FROM formal WHERE id = 'day_open_at' OR user = 'bob'", |s| {
            s.id == "day_open_at" || s.user.as_deref() == Some("bob")
        }),
        ("SELECT id FROM formal WHERE connection = 'elsewhere'", |_| false),
    ]
}

fn check_all(world: &World, modes: &str) {
    let rows = world.shown();
    for (sql, passes) in cases() {
        let mut truth: Vec<_> =
            rows.iter().filter(|row| passes(row)).map(|r| r.id.clone()).collect();
        truth.sort();
        for pushdown in ["on", "off"] {
            assert!(world.run(&format!("SET pushdown = {pushdown}")).error.is_none());
            assert_eq!(world.ids(sql), truth, "{modes}, pushdown {pushdown}: {sql}");
        }
    }
    assert_eq!(world.emulator.violations().len(), 0);
}

#[test]
fn edges_of_time_with_pages_of_every_size() {
    for (page_cap, page_size) in [(Some(1), 1000), (Some(3), 1000), (None, 4), (None, 1000)] {
        let mut world = World::of(edge_sessions());
        world.configure(&format!("page_size = {page_size}\n{STABLE}"));
        world.emulator.set_switches(|switches| switches.page_cap = page_cap);
        check_all(&world, &format!("pages of {page_cap:?} or {page_size}"));
    }
}

#[test]
fn edges_of_time_whichever_time_the_api_means() {
    for timestamp in [Timestamp::Start, Timestamp::LastEvent, Timestamp::End] {
        for is_odd in [true, false] {
            let world = World::of(edge_sessions());
            world.emulator.set_switches(|switches| {
                switches.timestamp = timestamp;
                switches.start_is_exclusive = is_odd;
                switches.whole_seconds = is_odd;
                switches.oldest_first = is_odd;
                switches.unknown_fields = is_odd;
                switches.white_space = is_odd;
                switches.id_ignores_case = is_odd;
            });
            check_all(&world, &format!("{timestamp:?}, odd: {is_odd}"));
        }
    }
}

#[test]
fn edges_of_time_with_every_bound_sent() {
    for is_odd in [true, false] {
        let mut world = World::of(edge_sessions());
        world.configure("timestamp_is = \"start\"\nmax_session = \"49h\"");
        world.emulator.set_switches(|switches| {
            switches.start_is_exclusive = is_odd;
            switches.whole_seconds = is_odd;
        });
        check_all(&world, &format!("all bounds, odd: {is_odd}"));
    }
}

#[test]
fn pages_that_repeat_and_pages_that_are_empty() {
    for cursor in [CursorStyle::LastId, CursorStyle::Opaque] {
        let mut world = World::of(edge_sessions());
        world.configure(STABLE);
        world.emulator.set_switches(|switches| {
            switches.cursor = cursor;
            switches.page_cap = Some(3);
            switches.repeated_rows = 2;
            switches.empty_page_every = Some(2);
            switches.cursor_after_full_page = true;
        });
        check_all(&world, &format!("{cursor:?}"));
    }
}

#[test]
fn a_completed_session_without_an_end_is_not_open() {
    let world = World::of(edge_sessions());
    for shows_duration in [true, false] {
        world.emulator.set_switches(|switches| {
            switches.completed_without_end = Some(1);
            switches.shows_duration = shows_duration;
        });
        let answer = world.run("SELECT id, \"end\" FROM formal WHERE end IS NOT NULL");
        let rows = world.shown();
        assert_eq!(answer.rows.len(), rows.iter().filter(|row| row.status == "COMPLETED").count());
        for row in &answer.rows {
            let shown = rows.iter().find(|shown| shown.id == row[0]).expect("the id is a row's");
            let end = if shows_duration { shown.end } else { shown.start };
            assert_eq!(Some(instant(&row[1])), end);
        }
        // An end that is nothing but the start is wrong of most sessions, and the answer says so.
        let report = &answer.completeness.connections[0];
        let gaps: Vec<_> = report.gaps.iter().map(|gap| gap.gap.reason).collect();
        assert_eq!(gaps, if shows_duration { vec![] } else { vec![Reason::Clamped] });
        let notes = &report.notes;
        assert!(notes.iter().any(|note| note.starts_with("end_inferred")), "{notes:?}");
    }
}

/// Nothing more is read, but the rows that are shown are as wrong as among all.
#[test]
fn invented_ends_are_told_of_if_few_rows_are_wanted() {
    let at = |idx: i64| hours_ago(30) + TimeDelta::milliseconds(idx);
    let closed = |idx| SessionRecord::completed(&format!("s{idx:05}"), "ann", at(idx), at(idx));
    let mut world = World::of((0..30_000).map(closed).collect());
    world.emulator.set_switches(|switches| {
        switches.completed_without_end = Some(1);
        switches.shows_duration = false;
    });
    for (settings, query) in [
        // The scan stops by itself in its first page.
        ("page_size = 10", "SELECT \"end\" FROM formal LIMIT 3"),
        // The plan wants no more, while the scan is in the middle of a page.
        ("page_size = 100000", "SELECT \"end\", row_number() OVER () AS n FROM formal LIMIT 3"),
    ] {
        world.configure(settings);
        let answer = world.run(query);
        assert!(answer.error.is_none(), "{:?}", answer.error);
        assert_eq!(answer.rows.len(), 3, "{query}");
        let gaps = &answer.completeness.connections[0].gaps;
        assert_eq!(gaps.len(), 1, "{query}");
        assert_eq!(gaps[0].gap.reason, Reason::Clamped, "{query}");
    }
}

#[test]
fn every_column_is_what_the_record_says() {
    let world = World::seeded();
    let answer = world.run(
        "SELECT id, user, start, \"end\", status, client_ip, provider, connection, \
         network_server_ip_address, sidecar_name, connector_id, resource_type, resource_name, \
         resource_technology, user_type, formal_user_name, formal_user_email, formal_user_groups, \
         end_user_name, end_user_external_ids, native_username, parent_session_id FROM formal",
    );
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert!(answer.rows.len() > 1000, "{} rows", answer.rows.len());
    assert_eq!(answer.rows.len(), world.emulator.sessions().len());
    assert!(answer.completeness.is_complete(), "{:?}", answer.completeness);
    let shown = world.shown();
    let or_null = |text: &str| if text.is_empty() { "NULL" } else { text }.to_owned();
    let list = |texts: &[String]| match texts {
        [] => "NULL".to_owned(),
        texts => format!("[{}]", texts.join(", ")),
    };
    let time = |text: &str| (text != "NULL").then(|| instant(text));
    let (shown, records): (std::collections::HashMap<_, _>, std::collections::HashMap<_, _>) = (
        shown.into_iter().map(|row| (row.id.clone(), row)).collect(),
        world.emulator.sessions().into_iter().map(|r| (r.id.clone(), r)).collect(),
    );
    for row in &answer.rows {
        let (shown, record) = (&shown[&row[0]], &records[&row[0]]);
        assert_eq!(row[1], or_null(&record.username));
        assert_eq!((time(&row[2]), time(&row[3])), (shown.start, shown.end));
        assert_eq!(row[4], shown.status);
        let expected = [
            or_null(&record.client_ip),
            "formal".to_owned(),
            "formal".to_owned(),
            or_null(&record.server_ip),
            or_null(&record.sidecar.name),
            or_null(&record.connector.id),
            or_null(&record.resource_type),
            or_null(&record.resource.name),
            or_null(&record.resource.technology),
            or_null(&record.user_type),
            or_null(&record.user.name),
            or_null(&record.user.email),
            list(&record.user.groups),
            or_null(&record.end_user.name),
            list(&record.end_user.external_ids),
            or_null(&record.native_username),
            or_null(&record.parent_session_id),
        ];
        assert_eq!(row[5..], expected);
    }
}

/// `DESCRIBE`: name, type, whether it may be NULL, what is pushed, and what it means.
const COLUMNS: &str = "\
id | text | false | =, IN | The session's id.
user | text | true | NULL | The login as the proxy saw it.
start | timestamp | true | =, range, window | When the session began.
end | timestamp | true | =, range, window | When the session ended; NULL means that it is open.
duration | duration | true | NULL | How long it has lasted: up to its end, or up to now.
status | text | true | NULL | `ACTIVE`, `IDLE` or `COMPLETED`, or whatever else the API may come to say.
client_ip | text | true | NULL | The address that the client came from.
provider | text | false | NULL | The plugin that read it.
connection | text | false | NULL | The connection it came from.
network_server_ip_address | text | true | NULL | The address of the server.
sidecar_id | text | true | NULL | The sidecar, by id.
sidecar_name | text | true | NULL | The sidecar that the session went through, before there were connectors.
sidecar_technology | text | true | NULL | What the sidecar speaks, such as `postgres`.
resource_type | text | true | NULL | The kind of resource: `aws`, `datastore` or `instance`.
resource_id | text | true | NULL | The resource, by id.
resource_name | text | true | NULL | The resource that was used.
resource_technology | text | true | NULL | What the resource speaks, such as `postgres` or `ssh`.
connector_id | text | true | NULL | The connector, by id.
connector_name | text | true | NULL | The connector that the session went through.
user_type | text | true | NULL | Whose login it is: `formal` or that of the resource, `native`.
formal_user_id | text | true | NULL | The user at Formal, by id.
formal_user_name | text | true | NULL | The user at Formal.
formal_user_email | text | true | NULL | That user's email address.
formal_user_type | text | true | NULL | Whether that user is `human` or `machine`.
formal_user_groups | list<text> | true | NULL | That user's groups; NULL if there are none.
formal_user_external_ids | list<text> | true | NULL | That user's ids elsewhere; NULL if there are none.
end_user_id | text | true | NULL | Who is behind a machine user, by id.
end_user_name | text | true | NULL | Who is behind a machine user, such as the user of a BI tool.
end_user_email | text | true | NULL | That person's email address.
end_user_type | text | true | NULL | Whether that is a `human` or a `machine`.
end_user_groups | list<text> | true | NULL | That person's groups; NULL if there are none.
end_user_external_ids | list<text> | true | NULL | That person's ids elsewhere; NULL if there are none.
native_username | text | true | NULL | The login at the resource itself.
parent_session_id | text | true | NULL | The session that this one is part of, by id; newer versions of the API alone.
reported_duration | duration | true | NULL | How long the session lasted, as the API reports it.
raw | json | true | NULL | The record as the API sent it. Hidden: only there when named.";

#[test]
fn describe_lists_all_columns() {
    let world = World::of(Vec::new());
    let answer = world.run("DESCRIBE formal");
    let lines: Vec<String> = answer.rows.iter().map(|row| row.join(" | ")).collect();
    assert_eq!(lines.join("\n"), COLUMNS);
    assert_eq!(world.requests(), [""; 0]);
}

#[test]
fn people_are_those_of_the_vpn() {
    let clock = Clock::fixed(instant(BEGIN));
    let vpn = sessionql_sandbox::openvpn::Emulator::start(
        sessionql_sandbox::openvpn::Options::seeded(1, clock.clone()),
    );
    let vpn = vpn.expect("a loopback socket is free");
    let formal = Emulator::start(Options::seeded(1, clock.clone()));
    let formal = formal.expect("a loopback socket is free");
    let config = format!("{}{}", openvpn_toml(&vpn), formal_toml(&formal));
    let answer = run(
        &engine(&config, &clock),
        "SELECT count(DISTINCT f.user) FROM formal f JOIN openvpn v ON v.user = f.user \
         WHERE v.start >= now() - 5d AND f.client_ip = v.client_ip",
        &ExecuteOptions::default(),
    );
    assert!(answer.error.is_none(), "{:?}", answer.error);
    let n_people: usize = answer.rows[0][0].parse().expect("a number");
    assert!(n_people > 25, "{n_people} people");
}

// Requests

fn requests(world: &World, sql: &str) -> Vec<String> {
    world.emulator.clear();
    let answer = world.run(sql);
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    world.requests()
}

#[test]
fn an_id_is_one_request_and_two_are_two() {
    let world = World::of(open_sessions(3000));
    assert_eq!(
        requests(&world, "SELECT * FROM formal WHERE id = 's0001'"),
        [r#"GetSession {"sessionId":"s0001"}"#]
    );
    assert_eq!(
        requests(&world, "SELECT * FROM formal WHERE id IN ('s0001', 's0002')"),
        [r#"GetSession {"sessionId":"s0001"}"#, r#"GetSession {"sessionId":"s0002"}"#]
    );
    assert_eq!(requests(&world, "SELECT * FROM formal WHERE id = 'nobody'").len(), 1);
}

/// An API that ignores case knows `x` and `X`, and answers with the first for both.
#[test]
fn ids_that_differ_in_case_are_told_apart() {
    let start = instant(BEGIN) - TimeDelta::hours(1);
    let world = World::of(["x", "X", "y"].map(|id| SessionRecord::active(id, "ann", start)).into());
    world.emulator.set_switches(|switches| switches.id_ignores_case = true);
    assert_eq!(world.ids("SELECT id FROM formal WHERE id = 'X'"), ["X"]);
    assert_eq!(world.ids("SELECT id FROM formal WHERE id = 'Y'"), [""; 0]);
    assert_eq!(world.ids("SELECT id FROM formal WHERE id IN ('X', 'x', 'Y')"), ["X", "x"]);
    assert_eq!(
        requests(&world, "SELECT id FROM formal WHERE id = 'X'"),
        [
            r#"GetSession {"sessionId":"X"}"#,
            r#"ListSessionsV2 {"limit":1000}"#,
            r#"ListSessionsV2 {"limit":1000,"cursor":"X"}"#
        ]
    );
}

#[test]
fn a_limit_is_one_request() {
    let world = World::of(open_sessions(3000));
    assert_eq!(
        requests(&world, "SELECT * FROM formal LIMIT 10"),
        [r#"ListSessionsV2 {"limit":10}"#]
    );
    assert_eq!(
        requests(&world, "SELECT * FROM formal WHERE user = 'ann' LIMIT 10"),
        [r#"ListSessionsV2 {"limit":1000}"#]
    );
}

#[test]
fn as_many_requests_as_pages() {
    // A single page without a cursor may be all, or the server may fill in none: one more asks.
    for (n_sessions, n_pages) in [(0, 1), (1, 2), (1000, 2), (1001, 2), (2500, 3)] {
        let world = World::of(open_sessions(n_sessions));
        let lines = requests(&world, "SELECT id FROM formal WHERE start >= now() - 50h");
        assert_eq!(lines.len(), n_pages, "{n_sessions} sessions");
        let filter = r#""startTimestamp":"2026-03-13T09:58:59Z""#;
        assert!(lines.iter().all(|line| line.contains(filter)), "{lines:?}");
        let n_cursors = lines.iter().filter(|line| line.contains("cursor")).count();
        assert_eq!(n_cursors, n_pages - 1);
    }
}

#[test]
fn a_cursor_that_was_seen_once_is_due_ever_after() {
    let world = World::of(open_sessions(3));
    let sql = "SELECT id FROM formal";
    assert_eq!((requests(&world, sql).len(), requests(&world, sql).len()), (2, 2));
    world.emulator.set_switches(|switches| switches.page_cap = Some(2));
    assert_eq!(requests(&world, sql).len(), 2);
    world.emulator.set_switches(|switches| switches.page_cap = None);
    assert_eq!(requests(&world, sql).len(), 1);
}

#[test]
fn pages_without_cursors_are_all_read() {
    for cursor in [CursorStyle::LastId, CursorStyle::Opaque] {
        for repeated_rows in [0, 2] {
            let mut world = World::of(edge_sessions());
            world.configure(STABLE);
            world.emulator.set_switches(|switches| {
                switches.fills_cursor = false;
                switches.cursor = cursor;
                switches.page_cap = Some(3);
                switches.repeated_rows = repeated_rows;
            });
            check_all(&world, &format!("no cursor, {repeated_rows} rows repeated"));
        }
    }
}

/// Pages of three by activity, the latest first. On the second of them is an open session, in which
/// something happens before that page is read, so that it moves to the first.
fn moving_world(first: [SessionRecord; 3]) -> World {
    let mut sessions = first.to_vec();
    sessions.push(SessionRecord::active("moves", "ann", hours_ago(30)));
    sessions.push(SessionRecord::completed("old", "ann", hours_ago(50), hours_ago(48)));
    let world = World::of(sessions);
    world.emulator.set_switches(|switches| {
        switches.timestamp = Timestamp::LastEvent;
        switches.page_cap = Some(3);
    });
    world.emulator.on_request(2, |api| {
        let mut session = api.session("moves").expect("it is there");
        session.last_event = api.clock().now();
        api.upsert(session);
    });
    world
}

#[test]
fn a_session_that_moves_to_a_page_that_was_read_is_not_missed_without_a_word() {
    let active = |id: &str, hours| SessionRecord::active(id, "ann", hours_ago(hours));
    let mut world = moving_world([active("a", 1), active("b", 2), active("c", 3)]);
    let answer = world.run("SELECT id FROM formal");
    assert_eq!(answer.rows.len(), 5, "the session that moved was on the first page");
    let gap = &answer.completeness.connections[0].gaps[0].gap;
    assert_eq!(gap.reason, Reason::Capped);
    assert!(gap.message.starts_with("2 pages were read, and a session that moved"), "{gap:?}");
    // On one page nothing moves.
    world.configure("page_size = 1000");
    world.emulator.set_switches(|switches| switches.page_cap = None);
    assert_eq!(world.ids("SELECT id FROM formal").len(), 5);
}

/// A first page that, read again, reaches down to sessions that have ended holds all that moved: one
/// that was busy of late, and one that was quiet for long.
#[test]
fn above_a_session_that_has_ended_is_all_that_moved() {
    let ended = SessionRecord::completed("ended", "ann", hours_ago(5), hours_ago(4));
    let mut moves = SessionRecord::active("moves", "ann", hours_ago(30));
    moves.last_event = hours_ago(3);
    let world = moving_world([
        SessionRecord::active("a", "ann", hours_ago(1)),
        ended,
        SessionRecord::completed("b", "ann", hours_ago(20), hours_ago(10)),
    ]);
    assert_eq!(world.ids("SELECT id FROM formal"), ["a", "b", "ended", "moves", "old"]);
    world.emulator.upsert(moves);
    assert_eq!(world.ids("SELECT id FROM formal"), ["a", "b", "ended", "moves", "old"]);
}

#[test]
fn what_cannot_have_rows_costs_nothing() {
    let world = World::of(open_sessions(3));
    for sql in [
        "SELECT id FROM formal WHERE false",
        "SELECT id FROM formal LIMIT 0",
        "SELECT id FROM formal WHERE id = 'a' AND id = 'b'",
        "SELECT id FROM formal WHERE id = ''",
        "SELECT id FROM formal WHERE start > now() AND start < now() - 1h",
        "SELECT id FROM formal WHERE provider = 'oam'",
    ] {
        assert_eq!(requests(&world, sql), [""; 0], "{sql}");
    }
}

#[test]
fn history_is_a_gap_only_where_it_matters() {
    let world = World::of(edge_sessions());
    let gap_of = |sql: &str| {
        let answer = world.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let gaps = &answer.completeness.connections[0].gaps;
        gaps.first().map(|gap| gap.gap.reason)
    };
    assert_eq!(gap_of("SELECT id FROM formal SINCE 80d"), None);
    assert_eq!(gap_of("SELECT id FROM formal SINCE 100d"), Some(Reason::History));
    assert_eq!(gap_of("SELECT id FROM formal WHERE start >= now() - 100d"), Some(Reason::History));
    assert_eq!(gap_of("SELECT id FROM formal WHERE start < now() - 100d"), Some(Reason::History));
    assert_eq!(gap_of("SELECT id FROM formal WHERE start < now() - 10d"), None);
    assert_eq!(gap_of("SELECT id FROM formal"), None, "no time asked, no time missed");
    assert_eq!(gap_of("SELECT id FROM formal SINCE 100d LIMIT 1"), None, "enough rows");
}

#[test]
fn a_session_that_closes_between_two_pages_is_there_once() {
    let mut world = World::of(open_sessions(7));
    world.configure(STABLE);
    world.emulator.set_switches(|switches| {
        switches.page_cap = Some(2);
        switches.repeated_rows = 1;
    });
    world.emulator.on_request(3, |api| {
        let now = api.clock().now();
        for mut session in api.sessions() {
            session.close(now);
            api.upsert(session);
        }
    });
    assert_eq!(world.ids("SELECT id FROM formal SINCE 24h").len(), 7);
}

// Faults

/// Seven sessions on three pages.
fn faulty_world() -> World {
    let mut world = World::of(open_sessions(7));
    world.configure(STABLE);
    world.emulator.set_switches(|switches| switches.page_cap = Some(3));
    world
}

fn ask(world: &World, sql: &str) -> Answer {
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    run(&world.engine, sql, &options)
}

fn reason(answer: &Answer) -> Option<Reason> {
    match &answer.error {
        Some(Error::Scan { error, .. }) => Some(error.code),
        Some(other) => panic!("a scan's error was due, not {other}"),
        None => None,
    }
}

fn connect_error(status: u16, code: &str) -> Fault {
    let body = format!(r#"{{"code":"{code}","message":"so it is"}}"#);
    Fault::Answer(HttpAnswer::json_text(status, body))
}

/// Runs a check for each fault on each of the three pages, all at once, for most of the time is
/// spent waiting before retries.
fn on_every_page<T: Clone + Send>(faults: Vec<(&str, T)>, check: impl Fn(&str, T, usize) + Sync) {
    std::thread::scope(|scope| {
        for (name, fault) in faults {
            for page in 1..=3 {
                let (check, fault) = (&check, fault.clone());
                scope.spawn(move || check(name, fault, page));
            }
        }
    });
}

#[test]
fn a_passing_fault_is_not_seen() {
    let faults = vec![
        ("500", Fault::status(500)),
        ("429 with Retry-After", Fault::throttled_for(0)),
        ("429 of the service", connect_error(429, "resource_exhausted")),
        ("400, but too many requests", connect_error(400, "resource_exhausted")),
        ("unavailable", connect_error(503, "unavailable")),
        ("old canceled", connect_error(408, "canceled")),
        ("reset in body", Fault::ResetInBody),
        ("truncated", Fault::Truncated { drop_bytes: 5 }),
        ("cut to fit", Fault::WrongLength { off_by: -9 }),
        ("truncated gzip", Fault::TruncatedGzip { drop_bytes: 3 }),
        ("html", Fault::html()),
    ];
    on_every_page(faults, |name, fault, page| {
        let world = faulty_world();
        world.emulator.faults().plan(On::Data(page), fault);
        let answer = ask(&world, "SELECT id FROM formal");
        assert!(answer.error.is_none(), "{name} on page {page}: {:?}", answer.error);
        assert_eq!(answer.rows.len(), 7, "{name} on page {page}");
        assert!(answer.completeness.is_complete(), "{name} on page {page}");
    });
}

#[test]
fn a_lasting_fault_is_an_error() {
    let json = |body: &'static str| Fault::Answer(HttpAnswer::json_text(200, body));
    let faults = vec![
        ("500", (Fault::status(500), Reason::ProviderError)),
        ("invalid", (connect_error(400, "invalid_argument"), Reason::ProviderError)),
        ("not found", (connect_error(404, "not_found"), Reason::ProviderError)),
        ("404", (Fault::Answer(HttpAnswer::html(404, "Not Found")), Reason::ProviderError)),
        ("who", (connect_error(401, "unauthenticated"), Reason::Auth)),
        ("forbidden", (connect_error(403, "permission_denied"), Reason::Auth)),
        ("html", (Fault::html(), Reason::BadAnswer)),
        ("another document", (json(r#"{"error": "maintenance"}"#), Reason::BadAnswer)),
        ("cut JSON", (json(r#"{"sessions": ["#), Reason::BadAnswer)),
        ("no id", (Fault::drop_field("/sessions/0/id"), Reason::BadAnswer)),
        ("no text", (Fault::set_field("/sessions/0/id", true.into()), Reason::BadAnswer)),
        ("a number", (Fault::set_field("/listMetadata/nextCursor", 5.into()), Reason::BadAnswer)),
    ];
    on_every_page(faults, |name, (fault, expected), page| {
        let world = faulty_world();
        world.emulator.faults().plan(On::DataFrom(page), fault);
        let answer = ask(&world, "SELECT id FROM formal");
        assert_eq!(reason(&answer), Some(expected), "{name} from page {page}: {:?}", answer.error);
    });
}

#[test]
fn a_cursor_that_comes_again_is_an_error() {
    for period in [1, 2] {
        let world = faulty_world();
        world.emulator.set_switches(|switches| {
            switches.page_cap = Some(1);
            switches.cursor = CursorStyle::Opaque;
        });
        let fault = Fault::cursor_loop("/listMetadata/nextCursor", period);
        world.emulator.faults().plan(On::DataFrom(1), fault);
        let answer = ask(&world, "SELECT id FROM formal");
        assert_eq!(reason(&answer), Some(Reason::BadAnswer), "a loop of {period}");
        assert_eq!(world.emulator.data_requests().len(), period + 1);
    }
}

#[test]
fn a_look_up_finds_a_session_or_none_or_fails() {
    let sql = "SELECT id FROM formal WHERE id IN ('s0001', 's0002', 'nobody')";
    for status in [None, Some(400), Some(404), Some(412)] {
        let world = faulty_world();
        world.emulator.set_switches(|switches| switches.error_status = status);
        assert_eq!(world.ids(sql), ["s0001", "s0002"], "not found is {status:?}");
    }
    for (name, fault) in [
        ("a proxy's 404", Fault::Answer(HttpAnswer::html(404, "Not Found"))),
        ("an empty 404", Fault::status(404)),
        ("a bad request", connect_error(400, "invalid_argument")),
        ("no session", Fault::Answer(HttpAnswer::json_text(200, "{}"))),
        ("no id", Fault::drop_field("/session/id")),
    ] {
        let world = faulty_world();
        world.emulator.faults().plan(On::Data(2), fault);
        assert!(reason(&ask(&world, sql)).is_some(), "{name}");
    }
}

#[test]
fn a_wrong_base_url_never_looks_empty() {
    let mut world = faulty_world();
    let base_url = world.emulator.base_url();
    let toml = formal_toml(&world.emulator).replace(&base_url, &format!("{base_url}/elsewhere"));
    world.engine = engine(&toml, &world.clock);
    for sql in ["SELECT id FROM formal", "SELECT id FROM formal WHERE id = 's0001'"] {
        let answer = ask(&world, sql);
        assert_eq!(reason(&answer), Some(Reason::ProviderError), "{sql}");
        let told = format!("{:?}", answer.error);
        assert!(told.contains("check `base_url`"), "{told}");
    }
}

#[test]
fn the_key_is_sent_where_it_belongs_and_never_shown() {
    let mut world = faulty_world();
    world.configure(&format!("api_key_in = \"bearer\"\n{STABLE}"));
    assert_eq!(reason(&ask(&world, "SELECT id FROM formal")), Some(Reason::Auth));
    world.emulator.set_switches(|switches| switches.takes_bearer = true);
    assert_eq!(world.ids("SELECT id FROM formal").len(), 7);
    let toml = formal_toml(&world.emulator).replace(world.emulator.api_key(), "not-the-key");
    world.engine = engine(&toml, &world.clock);
    let echo = r#"{"code":"permission_denied","message":"not-the-key may not"}"#;
    let echo = Fault::Answer(HttpAnswer::json_text(403, echo));
    for fault in [None, Some(echo)] {
        world.emulator.clear();
        if let Some(fault) = fault {
            world.emulator.faults().plan(On::DataFrom(1), fault);
        }
        let answer = ask(&world, "SELECT id FROM formal");
        assert_eq!(reason(&answer), Some(Reason::Auth));
        let told = format!("{:?}", answer.error);
        assert!(told.contains("formal") && !told.contains("not-the-key"), "{told}");
    }
}

#[test]
fn a_deadline_and_a_budget_are_kept() {
    let world = faulty_world();
    let options = ExecuteOptions { max_requests: Some(2), ..ExecuteOptions::default() };
    let answer = run(&world.engine, "SELECT id FROM formal", &options);
    assert_eq!((answer.rows.len(), answer.error.is_none()), (6, true));
    assert_eq!(answer.completeness.connections[0].gaps[0].gap.reason, Reason::Budget);
    world.emulator.clear();
    world.emulator.faults().plan(On::DataFrom(2), Fault::Hang);
    let timeout = Some(Duration::from_millis(400));
    let answer = run(
        &world.engine,
        "SELECT id FROM formal",
        &ExecuteOptions { timeout, ..ExecuteOptions::default() },
    );
    assert!(matches!(answer.error, Some(Error::Timeout { .. })), "{:?}", answer.error);
}

// Random questions

/// Asks a question both ways and holds the answer against the model.
fn check(world: &World, switches: &Switches, question: &Question) {
    let horizon = instant(BEGIN) - switches.history.unwrap_or(TimeDelta::days(90));
    let sql = question.sql("formal");
    let rows = world.shown();
    let passing: Vec<&Shown> = rows.iter().filter(|row| question.passes(row)).collect();
    // A plugin that is told of no filter cannot know that they reach before the history.
    let may_be_gone = |row: &Shown, is_pushed: bool| {
        let is_gone = switches.history.is_some() && row.start.is_some_and(|start| start < horizon);
        is_gone && (!is_pushed || question.may_lack(horizon))
    };
    for pushdown in ["on", "off"] {
        world.run(&format!("SET pushdown = {pushdown}"));
        let answer = world.run(&sql);
        assert!(answer.error.is_none(), "pushdown {pushdown}: {sql}: {:?}", answer.error);
        let mut found: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str()).collect();
        found.sort_unstable();
        let n_found = found.len();
        found.dedup();
        assert_eq!(found.len(), n_found, "pushdown {pushdown}: {sql}: a row came twice");
        let gaps = answer.completeness.connections.iter().flat_map(|report| &report.gaps);
        let is_clamped = gaps.into_iter().any(|gap| gap.gap.reason == Reason::Clamped);
        let is_right = |id: &&str| passing.iter().any(|row| row.id == **id);
        // What ended is known to have ended, but maybe not when.
        let all_right = is_clamped || found.iter().all(is_right);
        assert!(all_right, "pushdown {pushdown}: {sql}: {found:?}");
        if !answer.completeness.is_complete() || question.limit == Some(n_found) {
            continue;
        }
        let missing: Vec<_> = passing
            .iter()
            .filter(|row| !found.contains(&row.id.as_str()))
            .filter(|row| !may_be_gone(row, pushdown == "on"))
            .collect();
        assert!(missing.is_empty(), "pushdown {pushdown}: {sql}: {missing:?}");
    }
    assert!(world.emulator.violations().is_empty());
}

proptest! {
    #![proptest_config(sessionql_tests::model::config(200))]

    #[test]
    fn rows_are_those_of_the_model(
        sessions in sessions(),
        (switches, settings) in switches().prop_flat_map(|switches| {
            let settings = settings(&switches);
            (Just(switches), settings)
        }),
        questions in prop::collection::vec(question(), 3),
    ) {
        let mut world = World::of(sessions);
        world.configure(&settings);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        for question in &questions {
            check(&world, &switches, question);
        }
    }

    /// Things happen in open sessions, and sessions end, while pages are read.
    #[test]
    fn what_moves_is_there_or_the_answer_says_otherwise(
        sessions in sessions(),
        (switches, settings) in switches().prop_flat_map(|switches| {
            let switches = Switches { history: None, fills_cursor: true, ..switches };
            let settings = settings(&switches);
            (Just(switches), settings)
        }),
        moves in prop::collection::vec((2..9_usize, 0..16_usize, any::<bool>()), 1..6),
    ) {
        let mut world = World::of(sessions.clone());
        world.configure(&settings);
        world.emulator.set_switches(move |current| *current = switches);
        for (number, which, closes) in moves {
            let id = sessions[which % sessions.len()].id.clone();
            world.emulator.on_request(number, move |api| {
                api.clock().advance(TimeDelta::milliseconds(1));
                let now = api.clock().now();
                let Some(mut session) = api.session(&id) else { return };
                if session.status == Status::Completed {
                    return;
                }
                session.last_event = now;
                if closes {
                    session.close(now);
                }
                api.upsert(session);
            });
        }
        let answer = world.run("SELECT id FROM formal");
        if let Some(error) = answer.error {
            // The last of a page moved and is the last of another one.
            prop_assert!(error.to_string().contains("repeats the cursor"), "{}", error);
        } else if answer.completeness.is_complete() {
            prop_assert_eq!(answer.rows.len(), sessions.len());
        }
    }
}

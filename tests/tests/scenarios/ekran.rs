//! Ekran System answers with everything, or with sessions cut to the bounds that are sent. The rows
//! must be the true ones, whatever the documents mean; and few requests, once it is known what.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_core::{Error, ExecuteOptions, Reason};
use sessionql_sandbox::ekran::{
    Auth, Idle, Offset, Options, Selection, SessionRecord, Switches, Unfinished,
};
use sessionql_sandbox::{Answer as HttpAnswer, Clock, Fault, On};
use sessionql_tests::ekran::{
    COLUMNS, EkranWorld, Query, Window, crowd, query, sessions, sorted, switches, value,
};
use sessionql_tests::{Answer, BEGIN, PATIENCE, instant};

fn now() -> DateTime<Utc> {
    instant(BEGIN)
}

fn ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

/// Sessions around 24 and 48 hours ago, most of them longer than a day, with silences.
fn around() -> Vec<SessionRecord> {
    let ms = TimeDelta::milliseconds(1);
    let mut sessions = crowd(now());
    let mut id = 0;
    let mut add = |login: DateTime<Utc>,
                   logout: Option<DateTime<Utc>>,
                   active: &[DateTime<Utc>]| {
        id += 1;
        let record = SessionRecord::unfinished(id, id % 4, login);
        sessions.push(SessionRecord { logout, ..record }.with_activities(active.iter().copied()));
    };
    for edge in [ago(24), ago(48)] {
        for off in [TimeDelta::zero(), ms, -ms, TimeDelta::seconds(1), TimeDelta::hours(5)] {
            add(edge + off, Some(edge + off), &[]);
            add(edge + off, None, &[ago(1)]);
            add(edge + off, Some(ago(2)), &[ago(30), ago(20), ago(3)]);
            add(edge - TimeDelta::hours(9), Some(edge + off), &[edge - TimeDelta::hours(8)]);
            add(ago(90), Some(edge + off), &[edge + off]);
        }
    }
    // Open at both edges; something happens only before, only between, only after.
    for active in [ago(60), ago(36), ago(3)] {
        add(ago(70), Some(ago(1)), &[active]);
        add(ago(71), None, &[active]);
    }
    sessions
}

fn proven(sessions: Vec<SessionRecord>) -> EkranWorld {
    let world = EkranWorld::of(sessions, now());
    world.rows("SELECT DISTINCT user FROM ekran SINCE 3h");
    assert_eq!(world.requests().len(), 3, "all sessions, and two that show the rest");
    world
}

/// Returns the requests of a query.
fn requests(world: &EkranWorld, sql: &str) -> Vec<String> {
    world.requests();
    world.rows(sql);
    world.requests()
}

// Which requests a query costs

#[test]
fn the_first_bounded_query_reads_all_and_has_the_server_show_how_it_selects() {
    let world = EkranWorld::with(Options::seeded(1, Clock::fixed(now())));
    let sql = "SELECT DISTINCT user FROM ekran SINCE 1d";
    let second = "?start=2026-03-15T11:45:00";
    let expected = ["".to_owned(), format!("{second}&end=2026-03-15T11:45:01"), second.to_owned()];
    assert_eq!(requests(&world, sql), expected);
    assert_eq!(requests(&world, sql), ["?start=2026-03-14T12:59:58"]);
}

#[test]
fn a_server_that_is_known_to_select_by_overlap_need_not_show_it() {
    let mut world = EkranWorld::with(Options::seeded(1, Clock::fixed(now())));
    world.configure("selection = \"overlap\"");
    let sql = "SELECT DISTINCT user FROM ekran SINCE 1d";
    assert_eq!(requests(&world, sql), ["?start=2026-03-14T12:59:58"]);
}

/// A session that ends just where the window begins, and is shown to begin there, may be one of no
/// length, which belongs, or one that was cut, which does not.
#[test]
fn an_instant_at_the_edge_is_looked_up() {
    let edge = ago(24);
    let mut sessions = crowd(now());
    sessions.push(SessionRecord::finished(1, 1, edge, edge));
    sessions.push(SessionRecord::finished(2, 2, ago(30), edge));
    let world = proven(sessions);
    let sql = "SELECT id FROM ekran SINCE 1d WHERE user IN ('1', '2')";
    assert_eq!(world.rows(sql), [["1"]]);
    let at = "2026-03-14T12:59:58";
    let expected = [format!("?start={at}"), format!("?start={at}&end=2026-03-14T12:59:59")];
    assert_eq!(world.requests(), expected);
}

#[test]
fn ends_are_true_in_a_window() {
    let world = proven(around());
    let sql = "SELECT id, \"end\" FROM ekran SINCE 2d UNTIL 1d";
    let at = "2026-03-13T12:59:58";
    let expected = [format!("?start={at}&end=2026-03-13T12:59:59"), format!("?start={at}")];
    assert_eq!(requests(&world, sql), expected);
    let window = Window::Between(48 * 3_600_000, 24 * 3_600_000);
    let query = Query { columns: vec!["id", "end"], window, conditions: Vec::new(), limit: None };
    assert_eq!(world.rows(sql), query.rows(&around(), now()));
}

#[test]
fn starts_are_true_after_a_bound() {
    let world = proven(around());
    let sql = "SELECT user, start FROM ekran WHERE start >= now() - INTERVAL '24 hours'";
    let at = "2026-03-14T12:59:58";
    let expected = [format!("?start={at}&end=2026-03-14T12:59:59"), format!("?start={at}")];
    assert_eq!(requests(&world, sql), expected);
    let mut truth: Vec<_> = around()
        .iter()
        .filter(|session| session.login >= ago(24))
        .map(|session| vec![value(session, "user"), value(session, "start")])
        .collect();
    truth.sort();
    assert_eq!(world.rows(sql), truth);
}

#[test]
fn both_bounds_are_sent_when_neither_value_is_used() {
    let world = proven(around());
    let lines = requests(&world, "SELECT user FROM ekran SINCE 2d UNTIL 1d");
    assert_eq!(lines[0], "?start=2026-03-13T12:59:58&end=2026-03-14T13:00:01");
    // Sessions that are shown to begin or end too late or too early are looked up at the edges.
    let edges = [
        "?start=2026-03-13T12:59:58&end=2026-03-13T12:59:59",
        "?start=2026-03-14T13:00:01&end=2026-03-14T13:00:02",
    ];
    assert_eq!(lines[1..], edges);
    let lines = requests(&world, "SELECT user FROM ekran UNTIL 60h");
    assert_eq!(lines, ["?end=2026-03-13T01:00:01"]);
    let quiet = proven(crowd(now()));
    let lines = requests(&quiet, "SELECT user FROM ekran SINCE 2d UNTIL 1d");
    assert_eq!(lines, ["?start=2026-03-13T12:59:58&end=2026-03-14T13:00:01"]);
}

#[test]
fn a_bound_that_would_cut_what_is_asked_for_is_not_sent() {
    let world = proven(around());
    for sql in [
        "SELECT * FROM ekran SINCE 1d",
        "SELECT id, duration FROM ekran SINCE 1d",
        "SELECT id, raw FROM ekran SINCE 1d",
        "SELECT id FROM ekran SINCE 1d ORDER BY start",
        "SELECT id, \"end\" FROM ekran UNTIL 1d",
        "SELECT count(*) FROM ekran UNTIL 1d WHERE status = 'ACTIVE'",
        "SELECT user FROM ekran SINCE 1d WHERE duration > 1h",
        "SELECT user FROM ekran WHERE \"end\" < now() - 1d",
        "SELECT id FROM ekran",
        "SELECT id FROM ekran WHERE user = '1'",
    ] {
        assert_eq!(requests(&world, sql), [""], "{sql}");
    }
}

#[test]
fn an_end_needs_no_login() {
    let world = proven(around());
    let lines = requests(&world, "SELECT id, \"end\" FROM ekran WHERE \"end\" >= now() - 1d");
    assert_eq!(lines, ["?start=2026-03-14T12:59:58"]);
    let lines = requests(&world, "SELECT id, start FROM ekran WHERE start < now() - 1d");
    assert_eq!(lines, ["?end=2026-03-14T13:00:01"]);
}

#[test]
fn no_bound_is_later_than_the_servers_clock_may_be() {
    let world = proven(around());
    let at = "2026-03-15T12:44:58";
    let open_then = format!("?start={at}&end=2026-03-15T12:44:59");
    let since_then = format!("?start={at}");
    let lines = requests(&world, "SELECT user FROM ekran AT now");
    assert_eq!(lines, [&*open_then, &*since_then]);
    assert_eq!(requests(&world, "SELECT user FROM ekran SINCE now + 1h"), [&*since_then]);
    assert_eq!(requests(&world, "SELECT user FROM ekran UNTIL now + 1h"), [""]);
}

#[test]
fn what_cannot_have_rows_costs_nothing() {
    let world = EkranWorld::of(around(), now());
    for sql in [
        "SELECT id FROM ekran WHERE false",
        "SELECT id FROM ekran LIMIT 0",
        "SELECT id FROM ekran WHERE start > now() AND start < now() - 1h",
        "SELECT id FROM ekran SINCE 2d UNTIL 1d WHERE start >= now() - 1h",
        "SELECT id FROM ekran WHERE client_ip = '192.0.2.1' AND provider = 'oam'",
        "DESCRIBE ekran",
    ] {
        assert!(requests(&world, sql).is_empty(), "{sql}");
    }
}

#[test]
fn without_a_time_zone_no_bound_is_sent() {
    let mut world = EkranWorld::of(around(), now());
    world.forget_zone();
    for _ in 0..2 {
        assert_eq!(requests(&world, "SELECT DISTINCT user FROM ekran SINCE 1d"), [""]);
    }
}

#[test]
fn too_few_sessions_show_nothing_and_cost_nothing_more() {
    let world = EkranWorld::of(crowd(now())[..2].to_vec(), now());
    for _ in 0..2 {
        assert_eq!(requests(&world, "SELECT DISTINCT user FROM ekran SINCE 1d"), [""]);
    }
}

// What the rows are

/// Queries that read in each of the ways.
fn queries() -> Vec<Query> {
    let hour = 3_600_000;
    let windows = [
        Window::None,
        Window::Since(24 * hour),
        Window::Until(24 * hour),
        Window::Between(48 * hour, 24 * hour),
        Window::At(24 * hour),
        Window::At(0),
    ];
    let columns = [
        vec!["id", "client_guid"],
        vec!["id", "start"],
        vec!["id", "end", "status"],
        COLUMNS.to_vec(),
    ];
    let mut queries = Vec::new();
    for window in windows {
        for columns in &columns {
            let columns = columns.clone();
            queries.push(Query { columns, window, conditions: Vec::new(), limit: None });
        }
    }
    queries
}

#[test]
fn rows_are_true_with_and_without_pushdown() {
    let world = proven(around());
    for query in queries() {
        let truth = query.rows(&around(), now());
        for pushdown in ["on", "off"] {
            world.run(&format!("SET pushdown = {pushdown}"));
            assert_eq!(world.rows(&query.sql()), truth, "{pushdown}: {}", query.sql());
        }
    }
    assert!(world.emulator.violations().is_empty());
}

/// Whatever a cut session looks like, it is told from others.
#[test]
fn rows_are_true_however_silent_sessions_are_cut() {
    for idle in [Idle::Bound, Idle::Elsewhere] {
        for ends_are_activities in [true, false] {
            for is_inclusive in [true, false] {
                let world = proven(around());
                world.emulator.set_switches(|switches| {
                    switches.idle = idle;
                    switches.ends_are_activities = ends_are_activities;
                    switches.start_is_inclusive = is_inclusive;
                    switches.end_is_inclusive = is_inclusive;
                    switches.cuts_unfinished = is_inclusive;
                });
                for query in queries() {
                    let truth = query.rows(&around(), now());
                    assert_eq!(world.rows(&query.sql()), truth, "{idle:?}: {}", query.sql());
                }
            }
        }
    }
}

#[test]
fn a_server_that_selects_otherwise_is_found_out() {
    for selection in [Selection::Activity, Selection::StartedOrFinished] {
        let world = EkranWorld::of(around(), now());
        world.emulator.set_switches(|switches| switches.selection = selection);
        let sql = "SELECT id FROM ekran SINCE 1d";
        let truth = world.rows(sql);
        assert_eq!(world.requests().len(), 2, "{selection:?}");
        assert_eq!(world.rows(sql), truth);
        assert_eq!(world.requests(), [""], "{selection:?}: bounds are not tried again");
    }
}

/// Two bounds select what they should, but `start` alone leaves out who is still there.
#[test]
fn a_server_that_leaves_out_open_sessions_is_found_out() {
    let world = EkranWorld::of(around(), now());
    world.emulator.set_switches(|switches| switches.open_need_end = true);
    let sql = "SELECT id FROM ekran SINCE 1d";
    let query = Query {
        columns: vec!["id"],
        window: Window::Since(24 * 3_600_000),
        conditions: Vec::new(),
        limit: None,
    };
    let truth = query.rows(&around(), now());
    assert_eq!(world.rows(sql), truth);
    assert_eq!(world.requests().len(), 3);
    assert_eq!(world.rows(sql), truth);
    assert_eq!(world.requests(), [""], "bounds are not tried again");
}

/// It showed how it selects, and selects otherwise from then on.
#[test]
fn sessions_that_a_bound_leaves_out_are_noticed() {
    let world = proven(around());
    world.emulator.set_switches(|switches| switches.open_need_end = true);
    let sql = "SELECT id, start FROM ekran WHERE start >= now() - 24h";
    let mut truth: Vec<_> = around()
        .iter()
        .filter(|session| session.login >= ago(24))
        .map(|session| vec![value(session, "id"), value(session, "start")])
        .collect();
    truth.sort();
    assert_eq!(world.rows(sql), truth);
    assert_eq!(world.requests().len(), 3, "who was open, who began since, and then all");
    assert_eq!(world.rows(sql), truth);
    assert_eq!(world.requests(), [""]);
}

/// Bounds are sent only for times at which the clocks are as they were when it showed how it selects.
#[test]
fn a_server_whose_clocks_are_not_put_forward_in_summer_is_not_asked_about_summer() {
    let now = instant("2025-10-28T12:00:00Z");
    let summer = instant("2025-10-20T10:00:00Z");
    let mut sessions = crowd(now);
    let minutes = TimeDelta::minutes(30);
    sessions.push(SessionRecord::finished(1, 1, summer - minutes, summer + minutes));
    let world = EkranWorld::of(sessions, now);
    world.emulator.set_switches(|switches| switches.ignores_summer = true);
    assert_eq!(world.rows("SELECT id FROM ekran SINCE 1d").len(), 3);
    assert_eq!(world.requests().len(), 3);
    let in_summer = "SELECT id FROM ekran SINCE '2025-10-20T10:00:00Z'";
    assert_eq!(world.rows(in_summer).len(), 4);
    assert_eq!(world.requests(), [""]);
    world.rows("SELECT id FROM ekran SINCE 1d");
    assert_eq!(world.requests(), ["?start=2025-10-27T12:59:58"]);
}

#[test]
fn clocks_that_were_turned_since_are_shown_anew() {
    let before = instant("2025-10-25T12:00:00Z");
    let after = instant("2025-10-28T12:00:00Z");
    let mut sessions = crowd(before);
    let others = crowd(after).into_iter();
    sessions.extend(
        others.map(|session| SessionRecord { session_id: session.session_id + 100, ..session }),
    );
    let world = EkranWorld::of(sessions, before);
    let sql = "SELECT DISTINCT user FROM ekran SINCE 1h";
    let n_requests = || {
        world.rows(sql);
        world.requests().len()
    };
    assert_eq!([n_requests(), n_requests()], [3, 1]);
    world.clock.advance(after - before);
    assert_eq!([n_requests(), n_requests()], [3, 1]);
}

#[test]
fn a_session_that_comes_twice_is_one() {
    let world = EkranWorld::of(around(), now());
    world.emulator.faults().plan(On::DataFrom(1), Fault::duplicate_rows(""));
    for query in queries() {
        let truth = query.rows(&around(), now());
        assert_eq!(world.rows(&query.sql()), truth, "{}", query.sql());
    }
    let n_sessions = around().len().to_string();
    assert_eq!(world.rows("SELECT count(*) FROM ekran"), [[n_sessions]]);
}

#[test]
fn a_wrong_time_zone_is_found_out() {
    for zone in ["UTC", "Europe/London", "Asia/Kolkata", "America/New_York"] {
        let world = EkranWorld::of(around(), now());
        let toml = sessionql_sandbox::ekran_toml(&world.emulator).replace("Europe/Berlin", zone);
        let world = EkranWorld { engine: sessionql_tests::engine(&toml, &world.clock), ..world };
        let sql = "SELECT id FROM ekran SINCE 1d";
        let truth = world.rows(sql);
        assert_eq!(world.requests().len(), 2, "{zone}");
        assert_eq!(world.rows(sql), truth, "{zone}");
        assert_eq!(world.requests(), [""], "{zone}");
    }
}

#[test]
fn a_bound_in_an_hour_that_was_shown_twice_is_moved_out_of_it() {
    // In Berlin the hour from 02:00 came twice, from 00:00Z and from 01:00Z.
    let now = instant("2026-10-25T12:00:00Z");
    let minutes = |n| instant("2026-10-25T00:00:00Z") + TimeDelta::minutes(n);
    let mut sessions = crowd(now);
    sessions.extend(
        (0..12).map(|n| SessionRecord::finished(n, n, minutes(10 * n), minutes(10 * n + 15))),
    );
    for fold_is_later in [false, true] {
        for offset in [Offset::Server, Offset::Utc] {
            let mut world = EkranWorld::of(sessions.clone(), now);
            // What it shows of the last day says nothing about the clocks of before.
            world.configure("selection = \"overlap\"");
            world.emulator.set_switches(|switches| {
                switches.fold_is_later = fold_is_later;
                switches.offset = offset;
            });
            for ago in [600, 630, 660, 690, 720] {
                let window = Window::Since(ago * 60_000);
                let query =
                    Query { columns: vec!["id"], window, conditions: Vec::new(), limit: None };
                world.requests();
                assert_eq!(world.rows(&query.sql()), query.rows(&sessions, now));
                let lines = world.requests();
                let is_before = lines == ["?start=2026-10-25T01:59:58"];
                let is_after = lines == ["?start=2026-10-25T01:59:57"] || ago == 600;
                assert!(is_before || is_after, "{ago}: {lines:?}");
            }
        }
    }
}

#[test]
fn times_without_offset_need_a_zone() {
    let mut world = EkranWorld::of(around(), now());
    world.emulator.set_switches(|switches| switches.offset = Offset::Absent);
    let sql = "SELECT id, start, \"end\" FROM ekran";
    let query = Query {
        columns: vec!["id", "start", "end"],
        window: Window::None,
        conditions: Vec::new(),
        limit: None,
    };
    assert_eq!(world.rows(sql), query.rows(&around(), now()));
    world.forget_zone();
    let answer = world.run(sql);
    assert_eq!(reason(&answer), Some(Reason::BadAnswer));
    let message = answer.error.map(|error| error.to_string()).unwrap_or_default();
    assert!(
        message.contains("`[0].loginDate`") || message.contains("`[0].logoutDate`"),
        "{message}"
    );
    assert!(message.contains("a time without offset"), "{message}");
}

#[test]
fn times_that_were_shown_twice_are_a_gap() {
    let now = instant("2026-10-25T12:00:00Z");
    let at = instant("2026-10-25T01:30:00Z");
    let world = EkranWorld::of(vec![SessionRecord::unfinished(1, 1, at)], now);
    world.emulator.set_switches(|switches| switches.offset = Offset::Absent);
    assert_eq!(gaps(&world.run("SELECT start FROM ekran")), [Reason::Clamped]);
    assert!(gaps(&world.run("SELECT id FROM ekran")).is_empty(), "no time is asked for");
}

#[test]
fn a_server_without_a_single_open_session_may_hide_them() {
    let mut world = EkranWorld::of(crowd(now()), now());
    world.emulator.set_switches(|switches| switches.unfinished = Unfinished::LastActivity);
    for sql in ["SELECT id FROM ekran WHERE status = 'ACTIVE'", "SELECT id FROM ekran SINCE 1h"] {
        assert_eq!(gaps(&world.run(sql)), [Reason::Clamped], "{sql}");
    }
    for sql in ["SELECT id FROM ekran", "SELECT id, start FROM ekran UNTIL 1h"] {
        assert!(gaps(&world.run(sql)).is_empty(), "{sql}: ends do not matter");
    }
    world.configure("unfinished = \"no_logout\"");
    assert!(gaps(&world.run("SELECT id FROM ekran WHERE status = 'ACTIVE'")).is_empty());
}

/// Rows that were enough are no less doubtful than all of them.
#[test]
fn a_limit_does_not_hide_that_open_sessions_may_be_hidden() {
    let mut world = EkranWorld::of(around(), now());
    world.emulator.set_switches(|switches| switches.unfinished = Unfinished::LastActivity);
    let queries = [
        "SELECT user, \"end\", status FROM ekran LIMIT 5",
        "SELECT user FROM ekran WHERE status = 'COMPLETED' LIMIT 5",
        "SELECT id FROM ekran SINCE 1h LIMIT 1",
        "SELECT DISTINCT \"end\" FROM ekran LIMIT 2",
        "SELECT a.id, b.\"end\" FROM ekran a JOIN ekran b ON a.id = b.id LIMIT 2",
        "SELECT a.id, b.\"end\" FROM ekran a, ekran b LIMIT 2",
        "SELECT \"end\", row_number() OVER () FROM ekran LIMIT 2",
        "SELECT \"end\" FROM ekran UNION ALL SELECT \"end\" FROM ekran LIMIT 2",
    ];
    for sql in queries {
        let answer = world.run(sql);
        assert_eq!(gaps(&answer), [Reason::Clamped], "{sql}");
        assert!(!answer.completeness.is_complete(), "{sql}");
    }
    assert!(gaps(&world.run("SELECT id FROM ekran LIMIT 5")).is_empty(), "ends do not matter");
    world.configure("unfinished = \"no_logout\"");
    assert!(gaps(&world.run(queries[0])).is_empty());
}

/// An open session behind the rows that were enough settles what is doubtful about them.
#[test]
fn a_limit_does_not_make_ends_doubtful() {
    let ended = |id| SessionRecord::finished(id, 1, ago(40), ago(30));
    let mut sessions: Vec<_> = (0..20_000).map(ended).collect();
    sessions.push(SessionRecord::unfinished(20_000, 1, ago(20)));
    let world = EkranWorld::of(sessions, now());
    assert_eq!(world.rows("SELECT id, \"end\" FROM ekran LIMIT 5").len(), 5);
    assert_eq!(world.requests(), [""]);
}

#[test]
fn a_limit_does_not_hide_notes() {
    let mut world = EkranWorld::of(around(), now());
    world.forget_zone();
    let answer = world.run("SELECT id FROM ekran SINCE 1d LIMIT 1");
    let notes = &answer.completeness.connections[0].notes;
    assert_eq!(*notes, ["all sessions are read: option `time_zone` is not set"]);
}

#[test]
fn a_user_is_a_number_and_has_many_sessions() {
    let world = EkranWorld::with(Options::seeded(1, Clock::fixed(now())));
    let sessions = world.emulator.sessions();
    assert!(sessions.len() > 1000, "{} sessions", sessions.len());
    let rows = world.rows("SELECT count(*), count(DISTINCT user), min(user_id) FROM ekran");
    assert_eq!(rows, [[sessions.len().to_string(), "40".to_owned(), "101".to_owned()]]);
    assert_eq!(requests(&world, "SELECT DISTINCT user FROM ekran SINCE 1d").len(), 3);
    assert_eq!(requests(&world, "SELECT DISTINCT user FROM ekran SINCE 1d").len(), 1);
    let rows = world.rows("SELECT raw FROM ekran WHERE id = '1001'");
    assert!(rows[0][0].starts_with("{\"clientGuid\":"), "{rows:?}");
}

#[test]
fn the_table_is_described() {
    let world = EkranWorld::of(Vec::new(), now());
    let rows = world.run("DESCRIBE ekran").rows;
    let shown: Vec<String> = rows.iter().map(|row| row.join(" | ")).collect();
    assert_eq!(
        shown,
        [
            "id | text | false | NULL | The session's id.",
            "user | text | true | NULL | The user's id; the API knows no names.",
            "start | timestamp | true | =, range, window | When the session began.",
            "end | timestamp | true | range, window | When the session ended; NULL means that it is open.",
            "duration | duration | true | NULL | How long it has lasted: up to its end, or up to now.",
            "status | text | true | NULL | Whether the session is open or has ended. One of ACTIVE, COMPLETED.",
            "client_ip | text | true | NULL | Not known to this provider.",
            "provider | text | false | NULL | The plugin that read it.",
            "connection | text | false | NULL | The connection it came from.",
            "session_id | int64 | false | NULL | The session's id.",
            "user_id | int64 | true | NULL | The user's id.",
            "client_guid | text | true | NULL | The computer's client, by its id.",
            "raw | json | true | NULL | The record as the API sent it. Hidden: only there when named.",
        ]
    );
}

// What goes wrong on the way

fn reason(answer: &Answer) -> Option<Reason> {
    match &answer.error {
        Some(Error::Scan { error, .. }) => Some(error.code),
        Some(other) => panic!("a scan's error was due, not {other}"),
        None => None,
    }
}

fn gaps(answer: &Answer) -> Vec<Reason> {
    assert!(answer.error.is_none(), "{:?}", answer.error);
    let gaps = answer.completeness.connections.iter().flat_map(|report| &report.gaps);
    gaps.map(|gap| gap.gap.reason).collect()
}

#[test]
fn every_way_to_authenticate() {
    let text = str::to_owned;
    let ways = [
        Auth::None,
        Auth::Basic { username: text("reader"), password: text("hush") },
        Auth::Bearer { token: text("hush") },
        Auth::Header { name: text("x-access-token"), value: text("hush") },
    ];
    for auth in ways {
        let options = Options { auth, ..Options::empty(Clock::fixed(now())) };
        let world = EkranWorld::with(Options { sessions: crowd(now()), ..options });
        assert_eq!(world.rows("SELECT id FROM ekran").len(), 3);
        let toml = sessionql_sandbox::ekran_toml(&world.emulator).replace("hush", "wrong");
        let engine = sessionql_tests::engine(&toml, &world.clock);
        let answer =
            sessionql_tests::run(&engine, "SELECT id FROM ekran", &ExecuteOptions::default());
        let expected = (*world.emulator.auth() != Auth::None).then_some(Reason::Auth);
        assert_eq!(reason(&answer), expected, "{:?}", world.emulator.auth());
    }
}

#[test]
fn options_that_are_missing_are_named() {
    let world = EkranWorld::of(Vec::new(), now());
    let base_url = world.emulator.base_url();
    for (options, named) in [
        ("auth = \"basic\"", "`username`"),
        ("auth = \"basic\"\nusername = \"reader\"", "`password`"),
        ("auth = \"bearer\"", "`token`"),
        ("auth = \"header\"", "`header`"),
        ("auth = \"header\"\nheader = \"x-token\"", "`value`"),
        ("username = \"reader\"", "`username`"),
        ("time_zone = \"Europe/Atlantis\"", "`Europe/Atlantis`"),
        ("selection = \"some\"", "`selection`"),
    ] {
        let toml = format!(
            "[connections.ekran]\nplugin = \"ekran\"\nbase_url = {base_url:?}\n{options}\n"
        );
        let engine = sessionql_tests::engine(&toml, &world.clock);
        let answer =
            sessionql_tests::run(&engine, "SELECT id FROM ekran", &ExecuteOptions::default());
        let message = answer.error.map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(named), "{options}: {message}");
    }
    assert!(world.emulator.requests().is_empty());
}

/// Faults that pass, at each request of a query that sends two.
#[test]
fn a_passing_fault_is_not_seen() {
    let faults: Vec<(&str, Fault)> = vec![
        ("500", Fault::status(500)),
        ("429", Fault::throttled_for(0)),
        ("401", Fault::status(401)),
        ("reset", Fault::ResetInBody),
        ("truncated", Fault::Truncated { drop_bytes: 5 }),
        ("cut to fit", Fault::WrongLength { off_by: -9 }),
        ("truncated gzip", Fault::TruncatedGzip { drop_bytes: 3 }),
        ("html", Fault::html()),
    ];
    let sql = "SELECT user, start FROM ekran WHERE start >= now() - 24h";
    let truth = &proven(around()).rows(sql);
    std::thread::scope(|scope| {
        for (name, fault) in &faults {
            for number in [1, 2] {
                scope.spawn(move || {
                    let mut world = EkranWorld::of(around(), now());
                    world.configure("selection = \"overlap\"");
                    world.emulator.faults().plan(On::Data(number), fault.clone());
                    let answer = world.run(sql);
                    // A token that cannot be renewed is refused for good.
                    if *name == "401" {
                        assert_eq!(reason(&answer), Some(Reason::Auth), "{number}");
                    } else {
                        assert!(answer.error.is_none(), "{name} at {number}: {:?}", answer.error);
                        assert_eq!(&sorted(answer.rows), truth, "{name} at {number}");
                    }
                });
            }
        }
    });
}

#[test]
fn a_lasting_fault_is_an_error() {
    let faults: Vec<(&str, Fault, Reason)> = vec![
        ("500", Fault::status(500), Reason::ProviderError),
        ("403", Fault::status(403), Reason::Auth),
        ("404", Fault::status(404), Reason::ProviderError),
        ("400", Fault::status(400), Reason::ProviderError),
        ("truncated", Fault::Truncated { drop_bytes: 5 }, Reason::BadAnswer),
        ("html", Fault::html(), Reason::BadAnswer),
        ("no JSON", Fault::Answer(HttpAnswer::json_text(200, "[{")), Reason::BadAnswer),
        ("no list", Fault::Answer(HttpAnswer::json_text(200, "{}")), Reason::BadAnswer),
        ("no id", Fault::drop_field("/0/sessionId"), Reason::BadAnswer),
        ("odd user", Fault::set_field("/0/userId", serde_json::json!("ann")), Reason::BadAnswer),
        ("odd time", Fault::set_field("/0/loginDate", serde_json::json!(5)), Reason::BadAnswer),
    ];
    let sql = "SELECT DISTINCT user FROM ekran SINCE 1d";
    std::thread::scope(|scope| {
        for (name, fault, expected) in &faults {
            // From the list of all sessions on, and in the second that shows how it selects.
            for number in [1, 2] {
                scope.spawn(move || {
                    let world = EkranWorld::of(around(), now());
                    world.emulator.faults().plan(On::DataFrom(number), fault.clone());
                    let answer = world.run(sql);
                    assert_eq!(reason(&answer), Some(*expected), "{name} from {number}");
                });
            }
        }
    });
}

#[test]
fn unknown_fields_are_ignored() {
    let world = EkranWorld::of(crowd(now()), now());
    let extra = Fault::set_field("/0/idleTime", serde_json::json!({"of": ["some", "kind"]}));
    world.emulator.faults().plan(On::DataFrom(1), extra);
    assert_eq!(world.rows("SELECT id FROM ekran").len(), 3);
}

/// An answer of many megabytes is read as a stream.
#[test]
fn a_large_database_comes_in_one_answer() {
    let n_sessions = 80_000;
    let sessions = (0..n_sessions).map(|id| {
        let login = now() - TimeDelta::minutes(id);
        SessionRecord::finished(id, id % 50, login, login + TimeDelta::minutes(7))
    });
    let mut world = EkranWorld::of(sessions.collect(), now());
    world.configure("unfinished = \"no_logout\"");
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    let sql = "SELECT count(*), count(DISTINCT user), max(\"end\") FROM ekran";
    let answer = sessionql_tests::run(&world.engine, sql, &options);
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows, [["80000", "50", "2026-03-15T12:07:00Z"]]);
    assert_eq!(world.requests(), [""]);
    let rows = world.run("SELECT id FROM ekran LIMIT 3").rows;
    assert_eq!(rows.len(), 3);
}

// Random queries

/// What a connection is told.
#[derive(Clone, Copy, Debug)]
struct Told {
    has_zone: bool,
    has_wrong_zone: bool,
    trusts_selection: bool,
    knows_unfinished: bool,
}

/// Whether bounds select what overlaps them, in all their forms and at all times of the year.
fn selects_as_it_should(switches: &Switches) -> bool {
    let is_odd = switches.open_need_end || switches.ignores_summer;
    switches.selection == Selection::Overlap && !is_odd
}

/// Runs queries twice over, so that the later ones profit from what the earlier ones found out.
fn check(
    world: &EkranWorld,
    queries: &[Query],
    switches: &Switches,
    told: Told,
    now: DateTime<Utc>,
) {
    let sessions = world.emulator.sessions();
    let is_local = switches.offset == Offset::Absent;
    for pushdown in ["on", "on", "off"] {
        world.run(&format!("SET pushdown = {pushdown}"));
        for query in queries {
            let sql = query.sql();
            let answer = world.run(&sql);
            if is_local && !told.has_zone && answer.error.is_some() {
                continue;
            }
            assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
            if !answer.completeness.is_complete() {
                let is_vouched = told.knows_unfinished && !is_local;
                assert!(!is_vouched, "{sql}: {:?}", answer.completeness);
                continue;
            }
            let truth = query.rows(&sessions, now);
            let rows = sorted(answer.rows);
            match query.limit {
                None => assert_eq!(rows, truth, "pushdown {pushdown}: {sql}"),
                Some(limit) => {
                    assert_eq!(rows.len(), truth.len().min(limit), "pushdown {pushdown}: {sql}");
                    let is_true = rows.iter().all(|row| truth.contains(row));
                    assert!(is_true, "pushdown {pushdown}: {sql}: {rows:?}");
                }
            }
        }
    }
    assert!(world.emulator.violations().is_empty());
}

proptest! {
    #![proptest_config(sessionql_tests::model::config(120))]

    #[test]
    fn rows_are_those_of_the_model(
        (now, sessions) in prop::sample::select(vec![BEGIN, "2026-10-25T11:30:00Z"])
            .prop_flat_map(|now| (Just(instant(now)), sessions(instant(now)))),
        switches in switches(),
        queries in prop::collection::vec(query(), 5),
        zone in 0..8_u8,
        trusts in any::<bool>(),
        vouches in any::<bool>(),
    ) {
        let told = Told {
            has_zone: zone > 0,
            has_wrong_zone: zone == 1 && switches.offset != Offset::Absent,
            trusts_selection: trusts && zone > 1 && selects_as_it_should(&switches),
            knows_unfinished: vouches && switches.unfinished != Unfinished::LastActivity,
        };
        let world = EkranWorld::of(sessions, now);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let mut toml = sessionql_sandbox::ekran_toml(&world.emulator);
        if told.has_wrong_zone {
            toml = toml.replace(switches.time_zone.name(), "Pacific/Auckland");
        } else if !told.has_zone {
            toml = toml.replace("time_zone", "# time_zone");
        }
        if told.trusts_selection {
            toml.push_str("selection = \"overlap\"\n");
        }
        if told.knows_unfinished {
            toml.push_str("unfinished = \"no_logout\"\n");
        }
        let engine = sessionql_tests::engine(&toml, &world.clock);
        check(&EkranWorld { engine, ..world }, &queries, &switches, told, now);
    }
}

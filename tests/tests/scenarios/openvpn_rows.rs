//! The rows of openvpn queries are those that the emulator's records hold: with filters pushed and
//! not pushed, with pages of 1, 3 and 100 rows, on both versions of the API.

use chrono::{DateTime, TimeDelta, Utc};
use sessionql_sandbox::openvpn::{SessionRecord, Status, Updated};
use sessionql_tests::{BEGIN, World, instant};

/// Sessions whose ends touch the edges that the queries below ask for: 24 hours ago, 48 hours ago.
fn edge_sessions() -> Vec<SessionRecord> {
    let now = instant(BEGIN);
    let day = now - TimeDelta::hours(24);
    let two_days = now - TimeDelta::hours(48);
    let ms = TimeDelta::milliseconds(1);
    let hour = TimeDelta::hours(1);
    let mut sessions = Vec::new();
    for (name, edge) in [("day", day), ("two_days", two_days)] {
        let mut add = |what: &str, start: DateTime<Utc>, end: Option<DateTime<Utc>>| {
            let id = format!("{name}_{what}");
            sessions.push(match end {
                Some(end) => SessionRecord::completed(&id, "ann", start, end),
                None => SessionRecord::active(&id, "Ann", start),
            });
        };
        add("starts_at", edge, Some(edge + hour));
        add("starts_before", edge - ms, Some(edge + hour));
        add("starts_after", edge + ms, Some(edge + hour));
        add("ends_at", edge - hour, Some(edge));
        add("ends_before", edge - hour, Some(edge - ms));
        add("ends_after", edge - hour, Some(edge + ms));
        add("instant_at", edge, Some(edge));
        add("instant_before", edge - ms, Some(edge - ms));
        add("instant_after", edge + ms, Some(edge + ms));
        add("open_at", edge, None);
        add("open_before", edge - ms, None);
        add("open_after", edge + ms, None);
    }
    sessions.push(SessionRecord::failed("failed_at", "bob", day));
    sessions.push(SessionRecord::active("newest", "bob", now - TimeDelta::minutes(15)));
    sessions
}

type Passes = fn(&SessionRecord) -> bool;

fn started(session: &SessionRecord) -> DateTime<Utc> {
    session.start.expect("every session here has a start")
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    instant(BEGIN) - TimeDelta::hours(hours)
}

/// Whether a session is open at some time in `[since, until)`; the language page's formula.
fn open_during(
    session: &SessionRecord,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> bool {
    let start = started(session);
    until.is_none_or(|until| start < until)
        && session.end.is_none_or(|end| end > since || (end == start && start >= since))
}

fn open_at(session: &SessionRecord, at: DateTime<Utc>) -> bool {
    let start = started(session);
    start <= at && session.end.is_none_or(|end| end > at || (end == start && start == at))
}

fn lasted(session: &SessionRecord) -> TimeDelta {
    session.end.unwrap_or(instant(BEGIN)) - started(session)
}

/// Each query, and which records are its answer.
fn cases() -> Vec<(&'static str, Passes)> {
    vec![
        ("SELECT id FROM openvpn WHERE status = 'ACTIVE'", |s| s.status == Status::Active),
        ("SELECT id FROM openvpn WHERE status = 'COMPLETED' AND start >= now() - 24h", |s| {
            s.status == Status::Completed && started(s) >= hours_ago(24)
        }),
        ("SELECT id FROM openvpn WHERE status = 'active'", |_| false),
        ("SELECT id FROM openvpn WHERE status <> 'ACTIVE' AND start >= now() - 48h", |s| {
            s.status != Status::Active && started(s) >= hours_ago(48)
        }),
        (
            "SELECT id FROM openvpn WHERE status IN ('ACTIVE', 'FAILED') AND start >= now() - 48h",
            |s| s.status != Status::Completed && started(s) >= hours_ago(48),
        ),
        ("SELECT id FROM openvpn WHERE start >= now() - 24h", |s| started(s) >= hours_ago(24)),
        ("SELECT id FROM openvpn WHERE start > now() - 24h", |s| started(s) > hours_ago(24)),
        ("SELECT id FROM openvpn WHERE start >= now() - 48h AND start < now() - 24h", |s| {
            started(s) >= hours_ago(48) && started(s) < hours_ago(24)
        }),
        ("SELECT id FROM openvpn WHERE start BETWEEN now() - 48h AND now() - 24h", |s| {
            started(s) >= hours_ago(48) && started(s) <= hours_ago(24)
        }),
        ("SELECT id FROM openvpn WHERE start = '2026-03-14T12:00:00Z'", |s| {
            started(s) == hours_ago(24)
        }),
        (
            "SELECT id FROM openvpn WHERE start >= '2026-03-13 12:00' AND start <= '2026-03-14 12:00'",
            |s| started(s) >= hours_ago(48) && started(s) <= hours_ago(24),
        ),
        ("SELECT id FROM openvpn WHERE \"end\" >= now() - 24h", |s| {
            s.end.is_some_and(|end| end >= hours_ago(24))
        }),
        ("SELECT id FROM openvpn WHERE end > now() - 48h AND end <= now() - 24h", |s| {
            s.end.is_some_and(|end| end > hours_ago(48) && end <= hours_ago(24))
        }),
        ("SELECT id FROM openvpn WHERE end IS NULL", |s| s.end.is_none()),
        ("SELECT id FROM openvpn SINCE 24h", |s| open_during(s, hours_ago(24), None)),
        ("SELECT id FROM openvpn SINCE 48h UNTIL 24h", |s| {
            open_during(s, hours_ago(48), Some(hours_ago(24)))
        }),
        ("SELECT id FROM openvpn SINCE 48h UNTIL 24h WHERE status = 'ACTIVE'", |s| {
            s.status == Status::Active && open_during(s, hours_ago(48), Some(hours_ago(24)))
        }),
        ("SELECT id FROM openvpn SINCE 48h UNTIL 24h WHERE status <> 'ACTIVE'", |s| {
            s.status != Status::Active && open_during(s, hours_ago(48), Some(hours_ago(24)))
        }),
        ("SELECT id FROM openvpn SINCE 48h WHERE start < now() - 24h AND user = 'ann'", |s| {
            open_during(s, hours_ago(48), None)
                && started(s) < hours_ago(24)
                && s.user_name.as_deref() == Some("ann")
        }),
        ("SELECT id FROM openvpn SINCE 48h WHERE start >= now() - 24h", |s| {
            started(s) >= hours_ago(24)
        }),
        ("SELECT id FROM openvpn AT 24h", |s| open_at(s, hours_ago(24))),
        ("SELECT id FROM openvpn AT now", |s| open_at(s, hours_ago(0))),
        ("SELECT id FROM openvpn AT '2026-03-13 12:00' WHERE status = 'COMPLETED'", |s| {
            s.status == Status::Completed && open_at(s, hours_ago(48))
        }),
        ("SELECT id FROM openvpn WHERE start >= now() - 48h AND duration > 8h", |s| {
            started(s) >= hours_ago(48) && lasted(s) > TimeDelta::hours(8)
        }),
        (
            "SELECT id FROM openvpn WHERE start >= now() - 48h AND (user = 'ann' OR status = 'FAILED')",
            |s| {
                started(s) >= hours_ago(48)
                    && (s.user_name.as_deref() == Some("ann") || s.status == Status::Failed)
            },
        ),
        ("SELECT id FROM openvpn WHERE start >= now() - 48h AND user LIKE 'a%'", |s| {
            started(s) >= hours_ago(48)
                && s.user_name.as_deref().is_some_and(|user| user.starts_with('a'))
        }),
        ("SELECT id FROM openvpn WHERE start >= now() - 48h AND user IS NULL", |s| {
            started(s) >= hours_ago(48) && s.user_name.is_none()
        }),
        ("SELECT id FROM openvpn WHERE start > now() - 24h AND start < now() - 48h", |_| false),
        ("SELECT id FROM openvpn WHERE connection = 'elsewhere'", |_| false),
    ]
}

fn check_all(world: &World, modes: &str) {
    for (sql, passes) in cases() {
        for pushdown in ["on", "off"] {
            assert!(world.run(&format!("SET pushdown = {pushdown}")).error.is_none());
            let answer = world.run(sql);
            assert!(
                answer.error.is_none(),
                "{modes}, pushdown {pushdown}: {sql}: {:?}",
                answer.error
            );
            assert!(
                answer.completeness.is_complete(),
                "{modes}, pushdown {pushdown}: {sql}: {:?}",
                answer.completeness
            );
            let mut ids: Vec<String> = answer.rows.iter().map(|row| row[0].clone()).collect();
            ids.sort();
            assert_eq!(ids, world.truth(passes), "{modes}, pushdown {pushdown}: {sql}");
        }
    }
    assert_eq!(world.emulator.violations().len(), 0);
}

/// A world whose records all lie within the history, so that every query can be complete.
fn edge_world() -> World {
    World::of(edge_sessions())
}

#[test]
fn edges_of_time_with_pages_of_every_size() {
    for page_cap in [Some(1), Some(3), None] {
        let world = edge_world();
        world.emulator.set_switches(|switches| switches.page_cap = page_cap);
        check_all(&world, &format!("pages of {page_cap:?}"));
    }
}

#[test]
fn edges_of_time_however_the_provider_means_updated() {
    for updated in [Updated::Any, Updated::LastOnly] {
        for active_counts_as_updated in [true, false] {
            let world = edge_world();
            world.emulator.set_switches(|switches| {
                switches.updated = updated;
                switches.active_counts_as_updated = active_counts_as_updated;
                switches.repeated_rows = 2;
                switches.empty_page_every = Some(2);
                switches.page_cap = Some(3);
            });
            check_all(&world, &format!("{updated:?}, active counts {active_counts_as_updated}"));
        }
    }
}

#[test]
fn records_that_are_made_before_or_after_their_session() {
    for skew_minutes in [-9, 9] {
        let world = edge_world();
        world.emulator.set_switches(|switches| {
            switches.record_skew = TimeDelta::minutes(skew_minutes);
        });
        check_all(&world, &format!("records {skew_minutes} minutes off"));
    }
}

#[test]
fn version_one_of_the_api() {
    let mut world = edge_world();
    world.configure("api_version = \"v1\"");
    check_all(&world, "v1");
}

#[test]
fn a_small_company_within_its_history() {
    let world = World::seeded();
    // What began before the history and was never touched since, the API does not show.
    let now = instant(BEGIN);
    let kept: Vec<SessionRecord> = world
        .emulator
        .sessions()
        .into_iter()
        .filter(|session| started(session) > now - TimeDelta::days(6))
        .collect();
    assert!(kept.len() > 200, "{} sessions are too few to page", kept.len());
    world.emulator.set_sessions(kept);
    check_all(&world, "company");
}

#[test]
fn every_column_is_what_the_record_says() {
    let world = World::seeded();
    let answer = world.run(
        "SELECT id, user, start, \"end\", status, client_ip, provider, connection, bytes_in, bytes_out, \
         device_name, region, email, first_name, tunnel_ip_v4 FROM openvpn \
         WHERE start >= now() - 48h",
    );
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert!(!answer.rows.is_empty());
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
    let number = |value: Option<i64>| value.map_or("NULL".to_owned(), |number| number.to_string());
    for row in &answer.rows {
        let record = world.emulator.session(&row[0]).expect("the id is of a record");
        assert_eq!(row[1], text(&record.user_name));
        assert_eq!(instant(&row[2]), started(&record));
        assert_eq!(row[3] == "NULL", record.end.is_none(), "{row:?}");
        if let Some(end) = record.end {
            assert_eq!(instant(&row[3]), end);
        }
        assert_eq!(row[4], record.status.as_str());
        assert_eq!(row[5], text(&record.public_ip));
        assert_eq!(row[6], "openvpn");
        assert_eq!(row[7], "openvpn");
        assert_eq!(row[8], number(record.bytes_in));
        assert_eq!(row[9], number(record.bytes_out));
        assert_eq!(row[10], text(&record.device_name));
        assert_eq!(row[11], text(&record.region));
        assert_eq!(row[12], text(&record.email));
        assert_eq!(row[13], text(&record.first_name));
    }
}

#[test]
fn raw_is_there_only_when_named() {
    let world = edge_world();
    let all = world.run("SELECT * FROM openvpn WHERE id = 'day_open_at'");
    assert!(!all.columns.contains(&"raw".to_owned()), "{:?}", all.columns);
    assert_eq!(all.columns[..4], ["id", "user", "start", "end"]);
    let named = world.run("SELECT *, raw FROM openvpn WHERE id = 'day_open_at'");
    assert!(named.error.is_none(), "{:?}", named.error);
    assert_eq!(named.columns.iter().filter(|name| *name == "raw").count(), 1);
    let raw = named.rows[0].last().expect("raw is the last column");
    let json: serde_json::Value = serde_json::from_str(raw).expect("raw is JSON");
    assert_eq!(json["id"], "day_open_at");
}

#[test]
fn history_is_a_gap_only_where_it_matters() {
    let world = edge_world();
    let gap_of = |sql: &str| {
        let answer = world.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let report = &answer.completeness.connections[0];
        report.gaps.first().map(|gap| gap.gap.reason.as_str().to_owned())
    };
    assert_eq!(gap_of("SELECT id FROM openvpn SINCE 6d"), None);
    assert_eq!(gap_of("SELECT id FROM openvpn SINCE 8d"), Some("history".to_owned()));
    assert_eq!(
        gap_of("SELECT id FROM openvpn WHERE start >= now() - 30d"),
        Some("history".to_owned())
    );
    assert_eq!(
        gap_of("SELECT id FROM openvpn WHERE start >= now() - 30d AND start < now() - 20d"),
        Some("history".to_owned())
    );
    assert_eq!(
        gap_of("SELECT id FROM openvpn WHERE end >= now() - 8d"),
        Some("history".to_owned())
    );
    assert_eq!(gap_of("SELECT id FROM openvpn"), None, "no time asked, no time missed");
    assert_eq!(gap_of("SELECT id FROM openvpn SINCE 8d LIMIT 1"), None, "enough rows");
}

#[test]
fn a_closed_session_without_an_end_is_not_open() {
    let world = edge_world();
    world.emulator.set_switches(|switches| switches.closed_without_end = Some(1));
    let answer = world.run("SELECT id FROM openvpn WHERE end IS NULL");
    let ids: Vec<&String> = answer.rows.iter().map(|row| &row[0]).collect();
    let active = world.truth(|session| session.status == Status::Active);
    assert_eq!(ids.len(), active.len());
    let notes = &answer.completeness.connections[0].notes;
    assert!(notes.iter().any(|note| note.contains("end")), "{notes:?}");
}

#[test]
fn a_tunnel_that_closes_between_two_chains_is_in_one() {
    let now = instant(BEGIN);
    let sessions: Vec<SessionRecord> = (0..5)
        .map(|n| SessionRecord::active(&format!("s{n}"), "ann", now - TimeDelta::hours(n + 1)))
        .collect();
    for closes_before in 1..4 {
        let world = World::of(sessions.clone());
        world.emulator.set_switches(|switches| switches.page_cap = Some(2));
        world.emulator.on_request(closes_before, |api| {
            let now = api.clock().now();
            for n in 0..5 {
                api.update(&format!("s{n}"), |session| session.close(now));
            }
        });
        let ids = world.ids("SELECT id FROM openvpn SINCE 24h");
        assert_eq!(ids.len(), 5, "closed before request {closes_before}: {ids:?}");
    }
}

#[test]
fn the_same_connection_twice_side_by_side() {
    let world = edge_world();
    let other = World::of(vec![SessionRecord::active("elsewhere", "ann", hours_ago(1))]);
    let toml = sessionql_sandbox::openvpn_toml(&other.emulator)
        .replace("connections.openvpn", "connections.vpn_eu");
    let mut world = world;
    world.configure(&format!("\n{toml}"));
    let answer = world.run(
        "SELECT v.id, o.id, v.connection FROM vpn_eu v JOIN openvpn o ON o.user = v.user \
         WHERE o.id = 'day_starts_at'",
    );
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows, [["elsewhere", "day_starts_at", "vpn_eu"]]);
    let reports = answer.completeness.connections;
    let names: Vec<&str> = reports.iter().map(|report| report.connection.as_str()).collect();
    assert_eq!(names, ["openvpn", "vpn_eu"]);
}

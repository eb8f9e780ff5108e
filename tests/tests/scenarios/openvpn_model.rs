//! Random queries over random sessions of openvpn, held against the model.
//! The provider means its words in every way it may, and records are made and updated off their
//! sessions by as much as the connection's `slack` allows.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use sessionql_sandbox::openvpn::{
    EndDefault, Missing, PageOrder, SessionRecord, Status, Switches, UnknownStatus, Updated,
};
use sessionql_sandbox::{Fault, On};
use sessionql_tests::World;
use sessionql_tests::model::{
    Asked, Condition, Op, Owes, Row, Window, ago, check_alone, check_pair, complete, condition,
    config, moment, sorted, window,
};

/// The `slack` of a connection that sets none.
const SLACK_MS: i64 = 600_000;

/// Returns a record as the provider shows it: a closed session without end lasted as long as it says.
fn row_of(record: &SessionRecord, hides_end: bool) -> Row {
    let inferred = || {
        let lasted = TimeDelta::seconds(record.duration_seconds.unwrap_or(0));
        (record.status != Status::Active).then(|| record.start.map(|start| start + lasted))?
    };
    Row {
        id: record.id.clone(),
        user: record.user_name.clone(),
        status: Some(record.status.as_str().to_owned()),
        start: record.start,
        end: if hides_end { inferred() } else { record.end.or_else(inferred) },
        client_ip: record.public_ip.clone(),
        provider: "openvpn".to_owned(),
        connection: "openvpn".to_owned(),
    }
}

/// By how much a record may be off its session.
fn slack() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 0, 1, -1, SLACK_MS - 1, 1 - SLACK_MS, SLACK_MS, -SLACK_MS])
}

fn session(n: usize) -> impl Strategy<Value = SessionRecord> {
    let user = prop::sample::select(vec![Some("ann"), Some("Ann"), Some("bob"), None]);
    let kind = 0..10_u8;
    (moment(), moment(), kind, user, slack(), slack(), prop::option::of(moment())).prop_map(
        move |(one, other, kind, user, created_off, updated_off, touched)| {
            let (began, ended) = (one.max(other), one.min(other));
            let (start, id) = (ago(began), format!("s{n:02}"));
            let mut record = match kind {
                0..=3 => SessionRecord::active(&id, "", start),
                4 => SessionRecord::failed(&id, "", start),
                5 => SessionRecord::completed(&id, "", start, start),
                _ => SessionRecord::completed(&id, "", start, ago(ended)),
            };
            record.user_name = user.map(str::to_owned);
            // What is in the provider's books was written before now.
            let latest = ago(1);
            let off = |at: DateTime<Utc>, ms| (at + TimeDelta::milliseconds(ms)).min(latest);
            let updated_at = off(record.end.unwrap_or(start), updated_off);
            record.created_at = off(start, created_off);
            record.updated_at = updated_at.max(record.created_at);
            if record.status == Status::Active {
                record.updated_at = record.created_at;
                if let Some(touched) = touched.map(ago).filter(|at| *at > record.created_at) {
                    record.touch(touched.min(latest));
                }
            }
            if kind == 9 && n.is_multiple_of(5) {
                record.start = None;
            }
            record
        },
    )
}

pub(super) fn sessions() -> impl Strategy<Value = Vec<SessionRecord>> {
    (1..16_usize).prop_flat_map(|n| (0..n).map(session).collect::<Vec<_>>())
}
pub(super) fn switches() -> impl Strategy<Value = Switches> {
    let order = prop::sample::select(vec![
        PageOrder::CreatedAscending,
        PageOrder::CreatedDescending,
        PageOrder::UpdatedAscending,
    ]);
    let updated =
        prop::sample::select(vec![Updated::Any, Updated::LastOnly, Updated::CreatedOrLast]);
    let unknown = prop::sample::select(vec![
        UnknownStatus::Refused,
        UnknownStatus::Ignored,
        UnknownStatus::MatchesNothing,
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let more_flags = (any::<bool>(), any::<bool>());
    let page_cap = prop::sample::select(vec![None, Some(1), Some(2), Some(3), Some(7)]);
    let empty = prop::option::of(1..4_usize);
    let without_end = prop::option::of(1..4_u64);
    (order, updated, unknown, flags, more_flags, page_cap, empty, 0..3_usize, without_end).prop_map(
        |(order, updated, unknown, flags, more_flags, page_cap, empty, repeated, without_end)| {
            let (touched, open_end, null, as_text, full_cursor) = flags;
            let (bound, any_case) = more_flags;
            Switches {
                page_order: order,
                updated,
                active_counts_as_updated: touched,
                end_default: if open_end { EndDefault::Open } else { EndDefault::Now },
                missing: if null { Missing::Null } else { Missing::Absent },
                numbers_as_text: as_text,
                page_cap,
                empty_page_every: empty,
                cursor_after_full_page: full_cursor,
                cursor_is_bound: bound,
                unknown_status: unknown,
                status_ignores_case: any_case,
                repeated_rows: repeated,
                closed_without_end: without_end,
                ..Switches::default()
            }
        },
    )
}

/// Tells as the emulator does whether a record is shown without its end.
fn hides_end(id: &str, switches: &Switches) -> bool {
    let sum = id.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    switches.closed_without_end.is_some_and(|every| sum.is_multiple_of(every.max(1)))
}

/// Returns a record as it is read from a provider with these switches.
pub(super) fn shown_as(record: &SessionRecord, switches: &Switches) -> Row {
    row_of(record, hides_end(&record.id, switches))
}

fn shown(world: &World, switches: &Switches) -> Vec<Row> {
    world.emulator.sessions().iter().map(|record| shown_as(record, switches)).collect()
}

/// Asks pushed and unpushed.
fn check(world: &World, switches: &Switches, queries: &[(Window, Condition)]) {
    let rows = shown(world, switches);
    // A closed session of which neither end nor duration is shown has no end that could be right.
    let owes = match switches.closed_without_end {
        Some(_) => Owes::RowsOrAWord,
        None => Owes::Rows,
    };
    let asked: Vec<Asked<'_>> = queries
        .iter()
        .map(|(window, condition)| Asked { table: "openvpn", rows: &rows, window, condition })
        .collect();
    for pushdown in ["on", "off"] {
        world.run(&format!("SET pushdown = {pushdown}"));
        asked.iter().for_each(|asked| check_alone(&|sql| world.run(sql), asked, owes));
    }
    world.run("SET pushdown = on");
    if let [one, other, ..] = asked.as_slice() {
        check_pair(&|sql| world.run(sql), one, other, owes);
    }
    assert!(world.emulator.violations().is_empty());
}
/// What happens to a session in the middle of a scan.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It closes, if it is open.
    Closes,
    /// Its record is touched.
    Touched,
    /// Another one begins.
    Begins,
}

impl Event {
    fn happen(self, records: &mut Vec<SessionRecord>, which: usize) -> Option<SessionRecord> {
        let just_now = ago(1);
        let n_records = records.len();
        let record = match self {
            Self::Begins => {
                let id = format!("new{n_records}");
                let mut record = SessionRecord::active(&id, "ann", just_now);
                record.created_at = just_now;
                records.push(record);
                return records.last().cloned();
            }
            Self::Closes | Self::Touched => records.get_mut(which % n_records)?,
        };
        match self {
            Self::Closes if record.status == Status::Active && record.start.is_some() => {
                record.close(just_now);
            }
            _ => record.touch(just_now),
        }
        Some(record.clone())
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn rows_are_those_of_the_model(
        sessions in sessions(),
        queries in prop::collection::vec((window(), condition()), 2),
        switches in switches(),
    ) {
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        check(&world, &switches, &queries);
    }

    /// A session that would be an answer before a change and after it is one; one that never would
    /// be is none.
    #[test]
    fn sessions_that_change_while_they_are_read(
        sessions in sessions(),
        query in (window(), condition()),
        switches in switches(),
        events in prop::collection::vec(
            (1..6_usize, 0..20_usize, prop::sample::select(vec![Event::Closes, Event::Closes, Event::Touched, Event::Begins])),
            1..5,
        ),
        limits_pages in any::<bool>(),
    ) {
        let mut switches = switches;
        if limits_pages {
            switches.page_cap = Some(2);
        }
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let (window, condition) = &query;
        let sql = format!("SELECT id FROM openvpn{} WHERE {}", window.sql(), condition.sql());
        let mut records = world.emulator.sessions();
        let mut states: Vec<Vec<Row>> = vec![shown(&world, &switches)];
        let mut events = events;
        events.sort_by_key(|(number, ..)| *number);
        for (number, which, event) in events {
            if let Some(changed) = event.happen(&mut records, which) {
                world.emulator.on_request(number, move |api| api.upsert(changed));
            }
            let is_hidden = |record: &SessionRecord| hides_end(&record.id, &switches);
            states.push(records.iter().map(|record| row_of(record, is_hidden(record))).collect());
        }
        let answer = world.run(&sql);
        let is_off = !answer.completeness.is_complete();
        prop_assume!(!is_off || switches.closed_without_end.is_none());
        let found: Vec<String> =
            complete(answer, &sql).into_iter().map(|row| row[0].clone()).collect();
        let passes = |row: &Row| window.holds(row) && condition.truth(row) == Some(true);
        let state_of = |id: &str, state: &[Row]| state.iter().find(|row| row.id == id).cloned();
        for record in &records {
            let seen: Vec<Option<Row>> =
                states.iter().map(|state| state_of(&record.id, state)).collect();
            let n_found = found.iter().filter(|id| **id == record.id).count();
            let always = seen.iter().all(|row| row.as_ref().is_some_and(passes));
            let never = !seen.iter().any(|row| row.as_ref().is_some_and(passes));
            prop_assert!(n_found <= 1, "{}: {} twice", sql, record.id);
            prop_assert!(!always || n_found == 1, "{}: {} is missing", sql, record.id);
            prop_assert!(!never || n_found == 0, "{}: {} is there", sql, record.id);
        }
    }

    /// Sessions from before the history: an answer that says nothing of a gap lacks none but what
    /// the provider never shows, an open session whose record is older than the history.
    #[test]
    fn what_the_history_lacks_is_a_gap(
        sessions in prop::collection::vec((0..300_i64, 0..300_i64, 0..3_u8, slack()), 1..16),
        bound in 0..260_i64,
        shape in 0..8_u8,
        status in prop::sample::select(vec!["", " AND status = 'ACTIVE'", " AND status <> 'ACTIVE'", " AND status IN ('ACTIVE', 'COMPLETED')", " AND status IN ('COMPLETED', 'FAILED')"]),
        switches in switches(),
        real_days in prop::sample::select(vec![7_i64, 30]),
        is_v1 in any::<bool>(),
    ) {
        let hour = 3_600_000;
        let records: Vec<SessionRecord> = sessions.iter().enumerate().map(|(n, (one, other, kind, off))| {
            let (began, ended) = (ago(one.max(other) * hour), ago(one.min(other) * hour));
            let id = format!("s{n:02}");
            let mut record = match kind {
                0 => SessionRecord::active(&id, "ann", began),
                1 => SessionRecord::failed(&id, "ann", began),
                _ => SessionRecord::completed(&id, "ann", began, ended),
            };
            let off = |at: DateTime<Utc>| (at + TimeDelta::milliseconds(*off)).min(ago(1));
            record.created_at = off(record.created_at);
            record.updated_at = off(record.updated_at);
            record
        }).collect();
        let mut world = World::of(records);
        if is_v1 {
            world.configure("api_version = \"v1\"");
        }
        let switches = Switches {
            closed_without_end: None,
            history: Some(TimeDelta::days(if is_v1 { real_days } else { 7 })),
            ..switches
        };
        let kept = ago(switches.history.map_or(0, |history| history.num_milliseconds()) - 900_000);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let (at, later) = (bound * hour, (bound - 24).max(0) * hour);
        let time = |is_end, op, ms| Condition::Time { is_end, op, ms, is_swapped: false };
        let both = |a, b| Condition::And(Box::new(a), Box::new(b));
        let any = Condition::IsNull { column: "id", is_negated: true };
        let (window, condition) = match shape {
            0 => (Window::None, time(false, Op::AtLeast, at)),
            1 => (Window::None, both(time(false, Op::Greater, at), time(false, Op::Less, later))),
            2 => (Window::None, time(true, Op::AtLeast, at)),
            3 => (Window::None, both(time(true, Op::Greater, at), time(true, Op::AtMost, later))),
            4 => (Window::Since(at), any),
            5 if later < at => (Window::Between(at, later), any),
            6 => (Window::At(at), any),
            _ => (Window::Since(at), time(false, Op::AtLeast, later)),
        };
        let any_sql = condition.sql();
        let sql = format!("SELECT id FROM openvpn{} WHERE {any_sql}{status}", window.sql());
        for run in 0..2 {
            let answer = world.run(&sql);
            prop_assert!(answer.error.is_none(), "{}: {:?}", sql, answer.error);
            let has_gap = !answer.completeness.is_complete();
            let found: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str()).collect();
            for record in world.emulator.sessions() {
                let row = row_of(&record, false);
                let is_time = matches!(condition, Condition::IsNull { .. }) || condition.truth(&row) == Some(true);
                let is_status = match status {
                    "" => true,
                    " AND status = 'ACTIVE'" => row.status.as_deref() == Some("ACTIVE"),
                    " AND status <> 'ACTIVE'" => row.status.as_deref() != Some("ACTIVE"),
                    " AND status IN ('ACTIVE', 'COMPLETED')" => row.status.as_deref() != Some("FAILED"),
                    _ => row.status.as_deref() != Some("ACTIVE"),
                };
                let passes = window.holds(&row) && is_time && is_status;
                let is_found = found.contains(&&*row.id);
                prop_assert!(passes || !is_found, "{}: {} is there", sql, row.id);
                let is_unseen = row.status.as_deref() == Some("ACTIVE") && record.updated_at < kept;
                prop_assert!(
                    !passes || is_found || has_gap || is_unseen,
                    "run {}, {}: {} is missing", run, sql, row.id
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(config(30))]

    /// Whatever goes wrong with one answer, for once or for good: the rows of the model or an error.
    #[test]
    fn a_fault_never_takes_rows_away(
        sessions in sessions(),
        query in (window(), condition()),
        switches in switches(),
        fault in 0..14_usize,
        number in 1..5_usize,
        stays in any::<bool>(),
    ) {
        let drip = Fault::Drip { piece_bytes: 300, every: std::time::Duration::from_millis(1) };
        let (name, fault) = [
            ("reset", Fault::Reset),
            ("reset in body", Fault::ResetInBody),
            ("truncated", Fault::Truncated { drop_bytes: 5 }),
            ("truncated chunks", Fault::TruncatedChunks),
            ("cut to fit", Fault::WrongLength { off_by: -9 }),
            ("truncated gzip", Fault::TruncatedGzip { drop_bytes: 3 }),
            ("corrupt gzip", Fault::CorruptGzip),
            ("html", Fault::html()),
            ("slow", drip),
            ("cut JSON", Fault::invalid_json()),
            ("no list", Fault::drop_field("/sessions")),
            ("no id", Fault::drop_field("/sessions/0/id")),
            ("twice", Fault::duplicate_rows("/sessions")),
            ("cursor that is a number", Fault::set_field("/nextCursor", serde_json::json!(5))),
        ][fault].clone();
        let world = World::of(sessions);
        let set = switches.clone();
        world.emulator.set_switches(move |current| *current = set);
        let on = if stays { On::DataFrom(number) } else { On::Data(number) };
        world.emulator.faults().plan(on, fault);
        let (window, condition) = &query;
        let sql = format!("SELECT id FROM openvpn{} WHERE {}", window.sql(), condition.sql());
        let answer = world.run(&sql);
        if answer.error.is_none() && answer.completeness.is_complete() {
            let mut truth: Vec<Vec<String>> = shown(&world, &switches)
                .iter()
                .filter(|row| window.holds(row) && condition.truth(row) == Some(true))
                .map(|row| vec![row.id.clone()])
                .collect();
            truth.sort();
            prop_assert_eq!(sorted(answer.rows), truth, "{} at {}: {}", name, number, sql);
        }
    }
}

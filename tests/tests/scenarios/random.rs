//! Random queries over random sessions: the rows are the same with filters pushed and not pushed,
//! whatever the pages and whatever the provider means by its words.

use chrono::TimeDelta;
use proptest::prelude::*;
use sessionql_sandbox::openvpn::{SessionRecord, Updated};
use sessionql_tests::{BEGIN, World, instant};

/// Hours before the present, on a coarse grid so that edges meet. Nothing happens in the last hour:
/// without an end date the provider's window ends at the present, and a fixed clock stands there.
fn hours() -> impl Strategy<Value = i64> {
    1..60_i64
}

fn session(n: usize) -> impl Strategy<Value = SessionRecord> {
    (hours(), prop::option::of(0..40_i64), 0..3_u8).prop_map(move |(started, lasted, user)| {
        let now = instant(BEGIN);
        let start = now - TimeDelta::hours(started);
        let user = ["ann", "Ann", "bob"][usize::from(user)];
        let id = format!("s{n}");
        match lasted {
            Some(lasted) if lasted < started => {
                SessionRecord::completed(&id, user, start, start + TimeDelta::hours(lasted))
            }
            Some(_) => SessionRecord::failed(&id, user, start),
            None => SessionRecord::active(&id, user, start),
        }
    })
}

fn sessions() -> impl Strategy<Value = Vec<SessionRecord>> {
    (1..14_usize).prop_flat_map(|n| (0..n).map(session).collect::<Vec<_>>())
}

fn condition() -> impl Strategy<Value = String> {
    let comparison = || prop::sample::select(vec!["<", "<=", ">", ">=", "="]);
    let leaf = prop_oneof![
        (prop::sample::select(vec!["start", "\"end\""]), comparison(), hours())
            .prop_map(|(column, op, hours)| format!("{column} {op} now() - {hours}h")),
        (hours(), hours())
            .prop_map(|(a, b)| format!("start BETWEEN now() - {a}h AND now() - {b}h")),
        prop::sample::select(vec!["ACTIVE", "COMPLETED", "FAILED", "active"])
            .prop_map(|status| format!("status = '{status}'")),
        Just("status IN ('ACTIVE', 'COMPLETED')".to_owned()),
        Just("status <> 'COMPLETED'".to_owned()),
        Just("\"end\" IS NULL".to_owned()),
        Just("\"end\" IS NOT NULL".to_owned()),
        prop::sample::select(vec!["ann", "Ann"]).prop_map(|user| format!("user = '{user}'")),
        (comparison(), 0..30_u8).prop_map(|(op, hours)| format!("duration {op} {hours}h")),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("(NOT {a})")),
        ]
    })
}

fn window() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        1 => hours().prop_map(|since| format!(" SINCE {}h", since + 1)),
        1 => (hours(), 1..20_i64).prop_map(|(until, more)| format!(" SINCE {}h UNTIL {until}h", until + more)),
        1 => hours().prop_map(|at| format!(" AT {at}h")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pushed_and_unpushed_agree(
        sessions in sessions(),
        conditions in prop::collection::vec((window(), condition()), 4),
        page_cap in prop::sample::select(vec![None, Some(1), Some(3)]),
        updated in prop::sample::select(vec![Updated::Any, Updated::LastOnly, Updated::CreatedOrLast]),
        skew_minutes in -9..10_i64,
        repeated_rows in 0..2_usize,
    ) {
        let world = World::of(sessions);
        world.emulator.set_switches(|switches| {
            switches.page_cap = page_cap;
            switches.updated = updated;
            switches.record_skew = TimeDelta::minutes(skew_minutes);
            switches.repeated_rows = repeated_rows;
        });
        for (window, condition) in conditions {
            let sql = format!("SELECT id FROM openvpn{window} WHERE {condition}");
            world.run("SET pushdown = off");
            let unpushed = world.ids(&sql);
            world.run("SET pushdown = on");
            prop_assert_eq!(world.ids(&sql), unpushed, "{}", sql);
        }
    }
}

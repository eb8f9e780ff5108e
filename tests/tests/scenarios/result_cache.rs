//! The result cache of the prompt: what was read lately is given again, and nothing else is.
//! The rows are those that the provider would have given at the moment that the answer names; a
//! request that the cache cannot answer whole is sent.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use sessionql_core::Engine;
use sessionql_core::ExecuteOptions;
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_sandbox::{Clock, Sandbox, SandboxOptions, openvpn_toml};
use sessionql_tests::model::{Condition, Window, condition, config, sorted, window};
use sessionql_tests::{Answer, BEGIN, World, engine, instant, run};

const TTL: Duration = Duration::from_secs(300);

/// Returns a world whose engine keeps answers.
fn world() -> World {
    let world = World::seeded();
    world.engine.settings().cache_ttl = Some(TTL);
    world
}

fn rows(world: &World, sql: &str) -> Vec<Vec<String>> {
    let answer = world.run(sql);
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    sorted(answer.rows)
}

/// Returns how many requests a query sends.
fn cost(world: &World, sql: &str) -> usize {
    world.requests();
    rows(world, sql);
    world.requests().len()
}

fn is_cached(answer: &Answer) -> bool {
    answer.completeness.connections.iter().any(|report| report.from_cache.is_some())
}

#[test]
fn a_query_asked_twice_is_sent_once() {
    let world = world();
    let sql = "SELECT id, user, start, end, duration FROM openvpn SINCE 6d";
    let first = world.run(sql);
    assert!(!is_cached(&first));
    world.requests();
    let again = world.run(sql);
    assert_eq!(again.rows, first.rows);
    assert_eq!(again.completeness.connections[0].from_cache, Some(instant(BEGIN)));
    assert_eq!(again.completeness.connections[0].n_requests, 0);
    assert!(world.requests().is_empty());
}

#[test]
fn what_is_asked_more_narrowly_comes_from_what_was_asked_widely() {
    let world = world();
    rows(&world, "SELECT id, user, start, end, status FROM openvpn SINCE 6d");
    for sql in [
        "SELECT user FROM openvpn SINCE 2d",
        "SELECT user, status FROM openvpn SINCE 2d WHERE status = 'ACTIVE'",
        "SELECT count(*) FROM openvpn AT now",
        "SELECT user FROM openvpn SINCE 6d WHERE start > now() - 1d AND user LIKE 'a%'",
        "SELECT a.id FROM openvpn a JOIN openvpn b ON a.user = b.user SINCE 1d",
        "SELECT id FROM openvpn SINCE 6d ORDER BY start DESC LIMIT 3",
        "SELECT user FROM sessions SINCE 1d WHERE connection = 'openvpn'",
    ] {
        let answer = world.run(sql);
        assert!(is_cached(&answer), "{sql}");
        world.engine.settings().cache_ttl = None;
        assert_eq!(sorted(answer.rows), rows(&world, sql), "{sql}");
        world.engine.settings().cache_ttl = Some(TTL);
    }
}

#[test]
fn what_lacks_rows_or_columns_is_no_answer() {
    let world = world();
    rows(&world, "SELECT id, user, start, end FROM openvpn SINCE 2d WHERE status = 'ACTIVE'");
    for sql in [
        "SELECT id FROM openvpn SINCE 3d WHERE status = 'ACTIVE'",
        "SELECT id FROM openvpn SINCE 2d WHERE status = 'FAILED'",
        "SELECT id FROM openvpn SINCE 2d",
        "SELECT id, client_ip FROM openvpn SINCE 2d WHERE status = 'ACTIVE'",
    ] {
        world.engine.clear_cache();
        rows(&world, "SELECT id, user, start, end FROM openvpn SINCE 2d WHERE status = 'ACTIVE'");
        assert!(cost(&world, sql) > 0, "{sql}");
    }
}

#[test]
fn what_is_older_than_it_may_be_is_asked_for_again() {
    let world = world();
    let sql = "SELECT id, start, end FROM openvpn SINCE 6d";
    assert!(cost(&world, sql) > 0);
    world.clock.advance(TimeDelta::seconds(299));
    assert_eq!(cost(&world, sql), 0);
    world.clock.advance(TimeDelta::seconds(1));
    assert!(cost(&world, sql) > 0);
    // A clock that was set back says nothing of an age.
    world.clock.advance(TimeDelta::seconds(-10));
    assert!(cost(&world, sql) > 0);
}

#[test]
fn the_rows_are_those_of_the_moment_that_is_named() {
    let world = world();
    let sql = "SELECT id, start, end, duration FROM openvpn SINCE 6d";
    let before = world.run(sql).rows;
    let now = instant(BEGIN);
    world.emulator.upsert(SessionRecord::active("new-one", "ann", now - TimeDelta::minutes(1)));
    world.clock.advance(TimeDelta::minutes(1));
    let again = world.run(sql);
    assert_eq!(again.completeness.connections[0].from_cache, Some(now));
    assert_eq!(again.rows.len(), before.len());
    // How long an open session has lasted is counted to now, as ever.
    assert_ne!(sorted(again.rows), before);
    world.engine.clear_cache();
    assert_eq!(world.run(sql).rows.len(), before.len() + 1);
}

#[test]
fn only_what_came_whole_is_kept() {
    let world = world();
    world.emulator.set_switches(|switches| switches.page_cap = Some(3));
    let size = |sql: &str| {
        world.engine.clear_cache();
        rows(&world, sql);
        world.engine.cache_size().n_scans
    };
    assert_eq!(size("SELECT id, start, end FROM openvpn SINCE 6d"), 1);
    assert_eq!(size("SELECT id FROM openvpn SINCE 6d LIMIT 2"), 0, "stopped early");
    assert_eq!(size("SELECT id FROM openvpn SINCE 30d"), 0, "incomplete");
    assert_eq!(size("SELECT id FROM openvpn WHERE false"), 0, "not read");
}

#[test]
fn what_the_provider_cannot_tell_the_cache_cannot() {
    // A query without a window is complete, though it reaches no further back than the provider's
    // history; one with a window before that is not.
    let world = world();
    let whole = world.run("SELECT id, start, end FROM openvpn");
    assert!(whole.completeness.is_complete());
    let back = world.run("SELECT id FROM openvpn SINCE 30d");
    assert!(!is_cached(&back) && !back.completeness.is_complete());
}

#[test]
fn a_connection_does_not_answer_for_another() {
    let clock = Clock::fixed(instant(BEGIN));
    let world = World::seeded();
    let one = openvpn_toml(&world.emulator);
    let other = one.replace("[connections.openvpn]", "[connections.other]");
    let engine = engine(&format!("{one}\n{other}"), &clock);
    engine.settings().cache_ttl = Some(TTL);
    let ask = |sql: &str| run(&engine, sql, &ExecuteOptions::default());
    assert!(!is_cached(&ask("SELECT id, start, end FROM openvpn SINCE 1d")));
    assert!(!is_cached(&ask("SELECT id, start, end FROM other SINCE 1d")));
    assert!(is_cached(&ask("SELECT id, start, end FROM other SINCE 1d")));
}

#[test]
fn without_a_time_to_live_nothing_is_kept_or_given() {
    let world = World::seeded();
    let sql = "SELECT id, start, end FROM openvpn SINCE 6d";
    rows(&world, sql);
    assert_eq!(world.engine.cache_size().n_scans, 0);
    world.engine.settings().cache_ttl = Some(TTL);
    rows(&world, sql);
    world.run("SET pushdown = off");
    assert!(cost(&world, sql) > 0, "the test of truth reads for itself");
    world.run("SET pushdown = on");
    world.engine.settings().cache_ttl = None;
    assert!(cost(&world, sql) > 0);
}

#[test]
fn explain_says_that_nothing_is_sent() {
    let world = world();
    rows(&world, "SELECT id, start, end FROM openvpn SINCE 6d");
    let answer = world.run("EXPLAIN SELECT id FROM openvpn SINCE 1d");
    let text = answer.rows.concat().join("\n");
    let why = "requests: none; its rows are in the cache, as of 2026-03-15T12:00:00Z";
    assert!(text.contains(why), "{text}");
    world.requests();
    let answer = world.run("EXPLAIN ANALYZE SELECT id FROM openvpn SINCE 1d");
    assert!(is_cached(&answer), "{:?}", answer.completeness);
    assert!(world.requests().is_empty());
}

#[test]
fn a_join_that_asks_by_key_is_not_kept() {
    let clock = Clock::fixed(instant(BEGIN));
    let sandbox = Sandbox::start(SandboxOptions { seed: 1, clock: clock.clone() });
    let sandbox = sandbox.expect("loopback sockets are free");
    let engine = engine(&sandbox.config_toml(), &clock);
    engine.settings().cache_ttl = Some(TTL);
    let sql = "SELECT v.user, o.id FROM openvpn v JOIN oam o ON v.user = o.user AT now";
    let plain = run(&engine, sql, &ExecuteOptions::default());
    let again = run(&engine, sql, &ExecuteOptions::default());
    assert_eq!(sorted(again.rows), sorted(plain.rows));
}

/// A query of one table; its columns always name a row.
#[derive(Clone, Debug)]
struct Query {
    table: &'static str,
    columns: Vec<&'static str>,
    window: Window,
    condition: Condition,
    limit: Option<u8>,
}

impl Query {
    fn sql(&self) -> String {
        let Self { table, columns, window, condition, limit } = self;
        let columns = columns.join(", ");
        let limit = limit.map(|n| format!(" ORDER BY id LIMIT {n}")).unwrap_or_default();
        format!(
            "SELECT id, {columns} FROM {table}{} WHERE {}{limit}",
            window.sql(),
            condition.sql()
        )
    }
}

fn query() -> impl Strategy<Value = Query> {
    let columns = vec!["user", "start", "end", "status", "client_ip", "duration", "provider"];
    let table = prop::sample::select(vec!["openvpn", "openvpn", "formal", "ekran", "oam"]);
    let limit = prop::option::weighted(0.2, 0..4_u8);
    (table, prop::sample::subsequence(columns, 1..=4), window(), condition(), limit).prop_map(
        |(table, columns, window, condition, limit)| Query {
            table,
            columns,
            window,
            condition,
            limit,
        },
    )
}

fn ask(engine: &Engine, query: &Query) -> Answer {
    run(engine, &query.sql(), &ExecuteOptions::default())
}

proptest! {
    #![proptest_config(config(3))]

    #[test]
    fn with_the_cache_the_rows_are_those_without(
        sequences in prop::collection::vec(prop::collection::vec(query(), 2..8), 4),
    ) {
        let clock = Clock::fixed(instant(BEGIN));
        let sandbox = Sandbox::start(SandboxOptions { seed: 1, clock: clock.clone() });
        let sandbox = sandbox.expect("loopback sockets are free");
        let plain = engine(&sandbox.config_toml(), &clock);
        let caching = engine(&sandbox.config_toml(), &clock);
        caching.settings().cache_ttl = Some(TTL);
        for queries in sequences {
            caching.clear_cache();
            for query in queries {
                let (expected, found) = (ask(&plain, &query), ask(&caching, &query));
                prop_assert_eq!(expected.error.is_some(), found.error.is_some(), "{}", query.sql());
                prop_assert_eq!(expected.completeness.off, found.completeness.off, "{}", query.sql());
                if expected.error.is_none() && expected.completeness.is_complete() {
                    prop_assert_eq!(sorted(expected.rows), sorted(found.rows), "{}", query.sql());
                }
            }
        }
    }
}

//! The last result as the table `_`: asked again without a request, and as incomplete as it was.

use chrono::TimeDelta;
use sessionql_core::completeness::Off;
use sessionql_core::last::Keeper;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_tests::model::sorted;
use sessionql_tests::{BEGIN, World, instant};

/// Runs a query and keeps its result, as the prompt does.
fn keep(engine: &Engine, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let statements = engine.parse(sql).expect("the query is right");
        let options = ExecuteOptions::default();
        let outcome = engine.execute(sql, &statements[0], &options).await;
        let mut outcome = outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let mut keeper = Keeper::new(outcome.schema());
        let mut failure = None;
        while let Some(rows) = outcome.next().await {
            match rows {
                Ok(rows) => keeper.add(&rows),
                Err(error) => failure = Some(error.to_string()),
            }
        }
        engine.set_last(keeper.finish(outcome.completeness(), failure));
    });
}

fn rows(world: &World, sql: &str) -> Vec<Vec<String>> {
    let answer = world.run(sql);
    assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
    sorted(answer.rows)
}

fn error(world: &World, sql: &str) -> String {
    world.run(sql).error.unwrap_or_else(|| panic!("{sql} is no error")).to_string()
}

#[test]
fn the_last_result_is_asked_without_a_request() {
    let world = World::seeded();
    let query = "SELECT id, user, start, end, status FROM openvpn SINCE 6d";
    let all = rows(&world, query);
    keep(&world.engine, query);
    world.requests();
    assert_eq!(rows(&world, "SELECT * FROM _"), all);
    assert_eq!(rows(&world, "SELECT count(*) FROM _"), [[all.len().to_string()]]);
    let of_ann = rows(&world, "SELECT id FROM _ WHERE status = 'ACTIVE' ORDER BY start LIMIT 2");
    assert_eq!(of_ann.len(), 2);
    let joined = rows(&world, "SELECT a.id FROM _ a JOIN _ b ON a.id = b.id");
    assert_eq!(joined.len(), all.len());
    assert!(world.requests().is_empty());
}

#[test]
fn a_result_of_a_result_is_the_last_one_then() {
    let world = World::seeded();
    keep(&world.engine, "SELECT user, duration FROM openvpn SINCE 6d");
    keep(&world.engine, "SELECT user, sum(duration) AS total FROM _ GROUP BY user");
    let users = rows(&world, "SELECT DISTINCT user FROM openvpn SINCE 6d");
    assert_eq!(rows(&world, "SELECT user FROM _"), users);
}

#[test]
fn there_is_no_last_result_before_the_first_query() {
    let world = World::seeded();
    assert_eq!(error(&world, "SELECT * FROM _"), "no table `_`");
}

#[test]
fn what_was_missing_is_missing_still() {
    let world = World::seeded();
    keep(&world.engine, "SELECT user, start FROM openvpn SINCE 30d");
    world.requests();
    let again = world.run("SELECT user FROM _").completeness;
    assert_eq!(again.off, Some(Off::Missing));
    let gaps = &again.connections[0].gaps;
    assert_eq!((&*again.connections[0].connection, gaps.len()), ("openvpn", 1));
    assert_eq!(gaps[0].gap.reason.as_str(), "history");
    assert_eq!(again.connections[0].n_requests, 0);
    // A count of what is not all is wrong; so is everything over that count.
    assert_eq!(world.run("SELECT count(*) FROM _").completeness.off, Some(Off::Wrong));
    keep(&world.engine, "SELECT count(*) AS n FROM _");
    assert_eq!(world.run("SELECT n FROM _ LIMIT 1").completeness.off, Some(Off::Wrong));
    assert!(world.requests().is_empty());
}

#[test]
fn what_is_accepted_is_accepted_still() {
    let mut world = World::seeded();
    world.configure("accept = [\"history\"]");
    keep(&world.engine, "SELECT user, start FROM openvpn SINCE 30d");
    let again = world.run("SELECT user FROM _").completeness;
    assert!(again.is_complete());
    assert!(again.connections[0].gaps[0].is_accepted);
}

#[test]
fn a_part_of_a_result_is_no_table() {
    let world = World::seeded();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let sql = "SELECT user FROM openvpn SINCE 6d";
        let statements = world.engine.parse(sql).expect("the query is right");
        let outcome = world.engine.execute(sql, &statements[0], &ExecuteOptions::default()).await;
        let outcome = outcome.expect("the query is right");
        let keeper = Keeper::new(outcome.schema());
        let failure = Some("interrupted".to_owned());
        world.engine.set_last(keeper.finish(outcome.completeness(), failure));
    });
    let message = "`_` is not the whole last result: the query failed: interrupted";
    assert_eq!(error(&world, "SELECT * FROM _"), message);
    assert_eq!(error(&world, "SELECT 1 WHERE EXISTS (SELECT 1 FROM _)"), message);
    assert_eq!(error(&world, "DESCRIBE _"), message);
}

#[test]
fn the_default_window_takes_nothing_from_it() {
    let world = World::seeded();
    keep(&world.engine, "SELECT id, start, end FROM openvpn SINCE 6d");
    let all = rows(&world, "SELECT count(*) FROM _");
    world.engine.settings().since = Some(instant(BEGIN) - TimeDelta::minutes(1));
    assert_eq!(rows(&world, "SELECT count(*) FROM _"), all);
    assert_eq!(rows(&world, "SELECT count(*) FROM (SELECT * FROM _) part"), all);
    assert_eq!(rows(&world, "WITH part AS (SELECT * FROM _) SELECT count(*) FROM part"), all);
    // A window of its own is another matter.
    let open = rows(&world, "SELECT id FROM _ SINCE 1m");
    assert_eq!(open, rows(&world, "SELECT id FROM openvpn"));
    assert_ne!(vec![vec![open.len().to_string()]], all);
}

#[test]
fn columns_that_share_a_name_are_told_apart() {
    let world = World::seeded();
    keep(
        &world.engine,
        "SELECT a.user, b.user, 1 AS \"user_2\", count(*) FROM openvpn a JOIN openvpn b \
         ON a.id = b.id SINCE 6d GROUP BY 1, 2, 3",
    );
    let described = world.run("DESCRIBE _");
    let names: Vec<&str> = described.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ["user", "user_2_", "user_2", "count(*)"]);
    assert!(!rows(&world, "SELECT user, user_2_, \"count(*)\" FROM _").is_empty());
}

#[test]
fn values_of_every_kind_come_back() {
    let world = World::seeded();
    let query = "SELECT user, merge_intervals(start, end) AS times, max(duration) AS longest, \
                 count(*) AS n, avg(extract(hour FROM start)) AS hour, NULL AS nothing, '' AS empty, \
                 min(start) AS first FROM openvpn SINCE 6d GROUP BY user";
    let all = rows(&world, query);
    keep(&world.engine, query);
    assert_eq!(rows(&world, "SELECT * FROM _"), all);
    let unnested = "SELECT count(*) FROM (SELECT unnest(times) AS t FROM _) x";
    assert_ne!(rows(&world, unnested), [["0"]]);
}

#[test]
fn it_is_joined_with_what_a_provider_has() {
    let world = World::seeded();
    keep(&world.engine, "SELECT id FROM openvpn SINCE 6d ORDER BY start LIMIT 3");
    let answer = rows(&world, "SELECT o.id FROM openvpn o SEMI JOIN _ k ON o.id = k.id SINCE 6d");
    assert_eq!(answer, rows(&world, "SELECT id FROM _"));
    assert_eq!(rows(&world, "SELECT id FROM _ LIMIT 0").len(), 0);
    let explained = rows(&world, "EXPLAIN SELECT id FROM _ LIMIT 2");
    let text = explained.concat().join("\n");
    assert!(text.contains("read `_`, the last result (3 rows)"), "{text}");
}

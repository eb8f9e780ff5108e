//! Traps that were walked into once: three-valued logic, time, memory, ends that come early.

use sessionql_core::ExecuteOptions;
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_sandbox::{Fault, On, openvpn_toml};
use sessionql_tests::model::{ago, complete};
use sessionql_tests::{World, engine, instant, run};

/// With little memory a query takes longer or fails; it does not answer less.
#[test]
fn little_memory_takes_no_rows_away() {
    let world = World::seeded();
    let queries = [
        "SELECT id, user, start FROM openvpn ORDER BY user, start, id",
        "SELECT user, count(*), min(id) FROM openvpn GROUP BY user ORDER BY 1, 2",
        "SELECT id, count(*) FROM openvpn GROUP BY id ORDER BY id",
        "SELECT a.id, b.id FROM openvpn a JOIN openvpn b ON a.user = b.user AND a.id < b.id ORDER BY 1, 2",
        "SELECT DISTINCT id, raw FROM openvpn ORDER BY id",
        "SELECT count(*) FROM openvpn",
    ];
    for sql in queries {
        let whole = complete(world.run(sql), sql);
        for limit in ["64KB", "300KB", "1MB", "4MB"] {
            let config = format!(
                "{}\n[settings]\nmemory_limit = \"{limit}\"\n",
                openvpn_toml(&world.emulator)
            );
            let small = engine(&config, &world.clock);
            let answer = run(&small, sql, &ExecuteOptions::default());
            if answer.error.is_none() {
                assert!(answer.completeness.is_complete());
                assert_eq!(answer.rows, whole, "{limit}: {sql}");
            }
        }
    }
}

/// Statements that run at once on one engine do not see each other.
#[test]
fn statements_at_once_do_not_meet() {
    let world = World::seeded();
    let queries = [
        "SELECT id FROM openvpn WHERE start >= now() - 48h ORDER BY id",
        "SELECT id FROM openvpn SINCE 24h ORDER BY id",
        "SELECT id FROM openvpn WHERE status = 'ACTIVE' ORDER BY id",
        "SELECT user, count(*) FROM openvpn GROUP BY user ORDER BY user",
        "SELECT count(*) FROM openvpn a JOIN openvpn b ON a.id = b.id AND b.start >= now() - 24h",
        "SELECT id FROM openvpn LIMIT 0",
    ];
    let alone: Vec<_> = queries.iter().map(|sql| complete(world.run(sql), sql)).collect();
    std::thread::scope(|scope| {
        for turn in 0..12 {
            let (world, alone, queries) = (&world, &alone, &queries);
            scope.spawn(move || {
                for step in 0..6 {
                    let n = (turn + step) % queries.len();
                    if turn == 0 {
                        world.run(["SET pushdown = off", "SET pushdown = on"][step % 2]);
                    }
                    let sql = queries[n];
                    assert_eq!(complete(world.run(sql), sql), alone[n], "{sql}");
                }
            });
        }
    });
}

/// `NOT IN` with a NULL in its list is never true, and NULL is in no list and in none that is
/// negated, whatever stands beside it.
#[test]
fn null_in_a_list_is_unknown() {
    let start = ago(3_600_000);
    let mut nobody = SessionRecord::active("nobody", "", start);
    nobody.user_name = None;
    let world = World::of(vec![
        SessionRecord::active("active", "ann", start),
        SessionRecord::completed("completed", "bob", start, start),
        SessionRecord::failed("failed", "carl", start),
        nobody,
    ]);
    let (some, others) = ("'ann', 'dan', 'eve', 'fay'", "'bob', 'gus', 'hal', 'ida'");
    let cases: [(String, &[&str]); 12] = [
        ("status NOT IN ('FAILED', NULL) AND status IN ('COMPLETED')".into(), &[]),
        ("status IN ('COMPLETED', 'FAILED') AND status NOT IN ('FAILED', NULL)".into(), &[]),
        ("user NOT IN ('ann', NULL) AND user IN ('bob', 'carl')".into(), &[]),
        ("user NOT IN ('ann', NULL) OR user NOT IN ('ann', 'bob')".into(), &["failed"]),
        ("NOT (user IN ('ann', NULL) AND user IN ('ann', 'bob'))".into(), &["failed"]),
        ("user NOT IN ('ann', NULL) AND user NOT IN ('bob')".into(), &[]),
        ("(user IN ('ann', NULL)) IS NULL".into(), &["completed", "failed", "nobody"]),
        (
            format!("user NOT IN ({some}) OR user NOT IN ({others})"),
            &["active", "completed", "failed"],
        ),
        (
            format!("NOT (user IN ({some}) AND user NOT IN ({some}))"),
            &["active", "completed", "failed"],
        ),
        (
            format!("NOT (user IN ({some}) AND user IN ({others}))"),
            &["active", "completed", "failed"],
        ),
        (format!("(user IN ({some}) AND user IN ({others})) IS NULL"), &["nobody"]),
        (format!("user IN ({some}) OR user IN ({others})"), &["active", "completed"]),
    ];
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(condition, expected)| {
            let ids = world.ids(&format!("SELECT id FROM openvpn WHERE {condition}"));
            (ids != expected).then(|| format!("{condition}: {ids:?}, not {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Bounds without offset are meant in the query's zone, however the text comes to be compared.
#[test]
fn texts_are_times_of_the_zone_in_every_place() {
    let world = World::of(vec![
        SessionRecord::active("before", "ann", instant("2026-03-13T14:59:59Z")),
        SessionRecord::active("after", "ann", instant("2026-03-13T15:00:00Z")),
        SessionRecord::active("utc", "ann", instant("2026-03-14T00:00:00Z")),
    ]);
    world.run("SET time_zone = 'Asia/Tokyo'");
    let mut wrong = Vec::new();
    for condition in [
        "start >= '2026-03-14'",
        "start >= DATE '2026-03-14'",
        "start >= '2026-03-14'::timestamp",
        "start >= (SELECT '2026-03-14')",
        "start >= ANY(ARRAY['2026-03-14'])",
        "start >= CAST('2026-03-14' AS TEXT)",
        "start >= '2026-03-' || '14'",
        "start = greatest(start, '2026-03-14')",
        "'2026-03-14' BETWEEN '2026-03-14' AND start",
        "start >= DATE '2026-03-13' + 1",
        "start >= current_date - 1",
        "date_trunc('day', start) >= '2026-03-14'",
        "start >= (CASE WHEN user = 'ann' THEN '2026-03-14' ELSE '2026-03-15' END)",
        "start >= to_timestamp('2026-03-14')",
        "EXISTS (SELECT 1 FROM (VALUES ('2026-03-14')) v(t) WHERE start >= v.t)",
        "start::date >= '2026-03-14'",
    ] {
        let sql = format!("SELECT id FROM openvpn WHERE {condition}");
        let answer = world.run(&sql);
        let mut ids: Vec<_> = answer.rows.iter().map(|row| row[0].as_str()).collect();
        ids.sort_unstable();
        // An error is as good: what must not happen is another zone.
        if answer.error.is_none() && ids != ["after", "utc"] {
            wrong.push(format!("{condition}: {ids:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rows that end because the engine ended are not the rows of the query.
#[test]
fn an_engine_that_ends_takes_no_rows_away() {
    let World { emulator, engine, clock: _clock } = World::seeded();
    let n_all = emulator.sessions().len();
    emulator.set_switches(|switches| switches.page_cap = Some(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let sql = "SELECT id FROM openvpn";
        let statements = engine.parse(sql).expect("the query is right");
        let mut outcome = engine
            .execute(sql, &statements[0], &Default::default())
            .await
            .expect("the query is right");
        let mut n_rows = 0;
        let first = outcome.next().await.expect("there are rows").expect("the provider answers");
        n_rows += first.num_rows();
        drop(engine);
        let mut error = None;
        while let Some(batch) = outcome.next().await {
            match batch {
                Ok(batch) => n_rows += batch.num_rows(),
                Err(failure) => error = Some(failure),
            }
        }
        let is_whole = outcome.completeness().is_complete() && error.is_none();
        assert!(!is_whole || n_rows >= n_all, "{n_rows} of {n_all} rows, said to be all");
    });
}

/// A window on a derived table is one on its columns, whatever the table below calls them.
#[test]
fn a_window_on_renamed_columns_is_not_that_of_the_provider() {
    let hours = |n: i64| ago(n * 3_600_000);
    let world = World::of(vec![
        SessionRecord::completed("long", "ann", hours(30), hours(20)),
        SessionRecord::completed("late", "ann", hours(30), hours(2)),
    ]);
    let queries = [
        "SELECT id FROM (SELECT id, \"end\" AS start, \"end\" FROM openvpn) t SINCE 24h UNTIL 12h",
        "SELECT id FROM openvpn WHERE open_during(\"end\", \"end\", now() - 24h, now() - 12h)",
    ];
    for sql in queries {
        assert_eq!(world.ids(sql), ["long"], "{sql}");
    }
}

/// Who joins nothing asks nothing of the other side.
#[test]
fn an_empty_side_of_a_join_asks_nothing_of_the_other() {
    let world = World::seeded();
    let answer = world.run(
        "SELECT a.id FROM openvpn a JOIN openvpn b ON a.user = b.user \
         WHERE a.start >= now() - 1h AND a.user = 'nobody' AND b.start >= now() - 48h",
    );
    assert!(answer.error.is_none() && answer.rows.is_empty(), "{answer:?}");
    let requests = world.requests();
    assert!(requests.len() <= 1, "{requests:#?}");
}

/// A provider that repeats what it was sent does not bring a secret to light.
#[test]
fn an_echoed_secret_is_not_shown() {
    let echo = "no sandbox-secret and no Bearer sandbox-token-000001 here";
    let basic = "no c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ= here";
    for text in [echo, basic] {
        for status in [400, 401, 403, 404, 422, 500] {
            for is_token in [true, false] {
                let mut world = World::of(vec![SessionRecord::active("a", "ann", ago(3_600_000))]);
                if text == basic {
                    world.configure("credentials_in = \"basic\"");
                }
                let on = if is_token { On::TokenFrom(1) } else { On::DataFrom(1) };
                let body = serde_json::json!({ "message": text }).to_string();
                world
                    .emulator
                    .faults()
                    .plan(on, Fault::Answer(sessionql_sandbox::Answer::json_text(status, body)));
                let options = ExecuteOptions {
                    timeout: Some(std::time::Duration::from_secs(2)),
                    ..ExecuteOptions::default()
                };
                let answer = run(&world.engine, "SELECT id FROM openvpn", &options);
                let told = format!("{:?} {:?}", answer.error, answer.completeness);
                // A token that was never given out is no secret.
                let token = if is_token { "sandbox-secret" } else { "sandbox-token-000001" };
                for secret in ["sandbox-secret", token, "c2FuZGJveC1jbGllbnQ6c2FuZGJveC1zZWNyZXQ="]
                {
                    assert!(!told.contains(secret), "{status}, token {is_token}: {told}");
                }
            }
        }
    }
}

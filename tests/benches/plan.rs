//! Measures planning, from the text to the engine's physical plan, of queries on provider tables:
//! `cargo bench -p sessionql-tests --bench plan`. A query is planned as EXPLAIN plans it, so that
//! nothing is sent; what EXPLAIN then tells of the plan is part of the figure.
//! Prints the median and the fastest of many runs on a warm engine.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::time::{Duration, Instant};

use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::{BEGIN, engine, instant};

const N_RUNS: usize = 400;

/// Nothing listens there.
const CONFIG: &str = r#"
[connections.openvpn]
plugin = "openvpn"
base_url = "http://127.0.0.1:1"
client_id = "nobody"
client_secret = "nothing"

[connections.formal]
plugin = "formal"
base_url = "http://127.0.0.1:1"
api_key = "nothing"

[connections.oam]
plugin = "oam"
base_url = "http://127.0.0.1:1"
username = "nobody"
password = "nothing"
"#;

const QUERIES: [(&str, &str); 5] = [
    ("one table", "EXPLAIN SELECT id, user FROM openvpn SINCE 24h WHERE status = 'ACTIVE'"),
    (
        "one table, grouped and ordered",
        "EXPLAIN SELECT user, count(*) AS n, max(duration) AS longest FROM openvpn SINCE 24h \
         GROUP BY user ORDER BY n DESC LIMIT 10",
    ),
    (
        "two tables",
        "EXPLAIN SELECT v.user, v.start, f.start AS other FROM openvpn v \
         JOIN formal f ON f.user = v.user SINCE 24h WHERE v.status = 'ACTIVE'",
    ),
    (
        "three tables",
        "EXPLAIN SELECT v.user, v.start, f.resource_name, o.start AS signed_in FROM openvpn v \
         JOIN formal f ON f.user = v.user JOIN oam o ON o.user = v.user \
         SINCE 24h WHERE v.status = 'ACTIVE'",
    ),
    (
        "three tables, overlapping, grouped and ordered",
        "EXPLAIN SELECT v.user, count(*) AS n, max(o.start) AS last FROM openvpn v \
         JOIN formal f ON f.user = v.user AND v OVERLAPS f \
         JOIN oam o ON o.user = v.user SINCE 24h \
         WHERE v.status = 'ACTIVE' AND f.duration > 5m AND o.start > now() - 12h \
         GROUP BY v.user HAVING count(*) > 1 ORDER BY n DESC, v.user LIMIT 20",
    ),
];

fn main() {
    let engine = engine(CONFIG, &Clock::fixed(instant(BEGIN)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (what, query) in QUERIES {
        let mut runs: Vec<Duration> = (0..N_RUNS)
            .map(|_| {
                let begin = Instant::now();
                runtime.block_on(plan(&engine, query));
                begin.elapsed()
            })
            .collect();
        runs.sort_unstable();
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        println!("{what}: median {:.2} ms, fastest {:.2} ms", ms(runs[N_RUNS / 2]), ms(runs[0]));
    }
}

async fn plan(engine: &Engine, query: &str) {
    let statements = engine.parse(query).unwrap();
    let options = ExecuteOptions::default();
    let outcome = engine.execute(query, &statements[0], &options).await.unwrap();
    assert!(outcome.is_explanation());
}

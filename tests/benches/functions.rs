//! Measures the functions that analysts ask sessions with, each over 1,000,000 sessions of 1,000 people
//! in a local Parquet file: `cargo bench -p sessionql-tests --bench functions`.
//! Prints the fastest of three runs of each query, with what the same query costs that reads the rows,
//! and orders them if need be, but calls no such function.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_sandbox::places::{PlaceRecord, database};
use sessionql_tests::{BEGIN, engine, instant};

const N_SESSIONS: i64 = 1_000_000;
const N_USERS: u64 = 1_000;
const N_RUNS: usize = 3;
const SECOND: i64 = 1_000_000;

/// What is measured, its query, and which of the plain queries below it is held against.
const QUERIES: [(&str, usize, &str); 16] = [
    ("max_concurrent", 0, "SELECT max_concurrent(start, end) FROM s"),
    (
        "max_concurrent of each user",
        1,
        "SELECT user, max_concurrent(start, end) FROM s GROUP BY user",
    ),
    (
        "merge_intervals of each user",
        1,
        "SELECT user, merge_intervals(start, end) FROM s GROUP BY user",
    ),
    ("covered of each user", 1, "SELECT user, covered(start, end) FROM s GROUP BY user"),
    ("gaps of each user", 1, "SELECT user, gaps(start, end) FROM s GROUP BY user"),
    (
        "max_concurrent, a growing frame of each user",
        2,
        "SELECT max(x) FROM (SELECT max_concurrent(start, end) OVER (PARTITION BY user ORDER BY start) AS x FROM s) w",
    ),
    (
        "max_concurrent, a day of each user",
        2,
        "SELECT max(x) FROM (SELECT max_concurrent(start, end) OVER (PARTITION BY user ORDER BY start \
         RANGE BETWEEN 24h PRECEDING AND CURRENT ROW) AS x FROM s) w",
    ),
    (
        "max_concurrent, a growing frame of all",
        3,
        "SELECT max(x) FROM (SELECT max_concurrent(start, end) OVER (ORDER BY start, id) AS x FROM s) w",
    ),
    (
        "max_concurrent, 10,000 rows of all",
        3,
        "SELECT max(x) FROM (SELECT max_concurrent(start, end) OVER (ORDER BY start, id \
         ROWS BETWEEN 10000 PRECEDING AND CURRENT ROW) AS x FROM s) w",
    ),
    (
        "covered, 100 rows of each user",
        2,
        "SELECT max(x) FROM (SELECT covered(start, end) OVER (PARTITION BY user ORDER BY start \
         ROWS BETWEEN 100 PRECEDING AND CURRENT ROW) AS x FROM s) w",
    ),
    (
        "sessionize",
        2,
        "SELECT max(x) FROM (SELECT sessionize(start, 30m) OVER (PARTITION BY user ORDER BY start) AS x FROM s) w",
    ),
    (
        "first_seen",
        2,
        "SELECT count(*) FILTER (WHERE x) FROM (SELECT first_seen(ip) OVER (PARTITION BY user ORDER BY start) AS x FROM s) w",
    ),
    ("geoip", 4, "SELECT count((geoip(ip)).country) FROM s"),
    (
        "speed_kmh of geoip",
        2,
        "SELECT max(x) FROM (SELECT speed_kmh(geoip(ip), start) OVER (PARTITION BY user ORDER BY start) AS x FROM s) w",
    ),
    ("geo_distance_km", 5, "SELECT max(geo_distance_km(id / 20000, id / 10000, 10, 20)) FROM s"),
    (
        "edit_similarity of texts of 100 characters",
        6,
        "SELECT max(edit_similarity(agent, 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 \
         Sample/1.0 (unlike all others)')) FROM s",
    ),
];

/// Queries that read and order the same rows.
const PLAIN: [&str; 7] = [
    "SELECT max(start), max(end) FROM s",
    "SELECT user, max(start), max(end) FROM s GROUP BY user",
    "SELECT max(x) FROM (SELECT row_number() OVER (PARTITION BY user ORDER BY start) AS x FROM s) w",
    "SELECT max(x) FROM (SELECT row_number() OVER (ORDER BY start, id) AS x FROM s) w",
    "SELECT count(ip) FROM s",
    "SELECT max(id) FROM s",
    "SELECT max(agent) FROM s",
];

fn main() {
    let directory = tempfile::tempdir().unwrap();
    write_sessions(&directory.path().join("s.parquet"));
    let places: Vec<PlaceRecord> = (0..4096_u32).map(place).collect();
    std::fs::write(directory.path().join("places.mmdb"), database(&places).unwrap()).unwrap();
    let config = format!(
        "[tables.s]\npath = {:?}\ntime = {{ start = \"start\", end = \"end\" }}\n[geoip]\nfiles = [{:?}]\n",
        directory.path().join("s.parquet"),
        directory.path().join("places.mmdb"),
    );
    let engine = engine(&config, &Clock::fixed(instant(BEGIN)));
    let plain: Vec<Duration> = PLAIN.iter().map(|query| fastest(&engine, query)).collect();
    for (what, plain_idx, query) in QUERIES {
        let (found, plain) = (fastest(&engine, query), plain[plain_idx]);
        println!("{what}: {:.2} s, {:.2} s without", found.as_secs_f64(), plain.as_secs_f64());
    }
}

/// Returns the time of the fastest run.
fn fastest(engine: &Engine, query: &str) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = || {
        let begin = Instant::now();
        let n_rows = runtime.block_on(async {
            let statements = engine.parse(query).unwrap();
            let options = ExecuteOptions::default();
            let mut outcome = engine.execute(query, &statements[0], &options).await.unwrap();
            let mut n_rows = 0;
            while let Some(rows) = outcome.next().await {
                n_rows += rows.unwrap().num_rows();
            }
            n_rows
        });
        assert!(n_rows > 0, "{query}");
        begin.elapsed()
    };
    (0..N_RUNS).map(|_| run()).min().unwrap()
}

fn address(number: u32) -> String {
    format!("2001:db8:{number:x}::7")
}

fn place(number: u32) -> PlaceRecord {
    PlaceRecord {
        network: format!("2001:db8:{number:x}::/48"),
        country: Some("XA".to_owned()),
        city: Some(format!("City {number}")),
        location: Some((f64::from(number % 180) - 90.0, f64::from(number % 360) - 180.0)),
        autonomous_system: Some((64_496, "Sample Networks".to_owned())),
    }
}

/// Writes sessions of 30 days in the order of their starts: most last an hour or so, one in fifty is
/// open.
fn write_sessions(path: &Path) {
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let last = instant(BEGIN).timestamp_micros();
    let step = 30 * 86_400 * SECOND / N_SESSIONS;
    let (mut users, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let (mut addresses, mut agents) = (Vec::new(), Vec::new());
    for id in 0..N_SESSIONS {
        let start = last - (N_SESSIONS - id) * step;
        let length = i64::try_from(random(60) * random(120)).unwrap() * SECOND;
        let user = random(N_USERS);
        users.push(format!("user{user}"));
        starts.push(start);
        ends.push((random(50) > 0).then_some(start + length));
        // Everybody has a few addresses of their own.
        let number = (user * 7 + random(4)) % 4096;
        addresses.push(address(u32::try_from(number).unwrap()));
        let (version, build) = (random(50), random(10_000));
        agents.push(format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{version}.0.{build} Safari/537.36"
        ));
    }
    let instants = |column: TimestampMicrosecondArray| Arc::new(column.with_timezone("UTC"));
    let columns: [(&str, ArrayRef); 6] = [
        ("id", Arc::new(Int64Array::from_iter_values(0..N_SESSIONS))),
        ("user", Arc::new(StringArray::from(users))),
        ("start", instants(TimestampMicrosecondArray::from(starts))),
        ("end", instants(TimestampMicrosecondArray::from(ends))),
        ("ip", Arc::new(StringArray::from(addresses))),
        ("agent", Arc::new(StringArray::from(agents))),
    ];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

//! Measures scans of many sessions through plugin, host and engine, against a server of ready pages
//! in a process of its own: `cargo bench -p sessionql-tests --bench scan`.
//! Prints rows per second of this process's CPU time, all threads together, and how far its resident
//! memory rose over that of the idle engine. At the end many scans read at once, a tenth of the pages
//! first, to show what of the memory grows with the rows.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::time::Instant;

use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::pages::{self, N_AT_ONCE, N_ROWS, PAGE_ROWS, Server};
use sessionql_tests::{BEGIN, engine, instant};

fn main() {
    if pages::is_server() {
        return pages::serve();
    }
    let server = Server::start();
    let engine = engine(&server.config(), &Clock::fixed(instant(BEGIN)));
    // Loads the plugin, opens the connection, fetches a token.
    read(&engine, "SELECT id FROM openvpn LIMIT 1");
    let idle = memory_kib("VmRSS");
    println!("idle engine: {} MB resident", mb(idle));
    for query in [
        "SELECT count(*) FROM openvpn",
        "SELECT id, user, start, \"end\" FROM openvpn",
        "SELECT * FROM openvpn",
        "SELECT user, count(*), max(start) FROM openvpn GROUP BY user",
    ] {
        // The high-water mark begins anew.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let (cpu, begin) = (cpu_seconds(), Instant::now());
        read(&engine, query);
        let (cpu, wall) = (cpu_seconds() - cpu, begin.elapsed().as_secs_f64());
        let rise = memory_kib("VmHWM").saturating_sub(idle);
        println!(
            "{query}\n    {:.0} thousand rows a second of CPU, {wall:.1} s, {} MB over idle",
            N_ROWS as f64 / cpu / 1e3,
            mb(rise),
        );
    }
    for (status, n_rows) in [("ACTIVE", N_ROWS / 10), ("COMPLETED", N_ROWS)] {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let query = format!("SELECT id, user, start FROM openvpn WHERE status = '{status}'");
        let begin = Instant::now();
        std::thread::scope(|threads| {
            for _ in 0..N_AT_ONCE {
                threads.spawn(|| read(&engine, &query));
            }
        });
        let wall = begin.elapsed().as_secs_f64();
        let rise = memory_kib("VmHWM").saturating_sub(idle);
        println!(
            "{N_AT_ONCE} scans at once, {} pages: {wall:.1} s, {} MB over idle",
            n_rows / PAGE_ROWS,
            mb(rise)
        );
    }
}

/// Reads all rows of a query, as a printer would, and drops them.
fn read(engine: &Engine, query: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let statements = engine.parse(query).unwrap();
        let options = ExecuteOptions::default();
        let mut outcome = engine.execute(query, &statements[0], &options).await.unwrap();
        while let Some(rows) = outcome.next().await {
            rows.unwrap();
        }
        assert!(outcome.completeness().is_complete());
    });
}

/// Returns the CPU time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |idx: usize| fields[idx].parse::<f64>().unwrap();
    // Fields 14 and 15 of proc(5), in ticks of 10 ms.
    (ticks(11) + ticks(12)) / 100.0
}

fn memory_kib(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn mb(kib: u64) -> u64 {
    kib * 1024 / 1_000_000
}

//! Measures what a plugin costs in a process of its own: the same scan of the same pages in this
//! process and in a child, and how long a crash takes to become an error:
//! `cargo bench -p sessionql-tests --bench isolation`.
//! The pages come from a server in a process of its own, so that the engine has the time. Prints rows
//! per second from start to end, the best of several runs, and the quotient of both.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use sessionql_core::config::Config;
use sessionql_core::plugin::{HostCommand, PluginPath};
use sessionql_core::{Engine, EngineOptions, ExecuteOptions};
use sessionql_tests::pages::{self, N_ROWS, Server};
use sessionql_tests::plugin_directory;

const N_RUNS: usize = 3;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if sessionql::is_plugin_host(&arguments) {
        return sessionql::main(arguments);
    }
    if pages::is_server() {
        pages::serve();
        return ExitCode::SUCCESS;
    }
    let server = Server::start();
    for query in [
        "SELECT count(*) FROM openvpn",
        "SELECT id, user, start, \"end\" FROM openvpn",
        "SELECT * FROM openvpn",
    ] {
        let here = best(&engine(&server.config()), query);
        let apart = best(&engine(&format!("{}isolation = \"process\"\n", server.config())), query);
        println!(
            "{query}\n    here {:.0} thousand rows a second, apart {:.0}: {:.2}",
            here / 1e3,
            apart / 1e3,
            apart / here
        );
    }
    crash();
    ExitCode::SUCCESS
}

/// Returns rows per second of the best run.
fn best(engine: &Engine, query: &str) -> f64 {
    // Loads the plugin, opens the connection, fetches a token.
    read(engine, "SELECT id FROM openvpn LIMIT 1").unwrap();
    let mut best = 0.0_f64;
    for _ in 0..N_RUNS {
        let begin = Instant::now();
        read(engine, query).unwrap();
        best = best.max(N_ROWS as f64 / begin.elapsed().as_secs_f64());
    }
    best
}

/// Tells how long it takes from the first row of a scan to the error of its crash.
fn crash() {
    let engine = engine(
        "[connections.bad]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n\
         crime = \"abort_in_scan\"\nisolation = \"process\"\n",
    );
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            // The connection is open and its child runs.
            read(&engine, "EXPLAIN SELECT id FROM bad").unwrap();
            let begin = Instant::now();
            assert!(read(&engine, "SELECT id FROM bad").is_err());
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("a crash is an error after {:.1} ms, at most {:.1} ms", times[10], times[20]);
}

fn engine(config: &str) -> Engine {
    let program = std::env::current_exe().unwrap();
    let options = EngineOptions {
        plugin_path: PluginPath { directories: vec![plugin_directory()] },
        clock: Arc::new(chrono::Utc::now),
        plugin_host: Some(HostCommand { program, arguments: vec!["plugin-host".into()] }),
        ..EngineOptions::default()
    };
    Engine::new(Config::parse(config).unwrap(), options).unwrap()
}

/// Reads all rows of a query, as a printer would, and drops them.
fn read(engine: &Engine, query: &str) -> Result<(), sessionql_core::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let statements = engine.parse(query).unwrap();
        let options = ExecuteOptions::default();
        let mut outcome = engine.execute(query, &statements[0], &options).await?;
        while let Some(rows) = outcome.next().await {
            rows?;
        }
        Ok(())
    })
}

//! Measures how large the program is and how fast it starts:
//! `cargo build --release && cargo bench -p sessionql --bench startup`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const N_RUNS: usize = 41;

fn main() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/sessionql");
    let size = std::fs::metadata(&program).expect("build the release first").len();
    println!("binary: {:.1} MB", size as f64 / 1e6);
    let empty = std::env::temp_dir();
    for arguments in [&["--version"][..], &["-c", "SELECT 1", "--config", "/dev/null"]] {
        let mut millis: Vec<f64> = (0..N_RUNS)
            .map(|_| {
                let mut command = Command::new(&program);
                command.args(arguments).current_dir(&empty).stdout(Stdio::null());
                let begin = Instant::now();
                assert!(command.status().unwrap().success());
                begin.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        millis.sort_by(f64::total_cmp);
        println!(
            "{}: {:.1} ms (median of {N_RUNS}), {:.1} ms at best",
            arguments.join(" "),
            millis[N_RUNS / 2],
            millis[0],
        );
    }
}

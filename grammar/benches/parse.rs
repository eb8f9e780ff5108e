//! Measures how fast text is parsed and formatted, and that the time grows with the text alone:
//! `cargo bench -p sessionql-grammar --bench parse`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

use std::hint::black_box;
use std::time::Instant;

use sessionql_grammar::{MAX_TEXT_BYTES, format, parse};

/// A query of everyday length.
const QUERY: &str = "SELECT user, client_ip, start FROM openvpn SINCE 24h \
    WHERE user = 'ann' AND status IN ('ACTIVE', 'FAILED') AND duration > 8h \
    GROUP BY user HAVING count(*) > 3 ORDER BY start DESC, user LIMIT 10;\n";

/// Returns the seconds of the fastest of some runs.
fn best(n_runs: usize, mut run: impl FnMut()) -> f64 {
    let time = |run: &mut dyn FnMut()| {
        let begin = Instant::now();
        run();
        begin.elapsed().as_secs_f64()
    };
    (0..n_runs).map(|_| time(&mut run)).fold(f64::MAX, f64::min)
}

/// Returns a text of about so many bytes.
fn repeated(before: &str, item: &str, after: &str, n_bytes: usize) -> String {
    let n_items = (n_bytes - before.len() - after.len()) / item.len();
    std::format!("{before}{}{after}", item.repeat(n_items))
}

fn main() {
    let micros = best(20_000, || drop(black_box(parse(black_box(QUERY)).unwrap()))) * 1e6;
    println!("parse a query of {} bytes: {micros:.1} µs", QUERY.len());
    let micros = best(5_000, || drop(black_box(format(black_box(QUERY)).unwrap()))) * 1e6;
    println!("format it: {micros:.1} µs");
    let shapes = [
        ("queries", "", QUERY, "", MAX_TEXT_BYTES),
        ("one list", "SELECT a IN (", "'ann@example.com', ", "1)", MAX_TEXT_BYTES),
        ("one chain", "SELECT ", "user = 'ann' OR ", "a", MAX_TEXT_BYTES),
        ("one text", "SELECT '", "x", "'", MAX_TEXT_BYTES),
        ("one comment", "SELECT 1 /*", "x", "*/", MAX_TEXT_BYTES),
        ("comments", "SELECT 1", " /* x */ -- y\n", "", MAX_TEXT_BYTES),
    ];
    for (what, before, item, after, n_bytes) in shapes {
        // The time of a byte stays what it is while the text grows.
        let nanos: Vec<_> = [n_bytes / 16, n_bytes / 4, n_bytes]
            .into_iter()
            .map(|n_bytes| {
                let text = repeated(before, item, after, n_bytes);
                best(7, || drop(black_box(parse(black_box(&text)).unwrap()))) * 1e9
                    / text.len() as f64
            })
            .collect();
        println!(
            "parse 1 MiB of {what}: {:.0} ms; ns a byte at 64 KiB, 256 KiB, 1 MiB: {:.0} {:.0} {:.0}",
            nanos[2] * MAX_TEXT_BYTES as f64 / 1e6,
            nanos[0],
            nanos[1],
            nanos[2],
        );
    }
}

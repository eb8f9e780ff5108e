//! What `\timing verbose` tells of each scan of a statement: what it cost, and which conditions were
//! answered where.

use sessionql_core::display::count;
use sessionql_core::duration;
use sessionql_core::explain::{FilterExplanation, ScanCost, Verdict};

use crate::render::elapsed;

/// Returns the lines of all scans.
pub(super) fn lines(scans: &[ScanCost]) -> String {
    scans.iter().map(scan).collect()
}

fn scan(scan: &ScanCost) -> String {
    let ScanCost { connection, table, usage, .. } = scan;
    let number = scan.number.map(|number| format!(" #{number}")).unwrap_or_default();
    let mut parts = vec![
        count(usage.requests, "request"),
        count(usage.answers, "page"),
        count(usage.bytes, "byte"),
    ];
    if usage.token_requests > 0 {
        parts.push(count(usage.token_requests, "token request"));
    }
    if usage.retries > 0 {
        parts.push(format!("{} sent again", count(usage.retries, "request")));
    }
    if usage.waited.as_millis() > 0 {
        parts.push(format!("waited {}", duration::human(usage.waited)));
    }
    parts.push(elapsed(scan.elapsed));
    let mut text = format!("{connection}.{table}{number}: {}\n", parts.join(", "));
    let (n_in, n_out) = (count(scan.n_rows_in, "row"), count(scan.n_rows_out, "row"));
    text.push_str(&format!("  {n_in} in, {n_out} out\n"));
    for filter in &scan.filters {
        text.push_str(&format!("  {}: {}\n", place(filter), filter.sql));
    }
    text
}

/// Returns where a condition was answered.
fn place(filter: &FilterExplanation) -> &'static str {
    match filter.verdict {
        Some(Verdict::Exact) => "pushed",
        Some(Verdict::Inexact) => "pushed, checked here again",
        Some(Verdict::Unsupported) | None => "checked here",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sessionql_core::http::Usage;

    use super::*;

    #[test]
    fn a_scan_is_told_in_three_lines() {
        let filter = |sql: &str, verdict| FilterExplanation {
            sql: sql.to_owned(),
            verdict: Some(verdict),
            reason: String::new(),
        };
        let scan = ScanCost {
            connection: "vpn".to_owned(),
            table: "sessions".to_owned(),
            number: None,
            filters: vec![
                filter("status = 'ACTIVE'", Verdict::Exact),
                filter("user LIKE 'a%'", Verdict::Unsupported),
            ],
            usage: Usage {
                requests: 3,
                answers: 2,
                retries: 1,
                bytes: 4310,
                waited: Duration::from_secs(75),
                ..Usage::default()
            },
            n_rows_in: 140,
            n_rows_out: 12,
            elapsed: Duration::from_millis(2_210),
        };
        assert_eq!(
            lines(&[scan]),
            "\
vpn.sessions: 3 requests, 2 pages, 4,310 bytes, 1 request sent again, waited 1m15s, 2.21 s
  140 rows in, 12 rows out
  pushed: status = 'ACTIVE'
  checked here: user LIKE 'a%'
"
        );
    }
}

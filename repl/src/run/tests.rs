//! Times of the command line, and what is said of an incomplete result.

use serde_json::json;
use sessionql_core::completeness::{ConnectionReport, KnownGap};

use super::*;
use crate::cli::{self, Invocation};
use crate::report::Paint;

fn times(line: &[&str]) -> Result<TimeOptions, Refusal> {
    let line = std::iter::once(&"sessionql").chain(line).map(Into::into);
    match cli::parse(line).unwrap() {
        Invocation::Run(arguments) => TimeOptions::read(&arguments, chrono_tz::Europe::Berlin),
        Invocation::Print(text) => panic!("{text}"),
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn times_are_instants_or_so_long_ago() {
    let read = times(&["--since", "24h", "--until", "2026-01-02", "--now", "2026-01-02T12:00:00Z"])
        .unwrap();
    let now = read.now.unwrap();
    assert_eq!(now, utc("2026-01-02T12:00:00Z"));
    assert_eq!(read.since.unwrap().before(now), utc("2026-01-01T12:00:00Z"));
    assert_eq!(read.until.unwrap().before(now), utc("2026-01-01T23:00:00Z"));
    assert_eq!(times(&["--until", "now"]).unwrap().until.unwrap().before(now), now);
    let long_ago = times(&["--since", "100000000d"]).unwrap().since.unwrap().before(now);
    assert!(long_ago < now, "{long_ago}");
}

#[test]
fn other_times_are_refused() {
    let refusal = times(&["--since", "yesterday"]).unwrap_err();
    assert_eq!(refusal.message, "`--since`: `yesterday` is not a time");
    assert_eq!(times(&["--now", "1h"]).unwrap_err().message, "`--now`: `1h` is not a time");
}

fn known_gap(reason: &str, message: &str, is_accepted: bool) -> KnownGap {
    let gap = serde_json::from_value(json!({ "reason": reason, "message": message })).unwrap();
    KnownGap { gap, is_accepted }
}

#[test]
fn an_incomplete_result_says_which_gaps_nobody_accepted() {
    let gaps = vec![
        known_gap("history", "asked from 2026-01-01, covered from 2026-02-01", false),
        known_gap("capped", "more than 500 rows", true),
        known_gap("budget", "connection `vpn`: `GET /rows` was not sent", false),
    ];
    let vpn =
        ConnectionReport { connection: "vpn".to_owned(), gaps, ..ConnectionReport::default() };
    let complete = Completeness { connections: vec![vpn.clone()], ..Completeness::default() };
    assert_eq!(incomplete(&complete), None);
    let report = incomplete(&Completeness {
        connections: vec![vpn],
        off: Some(Off::Missing),
        ..Completeness::default()
    });
    assert_eq!(
        report.unwrap().draw(Paint::new(false)),
        "incomplete: connection `vpn`: asked from 2026-01-01, covered from 2026-02-01 (history); connection `vpn`: `GET /rows` was not sent (budget); rows may be missing\n"
    );
}

//! What is said of an incomplete result.

use serde_json::json;
use sessionql_core::completeness::{ConnectionReport, KnownGap};

use super::*;
use crate::report::Paint;

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

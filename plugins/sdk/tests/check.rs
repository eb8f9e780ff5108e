//! The conformance suite is held here: an honest plugin keeps all rules, and for each rule there is
//! a plugin that breaks it and no other.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

#[path = "check/guilty.rs"]
mod guilty;
#[path = "check/raw.rs"]
mod raw;

use std::collections::BTreeSet;

use guilty::{api, changed};
use serde_json::json;
use sessionql_plugin_sdk::check::{
    Checked, Standing, Subject, check_provider, counts, rule, rules,
};
use sessionql_plugin_sdk::ffi::EntryFunction;

/// Rules with their crimes: what a plugin is guilty of, as its option `crime` says.
const CRIMES: [(&str, &str); 28] = [
    ("lifecycle/connect", "changes_its_mind"),
    ("manifest/names", "odd_name"),
    ("manifest/tables", "id_may_be_null"),
    ("manifest/filters", "like_of_numbers"),
    ("options/refusals", "wrong_code"),
    ("options/all-at-once", "one_error"),
    ("plan/answers", "refuses_in"),
    ("plan/answers", "too_many_verdicts"),
    ("plan/pure", "counts_plans"),
    ("plan/previews", "other_preview"),
    ("scan/contract", "undeclared_request"),
    ("scan/contract", "learns_too_much"),
    ("schema/batches", "other_columns"),
    ("scan/whole", "always_fails"),
    ("schema/projection", "shouts_alone"),
    ("schema/nulls", "never_null"),
    ("schema/key", "twice"),
    ("schema/open-sessions", "active_with_end"),
    ("schema/lifetimes", "backwards"),
    ("pushdown/one-filter", "calls_it_exact"),
    ("pushdown/one-filter", "asks_for_less"),
    ("pushdown/two-filters", "forgets_the_second"),
    ("pushdown/limit", "obeys_the_limit"),
    ("paging/sizes", "fails_on_nothing"),
    ("paging/short-page", "ends_at_a_short_page"),
    ("paging/empty-last-page", "fails_on_an_empty_page"),
    ("paging/cursor-loop", "follows_for_ever"),
    ("concurrency/two-scans", "one_at_a_time"),
];

/// Those about what a provider or the host says.
const MORE_CRIMES: [(&str, &str); 8] = [
    ("faults/failed-request", "swallows_failures"),
    ("faults/failed-request", "renames_failures"),
    ("faults/refusal", "swallows_refusals"),
    ("faults/bad-body", "swallows_emptiness"),
    ("faults/truncated", "swallows_halves"),
    ("ends/stop", "goes_on"),
    ("ends/cancel-request", "asks_again"),
    ("ends/cancel-rows", "asks_once_more"),
];

/// Plugins with a crime that no option can ask for.
const PLUGINS: [(&str, EntryFunction); 8] = [
    ("lifecycle/table", raw::another_version),
    ("lifecycle/describe", changed::manifests::sessionql_plugin_v1),
    ("lifecycle/no-io", raw::nosy),
    ("manifest/options", changed::defaults::sessionql_plugin_v1),
    ("manifest/requests", changed::patterns::sessionql_plugin_v1),
    ("plan/no-panic", changed::panics::sessionql_plugin_v1),
    ("memory/releases", raw::unmarked),
    ("memory/flat", changed::leaks::sessionql_plugin_v1),
];

fn subject(crime: &str) -> Subject {
    let options = json!({ "crime": crime, "page": 4, "kind": "all" });
    Subject::new(changed::honest::sessionql_plugin_v1).options(options).api(api)
}

/// Looks at all rules but the slow one.
fn quick(subject: &Subject) -> Vec<Checked> {
    rules().filter(|rule| rule.id != "memory/flat").map(|rule| rule.check(subject)).collect()
}

fn failed(checked: &[Checked]) -> Vec<&str> {
    let failed = checked.iter().filter(|checked| checked.standing == Standing::Failed);
    failed.map(|checked| checked.rule.as_str()).collect()
}

#[test]
fn an_honest_plugin_keeps_all_rules() {
    let checked = check_provider(subject("none"));
    assert_eq!(counts(&checked), format!("{} passed, 0 failed, 0 skipped", rules().count()));
}

#[test]
fn each_crime_breaks_its_rule_and_no_other() {
    for (broken, crime) in CRIMES.into_iter().chain(MORE_CRIMES) {
        let checked = quick(&subject(crime));
        assert_eq!(failed(&checked), [broken], "{crime}: {checked:#?}");
    }
}

#[test]
fn each_guilty_plugin_breaks_its_rule_and_no_other() {
    for (broken, entry) in PLUGINS {
        let options = json!({ "crime": "none", "page": 4, "kind": "all" });
        let subject = Subject::new(entry).options(options).api(api);
        let checked = match broken {
            "memory/flat" => rules().map(|rule| rule.check(&subject)).collect(),
            _ => quick(&subject),
        };
        assert_eq!(failed(&checked), [broken], "{checked:#?}");
    }
}

#[test]
fn every_rule_has_a_crime() {
    let crimes = CRIMES.iter().chain(&MORE_CRIMES).map(|(rule, _)| *rule);
    let broken: BTreeSet<&str> = crimes.chain(PLUGINS.iter().map(|(rule, _)| *rule)).collect();
    assert_eq!(broken, rules().map(|rule| rule.id).collect());
}

#[test]
fn without_an_api_what_needs_one_is_skipped_and_not_passed() {
    let options = json!({ "page": 4, "kind": "all" });
    let alone = Subject::new(changed::honest::sessionql_plugin_v1).options(options);
    let checked = quick(&alone);
    let skipped: Vec<&str> = checked
        .iter()
        .filter(|checked| checked.standing == Standing::Skipped)
        .map(|checked| checked.rule.split('/').next().unwrap())
        .collect();
    let groups: BTreeSet<&str> = skipped.into_iter().collect();
    assert_eq!(
        groups.into_iter().collect::<Vec<_>>(),
        ["concurrency", "ends", "faults", "memory", "paging", "pushdown", "scan", "schema"]
    );
    let standing = |id: &str| checked.iter().find(|checked| checked.rule == id).unwrap().standing;
    for id in ["faults/bad-body", "faults/failed-request", "ends/cancel-request", "plan/previews"] {
        assert_eq!(standing(id), Standing::Passed, "{id}");
    }
    assert_eq!(failed(&checked), [""; 0]);
}

#[test]
fn a_finding_says_what_was_seen() {
    let seen = |id: &str, crime: &str| rule(id).unwrap().check(&subject(crime)).to_string();
    assert_eq!(
        seen("paging/cursor-loop", "follows_for_ever").lines().next().unwrap(),
        "error: paging/cursor-loop: table `sessions` was still reading after 1000 requests of the same 1 page(s)"
    );
    assert_eq!(
        seen("pushdown/one-filter", "calls_it_exact").lines().next().unwrap(),
        "error: pushdown/one-filter: table `sessions`: with `user = 'Bob'` the verdict on `user = 'Bob'` is exact, and the row [\"s2\"] came, which does not pass"
    );
    assert_eq!(
        seen("faults/refusal", "swallows_refusals").lines().next().unwrap(),
        "error: faults/refusal: table `sessions`: an answer is 400 (request 1), and the scan ends as if nothing were missing"
    );
    assert_eq!(
        seen("pushdown/one-filter", "always_fails"),
        "skipped: pushdown/one-filter: needs a scan that does not fail: it always fails (see `scan/whole`)"
    );
}

#[test]
#[should_panic(
    expected = "error: schema/key: table `sessions`: the key [\"s0\"] came more than once"
)]
fn a_test_of_a_guilty_plugin_fails_with_the_finding() {
    check_provider(subject("twice"));
}

//! Writes findings, as text for people and as a line of JSON for each rule, and lists the rules.

use std::collections::BTreeMap;

use serde_json::json;
use sessionql_core::display::escape_controls;
use sessionql_plugin_sdk::check::{Checked, Standing, rule, rules};

use crate::cli::TestFormat;

/// Returns the rules, a line for each.
pub(super) fn list(format: TestFormat) -> String {
    let width = rules().map(|rule| rule.id.len()).max().unwrap_or_default();
    let line = |rule: &sessionql_plugin_sdk::check::Rule| match format {
        TestFormat::Text => format!("{:<width$}  {}\n", rule.id, rule.text),
        TestFormat::Json => format!("{}\n", json!({ "rule": rule.id, "text": rule.text })),
    };
    rules().map(line).collect()
}

/// Returns what became of a rule as a line of JSON. `reproduce` is the command that looks at it
/// again, but for its name.
pub(super) fn json(checked: &Checked, reproduce: &str) -> String {
    let Checked { rule: id, standing, seen } = checked;
    let text = rule(id).map(|rule| rule.text);
    let reproduce = format!("{reproduce} --rule {id}");
    let object = json!({
        "rule": id, "standing": standing, "seen": seen, "text": text, "reproduce": reproduce,
    });
    format!("{object}\n")
}

/// Returns what became of all rules, for people: those that are broken, those that could not be
/// looked at, and how many of each.
pub(super) fn text(checked: &[Checked], reproduce: &str, counts: &str) -> String {
    let mut lines = Vec::new();
    for broken in checked.iter().filter(|checked| checked.standing == Standing::Failed) {
        let Checked { rule: id, seen, .. } = broken;
        lines.extend(seen.iter().map(|seen| format!("error: {id}: {}", escape_controls(seen))));
        lines.extend(rule(id).map(|rule| format!("rule: {}", rule.text)));
        lines.push(format!("reproduce: {reproduce} --rule {id}"));
        lines.push(String::new());
    }
    let mut skipped: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for checked in checked.iter().filter(|checked| checked.standing == Standing::Skipped) {
        skipped.entry(checked.seen.join("; ")).or_default().push(&checked.rule);
    }
    for (needs, rules) in skipped {
        lines.push(format!("skipped: needs {}: {}", escape_controls(&needs), rules.join(", ")));
    }
    lines.push(counts.to_owned());
    lines.push(String::new());
    lines.join("\n")
}

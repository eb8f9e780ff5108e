//! Columns of which all values are known: `status` is ACTIVE or COMPLETED.

use super::*;

/// Returns the warnings of a condition, each with its place and its hint.
fn warnings(condition: &str) -> Vec<String> {
    let text = format!("SELECT id FROM states s WHERE {condition}");
    let lowered = lower(&query(&text), &context(&text)).unwrap();
    let told = |warning: Warning| {
        assert_eq!(warning.lint, Some("never-true"));
        let hint = warning.hint.unwrap_or_default();
        format!("{} | {} | {hint}", warning.span.of(&text), warning.message)
    };
    lowered.warnings.into_iter().map(told).collect()
}

#[test]
fn a_value_that_a_column_never_has_is_told() {
    let never = "'active' | `status` is never 'active': the comparison is never true | did you mean 'ACTIVE'?";
    for condition in [
        "status = 'active'",
        "'active' = s.status",
        "(status) = ('active')",
        "NOT status = 'active'",
        "status IN ('active')",
        "status IS NOT DISTINCT FROM 'active'",
        "status = 'active' OR status = 'ACTIVE'",
        "CASE status WHEN 'active' THEN true END",
        "EXISTS (SELECT 1 FROM (SELECT status FROM states) t WHERE t.status = 'active')",
    ] {
        assert_eq!(warnings(condition), [never], "{condition}");
    }
    assert_eq!(
        warnings("status <> 'closed'"),
        [
            "'closed' | `status` is never 'closed': the comparison is true of every value | its values are 'ACTIVE', 'COMPLETED'"
        ]
    );
    assert_eq!(
        warnings("status NOT IN ('ACTIVE', 'complete')"),
        ["'complete' | `status` is never 'complete' | did you mean 'COMPLETED'?"]
    );
}

#[test]
fn what_may_be_true_is_not_told() {
    for condition in [
        "status = 'ACTIVE'",
        "status IN ('ACTIVE', 'COMPLETED', NULL)",
        "status LIKE 'act%'",
        "status > 'active'",
        "lower(status) = 'active'",
        "id = 'active'",
        "status = id",
    ] {
        assert_eq!(warnings(condition), [""; 0], "{condition}");
    }
}

#[test]
fn a_comparison_with_null_is_told() {
    let never = "a comparison with NULL is never true | write IS NULL or IS NOT NULL";
    assert_eq!(warnings("id = NULL"), [format!("id = NULL | {never}")]);
    assert_eq!(warnings("NULL <> (id)"), [format!("NULL <> (id) | {never}")]);
    assert_eq!(warnings("id IS NOT DISTINCT FROM NULL"), [""; 0]);

    let text = "SELECT id FROM states WHERE $who IS NULL OR id = $who";
    let parameters = HashMap::from([("who".to_owned(), value("NULL"))]);
    let lowered = lower(&query(text), &Context { parameters, ..context(text) }).unwrap();
    assert_eq!(lowered.warnings, [], "NULL stands for no value");
}

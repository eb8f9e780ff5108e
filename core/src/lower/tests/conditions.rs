//! What becomes of conditions.

use super::*;

#[test]
fn numbers_compared_with_texts_become_texts() {
    let text = "SELECT 1 FROM vpn v JOIN users u ON v.id = 124 WHERE age = 5 AND v.user IN ('x', 7) AND -1 = id";
    let lowered = lower(&query(text), &context(text)).unwrap();
    assert_eq!(
        written_shortly(&lowered.statement),
        "SELECT 1 FROM (VPN) AS v INNER JOIN (USERS) AS u ON v.id = '124' WHERE age = 5 AND v.user IN ('x', '7') AND '-1' = id"
    );
    assert_eq!(lowered.warnings[0].message, "`id` is text, so that it is compared with '124'");
    assert_eq!(lowered.warnings.len(), 3);
    check(
        "SELECT 1 FROM vpn v JOIN users u ON true WHERE user = 1",
        "SELECT 1 FROM (VPN) AS v INNER JOIN (USERS) AS u ON true WHERE user = 1",
    );
}

#[test]
fn chains_are_balanced_and_equalities_folded() {
    check(
        "SELECT 1 WHERE a = 1 OR b = 2 OR A = 3 OR 4 = a",
        "SELECT 1 WHERE a IN (1, 3, 4) OR b = 2",
    );
    check("SELECT 1 WHERE a = 1 OR a = 'x' OR a = 'y'", "SELECT 1 WHERE a = 1 OR a IN ('x', 'y')");
    check(
        "SELECT 1 WHERE (a = 1 OR a = 2) AND NOT (b OR c)",
        "SELECT 1 WHERE (a IN (1, 2)) AND NOT (b OR c)",
    );
    let text = format!("SELECT 1 WHERE {}", vec!["a > 1"; 10_000].join(" OR "));
    assert!(lower(&query(&text), &context(&text)).is_ok());
    let text = format!("SELECT 1 WHERE {}", vec!["a > 1"; 1_001].join(" AND "));
    let error = lower(&query(&text), &context(&text)).unwrap_err();
    assert_eq!(error.to_string(), "more than 1,000 conditions joined by AND");
}

#[test]
fn many_inequalities_become_not_in() {
    check("SELECT 1 WHERE a <> 1 AND a <> 2", "SELECT 1 WHERE a <> 1 AND a <> 2");
    let numbers: Vec<String> = (0..16).map(|n| n.to_string()).collect();
    let chain: Vec<String> = numbers.iter().map(|n| format!("a <> {n}")).collect();
    check(
        &format!("SELECT 1 WHERE b = 1 AND {} AND a <> 'x'", chain.join(" AND ")),
        &format!("SELECT 1 WHERE b = 1 AND a NOT IN ({}) AND a <> 'x'", numbers.join(", ")),
    );
}

#[test]
fn signs_and_negations_come_to_one() {
    check("SELECT 1 WHERE - - + -a = 1 AND - -b = 2", "SELECT 1 WHERE -a = 1 AND +b = 2");
    check("SELECT 1 WHERE NOT NOT NOT a AND NOT NOT b", "SELECT 1 WHERE NOT a AND NOT NOT b");
}

#[test]
fn escape_characters_become_backslashes() {
    check("SELECT 1 WHERE a LIKE 'x!%_!!' ESCAPE '!'", "SELECT 1 WHERE a LIKE 'x\\%_\\!'");
    check("SELECT 1 WHERE a LIKE 'x\\%' ESCAPE '\\'", "SELECT 1 WHERE a LIKE 'x\\%'");
}

#[test]
fn queries_within_expressions_stand_where_unknown_counts_as_false() {
    check("SELECT 1 WHERE a OR b IN (SELECT 1)", "SELECT 1 WHERE a OR b IN (SELECT 1)");
    check(
        "SELECT 1 WHERE b > ANY (SELECT 1)",
        "SELECT 1 WHERE b > ANY(SELECT * FROM (SELECT 1) AS \"__compared\")",
    );
    check("SELECT 1 WHERE NOT EXISTS (SELECT 1)", "SELECT 1 WHERE NOT EXISTS (SELECT 1)");
    // Elsewhere it is a value of three truths.
    let value = "CASE WHEN (SELECT count(*) FROM (SELECT 1) AS \"__asked\" (\"__value1\")) = 0 THEN false \
         WHEN ((SELECT count(*) FROM (SELECT 1) AS \"__asked\" (\"__value1\") WHERE \"__value1\" = (a)) > 0) THEN true \
         WHEN (a) IS NULL OR ((SELECT count(*) FROM (SELECT 1) AS \"__asked\" (\"__value1\") WHERE \"__value1\" IS NULL) > 0) \
         THEN CAST(NULL AS BOOLEAN) ELSE false END";
    check(
        "SELECT 1 WHERE coalesce(a IN (SELECT 1), b)",
        &format!("SELECT 1 WHERE coalesce({value}, b)"),
    );
}

#[test]
fn similar_to_is_a_regular_expression() {
    check("SELECT 1 WHERE a NOT SIMILAR TO 'x%'", "SELECT 1 WHERE a !~ '^(?s:x.*)$'");
    check_error(
        "SELECT 1 WHERE a SIMILAR TO b",
        "SIMILAR TO or ESCAPE with a pattern that is no text is not supported yet",
        "b",
    );
}

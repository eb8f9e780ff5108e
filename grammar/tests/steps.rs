//! The work of the grammar grows with the text alone: no text within brackets is read twice, however
//! it goes wrong. Counted in steps of the parser, so that no clock takes part.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::num::NonZero;
use std::sync::Mutex;

use sessionql_grammar::{MAX_NESTING, parse};

/// Twice the steps for each byte of a text that the costliest shape here takes.
const STEPS_A_BYTE: usize = 80;

/// Parses a text and returns whether so many steps were enough to read it or to refuse it.
fn is_read_in(n_steps: usize, text: &str) -> bool {
    // The limit is one for the process.
    static LIMIT: Mutex<()> = Mutex::new(());
    let _alone = LIMIT.lock().unwrap();
    pest::set_call_limit(NonZero::new(n_steps));
    let parsed = parse(text);
    pest::set_call_limit(None);
    parsed.map_or_else(|error| !error.to_string().contains("the steps to read"), |_| true)
}

/// What opens brackets, in each place of the grammar that does.
const OPENINGS: [&str; 33] = [
    "(",
    "f(",
    "[",
    "ARRAY[",
    "a[",
    "(SELECT ",
    "CAST(",
    "TRY_CAST(",
    "EXISTS (",
    "EXISTS (SELECT ",
    "ANY (",
    "(VALUES (",
    "trim(both ",
    "f(both(",
    "f(DISTINCT (",
    "CASE WHEN ",
    "1 IN (",
    "(SELECT 1 FROM ",
    "(SELECT 1 FROM (VALUES (",
    "(SELECT DISTINCT ON (",
    "(SELECT 1 GROUP BY ROLLUP (",
    "(SELECT 1 GROUP BY GROUPING SETS ((",
    "(WITH a AS (",
    "sum(x) OVER (ROWS BETWEEN (",
    "sum(x) FILTER (WHERE (",
    "f(a => ",
    "extract(epoch FROM ",
    "(SELECT * EXCEPT (",
    "(SELECT 1 SINCE (",
    "(SELECT 1 FROM a JOIN (",
    "x::a(",
    "x BETWEEN (",
    "(a, ",
];

#[test]
fn broken_nesting_is_read_once() {
    for open in OPENINGS {
        let depth = MAX_NESTING / open.matches(['(', '[']).count().max(1);
        for middle in ["1 2", "", "SELECT", "a b c"] {
            let close: String = open
                .chars()
                .rev()
                .filter_map(|c| match c {
                    '(' => Some(')'),
                    '[' => Some(']'),
                    _ => None,
                })
                .collect();
            let text = format!("SELECT {}{middle}{}", open.repeat(depth), close.repeat(depth));
            assert!(is_read_in(STEPS_A_BYTE * text.len(), &text), "{open} {middle}");
        }
    }
}

#[test]
fn long_texts_take_no_more_steps_a_byte_than_short_ones() {
    for item in ["a,", "a ", "a.", "a = 1 OR ", "1 + ", "(1), ", "'x' IN ('y'), ", "f(a, b), "] {
        for n_items in [10, 100, 1_000, 10_000] {
            let text = format!("SELECT {}a", item.repeat(n_items));
            assert!(is_read_in(STEPS_A_BYTE * text.len(), &text), "{item}");
        }
    }
}

#[test]
fn too_few_steps_are_noticed() {
    assert!(!is_read_in(5, "SELECT a FROM t"));
    assert!(!is_read_in(5, "SELECT a FROM"));
}

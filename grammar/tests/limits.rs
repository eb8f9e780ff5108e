//! Sizes and shapes: limits are errors that name themselves, and nothing overflows a stack.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use proptest::prelude::*;
use sessionql_grammar::{
    MAX_LINKS, MAX_LIST_ITEMS, MAX_NESTING, MAX_TEXT_BYTES, completeness, format, parse,
};

/// Parses on a stack of 2 MiB, the smallest that callers may have, and drops the tree there too.
fn parse_on_small_stack(text: String) -> Result<usize, String> {
    on_small_stack(move || {
        parse(&text).map(|statements| statements.len()).map_err(|error| error.to_string())
    })
}

/// Formats on such a stack. What parses is formatted, and what is formatted stays as it is; only
/// what is added between words may be too much.
fn format_on_small_stack(text: String) {
    on_small_stack(move || match format(&text) {
        Ok(formatted) => assert!(format(&formatted).unwrap() == formatted),
        Err(error) => assert!(error.to_string().contains("formatted text"), "{error}"),
    });
}

fn on_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

fn nested(open: &str, middle: &str, close: &str, depth: usize) -> String {
    format!("SELECT {}{middle}{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn nesting_up_to_the_limit_is_accepted_and_one_more_is_not() {
    let shapes = [
        ("(", "1", ")"),
        ("f(", "1", ")"),
        ("[", "1", "]"),
        ("(SELECT ", "1", ")"),
        ("(1, ", "1", ")"),
        ("CASE WHEN ", "a", " THEN 1 END"),
        ("CAST(", "1", " AS int)"),
        ("EXISTS (SELECT ", "1", ")"),
        ("a[", "1", "]"),
        ("1 IN (", "1", ")"),
        ("(SELECT 1 FROM ", "t", ")"),
        ("sum(x) OVER (ORDER BY ", "a", ")"),
    ];
    for (open, middle, close) in shapes {
        let accepted = nested(open, middle, close, MAX_NESTING);
        assert_eq!(parse_on_small_stack(accepted.clone()), Ok(1), "{open}");
        format_on_small_stack(accepted);
        let refused = nested(open, middle, close, MAX_NESTING + 1);
        assert!(parse_on_small_stack(refused).unwrap_err().contains("128 levels"), "{open}");
    }
}

#[test]
fn chains_of_and_and_or_have_any_length() {
    for word in ["AND", "OR"] {
        let chain = vec!["a = 1"; 100_000].join(&format!(" {word} "));
        let text = format!("SELECT {chain}");
        assert!(text.len() < MAX_TEXT_BYTES);
        assert_eq!(parse_on_small_stack(text.clone()), Ok(1));
        format_on_small_stack(text);
    }
    let alternating = format!("SELECT {} c", "a AND b OR ".repeat(50_000));
    assert_eq!(parse_on_small_stack(alternating.clone()), Ok(1));
    format_on_small_stack(alternating);
}

#[test]
fn other_chains_stop_at_the_limit() {
    let chains = [
        ("SELECT 1", " + 1", ""),
        ("SELECT 'a'", " || 'b'", ""),
        ("SELECT a", "::int", ""),
        ("SELECT a", "[1]", ""),
        ("SELECT a", " IS NULL", ""),
        ("SELECT", " NOT", " a"),
        ("SELECT", " -", " a"),
        ("SELECT 1", " UNION SELECT 1", ""),
        ("SELECT 1 FROM t", " CROSS JOIN t", ""),
        ("SELECT a", " BETWEEN 1 AND 2", ""),
        ("SELECT (a)", ".b", ""),
    ];
    for (before, link, after) in chains {
        let chain = |n_links| format!("{before}{}{after}", link.repeat(n_links));
        assert_eq!(parse_on_small_stack(chain(MAX_LINKS)), Ok(1), "{link}");
        format_on_small_stack(chain(MAX_LINKS));
        assert!(parse_on_small_stack(chain(MAX_LINKS + 1)).unwrap_err().contains("500"), "{link}");
    }
}

#[test]
fn chains_do_not_multiply_with_nesting() {
    let links = " + 1".repeat(400);
    let text = format!("SELECT {}1{}", "(".repeat(100), format!("{links})").repeat(100));
    assert!(parse_on_small_stack(text).unwrap_err().contains("756 levels"));
}

/// The deepest trees that brackets and operators make together.
#[test]
fn chains_within_nesting_fit_the_stack() {
    for (open, middle, close) in [
        ("(", "1", " + 1 + 1 + 1)"),
        ("f(NOT ", "a", " IS NULL)"),
        ("CASE WHEN - -", "a", "::int::int THEN 1 END"),
        ("(SELECT 1 UNION SELECT ", "1", ")"),
        ("(SELECT 1 FROM a CROSS JOIN (SELECT ", "1", ") x)"),
    ] {
        let depth = MAX_NESTING / open.matches('(').count().max(1);
        let text = nested(open, middle, close, depth);
        assert_eq!(parse_on_small_stack(text.clone()), Ok(1), "{open}");
        format_on_small_stack(text);
    }
}

#[test]
fn far_past_the_limits_is_refused_without_a_crash() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("f(", ")"), ("CASE WHEN ", " THEN 1 END"), ("(SELECT ", ")")]
    {
        for depth in [10_000, 50_000] {
            let text = nested(open, "1", close, depth);
            assert!(parse_on_small_stack(text.clone()).is_err(), "{open}");
            assert!(on_small_stack(move || format(&text)).is_err());
        }
    }
    for unclosed in [
        "SELECT (",
        "SELECT [",
        "SELECT '",
        "SELECT \"",
        "/*",
        "SELECT $$",
        "SELECT CASE WHEN a",
        "SELECT E'\\",
    ] {
        let text = unclosed.repeat(MAX_TEXT_BYTES / unclosed.len());
        assert!(parse_on_small_stack(text.clone()).is_err(), "{unclosed}");
        assert!(on_small_stack(move || format(&text)).is_err());
    }
    for link in [" UNION SELECT 1", " + 1", " || 'a'", "::int", "[1]", " IS NULL", " COLLATE x"] {
        let text = format!("SELECT 1{}", link.repeat(20_000));
        assert!(parse_on_small_stack(text).is_err(), "{link}");
    }
}

#[test]
fn wide_texts_are_formatted() {
    let many = |before: &str, item: &str, n: usize, after: &str| {
        format!("{before}{}{after}", vec![item; n].join(","))
    };
    for text in [
        many("SELECT a IN (", "1", MAX_LIST_ITEMS, ")"),
        many("SELECT a IN (", "- - -'x'", 50_000, ")"),
        many("SELECT ", "a", 50_000, ""),
        many("SELECT ", "*", 50_000, " FROM t"),
        many("VALUES ", "(1,2)", 50_000, ""),
        many("SELECT 1 FROM ", "t", 50_000, ""),
        many("SELECT 1 GROUP BY GROUPING SETS (", "()", 50_000, ")"),
        many("SELECT f(", "a /* c */", 20_000, ")"),
        many("SELECT a IN (", "1 -- c\n", 20_000, ")"),
        format!("SELECT CASE{} END", " WHEN a THEN b".repeat(20_000)),
        format!("SELECT '{}'", "x".repeat(MAX_TEXT_BYTES - 20)),
        format!("SELECT 1 /*{}*/", "x".repeat(MAX_TEXT_BYTES - 20)),
        format!("SELECT 1{}", " /* c */".repeat(100_000)),
        format!("SELECT 1{}", "\n-- c".repeat(100_000)),
        ";".repeat(MAX_TEXT_BYTES),
        "SELECT 1;".repeat(20_000),
        "-- c\n".repeat(100_000),
        "SELECT 1 FETCH FIRST ROW ONLY;".repeat(20_000),
    ] {
        format_on_small_stack(text);
    }
}

#[test]
fn lists_stop_at_the_limit() {
    let list = |n_items: usize| format!("SELECT a IN ({})", vec!["1"; n_items].join(","));
    assert_eq!(parse_on_small_stack(list(MAX_LIST_ITEMS)), Ok(1));
    assert!(parse_on_small_stack(list(MAX_LIST_ITEMS + 1)).unwrap_err().contains("100,000"));
}

#[test]
fn texts_stop_at_the_limit() {
    let text = |n_bytes: usize| format!("SELECT '{}'", "x".repeat(n_bytes - 9));
    assert_eq!(parse_on_small_stack(text(MAX_TEXT_BYTES)), Ok(1));
    assert!(parse_on_small_stack(text(MAX_TEXT_BYTES + 1)).unwrap_err().contains("1 MiB"));
}

#[test]
fn one_long_token_or_comment_is_a_tree_or_an_error() {
    let n = MAX_TEXT_BYTES / 8;
    for text in [
        format!("SELECT 1 /*{}*/ + 1", "x".repeat(n)),
        format!("SELECT 1 {} + 1", " ".repeat(n)),
        format!("SELECT {}", "a".repeat(n)),
        format!("SELECT {}", "1".repeat(n)),
        "/*".repeat(n / 2),
        "(".repeat(n),
        "'".repeat(n),
        ";".repeat(n),
        "-".repeat(n),
        "$".repeat(n),
        format!("SELECT {}", "a,".repeat(n / 2 - 10)),
        format!("SELECT {}", "a ".repeat(n / 2 - 10)),
        format!("SELECT a{}", ".a".repeat(n / 2 - 10)),
        "SELECT 1;".repeat(n / 9),
    ] {
        let _ignored = parse_on_small_stack(text);
    }
}

/// Words and signs of the language, to be strewn at random.
const TOKENS: [&str; 72] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FIRST",
    "ROW",
    "ONLY",
    "WITH",
    "RECURSIVE",
    "AS",
    "VALUES",
    "UNION",
    "ALL",
    "EXCEPT",
    "INTERSECT",
    "JOIN",
    "LEFT",
    "SEMI",
    "NATURAL",
    "LATERAL",
    "ON",
    "USING",
    "SINCE",
    "UNTIL",
    "AT",
    "TIME",
    "ZONE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS",
    "NULL",
    "BETWEEN",
    "LIKE",
    "CAST",
    "EXTRACT",
    "EXISTS",
    "ANY",
    "OVER",
    "PARTITION",
    "ROWS",
    "FILTER",
    "DISTINCT",
    "a",
    "t.b",
    "*",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    "=",
    "+",
    "-",
    "::",
    "1",
    "1h",
    "'x'",
    "$p",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_a_tree_or_an_error_within_it(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len());
            prop_assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end));
            drop(error.hint());
        }
        completeness(&text);
    }

    #[test]
    fn any_tokens_are_a_tree_or_an_error_within_them(
        picks in prop::collection::vec(0..TOKENS.len(), 0..40)
    ) {
        let tokens: Vec<_> = picks.iter().map(|pick| TOKENS[*pick]).collect();
        for text in [tokens.join(" "), format!("SELECT {}", tokens.join(" ")), format!("SELECT a FROM t {}", tokens.join(" "))] {
            if let Err(error) = parse(&text) {
                prop_assert!(error.span.end <= text.len());
                prop_assert!(error.to_string() != "internal error: cannot read this part of the query", "{}", text);
                prop_assert!(!error.to_string().contains("k_"), "{}: {}", text, error);
            }
        }
    }
}

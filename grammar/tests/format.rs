//! The canonical style: what it looks like, and what holds of every text and every tree.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

use proptest::prelude::*;
use sessionql_grammar::{format, parse, print};

#[path = "format/corpus.rs"]
mod corpus;
#[path = "format/generate.rs"]
mod generate;
#[path = "format/style.rs"]
mod style;

use generate::Generator;

/// Formats a text and checks what must hold of the result.
fn check(text: &str) -> String {
    let formatted = format(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(
        std::format!("{:?}", parse(&formatted).unwrap()),
        std::format!("{:?}", parse(text).unwrap()),
        "{text}"
    );
    assert_eq!(format(&formatted).unwrap(), formatted, "{text}");
    assert!(formatted.is_empty() || formatted.ends_with('\n'), "{formatted}");
    assert!(
        formatted.lines().all(|line| !line.ends_with(' ')) || text.contains(" \n"),
        "{formatted}"
    );
    formatted
}

/// Comments of every kind and place; `#` becomes a number.
const COMMENTS: [&str; 8] = [
    " -- #\n",
    "\n-- #\n",
    "\n\n-- #\n\n",
    "/* # */",
    " /* # */\n",
    "\n/* # */ ",
    "\n/* #\n   on two lines */\n",
    "/* /* # */ -- */",
];

/// Returns where tokens of a text begin, and what they are; comments are tokens too.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let quoted = |quote: char| {
            let mut end = 1;
            loop {
                end += rest[end..].find(quote).unwrap() + 1;
                if !rest[end..].starts_with(quote) {
                    return end;
                }
                end += 1;
            }
        };
        let length = match first {
            '\'' | '"' => quoted(first),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => {
                let (mut depth, mut end) = (0, 0);
                loop {
                    match &rest[end..] {
                        rest if rest.starts_with("/*") => (depth, end) = (depth + 1, end + 2),
                        rest if rest.starts_with("*/") => (depth, end) = (depth - 1, end + 2),
                        rest => end += rest.chars().next().unwrap().len_utf8(),
                    }
                    if depth == 0 {
                        break end;
                    }
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push((at, &rest[..length]));
        }
        at += length;
    }
    tokens
}

/// Returns each comment with how many tokens other than commas and semicolons stand before it.
fn comments(text: &str) -> Vec<(String, usize)> {
    let mut n_before = 0;
    let mut comments = Vec::new();
    for (_, token) in tokens(text) {
        if token.starts_with("--") || token.starts_with("/*") {
            comments.push((token.trim_end().to_owned(), n_before));
        } else if !matches!(token, "," | ";") {
            n_before += 1;
        }
    }
    comments
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_tree_is_what_its_text_says(choices in prop::collection::vec(any::<u8>(), 0..400)) {
        let script = Generator::new(&choices).script();
        let text = print(&script);
        let read = parse(&text);
        prop_assert!(read.is_ok(), "{}: {:?}\n{}", text, read, std::format!("{script:?}"));
        prop_assert_eq!(std::format!("{:?}", read.unwrap()), std::format!("{:?}", script), "{}", text);
        prop_assert_eq!(format(&text).unwrap(), text);
    }

    #[test]
    fn comments_stay_where_they_are(
        choices in prop::collection::vec(any::<u8>(), 0..200),
        inserted in prop::collection::vec((any::<prop::sample::Index>(), 0..COMMENTS.len()), 1..8),
    ) {
        let plain = print(&Generator::new(&choices).script());
        // Between words alone: signs such as `<=` are several of these tokens.
        let places: Vec<usize> = tokens(&plain)
            .into_iter()
            .filter(|(_, token)| token.starts_with(|c: char| c.is_alphabetic()) || matches!(*token, "," | "(" | ")" | ";"))
            .map(|(at, _)| at)
            .filter(|at| !plain[..*at].ends_with(['$', '.']) && !plain[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"' || c == '\''))
            .chain([plain.len()])
            .collect();
        let mut inserted: Vec<(usize, usize)> =
            inserted.into_iter().map(|(place, kind)| (*place.get(&places), kind)).collect();
        inserted.sort_unstable();
        let mut text = plain.clone();
        for (n, (at, kind)) in inserted.into_iter().enumerate().rev() {
            text.insert_str(at, &COMMENTS[kind].replace('#', &n.to_string()));
        }
        let formatted = check(&text);
        prop_assert_eq!(comments(&formatted), comments(&text), "{}\n{}", text, formatted);
    }

    #[test]
    fn any_text_that_parses_is_formatted(picks in prop::collection::vec(0..corpus::WORDS.len(), 0..30)) {
        let words: Vec<_> = picks.iter().map(|pick| corpus::WORDS[*pick]).collect();
        for text in [words.join(" "), std::format!("SELECT {}", words.join(" ")), std::format!("SELECT a FROM t {}", words.join(" "))] {
            if parse(&text).is_ok() {
                check(&text);
            }
        }
    }
}

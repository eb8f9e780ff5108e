//! The text as the grammar reads it: one character for each token, of two bytes each.
//! In: a text and its tokens. Out: their codes. Which character stands for what is written in
//! tokens.pest alone for words, and there and here for the rest, which a test holds together.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::scan::{Token, TokenKind};

/// How many bytes the code of a token has.
pub(super) const CODE_BYTES: usize = 2;

const POINT: char = '\u{89}';
const INTEGER: char = '\u{a0}';
const DECIMAL: char = '\u{a1}';
const DURATION: char = '\u{a2}';
const PARAMETER: char = '\u{a3}';
const TEXT: char = '\u{a4}';
const PLAIN: char = '\u{182}';
const QUOTED: char = '\u{183}';
/// `like`: from here on words may be columns.
const FIRST_NO_ALIAS: char = '\u{10d}';
/// `all`: from here on words are names everywhere.
const FIRST_NAME: char = '\u{13a}';
/// What the grammar has no rule for.
const NOTHING: char = '\u{bf}';

/// The words of the language in lower case, and their codes.
static WORDS: LazyLock<HashMap<&[u8], char>> = LazyLock::new(|| {
    rules().filter_map(|(rule, code)| Some((rule.strip_prefix("k_")?.as_bytes(), code))).collect()
});

/// A word of the language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// In lower case.
    pub(super) text: &'static str,
    /// As it is written where it is a keyword.
    pub(super) written: &'static str,
    /// Where it is a name.
    pub(super) strictness: Strictness,
}

/// Where a word of the language is a name without quotes. Names after a dot or AS may be any word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Nowhere.
    Reserved,
    /// Where a column may stand, but it is no alias without AS.
    NoAlias,
    /// Wherever a name may stand.
    Name,
}

/// The words of the language, in the order of tokens.pest.
static ALL_WORDS: LazyLock<Vec<Word>> = LazyLock::new(|| {
    let word = |(rule, code): (&'static str, char)| {
        let text = rule.strip_prefix("k_")?;
        let strictness = match code {
            ..FIRST_NO_ALIAS => Strictness::Reserved,
            FIRST_NO_ALIAS..FIRST_NAME => Strictness::NoAlias,
            _ => Strictness::Name,
        };
        // Once for the life of the program.
        let written: &'static str = text.to_uppercase().leak();
        Some(Word { text, written, strictness })
    };
    rules().filter_map(word).collect()
});

/// Returns the words of the language.
pub(super) fn words() -> impl Iterator<Item = &'static Word> {
    ALL_WORDS.iter()
}

/// No word of the language is longer.
const MAX_WORD_BYTES: usize = 16;

/// Returns the codes of all tokens.
pub(super) fn codes(text: &str, tokens: &[Token]) -> String {
    let mut codes = String::with_capacity(tokens.len() * CODE_BYTES);
    codes.extend(tokens.iter().map(|token| code(text, *token)));
    codes
}

/// Returns the code of one token.
fn code(text: &str, token: Token) -> char {
    let written = token.span.of(text).as_bytes();
    match token.kind {
        TokenKind::Word => word(written),
        TokenKind::Quoted => QUOTED,
        TokenKind::Text => TEXT,
        TokenKind::Number if written.last().is_some_and(u8::is_ascii_alphabetic) => DURATION,
        TokenKind::Number if written.contains(&b'.') => DECIMAL,
        TokenKind::Number => INTEGER,
        // `$1`
        TokenKind::Parameter if written.get(1).is_some_and(u8::is_ascii_digit) => NOTHING,
        TokenKind::Parameter => PARAMETER,
        _ if token.is_point(text) => POINT,
        _ => sign(written),
    }
}

fn word(written: &[u8]) -> char {
    let mut lower = [0; MAX_WORD_BYTES];
    let Some(lower) = lower.get_mut(..written.len()) else { return PLAIN };
    lower.copy_from_slice(written);
    lower.make_ascii_lowercase();
    WORDS.get(&*lower).copied().unwrap_or(PLAIN)
}

fn sign(written: &[u8]) -> char {
    match written {
        b"," => '\u{80}',
        b")" => '\u{81}',
        b"]" => '\u{82}',
        b";" => '\u{83}',
        b":" => '\u{84}',
        b"!" => '\u{85}',
        b"|" => '\u{86}',
        b"=>" => '\u{87}',
        b"." => '\u{88}',
        b"::" => '\u{8a}',
        b"[" => '\u{8b}',
        b"=" => '\u{8c}',
        b"<=" => '\u{8d}',
        b">=" => '\u{8e}',
        b"<>" => '\u{8f}',
        b"!=" => '\u{90}',
        b"<" => '\u{91}',
        b">" => '\u{92}',
        b"!~" => '\u{93}',
        b"!~*" => '\u{94}',
        b"||" => '\u{95}',
        b"/" => '\u{96}',
        b"%" => '\u{97}',
        b"*" => '\u{98}',
        b"~" => '\u{99}',
        b"~*" => '\u{9a}',
        b"+" => '\u{9b}',
        b"-" => '\u{9c}',
        b"<<" => '\u{a5}',
        b">>" => '\u{a6}',
        b"&" => '\u{a7}',
        b"#" => '\u{a8}',
        b"^" => '\u{a9}',
        b"(" => '\u{9d}',
        b"{" => '\u{9e}',
        b"}" => '\u{9f}',
        _ => NOTHING,
    }
}

/// Returns the rules for one code each, by their names.
fn rules() -> impl Iterator<Item = (&'static str, char)> {
    include_str!("../tokens.pest").lines().filter_map(|line| {
        let (rule, body) = line.split_once('=')?;
        let (_, code) = body.split_once("{ \"\\u{")?;
        let (code, _) = code.split_once("}\" }")?;
        Some((rule.trim(), char::from_u32(u32::from_str_radix(code, 16).ok()?)?))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::scan::Scanner;

    /// Returns the code of the rule for a token or a word.
    fn code_of(name: &str) -> char {
        let is_it = |rule: &str| rule.strip_prefix("k_").unwrap_or(rule) == name;
        rules().find(|(rule, _)| is_it(rule)).unwrap().1
    }

    #[test]
    fn each_rule_has_a_code_of_its_own_and_of_the_same_length() {
        let codes: Vec<_> = rules().map(|(_, code)| code).chain([NOTHING]).collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), codes.len());
        assert!(codes.iter().all(|code| code.len_utf8() == CODE_BYTES));
    }

    #[test]
    fn words_are_as_strict_as_the_grammar() {
        assert_eq!((code_of("like"), code_of("all")), (FIRST_NO_ALIAS, FIRST_NAME));
    }

    #[test]
    fn tokens_have_the_codes_of_their_rules() {
        for (written, rule) in [
            ("1", "integer"),
            ("1e5", "integer"),
            ("1.5", "decimal"),
            ("1h30m", "duration"),
            ("$a", "parameter"),
            ("'it''s'", "text"),
            ("e'\\''", "text"),
            ("$$it$$", "text"),
            ("a", "plain"),
            ("selected", "plain"),
            ("a_word_longer_than_any_of_the_language", "plain"),
            ("\"select\"", "quoted"),
            ("seLECT", "select"),
            (".", "period"),
            (".5", "point"),
        ] {
            let token = Scanner::new(written).next().unwrap();
            assert_eq!(code(written, token), code_of(rule), "{written}");
        }
    }

    #[test]
    fn signs_have_the_codes_of_their_rules() {
        let lines = include_str!("../tokens.pest").lines();
        let signs: Vec<_> = lines
            .skip_while(|line| *line != "// ---- Signs ----")
            .take_while(|line| *line != "// ---- Words ----")
            .filter_map(|line| line.split_once(" } // "))
            .filter(|(_, sign)| sign.len() <= 3)
            .collect();
        assert_eq!(signs.len(), 36);
        for (rule, written) in signs {
            let token = Scanner::new(written).next().unwrap();
            assert_eq!(token.span.end, written.len(), "{written}");
            assert_eq!(code(written, token), code_of(rule.split(' ').next().unwrap()), "{written}");
        }
    }

    #[test]
    fn words_are_those_of_the_grammar() {
        for word in WORDS.keys() {
            assert!(word.len() <= MAX_WORD_BYTES);
        }
        let grammar = include_str!("../sessionql.pest");
        let used = grammar.split(|c: char| !c.is_alphanumeric() && c != '_');
        for word in used.filter_map(|rule| rule.strip_prefix("k_")).filter(|word| !word.is_empty())
        {
            assert!(WORDS.contains_key(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn ranges_end_where_their_comments_say() {
        let lines = include_str!("../tokens.pest").lines();
        let sets: Vec<_> =
            lines.skip_while(|line| *line != "// ---- Sets of tokens ----").collect();
        let mut n_ranges = 0;
        for pair in sets.windows(2) {
            let ranges: Vec<_> = pair[1].split('\'').skip(1).step_by(2).collect();
            if ranges.is_empty() {
                continue;
            }
            let names = pair[0].trim_start_matches("// ").split(", ");
            let ends: Vec<_> = names.flat_map(|range| range.split("..")).map(code_of).collect();
            let written = ends.iter().map(|end| end.escape_unicode().to_string());
            assert_eq!(written.collect::<Vec<_>>(), ranges, "{}", pair[1]);
            n_ranges += ranges.len() / 2;
        }
        assert_eq!(n_ranges, 35);
    }
}

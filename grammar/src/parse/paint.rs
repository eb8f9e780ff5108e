//! What the parts of a text are, for whoever shows it in colours.
//! In: a text, whole or not. Out: its tokens and comments with what each is. A word is a keyword
//! where the grammar reads it as one; where the grammar does not get to, its kind decides.

use pest::Parser as _;

use super::codes::{self, CODE_BYTES, Strictness};
use super::expect::{completed, fits, tokens};
use super::{Grammar, Rule};
use crate::ast::Span;
use crate::scan::{Token, TokenKind};

/// What a part of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// A word of the language.
    Keyword,
    /// A name, in quotes or not.
    Name,
    /// A text.
    Text,
    /// A number or a duration.
    Number,
    /// `$name`.
    Parameter,
    /// A comment.
    Comment,
    /// An opening or a closing bracket.
    Bracket,
    /// An operator or a separator.
    Sign,
    /// What begins with a quote or as a comment and does not end.
    Unclosed,
    /// A character that means nothing.
    Unknown,
}

/// Returns the parts of a text in their order; blanks are none.
pub fn paint(text: &str) -> Vec<(Span, Paint)> {
    let tokens = tokens(text);
    let keywords = keywords(text, &tokens);
    let mut parts = Vec::new();
    let mut end = 0;
    for (token, is_keyword) in tokens.iter().zip(keywords) {
        comments(text, Span::new(end, token.span.start), &mut parts);
        let paint = match token.kind {
            TokenKind::Word if is_keyword => Paint::Keyword,
            TokenKind::Word | TokenKind::Quoted => Paint::Name,
            TokenKind::Text => Paint::Text,
            TokenKind::Number => Paint::Number,
            TokenKind::Parameter => Paint::Parameter,
            TokenKind::Open(_) | TokenKind::Close(_) => Paint::Bracket,
            TokenKind::Semicolon | TokenKind::Symbol(_) => Paint::Sign,
            TokenKind::Unclosed(_) | TokenKind::DeepComment => Paint::Unclosed,
            TokenKind::Unknown(_) => Paint::Unknown,
        };
        end = if paint == Paint::Unclosed { text.len() } else { token.span.end };
        parts.push((Span::new(token.span.start, end), paint));
    }
    comments(text, Span::new(end, text.len()), &mut parts);
    parts
}

/// Adds the comments among blanks, one part for each line of them.
fn comments(text: &str, blanks: Span, parts: &mut Vec<(Span, Paint)>) {
    let mut start = blanks.start;
    for line in blanks.of(text).split_inclusive('\n') {
        let content = line.trim();
        if !content.is_empty() {
            let begin = start + line.find(content).unwrap_or(0);
            parts.push((Span::new(begin, begin + content.len()), Paint::Comment));
        }
        start += line.len();
    }
}

/// Tells of each token whether it is a keyword.
fn keywords(text: &str, tokens: &[Token]) -> Vec<bool> {
    let mut keywords: Vec<bool> = tokens.iter().map(|token| is_no_name(text, *token)).collect();
    let mut first = 0;
    for part in tokens.split(|token| token.kind == TokenKind::Semicolon) {
        if let (Some(begin), Some(end)) = (part.first(), part.last())
            && fits(text, part)
        {
            let statement = Span::new(begin.span.start, end.span.end).of(text);
            let read = read_keywords(statement, part.len());
            for (is_keyword, is_read) in keywords.iter_mut().skip(first).zip(read) {
                *is_keyword = is_read;
            }
        }
        first += part.len() + 1;
    }
    keywords
}

/// Tells of the tokens of a statement that the grammar reads whether they are keywords, up to the
/// last that it does.
fn read_keywords(statement: &str, n_tokens: usize) -> Vec<bool> {
    let written = tokens(statement);
    let mut n_read = n_tokens;
    let codes_of = |text: &str| codes::codes(text, &tokens(text));
    let whole = match Grammar::parse(Rule::script, &codes_of(statement)) {
        Ok(_) => Some(statement.to_owned()),
        Err(error) => {
            let at = match error.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => {
                    at
                }
            };
            n_read = (at / CODE_BYTES).min(n_tokens);
            let read = written.get(..n_read).and_then(<[Token]>::last);
            read.and_then(|last| completed(&statement[..last.span.end]))
        }
    };
    let Some(whole) = whole else { return Vec::new() };
    let codes = codes_of(&whole);
    let Ok(pairs) = Grammar::parse(Rule::script, &codes) else { return Vec::new() };
    let mut keywords = vec![false; n_read];
    for pair in pairs.flatten() {
        if format!("{:?}", pair.as_rule()).starts_with("k_")
            && let Some(is_keyword) = keywords.get_mut(pair.as_span().start() / CODE_BYTES)
        {
            *is_keyword = true;
        }
    }
    keywords
}

/// Tells whether a word is a keyword wherever it is not in the place of a column.
fn is_no_name(text: &str, token: Token) -> bool {
    let word = token.span.of(text);
    token.kind == TokenKind::Word
        && codes::words().any(|known| {
            known.text.eq_ignore_ascii_case(word) && known.strictness != Strictness::Name
        })
}

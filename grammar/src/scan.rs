//! Cuts a text into tokens, as far as they matter before parsing: quotes, comments, brackets,
//! numbers and words. In: a text. Out: tokens with their spans, mistakes among them.
//! Used by the checks before parsing, by the test for completeness and to name what an error found.
//! Linear, never fails, knows no statement.

use crate::ast::Span;

/// The longest text, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// How deep brackets, CASE and comments may nest.
pub const MAX_NESTING: usize = 128;
/// How many items a list may have.
pub const MAX_LIST_ITEMS: usize = 100_000;
/// How many operators other than AND and OR, set operators or joins may follow one another.
pub const MAX_LINKS: usize = 500;

/// A token, as far as this pass tells them apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

impl Token {
    /// Returns whether this is a dot directly before a digit, as in `.5`.
    pub(crate) fn is_point(self, text: &str) -> bool {
        let next = text.as_bytes().get(self.span.end);
        self.kind == TokenKind::Symbol(".") && next.is_some_and(u8::is_ascii_digit)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    Quoted,
    /// `'…'`, `E'…'` or `$$…$$`.
    Text,
    /// Whatever begins with a digit.
    Number,
    /// `$name`.
    Parameter,
    Semicolon,
    Open(char),
    Close(char),
    /// An operator or a separator.
    Symbol(&'static str),
    /// A character that begins no token.
    Unknown(char),
    /// Something that runs to the end of the input for want of its end.
    Unclosed(&'static str),
    /// Comments nested too deep.
    DeepComment,
}

/// Cuts a text into tokens.
pub(crate) struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Returns the next token, or nothing at the end.
    pub(crate) fn next(&mut self) -> Option<Token> {
        if let Some(kind) = self.skip_blanks() {
            let start = std::mem::replace(&mut self.at, self.text.len());
            return Some(Token { kind, span: Span::new(start, (start + 2).min(self.text.len())) });
        }
        let rest = self.rest();
        let first = rest.chars().next()?;
        let start = self.at;
        let (kind, length) = match first {
            '\'' => closed(rest, 1, '\'', "the text", TokenKind::Text),
            '"' => closed(rest, 1, '"', "the quoted name", TokenKind::Quoted),
            'e' | 'E' if rest[1..].starts_with('\'') => escaped(rest),
            '$' if rest.starts_with("$$") => match rest[2..].find("$$") {
                Some(end) => (TokenKind::Text, end + 4),
                None => (TokenKind::Unclosed("the text"), 2),
            },
            '$' => match word_length(&rest[1..]) {
                0 => (TokenKind::Unknown('$'), 1),
                length => (TokenKind::Parameter, length + 1),
            },
            '0'..='9' => (TokenKind::Number, number_length(rest)),
            ';' => (TokenKind::Semicolon, 1),
            '(' | '[' | '{' => (TokenKind::Open(first), 1),
            ')' | ']' | '}' => (TokenKind::Close(first), 1),
            _ if is_word(first) => (TokenKind::Word, word_length(rest)),
            _ => match symbol(rest) {
                Some(symbol) => (TokenKind::Symbol(symbol), symbol.len()),
                None => (TokenKind::Unknown(first), first.len_utf8()),
            },
        };
        self.at =
            if matches!(kind, TokenKind::Unclosed(_)) { self.text.len() } else { start + length };
        Some(Token { kind, span: Span::new(start, start + length) })
    }

    /// Moves past blanks and comments; what is wrong with a comment is a token.
    fn skip_blanks(&mut self) -> Option<TokenKind> {
        loop {
            let rest = self.rest();
            self.at += match rest.as_bytes() {
                [b' ' | b'\t' | b'\r' | b'\n' | b'\x0c', ..] => 1,
                [b'-', b'-', ..] => rest.find('\n').unwrap_or(rest.len()),
                [b'/', b'*', ..] => match comment_length(rest) {
                    Ok(length) => length,
                    Err(kind) => return Some(kind),
                },
                [0x80..=0xff, ..] => match rest.chars().next() {
                    Some(blank @ ('\u{a0}' | '\u{feff}')) => blank.len_utf8(),
                    _ => return None,
                },
                _ => return None,
            };
        }
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Returns the longest symbol that a text begins with.
fn symbol(rest: &str) -> Option<&'static str> {
    Some(match rest.as_bytes() {
        [b'!', b'~', b'*', ..] => "!~*",
        [b'!', b'~', ..] => "!~",
        [b'!', b'=', ..] => "!=",
        [b'!', ..] => "!",
        [b'~', b'*', ..] => "~*",
        [b'~', ..] => "~",
        [b'<', b'<', ..] => "<<",
        [b'<', b'=', ..] => "<=",
        [b'<', b'>', ..] => "<>",
        [b'<', ..] => "<",
        [b'>', b'>', ..] => ">>",
        [b'>', b'=', ..] => ">=",
        [b'>', ..] => ">",
        [b'=', b'>', ..] => "=>",
        [b'=', ..] => "=",
        [b'|', b'|', ..] => "||",
        [b'|', ..] => "|",
        [b':', b':', ..] => "::",
        [b':', ..] => ":",
        [b'+', ..] => "+",
        [b'-', ..] => "-",
        [b'*', ..] => "*",
        [b'/', ..] => "/",
        [b'%', ..] => "%",
        [b'&', ..] => "&",
        [b'#', ..] => "#",
        [b'^', ..] => "^",
        [b',', ..] => ",",
        [b'.', ..] => ".",
        _ => return None,
    })
}

fn word_length(rest: &str) -> usize {
    rest.find(|c| !is_word(c)).unwrap_or(rest.len())
}

/// Measures what begins with a digit: letters, digits, dots between digits, a sign after an `e`.
fn number_length(rest: &str) -> usize {
    let mut before = '0';
    let mut is_decimal = true;
    for (at, c) in rest.char_indices() {
        is_decimal &= c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
        let belongs = is_word(c)
            || c == '.'
            || (matches!(c, '+' | '-') && matches!(before, 'e' | 'E') && is_decimal);
        if !belongs {
            return at;
        }
        before = c;
    }
    rest.len()
}

/// Measures a token that ends with a quote; a doubled quote does not end it.
fn closed(
    rest: &str,
    from: usize,
    quote: char,
    what: &'static str,
    kind: TokenKind,
) -> (TokenKind, usize) {
    let mut at = from;
    while let Some(end) = rest[at..].find(quote) {
        at += end + 1;
        if !rest[at..].starts_with(quote) {
            return (kind, at);
        }
        at += 1;
    }
    (TokenKind::Unclosed(what), from)
}

/// Measures `E'…'`, where a backslash takes the next character with it.
fn escaped(rest: &str) -> (TokenKind, usize) {
    let mut chars = rest.char_indices().skip(2).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\'' if chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            '\'' => return (TokenKind::Text, at + 1),
            _ => {}
        }
    }
    (TokenKind::Unclosed("the text"), 2)
}

/// Measures a comment that may hold others.
pub(crate) fn comment_length(rest: &str) -> Result<usize, TokenKind> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(found) = rest[at..].find(['/', '*']) {
        at += found;
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        match depth {
            0 => return Ok(at),
            depth if depth > MAX_NESTING => return Err(TokenKind::DeepComment),
            _ => {}
        }
    }
    Err(TokenKind::Unclosed("the comment"))
}

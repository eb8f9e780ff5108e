//! Texts: quotes and escapes resolved.

use super::{Builder, Pair, Result, Rule};
use crate::ast::{Literal, Span};
use crate::error::{ParseError, ParseErrorKind};

impl<'t> Builder<'t> {
    /// Builds `DATE '…'` and its relatives.
    pub(super) fn typed_text(&self, pair: Pair<'t>) -> Result<Literal> {
        let mut make: fn(String) -> Literal = Literal::Timestamp;
        let mut value = String::new();
        for (idx, child) in pair.into_inner().enumerate() {
            let is_first = idx == 0;
            match child.as_rule() {
                Rule::k_date => make = Literal::Date,
                // `timestamp with time zone` has the word too.
                Rule::k_time if is_first => make = Literal::Time,
                Rule::k_interval => make = Literal::Interval,
                Rule::text => value = self.text_value(&child)?,
                Rule::interval_unit => {
                    value = format!("{} {}", value.trim(), self.text(&child).to_lowercase());
                }
                _ => {}
            }
        }
        Ok(make(value))
    }

    pub(super) fn text_value(&self, pair: &Pair<'t>) -> Result<String> {
        let span = self.span(pair);
        let text = span.of(self.text);
        let within = |n_before: usize, n_after: usize| {
            text.get(n_before..text.len() - n_after).unwrap_or_default()
        };
        match text.as_bytes().first() {
            Some(b'\'') => Ok(within(1, 1).replace("''", "'")),
            Some(b'$') => Ok(within(2, 2).to_owned()),
            _ => unescape(within(2, 1), span.start + 2),
        }
    }
}

/// Resolves the backslash sequences and doubled quotes of `E'…'`; `offset` is where the text stands.
fn unescape(text: &str, offset: usize) -> Result<String> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == '\'' {
            chars.next();
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        let escaped = chars.next().map(|(_, c)| c);
        let resolved = match escaped {
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some(c @ ('\\' | '\'' | '"')) => Some(c),
            Some('x') => code_point(&mut chars, 2),
            Some('u') => code_point(&mut chars, 4),
            Some('U') => code_point(&mut chars, 8),
            _ => None,
        };
        let length = 1 + escaped.map_or(0, char::len_utf8);
        value.push(resolved.ok_or_else(|| {
            let found = text.get(at..at + length).unwrap_or_default().to_owned();
            let span = Span::new(offset + at, offset + at + length);
            ParseError::new(ParseErrorKind::UnknownEscape { found }, span)
        })?);
    }
    Ok(value)
}

/// Reads exactly `n_digits` hexadecimal digits.
fn code_point(chars: &mut std::str::CharIndices<'_>, n_digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..n_digits {
        code = code * 16 + chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}

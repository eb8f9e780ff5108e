//! Patterns of LIKE and SIMILAR TO in the forms that the engine reads right.
//! In: a pattern and its escape character. Out: a pattern with backslashes, or a regular expression.

use sessionql_grammar::ast::Span;

use super::{LowerError, Result};

/// Writes a LIKE pattern with the escape character that the engine knows, the backslash.
pub(super) fn like(pattern: &str, escape: &str, span: Span) -> Result<String> {
    let escape = escape_char(escape, span)?;
    let mut written = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                written.push('\\');
                written.push(chars.next().ok_or_else(|| nothing_escaped(span))?);
            }
            '\\' => written.push_str(r"\\"),
            c => written.push(c),
        }
    }
    Ok(written)
}

/// Writes a pattern of SIMILAR TO as a regular expression for the whole text.
pub(super) fn similar_to(pattern: &str, escape: &str, span: Span) -> Result<String> {
    let escape = escape_char(escape, span)?;
    let mut regex = String::from("^(?s:");
    let mut is_in_brackets = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => {
                let escaped = chars.next().ok_or_else(|| nothing_escaped(span))?;
                if escaped.is_ascii_punctuation() {
                    regex.push('\\');
                }
                regex.push(escaped);
            }
            '[' | ']' => {
                is_in_brackets = c == '[';
                regex.push(c);
            }
            '%' if !is_in_brackets => regex.push_str(".*"),
            '_' if !is_in_brackets => regex.push('.'),
            '.' | '$' | '\\' => regex.extend(['\\', c]),
            '^' if !is_in_brackets => regex.push_str(r"\^"),
            c => regex.push(c),
        }
    }
    Ok(regex + ")$")
}

/// Returns the escape character, none if there is none.
fn escape_char(escape: &str, span: Span) -> Result<Option<char>> {
    let mut chars = escape.chars();
    match (chars.next(), chars.next()) {
        (_, Some(_)) => Err(LowerError::unsupported("ESCAPE with more than one character", span)),
        (first, None) => Ok(first),
    }
}

fn nothing_escaped(span: Span) -> LowerError {
    LowerError::unsupported("a pattern that ends with its escape character", span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_backslashes() {
        let like = |pattern, escape| like(pattern, escape, Span::default()).unwrap();
        assert_eq!(like("x!%_!!", "!"), r"x\%_\!");
        assert_eq!(like(r"a\b%", "!"), r"a\\b%");
        assert_eq!(like(r"a\b%", ""), r"a\\b%");
        assert!(super::like("x!", "!", Span::default()).is_err());
        assert!(super::like("x", "!!", Span::default()).is_err());
    }

    #[test]
    fn similar_to_becomes_a_regular_expression() {
        let regex = |pattern| similar_to(pattern, "\\", Span::default()).unwrap();
        assert_eq!(regex("(a|b)%_"), "^(?s:(a|b).*.)$");
        assert_eq!(regex(r"1.5$\%[%_^]"), r"^(?s:1\.5\$\%[%_^])$");
    }
}

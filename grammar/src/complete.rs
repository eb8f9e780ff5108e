//! Whether what was typed so far is a whole statement.
//! In: a text. Out: whether to run it or to ask for another line. Called by the REPL on every
//! Enter, so it only looks at tokens and does not parse.

use crate::scan::{Scanner, Token, TokenKind};

/// Whether a text can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// The last statement ends with `;`.
    Complete,
    /// A `;`, a closing quote or the end of a comment is still to come.
    Incomplete,
    /// There is nothing but blanks, comments and `;`.
    Empty,
}

/// Returns whether a text ends with a `;` that ends a statement, so one outside of quotes and
/// comments.
pub fn completeness(text: &str) -> Completeness {
    let mut scanner = Scanner::new(text);
    let mut has_statement = false;
    let mut last = None;
    while let Some(token) = scanner.next() {
        match token {
            Token { kind: TokenKind::Unclosed(_), .. } => return Completeness::Incomplete,
            Token { kind: TokenKind::Semicolon, .. } => {}
            _ => has_statement = true,
        }
        last = Some(token.kind);
    }
    match last {
        _ if !has_statement => Completeness::Empty,
        Some(TokenKind::Semicolon) => Completeness::Complete,
        _ => Completeness::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_quotes_and_comments() {
        for text in
            ["select 1;", "select 1; -- done", "select ';' ; /* ; */ ", "select (1;", "insert;"]
        {
            assert_eq!(completeness(text), Completeness::Complete, "{text}");
        }
        for text in [
            "select 1",
            "select ';",
            "select \";",
            "select $$;",
            "select 1 /* ;",
            "select 1; select",
            "select 1 -- ;",
            "e'\\';",
        ] {
            assert_eq!(completeness(text), Completeness::Incomplete, "{text}");
        }
        for text in ["", "  \n", "-- nothing", "/* nothing */", ";", " ; ; "] {
            assert_eq!(completeness(text), Completeness::Empty, "{text}");
        }
    }
}

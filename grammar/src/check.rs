//! The mistakes that show in tokens alone, found before the grammar sees the text.
//! In: a text. Out: its tokens, or its first such mistake: open quotes, unbalanced brackets,
//! malformed numbers, foreign operators, unknown statements, nesting past the limit.
//! Linear and not recursive, so that what reaches the recursive parser is known to fit.

use crate::ast::Span;
use crate::duration::{parse_duration, shortened};
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::{MAX_NESTING, MAX_TEXT_BYTES, Scanner, Token, TokenKind};

/// The words that begin a statement.
const STATEMENTS: [&str; 8] =
    ["SELECT", "WITH", "VALUES", "EXPLAIN", "DESCRIBE", "DESC", "SHOW", "SET"];

/// The words that begin a statement elsewhere, but change something or reach outside.
const NOT_READING: [&str; 28] = [
    "INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT", "REPLACE", "CREATE", "DROP", "ALTER",
    "TRUNCATE", "COPY", "GRANT", "REVOKE", "BEGIN", "START", "COMMIT", "ROLLBACK", "LOAD",
    "ATTACH", "DETACH", "CALL", "USE", "VACUUM", "ANALYZE", "PRAGMA", "PREPARE", "EXECUTE", "LOCK",
];

/// The words after which an operand follows, so that `end` there is a column and closes no CASE.
const BEFORE_OPERAND: [&str; 19] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "like",
    "ilike",
    "to",
    "between",
    "symmetric",
    "escape",
    "when",
    "then",
    "else",
    "case",
    "from",
    "zone",
    "overlaps",
    "contains",
];

/// What is open at some point of a statement.
struct Open {
    /// The opening bracket, `c` for CASE.
    bracket: char,
    span: Span,
}

/// A text without a mistake that shows in tokens alone.
pub(crate) struct Checked {
    /// Its tokens.
    pub(crate) tokens: Vec<Token>,
    /// How deep brackets and CASE nest.
    pub(crate) n_levels: usize,
}

/// Returns the tokens of a text unless one of them shows a mistake.
pub(crate) fn check(text: &str) -> Result<Checked, ParseError> {
    if text.len() > MAX_TEXT_BYTES {
        let kind = ParseErrorKind::TooMuch { what: "the bytes of the text", limit: "1 MiB" };
        return Err(ParseError::new(kind, Span::default()));
    }
    let mut scanner = Scanner::new(text);
    let mut checked = Checked { tokens: Vec::new(), n_levels: 0 };
    let mut open = Vec::new();
    let mut is_start = true;
    let mut last: Option<Token> = None;
    while let Some(token) = scanner.next() {
        let word = token.span.of(text);
        check_token(text, token)?;
        if is_start && token.kind == TokenKind::Word {
            check_statement(word, token.span)?;
        }
        match token.kind {
            TokenKind::Open(bracket) => open.push(Open { bracket, span: token.span }),
            TokenKind::Close(found) => close(&mut open, found, token.span)?,
            TokenKind::Word if word.eq_ignore_ascii_case("case") => {
                open.push(Open { bracket: 'c', span: token.span });
            }
            TokenKind::Word
                if word.eq_ignore_ascii_case("end")
                    && last.is_some_and(|last| ends_operand(last, text)) =>
            {
                open.pop_if(|open| open.bracket == 'c');
            }
            TokenKind::Semicolon => check_closed(&mut open)?,
            _ => {}
        }
        if open.len() > MAX_NESTING {
            let kind =
                ParseErrorKind::TooMuch { what: "nested brackets and CASE", limit: "128 levels" };
            return Err(ParseError::new(kind, token.span));
        }
        checked.n_levels = checked.n_levels.max(open.len());
        is_start = token.kind == TokenKind::Semicolon;
        last = Some(token);
        checked.tokens.push(token);
    }
    check_closed(&mut open)?;
    Ok(checked)
}

/// Refuses tokens that are wrong wherever they stand.
fn check_token(text: &str, token: Token) -> Result<(), ParseError> {
    let found = token.span.of(text);
    let mut span = token.span;
    let kind = match token.kind {
        TokenKind::Unclosed(what) => ParseErrorKind::Unclosed { what },
        TokenKind::DeepComment => {
            ParseErrorKind::TooMuch { what: "nested comments", limit: "128 levels" }
        }
        TokenKind::Quoted if found == "\"\"" => ParseErrorKind::EmptyName,
        TokenKind::Number if is_number(found) => return Ok(()),
        TokenKind::Number => match parse_duration(found) {
            Ok(_) => return Ok(()),
            Err(kind) => kind,
        },
        TokenKind::Symbol(symbol) if symbol.ends_with('=') && follows(text, span, "=") => {
            span = Span::new(span.end - 1, span.end + 1);
            ParseErrorKind::ForeignOperator { found: "==", instead: "=" }
        }
        TokenKind::Symbol("&") if follows(text, span, "&") => {
            span.end += 1;
            ParseErrorKind::ForeignOperator { found: "&&", instead: "AND" }
        }
        TokenKind::Unknown(character) => ParseErrorKind::UnexpectedCharacter { character },
        _ => return Ok(()),
    };
    Err(ParseError::new(kind, span))
}

/// Returns whether `next` stands directly behind a span.
fn follows(text: &str, span: Span, next: &str) -> bool {
    text.get(span.end..).is_some_and(|rest| rest.starts_with(next))
}

/// Returns whether the grammar reads this token as a number.
fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.trim_start_matches(['+', '-'])),
        None => (text, "0"),
    };
    mantissa.chars().all(|c| c.is_ascii_digit() || c == '.')
        && mantissa.matches('.').count() <= 1
        && !exponent.is_empty()
        && exponent.chars().all(|c| c.is_ascii_digit())
}

/// Checks the first word of a statement.
fn check_statement(word: &str, span: Span) -> Result<(), ParseError> {
    let upper = word.to_uppercase();
    let kind = if STATEMENTS.contains(&upper.as_str()) {
        return Ok(());
    } else if upper == "FROM" {
        ParseErrorKind::FromFirst
    } else if NOT_READING.contains(&upper.as_str()) {
        ParseErrorKind::NotReading { found: upper }
    } else {
        let candidate = STATEMENTS.into_iter().find(|statement| is_near(statement, &upper));
        ParseErrorKind::UnknownStatement { found: shortened(word), candidate }
    };
    Err(ParseError::new(kind, span))
}

/// Returns whether one word becomes the other by one letter changed, added or left out, or by two
/// neighbours exchanged.
pub(crate) fn is_near(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same_before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same_before..], &b[same_before..]);
    let same_after = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&a[..a.len() - same_after], &b[..b.len() - same_after]) {
        ([a1, a2], [b1, b2]) => a1 == b2 && a2 == b1,
        (a, b) => a.len() <= 1 && b.len() <= 1,
    }
}

/// Takes the bracket off that `found` closes.
fn close(open: &mut Vec<Open>, found: char, span: Span) -> Result<(), ParseError> {
    // A CASE that is open here lacks its END; the parser says so.
    while open.pop_if(|open| open.bracket == 'c').is_some() {}
    let expected = match open.pop().map(|open| open.bracket) {
        Some('(') => ')',
        Some('[') => ']',
        Some('{') => '}',
        _ => return Err(ParseError::new(ParseErrorKind::Unopened { found }, span)),
    };
    if expected == found {
        Ok(())
    } else {
        Err(ParseError::new(ParseErrorKind::WrongBracket { expected, found }, span))
    }
}

/// Refuses brackets that are open at the end of a statement.
fn check_closed(open: &mut Vec<Open>) -> Result<(), ParseError> {
    for Open { bracket, span } in open.drain(..) {
        let what = match bracket {
            '(' => "`(`",
            '[' => "`[`",
            '{' => "`{`",
            _ => continue,
        };
        return Err(ParseError::new(ParseErrorKind::Unclosed { what }, span));
    }
    Ok(())
}

/// Returns whether an operand may end with this token.
fn ends_operand(token: Token, text: &str) -> bool {
    let word = token.span.of(text);
    match token.kind {
        TokenKind::Word => !BEFORE_OPERAND.iter().any(|before| word.eq_ignore_ascii_case(before)),
        TokenKind::Quoted
        | TokenKind::Text
        | TokenKind::Number
        | TokenKind::Parameter
        | TokenKind::Close(_) => true,
        _ => false,
    }
}

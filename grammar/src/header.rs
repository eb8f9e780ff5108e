//! The comment that a query file begins with: `-- key: value`, a line each.
//! In: a text. Out: its lines in their order, and the parameters that they declare. What a key other
//! than `param` and `sessionql` means is decided elsewhere, and any may be there.

use crate::ast::{Expr, Ident, ParameterKind, ParameterType, Span, StatementKind};
use crate::duration::shortened;
use crate::error::{ParseError, ParseErrorKind};
use crate::parse::statements;
use crate::scan::{Scanner, Token, TokenKind};

/// What a line begins with, behind the dashes, that goes on with the description above it.
const CONTINUATION: &str = "   ";

/// What the comment at the beginning of a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// All its lines with a key.
    pub entries: Vec<HeaderEntry>,
    /// The parameters that it declares.
    pub parameters: Vec<ParameterDeclaration>,
}

/// One line of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderEntry {
    /// What stands before the colon.
    pub key: String,
    /// What stands after it, without the blanks around.
    pub value: String,
    /// The place of the value.
    pub span: Span,
}

/// `-- param: name type [= default] [-- doc]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterDeclaration {
    /// The parameter.
    pub name: Ident,
    /// Its type.
    pub data_type: ParameterType,
    /// The value that it has if none is given. Its own spans are not those of the text.
    pub default: Option<Expr>,
    /// Where the default stands, or where the declaration ends.
    pub default_span: Span,
    /// What it is for.
    pub doc: Option<String>,
}

impl Header {
    /// Returns the first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

/// Returns the header of a text; blank lines and comments without a key do not end it. A description
/// goes on in lines that are indented by three blanks or more.
///
/// # Errors
///
/// A `param` line that declares nothing, and a version of the format that is not known.
pub fn header(text: &str) -> Result<Header, ParseError> {
    let mut header = Header::default();
    let mut at = 0;
    let mut is_description = false;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let follows_description = std::mem::take(&mut is_description);
        let content = line.trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']);
        let Some(comment) = content.strip_prefix("--") else {
            if content.is_empty() {
                continue;
            }
            break;
        };
        if follows_description
            && comment.starts_with(CONTINUATION)
            && !comment.trim().is_empty()
            && let Some(description) = header.entries.last_mut()
        {
            let more = comment.trim();
            description.value = format!("{} {more}", description.value).trim_start().to_owned();
            description.span.end = start + line.trim_end().len();
            is_description = true;
            continue;
        }
        let Some((key, value)) = comment.split_once(':') else { continue };
        let (key, trimmed) = (key.trim(), value.trim_start());
        let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if key.is_empty() || !key.chars().all(is_key) {
            continue;
        }
        let value_start = start + line.len() - trimmed.len();
        let span = Span::new(value_start, value_start + trimmed.trim_end().len());
        let entry = HeaderEntry { key: key.to_lowercase(), value: span.of(text).to_owned(), span };
        match entry.key.as_str() {
            // What `check` is told to leave out.
            "sessionql" if entry.value.starts_with("allow ") => continue,
            "sessionql" if entry.value != "1" => {
                let kind = ParseErrorKind::HeaderVersion { found: shortened(&entry.value) };
                return Err(ParseError::new(kind, span));
            }
            "param" => {
                let declaration = declaration(text, span)?;
                let name = &declaration.name;
                if header.parameters.iter().any(|known| known.name.matches(&name.value)) {
                    let kind = ParseErrorKind::RepeatedParameter { name: name.value.clone() };
                    return Err(ParseError::new(kind, name.span));
                }
                header.parameters.push(declaration);
            }
            "description" => is_description = true,
            _ => {}
        }
        header.entries.push(entry);
    }
    Ok(header)
}

/// Reads the value of a `param` line.
fn declaration(text: &str, line: Span) -> Result<ParameterDeclaration, ParseError> {
    let value = line.of(text);
    let tokens = tokens(value, line.start)?;
    let end = Span::new(line.end, line.end);
    let mut rest = tokens.iter().copied().peekable();
    let mut expect = |expected: &'static str, is_it: &dyn Fn(Token) -> bool| {
        let found = rest.peek().copied();
        match found {
            Some(token) if is_it(token) => Ok(rest.next().unwrap_or(token)),
            _ => Err(unexpected(text, expected, found, end)),
        }
    };
    let is_word = |token: Token| token.kind == TokenKind::Word;
    let name = expect("the name of a parameter", &is_word)?;
    let word = expect("a type", &is_word)?;
    let is = |wanted: TokenKind| move |token: Token| token.kind == wanted;
    let mut type_span = word.span;
    let mut is_list = false;
    if expect("", &is(TokenKind::Open('['))).is_ok() {
        type_span = word.span.to(expect("`]`", &is(TokenKind::Close(']')))?.span);
        is_list = true;
    }
    let kind = parameter_kind(word.span.of(text), type_span)?;
    let has_default = expect("", &is(TokenKind::Symbol("="))).is_ok();
    let rest: Vec<Token> = rest.collect();
    let last = tokens.last().map_or(end, |token| token.span);
    let (default, default_span) = match (has_default, rest.first()) {
        (false, None) => (None, Span::new(last.end, last.end)),
        (false, found) => {
            return Err(unexpected(text, "`=`, `--` or the end of the line", found.copied(), end));
        }
        (true, None) => return Err(unexpected(text, "a value", None, end)),
        (true, Some(first)) => {
            let span = first.span.to(last);
            (Some(constant(span.of(text), span)?), span)
        }
    };
    let after = text.get(last.end..line.end).unwrap_or_default();
    let doc = after.trim_start().strip_prefix("--").map(|doc| doc.trim().to_owned());
    let value = name.span.of(text).to_owned();
    let name = Ident { value, is_quoted: false, span: name.span };
    let data_type = ParameterType { kind, is_list };
    let doc = doc.filter(|doc| !doc.is_empty());
    Ok(ParameterDeclaration { name, data_type, default, default_span, doc })
}

/// Returns the type that a word names.
pub(crate) fn parameter_kind(word: &str, span: Span) -> Result<ParameterKind, ParseError> {
    ParameterKind::of_word(word).ok_or_else(|| {
        let kind = ParseErrorKind::UnknownParameterType { found: shortened(word) };
        ParseError::new(kind, span)
    })
}

/// Cuts the value of a line into tokens with their places in the whole text.
fn tokens(value: &str, offset: usize) -> Result<Vec<Token>, ParseError> {
    let mut scanner = Scanner::new(value);
    let mut tokens = Vec::new();
    while let Some(Token { kind, span }) = scanner.next() {
        let span = Span::new(span.start + offset, span.end + offset);
        if let TokenKind::Unclosed(what) = kind {
            return Err(ParseError::new(ParseErrorKind::Unclosed { what }, span));
        }
        tokens.push(Token { kind, span });
    }
    Ok(tokens)
}

/// Parses a default; mistakes in it are placed where it stands.
fn constant(default: &str, span: Span) -> Result<Expr, ParseError> {
    const BEFORE: &str = "SET x = ";
    let parsed = statements(&format!("{BEFORE}{default}")).map_err(|error| {
        let moved = |at: usize| (at.saturating_sub(BEFORE.len()) + span.start).min(span.end);
        ParseError::new(error.kind, Span::new(moved(error.span.start), moved(error.span.end)))
    })?;
    match parsed.into_iter().map(|statement| statement.kind).collect::<Vec<_>>().as_slice() {
        [StatementKind::Set { value, .. }] => Ok(value.clone()),
        _ => {
            let found = format!("`{}`", shortened(default));
            let expected = "one value".to_owned();
            let kind = ParseErrorKind::Unexpected { expected, found, is_comma_missing: false };
            Err(ParseError::new(kind, span))
        }
    }
}

fn unexpected(text: &str, expected: &str, found: Option<Token>, end: Span) -> ParseError {
    let span = found.map_or(end, |token| token.span);
    let found = match found {
        Some(token) => format!("`{}`", shortened(token.span.of(text))),
        None => "the end of the line".to_owned(),
    };
    let expected = expected.to_owned();
    ParseError::new(ParseErrorKind::Unexpected { expected, found, is_comma_missing: false }, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(line: &str) -> ParameterDeclaration {
        header(&format!("-- param: {line}\nSELECT 1")).unwrap().parameters.remove(0)
    }

    #[test]
    fn keys_and_values_until_the_first_statement() {
        let text = "-- sessionql: 1\n-- name: late\n\n-- just words\n--severity:high  owner: a\n\
                    -- tags: [a, b]\nSELECT 1 -- name: no\n-- x: y\n";
        let header = header(text).unwrap();
        let entries: Vec<_> =
            header.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
        let expected = [
            ("sessionql", "1"),
            ("name", "late"),
            ("severity", "high  owner: a"),
            ("tags", "[a, b]"),
        ];
        assert_eq!(entries, expected);
        assert_eq!(header.get("name"), Some("late"));
        assert_eq!(header.entries[1].span.of(text), "late");
    }

    #[test]
    fn a_description_goes_on_in_indented_lines() {
        let text = "-- description: one\n--     two: three\n--    four\n-- name: n\n--    x: y\n";
        let header = header(text).unwrap();
        let entries: Vec<_> =
            header.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
        let expected = [("description", "one two: three four"), ("name", "n"), ("x", "y")];
        assert_eq!(entries, expected);
        assert_eq!(header.entries[0].span.of(text), "one\n--     two: three\n--    four");
    }

    #[test]
    fn a_declaration_has_a_type_a_default_and_a_doc() {
        let who = declared("who text");
        assert_eq!(
            (who.name.value.as_str(), who.data_type.to_string()),
            ("who", "text".to_owned())
        );
        assert_eq!((who.default, who.doc), (None, None));
        let n = declared("n int = 3 -- how many");
        assert_eq!(format!("{:?}", n.default), "Some(3)");
        assert_eq!(n.doc.as_deref(), Some("how many"));
        let nets = declared("nets cidr[] = ['10.0.0.0/8', '::/0']");
        assert_eq!(nets.data_type.to_string(), "cidr[]");
        assert_eq!(declared("t text = '-- x' -- a doc").doc.as_deref(), Some("a doc"));
        assert_eq!(declared("min DURATION = 8h").data_type.to_string(), "interval");
    }

    #[test]
    fn what_declares_nothing_is_an_error_where_it_stands() {
        for (line, message, place) in [
            ("", "expected the name of a parameter, found the end of the line", ""),
            ("who", "expected a type, found the end of the line", ""),
            ("who txt", "no parameter type `txt`", "txt"),
            ("who text[", "expected `]`, found the end of the line", ""),
            ("who text 3", "expected `=`, `--` or the end of the line, found `3`", "3"),
            ("who text =", "expected a value, found the end of the line", ""),
            ("who text = 1 +", "expected an expression, found the end of the query", ""),
            ("who text = 'a", "the text is never closed", "'"),
            ("3 int", "expected the name of a parameter, found `3`", "3"),
        ] {
            let text = format!("-- param: {line}\nSELECT 1");
            let error = header(&text).unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.span.of(&text)),
                (message, place),
                "{line}"
            );
        }
        let text = "-- param: a int\n-- param: A text\nSELECT 1";
        assert_eq!(header(text).unwrap_err().to_string(), "parameter `A` is declared twice");
        let text = "-- sessionql: 2\nSELECT 1";
        assert_eq!(header(text).unwrap_err().span.of(text), "2");
    }
}

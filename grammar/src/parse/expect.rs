//! What may stand at a place of a text that somebody is still typing.
//! In: a text and a place in it. Out: the words of the language that may stand there, and the
//! statement with a [`MARKER`] in the place, made whole with as little as will do, so that whoever
//! knows the tables sees where the marker is. What may stand is found by asking the grammar: a token
//! is possible if the grammar gets past it, and one that could be a name is a keyword only if it
//! gets further than a name would.

use pest::Parser as _;
use pest::error::InputLocation;

use super::codes::{self, CODE_BYTES};
use super::{Grammar, MAX_LEVELS_HERE, Rule, statements};
use crate::ast::{Span, Statement};
use crate::scan::{Scanner, Token, TokenKind};

/// The name that stands for what is being typed, as a name or as a text.
pub const MARKER: &str = "sessionql_cursor";

/// A longer statement is not looked into: the grammar is asked many times.
const MAX_TOKENS: usize = 2_000;

/// How many words may be missing at the end of a statement.
const MAX_MISSING: usize = 64;

/// What can be missing at the end of a statement, in the order in which it is tried.
const MISSING: [&str; 16] = [
    "1", "END", "THEN", "WHEN", "AND", "BY", "x", "'x'", "SELECT", "AS", "FROM", "JOIN", "ROW",
    "ONLY", "=", "(",
];

/// Words that are names as well, and what proves that one is no name: with a name in its place, this
/// could not follow.
const PROOFS: [(&str, &str); 24] = [
    ("all", "1"),
    ("cast", "(1 AS"),
    ("current", "ROW"),
    ("date", "''"),
    ("distinct", "1"),
    ("exists", "(SELECT 1"),
    ("filter", "(WHERE"),
    ("group", "BY"),
    ("grouping", "SETS"),
    ("groups", "BETWEEN"),
    ("ignore", "NULLS"),
    ("interval", "''"),
    ("lateral", "(SELECT 1"),
    ("order", "BY"),
    ("partition", "BY"),
    ("range", "BETWEEN"),
    ("recursive", "x AS"),
    ("respect", "NULLS"),
    ("rows", "BETWEEN"),
    ("time", "ZONE"),
    ("timestamp", "''"),
    ("try_cast", "(1 AS"),
    ("unbounded", "PRECEDING"),
    ("with", "x AS"),
];

/// Words that an operand may be and that are names as well, but that nobody means as one.
const OPERANDS: [&str; 2] = ["true", "false"];

/// What is being typed at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A name or a keyword, or nothing yet.
    Word,
    /// A name in quotes.
    Quoted,
    /// A text; whether its closing quote is already there.
    Text {
        /// Whether the closing quote is the next character.
        is_closed: bool,
    },
    /// `$name`.
    Parameter,
    /// Something that cannot be completed: a number, a comment.
    Other,
}

/// A place in a text, and what may stand there.
#[derive(Clone, Debug)]
pub struct Place {
    /// What is being typed.
    pub typed: Typed,
    /// Where it stands, up to the place; quotes and the `$` are part of it.
    pub span: Span,
    /// The keywords that may stand there and begin with what is typed, in upper case.
    pub keywords: Vec<&'static str>,
    /// Whether a parameter may stand there.
    pub takes_parameter: bool,
    /// Whether an operand may stand there.
    pub takes_operand: bool,
    /// The statement around the place with the marker in it, and where the marker is in that, if
    /// what is typed may stand there.
    pub statement: Option<(Statement, Span)>,
    /// Whether the statement's first word is written in lower case.
    pub is_lower: bool,
    /// Whether what is typed has a small letter.
    pub is_lower_typed: bool,
}

/// Returns what may stand at a place of a text, given in bytes.
pub fn place(text: &str, at: usize) -> Place {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (before_text, after) = text.split_at(at);
    let mut before = tokens(before_text);
    let (typed, span) = typed(before_text, after, &mut before);
    let mut place = Place {
        typed,
        span,
        keywords: Vec::new(),
        takes_parameter: false,
        takes_operand: false,
        statement: None,
        is_lower: false,
        is_lower_typed: span.of(text).contains(char::is_lowercase),
    };
    let start = before.iter().rposition(|token| token.kind == TokenKind::Semicolon);
    let before = before.split_off(start.map_or(0, |semicolon| semicolon + 1));
    if typed == Typed::Other || !fits(before_text, &before) {
        return place;
    }
    let first = before.first().map_or(span, |token| token.span).of(text);
    place.is_lower = first.starts_with(|c: char| c.is_lowercase());
    let asked = Asked { codes: codes::codes(before_text, &before) };
    let marker = match typed {
        Typed::Text { .. } => format!("'{MARKER}'"),
        Typed::Parameter => format!("${MARKER}"),
        _ => MARKER.to_owned(),
    };
    match typed {
        Typed::Word => {
            place.takes_parameter = asked.takes("$x");
            place.takes_operand = asked.takes("1");
            place.keywords = asked.keywords(span.of(text));
        }
        Typed::Parameter => place.takes_parameter = asked.takes("$x"),
        _ => {}
    }
    if asked.takes(&marker) || asked.takes(&format!("{marker} )")) {
        let begin = before.first().map_or(span.start, |token| token.span.start);
        let skipped = match typed {
            Typed::Text { is_closed } => usize::from(is_closed),
            _ => after.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(after.len()),
        };
        let begun = format!("{} {marker} ", &text[begin..span.start]);
        let at = begun.rfind(&marker).unwrap_or(0);
        let marked = Span::new(at, at + marker.len());
        place.statement = whole(&begun, &after[skipped..]).map(|statement| (statement, marked));
    }
    place
}

/// Finds what is being typed at the end of a text, and takes it off the tokens.
fn typed(before: &str, after: &str, tokens: &mut Vec<Token>) -> (Typed, Span) {
    let at = before.len();
    let nothing = Span::new(at, at);
    let Some(last) = tokens.last().copied() else {
        return if is_comment(before) { (Typed::Other, nothing) } else { (Typed::Word, nothing) };
    };
    let touches = Span::new(last.span.start, at);
    let typed = match last.kind {
        TokenKind::Unclosed("the text") if last.span.of(before) == "'" => {
            Typed::Text { is_closed: after.starts_with('\'') }
        }
        TokenKind::Unclosed("the quoted name") => Typed::Quoted,
        TokenKind::Unclosed(_) | TokenKind::DeepComment => Typed::Other,
        TokenKind::Word if last.span.end == at => Typed::Word,
        TokenKind::Number if last.span.end == at => Typed::Other,
        TokenKind::Parameter | TokenKind::Unknown('$') if last.span.end == at => Typed::Parameter,
        _ if is_comment(&before[last.span.end..]) => Typed::Other,
        _ => return (Typed::Word, nothing),
    };
    if typed == Typed::Other {
        return (typed, nothing);
    }
    tokens.pop();
    (typed, touches)
}

/// Tells whether blanks and comments end within a comment that runs to the end of its line.
fn is_comment(blanks: &str) -> bool {
    let line = blanks.rsplit('\n').next().unwrap_or_default();
    line.rsplit("*/").next().unwrap_or_default().contains("--")
}

/// Returns a statement made of what has begun and what follows: as much of this as can follow, and
/// what is missing between them and at the end.
fn whole(begun: &str, after: &str) -> Option<Statement> {
    let mut rest = tokens(after);
    let end = rest.iter().position(|token| {
        matches!(token.kind, TokenKind::Semicolon | TokenKind::Unclosed(_) | TokenKind::DeepComment)
    });
    rest.truncate(end.unwrap_or(rest.len()));
    let rest = rest.last().map_or("", |last| &after[..last.span.end]);
    let built = |text: &str| statements(&completed(text)?).ok()?.into_iter().next();
    let with_rest = |between: &str| format!("{begun} {between} {rest}");
    // The first words that are missing may be missing before what follows.
    let missing = missing(begun)?;
    let between = (0..=missing.len()).map(|n_words| missing[..n_words].join(" "));
    between
        .map(|between| with_rest(&between))
        .filter(|text| reached(text) == Some(text.len()))
        .find_map(|text| built(&text))
        .or_else(|| {
            let text = with_rest("");
            built(&text[..reached(&text)?])
        })
        .or_else(|| built(begun))
}

/// Returns how much of a text the grammar can read, in bytes; nothing if the marker is not part of it.
fn reached(text: &str) -> Option<usize> {
    let tokens = tokens(text);
    if !fits(text, &tokens) {
        return None;
    }
    let n_read = match Asked::of(text).read("") {
        Read::Whole | Read::Begun => return Some(text.len()),
        Read::Until(n_tokens) => n_tokens,
    };
    let end = tokens.get(..n_read)?.last()?.span.end;
    text[..end].contains(MARKER).then_some(end)
}

/// Returns a text with what is missing at its end.
pub(super) fn completed(text: &str) -> Option<String> {
    Some(format!("{text} {}", missing(text)?.join(" ")))
}

/// Returns the words that make a text whole at its end.
fn missing(text: &str) -> Option<Vec<String>> {
    let mut text = text.to_owned();
    let mut missing = Vec::new();
    while missing.len() < MAX_MISSING {
        let asked = Asked::of(&text);
        if asked.read("") == Read::Whole {
            return Some(missing);
        }
        let close = brackets(&tokens(&text)).last().map(char::to_string);
        let close = close.as_deref().into_iter();
        let word = close.chain(MISSING).find(|word| asked.takes(word))?;
        text.push(' ');
        text.push_str(word);
        missing.push(word.to_owned());
    }
    None
}

/// Tells whether tokens are few enough, and nested little enough, for the grammar to be asked.
pub(super) fn fits(text: &str, tokens: &[Token]) -> bool {
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in tokens {
        let word = token.span.of(text);
        match token.kind {
            TokenKind::Open(_) => depth += 1,
            TokenKind::Word if word.eq_ignore_ascii_case("case") => depth += 1,
            TokenKind::Close(_) => depth = depth.saturating_sub(1),
            TokenKind::Word if word.eq_ignore_ascii_case("end") => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    tokens.len() <= MAX_TOKENS && deepest < MAX_LEVELS_HERE
}

/// Returns what would close the brackets that tokens leave open, outermost first.
fn brackets(tokens: &[Token]) -> Vec<char> {
    let mut open = Vec::new();
    for token in tokens {
        match token.kind {
            TokenKind::Open('(') => open.push(')'),
            TokenKind::Open('[') => open.push(']'),
            TokenKind::Open(_) => open.push('}'),
            TokenKind::Close(_) => drop(open.pop()),
            _ => {}
        }
    }
    open
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut scanner = Scanner::new(text);
    std::iter::from_fn(|| scanner.next()).collect()
}

/// The begin of a statement that the grammar is asked about, in codes.
struct Asked {
    codes: String,
}

/// How far the grammar gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// All of it is a statement.
    Whole,
    /// All of it begins one.
    Begun,
    /// So many tokens.
    Until(usize),
}

impl Asked {
    fn of(text: &str) -> Self {
        Self { codes: codes::codes(text, &tokens(text)) }
    }

    /// Reads the statement with more at its end.
    fn read(&self, more: &str) -> Read {
        let codes = format!("{}{}", self.codes, Self::more(more));
        match Grammar::parse(Rule::script, &codes) {
            Ok(_) => Read::Whole,
            Err(error) => match error.location {
                InputLocation::Pos(at) | InputLocation::Span((at, _)) if at < codes.len() => {
                    Read::Until(at / CODE_BYTES)
                }
                _ => Read::Begun,
            },
        }
    }

    fn more(text: &str) -> String {
        codes::codes(text, &tokens(text))
    }

    /// Tells whether more can stand at the end.
    fn takes(&self, more: &str) -> bool {
        !matches!(self.read(more), Read::Until(_))
    }

    /// Returns the keywords that may follow and begin so, in upper case.
    fn keywords(&self, begin: &str) -> Vec<&'static str> {
        // After a dot or AS all words are names.
        let takes_any_name = self.takes("where") && self.takes("then");
        let begin = begin.to_lowercase();
        let (takes_clause_name, takes_name) = (self.takes("into"), self.takes("x"));
        let takes_operand = self.takes("1");
        let mut keywords: Vec<_> = codes::words()
            .filter(|word| word.text.starts_with(&begin) && self.takes(word.text))
            .filter(|word| {
                let (is_name, name) = match word.strictness {
                    _ if takes_any_name => (true, "where"),
                    codes::Strictness::Reserved => return true,
                    codes::Strictness::NoAlias => (takes_clause_name, "into"),
                    codes::Strictness::Name => (takes_name, "x"),
                };
                let proof = PROOFS.iter().find(|(text, _)| *text == word.text);
                !is_name
                    || takes_operand && OPERANDS.contains(&word.text)
                    || proof.is_some_and(|(_, proof)| {
                        self.takes(&format!("{} {proof}", word.text))
                            && !self.takes(&format!("{name} {proof}"))
                    })
            })
            .map(|word| word.written)
            .collect();
        keywords.sort_unstable();
        keywords
    }
}

/// Returns a name as it may be written where a column or a table is named.
pub fn written_name(name: &str) -> String {
    let is_plain = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_reserved = |name: &str| {
        let mut words = codes::words();
        words.any(|word| word.text == name && word.strictness == codes::Strictness::Reserved)
    };
    let begins = name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase());
    if begins && name.chars().all(is_plain) && !is_reserved(name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

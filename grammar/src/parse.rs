//! Text to syntax tree.
//! In: a script. Out: its statements, or the first mistake. Called through [`parse`] alone.
//! The way of a text: `scan` cuts it into tokens, `check` refuses what is wrong in these alone, `codes`
//! writes one character for each token, the grammar reads the characters of one statement at a time
//! (sessionql.pest over tokens.pest), and the builders below give its pairs the shape of the tree and
//! refuse what a grammar cannot, each in words of the language. Places are found by the number of a
//! token.

use std::cell::Cell;

use pest::Parser as _;

use crate::ast::{Expr, Ident, ObjectName, ShowKind, Span, Statement, StatementKind};
use crate::check::{Checked, check};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::header;
use crate::scan::{MAX_LINKS, MAX_LIST_ITEMS, MAX_NESTING, Token, TokenKind};

mod call;
mod codes;
mod expect;
mod explain;
mod expr;
mod foreign;
mod literal;
mod paint;
mod primary;
mod query;
mod select;
mod table;

/// The parser that the grammar files describe.
mod grammar {
    /// Generated: one function per rule.
    #[derive(pest_derive::Parser)]
    #[grammar = "sessionql.pest"]
    #[grammar = "tokens.pest"]
    pub(super) struct Grammar;
}

use codes::{CODE_BYTES, codes};
pub use expect::{MARKER, Place, Typed, place, written_name};
use grammar::{Grammar, Rule};
pub use paint::{Paint, paint};

type Pair<'t> = pest::iterators::Pair<'t, Rule>;
type Result<T> = std::result::Result<T, ParseError>;

/// How deep a tree may be, chains of operators included. Each bracket may add its own level and
/// that of the call or query it belongs to.
const MAX_DEPTH: usize = MAX_LINKS + 2 * MAX_NESTING;

/// How many levels of brackets are parsed on the caller's stack.
const MAX_LEVELS_HERE: usize = 16;

/// The stack for what nests deeper, so that callers need not care.
const STACK_BYTES: usize = 16 << 20;

/// Parses a script: statements separated by `;`, the last one optional. Empty statements are
/// skipped, comments may stand anywhere.
///
/// # Errors
///
/// The first mistake of the script, with its place; nothing is returned for the statements before
/// it. A header that declares parameters wrongly is one.
pub fn parse(text: &str) -> std::result::Result<Vec<Statement>, ParseError> {
    let statements = statements(text)?;
    header(text)?;
    Ok(statements)
}

/// Parses the statements of a script, whatever its header says.
pub(crate) fn statements(text: &str) -> Result<Vec<Statement>> {
    let Checked { tokens, n_levels } = check(text)?;
    if n_levels <= MAX_LEVELS_HERE {
        return build(text, &tokens);
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = builder.spawn_scoped(scope, || build(text, &tokens));
        let built = thread.ok().and_then(|thread| thread.join().ok());
        required(built, Span::default())?
    })
}

/// Builds the statements from tokens, one after another: what the grammar remembers of one stays
/// small enough for the caches of a processor.
fn build(text: &str, tokens: &[Token]) -> Result<Vec<Statement>> {
    let codes = codes(text, tokens);
    let mut statements = Vec::new();
    let mut first = 0;
    for part in tokens.split(|token| token.kind == TokenKind::Semicolon) {
        let end = first + part.len();
        if !part.is_empty() {
            let codes = codes.get(first * CODE_BYTES..end * CODE_BYTES).unwrap_or_default();
            let mut pairs = Grammar::parse(Rule::script, codes)
                .map_err(|error| explain::explain(&error, text, part, tokens.get(end)))?;
            let builder = Builder { text, tokens: part, depth: Cell::new(0) };
            statements.push(builder.statement(required(pairs.next(), Span::default())?)?);
        }
        first = end + 1;
    }
    Ok(statements)
}

/// Turns pairs of the grammar into nodes of the tree.
struct Builder<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// The depth of the node being built.
    depth: Cell<usize>,
}

impl<'t> Builder<'t> {
    fn statement(&self, script: Pair<'t>) -> Result<Statement> {
        let pair = only_child(script)?;
        let span = self.span(&pair);
        let pair = only_child(pair)?;
        let rule = pair.as_rule();
        let mut children = pair.into_inner();
        let kind = match rule {
            Rule::query => StatementKind::Query(Box::new(self.query(children, span)?)),
            Rule::explain => {
                let mut analyze = false;
                let mut query = None;
                for child in children {
                    match child.as_rule() {
                        Rule::k_analyze => analyze = true,
                        Rule::query => query = Some(Box::new(self.inner_query(child)?)),
                        _ => {}
                    }
                }
                StatementKind::Explain { analyze, query: required(query, span)? }
            }
            Rule::describe => {
                let path = children.find(|child| child.as_rule() == Rule::path);
                StatementKind::Describe(self.path(required(path, span)?))
            }
            Rule::show => {
                let name = children.find(|child| child.as_rule() == Rule::any_name);
                StatementKind::Show(show_kind(self.ident(&required(name, span)?)))
            }
            _ => {
                let name = children
                    .find(|child| matches!(child.as_rule(), Rule::any_name | Rule::parameter));
                let name = required(name, span)?;
                let is_parameter = name.as_rule() == Rule::parameter;
                let name = self.ident(&name);
                let value = self.expr(required(children.next_back(), span)?)?;
                if is_parameter {
                    StatementKind::SetParameter { name, value }
                } else {
                    StatementKind::Set { name, value }
                }
            }
        };
        Ok(Statement { kind, span })
    }

    /// Returns the tokens of a pair.
    fn tokens(&self, pair: &Pair<'_>) -> &'t [Token] {
        let codes = pair.as_span();
        let tokens = codes.start() / CODE_BYTES..codes.end() / CODE_BYTES;
        self.tokens.get(tokens).unwrap_or_default()
    }

    /// Returns where a pair stands.
    fn span(&self, pair: &Pair<'_>) -> Span {
        match self.tokens(pair) {
            [first, .., last] => first.span.to(last.span),
            [only] => only.span,
            [] => Span::default(),
        }
    }

    /// Returns the text of a pair.
    fn text(&self, pair: &Pair<'_>) -> &'t str {
        self.span(pair).of(self.text)
    }

    /// Returns the tokens of a pair in lower case with single blanks, so without its comments.
    fn words(&self, pair: &Pair<'_>) -> String {
        let tokens = self.tokens(pair).iter();
        let words: Vec<_> = tokens.map(|token| token.span.of(self.text).to_lowercase()).collect();
        words.join(" ")
    }

    /// Builds `levels` deeper than now.
    fn deeper<T>(&self, levels: usize, span: Span, build: impl FnOnce() -> Result<T>) -> Result<T> {
        let depth = self.depth.get() + levels;
        if depth > MAX_DEPTH {
            let kind = ParseErrorKind::TooMuch {
                what: "operators nested within each other",
                limit: "756 levels",
            };
            return Err(ParseError::new(kind, span));
        }
        self.depth.set(depth);
        let built = build();
        self.depth.set(depth - levels);
        built
    }

    /// Builds a name, or that of a parameter.
    fn ident(&self, pair: &Pair<'_>) -> Ident {
        self.name(self.span(pair))
    }

    fn name(&self, span: Span) -> Ident {
        let text = span.of(self.text);
        match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => Ident { value: text.replace("\"\"", "\""), is_quoted: true, span },
            None => {
                let value = text.strip_prefix('$').unwrap_or(text).to_owned();
                Ident { value, is_quoted: false, span }
            }
        }
    }

    /// Builds a dotted name.
    fn path(&self, pair: Pair<'_>) -> ObjectName {
        let span = self.span(&pair);
        let names = self.tokens(&pair).iter().step_by(2).map(|name| self.name(name.span));
        ObjectName { parts: names.collect(), span }
    }

    /// Builds all names directly below a pair.
    fn idents(&self, pair: Pair<'_>) -> Vec<Ident> {
        let names = pair.into_inner().filter(|child| child.as_rule() == Rule::any_name);
        names.map(|name| self.ident(&name)).collect()
    }

    /// Builds all expressions directly below a pair.
    fn exprs(&self, pair: Pair<'t>) -> Result<Vec<Expr>> {
        let pairs = pair.into_inner().filter(|child| child.as_rule() == Rule::expr);
        self.list(pairs, |pair| self.expr(pair))
    }

    /// Builds the items of a list, up to the limit.
    fn list<T>(
        &self,
        pairs: impl Iterator<Item = Pair<'t>>,
        mut build: impl FnMut(Pair<'t>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        for pair in pairs {
            if items.len() == MAX_LIST_ITEMS {
                let kind =
                    ParseErrorKind::TooMuch { what: "the items of a list", limit: "100,000" };
                return Err(ParseError::new(kind, self.span(&pair)));
            }
            items.push(build(pair)?);
        }
        Ok(items)
    }
}

/// Returns a dotted name that covers its parts.
fn object_name(parts: Vec<Ident>, span: Span) -> Result<ObjectName> {
    let first = required(parts.first(), span)?.span;
    let last = required(parts.last(), span)?.span;
    Ok(ObjectName { parts, span: first.to(last) })
}

fn show_kind(name: Ident) -> ShowKind {
    match name.normalized().as_str() {
        "connections" => ShowKind::Connections,
        "plugins" => ShowKind::Plugins,
        "tables" => ShowKind::Tables,
        "functions" => ShowKind::Functions,
        "parameters" => ShowKind::Parameters,
        _ => ShowKind::Setting(name),
    }
}

/// Returns the one child that a rule always has.
fn only_child(pair: Pair<'_>) -> Result<Pair<'_>> {
    required(pair.into_inner().next(), Span::default())
}

/// Returns what the grammar guarantees to be there.
fn required<T>(item: Option<T>, span: Span) -> Result<T> {
    item.ok_or_else(|| ParseError::new(ParseErrorKind::Internal, span))
}

//! Text to syntax tree.
//! In: a script. Out: its statements, or the first mistake. Called through [`parse`] alone.
//! The grammar file decides what is accepted; the modules below give it the shape of the tree and
//! refuse what a grammar cannot, each in words of the language.

use std::cell::Cell;

use pest::Parser as _;

use crate::ast::{Expr, Ident, ObjectName, ShowKind, Span, Statement, StatementKind};
use crate::check::{Checked, check};
use crate::error::{ParseError, ParseErrorKind};
use crate::header::header;
use crate::scan::{MAX_LINKS, MAX_LIST_ITEMS, MAX_NESTING, Token};

mod call;
mod explain;
mod expr;
mod literal;
mod primary;
mod query;
mod select;
mod table;

/// The parser that the grammar file describes.
mod grammar {
    /// Generated: one function per rule.
    #[derive(pest_derive::Parser)]
    #[grammar = "sessionql.pest"]
    pub(super) struct Grammar;
}

use grammar::{Grammar, Rule};

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

fn build(text: &str, tokens: &[Token]) -> Result<Vec<Statement>> {
    let blanked = blanked(text, tokens);
    let pairs = Grammar::parse(Rule::script, &blanked)
        .map_err(|error| explain::explain(&error, text, tokens))?;
    let builder = Builder { text, tokens, depth: Cell::new(0) };
    let mut statements = Vec::new();
    for pair in pairs.flat_map(Pair::into_inner) {
        if pair.as_rule() == Rule::statement {
            statements.push(builder.statement(pair)?);
        }
    }
    Ok(statements)
}

/// Returns the text with a blank for each byte of what stands between its tokens.
fn blanked(text: &str, tokens: &[Token]) -> String {
    let mut blanked = String::with_capacity(text.len());
    let ends = tokens.iter().map(|token| (token.span.start, token.span.of(text)));
    for (start, token) in ends.chain([(text.len(), "")]) {
        let n_blanks = start.saturating_sub(blanked.len());
        blanked.extend(std::iter::repeat_n(' ', n_blanks));
        blanked.push_str(token);
    }
    blanked
}

/// Turns pairs of the grammar into nodes of the tree.
struct Builder<'t> {
    text: &'t str,
    tokens: &'t [Token],
    /// The depth of the node being built.
    depth: Cell<usize>,
}

impl<'t> Builder<'t> {
    fn statement(&self, pair: Pair<'t>) -> Result<Statement> {
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
                StatementKind::Describe(self.path(required(path, span)?)?)
            }
            Rule::show => {
                let name = children.find(|child| child.as_rule() == Rule::any_name);
                StatementKind::Show(show_kind(self.ident(required(name, span)?)?))
            }
            _ => {
                let name = children
                    .find(|child| matches!(child.as_rule(), Rule::any_name | Rule::parameter));
                let name = required(name, span)?;
                let is_parameter = name.as_rule() == Rule::parameter;
                let (place, mut name) = (self.span(&name), self.ident(name)?);
                let value = self.expr(required(children.next_back(), span)?)?;
                if is_parameter {
                    name.span = place;
                    StatementKind::SetParameter { name, value }
                } else {
                    StatementKind::Set { name, value }
                }
            }
        };
        Ok(Statement { kind, span })
    }

    /// Returns where a pair stands, without the blanks and comments that the grammar took along.
    fn span(&self, pair: &Pair<'_>) -> Span {
        let span = pair.as_span();
        let after = self.tokens.partition_point(|token| token.span.end <= span.end());
        let end = after.checked_sub(1).map_or(span.end(), |last| self.tokens[last].span.end);
        Span::new(span.start(), end.max(span.start()))
    }

    /// Returns the tokens of a span in lower case with single blanks, so without its comments.
    fn words(&self, span: Span) -> String {
        let first = self.tokens.partition_point(|token| token.span.start < span.start);
        let tokens = self.tokens[first..].iter().take_while(|token| token.span.end <= span.end);
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

    fn ident(&self, pair: Pair<'_>) -> Result<Ident> {
        let name = if matches!(pair.as_rule(), Rule::name | Rule::quoted) {
            pair
        } else {
            only_child(pair)?
        };
        let span = Span::new(name.as_span().start(), name.as_span().end());
        let text = name.as_str();
        Ok(match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => Ident { value: text.replace("\"\"", "\""), is_quoted: true, span },
            None => Ident { value: text.to_owned(), is_quoted: false, span },
        })
    }

    /// Builds a dotted name from the names below a pair.
    fn path(&self, pair: Pair<'_>) -> Result<ObjectName> {
        let span = self.span(&pair);
        object_name(self.idents(pair)?, span)
    }

    /// Builds all names directly below a pair.
    fn idents(&self, pair: Pair<'_>) -> Result<Vec<Ident>> {
        let names = pair
            .into_inner()
            .filter(|child| matches!(child.as_rule(), Rule::any_name | Rule::column_name));
        names.map(|name| self.ident(name)).collect()
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
    let span = Span::new(pair.as_span().start(), pair.as_span().end());
    required(pair.into_inner().next(), span)
}

/// Returns what the grammar guarantees to be there.
fn required<T>(item: Option<T>, span: Span) -> Result<T> {
    item.ok_or_else(|| ParseError::new(ParseErrorKind::Internal, span))
}

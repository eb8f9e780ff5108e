//! Finds the part of a query that the engine refuses, where the engine does not tell.
//! In: a query and what was said of it. Out: the smallest expression without which this is not said.
//! If there is none, out comes the clause that the message names, or all of the query.
//!
//! An expression is to blame if the query is not refused with NULL in its place, or else if it is
//! then refused for another reason. From there it goes down, as long as just one of its own parts is
//! to blame.

use sessionql_grammar::ast::walk::{Visitor, walk_query};
use sessionql_grammar::ast::{
    Expr, ExprKind, Query, Select, SelectItem, SelectItemKind, Span, StatementKind,
};

/// How many times a query is planned again at most.
const MAX_TRIALS: usize = 60;

/// Longer queries are not searched: to read them so often takes longer than to find the mistake.
const MAX_QUERY_BYTES: usize = 64 << 10;

/// A query with NULL in the place of one of its expressions.
pub(super) struct Trial {
    pub(super) text: String,
    pub(super) query: Query,
}

/// A search for what is to blame.
pub(super) struct Search<'a> {
    text: &'a str,
    query: Span,
    exprs: Exprs,
    blamed: Option<Span>,
    /// Parts of what is to blame that were not tried yet, the last one first.
    untried: Vec<Span>,
    /// The part that is being tried.
    tried: Option<Span>,
    /// The parts without which the query is not refused.
    culprits: Vec<Span>,
    /// The parts without which it is refused for another reason: NULL may be a mistake there.
    suspects: Vec<Span>,
    n_trials: usize,
}

impl<'a> Search<'a> {
    /// Begins with the whole query.
    pub(super) fn new(text: &'a str, query: &Query) -> Self {
        let mut exprs = Exprs::default();
        if query.span.end - query.span.start <= MAX_QUERY_BYTES {
            walk_query(query, &mut exprs);
        }
        let untried = exprs.parts_of(None);
        let query = query.span;
        Self {
            text,
            query,
            exprs,
            blamed: None,
            untried,
            tried: None,
            culprits: vec![],
            suspects: vec![],
            n_trials: 0,
        }
    }

    /// Returns the next query to try; `None` if there is no more.
    pub(super) fn next_trial(&mut self) -> Option<Trial> {
        loop {
            while let Some(part) = self.untried.pop() {
                self.n_trials += 1;
                if self.n_trials > MAX_TRIALS {
                    return None;
                }
                self.tried = Some(part);
                if let Some(trial) = without(self.text, self.query, part) {
                    return Some(trial);
                }
            }
            let suspects = std::mem::take(&mut self.suspects);
            let culprits = match std::mem::take(&mut self.culprits) {
                culprits if culprits.is_empty() => suspects,
                culprits => culprits,
            };
            let [culprit] = culprits[..] else { return None };
            // That it is this very name or value is said by nothing: it may be what is done with it.
            if self.blamed.is_some() && self.exprs.is_leaf(culprit) {
                return None;
            }
            self.blamed = Some(culprit);
            self.untried = self.exprs.parts_of(self.blamed);
        }
    }

    /// Takes note that the last trial was not refused.
    pub(super) fn clear(&mut self) {
        self.culprits.extend(self.tried);
    }

    /// Takes note that the last trial was refused for another reason.
    pub(super) fn suspect(&mut self) {
        self.suspects.extend(self.tried);
    }

    /// Returns what to point at: the expression to blame, else the clause that the message names,
    /// if the query has just one, else the query.
    pub(super) fn place(&self, message: &str) -> Span {
        self.blamed.or_else(|| self.clause(message)).unwrap_or(self.query)
    }

    fn clause(&self, message: &str) -> Option<Span> {
        let is_keyword = |word: &&str| {
            word.len() > 1 && word.chars().all(|character| character.is_ascii_uppercase())
        };
        let keyword = message.split(' ').find(is_keyword)?;
        let query = self.query.of(self.text);
        let is_word_at = |start: usize| {
            let is_part = |character: char| character.is_alphanumeric() || character == '_';
            let (before, after) = (&query[..start], &query[start + keyword.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        };
        let upper = query.to_ascii_uppercase();
        let mut places =
            upper.match_indices(keyword).map(|(start, _)| start).filter(|start| is_word_at(*start));
        let start = self.query.start + places.next()?;
        let is_only = places.next().is_none();
        is_only.then_some(Span { start, end: start + keyword.len() })
    }
}

/// Returns the query with NULL in the place of an expression.
fn without(text: &str, query: Span, part: Span) -> Option<Trial> {
    let before = text.get(query.start..part.start)?;
    let after = text.get(part.end..query.end)?;
    let text = format!("{before} NULL {after}");
    let mut statements = sessionql_grammar::parse(&text).ok()?;
    match statements.pop()?.kind {
        StatementKind::Query(query) if statements.is_empty() => Some(Trial { text, query: *query }),
        _ => None,
    }
}

/// The expressions of a query, each before what is below it.
#[derive(Default)]
struct Exprs(Vec<(Span, bool)>);

impl Visitor for Exprs {
    fn expr(&mut self, expr: &Expr) {
        use ExprKind::{Column, Literal, Parameter};
        let is_leaf = matches!(expr.kind, Column(_) | Literal(_) | Parameter(_));
        self.0.push((expr.span, is_leaf));
    }

    fn select(&mut self, select: &Select) {
        let is_star = |item: &&SelectItem| !matches!(item.kind, SelectItemKind::Expr { .. });
        self.0.extend(select.items.iter().filter(is_star).map(|item| (item.span, true)));
    }
}

impl Exprs {
    /// Returns the largest expressions within a place, or of all.
    fn parts_of(&self, place: Option<Span>) -> Vec<Span> {
        let is_within = |span: &Span| {
            place.is_none_or(|place| {
                place.start <= span.start && span.end <= place.end && place != *span
            })
        };
        let mut parts: Vec<Span> = Vec::new();
        for (span, _) in self.0.iter().filter(|(span, _)| is_within(span)) {
            // What is below an expression comes right after it.
            let is_covered =
                parts.last().is_some_and(|part| part.start <= span.start && span.end <= part.end);
            if !is_covered {
                parts.push(*span);
            }
        }
        parts
    }

    fn is_leaf(&self, span: Span) -> bool {
        self.0.iter().any(|(known, is_leaf)| *known == span && *is_leaf)
    }
}

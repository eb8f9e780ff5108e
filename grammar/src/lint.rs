//! What is legal in a query and probably not meant.
//! In: a script, and what its surroundings know. Out: findings with places, names and hints; those
//! that a comment allows are left out. Called by `sessionql check`. Looks no name up by itself.

use crate::ast::{Span, Statement, StatementKind};
use crate::error::ParseError;
use crate::format::{Source, on_large_stack};
use crate::parse::parse;

mod buckets;
mod nulls;
mod rules;

/// The names of the lints, in the order of the documentation.
pub const LINTS: [&str; 8] = [
    "unused-cte",
    "unused-parameter",
    "no-time-bound",
    "never-true",
    "window-in-one-branch",
    "not-in-null",
    "time-buckets",
    "unknown-lint",
];

/// The words before the names that a comment allows.
const ALLOW: &str = "sessionql: allow ";

/// Something that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which lint found it.
    pub name: &'static str,
    /// One sentence.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do, where that is sure to help.
    pub hint: Option<&'static str>,
}

/// What is known of a script beyond its text.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Tells whether a table, given by its parts as in a query, is read from a provider that keeps
    /// sessions of the past.
    pub has_history: &'a (dyn Fn(&[String]) -> bool + Sync),
    /// The parameters that the script declares, and where.
    pub parameters: &'a [(String, Span)],
}

/// Returns what is probably not meant in a script, in the order of its places.
///
/// # Errors
///
/// The first mistake of the script.
pub fn lint(text: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Finding>, ParseError> {
    on_large_stack(|| {
        let statements = parse(text)?;
        let source = Source::new(text);
        let mut findings = Vec::new();
        for (n, statement) in statements.iter().enumerate() {
            let mut found = match &statement.kind {
                StatementKind::Query(query) | StatementKind::Explain { query, .. } => {
                    rules::findings(query, surroundings)
                }
                _ => Vec::new(),
            };
            let allowed = allowed_of(&source, &statements, n, &mut found);
            found.retain(|finding| !allowed.contains(&finding.name));
            findings.append(&mut found);
        }
        findings.extend(rules::unused_parameters(&statements, surroundings));
        findings.sort_by_key(|finding| finding.span);
        Ok(findings)
    })?
}

/// Returns for each statement of a script the lints that its comments allow: findings of the same
/// names may come from elsewhere, such as from planning.
///
/// # Errors
///
/// The first mistake of the script.
pub fn allowed_lints(text: &str) -> Result<Vec<Vec<&'static str>>, ParseError> {
    on_large_stack(|| {
        let statements = parse(text)?;
        let source = Source::new(text);
        let lints = (0..statements.len())
            .map(|n| allowed_of(&source, &statements, n, &mut Vec::new()))
            .collect();
        Ok(lints)
    })?
}

/// Returns the lints that the comments before, in and behind the `n`-th statement allow.
fn allowed_of(
    source: &Source<'_>,
    statements: &[Statement],
    n: usize,
    findings: &mut Vec<Finding>,
) -> Vec<&'static str> {
    let next = statements.get(n + 1).map_or(source.text.len(), |next| next.span.start);
    let before = n.checked_sub(1).map(|n| statements[n].span.end);
    allowed(source, &statements[n], before, next, findings)
}

fn allowed(
    source: &Source<'_>,
    statement: &Statement,
    before: Option<usize>,
    next: usize,
    findings: &mut Vec<Finding>,
) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for comment in source.comments.iter().flatten() {
        let (at, comment) = (comment.start, comment.text);
        let is_behind =
            |end: usize| source.text.get(end..at).is_some_and(|between| !between.contains('\n'));
        let is_before = before.is_none_or(|before| at > before && !is_behind(before));
        let is_its = (is_before && at < statement.span.end)
            || (at >= statement.span.end && at < next && is_behind(statement.span.end));
        let Some((_, names)) = comment.split_once(ALLOW).filter(|_| is_its) else { continue };
        for name in names.trim_end_matches("*/").split(',').map(str::trim) {
            match LINTS.iter().find(|lint| **lint == name) {
                Some(lint) => allowed.push(*lint),
                None => findings.push(Finding {
                    name: "unknown-lint",
                    message: format!("there is no lint `{name}` to allow"),
                    span: Span::new(at, at + comment.len()),
                    hint: None,
                }),
            }
        }
    }
    allowed
}

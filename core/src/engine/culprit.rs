//! Names the expression that a value of a row broke, where the engine only says how.
//! In: a query before it runs, and what the engine says of its run. Out: the error, with the
//! expressions of the query that can have failed in this way, if they are few.

use sessionql_grammar::ast::walk::{Visitor, walk_query};
use sessionql_grammar::ast::{BinaryOp, Expr, ExprKind, Literal, Query};

use crate::error::Error;

/// How many expressions are named at most.
const MAX_NAMED: usize = 3;

/// Longer expressions are cut.
const MAX_CHARACTERS: usize = 60;

/// The expressions of a query that a value may break, as they are written.
#[derive(Debug, Default)]
pub(super) struct Culprits {
    divisions: Vec<String>,
    casts: Vec<String>,
}

/// Returns the expressions of a query that a value may break.
pub(super) fn find(text: &str, query: &Query) -> Culprits {
    let mut search = Search { text, found: Culprits::default() };
    walk_query(query, &mut search);
    search.found
}

impl Culprits {
    /// Returns the error of a run.
    pub(super) fn name(&self, message: String) -> Error {
        let (suspects, hint) = if message == "division by zero" {
            (&self.divisions, "`nullif(x, 0)` as the divisor yields NULL instead")
        } else if message.starts_with("the text `") {
            (&self.casts, "TRY_CAST yields NULL instead")
        } else {
            return Error::Run { message, hint: None };
        };
        if suspects.is_empty() {
            return Error::Run { message, hint: None };
        }
        let named: Vec<String> = suspects.iter().map(|suspect| format!("`{suspect}`")).collect();
        let message = match named.len() {
            0..=MAX_NAMED => format!("{message} in {}", named.join(" or ")),
            _ => message,
        };
        Error::Run { message, hint: Some(hint.to_owned()) }
    }
}

struct Search<'a> {
    text: &'a str,
    found: Culprits,
}

impl Visitor for Search<'_> {
    fn expr(&mut self, expr: &Expr) {
        let suspects = match &expr.kind {
            ExprKind::Binary { op: BinaryOp::Divide | BinaryOp::Modulo, right, .. }
                if !is_literal(right) =>
            {
                &mut self.found.divisions
            }
            ExprKind::Cast { operand, is_try: false, .. } if !is_literal(operand) => {
                &mut self.found.casts
            }
            _ => return,
        };
        // One more than are named tells that there are too many.
        if suspects.len() <= MAX_NAMED {
            let written = cut(expr.span.of(self.text));
            if !suspects.contains(&written) {
                suspects.push(written);
            }
        }
    }
}

fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Nested(inner) => is_literal(inner),
        ExprKind::Literal(Literal::Number(digits)) => {
            digits.parse::<f64>().is_ok_and(|value| value != 0.0)
        }
        ExprKind::Literal(_) => true,
        _ => false,
    }
}

fn cut(written: &str) -> String {
    let line = written.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use sessionql_grammar::ast::StatementKind;

    use super::*;

    fn named(text: &str, message: &str) -> String {
        let statement = sessionql_grammar::parse(text).unwrap().remove(0);
        let StatementKind::Query(query) = statement.kind else { panic!("{text} is a query") };
        find(text, &query).name(message.to_owned()).to_string()
    }

    #[test]
    fn an_error_of_a_row_names_what_can_have_failed() {
        let by_zero = |text| named(text, "division by zero");
        assert_eq!(by_zero("SELECT 1/n, n/2 FROM t"), "division by zero in `1/n`");
        assert_eq!(by_zero("SELECT n % (a - b) FROM t"), "division by zero in `n % (a - b)`");
        assert_eq!(
            by_zero("SELECT a/b FROM t WHERE a/b > c/d"),
            "division by zero in `a/b` or `c/d`"
        );
        assert_eq!(by_zero("SELECT 1/a, 1/b, 1/c, 1/d FROM t"), "division by zero");
        assert_eq!(by_zero("SELECT 1/2"), "division by zero");
        assert_eq!(
            named("SELECT CAST(x AS int), y FROM t", "the text `a` is no int32"),
            "the text `a` is no int32 in `CAST(x AS int)`"
        );
        assert_eq!(named("SELECT 1/n FROM t", "format error"), "format error");
    }
}

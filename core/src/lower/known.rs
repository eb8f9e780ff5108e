//! Comparisons of columns of which all values are known with a value that is none of them.
//! They are legal and never true, or always, and mean a typing error or a value of another provider.
//! Comparisons with NULL are never true either.

use sessionql_grammar::ast::{self, BinaryOp, ExprKind, Literal, Span};

use super::logic::innermost;
use super::{Lowering, Warning};
use crate::error::nearest;

/// How many values of one list are told of.
const MAX_TOLD: usize = 3;

/// How many values a hint names.
const MAX_NAMED: usize = 8;

impl Lowering<'_> {
    /// Checks `column = constant` and its relatives, in either order.
    pub(super) fn check_comparison(&mut self, op: BinaryOp, left: &ast::Expr, right: &ast::Expr) {
        let is_negated = match op {
            BinaryOp::Eq => false,
            BinaryOp::NotEq => true,
            _ => return,
        };
        // A parameter without a value is NULL, and meant to be: `$who IS NULL OR user = $who`.
        let text = self.context.text;
        let is_null = |side: &ast::Expr| {
            let side = innermost(side);
            matches!(side.kind, ExprKind::Literal(Literal::Null))
                && !side.span.of(text).starts_with(['$', '{'])
        };
        if is_null(left) || is_null(right) {
            self.warn(Warning {
                message: "a comparison with NULL is never true".to_owned(),
                span: Span::new(left.span.start, right.span.end),
                hint: Some("write IS NULL or IS NOT NULL".to_owned()),
                lint: Some("never-true"),
            });
        }
        self.check_known(left, &[right], is_negated);
        self.check_known(right, &[left], is_negated);
    }

    /// Warns of constants that a column never has the value of.
    pub(super) fn check_known(
        &mut self,
        column: &ast::Expr,
        constants: &[&ast::Expr],
        is_negated: bool,
    ) {
        let ExprKind::Column(name) = &innermost(column).kind else { return };
        let Some(column) = self.resolve(&name.parts).filter(|column| !column.values.is_empty())
        else {
            return;
        };
        let impossible: Vec<(&str, Span)> = constants
            .iter()
            .map(|constant| innermost(constant))
            .filter_map(|constant| match &constant.kind {
                ExprKind::Literal(Literal::Text(text)) => Some((text.as_str(), constant.span)),
                _ => None,
            })
            .filter(|(text, _)| !column.values.iter().any(|value| value == text))
            .collect();
        let so = match (impossible.len() == constants.len(), is_negated) {
            (false, _) => "",
            (true, false) => ": the comparison is never true",
            (true, true) => ": the comparison is true of every value",
        };
        let warnings: Vec<Warning> = impossible
            .into_iter()
            .take(MAX_TOLD)
            .map(|(text, span)| Warning {
                message: format!("`{}` is never '{text}'{so}", column.name),
                span,
                hint: Some(hint(text, &column.values)),
                lint: Some("never-true"),
            })
            .collect();
        warnings.into_iter().for_each(|warning| self.warn(warning));
    }

    fn warn(&mut self, warning: Warning) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// Returns the value that was perhaps meant, else those that there are.
fn hint(text: &str, values: &[String]) -> String {
    let quoted = |values: &[String]| -> Vec<String> {
        values.iter().map(|value| format!("'{value}'")).collect()
    };
    let near = nearest(text, values.iter().map(String::as_str));
    if !near.is_empty() {
        return format!("did you mean {}?", quoted(&near).join(" or "));
    }
    let named = &values[..values.len().min(MAX_NAMED)];
    let more = if named.len() < values.len() { ", …" } else { "" };
    format!("its values are {}{more}", quoted(named).join(", "))
}

//! Whether a query may yield NULL, as far as its text tells: what NOT IN stumbles over.

use super::rules::innermost;
use crate::ast::{
    Arguments, Expr, ExprKind, Function, Ident, IsTest, Literal, ObjectName, Query, SelectItem,
    SelectItemKind, SetExprKind,
};

/// Returns whether a query may yield NULL, as far as its text tells.
pub(super) fn may_yield_null(query: &Query) -> bool {
    let SetExprKind::Select(select) = &query.body.kind else { return true };
    let column = match select.items.as_slice() {
        [SelectItem { kind: SelectItemKind::Expr { value, .. }, .. }] => {
            match &innermost(value).kind {
                ExprKind::Literal(literal) => return matches!(literal, Literal::Null),
                ExprKind::Function(function) if is_never_null(function) => return false,
                ExprKind::Column(name) => Some(name),
                _ => None,
            }
        }
        _ => None,
    };
    !select.filter.as_ref().is_some_and(|filter| {
        has_is_not_null(filter) || column.is_some_and(|column| compares(filter, column))
    })
}

/// Returns whether a call yields a value whatever its arguments are.
fn is_never_null(function: &Function) -> bool {
    let [name] = function.name.parts.as_slice() else { return false };
    if name.matches("count") {
        return true;
    }
    let Arguments::List { items, .. } = &function.arguments else { return false };
    let last = items.last().map(|item| &innermost(&item.value).kind);
    (name.matches("coalesce") || name.matches("ifnull") || name.matches("nvl"))
        && matches!(last, Some(ExprKind::Literal(literal)) if !matches!(literal, Literal::Null))
}

/// Returns whether a condition compares a column, and so is true of no NULL.
fn compares(filter: &Expr, column: &ObjectName) -> bool {
    let is_it = |expr: &Expr| match &innermost(expr).kind {
        ExprKind::Column(name) => {
            name.parts.last().map(Ident::normalized) == column.parts.last().map(Ident::normalized)
        }
        _ => false,
    };
    match &innermost(filter).kind {
        ExprKind::And(items) => items.iter().any(|item| compares(item, column)),
        ExprKind::Binary { op, left, right, .. } => {
            op.is_comparison() && (is_it(left) || is_it(right))
        }
        ExprKind::InList { operand, is_negated: false, .. } | ExprKind::Like { operand, .. } => {
            is_it(operand)
        }
        _ => false,
    }
}

fn has_is_not_null(expr: &Expr) -> bool {
    match &innermost(expr).kind {
        ExprKind::Is { test: IsTest::Null, is_negated: true, .. } => true,
        ExprKind::And(items) => items.iter().any(has_is_not_null),
        _ => false,
    }
}

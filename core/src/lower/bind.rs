//! Puts constants in the place of parameters, before anything else looks at a query.
//! In: a query, and the constants by name. Out: the same query without parameters, each constant with
//! the place of the parameter that it stands for. A list becomes the list of IN.

use std::collections::HashMap;

use sessionql_grammar::ast::{self, BinaryOp, Expr, ExprKind, Literal, Span, walk_query_mut};

use super::logic::innermost;
use super::{Context, LowerError, LowerErrorKind, Result};
use crate::error::nearest;

/// Returns the query with constants for its parameters; nothing if it can have none.
pub(super) fn bind(query: &ast::Query, context: &Context<'_>) -> Result<Option<ast::Query>> {
    if !query.span.of(context.text).contains(['$', '{']) {
        return Ok(None);
    }
    let mut bound = query.clone();
    let mut unknown = None;
    walk_query_mut(&mut bound, &mut |expr| {
        unpack_lists(expr, &context.parameters);
        let Some(name) = name_of(expr) else { return };
        match context.parameters.get(&name) {
            Some(constant) => *expr = placed(constant, expr.span),
            None => {
                unknown.get_or_insert((name, expr.span));
            }
        }
    });
    match unknown {
        None => Ok(Some(bound)),
        Some((name, span)) => {
            let candidates = nearest(&name, context.parameters.keys().map(String::as_str));
            Err(LowerError::new(LowerErrorKind::UnknownParameter { name, candidates }, span))
        }
    }
}

/// Returns the name of a parameter, in lower case.
fn name_of(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Parameter(name) => Some(name.value.to_lowercase()),
        ExprKind::TypedParameter(parameter) => Some(parameter.name.value.to_lowercase()),
        _ => None,
    }
}

/// Makes `a IN $list`, `a IN ($list)`, `a = ANY($list)` and `a <> ALL($list)` what they are with the
/// items of the list written out.
fn unpack_lists(expr: &mut Expr, constants: &HashMap<String, Expr>) {
    let items = |expr: &Expr| match &constants.get(&name_of(expr)?)?.kind {
        ExprKind::Array(items) => {
            Some(items.iter().map(|item| placed(item, expr.span)).collect::<Vec<_>>())
        }
        _ => None,
    };
    let is_negated = match &mut expr.kind {
        ExprKind::InList { list, is_negated, .. } => {
            let is_list = |item: &Expr| items(innermost(item)).is_some();
            if !list.iter().any(is_list) {
                return;
            }
            let unpacked =
                |item: &Expr| items(innermost(item)).unwrap_or_else(|| vec![item.clone()]);
            *list = list.iter().flat_map(unpacked).collect();
            if !list.is_empty() {
                return;
            }
            *is_negated
        }
        ExprKind::Binary { op: op @ (BinaryOp::Eq | BinaryOp::NotEq), left, right, .. } => {
            let is_negated = *op == BinaryOp::NotEq;
            let ExprKind::Quantified { is_all, operand } = &right.kind else { return };
            let (Some(list), true) = (items(innermost(operand)), *is_all == is_negated) else {
                return;
            };
            if !list.is_empty() {
                let operand = left.clone();
                expr.kind = ExprKind::InList { operand, list, is_negated };
                return;
            }
            is_negated
        }
        _ => return,
    };
    // Nothing is in a list without items, not even NULL.
    expr.kind = ExprKind::Literal(Literal::Bool(is_negated));
}

/// Returns a constant at another place.
fn placed(constant: &Expr, span: Span) -> Expr {
    let boxed = |inner: &Expr| Box::new(placed(inner, span));
    let kind = match &constant.kind {
        ExprKind::Array(items) => {
            ExprKind::Array(items.iter().map(|item| placed(item, span)).collect())
        }
        ExprKind::Sign { is_minus, operand } => {
            ExprKind::Sign { is_minus: *is_minus, operand: boxed(operand) }
        }
        ExprKind::Cast { operand, data_type, is_try } => ExprKind::Cast {
            operand: boxed(operand),
            data_type: ast::DataType { span, ..data_type.clone() },
            is_try: *is_try,
        },
        kind => kind.clone(),
    };
    Expr { kind, span }
}

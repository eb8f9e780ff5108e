//! ASOF JOIN: the conditions of a join, each marked with what it is and where it stands.
//! The engine has no such join. It gets an ordinary one whose conditions are calls of one function,
//! and `rules/asof.rs` makes the join that is meant of it before anything is optimised; only there the
//! columns of both sides are known.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, BinaryOp, ExprKind};

use super::logic::{balanced, innermost};
use super::subquery::Place;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank};
use crate::functions::ASOF_CONDITION;

impl Lowering<'_> {
    /// Lowers the conditions of an ASOF JOIN.
    pub(super) fn asof_conditions(
        &mut self,
        join: &ast::Join,
        condition: &ast::Expr,
    ) -> Result<sql::Expr> {
        if join.table.is_lateral {
            return Err(LowerError::unsupported("ASOF JOIN with LATERAL", join.table.span));
        }
        // Of rows of one time all their columns decide which is the last.
        self.has_unnamed = true;
        let mut conditions = Vec::new();
        flatten(condition, &mut conditions);
        let mut lowered = Vec::new();
        let mut n_times = 0;
        for condition in conditions {
            let ExprKind::Binary { op, left, right, .. } = &condition.kind else {
                return Err(LowerError::new(LowerErrorKind::AsofCondition, condition.span));
            };
            let symbol = match op {
                BinaryOp::Eq => "=",
                BinaryOp::Lt => "<",
                BinaryOp::LtEq => "<=",
                BinaryOp::Gt => ">",
                BinaryOp::GtEq => ">=",
                _ => return Err(LowerError::new(LowerErrorKind::AsofCondition, condition.span)),
            };
            if [left, right].into_iter().any(|operand| is_constant(operand)) {
                return Err(LowerError::new(LowerErrorKind::AsofCondition, condition.span));
            }
            n_times += usize::from(*op != BinaryOp::Eq);
            if n_times > 1 {
                return Err(LowerError::new(LowerErrorKind::AsofTime, condition.span));
            }
            let (start, end) = (condition.span.start, condition.span.end);
            let marked = blank::call(
                ASOF_CONDITION,
                [
                    self.at(Place::Value, left)?,
                    self.at(Place::Value, right)?,
                    blank::text(symbol),
                    blank::number(start.to_string()),
                    blank::number(end.to_string()),
                ],
            );
            lowered.push(marked);
        }
        if n_times == 0 {
            return Err(LowerError::new(LowerErrorKind::AsofTime, join.span));
        }
        Ok(balanced(lowered, &sql::BinaryOperator::And))
    }
}

fn is_constant(operand: &ast::Expr) -> bool {
    matches!(innermost(operand).kind, ExprKind::Literal(_) | ExprKind::Parameter(_))
}

/// Takes conditions that are joined by AND apart.
fn flatten<'e>(condition: &'e ast::Expr, conditions: &mut Vec<&'e ast::Expr>) {
    let condition = innermost(condition);
    match &condition.kind {
        ExprKind::And(items) => items.iter().for_each(|item| flatten(item, conditions)),
        _ => conditions.push(condition),
    }
}

//! Queries within expressions.
//! The engine treats NULL wrongly in IN with a query unless that is a whole condition, and in NOT IN
//! unless that is one of WHERE and does not depend on outer columns; `as_value` does the others.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, ExprKind, IsTest};

use super::expr::operator;
use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank};

/// How deep queries within expressions may nest: with each level the engine needs twice the time to
/// plan them.
const MAX_QUERIES: usize = 12;

/// The name of a query that operands are compared with.
const COMPARED: &str = "__compared";

/// What is being lowered, as far as queries within it care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A condition, where false and unknown are the same.
    Condition,
    /// The negation of a condition, where they are not.
    Negated,
    /// An operand.
    Value,
    /// An item of a SELECT list, of GROUP BY or of ORDER BY, and all within it.
    Output,
}

impl Place {
    /// Returns the place of what stands within an expression at this place.
    pub(super) fn within(self, expr: &ast::Expr) -> Self {
        let keeps = match &expr.kind {
            ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Nested(_) | ExprKind::InQuery { .. } => {
                true
            }
            ExprKind::Is { test: IsTest::True, is_negated: false, .. } => true,
            ExprKind::Binary { right, .. } => matches!(right.kind, ExprKind::Quantified { .. }),
            ExprKind::Not(_) if self == Self::Condition => return Self::Negated,
            ExprKind::Not(_) => true,
            _ => false,
        };
        if keeps || matches!(self, Self::Output) { self } else { Self::Value }
    }
}

impl Lowering<'_> {
    pub(super) fn in_query(
        &mut self,
        operand: &ast::Expr,
        query: &ast::Query,
        is_negated: bool,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        if let (ExprKind::Tuple(items), Place::Condition, false) =
            (&operand.kind, self.place, is_negated)
        {
            return self.row_in_query(items, query, span);
        }
        if is_negated || self.place != Place::Condition {
            let condition = self.in_as_value(operand, query, span)?;
            return Ok(if is_negated {
                sql::Expr::UnaryOp { op: sql::UnaryOperator::Not, expr: Box::new(condition) }
            } else {
                condition
            });
        }
        let expr = Box::new(self.value(operand)?);
        Ok(sql::Expr::InSubquery {
            expr,
            subquery: self.inner_query(query, Some(1))?.0,
            negated: false,
        })
    }

    /// Lowers `NOT IN (query)` as a whole condition of WHERE.
    pub(super) fn not_in_query(
        &mut self,
        operand: &ast::Expr,
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        if matches!(operand.kind, ExprKind::Tuple(_)) {
            return Err(LowerError::unsupported("a row with NOT IN and a query", span));
        }
        let expr = Box::new(self.value(operand)?);
        let (subquery, is_correlated) = self.inner_query(query, Some(1))?;
        if is_correlated {
            return Err(LowerError::new(LowerErrorKind::NotInQuery, span));
        }
        Ok(sql::Expr::InSubquery { expr, subquery, negated: true })
    }

    /// Lowers a condition: what ON, HAVING and QUALIFY hold.
    pub(super) fn condition(&mut self, condition: &ast::Expr) -> Result<sql::Expr> {
        self.at(Place::Condition, condition)
    }

    /// Lowers an operand.
    fn value(&mut self, value: &ast::Expr) -> Result<sql::Expr> {
        self.at(Place::Value, value)
    }

    pub(super) fn at(&mut self, place: Place, expr: &ast::Expr) -> Result<sql::Expr> {
        let place = std::mem::replace(&mut self.place, place);
        let lowered = self.expr(expr);
        self.place = place;
        lowered
    }

    pub(super) fn exists(&mut self, query: &ast::Query, span: ast::Span) -> Result<sql::Expr> {
        if self.place == Place::Output {
            return self.exists_as_value(query, span);
        }
        Ok(sql::Expr::Exists { subquery: self.inner_query(query, None)?.0, negated: false })
    }

    pub(super) fn subquery(&mut self, query: &ast::Query) -> Result<sql::Expr> {
        let (lowered, is_correlated) = self.inner_query(query, Some(1))?;
        if is_correlated && let Some(found) = self.looked_up(query, lowered.clone()) {
            return Ok(found);
        }
        Ok(sql::Expr::Subquery(lowered))
    }

    /// Lowers `left op ANY (…)` and `left op ALL (…)`.
    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        op: ast::BinaryOp,
        is_all: bool,
        operand: &ast::Expr,
    ) -> Result<sql::Expr> {
        if let (ExprKind::Tuple(_), ExprKind::Subquery(query)) =
            (&left.kind, &innermost(operand).kind)
        {
            return Err(LowerError::unsupported("a row with ANY or ALL of a query", query.span));
        }
        if let (ExprKind::Subquery(query), false) =
            (&innermost(operand).kind, self.place == Place::Condition)
        {
            return self.quantified_as_value(left, op, is_all, query, operand.span);
        }
        let compare_op = operator(op);
        let left = Box::new(self.value(left)?);
        let right = match &innermost(operand).kind {
            ExprKind::Subquery(query) => {
                let (query, is_correlated) = self.inner_query(query, Some(1))?;
                let query = if is_correlated { renamed(query) } else { Some(of_own_name(query)) };
                let query = query.ok_or_else(|| {
                    let what = "ANY or ALL of a query that depends on columns around it and is no plain SELECT";
                    LowerError::unsupported(what, operand.span)
                })?;
                Box::new(sql::Expr::Subquery(query))
            }
            ExprKind::Tuple(_) | ExprKind::Literal(ast::Literal::Text(_)) => {
                return Err(LowerError::new(LowerErrorKind::Quantified, operand.span));
            }
            _ => Box::new(self.expr(innermost(operand))?),
        };
        Ok(if is_all {
            sql::Expr::AllOp { left, compare_op, right }
        } else {
            sql::Expr::AnyOp { left, compare_op, right, is_some: false }
        })
    }

    /// Lowers a query within an expression, and tells whether it depends on columns around it.
    /// It has to have as many columns as are due, if any are.
    pub(super) fn inner_query(
        &mut self,
        query: &ast::Query,
        due: Option<usize>,
    ) -> Result<(Box<sql::Query>, bool)> {
        if self.n_queries == MAX_QUERIES {
            return Err(LowerError::new(LowerErrorKind::TooDeep, query.span));
        }
        self.n_queries += 1;
        // What the query refers to outside of itself marks the level below this one as well.
        self.scopes.push(super::Scope::default());
        let lowered = self.query(query);
        self.n_queries -= 1;
        let is_correlated = self.scopes.pop().is_some_and(|scope| scope.is_correlated);
        let (lowered, output) = lowered?;
        match (output.map(|columns| columns.len()), due) {
            (Some(found), Some(due)) if found != due => {
                let kind = LowerErrorKind::QueryColumns { found, due };
                Err(LowerError::new(kind, query.span))
            }
            _ => Ok((lowered, is_correlated)),
        }
    }
}

/// Puts a query into a table with a name that no other has. The engine moves a comparison with ANY or
/// ALL into the query, where it takes `t.a` of outside for `t.a` of inside.
fn of_own_name(query: Box<sql::Query>) -> Box<sql::Query> {
    let mut select = blank::select();
    select.projection = vec![sql::SelectItem::Wildcard(blank::wildcard())];
    let relation = blank::derived(query, Some(blank::alias(blank::quoted(COMPARED))), false);
    select.from = vec![sql::TableWithJoins { relation, joins: Vec::new() }];
    blank::query(blank::body(select))
}

/// Gives the one column of a query a name that no other has, for the same reason: the engine does
/// not see outer columns through a table. `None` if the query is not of the shape for it.
fn renamed(mut query: Box<sql::Query>) -> Option<Box<sql::Query>> {
    let sql::SetExpr::Select(select) = query.body.as_mut() else { return None };
    let [sql::SelectItem::UnnamedExpr(expr) | sql::SelectItem::ExprWithAlias { expr, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    let (expr, alias) = (expr.clone(), blank::quoted(COMPARED));
    select.projection = vec![sql::SelectItem::ExprWithAlias { expr, alias }];
    Some(query)
}

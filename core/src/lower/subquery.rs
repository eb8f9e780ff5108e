//! Queries within expressions.
//! The engine treats NULL wrongly in a negated IN with a query unless that is a whole condition of
//! WHERE and does not depend on outer columns; everything else is refused here.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, ExprKind};

use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Lowering, Result};

impl Lowering<'_> {
    pub(super) fn in_query(
        &mut self,
        operand: &ast::Expr,
        query: &ast::Query,
        is_negated: bool,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        if is_negated || self.is_negated {
            return Err(LowerError::new(LowerErrorKind::NotInQuery, span));
        }
        self.check_place("IN (query)", span)?;
        let expr = Box::new(self.expr(operand)?);
        Ok(sql::Expr::InSubquery { expr, subquery: self.inner_query(query)?.0, negated: false })
    }

    /// Lowers `NOT IN (query)` as a whole condition of WHERE.
    pub(super) fn not_in_query(
        &mut self,
        operand: &ast::Expr,
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let expr = Box::new(self.expr(operand)?);
        let (subquery, is_correlated) = self.inner_query(query)?;
        if is_correlated {
            return Err(LowerError::new(LowerErrorKind::NotInQuery, span));
        }
        Ok(sql::Expr::InSubquery { expr, subquery, negated: true })
    }

    /// Refuses what the engine answers only as a condition.
    fn check_place(&self, what: &str, span: ast::Span) -> Result<()> {
        if self.is_output {
            let what = format!("{what} outside of WHERE, HAVING and ON");
            return Err(LowerError::unsupported(what, span));
        }
        Ok(())
    }

    pub(super) fn exists(&mut self, query: &ast::Query, span: ast::Span) -> Result<sql::Expr> {
        self.check_place("EXISTS", span)?;
        Ok(sql::Expr::Exists { subquery: self.inner_query(query)?.0, negated: false })
    }

    pub(super) fn subquery(&mut self, query: &ast::Query) -> Result<sql::Expr> {
        Ok(sql::Expr::Subquery(self.inner_query(query)?.0))
    }

    /// Lowers `left op ANY (…)` and `left op ALL (…)`.
    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        compare_op: sql::BinaryOperator,
        is_all: bool,
        operand: &ast::Expr,
    ) -> Result<sql::Expr> {
        let left = Box::new(self.expr(left)?);
        let right = match &innermost(operand).kind {
            ExprKind::Subquery(query) => {
                self.check_place("a comparison with ANY or ALL of a query", operand.span)?;
                Box::new(self.subquery(query)?)
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
    fn inner_query(&mut self, query: &ast::Query) -> Result<(Box<sql::Query>, bool)> {
        // What the query refers to outside of itself marks the level below this one as well.
        self.scopes.push(super::Scope::default());
        let is_negated = std::mem::take(&mut self.is_negated);
        let lowered = self.query(query);
        self.is_negated = is_negated;
        let is_correlated = self.scopes.pop().is_some_and(|scope| scope.is_correlated);
        Ok((Box::new(lowered?.0), is_correlated))
    }
}

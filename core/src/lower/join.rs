//! Joins.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast;

use super::using::Here;
use super::{Lowering, Result};

impl Lowering<'_> {
    pub(super) fn table_expr(&mut self, table: &ast::TableExpr) -> Result<sql::TableWithJoins> {
        let merges = |join: &ast::Join| {
            matches!(join.condition, ast::JoinCondition::Using(_) | ast::JoinCondition::Natural)
        };
        let names_queries = self.names_queries;
        self.names_queries |= table.joins.iter().any(merges);
        let first = self.here();
        let relation = self.table(&table.table)?;
        let mut joins = Vec::new();
        for join in &table.joins {
            joins.push(self.join(join, first)?);
        }
        self.names_queries = names_queries;
        Ok(sql::TableWithJoins { relation, joins })
    }

    /// Lowers a join to what was lowered since `first`.
    fn join(&mut self, join: &ast::Join, first: Here) -> Result<sql::Join> {
        let right = self.here();
        let relation = self.table(&join.table)?;
        let constraint = match &join.condition {
            ast::JoinCondition::On(expr) if matches!(join.kind, ast::JoinKind::Asof { .. }) => {
                sql::JoinConstraint::On(self.asof_conditions(join, expr)?)
            }
            ast::JoinCondition::On(expr) => sql::JoinConstraint::On(self.condition(expr)?),
            ast::JoinCondition::Using(names) => self.using(join, names, first, right)?,
            ast::JoinCondition::Natural => self.natural(join, first, right)?,
            ast::JoinCondition::None => sql::JoinConstraint::None,
        };
        let is_cross = matches!(constraint, sql::JoinConstraint::None);
        let join_operator = match join.kind {
            _ if is_cross => sql::JoinOperator::CrossJoin(constraint),
            ast::JoinKind::Left | ast::JoinKind::Asof { is_left: true } => {
                sql::JoinOperator::Left(constraint)
            }
            ast::JoinKind::Right => sql::JoinOperator::Right(constraint),
            ast::JoinKind::Full => sql::JoinOperator::FullOuter(constraint),
            ast::JoinKind::Semi => sql::JoinOperator::LeftSemi(constraint),
            ast::JoinKind::Anti => sql::JoinOperator::LeftAnti(constraint),
            ast::JoinKind::RightSemi => sql::JoinOperator::RightSemi(constraint),
            ast::JoinKind::RightAnti => sql::JoinOperator::RightAnti(constraint),
            ast::JoinKind::Inner
            | ast::JoinKind::Cross
            | ast::JoinKind::Asof { is_left: false } => sql::JoinOperator::Inner(constraint),
        };
        // Only one side of these is seen beyond the condition.
        if let Some(scope) = self.scopes.last_mut() {
            match join.kind {
                ast::JoinKind::Semi | ast::JoinKind::Anti => {
                    scope.relations.truncate(right.relation);
                    scope.shown.truncate(right.shown);
                }
                ast::JoinKind::RightSemi | ast::JoinKind::RightAnti => {
                    drop(scope.relations.drain(first.relation..right.relation));
                    drop(scope.shown.drain(first.shown..right.shown));
                    let n_dropped = right.relation - first.relation;
                    for shown in scope.shown.iter_mut().skip(first.shown) {
                        shown.relation = shown.relation.map(|idx| idx.saturating_sub(n_dropped));
                    }
                }
                _ => {}
            }
        }
        Ok(sql::Join { relation, global: false, join_operator })
    }
}

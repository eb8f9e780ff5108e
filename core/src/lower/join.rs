//! Joins.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast;

use super::scope::Relation;
use super::{Lowering, Result, blank};

impl Lowering<'_> {
    pub(super) fn table_expr(&mut self, table: &ast::TableExpr) -> Result<sql::TableWithJoins> {
        let first = self.n_relations();
        let relation = self.table(&table.table)?;
        let mut joins = Vec::new();
        for join in &table.joins {
            joins.push(self.join(join, first)?);
        }
        Ok(sql::TableWithJoins { relation, joins })
    }

    /// Lowers a join to the relations from `first` on.
    fn join(&mut self, join: &ast::Join, first: usize) -> Result<sql::Join> {
        let right = self.n_relations();
        let relation = self.table(&join.table)?;
        let constraint = match &join.condition {
            ast::JoinCondition::On(expr) if matches!(join.kind, ast::JoinKind::Asof { .. }) => {
                sql::JoinConstraint::On(self.asof_conditions(join, expr)?)
            }
            ast::JoinCondition::On(expr) => sql::JoinConstraint::On(self.condition(expr)?),
            ast::JoinCondition::Using(names) => {
                let names: Vec<_> =
                    names.iter().map(|name| (self.column_ident(name), name.normalized())).collect();
                self.merge(right, names.iter().map(|(_, name)| name.clone()).collect());
                sql::JoinConstraint::Using(
                    names.into_iter().map(|(ident, _)| vec![ident].into()).collect(),
                )
            }
            ast::JoinCondition::Natural => self.natural(first, right, join.kind),
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
                ast::JoinKind::Semi | ast::JoinKind::Anti => scope.relations.truncate(right),
                ast::JoinKind::RightSemi | ast::JoinKind::RightAnti => {
                    drop(scope.relations.drain(first..right));
                }
                _ => {}
            }
        }
        Ok(sql::Join { relation, global: false, join_operator })
    }

    /// Lowers NATURAL. The engine would compare hidden columns too where they are part of both
    /// tables, so the names are written out if any is.
    fn natural(&mut self, first: usize, right: usize, kind: ast::JoinKind) -> sql::JoinConstraint {
        let names = |relations: &[Relation]| -> Option<Vec<String>> {
            let mut names = Vec::new();
            for relation in relations {
                let visible = relation.columns.as_ref()?.iter().filter(|column| !column.is_hidden);
                names.extend(visible.map(|column| column.name.clone()));
            }
            Some(names)
        };
        let relations =
            self.scopes.last().map(|scope| scope.relations.as_slice()).unwrap_or_default();
        let (left, right_side) = relations.split_at(right);
        let (Some(left), Some(right_side)) = (names(&left[first..]), names(right_side)) else {
            return sql::JoinConstraint::Natural;
        };
        let common: Vec<_> = right_side.into_iter().filter(|name| left.contains(name)).collect();
        self.merge(right, common.clone());
        match common.as_slice() {
            _ if self.hidden.is_empty() => sql::JoinConstraint::Natural,
            [] if kind == ast::JoinKind::Inner => sql::JoinConstraint::None,
            [] => sql::JoinConstraint::On(sql::Expr::value(sql::Value::Boolean(true))),
            names => sql::JoinConstraint::Using(
                names.iter().map(|name| vec![blank::quoted(name)].into()).collect(),
            ),
        }
    }

    /// Notes that `*` shows these columns of the relations from `right` on only once.
    fn merge(&mut self, right: usize, names: Vec<String>) {
        for relation in self
            .scopes
            .last_mut()
            .into_iter()
            .flat_map(|scope| scope.relations.iter_mut().skip(right))
        {
            relation.merged.extend(names.iter().cloned());
        }
    }

    fn n_relations(&self) -> usize {
        self.scopes.last().map_or(0, |scope| scope.relations.len())
    }
}

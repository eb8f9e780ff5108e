//! USING and NATURAL: equalities, and columns that are made of two.
//! The engine would take the left one of two columns even where only the right one has a value, and
//! leaves them where the left table has them in the order of `*`.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, JoinKind, Span};

use super::logic::balanced;
use super::scope::Shown;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank};

/// How many relations and columns were in sight at some point.
#[derive(Clone, Copy)]
pub(super) struct Here {
    pub(super) relation: usize,
    pub(super) shown: usize,
}

impl Lowering<'_> {
    pub(super) fn here(&self) -> Here {
        self.scopes.last().map_or(Here { relation: 0, shown: 0 }, |scope| Here {
            relation: scope.relations.len(),
            shown: scope.shown.len(),
        })
    }

    /// Lowers USING between what came in sight from `first` on and what did from `right` on.
    pub(super) fn using(
        &mut self,
        join: &ast::Join,
        names: &[ast::Ident],
        first: Here,
        right: Here,
    ) -> Result<sql::JoinConstraint> {
        self.named.extend(names.iter().map(ast::Ident::normalized));
        let names: Vec<_> = names.iter().map(|name| (name.normalized(), name.span)).collect();
        self.check_columns_known("USING", first, join.span)?;
        self.merge("USING", &names, first, right, join.kind)
    }

    /// Lowers NATURAL: USING with all columns that both sides show.
    pub(super) fn natural(
        &mut self,
        join: &ast::Join,
        first: Here,
        right: Here,
    ) -> Result<sql::JoinConstraint> {
        self.has_unnamed = true;
        self.check_columns_known("NATURAL JOIN", first, join.span)?;
        let names = |columns: &[Shown]| -> Vec<String> {
            let visible = columns.iter().filter(|shown| !shown.column.is_hidden);
            visible.map(|shown| shown.column.name.clone()).collect()
        };
        let shown = self.scopes.last().map(|scope| scope.shown.as_slice()).unwrap_or_default();
        let (left, right_side) = shown.split_at(right.shown);
        let right_names = names(right_side);
        let mut common: Vec<(String, Span)> = Vec::new();
        for name in names(&left[first.shown..]) {
            if right_names.contains(&name) && common.iter().all(|(other, _)| *other != name) {
                common.push((name, join.span));
            }
        }
        match (common.as_slice(), join.kind) {
            ([], JoinKind::Inner) => Ok(sql::JoinConstraint::None),
            (names, kind) => self.merge("NATURAL JOIN", names, first, right, kind),
        }
    }

    fn check_columns_known(&self, clause: &str, first: Here, span: Span) -> Result<()> {
        let relations = self.scopes.last().map(|scope| scope.relations.as_slice());
        let relations = relations.and_then(|relations| relations.get(first.relation..));
        if relations.unwrap_or_default().iter().all(|relation| relation.columns.is_some()) {
            return Ok(());
        }
        let what = format!("{clause} beside a function that gives a table");
        Err(LowerError::unsupported(what, span))
    }

    /// Makes one column of two for each name, and returns the equalities of both.
    fn merge(
        &mut self,
        clause: &'static str,
        names: &[(String, Span)],
        first: Here,
        right: Here,
        kind: JoinKind,
    ) -> Result<sql::JoinConstraint> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(sql::JoinConstraint::None) };
        let untouched = scope.shown.clone();
        let mut left_columns = scope.shown.split_off(first.shown);
        let mut right_columns = left_columns.split_off(right.shown - first.shown);
        let mut equalities = Vec::new();
        for (name, span) in names {
            let take = |columns: &mut Vec<Shown>, side| {
                take(columns, name).map_err(|is_ambiguous| {
                    let name = name.clone();
                    let kind = LowerErrorKind::JoinColumn { clause, name, side, is_ambiguous };
                    LowerError::new(kind, *span)
                })
            };
            let left = take(&mut left_columns, "left")?;
            let right = take(&mut right_columns, "right")?;
            let equality =
                blank::binary(left.expr.clone(), sql::BinaryOperator::Eq, right.expr.clone());
            equalities.push(equality);
            scope.shown.push(match kind {
                JoinKind::Full => Shown {
                    expr: blank::call("coalesce", [left.expr, right.expr]),
                    relation: None,
                    column: left.column,
                },
                JoinKind::Right => Shown { relation: None, ..right },
                _ => Shown { relation: None, ..left },
            });
        }
        scope.shown.append(&mut left_columns);
        scope.shown.append(&mut right_columns);
        if matches!(
            kind,
            JoinKind::Semi | JoinKind::Anti | JoinKind::RightSemi | JoinKind::RightAnti
        ) {
            scope.shown = untouched;
        }
        Ok(sql::JoinConstraint::On(balanced(equalities, &sql::BinaryOperator::And)))
    }
}

/// Takes the one column of a name out. Without one, tells whether there are several.
fn take(columns: &mut Vec<Shown>, name: &str) -> Result<Shown, bool> {
    let is_named = |shown: &Shown| shown.column.name == name;
    match columns.iter().filter(|shown| is_named(shown)).count() {
        1 => columns.iter().position(is_named).map(|idx| columns.remove(idx)).ok_or(false),
        n => Err(n > 1),
    }
}

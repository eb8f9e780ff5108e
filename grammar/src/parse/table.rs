//! Tables in FROM and their joins.

use super::{Builder, Pair, Result, Rule, required};
use crate::ast::{
    Argument, Join, JoinCondition, JoinKind, ObjectName, Query, Span, Table, TableAlias, TableExpr,
    TableKind,
};
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::MAX_LINKS;

impl<'t> Builder<'t> {
    pub(super) fn table_expr(&self, pair: Pair<'t>) -> Result<TableExpr> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let table = required(children.next(), span)?;
        let n_joins = children.clone().count();
        if n_joins > MAX_LINKS {
            let kind = ParseErrorKind::TooMuch { what: "joins in a row", limit: "500" };
            return Err(ParseError::new(kind, span));
        }
        self.deeper(n_joins, span, || {
            let table = self.table(table)?;
            Ok(TableExpr { table, joins: self.list(children, |join| self.join(join))? })
        })
    }

    fn table(&self, pair: Pair<'t>) -> Result<Table> {
        let span = self.span(&pair);
        let mut table = Table {
            kind: TableKind::Name(ObjectName { parts: Vec::new(), span }),
            alias: None,
            is_lateral: false,
            span,
        };
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::k_lateral => table.is_lateral = true,
                Rule::path => table.kind = TableKind::Name(self.path(child)),
                Rule::table_args => {
                    let arguments = self.arguments(child.into_inner())?;
                    if let TableKind::Name(name) = table.kind {
                        table.kind = TableKind::Function { name, arguments };
                    }
                }
                Rule::paren_table => table.kind = self.paren_table(child)?,
                Rule::table_alias => table.alias = Some(self.table_alias(child)?),
                _ => {}
            }
        }
        Ok(table)
    }

    pub(super) fn arguments(&self, pairs: impl Iterator<Item = Pair<'t>>) -> Result<Vec<Argument>> {
        self.list(pairs.filter(|child| child.as_rule() == Rule::call_arg), |argument| {
            let span = self.span(&argument);
            let mut children = argument.into_inner();
            let value = self.expr(required(children.next_back(), span)?)?;
            let name = children.next().map(|name| self.ident(&name));
            Ok(Argument { name, value })
        })
    }

    fn table_alias(&self, pair: Pair<'t>) -> Result<TableAlias> {
        let span = self.span(&pair);
        let (mut name, mut columns) = (None, Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::any_name | Rule::alias_name => name = Some(self.ident(&child)),
                Rule::column_list => columns = self.idents(child),
                _ => {}
            }
        }
        Ok(TableAlias { name: required(name, span)?, columns })
    }

    /// Builds what parentheses in FROM hold: a query, a join, or a query in further parentheses.
    fn paren_table(&self, pair: Pair<'t>) -> Result<TableKind> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let first = required(children.next(), span)?;
        if first.as_rule() == Rule::inner_query {
            return Ok(TableKind::Query(Box::new(self.inner_query(first)?)));
        }
        let table = self.deeper(1, span, || self.table_expr(first))?;
        let Some(tail) = children.next() else {
            return Ok(match bare_query(table) {
                Ok(query) => TableKind::Query(query),
                Err(table) => TableKind::Nested(Box::new(table)),
            });
        };
        match bare_query(table) {
            Ok(query) => Ok(TableKind::Query(Box::new(self.query_with_tail(*query, tail)?))),
            Err(_) => Err(self.not_a_query(&tail)),
        }
    }

    /// Returns the error for a set operator, ORDER BY or LIMIT after something that is no query.
    pub(super) fn not_a_query(&self, tail: &Pair<'_>) -> ParseError {
        let words = self.span(tail).of(self.text);
        let word = words.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let start = self.span(tail).start;
        let kind = ParseErrorKind::NotAQuery { found: word.to_uppercase() };
        ParseError::new(kind, Span::new(start, start + word.len()))
    }

    fn join(&self, pair: Pair<'t>) -> Result<Join> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let operator = required(children.next(), span)?;
        let operator_span = self.span(&operator);
        let (kind, is_natural) = join_kind(operator);
        let table = self.table(required(children.next(), span)?)?;
        let condition = match children
            .next()
            .and_then(|condition| condition.into_inner().next_back())
        {
            Some(child) if child.as_rule() == Rule::expr => JoinCondition::On(self.expr(child)?),
            Some(child) => JoinCondition::Using(self.idents(child)),
            None if is_natural => JoinCondition::Natural,
            None => JoinCondition::None,
        };
        let has_condition = matches!(condition, JoinCondition::On(_) | JoinCondition::Using(_));
        let problem = match kind {
            JoinKind::Cross if is_natural => Some(("CROSS JOIN", "does not combine with NATURAL")),
            JoinKind::Cross if has_condition => Some(("CROSS JOIN", "takes no condition")),
            JoinKind::Cross => None,
            JoinKind::Asof { .. } if !matches!(condition, JoinCondition::On(_)) => {
                Some(("ASOF JOIN", "needs ON"))
            }
            _ if is_natural && has_condition => Some(("NATURAL JOIN", "takes no condition")),
            _ if !is_natural && !has_condition => Some(("JOIN", "needs ON or USING")),
            _ => None,
        };
        match problem {
            Some((join, problem)) => {
                Err(ParseError::new(ParseErrorKind::JoinCondition { join, problem }, operator_span))
            }
            None => Ok(Join { kind, table, condition, span: operator_span }),
        }
    }
}

/// Returns the query if it stands alone, without a name or joins.
fn bare_query(table: TableExpr) -> std::result::Result<Box<Query>, TableExpr> {
    match table {
        TableExpr {
            table: Table { kind: TableKind::Query(query), alias: None, is_lateral: false, .. },
            joins,
        } if joins.is_empty() => Ok(query),
        table => Err(table),
    }
}

/// Reads the words before JOIN.
fn join_kind(pair: Pair<'_>) -> (JoinKind, bool) {
    let (mut kind, mut is_natural) = (JoinKind::Inner, false);
    for child in pair.into_inner() {
        kind = match (child.as_rule(), kind) {
            (Rule::k_natural, kind) => {
                is_natural = true;
                kind
            }
            (Rule::k_cross, _) => JoinKind::Cross,
            (Rule::k_asof, _) => JoinKind::Asof { is_left: false },
            (Rule::k_left, JoinKind::Asof { .. }) => JoinKind::Asof { is_left: true },
            (Rule::k_left, _) => JoinKind::Left,
            (Rule::k_right, _) => JoinKind::Right,
            (Rule::k_full, _) => JoinKind::Full,
            (Rule::k_semi, JoinKind::Right) => JoinKind::RightSemi,
            (Rule::k_anti, JoinKind::Right) => JoinKind::RightAnti,
            (Rule::k_semi, _) => JoinKind::Semi,
            (Rule::k_anti, _) => JoinKind::Anti,
            (_, kind) => kind,
        };
    }
    (kind, is_natural)
}

//! Operators of sessions: OVERLAPS, CONTAINS and the functions `overlap`, `overlap_start` and
//! `overlap_end`. Their operands are relations, whose start and end are meant, or pairs; they become
//! the arguments of one function of `functions/lifetimes.rs`.

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, BinaryOp, ExprKind, Literal};

use super::literal::timestamp;
use super::logic::innermost;
use super::scope::{Column, Relation};
use super::{LowerError, LowerErrorKind, Lowering, Result, blank};
use crate::error::nearest;
use crate::functions::{LIFETIME_CONTAINS, LIFETIMES_OVERLAP, OVERLAP, OVERLAP_END, OVERLAP_START};

impl Lowering<'_> {
    /// Lowers `left OVERLAPS right` and `left CONTAINS right`.
    pub(super) fn lifetime_test(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
    ) -> Result<sql::Expr> {
        let (clause, function) = match op {
            BinaryOp::Contains => ("CONTAINS", LIFETIME_CONTAINS),
            _ => ("OVERLAPS", LIFETIMES_OVERLAP),
        };
        let mut arguments = self.lifetime(left, clause)?;
        if op == BinaryOp::Contains && self.is_instant(right) {
            arguments.push(self.instant_operand(right, clause)?);
        } else {
            arguments.extend(self.lifetime(right, clause)?);
        }
        Ok(blank::call(function, arguments))
    }

    /// Lowers `overlap(a, b)` and its relatives; `None` if the function is another one.
    pub(super) fn lifetime_call(&mut self, function: &ast::Function) -> Result<Option<sql::Expr>> {
        let [name] = function.name.parts.as_slice() else { return Ok(None) };
        let (name, clause) = match name.normalized().as_str() {
            OVERLAP => (OVERLAP, "`overlap`"),
            OVERLAP_START => (OVERLAP_START, "`overlap_start`"),
            OVERLAP_END => (OVERLAP_END, "`overlap_end`"),
            _ => return Ok(None),
        };
        let misused =
            || LowerError::new(LowerErrorKind::NotTwoSessions { name }, function.name.span);
        let Arguments::List { is_distinct: false, items, order_by } = &function.arguments else {
            return Err(misused());
        };
        let is_plain = order_by.is_empty()
            && function.within_group.is_empty()
            && function.filter.is_none()
            && function.over.is_none();
        let [ast::Argument { name: None, value: a }, ast::Argument { name: None, value: b }] =
            items.as_slice()
        else {
            return Err(misused());
        };
        if !is_plain {
            return Err(misused());
        }
        let mut arguments = self.lifetime(a, clause)?;
        arguments.extend(self.lifetime(b, clause)?);
        if name == OVERLAP {
            arguments.push(timestamp(Some(self.context.now)));
        }
        Ok(Some(blank::call(name, arguments)))
    }

    /// Tells whether the right side of CONTAINS is an instant: anything but a pair and a bare name
    /// that is none of the clock's.
    fn is_instant(&self, operand: &ast::Expr) -> bool {
        match &operand.kind {
            ExprKind::Tuple(_) => false,
            ExprKind::Column(name) => match name.parts.as_slice() {
                _ if self.relation(name).is_some() && self.resolve(&name.parts).is_none() => false,
                [word] => {
                    let is_clock = matches!(
                        word.normalized().as_str(),
                        "current_timestamp" | "localtimestamp" | "current_date"
                    );
                    is_clock && !word.is_quoted && self.relation(name).is_none()
                }
                _ => true,
            },
            _ => true,
        }
    }

    /// Lowers an operand that is a lifetime to its start and its end.
    fn lifetime(&mut self, operand: &ast::Expr, clause: &'static str) -> Result<Vec<sql::Expr>> {
        self.has_lifetimes = true;
        match &innermost(operand).kind {
            ExprKind::Column(name) => self.lifetime_of_relation(name, clause),
            ExprKind::Tuple(items) if items.len() == 2 => {
                items.iter().map(|item| self.instant_operand(item, clause)).collect()
            }
            _ => Err(LowerError::new(LowerErrorKind::NoLifetime { clause }, operand.span)),
        }
    }

    /// Lowers an operand that is an instant. The analyzer reads texts in the query's zone.
    fn instant_operand(&mut self, operand: &ast::Expr, clause: &'static str) -> Result<sql::Expr> {
        let is_known_not_to_be = match &innermost(operand).kind {
            ExprKind::Literal(literal) => matches!(
                literal,
                Literal::Bool(_) | Literal::Number(_) | Literal::Duration(_) | Literal::Interval(_)
            ),
            ExprKind::Column(name) => self.resolve(&name.parts).is_some_and(|column| {
                column.data_type.as_ref().is_some_and(|data_type| !may_be_time(data_type))
            }),
            ExprKind::Tuple(_) => true,
            _ => false,
        };
        if is_known_not_to_be {
            return Err(LowerError::new(LowerErrorKind::NotAnInstant { clause }, operand.span));
        }
        self.expr(operand)
    }

    fn lifetime_of_relation(
        &mut self,
        name: &ast::ObjectName,
        clause: &'static str,
    ) -> Result<Vec<sql::Expr>> {
        let Some(relation) = self.relation(name) else {
            return Err(self.unknown_relation(name, clause));
        };
        let time = relation.time.clone();
        let (start, end) = time.unwrap_or_else(|| ("start".to_owned(), "end".to_owned()));
        for column in [&start, &end] {
            let table = name.span.of(self.context.text);
            if let Some(problem) = problem_of(relation, table, column) {
                let kind = LowerErrorKind::NotASession { clause, problem };
                return Err(LowerError::new(kind, name.span));
            }
        }
        let Some(table) = relation.name.clone() else { return Ok(Vec::new()) };
        let span = self.positions.span(name.span);
        let mut instants = Vec::with_capacity(2);
        for column in [start, end] {
            let place = name.span;
            let column = ast::Ident { value: column, is_quoted: true, span: place };
            self.note_outer(&[table.clone(), column.clone()]);
            self.named.insert(column.normalized());
            instants.push(sql::Expr::CompoundIdentifier(vec![
                sql::Ident { span, ..self.ident(&table) },
                sql::Ident { span, ..self.ident(&column) },
            ]));
        }
        Ok(instants)
    }

    /// Returns the relation that a name means, the innermost one in sight.
    fn relation(&self, name: &ast::ObjectName) -> Option<&Relation> {
        let is_meant =
            |relation: &&Relation| relation.name.is_some() && relation.is_called(&name.parts);
        self.scopes.iter().rev().find_map(|scope| scope.relations.iter().find(is_meant))
    }

    fn unknown_relation(&self, name: &ast::ObjectName, clause: &'static str) -> LowerError {
        let relations = self.scopes.iter().flat_map(|scope| &scope.relations);
        let known: Vec<String> = relations
            .filter_map(|relation| relation.name.as_ref().map(ast::Ident::normalized))
            .collect();
        let written = name.span.of(self.context.text).to_owned();
        let candidates = nearest(&written, known.iter().map(String::as_str));
        let is_column = self.resolve(&name.parts).is_some();
        let kind = LowerErrorKind::UnknownRelation { clause, name: written, is_column, candidates };
        LowerError::new(kind, name.span)
    }
}

/// Returns what is wrong with the column of a relation that should hold an instant.
fn problem_of(relation: &Relation, table: &str, column: &str) -> Option<String> {
    let columns = relation.columns.as_ref()?;
    match columns.iter().find(|known| known.name == column) {
        None => Some(format!("`{table}` has no column `{column}`")),
        Some(Column { data_type: None | Some(DataType::Timestamp(..)), .. }) => None,
        Some(_) => Some(format!("`{column}` of `{table}` is no time")),
    }
}

fn may_be_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Null)
        || data_type.is_string()
}

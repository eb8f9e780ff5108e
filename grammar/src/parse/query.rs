//! Queries: WITH, set operations, ORDER BY and LIMIT around a body.

use super::{Builder, Pair, Result, Rule, required};
use crate::ast::{
    Cte, Expr, ExprKind, Literal, OrderItem, Query, SetExpr, SetExprKind, SetOp, Span, With,
};
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::MAX_LINKS;

impl<'t> Builder<'t> {
    /// Builds the query that a pair is or directly holds.
    pub(super) fn inner_query(&self, pair: Pair<'t>) -> Result<Query> {
        let span = self.span(&pair);
        if pair.as_rule() == Rule::paren_query {
            let query = pair.into_inner().next();
            return self.inner_query(required(query, span)?);
        }
        self.query(pair.into_inner(), span)
    }

    /// Builds a query from its parts in the order of the text.
    pub(super) fn query(
        &self,
        parts: impl Iterator<Item = Pair<'t>> + Clone,
        span: Span,
    ) -> Result<Query> {
        self.deeper(1, span, || {
            let with = parts.clone().find(|part| part.as_rule() == Rule::with);
            let with = with.map(|with| self.with(with)).transpose()?;
            self.query_around(None, parts, with, span)
        })
    }

    /// Builds the query that `tail` makes of a query in parentheses before it.
    pub(super) fn query_with_tail(&self, first: Query, tail: Pair<'t>) -> Result<Query> {
        let span = first.span.to(self.span(&tail));
        let first = SetExpr { span: first.span, kind: SetExprKind::Query(Box::new(first)) };
        self.query_around(Some(first), tail.into_inner(), None, span)
    }

    fn query_around(
        &self,
        first: Option<SetExpr>,
        parts: impl Iterator<Item = Pair<'t>> + Clone,
        with: Option<With>,
        span: Span,
    ) -> Result<Query> {
        let n_operators = parts.clone().filter(|part| part.as_rule() == Rule::set_op).count();
        if n_operators > MAX_LINKS {
            let kind = ParseErrorKind::TooMuch { what: "set operators in a row", limit: "500" };
            return Err(ParseError::new(kind, span));
        }
        let body = self.deeper(n_operators, span, || self.set_expr(first, parts.clone(), span))?;
        let mut query = Query { with, body, order_by: Vec::new(), limit: None, offset: None, span };
        for part in parts {
            self.query_tail(&mut query, part)?;
        }
        Ok(query)
    }

    /// Builds the body. INTERSECT binds tighter than UNION and EXCEPT, all group from the left.
    fn set_expr(
        &self,
        first: Option<SetExpr>,
        parts: impl Iterator<Item = Pair<'t>>,
        span: Span,
    ) -> Result<SetExpr> {
        let mut sum: Option<(SetExpr, SetOp, bool)> = None;
        let mut operand = first;
        let mut operator = None;
        for part in parts {
            let right = match part.as_rule() {
                Rule::set_op => {
                    operator = Some(set_op(part));
                    continue;
                }
                Rule::select | Rule::values | Rule::paren_query => self.set_operand(part)?,
                _ => continue,
            };
            operand = Some(match (operand.take(), operator.take()) {
                (Some(left), Some((SetOp::Intersect, is_all))) => {
                    combine(left, SetOp::Intersect, is_all, right)
                }
                (Some(left), Some((op, is_all))) => {
                    let left = match sum.take() {
                        Some((first, op, is_all)) => combine(first, op, is_all, left),
                        None => left,
                    };
                    sum = Some((left, op, is_all));
                    right
                }
                _ => right,
            });
        }
        let last = required(operand, span)?;
        Ok(match sum {
            Some((first, op, is_all)) => combine(first, op, is_all, last),
            None => last,
        })
    }

    fn set_operand(&self, pair: Pair<'t>) -> Result<SetExpr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::select => SetExprKind::Select(Box::new(self.select(pair)?)),
            Rule::values => {
                let rows = pair.into_inner().filter(|child| child.as_rule() == Rule::row);
                SetExprKind::Values(self.list(rows, |row| self.exprs(row))?)
            }
            _ => SetExprKind::Query(Box::new(self.inner_query(pair)?)),
        };
        Ok(SetExpr { kind, span })
    }

    fn with(&self, pair: Pair<'t>) -> Result<With> {
        let mut with = With { is_recursive: false, ctes: Vec::new() };
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::k_recursive => with.is_recursive = true,
                Rule::cte => with.ctes.push(self.cte(child)?),
                _ => {}
            }
        }
        Ok(with)
    }

    fn cte(&self, pair: Pair<'t>) -> Result<Cte> {
        let span = self.span(&pair);
        let (mut name, mut columns, mut query) = (None, Vec::new(), None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::any_name => name = Some(self.ident(&child)),
                Rule::column_list => columns = self.idents(child),
                Rule::paren_query => query = Some(self.inner_query(child)?),
                _ => {}
            }
        }
        Ok(Cte { name: required(name, span)?, columns, query: required(query, span)? })
    }

    /// Adds one of ORDER BY, LIMIT, OFFSET and FETCH to a query.
    fn query_tail(&self, query: &mut Query, pair: Pair<'t>) -> Result<()> {
        let span = self.span(&pair);
        let slot = match pair.as_rule() {
            Rule::order_by => {
                query.order_by = self.order_by(pair)?;
                return Ok(());
            }
            Rule::limit | Rule::fetch => &mut query.limit,
            Rule::offset => &mut query.offset,
            _ => return Ok(()),
        };
        if slot.is_some() {
            let clause = if pair.as_rule() == Rule::offset { "OFFSET" } else { "LIMIT" };
            return Err(ParseError::new(ParseErrorKind::Repeated { clause }, span));
        }
        *slot = self.row_count(pair)?;
        Ok(())
    }

    /// Builds the number of LIMIT, OFFSET or FETCH; `LIMIT ALL` has none, `FETCH FIRST ROW` is 1.
    fn row_count(&self, pair: Pair<'t>) -> Result<Option<Expr>> {
        let span = self.span(&pair);
        let is_fetch = pair.as_rule() == Rule::fetch;
        let mut count = None;
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::range_expr => count = Some(self.expr(child)?),
                Rule::number | Rule::parameter | Rule::typed_parameter | Rule::paren => {
                    count = Some(self.primary(child)?);
                }
                Rule::limit_comma => {
                    let second =
                        self.span(&child).of(self.text).trim_start_matches(',').trim().to_owned();
                    let first =
                        count.as_ref().map_or("", |count| count.span.of(self.text)).to_owned();
                    let kind = ParseErrorKind::LimitComma { first, second };
                    return Err(ParseError::new(kind, self.span(&child)));
                }
                _ => {}
            }
        }
        let one = || Expr { kind: ExprKind::Literal(Literal::Number("1".to_owned())), span };
        Ok(count.or_else(|| is_fetch.then(one)))
    }

    pub(super) fn order_by(&self, pair: Pair<'t>) -> Result<Vec<OrderItem>> {
        let items = pair.into_inner().filter(|child| child.as_rule() == Rule::order_item);
        self.list(items, |item| self.order_item(item))
    }

    fn order_item(&self, pair: Pair<'t>) -> Result<OrderItem> {
        let span = self.span(&pair);
        let (mut value, mut is_descending, mut nulls_first) = (None, None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::expr => value = Some(self.expr(child)?),
                Rule::k_asc => is_descending = Some(false),
                Rule::k_desc => is_descending = Some(true),
                Rule::k_first => nulls_first = Some(true),
                Rule::k_last => nulls_first = Some(false),
                _ => {}
            }
        }
        Ok(OrderItem { value: required(value, span)?, is_descending, nulls_first })
    }
}

fn set_op(pair: Pair<'_>) -> (SetOp, bool) {
    let (mut op, mut is_all) = (SetOp::Union, false);
    for child in pair.into_inner() {
        match child.as_rule() {
            Rule::k_intersect => op = SetOp::Intersect,
            Rule::k_except => op = SetOp::Except,
            Rule::k_all => is_all = true,
            _ => {}
        }
    }
    (op, is_all)
}

fn combine(left: SetExpr, op: SetOp, is_all: bool, right: SetExpr) -> SetExpr {
    let span = left.span.to(right.span);
    SetExpr {
        kind: SetExprKind::Operation { op, is_all, left: Box::new(left), right: Box::new(right) },
        span,
    }
}

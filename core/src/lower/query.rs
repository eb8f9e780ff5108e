//! Queries: WITH, set operations, ORDER BY and LIMIT.
//! Each query is returned with the columns it yields, as far as they are known.

use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use sessionql_grammar::ast;

use super::scope::{Column, Scope};
use super::{LowerError, Lowering, Result, blank};

/// The columns of a query, if known.
pub(super) type Output = Option<Vec<Column>>;

impl Lowering<'_> {
    /// Lowers a query. Its named queries are in sight within it only.
    pub(super) fn query(&mut self, query: &ast::Query) -> Result<(Box<sql::Query>, Output)> {
        let n_ctes = self.ctes.len();
        let with = query.with.as_ref().map(|with| self.with(with)).transpose()?;
        let (body, output) = self.set_expr(&query.body, &query.order_by)?;
        let mut lowered = blank::query(body.body);
        lowered.with = with;
        if !body.order_by.is_empty() {
            lowered.order_by = Some(sql::OrderBy {
                kind: sql::OrderByKind::Expressions(body.order_by),
                interpolate: None,
            });
        }
        lowered.limit_clause = self.limit(query)?;
        self.ctes.truncate(n_ctes);
        Ok((lowered, output))
    }

    fn limit(&mut self, query: &ast::Query) -> Result<Option<sql::LimitClause>> {
        if query.limit.is_none() && query.offset.is_none() {
            return Ok(None);
        }
        // No column is in sight of LIMIT and OFFSET.
        self.scopes.push(Scope::default());
        let limit = query.limit.as_ref().map(|limit| self.expr(limit)).transpose()?;
        let offset = query.offset.as_ref().map(|offset| self.expr(offset)).transpose()?;
        self.scopes.pop();
        Ok(Some(sql::LimitClause::LimitOffset {
            limit,
            offset: offset.map(|value| sql::Offset { value, rows: sql::OffsetRows::None }),
            limit_by: Vec::new(),
        }))
    }

    fn with(&mut self, with: &ast::With) -> Result<sql::With> {
        let mut cte_tables = Vec::new();
        for cte in &with.ctes {
            let n_before = self.ctes.len();
            if with.is_recursive {
                self.ctes.push((cte.name.normalized(), None));
            }
            let (query, output) = self.query(&cte.query)?;
            self.ctes.truncate(n_before);
            let columns = self.alias_columns(&cte.columns, &output);
            self.ctes.push((cte.name.normalized(), renamed(output, &cte.columns)));
            let alias =
                sql::TableAlias { explicit: false, columns, ..blank::alias(self.ident(&cte.name)) };
            cte_tables.push(sql::Cte {
                alias,
                query,
                from: None,
                materialized: None,
                closing_paren_token: AttachedToken::empty(),
            });
        }
        Ok(sql::With {
            with_token: AttachedToken::empty(),
            recursive: with.is_recursive,
            cte_tables,
        })
    }

    /// Returns the names for the columns of a table. The engine wants one for each column, so those
    /// that are not given keep theirs.
    pub(super) fn alias_columns(
        &self,
        names: &[ast::Ident],
        output: &Output,
    ) -> Vec<sql::TableAliasColumnDef> {
        if names.is_empty() {
            return Vec::new();
        }
        let kept =
            output.iter().flatten().skip(names.len()).map(|column| blank::quoted(&column.name));
        let names = names.iter().map(|name| self.ident(name)).chain(kept);
        names.map(|name| sql::TableAliasColumnDef { name, data_type: None }).collect()
    }

    /// Lowers a body. ORDER BY belongs to it because it may name the columns of a SELECT's tables.
    fn set_expr(
        &mut self,
        body: &ast::SetExpr,
        order_by: &[ast::OrderItem],
    ) -> Result<(Body, Output)> {
        if let ast::SetExprKind::Select(select) = &body.kind {
            let (select, order_by, output) = self.select(select, order_by)?;
            return Ok((Body { body: blank::body(select), order_by }, output));
        }
        let (body, output) = match &body.kind {
            ast::SetExprKind::Query(query) => {
                let (query, output) = self.query(query)?;
                (Box::new(sql::SetExpr::Query(query)), output)
            }
            ast::SetExprKind::Values(rows) => (self.values(rows)?, None),
            _ => self.operations(body)?,
        };
        // Only the columns of the result are in sight of this ORDER BY.
        self.scopes.push(Scope::default());
        let order_by = self.order_by(order_by)?;
        self.scopes.pop();
        Ok((Body { body, order_by }, output))
    }

    /// Lowers a chain of set operations, which may be long, from its left end on.
    fn operations(&mut self, mut body: &ast::SetExpr) -> Result<(Box<sql::SetExpr>, Output)> {
        let mut operations = Vec::new();
        while let ast::SetExprKind::Operation { op, is_all, left, right } = &body.kind {
            // The engine does not count: EXCEPT ALL would drop all copies of a row.
            if *is_all && *op != ast::SetOp::Union {
                let name = if *op == ast::SetOp::Except { "EXCEPT ALL" } else { "INTERSECT ALL" };
                return Err(LowerError::unsupported(name, body.span));
            }
            operations.push((*op, *is_all, right));
            body = left;
        }
        let (mut left, output) = self.set_expr(body, &[])?;
        for (op, is_all, right) in operations.into_iter().rev() {
            let right = self.set_expr(right, &[])?.0.body;
            left.body = operation(left.body, op, is_all, right);
        }
        Ok((left.body, output))
    }

    fn values(&mut self, rows: &[Vec<ast::Expr>]) -> Result<Box<sql::SetExpr>> {
        self.scopes.push(Scope::default());
        let lowered: Result<Vec<_>> = rows.iter().map(|row| self.exprs(row)).collect();
        self.scopes.pop();
        let rows = lowered?.into_iter().map(sql::Parens::with_empty_span).collect();
        let values = sql::Values { explicit_row: false, value_keyword: false, rows };
        Ok(Box::new(sql::SetExpr::Values(values)))
    }

    pub(super) fn order_by(&mut self, items: &[ast::OrderItem]) -> Result<Vec<sql::OrderByExpr>> {
        let item = |item: &ast::OrderItem| {
            let options = sql::OrderByOptions {
                asc: item.is_descending.map(|is_descending| !is_descending),
                nulls_first: item.nulls_first,
            };
            Ok(sql::OrderByExpr { expr: self.expr(&item.value)?, options, with_fill: None })
        };
        items.iter().map(item).collect()
    }
}

/// A body with its ORDER BY.
struct Body {
    body: Box<sql::SetExpr>,
    order_by: Vec<sql::OrderByExpr>,
}

fn operation(
    left: Box<sql::SetExpr>,
    op: ast::SetOp,
    is_all: bool,
    right: Box<sql::SetExpr>,
) -> Box<sql::SetExpr> {
    let op = match op {
        ast::SetOp::Union => sql::SetOperator::Union,
        ast::SetOp::Intersect => sql::SetOperator::Intersect,
        ast::SetOp::Except => sql::SetOperator::Except,
    };
    let set_quantifier = if is_all { sql::SetQuantifier::All } else { sql::SetQuantifier::None };
    Box::new(sql::SetExpr::SetOperation { left, op, set_quantifier, right })
}

/// Gives columns other names, from the left.
pub(super) fn renamed(output: Output, names: &[ast::Ident]) -> Output {
    let mut columns = output?;
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name.normalized();
    }
    Some(columns)
}

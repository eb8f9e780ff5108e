//! Queries: WITH, set operations, ORDER BY and LIMIT.
//! Each query is returned with the columns it yields, as far as they are known.

use datafusion::sql::sqlparser::ast as sql;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use sessionql_grammar::ast;
use sessionql_grammar::ast::walk::{Visitor, walk_query};

use super::scope::{Column, Scope};
use super::{LowerError, LowerErrorKind, Lowering, NamedQuery, Result, blank, copies};

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
        let n_around = self.ctes.len();
        for cte in &with.ctes {
            let n_before = self.ctes.len();
            let name = cte.name.normalized();
            if self.ctes.iter().skip(n_around).any(|other| other.name == name) {
                return Err(LowerError::new(
                    LowerErrorKind::DuplicateQuery { name },
                    cte.name.span,
                ));
            }
            let is_hiding = self.ctes.iter().any(|other| other.name == name);
            let own_name = if is_hiding {
                blank::quoted(&format!("__{name}_{n_before}"))
            } else {
                self.ident(&cte.name)
            };
            let itself =
                |columns| NamedQuery { name: name.clone(), own_name: own_name.clone(), columns };
            if with.is_recursive {
                let columns = self.recursive_columns(cte)?;
                self.ctes.push(itself(columns));
            }
            let (query, output) = self.query(&cte.query)?;
            self.ctes.truncate(n_before);
            let columns = self.alias_columns(&cte.columns, &output);
            self.ctes.push(itself(renamed(output, &cte.columns)));
            let alias = sql::TableAlias { explicit: false, columns, ..blank::alias(own_name) };
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

    /// Returns the columns of a query within itself, if they are known, and refuses what a recursive
    /// query cannot hold: each round sees the rows of the last one, and not all of them.
    fn recursive_columns(&self, cte: &ast::Cte) -> Result<Output> {
        let name = cte.name.normalized();
        let mut search = References { name: &name, n_found: 0 };
        walk_query(&cte.query, &mut search);
        if search.n_found == 0 {
            return Ok(None);
        }
        let refused = |what: &str, span| {
            Err(LowerError::unsupported(format!("{what} in a recursive query"), span))
        };
        let ast::SetExprKind::Operation { op: ast::SetOp::Union, right, .. } = &cte.query.body.kind
        else {
            return refused("anything but UNION between its two parts", cte.query.body.span);
        };
        if let Some(order) = cte.query.order_by.first() {
            return refused("ORDER BY", order.value.span);
        }
        if let Some(limit) = cte.query.limit.as_ref().or(cte.query.offset.as_ref()) {
            return refused("LIMIT or OFFSET", limit.span);
        }
        if let ast::SetExprKind::Select(select) = &right.kind {
            let aggregate = select.items.iter().find(|item| match &item.kind {
                ast::SelectItemKind::Expr { value, .. } => self.has_own_aggregate(value),
                ast::SelectItemKind::Wildcard { .. } => false,
            });
            if let Some(item) = aggregate {
                return refused("an aggregate of its own rows", item.span);
            }
            if let ast::GroupBy::Items(items) = &select.group_by
                && !items.is_empty()
            {
                return refused("GROUP BY of its own rows", right.span);
            }
        }
        let n_columns = cte.columns.len();
        let column = |name: &ast::Ident| Column {
            name: name.normalized(),
            data_type: None,
            values: Vec::new(),
            is_hidden: false,
        };
        Ok((n_columns > 0 && is_of_columns(&cte.query.body, n_columns))
            .then(|| cte.columns.iter().map(column).collect()))
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
            ast::SetExprKind::Values(rows) => {
                let n_columns = rows.first().map_or(0, Vec::len);
                let column = |n| Column {
                    name: format!("column{n}"),
                    data_type: None,
                    values: Vec::new(),
                    is_hidden: false,
                };
                (self.values(rows)?, Some((1..=n_columns).map(column).collect()))
            }
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
            operations.push((*op, *is_all, right, body.span));
            body = left;
        }
        let (mut left, output) = self.set_expr(body, &[])?;
        for (op, is_all, right, span) in operations.into_iter().rev() {
            let (right, right_output) = self.set_expr(right, &[])?;
            let (engine_op, name) = operator(op);
            if let (Some(left), Some(right)) = (&output, &right_output)
                && left.len() != right.len()
            {
                let kind =
                    LowerErrorKind::ColumnCounts { name, left: left.len(), right: right.len() };
                return Err(LowerError::new(kind, span));
            }
            left.body = match (op, is_all) {
                (ast::SetOp::Union, true) => {
                    set_operation(left.body, engine_op, sql::SetQuantifier::All, right.body)
                }
                (_, false) => {
                    set_operation(left.body, engine_op, sql::SetQuantifier::None, right.body)
                }
                (_, true) => {
                    let columns = output.as_ref().filter(|_| right_output.is_some());
                    let columns = columns.ok_or_else(|| {
                        let what = format!("{name} ALL beside a function that gives a table");
                        LowerError::unsupported(what, span)
                    })?;
                    copies::operation(left.body, engine_op, right.body, columns)
                }
            };
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

fn operator(op: ast::SetOp) -> (sql::SetOperator, &'static str) {
    match op {
        ast::SetOp::Union => (sql::SetOperator::Union, "UNION"),
        ast::SetOp::Intersect => (sql::SetOperator::Intersect, "INTERSECT"),
        ast::SetOp::Except => (sql::SetOperator::Except, "EXCEPT"),
    }
}

fn set_operation(
    left: Box<sql::SetExpr>,
    op: sql::SetOperator,
    set_quantifier: sql::SetQuantifier,
    right: Box<sql::SetExpr>,
) -> Box<sql::SetExpr> {
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

/// Returns whether a body has just so many columns as far as that can be seen.
fn is_of_columns(body: &ast::SetExpr, n_columns: usize) -> bool {
    match &body.kind {
        ast::SetExprKind::Operation { left, .. } => is_of_columns(left, n_columns),
        ast::SetExprKind::Query(query) => is_of_columns(&query.body, n_columns),
        ast::SetExprKind::Values(rows) => rows.first().is_some_and(|row| row.len() == n_columns),
        ast::SetExprKind::Select(select) => {
            let is_expr =
                |item: &ast::SelectItem| matches!(item.kind, ast::SelectItemKind::Expr { .. });
            select.items.iter().all(is_expr) && select.items.len() == n_columns
        }
    }
}

/// Counts the places where a table is named.
struct References<'n> {
    name: &'n str,
    n_found: usize,
}

impl Visitor for References<'_> {
    fn table(&mut self, table: &ast::Table) {
        if let ast::TableKind::Name(name) = &table.kind
            && let [name] = name.parts.as_slice()
            && name.normalized() == self.name
        {
            self.n_found += 1;
        }
    }
}

//! Conditions with queries where their truth value is wanted itself: in a SELECT list, under NOT,
//! within an expression. The engine knows such conditions only as filters, so they become
//! comparisons with queries that stand for a value.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::walk::{Visitor, walk_expr};
use sessionql_grammar::ast::{self, BinaryOp, ExprKind};

use super::{LowerError, Lowering, Result, blank};

/// The name of a query that is asked about.
const ASKED: &str = "__asked";

/// What is said of EXISTS with a query whose rows cannot just be counted.
const EXISTS: &str =
    "EXISTS with a query that depends on columns around it and groups or limits its rows";

/// The name of its column, followed by a number.
const VALUE: &str = "__value";

impl Lowering<'_> {
    /// Lowers `EXISTS (query)` to a count that is compared with 0.
    pub(super) fn exists_as_value(
        &mut self,
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let (mut lowered, is_correlated) = self.inner_query(query, None)?;
        let count = if is_correlated {
            self.counted(query, lowered, span)?
        } else {
            if lowered.limit_clause.is_none() {
                lowered.limit_clause = Some(sql::LimitClause::LimitOffset {
                    limit: Some(blank::number("1")),
                    offset: None,
                    limit_by: Vec::new(),
                });
            }
            aggregate(lowered, 0, count(None), None)
        };
        Ok(is_positive(count))
    }

    /// Makes a query that depends on columns around it one that counts its rows.
    fn counted(
        &self,
        query: &ast::Query,
        mut lowered: Box<sql::Query>,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let is_plain = match &query.body.kind {
            ast::SetExprKind::Select(select) => self.is_plain(select),
            _ => false,
        };
        let sql::SetExpr::Select(select) = lowered.body.as_mut() else {
            return Err(unsupported(EXISTS, span));
        };
        if !is_plain || lowered.with.is_some() || lowered.limit_clause.is_some() {
            return Err(unsupported(EXISTS, span));
        }
        select.projection = vec![sql::SelectItem::UnnamedExpr(count(None))];
        select.distinct = None;
        lowered.order_by = None;
        Ok(sql::Expr::Subquery(lowered))
    }

    /// Lowers `operand IN (query)`.
    pub(super) fn in_as_value(
        &mut self,
        operand: &ast::Expr,
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let (operand, query) = self.compared_with_query("IN", operand, query, span)?;
        let value = sql::Expr::Identifier(blank::quoted(&format!("{VALUE}1")));
        let is_same = blank::binary(value, sql::BinaryOperator::Eq, blank::nested(operand.clone()));
        let found = is_positive(aggregate(query.clone(), 1, count(None), Some(is_same)));
        Ok(three_valued(operand, query, (found, true), false))
    }

    /// Lowers `operand op ANY (query)`, or ALL.
    pub(super) fn quantified_as_value(
        &mut self,
        operand: &ast::Expr,
        op: BinaryOp,
        is_all: bool,
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let not = |expr| sql::Expr::UnaryOp {
            op: sql::UnaryOperator::Not,
            expr: Box::new(blank::nested(expr)),
        };
        match (op, is_all) {
            (BinaryOp::Eq, false) => return self.in_as_value(operand, query, span),
            (BinaryOp::NotEq, true) => return Ok(not(self.in_as_value(operand, query, span)?)),
            _ => {}
        }
        let (operand, query) = self.compared_with_query("ANY or ALL", operand, query, span)?;
        let with = |function: &str, op: sql::BinaryOperator| {
            let value = sql::Expr::Identifier(blank::quoted(&format!("{VALUE}1")));
            let extreme = aggregate(query.clone(), 1, blank::call(function, [value]), None);
            blank::binary(blank::nested(operand.clone()), op, extreme)
        };
        use sql::BinaryOperator as Op;
        let decides = match (op, is_all) {
            // Something differs from the operand if the least or the greatest does.
            (BinaryOp::NotEq | BinaryOp::Eq, _) => {
                blank::binary(with("min", Op::NotEq), Op::Or, with("max", Op::NotEq))
            }
            (BinaryOp::Lt, false) => with("max", Op::Lt),
            (BinaryOp::LtEq, false) => with("max", Op::LtEq),
            (BinaryOp::Gt, false) => with("min", Op::Gt),
            (BinaryOp::GtEq, false) => with("min", Op::GtEq),
            // Not all are, if the first that can fail does.
            (BinaryOp::Lt, true) => with("min", Op::GtEq),
            (BinaryOp::LtEq, true) => with("min", Op::Gt),
            (BinaryOp::Gt, true) => with("max", Op::LtEq),
            (BinaryOp::GtEq, true) => with("max", Op::Lt),
            _ => return Err(unsupported("this comparison with ANY or ALL", span)),
        };
        Ok(three_valued(operand, query, (blank::nested(decides), !is_all), is_all))
    }

    /// Lowers an operand and the query that it is compared with.
    fn compared_with_query(
        &mut self,
        what: &str,
        operand: &ast::Expr,
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<(sql::Expr, Box<sql::Query>)> {
        if matches!(operand.kind, ExprKind::Tuple(_)) {
            return Err(unsupported("a row with IN and a query", span));
        }
        if self.has_aggregate(operand) {
            return Err(unsupported(&format!("an aggregate before {what}"), span));
        }
        let lowered = self.expr(operand)?;
        let (inner, is_correlated) = self.inner_query(query, Some(1))?;
        if is_correlated {
            return Err(unsupported(
                &format!("{what} with a query that depends on columns around it"),
                span,
            ));
        }
        Ok((lowered, inner))
    }

    /// Lowers `(a, b) IN (query)` as a condition.
    pub(super) fn row_in_query(
        &mut self,
        items: &[ast::Expr],
        query: &ast::Query,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let operands = self.exprs(items)?;
        let (inner, is_correlated) = self.inner_query(query, Some(items.len()))?;
        if is_correlated {
            let what = "a row with IN and a query that depends on columns around it";
            return Err(LowerError::unsupported(what, span));
        }
        let equal = |(n, operand)| {
            let value = sql::Expr::Identifier(blank::quoted(&format!("{VALUE}{n}")));
            blank::binary(value, sql::BinaryOperator::Eq, blank::nested(operand))
        };
        let equalities = (1..).zip(operands).map(equal).collect();
        let condition = super::logic::balanced(equalities, &sql::BinaryOperator::And);
        let select = asked(inner, items.len(), blank::number("1"), Some(condition));
        Ok(sql::Expr::Exists { subquery: select, negated: false })
    }

    /// Lowers a query that depends on columns around it and stands for a value, if it is one that
    /// looks for a row. The engine wants an aggregate there.
    pub(super) fn looked_up(
        &self,
        query: &ast::Query,
        mut lowered: Box<sql::Query>,
    ) -> Option<sql::Expr> {
        let ast::SetExprKind::Select(ast_select) = &query.body.kind else { return None };
        let is_one = match &query.limit {
            None => false,
            Some(limit) => match &limit.kind {
                ExprKind::Literal(ast::Literal::Number(digits)) if digits == "1" => true,
                _ => return None,
            },
        };
        let sql::SetExpr::Select(select) = lowered.body.as_mut() else { return None };
        let [sql::SelectItem::UnnamedExpr(expr) | sql::SelectItem::ExprWithAlias { expr, .. }] =
            select.projection.as_slice()
        else {
            return None;
        };
        let has_aggregate = |item: &ast::SelectItem| match &item.kind {
            ast::SelectItemKind::Expr { value, .. } => self.has_aggregate(value),
            ast::SelectItemKind::Wildcard { .. } => true,
        };
        if !self.is_plain(ast_select)
            || ast_select.items.iter().any(has_aggregate)
            || select.from.is_empty()
            || select.distinct.is_some()
            || query.offset.is_some()
            || lowered.with.is_some()
        {
            return None;
        }
        let alias = match select.projection.as_slice() {
            [sql::SelectItem::ExprWithAlias { alias, .. }] => Some(alias.value.to_lowercase()),
            _ => None,
        };
        let (expr, order_by) = (expr.clone(), lowered.order_by.take());
        let mut by = match order_by.map(|order_by| order_by.kind) {
            Some(sql::OrderByKind::Expressions(by)) if is_one => by,
            _ => Vec::new(),
        };
        // A number or a name of the result would mean something else in an aggregate.
        for by in &mut by {
            by.expr = match &by.expr {
                sql::Expr::Value(_) => expr.clone(),
                sql::Expr::Identifier(name) if alias == Some(name.value.to_lowercase()) => {
                    expr.clone()
                }
                other => other.clone(),
            };
        }
        lowered.limit_clause = None;
        let function = if is_one { "first_value" } else { "array_agg" };
        let mut call = blank::function(
            vec![sql::Ident::new(function)],
            vec![sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr))],
        );
        if let (sql::FunctionArguments::List(list), false) = (&mut call.args, by.is_empty()) {
            list.clauses.push(sql::FunctionArgumentClause::OrderBy(by));
        }
        select.projection = vec![sql::SelectItem::UnnamedExpr(sql::Expr::Function(call))];
        let found = sql::Expr::Subquery(lowered);
        Some(if is_one { found } else { blank::call(crate::functions::ONLY_ONE, [found]) })
    }

    /// Returns whether a SELECT yields a row for each row of its FROM and WHERE.
    fn is_plain(&self, select: &ast::Select) -> bool {
        let has_aggregate = |item: &ast::SelectItem| match &item.kind {
            ast::SelectItemKind::Expr { value, .. } => self.has_aggregate(value),
            ast::SelectItemKind::Wildcard { .. } => false,
        };
        select.group_by == ast::GroupBy::Items(Vec::new())
            && select.having.is_none()
            && select.qualify.is_none()
            && !matches!(select.distinct, Some(ast::Distinct::On(_)))
            && !select.items.iter().any(has_aggregate)
    }

    /// Returns whether an expression is or has an aggregate outside of queries within it.
    pub(super) fn has_own_aggregate(&self, expr: &ast::Expr) -> bool {
        !matches!(expr.kind, ExprKind::Subquery(_)) && self.has_aggregate(expr)
    }

    /// Returns whether an expression has an aggregate or a window function in it.
    fn has_aggregate(&self, expr: &ast::Expr) -> bool {
        let mut search = Aggregates { lowering: self, is_found: false };
        walk_expr(expr, &mut search);
        search.is_found
    }
}

struct Aggregates<'l, 'a> {
    lowering: &'l Lowering<'a>,
    is_found: bool,
}

impl Visitor for Aggregates<'_, '_> {
    fn expr(&mut self, expr: &ast::Expr) {
        if let ExprKind::Function(function) = &expr.kind {
            let name = function.name.parts.iter().map(ast::Ident::normalized).collect::<Vec<_>>();
            let is_aggregate = self.lowering.context.functions.is_aggregate(&name.join("."));
            self.is_found |= is_aggregate || function.over.is_some();
        }
    }
}

fn unsupported(what: &str, span: ast::Span) -> LowerError {
    LowerError::unsupported(format!("{what}, as a value or under NOT,"), span)
}

fn count(value: Option<sql::Expr>) -> sql::Expr {
    let argument = value.map_or(sql::FunctionArgExpr::Wildcard, sql::FunctionArgExpr::Expr);
    let arguments = vec![sql::FunctionArg::Unnamed(argument)];
    sql::Expr::Function(blank::function(vec![sql::Ident::new("count")], arguments))
}

fn is_positive(count: sql::Expr) -> sql::Expr {
    blank::nested(blank::binary(count, sql::BinaryOperator::Gt, blank::number("0")))
}

/// Returns `(SELECT item FROM (query) …)`, where the columns of the query have names of their own.
fn aggregate(
    query: Box<sql::Query>,
    n_columns: usize,
    item: sql::Expr,
    condition: Option<sql::Expr>,
) -> sql::Expr {
    sql::Expr::Subquery(asked(query, n_columns, item, condition))
}

fn asked(
    query: Box<sql::Query>,
    n_columns: usize,
    item: sql::Expr,
    condition: Option<sql::Expr>,
) -> Box<sql::Query> {
    let column = |n| sql::TableAliasColumnDef {
        name: blank::quoted(&format!("{VALUE}{n}")),
        data_type: None,
    };
    let columns = (1..=n_columns).map(column).collect();
    let alias = sql::TableAlias { columns, ..blank::alias(blank::quoted(ASKED)) };
    let mut select = blank::select();
    select.projection = vec![sql::SelectItem::UnnamedExpr(item)];
    let relation = blank::derived(query, Some(alias), false);
    select.from = vec![sql::TableWithJoins { relation, joins: Vec::new() }];
    select.selection = condition;
    blank::query(blank::body(select))
}

/// Returns the truth value of a comparison with all values of a query: `decided` if its condition
/// holds, else unknown if a NULL is on either side, else the opposite; `of_nothing` without values.
fn three_valued(
    operand: sql::Expr,
    query: Box<sql::Query>,
    decided: (sql::Expr, bool),
    of_nothing: bool,
) -> sql::Expr {
    let value = sql::Expr::Identifier(blank::quoted(&format!("{VALUE}1")));
    let bool = |value| sql::Expr::value(sql::Value::Boolean(value));
    let n_rows = aggregate(query.clone(), 1, count(None), None);
    let is_null = sql::Expr::IsNull(Box::new(value));
    let n_nulls = aggregate(query, 1, count(None), Some(is_null));
    let has_null = blank::binary(
        sql::Expr::IsNull(Box::new(blank::nested(operand))),
        sql::BinaryOperator::Or,
        is_positive(n_nulls),
    );
    let is_empty = blank::binary(n_rows, sql::BinaryOperator::Eq, blank::number("0"));
    let (condition, truth) = decided;
    let branches =
        [(is_empty, bool(of_nothing)), (condition, bool(truth)), (has_null, blank::unknown())];
    let conditions = branches.into_iter();
    sql::Expr::Case {
        case_token: sql::helpers::attached_token::AttachedToken::empty(),
        end_token: sql::helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: conditions
            .map(|(condition, result)| sql::CaseWhen { condition, result })
            .collect(),
        else_result: Some(Box::new(bool(!truth))),
    }
}

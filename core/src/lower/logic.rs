//! AND, OR, NOT and what comparisons need.
//! Chains become balanced trees, because the engine recurses over them. Equalities of one column
//! joined by OR become IN, because that can be pushed as one filter, and many inequalities joined by
//! AND become NOT IN, because the engine takes a chain of AND apart and makes a deep one of it.

use std::collections::HashMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, BinaryOp, ExprKind, Literal};

use super::{LowerError, LowerErrorKind, Lowering, Result, Warning, blank};

/// How many conditions joined by AND are taken: the engine recurses over them in many places.
const MAX_CONDITIONS: usize = 1_000;
/// From how many inequalities of one column on they become NOT IN. A few are easier to push alone.
const FEWEST_NOT_IN: usize = 16;

impl Lowering<'_> {
    /// Lowers the condition of WHERE: the only place where NOT IN (query) is answered right.
    pub(super) fn filter(&mut self, filter: &ast::Expr) -> Result<sql::Expr> {
        match &filter.kind {
            ExprKind::And(items) => self.conjunction(items, filter.span, Self::filter),
            ExprKind::Nested(inner) => Ok(blank::nested(self.filter(inner)?)),
            ExprKind::InQuery { operand, query, is_negated: true } => {
                self.not_in_query(operand, query, filter.span)
            }
            ExprKind::Not(operand) => match &innermost(operand).kind {
                ExprKind::InQuery { operand, query, is_negated: false } => {
                    self.not_in_query(operand, query, filter.span)
                }
                _ => self.condition(filter),
            },
            _ => self.condition(filter),
        }
    }

    pub(super) fn and(&mut self, items: &[ast::Expr], span: ast::Span) -> Result<sql::Expr> {
        self.conjunction(items, span, Self::expr)
    }

    /// Lowers a chain of AND, whose other items are lowered by `lower`.
    fn conjunction(
        &mut self,
        items: &[ast::Expr],
        span: ast::Span,
        lower: fn(&mut Self, &ast::Expr) -> Result<sql::Expr>,
    ) -> Result<sql::Expr> {
        let groups = match items.len() {
            0..FEWEST_NOT_IN => None,
            _ => Some(groups(items, BinaryOp::NotEq)),
        };
        let Some(groups) = groups else {
            let items = items.iter().map(|item| lower(self, item)).collect::<Result<_>>()?;
            return Ok(balanced(items, &sql::BinaryOperator::And));
        };
        let mut conditions = Vec::new();
        for group in groups {
            if group.items.len() < FEWEST_NOT_IN {
                for item in group.items {
                    conditions.push(lower(self, item)?);
                }
            } else {
                conditions.push(self.list(&group, BinaryOp::NotEq)?);
            }
        }
        let n_bounds = items.iter().filter(|item| is_between(item)).count();
        if conditions.len() + n_bounds > MAX_CONDITIONS {
            return Err(LowerError::new(LowerErrorKind::TooManyConditions, span));
        }
        Ok(balanced(conditions, &sql::BinaryOperator::And))
    }

    pub(super) fn or(&mut self, items: &[ast::Expr]) -> Result<sql::Expr> {
        let mut conditions = Vec::new();
        for group in groups(items, BinaryOp::Eq) {
            conditions.push(match group.items.as_slice() {
                [item] => self.expr(item)?,
                _ => self.list(&group, BinaryOp::Eq)?,
            });
        }
        Ok(balanced(conditions, &sql::BinaryOperator::Or))
    }

    /// Lowers comparisons of one column with constants to IN or NOT IN.
    fn list(&mut self, group: &Group<'_>, op: BinaryOp) -> Result<sql::Expr> {
        let negated = op == BinaryOp::NotEq;
        let sides: Vec<_> =
            group.items.iter().filter_map(|item| compared_column(item, op)).collect();
        let Some((column, _)) = sides.first() else {
            return Ok(sql::Expr::value(sql::Value::Boolean(negated)));
        };
        let mut list = Vec::new();
        for (_, constant) in &sides {
            self.check_known(column, &[constant], negated);
            list.push(self.compared(constant, column)?);
        }
        Ok(sql::Expr::InList { expr: Box::new(self.expr(column)?), list, negated })
    }

    /// Lowers NOT. Of a chain of them one or two are left.
    pub(super) fn not(&mut self, mut operand: &ast::Expr) -> Result<sql::Expr> {
        let mut n_nots = 1;
        while let ExprKind::Not(inner) = &operand.kind {
            n_nots += 1;
            operand = inner;
        }
        if let ExprKind::Or(items) = &innermost(operand).kind
            && groups(items, BinaryOp::Eq).len() > MAX_CONDITIONS
        {
            // The engine makes a chain of AND of it.
            return Err(LowerError::new(LowerErrorKind::TooManyConditions, operand.span));
        }
        let mut expr = self.expr(operand)?;
        if matches!(operand.kind, ExprKind::And(_) | ExprKind::Or(_)) {
            // The engine's tree needs no parentheses here, but its text does.
            expr = blank::nested(expr);
        }
        for _ in 0..2 - n_nots % 2 {
            expr = sql::Expr::UnaryOp { op: sql::UnaryOperator::Not, expr: Box::new(expr) };
        }
        Ok(expr)
    }

    /// Lowers one side of a comparison. A number that is compared with a text column becomes a text:
    /// the engine would make the column a number instead, and fail on the first row that is none.
    pub(super) fn compared(&mut self, expr: &ast::Expr, other: &ast::Expr) -> Result<sql::Expr> {
        let (ExprKind::Column(column), Some(digits)) = (&innermost(other).kind, number(expr))
        else {
            return self.expr(expr);
        };
        let is_text = |data_type: &DataType| {
            matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        };
        match self.resolve(&column.parts).and_then(|column| column.data_type.as_ref()) {
            Some(data_type) if is_text(data_type) => {
                let name = column.parts.last().map_or("", |name| name.value.as_str());
                let warning = format!("`{name}` is text, so that it is compared with '{digits}'");
                self.warnings.push(Warning {
                    message: warning,
                    span: expr.span,
                    hint: None,
                    lint: None,
                });
                Ok(blank::text(digits))
            }
            _ => self.expr(expr),
        }
    }
}

/// Comparisons of one column with constants in a chain, or another condition alone.
struct Group<'e> {
    items: Vec<&'e ast::Expr>,
}

/// Returns the items of a chain, of which those stand together, at the place of the first, that
/// compare one column with constants by `op`.
fn groups(items: &[ast::Expr], op: BinaryOp) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places = HashMap::new();
    for item in items {
        let compared = compared_column(item, op).and_then(|(column, constant)| {
            let ExprKind::Column(name) = &column.kind else { return None };
            let path: Vec<_> = name.parts.iter().map(ast::Ident::normalized).collect();
            // A list has one type, so texts and numbers stay apart.
            Some((path, matches!(constant.kind, ExprKind::Literal(Literal::Text(_)))))
        });
        let place = match compared {
            Some(column) => *places.entry(column).or_insert(groups.len()),
            None => groups.len(),
        };
        match groups.get_mut(place) {
            Some(group) => group.items.push(item),
            None => groups.push(Group { items: vec![item] }),
        }
    }
    groups
}

/// Returns column and constant of `column = constant` with this operator, in either order.
fn compared_column(expr: &ast::Expr, wanted: BinaryOp) -> Option<(&ast::Expr, &ast::Expr)> {
    let (left, right) = match &innermost(expr).kind {
        ExprKind::Binary { op, left, right, .. } if *op == wanted => (left, right),
        _ => return None,
    };
    let is_constant = |expr: &ast::Expr| {
        matches!(expr.kind, ExprKind::Literal(Literal::Text(_) | Literal::Number(_)))
    };
    let is_column = |expr: &ast::Expr| matches!(expr.kind, ExprKind::Column(_));
    match (left.as_ref(), right.as_ref()) {
        (left, right) if is_column(left) && is_constant(right) => Some((left, right)),
        (left, right) if is_column(right) && is_constant(left) => Some((right, left)),
        _ => None,
    }
}

/// Tells whether a condition is two for the engine.
fn is_between(expr: &ast::Expr) -> bool {
    matches!(innermost(expr).kind, ExprKind::Between { is_negated: false, .. })
}

/// Returns what stands in parentheses.
pub(super) fn innermost(mut expr: &ast::Expr) -> &ast::Expr {
    while let ExprKind::Nested(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

/// Returns the digits of a number with its sign.
fn number(expr: &ast::Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Literal(Literal::Number(digits)) => Some(digits.clone()),
        ExprKind::Sign { is_minus: true, operand } => match &operand.kind {
            ExprKind::Literal(Literal::Number(digits)) => Some(format!("-{digits}")),
            _ => None,
        },
        _ => None,
    }
}

/// Joins conditions to a tree of logarithmic depth. AND in OR and the other way round stand in
/// parentheses, so that the tree means the same as text.
pub(super) fn balanced(mut items: Vec<sql::Expr>, op: &sql::BinaryOperator) -> sql::Expr {
    match items.len() {
        0 => sql::Expr::value(sql::Value::Boolean(*op == sql::BinaryOperator::And)),
        1 => items.remove(0),
        n => {
            let right = items.split_off(n / 2);
            blank::binary(balanced(items, op), op.clone(), balanced(right, op))
        }
    }
}

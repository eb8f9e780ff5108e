//! AND, OR, NOT and what comparisons need.
//! Chains become balanced trees, because the engine recurses over them, and equalities of one column
//! joined by OR become IN, because that can be pushed as one filter.

use std::collections::HashMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, BinaryOp, ExprKind, Literal};

use super::{Lowering, Result, Warning, blank};

impl Lowering<'_> {
    /// Lowers the condition of WHERE: the only place where NOT IN (query) is answered right.
    pub(super) fn filter(&mut self, filter: &ast::Expr) -> Result<sql::Expr> {
        match &filter.kind {
            ExprKind::And(items) => {
                let items = items.iter().map(|item| self.filter(item)).collect::<Result<_>>()?;
                Ok(balanced(items, &sql::BinaryOperator::And))
            }
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

    pub(super) fn and(&mut self, items: &[ast::Expr]) -> Result<sql::Expr> {
        Ok(balanced(self.exprs(items)?, &sql::BinaryOperator::And))
    }

    pub(super) fn or(&mut self, items: &[ast::Expr]) -> Result<sql::Expr> {
        // Each column that is compared with several constants, at the place of its first comparison.
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut places = HashMap::new();
        for item in items {
            let Some((column, constant)) = equality(item) else {
                groups.push(Group { item, constants: Vec::new() });
                continue;
            };
            let ExprKind::Column(name) = &column.kind else { continue };
            let path: Vec<_> = name.parts.iter().map(ast::Ident::normalized).collect();
            // A list has one type, so texts and numbers stay apart.
            let is_text = matches!(constant.kind, ExprKind::Literal(Literal::Text(_)));
            let place = *places.entry((path, is_text)).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.constants.push(constant),
                None => groups.push(Group { item, constants: vec![constant] }),
            }
        }
        let groups = groups.into_iter().map(|group| self.group(&group)).collect::<Result<_>>()?;
        Ok(balanced(groups, &sql::BinaryOperator::Or))
    }

    fn group(&mut self, group: &Group<'_>) -> Result<sql::Expr> {
        match (equality(group.item), group.constants.len()) {
            (Some((column, _)), 2..) => {
                for constant in &group.constants {
                    self.check_known(column, &[constant], false);
                }
                let list = group
                    .constants
                    .iter()
                    .map(|item| self.compared(item, column))
                    .collect::<Result<_>>()?;
                Ok(sql::Expr::InList { expr: Box::new(self.expr(column)?), list, negated: false })
            }
            _ => self.expr(group.item),
        }
    }

    /// Lowers NOT. Of a chain of them one or two are left.
    pub(super) fn not(&mut self, mut operand: &ast::Expr) -> Result<sql::Expr> {
        let mut n_nots = 1;
        while let ExprKind::Not(inner) = &operand.kind {
            n_nots += 1;
            operand = inner;
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

/// Comparisons of one column in a chain of OR, or another condition.
struct Group<'e> {
    /// The first of them.
    item: &'e ast::Expr,
    /// What the column is compared with.
    constants: Vec<&'e ast::Expr>,
}

/// Returns column and constant of `column = constant`, in either order.
fn equality(expr: &ast::Expr) -> Option<(&ast::Expr, &ast::Expr)> {
    let ExprKind::Binary { op: BinaryOp::Eq, left, right, .. } = &innermost(expr).kind else {
        return None;
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

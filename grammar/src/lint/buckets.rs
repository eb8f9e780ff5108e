//! Fixed buckets of time that stand for overlaps: sessions on both sides of a boundary, or longer
//! than a bucket, are not counted together.

use super::rules::names_column;
use crate::ast::walk::{Visitor, walk_expr};
use crate::ast::{
    Arguments, BinaryOp, Expr, ExprKind, Function, GroupBy, GroupItem, JoinCondition, Select,
    SelectItemKind, Span,
};

/// The functions that put an instant into a bucket.
const BUCKETS: [&str; 3] = ["time_bucket", "date_trunc", "date_bin"];

const HINT: &str = "write `a OVERLAPS b` in ON, or SINCE … UNTIL for each bucket";

/// Returns the place of each use of buckets that should be one of OVERLAPS.
pub(super) fn find(select: &Select) -> Vec<(Span, String, &'static str)> {
    let mut found = Vec::new();
    let counts_distinct =
        select.items.iter().any(|item| match &item.kind {
            SelectItemKind::Expr { value, .. } => holds(value, &is_count_distinct),
            SelectItemKind::Wildcard { .. } => false,
        }) || select.having.as_ref().is_some_and(|having| holds(having, &is_count_distinct));
    if let (GroupBy::Items(items), true) = (&select.group_by, counts_distinct) {
        for item in items {
            if let GroupItem::Expr(value) = item
                && let Some(bucket) = grouped(value, select)
            {
                let message = "sessions that overlap across the boundary of a bucket, or for \
                    longer than one, are not counted together";
                found.push((bucket.span, message.to_owned(), HINT));
            }
        }
    }
    let joins = select.from.iter().flat_map(|from| &from.joins);
    let conditions = joins.filter_map(|join| match &join.condition {
        JoinCondition::On(condition) => Some(condition),
        _ => None,
    });
    for condition in conditions.chain(&select.filter) {
        if let Some(span) = bucket_join(condition) {
            let message = "sessions that overlap across the boundary of a bucket do not meet";
            found.push((span, message.to_owned(), HINT));
        }
    }
    found
}

/// Returns the bucket that an item of GROUP BY stands for: itself, or what its number or name means.
fn grouped<'a>(item: &'a Expr, select: &'a Select) -> Option<&'a Expr> {
    if is_bucket(item) {
        return Some(item);
    }
    let meant = select.items.iter().enumerate().find_map(|(n, of_list)| match &of_list.kind {
        SelectItemKind::Expr { value, alias } => {
            let is_it = match &item.kind {
                ExprKind::Column(name) => match (name.parts.as_slice(), alias) {
                    ([name], Some(alias)) => name.normalized() == alias.normalized(),
                    _ => false,
                },
                ExprKind::Literal(crate::ast::Literal::Number(digits)) => {
                    digits.parse() == Ok(n + 1)
                }
                _ => false,
            };
            is_it.then_some(value)
        }
        SelectItemKind::Wildcard { .. } => None,
    });
    meant.filter(|value| is_bucket(value))
}

/// Returns the place of an equality of two buckets.
fn bucket_join(condition: &Expr) -> Option<Span> {
    match &condition.kind {
        ExprKind::And(items) => items.iter().find_map(bucket_join),
        ExprKind::Nested(inner) => bucket_join(inner),
        ExprKind::Binary { op: BinaryOp::Eq, left, right, .. }
            if is_bucket(left) && is_bucket(right) =>
        {
            Some(condition.span)
        }
        _ => None,
    }
}

/// Returns whether an expression puts the start of a session into a bucket.
fn is_bucket(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Function(function) => {
            is_named(function, &BUCKETS) && names_column(expr, &["start"])
        }
        _ => false,
    }
}

fn is_count_distinct(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Function(function) => {
            is_named(function, &["count"])
                && matches!(function.arguments, Arguments::List { is_distinct: true, .. })
        }
        _ => false,
    }
}

fn is_named(function: &Function, names: &[&str]) -> bool {
    match function.name.parts.as_slice() {
        [name] => names.iter().any(|known| name.matches(known)),
        _ => false,
    }
}

/// Returns whether an expression, or one below it, is one of those that are looked for.
fn holds(expr: &Expr, is_it: &dyn Fn(&Expr) -> bool) -> bool {
    struct Search<'a>(&'a dyn Fn(&Expr) -> bool, bool);
    impl Visitor for Search<'_> {
        fn expr(&mut self, expr: &Expr) {
            self.1 |= (self.0)(expr);
        }
    }
    let mut search = Search(is_it, false);
    walk_expr(expr, &mut search);
    search.1
}

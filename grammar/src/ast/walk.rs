//! Walks over a tree, for whoever looks for something in all of it.
//! Recursive: as deep as the tree, so for trees of any depth on a stack that has room for them.

use super::{
    Argument, Arguments, Distinct, Expr, ExprKind, FrameBound, Function, GroupBy, GroupItem,
    IsTest, JoinCondition, OrderItem, Over, Query, Select, SelectItemKind, SetExpr, SetExprKind,
    Subscript, Table, TableExpr, TableKind, TimeWindow, WindowSpec,
};

/// Is told of the nodes of a tree, each before what is below it.
pub trait Visitor {
    /// Is told of a query.
    fn query(&mut self, _query: &Query) {}
    /// Is told of a SELECT.
    fn select(&mut self, _select: &Select) {}
    /// Is told of a table in FROM.
    fn table(&mut self, _table: &Table) {}
    /// Is told of an expression.
    fn expr(&mut self, _expr: &Expr) {}
}

/// Tells of a query and of all below it.
pub fn walk_query(query: &Query, visitor: &mut dyn Visitor) {
    visitor.query(query);
    for cte in query.with.iter().flat_map(|with| &with.ctes) {
        walk_query(&cte.query, visitor);
    }
    walk_after_with(query, visitor);
}

/// Tells of what is below a query but for the queries of its WITH.
pub fn walk_after_with(query: &Query, visitor: &mut dyn Visitor) {
    walk_set(&query.body, visitor);
    walk_order(&query.order_by, visitor);
    walk_exprs(query.limit.iter().chain(&query.offset), visitor);
}

fn walk_set(body: &SetExpr, visitor: &mut dyn Visitor) {
    match &body.kind {
        SetExprKind::Select(select) => walk_select(select, visitor),
        SetExprKind::Values(rows) => walk_exprs(rows.iter().flatten(), visitor),
        SetExprKind::Query(query) => walk_query(query, visitor),
        SetExprKind::Operation { left, right, .. } => {
            walk_set(left, visitor);
            walk_set(right, visitor);
        }
    }
}

/// Tells of a SELECT and of all below it.
pub fn walk_select(select: &Select, visitor: &mut dyn Visitor) {
    visitor.select(select);
    if let Some(Distinct::On(exprs)) = &select.distinct {
        walk_exprs(exprs, visitor);
    }
    for item in &select.items {
        if let SelectItemKind::Expr { value, .. } = &item.kind {
            walk_expr(value, visitor);
        }
    }
    for tables in &select.from {
        walk_tables(tables, visitor);
    }
    match &select.time_window {
        Some(TimeWindow::Between { since, until, .. }) => {
            walk_exprs(since.iter().chain(until), visitor);
        }
        Some(TimeWindow::At { instant, .. }) => walk_expr(instant, visitor),
        None => {}
    }
    walk_exprs(&select.filter, visitor);
    if let GroupBy::Items(items) = &select.group_by {
        for item in items {
            match item {
                GroupItem::Expr(value) => walk_expr(value, visitor),
                GroupItem::Rollup(sets) | GroupItem::Cube(sets) | GroupItem::Sets(sets) => {
                    walk_exprs(sets.iter().flatten(), visitor);
                }
            }
        }
    }
    walk_exprs(&select.having, visitor);
    for window in &select.windows {
        walk_window(&window.window, visitor);
    }
    walk_exprs(&select.qualify, visitor);
}

fn walk_tables(tables: &TableExpr, visitor: &mut dyn Visitor) {
    walk_table(&tables.table, visitor);
    for join in &tables.joins {
        walk_table(&join.table, visitor);
        if let JoinCondition::On(condition) = &join.condition {
            walk_expr(condition, visitor);
        }
    }
}

fn walk_table(table: &Table, visitor: &mut dyn Visitor) {
    visitor.table(table);
    match &table.kind {
        TableKind::Name(_) => {}
        TableKind::Function { arguments, .. } => walk_arguments(arguments, visitor),
        TableKind::Query(query) => walk_query(query, visitor),
        TableKind::Nested(tables) => walk_tables(tables, visitor),
    }
}

fn walk_exprs<'e>(exprs: impl IntoIterator<Item = &'e Expr>, visitor: &mut dyn Visitor) {
    for expr in exprs {
        walk_expr(expr, visitor);
    }
}

fn walk_arguments(arguments: &[Argument], visitor: &mut dyn Visitor) {
    walk_exprs(arguments.iter().map(|argument| &argument.value), visitor);
}

fn walk_order(items: &[OrderItem], visitor: &mut dyn Visitor) {
    walk_exprs(items.iter().map(|item| &item.value), visitor);
}

/// Tells of an expression and of all below it.
pub fn walk_expr(expr: &Expr, visitor: &mut dyn Visitor) {
    visitor.expr(expr);
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Literal(_) | ExprKind::Parameter(_) => {}
        ExprKind::TypedParameter(parameter) => walk_exprs(&parameter.default, visitor),
        ExprKind::Nested(operand)
        | ExprKind::Not(operand)
        | ExprKind::Sign { operand, .. }
        | ExprKind::Cast { operand, .. }
        | ExprKind::Extract { operand, .. }
        | ExprKind::Quantified { operand, .. }
        | ExprKind::Field { operand, .. } => walk_expr(operand, visitor),
        ExprKind::Tuple(items)
        | ExprKind::Array(items)
        | ExprKind::And(items)
        | ExprKind::Or(items) => walk_exprs(items, visitor),
        ExprKind::Binary { left, right, .. } => {
            walk_expr(left, visitor);
            walk_expr(right, visitor);
        }
        ExprKind::Is { operand, test, .. } => {
            walk_expr(operand, visitor);
            if let IsTest::DistinctFrom(other) = test {
                walk_expr(other, visitor);
            }
        }
        ExprKind::Between { operand, low, high, .. } => {
            walk_exprs([&**operand, &**low, &**high], visitor);
        }
        ExprKind::InList { operand, list, .. } => {
            walk_expr(operand, visitor);
            walk_exprs(list, visitor);
        }
        ExprKind::InQuery { operand, query, .. } => {
            walk_expr(operand, visitor);
            walk_query(query, visitor);
        }
        ExprKind::Like { operand, pattern, .. } => {
            walk_exprs([&**operand, &**pattern], visitor);
        }
        ExprKind::Case { operand, branches, otherwise } => {
            walk_exprs(operand.as_deref(), visitor);
            walk_exprs(
                branches.iter().flat_map(|(condition, result)| [condition, result]),
                visitor,
            );
            walk_exprs(otherwise.as_deref(), visitor);
        }
        ExprKind::Trim { characters, operand, .. } => {
            walk_exprs(characters.as_deref().into_iter().chain([&**operand]), visitor);
        }
        ExprKind::Function(function) => walk_function(function, visitor),
        ExprKind::Exists(query) | ExprKind::Subquery(query) => walk_query(query, visitor),
        ExprKind::Subscript { operand, index } => {
            walk_expr(operand, visitor);
            match index {
                Subscript::Index(index) => walk_expr(index, visitor),
                Subscript::Slice(from, to) => {
                    walk_exprs(from.as_deref().into_iter().chain(to.as_deref()), visitor);
                }
            }
        }
    }
}

fn walk_function(function: &Function, visitor: &mut dyn Visitor) {
    if let Arguments::List { items, order_by, .. } = &function.arguments {
        walk_arguments(items, visitor);
        walk_order(order_by, visitor);
    }
    walk_order(&function.within_group, visitor);
    walk_exprs(&function.filter, visitor);
    if let Some(Over::Window(window)) = &function.over {
        walk_window(window, visitor);
    }
}

fn walk_window(window: &WindowSpec, visitor: &mut dyn Visitor) {
    walk_exprs(&window.partition_by, visitor);
    walk_order(&window.order_by, visitor);
    let bounds = window.frame.iter().flat_map(|frame| [Some(&frame.start), frame.end.as_ref()]);
    for bound in bounds.flatten() {
        if let FrameBound::Preceding(Some(value)) | FrameBound::Following(Some(value)) = bound {
            walk_expr(value, visitor);
        }
    }
}

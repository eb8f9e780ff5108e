//! A walk that may change all expressions of a query, those of the queries within it included.
//! Used where constants take the place of parameters; recurses as deep as the tree is.

use super::*;

/// Calls `visit` on every expression of a statement, outer ones before what they hold.
pub fn walk_statement_mut(statement: &mut Statement, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut statement.kind {
        StatementKind::Query(query) | StatementKind::Explain { query, .. } => {
            walk_query_mut(query, visit);
        }
        StatementKind::Describe(_)
        | StatementKind::Show(_)
        | StatementKind::Set { .. }
        | StatementKind::SetParameter { .. } => {}
    }
}

/// Calls `visit` on every expression of a query, outer ones before what they hold.
pub fn walk_query_mut(query: &mut Query, visit: &mut dyn FnMut(&mut Expr)) {
    for cte in query.with.iter_mut().flat_map(|with| &mut with.ctes) {
        walk_query_mut(&mut cte.query, visit);
    }
    walk_body(&mut query.body, visit);
    walk_order(&mut query.order_by, visit);
    for expr in query.limit.iter_mut().chain(&mut query.offset) {
        walk(expr, visit);
    }
}

fn walk_body(body: &mut SetExpr, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut body.kind {
        SetExprKind::Select(select) => walk_select(select, visit),
        SetExprKind::Values(rows) => walk_all(rows.iter_mut().flatten(), visit),
        SetExprKind::Query(query) => walk_query_mut(query, visit),
        SetExprKind::Operation { left, right, .. } => {
            walk_body(left, visit);
            walk_body(right, visit);
        }
    }
}

fn walk_select(select: &mut Select, visit: &mut dyn FnMut(&mut Expr)) {
    if let Some(Distinct::On(exprs)) = &mut select.distinct {
        walk_all(exprs, visit);
    }
    for item in &mut select.items {
        if let SelectItemKind::Expr { value, .. } = &mut item.kind {
            walk(value, visit);
        }
    }
    for table in &mut select.from {
        walk_tables(table, visit);
    }
    match &mut select.time_window {
        Some(TimeWindow::Between { since, until, .. }) => {
            walk_all(since.iter_mut().chain(until), visit);
        }
        Some(TimeWindow::At { instant, .. }) => walk(instant, visit),
        None => {}
    }
    walk_all(&mut select.filter, visit);
    if let GroupBy::Items(items) = &mut select.group_by {
        for item in items {
            match item {
                GroupItem::Expr(expr) => walk(expr, visit),
                GroupItem::Rollup(sets) | GroupItem::Cube(sets) | GroupItem::Sets(sets) => {
                    walk_all(sets.iter_mut().flatten(), visit);
                }
            }
        }
    }
    walk_all(&mut select.having, visit);
    for window in &mut select.windows {
        walk_window(&mut window.window, visit);
    }
    walk_all(&mut select.qualify, visit);
}

fn walk_tables(tables: &mut TableExpr, visit: &mut dyn FnMut(&mut Expr)) {
    walk_table(&mut tables.table, visit);
    for join in &mut tables.joins {
        walk_table(&mut join.table, visit);
        if let JoinCondition::On(condition) = &mut join.condition {
            walk(condition, visit);
        }
    }
}

fn walk_table(table: &mut Table, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut table.kind {
        TableKind::Name(_) => {}
        TableKind::Function { arguments, .. } => {
            walk_all(arguments.iter_mut().map(|argument| &mut argument.value), visit);
        }
        TableKind::Query(query) => walk_query_mut(query, visit),
        TableKind::Nested(tables) => walk_tables(tables, visit),
    }
}

fn walk_order(items: &mut [OrderItem], visit: &mut dyn FnMut(&mut Expr)) {
    walk_all(items.iter_mut().map(|item| &mut item.value), visit);
}

fn walk_all<'e>(exprs: impl IntoIterator<Item = &'e mut Expr>, visit: &mut dyn FnMut(&mut Expr)) {
    for expr in exprs {
        walk(expr, visit);
    }
}

fn walk(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit(expr);
    match &mut expr.kind {
        ExprKind::Column(_)
        | ExprKind::Literal(_)
        | ExprKind::Parameter(_)
        | ExprKind::TypedParameter(_) => {}
        ExprKind::Nested(one)
        | ExprKind::Not(one)
        | ExprKind::Sign { operand: one, .. }
        | ExprKind::Cast { operand: one, .. }
        | ExprKind::Extract { operand: one, .. }
        | ExprKind::Quantified { operand: one, .. }
        | ExprKind::Field { operand: one, .. } => walk(one, visit),
        ExprKind::Tuple(items)
        | ExprKind::Array(items)
        | ExprKind::And(items)
        | ExprKind::Or(items) => walk_all(items, visit),
        ExprKind::Binary { left, right, .. } => walk_all([&mut **left, &mut **right], visit),
        ExprKind::Is { operand, test, .. } => {
            walk(operand, visit);
            if let IsTest::DistinctFrom(other) = test {
                walk(other, visit);
            }
        }
        ExprKind::Between { operand, low, high, .. } => {
            walk_all([&mut **operand, &mut **low, &mut **high], visit);
        }
        ExprKind::InList { operand, list, .. } => {
            walk(operand, visit);
            walk_all(list, visit);
        }
        ExprKind::InQuery { operand, query, .. } => {
            walk(operand, visit);
            walk_query_mut(query, visit);
        }
        ExprKind::Like { operand, pattern, .. } => {
            walk_all([&mut **operand, &mut **pattern], visit);
        }
        ExprKind::Case { operand, branches, otherwise } => {
            walk_all(operand.as_deref_mut(), visit);
            for (condition, result) in branches {
                walk_all([condition, result], visit);
            }
            walk_all(otherwise.as_deref_mut(), visit);
        }
        ExprKind::Trim { characters, operand, .. } => {
            walk_all(characters.as_deref_mut(), visit);
            walk(operand, visit);
        }
        ExprKind::Function(function) => walk_call(function, visit),
        ExprKind::Exists(query) | ExprKind::Subquery(query) => walk_query_mut(query, visit),
        ExprKind::Subscript { operand, index } => {
            walk(operand, visit);
            match index {
                Subscript::Index(index) => walk(index, visit),
                Subscript::Slice(from, to) => {
                    walk_all(from.as_deref_mut().into_iter().chain(to.as_deref_mut()), visit);
                }
            }
        }
    }
}

fn walk_call(function: &mut Function, visit: &mut dyn FnMut(&mut Expr)) {
    if let Arguments::List { items, order_by, .. } = &mut function.arguments {
        walk_all(items.iter_mut().map(|item| &mut item.value), visit);
        walk_order(order_by, visit);
    }
    walk_order(&mut function.within_group, visit);
    walk_all(&mut function.filter, visit);
    if let Some(Over::Window(window)) = &mut function.over {
        walk_window(window, visit);
    }
}

fn walk_window(window: &mut WindowSpec, visit: &mut dyn FnMut(&mut Expr)) {
    walk_all(&mut window.partition_by, visit);
    walk_order(&mut window.order_by, visit);
    for bound in window
        .frame
        .iter_mut()
        .flat_map(|frame| std::iter::once(&mut frame.start).chain(&mut frame.end))
    {
        match bound {
            FrameBound::CurrentRow => {}
            FrameBound::Preceding(distance) | FrameBound::Following(distance) => {
                walk_all(distance.as_deref_mut(), visit);
            }
        }
    }
}

//! Queries and SELECT: one clause a line.

use super::Printer;
use crate::ast::{
    Distinct, Expr, ExprKind, GroupBy, GroupItem, OrderItem, Query, Select, SelectItem,
    SelectItemKind, SetExpr, SetExprKind, SetOp, TimeWindow, With,
};

use super::layout::Op;

impl Printer<'_, '_> {
    /// Prints a query; its clauses are lines of the group around it.
    pub(super) fn query(&mut self, query: &Query) {
        if let Some(with) = &query.with {
            self.with(with);
            self.line();
        }
        self.set_expr(&query.body);
        if !query.order_by.is_empty() {
            self.line();
            self.order_by(&query.order_by);
        }
        if let Some(limit) = &query.limit {
            self.line();
            self.words("LIMIT");
            self.space();
            self.expr(limit);
        }
        if let Some(offset) = &query.offset {
            if query.limit.is_some() {
                self.space();
            } else {
                self.line();
            }
            self.words("OFFSET");
            self.space();
            self.expr(offset);
        }
    }

    /// Prints a query in parentheses.
    pub(super) fn paren_query(&mut self, query: &Query) {
        self.bracketed("(", ")", |printer| printer.query(query));
    }

    fn with(&mut self, with: &With) {
        self.words(if with.is_recursive { "WITH RECURSIVE" } else { "WITH" });
        self.space();
        for (n, cte) in with.ctes.iter().enumerate() {
            if n > 0 {
                self.sign(",");
                self.line();
            }
            self.name(&cte.name);
            if !cte.columns.is_empty() {
                self.space();
                self.names(&cte.columns);
            }
            self.spaced("AS");
            self.bracketed("(", ")", |printer| {
                printer.ops.push(Op::Break);
                printer.query(&cte.query);
            });
        }
    }

    fn set_expr(&mut self, body: &SetExpr) {
        // A chain leans to the left, and may be long.
        let mut operations = Vec::new();
        let mut first = body;
        while let SetExprKind::Operation { op, is_all, left, right } = &first.kind {
            operations.push((*op, *is_all, right));
            first = left;
        }
        self.set_operand(first);
        for (op, is_all, right) in operations.into_iter().rev() {
            self.line();
            self.words(match op {
                SetOp::Union => "UNION",
                SetOp::Intersect => "INTERSECT",
                SetOp::Except => "EXCEPT",
            });
            if is_all {
                self.space();
                self.words("ALL");
            }
            self.line();
            self.set_expr(right);
        }
    }

    fn set_operand(&mut self, operand: &SetExpr) {
        match &operand.kind {
            SetExprKind::Select(select) => self.select(select),
            SetExprKind::Values(rows) => {
                self.list_clause("VALUES", rows, |printer, row| printer.row(row));
            }
            SetExprKind::Query(query) => self.paren_query(query),
            SetExprKind::Operation { .. } => self.set_expr(operand),
        }
    }

    fn row(&mut self, row: &[Expr]) {
        self.bracketed("(", ")", |printer| printer.list(row, Self::expr));
    }

    fn select(&mut self, select: &Select) {
        self.open();
        self.words("SELECT");
        match &select.distinct {
            Some(Distinct::Rows) => {
                self.space();
                self.words("DISTINCT");
            }
            Some(Distinct::On(exprs)) => {
                self.space();
                self.words("DISTINCT ON");
                self.space();
                self.row(exprs);
            }
            // Without it, columns of these names could be read as the word.
            None if begins_with_quantifier(select.items.first().and_then(item_value)) => {
                self.space();
                self.words("ALL");
            }
            None => {}
        }
        self.list_after_words(&select.items, Self::select_item);
        self.close();
        if !select.from.is_empty() {
            self.line();
            self.from(&select.from);
        }
        if let Some(window) = &select.time_window {
            self.line();
            self.time_window(window);
        }
        self.condition("WHERE", select.filter.as_ref());
        self.group_by(&select.group_by);
        self.condition("HAVING", select.having.as_ref());
        if !select.windows.is_empty() {
            self.line();
            self.list_clause("WINDOW", &select.windows, |printer, window| {
                printer.name(&window.name);
                printer.spaced("AS");
                printer.window_spec(&window.window);
            });
        }
        self.condition("QUALIFY", select.qualify.as_ref());
    }

    fn select_item(&mut self, item: &SelectItem) {
        match &item.kind {
            SelectItemKind::Expr { value, alias } => {
                self.expr(value);
                if let Some(alias) = alias {
                    self.spaced("AS");
                    self.name(alias);
                }
            }
            SelectItemKind::Wildcard { table, except } => {
                match table {
                    Some(table) => {
                        self.path(table);
                        self.sign(".");
                        self.sign("*");
                    }
                    None => self.token("*".to_owned(), Some(item.span.start)),
                }
                if !except.is_empty() {
                    self.spaced("EXCEPT");
                    self.names(except);
                }
            }
        }
    }

    fn condition(&mut self, word: &str, condition: Option<&Expr>) {
        if let Some(condition) = condition {
            self.line();
            self.words(word);
            self.space();
            self.expr(condition);
        }
    }

    fn time_window(&mut self, window: &TimeWindow) {
        let (since, until, at) = match window {
            TimeWindow::Between { since, until, .. } => (since.as_ref(), until.as_ref(), None),
            TimeWindow::At { instant, .. } => (None, None, Some(instant)),
        };
        let clauses = [("SINCE", since), ("UNTIL", until), ("AT", at)];
        let mut is_first = true;
        for (word, instant) in clauses {
            if let Some(instant) = instant {
                if !std::mem::take(&mut is_first) {
                    self.space();
                }
                self.words(word);
                self.space();
                self.expr(instant);
            }
        }
    }

    fn group_by(&mut self, group_by: &GroupBy) {
        match group_by {
            GroupBy::All => {
                self.line();
                self.words("GROUP BY ALL");
            }
            GroupBy::Items(items) if items.is_empty() => {}
            GroupBy::Items(items) => {
                self.line();
                self.list_clause("GROUP BY", items, Self::group_item);
            }
        }
    }

    fn group_item(&mut self, item: &GroupItem) {
        let (words, sets) = match item {
            GroupItem::Expr(value) => return self.expr(value),
            GroupItem::Rollup(sets) => ("ROLLUP", sets),
            GroupItem::Cube(sets) => ("CUBE", sets),
            GroupItem::Sets(sets) => ("GROUPING SETS", sets),
        };
        self.words(words);
        self.space();
        self.bracketed("(", ")", |printer| {
            printer.list(sets, |printer, set| match set.as_slice() {
                // Their parentheses would be taken for those of the set.
                [one]
                    if !matches!(one.kind, ExprKind::Tuple(_) | ExprKind::Nested(_))
                        && words != "GROUPING SETS" =>
                {
                    printer.expr(one);
                }
                items => printer.row(items),
            });
        });
    }

    pub(super) fn order_by(&mut self, items: &[OrderItem]) {
        self.list_clause("ORDER BY", items, |printer, item| {
            printer.expr(&item.value);
            if let Some(is_descending) = item.is_descending {
                printer.space();
                printer.words(if is_descending { "DESC" } else { "ASC" });
            }
            if let Some(nulls_first) = item.nulls_first {
                printer.space();
                printer.words(if nulls_first { "NULLS FIRST" } else { "NULLS LAST" });
            }
        });
    }
}

fn item_value(item: &SelectItem) -> Option<&Expr> {
    match &item.kind {
        SelectItemKind::Expr { value, .. } => Some(value),
        SelectItemKind::Wildcard { .. } => None,
    }
}

/// Returns whether the first word of an expression is a column that DISTINCT or ALL would hide.
pub(super) fn begins_with_quantifier(expr: Option<&Expr>) -> bool {
    let Some(mut expr) = expr else { return false };
    loop {
        expr = match &expr.kind {
            ExprKind::Column(name) => {
                return name.parts.first().is_some_and(|part| {
                    !part.is_quoted && (part.matches("distinct") || part.matches("all"))
                });
            }
            // `ALL (…)` may stand behind a comparison alone, but is read anywhere.
            ExprKind::Quantified { is_all, .. } => return *is_all,
            ExprKind::And(items) | ExprKind::Or(items) => match items.first() {
                Some(first) => first,
                None => return false,
            },
            ExprKind::Binary { left: operand, .. }
            | ExprKind::Is { operand, .. }
            | ExprKind::Between { operand, .. }
            | ExprKind::InList { operand, .. }
            | ExprKind::InQuery { operand, .. }
            | ExprKind::Like { operand, .. }
            | ExprKind::Subscript { operand, .. }
            | ExprKind::Field { operand, .. }
            | ExprKind::Cast { operand, .. } => operand,
            _ => return false,
        };
    }
}

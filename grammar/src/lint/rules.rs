//! The lints that look at one query at a time.

use std::collections::HashSet;

use super::{Finding, Surroundings, buckets};
use crate::ast::walk::{Visitor, walk_after_with, walk_expr, walk_query};
use crate::ast::{
    BinaryOp, Expr, ExprKind, Ident, IsTest, Literal, Query, Select, SetExpr, SetExprKind, Span,
    Statement, StatementKind, Table, TableKind,
};

/// Columns by which a condition bounds what is read of the past.
const BOUNDS: [&str; 4] = ["start", "end", "id", "status"];

/// Returns the findings of a statement's query.
pub(super) fn findings(query: &Query, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let mut lints = Lints { surroundings, findings: Vec::new(), ctes: cte_names(query) };
    walk_query(query, &mut lints);
    lints.findings
}

/// Returns the declared parameters that no statement uses.
pub(super) fn unused_parameters(
    statements: &[Statement],
    surroundings: &Surroundings<'_>,
) -> Vec<Finding> {
    let mut used = Used::default();
    for statement in statements {
        match &statement.kind {
            StatementKind::Query(query) | StatementKind::Explain { query, .. } => {
                walk_query(query, &mut used);
            }
            _ => {}
        }
    }
    let unused = surroundings.parameters.iter().filter(|(name, _)| !used.parameters.contains(name));
    unused
        .map(|(name, span)| Finding {
            name: "unused-parameter",
            message: format!("parameter `{name}` is never used"),
            span: *span,
            hint: None,
        })
        .collect()
}

struct Lints<'a> {
    surroundings: &'a Surroundings<'a>,
    findings: Vec<Finding>,
    /// The names of all named queries of the statement.
    ctes: HashSet<String>,
}

impl Lints<'_> {
    fn add(&mut self, name: &'static str, span: Span, message: String, hint: Option<&'static str>) {
        self.findings.push(Finding { name, message, span, hint });
    }
}

impl Visitor for Lints<'_> {
    fn query(&mut self, query: &Query) {
        self.unused_ctes(query);
        self.window_in_one_branch(&query.body);
    }

    fn select(&mut self, select: &Select) {
        self.no_time_bound(select);
        for (span, message, hint) in buckets::find(select) {
            self.add("time-buckets", span, message, Some(hint));
        }
    }

    fn expr(&mut self, expr: &Expr) {
        self.never_true(expr);
        self.not_in_null(expr);
    }
}

impl Lints<'_> {
    fn unused_ctes(&mut self, query: &Query) {
        let Some(with) = &query.with else { return };
        let mut used = Used::default();
        walk_after_with(query, &mut used);
        // A named query is seen by what follows it; that it names itself is no use.
        for cte in with.ctes.iter().rev() {
            if !used.tables.contains(&cte.name.normalized()) {
                let message = format!("`{}` is never used", cte.name.value);
                self.add("unused-cte", cte.name.span, message, None);
            }
            walk_query(&cte.query, &mut used);
        }
    }

    fn window_in_one_branch(&mut self, body: &SetExpr) {
        let mut branches = Vec::new();
        let mut waiting = vec![body];
        while let Some(part) = waiting.pop() {
            match &part.kind {
                SetExprKind::Operation { left, right, .. } => waiting.extend([&**right, &**left]),
                SetExprKind::Select(select) if !select.from.is_empty() => {
                    branches.push((part.span, select.time_window.is_some()));
                }
                _ => {}
            }
        }
        let is_windowed = branches.iter().any(|(_, has_window)| *has_window);
        if let (true, Some((span, _))) =
            (is_windowed, branches.iter().find(|(_, has_window)| !has_window))
        {
            let message = "this branch has no time window, and another one has".to_owned();
            let hint = "each branch of a set operation has a window of its own";
            self.add("window-in-one-branch", *span, message, Some(hint));
        }
    }

    fn no_time_bound(&mut self, select: &Select) {
        let is_bounded = select.time_window.is_some()
            || select.filter.as_ref().is_some_and(|filter| names_column(filter, &BOUNDS));
        if is_bounded {
            return;
        }
        let tables = select.from.iter();
        for table in tables.flat_map(|from| {
            std::iter::once(&from.table).chain(from.joins.iter().map(|join| &join.table))
        }) {
            let TableKind::Name(name) = &table.kind else { continue };
            let parts: Vec<_> = name.parts.iter().map(Ident::normalized).collect();
            let is_cte = matches!(parts.as_slice(), [one] if self.ctes.contains(one));
            if !is_cte && (self.surroundings.has_history)(&parts) {
                let message = format!(
                    "nothing bounds the time of `{}`: all its history is read",
                    parts.join(".")
                );
                self.add("no-time-bound", name.span, message, Some("add SINCE, UNTIL or AT"));
            }
        }
    }

    fn never_true(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Binary { op, left, right, .. }
                if op.is_comparison() && (is_null(left) || is_null(right)) =>
            {
                let message = "a comparison with NULL is never true".to_owned();
                self.add("never-true", expr.span, message, Some("write IS NULL or IS NOT NULL"));
            }
            ExprKind::Between { low, high, is_negated: false, is_symmetric: false, .. } => {
                if let (Some(low), Some(high)) = (number(low), number(high))
                    && low > high
                {
                    let message =
                        "the lower bound is above the upper one, so that this is never true"
                            .to_owned();
                    self.add("never-true", expr.span, message, Some("write the lower bound first"));
                }
            }
            ExprKind::And(items) => {
                let equalities: Vec<_> = items.iter().filter_map(equality).collect();
                for (n, (column, text, span)) in equalities.iter().enumerate() {
                    let other = equalities[..n]
                        .iter()
                        .find(|(before, other, _)| before == column && other != text);
                    if let Some((_, other, _)) = other {
                        let message = format!("`{column}` cannot be both '{other}' and '{text}'");
                        self.add("never-true", *span, message, Some("write OR or IN"));
                    }
                }
            }
            _ => {}
        }
    }

    fn not_in_null(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::InList { list, is_negated: true, .. } if list.iter().any(is_null) => {
                let message = "NOT IN with a NULL in its list is never true".to_owned();
                self.add("not-in-null", expr.span, message, Some("take NULL out of the list"));
            }
            ExprKind::InQuery { query, is_negated: true, .. } if may_yield_null(query) => {
                let message =
                    "NOT IN is true for no row at all if the query yields a NULL".to_owned();
                let hint = "write NOT EXISTS, or add IS NOT NULL to the query";
                self.add("not-in-null", expr.span, message, Some(hint));
            }
            _ => {}
        }
    }
}

/// The tables and parameters that a tree names.
#[derive(Default)]
struct Used {
    tables: HashSet<String>,
    parameters: HashSet<String>,
}

impl Visitor for Used {
    fn table(&mut self, table: &Table) {
        if let TableKind::Name(name) = &table.kind
            && let [name] = name.parts.as_slice()
        {
            self.tables.insert(name.normalized());
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Parameter(name) => self.parameters.insert(name.value.clone()),
            ExprKind::TypedParameter(parameter) => {
                self.parameters.insert(parameter.name.value.clone())
            }
            _ => false,
        };
    }
}

/// Returns the names of all named queries below a query.
fn cte_names(query: &Query) -> HashSet<String> {
    struct Names(HashSet<String>);
    impl Visitor for Names {
        fn query(&mut self, query: &Query) {
            let ctes = query.with.iter().flat_map(|with| &with.ctes);
            self.0.extend(ctes.map(|cte| cte.name.normalized()));
        }
    }
    let mut names = Names(HashSet::new());
    walk_query(query, &mut names);
    names.0
}

/// Returns whether an expression names one of some columns, queries within it left out.
pub(super) fn names_column(expr: &Expr, columns: &[&str]) -> bool {
    struct Names<'a>(&'a [&'a str], bool);
    impl Visitor for Names<'_> {
        fn expr(&mut self, expr: &Expr) {
            if let ExprKind::Column(name) = &expr.kind
                && let Some(last) = name.parts.last()
            {
                self.1 |= self.0.iter().any(|column| last.matches(column));
            }
        }
    }
    let mut names = Names(columns, false);
    walk_expr(expr, &mut names);
    names.1
}

fn innermost(mut expr: &Expr) -> &Expr {
    while let ExprKind::Nested(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

fn is_null(expr: &Expr) -> bool {
    matches!(innermost(expr).kind, ExprKind::Literal(Literal::Null))
}

/// Returns the value of a number or duration.
fn number(expr: &Expr) -> Option<f64> {
    match &innermost(expr).kind {
        ExprKind::Literal(Literal::Number(digits)) => digits.parse().ok(),
        // Durations only meet durations.
        ExprKind::Literal(Literal::Duration(micros)) => Some(*micros as f64),
        ExprKind::Sign { is_minus: true, operand } => number(operand).map(|value| -value),
        _ => None,
    }
}

/// Returns the column and the text of `column = 'text'`.
fn equality(expr: &Expr) -> Option<(String, &str, Span)> {
    let ExprKind::Binary { op: BinaryOp::Eq, left, right, .. } = &innermost(expr).kind else {
        return None;
    };
    match (&innermost(left).kind, &innermost(right).kind) {
        (ExprKind::Column(name), ExprKind::Literal(Literal::Text(text)))
        | (ExprKind::Literal(Literal::Text(text)), ExprKind::Column(name)) => {
            let parts: Vec<_> = name.parts.iter().map(Ident::normalized).collect();
            Some((parts.join("."), text, expr.span))
        }
        _ => None,
    }
}

/// Returns whether a query may yield NULL, as far as its text tells.
fn may_yield_null(query: &Query) -> bool {
    let SetExprKind::Select(select) = &query.body.kind else { return true };
    !select.filter.as_ref().is_some_and(has_is_not_null)
}

fn has_is_not_null(expr: &Expr) -> bool {
    match &innermost(expr).kind {
        ExprKind::Is { test: IsTest::Null, is_negated: true, .. } => true,
        ExprKind::And(items) => items.iter().any(has_is_not_null),
        _ => false,
    }
}

//! The lints that look at one query at a time.

use std::collections::HashSet;

use super::nulls::may_yield_null;
use super::{Finding, Surroundings, buckets};
use crate::ast::walk::{Visitor, walk_after_with, walk_expr, walk_query};
use crate::ast::{
    BinaryOp, Expr, ExprKind, Ident, JoinCondition, Literal, Query, Select, SetExpr, SetExprKind,
    Span, Statement, StatementKind, Table, TableKind,
};

/// Columns by which a condition bounds what is read of the past.
const BOUNDS: [&str; 4] = ["start", "end", "id", "status"];

/// Returns the findings of a statement's query.
pub(super) fn findings(query: &Query, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let mut lints =
        Lints { surroundings, findings: Vec::new(), ctes: cte_names(query), bounded: Vec::new() };
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
    /// Where the queries stand whose rows the SELECT around them bounds.
    bounded: Vec<Span>,
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
                    let is_windowed = select.time_window.is_some();
                    // A condition on the time is another way to say which sessions are meant.
                    if is_windowed || !is_bounded(select) {
                        branches.push((part.span, is_windowed));
                    }
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
        let tables = || {
            select.from.iter().flat_map(|from| {
                std::iter::once(&from.table).chain(from.joins.iter().map(|join| &join.table))
            })
        };
        if is_bounded(select) {
            let is_query = |table: &&Table| matches!(table.kind, TableKind::Query(_));
            self.bounded.extend(tables().filter(is_query).map(|table| table.span));
            return;
        }
        for table in tables() {
            let TableKind::Name(name) = &table.kind else { continue };
            let is_in =
                |bounded: &Span| bounded.start <= name.span.start && name.span.end <= bounded.end;
            if self.bounded.iter().any(is_in) || is_bounded_by_join(select, table) {
                continue;
            }
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
                let is_reversed = match (number(low), number(high)) {
                    (Some(low), Some(high)) => low > high,
                    _ => date(low).zip(date(high)).is_some_and(|(low, high)| low > high),
                };
                if is_reversed {
                    let message =
                        "the lower bound is above the upper one, so that this is never true"
                            .to_owned();
                    self.add("never-true", expr.span, message, Some("write the lower bound first"));
                }
            }
            ExprKind::And(items) => {
                if let Some((column, span)) = empty_range(items) {
                    let message =
                        format!("no `{column}` is above the one bound and below the other");
                    self.add("never-true", span, message, Some("write OR, or exchange the bounds"));
                }
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
            ExprKind::Not(operand) => {
                if let ExprKind::InQuery { query, is_negated: false, .. } = &innermost(operand).kind
                    && may_yield_null(query)
                {
                    self.not_in_query(expr.span);
                }
            }
            ExprKind::InQuery { query, is_negated: true, .. } if may_yield_null(query) => {
                self.not_in_query(expr.span);
            }
            _ => {}
        }
    }

    fn not_in_query(&mut self, span: Span) {
        let message = "NOT IN is true for no row at all if the query yields a NULL".to_owned();
        let hint = "write NOT EXISTS, or add IS NOT NULL to the query";
        self.add("not-in-null", span, message, Some(hint));
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

pub(super) fn innermost(mut expr: &Expr) -> &Expr {
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

/// Returns a text that begins with a date, so that its order is that of time.
fn date(expr: &Expr) -> Option<&str> {
    match &innermost(expr).kind {
        ExprKind::Literal(Literal::Text(text) | Literal::Date(text) | Literal::Timestamp(text)) => {
            let (year, _) = text.split_once('-')?;
            (year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
        }
        _ => None,
    }
}

/// Returns the column of which conditions joined by AND want more than one number and less than a
/// smaller one, and where the second of these stands.
fn empty_range(items: &[Expr]) -> Option<(String, Span)> {
    let bounds = items.iter().filter_map(|item| {
        let ExprKind::Binary { op, left, right, .. } = &innermost(item).kind else { return None };
        let (name, value, is_turned) = match (&innermost(left).kind, &innermost(right).kind) {
            (ExprKind::Column(name), _) => (name, number(right)?, false),
            (_, ExprKind::Column(name)) => (name, number(left)?, true),
            _ => return None,
        };
        let is_lower = match op {
            BinaryOp::Gt | BinaryOp::GtEq => !is_turned,
            BinaryOp::Lt | BinaryOp::LtEq => is_turned,
            _ => return None,
        };
        let parts: Vec<_> = name.parts.iter().map(Ident::normalized).collect();
        Some((parts.join("."), is_lower, value, item.span))
    });
    let bounds: Vec<_> = bounds.collect();
    bounds.iter().enumerate().find_map(|(n, (column, is_lower, value, span))| {
        let excludes = |(other, other_is_lower, bound, _): &&(String, bool, f64, Span)| {
            other == column
                && other_is_lower != is_lower
                && if *is_lower { value > bound } else { value < bound }
        };
        bounds[..n].iter().find(excludes).map(|_| (column.clone(), *span))
    })
}

/// Returns whether something bounds the time of what a SELECT reads.
fn is_bounded(select: &Select) -> bool {
    select.time_window.is_some()
        || select.filter.as_ref().is_some_and(|filter| names_column(filter, &BOUNDS))
}

/// Returns whether the condition of a join compares a time of this table with something.
fn is_bounded_by_join(select: &Select, table: &Table) -> bool {
    let name = match (&table.alias, &table.kind) {
        (Some(alias), _) => alias.name.normalized(),
        (None, TableKind::Name(name)) => {
            name.parts.last().map(Ident::normalized).unwrap_or_default()
        }
        _ => return false,
    };
    struct Times<'a>(&'a str, bool);
    impl Visitor for Times<'_> {
        fn expr(&mut self, expr: &Expr) {
            if let ExprKind::Column(column) = &expr.kind
                && let [.., table, time] = column.parts.as_slice()
            {
                let is_time = time.matches("start") || time.matches("end");
                self.1 |= is_time && table.normalized() == self.0;
            }
        }
    }
    let mut times = Times(&name, false);
    for join in select.from.iter().flat_map(|from| &from.joins) {
        if let JoinCondition::On(condition) = &join.condition {
            walk_expr(condition, &mut times);
        }
    }
    times.1
}

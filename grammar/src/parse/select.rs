//! SELECT and its clauses.

use super::{Builder, Pair, Result, Rule, object_name, only_child, required};
use crate::ast::{
    Distinct, Expr, ExprKind, Frame, FrameBound, FrameUnits, GroupBy, GroupItem, Ident,
    NamedWindow, Select, SelectItem, SelectItemKind, Span, TimeWindow, WindowSpec,
};
use crate::error::{ParseError, ParseErrorKind};

impl<'t> Builder<'t> {
    pub(super) fn select(&self, pair: Pair<'t>) -> Result<Select> {
        let mut select = Select {
            distinct: None,
            items: Vec::new(),
            from: Vec::new(),
            time_window: None,
            filter: None,
            group_by: GroupBy::Items(Vec::new()),
            having: None,
            windows: Vec::new(),
            qualify: None,
        };
        for clause in pair.into_inner() {
            self.select_clause(&mut select, clause)?;
        }
        Ok(select)
    }

    fn select_clause(&self, select: &mut Select, clause: Pair<'t>) -> Result<()> {
        let span = self.span(&clause);
        match clause.as_rule() {
            Rule::quantifier => select.distinct = self.distinct(clause)?,
            Rule::select_list => {
                let items =
                    clause.into_inner().filter(|child| child.as_rule() == Rule::select_item);
                select.items = self.list(items, |item| self.select_item(item))?;
            }
            Rule::from => {
                let tables =
                    clause.into_inner().filter(|child| child.as_rule() == Rule::table_expr);
                select.from = self.list(tables, |table| self.table_expr(table))?;
            }
            Rule::since | Rule::until | Rule::at => {
                self.time_window(&mut select.time_window, clause)?;
            }
            Rule::where_ => select.filter = Some(self.last_expr(clause)?),
            Rule::group_by => select.group_by = self.group_by(clause)?,
            Rule::having => select.having = Some(self.last_expr(clause)?),
            Rule::qualify => {
                set_once(&mut select.qualify, "QUALIFY", span, self.last_expr(clause)?)?;
            }
            Rule::named_windows => {
                for window in
                    clause.into_inner().filter(|child| child.as_rule() == Rule::named_window)
                {
                    select.windows.push(self.named_window(window)?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Builds the expression that ends a clause.
    pub(super) fn last_expr(&self, pair: Pair<'t>) -> Result<Expr> {
        let span = self.span(&pair);
        let is_expr = |child: &Pair<'_>| matches!(child.as_rule(), Rule::expr | Rule::range_expr);
        let last = pair.into_inner().rev().find(is_expr);
        self.expr(required(last, span)?)
    }

    fn distinct(&self, pair: Pair<'t>) -> Result<Option<Distinct>> {
        let child = only_child(pair)?;
        Ok(match child.as_rule() {
            Rule::distinct_on => Some(Distinct::On(self.exprs(child)?)),
            Rule::k_distinct => Some(Distinct::Rows),
            _ => None,
        })
    }

    fn select_item(&self, pair: Pair<'t>) -> Result<SelectItem> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let first = required(children.next(), span)?;
        let kind = if first.as_rule() == Rule::wildcard {
            let mut except = Vec::new();
            let mut table = Vec::new();
            for child in first.into_inner() {
                match child.as_rule() {
                    Rule::any_name => table.push(self.ident(&child)),
                    Rule::except_list => {
                        for list in
                            child.into_inner().filter(|list| list.as_rule() == Rule::column_list)
                        {
                            except = self.idents(list);
                        }
                    }
                    _ => {}
                }
            }
            let table = if table.is_empty() { None } else { Some(object_name(table, span)?) };
            SelectItemKind::Wildcard { table, except }
        } else {
            let value = self.expr(first)?;
            let alias = children.next().map(|alias| self.alias(alias)).transpose()?;
            SelectItemKind::Expr { value, alias }
        };
        Ok(SelectItem { kind, span })
    }

    /// Builds the name after or without AS.
    fn alias(&self, pair: Pair<'t>) -> Result<Ident> {
        let span = self.span(&pair);
        Ok(self.ident(&required(pair.into_inner().next_back(), span)?))
    }

    /// Adds SINCE, UNTIL or AT to what the SELECT has so far.
    fn time_window(&self, window: &mut Option<TimeWindow>, clause: Pair<'t>) -> Result<()> {
        let rule = clause.as_rule();
        let span = self.span(&clause);
        let t = self.last_expr(clause)?;
        *window = Some(match (window.take(), rule) {
            (None, Rule::at) => TimeWindow::At { instant: t, span },
            (None, Rule::since) => TimeWindow::Between { since: Some(t), until: None, span },
            (None, _) => TimeWindow::Between { since: None, until: Some(t), span },
            (Some(TimeWindow::Between { since: None, until, span: before }), Rule::since) => {
                TimeWindow::Between { since: Some(t), until, span: before.to(span) }
            }
            (Some(TimeWindow::Between { since, until: None, span: before }), Rule::until) => {
                TimeWindow::Between { since, until: Some(t), span: before.to(span) }
            }
            (Some(before), rule) => {
                let kind = match (before, rule) {
                    (TimeWindow::Between { .. }, Rule::since) => {
                        ParseErrorKind::Repeated { clause: "SINCE" }
                    }
                    (TimeWindow::Between { .. }, Rule::until) => {
                        ParseErrorKind::Repeated { clause: "UNTIL" }
                    }
                    (TimeWindow::At { .. }, Rule::at) => ParseErrorKind::Repeated { clause: "AT" },
                    _ => ParseErrorKind::AtWithSince,
                };
                return Err(ParseError::new(kind, span));
            }
        });
        Ok(())
    }

    fn group_by(&self, pair: Pair<'t>) -> Result<GroupBy> {
        let mut children = pair.into_inner();
        if children.clone().any(|child| child.as_rule() == Rule::group_all) {
            return Ok(GroupBy::All);
        }
        let items = children.by_ref().filter(|child| child.as_rule() == Rule::group_item);
        Ok(GroupBy::Items(self.list(items, |item| self.group_item(item))?))
    }

    fn group_item(&self, pair: Pair<'t>) -> Result<GroupItem> {
        let child = only_child(pair)?;
        Ok(match child.as_rule() {
            Rule::rollup => GroupItem::Rollup(self.group_sets(child)?),
            Rule::cube => GroupItem::Cube(self.group_sets(child)?),
            Rule::grouping_sets => GroupItem::Sets(self.group_sets(child)?),
            _ => GroupItem::Expr(self.expr(child)?),
        })
    }

    fn group_sets(&self, pair: Pair<'t>) -> Result<Vec<Vec<Expr>>> {
        let sets = pair.into_inner().filter(|child| child.as_rule() == Rule::group_set);
        self.list(sets, |set| {
            let Some(expr) = set.into_inner().next() else { return Ok(Vec::new()) };
            let expr = self.expr(expr)?;
            Ok(match expr.kind {
                ExprKind::Tuple(items) => items,
                ExprKind::Nested(item) => vec![*item],
                _ => vec![expr],
            })
        })
    }

    fn named_window(&self, pair: Pair<'t>) -> Result<NamedWindow> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let name = self.ident(&required(children.next(), span)?);
        let window = self.window_spec(required(children.next_back(), span)?)?;
        Ok(NamedWindow { name, window })
    }

    pub(super) fn window_spec(&self, pair: Pair<'t>) -> Result<WindowSpec> {
        let mut window =
            WindowSpec { base: None, partition_by: Vec::new(), order_by: Vec::new(), frame: None };
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::base_window => window.base = Some(self.ident(&only_child(child)?)),
                Rule::partition_by => window.partition_by = self.exprs(child)?,
                Rule::order_by => window.order_by = self.order_by(child)?,
                Rule::frame => window.frame = Some(self.frame(child)?),
                _ => {}
            }
        }
        Ok(window)
    }

    fn frame(&self, pair: Pair<'t>) -> Result<Frame> {
        let span = self.span(&pair);
        let mut units = FrameUnits::Rows;
        let mut bounds = Vec::new();
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::k_range => units = FrameUnits::Range,
                Rule::k_groups => units = FrameUnits::Groups,
                Rule::bound => bounds.push(self.bound(child)?),
                _ => {}
            }
        }
        let mut bounds = bounds.into_iter();
        Ok(Frame { units, start: required(bounds.next(), span)?, end: bounds.next() })
    }

    fn bound(&self, pair: Pair<'t>) -> Result<FrameBound> {
        let span = self.span(&pair);
        let (mut value, mut is_current, mut is_following, mut has_direction) =
            (None, false, false, false);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::range_expr => value = Some(Box::new(self.expr(child)?)),
                Rule::k_current => is_current = true,
                Rule::k_preceding => has_direction = true,
                Rule::k_following => (has_direction, is_following) = (true, true),
                _ => {}
            }
        }
        match (is_current, has_direction, is_following) {
            (true, false, _) => Ok(FrameBound::CurrentRow),
            (false, true, false) => Ok(FrameBound::Preceding(value)),
            (false, true, true) => Ok(FrameBound::Following(value)),
            _ => {
                let found = super::explain::quote(span.of(self.text));
                let expected = "CURRENT ROW, PRECEDING or FOLLOWING".to_owned();
                let kind = ParseErrorKind::Unexpected { expected, found, is_comma_missing: false };
                Err(ParseError::new(kind, span))
            }
        }
    }
}

/// Sets what may be given once.
fn set_once<T>(slot: &mut Option<T>, clause: &'static str, span: Span, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(ParseError::new(ParseErrorKind::Repeated { clause }, span));
    }
    Ok(())
}

//! SELECT: its clauses, and `*` where the engine's would show too much.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast;

use super::naming::{Names, refer_to_items};
use super::query::Output;
use super::scope::{Column, Relation, Scope, Shown};
use super::subquery::Place;
use super::{LowerError, Lowering, Result, blank};

impl Lowering<'_> {
    /// Lowers a SELECT and the ORDER BY that follows it.
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderItem],
    ) -> Result<(Box<sql::Select>, Vec<sql::OrderByExpr>, Output)> {
        let bounds = self.window(select.time_window.as_ref())?;
        let (bounds_around, n_windowed_around) =
            (self.bounds.take(), std::mem::take(&mut self.n_windowed));
        let place = std::mem::replace(&mut self.place, Place::Value);
        let names_queries = std::mem::take(&mut self.names_queries);
        self.scopes.push(Scope { windows: select.windows.clone(), ..Scope::default() });

        self.bounds = bounds;
        let from = self.from(&select.from)?;
        self.check_windowed(select.time_window.as_ref())?;
        self.bounds = None;
        let (lowered, order_by, output) = self.select_clauses(select, order_by, from)?;

        self.scopes.pop();
        (self.place, self.names_queries) = (place, names_queries);
        (self.bounds, self.n_windowed) = (bounds_around, n_windowed_around);
        Ok((lowered, order_by, output))
    }

    fn select_clauses(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderItem],
        from: Vec<sql::TableWithJoins>,
    ) -> Result<(Box<sql::Select>, Vec<sql::OrderByExpr>, Output)> {
        let mut lowered = blank::select();
        lowered.from = from;
        lowered.distinct = match &select.distinct {
            None => None,
            Some(ast::Distinct::Rows) => Some(sql::Distinct::Distinct),
            Some(ast::Distinct::On(exprs)) => Some(sql::Distinct::On(self.exprs(exprs)?)),
        };
        self.place = Place::Output;
        let mut names = Names::of_wildcards(&select.items, self.scopes.last());
        let mut output = Some(Vec::new());
        for item in &select.items {
            self.select_item(item, &mut names, &mut output, &mut lowered.projection)?;
        }
        lowered.group_by = self.group_by(&select.group_by)?;
        let mut order_by = self.order_of_output(order_by, &output)?;
        refer_to_items(&mut order_by, &lowered.projection);
        self.place = Place::Condition;
        lowered.selection = select.filter.as_ref().map(|filter| self.filter(filter)).transpose()?;
        lowered.having = select.having.as_ref().map(|having| self.expr(having)).transpose()?;
        for window in &select.windows {
            let spec = sql::NamedWindowExpr::WindowSpec(self.window_spec(&window.window)?);
            lowered.named_window.push(sql::NamedWindowDefinition(self.ident(&window.name), spec));
        }
        lowered.qualify = select.qualify.as_ref().map(|qualify| self.expr(qualify)).transpose()?;
        Ok((lowered, order_by, output))
    }

    /// Lowers an item of a SELECT list, and adds its columns to what the SELECT yields.
    fn select_item(
        &mut self,
        item: &ast::SelectItem,
        names: &mut Names,
        output: &mut Output,
        projection: &mut Vec<sql::SelectItem>,
    ) -> Result<()> {
        match &item.kind {
            ast::SelectItemKind::Expr { value, alias } => {
                let expr = self.expr(value)?;
                let parts = match &value.kind {
                    ast::ExprKind::Column(name) => name.parts.as_slice(),
                    _ => &[],
                };
                let (data_type, values) = match self.resolve(parts) {
                    Some(column) => (column.data_type.clone(), column.values.clone()),
                    None => (None, Vec::new()),
                };
                let alias = self.item_name(value, alias.as_ref(), names);
                let name = alias.as_ref().map(written).or(parts.last().map(ast::Ident::normalized));
                if let Some(columns) = output {
                    let name = name.unwrap_or_default();
                    columns.push(Column { name, data_type, values, is_hidden: false });
                }
                projection.push(match alias {
                    Some(alias) => sql::SelectItem::ExprWithAlias { expr, alias },
                    None => sql::SelectItem::UnnamedExpr(expr),
                });
            }
            ast::SelectItemKind::Wildcard { table, except } => {
                self.wildcard(item.span, table.as_ref(), except, output, projection)?;
            }
        }
        Ok(())
    }

    /// Lowers `*` and `t.*`. The engine's is right unless it shows too much: hidden columns, which
    /// are part of their tables if they are named somewhere, or both columns where USING made one.
    fn wildcard(
        &mut self,
        span: ast::Span,
        table: Option<&ast::ObjectName>,
        except: &[ast::Ident],
        output: &mut Output,
        projection: &mut Vec<sql::SelectItem>,
    ) -> Result<()> {
        self.has_unnamed = true;
        let excluded: Vec<_> = except.iter().map(|name| self.column_ident(name)).collect();
        let Some(scope) = self.scopes.last() else { return Ok(()) };
        let table = table.map(|table| self.unqualified_table(table, &scope.relations));
        let is_known = scope.is_known();
        let columns = scope.star(table, except);
        match output {
            Some(output) if is_known => {
                output.extend(columns.iter().map(|shown| shown.column.clone()));
            }
            output => *output = None,
        }
        let is_merged = table.is_none() && columns.iter().any(|shown| shown.relation.is_none());
        let has_hidden = scope
            .relations
            .iter()
            .flat_map(|relation| relation.columns.iter().flatten())
            .any(|column| column.is_hidden);
        if is_merged && !is_known {
            let what = "`*` with USING or NATURAL beside a function that gives a table";
            return Err(LowerError::unsupported(what, span));
        }
        if is_known && !columns.is_empty() && (is_merged || has_hidden) {
            list_columns(columns, projection);
            return Ok(());
        }
        let mut options = blank::wildcard();
        let mut excluded = excluded.into_iter();
        options.opt_except = excluded.next().map(|first_element| sql::ExceptSelectItem {
            first_element,
            additional_elements: excluded.collect(),
        });
        projection.push(match table {
            Some(parts) => {
                let name: Vec<_> = parts.iter().map(|part| self.ident(part)).collect();
                let kind = sql::SelectItemQualifiedWildcardKind::ObjectName(name.into());
                sql::SelectItem::QualifiedWildcard(kind, options)
            }
            None => sql::SelectItem::Wildcard(options),
        });
        Ok(())
    }

    /// Returns the last part of `connection.table` if a table of FROM was written so.
    fn unqualified_table<'t>(
        &self,
        table: &'t ast::ObjectName,
        relations: &[Relation],
    ) -> &'t [ast::Ident] {
        let path: Vec<_> = table.parts.iter().map(ast::Ident::normalized).collect();
        let is_written_so = relations.iter().any(|relation| relation.path.ends_with(&path));
        match table.parts.as_slice() {
            [.., last] if is_written_so => std::slice::from_ref(last),
            parts => parts,
        }
    }

    fn group_by(&mut self, group_by: &ast::GroupBy) -> Result<sql::GroupByExpr> {
        let ast::GroupBy::Items(items) = group_by else {
            return Ok(sql::GroupByExpr::All(Vec::new()));
        };
        let mut lowered = Vec::new();
        for item in items {
            lowered.push(match item {
                ast::GroupItem::Expr(expr) => self.expr(expr)?,
                ast::GroupItem::Rollup(sets) => sql::Expr::Rollup(self.sets(sets)?),
                ast::GroupItem::Cube(sets) => sql::Expr::Cube(self.sets(sets)?),
                ast::GroupItem::Sets(sets) => sql::Expr::GroupingSets(self.sets(sets)?),
            });
        }
        Ok(sql::GroupByExpr::Expressions(lowered, Vec::new()))
    }

    fn sets(&mut self, sets: &[Vec<ast::Expr>]) -> Result<Vec<Vec<sql::Expr>>> {
        sets.iter().map(|set| self.exprs(set)).collect()
    }

    /// Lowers ORDER BY. A name means a column of the result before it means one that USING made.
    fn order_of_output(
        &mut self,
        items: &[ast::OrderItem],
        output: &Output,
    ) -> Result<Vec<sql::OrderByExpr>> {
        let mut lowered = self.order_by(items)?;
        for (item, lowered) in items.iter().zip(&mut lowered) {
            if let ast::ExprKind::Column(name) = &item.value.kind
                && let [name] = name.parts.as_slice()
                && output.iter().flatten().any(|column| column.name == name.normalized())
            {
                lowered.expr = sql::Expr::Identifier(self.ident(name));
            }
        }
        Ok(lowered)
    }
}

/// Returns the name that an alias gives.
fn written(alias: &sql::Ident) -> String {
    match alias.quote_style {
        Some(_) => alias.value.clone(),
        None => alias.value.to_lowercase(),
    }
}

/// Writes out the columns that `*` shows.
fn list_columns(columns: Vec<Shown>, projection: &mut Vec<sql::SelectItem>) {
    let mut taken: HashSet<String> =
        columns.iter().map(|shown| shown.column.name.clone()).collect();
    let mut seen = HashSet::new();
    for Shown { column, expr, relation } in columns {
        // A column that USING made has no table that could tell it from others of its name.
        let name = match seen.insert(column.name.clone()) {
            true if relation.is_some() => None,
            true => Some(column.name),
            false => {
                let name = (2..).map(|n| format!("{}_{n}", column.name));
                name.into_iter().find(|name| taken.insert(name.clone()))
            }
        };
        projection.push(match name {
            Some(name) => sql::SelectItem::ExprWithAlias { expr, alias: blank::quoted(&name) },
            None => sql::SelectItem::UnnamedExpr(expr),
        });
    }
}

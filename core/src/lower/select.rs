//! SELECT: its clauses, and `*` where the engine's would show too much.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast;

use super::naming::{Names, refer_to_items};
use super::query::Output;
use super::scope::{Column, Relation, Scope};
use super::subquery::Place;
use super::{Lowering, Result, blank};

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
        self.scopes.push(Scope::default());

        self.bounds = bounds;
        let from = self.from(&select.from)?;
        self.check_windowed(select.time_window.as_ref())?;
        self.bounds = None;
        let (lowered, order_by) = self.select_clauses(select, order_by, from)?;
        let output = self.output(select);

        self.scopes.pop();
        self.place = place;
        (self.bounds, self.n_windowed) = (bounds_around, n_windowed_around);
        Ok((lowered, order_by, output))
    }

    fn select_clauses(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderItem],
        from: Vec<sql::TableWithJoins>,
    ) -> Result<(Box<sql::Select>, Vec<sql::OrderByExpr>)> {
        let mut lowered = blank::select();
        lowered.from = from;
        lowered.distinct = match &select.distinct {
            None => None,
            Some(ast::Distinct::Rows) => Some(sql::Distinct::Distinct),
            Some(ast::Distinct::On(exprs)) => Some(sql::Distinct::On(self.exprs(exprs)?)),
        };
        self.place = Place::Output;
        let relations =
            self.scopes.last().map(|scope| scope.relations.as_slice()).unwrap_or_default();
        let mut names = Names::of_wildcards(&select.items, relations);
        for item in &select.items {
            self.select_item(item, &mut names, &mut lowered.projection)?;
        }
        lowered.group_by = self.group_by(&select.group_by)?;
        let mut order_by = self.order_by(order_by)?;
        refer_to_items(&mut order_by, &lowered.projection);
        self.place = Place::Condition;
        lowered.selection = select.filter.as_ref().map(|filter| self.filter(filter)).transpose()?;
        lowered.having = select.having.as_ref().map(|having| self.expr(having)).transpose()?;
        for window in &select.windows {
            let spec = sql::NamedWindowExpr::WindowSpec(self.window_spec(&window.window)?);
            lowered.named_window.push(sql::NamedWindowDefinition(self.ident(&window.name), spec));
        }
        lowered.qualify = select.qualify.as_ref().map(|qualify| self.expr(qualify)).transpose()?;
        Ok((lowered, order_by))
    }

    fn select_item(
        &mut self,
        item: &ast::SelectItem,
        names: &mut Names,
        projection: &mut Vec<sql::SelectItem>,
    ) -> Result<()> {
        match &item.kind {
            ast::SelectItemKind::Expr { value, alias } => {
                let expr = self.expr(value)?;
                projection.push(match self.item_name(value, alias.as_ref(), names) {
                    Some(alias) => sql::SelectItem::ExprWithAlias { expr, alias },
                    None => sql::SelectItem::UnnamedExpr(expr),
                });
            }
            ast::SelectItemKind::Wildcard { table, except } => {
                self.wildcard(table.as_ref(), except, projection);
            }
        }
        Ok(())
    }

    /// Lowers `*` and `t.*`. Where a hidden column was named somewhere, and so is part of its table,
    /// each column is listed; else the engine's `*` is right.
    fn wildcard(
        &mut self,
        table: Option<&ast::ObjectName>,
        except: &[ast::Ident],
        projection: &mut Vec<sql::SelectItem>,
    ) {
        let excluded: Vec<_> = except.iter().map(|name| self.column_ident(name)).collect();
        let relations = self.scopes.last().map(|scope| scope.relations.clone()).unwrap_or_default();
        let table = table.map(|table| self.unqualified_table(table, &relations));
        let is_meant = |relation: &&Relation| match table {
            Some([name]) => {
                relation.name.as_ref().is_some_and(|own| own.normalized() == name.normalized())
            }
            Some(_) => false,
            None => true,
        };
        let meant: Vec<_> = relations.iter().filter(is_meant).collect();
        let shows_hidden = meant
            .iter()
            .flat_map(|relation| relation.columns.iter().flatten())
            .any(|column| column.is_hidden);
        let is_known = meant.iter().all(|relation| relation.columns.is_some());
        if shows_hidden && is_known {
            for relation in meant {
                list_columns(relation, table.is_some(), except, projection);
            }
            return;
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

    /// Returns the columns that a SELECT yields, if all are known.
    fn output(&self, select: &ast::Select) -> Output {
        let scope = self.scopes.last()?;
        let mut columns = Vec::new();
        for item in &select.items {
            match &item.kind {
                ast::SelectItemKind::Expr { value, alias } => {
                    let parts = match &value.kind {
                        ast::ExprKind::Column(name) => name.parts.as_slice(),
                        _ => &[],
                    };
                    let name = alias
                        .as_ref()
                        .or(parts.last())
                        .map(ast::Ident::normalized)
                        .unwrap_or_default();
                    let data_type = self.resolve(parts).and_then(|column| column.data_type.clone());
                    columns.push(Column { name, data_type, is_hidden: false });
                }
                ast::SelectItemKind::Wildcard { table, except } => {
                    let parts =
                        table.as_ref().map(|table| self.unqualified_table(table, &scope.relations));
                    for relation in &scope.relations {
                        let name = relation.name.as_ref().map(ast::Ident::normalized);
                        if parts
                            .is_some_and(|parts| parts.last().map(ast::Ident::normalized) != name)
                        {
                            continue;
                        }
                        let shown = relation.visible(parts.is_some(), except)?;
                        columns.extend(shown.into_iter().cloned());
                    }
                }
            }
        }
        Some(columns)
    }
}

/// Writes out the columns of a relation that `*` shows.
fn list_columns(
    relation: &Relation,
    is_qualified: bool,
    except: &[ast::Ident],
    projection: &mut Vec<sql::SelectItem>,
) {
    for column in relation.visible(is_qualified, except).unwrap_or_default() {
        let name = blank::quoted(&column.name);
        projection.push(sql::SelectItem::UnnamedExpr(match &relation.name {
            Some(table) => {
                sql::Expr::CompoundIdentifier(vec![blank::quoted(&table.normalized()), name])
            }
            None => sql::Expr::Identifier(name),
        }));
    }
}

//! Tables in FROM. Each table of the catalog becomes a query of its visible columns, filtered by
//! the time window before anything is joined to it.

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast;

use super::query::{Output, renamed};
use super::scope::{Column, Relation, Scope, Shown};
use super::{LowerError, LowerErrorKind, Lowering, NamedQuery, Result, TableShape, blank};
use crate::error::nearest;

impl Lowering<'_> {
    pub(super) fn from(&mut self, tables: &[ast::TableExpr]) -> Result<Vec<sql::TableWithJoins>> {
        tables.iter().map(|table| self.table_expr(table)).collect()
    }

    pub(super) fn table(&mut self, table: &ast::Table) -> Result<sql::TableFactor> {
        match &table.kind {
            ast::TableKind::Name(name) => self.named_table(name, table),
            ast::TableKind::Query(query) => self.derived_table(query, table),
            ast::TableKind::Function { name, arguments } => {
                self.table_function(name, arguments, table)
            }
            ast::TableKind::Nested(nested) => {
                if let Some(alias) = &table.alias {
                    return self.named_join(nested, alias, table.span);
                }
                let table_with_joins = Box::new(self.table_expr(nested)?);
                Ok(sql::TableFactor::NestedJoin { table_with_joins, alias: None })
            }
        }
    }

    /// Lowers `(a JOIN b …) AS name`, which hides the names of its tables.
    fn named_join(
        &mut self,
        nested: &ast::TableExpr,
        alias: &ast::TableAlias,
        span: ast::Span,
    ) -> Result<sql::TableFactor> {
        self.has_unnamed = true;
        self.scopes.push(Scope::default());
        let lowered = self.table_expr(nested);
        let Some(scope) = self.scopes.pop() else {
            return Err(LowerError::unsupported("a join here", span));
        };
        let lowered = lowered?;
        if scope.is_correlated {
            let what = "a name for a join in parentheses that depends on other tables";
            return Err(LowerError::unsupported(what, alias.name.span));
        }
        if !scope.is_known() {
            let what = "a name for a join in parentheses with a function that gives a table";
            return Err(LowerError::unsupported(what, alias.name.span));
        }
        let mut select = blank::select();
        let mut columns: Vec<Column> = Vec::new();
        for Shown { column, expr, .. } in scope.shown {
            if columns.iter().any(|other| other.name == column.name) {
                let name = column.name;
                let what = format!(
                    "a name for a join in parentheses whose tables share a column (`{name}`)"
                );
                return Err(LowerError::unsupported(what, alias.name.span));
            }
            let name = blank::quoted(&column.name);
            select.projection.push(sql::SelectItem::ExprWithAlias { expr, alias: name });
            columns.push(column);
        }
        select.from = vec![lowered];
        let columns = Some(columns);
        let lowered_alias = self.table_alias(&alias.name, &alias.columns, &columns);
        let relation = Relation {
            name: Some(alias.name.clone()),
            columns: renamed(columns, &alias.columns),
            ..Relation::default()
        };
        self.add_relation(relation, span)?;
        Ok(blank::derived(blank::query(blank::body(select)), Some(lowered_alias), false))
    }

    fn named_table(
        &mut self,
        name: &ast::ObjectName,
        table: &ast::Table,
    ) -> Result<sql::TableFactor> {
        let path: Vec<_> = name.parts.iter().map(ast::Ident::normalized).collect();
        let Some(last) = name.parts.last() else {
            return Err(self.unknown_table(&path, name.span));
        };
        let alias_columns = table.alias.as_ref().map_or(&[][..], |alias| &alias.columns);
        let named = Relation {
            name: Some(table.alias.as_ref().map_or(last, |alias| &alias.name).clone()),
            path: if table.alias.is_some() { Vec::new() } else { path.clone() },
            ..Relation::default()
        };
        let cte = match path.as_slice() {
            [name] => self.ctes.iter().rev().find(|cte| cte.name == *name).cloned(),
            _ => None,
        };
        if let Some(NamedQuery { own_name, columns, .. }) = cte {
            // A query that goes by another name there is still called by its own.
            let own = table.alias.is_none() && own_name.value != last.value;
            let alias = match &table.alias {
                Some(alias) => Some(self.table_alias(&alias.name, &alias.columns, &columns)),
                None => own.then(|| blank::alias(blank::quoted(&last.normalized()))),
            };
            let factor = blank::table(vec![own_name], alias);
            let columns = renamed(columns, alias_columns);
            return self.windowed(factor, Relation { columns, ..named }, name.span);
        }
        let Some(shape) = self.context.tables.table(&path) else {
            return Err(self.unknown_table(&path, name.span));
        };
        let (query, columns) = self.columns_of(&shape, !alias_columns.is_empty());
        let columns = Some(columns);
        let alias = named.name.as_ref().map(|name| self.table_alias(name, alias_columns, &columns));
        let renamed = renamed(columns.clone(), alias_columns);
        let time = shape.time.as_ref().and_then(|(start, end)| {
            let new_name = |name: &String| {
                let place = columns.iter().flatten().position(|column| column.name == *name)?;
                Some(renamed.as_ref()?.get(place)?.name.clone())
            };
            Some((new_name(start)?, new_name(end)?))
        });
        self.add_relation(Relation { columns: renamed, time, ..named }, table.span)?;
        Ok(blank::derived(query, alias, false))
    }

    /// Returns the query of a table's columns within the time window, those that are needed or, if
    /// they are named by their places, all; and the columns that the table has for the statement.
    fn columns_of(&mut self, shape: &TableShape, by_place: bool) -> (Box<sql::Query>, Vec<Column>) {
        let mut select = blank::select();
        let mut columns = Vec::new();
        for column in &shape.columns {
            if column.is_hidden {
                self.hidden_seen.insert(column.name.clone());
            }
            let is_time = shape
                .time
                .as_ref()
                .is_some_and(|(start, end)| [start, end].contains(&&column.name));
            let is_needed = self.needed.has(column);
            if is_needed || is_time || (by_place && !column.is_hidden) {
                let name = blank::quoted(&column.name);
                select.projection.push(sql::SelectItem::UnnamedExpr(sql::Expr::Identifier(name)));
            }
            if is_needed || !column.is_hidden {
                columns.push(Column {
                    name: column.name.clone(),
                    data_type: Some(column.data_type.clone()),
                    values: column.values.clone(),
                    is_hidden: column.is_hidden,
                });
            }
        }
        if select.projection.is_empty() {
            // Rows are counted; a query of no columns is none.
            let first = columns.first().map(|column| blank::quoted(&column.name));
            select
                .projection
                .extend(first.map(sql::Expr::Identifier).map(sql::SelectItem::UnnamedExpr));
        }
        let bounds = self.bounds.as_ref();
        let bounds = bounds.filter(|bounds| !(bounds.is_default() && shape.ignores_default_window));
        if let (Some(bounds), Some((start, end))) = (bounds, &shape.time) {
            select.selection = Some(bounds.predicate(start, end));
            self.n_windowed += 1;
            self.has_lifetimes = true;
        }
        let reference = shape.reference.iter().map(|part| blank::quoted(part)).collect();
        select.from = vec![sql::TableWithJoins {
            relation: blank::table(reference, None),
            joins: Vec::new(),
        }];
        (blank::query(blank::body(select)), columns)
    }

    fn derived_table(
        &mut self,
        query: &ast::Query,
        table: &ast::Table,
    ) -> Result<sql::TableFactor> {
        let bounds = self.bounds.take();
        // What the query refers to outside of itself marks the level below this one as well.
        self.scopes.push(Scope::default());
        let lowered = self.query(query);
        let is_correlated = self.scopes.pop().is_some_and(|scope| scope.is_correlated);
        self.bounds = bounds;
        let (lowered, output) = lowered?;
        let names = table.alias.as_ref().map_or(&[][..], |alias| &alias.columns);
        let name = match &table.alias {
            Some(alias) => Some(alias.name.clone()),
            None if self.names_queries => Some(self.own_name(table.span)),
            None => None,
        };
        let alias = name.as_ref().map(|name| self.table_alias(name, names, &output));
        let relation = Relation { name, columns: renamed(output, names), ..Relation::default() };
        if let (true, Some(bounds)) = (is_correlated && table.is_lateral, &self.bounds)
            && passes_sessions(&relation.columns, bounds.is_default())
        {
            // The default window holds within the query already, unless that has one of its own.
            if !bounds.is_default() || has_window(query) {
                return Err(LowerError::new(LowerErrorKind::LateralWindow, table.span));
            }
            self.add_relation(relation, table.span)?;
            return Ok(blank::derived(lowered, alias, table.is_lateral));
        }
        self.windowed(blank::derived(lowered, alias, table.is_lateral), relation, table.span)
    }

    /// Returns a name for a table that has none.
    fn own_name(&self, span: ast::Span) -> ast::Ident {
        ast::Ident { value: format!("__joined_{}", self.here().relation), is_quoted: true, span }
    }

    /// Filters a query by the time window if it passes sessions through.
    fn windowed(
        &mut self,
        factor: sql::TableFactor,
        relation: Relation,
        span: ast::Span,
    ) -> Result<sql::TableFactor> {
        let is_session =
            |bounds: &super::Bounds| passes_sessions(&relation.columns, bounds.is_default());
        let Some(bounds) = self.bounds.as_ref().filter(|bounds| is_session(bounds)) else {
            self.add_relation(relation, span)?;
            return Ok(factor);
        };
        let mut select = blank::select();
        select.projection = vec![sql::SelectItem::Wildcard(blank::wildcard())];
        select.selection = Some(bounds.predicate("start", "end"));
        let lateral = matches!(factor, sql::TableFactor::Derived { lateral: true, .. });
        select.from = vec![sql::TableWithJoins { relation: factor, joins: Vec::new() }];
        self.n_windowed += 1;
        self.has_lifetimes = true;
        let alias = relation.name.as_ref().map(|name| self.table_alias(name, &[], &None));
        self.add_relation(relation, span)?;
        Ok(blank::derived(blank::query(blank::body(select)), alias, lateral))
    }

    fn table_function(
        &mut self,
        name: &ast::ObjectName,
        arguments: &[ast::Argument],
        table: &ast::Table,
    ) -> Result<sql::TableFactor> {
        let alias =
            table.alias.as_ref().map(|alias| self.table_alias(&alias.name, &alias.columns, &None));
        if table.is_lateral {
            return Err(LowerError::unsupported("LATERAL with a table function", table.span));
        }
        let mut exprs = Vec::new();
        for argument in arguments {
            if let Some(name) = &argument.name {
                return Err(LowerError::unsupported(
                    "a named argument of a table function",
                    name.span,
                ));
            }
            exprs.push(self.expr(&argument.value)?);
        }
        let name_given = table.alias.as_ref().map(|alias| alias.name.clone());
        self.add_relation(Relation { name: name_given, ..Relation::default() }, table.span)?;
        if let [name] = name.parts.as_slice()
            && name.normalized() == "unnest"
        {
            return Ok(sql::TableFactor::UNNEST {
                alias,
                array_exprs: exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality: false,
            });
        }
        let name: Vec<_> = name.parts.iter().map(|part| self.ident(part)).collect();
        let unnamed = |expr| sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr));
        let mut factor = blank::table(name, alias);
        if let sql::TableFactor::Table { args, .. } = &mut factor {
            *args = Some(sql::TableFunctionArgs {
                args: exprs.into_iter().map(unnamed).collect(),
                settings: None,
            });
        }
        Ok(factor)
    }

    fn table_alias(
        &self,
        name: &ast::Ident,
        columns: &[ast::Ident],
        output: &Output,
    ) -> sql::TableAlias {
        sql::TableAlias {
            columns: self.alias_columns(columns, output),
            ..blank::alias(self.ident(name))
        }
    }

    /// Puts a relation in sight of the SELECT being lowered.
    fn add_relation(&mut self, relation: Relation, span: ast::Span) -> Result<()> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        if let Some(name) = relation.name.as_ref().map(ast::Ident::normalized)
            && scope
                .relations
                .iter()
                .any(|other| other.name.as_ref().is_some_and(|other| other.normalized() == name))
        {
            return Err(LowerError::new(LowerErrorKind::DuplicateTable { name }, span));
        }
        scope.add(relation);
        Ok(())
    }

    fn unknown_table(&self, path: &[String], span: ast::Span) -> LowerError {
        let name = path.join(".");
        let mut names = self.context.tables.names();
        names.extend(self.ctes.iter().map(|cte| cte.name.clone()));
        let candidates = nearest(&name, names.iter().map(String::as_str));
        let has_tables = !names.is_empty();
        LowerError::new(LowerErrorKind::UnknownTable { has_tables, name, candidates }, span)
    }
}

/// Returns whether a query may have a window of its own.
fn has_window(query: &ast::Query) -> bool {
    match &query.body.kind {
        ast::SetExprKind::Select(select) => select.time_window.is_some(),
        _ => true,
    }
}

/// Returns whether columns hold the start and the end of sessions. A column whose type is not known
/// counts only if the window was asked for (`is_default` false).
fn passes_sessions(columns: &Output, is_default: bool) -> bool {
    let is_time = |name: &str| {
        let mut named = columns.iter().flatten().filter(|column| column.name == name);
        match (named.next(), named.next()) {
            (Some(Column { data_type: Some(data_type), .. }), None) => {
                matches!(data_type, DataType::Timestamp(..))
            }
            (Some(_), None) => !is_default,
            _ => false,
        }
    };
    is_time("start") && is_time("end")
}

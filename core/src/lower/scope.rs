//! Which tables and columns a name may mean.
//! Lowering leaves the resolution of names to the engine; this is only what it needs itself: to
//! expand `*`, to find sessions, to compare texts with numbers, to see outer columns, and to know
//! what a column is that USING or NATURAL makes of two.

use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast;

use super::{LowerError, Lowering, Result, blank};

/// A column of a relation.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its type, where it is that of a column of the catalog.
    pub(super) data_type: Option<DataType>,
    /// The values that it may have, where it is a column of the catalog of which all are known.
    pub(super) values: Vec<String>,
    pub(super) is_hidden: bool,
}

/// One table of a FROM.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    /// The name that qualifies its columns, if it has one.
    pub(super) name: Option<ast::Ident>,
    /// The dotted name it was written with, if it has no alias.
    pub(super) path: Vec<String>,
    /// Its columns, if known.
    pub(super) columns: Option<Vec<Column>>,
    /// The columns of a session's start and end, if the table declares them.
    pub(super) time: Option<(String, String)>,
}

/// A column that `*` shows, and that a name without a table means.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) column: Column,
    /// The column with its table, or what USING makes of two.
    pub(super) expr: sql::Expr,
    /// The relation that it is of; none if it is of two.
    pub(super) relation: Option<usize>,
}

/// The tables of one SELECT.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Relation>,
    /// The columns of these relations in the order of `*`, as far as they are known.
    pub(super) shown: Vec<Shown>,
    /// The windows that the SELECT names.
    pub(super) windows: Vec<ast::NamedWindow>,
    /// Whether something in this SELECT refers to a SELECT around it.
    pub(super) is_correlated: bool,
}

impl Relation {
    /// Returns whether `table`, the parts before a column's name, mean this relation.
    pub(super) fn is_called(&self, table: &[ast::Ident]) -> bool {
        match table {
            [] => true,
            [name] => self.name.as_ref().is_some_and(|own| own.normalized() == name.normalized()),
            parts => {
                self.path.len() >= parts.len()
                    && self
                        .path
                        .iter()
                        .rev()
                        .zip(parts.iter().rev())
                        .all(|(own, part)| *own == part.normalized())
            }
        }
    }

    /// Returns the columns with what they are in an expression.
    fn shown(&self, relation: usize) -> impl Iterator<Item = Shown> + '_ {
        self.columns.iter().flatten().map(move |column| {
            let name = blank::quoted(&column.name);
            let expr = match &self.name {
                Some(table) => {
                    sql::Expr::CompoundIdentifier(vec![blank::quoted(&table.normalized()), name])
                }
                None => sql::Expr::Identifier(name),
            };
            Shown { column: column.clone(), expr, relation: Some(relation) }
        })
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().flatten().find(|column| column.name == name)
    }
}

impl Scope {
    /// Puts a relation in sight.
    pub(super) fn add(&mut self, relation: Relation) {
        self.shown.extend(relation.shown(self.relations.len()));
        self.relations.push(relation);
    }

    /// Returns whether the columns of all relations are known.
    pub(super) fn is_known(&self) -> bool {
        self.relations.iter().all(|relation| relation.columns.is_some())
    }

    /// Returns the columns of `*`, or those of a table's.
    pub(super) fn star(&self, table: Option<&[ast::Ident]>, except: &[ast::Ident]) -> Vec<Shown> {
        let is_shown = |shown: &Shown| {
            let column = &shown.column;
            !column.is_hidden && !except.iter().any(|name| name.normalized() == column.name)
        };
        let Some(table) = table else {
            return self.shown.iter().filter(|shown| is_shown(shown)).cloned().collect();
        };
        let is_meant = |relation: &Relation| !table.is_empty() && relation.is_called(table);
        let relations = self.relations.iter().enumerate();
        let columns = relations.filter(|(_, relation)| is_meant(relation));
        columns.flat_map(|(idx, relation)| relation.shown(idx)).filter(is_shown).collect()
    }

    /// Returns the column that a name means and the relation it is of, if that is beyond doubt. A
    /// column that USING made of two is of none.
    fn resolve(&self, parts: &[ast::Ident]) -> Option<(Option<usize>, &Column)> {
        let (name, table) = parts.split_last()?;
        let name = name.normalized();
        if table.is_empty() {
            let found = self.shown(&name)?;
            return self.is_known().then_some((found.relation, &found.column));
        }
        let mut called =
            self.relations.iter().enumerate().filter(|(_, relation)| relation.is_called(table));
        let mut having =
            called.clone().filter_map(|(idx, relation)| Some((idx, relation.column(&name)?)));
        let found = having.next().filter(|_| having.next().is_none());
        let found = found.filter(|_| called.all(|(_, relation)| relation.columns.is_some()));
        found.map(|(idx, column)| (Some(idx), column))
    }

    /// Returns the one column that a name without a table means.
    fn shown(&self, name: &str) -> Option<&Shown> {
        let mut named = self.shown.iter().filter(|shown| shown.column.name == name);
        named.next().filter(|_| named.next().is_none())
    }

    /// Returns whether a name may mean something of this SELECT.
    fn may_mean(&self, parts: &[ast::Ident]) -> bool {
        let Some((name, table)) = parts.split_last() else { return false };
        let name = name.normalized();
        self.relations
            .iter()
            .filter(|relation| relation.is_called(table))
            .any(|relation| relation.columns.is_none() || relation.column(&name).is_some())
    }
}

impl Lowering<'_> {
    /// Returns the column of the innermost FROM that a name means, if that is beyond doubt.
    pub(super) fn resolve(&self, parts: &[ast::Ident]) -> Option<&Column> {
        self.scopes.last()?.resolve(parts).map(|(_, column)| column)
    }

    /// Returns which relation of the innermost FROM a name is a column of, if that is beyond doubt;
    /// none of them if it is a column that USING made of two.
    pub(super) fn relation_of(&self, parts: &[ast::Ident]) -> Option<Option<usize>> {
        self.scopes.last()?.resolve(parts).map(|(relation_idx, _)| relation_idx)
    }

    /// Returns what a name stands for that means a column which USING made of two.
    pub(super) fn merged(&self, name: &ast::Ident, span: ast::Span) -> Result<Option<sql::Expr>> {
        let parts = std::slice::from_ref(name);
        let Some(level) = self.scopes.iter().rposition(|scope| scope.may_mean(parts)) else {
            return Ok(None);
        };
        let (outer, inner) = self.scopes.split_at(level + 1);
        let shown = outer.last().and_then(|scope| scope.shown(&name.normalized()));
        let Some(Shown { expr, relation: None, .. }) = shown else { return Ok(None) };
        let is_table = |relation: &Relation| {
            relation.name.as_ref().is_some_and(|name| is_named(expr, &name.normalized()))
        };
        if inner.iter().flat_map(|scope| &scope.relations).any(is_table) {
            let what = format!(
                "`{}` of an outer USING within a query that has a table of the same name",
                name.value
            );
            return Err(LowerError::unsupported(what, span));
        }
        Ok(Some(expr.clone()))
    }

    /// Notes for each SELECT between a name and what it means that it depends on an outer one.
    pub(super) fn note_outer(&mut self, parts: &[ast::Ident]) {
        let Some(level) = self.scopes.iter().rposition(|scope| scope.may_mean(parts)) else {
            return;
        };
        for scope in self.scopes.iter_mut().skip(level + 1) {
            scope.is_correlated = true;
        }
    }

    /// Takes the parts before the table off a name such as `connection.table.column`, because the
    /// engine knows the table by its last part.
    pub(super) fn unqualified<'p>(&self, parts: &'p [ast::Ident]) -> &'p [ast::Ident] {
        let is_path = |scope: &Scope| {
            let Some((_, table)) = parts.split_last() else { return false };
            scope.relations.iter().any(|relation| relation.is_called(table))
        };
        match parts {
            [.., _, _] if parts.len() > 2 && self.scopes.iter().any(is_path) => {
                &parts[parts.len() - 2..]
            }
            _ => parts,
        }
    }
}

/// Returns whether a table is named in what USING made of columns.
fn is_named(expr: &sql::Expr, table: &str) -> bool {
    match expr {
        sql::Expr::CompoundIdentifier(parts) => {
            parts.first().is_some_and(|part| part.value == table)
        }
        sql::Expr::Function(sql::Function { args: sql::FunctionArguments::List(list), .. }) => {
            list.args.iter().any(|argument| match argument {
                sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr)) => {
                    is_named(expr, table)
                }
                _ => false,
            })
        }
        _ => false,
    }
}

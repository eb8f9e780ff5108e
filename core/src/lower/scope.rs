//! Which tables and columns a name may mean.
//! Lowering leaves the resolution of names to the engine; this is only what it needs itself: to
//! expand `*`, to find sessions, to compare texts with numbers, to see outer columns.

use datafusion::arrow::datatypes::DataType;
use sessionql_grammar::ast;

use super::Lowering;

/// A column of a relation.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its type, where it is that of a column of the catalog.
    pub(super) data_type: Option<DataType>,
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
    /// The columns that `*` shows with another table, by way of USING or NATURAL.
    pub(super) merged: Vec<String>,
}

/// The tables of one SELECT.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) relations: Vec<Relation>,
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

    /// Returns the columns that `*` shows, if all are known.
    pub(super) fn visible(
        &self,
        is_qualified: bool,
        except: &[ast::Ident],
    ) -> Option<Vec<&Column>> {
        let is_shown = |column: &&Column| {
            !column.is_hidden
                && (is_qualified || !self.merged.contains(&column.name))
                && !except.iter().any(|name| name.normalized() == column.name)
        };
        Some(self.columns.as_ref()?.iter().filter(is_shown).collect())
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().flatten().find(|column| column.name == name)
    }
}

impl Scope {
    /// Returns the column that a name means and the relation it is of, if that is beyond doubt.
    fn resolve(&self, parts: &[ast::Ident]) -> Option<(usize, &Column)> {
        let (name, table) = parts.split_last()?;
        let name = name.normalized();
        let mut called =
            self.relations.iter().enumerate().filter(|(_, relation)| relation.is_called(table));
        let mut having =
            called.clone().filter_map(|(idx, relation)| Some((idx, relation.column(&name)?)));
        let found = having.next().filter(|_| having.next().is_none());
        found.filter(|_| called.all(|(_, relation)| relation.columns.is_some()))
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

    /// Returns which relation of the innermost FROM a name is a column of, if that is beyond doubt.
    pub(super) fn relation_of(&self, parts: &[ast::Ident]) -> Option<usize> {
        self.scopes.last()?.resolve(parts).map(|(relation_idx, _)| relation_idx)
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

//! The names of the columns that a SELECT yields.
//! A value without a name is called by its words in the query, where the engine would call it by its
//! plan. A name that the engine would refuse for being there already gets a number: `user_2`.

use std::collections::{HashMap, HashSet};

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, ExprKind, SelectItemKind};

use super::logic::innermost;
use super::scope::Scope;
use super::{Lowering, blank};

/// The names given so far, each with the relations whose column of that name is there; none stands
/// for an alias.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, HashSet<Option<usize>>>);

impl Names {
    /// Returns the names that the wildcards of a SELECT list take.
    pub(super) fn of_wildcards(items: &[ast::SelectItem], scope: Option<&Scope>) -> Self {
        let mut names = Self::default();
        for item in items {
            let SelectItemKind::Wildcard { table, except } = &item.kind else { continue };
            let table =
                table.as_ref().and_then(|table| Some(std::slice::from_ref(table.parts.last()?)));
            for shown in scope.map(|scope| scope.star(table, except)).unwrap_or_default() {
                names.0.entry(shown.column.name).or_default().insert(shown.relation);
            }
        }
        names
    }

    /// Takes a name for the column of a relation, or for an alias. Returns another name to give
    /// instead if that one is there already.
    fn take(&mut self, name: &str, relation_idx: Option<usize>) -> Option<String> {
        let owners = self.0.entry(name.to_owned()).or_default();
        let is_free = owners.is_empty()
            || (relation_idx.is_some()
                && !owners.contains(&None)
                && !owners.contains(&relation_idx));
        if is_free {
            owners.insert(relation_idx);
            return None;
        }
        let free = (2..).map(|n| format!("{name}_{n}")).find(|name| !self.0.contains_key(name))?;
        self.0.entry(free.clone()).or_default().insert(None);
        Some(free)
    }
}

impl Lowering<'_> {
    /// Returns the name to give to an item of a SELECT list, none if the engine's is right.
    pub(super) fn item_name(
        &mut self,
        value: &ast::Expr,
        alias: Option<&ast::Ident>,
        names: &mut Names,
    ) -> Option<sql::Ident> {
        if let Some(alias) = alias {
            let name = alias.normalized();
            return Some(
                names
                    .take(&name, None)
                    .map_or_else(|| self.ident(alias), |name| blank::quoted(&name)),
            );
        }
        if let ExprKind::Column(column) = &innermost(value).kind {
            let relation_idx = self.relation_of(&column.parts)?;
            let name = column.parts.last()?.normalized();
            // What USING made of two has no name of its own.
            let own = relation_idx.is_none().then(|| name.clone());
            return names.take(&name, relation_idx).or(own).map(|name| blank::quoted(&name));
        }
        let words =
            value.span.of(self.context.text).split_whitespace().collect::<Vec<_>>().join(" ");
        Some(blank::quoted(&names.take(&words, None).unwrap_or(words)))
    }
}

/// Replaces what ORDER BY repeats of a SELECT list by its name there: the engine would not
/// recognise it under DISTINCT.
pub(super) fn refer_to_items(order_by: &mut [sql::OrderByExpr], items: &[sql::SelectItem]) {
    for order in order_by {
        let named = items.iter().find_map(|item| match item {
            sql::SelectItem::ExprWithAlias { expr, alias } if *expr == order.expr => Some(alias),
            _ => None,
        });
        if let (Some(alias), false) = (named, matches!(order.expr, sql::Expr::Value(_))) {
            order.expr = sql::Expr::Identifier(alias.clone());
        }
    }
}

//! Columns that do not exist: what to say of them, and what was perhaps meant.

use datafusion::common::Column;
use sessionql_grammar::ast::walk::{Visitor, walk_query};
use sessionql_grammar::ast::{Query, Select, SelectItemKind, Span};

use super::phrases::Said;
use crate::error::{did_you_mean, nearest};
use crate::lower;

/// Says that there is no such column.
pub(super) fn column(
    field: &Column,
    valid: &[Column],
    (text, query): (&str, &Query),
    span: Option<Span>,
) -> Said {
    let name = &field.name;
    let tables = || valid.iter().filter_map(|column| Some(column.relation.as_ref()?.table()));
    let table = field.relation.as_ref().map(|relation| relation.table());
    if let Some(table) = table
        && !tables().any(|known| known == table)
    {
        let hint = did_you_mean(&nearest(table, tables()));
        return Said { message: format!("no table `{table}` in FROM"), hint };
    }
    let message = match table {
        Some(table) => format!("no column `{name}` in `{table}`"),
        None => format!("no column `{name}`"),
    };
    let near = nearest(name, valid.iter().map(|column| column.name.as_str()));
    let near: Vec<_> = near.iter().map(|name| as_written(name)).collect();
    let hint = match (table, lower::foreign_word(name)) {
        (None, Some(hint)) => Some(hint.to_owned()),
        (None, None) if is_given(query, name) => {
            Some("names that SELECT gives are not known in WHERE and ON yet".to_owned())
        }
        _ => did_you_mean(&near).or_else(|| {
            let is_text = table.is_none() && span.is_some_and(|span| may_be_text(text, span));
            match () {
                () if valid.is_empty() => Some("there is no FROM here".to_owned()),
                () if is_text => Some(format!("text stands in single quotes: '{}'", {
                    let written = span.map_or(name.as_str(), |span| span.of(text));
                    written.trim_matches('"')
                })),
                () => None,
            }
        }),
    };
    Said { message, hint }
}

/// Returns a column's name as a query has to write it: with quotes if it is not lower case.
fn as_written(name: &str) -> String {
    if crate::config::is_name(name) { name.to_owned() } else { format!("\"{name}\"") }
}

/// Tells whether a name was perhaps to be a text: it stands in double quotes, or after a comparison.
fn may_be_text(text: &str, span: Span) -> bool {
    let before = text.get(..span.start).unwrap_or_default().trim_end();
    let is_compared = before.ends_with(['=', '<', '>']);
    let written = span.of(text);
    let is_word = written.chars().all(|character| character.is_alphanumeric() || character == '_');
    written.starts_with('"') || (is_compared && is_word)
}

/// Tells whether a SELECT gives this name to something.
fn is_given(query: &Query, name: &str) -> bool {
    struct Given<'a>(&'a str, bool);
    impl Visitor for Given<'_> {
        fn select(&mut self, select: &Select) {
            self.1 |= select.items.iter().any(|item| match &item.kind {
                SelectItemKind::Expr { alias: Some(alias), .. } => alias.normalized() == self.0,
                _ => false,
            });
        }
    }
    let mut given = Given(name, false);
    walk_query(query, &mut given);
    given.1
}

//! Tables in FROM and their joins.

use super::Printer;
use crate::ast::{Join, JoinCondition, JoinKind, Table, TableExpr, TableKind};

impl Printer<'_, '_> {
    pub(super) fn from(&mut self, tables: &[TableExpr]) {
        if let [table] = tables {
            self.open();
            self.words("FROM");
            self.space();
            self.table_expr(table);
            self.close();
        } else {
            self.list_clause("FROM", tables, |printer, table| {
                printer.open();
                printer.table_expr(table);
                printer.close();
            });
        }
    }

    /// Prints a table and its joins, which are lines of the group around them.
    fn table_expr(&mut self, tables: &TableExpr) {
        self.table(&tables.table);
        self.indent();
        for join in &tables.joins {
            self.line();
            self.join(join);
        }
        self.dedent();
    }

    fn table(&mut self, table: &Table) {
        if table.is_lateral {
            self.words("LATERAL");
            self.space();
        }
        match &table.kind {
            TableKind::Name(name) => self.path(name),
            TableKind::Function { name, arguments } => {
                self.open();
                self.path(name);
                self.sign("(");
                self.indent();
                self.soft_line();
                self.list(arguments, Self::argument);
                self.dedent();
                self.soft_line();
                self.sign(")");
                self.close();
            }
            TableKind::Query(query) => self.paren_query(query),
            TableKind::Nested(tables) => {
                self.bracketed("(", ")", |printer| printer.table_expr(tables));
            }
        }
        if let Some(alias) = &table.alias {
            self.spaced("AS");
            self.name(&alias.name);
            if !alias.columns.is_empty() {
                self.space();
                self.names(&alias.columns);
            }
        }
    }

    fn join(&mut self, join: &Join) {
        self.open();
        if join.condition == JoinCondition::Natural {
            self.words("NATURAL");
            self.space();
        }
        self.words(match join.kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Full => "FULL JOIN",
            JoinKind::Cross => "CROSS JOIN",
            JoinKind::Semi => "SEMI JOIN",
            JoinKind::Anti => "ANTI JOIN",
            JoinKind::RightSemi => "RIGHT SEMI JOIN",
            JoinKind::RightAnti => "RIGHT ANTI JOIN",
            JoinKind::Asof { is_left: false } => "ASOF JOIN",
            JoinKind::Asof { is_left: true } => "ASOF LEFT JOIN",
        });
        self.space();
        self.table(&join.table);
        self.indent();
        match &join.condition {
            JoinCondition::On(condition) => {
                self.line();
                self.words("ON");
                self.space();
                self.expr(condition);
            }
            JoinCondition::Using(columns) => {
                self.line();
                self.words("USING");
                self.space();
                self.names(columns);
            }
            JoinCondition::Natural | JoinCondition::None => {}
        }
        self.dedent();
        self.close();
    }
}

//! What a place in a statement is, and which tables and columns are in sight there.
//! In: a statement with a marker in the place, and whoever knows the tables. Out: what is wanted, and
//! the relations from the innermost SELECT outwards. Nothing here fails: what is not known is left out.

use sessionql_grammar::MARKER;
use sessionql_grammar::ast::walk::{self, Visitor};
use sessionql_grammar::ast::{
    Cte, Expr, ExprKind, GroupBy, GroupItem, JoinCondition, JoinKind, Literal, ObjectName, Query,
    Select, SelectItemKind, SetExpr, SetExprKind, ShowKind, Span, Statement, StatementKind, Table,
    TableExpr, TableKind, TimeWindow,
};

use super::{Known, KnownColumn};

/// What may stand in the place of the marker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Wanted {
    /// A table; the parts of its name before the marker.
    Table(Vec<String>),
    /// A column or a function; the parts of its name before the marker, and the column that it is
    /// compared with.
    Column { before: Vec<String>, compared: Option<Vec<String>> },
    /// A column that two tables have.
    Shared,
    /// A text, and the column that it is compared with.
    Text { compared: Option<Vec<String>> },
    /// What SHOW tells.
    Show,
    /// What SET changes.
    Setting,
    /// A type.
    Type,
    /// Nothing that is known: a new name, for example.
    #[default]
    Nothing,
}

/// A table of a FROM.
#[derive(Debug, Clone, Default)]
pub(super) struct Relation {
    /// The name that qualifies its columns.
    pub(super) name: Option<String>,
    /// The dotted name that it was written with, if it has no alias.
    path: Vec<String>,
    pub(super) columns: Vec<KnownColumn>,
}

impl Relation {
    /// Tells whether the parts before a column's name mean this relation.
    pub(super) fn is_called(&self, parts: &[String]) -> bool {
        match parts {
            [name] => self.name.as_ref() == Some(name),
            parts => self.path == parts,
        }
    }
}

/// What is in sight at the marker.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// The tables of each SELECT around it, innermost first.
    pub(super) levels: Vec<Vec<Relation>>,
    /// The names that the SELECT gives to its columns, where they can be named.
    pub(super) aliases: Vec<String>,
    /// The queries of WITH.
    pub(super) ctes: Vec<(String, Vec<KnownColumn>)>,
    /// Whether a column can stand there; a LIMIT and a time window take none.
    pub(super) takes_columns: bool,
}

impl Scope {
    /// Returns the column that a name means, that of the innermost SELECT.
    pub(super) fn column(&self, parts: &[String]) -> Option<&KnownColumn> {
        let (name, table) = parts.split_last()?;
        let relations = self.levels.iter().flatten();
        let mut called = relations.filter(|relation| table.is_empty() || relation.is_called(table));
        called.find_map(|relation| relation.columns.iter().find(|column| column.name == *name))
    }
}

/// Looks around a marker.
pub(super) fn look(statement: &Statement, marker: Span, known: &dyn Known) -> (Wanted, Scope) {
    let mut scope = Scope { takes_columns: true, ..Scope::default() };
    let query = match &statement.kind {
        StatementKind::Query(query) | StatementKind::Explain { query, .. } => query,
        StatementKind::Describe(path) => return (Wanted::Table(before(path)), scope),
        StatementKind::Show(ShowKind::Setting(_)) => return (Wanted::Show, scope),
        StatementKind::Set { name, .. } if name.value == MARKER => return (Wanted::Setting, scope),
        _ => return (Wanted::Nothing, scope),
    };
    let mut finder =
        Finder { marker, wanted: Wanted::Nothing, compared: None, takes_columns: true };
    walk::walk_query(query, &mut finder);
    scope.takes_columns = finder.takes_columns;
    Around { marker, known }.query(query, &mut scope);
    (finder.wanted, scope)
}

/// Returns the parts of a name before the marker, as they are compared.
fn before(path: &ObjectName) -> Vec<String> {
    let parts = path.parts.iter().take_while(|part| part.value != MARKER);
    parts.map(|part| part.normalized()).collect()
}

fn has_marker(path: &ObjectName) -> bool {
    path.parts.iter().any(|part| part.value == MARKER)
}

fn contains(span: Span, marker: Span) -> bool {
    span.start <= marker.start && marker.end <= span.end
}

fn is_in<'e>(marker: Span, exprs: impl IntoIterator<Item = &'e Expr>) -> bool {
    exprs.into_iter().any(|expr| contains(expr.span, marker))
}

/// Finds what the marker stands for.
struct Finder {
    marker: Span,
    wanted: Wanted,
    /// What the marker is compared with, once that was passed on the way down.
    compared: Option<Vec<String>>,
    takes_columns: bool,
}

impl Finder {
    fn compare(&mut self, operand: &Expr) {
        if let ExprKind::Column(path) = &operand.kind {
            self.compared = Some(path.parts.iter().map(|part| part.normalized()).collect());
        }
    }
}

impl Visitor for Finder {
    fn query(&mut self, query: &Query) {
        if is_in(self.marker, query.limit.iter().chain(&query.offset)) {
            self.takes_columns = false;
        }
    }

    fn select(&mut self, select: &Select) {
        let is_in_window = match &select.time_window {
            Some(TimeWindow::Between { since, until, .. }) => {
                is_in(self.marker, since.iter().chain(until))
            }
            Some(TimeWindow::At { instant, .. }) => is_in(self.marker, [instant]),
            None => false,
        };
        self.takes_columns &= !is_in_window;
        let mut joins = select.from.iter().flat_map(|tables| &tables.joins);
        let is_used = joins.any(|join| match &join.condition {
            JoinCondition::Using(names) => names.iter().any(|name| name.value == MARKER),
            _ => false,
        });
        if is_used {
            self.wanted = Wanted::Shared;
        }
    }

    fn table(&mut self, table: &Table) {
        match &table.kind {
            TableKind::Name(path) | TableKind::Function { name: path, .. } if has_marker(path) => {
                self.wanted = Wanted::Table(before(path));
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let is_marker = |expr: &Expr| expr.span == self.marker;
        match &expr.kind {
            ExprKind::Binary { op, left, right, .. } if op.is_comparison() => {
                if is_marker(right) {
                    self.compare(left);
                } else if is_marker(left) {
                    self.compare(right);
                }
            }
            ExprKind::InList { operand, list, .. } if list.iter().any(is_marker) => {
                self.compare(operand);
            }
            ExprKind::Column(path) if has_marker(path) => {
                let compared = self.compared.take();
                self.wanted = Wanted::Column { before: before(path), compared };
            }
            ExprKind::Function(function) if has_marker(&function.name) => {
                self.wanted = Wanted::Column { before: before(&function.name), compared: None };
            }
            ExprKind::Field { name, .. } if name.value == MARKER => self.wanted = Wanted::Nothing,
            ExprKind::Cast { data_type, .. } if data_type.span == self.marker => {
                self.wanted = Wanted::Type;
            }
            ExprKind::Literal(Literal::Text(text)) if text == MARKER => {
                self.wanted = Wanted::Text { compared: self.compared.take() };
            }
            _ => {}
        }
    }
}

/// Collects what is in sight on the way to the marker.
struct Around<'a> {
    marker: Span,
    known: &'a dyn Known,
}

impl Around<'_> {
    fn is_within(&self, span: Span) -> bool {
        contains(span, self.marker)
    }

    /// Goes down to the marker within a query.
    fn query(&self, query: &Query, scope: &mut Scope) {
        for cte in query.with.iter().flat_map(|with| &with.ctes) {
            if self.is_within(cte.query.span) {
                // What a query of WITH sees are those before it.
                return self.query(&cte.query, scope);
            }
            self.add_cte(cte, scope);
        }
        self.body(&query.body, scope);
        let is_ordered = is_in(self.marker, query.order_by.iter().map(|item| &item.value));
        if let (true, Some(select)) = (is_ordered, first_select(&query.body)) {
            if !self.is_within(query.body.span) {
                let relations = self.relations(&select.from, scope);
                scope.levels.insert(0, relations);
            }
            scope.aliases = aliases(select);
        }
    }

    fn add_cte(&self, cte: &Cte, scope: &mut Scope) {
        let mut columns = self.output(&cte.query, scope);
        rename(&mut columns, cte.columns.iter().map(|name| name.normalized()));
        scope.ctes.push((cte.name.normalized(), columns));
    }

    fn body(&self, body: &SetExpr, scope: &mut Scope) {
        if !self.is_within(body.span) {
            return;
        }
        match &body.kind {
            SetExprKind::Select(select) => self.select(select, scope),
            SetExprKind::Query(query) => self.query(query, scope),
            SetExprKind::Operation { left, right, .. } => {
                self.body(left, scope);
                self.body(right, scope);
            }
            SetExprKind::Values(_) => {}
        }
    }

    fn select(&self, select: &Select, scope: &mut Scope) {
        // A query in FROM does not see its neighbours.
        let tables = select.from.iter().flat_map(each_table);
        let mut queries = tables.filter_map(|table| match &table.kind {
            TableKind::Query(query) if self.is_within(query.span) => {
                Some((query, table.is_lateral))
            }
            _ => None,
        });
        let inner = queries.next();
        if inner.is_none_or(|(_, is_lateral)| is_lateral) {
            let relations = self.relations(&select.from, scope);
            scope.levels.insert(0, relations);
        }
        if let Some((query, _)) = inner {
            return self.query(query, scope);
        }
        let mut finder = FirstQuery { marker: self.marker, found: None };
        walk::walk_select(select, &mut finder);
        if let Some(query) = finder.found {
            return self.query(&query, scope);
        }
        let groups = match &select.group_by {
            GroupBy::Items(items) => items.as_slice(),
            GroupBy::All => &[],
        };
        let is_grouped = groups.iter().any(|item| match item {
            GroupItem::Expr(expr) => self.is_within(expr.span),
            GroupItem::Rollup(sets) | GroupItem::Cube(sets) | GroupItem::Sets(sets) => {
                is_in(self.marker, sets.iter().flatten())
            }
        });
        if is_grouped || is_in(self.marker, select.having.iter().chain(&select.qualify)) {
            scope.aliases = aliases(select);
        }
    }

    fn relations(&self, from: &[TableExpr], scope: &Scope) -> Vec<Relation> {
        from.iter().flat_map(|tables| self.relations_of(tables, scope)).collect()
    }

    fn relations_of(&self, tables: &TableExpr, scope: &Scope) -> Vec<Relation> {
        let mut relations = self.relation(&tables.table, scope);
        for join in &tables.joins {
            // What is only asked whether it is there is seen by the condition alone.
            let is_hidden = matches!(join.kind, JoinKind::Semi | JoinKind::Anti);
            if !is_hidden || self.is_within(join.span) {
                relations.extend(self.relation(&join.table, scope));
            }
        }
        relations
    }

    fn relation(&self, table: &Table, scope: &Scope) -> Vec<Relation> {
        let mut relation = match &table.kind {
            TableKind::Nested(tables) => return self.relations_of(tables, scope),
            TableKind::Name(path) if has_marker(path) => return Vec::new(),
            TableKind::Name(path) => {
                let path: Vec<_> = path.parts.iter().map(|part| part.normalized()).collect();
                let cte = match path.as_slice() {
                    [name] => scope.ctes.iter().rev().find(|(cte, _)| cte == name),
                    _ => None,
                };
                let columns = match cte {
                    Some((_, columns)) => columns.clone(),
                    None => self.known.columns(&path).unwrap_or_default(),
                };
                Relation { name: path.last().cloned(), path, columns }
            }
            TableKind::Query(query) => {
                Relation { columns: self.output(query, scope), ..Relation::default() }
            }
            TableKind::Function { .. } => Relation::default(),
        };
        if let Some(alias) = &table.alias {
            relation.name = Some(alias.name.normalized());
            relation.path = Vec::new();
            rename(&mut relation.columns, alias.columns.iter().map(|name| name.normalized()));
        }
        vec![relation]
    }

    /// Returns the columns that a query yields.
    fn output(&self, query: &Query, scope: &Scope) -> Vec<KnownColumn> {
        let mut scope = Scope { ctes: scope.ctes.clone(), ..Scope::default() };
        for cte in query.with.iter().flat_map(|with| &with.ctes) {
            self.add_cte(cte, &mut scope);
        }
        let Some(select) = first_select(&query.body) else { return Vec::new() };
        scope.levels.push(self.relations(&select.from, &scope));
        let mut columns = Vec::new();
        for item in &select.items {
            match &item.kind {
                SelectItemKind::Expr { value, alias } => {
                    let parts: Vec<_> = match &value.kind {
                        ExprKind::Column(path) => {
                            path.parts.iter().map(|part| part.normalized()).collect()
                        }
                        _ => Vec::new(),
                    };
                    let name = alias.as_ref().map(|alias| alias.normalized());
                    let Some(name) = name.or_else(|| parts.last().cloned()) else { continue };
                    let column = scope.column(&parts).cloned().unwrap_or_default();
                    columns.push(KnownColumn { name, ..column });
                }
                SelectItemKind::Wildcard { table, except } => {
                    let table = table.as_ref().map(before).unwrap_or_default();
                    let relations = scope.levels.iter().flatten();
                    let called =
                        relations.filter(|relation| table.is_empty() || relation.is_called(&table));
                    let all = called.flat_map(|relation| relation.columns.clone());
                    columns.extend(all.filter(|column| {
                        !column.is_hidden
                            && !except.iter().any(|name| name.normalized() == column.name)
                    }));
                }
            }
        }
        columns
    }
}

/// Returns the tables of a FROM without brackets.
fn each_table(tables: &TableExpr) -> Vec<&Table> {
    let joined = tables.joins.iter().map(|join| &join.table);
    let each = std::iter::once(&tables.table).chain(joined);
    each.flat_map(|table| match &table.kind {
        TableKind::Nested(tables) => each_table(tables),
        _ => vec![table],
    })
    .collect()
}

fn first_select(body: &SetExpr) -> Option<&Select> {
    match &body.kind {
        SetExprKind::Select(select) => Some(select),
        SetExprKind::Query(query) => first_select(&query.body),
        SetExprKind::Operation { left, .. } => first_select(left),
        SetExprKind::Values(_) => None,
    }
}

fn aliases(select: &Select) -> Vec<String> {
    let names = select.items.iter().filter_map(|item| match &item.kind {
        SelectItemKind::Expr { alias, .. } => alias.as_ref(),
        SelectItemKind::Wildcard { .. } => None,
    });
    names.map(|name| name.normalized()).collect()
}

fn rename(columns: &mut Vec<KnownColumn>, names: impl ExactSizeIterator<Item = String>) {
    // Names for columns that are not known are known columns.
    columns.resize_with(columns.len().max(names.len()), KnownColumn::default);
    for (column, name) in columns.iter_mut().zip(names) {
        column.name = name;
    }
}

/// Finds the outermost query within a SELECT that holds the marker.
struct FirstQuery {
    marker: Span,
    found: Option<Query>,
}

impl Visitor for FirstQuery {
    fn query(&mut self, query: &Query) {
        if self.found.is_none() && contains(query.span, self.marker) {
            self.found = Some(query.clone());
        }
    }
}

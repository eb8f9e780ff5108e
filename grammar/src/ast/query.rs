//! Queries and tables of the syntax tree.

use std::fmt;

use super::{Argument, Expr, Ident, ObjectName, Parts, Span, WindowSpec};

/// A query: a body with what stands before and after it.
#[derive(Clone, PartialEq)]
pub struct Query {
    /// `WITH …`.
    pub with: Option<With>,
    /// What yields the rows.
    pub body: SetExpr,
    /// `ORDER BY …`.
    pub order_by: Vec<OrderItem>,
    /// `LIMIT n` or `FETCH FIRST n ROWS ONLY`; `LIMIT ALL` is none.
    pub limit: Option<Expr>,
    /// `OFFSET n`.
    pub offset: Option<Expr>,
    /// From its first word to its last.
    pub span: Span,
}

/// The named queries before a query.
#[derive(Clone, Debug, PartialEq)]
pub struct With {
    /// Whether a named query may refer to itself.
    pub is_recursive: bool,
    /// The named queries, at least one, later ones see earlier ones.
    pub ctes: Vec<Cte>,
}

/// One named query.
#[derive(Clone, Debug, PartialEq)]
pub struct Cte {
    /// Its name.
    pub name: Ident,
    /// Names for its columns, from the left.
    pub columns: Vec<Ident>,
    /// The query.
    pub query: Query,
}

/// What yields rows.
#[derive(Clone, PartialEq)]
pub struct SetExpr {
    /// What it is.
    pub kind: SetExprKind,
    /// From its first word to its last.
    pub span: Span,
}

/// The kinds of thing that yield rows.
#[derive(Clone, Debug, PartialEq)]
pub enum SetExprKind {
    /// `SELECT …`.
    Select(Box<Select>),
    /// `VALUES (…), (…)`.
    Values(Vec<Vec<Expr>>),
    /// `(query)`.
    Query(Box<Query>),
    /// `a UNION [ALL] b` and its relatives.
    Operation {
        /// Which of them.
        op: SetOp,
        /// Whether equal rows are kept apart.
        is_all: bool,
        /// The left side.
        left: Box<SetExpr>,
        /// The right side.
        right: Box<SetExpr>,
    },
}

/// Operators between queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    /// `UNION`
    Union,
    /// `INTERSECT`, which binds tighter than the others.
    Intersect,
    /// `EXCEPT`
    Except,
}

/// `SELECT …` up to where set operators, ORDER BY and LIMIT begin.
#[derive(Clone, PartialEq)]
pub struct Select {
    /// `DISTINCT [ON (…)]`.
    pub distinct: Option<Distinct>,
    /// What each row holds, at least one item.
    pub items: Vec<SelectItem>,
    /// The tables, separated by commas.
    pub from: Vec<TableExpr>,
    /// `SINCE …`, `UNTIL …` or `AT …`.
    pub time_window: Option<TimeWindow>,
    /// `WHERE …`.
    pub filter: Option<Expr>,
    /// `GROUP BY …`.
    pub group_by: GroupBy,
    /// `HAVING …`.
    pub having: Option<Expr>,
    /// `WINDOW name AS (…)`.
    pub windows: Vec<NamedWindow>,
    /// `QUALIFY …`.
    pub qualify: Option<Expr>,
}

/// Which rows count as repeated.
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// `DISTINCT`: rows equal in all columns.
    Rows,
    /// `DISTINCT ON (…)`: rows equal in these.
    On(Vec<Expr>),
}

/// One item of the SELECT list.
#[derive(Clone, PartialEq)]
pub struct SelectItem {
    /// What it is.
    pub kind: SelectItemKind,
    /// From its first token to its last.
    pub span: Span,
}

/// The kinds of item of a SELECT list.
#[derive(Clone, Debug, PartialEq)]
pub enum SelectItemKind {
    /// `a [AS name]`.
    Expr {
        /// The value.
        value: Expr,
        /// Its name.
        alias: Option<Ident>,
    },
    /// `*`, `t.*`, with `EXCEPT (…)`.
    Wildcard {
        /// The table, all of them if not given.
        table: Option<ObjectName>,
        /// The columns left out.
        except: Vec<Ident>,
    },
}

/// When the sessions of a SELECT were open.
#[derive(Clone, PartialEq)]
pub enum TimeWindow {
    /// `SINCE t [UNTIL t]` or `UNTIL t`: at any time between; at least one is given.
    Between {
        /// The beginning, included.
        since: Option<Expr>,
        /// The end, not included.
        until: Option<Expr>,
        /// From its first word to its last.
        span: Span,
    },
    /// `AT t`: at one instant.
    At {
        /// The instant.
        instant: Expr,
        /// From its first word to its last.
        span: Span,
    },
}

/// `GROUP BY …`.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupBy {
    /// `GROUP BY ALL`: by each item of the SELECT list that is no aggregate.
    All,
    /// By these; empty without a GROUP BY.
    Items(Vec<GroupItem>),
}

/// One item of GROUP BY.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupItem {
    /// A value, an output column's name or its number.
    Expr(Expr),
    /// `ROLLUP (…)`.
    Rollup(Vec<Vec<Expr>>),
    /// `CUBE (…)`.
    Cube(Vec<Vec<Expr>>),
    /// `GROUPING SETS (…)`.
    Sets(Vec<Vec<Expr>>),
}

/// `name AS (…)` of the WINDOW clause.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedWindow {
    /// Its name.
    pub name: Ident,
    /// The window.
    pub window: WindowSpec,
}

/// One item of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// A value, an output column's name or its number.
    pub value: Expr,
    /// `DESC` (true) or `ASC` (false).
    pub is_descending: Option<bool>,
    /// `NULLS FIRST` (true) or `NULLS LAST` (false).
    pub nulls_first: Option<bool>,
}

/// A table and what is joined to it, from left to right.
#[derive(Clone, Debug, PartialEq)]
pub struct TableExpr {
    /// The leftmost table.
    pub table: Table,
    /// The joins.
    pub joins: Vec<Join>,
}

/// A table in FROM.
#[derive(Clone, PartialEq)]
pub struct Table {
    /// What it is.
    pub kind: TableKind,
    /// The name it has in this query, and names for its columns.
    pub alias: Option<TableAlias>,
    /// Whether it may refer to the tables on its left.
    pub is_lateral: bool,
    /// From its first token to its last.
    pub span: Span,
}

/// The kinds of table in FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum TableKind {
    /// A table or a named query.
    Name(ObjectName),
    /// `name(…)`.
    Function {
        /// The function.
        name: ObjectName,
        /// Its arguments.
        arguments: Vec<Argument>,
    },
    /// `(query)`.
    Query(Box<Query>),
    /// `(a JOIN b …)`.
    Nested(Box<TableExpr>),
}

/// `AS name (column, …)`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableAlias {
    /// The table's name.
    pub name: Ident,
    /// Names for its columns, from the left.
    pub columns: Vec<Ident>,
}

/// One join.
#[derive(Clone, PartialEq)]
pub struct Join {
    /// Which rows it keeps.
    pub kind: JoinKind,
    /// The table on its right.
    pub table: Table,
    /// How rows find each other.
    pub condition: JoinCondition,
    /// The place of the words that ask for the join.
    pub span: Span,
}

/// Which rows a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Matching pairs.
    Inner,
    /// All rows of the left side.
    Left,
    /// All rows of the right side.
    Right,
    /// All rows of both sides.
    Full,
    /// All pairs.
    Cross,
    /// Left rows with a match.
    Semi,
    /// Left rows without a match.
    Anti,
    /// Right rows with a match.
    RightSemi,
    /// Right rows without a match.
    RightAnti,
    /// For each left row the latest right row.
    Asof {
        /// Whether left rows without a match are kept.
        is_left: bool,
    },
}

/// How the rows of a join find each other.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinCondition {
    /// `ON …`.
    On(Expr),
    /// `USING (…)`.
    Using(Vec<Ident>),
    /// `NATURAL`: equal in all columns of the same name.
    Natural,
    /// No condition was given.
    None,
}

impl fmt::Debug for SetExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for SelectItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SelectItemKind::Expr { value, alias: None } => value.fmt(f),
            SelectItemKind::Expr { value, alias: Some(alias) } => {
                write!(f, "{value:?} as {alias:?}")
            }
            kind => kind.fmt(f),
        }
    }
}

impl fmt::Debug for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between { since, until, .. } => {
                let mut parts = Parts(f.debug_struct("Between"));
                parts.optional("since", since);
                parts.optional("until", until);
                parts.0.finish()
            }
            Self::At { instant, .. } => write!(f, "At({instant:?})"),
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_lateral {
            f.write_str("Lateral ")?;
        }
        self.kind.fmt(f)?;
        match &self.alias {
            Some(alias) if alias.columns.is_empty() => write!(f, " as {:?}", alias.name),
            Some(alias) => write!(f, " as {:?}{:?}", alias.name, alias.columns),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.kind, self.table, self.condition)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Parts(f.debug_struct("Query"));
        parts.optional("with", &self.with);
        parts.0.field("body", &self.body);
        parts.list("order_by", &self.order_by);
        parts.optional("limit", &self.limit);
        parts.optional("offset", &self.offset);
        parts.0.finish()
    }
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Parts(f.debug_struct("Select"));
        parts.optional("distinct", &self.distinct);
        parts.0.field("items", &self.items);
        parts.list("from", &self.from);
        parts.optional("time_window", &self.time_window);
        parts.optional("filter", &self.filter);
        if self.group_by != GroupBy::Items(Vec::new()) {
            parts.0.field("group_by", &self.group_by);
        }
        parts.optional("having", &self.having);
        parts.list("windows", &self.windows);
        parts.optional("qualify", &self.qualify);
        parts.0.finish()
    }
}

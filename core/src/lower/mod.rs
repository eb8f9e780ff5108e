//! Syntax tree to the engine's statement.
//! In: a query, and the tables, the clock and the parameters it is meant for. Out: the same query
//! in DataFusion's syntax tree, with positions. Session clauses become predicates here, `now()`
//! and durations become constants, hidden columns disappear from `*`.
//! Called by the engine for each query; asks the catalog for table shapes and nothing else.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use datafusion::arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Span};

mod as_value;
mod asof;
mod bind;
mod blank;
mod call;
mod constant;
mod copies;
mod error;
mod expr;
mod foreign;
mod interval;
mod join;
mod known;
mod lifetime;
mod literal;
mod logic;
mod naming;
mod ordered;
mod own_call;
mod parts;
mod pattern;
mod position;
mod query;
mod respelled;
mod scope;
mod select;
mod subquery;
mod table;
mod time_format;
mod types;
mod using;
mod window;

#[cfg(test)]
mod tests;

pub(crate) use constant::Constants;
pub(crate) use error::TIMES_ARE_WRITTEN;
pub use error::{LowerError, LowerErrorKind};
pub(crate) use foreign::word as foreign_word;
pub(crate) use interval::{Interval, parse as parse_interval};

use position::Positions;
use scope::{Column, Scope};
use subquery::Place;
use window::Bounds;

/// What lowering asks of the catalog.
pub trait Tables {
    /// Returns the table of a name, given by its parts. One part may be a connection, whose main
    /// table is meant. Parts are lower case unless they were quoted.
    fn table(&self, name: &[String]) -> Option<TableShape>;

    /// Returns the names that could have been meant, dotted.
    fn names(&self) -> Vec<String>;
}

/// What lowering asks of the engine's functions.
pub trait Functions {
    /// Tells whether there is a function of this name, in lower case.
    fn has(&self, name: &str) -> bool;

    /// Tells whether the function of this name, in lower case, is an aggregate.
    fn is_aggregate(&self, name: &str) -> bool;

    /// Returns what the function of this name, in lower case, needs and does not have.
    fn lack(&self, name: &str) -> Option<Lack>;

    /// Returns the names that could have been meant.
    fn names(&self) -> Vec<String>;
}

/// Why a function cannot be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// One sentence.
    pub message: String,
    /// What to do, where that is sure to help.
    pub hint: Option<String>,
}

/// What lowering needs to know of a table.
#[derive(Clone, Debug, Default)]
pub struct TableShape {
    /// Schema and table as the engine finds it.
    pub reference: Vec<String>,
    /// Its columns, in the order of `*`.
    pub columns: Vec<ColumnShape>,
    /// The columns of a session's start and end, if its rows are sessions.
    pub time: Option<(String, String)>,
    /// Whether the window of the run is not for its rows, but one of the SELECT's own is.
    pub ignores_default_window: bool,
}

/// What lowering needs to know of a column.
#[derive(Clone, Debug)]
pub struct ColumnShape {
    /// Its name.
    pub name: String,
    /// Whether it is there only if named.
    pub is_hidden: bool,
    /// Its type.
    pub data_type: DataType,
    /// The values that it may have, if all are known.
    pub values: Vec<String>,
}

/// What a query is meant for.
pub struct Context<'a> {
    /// The text that the spans of the query point into.
    pub text: &'a str,
    /// The tables.
    pub tables: &'a dyn Tables,
    /// The instant of `now()`.
    pub now: DateTime<Utc>,
    /// The zone of times without offset.
    pub time_zone: chrono_tz::Tz,
    /// The beginning of the window of each SELECT that has none of its own.
    pub since: Option<DateTime<Utc>>,
    /// The end of the window of each SELECT that has none of its own.
    pub until: Option<DateTime<Utc>>,
    /// The constants of parameters by name, in lower case and without the dollar.
    pub parameters: HashMap<String, ast::Expr>,
    /// The functions that the engine has, of every kind.
    pub functions: &'a dyn Functions,
    /// Whether tables have all their columns, or those that the query needs. The engine plans the
    /// latter in half the time, but of the former it can tell what there would have been.
    pub with_all_columns: bool,
}

/// A query as the engine plans it.
#[derive(Debug)]
pub struct Lowered {
    /// The query.
    pub statement: sql::Statement,
    /// Where each text literal stands, for errors that the engine raises about its value.
    pub strings: HashMap<String, Vec<Span>>,
    /// Where each interval of months or years stands, for the same.
    pub months: Vec<Span>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
    /// Whether it asks which sessions share an instant.
    pub has_lifetimes: bool,
}

/// Something about a query that is probably not what its author meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// One sentence.
    pub message: String,
    /// The text to point at.
    pub span: Span,
    /// What to do, where that is sure to help.
    pub hint: Option<String>,
    /// The lint of `sessionql check` that looks for the same.
    pub lint: Option<&'static str>,
}

/// Lowers a query.
///
/// # Errors
///
/// Names that do not exist, windows that make no sense, and forms that the engine would refuse or
/// answer wrongly.
pub fn lower(query: &ast::Query, context: &Context<'_>) -> Result<Lowered, LowerError> {
    let bound = bind::bind(query, context)?;
    let query = bound.as_ref().unwrap_or(query);
    let mut lowering = Lowering::new(context, Needed::visible());
    let mut statement = lowering.query(query)?.0;
    // Which columns a query needs is known only now.
    let needed = lowering.needed(context.with_all_columns);
    if needed != Needed::visible() {
        lowering = Lowering::new(context, needed);
        statement = lowering.query(query)?.0;
    }
    let Lowering { strings, months, warnings, has_lifetimes, .. } = lowering;
    let statement = sql::Statement::Query(statement);
    Ok(Lowered { statement, strings, months, warnings, has_lifetimes })
}

type Result<T, E = LowerError> = std::result::Result<T, E>;

/// A query of WITH.
#[derive(Clone)]
struct NamedQuery {
    /// Its name in the text.
    name: String,
    /// Its name for the engine, which knows no two queries of one name.
    own_name: sql::Ident,
    /// Its columns, where known.
    columns: Option<Vec<Column>>,
}

/// The columns that tables have for a statement.
#[derive(Debug, PartialEq, Eq)]
struct Needed {
    /// The hidden columns that are part of their tables, because they are named.
    hidden: HashSet<String>,
    /// The only visible ones that are, beside those of a session's time; else all are.
    visible: Option<HashSet<String>>,
}

impl Needed {
    /// Returns all columns that are not hidden.
    fn visible() -> Self {
        Self { hidden: HashSet::new(), visible: None }
    }

    fn has(&self, column: &ColumnShape) -> bool {
        match (&self.visible, column.is_hidden) {
            (_, true) => self.hidden.contains(&column.name),
            (Some(visible), false) => visible.contains(&column.name),
            (None, false) => true,
        }
    }
}

/// The state of lowering one statement.
struct Lowering<'a> {
    context: &'a Context<'a>,
    positions: Positions<'a>,
    needed: Needed,
    /// The hidden columns of the tables met so far.
    hidden_seen: HashSet<String>,
    /// The column names met so far.
    named: HashSet<String>,
    /// Whether something stands for all columns of a table, such as `*`.
    has_unnamed: bool,
    strings: HashMap<String, Vec<Span>>,
    months: Vec<Span>,
    warnings: Vec<Warning>,
    has_lifetimes: bool,
    /// The named queries in sight, inner ones last, with their columns where known.
    ctes: Vec<NamedQuery>,
    /// The SELECTs around the place being lowered, inner ones last.
    scopes: Vec<Scope>,
    /// The time window of the innermost SELECT.
    bounds: Option<Bounds>,
    /// Whether queries in FROM need a name, because USING or NATURAL names their columns.
    names_queries: bool,
    /// How many queries within expressions are around the place being lowered.
    n_queries: usize,
    /// How many session tables that window has met.
    n_windowed: usize,
    /// What is being lowered.
    place: Place,
}

impl<'a> Lowering<'a> {
    fn new(context: &'a Context<'a>, needed: Needed) -> Self {
        Self {
            context,
            positions: Positions::new(context.text),
            needed,
            hidden_seen: HashSet::new(),
            named: HashSet::new(),
            has_unnamed: false,
            strings: HashMap::new(),
            months: Vec::new(),
            warnings: Vec::new(),
            has_lifetimes: false,
            ctes: Vec::new(),
            scopes: Vec::new(),
            bounds: None,
            names_queries: false,
            n_queries: 0,
            n_windowed: 0,
            place: Place::Value,
        }
    }

    /// Returns the columns that the statement turned out to need.
    fn needed(&self, with_all_columns: bool) -> Needed {
        let hidden = self.hidden_seen.intersection(&self.named).cloned().collect();
        let is_all = self.has_unnamed || with_all_columns;
        Needed { hidden, visible: (!is_all).then(|| self.named.clone()) }
    }

    /// Lowers a name: what is unquoted stays so, and the engine lower-cases it.
    fn ident(&self, ident: &ast::Ident) -> sql::Ident {
        sql::Ident {
            value: ident.value.clone(),
            quote_style: ident.is_quoted.then_some('"'),
            span: self.positions.span(ident.span),
        }
    }

    /// Lowers the name of a column, and remembers it.
    fn column_ident(&mut self, ident: &ast::Ident) -> sql::Ident {
        self.named.insert(ident.normalized());
        self.ident(ident)
    }
}

//! The syntax tree: what was written, without names or types resolved.
//! Built by `parse`, read by lowering. Every node that an error may point at has a [`Span`].
//! `Debug` is compact on purpose: it leaves spans out, so that goldens show structure alone.

use std::fmt;

pub use crate::position::Span;

mod call;
mod expr;
mod parameter;
mod query;
pub mod walk;
mod walk_mut;

pub use call::*;
pub use expr::*;
pub use parameter::*;
pub use query::*;
pub use walk_mut::{walk_query_mut, walk_statement_mut};

/// One statement of a script.
#[derive(Clone, PartialEq)]
pub struct Statement {
    /// What it asks for.
    pub kind: StatementKind,
    /// From its first word to its last, without the `;`.
    pub span: Span,
}

/// The kinds of statement. All of them only read.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `SELECT …`, `WITH …`, `VALUES …` and set operations of these.
    Query(Box<Query>),
    /// `EXPLAIN [ANALYZE] query`.
    Explain {
        /// Whether the query is run.
        analyze: bool,
        /// The query to explain.
        query: Box<Query>,
    },
    /// `DESCRIBE table`.
    Describe(ObjectName),
    /// `SHOW …`.
    Show(ShowKind),
    /// `SET name = value`.
    Set {
        /// The setting.
        name: Ident,
        /// Its new value, not evaluated; a bare word such as `off` is a column here.
        value: Expr,
    },
    /// `SET $name = value`.
    SetParameter {
        /// The parameter; the name is without the dollar, the span with it.
        name: Ident,
        /// Its value, not evaluated.
        value: Expr,
    },
}

/// What a `SHOW` statement lists.
#[derive(Clone, Debug, PartialEq)]
pub enum ShowKind {
    /// The configured connections.
    Connections,
    /// The plugins that were found.
    Plugins,
    /// The tables of all connections.
    Tables,
    /// The functions of the language.
    Functions,
    /// The parameters and their values.
    Parameters,
    /// The value of one setting.
    Setting(Ident),
}

/// A name as written, quotes taken off.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name; as typed if unquoted, so compare with [`Ident::matches`].
    pub value: String,
    /// Whether it stood in double quotes and is therefore matched exactly.
    pub is_quoted: bool,
    /// Its place, quotes included.
    pub span: Span,
}

impl Ident {
    /// Returns whether this name means `name`: exactly if quoted, else without regard to case.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_quoted {
            self.value == name
        } else {
            self.value.to_lowercase() == name.to_lowercase()
        }
    }

    /// Returns the name to look up: lower-cased unless quoted.
    pub fn normalized(&self) -> String {
        if self.is_quoted { self.value.clone() } else { self.value.to_lowercase() }
    }
}

/// A dotted name of a table or a function.
#[derive(Clone, PartialEq)]
pub struct ObjectName {
    /// The parts, at least one.
    pub parts: Vec<Ident>,
    /// From the first part to the last.
    pub span: Span,
}

/// A type as written in a cast.
#[derive(Clone, PartialEq)]
pub struct DataType {
    /// Its words in lower case with single blanks, such as `double precision`.
    pub name: String,
    /// Numbers in parentheses, such as precision and scale.
    pub arguments: Vec<u64>,
    /// How many `[]` follow.
    pub n_array_marks: usize,
    /// Its place.
    pub span: Span,
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_quoted { write!(f, "{:?}", self.value) } else { f.write_str(&self.value) }
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, part) in self.parts.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            part.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.arguments.is_empty() {
            write!(f, "{:?}", self.arguments)?;
        }
        f.write_str(&"[]".repeat(self.n_array_marks))
    }
}

/// A `Debug` output that leaves out what is not there.
struct Parts<'a, 'b>(fmt::DebugStruct<'a, 'b>);

impl Parts<'_, '_> {
    fn optional(&mut self, name: &str, part: &Option<impl fmt::Debug>) {
        if let Some(part) = part {
            self.0.field(name, part);
        }
    }

    fn list(&mut self, name: &str, parts: &[impl fmt::Debug]) {
        if !parts.is_empty() {
            self.0.field(name, &parts);
        }
    }
}

//! Calls of the syntax tree, and the windows they run over.

use std::fmt;

use super::{Expr, Ident, ObjectName, OrderItem, Parts};

/// A call with all that may follow it.
#[derive(Clone, PartialEq)]
pub struct Function {
    /// The function.
    pub name: ObjectName,
    /// What it is called with.
    pub arguments: Arguments,
    /// `WITHIN GROUP (ORDER BY …)`.
    pub within_group: Vec<OrderItem>,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Expr>,
    /// `IGNORE NULLS` (true) or `RESPECT NULLS` (false).
    pub ignores_nulls: Option<bool>,
    /// `OVER …`.
    pub over: Option<Over>,
}

/// What a function is called with.
#[derive(Clone, Debug, PartialEq)]
pub enum Arguments {
    /// `(*)`.
    Star,
    /// `([DISTINCT] a, b [ORDER BY c])`.
    List {
        /// Whether equal rows count once.
        is_distinct: bool,
        /// The arguments, possibly none.
        items: Vec<Argument>,
        /// The order in which an aggregate sees its rows.
        order_by: Vec<OrderItem>,
    },
}

/// One argument, `name => value` or `value`.
#[derive(Clone, PartialEq)]
pub struct Argument {
    /// The parameter's name, if given.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// What follows OVER.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// A window of the WINDOW clause.
    Named(Ident),
    /// A window described in place.
    Window(Box<WindowSpec>),
}

/// `([base] [PARTITION BY …] [ORDER BY …] [frame])`.
#[derive(Clone, PartialEq)]
pub struct WindowSpec {
    /// A named window that this one adds to.
    pub base: Option<Ident>,
    /// `PARTITION BY …`.
    pub partition_by: Vec<Expr>,
    /// `ORDER BY …`.
    pub order_by: Vec<OrderItem>,
    /// `ROWS …`, `RANGE …` or `GROUPS …`.
    pub frame: Option<Frame>,
}

/// The frame of a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What the bounds count.
    pub units: FrameUnits,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends, the current row if not given.
    pub end: Option<FrameBound>,
}

/// What frame bounds count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUnits {
    /// Rows.
    Rows,
    /// Values of the order.
    Range,
    /// Groups of rows with equal order.
    Groups,
}

/// One end of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    /// `CURRENT ROW`
    CurrentRow,
    /// `a PRECEDING`, without a value `UNBOUNDED PRECEDING`.
    Preceding(Option<Box<Expr>>),
    /// `a FOLLOWING`, without a value `UNBOUNDED FOLLOWING`.
    Following(Option<Box<Expr>>),
}

impl fmt::Debug for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name:?} => ")?;
        }
        self.value.fmt(f)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Parts(f.debug_struct("Function"));
        parts.0.field("name", &self.name).field("arguments", &self.arguments);
        parts.list("within_group", &self.within_group);
        parts.optional("filter", &self.filter);
        parts.optional("ignores_nulls", &self.ignores_nulls);
        parts.optional("over", &self.over);
        parts.0.finish()
    }
}

impl fmt::Debug for WindowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Parts(f.debug_struct("WindowSpec"));
        parts.optional("base", &self.base);
        parts.list("partition_by", &self.partition_by);
        parts.list("order_by", &self.order_by);
        parts.optional("frame", &self.frame);
        parts.0.finish()
    }
}

//! Expressions of the syntax tree.
//! AND and OR are flat lists, so that a chain of any length is one level deep.

use std::fmt;

use super::{DataType, Function, Ident, ObjectName, Query, Span, TypedParameter};

/// An expression.
#[derive(Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// From its first token to its last.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `user`, `s.user`, `connection.table.user`.
    Column(ObjectName),
    /// A constant.
    Literal(Literal),
    /// `$name`; the name is without the dollar, the span with it.
    Parameter(Ident),
    /// `{name:type}`.
    TypedParameter(Box<TypedParameter>),
    /// `(a)`, kept because it stops operators from chaining.
    Nested(Box<Expr>),
    /// `(a, b)`, at least two items.
    Tuple(Vec<Expr>),
    /// `[a, b]` or `ARRAY[a, b]`.
    Array(Vec<Expr>),
    /// `a AND b AND c`, at least two items.
    And(Vec<Expr>),
    /// `a OR b OR c`, at least two items.
    Or(Vec<Expr>),
    /// `NOT a`.
    Not(Box<Expr>),
    /// `-a` or `+a`.
    Sign {
        /// Whether the sign is a minus.
        is_minus: bool,
        /// What it stands before.
        operand: Box<Expr>,
    },
    /// Any operator between two operands but AND and OR.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// The operator's place.
        op_span: Span,
        /// The left operand.
        left: Box<Expr>,
        /// The right operand.
        right: Box<Expr>,
    },
    /// `a IS [NOT] …`.
    Is {
        /// What is tested.
        operand: Box<Expr>,
        /// The test.
        test: IsTest,
        /// Whether NOT was there.
        is_negated: bool,
    },
    /// `a [NOT] BETWEEN [SYMMETRIC] low AND high`.
    Between {
        /// What is tested.
        operand: Box<Expr>,
        /// The lower bound, included.
        low: Box<Expr>,
        /// The upper bound, included.
        high: Box<Expr>,
        /// Whether NOT was there.
        is_negated: bool,
        /// Whether the bounds may stand in either order.
        is_symmetric: bool,
    },
    /// `a [NOT] IN (b, c)`.
    InList {
        /// What is looked for.
        operand: Box<Expr>,
        /// Where, at least one item.
        list: Vec<Expr>,
        /// Whether NOT was there.
        is_negated: bool,
    },
    /// `a [NOT] IN (query)`.
    InQuery {
        /// What is looked for.
        operand: Box<Expr>,
        /// Where.
        query: Box<Query>,
        /// Whether NOT was there.
        is_negated: bool,
    },
    /// `a [NOT] LIKE pattern [ESCAPE 'c']` and its relatives.
    Like {
        /// Which of them.
        kind: LikeKind,
        /// What is tested.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// The text after ESCAPE.
        escape: Option<String>,
        /// Whether NOT was there.
        is_negated: bool,
    },
    /// `CASE [a] WHEN b THEN c … [ELSE d] END`.
    Case {
        /// What each WHEN is compared with, if given.
        operand: Option<Box<Expr>>,
        /// Condition and result of each WHEN, at least one.
        branches: Vec<(Expr, Expr)>,
        /// The result after ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(a AS type)` or `a::type`.
    Cast {
        /// What is converted.
        operand: Box<Expr>,
        /// Into what.
        data_type: DataType,
        /// Whether it is TRY_CAST, which gives NULL where CAST fails.
        is_try: bool,
    },
    /// `EXTRACT(field FROM a)`.
    Extract {
        /// The field, such as `epoch`.
        field: Ident,
        /// Where it is taken from.
        operand: Box<Expr>,
    },
    /// `TRIM([BOTH|LEADING|TRAILING] [characters] FROM a)`; a plain `trim(a)` is a call.
    Trim {
        /// Which ends.
        side: TrimSide,
        /// The characters to take off, blanks if not given.
        characters: Option<Box<Expr>>,
        /// The text.
        operand: Box<Expr>,
    },
    /// A call.
    Function(Box<Function>),
    /// `EXISTS (query)`.
    Exists(Box<Query>),
    /// `(query)`.
    Subquery(Box<Query>),
    /// `ANY (…)` or `ALL (…)`, which only make sense after a comparison.
    Quantified {
        /// Whether all must hold, else one is enough.
        is_all: bool,
        /// A subquery or an array.
        operand: Box<Expr>,
    },
    /// `a[index]` or `a[from:to]`.
    Subscript {
        /// The list.
        operand: Box<Expr>,
        /// Which items.
        index: Subscript,
    },
    /// `(a).name`.
    Field {
        /// The structure.
        operand: Box<Expr>,
        /// The field.
        name: Ident,
    },
}

/// A constant.
#[derive(Clone, PartialEq)]
pub enum Literal {
    /// `NULL`.
    Null,
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// A number as typed.
    Number(String),
    /// A text, quotes and escapes resolved.
    Text(String),
    /// A duration such as `1h30m`, in microseconds.
    Duration(i64),
    /// `DATE '…'`.
    Date(String),
    /// `TIMESTAMP '…'`.
    Timestamp(String),
    /// `TIME '…'`.
    Time(String),
    /// `INTERVAL '…'`, a unit after the quotes included in the text.
    Interval(String),
}

/// Operators between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
    /// `^`
    Power,
    /// `||`
    Concat,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `#`
    BitXor,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `=`
    Eq,
    /// `<>` or `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `~`
    Regex,
    /// `~*`
    RegexAnyCase,
    /// `!~`
    NotRegex,
    /// `!~*`
    NotRegexAnyCase,
    /// `OVERLAPS`
    Overlaps,
    /// `CONTAINS`
    Contains,
    /// `AT TIME ZONE`
    AtTimeZone,
}

impl BinaryOp {
    /// Returns whether this compares two values by order or equality.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::NotEq | Self::Lt | Self::LtEq | Self::Gt | Self::GtEq)
    }
}

/// What follows IS.
#[derive(Clone, Debug, PartialEq)]
pub enum IsTest {
    /// `NULL`
    Null,
    /// `TRUE`
    True,
    /// `FALSE`
    False,
    /// `UNKNOWN`
    Unknown,
    /// `DISTINCT FROM a`
    DistinctFrom(Box<Expr>),
}

/// The relatives of LIKE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LikeKind {
    /// `LIKE`
    Like,
    /// `ILIKE`: without regard to case.
    ILike,
    /// `SIMILAR TO`: SQL's regular expressions.
    SimilarTo,
}

/// The ends that TRIM works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimSide {
    /// Both ends.
    Both,
    /// The beginning.
    Leading,
    /// The end.
    Trailing,
}

/// What stands in square brackets after an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// One item.
    Index(Box<Expr>),
    /// A range of items, both ends included and optional.
    Slice(Option<Box<Expr>>, Option<Box<Expr>>),
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Column(name) => name.fmt(f),
            ExprKind::Literal(literal) => literal.fmt(f),
            ExprKind::Parameter(name) => write!(f, "${name:?}"),
            ExprKind::TypedParameter(parameter) => parameter.fmt(f),
            ExprKind::Binary { op, left, right, .. } => write!(f, "({left:?} {op:?} {right:?})"),
            kind => kind.fmt(f),
        }
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => text.fmt(f),
            Self::Duration(micros) => write!(f, "{micros}us"),
            Self::Date(text) => write!(f, "date {text:?}"),
            Self::Timestamp(text) => write!(f, "timestamp {text:?}"),
            Self::Time(text) => write!(f, "time {text:?}"),
            Self::Interval(text) => write!(f, "interval {text:?}"),
        }
    }
}

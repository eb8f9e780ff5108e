//! Parameters of the syntax tree: their types, and where they are declared in a query.

use std::fmt;

use super::{Expr, Ident, Span};

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParameterType {
    /// The type of one value.
    pub kind: ParameterKind,
    /// Whether it is a list of such values.
    pub is_list: bool,
}

/// The types of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    /// A text.
    Text,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
    /// An instant.
    Timestamp,
    /// A duration, or an interval of months or years.
    Interval,
    /// A network such as `10.0.0.0/8`, as text.
    Cidr,
}

impl ParameterKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Text,
        Self::Int,
        Self::Float,
        Self::Bool,
        Self::Timestamp,
        Self::Interval,
        Self::Cidr,
    ];

    /// Returns the word for the type.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Timestamp => "timestamp",
            Self::Interval => "interval",
            Self::Cidr => "cidr",
        }
    }

    /// Returns the type of a word in any case. What columns call `duration` is an interval here.
    pub fn of_word(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        match word.as_str() {
            "duration" => Some(Self::Interval),
            word => Self::ALL.into_iter().find(|kind| kind.word() == word),
        }
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.word())?;
        formatter.write_str(if self.is_list { "[]" } else { "" })
    }
}

/// `{name:type}` or `{name:type = default}`.
#[derive(Clone, PartialEq)]
pub struct TypedParameter {
    /// The parameter.
    pub name: Ident,
    /// Its type.
    pub data_type: ParameterType,
    /// The value that it has if none is given.
    pub default: Option<Expr>,
    /// From the opening brace to the closing one.
    pub span: Span,
}

impl fmt::Debug for TypedParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:?}:{}", self.name, self.data_type)?;
        match &self.default {
            Some(default) => write!(f, " = {default:?}"),
            None => Ok(()),
        }
    }
}

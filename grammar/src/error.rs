//! What can be wrong with a text.
//! Built by `scan` and `parse`; shown by the program, which draws the caret from the span.
//! Messages use the words of the language, never those of the grammar file.

use crate::ast::Span;

/// A text that is not SessionQL, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// The text to point at; empty at the end of the input.
    pub span: Span,
}

/// The kinds of parse error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// A token that cannot stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What could stand here.
        expected: String,
        /// What stands here.
        found: String,
        /// Whether two operands stand side by side, as if a comma had been forgotten.
        is_comma_missing: bool,
    },
    /// A form of another dialect, or nearly a word of this one.
    #[error("expected {expected}, found {found}")]
    Foreign {
        /// What could stand here.
        expected: String,
        /// What stands here.
        found: String,
        /// What to write instead.
        hint: String,
    },
    /// A character that begins no token.
    #[error("unexpected character {}", if *character == '`' { "\"`\"".to_owned() } else { format!("`{character}`") })]
    UnexpectedCharacter {
        /// The character.
        character: char,
    },
    /// A quote, bracket or comment without its end.
    #[error("{what} is never closed")]
    Unclosed {
        /// What was opened, with its article.
        what: &'static str,
    },
    /// A closing bracket without its beginning.
    #[error("`{found}` closes nothing")]
    Unopened {
        /// The bracket.
        found: char,
    },
    /// A closing bracket of the wrong shape.
    #[error("expected `{expected}`, found `{found}`")]
    WrongBracket {
        /// The bracket that would have been right.
        expected: char,
        /// The bracket that stands there.
        found: char,
    },
    /// `""`.
    #[error("a quoted name is empty")]
    EmptyName,
    /// Digits followed by letters that are neither a number nor a duration.
    #[error("`{found}` is neither a number nor a duration")]
    MalformedNumber {
        /// The characters in question.
        found: String,
    },
    /// `1.5h`.
    #[error("a duration has no fraction: `{found}`")]
    FractionalDuration {
        /// The duration as written.
        found: String,
    },
    /// `30m1h`, `1h1h`.
    #[error("the units of the duration `{found}` do not descend")]
    UnorderedDuration {
        /// The duration as written.
        found: String,
    },
    /// A duration of more than 292,000 years.
    #[error("the duration `{found}` is too long")]
    DurationTooLong {
        /// The duration as written.
        found: String,
    },
    /// A backslash sequence in `E'…'` that means nothing.
    #[error("unknown escape sequence `{found}`")]
    UnknownEscape {
        /// The sequence.
        found: String,
    },
    /// An operator of other languages.
    #[error("unknown operator `{found}`")]
    ForeignOperator {
        /// The operator as written.
        found: &'static str,
        /// The operator to write.
        instead: &'static str,
    },
    /// A statement that changes something.
    #[error("sessionql only reads: `{found}` is not a statement")]
    NotReading {
        /// Its first word, in upper case.
        found: String,
    },
    /// A statement that begins with an unknown word.
    #[error("`{found}` begins no statement")]
    UnknownStatement {
        /// Its first word.
        found: String,
        /// The nearest word that begins a statement.
        candidate: Option<&'static str>,
    },
    /// `FROM t SELECT a`.
    #[error("a query begins with SELECT, found FROM")]
    FromFirst,
    /// `LIMIT 5, 10`.
    #[error("LIMIT takes one number")]
    LimitComma {
        /// The first number as written.
        first: String,
        /// The second number as written.
        second: String,
    },
    /// `a < b < c`.
    #[error("comparisons do not chain")]
    ChainedComparison {
        /// Whether `||` stands between the two.
        joins_texts: bool,
    },
    /// UNION between things that are no queries.
    #[error("expected a query before `{found}`")]
    NotAQuery {
        /// The clause that only a query can have.
        found: String,
    },
    /// A clause written twice.
    #[error("{clause} is given twice")]
    Repeated {
        /// The clause.
        clause: &'static str,
    },
    /// SINCE or UNTIL together with AT.
    #[error("AT does not combine with SINCE and UNTIL")]
    AtWithSince,
    /// A join without ON or USING, or with one that it cannot have.
    #[error("{join} {problem}")]
    JoinCondition {
        /// The join in upper case.
        join: &'static str,
        /// What is wrong with its condition.
        problem: &'static str,
    },
    /// A form that only certain functions have, such as `f(a FROM b)`.
    #[error("`{function}` {problem}")]
    CallForm {
        /// The function.
        function: String,
        /// What is wrong with the form.
        problem: &'static str,
    },
    /// Something longer or deeper than allowed.
    #[error("{what} exceed the limit of {limit}")]
    TooMuch {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// The limit with its unit.
        limit: &'static str,
    },
    /// A type that parameters do not have.
    #[error("no parameter type `{found}`")]
    UnknownParameterType {
        /// The type as written.
        found: String,
    },
    /// A parameter that a header declares again.
    #[error("parameter `{name}` is declared twice")]
    RepeatedParameter {
        /// Its name.
        name: String,
    },
    /// A header of a later version.
    #[error("version `{found}` of the header is not known")]
    HeaderVersion {
        /// The version as written.
        found: String,
    },
    /// The grammar and its reader disagree, which is our mistake.
    #[error("internal error: cannot read this part of the query")]
    Internal,
}

impl ParseError {
    /// Builds an error.
    pub(crate) fn new(kind: ParseErrorKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// Returns what to do about it, where that is certain to help.
    pub fn hint(&self) -> Option<String> {
        use ParseErrorKind as Kind;
        Some(match &self.kind {
            Kind::Unexpected { is_comma_missing: true, found, .. } => {
                format!("a comma may be missing before {found}")
            }
            Kind::UnexpectedCharacter { character: '‘' | '’' | '“' | '”' } => {
                "use straight quotes: 'text' and \"name\"".to_owned()
            }
            Kind::Foreign { hint, .. } => hint.clone(),
            Kind::UnexpectedCharacter { character: '?' | '@' } => {
                "parameters are written $name".to_owned()
            }
            Kind::UnexpectedCharacter { character: '\\' } => {
                "SHOW TABLES and DESCRIBE tell what there is".to_owned()
            }
            Kind::UnexpectedCharacter { character: '`' } => "quote names with \"…\"".to_owned(),
            Kind::Unclosed { what: "the text" } => "write a quote within a text twice: 'it''s'".to_owned(),
            Kind::FractionalDuration { .. } => "write 1h30m instead of 1.5h".to_owned(),
            Kind::MalformedNumber { .. } => {
                "durations are written 90s, 15m, 1h30m, 7d or 2w; quote names that begin with a digit".to_owned()
            }
            Kind::UnorderedDuration { .. } => "write each unit once, in the order w d h m s ms".to_owned(),
            Kind::ForeignOperator { instead, .. } => format!("write {instead}"),
            Kind::UnknownStatement { candidate: Some(candidate), .. } => format!("did you mean {candidate}?"),
            Kind::UnknownStatement { .. } | Kind::NotReading { .. } => {
                "statements are SELECT, WITH, VALUES, EXPLAIN, DESCRIBE, SHOW and SET".to_owned()
            }
            Kind::FromFirst => "write SELECT … FROM …".to_owned(),
            Kind::LimitComma { first, second } => format!("write LIMIT {second} OFFSET {first}"),
            Kind::ChainedComparison { joins_texts: true } => {
                "`||` joins texts; write OR between conditions".to_owned()
            }
            Kind::ChainedComparison { .. } => "write `a < b AND b < c`".to_owned(),
            Kind::UnknownParameterType { .. } => {
                "types are text, int, float, bool, timestamp, interval and cidr, and lists such as text[]".to_owned()
            }
            Kind::HeaderVersion { .. } => "write `-- sessionql: 1`".to_owned(),
            _ => return None,
        })
    }
}

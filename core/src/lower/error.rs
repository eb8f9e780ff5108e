//! What can be wrong with a query that parses.
//! Raised by lowering before anything is planned; shown by the program, which draws the caret.

use sessionql_grammar::ast::Span;

use super::foreign;
use crate::error::did_you_mean;

/// The hint of a text that should be a time.
pub(crate) const TIMES_ARE_WRITTEN: &str =
    "times are written '2026-01-31', '2026-01-31 14:05' or '2026-01-31T14:05:00Z'";

/// A query that cannot be lowered, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct LowerError {
    /// What is wrong.
    pub kind: LowerErrorKind,
    /// The text to point at.
    pub span: Span,
}

/// The kinds of error of lowering.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerErrorKind {
    /// A table that is neither in the catalog nor a named query.
    #[error("no table `{name}`{}", if *has_tables { "" } else { ": no connection is configured" })]
    UnknownTable {
        /// Whether there is any table at all.
        has_tables: bool,
        /// Its dotted name.
        name: String,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// Two tables of one FROM with the same name.
    #[error("FROM has two tables named `{name}`")]
    DuplicateTable {
        /// The name.
        name: String,
    },
    /// A column of USING or NATURAL that is not in one table on each side.
    #[error(
        "{clause} needs one column `{name}` on each side: {} on the {side}",
        if *is_ambiguous { "there are several" } else { "there is none" }
    )]
    JoinColumn {
        /// What asks for it.
        clause: &'static str,
        /// The column.
        name: String,
        /// The side that has none, or several.
        side: &'static str,
        /// Whether there are several.
        is_ambiguous: bool,
    },
    /// Two queries of one WITH with the same name.
    #[error("WITH names `{name}`, which is the name of another query already")]
    DuplicateQuery {
        /// The name.
        name: String,
    },
    /// Two queries that cannot be one above the other.
    #[error("the two queries of {name} have different numbers of columns: {left} and {right}")]
    ColumnCounts {
        /// The operator.
        name: &'static str,
        /// How many the left one has.
        left: usize,
        /// How many the right one has.
        right: usize,
    },
    /// A query in the place of a value, or beside one, that has not as many columns as are due.
    #[error("the query has {found} columns where {due} {} due", if *due == 1 { "is" } else { "are" })]
    QueryColumns {
        /// How many it has.
        found: usize,
        /// How many it should have.
        due: usize,
    },
    /// A parameter without a value.
    #[error("no value for parameter `${name}`")]
    UnknownParameter {
        /// Its name without the dollar.
        name: String,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// A type that does not exist.
    #[error("no type `{name}`")]
    UnknownType {
        /// Its name.
        name: String,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// A function that does not exist.
    #[error("no function `{name}`")]
    UnknownFunction {
        /// Its name.
        name: String,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// A function that cannot be called as things are.
    #[error("{message}")]
    Lacking {
        /// What it needs and does not have.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A function of windows without an order of rows.
    #[error("`{name}` needs OVER with ORDER BY")]
    NoOrder {
        /// The function.
        name: String,
    },
    /// A function of windows with something that has no meaning for it.
    #[error("`{name}` takes {due}")]
    NotTaken {
        /// The function.
        name: String,
        /// What it takes.
        due: &'static str,
    },
    /// A part of a time that does not exist.
    #[error("a time has no part `{name}`")]
    UnknownPart {
        /// Its name.
        name: String,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// A part of a time that `date_trunc` does not take.
    #[error("`date_trunc` does not take the part `{name}`")]
    UnknownTruncation {
        /// Its name.
        name: String,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// A time zone that does not exist.
    #[error("no time zone `{name}`")]
    UnknownZone {
        /// Its name.
        name: String,
    },
    /// A text that should be a time.
    #[error("`{text}` is not a date or time")]
    BadTime {
        /// The text.
        text: String,
    },
    /// A text that should be an interval.
    #[error("`{text}` is not an interval")]
    BadInterval {
        /// The text.
        text: String,
    },
    /// A text that should be a list.
    #[error("`{text}` is not a list")]
    BadList {
        /// The text.
        text: String,
    },
    /// A text that should be a network.
    #[error("`{text}` is not a network")]
    BadNetwork {
        /// The text.
        text: String,
    },
    /// A width of a bucket of time that has no length, or none that is always the same.
    #[error("time_bucket takes a duration above 0")]
    BadBucket {
        /// Whether it counts months or years.
        is_calendar: bool,
    },
    /// A time window on a SELECT without sessions.
    #[error("{clause} needs a table of sessions in FROM")]
    NoSessionTable {
        /// The clause.
        clause: &'static str,
    },
    /// A bound of a time window that depends on rows or that cannot be evaluated beforehand.
    #[error("{clause} takes a constant instant or duration")]
    NotConstant {
        /// The clause.
        clause: &'static str,
    },
    /// AT with an instant that has not come yet.
    #[error("AT asks for {instant}, which is in the future")]
    InFuture {
        /// The instant.
        instant: String,
    },
    /// A time window around a LATERAL query that depends on other tables, where the engine loses
    /// them.
    #[error(
        "a time window around a LATERAL query that depends on other tables is not supported yet"
    )]
    LateralWindow,
    /// SINCE that is not before UNTIL.
    #[error("the window is empty: SINCE {since} is not before UNTIL {until}")]
    EmptyWindow {
        /// The beginning.
        since: String,
        /// The end.
        until: String,
    },
    /// A time outside of the years that can be represented.
    #[error("this time is outside of the years 0 to 9999")]
    TimeOutOfRange,
    /// A name beside an operator of sessions that is no table of the query.
    #[error("{clause} needs a session: `{name}` is no table in FROM")]
    UnknownRelation {
        /// The operator.
        clause: &'static str,
        /// The name.
        name: String,
        /// Whether there is a column of that name.
        is_column: bool,
        /// The nearest names, the nearest first.
        candidates: Vec<String>,
    },
    /// A table beside an operator of sessions whose rows are none.
    #[error("{clause} needs a session: {problem}")]
    NotASession {
        /// The operator.
        clause: &'static str,
        /// What the table lacks.
        problem: String,
    },
    /// An operand of an operator of sessions that is neither a table nor a pair.
    #[error("{clause} needs a table of FROM, or a start and an end in parentheses")]
    NoLifetime {
        /// The operator.
        clause: &'static str,
    },
    /// A start, an end or an instant that is of another type.
    #[error("{clause} needs an instant here")]
    NotAnInstant {
        /// The operator.
        clause: &'static str,
    },
    /// A function of two sessions that was called otherwise.
    #[error("`{name}` takes two sessions")]
    NotTwoSessions {
        /// The function.
        name: &'static str,
    },
    /// A condition of ASOF JOIN that is neither an equality nor a comparison of times.
    #[error("ASOF JOIN takes equalities and one comparison of times, and nothing else")]
    AsofCondition,
    /// ASOF JOIN without a comparison of times, or with several.
    #[error("ASOF JOIN needs just one comparison of times")]
    AsofTime,
    /// NOT IN where NULLs would be treated wrongly.
    #[error("NOT IN with a query that depends on columns around it is not supported yet")]
    NotInQuery,
    /// ANY or ALL that follows no comparison.
    #[error("ANY and ALL stand on the right of a comparison only")]
    MisplacedQuantifier,
    /// ANY or ALL with a list of values.
    #[error("ANY and ALL take a query or an array")]
    Quantified,
    /// Queries within expressions within queries, and so on.
    #[error("queries nested within expressions exceed the limit of 12 levels")]
    TooDeep,
    /// More conditions than the engine takes.
    #[error("more than 1,000 conditions joined by AND")]
    TooManyConditions,
    /// A form of the language that does not run yet.
    #[error("{what} is not supported yet")]
    Unsupported {
        /// The form.
        what: String,
    },
}

impl LowerError {
    /// Builds an error.
    pub(super) fn new(kind: LowerErrorKind, span: Span) -> Self {
        Self { kind, span }
    }

    /// Builds the error for a form that does not run yet.
    pub(super) fn unsupported(what: impl Into<String>, span: Span) -> Self {
        Self::new(LowerErrorKind::Unsupported { what: what.into() }, span)
    }

    /// Returns the names that could have been meant, the nearest first.
    pub fn candidates(&self) -> &[String] {
        match &self.kind {
            LowerErrorKind::UnknownTable { candidates, .. }
            | LowerErrorKind::UnknownParameter { candidates, .. }
            | LowerErrorKind::UnknownType { candidates, .. }
            | LowerErrorKind::UnknownPart { candidates, .. }
            | LowerErrorKind::UnknownTruncation { candidates, .. }
            | LowerErrorKind::UnknownRelation { candidates, .. }
            | LowerErrorKind::UnknownFunction { candidates, .. } => candidates,
            _ => &[],
        }
    }

    /// Returns what to do about it, where that is certain to help.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.kind {
            LowerErrorKind::UnknownFunction { name, candidates } => {
                return foreign::function(name)
                    .map(str::to_owned)
                    .or_else(|| did_you_mean(candidates));
            }
            LowerErrorKind::UnknownTruncation { candidates, .. } if candidates.is_empty() => {
                "parts are year, quarter, month, week, day, hour, minute, second and below"
                    .to_owned()
            }
            LowerErrorKind::Lacking { hint, .. } => return hint.clone(),
            LowerErrorKind::NoOrder { .. } => {
                "write OVER (PARTITION BY user ORDER BY start)".to_owned()
            }
            LowerErrorKind::Quantified => "write IN ('a', 'b') or NOT IN".to_owned(),
            LowerErrorKind::DuplicateTable { .. } => "name one of them with AS".to_owned(),
            LowerErrorKind::UnknownZone { .. } => {
                "zones are written 'UTC', 'Europe/Berlin' or '+02:00'".to_owned()
            }
            LowerErrorKind::BadTime { .. } => TIMES_ARE_WRITTEN.to_owned(),
            LowerErrorKind::BadList { .. } => {
                "lists are written ['a', 'b']; as text only as '{a,b}'".to_owned()
            }
            LowerErrorKind::BadNetwork { .. } => {
                "networks are written '10.0.0.0/8', '2001:db8::/32' or '10.1.2.3'".to_owned()
            }
            LowerErrorKind::BadBucket { is_calendar: true } => {
                "date_trunc('month', …) counts in the calendar".to_owned()
            }
            LowerErrorKind::NotInQuery => "use NOT EXISTS".to_owned(),
            LowerErrorKind::LateralWindow => "write the window within the LATERAL query".to_owned(),
            LowerErrorKind::UnknownRelation {
                name, clause: "CONTAINS", is_column: true, ..
            } => {
                format!("the column is written with its table, or `({name})`")
            }
            LowerErrorKind::UnknownRelation { is_column: true, .. } => {
                "a session is a table of FROM, or a start and an end in parentheses".to_owned()
            }
            LowerErrorKind::NotASession { .. } => {
                "write start and end in parentheses: (a.began, a.ended)".to_owned()
            }
            LowerErrorKind::NotTwoSessions { name } => {
                format!("write {name}(a, b) with tables of FROM, or {name}((s1, e1), (s2, e2))")
            }
            LowerErrorKind::AsofCondition => {
                "filter a side in a query of its own: ASOF JOIN (SELECT … WHERE …) AS b".to_owned()
            }
            LowerErrorKind::AsofTime => {
                "write ON a.user = b.user AND b.start <= a.start".to_owned()
            }
            LowerErrorKind::NotConstant { .. } => {
                "use a duration such as 24h, now, today, yesterday or a time in quotes".to_owned()
            }
            _ => return did_you_mean(self.candidates()),
        })
    }
}

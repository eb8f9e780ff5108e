//! What is asked of a table, how the plugin means to answer, and what became of it.

use serde::{Deserialize, Serialize};

use crate::error::Reason;

/// A literal. Timestamps are RFC 3339 in UTC with up to six fraction digits, durations are
/// microseconds, the rest is as JSON has it; the column's type tells which is meant.
pub type Value = serde_json::Value;

/// What is asked of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The table.
    pub table: String,
    /// The columns to emit, in this order; may be empty, then only rows are counted.
    pub columns: Vec<String>,
    /// The conjuncts, all of which a row must pass; only operations that the manifest names.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// How many rows are wanted at most; a hint for page sizes, set only if all verdicts are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The order that is wanted, as column names with a leading `-` for descending; a hint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// The instant that `now()` means in this statement, RFC 3339.
    pub now: String,
    /// The host's clock, RFC 3339; serves horizons and default dates.
    pub clock: String,
    /// What earlier scans of this connection found out; null at first.
    #[serde(default)]
    pub learned: serde_json::Value,
}

/// One conjunct on a table. All follow SQL: a NULL passes none of them but `is_null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Filter {
    /// `column = value`.
    Eq {
        /// The column.
        column: String,
        /// The value, never null.
        value: Value,
    },
    /// `column IN (values)`.
    In {
        /// The column.
        column: String,
        /// At least two values, without repetition, never null.
        values: Vec<Value>,
    },
    /// `column` between bounds; at least one is there.
    Range {
        /// The column.
        column: String,
        /// The lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lower: Option<Bound>,
        /// The upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upper: Option<Bound>,
    },
    /// The row's lifetime touches `[since, until)`; at least one is there. Equal ones mean the
    /// instant. A row `[start, end)` passes if `start < until` and (`end` is NULL or `end > since`
    /// or `start = end >= since`); for an instant if `start <= since` and likewise.
    OpenDuring {
        /// The window's begin.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
        /// The window's end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// `column IS [NOT] NULL`.
    IsNull {
        /// The column.
        column: String,
        /// Whether it is `IS NOT NULL`.
        #[serde(default)]
        negated: bool,
    },
    /// `column [I]LIKE pattern`, with `%`, `_` and the escape `\`.
    Like {
        /// The column.
        column: String,
        /// The pattern.
        pattern: String,
        /// Whether it is ILIKE.
        #[serde(default)]
        ignore_case: bool,
    },
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The value.
    pub value: Value,
    /// Whether the value itself passes.
    pub inclusive: bool,
}

/// How well a plugin answers one filter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The emitted rows are just those that pass; the host does not look again.
    Exact,
    /// The emitted rows hold all that pass and maybe more; the host checks.
    Inexact,
    /// Not used; the host checks.
    #[default]
    Unsupported,
}

/// How a plugin means to answer a request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// One per filter, in order; a missing one is `unsupported`.
    pub verdicts: Vec<Verdict>,
    /// Why each verdict, for EXPLAIN; may be shorter.
    pub reasons: Vec<String>,
    /// The parts of the scan; each is handed to one `scan` call, as it is. None means no rows.
    pub slices: Vec<serde_json::Value>,
    /// What it may cost.
    pub estimate: Estimate,
    /// What the user should know of the answer; shown in EXPLAIN and the REPL.
    pub notes: Vec<String>,
    /// What will be missing whatever the answers are.
    pub gaps: Vec<Gap>,
    /// The first requests, for EXPLAIN.
    pub previews: Vec<super::HttpRequest>,
}

/// What a plan may cost; absent means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Estimate {
    /// Data requests.
    pub requests: Option<u64>,
    /// Rows.
    pub rows: Option<u64>,
}

/// What `scan` gets: the request that was planned and one slice of its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// The request.
    pub request: Request,
    /// One of the plan's slices.
    pub slice: serde_json::Value,
}

/// What became of one slice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// What is missing; empty means that every row was emitted.
    pub gaps: Vec<Gap>,
    /// What the user should know of the rows.
    pub notes: Vec<String>,
    /// What was found out about this connection, at most 4 KiB; replaces what was known.
    pub learned: Option<serde_json::Value>,
}

/// One thing that is missing from an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why.
    pub reason: Reason,
    /// One lower-case sentence that says what was asked for and what was covered.
    pub message: String,
}

//! The SessionQL language: text in, syntax tree out.
//! Called by the engine for each script and by the REPL to decide whether a line is complete.
//! Looks no name up, opens no file, and answers any text of up to 1 MiB with a tree or with one
//! [`ParseError`] that has a position; it never panics.
//!
//! ```
//! let statements = sessionql_grammar::parse("SELECT user FROM openvpn SINCE 24h;")?;
//! assert_eq!(statements.len(), 1);
//! # Ok::<(), sessionql_grammar::ParseError>(())
//! ```

#![forbid(unsafe_code)]

pub mod ast;
mod check;
mod complete;
mod duration;
mod error;
mod format;
mod header;
mod lint;
mod parse;
mod position;
mod scan;

pub use complete::{Completeness, completeness};
pub use duration::parse_duration;
pub use error::{ParseError, ParseErrorKind};
pub use format::{format, print};
pub use header::{Header, HeaderEntry, ParameterDeclaration, header};
pub use lint::{Finding, LINTS, Surroundings, allowed_lints, lint};
pub use parse::{MARKER, Paint, Place, Typed, paint, parse, place, written_name};
pub use position::{Span, line_col};
pub use scan::{MAX_LINKS, MAX_LIST_ITEMS, MAX_NESTING, MAX_TEXT_BYTES};

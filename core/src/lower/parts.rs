//! The parts of a time that EXTRACT, `date_part` and `date_trunc` name: `hour`, `week`, `epoch`.
//! A name that is in the text is checked here, where it has a place.

use sessionql_grammar::ast;

use super::{LowerError, LowerErrorKind, Result};
use crate::error::nearest;

/// What EXTRACT takes out of a time, in the singular; the plural means the same.
const PARTS_OF_TIME: [&str; 16] = [
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "nanosecond",
    "dow",
    "isodow",
    "doy",
    "isoyear",
    "epoch",
];

/// How many of them, from the first, `date_trunc` takes.
const N_OF_DATE_TRUNC: usize = 10;

/// Returns the part of EXTRACT or `date_part`, in the singular; `qtr` is a quarter.
pub(super) fn of_extract(name: &str, span: ast::Span) -> Result<String> {
    if name == "qtr" {
        return Ok("quarter".to_owned());
    }
    known(name, &PARTS_OF_TIME).ok_or_else(|| {
        let candidates = nearest(name, PARTS_OF_TIME);
        LowerError::new(LowerErrorKind::UnknownPart { name: name.to_owned(), candidates }, span)
    })
}

/// Returns the part of `date_trunc`, in the singular.
pub(super) fn of_date_trunc(text: &str, span: ast::Span) -> Result<String> {
    let name = text.to_lowercase();
    let parts = &PARTS_OF_TIME[..N_OF_DATE_TRUNC];
    known(&name, parts).ok_or_else(|| {
        let candidates = nearest(&name, parts.iter().copied());
        LowerError::new(LowerErrorKind::UnknownTruncation { name, candidates }, span)
    })
}

fn known(name: &str, parts: &[&str]) -> Option<String> {
    let singular = [name, name.strip_suffix('s').unwrap_or(name)];
    singular.into_iter().find(|name| parts.contains(name)).map(str::to_owned)
}

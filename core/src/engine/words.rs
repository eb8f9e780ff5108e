//! What the engine says of a query, in the words of this program.
//! One line, lower case, names in backticks, types as the language calls them.

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;

/// The engine's names of types, and ours.
const TYPES: [(&str, &str); 20] = [
    ("Timestamp(µs, \"UTC\")", "timestamp"),
    ("Timestamp(µs)", "timestamp without time zone"),
    ("Timestamp(ns)", "timestamp without time zone"),
    ("Duration(µs)", "duration"),
    ("Interval(MonthDayNano)", "interval"),
    ("LargeUtf8", "text"),
    ("Utf8View", "text"),
    ("Utf8", "text"),
    ("Boolean", "bool"),
    ("Float64", "float64"),
    ("Float32", "float32"),
    ("Decimal128(38, 10)", "numeric"),
    ("Decimal128(", "numeric("),
    ("UInt64", "uint64"),
    ("UInt32", "uint32"),
    ("Int16", "int16"),
    ("Int8", "int8"),
    ("Int64", "int64"),
    ("Int32", "int32"),
    ("Date32", "date"),
];

/// Prefixes that tell where in the engine a message was made.
const PREFIXES: [&str; 5] = [
    "Error during planning: ",
    "Internal error: ",
    "Execution error: ",
    "This feature is not implemented: ",
    "Schema error: ",
];

/// Returns the message of an error as one sentence.
pub(super) fn sentence(error: &DataFusionError) -> String {
    let message = match error {
        DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::NotImplemented(message)
        | DataFusionError::Configuration(message)
        | DataFusionError::ResourcesExhausted(message)
        | DataFusionError::Internal(message) => message.clone(),
        DataFusionError::ArrowError(error, _) => match error.as_ref() {
            ArrowError::CastError(message)
            | ArrowError::ComputeError(message)
            | ArrowError::InvalidArgumentError(message)
            | ArrowError::ParseError(message)
            | ArrowError::ArithmeticOverflow(message) => message.clone(),
            other => other.to_string(),
        },
        other => other.strip_backtrace(),
    };
    ours(&message)
}

/// Returns one sentence of the engine in our words.
pub(crate) fn ours(message: &str) -> String {
    if let Some(message) = bad_pattern(message) {
        return message;
    }
    let mut line = message.lines().next().unwrap_or_default().trim().to_owned();
    // What follows is a list of everything that was tried.
    if let Some((first, _)) = line.split_once(", errors: ") {
        line = first.to_owned();
    }
    for prefix in PREFIXES {
        line = line.replace(prefix, "");
    }
    for (theirs, ours) in TYPES {
        line = line.replace(theirs, ours);
    }
    if let Some(message) = wrong_types(&line) {
        line = message;
    }
    let line = crate::display::escape_controls(line.trim_end_matches('.'));
    let line = backticks(&line);
    let mut characters = line.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            format!("{}{}", first.to_lowercase(), &line[first.len_utf8()..])
        }
        _ => line,
    }
}

/// Returns what is wrong with a regular expression, if that is what a message is about. It is drawn
/// on several lines, the last of which tells.
fn bad_pattern(message: &str) -> Option<String> {
    let (_, drawn) = message.split_once("regex parse error:")?;
    let what = drawn.lines().rev().find_map(|line| line.trim().strip_prefix("error: "))?;
    Some(format!("the pattern is no regular expression: {}", what.trim()))
}

/// Returns what is wrong with the arguments of a call, if that is what a message is about.
fn wrong_types(line: &str) -> Option<String> {
    const OF_FUNCTION: &str = "user-defined coercion failed with: ";
    const CALL: &str = "No function matches the given name and argument types '";
    let (before, call) = line.split_once(CALL)?;
    if let Some((_, message)) = before.split_once(OF_FUNCTION) {
        return Some(message.trim().trim_end_matches('.').to_owned());
    }
    let (name, types) = call.split_once("'.")?.0.split_once('(')?;
    Some(format!("`{name}` does not take ({types}"))
}

/// Returns `text` with `'name'` as `` `name` ``, where the quotes pair up.
fn backticks(text: &str) -> String {
    if text.matches('\'').count().is_multiple_of(2) {
        text.replace('\'', "`")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn types_names_and_prefixes() {
        assert_eq!(
            ours("Error during planning: Cannot compare Timestamp(µs, \"UTC\") > Int64."),
            "cannot compare timestamp > int64"
        );
        assert_eq!(
            ours("Invalid function 'foo'.\nDid you mean 'floor'?"),
            "invalid function `foo`"
        );
        assert_eq!(ours("ORDER BY position 7"), "ORDER BY position 7");
        assert_eq!(
            ours("Internal error: Function 'median' failed to match any signature, errors: a, b"),
            "function `median` failed to match any signature"
        );
        assert_eq!(
            ours(
                "Failed to coerce arguments to satisfy a call to 'is_private' function: coercion \
                 from Int64 to the signature Exact(Utf8) failed. No function matches the given \
                 name and argument types 'is_private(Int64)'. You might need to add explicit type \
                 casts."
            ),
            "`is_private` does not take (int64)"
        );
        assert_eq!(
            ours(
                "Function 'median' user-defined coercion failed with: Error during planning: \
                 `median` takes numbers and durations No function matches the given name and \
                 argument types 'median(Utf8)'. You might need to add explicit type casts."
            ),
            "`median` takes numbers and durations"
        );
        let drawn = "External error: regex parse error:\n    (\n    ^\nerror: unclosed group";
        assert_eq!(ours(drawn), "the pattern is no regular expression: unclosed group");
    }
}

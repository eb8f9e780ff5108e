//! Says in the words of the language what the engine says in its own.
//! In: one line of the engine, types already renamed. Out: a sentence, and a hint where one helps.
//! A line that is not known stays as it is.

use crate::lower;

/// What a user reads of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// How durations are written, for who wrote a number or a text.
const DURATIONS: &str = "durations are written without quotes: 90s, 15m, 8h, 7d";

/// Lines of the engine with `{}` where something stands, and what is said instead: `{0}` is the
/// first of these. The last is a hint, empty if there is none.
const PHRASES: [(&str, &str, &str); 53] = [
    (
        "cannot create filter with non-boolean predicate {} returning {}",
        "a condition is true or false, found {1}",
        "",
    ),
    (
        "unary operator `NOT` requires a boolean expression, got {}",
        "NOT takes a condition, found {0}",
        "",
    ),
    ("unary operator `-` only supports {}", "`-` takes a number or a duration", ""),
    ("function `{}` failed to match any signature{}", "`{0}` does not take these arguments", ""),
    ("invalid function `{}`", "`{0}` cannot be called like this", "window functions need OVER (…)"),
    (
        "column in SELECT must be in GROUP BY or an aggregate function: {}column \"{}\" must appear{}",
        "`{1}` is neither in GROUP BY nor in an aggregate function",
        "group by it too, or take one of its values with min or max",
    ),
    (
        "HAVING clause references: {} must appear in {}",
        "HAVING uses what is neither in GROUP BY nor in an aggregate function",
        "conditions on single rows stand after WHERE",
    ),
    (
        "aggregate functions are not allowed in the WHERE clause{}",
        "an aggregate function cannot stand in WHERE",
        "conditions on groups stand after HAVING",
    ),
    (
        "aggregate function calls cannot be nested{}",
        "an aggregate function cannot stand in another one",
        "",
    ),
    (
        "cannot find column with position {} in SELECT clause. Valid columns: 1 to {}",
        "GROUP BY {0}: the last column of SELECT is {1}",
        "",
    ),
    (
        "order by column out of bounds, specified: {}, max: {}",
        "ORDER BY {0}: the last column of SELECT is {1}",
        "",
    ),
    (
        "QUALIFY clause requires window functions {}",
        "QUALIFY needs a window function, there or in SELECT",
        "conditions on single rows stand after WHERE",
    ),
    ("the window {} is not defined!", "no window `{0}`", "WINDOW w AS (…) defines one"),
    (
        "WITH query name \"{}\" specified more than once",
        "WITH names `{0}`, which is the name of another query already",
        "",
    ),
    (
        "source table contains {} columns but only {} names given as column alias",
        "the table has {0} columns, and {1} names are given for them",
        "",
    ),
    ("LIMIT must be >= 0, `{}` was provided", "LIMIT takes no negative number, found {0}", ""),
    ("OFFSET must be >=0, `{}` was provided", "OFFSET takes no negative number, found {0}", ""),
    (
        "expected LIMIT to be an integer or null, but got {}",
        "LIMIT takes a whole number, found {0}",
        "",
    ),
    (
        "expected OFFSET to be an integer or null, but got {}",
        "OFFSET takes a whole number, found {0}",
        "",
    ),
    ("unsupported LIMIT expression: {}", "LIMIT takes a whole number", ""),
    ("unsupported OFFSET expression: {}", "OFFSET takes a whole number", ""),
    ("can't cast value {} to type {}", "{0} is out of the range of the type", ""),
    ("cannot cast string `{}` to value of {} type", "the text `{0}` is no {1}", ""),
    (
        "too many columns! The subquery should only return one column: {}",
        "the query has several columns where one is due: {0}",
        "",
    ),
    (
        "{} queries have different number of columns",
        "the two queries of {0} have different numbers of columns",
        "",
    ),
    (
        "inconsistent data length across values list: got {} values in row {} but expected {}",
        "a row of VALUES has {0} values, the first one has {2}",
        "",
    ),
    ("invalid qualifier {}", "no table `{0}` in FROM", ""),
    ("SELECT * with no tables specified is not valid", "SELECT * needs FROM", ""),
    (
        "physical plan does not support logical expression OuterReferenceColumn{}",
        "a query in FROM that depends on the tables beside it in this way is not supported yet",
        "its WHERE can compare its columns with theirs by =",
    ),
    (
        "physical plan does not support logical expression ScalarSubquery{}",
        "a query in the place of a value that depends on columns around it in this way is not supported yet",
        "its WHERE can compare its columns with them by =",
    ),
    (
        "physical plan does not support logical expression InSubquery{}",
        "IN with a query that depends on columns around it in this way is not supported yet",
        "its WHERE can compare its columns with them by =",
    ),
    (
        "physical plan does not support logical expression Exists{}",
        "EXISTS with a query that depends on columns around it in this way is not supported yet",
        "its WHERE can compare its columns with them by =",
    ),
    (
        "correlated scalar subquery must be aggregated to return at most one row",
        "a query in the place of a value that depends on columns around it may have several rows",
        "take one of them with min or max",
    ),
    (
        "correlated scalar subquery can only be used in {}",
        "a query that depends on columns around it is not supported yet in ORDER BY and in ON",
        "",
    ),
    (
        "multiple recursive references to the same CTE are not supported",
        "a recursive query that names itself several times is not supported yet",
        "",
    ),
    ("unsupported LIMIT expression: {}", "LIMIT takes a constant number", ""),
    ("unsupported OFFSET expression: {}", "OFFSET takes a constant number", ""),
    (
        "scalar subquery returned more than one row",
        "a query in the place of a value has several rows",
        "",
    ),
    (
        "scalarSubqueryExpr evaluated before the subquery was executed",
        "a query in the place of a value is not supported here yet",
        "",
    ),
    (
        "invalid window frame: frame offsets for ROWS / GROUPS must be non negative integers",
        "ROWS and GROUPS count whole rows and groups, with a number that is not negative",
        "",
    ),
    (
        "invalid window frame: frame offsets for RANGE must be {}",
        "RANGE takes a number, or a duration beside times",
        "",
    ),
    (
        "there is only support Literal types for field at idx: {} in Window Function",
        "this window function takes constants after its first argument",
        "",
    ),
    (
        "expected a signed integer literal for the second argument of nth_value",
        "nth_value takes a constant whole number",
        "",
    ),
    ("NTILE requires a positive integer, but finds {}", "ntile takes a number above 0", ""),
    (
        "argument {} to grouping function is not in grouping columns",
        "`{0}` of grouping is not in GROUP BY",
        "",
    ),
    (
        "incompatible inputs for Union: Previous inputs were of type {}, but got incompatible type {} on column {}",
        "UNION of {0} and {1} in the column {2}",
        "CAST(… AS text) makes both the same",
    ),
    ("divide by zero error", "division by zero", ""),
    (
        "overflow happened on: {}",
        "integer out of range: {0}",
        "numbers cast to double precision go further",
    ),
    (
        "physical plan does not support logical expression WindowFunction({}",
        "a window function stands in SELECT, QUALIFY or ORDER BY only",
        "conditions on window functions stand after QUALIFY",
    ),
    (
        "there isn't a common type to coerce {} and {} in {} expression",
        "{2} does not take {0} and {1}",
        "",
    ),
    (
        "for SELECT DISTINCT, ORDER BY expressions {} must appear in select list",
        "ORDER BY `{0}`: after DISTINCT or UNION only columns of the result can be ordered by",
        "add it to SELECT",
    ),
    (
        "error parsing timestamp from `{}` using format `{}`: {}",
        "`{0}` is not a time of its format",
        "formats are written 'YYYY-MM-DD HH24:MI:SS' or '%Y-%m-%d %H:%M:%S'",
    ),
    (
        "error parsing timestamp from `{}`: {}",
        "`{0}` is not a date or time",
        lower::TIMES_ARE_WRITTEN,
    ),
];

/// Lines of the engine about two operands, and what is said instead.
const OF_TWO: [(&str, &str); 5] = [
    ("cannot infer common argument type for comparison operation ", "cannot compare {0} with {1}"),
    (
        "cannot infer common argument type for logical boolean operation ",
        "{op} takes conditions, found {0} and {1}",
    ),
    ("cannot coerce arithmetic expression ", "`{op}` does not take {0} and {1}"),
    ("cannot infer common type for bitwise operation ", "`{op}` does not take {0} and {1}"),
    ("cannot get result type for temporal operation ", "`{op}` does not take {0} and {1}"),
];

/// Operators as they stand between the types of two operands.
const OPERATORS: [&str; 28] = [
    " = ",
    " != ",
    " <> ",
    " <= ",
    " >= ",
    " < ",
    " > ",
    " AND ",
    " OR ",
    " + ",
    " - ",
    " * ",
    " / ",
    " % ",
    " || ",
    " IS DISTINCT FROM ",
    " IS NOT DISTINCT FROM ",
    " ~ ",
    " !~ ",
    " ~* ",
    " !~* ",
    " LIKE ",
    " & ",
    " | ",
    " << ",
    " >> ",
    " BIT_XOR ",
    " ^ ",
];

/// Returns a line of the engine in our words.
pub(super) fn rephrase(line: &str) -> Said {
    of_two(line)
        .or_else(|| phrase(line))
        .unwrap_or_else(|| Said { message: line.to_owned(), hint: None })
}

fn phrase(line: &str) -> Option<Said> {
    PHRASES.iter().find_map(|(theirs, ours, hint)| {
        let parts = captured(theirs, line)?;
        let mut message = (*ours).to_owned();
        for (idx, part) in parts.iter().enumerate() {
            message = message.replace(&format!("{{{idx}}}"), part);
        }
        for one in ["argument", "column", "name", "value"] {
            message = message.replace(&format!(" 1 {one}s"), &format!(" 1 {one}"));
        }
        Some(Said { message, hint: (!hint.is_empty()).then(|| (*hint).to_owned()) })
    })
}

fn of_two(line: &str) -> Option<Said> {
    let (rest, ours) =
        OF_TWO.iter().find_map(|(theirs, ours)| Some((line.strip_prefix(theirs)?, ours)))?;
    let rest = rest.split(": ").next().unwrap_or(rest);
    let rest = rest.strip_suffix(" to valid types").unwrap_or(rest);
    let (left, operator, right) = OPERATORS.iter().find_map(|operator| {
        let (left, right) = rest.split_once(operator)?;
        Some((left, operator.trim(), right))
    })?;
    let message = ours.replace("{0}", left).replace("{1}", right).replace("{op}", operator);
    let is_time =
        |name: &str| name == "duration" || name.starts_with("timestamp") || name == "date";
    let is_plain =
        |name: &str| name == "text" || name.starts_with("int") || name.starts_with("float");
    let is_compared = ours.contains("compare");
    let hint = match (left, right) {
        ("text", "text") if operator == "+" => Some("`||` joins texts"),
        (time, "text") | ("text", time) if is_time(time) && !is_compared => Some(DURATIONS),
        ("duration", other) | (other, "duration") if is_plain(other) => Some(DURATIONS),
        (time, "int64") | ("int64", time) if is_time(time) && is_compared => {
            Some(lower::TIMES_ARE_WRITTEN)
        }
        (time, "int64") | ("int64", time) if is_time(time) => Some(DURATIONS),
        _ => None,
    };
    Some(Said { message, hint: hint.map(str::to_owned) })
}

/// Returns what stands at each `{}` of a pattern, if the line follows it.
fn captured<'a>(pattern: &str, line: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = pattern.split("{}");
    let mut rest = line.strip_prefix(literals.next()?)?;
    let mut parts = Vec::new();
    let mut literals = literals.peekable();
    while let Some(literal) = literals.next() {
        let end = match (literal.is_empty(), literals.peek()) {
            (true, None) => rest.len(),
            (false, None) if !rest.ends_with(literal) => return None,
            (false, None) => rest.len() - literal.len(),
            _ => rest.find(literal)?,
        };
        parts.push(&rest[..end]);
        rest = &rest[end + literal.len()..];
    }
    rest.is_empty().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_capture_what_stands_between() {
        assert_eq!(captured("no {} in {}", "no a b in c"), Some(vec!["a b", "c"]));
        assert_eq!(captured("{} is {}!", "x is y!"), Some(vec!["x", "y"]));
        assert_eq!(captured("a{}", "ab"), Some(vec!["b"]));
        assert_eq!(captured("a{}", "b"), None);
        assert_eq!(captured("all", "all"), Some(vec![]));
        assert_eq!(captured("all", "all of it"), None);
    }

    #[test]
    fn operands_of_two_kinds() {
        let said = rephrase("cannot coerce arithmetic expression timestamp + int64 to valid types");
        assert_eq!(said.message, "`+` does not take timestamp and int64");
        assert_eq!(said.hint.as_deref(), Some(DURATIONS));
        let line = "cannot infer common argument type for comparison operation timestamp without time zone <= bool";
        assert_eq!(rephrase(line).message, "cannot compare timestamp without time zone with bool");
        assert_eq!(rephrase("something new").message, "something new");
    }
}

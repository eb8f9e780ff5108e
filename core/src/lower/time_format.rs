//! Formats of `to_char`, `to_timestamp` and `to_date` in PostgreSQL's patterns (`YYYY-MM-DD`).
//! In: a format. Out: what the engine reads, whose patterns are those of strftime (`%Y-%m-%d`).
//! A format with `%` is one of the engine's already. What has no counterpart is refused.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, ExprKind, Literal, Span};

use super::logic::innermost;
use super::{LowerError, Lowering, Result, blank};

/// What is done with a part of a time once it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    Upper,
    Lower,
    /// Blanks up to the length of the longest name.
    Pad,
    UpperPad,
    LowerPad,
}

use After::{Lower, LowerPad, Nothing, Pad, Upper, UpperPad};

/// PostgreSQL's patterns, longer ones before those that they begin with: the engine's pattern, the
/// same without leading zeros, and what is done then.
const PATTERNS: [(&str, &str, &str, After); 36] = [
    ("YYYY", "%Y", "%-Y", Nothing),
    ("yyyy", "%Y", "%-Y", Nothing),
    ("IYYY", "%G", "%-G", Nothing),
    ("YY", "%y", "%-y", Nothing),
    ("yy", "%y", "%-y", Nothing),
    ("MONTH", "%B", "%B", UpperPad),
    ("Month", "%B", "%B", Pad),
    ("month", "%B", "%B", LowerPad),
    ("MON", "%b", "%b", Upper),
    ("Mon", "%b", "%b", Nothing),
    ("mon", "%b", "%b", Lower),
    ("MM", "%m", "%-m", Nothing),
    ("mm", "%m", "%-m", Nothing),
    ("MI", "%M", "%-M", Nothing),
    ("mi", "%M", "%-M", Nothing),
    ("MS", "%3f", "%3f", Nothing),
    ("ms", "%3f", "%3f", Nothing),
    ("DAY", "%A", "%A", UpperPad),
    ("Day", "%A", "%A", Pad),
    ("day", "%A", "%A", LowerPad),
    ("DY", "%a", "%a", Upper),
    ("Dy", "%a", "%a", Nothing),
    ("dy", "%a", "%a", Lower),
    ("DDD", "%j", "%-j", Nothing),
    ("DD", "%d", "%-d", Nothing),
    ("dd", "%d", "%-d", Nothing),
    ("HH24", "%H", "%-H", Nothing),
    ("hh24", "%H", "%-H", Nothing),
    ("HH12", "%I", "%-I", Nothing),
    ("HH", "%I", "%-I", Nothing),
    ("SS", "%S", "%-S", Nothing),
    ("ss", "%S", "%-S", Nothing),
    ("US", "%6f", "%6f", Nothing),
    ("IW", "%V", "%-V", Nothing),
    ("ID", "%u", "%u", Nothing),
    ("AM", "%p", "%p", Nothing),
];

/// The same patterns as others.
const ALIASES: [(&str, &str); 6] =
    [("PM", "%p"), ("am", "%P"), ("pm", "%P"), ("hh12", "%I"), ("hh", "%I"), ("us", "%6f")];

/// A part of a format for the engine.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    format: String,
    after: After,
}

impl Lowering<'_> {
    /// Lowers a call with a format of PostgreSQL; `None` if it is no such call.
    pub(super) fn formatted(&mut self, function: &ast::Function) -> Result<Option<sql::Expr>> {
        let ([name], Arguments::List { items, is_distinct: false, order_by }) =
            (function.name.parts.as_slice(), &function.arguments)
        else {
            return Ok(None);
        };
        let name = name.normalized();
        let [value, format] = items.as_slice() else { return Ok(None) };
        let is_plain = order_by.is_empty() && function.over.is_none() && function.filter.is_none();
        if !matches!(name.as_str(), "to_char" | "to_timestamp" | "to_date") || !is_plain {
            return Ok(None);
        }
        let format = innermost(&format.value);
        let text = match &format.kind {
            ExprKind::Literal(Literal::Text(text)) if text.contains('%') => return Ok(None),
            ExprKind::Literal(Literal::Text(text)) => text,
            ExprKind::Literal(Literal::Null) => return Ok(None),
            _ => {
                let what = format!("{name} with a format that is no text in quotes");
                return Err(LowerError::unsupported(what, format.span));
            }
        };
        let parts = parts(text, format.span)?;
        let value = self.expr(&value.value)?;
        if name != "to_char" {
            let format: String = parts.into_iter().map(|part| part.format).collect();
            return Ok(Some(blank::call(&name, [value, blank::text(format)])));
        }
        let written = parts.into_iter().map(|part| part.written(value.clone()));
        let joined = written
            .reduce(|left, right| blank::binary(left, sql::BinaryOperator::StringConcat, right));
        Ok(joined.map(blank::nested))
    }
}

impl Part {
    fn written(self, value: sql::Expr) -> sql::Expr {
        let written = blank::call("to_char", [value, blank::text(self.format)]);
        let padded = |text: sql::Expr| blank::call("rpad", [text, blank::number("9")]);
        match self.after {
            Nothing => written,
            Upper => blank::call("upper", [written]),
            Lower => blank::call("lower", [written]),
            Pad => padded(written),
            UpperPad => padded(blank::call("upper", [written])),
            LowerPad => padded(blank::call("lower", [written])),
        }
    }
}

/// Reads a format of PostgreSQL.
fn parts(format: &str, span: Span) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let mut push = |text: &str, after: After| match parts.last_mut() {
        Some(last) if after == Nothing && last.after == Nothing => last.format.push_str(text),
        _ => parts.push(Part { format: text.to_owned(), after }),
    };
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let (fills, pattern) = match rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            Some(after) => (false, after),
            None => (true, rest),
        };
        let known = PATTERNS.iter().find(|(theirs, ..)| pattern.starts_with(theirs));
        let alias = ALIASES.iter().find(|(theirs, _)| pattern.starts_with(theirs));
        if let Some((theirs, full, bare, after)) = known {
            let after = match (fills, after) {
                (false, Pad) => Nothing,
                (false, UpperPad) => Upper,
                (false, LowerPad) => Lower,
                (_, after) => *after,
            };
            push(if fills { full } else { bare }, after);
            rest = &pattern[theirs.len()..];
        } else if let Some((theirs, ours)) = alias {
            push(ours, Nothing);
            rest = &pattern[theirs.len()..];
        } else if first == '"' {
            let Some(end) = rest[1..].find('"') else {
                return Err(LowerError::unsupported("a format with an open quote", span));
            };
            push(&rest[1..=end], Nothing);
            rest = &rest[end + 2..];
        } else if first.is_alphanumeric() && first != 'T' || rest.starts_with("TZ") {
            let word = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or(rest);
            return Err(LowerError::unsupported(format!("`{word}` in a format of times"), span));
        } else {
            push(&rest[..first.len_utf8()], Nothing);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: &str) -> String {
        let parts = parts(format, Span::default()).unwrap();
        parts.into_iter().map(|part| part.format).collect()
    }

    #[test]
    fn patterns_become_those_of_the_engine() {
        assert_eq!(written("YYYY-MM-DD HH24:MI:SS.US"), "%Y-%m-%d %H:%M:%S.%6f");
        assert_eq!(written("YYYY-MM-DDTHH24:MI:SS"), "%Y-%m-%dT%H:%M:%S");
        assert_eq!(written("FMDD. Mon YY, FMHH12 am"), "%-d. %b %y, %-I %P");
        assert_eq!(written("\"week\" IW"), "week %V");
    }

    #[test]
    fn names_are_padded_unless_told_otherwise() {
        let after = |format| parts(format, Span::default()).unwrap().pop().map(|part| part.after);
        assert_eq!(after("Month"), Some(Pad));
        assert_eq!(after("FMMonth"), Some(Nothing));
        assert_eq!(after("DAY"), Some(UpperPad));
    }

    #[test]
    fn what_has_no_counterpart_is_refused() {
        for format in ["YYYY Q", "HH24 TZ", "J", "\"open", "9999"] {
            assert!(parts(format, Span::default()).is_err(), "{format}");
        }
    }
}

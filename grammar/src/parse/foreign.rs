//! Forms of other dialects, and slips that everybody makes, where the grammar stops at them.
//! In: the tokens of the text and which of them could not stand there. Out: what to write instead.

/// Words that could not stand there, and what is written instead.
const FOUND: [(&str, &str); 18] = [
    ("#", "comments begin with --"),
    ("regexp", "write ~ '…' for a regular expression"),
    ("rlike", "write ~ '…' for a regular expression"),
    ("regexp_like", "write ~ '…' for a regular expression"),
    ("glob", "write LIKE with % and _, or ~ '…' for a regular expression"),
    ("isnull", "write IS NULL"),
    ("notnull", "write IS NOT NULL"),
    ("into", "sessionql only reads; `--output FILE` or the shell keeps the rows"),
    ("for", "sessionql only reads, and so locks nothing"),
    ("apply", "write CROSS JOIN LATERAL (…), or LEFT JOIN LATERAL (…) ON true"),
    ("descending", "write DESC"),
    ("ascending", "write ASC"),
    ("pivot", PIVOT),
    ("unpivot", "write a UNION ALL with a SELECT for each column"),
    ("straight_join", "write JOIN"),
    ("separator", "write string_agg(x, ',')"),
    ("minus", "write EXCEPT"),
    ("sounds", "there is no comparison by sound; write ILIKE or ~*"),
];

/// Pairs of words of which the second could not stand there.
const PAIRS: [(&str, &str, &str); 16] = [
    ("minus", "select", "write EXCEPT"),
    ("minus", "(", "write EXCEPT"),
    ("connect", "by", "write WITH RECURSIVE"),
    ("start", "with", "write WITH RECURSIVE"),
    ("outer", "apply", "write LEFT JOIN LATERAL (…) ON true"),
    ("*", "*", "write power(a, b)"),
    ("!", "=", "write <> or != without a blank"),
    ("show", "columns", "write DESCRIBE and the table"),
    ("columns", "from", "write DESCRIBE and the table"),
    ("fields", "from", "write DESCRIBE and the table"),
    ("tables", "like", "SHOW TABLES shows all of them"),
    ("distinct", "on", "write DISTINCT ON (…)"),
    ("on", "duplicate", "sessionql only reads"),
    ("within", "(", "write WITHIN GROUP (ORDER BY …)"),
    ("in", "[", "write the list in parentheses: IN ('a', 'b')"),
    ("with", "(", "hints for tables have no meaning here"),
];

/// Words before what could not stand there, and what is written instead of them.
const BEFORE: [(&str, &str); 7] = [
    ("groupby", "write GROUP BY"),
    ("orderby", "write ORDER BY"),
    ("partitionby", "write PARTITION BY"),
    ("leftjoin", "write LEFT JOIN"),
    ("innerjoin", "write INNER JOIN"),
    ("mod", "write a % b"),
    ("div", "write a / b, which is a whole number if both are"),
];

const PIVOT: &str = "write an aggregate for each column: count(*) FILTER (WHERE …)";

/// Words that begin a clause, for what is nearly one of them.
const CLAUSES: [&str; 16] = [
    "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "OFFSET", "JOIN", "UNION", "SINCE",
    "UNTIL", "BETWEEN", "WINDOW", "QUALIFY", "INNER", "USING",
];

/// Units of time, and what durations call them; empty where they are no fixed time.
const UNITS: [(&str, &str); 9] = [
    ("week", "w"),
    ("day", "d"),
    ("hour", "h"),
    ("minute", "m"),
    ("min", "m"),
    ("second", "s"),
    ("sec", "s"),
    ("month", ""),
    ("year", ""),
];

/// Returns what to write instead of the token at `found`, where that is certain to help.
pub(super) fn hint(tokens: &[&str], found: usize) -> Option<String> {
    let at = |n: usize| tokens.get(n).copied().unwrap_or_default();
    let back = |n: usize| found.checked_sub(n).map_or("", at);
    let is = |token: &str, word: &str| token.eq_ignore_ascii_case(word);
    let (word, before, next) = (at(found), back(1), at(found + 1));
    if let Some(hint) = duration(before, word, next) {
        return Some(hint);
    }
    let begin = tokens[..found.min(tokens.len())].iter().rposition(|token| *token == ";");
    let begin = begin.map_or(0, |semicolon| semicolon + 1);
    if is(at(begin), "select") && is(at(begin + 1), "top") && is_count(at(begin + 2)) {
        return Some("write LIMIT at the end".to_owned());
    }
    if is(at(begin), "describe") && is(at(begin + 1), "table") && found == begin + 2 {
        return Some(format!("write DESCRIBE {word}"));
    }
    let pairs = PAIRS.iter().filter(|(one, other, _)| {
        (is(before, one) && is(word, other)) || (is(word, one) && is(next, other))
    });
    let words = FOUND.iter().filter(|(known, _)| is(word, known)).map(|(_, hint)| *hint);
    let before_it = BEFORE.iter().filter(|(known, _)| is(before, known)).map(|(_, hint)| *hint);
    if let Some(hint) = pairs.map(|(_, _, hint)| *hint).chain(words).chain(before_it).next() {
        return Some(hint.to_owned());
    }
    let is_text = word.starts_with('\'');
    let hint = match (before, word) {
        (_, ":") if is_word(next) => return Some(format!("parameters are written ${next}")),
        (_, "%") if is(next, "s") => "parameters are written $name",
        ("{", name) if is_word(name) && next == "}" => {
            return Some(format!("parameters are written ${name}, or {{{name}:text}}"));
        }
        ("(", _) if is(back(2), "pivot") => PIVOT,
        (name, "as") | (name, "AS") if is_word(name) && is_cast(tokens, found) => {
            "write CAST(x AS type), or TRY_CAST for NULL where that fails"
        }
        (last, _) if is(last, "last") && is_number(word) => {
            return Some(format!("write SINCE {word}"));
        }
        (last, _) if is(last, "last") && unit(word).is_some() => "write SINCE 7d or SINCE 24h",
        (test, _) if is(test, "is") && is_text => "write = to compare with a value",
        (not, _) if is(not, "not") && is(back(2), "is") && is_text => {
            "write <> to compare with a value"
        }
        (_, to) if is(to, "to") && is_after_since(&tokens[begin..found]) => "write UNTIL",
        (_, between) if is(between, "between") => "a time window is written SINCE … UNTIL …",
        _ => {
            let near = |word: &str| {
                let upper = word.to_uppercase();
                let is_meant =
                    |clause: &&&str| **clause != upper && crate::check::is_near(clause, &upper);
                CLAUSES.iter().find(is_meant).map(|clause| format!("did you mean {clause}?"))
            };
            return [before, word].into_iter().filter(|word| word.len() > 3).find_map(near);
        }
    };
    Some(hint.to_owned())
}

/// Returns how a duration such as `1 day` or `INTERVAL 1 DAY` is written, of which `word` is the
/// second part.
fn duration(before: &str, word: &str, next: &str) -> Option<String> {
    let (number, name) = if before.eq_ignore_ascii_case("interval") && is_number(word) {
        (word, next)
    } else if is_number(before) {
        (before, word)
    } else {
        return None;
    };
    match unit(name)? {
        "" => Some(format!("write INTERVAL '{number} {}'", name.to_lowercase())),
        unit => Some(format!("write {number}{unit}")),
    }
}

fn unit(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let singular = name.strip_suffix('s').unwrap_or(&name);
    UNITS.iter().find(|(known, _)| *known == singular).map(|(_, unit)| *unit)
}

fn is_number(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_digit())
}

fn is_count(token: &str) -> bool {
    token == "(" || is_number(token)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Tells whether the innermost call around a token is a cast of another dialect.
fn is_cast(tokens: &[&str], found: usize) -> bool {
    let mut depth = 0_usize;
    for n in (0..found).rev() {
        match tokens[n] {
            ")" => depth += 1,
            "(" if depth == 0 => {
                let name = n.checked_sub(1).map_or("", |n| tokens[n]).to_lowercase();
                return ["safe_cast", "try_convert", "convert"].contains(&name.as_str());
            }
            "(" => depth -= 1,
            _ => {}
        }
    }
    false
}

fn is_after_since(tokens: &[&str]) -> bool {
    tokens.iter().any(|token| token.eq_ignore_ascii_case("since"))
}

#[cfg(test)]
mod tests {
    /// Returns the hint of what is wrong with a text.
    fn hint(text: &str) -> String {
        crate::parse(text).expect_err(text).hint().unwrap_or_default()
    }

    #[test]
    fn what_other_dialects_write() {
        for (text, said) in [
            ("SELECT TOP 10 id FROM t", "write LIMIT at the end"),
            ("SELECT TOP (10) * FROM t", "write LIMIT at the end"),
            ("SELECT 1 FROM t WHERE a REGEXP 'x'", "write ~ '…' for a regular expression"),
            ("SELECT 1 FROM t MINUS SELECT 1 FROM u", "write EXCEPT"),
            ("SELECT 1 FROM t CONNECT BY a = b", "write WITH RECURSIVE"),
            ("SELECT 1 FROM t START WITH a = b", "write WITH RECURSIVE"),
            ("SELECT 1 FROM t OUTER APPLY (SELECT 1) b", "write LEFT JOIN LATERAL (…) ON true"),
            ("SELECT 1 FROM t WHERE a = :who", "parameters are written $who"),
            ("SELECT 1 FROM t WHERE a = {who}", "parameters are written $who, or {who:text}"),
            ("SELECT 2 ** 3", "write power(a, b)"),
            ("SELECT 1 FROM t SINCE 1 day", "write 1d"),
            ("SELECT now() - INTERVAL 2 HOURS", "write 2h"),
            ("SELECT now() - INTERVAL 1 MONTH", "write INTERVAL '1 month'"),
            ("SELECT 1 FROM t LAST 24h", "write SINCE 24h"),
            ("SELECT 1 FROM t SINCE yesterday TO today", "write UNTIL"),
            ("SELECT 1 FROM t WHERE a IS 'x'", "write = to compare with a value"),
            ("SELECT 1 FROM t WHERE a IS NOT 'x'", "write <> to compare with a value"),
            ("SELECT 1 FROM t ORDER BY a DESCENDING", "write DESC"),
            ("SELECT 1 FROM t ORDERBY a", "write ORDER BY"),
            ("SELECT a FORM t", "did you mean FROM?"),
            ("SELECT a FROM t WHRE a = 1", "did you mean WHERE?"),
            (
                "SELECT SAFE_CAST(a AS int)",
                "write CAST(x AS type), or TRY_CAST for NULL where that fails",
            ),
            ("SELECT 1; DESCRIBE TABLE t", "write DESCRIBE t"),
            ("SELECT 1 FROM t PIVOT (count(a) FOR b IN ('x'))", super::PIVOT),
        ] {
            assert_eq!(hint(text), said, "{text}");
        }
    }

    #[test]
    fn what_is_only_misplaced_has_no_such_hint() {
        assert_eq!(hint("SELECT a b c FROM t"), "a comma may be missing before `c`");
        assert_eq!(hint("SELECT 1 FROM t WHERE"), "");
        assert_eq!(hint("SELECT 1 + "), "");
    }
}

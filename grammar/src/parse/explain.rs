//! Errors of the grammar in words of the language.
//! In: where the grammar stopped and which rules it tried there. Out: one error that says what
//! could have stood there and what does. Rule names end here.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::Rule;
use crate::ast::Span;
use crate::duration::shortened;
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::{Token, TokenKind};

/// How many words an error offers at most.
const MAX_OFFERED: usize = 6;

/// Turns an error of the grammar into one for people.
pub(super) fn explain(error: &Error<Rule>, text: &str, tokens: &[Token]) -> ParseError {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let found_idx = tokens.partition_point(|token| token.span.end <= at);
    let found = tokens.get(found_idx);
    let span = found.map_or(Span::new(text.len(), text.len()), |token| token.span);
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
        let kind = ParseErrorKind::TooMuch { what: "the steps to read the query", limit: "the stack" };
        return ParseError::new(kind, span);
    };
    let before = found_idx.checked_sub(1).and_then(|idx| tokens.get(idx));
    let is_comma_missing = before.is_some_and(|token| ends_operand(token, text))
        && found.is_some_and(|token| begins_operand(token, text))
        && positives.contains(&Rule::comparison);
    if std::env::var_os("DBG").is_some() { eprintln!("{text:?} -> {positives:?}"); }
    let expected = expected(positives, open_bracket(&tokens[..found_idx]));
    let found = match found {
        Some(token) => quote(symbol(text, token)),
        None => "the end of the query".to_owned(),
    };
    ParseError::new(ParseErrorKind::Unexpected { expected, found, is_comma_missing }, span)
}

/// Quotes a piece of the query for a message.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// Returns the token as people see it: `<=` is one.
fn symbol<'t>(text: &'t str, token: &Token) -> &'t str {
    let rest = text.get(token.span.start..).unwrap_or_default();
    ["!~*", "~*", "!~", "<=", ">=", "<>", "!=", "||", "::", "=>"]
        .into_iter()
        .find(|symbol| matches!(token.kind, TokenKind::Symbol(_)) && rest.starts_with(symbol))
        .unwrap_or(token.span.of(text))
}

/// Returns the innermost bracket that the tokens leave open.
fn open_bracket(tokens: &[Token]) -> Option<char> {
    let mut depth = 0_usize;
    for token in tokens.iter().rev() {
        match token.kind {
            TokenKind::Close(_) => depth += 1,
            TokenKind::Open(bracket) if depth == 0 => return Some(bracket),
            TokenKind::Open(_) => depth -= 1,
            TokenKind::Semicolon => return None,
            _ => {}
        }
    }
    None
}

/// Describes what could have stood where the grammar stopped.
fn expected(rules: &[Rule], open: Option<char>) -> String {
    let has = |rule| rules.contains(&rule);
    if has(Rule::k_explain) && has(Rule::k_show) {
        return "a statement".to_owned();
    }
    if has(Rule::number) && (has(Rule::column_name) || has(Rule::path) || has(Rule::named)) {
        return "an expression".to_owned();
    }
    if has(Rule::paren_table) {
        return "a table".to_owned();
    }
    if has(Rule::comparison) || has(Rule::concat) {
        let words: Vec<&str> = [Rule::k_then, Rule::k_when, Rule::k_else, Rule::k_end, Rule::k_as]
            .into_iter()
            .filter(|rule| has(*rule) && (open == Some('(') || *rule != Rule::k_as))
            .filter_map(keyword)
            .collect();
        return match (open, words.is_empty()) {
            (_, false) => format!("an operator or {}", one_of(&words)),
            _ if has(Rule::and) && !has(Rule::comparison) => "AND".to_owned(),
            (Some('['), _) => "an operator, `,` or `]`".to_owned(),
            (Some(_), _) => "an operator, `,` or `)`".to_owned(),
            (None, _) => "an operator, `,` or the next clause".to_owned(),
        };
    }
    if has(Rule::any_name) || has(Rule::name) {
        return "a name".to_owned();
    }
    let mut words: Vec<&str> = rules.iter().copied().filter_map(keyword).collect();
    words.sort_unstable();
    words.dedup();
    match (words.len(), open) {
        (0, Some('[')) => "`]`".to_owned(),
        (0, Some(_)) => "`)`".to_owned(),
        (0, None) => "the end of the statement".to_owned(),
        (n, _) if n > MAX_OFFERED => "the next clause".to_owned(),
        (_, Some('(')) => format!("{} or `)`", words.join(", ")),
        _ => one_of(&words),
    }
}

fn one_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// Returns the word that a rule stands for, if it is one that helps.
fn keyword(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::k_select => "SELECT",
        Rule::k_from => "FROM",
        Rule::k_by => "BY",
        Rule::k_as => "AS",
        Rule::k_and => "AND",
        Rule::k_when => "WHEN",
        Rule::k_then => "THEN",
        Rule::k_else => "ELSE",
        Rule::k_end => "END",
        Rule::k_on => "ON",
        Rule::k_using => "USING",
        Rule::k_join => "JOIN",
        Rule::k_null => "NULL",
        Rule::k_true => "TRUE",
        Rule::k_false => "FALSE",
        Rule::k_unknown => "UNKNOWN",
        Rule::k_distinct => "DISTINCT",
        Rule::k_first => "FIRST",
        Rule::k_last => "LAST",
        Rule::k_next => "NEXT",
        Rule::k_row => "ROW",
        Rule::k_rows => "ROWS",
        Rule::k_only => "ONLY",
        Rule::k_to => "TO",
        Rule::k_zone => "ZONE",
        Rule::k_group => "GROUP",
        Rule::k_sets => "SETS",
        Rule::k_where => "WHERE",
        Rule::k_preceding => "PRECEDING",
        Rule::k_following => "FOLLOWING",
        Rule::k_in => "IN",
        Rule::k_like => "LIKE",
        Rule::k_between => "BETWEEN",
        Rule::k_values => "VALUES",
        Rule::k_with => "WITH",
        _ => return None,
    })
}

/// Words that stand before an operand or begin a clause, so that no comma belongs next to them.
const NO_OPERANDS: [&str; 34] = [
    "select", "from", "where", "group", "by", "having", "order", "limit", "offset", "and", "or", "not", "in", "is",
    "when", "then", "else", "case", "on", "using", "join", "union", "intersect", "except", "like", "ilike", "between",
    "as", "asc", "desc", "since", "until", "into", "for",
];

fn ends_operand(token: &Token, text: &str) -> bool {
    matches!(token.kind, TokenKind::Close(_)) || begins_operand(token, text)
}

fn begins_operand(token: &Token, text: &str) -> bool {
    match token.kind {
        TokenKind::Word => !NO_OPERANDS.iter().any(|word| token.span.of(text).eq_ignore_ascii_case(word)),
        TokenKind::Quoted | TokenKind::Text | TokenKind::Number | TokenKind::Parameter => true,
        _ => false,
    }
}

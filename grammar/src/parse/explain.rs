//! Errors of the grammar in words of the language.
//! In: where the grammar stopped and which rules it tried there. Out: one error that says what
//! could have stood there and what does. Rule names end here.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::codes::CODE_BYTES;
use super::{Rule, foreign};
use crate::ast::Span;
use crate::duration::shortened;
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::{Token, TokenKind};

/// How many words an error offers at most.
const MAX_OFFERED: usize = 6;

/// Turns an error of the grammar into one for people. `tokens` are those of the statement, `next`
/// the semicolon after them, if there is one.
pub(super) fn explain(
    error: &Error<Rule>,
    text: &str,
    tokens: &[Token],
    next: Option<&Token>,
) -> ParseError {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let found_idx = at / CODE_BYTES;
    let found = tokens.get(found_idx).or(next);
    let span = found.map_or(Span::new(text.len(), text.len()), |token| token.span);
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
        let kind =
            ParseErrorKind::TooMuch { what: "the steps to read the query", limit: "the stack" };
        return ParseError::new(kind, span);
    };
    let before = tokens.get(..found_idx).unwrap_or_default();
    let open = open_bracket(before);
    let takes_comma = takes_comma(before, text);
    let expected = match found {
        // `$1` would be a parameter if it had a name.
        Some(token) if is_numbered(token, text) && positives.iter().any(begins_value) => {
            "a name".to_owned()
        }
        _ => expected(positives, open, takes_comma),
    };
    let is_comma_missing = takes_comma
        && expected.contains("`,`")
        && before.last().is_some_and(|token| ends_operand(token, text))
        && found.is_some_and(|token| begins_operand(token, text));
    let found = match found {
        Some(token) => quote(token.span.of(text)),
        None => "the end of the query".to_owned(),
    };
    let words: Vec<&str> = tokens.iter().map(|token| token.span.of(text)).collect();
    if let Some(hint) = foreign::hint(&words, found_idx) {
        return ParseError::new(ParseErrorKind::Foreign { expected, found, hint }, span);
    }
    ParseError::new(ParseErrorKind::Unexpected { expected, found, is_comma_missing }, span)
}

/// Quotes a piece of the query for a message.
pub(super) fn quote(text: &str) -> String {
    format!("`{}`", shortened(text))
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

/// Returns whether the tokens end in a list: of a SELECT, of FROM, of a BY, or in brackets.
fn takes_comma(tokens: &[Token], text: &str) -> bool {
    let mut depth = 0_usize;
    for token in tokens.iter().rev() {
        let word = token.span.of(text).to_lowercase();
        match token.kind {
            TokenKind::Close(_) => depth += 1,
            TokenKind::Open(_) if depth == 0 => return true,
            TokenKind::Open(_) => depth -= 1,
            TokenKind::Word
                if depth == 0 && ["select", "from", "by", "values"].contains(&word.as_str()) =>
            {
                return true;
            }
            TokenKind::Word if depth == 0 && NO_LISTS.contains(&word.as_str()) => return false,
            _ => {}
        }
    }
    false
}

/// Describes what could have stood where the grammar stopped. Where it tried many rules at once,
/// it reports the rule above them, so each description asks for rules of both kinds.
fn expected(rules: &[Rule], open: Option<char>, takes_comma: bool) -> String {
    let has = |wanted: &[Rule]| rules.iter().any(|rule| wanted.contains(rule));
    let close = match open {
        Some('[') => "`]`",
        Some('{') => "`}`",
        Some(_) => "`)`",
        None => "the end of the statement",
    };
    if open == Some('{') {
        "a parameter such as {name:type}".to_owned()
    } else if has(&[Rule::script, Rule::statement]) {
        "a statement".to_owned()
    } else if has(&[
        Rule::number,
        Rule::expr,
        Rule::range_expr,
        Rule::select_item,
        Rule::group_item,
        Rule::order_item,
    ]) {
        "an expression".to_owned()
    } else if has(&[Rule::table_factor, Rule::table_expr, Rule::paren_table]) {
        "a table".to_owned()
    } else if has(&[Rule::query, Rule::paren_query]) {
        "a query".to_owned()
    } else if has(&[Rule::any_name, Rule::quoted]) && !has(&[Rule::k_from]) {
        "a name".to_owned()
    } else if has(&[Rule::paren, Rule::column_list]) && rules.iter().all(is_list) {
        "`(`".to_owned()
    } else if has(&[Rule::operator, Rule::range_operator, Rule::k_from, Rule::set_op]) {
        let mut offered = Vec::new();
        if has(&[Rule::operator, Rule::range_operator]) {
            offered.push(if has(&[Rule::operator]) || !has(&[Rule::k_and]) {
                "an operator"
            } else {
                "AND"
            });
        }
        let words = [Rule::k_then, Rule::k_when, Rule::k_else, Rule::k_end, Rule::k_as];
        offered.extend(
            words
                .into_iter()
                .filter(|word| has(&[*word]) && open.is_some() | (*word != Rule::k_as))
                .filter_map(keyword),
        );
        if offered.len() < 2 && offered != ["AND"] {
            offered.extend(takes_comma.then_some("`,`"));
            offered.push(if open.is_some() { close } else { "the next clause" });
        }
        one_of(&offered)
    } else {
        let mut words: Vec<&str> = rules.iter().copied().filter_map(keyword).collect();
        words.sort_unstable();
        words.dedup();
        match words.len() {
            0 => close.to_owned(),
            n if n > MAX_OFFERED => "the next clause".to_owned(),
            _ => one_of(&words),
        }
    }
}

fn is_numbered(token: &Token, text: &str) -> bool {
    token.kind == TokenKind::Parameter
        && token.span.of(text)[1..].starts_with(|c: char| c.is_ascii_digit())
}

/// Tells whether a parameter may stand where a rule was tried, itself or within another.
fn begins_value(rule: &Rule) -> bool {
    matches!(
        rule,
        Rule::parameter
            | Rule::expr
            | Rule::range_expr
            | Rule::select_item
            | Rule::group_item
            | Rule::order_item
            | Rule::call_arg
            | Rule::paren
            | Rule::set
    )
}

/// Tells whether a rule begins what may stand after IN, or a list of columns.
fn is_list(rule: &Rule) -> bool {
    matches!(rule, Rule::paren | Rule::column_list | Rule::parameter | Rule::typed_parameter)
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

/// Words after which a comma belongs to nothing, nearest first.
const NO_LISTS: [&str; 13] = [
    "where", "having", "on", "qualify", "limit", "offset", "since", "until", "at", "case", "when",
    "then", "else",
];

/// Words that stand before an operand or begin a clause, so that no comma belongs next to them.
const NO_OPERANDS: [&str; 34] = [
    "select",
    "from",
    "where",
    "group",
    "by",
    "having",
    "order",
    "limit",
    "offset",
    "and",
    "or",
    "not",
    "in",
    "is",
    "when",
    "then",
    "else",
    "case",
    "on",
    "using",
    "join",
    "union",
    "intersect",
    "except",
    "like",
    "ilike",
    "between",
    "as",
    "asc",
    "desc",
    "since",
    "until",
    "into",
    "for",
];

fn ends_operand(token: &Token, text: &str) -> bool {
    matches!(token.kind, TokenKind::Close(_)) || begins_operand(token, text)
}

fn begins_operand(token: &Token, text: &str) -> bool {
    match token.kind {
        TokenKind::Word => {
            !NO_OPERANDS.iter().any(|word| token.span.of(text).eq_ignore_ascii_case(word))
        }
        TokenKind::Quoted | TokenKind::Text | TokenKind::Number | TokenKind::Parameter => true,
        _ => false,
    }
}

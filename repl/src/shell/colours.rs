//! The colours of what is typed.
//! In: a text and the place of the cursor. Out: the same text with escape sequences, which take no
//! room. What a word is, the grammar decides.

use sessionql_grammar::{Paint, paint};

/// Ends all colours.
pub(super) const PLAIN: &str = "\x1b[0m";
/// What is not there yet.
pub(super) const GREY: &str = "\x1b[90m";
/// A bracket and the one that it belongs to.
const PAIR: &str = "\x1b[1;4m";

/// Returns a text in colours. A cursor at a bracket marks the pair.
pub(super) fn colour(text: &str, cursor: Option<usize>) -> String {
    let parts = paint(text);
    let brackets: Vec<_> = parts
        .iter()
        .filter(|(_, paint)| *paint == Paint::Bracket)
        .filter_map(|(span, _)| Some((span.start, text[span.start..].chars().next()?)))
        .collect();
    let pair = cursor.and_then(|cursor| pair(&brackets, cursor));
    let mut coloured = String::with_capacity(text.len() * 2);
    let mut end = 0;
    for (span, paint) in parts {
        coloured.push_str(&text[end..span.start]);
        end = span.end;
        let code = match paint {
            Paint::Keyword => "\x1b[1;34m",
            Paint::Text => "\x1b[32m",
            Paint::Number => "\x1b[36m",
            Paint::Parameter => "\x1b[35m",
            Paint::Comment => GREY,
            Paint::Unclosed => "\x1b[33m",
            Paint::Unknown => "\x1b[31m",
            Paint::Bracket if pair.is_some_and(|(a, b)| span.start == a || span.start == b) => PAIR,
            Paint::Name | Paint::Sign | Paint::Bracket => "",
        };
        paint_lines(&mut coloured, code, span.of(text));
    }
    coloured.push_str(&text[end..]);
    coloured
}

/// Writes a part in a colour, which ends with each line: a terminal may fill up a line with it.
fn paint_lines(coloured: &mut String, code: &str, part: &str) {
    for line in part.split_inclusive('\n') {
        let (content, newline) = match line.strip_suffix('\n') {
            Some(content) => (content, "\n"),
            None => (line, ""),
        };
        if code.is_empty() || content.is_empty() {
            coloured.push_str(content);
        } else {
            coloured.extend([code, content, PLAIN]);
        }
        coloured.push_str(newline);
    }
}

/// Returns the places of the bracket at the cursor, or else before it, and of its counterpart.
fn pair(brackets: &[(usize, char)], cursor: usize) -> Option<(usize, usize)> {
    let is_at = |at: usize| brackets.iter().position(|(start, _)| *start == at);
    let idx = is_at(cursor).or_else(|| is_at(cursor.checked_sub(1)?))?;
    let &(start, bracket) = brackets.get(idx)?;
    let is_open = |bracket: char| matches!(bracket, '(' | '[' | '{');
    let mut depth = 0_usize;
    let mut counterpart = |&(at, other): &(usize, char)| {
        if is_open(other) == is_open(bracket) {
            depth += 1;
            None
        } else {
            depth -= 1;
            (depth == 0).then_some((start, at))
        }
    };
    if is_open(bracket) {
        brackets[idx..].iter().find_map(&mut counterpart)
    } else {
        brackets[..=idx].iter().rev().find_map(&mut counterpart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a text with its colours in words.
    fn words(text: &str, cursor: Option<usize>) -> String {
        let names = [
            ("\x1b[1;34m", "<k>"),
            ("\x1b[32m", "<t>"),
            ("\x1b[36m", "<n>"),
            ("\x1b[35m", "<p>"),
            ("\x1b[90m", "<c>"),
            ("\x1b[33m", "<u>"),
            ("\x1b[31m", "<?>"),
            ("\x1b[1;4m", "<b>"),
            ("\x1b[0m", "</>"),
        ];
        let coloured = colour(text, cursor);
        names.iter().fold(coloured, |text, (code, name)| text.replace(code, name))
    }

    #[test]
    fn each_part_has_its_colour() {
        for (text, expected) in [
            (
                "SELECT 'a', 1h FROM t -- x",
                "<k>SELECT</> <t>'a'</>, <n>1h</> <k>FROM</> t <c>-- x</>",
            ),
            ("select $who, 'a", "<k>select</> <p>$who</>, <u>'a</>"),
            ("select 'a\nb'", "<k>select</> <t>'a</>\n<t>b'</>"),
            ("select \\ 1", "<k>select</> <?>\\</> <n>1</>"),
            ("", ""),
        ] {
            assert_eq!(words(text, None), expected);
        }
    }

    #[test]
    fn the_brackets_at_the_cursor_are_marked() {
        let text = "f((a))";
        assert_eq!(words(text, Some(1)), "f<b>(</>(a)<b>)</>");
        assert_eq!(words(text, Some(6)), "f<b>(</>(a)<b>)</>");
        assert_eq!(words(text, Some(5)), "f<b>(</>(a)<b>)</>");
        assert_eq!(words("f((a", Some(1)), "f((a");
        assert_eq!(words("a", Some(1)), "a");
    }
}

//! The part of a text that a span points at, with carets below it.
//! In: any text, any span. Out: lines that fit a terminal and cannot change its state.

use std::ops::Range;

use sessionql_core::display::escape_controls;
use sessionql_grammar::{Span, line_col};
use unicode_width::UnicodeWidthStr as _;

/// How many columns of a line are shown; longer lines are cut around the caret.
const MAX_COLUMNS: usize = 100;

/// How many lines of a span are shown; of a longer one its begin and its last line.
const MAX_LINES: usize = 4;

/// What a tab becomes.
const TAB: &str = "    ";

/// One character of a line as it is shown.
struct Cell {
    shown: String,
    columns: usize,
    /// Where the character ends, in bytes of the line.
    end: usize,
}

/// Draws the lines that `span` covers. `mark` colours the carets.
pub(super) fn draw(
    text: &str,
    span: Span,
    file: Option<&str>,
    mark: &dyn Fn(&str) -> String,
) -> String {
    let span = visible(text, span);
    let (first_line, column) = line_col(text, span.start);
    let lines = covered_lines(text, span, first_line);
    let last_line = lines.last().map_or(first_line, |(number, _)| *number);
    let gutter = last_line.to_string().len();
    let mut drawn = String::new();
    if let Some(file) = file {
        let file = escape_controls(file);
        drawn.push_str(&format!("{:gutter$}--> {file}:{first_line}:{column}\n", ""));
    }
    drawn.push_str(&format!("{:gutter$} |\n", ""));
    let n_lines = lines.len();
    for (idx, (number, line)) in lines.into_iter().enumerate() {
        let is_left_out = n_lines > MAX_LINES && idx + 1 < n_lines && idx + 2 >= MAX_LINES;
        if is_left_out {
            if idx + 2 == MAX_LINES {
                drawn.push_str(&format!("{:gutter$} …\n", ""));
            }
            continue;
        }
        let (shown, indent, carets) = draw_line(&text[line.clone()], clip(text, span, &line));
        drawn.push_str(&format!("{number:>gutter$} | {shown}\n"));
        drawn.push_str(&format!("{:gutter$} | {:indent$}{}\n", "", "", mark(&"^".repeat(carets))));
    }
    drawn
}

/// Returns the span within the text and on character boundaries; one that points past the last
/// word is moved to its end.
fn visible(text: &str, span: Span) -> Span {
    let text_end = text.trim_end().len();
    let mut start = span.start.min(text_end);
    let mut end = span.end.clamp(start, text_end);
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Span::new(start, end)
}

/// Returns the numbers and byte ranges of the lines that a span touches, without line ends.
fn covered_lines(text: &str, span: Span, first_line: usize) -> Vec<(usize, Range<usize>)> {
    let mut begin = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let mut lines = Vec::new();
    for number in first_line.. {
        let end = text[begin..].find('\n').map_or(text.len(), |newline| begin + newline);
        let without_return = text[begin..end].strip_suffix('\r').unwrap_or(&text[begin..end]);
        lines.push((number, begin..begin + without_return.len()));
        begin = end + 1;
        if begin >= span.end || begin > text.len() {
            break;
        }
    }
    lines
}

/// Returns the part of the span in a line, relative to the line; without the indent of a line that
/// the span only passes through.
fn clip(text: &str, span: Span, line: &Range<usize>) -> Range<usize> {
    let mut start = span.start.clamp(line.start, line.end);
    let end = span.end.clamp(start, line.end);
    if span.start < line.start {
        start += text[start..end].len() - text[start..end].trim_start().len();
    }
    start - line.start..end - line.start
}

/// Returns the line as shown, and how far in how many carets stand.
fn draw_line(line: &str, marked: Range<usize>) -> (String, usize, usize) {
    let cells = cells(line);
    let column_of = |offset: usize| -> usize {
        cells.iter().take_while(|cell| cell.end <= offset).map(|cell| cell.columns).sum()
    };
    let (from, to) = (column_of(marked.start), column_of(marked.end));
    let total: usize = cells.iter().map(|cell| cell.columns).sum();
    if total <= MAX_COLUMNS {
        let shown: String = cells.iter().map(|cell| cell.shown.as_str()).collect();
        return (shown, from, to.saturating_sub(from).max(1));
    }
    // Two columns are for the marks of what is cut off; a third of the rest is before the caret.
    let room = MAX_COLUMNS - 2;
    let left = from.saturating_sub(room / 3).min(total - room);
    let (mut shown, mut column, mut begin, mut end) = (String::new(), 0, None, 0);
    for cell in &cells {
        let next = column + cell.columns;
        if column >= left && next <= left + room {
            begin.get_or_insert(column);
            shown.push_str(&cell.shown);
            end = next;
        }
        column = next;
    }
    let begin = begin.unwrap_or(left);
    let (before, after) = (if begin > 0 { "…" } else { "" }, if end < total { "…" } else { "" });
    let indent = from.saturating_sub(begin) + before.width();
    let carets = to.min(end).saturating_sub(from).max(1);
    (format!("{before}{shown}{after}"), indent, carets)
}

fn cells(line: &str) -> Vec<Cell> {
    line.char_indices()
        .map(|(at, character)| {
            let end = at + character.len_utf8();
            let shown = match character {
                '\t' => TAB.to_owned(),
                _ => escape_controls(&line[at..end]),
            };
            Cell { columns: shown.width(), shown, end }
        })
        .collect()
}

//! Tokens to lines.
//! In: tokens, what may stand between them, and comments. Out: text no wider than a line where
//! that can be had. A group that fits stays on one line, any other is broken at all its lines; a
//! comment with a line of its own breaks the groups around it. Linear and not recursive.

use super::Token;
use super::comments::{Comment, Placed};

/// How many columns a line should have at most.
const MAX_COLUMNS: usize = 90;

/// How many columns each level is indented.
const INDENT: usize = 4;

/// A token, or what may stand between two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// The token of this index.
    Token(usize),
    /// A blank.
    Space,
    /// A blank, or the end of the line if the group is broken.
    Line,
    /// Nothing, or the end of the line if the group is broken.
    SoftLine,
    /// A blank, or the end of the line if the group is broken and what follows does not fit.
    FillLine,
    /// Breaks the groups around it.
    Break,
    /// An empty line.
    Blank,
    /// The beginning of a group.
    Open,
    /// Its end.
    Close,
    /// One level deeper.
    Indent,
    /// One level back.
    Dedent,
}

/// Sizes of what is between two places of the stream, each as a sum from its beginning.
struct Sizes {
    /// Columns before each op, all groups on one line.
    columns: Vec<usize>,
    /// How many ops before each one break the groups around them.
    n_breaks: Vec<usize>,
    /// How many gaps before each token have something that needs the end of a line.
    n_broken_gaps: Vec<usize>,
    /// The next op, from each one on, at which a line may end.
    next_line: Vec<usize>,
    /// The end of each group, at its beginning.
    closes: Vec<usize>,
    /// How many tokens there are before each op.
    n_tokens: Vec<usize>,
}

/// Lays a stream out.
pub(super) fn render(ops: &[Op], tokens: &[Token], placed: &Placed<'_>) -> String {
    let sizes = Sizes::of(ops, tokens, placed);
    let mut writer = Writer::default();
    // Whether each group around this place is broken.
    let mut groups = Vec::new();
    for (idx, op) in ops.iter().enumerate() {
        let is_broken = groups.last().is_some_and(|is_broken| *is_broken);
        match *op {
            Op::Token(token) => {
                for comment in placed.before(token) {
                    writer.comment(comment);
                }
                writer.token(&tokens[token].text);
                for comment in placed.after(token) {
                    writer.comment(comment);
                }
            }
            Op::Line | Op::SoftLine if is_broken => writer.line(1),
            Op::FillLine if is_broken => {
                let next = sizes.columns[sizes.next_line[idx + 1]] - sizes.columns[idx];
                if writer.column() + next > MAX_COLUMNS {
                    writer.line(1);
                } else {
                    writer.space();
                }
            }
            Op::Space | Op::Line | Op::FillLine => writer.space(),
            Op::Blank => writer.line(2),
            Op::Open => groups.push(sizes.is_broken(idx, writer.column())),
            Op::Close => drop(groups.pop()),
            Op::Indent => writer.indent += INDENT,
            Op::Dedent => writer.indent -= INDENT,
            Op::SoftLine | Op::Break => {}
        }
    }
    writer.finish()
}

impl Sizes {
    fn of(ops: &[Op], tokens: &[Token], placed: &Placed<'_>) -> Self {
        let mut sizes = Self {
            columns: vec![0],
            n_breaks: vec![0],
            n_broken_gaps: vec![0],
            next_line: vec![ops.len(); ops.len() + 1],
            closes: vec![0; ops.len()],
            n_tokens: vec![0],
        };
        let mut open = Vec::new();
        let (mut columns, mut n_breaks, mut n_tokens, mut n_broken_gaps) = (0, 0, 0, 0);
        for (idx, op) in ops.iter().enumerate() {
            match op {
                Op::Token(token) => {
                    let text = &tokens[*token].text;
                    columns += text.chars().count() + placed.columns_before(*token);
                    n_breaks += usize::from(text.contains('\n'));
                    n_tokens += 1;
                    n_broken_gaps += usize::from(placed.breaks_before(*token));
                    sizes.n_broken_gaps.push(n_broken_gaps);
                }
                Op::Space | Op::Line | Op::FillLine => columns += 1,
                Op::Break | Op::Blank => n_breaks += 1,
                Op::Open => open.push(idx),
                Op::Close => {
                    if let Some(begin) = open.pop() {
                        sizes.closes[begin] = idx;
                    }
                }
                Op::SoftLine | Op::Indent | Op::Dedent => {}
            }
            sizes.columns.push(columns);
            sizes.n_breaks.push(n_breaks);
            sizes.n_tokens.push(n_tokens);
        }
        for (idx, op) in ops.iter().enumerate().rev() {
            let is_line = matches!(op, Op::Line | Op::SoftLine | Op::FillLine | Op::Blank);
            sizes.next_line[idx] = if is_line { idx } else { sizes.next_line[idx + 1] };
        }
        sizes
    }

    /// Returns whether the group that begins at an op has to be broken, at a column.
    fn is_broken(&self, begin: usize, column: usize) -> bool {
        let end = self.closes[begin];
        // The gap before the group's first token lies outside of it.
        let (first, last) = (self.n_tokens[begin], self.n_tokens[end]);
        let gaps = |token: usize| self.n_broken_gaps[token];
        let has_broken_gap = last > first && gaps(last) > gaps(first + 1);
        // What follows on the same line has to fit too.
        let columns = self.columns[self.next_line[end]] - self.columns[begin];
        has_broken_gap
            || self.n_breaks[end] > self.n_breaks[begin]
            || column + columns > MAX_COLUMNS
    }
}

/// Writes text; blanks and ends of lines only once something follows them.
#[derive(Default)]
struct Writer {
    text: String,
    indent: usize,
    /// How far the next line is indented.
    line_indent: usize,
    /// Columns of the last line.
    n_columns: usize,
    /// Ends of lines to write first.
    n_newlines: usize,
    /// Whether to write a blank first.
    is_spaced: bool,
    /// Whether the last line begins with a comment and has nothing else so far.
    is_on_comment_line: bool,
}

impl Writer {
    fn space(&mut self) {
        self.is_spaced = true;
    }

    /// Ends the line; the next one begins at the level of this place.
    fn line(&mut self, n_newlines: usize) {
        self.line_indent = self.indent;
        self.n_newlines = self.n_newlines.max(n_newlines);
    }

    /// Ends the line for a comment; at a place for that the level is known already.
    fn line_for_comment(&mut self, n_newlines: usize) {
        if self.n_newlines == 0 && n_newlines > 0 && !self.is_on_comment_line {
            self.line_indent = self.indent;
        }
        self.n_newlines = self.n_newlines.max(n_newlines);
    }

    /// Returns the column at which the next text begins.
    fn column(&self) -> usize {
        if self.n_newlines > 0 || self.text.is_empty() {
            self.line_indent
        } else {
            self.n_columns + usize::from(self.is_spaced)
        }
    }

    fn write(&mut self, text: &str) {
        if self.n_newlines > 0 && !self.text.is_empty() {
            self.text.extend(std::iter::repeat_n('\n', self.n_newlines));
            self.text.extend(std::iter::repeat_n(' ', self.line_indent));
            self.n_columns = self.line_indent;
        } else if self.is_spaced && !self.text.is_empty() {
            self.text.push(' ');
            self.n_columns += 1;
        }
        (self.n_newlines, self.is_spaced) = (0, false);
        self.text.push_str(text);
        self.n_columns = match text.rfind('\n') {
            Some(newline) => text[newline + 1..].chars().count(),
            None => self.n_columns + text.chars().count(),
        };
    }

    fn token(&mut self, text: &str) {
        // Nothing is printed at the end of the text, and no blanks before it.
        if text.is_empty() {
            return;
        }
        if matches!(text, "," | ";" | ")" | "]") && self.n_newlines == 0 {
            self.is_spaced = false;
        }
        self.write(text);
        self.is_on_comment_line = false;
    }

    fn comment(&mut self, comment: &Comment<'_>) {
        self.line_for_comment(comment.n_newlines_before);
        self.is_spaced = !self.text.ends_with(['(', '[']);
        let begins_line = self.n_newlines > 0 || self.text.is_empty();
        self.write(comment.text);
        self.is_on_comment_line |= begins_line;
        self.space();
        self.line_for_comment(comment.n_newlines_after);
    }

    fn finish(mut self) -> String {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text
    }
}

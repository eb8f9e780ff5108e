//! The text that a tree came from: its tokens, and the comments between them.

use super::comments::Comment;
use crate::ast::Span;
use crate::scan::{Scanner, comment_length};

/// A text, cut into tokens as the printer prints them.
pub(crate) struct Source<'t> {
    pub(crate) text: &'t str,
    /// Where each token stands.
    pub(super) tokens: Vec<Span>,
    /// The comments before each token, and before the end of the text.
    pub(crate) comments: Vec<Vec<Comment<'t>>>,
}

impl<'t> Source<'t> {
    /// Cuts a text that parses.
    pub(crate) fn new(text: &'t str) -> Self {
        let mut tokens: Vec<Span> = Vec::new();
        let mut scanner = Scanner::new(text);
        let mut begins_number = false;
        while let Some(token) = scanner.next() {
            let span = token.span;
            match tokens.last_mut() {
                Some(dot) if begins_number => dot.end = span.end,
                _ => tokens.push(span),
            }
            begins_number = token.is_point(text);
        }
        let mut comments = Vec::with_capacity(tokens.len() + 1);
        let mut end = 0;
        for token in &tokens {
            comments.push(comments_in(text, Span::new(end, token.start)));
            end = token.end;
        }
        let mut last = comments_in(text, Span::new(end, text.len()));
        if let Some(comment) = last.last_mut() {
            // The end of the text ends a line, too.
            comment.n_newlines_after = comment.n_newlines_after.max(1);
        }
        comments.push(last);
        Self { text, tokens, comments }
    }

    /// Returns the index of the token that begins at a byte.
    pub(super) fn token_at(&self, offset: usize) -> Option<usize> {
        self.tokens.binary_search_by_key(&offset, |token| token.start).ok()
    }

    /// Returns the tokens within a span.
    pub(super) fn tokens_in(&self, span: Span) -> impl Iterator<Item = (usize, &'t str)> {
        let first = self.tokens.partition_point(|token| token.start < span.start);
        self.tokens[first..]
            .iter()
            .take_while(move |token| token.end <= span.end)
            .map(|token| (token.start, token.of(self.text)))
    }

    /// Returns whether another text has the same comments, in whatever order.
    pub(super) fn has_same_comments(&self, other: &Source<'_>) -> bool {
        let sorted = |source: &Source<'_>| {
            let mut texts: Vec<String> =
                source.comments.iter().flatten().map(|comment| comment.text.to_owned()).collect();
            texts.sort_unstable();
            texts
        };
        sorted(self) == sorted(other)
    }
}

/// Returns the comments of a part of a text that is nothing but blanks and comments.
fn comments_in(text: &str, part: Span) -> Vec<Comment<'_>> {
    let gap = part.of(text);
    let mut comments: Vec<Comment<'_>> = Vec::new();
    let mut at = 0;
    // The text begins a line, too.
    let mut n_newlines = usize::from(part.start == 0);
    while let Some(rest) = gap.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment_length(rest).unwrap_or(rest.len())
        } else {
            n_newlines += usize::from(first == '\n');
            at += first.len_utf8();
            continue;
        };
        if let Some(before) = comments.last_mut() {
            before.n_newlines_after = n_newlines.min(2);
        }
        let text = rest.get(..length).unwrap_or_default();
        comments.push(Comment {
            start: part.start + at,
            text: if rest.starts_with("--") { text.trim_end() } else { text },
            n_newlines_before: n_newlines.min(2),
            n_newlines_after: 0,
        });
        n_newlines = 0;
        at += length;
    }
    if let Some(last) = comments.last_mut() {
        // A comment to the end of its line ends it, also where the text ends there.
        last.n_newlines_after = n_newlines.min(2).max(usize::from(last.text.starts_with("--")));
    }
    comments
}

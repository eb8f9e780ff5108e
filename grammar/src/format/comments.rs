//! Where comments go.
//! In: a text with its comments, and the tokens that are printed for it. Out: the comments before
//! and after each printed token. A comment that ends a line stays behind the token before it, any
//! other stays before the token that follows it. None is lost, whatever tokens are left out, added
//! or moved.

use super::Token;
use super::source::Source;

/// How many tokens between two names may be new, before the others are no longer looked for.
const MAX_MISSES: usize = 8;

/// A comment and its surroundings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comment<'t> {
    /// The byte at which it begins.
    pub(crate) start: usize,
    /// With its signs; no blanks at the end of a `--`.
    pub(crate) text: &'t str,
    /// Ends of lines between what stands before and the comment, at most two.
    pub(super) n_newlines_before: usize,
    /// Ends of lines between the comment and what follows, at most two.
    pub(super) n_newlines_after: usize,
}

/// The comments around each printed token.
#[derive(Default)]
pub(super) struct Placed<'t> {
    before: Vec<Vec<Comment<'t>>>,
    after: Vec<Vec<Comment<'t>>>,
}

impl<'t> Placed<'t> {
    pub(super) fn before(&self, token: usize) -> &[Comment<'t>] {
        self.before.get(token).map_or(&[], Vec::as_slice)
    }

    pub(super) fn after(&self, token: usize) -> &[Comment<'t>] {
        self.after.get(token).map_or(&[], Vec::as_slice)
    }

    /// Returns the columns that comments take before a token, on its line.
    pub(super) fn columns_before(&self, token: usize) -> usize {
        let within = self.before(token).iter().filter(|comment| comment.n_newlines_after == 0);
        within.map(|comment| comment.text.chars().count() + 1).sum()
    }

    /// Returns whether a line has to end between a token and the one before it.
    pub(super) fn breaks_before(&self, token: usize) -> bool {
        let breaks = |comment: &Comment<'_>| {
            comment.n_newlines_before + comment.n_newlines_after > 0 || comment.text.contains('\n')
        };
        self.before(token).iter().any(breaks)
            || token.checked_sub(1).is_some_and(|before| !self.after(before).is_empty())
    }
}

/// Finds the place of each comment.
pub(super) fn place<'t>(source: &Source<'t>, tokens: &[Token]) -> Placed<'t> {
    let printed = align(source, tokens);
    let mut placed =
        Placed { before: vec![Vec::new(); tokens.len()], after: vec![Vec::new(); tokens.len()] };
    // What waits for the next token that is printed, and the last one that was.
    let mut waiting: Vec<Comment<'t>> = Vec::new();
    let mut last: Option<usize> = None;
    let end = tokens.len().saturating_sub(1);
    let is_sign = |token: usize| matches!(tokens[token].text.as_str(), "," | ";");
    for (idx, comments) in source.comments.iter().enumerate() {
        let mut comments = comments.as_slice();
        let n_trailing = n_trailing(comments);
        if let (Some(last), true, true) = (last, waiting.is_empty(), n_trailing > 0) {
            // Behind the comma that follows, wherever that stood.
            let mut behind = last;
            while behind + 1 < end && is_sign(behind + 1) {
                behind += 1;
            }
            let trailing;
            (trailing, comments) = comments.split_at(n_trailing);
            if placed.after[behind].is_empty() {
                placed.after[behind] = trailing.to_vec();
            } else {
                // That line has its comment.
                waiting.extend(trailing);
                waiting[0].n_newlines_before = 1;
            }
        }
        waiting.extend(comments);
        let token = if idx == source.tokens.len() { Some(end) } else { printed[idx] };
        let Some(token) = token else { continue };
        last = Some(token);
        // A comma or semicolon begins no line; what would stand on the lines before it waits.
        let has_line =
            waiting.iter().any(|comment| comment.n_newlines_before + comment.n_newlines_after > 0);
        if !(has_line && is_sign(token)) {
            placed.before[token].append(&mut waiting);
        }
    }
    placed
}

/// Returns how many comments stand on the line of the token before them, and end it.
fn n_trailing(comments: &[Comment<'_>]) -> usize {
    match comments.iter().position(|comment| comment.n_newlines_after > 0) {
        Some(last) if comments[..=last].iter().all(|comment| comment.n_newlines_before == 0) => {
            last + 1
        }
        _ => 0,
    }
}

/// Returns the printed token of each token of the source, if there is one.
///
/// Names and constants know where they stood. The words and signs between two of them are looked
/// for between their places, so that the work is that of the distances.
fn align(source: &Source<'_>, tokens: &[Token]) -> Vec<Option<usize>> {
    let mut printed = vec![None; source.tokens.len()];
    let mut anchors = Vec::new();
    for (idx, token) in tokens.iter().enumerate() {
        let found = token.offset.and_then(|offset| source.token_at(offset));
        if let Some(found) = found
            && is_same(source.tokens[found].of(source.text), &token.text)
            && printed[found].is_none()
        {
            printed[found] = Some(idx);
            anchors.push((idx, found));
        }
    }
    let is_anchor: Vec<bool> = printed.iter().map(Option::is_some).collect();
    let mut before: Option<(usize, usize)> = None;
    for after in anchors.into_iter().map(Some).chain([None]) {
        let mut first = before.map_or(0, |(idx, _)| idx + 1);
        let last = after.map_or(tokens.len(), |(idx, _)| idx);
        // Forwards from the one before, then backwards from the one after: they need not be
        // neighbours in the text, because clauses have one order here.
        let mut at = before.map_or(0, |(_, found)| found + 1);
        while first < last {
            let window = (at..is_anchor.len()).take_while(|at| !is_anchor[*at]);
            let text = &tokens[first].text;
            let found = window.clone().find(|at| {
                printed[*at].is_none() && is_same(source.tokens[*at].of(source.text), text)
            });
            let Some(found) = found else { break };
            printed[found] = Some(first);
            at = found + 1;
            first += 1;
        }
        let mut at = after.map_or(is_anchor.len(), |(_, found)| found);
        let mut n_misses = 0;
        for idx in (first..last).rev() {
            let mut window = (0..at).rev().take_while(|at| !is_anchor[*at]);
            let text = &tokens[idx].text;
            let found = window.find(|at| {
                printed[*at].is_none() && is_same(source.tokens[*at].of(source.text), text)
            });
            match found {
                Some(found) => {
                    printed[found] = Some(idx);
                    at = found;
                }
                None => n_misses += 1,
            }
            if n_misses == MAX_MISSES {
                break;
            }
        }
        before = after;
    }
    printed
}

fn is_same(written: &str, printed: &str) -> bool {
    written.eq_ignore_ascii_case(printed) || (written == "!=" && printed == "<>")
}

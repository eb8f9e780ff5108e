//! What the line editor asks while somebody types: candidates, hints, colours, and whether Enter ends
//! the entry. In: the text and the cursor. Out: answers from the engine's catalog and the history; none
//! waits for a provider.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use rustyline::completion::{Completer as Completing, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::SearchDirection;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use sessionql_core::display::escape_controls;
use sessionql_core::{Candidate, CandidateKind, Completer, Parameters};
use sessionql_grammar::{Completeness, completeness};
use unicode_width::UnicodeWidthStr as _;

use super::colours::{GREY, PLAIN, colour};
use super::command::{COMMANDS, Command};
use super::editor::{command_at, is_command};
use crate::environment;

/// Up to so many candidates are listed with what there is to say of them, one in a line.
const MAX_DETAILED: usize = 12;

/// A longer text has neither colours nor hints: both look at all of it for each key.
const MAX_LIVELY_BYTES: usize = 20_000;

/// So many rows are listed even if that moves the entry up.
const MIN_ROWS: usize = 4;

/// What is between a candidate and what there is to say of it.
const GAP: &str = "  ";

/// Answers what the line editor asks.
pub(super) struct PromptHelper {
    completer: Completer,
    /// The parameters that have values.
    pub(super) parameters: Parameters,
    /// Whether a question is asked, so that any line is an answer.
    pub(super) is_question: bool,
    /// Where the cursor is, unless the entry ends.
    cursor: Cell<Option<usize>>,
    /// The candidates that are listed below the entry, until it changes.
    listing: RefCell<Option<Listing>>,
}

/// Candidates that are listed below an entry. The line editor's own list would overwrite an entry of
/// several lines.
struct Listing {
    /// The entry.
    text: String,
    /// Where the cursor is in it.
    at: usize,
    shown: String,
    /// Whether each line has one candidate and what there is to say of it.
    is_detailed: bool,
}

impl PromptHelper {
    pub(super) fn new(completer: Completer) -> Self {
        let parameters = Parameters::default();
        let (cursor, listing) = (Cell::new(None), RefCell::new(None));
        Self { completer, parameters, is_question: false, cursor, listing }
    }

    /// Returns what may stand at the cursor, and where it begins.
    fn candidates(&self, text: &str, at: usize) -> (usize, Vec<Candidate>) {
        let before = &text[..at];
        let Some(command) = command_at(before) else {
            let completion = self.completer.complete(text, at, &self.parameters);
            return (completion.span.start, completion.candidates);
        };
        let begin = command + 1;
        let typed = &before[begin..];
        if !typed.contains(char::is_whitespace) {
            let known = COMMANDS.iter().filter(|command| command.name.starts_with(typed));
            let candidate = |command: &Command| Candidate {
                text: command.name.to_owned(),
                kind: CandidateKind::Word,
                detail: Some(format!("{} {}", command.arguments, command.doc).trim().to_owned()),
            };
            return (begin, known.map(candidate).collect());
        }
        (at, Vec::new())
    }
}

impl PromptHelper {
    /// Returns what the function takes whose name a text ends with.
    fn signature(&self, text: &str) -> Option<Rest> {
        let begin = text.rfind(|c: char| c != '_' && !c.is_alphanumeric()).map_or(0, |at| at + 1);
        let asked = format!("SELECT {}", &text[begin..]);
        let candidates = self.completer.complete(&asked, asked.len(), &self.parameters).candidates;
        let call = format!("{}(", text[begin..].to_lowercase());
        let function = candidates.into_iter().find(|candidate| {
            candidate.kind == CandidateKind::Function && candidate.text == call
        })?;
        let signature = function.detail?;
        let shown = escape_controls(signature.lines().next()?.strip_prefix(&call)?);
        Some(Rest { shown, rest: None })
    }
}

impl Helper for PromptHelper {}

impl Completing for PromptHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        if self.is_question {
            return Ok((pos, Vec::new()));
        }
        let (start, candidates) = self.candidates(line, pos);
        let typed = &line[start..pos];
        let replacement = match candidates.as_slice() {
            [] => return Ok((pos, Vec::new())),
            [only] => only.text.clone(),
            several => {
                let common = common_begin(several);
                let begin = if common.len() > typed.len() { common } else { typed };
                let before = format!("{}{begin}", &line[..start]);
                let text = format!("{before}{}", &line[pos..]);
                let (n_columns, n_lines) = environment::screen_size().unwrap_or((80, 24));
                let n_free = n_lines.saturating_sub(n_rows(&text, n_columns));
                let (shown, is_detailed) = listed(several, n_columns, n_free.max(MIN_ROWS));
                let listing = Listing { text, at: before.len(), shown, is_detailed };
                self.listing.replace(Some(listing));
                begin.to_owned()
            }
        };
        Ok((start, vec![Pair { display: String::new(), replacement }]))
    }
}

/// Returns how many rows of a screen a text takes at most, with the prompt before it.
fn n_rows(text: &str, n_columns: usize) -> usize {
    text.split('\n').map(|line| line.width() / n_columns.max(1) + 1).sum::<usize>() + 1
}

/// Returns what all candidates begin with.
fn common_begin(candidates: &[Candidate]) -> &str {
    let (first, others) = match candidates {
        [first, others @ ..] => (first.text.as_str(), others),
        [] => return "",
    };
    let n_common = |other: &Candidate| {
        let pairs = first.char_indices().zip(other.text.chars());
        let end = pairs.take_while(|((_, a), b)| a == b).last();
        end.map_or(0, |((at, c), _)| at + c.len_utf8())
    };
    &first[..others.iter().map(n_common).min().unwrap_or(first.len())]
}

/// Returns candidates as they are listed below an entry, and whether with what there is to say of them.
fn listed(candidates: &[Candidate], n_columns: usize, n_rows: usize) -> (String, bool) {
    let names: Vec<_> =
        candidates.iter().map(|candidate| escape_controls(&candidate.text)).collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let has_detail = candidates.iter().any(|candidate| candidate.detail.is_some());
    let is_detailed = has_detail && candidates.len() <= MAX_DETAILED.min(n_rows);
    let padded = |name: &String| format!("{name}{}", " ".repeat(widest - name.width()));
    let mut lines = Vec::new();
    if is_detailed {
        for (name, candidate) in names.iter().zip(candidates) {
            let detail = escape_controls(candidate.detail.as_deref().unwrap_or_default());
            lines.push(format!("{}{GAP}{detail}", padded(name)));
        }
    } else {
        let n_abreast = (n_columns / (widest + GAP.len())).max(1);
        let n_lines = names.len().div_ceil(n_abreast);
        let n_shown = if n_lines > n_rows { n_rows.saturating_sub(1) } else { n_lines };
        for row in 0..n_shown {
            let line: Vec<_> = names.iter().skip(row).step_by(n_lines).map(padded).collect();
            lines.push(line.join(GAP));
        }
        if n_shown < n_lines {
            lines.push(format!("… {} in all", names.len()));
        }
    }
    let room = n_columns.saturating_sub(1);
    let lines = lines.iter().map(|line| format!("\n{}", cut(line.trim_end(), room)));
    (lines.collect(), is_detailed)
}

/// Returns as much of a text as has room in so many columns.
fn cut(text: &str, n_columns: usize) -> String {
    if text.width() <= n_columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if cut.width() + 2 > n_columns {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

/// What could follow.
pub(super) struct Rest {
    shown: String,
    /// What the right arrow takes; nothing if it is only to be read.
    rest: Option<String>,
}

impl Rest {
    fn new(rest: &str) -> Self {
        let shown = match rest.split_once('\n') {
            Some((first, _)) => format!("{first} …"),
            None => rest.to_owned(),
        };
        Self { shown: escape_controls(&shown), rest: Some(rest.to_owned()) }
    }
}

impl Hint for Rest {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.rest.as_deref()
    }
}

impl Hinter for PromptHelper {
    type Hint = Rest;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<Rest> {
        let mut listing = self.listing.borrow_mut();
        if let Some(of) = listing.as_ref().filter(|of| of.text == line && of.at == pos) {
            return Some(Rest { shown: of.shown.clone(), rest: None });
        }
        *listing = None;
        let is_at_end = pos == line.len();
        if self.is_question || line.trim().is_empty() || !is_at_end || pos > MAX_LIVELY_BYTES {
            return None;
        }
        let history = context.history();
        let newest = history.len().checked_sub(1);
        let found = newest.and_then(|newest| {
            history.starts_with(line, newest, SearchDirection::Reverse).ok().flatten()
        });
        if let Some(found) = found
            && let Some(rest) = found.entry.strip_prefix(line).filter(|rest| !rest.is_empty())
        {
            return Some(Rest::new(rest));
        }
        if let Some(before) = line.strip_suffix('(') {
            return self.signature(before);
        }
        let (start, candidates) = self.candidates(line, pos);
        let [only] = candidates.as_slice() else { return None };
        let rest = only.text.strip_prefix(&line[start..])?;
        (start < pos && !rest.is_empty()).then(|| Rest::new(rest))
    }
}

impl Highlighter for PromptHelper {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.is_question || line.len() > MAX_LIVELY_BYTES || line.trim_start().starts_with('\\')
        {
            return Cow::Borrowed(line);
        }
        Cow::Owned(colour(line, self.cursor.get()))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        let listing = self.listing.borrow();
        let Some(listing) = listing.as_ref().filter(|listing| listing.shown == hint) else {
            return Cow::Owned(format!("{GREY}{hint}{PLAIN}"));
        };
        if !listing.is_detailed {
            return Cow::Borrowed(hint);
        }
        let lines = hint.split('\n').skip(1).map(|line| match line.split_once(GAP) {
            Some((name, detail)) => format!("\n{name}{GAP}{GREY}{detail}{PLAIN}"),
            None => format!("\n{line}"),
        });
        Cow::Owned(lines.collect())
    }

    fn highlight_char(&self, line: &str, pos: usize, kind: CmdKind) -> bool {
        let is_end = kind == CmdKind::ForcedRefresh;
        self.cursor.set((!is_end).then_some(pos));
        line.len() <= MAX_LIVELY_BYTES
    }
}

impl Validator for PromptHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let is_begun = completeness(text) == Completeness::Incomplete;
        if self.is_question || is_command(text) || !is_begun {
            Ok(ValidationResult::Valid(None))
        } else {
            Ok(ValidationResult::Incomplete)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_candidates_say_what_they_are_and_fit_the_screen() {
        let candidate = |text: &str, detail: &str| Candidate {
            text: text.to_owned(),
            kind: CandidateKind::Column,
            detail: Some(detail.to_owned()),
        };
        let few =
            [candidate("id", "text  The id."), candidate("user", "text  The login, at length.")];
        let (shown, is_detailed) = listed(&few, 24, 10);
        assert_eq!(shown, "\nid    text  The id.\nuser  text  The login,…");
        assert!(is_detailed);
        let many: Vec<_> = (0..20).map(|n| candidate(&format!("c{n}"), "text")).collect();
        let (shown, _) = listed(&many, 30, 10);
        assert!(shown.starts_with("\nc0   c4   c8   c12  c16\nc1 "), "{shown}");
        let (shown, _) = listed(&many, 14, 3);
        assert_eq!(shown, "\nc0   c10\nc1   c11\n… 20 in all");
    }

    #[test]
    fn candidates_begin_alike_as_far_as_they_do() {
        let common = |texts: &[&str]| {
            let candidate = |text: &&str| Candidate {
                text: (*text).to_owned(),
                kind: CandidateKind::Column,
                detail: None,
            };
            common_begin(&texts.iter().map(candidate).collect::<Vec<_>>()).to_owned()
        };
        assert_eq!(common(&["start", "status"]), "sta");
        assert_eq!(common(&["\"ü a\"", "\"ü b\""]), "\"ü ");
        assert_eq!(common(&["id", "user"]), "");
    }
}

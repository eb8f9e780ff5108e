//! The editor of the prompt: reads one entry, which is whole statements or a command.
//! In: keys. Out: a text, kept in the history before anything is done with it. One buffer holds all
//! its lines, so that the arrow keys reach each of them; the language decides when it is whole.

use rustyline::config::{BellStyle, Configurer as _};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use sessionql_core::{Completer, Parameters};
use sessionql_grammar::{Completeness, Paint, completeness, paint};

use super::command;
use super::edit;
use super::helper::PromptHelper;
use super::history::{History, MAX_ENTRIES};
use crate::environment;
use crate::report::{Report, Reporter};

/// The prompt of the REPL.
pub(super) struct Prompt {
    editor: Editor<PromptHelper, FileHistory>,
    history: History,
    /// The last text that was entered and was no command.
    last: String,
    /// What stands at the prompt before a key is pressed.
    begun: String,
}

impl Prompt {
    /// Returns a prompt with the history of earlier ones.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub(super) fn open(completer: Completer, reporter: Reporter) -> Result<Self, ReadlineError> {
        let config =
            Config::builder().auto_add_history(false).completion_type(CompletionType::List).build();
        let mut editor = Editor::with_config(config)?;
        editor.set_bell_style(BellStyle::None);
        editor.set_history_ignore_space(true);
        editor.set_max_history_size(MAX_ENTRIES)?;
        editor.set_helper(Some(PromptHelper::new(completer)));
        let history = History::open(environment::history_file(), &mut editor, reporter);
        Ok(Self { editor, history, last: String::new(), begun: String::new() })
    }

    /// Reads lines until they are whole statements or a command; nothing at the end of the input.
    pub(super) fn read(&mut self, prompt: &str, parameters: &Parameters) -> Option<String> {
        if let Some(helper) = self.editor.helper_mut() {
            helper.parameters = parameters.clone();
            helper.is_question = false;
        }
        loop {
            let begun = std::mem::take(&mut self.begun);
            let text = match self.editor.readline_with_initial(prompt, (&begun, "")) {
                Ok(text) => text,
                Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => continue,
                // The end of the input, or of the terminal.
                Err(_) => return None,
            };
            let text = text.trim_end();
            if text.trim().is_empty() {
                continue;
            }
            self.history.add(&mut self.editor, text);
            if is_command(text) {
                return Some(text.to_owned());
            }
            if completeness(text) != Completeness::Empty {
                self.last = text.to_owned();
                return Some(text.to_owned());
            }
        }
    }

    /// Asks a question that is answered with yes or no; Ctrl-C and Ctrl-D are no answer, and so mean
    /// no.
    pub(super) fn ask(&mut self, question: &str) -> bool {
        if let Some(helper) = self.editor.helper_mut() {
            helper.is_question = true;
        }
        let answer = self.editor.readline(question).unwrap_or_default();
        matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }

    /// Lets somebody edit a text, or the last statement if it is empty, or a file. Returns what is to
    /// be run; what is not whole stands at the next prompt.
    ///
    /// # Errors
    /// If there is no editor, or it fails.
    pub(super) fn edit(
        &mut self,
        text: &str,
        file: Option<&str>,
    ) -> Result<Option<String>, Report> {
        let text = if text.is_empty() { &self.last } else { text };
        let edited = edit::edit(text, file)?;
        let edited = edited.trim();
        match completeness(edited) {
            Completeness::Empty => Ok(None),
            Completeness::Complete => {
                self.history.add(&mut self.editor, edited);
                self.last = edited.to_owned();
                Ok(Some(edited.to_owned()))
            }
            Completeness::Incomplete => {
                self.begun = edited.to_owned();
                Ok(None)
            }
        }
    }
}

/// Tells whether a text is a command or ends with one, so that it needs no `;`.
pub(super) fn is_command(text: &str) -> bool {
    command::is_command(text) || command_at(text).is_some()
}

/// Returns where a command begins: at a backslash outside of texts and comments.
pub(super) fn command_at(text: &str) -> Option<usize> {
    let begin = text.len() - text.trim_start().len();
    if text[begin..].starts_with('\\') {
        return Some(begin);
    }
    let parts = paint(text).into_iter();
    let mut unknown = parts.filter(|(_, paint)| *paint == Paint::Unknown);
    unknown.find(|(span, _)| span.of(text) == "\\").map(|(span, _)| span.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_begins_a_command_where_it_is_no_text() {
        for (text, at) in [
            (r"\q", Some(0)),
            (r"  \e file", Some(2)),
            (r"SELECT 1 \e", Some(9)),
            (r"SELECT '\e'", None),
            (r"SELECT 1 -- \e", None),
            ("SELECT 1;", None),
        ] {
            assert_eq!(command_at(text), at, "{text}");
        }
        assert!(is_command("exit;") && is_command(" HELP ") && !is_command("exit 1;"));
    }
}

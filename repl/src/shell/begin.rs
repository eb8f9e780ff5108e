//! What the prompt does before the first key: the statements and commands of the user's own file.
//! In: its text. Out: entries, as they would have been typed.

use std::path::Path;

use sessionql_grammar::{Completeness, completeness};

use super::editor::Prompt;
use super::{Flow, Shell, command};
use crate::script;

impl Shell {
    /// Does what stands in a file, if it is there. What fails is told, and the rest is done.
    pub(super) fn begin(&mut self, file: &Path, prompt: &mut Prompt) -> Flow {
        if !file.exists() {
            return Flow::GoOn;
        }
        match script::read(file) {
            Err(refusal) => self.refuse(refusal),
            Ok(script) => {
                for entry in entries(&script.text) {
                    if let Flow::Quit(exit) = self.take(entry, prompt) {
                        return Flow::Quit(exit);
                    }
                }
            }
        }
        Flow::GoOn
    }
}

/// Returns what a text would be at the prompt: commands, each a line, and statements, of any number of
/// lines. What is not ended at the end is an entry too, so that it is told of.
fn entries(text: &str) -> Vec<String> {
    let mut entries = Vec::new();
    let mut entry = String::new();
    for line in text.lines() {
        entry.push_str(line);
        let is_whole = match completeness(&entry) {
            Completeness::Empty => {
                // A comment, or nothing.
                entry.clear();
                false
            }
            Completeness::Complete => true,
            Completeness::Incomplete => command::is_command(&entry),
        };
        if is_whole {
            entries.push(std::mem::take(&mut entry));
        } else if !entry.is_empty() {
            entry.push('\n');
        }
    }
    entries.extend(Some(entry).filter(|entry| !entry.trim().is_empty()));
    entries
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn a_file_has_commands_and_statements() {
        let text = "-- mine\n\\timing on\n\n.set null -\nSELECT 1\n  -- one\n  AS one;\nSET x = 1; SET y = 2;\n\\x auto\nSELECT 2";
        assert_eq!(
            entries(text),
            [
                "\\timing on",
                ".set null -",
                "SELECT 1\n  -- one\n  AS one;",
                "SET x = 1; SET y = 2;",
                "\\x auto",
                "SELECT 2\n",
            ]
        );
        assert!(entries(" \n-- nothing\n").is_empty());
    }
}

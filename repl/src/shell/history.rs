//! What was typed in the REPL, kept in a file that only its owner can read.
//! That it cannot be kept is worth a note, once, and nothing else.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};

use crate::report::{Kind, Report, Reporter};

/// How many texts are kept.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// The history and its file, if there is one.
pub(super) struct History {
    file: Option<PathBuf>,
    reporter: Reporter,
}

impl History {
    /// Reads the history into the editor; makes the file if it is not there.
    pub(super) fn open<H: Helper>(
        file: Option<PathBuf>,
        editor: &mut Editor<H, FileHistory>,
        reporter: Reporter,
    ) -> Self {
        let mut history = Self { file, reporter };
        let Some(file) = history.file.clone() else { return history };
        if let Err(error) = create(&file) {
            history.give_up(&error.to_string());
        } else if let Err(error) = editor.load_history(&file) {
            history.give_up(&error.to_string());
        }
        history
    }

    /// Adds a text, to the file too, before it runs.
    pub(super) fn add<H: Helper>(&mut self, editor: &mut Editor<H, FileHistory>, text: &str) {
        let is_new = editor.add_history_entry(text).unwrap_or(false);
        if let Some(file) = self.file.as_ref().filter(|_| is_new)
            && let Err(error) = editor.append_history(file)
        {
            self.give_up(&error.to_string());
        }
    }

    fn give_up(&mut self, why: &str) {
        if let Some(file) = self.file.take() {
            let message = format!("the history is not kept in `{}`: {why}", file.display());
            self.reporter.show(&Report::new(Kind::Note, message));
        }
    }
}

/// Makes the file and its directory, for the owner alone.
fn create(file: &Path) -> io::Result<()> {
    let mut directory = DirBuilder::new();
    directory.recursive(true);
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        directory.mode(0o700);
        options.mode(0o600);
    }
    if let Some(parent) = file.parent() {
        directory.create(parent)?;
    }
    options.open(file).map(drop)
}

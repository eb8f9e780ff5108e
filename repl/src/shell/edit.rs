//! Editing a text in the editor of the user's choice.
//! In: a text, or a file of theirs. Out: what was saved. A text goes into a file that only its owner
//! can read, and which is gone afterwards.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use sessionql_core::display::escape_controls;

use crate::environment;
use crate::report::{Kind, Report};

/// What is started if neither `VISUAL` nor `EDITOR` names an editor.
const DEFAULT_EDITOR: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// Opens an editor with a text, or with a file, and returns what it left there.
///
/// # Errors
/// If there is no editor, it fails, or what it left cannot be read.
pub(super) fn edit(text: &str, file: Option<&str>) -> Result<String, Report> {
    if let Some(file) = file {
        let path = Path::new(file);
        open(path)?;
        return read(path);
    }
    let cannot = |error: std::io::Error| failed(format!("no file to edit can be made: {error}"));
    let mut own =
        tempfile::Builder::new().prefix("sessionql-").suffix(".sql").tempfile().map_err(cannot)?;
    if !text.is_empty() {
        writeln!(own, "{text}").and_then(|()| own.flush()).map_err(cannot)?;
    }
    // Some editors write a new file in the place of the old one, so it is not held open.
    let path = own.into_temp_path();
    open(&path)?;
    read(&path)
}

/// Runs the editor on a file until it ends.
fn open(path: &Path) -> Result<(), Report> {
    let editor = environment::variable("VISUAL").or_else(|| environment::variable("EDITOR"));
    let editor = editor.unwrap_or_else(|| DEFAULT_EDITOR.to_owned());
    let name = escape_controls(&editor);
    let status = command(&editor, path).status().map_err(|error| {
        failed(format!("the editor `{name}` cannot be started: {error}"))
            .with_hint(Some("`VISUAL` or `EDITOR` names the editor".to_owned()))
    })?;
    match status.code() {
        Some(0) => Ok(()),
        // What a shell says of a program that is not there, or is none.
        Some(126 | 127) => Err(failed(format!("the editor `{name}` cannot be started"))
            .with_hint(Some("`VISUAL` or `EDITOR` names the editor".to_owned()))),
        Some(code) => {
            Err(failed(format!("the editor `{name}` ended with code {code}; nothing was taken")))
        }
        None => Err(failed(format!("the editor `{name}` was ended; nothing was taken"))),
    }
}

/// Returns the command of an editor, which may have arguments of its own.
fn command(editor: &str, path: &Path) -> Command {
    if cfg!(unix) {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path);
        command
    } else {
        let mut words = editor.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(path);
        command
    }
}

fn read(path: &Path) -> Result<String, Report> {
    std::fs::read_to_string(path).map_err(|error| {
        let path = escape_controls(&path.display().to_string());
        failed(format!("`{path}` cannot be read: {error}"))
    })
}

fn failed(message: String) -> Report {
    Report::new(Kind::Error, message)
}

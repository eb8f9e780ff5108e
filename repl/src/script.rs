//! The texts to run, and where they come from.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sessionql_grammar::ast::Statement;

use crate::saved::SavedQuery;
use crate::usage::Refusal;

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line itself.
    Text(String),
    /// A file; `-` is standard input.
    File(PathBuf),
}

/// A text with the name that errors in it give.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Script {
    /// The file's name, if there is a file.
    pub(crate) name: Option<String>,
    /// The text.
    pub(crate) text: String,
}

impl Script {
    /// Returns a text without a name.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { name: None, text: text.into() }
    }
}

/// A text that was read and parsed.
#[derive(Debug)]
pub(crate) struct ParsedScript {
    /// The text.
    pub(crate) script: Script,
    /// Its statements.
    pub(crate) statements: Vec<Statement>,
    /// What its header says.
    pub(crate) saved: SavedQuery,
}

impl Source {
    /// Returns the name of its file; nothing for a text of the command line and for standard input.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::File(file) if file != Path::new("-") => Some(file.display().to_string()),
            _ => None,
        }
    }

    /// Reads the text.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn read(&self) -> Result<Script, Refusal> {
        match self {
            Self::Text(text) => Ok(Script::new(text)),
            Self::File(file) => read(file),
        }
    }
}

/// Reads a file; `-` is standard input.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn read(file: &Path) -> Result<Script, Refusal> {
    if file == Path::new("-") {
        return read_stdin();
    }
    let name = file.display().to_string();
    let bytes = std::fs::read(file)
        .map_err(|error| Refusal::new(format!("`{name}` cannot be read: {error}")))?;
    let text = text(bytes, &name)?;
    Ok(Script { name: Some(name), text })
}

fn read_stdin() -> Result<Script, Refusal> {
    let name = "standard input";
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Refusal::new(format!("{name} cannot be read: {error}")))?;
    Ok(Script::new(text(bytes, name)?))
}

/// Returns the bytes as text, without the mark that some editors put at its begin.
fn text(bytes: Vec<u8>, name: &str) -> Result<String, Refusal> {
    let text = String::from_utf8(bytes).map_err(|error| {
        Refusal::new(format!(
            "{name} is not UTF-8, from byte {} on",
            error.utf8_error().valid_up_to()
        ))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

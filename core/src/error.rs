//! Everything that can go wrong between a text and its rows.
//! Variants are chosen by who must act; the binary maps them to exit codes and draws carets.
//! Positions are byte spans into the text of the script that was parsed.

use std::path::PathBuf;
use std::time::Duration;

use sessionql_grammar::ParseError;
use sessionql_grammar::ast::Span;
use sessionql_plugin_abi::{Reason, WireError};

use crate::lower::LowerError;
use crate::parameters::Problem;
use crate::plugin::SilentPlugin;

/// The error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not the language.
    #[error("{0}")]
    Syntax(ParseError),
    /// The text names what is not there, or asks for what the language does not mean.
    #[error("{0}")]
    Lower(LowerError),
    /// The engine refused the query: names, types, constants.
    #[error("{message}")]
    Query {
        /// What is wrong.
        message: String,
        /// Where, if the engine told.
        span: Option<Span>,
        /// What to do.
        hint: Option<String>,
    },
    /// Parameters are missing, of the wrong type or declared wrongly: all that is wrong at once.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Parameters {
        /// What is wrong, at least one thing.
        problems: Vec<Problem>,
    },
    /// The configuration is wrong.
    #[error("{0}")]
    Config(ConfigError),
    /// The file of a local table is not what it should be.
    #[error("{}{}: local table `{table}`: {message}", file.display(), line.map_or(String::new(), |line| format!(":{line}")))]
    File {
        /// The table.
        table: String,
        /// The file.
        file: PathBuf,
        /// The line, counted from 1, where the format has lines.
        line: Option<usize>,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A plugin is not there, or is not one that this build can use.
    #[error("{message}")]
    Plugin {
        /// The plugin's name.
        plugin: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A scan failed. What the host says of a request names the connection by itself.
    #[error("{}", scan_message(connection, table, error))]
    Scan {
        /// The connection.
        connection: String,
        /// The table.
        table: String,
        /// What the host or the plugin said.
        error: WireError,
    },
    /// No connection of `FROM sessions` could be read.
    #[error("no connection of `sessions` could be read: {}", failures.iter().map(|(name, error)| format!("`{name}`: {error}")).collect::<Vec<_>>().join("; "))]
    Sessions {
        /// The connections, and why each failed.
        failures: Vec<(String, Self)>,
    },
    /// A value of the rows broke an expression while the query ran.
    #[error("{message}")]
    Run {
        /// What the engine said.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The statement needs more memory than it may have.
    #[error("the query needs more memory than the limit of {}: {message}", crate::display::size(*limit_bytes))]
    Memory {
        /// The limit.
        limit_bytes: usize,
        /// Which part asked for how much.
        message: String,
    },
    /// The deadline passed.
    #[error("timed out after {}{}", crate::duration::human(*after), silent.as_ref().map_or(String::new(), |silent| format!(": {silent}")))]
    Timeout {
        /// The time that was allowed.
        after: Duration,
        /// The plugin that was waited for, if it was one.
        silent: Option<SilentPlugin>,
    },
    /// The user interrupted the statement.
    #[error("interrupted")]
    Cancelled,
    /// A bug of this program.
    #[error("internal error: {message}; this is a bug, please report it with the query")]
    Internal {
        /// What was not as it must be.
        message: String,
    },
}

/// What is wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", self.place())]
pub struct ConfigError {
    /// The file, if it came from one.
    pub file: Option<PathBuf>,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl ConfigError {
    /// Returns an error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { file: None, line: None, message: message.into(), hint: None }
    }

    /// Returns the error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{}:{line}: ", file.display()),
            (Some(file), None) => format!("{}: ", file.display()),
            _ => String::new(),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        Self::Syntax(error)
    }
}

impl From<LowerError> for Error {
    fn from(error: LowerError) -> Self {
        Self::Lower(error)
    }
}

/// The classes of errors that scripts tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Wrong before the first data request: text, parameters, configuration. Exit 2.
    Input,
    /// A scan or the run failed. Exit 3.
    Failed,
    /// The plugin of a named table is not found or refused. Exit 5.
    Plugin,
    /// The deadline passed. Exit 124.
    Timeout,
    /// Interrupted. Exit 130.
    Cancelled,
}

impl Error {
    /// Returns the class of the error.
    pub fn class(&self) -> Class {
        match self {
            Self::Syntax(_)
            | Self::Lower(_)
            | Self::Query { .. }
            | Self::Parameters { .. }
            | Self::Config(_)
            | Self::File { .. } => Class::Input,
            Self::Plugin { .. } => Class::Plugin,
            Self::Scan { error, .. } => match error.code {
                Reason::Config => Class::Input,
                Reason::Cancelled => Class::Cancelled,
                _ => Class::Failed,
            },
            Self::Sessions { .. }
            | Self::Run { .. }
            | Self::Memory { .. }
            | Self::Internal { .. } => Class::Failed,
            Self::Timeout { .. } => Class::Timeout,
            Self::Cancelled => Class::Cancelled,
        }
    }

    /// Returns where in the text the error lies, if it lies there.
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Syntax(error) => Some(error.span),
            Self::Lower(error) => Some(error.span),
            Self::Query { span, .. } => *span,
            Self::Parameters { problems } => problems.first().and_then(|problem| problem.span),
            _ => None,
        }
    }

    /// Returns what to do about the error, if that is certain to help.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax(error) => error.hint(),
            Self::Lower(error) => error.hint(),
            Self::Parameters { problems } => {
                problems.first().and_then(|problem| problem.hint.clone())
            }
            Self::Config(error) => error.hint.clone(),
            Self::Query { hint, .. }
            | Self::Plugin { hint, .. }
            | Self::File { hint, .. }
            | Self::Run { hint, .. } => hint.clone(),
            Self::Scan { error, .. } => error.hint.clone(),
            Self::Sessions { failures } => failures.first().and_then(|(_, error)| error.hint()),
            Self::Memory { .. } => {
                Some("raise `memory_limit` in `[settings]`, or narrow the query".to_owned())
            }
            Self::Timeout { silent: Some(_), .. } => Some(SilentPlugin::HINT.to_owned()),
            Self::Timeout { .. } => Some("narrow the query, or raise `--timeout`".to_owned()),
            _ => None,
        }
    }

    /// Returns an internal error.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal { message: message.into() }
    }
}

fn scan_message(connection: &str, table: &str, error: &WireError) -> String {
    if error.message.starts_with(&format!("connection `{connection}`")) {
        return error.message.clone();
    }
    format!("connection `{connection}`: scan of `{table}` failed: {}", error.message)
}

/// Returns the sentence that offers names, if there are any.
pub fn did_you_mean(candidates: &[String]) -> Option<String> {
    match candidates {
        [] => None,
        [one] => Some(format!("did you mean `{one}`?")),
        many => {
            let names: Vec<String> = many.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("did you mean {}?", names.join(" or ")))
        }
    }
}

/// Returns the names nearest to `name` by edits, at most three, the nearest first. Names that take
/// more edits than a typing error are left out.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&name, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 1 + name.len().min(known.len()) / 5)
        .collect();
    near.sort_unstable();
    near.dedup();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    let near = near.into_iter().take_while(|(distance, _)| *distance == best);
    near.take(3).map(|(_, known)| known.to_owned()).collect()
}

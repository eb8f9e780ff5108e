//! What is wrong with a command line, in the words of this program instead of the parser's.

use std::error::Error as _;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Something on the command line that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Refusal {
    /// Returns a refusal without a hint.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Returns the refusal with a hint.
    #[must_use]
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns the refusal as one of an option's value.
    #[must_use]
    pub(crate) fn of_option(self, option: &str) -> Self {
        Self { message: format!("`{option}`: {}", self.message), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        let (option, value) = (option(&error), text(&error, ContextKind::InvalidValue));
        let known = texts(&error, ContextKind::ValidValue).join("`, `");
        match error.kind() {
            ErrorKind::UnknownArgument if option.starts_with('-') => {
                Self::new(format!("no option `{option}`"))
                    .with_hint("`sessionql --help` lists the options")
                    .with_suggestion(&error, ContextKind::SuggestedArg)
            }
            ErrorKind::UnknownArgument => Self::new(format!("unexpected argument `{option}`"))
                .with_hint("give queries with `-c QUERY` or `-f FILE`"),
            ErrorKind::InvalidSubcommand => {
                let found = text(&error, ContextKind::InvalidSubcommand);
                Self::new(format!("unexpected argument `{found}`"))
                    .with_hint("give queries with `-c QUERY` or `-f FILE`")
                    .with_suggestion(&error, ContextKind::SuggestedSubcommand)
            }
            ErrorKind::MissingRequiredArgument => {
                let missing = texts(&error, ContextKind::InvalidArg);
                let verb = if missing.len() > 1 { "are" } else { "is" };
                let missing = missing.join("`, `");
                match missing.starts_with("<FILE>") {
                    true => Self::new("no file is named").with_hint("`-` is standard input"),
                    false => Self::new(format!("`{missing}` {verb} missing")),
                }
            }
            ErrorKind::MissingSubcommand => {
                let tasks = texts(&error, ContextKind::ValidSubcommand).join("`, `");
                Self::new("a task is missing").with_hint(format!("one of `{tasks}`"))
            }
            ErrorKind::InvalidValue if value.is_empty() => {
                let refusal = Self::new(format!("`{option}` needs a value"));
                if known.is_empty() {
                    refusal
                } else {
                    refusal.with_hint(format!("one of `{known}`"))
                }
            }
            ErrorKind::InvalidValue => Self::new(format!("`{value}` is none of `{known}`"))
                .with_suggestion(&error, ContextKind::SuggestedValue)
                .of_option(&option),
            ErrorKind::ValueValidation => {
                let own = error.source().and_then(|source| source.downcast_ref::<Self>());
                let other = || Self::new(format!("`{value}` is not a whole number"));
                own.cloned().unwrap_or_else(other).of_option(&option)
            }
            ErrorKind::ArgumentConflict => {
                let other = texts(&error, ContextKind::PriorArg).join("`, `");
                Self::new(format!("`{option}` does not combine with `{other}`"))
            }
            ErrorKind::TooManyValues => Self::new(format!("`{option}` takes no value")),
            ErrorKind::InvalidUtf8 => Self::new("an argument is not UTF-8"),
            _ => Self::of_rendered(&error),
        }
    }
}

impl Refusal {
    fn with_suggestion(self, error: &clap::Error, kind: ContextKind) -> Self {
        match texts(error, kind).first() {
            Some(near) => self.with_hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// Returns the parser's own words: its first line.
    fn of_rendered(error: &clap::Error) -> Self {
        let rendered = error.render().to_string();
        let line = rendered.lines().next().unwrap_or_default();
        Self::new(line.trim_start_matches("error: ").replace('\'', "`"))
    }
}

/// Returns the option that an error is about, without its value's name.
fn option(error: &clap::Error) -> String {
    let named = text(error, ContextKind::InvalidArg);
    if !named.starts_with('-') {
        return named;
    }
    named.split([' ', '=', '[']).next().unwrap_or_default().to_owned()
}

fn text(error: &clap::Error, kind: ContextKind) -> String {
    texts(error, kind).into_iter().next().unwrap_or_default()
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    let bare = |text: &String| text.split(" <").next().unwrap_or_default().to_owned();
    match error.get(kind) {
        Some(ContextValue::String(text)) if kind == ContextKind::PriorArg => vec![bare(text)],
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

//! Draws what went wrong, for people: one sentence, the place in the text, what to do about it.
//! In: errors of the engine and of the command line. Out: lines on stderr, the only ones that this
//! program writes there but its log. Every failure ends here.

mod excerpt;

use std::io::{IsTerminal as _, Write as _};

use sessionql_core::display::escape_controls;
use sessionql_core::parameters::Problem;
use sessionql_core::{Error, Warning};
use sessionql_grammar::Span;

use crate::environment;
use crate::script::Script;
use crate::usage::Refusal;

/// Something to tell, with its place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    kind: Kind,
    message: String,
    place: Option<(Script, Span)>,
    hint: Option<String>,
}

/// How bad it is; the word that the report begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something failed.
    Error,
    /// The query is probably not what its author meant.
    Warning,
    /// Rows are missing or wrong.
    Incomplete,
    /// The result is not as expected.
    Unexpected,
    /// Worth knowing.
    Note,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Incomplete => "incomplete",
            Self::Unexpected => "unexpected",
            Self::Note => "note",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Error => "1;31",
            Self::Warning | Self::Incomplete | Self::Unexpected => "1;33",
            Self::Note => "36",
        }
    }
}

impl Report {
    /// Returns a report without a place.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), place: None, hint: None }
    }

    /// Returns the report with a hint.
    #[must_use]
    pub(crate) fn with_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// Returns the report with its place in `script`.
    #[must_use]
    pub(crate) fn at(self, script: &Script, span: Option<Span>) -> Self {
        Self { place: span.map(|span| (script.clone(), span)), ..self }
    }

    /// Returns the report of an error, which lies in `script` if it has a place.
    pub(crate) fn error(error: &Error, script: Option<&Script>) -> Self {
        let place = script.cloned().zip(error.span());
        Self { place, ..Self::new(Kind::Error, error.to_string()) }.with_hint(error.hint())
    }

    /// Returns the reports of an error: one for each thing that is wrong, where it tells them apart.
    pub(crate) fn errors(error: &Error, script: Option<&Script>) -> Vec<Self> {
        match error {
            Error::Parameters { problems } => {
                problems.iter().map(|problem| Self::problem(problem, script)).collect()
            }
            error => vec![Self::error(error, script)],
        }
    }

    /// Returns the report of a parameter that is wrong.
    pub(crate) fn problem(problem: &Problem, script: Option<&Script>) -> Self {
        let place = script.cloned().zip(problem.span);
        Self { place, ..Self::new(Kind::Error, &problem.message) }.with_hint(problem.hint.clone())
    }

    /// Returns the report of a warning about `script`.
    pub(crate) fn warning(warning: &Warning, script: &Script) -> Self {
        let place = warning.span.map(|span| (script.clone(), span));
        Self { place, ..Self::new(Kind::Warning, &warning.message) }.with_hint(warning.hint.clone())
    }

    /// Returns the lines of the report, the last one ended too.
    pub(crate) fn draw(&self, paint: Paint) -> String {
        let head = paint.paint(self.kind.colour(), self.kind.word());
        let mut lines = format!("{head}: {}\n", escape_controls(&self.message));
        if let Some((script, span)) = &self.place {
            let mark = |text: &str| paint.paint(self.kind.colour(), text);
            lines.push_str(&excerpt::draw(&script.text, *span, script.name.as_deref(), &mark));
        }
        if let Some(hint) = &self.hint {
            let head = paint.paint("36", "hint");
            lines.push_str(&format!("{head}: {}\n", escape_controls(hint)));
        }
        lines
    }
}

impl From<Refusal> for Report {
    fn from(refusal: Refusal) -> Self {
        Self::new(Kind::Error, refusal.message).with_hint(refusal.hint)
    }
}

/// Colours text, or does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    /// Returns a paint that colours if `is_on`.
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    /// Returns `text` between the escape sequences of a style, such as `1;31`.
    pub(crate) fn paint(self, style: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes reports to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter {
    paint: Paint,
    is_quiet: bool,
}

impl Reporter {
    /// Returns a reporter that colours if stderr is a terminal that takes colours.
    pub(crate) fn new() -> Self {
        let is_coloured = environment::allows_colour(std::io::stderr().is_terminal());
        Self { paint: Paint::new(is_coloured), is_quiet: false }
    }

    /// Returns a reporter that leaves warnings and notes out.
    #[must_use]
    pub(crate) fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }

    /// Tells whether warnings and notes are left out.
    pub(crate) fn is_quiet(self) -> bool {
        self.is_quiet
    }

    /// Tells whether reports are coloured.
    pub(crate) fn is_coloured(self) -> bool {
        self.paint.is_on
    }

    /// Writes a report. That stderr may be closed is nothing to fail for.
    pub(crate) fn show(self, report: &Report) {
        if self.is_quiet && matches!(report.kind, Kind::Warning | Kind::Note) {
            return;
        }
        self.pass_on(report.draw(self.paint).as_bytes());
    }

    /// Writes what another process of this program reported.
    pub(crate) fn pass_on(self, drawn: &[u8]) {
        let _written = std::io::stderr().write_all(drawn);
    }
}

#[cfg(test)]
mod tests;

//! Tells what is wrong or probably not meant in query files: what `sessionql check` does.
//! In: files, and a configuration if there is one. Out: findings, and an exit code. Queries are
//! planned as EXPLAIN plans them, so nothing is sent.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};
use sessionql_core::{Engine, Error, ExecuteOptions, Parameters, Warning};
use sessionql_grammar::ast::{ParameterKind, Statement, StatementKind};
use sessionql_grammar::{Finding, Span, Surroundings, line_col};

use crate::cli::{CheckArguments, CheckFormat};
use crate::exit::Exit;
use crate::report::{Kind, Report, Reporter};
use crate::saved::{self, HeaderFault};
use crate::script::{self, Script};

/// Something found in a file.
struct Found {
    is_error: bool,
    /// The lint, if one found it.
    name: Option<&'static str>,
    message: String,
    span: Option<Span>,
    hint: Option<String>,
}

/// Checks all files, against the connections of `engine` if there is one.
///
/// # Errors
/// [`Error::Internal`] if the system gives no threads.
pub(crate) fn run(
    arguments: &CheckArguments,
    engine: Option<&Engine>,
    reporter: Reporter,
) -> Result<Exit, Error> {
    let runtime = crate::runtime()?;
    let mut worst = Exit::Success;
    let mut objects = Vec::new();
    for file in &arguments.files {
        let (script, found) = match script::read(file) {
            Ok(script) => {
                let found = runtime.block_on(check(&script, engine));
                (script, found)
            }
            Err(refusal) => (Script::default(), vec![Found::error(refusal.message, None, None)]),
        };
        for found in found {
            worst = worst.max(if found.is_error { Exit::Input } else { Exit::Unexpected });
            match arguments.check_format {
                CheckFormat::Text => reporter.show(&found.report(&script)),
                CheckFormat::Json => objects.push(found.json(file, &script)),
            }
        }
    }
    if arguments.check_format == CheckFormat::Json {
        let printed = writeln!(io::stdout(), "{}", Value::Array(objects));
        if printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
            return Ok(Exit::Failed);
        }
    }
    Ok(worst)
}

/// Returns what is found in a script, in the order of its places.
async fn check(script: &Script, engine: Option<&Engine>) -> Vec<Found> {
    let statements = match sessionql_grammar::parse(&script.text) {
        Ok(statements) => statements,
        Err(error) => return vec![Found::of(&Error::from(error))],
    };
    let has_history =
        |table: &[String]| engine.is_some_and(|engine| engine.connections().keeps_history(table));
    if let Err(faults) = saved::read(&script.text) {
        return faults.into_iter().map(Found::from).collect();
    }
    let header = match sessionql_grammar::header(&script.text) {
        Ok(header) => header,
        Err(error) => return vec![Found::of(&Error::from(error))],
    };
    let parameters: Vec<(String, Span)> = header
        .parameters
        .iter()
        .map(|declared| (declared.name.value.clone(), declared.name.span))
        .collect();
    let surroundings = Surroundings { has_history: &has_history, parameters: &parameters };
    let mut found: Vec<Found> = match sessionql_grammar::lint(&script.text, &surroundings) {
        Ok(findings) => findings.into_iter().map(Found::from).collect(),
        Err(error) => vec![Found::of(&Error::from(error))],
    };
    if let Some(engine) = engine {
        let options = match stand_ins(&script.text, &statements) {
            Ok(parameters) => ExecuteOptions { parameters, ..ExecuteOptions::default() },
            Err(error) => return vec![Found::of(&error)],
        };
        let allowed = sessionql_grammar::allowed_lints(&script.text).unwrap_or_default();
        for (n, statement) in statements.iter().enumerate() {
            let planned = plan(script, statement, engine, &options).await;
            let is_allowed = |found: &Found| {
                let mut lints = allowed.get(n).into_iter().flatten();
                found.name.is_some_and(|name| lints.any(|lint| *lint == name))
            };
            for new in planned {
                // Planning says some of what the text alone tells already.
                let is_known =
                    found.iter().any(|known| known.name == new.name && known.span == new.span);
                let is_silenced = is_allowed(&new) || (new.name.is_some() && is_known);
                if !is_silenced {
                    found.push(new);
                }
            }
        }
    }
    found.sort_by_key(|found| found.span);
    found
}

/// Returns a value of the right type for each parameter that has none of its own.
///
/// # Errors
/// Declarations that contradict each other.
fn stand_ins(text: &str, statements: &[Statement]) -> Result<Parameters, Error> {
    let mut parameters = Parameters::default();
    for declared in sessionql_core::parameters::declared(text, statements)? {
        if declared.default.is_some() {
            continue;
        }
        let value = match declared.data_type.kind {
            ParameterKind::Text => "text",
            ParameterKind::Int | ParameterKind::Float => "1",
            ParameterKind::Bool => "true",
            ParameterKind::Timestamp => "2000-01-01",
            ParameterKind::Interval => "1h",
            ParameterKind::Cidr => "10.0.0.0/8",
        };
        parameters.give(&declared.name, value);
    }
    for built_in in ["since", "until"] {
        parameters.give(built_in, "2000-01-01");
    }
    Ok(parameters)
}

/// Plans a statement, and returns what the engine says of it.
async fn plan(
    script: &Script,
    statement: &Statement,
    engine: &Engine,
    options: &ExecuteOptions,
) -> Vec<Found> {
    let kind = match &statement.kind {
        StatementKind::Query(query) | StatementKind::Explain { query, .. } => {
            StatementKind::Explain { analyze: false, query: query.clone() }
        }
        // What later statements mean may depend on it.
        StatementKind::Set { .. }
        | StatementKind::SetParameter { .. }
        | StatementKind::Describe(_) => statement.kind.clone(),
        StatementKind::Show(_) => return Vec::new(),
    };
    let statement = Statement { kind, span: statement.span };
    match engine.execute(&script.text, &statement, options).await {
        Ok(outcome) => {
            // What is said of a value that only stands in for a parameter is not said of the query.
            let is_of_value = |warning: &&Warning| {
                let starts = |span: Span| span.of(&script.text).starts_with(['$', '{']);
                warning.lint.is_some() && warning.span.is_some_and(starts)
            };
            let warnings = outcome.warnings().iter().filter(|warning| !is_of_value(warning));
            let found = warnings.map(|warning| Found {
                is_error: false,
                name: warning.lint,
                message: warning.message.clone(),
                span: warning.span,
                hint: warning.hint.clone(),
            });
            found.collect()
        }
        Err(error) => vec![Found::of(&error)],
    }
}

impl Found {
    fn error(message: String, span: Option<Span>, hint: Option<String>) -> Self {
        Self { is_error: true, name: None, message, span, hint }
    }

    fn of(error: &Error) -> Self {
        Self::error(error.to_string(), error.span(), error.hint())
    }

    fn report(&self, script: &Script) -> Report {
        let kind = if self.is_error { Kind::Error } else { Kind::Warning };
        let name = self.name.map(|name| format!(" ({name})")).unwrap_or_default();
        let report = Report::new(kind, format!("{}{name}", self.message));
        report.at(script, self.span).with_hint(self.hint.clone())
    }

    fn json(&self, file: &Path, script: &Script) -> Value {
        let place = |offset: usize| line_col(&script.text, offset);
        let (begin, end) = self.span.map(|span| (place(span.start), place(span.end))).unzip();
        json!({
            "file": file.display().to_string(),
            "line": begin.map(|(line, _)| line),
            "column": begin.map(|(_, column)| column),
            "end_line": end.map(|(line, _)| line),
            "end_column": end.map(|(_, column)| column),
            "severity": if self.is_error { "error" } else { "warning" },
            "name": self.name,
            "message": self.message,
            "hint": self.hint,
        })
    }
}

impl From<HeaderFault> for Found {
    fn from(fault: HeaderFault) -> Self {
        Self::error(fault.message, Some(fault.span), fault.hint)
    }
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self {
            is_error: false,
            name: Some(finding.name),
            message: finding.message,
            span: Some(finding.span),
            hint: finding.hint.map(str::to_owned),
        }
    }
}

//! Runs one case: an engine of its own, with the case's rows and clock.
//! In: the query, the configuration, the case. Out: what became of it, or what is wrong with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use sessionql_core::error::Class;
use sessionql_core::{Engine, EngineOptions, Error, ExecuteOptions, parameters};
use sessionql_grammar::ast::{Statement, StatementKind};

use super::compare::{self, Found};
use super::file::{Case, TestFile};
use super::{Fault, Outcome};
use crate::cli::Format;
use crate::exit::Exit;
use crate::render::{self, Layout, Summary};
use crate::report::{Kind, Report};
use crate::script::{ParsedScript, Script};

/// Runs a case.
pub(super) async fn run(
    file: &TestFile,
    case: &Case,
    options: &EngineOptions,
) -> Result<Outcome, Fault> {
    let ParsedScript { script, statements, .. } = &file.query;
    let of_engine = |error: Error| of_engine(&error, script);
    let now = case.times.now.unwrap_or_default();
    let options =
        EngineOptions { clock: Arc::new(move || now), reads_fixtures: true, ..options.clone() };
    let engine = Engine::new(case.config(&file.config), options).map_err(of_engine)?;
    give_rows(&engine, file, case)?;
    let mut options = case.times.apply(&engine);
    options.parameters = case.parameters.clone();
    check_parameters(&engine, &file.query, &options)?;
    let mut results = Vec::new();
    for statement in statements {
        match execute(&engine, script, statement, &options).await {
            Ok(None) => {}
            Ok(Some(result)) => results.push(result),
            Err(error) if matches!(error.class(), Class::Input | Class::Plugin) => {
                return Err(of_engine(error));
            }
            Err(error) => return Ok(Outcome::Broken(error.to_string())),
        }
    }
    let found = match <[Found; 1]>::try_from(results) {
        Ok([found]) => found,
        Err(results) => {
            let n = results.len();
            let message = format!("the query has {n} results, and a test compares one");
            return Err(Fault::new(Report::new(Kind::Error, &message), message));
        }
    };
    let difference = compare::compare(&found, &case.expected.text, file.config.settings.time_zone)
        .map_err(|fault| {
            let report = case.expected.report(&fault.message, fault.span);
            Fault::new(report.with_hint(fault.hint), fault.message)
        })?;
    Ok(difference.map_or(Outcome::Passed, Outcome::Failed))
}

/// Gives the connections their rows, and opens those without too, so that what is wrong with them is
/// told whether the query names them or not.
fn give_rows(engine: &Engine, file: &TestFile, case: &Case) -> Result<(), Fault> {
    let zone = file.config.settings.time_zone;
    let of_engine = |error: Error| of_engine(&error, &file.query.script);
    for name in engine.connections().names() {
        engine.connections().open(&name).map_err(of_engine)?;
    }
    for (name, table, rows) in &case.rows {
        let Some(connection) = engine.connections().open(name).map_err(of_engine)? else {
            continue;
        };
        connection.give_rows(table.as_deref(), &rows.text, zone).map_err(|fault| {
            let report = rows.report(&fault.message, fault.span);
            Fault::new(report.with_hint(fault.hint), fault.message)
        })?;
    }
    Ok(())
}

/// Refuses values that are missing, of another type, or of no parameter.
fn check_parameters(
    engine: &Engine,
    query: &ParsedScript,
    options: &ExecuteOptions,
) -> Result<(), Fault> {
    let ParsedScript { script, statements, .. } = query;
    let known: BTreeSet<String> = engine
        .check_parameters(&script.text, statements, options)
        .map_err(|error| of_engine(&error, script))?;
    let unknown = parameters::unknown(&options.parameters, &known);
    match unknown.first() {
        None => Ok(()),
        Some(problem) => Err(Fault {
            reports: unknown.iter().map(|problem| Report::problem(problem, None)).collect(),
            message: problem.to_string(),
            exit: Exit::Input,
        }),
    }
}

fn of_engine(error: &Error, script: &Script) -> Fault {
    let reports = Report::errors(error, Some(script));
    Fault { reports, message: error.to_string(), exit: Exit::of(error, false) }
}

/// Runs a statement to its end. Returns nothing for one without columns.
async fn execute(
    engine: &Engine,
    script: &Script,
    statement: &Statement,
    options: &ExecuteOptions,
) -> Result<Option<Found>, Error> {
    let mut outcome = engine.execute(&script.text, statement, options).await?;
    if outcome.schema().fields().is_empty() {
        return Ok(None);
    }
    // The rows are compared as they would be printed.
    let layout = Layout::for_machines(Format::Json, engine.settings().time_zone);
    let renderer = render::renderer(outcome.schema(), &layout);
    let mut renderer = renderer.map_err(|refusal| Error::internal(refusal.to_string()))?;
    let mut printed = Vec::new();
    let unprinted = |error: std::io::Error| Error::internal(error.to_string());
    while let Some(rows) = outcome.next().await {
        renderer.rows(&rows?, &mut printed).map_err(unprinted)?;
    }
    renderer.finish(&Summary::default(), &mut printed).map_err(unprinted)?;
    let envelope: Value =
        serde_json::from_slice(&printed).map_err(|error| Error::internal(error.to_string()))?;
    let is_ordered = match &statement.kind {
        StatementKind::Query(query) => !query.order_by.is_empty(),
        _ => true,
    };
    Ok(Some(Found::read(&envelope, is_ordered)))
}

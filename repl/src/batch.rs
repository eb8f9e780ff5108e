//! Runs scripts and exits: what `-c`, `-f` and standard input mean.
//! In: parsed scripts. Out: rows on stdout or in a file, and the worst exit of all statements. The
//! first failure stops; a gap or an expectation that does not hold is a result, and does not.

use std::collections::BTreeSet;
use std::io::{self, Seek as _, Write as _};

use sessionql_core::parameters;
use sessionql_grammar::ast::Statement;

use crate::cli::Arguments;
use crate::exit::Exit;
use crate::output::Output;
use crate::render::{Summary, Told};
use crate::report::{Kind, Report};
use crate::run::{Runner, Trouble, incomplete};
use crate::script::Script;
use crate::usage::Refusal;

/// How much of a held result is kept in memory; more is kept in an unnamed file.
const MAX_HELD_BYTES: usize = 8 << 20;

/// Runs all statements.
///
/// # Errors
/// If the file of `--output` cannot be opened; nothing has run then.
pub(crate) fn run(
    runner: &Runner,
    scripts: &[(Script, Vec<Statement>)],
    arguments: &Arguments,
) -> Result<Exit, Refusal> {
    if let Some(exit) = check_parameters(runner, scripts) {
        return Ok(exit);
    }
    let mut output = match &arguments.output {
        Some(file) => Output::file(file).map_err(|refusal| refusal.of_option("--output"))?,
        None => Output::stdout(),
    };
    let exit = run_statements(runner, scripts, arguments, &mut output);
    Ok(match output.finish(exit).map_err(Trouble::from) {
        Ok(()) => exit,
        Err(trouble) if trouble.is_closed_pipe() => exit,
        Err(trouble) => exit.max(runner.report(&trouble, &Script::default())),
    })
}

/// Tells everything that is wrong with the parameters of all scripts, before the first statement runs.
fn check_parameters(runner: &Runner, scripts: &[(Script, Vec<Statement>)]) -> Option<Exit> {
    let options = runner.options();
    let mut known = Some(BTreeSet::new());
    let mut reports = Vec::new();
    for (script, statements) in scripts {
        match runner.engine().check_parameters(&script.text, statements, &options) {
            Ok(names) => known = known.map(|known| &known | &names),
            Err(error) => {
                reports.extend(Report::errors(&error, Some(script)));
                // The names are known whatever is wrong with the values, but not if it is the
                // declarations that are wrong.
                let declared = parameters::declared(&script.text, statements).ok();
                known = known.zip(declared).map(|(mut known, declared)| {
                    known.extend(declared.into_iter().map(|parameter| parameter.name));
                    known
                });
            }
        }
    }
    let unknown = known.map(|known| parameters::unknown(&options.parameters, &known));
    let unknown = unknown.unwrap_or_default();
    reports.extend(unknown.iter().map(|problem| Report::problem(problem, None)));
    for report in &reports {
        runner.reporter().show(report);
    }
    (!reports.is_empty()).then_some(Exit::Input)
}

fn run_statements(
    runner: &Runner,
    scripts: &[(Script, Vec<Statement>)],
    arguments: &Arguments,
    output: &mut Output,
) -> Exit {
    let mut worst = Exit::Success;
    let mut follows_output = false;
    for (script, statements) in scripts {
        for statement in statements {
            let ran = if arguments.require_complete {
                run_held(runner, script, statement, follows_output, output)
            } else {
                runner.run(script, statement, follows_output, output)
            };
            match ran {
                Ok(None) => {}
                Ok(Some(summary)) => {
                    let exit = judge(runner, &summary, arguments);
                    follows_output |= exit != Exit::Incomplete || !arguments.require_complete;
                    worst = worst.max(exit);
                }
                Err(trouble) if trouble.is_closed_pipe() => return worst,
                Err(trouble) => return worst.max(runner.report(&trouble, script)),
            }
        }
    }
    worst
}

/// Runs a statement and prints its rows only if they are complete.
fn run_held(
    runner: &Runner,
    script: &Script,
    statement: &Statement,
    follows_output: bool,
    output: &mut Output,
) -> Result<Option<Summary>, Trouble> {
    let mut held = tempfile::spooled_tempfile(MAX_HELD_BYTES);
    let summary = runner.run(script, statement, follows_output, &mut held)?;
    if summary.as_ref().is_some_and(|summary| summary.completeness.is_complete()) {
        held.rewind()?;
        io::copy(&mut held, output)?;
        output.flush()?;
    }
    Ok(summary)
}

/// Returns how a result ends the program, and tells why if not well.
fn judge(runner: &Runner, summary: &Summary, arguments: &Arguments) -> Exit {
    if !arguments.allow_partial
        && let Some(report) = incomplete(&summary.completeness)
    {
        let hint =
            "`accept` of a connection names its known gaps; `--allow-partial` allows all of them";
        runner.reporter().show(&report.with_hint(Some(hint.to_owned())));
        return Exit::Incomplete;
    }
    match &arguments.expect {
        Some(expectation)
            if summary.told != Some(Told::Plan) && !expectation.holds(summary.n_rows) =>
        {
            let (n_rows, plural) = (summary.n_rows, if summary.n_rows == 1 { "" } else { "s" });
            let message = format!("expected `{expectation}`, found {n_rows} row{plural}");
            runner.reporter().show(&Report::new(Kind::Unexpected, message));
            Exit::Unexpected
        }
        _ => Exit::Success,
    }
}

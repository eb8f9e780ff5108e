//! Runs scripts and exits: what `-c`, `-f` and standard input mean.
//! In: parsed scripts. Out: rows on stdout or in a file, and the worst exit of all statements. The
//! first failure stops; a gap or an expectation that does not hold is a result, and does not.

mod changes;

use std::collections::BTreeSet;
use std::io::{self, Seek as _, Write as _};

use sessionql_core::completeness::Off;
use sessionql_core::parameters;
use sessionql_grammar::ast::{Statement, StatementKind};

use crate::cli::{Arguments, Format};
use crate::exit::Exit;
use crate::expect::Expectation;
use crate::output::Output;
use crate::render::{Summary, Told};
use crate::report::{Kind, Report};
use crate::run::{RunOptions, Runner, Trouble, incomplete};
use crate::script::{ParsedScript, Script};
use crate::summary::FileSummary;
use crate::usage::Refusal;
use changes::Comparison;

/// How much of a held result is kept in memory; more is kept in an unnamed file.
const MAX_HELD_BYTES: usize = 8 << 20;

/// Runs all statements.
///
/// # Errors
/// If the file of `--output` cannot be opened; nothing has run then.
pub(crate) fn run(
    runner: &Runner,
    scripts: &[ParsedScript],
    arguments: &Arguments,
) -> Result<Exit, Refusal> {
    let mut summaries: Vec<FileSummary> = scripts
        .iter()
        .map(|parsed| FileSummary::new(parsed.script.name.clone(), &parsed.saved))
        .collect();
    if let Some(exit) = check_parameters(runner, scripts, &mut summaries) {
        if arguments.summary {
            summaries.iter().for_each(FileSummary::tell);
        }
        return Ok(exit);
    }
    check_pictures(scripts, arguments)?;
    let comparison = Comparison::open(runner, scripts, arguments)?;
    let mut output = match &arguments.output {
        Some(file) => Output::file(file).map_err(|refusal| refusal.of_option("--output"))?,
        None => Output::stdout(),
    };
    let mut run = Run { runner, arguments, output: &mut output, follows_output: false, comparison };
    let exit = run.files(scripts, &mut summaries);
    let comparison = run.comparison.filter(|_| exit.has_result());
    // Behind the rows: what they tell must not be lost.
    let finished = output.finish(exit).map_err(Trouble::from);
    Ok(match finished.and_then(|()| comparison.as_ref().map_or(Ok(()), Comparison::save)) {
        Ok(()) => exit,
        Err(trouble) if trouble.is_closed_pipe() => exit,
        Err(trouble) => exit.max(runner.report(&trouble, &Script::default())),
    })
}

/// Refuses several pictures in one file.
fn check_pictures(scripts: &[ParsedScript], arguments: &Arguments) -> Result<(), Refusal> {
    let statements = scripts.iter().flat_map(|parsed| &parsed.statements);
    let n_queries = statements.filter(|one| matches!(one.kind, StatementKind::Query(_))).count();
    match arguments.format {
        Some(Format::Svg | Format::Html) if n_queries > 1 => Err(Refusal::new(format!(
            "a file holds one picture, and there are {n_queries} queries"
        ))),
        _ => Ok(()),
    }
}

/// Tells everything that is wrong with the parameters of all scripts, before the first statement runs.
fn check_parameters(
    runner: &Runner,
    scripts: &[ParsedScript],
    summaries: &mut [FileSummary],
) -> Option<Exit> {
    let options = runner.options();
    let mut known = Some(BTreeSet::new());
    let mut reports = Vec::new();
    for (parsed, summary) in scripts.iter().zip(summaries.iter_mut()) {
        let ParsedScript { script, statements, .. } = parsed;
        match runner.engine().check_parameters(&script.text, statements, &options) {
            Ok(names) => known = known.map(|known| &known | &names),
            Err(error) => {
                summary.fail(Exit::Input, error.to_string());
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
    if reports.is_empty()
        && let Some(problem) = unknown.first()
    {
        summaries.iter_mut().for_each(|summary| summary.fail(Exit::Input, problem.to_string()));
    }
    reports.extend(unknown.iter().map(|problem| Report::problem(problem, None)));
    for report in &reports {
        runner.reporter().show(report);
    }
    (!reports.is_empty()).then_some(Exit::Input)
}

/// How a file ended.
enum Ended {
    /// So; the next one runs.
    Well(Exit),
    /// So; nothing runs after it.
    Last(Exit),
}

/// A run over all files.
struct Run<'a> {
    runner: &'a Runner,
    arguments: &'a Arguments,
    output: &'a mut Output,
    follows_output: bool,
    comparison: Option<Comparison>,
}

impl Run<'_> {
    /// Runs files until one fails, and tells of each.
    fn files(&mut self, scripts: &[ParsedScript], summaries: &mut [FileSummary]) -> Exit {
        let mut worst = Exit::Success;
        let mut goes_on = true;
        for (parsed, summary) in scripts.iter().zip(summaries) {
            if goes_on {
                summary.begin();
                let ended = self.file(parsed, summary);
                summary.cost(self.runner.take_usage());
                goes_on = matches!(ended, Ended::Well(_));
                let (Ended::Well(exit) | Ended::Last(exit)) = ended;
                worst = worst.max(exit);
            }
            if self.arguments.summary {
                summary.tell();
            }
        }
        worst
    }

    /// Runs the statements of a file until one fails.
    fn file(&mut self, parsed: &ParsedScript, summary: &mut FileSummary) -> Ended {
        let ParsedScript { script, statements, saved } = parsed;
        let expectation = self.arguments.expect.as_ref().or(saved.expectation.as_ref());
        let mut worst = Exit::Success;
        for statement in statements {
            let ran =
                if self.comparison.is_some() && matches!(statement.kind, StatementKind::Query(_)) {
                    self.changes(script, statement)
                } else if self.arguments.require_complete {
                    self.held(script, statement)
                } else {
                    self.runner.run(script, statement, self.options(), None, self.output)
                };
            match ran {
                Ok(None) => {}
                Ok(Some(result)) => {
                    let exit = self.judge(&result, expectation, summary);
                    self.follows_output |=
                        exit != Exit::Incomplete || !self.arguments.require_complete;
                    summary.add(&result, exit);
                    worst = worst.max(exit);
                }
                Err(trouble) if trouble.is_closed_pipe() => return Ended::Last(worst),
                Err(trouble) => {
                    let exit = self.runner.report(&trouble, script);
                    summary.fail(exit, trouble.to_string());
                    return Ended::Last(worst.max(exit));
                }
            }
        }
        Ended::Well(worst)
    }

    fn options(&self) -> RunOptions {
        let is_to_file = self.arguments.output.is_some();
        let follows_output = self.follows_output;
        RunOptions {
            follows_output,
            is_to_file,
            allows_colour: !is_to_file,
            ..RunOptions::default()
        }
    }

    /// Runs a statement and prints its rows only if they are complete.
    fn held(&mut self, script: &Script, statement: &Statement) -> Result<Option<Summary>, Trouble> {
        let mut held = tempfile::spooled_tempfile(MAX_HELD_BYTES);
        let summary = self.runner.run(script, statement, self.options(), None, &mut held)?;
        if summary.as_ref().is_some_and(|summary| summary.completeness.is_complete()) {
            held.rewind()?;
            io::copy(&mut held, self.output)?;
            self.output.flush()?;
        }
        Ok(summary)
    }

    /// Returns how a result ends the program, and tells why if not well.
    fn judge(
        &self,
        result: &Summary,
        expectation: Option<&Expectation>,
        summary: &mut FileSummary,
    ) -> Exit {
        let reporter = self.runner.reporter();
        // What only EXPLAIN told of is no result.
        let expectation = expectation.filter(|_| result.told != Some(Told::Plan));
        let mut note = |is_met| {
            if let Some(expectation) = expectation {
                summary.judge(&expectation.to_string(), is_met);
            }
        };
        // What could not be compared is no answer, whatever may be missing of it.
        let is_compared =
            result.difference.as_ref().is_none_or(|difference| difference.is_compared);
        let is_judged = is_compared || result.completeness.off != Some(Off::Wrong);
        if !(self.arguments.allow_partial && is_judged)
            && let Some(report) = incomplete(&result.completeness)
        {
            let hint = "`accept` of a connection names its known gaps; `--allow-partial` allows \
                        all of them";
            reporter.show(&report.with_hint(Some(hint.to_owned())));
            note(None);
            return Exit::Incomplete;
        }
        let n_rows = result.n_rows;
        match expectation {
            // There was nothing to compare with, so that nothing can have changed.
            Some(_) if !is_compared => {
                note(None);
                Exit::Success
            }
            Some(expectation) if !expectation.holds(n_rows) => {
                let plural = if n_rows == 1 { "" } else { "s" };
                let message = format!("expected `{expectation}`, found {n_rows} row{plural}");
                reporter.show(&Report::new(Kind::Unexpected, message));
                note(Some(false));
                Exit::Unexpected
            }
            _ => {
                note(Some(true));
                Exit::Success
            }
        }
    }
}

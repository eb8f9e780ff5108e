//! The REPL: reads statements and commands from a terminal, runs them, prints rows, and goes on.
//! A statement ends with `;`, which the language itself decides; a command is a line that begins with
//! `\`. Errors and Ctrl-C end a statement; Ctrl-D and `\q` end the loop.

mod begin;
mod colours;
mod command;
mod edit;
mod editor;
mod help;
mod helper;
mod history;
mod perform;
mod split;
mod timeline;
mod timing;
mod watch;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sessionql_core::completeness::ConnectionReport;
use sessionql_core::display::escape_controls;
use sessionql_grammar::ast::{Statement, StatementKind};

use crate::environment;
use crate::exit::Exit;
use crate::guard::Ask;
use crate::output::{Destination, Output};
use crate::pager::Screen;
use crate::render::Summary;
use crate::report::{Kind, Report};
use crate::run::{RunOptions, Runner, Trouble, incomplete};
use crate::script::Script;
use crate::signals::Stop;
use crate::usage::Refusal;
use command::Verb;
use editor::Prompt;

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    Quit(Exit),
}

/// The REPL between two lines.
struct Shell {
    runner: Runner,
    /// Where rows go in place of the screen.
    file: Option<OutputFile>,
    /// The query that `\watch` repeats.
    last_query: Option<(Script, Statement)>,
}

/// The file of `\o`.
struct OutputFile {
    path: PathBuf,
    output: Output,
    has_rows: bool,
}

/// Asks for statements and runs them until there are no more. Returns how the program ends.
pub(crate) fn run(runner: Runner, config_file: Option<&Path>, init_file: Option<&Path>) -> Exit {
    let reporter = runner.reporter();
    let opened = runner.engine().completer().map_err(|error| error.to_string());
    let opened = opened
        .and_then(|completer| Prompt::open(completer, reporter).map_err(|error| error.to_string()));
    let mut prompt = match opened {
        Ok(prompt) => prompt,
        Err(error) => {
            let message = format!("the terminal cannot be used: {error}");
            reporter.show(&Report::new(Kind::Error, message));
            return Exit::Failed;
        }
    };
    if !reporter.is_quiet() {
        say(&greeting(&runner, config_file));
    }
    let usual = runner.engine().usual_cache_ttl();
    runner.engine().settings().cache_ttl = Some(usual);
    let mut shell = Shell { runner, file: None, last_query: None };
    let begun = init_file.map_or(Flow::GoOn, |file| shell.begin(file, &mut prompt));
    let exit = loop {
        if let Flow::Quit(exit) = begun {
            break exit;
        }
        let Some(text) = prompt.read(&shell.prompt(), &shell.runner.parameters) else {
            break Exit::Success;
        };
        if let Flow::Quit(exit) = shell.take(text, &mut prompt) {
            break exit;
        }
    };
    shell.close_file();
    exit
}

impl Shell {
    /// Returns what stands before the cursor: the window of queries that have none, if there is one.
    fn prompt(&self) -> String {
        match self.runner.times.window() {
            Some(window) => format!("sessionql {}> ", escape_controls(&window)),
            None => "sessionql> ".to_owned(),
        }
    }

    /// Does what was typed.
    fn take(&mut self, text: String, prompt: &mut Prompt) -> Flow {
        self.runner.clear_interrupt();
        let (before, command) = text.split_at(editor::command_at(&text).unwrap_or_default());
        let done = match command::read(command) {
            None => Ok(self.run_text(Script::new(text), &mut |question| prompt.ask(question))),
            Some(Err(refusal)) => Err(refusal),
            Some(Ok(line)) if line.command.verb == Verb::Edit => {
                Ok(self.edit(before.trim(), line.words.first(), prompt))
            }
            // As in `SELECT … \watch 5`.
            Some(Ok(mut line))
                if matches!(line.command.verb, Verb::Watch | Verb::Timeline)
                    && !before.trim().is_empty() =>
            {
                line.rest = format!("{} {}", line.rest, before.trim());
                self.perform(&line, &mut |question| prompt.ask(question))
            }
            Some(Ok(line)) if !before.trim().is_empty() => {
                let message = format!("`\\{}` stands behind a statement", line.command.name);
                Err(Refusal::new(message).with_hint(
                    "only `\\e`, `\\timeline` and `\\watch` may; others have a line of their own",
                ))
            }
            Some(Ok(line)) => self.perform(&line, &mut |question| prompt.ask(question)),
        };
        done.unwrap_or_else(|refusal| {
            self.refuse(refusal);
            Flow::GoOn
        })
    }

    /// Opens an editor with a statement, the last one if it is empty, or a file, and runs what is saved.
    fn edit(&mut self, text: &str, file: Option<&String>, prompt: &mut Prompt) -> Flow {
        match prompt.edit(text, file.map(String::as_str)) {
            Err(report) => self.runner.reporter().show(&report),
            Ok(None) => {}
            Ok(Some(text)) => {
                say(&format!("{text}\n"));
                return self.run_text(Script::new(text), &mut |question| prompt.ask(question));
            }
        }
        Flow::GoOn
    }

    fn refuse(&self, refusal: Refusal) {
        self.runner.reporter().show(&refusal.into());
    }

    /// Runs the statements of a text up to the first that fails.
    fn run_text(&mut self, script: Script, ask: Ask<'_>) -> Flow {
        let statements = match self.runner.engine().parse(&script.text) {
            Ok(statements) => statements,
            Err(error) => {
                self.runner.reporter().show(&Report::error(&error, Some(&script)));
                return Flow::GoOn;
            }
        };
        self.run_statements(&script, &statements, ask)
    }

    fn run_statements(&mut self, script: &Script, statements: &[Statement], ask: Ask<'_>) -> Flow {
        for statement in statements {
            match self.run_statement(script, statement, &mut *ask) {
                Ok(()) | Err(Trouble::Left) => {}
                Err(trouble) if trouble.is_closed_pipe() => return Flow::Quit(Exit::Success),
                Err(trouble) => return self.stumble(&trouble, script),
            }
        }
        Flow::GoOn
    }

    /// Tells what ended a statement early.
    fn stumble(&self, trouble: &Trouble, script: &Script) -> Flow {
        if matches!(trouble, Trouble::Stopped(_)) {
            // The terminal has written `^C` where the cursor was.
            say("\n");
        }
        let exit = self.runner.report(trouble, script);
        match trouble {
            Trouble::Stopped(Stop::Terminated) => Flow::Quit(exit),
            _ => Flow::GoOn,
        }
    }

    /// Runs a statement, prints its rows, and tells what is to be said of them.
    fn run_statement(
        &mut self,
        script: &Script,
        statement: &Statement,
        ask: Ask<'_>,
    ) -> Result<(), Trouble> {
        if matches!(statement.kind, StatementKind::Query(_)) {
            self.last_query = Some((script.clone(), statement.clone()));
        }
        let ask = self.runner.preferences.confirms.then_some(ask);
        let uses_pager = self.runner.preferences.uses_pager;
        let summary = self.print(uses_pager, |runner, options, out| {
            runner.run(script, statement, options, ask, out)
        })?;
        if let Some(summary) = summary {
            self.tell(&summary);
        }
        Ok(())
    }

    /// Lets something print its rows where rows go: to the file of `\o`, or else to the screen.
    fn print<T>(
        &mut self,
        uses_pager: bool,
        print: impl FnOnce(&Runner, RunOptions, &mut dyn Destination) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let options = RunOptions { keeps_last: true, ..RunOptions::default() };
        if let Some(file) = &mut self.file {
            let options = RunOptions { follows_output: file.has_rows, is_to_file: true, ..options };
            file.has_rows = true;
            return print(&self.runner, options, &mut file.output);
        }
        let mut screen = Screen::new(uses_pager, self.runner.reporter());
        let allows_colour = screen.takes_colour();
        print(&self.runner, RunOptions { allows_colour, ..options }, &mut screen)
    }

    /// Tells what a statement cost, if that is wanted, its notes, and what is missing.
    fn tell(&self, summary: &Summary) {
        say(&timing::lines(&summary.scans));
        let reporter = self.runner.reporter();
        // An explanation tells the notes itself.
        let reports: &[ConnectionReport] = match summary.told {
            Some(_) => &[],
            None => &summary.completeness.connections,
        };
        for connection in reports {
            for note in &connection.notes {
                let message = format!("connection `{}`: {note}", connection.connection);
                reporter.show(&Report::new(Kind::Note, message));
            }
        }
        if let Some(report) = incomplete(&summary.completeness) {
            reporter.show(&report);
        }
    }

    /// Ends the file of `\o`, which then takes its place.
    fn close_file(&mut self) {
        let Some(OutputFile { path, output, .. }) = self.file.take() else { return };
        if let Err(error) = output.finish(Exit::Success) {
            let message = format!("`{}` cannot be written: {error}", path.display());
            self.refuse(Refusal::new(message));
        }
    }
}

/// Returns the line that the program begins with.
fn greeting(runner: &Runner, config_file: Option<&Path>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let names = runner.engine().connections().names();
    let connections = match (names.as_slice(), config_file) {
        ([], Some(file)) => {
            format!("no connections in {}", escape_controls(&file.display().to_string()))
        }
        ([], None) => match environment::default_config_file() {
            Some(file) => format!("no connections; {} would name them", file.display()),
            None => "no connections; `--config` names the file of them".to_owned(),
        },
        ([name], _) => format!("connection {name}"),
        (names, _) => format!("connections {}", names.join(", ")),
    };
    format!("sessionql {version}; {connections}; \\? for help\n")
}

/// Writes to the terminal; that there may be none any more is nothing to fail for here.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

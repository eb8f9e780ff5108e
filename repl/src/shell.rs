//! The REPL: reads statements from a terminal, runs them, prints rows, and goes on.
//! A statement ends with `;`, which the language itself decides. Errors and Ctrl-C end a statement;
//! Ctrl-D and `\q` end the loop.

mod history;

use std::io::{self, Write as _};
use std::path::Path;

use rustyline::config::{BellStyle, Configurer as _};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use sessionql_core::display::escape_controls;
use sessionql_grammar::Completeness;

use crate::environment;
use crate::exit::Exit;
use crate::output::Output;
use crate::report::{Kind, Report};
use crate::run::{Runner, Trouble, incomplete};
use crate::script::Script;
use crate::signals::Stop;
use history::History;

const PROMPT: &str = "sessionql> ";
const CONTINUATION: &str = "      ...> ";

const HELP: &str = r"SELECT user, start FROM name SINCE 24h;   who was connected in the last day
SHOW CONNECTIONS; SHOW TABLES;             what there is
DESCRIBE name;                             the columns of a table
EXPLAIN SELECT …;                          the requests that it would send
Ctrl-C                                     clears what is typed, ends what runs
\q, exit, Ctrl-D                           quits
";

/// What was typed.
enum Typed {
    /// Statements, the last one ended.
    Text(String),
    /// To print the help.
    Help,
    /// A command that is not known.
    Unknown(String),
    /// The end.
    Quit,
}

/// Asks for statements and runs them until there are no more. Returns how the program ends.
pub(crate) fn run(runner: &Runner, config_file: Option<&Path>) -> Exit {
    let mut editor = match editor() {
        Ok(editor) => editor,
        Err(error) => {
            let message = format!("the terminal cannot be used: {error}");
            runner.reporter().show(&Report::new(Kind::Error, message));
            return Exit::Failed;
        }
    };
    let mut history = History::open(environment::history_file(), &mut editor, runner.reporter());
    if !runner.reporter().is_quiet() {
        say(&greeting(runner, config_file));
    }
    loop {
        let is_over = match read(&mut editor, &mut history) {
            Typed::Quit => true,
            Typed::Help => !say(HELP),
            Typed::Unknown(command) => {
                let message = format!("no command `{command}`");
                let hint = Some(r"`\?` lists the commands".to_owned());
                runner.reporter().show(&Report::new(Kind::Error, message).with_hint(hint));
                false
            }
            Typed::Text(text) => match run_text(runner, text) {
                Some(exit) => return exit,
                None => false,
            },
        };
        if is_over {
            return Exit::Success;
        }
    }
}

fn editor() -> Result<Editor<(), FileHistory>, ReadlineError> {
    let mut editor = Editor::with_config(Config::builder().auto_add_history(false).build())?;
    editor.set_bell_style(BellStyle::None);
    editor.set_history_ignore_space(true);
    editor.set_max_history_size(history::MAX_ENTRIES)?;
    Ok(editor)
}

/// Reads lines until they are whole statements or a command.
fn read(editor: &mut Editor<(), FileHistory>, history: &mut History) -> Typed {
    let mut text = String::new();
    loop {
        let prompt = if text.is_empty() { PROMPT } else { CONTINUATION };
        match editor.readline(prompt) {
            Ok(line) => text.push_str(&line),
            Err(ReadlineError::Interrupted) => {
                text.clear();
                continue;
            }
            Err(ReadlineError::Signal(_)) => continue,
            // The end of the input, or of the terminal.
            Err(_) => return Typed::Quit,
        }
        let command = command(&text);
        let completeness = sessionql_grammar::completeness(&text);
        if command.is_none() && completeness == Completeness::Incomplete {
            text.push('\n');
            continue;
        }
        if !text.trim().is_empty() {
            history.add(editor, text.trim_end());
        }
        match (command, completeness) {
            (Some(command), _) => return command,
            (None, Completeness::Empty) => text.clear(),
            (None, _) => return Typed::Text(text),
        }
    }
}

/// Returns the command that a text is, if it is one and no statement.
fn command(text: &str) -> Option<Typed> {
    let word = text.trim().trim_end_matches(';').trim_end();
    match word.to_lowercase().as_str() {
        r"\q" | "exit" | "quit" => Some(Typed::Quit),
        r"\?" | "help" => Some(Typed::Help),
        _ if word.starts_with('\\') => Some(Typed::Unknown(escape_controls(word))),
        _ => None,
    }
}

/// Runs the statements of a text up to the first that fails. Returns an exit if that is the end of
/// the loop too.
fn run_text(runner: &Runner, text: String) -> Option<Exit> {
    let script = Script::new(text);
    let statements = match runner.engine().parse(&script.text) {
        Ok(statements) => statements,
        Err(error) => {
            runner.reporter().show(&Report::error(&error, Some(&script)));
            return None;
        }
    };
    runner.clear_interrupt();
    for statement in &statements {
        match runner.run(&script, statement, false, &mut Output::stdout()) {
            Ok(None) => {}
            Ok(Some(summary)) => {
                let reporter = runner.reporter();
                // An explanation tells the notes itself.
                let reports = match summary.told {
                    Some(_) => &[],
                    None => summary.completeness.connections.as_slice(),
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
            Err(trouble) if trouble.is_closed_pipe() => return Some(Exit::Success),
            Err(trouble) => {
                if matches!(trouble, Trouble::Stopped(_)) {
                    // The terminal has written `^C` where the cursor was.
                    say("\n");
                }
                let exit = runner.report(&trouble, &script);
                return matches!(trouble, Trouble::Stopped(Stop::Terminated)).then_some(exit);
            }
        }
    }
    None
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

/// Writes to the terminal. Returns whether there still is one.
fn say(text: &str) -> bool {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_statements() {
        for text in [r"\q", "exit", " QUIT ; ", "quit;"] {
            assert!(matches!(command(text), Some(Typed::Quit)), "{text}");
        }
        assert!(matches!(command(r"\?"), Some(Typed::Help)));
        assert!(matches!(command(r"\x"), Some(Typed::Unknown(_))));
        for text in ["SELECT 1;", "exit 1;", "select\nexit", ""] {
            assert!(command(text).is_none(), "{text}");
        }
    }
}

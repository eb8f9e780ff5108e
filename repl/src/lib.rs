//! The command line and the REPL of SessionQL.
//! In: arguments, the environment, files and a terminal. Out: rows on stdout, reports on stderr,
//! and an exit code that scripts depend on. [`main()`] is the whole program. This crate alone prints
//! and reads the environment; what queries mean is the business of `sessionql-core`.

#![forbid(unsafe_code)]

mod batch;
mod check;
mod cli;
mod environment;
mod exit;
mod expect;
mod format;
mod output;
mod parameters;
mod progress;
mod render;
mod report;
mod run;
mod script;
mod shell;
mod signals;
mod usage;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::Utc;
use sessionql_core::config::{Config, Secrets};
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions, Error};
use sessionql_grammar::ast::Statement;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use cli::{Arguments, Invocation, LogFormat, Task};
use exit::Exit;
use report::{Report, Reporter};
use run::{Runner, TimeOptions};
use script::Script;
use usage::Refusal;

/// Runs the program: the first argument is its name, the others are those of the command line.
/// Returns the exit code; everything has been printed.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let reporter = Reporter::new();
    let exit = match cli::parse(arguments) {
        Ok(Invocation::Run(arguments)) => start(*arguments, reporter).unwrap_or_else(|failure| {
            reporter.show(&failure.report());
            failure.exit()
        }),
        // Who closes the pipe has read enough of it.
        Ok(Invocation::Print(text)) => {
            let _written = std::io::stdout().write_all(text.as_bytes());
            Exit::Success
        }
        Err(refusal) => {
            reporter.show(&refusal.into());
            Exit::Input
        }
    };
    exit.into()
}

/// Why the program did not come to its statements.
#[derive(Debug)]
enum Failure {
    /// The command line is wrong.
    Usage(Refusal),
    /// A text, the configuration or the engine is.
    Engine { error: Error, script: Option<Script> },
}

impl Failure {
    fn report(&self) -> Report {
        match self {
            Self::Usage(refusal) => refusal.clone().into(),
            Self::Engine { error, script } => Report::error(error, script.as_ref()),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Input,
            Self::Engine { error, .. } => Exit::of(error, false),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Usage(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine { error, script: None }
    }
}

fn start(arguments: Arguments, reporter: Reporter) -> Result<Exit, Failure> {
    start_log(&arguments, reporter.is_coloured());
    let reporter = if arguments.quiet { reporter.quiet() } else { reporter };
    match &arguments.task {
        Some(Task::Fmt(fmt)) => {
            arguments.check_no_query("fmt")?;
            return Ok(format::run(fmt, reporter));
        }
        Some(Task::Check(check)) => {
            arguments.check_no_query("check")?;
            let engine = configured_engine(&arguments)?;
            return Ok(check::run(check, engine.as_ref(), reporter)?);
        }
        None => {}
    }
    let is_interactive = arguments.scripts.is_empty()
        && std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal();
    if is_interactive {
        arguments.check_interactive()?;
    }
    // Before signals are watched: waiting for standard input ends as it would elsewhere.
    let scripts = if is_interactive { Vec::new() } else { read_scripts(&arguments)? };
    if arguments.describe_params {
        return Ok(parameters::describe(&scripts, reporter));
    }
    let given = parameters::given(&arguments)?;
    let mut config = load_config(&arguments)?;
    if let Some(zone) = arguments.time_zone {
        config.settings.time_zone = zone;
    }
    let times = TimeOptions::read(&arguments, config.settings.time_zone)?;
    let config_file = config.file.clone();
    let engine = Engine::new(config, engine_options(&arguments))?;
    let runner = Runner::new(engine, &arguments, (times, given), reporter, is_interactive)?;
    if is_interactive {
        Ok(shell::run(&runner, config_file.as_deref()))
    } else {
        batch::run(&runner, &scripts, &arguments).map_err(Failure::from)
    }
}

/// Reads and parses all texts, before the first of them runs.
fn read_scripts(arguments: &Arguments) -> Result<Vec<(Script, Vec<Statement>)>, Failure> {
    let parsed = |script: Script| match sessionql_grammar::parse(&script.text) {
        Ok(statements) => Ok((script, statements)),
        Err(error) => Err(Failure::Engine { error: error.into(), script: Some(script) }),
    };
    script::read_all(&arguments.scripts)?.into_iter().map(parsed).collect()
}

/// Reads the configuration: a file that was named must be there, the default one need not.
fn load_config(arguments: &Arguments) -> Result<Config, Error> {
    if let Some(file) = arguments.config.clone().or_else(environment::config_file) {
        return Ok(Config::load(&file)?);
    }
    match environment::default_config_file() {
        Some(file) if file.exists() => Ok(Config::load(&file)?),
        _ => Ok(Config::default()),
    }
}

/// Returns an engine for the configuration, if there is one.
fn configured_engine(arguments: &Arguments) -> Result<Option<Engine>, Error> {
    let mut config = load_config(arguments)?;
    if config.file.is_none() {
        return Ok(None);
    }
    if let Some(zone) = arguments.time_zone {
        config.settings.time_zone = zone;
    }
    Engine::new(config, engine_options(arguments)).map(Some)
}

fn engine_options(arguments: &Arguments) -> EngineOptions {
    let mut directories = arguments.plugin_dir.clone();
    directories.extend(environment::plugin_directories());
    EngineOptions {
        plugin_path: PluginPath { directories },
        secrets: Secrets::new(environment::variable),
        clock: Arc::new(Utc::now),
        ..EngineOptions::default()
    }
}

fn start_log(arguments: &Arguments, is_coloured: bool) {
    let Some(level) = arguments.log_level else { return };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match arguments.log_format {
        LogFormat::Text => lines.with_ansi(is_coloured).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let level = tracing::Level::from(level);
    let own = Targets::new().with_target("sessionql", level).with_target("plugin", level);
    // A host program that logs already keeps its own log.
    let _started = tracing_subscriber::registry().with(lines.with_filter(own)).try_init();
}

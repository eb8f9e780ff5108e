//! The command line and the REPL of SessionQL.
//! In: arguments, the environment, files and a terminal. Out: rows on stdout, reports on stderr,
//! and an exit code that scripts depend on. [`main()`] is the whole program. This crate alone prints
//! and reads the environment; what queries mean is the business of `sessionql-core`.

#![forbid(unsafe_code)]

mod batch;
mod check;
mod cli;
mod diff;
mod doctor;
mod environment;
mod exit;
mod expect;
mod format;
mod guard;
mod manual;
mod output;
mod pager;
mod parameters;
mod plugin;
mod preferences;
mod progress;
mod render;
mod report;
mod run;
mod saved;
mod script;
mod shell;
mod signals;
mod summary;
mod test;
mod times;
mod usage;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::Utc;
use sessionql_core::config::{Config, Secrets};
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions, Error};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use cli::{Arguments, Invocation, LogFormat, Task};
use exit::Exit;
use report::{Report, Reporter};
use run::Runner;
use saved::HeaderFault;
use script::{ParsedScript, Script, Source};
use times::TimeOptions;
use usage::Refusal;

/// Runs the program: the first argument is its name, the others are those of the command line.
/// Returns the exit code; everything has been printed.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let reporter = Reporter::new();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    #[cfg(unix)]
    if is_plugin_host(&arguments) {
        return plugin::host::run(reporter).into();
    }
    let exit = match cli::parse(arguments) {
        Ok(Invocation::Run(arguments)) => start(&arguments, reporter).unwrap_or_else(|failure| {
            failure.reports().iter().for_each(|report| reporter.show(report));
            if arguments.summary {
                let (exit, message) = (failure.exit(), failure.message());
                summary::tell_refused(&arguments.scripts, failure.source_idx, exit, &message);
            }
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

/// Tells whether these arguments, the first of which is the program's name, make the program run a
/// plugin for another process of it. A program that starts [`main()`] with arguments of its own hands
/// such ones on as they are.
pub fn is_plugin_host(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, word] if word == environment::PLUGIN_HOST)
}

/// Why the program did not come to its statements.
#[derive(Debug)]
struct Failure {
    why: Why,
    /// The text that is to blame, by its place on the command line.
    source_idx: Option<usize>,
}

#[derive(Debug)]
enum Why {
    /// The command line is wrong, or a file cannot be read.
    Usage(Refusal),
    /// A text, the configuration or the engine is.
    Engine { error: Error, script: Option<Script> },
    /// The header of a text is.
    Header { faults: Vec<HeaderFault>, script: Script },
}

impl Failure {
    fn of_source(why: Why, source_idx: usize) -> Self {
        Self { why, source_idx: Some(source_idx) }
    }

    fn reports(&self) -> Vec<Report> {
        match &self.why {
            Why::Usage(refusal) => vec![refusal.clone().into()],
            Why::Engine { error, script } => vec![Report::error(error, script.as_ref())],
            Why::Header { faults, script } => {
                faults.iter().map(|fault| fault.report(script)).collect()
            }
        }
    }

    fn message(&self) -> String {
        match &self.why {
            Why::Usage(refusal) => refusal.message.clone(),
            Why::Engine { error, .. } => error.to_string(),
            Why::Header { faults, .. } => {
                faults.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>().join("; ")
            }
        }
    }

    fn exit(&self) -> Exit {
        match &self.why {
            Why::Usage(_) | Why::Header { .. } => Exit::Input,
            Why::Engine { error, .. } => Exit::of(error, false),
        }
    }
}

impl From<Why> for Failure {
    fn from(why: Why) -> Self {
        Self { why, source_idx: None }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Why::Usage(refusal).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Why::Engine { error, script: None }.into()
    }
}

fn start(arguments: &Arguments, reporter: Reporter) -> Result<Exit, Failure> {
    start_log(arguments, reporter.is_coloured());
    let reporter = if arguments.quiet { reporter.quiet() } else { reporter };
    if let Some(task) = &arguments.task {
        arguments.check_no_query(task.name())?;
        return run_task(task, arguments, reporter);
    }
    let is_interactive = arguments.scripts.is_empty()
        && std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal();
    if is_interactive {
        arguments.check_interactive()?;
    }
    // Before signals are watched: waiting for standard input ends as it would elsewhere.
    let scripts = if is_interactive { Vec::new() } else { read_scripts(arguments)? };
    if arguments.describe_params {
        return Ok(parameters::describe(&scripts, reporter));
    }
    let given = parameters::given(arguments)?;
    let mut config = load_config(arguments)?;
    if let Some(zone) = arguments.time_zone {
        config.settings.time_zone = zone;
    }
    let times = TimeOptions::read(arguments, config.settings.time_zone)?;
    let config_file = config.file.clone();
    let engine = Engine::new(config, engine_options(arguments))?;
    let runner = Runner::new(engine, arguments, (times, given), reporter, is_interactive)?;
    if is_interactive {
        let init_file = (!arguments.no_init).then(environment::init_file).flatten();
        Ok(shell::run(runner, config_file.as_deref(), init_file.as_deref()))
    } else {
        batch::run(&runner, &scripts, arguments).map_err(Failure::from)
    }
}

/// Does what is asked for instead of running queries.
fn run_task(task: &Task, arguments: &Arguments, reporter: Reporter) -> Result<Exit, Failure> {
    Ok(match task {
        Task::Fmt(fmt) => format::run(fmt, reporter),
        Task::Check(check) => check::run(check, configured_engine(arguments)?.as_ref(), reporter)?,
        Task::Test(test) => return test::run(test, &engine_options(arguments), reporter),
        Task::Doctor(doctor) => doctor::run(doctor, arguments, reporter)?,
        Task::Plugin(task) => return plugin::run(task, arguments, reporter),
        Task::Completions { shell } => manual::print(&manual::completions(*shell), reporter),
        Task::Man => manual::print(&manual::page(), reporter),
    })
}

/// Reads and parses all texts, before the first of them runs.
fn read_scripts(arguments: &Arguments) -> Result<Vec<ParsedScript>, Failure> {
    let standard_input = [Source::File("-".into())];
    let sources = match arguments.scripts.as_slice() {
        [] => &standard_input,
        sources => sources,
    };
    let mut scripts = Vec::new();
    for (source_idx, source) in sources.iter().enumerate() {
        let parsed = source.read().map_err(Why::Usage).and_then(parse);
        scripts.push(parsed.map_err(|why| Failure::of_source(why, source_idx))?);
    }
    Ok(scripts)
}

fn parse(script: Script) -> Result<ParsedScript, Why> {
    let saved = match saved::read(&script.text) {
        Ok(saved) => saved,
        Err(faults) => return Err(Why::Header { faults, script }),
    };
    match sessionql_grammar::parse(&script.text) {
        Ok(statements) => Ok(ParsedScript { script, statements, saved }),
        Err(error) => Err(Why::Engine { error: error.into(), script: Some(script) }),
    }
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

/// Returns what runs the queries of a task that needs no signals.
///
/// # Errors
/// [`Error::Internal`] if the system gives no threads.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::internal(error.to_string()))
}

fn engine_options(arguments: &Arguments) -> EngineOptions {
    let mut directories = arguments.plugin_dir.clone();
    directories.extend(environment::plugin_directories());
    EngineOptions {
        plugin_path: PluginPath { directories },
        secrets: Secrets::new(environment::variable),
        clock: Arc::new(Utc::now),
        plugin_host: environment::plugin_host(),
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

//! The command line: arguments in, [`Arguments`] out, or the help text, or a [`Refusal`].
//! Values are checked here as far as the text of one argument goes; nothing is opened.

mod task;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, ValueEnum};
use sessionql_core::{config, duration};

use crate::expect::Expectation;
use crate::script::Source;
use crate::usage::Refusal;
pub(crate) use task::{
    CheckArguments, CheckFormat, DoctorArguments, FmtArguments, PluginCheckArguments,
    PluginDocsArguments, PluginListArguments, PluginNewArguments, PluginTask, Task, TestArguments,
    TestFormat,
};

/// The end of `--help`.
const AFTER_HELP: &str = "\
Without -c and -f, queries come from standard input; on a terminal they are asked for.

Times are dates and times such as 2026-01-02, '2026-01-02 14:05' or 2026-01-02T14:05:06Z;
durations such as 90s, 15m, 1h30m, 7d or 2w.

Exit codes:
  0    ran, and the result is complete
  1    ran, and --expect does not hold
  2    wrong query, command line or configuration; nothing was requested
  3    a scan or the query failed
  4    the result is incomplete
  5    a plugin is not found or refused
  124  timed out    130  interrupted    143  terminated";

/// One SQL-like language over every system that knows who is connected.
#[derive(Debug, Parser)]
#[command(name = "sessionql", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(args_override_self = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do instead of running queries.
    #[command(subcommand)]
    pub(crate) task: Option<Task>,

    /// Run this text; may be repeated
    #[arg(short = 'c', value_name = "QUERY", allow_hyphen_values = true)]
    command: Vec<String>,

    /// Run the text of this file; `-` is standard input; may be repeated
    #[arg(short = 'f', value_name = "FILE")]
    file: Vec<PathBuf>,

    /// The texts of -c and -f, in the order of the command line.
    #[arg(skip)]
    pub(crate) scripts: Vec<Source>,

    /// How to print rows: table, csv, json, jsonl, markdown, vertical, or as a picture of sessions
    /// over time: timeline, svg or html; default: table on a terminal, csv elsewhere
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) format: Option<Format>,

    /// Draw timelines with ASCII characters alone; default: unless the locale has others
    #[arg(long)]
    pub(crate) ascii: bool,

    /// In csv, put a ' before text that a spreadsheet would run as a formula
    #[arg(long)]
    pub(crate) guard_formulas: bool,

    /// Write rows to this file, replaced as a whole when there is a result
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Give a parameter of the query a value; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse_parameter)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) parameters: Vec<(String, String)>,

    /// Give parameters the values of this TOML file; --param counts more
    #[arg(long, value_name = "FILE")]
    pub(crate) params_file: Option<PathBuf>,

    /// Print the parameters of the queries as JSON, and run nothing
    #[arg(long)]
    pub(crate) describe_params: bool,

    /// Only sessions open at or after this time, or this long ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,

    /// Only sessions open before this time, or this long ago
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,

    /// The instant that now() means
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) now: Option<String>,

    /// The zone of times without an offset, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", value_parser = parse_zone)]
    pub(crate) time_zone: Option<Tz>,

    /// End a statement after this duration
    #[arg(long, value_name = "DURATION", value_parser = parse_timeout)]
    pub(crate) timeout: Option<Duration>,

    /// Send at most this many requests for a statement
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<u64>,

    /// Print no rows unless the result is complete
    #[arg(long, conflicts_with = "allow_partial")]
    pub(crate) require_complete: bool,

    /// Let an incomplete result count as complete
    #[arg(long)]
    pub(crate) allow_partial: bool,

    /// Exit with 1 unless: empty, nonempty, or such as 'rows <= 10'
    #[arg(long, value_name = "CLAIM")]
    pub(crate) expect: Option<Expectation>,

    /// Print only what has changed since the last run, whose rows --state keeps
    #[arg(long, requires = "state")]
    pub(crate) diff: bool,

    /// The columns that tell rows apart for --diff, such as id or connection,id; default: all
    #[arg(long, value_name = "COLUMNS", value_parser = parse_key, requires = "diff")]
    pub(crate) key: Option<Key>,

    /// The file in which --diff keeps the rows between runs
    #[arg(long, value_name = "FILE", requires = "diff")]
    pub(crate) state: Option<PathBuf>,

    /// Tell on stderr how each file ended, one line of JSON each
    #[arg(long)]
    pub(crate) summary: bool,

    /// The configuration file; default: $SESSIONQL_CONFIG, then that of the user
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Look for plugins here first; may be repeated
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) plugin_dir: Vec<PathBuf>,

    /// Do not run the file that the prompt begins with
    #[arg(long)]
    pub(crate) no_init: bool,

    /// Print rows and errors only: no warnings, no footers
    #[arg(long, global = true)]
    pub(crate) quiet: bool,

    /// Log to stderr: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", hide_possible_values = true)]
    pub(crate) log_level: Option<LogLevel>,

    /// How to write the log: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) log_format: LogFormat,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// A header and comma-separated fields.
    Csv,
    /// One object per statement, with its columns, rows and completeness.
    Json,
    /// One object per row.
    Jsonl,
    /// A table for reports and tickets.
    Markdown,
    /// For people: a line for each value.
    Vertical,
    /// Sessions over time, drawn in characters.
    Timeline,
    /// Sessions over time as a picture.
    Svg,
    /// A page with that picture.
    Html,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// To run.
    Run(Box<Arguments>),
    /// To print the help or the version.
    Print(String),
}

/// Returns the definition of the command line.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

/// Reads the command line; the first argument is the program's name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, Refusal> {
    use clap::error::ErrorKind;
    let read = Arguments::command().try_get_matches_from(arguments).and_then(|matches| {
        let mut arguments = Arguments::from_arg_matches(&matches)?;
        arguments.scripts = scripts(&arguments, &matches);
        Ok(arguments)
    });
    match read {
        Ok(arguments) => Ok(Invocation::Run(Box::new(arguments))),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Ok(Invocation::Print(error.render().to_string()))
            }
            _ => Err(Refusal::from(error)),
        },
    }
}

/// Returns the texts in the order in which they stand on the command line.
fn scripts(arguments: &Arguments, matches: &ArgMatches) -> Vec<Source> {
    let places = |id| matches.indices_of(id).into_iter().flatten();
    let commands = arguments.command.iter().cloned().map(Source::Text);
    let files = arguments.file.iter().cloned().map(Source::File);
    let mut scripts: Vec<(usize, Source)> =
        places("command").zip(commands).chain(places("file").zip(files)).collect();
    scripts.sort_by_key(|(place, _)| *place);
    scripts.into_iter().map(|(_, source)| source).collect()
}

impl Arguments {
    /// Refuses queries beside a task that runs none.
    ///
    /// # Errors
    /// If there are any.
    pub(crate) fn check_no_query(&self, task: &str) -> Result<(), Refusal> {
        if self.scripts.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(format!("`{task}` does not combine with `-c` and `-f`")))
    }

    /// Refuses what has no meaning when queries are typed.
    ///
    /// # Errors
    /// The first such option.
    pub(crate) fn check_interactive(&self) -> Result<(), Refusal> {
        let given = [
            ("--output", self.output.is_some()),
            ("--expect", self.expect.is_some()),
            ("--summary", self.summary),
            ("--diff", self.diff),
            ("--require-complete", self.require_complete),
            ("--allow-partial", self.allow_partial),
            ("--describe-params", self.describe_params),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => Err(Refusal::new(format!("`{option}` needs a query"))
                .with_hint("give one with `-c`, `-f` or on standard input")),
        }
    }
}

fn parse_parameter(text: &str) -> Result<(String, String), Refusal> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Refusal::new(format!("`{text}` is not a parameter with its value"))
            .with_hint("write `--param name=value`")),
    }
}

/// The names of the columns of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) Vec<String>);

/// Reads the names of the columns of a key.
///
/// # Errors
/// If one of them is empty.
pub(crate) fn parse_key(text: &str) -> Result<Key, Refusal> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err(Refusal::new(format!("`{text}` is no list of columns"))
            .with_hint("columns are listed such as id or connection,id"));
    }
    Ok(Key(names))
}

fn parse_zone(text: &str) -> Result<Tz, Refusal> {
    config::parse_time_zone(text).ok_or_else(|| {
        Refusal::new(format!("no time zone `{text}`"))
            .with_hint("zones are named such as `UTC` or `Europe/Berlin`")
    })
}

fn parse_timeout(text: &str) -> Result<Duration, Refusal> {
    match duration::parse(text) {
        Some(duration) if !duration.is_zero() => Ok(duration),
        Some(_) => Err(Refusal::new("a timeout of 0 leaves no time at all")),
        None => Err(Refusal::new(format!("`{text}` is not a duration"))
            .with_hint("durations are written 90s, 15m, 1h30m, 7d or 2w")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Invocation, Refusal> {
        parse(std::iter::once(&"sessionql").chain(line).map(OsString::from))
    }

    fn arguments(line: &[&str]) -> Arguments {
        match read(line).unwrap() {
            Invocation::Run(arguments) => *arguments,
            Invocation::Print(text) => panic!("{text}"),
        }
    }

    fn refusal(line: &[&str]) -> String {
        let refusal = read(line).unwrap_err();
        match refusal.hint {
            Some(hint) => format!("{} | {hint}", refusal.message),
            None => refusal.message,
        }
    }

    #[test]
    fn the_command_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn texts_keep_their_order() {
        let arguments = arguments(&[
            "-c",
            "-- one\nSELECT 1",
            "-f",
            "b.sql",
            "--format",
            "json",
            "-c",
            "SELECT 3",
        ]);
        let text = |text: &str| Source::Text(text.to_owned());
        let expected = [text("-- one\nSELECT 1"), Source::File("b.sql".into()), text("SELECT 3")];
        assert_eq!(arguments.scripts, expected);
        assert_eq!(arguments.format, Some(Format::Json));
    }

    #[test]
    fn later_options_win() {
        let arguments =
            arguments(&["--config", "demo.toml", "--config", "mine.toml", "--timeout", "90s"]);
        assert_eq!(arguments.config, Some("mine.toml".into()));
        assert_eq!(arguments.timeout, Some(Duration::from_secs(90)));
    }

    #[test]
    fn refusals_are_in_our_words() {
        let cases = [
            (&["--formt", "csv"][..], "no option `--formt` | did you mean `--format`?"),
            (
                &["--format", "jsno"],
                "`--format`: `jsno` is none of `table`, `csv`, `json`, `jsonl`, `markdown`, `vertical`, `timeline`, `svg`, `html` | did you mean `json`?",
            ),
            (
                &["--format"],
                "`--format` needs a value | one of `table`, `csv`, `json`, `jsonl`, `markdown`, `vertical`, `timeline`, `svg`, `html`",
            ),
            (&["-c"], "`-c` needs a value"),
            (
                &["--timeout", "60"],
                "`--timeout`: `60` is not a duration | durations are written 90s, 15m, 1h30m, 7d or 2w",
            ),
            (&["--timeout", "0s"], "`--timeout`: a timeout of 0 leaves no time at all"),
            (
                &["--time-zone", "Mars"],
                "`--time-zone`: no time zone `Mars` | zones are named such as `UTC` or `Europe/Berlin`",
            ),
            (
                &["--expect", "rows"],
                "`--expect`: `rows` is not an expectation | expectations are `empty`, `nonempty` or such as `rows <= 10`",
            ),
            (&["--max-requests", "many"], "`--max-requests`: `many` is not a whole number"),
            (
                &["--param", "who"],
                "`--param`: `who` is not a parameter with its value | write `--param name=value`",
            ),
            (
                &["--require-complete", "--allow-partial"],
                "`--require-complete` does not combine with `--allow-partial`",
            ),
            (
                &["SELECT 1"],
                "unexpected argument `SELECT 1` | give queries with `-c QUERY` or `-f FILE`",
            ),
            (&["--quiet=yes"], "`--quiet` takes no value"),
            (&["fnt", "a.sql"], "unexpected argument `fnt` | did you mean `fmt`?"),
            (&["fmt"], "no file is named | `-` is standard input"),
            (&["completions"], "`<SHELL>` is missing"),
            (&["plugin", "lsit"], "unexpected argument `lsit` | did you mean `list`?"),
            (&["fmt", "--chekc", "a.sql"], "no option `--chekc` | did you mean `--check`?"),
        ];
        for (line, expected) in cases {
            assert_eq!(refusal(line), expected, "{line:?}");
        }
    }

    #[test]
    fn some_options_need_a_query() {
        let refusal = arguments(&["--output", "x.csv"]).check_interactive().unwrap_err();
        assert_eq!(refusal.message, "`--output` needs a query");
        assert!(arguments(&["--format", "json", "--since", "24h"]).check_interactive().is_ok());
    }
}

//! What the program does apart from running queries: a subcommand each, with its own arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

/// What else the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Write the queries of files in the canonical style
    Fmt(FmtArguments),
    /// Tell what is wrong or probably not meant in query files; sends nothing
    Check(CheckArguments),
    /// Run queries on the rows of test files, and compare what comes out
    Test(TestArguments),
    /// Look whether configuration, plugins and connections are fit for use
    Doctor(DoctorArguments),
    /// Look at plugins, describe them, or begin one
    #[command(subcommand)]
    Plugin(PluginTask),
    /// Print the completions of a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        #[arg(value_name = "SHELL", hide_possible_values = true)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

impl Task {
    /// Returns the word that asks for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Fmt(_) => "fmt",
            Self::Check(_) => "check",
            Self::Test(_) => "test",
            Self::Doctor(_) => "doctor",
            Self::Plugin(task) => task.name(),
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}

/// What `check` works on.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// How to tell it: text or json
    #[arg(long = "format", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) check_format: CheckFormat,

    /// The files; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// How findings are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people, on standard error.
    Text,
    /// One array of objects, on standard output.
    Json,
}

/// What `fmt` works on.
#[derive(Debug, Args)]
pub(crate) struct FmtArguments {
    /// Change nothing; print the files that would change, and exit with 1 if there are any
    #[arg(long)]
    pub(crate) check: bool,

    /// The files; `-` is standard input, whose result goes to standard output
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// What `test` works on.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// How to tell it: text or json
    #[arg(long = "format", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) test_format: TestFormat,

    /// Run only cases whose file or name has this in it
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,

    /// Files such as late.test.toml, or directories with such files in them
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

/// How outcomes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people.
    Text,
    /// One object.
    Json,
}

/// What `doctor` does.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// How to tell it: text or json
    #[arg(long = "format", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) doctor_format: TestFormat,

    /// Send nothing
    #[arg(long)]
    pub(crate) offline: bool,

    /// How long each connection may take
    #[arg(long = "timeout", value_name = "DURATION", value_parser = super::parse_timeout)]
    pub(crate) connection_timeout: Option<Duration>,
}

/// What can be done with plugins.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true, arg_required_else_help = false)]
pub(crate) enum PluginTask {
    /// List the plugins that can be found, each with its state; loads those that are trusted
    List(PluginListArguments),
    /// Write what a plugin says of its tables as Markdown, a page each
    Docs(PluginDocsArguments),
    /// Begin a plugin: a Rust project with one table, a mock API and tests
    New(PluginNewArguments),
    /// Tell which rules a plugin breaks; each is looked at in a process of its own
    Check(PluginCheckArguments),
}

impl PluginTask {
    fn name(&self) -> &'static str {
        match self {
            Self::List(_) => "plugin list",
            Self::Docs(_) => "plugin docs",
            Self::New(_) => "plugin new",
            Self::Check(_) => "plugin check",
        }
    }
}

/// What `plugin list` does.
#[derive(Debug, Args)]
pub(crate) struct PluginListArguments {
    /// How to tell it: text or json
    #[arg(long = "format", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) list_format: TestFormat,
}

/// What `plugin docs` works on.
#[derive(Debug, Args)]
pub(crate) struct PluginDocsArguments {
    /// The plugin's name, or its file
    #[arg(value_name = "NAME|PATH")]
    pub(crate) plugin: String,

    /// Write the pages into this directory, each named as its table
    #[arg(long = "output", value_name = "DIR")]
    pub(crate) pages_directory: Option<PathBuf>,
}

/// What `plugin new` makes.
#[derive(Debug, Args)]
pub(crate) struct PluginNewArguments {
    /// The plugin's name, by which connections name it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Where to make the project; default: a directory of the plugin's name
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,

    /// The directory of sessionql-plugin-sdk; default: that of the source around here or the program
    #[arg(long, value_name = "DIR")]
    pub(crate) sdk: Option<PathBuf>,
}

/// What `plugin check` works on.
#[derive(Debug, Args)]
pub(crate) struct PluginCheckArguments {
    /// How to tell it: text, or json, a line for each rule
    #[arg(long = "format", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) check_format: TestFormat,

    /// Look at this rule only; may be repeated
    #[arg(long = "rule", value_name = "RULE")]
    pub(crate) rules: Vec<String>,

    /// With --config, the connection whose API is asked; default: the only one of the plugin
    #[arg(long, value_name = "NAME")]
    pub(crate) connection: Option<String>,

    /// How long each rule may take; default: 1m, with --config 10m
    #[arg(long = "timeout", value_name = "DURATION", value_parser = super::parse_timeout)]
    pub(crate) rule_timeout: Option<Duration>,

    /// Print the rules, and check nothing
    #[arg(long)]
    pub(crate) list: bool,

    /// Look at the rule in this process; what the other processes are started with
    #[arg(long, hide = true)]
    pub(crate) here: bool,

    /// The plugin's name, or its file
    #[arg(value_name = "NAME|PATH", required_unless_present = "list")]
    pub(crate) plugin: Option<String>,
}

//! What the scenarios share: an engine connected to an emulator, with a clock of its own.
//! `World` is one emulator with one engine; `Answer` is what came of one query, as text.
//! The emulator's records are the truth that answers are held against.

#![expect(clippy::panic, reason = "the helpers of tests fail as tests do")]

pub mod ekran;
pub mod formal;
pub mod model;
pub mod oam;
pub mod pages;
pub mod program;
pub mod provider;
pub mod terminal;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sessionql_core::completeness::Completeness;
use sessionql_core::config::{Config, Secrets};
use sessionql_core::plugin::{HostCommand, PluginPath};
use sessionql_core::{Engine, EngineOptions, Error, ExecuteOptions, Explanation};
use sessionql_sandbox::openvpn::{Emulator, Options, SessionRecord};
use sessionql_sandbox::{Clock, openvpn_toml};

// The plugins' libraries are built because this crate depends on them.
use sessionql_faulty as _;
use sessionql_fixture as _;
use sessionql_minimal as _;
use sessionql_oam as _;
use sessionql_openvpn as _;

/// The instant at which every world begins.
pub const BEGIN: &str = "2026-03-15T12:00:00Z";

/// An emulator and an engine connected to it.
pub struct World {
    /// The provider.
    pub emulator: Emulator,
    /// The engine.
    pub engine: Engine,
    /// The time that both live in.
    pub clock: Clock,
}

/// What came of one query.
#[derive(Debug)]
pub struct Answer {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows as text; NULL is `NULL`.
    pub rows: Vec<Vec<String>>,
    /// What the rows cover.
    pub completeness: Completeness,
    /// What ended the query, if it did not end by itself.
    pub error: Option<Error>,
    /// What EXPLAIN told.
    pub explanation: Option<Explanation>,
}

impl World {
    /// Returns a world with the seeded sessions of a small company.
    pub fn seeded() -> Self {
        let clock = Clock::fixed(instant(BEGIN));
        Self::with(Options::seeded(1, clock))
    }

    /// Returns a world with just these sessions.
    pub fn of(sessions: Vec<SessionRecord>) -> Self {
        let clock = Clock::fixed(instant(BEGIN));
        Self::with(Options { sessions, ..Options::empty(clock) })
    }

    /// Returns a world with an emulator of these options.
    pub fn with(options: Options) -> Self {
        let clock = options.clock.clone();
        let emulator = Emulator::start(options).expect("a loopback socket is free");
        let engine = engine(&openvpn_toml(&emulator), &clock);
        Self { emulator, engine, clock }
    }

    /// Replaces the engine by one whose connection has more keys, one a line.
    pub fn configure(&mut self, more: &str) {
        let config = format!("{}{more}\n", openvpn_toml(&self.emulator));
        self.engine = engine(&config, &self.clock);
    }

    /// Runs one statement.
    pub fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    /// Runs a query and returns its first column, sorted.
    ///
    /// # Panics
    /// If the query fails.
    pub fn ids(&self, sql: &str) -> Vec<String> {
        let answer = self.run(sql);
        if let Some(error) = answer.error {
            panic!("{sql}: {error}");
        }
        let mut ids: Vec<String> = answer.rows.into_iter().map(|row| row[0].clone()).collect();
        ids.sort();
        ids
    }

    /// Returns the ids of the emulator's sessions that pass, sorted.
    pub fn truth(&self, passes: impl Fn(&SessionRecord) -> bool) -> Vec<String> {
        let sessions = self.emulator.sessions();
        let mut ids: Vec<String> = sessions
            .iter()
            .filter(|session| passes(session))
            .map(|session| session.id.clone())
            .collect();
        ids.sort();
        ids
    }

    /// Returns the data requests since the last call, one line each.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.emulator.data_requests();
        let lines = requests.iter().map(ToString::to_string).collect();
        self.emulator.clear();
        lines
    }
}

/// Returns an engine with this configuration, which finds the plugins that the tests built.
///
/// # Panics
/// If the configuration is wrong.
pub fn engine(config: &str, clock: &Clock) -> Engine {
    engine_with_plugins(config, clock, &plugin_directory())
}

/// Returns an engine with this configuration and the plugins of a directory.
///
/// # Panics
/// If the configuration is wrong.
pub fn engine_with_plugins(config: &str, clock: &Clock, plugins: &Path) -> Engine {
    let config = Config::parse(config).expect("the configuration is right");
    let clock = clock.clone();
    let options = EngineOptions {
        plugin_path: PluginPath { directories: vec![plugins.to_owned()] },
        secrets: Secrets::default(),
        clock: Arc::new(move || clock.now()),
        plugin_host: Some(plugin_host()),
        ..EngineOptions::default()
    };
    Engine::new(config, options).expect("an engine starts")
}

/// Returns what isolated plugins are run in: the binary of the program.
fn plugin_host() -> HostCommand {
    HostCommand { program: program_path(), arguments: vec!["plugin-host".into()] }
}

/// Runs one statement to its end.
pub fn run(engine: &Engine, sql: &str, options: &ExecuteOptions) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        let mut answer = Answer {
            columns: Vec::new(),
            rows: Vec::new(),
            completeness: Completeness::default(),
            error: None,
            explanation: None,
        };
        let statements = match engine.parse(sql) {
            Ok(statements) => statements,
            Err(error) => return Answer { error: Some(error), ..answer },
        };
        assert_eq!(statements.len(), 1, "one statement at a time: {sql}");
        let mut outcome = match engine.execute(sql, &statements[0], options).await {
            Ok(outcome) => outcome,
            Err(error) => return Answer { error: Some(error), ..answer },
        };
        answer.columns =
            outcome.schema().fields().iter().map(|field| field.name().clone()).collect();
        while let Some(batch) = outcome.next().await {
            match batch {
                Ok(batch) => answer.rows.extend(texts(&batch)),
                Err(error) => {
                    answer.error = Some(error);
                    break;
                }
            }
        }
        answer.completeness = outcome.completeness();
        answer.explanation = outcome.explanation();
        answer
    })
}

/// Returns the rows of a batch as text.
fn texts(batch: &arrow::array::RecordBatch) -> Vec<Vec<String>> {
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| {
            arrow::util::display::ArrayFormatter::try_new(column.as_ref(), &options)
                .expect("every type can be shown")
        })
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect())
        .collect()
}

/// Returns the directory with the plugins that were built with this test.
///
/// # Panics
/// If the running program has no place.
pub fn plugin_directory() -> PathBuf {
    let program = std::env::current_exe().expect("the test knows its own file");
    program.parent().expect("a file has a directory").to_owned()
}

/// Returns the binary of the program, which is built with the tests.
///
/// # Panics
/// If it is not there.
pub fn program() -> PathBuf {
    let program = program_path();
    assert!(program.exists(), "{} is not built: run the tests of the workspace", program.display());
    program
}

fn program_path() -> PathBuf {
    let directory = plugin_directory();
    let directory = directory.parent().expect("tests run in `deps`");
    directory.join(format!("sessionql{}", std::env::consts::EXE_SUFFIX))
}

/// Returns an instant.
///
/// # Panics
/// If the text is none.
pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A timeout that no healthy test reaches.
pub const PATIENCE: Duration = Duration::from_secs(60);

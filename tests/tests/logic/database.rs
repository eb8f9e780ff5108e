//! What scripts run on: an engine whose connections are the tables that a script made.
//! CREATE TABLE, INSERT and DROP TABLE are done here, for the language has none of them; SET is
//! remembered; everything else goes to the engine.

use std::fmt;

use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::{BEGIN, PATIENCE, engine, instant};
use sqllogictest::{DB, DBOutput, DefaultColumnType};
use tempfile::TempDir;

use crate::render;
use crate::tables::Tables;

/// One way of running queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// What reaches the plugin.
    pub(crate) pushed: Pushed,
    /// How many rows come together.
    pub(crate) page_rows: usize,
}

/// What reaches the plugin of the filters of a query, and how well it decides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The plugin decides them.
    Exactly,
    /// The plugin lets more rows pass.
    Inexactly,
    /// The engine sends none: `SET pushdown = off`.
    Nothing,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pushed = match self.pushed {
            Pushed::Exactly => "exact filters",
            Pushed::Inexactly => "inexact filters",
            Pushed::Nothing => "nothing pushed",
        };
        write!(formatter, "{pushed}, pages of {} rows", self.page_rows)
    }
}

/// Why a statement of a script failed.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<sessionql_core::Error> for Failure {
    fn from(error: sessionql_core::Error) -> Self {
        Self(error.to_string())
    }
}

/// The tables of a script, and an engine that reads them.
pub(crate) struct Database {
    way: Way,
    tables: Tables,
    /// The SET statements so far.
    settings: Vec<String>,
    directory: TempDir,
    /// Made when the first query needs it; dropped when a table changes.
    engine: Option<Engine>,
}

type Output = DBOutput<DefaultColumnType>;

impl Database {
    /// Returns a database without tables.
    pub(crate) fn new(way: Way) -> Self {
        let settings = match way.pushed {
            Pushed::Nothing => vec!["SET pushdown = off".to_owned()],
            Pushed::Exactly | Pushed::Inexactly => Vec::new(),
        };
        let directory = tempfile::tempdir().expect("a directory is made");
        Self { way, tables: Tables::default(), settings, directory, engine: None }
    }

    fn statement(&mut self, sql: &str) -> Result<Output, Failure> {
        let first = sql.split_whitespace().next().unwrap_or_default().to_lowercase();
        match first.as_str() {
            "create" | "insert" | "drop" => {
                self.engine = None;
                self.tables.apply(sql).map(DBOutput::StatementComplete).map_err(Failure)
            }
            "set" => {
                self.query(sql)?;
                self.settings.push(sql.to_owned());
                Ok(DBOutput::StatementComplete(0))
            }
            _ => self.query(sql),
        }
    }

    fn query(&mut self, sql: &str) -> Result<Output, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        if self.engine.is_none() {
            let engine = self.open();
            for setting in &self.settings {
                runtime.block_on(answer(&engine, setting))?;
            }
            self.engine = Some(engine);
        }
        let engine = self.engine.as_ref().expect("it was made");
        runtime.block_on(answer(engine, sql))
    }

    /// Writes the tables into files and returns an engine that has them as connections.
    fn open(&self) -> Engine {
        let pushes = match self.way.pushed {
            Pushed::Inexactly => "inexact",
            Pushed::Exactly | Pushed::Nothing => "exact",
        };
        let mut config = String::new();
        for table in self.tables.iter() {
            let path = self.directory.path().join(format!("{}.jsonl", table.name));
            std::fs::write(&path, table.lines()).expect("the file is written");
            config += &format!(
                "[connections.{}]\nplugin = \"fixture\"\npath = {:?}\ncolumns = {:?}\n\
                 pushes = \"{pushes}\"\npage_rows = {}\n",
                table.name,
                path,
                table.declarations(),
                self.way.page_rows
            );
        }
        engine(&config, &Clock::fixed(instant(BEGIN)))
    }
}

/// Runs one statement of the language to its end. An answer that is not complete is a failure.
async fn answer(engine: &Engine, sql: &str) -> Result<Output, Failure> {
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    let statements = engine.parse(sql)?;
    let [statement] = statements.as_slice() else {
        return Err(Failure(format!("{} statements stand where one is due", statements.len())));
    };
    let mut outcome = engine.execute(sql, statement, &options).await?;
    let fields = outcome.schema().fields().clone();
    let types = fields.iter().map(|field| render::column_type(field.data_type())).collect();
    let mut rows = Vec::new();
    while let Some(batch) = outcome.next().await {
        rows.extend(render::rows(&batch?));
    }
    if !outcome.completeness().is_complete() {
        return Err(Failure(format!("the answer has gaps: {:?}", outcome.completeness())));
    }
    Ok(DBOutput::Rows { types, rows })
}

impl DB for Database {
    type Error = Failure;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<Output, Failure> {
        self.statement(sql)
    }

    fn engine_name(&self) -> &str {
        "sessionql"
    }
}

//! Local tables: files that queries name like a connection's table.
//! In: `[tables.NAME]` of the configuration. Out: a table of the engine. A statement that names one
//! reads the whole file twice: first to see what types its columns have and that every value fits,
//! so that nothing surprises once requests are sent; then, in batches, for its rows.
//! Sends no request, knows no plugin, and is no part of completeness.

pub(crate) mod cell;
mod csv;
mod exec;
pub(crate) mod jsonl;
mod parquet;
pub(crate) mod rows;
mod survey;

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use sessionql_plugin_abi::message::{Column, ColumnType, TimeColumns};

use crate::columns::{ColumnSource, TableColumn, data_type, schema_of};
use crate::config::LocalTableConfig;
use crate::error::{ConfigError, Error};
use crate::lower::{ColumnShape, TableShape};
use crate::statement::StatementContext;
use cell::Cell;
use exec::LocalScanExec;

/// The schema of local tables, which no connection can be called.
const SCHEMA: &str = "_";

/// How long a value may be, so that a missing quote does not fill the memory.
const MAX_VALUE_BYTES: usize = 16 << 20;

/// A local table, for one statement.
pub(crate) struct LocalTable {
    file: Arc<LocalFile>,
    columns: Vec<TableColumn>,
    schema: SchemaRef,
    context: Arc<StatementContext>,
}

/// A file that was looked through.
#[derive(Debug)]
struct LocalFile {
    config: LocalTableConfig,
    columns: Vec<FileColumn>,
    stamp: Stamp,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileColumn {
    name: String,
    column_type: ColumnType,
    /// Whether the configuration says its type.
    is_declared: bool,
}

/// What tells one version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified: Option<SystemTime>,
}

/// One row of a text file.
#[derive(Debug)]
struct Row {
    /// Where it begins, counted from 1.
    line: usize,
    cells: Vec<Cell>,
}

/// What is wrong with a file.
#[derive(Debug)]
struct Fault {
    line: Option<usize>,
    message: String,
    hint: Option<String>,
    /// Whether nothing is wrong with it, but nobody waits for it any more.
    is_cancelled: bool,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into(), hint: None, is_cancelled: false }
    }

    fn io(error: std::io::Error) -> Self {
        Self::new(format!("cannot be read: {error}"))
    }

    fn cancelled() -> Self {
        Self { is_cancelled: true, ..Self::new("reading was cancelled") }
    }

    fn at(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }

    fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl LocalTable {
    /// Looks a file through.
    ///
    /// # Errors
    /// [`Error::Config`] if it is not there or lacks a column that the configuration names,
    /// [`Error::File`] if it is not what it should be.
    pub(crate) fn open(
        config: &LocalTableConfig,
        context: Arc<StatementContext>,
    ) -> Result<Self, Error> {
        let (stamp, _) = Stamp::open(config).map_err(|fault| missing(config, &fault))?;
        let columns =
            survey::columns(config, &context).map_err(|fault| match fault.is_cancelled {
                true => Error::Cancelled,
                false => fault.of(config),
            })?;
        check_named_columns(config, &columns)?;
        let columns_of_table = table_columns(config, &columns);
        let schema = schema_of(columns_of_table.iter().map(|column| &column.column));
        let file = Arc::new(LocalFile { config: config.clone(), columns, stamp });
        Ok(Self { file, columns: columns_of_table, schema, context })
    }

    /// Returns the columns, in the order of `*`.
    pub(crate) fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Returns schema and table as the engine finds it.
    pub(crate) fn reference(&self) -> (String, String) {
        (SCHEMA.to_owned(), self.file.config.name.clone())
    }

    /// Returns what lowering needs to know.
    pub(crate) fn shape(&self) -> TableShape {
        let shape = |column: &TableColumn| ColumnShape {
            name: column.column.name.clone(),
            is_hidden: false,
            data_type: data_type(column.column.column_type),
            values: Vec::new(),
        };
        let (schema, name) = self.reference();
        let time = self.file.config.time.clone().map(|time| (time.start, time.end));
        let columns = self.columns.iter().map(shape).collect();
        TableShape { reference: vec![schema, name], columns, time, ..TableShape::default() }
    }
}

impl Stamp {
    /// Opens the file of a table.
    fn open(config: &LocalTableConfig) -> Result<(Self, File), Fault> {
        let file = File::open(&config.path).map_err(Fault::io)?;
        let metadata = file.metadata().map_err(Fault::io)?;
        if !metadata.is_file() {
            return Err(Fault::new("is no regular file"));
        }
        let stamp = Self { size_bytes: metadata.len(), modified: metadata.modified().ok() };
        Ok((stamp, file))
    }
}

impl LocalFile {
    /// Opens the file anew, if it still is what was looked through.
    fn reopen(&self) -> Result<File, Fault> {
        let (stamp, file) = Stamp::open(&self.config)?;
        if stamp == self.stamp { Ok(file) } else { Err(changed()) }
    }
}

fn changed() -> Fault {
    Fault::new("the file has changed while the statement read it").with_hint("run it again")
}

impl Fault {
    /// Returns the error of a table.
    fn of(self, config: &LocalTableConfig) -> Error {
        Error::File {
            table: config.name.clone(),
            file: config.path.clone(),
            line: self.line,
            message: self.message,
            hint: self.hint,
        }
    }
}

/// Returns the error of a file that cannot be opened.
fn missing(config: &LocalTableConfig, fault: &Fault) -> Error {
    let path = config.path.display();
    let message = format!("local table `{}`: the file `{path}` {}", config.name, fault.message);
    let error = ConfigError { line: Some(config.line), ..ConfigError::new(message) };
    let has_tilde = config.path.components().any(|part| part.as_os_str() == "~");
    Error::Config(if has_tilde { error.with_hint("`~` is not expanded") } else { error })
}

/// Checks that the columns that the configuration names are in the file.
fn check_named_columns(config: &LocalTableConfig, columns: &[FileColumn]) -> Result<(), Error> {
    let declared = config.columns.iter().map(|(name, column)| (name, column.line));
    let time = config.time.iter().flat_map(|time| [&time.start, &time.end].map(|n| (n, time.line)));
    for (name, line) in declared.chain(time) {
        if !columns.iter().any(|column| column.name == *name) {
            let known = columns.iter().map(|column| column.name.as_str());
            let hint = crate::error::did_you_mean(&crate::error::nearest(name, known));
            let (table, file) = (&config.name, config.path.display());
            let message = format!("local table `{table}`: no column `{name}` in `{file}`");
            let error = ConfigError { line: Some(line), hint, ..ConfigError::new(message) };
            return Err(Error::Config(error));
        }
    }
    Ok(())
}

/// Returns the columns as queries see them: those of the file, and how long sessions lasted.
fn table_columns(config: &LocalTableConfig, columns: &[FileColumn]) -> Vec<TableColumn> {
    let mut all: Vec<TableColumn> = columns
        .iter()
        .map(|column| {
            let how = if column.is_declared { "declared" } else { "guessed" };
            let (name, column_type) = (column.name.clone(), column.column_type);
            let doc = format!("Local, of `{}`; its type is {how}.", config.path.display());
            let column = Column { name, column_type, nullable: true, doc, ..Column::default() };
            TableColumn { column, source: ColumnSource::Plugin }
        })
        .collect();
    if let Some(time) = &config.time
        && !columns.iter().any(|column| column.name == "duration")
    {
        let column = Column {
            name: "duration".to_owned(),
            column_type: ColumnType::Duration,
            nullable: true,
            doc: "How long it has lasted: up to its end, or up to now.".to_owned(),
            ..Column::default()
        };
        let time = TimeColumns { start: time.start.clone(), end: time.end.clone() };
        all.push(TableColumn { column, source: ColumnSource::Duration(time) });
    }
    all
}

#[async_trait]
impl TableProvider for LocalTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let projection = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.columns.len()).collect(),
        };
        let (file, context) = (Arc::clone(&self.file), Arc::clone(&self.context));
        let columns: Vec<_> = projection.iter().map(|idx| self.columns[*idx].clone()).collect();
        Ok(Arc::new(LocalScanExec::try_new(file, &columns, limit, context)?))
    }
}

impl fmt::Debug for LocalTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LocalTable({})", self.file.config.name)
    }
}

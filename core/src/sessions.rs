//! `FROM sessions`: the common columns of the main tables of all connections.
//! Every connection gets the filters, the window and the limit, and pushes them in its own way.
//! Connections that the filters on `connection` and `provider` rule out are not opened. One that
//! fails, for whatever reason, does not hide the rows of the others: it is missing, and said so.

mod branches;
mod unread;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

pub(crate) use branches::Branches;
pub(crate) use unread::UnreadExec;

use crate::columns::{TableColumn, schema_of, session_columns};
use crate::config::ConnectionConfig;
use crate::engine::Connections;
use crate::error::Error;
use crate::pushdown::fold_constants;
use crate::statement::StatementContext;
use crate::table::{ProviderTable, filter_pushdown};

/// The name of the table.
pub(crate) const NAME: &str = "sessions";

/// The table `sessions`, for one statement.
pub(crate) struct SessionsTable {
    connections: Arc<Connections>,
    columns: Vec<TableColumn>,
    schema: SchemaRef,
    context: Arc<StatementContext>,
}

impl SessionsTable {
    /// Returns the table. Opens no connection.
    pub(crate) fn new(connections: Arc<Connections>, context: Arc<StatementContext>) -> Self {
        let columns = session_columns();
        let schema = schema_of(columns.iter().map(|column| &column.column));
        Self { connections, columns, schema, context }
    }

    /// Returns the common columns, in their order.
    pub(crate) fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Plans the scan of each connection that the filters do not rule out.
    fn plan(
        &self,
        session: &dyn Session,
        filters: &[Expr],
        projection: &[usize],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let tables: Vec<_> = self
            .asked(filters)?
            .into_iter()
            .filter_map(|config| self.open(config).map(|table| (config, table)))
            .collect();
        let branches = Arc::new(Branches::new(tables.len()));
        let projected = Arc::new(self.schema.project(projection)?);
        let mut plans: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        for (config, table) in tables {
            let planned = table.and_then(|table| {
                let table = table.of_sessions(Arc::clone(&branches));
                match table.plan_scan(session, filters, projection, limit) {
                    Ok(plan) => Ok(Ok(plan)),
                    Err(error) => {
                        table.in_our_words(error).map_or_else(|error| Ok(Err(error)), Err)
                    }
                }
            });
            match planned {
                Ok(plan) => plans.push(plan?),
                Err(error) => {
                    let error = self.connections.with_file(error);
                    let unread = UnreadExec::new(config, &error, &projected, &self.context);
                    plans.push(Arc::new(unread));
                    if let Some(all_failed) = branches.fail(&config.name, error) {
                        return Err(self.context.fail_planning(all_failed));
                    }
                }
            }
        }
        match plans.len() {
            0 => Ok(Arc::new(EmptyExec::new(projected))),
            _ => UnionExec::try_new(plans),
        }
    }

    /// Returns the connections that take part and that the filters do not rule out.
    fn asked(&self, filters: &[Expr]) -> Result<Vec<&ConnectionConfig>> {
        let taking_part = || self.connections.configs().filter(|config| config.in_sessions);
        if taking_part().next().is_none() {
            return Err(self.context.fail_planning(Error::Query {
                message: "`sessions` reads no connection: all have `in_sessions = false`"
                    .to_owned(),
                span: None,
                hint: None,
            }));
        }
        let schema = DFSchema::try_from(self.schema.as_ref().clone())?;
        let mut asked = Vec::new();
        for config in taking_part() {
            let constants = [("provider", &*config.plugin), ("connection", &*config.name)];
            let is_ruled_out = self.context.pushes_filters
                && fold_constants(filters, &constants, &schema)?.is_none();
            if !is_ruled_out {
                asked.push(config);
            }
        }
        Ok(asked)
    }

    /// Opens a connection and returns its main table; `None` if its plugin has none, for then there
    /// is nothing to miss.
    fn open(&self, config: &ConnectionConfig) -> Option<Result<ProviderTable, Error>> {
        let connection = self.connections.open(&config.name).transpose()?;
        connection
            .map(|connection| {
                let table = connection.main_table().filter(|table| table.is_main)?.clone();
                Some(ProviderTable::new(connection, table, Arc::clone(&self.context)))
            })
            .transpose()
    }
}

#[async_trait]
impl TableProvider for SessionsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filter_pushdown(filters))
    }

    async fn scan_with_args<'a>(
        &self,
        session: &dyn Session,
        args: ScanArgs<'a>,
    ) -> Result<ScanResult> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let projection = args.projection().unwrap_or(&all);
        let filters = args.filters().unwrap_or_default();
        self.plan(session, filters, projection, args.limit()).map(ScanResult::new)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let args = ScanArgs::default()
            .with_projection(projection.map(Vec::as_slice))
            .with_filters(Some(filters))
            .with_limit(limit);
        Ok(self.scan_with_args(session, args).await?.into_inner())
    }
}

impl fmt::Debug for SessionsTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionsTable")
    }
}

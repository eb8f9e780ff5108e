//! One table of one connection as the engine's planner sees it.
//! It claims every filter it can hold, so that filters, projection and limit arrive together; then
//! it asks the plugin once how it would answer, and keeps for itself what the plugin does not
//! decide exactly.

mod cached;
mod keyed;
mod told;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{ScanArgs, ScanResult, Session, TableProvider};
use datafusion::common::tree_node::TreeNode as _;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_plan::ExecutionPlan;
use sessionql_plugin_abi::WireError;
use sessionql_plugin_abi::message::{Io, Plan, Request, Table, TimeColumns, Verdict};

use crate::columns::{ColumnSource, TableColumn, branch_columns, schema_of, table_columns};
use crate::connection::Connection;
use crate::error::Error;
use crate::http::Sensitive;
use crate::pushdown::value::format_instant;
use crate::pushdown::{self, Folded, Pushable};
use crate::scan::{FilterPlan, Keys, OutputSource, ScanExec, ScanPlan};
use crate::sessions::Branches;
use crate::statement::StatementContext;
pub(crate) use keyed::Askable;

/// A table of a connection, for one statement.
#[derive(Clone)]
pub(crate) struct ProviderTable {
    connection: Arc<Connection>,
    table: Table,
    columns: Vec<TableColumn>,
    schema: SchemaRef,
    /// The `FROM sessions` that this is a part of.
    branches: Option<Arc<Branches>>,
    context: Arc<StatementContext>,
}

/// What the plugin is asked, and what stays to be done here.
struct Negotiated {
    request: Request,
    plan: Plan,
    /// Filters to check locally, by index.
    residual: Vec<usize>,
    /// The columns of the table that are read, by index, in the order of the table.
    used: Vec<usize>,
}

impl ProviderTable {
    /// Returns the table.
    pub(crate) fn new(
        connection: Arc<Connection>,
        table: Table,
        context: Arc<StatementContext>,
    ) -> Self {
        let plugin = &connection.config.plugin;
        let columns = table_columns(&table, plugin, &connection.config.name);
        let schema = schema_of(columns.iter().map(|column| &column.column));
        Self { connection, table, columns, schema, branches: None, context }
    }

    /// Returns the main table as a part of `sessions`: the common columns alone, and a failed scan
    /// is one for `branches` to judge.
    pub(crate) fn of_sessions(self, branches: Arc<Branches>) -> Self {
        let config = &self.connection.config;
        let columns = branch_columns(&self.table, &config.plugin, &config.name);
        let schema = schema_of(columns.iter().map(|column| &column.column));
        Self { columns, schema, branches: Some(branches), ..self }
    }

    /// Returns the columns, in the order of `*`, hidden ones last.
    pub(crate) fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Returns the plugin's description of the table.
    pub(crate) fn description(&self) -> &Table {
        &self.table
    }

    /// Returns the columns of the `open_during` filters that the plugin takes, if it does.
    fn window(&self) -> Option<&TimeColumns> {
        self.table.time.as_ref().filter(|_| self.table.takes_open_during)
    }

    /// Plans a scan of these columns, by index, with these conjuncts.
    ///
    /// # Errors
    /// What the engine, the connection or the plugin's `plan` says.
    pub(crate) fn plan_scan(
        &self,
        session: &dyn Session,
        filters: &[Expr],
        projection: &[usize],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, PlanError> {
        let folded = match self.context.pushes_filters {
            true => self.decide_constants(filters)?,
            false => Some(Folded { open: filters.to_vec(), decided: Vec::new() }),
        };
        let Some(Folded { open: filters, decided }) = folded else {
            return self.no_rows(filters, projection, "no row can pass");
        };
        let filters = filters.as_slice();
        let conjuncts: Vec<&Expr> = filters.iter().collect();
        let pushable = pushdown::push(&conjuncts, &self.columns, self.window());
        let is_empty = pushable.is_contradiction && self.context.pushes_filters;
        if is_empty || limit == Some(0) {
            let reason = if is_empty { "no row can pass" } else { "`LIMIT 0`" };
            return self.no_rows(filters, projection, reason);
        }
        let pushable = if self.context.pushes_filters { pushable } else { Pushable::default() };
        let negotiated = self.negotiate(filters, &pushable, projection, limit)?;
        let props = session.execution_props();
        if let Some(entry) = self.cached(filters, &pushable, projection, &negotiated) {
            return self.plan_cached(
                entry,
                (filters, &pushable, projection),
                negotiated,
                limit,
                props,
            );
        }
        let keys = match limit {
            None if self.context.pushes_filters && !self.is_asked_by_key(&negotiated) => {
                self.keys(filters, projection, props)
            }
            _ => Keys::NotNeeded,
        };
        let id = self.context.next_scan_id();
        let mut told = self.filter_plans(filters, &pushable, &negotiated.plan);
        told.extend(decided.into_iter().map(told::decided));
        let is_recorded = self.context.cache.is_some() && negotiated.request.limit.is_none();
        let plan = self.scan_plan(id, props, told, projection, negotiated)?;
        let plan = ScanPlan { is_recorded, ..plan };
        Ok(Arc::new(ScanExec::try_new(Arc::new(plan), limit)?.with_keys(keys)))
    }

    /// Returns the filters without those that `provider` and `connection` decide; `None` if they
    /// rule all rows out.
    fn decide_constants(&self, filters: &[Expr]) -> Result<Option<Folded>> {
        let constants: Vec<(&str, &str)> = self
            .columns
            .iter()
            .filter_map(|column| match &column.source {
                ColumnSource::Constant(text) => Some((&*column.column.name, text.as_str())),
                _ => None,
            })
            .collect();
        let schema = DFSchema::try_from(self.schema.as_ref().clone())?;
        pushdown::fold_constants(filters, &constants, &schema)
    }

    /// Asks the plugin how it would answer. Residual filters may need more columns, and more
    /// columns may change the verdicts; so it is asked again with them, and at last with all. The
    /// limit is told only when nothing is left to check here.
    fn negotiate(
        &self,
        filters: &[Expr],
        pushable: &Pushable,
        projection: &[usize],
        limit: Option<usize>,
    ) -> Result<Negotiated, PlanError> {
        let mut used = self.used_columns(projection, filters, &[]);
        let mut n_widened = 0;
        let mut hint = None;
        let mut may_hint = limit.is_some();
        loop {
            let request = self.request(&used, pushable, hint);
            let plan = self.connection.plan(&request).map_err(|error| {
                PlanError::Plugin(self.without_secrets(error, filters, &request))
            })?;
            let residual = residual(filters.len(), pushable, &plan);
            let needed = self.used_columns(projection, filters, &residual);
            if needed.iter().any(|column| !used.contains(column)) {
                let all: Vec<usize> = (0..filters.len()).collect();
                used = match n_widened {
                    0 => needed,
                    _ => self.used_columns(projection, filters, &all),
                };
                n_widened += 1;
                hint = None;
            } else if hint.is_some() && !residual.is_empty() {
                (hint, may_hint) = (None, false);
            } else if hint.is_none() && may_hint && residual.is_empty() {
                hint = limit;
            } else {
                return Ok(Negotiated { request, plan, residual, used });
            }
        }
    }

    /// Returns the table's columns that are projected or that the filters named by `checked` use.
    fn used_columns(
        &self,
        projection: &[usize],
        filters: &[Expr],
        checked: &[usize],
    ) -> Vec<usize> {
        let mut used = projection.to_vec();
        for filter_idx in checked {
            let names = filters[*filter_idx].column_refs();
            used.extend(names.iter().filter_map(|name| self.schema.index_of(&name.name).ok()));
        }
        used.sort_unstable();
        used.dedup();
        used
    }

    /// Returns the request for these columns of the table.
    fn request(&self, used: &[usize], pushable: &Pushable, limit: Option<usize>) -> Request {
        let mut wanted: Vec<&str> = Vec::new();
        for idx in used {
            let column = &self.columns[*idx];
            match &column.source {
                ColumnSource::Plugin => wanted.push(&column.column.name),
                ColumnSource::Duration(time) => wanted.extend([&*time.start, &*time.end]),
                ColumnSource::Constant(_) | ColumnSource::Null => {}
            }
        }
        if self.table.has_duplicates {
            wanted.extend(self.table.primary_key.iter().map(String::as_str));
        }
        // In the order of the manifest, each once.
        let names = self.table.columns.iter().map(|column| &column.name);
        let columns = names.filter(|name| wanted.contains(&name.as_str())).cloned().collect();
        Request {
            table: self.table.name.clone(),
            columns,
            filters: pushable.filters.iter().map(|pushable| pushable.filter.clone()).collect(),
            limit: limit.map(|limit| limit as u64),
            order: Vec::new(),
            now: format_instant(self.context.now),
            clock: format_instant(self.context.clock),
            learned: self.connection.learned(),
        }
    }

    fn scan_plan(
        &self,
        id: usize,
        props: &ExecutionProps,
        filters: Vec<FilterPlan>,
        projection: &[usize],
        negotiated: Negotiated,
    ) -> Result<ScanPlan, PlanError> {
        let Negotiated { request, plan, residual, used } = negotiated;
        let find = |name: &str| self.table.columns.iter().find(|column| column.name == name);
        let wire_schema = schema_of(request.columns.iter().filter_map(|name| find(name)));
        let wire_idx = |name: &str| wire_schema.index_of(name).map_err(DataFusionError::from);
        let sources = used
            .iter()
            .map(|idx| {
                let column = &self.columns[*idx];
                Ok(match &column.source {
                    ColumnSource::Plugin => OutputSource::Wire(wire_idx(&column.column.name)?),
                    ColumnSource::Duration(time) => OutputSource::Duration {
                        start: wire_idx(&time.start)?,
                        end: wire_idx(&time.end)?,
                    },
                    ColumnSource::Constant(text) => {
                        OutputSource::Constant(ScalarValue::from(text.as_str()))
                    }
                    ColumnSource::Null => OutputSource::Constant(ScalarValue::try_new_null(
                        self.schema.field(*idx).data_type(),
                    )?),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let full_schema = Arc::new(self.schema.project(&used).map_err(DataFusionError::from)?);
        let position = |idx: &usize| used.iter().position(|used| used == idx);
        let projection = projection.iter().filter_map(position).collect();
        let residual = conjunction(residual.iter().map(|idx| filters[*idx].expr.clone()));
        let residual = residual
            .map(|residual| {
                let schema = DFSchema::try_from(full_schema.as_ref().clone())?;
                create_physical_expr(&residual, &schema, props, &PhysicalPlanningContext::default())
            })
            .transpose()?;
        let key = match self.table.has_duplicates {
            true => {
                self.table.primary_key.iter().map(|key| wire_idx(key)).collect::<Result<_>>()?
            }
            false => Vec::new(),
        };
        let mut failure = None;
        let client = match self.connection.io() {
            Io::Host => match self.connection.client() {
                Ok(client) => Some(client.clone()),
                Err(error) if self.context.is_only_explained => {
                    failure = Some(format!("the query itself would fail: {error}"));
                    None
                }
                Err(error) => return Err(PlanError::Connection(error)),
            },
            Io::Own => None,
        };
        // The client has notes on the base URL.
        let mut notes = self.connection.notes();
        notes.extend(plan.notes.into_iter().chain(failure));
        let texts = filters.iter().flat_map(|filter| self.sensitive_texts(&filter.expr));
        let sensitive = Sensitive::new(&self.table, &request.filters, texts);
        Ok(ScanPlan {
            id,
            connection: Arc::clone(&self.connection),
            client,
            request,
            verdicts: plan.verdicts,
            slices: plan.slices,
            gaps: plan.gaps,
            notes,
            gap_note: None,
            wire_schema,
            key,
            time: self.table.time.clone(),
            sources,
            full_schema,
            residual,
            projection,
            branches: self.branches.clone(),
            filters,
            previews: plan.previews,
            estimate: plan.estimate,
            cached: None,
            is_recorded: false,
            sensitive,
            context: Arc::clone(&self.context),
        })
    }

    /// Returns the texts that a filter on a sensitive column names, sent or not.
    fn sensitive_texts(&self, filter: &Expr) -> Vec<String> {
        let is_sensitive = |name: &str| {
            self.table.columns.iter().any(|column| column.name == name && column.sensitive)
        };
        if filter.column_refs().iter().any(|column| is_sensitive(&column.name)) {
            pushdown::value::texts(filter)
        } else {
            Vec::new()
        }
    }

    /// Takes secrets and sensitive values out of what a plugin says instead of a plan.
    fn without_secrets(&self, error: WireError, filters: &[Expr], request: &Request) -> WireError {
        let texts = filters.iter().flat_map(|filter| self.sensitive_texts(filter));
        let sensitive = Sensitive::new(&self.table, &request.filters, texts);
        let io = self.connection.io();
        // Without its secrets there is no client, and nothing that it could hide.
        let client = (io == Io::Host).then(|| self.connection.client().ok()).flatten();
        let hide = |text: &String| match client {
            Some(client) => client.redact(&sensitive.mask(text)),
            None => sensitive.mask(text),
        };
        let (message, hint) = (hide(&error.message), error.hint.as_ref().map(hide));
        WireError { message, hint, ..error }
    }

    /// Keeps what went wrong for the engine, and returns what planning can say.
    fn planning_error(&self, error: PlanError) -> DataFusionError {
        match self.in_our_words(error) {
            Ok(error) => self.context.fail_planning(error),
            Err(error) => error,
        }
    }

    /// Returns what went wrong as an error of ours, or else what the engine says.
    pub(crate) fn in_our_words(&self, error: PlanError) -> Result<Error> {
        match error {
            PlanError::Engine(error) => Err(error),
            PlanError::Connection(error) => Ok(error),
            PlanError::Plugin(error) => Ok(Error::Scan {
                connection: self.connection.config.name.clone(),
                table: self.table.name.clone(),
                error,
            }),
        }
    }
}

/// Why a scan could not be planned.
pub(crate) enum PlanError {
    /// The engine said so.
    Engine(DataFusionError),
    /// The plugin's `plan` failed.
    Plugin(WireError),
    /// The connection cannot be used.
    Connection(Error),
}

impl From<DataFusionError> for PlanError {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(error)
    }
}

/// Returns the filters that must be checked here: all but those that an exact verdict covers.
fn residual(n_filters: usize, pushable: &Pushable, plan: &Plan) -> Vec<usize> {
    let mut is_covered = vec![false; n_filters];
    for (filter_idx, filter) in pushable.filters.iter().enumerate() {
        let verdict = plan.verdicts.get(filter_idx).copied().unwrap_or_default();
        if verdict == Verdict::Exact && !filter.is_superset {
            for conjunct in &filter.conjuncts {
                is_covered[*conjunct] = true;
            }
        }
    }
    (0..n_filters).filter(|idx| !is_covered[*idx]).collect()
}

/// Claims each filter that a scan can hold and check.
pub(crate) fn filter_pushdown(filters: &[&Expr]) -> Vec<TableProviderFilterPushDown> {
    filters
        .iter()
        .map(|filter| match can_hold(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Unsupported,
        })
        .collect()
}

/// Tells whether a filter can be held and checked by a scan.
fn can_hold(filter: &Expr) -> bool {
    !filter.is_volatile()
        && !filter
            .exists(|expr| {
                Ok(matches!(
                    expr,
                    Expr::ScalarSubquery(_)
                        | Expr::InSubquery(_)
                        | Expr::Exists(_)
                        | Expr::SetComparison(_)
                        | Expr::OuterReferenceColumn(..)
                ))
            })
            .unwrap_or(true)
}

#[async_trait]
impl TableProvider for ProviderTable {
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
        self.plan_scan(session, filters, projection, args.limit())
            .map(ScanResult::new)
            .map_err(|error| self.planning_error(error))
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

impl fmt::Debug for ProviderTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ProviderTable({}.{})", self.connection.config.name, self.table.name)
    }
}

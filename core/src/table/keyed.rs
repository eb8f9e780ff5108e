//! Asks a table by the keys of one column: the same scan with one more filter.
//! `rules/bind_join.rs` decides which scans are asked so, `lookup.rs` asks.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::Expr;
use sessionql_plugin_abi::Reason;
use sessionql_plugin_abi::message::{ColumnType, Filter, FilterOp, Gap, Verdict};

use super::{Negotiated, PlanError, ProviderTable};
use crate::columns::{ColumnSource, TableColumn};
use crate::error::Error;
use crate::pushdown::{self, Pushable, PushableFilter};
use crate::scan::{Keys, ScanPlan};

/// A scan of a table that is too large to be read whole and that can be asked by key instead.
#[derive(Debug, Clone)]
pub(crate) struct Askable {
    table: ProviderTable,
    filters: Vec<Expr>,
    /// The columns that go out, by index in the table.
    columns: Vec<usize>,
    props: ExecutionProps,
}

impl ProviderTable {
    /// Tells whether the plugin uses a filter that the query has on a lookup column.
    pub(super) fn is_asked_by_key(&self, negotiated: &Negotiated) -> bool {
        let filters = negotiated.request.filters.iter().zip(&negotiated.plan.verdicts);
        filters.filter(|(_, verdict)| **verdict != Verdict::Unsupported).any(|(filter, _)| {
            let (Filter::Eq { column, .. } | Filter::In { column, .. }) = filter else {
                return false;
            };
            self.columns.iter().any(|known| known.column.name == *column && is_key(known))
        })
    }

    /// Returns whether joins may ask a scan of these columns by key.
    pub(super) fn keys(
        &self,
        filters: &[Expr],
        projection: &[usize],
        props: &ExecutionProps,
    ) -> Keys {
        if self.table.limits.cap.is_none() || !self.columns.iter().any(is_key) {
            return Keys::NotNeeded;
        }
        let askable = Askable {
            table: self.clone(),
            filters: filters.to_vec(),
            columns: projection.to_vec(),
            props: props.clone(),
        };
        Keys::Open { askable: Arc::new(askable), reason: None }
    }
}

/// Tells whether the plugin can be asked by this column. Keys are text.
fn is_key(column: &TableColumn) -> bool {
    column.source == ColumnSource::Plugin
        && column.column.lookup
        && column.column.column_type == ColumnType::Text
        && column.column.filters.contains(&FilterOp::Eq)
}

impl Askable {
    /// Returns the columns that go out, by index in the table.
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Returns the columns that go out.
    ///
    /// # Errors
    /// If the table lacks one.
    pub(crate) fn schema(&self) -> Result<SchemaRef> {
        Ok(Arc::new(self.table.schema.project(&self.columns)?))
    }

    /// Returns the same question with these columns.
    pub(crate) fn with_columns(&self, columns: Vec<usize>) -> Self {
        Self { columns, ..self.clone() }
    }

    /// Returns the column of the table that goes out at `output_idx`, if it can be asked by.
    pub(crate) fn key_column(&self, output_idx: usize) -> Option<usize> {
        let column = *self.columns.get(output_idx)?;
        is_key(&self.table.columns[column]).then_some(column)
    }

    /// Tells whether a column may be NULL.
    pub(crate) fn is_nullable(&self, column: usize) -> bool {
        self.table.columns[column].column.nullable
    }

    /// Returns a column's name.
    pub(crate) fn column_name(&self, column: usize) -> &str {
        &self.table.columns[column].column.name
    }

    /// Returns the names of the columns that the table can be asked by.
    pub(crate) fn key_names(&self) -> Vec<&str> {
        let keys = self.table.columns.iter().filter(|column| is_key(column));
        keys.map(|column| column.column.name.as_str()).collect()
    }

    /// Returns how a query names the table.
    pub(crate) fn name(&self) -> String {
        let connection = &self.table.connection.config.name;
        match self.table.table.is_main {
            true => connection.clone(),
            false => format!("{connection}.{}", self.table.table.name),
        }
    }

    /// Tells whether several keys can be asked for at once.
    pub(crate) fn takes_lists(&self, column: usize) -> bool {
        self.table.columns[column].column.filters.contains(&FilterOp::In)
    }

    /// Tells whether both ask for the same rows of the same table. A part of `sessions` has other
    /// columns than the table itself, and its failures are for that `sessions` alone to judge.
    pub(crate) fn asks_same_rows(&self, other: &Self) -> bool {
        let has_same_judge = match (&self.table.branches, &other.table.branches) {
            (None, None) => true,
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            _ => false,
        };
        has_same_judge
            && self.table.connection.config.name == other.table.connection.config.name
            && self.table.table.name == other.table.table.name
            && self.table.schema == other.table.schema
            && self.filters == other.filters
    }

    /// Plans the scan for the rows that have one of `keys` in `column`; `None` if the plugin cannot
    /// ask for them all.
    ///
    /// # Errors
    /// If the plugin fails.
    pub(crate) fn plan_keys(
        &self,
        id: usize,
        column: usize,
        keys: &[String],
    ) -> Result<Option<ScanPlan>> {
        let conjuncts: Vec<&Expr> = self.filters.iter().collect();
        let table = &self.table;
        let mut pushable = pushdown::push(&conjuncts, &table.columns, table.window());
        let name = self.column_name(column).to_owned();
        // A column has one filter; what else the query asks of the key is checked here.
        pushable.filters.retain(|filter| filter_column(&filter.filter) != Some(&name));
        let filter = match keys {
            [key] => Filter::Eq { column: name, value: key.as_str().into() },
            _ => {
                let values = keys.iter().map(|key| key.as_str().into()).collect();
                Filter::In { column: name, values }
            }
        };
        let (conjuncts, is_superset) = (Vec::new(), true);
        pushable.filters.push(PushableFilter { filter, conjuncts, is_superset });
        let key_filter = pushable.filters.len() - 1;
        let planned = table.negotiate(&self.filters, &pushable, &self.columns, None);
        let negotiated = planned.map_err(|error| self.run_error(id, error))?;
        if negotiated.plan.verdicts.get(key_filter).copied().unwrap_or_default()
            == Verdict::Unsupported
        {
            return Ok(None);
        }
        self.scan_plan(id, &pushable, negotiated).map(Some)
    }

    /// Plans the scan without keys.
    ///
    /// # Errors
    /// If the plugin fails.
    pub(crate) fn plan_whole(&self, id: usize) -> Result<ScanPlan> {
        let conjuncts: Vec<&Expr> = self.filters.iter().collect();
        let table = &self.table;
        let pushable = pushdown::push(&conjuncts, &table.columns, table.window());
        let planned = table.negotiate(&self.filters, &pushable, &self.columns, None);
        let negotiated = planned.map_err(|error| self.run_error(id, error))?;
        self.scan_plan(id, &pushable, negotiated)
    }

    fn scan_plan(
        &self,
        id: usize,
        pushable: &Pushable,
        negotiated: Negotiated,
    ) -> Result<ScanPlan> {
        let told = self.table.filter_plans(&self.filters, pushable, &negotiated.plan);
        self.table
            .scan_plan(id, &self.props, told, &self.columns, negotiated)
            .map_err(|error| self.run_error(id, error))
    }

    /// Keeps what went wrong for the engine, and returns what a running plan can say.
    fn run_error(&self, id: usize, error: PlanError) -> DataFusionError {
        let error = match self.table.in_our_words(error) {
            Ok(error) => error,
            Err(error) => return error,
        };
        let message = error.to_string();
        let reason = match &error {
            Error::Scan { error, .. } => error.code,
            _ => Reason::Other,
        };
        let config = &self.table.connection.config;
        let ledger = &self.table.context.ledger;
        let entry = ledger.open(id, &config.name, &config.accept, Arc::default());
        ledger.fail(entry, Gap { reason, message: message.clone() }, error);
        DataFusionError::Execution(message)
    }
}

/// Returns the column that a filter is on.
fn filter_column(filter: &Filter) -> Option<&String> {
    match filter {
        Filter::Eq { column, .. }
        | Filter::In { column, .. }
        | Filter::Range { column, .. }
        | Filter::IsNull { column, .. }
        | Filter::Like { column, .. } => Some(column),
        Filter::OpenDuring { .. } => None,
    }
}

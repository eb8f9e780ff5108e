//! The last result, kept so that it can be asked again: the table `_`.
//! In: the rows of a query as they passed, and what they cover. Out: a table of the engine that
//! sends no request. What is missing of the rows is missing of every query over them; a result of
//! which not all rows were kept is no table at all.

mod exec;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::completeness::Completeness;
use crate::display::{count, size, unique_names};
use crate::error::Error;
use crate::lower::{ColumnShape, TableShape};
use crate::statement::StatementContext;
pub(crate) use exec::LastExec;

/// The name of the table.
pub const NAME: &str = "_";

/// How many rows of a result are kept.
const MAX_ROWS: usize = 100_000;

/// How much memory a kept result may take.
const MAX_BYTES: usize = 64 << 20;

/// Takes in the rows of a result as they pass.
#[derive(Debug)]
pub struct Keeper {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    n_rows: u64,
    n_kept: usize,
    size_bytes: usize,
    is_full: bool,
}

/// The rows of a query that has run.
#[derive(Debug)]
pub struct LastResult {
    schema: SchemaRef,
    named: SchemaRef,
    batches: Vec<RecordBatch>,
    n_rows: u64,
    n_kept: usize,
    completeness: Completeness,
    failure: Option<String>,
}

impl Keeper {
    /// Returns a keeper of rows with these columns.
    pub fn new(schema: &SchemaRef) -> Self {
        Self {
            schema: Arc::clone(schema),
            batches: Vec::new(),
            n_rows: 0,
            n_kept: 0,
            size_bytes: 0,
            is_full: false,
        }
    }

    /// Keeps some rows, as far as there is room. Behind rows that were not kept none are.
    pub fn add(&mut self, rows: &RecordBatch) {
        if rows.num_rows() == 0 {
            return;
        }
        self.n_rows += rows.num_rows() as u64;
        let size_bytes = rows.get_array_memory_size();
        self.is_full |= self.n_kept == MAX_ROWS || self.size_bytes + size_bytes > MAX_BYTES;
        if self.is_full {
            return;
        }
        let kept = rows.slice(0, rows.num_rows().min(MAX_ROWS - self.n_kept));
        self.n_kept += kept.num_rows();
        self.size_bytes += size_bytes;
        self.batches.push(kept);
    }

    /// Ends the result. `failure` says why it has no more rows, if it did not come to its end.
    pub fn finish(self, completeness: Completeness, failure: Option<String>) -> LastResult {
        let Self { schema, batches, n_rows, n_kept, .. } = self;
        let names = unique_names(&schema);
        let fields = schema.fields().iter().zip(names);
        // Rows that were computed here may hold NULL whatever was declared of their column.
        let renamed = fields.map(|(field, name)| {
            Field::new(name, field.data_type().clone(), true)
                .with_metadata(field.metadata().clone())
        });
        let named = Arc::new(Schema::new(renamed.collect::<Vec<_>>()));
        LastResult { schema, named, batches, n_rows, n_kept, completeness, failure }
    }
}

impl LastResult {
    /// Returns the columns as the query named them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the rows that were kept.
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// Returns how many rows the query yielded.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Returns what the rows cover.
    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// Returns why the query did not come to its end, if it did not.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Returns why the rows are not those of the whole result, if they are not.
    pub fn why_partial(&self) -> Option<String> {
        if self.n_kept as u64 != self.n_rows {
            let (kept, all) = (count(self.n_kept as u64, "row"), count(self.n_rows, "row"));
            let (max_rows, max) = (count(MAX_ROWS as u64, "row"), size(MAX_BYTES));
            return Some(format!("{kept} of {all} were kept, at most {max_rows} or {max} are"));
        }
        self.failure.as_ref().map(|failure| format!("the query failed: {failure}"))
    }

    /// Refuses to be a table if rows are not there.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        let Some(why) = self.why_partial() else { return Ok(()) };
        Err(Error::Query {
            message: format!("`{NAME}` is not the whole last result: {why}"),
            span: None,
            hint: None,
        })
    }

    /// Returns what lowering needs to know.
    pub(crate) fn shape(&self) -> TableShape {
        let columns = self.named.fields().iter().map(|field| ColumnShape {
            name: field.name().clone(),
            is_hidden: false,
            data_type: field.data_type().clone(),
            values: Vec::new(),
        });
        let is_instant = |name: &str| {
            let field = self.named.field_with_name(name).ok();
            field.is_some_and(|field| matches!(field.data_type(), DataType::Timestamp(..)))
        };
        let has_lifetime = is_instant("start") && is_instant("end");
        TableShape {
            reference: Self::reference().map(str::to_owned).to_vec(),
            columns: columns.collect(),
            time: has_lifetime.then(|| ("start".to_owned(), "end".to_owned())),
            // Its query had the default window; another one now would take rows away unasked.
            ignores_default_window: true,
        }
    }

    /// Returns schema and table as the engine finds it; no connection or local table is called so.
    pub(crate) fn reference() -> [&'static str; 2] {
        [NAME, NAME]
    }
}

/// The table `_`, for one statement.
pub(crate) struct LastTable {
    result: Arc<LastResult>,
    context: Arc<StatementContext>,
}

impl LastTable {
    /// Returns the table.
    pub(crate) fn new(result: Arc<LastResult>, context: Arc<StatementContext>) -> Self {
        Self { result, context }
    }
}

#[async_trait]
impl TableProvider for LastTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.result.named)
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
        let all = || (0..self.result.named.fields().len()).collect();
        let projection = projection.cloned().unwrap_or_else(all);
        let (result, context) = (Arc::clone(&self.result), Arc::clone(&self.context));
        Ok(Arc::new(LastExec::try_new(result, projection, limit, context)?))
    }
}

impl fmt::Debug for LastTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LastTable({} rows)", self.result.n_rows)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn rows(n: usize) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let numbers = Int64Array::from_iter_values(0..i64::try_from(n).unwrap());
        RecordBatch::try_new(schema, vec![Arc::new(numbers)]).unwrap()
    }

    #[test]
    fn rows_are_kept_up_to_a_number() {
        let batch = rows(60_000);
        let mut keeper = Keeper::new(&batch.schema());
        keeper.add(&batch);
        keeper.add(&batch);
        keeper.add(&rows(0));
        keeper.add(&rows(1));
        let last = keeper.finish(Completeness::default(), None);
        assert_eq!(last.batches().iter().map(RecordBatch::num_rows).sum::<usize>(), 100_000);
        assert_eq!(
            last.why_partial().unwrap(),
            "100,000 rows of 120,001 rows were kept, at most 100,000 rows or 67.1 MB are"
        );
        assert!(last.check_whole().is_err());
    }

    #[test]
    fn rows_are_kept_up_to_a_size_and_none_behind_a_hole() {
        let long = "x".repeat(40 << 20);
        let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
        let batch = |text: &str| {
            let texts = Arc::new(StringArray::from(vec![text]));
            RecordBatch::try_new(Arc::clone(&schema), vec![texts]).unwrap()
        };
        let mut keeper = Keeper::new(&schema);
        keeper.add(&batch(&long));
        keeper.add(&batch(&long));
        keeper.add(&batch("short"));
        let last = keeper.finish(Completeness::default(), None);
        assert_eq!((last.batches().len(), last.n_rows()), (1, 3));
        assert!(last.why_partial().unwrap().starts_with("1 row of 3 rows were kept"));
    }

    #[test]
    fn exactly_the_limit_is_whole() {
        let batch = rows(MAX_ROWS);
        let mut keeper = Keeper::new(&batch.schema());
        keeper.add(&batch);
        keeper.add(&rows(0));
        assert_eq!(keeper.finish(Completeness::default(), None).why_partial(), None);
    }

    #[test]
    fn a_failed_query_leaves_no_whole_result() {
        let keeper = Keeper::new(&rows(0).schema());
        let last = keeper.finish(Completeness::default(), Some("interrupted".to_owned()));
        assert_eq!(last.why_partial().unwrap(), "the query failed: interrupted");
    }
}

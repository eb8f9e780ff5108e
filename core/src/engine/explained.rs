//! EXPLAIN and EXPLAIN ANALYZE: a query that is planned, or run, for what there is to tell of it.
//! The outcome's rows are the lines of the explanation; the program shows the explanation itself.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_plan::ExecutionPlan;

use super::outcome::{self, Outcome};
use super::plan::Prepared;
use crate::completeness::{Completeness, Ledger};
use crate::error::Error;
use crate::explain::{self, Analysis, Explanation};
use crate::statement::StatementContext;

/// The one column of an explanation.
const COLUMN: &str = "explanation";

/// What is told of a query, and what was seen of its run.
#[derive(Debug)]
pub(super) struct Explained {
    explanation: Explanation,
    run: Option<Run>,
    is_told: bool,
}

/// The run of a query that is analyzed.
#[derive(Debug)]
struct Run {
    plan: Arc<dyn ExecutionPlan>,
    began: Instant,
    n_rows: u64,
}

/// Explains a query that does not run.
pub(super) fn explain(prepared: Prepared, context: &StatementContext) -> Outcome {
    let explanation = of(&prepared, context);
    let explained = Explained { explanation, run: None, is_told: false };
    let nothing = Outcome::ready(Explained::schema(), Vec::new());
    nothing.explaining(explained, prepared.warnings)
}

/// Returns a query whose rows are only counted.
pub(super) fn analyze(
    mut prepared: Prepared,
    context: &Arc<StatementContext>,
    timeout: Option<Duration>,
    memory_limit_bytes: usize,
) -> Outcome {
    let explanation = of(&prepared, context);
    let warnings = mem::take(&mut prepared.warnings);
    let run = Run { plan: Arc::clone(&prepared.plan), began: Instant::now(), n_rows: 0 };
    let running = outcome::of_query(prepared, context, timeout, memory_limit_bytes);
    let explained = Explained { explanation, run: Some(run), is_told: false };
    running.explaining(explained, warnings)
}

fn of(prepared: &Prepared, context: &StatementContext) -> Explanation {
    explain::explain(&prepared.plan, context, prepared.time_zone, &prepared.tables)
}

impl Explained {
    /// Returns the columns of an explanation.
    pub(super) fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new(COLUMN, DataType::Utf8, false)]))
    }

    /// Counts rows that the query yielded.
    pub(super) fn count(&mut self, rows: &RecordBatch) {
        if let Some(run) = &mut self.run {
            run.n_rows += rows.num_rows() as u64;
        }
    }

    /// Returns what there is to tell now.
    pub(super) fn explanation(
        &self,
        ledger: Option<&Ledger>,
        completeness: Completeness,
    ) -> Explanation {
        let mut explanation = self.explanation.clone();
        if let (Some(run), Some(ledger)) = (&self.run, ledger) {
            let analysis = Analysis {
                n_rows: run.n_rows,
                elapsed: run.began.elapsed(),
                completeness,
                ..Analysis::default()
            };
            explain::analyze(&mut explanation, &run.plan, ledger, analysis);
        }
        explanation
    }

    /// Returns the lines of the explanation as rows, the first time.
    pub(super) fn tell_once(
        &mut self,
        explanation: &Explanation,
    ) -> Option<Result<RecordBatch, Error>> {
        if mem::replace(&mut self.is_told, true) {
            return None;
        }
        let lines = StringArray::from(explanation.lines(usize::MAX));
        let batch = RecordBatch::try_new(Self::schema(), vec![Arc::new(lines)]);
        Some(batch.map_err(|error| Error::internal(error.to_string())))
    }
}

//! A scan whose rows an earlier one read: they are checked again and go out, and nothing is sent.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream;

use super::ScanPlan;
use super::wanted::first_rows;
use crate::cache::Entry;
use crate::completeness::RowCounts;

/// Returns the rows of a scan from an entry of the cache.
///
/// # Errors
/// If the entry lacks a column.
pub(super) fn stream(
    plan: &Arc<ScanPlan>,
    entry: &Entry,
    fetch: Option<usize>,
    schema: SchemaRef,
) -> Result<SendableRecordBatchStream> {
    let (ledger, config) = (&plan.context.ledger, &plan.connection.config);
    let id = ledger.open(plan.id, &config.name, &config.accept, Arc::default());
    let mut notes = entry.notes.clone();
    // What is said of the rows with the times of then is not said again with those of now.
    let is_new = |note: &&String| {
        !entry.notes.iter().any(|known| without_digits(known) == without_digits(note))
    };
    notes.extend(plan.notes.iter().filter(is_new).cloned());
    ledger.close(id, Vec::new(), notes);
    ledger.set_as_of(id, entry.read_at);
    ledger.end(id);
    let (plan, mut n_wanted) = (Arc::clone(plan), fetch);
    let batches = entry.rows(&plan.wire_schema)?;
    let rows = move |wire: RecordBatch| {
        let n_new = wire.num_rows() as u64;
        if let Some(time) = &plan.time
            && plan.context.counts_reversed.load(Ordering::Relaxed)
        {
            let table = format!("{}.{}", plan.connection.config.name, plan.request.table);
            plan.context.ledger.count_reversed(&table, plan.id, &wire, time);
        }
        let rows = first_rows(plan.output(&wire)?, &mut n_wanted);
        let n_out = rows.num_rows() as u64;
        plan.context.ledger.add_rows(id, RowCounts { n_emitted: n_new, n_new, n_out });
        Ok(rows)
    };
    let rows = stream::iter(batches.into_iter().map(rows));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|character| !character.is_ascii_digit()).collect()
}

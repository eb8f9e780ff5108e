//! What a query is expected to cost, and what each of its scans has cost: the figures of the prompt.
//! In: a physical plan, before or after it ran. Out: numbers; nothing is sent for them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use datafusion::physical_plan::ExecutionPlan;

use super::{
    FilterExplanation, collect_scans, explain_scan, numbers, sensitive_columns, sql::Writer,
};
use crate::connection::Connection;
use crate::http::Usage;
use crate::scan::{Keys, Share};
use crate::statement::StatementContext;

/// What a query is expected to cost, as far as its plugins know: of what is read page by page, and of
/// the keys that a join brings, nobody does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Requests over all connections.
    pub n_requests: u64,
    /// How long the slowest connection takes for its own, at the rate that is known or published.
    pub takes: Duration,
}

/// What one scan has cost.
#[derive(Debug, Clone, Default)]
pub struct ScanCost {
    /// The connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// Tells two scans of one table apart, counted from 1; absent if there is only one.
    pub number: Option<usize>,
    /// What becomes of each conjunct.
    pub filters: Vec<FilterExplanation>,
    /// Requests, pages, bytes, waits.
    pub usage: Usage,
    /// Rows that its plugin emitted.
    pub n_rows_in: u64,
    /// Rows that passed the filters and were wanted.
    pub n_rows_out: u64,
    /// From its first request to its end.
    pub elapsed: Duration,
}

/// Returns what a plan is expected to cost.
pub(crate) fn estimate(plan: &Arc<dyn ExecutionPlan>) -> Estimate {
    let mut scans = Vec::new();
    collect_scans(plan, &mut scans);
    let mut seen = HashSet::new();
    let mut by_connection: BTreeMap<&str, (&Connection, u64)> = BTreeMap::new();
    for scan in scans {
        let plan = scan.plan();
        let is_open = matches!(scan.keys(), Keys::NotNeeded | Keys::Open { .. });
        if !is_open || plan.cached.is_some() || plan.slices.is_empty() || !seen.insert(scan.id()) {
            continue;
        }
        let announced = plan.previews.len() as u64;
        let n_requests = plan.estimate.requests.unwrap_or_default().max(announced);
        let connection = by_connection
            .entry(&plan.connection.config.name)
            .or_insert((plan.connection.as_ref(), 0));
        connection.1 += n_requests;
    }
    let time = |(connection, n): &(&Connection, u64)| match connection.client() {
        Ok(client) => client.time_for(*n, connection.published_rate()),
        Err(_) => Duration::ZERO,
    };
    Estimate {
        n_requests: by_connection.values().map(|(_, n)| n).sum(),
        takes: by_connection.values().map(time).max().unwrap_or_default(),
    }
}

/// Returns what the scans of a plan have cost so far.
pub(crate) fn scan_costs(
    plan: &Arc<dyn ExecutionPlan>,
    context: &StatementContext,
    time_zone: Tz,
) -> Vec<ScanCost> {
    let mut scans = Vec::new();
    collect_scans(plan, &mut scans);
    let writer = Writer::new(time_zone, sensitive_columns(&scans, &[]));
    let numbers = numbers(&scans);
    let runs = context.ledger.runs();
    let cost = |scan: &&crate::scan::ScanExec| {
        let explained = explain_scan(scan, &writer);
        let mut cost = ScanCost {
            connection: explained.connection,
            table: explained.table,
            number: numbers.get(&scan.number()).copied(),
            filters: explained.filters,
            ..ScanCost::default()
        };
        // What is read for several places is counted at the first of them.
        let is_first = scan.share().map(Share::scan_id).is_none_or(|first| first == scan.number());
        for run in runs.iter().filter(|run| is_first && run.scan_id == scan.id()) {
            cost.usage.add(&run.usage);
            cost.n_rows_in += run.rows.n_emitted;
            cost.n_rows_out += run.rows.n_out;
            cost.elapsed = cost.elapsed.max(run.elapsed);
        }
        if let Some(share) = scan.share() {
            cost.n_rows_out = share.n_rows();
        }
        cost
    };
    scans.iter().map(cost).collect()
}

//! What a query asks of whom, and what stays to be done here; after a run also what it cost.
//! In: a physical plan, and what its scans wrote into the ledger. Out: an [`Explanation`], which
//! the program prints as text or as JSON. Reads the plan as it is: a node that is not known here is
//! shown by its name, so that no plan is without an explanation.

mod cost;
mod sql;
mod step;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::SubsecRound as _;
use chrono_tz::Tz;
use datafusion::physical_plan::ExecutionPlan;
pub use sessionql_plugin_abi::message::Verdict;
use sessionql_plugin_abi::message::{Gap, Io};

use crate::completeness::{Completeness, Ledger, ScanRun};
use crate::connection::Connection;
use crate::http::{FinishedRequest, Preview, Usage};
use crate::lookup::Lookup;
use crate::pushdown::value::format_instant;
use crate::scan::{Keys, ScanExec, ScanPlan, Share};
use crate::statement::{StatementContext, UnreadTable};
pub use cost::{Estimate, ScanCost};
pub(crate) use cost::{estimate, scan_costs};
use sql::Writer;

/// Why the host sends nothing for some plugins.
const OWN_READS: &str = "the plugin reads by itself";

/// How a query is answered.
#[derive(Debug, Clone, Default)]
pub struct Explanation {
    /// The tables that the query names: those that are read, in the order of the plan, then those
    /// that are not.
    pub scans: Vec<ScanExplanation>,
    /// What is done here, from the last step to the reading of the tables.
    pub plan: Step,
    /// What happened, if the query ran.
    pub analysis: Option<Analysis>,
}

/// How one table is read.
#[derive(Debug, Clone, Default)]
pub struct ScanExplanation {
    /// The connection.
    pub connection: String,
    /// The table.
    pub table: String,
    /// Tells two scans of one table apart, counted from 1; absent if there is only one.
    pub number: Option<usize>,
    /// The first requests, masked.
    pub requests: Vec<Preview>,
    /// How many requests the plugin expects, if it knows.
    pub n_requests: Option<u64>,
    /// How many rows the plugin expects, if it knows.
    pub n_rows: Option<u64>,
    /// Why no request is sent, if none is.
    pub no_requests: Option<String>,
    /// Whether the keys of a join decide what is requested; a note says how.
    pub is_asked_by_key: bool,
    /// What becomes of each conjunct.
    pub filters: Vec<FilterExplanation>,
    /// The order that the rows are put in right above the scan, if they are, and how many of them
    /// are kept.
    pub order: Option<Order>,
    /// After how many rows the reading ends, if it ends early.
    pub limit: Option<u64>,
    /// Whether the plugin knows of the limit.
    pub is_limit_sent: bool,
    /// What the user should know of the answer.
    pub notes: Vec<String>,
    /// What will be missing whatever the answers are.
    pub gaps: Vec<Gap>,
}

/// What becomes of one conjunct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterExplanation {
    /// The conjunct as SQL; long lists are shortened.
    pub sql: String,
    /// How well the provider answers it; unless exactly, it is checked here. Absent if nobody is
    /// asked.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: String,
}

/// An order that is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The sort keys as SQL.
    pub sql: String,
    /// How many rows are kept, if not all.
    pub n_kept: Option<u64>,
}

/// One step of what is done here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub text: String,
    /// The rows that came out, if the query ran and they were counted.
    pub n_rows: Option<u64>,
    /// The time that it took, if the query ran and it was measured: of a scan from its begin to its
    /// end, of other steps the time of their own computation.
    pub elapsed: Option<Duration>,
    /// Where its rows come from.
    pub inputs: Vec<Self>,
}

/// What happened when a query ran.
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// The rows of the result.
    pub n_rows: u64,
    /// From planned to done.
    pub elapsed: Duration,
    /// What each connection cost, sorted by name.
    pub connections: Vec<ConnectionCost>,
    /// What the rows cover.
    pub completeness: Completeness,
}

/// What one connection cost.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCost {
    /// The connection.
    pub connection: String,
    /// Requests, pages, bytes, waits.
    pub usage: Usage,
    /// Rows that its plugin emitted.
    pub n_rows_in: u64,
    /// Those of them that had come before.
    pub n_duplicates: u64,
    /// Rows that passed the filters and were wanted.
    pub n_rows_out: u64,
    /// The requests in the order in which they ended, masked; the first 1,000 of each scan.
    pub sent: Vec<FinishedRequest>,
}

/// Explains a plan that is ready to run. `tables` are those that the query names, by connection and
/// table.
pub(crate) fn explain(
    plan: &Arc<dyn ExecutionPlan>,
    context: &StatementContext,
    time_zone: Tz,
    tables: &[(String, String)],
) -> Explanation {
    let mut scans = Vec::new();
    collect_scans(plan, &mut scans);
    let unread = context.unread.lock().map(|mut unread| std::mem::take(&mut *unread));
    let unread = unread.unwrap_or_default();
    let writer = Writer::new(time_zone, sensitive_columns(&scans, &unread));
    let numbers = numbers(&scans);
    let orders = step::orders(plan, &writer);
    let mut explained: Vec<ScanExplanation> = scans
        .iter()
        .map(|scan| ScanExplanation {
            number: numbers.get(&scan.number()).copied(),
            order: orders.get(&scan.number()).cloned(),
            ..match shared_with(scan, &numbers) {
                Some(first) => explain_shared(explain_scan(scan, &writer), first),
                None => explain_scan(scan, &writer),
            }
        })
        .collect();
    explained.extend(unread.iter().map(|table| explain_unread(table, &writer)));
    for (connection, table) in tables {
        let is_known =
            |scan: &ScanExplanation| scan.connection == *connection && scan.table == *table;
        if !explained.iter().any(is_known) {
            explained.push(ScanExplanation {
                connection: connection.clone(),
                table: table.clone(),
                no_requests: Some("none of its rows can matter".to_owned()),
                n_requests: Some(0),
                ..ScanExplanation::default()
            });
        }
    }
    let plan = step::steps(plan, &writer, &numbers);
    Explanation { scans: explained, plan, analysis: None }
}

/// Adds what happened to an explanation of the same plan.
pub(crate) fn analyze(
    explanation: &mut Explanation,
    plan: &Arc<dyn ExecutionPlan>,
    ledger: &Ledger,
    mut analysis: Analysis,
) {
    let runs = ledger.runs();
    step::measure(&mut explanation.plan, plan, &runs);
    let mut costs: BTreeMap<&str, ConnectionCost> = BTreeMap::new();
    for run in &runs {
        let cost = costs.entry(&run.connection).or_default();
        cost.connection.clone_from(&run.connection);
        add_run(cost, run);
    }
    analysis.connections = costs.into_values().collect();
    explanation.analysis = Some(analysis);
}

fn add_run(cost: &mut ConnectionCost, run: &ScanRun) {
    cost.usage.add(&run.usage);
    cost.n_rows_in += run.rows.n_emitted;
    cost.n_duplicates += run.rows.n_emitted - run.rows.n_new;
    cost.n_rows_out += run.rows.n_out;
    cost.sent.extend(run.finished.iter().cloned());
}

/// Adds the scans of a plan, from left to right.
fn collect_scans<'a>(plan: &'a Arc<dyn ExecutionPlan>, scans: &mut Vec<&'a ScanExec>) {
    scans.extend(plan.downcast_ref::<ScanExec>());
    for child in plan.children() {
        collect_scans(child, scans);
    }
}

/// Returns the number for people of the scan whose rows a scan takes, if it takes those of another.
fn shared_with(scan: &ScanExec, numbers: &BTreeMap<usize, usize>) -> Option<usize> {
    let first = scan.share().map(Share::scan_id).filter(|first| *first != scan.number())?;
    numbers.get(&first).copied()
}

/// Leaves out of the explanation of a scan what is said of the one whose rows it takes.
fn explain_shared(explained: ScanExplanation, first: usize) -> ScanExplanation {
    let name = format!("`{}.{} #{first}`", explained.connection, explained.table);
    ScanExplanation {
        requests: Vec::new(),
        n_requests: Some(0),
        n_rows: None,
        no_requests: Some(format!("its rows are those that are read for {name}")),
        notes: Vec::new(),
        gaps: Vec::new(),
        ..explained
    }
}

/// Returns a number for each scan of a table that is scanned more than once, by the scan's own.
fn numbers(scans: &[&ScanExec]) -> BTreeMap<usize, usize> {
    let name = |scan: &ScanExec| {
        let plan = scan.plan();
        (plan.connection.config.name.clone(), plan.request.table.clone())
    };
    let mut by_name: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for scan in scans {
        by_name.entry(name(scan)).or_default().push(scan.number());
    }
    let repeated = by_name.into_values().filter(|ids| ids.len() > 1);
    repeated.flat_map(|ids| ids.into_iter().enumerate().map(|(idx, id)| (id, idx + 1))).collect()
}

fn explain_scan(scan: &ScanExec, writer: &Writer) -> ScanExplanation {
    let plan = scan.plan();
    let preview = |request| Preview::new(request, &plan.sensitive, plan.client.as_ref());
    let say = |text: &String| match &plan.client {
        Some(client) => client.redact(&plan.sensitive.mask(text)),
        None => plan.sensitive.mask(text),
    };
    let gap = |gap: &Gap| Gap { message: say(&gap.message), ..gap.clone() };
    let filters = plan.filters.iter().map(|filter| FilterExplanation {
        sql: writer.filter(&filter.expr),
        verdict: Some(filter.verdict),
        reason: say(&filter.reason),
    });
    let filters = filters.collect();
    if let Keys::Bound { lookup, .. } = scan.keys() {
        return ScanExplanation { filters, ..explain_lookup(plan, lookup) };
    }
    let why_whole = match scan.keys() {
        Keys::Open { askable, reason: Some(reason) } => {
            Some(format!("`{}` is read without keys: {reason}", askable.name()))
        }
        _ => None,
    };
    ScanExplanation {
        connection: plan.connection.config.name.clone(),
        table: plan.request.table.clone(),
        requests: plan.previews.iter().map(preview).collect(),
        n_requests: match plan.slices.is_empty() || plan.cached.is_some() {
            true => Some(0),
            false => plan.estimate.requests,
        },
        n_rows: plan.estimate.rows,
        no_requests: no_requests(plan),
        filters,
        limit: scan.fetch().map(|n_rows| n_rows as u64),
        is_limit_sent: plan.request.limit.is_some(),
        notes: plan.notes.iter().map(say).chain(why_whole).collect(),
        gaps: plan.gaps.iter().map(gap).collect(),
        ..ScanExplanation::default()
    }
}

/// Explains a scan that a join gives its keys. What the plugin planned for a read without keys is not
/// what it will send, nor what will be missing.
fn explain_lookup(plan: &ScanPlan, lookup: &Lookup) -> ScanExplanation {
    let is_own = reads_by_itself(plan);
    let what = if is_own { "read" } else { "request" };
    let mut how =
        format!("one {what} for each key of `{}`, which the join brings", lookup.column_name());
    if lookup.most_keys() > 1 {
        // Whether one request can ask for several is for the plugin to say, once it has keys.
        how.push_str(&format!(", or for up to {} keys where it takes lists", lookup.most_keys()));
    }
    if !is_own {
        how.push_str("; more for further pages");
    }
    let client = (!is_own).then(|| plan.connection.client());
    // The client has notes on the base URL.
    let mut notes = plan.connection.notes();
    notes.push(how);
    if let Some(Err(error)) = client {
        notes.push(format!("the query itself would fail: {error}"));
    }
    ScanExplanation {
        connection: plan.connection.config.name.clone(),
        table: plan.request.table.clone(),
        no_requests: is_own.then(|| OWN_READS.to_owned()),
        is_asked_by_key: true,
        notes,
        ..ScanExplanation::default()
    }
}

fn reads_by_itself(plan: &ScanPlan) -> bool {
    plan.connection.managed.plugin().manifest.io == Io::Own
}

/// Returns why a scan sends no request through the host, if it sends none.
fn no_requests(plan: &ScanPlan) -> Option<String> {
    if let Some(entry) = &plan.cached {
        let read_at = format_instant(entry.read_at.trunc_subsecs(0));
        return Some(format!("its rows are in the cache, as of {read_at}"));
    }
    if plan.slices.is_empty() {
        return Some(match plan.gaps.first() {
            Some(_) => "what is asked for lies where the provider has nothing".to_owned(),
            None => "the plugin sees that no row can pass".to_owned(),
        });
    }
    reads_by_itself(plan).then(|| OWN_READS.to_owned())
}

fn explain_unread(table: &UnreadTable, writer: &Writer) -> ScanExplanation {
    let filters = table.filters.iter().map(|filter| FilterExplanation {
        sql: writer.filter(filter),
        verdict: None,
        reason: String::new(),
    });
    ScanExplanation {
        connection: table.connection.config.name.clone(),
        table: table.table.clone(),
        no_requests: Some(table.reason.to_owned()),
        n_requests: Some(0),
        filters: filters.collect(),
        ..ScanExplanation::default()
    }
}

fn sensitive_columns(scans: &[&ScanExec], unread: &[UnreadTable]) -> BTreeSet<String> {
    let read = scans.iter().map(|scan| (&scan.plan().connection, &scan.plan().request.table));
    let tables = read.chain(unread.iter().map(|table| (&table.connection, &table.table)));
    tables.flat_map(|(connection, table)| sensitive_of(connection, table)).collect()
}

fn sensitive_of(connection: &Connection, table: &str) -> BTreeSet<String> {
    let table = connection.tables.iter().find(|known| known.name == table);
    let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
    columns.iter().filter(|column| column.sensitive).map(|column| column.name.clone()).collect()
}

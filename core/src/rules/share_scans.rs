//! Makes scans of one table share their rows, as where a CTE is used twice or in a self-join.
//! In: the finished physical plan. Out: the same plan, in which scans that the plugin answers with the
//! same requests are readers of one shared scan. Their columns are united first, and the plugin is
//! asked again with all of them: what it would then do must be what it would do for each reader
//! alone, so that sharing never makes a scan larger, nor changes what its rows mean.
//! What is checked, computed and counted here stays with each reader. Not shared are scans that are
//! asked by key, parts of `sessions`, whose failures are judged there, and what a recursive query
//! reads again and again.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use sessionql_plugin_abi::message::{Filter, Plan, Request, Verdict};

use crate::columns::schema_of;
use crate::scan::{Keys, OutputSource, Reader, ScanExec, ScanPlan, Share, SharedScan};

/// The rule. It comes last: the limits of the scans must be known.
#[derive(Debug)]
pub(crate) struct ShareScans;

/// Scans that can share their rows.
struct Group {
    /// What answers all of them.
    united: ScanPlan,
    scans: Vec<ScanExec>,
}

impl PhysicalOptimizerRule for ShareScans {
    fn name(&self) -> &str {
        "share_scans"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut scans = Vec::new();
        collect(&plan, &mut scans);
        let mut groups: Vec<Group> = Vec::new();
        for scan in scans {
            if !groups.iter_mut().any(|group| group.take(&scan)) {
                groups.push(Group { united: scan.plan().clone(), scans: vec![scan] });
            }
        }
        groups.retain(|group| group.scans.len() > 1);
        if groups.is_empty() {
            return Ok(plan);
        }
        let mut shares = HashMap::new();
        for group in groups {
            shares.extend(group.shares()?);
        }
        plan.transform_up(|node| {
            let changed = node.downcast_ref::<ScanExec>().and_then(|scan| {
                let share = shares.remove(&scan.number())?;
                Some(Arc::new(scan.with_share(share)) as Arc<dyn ExecutionPlan>)
            });
            Ok(changed.map_or_else(|| Transformed::no(node), Transformed::yes))
        })
        .data()
    }
}

/// Collects the scans that may share rows, from left to right.
fn collect(plan: &Arc<dyn ExecutionPlan>, scans: &mut Vec<ScanExec>) {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let plan = scan.plan();
        // With pushdown off everything is read plainly: it is the truth for tests.
        let may_share = plan.context.pushes_filters
            && plan.branches.is_none()
            && !plan.slices.is_empty()
            && plan.cached.is_none()
            && !matches!(scan.keys(), Keys::Bound { .. });
        if may_share {
            scans.push(scan.clone());
        }
    }
    // The recursive part is read again for each step.
    let n_once = if plan.is::<RecursiveQueryExec>() { 1 } else { usize::MAX };
    for child in plan.children().into_iter().take(n_once) {
        collect(child, scans);
    }
}

impl Group {
    /// Takes a scan in, if it can share its rows with the others.
    fn take(&mut self, scan: &ScanExec) -> bool {
        let Some(united) = unite(&self.united, scan.plan()) else { return false };
        self.united = united;
        self.scans.push(scan.clone());
        true
    }

    /// Returns the share of each scan, by the scan's number.
    fn shares(mut self) -> Result<Vec<(usize, Share)>> {
        let mut gap_notes: Vec<String> = self.scans.iter().filter_map(ScanExec::gap_note).collect();
        gap_notes.dedup();
        self.united.gap_note = (!gap_notes.is_empty()).then(|| gap_notes.join("; "));
        let readers = self.scans.iter().map(|scan| self.reader(scan)).collect::<Result<_>>()?;
        let shares = SharedScan::shares(self.united, readers);
        Ok(self.scans.iter().map(ScanExec::number).zip(shares).collect())
    }

    /// Returns what a scan does to the rows of all.
    fn reader(&self, scan: &ScanExec) -> Result<Reader> {
        let (plan, wire) = (scan.plan(), &self.united.wire_schema);
        let place = |idx: usize| wire.index_of(plan.wire_schema.field(idx).name());
        let source = |source: &OutputSource| {
            Ok(match source {
                OutputSource::Wire(idx) => OutputSource::Wire(place(*idx)?),
                OutputSource::Duration { start, end } => {
                    OutputSource::Duration { start: place(*start)?, end: place(*end)? }
                }
                OutputSource::Constant(value) => OutputSource::Constant(value.clone()),
            })
        };
        let sources = plan.sources.iter().map(source).collect::<Result<_>>()?;
        let wire_schema = Arc::clone(wire);
        Ok(Reader::new(ScanPlan { sources, wire_schema, ..plan.clone() }, scan.fetch()))
    }
}

/// Returns a plan that answers both scans, if the plugin answers them with the same slices and these
/// are also those for the columns of both.
fn unite(one: &ScanPlan, other: &ScanPlan) -> Option<ScanPlan> {
    let is_same_table = one.connection.config.name == other.connection.config.name
        && rest(&one.request) == rest(&other.request);
    let is_same_answer = one.slices == other.slices
        && one.gaps == other.gaps
        && one.previews == other.previews
        && one.estimate == other.estimate
        && are_alike(&used(one), &used(other));
    if !is_same_table || !is_same_answer {
        return None;
    }
    let tables = &one.connection.tables;
    let columns = &tables.iter().find(|table| table.name == one.request.table)?.columns;
    let is_read =
        |name: &String| one.request.columns.contains(name) || other.request.columns.contains(name);
    let columns: Vec<_> = columns.iter().filter(|column| is_read(&column.name)).collect();
    let filters = match one.request.filters == other.request.filters {
        true => one.request.filters.clone(),
        // What the plugin does not use may differ, and is nobody's business but the reader's.
        false => used(one).into_iter().map(|(filter, _)| filter.clone()).collect(),
    };
    let names = columns.iter().map(|column| column.name.clone()).collect();
    let request = Request { columns: names, filters, ..one.request.clone() };
    let mut united = one.clone();
    if request != one.request {
        let Plan { verdicts, slices, gaps, previews, estimate, notes, .. } =
            one.connection.plan(&request).ok()?;
        united = ScanPlan { request, verdicts, slices, gaps, previews, estimate, ..united };
        united.notes.extend(notes);
        let is_same_answer = united.slices == one.slices
            && united.gaps == one.gaps
            && united.previews == one.previews
            && united.estimate == one.estimate
            && are_alike(&used(&united), &used(one));
        if !is_same_answer {
            return None;
        }
    }
    united.notes.extend(other.notes.iter().cloned());
    let mut known = Vec::new();
    united.notes.retain(|note| {
        let is_new = !known.contains(note);
        known.push(note.clone());
        is_new
    });
    united.wire_schema = schema_of(columns);
    let key =
        one.key.iter().map(|idx| united.wire_schema.index_of(one.wire_schema.field(*idx).name()));
    united.key = key.collect::<Result<_, _>>().ok()?;
    united.sensitive = one.sensitive.united(&other.sensitive);
    Some(united)
}

/// Returns a request without what two scans may differ in.
fn rest(request: &Request) -> Request {
    Request { columns: Vec::new(), filters: Vec::new(), ..request.clone() }
}

/// Returns the filters that the plugin uses, with its verdicts.
fn used(plan: &ScanPlan) -> Vec<(&Filter, Verdict)> {
    let verdicts = plan.verdicts.iter().copied().chain(std::iter::repeat(Verdict::default()));
    let filters = plan.request.filters.iter().zip(verdicts);
    filters.filter(|(_, verdict)| *verdict != Verdict::Unsupported).collect()
}

/// Tells whether two lists have the same members, in any order.
fn are_alike<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.len() == other.len() && one.iter().all(|member| other.contains(member))
}

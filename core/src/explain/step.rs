//! The steps of a plan in words.
//! Nodes that only spread a step over threads, or hand rows on, are left out; one that is not known here is
//! shown as the engine shows it, shortened.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::JoinType;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};

use super::sql::{Writer, shorten, shorten_list};
use super::{Order, Step, shared_with};
use crate::asof::AsofJoinExec;
use crate::bind_join::BindJoinExec;
use crate::completeness::ScanRun;
use crate::interval_join::IntervalJoinExec;
use crate::scan::ScanExec;

/// The longest description of a step, in characters.
const MAX_CHARS: usize = 400;

/// Returns the steps of a plan. `numbers` tell scans of one table apart.
pub(super) fn steps(
    plan: &Arc<dyn ExecutionPlan>,
    writer: &Writer,
    numbers: &BTreeMap<usize, usize>,
) -> Step {
    let plan = shown(plan);
    let text = shorten(&describe(plan, writer, numbers), MAX_CHARS);
    let inputs = plan.children().into_iter().map(|child| steps(child, writer, numbers)).collect();
    Step { text, inputs, ..Step::default() }
}

/// Writes what was counted while a plan ran into its steps.
pub(super) fn measure(step: &mut Step, plan: &Arc<dyn ExecutionPlan>, runs: &[ScanRun]) {
    let plan = shown(plan);
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let runs: Vec<&ScanRun> = runs.iter().filter(|run| run.scan_id == scan.id()).collect();
        step.n_rows = Some(match scan.share() {
            Some(share) => share.n_rows(),
            None => runs.iter().map(|run| run.rows.n_out).sum(),
        });
        step.elapsed = (!runs.is_empty()).then(|| runs.iter().map(|run| run.elapsed).sum());
    } else if let Some(metrics) = plan.metrics() {
        let elapsed_ns = metrics.elapsed_compute().and_then(|nanos| u64::try_from(nanos).ok());
        step.n_rows = metrics.output_rows().map(|n_rows| n_rows as u64);
        step.elapsed = elapsed_ns.map(Duration::from_nanos);
    }
    for (step, child) in step.inputs.iter_mut().zip(plan.children()) {
        measure(step, child, runs);
    }
}

/// Returns the orders that are made right above scans, by the scan's number: nothing stands between but
/// what looks at one row at a time.
pub(super) fn orders(plan: &Arc<dyn ExecutionPlan>, writer: &Writer) -> BTreeMap<usize, Order> {
    let mut orders = BTreeMap::new();
    collect_orders(plan, None, writer, &mut orders);
    orders
}

fn collect_orders(
    plan: &Arc<dyn ExecutionPlan>,
    above: Option<&Order>,
    writer: &Writer,
    orders: &mut BTreeMap<usize, Order>,
) {
    let plan = shown(plan);
    if let (Some(scan), Some(order)) = (plan.downcast_ref::<ScanExec>(), above) {
        orders.insert(scan.number(), order.clone());
    }
    let own = plan.downcast_ref::<SortExec>().map(|sort| Order {
        sql: sort_keys(sort.expr(), writer),
        n_kept: sort.fetch().map(|n_rows| n_rows as u64),
    });
    let passes_on = plan.is::<ProjectionExec>() || plan.is::<FilterExec>();
    let order = own.as_ref().or(above.filter(|_| passes_on));
    for child in plan.children() {
        collect_orders(child, order, writer, orders);
    }
}

/// Returns the first node, from this one down, that does more than hand rows on.
fn shown(plan: &Arc<dyn ExecutionPlan>) -> &Arc<dyn ExecutionPlan> {
    let mut plan = plan;
    while is_hidden(plan.as_ref()) {
        match plan.children().as_slice() {
            [child] => plan = child,
            _ => break,
        }
    }
    plan
}

fn is_hidden(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<CooperativeExec>()
        || plan.is::<RepartitionExec>()
        || (plan.is::<CoalescePartitionsExec>() && plan.fetch().is_none())
        || plan.downcast_ref::<AggregateExec>().is_some_and(is_first_half)
}

/// Tells whether another node goes on with what an aggregate begins; whether there are two depends
/// on the machine.
fn is_first_half(aggregate: &AggregateExec) -> bool {
    matches!(aggregate.mode(), AggregateMode::Partial)
}

fn describe(
    plan: &Arc<dyn ExecutionPlan>,
    writer: &Writer,
    numbers: &BTreeMap<usize, usize>,
) -> String {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return read(scan, numbers);
    }
    if let Some(project) = plan.downcast_ref::<ProjectionExec>() {
        let columns = project.expr().iter().map(|column| {
            let (text, alias) = (writer.computed(&column.expr), writer.name(&column.alias));
            if text == alias { text } else { format!("{text} AS {alias}") }
        });
        return format!("project {}", shorten_list(columns));
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        return format!("filter {}{}", writer.computed(filter.predicate()), first(filter.fetch()));
    }
    if let Some(sort) = plan.downcast_ref::<SortExec>() {
        return format!("sort by {}{}", sort_keys(sort.expr(), writer), first(sort.fetch()));
    }
    if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
        return format!("merge by {}{}", sort_keys(merge.expr(), writer), first(merge.fetch()));
    }
    if let Some(limit) = plan.downcast_ref::<GlobalLimitExec>() {
        let skip = if limit.skip() > 0 { format!("skip {}", limit.skip()) } else { String::new() };
        let keep = limit.fetch().map(|n_rows| format!("limit {n_rows}"));
        let parts = [skip, keep.unwrap_or_default()];
        return parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
    }
    if let Some(limit) = plan.downcast_ref::<LocalLimitExec>() {
        return format!("limit {}", limit.fetch());
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        return describe_aggregate(aggregate, writer);
    }
    describe_join(plan, writer).unwrap_or_else(|| describe_other(plan, writer))
}

fn read(scan: &ScanExec, numbers: &BTreeMap<usize, usize>) -> String {
    let plan = scan.plan();
    let number =
        numbers.get(&scan.number()).map(|number| format!(" #{number}")).unwrap_or_default();
    let name = format!("{}.{}{number}", plan.connection.config.name, plan.request.table);
    let shared = shared_with(scan, numbers).map(|first| format!(", from the rows of #{first}"));
    format!("read {name}{}{}", shared.unwrap_or_default(), first(scan.fetch()))
}

fn describe_aggregate(aggregate: &AggregateExec, writer: &Writer) -> String {
    let groups = aggregate.group_expr();
    let keys = groups.expr().iter().map(|(expr, _)| writer.computed(expr));
    let keys = shorten_list(keys);
    let calls = aggregate.aggr_expr().iter().map(|function| writer.name(function.name()));
    let values = shorten_list(calls);
    match (values.is_empty(), keys.is_empty()) {
        (true, _) => format!("keep distinct {keys}"),
        (false, true) => format!("aggregate {values}"),
        (false, false) => format!("aggregate {values} by {keys}"),
    }
}

fn describe_join(plan: &Arc<dyn ExecutionPlan>, writer: &Writer) -> Option<String> {
    type On = [(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)];
    let words = |kind: &JoinType, way: &str, on: &On, filter: Option<&Arc<dyn PhysicalExpr>>| {
        let equal = on.iter().map(|(left, right)| writer.equality(left, right));
        let conditions: Vec<String> = match filter {
            Some(filter) if on.is_empty() => vec![writer.computed(filter)],
            filter => equal.chain(filter.map(|filter| writer.conjunct(filter))).collect(),
        };
        let on = if conditions.is_empty() { "" } else { " on " };
        format!("{} join{way}{on}{}", join_word(kind), conditions.join(" AND "))
    };
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let filter = join.filter().map(|filter| filter.expression());
        return Some(words(join.join_type(), "", join.on(), filter));
    }
    if let Some(join) = plan.downcast_ref::<BindJoinExec>() {
        let template = join.template();
        let filter = template.filter().map(|filter| filter.expression());
        let text = words(template.join_type(), ", by key,", template.on(), filter);
        return Some(text + &first(join.fetch()));
    }
    if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
        let filter = join.filter().as_ref().map(|filter| filter.expression());
        return Some(words(&join.join_type(), ", sorted,", join.on(), filter));
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        let filter = join.filter().map(|filter| filter.expression());
        return Some(words(join.join_type(), ", every pair,", &[], filter));
    }
    if let Some(node) = plan.downcast_ref::<IntervalJoinExec>() {
        let join = node.join();
        let filter = Some(join.filter.expression());
        return Some(words(&join.join_type, ", by time,", &join.on, filter));
    }
    if let Some(join) = plan.downcast_ref::<AsofJoinExec>() {
        return Some(describe_asof(join, writer));
    }
    plan.is::<CrossJoinExec>().then(|| "cross join, every pair".to_owned())
}

fn describe_asof(join: &AsofJoinExec, writer: &Writer) -> String {
    let matching = join.matching();
    let kind = if matching.is_left { "asof left join" } else { "asof join" };
    let op = if matching.is_strict { "<" } else { "<=" };
    let (left, right) =
        (writer.computed(&matching.left_time), writer.computed(&matching.right_time));
    let equal = matching.on.iter().map(|(left, right)| writer.equality(left, right));
    let conditions: Vec<String> = equal.chain([format!("{right} {op} {left}")]).collect();
    format!("{kind}, the latest, on {}", conditions.join(" AND "))
}

fn join_word(kind: &JoinType) -> &'static str {
    match kind {
        JoinType::Inner => "inner",
        JoinType::Left => "left",
        JoinType::Right => "right",
        JoinType::Full => "full",
        JoinType::LeftSemi => "left semi",
        JoinType::RightSemi => "right semi",
        JoinType::LeftAnti => "left anti",
        JoinType::RightAnti => "right anti",
        JoinType::LeftMark => "left mark",
        JoinType::RightMark => "right mark",
    }
}

fn describe_other(plan: &Arc<dyn ExecutionPlan>, writer: &Writer) -> String {
    let windows =
        plan.downcast_ref::<WindowAggExec>().map(WindowAggExec::window_expr).or_else(|| {
            plan.downcast_ref::<BoundedWindowAggExec>().map(BoundedWindowAggExec::window_expr)
        });
    if let Some(windows) = windows {
        return format!(
            "window {}",
            shorten_list(windows.iter().map(|window| writer.name(window.name())))
        );
    }
    if plan.is::<EmptyExec>() {
        return "no rows".to_owned();
    }
    if plan.is::<PlaceholderRowExec>() {
        return "one row".to_owned();
    }
    if plan.is::<UnionExec>() {
        return "union all".to_owned();
    }
    OneLine(plan.as_ref()).to_string()
}

/// A node as the engine shows it, on one line.
struct OneLine<'a>(&'a dyn ExecutionPlan);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as(DisplayFormatType::Default, formatter)
    }
}

fn sort_keys(keys: &LexOrdering, writer: &Writer) -> String {
    let words: Vec<String> = keys
        .iter()
        .map(|key| {
            let direction = match (key.options.descending, key.options.nulls_first) {
                (false, false) => "",
                (false, true) => " NULLS FIRST",
                (true, true) => " DESC",
                (true, false) => " DESC NULLS LAST",
            };
            format!("{}{direction}", writer.computed(&key.expr))
        })
        .collect();
    words.join(", ")
}

fn first(n_rows: Option<usize>) -> String {
    n_rows.map(|n_rows| format!(", the first {n_rows}")).unwrap_or_default()
}

//! Says of each scan that could be asked by key, and is read whole below a join, why.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{JoinSide, JoinType, NullEquality, Result};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::HashJoinExec;

use super::{as_hash_join, can_ask, scans, with_keys};
use crate::asof::AsofJoinExec;
use crate::scan::Keys;
use crate::table::Askable;

/// Writes the reasons on the scans.
pub(super) fn explain(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut reasons = HashMap::new();
    collect(&plan, &mut reasons)?;
    with_keys(&plan, &|scan| {
        let Keys::Open { askable, .. } = scan.keys() else { return None };
        let reason = Some(reasons.get(&scan.number())?.clone());
        Some(Keys::Open { askable: Arc::clone(askable), reason })
    })
}

/// Collects the reasons by the scans' numbers. The lowest join above a scan tells.
fn collect(plan: &Arc<dyn ExecutionPlan>, reasons: &mut HashMap<usize, String>) -> Result<()> {
    let children = plan.children();
    for child in &children {
        collect(child, reasons)?;
    }
    if children.len() != 2 {
        return Ok(());
    }
    let is_asof = plan.is::<AsofJoinExec>();
    let join = as_hash_join(plan)?;
    for (side, child) in [JoinSide::Left, JoinSide::Right].into_iter().zip(children) {
        for scan in scans(child) {
            let Keys::Open { askable, .. } = scan.keys() else { continue };
            let reason = || match &join {
                Some(join) => why_not(join, side, askable),
                None if is_asof => "an ASOF JOIN does not ask by key".to_owned(),
                None => format!("the join has no `=` on {}", listed(askable)),
            };
            reasons.entry(scan.number()).or_insert_with(reason);
        }
    }
    Ok(())
}

fn why_not(join: &HashJoinExec, side: JoinSide, askable: &Askable) -> String {
    let table = askable.name();
    if join.null_aware {
        return format!(
            "`NOT IN` must know whether any key is NULL; `NOT EXISTS` can ask `{table}` by key"
        );
    }
    if !can_ask(join.join_type, side) {
        let join_type = match join.join_type {
            JoinType::Full => "full",
            JoinType::Left | JoinType::Right => "outer",
            _ => "anti",
        };
        return format!("this {join_type} join wants every row of `{table}`");
    }
    if join.null_equality == NullEquality::NullEqualsNull {
        return "NULL is equal to NULL in this join, and nobody can ask for NULL".to_owned();
    }
    format!("no key of the join is {} itself", listed(askable))
}

fn listed(askable: &Askable) -> String {
    let names: Vec<String> = askable.key_names().iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}

//! Lets scans that ask the same table for the same rows by the same column share their answers, as
//! in a self-join or where a CTE is used twice.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;

use super::{scans, with_keys};
use crate::lookup::Lookup;
use crate::scan::Keys;

/// Unites the lookups of a plan that can be shared.
pub(super) fn share(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut shared: Vec<Arc<Lookup>> = Vec::new();
    for scan in scans(&plan) {
        let Keys::Bound { lookup, .. } = scan.keys() else { continue };
        match shared.iter_mut().find(|known| known.can_share(lookup)) {
            Some(known) => *known = Arc::new(known.united(lookup)),
            None => shared.push(Arc::clone(lookup)),
        }
    }
    with_keys(&plan, &|scan| {
        let Keys::Bound { lookup, .. } = scan.keys() else { return None };
        let lookup = shared.iter().find(|known| known.can_share(lookup))?;
        Some(Keys::Bound { lookup: Arc::clone(lookup), keys: None })
    })
}

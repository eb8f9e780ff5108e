//! The functions and operators that the language has beside the engine's own.

mod asof_condition;
mod duration_math;
mod is_one_of;
mod lifetimes;
mod open_during;
mod read_instant;

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::planner::ExprPlanner;

pub(crate) use asof_condition::{ASOF_CONDITION, AsofCondition};
pub(crate) use duration_math::seconds;
pub(crate) use is_one_of::{IsOneOf, is_one_of};
pub(crate) use lifetimes::{
    LIFETIME_CONTAINS, LIFETIMES_OVERLAP, OVERLAP, OVERLAP_END, OVERLAP_START, is_of_lifetimes,
};
pub(crate) use read_instant::read_instant;

/// The name of the function that a time window is lowered to.
pub(crate) const OPEN_DURING: &str = "open_during";

/// Tells whether a function is one that queries cannot name.
pub(crate) fn is_internal(name: &str) -> bool {
    [LIFETIMES_OVERLAP, LIFETIME_CONTAINS, ASOF_CONDITION].contains(&name)
}

/// Returns the functions to register.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![Arc::new(ScalarUDF::from(open_during::OpenDuring::new()))];
    functions.extend(duration_math::functions());
    functions.extend(lifetimes::functions());
    functions.push(Arc::new(ScalarUDF::from(asof_condition::AsofConditionFunction::new())));
    functions
}

/// Returns the planners of operators that the engine does not know for our types.
pub(crate) fn expr_planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(duration_math::DurationOperators)]
}

//! The functions and operators that the language has beside the engine's own.
//! `described` says what people read of them; what has no description there is not called by name.

mod asof_condition;
mod coverage;
mod described;
mod distance;
mod duration_aggregates;
mod duration_math;
mod exact_sum;
mod geoip;
mod integers;
mod ip;
mod is_one_of;
mod lifetimes;
mod listed;
mod maybe_missing;
mod md5;
mod network;
mod only_one;
mod open_during;
mod read_instant;
mod sessionize;
mod similarity;
mod steps;
mod time_bucket;

use std::sync::Arc;

use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub(crate) use asof_condition::{ASOF_CONDITION, AsofCondition};
pub(crate) use described::{DESCRIBED, INTERNAL};
pub(crate) use duration_math::{MonthsWithDuration, seconds};
pub(crate) use geoip::{GEOIP, geoip};
pub(crate) use integers::{checked, negated, rounded};
pub(crate) use is_one_of::{IsOneOf, is_one_of};
pub(crate) use lifetimes::{
    LIFETIME_CONTAINS, LIFETIMES_OVERLAP, OVERLAP, OVERLAP_END, OVERLAP_START, is_of_lifetimes,
};
pub use listed::Function;
pub(crate) use listed::listed;
pub(crate) use maybe_missing::maybe_missing;
pub(crate) use network::Network;
pub(crate) use only_one::ONLY_ONE;
pub(crate) use read_instant::read_instant;

/// The name of the function that a time window is lowered to.
pub(crate) const OPEN_DURING: &str = "open_during";

/// The name of the function of a window that is lowered to others.
pub(crate) const FIRST_SEEN: &str = "first_seen";

/// What operators of sessions and queries that stand for a value are lowered to; a query cannot call them.
pub(crate) const OPERATORS: [&str; 4] =
    [LIFETIMES_OVERLAP, LIFETIME_CONTAINS, ASOF_CONDITION, ONLY_ONE];

/// Returns the functions of one row to register, without `geoip`, which needs databases.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let mut functions = vec![
        Arc::new(ScalarUDF::from(open_during::OpenDuring::new())),
        Arc::new(ScalarUDF::from(time_bucket::TimeBucket::new())),
        Arc::new(ScalarUDF::from(md5::Md5Text::new())),
        Arc::new(ScalarUDF::from(similarity::EditSimilarity::new())),
        Arc::new(ScalarUDF::from(distance::GeoDistance::new())),
    ];
    functions.push(Arc::new(ScalarUDF::from(only_one::OnlyOne::new())));
    functions.extend(ip::functions());
    functions.extend(duration_math::functions());
    functions.extend(lifetimes::functions());
    functions.push(Arc::new(ScalarUDF::from(asof_condition::AsofConditionFunction::new())));
    functions
}

/// Returns the functions of many rows to register; some take the place of the engine's own.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut functions = coverage::functions();
    functions.extend(duration_aggregates::functions());
    functions.push(exact_sum::function());
    functions
}

/// Returns the functions of a window to register.
pub(crate) fn window_functions() -> Vec<Arc<WindowUDF>> {
    vec![
        Arc::new(WindowUDF::from(sessionize::Sessionize::new())),
        Arc::new(WindowUDF::from(distance::Speed::new())),
    ]
}

/// Returns the planners of operators that the engine does not know for our types.
pub(crate) fn expr_planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(duration_math::DurationOperators)]
}

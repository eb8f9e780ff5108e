//! Our own rules for the engine's planner.

mod monotone;
mod query_zone;
mod time_literals;
mod value_lists;

pub(crate) use monotone::scans_that_may_turn_wrong;
pub(crate) use query_zone::QueryZone;
pub(crate) use time_literals::{NotATime, TimeLiterals};
pub(crate) use value_lists::ValueLists;

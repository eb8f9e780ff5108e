//! Our own rules for the engine's planner.

mod monotone;
mod time_literals;

pub(crate) use monotone::scans_that_may_turn_wrong;
pub(crate) use time_literals::{NotATime, TimeLiterals};

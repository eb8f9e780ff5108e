//! From row to row of a window: how much time passes, and whether the rows are in its order.

use std::cmp::Ordering;

use datafusion::common::{Result, exec_err};

/// The instants of a partition, one after the other, forwards or backwards.
#[derive(Debug)]
pub(super) struct Steps {
    function: &'static str,
    last: Option<i64>,
    direction: Ordering,
}

impl Steps {
    /// Returns steps for a function, which errors name.
    pub(super) fn of(function: &'static str) -> Self {
        Self { function, last: None, direction: Ordering::Equal }
    }

    /// Returns how many microseconds lie between an instant and the one before it.
    ///
    /// # Errors
    /// If the instants went the other way until now: then the window has another order, and what
    /// "before" means nobody knows.
    pub(super) fn next(&mut self, instant: i64) -> Result<Option<u64>> {
        let Some(last) = self.last.replace(instant) else { return Ok(None) };
        let direction = instant.cmp(&last);
        if self.direction == direction.reverse() && direction != Ordering::Equal {
            let function = self.function;
            return exec_err!(
                "the rows of the window are not in the order of the times that `{function}` is given"
            );
        }
        if direction != Ordering::Equal {
            self.direction = direction;
        }
        Ok(Some(instant.abs_diff(last)))
    }
}

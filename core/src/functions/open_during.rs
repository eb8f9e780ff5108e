//! `open_during(start, end, since, until)`: whether a session's life touches a window.
//! What `SINCE`, `UNTIL` and `AT` are lowered to; opaque to the optimizer, so that `pushdown`
//! recognises it. Equal bounds mean the instant; a NULL bound is no bound; a NULL end is open.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BooleanArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::columns::timestamp_type;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OpenDuring {
    signature: Signature,
}

impl OpenDuring {
    /// Returns the function.
    pub(super) fn new() -> Self {
        let signature = Signature::exact(vec![timestamp_type(); 4], Volatility::Immutable);
        Self { signature }
    }
}

impl ScalarUDFImpl for OpenDuring {
    fn name(&self) -> &str {
        super::OPEN_DURING
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let instants: Vec<_> = arrays.iter().map(micros).collect();
        let at = |argument: usize, row: usize| {
            let array = instants[argument];
            array.is_valid(row).then(|| array.value(row))
        };
        let open: BooleanArray = (0..arrays[0].len())
            .map(|row| Some(is_open(at(0, row), at(1, row), at(2, row), at(3, row))))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(open)))
    }
}

fn micros(array: &ArrayRef) -> &arrow::array::PrimitiveArray<TimestampMicrosecondType> {
    array.as_primitive()
}

/// Tells whether the life `[start, end)` touches the window, all in microseconds.
/// A zero-length life is the instant `start`; a life without start touches no window.
fn is_open(start: Option<i64>, end: Option<i64>, since: Option<i64>, until: Option<i64>) -> bool {
    let Some(start) = start else { return false };
    let is_instant = since.is_some() && since == until;
    let begins_in_time = until.is_none_or(|until| start < until || (is_instant && start == until));
    let ends_in_time = since
        .is_none_or(|since| end.is_none_or(|end| end > since || (end == start && start >= since)));
    begins_in_time && ends_in_time
}

#[cfg(test)]
mod tests {
    use super::is_open;

    /// Sessions against the window `[10, 20)`.
    #[test]
    fn a_window_is_half_open() {
        let in_window = |start, end| is_open(Some(start), end, Some(10), Some(20));
        assert!(in_window(5, None), "open since before");
        assert!(in_window(5, Some(11)), "reaches in");
        assert!(!in_window(5, Some(10)), "ends where the window begins");
        assert!(in_window(10, Some(10)), "an instant at its begin");
        assert!(in_window(19, Some(19)), "an instant within");
        assert!(!in_window(20, Some(20)), "an instant at its end");
        assert!(!in_window(20, None), "begins where the window ends");
        assert!(!is_open(None, None, Some(10), Some(20)), "no start, no window");
    }

    #[test]
    fn an_instant_sees_who_is_there() {
        let at_ten = |start, end| is_open(Some(start), end, Some(10), Some(10));
        assert!(at_ten(10, None), "begins then");
        assert!(at_ten(5, Some(11)));
        assert!(!at_ten(5, Some(10)), "has left");
        assert!(at_ten(10, Some(10)), "an instant");
        assert!(!at_ten(11, None));
    }

    #[test]
    fn a_missing_bound_is_no_bound() {
        assert!(is_open(Some(5), Some(6), None, Some(20)));
        assert!(is_open(Some(5), None, Some(10), None));
        assert!(!is_open(Some(5), Some(6), Some(10), None));
    }
}

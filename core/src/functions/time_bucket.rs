//! `time_bucket(width, t, origin)`: the beginning of the bucket that an instant falls into.
//! Buckets follow one another from the origin on, in both directions, each exactly as long as the
//! width; lowering adds the origin where the query names none.

use std::sync::Arc;

use arrow::array::{AsArray as _, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, DurationMicrosecondType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::columns::timestamp_type;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimeBucket {
    signature: Signature,
}

impl TimeBucket {
    /// Returns the function.
    pub(super) fn new() -> Self {
        let width = DataType::Duration(TimeUnit::Microsecond);
        let types = vec![width, timestamp_type(), timestamp_type()];
        Self { signature: Signature::exact(types, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TimeBucket {
    fn name(&self) -> &str {
        "time_bucket"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(timestamp_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let widths = arrays[0].as_primitive::<DurationMicrosecondType>();
        let instants = arrays[1].as_primitive::<TimestampMicrosecondType>();
        let origins = arrays[2].as_primitive::<TimestampMicrosecondType>();
        let buckets = widths.iter().zip(instants).zip(origins).map(|((width, instant), origin)| {
            let (Some(width), Some(instant), Some(origin)) = (width, instant, origin) else {
                return Ok(None);
            };
            if width <= 0 {
                return exec_err!("the width of a time bucket is not above 0");
            }
            match bucket(width, instant, origin) {
                Some(begin) => Ok(Some(begin)),
                None => exec_err!("the beginning of a time bucket is out of range"),
            }
        });
        let buckets: TimestampMicrosecondArray = buckets.collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(buckets.with_timezone("UTC"))))
    }
}

/// Returns where the bucket of `instant` begins, all in microseconds; `width` is above 0.
fn bucket(width: i64, instant: i64, origin: i64) -> Option<i64> {
    let (width, origin) = (i128::from(width), i128::from(origin));
    let n_buckets = (i128::from(instant) - origin).div_euclid(width);
    i64::try_from(origin + n_buckets * width).ok()
}

#[cfg(test)]
mod tests {
    use super::bucket;

    #[test]
    fn buckets_begin_at_the_origin_and_reach_both_ways() {
        assert_eq!(bucket(10, 25, 0), Some(20));
        assert_eq!(bucket(10, 20, 0), Some(20));
        assert_eq!(bucket(10, 25, 3), Some(23));
        assert_eq!(bucket(10, 22, 3), Some(13));
        assert_eq!(bucket(10, -1, 0), Some(-10));
        assert_eq!(bucket(10, -10, 0), Some(-10));
        assert_eq!(bucket(i64::MAX, i64::MIN, i64::MAX), None);
    }
}

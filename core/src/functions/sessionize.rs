//! `sessionize(t, gap) OVER (… ORDER BY t)`: the number of the run of activity that a row belongs to.
//! In: the rows of a partition in the window's order. Out: 1, and one more with each row that comes
//! later than `gap` after the one before it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array};
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Field, FieldRef, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use super::steps::Steps;
use crate::columns::timestamp_type;

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Sessionize {
    signature: Signature,
}

impl Sessionize {
    /// Returns the function.
    pub(super) fn new() -> Self {
        let types = vec![timestamp_type(), DataType::Duration(TimeUnit::Microsecond)];
        Self { signature: Signature::exact(types, Volatility::Immutable) }
    }
}

impl WindowUDFImpl for Sessionize {
    fn name(&self) -> &str {
        "sessionize"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(
        &self,
        _args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Runs))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, true)))
    }
}

/// Numbers the runs of one partition.
#[derive(Debug)]
struct Runs;

impl PartitionEvaluator for Runs {
    fn evaluate_all(&mut self, values: &[ArrayRef], _num_rows: usize) -> Result<ArrayRef> {
        let instants = values[0].as_primitive::<TimestampMicrosecondType>();
        let gaps = values[1].as_primitive::<DurationMicrosecondType>();
        let mut steps = Steps::of("sessionize");
        let mut run = 1;
        let mut numbers = Int64Array::builder(instants.len());
        for (instant, gap) in instants.iter().zip(gaps) {
            let Some(instant) = instant else {
                numbers.append_null();
                continue;
            };
            let pause = steps.next(instant)?;
            let Some(gap) = gap else {
                numbers.append_null();
                continue;
            };
            if gap < 0 {
                return exec_err!("the gap of `sessionize` is below 0");
            }
            if pause.is_some_and(|pause| pause > gap.unsigned_abs()) {
                run += 1;
            }
            numbers.append_value(run);
        }
        Ok(Arc::new(numbers.finish()))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{DurationMicrosecondArray, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    fn numbers(instants: &[Option<i64>], gap: i64) -> Result<Vec<Option<i64>>> {
        let instants: TimestampMicrosecondArray = instants.iter().copied().collect();
        let gaps = DurationMicrosecondArray::from(vec![gap; instants.len()]);
        let n_rows = instants.len();
        let numbers = Runs.evaluate_all(&[Arc::new(instants), Arc::new(gaps)], n_rows)?;
        Ok(numbers.as_primitive::<arrow::datatypes::Int64Type>().iter().collect())
    }

    #[test]
    fn a_longer_pause_begins_a_run() {
        let instants = [1, 2, 2, 12, 23].map(Some);
        assert_eq!(numbers(&instants, 10).unwrap(), [1, 1, 1, 1, 2].map(Some));
        assert_eq!(numbers(&instants, 0).unwrap(), [1, 2, 2, 3, 4].map(Some));
        let backwards = [23, 12, 2, 2, 1].map(Some);
        assert_eq!(numbers(&backwards, 10).unwrap(), [1, 2, 2, 2, 2].map(Some));
        assert_eq!(numbers(&[Some(i64::MIN), Some(i64::MAX)], i64::MAX).unwrap()[1], Some(2));
        let unknown = [None, Some(1), None, Some(5), Some(30), None];
        assert_eq!(numbers(&unknown, 10).unwrap(), [None, Some(1), None, Some(1), Some(2), None]);
    }

    #[test]
    fn rows_in_another_order_are_refused() {
        let refused = numbers(&[Some(5), Some(7), Some(6)], 10).unwrap_err();
        assert!(refused.to_string().contains("not in the order"), "{refused}");
    }

    proptest! {
        #[test]
        fn the_number_is_that_of_the_longer_pauses_before(
            mut instants in proptest::collection::vec(0_i64..60, 0..30),
            gap in 0_i64..10,
            is_backwards in any::<bool>(),
        ) {
            instants.sort_unstable();
            if is_backwards {
                instants.reverse();
            }
            let found = numbers(&instants.iter().copied().map(Some).collect::<Vec<_>>(), gap).unwrap();
            for (row, number) in found.iter().enumerate() {
                let pauses = instants[..=row].windows(2);
                let n_long = pauses.filter(|pair| (pair[1] - pair[0]).abs() > gap).count();
                prop_assert_eq!(*number, Some(1 + i64::try_from(n_long).unwrap()));
            }
        }
    }
}

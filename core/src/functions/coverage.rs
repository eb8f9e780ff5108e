//! `max_concurrent`, `merge_intervals`, `covered` and `gaps`, each of (start, end): what many lives
//! come to. A life is `[start, end)`; one of no length is the instant `start`; one whose end lies
//! before its start, or that has no start, is none. An end that is NULL is open for `max_concurrent`
//! and `gaps`; for the others lowering puts the statement's now there.

mod lives;
mod tally;

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, PrimitiveArray, StructArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::columns::timestamp_type;
use lives::{FrameLives, Lives};

/// An end that has not come: later than any instant.
const OPEN: i64 = i64::MAX;

/// Begin and end in microseconds, the end not before the begin.
type Life = (i64, i64);

/// What the lives come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// How many there are at once at most.
    MaxConcurrent,
    /// The times at which there is any.
    MergeIntervals,
    /// How long there is any.
    Covered,
    /// The times between them.
    Gaps,
}

/// One of the questions as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Coverage {
    question: Question,
    signature: Signature,
}

/// Returns the functions.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let signature = Signature::exact(vec![timestamp_type(); 2], Volatility::Immutable);
    [Question::MaxConcurrent, Question::MergeIntervals, Question::Covered, Question::Gaps]
        .map(|question| {
            Arc::new(AggregateUDF::from(Coverage { question, signature: signature.clone() }))
        })
        .to_vec()
}

/// Returns the fields of an interval in the lists of `merge_intervals` and `gaps`.
fn interval_fields() -> Fields {
    let field = |name| Field::new(name, timestamp_type(), false);
    vec![field("start"), field("end")].into()
}

fn interval_list_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(interval_fields()), true))
}

impl AggregateUDFImpl for Coverage {
    fn name(&self) -> &str {
        match self.question {
            Question::MaxConcurrent => "max_concurrent",
            Question::MergeIntervals => "merge_intervals",
            Question::Covered => "covered",
            Question::Gaps => "gaps",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.question {
            Question::MaxConcurrent => DataType::Int64,
            Question::MergeIntervals | Question::Gaps => DataType::List(interval_list_item()),
            Question::Covered => DataType::Duration(TimeUnit::Microsecond),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let field = |name| {
            let item = Field::new_list_field(timestamp_type(), true);
            let of_state = DataType::List(Arc::new(item));
            Arc::new(Field::new(format_state_name(args.name, name), of_state, true))
        };
        Ok(vec![field("starts"), field("ends")])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Lives::new(self.question, args.is_distinct)))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(FrameLives::new(self.question, args.is_distinct)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    /// Without rows the answer is 0, an empty list or no time: each is a size, not an unknown.
    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        self.question.answer(&[])
    }
}

impl Question {
    /// Answers for lives in the order of their begins, and of equal begins the longer first.
    fn answer(self, sorted: &[Life]) -> Result<ScalarValue> {
        Ok(match self {
            Self::MaxConcurrent => ScalarValue::Int64(Some(max_concurrent(sorted))),
            Self::MergeIntervals => intervals(&merged(sorted)),
            Self::Gaps => intervals(&between(&merged(sorted))),
            Self::Covered => {
                let lengths = merged(sorted).into_iter().map(|(start, end)| end.checked_sub(start));
                let total =
                    lengths.into_iter().try_fold(0_i64, |sum, length| sum.checked_add(length?));
                let Some(total) = total else { return exec_err!("a duration is out of range") };
                ScalarValue::DurationMicrosecond(Some(total))
            }
        })
    }
}

/// Returns lives as a list of structures.
fn intervals(lives: &[Life]) -> ScalarValue {
    let column = |instants: Vec<i64>| {
        let instants: TimestampMicrosecondArray = PrimitiveArray::from(instants);
        Arc::new(instants.with_timezone("UTC")) as ArrayRef
    };
    let starts = column(lives.iter().map(|(start, _)| *start).collect());
    let ends = column(lives.iter().map(|(_, end)| *end).collect());
    let items = StructArray::new(interval_fields(), vec![starts, ends], None);
    let offsets = OffsetBuffer::from_lengths([lives.len()]);
    ScalarValue::List(Arc::new(ListArray::new(
        interval_list_item(),
        offsets,
        Arc::new(items),
        None,
    )))
}

/// Returns how many lives there are at one instant at most.
fn max_concurrent(sorted: &[Life]) -> i64 {
    // The ends of the lives that have begun, the next one first.
    let mut ends = std::collections::BinaryHeap::new();
    let mut most = 0;
    for at_once in sorted.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((now, _)) = at_once.first() else { continue };
        while ends.peek().is_some_and(|std::cmp::Reverse(end)| end <= now) {
            ends.pop();
        }
        let n_instants = at_once.iter().filter(|(start, end)| start == end).count();
        let lasting = at_once.iter().filter(|(start, end)| start < end);
        ends.extend(lasting.map(|(_, end)| std::cmp::Reverse(*end)));
        most = most.max(ends.len() + n_instants);
    }
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// Returns the same instants as lives that neither overlap nor touch.
fn merged(sorted: &[Life]) -> Vec<Life> {
    let mut merged: Vec<Life> = Vec::new();
    for (start, end) in sorted.iter().copied() {
        match merged.last_mut() {
            // The instant at which another life ends is not part of that one.
            Some(last) if start < last.1 || (start == last.1 && end > start) => {
                // An instant that is followed by a life from then on lies in it.
                last.1 = last.1.max(end);
            }
            Some(last) if *last == (start, end) => {}
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// Returns the times between merged lives.
fn between(merged: &[Life]) -> Vec<Life> {
    let pairs = merged.iter().zip(merged.iter().skip(1));
    // An instant at which another life ends is apart from it, but no time passes in between.
    pairs.map(|((_, end), (start, _))| (*end, *start)).filter(|(end, start)| end < start).collect()
}

#[cfg(test)]
mod tests;

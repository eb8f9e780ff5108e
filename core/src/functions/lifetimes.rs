//! What OVERLAPS, CONTAINS and `overlap` are lowered to: functions of lifetimes.
//! A lifetime is two arguments, its start and its end; a NULL end is open, equal ones are the
//! instant, an end before the start is empty. A NULL start makes the answer NULL. The tests are
//! opaque to the optimizer, so that `pushdown` and rules of the physical plan recognise them.

use std::sync::Arc;

use arrow::array::{
    Array as _, AsArray as _, BooleanArray, DurationMicrosecondArray, PrimitiveArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::columns::timestamp_type;

/// `a OVERLAPS b`: `(start, end, start, end)`.
pub(crate) const LIFETIMES_OVERLAP: &str = "lifetimes_overlap";

/// `a CONTAINS b`: `(start, end, start, end)`; `a CONTAINS t`: `(start, end, t)`.
pub(crate) const LIFETIME_CONTAINS: &str = "lifetime_contains";

/// `overlap(a, b)`: `(start, end, start, end, now)`.
pub(crate) const OVERLAP: &str = "overlap";

/// `overlap_start(a, b)`: `(start, end, start, end)`.
pub(crate) const OVERLAP_START: &str = "overlap_start";

/// `overlap_end(a, b)`: `(start, end, start, end)`.
pub(crate) const OVERLAP_END: &str = "overlap_end";

/// Tells whether the arguments of a function are the instants of lifetimes.
pub(crate) fn is_of_lifetimes(name: &str) -> bool {
    [LIFETIMES_OVERLAP, LIFETIME_CONTAINS, OVERLAP, OVERLAP_START, OVERLAP_END].contains(&name)
}

/// Returns the functions to register.
pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let questions = [
        Question::Overlaps,
        Question::Contains,
        Question::Overlap,
        Question::OverlapStart,
        Question::OverlapEnd,
    ];
    questions.into_iter().map(|question| {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::from(LifetimeFunction { question, signature }))
    })
}

/// What is asked of two lifetimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    /// Whether they share an instant.
    Overlaps,
    /// Whether the first covers the second, or an instant.
    Contains,
    /// How long they last together, open ones up to now.
    Overlap,
    /// When what they share begins.
    OverlapStart,
    /// When what they share ends.
    OverlapEnd,
}

/// One of the questions as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LifetimeFunction {
    question: Question,
    signature: Signature,
}

impl ScalarUDFImpl for LifetimeFunction {
    fn name(&self) -> &str {
        match self.question {
            Question::Overlaps => LIFETIMES_OVERLAP,
            Question::Contains => LIFETIME_CONTAINS,
            Question::Overlap => OVERLAP,
            Question::OverlapStart => OVERLAP_START,
            Question::OverlapEnd => OVERLAP_END,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let fits = match self.question {
            Question::Contains => matches!(arg_types.len(), 3 | 4),
            Question::Overlap => arg_types.len() == 5,
            _ => arg_types.len() == 4,
        };
        if !fits {
            return plan_err!("`{}` is given {} instants", self.name(), arg_types.len());
        }
        let is_time = |data_type: &DataType| {
            data_type.is_string()
                || matches!(data_type, DataType::Null | DataType::Date32 | DataType::Timestamp(..))
        };
        match arg_types.iter().find(|data_type| !is_time(data_type)) {
            Some(other) => {
                plan_err!("the start and the end of a session are instants, not {other}")
            }
            None => Ok(vec![timestamp_type(); arg_types.len()]),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.question {
            Question::Overlaps | Question::Contains => DataType::Boolean,
            Question::Overlap => DataType::Duration(TimeUnit::Microsecond),
            Question::OverlapStart | Question::OverlapEnd => timestamp_type(),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let instants: Vec<_> = arrays.iter().map(|array| array.as_primitive()).collect();
        let rows = Rows(&instants);
        let pairs = (0..arrays[0].len())
            .map(|row| Some((rows.lifetime(0, row)?, rows.second_lifetime(row)?, row)));
        Ok(ColumnarValue::Array(match self.question {
            Question::Overlaps => Arc::new(
                pairs.map(|pair| pair.map(|(a, b, _)| a.overlaps(b))).collect::<BooleanArray>(),
            ),
            Question::Contains => Arc::new(
                pairs.map(|pair| pair.map(|(a, b, _)| a.contains(b))).collect::<BooleanArray>(),
            ),
            Question::Overlap => {
                let shared = pairs.map(|pair| {
                    let Some((a, b, row)) = pair else { return Ok(None) };
                    let now = rows.instant(4, row);
                    duration(a.until(now), b.until(now))
                });
                Arc::new(shared.collect::<Result<DurationMicrosecondArray>>()?)
            }
            Question::OverlapStart => instants_of(pairs.map(|pair| {
                let (a, b, _) = pair?;
                Some(a.shared(b)?.start)
            })),
            Question::OverlapEnd => instants_of(pairs.map(|pair| {
                let (a, b, _) = pair?;
                a.shared(b)?.end
            })),
        }))
    }
}

fn instants_of(instants: impl Iterator<Item = Option<i64>>) -> Arc<TimestampMicrosecondArray> {
    Arc::new(instants.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn duration(a: Lifetime, b: Lifetime) -> Result<Option<i64>> {
    let Some(Lifetime { start, end: Some(end) }) = a.shared(b) else { return Ok(None) };
    match end.checked_sub(start) {
        None => exec_err!("a duration is out of range"),
        duration => Ok(duration),
    }
}

/// The arguments of a call, in microseconds.
struct Rows<'a>(&'a [&'a PrimitiveArray<TimestampMicrosecondType>]);

impl Rows<'_> {
    fn instant(&self, argument: usize, row: usize) -> Option<i64> {
        let array = self.0[argument];
        array.is_valid(row).then(|| array.value(row))
    }

    /// Returns the lifetime of two arguments, unless its start is NULL.
    fn lifetime(&self, argument: usize, row: usize) -> Option<Lifetime> {
        let start = self.instant(argument, row)?;
        Some(Lifetime { start, end: self.instant(argument + 1, row) })
    }

    /// Returns the second lifetime; one argument alone is an instant.
    fn second_lifetime(&self, row: usize) -> Option<Lifetime> {
        if self.0.len() > 3 {
            return self.lifetime(2, row);
        }
        let start = self.instant(2, row)?;
        Some(Lifetime { start, end: Some(start) })
    }
}

/// The instants of `[start, end)`, in microseconds; without end it is open, and of no length it is
/// the instant `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lifetime {
    start: i64,
    end: Option<i64>,
}

impl Lifetime {
    fn is_empty(self) -> bool {
        self.end.is_some_and(|end| end < self.start)
    }

    fn is_instant(self) -> bool {
        self.end == Some(self.start)
    }

    /// Returns the lifetime with an end in place of an open one.
    fn until(self, now: Option<i64>) -> Self {
        Self { end: self.end.or(now), ..self }
    }

    /// Tells whether `instant` is one of its instants.
    fn holds(self, instant: i64) -> bool {
        self.start == instant && self.is_instant()
            || self.start <= instant && self.end.is_none_or(|end| instant < end)
    }

    /// Tells whether both share an instant.
    fn overlaps(self, other: Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        let latest_start = self.start.max(other.start);
        self.holds(latest_start) && other.holds(latest_start)
    }

    /// Tells whether all instants of `other`, of which there is one at least, are among its own.
    fn contains(self, other: Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        if self.is_instant() || other.is_instant() {
            return other.is_instant() && self.holds(other.start);
        }
        let is_covered_to_its_end = match (self.end, other.end) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(end), Some(other_end)) => other_end <= end,
        };
        self.start <= other.start && is_covered_to_its_end
    }

    /// Returns what both share.
    fn shared(self, other: Self) -> Option<Self> {
        let end = match (self.end, other.end) {
            (Some(end), Some(other_end)) => Some(end.min(other_end)),
            (end, other_end) => end.or(other_end),
        };
        self.overlaps(other).then(|| Self { start: self.start.max(other.start), end })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Lifetime;

    /// Later than every end of the tests.
    const FOREVER: i64 = 20;

    /// Every kind of lifetime with instants from 0 to 4: open, closed, of no length, reversed.
    fn lifetimes() -> Vec<Lifetime> {
        let ends = || (0..5).map(Some).chain([None]);
        (0..5).flat_map(|start| ends().map(move |end| Lifetime { start, end })).collect()
    }

    /// The halves that lie in a lifetime: between two instants there are more.
    fn halves(lifetime: Lifetime) -> BTreeSet<i64> {
        match lifetime {
            Lifetime { start, end: Some(end) } if start == end => BTreeSet::from([2 * start]),
            Lifetime { start, end } => (2 * start..2 * end.unwrap_or(FOREVER)).collect(),
        }
    }

    #[test]
    fn the_questions_are_those_of_sets_of_instants() {
        for a in lifetimes() {
            for b in lifetimes() {
                let (in_a, in_b) = (halves(a), halves(b));
                let shared: BTreeSet<i64> = in_a.intersection(&in_b).copied().collect();
                assert_eq!(a.overlaps(b), !shared.is_empty(), "{a:?} OVERLAPS {b:?}");
                let is_covered = !in_b.is_empty() && in_b.is_subset(&in_a);
                assert_eq!(a.contains(b), is_covered, "{a:?} CONTAINS {b:?}");
                let found = a.shared(b).map(halves).unwrap_or_default();
                assert_eq!(found, shared, "what {a:?} and {b:?} share");
                for instant in 0..6 {
                    assert_eq!(a.holds(instant), in_a.contains(&(2 * instant)), "{a:?} {instant}");
                }
            }
        }
    }

    #[test]
    fn an_open_lifetime_ends_now_where_time_is_counted() {
        let open = Lifetime { start: 3, end: None };
        assert_eq!(open.until(Some(5)), Lifetime { start: 3, end: Some(5) });
        assert!(open.until(Some(2)).is_empty(), "it has not begun");
        let closed = Lifetime { start: 3, end: Some(4) };
        assert_eq!(closed.until(Some(5)), closed);
    }
}

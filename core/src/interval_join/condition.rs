//! The condition of an interval join: `left.start < right.end AND right.start < left.end`.
//! In: the filter of a join. Out: for each side how a row becomes a start and an end, and what else the
//! filter asks of a pair. OVERLAPS, CONTAINS and two inequalities in opposite directions have the form.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, PrimitiveArray, RecordBatch};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{JoinSide, Result, exec_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, IsNullExpr, Literal, NegativeExpr,
};
use datafusion::physical_expr::utils::{collect_columns, split_conjunction};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr, conjunction};
use datafusion::physical_plan::joins::utils::JoinFilter;

use crate::functions::{LIFETIME_CONTAINS, LIFETIMES_OVERLAP};
use crate::keyed::{Interval, Intervals, NEVER};

/// An end that never comes, or a start that always was.
const FOREVER: i64 = i64::MAX;
const ALWAYS: i64 = i64::MIN;

/// How far from 0 a number may be, so that there is room for what is added to it.
const FARTHEST: i64 = i64::MAX - 4;

/// How a row of either side becomes an interval. Two rows meet if each starts before the other ends.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) left: Bounds,
    pub(super) right: Bounds,
}

/// How a row becomes an interval of whole numbers.
#[derive(Debug, Clone)]
pub(super) enum Bounds {
    /// A lifetime: without start it is none, without end it is open, of no length it is an instant, and
    /// one that ends before it begins is none.
    Lifetime { start: Expr, end: Expr },
    /// An instant.
    Instant(Expr),
    /// A lifetime that has to contain the other one. Times are doubled, so that an instant is shorter
    /// than the shortest lifetime.
    Container { start: Expr, end: Expr },
    /// A lifetime that has to be contained: its end stands for its start and its start for its end.
    Contained { start: Expr, end: Expr },
    /// Operands of two comparisons.
    Compared { start: Operand, end: Operand },
}

type Expr = Arc<dyn PhysicalExpr>;

/// An operand of a comparison.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    expr: Expr,
    /// Whether the comparison holds too if both sides are equal.
    or_equal: bool,
    /// Whether the comparison holds if the operand is NULL: `a.end IS NULL OR b.start < a.end`.
    or_null: bool,
    /// The same of the other operand: if this one is NULL, it holds only then.
    or_other_null: bool,
}

impl Condition {
    /// Finds the condition in the filter of a join; the rest of the filter beside it.
    pub(super) fn find(filter: &JoinFilter) -> Option<(Self, Option<Expr>)> {
        let conjuncts = split_conjunction(filter.expression());
        let of_lifetimes = conjuncts
            .iter()
            .enumerate()
            .find_map(|(idx, conjunct)| Some((lifetimes(conjunct, filter)?, vec![idx])));
        let (condition, used) = of_lifetimes.or_else(|| inequalities(&conjuncts, filter))?;
        let rest = conjuncts.iter().enumerate().filter(|(idx, _)| !used.contains(idx));
        let rest: Vec<Expr> = rest.map(|(_, conjunct)| Arc::clone(conjunct)).collect();
        Some((condition, (!rest.is_empty()).then(|| conjunction(rest))))
    }
}

/// Reads a call of a function of lifetimes.
fn lifetimes(conjunct: &Expr, filter: &JoinFilter) -> Option<Condition> {
    let call = conjunct.downcast_ref::<ScalarFunctionExpr>()?;
    let is_overlap = call.name() == LIFETIMES_OVERLAP;
    if !is_overlap && call.name() != LIFETIME_CONTAINS {
        return None;
    }
    let mut sides = Vec::with_capacity(4);
    for argument in call.args() {
        sides.push(of_side(argument, filter)?);
    }
    let (first, second) = match sides.as_slice() {
        [(one, start), (other, end), rest @ ..] if one == other => {
            ((*one, Arc::clone(start), Arc::clone(end)), rest)
        }
        _ => return None,
    };
    let (side, start, end) = first;
    if second.iter().any(|(other, _)| *other == side) {
        return None;
    }
    let (first, second) = match second {
        [(_, instant)] => (Bounds::Lifetime { start, end }, Bounds::Instant(Arc::clone(instant))),
        [(_, other_start), (_, other_end)] => {
            let (other_start, other_end) = (Arc::clone(other_start), Arc::clone(other_end));
            if is_overlap {
                (
                    Bounds::Lifetime { start, end },
                    Bounds::Lifetime { start: other_start, end: other_end },
                )
            } else {
                (
                    Bounds::Container { start, end },
                    Bounds::Contained { start: other_start, end: other_end },
                )
            }
        }
        _ => return None,
    };
    Some(match side {
        JoinSide::Left => Condition { left: first, right: second },
        _ => Condition { left: second, right: first },
    })
}

/// `left < right` or `right < left`, of operands of either side.
struct Inequality {
    left: Operand,
    right: Operand,
    left_is_less: bool,
    data_type: DataType,
}

/// Finds two inequalities in opposite directions.
fn inequalities(conjuncts: &[&Expr], filter: &JoinFilter) -> Option<(Condition, Vec<usize>)> {
    let found: Vec<(usize, Inequality)> = conjuncts
        .iter()
        .enumerate()
        .filter_map(|(idx, conjunct)| Some((idx, inequality(conjunct, filter)?)))
        .collect();
    let pairs = found.iter().filter(|(_, one)| one.left_is_less).flat_map(|one| {
        let others = found
            .iter()
            .filter(move |(_, other)| !other.left_is_less && other.data_type == one.1.data_type);
        others.map(move |other| (one, other))
    });
    // Two of times rather than two of other numbers.
    let (one, other) = pairs.max_by_key(|((idx, one), (other_idx, _))| {
        let is_time = matches!(one.data_type, DataType::Timestamp(..));
        (is_time, usize::MAX - idx.max(other_idx))
    })?;
    let condition = Condition {
        left: Bounds::Compared { start: one.1.left.clone(), end: other.1.left.clone() },
        right: Bounds::Compared { start: other.1.right.clone(), end: one.1.right.clone() },
    };
    Some((condition, vec![one.0, other.0]))
}

/// Reads `a < b`, and `b IS NULL OR a < b`.
fn inequality(conjunct: &Expr, filter: &JoinFilter) -> Option<Inequality> {
    let binary = conjunct.downcast_ref::<BinaryExpr>()?;
    if *binary.op() == Operator::Or {
        let (null, comparison) = match binary.left().downcast_ref::<IsNullExpr>() {
            Some(null) => (null, binary.right()),
            None => (binary.right().downcast_ref::<IsNullExpr>()?, binary.left()),
        };
        let comparison = comparison.downcast_ref::<BinaryExpr>()?;
        let is_null = |operand: &Expr| operand.eq(null.arg());
        let (left, right) = (is_null(comparison.left()), is_null(comparison.right()));
        return (left != right).then(|| compared(comparison, (left, right), filter))?;
    }
    compared(binary, (false, false), filter)
}

/// Reads a comparison, whose operands hold or do not if they are NULL.
fn compared(
    comparison: &BinaryExpr,
    or_null: (bool, bool),
    filter: &JoinFilter,
) -> Option<Inequality> {
    let (is_less, or_equal) = match comparison.op() {
        Operator::Lt => (true, false),
        Operator::LtEq => (true, true),
        Operator::Gt => (false, false),
        Operator::GtEq => (false, true),
        _ => return None,
    };
    let data_type = comparison.left().data_type(filter.schema()).ok()?;
    let is_same = comparison.right().data_type(filter.schema()).ok()? == data_type;
    if !is_same || !counts_in_whole_numbers(&data_type) {
        return None;
    }
    let (one_side, one) = of_side(comparison.left(), filter)?;
    let (other_side, other) = of_side(comparison.right(), filter)?;
    let operand =
        |expr, (or_null, or_other_null)| Operand { expr, or_equal, or_null, or_other_null };
    let (one, other) = (operand(one, or_null), operand(other, (or_null.1, or_null.0)));
    match (one_side, other_side) {
        (JoinSide::Left, JoinSide::Right) => {
            Some(Inequality { left: one, right: other, left_is_less: is_less, data_type })
        }
        (JoinSide::Right, JoinSide::Left) => {
            Some(Inequality { left: other, right: one, left_is_less: !is_less, data_type })
        }
        _ => None,
    }
}

fn counts_in_whole_numbers(data_type: &DataType) -> bool {
    use DataType::{Date32, Date64, Duration, Int8, Int16, Int32, Int64, Timestamp};
    matches!(
        data_type,
        Timestamp(..) | Date32 | Date64 | Duration(_) | Int8 | Int16 | Int32 | Int64
    )
}

/// Returns the side whose columns an expression is of, and the expression over that side's rows.
/// `None` if it is of both or of none, or if it might fail for a row that no other row is compared with.
fn of_side(expr: &Expr, filter: &JoinFilter) -> Option<(JoinSide, Expr)> {
    let columns = filter.column_indices();
    let mut sides = collect_columns(expr).into_iter().map(|column| columns[column.index()].side);
    let side = sides.next()?;
    if sides.any(|other| other != side) || !is_harmless(expr) {
        return None;
    }
    let over_side = Arc::clone(expr)
        .transform(|node| {
            let Some(column) = node.downcast_ref::<Column>() else {
                return Ok(Transformed::no(node));
            };
            let moved = Column::new(column.name(), columns[column.index()].index);
            Ok(Transformed::yes(Arc::new(moved) as Expr))
        })
        .data()
        .ok()?;
    Some((side, over_side))
}

/// Tells whether an expression is made of nothing but columns, constants, and sums and casts of these.
fn is_harmless(expr: &Expr) -> bool {
    let is_harmless_itself = expr.is::<Column>()
        || expr.is::<Literal>()
        || expr.is::<CastExpr>()
        || expr.is::<NegativeExpr>()
        || expr
            .downcast_ref::<BinaryExpr>()
            .is_some_and(|binary| matches!(binary.op(), Operator::Plus | Operator::Minus))
        || expr.downcast_ref::<ScalarFunctionExpr>().is_some_and(|call| call.name() == "coalesce");
    is_harmless_itself && expr.children().into_iter().all(is_harmless)
}

impl Bounds {
    /// Returns the interval of each row.
    ///
    /// # Errors
    /// If an expression fails, or an instant lies at the very end of what can be counted.
    pub(super) fn intervals(&self, rows: &RecordBatch) -> Result<Intervals> {
        let instant = |expr| Numbers::of(expr, rows, FARTHEST);
        let half_steps = |expr| Numbers::of(expr, rows, FARTHEST / 2 - 1);
        let of_rows = 0..rows.num_rows();
        Ok(match self {
            Self::Instant(at) => {
                let at = instant(at)?;
                let interval = |instant| (instant, instant + 1);
                of_rows.map(|row| at.get(row).map_or(NEVER, interval)).collect()
            }
            Self::Lifetime { start, end } => {
                lifetimes_of(&instant(start)?, &instant(end)?, |start, end| {
                    (start, end.map_or(FOREVER, |end| end.max(start + 1)))
                })
            }
            Self::Container { start, end } => {
                lifetimes_of(&half_steps(start)?, &half_steps(end)?, |start, end| {
                    (2 * start, doubled_end(start, end).map_or(FOREVER, |end| end + 1))
                })
            }
            Self::Contained { start, end } => {
                lifetimes_of(&half_steps(start)?, &half_steps(end)?, |start, end| {
                    (doubled_end(start, end).unwrap_or(FOREVER - 1), 2 * start + 1)
                })
            }
            Self::Compared { start, end } => {
                let (starts, ends) = (instant(&start.expr)?, instant(&end.expr)?);
                let by = i64::from(end.or_equal);
                // What meets only ends that never come lies after all others.
                let (start_of_null, end_of_null) =
                    (start.of_null(ALWAYS, FOREVER - 1), end.of_null(FOREVER, ALWAYS + 1));
                let interval = |row| {
                    let start = starts.get(row).or(start_of_null);
                    start.zip(ends.get(row).map(|end| end + by).or(end_of_null)).unwrap_or(NEVER)
                };
                of_rows.map(interval).collect()
            }
        })
    }
}

impl Operand {
    /// Returns what stands for NULL: what meets all others, or what meets only NULL.
    fn of_null(&self, all: i64, only_null: i64) -> Option<i64> {
        match (self.or_null, self.or_other_null) {
            (true, _) => Some(all),
            (false, true) => Some(only_null),
            (false, false) => None,
        }
    }
}

/// Returns what `interval` makes of each lifetime that has an instant.
fn lifetimes_of(
    starts: &Numbers,
    ends: &Numbers,
    interval: impl Fn(i64, Option<i64>) -> Interval,
) -> Intervals {
    let of_row = |row| {
        let (start, end) = (starts.get(row), ends.get(row));
        match start {
            Some(start) if end.is_none_or(|end| start <= end) => interval(start, end),
            _ => NEVER,
        }
    };
    (0..starts.0.len()).map(of_row).collect()
}

/// Returns the end of a lifetime in half steps; an instant lasts for one.
fn doubled_end(start: i64, end: Option<i64>) -> Option<i64> {
    end.map(|end| if end == start { 2 * start + 1 } else { 2 * end })
}

/// The values of an expression as whole numbers.
struct Numbers(PrimitiveArray<Int64Type>);

impl Numbers {
    /// Evaluates an expression, whose values may be as far from 0 as `farthest`.
    fn of(expr: &Expr, rows: &RecordBatch, farthest: i64) -> Result<Self> {
        let values: ArrayRef = expr.evaluate(rows)?.into_array(rows.num_rows())?;
        let numbers = cast(&values, &DataType::Int64)?.as_primitive::<Int64Type>().clone();
        let range = -farthest..=farthest;
        match [min(&numbers), max(&numbers)].into_iter().flatten().find(|n| !range.contains(n)) {
            Some(number) => exec_err!("{number} is out of range"),
            None => Ok(Self(numbers)),
        }
    }

    fn get(&self, row: usize) -> Option<i64> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

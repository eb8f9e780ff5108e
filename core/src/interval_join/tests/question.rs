//! What the random joins ask of pairs: as an expression of the engine, and answered by hand.

use std::sync::Arc;

use datafusion::common::{JoinSide, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{IsNullExpr, lit};
use proptest::prelude::*;

use super::{Expr, Row, Time, binary, call, column};
use crate::functions::{LIFETIME_CONTAINS, LIFETIMES_OVERLAP};

/// What is asked of a left and a right row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question {
    Overlaps {
        is_turned: bool,
    },
    Contains {
        is_turned: bool,
    },
    ContainsInstant {
        is_turned: bool,
    },
    /// Two inequalities, each with `<=` or `<`, a NULL that holds, and turned around or not.
    Meet {
        or_equal: (bool, bool),
        or_null: (bool, bool),
        is_turned: (bool, bool),
    },
    /// `left.start <= right.start AND right.end <= left.end`.
    Within,
    /// `right.start > left.end AND right.start < left.end + 2us`.
    SoonAfter,
}

pub(super) fn questions() -> impl Strategy<Value = Question> {
    let two = || (any::<bool>(), any::<bool>());
    prop_oneof![
        any::<bool>().prop_map(|is_turned| Question::Overlaps { is_turned }),
        any::<bool>().prop_map(|is_turned| Question::Contains { is_turned }),
        any::<bool>().prop_map(|is_turned| Question::ContainsInstant { is_turned }),
        (two(), two(), two()).prop_map(|(or_equal, or_null, is_turned)| Question::Meet {
            or_equal,
            or_null,
            is_turned
        }),
        Just(Question::Within),
        Just(Question::SoonAfter),
    ]
}

impl Question {
    pub(super) fn expr(self) -> Expr {
        use JoinSide::{Left, Right};
        let sides = |is_turned| if is_turned { (Right, Left) } else { (Left, Right) };
        let lifetimes = |(a, b)| {
            vec![column(a, "start"), column(a, "end"), column(b, "start"), column(b, "end")]
        };
        let less = |a: Expr, b: Expr, or_equal, or_null, is_turned| {
            let null = Arc::new(IsNullExpr::new(Arc::clone(&b)));
            let comparison = match (or_equal, is_turned) {
                (false, false) => binary(a, Operator::Lt, b),
                (true, false) => binary(a, Operator::LtEq, b),
                (false, true) => binary(b, Operator::Gt, a),
                (true, true) => binary(b, Operator::GtEq, a),
            };
            match (or_null, is_turned) {
                (false, _) => comparison,
                (true, false) => binary(null, Operator::Or, comparison),
                (true, true) => binary(comparison, Operator::Or, null),
            }
        };
        let of = column;
        match self {
            Self::Overlaps { is_turned } => call(LIFETIMES_OVERLAP, lifetimes(sides(is_turned))),
            Self::Contains { is_turned } => call(LIFETIME_CONTAINS, lifetimes(sides(is_turned))),
            Self::ContainsInstant { is_turned } => {
                let mut arguments = lifetimes(sides(is_turned));
                arguments.pop();
                call(LIFETIME_CONTAINS, arguments)
            }
            Self::Meet { or_equal, or_null, is_turned } => binary(
                less(of(Left, "start"), of(Right, "end"), or_equal.0, or_null.0, is_turned.0),
                Operator::And,
                less(of(Right, "start"), of(Left, "end"), or_equal.1, or_null.1, is_turned.1),
            ),
            Self::Within => binary(
                binary(of(Left, "start"), Operator::LtEq, of(Right, "start")),
                Operator::And,
                binary(of(Right, "end"), Operator::LtEq, of(Left, "end")),
            ),
            Self::SoonAfter => {
                let soon = lit(ScalarValue::DurationMicrosecond(Some(2)));
                binary(
                    binary(of(Right, "start"), Operator::Gt, of(Left, "end")),
                    Operator::And,
                    binary(
                        of(Right, "start"),
                        Operator::Lt,
                        binary(of(Left, "end"), Operator::Plus, soon),
                    ),
                )
            }
        }
    }

    /// Answers it as the language says.
    pub(super) fn holds(self, left: &Row, right: &Row) -> bool {
        let turned = |is_turned| if is_turned { (right, left) } else { (left, right) };
        // The halves in which a lifetime lasts.
        let lasts = |row: &Row| -> Vec<i64> {
            match (row.2, row.3) {
                (Some(start), Some(end)) if start == end => vec![2 * start],
                (Some(start), end) => (2 * start..2 * end.unwrap_or(99)).collect(),
                (None, _) => Vec::new(),
            }
        };
        let less = |a: Time, b: Time, or_equal: bool, or_null: bool| match (a, b) {
            (_, None) => or_null,
            (None, _) => false,
            (Some(a), Some(b)) => a < b || or_equal && a == b,
        };
        match self {
            Self::Overlaps { .. } => lasts(left).iter().any(|half| lasts(right).contains(half)),
            Self::Contains { is_turned } => {
                let (a, b) = turned(is_turned);
                let (a, b) = (lasts(a), lasts(b));
                !b.is_empty() && b.iter().all(|half| a.contains(half))
            }
            Self::ContainsInstant { is_turned } => {
                let (a, b) = turned(is_turned);
                b.2.is_some_and(|instant| lasts(a).contains(&(2 * instant)))
            }
            Self::Meet { or_equal, or_null, .. } => {
                less(left.2, right.3, or_equal.0, or_null.0)
                    && less(right.2, left.3, or_equal.1, or_null.1)
            }
            Self::Within => {
                less(left.2, right.2, true, false) && less(right.3, left.3, true, false)
            }
            Self::SoonAfter => {
                left.3.zip(right.2).is_some_and(|(end, start)| start > end && start < end + 2)
            }
        }
    }
}

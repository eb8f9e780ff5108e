//! What one conjunct, or several on the same column, ask of that column.

use std::cmp::Ordering;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::functions::IsOneOf;

/// What is asked of one column. A NULL passes only `is_null = Some(true)`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ColumnConstraint {
    /// The column.
    pub(super) column: String,
    /// The values that pass, if they are listed; without repetition.
    pub(super) values: Option<Vec<ScalarValue>>,
    /// The lower bound.
    pub(super) lower: Option<Edge>,
    /// The upper bound.
    pub(super) upper: Option<Edge>,
    /// Whether only NULL, or only what is not NULL, passes.
    pub(super) is_null: Option<bool>,
    /// A LIKE pattern, and whether case does not matter.
    pub(super) like: Option<(String, bool)>,
    /// The conjuncts that this stands for.
    pub(super) conjuncts: Vec<usize>,
    /// Whether more passes than the conjuncts let pass.
    pub(super) is_superset: bool,
    /// Whether nothing can pass.
    is_empty: bool,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Edge {
    /// The value.
    pub(super) value: ScalarValue,
    /// Whether the value itself passes.
    pub(super) inclusive: bool,
}

/// Returns what a conjunct asks of a column, if it asks something of one column alone.
pub(super) fn read(expr: &Expr) -> Option<ColumnConstraint> {
    match expr {
        Expr::Alias(alias) => read(&alias.expr),
        // `x OR NULL` passes what `x` passes.
        Expr::BinaryExpr(binary) if binary.op == Operator::Or => {
            match (is_never_true(&binary.left), is_never_true(&binary.right)) {
                (true, _) => read(&binary.right),
                (_, true) => read(&binary.left),
                _ => read(&binary.left)?.union(read(&binary.right)?),
            }
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::And => {
            let (mut left, right) = (read(&binary.left)?, read(&binary.right)?);
            if left.column != right.column || !left.intersect(right, usize::MAX) {
                return None;
            }
            left.conjuncts.clear();
            Some(left)
        }
        Expr::BinaryExpr(binary) => read_comparison(binary),
        Expr::InList(list) if !list.negated => {
            let values = list.list.iter().map(literal).collect::<Option<Vec<_>>>()?;
            Some(ColumnConstraint::of_values(column(&list.expr)?, values))
        }
        Expr::ScalarFunction(call) => {
            let one_of = call.func.inner().downcast_ref::<IsOneOf>()?;
            let values = one_of.values.iter().cloned().map(in_one_shape).collect();
            Some(ColumnConstraint::of_values(column(call.args.first()?)?, values))
        }
        Expr::Between(between) if !between.negated => {
            let edge = |bound| Some(Edge { value: literal(bound)?, inclusive: true });
            let (lower, upper) = (edge(&between.low)?, edge(&between.high)?);
            let is_empty = lower.value.is_null() || upper.value.is_null();
            let column = column(&between.expr)?;
            Some(ColumnConstraint {
                column,
                lower: Some(lower),
                upper: Some(upper),
                is_empty,
                ..ColumnConstraint::default()
            })
        }
        Expr::IsNull(inner) => Some(ColumnConstraint::of_null(column(inner)?, true)),
        Expr::IsNotNull(inner) => Some(ColumnConstraint::of_null(column(inner)?, false)),
        Expr::IsTrue(inner) => Some(ColumnConstraint::of_values(column(inner)?, vec![true.into()])),
        Expr::IsFalse(inner) => {
            Some(ColumnConstraint::of_values(column(inner)?, vec![false.into()]))
        }
        Expr::Column(_) => Some(ColumnConstraint::of_values(column(expr)?, vec![true.into()])),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::Column(_) => {
                Some(ColumnConstraint::of_values(column(inner)?, vec![false.into()]))
            }
            Expr::IsNull(inner) => Some(ColumnConstraint::of_null(column(inner)?, false)),
            _ => None,
        },
        Expr::Like(like)
            if !like.negated && like.escape_char.is_none_or(|escape| escape == '\\') =>
        {
            let pattern = literal(&like.pattern)?.try_as_str()??.to_owned();
            let column = column(&like.expr)?;
            let like = Some((pattern, like.case_insensitive));
            Some(ColumnConstraint { column, like, ..ColumnConstraint::default() })
        }
        _ => None,
    }
}

/// Tells whether an expression is the constant false or NULL.
pub(super) fn is_never_true(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(ScalarValue::Boolean(None | Some(false)) | ScalarValue::Null, _))
}

fn read_comparison(binary: &BinaryExpr) -> Option<ColumnConstraint> {
    let (column, op, value) = match (column(&binary.left), literal(&binary.right)) {
        (Some(column), Some(value)) => (column, binary.op, value),
        _ => (column(&binary.right)?, binary.op.swap()?, literal(&binary.left)?),
    };
    let is_empty = value.is_null();
    let edge = |inclusive| Some(Edge { value: value.clone(), inclusive });
    let base = ColumnConstraint { column: column.clone(), is_empty, ..ColumnConstraint::default() };
    Some(match op {
        Operator::Eq => ColumnConstraint::of_values(column, vec![value]),
        Operator::IsNotDistinctFrom if is_empty => ColumnConstraint::of_null(column, true),
        Operator::IsNotDistinctFrom => ColumnConstraint::of_values(column, vec![value]),
        Operator::Gt => ColumnConstraint { lower: edge(false), ..base },
        Operator::GtEq => ColumnConstraint { lower: edge(true), ..base },
        Operator::Lt => ColumnConstraint { upper: edge(false), ..base },
        Operator::LtEq => ColumnConstraint { upper: edge(true), ..base },
        _ => return None,
    })
}

fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::Alias(alias) => column(&alias.expr),
        _ => None,
    }
}

/// Returns a literal in the one shape in which literals of its kind are compared here.
fn literal(expr: &Expr) -> Option<ScalarValue> {
    let Expr::Literal(value, _) = expr else { return None };
    Some(in_one_shape(value.clone()))
}

fn in_one_shape(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => ScalarValue::Utf8(text),
        ScalarValue::TimestampMicrosecond(micros, Some(_)) => {
            ScalarValue::TimestampMicrosecond(micros, Some("UTC".into()))
        }
        other => other,
    }
}

impl ColumnConstraint {
    fn of_values(column: String, mut values: Vec<ScalarValue>) -> Self {
        // `x IN (1, NULL)` passes just what `x IN (1)` passes.
        values.retain(|value| !value.is_null());
        let mut distinct: Vec<ScalarValue> = Vec::with_capacity(values.len());
        let mut seen = std::collections::HashSet::with_capacity(values.len());
        for value in values {
            if seen.insert(value.clone()) {
                distinct.push(value);
            }
        }
        Self { column, values: Some(distinct), ..Self::default() }
    }

    fn of_null(column: String, is_null: bool) -> Self {
        Self { column, is_null: Some(is_null), ..Self::default() }
    }

    /// Returns the constraint as that of a conjunct.
    pub(super) fn of_conjunct(mut self, conjunct_idx: usize) -> Self {
        self.conjuncts = vec![conjunct_idx];
        self
    }

    /// Narrows to what passes both, and tells whether it could: a pattern and something else have
    /// no one filter; then the first stays, and the other conjunct is checked locally.
    pub(super) fn intersect(&mut self, other: Self, conjunct_idx: usize) -> bool {
        if other.like.is_some() || self.like.is_some() || !self.compares_with(&other) {
            return false;
        }
        self.is_empty |= other.is_empty;
        self.is_superset |= other.is_superset;
        self.values = match (self.values.take(), other.values) {
            (Some(mine), Some(theirs)) => {
                Some(mine.into_iter().filter(|value| theirs.contains(value)).collect())
            }
            (mine, theirs) => mine.or(theirs),
        };
        if let Some(edge) = other.lower {
            self.lower = Some(match self.lower.take() {
                Some(mine) if tighter_lower(&mine, &edge) => mine,
                _ => edge,
            });
        }
        if let Some(edge) = other.upper {
            self.upper = Some(match self.upper.take() {
                Some(mine) if tighter_upper(&mine, &edge) => mine,
                _ => edge,
            });
        }
        self.is_null = match (self.is_null, other.is_null) {
            (Some(mine), Some(theirs)) if mine != theirs => {
                self.is_empty = true;
                Some(mine)
            }
            (mine, theirs) => mine.or(theirs),
        };
        self.conjuncts.push(conjunct_idx);
        self.settle();
        true
    }

    /// Tells whether all values of both are of one type.
    fn compares_with(&self, other: &Self) -> bool {
        let values = |constraint: &Self| {
            let edges = constraint.lower.iter().chain(&constraint.upper);
            let listed = constraint.values.iter().flatten();
            listed
                .chain(edges.map(|edge| &edge.value))
                .map(ScalarValue::data_type)
                .collect::<Vec<_>>()
        };
        let types = [values(self), values(other)].concat();
        types.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Applies bounds to listed values.
    fn settle(&mut self) {
        let has_values = self.values.is_some() || self.lower.is_some() || self.upper.is_some();
        if has_values && self.is_null == Some(true) {
            self.is_empty = true;
        }
        if let Some(values) = &mut self.values {
            let (lower, upper) = (self.lower.take(), self.upper.take());
            values.retain(|value| {
                lower.as_ref().is_none_or(|edge| match value.partial_cmp(&edge.value) {
                    Some(Ordering::Greater) | None => true,
                    Some(Ordering::Equal) => edge.inclusive,
                    Some(Ordering::Less) => false,
                }) && upper.as_ref().is_none_or(|edge| match value.partial_cmp(&edge.value) {
                    Some(Ordering::Less) | None => true,
                    Some(Ordering::Equal) => edge.inclusive,
                    Some(Ordering::Greater) => false,
                })
            });
        }
    }

    /// Widens to what passes either, or to a superset of it; `None` if that says nothing.
    fn union(self, other: Self) -> Option<Self> {
        if self.column != other.column || self.is_null.is_some() || other.is_null.is_some() {
            return None;
        }
        if self.is_empty {
            return Some(other);
        }
        if other.is_empty {
            return Some(self);
        }
        let column = self.column.clone();
        if let (Some(mine), Some(theirs)) = (&self.values, &other.values) {
            let both = mine.iter().chain(theirs).cloned().collect();
            let is_superset = self.is_superset || other.is_superset;
            return Some(Self { is_superset, ..Self::of_values(column, both) });
        }
        let (mine, theirs) = (self.hull()?, other.hull()?);
        let widest =
            |mine: Option<Edge>, theirs: Option<Edge>, tighter: fn(&Edge, &Edge) -> bool| {
                let (mine, theirs) = (mine?, theirs?);
                Some(if tighter(&mine, &theirs) { theirs } else { mine })
            };
        let lower = widest(mine.0, theirs.0, tighter_lower);
        let upper = widest(mine.1, theirs.1, tighter_upper);
        (lower.is_some() || upper.is_some()).then(|| Self {
            column,
            lower,
            upper,
            is_superset: true,
            ..Self::default()
        })
    }

    /// Returns the narrowest range that holds all that passes.
    fn hull(self) -> Option<(Option<Edge>, Option<Edge>)> {
        if self.like.is_some() {
            return None;
        }
        let Some(values) = self.values else { return Some((self.lower, self.upper)) };
        let edge = |value: &ScalarValue| Edge { value: value.clone(), inclusive: true };
        let mut values = values.iter();
        let first = values.next()?;
        let (mut lowest, mut highest) = (first, first);
        for value in values {
            match value.partial_cmp(lowest)? {
                Ordering::Less => lowest = value,
                _ if value.partial_cmp(highest)? == Ordering::Greater => highest = value,
                _ => {}
            }
        }
        Some((Some(edge(lowest)), Some(edge(highest))))
    }

    /// Tells whether nothing can pass.
    pub(super) fn is_contradiction(&self) -> bool {
        if self.is_empty || self.values.as_ref().is_some_and(Vec::is_empty) {
            return true;
        }
        match (&self.lower, &self.upper) {
            (Some(lower), Some(upper)) => match lower.value.partial_cmp(&upper.value) {
                Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => !(lower.inclusive && upper.inclusive),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Tells whether the lower bound `a` lets no more pass than `b`.
fn tighter_lower(a: &Edge, b: &Edge) -> bool {
    match a.value.partial_cmp(&b.value) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => !a.inclusive || b.inclusive,
        _ => false,
    }
}

/// Tells whether the upper bound `a` lets no more pass than `b`.
fn tighter_upper(a: &Edge, b: &Edge) -> bool {
    match a.value.partial_cmp(&b.value) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => !a.inclusive || b.inclusive,
        _ => false,
    }
}

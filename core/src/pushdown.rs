//! Turns conjuncts of the engine into wire filters for one table.
//! In: conjuncts from the optimizer, in whatever shape it left them. Out: one wire filter per
//! column that is constrained, and which conjuncts it stands for.
//! Called by `table.rs`. Never fails: what cannot be expressed is simply not pushed.

mod constants;
mod constraint;
pub(crate) mod value;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use sessionql_plugin_abi::message::{Bound, Filter, FilterOp, TimeColumns};

use crate::columns::{ColumnSource, TableColumn};
pub(crate) use constants::{Folded, fold as fold_constants};
use constraint::{ColumnConstraint, is_never_true, read};

/// What can be pushed of a list of conjuncts.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Pushable {
    /// The filters to send.
    pub filters: Vec<PushableFilter>,
    /// Whether no row can pass, whatever the provider has.
    pub is_contradiction: bool,
}

/// One filter to send, and what it stands for.
#[derive(Debug, PartialEq)]
pub(crate) struct PushableFilter {
    /// The filter.
    pub filter: Filter,
    /// The conjuncts that the filter stands for, by index.
    pub conjuncts: Vec<usize>,
    /// Whether the filter lets more pass than its conjuncts, so that they are checked in any case.
    pub is_superset: bool,
}

/// Returns what of `conjuncts` can be sent to a table with these columns. `window` are
/// the columns of the `open_during` filters that the table takes, if it does.
pub(crate) fn push(
    conjuncts: &[&Expr],
    columns: &[TableColumn],
    window: Option<&TimeColumns>,
) -> Pushable {
    let mut by_column: Vec<ColumnConstraint> = Vec::new();
    let mut pushable = Pushable::default();
    for (conjunct_idx, conjunct) in conjuncts.iter().enumerate() {
        // The optimizer leaves `a = 1 AND a = 2` as `a IS NULL AND NULL`.
        if is_never_true(conjunct) {
            pushable.is_contradiction = true;
            continue;
        }
        if let Some((filter, is_superset)) = window.and_then(|time| value::window(conjunct, time)) {
            let conjuncts = vec![conjunct_idx];
            pushable.filters.push(PushableFilter { filter, conjuncts, is_superset });
            continue;
        }
        let Some(found) = read(conjunct) else { continue };
        let Some(column) = columns.iter().find(|column| column.column.name == found.column) else {
            continue;
        };
        // What constant columns decide is folded before.
        if !matches!(column.source, ColumnSource::Plugin) {
            continue;
        }
        match by_column.iter_mut().find(|known| known.column == found.column) {
            None => by_column.push(found.of_conjunct(conjunct_idx)),
            Some(known) => {
                known.intersect(found, conjunct_idx);
            }
        }
    }
    for constraint in by_column {
        if constraint.is_contradiction() {
            pushable.is_contradiction = true;
            continue;
        }
        let column = columns.iter().find(|column| column.column.name == constraint.column);
        let Some(column) = column else { continue };
        pushable.filters.extend(to_filters(constraint, column));
    }
    pushable
}

/// Returns why no filter stands for a conjunct, for people.
pub(crate) fn why_not_sent(conjunct: &Expr, columns: &[TableColumn]) -> &'static str {
    if value::is_window(conjunct) {
        return "the provider has no such window";
    }
    let Some(found) = read(conjunct) else {
        return "no test of one column that could be sent (=, IN, a range, LIKE, IS NULL)";
    };
    let Some(column) = columns.iter().find(|column| column.column.name == found.column) else {
        return "not a column of this table";
    };
    match &column.source {
        ColumnSource::Duration(_) => "the engine computes this column",
        ColumnSource::Constant(_) => "the same in every row",
        ColumnSource::Null => "the provider does not know it",
        ColumnSource::Plugin if column.column.filters.is_empty() => {
            "the provider has no filter on this column"
        }
        ColumnSource::Plugin => "the provider has no such filter on this column",
    }
}

/// Returns the filters for a column's constraint that the column takes.
fn to_filters(constraint: ColumnConstraint, column: &TableColumn) -> Vec<PushableFilter> {
    let takes = |op| column.column.filters.contains(&op);
    let name = constraint.column.clone();
    let column_type = column.column.column_type;
    let wire = |scalar: &ScalarValue| value::to_wire(scalar, column_type);
    let is_superset = constraint.is_superset;
    let conjuncts = constraint.conjuncts.clone();
    let one = |filter| vec![PushableFilter { filter, conjuncts: conjuncts.clone(), is_superset }];
    if let Some(values) = &constraint.values {
        let Some(values) = values.iter().map(wire).collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        return match values.as_slice() {
            [value] if takes(FilterOp::Eq) => {
                one(Filter::Eq { column: name, value: value.clone() })
            }
            [value] if takes(FilterOp::Range) => {
                let bound = Some(Bound { value: value.clone(), inclusive: true });
                one(Filter::Range { column: name, lower: bound.clone(), upper: bound })
            }
            [_, _, ..] if takes(FilterOp::In) => one(Filter::In { column: name, values }),
            _ => Vec::new(),
        };
    }
    if constraint.lower.is_some() || constraint.upper.is_some() {
        let bound = |bound: &Option<constraint::Edge>| match bound {
            None => Some(None),
            Some(edge) => {
                wire(&edge.value).map(|value| Some(Bound { value, inclusive: edge.inclusive }))
            }
        };
        return match (bound(&constraint.lower), bound(&constraint.upper)) {
            (Some(lower), Some(upper)) if takes(FilterOp::Range) => {
                one(Filter::Range { column: name, lower, upper })
            }
            _ => Vec::new(),
        };
    }
    if let Some(negated) = constraint.is_null.map(|is_null| !is_null) {
        if takes(FilterOp::IsNull) {
            return one(Filter::IsNull { column: name, negated });
        }
        return Vec::new();
    }
    match constraint.like {
        Some((pattern, ignore_case)) if takes(FilterOp::Like) => {
            one(Filter::Like { column: name, pattern, ignore_case })
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

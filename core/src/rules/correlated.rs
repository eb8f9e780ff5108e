//! Queries within a query that depend on its columns: what the engine would answer wrongly is made
//! unmistakable or refused.
//!
//! The engine makes a join of such a query and moves the conditions with outer columns into it. That
//! is right as long as nothing between such a condition and the top of the query looks at all of the
//! rows: a window, an outer join, a set operation. It also takes columns by their name alone there,
//! so that two of one name are mixed up; they get names of their own here.
//! Runs after the engine's own analysis, when all names and types are known.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DataFusionError, Diagnostic, JoinType, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery, SetComparison, SetQuantifier};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, FetchType, Filter, LogicalPlan, LogicalPlanBuilder, SkipType,
    Subquery,
};
use datafusion::optimizer::AnalyzerRule;

/// Aggregates that are NULL of no rows. `count` is not.
const NULL_OF_NOTHING: [&str; 10] = [
    "max",
    "min",
    "sum",
    "avg",
    "median",
    "stddev",
    "stddev_pop",
    "bool_and",
    "bool_or",
    "first_value",
];

/// What the names begin with that columns get here.
const OWN_NAME: &str = "__correlated_";

/// The rule.
#[derive(Debug)]
pub(crate) struct CorrelatedQueries;

/// Where a query stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Exists,
    In,
    All,
    Value,
    From,
}

impl AnalyzerRule for CorrelatedQueries {
    fn name(&self) -> &str {
        "correlated_queries"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let n_names = Cell::new(0);
        let rewritten = plan.transform_up_with_subqueries(|plan| match plan {
            // The traversal wraps the queries of expressions so; those are looked at below.
            LogicalPlan::Subquery(_) => Ok(Transformed::no(plan)),
            plan => plan
                .map_children(|input| match input {
                    LogicalPlan::Subquery(query) => {
                        Ok(checked(query, Place::From, &n_names)?
                            .update_data(LogicalPlan::Subquery))
                    }
                    input => Ok(Transformed::no(input)),
                })?
                .transform_data(|plan| {
                    plan.map_expressions(|expr| {
                        expr.transform_up(|expr| match expr {
                            Expr::Exists(Exists { subquery, negated }) => {
                                let query = checked(subquery, Place::Exists, &n_names)?;
                                Ok(query.update_data(|subquery| {
                                    Expr::Exists(Exists { subquery, negated })
                                }))
                            }
                            Expr::InSubquery(InSubquery { expr, subquery, negated }) => {
                                let query = checked(subquery, Place::In, &n_names)?;
                                Ok(query.update_data(|subquery| {
                                    Expr::InSubquery(InSubquery { expr, subquery, negated })
                                }))
                            }
                            Expr::SetComparison(comparison) => {
                                let place = match comparison.quantifier {
                                    SetQuantifier::Any => Place::In,
                                    SetQuantifier::All => Place::All,
                                };
                                let query = checked(comparison.subquery, place, &n_names)?;
                                Ok(query.update_data(|subquery| {
                                    Expr::SetComparison(SetComparison { subquery, ..comparison })
                                }))
                            }
                            Expr::ScalarSubquery(query) => {
                                Ok(checked(query, Place::Value, &n_names)?
                                    .update_data(Expr::ScalarSubquery))
                            }
                            other => Ok(Transformed::no(other)),
                        })
                    })
                }),
        })?;
        Ok(rewritten.data)
    }
}

/// Returns a query as the engine answers it right.
fn checked(query: Subquery, place: Place, n_names: &Cell<usize>) -> Result<Transformed<Subquery>> {
    if outer_column(&query.subquery, place)?.is_none() {
        return Ok(Transformed::no(query));
    }
    let outputs = outputs(&query.subquery);
    let has_join = query.subquery.exists(|plan| Ok(matches!(plan, LogicalPlan::Join(_))))?;
    let plan = Arc::unwrap_or_clone(query.subquery);
    let plan = plan.transform_up(|plan| match plan {
        LogicalPlan::Filter(filter) => with_own_names(filter, &outputs, has_join, n_names),
        plan => Ok(Transformed::no(plan)),
    })?;
    Ok(plan.update_data(|plan| Subquery { subquery: Arc::new(plan), ..query }))
}

/// Returns a column of outside that a query depends on.
///
/// # Errors
/// If something in the query does not permit that.
fn outer_column(plan: &LogicalPlan, place: Place) -> Result<Option<Column>> {
    // A query within this one has been looked at by itself.
    if matches!(plan, LogicalPlan::Subquery(_)) {
        return Ok(None);
    }
    let mut below = Vec::new();
    for input in plan.inputs() {
        below.push(outer_column(input, place)?);
    }
    let own = plan.expressions().iter().find_map(outer_column_of);
    let Some(column) = own.clone().or_else(|| below.iter().flatten().next().cloned()) else {
        return Ok(None);
    };
    let is_below = |idx: usize| below.get(idx).is_some_and(Option::is_some);
    let problem = match plan {
        LogicalPlan::Window(_) => Some("in a query with window functions"),
        // The engine would look for the column by the name of the table that was asked.
        LogicalPlan::Join(join)
            if [&join.left, &join.right].into_iter().enumerate().any(|(idx, side)| {
                is_below(idx) && matches!(**side, LogicalPlan::SubqueryAlias(_))
            }) =>
        {
            Some("in a query of FROM beside other tables")
        }
        LogicalPlan::Join(join) => match join.join_type {
            JoinType::Inner => None,
            JoinType::Left if own.is_none() && !is_below(1) => None,
            JoinType::Right if own.is_none() && !is_below(0) => None,
            JoinType::Left | JoinType::Right | JoinType::Full => {
                Some("on the side of an outer join that may be missing, or in its condition")
            }
            _ => Some("beside SEMI JOIN, ANTI JOIN, EXCEPT or INTERSECT"),
        },
        LogicalPlan::Union(_) => Some("in a query with UNION"),
        LogicalPlan::RecursiveQuery(_) => Some("in a recursive query"),
        LogicalPlan::Distinct(Distinct::On(_)) => Some("in a query with DISTINCT ON"),
        LogicalPlan::Limit(limit) => {
            let is_all = matches!(limit.get_skip_type()?, SkipType::Literal(0));
            let is_some = matches!(limit.get_fetch_type()?, FetchType::Literal(_));
            (place != Place::Exists || !is_all || !is_some)
                .then_some("in a query with LIMIT or OFFSET")
        }
        LogicalPlan::Aggregate(aggregate) if is_below(0) => of_aggregate(aggregate, place),
        LogicalPlan::Filter(filter)
            if place != Place::Value && is_below(0) && is_of_one_group(&filter.input) =>
        {
            Some("in a query with HAVING and without GROUP BY")
        }
        LogicalPlan::Projection(projection)
            if place == Place::In && is_below(0) && is_of_one_group(&projection.input) =>
        {
            let is_column =
                |expr: &Expr| matches!(expr.clone().unalias_nested().data, Expr::Column(_));
            (!projection.expr.iter().all(is_column)).then_some("in a query with an aggregate")
        }
        _ => None,
    };
    match problem {
        None => Ok(Some(column)),
        Some(problem) => Err(refused(&column, problem)),
    }
}

/// Returns what is wrong with an aggregate over rows that were found by outer columns.
fn of_aggregate(aggregate: &Aggregate, place: Place) -> Option<&'static str> {
    if aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_))) {
        return Some("in a query with grouping sets");
    }
    if !aggregate.group_expr.is_empty() || aggregate.aggr_expr.is_empty() {
        return None;
    }
    let is_null_of_nothing = |expr: &Expr| match expr.clone().unalias_nested().data {
        Expr::AggregateFunction(call) => NULL_OF_NOTHING.contains(&call.func.name()),
        _ => false,
    };
    match place {
        Place::Value | Place::From => None,
        Place::In if aggregate.aggr_expr.iter().all(is_null_of_nothing) => None,
        _ => Some("in a query with an aggregate and without GROUP BY"),
    }
}

/// Returns whether a plan yields one row, an aggregate of all that is below it.
fn is_of_one_group(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty())
}

fn outer_column_of(expr: &Expr) -> Option<Column> {
    let mut found = None;
    let _whole = expr.apply(|expr| {
        if let (Expr::OuterReferenceColumn(_, column), None) = (expr, &found) {
            found = Some(column.clone());
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    });
    found
}

fn refused(column: &Column, problem: &str) -> DataFusionError {
    let name = match &column.relation {
        Some(table) => format!("{}.{}", table.table(), column.name),
        None => column.name.clone(),
    };
    let message = format!("`{name}` of the query around this one, {problem}, is not supported yet");
    let error = DataFusionError::Plan(message.clone());
    match column.spans.first() {
        Some(span) => error.with_diagnostic(Diagnostic::new_error(message, Some(span))),
        None => error,
    }
}

/// Returns the names that a query yields, each with the column that it is, if it is one.
fn outputs(plan: &LogicalPlan) -> Vec<(String, Option<Column>)> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let fields = projection.schema.fields().iter();
            let named = fields.zip(&projection.expr).map(|(field, expr)| {
                let column = match expr {
                    Expr::Column(column) => Some(column.clone()),
                    _ => None,
                };
                (field.name().clone(), column)
            });
            named.collect()
        }
        LogicalPlan::Sort(_) | LogicalPlan::Limit(_) | LogicalPlan::Distinct(Distinct::All(_)) => {
            plan.inputs().first().map(|input| outputs(input)).unwrap_or_default()
        }
        plan => plan.schema().fields().iter().map(|field| (field.name().clone(), None)).collect(),
    }
}

/// Gives the columns that a filter compares with outer ones names of their own, if the names may be
/// those of other columns too.
fn with_own_names(
    filter: Filter,
    outputs: &[(String, Option<Column>)],
    has_join: bool,
    n_names: &Cell<usize>,
) -> Result<Transformed<LogicalPlan>> {
    let schema = filter.input.schema();
    let is_mistakable = |column: &Column| {
        has_join
            || outputs.iter().any(|(name, own)| {
                *name == column.name && own.as_ref().is_none_or(|own| own != column)
            })
    };
    let mut renamed: Vec<(Column, Column)> = Vec::new();
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate.clone()) {
        if outer_column_of(&condition).is_none() {
            conditions.push(condition);
            continue;
        }
        let condition = condition.transform_up(|expr| match expr {
            Expr::Column(column) if is_mistakable(&column) => {
                let known = renamed.iter().find(|(old, _)| *old == column);
                let new = match known {
                    Some((_, new)) => new.clone(),
                    None => {
                        n_names.set(n_names.get() + 1);
                        let name = format!("{OWN_NAME}{}", n_names.get());
                        let new = Column::new_unqualified(name);
                        renamed.push((column, new.clone()));
                        new
                    }
                };
                Ok(Transformed::yes(Expr::Column(new)))
            }
            expr => Ok(Transformed::no(expr)),
        })?;
        conditions.push(condition.data);
    }
    let (false, Some(predicate)) = (renamed.is_empty(), conjunction(conditions)) else {
        return Ok(Transformed::no(LogicalPlan::Filter(filter)));
    };
    let columns: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
    let own = renamed.into_iter().map(|(old, new)| Expr::Column(old).alias(new.name));
    let plan = LogicalPlanBuilder::from(Arc::unwrap_or_clone(filter.input))
        .project(columns.iter().cloned().chain(own).collect::<Vec<_>>())?
        .filter(predicate)?
        .project(columns)?
        .build()?;
    Ok(Transformed::yes(plan))
}

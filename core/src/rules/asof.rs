//! ASOF JOIN in the engine's plan.
//! `AsofJoins` makes the node of `asof.rs` of the ordinary join that lowering wrote, before anything is
//! optimised, and says where a condition is none that such a join can have. `AsofFilters` moves
//! filters below it, so that they reach providers: those on the left side, and those on equal keys.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DataFusionError, ExprSchema as _, JoinType, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable as _, Filter, Join, LogicalPlan, Operator, binary_expr,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{AnalyzerRule, Optimizer, OptimizerConfig, OptimizerRule};
use sessionql_grammar::ast::Span;

use crate::asof::{AsofJoin, AsofMatching, Sides};
use crate::functions::AsofCondition;

/// What decides between rows of one time, where the table has it.
const TIE: &str = "id";

/// A condition that an ASOF JOIN cannot have, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct AsofProblem {
    /// What is wrong.
    pub(crate) message: String,
    /// Where.
    pub(crate) span: Span,
}

/// The rule that makes the node.
#[derive(Debug)]
pub(crate) struct AsofJoins;

impl AnalyzerRule for AsofJoins {
    fn name(&self) -> &str {
        "asof_joins"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let made = plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
            let conditions: Option<Vec<AsofCondition>> = join.filter.as_ref().and_then(|filter| {
                split_conjunction(filter).into_iter().map(AsofCondition::of).collect()
            });
            match conditions {
                Some(conditions) => asof_join(join, conditions).map(Transformed::yes),
                None => Ok(Transformed::no(plan)),
            }
        })?;
        Ok(made.data)
    }
}

fn asof_join(join: &Join, conditions: Vec<AsofCondition>) -> Result<LogicalPlan> {
    let (left, right) = (join.left.schema(), join.right.schema());
    let mut equalities = Vec::new();
    let mut time = None;
    let mut tie = None;
    for condition in conditions {
        let AsofCondition { left: one, op, right: other, span } = condition;
        let problem =
            |message: String| DataFusionError::External(Box::new(AsofProblem { message, span }));
        if [&one, &other].into_iter().any(has_query) {
            let message = "a query in a condition of ASOF JOIN is not supported yet";
            return Err(problem(message.to_owned()));
        }
        let Some(sides) = Sides::of(&one, op, &other, left, right) else {
            let message =
                "ASOF JOIN compares something of its left side with something of its right one";
            return Err(problem(message.to_owned()));
        };
        if op == Operator::Eq {
            equalities.push(binary_expr(sides.left, Operator::Eq, sides.right));
            continue;
        }
        if !matches!(sides.op, Operator::Gt | Operator::GtEq) {
            let message = "ASOF JOIN finds the latest row before: the time of its right side must be the lesser one";
            return Err(problem(message.to_owned()));
        }
        let types = (sides.left.get_type(left)?, sides.right.get_type(right)?);
        for data_type in [types.0, types.1] {
            if !matches!(data_type, DataType::Timestamp(_, Some(_))) {
                let found = crate::engine::words::ours(&data_type.to_string());
                return Err(problem(format!("ASOF JOIN compares instants, not {found}")));
            }
        }
        let columns = sides.right.column_refs();
        let of_table = columns.into_iter().next().and_then(|column| column.relation.clone());
        let id = Column::new(of_table, TIE);
        tie = right.maybe_index_of_column(&id).map(|_| Expr::Column(id));
        let op = if sides.op == Operator::Gt { Operator::Lt } else { Operator::LtEq };
        time = Some(binary_expr(sides.right, op, sides.left));
    }
    let Some(time) = time else {
        return Err(DataFusionError::Plan("ASOF JOIN needs a comparison of times".to_owned()));
    };
    let is_left = join.join_type == JoinType::Left;
    let (left, right) = (join.left.as_ref().clone(), join.right.as_ref().clone());
    AsofJoin::plan(left, right, AsofMatching { equalities, time, tie, is_left })
}

/// Tells whether an expression depends on a query within it or around it.
fn has_query(expr: &Expr) -> bool {
    let is_query = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        ))
    };
    expr.exists(is_query).unwrap_or(true)
}

/// The rule that moves filters below the node.
#[derive(Debug)]
pub(crate) struct AsofFilters;

impl AsofFilters {
    /// Returns the engine's rules with this one in its place: before columns that nobody needs are
    /// projected away, between the filter and the node.
    pub(crate) fn among_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
        let mut rules = Optimizer::new().rules;
        let after = rules.iter().position(|rule| rule.name() == "push_down_filter");
        rules.insert(after.map_or(0, |place| place + 1), Arc::new(Self));
        rules
    }
}

impl OptimizerRule for AsofFilters {
    fn name(&self) -> &str {
        "asof_filters"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Extension(extension) = filter.input.as_ref() else {
            return Ok(Transformed::no(plan));
        };
        let Some(join) = extension.node.as_any().downcast_ref::<AsofJoin>() else {
            return Ok(Transformed::no(plan));
        };
        let moved = below(join, &filter.predicate)?;
        Ok(moved.map_or_else(|| Transformed::no(plan), Transformed::yes))
    }
}

/// Returns the join with what can move of a filter below it; `None` if nothing can.
fn below(join: &AsofJoin, predicate: &Expr) -> Result<Option<LogicalPlan>> {
    let (left, right, matching) = join.parts();
    let keys = plain_keys(join);
    let to_left: HashMap<&Column, &Column> =
        keys.iter().map(|(left, right)| (right, left)).collect();
    let to_right: HashMap<&Column, &Column> =
        keys.iter().map(|(left, right)| (left, right)).collect();
    let (mut on_left, mut on_right, mut above) = (Vec::new(), Vec::new(), Vec::new());
    for conjunct in split_conjunction_owned(predicate.clone()) {
        if conjunct.is_volatile() || has_query(&conjunct) || conjunct.column_refs().is_empty() {
            above.push(conjunct);
            continue;
        }
        // Of a match, the keys of both sides are equal; without one those of the right are NULL.
        let of_keys = if matching.is_left { None } else { renamed(&conjunct, &to_left)? };
        let conjunct = of_keys.unwrap_or(conjunct);
        let columns = conjunct.column_refs();
        if !columns.iter().all(|column| left.schema().maybe_index_of_column(column).is_some()) {
            above.push(conjunct);
            continue;
        }
        // What fails here is equal to no left row that is still there.
        on_right.extend(renamed(&conjunct, &to_right)?);
        on_left.push(conjunct);
    }
    if on_left.is_empty() {
        return Ok(None);
    }
    let left = filtered(left.clone(), on_left)?;
    let right = filtered(right.clone(), on_right)?;
    let joined = AsofJoin::plan(left, right, matching.clone())?;
    filtered(joined, above).map(Some)
}

/// Returns the pairs of columns that must be equal and are compared as they are. Numbers with a
/// fraction may be equal and yet differ.
fn plain_keys(join: &AsofJoin) -> Vec<(Column, Column)> {
    let (left, right, matching) = join.parts();
    let pair = |equality: &Expr| {
        let sides = join.sides(equality)?;
        let (Expr::Column(one), Expr::Column(other)) = (sides.left, sides.right) else {
            return None;
        };
        let type_of_left = left.schema().data_type(&one).ok()?;
        let type_of_right = right.schema().data_type(&other).ok()?;
        let is_same = type_of_left == type_of_right && !type_of_left.is_floating();
        is_same.then_some((one, other))
    };
    matching.equalities.iter().filter_map(pair).collect()
}

/// Returns an expression with other columns, if it has another for each of its own.
fn renamed(expr: &Expr, columns: &HashMap<&Column, &Column>) -> Result<Option<Expr>> {
    if !expr.column_refs().into_iter().all(|column| columns.contains_key(column)) {
        return Ok(None);
    }
    let rewritten = expr.clone().transform(|expr| {
        Ok(match &expr {
            Expr::Column(column) => match columns.get(column) {
                Some(other) => Transformed::yes(Expr::Column((*other).clone())),
                None => Transformed::no(expr),
            },
            _ => Transformed::no(expr),
        })
    })?;
    Ok(Some(rewritten.data))
}

fn filtered(plan: LogicalPlan, conjuncts: Vec<Expr>) -> Result<LogicalPlan> {
    match conjunction(conjuncts) {
        Some(predicate) => Ok(LogicalPlan::Filter(Filter::try_new(predicate, plan.into())?)),
        None => Ok(plan),
    }
}

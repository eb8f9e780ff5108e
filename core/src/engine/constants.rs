//! Finds constants that cannot be evaluated: `1/0`, `to_timestamp('noon')`.
//! In: an optimised plan, in which every constant that can be evaluated is a literal already. Out:
//! the first error of one that is always evaluated. No row takes part in it, so it is a mistake of
//! the query and not of the data, and it is told before anything is sent.
//!
//! What stands where it may never be evaluated is left for the run: the branches of CASE, and the
//! arguments of a function such as `coalesce` behind the first. AND and OR have no such order, but
//! the optimiser makes them of CASE, so that they count as CASE does where the query has one.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::physical_expr::create_physical_expr;
use sessionql_grammar::ast::walk::{Visitor, walk_query};
use sessionql_grammar::ast::{self, ExprKind, Query};

/// Evaluates the constants of a query's plan that are always evaluated.
///
/// # Errors
/// What the first of them fails with.
pub(super) fn check(query: &Query, plan: &LogicalPlan, state: &SessionState) -> Result<()> {
    let mut search = CaseSearch(false);
    walk_query(query, &mut search);
    let constants = Constants { state, has_case: search.0 };
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            if constants.visit(expr)? {
                constants.evaluate(expr)?;
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

/// Whether a query has CASE.
struct CaseSearch(bool);

impl Visitor for CaseSearch {
    fn expr(&mut self, expr: &ast::Expr) {
        self.0 |= matches!(expr.kind, ExprKind::Case { .. });
    }
}

/// What the constants of a plan are evaluated with.
struct Constants<'a> {
    state: &'a SessionState,
    /// Whether AND and OR may stand for CASE.
    has_case: bool,
}

impl Constants<'_> {
    /// Evaluates the largest constants below an expression, and tells whether it is one itself.
    fn visit(&self, expr: &Expr) -> Result<bool> {
        let (eager, lazy) = match expr {
            Expr::Literal(..) => return Ok(true),
            Expr::Case(case) => {
                let first = case.when_then_expr.iter().take(1).map(|(when, _)| when.as_ref());
                let eager: Vec<_> = case.expr.as_deref().into_iter().chain(first).collect();
                let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
                let conditions = case.when_then_expr.iter().skip(1).map(|(when, _)| when.as_ref());
                let lazy = results.chain(conditions).chain(case.else_expr.as_deref()).collect();
                (eager, lazy)
            }
            Expr::ScalarFunction(call) => call
                .func
                .conditional_arguments(&call.args)
                .unwrap_or_else(|| (call.args.iter().collect(), Vec::new())),
            Expr::BinaryExpr(BinaryExpr { op: Operator::And | Operator::Or, .. }) => {
                self.operands(expr)
            }
            // What passes its filter may be no row at all.
            Expr::AggregateFunction(AggregateFunction { params, .. })
                if params.filter.is_some() =>
            {
                return Ok(false);
            }
            Expr::WindowFunction(window) => {
                let WindowFunction { params, .. } = window.as_ref();
                if params.filter.is_some() {
                    return Ok(false);
                }
                (children(expr)?, Vec::new())
            }
            _ => (children(expr)?, Vec::new()),
        };
        let mut constants = Vec::new();
        let n_children = eager.len() + lazy.len();
        let n_lazy = lazy.iter().filter(|child| is_constant(child)).count();
        for child in eager {
            if self.visit(child)? {
                constants.push(child);
            }
        }
        if n_children > 0 && constants.len() + n_lazy == n_children && may_be_constant(expr) {
            return Ok(true);
        }
        for constant in constants {
            self.evaluate(constant)?;
        }
        Ok(false)
    }

    /// Returns the operands of a chain of AND and OR, which may be long, and with CASE those that may
    /// never be evaluated.
    fn operands<'e>(&self, chain: &'e Expr) -> (Vec<&'e Expr>, Vec<&'e Expr>) {
        let (mut eager, mut lazy) = (Vec::new(), Vec::new());
        let mut waiting = vec![chain];
        while let Some(expr) = waiting.pop() {
            match expr {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => {
                    if self.has_case {
                        lazy.push(right.as_ref());
                    } else {
                        waiting.push(right);
                    }
                    waiting.push(left);
                }
                operand => eager.push(operand),
            }
        }
        (eager, lazy)
    }

    fn evaluate(&self, expr: &Expr) -> Result<()> {
        if matches!(expr, Expr::Literal(..)) {
            return Ok(());
        }
        let schema = DFSchema::empty();
        let context = PhysicalPlanningContext::default();
        let physical = create_physical_expr(expr, &schema, self.state.execution_props(), &context)?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row =
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
        physical.evaluate(&row)?;
        Ok(())
    }
}

fn children(expr: &Expr) -> Result<Vec<&Expr>> {
    let mut children = Vec::new();
    expr.apply_children(|child| {
        children.push(child);
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(children)
}

fn is_constant(expr: &Expr) -> bool {
    let depends = |part: &Expr| {
        let is_leaf =
            !matches!(part, Expr::Literal(..)) && children(part).is_ok_and(|of| of.is_empty());
        Ok(is_leaf || !may_be_constant(part))
    };
    !expr.exists(depends).unwrap_or(true)
}

/// Tells whether an expression yields the same value for the same operands, whatever the row.
fn may_be_constant(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::GroupingSet(_)
        | Expr::Unnest(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_) => false,
        _ => !expr.is_volatile_node(),
    }
}

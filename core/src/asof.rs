//! `a ASOF [LEFT] JOIN b`: for each row of `a` the latest row of `b` that is not later.
//! In: a plan with the node that `rules/asof.rs` makes. Out: the operator of `exec.rs` in the
//! physical plan. The node is none of the engine's, so that no rule moves a filter on `b` below it:
//! which row is the latest must not depend on it.

mod exec;
mod latest;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, DFSchemaRef, JoinType, Result, internal_err};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::builder::build_join_schema;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Extension, LogicalPlan, Operator, UserDefinedLogicalNode,
    UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

pub(crate) use exec::AsofJoinExec;
use exec::Matching;

/// The logical node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AsofJoin {
    left: LogicalPlan,
    right: LogicalPlan,
    matching: AsofMatching,
    schema: DFSchemaRef,
}

/// Which rows find each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AsofMatching {
    /// `left = right` of what must be equal.
    pub(crate) equalities: Vec<Expr>,
    /// `right <= left` or `right < left` of the times.
    pub(crate) time: Expr,
    /// What decides between right rows of one time; the greatest wins.
    pub(crate) tie: Option<Expr>,
    /// Whether left rows without a match are kept.
    pub(crate) is_left: bool,
}

/// An operand of each side, and how they compare.
pub(crate) struct Sides {
    pub(crate) left: Expr,
    pub(crate) op: Operator,
    pub(crate) right: Expr,
}

impl Sides {
    /// Puts the operand of the left side to the left. `None` if there is not one of each side.
    pub(crate) fn of(
        one: &Expr,
        op: Operator,
        other: &Expr,
        left: &DFSchema,
        right: &DFSchema,
    ) -> Option<Self> {
        match (is_left(one, left, right)?, is_left(other, left, right)?) {
            (true, false) => Some(Self { left: one.clone(), op, right: other.clone() }),
            (false, true) => Some(Self { left: other.clone(), op: op.swap()?, right: one.clone() }),
            _ => None,
        }
    }
}

/// Tells whether an expression is of columns of the left side, `None` if it is not of one side.
fn is_left(expr: &Expr, left: &DFSchema, right: &DFSchema) -> Option<bool> {
    let columns = expr.column_refs();
    let is_of = |schema: &DFSchema| {
        !columns.is_empty()
            && columns.iter().all(|column| schema.maybe_index_of_column(column).is_some())
    };
    let (is_of_left, is_of_right) = (is_of(left), is_of(right));
    (is_of_left != is_of_right).then_some(is_of_left)
}

impl AsofJoin {
    /// Returns the node as a plan.
    ///
    /// # Errors
    /// If the columns of both sides cannot stand side by side.
    pub(crate) fn plan(
        left: LogicalPlan,
        right: LogicalPlan,
        matching: AsofMatching,
    ) -> Result<LogicalPlan> {
        let node = Arc::new(Self::new(left, right, matching)?);
        Ok(LogicalPlan::Extension(Extension { node }))
    }

    fn new(left: LogicalPlan, right: LogicalPlan, matching: AsofMatching) -> Result<Self> {
        let join_type = if matching.is_left { JoinType::Left } else { JoinType::Inner };
        let schema = build_join_schema(left.schema(), right.schema(), &join_type)?;
        Ok(Self { left, right, matching, schema: Arc::new(schema) })
    }

    /// Returns both sides and which rows find each other.
    pub(crate) fn parts(&self) -> (&LogicalPlan, &LogicalPlan, &AsofMatching) {
        (&self.left, &self.right, &self.matching)
    }

    /// Returns the operands of a comparison. Rules of the engine may have turned it around, or have
    /// named it.
    pub(crate) fn sides(&self, comparison: &Expr) -> Option<Sides> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = unnamed(comparison) else {
            return None;
        };
        Sides::of(left, *op, right, self.left.schema(), self.right.schema())
    }
}

fn unnamed(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}

impl PartialOrd for AsofJoin {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for AsofJoin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.left, &self.right, &self.matching).hash(state);
    }
}

impl UserDefinedLogicalNodeCore for AsofJoin {
    fn name(&self) -> &str {
        "AsofJoin"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        let AsofMatching { equalities, time, tie, .. } = &self.matching;
        equalities.iter().chain([time]).chain(tie).cloned().collect()
    }

    fn fmt_for_explain(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AsofJoin: {}", self.matching.time)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let (mut exprs, mut inputs) = (exprs.into_iter(), inputs.into_iter());
        let equalities = exprs.by_ref().take(self.matching.equalities.len()).collect();
        match (exprs.next(), inputs.next(), inputs.next()) {
            (Some(time), Some(left), Some(right)) => {
                let tie = exprs.next();
                let is_left = self.matching.is_left;
                Self::new(left, right, AsofMatching { equalities, time, tie, is_left })
            }
            _ => internal_err!("an ASOF JOIN has two sides and a comparison of times"),
        }
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        // Those that the expressions use are added by who asks.
        let n_left = self.left.schema().fields().len();
        let (left, right): (Vec<usize>, Vec<usize>) =
            output_columns.iter().partition(|column| **column < n_left);
        Some(vec![left, right.into_iter().map(|column| column - n_left).collect()])
    }
}

/// The engine's planner, which knows the node besides.
#[derive(Debug)]
pub(crate) struct AsofPlanner;

#[async_trait]
impl QueryPlanner for AsofPlanner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Self)]);
        planner.create_physical_plan(plan, session).await
    }
}

#[async_trait]
impl ExtensionPlanner for AsofPlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(join) = node.as_any().downcast_ref::<AsofJoin>() else { return Ok(None) };
        let [left, right] = physical_inputs else {
            return internal_err!("an ASOF JOIN has two sides");
        };
        let of_left =
            |expr: &Expr| planner.create_physical_expr(expr, join.left.schema(), session, context);
        let of_right =
            |expr: &Expr| planner.create_physical_expr(expr, join.right.schema(), session, context);
        let mut on = Vec::new();
        for equality in &join.matching.equalities {
            let Some(sides) = join.sides(equality) else {
                return internal_err!("no equality of both sides: {equality}");
            };
            on.push((of_left(&sides.left)?, of_right(&sides.right)?));
        }
        let Some(time) = join.sides(&join.matching.time) else {
            return internal_err!("no times of both sides: {}", join.matching.time);
        };
        let matching = Matching {
            on,
            left_time: of_left(&time.left)?,
            right_time: of_right(&time.right)?,
            is_strict: time.op == Operator::Gt,
            tie: join.matching.tie.as_ref().map(of_right).transpose()?,
            is_left: join.matching.is_left,
        };
        let schema = Arc::clone(join.schema.inner());
        let (left, right) = (Arc::clone(left), Arc::clone(right));
        Ok(Some(Arc::new(AsofJoinExec::try_new(left, right, matching, schema)?)))
    }
}

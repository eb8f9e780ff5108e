//! Takes IN lists out of the optimizer's hands where several stand on one expression.
//! The engine merges such lists as if NULL did not exist: `x NOT IN (…) OR x NOT IN (…)` becomes
//! true also where `x` is NULL. Here a short list becomes comparisons, and a long one a function
//! with the right answers, which `pushdown` still recognises.

use std::collections::HashMap;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, binary_expr};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite_expressions;
use crate::functions::is_one_of;

/// The longest list that becomes comparisons; longer ones the optimizer leaves alone.
const SHORT: usize = 3;

/// The rule.
#[derive(Debug)]
pub(crate) struct ValueLists;

impl AnalyzerRule for ValueLists {
    fn name(&self) -> &str {
        "value_lists"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut lists_on: HashMap<String, usize> = HashMap::new();
        plan.apply_with_subqueries(|plan| {
            plan.apply_expressions(|expr| {
                expr.apply(|expr| {
                    if let Expr::InList(in_list) = expr {
                        *lists_on.entry(subject(in_list)).or_default() += 1;
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        if lists_on.values().all(|n_lists| *n_lists < 2) {
            return Ok(plan);
        }
        rewrite_expressions(plan, |expr, _schema| match expr {
            Expr::InList(in_list) if lists_on.get(&subject(&in_list)) > Some(&1) => {
                Ok(Transformed::yes(rewrite(in_list)))
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

/// Returns what a list stands on, without qualifiers: a filter may move to where they differ.
fn subject(in_list: &InList) -> String {
    match in_list.expr.as_ref() {
        Expr::Column(column) => column.name.clone(),
        other => other.to_string(),
    }
}

fn rewrite(in_list: InList) -> Expr {
    let values: Option<Vec<_>> = in_list
        .list
        .iter()
        .map(|item| match item {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    match values {
        Some(values) if values.len() > SHORT => {
            let one_of = is_one_of(*in_list.expr, values);
            if in_list.negated { !one_of } else { one_of }
        }
        _ => {
            let (comparison, link) = match in_list.negated {
                true => (Operator::NotEq, Operator::And),
                false => (Operator::Eq, Operator::Or),
            };
            let subject = in_list.expr;
            let comparisons: Vec<Expr> = in_list
                .list
                .into_iter()
                .map(|item| binary_expr(subject.as_ref().clone(), comparison, item))
                .collect();
            balanced(comparisons, link)
        }
    }
}

/// Links expressions into a tree as flat as can be.
fn balanced(mut exprs: Vec<Expr>, link: Operator) -> Expr {
    while exprs.len() > 1 {
        let mut pairs = exprs.into_iter();
        let mut next = Vec::new();
        while let Some(left) = pairs.next() {
            next.push(match pairs.next() {
                Some(right) => binary_expr(left, link, right),
                None => left,
            });
        }
        exprs = next;
    }
    exprs.pop().unwrap_or_default()
}

//! Physical expressions: what the operators of a plan compute.

use std::sync::Arc;

use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr,
    Literal, NegativeExpr, NotExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::{
    Text, Writer, binary, call, case, cast, in_list, like, not, of_lifetimes, operator_of_function,
    tested,
};
use crate::functions::{IsOneOf, OPEN_DURING};

impl Writer {
    /// Returns what an operator computes as SQL.
    pub(in crate::explain) fn computed(&self, expr: &Arc<dyn PhysicalExpr>) -> String {
        self.physical(expr).sql
    }

    /// Returns a condition as one of several that must all hold.
    pub(in crate::explain) fn conjunct(&self, expr: &Arc<dyn PhysicalExpr>) -> String {
        self.physical(expr).within(Operator::And.precedence())
    }

    /// Returns `left = right` of a join.
    pub(in crate::explain) fn equality(
        &self,
        left: &Arc<dyn PhysicalExpr>,
        right: &Arc<dyn PhysicalExpr>,
    ) -> String {
        binary(Operator::Eq, self.physical(left), self.physical(right)).sql
    }

    fn physical(&self, expr: &Arc<dyn PhysicalExpr>) -> Text {
        if let Some(one) = expr.downcast_ref::<BinaryExpr>()
            && matches!(one.op(), Operator::And | Operator::Or)
        {
            return binary(*one.op(), self.physical(one.left()), self.physical(one.right()));
        }
        if let Some(one) = expr.downcast_ref::<NotExpr>() {
            return not(self.physical(one.arg()));
        }
        let columns = collect_columns(expr);
        self.over(columns.iter().map(Column::name)).plain(expr)
    }

    /// Returns what is no AND, OR or NOT.
    fn plain(&self, expr: &Arc<dyn PhysicalExpr>) -> Text {
        if let Some(column) = expr.downcast_ref::<Column>() {
            return Text::atom(self.name(column.name()));
        }
        if let Some(literal) = expr.downcast_ref::<Literal>() {
            return self.literal(literal.value());
        }
        if let Some(one) = expr.downcast_ref::<BinaryExpr>() {
            return binary(*one.op(), self.physical(one.left()), self.physical(one.right()));
        }
        if let Some(one) = expr.downcast_ref::<InListExpr>() {
            let items = one.list().iter().map(|item| self.physical(item));
            return in_list(self.physical(one.expr()), items, one.negated());
        }
        if let Some(one) = expr.downcast_ref::<LikeExpr>() {
            let (subject, pattern) = (self.physical(one.expr()), self.physical(one.pattern()));
            return like(subject, pattern, one.negated(), one.case_insensitive());
        }
        if let Some(one) = expr.downcast_ref::<IsNullExpr>() {
            return tested(self.physical(one.arg()), "IS NULL");
        }
        if let Some(one) = expr.downcast_ref::<IsNotNullExpr>() {
            return tested(self.physical(one.arg()), "IS NOT NULL");
        }
        if let Some(one) = expr.downcast_ref::<NegativeExpr>() {
            return Text { sql: format!("-{}", self.physical(one.arg()).within(90)), binding: 90 };
        }
        if let Some(one) = expr.downcast_ref::<CastExpr>() {
            return cast(self.physical(one.expr()), one.cast_type());
        }
        if let Some(one) = expr.downcast_ref::<CaseExpr>() {
            let branches = one.when_then_expr().iter();
            return case(
                one.expr().map(|operand| self.physical(operand)),
                branches.map(|(when, then)| (self.physical(when), self.physical(then))).collect(),
                one.else_expr().map(|otherwise| self.physical(otherwise)),
            );
        }
        if let Some(function) = expr.downcast_ref::<ScalarFunctionExpr>() {
            return self.function_of_plan(function);
        }
        if self.hides_values {
            return Text::atom(super::MASK);
        }
        Text::atom(
            datafusion::physical_expr_common::physical_expr::fmt_sql(expr.as_ref()).to_string(),
        )
    }

    fn function_of_plan(&self, function: &ScalarFunctionExpr) -> Text {
        let literal = |expr: &Arc<dyn PhysicalExpr>| {
            expr.downcast_ref::<Literal>().map(|literal| literal.value().clone())
        };
        if let (Some(list), [subject]) = (one_of(function), function.args()) {
            let values = list.values.iter().map(|value| self.literal(value));
            return in_list(self.physical(subject), values, false);
        }
        let name = function.fun().name();
        let args = function.args().iter().map(|arg| self.physical(arg));
        if let Some(text) = of_lifetimes(name, args) {
            return text;
        }
        match (name, operator_of_function(name), function.args()) {
            (OPEN_DURING, _, [_, _, since, until]) => match (literal(since), literal(until)) {
                (Some(since), Some(until)) => self.window(&since, &until),
                _ => call(name, function.args().iter().map(|arg| self.physical(arg))),
            },
            (_, Some(op), [left, right]) => binary(op, self.physical(left), self.physical(right)),
            (name, _, args) => call(name, args.iter().map(|arg| self.physical(arg))),
        }
    }
}

fn one_of(function: &ScalarFunctionExpr) -> Option<&IsOneOf> {
    function.fun().inner().downcast_ref::<IsOneOf>()
}

//! Logical expressions: the filters of a table as the optimizer handed them over.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::{
    Text, Writer, binary, call, case, cast, in_list, like, not, of_lifetimes, operator_of_function,
    tested,
};
use crate::functions::{IsOneOf, OPEN_DURING};

impl Writer {
    /// Returns a filter as SQL.
    pub(in crate::explain) fn filter(&self, expr: &Expr) -> String {
        self.logical(expr).sql
    }

    fn logical(&self, expr: &Expr) -> Text {
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                binary(Operator::And, self.logical(left), self.logical(right))
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                // The optimizer turns short lists into chains.
                if let Some((subject, values)) = chain(expr) {
                    let writer = self.over(subject.column_refs().iter().map(|name| name.name()));
                    let values = values.into_iter().map(|value| writer.literal(value));
                    return in_list(writer.logical(subject), values, false);
                }
                binary(Operator::Or, self.logical(left), self.logical(right))
            }
            Expr::Not(inner) => match inner.as_ref() {
                Expr::ScalarFunction(call) if one_of(call).is_some() => self.listed(call, true),
                inner => not(self.logical(inner)),
            },
            other => {
                let columns = other.column_refs();
                self.over(columns.iter().map(|column| column.name())).comparison(other)
            }
        }
    }

    /// Returns what is no AND, OR or NOT.
    fn comparison(&self, expr: &Expr) -> Text {
        match expr {
            Expr::Alias(alias) => self.logical(&alias.expr),
            Expr::Column(column) => Text::atom(column.name.clone()),
            Expr::Literal(value, _) => self.literal(value),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                binary(*op, self.logical(left), self.logical(right))
            }
            Expr::Like(one) => like(
                self.logical(&one.expr),
                self.logical(&one.pattern),
                one.negated,
                one.case_insensitive,
            ),
            Expr::InList(list) => {
                let items = list.list.iter().map(|item| self.logical(item));
                in_list(self.logical(&list.expr), items, list.negated)
            }
            Expr::Between(between) => {
                let not = if between.negated { "NOT " } else { "" };
                let (low, high) = (self.logical(&between.low), self.logical(&between.high));
                let test = format!("{not}BETWEEN {} AND {}", low.sql, high.sql);
                tested(self.logical(&between.expr), &test)
            }
            Expr::IsNull(inner) => tested(self.logical(inner), "IS NULL"),
            Expr::IsNotNull(inner) => tested(self.logical(inner), "IS NOT NULL"),
            Expr::IsTrue(inner) => tested(self.logical(inner), "IS TRUE"),
            Expr::IsFalse(inner) => tested(self.logical(inner), "IS FALSE"),
            Expr::IsUnknown(inner) => tested(self.logical(inner), "IS UNKNOWN"),
            Expr::IsNotTrue(inner) => tested(self.logical(inner), "IS NOT TRUE"),
            Expr::IsNotFalse(inner) => tested(self.logical(inner), "IS NOT FALSE"),
            Expr::IsNotUnknown(inner) => tested(self.logical(inner), "IS NOT UNKNOWN"),
            Expr::Negative(inner) => {
                Text { sql: format!("-{}", self.logical(inner).within(90)), binding: 90 }
            }
            Expr::Case(one) => case(
                one.expr.as_deref().map(|operand| self.logical(operand)),
                one.when_then_expr
                    .iter()
                    .map(|(when, then)| (self.logical(when), self.logical(then)))
                    .collect(),
                one.else_expr.as_deref().map(|otherwise| self.logical(otherwise)),
            ),
            Expr::Cast(one) => cast(self.logical(&one.expr), one.field.data_type()),
            Expr::TryCast(one) => cast(self.logical(&one.expr), one.field.data_type()),
            Expr::ScalarFunction(function) => self.function(function),
            _ if self.hides_values => Text::atom(super::MASK),
            other => Text::atom(other.human_display().to_string()),
        }
    }

    fn function(&self, function: &ScalarFunction) -> Text {
        if one_of(function).is_some() {
            return self.listed(function, false);
        }
        let name = function.func.name();
        let args = function.args.iter().map(|arg| self.logical(arg));
        if let Some(text) = of_lifetimes(name, args) {
            return text;
        }
        match (name, operator_of_function(name), function.args.as_slice()) {
            (OPEN_DURING, _, [_, _, Expr::Literal(since, _), Expr::Literal(until, _)]) => {
                self.window(since, until)
            }
            (_, Some(op), [left, right]) => binary(op, self.logical(left), self.logical(right)),
            // Put there by the engine, around text that is compared with an instant.
            ("read_instant", _, [Expr::Cast(text)]) => self.logical(&text.expr),
            ("read_instant", _, [text]) => self.logical(text),
            (name, _, args) => call(name, args.iter().map(|arg| self.logical(arg))),
        }
    }

    fn listed(&self, function: &ScalarFunction, negated: bool) -> Text {
        let (Some(list), Some(subject)) = (one_of(function), function.args.first()) else {
            return Text::atom(function.func.name());
        };
        let writer = self.over(subject.column_refs().iter().map(|column| column.name()));
        let values = list.values.iter().map(|value| writer.literal(value));
        in_list(writer.logical(subject), values, negated)
    }
}

fn one_of(function: &ScalarFunction) -> Option<&IsOneOf> {
    function.func.inner().downcast_ref::<IsOneOf>()
}

/// Returns the subject and the values of `x = a OR x = b …`.
fn chain(expr: &Expr) -> Option<(&Expr, Vec<&ScalarValue>)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else { return None };
    match (op, right.as_ref()) {
        (Operator::Eq, Expr::Literal(value, _)) => Some((left, vec![value])),
        (Operator::Or, _) => {
            let (subject, mut values) = chain(left)?;
            let (other, more) = chain(right)?;
            values.extend(more);
            (subject == other).then_some((subject, values))
        }
        _ => None,
    }
}

//! Calls of the language's own functions: constants are checked here, where they have a place, and what a call leaves out is added.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, ExprKind, Literal};

use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank, interval};
use crate::functions::Network;
use crate::instant;

impl Lowering<'_> {
    /// Checks and completes the lowered arguments of a call.
    pub(super) fn complete_own(
        &mut self,
        function: &ast::Function,
        lowered: &mut sql::FunctionArgumentList,
    ) -> Result<()> {
        let ([name], Arguments::List { items, .. }) =
            (function.name.parts.as_slice(), &function.arguments)
        else {
            return Ok(());
        };
        if items.iter().any(|item| item.name.is_some()) {
            return Ok(());
        }
        let values: Vec<&ast::Expr> = items.iter().map(|item| innermost(&item.value)).collect();
        match (name.normalized().as_str(), values.as_slice()) {
            ("ip_in", [_, networks]) => check_networks(networks),
            ("max_concurrent" | "gaps", _) => {
                self.has_lifetimes = true;
                Ok(())
            }
            // An open session lasts until now.
            ("covered" | "merge_intervals", [_, _]) => {
                self.has_lifetimes = true;
                let now = self.now();
                if let Some(sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(end))) =
                    lowered.args.get_mut(1)
                {
                    let open_end = std::mem::replace(end, sql::Expr::value(sql::Value::Null));
                    *end = blank::call("coalesce", [open_end, now]);
                }
                Ok(())
            }
            ("time_bucket", [width, instants @ ..]) if matches!(instants.len(), 1 | 2) => {
                check_width(width)?;
                for (instant, lowered) in instants.iter().zip(&mut lowered.args[1..]) {
                    if let ExprKind::Literal(Literal::Text(text)) = &instant.kind {
                        let instant = self.instant(text, instant.span)?;
                        *lowered = argument(self.instant_literal(instant));
                    }
                }
                if instants.len() == 1 {
                    let origin = self.origin();
                    lowered.args.push(argument(self.instant_literal(origin)));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Returns where buckets of time begin unless a query says otherwise: a Monday, so that those of
    /// a week are weeks, at midnight in the query's zone.
    fn origin(&self) -> DateTime<Utc> {
        NaiveDate::from_ymd_opt(2000, 1, 3)
            .and_then(|date| {
                instant::in_zone(date.and_time(NaiveTime::MIN), self.context.time_zone)
            })
            .unwrap_or_default()
    }
}

fn argument(expr: sql::Expr) -> sql::FunctionArg {
    sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(expr))
}

/// Refuses constants that are no network.
fn check_networks(networks: &ast::Expr) -> Result<()> {
    match &networks.kind {
        ExprKind::Literal(Literal::Text(text)) if Network::parse(text).is_none() => {
            let kind = LowerErrorKind::BadNetwork { text: text.clone() };
            Err(LowerError::new(kind, networks.span))
        }
        ExprKind::Array(items) => items.iter().map(innermost).try_for_each(check_networks),
        _ => Ok(()),
    }
}

/// Refuses constants that are no width.
fn check_width(width: &ast::Expr) -> Result<()> {
    let is_calendar = match &width.kind {
        ExprKind::Literal(Literal::Duration(micros)) if *micros <= 0 => false,
        ExprKind::Sign { is_minus: true, operand }
            if matches!(operand.kind, ExprKind::Literal(Literal::Duration(_))) =>
        {
            false
        }
        ExprKind::Literal(Literal::Interval(text)) => match interval::parse(text) {
            Some(interval::Interval::Calendar) => true,
            Some(interval::Interval::Exact(micros)) if micros <= 0 => false,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    Err(LowerError::new(LowerErrorKind::BadBucket { is_calendar }, width.span))
}

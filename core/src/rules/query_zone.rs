//! Reads what has no offset in the query's time zone, wherever the engine turns it into an instant.
//! Runs after type coercion, which makes such a turn a cast; the engine by itself would read text,
//! dates and times without zone in UTC. Parts of an instant (`date_trunc`, `extract`, `::date`) are
//! those of the query's zone too.

use arrow::datatypes::{DataType, TimeUnit};
use chrono_tz::Tz;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite_expressions;
use crate::columns::timestamp_type;
use crate::functions::read_instant;

/// Functions that take an instant apart.
const TAKE_APART: [&str; 3] = ["date_trunc", "date_part", "to_char"];

/// The rule, for one time zone.
#[derive(Debug)]
pub(crate) struct QueryZone {
    /// The zone of what has no offset.
    pub(crate) time_zone: Tz,
}

impl AnalyzerRule for QueryZone {
    fn name(&self) -> &str {
        "query_zone"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, |expr, schema| self.rewrite(expr, schema))
    }
}

impl QueryZone {
    fn rewrite(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let type_of = |expr: &Expr| expr.get_type(schema).ok();
        // An instant with AT TIME ZONE has a zone of its own, and keeps it.
        let is_instant = |expr: &Expr| matches!(type_of(expr), Some(DataType::Timestamp(_, Some(zone))) if zone.as_ref() == "UTC");
        match expr {
            Expr::Cast(turn) if is_zoned(turn.field.data_type()) => {
                let has_no_zone = type_of(&turn.expr).is_some_and(|from| {
                    from.is_string()
                        || matches!(from, DataType::Date32 | DataType::Timestamp(_, None))
                });
                if !has_no_zone {
                    return Ok(Transformed::no(Expr::Cast(turn)));
                }
                // Dates and times are read by the text that they show.
                let instant = read_instant(*turn.expr, self.time_zone);
                let wanted = turn.field.data_type().clone();
                let is_ours = wanted == timestamp_type();
                Ok(Transformed::yes(if is_ours { instant } else { cast(instant, wanted) }))
            }
            Expr::Cast(mut turn)
                if turn.field.data_type() == &DataType::Date32 && is_instant(&turn.expr) =>
            {
                let instant = std::mem::take(turn.expr.as_mut());
                *turn.expr = self.in_zone(instant);
                Ok(Transformed::yes(Expr::Cast(turn)))
            }
            Expr::ScalarFunction(mut call)
                if TAKE_APART.contains(&call.func.name()) && call.args.iter().any(is_instant) =>
            {
                let in_zone = |argument: Expr| {
                    if is_instant(&argument) { self.in_zone(argument) } else { argument }
                };
                call.args = call.args.into_iter().map(in_zone).collect();
                let call = Expr::ScalarFunction(call);
                let is_instant = matches!(type_of(&call), Some(DataType::Timestamp(_, Some(_))));
                Ok(Transformed::yes(if is_instant { cast(call, timestamp_type()) } else { call }))
            }
            // Of one text; with a format the engine reads it.
            Expr::ScalarFunction(call)
                if call.func.name() == "to_timestamp"
                    && matches!(&call.args[..], [text] if type_of(text).is_some_and(|t| t.is_string())) =>
            {
                let instant = read_instant(call.args[0].clone(), self.time_zone);
                let wanted = Expr::ScalarFunction(call).get_type(schema)?;
                Ok(Transformed::yes(cast(instant, wanted)))
            }
            other => Ok(Transformed::no(other)),
        }
    }

    /// Returns the same instant, marked with the query's zone.
    fn in_zone(&self, instant: Expr) -> Expr {
        let zone = self.time_zone.name().into();
        cast(instant, DataType::Timestamp(TimeUnit::Microsecond, Some(zone)))
    }
}

fn is_zoned(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(_)))
}

//! Calls and the windows they run over.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, FrameBound, FrameUnits, Over};

use super::{Lack, LowerError, LowerErrorKind, Lowering, Result, blank};
use crate::error::nearest;

impl Lowering<'_> {
    pub(super) fn function(&mut self, function: &ast::Function) -> Result<sql::Expr> {
        if let Some(constant) = self.clock_call(function)? {
            return Ok(constant);
        }
        if let Some(call) = self.lifetime_call(function)? {
            return Ok(call);
        }
        if let Some(call) = self.formatted(function)? {
            return Ok(call);
        }
        if let Some(call) = self.respelled(function)? {
            return Ok(call);
        }
        if let Some(call) = self.ordered_call(function)? {
            return Ok(call);
        }
        self.check_function(&function.name)?;
        let name = function.name.parts.iter().map(|part| self.ident(part)).collect();
        let mut lowered = blank::function(name, Vec::new());
        let mut arguments = self.arguments(&function.arguments)?;
        self.complete_own(function, &mut arguments)?;
        lowered.args = sql::FunctionArguments::List(arguments);
        lowered.within_group = self.order_by(&function.within_group)?;
        lowered.filter =
            function.filter.as_ref().map(|filter| self.expr(filter).map(Box::new)).transpose()?;
        lowered.null_treatment = function.ignores_nulls.map(|ignores_nulls| {
            if ignores_nulls {
                sql::NullTreatment::IgnoreNulls
            } else {
                sql::NullTreatment::RespectNulls
            }
        });
        lowered.over = match &function.over {
            None => None,
            Some(Over::Named(name)) => Some(sql::WindowType::NamedWindow(self.ident(name))),
            Some(Over::Window(window)) => {
                Some(sql::WindowType::WindowSpec(self.window_spec(window)?))
            }
        };
        Ok(sql::Expr::Function(lowered))
    }

    fn check_function(&self, name: &ast::ObjectName) -> Result<()> {
        let parts: Vec<String> = name.parts.iter().map(ast::Ident::normalized).collect();
        let found = parts.join(".");
        if self.context.functions.has(&found) {
            return match self.context.functions.lack(&found) {
                None => Ok(()),
                Some(Lack { message, hint }) => {
                    Err(LowerError::new(LowerErrorKind::Lacking { message, hint }, name.span))
                }
            };
        }
        let known = self.context.functions.names();
        let candidates = nearest(&found, known.iter().map(String::as_str));
        Err(LowerError::new(LowerErrorKind::UnknownFunction { name: found, candidates }, name.span))
    }

    /// Lowers `now()`, `ago(duration)` and their relatives.
    fn clock_call(&mut self, function: &ast::Function) -> Result<Option<sql::Expr>> {
        let ([name], Arguments::List { items, .. }) =
            (function.name.parts.as_slice(), &function.arguments)
        else {
            return Ok(None);
        };
        match (name.normalized().as_str(), items.as_slice()) {
            ("now" | "transaction_timestamp" | "statement_timestamp", []) => Ok(Some(self.now())),
            ("today", []) => self.clock("current_date", name.span),
            ("ago", [ast::Argument { name: None, value }]) => {
                let (now, value) = (self.now(), self.expr(value)?);
                Ok(Some(blank::nested(blank::binary(
                    now,
                    sql::BinaryOperator::Minus,
                    blank::nested(value),
                ))))
            }
            (name, []) => self.clock(name, function.name.span),
            _ => Ok(None),
        }
    }

    fn arguments(&mut self, arguments: &Arguments) -> Result<sql::FunctionArgumentList> {
        let Arguments::List { is_distinct, items, order_by } = arguments else {
            let args = vec![sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Wildcard)];
            return Ok(sql::FunctionArgumentList {
                duplicate_treatment: None,
                args,
                clauses: Vec::new(),
            });
        };
        let mut args = Vec::with_capacity(items.len());
        for item in items {
            let arg = sql::FunctionArgExpr::Expr(self.expr(&item.value)?);
            args.push(match &item.name {
                Some(name) => {
                    let operator = sql::FunctionArgOperator::RightArrow;
                    sql::FunctionArg::Named { name: self.ident(name), arg, operator }
                }
                None => sql::FunctionArg::Unnamed(arg),
            });
        }
        let order_by = self.order_by(order_by)?;
        let clauses = if order_by.is_empty() {
            Vec::new()
        } else {
            vec![sql::FunctionArgumentClause::OrderBy(order_by)]
        };
        let duplicate_treatment = is_distinct.then_some(sql::DuplicateTreatment::Distinct);
        Ok(sql::FunctionArgumentList { duplicate_treatment, args, clauses })
    }

    pub(super) fn window_spec(&mut self, window: &ast::WindowSpec) -> Result<sql::WindowSpec> {
        if let Some(base) = &window.base {
            return Err(LowerError::unsupported("a window that adds to a named one", base.span));
        }
        Ok(sql::WindowSpec {
            window_name: None,
            partition_by: self.exprs(&window.partition_by)?,
            order_by: self.order_by(&window.order_by)?,
            window_frame: window.frame.as_ref().map(|frame| self.frame(frame)).transpose()?,
        })
    }

    fn frame(&mut self, frame: &ast::Frame) -> Result<sql::WindowFrame> {
        let units = match frame.units {
            FrameUnits::Rows => sql::WindowFrameUnits::Rows,
            FrameUnits::Range => sql::WindowFrameUnits::Range,
            FrameUnits::Groups => sql::WindowFrameUnits::Groups,
        };
        let start_bound = self.frame_bound(&frame.start)?;
        let end_bound = frame.end.as_ref().map(|end| self.frame_bound(end)).transpose()?;
        Ok(sql::WindowFrame { units, start_bound, end_bound })
    }

    fn frame_bound(&mut self, bound: &FrameBound) -> Result<sql::WindowFrameBound> {
        let mut value = |value: &Option<Box<ast::Expr>>| {
            value.as_ref().map(|value| self.frame_distance(value).map(Box::new)).transpose()
        };
        Ok(match bound {
            FrameBound::CurrentRow => sql::WindowFrameBound::CurrentRow,
            FrameBound::Preceding(distance) => sql::WindowFrameBound::Preceding(value(distance)?),
            FrameBound::Following(distance) => sql::WindowFrameBound::Following(value(distance)?),
        })
    }

    /// Lowers the distance of a frame's bound. The engine wants an interval for times, and reads it
    /// from the text, so that an exact one stays exact.
    fn frame_distance(&mut self, distance: &ast::Expr) -> Result<sql::Expr> {
        match &distance.kind {
            ast::ExprKind::Literal(ast::Literal::Duration(micros)) => {
                Ok(blank::interval(&format!("{micros} microseconds")))
            }
            ast::ExprKind::Literal(ast::Literal::Interval(text)) => Ok(blank::interval(text)),
            _ => self.expr(distance),
        }
    }
}

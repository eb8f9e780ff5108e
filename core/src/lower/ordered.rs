//! Functions of windows whose rows must have an order: `sessionize`, `speed_kmh` and `first_seen`.
//! The engine answers the first two; the last one is put as a rank among the rows of one value.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, Over};

use super::{LowerError, LowerErrorKind, Lowering, Result, blank};
use crate::functions::FIRST_SEEN;

/// The functions.
const ORDERED: [&str; 3] = ["sessionize", "speed_kmh", FIRST_SEEN];

impl Lowering<'_> {
    /// Checks a call of one of the functions. Lowers `first_seen(x) OVER (…)`; `None` if the function
    /// is another one.
    pub(super) fn ordered_call(&mut self, function: &ast::Function) -> Result<Option<sql::Expr>> {
        let [name] = function.name.parts.as_slice() else { return Ok(None) };
        let name = name.normalized();
        if !ORDERED.contains(&name.as_str()) {
            return Ok(None);
        }
        let span = function.name.span;
        let no_order = || LowerError::new(LowerErrorKind::NoOrder { name: name.clone() }, span);
        let wrong = |due| {
            let kind = LowerErrorKind::NotTaken { name: name.clone(), due };
            LowerError::new(kind, span)
        };
        let window = match function.over.as_ref().ok_or_else(no_order)? {
            Over::Window(window) => window.as_ref().clone(),
            // The engine says if there is no such window.
            Over::Named(over) => match self.named_window(over) {
                Some(window) => window,
                None => return Ok(None),
            },
        };
        if window.order_by.is_empty() {
            return Err(no_order());
        }
        if window.frame.is_some() {
            return Err(wrong("all rows of its partition and no frame"));
        }
        let is_plain = function.filter.is_none()
            && function.within_group.is_empty()
            && function.ignores_nulls.is_none();
        match &function.arguments {
            Arguments::List { is_distinct: false, items, order_by }
                if is_plain && order_by.is_empty() =>
            {
                if name != FIRST_SEEN {
                    return Ok(None);
                }
                let [ast::Argument { name: None, value }] = items.as_slice() else {
                    return Err(wrong("one value"));
                };
                self.first_seen(value, &window).map(Some)
            }
            _ => Err(wrong("arguments and OVER, and nothing else")),
        }
    }

    /// Lowers `first_seen(x) OVER (PARTITION BY p ORDER BY o)`: of the rows with one `p` and one `x`
    /// those are the first that no other one comes before.
    fn first_seen(&mut self, value: &ast::Expr, window: &ast::WindowSpec) -> Result<sql::Expr> {
        let lowered = self.expr(value)?;
        let mut spec = self.window_spec(window)?;
        spec.partition_by.push(lowered.clone());
        let mut rank = blank::function(vec![sql::Ident::new("rank")], Vec::new());
        rank.over = Some(sql::WindowType::WindowSpec(spec));
        let is_first =
            blank::binary(sql::Expr::Function(rank), sql::BinaryOperator::Eq, blank::number("1"));
        let is_null = sql::Expr::IsNull(Box::new(blank::nested(lowered)));
        Ok(sql::Expr::Case {
            case_token: sql::helpers::attached_token::AttachedToken::empty(),
            end_token: sql::helpers::attached_token::AttachedToken::empty(),
            operand: None,
            conditions: vec![sql::CaseWhen { condition: is_null, result: blank::unknown() }],
            else_result: Some(Box::new(is_first)),
        })
    }

    /// Returns the window of the SELECT's WINDOW clause.
    fn named_window(&self, name: &ast::Ident) -> Option<ast::WindowSpec> {
        let windows = &self.scopes.last()?.windows;
        let named = windows.iter().find(|window| window.name.normalized() == name.normalized());
        named.map(|named| named.window.clone())
    }
}

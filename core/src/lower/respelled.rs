//! Calls that the engine has under another name, or with another meaning, and calls that it would
//! take and answer wrongly.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, Arguments, ExprKind, Literal};

use super::logic::innermost;
use super::{LowerError, Lowering, Result, blank, parts};

impl Lowering<'_> {
    /// Lowers a call of a function that the engine calls otherwise; `None` if it is another one.
    pub(super) fn respelled(&mut self, function: &ast::Function) -> Result<Option<sql::Expr>> {
        let ([name], Arguments::List { items, is_distinct, order_by }) =
            (function.name.parts.as_slice(), &function.arguments)
        else {
            return Ok(None);
        };
        let name = name.normalized();
        if name == "any_value" && !order_by.is_empty() {
            let what = "any_value with ORDER BY, which first_value takes,";
            return Err(LowerError::unsupported(what, function.name.span));
        }
        let is_plain = !is_distinct
            && order_by.is_empty()
            && function.over.is_none()
            && function.filter.is_none()
            && function.within_group.is_empty()
            && items.iter().all(|item| item.name.is_none());
        if !is_plain {
            return Ok(None);
        }
        let values: Vec<&ast::Expr> = items.iter().map(|item| innermost(&item.value)).collect();
        Ok(match (name.as_str(), values.as_slice()) {
            ("mod", [left, right]) => Some(blank::nested(blank::binary(
                blank::nested(self.expr(left)?),
                sql::BinaryOperator::Modulo,
                blank::nested(self.expr(right)?),
            ))),
            // The engine's functions of these names change the first such item only.
            ("array_remove", [list, item]) => {
                if matches!(item.kind, ExprKind::Literal(Literal::Null)) {
                    return Err(LowerError::unsupported("array_remove of NULL", item.span));
                }
                Some(blank::call("array_remove_all", [self.expr(list)?, self.expr(item)?]))
            }
            ("array_replace", [list, from, to]) => {
                let arguments = [self.expr(list)?, self.expr(from)?, self.expr(to)?];
                Some(blank::call("array_replace_all", arguments))
            }
            ("date_trunc" | "datetrunc" | "date_part" | "datepart", [part, time]) => {
                match &part.kind {
                    ExprKind::Literal(Literal::Text(text)) => {
                        let field =
                            ast::Ident { value: text.clone(), is_quoted: false, span: part.span };
                        if name.ends_with("part") {
                            return self.extract(&field, time).map(Some);
                        }
                        let unit = parts::of_date_trunc(text, part.span)?;
                        Some(blank::call("date_trunc", [blank::text(unit), self.expr(time)?]))
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

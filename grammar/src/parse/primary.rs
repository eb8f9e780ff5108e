//! Operands: what stands between operators.

use super::{Builder, Pair, Result, Rule, required};
use crate::ast::{DataType, Expr, ExprKind, Literal, ParameterType, Query, Span, TypedParameter};
use crate::duration::parse_duration;
use crate::error::{ParseError, ParseErrorKind};
use crate::header::parameter_kind;

impl<'t> Builder<'t> {
    pub(super) fn primary(&self, pair: Pair<'t>) -> Result<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::paren => self.paren(pair)?,
            Rule::named => return self.named(pair),
            Rule::parameter => ExprKind::Parameter(self.ident(&pair)),
            Rule::typed_parameter => self.typed_parameter(pair)?,
            Rule::case => self.case(pair)?,
            Rule::cast => self.cast(pair)?,
            Rule::exists => self.exists(pair)?,
            Rule::quantified => self.quantified(pair)?,
            Rule::array => ExprKind::Array(self.exprs(pair)?),
            _ => ExprKind::Literal(self.literal(pair, span)?),
        };
        Ok(Expr { kind, span })
    }

    fn literal(&self, pair: Pair<'t>, span: Span) -> Result<Literal> {
        Ok(match pair.as_rule() {
            Rule::null => Literal::Null,
            Rule::true_ => Literal::Bool(true),
            Rule::false_ => Literal::Bool(false),
            Rule::number => Literal::Number(self.text(&pair).to_owned()),
            Rule::duration => Literal::Duration(
                parse_duration(self.text(&pair)).map_err(|kind| ParseError::new(kind, span))?,
            ),
            Rule::text => Literal::Text(self.text_value(&pair)?),
            Rule::typed_text => self.typed_text(pair)?,
            _ => return Err(ParseError::new(ParseErrorKind::Internal, span)),
        })
    }

    /// Builds what parentheses hold: a query, one expression or several.
    fn paren(&self, pair: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let first = required(pair.clone().into_inner().next(), span)?;
        if first.as_rule() == Rule::inner_query {
            return Ok(ExprKind::Subquery(Box::new(self.inner_query(first)?)));
        }
        let tail = pair.clone().into_inner().find(|child| child.as_rule() == Rule::set_tail);
        let mut items = self.exprs(pair)?;
        let single = if items.len() == 1 { items.pop() } else { None };
        let Some(tail) = tail else {
            return Ok(match single {
                Some(item) => ExprKind::Nested(Box::new(item)),
                None => ExprKind::Tuple(items),
            });
        };
        match single.and_then(bare_query) {
            Some(query) => Ok(ExprKind::Subquery(Box::new(self.query_with_tail(query, tail)?))),
            None => Err(self.not_a_query(&tail)),
        }
    }

    fn typed_parameter(&self, pair: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let name = self.ident(&required(children.next(), span)?);
        let written = self.data_type(required(children.next(), span)?)?;
        if !written.arguments.is_empty() || written.n_array_marks > 1 {
            let found = written.span.of(self.text).to_owned();
            let kind = ParseErrorKind::UnknownParameterType { found };
            return Err(ParseError::new(kind, written.span));
        }
        let kind = parameter_kind(&written.name, written.span)?;
        let data_type = ParameterType { kind, is_list: written.n_array_marks == 1 };
        let default = children
            .find(|child| child.as_rule() == Rule::range_expr)
            .map(|default| self.expr(default))
            .transpose()?;
        let parameter = TypedParameter { name, data_type, default, span };
        Ok(ExprKind::TypedParameter(Box::new(parameter)))
    }

    fn case(&self, pair: Pair<'t>) -> Result<ExprKind> {
        let (mut operand, mut branches, mut otherwise) = (None, Vec::new(), None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::case_operand => operand = Some(Box::new(self.last_expr(child)?)),
                Rule::case_when => branches.push(self.case_when(child)?),
                Rule::case_else => otherwise = Some(Box::new(self.last_expr(child)?)),
                _ => {}
            }
        }
        Ok(ExprKind::Case { operand, branches, otherwise })
    }

    fn case_when(&self, pair: Pair<'t>) -> Result<(Expr, Expr)> {
        let span = self.span(&pair);
        let mut exprs = pair.into_inner().filter(|child| child.as_rule() == Rule::expr);
        let condition = self.expr(required(exprs.next(), span)?)?;
        Ok((condition, self.expr(required(exprs.next(), span)?)?))
    }

    fn cast(&self, pair: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let (mut operand, mut data_type, mut is_try) = (None, None, false);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::k_try_cast => is_try = true,
                Rule::expr => operand = Some(Box::new(self.expr(child)?)),
                Rule::type_name => data_type = Some(self.data_type(child)?),
                _ => {}
            }
        }
        Ok(ExprKind::Cast {
            operand: required(operand, span)?,
            data_type: required(data_type, span)?,
            is_try,
        })
    }

    fn exists(&self, pair: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let query = self.inner_query(required(pair.into_inner().next_back(), span)?)?;
        Ok(ExprKind::Exists(Box::new(query)))
    }

    fn quantified(&self, pair: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let is_all = required(children.next(), span)?.as_rule() == Rule::k_all;
        let operand = Box::new(self.primary(required(children.next(), span)?)?);
        Ok(ExprKind::Quantified { is_all, operand })
    }

    /// Builds a column, or a call if arguments follow.
    fn named(&self, pair: Pair<'t>) -> Result<Expr> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        let name = self.path(required(children.next(), span)?);
        match children.next() {
            Some(call) => Ok(Expr { kind: self.call(name, call)?, span }),
            None => Ok(Expr { span: name.span, kind: ExprKind::Column(name) }),
        }
    }

    pub(super) fn data_type(&self, pair: Pair<'t>) -> Result<DataType> {
        let span = self.span(&pair);
        let mut data_type =
            DataType { name: String::new(), arguments: Vec::new(), n_array_marks: 0, span };
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::type_words => {
                    data_type.name = self.words(&child);
                }
                Rule::type_args => {
                    for number in child.into_inner() {
                        let (found, span) = (self.text(&number), self.span(&number));
                        let malformed =
                            |_| ParseErrorKind::MalformedNumber { found: found.to_owned() };
                        let number = found.parse().map_err(malformed);
                        data_type
                            .arguments
                            .push(number.map_err(|kind| ParseError::new(kind, span))?);
                    }
                }
                _ => data_type.n_array_marks += 1,
            }
        }
        Ok(data_type)
    }
}

/// Returns the query that an operand is, in however many parentheses.
fn bare_query(mut operand: Expr) -> Option<Query> {
    loop {
        operand = match operand.kind {
            ExprKind::Subquery(query) => return Some(*query),
            ExprKind::Nested(inner) => *inner,
            _ => return None,
        };
    }
}

//! Operators: the table of precedences and the nodes that it makes of a flat list.
//! Chains of AND and OR stay flat; other chains grow to the left and are limited in length.

use std::sync::LazyLock;

use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::{Builder, Pair, Result, Rule, required};
use crate::ast::{BinaryOp, Expr, ExprKind, IsTest, LikeKind, Subscript};
use crate::error::{ParseError, ParseErrorKind};
use crate::scan::MAX_LINKS;

/// The operators from the loosest to the tightest, in PostgreSQL's order.
static PRECEDENCES: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    PrattParser::new()
        .op(Op::infix(Rule::k_or, Assoc::Left))
        .op(Op::infix(Rule::k_and, Assoc::Left))
        .op(Op::prefix(Rule::k_not))
        .op(Op::postfix(Rule::is))
        .op(Op::infix(Rule::comparison, Assoc::Left)
            | Op::infix(Rule::k_overlaps, Assoc::Left)
            | Op::infix(Rule::k_contains, Assoc::Left))
        .op(Op::postfix(Rule::between) | Op::postfix(Rule::in_) | Op::postfix(Rule::like))
        .op(Op::infix(Rule::regex, Assoc::Left) | Op::infix(Rule::concat, Assoc::Left))
        .op(Op::infix(Rule::additive, Assoc::Left))
        .op(Op::infix(Rule::multiplicative, Assoc::Left))
        .op(Op::infix(Rule::power, Assoc::Left))
        .op(Op::infix(Rule::at_time_zone, Assoc::Left))
        .op(Op::prefix(Rule::sign))
        .op(Op::postfix(Rule::cast_to) | Op::postfix(Rule::subscript) | Op::postfix(Rule::field))
});

impl<'t> Builder<'t> {
    /// Builds an expression from a flat list of operands and operators.
    pub(super) fn expr(&self, pair: Pair<'t>) -> Result<Expr> {
        let span = self.span(&pair);
        let mut children = pair.into_inner();
        if children.len() == 1 {
            let primary = required(children.next(), span)?;
            return self.deeper(1, span, || self.primary(primary));
        }
        let n_links = self.count_links(children.clone())?;
        self.deeper(1 + n_links, span, || self.operators(children))
    }

    fn operators(&self, children: impl Iterator<Item = Pair<'t>>) -> Result<Expr> {
        PRECEDENCES
            .map_primary(|primary| self.primary(primary))
            .map_prefix(|op, operand: Result<Expr>| Ok(self.prefix(&op, operand?)))
            .map_postfix(|operand, op| self.postfix(operand?, op))
            .map_infix(|left, op, right| self.infix(left?, &op, right?))
            .parse(children)
    }

    /// Counts the operators of the longest run without AND and OR, and checks it.
    fn count_links(&self, children: impl Iterator<Item = Pair<'t>>) -> Result<usize> {
        let (mut longest, mut n_links, mut is_operand) = (0, 0, true);
        for child in children {
            match child.as_rule() {
                Rule::k_and | Rule::k_or => n_links = 0,
                _ if is_operand && !matches!(child.as_rule(), Rule::k_not | Rule::sign) => {}
                _ => n_links += 1,
            }
            // After an operand come tests and infix operators, after these the next operand.
            is_operand = matches!(
                child.as_rule(),
                Rule::k_and
                    | Rule::k_or
                    | Rule::k_not
                    | Rule::sign
                    | Rule::comparison
                    | Rule::regex
                    | Rule::concat
                    | Rule::additive
                    | Rule::multiplicative
                    | Rule::power
                    | Rule::at_time_zone
                    | Rule::k_overlaps
                    | Rule::k_contains
            );
            longest = longest.max(n_links);
            if longest > MAX_LINKS {
                let kind = ParseErrorKind::TooMuch { what: "operators in a row", limit: "500" };
                return Err(ParseError::new(kind, self.span(&child)));
            }
        }
        Ok(longest)
    }

    fn prefix(&self, op: &Pair<'t>, operand: Expr) -> Expr {
        let span = self.span(op).to(operand.span);
        let operand = Box::new(operand);
        let kind = match op.as_rule() {
            Rule::k_not => ExprKind::Not(operand),
            _ => ExprKind::Sign { is_minus: self.text(op) == "-", operand },
        };
        Expr { kind, span }
    }

    fn infix(&self, left: Expr, op: &Pair<'t>, right: Expr) -> Result<Expr> {
        let span = left.span.to(right.span);
        let kind = match op.as_rule() {
            Rule::k_and => match left.kind {
                ExprKind::And(items) => ExprKind::And(extended(items, right)),
                _ => ExprKind::And(vec![left, right]),
            },
            Rule::k_or => match left.kind {
                ExprKind::Or(items) => ExprKind::Or(extended(items, right)),
                _ => ExprKind::Or(vec![left, right]),
            },
            _ => self.binary(left, op, right)?,
        };
        Ok(Expr { kind, span })
    }

    fn binary(&self, left: Expr, pair: &Pair<'t>, right: Expr) -> Result<ExprKind> {
        let op_span = self.span(pair);
        let op = binary_op(pair.as_rule(), op_span.of(self.text));
        let is_test = |op: BinaryOp| {
            op.is_comparison() || matches!(op, BinaryOp::Overlaps | BinaryOp::Contains)
        };
        let chained = |side: &Expr| match &side.kind {
            ExprKind::Binary { op, left, right, .. } if is_test(*op) => {
                let joins = |side: &Expr| matches!(side.kind, ExprKind::Binary { op, .. } if op == BinaryOp::Concat);
                Some(joins(left) || joins(right))
            }
            _ => None,
        };
        if is_test(op)
            && let Some(joins_texts) = chained(&left).or_else(|| chained(&right))
        {
            let kind = ParseErrorKind::ChainedComparison { joins_texts };
            return Err(ParseError::new(kind, op_span));
        }
        Ok(ExprKind::Binary { op, op_span, left: Box::new(left), right: Box::new(right) })
    }

    fn postfix(&self, operand: Expr, op: Pair<'t>) -> Result<Expr> {
        let span = operand.span.to(self.span(&op));
        let kind = match op.as_rule() {
            Rule::is => self.is(operand, op)?,
            Rule::between => self.between(operand, op)?,
            Rule::in_ => self.in_(operand, op)?,
            Rule::like => self.like(operand, op)?,
            Rule::subscript => self.subscript(operand, op)?,
            Rule::cast_to => {
                let data_type = self.data_type(required(op.into_inner().next(), span)?)?;
                ExprKind::Cast { operand: Box::new(operand), data_type, is_try: false }
            }
            _ => {
                let name = self.ident(&required(op.into_inner().next(), span)?);
                ExprKind::Field { operand: Box::new(operand), name }
            }
        };
        Ok(Expr { kind, span })
    }

    fn is(&self, operand: Expr, op: Pair<'t>) -> Result<ExprKind> {
        let (mut test, mut is_negated) = (IsTest::Null, false);
        for child in op.into_inner() {
            match child.as_rule() {
                Rule::k_not => is_negated = true,
                Rule::k_true => test = IsTest::True,
                Rule::k_false => test = IsTest::False,
                Rule::k_unknown => test = IsTest::Unknown,
                Rule::range_expr => test = IsTest::DistinctFrom(Box::new(self.expr(child)?)),
                _ => {}
            }
        }
        Ok(ExprKind::Is { operand: Box::new(operand), test, is_negated })
    }

    fn between(&self, operand: Expr, op: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&op);
        let is_negated = has(&op, Rule::k_not);
        let is_symmetric = has(&op, Rule::k_symmetric);
        let mut bounds = op.into_inner().filter(|child| child.as_rule() == Rule::range_expr);
        let low = Box::new(self.expr(required(bounds.next(), span)?)?);
        let high = Box::new(self.expr(required(bounds.next(), span)?)?);
        Ok(ExprKind::Between { operand: Box::new(operand), low, high, is_negated, is_symmetric })
    }

    fn in_(&self, operand: Expr, op: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&op);
        let is_negated = has(&op, Rule::k_not);
        let operand = Box::new(operand);
        let items = self.primary(required(op.into_inner().next_back(), span)?)?;
        Ok(match items.kind {
            ExprKind::Subquery(query) => ExprKind::InQuery { operand, query, is_negated },
            ExprKind::Tuple(list) => ExprKind::InList { operand, list, is_negated },
            ExprKind::Nested(item) => ExprKind::InList { operand, list: vec![*item], is_negated },
            _ => ExprKind::InList { operand, list: vec![items], is_negated },
        })
    }

    fn like(&self, operand: Expr, op: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&op);
        let is_negated = has(&op, Rule::k_not);
        let (mut kind, mut pattern, mut escape) = (LikeKind::Like, None, None);
        for child in op.into_inner() {
            match child.as_rule() {
                Rule::k_ilike => kind = LikeKind::ILike,
                Rule::k_similar => kind = LikeKind::SimilarTo,
                Rule::range_expr => pattern = Some(Box::new(self.expr(child)?)),
                Rule::text => escape = Some(self.text_value(&child)?),
                _ => {}
            }
        }
        Ok(ExprKind::Like {
            kind,
            operand: Box::new(operand),
            pattern: required(pattern, span)?,
            escape,
            is_negated,
        })
    }

    fn subscript(&self, operand: Expr, op: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&op);
        let (mut from, mut slice) = (None, None);
        for child in op.into_inner() {
            match child.as_rule() {
                Rule::expr => from = Some(Box::new(self.expr(child)?)),
                _ => {
                    let to = child.into_inner().next();
                    slice = Some(to.map(|to| self.expr(to).map(Box::new)).transpose()?);
                }
            }
        }
        let index = match slice {
            Some(to) => Subscript::Slice(from, to),
            None => Subscript::Index(required(from, span)?),
        };
        Ok(ExprKind::Subscript { operand: Box::new(operand), index })
    }
}

fn has(pair: &Pair<'_>, rule: Rule) -> bool {
    pair.clone().into_inner().any(|child| child.as_rule() == rule)
}

fn extended(mut items: Vec<Expr>, item: Expr) -> Vec<Expr> {
    items.push(item);
    items
}

fn binary_op(rule: Rule, symbol: &str) -> BinaryOp {
    match (rule, symbol) {
        (Rule::k_overlaps, _) => BinaryOp::Overlaps,
        (Rule::k_contains, _) => BinaryOp::Contains,
        (Rule::at_time_zone, _) => BinaryOp::AtTimeZone,
        (_, "+") => BinaryOp::Add,
        (_, "-") => BinaryOp::Subtract,
        (_, "*") => BinaryOp::Multiply,
        (_, "/") => BinaryOp::Divide,
        (_, "%") => BinaryOp::Modulo,
        (_, "||") => BinaryOp::Concat,
        (_, "&") => BinaryOp::BitAnd,
        (_, "|") => BinaryOp::BitOr,
        (_, "#") => BinaryOp::BitXor,
        (_, "<<") => BinaryOp::ShiftLeft,
        (_, ">>") => BinaryOp::ShiftRight,
        (_, "^") => BinaryOp::Power,
        (_, "~") => BinaryOp::Regex,
        (_, "~*") => BinaryOp::RegexAnyCase,
        (_, "!~") => BinaryOp::NotRegex,
        (_, "!~*") => BinaryOp::NotRegexAnyCase,
        (_, "<") => BinaryOp::Lt,
        (_, "<=") => BinaryOp::LtEq,
        (_, ">") => BinaryOp::Gt,
        (_, ">=") => BinaryOp::GtEq,
        (_, "=") => BinaryOp::Eq,
        _ => BinaryOp::NotEq,
    }
}

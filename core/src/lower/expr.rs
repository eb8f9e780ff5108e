//! Expressions, one form at a time. What needs more than a change of notation has its own file.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, BinaryOp, ExprKind, IsTest, LikeKind};

use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank, parts, pattern};

impl Lowering<'_> {
    pub(super) fn exprs(&mut self, exprs: &[ast::Expr]) -> Result<Vec<sql::Expr>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn boxed(&mut self, expr: &ast::Expr) -> Result<Box<sql::Expr>> {
        Ok(Box::new(self.expr(expr)?))
    }

    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Result<sql::Expr> {
        let place = self.place;
        self.place = place.within(expr);
        let lowered = self.expr_kind(expr);
        self.place = place;
        lowered
    }

    fn expr_kind(&mut self, expr: &ast::Expr) -> Result<sql::Expr> {
        match &expr.kind {
            ExprKind::Column(name) => self.column(name),
            ExprKind::Literal(literal) => self.literal(literal, expr.span),
            // Constants have taken the place of parameters.
            ExprKind::Parameter(_) | ExprKind::TypedParameter(_) => {
                Err(LowerError::unsupported("a parameter here", expr.span))
            }
            ExprKind::Nested(inner) => Ok(blank::nested(self.expr(inner)?)),
            ExprKind::Tuple(items) => Ok(sql::Expr::Tuple(self.exprs(items)?)),
            ExprKind::Array(items) => {
                Ok(sql::Expr::Array(sql::Array { elem: self.exprs(items)?, named: true }))
            }
            ExprKind::And(items) => self.and(items, expr.span),
            ExprKind::Or(items) => self.or(items),
            ExprKind::Not(operand) => self.not(operand),
            ExprKind::Sign { is_minus, operand } => self.sign(*is_minus, operand),
            ExprKind::Binary { .. } => self.binary(expr),
            ExprKind::Is { operand, test, is_negated } => self.is(operand, test, *is_negated),
            ExprKind::Between { .. } => self.between(expr),
            ExprKind::InList { operand, list, is_negated } => {
                self.in_list(operand, list, *is_negated)
            }
            ExprKind::InQuery { operand, query, is_negated } => {
                self.in_query(operand, query, *is_negated, expr.span)
            }
            ExprKind::Like { .. } => self.like(expr),
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref())
            }
            ExprKind::Cast { operand, data_type, is_try } => self.cast(operand, data_type, *is_try),
            ExprKind::Extract { field, operand } => self.extract(field, operand),
            ExprKind::Trim { side, characters, operand } => {
                self.trim(*side, characters.as_deref(), operand)
            }
            ExprKind::Function(function) => self.function(function),
            ExprKind::Exists(query) => self.exists(query, expr.span),
            ExprKind::Subquery(query) => self.subquery(query),
            ExprKind::Quantified { .. } => {
                Err(LowerError::new(LowerErrorKind::MisplacedQuantifier, expr.span))
            }
            ExprKind::Subscript { operand, index } => self.subscript(operand, index),
            ExprKind::Field { operand, name } => self.field(operand, name),
        }
    }

    fn column(&mut self, name: &ast::ObjectName) -> Result<sql::Expr> {
        if let [word] = name.parts.as_slice()
            && !word.is_quoted
            && self.resolve(&name.parts).is_none()
            && let Some(constant) = self.clock(&word.normalized(), name.span)?
        {
            return Ok(constant);
        }
        self.note_outer(&name.parts);
        if let Some(last) = name.parts.last() {
            self.named.insert(last.normalized());
        }
        if let [word] = name.parts.as_slice()
            && let Some(merged) = self.merged(word, name.span)?
        {
            return Ok(merged);
        }
        let parts = self.unqualified(&name.parts);
        let mut parts: Vec<_> = parts.iter().map(|part| self.ident(part)).collect();
        Ok(match (parts.len(), parts.pop()) {
            (1, Some(name)) => sql::Expr::Identifier(name),
            (_, last) => {
                parts.extend(last);
                sql::Expr::CompoundIdentifier(parts)
            }
        })
    }

    /// Lowers a sign. Of a chain of signs only what they come to is left.
    fn sign(&mut self, is_minus: bool, mut operand: &ast::Expr) -> Result<sql::Expr> {
        let mut is_minus = is_minus;
        while let ExprKind::Sign { is_minus: is_another, operand: inner } = &operand.kind {
            is_minus ^= is_another;
            operand = inner;
        }
        if is_minus && let ExprKind::Literal(ast::Literal::Duration(micros)) = &operand.kind {
            return Ok(self.duration(-micros));
        }
        let op = if is_minus { sql::UnaryOperator::Minus } else { sql::UnaryOperator::Plus };
        Ok(sql::Expr::UnaryOp { op, expr: self.boxed(operand)? })
    }

    /// Lowers operators. A chain of them, which may be long, is followed down to its left end first.
    fn binary(&mut self, expr: &ast::Expr) -> Result<sql::Expr> {
        let mut links = Vec::new();
        let mut leftmost = expr;
        while let ExprKind::Binary { op, left, right, .. } = &leftmost.kind {
            if op.is_comparison() || is_lifetime_test(*op) {
                break;
            }
            links.push((*op, right.as_ref()));
            leftmost = left;
        }
        let mut lowered = match &leftmost.kind {
            ExprKind::Binary { op, left, right, .. } if is_lifetime_test(*op) => {
                self.lifetime_test(*op, left, right)?
            }
            ExprKind::Binary { op, left, right, .. } => self.comparison(*op, left, right)?,
            _ => self.expr(leftmost)?,
        };
        for (op, right) in links.into_iter().rev() {
            lowered = match op {
                BinaryOp::AtTimeZone => self.at_time_zone(lowered, right)?,
                BinaryOp::Power => {
                    let right = self.expr(right)?;
                    blank::call("power", [blank::float(lowered), blank::float(right)])
                }
                op => blank::binary(lowered, operator(op), self.expr(right)?),
            };
        }
        Ok(lowered)
    }

    fn comparison(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        right: &ast::Expr,
    ) -> Result<sql::Expr> {
        if let ExprKind::Quantified { is_all, operand } = &right.kind {
            return self.quantified(left, op, *is_all, operand);
        }
        self.check_comparison(op, left, right);
        let (left, right) = (self.compared(left, right)?, self.compared(right, left)?);
        Ok(blank::binary(left, operator(op), right))
    }

    fn at_time_zone(&mut self, timestamp: sql::Expr, zone: &ast::Expr) -> Result<sql::Expr> {
        let ExprKind::Literal(ast::Literal::Text(name)) = &zone.kind else {
            return Err(LowerError::unsupported(
                "AT TIME ZONE with anything but a zone in quotes",
                zone.span,
            ));
        };
        if name.parse::<arrow::array::timezone::Tz>().is_err() {
            let kind = LowerErrorKind::UnknownZone { name: name.clone() };
            return Err(LowerError::new(kind, zone.span));
        }
        // So that the instant is not taken for one of no zone of its own.
        let is_utc = name.eq_ignore_ascii_case("utc");
        let time_zone = if is_utc { Box::new(blank::text("+00:00")) } else { self.boxed(zone)? };
        Ok(sql::Expr::AtTimeZone { timestamp: Box::new(timestamp), time_zone })
    }

    fn is(&mut self, operand: &ast::Expr, test: &IsTest, is_negated: bool) -> Result<sql::Expr> {
        let left = self.boxed(operand)?;
        Ok(match (test, is_negated) {
            (IsTest::Null, false) => sql::Expr::IsNull(left),
            (IsTest::Null, true) => sql::Expr::IsNotNull(left),
            (IsTest::True, false) => sql::Expr::IsTrue(left),
            (IsTest::True, true) => sql::Expr::IsNotTrue(left),
            (IsTest::False, false) => sql::Expr::IsFalse(left),
            (IsTest::False, true) => sql::Expr::IsNotFalse(left),
            (IsTest::Unknown, false) => sql::Expr::IsUnknown(left),
            (IsTest::Unknown, true) => sql::Expr::IsNotUnknown(left),
            (IsTest::DistinctFrom(right), is_negated) => {
                self.check_known(operand, &[&**right], !is_negated);
                let right = Box::new(self.compared(right, operand)?);
                if is_negated {
                    sql::Expr::IsNotDistinctFrom(left, right)
                } else {
                    sql::Expr::IsDistinctFrom(left, right)
                }
            }
        })
    }

    fn between(&mut self, expr: &ast::Expr) -> Result<sql::Expr> {
        let ExprKind::Between { operand, low, high, is_negated, is_symmetric } = &expr.kind else {
            return self.expr(expr);
        };
        let (low, high) = (self.compared(low, operand)?, self.compared(high, operand)?);
        let operand = self.boxed(operand)?;
        let between = |low: sql::Expr, high: sql::Expr, negated| sql::Expr::Between {
            expr: operand.clone(),
            negated,
            low: Box::new(low),
            high: Box::new(high),
        };
        if !is_symmetric {
            return Ok(between(low, high, *is_negated));
        }
        let either = blank::binary(
            between(low.clone(), high.clone(), false),
            sql::BinaryOperator::Or,
            between(high, low, false),
        );
        let either = blank::nested(either);
        Ok(if *is_negated {
            sql::Expr::UnaryOp { op: sql::UnaryOperator::Not, expr: Box::new(either) }
        } else {
            either
        })
    }

    /// Lowers IN with a list. A NULL in it makes every other value unknown; it is taken out of the
    /// list, because the engine's simplifier forgets it where several lists meet.
    fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
    ) -> Result<sql::Expr> {
        let is_null = |item: &ast::Expr| matches!(item.kind, ExprKind::Literal(ast::Literal::Null));
        let known: Vec<&ast::Expr> = list.iter().filter(|item| !is_null(item)).collect();
        let has_null = known.len() < list.len();
        self.check_known(operand, &known, negated);
        if known.is_empty() {
            return Ok(blank::unknown());
        }
        let list =
            known.into_iter().map(|item| self.compared(item, operand)).collect::<Result<_>>()?;
        let in_list = sql::Expr::InList { expr: self.boxed(operand)?, list, negated };
        if !has_null {
            return Ok(in_list);
        }
        let op = if negated { sql::BinaryOperator::And } else { sql::BinaryOperator::Or };
        Ok(blank::nested(blank::binary(blank::nested(in_list), op, blank::unknown())))
    }

    fn like(&mut self, like: &ast::Expr) -> Result<sql::Expr> {
        let ExprKind::Like { kind, operand, pattern, escape, is_negated } = &like.kind else {
            return self.expr(like);
        };
        if *kind == LikeKind::SimilarTo {
            return self.similar_to(operand, pattern, escape.as_deref(), *is_negated);
        }
        let pattern = match escape.as_deref() {
            None | Some("\\") => self.boxed(pattern)?,
            Some(escape) => {
                Box::new(blank::text(pattern::like(text_of(pattern)?, escape, pattern.span)?))
            }
        };
        let (expr, negated, escape_char) = (self.boxed(operand)?, *is_negated, None);
        Ok(match kind {
            LikeKind::ILike => sql::Expr::ILike { negated, any: false, expr, pattern, escape_char },
            _ => sql::Expr::Like { negated, any: false, expr, pattern, escape_char },
        })
    }

    /// Lowers SIMILAR TO to a regular expression, which is what the engine takes it for, unread.
    fn similar_to(
        &mut self,
        operand: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&str>,
        is_negated: bool,
    ) -> Result<sql::Expr> {
        let regex = pattern::similar_to(text_of(pattern)?, escape.unwrap_or("\\"), pattern.span)?;
        let op = if is_negated {
            sql::BinaryOperator::PGRegexNotMatch
        } else {
            sql::BinaryOperator::PGRegexMatch
        };
        Ok(blank::binary(self.expr(operand)?, op, blank::text(regex)))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
    ) -> Result<sql::Expr> {
        let mut conditions = Vec::with_capacity(branches.len());
        for (condition, result) in branches {
            let condition = match operand {
                Some(operand) => {
                    self.check_known(operand, &[condition], false);
                    self.compared(condition, operand)?
                }
                None => self.expr(condition)?,
            };
            conditions.push(sql::CaseWhen { condition, result: self.expr(result)? });
        }
        Ok(sql::Expr::Case {
            case_token: sql::helpers::attached_token::AttachedToken::empty(),
            end_token: sql::helpers::attached_token::AttachedToken::empty(),
            operand: operand.map(|operand| self.boxed(operand)).transpose()?,
            conditions,
            else_result: otherwise.map(|otherwise| self.boxed(otherwise)).transpose()?,
        })
    }

    pub(super) fn extract(&mut self, field: &ast::Ident, operand: &ast::Expr) -> Result<sql::Expr> {
        // The years of our calendar are above 0, and so the quotients are not cut but rounded up.
        let of_years = |years: sql::Expr, last: &str, length: &str| {
            let above = blank::binary(years, sql::BinaryOperator::Plus, blank::number(last));
            let whole = blank::nested(above);
            blank::nested(blank::binary(whole, sql::BinaryOperator::Divide, blank::number(length)))
        };
        let name = field.value.to_lowercase();
        let (last, length) = match name.trim_end_matches('s') {
            "decade" => ("0", "10"),
            "century" | "centurie" => ("99", "100"),
            "millennium" | "millennia" => ("999", "1000"),
            _ => {
                let name = parts::of_extract(&name, field.span)?;
                let expr = self.boxed(operand)?;
                return Ok(extracted(name, expr));
            }
        };
        let expr = self.boxed(operand)?;
        Ok(of_years(extracted("year".to_owned(), expr), last, length))
    }

    fn trim(
        &mut self,
        side: ast::TrimSide,
        characters: Option<&ast::Expr>,
        operand: &ast::Expr,
    ) -> Result<sql::Expr> {
        let side = match side {
            ast::TrimSide::Both => sql::TrimWhereField::Both,
            ast::TrimSide::Leading => sql::TrimWhereField::Leading,
            ast::TrimSide::Trailing => sql::TrimWhereField::Trailing,
        };
        let trim_what = characters.map(|characters| self.boxed(characters)).transpose()?;
        let expr = self.boxed(operand)?;
        Ok(sql::Expr::Trim { trim_where: Some(side), trim_what, expr, trim_characters: None })
    }

    fn subscript(&mut self, operand: &ast::Expr, index: &ast::Subscript) -> Result<sql::Expr> {
        let root = self.boxed(operand)?;
        let subscript = match index {
            ast::Subscript::Index(index) => sql::Subscript::Index { index: self.expr(index)? },
            ast::Subscript::Slice(from, to) => {
                let mut bound = |bound: &Option<Box<ast::Expr>>| {
                    bound.as_ref().map(|bound| self.expr(bound)).transpose()
                };
                sql::Subscript::Slice {
                    lower_bound: bound(from)?,
                    upper_bound: bound(to)?,
                    stride: None,
                }
            }
        };
        Ok(sql::Expr::CompoundFieldAccess {
            root,
            access_chain: vec![sql::AccessExpr::Subscript(subscript)],
        })
    }

    fn field(&mut self, operand: &ast::Expr, name: &ast::Ident) -> Result<sql::Expr> {
        let root = self.boxed(operand)?;
        let access = sql::AccessExpr::Dot(blank::text(name.normalized()));
        Ok(sql::Expr::CompoundFieldAccess { root, access_chain: vec![access] })
    }
}

fn extracted(name: String, expr: Box<sql::Expr>) -> sql::Expr {
    sql::Expr::Extract {
        field: sql::DateTimeField::Custom(sql::Ident::new(name)),
        syntax: sql::ExtractSyntax::From,
        expr,
    }
}

fn is_lifetime_test(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::Overlaps | BinaryOp::Contains)
}

/// Returns the engine's operator. Those that it does not have are lowered before.
pub(super) fn operator(op: BinaryOp) -> sql::BinaryOperator {
    use sql::BinaryOperator as Op;
    match op {
        BinaryOp::Add => Op::Plus,
        BinaryOp::Subtract => Op::Minus,
        BinaryOp::Multiply => Op::Multiply,
        BinaryOp::Divide => Op::Divide,
        BinaryOp::Modulo => Op::Modulo,
        BinaryOp::Concat => Op::StringConcat,
        BinaryOp::BitAnd => Op::BitwiseAnd,
        BinaryOp::BitOr => Op::BitwiseOr,
        BinaryOp::BitXor => Op::BitwiseXor,
        BinaryOp::ShiftLeft => Op::PGBitwiseShiftLeft,
        BinaryOp::ShiftRight => Op::PGBitwiseShiftRight,
        BinaryOp::NotEq => Op::NotEq,
        BinaryOp::Lt => Op::Lt,
        BinaryOp::LtEq => Op::LtEq,
        BinaryOp::Gt => Op::Gt,
        BinaryOp::GtEq => Op::GtEq,
        BinaryOp::Regex => Op::PGRegexMatch,
        BinaryOp::RegexAnyCase => Op::PGRegexIMatch,
        BinaryOp::NotRegex => Op::PGRegexNotMatch,
        BinaryOp::NotRegexAnyCase => Op::PGRegexNotIMatch,
        BinaryOp::Eq
        | BinaryOp::Overlaps
        | BinaryOp::Contains
        | BinaryOp::AtTimeZone
        | BinaryOp::Power => Op::Eq,
    }
}

/// Returns a pattern that has to be known beforehand.
fn text_of(pattern: &ast::Expr) -> Result<&str> {
    match &innermost(pattern).kind {
        ExprKind::Literal(ast::Literal::Text(text)) => Ok(text),
        _ => Err(LowerError::unsupported(
            "SIMILAR TO or ESCAPE with a pattern that is no text",
            pattern.span,
        )),
    }
}

//! Expressions: operators begin the lines of what is too long.

use super::Printer;
use super::layout::Op;
use crate::ast::{
    BinaryOp, DataType, Expr, ExprKind, IsTest, LikeKind, Literal, Span, Subscript, TypedParameter,
};

/// The units of durations, in microseconds.
const UNITS: [(i64, &str); 6] = [
    (604_800_000_000, "w"),
    (86_400_000_000, "d"),
    (3_600_000_000, "h"),
    (60_000_000, "m"),
    (1_000_000, "s"),
    (1_000, "ms"),
];

impl Printer<'_, '_> {
    /// Prints an expression; the lines that its operators begin are indented.
    pub(super) fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Binary { .. } => {
                self.indent();
                self.operators(expr);
                self.dedent();
            }
            ExprKind::Not(operand) => {
                self.words("NOT");
                self.space();
                self.expr(operand);
            }
            ExprKind::Sign { is_minus, operand } => {
                self.token(if *is_minus { "-" } else { "+" }.to_owned(), Some(expr.span.start));
                // Two minus signs would begin a comment.
                if matches!(operand.kind, ExprKind::Sign { .. }) {
                    self.space();
                }
                self.expr(operand);
            }
            _ => self.test(expr),
        }
    }

    /// Prints an expression; the lines that its operators begin are as deep as the expression.
    fn operators(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::And(items) => self.chain("AND", items),
            ExprKind::Or(items) => self.chain("OR", items),
            ExprKind::Binary { .. } => self.binary(expr),
            _ => self.expr(expr),
        }
    }

    fn chain(&mut self, word: &str, items: &[Expr]) {
        self.open();
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                self.line();
                self.words(word);
                self.space();
            }
            self.expr(item);
        }
        self.close();
    }

    /// Prints operands of one precedence and what is between them.
    fn binary(&mut self, expr: &Expr) {
        let mut operations = Vec::new();
        let mut first = expr;
        while let ExprKind::Binary { op, op_span, left, right } = &first.kind {
            if operations.last().is_some_and(|(before, _, _)| level(*before) != level(*op)) {
                break;
            }
            operations.push((*op, *op_span, right));
            first = left;
        }
        self.open();
        self.expr(first);
        for (op, op_span, right) in operations.into_iter().rev() {
            self.line();
            self.operator(op, op_span);
            self.space();
            self.expr(right);
        }
        self.close();
    }

    fn operator(&mut self, op: BinaryOp, span: Span) {
        let sign = match op {
            BinaryOp::Overlaps => return self.words("OVERLAPS"),
            BinaryOp::Contains => return self.words("CONTAINS"),
            BinaryOp::AtTimeZone => return self.words("AT TIME ZONE"),
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Modulo => "%",
            BinaryOp::Power => "^",
            BinaryOp::Concat => "||",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "#",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::Eq => "=",
            BinaryOp::NotEq => "<>",
            BinaryOp::Lt => "<",
            BinaryOp::LtEq => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::GtEq => ">=",
            BinaryOp::Regex => "~",
            BinaryOp::RegexAnyCase => "~*",
            BinaryOp::NotRegex => "!~",
            BinaryOp::NotRegexAnyCase => "!~*",
        };
        self.token(sign.to_owned(), Some(span.start));
    }

    fn test(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Is { operand, test, is_negated } => {
                self.expr(operand);
                self.space();
                self.words(if *is_negated { "IS NOT" } else { "IS" });
                self.space();
                match test {
                    IsTest::Null => self.words("NULL"),
                    IsTest::True => self.words("TRUE"),
                    IsTest::False => self.words("FALSE"),
                    IsTest::Unknown => self.words("UNKNOWN"),
                    IsTest::DistinctFrom(other) => {
                        self.words("DISTINCT FROM");
                        self.space();
                        self.expr(other);
                    }
                }
            }
            ExprKind::Between { operand, low, high, is_negated, is_symmetric } => {
                self.open();
                self.indent();
                self.expr(operand);
                self.line();
                self.not(*is_negated);
                self.words(if *is_symmetric { "BETWEEN SYMMETRIC" } else { "BETWEEN" });
                self.space();
                self.expr(low);
                self.line();
                self.words("AND");
                self.space();
                self.expr(high);
                self.dedent();
                self.close();
            }
            ExprKind::InList { operand, list, is_negated } => {
                self.expr(operand);
                self.space();
                self.not(*is_negated);
                self.words("IN");
                self.space();
                self.in_list(list);
            }
            ExprKind::InQuery { operand, query, is_negated } => {
                self.expr(operand);
                self.space();
                self.not(*is_negated);
                self.words("IN");
                self.space();
                self.paren_query(query);
            }
            ExprKind::Like { kind, operand, pattern, escape, is_negated } => {
                self.open();
                self.indent();
                self.expr(operand);
                self.line();
                self.not(*is_negated);
                self.words(match kind {
                    LikeKind::Like => "LIKE",
                    LikeKind::ILike => "ILIKE",
                    LikeKind::SimilarTo => "SIMILAR TO",
                });
                self.space();
                self.expr(pattern);
                if let Some(escape) = escape {
                    self.spaced("ESCAPE");
                    self.token(quoted(escape), None);
                }
                self.dedent();
                self.close();
            }
            _ => self.primary(expr),
        }
    }

    fn not(&mut self, is_negated: bool) {
        if is_negated {
            self.words("NOT");
            self.space();
        }
    }

    /// Prints a list of values, many on a line.
    fn in_list(&mut self, list: &[Expr]) {
        self.bracketed("(", ")", |printer| {
            for (n, item) in list.iter().enumerate() {
                if n > 0 {
                    printer.sign(",");
                    printer.ops.push(Op::FillLine);
                }
                printer.expr(item);
            }
        });
    }

    fn typed_parameter(&mut self, parameter: &TypedParameter) {
        self.sign("{");
        self.name(&parameter.name);
        self.sign(":");
        self.words(parameter.data_type.kind.word());
        if parameter.data_type.is_list {
            self.sign("[");
            self.sign("]");
        }
        if let Some(default) = &parameter.default {
            self.spaced("=");
            self.expr(default);
        }
        self.sign("}");
    }

    fn primary(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Column(name) => self.path(name),
            ExprKind::Literal(literal) => self.literal(literal, expr.span),
            ExprKind::Parameter(name) => {
                self.token(format!("${}", name.value), Some(name.span.start));
            }
            ExprKind::TypedParameter(parameter) => self.typed_parameter(parameter),
            ExprKind::Nested(inner) => {
                self.bracketed("(", ")", |printer| printer.operators(inner));
            }
            ExprKind::Tuple(items) => {
                self.bracketed("(", ")", |printer| printer.list(items, Self::expr));
            }
            ExprKind::Array(items) if items.is_empty() => {
                self.sign("[");
                self.sign("]");
            }
            ExprKind::Array(items) => {
                self.bracketed("[", "]", |printer| printer.list(items, Self::expr));
            }
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref());
            }
            ExprKind::Cast { operand, data_type, is_try } => {
                self.cast(expr, operand, data_type, *is_try);
            }
            ExprKind::Extract { field, operand } => self.extract(field, operand),
            ExprKind::Trim { side, characters, operand } => {
                self.trim(*side, characters.as_deref(), operand);
            }
            ExprKind::Function(function) => self.function(function),
            ExprKind::Exists(query) => {
                self.words("EXISTS");
                self.space();
                self.paren_query(query);
            }
            ExprKind::Subquery(query) => self.paren_query(query),
            ExprKind::Quantified { is_all, operand } => {
                self.words(if *is_all { "ALL" } else { "ANY" });
                self.space();
                self.expr(operand);
            }
            ExprKind::Subscript { operand, index } => self.subscript(operand, index),
            ExprKind::Field { operand, name } => {
                self.expr(operand);
                // A dot right behind digits would be theirs.
                if ends_with_number(operand) {
                    self.space();
                }
                self.sign(".");
                self.name(name);
            }
            // Operators are printed above.
            _ => self.expr(expr),
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) {
        self.open();
        self.words("CASE");
        if let Some(operand) = operand {
            self.space();
            self.expr(operand);
        }
        self.indent();
        for (condition, result) in branches {
            self.line();
            self.words("WHEN");
            self.space();
            self.expr(condition);
            self.spaced("THEN");
            self.expr(result);
        }
        if let Some(otherwise) = otherwise {
            self.line();
            self.words("ELSE");
            self.space();
            self.expr(otherwise);
        }
        self.dedent();
        self.line();
        self.words("END");
        self.close();
    }

    fn cast(&mut self, cast: &Expr, operand: &Expr, data_type: &DataType, is_try: bool) {
        if !is_try && cast.span.start == operand.span.start && is_tight(operand) {
            self.expr(operand);
            self.sign("::");
            return self.data_type(data_type);
        }
        self.words(if is_try { "TRY_CAST" } else { "CAST" });
        self.bracketed("(", ")", |printer| {
            printer.expr(operand);
            printer.spaced("AS");
            printer.data_type(data_type);
        });
    }

    fn data_type(&mut self, data_type: &DataType) {
        let mut offset = Some(data_type.span.start);
        for (n, word) in data_type.name.split(' ').enumerate() {
            if n > 0 {
                self.space();
            }
            self.token(word.to_owned(), offset.take());
        }
        if !data_type.arguments.is_empty() {
            self.sign("(");
            for (n, argument) in data_type.arguments.iter().enumerate() {
                if n > 0 {
                    self.sign(",");
                    self.space();
                }
                self.sign(&argument.to_string());
            }
            self.sign(")");
        }
        for _ in 0..data_type.n_array_marks {
            self.sign("[");
            self.sign("]");
        }
    }

    fn subscript(&mut self, operand: &Expr, index: &Subscript) {
        self.expr(operand);
        self.bracketed("[", "]", |printer| match index {
            Subscript::Index(index) => printer.expr(index),
            Subscript::Slice(from, to) => {
                if let Some(from) = from {
                    printer.expr(from);
                }
                printer.sign(":");
                if let Some(to) = to {
                    printer.expr(to);
                }
            }
        });
    }

    fn literal(&mut self, literal: &Literal, span: Span) {
        let (word, text) = match literal {
            Literal::Null => return self.token("NULL".to_owned(), Some(span.start)),
            Literal::Bool(true) => return self.token("TRUE".to_owned(), Some(span.start)),
            Literal::Bool(false) => return self.token("FALSE".to_owned(), Some(span.start)),
            Literal::Number(digits) => return self.token(digits.clone(), Some(span.start)),
            Literal::Text(text) => return self.text(text, span),
            Literal::Duration(micros) => {
                let written = self.source.and_then(|source| source.tokens_in(span).next());
                let is_it = |text: &&str| crate::duration::parse_duration(text) == Ok(*micros);
                let text = written.map(|(_, text)| text).filter(is_it);
                let text = text.map_or_else(|| duration_text(*micros), str::to_owned);
                return self.token(text, Some(span.start));
            }
            Literal::Date(text) => ("DATE", text),
            Literal::Timestamp(text) => ("TIMESTAMP", text),
            Literal::Time(text) => ("TIME", text),
            Literal::Interval(text) => ("INTERVAL", text),
        };
        let written: Vec<_> =
            self.source.into_iter().flat_map(|source| source.tokens_in(span)).collect();
        if written.is_empty() {
            self.words(word);
            self.space();
            return self.token(quoted(text), None);
        }
        // `timestamptz`, escapes and a unit behind the text stay as they are written.
        for (n, (offset, text)) in written.into_iter().enumerate() {
            if n > 0 {
                self.space();
            }
            self.token(if n == 1 { text.to_owned() } else { text.to_uppercase() }, Some(offset));
        }
    }

    /// Prints a text, as it is written if it is.
    pub(super) fn text(&mut self, text: &str, span: Span) {
        let written = self.source.and_then(|source| source.tokens_in(span).next());
        let written = written.map(|(_, text)| text).filter(|text| text.ends_with(['\'', '$']));
        let text = written.map_or_else(|| quoted(text), str::to_owned);
        self.token(text, Some(span.start));
    }
}

/// Returns a number that is the same for operators of one precedence.
fn level(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Overlaps | BinaryOp::Contains => 0,
        op if op.is_comparison() => 0,
        BinaryOp::Add | BinaryOp::Subtract => 2,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => 3,
        BinaryOp::Power => 4,
        BinaryOp::AtTimeZone => 5,
        _ => 1,
    }
}

/// Returns whether `::` takes all of an expression that stands before it.
fn is_tight(expr: &Expr) -> bool {
    !matches!(
        expr.kind,
        ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Not(_)
            | ExprKind::Sign { .. }
            | ExprKind::Binary { .. }
            | ExprKind::Is { .. }
            | ExprKind::Between { .. }
            | ExprKind::InList { .. }
            | ExprKind::InQuery { .. }
            | ExprKind::Like { .. }
    )
}

fn ends_with_number(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Literal(Literal::Number(_) | Literal::Duration(_)))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns a duration with as few units as there can be.
fn duration_text(micros: i64) -> String {
    let mut rest = micros;
    let mut text = String::new();
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

//! Calls, and the windows they run over.

use super::Printer;
use super::query::begins_with_quantifier;
use crate::ast::{
    Argument, Arguments, Expr, Frame, FrameBound, FrameUnits, Function, Ident, Over, TrimSide,
    WindowSpec,
};

/// Words that mean something else at the beginning of a call.
const NO_FIELDS: [&str; 21] = [
    "select", "from", "where", "case", "when", "then", "else", "and", "or", "not", "in", "is",
    "null", "true", "false", "distinct", "all", "both", "leading", "trailing", "array",
];

impl Printer<'_, '_> {
    pub(super) fn function(&mut self, function: &Function) {
        self.open();
        self.path(&function.name);
        self.sign("(");
        self.indent();
        match &function.arguments {
            Arguments::Star => self.sign("*"),
            Arguments::List { is_distinct, items, order_by } => {
                if !items.is_empty() || !order_by.is_empty() {
                    self.soft_line();
                }
                let first = items.first().filter(|item| item.name.is_none());
                if *is_distinct || begins_with_quantifier(first.map(|item| &item.value)) {
                    self.words(if *is_distinct { "DISTINCT" } else { "ALL" });
                    self.space();
                }
                self.list(items, Self::argument);
                if !order_by.is_empty() {
                    self.line();
                    self.order_by(order_by);
                }
            }
        }
        self.dedent();
        if !matches!(&function.arguments, Arguments::List { items, order_by, .. } if items.is_empty() && order_by.is_empty())
            && function.arguments != Arguments::Star
        {
            self.soft_line();
        }
        self.sign(")");
        self.close();
        self.after_call(function);
    }

    fn after_call(&mut self, function: &Function) {
        if !function.within_group.is_empty() {
            self.spaced("WITHIN GROUP");
            self.bracketed("(", ")", |printer| printer.order_by(&function.within_group));
        }
        if let Some(filter) = &function.filter {
            self.spaced("FILTER");
            self.bracketed("(", ")", |printer| {
                printer.words("WHERE");
                printer.space();
                printer.expr(filter);
            });
        }
        if let Some(ignores_nulls) = function.ignores_nulls {
            self.space();
            self.words(if ignores_nulls { "IGNORE NULLS" } else { "RESPECT NULLS" });
        }
        match &function.over {
            Some(Over::Named(name)) => {
                self.spaced("OVER");
                self.name(name);
            }
            Some(Over::Window(window)) => {
                self.spaced("OVER");
                self.window_spec(window);
            }
            None => {}
        }
    }

    pub(super) fn argument(&mut self, argument: &Argument) {
        if let Some(name) = &argument.name {
            self.name(name);
            self.spaced("=>");
        }
        self.expr(&argument.value);
    }

    pub(super) fn extract(&mut self, field: &Ident, operand: &Expr) {
        self.sign("extract");
        self.bracketed("(", ")", |printer| {
            if field.is_quoted || is_field(&field.value) {
                printer.name(field);
            } else {
                printer.text(&field.value, field.span);
            }
            printer.spaced("FROM");
            printer.expr(operand);
        });
    }

    pub(super) fn trim(&mut self, side: TrimSide, characters: Option<&Expr>, operand: &Expr) {
        self.sign("trim");
        self.bracketed("(", ")", |printer| {
            let side = match (side, characters) {
                (TrimSide::Leading, _) => Some("LEADING"),
                (TrimSide::Trailing, _) => Some("TRAILING"),
                (TrimSide::Both, None) => Some("BOTH"),
                (TrimSide::Both, Some(_)) => None,
            };
            if let Some(side) = side {
                printer.words(side);
                printer.space();
            }
            if let Some(characters) = characters {
                printer.expr(characters);
                printer.space();
            }
            printer.words("FROM");
            printer.space();
            printer.expr(operand);
        });
    }

    pub(super) fn window_spec(&mut self, window: &WindowSpec) {
        let mut is_first = true;
        let mut next_line = |printer: &mut Self| {
            if !std::mem::take(&mut is_first) {
                printer.line();
            }
        };
        if window.base.is_none()
            && window.partition_by.is_empty()
            && window.order_by.is_empty()
            && window.frame.is_none()
        {
            self.sign("(");
            return self.sign(")");
        }
        self.bracketed("(", ")", |printer| {
            if let Some(base) = &window.base {
                next_line(printer);
                printer.name(base);
            }
            if !window.partition_by.is_empty() {
                next_line(printer);
                printer.list_clause("PARTITION BY", &window.partition_by, Self::expr);
            }
            if !window.order_by.is_empty() {
                next_line(printer);
                printer.order_by(&window.order_by);
            }
            if let Some(frame) = &window.frame {
                next_line(printer);
                printer.frame(frame);
            }
        });
    }

    fn frame(&mut self, frame: &Frame) {
        self.words(match frame.units {
            FrameUnits::Rows => "ROWS",
            FrameUnits::Range => "RANGE",
            FrameUnits::Groups => "GROUPS",
        });
        self.space();
        match &frame.end {
            Some(end) => {
                self.words("BETWEEN");
                self.space();
                self.bound(&frame.start);
                self.spaced("AND");
                self.bound(end);
            }
            None => self.bound(&frame.start),
        }
    }

    fn bound(&mut self, bound: &FrameBound) {
        let (value, word) = match bound {
            FrameBound::CurrentRow => return self.words("CURRENT ROW"),
            FrameBound::Preceding(value) => (value, "PRECEDING"),
            FrameBound::Following(value) => (value, "FOLLOWING"),
        };
        match value {
            Some(value) => self.expr(value),
            None => self.words("UNBOUNDED"),
        }
        self.space();
        self.words(word);
    }
}

/// Returns whether a field can be written as a word.
fn is_field(name: &str) -> bool {
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_word && !NO_FIELDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

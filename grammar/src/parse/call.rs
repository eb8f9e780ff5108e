//! Calls, with the forms that only extract, substring and trim have.

use super::{Builder, Pair, Result, Rule, only_child, required};
use crate::ast::{
    Argument, Arguments, Expr, ExprKind, Function, Ident, Literal, ObjectName, Over, Span, TrimSide,
};
use crate::error::{ParseError, ParseErrorKind};

/// What follows FROM, and what follows FOR.
type FromFor = (Option<Expr>, Option<Expr>);

/// What stands between the parentheses of a call and after them.
struct Parts<'t> {
    side: Option<TrimSide>,
    /// `a FROM b FOR c`: the last two.
    from_for: Option<FromFor>,
    /// `a IN b` or `a PLACING b`: the last.
    other: Option<Expr>,
    /// Whatever a call has beyond these.
    function: Function,
    span: Span,
    text: &'t str,
}

impl<'t> Builder<'t> {
    pub(super) fn call(&self, name: ObjectName, pair: Pair<'t>) -> Result<ExprKind> {
        let span = self.span(&pair);
        let mut function = Function {
            name,
            arguments: Arguments::List {
                is_distinct: false,
                items: Vec::new(),
                order_by: Vec::new(),
            },
            within_group: Vec::new(),
            filter: None,
            ignores_nulls: None,
            over: None,
        };
        let items = self.arguments(pair.clone().into_inner())?;
        let (mut is_distinct, mut ordered, mut is_star) = (false, Vec::new(), false);
        let (mut side, mut from_for, mut other) = (None, None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::star => is_star = true,
                Rule::trim_side => side = Some(trim_side(child)?),
                Rule::call_quantifier => {
                    is_distinct = only_child(child)?.as_rule() == Rule::k_distinct;
                }
                Rule::from_for => {
                    let has_both =
                        child.clone().into_inner().any(|word| word.as_rule() == Rule::k_from);
                    let (parts, between) = self.start_and_length(child)?;
                    other = between;
                    from_for = (other.is_none() || has_both).then_some(parts);
                }
                Rule::order_by => ordered = self.order_by(child)?,
                _ => self.after_call(&mut function, child)?,
            }
        }
        if !is_star {
            function.arguments = Arguments::List { is_distinct, items, order_by: ordered };
        } else {
            function.arguments = Arguments::Star;
        }
        Parts { side, from_for, other, function, span, text: self.text }.into_kind()
    }

    /// Adds FILTER, WITHIN GROUP, the treatment of NULL or OVER.
    fn after_call(&self, function: &mut Function, pair: Pair<'t>) -> Result<()> {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::within_group => {
                let order_by = pair.into_inner().next_back();
                function.within_group = self.order_by(required(order_by, span)?)?;
            }
            Rule::filter => function.filter = Some(self.last_expr(pair)?),
            Rule::null_treatment => {
                function.ignores_nulls = Some(only_child(pair)?.as_rule() == Rule::k_ignore);
            }
            Rule::over => {
                let window = required(pair.into_inner().next_back(), span)?;
                function.over = Some(match window.as_rule() {
                    Rule::window_spec => Over::Window(Box::new(self.window_spec(window)?)),
                    _ => Over::Named(self.ident(&window)),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Builds what follows FROM, FOR, and IN or PLACING.
    fn start_and_length(&self, pair: Pair<'t>) -> Result<(FromFor, Option<Expr>)> {
        let (mut from, mut length, mut other) = (None, None, None);
        let mut word = Rule::k_from;
        for child in pair.into_inner() {
            match (child.as_rule(), word) {
                (Rule::expr, Rule::k_for) => length = Some(self.expr(child)?),
                (Rule::expr, Rule::k_from) => from = Some(self.expr(child)?),
                (Rule::expr, _) => other = Some(self.expr(child)?),
                (next, _) => word = next,
            }
        }
        Ok(((from, length), other))
    }
}

impl Parts<'_> {
    /// Returns the node for a call, which for `extract` and `trim` is one of their own.
    fn into_kind(mut self) -> Result<ExprKind> {
        let name = match self.function.name.parts.as_slice() {
            [name] if !name.is_quoted => name.value.to_lowercase(),
            _ => String::new(),
        };
        let side = self.side.take();
        if let Some(other) = self.other.take() {
            return self.with_other(&name, other);
        }
        if name == "position"
            && let Some(kind) = self.position_in_list()
        {
            return Ok(kind);
        }
        let (from, length) = match (self.from_for.take(), side) {
            (None, None) if name == "extract" => {
                return Err(self.refuse("is written extract(field FROM value)"));
            }
            (None, None) => return Ok(ExprKind::Function(Box::new(self.function))),
            (None, Some(_)) => {
                return Err(self.refuse("is written trim(BOTH characters FROM value)"));
            }
            (Some(parts), _) => parts,
        };
        let Some((first, second)) = self.plain_arguments() else {
            return Err(self.refuse("takes no FROM or FOR here"));
        };
        match (name.as_str(), first, second, from, length, side) {
            ("extract", Some(field), None, Some(operand), None, None) => {
                let Some(field) = field_name(&field) else {
                    return Err(self.refuse("takes a field such as epoch, day or hour before FROM"));
                };
                Ok(ExprKind::Extract { field, operand: Box::new(operand) })
            }
            ("trim", characters, None, Some(operand), None, side) => Ok(ExprKind::Trim {
                side: side.unwrap_or(TrimSide::Both),
                characters: characters.map(Box::new),
                operand: Box::new(operand),
            }),
            ("substring" | "substr", Some(operand), None, from, length, None) => {
                let one = Expr {
                    kind: ExprKind::Literal(Literal::Number("1".to_owned())),
                    span: operand.span,
                };
                let items =
                    [Some(operand), Some(from.unwrap_or(one)), length].into_iter().flatten();
                let items = items.map(|value| Argument { name: None, value }).collect();
                self.function.arguments =
                    Arguments::List { is_distinct: false, items, order_by: Vec::new() };
                Ok(ExprKind::Function(Box::new(self.function)))
            }
            _ => Err(self.refuse("takes no FROM or FOR here")),
        }
    }

    /// Returns the call for `position(a IN b)` and `overlay(a PLACING b FROM n FOR m)`.
    fn with_other(mut self, name: &str, other: Expr) -> Result<ExprKind> {
        let (from, length) = self.from_for.take().unwrap_or_default();
        let Some((Some(first), None)) = self.plain_arguments() else {
            return Err(self.refuse("takes no IN or PLACING here"));
        };
        match (name, from) {
            ("position", None) => Ok(self.into_call(Some("strpos"), vec![other, first])),
            ("overlay", Some(from)) => {
                let items = [Some(first), Some(other), Some(from), length];
                Ok(self.into_call(None, items.into_iter().flatten().collect()))
            }
            _ => Err(self.refuse("takes no IN or PLACING here")),
        }
    }

    /// Returns the call for `position(a IN (b))`, which reads like a list of one.
    fn position_in_list(&mut self) -> Option<ExprKind> {
        let Arguments::List { items, .. } = &mut self.function.arguments else { return None };
        let [Argument { name: None, value }] = items.as_mut_slice() else { return None };
        let ExprKind::InList { operand, list, is_negated: false } = &mut value.kind else {
            return None;
        };
        let text = list.pop().filter(|_| list.is_empty())?;
        let items = vec![text, operand.as_ref().clone()];
        Some(self.as_call(Some("strpos"), items))
    }

    fn into_call(mut self, name: Option<&str>, values: Vec<Expr>) -> ExprKind {
        self.as_call(name, values)
    }

    fn as_call(&mut self, name: Option<&str>, values: Vec<Expr>) -> ExprKind {
        let items = values.into_iter().map(|value| Argument { name: None, value }).collect();
        let mut function = self.function.clone();
        function.arguments = Arguments::List { is_distinct: false, items, order_by: Vec::new() };
        if let (Some(name), [ident]) = (name, function.name.parts.as_mut_slice()) {
            name.clone_into(&mut ident.value);
        }
        ExprKind::Function(Box::new(function))
    }

    /// Takes the arguments if there are at most two and nothing but arguments.
    fn plain_arguments(&mut self) -> Option<(Option<Expr>, Option<Expr>)> {
        let is_plain = self.function.within_group.is_empty()
            && self.function.filter.is_none()
            && self.function.over.is_none()
            && self.function.ignores_nulls.is_none();
        match &mut self.function.arguments {
            Arguments::List { is_distinct: false, items, order_by }
                if is_plain
                    && order_by.is_empty()
                    && items.iter().all(|item| item.name.is_none()) =>
            {
                let mut items = items.drain(..).map(|item| item.value);
                let pair = (items.next(), items.next());
                items.next().is_none().then_some(pair)
            }
            _ => None,
        }
    }

    fn refuse(&self, problem: &'static str) -> ParseError {
        let function = self.function.name.span.of(self.text).to_owned();
        ParseError::new(
            ParseErrorKind::CallForm { function, problem },
            self.function.name.span.to(self.span),
        )
    }
}

/// Returns the field of EXTRACT, written as a word or as a text.
fn field_name(field: &Expr) -> Option<Ident> {
    match &field.kind {
        ExprKind::Column(ObjectName { parts, .. }) => match parts.as_slice() {
            [name] => Some(name.clone()),
            _ => None,
        },
        ExprKind::Literal(Literal::Text(value)) => {
            Some(Ident { value: value.clone(), is_quoted: false, span: field.span })
        }
        _ => None,
    }
}

fn trim_side(pair: Pair<'_>) -> Result<TrimSide> {
    Ok(match only_child(pair)?.as_rule() {
        Rule::k_leading => TrimSide::Leading,
        Rule::k_trailing => TrimSide::Trailing,
        _ => TrimSide::Both,
    })
}

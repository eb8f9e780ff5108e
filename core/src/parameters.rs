//! Parameters: what a query declares, what is given, and the typed constants that come of both.
//! In: the header of a text, the parameters that its statements name, and values as text, from a file
//! or from `SET`. Out: one constant for each parameter, or everything that is wrong at once.
//! A value never becomes part of the text of a query: it takes the parameter's place in the tree.

mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sessionql_grammar::ast::{
    Expr, ExprKind, ParameterType, Span, Statement, StatementKind, walk_statement_mut,
};
use sessionql_grammar::{Header, ParameterDeclaration};

use crate::error::{Error, did_you_mean, nearest};
use value::{Given, Value};

/// The parameters that are there without being given.
pub const BUILT_IN: [&str; 3] = ["now", "since", "until"];

/// The values that are given from outside.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    given: BTreeMap<String, Given>,
}

impl Parameters {
    /// Gives a parameter a value as text, which is read as the type that the query declares. A value
    /// that it had is forgotten.
    pub fn give(&mut self, name: &str, text: impl Into<String>) {
        self.given.insert(name.to_lowercase(), Given::Text(text.into()));
    }

    /// Gives parameters the values of a TOML document: `name = value`.
    ///
    /// # Errors
    /// What is wrong with the document, in one sentence.
    pub fn read_toml(&mut self, document: &str) -> Result<(), String> {
        let table: toml::Table =
            toml::from_str(document).map_err(|error| error.message().to_owned())?;
        for (name, value) in table {
            let value = Given::of_toml(&value).map_err(|error| format!("`{name}`: {error}"))?;
            self.given.insert(name.to_lowercase(), value);
        }
        Ok(())
    }

    /// Takes a value away. Returns whether there was one.
    pub fn forget(&mut self, name: &str) -> bool {
        self.given.remove(&name.to_lowercase()).is_some()
    }

    /// Returns the names that are given, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.given.keys().map(String::as_str)
    }

    /// Gives a parameter a constant of the language.
    pub(crate) fn set(&mut self, name: &str, value: &Expr) {
        self.given.insert(name.to_lowercase(), Given::Constant(value.clone()));
    }

    /// Adds what others give, which counts more.
    pub(crate) fn extend(&mut self, others: &Self) {
        self.given.extend(others.given.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// A parameter that a text declares or names.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Its name, in lower case.
    pub name: String,
    /// Its type; one that is only named is text.
    pub data_type: ParameterType,
    /// The value that it has if none is given, as it is written.
    pub default: Option<String>,
    /// What it is for.
    pub doc: Option<String>,
    /// Where it is declared, or else named first.
    pub span: Span,
    /// Whether its type is given anywhere.
    is_typed: bool,
    constant: Option<(Expr, Span)>,
}

/// One thing that is wrong with the parameters of a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where, if it is the text that is wrong.
    pub span: Option<Span>,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    fn at(span: Span, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span), hint: None }
    }

    fn with_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

/// What holds for a statement, as far as its parameters care.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The instant of `now()` and of `$now`.
    pub now: DateTime<Utc>,
    /// The zone of times without offset.
    pub time_zone: Tz,
    /// `$since`.
    pub since: Option<DateTime<Utc>>,
    /// `$until`.
    pub until: Option<DateTime<Utc>>,
}

/// Returns the parameters that a text declares in its header and that these statements of it name,
/// those of the header first; without the built-in ones.
///
/// # Errors
/// Declarations that contradict each other.
pub fn declared(text: &str, statements: &[Statement]) -> Result<Vec<Declared>, Error> {
    let (declared, problems) = collect(text, statements)?;
    if problems.is_empty() { Ok(declared) } else { Err(Error::Parameters { problems }) }
}

/// Checks the parameters of a whole text before any of its statements runs. Returns the names that it
/// knows.
///
/// # Errors
/// Everything that is missing, of the wrong type or declared wrongly.
pub fn check(
    text: &str,
    statements: &[Statement],
    given: &Parameters,
    moment: Moment,
) -> Result<BTreeSet<String>, Error> {
    let (declared, mut problems) = collect(text, statements)?;
    let is_set = |name: &str| {
        statements.iter().any(|statement| match &statement.kind {
            StatementKind::SetParameter { name: set, .. } => set.value.to_lowercase() == name,
            _ => false,
        })
    };
    for parameter in declared.iter().filter(|parameter| !is_set(&parameter.name)) {
        problems.extend(parameter.value(given, moment).err());
    }
    for (name, span) in named(statements) {
        problems.extend(built_in(&name, span, moment).and_then(Result::err));
    }
    problems.dedup();
    if problems.is_empty() {
        Ok(declared.into_iter().map(|parameter| parameter.name).collect())
    } else {
        Err(Error::Parameters { problems })
    }
}

/// Returns the constants of all parameters that a statement of `text` names.
///
/// # Errors
/// Everything that is missing, of the wrong type or declared wrongly.
pub(crate) fn bind(
    text: &str,
    statement: &Statement,
    given: &Parameters,
    moment: Moment,
) -> Result<HashMap<String, Expr>, Error> {
    let mut constants = HashMap::new();
    let names = named(std::slice::from_ref(statement));
    if names.is_empty() {
        return Ok(constants);
    }
    let (declared, mut problems) = collect(text, std::slice::from_ref(statement))?;
    for (name, span) in names {
        let value = match built_in(&name, span, moment) {
            Some(value) => value,
            None => match declared.iter().find(|parameter| parameter.name == name) {
                Some(parameter) => parameter.value(given, moment),
                None => continue,
            },
        };
        match value {
            Ok(value) => drop(constants.insert(name, value.constant)),
            Err(problem) if !problems.contains(&problem) => problems.push(problem),
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(constants) } else { Err(Error::Parameters { problems }) }
}

/// Returns name, type, value and doc of all parameters that are there when `SHOW PARAMETERS` asks.
pub(crate) fn listed(
    text: &str,
    given: &Parameters,
    moment: Moment,
) -> Result<Vec<[Option<String>; 4]>, Error> {
    let (declared, _) = collect(text, &[])?;
    let mut rows = Vec::new();
    for (name, instant) in BUILT_IN.into_iter().zip([Some(moment.now), moment.since, moment.until])
    {
        let doc = match name {
            "now" => "The instant of the statement.",
            "since" => "The time of `--since`.",
            _ => "The time of `--until`.",
        };
        let value = instant.map(value::written);
        rows.push([
            Some(name.to_owned()),
            Some("timestamp".to_owned()),
            value,
            Some(doc.to_owned()),
        ]);
    }
    for parameter in &declared {
        let value = parameter.value(given, moment).ok().map(|value| value.shown);
        let (name, of) = (parameter.name.clone(), parameter.data_type.to_string());
        rows.push([Some(name), Some(of), value, parameter.doc.clone()]);
    }
    for (name, value) in &given.given {
        if declared.iter().all(|parameter| parameter.name != *name) {
            let value = value.untyped(moment).ok();
            let of = value.as_ref().map(|value| value.data_type.to_string());
            rows.push([Some(name.clone()), of, value.map(|value| value.shown), None]);
        }
    }
    Ok(rows)
}

/// Checks the value of `SET $name = value`.
pub(crate) fn check_set(name: &str, value: &Expr, span: Span, moment: Moment) -> Result<(), Error> {
    let problem = if is_built_in(name) {
        Some(reserved(name, span))
    } else {
        let constant = Given::Constant(value.clone()).untyped(moment);
        constant.err().map(|message| Problem::at(value.span, message))
    };
    match problem {
        None => Ok(()),
        Some(problem) => Err(Error::Parameters { problems: vec![problem] }),
    }
}

/// Returns what is wrong with parameters that are given and that no text knows.
pub fn unknown(given: &Parameters, known: &BTreeSet<String>) -> Vec<Problem> {
    let unknown = given.names().filter(|name| !known.contains(*name));
    let problem = |name: &str| {
        if is_built_in(name) {
            let message = format!("parameter `{name}` is built in");
            return Problem { message, span: None, hint: Some(format!("use `--{name}`")) };
        }
        let near = nearest(name, known.iter().map(String::as_str));
        let message = format!("the query has no parameter `{name}`");
        Problem { message, span: None, hint: did_you_mean(&near) }
    };
    unknown.map(problem).collect()
}

impl Declared {
    /// Returns the value that is given, or the default.
    fn value(&self, given: &Parameters, moment: Moment) -> Result<Value, Problem> {
        match given.given.get(&self.name) {
            Some(given) => {
                let value = if self.is_typed {
                    given.typed(self.data_type, moment)
                } else {
                    given.untyped(moment)
                };
                value.map_err(|message| Problem {
                    message: format!("parameter `{}`: {message}", self.name),
                    span: None,
                    hint: None,
                })
            }
            None => match &self.constant {
                Some((constant, span)) => Value::of_constant(constant, self.data_type, moment)
                    .map_err(|message| Problem::at(*span, message)),
                None => {
                    let message = format!("no value for parameter `${}`", self.name);
                    let message = if self.is_typed {
                        format!("{message}, which is {}", self.data_type)
                    } else {
                        message
                    };
                    let hint = format!("give it with `--param {}=…`", self.name);
                    Err(Problem::at(self.span, message).with_hint(Some(hint)))
                }
            },
        }
    }
}

fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name.to_lowercase().as_str())
}

fn reserved(name: &str, span: Span) -> Problem {
    Problem::at(span, format!("parameter `{}` is built in", name.to_lowercase()))
}

/// Returns the value of a built-in parameter, if it is one.
fn built_in(name: &str, span: Span, moment: Moment) -> Option<Result<Value, Problem>> {
    let instant = match name {
        "now" => Some(moment.now),
        "since" => moment.since,
        "until" => moment.until,
        _ => return None,
    };
    Some(instant.map(Value::instant).ok_or_else(|| {
        let hint = format!("give it with `--{name}`");
        Problem::at(span, format!("no value for parameter `${name}`")).with_hint(Some(hint))
    }))
}

/// Returns the parameters that statements name, in lower case, each with its first place.
fn named(statements: &[Statement]) -> Vec<(String, Span)> {
    let mut names: Vec<(String, Span)> = Vec::new();
    each_parameter(statements, |name, span, _| {
        if names.iter().all(|(known, _)| *known != name) {
            names.push((name, span));
        }
    });
    names
}

/// Calls `visit` with the name, the place and the type and default of each parameter.
fn each_parameter(
    statements: &[Statement],
    mut visit: impl FnMut(String, Span, Option<(ParameterType, Option<Expr>)>),
) {
    for statement in statements {
        walk_statement_mut(&mut statement.clone(), &mut |expr| match &expr.kind {
            ExprKind::Parameter(name) => visit(name.value.to_lowercase(), name.span, None),
            ExprKind::TypedParameter(parameter) => visit(
                parameter.name.value.to_lowercase(),
                parameter.span,
                Some((parameter.data_type, parameter.default.clone())),
            ),
            _ => {}
        });
    }
}

/// Collects declarations and names, and what contradicts.
fn collect(text: &str, statements: &[Statement]) -> Result<(Vec<Declared>, Vec<Problem>), Error> {
    let Header { parameters, .. } = sessionql_grammar::header(text)?;
    let mut problems = Vec::new();
    let mut declared: Vec<Declared> = Vec::new();
    let has_header = !parameters.is_empty();
    for parameter in parameters {
        if is_built_in(&parameter.name.value) {
            problems.push(reserved(&parameter.name.value, parameter.name.span));
        } else {
            declared.push(of_header(text, parameter));
        }
    }
    each_parameter(statements, |name, span, typed| {
        if is_built_in(&name) {
            if typed.is_some() {
                problems.push(reserved(&name, span));
            }
            return;
        }
        let known = declared.iter().position(|parameter| parameter.name == name);
        let untyped = typed.is_none();
        let (data_type, constant) = typed.unwrap_or((TEXT, None));
        let constant = constant.map(|constant| (constant.span, constant));
        let default = constant.as_ref().map(|(span, _)| span.of(text).to_owned());
        let constant = constant.map(|(span, constant)| (constant, span));
        let Some(known) = known.and_then(|idx| declared.get_mut(idx)) else {
            if untyped && has_header {
                let names = declared.iter().map(|parameter| parameter.name.as_str());
                let hint = did_you_mean(&nearest(&name, names));
                let problem = Problem::at(span, format!("no parameter `${name}` is declared"));
                problems.push(problem.with_hint(hint));
                return;
            }
            let is_typed = !untyped;
            declared.push(Declared {
                name,
                data_type,
                default,
                doc: None,
                span,
                is_typed,
                constant,
            });
            return;
        };
        if untyped {
            return;
        }
        if known.is_typed && known.data_type != data_type {
            let message = format!("parameter `{name}` is {} and {data_type}", known.data_type);
            problems.push(Problem::at(span, message));
        } else if known.default.is_some() && default.is_some() && known.default != default {
            problems.push(Problem::at(span, format!("parameter `{name}` has two defaults")));
        } else {
            (known.data_type, known.is_typed) = (data_type, true);
            if known.default.is_none() {
                (known.default, known.constant) = (default, constant);
            }
        }
    });
    Ok((declared, problems))
}

/// The type of a parameter that nothing declares.
const TEXT: ParameterType =
    ParameterType { kind: sessionql_grammar::ast::ParameterKind::Text, is_list: false };

fn of_header(text: &str, parameter: ParameterDeclaration) -> Declared {
    let ParameterDeclaration { name, data_type, default, default_span, doc } = parameter;
    Declared {
        name: name.value.to_lowercase(),
        data_type,
        default: default.as_ref().map(|_| default_span.of(text).to_owned()),
        doc,
        span: name.span,
        is_typed: true,
        constant: default.map(|default| (default, default_span)),
    }
}

#[cfg(test)]
mod tests;

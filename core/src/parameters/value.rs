//! One value of a parameter: as it is given, and as the constant that it becomes.
//! Text is read as the declared type and as nothing else, so that `--param n=ten` is an error and
//! never a text where a number is meant.

use chrono::{DateTime, SecondsFormat, Utc};
use sessionql_grammar::ast::{Expr, ExprKind, Literal, ParameterKind, ParameterType, Span};
use sessionql_grammar::parse_duration;

use super::Moment;
use crate::functions::Network;
use crate::lower::{Constants, Interval, parse_interval};

/// A value as it is given.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// Text of the command line, whatever the type.
    Text(String),
    /// A text of a file, which is no number.
    FileText(String),
    /// A number of a file, as it is written there.
    Number(String),
    /// A truth value of a file.
    Bool(bool),
    /// A date or time of a file.
    Time(String),
    /// A list of a file.
    List(Vec<Self>),
    /// A constant of the language.
    Constant(Expr),
}

/// A typed value.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Its type.
    pub data_type: ParameterType,
    /// The constant that takes the parameter's place.
    pub constant: Expr,
    /// The value for people.
    pub shown: String,
}

type Result<T> = std::result::Result<T, String>;

impl Given {
    /// Returns a value of a TOML document.
    pub(super) fn of_toml(value: &toml::Value) -> Result<Self> {
        Ok(match value {
            toml::Value::String(text) => Self::FileText(text.clone()),
            toml::Value::Integer(number) => Self::Number(number.to_string()),
            toml::Value::Float(number) => Self::Number(format!("{number:?}")),
            toml::Value::Boolean(flag) => Self::Bool(*flag),
            toml::Value::Datetime(time) => Self::Time(time.to_string()),
            toml::Value::Array(items) => {
                Self::List(items.iter().map(Self::of_toml).collect::<Result<_>>()?)
            }
            toml::Value::Table(_) => return Err("a table is no value of a parameter".to_owned()),
        })
    }

    /// Returns the value as this type.
    pub(super) fn typed(&self, of: ParameterType, moment: Moment) -> Result<Value> {
        let wrong = || Err(format!("{} is not {}", self.named(), with_article(of)));
        let scalar = |text: &str| Value::scalar(read(text, of.kind, moment), text, of);
        match self {
            Self::Text(text) if of.is_list => {
                let items = items(text)?;
                let items = items.iter().map(|item| read(item, of.kind, moment).map(expr));
                Value::list(items.collect::<Result<_>>()?, of)
            }
            Self::Text(text) => scalar(text),
            Self::List(items) if of.is_list => {
                let one = ParameterType { is_list: false, ..of };
                let items = items.iter().map(|item| Ok(item.typed(one, moment)?.constant));
                Value::list(items.collect::<Result<_>>()?, of)
            }
            Self::Constant(constant) => Value::of_constant(constant, of, moment),
            _ if of.is_list => wrong(),
            Self::FileText(text) => match of.kind {
                ParameterKind::Int | ParameterKind::Float | ParameterKind::Bool => wrong(),
                _ => scalar(text),
            },
            Self::Number(digits) => match of.kind {
                ParameterKind::Int | ParameterKind::Float => scalar(digits),
                _ => wrong(),
            },
            Self::Bool(flag) if of.kind == ParameterKind::Bool => scalar(&flag.to_string()),
            Self::Time(time) if of.kind == ParameterKind::Timestamp => scalar(time),
            Self::Bool(_) | Self::Time(_) | Self::List(_) => wrong(),
        }
    }

    /// Returns the value as the type that it has by itself; text of the command line is text.
    pub(super) fn untyped(&self, moment: Moment) -> Result<Value> {
        let one = |kind| ParameterType { kind, is_list: false };
        match self {
            Self::Text(_) | Self::FileText(_) => self.typed(one(ParameterKind::Text), moment),
            Self::Number(digits) => self.typed(one(kind_of_number(digits)), moment),
            Self::Bool(_) => self.typed(one(ParameterKind::Bool), moment),
            Self::Time(_) => self.typed(one(ParameterKind::Timestamp), moment),
            Self::List(items) => {
                let kind = match items.first() {
                    Some(first) => first.untyped(moment)?.data_type.kind,
                    None => ParameterKind::Text,
                };
                self.typed(ParameterType { kind, is_list: true }, moment)
            }
            Self::Constant(constant) => {
                let of = type_of(constant).ok_or("a constant with a type is due")?;
                Value::of_constant(constant, of, moment)
            }
        }
    }

    fn named(&self) -> String {
        match self {
            Self::Text(text) | Self::FileText(text) => format!("the text `{text}`"),
            Self::Number(text) | Self::Time(text) => format!("`{text}`"),
            Self::Bool(flag) => format!("`{flag}`"),
            Self::List(_) => "a list".to_owned(),
            Self::Constant(_) => "this".to_owned(),
        }
    }
}

impl Value {
    /// Returns an instant.
    pub(super) fn instant(instant: DateTime<Utc>) -> Self {
        let data_type = ParameterType { kind: ParameterKind::Timestamp, is_list: false };
        let shown = written(instant);
        Self { data_type, constant: expr(timestamp(instant)), shown }
    }

    /// Returns the value of a constant of the language, such as a default.
    pub(super) fn of_constant(constant: &Expr, of: ParameterType, moment: Moment) -> Result<Self> {
        let constant = innermost(constant);
        if matches!(constant.kind, ExprKind::Literal(Literal::Null)) {
            let data_type = type_name(of);
            let operand = Box::new(expr(ExprKind::Literal(Literal::Null)));
            let constant = expr(ExprKind::Cast { operand, data_type, is_try: false });
            return Ok(Self { data_type: of, constant, shown: "NULL".to_owned() });
        }
        match &constant.kind {
            ExprKind::Array(items) if of.is_list => {
                let items = items.iter().map(|item| Ok(expr(scalar(item, of.kind, moment)?)));
                Self::list(items.collect::<Result<_>>()?, of)
            }
            _ if of.is_list => Err(format!("{} is a list such as ['a', 'b']", with_article(of))),
            _ => {
                let kind = scalar(constant, of.kind, moment)?;
                let constant = expr(kind);
                Ok(Self { data_type: of, shown: shown(&constant), constant })
            }
        }
    }

    fn scalar(kind: Result<ExprKind>, text: &str, of: ParameterType) -> Result<Self> {
        Ok(Self { data_type: of, constant: expr(kind?), shown: text.to_owned() })
    }

    fn list(items: Vec<Expr>, of: ParameterType) -> Result<Self> {
        let texts: Vec<String> = items.iter().map(shown).collect();
        let shown = format!("[{}]", texts.join(", "));
        Ok(Self { data_type: of, constant: expr(ExprKind::Array(items)), shown })
    }
}

/// Reads a text as one value.
fn read(text: &str, kind: ParameterKind, moment: Moment) -> Result<ExprKind> {
    let one = ParameterType { kind, is_list: false };
    let wrong = || match text.trim() {
        "" => format!("an empty text is not {}", with_article(one)),
        _ => format!("`{text}` is not {}", with_article(one)),
    };
    match kind {
        ParameterKind::Text => Ok(ExprKind::Literal(Literal::Text(text.to_owned()))),
        ParameterKind::Int => {
            let number: i64 = text.trim().parse().map_err(|_| wrong())?;
            Ok(number_of(&number.to_string()))
        }
        ParameterKind::Float => {
            let number: f64 = text.trim().parse().map_err(|_| wrong())?;
            if !number.is_finite() {
                return Err(wrong());
            }
            Ok(number_of(&format!("{number:?}")))
        }
        ParameterKind::Bool => match text.trim().to_lowercase().as_str() {
            "true" => Ok(ExprKind::Literal(Literal::Bool(true))),
            "false" => Ok(ExprKind::Literal(Literal::Bool(false))),
            _ => Err(wrong()),
        },
        ParameterKind::Timestamp => {
            let constants = Constants { now: moment.now, time_zone: moment.time_zone };
            constants.read(text).map(timestamp).ok_or_else(wrong)
        }
        ParameterKind::Interval => interval(text.trim()).ok_or_else(wrong),
        ParameterKind::Cidr => match Network::parse(text.trim()) {
            Some(_) => Ok(ExprKind::Literal(Literal::Text(text.trim().to_owned()))),
            None => Err(wrong()),
        },
    }
}

/// Returns one value of a constant of the language.
fn scalar(constant: &Expr, kind: ParameterKind, moment: Moment) -> Result<ExprKind> {
    let constant = innermost(constant);
    let one = ParameterType { kind, is_list: false };
    let wrong = || format!("this is not {}", with_article(one));
    match (&constant.kind, kind) {
        (
            ExprKind::Literal(Literal::Text(text)),
            ParameterKind::Text
            | ParameterKind::Timestamp
            | ParameterKind::Interval
            | ParameterKind::Cidr,
        )
        | (ExprKind::Literal(Literal::Interval(text)), ParameterKind::Interval) => {
            read(text, kind, moment)
        }
        (ExprKind::Literal(Literal::Bool(_)), ParameterKind::Bool)
        | (ExprKind::Literal(Literal::Duration(_)), ParameterKind::Interval) => {
            Ok(constant.kind.clone())
        }
        (ExprKind::Sign { is_minus: true, operand }, ParameterKind::Interval) => {
            match &operand.kind {
                ExprKind::Literal(Literal::Duration(micros)) => {
                    Ok(ExprKind::Literal(Literal::Duration(-micros)))
                }
                _ => Err(wrong()),
            }
        }
        (_, ParameterKind::Timestamp) => {
            let constants = Constants { now: moment.now, time_zone: moment.time_zone };
            constants.bound(constant, "a timestamp").map(timestamp).map_err(|_| wrong())
        }
        (_, ParameterKind::Int | ParameterKind::Float) => {
            let digits = digits(constant).ok_or_else(wrong)?;
            read(&digits, kind, moment).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// Returns the type that a constant of the language has by itself.
fn type_of(constant: &Expr) -> Option<ParameterType> {
    let one = |kind| Some(ParameterType { kind, is_list: false });
    match &innermost(constant).kind {
        ExprKind::Literal(literal) => match literal {
            Literal::Text(_) => one(ParameterKind::Text),
            Literal::Number(digits) => one(kind_of_number(digits)),
            Literal::Bool(_) => one(ParameterKind::Bool),
            Literal::Duration(_) | Literal::Interval(_) => one(ParameterKind::Interval),
            Literal::Date(_) | Literal::Timestamp(_) => one(ParameterKind::Timestamp),
            Literal::Null | Literal::Time(_) => None,
        },
        ExprKind::Sign { operand, .. } => type_of(operand),
        ExprKind::Array(items) => match items.first() {
            Some(first) => type_of(first).map(|of| ParameterType { is_list: true, ..of }),
            None => Some(ParameterType { kind: ParameterKind::Text, is_list: true }),
        },
        // `now`, `today`, `now() - 24h`, `ago(1h)`.
        ExprKind::Column(_) | ExprKind::Function(_) | ExprKind::Binary { .. } => {
            one(ParameterKind::Timestamp)
        }
        _ => None,
    }
}

/// Returns the items of a list on the command line: `a,b`, or a list of JSON.
fn items(text: &str) -> Result<Vec<String>> {
    if text.trim_start().starts_with('[') {
        let items: Vec<serde_json::Value> =
            serde_json::from_str(text).map_err(|error| format!("no list of JSON: {error}"))?;
        let item = |item: serde_json::Value| match item {
            serde_json::Value::String(text) => Ok(text),
            serde_json::Value::Number(_) | serde_json::Value::Bool(_) => Ok(item.to_string()),
            _ => Err(format!("`{item}` is no item of a list")),
        };
        return items.into_iter().map(item).collect();
    }
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    if items.iter().any(String::is_empty) {
        return Err("an item of the list is empty; write `[]` for a list without items, \
                    and [\"\"] for one with an empty text"
            .to_owned());
    }
    Ok(items)
}

fn interval(text: &str) -> Option<ExprKind> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if let Ok(micros) = parse_duration(rest) {
        return Some(ExprKind::Literal(Literal::Duration(sign * micros)));
    }
    Some(ExprKind::Literal(match parse_interval(text)? {
        Interval::Exact(micros) => Literal::Duration(micros),
        Interval::Calendar => Literal::Interval(text.to_owned()),
    }))
}

fn timestamp(instant: DateTime<Utc>) -> ExprKind {
    ExprKind::Literal(Literal::Timestamp(written(instant)))
}

/// Returns an instant as text.
pub(super) fn written(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Returns a number, with its sign apart as the parser has it.
fn number_of(digits: &str) -> ExprKind {
    match digits.strip_prefix('-') {
        Some(digits) => ExprKind::Sign {
            is_minus: true,
            operand: Box::new(expr(ExprKind::Literal(Literal::Number(digits.to_owned())))),
        },
        None => ExprKind::Literal(Literal::Number(digits.to_owned())),
    }
}

/// Returns the digits of a number with its sign.
fn digits(constant: &Expr) -> Option<String> {
    match &constant.kind {
        ExprKind::Literal(Literal::Number(digits)) => Some(digits.clone()),
        ExprKind::Sign { is_minus, operand } => {
            let digits = digits(innermost(operand))?;
            Some(if *is_minus { format!("-{digits}") } else { digits })
        }
        _ => None,
    }
}

fn kind_of_number(digits: &str) -> ParameterKind {
    if digits.parse::<i64>().is_ok() { ParameterKind::Int } else { ParameterKind::Float }
}

/// Returns the name of the type in a cast.
fn type_name(of: ParameterType) -> sessionql_grammar::ast::DataType {
    let name = match of.kind {
        ParameterKind::Int => "bigint",
        ParameterKind::Interval => "duration",
        ParameterKind::Cidr => "text",
        kind => kind.word(),
    };
    sessionql_grammar::ast::DataType {
        name: name.to_owned(),
        arguments: Vec::new(),
        n_array_marks: usize::from(of.is_list),
        span: Span::default(),
    }
}

fn with_article(of: ParameterType) -> String {
    match (of.kind, of.is_list) {
        (_, true) => format!("a list of {}", of.kind.word()),
        (ParameterKind::Int | ParameterKind::Interval, false) => format!("an {of}"),
        (ParameterKind::Text, false) => "text".to_owned(),
        (_, false) => format!("a {of}"),
    }
}

/// Returns a constant for people.
fn shown(constant: &Expr) -> String {
    match &constant.kind {
        ExprKind::Literal(Literal::Text(text)) => text.clone(),
        ExprKind::Literal(Literal::Timestamp(text) | Literal::Interval(text)) => text.clone(),
        ExprKind::Literal(Literal::Duration(micros)) => crate::duration::human_us(*micros),
        ExprKind::Literal(Literal::Bool(flag)) => flag.to_string(),
        _ => digits(constant).unwrap_or_default(),
    }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn innermost(mut constant: &Expr) -> &Expr {
    while let ExprKind::Nested(inner) = &constant.kind {
        constant = inner;
    }
    constant
}

//! Types in casts.

use datafusion::sql::sqlparser::ast as sql;
use sessionql_grammar::ast::{self, ExprKind, Literal};

use super::logic::innermost;
use super::{LowerError, LowerErrorKind, Lowering, Result, blank};
use crate::error::nearest;

/// The types that a cast may name, for suggestions.
const NAMES: [&str; 19] = [
    "text",
    "varchar",
    "char",
    "int",
    "integer",
    "bigint",
    "smallint",
    "float",
    "double",
    "real",
    "numeric",
    "decimal",
    "bool",
    "boolean",
    "date",
    "time",
    "timestamp",
    "interval",
    "duration",
];

impl Lowering<'_> {
    pub(super) fn cast(
        &mut self,
        operand: &ast::Expr,
        data_type: &ast::DataType,
        is_try: bool,
    ) -> Result<sql::Expr> {
        check_arguments(data_type)?;
        let constant = match &innermost(operand).kind {
            ExprKind::Literal(Literal::Text(text)) if data_type.n_array_marks == 0 && !is_try => {
                self.time_constant(text, data_type, operand.span)?
            }
            _ => None,
        };
        if let Some(constant) = constant {
            return Ok(constant);
        }
        if data_type.name == "duration" && data_type.n_array_marks == 0 {
            if is_try {
                return Err(LowerError::unsupported("TRY_CAST to duration", data_type.span));
            }
            let operand = self.expr(operand)?;
            return Ok(blank::call("arrow_cast", [operand, blank::text("Duration(Microsecond)")]));
        }
        if data_type.name == "bytea"
            && let ExprKind::Literal(Literal::Text(text)) = &innermost(operand).kind
            && text.contains('\\')
        {
            let what = "a text with backslashes as bytea";
            return Err(LowerError::unsupported(what, operand.span));
        }
        if let (ExprKind::Literal(Literal::Text(text)), 1, false) =
            (&innermost(operand).kind, data_type.n_array_marks, is_try)
        {
            return self.list_constant(text, data_type, operand.span);
        }
        let lowered = type_of(data_type)?;
        let kind = if is_try { sql::CastKind::TryCast } else { sql::CastKind::Cast };
        let expr = Box::new(self.expr(operand)?);
        let cast = sql::Expr::Cast { kind, expr, data_type: lowered, array: false, format: None };
        Ok(match (length_of(data_type), data_type.n_array_marks) {
            (Some(length), 0) => {
                let cut = blank::call("left", [cast, blank::number(length.to_string())]);
                // Blanks at the end of a `char` do not count.
                let is_char = !data_type.name.contains("var");
                if is_char { blank::call("rtrim", [cut]) } else { cut }
            }
            _ => cast,
        })
    }

    /// Lowers a text such as `{1,2}` that is cast to a list.
    fn list_constant(
        &mut self,
        text: &str,
        data_type: &ast::DataType,
        span: ast::Span,
    ) -> Result<sql::Expr> {
        let not_a_list = || {
            let kind = LowerErrorKind::BadList { text: text.to_owned() };
            LowerError::new(kind, span)
        };
        let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let inner = inner.filter(|text| !text.contains(['{', '}', '"', '\\']));
        let inner = inner.ok_or_else(not_a_list)?;
        let mut items = Vec::new();
        if !inner.trim().is_empty() {
            for item in inner.split(',').map(str::trim) {
                if item.is_empty() {
                    return Err(not_a_list());
                }
                let is_null = item.eq_ignore_ascii_case("null");
                let literal = if is_null { Literal::Null } else { Literal::Text(item.to_owned()) };
                items.push(self.literal(&literal, span)?);
            }
        }
        let list = sql::Expr::Array(sql::Array { elem: items, named: true });
        Ok(sql::Expr::Cast {
            kind: sql::CastKind::Cast,
            expr: Box::new(list),
            data_type: type_of(data_type)?,
            array: false,
            format: None,
        })
    }

    /// Lowers a text that is cast to a type of time, which is that time in the query's zone.
    fn time_constant(
        &mut self,
        text: &str,
        data_type: &ast::DataType,
        span: ast::Span,
    ) -> Result<Option<sql::Expr>> {
        let literal = match data_type.name.as_str() {
            "timestamp"
            | "timestamptz"
            | "timestamp with time zone"
            | "timestamp without time zone" => Literal::Timestamp(text.to_owned()),
            "date" => Literal::Date(text.to_owned()),
            "interval" => Literal::Interval(text.to_owned()),
            "duration" => match sessionql_grammar::parse_duration(text) {
                Ok(micros) => Literal::Duration(micros),
                Err(_) => Literal::Interval(text.to_owned()),
            },
            _ => return Ok(None),
        };
        self.literal(&literal, span).map(Some)
    }
}

/// Returns how many characters a text of this type has at most, if the type says.
fn length_of(data_type: &ast::DataType) -> Option<u64> {
    match data_type.name.as_str() {
        "varchar" | "character varying" => data_type.arguments.first().copied(),
        "char" | "character" => Some(data_type.arguments.first().copied().unwrap_or(1)),
        "bpchar" => data_type.arguments.first().copied(),
        _ => None,
    }
}

/// Refuses numbers after a type that takes none, or that would change nothing here.
fn check_arguments(data_type: &ast::DataType) -> Result<()> {
    let is_known = match (data_type.name.as_str(), data_type.arguments.as_slice()) {
        (_, []) | ("numeric" | "decimal", [_] | [_, _]) => true,
        ("varchar" | "character varying" | "char" | "character" | "bpchar", [length]) => {
            *length > 0 && data_type.n_array_marks == 0
        }
        ("float", [25..=53]) => true,
        (name, [6]) => name.starts_with("timestamp"),
        _ => false,
    };
    if is_known {
        return Ok(());
    }
    let numbers: Vec<String> = data_type.arguments.iter().map(u64::to_string).collect();
    let what = format!("the type {}({})", data_type.name, numbers.join(", "));
    Err(LowerError::unsupported(what, data_type.span))
}

fn type_of(data_type: &ast::DataType) -> Result<sql::DataType> {
    use sql::DataType as Type;
    let exact = match data_type.arguments.as_slice() {
        [] => sql::ExactNumberInfo::None,
        [precision] => sql::ExactNumberInfo::Precision(*precision),
        [precision, scale, ..] => sql::ExactNumberInfo::PrecisionAndScale(
            *precision,
            i64::try_from(*scale).unwrap_or(i64::MAX),
        ),
    };
    let mut lowered = match data_type.name.as_str() {
        "text" | "string" | "varchar" | "char" | "bpchar" | "character" | "character varying" => {
            Type::Text
        }
        "int" | "integer" | "int4" => Type::Integer(None),
        "bigint" | "int8" => Type::BigInt(None),
        "smallint" | "int2" => Type::SmallInt(None),
        "real" | "float4" => Type::Real,
        "float" | "double" | "double precision" | "float8" => Type::DoublePrecision,
        "numeric" | "decimal" => Type::Decimal(exact),
        "bool" | "boolean" => Type::Boolean,
        "date" => Type::Date,
        "time" | "time without time zone" => Type::Time(None, sql::TimezoneInfo::None),
        "timestamp"
        | "timestamptz"
        | "timestamp with time zone"
        | "timestamp without time zone" => Type::Timestamp(Some(6), sql::TimezoneInfo::Tz),
        "interval" => Type::Interval { fields: None, precision: None },
        "bytea" => Type::Bytea,
        name => {
            let candidates = nearest(name, NAMES);
            let kind = LowerErrorKind::UnknownType { name: name.to_owned(), candidates };
            return Err(LowerError::new(kind, data_type.span));
        }
    };
    for _ in 0..data_type.n_array_marks {
        lowered = Type::Array(sql::ArrayElemTypeDef::SquareBracket(Box::new(lowered), None));
    }
    Ok(lowered)
}

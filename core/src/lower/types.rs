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
        let lowered = type_of(data_type)?;
        let kind = if is_try { sql::CastKind::TryCast } else { sql::CastKind::Cast };
        let expr = Box::new(self.expr(operand)?);
        Ok(sql::Expr::Cast { kind, expr, data_type: lowered, array: false, format: None })
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

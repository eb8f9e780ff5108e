//! `asof_condition(left, right, operator, begin, end)`: one condition of an ASOF JOIN, and its place
//! in the query's text. Made by lowering and taken away by `rules/asof.rs` before anything runs.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use sessionql_grammar::ast::Span;

/// The function's name.
pub(crate) const ASOF_CONDITION: &str = "asof_condition";

/// A condition of an ASOF JOIN.
#[derive(Debug)]
pub(crate) struct AsofCondition {
    pub(crate) left: Expr,
    pub(crate) op: Operator,
    pub(crate) right: Expr,
    /// Where it stands.
    pub(crate) span: Span,
}

impl AsofCondition {
    /// Reads a call; `None` if it is of another function.
    pub(crate) fn of(expr: &Expr) -> Option<Self> {
        let Expr::ScalarFunction(call) = expr else { return None };
        if call.func.name() != ASOF_CONDITION {
            return None;
        }
        let [left, right, symbol, begin, end] = call.args.as_slice() else { return None };
        let op = match symbol {
            Expr::Literal(symbol, _) => match symbol.try_as_str()?? {
                "=" => Operator::Eq,
                "<" => Operator::Lt,
                "<=" => Operator::LtEq,
                ">" => Operator::Gt,
                _ => Operator::GtEq,
            },
            _ => return None,
        };
        let offset = |expr: &Expr| match expr {
            Expr::Literal(ScalarValue::Int64(Some(offset)), _) => usize::try_from(*offset).ok(),
            _ => None,
        };
        let span = Span::new(offset(begin)?, offset(end)?);
        Some(Self { left: left.clone(), op, right: right.clone(), span })
    }
}

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct AsofConditionFunction {
    signature: Signature,
}

impl AsofConditionFunction {
    /// Returns the function.
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(5, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for AsofConditionFunction {
    fn name(&self) -> &str {
        ASOF_CONDITION
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("a condition of ASOF JOIN was left in a plan")
    }
}

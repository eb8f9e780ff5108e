//! Integers that do not wrap: `+`, `-`, `*` and the sign as functions that fail where the engine's
//! own operators would go on from the other end, and the rounding that makes a float an integer.
//! A rule puts them into plans; no query can call them by name.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array};
use arrow::compute::kernels::numeric;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, cast,
};
use datafusion::physical_expr_common::datum::apply;

/// What is done with integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Negate,
    /// A float to the nearest whole one; of two the even one.
    Round,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct IntegerFunction {
    operation: Operation,
    signature: Signature,
}

/// Returns the operator on two integers of one type; `None` if the engine's own is right.
pub(crate) fn checked(op: Operator, left: Expr, right: Expr) -> Option<Expr> {
    let operation = match op {
        Operator::Plus => Operation::Add,
        Operator::Minus => Operation::Subtract,
        Operator::Multiply => Operation::Multiply,
        _ => return None,
    };
    Some(call(operation, vec![left, right]))
}

/// Returns the integer with the other sign.
pub(crate) fn negated(integer: Expr) -> Expr {
    call(Operation::Negate, vec![integer])
}

/// Returns the float without a fraction.
pub(crate) fn rounded(float: Expr) -> Expr {
    call(Operation::Round, vec![cast(float, DataType::Float64)])
}

fn call(operation: Operation, args: Vec<Expr>) -> Expr {
    let signature = Signature::any(args.len(), Volatility::Immutable);
    let function = ScalarUDF::from(IntegerFunction { operation, signature });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), args))
}

impl ScalarUDFImpl for IntegerFunction {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "integer_add",
            Operation::Subtract => "integer_subtract",
            Operation::Multiply => "integer_multiply",
            Operation::Negate => "integer_negate",
            Operation::Round => "nearest_integer",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Int64))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        // Whether there can be NULL is to stay as it was for the operator.
        let of_args: Vec<_> =
            args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let is_nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&of_args)?, is_nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match (self.operation, args.args.as_slice()) {
            (Operation::Add, [left, right]) => apply(left, right, numeric::add),
            (Operation::Subtract, [left, right]) => apply(left, right, numeric::sub),
            (Operation::Multiply, [left, right]) => apply(left, right, numeric::mul),
            (Operation::Negate, [integer]) => map(integer, |array| Ok(numeric::neg(array)?)),
            (Operation::Round, [float]) => map(float, |array| {
                let rounded: Float64Array =
                    array.as_primitive::<Float64Type>().unary(f64::round_ties_even);
                Ok(Arc::new(rounded))
            }),
            _ => exec_err!("`{}` was given {} arguments", self.name(), args.args.len()),
        }
    }
}

fn map(value: &ColumnarValue, of: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<ColumnarValue> {
    Ok(match value {
        ColumnarValue::Array(array) => ColumnarValue::Array(of(array)?),
        ColumnarValue::Scalar(scalar) => {
            let array = of(&scalar.to_array()?)?;
            ColumnarValue::Scalar(ScalarValue::try_from_array(array.as_ref(), 0)?)
        }
    })
}

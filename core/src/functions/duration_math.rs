//! `duration * 2`, `duration / 2`, `duration / 1h`: operators that the engine lacks for durations.
//! A duration is exact time; results are rounded to microseconds, halves away from zero.

use std::sync::Arc;

use arrow::array::{AsArray as _, DurationMicrosecondArray, Float64Array};
use arrow::datatypes::{DataType, DurationMicrosecondType, Float64Type, TimeUnit};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable as _, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, cast,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

const DURATION: DataType = DataType::Duration(TimeUnit::Microsecond);

/// What is done with a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    /// Times a number: a duration.
    Multiply,
    /// By a number: a duration.
    Divide,
    /// By a duration: a number.
    Ratio,
}

/// One of the operations as a function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DurationFunction {
    operation: Operation,
    signature: Signature,
}

impl DurationFunction {
    fn new(operation: Operation) -> Self {
        let second = match operation {
            Operation::Multiply | Operation::Divide => DataType::Float64,
            Operation::Ratio => DURATION,
        };
        let signature = Signature::exact(vec![DURATION, second], Volatility::Immutable);
        Self { operation, signature }
    }
}

/// Returns the functions that the operators become.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Operation::Multiply, Operation::Divide, Operation::Ratio]
        .map(|operation| Arc::new(ScalarUDF::from(DurationFunction::new(operation))))
        .to_vec()
}

impl ScalarUDFImpl for DurationFunction {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Multiply => "duration_multiply",
            Operation::Divide => "duration_divide",
            Operation::Ratio => "duration_ratio",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.operation {
            Operation::Multiply | Operation::Divide => DURATION,
            Operation::Ratio => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let durations = arrays[0].as_primitive::<DurationMicrosecondType>();
        if self.operation == Operation::Ratio {
            let divisors = arrays[1].as_primitive::<DurationMicrosecondType>();
            let ratios = durations.iter().zip(divisors).map(|(duration, divisor)| {
                let (Some(duration), Some(divisor)) = (duration, divisor) else { return Ok(None) };
                if divisor == 0 {
                    return exec_err!("a duration is divided by zero");
                }
                Ok(Some(duration as f64 / divisor as f64))
            });
            let ratios: Float64Array = ratios.collect::<Result<_>>()?;
            return Ok(ColumnarValue::Array(Arc::new(ratios)));
        }
        let numbers = arrays[1].as_primitive::<Float64Type>();
        let results = durations.iter().zip(numbers).map(|(duration, number)| {
            let (Some(duration), Some(number)) = (duration, number) else { return Ok(None) };
            let result = match self.operation {
                Operation::Divide if number == 0.0 => {
                    return exec_err!("a duration is divided by zero");
                }
                Operation::Divide => duration as f64 / number,
                _ => duration as f64 * number,
            };
            if !result.is_finite() || result.abs() >= i64::MAX as f64 {
                return exec_err!("a duration is out of range");
            }
            Ok(Some(result.round() as i64))
        });
        let results: DurationMicrosecondArray = results.collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(results)))
    }
}

/// Returns how many seconds a duration has, as a number.
pub(crate) fn seconds(duration: Expr) -> Expr {
    let second = Expr::Literal(ScalarValue::DurationMicrosecond(Some(1_000_000)), None);
    let function = Arc::new(ScalarUDF::from(DurationFunction::new(Operation::Ratio)));
    let args = vec![cast(duration, DURATION), second];
    Expr::ScalarFunction(ScalarFunction::new_udf(function, args))
}

/// A duration where an interval that counts in the calendar stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a duration cannot be combined with an interval of months or years: months differ in length"
)]
pub(crate) struct MonthsWithDuration;

/// Plans the operators.
#[derive(Debug)]
pub(super) struct DurationOperators;

impl ExprPlanner for DurationOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema))
        else {
            return Ok(PlannerResult::Original(expr));
        };
        let is_duration = |data_type: &DataType| matches!(data_type, DataType::Duration(_));
        let is_interval = |data_type: &DataType| matches!(data_type, DataType::Interval(_));
        let is_number = |data_type: &DataType| data_type.is_numeric();
        if (is_duration(&left) && is_interval(&right))
            || (is_interval(&left) && is_duration(&right))
        {
            return Err(DataFusionError::External(Box::new(MonthsWithDuration)));
        }
        let call = |operation, duration: Expr, other: Expr| {
            let other = match operation {
                Operation::Ratio => cast(other, DURATION),
                _ => cast(other, DataType::Float64),
            };
            let function = Arc::new(ScalarUDF::from(DurationFunction::new(operation)));
            let args = vec![cast(duration, DURATION), other];
            let call = Expr::ScalarFunction(ScalarFunction::new_udf(function, args));
            Ok(PlannerResult::Planned(call))
        };
        match expr.op {
            BinaryOperator::Multiply if is_duration(&left) && is_number(&right) => {
                call(Operation::Multiply, expr.left, expr.right)
            }
            BinaryOperator::Multiply if is_number(&left) && is_duration(&right) => {
                call(Operation::Multiply, expr.right, expr.left)
            }
            BinaryOperator::Divide if is_duration(&left) && is_number(&right) => {
                call(Operation::Divide, expr.left, expr.right)
            }
            BinaryOperator::Divide if is_duration(&left) && is_duration(&right) => {
                call(Operation::Ratio, expr.left, expr.right)
            }
            _ => Ok(PlannerResult::Original(expr)),
        }
    }
}

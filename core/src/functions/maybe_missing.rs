//! `maybe_missing(x)`: `x`, of which the planner does not know that it is never NULL.
//! Made by `rules/missing_rows.rs`; not to be called by name.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

#[derive(Debug, PartialEq, Eq, Hash)]
struct MaybeMissing {
    signature: Signature,
}

/// Returns `value` as something that may be NULL. `is_computed` tells whether it is of rows; a constant
/// must not be put in its place.
pub(crate) fn maybe_missing(value: Expr, is_computed: bool) -> Expr {
    let volatility = if is_computed { Volatility::Immutable } else { Volatility::Volatile };
    let signature = Signature::any(1, volatility);
    let function = Arc::new(ScalarUDF::from(MaybeMissing { signature }));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![value]))
}

impl ScalarUDFImpl for MaybeMissing {
    fn name(&self) -> &str {
        "maybe_missing"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(arg_types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let arg_types: Vec<_> =
            args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.return_type(&arg_types)?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => internal_err!("maybe_missing takes a value"),
        }
    }
}

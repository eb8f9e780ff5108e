//! `is_one_of(x)`: `x IN (values)` that the optimizer does not look into.
//! Made by `rules/value_lists.rs`; not to be called by name.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::expressions::{Column, in_list, lit};

/// The function, for one list.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct IsOneOf {
    /// The list; types are those of the argument.
    pub(crate) values: Vec<ScalarValue>,
    signature: Signature,
}

/// Returns whether `subject` is one of `values`; unknown if it is NULL, or if it is none of them and
/// one is NULL.
pub(crate) fn is_one_of(subject: Expr, values: Vec<ScalarValue>) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    let function = Arc::new(ScalarUDF::from(IsOneOf { values, signature }));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![subject]))
}

impl ScalarUDFImpl for IsOneOf {
    fn name(&self) -> &str {
        "is_one_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let subject = Arc::clone(&arrays[0]);
        let field = Field::new("x", subject.data_type().clone(), true);
        let schema = Arc::new(Schema::new(vec![field]));
        let list = self.values.iter().cloned().map(lit).collect();
        let test = in_list(Arc::new(Column::new("x", 0)), list, &false, &schema)?;
        let options = RecordBatchOptions::new().with_row_count(Some(subject.len()));
        let batch = RecordBatch::try_new_with_options(schema, vec![subject], &options)?;
        let n_rows = batch.num_rows();
        Ok(ColumnarValue::Array(test.evaluate(&batch)?.into_array(n_rows)?))
    }
}

//! `only_one(list)`: the one value of a list, NULL of an empty one.
//! Lowering makes it of a query that stands for a value and depends on columns around it; not to be
//! called by name.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// Its name.
pub(crate) const ONLY_ONE: &str = "only_one";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct OnlyOne {
    signature: Signature,
}

impl OnlyOne {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for OnlyOne {
    fn name(&self) -> &str {
        ONLY_ONE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types {
            [DataType::List(field)] => Ok(field.data_type().clone()),
            _ => Ok(DataType::Null),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(lists) = arrays.first().and_then(|lists| lists.as_list_opt::<i32>()) else {
            return exec_err!("a query that stands for a value has none");
        };
        let mut places = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let length = if lists.is_null(row) { 0 } else { lists.value_length(row) };
            places.push(match length {
                0 => None,
                1 => lists.value_offsets().get(row).and_then(|at| u64::try_from(*at).ok()),
                _ => return exec_err!("a query that stands for a value has several rows"),
            });
        }
        let values = take(lists.values(), &UInt64Array::from(places), None)?;
        Ok(ColumnarValue::Array(Arc::clone(&values)))
    }
}

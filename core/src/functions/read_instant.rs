//! `read_instant(text)`: text that is compared with an instant, read in the query's time zone.
//! Put around expressions by `rules/time_literals.rs`; not to be called by name.

use std::sync::Arc;

use arrow::array::{AsArray as _, TimestampMicrosecondArray};
use arrow::datatypes::DataType;
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};

use crate::columns::timestamp_type;

/// The function, for one time zone.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ReadInstant {
    time_zone: Tz,
    signature: Signature,
}

/// Returns `text` as an instant; NULL stays NULL, and what is no time is an error when it is met.
pub(crate) fn read_instant(text: Expr, time_zone: Tz) -> Expr {
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    let function = Arc::new(ScalarUDF::from(ReadInstant { time_zone, signature }));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![cast(text, DataType::Utf8)]))
}

impl ScalarUDFImpl for ReadInstant {
    fn name(&self) -> &str {
        "read_instant"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(timestamp_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let instants = arrays[0].as_string::<i32>().iter().map(|text| {
            let Some(text) = text else { return Ok(None) };
            match crate::instant::parse(text, self.time_zone) {
                Some(instant) => Ok(Some(instant.timestamp_micros())),
                None => exec_err!("`{text}` is not a date or time"),
            }
        });
        let instants: TimestampMicrosecondArray = instants.collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(instants.with_timezone("UTC"))))
    }
}

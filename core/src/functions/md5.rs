//! `md5(text)`: the hash in hexadecimal digits, as PostgreSQL gives it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{AsArray as _, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use md5::{Digest as _, Md5};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Md5Text {
    signature: Signature,
}

impl Md5Text {
    /// Returns the function.
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Md5Text {
    fn name(&self) -> &str {
        "md5"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [text] if text.is_string() || text.is_null() => Ok(vec![DataType::Utf8]),
            _ => plan_err!("`md5` takes a text"),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts = arrays[0].as_string::<i32>().iter();
        let hashes: StringArray = texts.map(|text| text.map(hash)).collect();
        Ok(ColumnarValue::Array(Arc::new(hashes)))
    }
}

fn hash(text: &str) -> String {
    let mut digits = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _written = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn hashes_of_rfc_1321() {
        assert_eq!(hash(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hash("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    }
}

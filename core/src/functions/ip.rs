//! `ip_in(ip, network or list)`, `is_private(ip)` and `ip_prefix(ip, bits)`, on addresses as text.
//! What is no address, or no network, is NULL, as providers may call anything an address; lowering
//! refuses constants that are no network.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::network::{Network, address, is_private};

/// Returns the functions.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::from(IpIn::new())),
        Arc::new(ScalarUDF::from(IsPrivate::new())),
        Arc::new(ScalarUDF::from(IpPrefix::new())),
    ]
}

fn is_text(data_type: &DataType) -> bool {
    data_type.is_string() || data_type.is_null()
}

/// Whether an address lies in a network, or in one of several.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpIn {
    signature: Signature,
}

impl IpIn {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// The networks that an address is looked for in; none stands for a text that is none, or NULL.
type Networks = Vec<Option<Network>>;

impl ScalarUDFImpl for IpIn {
    fn name(&self) -> &str {
        "ip_in"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [ip, networks] if is_text(ip) && is_text(networks) => {
                Ok(vec![DataType::Utf8, DataType::Utf8])
            }
            [ip, DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)]
                // The items of an empty list have whatever type the engine gives them.
                if is_text(ip) && (is_text(item.data_type()) || item.data_type() == &DataType::Int64) =>
            {
                let item = Field::new_list_field(DataType::Utf8, true);
                Ok(vec![DataType::Utf8, DataType::List(Arc::new(item))])
            }
            _ => plan_err!("`ip_in` takes an address and a network or a list of networks, all as text"),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // Networks are the same in every row as a rule, and are then read once.
        let of_all_rows = match args.args.get(1) {
            Some(ColumnarValue::Scalar(networks)) => Some(of_scalar(networks)),
            _ => None,
        };
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let addresses = arrays[0].as_string::<i32>();
        let is_in: BooleanArray = (0..addresses.len())
            .map(|row| {
                let address = addresses.is_valid(row).then(|| address(addresses.value(row)))??;
                match &of_all_rows {
                    Some(networks) => is_in(address, networks.as_ref()?),
                    None => is_in(address, &of_row(&arrays[1], row)?),
                }
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(is_in)))
    }
}

/// Returns the networks of a constant; none if it is NULL.
fn of_scalar(networks: &ScalarValue) -> Option<Networks> {
    if networks.is_null() {
        return None;
    }
    networks.to_array().ok().and_then(|array| of_row(&array, 0))
}

/// Returns the networks of a row; none if there is NULL.
fn of_row(networks: &arrow::array::ArrayRef, row: usize) -> Option<Networks> {
    if networks.is_null(row) {
        return None;
    }
    match networks.data_type() {
        DataType::List(_) => {
            let items = networks.as_list::<i32>().value(row);
            Some(items.as_string::<i32>().iter().map(|text| Network::parse(text?)).collect())
        }
        _ => Some(vec![Network::parse(networks.as_string::<i32>().value(row))]),
    }
}

/// Returns what SQL's IN would: unknown if it is in none that is known and some are not known.
fn is_in(address: std::net::IpAddr, networks: &[Option<Network>]) -> Option<bool> {
    if networks.iter().flatten().any(|network| network.contains(address)) {
        return Some(true);
    }
    networks.iter().all(Option::is_some).then_some(false)
}

/// Whether an address can only be reached from within.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IsPrivate {
    signature: Signature,
}

impl IsPrivate {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for IsPrivate {
    fn name(&self) -> &str {
        "is_private"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [ip] if is_text(ip) => Ok(vec![DataType::Utf8]),
            _ => plan_err!("`is_private` takes an address as text"),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let addresses = arrays[0].as_string::<i32>().iter();
        let answers: BooleanArray =
            addresses.map(|text| Some(is_private(address(text?)?))).collect();
        Ok(ColumnarValue::Array(Arc::new(answers)))
    }
}

/// The network that an address lies in, as text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IpPrefix {
    signature: Signature,
}

impl IpPrefix {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for IpPrefix {
    fn name(&self) -> &str {
        "ip_prefix"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [ip, bits] if is_text(ip) && (bits.is_integer() || bits.is_null()) => {
                Ok(vec![DataType::Utf8, DataType::Int64])
            }
            _ => plan_err!("`ip_prefix` takes an address as text and a number of bits"),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (addresses, bits) =
            (arrays[0].as_string::<i32>(), arrays[1].as_primitive::<Int64Type>());
        let prefixes: StringArray = addresses
            .iter()
            .zip(bits)
            .map(|(text, n_bits)| {
                let network = Network::of(address(text?)?, u32::try_from(n_bits?).ok()?)?;
                Some(network.to_string())
            })
            .collect();
        Ok(ColumnarValue::Array(Arc::new(prefixes)))
    }
}

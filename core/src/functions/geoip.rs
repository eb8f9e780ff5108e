//! `geoip(ip)`: the place of an address as a structure, from the databases of the configuration.
//! What is no address, and what no database knows, is NULL.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, Float64Builder, Int64Builder, StringBuilder, StructArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::network::address;
use crate::geo::{Place, Places};

/// The name of the function, which needs databases.
pub(crate) const GEOIP: &str = "geoip";

/// Returns the function with the databases that it looks into.
pub(crate) fn geoip(places: Arc<Places>) -> Arc<ScalarUDF> {
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    Arc::new(ScalarUDF::from(Geoip { places, signature }))
}

/// The function.
#[derive(Debug)]
struct Geoip {
    places: Arc<Places>,
    signature: Signature,
}

impl PartialEq for Geoip {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.places, &other.places)
    }
}

impl Eq for Geoip {}

impl Hash for Geoip {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.places).hash(state);
    }
}

fn fields() -> Fields {
    let field = |name, data_type| Field::new(name, data_type, true);
    vec![
        field("country", DataType::Utf8),
        field("city", DataType::Utf8),
        field("latitude", DataType::Float64),
        field("longitude", DataType::Float64),
        field("asn", DataType::Int64),
        field("as_org", DataType::Utf8),
    ]
    .into()
}

impl ScalarUDFImpl for Geoip {
    fn name(&self) -> &str {
        GEOIP
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let addresses = arrays[0].as_string::<i32>();
        let databases = match self.places.load() {
            Ok(databases) => databases,
            Err(problem) => return exec_err!("{}", problem.message),
        };
        // People come from few addresses.
        let mut known: HashMap<&str, Option<Place>> = HashMap::new();
        let mut places = PlaceBuilder::default();
        for text in addresses.iter() {
            let Some(text) = text else {
                places.push(None);
                continue;
            };
            if !known.contains_key(text) {
                let place = match address(text).map(|address| databases.find(address)) {
                    None => None,
                    Some(Ok(place)) => place,
                    Some(Err(message)) => return exec_err!("{message}"),
                };
                known.insert(text, place);
            }
            places.push(known.get(text).and_then(Option::as_ref));
        }
        Ok(ColumnarValue::Array(Arc::new(places.finish()?)))
    }
}

/// Builds a column of places.
#[derive(Default)]
struct PlaceBuilder {
    country: StringBuilder,
    city: StringBuilder,
    latitude: Float64Builder,
    longitude: Float64Builder,
    asn: Int64Builder,
    as_org: StringBuilder,
    is_known: Vec<bool>,
}

impl PlaceBuilder {
    fn push(&mut self, place: Option<&Place>) {
        self.country.append_option(place.and_then(|place| place.country.as_deref()));
        self.city.append_option(place.and_then(|place| place.city.as_deref()));
        self.latitude.append_option(place.and_then(|place| place.latitude));
        self.longitude.append_option(place.and_then(|place| place.longitude));
        self.asn.append_option(place.and_then(|place| place.asn));
        self.as_org.append_option(place.and_then(|place| place.as_org.as_deref()));
        self.is_known.push(place.is_some());
    }

    fn finish(mut self) -> Result<StructArray> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.country.finish()),
            Arc::new(self.city.finish()),
            Arc::new(self.latitude.finish()),
            Arc::new(self.longitude.finish()),
            Arc::new(self.asn.finish()),
            Arc::new(self.as_org.finish()),
        ];
        let is_known = NullBuffer::from(self.is_known);
        Ok(StructArray::try_new(fields(), columns, Some(is_known))?)
    }
}

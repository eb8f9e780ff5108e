//! `geo_distance_km(a, b)` and `speed_kmh(place, t) OVER (… ORDER BY t)`: how far places are from each
//! other, and how fast somebody must have been to be in one after the other. A place is what `geoip`
//! gives, or two numbers, latitude and longitude in degrees. What is no place on Earth is NULL.

use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array};
use arrow::compute::kernels::boolean::is_null;
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, TimestampMicrosecondType};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    ColumnarValue, PartitionEvaluator, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
    WindowUDFImpl,
};

use super::steps::Steps;
use crate::columns::timestamp_type;

/// The mean radius of the Earth in km.
const RADIUS_KM: f64 = 6371.0088;

/// Microseconds of an hour.
const HOUR: f64 = 3_600_000_000.0;

/// Latitude and longitude in degrees.
type Point = (f64, f64);

/// Returns the length of the great circle's arc between two points, in km.
fn distance_km((lat_a, lon_a): Point, (lat_b, lon_b): Point) -> f64 {
    let half_sine = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin();
    let (by_lat, by_lon) = (half_sine(lat_a, lat_b), half_sine(lon_a, lon_b));
    let cosines = lat_a.to_radians().cos() * lat_b.to_radians().cos();
    let haversine = by_lat * by_lat + cosines * by_lon * by_lon;
    // Rounding may lead past 1 for points on opposite sides.
    2.0 * RADIUS_KM * haversine.clamp(0.0, 1.0).sqrt().asin()
}

/// Latitudes and longitudes of the rows.
struct Points {
    latitudes: Float64Array,
    longitudes: Float64Array,
}

impl Points {
    /// Returns the points of places: one column of structures or two of numbers.
    fn of(columns: &[ArrayRef]) -> Result<Self> {
        let [latitudes, longitudes] = match columns {
            [place] => {
                let Some(place) = place.as_struct_opt() else {
                    return exec_err!("a place is due, not {}", place.data_type());
                };
                let is_missing = is_null(place)?;
                let column = |name| match place.column_by_name(name) {
                    Some(column) => Ok(nullif(column, &is_missing)?),
                    None => exec_err!("a place without `{name}`"),
                };
                [column("latitude")?, column("longitude")?]
            }
            [latitudes, longitudes] => [Arc::clone(latitudes), Arc::clone(longitudes)],
            _ => return exec_err!("places are one column or two"),
        };
        let numbers = |column: &ArrayRef| column.as_primitive::<Float64Type>().clone();
        Ok(Self { latitudes: numbers(&latitudes), longitudes: numbers(&longitudes) })
    }

    /// Returns the point of a row, if it is one on Earth.
    fn get(&self, row: usize) -> Option<Point> {
        if self.latitudes.is_null(row) || self.longitudes.is_null(row) {
            return None;
        }
        let (latitude, longitude) = (self.latitudes.value(row), self.longitudes.value(row));
        let is_on_earth =
            (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        is_on_earth.then_some((latitude, longitude))
    }
}

/// Returns the type that a place is taken in; none if it is no place.
fn place_type(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Struct(fields) => {
            let has = |name| {
                fields.find(name).is_some_and(|(_, field)| field.data_type() == &DataType::Float64)
            };
            (has("latitude") && has("longitude")).then(|| given.clone())
        }
        DataType::Null => {
            let field = |name| Field::new(name, DataType::Float64, true);
            Some(DataType::Struct(Fields::from(vec![field("latitude"), field("longitude")])))
        }
        _ => None,
    }
}

fn is_number(given: &DataType) -> bool {
    given.is_numeric() || given.is_null()
}

/// How far two places are from each other.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GeoDistance {
    signature: Signature,
}

impl GeoDistance {
    /// Returns the function.
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for GeoDistance {
    fn name(&self) -> &str {
        "geo_distance_km"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        match arg_types {
            [a, b] if let (Some(a), Some(b)) = (place_type(a), place_type(b)) => Ok(vec![a, b]),
            [_, _, _, _] if arg_types.iter().all(is_number) => Ok(vec![DataType::Float64; 4]),
            _ => plan_err!(
                "`geo_distance_km` takes two places of `geoip`, or two latitudes with longitudes"
            ),
        }
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let (a, b) = arrays.split_at(arrays.len() / 2);
        let (a, b) = (Points::of(a)?, Points::of(b)?);
        let distances: Float64Array =
            (0..a.latitudes.len()).map(|row| Some(distance_km(a.get(row)?, b.get(row)?))).collect();
        Ok(ColumnarValue::Array(Arc::new(distances)))
    }
}

/// How fast somebody must have been since the place before.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Speed {
    signature: Signature,
}

impl Speed {
    /// Returns the function.
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl WindowUDFImpl for Speed {
    fn name(&self) -> &str {
        "speed_kmh"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let is_instant = |given: &DataType| given.is_temporal() || given.is_null();
        match arg_types {
            [place, instant]
                if let Some(place) = place_type(place)
                    && is_instant(instant) =>
            {
                Ok(vec![place, timestamp_type()])
            }
            [latitude, longitude, instant]
                if is_number(latitude) && is_number(longitude) && is_instant(instant) =>
            {
                Ok(vec![DataType::Float64, DataType::Float64, timestamp_type()])
            }
            _ => plan_err!(
                "`speed_kmh` takes a place of `geoip`, or latitude and longitude, and an instant"
            ),
        }
    }

    fn partition_evaluator(
        &self,
        _args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Speeds))
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Float64, true)))
    }
}

/// Finds the speeds of one partition.
#[derive(Debug)]
struct Speeds;

impl PartitionEvaluator for Speeds {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let Some((instants, places)) = values.split_last() else {
            return exec_err!("`speed_kmh` without arguments");
        };
        let instants = instants.as_primitive::<TimestampMicrosecondType>();
        let places = Points::of(places)?;
        let mut steps = Steps::of("speed_kmh");
        let mut last: Option<Point> = None;
        let mut speeds = Float64Array::builder(num_rows);
        for row in 0..num_rows {
            let instant = instants.is_valid(row).then(|| instants.value(row));
            // Who was somewhere unknown in between still came from the last place that is known.
            let (Some(instant), Some(place)) = (instant, places.get(row)) else {
                speeds.append_null();
                continue;
            };
            let micros = steps.next(instant)?;
            let since = last.replace(place).zip(micros);
            speeds
                .append_option(since.map(|(last, micros)| speed(distance_km(last, place), micros)));
        }
        Ok(Arc::new(speeds.finish()))
    }
}

/// Returns the speed in km/h. Two places in no time are infinitely fast, and one is no travel at all.
fn speed(km: f64, micros: u64) -> f64 {
    if km == 0.0 { 0.0 } else { km * HOUR / micros as f64 }
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampMicrosecondArray;

    use super::*;

    fn is_near(found: f64, due: f64) -> bool {
        (found - due).abs() < 1e-6 * due.abs().max(1.0)
    }

    #[test]
    fn distances_are_those_of_great_circles() {
        let degree = std::f64::consts::PI * RADIUS_KM / 180.0;
        for (a, b, due) in [
            ((0.0, 0.0), (0.0, 0.0), 0.0),
            ((0.0, 0.0), (0.0, 1.0), degree),
            ((0.0, 0.0), (1.0, 0.0), degree),
            ((0.0, 179.5), (0.0, -179.5), degree),
            ((0.0, -180.0), (0.0, 180.0), 0.0),
            ((90.0, 10.0), (90.0, -70.0), 0.0),
            ((90.0, 0.0), (-90.0, 0.0), 180.0 * degree),
            ((10.0, 20.0), (-10.0, -160.0), 180.0 * degree),
            // A quarter of the circle along the meridian and along the equator.
            ((45.0, 0.0), (-45.0, 0.0), 90.0 * degree),
            ((0.0, -45.0), (0.0, 45.0), 90.0 * degree),
        ] {
            let (found, back) = (distance_km(a, b), distance_km(b, a));
            assert!(is_near(found, due), "{a:?} {b:?}: {found}, not {due}");
            assert!(is_near(found, back), "{a:?} {b:?}");
        }
    }

    /// Rows of latitude on the meridian of 0 degrees and hour.
    fn speeds(rows: &[(Option<f64>, Option<i64>)]) -> Result<Vec<Option<f64>>> {
        let latitudes: Float64Array = rows.iter().map(|(latitude, _)| *latitude).collect();
        let longitudes = Float64Array::from(vec![0.0; rows.len()]);
        let instants: TimestampMicrosecondArray =
            rows.iter().map(|(_, hour)| hour.map(|hour| hour * 3_600_000_000)).collect();
        let columns: [ArrayRef; 3] =
            [Arc::new(latitudes), Arc::new(longitudes), Arc::new(instants)];
        let speeds = Speeds.evaluate_all(&columns, rows.len())?;
        Ok(speeds.as_primitive::<Float64Type>().iter().collect())
    }

    #[test]
    fn speed_is_that_since_the_last_place_that_is_known() {
        let degree = std::f64::consts::PI * RADIUS_KM / 180.0;
        let rows = [
            (None, Some(0)),
            (Some(0.0), Some(1)),
            (Some(1.0), Some(2)),
            (None, Some(3)),
            (Some(91.0), Some(3)),
            (Some(3.0), None),
            (Some(3.0), Some(4)),
            (Some(3.0), Some(4)),
            (Some(4.0), Some(4)),
        ];
        let due = [
            None,
            None,
            Some(degree),
            None,
            None,
            None,
            Some(degree),
            Some(0.0),
            Some(f64::INFINITY),
        ];
        for (found, due) in speeds(&rows).unwrap().into_iter().zip(due) {
            let is_same = match (found, due) {
                (Some(found), Some(due)) => found == due || is_near(found, due),
                (found, due) => found == due,
            };
            assert!(is_same, "{found:?}, not {due:?}");
        }
        let backwards: Vec<_> = rows[1..3].iter().rev().copied().collect();
        assert!(is_near(speeds(&backwards).unwrap()[1].unwrap(), degree));
    }

    #[test]
    fn rows_in_another_order_are_refused() {
        let rows = [(Some(0.0), Some(1)), (Some(0.0), Some(3)), (Some(0.0), Some(2))];
        assert!(speeds(&rows).unwrap_err().to_string().contains("not in the order"));
    }
}

//! `median`, `percentile_cont`, `stddev` and their relatives of durations, which the engine has for
//! numbers alone, and `avg(DISTINCT …)` of them. Each stands in the place of the engine's own under
//! the same name: a duration is counted in microseconds, and the result is a duration again; of
//! anything else the engine's answer is left as it is.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array};
use arrow::datatypes::{DataType, DurationMicrosecondType, Field, FieldRef, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, not_impl_err, plan_err};
use datafusion::functions_aggregate::{
    approx_median, approx_percentile_cont, average, median, percentile_cont, stddev,
};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF,
    Signature, TypeSignature,
};

const DURATION: DataType = DataType::Duration(TimeUnit::Microsecond);

/// Returns the functions, to be registered over the engine's own.
pub(super) fn functions() -> Vec<Arc<AggregateUDF>> {
    let wrapped = [
        median::median_udaf(),
        percentile_cont::percentile_cont_udaf(),
        approx_percentile_cont::approx_percentile_cont_udaf(),
        approx_median::approx_median_udaf(),
        stddev::stddev_udaf(),
        stddev::stddev_pop_udaf(),
        average::avg_udaf(),
    ];
    wrapped
        .map(|inner| Arc::new(AggregateUDF::from(OfDurations::new(Arc::unwrap_or_clone(inner)))))
        .to_vec()
}

/// A function of the engine that takes durations too.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfDurations {
    inner: AggregateUDF,
    signature: Signature,
}

impl OfDurations {
    fn new(inner: AggregateUDF) -> Self {
        let signature =
            Signature { type_signature: TypeSignature::UserDefined, ..inner.signature().clone() };
        Self { inner, signature }
    }

    /// Tells whether a call is one that the engine cannot do by itself.
    fn is_ours(&self, first: Option<&DataType>, is_distinct: bool) -> bool {
        matches!(first, Some(DataType::Duration(_))) && (self.inner.name() != "avg" || is_distinct)
    }

    /// Refuses DISTINCT where the engine would not heed it.
    fn check_distinct(&self, args: &AccumulatorArgs<'_>) -> Result<()> {
        let name = self.inner.name();
        if args.is_distinct && (name == "approx_percentile_cont" || name.starts_with("stddev")) {
            return not_impl_err!("`{name}` with DISTINCT");
        }
        Ok(())
    }

    fn is_ours_by_fields(&self, fields: &[FieldRef], is_distinct: bool) -> bool {
        self.is_ours(fields.first().map(|field| field.data_type()), is_distinct)
    }
}

/// Returns the fields with the first one as a number.
fn in_numbers(fields: &[FieldRef]) -> Vec<FieldRef> {
    let mut fields = fields.to_vec();
    if let Some(first) = fields.first_mut() {
        *first = Arc::new(first.as_ref().clone().with_data_type(DataType::Float64));
    }
    fields
}

fn number(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), DataType::Float64, true))
}

impl AggregateUDFImpl for OfDurations {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let field = |data_type: &DataType| Arc::new(Field::new("x", data_type.clone(), true));
        let is_duration = self.is_ours(arg_types.first(), true);
        let mut fields: Vec<FieldRef> = arg_types.iter().map(field).collect();
        if is_duration {
            fields = in_numbers(&fields);
        }
        let Ok(fields) = fields_with_udf(&fields, &self.inner) else {
            return plan_err!("`{}` takes numbers and durations", self.name());
        };
        let mut types: Vec<_> = fields.iter().map(|field| field.data_type().clone()).collect();
        if let (true, Some(first)) = (is_duration, types.first_mut()) {
            *first = DURATION;
        }
        Ok(types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        if self.is_ours(arg_types.first(), true) {
            return Ok(DURATION);
        }
        self.inner.return_type(arg_types)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !self.is_ours_by_fields(args.input_fields, args.is_distinct) {
            return self.inner.state_fields(args);
        }
        let (input_fields, return_field) =
            (in_numbers(args.input_fields), number(&args.return_field));
        self.inner.state_fields(StateFieldsArgs {
            input_fields: &input_fields,
            return_field,
            ..args
        })
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.check_distinct(&args)?;
        if !self.is_ours_by_fields(args.expr_fields, args.is_distinct) {
            return self.inner.accumulator(args);
        }
        let (expr_fields, return_field) =
            (in_numbers(args.expr_fields), number(&args.return_field));
        let args = AccumulatorArgs { expr_fields: &expr_fields, return_field, ..args };
        Ok(Box::new(Counting { inner: self.inner.accumulator(args)? }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.check_distinct(&args)?;
        if !self.is_ours_by_fields(args.expr_fields, args.is_distinct) {
            return self.inner.create_sliding_accumulator(args);
        }
        let (expr_fields, return_field) =
            (in_numbers(args.expr_fields), number(&args.return_field));
        let args = AccumulatorArgs { expr_fields: &expr_fields, return_field, ..args };
        Ok(Box::new(Counting { inner: self.inner.create_sliding_accumulator(args)? }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !self.is_ours_by_fields(args.expr_fields, args.is_distinct)
            && self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.inner.reverse_udf()
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let inner = self.inner.simplify()?;
        Some(Box::new(move |call: AggregateFunction, info| {
            let is_duration = call.params.args.first().is_some_and(|first| {
                info.get_data_type(first).is_ok_and(|of| matches!(of, DataType::Duration(_)))
            });
            if is_duration {
                return Ok(datafusion::logical_expr::Expr::AggregateFunction(call));
            }
            inner(call, info)
        }))
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.supports_within_group_clause()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// An accumulator of numbers that is given durations.
#[derive(Debug)]
struct Counting {
    inner: Box<dyn Accumulator>,
}

/// Returns the arguments with the durations, which come first, as microseconds.
fn counted(values: &[ArrayRef]) -> Vec<ArrayRef> {
    let mut values = values.to_vec();
    if let Some(first) = values.first_mut() {
        let durations = first.as_primitive::<DurationMicrosecondType>();
        let numbers: Float64Array = durations.unary(|micros| micros as f64);
        *first = Arc::new(numbers);
    }
    values
}

impl Accumulator for Counting {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&counted(values))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&counted(values))
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let micros = match self.inner.evaluate()? {
            ScalarValue::Float64(micros) => micros,
            other => return exec_err!("a number of microseconds is due, not {other}"),
        };
        match micros {
            None => Ok(ScalarValue::DurationMicrosecond(None)),
            Some(micros) if micros.is_finite() && micros.abs() < i64::MAX as f64 => {
                Ok(ScalarValue::DurationMicrosecond(Some(micros.round() as i64)))
            }
            Some(_) => exec_err!("a duration is out of range"),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
}

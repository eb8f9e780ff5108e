//! `sum` of integers that fails where the engine's own would wrap. It stands in the place of the
//! engine's under the same name: integers are added up as decimals of 38 digits, which no number of
//! rows can fill, and the sum is an integer again; anything else is left to the engine.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, GroupsAccumulator,
    ReversedUDAF, SetMonotonicity, Signature,
};

/// What integers are added up as.
const WIDE: DataType = DataType::Decimal128(38, 0);

/// Returns the function, to be registered over the engine's own.
pub(super) fn function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(ExactSum { inner: Arc::unwrap_or_clone(sum_udaf()) }))
}

/// The engine's `sum` with integers widened.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ExactSum {
    inner: AggregateUDF,
}

/// Fields of the arguments and of the result that the engine's function is told.
struct Widened {
    arguments: Vec<FieldRef>,
    result: FieldRef,
}

/// Returns the fields with integers widened; `None` if there are none.
fn widened(arguments: &[FieldRef], result: &FieldRef) -> Option<Widened> {
    if !matches!(result.data_type(), DataType::Int64 | DataType::UInt64) {
        return None;
    }
    let wide = |field: &FieldRef| Arc::new(Field::new(field.name(), WIDE, true));
    Some(Widened { arguments: arguments.iter().map(wide).collect(), result: wide(result) })
}

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match widened(args.input_fields, &args.return_field) {
            None => self.inner.state_fields(args),
            Some(Widened { arguments, result }) => self.inner.state_fields(StateFieldsArgs {
                input_fields: &arguments,
                return_field: result,
                ..args
            }),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let Some(Widened { arguments, result }) = widened(args.expr_fields, &args.return_field)
        else {
            return self.inner.accumulator(args);
        };
        let integer = args.return_field.data_type().clone();
        let args = AccumulatorArgs { expr_fields: &arguments, return_field: result, ..args };
        Ok(Box::new(Narrowing { inner: self.inner.accumulator(args)?, integer }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let Some(Widened { arguments, result }) = widened(args.expr_fields, &args.return_field)
        else {
            return self.inner.create_sliding_accumulator(args);
        };
        let integer = args.return_field.data_type().clone();
        let args = AccumulatorArgs { expr_fields: &arguments, return_field: result, ..args };
        Ok(Box::new(Narrowing { inner: self.inner.create_sliding_accumulator(args)?, integer }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let Some(Widened { arguments, result }) = widened(args.expr_fields, &args.return_field)
        else {
            return self.inner.create_groups_accumulator(args);
        };
        let integer = args.return_field.data_type().clone();
        let args = AccumulatorArgs { expr_fields: &arguments, return_field: result, ..args };
        Ok(Box::new(Narrowing { inner: self.inner.create_groups_accumulator(args)?, integer }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.inner.reverse_udf()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.inner.inner().set_monotonicity(data_type)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// A sum of decimals that is given integers and whose result is one.
#[derive(Debug)]
struct Narrowing<A> {
    inner: A,
    integer: DataType,
}

fn wide(values: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    values.iter().map(|array| Ok(cast(array, &WIDE)?)).collect()
}

fn out_of_range<E>(_error: E) -> DataFusionError {
    DataFusionError::Execution("a sum of integers is out of range".to_owned())
}

impl Accumulator for Narrowing<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(&wide(values)?)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(&wide(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()?.cast_to(&self.integer).map_err(out_of_range)
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

impl GroupsAccumulator for Narrowing<Box<dyn GroupsAccumulator>> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.inner.update_batch(&wide(values)?, group_indices, opt_filter, total_num_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.inner.evaluate(emit_to)?;
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&sums, &self.integer, &options).map_err(out_of_range)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit_to)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.inner.merge_batch(values, group_indices, total_num_groups)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(&wide(values)?, opt_filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

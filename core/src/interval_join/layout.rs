//! Which columns an interval join keeps of its sides, and how pairs of rows become its output.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array,
    new_null_array,
};
use arrow::compute::{filter, take};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{JoinSide, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};

/// The columns.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The columns of the left side that are kept, by their places there.
    pub(super) left: Vec<usize>,
    /// The same of the right side.
    pub(super) right: Vec<usize>,
    /// Where each column of the output stands among those that are kept.
    output: Vec<ColumnIndex>,
    schema: SchemaRef,
    residual: Option<Residual>,
}

/// What a pair must fulfil besides.
#[derive(Debug, Clone)]
struct Residual {
    predicate: Arc<dyn PhysicalExpr>,
    /// Where each of its columns stands among those that are kept.
    columns: Vec<ColumnIndex>,
    schema: SchemaRef,
}

impl Layout {
    /// Returns the layout for an output of these columns and a residual predicate over the filter's columns.
    pub(super) fn new(
        output: &[ColumnIndex],
        schema: SchemaRef,
        residual: Option<&Arc<dyn PhysicalExpr>>,
        join_filter: &JoinFilter,
    ) -> Result<Self> {
        let mut layout = Self {
            left: Vec::new(),
            right: Vec::new(),
            output: Vec::new(),
            schema,
            residual: None,
        };
        layout.output = output.iter().map(|column| layout.keep(column)).collect();
        if let Some(predicate) = residual {
            layout.residual = Some(layout.residual(predicate, join_filter)?);
        }
        Ok(layout)
    }

    /// Keeps a column of a side. Returns where it stands among those that are kept.
    fn keep(&mut self, column: &ColumnIndex) -> ColumnIndex {
        let kept = match column.side {
            JoinSide::Left => &mut self.left,
            _ => &mut self.right,
        };
        let index = kept.iter().position(|known| *known == column.index).unwrap_or_else(|| {
            kept.push(column.index);
            kept.len() - 1
        });
        ColumnIndex { index, side: column.side }
    }

    fn residual(
        &mut self,
        predicate: &Arc<dyn PhysicalExpr>,
        join_filter: &JoinFilter,
    ) -> Result<Residual> {
        let mut used: Vec<usize> = collect_columns(predicate).iter().map(Column::index).collect();
        used.sort_unstable();
        used.dedup();
        let columns = used.iter().map(|idx| self.keep(&join_filter.column_indices()[*idx]));
        let columns = columns.collect();
        let schema = Arc::new(join_filter.schema().project(&used)?);
        let predicate = Arc::clone(predicate)
            .transform(|node| {
                let Some(column) = node.downcast_ref::<Column>() else {
                    return Ok(Transformed::no(node));
                };
                let idx = used.partition_point(|known| *known < column.index());
                let moved = Column::new(column.name(), idx);
                Ok(Transformed::yes(Arc::new(moved) as Arc<dyn PhysicalExpr>))
            })
            .data()?;
        Ok(Residual { predicate, columns, schema })
    }

    /// Tells whether a pair must fulfil more than that the intervals meet.
    pub(super) fn has_residual(&self) -> bool {
        self.residual.is_some()
    }

    /// Tells whether the output has no column, so that the number of rows is all that is asked for.
    pub(super) fn only_counts(&self) -> bool {
        self.output.is_empty()
    }

    /// Returns the pairs that fulfil the residual predicate; rows count from 0 in their side.
    ///
    /// # Errors
    /// If the predicate cannot be evaluated.
    pub(super) fn matching(
        &self,
        (left, right): (&RecordBatch, &RecordBatch),
        pairs: (UInt32Array, UInt32Array),
    ) -> Result<(UInt32Array, UInt32Array)> {
        let Some(Residual { predicate, columns, schema }) = &self.residual else {
            return Ok(pairs);
        };
        let columns = taken(columns, (left, right), (Some(&pairs.0), Some(&pairs.1)), schema)?;
        let rows = batch(schema, columns, pairs.0.len())?;
        let holds = predicate.evaluate(&rows)?.into_array(rows.num_rows())?;
        let holds: &BooleanArray = holds.as_boolean();
        let keep = |rows: &UInt32Array| -> Result<UInt32Array> {
            Ok(filter(rows, holds)?.as_primitive().clone())
        };
        Ok((keep(&pairs.0)?, keep(&pairs.1)?))
    }

    /// Returns output rows; without rows of a side its columns are NULL.
    ///
    /// # Errors
    /// If a column grows too large.
    pub(super) fn rows(
        &self,
        sides: (&RecordBatch, &RecordBatch),
        pairs: (Option<&UInt32Array>, Option<&UInt32Array>),
    ) -> Result<RecordBatch> {
        let n_rows = pairs.0.or(pairs.1).map_or(0, |rows| rows.len());
        batch(&self.schema, taken(&self.output, sides, pairs, &self.schema)?, n_rows)
    }

    /// Returns so many rows without columns.
    ///
    /// # Errors
    /// Not for a layout that only counts.
    pub(super) fn counted(&self, n_rows: usize) -> Result<RecordBatch> {
        batch(&self.schema, Vec::new(), n_rows)
    }
}

fn taken(
    columns: &[ColumnIndex],
    (left, right): (&RecordBatch, &RecordBatch),
    pairs: (Option<&UInt32Array>, Option<&UInt32Array>),
    schema: &Schema,
) -> Result<Vec<ArrayRef>> {
    let n_rows = pairs.0.or(pairs.1).map_or(0, |rows| rows.len());
    let columns = columns.iter().zip(schema.fields()).map(|(column, field)| {
        let (side, rows) = match column.side {
            JoinSide::Left => (left, pairs.0),
            _ => (right, pairs.1),
        };
        match rows {
            Some(rows) => Ok(take(side.column(column.index), rows, None)?),
            None => Ok(new_null_array(field.data_type(), n_rows)),
        }
    });
    columns.collect()
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, n_rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

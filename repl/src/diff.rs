//! What has changed between two answers to one query.
//! In: the rows of before and of now, and the columns that tell rows apart. Out: which are new, which
//! changed and which are gone. Values are compared exactly: NULL is no empty text, and a number that is
//! none equals itself. Rows that an incomplete answer does not have are not gone but not seen.

pub(crate) mod state;

use std::collections::HashMap;
use std::fmt;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use sessionql_core::display::{count, escape_controls, grouped, unique_names};
use sessionql_core::error::{did_you_mean, nearest};

use crate::usage::Refusal;

/// How many rows are compared.
pub(crate) const MAX_ROWS: usize = 1_000_000;

/// How many names of columns an error tells.
const N_NAMES: usize = 12;

/// What tells rows apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// All their values: a row is there or not, and as many times as it is there.
    Row,
    /// The values of these columns, which no two rows share.
    Columns(Vec<usize>),
}

/// What has changed, as places in the rows of before and of now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: Vec<u32>,
    /// Before and now, in the order of now.
    pub(crate) changed: Vec<(u32, u32)>,
    pub(crate) removed: Vec<u32>,
    /// Those of before that an incomplete answer does not have.
    pub(crate) not_seen: Vec<u32>,
    pub(crate) n_unchanged: usize,
}

/// Why rows cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incomparable {
    /// Two rows have one key.
    #[error("{n_rows} have the same key: {key}", n_rows = count(*.n_rows, "row"))]
    Ambiguous {
        /// The values of the key, with the names of its columns.
        key: String,
        /// How many rows.
        n_rows: u64,
    },
    /// A column has no order of its values, or there is too much of it.
    #[error("the rows cannot be compared: {0}")]
    Column(#[from] ArrowError),
}

impl Changes {
    /// Tells whether something has changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    /// Returns how many rows changed in one way or another.
    pub(crate) fn n_rows(&self) -> usize {
        self.added.len() + self.changed.len() + self.removed.len()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |n: usize| grouped(n as u64);
        let (added, changed, removed) = (self.added.len(), self.changed.len(), self.removed.len());
        write!(formatter, "{} new, {} changed, {} gone, ", n(added), n(changed), n(removed))?;
        write!(formatter, "{} as before", n(self.n_unchanged))?;
        match self.not_seen.len() {
            0 => Ok(()),
            not_seen => write!(formatter, ", {} not seen", n(not_seen)),
        }
    }
}

/// Returns the columns of a key by their names.
///
/// # Errors
/// If the result has none of such a name, or several.
pub(crate) fn key(names: &[String], schema: &Schema) -> Result<Key, Refusal> {
    if names.is_empty() {
        return Ok(Key::Row);
    }
    let fields = || schema.fields().iter().map(|field| field.name().as_str());
    let find = |name: &String| {
        let shown = escape_controls(name);
        match fields().filter(|field| field == name).count() {
            1 => Ok(fields().position(|field| field == name).unwrap_or_default()),
            0 => {
                let all: Vec<&str> = fields().take(N_NAMES).collect();
                let all = format!("the result has `{}`", escape_controls(&all.join("`, `")));
                let hint = did_you_mean(&nearest(name, fields())).unwrap_or(all);
                Err(Refusal::new(format!("the result has no column `{shown}` for `--key`"))
                    .with_hint(hint))
            }
            _ => Err(Refusal::new(format!("the result has several columns `{shown}`"))
                .with_hint("`AS` gives one of them another name")),
        }
    };
    names.iter().map(find).collect::<Result<_, _>>().map(Key::Columns)
}

/// Returns the key that a result seems to have: its `id`, with the connection if it is there.
pub(crate) fn likely_key(schema: &Schema) -> Key {
    let find = |name: &str| {
        let mut found =
            schema.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
        let (idx, _) = found.next()?;
        found.next().is_none().then_some(idx)
    };
    match find("id") {
        None => Key::Row,
        Some(id) => Key::Columns(find("connection").into_iter().chain([id]).collect()),
    }
}

/// Returns rows in one piece, with the names that programs see.
///
/// # Errors
/// If there is too much of a column.
pub(crate) fn whole(
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter().zip(unique_names(schema));
    // Rows that were computed may hold NULL whatever was declared of their column.
    let fields: Vec<_> = fields
        .map(|(field, name)| field.as_ref().clone().with_name(name).with_nullable(true))
        .collect();
    let named: SchemaRef = Schema::new(fields).into();
    let renamed = batches.iter().map(|batch| named_as(&named, batch));
    concat_batches(&named, &renamed.collect::<Result<Vec<_>, _>>()?)
}

fn named_as(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
}

/// Compares rows of the same columns. `is_whole` says that now has all rows that there are.
///
/// # Errors
/// If two rows of one answer have the same key, or a column cannot be compared.
pub(crate) fn compare(
    before: &RecordBatch,
    now: &RecordBatch,
    key: &Key,
    is_whole: bool,
) -> Result<Changes, Incomparable> {
    let (old, new) = encoded(before.columns(), now.columns())?;
    let mut changes = match key {
        Key::Row => compare_rows(&old, &new),
        Key::Columns(columns) => {
            let of = |batch: &RecordBatch| -> Vec<ArrayRef> {
                columns.iter().map(|idx| batch.column(*idx).clone()).collect()
            };
            let (old_keys, new_keys) = encoded(&of(before), &of(now))?;
            let old_places = places(&old_keys, before, columns)?;
            let new_places = places(&new_keys, now, columns)?;
            let mut changes = Changes::default();
            for (row, (key, values)) in new_keys.iter().zip(new.iter()).enumerate() {
                match old_places.get(key.data()) {
                    None => changes.added.push(place(row)),
                    Some(place) if old.row(*place as usize) == values => changes.n_unchanged += 1,
                    Some(old_place) => changes.changed.push((*old_place, place(row))),
                }
            }
            let gone =
                old_keys.iter().enumerate().filter(|(_, key)| !new_places.contains_key(key.data()));
            changes.removed = gone.map(|(row, _)| place(row)).collect();
            changes
        }
    };
    if !is_whole {
        changes.not_seen = std::mem::take(&mut changes.removed);
    }
    Ok(changes)
}

/// Checks that rows can be compared: each column, and that no two rows have one key.
///
/// # Errors
/// As [`compare`].
pub(crate) fn check(rows: &RecordBatch, key: &Key) -> Result<(), Incomparable> {
    let none = rows.slice(0, 0);
    compare(&none, rows, key, true).map(drop)
}

/// Returns rows, and behind them some of others.
///
/// # Errors
/// If there is too much of a column.
pub(crate) fn with(
    rows: &RecordBatch,
    others: &RecordBatch,
    places: &[u32],
) -> Result<RecordBatch, Incomparable> {
    let others = taken(others, places.iter().copied())?;
    Ok(concat_batches(&rows.schema(), [rows, &others])?)
}

fn compare_rows(old: &Rows, new: &Rows) -> Changes {
    let mut left: HashMap<Box<[u8]>, Vec<u32>> = HashMap::new();
    // From behind, so that the first of equal rows is taken first.
    for row in (0..old.num_rows()).rev() {
        left.entry(old.row(row).data().into()).or_default().push(place(row));
    }
    let mut changes = Changes::default();
    for (row, values) in new.iter().enumerate() {
        match left.get_mut(values.data()).and_then(Vec::pop) {
            Some(_) => changes.n_unchanged += 1,
            None => changes.added.push(place(row)),
        }
    }
    changes.removed = left.into_values().flatten().collect();
    changes.removed.sort_unstable();
    changes
}

/// Returns the place of each key.
fn places(
    keys: &Rows,
    batch: &RecordBatch,
    columns: &[usize],
) -> Result<HashMap<Box<[u8]>, u32>, Incomparable> {
    let mut places = HashMap::with_capacity(keys.num_rows());
    for (row, key) in keys.iter().enumerate() {
        if places.insert(key.data().into(), place(row)).is_some() {
            let n_rows = keys.iter().filter(|other| *other == key).count() as u64;
            return Err(Incomparable::Ambiguous {
                key: crate::render::named_values(batch, row, columns),
                n_rows,
            });
        }
    }
    Ok(places)
}

/// Returns the rows of both sides such that equal bytes are equal values.
fn encoded(old: &[ArrayRef], new: &[ArrayRef]) -> Result<(Rows, Rows), ArrowError> {
    let fields = old.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields)?;
    Ok((converter.convert_columns(old)?, converter.convert_columns(new)?))
}

/// Returns which columns of rows that changed did so, for each of these rows.
///
/// # Errors
/// If a column cannot be compared.
pub(crate) fn changed_columns(
    before: &RecordBatch,
    now: &RecordBatch,
    changed: &[(u32, u32)],
) -> Result<Vec<Vec<bool>>, ArrowError> {
    let mut differ = vec![vec![false; now.num_columns()]; changed.len()];
    for idx in 0..now.num_columns() {
        let (old, new) = encoded(&[before.column(idx).clone()], &[now.column(idx).clone()])?;
        for (differ, (old_place, new_place)) in differ.iter_mut().zip(changed) {
            differ[idx] = old.row(*old_place as usize) != new.row(*new_place as usize);
        }
    }
    Ok(differ)
}

/// Returns some of the rows.
///
/// # Errors
/// If there is too much of a column.
pub(crate) fn taken(
    batch: &RecordBatch,
    places: impl IntoIterator<Item = u32>,
) -> Result<RecordBatch, ArrowError> {
    take_record_batch(batch, &UInt32Array::from_iter_values(places))
}

/// Returns the place of a row, of which there are no more than [`MAX_ROWS`].
fn place(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

//! Rows that changed, as rows: for programs with a column `change`, for people with a mark.
//! In: the rows of before and of now, and what became of them. Out: one batch, that any format prints.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::Layout;
use super::value::{read, write_json_text};
use crate::diff::{Changes, changed_columns, taken};

/// The column that says what became of a row.
const CHANGE: &str = "change";

/// The column that has what the values were.
const WAS: &str = "was";

/// Returns the rows that changed: `change`, the columns of the query, and, if rows can change, `was`:
/// an object of the values that are others now. Rows of now come in their order, then those that are
/// gone.
///
/// # Errors
/// If there is too much of a column.
pub(crate) fn for_programs(
    before: &RecordBatch,
    now: &RecordBatch,
    changes: &Changes,
    has_key: bool,
) -> Result<RecordBatch, ArrowError> {
    let Parts { rows, old, differ } = parts(before, now, changes)?;
    let word = |place: &Place| match place {
        Place::Added => "added",
        Place::Changed(_) => "changed",
        Place::Removed => "removed",
    };
    let words: StringArray = rows.places.iter().map(|place| Some(word(place))).collect();
    let mut fields: Vec<FieldRef> = vec![Arc::new(Field::new(CHANGE, DataType::Utf8, false))];
    fields.extend(rows.batch.schema().fields().iter().cloned());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(words)];
    columns.extend(rows.batch.columns().iter().cloned());
    if has_key {
        let was = rows.places.iter().map(|place| match place {
            Place::Changed(idx) => Some(object(&old, *idx, &differ[*idx])),
            Place::Added | Place::Removed => None,
        });
        let json = [("ARROW:extension:name".to_owned(), "arrow.json".to_owned())];
        let field = Field::new(WAS, DataType::Utf8, true).with_metadata(json.into());
        fields.push(Arc::new(field));
        columns.push(Arc::new(was.collect::<StringArray>()));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Returns the rows that changed as people read them: behind a mark, and with the old value before
/// the new one where it is another.
///
/// # Errors
/// If there is too much of a column.
pub(crate) fn for_people(
    before: &RecordBatch,
    now: &RecordBatch,
    changes: &Changes,
    layout: &Layout,
) -> Result<RecordBatch, ArrowError> {
    let Parts { rows, old, differ } = parts(before, now, changes)?;
    let mark = |place: &Place| match place {
        Place::Added => "+",
        Place::Changed(_) => "~",
        Place::Removed => "-",
    };
    let marks: StringArray = rows.places.iter().map(|place| Some(mark(place))).collect();
    let arrow = if layout.picture.is_ascii { "->" } else { "→" };
    let mut fields = vec![Field::new("", DataType::Utf8, false)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(marks)];
    for (column, (field, array)) in
        now.schema().fields().iter().zip(rows.batch.columns()).enumerate()
    {
        let cell = |(row, place): (usize, &Place)| {
            let new = read(array, row).shown(layout);
            match place {
                Place::Changed(idx) if differ[*idx][column] => {
                    let was = read(old.column(column), *idx).shown(layout);
                    format!("{was} {arrow} {new}")
                }
                _ => new,
            }
        };
        let cells = rows.places.iter().enumerate().map(cell);
        columns.push(Arc::new(StringArray::from_iter_values(cells)));
        fields.push(Field::new(field.name(), DataType::Utf8, false));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// The rows to show, and those that some of them were.
struct Parts {
    rows: Shown,
    /// What the changed rows were.
    old: RecordBatch,
    /// Which of their columns changed.
    differ: Vec<Vec<bool>>,
}

struct Shown {
    batch: RecordBatch,
    places: Vec<Place>,
}

/// What became of a row.
enum Place {
    Added,
    /// With its place among those that changed.
    Changed(usize),
    Removed,
}

fn parts(before: &RecordBatch, now: &RecordBatch, changes: &Changes) -> Result<Parts, ArrowError> {
    let added = changes.added.iter().map(|row| (*row, Place::Added));
    let changed =
        changes.changed.iter().enumerate().map(|(idx, (_, row))| (*row, Place::Changed(idx)));
    let mut new: Vec<(u32, Place)> = added.chain(changed).collect();
    new.sort_by_key(|(row, _)| *row);
    let schema: SchemaRef = now.schema();
    let gone = taken(before, changes.removed.iter().copied())?;
    let gone = RecordBatch::try_new(Arc::clone(&schema), gone.columns().to_vec())?;
    let there = taken(now, new.iter().map(|(row, _)| *row))?;
    let batch = concat_batches(&schema, [&there, &gone])?;
    let mut places: Vec<Place> = new.into_iter().map(|(_, place)| place).collect();
    places.extend(changes.removed.iter().map(|_| Place::Removed));
    let old = taken(before, changes.changed.iter().map(|(row, _)| *row))?;
    let differ = changed_columns(before, now, &changes.changed)?;
    Ok(Parts { rows: Shown { batch, places }, old, differ })
}

/// Returns values of a row as an object of JSON.
fn object(batch: &RecordBatch, row: usize, wanted: &[bool]) -> String {
    let mut object = String::from("{");
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).zip(wanted);
    for ((field, array), _) in columns.filter(|(_, is_wanted)| **is_wanted) {
        if object.len() > 1 {
            object.push(',');
        }
        write_json_text(field.name(), &mut object);
        object.push(':');
        read(array, row).write_json(&mut object);
    }
    object.push('}');
    object
}

/// Returns values of a row with the names of their columns: ``` `id` = 5 ```.
pub(crate) fn named_values(batch: &RecordBatch, row: usize, columns: &[usize]) -> String {
    let schema = batch.schema();
    let values = columns.iter().map(|column| {
        let value = read(batch.column(*column), row).human_text(chrono_tz::Tz::UTC);
        format!("`{}` = {value}", schema.field(*column).name())
    });
    values.collect::<Vec<_>>().join(", ")
}

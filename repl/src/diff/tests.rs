//! What counts as changed, and that a state comes back as it was written.

use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field};
use proptest::prelude::*;

use super::state::{State, StateFile};
use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field =
        |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn rows(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    batch(vec![
        ("id", Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())),
        ("status", Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>())),
    ])
}

const ID: &[usize] = &[0];

fn by_id(before: &RecordBatch, now: &RecordBatch) -> Changes {
    compare(before, now, &Key::Columns(ID.to_vec()), true).unwrap()
}

#[test]
fn rows_of_one_key_are_new_changed_or_gone() {
    let before = rows(&[(1, Some("ACTIVE")), (2, None), (3, Some("")), (4, Some("x"))]);
    let now = rows(&[(5, Some("ACTIVE")), (4, Some("x")), (2, Some("")), (1, Some("COMPLETED"))]);
    let changes = by_id(&before, &now);
    assert_eq!(changes.added, [0]);
    assert_eq!(changes.changed, [(1, 2), (0, 3)], "NULL is no empty text");
    assert_eq!(changes.removed, [2]);
    assert_eq!(changes.to_string(), "1 new, 2 changed, 1 gone, 1 as before");
    let differ = changed_columns(&before, &now, &changes.changed).unwrap();
    assert_eq!(differ, [[false, true], [false, true]]);
}

#[test]
fn without_a_key_equal_rows_are_counted() {
    let before = rows(&[(1, None), (1, None), (2, None)]);
    let now = rows(&[(1, None), (3, None), (2, None), (2, None)]);
    let changes = compare(&before, &now, &Key::Row, true).unwrap();
    assert_eq!((changes.added, changes.removed), (vec![1, 3], vec![1]));
    assert_eq!(changes.n_unchanged, 2);
}

#[test]
fn rows_of_an_incomplete_answer_are_not_gone() {
    let (before, now) = (rows(&[(1, None), (2, None)]), rows(&[(2, Some("x"))]));
    for key in [Key::Row, Key::Columns(ID.to_vec())] {
        let changes = compare(&before, &now, &key, false).unwrap();
        assert!(changes.removed.is_empty());
        assert!(changes.not_seen.contains(&0), "{changes:?}");
    }
}

#[test]
fn a_key_that_two_rows_share_is_refused() {
    let twice = rows(&[(1, None), (7, Some("a")), (7, Some("b"))]);
    let key = Key::Columns(ID.to_vec());
    let error = compare(&twice, &twice, &key, true).unwrap_err();
    assert_eq!(error.to_string(), "2 rows have the same key: `id` = 7");
    assert!(check(&twice, &key).is_err() && check(&twice, &Key::Row).is_ok());
}

#[test]
fn a_key_is_found_by_the_names_of_its_columns() {
    let schema = rows(&[]).schema();
    let of = |names: &[&str]| {
        key(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), &schema)
    };
    assert_eq!(of(&["status", "id"]).unwrap(), Key::Columns(vec![1, 0]));
    assert_eq!(of(&[]).unwrap(), Key::Row);
    let refusal = of(&["statsu"]).unwrap_err();
    assert_eq!(refusal.message, "the result has no column `statsu` for `--key`");
    assert_eq!(refusal.hint.unwrap(), "did you mean `status`?");
}

#[test]
fn a_session_is_told_apart_by_its_id_and_its_connection() {
    let of = |names: &[&str]| {
        let fields: Vec<Field> =
            names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        likely_key(&Schema::new(fields))
    };
    assert_eq!(of(&["id", "user", "connection"]), Key::Columns(vec![2, 0]));
    assert_eq!(of(&["user", "id"]), Key::Columns(vec![1]));
    assert_eq!(of(&["user"]), Key::Row);
    assert_eq!(of(&["id", "id"]), Key::Row);
}

/// One column of each type that results have, with what is lost most easily.
fn every_type() -> RecordBatch {
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a"), None]);
    tags.append_value([] as [Option<&str>; 0]);
    tags.append_null();
    let times = vec![Some(1), Some(i64::MAX), None];
    let decimals = Decimal128Array::from(vec![Some(12_345), Some(-5), None]);
    batch(vec![
        ("text", Arc::new(StringArray::from(vec![Some(""), Some("\u{0}\n漢"), None]))),
        ("float", Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(-0.0), None]))),
        ("time", Arc::new(TimestampMicrosecondArray::from(times.clone()).with_timezone("UTC"))),
        ("lasted", Arc::new(DurationMicrosecondArray::from(times))),
        ("number", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), None]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("tags", Arc::new(tags.finish())),
        ("cost", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
    ])
}

fn state(rows: RecordBatch) -> State {
    State { query: "q".to_owned(), epoch: 3, run: 4, rows }
}

#[test]
fn a_state_comes_back_with_its_types() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let file = StateFile::open(&path).unwrap();
    assert_eq!(file.last, None);
    file.save(&state(every_type())).unwrap();
    drop(file);
    let last = StateFile::open(&path).unwrap().last.unwrap();
    assert_eq!((last.query.as_str(), last.epoch, last.run), ("q", 3, 4));
    assert_eq!(last.rows.schema(), every_type().schema());
    let changes = compare(&last.rows, &every_type(), &Key::Row, true).unwrap();
    assert_eq!(changes.to_string(), "0 new, 0 changed, 0 gone, 3 as before");
}

#[cfg(unix)]
#[test]
fn a_state_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    StateFile::open(&path).unwrap().save(&state(every_type())).unwrap();
    for file in ["state", "state.lock"] {
        let mode = std::fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn what_is_no_state_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    StateFile::open(&path).unwrap().save(&state(every_type())).unwrap();
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let refusal = StateFile::open(&path).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        refusal.message.rsplit("` ").next().unwrap().to_owned()
    };
    assert_eq!(refused(b""), "is not a file that `--state` wrote".rsplit("` ").next().unwrap());
    assert_eq!(refused(&good[..good.len() - 1]), "is damaged");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&flipped), "is damaged");
    let newer = String::from_utf8_lossy(&good).replacen(
        "\"sessionql_state\":1",
        "\"sessionql_state\":2",
        1,
    );
    assert_eq!(refused(newer.as_bytes()), "is of version 2, this build reads 1");
}

#[test]
fn two_runs_do_not_share_a_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let first = StateFile::open(&path).unwrap();
    let refusal = StateFile::open(&path).unwrap_err();
    assert!(refusal.message.ends_with("` is in use by another run"), "{}", refusal.message);
    drop(first);
    assert!(StateFile::open(&path).is_ok());
}

proptest! {
    /// What was there, without what is gone, with what is new and changed, is what is there.
    #[test]
    fn changes_lead_from_before_to_now(
        before in prop::collection::btree_map(0_i64..30, "[ab]?", 0..20),
        now in prop::collection::btree_map(0_i64..30, "[ab]?", 0..20),
    ) {
        let of = |map: &std::collections::BTreeMap<i64, String>| {
            let list: Vec<_> = map.iter().map(|(id, text)| (*id, Some(text.as_str()))).collect();
            rows(&list)
        };
        let (old, new) = (of(&before), of(&now));
        let ids = |batch: &RecordBatch, places: &[u32]| -> Vec<i64> {
            let ids = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>();
            places.iter().map(|place| ids.value(*place as usize)).collect()
        };
        let changes = by_id(&old, &new);
        let mut led = before.clone();
        led.retain(|id, _| !ids(&old, &changes.removed).contains(id));
        let changed: Vec<u32> = changes.changed.iter().map(|(_, place)| *place).collect();
        for id in ids(&new, &changes.added).into_iter().chain(ids(&new, &changed)) {
            led.insert(id, now[&id].clone());
        }
        prop_assert_eq!(&led, &now);
        prop_assert_eq!(changes.n_unchanged + changes.added.len() + changed.len(), now.len());
        let by_row = compare(&old, &new, &Key::Row, true).unwrap();
        prop_assert_eq!(by_row.added.len(), changes.added.len() + changed.len());
        prop_assert_eq!(by_row.removed.len(), changes.removed.len() + changed.len());
    }
}

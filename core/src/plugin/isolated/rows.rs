//! Rows between a child and the host: the two parts of an Arrow IPC message without compression.
//! The host knows the columns, because it asked for them, and takes nothing else from the child: what
//! the message says of lengths and places is checked before anything is read by it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, MutableArrayData, RecordBatch, RecordBatchOptions, make_array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow_ipc::convert::try_schema_from_flatbuffer_bytes;
use arrow_ipc::reader::read_record_batch;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};

/// Returns the columns that rows have, for the child.
pub(super) fn encode_schema(schema: &SchemaRef) -> Vec<u8> {
    let (mut dictionaries, options) = (DictionaryTracker::new(false), IpcWriteOptions::default());
    IpcDataGenerator::default()
        .schema_to_bytes_with_dictionary_tracker(schema, &mut dictionaries, &options)
        .ipc_message
}

/// Returns the columns that the host wrote.
///
/// # Errors
/// What cannot be read.
pub(super) fn decode_schema(bytes: &[u8]) -> Result<SchemaRef, String> {
    try_schema_from_flatbuffer_bytes(bytes).map(Arc::new).map_err(|error| error.to_string())
}

/// Returns rows as a message: its head and its body.
///
/// # Errors
/// If the writer refuses them.
pub(super) fn encode(rows: &RecordBatch) -> Result<(Vec<u8>, Vec<u8>), String> {
    let mut dictionaries = DictionaryTracker::new(false);
    let options = IpcWriteOptions::default();
    let (_, message) = IpcDataGenerator::default()
        .encode(rows, &mut dictionaries, &options, &mut Default::default())
        .map_err(|error| error.to_string())?;
    Ok((message.ipc_message, message.arrow_data))
}

/// Returns the rows of a message, each column in memory of its own.
///
/// # Errors
/// What is wrong with the message.
pub(super) fn decode(
    head: &[u8],
    body: Vec<u8>,
    schema: &SchemaRef,
) -> Result<RecordBatch, String> {
    let message = arrow_ipc::root_as_message(head).map_err(|error| error.to_string())?;
    let batch = message.header_as_record_batch().ok_or("it is not a batch of rows")?;
    check(&batch, body.len(), schema)?;
    let body = Buffer::from_vec(body);
    // What was checked leaves the reader nothing to trip over; if it does all the same, the rows are
    // refused like others that cannot be read.
    let read = || {
        let (version, dictionaries) = (message.version(), HashMap::new());
        read_record_batch(&body, batch, Arc::clone(schema), &dictionaries, None, &version)
    };
    let rows = catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| "it does not follow the Arrow IPC format".to_owned())?
        .map_err(|error| error.to_string())?;
    let columns = rows.columns().iter().map(copy).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| error.to_string())
}

/// Copies a column out of the message, so that its memory is counted once and ends with it.
fn copy(column: &ArrayRef) -> Result<ArrayRef, String> {
    let data = column.to_data();
    let mut copied = MutableArrayData::new(vec![&data], false, data.len());
    copied.try_extend(0, 0, data.len()).map_err(|error| error.to_string())?;
    Ok(make_array(copied.freeze()))
}

/// Checks what a message says of itself.
fn check(
    batch: &arrow_ipc::RecordBatch<'_>,
    body_len: usize,
    schema: &SchemaRef,
) -> Result<(), String> {
    if batch.compression().is_some() || batch.variadicBufferCounts().is_some_and(|n| !n.is_empty())
    {
        return Err("it has what version 1 does not".to_owned());
    }
    if batch.length() < 0 {
        return Err("it has a negative number of rows".to_owned());
    }
    let nodes = batch.nodes().ok_or("it has no columns")?;
    let buffers = batch.buffers().ok_or("it has no buffers")?;
    for buffer in buffers {
        let (offset, len) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
        let end = offset.ok().zip(len.ok()).and_then(|(offset, len)| offset.checked_add(len));
        if end.is_none_or(|end| end > body_len) {
            return Err("it has a buffer outside of its body".to_owned());
        }
    }
    let (mut n_nodes, mut n_buffers) = (0, 0);
    let mut types: Vec<&DataType> =
        schema.fields().iter().rev().map(|field| field.data_type()).collect();
    while let Some(data_type) = types.pop() {
        if n_nodes >= nodes.len() || n_buffers >= buffers.len() {
            return Err("it has too few columns".to_owned());
        }
        let (node, validity) = (nodes.get(n_nodes), buffers.get(n_buffers));
        n_nodes += 1;
        n_buffers += match data_type {
            DataType::Utf8 => 3,
            DataType::List(element) => {
                types.push(element.data_type());
                2
            }
            _ => 2,
        };
        // A value takes a bit at least, so the body bounds every length.
        let is_length = usize::try_from(node.length()).is_ok_and(|n| n / 8 <= body_len);
        if !is_length || !(0..=node.length()).contains(&node.null_count()) {
            return Err("it has a column of an impossible length".to_owned());
        }
        if node.null_count() > 0 && validity.length() < (node.length() - 1) / 8 + 1 {
            return Err("it has a column whose NULLs are cut off".to_owned());
        }
    }
    if n_nodes != nodes.len() || n_buffers != buffers.len() {
        return Err("it has another number of columns".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder,
        TimestampMicrosecondArray,
    };
    use proptest::prelude::*;

    use super::*;

    /// Rows of all kinds of columns, with NULLs.
    fn rows(n_rows: usize) -> RecordBatch {
        let is_null = |n: usize| n % 3 == 1;
        let numbers = 0..n_rows;
        let texts: StringArray =
            numbers.clone().map(|n| (!is_null(n)).then(|| format!("text {n}"))).collect();
        let ints: Int64Array = numbers.clone().map(|n| Some(n as i64)).collect();
        let flags: BooleanArray =
            numbers.clone().map(|n| (!is_null(n)).then_some(n % 2 == 0)).collect();
        let times: TimestampMicrosecondArray =
            numbers.clone().map(|n| (!is_null(n)).then_some(n as i64 * 1_000_000)).collect();
        let mut lists = ListBuilder::new(StringBuilder::new());
        for n in numbers {
            (0..n % 4).for_each(|k| lists.values().append_value(k.to_string()));
            lists.append(!is_null(n));
        }
        let columns: [(&str, ArrayRef); 5] = [
            ("text", Arc::new(texts)),
            ("int", Arc::new(ints)),
            ("flag", Arc::new(flags)),
            ("time", Arc::new(times.with_timezone("UTC"))),
            ("list", Arc::new(lists.finish())),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_went() {
        for n_rows in [0, 1, 7, 1_000] {
            for whole in [rows(n_rows), rows(n_rows + 20).slice(9, n_rows)] {
                let (head, body) = encode(&whole).unwrap();
                let schema = decode_schema(&encode_schema(&whole.schema())).unwrap();
                assert_eq!(schema, whole.schema());
                let back = decode(&head, body, &schema).unwrap();
                assert_eq!(back, whole);
            }
        }
        let none = rows(5).project(&[]).unwrap();
        let (head, body) = encode(&none).unwrap();
        assert_eq!(decode(&head, body, &none.schema()).unwrap().num_rows(), 5);
    }

    #[test]
    fn rows_of_other_columns_are_refused() {
        let (head, body) = encode(&rows(5)).unwrap();
        let fewer = rows(5).project(&[0, 1]).unwrap().schema();
        assert_eq!(
            decode(&head, body.clone(), &fewer).unwrap_err(),
            "it has another number of columns"
        );
        let swapped = rows(5).project(&[1, 0, 2, 3, 4]).unwrap().schema();
        assert!(decode(&head, body, &swapped).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_changed_message_is_rows_or_an_error(
            n_rows in 0_usize..40,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in proptest::option::of(any::<prop::sample::Index>()),
            is_head in any::<bool>(),
        ) {
            let whole = rows(n_rows);
            let (mut head, mut body) = encode(&whole).unwrap();
            let part = if is_head || body.is_empty() { &mut head } else { &mut body };
            for (at, byte) in changes {
                let at = at.index(part.len());
                part[at] = byte;
            }
            if let Some(cut) = cut {
                part.truncate(cut.index(part.len()));
            }
            if let Ok(read) = decode(&head, body, &whole.schema()) {
                // What is taken is sound: every value can be looked at.
                let _text = format!("{read:?}");
            }
        }
    }
}

use arrow::array::*;
use arrow::datatypes::{Fields, Int32Type, Schema, UInt64Type, i256};
use parquet::arrow::ArrowWriter;

use super::*;
use crate::config::Config;

/// A file of one column called `a`, which has these values.
fn file_of(array: ArrayRef) -> tempfile::NamedTempFile {
    let field = Field::new("a", array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(vec![field]));
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![array]).unwrap();
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().unwrap();
    let mut writer = ArrowWriter::try_new(file.reopen().unwrap(), schema, None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    file
}

/// The type of the column and its values as text, or what is wrong with it.
fn read_with(array: ArrayRef, keys: &str) -> Result<String, String> {
    let file = file_of(array);
    let toml = format!("[tables.t]\npath = {:?}\n{keys}", file.path());
    let config = Config::parse(&toml).unwrap().tables.remove("t").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let context = StatementContext::new(Utc::now(), Utc::now(), runtime.handle().clone());
    let said = |fault: Fault| match fault.hint {
        Some(hint) => format!("{} ({hint})", fault.message),
        None => fault.message,
    };
    let columns = survey(&config, file.reopen().unwrap(), &context).map_err(said)?;
    let mut texts = vec![format!("{:?}", columns[0].column_type)];
    let mut emit = |columns: Vec<ArrayRef>, _| {
        let options = FormatOptions::default().with_null("NULL");
        let formatter = ArrayFormatter::try_new(&columns[0], &options).unwrap();
        texts.extend((0..columns[0].len()).map(|row| formatter.value(row).to_string()));
        Ok(Wanted::More)
    };
    let decoder = Decoder::open(file.reopen().unwrap(), 1).map_err(said)?;
    each_batch(&config, &decoder, &columns, &[0], 2, &mut emit).map_err(said)?;
    Ok(texts.join(" "))
}

fn read(array: ArrayRef) -> Result<String, String> {
    read_with(array, "")
}

fn declared(array: ArrayRef, word: &str) -> Result<String, String> {
    read_with(array, &format!("columns = {{ a = \"{word}\" }}"))
}

fn ok(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn no(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}

#[test]
fn simple_types() {
    let texts = vec![Some("x"), None, Some("")];
    assert_eq!(read(Arc::new(StringArray::from(texts.clone()))), ok("Text x NULL "));
    assert_eq!(read(Arc::new(LargeStringArray::from(texts.clone()))), ok("Text x NULL "));
    assert_eq!(read(Arc::new(StringViewArray::from(texts.clone()))), ok("Text x NULL "));
    let dictionary: DictionaryArray<Int32Type> = texts.into_iter().collect();
    assert_eq!(read(Arc::new(dictionary)), ok("Text x NULL "));
    assert_eq!(read(Arc::new(BooleanArray::from(vec![true, false]))), ok("Bool true false"));
    assert_eq!(read(Arc::new(Int8Array::from(vec![-1, 2]))), ok("Int64 -1 2"));
    assert_eq!(read(Arc::new(UInt32Array::from(vec![u32::MAX]))), ok("Int64 4294967295"));
    assert_eq!(read(Arc::new(Float32Array::from(vec![0.5]))), ok("Float64 0.5"));
    assert_eq!(read(Arc::new(NullArray::new(1))), ok("Text NULL"));
}

#[test]
fn a_number_that_does_not_fit_is_an_error_before_the_first_row() {
    let long = || Arc::new(UInt64Array::from(vec![1, u64::MAX]));
    assert_eq!(
        read(long()),
        no(
            "column `a`: Can't cast value 18446744073709551615 to type Int64 (declare it as `text`)"
        )
    );
    assert_eq!(declared(long(), "text"), ok("Text 1 18446744073709551615"));
    let decimal = |values: Vec<i128>, scale| -> ArrayRef {
        let array = Decimal128Array::from(values).with_precision_and_scale(30, scale).unwrap();
        Arc::new(array)
    };
    assert_eq!(read(decimal(vec![1250, -50], 2)), ok("Float64 12.5 -0.5"));
    let fine = || decimal(vec![123_456_789_012_345_678_901], 10);
    assert_eq!(
        read(fine()),
        no(
            "column `a`: `12345678901.2345678901` has more digits than a float64 keeps (declare it as `text`, or as `float64` to round it)"
        )
    );
    assert_eq!(declared(fine(), "float64"), ok("Float64 12345678901.234568"));
    assert_eq!(declared(fine(), "text"), ok("Text 12345678901.2345678901"));
    let wide = Decimal256Array::from(vec![i256::from_i128(700)]);
    let wide = wide.with_precision_and_scale(40, 0).unwrap();
    assert_eq!(read(Arc::new(wide.clone())), ok("Float64 700.0"));
    assert_eq!(declared(Arc::new(wide), "int64"), ok("Int64 700"));
    let short = Decimal128Array::from(vec![7]).with_precision_and_scale(18, 0).unwrap();
    assert_eq!(read(Arc::new(short)), ok("Int64 7"));
}

#[test]
fn instants_are_microseconds_in_utc() {
    let berlin = "time_zone = \"Europe/Berlin\"";
    let local = || Arc::new(TimestampMillisecondArray::from(vec![0, 1_500]));
    assert_eq!(read(local()), ok("Timestamp 1970-01-01T00:00:00Z 1970-01-01T00:00:01.500Z"));
    assert_eq!(
        read_with(local(), berlin),
        ok("Timestamp 1969-12-31T23:00:00Z 1969-12-31T23:00:01.500Z")
    );
    let utc = TimestampSecondArray::from(vec![Some(0), None]).with_timezone("+02:00");
    assert_eq!(read_with(Arc::new(utc), berlin), ok("Timestamp 1970-01-01T00:00:00Z NULL"));
    let days = Date32Array::from(vec![1]);
    assert_eq!(read_with(Arc::new(days), berlin), ok("Timestamp 1970-01-01T23:00:00Z"));
    let nanos = |nanos| Arc::new(TimestampNanosecondArray::from(vec![nanos]));
    assert_eq!(read(nanos(-1_000)), ok("Timestamp 1969-12-31T23:59:59.999999Z"));
    assert_eq!(
        read(nanos(1)),
        no(
            "column `a`: `1970-01-01T00:00:00.000000001+00:00` is finer than microseconds (declare it as `timestamp` to cut it, or as `text`)"
        )
    );
    assert_eq!(declared(nanos(1_001), "timestamp"), ok("Timestamp 1970-01-01T00:00:00.000001Z"));
    assert_eq!(declared(nanos(-1), "timestamp"), ok("Timestamp 1969-12-31T23:59:59.999999Z"));
}

#[test]
fn lists_and_records() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("x"), None]);
    lists.append_null();
    assert_eq!(read(Arc::new(lists.finish())), ok("TextList [x, NULL] NULL"));
    let record = || -> ArrayRef {
        let fields = Fields::from(vec![Field::new("n", DataType::Int64, true)]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        Arc::new(StructArray::new(fields, vec![numbers], None))
    };
    let Err(text) = read(record()) else { panic!("a record has no type of ours") };
    assert!(text.starts_with("column `a` has the type `"), "{text}");
    assert!(text.ends_with("which the language lacks (declare it as `json`)"), "{text}");
    assert_eq!(declared(record(), "json"), ok("Json {\"n\":1} {}"));
}

#[test]
fn declared_types_read_text() {
    let texts = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    assert_eq!(declared(texts("007"), "int64"), ok("Int64 7"));
    assert_eq!(
        declared(texts("2026-03-01 08:00"), "timestamp"),
        ok("Timestamp 2026-03-01T08:00:00Z")
    );
    assert_eq!(
        declared(texts("x"), "int64"),
        no("column `a`: `x` is no int64 (declare it as `text`)")
    );
    assert_eq!(
        declared(Arc::new(Int64Array::from(vec![1])), "timestamp"),
        no("column `a` has the type `Int64`, which cannot be read as declared")
    );
    let binary = || Arc::new(BinaryArray::from_vec(vec![b"\xff"]));
    assert_eq!(
        read(binary()),
        no("column `a` has the type `Binary`, which the language lacks (declare it as `text`)")
    );
    let Err(text) = declared(binary(), "text") else { panic!("that is no text") };
    assert!(text.contains("UTF-8"), "{text}");
}

#[test]
fn nobody_looks_through_a_file_after_the_deadline() {
    let file = file_of(Arc::new(UInt64Array::from(vec![1])));
    let toml = format!("[tables.t]\npath = {:?}\n", file.path());
    let config = Config::parse(&toml).unwrap().tables.remove("t").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut context = StatementContext::new(Utc::now(), Utc::now(), runtime.handle().clone());
    context.deadline = Some(tokio::time::Instant::now());
    assert!(survey(&config, file.reopen().unwrap(), &context).unwrap_err().is_cancelled);
}

/// Columns `a` (0, 1, 2, …), `b` (its text) and `c` (its double; the last one does not fit), in row groups of
/// 50,000: so many bytes that several threads decode them.
fn large_file() -> tempfile::NamedTempFile {
    const N_ROWS: u64 = 200_000;
    let last = |n: u64| if n + 1 == N_ROWS { u64::MAX } else { 2 * n };
    let rows = RecordBatch::try_from_iter([
        ("a", Arc::new((0..N_ROWS as i64).collect::<Int64Array>()) as ArrayRef),
        ("b", Arc::new((0..N_ROWS).map(|n| Some(n.to_string())).collect::<StringArray>())),
        ("c", Arc::new((0..N_ROWS).map(last).collect::<UInt64Array>())),
    ])
    .unwrap();
    let file = tempfile::Builder::new().suffix(".parquet").tempfile().unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(50_000))
        .build();
    let mut writer =
        ArrowWriter::try_new(file.reopen().unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    file
}

/// Reads columns of a file until so many rows are there; returns `a` and `b` of each row, or what is wrong.
fn rows_of(
    file: &tempfile::NamedTempFile,
    wanted: &[usize],
    enough: usize,
) -> Result<Vec<(i64, String)>, String> {
    let decoder = Decoder::open(file.reopen().unwrap(), 2).map_err(|fault| fault.message)?;
    let mut rows = Vec::new();
    let convert = |idx: usize, array: &ArrayRef| match array.data_type() {
        DataType::UInt64 if array.as_primitive::<UInt64Type>().values().contains(&u64::MAX) => {
            Err(Fault::new(format!("column {idx} is wrong")))
        }
        _ => Ok(Arc::clone(array)),
    };
    let mut emit = |columns: Vec<ArrayRef>, n_rows: usize| {
        assert!(columns.iter().all(|column| column.len() == n_rows));
        let place = |idx| wanted.iter().position(|wanted| *wanted == idx).unwrap();
        let numbers = columns[place(0)].as_primitive::<Int64Type>().values().iter().copied();
        let texts = columns[place(1)].as_string::<i32>().iter().flatten().map(str::to_owned);
        rows.extend(numbers.zip(texts));
        Ok(if rows.len() >= enough { Wanted::Enough } else { Wanted::More })
    };
    let read = decoder.each_batch(wanted, 4096, &convert, &mut emit);
    read.map(|()| rows).map_err(|fault| fault.message)
}

#[test]
fn columns_that_several_threads_decode_come_together_again() {
    let file = large_file();
    let all: Vec<(i64, String)> = (0..200_000).map(|n| (n, n.to_string())).collect();
    assert!(rows_of(&file, &[0, 1], usize::MAX).unwrap() == all);
    assert!(rows_of(&file, &[1, 0], usize::MAX).unwrap() == all, "in another order");
    assert!(rows_of(&file, &[1, 0], 5_000).unwrap() == all[..8192], "no more than is wanted");
    assert_eq!(rows_of(&file, &[0, 2, 1], usize::MAX), Err("column 2 is wrong".to_owned()));
    assert!(rows_of(&file, &[0, 2, 1], 5_000).is_ok(), "what is wrong lies further on");
}

#[test]
fn damage_in_what_one_thread_decodes_is_an_error() {
    let file = large_file();
    let mut bytes = std::fs::read(file.path()).unwrap();
    let middle = bytes.len() / 2;
    for first in [4, middle] {
        bytes[first..first + 20_000].fill(0xff);
    }
    std::fs::write(file.path(), bytes).unwrap();
    let error = rows_of(&file, &[0, 1], usize::MAX).unwrap_err();
    assert!(error.starts_with("cannot be read as Parquet: "), "{error}");
}

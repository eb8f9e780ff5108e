//! Holds that each crime is committed: what the host gets to see of it.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_faulty::sessionql_plugin_v1;
use sessionql_plugin_sdk::message::Request;
use sessionql_plugin_sdk::testing::{FakeHost, Reply, Scan};

fn request(columns: &[&str]) -> Request {
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Request { table: "rows".to_owned(), columns, ..Request::default() }
}

fn scan(crime: &str) -> Scan {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({"crime": crime})).unwrap();
    host.scan(&request(&["id", "n"]), &Value::Null, |_| Reply::status(200, ""))
}

#[test]
fn none_makes_good_rows_in_batches() {
    let scan = scan("none");
    let sizes: Vec<_> = scan.batches.iter().map(|batch| batch.num_rows()).collect();
    assert_eq!(sizes, [4, 4, 2]);
    assert_eq!(scan.rows()[9], [json!("9"), json!(9)]);
    assert!(scan.outcome.is_ok());
}

#[test]
fn zero_columns_still_count_rows() {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({"rows": 7})).unwrap();
    let scan = host.scan(&request(&[]), &Value::Null, |_| Reply::status(200, ""));
    assert_eq!(scan.rows().len(), 7);
}

#[test]
fn each_crime_is_seen() {
    let types = |scan: &Scan| {
        let schema = scan.batches[0].schema();
        schema.fields().iter().map(|field| field.data_type().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(types(&scan("wrong_schema")), ["Int64", "Int64"]);
    assert_eq!(types(&scan("wrong_column_count")), ["Utf8", "Int64", "Int64"]);
    assert_eq!(scan("lies_null").rows()[1], [Value::Null, json!(1)]);
    assert_eq!(scan("no_report").error_messages(), ["a call ended with 0 replies"]);
    let failed = scan("error_after_two_batches");
    assert_eq!((failed.rows().len(), failed.code), (8, 1));
    assert_eq!(scan("undeclared_request").error_messages(), ["no pattern for `GET /forbidden`"]);
}

#[test]
fn too_many_rows_goes_on_after_stop() {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({"crime": "too_many_rows"})).unwrap();
    let scan = host.scan_until(3, &request(&["n"]), &Value::Null, |_| Reply::status(200, ""));
    assert_eq!(scan.rows().len(), 10);
}

#[test]
fn an_unknown_crime_is_an_error_of_the_configuration() {
    let error = FakeHost::connect(sessionql_plugin_v1, json!({"crime": "arson"})).unwrap_err();
    assert_eq!(error.errors[0].message, "option `crime` is `arson`, which is none that is known");
}

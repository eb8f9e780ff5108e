//! Reads JSON of all shapes into rows, through the exported functions of a plugin made for it.

#![expect(clippy::unwrap_used, reason = "helpers of a test may fail")]

use serde_json::{Value, json};
use sessionql_plugin_sdk::message::{HttpRequest, Manifest, Pattern, Report, Request, ScanRequest};
use sessionql_plugin_sdk::testing::{FakeHost, Reply, Scan};
use sessionql_plugin_sdk::{
    ClosedEnd, Column, ErrorDocument, Host, Level, Options, Provider, Result, Table,
    export_provider,
};

/// Reads `/items`, whose records are where the slice says.
struct Items;

fn items() -> Table {
    Table::new("items", "One item.")
        .main()
        .primary_key(["id"])
        .closed_end(ClosedEnd {
            end: "end",
            start: "start",
            duration: Some("took"),
            status: "status",
            open: &["OPEN"],
            closed: &["DONE"],
        })
        .columns([
            Column::text("id", "id").required(),
            Column::text("owner", "meta.owner.name"),
            Column::text("owner_id", "meta.owner.id"),
            Column::timestamp("start", "start"),
            Column::timestamp("end", "end"),
            Column::text("status", "status"),
            Column::seconds("took", "took"),
            Column::millis("lag", "lag_ms"),
            Column::int64("n", "n"),
            Column::float64("share", "share"),
            Column::bool("flag", "flag"),
            Column::text("loud", "loud").upper_case(),
            Column::proto_duration("lasted", "lasted"),
            Column::text_list("tags", "tags"),
            Column::json("meta", "meta"),
            Column::constant("kind", "ITEM"),
            Column::timestamp("never", "never").absent(),
            Column::json("raw", "").hidden(),
        ])
}

impl Provider for Items {
    fn manifest() -> Manifest {
        Manifest {
            name: "items".to_owned(),
            tables: vec![items().manifest()],
            patterns: vec![Pattern::get("/items")],
            ..Manifest::default()
        }
    }

    fn connect(_: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        let path = scan.slice.as_str().unwrap_or("items");
        let table = items();
        let mut rows = table.rows(host, &scan.request)?;
        let response = host.http(&HttpRequest::get("/items"))?;
        if let Some(path) = path.strip_prefix("sparse ") {
            let page = rows.decode_sparse(response, path)?;
            let next = page.text("meta.next")?.unwrap_or("none");
            host.log(Level::Info, &format!("next {next}, list {}", page.has_list))?;
        } else {
            rows.decode(response, path)?;
        }
        rows.report()
    }
}

export_provider!(Items);

fn request(columns: &[&str]) -> Request {
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Request { table: "items".to_owned(), columns, ..Request::default() }
}

fn scan_text(columns: &[&str], path: &str, body: &str) -> Scan {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    host.scan(&request(columns), &json!(path), |_| Reply::status(200, body))
}

fn scan(columns: &[&str], records: &Value) -> Scan {
    scan_text(columns, "items", &json!({ "items": records }).to_string())
}

fn rows(columns: &[&str], records: &Value) -> Value {
    let scan = scan(columns, records);
    assert_eq!(scan.error_messages(), [""; 0]);
    json!(scan.rows())
}

fn error(columns: &[&str], records: &Value) -> String {
    scan(columns, records).error_messages().remove(0)
}

#[test]
fn every_type_is_read() {
    let columns = ["id", "start", "took", "lag", "n", "share", "flag", "tags", "meta"];
    let record = json!({
        "id": "a", "start": "2026-01-05T10:00:00.25+01:00", "took": 1.5, "lag_ms": 7, "n": -3,
        "share": 0.5, "flag": true, "tags": ["x", null, 5], "meta": {"k": [1, 2]},
    });
    let expected = json!([[
        "a",
        "2026-01-05T09:00:00.250Z",
        1_500_000,
        7000,
        -3,
        0.5,
        true,
        ["x", null, "5"],
        "{\"k\":[1,2]}",
    ]]);
    assert_eq!(rows(&columns, &json!([record])), expected);
}

#[test]
fn columns_come_in_the_order_of_the_request() {
    let records = json!([{"id": "a", "n": 1, "share": 2}, {"share": 4, "n": 3, "id": "b"}]);
    assert_eq!(rows(&["share", "id"], &records), json!([[2.0, "a"], [4.0, "b"]]));
    assert_eq!(rows(&["n"], &records), json!([[1], [3]]));
    assert_eq!(rows(&[], &records), json!([[], []]));
}

#[test]
fn missing_and_null_are_null_unless_the_column_is_required() {
    let records = json!([{"id": "a"}, {"id": "b", "n": null, "meta": null, "tags": null}]);
    let expected = json!([["a", null, null, null], ["b", null, null, null]]);
    assert_eq!(rows(&["id", "n", "owner", "tags"], &records), expected);
    assert_eq!(
        error(&["id"], &json!([{"id": "a"}, {"n": 1}])),
        "the answer to `GET /items` has nothing at `items[1].id`, where text is due"
    );
}

#[test]
fn numbers_and_ids_may_change_places_with_text() {
    let records = json!([{"id": 18_446_744_073_709_551_615_u64, "n": " 12 ", "took": "1.25", "share": "0.5", "flag": "false"}]);
    let expected = json!([["18446744073709551615", 12, 1_250_000, 0.5, false]]);
    assert_eq!(rows(&["id", "n", "took", "share", "flag"], &records), expected);
}

#[test]
fn nested_fields_are_found_beside_their_object() {
    let records = json!([{"id": "a", "meta": {"x": 1, "owner": {"id": 7, "name": "ada"}}}]);
    let expected = json!([["ada", "7", "{\"x\":1,\"owner\":{\"id\":7,\"name\":\"ada\"}}"]]);
    assert_eq!(rows(&["owner", "owner_id", "meta"], &records), expected);
    assert_eq!(
        error(&["owner"], &json!([{"id": "a", "meta": {"owner": "ada"}}])),
        "the answer to `GET /items` has text at `items[0].meta.owner`, where an object is due"
    );
}

#[test]
fn raw_is_the_record_byte_for_byte() {
    let body = r#"{"items": [{"id" : "a",  "n":1e0, "é": "\u00e9"}]}"#;
    let scan = scan_text(&["n", "raw"], "items", body);
    let expected = json!([[1, "{\"id\" : \"a\",  \"n\":1e0, \"é\": \"\\u00e9\"}"]]);
    assert_eq!(json!(scan.rows()), expected);
}

#[test]
fn wrong_types_name_the_place_and_not_the_value() {
    let cases = [
        (json!({"id": []}), "a list at `items[0].id`, where text is due"),
        (
            json!({"id": "a", "n": {"secret": 1}}),
            "an object at `items[0].n`, where a whole number is due",
        ),
        (
            json!({"id": "a", "n": 1.5}),
            "a number that is not whole or out of range at `items[0].n`, where a whole number is due",
        ),
        (
            json!({"id": "a", "n": "many"}),
            "text that is no number at `items[0].n`, where a whole number is due",
        ),
        (
            json!({"id": "a", "start": "today"}),
            "text that is no instant at `items[0].start`, where an RFC 3339 instant is due",
        ),
        (
            json!({"id": "a", "start": 5}),
            "a number at `items[0].start`, where an RFC 3339 instant is due",
        ),
        (
            json!({"id": "a", "flag": "yes"}),
            "text that is no truth value at `items[0].flag`, where true or false is due",
        ),
        (json!({"id": "a", "tags": "x"}), "text at `items[0].tags`, where a list of text is due"),
        (json!(null), "null at `items[0]`, where an object is due"),
    ];
    let columns = ["id", "n", "start", "flag", "tags"];
    for (record, expected) in cases {
        assert_eq!(
            error(&columns, &json!([record])),
            format!("the answer to `GET /items` has {expected}")
        );
    }
}

#[test]
fn bodies_of_another_shape_are_refused() {
    let message = |path, body| scan_text(&["id"], path, body).error_messages().remove(0);
    let no_list = "the answer to `GET /items` has no list `items`";
    assert_eq!(message("items", "{}"), no_list);
    assert_eq!(message("items", "{\"items\": null}"), no_list);
    assert_eq!(message("items", "{\"items\": {}}"), no_list);
    assert_eq!(message("items", "[]"), no_list);
    assert!(
        message("items", "{\"items\": [").starts_with("the answer to `GET /items` is no JSON: EOF")
    );
    assert!(
        message("items", "{\"items\": []} x").starts_with("the answer to `GET /items` is no JSON")
    );
    assert!(message("items", "<html>").starts_with("the answer to `GET /items` is no JSON"));
}

#[test]
fn lists_are_found_by_path() {
    let top = scan_text(&["id"], "", r#"[{"id": "a"}]"#);
    let deep =
        scan_text(&["id"], "data.list", r#"{"x": [1], "data": {"n": 1, "list": [{"id": "a"}]}}"#);
    assert_eq!(json!([top.rows(), deep.rows()]), json!([[["a"]], [["a"]]]));
}

#[test]
fn unknown_fields_are_counted_for_the_log() {
    let scan = scan(&["n"], &json!([{"id": "a", "x": {"y": 1}, "z": 1}, {"id": "b", "x": 2}]));
    assert_eq!(scan.lines, ["3 unknown fields: x, z"]);
}

#[test]
fn a_field_that_comes_twice_counts_once() {
    let scan =
        scan_text(&["id", "n"], "items", r#"{"items": [{"id": "a", "id": "b", "n": 1, "n": 2}]}"#);
    assert_eq!(json!(scan.rows()), json!([["a", 1]]));
}

#[test]
fn the_end_agrees_with_the_status() {
    let at = |hour: u8| format!("2026-01-05T{hour:02}:00:00Z");
    let records = json!([
        {"id": "1", "status": "DONE", "start": at(8), "end": at(9), "took": 60},
        {"id": "2", "end": null, "took": 7200, "start": at(8), "status": "DONE"},
        {"id": "3", "status": "DONE", "start": at(8)},
        {"id": "4", "status": "DONE"},
        {"id": "5", "status": "OPEN", "start": at(8), "took": 60},
        {"id": "6", "end": at(9), "status": "OPEN", "start": at(8)},
        {"id": "7", "end": at(9), "start": at(8)},
    ]);
    let scan = scan(&["end"], &records);
    let expected = json!([[at(9)], [at(10)], [at(8)], [null], [null], [null], [at(9)]]);
    assert_eq!(json!(scan.rows()), expected);
    let report = scan.outcome.unwrap();
    assert_eq!(
        report.notes,
        [
            "end_inferred: 2 sessions came closed but without an end and got one from start and duration",
            "end_ignored: 1 session came open but with an end, which is left out",
        ]
    );
    // Sessions 3 and 4 lasted nobody knows how long; the reported duration proves the end of 2.
    assert_eq!(report.gaps.len(), 1);
    let gap = format!("{}: {}", report.gaps[0].reason, report.gaps[0].message);
    assert!(gap.starts_with("clamped: 2 sessions came closed without an end"), "{gap}");
}

#[test]
fn an_end_that_the_duration_proves_is_no_gap() {
    let record = json!({"status": "DONE", "start": "2026-01-05T08:00:00Z", "took": 0, "end": null});
    assert_eq!(scan(&["end"], &json!([record])).outcome.unwrap().gaps, []);
}

#[test]
fn batches_are_bounded_and_stop_ends_a_page_quietly() {
    let records: Value = (0..20_000).map(|n| json!({"id": n})).collect();
    let whole = scan(&["id"], &records);
    let sizes: Vec<_> = whole.batches.iter().map(|batch| batch.num_rows()).collect();
    assert_eq!(sizes, [8192, 8192, 3616]);

    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    let body = json!({ "items": records });
    let stopped = host.scan_until(1, &request(&["id"]), &json!("items"), |_| Reply::json(&body));
    assert_eq!((stopped.rows().len(), stopped.code, stopped.was_stopped), (8192, 0, true));
}

/// Fewer rows are no less wrong, so what is wrong with them is told although nothing more is read.
#[test]
fn what_is_wrong_with_the_rows_is_told_after_stop() {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    let record = json!({"id": 1, "status": "DONE", "start": "2026-01-05T08:00:00Z", "end": null});
    let body = json!({ "items": [record] });
    let request = request(&["id", "end"]);
    let stopped = host.scan_until(1, &request, &json!("items"), |_| Reply::json(&body));
    assert_eq!((stopped.code, stopped.was_stopped), (0, true));
    let report = stopped.outcome.unwrap();
    assert_eq!(report.gaps[0].reason.as_str(), "clamped");
    assert!(report.notes[0].starts_with("end_inferred: 1 session"), "{report:?}");
}

#[test]
fn large_bodies_are_read_as_a_stream() {
    let padding = "x".repeat(1000);
    let records: Value = (0..9000).map(|n| json!({"id": n, "meta": {"pad": padding}})).collect();
    let scan = scan(&["id", "n"], &records);
    assert_eq!(scan.error_messages(), [""; 0]);
    assert_eq!(scan.rows()[8999], [json!("8999"), Value::Null]);
    let cut = json!({ "items": records }).to_string();
    let message = scan_text(&["id"], "items", &cut[..cut.len() - 2]).error_messages().remove(0);
    assert!(message.starts_with("the answer to `GET /items` is no JSON: EOF"), "{message}");
}

#[test]
fn refusals_and_unknown_columns_are_errors() {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    let refused = |status, body: &'static str| {
        let scan = host.scan(&request(&["id"]), &Value::Null, |_| Reply::status(status, body));
        scan.outcome.unwrap_err().errors.remove(0)
    };
    let error = refused(404, " no such thing ");
    assert_eq!(error.message, "`GET /items` answered 404: no such thing");
    assert_eq!(error.code.as_str(), "provider_error");
    let error = refused(403, "");
    assert_eq!(
        (error.message.as_str(), error.code.as_str()),
        ("`GET /items` answered 403: without a word", "auth")
    );

    let unknown = host.scan(&request(&["colour"]), &Value::Null, |_| Reply::status(200, ""));
    assert_eq!(unknown.error_messages(), ["table `items` has no column `colour`"]);
    assert!(unknown.requests.is_empty());
}

#[test]
fn protobufs_durations_are_read() {
    let lasted = |text: &str| json!([{"id": "a", "lasted": text}]);
    assert_eq!(rows(&["lasted"], &lasted("3.500s")), json!([[3_500_000]]));
    assert_eq!(rows(&["lasted"], &lasted("-0.000001999s")), json!([[-1]]));
    for (value, found) in [(json!("3.5"), "text that is no duration"), (json!(3), "a number")] {
        let message = error(&["lasted"], &json!([{"id": "a", "lasted": value}]));
        let due = "where a duration such as `3.5s` is due";
        assert_eq!(
            message,
            format!("the answer to `GET /items` has {found} at `items[0].lasted`, {due}")
        );
    }
}

#[test]
fn text_can_be_turned_to_upper_case() {
    let records =
        json!([{"id": "a", "loud": "active"}, {"id": "b", "loud": "MIXED Case"}, {"id": "c"}]);
    assert_eq!(rows(&["loud"], &records), json!([["ACTIVE"], ["MIXED CASE"], [null]]));
}

#[test]
fn a_list_that_may_be_missing_is_no_rows() {
    let sparse = |body: &str| scan_text(&["id"], "sparse items", body);
    for (body, line) in [
        ("{}", "next none, list false"),
        (r#"{"meta": null}"#, "next none, list false"),
        (r#"{"meta": {"next": "p2"}}"#, "next p2, list false"),
        (r#"{"items": [], "meta": {"next": ""}}"#, "next none, list true"),
    ] {
        let scan = sparse(body);
        assert_eq!((scan.error_messages(), scan.rows().len()), (Vec::new(), 0), "{body}");
        assert_eq!(scan.lines, [line], "{body}");
    }
    for (body, message) in [
        (r#"{"items": {}}"#, "has no list `items`"),
        (r#"{"items": null}"#, "has no list `items`"),
        ("[]", "has no list `items`"),
        (r#"{"meta": "p2"}"#, "has no text in `meta.next`"),
        (r#"{"meta": {"next": 2}}"#, "has no text in `meta.next`"),
    ] {
        let messages = sparse(body).error_messages();
        assert_eq!(messages, [format!("the answer to `GET /items` {message}")], "{body}");
    }
}

#[test]
fn constant_and_absent_columns_ignore_the_record() {
    let records = json!([{"id": "a", "kind": "x", "never": "2026-01-05T10:00:00Z"}, {"id": "b"}]);
    let expected = json!([["ITEM", "a", null], ["ITEM", "b", null]]);
    assert_eq!(rows(&["kind", "id", "never"], &records), expected);
    let raw = rows(&["kind", "raw"], &json!([{"id": "a"}]));
    assert_eq!(raw, json!([["ITEM", "{\"id\":\"a\"}"]]));
}

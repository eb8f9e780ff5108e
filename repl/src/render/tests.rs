//! What the formats look like, byte for byte.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::*;
use arrow::datatypes::{DataType, Field, Int32Type, IntervalMonthDayNano, Schema, SchemaRef};
use chrono_tz::Tz;
use sessionql_core::completeness::{ConnectionReport, KnownGap, Off};

use super::*;

fn layout(format: Format) -> Layout {
    Layout {
        format,
        time_zone: Tz::UTC,
        width: 80,
        height: None,
        text_width: 80,
        expanded: Expanded::Off,
        max_rows: None,
        null: "NULL".into(),
        is_interactive: false,
        is_coloured: false,
        is_marked: false,
        footer: Footer::Rows,
        guards_formulas: false,
        follows_output: false,
        picture: Picture::default(),
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let field =
        |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn render(layout: Layout, batches: &[RecordBatch], summary: Summary) -> String {
    let mut out = Vec::new();
    let mut renderer = renderer(&batches[0].schema(), &layout).unwrap();
    let n_rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    for batch in batches {
        renderer.rows(batch, &mut out).unwrap();
    }
    renderer.finish(&Summary { n_rows, ..summary }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn print(format: Format, batch: &RecordBatch) -> String {
    render(layout(format), std::slice::from_ref(batch), Summary::default())
}

/// 2026-01-02 14:05:06 in microseconds.
const INSTANT: i64 = 1_767_362_706_000_000;

fn sample() -> RecordBatch {
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a, b"), None]);
    tags.append_value([] as [Option<&str>; 0]);
    tags.append_null();
    let start = vec![Some(INSTANT), Some(INSTANT + 250_000), None];
    let duration = vec![Some(3_900_000_000), Some(0), None];
    let cost = Decimal128Array::from(vec![Some(12_345), Some(-5), None]);
    batch(vec![
        ("user", Arc::new(StringArray::from(vec![Some("Zoë \"Z\""), Some(""), None]))),
        ("start", Arc::new(TimestampMicrosecondArray::from(start).with_timezone("UTC"))),
        ("duration", Arc::new(DurationMicrosecondArray::from(duration))),
        ("n", Arc::new(UInt64Array::from(vec![Some(u64::MAX), Some(0), None]))),
        ("load", Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), None]))),
        ("tags", Arc::new(tags.finish())),
        ("open", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("cost", Arc::new(cost.with_precision_and_scale(10, 2).unwrap())),
    ])
}

#[test]
fn csv() {
    assert_eq!(
        print(Format::Csv, &sample()),
        r#"user,start,duration,n,load,tags,open,cost
"Zoë ""Z""",2026-01-02T14:05:06Z,PT1H5M,18446744073709551615,1.5,"[""a, b"",null]",true,123.45
"",2026-01-02T14:05:06.250Z,PT0S,0,NaN,[],false,-0.05
,,,,,,,
"#
    );
}

#[test]
fn jsonl() {
    assert_eq!(
        print(Format::Jsonl, &sample()),
        r#"{"user":"Zoë \"Z\"","start":"2026-01-02T14:05:06Z","duration":"PT1H5M","n":18446744073709551615,"load":1.5,"tags":["a, b",null],"open":true,"cost":123.45}
{"user":"","start":"2026-01-02T14:05:06.250Z","duration":"PT0S","n":0,"load":null,"tags":[],"open":false,"cost":-0.05}
{"user":null,"start":null,"duration":null,"n":null,"load":null,"tags":null,"open":null,"cost":null}
"#
    );
}

#[test]
fn json_of_an_incomplete_result() {
    let users = batch(vec![("user", Arc::new(StringArray::from(vec!["zoe"])))]);
    let gap = serde_json::json!({ "reason": "history", "message": "covered from 2026-02-01" });
    let gap = serde_json::from_value(gap).unwrap();
    let vpn = ConnectionReport {
        from_cache: None,
        connection: "vpn".to_owned(),
        gaps: vec![KnownGap { gap, is_accepted: false }],
        notes: vec!["2 ends are inferred".to_owned()],
        n_rows: 3,
        n_requests: 2,
        n_retries: 1,
        waited_ms: 40,
    };
    let completeness =
        Completeness { connections: vec![vpn], off: Some(Off::Wrong), ..Completeness::default() };
    let elapsed = Duration::from_millis(7);
    let summary = Summary { completeness, elapsed, ..Summary::default() };
    assert_eq!(
        render(layout(Format::Json), &[users.clone(), users], summary),
        concat!(
            r#"{"schema_version":1,"columns":[{"name":"user","type":"text"}],"#,
            r#""rows":[{"user":"zoe"},{"user":"zoe"}],"meta":{"complete":false,"off":"wrong","#,
            r#""connections":[{"connection":"vpn","complete":false,"gaps":[{"reason":"history","#,
            r#""message":"covered from 2026-02-01","accepted":false}],"notes":["2 ends are inferred"],"#,
            r#""rows":3,"requests":2,"retries":1,"waited_ms":40,"from_cache":false}],"elapsed_ms":7}}"#,
            "\n"
        )
    );
}

#[test]
fn json_without_rows_and_of_a_failure() {
    let empty = sample().slice(0, 0);
    let text = print(Format::Json, &empty);
    assert!(text.contains(r#""rows":[],"meta":{"complete":true,"off":null,"#), "{text}");
    let types: serde_json::Value = serde_json::from_str(&text).unwrap();
    let types: Vec<_> =
        types["columns"].as_array().unwrap().iter().map(|c| c["type"].as_str().unwrap()).collect();
    let expected =
        ["text", "timestamp", "duration", "int64", "float64", "list<text>", "bool", "decimal"];
    assert_eq!(types, expected);
    let failure = Some("timed out".to_owned());
    let text = render(layout(Format::Json), &[sample()], Summary { failure, ..Summary::default() });
    let end = r#""off":"missing","connections":[],"elapsed_ms":0,"error":"timed out"}}"#;
    assert_eq!(text.trim_end().split_once(r#""complete":false,"#).map(|(_, end)| end), Some(end));
}

#[test]
fn a_failure_before_the_first_row_prints_nothing() {
    for format in [Format::Table, Format::Csv, Format::Json, Format::Jsonl] {
        let mut out = Vec::new();
        let summary = Summary { failure: Some("m".to_owned()), ..Summary::default() };
        renderer(&sample().schema(), &layout(format)).unwrap().finish(&summary, &mut out).unwrap();
        assert_eq!(out, b"", "{format:?}");
    }
}

#[test]
fn results_after_others_are_set_apart() {
    let one = batch(vec![("n", Arc::new(Int64Array::from(vec![1])))]);
    let after = |format| {
        let layout = Layout { follows_output: true, ..layout(format) };
        render(layout, std::slice::from_ref(&one), Summary::default())
    };
    assert_eq!(after(Format::Csv), "\nn\n1\n");
    assert_eq!(after(Format::Jsonl), "{\"n\":1}\n");
    assert_eq!(after(Format::Table), "\nn\n─\n1\n(1 row)\n");
}

#[test]
fn repeated_names_get_numbers() {
    let names = |names: &[&str]| {
        let field = |name: &&str| Field::new(*name, DataType::Utf8, true);
        unique_names(&Schema::new(names.iter().map(field).collect::<Vec<_>>()))
    };
    assert_eq!(names(&["user", "id", "user", "user"]), ["user", "id", "user_2", "user_3"]);
    let clash = names(&["a", "a", "a_2", "a"]);
    assert_eq!(clash.iter().collect::<HashSet<_>>().len(), 4, "{clash:?}");
    assert_eq!((clash[0].as_str(), clash[2].as_str()), ("a", "a_2"));
}

#[test]
fn rarer_types_are_text() {
    let interval = IntervalMonthDayNanoArray::from(vec![
        IntervalMonthDayNano::new(14, -3, 5_400_000_000_000),
        IntervalMonthDayNano::new(0, 0, 0),
        IntervalMonthDayNano::new(0, 1, -1_500_000_000),
    ]);
    let rare = batch(vec![
        ("day", Arc::new(Date32Array::from(vec![20_455, 0, -1]))),
        ("time", Arc::new(Time64MicrosecondArray::from(vec![50_706_000_000, 0, 1]))),
        ("span", Arc::new(interval)),
        ("code", Arc::new(Int32Array::from(vec![-1, 0, 1]))),
        ("kind", Arc::new(["x", "y", "x"].into_iter().collect::<DictionaryArray<Int32Type>>())),
        ("nothing", Arc::new(NullArray::new(3))),
        ("blob", Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"a"]))),
        ("far", Arc::new(TimestampSecondArray::from(vec![i64::MAX, 0, -1]))),
    ]);
    assert_eq!(
        print(Format::Csv, &rare),
        "\
day,time,span,code,kind,nothing,blob,far
2026-01-02,14:05:06,P14M-3DT1H30M,-1,x,,00ff,9223372036854775807us
1970-01-01,00:00:00,PT0S,0,y,,\"\",1970-01-01T00:00:00Z
1969-12-31,00:00:00.000001,P1DT-1.5S,1,x,,61,1969-12-31T23:59:59Z
"
    );
}

#[test]
fn a_table() {
    assert_eq!(
        render(Layout { width: 120, ..layout(Format::Table) }, &[sample()], Summary::default()),
        "\
user     start                    duration                     n  load  tags          open     cost
───────  ───────────────────────  ────────  ────────────────────  ────  ────────────  ─────  ──────
Zoë \"Z\"  2026-01-02 14:05:06         1h05m  18446744073709551615   1.5  [a, b, NULL]  true   123.45
         2026-01-02 14:05:06.250        0s                     0   NaN  []            false   -0.05
NULL     NULL                         NULL                  NULL  NULL  NULL          NULL     NULL
(3 rows)
"
    );
}

#[test]
fn a_table_too_wide_loses_the_ends_of_texts_and_then_columns() {
    let long = "a sentence that goes on for rather longer than there is room".to_owned();
    let wide = batch(vec![
        ("user", Arc::new(StringArray::from(vec!["漢字漢字漢字", "zoe"]))),
        ("doc", Arc::new(StringArray::from(vec![long.clone(), "short".to_owned()]))),
        ("start", Arc::new(TimestampMicrosecondArray::from(vec![INSTANT, INSTANT]))),
        ("more", Arc::new(StringArray::from(vec![long, "\x1b[2J\u{202e}".to_owned()]))),
    ]);
    let at = |width| {
        render(
            Layout { width, ..layout(Format::Table) },
            std::slice::from_ref(&wide),
            Summary::default(),
        )
    };
    assert_eq!(
        at(80),
        "\
user          doc                     start                more
────────────  ──────────────────────  ───────────────────  ─────────────────────
漢字漢字漢字  a sentence that goes …  2026-01-02 14:05:06  a sentence that goes…
zoe           short                   2026-01-02 14:05:06  \\u{1b}[2J\\u{202e}
(2 rows, 2 values cut; `--format vertical` shows all)
"
    );
    assert_eq!(
        at(40),
        "\
user       doc       start
─────────  ────────  ───────────────────
漢字漢字…  a sente…  2026-01-02 14:05:06
zoe        short     2026-01-02 14:05:06
(2 rows, 1 column hidden: more, 2 values
cut; `--format vertical` shows all)
"
    );
    assert!(at(8).contains("columns\nhidden:\ndoc,\nstart,\nmore, 1\n"), "{}", at(8));
    for width in 20..130 {
        for line in at(width).lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_long_table_streams_in_the_widths_of_its_begin() {
    let first = batch(vec![
        ("name", Arc::new(StringArray::from(vec!["ab"; 1_000]))),
        ("n", Arc::new(Int64Array::from(vec![7; 1_000]))),
    ]);
    let later = batch(vec![
        ("name", Arc::new(StringArray::from(vec!["abcdef", "abcdefghijklmnop"]))),
        ("n", Arc::new(Int64Array::from(vec![123, 1]))),
    ]);
    let mut out = Vec::new();
    let mut table =
        renderer(&first.schema(), &Layout { width: 12, ..layout(Format::Table) }).unwrap();
    table.rows(&first, &mut out).unwrap();
    assert!(out.len() > 1_000, "printed as soon as the widths are known");
    out.clear();
    table.rows(&later, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "abcdef  123\nabcdefgh…  1\n");
}

#[test]
fn colours_zones_and_footers() {
    let one = batch(vec![
        ("user", Arc::new(StringArray::from(vec![None::<&str>]))),
        ("start", Arc::new(TimestampMicrosecondArray::from(vec![INSTANT]))),
    ]);
    let berlin = Layout {
        time_zone: Tz::Europe__Berlin,
        is_coloured: true,
        footer: Footer::RowsAndTime,
        ..layout(Format::Table)
    };
    let completeness = Completeness { off: Some(Off::Missing), ..Completeness::default() };
    let summary =
        Summary { elapsed: Duration::from_millis(214), completeness, ..Summary::default() };
    assert_eq!(
        render(berlin, std::slice::from_ref(&one), summary),
        "\
\x1b[1muser\x1b[0m  \x1b[1mstart\x1b[0m
\x1b[2m────  ───────────────────\x1b[0m
\x1b[2mNULL\x1b[0m  2026-01-02 15:05:06
(1 row, 0.21 s, incomplete: rows may be missing)
"
    );
    let quiet = Layout { footer: Footer::None, ..layout(Format::Table) };
    assert!(render(quiet, &[one], Summary::default()).ends_with("14:05:06\n"));
}

#[test]
fn csv_guards_against_formulas_only_where_it_is_asked_to() {
    let text = ["=1+1", "+49 30 1", "-x", "@sum", "\tx", "\u{ff1d}x", "plain", "a=1", ""];
    let rows = batch(vec![
        ("=name", Arc::new(StringArray::from_iter_values(text)) as ArrayRef),
        ("n", Arc::new(Int32Array::from_iter_values([-1; 9]))),
    ]);
    let csv = Layout { guards_formulas: true, ..layout(Format::Csv) };
    assert_eq!(
        render(csv, std::slice::from_ref(&rows), Summary::default()),
        "'=name,n\n'=1+1,-1\n'+49 30 1,-1\n'-x,-1\n'@sum,-1\n'\tx,-1\n'\u{ff1d}x,-1\nplain,-1\na=1,-1\n\"\",-1\n"
    );
    let plain = render(layout(Format::Csv), &[rows], Summary::default());
    assert!(plain.starts_with("=name,n\n=1+1,-1\n"), "{plain}");
}

fn sentences() -> RecordBatch {
    batch(vec![
        ("user", Arc::new(StringArray::from(vec![Some("ann"), None, Some("")]))),
        (
            "doc",
            Arc::new(StringArray::from(vec![
                "a sentence that goes on for rather longer than there is room",
                "short",
                "averylongwordthatnobodycanbreakbetweenanysyllables",
            ])),
        ),
        ("start", Arc::new(TimestampMicrosecondArray::from(vec![INSTANT, INSTANT, INSTANT]))),
    ])
}

#[test]
fn texts_go_on_in_further_lines_if_they_then_fit_the_screen() {
    let at = |height| {
        let layout = Layout { width: 50, height: Some(height), ..layout(Format::Table) };
        render(layout, &[sentences()], Summary::default())
    };
    assert_eq!(
        at(24),
        "\
user  doc                      start
────  ───────────────────────  ───────────────────
ann   a sentence that goes on  2026-01-02 14:05:06
      for rather longer than
      there is room
NULL  short                    2026-01-02 14:05:06
      averylongwordthatnobody  2026-01-02 14:05:06
      canbreakbetweenanysylla
      bles
(3 rows)
"
    );
    assert!(at(6).contains("a sentence that goes o…"), "{}", at(6));
    assert!(at(6).contains("2 values cut"), "{}", at(6));
}

#[test]
fn a_list_hides_nothing() {
    let list = Layout { width: 30, ..layout(Format::Vertical) };
    assert_eq!(
        render(list, &[sentences().slice(0, 2)], Summary::default()),
        "\
─ row 1 ──────────────────────
user   ann
doc    a sentence that goes on
       for rather longer than
       there is room
start  2026-01-02 14:05:06
─ row 2 ──────────────────────
user   NULL
doc    short
start  2026-01-02 14:05:06
(2 rows)
"
    );
    let file = Layout { width: usize::MAX, footer: Footer::None, ..layout(Format::Vertical) };
    let text = render(file, &[sentences()], Summary::default());
    assert!(text.contains("doc    a sentence that goes on for rather longer than there is room\n"));
    assert!(text.ends_with("start  2026-01-02 14:05:06\n"), "{text}");
}

#[test]
fn a_table_turns_into_a_list_where_a_column_would_be_hidden() {
    let at = |width| {
        let expanded = Expanded::Auto;
        let layout = Layout { width, expanded, ..layout(Format::Table) };
        render(layout, &[sentences()], Summary::default())
    };
    assert!(at(36).starts_with("user  doc"), "{}", at(36));
    assert!(at(32).starts_with("─ row 1 "), "{}", at(32));
    for width in 20..60 {
        for line in at(width).lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn rows_that_are_not_shown_are_counted() {
    let some = Layout { max_rows: Some(2), is_interactive: true, ..layout(Format::Table) };
    let some = Layout { width: 120, ..some };
    let text = render(some.clone(), &[sentences(), sentences()], Summary::default());
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.ends_with("(6 rows, 4 rows hidden; `\\last` shows all)\n"), "{text}");
    let list = Layout { expanded: Expanded::On, ..some };
    let text = render(list, &[sentences(), sentences()], Summary::default());
    assert!(!text.contains("row 3"), "{text}");
    assert!(text.ends_with("(6 rows, 4 rows hidden; `\\last` shows all)\n"), "{text}");
}

#[test]
fn a_table_that_goes_to_no_screen_is_never_cut() {
    let file = Layout { width: usize::MAX, ..layout(Format::Table) };
    let text = render(file, &[sentences()], Summary::default());
    assert!(!text.contains('…') && text.contains("longer than there is room"), "{text}");
}

#[test]
fn markdown_is_a_table_of_whole_values() {
    let rows = batch(vec![
        ("user_name", Arc::new(StringArray::from(vec![Some("a|b"), None, Some("<b>*x*")]))),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3]))),
    ]);
    assert_eq!(
        print(Format::Markdown, &rows),
        "\
| user\\_name | n |
| --- | ---: |
| a\\|b | 1 |
| NULL | 2 |
| &lt;b>\\*x\\* | 3 |
"
    );
}

#[test]
fn what_stands_for_null_is_a_setting() {
    let layout = Layout { null: "∅".into(), ..layout(Format::Table) };
    let text = render(layout, &[sentences()], Summary::default());
    assert!(text.contains("\n∅     short"), "{text}");
}

#[test]
fn rows_from_the_cache_have_their_age_below() {
    let read_at = DateTime::from_timestamp_micros(INSTANT);
    let vpn = ConnectionReport {
        connection: "vpn".to_owned(),
        from_cache: read_at,
        ..ConnectionReport::default()
    };
    let completeness = Completeness { connections: vec![vpn], ..Completeness::default() };
    let berlin = Layout { time_zone: Tz::Europe__Berlin, width: 120, ..layout(Format::Table) };
    let summary = Summary { completeness, ..Summary::default() };
    let text = render(berlin, &[sentences()], summary);
    assert!(text.ends_with("(3 rows, vpn as of 15:05:06)\n"), "{text}");
}

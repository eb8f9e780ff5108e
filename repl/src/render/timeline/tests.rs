//! What pictures look like, and that no rows break them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, SchemaRef};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use insta::assert_snapshot;
use proptest::prelude::*;
use quick_xml::events::Event;
use sessionql_core::completeness::{Completeness, ConnectionReport, KnownGap};
use unicode_width::UnicodeWidthStr as _;

use super::super::Picture;
use super::*;

/// User, connection, start and end.
type Row<'a> = (Option<&'a str>, Option<&'a str>, Option<i64>, Option<i64>);

fn at(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp_micros()
}

/// A session of 2026-03-01, from one time of day to another.
fn session<'a>(user: &'a str, connection: &'a str, start: &str, end: &str) -> Row<'a> {
    let of = |time: &str| at(&format!("2026-03-01T{time}:00Z"));
    (Some(user), Some(connection), Some(of(start)), (!end.is_empty()).then(|| of(end)))
}

fn batch(rows: &[Row<'_>]) -> RecordBatch {
    let instants = |of: fn(&Row<'_>) -> Option<i64>| -> ArrayRef {
        let column: TimestampMicrosecondArray = rows.iter().map(of).collect();
        Arc::new(column.with_timezone("UTC"))
    };
    let texts = |of: for<'a> fn(&Row<'a>) -> Option<&'a str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let columns = vec![
        ("user", texts(|row| row.0)),
        ("connection", texts(|row| row.1)),
        ("start", instants(|row| row.2)),
        ("end", instants(|row| row.3)),
    ];
    let field =
        |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect()).unwrap()
}

fn layout(format: Format, width: usize) -> Layout {
    let mut layout = Layout::for_machines(format, Tz::UTC);
    layout.footer = super::super::Footer::Rows;
    layout.picture = Picture {
        width,
        now: "2026-03-01T20:00:00Z".parse().unwrap(),
        query: Some("SELECT *\nFROM sessions".into()),
        ..Picture::default()
    };
    layout
}

fn since(time: &str, layout: Layout) -> Layout {
    let since = format!("2026-03-01T{time}:00Z").parse().unwrap();
    Layout { picture: Picture { window: (Some(since), None), ..layout.picture }, ..layout }
}

fn drawn(layout: &Layout, rows: &[Row<'_>]) -> String {
    drawn_with(layout, rows, Summary::default())
}

fn drawn_with(layout: &Layout, rows: &[Row<'_>], summary: Summary) -> String {
    let batch = batch(rows);
    let mut out = Vec::new();
    let mut timeline = Timeline::new(&batch.schema(), layout.clone()).unwrap();
    timeline.rows(&batch, &mut out).unwrap();
    assert!(out.is_empty(), "nothing is drawn before the last row");
    timeline.finish(&Summary { n_rows: rows.len() as u64, ..summary }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn day() -> Vec<Row<'static>> {
    vec![
        session("alice", "openvpn", "08:00", "12:30"),
        session("alice", "openvpn", "13:00", "17:00"),
        session("alice", "formal", "09:10", "09:40"),
        session("alice", "formal", "11:00", ""),
        session("bob", "openvpn", "05:00", "09:00"),
        session("bob", "openvpn", "08:30", "15:00"),
        session("bob", "openvpn", "16:00", "16:00"),
    ]
}

#[test]
fn a_day_of_two_users() {
    let drawn = drawn(&since("07:00", layout(Format::Timeline, 80)), &day());
    let document = include_str!("../../../../docs/prompt.md");
    assert!(document.contains(&drawn), "it is shown in docs/prompt.md");
    assert_snapshot!(drawn, @r##"
    2026-03-01 07:00 – 2026-03-01 20:00 UTC; a column is 11m49s
                       08:00     10:00     12:00     14:00     16:00     18:00
    alice formal  ─────┼─────▐██─┼────▐▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒►
          openvpn ─────▐██████████████████████──▐████████████████████────┼──────────
    bob   openvpn ◄██████████────┼─────────┼─────────┼─────────◆─────────┼──────────
                  ─────┼─▐█████████████████████████████████────┼─────────┼──────────
    ▐█ ended   ▐▒► open   ◄ began earlier   ◆ an instant
    7 sessions of 2 users, 1 open; at most 3 at once, first at 2026-03-01 08:30
    (7 rows)
    "##);
}

#[test]
fn ascii_on_a_narrow_screen() {
    let mut layout = since("07:00", layout(Format::Timeline, 40));
    layout.picture.is_ascii = true;
    let drawn = drawn(&layout, &day());
    assert!(drawn.is_ascii(), "{drawn}");
    assert_snapshot!(drawn, @r##"
    2026-03-01 07:00 - 2026-03-01 20:00 UTC;
    a column is 28m53s
                           12:00       18:00
    alice formal ----[=--[~~~~~~~~~~~~~~~~~>
          openv~ --[=========[========-+----
    bob   openv~ <====-----+-------o---+----
                 ---[=============-----+----
    [= ended   [~> open   < began earlier
    o an instant
    7 sessions of 2 users, 1 open; at most 3
    at once, first at 2026-03-01 08:30
    (7 rows)
    "##);
}

#[test]
fn many_at_once_are_counted() {
    let mut rows: Vec<Row<'_>> = (0..6).map(|_| session("bot", "api", "06:00", "12:00")).collect();
    rows.extend((0..9).map(|_| session("bot", "api", "09:00", "10:00")));
    rows.push(session("bot", "api", "14:00", ""));
    assert_snapshot!(drawn(&layout(Format::Timeline, 60), &rows), @r##"
    2026-03-01 06:00 – 2026-03-01 20:00 UTC; a column is 16m09s
            06:00      09:00      12:00      15:00      18:00
    bot api 66666666666####66666666──────11111111111111111111111
    1–9 # so many at once
    16 sessions of 1 user, 1 open; at most 15 at once, first at
    2026-03-01 09:00
    (16 rows)
    "##);
}

#[test]
fn names_are_cut_by_their_width_and_cannot_move_the_cursor() {
    let rows = [
        session("漢字漢字漢字漢字漢字漢字", "vpn\u{1b}[2J", "08:00", "12:00"),
        session("a.very.long.name@example.com", "vpn", "09:00", "12:00"),
        (None, None, session("", "", "10:00", "11:00").2, None),
    ];
    let mut layout = layout(Format::Timeline, 50);
    layout.null = "NULL".into();
    assert_snapshot!(drawn(&layout, &rows), @r##"
    2026-03-01 08:00 – 2026-03-01 20:00 UTC; a column
    is 23m13s
                       08:00     12:00     16:00
    NULL       NULL    ┼────▐▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒►
    a.very.lo… vpn     ┼─▐████████─────────┼──────────
    漢字漢字…  vpn\u{… ▐██████████─────────┼──────────
    ▐█ ended   ▐▒► open
    3 sessions of 3 users, 1 open; at most 3 at once,
    first at 2026-03-01 10:00
    (3 rows)
    "##);
}

#[test]
fn what_cannot_be_drawn_is_counted() {
    let rows = [
        session("ann", "vpn", "08:00", "12:00"),
        (Some("ann"), Some("vpn"), None, Some(at("2026-03-01T12:00:00Z"))),
        session("ann", "vpn", "12:00", "11:00"),
        (Some("ann"), Some("vpn"), Some(i64::MIN), None),
        (Some("ann"), Some("vpn"), Some(at("2026-03-01T12:00:00Z")), Some(i64::MAX)),
    ];
    let drawn = drawn(&layout(Format::Timeline, 80), &rows);
    assert!(drawn.contains("1 session of 1 user, 0 open"), "{drawn}");
    assert!(
        drawn.replace('\n', " ").contains(
            "not drawn: rows 1 without a start, 1 that end before they start, 2 outside of the \
             years 2 to 9998"
        ),
        "{drawn}"
    );
}

#[test]
fn users_beyond_those_with_lanes_are_counted() {
    let names: Vec<String> = (0..237).map(|n| format!("user{n:03}")).collect();
    let rows: Vec<Row<'_>> =
        names.iter().map(|name| session(name, "vpn", "08:00", "12:00")).collect();
    let drawn = drawn(&layout(Format::Timeline, 80), &rows);
    assert!(
        drawn.contains("\n… and 37 more users with 37 sessions, which are not drawn but counted\n")
    );
    assert!(drawn.contains("user199 vpn") && !drawn.contains("user200"), "{drawn}");
    assert!(drawn.contains("237 sessions of 237 users, 0 open; at most 237 at once"), "{drawn}");
}

#[test]
fn a_result_without_rows_is_a_picture_without_lanes() {
    assert_eq!(
        drawn(&since("19:00", layout(Format::Timeline, 80)), &[]),
        "2026-03-01 19:00 – 2026-03-01 20:00 UTC; a column is 45s\n\
         0 sessions of 0 users, 0 open\n(0 rows)\n"
    );
}

#[test]
fn more_sessions_than_a_picture_holds_are_refused() {
    let row = session("ann", "vpn", "08:00", "12:00");
    let batch = batch(&vec![row; 20_001]);
    let mut timeline = Timeline::new(&batch.schema(), layout(Format::Svg, 80)).unwrap();
    let error = timeline.rows(&batch, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "a picture holds at most 20,000 sessions");
}

#[test]
fn colours_are_only_for_a_screen_that_has_them() {
    let rows = [session("ann", "vpn", "08:00", "12:00")];
    let plain = layout(Format::Timeline, 40);
    let coloured = Layout { is_coloured: true, ..plain.clone() };
    let text = drawn(&coloured, &rows);
    assert!(text.contains("\x1b[36m▐█"), "{text:?}");
    let mut stripped = text;
    for style in ["\x1b[36m", "\x1b[2m", "\x1b[0m"] {
        stripped = stripped.replace(style, "");
    }
    assert_eq!(stripped, drawn(&plain, &rows));
}

#[test]
fn svg() {
    let svg = drawn(&since("07:00", layout(Format::Svg, 80)), &day()[3..]);
    assert_snapshot!(svg.replace(svg::STYLE, "…"), @r##"
    <svg xmlns="http://www.w3.org/2000/svg" class="sq" viewBox="0 0 1000 190" width="1000" height="190" role="img" aria-labelledby="sq-title sq-desc">
    <title id="sq-title">Sessions, 2026-03-01 07:00 – 2026-03-01 20:00 UTC</title>
    <desc id="sq-desc">4 sessions of 2 users, 1 open; at most 2 at once, first at 2026-03-01 08:30</desc>
    <style>…</style>
    <rect class="sq-back" width="1000" height="190"/>
    <text class="sq-head" x="12" y="24">2026-03-01 07:00 – 2026-03-01 20:00 UTC</text>
    <line x1="220.0" x2="220.0" y1="46" y2="131"/><text class="sq-low" x="223.0" y="56">07:00</text>
    <line x1="278.8" x2="278.8" y1="46" y2="131"/><text class="sq-low" x="281.8" y="56">08:00</text>
    <line x1="337.5" x2="337.5" y1="46" y2="131"/><text class="sq-low" x="340.5" y="56">09:00</text>
    <line x1="396.3" x2="396.3" y1="46" y2="131"/><text class="sq-low" x="399.3" y="56">10:00</text>
    <line x1="455.1" x2="455.1" y1="46" y2="131"/><text class="sq-low" x="458.1" y="56">11:00</text>
    <line x1="513.8" x2="513.8" y1="46" y2="131"/><text class="sq-low" x="516.8" y="56">12:00</text>
    <line x1="572.6" x2="572.6" y1="46" y2="131"/><text class="sq-low" x="575.6" y="56">13:00</text>
    <line x1="631.4" x2="631.4" y1="46" y2="131"/><text class="sq-low" x="634.4" y="56">14:00</text>
    <line x1="690.2" x2="690.2" y1="46" y2="131"/><text class="sq-low" x="693.2" y="56">15:00</text>
    <line x1="748.9" x2="748.9" y1="46" y2="131"/><text class="sq-low" x="751.9" y="56">16:00</text>
    <line x1="807.7" x2="807.7" y1="46" y2="131"/><text class="sq-low" x="810.7" y="56">17:00</text>
    <line x1="866.5" x2="866.5" y1="46" y2="131"/><text class="sq-low" x="869.5" y="56">18:00</text>
    <line x1="925.2" x2="925.2" y1="46" y2="131"/><text class="sq-low" x="928.2" y="56">19:00</text>
    <line x1="12" x2="984" y1="64.0" y2="64.0"/>
    <text class="sq-head" x="12.0" y="80.0">alice</text>
    <text class="sq-low" x="138.0" y="80.0">formal</text>
    <polygon class="c0 o" points="455.1,70.0 978.0,70.0 984.0,76.0 978.0,82.0 455.1,82.0"><title>user: alice
    connection: formal
    start: 2026-03-01 11:00:00</title></polygon>
    <line x1="12" x2="984" y1="90.0" y2="90.0"/>
    <text class="sq-head" x="12.0" y="106.0">bob</text>
    <text class="sq-low" x="138.0" y="106.0">openvpn</text>
    <polygon class="c1" points="226.0,96.0 337.5,96.0 337.5,108.0 226.0,108.0 220.0,102.0"><title>user: bob
    connection: openvpn
    start: 2026-03-01 05:00:00
    end: 2026-03-01 09:00:00</title></polygon>
    <polygon class="c1" points="742.9,102.0 748.9,96.0 754.9,102.0 748.9,108.0"><title>user: bob
    connection: openvpn
    start: 2026-03-01 16:00:00
    end: 2026-03-01 16:00:00</title></polygon>
    <polygon class="c1" points="308.2,111.0 690.2,111.0 690.2,123.0 308.2,123.0"><title>user: bob
    connection: openvpn
    start: 2026-03-01 08:30:00
    end: 2026-03-01 15:00:00</title></polygon>
    <polygon class="c0" points="12,141.0 30,141.0 30,153.0 12,153.0"/>
    <text class="sq-low" x="42.0" y="151.0">formal</text>
    <polygon class="c1" points="106,141.0 124,141.0 124,153.0 106,153.0"/>
    <text class="sq-low" x="136.0" y="151.0">openvpn</text>
    <polygon class="c6 o" points="208,141.0 226,141.0 232,147.0 226,153.0 208,153.0"/>
    <text class="sq-low" x="238.0" y="151.0">open</text>
    <text class="sq-low" x="12.0" y="176.0">4 sessions of 2 users, 1 open; at most 2 at once, first at 2026-03-01 08:30</text>
    </svg>
    "##);
}

/// A summary of an incomplete result.
fn incomplete() -> Summary {
    let gap = serde_json::json!({ "reason": "capped", "message": "28 of <90> sessions" });
    let gap = serde_json::from_value(gap).unwrap();
    let report = ConnectionReport {
        connection: "oam".to_owned(),
        gaps: vec![KnownGap { gap, is_accepted: false }],
        notes: vec!["1 end is inferred".to_owned()],
        n_rows: 28,
        n_requests: 1,
        ..ConnectionReport::default()
    };
    let completeness = Completeness {
        connections: vec![report],
        off: Some(Off::Missing),
        ..Completeness::default()
    };
    Summary { completeness, ..Summary::default() }
}

#[test]
fn html() {
    let rows = [session("ann", "oam", "08:00", "12:00")];
    let page = drawn_with(&layout(Format::Html, 80), &rows, incomplete());
    let (begin, rest) = page.split_once("<svg").unwrap();
    let (svg, end) = rest.split_once("</svg>").unwrap();
    assert!(svg.contains("oam: 28 of &lt;90&gt; sessions (capped)"), "{svg}");
    let page = format!("{}<svg…</svg>{end}", begin.replace(html::STYLE, "…"));
    assert_snapshot!(page, @r##"
    <!DOCTYPE html>
    <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
    <head>
    <meta charset="utf-8"/>
    <meta name="viewport" content="width=device-width, initial-scale=1"/>
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
    <title>Sessions</title>
    <style>…</style>
    </head>
    <body>
    <h1>Sessions</h1>
    <p class="warn">Incomplete: rows may be missing.</p>
    <figure>
    <svg…</svg>
    <figcaption>Asked 2026-03-01 20:00 UTC. A session tells of itself where the pointer rests.</figcaption>
    </figure>
    <h2>Query</h2>
    <pre><code>SELECT *
    FROM sessions</code></pre>
    <h2>Sessions by connection</h2>
    <table>
    <thead><tr><th>connection</th><th class="n">sessions</th><th class="n">open</th></tr></thead>
    <tbody>
    <tr><td>oam</td><td class="n">1</td><td class="n">0</td></tr>
    <tr><td>all</td><td class="n">1</td><td class="n">0</td></tr>
    </tbody>
    </table>
    <h2>What was read</h2>
    <table>
    <thead><tr><th>connection</th><th>complete</th><th class="n">rows</th><th class="n">requests</th><th>gaps and notes</th></tr></thead>
    <tbody>
    <tr><td>oam</td><td>no</td><td class="n">28</td><td class="n">1</td><td>28 of &lt;90&gt; sessions (capped)<br/>1 end is inferred</td></tr>
    </tbody>
    </table>
    </body>
    </html>
    "##);
}

#[test]
fn what_is_missing_is_told_in_every_picture() {
    let rows = [session("ann", "oam", "08:00", "12:00")];
    for format in [Format::Timeline, Format::Svg, Format::Html] {
        let drawn = drawn_with(&layout(format, 80), &rows, incomplete());
        assert!(drawn.contains("incomplete: rows may be missing"), "{drawn}");
    }
}

/// Returns what keeps a text from being XML.
fn broken_xml(text: &str) -> Option<String> {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                if let Some(Err(error)) = tag.attributes().find(Result::is_err) {
                    return Some(error.to_string());
                }
            }
            Ok(_) => {}
            Err(error) => return Some(error.to_string()),
        }
    }
    let allowed =
        |c: char| matches!(c, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().find(|c| !allowed(*c)).map(|c| format!("{c:?}"))
}

#[test]
fn what_means_something_to_xml_is_escaped() {
    let name = "</title></script><b>\"'&\u{0}\u{b}\u{fffe}]]>";
    let rows = [session(name, name, "08:00", "12:00")];
    for format in [Format::Svg, Format::Html] {
        let mut layout = layout(format, 80);
        layout.picture.query = Some(format!("SELECT '{name}'").into());
        let drawn = drawn(&layout, &rows);
        assert_eq!(broken_xml(&drawn), None, "{drawn}");
        assert!(!drawn.contains("<b>") && !drawn.contains("script>"), "{drawn}");
        assert!(drawn.contains("&lt;/title&gt;&lt;/script&gt;&lt;b&gt;&quot;&#39;&amp;\\u{0}"));
    }
}

/// Any instant, most of them near each other.
fn any_instant() -> impl Strategy<Value = Option<i64>> {
    let near = at("2026-03-29T00:00:00Z");
    prop_oneof![
        1 => Just(None),
        1 => any::<i64>().prop_map(Some),
        6 => (-200_000_000_i64..200_000_000).prop_map(move |us| Some(near + us * 1_000)),
        3 => (-50_i64..50).prop_map(move |hours| Some(near + hours * 3_600_000_000)),
    ]
}

fn any_text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        4 => "[a-c]".prop_map(Some),
        2 => "[a-z漢é]{0,30}".prop_map(Some),
        1 => any::<String>().prop_map(Some),
        1 => Just(None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_rows_are_drawn(
        rows in prop::collection::vec((any_text(), any_text(), any_instant(), any_instant()), 0..40),
        window in (any_instant(), any_instant()),
        width in 20_usize..120,
        is_ascii: bool,
    ) {
        let rows: Vec<Row<'_>> = rows
            .iter()
            .map(|(user, connection, start, end)| (user.as_deref(), connection.as_deref(), *start, *end))
            .collect();
        let instant = |at: Option<i64>| at.and_then(DateTime::from_timestamp_micros);
        for format in [Format::Timeline, Format::Svg, Format::Html] {
            let mut layout = layout(format, width);
            layout.time_zone = Tz::Europe__Berlin;
            layout.picture.is_ascii = is_ascii;
            layout.picture.window = (instant(window.0), instant(window.1));
            let drawn = drawn(&layout, &rows);
            if format == Format::Timeline {
                let widest = drawn.lines().map(|line| line.width()).max().unwrap_or_default();
                prop_assert!(widest <= width, "{widest} of {width}:\n{drawn}");
            } else {
                prop_assert_eq!(broken_xml(&drawn), None, "{}", drawn);
            }
        }
    }
}

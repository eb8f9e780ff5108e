//! ASOF JOIN against the latest row found by looking at all of them.

use proptest::prelude::*;
use proptest::test_runner::{Config as TestConfig, TestRunner};
use sessionql_core::completeness::Off;
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_tests::{BEGIN, World, instant};

use super::Tables;

const LOGINS: &str = "id,user,start\n\
    1,ann,2026-03-15 08:00\n2,ann,2026-03-15 10:00\n3,bob,2026-03-15 09:00\n\
    4,cem,2026-03-15 09:00\n5,,2026-03-15 09:00\n6,ann,\n2,ann,2026-03-15 10:00\n";
const ALERTS: &str = "id,user,start,level\n\
    a,ann,2026-03-15 07:00,low\nb,ann,2026-03-15 08:00,high\nc,ann,2026-03-15 09:59,low\n\
    d,ann,2026-03-15 09:59,high\ne,bob,2026-03-15 09:01,low\nf,,2026-03-15 08:00,low\ng,ann,,low\n";

fn tables() -> Tables {
    Tables::new(&[("logins", LOGINS, ""), ("alerts", ALERTS, "")])
}

#[test]
fn each_row_gets_the_latest_before_it() {
    let tables = tables();
    let ask = |join: &str, op: &str| {
        tables.rows(&format!(
            "SELECT l.id, a.id FROM logins l {join} alerts a ON l.user = a.user AND a.start {op} l.start \
             ORDER BY l.id"
        ))
    };
    // Of c and d, which have one time, d has the greater id.
    assert_eq!(ask("ASOF JOIN", "<="), ["1 b", "2 d", "2 d"]);
    assert_eq!(ask("ASOF JOIN", "<"), ["1 a", "2 d", "2 d"]);
    assert_eq!(
        ask("ASOF LEFT JOIN", "<="),
        ["1 b", "2 d", "2 d", "3 NULL", "4 NULL", "5 NULL", "6 NULL"]
    );
    assert_eq!(
        tables.rows("SELECT l.id, a.id FROM logins l ASOF JOIN alerts a ON l.start >= a.start AND (a.user = l.user) ORDER BY 1"),
        ["1 b", "2 d", "2 d"],
        "written the other way round"
    );
}

#[test]
fn keys_are_equal_as_in_other_joins() {
    let rows = "x,start\n-0.0,2026-03-15 08:00\n1.5,2026-03-15 08:00\n,2026-03-15 08:00\n";
    let tables = Tables::new(&[
        ("a", &rows.replace("-0.0", "0.0"), "columns = { x = \"float64\" }"),
        ("b", rows, "columns = { x = \"float64\" }"),
    ]);
    for join in ["ASOF JOIN", "JOIN"] {
        let sql =
            format!("SELECT a.x FROM a {join} b ON a.x = b.x AND b.start <= a.start ORDER BY a.x");
        assert_eq!(tables.rows(&sql), ["0.0", "1.5"], "{join}");
    }
}

#[test]
fn columns_and_places_are_those_of_a_join() {
    let tables = tables();
    let on = "ON l.user = a.user AND a.start <= l.start";
    let star = tables
        .ask(&format!("SELECT * FROM logins l ASOF JOIN alerts a {on} ORDER BY l.id LIMIT 1"));
    assert_eq!(star.columns, ["id", "user", "start", "id", "user", "start", "level"]);
    assert_eq!(
        star.rows[0].join(" "),
        "1 ann 2026-03-15T08:00:00Z b ann 2026-03-15T08:00:00Z high"
    );
    for (sql, expected) in [
        (format!("SELECT count(*) FROM logins l ASOF JOIN alerts a {on}"), "3"),
        (format!("SELECT count(*) FROM logins l ASOF LEFT JOIN alerts a {on}"), "7"),
        (format!("SELECT count(a.id), count(*) FROM (logins l ASOF LEFT JOIN alerts a {on})"), "3 7"),
        (format!("WITH x AS (SELECT l.id, a.level FROM logins l ASOF JOIN alerts a {on}) SELECT count(*) FROM x WHERE level = 'high'"), "3"),
        (format!("SELECT count(*) FROM logins m JOIN logins l ON l.user = m.user ASOF JOIN alerts a {on}"), "12"),
        (format!("SELECT count(*) FROM logins l ASOF JOIN alerts a {on} JOIN logins m ON m.user = a.user"), "12"),
        (format!("SELECT count(*) FROM logins l ASOF JOIN alerts a {on} ASOF JOIN alerts b ON b.start < a.start AND b.user = a.user"), "3"),
        ("SELECT count(*) FROM logins l ASOF JOIN alerts a ON a.start <= l.start".to_owned(), "6"),
        (format!("SELECT count(*) FROM logins m WHERE EXISTS (SELECT 1 FROM logins l ASOF JOIN alerts a {on} WHERE l.id = m.id)"), "3"),
        (format!("SELECT count(*) FROM logins m WHERE m.id IN (SELECT l.id FROM logins l ASOF JOIN alerts a {on})"), "3"),
        (format!("SELECT count(*) FROM logins l ASOF JOIN alerts a {on} UNION ALL SELECT 1 WHERE false"), "3"),
        ("SELECT count(*) FROM logins l ASOF JOIN (SELECT * FROM alerts WHERE level = 'low') a ON l.user = a.user AND a.start < l.start - 90m".to_owned(), "2"),
        ("SELECT count(*) FROM logins l ASOF JOIN alerts a ON upper(l.user) = upper(a.user) AND l.id = l.id + 0 * length(a.id) AND a.start <= l.start".to_owned(), ""),
    ] {
        if expected.is_empty() {
            assert!(tables.error(&sql).contains("left side"), "{sql}");
        } else {
            assert_eq!(tables.rows(&sql), [expected], "{sql}");
        }
    }
}

/// A filter on the right side does not change which row is the latest; one on the left side or on the
/// key is the same before the join as after it.
#[test]
fn filters_above_come_after_the_choice() {
    let tables = tables();
    let ask = |join: &str, filter: &str| {
        tables.rows(&format!(
            "SELECT l.id, a.id FROM logins l {join} alerts a ON l.user = a.user AND a.start <= l.start \
             WHERE {filter} ORDER BY l.id"
        ))
    };
    assert_eq!(ask("ASOF JOIN", "a.level = 'low'"), [""; 0]);
    assert_eq!(ask("ASOF LEFT JOIN", "a.level = 'high'"), ["1 b", "2 d", "2 d"]);
    assert_eq!(ask("ASOF LEFT JOIN", "a.level IS NULL"), ["3 NULL", "4 NULL", "5 NULL", "6 NULL"]);
    assert_eq!(
        ask("ASOF LEFT JOIN", "a.user IS NULL AND l.user IS NOT NULL"),
        ["3 NULL", "4 NULL", "6 NULL"]
    );
    assert_eq!(ask("ASOF JOIN", "a.user = 'ann' AND l.id > 1"), ["2 d", "2 d"]);
    assert_eq!(ask("ASOF LEFT JOIN", "l.user = 'bob'"), ["3 NULL"]);
    assert_eq!(ask("ASOF LEFT JOIN", "coalesce(l.user, 'x') = 'x'"), ["5 NULL"]);
}

#[test]
fn conditions_that_such_a_join_cannot_have_are_errors() {
    let tables = tables();
    let one_time = "ASOF JOIN needs just one comparison of times";
    let write = "write ON a.user = b.user AND b.start <= a.start";
    let nothing_else = "ASOF JOIN takes equalities and one comparison of times, and nothing else";
    let filter = "filter a side in a query of its own: ASOF JOIN (SELECT … WHERE …) AS b";
    let before =
        "ASOF JOIN finds the latest row before: the time of its right side must be the lesser one";
    let sides = "ASOF JOIN compares something of its left side with something of its right one";
    for (rest, message, place, hint) in [
        ("", one_time, "ASOF JOIN", write),
        ("a.start <= l.start AND a.start < l.start", one_time, "a.start < l.start", write),
        ("a.start >= l.start", before, "a.start >= l.start", ""),
        ("l.start < a.start", before, "l.start < a.start", ""),
        ("a.start <= l.start AND a.level = 'low'", nothing_else, "a.level = 'low'", filter),
        ("a.start <= '2026-03-15'", nothing_else, "a.start <= '2026-03-15'", filter),
        ("a.start <= l.start AND (a.id LIKE 'l%')", nothing_else, "a.id LIKE 'l%'", filter),
        ("a.start <= l.start AND l.id <> a.id", nothing_else, "l.id <> a.id", filter),
        ("a OVERLAPS l", nothing_else, "a OVERLAPS l", filter),
        ("a.start <= l.start AND l.id = l.user", sides, "l.id = l.user", ""),
        ("a.start <= now() - 1h", sides, "a.start <= now() - 1h", ""),
        ("a.id <= l.user", "ASOF JOIN compares instants, not text", "a.id <= l.user", ""),
        ("a.start <= l.nope", "no column `nope` in `l`", "l.nope", ""),
        (
            "a.start <= (SELECT max(start) FROM logins)",
            "a query in a condition of ASOF JOIN is not supported yet",
            "a.start <= (SELECT max(start) FROM logins)",
            "",
        ),
    ] {
        let rest = if rest.is_empty() { String::new() } else { format!(" AND {rest}") };
        let sql = format!("SELECT 1 FROM logins l ASOF JOIN alerts a ON l.user = a.user{rest}");
        let hint = if hint.is_empty() { String::new() } else { format!("; hint: {hint}") };
        assert_eq!(tables.error(&sql), format!("{message}; at `{place}`{hint}"));
    }
    let using = tables.ask("SELECT 1 FROM logins ASOF JOIN alerts USING (user, start)").error;
    assert_eq!(using.map(|error| error.to_string()).as_deref(), Some("ASOF JOIN needs ON"));
}

#[test]
fn windows_choose_among_the_rows_of_each_side() {
    let now = instant(BEGIN);
    let hours = |n: i64| now - chrono::TimeDelta::hours(n);
    let world = World::of(vec![
        SessionRecord::completed("old", "ann", hours(30), hours(29)),
        SessionRecord::completed("mid", "ann", hours(5), hours(4)),
        SessionRecord::active("new", "ann", hours(1)),
        SessionRecord::active("bobs", "bob", hours(2)),
    ]);
    let on = "ON b.user = a.user AND b.start < a.start";
    let rows = |sql: &str| -> Vec<String> {
        let answer = world.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows.iter().map(|row| row.join(" ")).collect()
    };
    let all = format!("SELECT a.id, b.id FROM openvpn a ASOF LEFT JOIN openvpn b {on}");
    assert_eq!(
        rows(&format!("{all} ORDER BY a.id")),
        ["bobs NULL", "mid old", "new mid", "old NULL"]
    );
    assert_eq!(
        rows(&format!("{all} SINCE 6h ORDER BY a.id")),
        ["bobs NULL", "mid NULL", "new mid"]
    );
    assert_eq!(
        rows(&format!(
            "SELECT a.id, b.id FROM (SELECT * FROM openvpn SINCE 6h) a ASOF JOIN openvpn b {on} ORDER BY a.id"
        )),
        ["mid old", "new mid"]
    );
}

/// What is asked of the left side and of the key reaches the provider for both sides.
#[test]
fn filters_reach_both_sides() {
    let now = instant(BEGIN);
    let hour_ago = now - chrono::TimeDelta::hours(1);
    let world = World::of(vec![SessionRecord::active("a", "ann", hour_ago)]);
    let sql = "SELECT a.id FROM openvpn a ASOF JOIN openvpn b ON b.status = a.status AND b.start <= a.start \
               WHERE a.status = 'ACTIVE'";
    assert_eq!(world.ids(sql), ["a"]);
    // Both sides are asked for the same, so once.
    let requests = world.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].contains("status=ACTIVE"), "{requests:?}");
    // Nothing is asked of the right side if the left one has no row.
    assert_eq!(world.ids(&sql.replace("'ACTIVE'", "'FAILED'")), [""; 0]);
    assert_eq!(world.requests().len(), 1);
}

/// Where the latest row is missing, an earlier one would take its place.
#[test]
fn what_is_missing_on_the_right_makes_rows_wrong() {
    let now = instant(BEGIN);
    let hours = |n: i64| now - chrono::TimeDelta::hours(n);
    let world = World::of(vec![
        SessionRecord::completed("a", "ann", hours(5), hours(4)),
        SessionRecord::active("b", "ann", hours(1)),
    ]);
    // A window of thirty days reaches further than the provider's history.
    let off = |sql: &str| world.run(sql).completeness.off;
    let sides = |left: &str, right: &str| {
        format!(
            "SELECT a.id FROM (SELECT * FROM openvpn SINCE {left}) a ASOF JOIN \
                 (SELECT * FROM openvpn SINCE {right}) b ON b.user = a.user AND b.start <= a.start"
        )
    };
    assert_eq!(off(&sides("6h", "6h")), None);
    assert_eq!(off(&sides("30d", "6h")), Some(Off::Missing));
    assert_eq!(off(&sides("6h", "30d")), Some(Off::Wrong));
}

/// A row of a random table: key, time, id. Small domains, so that ties and touching are common.
type Row = (Option<u8>, Option<u8>, u8);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (
        proptest::option::weighted(0.9, 0..3_u8),
        proptest::option::weighted(0.9, 0..6_u8),
        0..4_u8,
    );
    proptest::collection::vec(row, 0..12)
}

fn csv(rows: &[Row]) -> String {
    let mut text = "key,at,id,n\n".to_owned();
    for (n, (key, at, id)) in rows.iter().enumerate() {
        let key = key.map_or(String::new(), |key| format!("k{key}"));
        let at = at.map_or(String::new(), |at| format!("2026-03-15 0{at}:00"));
        text += &format!("{key},{at},{id},{n}\n");
    }
    text
}

/// Returns the matches of each left row: those of the greatest id among the latest.
fn model(left: &Row, right: &[Row], has_key: bool, is_strict: bool) -> Vec<usize> {
    let is_before = |row: &Row| match (left.1, row.1) {
        (Some(left), Some(right)) if is_strict => right < left,
        (Some(left), Some(right)) => right <= left,
        _ => false,
    };
    let is_equal = |row: &Row| !has_key || (left.0.is_some() && left.0 == row.0);
    let fits: Vec<usize> =
        (0..right.len()).filter(|n| is_equal(&right[*n]) && is_before(&right[*n])).collect();
    let rank = |n: &usize| (right[*n].1, right[*n].2);
    let best = fits.iter().map(rank).max();
    fits.into_iter().filter(|n| Some(rank(n)) == best).collect()
}

/// Filters on the left side, on keys, on the right side, and on both.
const FILTERS: [&str; 8] = [
    "ln < 4",
    "lk = 'k1'",
    "rk = 'k1'",
    "rk IS NULL",
    "coalesce(rk, lk) <> 'k0'",
    "rn > 2",
    "rn IS NULL AND lk IN ('k0', 'k2')",
    "ln < rn OR lk > 'k0'",
];

#[test]
fn random_tables_give_what_the_definition_says() {
    let mut runner = TestRunner::new(TestConfig { cases: 60, ..TestConfig::default() });
    let cases = (rows(), rows(), any::<bool>(), any::<bool>(), any::<bool>());
    runner
        .run(&cases, |(left, right, has_key, is_strict, is_left)| {
            let types =
                "columns = { key = \"text\", at = \"timestamp\", id = \"int64\", n = \"int64\" }";
            let tables = Tables::new(&[("l", &csv(&left), types), ("r", &csv(&right), types)]);
            let key = if has_key { "l.key = r.key AND " } else { "" };
            let op = if is_strict { "<" } else { "<=" };
            let kind = if is_left { "LEFT " } else { "" };
            let sql = format!(
                "SELECT l.n, r.n FROM l ASOF {kind}JOIN r ON {key}r.at {op} l.at ORDER BY l.n"
            );
            let mut found = tables.rows(&sql).into_iter();
            for (n, row) in left.iter().enumerate() {
                let matches = model(row, &right, has_key, is_strict);
                if matches.is_empty() && !is_left {
                    continue;
                }
                let line = found.next().unwrap_or_default();
                let wanted: Vec<String> = match matches.as_slice() {
                    [] => vec![format!("{n} NULL")],
                    matches => matches.iter().map(|m| format!("{n} {m}")).collect(),
                };
                prop_assert!(
                    wanted.contains(&line),
                    "{sql}\n{left:?}\n{right:?}\n{line} is not in {wanted:?}"
                );
            }
            prop_assert_eq!(found.next(), None);
            // A filter above finds what it would find in the whole; LIMIT keeps it above.
            let all = sql.replace("l.n, r.n", "l.n AS ln, r.n AS rn, l.key AS lk, r.key AS rk");
            for filter in FILTERS {
                let above =
                    format!("SELECT ln, rn FROM ({all} LIMIT 1000) x WHERE {filter} ORDER BY ln");
                let pushed = filter
                    .replace("ln", "l.n")
                    .replace("rn", "r.n")
                    .replace("lk", "l.key")
                    .replace("rk", "r.key");
                let pushed = sql.replace(" ORDER BY", &format!(" WHERE {pushed} ORDER BY"));
                prop_assert_eq!(tables.rows(&pushed), tables.rows(&above), "{}", pushed);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

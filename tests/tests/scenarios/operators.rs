//! OVERLAPS, CONTAINS, `overlap` and ASOF JOIN. Every kind of lifetime is held against every other and
//! against a model of sets; `asof` does the same for the latest row before. `windows` holds that a
//! time window means the same wherever a SELECT may stand.

mod asof;
mod windows;

use std::collections::BTreeSet;

use sessionql_core::Engine;
use sessionql_core::error::Class;
use sessionql_sandbox::Clock;
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_tests::{Answer, BEGIN, World, engine, instant, run};
use tempfile::TempDir;

/// Local tables of CSV text, and an engine that reads them. It is 2026-03-15 12:00.
pub(super) struct Tables {
    engine: Engine,
    _directory: TempDir,
}

impl Tables {
    /// `tables` are names, the text of files and keys of the configuration.
    pub(super) fn new(tables: &[(&str, &str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let mut config = String::new();
        for (name, csv, keys) in tables {
            let path = directory.path().join(format!("{name}.csv"));
            std::fs::write(&path, csv).expect("the file is written");
            config += &format!("[tables.{name}]\npath = {path:?}\n{keys}\n");
        }
        let engine = engine(&config, &Clock::fixed(instant(BEGIN)));
        Self { engine, _directory: directory }
    }

    pub(super) fn ask(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &Default::default())
    }

    /// Returns the rows as lines, in their order.
    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        let answer = self.ask(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows.iter().map(|row| row.join(" ")).collect()
    }

    /// Returns message, place and hint of an error that is due before anything is read.
    pub(super) fn error(&self, sql: &str) -> String {
        let error = self.ask(sql).error.unwrap_or_else(|| panic!("an error was due: {sql}"));
        assert_eq!(error.class(), Class::Input, "{sql}: {error}");
        let place = error.span().map_or("nowhere", |span| span.of(sql));
        let hint = error.hint().map_or(String::new(), |hint| format!("; hint: {hint}"));
        format!("{error}; at `{place}`{hint}")
    }
}

/// A session of the model, in hours of the day.
#[derive(Debug, Clone, Copy)]
struct Life {
    start: Option<i64>,
    end: Option<i64>,
}

/// Later than every end.
const FOREVER: i64 = 40;
/// The hour of `now`.
const NOW: i64 = 12;
/// An hour before `now`, itself, and two after it.
const HOURS: [i64; 4] = [11, 12, 13, 14];

impl Life {
    /// Every kind: open, closed, of no length, reversed, without start.
    fn all() -> Vec<Self> {
        let hours = || HOURS.into_iter().map(Some).chain([None]);
        hours().flat_map(|start| hours().map(move |end| Self { start, end })).collect()
    }

    /// Returns the half hours that lie in it; between two instants there are more.
    fn halves(self) -> Option<BTreeSet<i64>> {
        let start = self.start?;
        Some(match self.end {
            Some(end) if end == start => BTreeSet::from([2 * start]),
            end => (2 * start..2 * end.unwrap_or(FOREVER)).collect(),
        })
    }

    fn up_to_now(self) -> Self {
        Self { end: self.end.or(Some(NOW)), ..self }
    }

    fn csv(self) -> String {
        let time =
            |hour: Option<i64>| hour.map_or(String::new(), |hour| format!("2026-03-15 {hour}:00"));
        format!("{},{}", time(self.start), time(self.end))
    }
}

fn lives() -> Tables {
    let mut csv = "id,start,end\n".to_owned();
    for (id, life) in Life::all().into_iter().enumerate() {
        csv += &format!("{id},{}\n", life.csv());
    }
    let types = "columns = { id = \"int64\", start = \"timestamp\", end = \"timestamp\" }";
    Tables::new(&[("a", &csv, types), ("b", &csv, types)])
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or("NULL".to_owned(), |value| value.to_string())
}

/// Returns an hour as the engine shows it.
fn hour(hour: i64) -> String {
    format!("2026-03-15T{hour}:00:00Z")
}

#[test]
fn every_lifetime_against_every_other() {
    let tables = lives();
    let rows = tables.rows(
        "SELECT a.id, b.id, a OVERLAPS b, a CONTAINS b, overlap(a, b), overlap_start(a, b), \
         overlap_end(a, b) FROM a CROSS JOIN b ORDER BY a.id, b.id",
    );
    let mut expected = Vec::new();
    for (a_id, a) in Life::all().into_iter().enumerate() {
        for (b_id, b) in Life::all().into_iter().enumerate() {
            let both = a.halves().zip(b.halves());
            let shared = both.clone().map(|(a, b)| &a & &b);
            let overlaps = shared.as_ref().map(|shared| !shared.is_empty());
            let contains = both.map(|(a, b)| !b.is_empty() && b.is_subset(&a));
            let until_now = a.up_to_now().halves().zip(b.up_to_now().halves());
            let is_instant = |life: Life| life.start == life.end;
            let duration = until_now.map(|(x, y)| &x & &y).filter(|shared| !shared.is_empty());
            let duration = duration.map(|shared| {
                let is_instant = is_instant(a.up_to_now()) || is_instant(b.up_to_now());
                let n_halves = if is_instant { 0 } else { shared.len() };
                if n_halves == 0 { "P0D".to_owned() } else { format!("PT{}S", n_halves * 1800) }
            });
            let shared = shared.filter(|shared| !shared.is_empty());
            let start = shared.as_ref().and_then(|shared| shared.first()).map(|half| half / 2);
            let end = shared.as_ref().and_then(|shared| shared.last()).map(|half| (half + 1) / 2);
            let end = end.filter(|end| *end < FOREVER);
            expected.push(format!(
                "{a_id} {b_id} {} {} {} {} {}",
                shown(overlaps),
                shown(contains),
                shown(duration),
                shown(start.map(hour)),
                shown(end.map(hour)),
            ));
        }
    }
    assert_eq!(rows.len(), 625);
    for (row, expected) in rows.iter().zip(&expected) {
        assert_eq!(row, expected);
    }
}

#[test]
fn every_lifetime_against_every_instant() {
    let tables = lives();
    for instant in HOURS {
        let rows = tables.rows(&format!(
            "SELECT id, a CONTAINS '2026-03-15 {instant}:00', (start, end) CONTAINS (b.at) \
             FROM a CROSS JOIN (SELECT TIMESTAMP '2026-03-15 {instant}:00' AS at) b ORDER BY id"
        ));
        for (id, life) in Life::all().into_iter().enumerate() {
            let holds = shown(life.halves().map(|halves| halves.contains(&(2 * instant))));
            assert_eq!(rows[id], format!("{id} {holds} {holds}"), "{life:?} {instant}");
        }
    }
}

/// The same answers where the tests decide which rows there are, in every kind of place.
#[test]
fn tests_decide_in_every_place() {
    let tables = lives();
    let count = |sql: &str| tables.rows(sql).join(" ");
    for test in ["a OVERLAPS b", "a CONTAINS b"] {
        let truth = count(&format!("SELECT count(*) FILTER (WHERE {test}) FROM a CROSS JOIN b"));
        assert_ne!(truth, "0");
        for sql in [
            format!("SELECT count(*) FROM a JOIN b ON {test}"),
            format!("SELECT count(*) FROM a, b WHERE {test}"),
            format!("SELECT count(*) FROM a JOIN b ON ({test}) IS TRUE"),
            format!("SELECT count(*) FROM a, LATERAL (SELECT b.id FROM b WHERE {test}) x"),
            format!("WITH a AS (SELECT * FROM a) SELECT count(*) FROM a JOIN b ON {test}"),
            format!("SELECT sum(CASE WHEN {test} THEN 1 ELSE 0 END) FROM a CROSS JOIN b"),
            format!(
                "SELECT count(*) FROM a CROSS JOIN b HAVING count(*) FILTER (WHERE {test}) < 0 UNION ALL SELECT count(*) FROM a JOIN b ON {test}"
            ),
        ] {
            assert_eq!(count(&sql), truth, "{sql}");
        }
        let ids = |sql: &str| tables.rows(&format!("{sql} ORDER BY 1"));
        let found = ids(&format!("SELECT DISTINCT a.id FROM a JOIN b ON {test}"));
        assert!(!found.is_empty() && found.len() < 25, "{found:?}");
        for sql in [
            format!("SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE {test})"),
            format!("SELECT id FROM a SEMI JOIN b ON {test}"),
            format!("SELECT DISTINCT a.id FROM a LEFT JOIN b ON {test} WHERE b.id IS NOT NULL"),
        ] {
            assert_eq!(ids(&sql), found, "{sql}");
        }
        let others = ids(&format!("SELECT id FROM a EXCEPT SELECT a.id FROM a JOIN b ON {test}"));
        for sql in [
            format!("SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE {test})"),
            format!("SELECT id FROM a ANTI JOIN b ON {test}"),
            format!("SELECT a.id FROM a LEFT JOIN b ON {test} WHERE b.id IS NULL"),
        ] {
            assert_eq!(ids(&sql), others, "{sql}");
        }
    }
}

#[test]
fn operands_are_tables_queries_declared_times_and_pairs() {
    let shifts = "person,began,ended\nann,2026-03-15 08:00,2026-03-15 10:00\n\
                  bob,2026-03-15 09:00,\n";
    let visits = "id,start,end\n1,2026-03-15 09:30,2026-03-15 09:40\n2,2026-03-15 11:00,\n";
    let declared = "time = { start = \"began\", end = \"ended\" }";
    let tables = Tables::new(&[("shifts", shifts, declared), ("visits", visits, "")]);
    let pairs = ["ann 1", "bob 1", "bob 2"];
    for from in [
        "shifts s JOIN visits v ON s OVERLAPS v",
        "shifts s (person, x, y) JOIN visits v ON S OVERLAPS \"v\"",
        "shifts AS s JOIN visits v ON v OVERLAPS s",
        "shifts s JOIN (SELECT * FROM visits) v ON (s) OVERLAPS (v)",
        "(SELECT person, began AS start, ended AS \"end\" FROM shifts) s JOIN visits v ON s OVERLAPS v",
        "shifts s JOIN visits v ON (began, ended) OVERLAPS (start, end)",
        "shifts s JOIN visits v ON (s.began, s.ended) OVERLAPS v",
        "shifts s JOIN visits v ON (v.start, v.start) OVERLAPS s",
        "shifts s JOIN visits v ON s CONTAINS v.start",
        "shifts s JOIN visits v ON s CONTAINS (start)",
        "shifts s, visits v WHERE overlap(s, v) >= 0s",
        "shifts s, visits v WHERE overlap_start((began, ended), v) = v.start",
    ] {
        let sql = format!("SELECT person, v.id FROM {from} ORDER BY 1, 2");
        assert_eq!(tables.rows(&sql), pairs, "{sql}");
    }
    assert_eq!(
        tables.rows("SELECT v.id, overlap(s, v) FROM shifts s JOIN visits v ON s CONTAINS v WHERE person = 'bob' ORDER BY 1"),
        ["1 PT600S", "2 PT3600S"],
        "an open session lasts up to now"
    );
    assert_eq!(
        tables.rows("SELECT person FROM shifts s WHERE s CONTAINS '2026-03-15 10:00'"),
        ["bob"]
    );
    assert_eq!(
        tables.rows("SELECT person FROM shifts WHERE shifts CONTAINS now() - 150m ORDER BY 1"),
        ["ann", "bob"]
    );
    assert_eq!(
        tables.rows("SELECT person FROM shifts WHERE shifts CONTAINS current_timestamp"),
        ["bob"]
    );
    assert_eq!(
        tables.rows("SELECT count(*) FROM shifts WHERE shifts CONTAINS current_date"),
        ["0"]
    );
    assert_eq!(
        tables.rows("SELECT person FROM shifts s WHERE NOT s OVERLAPS ('2026-03-15 10:00', NULL)"),
        ["ann"]
    );
    assert_eq!(tables.rows("SELECT (NULL, now()) OVERLAPS (now(), now())"), ["NULL"]);
}

/// Times without offset are read where the query is: 10:00 in Berlin is 09:00 in UTC.
#[test]
fn instants_are_in_the_querys_zone() {
    let tables = Tables::new(&[("t", "id,start,end\n1,2026-03-15 09:00,2026-03-15 09:30\n", "")]);
    let holds = |test: &str| tables.rows(&format!("SELECT {test} FROM t")).join("");
    assert_eq!(holds("t CONTAINS '2026-03-15 09:10'"), "true");
    tables.ask("SET time_zone = 'Europe/Berlin'");
    assert_eq!(holds("t CONTAINS '2026-03-15 09:10'"), "false");
    assert_eq!(holds("t CONTAINS '2026-03-15 10:10'"), "true");
    assert_eq!(holds("t CONTAINS '2026-03-15T09:10:00Z'"), "true");
    assert_eq!(holds("t OVERLAPS ('2026-03-15 10:10', '2026-03-15 11:00')"), "true");
    assert_eq!(holds("t OVERLAPS (DATE '2026-03-15', '2026-03-15 ' || '10:01')"), "true");
    assert_eq!(holds("overlap(t, ('2026-03-15 10:10', NULL))"), "PT1200S");
}

#[test]
fn what_is_no_session_is_an_error_with_a_place() {
    let tables = Tables::new(&[
        ("a", "id,start,end\n1,2026-03-15 09:00,\n2,,2026-03-15 09:00\n", ""),
        ("p", "login,since\nann,2026-03-15\n", ""),
        ("texts", "start,end\nx,y\n", ""),
    ]);
    for (sql, told) in [
        (
            "SELECT 1 FROM a WHERE a OVERLAPS c",
            "OVERLAPS needs a session: `c` is no table in FROM; at `c`; hint: did you mean `a`?",
        ),
        (
            "SELECT 1 FROM a WHERE a OVERLAPS id",
            "OVERLAPS needs a session: `id` is no table in FROM; at `id`; hint: a session is a table of FROM, or a start and an end in parentheses",
        ),
        (
            "SELECT 1 FROM a WHERE a CONTAINS start",
            "CONTAINS needs a session: `start` is no table in FROM; at `start`; hint: the column is written with its table, or `(start)`",
        ),
        (
            "SELECT 1 FROM a JOIN p ON a OVERLAPS p",
            "OVERLAPS needs a session: `p` has no column `start`; at `p`; hint: write start and end in parentheses: (a.began, a.ended)",
        ),
        (
            "SELECT 1 FROM a JOIN (SELECT id, start FROM a) x ON x OVERLAPS a",
            "OVERLAPS needs a session: `x` has no column `end`; at `x`; hint: write start and end in parentheses: (a.began, a.ended)",
        ),
        (
            "SELECT 1 FROM a JOIN texts ON a OVERLAPS texts",
            "OVERLAPS needs a session: `start` of `texts` is no time; at `texts`; hint: write start and end in parentheses: (a.began, a.ended)",
        ),
        (
            "SELECT 1 FROM a WHERE a OVERLAPS '2026-03-15'",
            "OVERLAPS needs a table of FROM, or a start and an end in parentheses; at `'2026-03-15'`",
        ),
        (
            "SELECT 1 FROM a WHERE a OVERLAPS (start, end, start)",
            "OVERLAPS needs a table of FROM, or a start and an end in parentheses; at `(start, end, start)`",
        ),
        ("SELECT 1 FROM a WHERE a CONTAINS 5", "CONTAINS needs an instant here; at `5`"),
        ("SELECT 1 FROM a WHERE a CONTAINS 24h", "CONTAINS needs an instant here; at `24h`"),
        ("SELECT 1 FROM a WHERE (start, 5) OVERLAPS a", "OVERLAPS needs an instant here; at `5`"),
        ("SELECT 1 FROM a WHERE (start, id) OVERLAPS a", "OVERLAPS needs an instant here; at `id`"),
        (
            "SELECT 1 FROM a WHERE a CONTAINS 'soon'",
            "`soon` is not a date or time; at `'soon'`; hint: times are written '2026-01-31', '2026-01-31 14:05' or '2026-01-31T14:05:00Z'",
        ),
        (
            "SELECT overlap(a) FROM a",
            "`overlap` takes two sessions; at `overlap`; hint: write overlap(a, b) with tables of FROM, or overlap((s1, e1), (s2, e2))",
        ),
        (
            "SELECT overlap(start, end) FROM a",
            "`overlap` needs a session: `start` is no table in FROM; at `start`; hint: a session is a table of FROM, or a start and an end in parentheses",
        ),
        (
            "SELECT overlap_end(a, a) OVER () FROM a",
            "`overlap_end` takes two sessions; at `overlap_end`; hint: write overlap_end(a, b) with tables of FROM, or overlap_end((s1, e1), (s2, e2))",
        ),
        (
            "SELECT 1 FROM a SEMI JOIN a b ON a OVERLAPS b WHERE a OVERLAPS b",
            "OVERLAPS needs a session: `b` is no table in FROM; at `b`; hint: did you mean `a`?",
        ),
        (
            "SELECT 1 FROM a, (SELECT 1 AS x WHERE a CONTAINS now()) b",
            "no table `a` in FROM; at `a`",
        ),
    ] {
        assert_eq!(tables.error(sql), told, "{sql}");
    }
}

#[test]
fn constants_reach_the_provider_and_change_no_row() {
    let now = instant(BEGIN);
    let at = |minutes: i64| now - chrono::TimeDelta::minutes(minutes);
    let mut sessions = vec![SessionRecord::active("open", "ann", at(300))];
    for (id, began, ended) in [
        ("before", 200, 181),
        ("touches", 200, 180),
        ("into", 200, 170),
        ("covers", 200, 100),
        ("within", 160, 150),
        ("instant", 180, 180),
        ("out", 130, 90),
        ("after", 120, 90),
        ("last_instant", 120, 120),
        ("reversed", 140, 150),
    ] {
        sessions.push(SessionRecord::completed(id, "ann", at(began), at(ended)));
    }
    let world = World::of(sessions);
    // Sessions that are over are asked for from the window's begin on, less some slack.
    let open = "GET /api/beta/sessions?startDate=2026-03-08T12:15:00.000Z&size=100&status=ACTIVE&returnOnlyNew=false";
    let ended_since = |time: &str| {
        format!(
            "GET /api/beta/sessions?startDate=2026-03-15T{time}:00.000Z&size=100&returnOnlyNew=false"
        )
    };
    for (test, since, ids) in [
        ("v CONTAINS now() - 3h", "08:50", "covers instant into open"),
        ("v OVERLAPS (now() - 3h, now() - 2h)", "08:50", "covers instant into open out within"),
        ("(now() - 3h, now() - 2h) OVERLAPS v", "08:50", "covers instant into open out within"),
        (
            "(start, end) OVERLAPS (now() - 3h, NULL)",
            "08:50",
            "after covers instant into last_instant open out within",
        ),
        ("v CONTAINS (now() - 160m, now() - 150m)", "09:10", "covers open within"),
        ("(now() - 3h, now() - 2h) CONTAINS v", "08:50", "instant within"),
        ("v OVERLAPS (now() - 3h, now() - 3h)", "08:50", "covers instant into open"),
    ] {
        let requests = [open.to_owned(), ended_since(since)];
        let sql = format!("SELECT id FROM openvpn v WHERE {test}");
        world.run("SET pushdown = off");
        let whole = world.ids(&sql);
        assert_eq!(world.requests().len(), 1);
        world.run("SET pushdown = on");
        assert_eq!(world.ids(&sql), whole, "{sql}");
        assert_eq!(world.requests(), requests, "{sql}");
        assert_eq!(whole.join(" "), ids, "{sql}");
    }
    // The window and the test say the same of an instant.
    assert_eq!(
        world.ids("SELECT id FROM openvpn v WHERE v CONTAINS now() - 3h"),
        world.ids("SELECT id FROM openvpn v AT now - 3h")
    );
}

//! What analysts ask of sessions: how many at once in a frame, runs of activity, pauses, first times,
//! likeness of texts. Answers are held against counting by hand over rows made at random; `places`
//! has the functions of places.

mod places;

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sessionql_core::Engine;
use sessionql_sandbox::Clock;
use sessionql_tests::{BEGIN, engine, instant, run};
use tempfile::TempDir;

/// A session: user, start and end in minutes of the day, and a value.
#[derive(Debug, Clone)]
struct Session {
    user: u8,
    start: i64,
    end: Option<i64>,
    value: Option<u8>,
}

/// A local table `s` of sessions. It is 2026-03-15 12:00.
struct World {
    engine: Engine,
    _directory: TempDir,
}

fn time(minute: i64) -> String {
    format!("2026-03-15T{:02}:{:02}:00Z", minute / 60, minute % 60)
}

impl World {
    fn of(sessions: &[Session]) -> Self {
        let mut csv = "id,user,start,end,value\n".to_owned();
        for (id, session) in sessions.iter().enumerate() {
            let end = session.end.map(time).unwrap_or_default();
            let value = session.value.map(|value| format!("v{value}")).unwrap_or_default();
            csv += &format!("{id},u{},{},{end},{value}\n", session.user, time(session.start));
        }
        let directory = tempfile::tempdir().expect("a directory is made");
        let path = directory.path().join("s.csv");
        std::fs::write(&path, csv).expect("the file is written");
        let config = format!(
            "[tables.s]\npath = {path:?}\ntime = {{ start = \"start\", end = \"end\" }}\n\
             columns = {{ id = \"int64\", user = \"text\", start = \"timestamp\", \
             end = \"timestamp\", value = \"text\" }}\n"
        );
        let engine = engine(&config, &Clock::fixed(instant(BEGIN)));
        Self { engine, _directory: directory }
    }

    /// Returns the rows as lines.
    fn rows(&self, sql: &str) -> Vec<String> {
        let answer = run(&self.engine, sql, &Default::default());
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows.iter().map(|row| row.join(" ")).collect()
    }

    /// Returns the first column of the rows in the order of `id`, which the query selects second.
    fn by_id(&self, sql: &str) -> Vec<String> {
        let answer = run(&self.engine, sql, &Default::default());
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        let id = |row: &[String]| row[1].parse().expect("the second column is the id");
        let mut rows: Vec<(usize, String)> =
            answer.rows.iter().map(|row| (id(row), row[0].clone())).collect();
        rows.sort();
        rows.into_iter().map(|(_, value)| value).collect()
    }

    fn error(&self, sql: &str) -> String {
        let answer = run(&self.engine, sql, &Default::default());
        let error = answer.error.unwrap_or_else(|| panic!("an error was due: {sql}"));
        let place = error.span().map_or("nowhere", |span| span.of(sql));
        let hint = error.hint().map_or(String::new(), |hint| format!("; hint: {hint}"));
        format!("{error}; at `{place}`{hint}")
    }
}

fn sessions() -> impl Strategy<Value = Vec<Session>> {
    let session =
        (0_u8..3, 0_i64..40, proptest::option::of(0_i64..15), proptest::option::of(0_u8..4))
            .prop_map(|(user, start, length, value)| {
                let end = length.map(|length| start + length);
                Session { user, start, end, value }
            });
    proptest::collection::vec(session, 1..40)
}

/// Returns how many of the sessions are open at one minute at most.
fn most_at_once<'a>(sessions: impl Iterator<Item = &'a Session> + Clone) -> usize {
    let is_open = |session: &Session, at: i64| {
        let is_instant = session.end == Some(session.start) && session.start == at;
        is_instant || session.start <= at && session.end.is_none_or(|end| at < end)
    };
    let counts = (0..60).map(|at| sessions.clone().filter(|session| is_open(session, at)).count());
    counts.max().unwrap_or_default()
}

/// Returns the ids of each user in the order of start and id.
fn in_order(sessions: &[Session]) -> Vec<Vec<usize>> {
    let mut users = vec![Vec::new(); 3];
    let mut ids: Vec<usize> = (0..sessions.len()).collect();
    ids.sort_by_key(|id| (sessions[*id].start, *id));
    for id in ids {
        users[usize::from(sessions[id].user)].push(id);
    }
    users
}

fn runs(n_cases: u32) -> TestRunner {
    TestRunner::new(proptest::test_runner::Config::with_cases(n_cases))
}

#[test]
fn at_once_in_frames_of_rows() {
    let frames = [
        ("ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING", -2, 1),
        ("ROWS BETWEEN 4 PRECEDING AND 2 PRECEDING", -4, -2),
        ("ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING", 1, 3),
        ("ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", -100, 0),
        ("ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", 0, 100),
        ("ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING", -100, 100),
    ];
    let check = |sessions: Vec<Session>| {
        let world = World::of(&sessions);
        for (frame, from, to) in frames {
            let mut due = vec![String::new(); sessions.len()];
            for ids in in_order(&sessions) {
                for (at, id) in ids.iter().enumerate() {
                    let at = at as i64;
                    let in_frame = ids
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| (at + from..=at + to).contains(&(*other as i64)));
                    let most = most_at_once(in_frame.map(|(_, id)| &sessions[*id]));
                    due[*id] = most.to_string();
                }
            }
            let sql = format!(
                "SELECT max_concurrent(start, end) OVER (PARTITION BY user ORDER BY start, id {frame}), id FROM s"
            );
            prop_assert_eq!(world.by_id(&sql), due, "{}", sql);
        }
        Ok(())
    };
    runs(12).run(&sessions(), check).unwrap();
}

#[test]
fn at_once_in_frames_of_time() {
    let check = |sessions: Vec<Session>| {
        let world = World::of(&sessions);
        for (order, frame, minutes) in [
            ("start", "RANGE BETWEEN 5m PRECEDING AND CURRENT ROW", -5..=0),
            ("start", "RANGE BETWEEN 10m PRECEDING AND 6m PRECEDING", -10..=-6),
            ("start DESC", "RANGE BETWEEN 5m PRECEDING AND CURRENT ROW", 0..=5),
            ("start", "", -100..=0),
            ("start", "RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", 0..=100),
        ] {
            let due: Vec<String> = sessions
                .iter()
                .map(|session| {
                    let in_frame = sessions.iter().filter(|other| {
                        other.user == session.user
                            && minutes.contains(&(other.start - session.start))
                    });
                    most_at_once(in_frame).to_string()
                })
                .collect();
            let sql = format!(
                "SELECT max_concurrent(start, end) OVER (PARTITION BY user ORDER BY {order} {frame}), id FROM s"
            );
            prop_assert_eq!(world.by_id(&sql), due, "{}", sql);
        }
        Ok(())
    };
    runs(12).run(&sessions(), check).unwrap();
}

/// Two sessions at once, one of them twice, a pause, an instant, and one that is open.
fn day() -> World {
    let session = |user, start, end, value| Session { user, start, end, value };
    World::of(&[
        session(0, 60, Some(120), Some(1)),
        session(0, 60, Some(120), Some(1)),
        session(0, 90, Some(150), None),
        session(0, 200, Some(200), Some(2)),
        session(0, 240, None, Some(1)),
        session(0, 300, Some(310), Some(2)),
        session(1, 100, Some(110), Some(1)),
    ])
}

#[test]
fn windows_heed_distinct_and_filter() {
    let world = day();
    let rows = |call: &str| {
        world
            .by_id(&format!("SELECT {call} OVER (PARTITION BY user ORDER BY start, id), id FROM s"))
    };
    assert_eq!(rows("max_concurrent(start, end)"), ["1", "2", "3", "3", "3", "3", "1"]);
    assert_eq!(
        rows("max_concurrent(start, end) FILTER (WHERE value = 'v1')"),
        ["1", "2", "2", "2", "2", "2", "1"]
    );
    assert_eq!(
        rows("max_concurrent(DISTINCT start, end)"),
        ["1", "1", "2", "2", "2", "2", "1"],
        "equal sessions are one"
    );
    assert_eq!(rows("covered(start, end)")[..3], ["PT3600S", "PT3600S", "PT5400S"]);
    let sliding = "SELECT covered(start, end) OVER (PARTITION BY user ORDER BY start, id \
                   ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), id FROM s";
    assert_eq!(world.by_id(sliding)[2..4], ["PT5400S", "PT3600S"]);
}

#[test]
fn gaps_are_the_times_without_a_session() {
    let world = day();
    let gaps =
        "SELECT (g).start, (g).end FROM (SELECT unnest(gaps(start, end)) AS g FROM s) x ORDER BY 1";
    assert_eq!(
        world.rows(gaps),
        ["2026-03-15T02:30:00Z 2026-03-15T03:20:00Z", "2026-03-15T03:20:00Z 2026-03-15T04:00:00Z",],
        "an instant parts two pauses, and after the open one there is none"
    );
    let n_gaps =
        "SELECT user, array_length(gaps(start, end)) AS n FROM s GROUP BY user ORDER BY user";
    assert_eq!(world.rows(n_gaps)[0], "u0 2");
    assert_eq!(world.rows("SELECT gaps(start, end) FROM s WHERE id > 90"), ["[]"]);
}

#[test]
fn runs_of_activity() {
    let world = day();
    let rows = |gap: &str, order: &str| {
        world.by_id(&format!(
            "SELECT sessionize(start, {gap}) OVER (PARTITION BY user ORDER BY {order}), id FROM s"
        ))
    };
    assert_eq!(rows("1h", "start"), ["1", "1", "1", "2", "2", "2", "1"]);
    assert_eq!(rows("59m", "start"), ["1", "1", "1", "2", "2", "3", "1"], "60 minutes are longer");
    assert_eq!(rows("60m", "start DESC"), ["2", "2", "2", "1", "1", "1", "1"]);
    assert_eq!(rows("INTERVAL '1 hour'", "start, id"), ["1", "1", "1", "2", "2", "2", "1"]);
    let named = "SELECT sessionize(start, 1h) OVER w, id FROM s WINDOW w AS (PARTITION BY user ORDER BY start)";
    assert_eq!(world.by_id(named), ["1", "1", "1", "2", "2", "2", "1"]);
    let unknown = "SELECT sessionize(start, CASE WHEN id <> 3 THEN 1h END) OVER (PARTITION BY user ORDER BY start), id FROM s";
    assert_eq!(world.by_id(unknown)[..5], ["1", "1", "1", "NULL", "1"], "40 minutes after row 3");
    let ends = "SELECT sessionize(end, 30m) OVER (ORDER BY end), id FROM s";
    assert_eq!(world.by_id(ends), ["1", "1", "1", "2", "NULL", "3", "1"], "no time, no run");
}

#[test]
fn runs_of_activity_need_an_order() {
    let world = day();
    let hint = "hint: write OVER (PARTITION BY user ORDER BY start)";
    for call in [
        "sessionize(start, 1h)",
        "sessionize(start, 1h) OVER ()",
        "sessionize(start, 1h) OVER (PARTITION BY user)",
    ] {
        assert_eq!(
            world.error(&format!("SELECT {call} FROM s")),
            format!("`sessionize` needs OVER with ORDER BY; at `sessionize`; {hint}")
        );
    }
    let named = "SELECT sessionize(start, 1h) OVER w FROM s WINDOW w AS (PARTITION BY user)";
    assert!(world.error(named).starts_with("`sessionize` needs OVER with ORDER BY"));
    let framed = "SELECT sessionize(start, 1h) OVER (ORDER BY start ROWS 3 PRECEDING) FROM s";
    assert_eq!(
        world.error(framed),
        "`sessionize` takes all rows of its partition and no frame; at `sessionize`"
    );
    let filtered =
        "SELECT sessionize(start, 1h) FILTER (WHERE id > 1) OVER (ORDER BY start) FROM s";
    assert!(world.error(filtered).contains("takes arguments and OVER, and nothing else"));
    let other = "SELECT sessionize(start, 1h) OVER (ORDER BY value) FROM s";
    assert!(
        world.error(other).contains("not in the order of the times that `sessionize` is given")
    );
    let negative = "SELECT sessionize(start, -1h) OVER (ORDER BY start) FROM s";
    assert!(world.error(negative).contains("the gap of `sessionize` is below 0"));
}

#[test]
fn the_first_time_of_a_value() {
    let check = |sessions: Vec<Session>| {
        let world = World::of(&sessions);
        let seen_before = |session: &Session, value| {
            sessions.iter().any(|other| {
                other.user == session.user
                    && other.value == Some(value)
                    && other.start < session.start
            })
        };
        let due: Vec<String> = sessions
            .iter()
            .map(|session| match session.value {
                None => "NULL".to_owned(),
                Some(value) => (!seen_before(session, value)).to_string(),
            })
            .collect();
        let found = world
            .by_id("SELECT first_seen(value) OVER (PARTITION BY user ORDER BY start), id FROM s");
        prop_assert_eq!(found, due, "of rows at one time each is the first");
        let named = "SELECT first_seen(value) OVER w, id FROM s \
                     WINDOW w AS (PARTITION BY user ORDER BY start, id)";
        let mut known = HashSet::new();
        let mut due = vec!["NULL".to_owned(); sessions.len()];
        for id in in_order(&sessions).concat() {
            if let Some(value) = sessions[id].value {
                due[id] = known.insert((sessions[id].user, value)).to_string();
            }
        }
        prop_assert_eq!(world.by_id(named), due, "with an order of all rows just one is");
        Ok(())
    };
    runs(24).run(&sessions(), check).unwrap();
}

#[test]
fn the_first_time_in_conditions_and_without_order() {
    let world = day();
    assert_eq!(
        world.rows("SELECT user, value FROM s QUALIFY first_seen(value) OVER (PARTITION BY user ORDER BY start, id) ORDER BY user, start"),
        ["u0 v1", "u0 v2", "u1 v1"]
    );
    assert_eq!(
        world.error("SELECT first_seen(value) FROM s"),
        "`first_seen` needs OVER with ORDER BY; at `first_seen`; \
         hint: write OVER (PARTITION BY user ORDER BY start)"
    );
    assert!(
        world
            .error("SELECT first_seen(value, 1) OVER (ORDER BY start) FROM s")
            .starts_with("`first_seen` takes one value")
    );
}

#[test]
fn likeness_of_texts() {
    let world = day();
    let one = |call: &str| world.rows(&format!("SELECT round({call}, 3)")).remove(0);
    assert_eq!(one("edit_similarity('kitten', 'sitting')"), "0.571");
    assert_eq!(one("edit_similarity('', '')"), "1.0");
    assert_eq!(one("edit_similarity('a', NULL)"), "NULL");
    let long = "SELECT edit_similarity(repeat('x', 10001), user) FROM s";
    assert!(world.error(long).contains("texts of up to 10,000 characters"));
}

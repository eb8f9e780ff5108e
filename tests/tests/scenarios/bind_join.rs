//! Joins that ask a capped table by the keys of their other side.
//! `random` holds their rows against those of whole reads. What the provider was asked for is in a file.

mod random;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sessionql_core::completeness::Off;
use sessionql_core::config::{Config, Secrets};
use sessionql_core::plugin::PluginPath;
use sessionql_core::{Engine, EngineOptions, Error, ExecuteOptions, KeyLimits};
use sessionql_sandbox::oam::SessionRecord;
use sessionql_sandbox::oam_toml;
use sessionql_tests::oam::OamWorld;
use sessionql_tests::{Answer, BEGIN, engine, instant, plugin_directory, run};

/// The rows of both connections, and how their provider behaves.
#[derive(Debug, Clone, Default)]
struct World {
    people: Vec<Value>,
    visits: Vec<Value>,
    hosts: Vec<Value>,
    ignores_case: bool,
    cap: Option<usize>,
    n_batch_rows: usize,
}

/// A world with an engine of its own.
struct Ask {
    engine: Engine,
    asked: tempfile::NamedTempFile,
}

impl World {
    fn ask(&self, keys: KeyLimits, threads: usize) -> Ask {
        self.ask_with("", keys, threads)
    }

    fn ask_with(&self, settings: &str, keys: KeyLimits, threads: usize) -> Ask {
        let asked = tempfile::NamedTempFile::new().expect("a file is made");
        let connection = |name: &str, people: &[Value], visits: &[Value]| {
            format!(
                "[connections.{name}]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n\
                 people = '{}'\nvisits = '{}'\nbatch = {}\nignores_case = {}\ncap = {}\nasked = '{}'\n",
                Value::from(people),
                Value::from(visits),
                self.n_batch_rows.max(1),
                self.ignores_case,
                self.cap.unwrap_or(1_000_000),
                asked.path().display(),
            )
        };
        let config = settings.to_owned()
            + &connection("c", &self.people, &self.visits)
            + &connection("d", &[], &self.hosts);
        let options = EngineOptions {
            plugin_path: PluginPath { directories: vec![plugin_directory()] },
            secrets: Secrets::default(),
            clock: std::sync::Arc::new(|| instant(BEGIN)),
            keys,
            threads: Some(threads),
            ..EngineOptions::default()
        };
        let config = Config::parse(&config).expect("the configuration is right");
        let engine = Engine::new(config, options).expect("an engine starts");
        Ask { engine, asked }
    }
}

impl Ask {
    fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }

    /// Returns the rows of a query that must succeed.
    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer.rows
    }

    /// Returns what the provider was asked for since the last call.
    fn asked(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.asked.path()).expect("the file is there");
        std::fs::write(self.asked.path(), "").expect("the file can be emptied");
        text.lines().map(str::to_owned).collect()
    }
}

fn sorted<T: Ord>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort();
    rows
}

/// Returns people with these ids, each alone in their department.
fn people(ids: &[Option<&str>]) -> Vec<Value> {
    ids.iter().enumerate().map(|(seq, id)| json!([id, "h0", 1, seq])).collect()
}

/// Returns one visit of each of these users.
fn visits_of(users: &[&str]) -> Vec<Value> {
    users.iter().enumerate().map(|(n, user)| json!([user, "h0", n, "u0"])).collect()
}

/// Returns ids `k0`, `k1` and so on.
fn ids(n_ids: usize) -> Vec<String> {
    (0..n_ids).map(|id| format!("k{id}")).collect()
}

fn ask(world: World) -> Ask {
    world.ask(KeyLimits::default(), 2)
}

/// 300 people twice over, and a visit of each.
fn crowd() -> World {
    let ids = ids(300);
    let once: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let users: Vec<&str> = ids.iter().map(String::as_str).collect();
    let twice = [once.clone(), once].concat();
    World {
        people: people(&twice),
        visits: visits_of(&users),
        n_batch_rows: 50,
        ..World::default()
    }
}

#[test]
fn each_key_is_asked_for_once() {
    let ask = ask(crowd());
    let expected = sorted(ids(300).iter().map(|id| format!("user={id}")).collect());
    for (sql, n_rows) in [
        ("SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user", 600),
        ("SELECT u.seq, s.n FROM c.visits s JOIN c.people u ON u.id = s.user", 600),
        ("SELECT u.seq, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user", 600),
        ("SELECT s.n FROM c.visits s WHERE s.user IN (SELECT id FROM c.people)", 300),
        ("SELECT u.seq FROM c.people u WHERE u.id IN (SELECT user FROM c.visits)", 600),
        // Scans of the same rows share their answers, whatever columns they want.
        (
            "SELECT a.n, b.ip FROM c.people u JOIN c.visits a ON u.id = a.user JOIN c.visits b ON a.user = b.user",
            600,
        ),
        (
            "SELECT a.n, b.ip FROM c.people u JOIN c.visits a ON u.id = a.user AND a.n >= 0 \
             JOIN c.visits b ON a.user = b.user AND b.n >= 0",
            600,
        ),
        (
            "WITH w AS (SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user) \
             SELECT a.n FROM w a JOIN w b ON a.seq = b.seq",
            600,
        ),
    ] {
        let rows = ask.rows(sql);
        assert_eq!(rows.len(), n_rows, "{sql}");
        assert_eq!(sorted(ask.asked()), expected, "{sql}");
    }
}

#[test]
fn other_filters_keep_scans_apart() {
    let ask = ask(World {
        people: people(&[Some("a")]),
        visits: vec![json!(["a", "h0", 1, "b"]), json!(["a", "h1", 2, "b"])],
        ..World::default()
    });
    let sql = "SELECT x.n, y.n FROM c.people u JOIN c.visits x ON u.id = x.user AND x.n = 1 \
               JOIN c.visits y ON u.id = y.user AND y.n = 2";
    assert_eq!(ask.rows(sql), [["1", "2"]]);
    assert_eq!(ask.asked(), ["user=a", "user=a"]);
}

#[test]
fn a_limit_ends_the_requests() {
    let ask = ask(crowd());
    for sql in [
        "SELECT u.seq, s.n FROM c.people u JOIN c.visits s ON u.id = s.user LIMIT 3",
        "SELECT u.seq, s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user LIMIT 3",
        "SELECT u.seq, s.n FROM (SELECT * FROM c.people ORDER BY seq LIMIT 200) u \
         JOIN c.visits s ON u.id = s.user ORDER BY u.seq LIMIT 3",
        "SELECT u.seq, s.n FROM (SELECT * FROM c.people ORDER BY seq LIMIT 200) u \
         LEFT JOIN c.visits s ON u.id = s.user AND s.n < 0 ORDER BY u.seq LIMIT 3",
        "SELECT s.n FROM c.visits s WHERE s.user IN (SELECT id FROM c.people) LIMIT 3",
    ] {
        assert_eq!(ask.rows(sql).len(), 3, "{sql}");
        let n_keys = ask.asked().len();
        assert!((1..=4).contains(&n_keys), "{sql}: {n_keys}");
    }
}

#[test]
fn nobody_asks_for_null_or_for_nobody() {
    let mut world = crowd();
    world.people = people(&[None, None]);
    let ask = ask(world);
    for (sql, n_rows) in [
        ("SELECT * FROM c.people u JOIN c.visits s ON u.id = s.user", 0),
        ("SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user", 2),
        ("SELECT * FROM c.people u JOIN c.visits s ON u.id = s.user WHERE u.dept = 'nobody'", 0),
        (
            "SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user WHERE u.dept = 'nobody'",
            0,
        ),
        ("SELECT * FROM c.visits s WHERE s.user IN (SELECT id FROM c.people)", 0),
        (
            "SELECT * FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id)",
            2,
        ),
    ] {
        assert_eq!(ask.rows(sql).len(), n_rows, "{sql}");
        assert_eq!(ask.asked(), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn a_filter_on_the_key_is_not_bound_over() {
    let ask = ask(World {
        people: people(&[Some("a"), Some("b"), Some("c")]),
        visits: visits_of(&["a", "b"]),
        ..World::default()
    });
    let join = "FROM c.people u JOIN c.visits s ON u.id = s.user";
    assert_eq!(ask.rows(&format!("SELECT u.id {join} WHERE s.user = 'a'")), [["a"]]);
    assert_eq!(ask.asked(), ["user=a"]);
    assert_eq!(ask.rows(&format!("SELECT u.id {join} WHERE s.boss = 'u0'")).len(), 2);
    assert_eq!(ask.asked(), ["boss=u0"]);
}

#[test]
fn a_key_that_cannot_be_asked_for_is_read_for() {
    let ids = [Some("a"), Some("b*"), Some("c"), Some("*d"), Some("nobody*")];
    let ask = ask(World {
        people: people(&ids),
        visits: visits_of(&["a", "b*", "c", "*d", "e"]),
        ..World::default()
    });
    let sql = "SELECT u.id FROM c.people u JOIN c.visits s ON u.id = s.user";
    assert_eq!(sorted(ask.rows(sql)), [["*d"], ["a"], ["b*"], ["c"]]);
    assert_eq!(sorted(ask.asked()), ["*", "user=a", "user=c"]);
}

#[test]
fn the_gap_of_a_key_is_a_gap_of_the_answer() {
    let visits = visits_of(&["a", "a", "a", "b"]);
    let people = people(&[Some("a"), Some("b")]);
    let ask = ask(World { people, visits, cap: Some(2), ..World::default() });
    for (sql, n_rows, off) in [
        ("SELECT s.n FROM c.people u JOIN c.visits s ON u.id = s.user", 3, Some(Off::Missing)),
        (
            "SELECT s.n FROM c.visits s WHERE s.user IN (SELECT id FROM c.people)",
            3,
            Some(Off::Missing),
        ),
        ("SELECT s.n FROM c.people u LEFT JOIN c.visits s ON u.id = s.user", 3, Some(Off::Wrong)),
        (
            "SELECT u.seq FROM c.people u WHERE NOT EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id AND s.n > 2)",
            1,
            Some(Off::Wrong),
        ),
        // One scan of two is below an outer join, and both have the gap.
        (
            "SELECT a.n FROM c.people u JOIN c.visits a ON u.id = a.user LEFT JOIN c.visits b ON a.user = b.user",
            5,
            Some(Off::Wrong),
        ),
        ("SELECT s.n FROM c.people u JOIN c.visits s ON u.id = s.user WHERE u.id = 'b'", 1, None),
        // Any rows are the first ones, unless they have an order, whatever node the limit is on.
        (
            "SELECT s.n FROM c.people u JOIN c.visits s ON u.id = s.user LIMIT 3",
            3,
            Some(Off::Missing),
        ),
        (
            "SELECT s.n FROM (SELECT * FROM c.people ORDER BY seq LIMIT 9) u JOIN c.visits s ON u.id = s.user ORDER BY u.seq LIMIT 3",
            3,
            Some(Off::Wrong),
        ),
    ] {
        let answer = ask.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert_eq!(answer.rows.len(), n_rows, "{sql}");
        assert_eq!(answer.completeness.off, off, "{sql}");
        let gaps = answer.completeness.connections.iter().flat_map(|report| &report.gaps);
        let gaps: Vec<&str> = gaps.map(|gap| gap.gap.message.as_str()).collect();
        let expected: &[&str] = if off.is_some() { &["2 of 3 visits of `a`"] } else { &[] };
        assert_eq!(gaps, expected, "{sql}");
    }
}

#[test]
fn what_cannot_be_bound_has_the_gap_of_a_whole_read_and_says_why() {
    let mut world = crowd();
    world.cap = Some(28);
    let ask = ask(world);
    for (sql, off, why) in [
        (
            "SELECT * FROM c.people u FULL JOIN c.visits s ON u.id = s.user",
            Off::Wrong,
            "this full join wants every row of `c.visits`",
        ),
        (
            "SELECT * FROM c.visits s LEFT JOIN c.people u ON u.id = s.user",
            Off::Wrong,
            "this outer join wants every row of `c.visits`",
        ),
        (
            "SELECT * FROM c.people u WHERE u.id NOT IN (SELECT user FROM c.visits)",
            Off::Wrong,
            "`NOT IN` must know whether any key is NULL; `NOT EXISTS` can ask `c.visits` by key",
        ),
        (
            "SELECT u.id FROM c.people u JOIN c.visits s ON u.id = lower(s.user)",
            Off::Missing,
            "no key of the join is `user` or `ip` or `boss` itself",
        ),
        (
            "SELECT u.id FROM (SELECT * FROM c.people ORDER BY seq LIMIT 50) u JOIN c.visits s ON u.id = lower(s.user) ORDER BY u.seq LIMIT 3",
            Off::Wrong,
            "no key of the join is `user` or `ip` or `boss` itself",
        ),
        (
            "SELECT u.id FROM c.people u JOIN c.visits s ON u.id = s.user OR u.dept = s.ip",
            Off::Missing,
            "the join has no `=` on `user` or `ip` or `boss`",
        ),
        (
            "SELECT u.id FROM c.people u JOIN c.visits s ON u.id IS NOT DISTINCT FROM s.user",
            Off::Missing,
            "NULL is equal to NULL in this join, and nobody can ask for NULL",
        ),
    ] {
        let answer = ask.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert_eq!(answer.completeness.off, Some(off), "{sql}");
        let report = &answer.completeness.connections[0];
        assert_eq!(report.gaps[0].gap.message, "28 of 300 all visits", "{sql}");
        assert_eq!(report.notes, [format!("`c.visits` was read without keys: {why}")], "{sql}");
    }
}

#[test]
fn a_table_without_keys_gives_keys_to_the_next() {
    let ask = ask(World {
        visits: vec![json!(["a", "h0", 1, "b"]), json!(["b", "h1", 2, "c"])],
        ..World::default()
    });
    let sql = "SELECT x.n, y.n FROM c.visits x JOIN c.visits y ON x.boss = y.user";
    assert_eq!(ask.rows(sql), [["1", "2"]]);
    let asked = ask.asked();
    assert_eq!(asked.iter().filter(|line| *line == "*").count(), 1, "{asked:?}");
    assert_eq!(asked.len(), 3, "{asked:?}");
}

#[test]
fn a_key_that_fails_fails_the_query() {
    for (key, message) in [
        ("fails in plan", "a key that fails in plan, as asked"),
        ("fails in scan", "a key that fails in scan, as asked"),
    ] {
        let people = people(&[Some("a"), Some(key), Some("b")]);
        let ask = ask(World { people, visits: visits_of(&["a", "b"]), ..World::default() });
        let answer = ask.run("SELECT * FROM c.people u LEFT JOIN c.visits s ON u.id = s.user");
        let Some(Error::Scan { connection, table, error }) = &answer.error else {
            panic!("{key}: a scan's error was due, not {:?}", answer.error);
        };
        assert_eq!((connection.as_str(), table.as_str()), ("c", "visits"));
        assert_eq!(error.message, message);
    }
}

#[test]
fn the_memory_limit_holds_for_answers() {
    let long = "x".repeat(2000);
    let ids = ids(1000);
    let once: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let visits = ids.iter().map(|id| json!([id, long, 1, "u0"])).collect();
    let world = World { people: people(&once), visits, n_batch_rows: 100, ..World::default() };
    let ask = world.ask_with("[settings]\nmemory_limit = \"1MB\"\n", KeyLimits::default(), 2);
    let answer = ask.run("SELECT u.seq, s.ip FROM c.people u JOIN c.visits s ON u.id = s.user");
    let error = answer.error.expect("2 MB do not fit in 1 MB");
    assert!(matches!(error, Error::Memory { .. }), "{error}");
}

#[test]
fn the_memory_limit_ends_an_answer_while_it_comes() {
    let long = "x".repeat(2000);
    let visits: Vec<Value> = (0..2000).map(|n| json!(["a", long, n, "u0"])).collect();
    let people = people(&[Some("a")]);
    let world = World { people, visits, n_batch_rows: 10, ..World::default() };
    let ask = world.ask_with("[settings]\nmemory_limit = \"1MB\"\n", KeyLimits::default(), 2);
    let sql = "SELECT u.seq, s.ip FROM c.people u JOIN c.visits s ON u.id = s.user";
    let answer = ask.run(&format!("EXPLAIN ANALYZE {sql}"));
    assert!(matches!(answer.error, Some(Error::Memory { .. })), "{:?}", answer.error);
    let analysis = answer.explanation.and_then(|told| told.analysis).expect("it ran");
    let n_rows = analysis.connections[0].n_rows_in;
    assert!((1..1000).contains(&n_rows), "{n_rows} rows of 2 KB were read for 1 MB");
}

#[test]
fn an_order_is_made_by_its_own_column() {
    let ids = [Some("d"), Some("b"), None, Some("c"), Some("a")];
    let ask = ask(World {
        people: people(&ids),
        visits: visits_of(&["a", "b", "d"]),
        ..World::default()
    });
    let of = |condition: &str| format!("SELECT id, seq FROM c.people u WHERE {condition}");
    let exists = "EXISTS (SELECT 1 FROM c.visits s WHERE s.user = u.id)";
    for (sql, expected) in [
        (of(exists) + " ORDER BY seq", vec!["d", "b", "a"]),
        (of(exists) + " ORDER BY seq OFFSET 1", vec!["b", "a"]),
        (of(&format!("NOT {exists}")) + " ORDER BY seq", vec!["NULL", "c"]),
        (of("id IN (SELECT user FROM c.visits)") + " ORDER BY seq DESC", vec!["a", "b", "d"]),
        (of(&format!("lvl = 2 OR {exists}")) + " ORDER BY seq", vec!["d", "b", "a"]),
    ] {
        let rows = ask.rows(&sql);
        assert_eq!(rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), expected, "{sql}");
        assert!(!ask.asked().contains(&"*".to_owned()), "{sql}");
    }
}

#[test]
fn a_part_of_sessions_and_its_table_are_two_questions() {
    let start = instant(BEGIN) - TimeDelta::hours(1);
    let sessions = [("a1", "ann"), ("b1", "bob"), ("c1", "cy")];
    let sessions = sessions.map(|(id, user)| SessionRecord::new(id, user, start));
    let world = OamWorld::of(sessions.to_vec());
    let list = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file is made");
    std::fs::write(list.path(), "user\nann\nbob\n").expect("the file is written");
    let toml = format!("[tables.watchlist]\npath = {:?}\n", list.path());
    let engine = engine(&(oam_toml(&world.emulator) + &toml), &world.clock);
    let sql = "SELECT s.id, s.connection, o.id_store_name FROM watchlist w \
               JOIN oam o ON o.user = w.user \
               JOIN sessions s ON s.user = w.user AND s.connection = 'oam'";
    let answer = run(&engine, sql, &ExecuteOptions::default());
    assert!(answer.error.is_none(), "{:?}", answer.error);
    let row = |id: &str| [id, "oam", "UserIdentityStore1"].map(str::to_owned).to_vec();
    assert_eq!(sorted(answer.rows), [row("a1"), row("b1")]);
}

//! `--diff`: what has changed since the last run, from file to file and from exit code to exit code.

use std::path::PathBuf;
use std::process::Output;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_sandbox::{Fault, On};
use sessionql_tests::program::{Program, code, command, stderr, stdout};

/// Three sessions of the last hours, and a state that is not there yet.
struct World {
    program: Program,
    now: DateTime<Utc>,
}

const QUERY: &str = "SELECT id, user, end FROM openvpn SINCE 1d ORDER BY id";

impl World {
    fn new() -> Self {
        let world = Self { program: Program::new(), now: Utc::now() };
        let ids = ["a", "b", "c"];
        let sessions = ids.map(|id| SessionRecord::active(id, "ann", world.ago(3)));
        world.program.sandbox.openvpn.set_sessions(sessions.to_vec());
        world
    }

    fn ago(&self, hours: i64) -> DateTime<Utc> {
        self.now - TimeDelta::hours(hours)
    }

    fn state(&self) -> PathBuf {
        self.program.directory.path().join("state")
    }

    /// Runs a query and compares it with its last run.
    fn diff(&self, query: &str, arguments: &[&str]) -> Output {
        let state = self.state().display().to_string();
        let mut all = vec!["-c", query, "--diff", "--state", &state];
        all.extend(arguments);
        self.program.run(&all)
    }

    /// Closes `a`, takes `b` away and adds `d`.
    fn change(&self) {
        let openvpn = &self.program.sandbox.openvpn;
        let end = self.ago(1);
        assert!(openvpn.update("a", |session| session.close(end)));
        assert!(openvpn.remove("b").is_some());
        openvpn.upsert(SessionRecord::active("d", "dan", self.ago(2)));
    }
}

/// Returns the lines of csv, only the first two fields of each.
fn fields(output: &Output) -> Vec<String> {
    let text = stdout(output);
    let line = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(",");
    text.lines().map(line).collect()
}

#[test]
fn the_first_run_has_nothing_to_compare_with_and_the_next_prints_what_changed() {
    let world = World::new();
    let first = world.diff(QUERY, &["--key", "id"]);
    assert_eq!(stdout(&first), "change,id,user,end,was\n");
    assert_eq!(stderr(&first), "note: first run: 3 rows, nothing to compare\n");
    assert_eq!(code(&first), 0);
    let same = world.diff(QUERY, &["--key", "id"]);
    assert_eq!((fields(&same).len(), stderr(&same), code(&same)), (1, String::new(), 0));
    world.change();
    let changed = world.diff(QUERY, &["--key", "id"]);
    assert_eq!(fields(&changed), ["change,id", "changed,a", "added,d", "removed,b"]);
    assert!(stdout(&changed).contains(r#""{""end"":null}""#), "{}", stdout(&changed));
    assert_eq!((stderr(&changed), code(&changed)), (String::new(), 0));
    assert_eq!(fields(&world.diff(QUERY, &["--key", "id"])).len(), 1, "told once");
}

#[test]
fn without_a_key_a_row_that_changed_is_gone_and_new() {
    let world = World::new();
    world.diff(QUERY, &[]);
    world.change();
    let changed = fields(&world.diff(QUERY, &[]));
    assert_eq!(changed, ["change,id", "added,a", "added,d", "removed,a", "removed,b"]);
}

#[test]
fn every_format_has_the_change_first() {
    let world = World::new();
    world.diff(QUERY, &["--key", "id"]);
    world.change();
    let jsonl = world.diff(QUERY, &["--key", "id", "--format", "jsonl", "--require-complete"]);
    let lines: Vec<Value> = stdout(&jsonl)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert_eq!(lines[0]["change"], "changed");
    assert_eq!(lines[0]["was"], r#"{"end":null}"#);
    assert!(lines[0]["end"].is_string() && lines[2]["was"].is_null());
    world.program.sandbox.openvpn.remove("c");
    let json = world.diff(QUERY, &["--key", "id", "--format", "json"]);
    let json: Value = serde_json::from_str(&stdout(&json)).expect("json is JSON");
    assert_eq!(json["columns"][0]["name"], "change");
    assert_eq!(json["rows"][0]["id"], "c");
    let diff = &json["meta"]["diff"];
    assert_eq!(
        (&diff["compared"], &diff["epoch"], &diff["run"]),
        (&true.into(), &1.into(), &3.into())
    );
    assert_eq!((&diff["removed"], &diff["unchanged"]), (&1.into(), &2.into()));
}

#[test]
fn an_expectation_is_about_what_changed() {
    let world = World::new();
    let of = || world.diff(QUERY, &["--key", "id", "--expect", "empty"]);
    assert_eq!(code(&of()), 0, "of a first run nothing is expected");
    assert_eq!(code(&of()), 0);
    world.change();
    let changed = of();
    assert_eq!(code(&changed), 1);
    assert_eq!(stderr(&changed), "unexpected: expected `empty`, found 3 rows\n");
    assert_eq!(code(&of()), 0, "what was told is known");
}

#[test]
fn rows_that_an_incomplete_answer_lacks_are_not_gone() {
    let world = World::new();
    let query = "SELECT id, user FROM openvpn SINCE 30d ORDER BY id";
    let refused = world.diff(query, &["--key", "id"]);
    assert_eq!(code(&refused), 4);
    assert!(stderr(&refused).contains("an incomplete answer is nothing to compare with"));
    assert!(!world.state().exists());
    assert_eq!(code(&world.diff(query, &["--key", "id", "--allow-partial"])), 0);
    world.program.sandbox.openvpn.remove("b");
    let partial = world.diff(query, &["--key", "id"]);
    assert_eq!((fields(&partial).len(), code(&partial)), (1, 4));
    assert!(
        stderr(&partial).starts_with("note: 1 row of before not seen;"),
        "{}",
        stderr(&partial)
    );
    // It is kept, so that it is not new when it is seen again.
    let back = SessionRecord::active("b", "ann", world.ago(3));
    world.program.sandbox.openvpn.upsert(back);
    assert_eq!(fields(&world.diff(query, &["--key", "id"])).len(), 1);
}

#[test]
fn an_answer_that_may_be_wrong_is_not_compared() {
    let world = World::new();
    let query = "SELECT count(*) AS n FROM openvpn SINCE 30d";
    let first = world.diff(query, &["--allow-partial"]);
    assert_eq!(code(&first), 4, "nothing was looked at");
    assert!(
        stderr(&first).contains("rows may be wrong, so nothing is compared"),
        "{}",
        stderr(&first)
    );
    assert!(!world.state().exists());
}

#[test]
fn a_failed_query_leaves_the_state_as_it_was() {
    let world = World::new();
    world.diff(QUERY, &["--key", "id"]);
    let before = std::fs::read(world.state()).expect("there is a state");
    world.change();
    let openvpn = &world.program.sandbox.openvpn;
    openvpn.faults().plan(On::Data(openvpn.data_requests().len() + 1), Fault::status(403));
    assert_eq!(code(&world.diff(QUERY, &["--key", "id"])), 3);
    assert_eq!(std::fs::read(world.state()).expect("there is a state"), before);
    assert_eq!(fields(&world.diff(QUERY, &["--key", "id"])).len(), 4, "nothing is lost");
}

#[test]
fn another_query_begins_anew() {
    let world = World::new();
    world.diff(QUERY, &["--key", "id"]);
    let spelled = "select id, user, end\nfrom openvpn since 1d order by id";
    assert_eq!(stderr(&world.diff(spelled, &["--key", "id"])), "", "the same in other words");
    for (query, arguments) in [
        ("SELECT id, user FROM openvpn SINCE 1d", &["--key", "id"][..]),
        (QUERY, &["--key", "id"]),
        (QUERY, &[]),
        ("SELECT id FROM openvpn SINCE 1d WHERE user = $who", &["--param", "who=ann"]),
        ("SELECT id FROM openvpn SINCE 1d WHERE user = $who", &["--param", "who=dan"]),
    ] {
        let other = world.diff(query, arguments);
        assert_eq!((fields(&other).len(), code(&other)), (1, 0));
        assert!(stderr(&other).contains("was of another query; first run of this one"), "{query}");
    }
}

#[test]
fn a_key_that_is_none_is_refused() {
    let world = World::new();
    let missing = world.diff(QUERY, &["--key", "idd"]);
    assert_eq!(code(&missing), 2);
    assert_eq!(
        stderr(&missing),
        "error: the result has no column `idd` for `--key`\nhint: did you mean `id`?\n"
    );
    assert!(world.program.sandbox.openvpn.data_requests().is_empty(), "nothing is sent");
    let shared = world.diff(QUERY, &["--key", "user"]);
    assert_eq!(code(&shared), 3);
    assert_eq!(stderr(&shared), "error: 3 rows have the same key: `user` = ann\n");
    assert!(!world.state().exists());
}

#[test]
fn a_state_in_use_or_damaged_ends_the_run_before_a_request() {
    let world = World::new();
    let lock = world.program.directory.path().join("state.lock");
    let lock = std::fs::File::create(lock).expect("a file is made");
    lock.lock().expect("it is locked");
    let busy = world.diff(QUERY, &[]);
    assert_eq!(code(&busy), 2);
    assert!(stderr(&busy).contains("is in use by another run"), "{}", stderr(&busy));
    drop(lock);
    std::fs::write(world.state(), "mine\n").expect("a file is written");
    let damaged = world.diff(QUERY, &[]);
    assert_eq!(code(&damaged), 2);
    assert!(
        stderr(&damaged).contains("is not a file that `--state` wrote"),
        "{}",
        stderr(&damaged)
    );
    assert_eq!(std::fs::read(world.state()).expect("it is there"), b"mine\n");
    assert!(world.program.sandbox.openvpn.data_requests().is_empty());
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let world = World::new();
    let refused = |arguments: &[&str]| {
        let output = command(&world.program.config(), arguments).output();
        let output = output.expect("the program starts");
        assert_eq!((code(&output), stdout(&output)), (2, String::new()));
        stderr(&output).lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(refused(&["-c", QUERY, "--diff"]), "error: `--state <FILE>` is missing");
    assert_eq!(
        refused(&["-c", QUERY, "--key", "id"]),
        "error: `--state <FILE>`, `--diff` are missing"
    );
    assert_eq!(
        refused(&["-c", QUERY, "-c", QUERY, "--diff", "--state", "x"]),
        "error: `--diff` compares one query"
    );
    assert_eq!(
        refused(&["-c", QUERY, "--diff", "--state", "x", "--format", "svg"]),
        "error: `--diff` does not combine with `--format svg`"
    );
}

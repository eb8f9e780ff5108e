//! Every SQL example of the documentation runs against the sandbox, and every configuration in it
//! is one that the program accepts.

use sessionql_core::config::Config;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};
use sessionql_tests::{Answer, BEGIN, engine, instant, run};

/// The files of the local tables that examples name, and what the documentation shows of them.
const TABLES: [(&str, &str); 2] = [
    ("watchlist.csv", include_str!("../../../examples/tables/watchlist.csv")),
    ("people.csv", include_str!("../../../examples/tables/people.csv")),
];

/// The sandbox, and an engine connected to it.
struct World {
    engine: Engine,
    _sandbox: Sandbox,
    _directory: tempfile::TempDir,
}

impl World {
    fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &ExecuteOptions::default())
    }
}

/// Returns the sandbox with the local tables of the documentation.
fn world() -> World {
    let clock = Clock::fixed(instant(BEGIN));
    let sandbox = Sandbox::start(SandboxOptions { seed: 1, clock: clock.clone() });
    let sandbox = sandbox.expect("loopback sockets are free");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tables");
    let mut toml = blocks(include_str!("../../../docs/configuration.md"), "toml")
        .into_iter()
        .find(|toml| toml.contains("[tables."))
        .expect("the documentation configures local tables");
    for (file, _) in TABLES {
        toml =
            toml.replace(&format!("\"{file}\""), &format!("{:?}", format!("{directory}/{file}")));
    }
    let directory = tempfile::tempdir().expect("a directory is made");
    let places = sandbox.write_places(directory.path()).expect("the places are written");
    let engine = engine(&format!("{}\n{toml}\n{places}", sandbox.config_toml()), &clock);
    World { engine, _sandbox: sandbox, _directory: directory }
}

#[test]
fn the_files_of_local_tables_are_as_shown() {
    let shown = blocks(include_str!("../../../docs/configuration.md"), "csv");
    assert_eq!(shown, TABLES.map(|(_, text)| text.to_owned()));
}

/// The documents with examples.
const DOCUMENTS: [(&str, &str); 7] = [
    ("README.md", include_str!("../../../README.md")),
    ("docs/configuration.md", include_str!("../../../docs/configuration.md")),
    ("docs/language.md", include_str!("../../../docs/language.md")),
    ("docs/command-line.md", include_str!("../../../docs/command-line.md")),
    ("docs/automation.md", include_str!("../../../docs/automation.md")),
    ("docs/prompt.md", include_str!("../../../docs/prompt.md")),
    ("topics of `\\h`", include_str!("../../../repl/src/shell/topics.md")),
];

/// Returns the fenced blocks of a language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in document.lines() {
        match &mut block {
            None if line.trim_end() == format!("```{language}") => block = Some(String::new()),
            None => {}
            Some(_) if line.starts_with("```") => blocks.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    blocks
}

#[test]
fn queries_run() {
    let world = world();
    let mut n_queries = 0;
    for (name, document) in DOCUMENTS {
        for sql in blocks(document, "sql") {
            let answer = world.run(&sql);
            assert!(answer.error.is_none(), "{name}: {sql}: {:?}", answer.error);
            assert!(!answer.rows.is_empty(), "{name}: {sql}: no rows to show");
            n_queries += 1;
        }
    }
    assert!(n_queries >= 7, "{n_queries} examples were found");
}

#[test]
fn queries_within_commands_run() {
    let world = world();
    for (name, document) in DOCUMENTS {
        for line in blocks(document, "sh").iter().flat_map(|block| block.lines()) {
            let mut quoted = line.split('"');
            while let (Some(before), Some(text)) = (quoted.next(), quoted.next()) {
                if before.trim_end().ends_with("-c") {
                    let answer = world.run(text);
                    assert!(answer.error.is_none(), "{name}: {text}: {:?}", answer.error);
                }
            }
        }
    }
}

#[test]
fn configurations_are_accepted() {
    for (name, document) in DOCUMENTS {
        for toml in blocks(document, "toml") {
            if let Err(error) = Config::parse(&toml) {
                panic!("{name}: {error}\n{toml}");
            }
        }
    }
}

#[test]
fn example_queries_run() {
    let world = world();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/queries");
    let mut n_files = 0;
    for entry in std::fs::read_dir(directory).expect("the examples are there") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            // Those have tests of their own: `automation`.
            continue;
        }
        let sql = std::fs::read_to_string(&path).expect("the example is text");
        let answer = world.run(&sql);
        assert!(answer.error.is_none(), "{}: {:?}", path.display(), answer.error);
        assert!(!answer.columns.is_empty(), "{}", path.display());
        n_files += 1;
    }
    assert!(n_files >= 3);
}

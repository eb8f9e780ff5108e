//! The wall holds: whatever a plugin does, there is an error that names it, and the next query works.
//! `anywhere` is what a library in this process and one in a child are told alike, `apart` what only a
//! child survives, `rows` that isolation changes no answer, `terminal` the same at the prompt.

mod anywhere;
mod apart;
mod rows;
mod terminal;

use std::path::Path;
use std::process::Command;

use sessionql_core::{Engine, Error, ExecuteOptions};
use sessionql_sandbox::Clock;
use sessionql_tests::{BEGIN, PATIENCE, engine, engine_with_plugins, instant, run};
use tempfile::TempDir;

/// The keys that put a plugin into a process of its own.
const APART: &str = "isolation = \"process\"\n";

/// A directory with the plugin in C that breaks what no Rust plugin can.
struct Crimes {
    directory: TempDir,
}

impl Crimes {
    /// Compiles it with these definitions.
    fn with(definitions: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
        let library = format!("libsessionql_crimes{}", std::env::consts::DLL_SUFFIX);
        let compiled = Command::new("cc")
            .args(["-std=c99", "-shared", "-fPIC", "-w"])
            .args(definitions.iter().map(|definition| format!("-D{definition}")))
            .arg("-I")
            .arg(root.join("plugins/abi/include"))
            .arg("-o")
            .arg(directory.path().join(library))
            .arg(root.join("plugins/faulty/crimes.c"))
            .output()
            .expect("there is a C compiler");
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{said}");
        Self { directory }
    }

    /// Returns an engine with a connection `bad` that commits a crime, with more keys.
    fn engine(&self, crime: &str, more: &str) -> Engine {
        let config = format!("[connections.bad]\nplugin = \"crimes\"\ncrime = \"{crime}\"\n{more}");
        let clock = Clock::fixed(instant(BEGIN));
        engine_with_plugins(&config, &clock, self.directory.path())
    }
}

/// Returns an engine with a connection `bad` of the plugin `faulty` that commits a crime, with more
/// keys, and a connection `good` that commits none.
fn faulty(crime: &str, more: &str) -> Engine {
    let connection = |name: &str, crime: &str, more: &str| {
        format!(
            "[connections.{name}]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n\
             crime = \"{crime}\"\n{more}"
        )
    };
    let config = connection("bad", crime, more) + &connection("good", "none", more);
    engine(&config, &Clock::fixed(instant(BEGIN)))
}

/// Runs a query of two columns.
fn ask(engine: &Engine, connection: &str) -> Result<Vec<Vec<String>>, Error> {
    let options = ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() };
    let answer = run(engine, &format!("SELECT id, n FROM {connection}"), &options);
    match answer.error {
        Some(error) => Err(error),
        None => {
            assert!(answer.completeness.is_complete(), "{:?}", answer.completeness);
            Ok(answer.rows)
        }
    }
}

/// Returns what went wrong with a query of the connection `bad`, and sees to it that the engine goes
/// on. The directory of a library has another name each time.
fn failure(engine: &Engine) -> String {
    let error = match ask(engine, "bad") {
        Err(error) => error,
        Ok(rows) => panic!("an error was due, not {rows:?}"),
    };
    assert!(run(engine, "SELECT 1", &ExecuteOptions::default()).error.is_none());
    error.to_string()
}

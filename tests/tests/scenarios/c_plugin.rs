//! The example plugin in C: compiled against the header without a warning, loaded, and queried.

use std::path::{Path, PathBuf};
use std::process::Command;

use sessionql_sandbox::Clock;
use sessionql_tests::{Answer, BEGIN, engine_with_plugins, instant, run};
use tempfile::TempDir;

/// A directory with the compiled plugin and a file of accounts.
struct Machine {
    directory: TempDir,
}

impl Machine {
    /// Compiles the plugin beside a file with these lines.
    fn with(lines: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
        let library = format!("libsessionql_accounts{}", std::env::consts::DLL_SUFFIX);
        let compiled = Command::new("cc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC"])
            .arg("-I")
            .arg(root.join("plugins/abi/include"))
            .arg("-o")
            .arg(directory.path().join(library))
            .arg(root.join("examples/c-plugin/accounts.c"))
            .output()
            .expect("there is a C compiler");
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success() && said.is_empty(), "{said}");
        let machine = Self { directory };
        std::fs::write(machine.file(), lines).expect("the file is written");
        machine
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("accounts")
    }

    fn ask(&self, sql: &str) -> Answer {
        let config =
            format!("[connections.machine]\nplugin = \"accounts\"\npath = {:?}\n", self.file());
        let clock = Clock::fixed(instant(BEGIN));
        let engine = engine_with_plugins(&config, &clock, self.directory.path());
        run(&engine, sql, &Default::default())
    }

    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let answer = self.ask(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert!(answer.completeness.is_complete(), "{sql}");
        answer.rows
    }
}

const ACCOUNTS: &str = "\
# name:password:uid:group:comment:home:shell
root:x:0:0:root:/root:/bin/bash
sync:x:4:65534:sync:/bin:/bin/sync
ann:x:1000:1000:Ann:/home/ann:/bin/zsh

ghost:x:1001:1001::/:
";

/// Returns a file of so many accounts, numbered from 0.
fn many(n_accounts: usize) -> String {
    (0..n_accounts).map(|n| format!("user{n}:x:{n}:0::/home/user{n}:/bin/sh\n")).collect()
}

#[test]
fn rows_have_the_requested_columns_in_any_order() {
    let machine = Machine::with(ACCOUNTS);
    assert_eq!(
        machine.rows("SELECT shell, name, uid FROM machine ORDER BY uid"),
        [
            ["/bin/bash", "root", "0"],
            ["/bin/sync", "sync", "4"],
            ["/bin/zsh", "ann", "1000"],
            ["NULL", "ghost", "1001"],
        ]
    );
    assert_eq!(machine.rows("SELECT shell FROM machine WHERE shell IS NULL"), [["NULL"]]);
    assert_eq!(machine.rows("SELECT count(*) FROM machine"), [["4"]]);
}

#[test]
fn batches_add_up() {
    let machine = Machine::with(&many(100));
    assert_eq!(
        machine.rows("SELECT count(*), count(DISTINCT name), sum(uid) FROM machine"),
        [["100", "100", "4950"]]
    );
    assert_eq!(machine.rows("SELECT name FROM machine WHERE name LIKE '%99'"), [["user99"]]);
}

#[test]
fn a_filter_is_decided_by_the_plugin() {
    let machine = Machine::with(&many(100));
    let emitted = |sql: &str| {
        let answer = machine.ask(sql);
        assert_eq!(answer.rows, [["user42"]], "{sql}: {:?}", answer.error);
        answer.completeness.connections[0].n_rows
    };
    assert_eq!(emitted("SELECT name FROM machine WHERE uid = 42"), 1);
    assert_eq!(emitted("SELECT name FROM machine WHERE uid = 42 AND name > 'a'"), 1);
    assert_eq!(emitted("SELECT name FROM machine WHERE uid + 0 = 42"), 100);
    assert_eq!(emitted("SELECT name FROM machine WHERE name = 'user42'"), 100);
}

#[test]
fn the_plugin_stops_when_the_host_has_enough() {
    let machine = Machine::with(&many(100));
    let answer = machine.ask("SELECT name FROM machine LIMIT 3");
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows, [["user0"], ["user1"], ["user2"]]);
    assert_eq!(answer.completeness.connections[0].n_rows, 8, "one batch and no more");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let error = |machine: &Machine| {
        let answer = machine.ask("SELECT name FROM machine");
        answer.error.map(|error| error.to_string()).unwrap_or_default()
    };
    let broken = Machine::with("root:x:0:0:root:/root:/bin/bash\nnonsense\n");
    assert!(error(&broken).contains("a line of the file is no account"), "{}", error(&broken));
    let long = Machine::with(&format!("root:x:0:0:{}:/root:/bin/bash\n", "x".repeat(2000)));
    assert!(error(&long).contains("a line of the file is no account"), "{}", error(&long));
    let missing = Machine::with("");
    std::fs::remove_file(missing.file()).expect("the file is removed");
    assert!(error(&missing).contains("cannot be opened"), "{}", error(&missing));
}

#[test]
fn a_path_that_cannot_be_taken_is_told_when_the_connection_opens() {
    let machine = Machine::with("");
    let clock = Clock::fixed(instant(BEGIN));
    let config = "[connections.machine]\nplugin = \"accounts\"\npath = 'a\"b'\n";
    let engine = engine_with_plugins(config, &clock, machine.directory.path());
    let error = run(&engine, "SELECT * FROM machine", &Default::default()).error;
    let message = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("option `path` must be a path without quotes"), "{message}");
}

//! What a user sees of a mistake: each query of `errors.txt` fails before anything is sent, with
//! exit code 2 and the text below it. To add one, write its line, and take the text that the test
//! leaves when it fails.

use std::process::Command;

use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};
use sessionql_tests::{plugin_directory, program};

/// Begins the line of a query.
const QUERY: &str = "> ";

#[test]
fn mistakes_are_told_with_their_place() {
    let golden = include_str!("errors.txt");
    let options = SandboxOptions { seed: 1, clock: Clock::system() };
    let sandbox = Sandbox::start(options).expect("the sandbox starts");
    let directory = tempfile::tempdir().expect("a directory is made");
    sandbox.write_config(directory.path()).expect("the configuration is written");
    let mut text = String::new();
    for line in golden.lines() {
        if line.starts_with("# ") {
            text.push_str(&format!("{line}\n\n"));
        }
        let Some(query) = line.strip_prefix(QUERY) else { continue };
        let output = Command::new(program())
            .arg("--plugin-dir")
            .arg(plugin_directory())
            .arg("--config")
            .arg(directory.path().join("config.toml"))
            .args(["--now", "2026-03-15T12:00:00Z", "-c", query])
            .env_remove("SESSIONQL_CONFIG")
            .env("NO_COLOR", "1")
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
        assert_eq!(output.status.code(), Some(2), "{query}\n{stderr}");
        assert!(output.stdout.is_empty(), "{query} printed rows");
        text.push_str(&format!("{QUERY}{query}\n{}\n\n", stderr.trim_end()));
    }
    assert!(sandbox.openvpn.data_requests().is_empty(), "a mistake was sent");
    if text != golden {
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/errors.txt");
        std::fs::write(file, text).expect("the new text is written");
        panic!("errors.txt is not what is printed: compare it with {file}");
    }
}

//! `sessionql plugin docs`: the pages of the four providers are what it writes, and their examples
//! can be planned.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sessionql_core::plugin::file_name;
use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};
use sessionql_tests::{BEGIN, engine, instant, plugin_directory, program, run};

const PROVIDERS: [&str; 4] = ["openvpn", "formal", "oam", "ekran"];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/providers")
}

fn docs(arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("--plugin-dir").arg(plugin_directory()).args(["plugin", "docs"]).args(arguments);
    command.output().expect("the program starts")
}

fn written(plugin: &str) -> String {
    let output = docs(&[plugin]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{plugin}");
    assert_eq!(output.status.code(), Some(0), "{plugin}");
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

fn kept(plugin: &str) -> String {
    std::fs::read_to_string(pages().join(format!("{plugin}.md"))).expect("the page is there")
}

#[test]
fn the_pages_of_the_providers_are_what_the_command_writes() {
    for provider in PROVIDERS {
        let again = format!("sessionql plugin docs {provider} --output docs/providers");
        assert!(kept(provider) == written(provider), "docs/providers is old: `{again}`");
    }
}

#[test]
fn every_example_can_be_planned() {
    let clock = Clock::fixed(instant(BEGIN));
    let sandbox = Sandbox::start(SandboxOptions { seed: 1, clock: clock.clone() });
    let sandbox = sandbox.expect("loopback sockets are free");
    let engine = engine(&sandbox.config_toml(), &clock);
    for provider in PROVIDERS {
        let page = kept(provider);
        assert!(!page.contains("| not planned |"), "{provider}");
        let (_, examples) = page.split_once("```sql\n").expect("there are examples");
        let (examples, _) = examples.split_once("```").expect("they end");
        assert!(examples.lines().count() > 5, "{provider}: {examples}");
        for query in examples.lines() {
            let answer = run(&engine, &format!("EXPLAIN {query}"), &Default::default());
            assert!(answer.error.is_none(), "{provider}: {query}: {:?}", answer.error);
            let explanation = answer.explanation.expect("EXPLAIN tells");
            assert_eq!(explanation.scans.len(), 1, "{provider}: {query}");
        }
    }
}

#[test]
fn a_plugin_is_given_by_its_file_too() {
    let file = plugin_directory().join(file_name("oam"));
    assert_eq!(written(file.to_str().expect("it is UTF-8")), kept("oam"));
}

#[test]
fn pages_go_into_a_directory() {
    let directory = tempfile::tempdir().expect("a directory is made");
    let place = directory.path().join("a/b");
    let output = docs(&["oam", "--output", place.to_str().expect("it is UTF-8")]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(std::fs::read_to_string(place.join("oam.md")).expect("it is there"), kept("oam"));
}

#[test]
fn refusals_say_what_is_missing() {
    let cases = [
        (&["nowhere"][..], 5, "error: plugin `nowhere` is not found\n"),
        (&["./doors.so"], 2, "error: `./doors.so` is not named as a plugin\n"),
        (&[], 2, "error: `<NAME|PATH>` is missing\n"),
    ];
    for (arguments, code, message) in cases {
        let output = docs(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), told.starts_with(message)), (Some(code), true), "{told}");
    }
    let absent = plugin_directory().join("absent").join(file_name("oam"));
    let output = docs(&[absent.to_str().expect("it is UTF-8")]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(told, format!("error: there is no file `{}`\n", absent.display()));
}

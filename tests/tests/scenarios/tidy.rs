//! What must hold of the source itself.

use std::path::{Path, PathBuf};

/// Files where `unsafe` may stand: invariant 6 of ARCHITECTURE.md.
const UNSAFE_PLACES: [&str; 4] = [
    "core/src/plugin/load.rs",
    "core/src/plugin/call.rs",
    "plugins/abi/src/ffi.rs",
    "plugins/sdk/src/export",
];

/// Lines that a source file may have; tests are longer.
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_owned()
}

fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    let mut directories: Vec<PathBuf> = ["grammar", "core", "plugins", "repl", "examples", "tests"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("the directory can be read") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                files.push((name, std::fs::read_to_string(&path).expect("source is text")));
            }
        }
    }
    assert!(files.len() > 50, "{} files were found", files.len());
    files
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("tests.rs")
}

#[test]
fn every_file_says_what_it_is() {
    for (name, text) in sources() {
        let begins = text.starts_with("//!") || is_test(&name);
        assert!(begins, "{name} has no header");
    }
}

#[test]
fn no_file_does_too_much() {
    for (name, text) in sources() {
        let n_lines = text.lines().count();
        assert!(n_lines <= MAX_LINES || is_test(&name), "{name} has {n_lines} lines");
    }
}

#[test]
fn unsafe_stays_in_its_places() {
    for (name, text) in sources() {
        let is_place = UNSAFE_PLACES.iter().any(|place| name.starts_with(place));
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let has_unsafe = code.clone().any(|line| {
            line.contains("unsafe {") || line.contains("unsafe impl") || line.contains("unsafe fn")
        });
        assert!(is_place || is_test(&name) || !has_unsafe, "{name} has `unsafe`");
    }
}

/// `cargo demo -- -c "…"` hands what follows `--` to the program; an alias that ends with `--`
/// itself would hand the `--` over too.
#[test]
fn the_demo_alias_takes_arguments() {
    let config = std::fs::read_to_string(root().join(".cargo/config.toml")).expect("it is there");
    let alias = config.lines().find(|line| line.starts_with("demo =")).expect("there is an alias");
    assert!(alias.ends_with("--bin demo\""), "{alias}");
}

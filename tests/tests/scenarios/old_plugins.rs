//! What the header promises to libraries that exist: one that was built against the oldest supported
//! header is loaded and gives its rows, and so is one with fields that this host does not know.

use std::path::{Path, PathBuf};
use std::process::Command;

use sessionql_sandbox::Clock;
use sessionql_tests::{Answer, BEGIN, engine_with_plugins, instant, run};
use tempfile::TempDir;

const OLDEST: &str = "sessionql_plugin-1.0.h";

/// Returns a directory of the crate that has the headers.
fn abi(directory: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    root.join("plugins/abi").join(directory)
}

/// Compiles the plugin against a header; its directory, or what the compiler says.
fn compile(header: &str, defines: &[&str]) -> Result<TempDir, String> {
    let directory = tempfile::tempdir().expect("a directory is made");
    let library = format!("libsessionql_oldest{}", std::env::consts::DLL_SUFFIX);
    let compiled = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .arg(format!("-DSESSIONQL_HEADER=\"{header}\""))
        .args(defines)
        .arg("-I")
        .arg(abi("include"))
        .arg("-I")
        .arg(abi("tests/headers"))
        .arg("-o")
        .arg(directory.path().join(library))
        .arg(abi("tests/headers/oldest.c"))
        .output()
        .expect("there is a C compiler");
    match compiled.status.success() {
        true => Ok(directory),
        false => Err(String::from_utf8_lossy(&compiled.stderr).into_owned()),
    }
}

/// Compiles the plugin and asks it.
fn ask(header: &str, defines: &[&str], sql: &str) -> Answer {
    let directory = compile(header, defines).expect("the plugin compiles");
    let clock = Clock::fixed(instant(BEGIN));
    let config = "[connections.old]\nplugin = \"oldest\"\n";
    let engine = engine_with_plugins(config, &clock, directory.path());
    run(&engine, sql, &Default::default())
}

fn gives_its_rows(header: &str, defines: &[&str]) {
    for (sql, rows) in [
        ("SELECT n FROM old ORDER BY n", vec![["1"], ["2"]]),
        ("SELECT count(*) FROM old", vec![["2"]]),
        ("SELECT n FROM old WHERE n = 2", vec![["2"]]),
    ] {
        let answer = ask(header, defines, sql);
        assert!(answer.error.is_none(), "{header} {defines:?}: {:?}", answer.error);
        assert_eq!(answer.rows, rows, "{header} {defines:?}: {sql}");
        assert!(answer.completeness.is_complete(), "{header} {defines:?}: {sql}");
    }
}

#[test]
fn a_library_of_the_oldest_header_gives_its_rows() {
    gives_its_rows(OLDEST, &["-DOLDEST"]);
}

#[test]
fn a_library_of_todays_header_has_the_layout_that_it_always_had() {
    gives_its_rows("sessionql_plugin.h", &[]);
}

#[test]
fn a_library_from_the_future_gives_its_rows() {
    gives_its_rows(OLDEST, &["-DOLDEST", "-DLARGER"]);
}

#[test]
fn a_table_that_is_smaller_than_the_oldest_is_refused() {
    let answer = ask(OLDEST, &["-DOLDEST", "-DSTRUCT_SIZE=PLUGIN_BYTES-1"], "SELECT n FROM old");
    let error = answer.error.expect("it is refused").to_string();
    assert!(error.contains("has too small a table"), "{error}");
}

#[test]
fn a_header_with_another_layout_is_noticed() {
    let text = std::fs::read_to_string(abi("tests/headers").join(OLDEST)).expect("it is there");
    let directory = tempfile::tempdir().expect("a directory is made");
    let changed = directory.path().join("changed.h");
    let insertion = "uint32_t struct_size;\n  uint64_t inserted;\n";
    std::fs::write(&changed, text.replace("uint32_t struct_size;\n", insertion)).expect("written");
    let said = compile(&changed.display().to_string(), &[]).expect_err("the layout is another");
    assert!(said.contains("sessionql_plugin") && said.contains("describe"), "{said}");
}

//! `sessionql plugin list`: what the search path holds, and what is loaded for it and what never.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use sessionql_core::plugin::file_name;
use sessionql_tests::{plugin_directory, program};

/// A directory with plugins, and a configuration beside it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// Returns a place whose configuration has these connections, each with its plugin, besides
    /// `rows`, which reads rows of a file.
    fn with(connections: &[(&str, &str)]) -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a directory is made") };
        std::fs::create_dir(place.plugins()).expect("a directory is made");
        place.chmod(0o755);
        let rows = place.path("rows.jsonl");
        std::fs::write(&rows, "{\"n\": 7}\n").expect("it is written");
        let mut config = format!(
            "[connections.rows]\nplugin = \"fixture\"\npath = {rows:?}\ncolumns = [\"n int64\"]\n"
        );
        for (name, plugin) in connections {
            config += &format!("[connections.{name}]\nplugin = \"{plugin}\"\n");
        }
        std::fs::write(place.path("config.toml"), config).expect("it is written");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().expect("it is there").join(name)
    }

    fn plugins(&self) -> PathBuf {
        self.path("plugins")
    }

    fn chmod(&self, mode: u32) {
        chmod(&self.plugins(), mode);
    }

    /// Puts a file where a plugin is looked for.
    fn put(&self, plugin: &str, contents: &[u8]) -> PathBuf {
        let file = self.plugins().join(file_name(plugin));
        std::fs::write(&file, contents).expect("it is written");
        file
    }

    /// Compiles a library whose entry function returns `table`, and that leaves the file `loaded`
    /// behind when it is loaded.
    fn compile(&self, plugin: &str, table: &str) {
        let (source, mark) = (self.path("plugin.c"), self.path("loaded"));
        let text = format!(
            "#include <stdio.h>\n#include \"sessionql_plugin.h\"\n\
             __attribute__((constructor)) static void mark(void) {{ FILE *f = fopen({mark:?}, \"w\"); if (f) fclose(f); }}\n\
             static const sessionql_plugin table = {table};\n\
             const sessionql_plugin *sessionql_plugin_v1(void) {{ return &table; }}\n"
        );
        std::fs::write(&source, text).expect("it is written");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-I"])
            .arg(root.join("plugins/abi/include"))
            .arg("-o")
            .args([self.plugins().join(file_name(plugin)), source])
            .output()
            .expect("there is a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    }

    fn was_loaded(&self) -> bool {
        self.path("loaded").exists()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("--config").arg(self.path("config.toml")).arg("--plugin-dir");
        command.arg(self.plugins()).args(arguments);
        command.env_remove("SESSIONQL_PLUGIN_PATH").output().expect("the program starts")
    }

    /// Runs `plugin list`; returns the code and the entries of a plugin.
    fn list(&self, plugin: &str) -> (i32, Vec<Value>) {
        let output = self.run(&["plugin", "list", "--format", "json"]);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let told: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        assert_eq!(told["schema_version"], 1);
        let plugins = told["plugins"].as_array().expect("a list").iter();
        let of_name = plugins.filter(|entry| entry["name"] == plugin).cloned().collect();
        (output.status.code().expect("it ended by itself"), of_name)
    }
}

fn chmod(path: &Path, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("it is ours");
}

fn library(plugin: &str) -> Vec<u8> {
    std::fs::read(plugin_directory().join(file_name(plugin))).expect("the tests built it")
}

#[test]
fn a_plugin_is_listed_with_what_it_is_and_who_uses_it() {
    let place = Place::with(&[]);
    let file = place.put("fixture", &library("fixture"));
    let (code, entries) = place.list("fixture");
    assert_eq!(code, 0);
    let digest = entries[0]["sha256"].as_str().expect("a text").to_owned();
    assert_eq!(digest.len(), 64);
    assert_eq!(
        entries[0],
        json!({
            "name": "fixture", "version": "0.1.0", "abi": 1, "path": file, "sha256": digest,
            "state": "ok", "message": null, "hint": null, "io": "own", "connections": ["rows"],
        })
    );
    // The one that the tests built is the same, and comes later.
    assert_eq!((&entries[1]["state"], &entries[1]["sha256"]), (&json!("shadowed"), &json!(digest)));
    assert_eq!(entries[1]["message"], format!("`{}` is found first", file.display()));
    assert_eq!(entries[1]["connections"], json!([]));

    let told = String::from_utf8(place.run(&["plugin", "list"]).stdout).expect("it is UTF-8");
    let line = told.lines().find(|line| line.starts_with("fixture")).expect("it is told");
    let (_, facts) = line.split_once("  ").expect("a name and facts");
    let facts = facts.trim_start();
    assert_eq!(facts, "ok, version 0.1.0, ABI 1, does its own input and output, connection rows");
    assert!(told.contains(&format!("  sha256 {digest}\n")), "{told}");
}

#[test]
fn what_others_can_write_is_not_loaded() {
    let place = Place::with(&[]);
    place.compile("doors", "{ 1, sizeof(sessionql_plugin) }");
    place.chmod(0o777);
    let (code, entries) = place.list("doors");
    assert_eq!((code, &entries[0]["state"]), (0, &json!("refused")));
    let message = format!("`{}` is writable by everyone", place.plugins().display());
    assert_eq!(entries[0]["message"], message);
    assert!(!place.was_loaded());

    // Whoever writes the directory above can exchange the whole directory of plugins.
    let above = place.directory.path().canonicalize().expect("it is there");
    place.chmod(0o755);
    chmod(&above, 0o777);
    let (_, entries) = place.list("doors");
    let message = format!("`{}` is writable by everyone", above.display());
    assert_eq!(
        (&entries[0]["state"], &entries[0]["message"]),
        (&json!("refused"), &json!(message))
    );
    assert!(!place.was_loaded());

    chmod(&above, 0o1777);
    let (_, entries) = place.list("doors");
    assert_eq!(entries[0]["state"], "broken", "now it is trusted and looked into");
    assert!(place.was_loaded());
}

#[test]
fn no_query_loads_a_plugin_that_no_connection_names() {
    let place = Place::with(&[("other", "doors")]);
    place.compile("doors", "{ 1, sizeof(sessionql_plugin) }");
    let output = place.run(&["-c", "SELECT n FROM rows"]);
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"n\n7\n"[..]));
    for sql in ["SELECT * FROM doors", "SELECT * FROM doors.sessions", "DESCRIBE doors"] {
        assert_eq!(place.run(&["-c", sql]).status.code(), Some(2), "{sql}");
    }
    let saved = place.path("saved.sql");
    std::fs::write(&saved, "-- name: doors\nSELECT * FROM doors\n").expect("it is written");
    let saved = saved.to_str().expect("it is UTF-8");
    assert_eq!(place.run(&["-f", saved]).status.code(), Some(2));
    assert!(!place.was_loaded());
    assert_eq!(place.run(&["-c", "SELECT * FROM other"]).status.code(), Some(5));
    assert!(place.was_loaded());
}

#[test]
fn a_broken_plugin_says_what_is_wrong_with_it() {
    let place = Place::with(&[]);
    place.put("noise", b"no library at all");
    place.compile("future", "{ 2, sizeof(sessionql_plugin) }");
    let (code, noise) = place.list("noise");
    assert_eq!((code, &noise[0]["state"]), (0, &json!("broken")), "nobody uses it");
    let message = noise[0]["message"].as_str().expect("a text");
    assert!(message.starts_with("cannot be loaded: "), "{message}");
    let (_, future) = place.list("future");
    assert_eq!(future[0]["message"], "speaks ABI 2, this build speaks ABI 1");
    assert_eq!(future[0]["abi"], 2);
    let output = place.run(&["-c", "SELECT n FROM rows"]);
    assert_eq!(output.status.code(), Some(0), "it disturbs nobody else");
}

#[test]
fn the_code_is_5_if_a_connection_has_no_plugin_that_would_do() {
    let place = Place::with(&[("a", "noise"), ("b", "noise")]);
    place.put("noise", b"no library at all");
    let (code, entries) = place.list("noise");
    assert_eq!((code, &entries[0]["connections"]), (5, &json!(["a", "b"])));

    let place = Place::with(&[("c", "nowhere")]);
    let (code, entries) = place.list("nowhere");
    let state = (&entries[0]["state"], &entries[0]["path"], &entries[0]["connections"]);
    assert_eq!((code, state), (5, (&json!("missing"), &json!(null), &json!(["c"]))));
}

#[test]
fn a_link_that_leads_nowhere_stands_in_nobodys_way() {
    let place = Place::with(&[]);
    let link = place.plugins().join(file_name("fixture"));
    std::os::unix::fs::symlink("/nowhere/at/all", &link).expect("a link is made");
    let (code, entries) = place.list("fixture");
    assert_eq!(code, 0);
    // A build leaves copies of a library beside each other.
    assert!(entries[2..].iter().all(|entry| entry["state"] == "shadowed"), "{entries:?}");
    assert_eq!(entries[0]["message"], "leads to no file");
    assert_eq!(
        (&entries[1]["state"], &entries[1]["connections"]),
        (&json!("ok"), &json!(["rows"]))
    );
}

//! `sessionql plugin new`, and every step of `docs/plugins.md`, which leads from there to a query.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sessionql_tests::program;

const TUTORIAL: &str = include_str!("../../../../docs/plugins.md");

/// Where the tutorial's API is; a test takes a free port instead.
const ADDRESS: &str = "127.0.0.1:8410";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above")
}

fn new(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program());
    command.current_dir(directory).args(["plugin", "new"]).args(arguments);
    let output = command.output().expect("the program starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Somebody who does what the tutorial says.
struct Reader {
    /// Where they are.
    directory: PathBuf,
    /// What is built, kept from run to run: all but the plugin itself stays the same.
    built: PathBuf,
    variables: Vec<(String, String)>,
    address: String,
    servers: Vec<Child>,
    /// What the last command printed.
    printed: String,
}

impl Reader {
    fn new() -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-new");
        // The same place again, because Cargo would take a project elsewhere for another one.
        let directory = place.join("work");
        let _was_absent = std::fs::remove_dir_all(&directory);
        let built = place.join("target");
        for directory in [&directory, &built] {
            std::fs::create_dir_all(directory).expect("a directory is made");
        }
        let free = TcpListener::bind("127.0.0.1:0").expect("a loopback socket is free");
        let address = free.local_addr().expect("a bound socket has an address").to_string();
        let (variables, servers) = (Vec::new(), Vec::new());
        Self { directory, built, variables, address, servers, printed: String::new() }
    }

    /// Does what a line says.
    fn follow(&mut self, line: &str) {
        let line = line.replace(ADDRESS, &self.address);
        if let Some(directory) = line.strip_prefix("cd ") {
            self.directory.push(directory);
            self.enter_project();
        } else if let Some((name, value)) =
            line.strip_prefix("export ").and_then(|setting| setting.split_once('='))
        {
            self.variables.push((name.to_owned(), value.to_owned()));
        } else if let Some(server) = line.strip_suffix(" &") {
            // `exec`, so that it is the server that is ended in the end.
            let mut command = self.shell(&format!("exec {server}"));
            let mut server = command.stdout(Stdio::piped()).spawn().expect("the server starts");
            let told = server.stdout.take().expect("it is piped");
            let mut first = String::new();
            BufReader::new(told).read_line(&mut first).expect("it tells where it is");
            self.servers.push(server);
            assert_eq!(first, format!("http://{}\n", self.address));
        } else {
            let Output { status, stdout, stderr } =
                self.shell(&line).output().expect("a shell starts");
            let told = String::from_utf8_lossy(&stderr);
            assert_eq!(status.code(), Some(0), "{line}\n{told}");
            self.printed = String::from_utf8(stdout).expect("it is UTF-8");
        }
    }

    /// Lets the project share what was built, and talk to the port that is free.
    fn enter_project(&self) {
        std::os::unix::fs::symlink(&self.built, self.directory.join("target"))
            .expect("a link is made");
        let config = self.directory.join("sessionql.toml");
        let text = std::fs::read_to_string(&config).expect("the project has it");
        std::fs::write(&config, text.replace(ADDRESS, &self.address)).expect("it is written");
    }

    fn shell(&self, line: &str) -> Command {
        let programs = program().parent().expect("a file has a directory").to_owned();
        let mut command = Command::new("sh");
        command.current_dir(&self.directory).args(["-c", &format!("umask 022; {line}")]);
        command.env("PATH", format!("{}:{}", programs.display(), path()));
        command.env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_TARGET_DIR");
        // Nobody debugs it here, and it takes half of the time.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        command.env_remove("SESSIONQL_CONFIG").env_remove("SESSIONQL_PLUGIN_PATH");
        command.envs(self.variables.iter().cloned());
        command
    }

    fn file(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.directory.join(name)).expect("it is there");
        text.replace(&self.address, ADDRESS)
    }
}

#[expect(clippy::disallowed_methods, reason = "a shell needs to find `cargo`")]
fn path() -> String {
    std::env::var("PATH").unwrap_or_default()
}

impl Drop for Reader {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ended = server.kill().and_then(|()| server.wait());
        }
    }
}

/// Returns the fenced blocks of a document, each with its language.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let mut parts = document.split("```");
    let mut blocks = Vec::new();
    while let (Some(_prose), Some(block)) = (parts.next(), parts.next()) {
        blocks.push(block.split_once('\n').expect("a block has lines"));
    }
    blocks
}

#[test]
fn the_tutorial_leads_to_a_query() {
    let mut reader = Reader::new();
    let mut n_results = 0;
    for (language, text) in blocks(TUTORIAL) {
        match language {
            "sh" => text.lines().for_each(|line| reader.follow(line)),
            "csv" => {
                assert_eq!(reader.printed, text);
                n_results += 1;
            }
            "toml" => assert_eq!(reader.file("sessionql.toml"), text),
            "rust" => {
                let files = ["src/lib.rs", "tests/sessions.rs"].map(|file| reader.file(file));
                assert!(files.iter().any(|file| file.contains(text)), "{text}");
            }
            other => panic!("what is to be done with {other}?"),
        }
    }
    assert_eq!(n_results, 2);
    assert!(reader.file("docs/doors.md").contains("| `user = 'ann'` | inexact |"));
}

#[test]
fn a_directory_that_is_there_is_not_touched() {
    let place = tempfile::tempdir().expect("a directory is made");
    std::fs::create_dir(place.path().join("doors")).expect("a directory is made");
    let (code, told) = new(place.path(), &["doors"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        told,
        "error: `doors` is there already\nhint: name another: `sessionql plugin new doors DIR`\n"
    );
    let n_files = std::fs::read_dir(place.path().join("doors")).expect("it is there").count();
    assert_eq!(n_files, 0);
    assert_eq!(new(place.path(), &["doors", "deep/within"]).0, Some(0));
    assert!(place.path().join("deep/within/src/lib.rs").is_file());
}

#[test]
fn names_and_the_sdk_are_checked_before_anything_is_made() {
    let place = tempfile::tempdir().expect("a directory is made");
    let cases = [
        (&["My-Doors"][..], "error: `My-Doors` cannot be the name of a plugin\n"),
        (&["../doors"], "error: `../doors` cannot be the name of a plugin\n"),
        (&["sessions"], "error: `sessions` is the name of something else\n"),
        (
            &["doors", "--sdk", "nowhere"],
            "error: `--sdk`: `nowhere` is not the directory of `sessionql-plugin-sdk`\n",
        ),
        (&[], "error: `<NAME>` is missing\n"),
    ];
    for (arguments, expected) in cases {
        let (code, told) = new(place.path(), arguments);
        assert_eq!((code, told.starts_with(expected)), (Some(2), true), "{arguments:?}: {told}");
    }
    assert_eq!(std::fs::read_dir(place.path()).expect("it is there").count(), 0);
}

#[test]
fn the_versions_begin_as_those_of_the_sdk() {
    let place = tempfile::tempdir().expect("a directory is made");
    let sdk = root().join("plugins/sdk");
    let arguments = ["doors", "--sdk", sdk.to_str().expect("it is UTF-8")];
    assert_eq!(new(place.path(), &arguments), (Some(0), String::new()));
    let lock = |directory: &Path| {
        std::fs::read_to_string(directory.join("Cargo.lock")).expect("there is a lock file")
    };
    assert_eq!(lock(&place.path().join("doors")), lock(root()));
}

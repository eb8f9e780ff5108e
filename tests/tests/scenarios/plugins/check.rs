//! `sessionql plugin check`: honest plugins break no rule, guilty ones do, and one that crashes or
//! hangs is a finding.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use sessionql_core::plugin::file_name;
use sessionql_tests::program::Program;
use sessionql_tests::{plugin_directory, program};

fn check(arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("--plugin-dir").arg(plugin_directory()).args(["plugin", "check"]).args(arguments);
    command.env_remove("SESSIONQL_CONFIG").env("NO_COLOR", "1");
    command.output().expect("the program starts")
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it is UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Returns the findings, which are one object a line.
fn objects(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

/// Returns the rules that stand so.
fn rules<'a>(findings: &'a [Value], standing: &str) -> Vec<&'a str> {
    let stands = findings.iter().filter(|finding| finding["standing"] == standing);
    stands.map(|finding| finding["rule"].as_str().expect("it has a name")).collect()
}

#[test]
fn the_plugins_of_this_source_break_no_rule() {
    for plugin in ["openvpn", "formal", "oam", "ekran", "minimal"] {
        let (code, stdout, stderr) = told(&check(&[plugin]));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{plugin}: {stdout}");
        let last = stdout.lines().last().expect("there is a sum");
        assert!(last.contains(" 0 failed, ") && stdout.contains("skipped: needs "), "{stdout}");
    }
}

#[test]
fn with_a_configuration_the_api_answers() {
    let program = Program::new();
    let config = program.config();
    let config = config.to_str().expect("it is UTF-8");
    // One of each group that needs answers: each process asks anew, and the APIs are slow.
    let names = [
        "schema/projection",
        "scan/whole",
        "pushdown/one-filter",
        "faults/truncated",
        "ends/stop",
        "concurrency/two-scans",
        "memory/releases",
    ];
    let wanted: Vec<&str> = names.iter().flat_map(|name| ["--rule", name]).collect();
    for plugin in ["openvpn", "formal", "oam", "ekran"] {
        let line = [&[plugin, "--config", config, "--format", "json"][..], &wanted].concat();
        let (code, stdout, stderr) = told(&check(&line));
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{plugin}: {stdout}");
        assert_eq!(rules(&objects(&stdout), "passed"), names, "{plugin}: {stdout}");
    }
}

/// A configuration with connections of the faulty plugin, one for each crime.
fn crimes(place: &Path, crimes: &[&str]) -> PathBuf {
    let connection = |crime: &&str| {
        format!(
            "[connections.{crime}]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\ncrime = \"{crime}\"\n"
        )
    };
    let file = place.join("config.toml");
    std::fs::write(&file, crimes.iter().map(connection).collect::<String>()).expect("written");
    file
}

#[test]
fn crimes_are_found() {
    let place = tempfile::tempdir().expect("a directory is made");
    let cases = [
        ("panic_in_plan", "plan/no-panic", "the plugin panicked: a panic in plan, as asked"),
        ("panic_in_scan", "plan/no-panic", "the plugin panicked: a panic in scan, as asked"),
        ("bad_json_reply", "plan/answers", "table `rows` without filters is not planned"),
        ("wrong_schema", "schema/batches", "column `id` has type Int64, declared is \"text\""),
        ("wrong_column_count", "schema/batches", "columns `id, n, pin, surplus` came"),
        ("lies_null", "schema/nulls", "column `id` of table `rows` has"),
        ("no_report", "scan/contract", "code 0 with 0 replies"),
        ("undeclared_request", "scan/contract", "`GET /forbidden`, which no pattern declares"),
        ("error_after_two_batches", "scan/whole", "an error after two batches, as asked"),
        ("too_many_rows", "ends/stop", "after `stop` the scan sent or emitted"),
    ];
    let config = crimes(place.path(), &cases.map(|(crime, ..)| crime));
    let config = config.to_str().expect("it is UTF-8");
    for (crime, rule, seen) in cases {
        let line = ["faulty", "--config", config, "--connection", crime, "--rule", rule];
        let (code, stdout, _) = told(&check(&line));
        assert_eq!(code, Some(1), "{crime}: {stdout}");
        let first = stdout.lines().next().expect("there is a finding");
        assert!(first.starts_with(&format!("error: {rule}: ")), "{crime}: {stdout}");
        assert!(first.contains(seen), "{crime}: {stdout}");
        assert!(stdout.ends_with("\n0 passed, 1 failed, 0 skipped\n"), "{stdout}");
    }
}

#[test]
fn a_finding_names_the_rule_and_the_command_that_shows_it_again() {
    let place = tempfile::tempdir().expect("a directory is made");
    let config = crimes(place.path(), &["no_report"]);
    let config = config.to_str().expect("it is UTF-8");
    let directory = plugin_directory();
    let line = ["faulty", "--config", config, "--rule", "scan/contract", "--rule", "plan/pure"];
    let (code, stdout, stderr) = told(&check(&line));
    assert_eq!((code, stderr.as_str()), (Some(1), ""));
    let again = format!(
        "sessionql plugin check faulty --plugin-dir {} --config {config} --rule scan/contract",
        directory.display()
    );
    let expected = format!(
        "error: scan/contract: a scan of table `rows`: code 0 with 0 replies\n\
         rule: a scan sends declared requests only, ends with a known code, and replies once\n\
         reproduce: {again}\n\n\
         1 passed, 1 failed, 0 skipped\n"
    );
    assert_eq!(stdout, expected);
    let (_, stdout, _) = told(&check(&[&line[..], &["--format", "json"]].concat()));
    let findings = objects(&stdout);
    assert_eq!(findings[0]["reproduce"], again);
    assert_eq!(
        (rules(&findings, "failed"), rules(&findings, "passed")),
        (vec!["scan/contract"], vec!["plan/pure"])
    );
}

/// A library in C, compiled against the header.
struct Library {
    directory: tempfile::TempDir,
}

impl Library {
    /// Compiles a library whose `describe` does this.
    fn with_describe(body: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory is made");
        let source = directory.path().join("plugin.c");
        let text = format!(
            "#include <stdlib.h>\n#include \"sessionql_plugin.h\"\n\
             static int32_t describe(const sessionql_host *h) {{ (void)h; {body} return 1; }}\n\
             static int32_t connect(const sessionql_host *h, const uint8_t *o, size_t n, void **c) {{ (void)h; (void)o; (void)n; (void)c; return 1; }}\n\
             static int32_t call(void *c, const sessionql_host *h, const uint8_t *d, size_t n) {{ (void)c; (void)h; (void)d; (void)n; return 1; }}\n\
             static void disconnect(void *c, const sessionql_host *h) {{ (void)c; (void)h; }}\n\
             static const sessionql_plugin table = {{ 1, sizeof(sessionql_plugin), describe, connect, call, call, disconnect }};\n\
             const sessionql_plugin *sessionql_plugin_v1(void) {{ return &table; }}\n"
        );
        std::fs::write(&source, text).expect("it is written");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
        let library = Self { directory };
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-I"])
            .arg(root.join("plugins/abi/include"))
            .arg("-o")
            .arg(library.file())
            .arg(source)
            .output()
            .expect("there is a C compiler");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        library
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join(file_name("crash"))
    }

    fn check(&self, more: &[&str]) -> (Option<i32>, String, String) {
        let file = self.file();
        told(&check(&[&[file.to_str().expect("it is UTF-8")], more].concat()))
    }
}

#[test]
fn a_crash_is_a_finding_and_the_rules_that_need_the_plugin_are_skipped() {
    for (body, end) in [
        ("abort();", "signal 6 (abort)"),
        ("volatile int *nowhere = 0; *nowhere = 1;", "signal 11 (segmentation fault)"),
        ("exit(0);", "the process ended before the rule was looked at"),
    ] {
        let library = Library::with_describe(body);
        let (code, stdout, stderr) = library.check(&[]);
        assert_eq!((code, stderr.as_str()), (Some(1), ""), "{body}: {stdout}");
        let first = stdout.lines().next().expect("there is a finding");
        assert!(
            first.starts_with("error: lifecycle/describe: ") && first.contains(end),
            "{stdout}"
        );
        assert!(stdout.contains("skipped: needs a plugin that survives `lifecycle/describe`: "));
        assert!(stdout.contains("1 passed, 1 failed, "), "{stdout}");
    }
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    let library = Library::with_describe("for (;;) {}");
    let (code, stdout, _) = library.check(&["--timeout", "1s"]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(
        stdout.starts_with("error: lifecycle/describe: it did not end within 1 s\n"),
        "{stdout}"
    );
}

#[test]
fn what_is_no_plugin_is_refused() {
    let place = tempfile::tempdir().expect("a directory is made");
    let file = place.path().join(file_name("text"));
    std::fs::write(&file, "no library").expect("it is written");
    let text = file.to_str().expect("it is UTF-8");
    let config = crimes(place.path(), &["none", "no_report"]);
    let config = config.to_str().expect("it is UTF-8");
    for (line, code, expected) in [
        (&[text][..], 5, "cannot be loaded"),
        (&["nowhere"], 5, "error: plugin `nowhere` is not found"),
        (&["faulty", "--rule", "no/rule"], 2, "error: there is no rule `no/rule`\n"),
        (&["faulty", "--connection", "none"], 2, "error: `--connection` needs `--config`\n"),
        (
            &["faulty", "--config", config],
            2,
            "error: plugin `faulty` has the connections `no_report`, `none`\n",
        ),
        (
            &["oam", "--config", config],
            2,
            "error: `--config`: the configuration has no connection of plugin `oam`\n",
        ),
        (&[], 2, "error: `<NAME|PATH>` is missing\n"),
    ] {
        let (found, stdout, stderr) = told(&check(line));
        assert_eq!((found, stdout.as_str()), (Some(code), ""), "{line:?}: {stderr}");
        assert!(stderr.contains(expected), "{line:?}: {stderr}");
    }
}

/// Returns the names of the rules, as `--list` prints them.
fn rules_of_the_list() -> Vec<String> {
    let (code, stdout, stderr) = told(&check(&["--list"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    stdout.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn the_list_has_a_line_for_each_rule() {
    let names = rules_of_the_list();
    assert_eq!(names.len(), 40);
    for name in ["lifecycle/table", "paging/cursor-loop", "pushdown/one-filter", "memory/flat"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

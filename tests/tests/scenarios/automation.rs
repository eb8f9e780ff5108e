//! What runs queries without a person: the detections, the snippets of `examples/automation`, the
//! examples of `docs/automation.md`, completions and the manual page.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sessionql_tests::program::{Program, command, stderr, stdout};
use sessionql_tests::{plugin_directory, program};

fn examples() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    root.join("examples")
}

fn detections() -> Vec<PathBuf> {
    let directory = examples().join("queries/detections");
    let entries = std::fs::read_dir(directory).expect("the detections are there");
    let paths = entries.map(|entry| entry.expect("the entry can be read").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "sql")).collect();
    paths.sort();
    assert!(paths.len() >= 10, "{} detections are there", paths.len());
    paths
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns a shell that finds the program, its plugins and the sandbox's configuration.
fn shell(world: &Program, script: &str) -> Command {
    let mut shell = Command::new("sh");
    let directory = program().parent().expect("a file has a directory").to_owned();
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        directory.display(),
        examples().join("automation").display()
    );
    shell.args(["-c", script]).env_clear().env("PATH", path).env("HOME", world.directory.path());
    shell.env("SESSIONQL_CONFIG", world.config()).env("SESSIONQL_PLUGIN_PATH", plugin_directory());
    shell.current_dir(world.directory.path());
    shell
}

#[test]
fn every_detection_says_what_it_is() {
    for path in detections() {
        let described =
            Command::new(program()).arg("--describe-params").arg("-f").arg(&path).output();
        let described = described.expect("the program starts");
        assert_eq!(described.status.code(), Some(0), "{}", stderr(&described));
        let described: Value = serde_json::from_slice(&described.stdout).expect("it is JSON");
        for key in ["name", "description", "severity", "source", "owner"] {
            assert!(described[key].is_string(), "{}: `{key}`", path.display());
        }
        assert_eq!(described["expect"], "empty", "{}", path.display());
        assert!(described["tags"].as_array().is_some_and(|tags| !tags.is_empty()));
        let parameters = described["parameters"].as_array().expect("a list");
        assert!(
            parameters.iter().all(|parameter| parameter["doc"].is_string()),
            "{}",
            path.display()
        );
    }
}

#[test]
fn every_detection_has_a_case_that_fires_and_one_that_does_not() {
    let queries = examples().join("queries");
    let mut tested = Command::new(program());
    tested.arg("--plugin-dir").arg(plugin_directory()).args(["test", "--format", "json"]);
    let output = tested.arg(&queries).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let told: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let cases = told["cases"].as_array().expect("a list");
    assert!(cases.iter().all(|case| case["outcome"] == "passed"));
    for path in detections() {
        let is_of = |case: &&Value| case["query"].as_str() == path.to_str();
        assert!(cases.iter().filter(is_of).count() >= 2, "{}", path.display());
        let test = text(&path.with_extension("test.toml"));
        let n_silent = test.matches("\nexpected = \"\"\n").count();
        let n_cases = test.matches("[[case]]").count();
        assert!(0 < n_silent && n_silent < n_cases, "{}: {n_silent} of {n_cases}", path.display());
    }
}

#[test]
fn detections_are_formatted_and_nothing_is_found_in_them() {
    let world = Program::new();
    for task in [&["fmt", "--check"][..], &["check"]] {
        let mut command = command(&world.config(), task);
        let output = command.args(detections()).output().expect("the program starts");
        assert_eq!(
            output.status.code(),
            Some(0),
            "{task:?}: {}{}",
            stdout(&output),
            stderr(&output)
        );
    }
}

/// Looks at what a run of the detections left.
fn check_results(results: &Path, n_runs: usize) {
    let summary = text(&results.join("summary.jsonl"));
    let lines: Vec<Value> =
        summary.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.len(), detections().len() * n_runs);
    for line in &lines {
        let exit = line["exit"].as_u64().expect("it ran");
        assert!(matches!(exit, 0 | 1 | 4), "{line}");
        assert!(line["severity"].is_string() && line["requests"].as_u64() > Some(0), "{line}");
    }
    for path in detections() {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let rows = text(&results.join(format!("{name}.jsonl")));
        assert!(
            rows.lines().all(|row| serde_json::from_str::<Value>(row).is_ok()),
            "{name}: {rows}"
        );
        assert_eq!(text(&results.join(format!("{name}.log"))).matches("{\"schema").count(), 1);
    }
}

#[test]
fn the_line_of_cron_runs_all_detections() {
    let world = Program::new();
    let crontab = text(&examples().join("automation/crontab"));
    let line = crontab.lines().find(|line| line.contains("run-detections.sh")).expect("a line");
    let command = line.splitn(6, ' ').nth(5).expect("a command after five fields");
    let results = world.directory.path().join("results");
    let mut shell = shell(&world, command);
    shell.env("QUERIES", examples().join("queries/detections")).env("RESULTS", &results);
    let output = shell.output().expect("sh runs");
    check_results(&results, 1);
    let codes: Vec<u64> = text(&results.join("summary.jsonl"))
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["exit"].as_u64())
        .collect();
    let worst = codes.iter().max().copied().and_then(|code| i32::try_from(code).ok());
    assert_eq!(output.status.code(), worst, "{codes:?}");
    assert_eq!(stdout(&output).is_empty(), worst == Some(0), "cron mails what is printed");
    let again = shell.output().expect("sh runs");
    assert_eq!(again.status.code(), worst);
    check_results(&results, 2);
}

#[test]
fn the_unit_of_systemd_runs_what_it_names() {
    let world = Program::new();
    let unit = text(&examples().join("automation/sessionql-detections.service"));
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
    let results = world.directory.path().join("results");
    let command = command
        .replace("/usr/local/bin/", "")
        .replace(
            "/etc/sessionql/queries",
            &examples().join("queries/detections").display().to_string(),
        )
        .replace("/var/lib/sessionql", &results.display().to_string());
    let output = shell(&world, &command).output().expect("sh runs");
    check_results(&results, 1);
    assert_ne!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(unit.contains("SuccessExitStatus=1\n"));
    let timer = text(&examples().join("automation/sessionql-detections.timer"));
    assert!(timer.contains("[Timer]\nOnCalendar=hourly\n"));
}

#[test]
fn the_steps_of_github_actions_run() {
    let world = Program::new();
    let directory = world.directory.path().join("queries");
    std::fs::create_dir(&directory).expect("the directory is made");
    for path in std::fs::read_dir(examples().join("queries/detections")).expect("it is there") {
        let path = path.expect("the entry can be read").path();
        let name = path.file_name().expect("a file has a name");
        std::fs::copy(&path, directory.join(name)).expect("the file is copied");
    }
    let workflow = text(&examples().join("automation/github-actions.yml"));
    let steps: Vec<&str> =
        workflow.lines().filter_map(|line| line.trim().strip_prefix("- run: ")).collect();
    assert_eq!(steps.len(), 5);
    for step in steps {
        let output = shell(&world, step).output().expect("sh runs");
        let is_run = step.starts_with("run-detections.sh");
        let code = output.status.code();
        let is_well = code == Some(0) || (is_run && matches!(code, Some(1 | 4)));
        assert!(is_well, "{step}: {}{}", stdout(&output), stderr(&output));
    }
    check_results(&world.directory.path().join("results"), 1);
}

#[test]
fn the_source_of_vector_yields_lines_of_json() {
    let world = Program::new();
    let config = text(&examples().join("automation/vector.toml"));
    let command = config.lines().find_map(|line| line.strip_prefix("command = ")).expect("a line");
    let command: Vec<String> = serde_json::from_str(command).expect("a list of text");
    let output = shell(&world, "exec \"$0\" \"$@\"").args(&command).output().expect("sh runs");
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    for line in stdout(&output).lines() {
        let row: Value = serde_json::from_str(line).expect("a row is JSON");
        assert!(row["connection"].is_string() && row["id"].is_string(), "{row}");
    }
}

/// Returns the fenced blocks of a document, each with what stands behind the fence.
fn blocks(document: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut block: Option<(String, String)> = None;
    for line in document.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(kind)) => block = Some((kind.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some((_, text)), None) => text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_test_of_the_documentation_passes() {
    let document = include_str!("../../../docs/automation.md");
    let blocks = blocks(document);
    let of = |kind: &str| {
        let found = blocks.iter().find(|(known, _)| known == kind);
        &found.unwrap_or_else(|| panic!("there is no block of {kind}")).1
    };
    let directory = tempfile::tempdir().expect("a directory is made");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("the file is written");
    };
    write("long-sessions.sql", of("sql saved"));
    write("long-sessions.test.toml", of("toml test"));
    let mut command = Command::new(program());
    command.arg("--plugin-dir").arg(plugin_directory()).args(["test", "long-sessions.test.toml"]);
    let output = command.current_dir(directory.path()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(&stdout(&output), of("text test"));
    let query = of("sql saved");
    write("long-sessions.test.toml", &of("toml test").replace("PT15H", "PT14H"));
    let mut command = Command::new(program());
    command.arg("--plugin-dir").arg(plugin_directory()).args(["test", "."]);
    let output = command.current_dir(directory.path()).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1), "the example can fail: {query}");
}

#[test]
fn the_documentation_names_every_detection_with_its_source() {
    let document = include_str!("../../../docs/automation.md");
    for path in detections() {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let row = document.lines().find(|line| line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("{name} is not named"));
        let query = text(&path);
        let source =
            query.lines().find_map(|line| line.strip_prefix("-- source: ")).expect("a source");
        for id in source.split(", ").filter_map(|source| source.rsplit(' ').next()) {
            assert!(row.contains(id), "{name}: {id}");
        }
    }
}

#[test]
fn completions_and_the_manual_know_every_option() {
    let of = |arguments: &[&str]| {
        let output = Command::new(program()).args(arguments).output().expect("the program starts");
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
        stdout(&output)
    };
    let help = of(&["--help"]);
    let options: Vec<&str> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()))
        .collect();
    assert!(options.len() > 20, "{options:?}");
    let manual = of(&["man"]).replace("\\-", "-");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = of(&["completions", shell]);
        for option in &options {
            let name = option.trim_start_matches("--");
            assert!(completions.contains(name), "{shell}: {option}");
            assert!(manual.contains(name), "the manual: {option}");
        }
        assert!(completions.contains("doctor"), "{shell}");
    }
    for task in ["fmt", "doctor", "plugin list", "plugin docs", "plugin new", "plugin check"] {
        assert!(manual.contains(&format!("\n.SS {task}\n")), "the manual: {task}");
    }
    for line in ["exit", "124", "timed out"] {
        assert!(manual.to_lowercase().contains(line), "{line}");
    }
    let bash =
        Command::new("bash").args(["-n", "/dev/stdin"]).stdin(std::process::Stdio::piped()).spawn();
    let mut bash = bash.expect("bash runs");
    let completions = of(&["completions", "bash"]);
    std::io::Write::write_all(&mut bash.stdin.take().expect("it is piped"), completions.as_bytes())
        .expect("bash reads");
    assert!(bash.wait().expect("bash ends").success());
    let refused = Command::new(program()).args(["completions", "foo"]).output();
    assert_eq!(refused.expect("the program starts").status.code(), Some(2));
}

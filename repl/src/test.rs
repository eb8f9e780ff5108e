//! Runs queries on rows that are given, and compares what comes out: what `sessionql test` does.
//! In: files `*.test.toml`, each beside the query that it tests. Out: a line for each case on
//! standard output, what is wrong with files on standard error, and an exit code. Rows come from the
//! files alone: no request is sent, and the clock stands where the case says.

mod case;
mod compare;
mod file;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sessionql_core::EngineOptions;
use sessionql_core::display::escape_controls;

use crate::cli::{TestArguments, TestFormat};
use crate::exit::Exit;
use crate::report::{Report, Reporter};
use crate::usage::Refusal;
use compare::Difference;
use file::TestFile;

/// The ending of the files.
const ENDING: &str = ".test.toml";

/// Rows of each kind that a failed case shows.
const MOST_SHOWN: usize = 10;

/// What is wrong with a file, as it is told, and how that ends the program.
#[derive(Debug)]
struct Fault {
    reports: Vec<Report>,
    message: String,
    exit: Exit,
}

impl Fault {
    fn new(report: Report, message: impl Into<String>) -> Self {
        Self { reports: vec![report], message: message.into(), exit: Exit::Input }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.message.clone();
        Self::new(refusal.into(), message)
    }
}

/// What became of one case.
#[derive(Debug)]
enum Outcome {
    /// The rows are those that were expected.
    Passed,
    /// They are not.
    Failed(Difference),
    /// The query itself failed on the rows.
    Broken(String),
    /// There is nothing to compare: the test or the query is wrong.
    Wrong(String),
}

/// One case that was run, or a file that has none to run.
#[derive(Debug)]
struct Ran {
    file: String,
    query: Option<String>,
    name: Option<String>,
    outcome: Outcome,
}

/// Runs all tests.
///
/// # Errors
/// If there is no test, or a directory cannot be read.
pub(crate) fn run(
    arguments: &TestArguments,
    options: &EngineOptions,
    reporter: Reporter,
) -> Result<Exit, crate::Failure> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        find(path, &mut files)?;
    }
    let runtime = crate::runtime()?;
    let (mut exit, mut all) = (Exit::Success, Vec::new());
    for path in &files {
        let ran = runtime.block_on(run_file(path, arguments, options, reporter, &mut exit));
        if arguments.test_format == TestFormat::Text
            && let Err(error) = tell(&ran)
        {
            return Ok(unwritten(&error, reporter, exit));
        }
        all.extend(ran);
    }
    if all.is_empty() {
        let refusal = match &arguments.filter {
            Some(filter) => Refusal::new(format!("no test has `{filter}` in its file or name")),
            None => Refusal::new("no test is found").with_hint(format!(
                "tests are files such as `late{ENDING}`, beside the query `late.sql`"
            )),
        };
        return Err(refusal.into());
    }
    let told = match arguments.test_format {
        TestFormat::Text => print(&format!("{}\n", sum(&all))),
        TestFormat::Json => print(&format!("{}\n", object(&all))),
    };
    Ok(told.map_or_else(|error| unwritten(&error, reporter, exit), |()| exit))
}

/// Appends the test files at a path: itself, or those below it.
fn find(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Refusal> {
    let unread =
        |error: io::Error| Refusal::new(format!("`{}` cannot be read: {error}", path.display()));
    if !std::fs::metadata(path).map_err(unread)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries: io::Result<Vec<_>> = std::fs::read_dir(path).map_err(unread)?.collect();
    let mut entries = entries.map_err(unread)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What a link points at may be above it.
        let is_directory = entry.file_type().map_err(unread)?.is_dir();
        if is_directory && !name.starts_with('.') {
            find(&entry.path(), files)?;
        } else if !is_directory && name.ends_with(ENDING) {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// Runs the cases of a file.
async fn run_file(
    path: &Path,
    arguments: &TestArguments,
    options: &EngineOptions,
    reporter: Reporter,
    exit: &mut Exit,
) -> Vec<Ran> {
    let name = path.display().to_string();
    let is_wanted = |case: &str| {
        arguments.filter.as_ref().is_none_or(|filter| format!("{name}: {case}").contains(filter))
    };
    let mut wrong = |fault: Fault| {
        fault.reports.iter().for_each(|report| reporter.show(report));
        *exit = (*exit).max(fault.exit);
        Outcome::Wrong(fault.message)
    };
    let file = match TestFile::read(path) {
        Ok(file) => file,
        Err(fault) if is_wanted("") => {
            let outcome = wrong(fault);
            return vec![Ran { file: name, query: None, name: None, outcome }];
        }
        Err(_) => return Vec::new(),
    };
    let mut all = Vec::new();
    for case in file.cases.iter().filter(|case| is_wanted(&case.name)) {
        let outcome = match case::run(&file, case, options).await {
            Ok(outcome) => outcome,
            Err(fault) => wrong(fault),
        };
        all.push(Ran {
            file: name.clone(),
            query: file.query.script.name.clone(),
            name: Some(case.name.clone()),
            outcome,
        });
    }
    let has_failed = |ran: &Ran| matches!(ran.outcome, Outcome::Failed(_) | Outcome::Broken(_));
    if all.iter().any(has_failed) {
        *exit = (*exit).max(Exit::Unexpected);
    }
    all
}

/// Prints cases for people.
fn tell(all: &[Ran]) -> io::Result<()> {
    let mut lines = String::new();
    for ran in all {
        let name = ran.name.as_ref().map(|name| format!(": {name}")).unwrap_or_default();
        let head = escape_controls(&format!("{}{name}", ran.file));
        match &ran.outcome {
            Outcome::Passed => lines.push_str(&format!("ok     {head}\n")),
            Outcome::Wrong(_) => lines.push_str(&format!("wrong  {head}\n")),
            Outcome::Broken(message) => {
                let message = escape_controls(message);
                lines.push_str(&format!("FAILED {head}\n  the query failed: {message}\n"));
            }
            Outcome::Failed(difference) => {
                lines.push_str(&format!("FAILED {head}\n"));
                push_rows(&mut lines, "missing", &difference.missing);
                push_rows(&mut lines, "unexpected", &difference.unexpected);
                if difference.is_out_of_order {
                    lines.push_str("  the rows are as expected, but in another order\n");
                    push_rows(&mut lines, "found", &difference.found);
                }
            }
        }
    }
    print(&lines)
}

fn push_rows(lines: &mut String, what: &str, rows: &[Value]) {
    for row in rows.iter().take(MOST_SHOWN) {
        lines.push_str(&format!("  {what:<10}  {}\n", escape_controls(&row.to_string())));
    }
    if rows.len() > MOST_SHOWN {
        lines.push_str(&format!("  {what:<10}  and {} more\n", rows.len() - MOST_SHOWN));
    }
}

/// Returns how many cases passed, failed and are wrong.
fn counts(all: &[Ran]) -> [usize; 3] {
    let count = |is: fn(&Outcome) -> bool| all.iter().filter(|ran| is(&ran.outcome)).count();
    [
        count(|outcome| matches!(outcome, Outcome::Passed)),
        count(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Broken(_))),
        count(|outcome| matches!(outcome, Outcome::Wrong(_))),
    ]
}

fn sum(all: &[Ran]) -> String {
    let [passed, failed, wrong] = counts(all);
    let mut sum = format!("{passed} passed, {failed} failed");
    if wrong > 0 {
        sum.push_str(&format!(", {wrong} wrong"));
    }
    sum
}

/// Returns all cases as one object.
fn object(all: &[Ran]) -> Value {
    let [passed, failed, wrong] = counts(all);
    let case = |ran: &Ran| {
        let mut case = json!({ "file": ran.file, "query": ran.query, "name": ran.name });
        let (word, message) = match &ran.outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Failed(_) => ("failed", None),
            Outcome::Broken(message) => ("failed", Some(message)),
            Outcome::Wrong(message) => ("wrong", Some(message)),
        };
        case["outcome"] = json!(word);
        let none = Difference::default();
        let difference = match &ran.outcome {
            Outcome::Failed(difference) => difference,
            _ => &none,
        };
        case["missing"] = json!(difference.missing);
        case["unexpected"] = json!(difference.unexpected);
        case["out_of_order"] = json!(difference.is_out_of_order);
        case["error"] = json!(message.map(|message| json!({ "message": message })));
        case
    };
    json!({
        "schema_version": 1,
        "passed": passed,
        "failed": failed,
        "wrong": wrong,
        "cases": all.iter().map(case).collect::<Vec<_>>(),
    })
}

fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush())
}

/// Returns how the program ends when standard output takes no more: as it would have, if that is
/// because whoever reads it has read enough.
fn unwritten(error: &io::Error, reporter: Reporter, exit: Exit) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return exit;
    }
    reporter.show(&Refusal::new(format!("the outcome cannot be written: {error}")).into());
    exit.max(Exit::Failed)
}

//! Standard input, output and error, each a terminal or not: what is printed where, and how.

use std::process::{Command, Stdio};

use sessionql_tests::program;
use sessionql_tests::terminal::run_in_terminal;

const RESET: &str = "\x1b[0m";

/// What a run left: its code, what the terminal showed, and what was written to files.
struct Left {
    code: u32,
    screen: String,
    stdout: Option<String>,
    stderr: Option<String>,
}

/// Which streams are redirected.
#[derive(Debug, Clone, Copy)]
struct Redirected {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Redirected {
    fn all() -> impl Iterator<Item = Self> {
        (0..8).map(|n| Self { stdin: n & 1 > 0, stdout: n & 2 > 0, stderr: n & 4 > 0 })
    }

    /// Runs the program with these arguments of a shell, in a terminal of 24 rows and so many columns.
    fn run(self, n_columns: u16, arguments: &str, stdin: &str) -> Left {
        let directory = tempfile::tempdir().expect("a directory is made");
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("in"), stdin).expect("the file is written");
        let mut line = format!("exec '{}' {arguments}", program().display());
        for (is_redirected, part) in
            [(self.stdin, " <in"), (self.stdout, " >out"), (self.stderr, " 2>err")]
        {
            line.push_str(if is_redirected { part } else { "" });
        }
        let (code, screen) = run_in_terminal(&line, directory.path(), (24, n_columns));
        let read = |is_redirected: bool, name: &str| {
            is_redirected.then(|| std::fs::read_to_string(file(name)).expect("it is written"))
        };
        Left { code, screen, stdout: read(self.stdout, "out"), stderr: read(self.stderr, "err") }
    }
}

/// Returns a line without its colours.
fn without_styles(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn rows_are_a_table_on_a_terminal_and_csv_elsewhere() {
    for redirected in Redirected::all() {
        let left = redirected.run(80, "-c \"SELECT 'ann' AS who, 65m AS lasted\"", "not read");
        assert_eq!(left.code, 0, "{redirected:?}: {}", left.screen);
        match &left.stdout {
            Some(stdout) => assert_eq!(stdout, "who,lasted\nann,PT1H5M\n", "{redirected:?}"),
            None => assert!(left.screen.contains("1h05m"), "{redirected:?}: {}", left.screen),
        }
        assert_eq!(left.stderr.as_deref().unwrap_or_default(), "", "{redirected:?}");
        let is_shown = left.screen.contains("ann");
        assert_eq!(is_shown, !redirected.stdout, "{redirected:?}: {}", left.screen);
    }
}

#[test]
fn errors_go_to_standard_error_in_colour_only_on_a_terminal() {
    for redirected in Redirected::all() {
        let left = redirected.run(80, "-c 'SELECT nothing'", "");
        assert_eq!(left.code, 2, "{redirected:?}");
        assert_eq!(left.stdout.as_deref().unwrap_or_default(), "", "{redirected:?}");
        match &left.stderr {
            Some(stderr) => {
                assert!(stderr.starts_with("error: no column `nothing`\n"), "{stderr}");
                assert!(
                    !stderr.contains('\x1b') && !left.screen.contains("error"),
                    "{redirected:?}"
                );
            }
            None => {
                let head = format!("\x1b[1;31merror{RESET}: no column `nothing`\n");
                assert!(left.screen.contains(&head), "{redirected:?}: {}", left.screen);
            }
        }
    }
}

#[test]
fn queries_come_from_standard_input_unless_it_is_a_terminal() {
    for redirected in Redirected::all().filter(|redirected| redirected.stdin) {
        let left = redirected.run(80, "", "SELECT 'bob' AS who");
        assert_eq!(left.code, 0, "{redirected:?}: {}", left.screen);
        let rows = left.stdout.as_deref().unwrap_or(&left.screen);
        assert!(rows.contains("bob") && !left.screen.contains(">"), "{redirected:?}: {rows}");
        assert_eq!(left.stderr.as_deref().unwrap_or_default(), "", "{redirected:?}");
    }
}

#[test]
fn a_terminal_of_20_columns_is_no_reason_to_fail() {
    let none = Redirected { stdin: false, stdout: false, stderr: false };
    let query = "-c \"SELECT 'a rather long text' AS one, 'another long text' AS two, 3 AS three\"";
    let left = none.run(20, query, "");
    assert_eq!(left.code, 0, "{}", left.screen);
    // What stands below the table is prose, and may be longer than a line.
    let table = left.screen.lines().filter(|line| !line.starts_with('('));
    let widths = table.map(|line| without_styles(line).chars().count());
    assert_eq!(widths.max(), Some(20), "{}", left.screen);
    let wrong = none.run(20, "-c 'SELECT a_name_that_is_longer_than_the_screen'", "");
    assert_eq!(wrong.code, 2, "{}", wrong.screen);
    for n_columns in [0, 1] {
        let left = none.run(n_columns, query, "");
        assert_eq!(left.code, 0, "{n_columns}: {}", left.screen);
    }
}

#[test]
fn no_terminal_at_all_is_fine() {
    let mut command = Command::new(program());
    command.args(["-c", "SELECT 1 AS n"]).env_clear().stdin(Stdio::null());
    let output = command.output().expect("the program runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n1\n");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

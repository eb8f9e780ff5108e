//! `sessionql fmt`: files in, files in the canonical style out.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sessionql_tests::program;

const UGLY: &str = "-- who\nselect user,start from openvpn -- all\n where end is null";
const NICE: &str = "-- who\nSELECT user, start\nFROM openvpn -- all\nWHERE end IS NULL;\n";

fn fmt(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("fmt").args(arguments).current_dir(directory).env("NO_COLOR", "1");
    command.stdin(Stdio::null()).output().expect("the program starts")
}

fn left(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("output is UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn nothing(code: i32) -> (Option<i32>, String, String) {
    (Some(code), String::new(), String::new())
}

#[test]
fn a_file_is_formatted_in_place_once() {
    let home = tempfile::tempdir().expect("a directory is made");
    let file = home.path().join("a.sql");
    std::fs::write(&file, UGLY).expect("the file is written");
    let read = || std::fs::read_to_string(&file).expect("the file is there");
    assert_eq!(left(&fmt(home.path(), &["a.sql"])), nothing(0));
    assert_eq!(read(), NICE);
    let modified = || file.metadata().and_then(|it| it.modified()).expect("it has a time");
    let before = modified();
    assert_eq!(left(&fmt(home.path(), &["a.sql"])), nothing(0));
    assert_eq!((read(), modified()), (NICE.to_owned(), before), "it is not written again");
    let n_files = home.path().read_dir().expect("it is there").count();
    assert_eq!(n_files, 1, "nothing is left beside it");
}

#[test]
fn a_check_changes_nothing_and_names_files() {
    let home = tempfile::tempdir().expect("a directory is made");
    let file = home.path().join("a.sql");
    std::fs::write(&file, UGLY).expect("the file is written");
    std::fs::write(home.path().join("b.sql"), NICE).expect("the file is written");
    let output = fmt(home.path(), &["--check", "a.sql", "b.sql"]);
    assert_eq!(left(&output), (Some(1), "a.sql\n".to_owned(), String::new()));
    assert_eq!(std::fs::read_to_string(&file).expect("the file is there"), UGLY);
    assert_eq!(left(&fmt(home.path(), &["--check", "b.sql"])), nothing(0));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let mut command = Command::new(program());
    command.args(["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(UGLY.as_bytes()).expect("it is read");
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(left(&output), (Some(0), NICE.to_owned(), String::new()));
}

#[test]
fn what_does_not_parse_stays_and_has_a_caret() {
    let home = tempfile::tempdir().expect("a directory is made");
    for (name, text) in [("a.sql", "select (1"), ("b.sql", UGLY)] {
        std::fs::write(home.path().join(name), text).expect("the file is written");
    }
    let read = |name| std::fs::read_to_string(home.path().join(name)).expect("it is there");
    let expected =
        "error: `(` is never closed\n --> a.sql:1:8\n  |\n1 | select (1\n  |        ^\n".to_owned();
    let output = fmt(home.path(), &["a.sql", "b.sql"]);
    assert_eq!(left(&output), (Some(2), String::new(), expected));
    assert_eq!(read("a.sql"), "select (1");
    assert_eq!(read("b.sql"), NICE, "the others are formatted");
    let (code, _, stderr) = left(&fmt(home.path(), &["none.sql"]));
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: `none.sql` cannot be read"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let home = tempfile::tempdir().expect("a directory is made");
    let file = home.path().join("a.sql");
    std::fs::write(&file, UGLY).expect("the file is written");
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).expect("they can be set");
    };
    let mode = || file.metadata().expect("it is there").permissions().mode() & 0o777;
    set(0o640);
    symlink("a.sql", home.path().join("link.sql")).expect("the link is made");
    assert_eq!(left(&fmt(home.path(), &["link.sql"])), nothing(0));
    assert_eq!(mode(), 0o640);
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), NICE);
    assert!(home.path().join("link.sql").is_symlink());
    std::fs::write(&file, UGLY).expect("the file is written");
    set(0o440);
    let (code, _, stderr) = left(&fmt(home.path(), &["a.sql"]));
    assert_eq!((code, stderr.as_str()), (Some(2), "error: `a.sql` is read-only\n"));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), UGLY);
}

#[test]
fn queries_of_the_command_line_are_not_meant() {
    let output = Command::new(program())
        .args(["-c", "SELECT 1", "fmt", "a.sql"])
        .output()
        .expect("the program starts");
    let (code, _, stderr) = left(&output);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: `fmt` does not combine with `-c` and `-f`\n");
}

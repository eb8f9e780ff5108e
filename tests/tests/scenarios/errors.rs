//! What a user sees of a mistake: each query of `errors.txt` fails before anything is sent, with
//! exit code 2 and the text below it. To add one, write its line, and take the text that the test
//! leaves when it fails.

use sessionql_tests::program::Program;

/// Begins the line of a query.
const QUERY: &str = "> ";

#[test]
fn mistakes_are_told_with_their_place() {
    let golden = include_str!("errors.txt");
    let program = Program::new();
    let mut text = String::new();
    for line in golden.lines() {
        if line.starts_with("# ") {
            text.push_str(&format!("{line}\n\n"));
        }
        let Some(query) = line.strip_prefix(QUERY) else { continue };
        let output = program.run(&["--now", "2026-03-15T12:00:00Z", "-c", query]);
        let stderr = String::from_utf8(output.stderr).expect("output is UTF-8");
        assert_eq!(output.status.code(), Some(2), "{query}\n{stderr}");
        assert!(output.stdout.is_empty(), "{query} printed rows");
        text.push_str(&format!("{QUERY}{query}\n{}\n\n", stderr.trim_end()));
    }
    assert!(program.sandbox.openvpn.data_requests().is_empty(), "a mistake was sent");
    if text != golden {
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/errors.txt");
        std::fs::write(file, text).expect("the new text is written");
        panic!("errors.txt is not what is printed: compare it with {file}");
    }
}

//! Sessions over time: `--format timeline`, `svg` and `html` of the binary.

use sessionql_tests::program::{Program, code, command, stderr, stdout};

const QUERY: &str = "SELECT user, connection, start, end FROM sessions AT now \
                     WHERE connection = 'openvpn'";

#[test]
fn a_timeline_fits_its_width() {
    let program = Program::new();
    for width in [40, 80, 132] {
        let mut command = command(&program.config(), &["-c", QUERY, "--format", "timeline"]);
        let output = command.env("COLUMNS", width.to_string()).env("LC_ALL", "C.UTF-8").output();
        let output = output.expect("the program starts");
        assert_eq!((code(&output), stderr(&output)), (0, String::new()));
        let text = stdout(&output);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(width), "{text}");
        let words = text.replace('\n', " ");
        assert!(words.contains("► open") && words.contains(" open; at most "), "{text}");
    }
}

#[test]
fn a_locale_without_unicode_has_ascii_marks() {
    let program = Program::new();
    let of = |locale: &str, arguments: &[&str]| {
        let mut all = vec!["-c", QUERY, "--format", "timeline"];
        all.extend(arguments);
        let output = command(&program.config(), &all).env("LC_ALL", locale).output();
        stdout(&output.expect("the program starts"))
    };
    assert!(of("C", &[]).is_ascii());
    assert!(of("C.UTF-8", &["--ascii"]).is_ascii());
    assert!(!of("C.UTF-8", &[]).is_ascii());
}

#[test]
fn a_picture_goes_to_a_file_of_its_own() {
    let program = Program::new();
    let path = program.directory.path().join("now.html");
    let file = path.display().to_string();
    let output = program.run(&["-c", QUERY, "--format", "html", "--output", &file]);
    assert_eq!(
        (code(&output), stdout(&output), stderr(&output)),
        (0, String::new(), String::new())
    );
    let page = std::fs::read_to_string(&path).expect("the page is there");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{page}");
    assert!(page.contains("AT now"), "the query is told");
    for outside in ["src=", "href=", "<script", "url("] {
        assert!(!page.contains(outside), "{outside}: {page}");
    }
    let svg = stdout(&program.run(&["-c", QUERY, "--format", "svg"]));
    assert!(svg.starts_with("<svg ") && svg.contains("user: "), "{svg}");
}

#[test]
fn what_has_no_start_and_end_is_refused_before_a_request() {
    let program = Program::new();
    for format in ["timeline", "svg", "html"] {
        let output = program.run(&["-c", "SELECT user, start FROM openvpn", "--format", format]);
        assert_eq!((code(&output), stdout(&output)), (2, String::new()));
        assert_eq!(
            stderr(&output),
            "error: a timeline needs columns `start` and `end`; the result has `user`, `start`\n"
        );
    }
    let two = program.run(&["-c", QUERY, "-c", QUERY, "--format", "svg"]);
    assert_eq!(code(&two), 2);
    assert_eq!(stderr(&two), "error: a file holds one picture, and there are 2 queries\n");
    assert!(program.sandbox.openvpn.data_requests().is_empty());
}

#[test]
fn an_incomplete_picture_says_so() {
    let program = Program::new();
    let query = "SELECT user, start, end FROM openvpn SINCE 30d";
    let output = program.run(&["-c", query, "--format", "timeline"]);
    assert_eq!(code(&output), 4);
    assert!(stdout(&output).contains("incomplete: rows may be missing"), "{}", stdout(&output));
    assert!(stderr(&output).starts_with("incomplete: connection `openvpn`"), "{}", stderr(&output));
}

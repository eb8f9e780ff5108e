//! Reports, byte for byte as people see them.

use super::*;

fn report(message: &str, name: Option<&str>, text: &str, at: &str, hint: Option<&str>) -> String {
    let start = text.find(at).unwrap();
    let span = Span::new(start, start + at.len());
    draw(message, name, text, span, hint)
}

fn draw(message: &str, name: Option<&str>, text: &str, span: Span, hint: Option<&str>) -> String {
    let script = Script { name: name.map(str::to_owned), text: text.to_owned() };
    let report = Report {
        place: Some((script, span)),
        ..Report::new(Kind::Error, message).with_hint(hint.map(str::to_owned))
    };
    report.draw(Paint::new(false))
}

#[test]
fn a_name_in_one_line() {
    let drawn = report(
        "no column `usr`",
        None,
        "SELECT usr FROM openvpn",
        "usr",
        Some("did you mean `user`?"),
    );
    assert_eq!(
        drawn,
        "\
error: no column `usr`
  |
1 | SELECT usr FROM openvpn
  |        ^^^
hint: did you mean `user`?
"
    );
}

#[test]
fn a_place_in_a_file() {
    let text = "-- who\n-- is there\nSELECT usr\nFROM openvpn";
    let drawn = report("no column `usr`", Some("queries/a.sql"), text, "usr", None);
    assert_eq!(
        drawn,
        "\
error: no column `usr`
 --> queries/a.sql:3:8
  |
3 | SELECT usr
  |        ^^^
"
    );
}

#[test]
fn line_numbers_widen_the_margin() {
    let text = format!("{}SELECT usr", "\n".repeat(99));
    let drawn = report("no column `usr`", Some("a.sql"), &text, "usr", None);
    let expected =
        "error: no column `usr`\n   --> a.sql:100:8\n    |\n100 | SELECT usr\n    |        ^^^\n";
    assert_eq!(drawn, expected);
}

#[test]
fn a_span_of_several_lines() {
    let text = "SELECT (a\r\n\t+ b) FROM t";
    let drawn = report("m", None, text, "(a\r\n\t+ b)", None);
    let expected =
        "error: m\n  |\n1 | SELECT (a\n  |        ^^\n2 |     + b) FROM t\n  |     ^^^^\n";
    assert_eq!(drawn, expected);
    let text = "(a\nb\nc\nd\ne)";
    let drawn = report("m", None, text, text, None);
    let expected = "error: m\n  |\n1 | (a\n  | ^^\n2 | b\n  | ^\n  …\n5 | e)\n  | ^^\n";
    assert_eq!(drawn, expected);
}

#[test]
fn wide_characters_and_tabs() {
    let drawn = report("m", None, "\tSELECT '漢字', ü̈x", "ü̈x", None);
    assert_eq!(drawn, "error: m\n  |\n1 |     SELECT '漢字', ü̈x\n  |                    ^^\n");
}

#[test]
fn the_end_of_the_input() {
    for text in ["SELECT", "SELECT\n", "SELECT  \n\n"] {
        let expected = "error: m\n  |\n1 | SELECT\n  |       ^\n";
        let shown = draw("m", None, text, Span::new(text.len(), text.len()), None);
        assert_eq!(shown.replace("SELECT  ", "SELECT"), expected, "{text:?}");
    }
    assert_eq!(draw("m", None, "", Span::new(0, 0), None), "error: m\n  |\n1 | \n  | ^\n");
}

#[test]
fn long_lines_are_cut_around_the_caret() {
    let text = format!("SELECT {} usr {} FROM t", "a, ".repeat(60), ", b".repeat(60));
    let drawn = report("m", None, &text, "usr", None);
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines[2].chars().count(), "1 | ".len() + 100);
    let caret = lines[3].find('^').unwrap();
    assert_eq!(lines[2].chars().skip(caret).take(3).collect::<String>(), "usr");
    assert!(lines[2].starts_with("1 | …") && lines[2].ends_with('…'));
    let drawn = report("m", None, &text, "FROM t", None);
    let lines: Vec<&str> = drawn.lines().collect();
    assert!(lines[2].ends_with("FROM t") && lines[3].ends_with(" ^^^^^^"), "{drawn}");
}

#[test]
fn nothing_reaches_the_terminal_unescaped() {
    let drawn = report("it said \x1b[2J\nno", None, "SELECT '\x1b[2J' x", "x", None);
    let expected = "error: it said \\u{1b}[2J\\nno\n  |\n1 | SELECT '\\u{1b}[2J' x\n  |                    ^\n";
    assert_eq!(drawn, expected);
}

#[test]
fn spans_of_another_text_do_no_harm() {
    for span in [Span::new(50, 60), Span::new(4, 2), Span::new(1, 2), Span::new(0, usize::MAX)] {
        assert!(draw("m", None, "äöü\n漢", span, None).starts_with("error: m\n"));
    }
}

#[test]
fn colours() {
    let report = Report::new(Kind::Warning, "m").with_hint(Some("h".to_owned()));
    assert_eq!(
        report.draw(Paint::new(true)),
        "\x1b[1;33mwarning\x1b[0m: m\n\x1b[36mhint\x1b[0m: h\n"
    );
}

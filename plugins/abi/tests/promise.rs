//! Holds the header against the oldest one that is supported: nothing that a library was built with
//! may be gone or changed. `tests/tests/scenarios/old_plugins.rs` compiles and loads such libraries.

#![expect(clippy::panic, reason = "helpers of a test may fail")]

use sessionql_plugin_abi::HEADER;

const OLDEST: &str = include_str!("headers/sessionql_plugin-1.0.h");

/// Returns a header without comments, blanks made single.
fn code(header: &str) -> Vec<String> {
    let mut text = String::new();
    let mut rest = header;
    while let Some((before, after)) = rest.split_once("/*") {
        text.push_str(before);
        rest = after.split_once("*/").unwrap_or_else(|| panic!("a comment does not end")).1;
    }
    text.push_str(rest);
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect()
}

/// Returns the declarations of a struct, in order.
fn fields(header: &str, name: &str) -> Vec<String> {
    let text = code(header).join(" ");
    let body =
        text.split_once(&format!("struct {name} {{")).and_then(|(_, body)| body.split_once('}'));
    let body = body.unwrap_or_else(|| panic!("no struct `{name}`")).0;
    body.split(';').map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned).collect()
}

#[test]
fn structs_still_begin_as_they_did() {
    for name in
        ["sessionql_response", "sessionql_host", "sessionql_plugin", "ArrowSchema", "ArrowArray"]
    {
        let (oldest, current) = (fields(OLDEST, name), fields(HEADER, name));
        assert!(oldest.len() >= 3, "{name} has only {oldest:?}");
        assert!(current.starts_with(&oldest), "{name} was {oldest:?} and is {current:?}");
    }
    let response = "sessionql_response";
    assert_eq!(fields(OLDEST, response), fields(HEADER, response), "it never grows");
}

#[test]
fn every_other_line_is_still_there() {
    let current = code(HEADER);
    let oldest = code(OLDEST);
    assert!(oldest.len() > 60, "only {} lines", oldest.len());
    for line in oldest {
        assert!(current.contains(&line), "`{line}` is gone");
    }
}

#[test]
fn the_header_says_what_it_promises_and_since_when() {
    assert!(HEADER.contains("What version 1 promises\n"));
    let declared = HEADER.matches("int32_t (*").count() + HEADER.matches("void (*").count();
    // All of them but the two `release` of Arrow's own structs; the three structs, `ctx` and the symbol.
    let due = declared - 2 + 5;
    assert_eq!(HEADER.matches("Since 1.").count(), due);
}

//! Holds the header and its Rust mirror against each other: fields, their order, the numbers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of a test may fail")]

use sessionql_plugin_abi::{ABI_VERSION, HEADER, ffi};

const MIRROR: &str = include_str!("../src/ffi.rs");

/// Returns the names of the fields of a C struct, in order.
fn c_fields(name: &str) -> Vec<String> {
    let body = between(HEADER, &format!("typedef struct {name} {{"), &format!("}} {name};"));
    let code = without_comments(body);
    code.split(';').map(str::trim).filter(|text| !text.is_empty()).map(c_name).collect()
}

/// Returns the name that a C declaration declares: `(*name)(…)` or the last word.
fn c_name(declaration: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match declaration.split_once("(*") {
        Some((_, rest)) => rest.chars().take_while(|c| is_name(*c)).collect(),
        None => declaration.rsplit(|c| !is_name(c)).next().unwrap().to_owned(),
    }
}

/// Returns the names of the fields of a Rust struct, in order.
fn rust_fields(name: &str) -> Vec<String> {
    let body = between(MIRROR, &format!("pub struct {name} {{"), "\n}");
    let lines = body.lines().filter_map(|line| line.trim().strip_prefix("pub "));
    lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no `{from}`"));
    rest.split_once(to).unwrap_or_else(|| panic!("no `{to}` after `{from}`")).0
}

fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").unwrap().1;
    }
    code + rest
}

/// Returns the number that the header defines for a name.
fn c_number(name: &str) -> i64 {
    let value = between(HEADER, &format!("#define {name} "), "\n");
    value.trim_end_matches('u').parse().unwrap()
}

#[test]
fn structs_have_the_fields_of_the_header_in_its_order() {
    for (c, rust) in [
        ("sessionql_response", "FFI_Response"),
        ("sessionql_host", "FFI_Host"),
        ("sessionql_plugin", "FFI_Plugin"),
    ] {
        let fields = c_fields(c);
        assert!(fields.len() >= 3, "{c} has only the fields {fields:?}");
        assert_eq!(fields, rust_fields(rust), "{c} and {rust} differ");
    }
}

#[test]
fn numbers_are_those_of_the_header() {
    assert_eq!(c_number("SESSIONQL_ABI_VERSION"), i64::from(ABI_VERSION));
    for (name, number) in [
        ("SESSIONQL_OK", ffi::OK),
        ("SESSIONQL_ERROR", ffi::ERROR),
        ("SESSIONQL_CANCELLED", ffi::CANCELLED),
        ("SESSIONQL_GO_ON", ffi::GO_ON),
        ("SESSIONQL_STOP", ffi::STOP),
        ("SESSIONQL_LOG_ERROR", ffi::Level::Error as i32),
        ("SESSIONQL_LOG_WARN", ffi::Level::Warn as i32),
        ("SESSIONQL_LOG_INFO", ffi::Level::Info as i32),
        ("SESSIONQL_LOG_DEBUG", ffi::Level::Debug as i32),
        ("SESSIONQL_LOG_TRACE", ffi::Level::Trace as i32),
    ] {
        assert_eq!(c_number(name), i64::from(number), "{name}");
    }
}

#[test]
fn answers_of_emit_are_told_apart() {
    let codes = [ffi::GO_ON, ffi::ERROR, ffi::CANCELLED, ffi::STOP];
    let distinct: std::collections::HashSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len());
}

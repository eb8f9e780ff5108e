//! What parses is formatted, means the same then, keeps its comments, and is not changed again.
//! The first two and the third are checked by `format` itself, which returns an error otherwise.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessionql_grammar::{format, parse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(statements) = parse(text) else { return };
    let formatted = match format(text) {
        Ok(formatted) => formatted,
        Err(error) => panic!("{error}\n{text}\n{statements:?}"),
    };
    let again = parse(&formatted).expect("what is formatted parses");
    assert_eq!(std::format!("{again:?}"), std::format!("{statements:?}"));
    assert_eq!(format(&formatted).expect("it can be formatted"), formatted);
});

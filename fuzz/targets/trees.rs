//! The text of a tree says what the tree says.
//! The bytes choose between the constructs of the language, so that all inputs are trees.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessionql_grammar::{format, parse, print};

#[path = "../../grammar/tests/format/generate.rs"]
mod generate;

fuzz_target!(|bytes: &[u8]| {
    let script = generate::Generator::new(bytes).script();
    let text = print(&script);
    let read = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}\n{script:?}"));
    assert_eq!(std::format!("{read:?}"), std::format!("{script:?}"));
    assert_eq!(format(&text).expect("it can be formatted"), text);
});

//! Any bytes are a script, or an error with a place within them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessionql_grammar::{completeness, parse};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _whole = completeness(&text);
    match parse(&text) {
        Ok(statements) => {
            for statement in statements {
                assert!(!statement.span.of(&text).is_empty());
            }
        }
        Err(error) => {
            let sessionql_grammar::Span { start, end } = error.span;
            assert!(start <= end && end <= text.len());
            assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
            let message = error.to_string();
            assert!(!message.contains("internal error"), "{message}");
            let _hint = error.hint();
        }
    }
});

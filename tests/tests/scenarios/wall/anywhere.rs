use std::time::Duration;

use sessionql_core::{Error, ExecuteOptions};
use sessionql_tests::run;

use super::{APART, Crimes, failure, faulty};

/// What is wrong with the library itself.
#[test]
fn a_library_that_is_no_plugin_says_why() {
    let cases = [
        ("ABI=2", "speaks ABI 2, this build speaks ABI 1"),
        ("ABI=0", "speaks ABI 0, this build speaks ABI 1"),
        ("SIZE=8", "has too small a table"),
        ("NO_SYMBOL", "exports no `sessionql_plugin_v1`"),
        ("NO_TABLE", "returned no table"),
        ("NO_SCAN", "lacks one of its functions"),
        ("DESCRIBE=4", "cannot be used: the plugin replied 2 times to one call"),
        ("DESCRIBE=5", "cannot be used: the reply of `describe` cannot be read: "),
        ("DESCRIBE=6", "cannot be used: `describe` gave no reply"),
    ];
    for (definition, expected) in cases {
        let crimes = Crimes::with(&[definition]);
        for more in ["", APART] {
            let message = failure(&crimes.engine("none", more));
            assert!(message.starts_with("plugin `crimes` ("), "{definition}, {more}: {message}");
            assert!(message.contains(expected), "{definition}, {more}: {message}");
        }
    }
}

/// What is wrong with rows and replies, all of which the host finds by looking.
#[test]
fn rows_and_replies_are_looked_at_before_they_are_believed() {
    let cases = [
        ("far_offsets", "the plugin emitted a wrong batch"),
        ("negative_offsets", "the plugin emitted a wrong batch"),
        ("falling_offsets", "the plugin emitted a wrong batch"),
        ("null_offsets", "the plugin emitted a wrong batch"),
        ("null_numbers", "the plugin emitted a wrong batch"),
        ("null_child", "the plugin emitted a wrong batch"),
        ("few_buffers", "the plugin emitted a wrong batch"),
        ("few_children", "the plugin emitted a wrong batch"),
        ("null_text", "the plugin emitted a wrong batch"),
        ("long_struct", "the plugin emitted a wrong batch"),
        ("long_column", "the plugin emitted a wrong batch"),
        ("released", "the plugin emitted a wrong batch: its memory was released before"),
        ("invalid_utf8", "the plugin emitted a wrong batch"),
        ("bad_format", "the plugin emitted a wrong batch"),
        ("no_format", "the plugin emitted a wrong batch"),
        ("null_batch", "the plugin emitted no batch"),
        ("unknown_code", "the plugin returned the unknown code 42"),
        ("cancels_itself", "the plugin ended a call that nobody cancelled"),
        ("error_without_document", "`the failed call` gave no reply"),
        ("replies_twice", "the plugin replied 2 times to one call"),
        ("invalid_utf8_reply", "the reply of `scan` cannot be read: "),
    ];
    let crimes = Crimes::with(&[]);
    for (crime, expected) in cases {
        for more in [APART, ""] {
            let message = failure(&crimes.engine(crime, more));
            let expected = format!("connection `bad`: scan of `rows` failed: {expected}");
            assert!(message.starts_with(&expected), "{crime}, {more}: {message}");
        }
    }
    for more in ["", APART] {
        for crime in ["none", "logs_no_utf8"] {
            let rows = super::ask(&crimes.engine(crime, more), "bad").expect("it has rows");
            assert_eq!(rows, [["a", "1"], ["b", "2"]], "{crime}");
        }
    }
}

/// The crimes of a Rust plugin, in words that are the same on both sides of a process.
#[test]
fn what_a_plugin_does_wrong_is_told_alike() {
    for (crime, expected) in [
        (
            "wrong_schema",
            "the plugin emitted a wrong batch: column `id` has type Int64, declared is Utf8",
        ),
        ("wrong_column_count", "the plugin emitted a wrong batch: it has 3 columns, asked for 2"),
        (
            "lies_null",
            "the plugin emitted a wrong batch: column `id` has 1 NULLs, declared is none",
        ),
        ("error_after_two_batches", "an error after two batches, as asked"),
        ("no_report", "`scan` gave no reply"),
        ("bad_json_reply", "the reply of `plan` cannot be read: "),
        ("undeclared_request", "request `GET /forbidden` is not declared in the manifest"),
    ] {
        let [here, apart] = ["", APART].map(|more| failure(&faulty(crime, more)));
        assert_eq!(here, apart, "{crime}");
        let is_told = here.starts_with("connection `bad`: ") && here.contains(expected);
        assert!(is_told, "{crime}: {here}");
    }
}

/// A plugin that hangs in this process cannot be ended, but the statement can.
#[test]
fn a_deadline_names_a_plugin_that_does_not_return() {
    for function in ["plan", "scan"] {
        let engine = faulty(&format!("hang_in_{function}"), "");
        let options = ExecuteOptions {
            timeout: Some(Duration::from_millis(300)),
            ..ExecuteOptions::default()
        };
        let error = run(&engine, "SELECT id FROM bad", &options).error.expect("it hangs");
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("timed out after 300ms: plugin `faulty` does not return from `{function}`")
        );
        let hint = error.hint().expect("there is something to do");
        assert!(hint.contains("isolation = \"process\""), "{hint}");
        assert!(super::ask(&engine, "good").is_ok(), "{function}");
    }
}

/// Nothing can fail where a connection is closed, whatever the plugin does there.
#[test]
fn closing_ends_whatever_the_plugin_does() {
    for crime in ["panic_in_disconnect", "hang_in_disconnect"] {
        let engine = faulty(crime, APART);
        assert!(super::ask(&engine, "bad").is_ok(), "{crime}");
        drop(engine);
    }
    let engine = faulty("hang_in_disconnect", "");
    assert!(super::ask(&engine, "bad").is_ok());
    drop(engine);
}

use sessionql_core::{Error, ExecuteOptions, Reason};
use sessionql_tests::{program, run};

use super::{APART, Crimes, ask, failure, faulty};

/// Keys for a plugin that is soon taken for one that hangs.
const IMPATIENT: &str = "isolation = \"process\"\ntime_limit = \"2s\"\n";

fn error_of(engine: &sessionql_core::Engine) -> Error {
    ask(engine, "bad").expect_err("an error was due")
}

/// What ends a process, in each function: twice, for the second statement starts another child.
#[test]
fn a_crash_names_the_plugin_the_signal_and_the_function() {
    let crimes = Crimes::with(&[]);
    let scan = "connection `bad`: scan of `rows` failed: ";
    for (crime, expected) in [
        ("segfault", format!("{scan}plugin `crimes` was ended by SIGSEGV while it ran `scan`")),
        (
            "segfault_after_rows",
            format!("{scan}plugin `crimes` was ended by SIGSEGV while it ran `scan`"),
        ),
        ("abort", format!("{scan}plugin `crimes` was ended by SIGABRT while it ran `scan`")),
        ("killed", format!("{scan}plugin `crimes` was ended by SIGKILL while it ran `scan`")),
        (
            "exits",
            format!("{scan}plugin `crimes` ended its process with code 7 while it ran `scan`"),
        ),
        (
            "segfault_in_plan",
            format!("{scan}plugin `crimes` was ended by SIGSEGV while it ran `plan`"),
        ),
        (
            "segfault_in_connect",
            "connection `bad`: plugin `crimes` was ended by SIGSEGV while it ran `connect`".into(),
        ),
    ] {
        let engine = crimes.engine(crime, APART);
        for round in ["first", "second"] {
            assert_eq!(failure(&engine), expected, "{crime}, {round}");
        }
    }
    for (crime, expected) in [
        (
            "abort_in_scan",
            format!("{scan}plugin `faulty` was ended by SIGABRT while it ran `scan`"),
        ),
        (
            "abort_after_two_batches",
            format!("{scan}plugin `faulty` was ended by SIGABRT while it ran `scan`"),
        ),
        (
            "abort_in_plan",
            format!("{scan}plugin `faulty` was ended by SIGABRT while it ran `plan`"),
        ),
        (
            "abort_in_connect",
            "connection `bad`: plugin `faulty` was ended by SIGABRT while it ran `connect`".into(),
        ),
    ] {
        let engine = faulty(crime, APART);
        for round in ["first", "second"] {
            assert_eq!(failure(&engine), expected, "{crime}, {round}");
        }
        assert!(ask(&engine, "good").is_ok(), "{crime}");
    }
}

/// A Rust program says why it ends before it does.
#[test]
fn a_crash_repeats_the_last_words() {
    let message = failure(&faulty("overflow_in_scan", APART));
    let begin = "connection `bad`: scan of `rows` failed: plugin `faulty` was ended by SIGABRT while it ran `scan`: ";
    assert!(message.starts_with(begin), "{message}");
    assert!(message.contains("overflow"), "{message}");
}

#[test]
fn a_crash_is_the_fault_of_the_plugin() {
    let Error::Scan { error, .. } = error_of(&faulty("abort_in_scan", APART)) else {
        panic!("a scan's error was due");
    };
    assert_eq!(error.code, Reason::PluginError);
}

#[test]
fn a_crash_in_describe_is_told_before_anything_else() {
    for (definition, signal) in [("DESCRIBE=2", "SIGABRT"), ("DESCRIBE=3", "SIGSEGV")] {
        let crimes = Crimes::with(&[definition]);
        let engine = crimes.engine("none", APART);
        for _ in 0..2 {
            let message = failure(&engine);
            let expected = format!("plugin `crimes` was ended by {signal} while it ran `describe`");
            assert!(message.ends_with(&expected), "{message}");
        }
    }
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    let scan = "connection `bad`: scan of `rows` failed: ";
    for (crime, expected) in [
        (
            "hang_in_connect",
            "connection `bad`: plugin `faulty` did not answer for 2s in `connect` and was ended"
                .to_owned(),
        ),
        (
            "hang_in_plan",
            format!("{scan}plugin `faulty` did not answer for 2s in `plan` and was ended"),
        ),
        (
            "hang_in_scan",
            format!("{scan}plugin `faulty` did not answer for 2s in `scan` and was ended"),
        ),
        (
            "hang_after_two_batches",
            format!("{scan}plugin `faulty` did not answer for 2s in `scan` and was ended"),
        ),
    ] {
        let engine = faulty(crime, IMPATIENT);
        assert_eq!(failure(&engine), expected, "{crime}");
        assert_eq!(failure(&engine), expected, "{crime}, again");
        let hint = error_of(&engine).hint().expect("there is something to do");
        assert!(hint.contains("`time_limit`"), "{hint}");
    }
    let message = failure(&Crimes::with(&[]).engine("stops_itself", IMPATIENT));
    assert!(message.contains("did not answer for 2s in `scan`"), "{message}");
    let message = failure(&Crimes::with(&["DESCRIBE=1"]).engine("none", IMPATIENT));
    assert!(message.contains("did not answer for 2s in `describe`"), "{message}");
}

#[test]
fn a_plugin_that_takes_all_memory_is_ended_and_its_limit_is_named() {
    let engine = faulty("endless_memory", "isolation = \"process\"\nmemory_limit = \"100MB\"\n");
    let error = error_of(&engine);
    let message = error.to_string();
    assert!(
        message.contains("was ended by SIGABRT while it ran `scan`: memory allocation of"),
        "{message}"
    );
    let hint = error.hint().expect("there is something to do");
    assert!(hint.contains("`memory_limit` is 100 MB"), "{hint}");
    assert!(ask(&engine, "good").is_ok());
}

/// A panic does not poison the plugin for ever: the next statement gets another process.
#[test]
fn a_panic_is_over_with_its_process() {
    for function in ["plan", "scan"] {
        let engine = faulty(&format!("panic_in_{function}"), APART);
        for _ in 0..2 {
            let message = failure(&engine);
            assert!(message.contains(&format!("a panic in {function}, as asked")), "{message}");
        }
        assert!(ask(&engine, "good").is_ok(), "{function}");
    }
    let message = failure(&faulty("panic_in_connect", APART));
    assert!(message.contains("a panic in connect, as asked"), "{message}");
}

/// The channel is in the child's memory, so a plugin can break it: that is all it can break.
#[test]
fn a_plugin_that_breaks_the_channel_is_ended() {
    let crimes = Crimes::with(&[]);
    for crime in ["scribbles", "closes_all"] {
        let engine = crimes.engine(crime, IMPATIENT);
        for _ in 0..2 {
            let message = failure(&engine);
            assert!(message.contains("plugin `crimes` "), "{crime}: {message}");
        }
    }
    // What happens then is up to the C library; either the process ends or the rows are right.
    let engine = crimes.engine("calls_back_too_late", IMPATIENT);
    match ask(&engine, "bad") {
        Ok(rows) => assert_eq!(rows, [["a", "1"], ["b", "2"]]),
        Err(error) => assert!(error.to_string().contains("plugin"), "{error}"),
    }
}

/// The end of a text is where its last offset says, and no host can see whether there is memory.
#[test]
fn rows_that_cannot_be_checked_cost_the_child_alone() {
    let message = failure(&Crimes::with(&[]).engine("far_end", APART));
    assert!(message.contains("was ended by SIGSEGV while it ran `scan`"), "{message}");
}

/// What a plugin prints is no row and breaks nothing.
#[test]
fn a_plugin_may_print() {
    let rows = ask(&faulty("prints", APART), "bad").expect("it has rows");
    assert_eq!(rows.len(), 10);
}

/// A child finds neither the variables of this process nor its input.
#[test]
fn a_child_starts_with_nothing() {
    let crimes = Crimes::with(&[]);
    for crime in ["has_environment", "reads_its_input"] {
        assert!(ask(&crimes.engine(crime, APART), "bad").is_ok(), "{crime}");
    }
}

/// A plugin that does its own I/O gets its secrets over the channel, and what it prints shows none.
#[test]
fn the_last_words_show_no_secret() {
    let keys = format!("{APART}token = \"canary-0123456789-0123456789-0123456789\"\n");
    let message = failure(&Crimes::with(&[]).engine("tells_secrets", &keys));
    assert!(message.contains("SIGABRT"), "{message}");
    assert!(!message.contains("canary-0123456789-0123456789-0123456789"), "{message}");
}

/// In `sessions` a crash is a gap like other failures: the rows of the others stand.
#[test]
fn a_crash_is_a_gap_of_sessions() {
    let engine = faulty("abort_in_scan", APART);
    let answer = run(&engine, "SELECT id, connection FROM sessions", &ExecuteOptions::default());
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), 10);
    assert!(answer.rows.iter().all(|row| row[1] == "good"), "{:?}", answer.rows);
    assert!(!answer.completeness.is_complete());
    let told = format!("{:?}", answer.completeness);
    assert!(told.contains("was ended by SIGABRT"), "{told}");
}

#[test]
fn endless_rows_end_with_the_consumer() {
    let engine = faulty("endless_rows", APART);
    let answer = run(&engine, "SELECT id, n FROM bad LIMIT 7", &ExecuteOptions::default());
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), 7);
    assert!(ask(&engine, "good").is_ok());
}

/// Nobody but this program has a use for the word.
#[test]
fn the_child_is_not_for_people() {
    let output = std::process::Command::new(program())
        .arg("plugin-host")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("`plugin-host` is not for people"), "{said}");
}

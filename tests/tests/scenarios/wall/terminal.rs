use sessionql_tests::program::Program;
use sessionql_tests::terminal::{CTRL_C, CTRL_D, ENTER, Terminal, TerminalOptions};

/// A sandbox with a connection of the plugin `faulty` that commits a crime.
fn program(crime: &str, more: &str) -> Program {
    let program = Program::new();
    program.rewrite_config(|text| {
        format!(
            "{text}\n[connections.bad]\nplugin = \"faulty\"\nbase_url = \"http://127.0.0.1:9\"\n\
             crime = \"{crime}\"\nin_sessions = false\n{more}"
        )
    });
    program
}

fn wide(program: &Program) -> Terminal {
    Terminal::with(program, &TerminalOptions::default().size(24, 160))
}

#[test]
fn a_crash_is_an_error_and_the_prompt_goes_on() {
    let program = program("abort_in_scan", super::APART);
    let mut terminal = wide(&program);
    for _ in 0..2 {
        let screen = terminal.run("SELECT id FROM bad;");
        assert!(screen.contains("SIGABRT"), "{screen}");
    }
    let screen = terminal.run("SELECT 6 * 7 AS answer;");
    assert!(screen.contains("42"), "{screen}");
    let screen = terminal.run("SELECT count(*) > 0 AS is_alive FROM openvpn;");
    assert!(screen.contains("true"), "{screen}");
    terminal.send(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

/// Ctrl-C is for the statement, not for the child.
#[test]
fn an_interrupt_ends_a_statement_whose_plugin_hangs() {
    for more in ["", super::APART] {
        let program = program("hang_after_two_batches", more);
        let mut terminal = wide(&program);
        terminal.send("SELECT count(*) FROM bad;");
        terminal.send(ENTER);
        terminal.wait_for("reading: 8 rows");
        let screen = terminal.press(CTRL_C);
        assert!(screen.contains("interrupted"), "{screen}");
        assert!(screen.contains("plugin `faulty` does not return from `scan`"), "{screen}");
        let screen = terminal.run("SELECT 6 * 7 AS answer;");
        assert!(screen.contains("42"), "{screen}");
        terminal.send(CTRL_D);
        assert_eq!(terminal.end(), 0, "{more}");
    }
}

#[test]
fn the_binary_tells_a_crash_and_ends_with_3() {
    let program = program("abort_in_scan", super::APART);
    let output = program.run(&["-c", "SELECT id FROM bad"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("plugin `faulty` was ended by SIGABRT while it ran `scan`"), "{said}");
    assert!(output.stdout.is_empty() || output.stdout == b"id\n");
}

/// `doctor` looks at everything, also where a plugin cannot even be opened.
#[test]
fn doctor_survives_what_it_looks_at() {
    let program = program("abort_in_connect", super::APART);
    let output = program.run(&["doctor", "--offline"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("was ended by SIGABRT while it ran `connect`"), "{told}");
    assert!(told.contains("ok       connection openvpn"), "{told}");
}

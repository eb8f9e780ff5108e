//! The REPL in a terminal: what a person sees who presses keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use sessionql_sandbox::{Fault, On};
use sessionql_tests::program::Program;
use sessionql_tests::terminal::{
    CTRL_C, CTRL_D, CTRL_R, END, ENTER, LEFT, RIGHT, TAB, Terminal, TerminalOptions, UP,
    history_file,
};

#[test]
fn a_statement_prints_its_rows_and_the_prompt_comes_back() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    let screen = terminal.run("SELECT 1 + 2 AS sum;");
    assert!(screen.contains("sum"), "{screen}");
    assert!(screen.contains("1 row"), "{screen}");
    assert_eq!(terminal.cursor(), ("sessionql>".to_owned(), 11));
    terminal.send(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn tab_inserts_what_is_the_only_one_and_lists_what_are_several() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT user FROM open");
    terminal.send(TAB);
    terminal.wait_for("FROM openvpn");
    terminal.send(" WHERE st");
    terminal.send(TAB);
    let screen = terminal.wait_for("status");
    assert!(screen.contains("start"), "{screen}");
    terminal.send("at");
    terminal.send(TAB);
    terminal.send(" = ");
    terminal.send(TAB);
    terminal.wait_for("'COMPLETED'");
    terminal.send("'A");
    terminal.send(TAB);
    let screen = terminal.run(" LIMIT 2;");
    assert!(screen.contains("WHERE status = 'ACTIVE' LIMIT 2;"), "{screen}");
    assert!(screen.contains("2 rows"), "{screen}");
}

#[test]
fn tab_knows_the_lines_above_and_below() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT user, client_uu");
    terminal.send(ENTER);
    terminal.send("FROM openvpn LIMIT 1");
    terminal.wait_for("FROM openvpn LIMIT 1");
    terminal.send(UP);
    terminal.send(END);
    terminal.send(TAB);
    terminal.wait_for("client_uuid");
}

#[test]
fn a_list_stands_below_all_lines_and_goes_with_the_next_key() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT us");
    terminal.send(ENTER);
    terminal.send("FROM openvpn -- all");
    terminal.wait_for("-- all");
    terminal.send(UP);
    terminal.send(END);
    terminal.send(TAB);
    let screen = terminal.wait_for("user_group");
    let lines: Vec<_> = screen.lines().skip(1).collect();
    assert_eq!(lines[..2], ["sessionql> SELECT user", "FROM openvpn -- all"], "{screen}");
    assert!(lines[2].starts_with("user        text  "), "{screen}");
    assert_eq!(terminal.cursor(), ("sessionql> SELECT user".to_owned(), 22));
    terminal.send("_");
    terminal.wait_until("no list", |screen| screen.ends_with("SELECT user_\nFROM openvpn -- all"));
}

#[test]
fn a_list_fits_a_small_screen() {
    let program = Program::new();
    let options = TerminalOptions::default().size(10, 40);
    let mut terminal = Terminal::with(&program, &options);
    terminal.send("SELECT  FROM openvpn");
    terminal.wait_for("FROM openvpn");
    for _ in 0..13 {
        terminal.send(LEFT);
    }
    terminal.send(TAB);
    let screen = terminal.wait_for("in all");
    assert!(screen.contains("sessionql> SELECT  FROM openvpn"), "{screen}");
}

#[test]
fn tab_completes_commands() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("\\");
    terminal.send(TAB);
    terminal.wait_for("timing");
    terminal.send("d");
    terminal.send(TAB);
    let screen = terminal.wait_for("lists the tables");
    assert!(screen.contains("[table] lists columns"), "{screen}");
    terminal.send("\x15\\wa");
    terminal.send(TAB);
    terminal.wait_for("\\watch");
    terminal.send("\x15\\q");
    terminal.send(ENTER);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn several_lines_are_one_entry_that_can_be_edited() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT 1 AS on");
    terminal.send(ENTER);
    terminal.send(", 2 AS two");
    terminal.send(UP);
    terminal.send(END);
    terminal.send("e");
    terminal.wait_for("AS one");
    terminal.send("\x1b[B");
    terminal.send(END);
    let screen = terminal.run(";");
    assert!(screen.contains("one") && screen.contains("two"), "{screen}");
    terminal.send(UP);
    terminal.wait_until("the entry again", |screen| screen.matches(", 2 AS two;").count() == 2);
    let history = std::fs::read_to_string(history_file(program.directory.path()));
    let history = history.expect("the history is kept");
    assert_eq!(history.lines().count(), 2, "{history}");
}

#[test]
fn lines_that_are_pasted_run_when_enter_is_pressed() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.paste("SELECT 1 AS one;\nSELECT 2\n  AS two;");
    let screen = terminal.wait_for("AS two;");
    assert!(!screen.contains("1 row"), "{screen}");
    let screen = terminal.run("");
    assert_eq!(screen.matches("1 row").count(), 2, "{screen}");
}

#[test]
fn what_is_typed_has_colours_unless_they_are_not_wanted() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT 'x', end FROM t");
    terminal.wait_for("FROM t");
    assert_eq!(terminal.colours("SELECT"), vec!["bold blue"; 6]);
    assert_eq!(terminal.colours("'x'"), vec!["green"; 3]);
    assert_eq!(terminal.colours("end"), vec![""; 3], "a column");
    terminal.send(" WHERE 'open");
    terminal.wait_for("'open");
    assert_eq!(terminal.colours("'open"), vec!["yellow"; 5]);

    let options = TerminalOptions::default().variable("NO_COLOR", "1");
    let mut terminal = Terminal::with(&program, &options);
    terminal.send("SELECT 'x'");
    terminal.wait_for("SELECT 'x'");
    assert_eq!(terminal.colours("SELECT 'x'"), vec![""; 10]);
}

#[test]
fn a_bracket_shows_its_counterpart() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT count(1)");
    terminal.wait_for("count(1)");
    assert_eq!(terminal.colours("(1)"), ["bold underlined", "cyan", "bold underlined"]);
    terminal.send(LEFT);
    terminal.send(LEFT);
    terminal.send(LEFT);
    terminal.send(LEFT);
    terminal.send("_");
    terminal.wait_for("coun_t(1)");
    assert_eq!(terminal.colours("(1)"), ["", "cyan", ""]);
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let program = Program::new();
    let options = TerminalOptions::default().variable("TERM", "dumb");
    let home = program.directory.path();
    let mut terminal = Terminal::start(&program.config(), home, &options);
    terminal.wait_for("sessionql>");
    terminal.send("SELECT 1 AS one;\r");
    terminal.wait_for("1 row");
    terminal.send("\\q\r");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_hint_from_the_history_is_taken_with_the_right_arrow() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.run("SELECT 41 + 1 AS answer;");
    terminal.send("SELECT 4");
    terminal.wait_until("a hint", |screen| screen.matches("AS answer;").count() == 2);
    assert_eq!(terminal.colours("1 + 1 AS answer;"), vec!["bright black"; 16]);
    terminal.send(RIGHT);
    let screen = terminal.run("");
    assert_eq!(screen.matches("1 row").count(), 2, "{screen}");
}

#[test]
fn a_hint_names_what_is_the_only_one() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT user FROM openv");
    terminal.wait_for("FROM openvpn");
    terminal.send(RIGHT);
    let screen = terminal.run(" LIMIT 1;");
    assert!(screen.contains("1 row"), "{screen}");
}

#[test]
fn a_hint_shows_what_a_function_takes() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT time_bucket(");
    terminal.wait_for("time_bucket(width, instant [, origin])");
}

#[test]
fn the_history_outlives_the_program_and_is_searched() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.run("SELECT 7 AS seven;");
    terminal.run("SELECT 8 AS eight;");
    terminal.run("  SELECT 9 AS hidden;");
    terminal.send(CTRL_D);
    assert_eq!(terminal.end(), 0);
    let file = history_file(program.directory.path());
    let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).expect("it is text");
    assert!(!text.contains("hidden"), "a blank before it keeps a statement out: {text}");

    let mut terminal = Terminal::new(&program);
    terminal.send(CTRL_R);
    terminal.send("sev");
    terminal.wait_for("SELECT 7 AS seven;");
    let screen = terminal.run("");
    assert!(screen.contains("1 row"), "{screen}");
}

#[test]
fn ctrl_c_clears_what_is_typed() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT nothing");
    terminal.send(ENTER);
    terminal.send("FROM nowhere");
    terminal.wait_for("nowhere");
    terminal.press(CTRL_C);
    let screen = terminal.run("SELECT 5 AS five;");
    assert!(screen.contains("1 row") && !screen.contains("error"), "{screen}");
}

#[test]
fn ctrl_c_ends_a_slow_scan_and_nothing_else() {
    let program = Program::new();
    program.sandbox.openvpn.faults().plan(On::Data(1), Fault::Hang);
    let mut terminal = Terminal::new(&program);
    terminal.send("SELECT user FROM openvpn;");
    terminal.send(ENTER);
    terminal.wait_for("reading:");
    let screen = terminal.press(CTRL_C);
    assert!(screen.contains("error: interrupted"), "{screen}");
    let screen = terminal.run("SELECT 6 AS six;");
    assert!(screen.contains("1 row"), "{screen}");
    let screen = terminal.run("SELECT user FROM openvpn LIMIT 1;");
    assert_eq!(screen.matches("1 row").count(), 2, "{screen}");
}

/// Makes an editor of a shell script, and returns its path.
fn editor(program: &Program, name: &str, script: &str) -> String {
    let path: PathBuf = program.directory.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it can be run");
    path.display().to_string()
}

#[test]
fn the_editor_gets_the_last_statement_and_what_it_saves_runs() {
    let program = Program::new();
    let kept = program.directory.path().join("kept");
    let script = format!(
        "cp \"$1\" {kept}; ls -l \"$1\" | cut -c1-10 >> {kept}; echo 'SELECT 3 AS three;' > \"$1\"",
        kept = kept.display()
    );
    let options = TerminalOptions::default().variable("EDITOR", &editor(&program, "ed", &script));
    let mut terminal = Terminal::with(&program, &options);
    terminal.run("SELECT 1 AS one;");
    let screen = terminal.run("\\e");
    assert!(screen.contains("three"), "{screen}");
    let kept = std::fs::read_to_string(kept).expect("the editor ran");
    assert_eq!(kept, "SELECT 1 AS one;\n-rw-------\n");
}

#[test]
fn the_editor_gets_what_is_typed_and_what_is_not_whole_goes_on() {
    let program = Program::new();
    let editor =
        editor(&program, "ed", "sed s/one/two/ \"$1\" > \"$1.new\" && mv \"$1.new\" \"$1\"");
    let options = TerminalOptions::default().variable("VISUAL", &editor);
    let mut terminal = Terminal::with(&program, &options);
    terminal.run("SELECT 1 AS one \\e");
    let screen = terminal.run(";");
    assert!(screen.contains("sessionql> SELECT 1 AS two;"), "{screen}");
    assert!(screen.contains("1 row"), "{screen}");
}

#[test]
fn the_editor_opens_a_file() {
    let program = Program::new();
    let file = program.directory.path().join("query.sql");
    std::fs::write(&file, "SELECT 4 AS four;\n").expect("it is written");
    let options = TerminalOptions::default().variable("EDITOR", "true");
    let mut terminal = Terminal::with(&program, &options);
    let screen = terminal.run("\\e query.sql");
    assert!(screen.contains("1 row"), "{screen}");
}

#[test]
fn an_editor_that_is_not_there_or_fails_is_an_error() {
    let program = Program::new();
    let options = TerminalOptions::default().variable("EDITOR", "no-such-editor");
    let mut terminal = Terminal::with(&program, &options);
    let screen = terminal.run("\\e");
    assert!(screen.contains("error: the editor `no-such-editor` cannot be started"), "{screen}");
    assert!(screen.contains("hint: `VISUAL` or `EDITOR` names the editor"), "{screen}");
    let options = TerminalOptions::default().variable("EDITOR", "false");
    let mut terminal = Terminal::with(&program, &options);
    let screen = terminal.run("\\e");
    assert!(screen.contains("ended with code 1; nothing was taken"), "{screen}");
}

#[test]
fn the_prompt_begins_with_the_users_own_file() {
    let program = Program::new();
    let home = program.directory.path();
    let directory = home.join("xdg_config_home/sessionql");
    std::fs::create_dir_all(&directory).expect("it is made");
    std::fs::write(
        directory.join("init.sql"),
        "-- mine\n\\since 24h\nSELECT 7\n  AS seven;\n\\nonsense\n",
    )
    .expect("it is written");
    let terminal = Terminal::new(&program);
    let screen = terminal.wait_for("sessionql 24h>");
    assert!(screen.contains("seven") && screen.contains("no command `\\nonsense`"), "{screen}");
    let options = TerminalOptions::default().arguments(&["--no-init"]);
    let terminal = Terminal::with(&program, &options);
    assert!(!terminal.screen().contains("seven"), "{}", terminal.screen());
}

#[test]
fn a_command_stands_alone_but_for_two() {
    let program = Program::new();
    let mut terminal = Terminal::new(&program);
    let screen = terminal.run("SELECT 1 \\x");
    assert!(screen.contains("error: `\\x` stands behind a statement"), "{screen}");
    terminal.send("SELECT 8 AS eight \\watch 60");
    terminal.send(ENTER);
    let screen = terminal.wait_for("every 1m");
    assert!(screen.contains("Ctrl-C ends"), "{screen}");
    terminal.wait_for("1 row");
    terminal.press(CTRL_C);
}

//! The commands and the output of the prompt, in a terminal as a person sees it.

use sessionql_sandbox::openvpn::SessionRecord;
use sessionql_sandbox::{Fault, On};
use sessionql_tests::program::Program;
use sessionql_tests::terminal::{CTRL_C, CTRL_D, ENTER, Terminal, TerminalOptions};

/// Returns a terminal without a pager, so that all that is printed is on the screen.
fn terminal(program: &Program) -> Terminal {
    sized(program, 50, 80)
}

fn sized(program: &Program, n_rows: u16, n_columns: u16) -> Terminal {
    let options = TerminalOptions::default().size(n_rows, n_columns).variable("PAGER", "cat");
    Terminal::with(program, &options)
}

/// Runs a text and returns what was printed for it: what is between it and the next prompt.
fn answer(terminal: &mut Terminal, text: &str) -> String {
    let screen = terminal.run(text);
    let typed = format!("> {text}");
    let begin = screen.rfind(&typed).map_or(0, |begin| begin + typed.len());
    let lines = screen[begin..].trim().lines();
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("sessionql")).collect();
    lines.join("\n")
}

#[test]
fn every_command_is_listed() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let help = answer(&mut terminal, r"\?");
    for command in [r"\?", r"\h [topic]", r"\d [table]", r"\dc", r"\timeline [query]", r"\q"] {
        assert!(help.lines().any(|line| line.starts_with(&format!("  {command} "))), "{help}");
    }
    assert!(help.contains("Ctrl-C"), "{help}");
    assert_eq!(answer(&mut terminal, ".?;"), help);
}

#[test]
fn what_is_no_command_has_a_hint() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    assert_eq!(
        answer(&mut terminal, r"\formt csv"),
        "error: no command `\\formt`\nhint: did you mean `\\format`?"
    );
    assert_eq!(
        answer(&mut terminal, r"\set expnded on"),
        "error: no setting `expnded`\nhint: did you mean `expanded`?"
    );
    assert_eq!(
        answer(&mut terminal, r"\timing maybe"),
        "error: `timing`: `maybe` is none of `on`, `off`, `verbose`"
    );
}

#[test]
fn help_tells_of_the_language_of_functions_and_of_commands() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    assert!(answer(&mut terminal, r"\h until").contains("SINCE 6h UNTIL 2h"));
    let function = answer(&mut terminal, r"\h time_bucket");
    assert!(function.starts_with("time_bucket(width, instant [, origin]) (scalar)"), "{function}");
    assert!(answer(&mut terminal, r"\h \x").starts_with(r"\x [on|off|auto]"));
    assert!(answer(&mut terminal, r"\h nonsens").starts_with("error: no topic `nonsens`"));
}

#[test]
fn tables_columns_functions_and_plugins_are_listed_without_a_request() {
    let program = Program::new();
    let mut terminal = sized(&program, 50, 160);
    assert!(answer(&mut terminal, r"\dt").contains("openvpn"));
    let columns = answer(&mut terminal, r"\d openvpn.sessions");
    assert!(columns.contains("One of ACTIVE, COMPLETED, FAILED"), "{columns}");
    let plugins = answer(&mut terminal, r"\dp");
    assert!(plugins.contains("abi") && plugins.contains("libsessionql_oam"), "{plugins}");
    let functions = answer(&mut terminal, r"\df BUCKET");
    assert!(functions.contains("time_bucket") && functions.contains("(1 row"), "{functions}");
    assert!(answer(&mut terminal, r"\d nosuch").contains("no table `nosuch`"));
    assert!(program.sandbox.openvpn.data_requests().is_empty());
}

#[test]
fn what_is_said_of_columns_is_not_cut_on_a_small_screen() {
    let program = Program::new();
    let mut terminal = sized(&program, 120, 80);
    let columns = answer(&mut terminal, r"\d openvpn.sessions");
    assert!(columns.contains("COMPLETED") && columns.contains("FAILED."), "{columns}");
    assert!(!columns.contains('…'), "{columns}");
}

#[test]
fn connections_tell_their_state_without_a_request() {
    let program = Program::new();
    let mut terminal = sized(&program, 50, 200);
    let before = answer(&mut terminal, r"\dc");
    assert_eq!(before.matches("not used yet").count(), 4, "{before}");
    answer(&mut terminal, "SELECT count(*) FROM openvpn AT now;");
    let n_requests = program.sandbox.openvpn.data_requests().len();
    let after = answer(&mut terminal, r"\dc");
    let openvpn = after.lines().find(|line| line.starts_with("openvpn")).expect("it is listed");
    assert!(openvpn.contains("oauth2") && openvpn.contains("token held for 11h"), "{openvpn}");
    assert_eq!(program.sandbox.openvpn.data_requests().len(), n_requests);
}

#[test]
fn the_last_error_of_a_connection_is_told() {
    let program = Program::new();
    let secret = program.sandbox.openvpn.client_secret().to_owned();
    program.rewrite_config(|text| text.replace(&secret, "no-such-secret"));
    let mut terminal = sized(&program, 50, 250);
    answer(&mut terminal, "SELECT count(*) FROM openvpn AT now;");
    let after = answer(&mut terminal, r"\dc");
    assert!(after.contains("no token") && after.contains("token request"), "{after}");
    assert!(!after.contains("no-such-secret"), "{after}");
}

#[test]
fn the_default_window_is_set_shown_and_taken_away() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let count = "SELECT count(*) AS n FROM openvpn;";
    let all = answer(&mut terminal, count);
    terminal.run(r"\since 1h");
    terminal.wait_until("the window", |screen| screen.ends_with("sessionql 1h>"));
    assert_ne!(answer(&mut terminal, count).lines().nth(2), all.lines().nth(2));
    terminal.run(r"\set until 30m");
    terminal.wait_until("the window", |screen| screen.ends_with("sessionql 1h..30m>"));
    terminal.run(r"\set until off");
    terminal.run(r"\since off");
    terminal.wait_until("the window", |screen| screen.ends_with("sessionql>"));
    assert_eq!(answer(&mut terminal, r"\since"), "since is off");
    let refused = answer(&mut terminal, r"\since yesterday");
    assert!(refused.starts_with("error: `since`: `yesterday` is not a time"), "{refused}");
}

#[test]
fn settings_are_listed_and_changed() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let all = answer(&mut terminal, r"\set");
    for name in ["cache", "confirm", "max_rows", "null", "pushdown", "time_zone", "until"] {
        assert!(all.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}: {all}");
    }
    assert_eq!(
        answer(&mut terminal, r"\set time_zone Europe/Berlin"),
        "time_zone is Europe/Berlin"
    );
    let time = answer(&mut terminal, "SELECT TIMESTAMP '2026-01-02T12:00:00Z' AS t;");
    assert!(time.contains("2026-01-02 13:00:00"), "{time}");
    assert_eq!(answer(&mut terminal, r"\set null '(none)'"), "null is (none)");
    assert!(answer(&mut terminal, "SELECT NULL AS nothing;").contains("(none)"));
    assert_eq!(answer(&mut terminal, r"\set timeout 90s"), "timeout is 1m30s");
    answer(&mut terminal, r"\set max_rows 2");
    let rows = answer(&mut terminal, "SELECT user FROM openvpn SINCE 6d;");
    assert!(rows.contains(r"hidden; `\last` shows all"), "{rows}");
}

#[test]
fn a_format_holds_until_another_is_chosen() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let query = "SELECT 'ann' AS user, 65m AS lasted, NULL AS nothing;";
    let of = |terminal: &mut Terminal, format: &str| {
        answer(terminal, &format!(r"\format {format}"));
        answer(terminal, query)
    };
    assert_eq!(of(&mut terminal, "csv"), "user,lasted,nothing\nann,PT1H5M,");
    assert_eq!(
        of(&mut terminal, "markdown"),
        "| user | lasted | nothing |\n| --- | ---: | --- |\n| ann | 1h05m | NULL |"
    );
    let vertical = of(&mut terminal, "vertical");
    assert!(vertical.contains("user     ann\nlasted   1h05m\nnothing  NULL\n"), "{vertical}");
    assert!(of(&mut terminal, "auto").starts_with("user  lasted  nothing\n"));
}

#[test]
fn rows_become_lists_where_the_screen_is_too_narrow() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let wide = "SELECT * FROM openvpn SINCE 6d LIMIT 1;";
    assert!(answer(&mut terminal, wide).starts_with("─ row 1 ─"));
    answer(&mut terminal, r"\x off");
    let table = answer(&mut terminal, wide);
    assert!(table.contains("columns hidden: ") && table.contains(r"`\x on` shows all"), "{table}");
    answer(&mut terminal, r"\x");
    assert!(answer(&mut terminal, r"\last").starts_with("─ row 1 ─"));
}

#[test]
fn a_terminal_of_twenty_columns_is_wide_enough() {
    let program = Program::new();
    let mut terminal = sized(&program, 60, 20);
    terminal.run("SELECT user, start FROM openvpn SINCE 6d LIMIT 2;");
    let screen = terminal.wait_for("(2 rows,");
    assert!(screen.contains("─ row 2 ─"), "{screen}");
    terminal.run(r"\x off");
    terminal.run(r"\last");
    let screen = terminal.wait_for("1 column");
    assert!(screen.lines().all(|line| line.chars().count() <= 20), "{screen}");
    terminal.run(r"\h at");
    terminal.wait_for("ORDER BY");
}

#[test]
fn the_last_result_is_asked_and_shown_without_a_request() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    assert_eq!(answer(&mut terminal, r"\last"), "error: no query has run yet");
    let first = answer(&mut terminal, "SELECT id, user FROM openvpn SINCE 6d ORDER BY id LIMIT 3;");
    let n_requests = program.sandbox.openvpn.data_requests().len();
    assert_eq!(first.lines().next(), answer(&mut terminal, r"\last").lines().next());
    let again = answer(&mut terminal, "SELECT count(*) AS n FROM _;");
    assert!(again.contains("\n3\n") || again.contains("  3\n"), "{again}");
    assert_eq!(program.sandbox.openvpn.data_requests().len(), n_requests);
    // Lists of what there is are no result.
    answer(&mut terminal, r"\dt");
    assert!(answer(&mut terminal, "SELECT n FROM _;").contains('3'));
}

#[test]
fn an_incomplete_result_is_incomplete_when_it_is_asked_again() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    answer(&mut terminal, "SELECT user FROM openvpn SINCE 30d;");
    let again = answer(&mut terminal, "SELECT DISTINCT user FROM _;");
    assert!(again.contains("incomplete: connection `openvpn`: asked from"), "{again}");
}

#[test]
fn an_interrupted_result_is_no_table() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    // The first page hangs until the query is ended.
    program.sandbox.openvpn.faults().plan(On::Data(1), Fault::Hang);
    terminal.send("SELECT user FROM openvpn SINCE 6d;");
    terminal.send(ENTER);
    terminal.wait_for("reading:");
    terminal.send(CTRL_C);
    terminal.wait_for("error: interrupted");
    let refused = answer(&mut terminal, "SELECT * FROM _;");
    assert!(
        refused.contains("error: `_` is not the whole last result: the query failed: interrupted"),
        "{refused}"
    );
}

#[test]
fn parameters_are_given_and_taken_away() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    answer(&mut terminal, r"\param n 7");
    answer(&mut terminal, r"\param who='Ann Lee'");
    let listed = answer(&mut terminal, r"\param");
    assert!(listed.contains("Ann Lee"), "{listed}");
    let asked = answer(&mut terminal, "SELECT {n:int} + 1 AS sum, $who AS who;");
    assert!(asked.contains("8") && asked.contains("Ann Lee"), "{asked}");
    answer(&mut terminal, r"\param n");
    let missing = answer(&mut terminal, "SELECT {n:int} + 1 AS sum;");
    assert!(missing.starts_with("error: no value for parameter `$n`"), "{missing}");
    assert!(answer(&mut terminal, r"\param n").starts_with("error: parameter `n` has no value"));
}

#[test]
fn files_are_run_with_values_that_hold_for_them_alone() {
    let program = Program::new();
    let path = program.directory.path().join("my query.sql");
    std::fs::write(&path, "SELECT {n:int = 3} + 1 AS sum;\nSELECT {n:int = 3} * 10 AS product;\n")
        .expect("a file is written");
    let mut terminal = terminal(&program);
    let plain = answer(&mut terminal, r"\i 'my query.sql'");
    assert!(plain.contains("sum") && plain.contains("30"), "{plain}");
    let given = answer(&mut terminal, r"\run 'my query.sql' n=5");
    assert!(given.contains("50"), "{given}");
    assert!(answer(&mut terminal, r"\i 'my query.sql'").contains("30"));
    let wrong = answer(&mut terminal, r"\run 'my query.sql' m=5");
    assert!(wrong.starts_with("error: the query has no parameter `m`"), "{wrong}");
    let wrong = answer(&mut terminal, r"\run 'my query.sql' n=x");
    assert!(wrong.starts_with("error: "), "{wrong}");
    assert!(answer(&mut terminal, r"\i nosuch.sql").contains("`nosuch.sql` cannot be read"));
}

#[test]
fn rows_go_to_a_file_until_it_is_ended() {
    let program = Program::new();
    let path = program.directory.path().join("out.csv");
    let mut terminal = terminal(&program);
    answer(&mut terminal, r"\o out.csv");
    let shown =
        answer(&mut terminal, "SELECT 'a long text that no screen could ever cut' AS text;");
    assert_eq!(shown, "");
    answer(&mut terminal, "SELECT 2 AS n;");
    assert!(!path.exists(), "the file takes its place at the end");
    assert_eq!(answer(&mut terminal, r"\o"), "`out.csv` is written");
    let written = std::fs::read_to_string(&path).expect("the file is there");
    assert_eq!(written, "text\na long text that no screen could ever cut\n\nn\n2\n");
    assert!(answer(&mut terminal, "SELECT 3 AS n;").contains('3'));
    answer(&mut terminal, r"\o out.csv");
    answer(&mut terminal, "SELECT 4 AS n;");
    terminal.send(CTRL_D);
    assert_eq!(terminal.end(), 0);
    assert_eq!(std::fs::read_to_string(&path).expect("the file is there"), "n\n4\n");
}

#[test]
fn timing_tells_what_each_scan_cost_and_where_conditions_were_answered() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    assert_eq!(answer(&mut terminal, r"\timing verbose"), "timing is verbose");
    let told =
        answer(&mut terminal, "SELECT id FROM openvpn WHERE status = 'ACTIVE' AND user LIKE 'a%';");
    assert!(told.contains("openvpn.sessions: 1 request, 1 page, "), "{told}");
    assert!(told.contains("  pushed: status = 'ACTIVE'\n"), "{told}");
    assert!(told.contains("  checked here: user LIKE 'a%'"), "{told}");
    assert!(told.contains(" rows in, "), "{told}");
    answer(&mut terminal, r"\timing off");
    let quiet = answer(&mut terminal, "SELECT 1 AS n;");
    assert!(quiet.ends_with("(1 row)"), "{quiet}");
}

#[test]
fn a_query_is_watched_until_ctrl_c() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    assert!(answer(&mut terminal, r"\watch").starts_with("error: no query has run"));
    terminal.send(r"\watch 1 SELECT count(*) AS n FROM openvpn AT now;");
    terminal.send(ENTER);
    terminal
        .wait_until("three answers", |screen| screen.matches("every 1s; Ctrl-C ends").count() >= 3);
    terminal.send(CTRL_C);
    terminal.wait_until("the prompt", |screen| screen.ends_with("sessionql>"));
    assert!(program.sandbox.openvpn.data_requests().len() >= 3, "each asks the provider");
}

#[test]
fn what_fails_while_it_is_watched_is_told_and_asked_again() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let refused = Fault::status(403);
    program.sandbox.openvpn.faults().plan(On::Data(1), refused);
    terminal.send(r"\watch 1 SELECT count(*) AS n FROM openvpn AT now;");
    terminal.send(ENTER);
    terminal.wait_until("an answer behind an error", |screen| {
        screen.find("error: ").is_some_and(|at| screen[at..].contains("(1 row"))
    });
    terminal.send(CTRL_C);
    terminal.wait_until("the prompt", |screen| screen.ends_with("sessionql>"));
    let wrong = answer(&mut terminal, r"\watch 1 SELECT nosuch FROM openvpn;");
    assert!(wrong.contains("no column `nosuch`"), "{wrong}");
}

#[test]
fn only_what_changed_is_watched() {
    let program = Program::new();
    let openvpn = &program.sandbox.openvpn;
    let start = chrono::Utc::now() - chrono::TimeDelta::hours(2);
    let ids = ["a", "b", "c"];
    openvpn.set_sessions(ids.map(|id| SessionRecord::active(id, "ann", start)).to_vec());
    let mut terminal = sized(&program, 50, 100);
    terminal.send(r"\watch 1 --diff SELECT id, user, status FROM openvpn SINCE 1d ORDER BY id;");
    terminal.send(ENTER);
    terminal.wait_for("0 new, 0 changed, 0 gone, 3 as before");
    openvpn.remove("b");
    openvpn.update("a", |session| session.close(start + chrono::TimeDelta::hours(1)));
    openvpn.upsert(SessionRecord::active("d", "dan", start));
    let screen = terminal.wait_until("all changes", |screen| {
        ["+  d ", "~  a ", "ACTIVE → COMPLETED", "-  b "].iter().all(|mark| screen.contains(mark))
    });
    assert!(!screen.contains("-  a ") && !screen.contains("+  a "), "{screen}");
    terminal.wait_until("that nothing changes", |screen| {
        screen.rfind("-  b ").is_some_and(|at| screen[at..].contains("0 gone, 3 as before"))
    });
    terminal.send(CTRL_C);
    terminal.wait_until("the prompt", |screen| screen.ends_with("sessionql>"));
    let refused = answer(&mut terminal, r"\watch 1 --diff --key nosuch SELECT 1 AS n;");
    assert!(refused.contains("the result has no column `nosuch` for `--key`"), "{refused}");
}

#[test]
fn sessions_are_drawn_over_time() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    answer(&mut terminal, r"\set ascii off");
    let nothing = answer(&mut terminal, r"\timeline");
    assert!(nothing.starts_with("error: no query has run yet"), "{nothing}");
    answer(&mut terminal, "SELECT user, start, end FROM openvpn AT now;");
    let n_requests = program.sandbox.openvpn.data_requests().len();
    let drawn = answer(&mut terminal, r"\timeline");
    assert!(drawn.contains(" open; at most ") && drawn.contains('►'), "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    assert_eq!(program.sandbox.openvpn.data_requests().len(), n_requests, "nothing is sent");
    let asked = answer(&mut terminal, r"\timeline SELECT user, start, end FROM formal SINCE 1d;");
    assert!(asked.contains("a column is "), "{asked}");
    answer(&mut terminal, "SELECT 1 AS n;");
    let refused = answer(&mut terminal, r"\timeline");
    assert!(refused.contains("a timeline needs columns `start` and `end`"), "{refused}");
    answer(&mut terminal, r"\format timeline");
    assert!(answer(&mut terminal, r"\dt").contains("openvpn"), "listings stay tables");
}

#[test]
fn what_was_read_lately_is_given_again_with_its_age() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let query = "SELECT id, start, end FROM openvpn SINCE 6d ORDER BY id;";
    answer(&mut terminal, query);
    let n_requests = program.sandbox.openvpn.data_requests().len();
    assert!(answer(&mut terminal, r"\cache").starts_with("cache is 5m00s; 1 scan, "));
    let again = answer(&mut terminal, query);
    assert!(again.contains("openvpn as of "), "{again}");
    assert_eq!(program.sandbox.openvpn.data_requests().len(), n_requests);
    assert_eq!(answer(&mut terminal, r"\cache off"), "cache is off; 0 scans, 0 bytes");
    assert!(!answer(&mut terminal, query).contains("as of"));
    assert!(program.sandbox.openvpn.data_requests().len() > n_requests);
}

#[test]
fn a_query_that_costs_much_is_asked_about() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    let ids: Vec<String> = (0..60).map(|n| format!("'session_{n:02}'")).collect();
    let query = format!("SELECT count(*) AS n FROM oam WHERE user IN ({});", ids.join(", "));
    let ask = |terminal: &mut Terminal| {
        let question = terminal.run(&query);
        assert!(question.contains("[y/N]"), "{question}");
    };
    ask(&mut terminal);
    let no = terminal.run("");
    assert!(no.contains("about 60 requests"), "{no}");
    assert!(no.contains("error: the query was not run"), "{no}");
    assert!(program.sandbox.oam.data_requests().is_empty());
    terminal.run(r"\?");
    ask(&mut terminal);
    terminal.send("y");
    terminal.send(ENTER);
    terminal.wait_for("(1 row,");
    assert!(!program.sandbox.oam.data_requests().is_empty());
    terminal.run(r"\set confirm off");
    terminal.run(r"\cache clear");
    terminal.run(&query);
    terminal.wait_for("(1 row,");
}

#[test]
fn what_does_not_fit_goes_through_the_pager() {
    let program = Program::new();
    let options = TerminalOptions::default().variable("PAGER", "head -n 3");
    let mut terminal = Terminal::with(&program, &options);
    let screen = terminal.run("SELECT id FROM openvpn SINCE 6d;");
    let rows = screen.lines().filter(|line| line.contains('-') && !line.contains("SELECT"));
    assert!(rows.count() <= 2, "{screen}");
    // Whoever ends the pager early has the whole result nevertheless.
    assert!(!answer(&mut terminal, "SELECT count(*) AS n FROM _;").contains("error"));
    let short = answer(&mut terminal, "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3;");
    assert!(short.contains("(3 rows"), "what fits is printed: {short}");
}

#[test]
fn a_pager_that_is_not_there_is_told_of_and_the_rows_are_printed() {
    let program = Program::new();
    let options = TerminalOptions::default().variable("PAGER", "no-such-pager-at-all");
    let mut terminal = Terminal::with(&program, &options);
    terminal.run(r"\?");
    terminal.wait_for("Ctrl-D, exit");
    assert!(answer(&mut terminal, "SELECT 1 AS n;").contains("(1 row"));
}

#[test]
fn null_stands_apart_from_texts() {
    let program = Program::new();
    let mut terminal = terminal(&program);
    terminal.run("SELECT 'NULL' AS a, NULL AS b, '' AS c;");
    let colours = terminal.colours("NULL  NULL");
    assert_eq!((colours[0].as_str(), colours[6].as_str()), ("", "dim"));
}

#[test]
fn the_examples_of_the_documentation_run() {
    let program = Program::new();
    let mut terminal = sized(&program, 100, 120);
    let document = include_str!("../../../docs/prompt.md");
    let mut n_commands = 0;
    for block in document.split("```prompt\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            let said = answer(&mut terminal, line);
            assert!(!said.contains("error: "), "{line}: {said}");
            n_commands += 1;
        }
    }
    assert!(n_commands > 25, "{n_commands} commands were found");
}

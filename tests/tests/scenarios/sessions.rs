//! `FROM sessions`: the union over all connections, each asked in its own way, none hiding another.

use chrono::TimeDelta;
use sessionql_core::error::Class;
use sessionql_core::{Engine, Error, Reason};
use sessionql_sandbox::openvpn::{Emulator, Options, SessionRecord};
use sessionql_sandbox::{Clock, Fault, On, openvpn_toml};
use sessionql_tests::{Answer, BEGIN, engine, instant, run};

/// Two accounts of one provider, and whatever else a test adds.
struct Offices {
    eu: Emulator,
    us: Emulator,
    clock: Clock,
    engine: Engine,
}

fn sessions(prefix: &str, user: &str) -> Vec<SessionRecord> {
    let now = instant(BEGIN);
    let hours = |n: i64| now - TimeDelta::hours(n);
    vec![
        SessionRecord::active(&format!("{prefix}1"), user, hours(1)),
        SessionRecord::completed(&format!("{prefix}2"), user, hours(30), hours(28)),
        SessionRecord::completed(&format!("{prefix}3"), "both", hours(5), hours(3)),
    ]
}

impl Offices {
    fn open() -> Self {
        Self::with("")
    }

    /// `more` is added to the configuration.
    fn with(more: &str) -> Self {
        let clock = Clock::fixed(instant(BEGIN));
        let start = |prefix, user| {
            let sessions = sessions(prefix, user);
            Emulator::start(Options { sessions, ..Options::empty(clock.clone()) })
                .expect("a loopback socket is free")
        };
        let (eu, us) = (start("e", "ann"), start("u", "bob"));
        let named = |emulator, name: &str| openvpn_toml(emulator).replace(".openvpn]", name);
        let config = format!("{}{}{more}", named(&eu, ".eu]"), named(&us, ".us]"));
        let engine = engine(&config, &clock);
        Self { eu, us, clock, engine }
    }

    fn run(&self, sql: &str) -> Answer {
        run(&self.engine, sql, &Default::default())
    }

    /// Runs a query that must be whole; returns its rows as lines, sorted.
    fn rows(&self, sql: &str) -> Vec<String> {
        let answer = self.run(sql);
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert!(answer.completeness.is_complete(), "{sql}: {:?}", answer.completeness);
        lines(&answer)
    }

    fn breaks(&self, emulator: &Emulator) {
        emulator.faults().plan_times(On::DataFrom(1), 1_000, Fault::status(403));
    }
}

fn lines(answer: &Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer.rows.iter().map(|row| row.join(" ")).collect();
    lines.sort();
    lines
}

/// Says of each connection that something is missing of, why.
fn gaps(answer: &Answer) -> Vec<(String, Reason)> {
    let reports = &answer.completeness.connections;
    let gap = |report: &sessionql_core::completeness::ConnectionReport| {
        report.gaps.first().map(|known| (report.connection.clone(), known.gap.reason))
    };
    reports.iter().filter_map(gap).collect()
}

#[test]
fn all_connections_are_read_and_each_row_says_where_it_is_from() {
    let offices = Offices::open();
    let rows = offices.rows("SELECT connection, id, user FROM sessions");
    let expected = ["eu e1 ann", "eu e2 ann", "eu e3 both", "us u1 bob", "us u2 bob", "us u3 both"];
    assert_eq!(rows, expected);
    assert_eq!(
        offices.run("SELECT * FROM sessions").columns,
        ["id", "user", "start", "end", "duration", "status", "client_ip", "provider", "connection"]
    );
}

#[test]
fn filters_and_windows_reach_every_provider() {
    let offices = Offices::open();
    assert_eq!(offices.rows("SELECT id FROM sessions WHERE status = 'ACTIVE'"), ["e1", "u1"]);
    for emulator in [&offices.eu, &offices.us] {
        let requests = emulator.data_requests();
        assert_eq!(requests.len(), 1);
        assert!(requests[0].to_string().contains("status=ACTIVE"), "{}", requests[0]);
    }
    assert_eq!(offices.rows("SELECT id FROM sessions SINCE 4h"), ["e1", "e3", "u1", "u3"]);
    assert_eq!(
        offices.rows("SELECT id FROM sessions AT now() - INTERVAL '29 hours'"),
        ["e2", "u2"]
    );
    assert_eq!(
        offices.rows("SELECT user, count(*) FROM sessions GROUP BY user"),
        ["ann 2", "bob 2", "both 2"]
    );
    assert_eq!(
        offices.rows("SELECT id FROM sessions WHERE duration > INTERVAL '90 minutes'").len(),
        4
    );
    assert_eq!(offices.rows("SELECT id FROM sessions LIMIT 4").len(), 4);
}

#[test]
fn pushed_and_unpushed_agree() {
    let offices = Offices::open();
    let queries = [
        "SELECT id, connection FROM sessions WHERE user = 'both' OR connection = 'eu'",
        "SELECT id FROM sessions WHERE connection LIKE 'u%' AND status <> 'ACTIVE'",
        "SELECT id, provider FROM sessions WHERE provider = connection",
        "SELECT id FROM sessions WHERE connection IN ('us', 'jp') SINCE 6h",
        "SELECT a.id, b.id FROM sessions a JOIN sessions b ON a.user = b.user AND a.id < b.id",
        "SELECT connection, max(start) FROM sessions GROUP BY connection",
    ];
    for query in queries {
        let pushed = offices.rows(query);
        assert!(offices.run("SET pushdown = off").error.is_none());
        assert_eq!(pushed, offices.rows(query), "{query}");
        assert!(offices.run("SET pushdown = on").error.is_none());
    }
}

#[test]
fn a_filter_on_connection_or_provider_prunes() {
    // Neither the plugin nor the secret of this one exists; nobody notices unless it is asked.
    let offices = Offices::with(
        "[connections.far]\nplugin = \"nowhere\"\nbase_url = \"http://127.0.0.1:9\"\n",
    );
    assert_eq!(offices.rows("SELECT id FROM sessions WHERE connection = 'eu'"), ["e1", "e2", "e3"]);
    assert_eq!(offices.us.data_requests().len(), 0);
    let answer = offices.run("SELECT id FROM sessions WHERE connection = 'eu'");
    let reports = answer.completeness.connections;
    assert_eq!(reports.iter().map(|report| &*report.connection).collect::<Vec<_>>(), ["eu"]);
    assert_eq!(offices.rows("SELECT id FROM sessions WHERE provider = 'openvpn'").len(), 6);
    offices.eu.clear();
    assert_eq!(offices.rows("SELECT id FROM sessions WHERE connection = 'nobody'").len(), 0);
    assert_eq!(offices.rows("SELECT id FROM eu WHERE connection = 'us'").len(), 0);
    assert_eq!(offices.eu.data_requests().len(), 0);
}

#[test]
fn in_sessions_keeps_a_connection_out() {
    let offices = Offices::with(
        "[connections.far]\nplugin = \"nowhere\"\nbase_url = \"http://127.0.0.1:9\"\nin_sessions = false\n",
    );
    assert_eq!(offices.rows("SELECT id FROM sessions").len(), 6);
    let config = "[connections.far]\nplugin = \"nowhere\"\nin_sessions = false\n";
    let answer =
        run(&engine(config, &offices.clock), "SELECT id FROM sessions", &Default::default());
    let error = answer.error.expect("there is nothing to read");
    assert_eq!(error.to_string(), "`sessions` reads no connection: all have `in_sessions = false`");
    assert_eq!(error.class(), Class::Input);
}

#[test]
fn one_failing_connection_does_not_hide_the_others() {
    let offices = Offices::open();
    offices.breaks(&offices.us);
    let answer = offices.run("SELECT id FROM sessions");
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(lines(&answer), ["e1", "e2", "e3"]);
    assert_eq!(gaps(&answer), [("us".to_owned(), Reason::Auth)]);
    assert!(!answer.completeness.is_complete());
    // The same failure by name ends the statement.
    let answer = offices.run("SELECT id FROM us");
    assert!(matches!(answer.error, Some(Error::Scan { .. })), "{:?}", answer.error);
}

#[test]
fn a_failure_on_a_later_page_keeps_the_rows_before_it() {
    let offices = Offices::open();
    offices.us.set_switches(|switches| switches.page_cap = Some(1));
    offices.us.faults().plan_times(On::Data(2), 1, Fault::status(403));
    let answer = offices.run("SELECT id FROM sessions");
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), 4);
    assert_eq!(gaps(&answer), [("us".to_owned(), Reason::Auth)]);
}

#[test]
fn what_cannot_even_be_opened_is_missing_too() {
    let offices = Offices::with(
        "[connections.far]\nplugin = \"nowhere\"\nbase_url = \"http://127.0.0.1:9\"\n\
         [connections.locked]\nplugin = \"openvpn\"\nbase_url = \"http://127.0.0.1:9\"\n\
         client_id = \"x\"\nclient_secret = { env = \"NO_SUCH_VARIABLE\" }\n\
         [connections.wrong]\nplugin = \"openvpn\"\nbase_url = \"http://127.0.0.1:9\"\nslack = 3\n",
    );
    let answer = offices.run("SELECT id FROM sessions");
    assert!(answer.error.is_none(), "{:?}", answer.error);
    assert_eq!(answer.rows.len(), 6);
    let expected = [
        ("far".to_owned(), Reason::PluginError),
        ("locked".to_owned(), Reason::Config),
        ("wrong".to_owned(), Reason::Config),
    ];
    assert_eq!(gaps(&answer), expected);
    let reports = answer.completeness.connections.iter();
    let notes: Vec<&String> = reports.flat_map(|report| &report.notes).collect();
    assert!(!notes.iter().any(|note| note.contains("did not end")), "nothing ran: {notes:?}");
}

#[test]
fn if_all_fail_the_statement_fails() {
    let offices = Offices::with("[connections.far]\nplugin = \"nowhere\"\n");
    offices.breaks(&offices.us);
    offices.breaks(&offices.eu);
    let answer = offices.run("SELECT id FROM sessions");
    let error = answer.error.expect("nothing could be read");
    assert_eq!(error.class(), Class::Failed);
    let message = error.to_string();
    assert!(message.starts_with("no connection of `sessions` could be read: `eu`: "), "{message}");
    for name in ["`us`: ", "`far`: "] {
        assert!(message.contains(name), "{message}");
    }
    let answer = offices.run("SELECT id FROM sessions WHERE connection = 'far'");
    assert_eq!(answer.error.map(|error| error.class()), Some(Class::Failed));
}

#[test]
fn an_aggregate_over_a_failed_connection_may_be_wrong() {
    use sessionql_core::completeness::Off;
    let offices = Offices::open();
    offices.breaks(&offices.us);
    let off = |sql: &str| offices.run(sql).completeness.off;
    assert_eq!(off("SELECT id FROM sessions"), Some(Off::Missing));
    assert_eq!(off("SELECT count(*) FROM sessions"), Some(Off::Wrong));
    let offices = Offices::with("[connections.far]\nplugin = \"nowhere\"\n");
    assert_eq!(offices.run("SELECT count(*) FROM sessions").completeness.off, Some(Off::Wrong));
}

#[test]
fn accept_names_gaps_not_failures() {
    let offices = Offices::with(
        "[connections.far]\nplugin = \"nowhere\"\naccept = [\"history\", \"capped\"]\n",
    );
    assert!(!offices.run("SELECT id FROM sessions").completeness.is_complete());
}

#[test]
fn sessions_is_described_and_listed() {
    let offices = Offices::open();
    let columns = offices.run("DESCRIBE sessions");
    assert_eq!(columns.rows.len(), 9);
    let tables = offices.run("SHOW TABLES");
    assert!(tables.rows.iter().any(|row| row[0] == "sessions"), "{:?}", tables.rows);
}

#[test]
fn without_a_connection_there_is_no_such_table() {
    let clock = Clock::fixed(instant(BEGIN));
    let answer = run(&engine("", &clock), "SELECT * FROM sessions", &Default::default());
    let error = answer.error.expect("there is no table");
    assert_eq!(error.class(), Class::Input);
    assert!(error.to_string().contains("no connection is configured"), "{error}");
}

#[test]
fn raw_and_columns_of_one_provider_are_not_common() {
    let offices = Offices::open();
    for column in ["raw", "client_uuid"] {
        let answer = offices.run(&format!("SELECT {column} FROM sessions"));
        assert_eq!(answer.error.map(|error| error.class()), Some(Class::Input), "{column}");
    }
}

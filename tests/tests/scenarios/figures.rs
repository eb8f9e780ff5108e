//! What the four providers are asked, all at once: the figures of docs/performance.md that need more
//! than one of them, and what becomes of `sessions` when one fails.

use chrono::TimeDelta;
use sessionql_core::{Engine, ExecuteOptions, Reason};
use sessionql_sandbox::{
    Clock, Fault, On, Sandbox, SandboxOptions, oam, oam_toml, openvpn, openvpn_toml,
};
use sessionql_tests::{Answer, BEGIN, engine, instant, run};

/// Every provider with the people of the sample data.
struct Company {
    sandbox: Sandbox,
    engine: Engine,
}

impl Company {
    fn seeded() -> Self {
        let clock = Clock::fixed(instant(BEGIN));
        let sandbox = Sandbox::start(SandboxOptions { seed: 1, clock: clock.clone() });
        let sandbox = sandbox.expect("loopback sockets are free");
        let engine = engine(&sandbox.config_toml(), &clock);
        Self { sandbox, engine }
    }

    fn run(&self, sql: &str) -> Answer {
        let answer = run(&self.engine, sql, &ExecuteOptions::default());
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        answer
    }
}

#[test]
fn a_day_of_active_tunnels_is_as_many_requests_as_pages() {
    let company = Company::seeded();
    let sql = "SELECT id FROM openvpn WHERE status = 'ACTIVE' AND start >= now() - 24h";
    let n_rows = company.run(sql).rows.len();
    let n_requests = company.sandbox.openvpn.data_requests().len();
    assert_eq!(n_requests, n_rows.div_ceil(100).max(1));
}

#[test]
fn one_id_of_formal_is_one_request() {
    let company = Company::seeded();
    let id = company.run("SELECT id FROM formal LIMIT 1").rows[0][0].clone();
    company.sandbox.formal.clear();
    assert_eq!(company.run(&format!("SELECT user FROM formal WHERE id = '{id}'")).rows.len(), 1);
    assert_eq!(company.sandbox.formal.data_requests().len(), 1);
}

#[test]
fn users_of_ekran_in_a_window_are_one_request() {
    let company = Company::seeded();
    let users = company.run("SELECT DISTINCT user FROM ekran SINCE 1d");
    assert!(users.completeness.is_complete() && !users.rows.is_empty(), "{users:?}");
    let requests = company.sandbox.ekran.data_requests();
    assert_eq!(requests.len(), 1);
    let line = requests[0].to_string();
    assert!(line.contains("start=") && !line.contains("end="), "{line}");
}

#[test]
fn ends_and_begins_of_ekran_are_true_ones_within_a_window() {
    let company = Company::seeded();
    let truth = company.run("SELECT id, start, \"end\" FROM ekran").rows;
    company.sandbox.ekran.clear();
    let ended = company.run("SELECT id, \"end\" FROM ekran SINCE 2d UNTIL 1d");
    assert!(ended.completeness.is_complete() && !ended.rows.is_empty());
    for row in &ended.rows {
        assert!(truth.iter().any(|whole| whole[0] == row[0] && whole[2] == row[1]), "{row:?}");
    }
    company.sandbox.ekran.clear();
    let begun = company.run("SELECT id, start FROM ekran WHERE start >= now() - 24h");
    assert!(begun.completeness.is_complete() && !begun.rows.is_empty());
    for row in &begun.rows {
        assert!(truth.iter().any(|whole| whole[0] == row[0] && whole[1] == row[1]), "{row:?}");
    }
    let n_requests = company.sandbox.ekran.data_requests().len();
    assert!((1..=2).contains(&n_requests), "{n_requests}");
}

#[test]
fn forty_sessions_of_one_user_of_oam_are_at_most_33_requests() {
    let company = Company::seeded();
    let sql = format!("SELECT id FROM oam WHERE user = '{}'", oam::HOT_LOGIN);
    let answer = company.run(&sql);
    let gaps: Vec<_> =
        answer.completeness.connections.iter().flat_map(|report| &report.gaps).collect();
    match answer.completeness.is_complete() {
        true => assert_eq!(answer.rows.len(), 40),
        false => assert!(gaps.iter().any(|known| known.gap.message.contains("of 40")), "{gaps:?}"),
    }
    assert!(company.sandbox.oam.data_requests().len() <= 33);
}

/// Fifty users are on the VPN, twice each; some are signed in. Either order of the tables, and every
/// kind of join, asks for each user once.
#[test]
fn a_join_with_oam_is_one_request_for_each_user() {
    let clock = Clock::fixed(instant(BEGIN));
    let at = instant(BEGIN) - TimeDelta::hours(1);
    let user = |n: usize| format!("user{n:02}");
    let tunnels =
        (0..100).map(|n| openvpn::SessionRecord::active(&format!("t{n:03}"), &user(n % 50), at));
    let signed_in = (0..60).map(|n| oam::SessionRecord::new(&format!("o{n}"), &user(n % 30), at));
    let vpn = openvpn::Emulator::start(openvpn::Options {
        sessions: tunnels.collect(),
        ..openvpn::Options::empty(clock.clone())
    })
    .expect("a loopback socket is free");
    let sso = oam::Emulator::start(oam::Options {
        sessions: signed_in.collect(),
        ..oam::Options::empty(clock.clone())
    })
    .expect("a loopback socket is free");
    let toml = format!("{}\n{}", openvpn_toml(&vpn), oam_toml(&sso));
    for (sql, n_rows) in [
        ("SELECT v.id, o.id FROM openvpn v JOIN oam o ON o.user = v.user", 120),
        ("SELECT v.id, o.id FROM oam o JOIN openvpn v ON v.user = o.user", 120),
        ("SELECT v.id, o.id FROM openvpn v LEFT JOIN oam o ON o.user = v.user", 160),
        ("SELECT id FROM openvpn WHERE user IN (SELECT user FROM oam)", 60),
        (
            "SELECT id FROM openvpn v WHERE NOT EXISTS (SELECT 1 FROM oam o WHERE o.user = v.user)",
            40,
        ),
        ("SELECT id FROM oam WHERE user IN (SELECT user FROM openvpn)", 60),
    ] {
        // Each with a connection that has learnt nothing.
        let engine = engine(&toml, &clock);
        sso.clear();
        let answer = run(&engine, sql, &ExecuteOptions::default());
        assert!(answer.error.is_none(), "{sql}: {:?}", answer.error);
        assert!(answer.completeness.is_complete(), "{sql}: {:?}", answer.completeness);
        assert_eq!(answer.rows.len(), n_rows, "{sql}");
        // One user of the fifty may be asked for before the path is known to exist.
        let n_requests = sso.data_requests().len();
        assert_eq!(n_requests, 50, "{sql}");
    }
}

/// A provider that answers 500 for ever, or not at all, hides nobody else's rows.
#[test]
fn a_broken_provider_hides_no_others() {
    let whole = Company::seeded();
    let n_of = |answer: &Answer, connection: &str| {
        answer.rows.iter().filter(|row| row[1] == connection).count()
    };
    let all = whole.run("SELECT id, connection FROM sessions WHERE status = 'ACTIVE'");
    for fault in [Fault::status(500), Fault::Close] {
        let company = Company::seeded();
        company.sandbox.formal.faults().plan_times(On::DataFrom(1), 1_000, fault);
        let answer = company.run("SELECT id, connection FROM sessions WHERE status = 'ACTIVE'");
        assert_eq!(n_of(&answer, "formal"), 0);
        for connection in ["openvpn", "oam", "ekran"] {
            assert_eq!(n_of(&answer, connection), n_of(&all, connection), "{connection}");
        }
        let reports = &answer.completeness.connections;
        let formal = reports.iter().find(|report| report.connection == "formal");
        let reason = formal.and_then(|report| report.gaps.first()).map(|known| known.gap.reason);
        assert!(
            matches!(reason, Some(Reason::ProviderError | Reason::Unreachable)),
            "{:?}",
            answer.completeness
        );
    }
}

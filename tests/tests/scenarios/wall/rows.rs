use std::time::Duration;

use sessionql_core::{ExecuteOptions, Reason};
use sessionql_sandbox::{Fault, On, openvpn};
use sessionql_tests::provider::Provider;
use sessionql_tests::{World, engine, run};

use super::super::faults::matrix;
use super::APART;

#[test]
fn every_provider_gives_the_same_rows_for_the_same_requests() {
    for provider in Provider::ALL {
        let [here, apart] = ["", APART].map(|more| {
            let world = provider.world(more);
            let answer = world.run();
            assert!(answer.error.is_none(), "{provider:?}: {:?}", answer.error);
            (answer.rows, answer.completeness.is_complete(), world.emulator.n_requests())
        });
        assert_eq!(here, apart, "{provider:?}");
    }
}

#[test]
fn every_column_comes_through() {
    let [here, apart] = ["", APART].map(|more| {
        let mut world = World::seeded();
        world.configure(more);
        let answer = world.run("SELECT *, raw FROM openvpn ORDER BY id");
        assert!(answer.error.is_none(), "{:?}", answer.error);
        (answer.columns, answer.rows)
    });
    assert!(here.1.len() > 20);
    assert_eq!(here, apart);
}

/// A fault of the provider is told by the host, whoever reads the answers.
#[test]
fn no_fault_costs_a_row_in_silence() {
    matrix(Provider::Openvpn, APART, 7);
}

#[test]
fn a_limit_sends_no_request_more() {
    let [here, apart] = ["", APART].map(|more| {
        let world = Provider::Openvpn.world(more);
        let options = ExecuteOptions::default();
        let answer = run(&world.engine, "SELECT id FROM openvpn LIMIT 4", &options);
        assert!(answer.error.is_none(), "{:?}", answer.error);
        (answer.rows.len(), world.emulator.n_requests())
    });
    assert_eq!(here, (4, 2));
    assert_eq!(here, apart);
}

#[test]
fn a_deadline_ends_a_request_that_hangs() {
    let world = Provider::Openvpn.world(APART);
    world.emulator.faults().plan(On::Data(2), Fault::Hang);
    let options =
        ExecuteOptions { timeout: Some(Duration::from_millis(400)), ..ExecuteOptions::default() };
    let answer = run(&world.engine, "SELECT id FROM openvpn", &options);
    let message = answer.error.map(|error| error.to_string()).unwrap_or_default();
    assert_eq!(message, "timed out after 400ms", "the plugin is not to blame");
    // The child is still there, and answers.
    assert_eq!(world.run().rows.len(), 7);
}

#[test]
fn what_a_scan_learns_is_kept() {
    let mut world = World::seeded();
    world.configure(&format!("api_version = \"v1\"\n{APART}"));
    world.emulator.set_switches(|switches| switches.history = Some(chrono::TimeDelta::days(7)));
    for round in ["first", "second"] {
        let answer = world.run("SELECT id FROM openvpn SINCE 20d");
        assert!(answer.error.is_none(), "{round}: {:?}", answer.error);
        let gaps = &answer.completeness.connections[0].gaps;
        assert!(gaps.iter().any(|gap| gap.gap.reason == Reason::History), "{round}: {gaps:?}");
    }
    let requests = world.emulator.data_requests();
    let n_refused = requests.iter().filter(|request| request.status == Some(400)).count();
    assert_eq!(n_refused, 1, "the second query knows");
}

/// Two connections of one plugin have a child each, and so do the two sides of a join.
#[test]
fn connections_are_apart_from_each_other_too() {
    let clock = sessionql_sandbox::Clock::fixed(sessionql_tests::instant(sessionql_tests::BEGIN));
    let options = || openvpn::Options::seeded(1, clock.clone());
    let emulators = [options(), options()]
        .map(|options| openvpn::Emulator::start(options).expect("a loopback socket is free"));
    let [one, two] = &emulators;
    let config = |more: &str| {
        format!(
            "{}{more}{}{more}",
            sessionql_sandbox::openvpn_toml(one)
                .replace("[connections.openvpn]", "[connections.one]"),
            sessionql_sandbox::openvpn_toml(two)
                .replace("[connections.openvpn]", "[connections.two]"),
        )
    };
    let [here, apart] = ["", APART].map(|more| {
        let engine = engine(&config(more), &clock);
        let sql = "SELECT count(*), max(one.start) FROM one JOIN two ON one.id = two.id";
        let answer = run(&engine, sql, &ExecuteOptions::default());
        assert!(answer.error.is_none(), "{:?}", answer.error);
        answer.rows
    });
    assert_ne!(here[0][0], "0");
    assert_eq!(here, apart);
}

/// Sixty-four scans at once share one child.
#[test]
fn many_scans_run_at_once() {
    let world = Provider::Openvpn.world(APART);
    std::thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| assert_eq!(world.run().rows.len(), 7));
        }
    });
}

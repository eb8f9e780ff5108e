//! Whatever goes wrong on the way, with whatever provider, on whatever page: the rows are right, or
//! there is an error, or the answer says what is missing. Fewer rows without a word never happen.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sessionql_core::{Error, ExecuteOptions};
use sessionql_sandbox::{Fault, On};
use sessionql_tests::Answer;
use sessionql_tests::provider::{Provider, ProviderWorld};

pub(crate) mod kinds;

use kinds::{Effect, kinds};

/// How many checks run at once: nearly all of their time is spent waiting before retries.
const N_THREADS: usize = 32;

/// Longer than the eight attempts of a request take.
const DEADLINE: Duration = Duration::from_secs(12);

/// What a provider answers when nothing goes wrong.
struct Clean {
    rows: Vec<Vec<String>>,
    n_requests: usize,
}

impl Clean {
    fn of(provider: Provider) -> Self {
        let world = provider.world("");
        let answer = world.run();
        assert!(answer.error.is_none(), "{provider:?}: {:?}", answer.error);
        assert!(answer.completeness.is_complete(), "{provider:?}: {:?}", answer.completeness);
        assert!(!answer.rows.is_empty(), "{provider:?} has rows");
        Self { rows: answer.rows, n_requests: world.emulator.n_requests() }
    }

    /// Tells whether an answer is whole, an error, or says that it is not whole. What is none of
    /// these is the one thing that must never happen.
    fn judge(&self, answer: &Answer) -> Verdict {
        let told = !answer.completeness.is_complete();
        match &answer.error {
            Some(_) => Verdict::Error,
            None if answer.rows == self.rows && !told => Verdict::Right,
            None if told => Verdict::Told,
            None => Verdict::Wrong,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Right,
    Error,
    Told,
    Wrong,
}

/// Runs a check for each case, many at once.
pub(crate) fn at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..N_THREADS.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(case);
                }
            });
        }
    });
}

fn ask(world: &ProviderWorld) -> Answer {
    world.run_with(ExecuteOptions { timeout: Some(DEADLINE), ..ExecuteOptions::default() })
}

/// Each fault of the list at each request of a provider, once and for good; of all these cases one
/// in `every`, with more keys on the connection.
pub(crate) fn matrix(provider: Provider, more: &str, every: usize) {
    let clean = Clean::of(provider);
    let kinds = kinds(provider);
    let positions = (1..=clean.n_requests).flat_map(|n| [(n, false), (n, true)]);
    let cases: Vec<_> = positions
        .flat_map(|(n, lasts)| {
            kinds.iter().map(move |(name, effect, fault)| (n, lasts, name, effect, fault))
        })
        .step_by(every)
        .collect();
    at_once(&cases, |(n, lasts, name, effect, fault)| {
        // The rate that CloudConnexa publishes would make each throttled answer cost 15 s.
        let rate = "rate_limit = { burst = 100, refill = 100, per = \"1s\" }";
        let world = provider.world(&format!("{rate}\n{more}"));
        let on = if *lasts { On::DataFrom(*n) } else { On::Data(*n) };
        world.emulator.faults().plan(on, (*fault).clone());
        let answer = ask(&world);
        let verdict = clean.judge(&answer);
        let is_due = match effect {
            Effect::None => verdict == Verdict::Right,
            Effect::Passes if !lasts => verdict == Verdict::Right,
            Effect::Passes | Effect::Fatal => verdict == Verdict::Error,
            Effect::Told => verdict != Verdict::Wrong,
        };
        let when = if *lasts { "from" } else { "at" };
        assert!(
            is_due,
            "{provider:?}, {name} {when} request {n} of {}: {verdict:?}, {} rows of {}, {:?}, {:?}",
            clean.n_requests,
            answer.rows.len(),
            clean.rows.len(),
            answer.error,
            answer.completeness,
        );
    });
}

#[test]
fn no_fault_of_openvpn_costs_a_row_in_silence() {
    matrix(Provider::Openvpn, "", 1);
}

#[test]
fn no_fault_of_formal_costs_a_row_in_silence() {
    matrix(Provider::Formal, "", 1);
}

#[test]
fn no_fault_of_oam_costs_a_row_in_silence() {
    matrix(Provider::Oam, "", 1);
}

#[test]
fn no_fault_of_ekran_costs_a_row_in_silence() {
    matrix(Provider::Ekran, "", 1);
}

/// Cursors that lead in circles of one, two and five pages, from each page on.
#[test]
fn a_cursor_that_leads_in_a_circle_is_an_error() {
    for provider in Provider::ALL {
        for (n_pages, fault) in kinds::loops(provider) {
            let world = provider.world("");
            world.emulator.faults().plan(On::DataFrom(1), fault);
            let answer = ask(&world);
            // A circle that is longer than the scan is none.
            let clean = Clean::of(provider);
            let is_whole = answer.rows == clean.rows;
            assert_eq!(
                answer.error.is_some(),
                n_pages < 3,
                "{provider:?} {n_pages}: {:?}",
                answer.error
            );
            assert!(answer.error.is_some() || is_whole, "{provider:?} {n_pages}");
            assert!(world.emulator.n_requests() <= 2 * clean.n_requests, "{provider:?} {n_pages}");
        }
    }
}

/// An answer that ends before each of its bytes in turn, on one page after the other, with the
/// connection closed.
#[test]
fn an_answer_may_end_at_any_byte() {
    let clean = Clean::of(Provider::Openvpn);
    let offsets: Vec<usize> = (1..1_200).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..N_THREADS {
            scope.spawn(|| {
                let world = Provider::Openvpn.world("");
                while let Some(drop_bytes) = offsets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let n_before = world.emulator.n_requests();
                    let page = n_before + 1 + drop_bytes % 3;
                    let fault = Fault::Truncated { drop_bytes: *drop_bytes };
                    world.emulator.faults().plan(On::Data(page), fault);
                    let answer = ask(&world);
                    assert_eq!(clean.judge(&answer), Verdict::Right, "{drop_bytes} {answer:?}");
                }
            });
        }
    });
}

/// Two thousand scans of which every tenth answer is wrong: none wrong, none given up.
#[test]
fn one_answer_in_ten_may_be_wrong() {
    const N_SCANS: usize = 500;
    const N_AT_ONCE: usize = 8;
    let n_scans = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (seed, provider) in (1..).zip(Provider::ALL) {
            let n_scans = &n_scans;
            scope.spawn(move || {
                let clean = Clean::of(provider);
                let world = provider.world("");
                world.emulator.faults().plan_at_random(seed, 0.10, kinds::passing());
                let scans: Vec<usize> = (0..N_SCANS).collect();
                let next = AtomicUsize::new(0);
                std::thread::scope(|scope| {
                    for _ in 0..N_AT_ONCE {
                        scope.spawn(|| {
                            while let Some(n) = scans.get(next.fetch_add(1, Ordering::Relaxed)) {
                                let answer = world.run();
                                assert_eq!(
                                    clean.judge(&answer),
                                    Verdict::Right,
                                    "{provider:?} {n}: {answer:?}"
                                );
                                n_scans.fetch_add(1, Ordering::Relaxed);
                            }
                        });
                    }
                });
            });
        }
    });
    assert_eq!(n_scans.into_inner(), 4 * N_SCANS);
}

/// If every twentieth answer is wrong, no more than 15 % more requests are sent than without.
#[test]
fn few_requests_are_sent_again() {
    const N_SCANS: usize = 200;
    let scans: Vec<usize> = (0..N_SCANS).collect();
    for provider in Provider::ALL {
        let world = provider.world("");
        let count = || {
            let n_before = world.emulator.n_requests();
            at_once(&scans, |_| {
                let answer = world.run();
                assert!(answer.error.is_none(), "{provider:?}: {:?}", answer.error);
            });
            world.emulator.n_requests() - n_before
        };
        // What a provider is asked once is not asked again, so the first scan does not count.
        world.run();
        let n_due = count();
        world.emulator.faults().plan_at_random(7, 0.05, kinds::passing());
        let n_sent = count();
        assert!(n_sent > n_due, "{provider:?}: {n_sent} requests in place of {n_due}");
        assert!(n_sent * 100 <= n_due * 115, "{provider:?}: {n_sent} requests in place of {n_due}");
    }
}

/// A provider that is down: all scans fail together, and soon.
#[test]
fn an_outage_is_no_storm() {
    const N_SCANS: usize = 50;
    for provider in Provider::ALL {
        let world = provider.world("");
        world.emulator.faults().plan(On::DataFrom(1), Fault::status(503));
        let scans: Vec<usize> = (0..N_SCANS).collect();
        at_once(&scans, |_| {
            let answer = world.run();
            assert!(matches!(answer.error, Some(Error::Scan { .. })), "{provider:?}: {answer:?}");
        });
        assert!(world.emulator.n_requests() <= 600, "{}", world.emulator.n_requests());
    }
}

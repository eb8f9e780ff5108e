//! What completion offers, place by place, on the sandbox. `|` is the place. To add one to
//! `completion.txt`, write its line, and take the text that the test leaves when it fails.

use sessionql_core::{CandidateKind, Completion, Engine, Parameters};
use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};
use sessionql_tests::{BEGIN, engine, instant};

/// An engine connected to the sandbox, with a local table.
struct Desk {
    sandbox: Sandbox,
    engine: Engine,
    _files: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let clock = Clock::fixed(instant(BEGIN));
        let options = SandboxOptions { seed: 1, clock: clock.clone() };
        let sandbox = Sandbox::start(options).expect("the sandbox starts");
        let files = tempfile::tempdir().expect("a directory is made");
        let path = files.path().join("watchlist.csv");
        std::fs::write(&path, "login,Home Town,since\nann,Bonn,2026-01-02\n")
            .expect("it is written");
        let mut config = sandbox.config_toml();
        config.push_str(&format!("\n[tables.watchlist]\npath = '{}'\n", path.display()));
        let engine = engine(&config, &clock);
        Self { sandbox, engine, _files: files }
    }

    fn complete(&self, text: &str) -> Completion {
        let at = text.find('|').expect("there is a place");
        let mut parameters = Parameters::default();
        parameters.give("who", "ann");
        let completer = self.engine.completer().expect("the engine is there");
        completer.complete(&text.replacen('|', "", 1), at, &parameters)
    }

    /// Returns the candidates of these kinds, as they are written.
    fn of(&self, text: &str, kinds: &[CandidateKind]) -> String {
        let candidates = self.complete(text).candidates;
        let wanted = candidates.iter().filter(|candidate| kinds.contains(&candidate.kind));
        wanted.map(|candidate| candidate.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn all(&self, text: &str) -> String {
        let candidates = self.complete(text).candidates;
        candidates.iter().map(|candidate| candidate.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Begins the line of a place.
const PLACE: &str = "> ";

#[test]
fn each_place_has_its_candidates() {
    let desk = Desk::new();
    let golden = include_str!("completion.txt");
    let mut told = String::new();
    for line in golden.lines() {
        if line.starts_with("# ") {
            told.push_str(&format!("{line}\n\n"));
        }
        let Some(text) = line.strip_prefix(PLACE) else { continue };
        let candidates = desk.all(&text.replace("\\n", "\n"));
        told.push_str(&format!("{}\n\n", format!("{PLACE}{text}\n{candidates}").trim_end()));
    }
    assert_eq!(desk.sandbox.openvpn.requests().len(), 0, "completion asks no provider");
    if told != golden {
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/completion.txt");
        std::fs::write(file, told).expect("the new text is written");
        panic!("completion.txt is not what is offered: compare it with {file}");
    }
}

#[test]
fn columns_come_first_and_keywords_last() {
    let desk = Desk::new();
    let kinds: Vec<_> = desk
        .complete("SELECT s| FROM openvpn")
        .candidates
        .iter()
        .map(|candidate| candidate.kind)
        .collect();
    assert_eq!(kinds.first(), Some(&CandidateKind::Column));
    let order = [CandidateKind::Column, CandidateKind::Function, CandidateKind::Keyword];
    let position = |kind: &CandidateKind| order.iter().position(|known| known == kind);
    assert!(kinds.is_sorted_by_key(position), "{kinds:?}");
}

#[test]
fn names_are_quoted_where_they_must_be() {
    let desk = Desk::new();
    let columns = |text: &str| desk.of(text, &[CandidateKind::Column]);
    assert_eq!(columns("SELECT | FROM watchlist"), r#"login "Home Town" since"#);
    assert_eq!(columns(r#"SELECT "ho| FROM watchlist"#), r#""Home Town""#);
    assert_eq!(columns("SELECT ho| FROM watchlist"), r#""Home Town""#);
}

#[test]
fn a_name_that_two_tables_have_is_qualified() {
    let desk = Desk::new();
    let columns = |text: &str| desk.of(text, &[CandidateKind::Column]);
    assert_eq!(columns("SELECT durat| FROM openvpn v JOIN watchlist w ON 1 = 1"), "duration");
    assert_eq!(columns("SELECT client_i| FROM openvpn v, oam o"), "v.client_ip o.client_ip");
}

#[test]
fn details_tell_types_signatures_and_docs() {
    let desk = Desk::new();
    let detail = |text: &str| desk.complete(text).candidates.remove(0).detail.unwrap_or_default();
    assert_eq!(
        detail("SELECT durat| FROM openvpn"),
        "duration  How long it has lasted: up to its end, or up to now."
    );
    assert_eq!(detail("SELECT time_buck| FROM openvpn"), "time_bucket(width, instant [, origin])");
    assert_eq!(detail("-- param: limit_to int = 3 -- how many\nSELECT $li|"), "int  how many");
}

#[test]
fn no_text_and_no_place_is_too_strange() {
    let desk = Desk::new();
    let completer = desk.engine.completer().expect("the engine is there");
    let text = "WITH a AS (SELECT 'ü', \"x, $p FROM openvpn v WHERE (((( CASE WHEN /* é */ 1.5e3 END ; SELECT -- ?";
    for at in 0..=text.len() + 1 {
        let span = completer.complete(text, at, &Parameters::default()).span;
        assert!(text.is_char_boundary(span.start) && span.start <= span.end, "{at}");
    }
    let deep = format!("SELECT {}", "(".repeat(200));
    assert_eq!(completer.complete(&deep, deep.len(), &Parameters::default()).candidates, []);
}

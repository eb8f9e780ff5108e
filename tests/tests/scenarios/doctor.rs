//! `sessionql doctor`: what is wrong with the configuration, and what to do about it.

use serde_json::Value;
use sessionql_sandbox::{Fault, On};
use sessionql_tests::program::Program;

/// Runs it; returns the code and the findings as status, subject, message and hint.
fn doctor(program: &Program, arguments: &[&str]) -> (i32, Vec<[String; 4]>) {
    let output = program.run(&[&["doctor", "--format", "json"], arguments].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let told: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(told["schema_version"], 1);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = told["findings"].as_array().expect("a list").iter();
    let findings = findings
        .map(|finding| ["status", "subject", "message", "hint"].map(|key| text(finding, key)));
    (output.status.code().expect("it ended by itself"), findings.collect())
}

fn of<'a>(findings: &'a [[String; 4]], subject: &str) -> Vec<&'a [String; 4]> {
    findings.iter().filter(|finding| finding[1] == subject).collect()
}

/// Takes secrets out of the file, as the findings ask for.
fn keep_secrets_elsewhere(program: &Program) {
    let directory = program.directory.path().to_owned();
    program.rewrite_config(|text| {
        let mut lines = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let secret = ["client_secret", "api_key", "password", "token"];
            match line.split_once(" = \"") {
                Some((key, value)) if secret.contains(&key) => {
                    let file = directory.join(format!("secret-{n}"));
                    std::fs::write(&file, value.trim_end_matches('"')).expect("it is written");
                    lines.push(format!("{key} = {{ file = {file:?} }}"));
                }
                _ => lines.push(line.to_owned()),
            }
        }
        lines.join("\n") + "\n"
    });
}

#[test]
fn all_is_well() {
    let program = Program::new();
    keep_secrets_elsewhere(&program);
    let (code, findings) = doctor(&program, &[]);
    assert_eq!(code, 0, "{findings:?}");
    assert!(findings.iter().all(|finding| finding[0] == "ok"), "{findings:?}");
    for provider in ["openvpn", "formal", "oam", "ekran"] {
        assert_eq!(of(&findings, &format!("plugin {provider}")).len(), 1);
        let connection = of(&findings, &format!("connection {provider}"));
        assert!(connection[0][2].starts_with("answers: "), "{connection:?}");
        assert!(!connection[0][2].ends_with("us"), "{connection:?}");
    }
    let told = program.run(&["doctor", "--offline"]);
    let told = String::from_utf8(told.stdout).expect("output is UTF-8");
    assert!(told.lines().all(|line| line.starts_with("ok       ")), "{told}");
}

#[test]
fn offline_sends_nothing() {
    let program = Program::new();
    let (code, findings) = doctor(&program, &["--offline"]);
    assert_eq!(code, 0, "{findings:?}");
    let last = of(&findings, "connection openvpn");
    assert_eq!(
        last.last().map(|last| last[2].as_str()),
        Some("options and secrets are there; nothing was sent")
    );
    assert!(program.sandbox.openvpn.requests().is_empty());
}

#[test]
fn a_secret_in_the_file_is_a_warning_and_is_not_shown() {
    let program = Program::new();
    let output = program.run(&["doctor"]);
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    assert!(text.contains("warning  connection openvpn  `client_secret` is written out"), "{text}");
    assert!(!text.contains(program.sandbox.openvpn.client_secret()), "{text}");
    assert_eq!(output.status.code(), Some(0), "a warning is no error");
}

#[test]
fn wrong_credentials_an_unset_variable_and_a_missing_plugin() {
    let program = Program::new();
    let secret = program.sandbox.openvpn.client_secret().to_owned();
    program.rewrite_config(|text| {
        let text =
            text.replace(&secret, "no-such-secret").replace("plugin = \"oam\"", "plugin = \"oan\"");
        let key =
            text.lines().find(|line| line.starts_with("api_key")).expect("there is one").to_owned();
        text.replace(&key, "api_key = { env = \"NO_SUCH_VARIABLE\" }")
    });
    let (code, findings) = doctor(&program, &[]);
    assert_eq!(code, 1);
    let refused = of(&findings, "connection openvpn");
    let refused = refused.last().expect("there is one");
    assert_eq!(refused[0], "error");
    assert!(!refused[3].is_empty() && !refused[2].contains("no-such-secret"), "{refused:?}");
    let unset = of(&findings, "connection formal");
    assert!(
        unset.last().is_some_and(|last| last[2].contains("`NO_SUCH_VARIABLE` is not set")),
        "{unset:?}"
    );
    assert_eq!(of(&findings, "plugin oan")[0][3], "did you mean `oam`?");
    assert_eq!(of(&findings, "connection oam")[0][0], "error");
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_finding() {
    let program = Program::new();
    program.rewrite_config(|_| "[settings]\ntimezone = \"UTC\"\n".to_owned());
    let (code, findings) = doctor(&program, &[]);
    assert_eq!((code, findings.len()), (1, 1));
    assert!(
        findings[0][2].contains("config.toml:2") && findings[0][3].contains("time_zone"),
        "{findings:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_configuration_that_others_can_write_is_an_error() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    keep_secrets_elsewhere(&program);
    let mode = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(program.config(), mode).expect("the mode is changed");
    let (code, findings) = doctor(&program, &["--offline"]);
    assert_eq!((code, findings[0][0].as_str()), (1, "error"));
    assert!(findings[0][3].contains("chmod go-w"), "{findings:?}");
}

#[test]
fn a_provider_that_hangs_is_given_up() {
    let program = Program::new();
    program.sandbox.openvpn.faults().plan(On::DataFrom(1), Fault::Hang);
    let (code, findings) = doctor(&program, &["--timeout", "4s"]);
    assert_eq!(code, 1);
    let hangs = of(&findings, "connection openvpn");
    assert_eq!(hangs.last().map(|last| last[0].as_str()), Some("error"), "{hangs:?}");
    let others = of(&findings, "connection formal");
    assert_eq!(others.last().map(|last| last[0].as_str()), Some("ok"), "{others:?}");
}

#[test]
fn a_database_of_places_that_is_none_is_an_error() {
    let program = Program::new();
    keep_secrets_elsewhere(&program);
    let places = |program: &Program| {
        let (code, findings) = doctor(program, &["--offline"]);
        let found: Vec<[String; 4]> = of(&findings, "places").into_iter().cloned().collect();
        (code, found)
    };
    let (code, found) = places(&program);
    let [[status, _, message, _]] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((code, status.as_str()), (0, "ok"));
    assert!(message.ends_with("places.mmdb, Sample-City of 1970-01-01"), "{message}");
    let file = program.directory.path().join("places.mmdb");
    std::fs::write(file, "no database").expect("the file is written");
    let (code, found) = places(&program);
    let [[status, _, message, _]] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((code, status.as_str()), (1, "error"));
    assert!(message.contains("places.mmdb` is no database of places: "), "{message}");
}

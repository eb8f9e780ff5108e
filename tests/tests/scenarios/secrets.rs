//! Secrets: one that nobody can mistake in every place for one, everything that goes wrong, and the
//! log at its most talkative. It is nowhere in what the program prints, writes or is called with.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sessionql_sandbox::{Answer as HttpAnswer, Fault, On, write_config};
use sessionql_tests::program::command;
use sessionql_tests::provider::{CANARY, Provider, ProviderWorld};

use crate::faults::at_once;
use crate::faults::kinds::{Kind, kinds};

/// Faults by which a server tells the host's secrets back.
fn echoes() -> Vec<(&'static str, Fault)> {
    let echo = |status: u16| {
        Fault::rewrite(move |request, _| {
            let headers: Vec<String> = request
                .headers
                .iter()
                .map(|(name, value)| {
                    format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
                })
                .collect();
            let body = serde_json::json!({ "message": format!("{CANARY} {}", headers.join(" ")) });
            HttpAnswer::json(status, &body)
        })
    };
    let page = Fault::rewrite(|request, _| {
        let key =
            request.headers.iter().map(|(_, value)| String::from_utf8_lossy(value.as_bytes()));
        HttpAnswer::html(200, &key.collect::<Vec<_>>().join(" "))
    });
    vec![
        ("echo in a 400", echo(400)),
        ("echo in a 401", echo(401)),
        ("echo in a 403", echo(403)),
        ("echo in a 500", echo(500)),
        ("echo in an answer", echo(200)),
        ("echo in a page", page),
    ]
}

/// Returns what must not be found: the secret in every form, and every credential that was sent.
fn forbidden(world: &ProviderWorld) -> BTreeSet<Vec<u8>> {
    let mut forbidden = BTreeSet::new();
    let sent = world.emulator.credentials();
    let values = sent.iter().map(|value| value.rsplit(' ').next().unwrap_or(value).to_owned());
    for secret in values.chain([CANARY.to_owned()]) {
        let quoted = serde_json::Value::from(secret.as_str()).to_string();
        forbidden.insert(quoted.trim_matches('"').as_bytes().to_vec());
        forbidden.insert(percent_encoded(&secret).into_bytes());
        forbidden.insert(secret.into_bytes());
    }
    forbidden
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Returns the contents of all files below a directory, but for the configuration.
fn files(directory: &Path) -> Vec<u8> {
    let mut contents = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the directory is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            contents.extend(files(&path));
        } else if !path.ends_with("config.toml") {
            contents.extend(path.to_string_lossy().bytes());
            contents.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    contents
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Runs the program on a world with a home of its own; returns all that it left behind.
fn traces(world: &ProviderWorld, arguments: &[&str]) -> Vec<u8> {
    let home = tempfile::tempdir().expect("a directory is made");
    let config = write_config(home.path(), &world.config).expect("the configuration is written");
    let mut command: Command = command(&config, &["--timeout", "3s"]);
    let output = command
        .args(["--log-level", "trace"])
        .args(arguments)
        .env("HOME", home.path())
        .env("XDG_STATE_HOME", home.path())
        .env("TMPDIR", home.path())
        .output()
        .expect("the program starts");
    assert!(output.status.code().is_some(), "{arguments:?}: {output:?}");
    let called: Vec<u8> = command
        .get_args()
        .flat_map(|argument| argument.to_string_lossy().into_owned().into_bytes())
        .collect();
    [output.stdout, output.stderr, called, files(home.path())].concat()
}

/// Everything that goes wrong, once and for good, in every format of the log.
fn nothing_is_told(provider: Provider) {
    let once = kinds(provider).into_iter().map(|(name, _, fault): Kind| (name, On::Data(1), fault));
    let echoed = echoes().into_iter().map(|(name, fault)| (name, On::DataFrom(1), fault));
    let cases: Vec<_> = once.chain(echoed).enumerate().collect();
    at_once(&cases, |(n, (name, on, fault))| {
        let world = provider.world("");
        world.emulator.faults().plan(on.clone(), fault.clone());
        let query = match n % 3 {
            0 => world.sql.to_owned(),
            1 => format!("EXPLAIN ANALYZE {}", world.sql),
            _ => format!("EXPLAIN {}; {}", world.sql, world.sql),
        };
        let log = ["text", "json"][n % 2];
        let format = ["csv", "json", "table"][n % 3];
        let arguments = ["--log-format", log, "--format", format, "-c", &query];
        let traces = traces(&world, &arguments);
        assert!(contains(&traces, b"run"), "{provider:?}, {name}: the log was written");
        for secret in forbidden(&world) {
            assert!(
                !contains(&traces, &secret),
                "{provider:?}, {name}: `{}` in\n{}",
                String::from_utf8_lossy(&secret),
                String::from_utf8_lossy(&traces),
            );
        }
    });
}

#[test]
fn no_secret_of_openvpn_is_told() {
    nothing_is_told(Provider::Openvpn);
}

#[test]
fn no_secret_of_formal_is_told() {
    nothing_is_told(Provider::Formal);
}

#[test]
fn no_secret_of_oam_is_told() {
    nothing_is_told(Provider::Oam);
}

#[test]
fn no_secret_of_ekran_is_told() {
    nothing_is_told(Provider::Ekran);
}

/// A secret that is refused because its file may be read by others, or that is not there.
#[test]
fn a_secret_that_cannot_be_had_is_not_told() {
    let world = Provider::Formal.world("");
    let home = tempfile::tempdir().expect("a directory is made");
    let config = home.path().join("config.toml");
    std::fs::write(&config, &world.config).expect("the configuration is written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&config, readable).expect("the mode is set");
    }
    let output = command(&config, &["-c", world.sql]).output().expect("the program starts");
    assert_ne!(output.status.code(), Some(0));
    assert!(!contains(&[output.stdout, output.stderr].concat(), CANARY.as_bytes()));
}

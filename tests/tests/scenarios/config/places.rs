//! Where configurations, files and plugins are looked for, and what the settings do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};
use sessionql_tests::plugin_directory;

use super::{Place, code, said, stdout};

#[test]
fn the_file_of_a_local_table_is_beside_the_configuration() {
    let place = Place::of("[tables.t]\npath = \"lists/t.csv\"\n");
    let missing = place.run("SELECT * FROM t", None);
    assert_eq!(
        place.stderr(&missing),
        "error: config.toml:1: local table `t`: the file `lists/t.csv` cannot be read: No such file or directory (os error 2)\n"
    );
    assert_eq!(code(&missing), 2);
    place.write("lists/t.csv", "id,note\n007,\n8,\"\"\n");
    let output = place.run("SELECT * FROM t", None);
    assert_eq!((code(&output), place.stderr(&output)), (0, String::new()));
    assert_eq!(stdout(&output), "id,note\n007,\n8,\"\"\n", "our output is what we read");
    place.write("lists/t.csv", "id,note\n007\n");
    let broken = place.run("SELECT * FROM t", None);
    assert_eq!(
        place.stderr(&broken),
        "error: lists/t.csv:2: local table `t`: the line has 1 field, the header has 2 fields\n"
    );
    assert_eq!((code(&broken), stdout(&broken)), (2, String::new()));
    assert_eq!(
        said("[tables.t]\npath = \"~/t.csv\"\n", "SELECT * FROM t", None),
        "1: local table `t`: the file `~/t.csv` cannot be read: No such file or directory (os error 2) | `~` is not expanded"
    );
}

/// A place whose connection is an emulator.
fn with_emulator(change: impl Fn(String) -> String) -> (Place, Sandbox) {
    let sandbox = Sandbox::start(SandboxOptions { seed: 1, clock: Clock::system() });
    let sandbox = sandbox.expect("the sandbox starts");
    let place = Place::of(&change(sandbox.config_toml()));
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(place.path("config.toml"), private).expect("the mode is changed");
    (place, sandbox)
}

#[test]
fn unchecked_certificates_are_warned_of_once_a_run() {
    let (place, _sandbox) =
        with_emulator(|toml| toml.replacen("client_id", "insecure_tls = true\nclient_id", 1));
    let two = "SELECT id FROM openvpn LIMIT 1; SELECT id FROM openvpn LIMIT 1";
    let output = place.run(two, None);
    assert_eq!(
        (code(&output), place.stderr(&output).as_str()),
        (0, "warning: connection `openvpn`: certificates are not checked (`insecure_tls`)\n")
    );
    let unused = place.run("SELECT 1", None);
    assert_eq!((code(&unused), place.stderr(&unused)), (0, String::new()));
}

#[test]
fn a_corrected_base_url_is_a_note() {
    let (place, sandbox) = with_emulator(|toml| {
        let end = toml.find("\"\nclient_id").expect("the base URL is before the client's id");
        format!("{}/api/beta{}", &toml[..end], &toml[end..])
    });
    let arguments = ["-c", "SELECT count(*) FROM openvpn SINCE 1d", "--format", "json", "--config"];
    let mut command = place.command(&arguments);
    command.arg(place.path("config.toml")).arg("--plugin-dir").arg(plugin_directory());
    let output = command.output().expect("the program starts");
    assert_eq!((code(&output), place.stderr(&output)), (0, String::new()));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let notes = json["meta"]["connections"][0]["notes"].to_string();
    assert!(notes.contains("`base_url` ends in `/api/beta`, which is taken off"), "{notes}");
    assert!(!sandbox.openvpn.data_requests().is_empty(), "and the requests arrive");
}

#[test]
fn the_configuration_is_found_in_order() {
    let zone = |name: &str| format!("[settings]\ntime_zone = \"{name}\"\n");
    let place = Place::of(&zone("Europe/Paris"));
    let show = |config: Option<&str>, variable: Option<&str>| {
        let mut command = place.command(&["-c", "SHOW time_zone"]);
        command.args(config.map(|name| format!("--config={}", place.path(name).display())));
        command.envs(variable.map(|name| ("SESSIONQL_CONFIG", place.path(name))));
        let output = command.output().expect("the program starts");
        match code(&output) {
            0 => stdout(&output).lines().nth(1).unwrap_or_default().to_owned(),
            code => format!("{code}: {}", place.stderr(&output).trim_end()),
        }
    };
    assert_eq!(show(None, None), "UTC", "no file is no error");
    place.write("sessionql/config.toml", &zone("Europe/Rome"));
    place.write("variable.toml", &zone("Europe/Oslo"));
    assert_eq!(show(None, None), "Europe/Rome");
    assert_eq!(show(None, Some("variable.toml")), "Europe/Oslo");
    assert_eq!(show(Some("config.toml"), Some("variable.toml")), "Europe/Paris");
    let missing = "2: error: none.toml: the configuration cannot be read: No such file or directory (os error 2)";
    assert_eq!(show(None, Some("none.toml")), missing);
    assert_eq!(show(Some("none.toml"), Some("variable.toml")), missing);
    let text = show(Some("sessionql"), None);
    assert!(text.starts_with("2: error: sessionql: the configuration cannot be read: "), "{text}");
}

#[test]
fn settings_have_their_effect() {
    let config =
        "[settings]\ntime_zone = \"Europe/Berlin\"\nmemory_limit = \"2MiB\"\ncache_ttl = \"0s\"\n";
    let place = Place::of(config);
    let rows = |sql: &str| stdout(&place.run(sql, None));
    assert_eq!(rows("SHOW time_zone"), "time_zone\nEurope/Berlin\n");
    assert_eq!(rows("SHOW memory_limit"), "memory_limit\n2097152B\n");
    assert_eq!(rows("SELECT TIMESTAMP '2026-07-01' AS t"), "t\n2026-06-30T22:00:00Z\n");
    let output = place.run("SELECT count(*) FROM generate_series(1, 3000000) a(x) JOIN generate_series(1, 3000000) b(y) ON x = y", None);
    let text = place.stderr(&output);
    assert!(text.contains("needs more memory than the limit of 2.1 MB"), "{text}");
    assert_eq!(code(&output), 3);
}

/// Copies a plugin's library into a directory of the place.
fn copy_plugin(place: &Place, directory: &str) -> PathBuf {
    let file = format!(
        "{}sessionql_minimal{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let target = place.path(directory).join(&file);
    fs::create_dir_all(place.path(directory)).expect("the directory is made");
    fs::copy(plugin_directory().join(&file), &target).expect("the library is copied");
    target
}

#[test]
fn plugins_are_found_in_order() {
    let place = Place::of("");
    let files = ["first", "second", "data/sessionql/plugins"].map(|name| copy_plugin(&place, name));
    let found = |arguments: &[&str], path: Option<&Path>| {
        let mut command = place.command(&["-c", "SHOW PLUGINS"]);
        let output = command.args(arguments).envs(path.map(|path| ("SESSIONQL_PLUGIN_PATH", path)));
        let output = stdout(&output.output().expect("the program starts"));
        let line = output.lines().find(|line| line.starts_with("minimal,"));
        files
            .iter()
            .position(|file| line.is_some_and(|line| line.contains(&*file.to_string_lossy())))
    };
    let (first, second) = (place.path("first"), place.path("second"));
    let flag = format!("--plugin-dir={}", first.display());
    assert_eq!(found(&[&flag], Some(&second)), Some(0), "the command line first");
    assert_eq!(found(&[], Some(&second)), Some(1), "then the variable");
    let both = std::env::join_paths([&second, &first]).expect("the paths can be joined");
    assert_eq!(found(&[], Some(Path::new(&both))), Some(1), "whose order counts");
    assert_eq!(found(&[], None), None, "the user's own come after those beside the program");
}

#[test]
fn a_plugin_that_others_could_have_written_is_refused() {
    let config = "[connections.acme]\nplugin = \"minimal\"\nbase_url = \"http://127.0.0.1:9\"\n";
    for is_directory in [false, true] {
        let place = Place::of(config);
        let file = copy_plugin(&place, "plugins");
        let open = if is_directory { place.path("plugins") } else { file };
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("the mode is changed");
        let mut command = place.command(&["-c", "SELECT * FROM acme"]);
        command.arg("--config").arg(place.path("config.toml"));
        command.arg("--plugin-dir").arg(place.path("plugins"));
        let output = command.output().expect("the program starts");
        let name = open.strip_prefix(place.directory.path()).expect("it is within").display();
        assert_eq!(
            place.stderr(&output),
            format!(
                "error: plugin `minimal` is refused: `{name}` is writable by everyone\n\
                 hint: a plugin and its directory must belong to you or to root\n"
            )
        );
        assert_eq!((code(&output), stdout(&output)), (5, String::new()));
    }
}

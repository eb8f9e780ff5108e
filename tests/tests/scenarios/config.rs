//! What the binary says of its configuration: every mistake with its place, exit code 2 and nothing
//! on stdout; and what is no mistake.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};
use sessionql_tests::{plugin_directory, program};

/// A connection that is right, of five lines; its secret is in the environment.
const VPN: &str = "[connections.vpn]\nplugin = \"openvpn\"\nbase_url = \"http://127.0.0.1:9\"\n\
                   client_id = \"reader\"\nclient_secret = { env = \"VPN_SECRET\" }\n";

/// A directory with a configuration, which is the home of the program too.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn of(config: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().expect("a directory is made") };
        place.write("config.toml", config);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("it is made");
        fs::write(path, text).expect("the file is written");
    }

    /// The program, which finds nothing of the user's own.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        let home = self.directory.path();
        command.args(arguments).env("NO_COLOR", "1").env("HOME", home);
        command.env("XDG_CONFIG_HOME", home).env("XDG_DATA_HOME", home.join("data"));
        command.env_remove("SESSIONQL_CONFIG").env_remove("SESSIONQL_PLUGIN_PATH");
        command.env_remove("VPN_SECRET");
        command
    }

    fn run(&self, sql: &str, secret: Option<&str>) -> Output {
        let mut command = self.command(&["-c", sql]);
        command.arg("--config").arg(self.path("config.toml"));
        command.arg("--plugin-dir").arg(plugin_directory());
        command.envs(secret.map(|secret| ("VPN_SECRET", secret)));
        command.output().expect("the program starts")
    }

    /// The text of stderr, without the directory.
    fn stderr(&self, output: &Output) -> String {
        let directory = format!("{}/", self.directory.path().display());
        String::from_utf8_lossy(&output.stderr).replace(&directory, "")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("the program ended by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// What a statement that must not run says of a configuration.
fn said(config: &str, sql: &str, secret: Option<&str>) -> String {
    let place = Place::of(config);
    let output = place.run(sql, secret);
    let text = place.stderr(&output);
    assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{config}{text}");
    text.trim_end().replace("\nhint: ", " | ").replacen("error: config.toml:", "", 1)
}

/// Each configuration is wrong as such, whatever is asked.
fn wrong(cases: &[(&str, &str)]) {
    for (config, expected) in cases {
        assert_eq!(said(config, "SELECT 1", None), *expected, "{config}");
    }
}

/// Each line is wrong as the sixth of the connection `vpn`, whatever is asked.
fn wrong_lines(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let config = format!("{VPN}{line}\n");
        assert_eq!(said(&config, "SELECT 1", None), *expected, "{line}");
    }
}

/// Each replacement in the connection `vpn` is wrong when the connection is used, and only then.
fn wrong_when_used(cases: &[(&str, &str, &str)]) {
    for (old, new, expected) in cases {
        let config = VPN.replacen(old, new, 1);
        assert_ne!(config, VPN, "{old}");
        assert_eq!(said(&config, "SELECT id FROM vpn", Some("hush")), *expected, "{new}");
        let place = Place::of(&config);
        let unused = place.run("SELECT 1 AS a", None);
        assert_eq!((code(&unused), stdout(&unused)), (0, "a\n1\n".to_owned()), "{new}");
        assert_eq!(place.stderr(&unused), "", "{new}");
    }
}

#[test]
fn unknown_keys_and_sections() {
    wrong(&[
        (
            "[conections.a]\n",
            "1: the configuration has no key `conections` | did you mean `connections`?",
        ),
        (
            "x = 1\n",
            "1: the configuration has no key `x` | its keys are `connections`, `tables`, `settings`",
        ),
        ("\n[setings]\n", "2: the configuration has no key `setings` | did you mean `settings`?"),
        ("connections = 1\n", "1: `connections` must be a table"),
        ("[connections]\na = 1\n", "2: `connections.a` must be a table"),
        ("settings = 1\n", "1: `settings` must be a table"),
        ("[tables]\nt = \"a.csv\"\n", "2: `tables.t` must be a table"),
        (
            "[settings]\ntimezone = \"UTC\"\n",
            "2: `[settings]` has no key `timezone` | did you mean `time_zone`?",
        ),
        (
            "[tables.t]\npath = \"a.csv\"\ncolums = {}\n",
            "3: local table `t` has no key `colums` | did you mean `columns`?",
        ),
    ]);
    wrong_lines(&[(
        "rate_limit = { burst = 20, refill = 1, every = \"15s\" }",
        "6: `rate_limit` has no key `every` | its keys are `burst`, `refill`, `per`",
    )]);
}

#[test]
fn text_that_is_no_toml() {
    wrong(&[
        ("[connections.a\n", "1: not TOML: unclosed table, expected `]`"),
        ("[connections.a]\n[connections.a]\n", "2: not TOML: duplicate key"),
        ("[connections.a]\nplugin = \"x\"\nplugin = \"y\"\n", "3: not TOML: duplicate key"),
    ]);
}

#[test]
fn names() {
    const HINT: &str = "names are lower-case letters, digits and `_`, and begin with no digit";
    for (header, what) in [
        ("[connections.Vpn]", "`Vpn` cannot name a connection"),
        ("[connections.\"vpn-eu\"]", "`vpn-eu` cannot name a connection"),
        ("[connections.1a]", "`1a` cannot name a connection"),
        ("[tables.A]", "`A` cannot name a table"),
    ] {
        assert_eq!(said(&format!("{header}\n"), "SELECT 1", None), format!("1: {what} | {HINT}"));
    }
    wrong(&[
        ("[connections.sessions]\n", "1: `sessions` is reserved and cannot name a connection"),
        ("[connections._]\n", "1: `_` is reserved and cannot name a connection"),
        (
            "[tables.information_schema]\n",
            "1: `information_schema` is reserved and cannot name a table",
        ),
        (
            "[connections.a]\nplugin = \"x\"\n[tables.a]\npath = \"a.csv\"\n",
            "3: `a` names a connection and a table: the other is on line 1",
        ),
        (
            "[tables.a]\npath = \"a.csv\"\n[connections.a]\nplugin = \"x\"\n",
            "3: `a` names a connection and a table: the other is on line 1",
        ),
    ]);
}

#[test]
fn keys_of_a_connection() {
    wrong(&[
        (
            "[connections.vpn]\n",
            "1: connection `vpn` has no `plugin` | name the provider, such as `plugin = \"openvpn\"`",
        ),
        (
            "[connections.vpn]\nplugin = \"../evil\"\n",
            "2: connection `vpn`: `../evil` is not a plugin's name",
        ),
        ("[connections.vpn]\nplugin = 1\n", "2: `plugin` must be text"),
    ]);
    wrong_lines(&[
        ("accept = \"history\"", "6: `accept` must be a list of text"),
        (
            "accept = [\"late\"]",
            "6: connection `vpn`: `accept` names `late`, which is no gap | gaps are `capped`, `history`, `clamped`, `budget`",
        ),
        (
            "accept = [\"auth\"]",
            "6: connection `vpn`: `accept` names `auth`, which is no gap | gaps are `capped`, `history`, `clamped`, `budget`",
        ),
        ("in_sessions = \"no\"", "6: `in_sessions` must be `true` or `false`"),
        ("insecure_tls = 1", "6: `insecure_tls` must be `true` or `false`"),
        ("allow_http = \"yes\"", "6: `allow_http` must be `true` or `false`"),
        ("ca_file = true", "6: `ca_file` must be text"),
        ("token_url = 1", "6: `token_url` must be text"),
        ("timeout = 20", "6: `timeout` must be a duration such as `\"60s\"`"),
        (
            "timeout = \"20\"",
            "6: `timeout`: `20` is not a duration | write it like `90s`, `15m` or `1h30m`",
        ),
        (
            "timeout = \"1.5h\"",
            "6: `timeout`: `1.5h` is not a duration | write it like `90s`, `15m` or `1h30m`",
        ),
        ("timeout = \"0s\"", "6: `timeout` must be above 0"),
        ("max_concurrency = 0", "6: `max_concurrency` must be a whole number above 0"),
        ("max_concurrency = \"4\"", "6: `max_concurrency` must be a whole number above 0"),
        ("rate_limit = 5", "6: `rate_limit` must be a table"),
        (
            "rate_limit = { burst = 20 }",
            "6: `rate_limit` needs `burst`, `refill` and `per` | such as `{ burst = 20, refill = 1, per = \"15s\" }`",
        ),
        (
            "rate_limit = { burst = 0, refill = 1, per = \"15s\" }",
            "6: `burst` must be a whole number above 0",
        ),
        ("rate_limit = { burst = 1, refill = 1, per = \"0s\" }", "6: `per` must be above 0"),
        ("user_case = \"ignore\"", "6: `user_case` is not available yet"),
        (
            "token = { envv = \"X\" }",
            "6: `token`: a reference is `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
        (
            "token = { env = \"A\", file = \"b\" }",
            "6: `token`: a reference is `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ),
    ]);
}

#[test]
fn settings() {
    wrong(&[
        (
            "[settings]\ntime_zone = \"Europe/Berln\"\n",
            "2: `time_zone`: no time zone `Europe/Berln` | did you mean `Europe/Berlin`?",
        ),
        (
            "[settings]\ntime_zone = \"Moonbase\"\n",
            "2: `time_zone`: no time zone `Moonbase` | zones are named like `UTC` or `Europe/Berlin`",
        ),
        ("[settings]\ntime_zone = 1\n", "2: `time_zone` must be text"),
        (
            "[settings]\nmemory_limit = \"lots\"\n",
            "2: `memory_limit`: `lots` is not a size | write a number with KB, MB or GB, such as `512MB`",
        ),
        (
            "[settings]\nmemory_limit = \"0MB\"\n",
            "2: `memory_limit`: `0MB` is not a size | write a number with KB, MB or GB, such as `512MB`",
        ),
        ("[settings]\nmemory_limit = 5\n", "2: `memory_limit` must be text"),
        (
            "[settings]\ncache_ttl = \"later\"\n",
            "2: `cache_ttl`: `later` is not a duration | write it like `90s`, `15m` or `1h30m`",
        ),
    ]);
}

#[test]
fn keys_of_a_local_table() {
    const FORMATS: &str = "formats are `csv`, `jsonl` and `parquet`; files end in `.csv`, `.jsonl`, `.ndjson` or `.parquet`, or `format` says it";
    for (keys, what) in [
        ("path = \"a.xls\"", "2: local table `t`: the ending of `a.xls` tells no format"),
        ("path = \"a\"", "2: local table `t`: the ending of `a` tells no format"),
        ("path = \"a.csv\"\nformat = \"tsv\"", "3: local table `t`: `format`: no format `tsv`"),
    ] {
        let config = format!("[tables.t]\n{keys}\n");
        assert_eq!(said(&config, "SELECT 1", None), format!("{what} | {FORMATS}"));
    }
    for (line, expected) in [
        (
            "",
            "1: local table `t` has no `path` | name its file, such as `path = \"watchlist.csv\"`",
        ),
        (
            "path = \"a.csv\"\ndelimiter = \"ab\"",
            "3: local table `t`: `delimiter` must be one ASCII character | such as `delimiter = \";\"` or `delimiter = \"\\t\"`",
        ),
        (
            "path = \"a.jsonl\"\ndelimiter = \";\"",
            "3: local table `t`: `delimiter` has no meaning for jsonl",
        ),
        ("path = \"a.csv\"\ntime = \"began\"", "3: `time` must be a table"),
        (
            "path = \"a.csv\"\ntime = { start = \"a\" }",
            "3: local table `t`: `time` needs `start` and `end` | such as `time = { start = \"began\", end = \"ended\" }`",
        ),
        (
            "path = \"a.csv\"\ntime = { start = \"a\", end = \"a\" }",
            "3: local table `t`: `time` names one column as `start` and as `end`",
        ),
        (
            "path = \"a.csv\"\ntime = { start = \"a\", stop = \"b\" }",
            "3: `time` of local table `t` has no key `stop` | its keys are `start`, `end`",
        ),
        (
            "path = \"a.csv\"\ncolumns = { a = \"string\" }",
            "3: local table `t`: column `a`: no type `string` | types are `text`, `int64`, `float64`, `bool`, `timestamp`, `duration`, `list<text>`, `json`",
        ),
        (
            "path = \"a.csv\"\ncolumns = { a = \"txt\" }",
            "3: local table `t`: column `a`: no type `txt` | did you mean `text`?",
        ),
        (
            "path = \"a.csv\"\ntime = { start = \"a\", end = \"b\" }\ncolumns = { a = \"text\" }",
            "4: local table `t`: `a` is a time column, and those are `timestamp`",
        ),
        (
            "path = \"a.csv\"\ntime_zone = \"Moonbase\"",
            "3: `time_zone`: no time zone `Moonbase` | zones are named like `UTC` or `Europe/Berlin`",
        ),
    ] {
        assert_eq!(said(&format!("[tables.t]\n{line}\n"), "SELECT 1", None), expected, "{line}");
    }
}

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

#[test]
fn options_of_the_plugin() {
    const SECRET: &str = "client_secret = { env = \"VPN_SECRET\" }";
    wrong_when_used(&[
        (
            "client_id = \"reader\"\n",
            "",
            "1: connection `vpn`: option `client_id` is needed and not set | `client_id`: Id of the API credentials.",
        ),
        ("\"reader\"", "5", "4: connection `vpn`: option `client_id` must be text"),
        (
            "client_secret",
            "client_secrte",
            "5: connection `vpn`: plugin `openvpn` has no option `client_secrte`; option `client_secret` is needed and not set | did you mean `client_secret`?",
        ),
        (
            "client_id",
            "timeot = \"5s\"\nclient_id",
            "4: connection `vpn`: plugin `openvpn` has no option `timeot` | did you mean `timeout`?",
        ),
        (
            SECRET,
            "client_secret = \"hush\"",
            "5: connection `vpn`: option `client_secret` is a secret in a file that others can read | write `client_secret = { env = \"…\" }` or `{ file = \"…\" }`, or give the file mode 0600",
        ),
        (
            "VPN_SECRET",
            "OTHER_SECRET",
            "5: connection `vpn`: option `client_secret`: the environment variable `OTHER_SECRET` is not set",
        ),
        (
            SECRET,
            "client_secret = { file = \"no-such-secret\" }",
            "5: connection `vpn`: option `client_secret`: the file `no-such-secret` cannot be read: No such file or directory (os error 2)",
        ),
    ]);
}

#[test]
fn where_requests_go() {
    const URL: &str = "http://127.0.0.1:9";
    let plain = "sends credentials to `vpn.example.com` over plain http | use https, or set `allow_http = true` if the network is trusted";
    wrong_when_used(&[
        (URL, "http://vpn.example.com", &format!("3: connection `vpn`: option `base_url` {plain}")),
        (
            URL,
            "ftp://vpn.example.com",
            "3: connection `vpn`: option `base_url` has the scheme `ftp`, but only http and https are spoken",
        ),
        (
            URL,
            "https://a:b@vpn.example.com",
            "3: connection `vpn`: option `base_url` contains a user name or a password, which belong in options of their own",
        ),
        (
            URL,
            "https://vpn.example.com/?a=1",
            "3: connection `vpn`: option `base_url` has a query or a fragment, which it may not have",
        ),
        ("base_url = \"http://127.0.0.1:9\"\n", "", "1: connection `vpn`: no `base_url` is set"),
        (
            "client_id",
            "token_url = \"http://vpn.example.com/\"\nclient_id",
            &format!("4: connection `vpn`: option `token_url` {plain}"),
        ),
        (
            "client_id",
            "proxy = \"nonsense\"\nclient_id",
            "4: connection `vpn`: option `proxy` is not the URL of an HTTP proxy | write it like `http://proxy.example.com:3128`",
        ),
        (
            "client_id",
            "proxy = \"proxy.example.com:3128\"\nclient_id",
            "4: connection `vpn`: option `proxy` is not the URL of an HTTP proxy | write it like `http://proxy.example.com:3128`",
        ),
    ]);
}

#[test]
fn files_of_tls() {
    let https = |key: &str| format!("https://127.0.0.1:9\"\n{key}\nclient_id = \"reader");
    let url = "http://127.0.0.1:9\"\nclient_id = \"reader";
    for (key, expected) in [
        (
            "ca_file = \"no.pem\"",
            "4: connection `vpn`: option `ca_file` names `no.pem`, which cannot be read: No such file or directory (os error 2)",
        ),
        (
            "ca_file = \"config.toml\"",
            "4: connection `vpn`: option `ca_file` names a file without PEM certificates",
        ),
        (
            "client_cert = \"no.pem\"",
            "4: connection `vpn`: option `client_cert` names `no.pem`, which cannot be read: No such file or directory (os error 2)",
        ),
        (
            "client_cert = \"config.toml\"",
            "4: connection `vpn`: option `client_cert` and `client_key` name no PEM certificate with its private key",
        ),
        (
            "client_key = \"config.toml\"",
            "4: connection `vpn`: option `client_key` is set, but `client_cert` is not",
        ),
    ] {
        wrong_when_used(&[(url, &https(key), expected)]);
    }
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
    let (place, _sandbox) = with_emulator(|toml| format!("{toml}insecure_tls = true\n"));
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
    let arguments = ["-c", "SELECT id FROM openvpn LIMIT 1", "--format", "json", "--config"];
    let mut command = place.command(&arguments);
    command.arg(place.path("config.toml")).arg("--plugin-dir").arg(plugin_directory());
    let output = command.output().expect("the program starts");
    assert_eq!((code(&output), place.stderr(&output)), (0, String::new()));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    let notes = json["meta"]["connections"][0]["notes"].to_string();
    assert!(notes.contains("`base_url` ends in `/api/beta`, which is taken off"), "{notes}");
    assert_eq!(sandbox.openvpn.data_requests().len(), 1);
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

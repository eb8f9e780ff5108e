//! What the binary says of its configuration: every mistake with its place, exit code 2 and nothing
//! on stdout; and what is no mistake.

mod keys;
mod places;
mod used;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use sessionql_tests::program::{code, stdout};
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

/// What a statement that must not run says of a configuration.
fn said(config: &str, sql: &str, secret: Option<&str>) -> String {
    let place = Place::of(config);
    let output = place.run(sql, secret);
    let text = place.stderr(&output);
    assert_eq!((code(&output), stdout(&output)), (2, String::new()), "{config}{text}");
    text.trim_end().replace("\nhint: ", " | ").replacen("error: config.toml:", "", 1)
}

//! The binary on the sandbox: a directory with a configuration, and emulators that it names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};

use crate::{plugin_directory, program};

/// Emulators of all providers, and a configuration for them.
pub struct Program {
    /// The emulators.
    pub sandbox: Sandbox,
    /// Where `config.toml` is.
    pub directory: tempfile::TempDir,
}

impl Program {
    /// Starts the emulators with the sample data.
    ///
    /// # Panics
    /// If they do not start.
    pub fn new() -> Self {
        let options = SandboxOptions { seed: 1, clock: Clock::system() };
        let sandbox = Sandbox::start(options).expect("the sandbox starts");
        let directory = tempfile::tempdir().expect("a directory is made");
        sandbox.write_config(directory.path()).expect("the configuration is written");
        Self { sandbox, directory }
    }

    /// Returns the path of the configuration.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    /// Changes the text of the configuration.
    ///
    /// # Panics
    /// If it cannot be read or written.
    pub fn rewrite_config(&self, change: impl Fn(String) -> String) {
        let text = std::fs::read_to_string(self.config()).expect("the configuration is there");
        std::fs::write(self.config(), change(text)).expect("the configuration is written");
    }

    /// Runs the binary with the configuration and these arguments.
    ///
    /// # Panics
    /// If it does not start.
    pub fn run(&self, arguments: &[&str]) -> Output {
        command(&self.config(), arguments).output().expect("the program starts")
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the binary with a configuration and arguments, and without what the environment adds.
pub fn command(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("--plugin-dir").arg(plugin_directory()).arg("--config").arg(config);
    command.args(arguments).env_remove("SESSIONQL_CONFIG").env("NO_COLOR", "1");
    command
}

/// Returns what a program printed on standard output.
///
/// # Panics
/// If it is no UTF-8.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// Returns what a program printed on standard error.
///
/// # Panics
/// If it is no UTF-8.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

/// Returns a program's exit code.
///
/// # Panics
/// If a signal ended it.
pub fn code(output: &Output) -> i32 {
    output.status.code().expect("the program ended by itself")
}

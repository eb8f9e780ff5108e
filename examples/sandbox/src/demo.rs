//! `cargo demo`: starts the sandbox on loopback and runs the program connected to it.
//! Arguments after `--` go to the program, so `cargo demo -- -c "SELECT …"` runs a query and exits.

use std::ffi::OsString;
use std::process::ExitCode;

// Builds the plugins' libraries where the program finds them.
use sessionql_ekran as _;
use sessionql_formal as _;
use sessionql_oam as _;
use sessionql_openvpn as _;
use sessionql_sandbox::{Clock, Sandbox, SandboxOptions};

/// The seed of the sample data: the same people and sessions on every run, up to the clock.
const SEED: u64 = 7;

#[expect(clippy::print_stderr, reason = "the demo has no other way to say that it cannot start")]
fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if sessionql::is_plugin_host(&arguments) {
        return sessionql::main(arguments);
    }
    let options = SandboxOptions { seed: SEED, clock: Clock::system() };
    let started = Sandbox::start(options).and_then(|sandbox| {
        let directory = tempfile::tempdir()?;
        let config = sandbox.write_config(directory.path())?;
        Ok((sandbox, directory, config))
    });
    // The sandbox and the directory live until the program has ended.
    let (_sandbox, _directory, config) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("error: the sandbox cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    arguments.extend([OsString::from("--config"), config.into_os_string()]);
    sessionql::main(arguments)
}

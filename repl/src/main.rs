//! The `sessionql` program; everything is in the library, so that other programs can start it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessionql::main(std::env::args_os())
}

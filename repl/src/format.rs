//! Writes query files in the canonical style: what `sessionql fmt` does.
//! In: files. Out: the same files, or the names of those that would change. A file that does not
//! parse stays as it is, and so does one that is right already, times included.

use std::io::{self, Write as _};
use std::path::Path;

use sessionql_core::Error;

use crate::cli::FmtArguments;
use crate::exit::Exit;
use crate::output::Output;
use crate::report::{Kind, Report, Reporter};
use crate::script::{self, Script};
use crate::usage::Refusal;

/// Formats all files, also behind one that is wrong.
pub(crate) fn run(arguments: &FmtArguments, reporter: Reporter) -> Exit {
    let files = arguments.files.iter().map(|file| match format(file, arguments.check) {
        Ok(exit) => exit,
        Err((report, exit)) => {
            reporter.show(&report);
            exit
        }
    });
    files.max().unwrap_or(Exit::Success)
}

/// Formats one file.
fn format(file: &Path, is_check: bool) -> Result<Exit, (Report, Exit)> {
    let refused = |refusal: Refusal| (Report::from(refusal), Exit::Input);
    let script = script::read(file).map_err(refused)?;
    let formatted = sessionql_grammar::format(&script.text).map_err(|error| {
        let error = Error::from(error);
        (Report::error(&error, Some(&script)), Exit::of(&error, false))
    })?;
    let is_changed = formatted != script.text;
    let failed = |error: io::Error| {
        let message = format!("{} cannot be written: {error}", name(&script));
        (Report::new(Kind::Error, message), Exit::Failed)
    };
    if is_check {
        if is_changed {
            print(&format!("{}\n", script.name.as_deref().unwrap_or("-"))).map_err(failed)?;
        }
        return Ok(if is_changed { Exit::Unexpected } else { Exit::Success });
    }
    if script.name.is_none() {
        print(&formatted).map_err(failed)?;
    } else if is_changed {
        refuse_read_only(file).map_err(refused)?;
        let mut output = Output::file(file).map_err(refused)?;
        output.write_all(formatted.as_bytes()).map_err(failed)?;
        output.finish(Exit::Success).map_err(failed)?;
    }
    Ok(Exit::Success)
}

/// Refuses a file that may not be written, for replacing it would need no leave.
fn refuse_read_only(file: &Path) -> Result<(), Refusal> {
    let is_read_only =
        std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().readonly());
    if is_read_only {
        return Err(Refusal::new(format!("`{}` is read-only", file.display())));
    }
    Ok(())
}

fn name(script: &Script) -> String {
    script.name.as_ref().map_or_else(|| "standard output".to_owned(), |name| format!("`{name}`"))
}

/// Writes to standard output; who closes it has read enough.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

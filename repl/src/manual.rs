//! The manual page and the completions of shells, made of the definition of the command line.

use std::io::{self, Write as _};

use clap_mangen::Man;

use crate::cli;
use crate::exit::Exit;
use crate::report::Reporter;
use crate::usage::Refusal;

/// Returns the completions of a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "sessionql", &mut text);
    text
}

/// Returns the manual page, in the language of `man`.
pub(crate) fn page() -> Vec<u8> {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _written = write_page(&mut page);
    page
}

fn write_page(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = cli::command();
    command.build();
    let after_help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let own = Man::new(command.clone().after_help("")).manual("SessionQL");
    own.render_title(page)?;
    own.render_name_section(page)?;
    own.render_synopsis_section(page)?;
    own.render_description_section(page)?;
    own.render_options_section(page)?;
    writeln!(page, ".SH COMMANDS")?;
    for (name, task) in tasks(&command) {
        // The options that all commands share are told above.
        let hidden = task.clone().mut_args(|argument| {
            let is_global = argument.is_global_set();
            argument.hide(is_global)
        });
        let man = Man::new(hidden);
        let mut section = Vec::new();
        man.render_synopsis_section(&mut section)?;
        man.render_description_section(&mut section)?;
        man.render_options_section(&mut section)?;
        let section = String::from_utf8_lossy(&section);
        writeln!(page, ".SS {name}")?;
        for line in section.lines() {
            match line {
                ".SH SYNOPSIS" => {}
                ".SH DESCRIPTION" | ".SH OPTIONS" => writeln!(page, ".PP")?,
                line => writeln!(page, "{line}")?,
            }
        }
    }
    writeln!(page, ".SH NOTES\n.nf")?;
    for line in after_help.lines() {
        // A line that begins with a dot or a quote would be a request.
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        writeln!(page, "{guard}{line}")?;
    }
    writeln!(page, ".fi")
}

/// Returns the tasks with what asks for them, those of a group one by one.
fn tasks(command: &clap::Command) -> Vec<(String, &clap::Command)> {
    let mut tasks = Vec::new();
    for task in command.get_subcommands().filter(|task| task.get_name() != "help") {
        if task.has_subcommands() {
            let of_group = self::tasks(task).into_iter();
            tasks.extend(of_group.map(|(name, of)| (format!("{} {name}", task.get_name()), of)));
        } else {
            tasks.push((task.get_name().to_owned(), task));
        }
    }
    tasks
}

/// Prints a text; who closes the pipe has read enough of it.
pub(crate) fn print(text: &[u8], reporter: Reporter) -> Exit {
    match io::stdout().write_all(text).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let refusal = Refusal::new(format!("the text cannot be written: {error}"));
            reporter.show(&refusal.into());
            Exit::Failed
        }
        _ => Exit::Success,
    }
}

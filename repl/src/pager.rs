//! The screen of the prompt: rows go to it as they are, or through a pager if they do not fit.
//! In: bytes. Out: the same bytes on stdout or to the pager's input. What is written is held until it
//! is known which; a pager that cannot be started is told of once, and the rows are printed.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use unicode_width::UnicodeWidthChar as _;

use crate::environment;
use crate::output::Destination;
use crate::report::{Kind, Report, Reporter};

/// How the pager is started if the environment names none: colours pass, long lines are not broken.
const USUAL: &str = "less -RS";

/// What a line of the prompt below the rows takes.
const N_PROMPT_LINES: usize = 2;

/// Rows on their way to the screen.
pub(crate) struct Screen {
    state: State,
    /// The command, unless there is to be no pager.
    pager: Option<String>,
    width: usize,
    height: usize,
    n_lines: usize,
    column: usize,
    reporter: Reporter,
}

enum State {
    /// It fits so far.
    Held(Vec<u8>),
    /// Straight to stdout.
    Printed,
    /// To the pager.
    Paged(Child),
}

impl Screen {
    /// Returns the screen; rows go through a pager only if `uses_pager`.
    pub(crate) fn new(uses_pager: bool, reporter: Reporter) -> Self {
        let size = environment::screen_size().filter(|_| uses_pager && environment::moves_cursor());
        let (width, height) = size.unwrap_or_default();
        let pager = size.and_then(|_| {
            let named = environment::variable("PAGER").unwrap_or_else(|| USUAL.to_owned());
            // Who names `cat` wants none.
            (program(&named) != Some("cat")).then_some(named)
        });
        let state = if pager.is_some() { State::Held(Vec::new()) } else { State::Printed };
        Self { state, pager, width, height, n_lines: 0, column: 0, reporter }
    }

    /// Tells whether colours would come out of the pager as they are.
    pub(crate) fn takes_colour(&self) -> bool {
        let program = self.pager.as_deref().and_then(program);
        program.is_none_or(|program| program == "less" || program == "bat")
    }

    /// Counts the lines that some bytes take on the screen, and tells whether they still fit.
    fn fits(&mut self, bytes: &[u8]) -> bool {
        let mut is_escape = false;
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '\n' => {
                    self.n_lines += 1;
                    self.column = 0;
                }
                '\x1b' => is_escape = true,
                letter if is_escape => is_escape = !letter.is_ascii_alphabetic(),
                other => self.column += other.width().unwrap_or_default(),
            }
            if self.column > self.width {
                self.n_lines += 1;
                self.column = 0;
            }
        }
        self.n_lines + N_PROMPT_LINES <= self.height
    }

    /// Starts the pager, and hands over what is held.
    fn open(&mut self) -> io::Result<()> {
        let State::Held(held) = std::mem::replace(&mut self.state, State::Printed) else {
            return Ok(());
        };
        let Some(pager) = self.pager.as_deref() else { return write_stdout(&held) };
        match start(pager) {
            Ok(child) => {
                self.state = State::Paged(child);
                self.write_all(&held)
            }
            Err(error) => {
                let message = format!("the pager `{pager}` cannot be started: {error}");
                let hint = r"`PAGER` names another one; `\set pager off` does without".to_owned();
                self.reporter.show(&Report::new(Kind::Note, message).with_hint(Some(hint)));
                write_stdout(&held)
            }
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if matches!(self.state, State::Held(_)) {
            if self.fits(bytes) {
                if let State::Held(held) = &mut self.state {
                    held.extend_from_slice(bytes);
                }
                return Ok(bytes.len());
            }
            self.open()?;
        }
        match &mut self.state {
            State::Paged(child) => match &mut child.stdin {
                Some(input) => input.write(bytes),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
            _ => io::stdout().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Held(_) => Ok(()),
            State::Printed => io::stdout().flush(),
            State::Paged(child) => child.stdin.as_mut().map_or(Ok(()), Write::flush),
        }
    }
}

impl Destination for Screen {
    fn end(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Printed) {
            State::Held(held) => write_stdout(&held),
            State::Printed => io::stdout().flush(),
            State::Paged(mut child) => {
                // Closing its input tells the pager that all is there; its user ends it.
                drop(child.stdin.take());
                child.wait().map(drop)
            }
        }
    }

    fn owns_terminal(&self) -> bool {
        matches!(self.state, State::Paged(_))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A statement that failed may have left a pager; the prompt waits for its end.
        let _ended = self.end();
    }
}

fn write_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Returns the name of the program that a command starts.
fn program(command: &str) -> Option<&str> {
    let program = command.split_whitespace().next()?;
    Path::new(program).file_name().and_then(OsStr::to_str)
}

/// Starts a command with words apart at spaces; a shell is not asked.
fn start(command: &str) -> io::Result<Child> {
    let mut words = command.split_whitespace();
    let program = words.next().ok_or(io::ErrorKind::NotFound)?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    if environment::variable("LESS").is_none() {
        command.env("LESS", "RS");
    }
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: usize, height: usize) -> Screen {
        Screen {
            state: State::Held(Vec::new()),
            pager: None,
            width,
            height,
            n_lines: 0,
            column: 0,
            reporter: Reporter::new(),
        }
    }

    #[test]
    fn lines_are_counted_as_the_screen_shows_them() {
        assert!(screen(10, 5).fits(b"one\ntwo\nthree\n"));
        assert!(!screen(10, 5).fits(b"one\ntwo\nthree\nfour\n"));
        assert!(!screen(4, 5).fits(b"one\ntwo\nthree\nfour"));
        assert!(screen(4, 5).fits("\x1b[1mfour\x1b[0m\n漢字\nabc\n".as_bytes()));
    }

    #[test]
    fn a_command_has_a_program() {
        assert_eq!(program("/usr/bin/less -R"), Some("less"));
        assert_eq!(program(""), None);
    }

    #[test]
    fn a_pager_that_is_not_there_is_an_error() {
        assert!(start("no-such-pager-at-all -x").is_err());
    }
}

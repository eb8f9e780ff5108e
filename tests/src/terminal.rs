//! The binary in a pseudo terminal, as a person sees it.
//! In: keys. Out: the screen as lines of text, and the colours of its cells. Nothing here waits for
//! a fixed time: what is waited for is seen on the screen, or [`PATIENCE`] ends the test.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{Color, Parser};

use crate::program::Program;
use crate::{PATIENCE, plugin_directory, program};

/// Ctrl-C.
pub const CTRL_C: &str = "\x03";
/// Ctrl-D.
pub const CTRL_D: &str = "\x04";
/// Ctrl-R, which searches the history.
pub const CTRL_R: &str = "\x12";
/// The tabulator.
pub const TAB: &str = "\t";
/// The return key.
pub const ENTER: &str = "\r";
/// The arrow keys.
pub const UP: &str = "\x1b[A";
/// The arrow down.
pub const DOWN: &str = "\x1b[B";
/// The arrow to the right.
pub const RIGHT: &str = "\x1b[C";
/// The arrow to the left.
pub const LEFT: &str = "\x1b[D";
/// The key for the begin of the line.
pub const HOME: &str = "\x1b[H";
/// The key for the end of the line.
pub const END: &str = "\x1b[F";

/// How many lines that have left the screen are kept.
const N_LINES_ABOVE: usize = 1_000;

/// What a terminal is started with.
pub struct TerminalOptions {
    /// Rows of the screen.
    pub n_rows: u16,
    /// Columns of the screen.
    pub n_columns: u16,
    /// Arguments after those that every test needs.
    pub arguments: Vec<String>,
    /// Variables of the environment, beside those that every test needs.
    pub environment: Vec<(String, String)>,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self { n_rows: 24, n_columns: 80, arguments: Vec::new(), environment: Vec::new() }
    }
}

impl TerminalOptions {
    /// Adds arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the size.
    #[must_use]
    pub fn size(mut self, n_rows: u16, n_columns: u16) -> Self {
        (self.n_rows, self.n_columns) = (n_rows, n_columns);
        self
    }
}

/// A terminal with the binary in it.
pub struct Terminal {
    shown: Arc<Shown>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// What the screen shows, as the thread that reads it has seen.
struct Shown {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: Parser,
    /// How many times the program has begun to read keys. It turns bracketed paste on when it does.
    n_prompts: usize,
    /// Whether there is nobody at the other end any more.
    is_over: bool,
}

impl Terminal {
    /// Runs the binary on a sandbox in a terminal of 24 rows and 80 columns, and waits for its
    /// first prompt.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(program: &Program) -> Self {
        Self::with(program, &TerminalOptions::default())
    }

    /// Does so in a terminal of one's own liking. Its history and everything else that the program
    /// keeps are in the sandbox's directory, so that a second terminal finds what the first left.
    ///
    /// # Panics
    /// If there is no prompt.
    pub fn with(program: &Program, options: &TerminalOptions) -> Self {
        let terminal = Self::start(&program.config(), program.directory.path(), options);
        terminal.wait_for_prompts(1);
        terminal
    }

    /// Runs the binary with a configuration; `home` is the home directory. Waits for nothing.
    ///
    /// # Panics
    /// If the system gives no terminal.
    pub fn start(config: &Path, home: &Path, options: &TerminalOptions) -> Self {
        let TerminalOptions { n_rows, n_columns, arguments, environment } = options;
        let size = PtySize { rows: *n_rows, cols: *n_columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("the system has terminals");
        let mut command = CommandBuilder::new(program());
        command.arg("--plugin-dir");
        command.arg(plugin_directory());
        command.arg("--config");
        command.arg(config);
        command.args(arguments);
        command.cwd(home);
        for name in ["SESSIONQL_CONFIG", "NO_COLOR", "COLUMNS", "VISUAL", "EDITOR", "PAGER"] {
            command.env_remove(name);
        }
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env(name, home.join(name.to_lowercase()));
        }
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        // The last end of the program's side: when the program ends, so does what is read.
        drop(pair.slave);
        let master = pair.master;
        let (n_rows, n_columns) = (size_of(*n_rows), size_of(*n_columns));
        let parser = Parser::new(n_rows, n_columns, N_LINES_ABOVE);
        let state = Mutex::new(State { parser, n_prompts: 0, is_over: false });
        let shown = Arc::new(Shown { state, changed: Condvar::new() });
        let output = master.try_clone_reader().expect("a terminal can be read");
        let seen = Arc::clone(&shown);
        let _reader = std::thread::spawn(move || seen.read(output));
        let keys = master.take_writer().expect("a terminal can be written to");
        Self { shown, keys, child, master }
    }

    /// Presses keys.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn send(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// Types a text and the return key; waits until the program asks for the next one, and returns
    /// the screen.
    ///
    /// # Panics
    /// If it does not.
    pub fn run(&mut self, text: &str) -> String {
        self.press(&format!("{text}{ENTER}"))
    }

    /// Presses keys that end with a new prompt; waits for it, and returns the screen.
    ///
    /// # Panics
    /// If it does not come.
    pub fn press(&mut self, keys: &str) -> String {
        let n_prompts = self.shown.lock().n_prompts;
        self.send(keys);
        self.wait_for_prompts(n_prompts + 1)
    }

    /// Pastes a text, as a terminal does that tells the program so.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn paste(&mut self, text: &str) {
        // A terminal sends the return key for an end of a line.
        let text = text.replace('\n', ENTER);
        self.send(&format!("\x1b[200~{text}\x1b[201~"));
    }

    /// Changes the size of the terminal.
    ///
    /// # Panics
    /// If it cannot be changed.
    pub fn resize(&mut self, n_rows: u16, n_columns: u16) {
        let size = PtySize { rows: n_rows, cols: n_columns, pixel_width: 0, pixel_height: 0 };
        self.shown.lock().parser.set_size(size_of(n_rows), size_of(n_columns));
        self.master.resize(size).expect("a terminal can be resized");
    }

    /// Waits until a text is somewhere on the screen, and returns the screen.
    ///
    /// # Panics
    /// If it does not come.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("`{text}`"), |screen| screen.contains(text))
    }

    /// Waits until the screen is as it should be, and returns it.
    ///
    /// # Panics
    /// If it does not become so; `what` says what was waited for.
    pub fn wait_until(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        self.wait(what, |state| is_it(&state.screen()))
    }

    /// Waits until the program has asked so many times, and returns the screen.
    fn wait_for_prompts(&self, n_prompts: usize) -> String {
        // The program reads keys a moment before it writes the prompt.
        let is_there = |state: &State| state.parser.screen().cursor_position().1 > 0;
        self.wait("a prompt", |state| {
            state.n_prompts >= n_prompts && state.is_reading() && is_there(state)
        })
    }

    fn wait(&self, what: &str, is_it: impl Fn(&State) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shown.lock();
        loop {
            if is_it(&state) {
                return state.screen();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!state.is_over, "no {what}, the program has ended:\n{}", state.screen());
            assert!(!left.is_zero(), "no {what}:\n{}", state.screen());
            let waited = self.shown.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns the screen: its lines without the blanks at their ends, without empty ones below.
    pub fn screen(&self) -> String {
        self.shown.lock().screen()
    }

    /// Returns the line with the cursor, and how far the cursor is to the right.
    pub fn cursor(&self) -> (String, usize) {
        let state = self.shown.lock();
        let (row, column) = state.parser.screen().cursor_position();
        let line = state.line(row).trim_end().to_owned();
        (line, column.into())
    }

    /// Returns the colours of the last place on the screen where a text stands: one for each of its
    /// characters, in words.
    ///
    /// # Panics
    /// If it is not there.
    pub fn colours(&self, text: &str) -> Vec<String> {
        let state = self.shown.lock();
        let screen = state.parser.screen();
        let n_rows = screen.size().0.get();
        let found = (0..n_rows).rev().find_map(|row| {
            let line = state.line(row);
            let at = line.rfind(text)?;
            Some((row, line[..at].chars().count()))
        });
        let Some((row, column)) = found else {
            panic!("no `{text}` on the screen:\n{}", state.screen())
        };
        (column..column + text.chars().count())
            .map(|column| {
                let column = u16::try_from(column).unwrap_or(u16::MAX);
                screen.cell(row, column).map_or_else(String::new, colour)
            })
            .collect()
    }

    /// Waits for the end of the program, and returns its exit code.
    ///
    /// # Panics
    /// If it does not end.
    pub fn end(mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shown.lock();
        while !state.is_over {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the program goes on:\n{}", state.screen());
            let waited = self.shown.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.child.wait().expect("the program has ended").exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A program that has ended already cannot be ended, nor need it be.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the program writes until there is no more.
    fn read(&self, mut output: Box<dyn std::io::Read + Send>) {
        let mut bytes = [0; 4096];
        loop {
            // Where the program is gone, some systems tell of an error and some of an end.
            let n_read = output.read(&mut bytes).unwrap_or(0);
            let mut state = self.lock();
            for byte in &bytes[..n_read] {
                let was_reading = state.is_reading();
                state.parser.process(&[*byte]);
                state.n_prompts += usize::from(!was_reading && state.is_reading());
            }
            state.is_over = n_read == 0;
            self.changed.notify_all();
            if n_read == 0 {
                return;
            }
        }
    }
}

impl State {
    /// Returns whether the program waits for keys.
    fn is_reading(&self) -> bool {
        self.parser.screen().bracketed_paste()
    }

    fn screen(&self) -> String {
        let (n_rows, _) = self.parser.screen().size();
        let mut screen = String::new();
        for row in 0..n_rows.get() {
            screen.push_str(self.line(row).trim_end());
            screen.push('\n');
        }
        screen.trim_end().to_owned()
    }

    fn line(&self, row: u16) -> String {
        let (_, n_columns) = self.parser.screen().size();
        let mut rows = self.parser.screen().rows(0, n_columns.get());
        rows.nth(row.into()).unwrap_or_default()
    }
}

/// Returns what is special about a cell, in words.
fn colour(cell: &vt100::Cell) -> String {
    const NAMES: [&str; 8] =
        ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
    let mut words = Vec::new();
    for (is_so, word) in
        [(cell.bold(), "bold"), (cell.dim(), "dim"), (cell.underline(), "underlined")]
    {
        words.extend(is_so.then(|| word.to_owned()));
    }
    match cell.fgcolor() {
        Color::Default => {}
        Color::Idx(idx) => words.push(match (NAMES.get(usize::from(idx % 8)), idx) {
            (Some(name), 0..=7) => (*name).to_owned(),
            (Some(name), 8..=15) => format!("bright {name}"),
            _ => format!("colour {idx}"),
        }),
        Color::Rgb(red, green, blue) => words.push(format!("#{red:02x}{green:02x}{blue:02x}")),
    }
    words.join(" ")
}

fn size_of(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has rows and columns")
}

/// Runs a line of the shell in a terminal of so many rows and columns, with nothing else in its
/// environment, and nobody at the keys. Returns its code and everything that it wrote to the terminal.
///
/// # Panics
/// If the system gives no terminal or no shell.
pub fn run_in_terminal(line: &str, directory: &Path, (rows, cols): (u16, u16)) -> (u32, String) {
    let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("the system has terminals");
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", line]);
    command.cwd(directory);
    command.env_clear();
    command.env("PATH", "/usr/bin:/bin");
    command.env("TERM", "xterm");
    command.env("HOME", directory);
    let mut child = pair.slave.spawn_command(command).expect("the shell starts");
    drop(pair.slave);
    let mut output = pair.master.try_clone_reader().expect("a terminal can be read");
    let mut written = Vec::new();
    // At the end of the other side some systems say so with an error.
    let _end = output.read_to_end(&mut written);
    let status = child.wait().expect("it ends");
    (status.exit_code(), String::from_utf8_lossy(&written).replace("\r\n", "\n"))
}

/// Returns where the program keeps its history below a home directory, on this system.
pub fn history_file(home: &Path) -> PathBuf {
    if cfg!(target_os = "macos") {
        home.join("Library/Application Support/sessionql/history.txt")
    } else {
        home.join("xdg_state_home/sessionql/history.txt")
    }
}

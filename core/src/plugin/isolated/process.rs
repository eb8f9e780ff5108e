//! A child that runs one library, seen from the host: starts it, carries calls to it and answers what
//! it asks, tells how it ended. What the child says is input like any other: what is no sense ends it.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sessionql_plugin_abi::ffi::Level;
use sessionql_plugin_abi::{Reason, WireError};

use super::wire::{self, Frame, Kind, WireFault};
use super::{answers, signal};
use crate::display::{escape_controls, size};
use crate::duration::human;
use crate::plugin::call::Function;
use crate::plugin::exchange::{Exchange, log_line};
use crate::plugin::isolation::Isolation;
use crate::plugin::load::LoadFault;

/// How long a child may take to end after its channel has closed, and to close a connection.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// The longest line of a child's output that is kept whole.
const MAX_LINE_BYTES: u64 = 4096;

/// The limits and the version that a child is started with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) version: u32,
    pub(super) memory_limit_bytes: u64,
}

/// What a child says of a call that returned.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) n_replies: usize,
    pub(super) refused: Option<WireError>,
}

/// A child. Ended when dropped.
#[derive(Debug)]
pub(super) struct Process {
    shared: Arc<Shared>,
}

/// What the threads around a child share.
#[derive(Debug)]
struct Shared {
    plugin: String,
    isolation: Isolation,
    child: Mutex<std::process::Child>,
    writer: Mutex<UnixStream>,
    calls: Mutex<Calls>,
    /// Notified when the ending is known.
    ended: Condvar,
    /// The last line that the child printed.
    last_line: Mutex<String>,
    /// What must not be repeated of what the child prints.
    secrets: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Calls {
    n_begun: u32,
    open: HashMap<u32, SyncSender<Frame>>,
    /// Why the host itself ended the child, if it did.
    verdict: Option<WireError>,
    /// How the child ended, once it has.
    ending: Option<Ending>,
}

/// How a child ended.
#[derive(Debug, Clone)]
enum Ending {
    /// By itself.
    Alone(Option<ExitStatus>),
    /// By the host, for this reason.
    Ended(WireError),
}

impl Process {
    /// Starts a child and lets it load a library.
    ///
    /// # Errors
    /// What is wrong with the library, or what came of the child instead.
    pub(super) fn start(
        plugin: &str,
        file: &Path,
        isolation: &Isolation,
        secrets: Vec<String>,
    ) -> Result<Self, LoadFault> {
        let process = Self::spawn(plugin, isolation, secrets).map_err(|error| {
            let program = isolation.host.program.display();
            LoadFault::new(format!("cannot be run by `{program}`: {error}"))
        })?;
        let start =
            Start { version: wire::VERSION, memory_limit_bytes: isolation.memory_limit_bytes };
        let document = serde_json::to_vec(&start).unwrap_or_default();
        let inbox = process.begin(0).ok_or_else(|| process.load_fault())?;
        process
            .write(
                &Frame::new(0, Kind::Start, 0).with_document(document),
                file.as_os_str().as_bytes(),
            )
            .map_err(|()| process.load_fault())?;
        let frame = match inbox.recv_timeout(isolation.time_limit) {
            Ok(frame) => frame,
            Err(RecvTimeoutError::Timeout) => {
                process.shared.end(process.shared.too_slow("loading"));
                return Err(process.load_fault());
            }
            Err(RecvTimeoutError::Disconnected) => return Err(process.load_fault()),
        };
        process.shared.calls().open.remove(&0);
        match (frame.kind, frame.value) {
            (Kind::Started, 0) => Ok(process),
            (Kind::Started, _) => {
                Err(serde_json::from_slice(&frame.document).unwrap_or_else(|_| {
                    LoadFault::new("cannot be used, and the child tells no reason")
                }))
            }
            _ => {
                process.shared.end(process.shared.nonsense("a frame out of turn"));
                Err(process.load_fault())
            }
        }
    }

    fn spawn(plugin: &str, isolation: &Isolation, secrets: Vec<String>) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let (output, printed) = io::pipe()?;
        let child = Command::new(&isolation.host.program)
            .args(&isolation.host.arguments)
            .env_clear()
            .current_dir("/")
            // Not that of the terminal: an interrupt there is not meant for the child.
            .process_group(0)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(printed.try_clone()?))
            .stderr(Stdio::from(printed))
            .spawn()?;
        Self::around(child, ours, output, (plugin, isolation, secrets))
    }

    /// Returns a child that was started, with threads that listen to it.
    pub(super) fn around(
        child: std::process::Child,
        channel: UnixStream,
        output: io::PipeReader,
        (plugin, isolation, secrets): (&str, &Isolation, Vec<String>),
    ) -> io::Result<Self> {
        let reader = channel.try_clone();
        let shared = Arc::new(Shared {
            plugin: plugin.to_owned(),
            isolation: isolation.clone(),
            child: Mutex::new(child),
            writer: Mutex::new(channel),
            calls: Mutex::default(),
            ended: Condvar::new(),
            last_line: Mutex::default(),
            secrets: Mutex::new(secrets),
        });
        // From here on the child is ended whatever comes.
        let process = Self { shared: Arc::clone(&shared) };
        let (reader, (said_all, all_said)) = (reader?, sync_channel::<()>(0));
        // A child that does not read must not hold up who writes.
        reader.set_write_timeout(Some(isolation.time_limit))?;
        let lines = Arc::clone(&shared);
        let _logger = thread::Builder::new().name("plugin output".to_owned()).spawn(move || {
            lines.log_output(output);
            drop(said_all);
        })?;
        let _reader = thread::Builder::new()
            .name("plugin frames".to_owned())
            .spawn(move || shared.read_frames(reader, &all_said))?;
        Ok(process)
    }

    /// Tells whether the child still runs, as far as is known.
    pub(super) fn is_alive(&self) -> bool {
        let calls = self.shared.calls();
        calls.ending.is_none() && calls.verdict.is_none()
    }

    /// Ends the child: its plugin has panicked, and is not called again.
    pub(super) fn end_after_panic(&self) {
        let message = format!("plugin `{}` panicked", self.shared.plugin);
        self.shared.end(WireError::new(Reason::PluginError, message));
    }

    /// Keeps what must not be repeated of what the child prints.
    pub(super) fn keep_secret(&self, secrets: Vec<String>) {
        *self.shared.secrets.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
    }

    /// Calls a function and answers what the plugin asks. Blocks until it returns, until it has been
    /// silent for too long, or until the child ends.
    ///
    /// # Errors
    /// How the child ended, if it did.
    pub(super) fn call(
        &self,
        function: Function,
        document: &[u8],
        exchange: &mut Exchange<'_>,
    ) -> Result<i32, WireError> {
        let shared = &self.shared;
        let number = shared.next_number();
        let Some(inbox) = self.begin(number) else { return Err(shared.ended(function)) };
        let schema = exchange.schema().map(|schema| super::rows::encode_schema(&schema));
        let frame =
            Frame::new(number, Kind::Call, function as i64).with_document(document.to_vec());
        let code = match self.write(&frame, schema.as_deref().unwrap_or_default()) {
            Ok(()) => self.converse(function, number, &inbox, exchange),
            Err(()) => Err(shared.ended(function)),
        };
        shared.calls().open.remove(&number);
        code
    }

    /// Answers what the plugin asks until its function returns.
    fn converse(
        &self,
        function: Function,
        number: u32,
        inbox: &Receiver<Frame>,
        exchange: &mut Exchange<'_>,
    ) -> Result<i32, WireError> {
        let shared = &self.shared;
        let limit = if function == Function::Disconnect {
            GRACE.min(shared.isolation.time_limit)
        } else {
            shared.isolation.time_limit
        };
        let begun = Instant::now();
        loop {
            // Only a scan has reason to go on for long: it waits for its provider and its consumer.
            let left = match function {
                Function::Scan => limit,
                _ => limit.saturating_sub(begun.elapsed()),
            };
            let frame = match inbox.recv_timeout(left) {
                Ok(frame) => frame,
                Err(RecvTimeoutError::Timeout) => {
                    shared.end(shared.too_slow(function.name()));
                    return Err(shared.ended(function));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(shared.ended(function)),
            };
            let answer = match answers::of(frame, number, exchange) {
                Ok(answers::Next::Answer(answer, body)) => self.write(&answer, &body),
                Ok(answers::Next::Ended(code)) => return Ok(code),
                Err(what) => {
                    shared.end(shared.nonsense(&what));
                    Err(())
                }
            };
            answer.map_err(|()| shared.ended(function))?;
        }
    }

    /// Opens the inbox of a call; `None` if the child has ended.
    fn begin(&self, number: u32) -> Option<Receiver<Frame>> {
        let mut calls = self.shared.calls();
        if calls.ending.is_some() {
            return None;
        }
        // A child asks one thing at a time in each call.
        let (sender, inbox) = sync_channel(1);
        calls.open.insert(number, sender);
        Some(inbox)
    }

    /// Writes a frame. What cannot be written ends the child.
    fn write(&self, frame: &Frame, body: &[u8]) -> Result<(), ()> {
        let mut writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = wire::write(&mut *writer, frame, body) else { return Ok(()) };
        drop(writer);
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                self.shared.end(self.shared.too_slow("reading what the host says"));
            }
            // It is gone, and the other thread finds out how.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {}
            _ => {
                let message = format!("plugin `{}` cannot be told: {error}", self.shared.plugin);
                self.shared.end(WireError::new(Reason::PluginError, message));
            }
        }
        Err(())
    }

    fn load_fault(&self) -> LoadFault {
        let error = self.shared.ended_while("was loaded");
        let prefix = format!("plugin `{}` ", self.shared.plugin);
        let message = error.message.strip_prefix(&prefix).unwrap_or(&error.message).to_owned();
        LoadFault { hint: error.hint, ..LoadFault::new(message) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The child ends when its channel does; the reader sees to it, and that it is soon.
        let writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let _closed = writer.shutdown(Shutdown::Both);
    }
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_number(&self) -> u32 {
        let mut calls = self.calls();
        // Not 0, which is none.
        calls.n_begun = calls.n_begun % (u32::MAX - 1) + 1;
        calls.n_begun
    }

    /// Hands frames to the calls that they belong to, until the child has ended.
    fn read_frames(&self, stream: UnixStream, all_said: &Receiver<()>) {
        let mut stream = BufReader::with_capacity(1 << 16, stream);
        let fault = loop {
            let frame = match wire::read(&mut stream) {
                Ok(frame) => frame,
                Err(fault) => break fault,
            };
            let number = frame.call;
            let passed = match self.calls().open.get(&number) {
                None => Err("a frame of a call that is not under way"),
                Some(call) => call.try_send(frame).map_err(|error| match error {
                    TrySendError::Full(_) => "a frame out of turn",
                    TrySendError::Disconnected(_) => "a frame after the end of a call",
                }),
            };
            if let Err(what) = passed {
                break WireFault::Nonsense(what.to_owned());
            }
        };
        if let WireFault::Nonsense(what) = &fault {
            self.end(self.nonsense(what));
        }
        let status = self.wait();
        // Its last words, unless a process that it has started keeps the pipe open.
        let _said = all_said.recv_timeout(GRACE);
        let mut calls = self.calls();
        calls.ending = Some(match calls.verdict.clone() {
            Some(error) => Ending::Ended(error),
            None => Ending::Alone(status),
        });
        // Whoever waits for an answer looks at the ending now.
        calls.open.clear();
        self.ended.notify_all();
    }

    /// Waits until the child is gone, and sees to it that it is.
    fn wait(&self) -> Option<ExitStatus> {
        let begun = Instant::now();
        let mut pause = Duration::from_micros(100);
        loop {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            match child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if begun.elapsed() < GRACE => {}
                _ => {
                    let _killed = child.kill();
                    return child.wait().ok();
                }
            }
            drop(child);
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    /// Ends the child, unless it was ended for another reason before.
    fn end(&self, why: WireError) {
        let mut calls = self.calls();
        if calls.ending.is_none() {
            calls.verdict.get_or_insert(why);
        }
        drop(calls);
        let _killed = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Returns why a function did not return: how the child ended. Waits until it has.
    fn ended(&self, function: Function) -> WireError {
        self.ended_while(&format!("ran `{}`", function.name()))
    }

    fn ended_while(&self, what: &str) -> WireError {
        let is_running = |calls: &mut Calls| calls.ending.is_none();
        let waited = self.ended.wait_timeout_while(self.calls(), 3 * GRACE, is_running);
        let (calls, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let ending = calls.ending.clone().unwrap_or(Ending::Alone(None));
        drop(calls);
        let plugin = &self.plugin;
        let status = match ending {
            Ending::Ended(error) => return error,
            Ending::Alone(status) => status,
        };
        let how = match (status.and_then(|status| status.signal()), status.and_then(|s| s.code())) {
            (Some(number), _) => format!("was ended by {}", signal::name(number)),
            (None, Some(code)) => format!("ended its process with code {code}"),
            (None, None) => "ended its process".to_owned(),
        };
        let last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let said = if last_line.is_empty() { String::new() } else { format!(": {last_line}") };
        let error = WireError::new(
            Reason::PluginError,
            format!("plugin `{plugin}` {how} while it {what}{said}"),
        );
        if status.is_none_or(|status| status.signal().is_none()) {
            return error.with_hint("tell the plugin's author");
        }
        let limit = size(usize::try_from(self.isolation.memory_limit_bytes).unwrap_or(usize::MAX));
        error.with_hint(format!(
            "tell the plugin's author; or it needs more memory: its `memory_limit` is {limit}"
        ))
    }

    fn too_slow(&self, what: &str) -> WireError {
        let limit = human(self.isolation.time_limit);
        let plugin = &self.plugin;
        let what = if what.contains(' ') || what == "loading" {
            format!(" while {what}")
        } else {
            format!(" in `{what}`")
        };
        let message = format!("plugin `{plugin}` did not answer for {limit}{what} and was ended");
        WireError::new(Reason::PluginError, message)
            .with_hint("tell the plugin's author; or raise `time_limit` of its connection")
    }

    fn nonsense(&self, what: &str) -> WireError {
        let message = format!("plugin `{}` broke its channel and was ended: {what}", self.plugin);
        WireError::new(Reason::PluginError, escape_controls(&message))
            .with_hint("tell the plugin's author")
    }

    /// Writes what the child prints to the log, line by line.
    fn log_output(&self, output: io::PipeReader) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut output).take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let mut text = String::from_utf8_lossy(&line).trim_end().to_owned();
            for secret in self.secrets.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                text = text.replace(secret, "***");
            }
            if text.is_empty() {
                continue;
            }
            log_line(Level::Info as i32, &format!("{}: {text}", self.plugin));
            // What a Rust program says after its last words.
            if text.starts_with("note: ") {
                continue;
            }
            let shown: String = escape_controls(&text).chars().take(200).collect();
            *self.last_line.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        }
    }
}

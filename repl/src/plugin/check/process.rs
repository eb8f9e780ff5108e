//! Looks at one rule in a process of its own. In: the command line of this program. Out: the
//! finding that the process prints, or one that says how it ended.

use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sessionql_plugin_sdk::check::{Checked, Rule};

use crate::exit::Exit;

/// How often it is looked whether a process has ended.
const TICK: Duration = Duration::from_millis(2);

/// Bytes of a process's last words that are told.
const LAST_WORDS_BYTES: usize = 400;

/// How processes are started.
#[derive(Debug)]
pub(super) struct Children {
    pub(super) program: PathBuf,
    /// Its arguments, but for the rule.
    pub(super) line: Vec<PathBuf>,
    /// How long each may take.
    pub(super) patience: Duration,
    /// Whether only one may run at a time, because they share an API.
    pub(super) is_alone: bool,
}

/// What came of a process.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) checked: Checked,
    /// Whether it ended by itself.
    pub(super) has_survived: bool,
}

/// How a process ended that did not come to its rule.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) stderr: Vec<u8>,
}

impl Children {
    /// Looks at a rule.
    ///
    /// # Errors
    /// If the command line or the configuration does not do.
    pub(super) fn look(&self, rule: &Rule) -> Result<Looked, Ended> {
        let (status, stdout, stderr) = match self.run(rule) {
            Ok(ran) => ran,
            Err(error) => {
                let message = format!("error: a process cannot be started: {error}\n");
                return Err(Ended { exit: Exit::Failed, stderr: message.into_bytes() });
            }
        };
        if let Ok(checked) = serde_json::from_slice::<Checked>(&stdout)
            && status.is_some_and(|status| status.success())
        {
            return Ok(Looked { checked, has_survived: true });
        }
        let code = status.and_then(|status| status.code());
        for exit in [Exit::Input, Exit::Plugin] {
            if code == Some(i32::from(exit.code())) {
                return Err(Ended { exit, stderr });
            }
        }
        let seen = match status {
            None => format!("it did not end within {} s", self.patience.as_secs()),
            Some(status) => end_of(status),
        };
        let seen = format!("{seen}{}", last_words(&stderr));
        Ok(Looked { checked: Checked::broken(rule, seen), has_survived: false })
    }

    /// Runs a process to its end, or for as long as it may take.
    fn run(&self, rule: &Rule) -> std::io::Result<(Option<ExitStatus>, Vec<u8>, Vec<u8>)> {
        // Files, because a process that fills a pipe would wait for its reader.
        let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut command = Command::new(&self.program);
        command.args(&self.line).args(["--rule", rule.id]).stdin(Stdio::null());
        command.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        let mut child = command.spawn()?;
        let status = self.wait(&mut child)?;
        let read = |file: &mut std::fs::File| {
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        Ok((status, read(&mut stdout)?, read(&mut stderr)?))
    }

    fn wait(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if began.elapsed() > self.patience {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            thread::sleep(TICK);
        }
    }
}

/// Returns how a process ended that should have printed something.
fn end_of(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let name = match signal {
            4 => " (illegal instruction)",
            6 => " (abort)",
            7 | 10 => " (bus error)",
            8 => " (arithmetic error)",
            9 => " (killed)",
            11 => " (segmentation fault)",
            _ => "",
        };
        return format!("the process ended by signal {signal}{name}");
    }
    match status.code() {
        Some(0) => "the process ended before the rule was looked at".to_owned(),
        Some(code) => format!("the process ended with exit code {code}"),
        None => "the process ended".to_owned(),
    }
}

fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(&stderr[stderr.len().saturating_sub(LAST_WORDS_BYTES)..])
        .into_owned();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { String::new() } else { format!("; its last words: {text}") }
}

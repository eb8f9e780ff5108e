//! Ctrl-C and SIGTERM: noticed on a thread of their own, so that neither a slow reader of stdout
//! nor a slow provider holds them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::exit::Exit;

/// How long the program may take to end by itself before it is ended.
const GRACE: Duration = Duration::from_secs(2);

/// Why somebody wants a statement or the program to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// What was signalled since it was last cleared.
#[derive(Debug)]
pub(crate) struct Signals {
    stop: Arc<watch::Sender<Option<Stop>>>,
    /// Whether a statement runs.
    is_busy: Arc<AtomicBool>,
}

/// A statement that runs: while it does, a second interrupt ends the REPL too.
#[derive(Debug)]
pub(crate) struct Busy(Arc<AtomicBool>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Signals {
    /// Begins to watch. In the REPL an interrupt stops a statement, elsewhere the program.
    pub(crate) fn watch(runtime: &Runtime, is_interactive: bool) -> Self {
        let stop = Arc::new(watch::Sender::new(None));
        // The task lives as long as the runtime.
        let is_busy = Arc::new(AtomicBool::new(false));
        let watched = (Arc::clone(&stop), Arc::clone(&is_busy));
        let _task = runtime.spawn(watch_forever(watched.0, watched.1, is_interactive));
        Self { stop, is_busy }
    }

    /// Notes that a statement runs, until what is returned is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.is_busy.store(true, Ordering::SeqCst);
        Busy(Arc::clone(&self.is_busy))
    }

    /// Forgets a signal that has been answered.
    pub(crate) fn clear(&self) {
        self.stop.send_replace(None);
    }

    /// Waits for a signal.
    pub(crate) async fn stopped(&self) -> Stop {
        let mut signalled = self.stop.subscribe();
        loop {
            if let Some(stop) = *signalled.borrow_and_update() {
                return stop;
            }
            if signalled.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn watch_forever(
    stop: Arc<watch::Sender<Option<Stop>>>,
    is_busy: Arc<AtomicBool>,
    is_interactive: bool,
) {
    loop {
        let signal = next_signal().await;
        let before = stop.send_replace(Some(signal));
        match next_step(signal, before, is_interactive, is_busy.load(Ordering::SeqCst)) {
            Step::Wait => continue,
            Step::EndNow => end_now(Exit::from(signal)),
            Step::EndSoon => {}
        }
        let _again = tokio::time::timeout(GRACE, next_signal()).await;
        end_now(Exit::from(signal));
    }
}

/// What follows a signal.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: the REPL answers it.
    Wait,
    /// The program is given time to end by itself.
    EndSoon,
    /// The program is ended.
    EndNow,
}

fn next_step(signal: Stop, before: Option<Stop>, is_interactive: bool, is_busy: bool) -> Step {
    match (signal, before) {
        // What did not end when it was asked to hangs in a write or in a plugin.
        (Stop::Interrupted, Some(Stop::Interrupted)) if is_interactive && is_busy => Step::EndNow,
        (Stop::Interrupted, _) if is_interactive => Step::Wait,
        _ => Step::EndSoon,
    }
}

#[expect(clippy::disallowed_methods, reason = "the main thread hangs in a write or in a plugin")]
fn end_now(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}

async fn next_signal() -> Stop {
    tokio::select! {
        _ = tokio::signal::ctrl_c() => Stop::Interrupted,
        () = terminated() => Stop::Terminated,
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_interrupt_of_one_statement_ends_the_repl() {
        let first = next_step(Stop::Interrupted, None, true, true);
        let second = next_step(Stop::Interrupted, Some(Stop::Interrupted), true, true);
        let at_the_prompt = next_step(Stop::Interrupted, Some(Stop::Interrupted), true, false);
        assert_eq!((first, second, at_the_prompt), (Step::Wait, Step::EndNow, Step::Wait));
        let in_a_script = next_step(Stop::Interrupted, None, false, true);
        let terminated = next_step(Stop::Terminated, None, true, true);
        assert_eq!((in_a_script, terminated), (Step::EndSoon, Step::EndSoon));
    }
}

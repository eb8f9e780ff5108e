//! Ctrl-C and SIGTERM: noticed on a thread of their own, so that neither a slow reader of stdout
//! nor a slow provider holds them up.

use std::sync::Arc;
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
}

impl Signals {
    /// Begins to watch. In the REPL an interrupt stops a statement, elsewhere the program.
    pub(crate) fn watch(runtime: &Runtime, is_interactive: bool) -> Self {
        let stop = Arc::new(watch::Sender::new(None));
        // The task lives as long as the runtime.
        let _task = runtime.spawn(watch_forever(Arc::clone(&stop), is_interactive));
        Self { stop }
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

async fn watch_forever(stop: Arc<watch::Sender<Option<Stop>>>, is_interactive: bool) {
    loop {
        let signal = next_signal().await;
        stop.send_replace(Some(signal));
        if signal == Stop::Interrupted && is_interactive {
            continue;
        }
        let _again = tokio::time::timeout(GRACE, next_signal()).await;
        end_now(Exit::from(signal));
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

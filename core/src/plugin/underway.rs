//! Which calls of plugins are under way, and since when each plugin has been silent: what a deadline
//! looks at to say whom it waited for.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::call::Function;

/// The calls under way of all connections of an engine.
#[derive(Debug, Clone, Default)]
pub struct Underway(Arc<Mutex<Calls>>);

#[derive(Debug, Default)]
struct Calls {
    n_begun: u64,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    number: u64,
    plugin: String,
    function: Function,
    begun: Instant,
    /// Since when the plugin computes; `None` while the host does something for it.
    silent_since: Option<Instant>,
}

/// A plugin that computes and neither returns nor asks for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentPlugin {
    /// The plugin.
    pub plugin: String,
    /// The function that it does not return from.
    pub function: &'static str,
}

impl SilentPlugin {
    /// What to do about it.
    pub const HINT: &'static str = "tell the plugin's author; `isolation = \"process\"` on its connection ends a plugin that hangs";
}

impl fmt::Display for SilentPlugin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "plugin `{}` does not return from `{}`", self.plugin, self.function)
    }
}

impl Underway {
    /// Notes that a call begins. It ends when what is returned is dropped.
    pub(super) fn begin(&self, plugin: &str, function: Function) -> Watch {
        let mut calls = self.lock();
        calls.n_begun += 1;
        let (number, now, plugin) = (calls.n_begun, Instant::now(), plugin.to_owned());
        calls.calls.push(Call { number, plugin, function, begun: now, silent_since: Some(now) });
        Watch { underway: self.clone(), number }
    }

    /// Returns a plugin that was called after an instant and has been silent for so long.
    pub(crate) fn silent(&self, after: Instant, for_at_least: Duration) -> Option<SilentPlugin> {
        let calls = self.lock();
        let is_silent = |call: &&Call| {
            call.begun >= after
                && call.silent_since.is_some_and(|since| since.elapsed() >= for_at_least)
        };
        let call = calls.calls.iter().find(is_silent)?;
        Some(SilentPlugin { plugin: call.plugin.clone(), function: call.function.name() })
    }

    fn set_silent_since(&self, number: u64, since: Option<Instant>) {
        let mut calls = self.lock();
        let call = calls.calls.iter_mut().find(|call| call.number == number);
        call.into_iter().for_each(|call| call.silent_since = since);
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Watch {
    underway: Underway,
    number: u64,
}

impl Watch {
    /// Notes that the host works for the plugin, until what is returned is dropped.
    pub(super) fn host(&self) -> HostWorks {
        self.underway.set_silent_since(self.number, None);
        HostWorks { underway: self.underway.clone(), number: self.number }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let number = self.number;
        self.underway.lock().calls.retain(|call| call.number != number);
    }
}

/// The time that the host takes within a call.
#[derive(Debug)]
pub(super) struct HostWorks {
    underway: Underway,
    number: u64,
}

impl Drop for HostWorks {
    fn drop(&mut self) {
        self.underway.set_silent_since(self.number, Some(Instant::now()));
    }
}

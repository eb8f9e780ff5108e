//! An emulator of the session API of Formal, `core.v1.SessionsService`.
//! In: records, switches and a clock. Out: `Emulator`, a running server that answers as the real one is documented to.
//! Started by `Sandbox` and by tests. What the documents leave open is a switch; see `switches.rs`.
//! It lists and returns sessions. It can end them too, as its original can; that and all else is recorded as a violation.

mod data;
mod message;
mod serve;
mod session;
mod store;
mod switches;

use std::io;
use std::sync::Mutex;

use crate::clock::Clock;
use crate::company::Company;
use crate::lock;
use crate::message::{Answer, Kind, Request};
use crate::server::{self, Server};

pub use session::{Identity, SessionRecord, Status, Thing};
pub use switches::{CursorStyle, Proxy, RateLimit, Switches, Timestamp};

/// A running emulator: an `Api` with a `Server` around it.
pub type Emulator = Server<Api>;

/// How an emulator starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time that it lives in.
    pub clock: Clock,
    /// The records that it holds at first.
    pub sessions: Vec<SessionRecord>,
    /// What nobody states about the API.
    pub switches: Switches,
    /// The one key that it knows.
    pub api_key: String,
    /// The port; 0 takes a free one.
    pub port: u16,
}

impl Options {
    /// Returns options without any records.
    pub fn empty(clock: Clock) -> Self {
        Self {
            clock,
            sessions: Vec::new(),
            switches: Switches::default(),
            api_key: "sandbox-formal-key".to_owned(),
            port: 0,
        }
    }

    /// Returns options with the sample sessions of a seed, as of the clock's present.
    pub fn seeded(seed: u64, clock: Clock) -> Self {
        let sessions = data::sessions(&Company::seeded(seed), seed, clock.now());
        Self { sessions, ..Self::empty(clock) }
    }
}

/// What the provider holds and how it behaves. Changes take effect with the next request.
#[derive(Debug)]
pub struct Api {
    clock: Clock,
    api_key: String,
    state: Mutex<serve::State>,
}

impl Emulator {
    /// Starts an emulator.
    ///
    /// # Errors
    /// The port is taken, or the system has no socket or no thread left.
    pub fn start(options: Options) -> io::Result<Self> {
        let Options { clock, sessions, switches, api_key, port } = options;
        let mut state = serve::State::new(switches, api_key.clone());
        state.store.replace(sessions);
        Self::serve(Api { clock, api_key, state: Mutex::new(state) }, port)
    }
}

impl Api {
    /// Returns the key that it knows.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Returns the clock; advancing it advances the emulator's time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the truth: all records, before any switch applies.
    pub fn sessions(&self) -> Vec<SessionRecord> {
        lock(&self.state).store.records().to_vec()
    }

    /// Returns the record with an id.
    pub fn session(&self, id: &str) -> Option<SessionRecord> {
        lock(&self.state).store.get(id).cloned()
    }

    /// Replaces all records; of several with one id, the last counts.
    pub fn set_sessions(&self, sessions: Vec<SessionRecord>) {
        lock(&self.state).store.replace(sessions);
    }

    /// Adds a record, or replaces the one with its id.
    pub fn upsert(&self, session: SessionRecord) {
        lock(&self.state).store.upsert(session);
    }

    /// Returns the switches in force.
    pub fn switches(&self) -> Switches {
        lock(&self.state).switches.clone()
    }

    /// Changes switches. A new period of the rate limit begins.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        let mut state = lock(&self.state);
        change(&mut state.switches);
        state.refill();
    }
}

impl server::Api for Api {
    fn kind(&self, method: &str, path: &str) -> Kind {
        serve::Call::kind(method, path)
    }

    fn answer(&self, request: &Request) -> Answer {
        let now = self.clock.now();
        lock(&self.state).answer(request, now)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn compresses(&self) -> bool {
        lock(&self.state).switches.gzip
    }
}

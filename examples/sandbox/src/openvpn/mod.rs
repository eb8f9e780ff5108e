//! An emulator of the session API of OpenVPN CloudConnexa, beta and version 1.
//! In: records, switches and a clock. Out: `Emulator`, a running server that answers as the real one is documented to.
//! Started by `Sandbox` and by tests. What the documents leave open is a switch; see `switches.rs`.
//! It serves the tokens and the sessions and nothing else: every other request is recorded as a violation.

mod data;
mod limit;
mod query;
mod serve;
mod session;
mod store;
mod switches;
mod token;

use std::io;
use std::sync::Mutex;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::company::Company;
use crate::lock;
use crate::message::{Answer, Kind, Request};
use crate::server::{self, Server};

pub use session::{SessionRecord, Status};
pub use switches::{
    EndDefault, Missing, PageOrder, RateLimit, Switches, TokenStyle, UnknownStatus, Updated,
};

/// A running emulator: an `Api` with a `Server` around it.
pub type Emulator = Server<Api>;

/// The two versions of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiVersion {
    /// `/api/beta`, with 7 days of history.
    Beta,
    /// `/api/v1`, with 30 days of history and three more fields.
    V1,
}

impl ApiVersion {
    /// Returns how far back the documented history reaches.
    pub fn history(self) -> TimeDelta {
        match self {
            Self::Beta => TimeDelta::days(7),
            Self::V1 => TimeDelta::days(30),
        }
    }
}

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
    pub client_id: String,
    /// The secret of that key.
    pub client_secret: String,
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
            client_id: "sandbox-client".to_owned(),
            client_secret: "sandbox-secret".to_owned(),
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
    client_id: String,
    client_secret: String,
    state: Mutex<serve::State>,
}

impl Emulator {
    /// Starts an emulator.
    ///
    /// # Errors
    /// The port is taken, or the system has no socket or no thread left.
    pub fn start(options: Options) -> io::Result<Self> {
        let Options { clock, sessions, switches, client_id, client_secret, port } = options;
        let tokens = token::Tokens::new(client_id.clone(), client_secret.clone());
        let mut state = serve::State::new(switches, tokens);
        state.store.replace(sessions);
        let api = Api { clock, client_id, client_secret, state: Mutex::new(state) };
        Self::serve(api, port)
    }
}

impl Api {
    /// Returns the id of the key that it knows.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns the secret of the key that it knows.
    pub fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// Returns the clock; advancing it advances the emulator's time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the truth: all records in the order of their creation, before any switch applies.
    pub fn sessions(&self) -> Vec<SessionRecord> {
        lock(&self.state).store.records()
    }

    /// Returns the record with an id.
    pub fn session(&self, id: &str) -> Option<SessionRecord> {
        lock(&self.state).store.get(id).cloned()
    }

    /// Replaces all records; of several with one id, the last counts.
    pub fn set_sessions(&self, sessions: Vec<SessionRecord>) {
        lock(&self.state).store.replace(sessions);
    }

    /// Adds a record, or replaces the one with its id. Its times are taken as they are; see `SessionRecord::close`.
    pub fn upsert(&self, session: SessionRecord) {
        lock(&self.state).store.upsert(session);
    }

    /// Changes the record with an id in place. Returns whether there is one.
    pub fn update(&self, id: &str, change: impl FnOnce(&mut SessionRecord)) -> bool {
        let Some(mut session) = self.session(id) else { return false };
        change(&mut session);
        let mut state = lock(&self.state);
        state.store.remove(id);
        state.store.upsert(session);
        true
    }

    /// Removes the record with an id. Returns it if there was one.
    pub fn remove(&self, id: &str) -> Option<SessionRecord> {
        lock(&self.state).store.remove(id)
    }

    /// Returns the switches in force.
    pub fn switches(&self) -> Switches {
        lock(&self.state).switches.clone()
    }

    /// Changes switches. The bucket of the rate limit is full afterwards.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        let mut state = lock(&self.state);
        change(&mut state.switches);
        state.store.forget_json();
        state.bucket.refill();
    }

    /// Makes all tokens invalid at once.
    pub fn expire_tokens(&self) {
        lock(&self.state).tokens.expire();
    }
}

impl server::Api for Api {
    fn kind(&self, method: &str, path: &str) -> Kind {
        serve::Target::kind(method, path)
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

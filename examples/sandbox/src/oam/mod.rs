//! An emulator of the sessions search of Oracle Access Manager 12c and 14c.
//! In: open sessions, switches and a clock. Out: `Emulator`, a running server that answers as the real one is documented to.
//! Started by `Sandbox` and by tests. What the documents leave open is a switch; see `switches.rs`.
//! Its neighbours that create and delete sessions work and are recorded as violations, as is every other request.

mod data;
mod serve;
mod session;
mod switches;

use std::io;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::company::Company;
use crate::lock;
use crate::message::{Answer, Kind, Request};
use crate::server::{self, Server};

pub use session::SessionRecord;
pub use switches::{Combination, Form, Matching, Nothing, Switches, Total};

/// A running emulator: an `Api` with a `Server` around it.
pub type Emulator = Server<Api>;

/// The login in the sample data that has more sessions than an answer holds: 40.
pub const HOT_LOGIN: &str = "ivan";

/// How an emulator starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time that it lives in.
    pub clock: Clock,
    /// The sessions that are open at first.
    pub sessions: Vec<SessionRecord>,
    /// What nobody states about the API.
    pub switches: Switches,
    /// The one user that may ask.
    pub username: String,
    /// The password of that user.
    pub password: String,
    /// The port; 0 takes a free one.
    pub port: u16,
}

impl Options {
    /// Returns options without any sessions.
    pub fn empty(clock: Clock) -> Self {
        Self {
            clock,
            sessions: Vec::new(),
            switches: Switches::default(),
            username: "sandbox-reader".to_owned(),
            password: "sandbox-password".to_owned(),
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
    username: String,
    password: String,
    state: Mutex<serve::State>,
}

impl Emulator {
    /// Starts an emulator.
    ///
    /// # Errors
    /// The port is taken, or the system has no socket or no thread left.
    pub fn start(options: Options) -> io::Result<Self> {
        let Options { clock, sessions, switches, username, password, port } = options;
        let state = serve::State {
            sessions: Vec::new(),
            switches,
            username: username.clone(),
            password: password.clone(),
        };
        let api = Api { clock, username, password, state: Mutex::new(state) };
        api.set_sessions(sessions);
        Self::serve(api, port)
    }
}

impl Api {
    /// Returns the user that may ask.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Returns the password of that user.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Returns the clock; advancing it advances the emulator's time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the truth: all open sessions in the order of their creation, before any switch applies.
    pub fn sessions(&self) -> Vec<SessionRecord> {
        lock(&self.state).sessions.clone()
    }

    /// Returns the session with an id.
    pub fn session(&self, id: &str) -> Option<SessionRecord> {
        lock(&self.state).sessions.iter().find(|session| session.id == id).cloned()
    }

    /// Replaces all sessions; of several with one id, the last counts.
    pub fn set_sessions(&self, mut sessions: Vec<SessionRecord>) {
        let key = |session: &SessionRecord| (session.created_at, session.id.clone());
        // Sorted from the last to the first by id, so that the last of each stays.
        sessions.reverse();
        sessions.sort_by(|a, b| a.id.cmp(&b.id));
        sessions.dedup_by(|a, b| a.id == b.id);
        sessions.sort_by_key(key);
        lock(&self.state).sessions = sessions;
    }

    /// Adds a session, or replaces the one with its id.
    pub fn upsert(&self, session: SessionRecord) {
        let mut sessions = self.sessions();
        sessions.push(session);
        self.set_sessions(sessions);
    }

    /// Ends the session with an id. Returns it if there was one.
    pub fn remove(&self, id: &str) -> Option<SessionRecord> {
        let mut state = lock(&self.state);
        let position = state.sessions.iter().position(|session| session.id == id)?;
        Some(state.sessions.remove(position))
    }

    /// Returns the switches in force.
    pub fn switches(&self) -> Switches {
        lock(&self.state).switches.clone()
    }

    /// Changes switches.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut lock(&self.state).switches);
    }
}

impl server::Api for Api {
    fn kind(&self, method: &str, path: &str) -> Kind {
        serve::kind(method, path)
    }

    fn answer(&self, request: &Request) -> Answer {
        let now: DateTime<Utc> = self.clock.now();
        lock(&self.state).answer(request, now)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn compresses(&self) -> bool {
        lock(&self.state).switches.gzip
    }
}

//! An emulator of the session endpoint of Ekran System (Syteca) on premises.
//! In: records, switches and a clock. Out: `Emulator`, a running server that answers as the real one is documented to.
//! Started by `Sandbox` and by tests. What the documents leave open is a switch; see `switches.rs`.
//! It serves `GET /ekranapi/sessions`: every other request is recorded as a violation, also the POST for pages, which is answered.

mod data;
mod serve;
mod session;
mod switches;

use std::io;
use std::sync::Mutex;

use crate::clock::Clock;
use crate::company::Company;
use crate::lock;
use crate::message::{Answer, Kind, Request};
use crate::server::{self, Server};

pub use data::user_id;
pub use session::SessionRecord;
pub use switches::{Idle, Offset, Order, Selection, Switches, Unfinished};

/// A running emulator: an `Api` with a `Server` around it.
pub type Emulator = Server<Api>;

/// What a client must show. The documents do not say what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    None,
    /// A user name and a password.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// A token.
    Bearer {
        /// The token.
        token: String,
    },
    /// A header of its own.
    Header {
        /// The header.
        name: String,
        /// Its value.
        value: String,
    },
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
    /// What a client must show.
    pub auth: Auth,
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
            auth: Auth::Bearer { token: "sandbox-ekran-token".to_owned() },
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
    auth: Auth,
    state: Mutex<serve::State>,
}

impl Emulator {
    /// Starts an emulator.
    ///
    /// # Errors
    /// The port is taken, or the system has no socket or no thread left.
    pub fn start(options: Options) -> io::Result<Self> {
        let Options { clock, sessions, switches, auth, port } = options;
        let state = Mutex::new(serve::State { sessions, switches });
        Self::serve(Api { clock, auth, state }, port)
    }
}

impl Api {
    /// Returns what a client must show.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Returns the clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the truth: all records, before any bound or switch applies.
    pub fn sessions(&self) -> Vec<SessionRecord> {
        lock(&self.state).sessions.clone()
    }

    /// Replaces all records.
    pub fn set_sessions(&self, sessions: Vec<SessionRecord>) {
        lock(&self.state).sessions = sessions;
    }

    /// Adds a record, or replaces the one with its id and client.
    pub fn upsert(&self, session: SessionRecord) {
        let mut state = lock(&self.state);
        state.sessions.retain(|known| {
            (known.session_id, &known.client_guid) != (session.session_id, &session.client_guid)
        });
        state.sessions.push(session);
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
        lock(&self.state).answer(request, &self.auth)
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn compresses(&self) -> bool {
        lock(&self.state).switches.gzip
    }
}

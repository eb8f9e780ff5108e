//! The four providers side by side, each as a small world whose scan takes several requests.
//! In: which provider. Out: an emulator without its type, an engine, and the query that reads it.
//! For what must hold of every provider, whatever its API looks like: faults, load, secrets.

use std::fmt;

use chrono::TimeDelta;
use sessionql_core::{Engine, ExecuteOptions};
use sessionql_sandbox::faults::Faults;
use sessionql_sandbox::server::{Api, Server};
use sessionql_sandbox::{
    Clock, ekran, ekran_toml, formal, formal_toml, oam, oam_toml, openvpn, openvpn_toml,
};

use crate::{Answer, BEGIN, PATIENCE, engine, instant, run};

/// The secret of every provider: nobody can mistake it, and some of its characters are written
/// differently in JSON, in URLs and in forms.
pub const CANARY: &str = "canary-7Zq/+=\"&\\x9";

/// Rows of a page, where a provider has pages.
const PAGE: usize = 3;

/// A provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Three pages by cursor.
    Openvpn,
    /// Three pages by cursor, and the first one again.
    Formal,
    /// A search that finds more than it may show, and those that split it.
    Oam,
    /// All sessions at once, and two questions that show how the server selects.
    Ekran,
}

/// What every emulator can do.
pub trait Served: Send + Sync {
    /// Returns the plan of what goes wrong.
    fn faults(&self) -> &Faults;
    /// Returns how many data requests came since the start.
    fn n_requests(&self) -> usize;
    /// Returns the credentials that came with data requests, as they stood in their headers.
    fn credentials(&self) -> Vec<String>;
}

impl<A: Api> Served for Server<A> {
    fn faults(&self) -> &Faults {
        Self::faults(self)
    }

    fn n_requests(&self) -> usize {
        self.data_requests().len()
    }

    fn credentials(&self) -> Vec<String> {
        let requests = self.data_requests();
        let headers = requests.iter().flat_map(|request| {
            ["authorization", "x-api-key"].map(|name| request.header(name).map(str::to_owned))
        });
        headers.flatten().collect()
    }
}

/// An emulator of a provider with an engine that is connected to it.
pub struct ProviderWorld {
    /// The emulator.
    pub emulator: Box<dyn Served>,
    /// The engine.
    pub engine: Engine,
    /// The query that takes several requests.
    pub sql: &'static str,
    /// The configuration of the connection.
    pub config: String,
}

impl fmt::Debug for ProviderWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderWorld").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Provider {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Openvpn, Self::Formal, Self::Oam, Self::Ekran];

    /// Returns where the provider's answers hold their records, as a JSON pointer.
    pub fn records(self) -> &'static str {
        match self {
            Self::Openvpn | Self::Formal => "/sessions",
            Self::Oam => "/sessions/sessionData",
            Self::Ekran => "",
        }
    }

    /// Returns where the provider's answers hold the cursor, if it has pages.
    pub fn cursor(self) -> Option<&'static str> {
        match self {
            Self::Openvpn => Some("/nextCursor"),
            Self::Formal => Some("/listMetadata/nextCursor"),
            Self::Oam | Self::Ekran => None,
        }
    }

    /// Returns the field of a record that names the session.
    pub fn id_field(self) -> &'static str {
        match self {
            Self::Openvpn | Self::Formal => "id",
            Self::Oam => "sessionId",
            Self::Ekran => "sessionId",
        }
    }

    /// Starts a world; the connection has more keys, one a line.
    ///
    /// # Panics
    /// If no loopback socket is free.
    pub fn world(self, more: &str) -> ProviderWorld {
        let clock = Clock::fixed(instant(BEGIN));
        let (emulator, config, sql): (Box<dyn Served>, _, _) = match self {
            Self::Openvpn => {
                let options = openvpn::Options {
                    sessions: openvpn_sessions(),
                    client_secret: CANARY.to_owned(),
                    ..openvpn::Options::empty(clock.clone())
                };
                let emulator =
                    openvpn::Emulator::start(options).expect("a loopback socket is free");
                emulator.set_switches(|switches| switches.page_cap = Some(PAGE));
                let config = openvpn_toml(&emulator);
                (Box::new(emulator), config, "SELECT id, user, start, bytes_in FROM openvpn")
            }
            Self::Formal => {
                let options = formal::Options {
                    sessions: formal_sessions(),
                    api_key: CANARY.to_owned(),
                    ..formal::Options::empty(clock.clone())
                };
                let emulator = formal::Emulator::start(options).expect("a loopback socket is free");
                emulator.set_switches(|switches| switches.page_cap = Some(PAGE));
                let config = formal_toml(&emulator);
                (Box::new(emulator), config, "SELECT id, user, start FROM formal")
            }
            Self::Oam => {
                let options = oam::Options {
                    sessions: oam_sessions(),
                    password: CANARY.to_owned(),
                    ..oam::Options::empty(clock.clone())
                };
                let emulator = oam::Emulator::start(options).expect("a loopback socket is free");
                let config = oam_toml(&emulator);
                (Box::new(emulator), config, "SELECT id, user, start FROM oam WHERE user = 'hot'")
            }
            Self::Ekran => {
                let sessions = crate::ekran::crowd(clock.now());
                let options = ekran::Options {
                    sessions,
                    auth: ekran::Auth::Bearer { token: CANARY.to_owned() },
                    ..ekran::Options::empty(clock.clone())
                };
                let emulator = ekran::Emulator::start(options).expect("a loopback socket is free");
                let config = ekran_toml(&emulator);
                (Box::new(emulator), config, "SELECT DISTINCT user FROM ekran SINCE 75m")
            }
        };
        let config = format!("{config}{more}\n");
        let engine = engine(&config, &clock);
        ProviderWorld { emulator, engine, sql, config }
    }
}

impl ProviderWorld {
    /// Runs the query, with a deadline that no healthy run reaches.
    pub fn run(&self) -> Answer {
        self.run_with(ExecuteOptions { timeout: Some(PATIENCE), ..ExecuteOptions::default() })
    }

    /// Runs the query with these options; its rows come sorted.
    pub fn run_with(&self, options: ExecuteOptions) -> Answer {
        let mut answer = run(&self.engine, self.sql, &options);
        answer.rows.sort();
        answer
    }
}

fn openvpn_sessions() -> Vec<openvpn::SessionRecord> {
    let start = |n: i64| instant(BEGIN) - TimeDelta::hours(n + 1);
    (0..7).map(|n| openvpn::SessionRecord::active(&format!("s{n}"), "ann", start(n))).collect()
}

/// All but the newest have ended, one after another: the first page, read again, then shows that
/// nothing moved.
fn formal_sessions() -> Vec<formal::SessionRecord> {
    let start = |n: i64| instant(BEGIN) - TimeDelta::hours(n + 1);
    let ended = |n| {
        let end = start(n) + TimeDelta::minutes(5);
        formal::SessionRecord::completed(&format!("s{n}"), "ann", start(n), end)
    };
    let newest = formal::SessionRecord::active("s0", "ann", start(0));
    [newest].into_iter().chain((1..7).map(ended)).collect()
}

/// More sessions of one user than an answer holds, over several addresses.
fn oam_sessions() -> Vec<oam::SessionRecord> {
    (0..40)
        .map(|n| oam::SessionRecord {
            client_ip: Some(format!("192.0.2.{}", n % 2)),
            is_impersonating: Some(n % 5 == 0),
            ..oam::SessionRecord::new(
                &format!("hot-{n:03}"),
                "hot",
                crate::oam::minutes_ago(60 + n),
            )
        })
        .collect()
}

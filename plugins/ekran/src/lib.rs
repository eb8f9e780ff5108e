//! Reads user sessions from Ekran System (Syteca), installed on premises.
//! `options.rs` reads a connection's options, `table.rs` declares the columns and builds rows,
//! `record.rs` reads answers, `plan.rs` decides which bounds are sent, `scan.rs` reads what they
//! select, `window.rs` decides who was there on what is known of a session, `probe.rs` finds out
//! whether the server selects as it should.
//!
//! The API answers with all sessions at once, or with those that touch `start` and `end`, cut to
//! them: a bound that is sent changes values. The README tells when one is sent all the same.
//! Source: <https://documentation.ekransystem.com/view/4-1-2-sessions-get-endpoint>.

mod options;
mod plan;
mod probe;
mod record;
mod scan;
mod table;
mod window;

use sessionql_plugin_sdk::message::{
    BaseUrl, Connected, HttpRequest, Manifest, Pattern, Plan, Report, Request, ScanRequest,
};
use sessionql_plugin_sdk::{ErrorDocument, Host, Options, Provider, Result, export_provider};

use crate::options::Settings;

/// The one path that is read.
const SESSIONS: &str = "/ekranapi/sessions";

/// The largest answer that is taken, in bytes: all sessions of a large server come in one.
const MAX_BODY_BYTES: u64 = 64 << 30;

/// A connection to one server.
#[derive(Debug)]
pub struct Ekran {
    settings: Settings,
}

impl Provider for Ekran {
    fn manifest() -> Manifest {
        Manifest {
            name: "ekran".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: "Reads user sessions from Ekran System (Syteca) on premises.".to_owned(),
            base_url: BaseUrl {
                default: None,
                known_suffixes: vec![SESSIONS.to_owned(), "/ekranapi".to_owned()],
            },
            options: options::declare(),
            tables: vec![table::sessions().manifest()],
            patterns: vec![Pattern { max_body: Some(MAX_BODY_BYTES), ..Pattern::get(SESSIONS) }],
            ..Manifest::default()
        }
    }

    fn connect(options: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self { settings: Settings::read(options)? })
    }

    fn connected(&self) -> Connected {
        Connected { auth: Some(self.settings.auth.clone()), ..Connected::default() }
    }

    fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        Ok(plan::plan(&self.settings, request)?)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        scan::scan(&self.settings, host, scan)
    }
}

export_provider!(Ekran);

/// Returns the request for the sessions between two local times.
fn sessions_request(start: Option<&str>, end: Option<&str>) -> HttpRequest {
    let bounds = [("start", start), ("end", end)];
    bounds.into_iter().fold(HttpRequest::get(SESSIONS), |request, (name, bound)| match bound {
        Some(bound) => request.with_query(name, bound),
        None => request,
    })
}

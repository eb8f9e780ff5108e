//! Reads open sessions from Oracle Access Manager (OAM) 12c and 14c.
//! `options.rs` reads a connection's options, `table.rs` declares the columns, `plan.rs` decides
//! which searches answer a question, `search.rs` is one of them, `answer.rs` reads what comes back,
//! `split.rs` looks for what did not fit into an answer, `scan.rs` does all of it in order.
//!
//! The API gives 28 sessions at most, without a next page. So what matters here is to know when
//! these are not all; the README tells how that is known.
//! Source: <https://docs.oracle.com/en/middleware/idm/access-manager/14.1.2/orsnm/>.

mod answer;
mod options;
mod plan;
mod scan;
mod search;
mod split;
mod table;

use sessionql_plugin_sdk::message::{
    Auth, BaseUrl, HttpRequest, Manifest, Pattern, Plan, Report, Request, ScanRequest,
};
use sessionql_plugin_sdk::{ErrorDocument, Host, Options, Provider, Result, export_provider};

use crate::options::Settings;

/// The search. The path without its last letter creates and deletes sessions.
const SESSIONS_PATH: &str = "/oam/services/rest/access/api/v1/sessions";

/// Largest answer, in bytes. 28 sessions take some ten thousand.
const MAX_BODY_BYTES: u64 = 16 << 20;

/// What an answer may be.
const CONTENT_TYPES: &str = "application/json, application/xml";

/// A connection to one server.
#[derive(Debug)]
pub struct AccessManager {
    settings: Settings,
}

impl Provider for AccessManager {
    fn manifest() -> Manifest {
        Manifest {
            name: "oam".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: "Reads open sessions from Oracle Access Manager.".to_owned(),
            base_url: BaseUrl {
                default: None,
                known_suffixes: vec!["/oam/services/rest/access/api/v1".to_owned()],
            },
            options: options::declare(),
            auth: Auth::Basic { username: "username".to_owned(), password: "password".to_owned() },
            tables: vec![table::sessions().manifest()],
            patterns: vec![Pattern {
                method: "POST".to_owned(),
                path: SESSIONS_PATH.to_owned(),
                safe: true,
                max_body: Some(MAX_BODY_BYTES),
                content_type: CONTENT_TYPES.to_owned(),
                ..Pattern::default()
            }],
            ..Manifest::default()
        }
    }

    fn connect(options: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self { settings: Settings::read(options)? })
    }

    fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        Ok(plan::plan(request)?)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        scan::scan(&self.settings, host, scan)
    }
}

export_provider!(AccessManager);

/// Returns a search with these criteria, which are a JSON object.
fn request(criteria: String) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        path: SESSIONS_PATH.to_owned(),
        headers: vec![
            ("accept".to_owned(), "application/json".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
        body: Some(criteria),
        ..HttpRequest::default()
    }
}

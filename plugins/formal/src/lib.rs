//! Reads sessions from Formal, the access proxy for databases, APIs and infrastructure.
//! `options.rs` reads a connection's options, `table.rs` declares the columns, `plan.rs` decides
//! which requests answer a question, `scan.rs` sends them, `pages.rs` follows the pages of a listing,
//! `order.rs` tells what may have moved meanwhile, `refusal.rs` reads errors.
//!
//! The API is a Connect service whose answers are protobuf's JSON. Which of a session's times it
//! filters on is not documented, so little is asked of it; the README tells what is sent for which.
//! Source: the API reference of `core.v1.SessionsService`; <https://connectrpc.com/docs/protocol>.

mod options;
mod order;
mod pages;
mod plan;
mod refusal;
mod scan;
mod table;

use sessionql_plugin_sdk::message::{
    Auth, BaseUrl, Connected, HttpRequest, Manifest, Pattern, Plan, Report, Request, ScanRequest,
};
use sessionql_plugin_sdk::{ErrorDocument, Host, Options, Provider, Result, export_provider};

use crate::options::Settings;

/// Lists sessions, page by page.
const LIST: &str = "/core.v1.SessionsService/ListSessionsV2";

/// Returns one session by its id.
const GET: &str = "/core.v1.SessionsService/GetSession";

/// A connection to one Formal organisation.
#[derive(Debug)]
pub struct Formal {
    settings: Settings,
}

impl Provider for Formal {
    fn manifest() -> Manifest {
        Manifest {
            name: "formal".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: "Reads sessions from Formal, the access proxy.".to_owned(),
            base_url: BaseUrl {
                default: Some("https://api.joinformal.com".to_owned()),
                known_suffixes: vec![LIST.to_owned(), "/core.v1.SessionsService".to_owned()],
            },
            options: options::declare(),
            auth: auth(false),
            tables: vec![table::sessions(&Settings::default()).manifest()],
            patterns: vec![reading(LIST), reading(GET)],
            ..Manifest::default()
        }
    }

    fn connect(options: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self { settings: Settings::read(options)? })
    }

    fn connected(&self) -> Connected {
        Connected {
            tables: Some(vec![table::sessions(&self.settings).manifest()]),
            auth: Some(auth(self.settings.sends_bearer)),
            ..Connected::default()
        }
    }

    fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        Ok(plan::plan(&self.settings, request)?)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        scan::scan(&self.settings, host, scan)
    }
}

export_provider!(Formal);

fn auth(sends_bearer: bool) -> Auth {
    let value = "api_key".to_owned();
    match sends_bearer {
        true => Auth::Bearer { token: value },
        false => Auth::Header { header: "X-API-KEY".to_owned(), value },
    }
}

/// Both calls are declared free of side effects by the service itself, so a POST may be repeated.
fn reading(path: &str) -> Pattern {
    Pattern { method: "POST".to_owned(), ..Pattern::get(path) }
}

/// Returns a call with its message as JSON.
fn call(path: &str, message: &serde_json::Value) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Some(message.to_string()),
        ..HttpRequest::default()
    }
}

//! Reads VPN sessions from OpenVPN CloudConnexa (OpenVPN Cloud).
//! `options.rs` reads a connection's options, `table.rs` declares the columns, `plan.rs` decides
//! which chains of pages answer a question, `scan.rs` reads them.
//!
//! The API filters on when a *record* was created or updated, SQL on when a *session* began or
//! ended. So no time filter is exact here; the README tells what is sent for which.
//! Source: <https://openvpn.net/cloud-docs/developer/>, sections "API beta v0.16.0" and "API v1".

mod options;
mod plan;
mod scan;
mod table;

use sessionql_plugin_sdk::message::{
    Auth, BaseUrl, Connected, CredentialPlacement, HttpRequest, Manifest, Pattern, Plan, Rate,
    Report, Request, ScanRequest,
};
use sessionql_plugin_sdk::{ErrorDocument, Host, Options, Provider, Result, export_provider};

use crate::options::{ApiVersion, Settings};

/// A connection to one CloudConnexa account.
#[derive(Debug)]
pub struct CloudConnexa {
    settings: Settings,
}

impl Provider for CloudConnexa {
    fn manifest() -> Manifest {
        Manifest {
            name: "openvpn".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: "Reads VPN sessions from OpenVPN CloudConnexa.".to_owned(),
            base_url: BaseUrl {
                default: None,
                known_suffixes: vec!["/api/beta".to_owned(), "/api/v1".to_owned()],
            },
            options: options::declare(),
            auth: auth(ApiVersion::Beta, CredentialPlacement::Query),
            tables: vec![table::sessions(&Settings::default()).manifest()],
            patterns: vec![pattern(ApiVersion::Beta), pattern(ApiVersion::V1)],
            ..Manifest::default()
        }
    }

    fn connect(options: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self { settings: Settings::read(options)? })
    }

    fn connected(&self) -> Connected {
        let Settings { version, placement, .. } = self.settings;
        Connected {
            tables: Some(vec![table::sessions(&self.settings).manifest()]),
            auth: Some(auth(version, placement)),
            patterns: Some(vec![pattern(version)]),
            notes: Vec::new(),
        }
    }

    fn plan(&self, request: &Request) -> Result<Plan, ErrorDocument> {
        Ok(plan::plan(&self.settings, request)?)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        scan::scan(&self.settings, host, scan)
    }
}

export_provider!(CloudConnexa);

fn auth(version: ApiVersion, placement: CredentialPlacement) -> Auth {
    Auth::OAuth2ClientCredentials {
        token_path: format!("{}/oauth/token", version.root()),
        client_id: "client_id".to_owned(),
        client_secret: "client_secret".to_owned(),
        placement,
        scope: None,
    }
}

/// The one request. Its rate is the one that the vendor's support gives for an API key.
fn pattern(version: ApiVersion) -> Pattern {
    let rate = Rate { burst: 20, refill: 1, per_ms: 15_000 };
    Pattern { rate: Some(rate), ..Pattern::get(sessions_path(version)) }
}

fn sessions_path(version: ApiVersion) -> String {
    format!("{}/sessions", version.root())
}

/// Returns a request for sessions without any parameter.
fn sessions_request(version: ApiVersion) -> HttpRequest {
    HttpRequest::get(sessions_path(version))
}

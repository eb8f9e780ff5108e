//! The smallest useful SessionQL plugin: one table, read by cursor from a tiny JSON API.
//! It plans nothing: every question reads all sessions and the host filters them. Slow but right.

use sessionql_plugin_sdk::message::{HttpRequest, Manifest, Pattern, Report, ScanRequest};
use sessionql_plugin_sdk::{
    Column, Cursors, ErrorDocument, Host, Options, Provider, Result, Table, export_provider,
};

/// A connection. There are no options, so there is nothing to keep.
#[derive(Debug)]
pub struct Minimal;

/// Declares the table: the names and types for SQL, and where the values are in a record.
fn sessions() -> Table {
    Table::new("sessions", "One session.").main().time("start", "end").primary_key(["id"]).columns(
        [
            Column::text("id", "id").required().doc("The session's id."),
            Column::text("user", "user").doc("Who it was."),
            Column::timestamp("start", "start").doc("When it began."),
            Column::timestamp("end", "end").doc("When it ended; NULL means that it is open."),
        ],
    )
}

impl Provider for Minimal {
    fn manifest() -> Manifest {
        Manifest {
            name: "minimal".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            doc: "Reads sessions from a tiny JSON API.".to_owned(),
            tables: vec![sessions().manifest()],
            patterns: vec![Pattern::get("/sessions")],
            ..Manifest::default()
        }
    }

    fn connect(_options: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self)
    }

    fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
        let table = sessions();
        let mut rows = table.rows(host, &scan.request)?;
        let mut cursors = Cursors::default();
        let mut request = HttpRequest::get("/sessions");
        loop {
            let page = rows.decode(host.http(&request)?, "sessions")?;
            let Some(cursor) = cursors.follow(page.text("next")?)? else { return rows.report() };
            request = HttpRequest::get("/sessions").with_query("cursor", cursor);
        }
    }
}

export_provider!(Minimal);

//! Everything that a SessionQL plugin needs: implement [`Provider`], call [`export_provider!`].
//!
//! A plugin decides which HTTP requests answer a question about one kind of provider and reads the
//! answers into rows. The host sends the requests, waits, retries, authenticates and limits. So a
//! plugin is straight-line blocking code without sockets, threads, secrets or clocks:
//!
//! ```
//! use sessionql_plugin_sdk::message::{HttpRequest, Manifest, Pattern, Report, ScanRequest};
//! use sessionql_plugin_sdk::{Column, ErrorDocument, Host, Options, Provider, Result, Table};
//!
//! struct Doors;
//!
//! fn visits() -> Table {
//!     Table::new("visits", "One stay in the building.").main().time("start", "end").columns([
//!         Column::text("id", "number").required().doc("The visit's number."),
//!         Column::text("user", "badge.owner").doc("Who came."),
//!         Column::timestamp("start", "in").doc("When they came."),
//!         Column::timestamp("end", "out").doc("When they left; NULL means still inside."),
//!     ])
//! }
//!
//! impl Provider for Doors {
//!     fn manifest() -> Manifest {
//!         Manifest {
//!             name: "doors".to_owned(),
//!             tables: vec![visits().manifest()],
//!             patterns: vec![Pattern::get("/visits")],
//!             ..Manifest::default()
//!         }
//!     }
//!
//!     fn connect(_: &Options) -> Result<Self, ErrorDocument> {
//!         Ok(Self)
//!     }
//!
//!     fn scan(&self, host: &Host<'_>, scan: &ScanRequest) -> Result<Report> {
//!         let table = visits();
//!         let mut rows = table.rows(host, &scan.request)?;
//!         rows.decode(host.http(&HttpRequest::get("/visits"))?, "visits")?;
//!         rows.report()
//!     }
//! }
//!
//! sessionql_plugin_sdk::export_provider!(Doors);
//! # fn main() {}
//! ```
//!
//! Where to look: [`table`] declares tables, [`rows`] reads JSON into them, [`xml`] turns XML into
//! the like, [`filters`] and [`time`] help to plan, [`Cursors`] follows pages, [`testing`] runs a
//! plugin without a host, and [`check`] holds it against the rules that every plugin must keep.

pub mod check;
pub mod cursors;
pub mod error;
pub mod export;
pub mod filters;
pub mod host;
pub mod options;
pub mod pages;
pub mod plans;
pub mod proto;
pub mod provider;
pub mod rows;
pub mod table;
pub mod testing;
pub mod time;
pub mod xml;
pub mod zone;

pub use cursors::Cursors;
pub use error::{Error, Result};
pub use host::{Host, Refusal, Response};
pub use pages::{Pages, Paging};
pub use provider::{Options, Provider};
pub use rows::{Page, Rows};
pub use sessionql_plugin_abi::ffi::Level;
pub use sessionql_plugin_abi::{ErrorDocument, Reason, WireError, ffi, message};
pub use table::{ClosedEnd, Column, Table};
pub use time::Timestamp;
pub use zone::Zone;
pub use {arrow_array, arrow_schema};

//! Everything that a SessionQL plugin needs: implement [`Provider`], call [`export_provider!`].
//!
//! A plugin decides which HTTP requests answer a question about one kind of provider and reads the
//! answers into rows. The host sends the requests, waits, retries, authenticates and limits. So a
//! plugin is straight-line blocking code without sockets, threads, secrets or clocks:
//!
//! ```
//! use sessionql_plugin_sdk::message::{HttpRequest, Manifest, Pattern, Report, ScanRequest};
//! use sessionql_plugin_sdk::{
//!     Column, ErrorDocument, Host, Options, Paging, Provider, Result, Table,
//! };
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
//!         let paging = Paging::cursor("next", "cursor");
//!         rows.read_pages(&HttpRequest::get("/visits"), &paging, "visits")?;
//!         rows.report()
//!     }
//! }
//!
//! sessionql_plugin_sdk::export_provider!(Doors);
//!
//! # use sessionql_plugin_sdk::message::Request;
//! # use sessionql_plugin_sdk::testing::{FakeHost, Reply};
//! # use serde_json::{Value, json};
//! # fn main() {
//! // A test plays the API.
//! let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
//! let columns = vec!["user".to_owned(), "end".to_owned()];
//! let request = Request { columns, ..Request::default() };
//! let scan = host.scan(&request, &Value::Null, |request| {
//!     Reply::json(&match request.query.is_empty() {
//!         true => json!({"visits": [{"number": 1, "badge": {"owner": "ann"}}], "next": "b7"}),
//!         false => json!({"visits": [{"number": 2, "out": "2026-01-05T10:00:00+01:00"}]}),
//!     })
//! });
//! assert_eq!(scan.request_lines(), ["GET /visits", "GET /visits?cursor=b7"]);
//! assert_eq!(json!(scan.rows()), json!([["ann", null], [null, "2026-01-05T09:00:00Z"]]));
//! # }
//! ```
//!
//! - **The trait.** [`Provider`] has two functions to write, [`scan`](Provider::scan) and what
//!   describes the plugin; [`plan`](Provider::plan) comes when every question reading everything is
//!   too slow. [`options`] declares what a connection can be set to.
//! - **The table.** [`Table`] and [`Column`] say for queries what there is and for reading where it
//!   is, with types, sentences, possible values, and the filters that `plan` wants to see.
//! - **Pages.** [`Paging`] names the API's style: a cursor in the body or a header, `Link`, page
//!   numbers, offsets, a single answer. It knows when pages end, and takes no other end for one.
//!   [`Pages`] gives the answers one by one to a plugin that has to look at them.
//! - **Decoding.** [`Rows`] reads JSON straight into Arrow arrays; [`xml::read`] makes of XML what
//!   [`Rows::decode_value`] reads. What cannot be read is an error that names request, record and
//!   field.
//! - **Time.** Columns read instants with any offset; [`Zone`] reads local times without one;
//!   [`filters`] turns conditions into spans of [`Timestamp`]s, and [`plans`] has what plans share.
//! - **The rest** is straight-line code on [`Host::http`], [`Rows::decode`] and `?`. What a plugin
//!   knows to be missing goes into the report as a gap: fewer rows without a word are the one
//!   thing that it must not do.
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

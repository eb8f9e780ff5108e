//! The JSON documents that cross the wall. Unknown fields are ignored on both sides.
//! Manifest and connection first, then request, plan, slice and report, then HTTP.

mod http;
mod manifest;
mod scan;

pub use http::{HttpRequest, ResponseHead};
pub use manifest::{
    Auth, BaseUrl, Column, ColumnType, Connected, ConnectionOption, CredentialPlacement,
    DECLARED_COLUMNS, FilterOp, HOST_COLUMNS, History, Io, Limits, Manifest, OptionType, Pattern,
    Rate, Table, TimeColumns,
};
pub use scan::{Bound, Estimate, Filter, Gap, Plan, Report, Request, ScanRequest, Value, Verdict};

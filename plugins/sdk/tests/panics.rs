//! Holds that panics in `connect` and in `Drop` stay inside. One test, for a panic poisons.

#![expect(clippy::panic, reason = "panicking is what is tested")]

use serde_json::json;
use sessionql_plugin_sdk::message::{Manifest, Report, Request, ScanRequest};
use sessionql_plugin_sdk::testing::FakeHost;
use sessionql_plugin_sdk::{ErrorDocument, Host, Options, Provider, Result, export_provider};

struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Provider for Fragile {
    fn manifest() -> Manifest {
        Manifest { name: "fragile".to_owned(), ..Manifest::default() }
    }

    fn connect(_: &Options) -> Result<Self, ErrorDocument> {
        Ok(Self)
    }

    fn scan(&self, _: &Host<'_>, _: &ScanRequest) -> Result<Report> {
        Ok(Report::default())
    }
}

export_provider!(Fragile);

#[test]
fn a_panic_in_drop_poisons_and_does_not_abort() {
    let host = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    assert!(host.plan(&Request::default()).is_ok());
    drop(host);
    let error = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap_err().errors.remove(0);
    assert!(error.panicked);
    assert!(error.message.contains("panicked earlier: dropped (plugins/sdk/tests/panics.rs:"));
}

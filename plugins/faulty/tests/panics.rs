//! Holds that a panic becomes an error and that the plugin says nothing else from then on.
//! In a program of its own, for no other test can use the plugin afterwards.

use serde_json::json;
use sessionql_faulty::sessionql_plugin_v1;
use sessionql_plugin_sdk::message::Request;
use sessionql_plugin_sdk::testing::FakeHost;

#[test]
fn a_panic_is_reported_and_remembered() {
    let guilty = FakeHost::connect(sessionql_plugin_v1, json!({"crime": "panic_in_plan"})).unwrap();
    let innocent = FakeHost::connect(sessionql_plugin_v1, json!({})).unwrap();
    assert!(innocent.plan(&Request::default()).is_ok());

    let error = guilty.plan(&Request::default()).unwrap_err().errors.remove(0);
    assert!(error.panicked);
    let begin = "the plugin panicked: a panic in plan, as asked (plugins/faulty/src/lib.rs:";
    assert!(error.message.starts_with(begin), "{}", error.message);

    let error = innocent.plan(&Request::default()).unwrap_err().errors.remove(0);
    assert!(error.panicked);
    assert!(error.message.starts_with("the plugin panicked earlier: a panic"), "{}", error.message);
    assert!(FakeHost::connect(sessionql_plugin_v1, json!({})).is_err());
}

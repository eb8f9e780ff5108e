//! Links several plugins into one program: their symbols must not clash and each is itself.

use serde_json::json;
use sessionql_plugin_sdk::testing::FakeHost;

#[test]
fn plugins_share_a_program() {
    let entries = [
        ("faulty", sessionql_faulty::sessionql_plugin_v1 as sessionql_plugin_sdk::export::Entry),
        ("minimal", sessionql_minimal::sessionql_plugin_v1),
        ("openvpn", sessionql_openvpn::sessionql_plugin_v1),
    ];
    for (name, entry) in entries {
        assert_eq!(entry(), entry(), "the table of {name} moves");
        let host = FakeHost::connect(entry, json!({"client_id": "me"})).unwrap();
        assert_eq!(host.manifest().name, name);
    }
}

//! Measures how fast pages become rows through the plugin's functions: `cargo bench -p sessionql-openvpn`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints what it measured and stops at what it did not expect"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use serde_json::json;
use sessionql_plugin_sdk::testing::Reply;

use support::{connect, request};

fn main() {
    let records: Vec<_> = (0..8000)
        .map(|n| {
            json!({
                "bytesIn": n * 1000, "bytesOut": n * 77, "clientUUID": format!("6f1a0c2e-8a51-4b0e-{n:012}"),
                "connectorId": null, "connectorName": null, "deviceId": format!("device-{n}"),
                "deviceName": "ada's laptop", "disconnectReason": "CLIENT_DISCONNECT",
                "email": format!("user{n}@example.com"), "firstName": "Ada", "hostId": null,
                "hostName": null, "id": format!("{n:024x}"), "lastName": "Example", "networkId": null,
                "networkName": null, "osType": "LINUX", "osVersion": "6.8.0", "protocol": "UDP",
                "publicIp": "192.0.2.17", "region": "eu-central-1", "sessionDurationSeconds": 3600,
                "sessionEndTime": "2026-03-09T11:00:00.250Z", "sessionStartTime": "2026-03-09T10:00:00.250Z",
                "status": "COMPLETED", "tunnelIpV4": "100.96.0.2", "tunnelIpV6": "fd:0:0:8101::2",
                "userGroup": "staff", "userId": format!("user-{n}"), "userName": format!("user{n}"),
            })
        })
        .collect();
    let body = json!({ "sessions": records }).to_string();
    let host = connect(json!({}));
    let all: Vec<_> = host.tables()[0].columns.iter().map(|column| column.name.clone()).collect();
    let without_raw = all[..all.len() - 1].to_vec();
    for (what, columns) in [("id", vec!["id".to_owned()]), ("*", without_raw), ("* and raw", all)] {
        let mut request = request(json!([]));
        request.columns = columns;
        let slice = host.plan(&request).unwrap().slices.remove(0);
        let mut best = f64::MAX;
        for _ in 0..20 {
            let mut reply = Some(Reply::status(200, body.as_str()));
            let begin = Instant::now();
            let scan = host.scan(&request, &slice, |_| reply.take().unwrap());
            best = best.min(begin.elapsed().as_secs_f64());
            assert_eq!(scan.batches[0].num_rows(), 8000);
        }
        let (mb, rows) = (body.len() as f64 / best / 1e6, 8000.0 / best / 1e3);
        println!("{what}: {mb:.0} MB/s, {rows:.0} thousand rows/s");
    }
}

//! The table `sessions`: one row per session of a user's device or of a connector.
//! Source: the response schemas of `GET /api/beta/sessions` and `GET /api/v1/sessions`, which mark
//! no field as required.

use sessionql_plugin_sdk::message::{FilterOp, History};
use sessionql_plugin_sdk::{ClosedEnd, Column, Table};

use crate::options::{ApiVersion, Settings};

/// Sessions in one page at most.
pub(crate) const PAGE_ROWS: u64 = 100;

/// The state of an open session.
pub(crate) const OPEN: &str = "ACTIVE";

/// The states that a session can be in, in the order in which they are asked for: a session that
/// closes in between is then seen twice, not never, and its first copy was right when it was read.
pub(crate) const STATES: [&str; 3] = [OPEN, "COMPLETED", "FAILED"];

/// Declares the table as a connection has it.
pub(crate) fn sessions(settings: &Settings) -> Table {
    let table = Table::new("sessions", "One VPN session of a user's device or of a connector.")
        .main()
        .primary_key(["id"])
        .has_duplicates()
        .time("start", "end")
        .takes_open_during()
        .page_size(PAGE_ROWS)
        .history(History::LastUs(settings.history_us))
        .closed_end(ClosedEnd {
            end: "end",
            start: "start",
            duration: Some("reported_duration"),
            status: "status",
            open: &[OPEN],
            closed: &["COMPLETED", "FAILED"],
        })
        .columns(common())
        .columns(own());
    let table = match settings.version {
        ApiVersion::Beta => table,
        ApiVersion::V1 => table.columns(added_by_v1()),
    };
    table.columns([Column::json("raw", "").hidden().doc("The record as the API sent it.")])
}

fn common() -> [Column; 6] {
    [
        Column::text("id", "id").required().doc("The session's id."),
        Column::text("user", "userName").doc("The user's name; NULL for a connector."),
        Column::timestamp("start", "sessionStartTime")
            .filters([FilterOp::Eq, FilterOp::Range])
            .doc("When the session began."),
        Column::timestamp("end", "sessionEndTime")
            .filters([FilterOp::Range])
            .doc("When the session ended; NULL means that it is open."),
        Column::text("status", "status")
            .values(STATES)
            .filters([FilterOp::Eq, FilterOp::In])
            .doc("Whether the session is open, has ended, or never came about."),
        Column::text("client_ip", "publicIp").doc("The address that the client came from."),
    ]
}

fn own() -> [Column; 24] {
    [
        Column::text("user_id", "userId").doc("The user's id."),
        Column::text("user_group", "userGroup").doc("The user's group."),
        Column::text("first_name", "firstName").doc("The user's first name."),
        Column::text("last_name", "lastName").doc("The user's last name."),
        Column::text("email", "email").doc("The user's email address."),
        Column::text("client_uuid", "clientUUID").doc("The id of the client's installation."),
        Column::text("device_id", "deviceId").doc("The user's device, by id."),
        Column::text("device_name", "deviceName").doc("The user's device."),
        Column::text("os_type", "osType").doc("The client's operating system."),
        Column::text("os_version", "osVersion").doc("The version of that system."),
        Column::text("connector_id", "connectorId").doc("The connector, by id."),
        Column::text("connector_name", "connectorName").doc("The connector; NULL for a user."),
        Column::text("host_id", "hostId").doc("The host that the connector serves, by id."),
        Column::text("host_name", "hostName").doc("The host that the connector serves."),
        Column::text("network_id", "networkId")
            .doc("The network that the connector serves, by id."),
        Column::text("network_name", "networkName").doc("The network that the connector serves."),
        Column::text("region", "region").doc("The region that the client connected to."),
        Column::text("protocol", "protocol").doc("The tunnel's protocol."),
        Column::text("tunnel_ip_v4", "tunnelIpV4").doc("The client's IPv4 address in the tunnel."),
        Column::text("tunnel_ip_v6", "tunnelIpV6").doc("The client's IPv6 address in the tunnel."),
        Column::text("disconnect_reason", "disconnectReason").doc("Why the session ended."),
        Column::int64("bytes_in", "bytesIn")
            .doc("Bytes received; the vendor does not say clearly by which side."),
        Column::int64("bytes_out", "bytesOut")
            .doc("Bytes sent; the vendor does not say clearly by which side."),
        Column::seconds("reported_duration", "sessionDurationSeconds")
            .doc("How long the session lasted, as the API reports it in whole seconds."),
    ]
}

fn added_by_v1() -> [Column; 3] {
    [
        Column::text("disconnect_reason_description", "disconnectReasonDescription")
            .doc("Why the session ended, in words."),
        Column::text("primary_group_name", "primaryGroupName").doc("The user's first group."),
        Column::text_list("secondary_group_names", "secondaryGroupNames")
            .doc("The user's other groups."),
    ]
}

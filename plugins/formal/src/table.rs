//! The table `sessions`: one row per session of a user on a resource behind Formal.
//! Source: the response schema of `ListSessionsV2` and `GetSession`. Protobuf's JSON leaves out what
//! is empty, so an absent field is NULL, whatever its type; only `id` must be there.

use sessionql_plugin_sdk::message::{FilterOp, History};
use sessionql_plugin_sdk::{ClosedEnd, Column, Table};

use crate::options::Settings;

/// Declares the table as a connection has it.
pub(crate) fn sessions(settings: &Settings) -> Table {
    Table::new("sessions", "One session of a user on a resource behind Formal.")
        .main()
        .primary_key(["id"])
        .has_duplicates()
        .time("start", "end")
        .takes_open_during()
        .page_size(settings.page_rows)
        .history(History::LastUs(settings.history_us))
        .closed_end(ClosedEnd {
            end: "end",
            start: "start",
            duration: Some("reported_duration"),
            status: "status",
            open: &["ACTIVE", "IDLE"],
            closed: &["COMPLETED"],
        })
        .columns(common())
        .columns(place())
        .columns(people())
        .columns([
            Column::text("parent_session_id", "parentSessionId").doc(
                "The session that this one is part of, by id; newer versions of the API alone.",
            ),
            Column::proto_duration("reported_duration", "duration")
                .doc("How long the session lasted, as the API reports it."),
            Column::json("raw", "").hidden().doc("The record as the API sent it."),
        ])
}

fn common() -> [Column; 6] {
    [
        Column::text("id", "id")
            .required()
            .filters([FilterOp::Eq, FilterOp::In])
            .doc("The session's id."),
        Column::text("user", "user.username").doc("The login as the proxy saw it."),
        Column::timestamp("start", "startTime")
            .filters([FilterOp::Eq, FilterOp::Range])
            .doc("When the session began."),
        Column::timestamp("end", "endTime")
            .filters([FilterOp::Eq, FilterOp::Range])
            .doc("When the session ended; NULL means that it is open."),
        // The set is open: `idle` came later. So its values are not listed as all there are.
        Column::text("status", "sessionStatus")
            .upper_case()
            .doc("`ACTIVE`, `IDLE` or `COMPLETED`, or whatever else the API may come to say."),
        Column::text("client_ip", "network.clientIpAddress")
            .doc("The address that the client came from."),
    ]
}

/// Where a session ran.
fn place() -> [Column; 10] {
    [
        Column::text("network_server_ip_address", "network.serverIpAddress")
            .doc("The address of the server."),
        Column::text("sidecar_id", "sidecar.id").doc("The sidecar, by id."),
        Column::text("sidecar_name", "sidecar.name")
            .doc("The sidecar that the session went through, before there were connectors."),
        Column::text("sidecar_technology", "sidecar.technology")
            .doc("What the sidecar speaks, such as `postgres`."),
        Column::text("resource_type", "resource.type")
            .doc("The kind of resource: `aws`, `datastore` or `instance`."),
        Column::text("resource_id", "resource.id").doc("The resource, by id."),
        Column::text("resource_name", "resource.name").doc("The resource that was used."),
        Column::text("resource_technology", "resource.technology")
            .doc("What the resource speaks, such as `postgres` or `ssh`."),
        Column::text("connector_id", "connector.id").doc("The connector, by id."),
        Column::text("connector_name", "connector.name")
            .doc("The connector that the session went through."),
    ]
}

/// Who a session is of.
fn people() -> [Column; 14] {
    [
        Column::text("user_type", "user.type")
            .doc("Whose login it is: `formal` or that of the resource, `native`."),
        Column::text("formal_user_id", "user.formal.user.id").doc("The user at Formal, by id."),
        Column::text("formal_user_name", "user.formal.user.name").doc("The user at Formal."),
        Column::text("formal_user_email", "user.formal.user.email")
            .doc("That user's email address."),
        Column::text("formal_user_type", "user.formal.user.type")
            .doc("Whether that user is `human` or `machine`."),
        Column::text_list("formal_user_groups", "user.formal.user.groups")
            .doc("That user's groups; NULL if there are none."),
        Column::text_list("formal_user_external_ids", "user.formal.user.externalIds")
            .doc("That user's ids elsewhere; NULL if there are none."),
        Column::text("end_user_id", "user.formal.endUser.id")
            .doc("Who is behind a machine user, by id."),
        Column::text("end_user_name", "user.formal.endUser.name")
            .doc("Who is behind a machine user, such as the user of a BI tool."),
        Column::text("end_user_email", "user.formal.endUser.email")
            .doc("That person's email address."),
        Column::text("end_user_type", "user.formal.endUser.type")
            .doc("Whether that is a `human` or a `machine`."),
        Column::text_list("end_user_groups", "user.formal.endUser.groups")
            .doc("That person's groups; NULL if there are none."),
        Column::text_list("end_user_external_ids", "user.formal.endUser.externalIds")
            .doc("That person's ids elsewhere; NULL if there are none."),
        Column::text("native_username", "user.native.username")
            .doc("The login at the resource itself."),
    ]
}

//! The table `sessions`: one row per session that is open now.
//! Source: the schema `SessionData` of `POST /oam/services/rest/access/api/v1/sessions`, which
//! requires `userId` alone; a session without an id could not be told from others, so that is
//! required here too.

use sessionql_plugin_sdk::message::{FilterOp, History};
use sessionql_plugin_sdk::{Column, Table};

/// Sessions in one answer at most. Source: "maximum of 28 sessions" in the API's reference.
pub(crate) const CAP: usize = 28;

/// The one state of a session that the API shows.
pub(crate) const OPEN: &str = "ACTIVE";

/// The columns that a search takes, each with the names of the body's fields.
pub(crate) mod field {
    /// `id` and `session_id`.
    pub(crate) const ID: &str = "sessionId";
    /// `user` and `user_id`.
    pub(crate) const USER: &str = "userId";
    /// `client_ip`.
    pub(crate) const CLIENT_IP: &str = "clientIp";
    /// `id_store_name`.
    pub(crate) const ID_STORE: &str = "idStoreName";
    /// `is_impersonating`.
    pub(crate) const IS_IMPERSONATING: &str = "isImpersonating";
}

/// Declares the table.
pub(crate) fn sessions() -> Table {
    Table::new("sessions", "One session of a user that is open now.")
        .main()
        .primary_key(["id"])
        .has_duplicates()
        .time("start", "end")
        .takes_open_during()
        .cap(CAP as u64)
        .history(History::Live)
        .columns(common())
        .columns(own())
        .columns([Column::json("raw", "")
            .hidden()
            .sensitive()
            .doc("The record as the API sent it; one sent as XML is shown as JSON of text.")])
}

fn common() -> [Column; 6] {
    [
        searched(Column::text("id", field::ID))
            .required()
            .sensitive()
            .lookup()
            .doc("The session's id, as good as a password while it is open."),
        searched(Column::text("user", field::USER)).required().lookup().doc("The user's login."),
        Column::timestamp("start", "createTime")
            .filters([FilterOp::Eq, FilterOp::In, FilterOp::Range])
            .doc("When the session began."),
        Column::timestamp("end", "")
            .absent()
            .filters([FilterOp::Eq, FilterOp::In, FilterOp::Range, FilterOp::IsNull])
            .doc("Always NULL: the API shows open sessions only."),
        Column::constant("status", OPEN)
            .values([OPEN])
            .filters([FilterOp::Eq, FilterOp::In])
            .doc("Always ACTIVE: the API shows open sessions only."),
        searched(Column::text("client_ip", field::CLIENT_IP))
            .lookup()
            .doc("The address that the user came from."),
    ]
}

fn own() -> [Column; 9] {
    [
        searched(Column::text("session_id", field::ID))
            .required()
            .sensitive()
            .lookup()
            .doc("The same as `id`."),
        searched(Column::text("user_id", field::USER))
            .required()
            .lookup()
            .doc("The same as `user`."),
        Column::text("session_index", "sessionIndex")
            .doc("What the session engine numbers the session by."),
        Column::timestamp("update_time", "updateTime").doc("When the session was last changed."),
        Column::timestamp("last_access_time", "lastAccessTime")
            .doc("When the user last did something; it moves while sessions are read."),
        Column::timestamp("expiry_time", "expiryTime").doc("When the session will expire."),
        searched(Column::text("id_store_name", field::ID_STORE))
            .doc("The identity store that knows the user."),
        searched(Column::bool("is_impersonating", field::IS_IMPERSONATING))
            .doc("Whether somebody acts as this user."),
        Column::json("user_attributes", "userAttributes")
            .doc("Names and values that were kept of the user."),
    ]
}

fn searched(column: Column) -> Column {
    column.filters([FilterOp::Eq, FilterOp::In])
}

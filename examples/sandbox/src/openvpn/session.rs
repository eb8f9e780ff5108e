//! One session as CloudConnexa records it, and the JSON that it shows of it.
//! In: fields set by a test or by `data.rs`. Out: `SessionRecord`, the truth; `write_json`, what a client sees.
//! Called by `store.rs`, which keeps the JSON. Fields are those of the published schemas, by their published names.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::ApiVersion;
use super::switches::{Missing, Switches};

/// The three states of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The tunnel is up.
    Active,
    /// The tunnel was up and is closed.
    Completed,
    /// The tunnel never came up.
    Failed,
}

impl Status {
    /// All of them, in the documented order.
    pub const ALL: [Self; 3] = [Self::Active, Self::Completed, Self::Failed];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// A session, with the times of its record, which are not shown but filtered on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// When the record was created: near the session's start, but another time.
    pub created_at: DateTime<Utc>,
    /// When the record was last changed; equal to `created_at` if never.
    pub updated_at: DateTime<Utc>,
    /// Changes before the last one.
    pub earlier_updates: Vec<DateTime<Utc>>,
    /// `id`, unique.
    pub id: String,
    /// `status`.
    pub status: Status,
    /// `sessionStartTime`.
    pub start: Option<DateTime<Utc>>,
    /// `sessionEndTime`; none while active.
    pub end: Option<DateTime<Utc>>,
    /// `sessionDurationSeconds`.
    pub duration_seconds: Option<i64>,
    /// `bytesIn`.
    pub bytes_in: Option<i64>,
    /// `bytesOut`.
    pub bytes_out: Option<i64>,
    /// `disconnectReason`; none while active.
    pub disconnect_reason: Option<String>,
    /// `disconnectReasonDescription`, version 1 only.
    pub disconnect_reason_description: Option<String>,
    /// `userId`; like all that is the user's, none for a connector.
    pub user_id: Option<String>,
    /// `userName`, the login.
    pub user_name: Option<String>,
    /// `userGroup`.
    pub user_group: Option<String>,
    /// `primaryGroupName`, version 1 only.
    pub primary_group_name: Option<String>,
    /// `secondaryGroupNames`, version 1 only.
    pub secondary_group_names: Option<Vec<String>>,
    /// `firstName`.
    pub first_name: Option<String>,
    /// `lastName`.
    pub last_name: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// `clientUUID`.
    pub client_uuid: Option<String>,
    /// `deviceId`; like all that is the device's, none for a connector.
    pub device_id: Option<String>,
    /// `deviceName`.
    pub device_name: Option<String>,
    /// `osType`.
    pub os_type: Option<String>,
    /// `osVersion`.
    pub os_version: Option<String>,
    /// `connectorId`; none for a person.
    pub connector_id: Option<String>,
    /// `connectorName`.
    pub connector_name: Option<String>,
    /// `hostId`, of the host that the connector connects.
    pub host_id: Option<String>,
    /// `hostName`.
    pub host_name: Option<String>,
    /// `networkId`, of the network that the connector connects.
    pub network_id: Option<String>,
    /// `networkName`.
    pub network_name: Option<String>,
    /// `region`.
    pub region: Option<String>,
    /// `protocol`.
    pub protocol: Option<String>,
    /// `publicIp`.
    pub public_ip: Option<String>,
    /// `tunnelIpV4`.
    pub tunnel_ip_v4: Option<String>,
    /// `tunnelIpV6`.
    pub tunnel_ip_v6: Option<String>,
}

impl SessionRecord {
    /// Returns a record with an id, a status and a start, created at the start and otherwise empty.
    pub fn new(id: &str, status: Status, start: DateTime<Utc>) -> Self {
        Self {
            created_at: start,
            updated_at: start,
            earlier_updates: Vec::new(),
            id: id.to_owned(),
            status,
            start: Some(start),
            end: None,
            duration_seconds: None,
            bytes_in: None,
            bytes_out: None,
            disconnect_reason: None,
            disconnect_reason_description: None,
            user_id: None,
            user_name: None,
            user_group: None,
            primary_group_name: None,
            secondary_group_names: None,
            first_name: None,
            last_name: None,
            email: None,
            client_uuid: None,
            device_id: None,
            device_name: None,
            os_type: None,
            os_version: None,
            connector_id: None,
            connector_name: None,
            host_id: None,
            host_name: None,
            network_id: None,
            network_name: None,
            region: None,
            protocol: None,
            public_ip: None,
            tunnel_ip_v4: None,
            tunnel_ip_v6: None,
        }
    }

    /// Returns a user's session that is still open.
    pub fn active(id: &str, user: &str, start: DateTime<Utc>) -> Self {
        Self { user_name: Some(user.to_owned()), ..Self::new(id, Status::Active, start) }
    }

    /// Returns a user's session that is over; its record was last updated at its end.
    pub fn completed(id: &str, user: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        let mut record = Self::active(id, user, start);
        record.close(end);
        record.earlier_updates.clear();
        record
    }

    /// Returns a user's session that failed at once: its end is its start.
    pub fn failed(id: &str, user: &str, at: DateTime<Utc>) -> Self {
        Self {
            status: Status::Failed,
            disconnect_reason: Some("AUTHENTICATION_FAILED".to_owned()),
            ..Self::completed(id, user, at, at)
        }
    }

    /// Completes the session at `end`, which is also when its record is updated.
    pub fn close(&mut self, end: DateTime<Utc>) {
        self.status = Status::Completed;
        self.end = Some(end);
        self.duration_seconds = self.start.map(|start| (end - start).num_seconds());
        self.disconnect_reason.get_or_insert_with(|| "USER_DISCONNECT".to_owned());
        self.touch(end);
    }

    /// Notes an update of the record at `instant`.
    pub fn touch(&mut self, instant: DateTime<Utc>) {
        self.earlier_updates.push(self.updated_at);
        self.updated_at = instant;
    }

    /// Writes the record as a JSON object, fields in the order of the published schema.
    pub(super) fn write_json(&self, version: ApiVersion, switches: &Switches) -> String {
        let end = if hides_end(&self.id, switches) { None } else { self.end };
        let mut json = Json { text: String::with_capacity(1024), switches };
        json.number("bytesIn", self.bytes_in);
        json.number("bytesOut", self.bytes_out);
        json.text("clientUUID", self.client_uuid.as_deref());
        json.text("connectorId", self.connector_id.as_deref());
        json.text("connectorName", self.connector_name.as_deref());
        json.text("deviceId", self.device_id.as_deref());
        json.text("deviceName", self.device_name.as_deref());
        json.text("disconnectReason", self.disconnect_reason.as_deref());
        if version == ApiVersion::V1 {
            let description = self.disconnect_reason_description.as_deref();
            json.text("disconnectReasonDescription", description);
        }
        json.text("email", self.email.as_deref());
        json.text("firstName", self.first_name.as_deref());
        json.text("hostId", self.host_id.as_deref());
        json.text("hostName", self.host_name.as_deref());
        json.text("id", Some(&self.id));
        json.text("lastName", self.last_name.as_deref());
        json.text("networkId", self.network_id.as_deref());
        json.text("networkName", self.network_name.as_deref());
        json.text("osType", self.os_type.as_deref());
        json.text("osVersion", self.os_version.as_deref());
        if version == ApiVersion::V1 {
            json.text("primaryGroupName", self.primary_group_name.as_deref());
        }
        json.text("protocol", self.protocol.as_deref());
        json.text("publicIp", self.public_ip.as_deref());
        json.text("region", self.region.as_deref());
        if version == ApiVersion::V1 {
            let names = self.secondary_group_names.clone();
            json.member("secondaryGroupNames", names.map(Value::from));
        }
        json.number("sessionDurationSeconds", self.duration_seconds);
        json.text("sessionEndTime", end.map(iso_instant).as_deref());
        json.text("sessionStartTime", self.start.map(iso_instant).as_deref());
        json.text("status", Some(self.status.as_str()));
        json.text("tunnelIpV4", self.tunnel_ip_v4.as_deref());
        json.text("tunnelIpV6", self.tunnel_ip_v6.as_deref());
        json.text("userGroup", self.user_group.as_deref());
        json.text("userId", self.user_id.as_deref());
        json.text("userName", self.user_name.as_deref());
        json.finish()
    }
}

/// Writes an instant in ISO_INSTANT form: a fraction only where there is one.
pub(super) fn iso_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Returns whether a record is one of those that are shown without an end.
fn hides_end(id: &str, switches: &Switches) -> bool {
    let sum = id.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    switches.closed_without_end.is_some_and(|every| sum.is_multiple_of(every.max(1)))
}

/// An object that is being written.
struct Json<'a> {
    text: String,
    switches: &'a Switches,
}

impl Json<'_> {
    fn member(&mut self, name: &str, value: Option<Value>) {
        let value = match (value, self.switches.missing) {
            (Some(value), _) => value,
            (None, Missing::Null) => Value::Null,
            (None, Missing::Absent) => return,
        };
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        self.text.push_str(&format!("\"{name}\":{value}"));
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        self.member(name, value.map(Value::from));
    }

    fn number(&mut self, name: &str, value: Option<i64>) {
        if self.switches.numbers_as_text {
            self.member(name, value.map(|number| number.to_string().into()));
        } else {
            self.member(name, value.map(Value::from));
        }
    }

    fn finish(mut self) -> String {
        // There is always an id, so the object has been opened.
        self.text.push('}');
        self.text
    }
}

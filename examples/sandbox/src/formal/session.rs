//! One session as Formal records it, and the JSON that it shows of it.
//! In: fields set by a test or by `data.rs`. Out: `SessionRecord`, the truth; `to_json`, what a client sees.
//! Fields are those of `SessionObject`. What is empty is left out, as protobuf's JSON does: an empty text, an empty
//! list, an object with nothing in it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::switches::{Proxy, Switches};

/// The states of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is open.
    Active,
    /// It is open and nothing happens in it.
    Idle,
    /// It is over.
    Completed,
}

impl Status {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Completed => "completed",
        }
    }
}

/// A user at Formal; an empty text or list is one that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `id`.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `email`.
    pub email: String,
    /// `type`, `human` or `machine`.
    pub kind: String,
    /// `groups`.
    pub groups: Vec<String>,
    /// `externalIds`.
    pub external_ids: Vec<String>,
}

/// Something with an id and a name: a sidecar, a resource or a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thing {
    /// `id`.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `technology`; connectors show none.
    pub technology: String,
}

/// A session. An empty text is one that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// `id`, unique.
    pub id: String,
    /// `sessionStatus`.
    pub status: Status,
    /// `startTime`.
    pub start: Option<DateTime<Utc>>,
    /// `endTime`; none while it is open.
    pub end: Option<DateTime<Utc>>,
    /// When something last happened in it; not shown, but maybe filtered on.
    pub last_event: DateTime<Utc>,
    /// `duration`.
    pub duration: Option<TimeDelta>,
    /// `network.clientIpAddress`.
    pub client_ip: String,
    /// `network.serverIpAddress`.
    pub server_ip: String,
    /// `sidecar`.
    pub sidecar: Thing,
    /// `user.type`.
    pub user_type: String,
    /// `user.username`.
    pub username: String,
    /// `user.formal.user`.
    pub user: Identity,
    /// `user.formal.endUser`.
    pub end_user: Identity,
    /// `user.native.username`.
    pub native_username: String,
    /// `resource.type`.
    pub resource_type: String,
    /// The rest of `resource`.
    pub resource: Thing,
    /// `connector`.
    pub connector: Thing,
    /// `parentSessionId`.
    pub parent_session_id: String,
}

impl SessionRecord {
    /// Returns a user's session that is still open and in which nothing happened since its start.
    pub fn active(id: &str, username: &str, start: DateTime<Utc>) -> Self {
        Self {
            id: id.to_owned(),
            status: Status::Active,
            start: Some(start),
            end: None,
            last_event: start,
            duration: None,
            client_ip: String::new(),
            server_ip: String::new(),
            sidecar: Thing::default(),
            user_type: String::new(),
            username: username.to_owned(),
            user: Identity::default(),
            end_user: Identity::default(),
            native_username: String::new(),
            resource_type: String::new(),
            resource: Thing::default(),
            connector: Thing::default(),
            parent_session_id: String::new(),
        }
    }

    /// Returns a user's session that is open and idle.
    pub fn idle(id: &str, username: &str, start: DateTime<Utc>) -> Self {
        Self { status: Status::Idle, ..Self::active(id, username, start) }
    }

    /// Returns a user's session that is over.
    pub fn completed(id: &str, username: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        let mut record = Self::active(id, username, start);
        record.close(end);
        record
    }

    /// Completes the session at `end`, the last thing that happens in it.
    pub fn close(&mut self, end: DateTime<Utc>) {
        self.status = Status::Completed;
        self.end = Some(end);
        self.duration = self.start.map(|start| end - start);
        self.last_event = self.last_event.max(end);
    }

    /// Returns whether it is shown without its end although it has one.
    pub fn hides_end(&self, switches: &Switches) -> bool {
        let bytes = self.id.bytes();
        let sum = bytes.fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.status == Status::Completed
            && switches.completed_without_end.is_some_and(|every| sum.is_multiple_of(every.max(1)))
    }

    /// Returns the state that it is shown in.
    pub fn shown_status(&self, switches: &Switches) -> Status {
        match self.status {
            Status::Idle if !switches.knows_idle => Status::Active,
            status => status,
        }
    }

    /// Returns the record as a JSON object, fields in the order of their numbers.
    pub(super) fn to_json(&self, switches: &Switches) -> Value {
        let mut json = Object::default();
        json.text("id", &self.id);
        json.instant("startTime", self.start);
        json.instant("endTime", self.end.filter(|_| !self.hides_end(switches)));
        let duration = self.duration.filter(|_| switches.shows_duration);
        json.text("duration", &duration.map(proto_duration).unwrap_or_default());
        json.text("sessionStatus", self.shown_status(switches).as_str());
        json.object("network", |network| {
            network.text("clientIpAddress", &self.client_ip);
            network.text("serverIpAddress", &self.server_ip);
        });
        let nothing = Thing::default();
        let either = if self.sidecar == nothing { &self.connector } else { &self.sidecar };
        let (sidecar, connector) = match switches.proxy {
            Proxy::AsRecorded => (&self.sidecar, &self.connector),
            Proxy::Sidecar => (either, &nothing),
            Proxy::Connector => (&nothing, either),
        };
        json.object("sidecar", |json| json.thing(sidecar));
        json.object("user", |json| {
            json.text("type", &self.user_type);
            json.text("username", &self.username);
            json.object("formal", |json| {
                json.object("user", |json| json.identity(&self.user));
                json.object("endUser", |json| json.identity(&self.end_user));
            });
            json.object("native", |json| json.text("username", &self.native_username));
        });
        json.object("resource", |json| {
            json.text("type", &self.resource_type);
            json.thing(&self.resource);
        });
        json.object("connector", |json| {
            json.text("id", &connector.id);
            json.text("name", &connector.name);
        });
        if switches.knows_parents {
            json.text("parentSessionId", &self.parent_session_id);
        }
        if switches.unknown_fields {
            json.text("riskLevel", "low");
            json.object("labels", |labels| labels.text("id", "not the session's"));
        }
        Value::Object(json.members)
    }
}

/// Writes a duration as protobuf's JSON does: 0, 3, 6 or 9 digits of fraction.
fn proto_duration(duration: TimeDelta) -> String {
    let sign = if duration < TimeDelta::zero() { "-" } else { "" };
    let (seconds, nanos) = (duration.abs().num_seconds(), duration.abs().subsec_nanos());
    match (nanos, nanos % 1_000_000, nanos % 1_000) {
        (0, ..) => format!("{sign}{seconds}s"),
        (_, 0, _) => format!("{sign}{seconds}.{:03}s", nanos / 1_000_000),
        (_, _, 0) => format!("{sign}{seconds}.{:06}s", nanos / 1_000),
        _ => format!("{sign}{seconds}.{nanos:09}s"),
    }
}

/// An object that takes only what is not empty.
#[derive(Default)]
struct Object {
    members: Map<String, Value>,
}

impl Object {
    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.members.insert(name.to_owned(), text.into());
        }
    }

    fn texts(&mut self, name: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.members.insert(name.to_owned(), texts.to_vec().into());
        }
    }

    fn instant(&mut self, name: &str, instant: Option<DateTime<Utc>>) {
        let text = instant.map(|instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        self.text(name, &text.unwrap_or_default());
    }

    fn object(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        if !inner.members.is_empty() {
            self.members.insert(name.to_owned(), Value::Object(inner.members));
        }
    }

    fn thing(&mut self, thing: &Thing) {
        self.text("id", &thing.id);
        self.text("name", &thing.name);
        self.text("technology", &thing.technology);
    }

    fn identity(&mut self, identity: &Identity) {
        self.text("id", &identity.id);
        self.text("name", &identity.name);
        self.text("email", &identity.email);
        self.text("type", &identity.kind);
        self.texts("groups", &identity.groups);
        self.texts("externalIds", &identity.external_ids);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_no_more_digits_than_they_need() {
        for (duration, text) in [
            (TimeDelta::seconds(3), "3s"),
            (TimeDelta::milliseconds(3500), "3.500s"),
            (TimeDelta::microseconds(-1), "-0.000001s"),
            (TimeDelta::nanoseconds(3_000_000_001), "3.000000001s"),
        ] {
            assert_eq!(proto_duration(duration), text);
        }
    }
}

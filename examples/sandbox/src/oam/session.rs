//! One session as Oracle Access Manager keeps it, and the JSON and XML that it shows of it.
//! In: fields set by a test or by `data.rs`. Out: `SessionRecord`, the truth; `json` and `xml`, what a client sees.
//! Called by `serve.rs`. Fields are those of the schema `SessionData`, by their published names.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::switches::Switches;

/// An open session. One that ends is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// `sessionId`, unique.
    pub id: String,
    /// `sessionIndex`.
    pub index: Option<String>,
    /// `createTime`.
    pub created_at: DateTime<Utc>,
    /// `updateTime`.
    pub updated_at: Option<DateTime<Utc>>,
    /// `lastAccessTime`.
    pub last_access: Option<DateTime<Utc>>,
    /// `expiryTime`.
    pub expires_at: Option<DateTime<Utc>>,
    /// `userId`, the login.
    pub user: String,
    /// `clientIp`.
    pub client_ip: Option<String>,
    /// `idStoreName`.
    pub id_store: Option<String>,
    /// `isImpersonating`.
    pub is_impersonating: Option<bool>,
    /// `userAttributes`: names and values.
    pub attributes: Vec<(String, String)>,
}

impl SessionRecord {
    /// Returns a session that was last used when it was created.
    pub fn new(id: &str, user: &str, created_at: DateTime<Utc>) -> Self {
        Self {
            id: id.to_owned(),
            index: None,
            created_at,
            updated_at: Some(created_at),
            last_access: Some(created_at),
            expires_at: Some(created_at + TimeDelta::hours(8)),
            user: user.to_owned(),
            client_ip: Some("192.0.2.200".to_owned()),
            id_store: Some("UserIdentityStore1".to_owned()),
            is_impersonating: Some(false),
            attributes: Vec::new(),
        }
    }

    /// Returns the session as an object of JSON.
    pub(super) fn json(&self, switches: &Switches) -> Value {
        let mut object = Map::new();
        for (name, value) in self.fields(switches) {
            match value {
                Some(Value::Bool(flag)) if switches.values_as_text => {
                    object.insert(name.to_owned(), flag.to_string().into());
                }
                Some(value) => drop(object.insert(name.to_owned(), value)),
                None if switches.shows_nulls => drop(object.insert(name.to_owned(), Value::Null)),
                None => {}
            }
        }
        object.into()
    }

    /// Returns the session as an element `sessionData`, as the vendor's samples are.
    pub(super) fn xml(&self, switches: &Switches) -> String {
        let mut xml = "<sessionData>\n".to_owned();
        for (name, value) in self.fields(switches) {
            // Writing to a string cannot fail.
            match value {
                Some(value) => {
                    write!(xml, "<{name}>").ok();
                    element(&mut xml, &value);
                    writeln!(xml, "</{name}>").ok();
                }
                None if switches.shows_nulls => xml.push_str(&format!("<{name}/>\n")),
                None => {}
            }
        }
        xml.push_str("</sessionData>\n");
        xml
    }

    /// Returns all fields in the order of the vendor's samples.
    fn fields(&self, switches: &Switches) -> [(&'static str, Option<Value>); 11] {
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let time = |at: Option<DateTime<Utc>>| Some(Value::from(local(at?, switches)));
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), json!({ "attrName": name, "attrValue": value })));
        let attributes: Map<String, Value> = attributes.collect();
        [
            ("sessionId", Some(self.id.as_str().into())),
            ("sessionIndex", text(&self.index)),
            ("createTime", time(Some(self.created_at))),
            ("updateTime", time(self.updated_at)),
            ("lastAccessTime", time(self.last_access)),
            ("expiryTime", time(self.expires_at)),
            ("userId", Some(self.user.as_str().into())),
            ("clientIp", text(&self.client_ip)),
            ("idStoreName", text(&self.id_store)),
            ("isImpersonating", self.is_impersonating.map(Value::from)),
            ("userAttributes", (!attributes.is_empty()).then_some(attributes.into())),
        ]
    }
}

/// Writes an instant with milliseconds and the server's offset: `2017-05-31T13:56:19.000-07:00`.
fn local(at: DateTime<Utc>, switches: &Switches) -> String {
    let offset = FixedOffset::east_opt(switches.offset_minutes * 60);
    let format = SecondsFormat::Millis;
    match offset {
        Some(offset) => at.with_timezone(&offset).to_rfc3339_opts(format, false),
        None => at.to_rfc3339_opts(format, false),
    }
}

/// Writes what an element holds.
fn element(xml: &mut String, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                write!(xml, "<{name}>").ok();
                element(xml, value);
                write!(xml, "</{name}>").ok();
            }
        }
        Value::String(text) => xml.push_str(&escape(text)),
        other => xml.push_str(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

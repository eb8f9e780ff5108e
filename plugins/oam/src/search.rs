//! What a search is told, and which sessions that means.
//! All fields are compared as text here, `isImpersonating` as `true` or `false`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sessionql_plugin_sdk::message::{Filter, HttpRequest};

use crate::answer::Session;
use crate::table::field;

/// A field that the search takes, in the order of the reference. The times that it takes too are
/// not used: how it compares them is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Field {
    UserId,
    ClientIp,
    SessionId,
    IdStoreName,
    IsImpersonating,
}

impl Field {
    pub(crate) const ALL: [Self; 5] =
        [Self::UserId, Self::ClientIp, Self::SessionId, Self::IdStoreName, Self::IsImpersonating];

    /// The fields that one value of singles few sessions out.
    const KEYS: [Self; 3] = [Self::SessionId, Self::UserId, Self::ClientIp];

    /// Returns the name in requests and in records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UserId => field::USER,
            Self::ClientIp => field::CLIENT_IP,
            Self::SessionId => field::ID,
            Self::IdStoreName => field::ID_STORE,
            Self::IsImpersonating => field::IS_IMPERSONATING,
        }
    }

    /// Returns the columns that show it; the first one is for messages.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::UserId => &["user", "user_id"],
            Self::ClientIp => &["client_ip"],
            Self::SessionId => &["id", "session_id"],
            Self::IdStoreName => &["id_store_name"],
            Self::IsImpersonating => &["is_impersonating"],
        }
    }

    pub(crate) fn is_key(self) -> bool {
        Self::KEYS.contains(&self)
    }

    /// Returns the field that a filter is on, and the values that pass it.
    pub(crate) fn asked(filter: &Filter) -> Option<(Self, Vec<String>)> {
        let (column, values) = match filter {
            Filter::Eq { column, value } => (column, std::slice::from_ref(value)),
            Filter::In { column, values } => (column, values.as_slice()),
            _ => return None,
        };
        let field =
            Self::ALL.into_iter().find(|field| field.columns().contains(&column.as_str()))?;
        let values = values.iter().map(|value| field.text(value)).collect::<Option<_>>()?;
        Some((field, values))
    }

    fn text(self, value: &Value) -> Option<String> {
        match value {
            Value::Bool(flag) if self == Self::IsImpersonating => Some(flag.to_string()),
            Value::String(text) if self != Self::IsImpersonating => Some(text.clone()),
            _ => None,
        }
    }
}

/// Tells whether the API must take a value as just this text: not as a pattern, not as none. What a
/// backslash or a bracket stands for in a pattern need not even match itself.
pub(crate) fn is_plain(value: &str) -> bool {
    !value.trim().is_empty() && !value.contains(['*', '%', '\\', '['])
}

/// The fields and values of one search, all of which a session must have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Criteria(pub(crate) BTreeMap<Field, String>);

impl Criteria {
    /// Returns the criteria with one more.
    pub(crate) fn with(&self, field: Field, value: &str) -> Self {
        let mut criteria = self.clone();
        criteria.0.insert(field, value.to_owned());
        criteria
    }

    pub(crate) fn has(&self, field: Field) -> bool {
        self.0.contains_key(&field)
    }

    /// Tells whether a user, an address or a session is named.
    pub(crate) fn is_keyed(&self) -> bool {
        Field::KEYS.iter().any(|field| self.has(*field))
    }

    /// Tells whether a session is one of those that are asked for, or of those that a server may take
    /// for them that ignores case.
    pub(crate) fn hold(&self, session: &Session, ignores_case: bool) -> bool {
        self.0.iter().all(|(field, value)| {
            let is_same = |found: &str| {
                found == value || (ignores_case && found.to_lowercase() == value.to_lowercase())
            };
            session.get(*field).is_some_and(is_same)
        })
    }

    /// Returns the request.
    pub(crate) fn request(&self) -> HttpRequest {
        let mut body = Map::new();
        for (field, value) in &self.0 {
            let value = match field {
                Field::IsImpersonating => Value::Bool(value == "true"),
                _ => Value::from(value.as_str()),
            };
            body.insert(field.name().to_owned(), value);
        }
        crate::request(Value::Object(body).to_string())
    }

    /// Returns the criteria as a condition, for messages.
    pub(crate) fn shown(&self) -> String {
        let terms =
            self.0.iter().map(|(field, value)| format!("`{}` is `{value}`", field.columns()[0]));
        terms.collect::<Vec<_>>().join(" and ")
    }
}

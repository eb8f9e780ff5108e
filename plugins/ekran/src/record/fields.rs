//! Walks one record of an answer along its documented fields; nothing else is materialised.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::{Problem, WHOLE};

/// One element of the list.
pub(super) enum Element {
    Fields(Fields),
    /// Not read yet, for its text is wanted too.
    Raw(Box<RawValue>),
    Other(&'static str),
}

/// Reads an element, as its text if that is wanted.
pub(super) struct OneElement(pub(super) bool);

impl<'de> DeserializeSeed<'de> for OneElement {
    type Value = Element;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Element, D::Error> {
        match self.0 {
            true => Deserialize::deserialize(json).map(Element::Raw),
            false => Element::deserialize(json),
        }
    }
}

/// The documented fields of a record.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) session_id: Scalar,
    pub(super) user_id: Scalar,
    pub(super) client_guid: Scalar,
    pub(super) login: Scalar,
    pub(super) logout: Scalar,
    pub(super) n_unknown: u64,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Name>()? {
            let slot = match name {
                Name::SessionId => &mut fields.session_id,
                Name::UserId => &mut fields.user_id,
                Name::ClientGuid => &mut fields.client_guid,
                Name::Login => &mut fields.login,
                Name::Logout => &mut fields.logout,
                Name::Unknown => {
                    fields.n_unknown += 1;
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // Of a field that comes twice the first value counts.
            let value = map.next_value()?;
            if matches!(slot, Scalar::Missing) {
                *slot = value;
            }
        }
        Ok(Element::Fields(fields))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Element, E> {
        Ok(Element::Other("null"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Element, E> {
        Ok(Element::Other("true or false"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Element, E> {
        Ok(Element::Other("a number"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Element, E> {
        Ok(Element::Other("a number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Element, E> {
        Ok(Element::Other("a number"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Element, E> {
        Ok(Element::Other("text"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Element, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Element::Other("a list"))
    }
}

/// The name of a field.
enum Name {
    SessionId,
    UserId,
    ClientGuid,
    Login,
    Logout,
    Unknown,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
        Ok(match name {
            "sessionId" => Name::SessionId,
            "userId" => Name::UserId,
            "clientGuid" => Name::ClientGuid,
            "loginDate" => Name::Login,
            "logoutDate" => Name::Logout,
            _ => Name::Unknown,
        })
    }
}

/// The value of a field.
#[derive(Default)]
pub(super) enum Scalar {
    /// Absent or null.
    #[default]
    Missing,
    Whole(i64),
    Text(Box<str>),
    Other(&'static str),
}

impl Scalar {
    /// Returns a whole number; one written as text is taken too.
    pub(super) fn whole(self, field: &'static str) -> Result<Option<i64>, Problem> {
        match self {
            Self::Missing => Ok(None),
            Self::Whole(number) => Ok(Some(number)),
            Self::Text(text) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Problem::new(field, "text that is no number", WHOLE)),
            },
            Self::Other(found) => Err(Problem::new(field, found, WHOLE)),
        }
    }

    /// Returns text; a whole number is taken as its digits.
    pub(super) fn text(self, field: &'static str) -> Result<Option<Box<str>>, Problem> {
        match self {
            Self::Missing => Ok(None),
            Self::Whole(number) => Ok(Some(number.to_string().into())),
            Self::Text(text) => Ok(Some(text)),
            Self::Other(found) => Err(Problem::new(field, found, "text")),
        }
    }

    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::Whole(_) => "a number",
            Self::Text(_) => "text",
            Self::Other(noun) => noun,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Missing)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other("true or false"))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Other("a number out of range"), Scalar::Whole))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other("a number that is not whole"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("an object"))
    }
}

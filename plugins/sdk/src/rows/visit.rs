//! Walks a JSON document along the tree of known fields; nothing else is materialised.
//! Stops with an error as soon as the sink does; what it was about is kept by the sink.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::cell::Found;
use super::shape::{Node, Object};
use super::sink::{Problem, Sink};

/// Walks from the top of an answer to its list of records.
pub(super) struct Envelope<'a, 'host> {
    /// The keys that still lead to the list.
    pub(super) keys: &'a [&'a str],
    pub(super) node: &'a Node,
    pub(super) sink: &'a mut Sink<'host>,
    /// Takes the fields beside the list.
    pub(super) fields: &'a mut Map<String, Value>,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.keys.is_empty() { "a list of records" } else { "an object" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((first, rest)) = self.keys.split_first() else {
            return Err(A::Error::custom("an object in place of the list"));
        };
        while let Some(key) = map.next_key::<String>()? {
            if key == *first {
                let mut inner = Map::new();
                map.next_value_seed(Envelope {
                    keys: rest,
                    node: self.node,
                    sink: self.sink,
                    fields: &mut inner,
                })?;
                if !rest.is_empty() {
                    self.fields.insert(key, Value::Object(inner));
                }
            } else {
                self.fields.insert(key, map.next_value()?);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.keys.is_empty() {
            return Err(A::Error::custom("a list in place of an object"));
        }
        self.sink.begin_list();
        if let Some(text) = list.next_element::<Box<RawValue>>()? {
            first_record(&text, self.node, self.sink).map_err(A::Error::custom)?;
        }
        while list.next_element_seed(Field { node: self.node, sink: self.sink })?.is_some() {
            if !self.sink.end_record() {
                return Err(A::Error::custom("a record was refused"));
            }
        }
        Ok(())
    }
}

/// Reads the first record of a page, by which pages are told apart.
fn first_record(text: &RawValue, node: &Node, sink: &mut Sink<'_>) -> serde_json::Result<()> {
    if !sink.see_first(text.get()) {
        return Err(serde_json::Error::custom("a page came again"));
    }
    let field = Field { node, sink: &mut *sink };
    let walked = field.deserialize(&mut serde_json::Deserializer::from_str(text.get()));
    match walked {
        Ok(()) if sink.end_record() => Ok(()),
        Ok(()) => Err(serde_json::Error::custom("a record was refused")),
        Err(error) => {
            sink.no_json = (!error.is_data()).then(|| error.to_string());
            Err(error)
        }
    }
}

/// Walks one value of a record.
struct Field<'a, 'host> {
    node: &'a Node,
    sink: &'a mut Sink<'host>,
}

impl<'de> DeserializeSeed<'de> for Field<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        let Self { node, sink } = self;
        match (node.cells.as_slice(), &node.object) {
            ([], None) => json.deserialize_ignored_any(IgnoredAny).map(|_| ()),
            ([], Some(object)) => json.deserialize_any(Fields { path: &node.path, object, sink }),
            (&[cell], None) if !sink.is_json(cell) => json.deserialize_any(One { cell, sink }),
            (cells, object) => {
                let text: Box<RawValue> = serde::Deserialize::deserialize(json)?;
                fan_out(&text, cells, object.as_ref(), &node.path, sink).map_err(D::Error::custom)
            }
        }
    }
}

/// Gives one value to several takers, each of which reads it anew.
fn fan_out(
    text: &RawValue,
    cells: &[usize],
    object: Option<&Object>,
    path: &str,
    sink: &mut Sink<'_>,
) -> serde_json::Result<()> {
    for &cell in cells {
        if !sink.is_json(cell) {
            serde_json::Deserializer::from_str(text.get()).deserialize_any(One { cell, sink })?;
        } else if text.get() != "null" {
            sink.take(cell, Found::Text(text.get()));
        }
    }
    match object {
        Some(object) => serde_json::Deserializer::from_str(text.get()).deserialize_any(Fields {
            path,
            object,
            sink,
        }),
        None => Ok(()),
    }
}

/// Walks the fields of an object.
struct Fields<'a, 'host> {
    path: &'a str,
    object: &'a Object,
    sink: &'a mut Sink<'host>,
}

impl<'de> Visitor<'de> for Fields<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut place = 0;
        loop {
            let key = Key { object: self.object, place: &mut place, sink: self.sink };
            match map.next_key_seed(key)? {
                Some(Some(node)) => map.next_value_seed(Field { node, sink: self.sink })?,
                Some(None) => map.next_value::<IgnoredAny>().map(|_| ())?,
                None => return Ok(()),
            }
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        match self.path {
            "" => self.refuse("null"),
            _ => Ok(()),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.refuse("true or false")
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.refuse("a number")
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.refuse("a number")
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.refuse("a number")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.refuse("text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.refuse("a list")
    }
}

impl Fields<'_, '_> {
    fn refuse<E: serde::de::Error>(self, found: &'static str) -> Result<(), E> {
        let path = self.path.to_owned();
        self.sink.problem = Some(Problem { path, found, expected: "an object", column: None });
        Err(E::custom("no object"))
    }
}

/// Looks a key up without keeping its text.
struct Key<'a, 'b, 'host> {
    object: &'a Object,
    place: &'b mut usize,
    sink: &'b mut Sink<'host>,
}

impl<'a, 'de> DeserializeSeed<'de> for Key<'a, '_, '_> {
    type Value = Option<&'a Node>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a, '_, '_> {
    type Value = Option<&'a Node>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        let node = self.object.find(self.place, key);
        if node.is_none() {
            self.sink.see_unknown(key);
        }
        Ok(node)
    }
}

/// Gives one value to one cell. Null is left to the end of the record, like a missing field.
struct One<'a, 'host> {
    cell: usize,
    sink: &'a mut Sink<'host>,
}

impl One<'_, '_> {
    fn give<E: serde::de::Error>(self, found: Found<'_>) -> Result<(), E> {
        if self.sink.take(self.cell, found) {
            Ok(())
        } else {
            Err(E::custom("a value was refused"))
        }
    }
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.give(Found::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.give(Found::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.give(i64::try_from(number).map_or(Found::Big(number), Found::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.give(Found::Float(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.give(Found::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        self.give(Found::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        self.give(Found::Object)
    }
}

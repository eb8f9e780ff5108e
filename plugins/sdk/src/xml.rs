//! Reads XML into the values that JSON would have given, so that a column's path means the same in both.
//! In: a document. Out: the name of its root element and the root's content as a `serde_json::Value`.
//!
//! An element that holds elements is an object with their names in order; elements of one name become a
//! list in the place of the first. An element that holds text is that text, blanks included. An element
//! that holds nothing, or says `xsi:nil="true"`, is null. Prefixes of names and all other attributes are
//! dropped, as are comments and processing instructions.
//!
//! The document may come from anybody: a document type is refused, so there are no entities but the
//! five predefined ones and characters by number, and nothing can expand; depth is bounded.

use std::fmt;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// How deep elements may be nested.
const MAX_DEPTH: usize = 64;

/// A document's root element.
#[derive(Debug, Clone, PartialEq)]
pub struct Root {
    /// Its name, without a prefix.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlError {
    /// What is wrong, without anything of the document's text.
    pub message: &'static str,
    /// Where, in bytes from the document's begin.
    pub at_byte: u64,
}

impl fmt::Display for XmlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at byte {}", self.message, self.at_byte)
    }
}

impl std::error::Error for XmlError {}

/// An element whose end has not come yet.
struct Open {
    name: String,
    is_nil: bool,
    text: String,
    fields: Map<String, Value>,
}

impl Open {
    fn new(tag: &BytesStart<'_>) -> Self {
        let name = tag.name().local_name().into_inner().to_owned();
        let is_nil = tag.attributes().flatten().any(|attribute| {
            let (name, value) = (attribute.key, attribute.value.as_ref());
            name.local_name().into_inner() == "nil" && matches!(value, "true" | "1")
        });
        Self { name, is_nil, text: String::new(), fields: Map::new() }
    }

    /// Takes an element inside.
    fn take(&mut self, name: String, value: Value) {
        match self.fields.get_mut(&name) {
            None => {
                self.fields.insert(name, value);
            }
            // Only a repeated name makes a list: no element's own value is one.
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }

    fn close(self) -> Result<Value, &'static str> {
        match (self.is_nil, self.fields.is_empty(), self.text.is_empty()) {
            (true, _, _) | (_, true, true) => Ok(Value::Null),
            (_, true, false) => Ok(Value::String(self.text)),
            (_, false, _) if self.text.trim().is_empty() => Ok(Value::Object(self.fields)),
            (_, false, _) => Err("text beside elements"),
        }
    }
}

/// Reads a document.
///
/// # Errors
/// If it is not well-formed, has a document type, is nested too deep, or mixes text and elements.
pub fn read(document: &str) -> Result<Root, XmlError> {
    let mut reader = Reader::from_str(document.trim_start_matches('\u{feff}'));
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        let at_byte = reader.buffer_position();
        let fail = |message| XmlError { message, at_byte };
        let event = reader.read_event().map_err(|_| fail("no well-formed XML"))?;
        let mut closed = None;
        match event {
            Event::Start(_) | Event::Empty(_) if open.is_empty() && root.is_some() => {
                return Err(fail("a second root element"));
            }
            Event::Start(_) | Event::Empty(_) if open.len() == MAX_DEPTH => {
                return Err(fail("elements nested too deep"));
            }
            Event::Start(tag) => open.push(Open::new(&tag)),
            Event::Empty(tag) => closed = Some(Open::new(&tag)),
            Event::End(_) => closed = open.pop(),
            Event::Text(text) => add_text(&mut open, &text.xml10_content()).map_err(fail)?,
            Event::CData(text) => add_text(&mut open, &text.xml10_content()).map_err(fail)?,
            Event::GeneralRef(reference) => {
                let by_number =
                    reference.resolve_char_ref().map_err(|_| fail("no character of XML"))?;
                let character = by_number.or_else(|| predefined(&reference));
                let character =
                    character.ok_or_else(|| fail("an entity that XML does not define"))?;
                add_text(&mut open, character.encode_utf8(&mut [0; 4])).map_err(fail)?;
            }
            Event::DocType(_) => return Err(fail("a document type, which is not read")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => {
                let is_whole = open.is_empty();
                return root.filter(|_| is_whole).ok_or_else(|| fail("the end in mid-document"));
            }
        }
        if let Some(element) = closed {
            let name = element.name.clone();
            let value = element.close().map_err(fail)?;
            match open.last_mut() {
                Some(parent) => parent.take(name, value),
                None => root = Some(Root { name, value }),
            }
        }
    }
}

/// Adds text to the innermost element. Outside of the root there may be blanks.
fn add_text(open: &mut [Open], text: &str) -> Result<(), &'static str> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("text outside of the root element"),
    }
    Ok(())
}

/// Returns the character of one of the entities that need no definition.
/// Source: XML 1.0, section 4.6.
fn predefined(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(document: &str) -> Value {
        read(document).unwrap().value
    }

    fn error(document: &str) -> &'static str {
        read(document).unwrap_err().message
    }

    #[test]
    fn elements_become_what_json_would_have_said() {
        let document = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a:results>\n<total>2</total>\n\
             <rows>\n<row><id>x|y=</id><n>5</n></row>\n<row><id>z</id></row>\n</rows>\n</a:results>\n";
        let root = read(document).unwrap();
        assert_eq!(root.name, "results");
        let rows = json!({"row": [{"id": "x|y=", "n": "5"}, {"id": "z"}]});
        assert_eq!(root.value, json!({"total": "2", "rows": rows}));
        assert_eq!(value("<r><row><id>x</id></row></r>"), json!({"row": {"id": "x"}}));
    }

    #[test]
    fn references_cdata_and_comments_are_text() {
        let text =
            "<r>a &lt;&amp;&gt;&quot;&apos; &#228;&#x1F600;<!-- no --><![CDATA[<b>&amp;]]></r>";
        assert_eq!(value(text), json!("a <&>\"' ä😀<b>&amp;"));
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(value("<r><a/><b></b></r>"), json!({"a": null, "b": null}));
        assert_eq!(value("<r xmlns:i=\"x\"><a i:nil=\"true\">5</a></r>"), json!({"a": null}));
        assert_eq!(value("<r><a/><a>1</a><a/></r>"), json!({"a": [null, "1", null]}));
        assert_eq!(value("<r> </r>"), json!(" "));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>";
        assert_eq!(error(bomb), "a document type, which is not read");
        assert_eq!(error("<r>&a;</r>"), "an entity that XML does not define");
        assert_eq!(error("<r>&#0;</r>"), "no character of XML");
        let deep = format!("{}{}", "<r>".repeat(100_000), "</r>".repeat(100_000));
        assert_eq!(error(&deep), "elements nested too deep");
        let nested = |n| format!("{}{}", "<r>".repeat(n), "</r>".repeat(n));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
    }

    #[test]
    fn broken_documents_are_refused() {
        for broken in ["<r>", "<r><a></r>", "<r", "<r></s>", "<r>&amp</r>", "</r>"] {
            assert!(read(broken).is_err(), "{broken}");
        }
        assert_eq!(error(""), "the end in mid-document");
        assert_eq!(error("<r><a>1</a>"), "the end in mid-document");
        assert_eq!(error("<r/><r/>"), "a second root element");
        assert_eq!(error("<r/>x"), "text outside of the root element");
        assert_eq!(error("{}"), "text outside of the root element");
        assert_eq!(error("<r>x<a/></r>"), "text beside elements");
    }

    /// Pieces that are likely to meet the parser's rules.
    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => prop::sample::select(vec![
                "<a>", "</a>", "<b/>", "<a b=\"c\">", "<![CDATA[", "]]>", "<!--", "-->", "<?x", "?>",
                "&amp;", "&#65;", "&#xFFFFFFFF;", "&x;", "&", "<", ">", "<!DOCTYPE a>", "\"", "'", "=",
                "<a xsi:nil=\"true\">", "\u{feff}", "<é>", "</é>",
            ])
            .prop_map(str::to_owned),
            1 => any::<String>(),
        ]
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![Just(Value::Null), "[ -~äß\u{4e2d}]{1,12}".prop_map(Value::String),]
    }

    fn tree() -> impl Strategy<Value = Value> {
        leaf().prop_recursive(4, 24, 4, |inner| {
            let field = prop_oneof![
                3 => inner.clone(),
                1 => prop::collection::vec(inner, 2..4).prop_map(Value::Array),
            ];
            // A list of lists and an empty object have no form of their own in XML.
            prop::collection::vec(("[a-z][a-zA-Z0-9]{0,6}", field), 1..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect()))
        })
    }

    fn write(name: &str, value: &Value, out: &mut String) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| write(name, item, out)),
            Value::Object(fields) => {
                out.push_str(&format!("<{name}>"));
                fields.iter().for_each(|(name, value)| write(name, value, out));
                out.push_str(&format!("</{name}>"));
            }
            Value::String(text) => {
                let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                out.push_str(&format!("<{name}>{escaped}</{name}>"));
            }
            _ => out.push_str(&format!("<{name}/>")),
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pieces in prop::collection::vec(piece(), 0..40)) {
            let document = pieces.concat();
            if let Ok(root) = read(&document) {
                prop_assert!(root.value.to_string().len() <= 8 * document.len() + 8);
            }
        }

        #[test]
        fn what_is_written_is_read(tree in tree()) {
            let mut document = String::new();
            write("root", &tree, &mut document);
            prop_assert_eq!(value(&document), tree);
        }
    }
}
